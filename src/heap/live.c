/* heap/live.c: counts that are true at any moment, where others may look at them
 *
 * Whoever takes blocks from slabs and runs, or puts them back, writes down how many of the class
 * are taken now: a batch at a time, so the hot path knows nothing of it; and so does who gives a
 * slab back. What lies on threads' stacks counts as taken. Two threads may write in the wrong
 * order: then a class lacks a batch until the next one.
 */
#include "heap/internal.h"

void live_tell(struct quire_heap *heap, struct quire_heap_live *live, size_t class)
{
    struct quire_kmem_cache_use use = {0};
    if (class_is_run(class)) {
        use.taken = quire_load_relaxed(&heap->nr_runs[class_pages(class)]);
        use.pages = use.taken * class_pages(class);
    } else {
        const struct quire_kmem_cache *cache = quire_load_acquire(&heap->small[class]);
        if (cache)
            use = quire_kmem_cache_use(cache);
    }
    quire_store_relaxed(&live->taken[class], (uint32_t)use.taken);
    quire_store_relaxed(&live->pages[class], (uint32_t)use.pages);
}

void quire_heap_set_live(struct quire_heap *heap, struct quire_heap_live *live)
{
    for (size_t class = 1; live && class < NR_CLASSES; class ++)
        live_tell(heap, live, class);
    quire_store_release(&heap->live, live);
}
