/* map/entry.h: entries of tables, read and written as hardware does: each in one piece
 *
 * Entries have 4 or 8 bytes. Functions take which as a constant, so that a loop is compiled for
 * either and has no branch for it. Hardware sets accessed and dirty bits in an entry at any time,
 * so a present one is only ever exchanged or compared and exchanged, unless nobody wants what it
 * was.
 *
 * A 32-bit x86 has one instruction that reads or writes 8 bytes at once without the floating-point
 * registers, cmpxchg8b (SDM 3A, 8.1.1); a read by it writes back what it found.
 */
#ifndef MAP_ENTRY_H
#define MAP_ENTRY_H

#include <quire/pgtable.h>

#include "base/atomic.h"
#include "base/compiler.h"

#define WIDE_NEEDS_EXCHANGE (UINTPTR_MAX == UINT32_MAX)

static QUIRE_ALWAYS_INLINE bool entry_compare_exchange(void *table, unsigned index,
                                                       uint64_t *expected, uint64_t desired,
                                                       const bool wide)
{
    if (wide && !WIDE_NEEDS_EXCHANGE)
        return quire_compare_exchange((uint64_t *)table + index, expected, desired);
    if (wide) {
        /* gcc compiles __atomic to a call of libatomic here. */
        uint64_t found = __sync_val_compare_and_swap((uint64_t *)table + index, *expected, desired);
        bool was = found == *expected;
        *expected = found;
        return was;
    }
    uint32_t narrow = (uint32_t)*expected;
    bool same = quire_compare_exchange((uint32_t *)table + index, &narrow, (uint32_t)desired);
    *expected = narrow;
    return same;
}

static QUIRE_ALWAYS_INLINE uint64_t entry_load(const void *table, unsigned index, const bool wide)
{
    if (!wide)
        return quire_load_acquire((const uint32_t *)table + index);
    if (!WIDE_NEEDS_EXCHANGE)
        return quire_load_acquire((const uint64_t *)table + index);
    uint64_t found = 0;
    (void)entry_compare_exchange((void *)(uintptr_t)table, index, &found, 0, true);
    return found;
}

static QUIRE_ALWAYS_INLINE uint64_t entry_exchange(void *table, unsigned index, uint64_t entry,
                                                   const bool wide)
{
    if (!wide)
        return __atomic_exchange_n((uint32_t *)table + index, (uint32_t)entry, __ATOMIC_ACQ_REL);
    if (!WIDE_NEEDS_EXCHANGE)
        return __atomic_exchange_n((uint64_t *)table + index, entry, __ATOMIC_ACQ_REL);
    uint64_t old = 0;
    while (!entry_compare_exchange(table, index, &old, entry, true))
        ;
    return old;
}

/* For entries that are 0, and those whose last state nobody wants. */
static QUIRE_ALWAYS_INLINE void entry_store(void *table, unsigned index, uint64_t entry,
                                            const bool wide)
{
    if (!wide)
        quire_store_release((uint32_t *)table + index, (uint32_t)entry);
    else if (!WIDE_NEEDS_EXCHANGE)
        quire_store_release((uint64_t *)table + index, entry);
    else
        (void)entry_exchange(table, index, entry, true);
}

/* Takes bits away of which all are in the lower half, whatever hardware sets meanwhile, from an
 * entry that nobody else replaces. What it was isn't told: that takes a loop. */
static QUIRE_ALWAYS_INLINE void entry_clear_bits(void *table, unsigned index, uint32_t clear,
                                                 const bool wide)
{
    if (!wide)
        (void)__atomic_fetch_and((uint32_t *)table + index, ~clear, __ATOMIC_ACQ_REL);
    else if (!WIDE_NEEDS_EXCHANGE)
        (void)__atomic_fetch_and((uint64_t *)table + index, ~(uint64_t)clear, __ATOMIC_ACQ_REL);
    else
        (void)__atomic_fetch_and((uint32_t *)table + 2 * (size_t)index, ~clear, __ATOMIC_ACQ_REL);
}

/* Not 0 unless the entry is: without a promise which bits are of one moment. Where two halves are
 * read, that takes entries whose lower half isn't 0, as those are that hardware and vm know:
 * present ones, and others with a type in their low bits. */
