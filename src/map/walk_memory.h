/* map/walk_memory.h: entries of page tables in simulated physical memory
 *
 * An entry is read in one piece, or so that a change meanwhile is noticed, and changed by
 * compare-and-exchange: other processors, simulated or not, may change it at any time.
 */
#ifndef QUIRE_MAP_WALK_MEMORY_H
#define QUIRE_MAP_WALK_MEMORY_H

#include <quire/mmu.h>

#include "base/atomic.h"

static inline bool walk_memory_holds(const struct quire_phys_memory *memory, quire_phys_t at,
                                     unsigned bytes)
{
    return memory->size >= bytes && at <= memory->size - bytes;
}

/* Machines with words of 32 bits have no plain 64-bit loads: the low half, which has P, is read
 * again. A change that isn't seen so is seen by the compare-and-exchange. */
static inline uint64_t walk_load64(const uint64_t *entry)
{
#if UINTPTR_MAX == UINT32_MAX
    const uint32_t *half = (const uint32_t *)entry;
    uint32_t low, high;
    do {
        low = quire_load_acquire(&half[0]);
        high = quire_load_acquire(&half[1]);
    } while (low != quire_load_acquire(&half[0]));
    return (uint64_t)high << 32 | low;
#else
    return quire_load_acquire(entry);
#endif
}

/* The older builtin where words have 32 bits: for the newer one gcc calls libatomic there. */
static inline bool walk_exchange64(uint64_t *entry, uint64_t from, uint64_t to)
{
#if UINTPTR_MAX == UINT32_MAX
    return __sync_bool_compare_and_swap(entry, from, to);
#else
    return quire_compare_exchange(entry, &from, to);
#endif
}

static inline bool walk_read(const struct quire_phys_memory *memory, quire_phys_t at,
                             unsigned bytes, uint64_t *value)
{
    if (!memory->base)
        return memory->read(memory->arg, at, bytes, value);
    if (!walk_memory_holds(memory, at, bytes))
        return false;
    const char *entry = memory->base + at;
    *value = bytes == 8 ? walk_load64((const uint64_t *)(const void *)entry)
                        : quire_load_acquire((const uint32_t *)(const void *)entry);
    return true;
}

static inline bool walk_exchange(const struct quire_phys_memory *memory, quire_phys_t at,
                                 unsigned bytes, uint64_t from, uint64_t to)
{
    if (!memory->base)
        return memory->exchange(memory->arg, at, bytes, from, to);
    char *entry = memory->base + at;
    if (bytes == 8)
        return walk_exchange64((uint64_t *)(void *)entry, from, to);
    uint32_t from32 = (uint32_t)from;
    return quire_compare_exchange((uint32_t *)(void *)entry, &from32, (uint32_t)to);
}

#endif
