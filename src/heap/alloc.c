/* heap/alloc.c: the front door */
#include "heap/cache.h"

#define GROWING_PAGES 3u                            /* what is smaller costs little to copy */
#define GROWS_FURTHER (NR_RUNS << QUIRE_PAGE_SHIFT) /* large.c has its own way */

void *quire_heap_alloc(struct quire_heap_cache *cache, size_t size)
{
    if (quire_unlikely(size > QUIRE_HEAP_MAX_SMALL))
        return cache_alloc_more(cache, size);
    size_t class = small_class(size);
    void *block = stack_pop(cache, class);
    return quire_likely(block) ? block : cache_alloc_slow(cache, class, size);
}

void quire_heap_free(struct quire_heap_cache *cache, void *ptr)
{
    struct quire_heap *heap = cache->heap;
    size_t class = class_of_address(heap->base, heap->size, ptr);
    if (quire_unlikely(!stack_push(cache, class, ptr)) && ptr)
        cache_free_slow(cache, class, ptr);
}

static bool is_large(const struct quire_heap *heap, size_t size)
{
    return pages_for(size) > NR_RUNS ||
           (size > QUIRE_HEAP_MAX_SMALL && size >= quire_load_relaxed(&heap->map_threshold));
}

void *quire_heap_zalloc(struct quire_heap_cache *cache, size_t size)
{
    bool is_zero = false;
    bool is_new = is_large(cache->heap, size);
    void *block = is_new ? regular_take_or_look(cache, size) : quire_heap_alloc(cache, size);
    if (is_new && !block)
        block = large_alloc(cache->heap, size, QUIRE_PAGE_SIZE, &is_zero);
    return block && !is_zero ? __builtin_memset(block, 0, size) : block;
}

void *quire_heap_alloc_aligned(struct quire_heap_cache *cache, size_t size, size_t align)
{
    unsigned order;
    bool is_zero;
    if (align <= MIN_ALIGN)
        return quire_heap_alloc(cache, size);
    size_t class = is_large(cache->heap, size) ? 0 : class_for(size, align, &order);
    if (!class && align <= QUIRE_PAGE_SIZE)
        return cache_alloc_more(cache, size);
    if (!class)
        return large_alloc(cache->heap, size, align, &is_zero);
    if (order) {
        void *run = run_take(cache->heap, class_pages(class), order);
        if (run)
            clear_marks(run);
        return run;
    }
    void *block = stack_pop(cache, class);
    return block ? block : cache_alloc_slow(cache, class, NO_MARGIN);
}

size_t quire_heap_usable_size(struct quire_heap *heap, const void *ptr)
{
    size_t class = class_of_address(heap->base, heap->size, ptr);
    if (class)
        return margin_usable(heap, class, ptr);
    return ptr ? large_size(heap, ptr) : 0;
}

/* A block stays where it is while it isn't twice what is wanted. */
static bool fits(const struct quire_heap *heap, size_t class, size_t size)
{
    size_t has = class_size(class);
    return size <= has && (size > has / 2 || has <= 2 * MIN_ALIGN) && !is_large(heap, size);
}

/* What grows by pages is likely to go on: then each step needn't copy it. */
static size_t grown_size(size_t size)
{
    return size > QUIRE_HEAP_MAX_SMALL && size < GROWS_FURTHER ? size + size / 8 : size;
}

/* Free, or no block at all. */
static bool is_freed_block(struct quire_heap_cache *cache, size_t class, void *ptr)
{
    return (uintptr_t)ptr & (MIN_ALIGN - 1) ||
           (has_mark(ptr) && is_free_already(cache, class, ptr));
}

/* What grows again and again would be copied each time: where a block lies free that others grew in
 * it gets that, and grows there in place. So do runs where large blocks are kept, as soon as they
 * grow. */
static void *move_to_grow(struct quire_heap_cache *cache, const void *ptr, size_t class,
                          size_t size, size_t has)
{
    void *lent = NULL;
    if (size <= has || size < LEAST_LENT || size >= GROWS_FURTHER)
        return NULL;
    if (class && cache->growing == ptr)
        lent = regular_lend(cache, size);
    bool is_long = class_is_run(class) && class_pages(class) >= GROWING_PAGES;
    return !lent && is_long ? large_alloc_to_grow(cache->heap, size) : lent;
}

void *quire_heap_realloc(struct quire_heap_cache *cache, void *ptr, size_t size)
{
    struct quire_heap *heap = cache->heap;
    if (!ptr)
        return quire_heap_alloc(cache, size);
    size_t class = class_of_address(heap->base, heap->size, ptr);
    bool is_freed = class && is_freed_block(cache, class, ptr);
    if (class && !is_freed && fits(heap, class, size)) {
        margin_resize(heap, class, ptr, size);
        return ptr;
    }
    if (!class && regular_resize(heap, ptr, size))
        return ptr;
    size_t has = is_freed ? 0 : class ? class_size(class) : large_size(heap, ptr);
    if (!has) {
        heap_mistake(heap, ptr, "realloc of what is no block, or was freed before");
        return NULL;
    }
    if (!class && (size > has / 2 || is_large(heap, size))) {
        void *resized = large_resize(heap, ptr, size);
        if (resized)
            return resized;
    }
    void *moved = move_to_grow(cache, ptr, class, size, has);
    if (!moved)
        moved = quire_heap_alloc(cache, size > has ? grown_size(size) : size);
    if (!moved)
        return !class && size <= has ? ptr : NULL;
    __builtin_memcpy(moved, ptr, size < has ? size : has);
    quire_heap_free(cache, ptr);
    cache->growing = size > has ? moved : NULL;
    return moved;
}
