/* vm/entry.h: what entries of page tables say when they aren't present
 *
 *     bit   63 .. 9   8          7 .. 6    5 .. 1   0
 *           offset    PROTNONE   flags     type     0        swap, migration
 *           a present entry's bits, with PROTNONE for P      a page whose area has PROT_NONE
 *
 * 32-bit entries have 23 bits of offset: 32 GiB of swap an area with 4 KiB pages. An entry of a
 * PROT_NONE area keeps its frame, accessed and dirty bits; GLOBAL, which user pages never have,
 * tells it from the others (so does Linux).
 */
#ifndef VM_ENTRY_H
#define VM_ENTRY_H

#include <quire/map.h>

#include "base/compiler.h"

#define ENTRY_PROTNONE ((uint64_t)QUIRE_PTE_GLOBAL)
#define ENTRY_TYPE_SHIFT 1
#define ENTRY_TYPE_MASK 0x3eu
#define ENTRY_OFFSET_SHIFT 9

/* Writes are for the area's monitor to see (vm/userfault.c): of an entry with a page, or of one
 * that will have it again. */
#define ENTRY_WP ((uint64_t)QUIRE_PTE_SOFT2)
#define ENTRY_WP_AWAY 0x40u

/* Types: 1 to QUIRE_MAX_SWAP_AREAS are swap areas, by number from 1 on. */
#define ENTRY_MIGRATION 30u       /* offset: the frame that is being moved; wait for its lock */
#define ENTRY_MIGRATION_WRITE 31u /* the same, and the entry was writable */
/* Its use is SIGBUS: reading it back failed; or, with an offset, that frame was taken out of use
 * (vm/hwpoison.c). */
#define ENTRY_POISON 29u

static inline bool entry_present(uint64_t entry)
{
    return entry & QUIRE_PTE_PRESENT;
}

/* Maps a page, whatever the rights. */
static inline bool entry_has_page(uint64_t entry)
{
    return entry & (QUIRE_PTE_PRESENT | ENTRY_PROTNONE);
}

static inline unsigned entry_type(uint64_t entry)
{
    return (unsigned)(entry & ENTRY_TYPE_MASK) >> ENTRY_TYPE_SHIFT;
}

static inline uint64_t entry_offset(uint64_t entry)
{
    return entry >> ENTRY_OFFSET_SHIFT;
}

static inline uint64_t entry_make(unsigned type, uint64_t offset)
{
    return (uint64_t)type << ENTRY_TYPE_SHIFT | offset << ENTRY_OFFSET_SHIFT;
}

static inline bool entry_is_swap(uint64_t entry)
{
    return entry && !entry_has_page(entry) && entry_type(entry) < ENTRY_POISON;
}

static inline bool entry_is_migration(uint64_t entry)
{
    return entry && !entry_has_page(entry) && entry_type(entry) >= ENTRY_MIGRATION;
}

static inline bool entry_is_bad_frame(uint64_t entry)
{
    return entry && !entry_has_page(entry) && entry_type(entry) == ENTRY_POISON &&
           entry_offset(entry);
}

static inline uint64_t entry_max_offset(const struct quire_pgtable *pt)
{
    return (pt->wide ? UINT64_MAX : UINT32_MAX) >> ENTRY_OFFSET_SHIFT;
}

static inline quire_pfn_t entry_pfn(const struct quire_pgtable *pt, uint64_t entry)
{
    /* Shifted first, it is one word on machines of 32 bits, too. */
    return quire_pfn((unsigned long)(entry >> QUIRE_PAGE_SHIFT) & pt->pfn_mask);
}

#endif
