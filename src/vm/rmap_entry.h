/* vm/rmap_entry.h: the entry that a walk of reverse maps came to */
#ifndef VM_RMAP_ENTRY_H
#define VM_RMAP_ENTRY_H

#include "vm/rmap.h"

/* What is at an address, whatever it is, and where that is; 0 where there is no table for it. */
static inline uint64_t entry_at(const struct quire_mm *mm, quire_linear_t address, void **where)
{
    return quire_find_entry(&mm->pt, address, where);
}

/* Whether an entry maps this very page. */
static inline bool entry_maps(const struct quire_mm *mm, uint64_t entry,
                              const struct quire_page *page)
{
    return entry_has_page(entry) &&
           entry_pfn(&mm->pt, entry).value == quire_page_to_pfn(page).value;
}

/* Whether an entry waits for this page to be moved. */
static inline bool entry_awaits(uint64_t entry, const struct quire_page *page)
{
    return entry_is_migration(entry) && entry_offset(entry) == quire_page_to_pfn(page).value;
}

/* Replaces an entry that isn't 0, present or not, by one that isn't present or of the same page. As
 * quire_update_entry; `where` is entry_at's. */
static inline int entry_replace(struct quire_mm *mm, quire_linear_t address, void *where,
                                uint64_t *expected, uint64_t desired, struct quire_tlb_batch *batch)
{
    bool flush = false;
    if (!entry_present(*expected))
        return quire_cmpxchg_entry_at(&mm->pt, where, expected, desired);
    int error = quire_update_entry_at(&mm->pt, where, expected, desired, &flush);
    if (!error && flush)
        quire_tlb_add(batch, address, QUIRE_PAGE_SIZE, QUIRE_PAGE_SHIFT);
    return error;
}

#endif