static QUIRE_ALWAYS_INLINE uint64_t entry_peek(const void *table, unsigned index, const bool wide)
{
    if (!wide)
        return quire_load_relaxed((const uint32_t *)table + index);
    if (!WIDE_NEEDS_EXCHANGE)
        return quire_load_relaxed((const uint64_t *)table + index);
    const uint32_t *half = (const uint32_t *)table + 2 * (size_t)index;
    return quire_load_relaxed(&half[0]) | quire_load_relaxed(&half[1]);
}

/* Whether it is present, as of some moment: all of that is in the lower half. */
static QUIRE_ALWAYS_INLINE bool entry_peek_present(const void *table, unsigned index,
                                                   const bool wide)
{
    if (wide && WIDE_NEEDS_EXCHANGE)
        return quire_load_relaxed((const uint32_t *)table + 2 * (size_t)index) & QUIRE_PTE_PRESENT;
    return entry_peek(table, index, wide) & QUIRE_PTE_PRESENT;
}

/* One after the other, or gcc loads all of them first, for which i386 has no registers. */
static QUIRE_ALWAYS_INLINE uint32_t any_of_eight(const uint32_t *word)
{
    uint32_t any = quire_load_relaxed(&word[0]);
    any |= quire_load_relaxed(&word[1]);
    any |= quire_load_relaxed(&word[2]);
    any |= quire_load_relaxed(&word[3]);
    any |= quire_load_relaxed(&word[4]);
    any |= quire_load_relaxed(&word[5]);
    any |= quire_load_relaxed(&word[6]);
    any |= quire_load_relaxed(&word[7]);
    return any;
}

/* Whether eight entries were 0, each as entry_peek says. */
static QUIRE_ALWAYS_INLINE bool entries_peek_zero(const void *table, const bool wide)
{
    if (!wide)
        return !any_of_eight(table);
    if (WIDE_NEEDS_EXCHANGE)
        return !(any_of_eight(table) | any_of_eight((const uint32_t *)table + 8));
    return !(entry_peek(table, 0, true) | entry_peek(table, 1, true) | entry_peek(table, 2, true) |
             entry_peek(table, 3, true) | entry_peek(table, 4, true) | entry_peek(table, 5, true) |
             entry_peek(table, 6, true) | entry_peek(table, 7, true));
}

/* The first entry of [index, end) that isn't 0; or `end`. Most of most tables is 0: eight of those
 * cost about a dozen instructions. */
static QUIRE_ALWAYS_INLINE unsigned entry_skip_zeros(const void *table, unsigned index,
                                                     unsigned end, const bool wide)
{
    const size_t bytes = wide ? sizeof(uint64_t) : sizeof(uint32_t);
    const char *at = (const char *)table + index * bytes; /* an index is no address without work */
    for (; end - index >= 8 && entries_peek_zero(at, wide); at += 8 * bytes)
        index += 8;
    for (; index < end && !entry_peek(at, 0, wide); at += bytes)
        index++;
    return index;
}

static inline bool entries_are_zero(const struct quire_pgtable *pt, const void *table,
                                    unsigned first, unsigned count)
{
    unsigned end = first + count;
    return end == (pt->wide ? entry_skip_zeros(table, first, end, true)
                            : entry_skip_zeros(table, first, end, false));
}

static inline bool entry_is_present(uint64_t entry)
{
    return entry & QUIRE_PTE_PRESENT;
}

/* Of the bits that a present entry gains and loses those which a TLB that holds the old one mustn't
 * miss: it could let through what is forbidden now, lead elsewhere, or write without setting the
 * dirty bit. What is only found out to be allowed now is looked up again (SDM 3A, 4.10.4.3); U/S
 * isn't among that, since what user mode gains the supervisor loses with SMEP and SMAP. A cleared
 * accessed bit isn't worth a flush, as on Linux: a page in heavy use is looked up again
 * soon. `nx` is the format's. */
static inline uint64_t bits_to_flush(uint64_t nx, uint64_t gained, uint64_t lost)
{
    const uint64_t never = QUIRE_PTE_SOFT1 | QUIRE_PTE_SOFT2 | QUIRE_PTE_SOFT3 | QUIRE_PTE_ACCESSED;
    const uint64_t granted = QUIRE_PTE_WRITE | QUIRE_PTE_DIRTY;
    return (gained & ~(never | granted)) | (lost & ~(never | nx));
}

static inline bool entry_needs_flush(const struct quire_pgtable *pt, uint64_t old, uint64_t entry)
{
    return bits_to_flush(pt->format->nx, entry & ~old, old & ~entry) != 0;
}

#endif
