/* tools/trace_pages.c: page numbers to 0, 1, 2, ... in the order of their first reference
 *
 * Models keep arrays by these numbers, so that their memory follows the footprint, and see a page
 * for the first time when its number is the next one.
 */
#include <stdlib.h>

#include "trace.h"

#define FIRST_ENTRIES 1024u

/* Page numbers are shorter than 64 bits, so 0 can mean that there is none. */
struct page_id_entry {
    uint64_t page_plus_1;
    uint32_t id;
};

bool page_ids_init(struct page_ids *ids)
{
    *ids = (struct page_ids){
        .entry = calloc(FIRST_ENTRIES, sizeof *ids->entry),
        .mask = FIRST_ENTRIES - 1,
    };
    return ids->entry;
}

void page_ids_free(struct page_ids *ids)
{
    free(ids->entry);
}

/* Where the page is, or should be. Fibonacci hashing: neighbours are spread, and the highest bits,
 * which depend on all others, choose. */
static struct page_id_entry *find(const struct page_ids *ids, uint64_t page)
{
    uint64_t at = (page * 0x9e3779b97f4a7c15u) >> 32;
    for (;; at++) {
        struct page_id_entry *entry = &ids->entry[at & ids->mask];
        if (entry->page_plus_1 == page + 1 || !entry->page_plus_1)
            return entry;
    }
}

static bool grow(struct page_ids *ids)
{
    struct page_ids larger = {.mask = 2 * ids->mask + 1, .count = ids->count};
    larger.entry = calloc((size_t)larger.mask + 1, sizeof *larger.entry);
    if (!larger.entry)
        return false;
    for (uint64_t i = 0; i <= ids->mask; i++)
        if (ids->entry[i].page_plus_1)
            *find(&larger, ids->entry[i].page_plus_1 - 1) = ids->entry[i];
    free(ids->entry);
    *ids = larger;
    return true;
}

uint32_t page_ids_get(struct page_ids *ids, uint64_t page)
{
    struct page_id_entry *entry = find(ids, page);
    if (entry->page_plus_1)
        return entry->id;
    if (ids->count == PAGE_IDS_MAX)
        return PAGE_ID_NONE;
    if (ids->count >= ids->mask / 2) {
        if (!grow(ids))
            return PAGE_ID_NONE;
        entry = find(ids, page);
    }
    *entry = (struct page_id_entry){page + 1, ids->count};
    return ids->count++;
}
