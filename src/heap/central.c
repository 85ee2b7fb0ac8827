/* heap/central.c: blocks from slabs and runs, and back
 *
 * Small classes are caches of layer 2, made when they are first used, which keep no free objects of
 * their own for CPUs: threads have stacks. Runs come from layer 1 page by page as they are, and the
 * class map says at their first page how long they are. While a page is a slab's the map says which
 * class its objects have.
 *
 *   invariant   a page's byte in the map is 0 unless a block may begin there
 */
#include "base/text.h"
#include "heap/internal.h"

#define MOST_ORDER 3u /* of slabs of objects up to a quarter of a page, and of larger ones */
#define MOST_LARGE_ORDER 4u

void heap_mistake(struct quire_heap *heap, const void *ptr, const char *text)
{
    if (!heap->ops.mistake)
        quire_port_panic(text);
    heap->ops.mistake(heap->ops_arg, ptr, text);
}

static size_t page_number(const struct quire_heap *heap, const void *at)
{
    return (size_t)((const char *)at - heap->base) >> QUIRE_PAGE_SHIFT;
}

/* ---- small blocks ---------------------------------------------------------------------------- */

void slab_pages_changed(void *arg, void *pages, size_t bytes, size_t object_size)
{
    struct quire_heap *heap = arg;
    size_t count = bytes >> QUIRE_PAGE_SHIFT;
    uint8_t class = 0, had = quire_load_relaxed(&class_map(heap)[page_number(heap, pages)]);
    if (object_size <= QUIRE_HEAP_MAX_SMALL)
        class = quire_heap_size_class[object_size / MIN_ALIGN];
    if (!object_size || class_size(class) != object_size)
        class = 0;
    for (size_t i = 0; i < count; i++)
        quire_store_relaxed(&class_map(heap)[page_number(heap, pages) + i], class);
    if (!object_size) {
        pages_freed(heap, count);
        if (had)
            live_changed(heap, had);
        return;
    }
    pages_taken(heap, count);
    if (class)
        fall_arm(heap, class);
}

/* Bytes of the pages which objects lie in that no object has. Pages behind the last one aren't
 * touched. */
static size_t unused_bytes(size_t size, unsigned order)
{
    size_t used = (QUIRE_PAGE_SIZE << order) / size * size;
    return (size_t)quire_align_up(used, QUIRE_PAGE_SIZE) - used;
}

/* The smaller a slab, the sooner it is empty: the least that wastes no more than 1/32. For large
 * objects what layer 2 thinks best, or the next one that wastes no more than 1/24. */
static void set_order(struct quire_kmem_cache *cache, size_t size)
{
    struct quire_kmem_cache_info info;
    quire_kmem_cache_info(cache, &info);
    bool is_large = size > QUIRE_PAGE_SIZE / 4;
    unsigned order = is_large ? info.order : 0, most = is_large ? MOST_LARGE_ORDER : MOST_ORDER;
    size_t share = is_large ? 24 : 32;
    while (order < most && unused_bytes(size, order) > (QUIRE_PAGE_SIZE << order) / share)
        order++;
    int error = quire_kmem_cache_set_order(cache, order);
    QUIRE_BUG_ON(error);
}

static struct quire_kmem_cache *small_create(struct quire_heap *heap, size_t class)
{
    char name[24];
    quire_snprintf(name, sizeof name, "heap-%zu", class_size(class));
    heap_lock(&heap->grow_lock);
    struct quire_kmem_cache *cache = heap->small[class];
    if (!cache) {
        cache = quire_kmem_cache_create(heap->slab, name, class_size(class), MIN_ALIGN,
                                        QUIRE_SLAB_NO_SHEAVES, NULL);
        if (cache)
            set_order(cache, class_size(class));
        quire_store_release(&heap->small[class], cache);
    }
    heap_unlock(&heap->grow_lock);
    return cache;
}

static size_t take_objects(struct quire_heap *heap, size_t class, size_t count, void **blocks)
{
    struct quire_kmem_cache *cache = quire_load_acquire(&heap->small[class]);
    if (quire_unlikely(!cache))
        cache = small_create(heap, class);
    return cache ? quire_kmem_cache_take(cache, HEAP_GFP, count, blocks) : 0;
}

/* ---- runs ------------------------------------------------------------------------------------ */

