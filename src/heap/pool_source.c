/* heap/pool_source.c: where blocks come from: malloc, a heap, page runs, another pool */
#include <quire/heap.h>

#include "base/bits.h"
#include "heap/pool.h"

static void *malloc_alloc(void *arg, size_t *size)
{
    const struct quire_pool_malloc *functions = arg;
    return functions->malloc(*size);
}

static void malloc_free(void *arg, void *block, size_t size)
{
    const struct quire_pool_malloc *functions = arg;
    (void)size;
    functions->free(block);
}

struct quire_pool_source quire_pool_from_malloc(const struct quire_pool_malloc *functions)
{
    struct quire_pool_source source = {malloc_alloc, malloc_free, (void *)(uintptr_t)functions};
    return source;
}

/* All that the class of the block has, so that none of it lies idle. */
static void *heap_alloc(void *arg, size_t *size)
{
    struct quire_heap_cache *cache = arg;
    void *block = quire_heap_alloc(cache, *size);
    if (block)
        *size = quire_heap_usable_size(cache->heap, block);
    return block;
}

static void heap_free(void *arg, void *block, size_t size)
{
    (void)size;
    quire_heap_free(arg, block);
}

struct quire_pool_source quire_pool_from_heap(struct quire_heap_cache *cache)
{
    struct quire_pool_source source = {heap_alloc, heap_free, cache};
    return source;
}

static void *pages_alloc(void *arg, size_t *size)
{
    const struct quire_pool_pages *pages = arg;
    if (*size > QUIRE_PAGE_SIZE << QUIRE_MAX_ORDER)
        return NULL;
    *size = (size_t)quire_align_up(*size, QUIRE_PAGE_SIZE);
    return quire_alloc_pages_exact(pages->mem, *size, pages->gfp);
}

static void pages_free(void *arg, void *block, size_t size)
{
    const struct quire_pool_pages *pages = arg;
    quire_free_pages_exact(pages->mem, block, size);
}

struct quire_pool_source quire_pool_from_pages(const struct quire_pool_pages *pages)
{
    struct quire_pool_source source = {pages_alloc, pages_free, (void *)(uintptr_t)pages};
    return source;
}

static void *pool_source_of_pool_alloc(void *arg, size_t *size)
{
    return quire_pool_alloc(arg, *size);
}

static void pool_source_of_pool_free(void *arg, void *block, size_t size)
{
    (void)quire_pool_free(arg, block, size);
}

struct quire_pool_source quire_pool_from_pool(struct quire_pool *pool)
{
    struct quire_pool_source source = {pool_source_of_pool_alloc, pool_source_of_pool_free, pool};
    return source;
}
