/* vm/cache_stat.c: what the page cache has of a range (cachestat(2), Linux 6.5) */
#include "vm/cache.h"

#define BATCH 256u /* words a look at the array, under its lock */

static void count_word(const struct quire_mapping *mapping, uint64_t index, uintptr_t word,
                       struct quire_cachestat *stat)
{
    const struct quire_page *page = cache_word_page(word);
    if (!page) {
        stat->nr_evicted++;
        return;
    }
    stat->nr_cache++;
    stat->nr_dirty += xa_is_marked(&mapping->pages, index);
    stat->nr_writeback += page_has(page, PG_WRITEBACK);
}

void quire_mapping_cachestat(struct quire_mapping *mapping, uint64_t first, uint64_t last,
                             struct quire_cachestat *stat)
{
    *stat = (struct quire_cachestat){0};
    last = last < LAST_INDEX ? last : LAST_INDEX;
    for (bool more = true; more && first <= last;) {
        mapping_lock(mapping);
        for (unsigned i = 0; more && i < BATCH; i++) {
            uintptr_t word = first <= last ? xa_next(&mapping->pages, &first, last) : 0;
            more = word;
            if (word)
                count_word(mapping, first++, word, stat);
        }
        mapping_unlock(mapping);
    }
}