static void *take_run(struct quire_heap *heap, size_t pages, unsigned align_order)
{
    struct quire_page *page = quire_alloc_run(heap->mem, pages, align_order, HEAP_GFP);
    if (!page)
        return NULL;
    quire_store_relaxed(&class_map(heap)[page->pfn], (uint8_t)(NR_SMALL + pages));
    pages_taken(heap, pages);
    (void)quire_fetch_add(&heap->nr_runs[pages], 1);
    live_changed(heap, NR_SMALL + pages);
    return quire_page_address(heap->mem, page);
}

/* Takes a run out of the map; false: it isn't there. Of two threads that free one run the second
 * finds that. By words, since not every machine can exchange a byte. */
static bool forget_run(struct quire_heap *heap, size_t class, size_t number)
{
    uint32_t *word = (uint32_t *)(void *)class_map(heap) + number / 4;
    uint32_t was = quire_load_relaxed(word), is;
    do {
        is = was;
        if (((uint8_t *)&is)[number % 4] != class)
            return false;
        ((uint8_t *)&is)[number % 4] = 0;
    } while (!quire_compare_exchange(word, &was, is));
    return true;
}

static void put_run(struct quire_heap *heap, size_t class, void *block)
{
    size_t number = page_number(heap, block);
    if ((uintptr_t)block & (QUIRE_PAGE_SIZE - 1)) {
        heap_mistake(heap, block, "free of a pointer into a block");
        return;
    }
    if (!forget_run(heap, class, number)) {
        heap_mistake(heap, block, "double free");
        return;
    }
    (void)quire_fetch_add(&heap->nr_runs[class_pages(class)], 0ul - 1);
    live_changed(heap, class);
    quire_free_run(heap->mem, quire_pfn_to_page(heap->mem, quire_pfn(number)), class_pages(class));
    pages_freed(heap, class_pages(class));
}

/* ---- either ---------------------------------------------------------------------------------- */

void *run_take(struct quire_heap *heap, size_t pages, unsigned align_order)
{
    void *run;
    size_t committed;
    do {
        committed = quire_load_relaxed(&heap->committed);
        run = take_run(heap, pages, align_order);
    } while (!run && heap_grow(heap, committed));
    return run;
}

static size_t take_runs(struct quire_heap *heap, size_t class, size_t count, void **blocks)
{
    size_t got = 0;
    void *run;
    while (got < count && (run = run_take(heap, class_pages(class), 0)))
        blocks[got++] = run; /* for a stack, where no NULL may lie */
    return got;
}

size_t central_take(struct quire_heap *heap, size_t class, size_t count, void **blocks)
{
    size_t got, committed;
    if (class_is_run(class)) {
        got = take_runs(heap, class, count, blocks);
    } else {
        do {
            committed = quire_load_relaxed(&heap->committed);
            got = take_objects(heap, class, count, blocks);
        } while (!got && heap_grow(heap, committed));
        live_changed(heap, class);
    }
    heap_pay_for_growth(heap);
    return got;
}

static bool put(struct quire_heap *heap, size_t class, size_t count, void **blocks, bool pays)
{
    if (class_is_run(class)) {
        for (size_t i = 0; i < count; i++)
            put_run(heap, class, blocks[i]);
        return false;
    }
    quire_kmem_cache_put(quire_load_acquire(&heap->small[class]), count, blocks);
    live_changed(heap, class);
    return fall_note(heap, class, pays);
}

void central_put_stack(struct quire_heap *heap, size_t class, size_t count, void **blocks,
                       bool *fell)
{
    *fell = put(heap, class, count, blocks, false) || *fell;
}

void central_put_end(struct quire_heap *heap, bool fell)
{
    if (quire_unlikely(fell))
        fall_look(heap);
    heap_purge_if_due(heap);
}

bool central_take_left(struct quire_heap *heap, size_t class, void **block)
{
    if (class_is_run(class))
        return (*block = take_run(heap, class_pages(class), 0));
    bool has = quire_load_acquire(&heap->small[class]) && take_objects(heap, class, 1, block);
    if (has)
        live_changed(heap, class);
    return has;
}

void central_put(struct quire_heap *heap, size_t class, size_t count, void **blocks)
{
    central_put_end(heap, put(heap, class, count, blocks, true));
}
