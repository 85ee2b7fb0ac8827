/* heap/pool_cache.c: free blocks between pools, and the way to the source
 *
 *   invariant   kept blocks are of a size that the source gave for cache->block_size, which may be
 *               more, and at most max_kept of them
 *   invariant   held = sizes of kept blocks + held of all pools without parent
 */
#include "heap/pool.h"

#define MIN_BLOCK_SIZE 512u

_Static_assert(sizeof(struct quire_pool_block) + sizeof(struct pool) + MIN_BLOCK_SIZE / 4 <=
                   MIN_BLOCK_SIZE,
               "the first block of a pool has room for any small object");
_Static_assert(sizeof(struct quire_pool_block) == QUIRE_POOL_ALIGN,
               "objects of blocks are aligned");

int quire_pool_cache_init(struct quire_pool_cache *cache, const struct quire_pool_config *config)
{
    size_t block_size = config->block_size ? config->block_size : QUIRE_POOL_BLOCK_BYTES;
    size_t keep_bytes = config->keep_bytes ? config->keep_bytes : QUIRE_POOL_KEEP_BYTES;
    if (!config->source.alloc || !config->source.free || config->flags & ~QUIRE_POOL_DEBUG ||
        block_size < MIN_BLOCK_SIZE || block_size > SIZE_MAX / 4)
        return -QUIRE_EINVAL;
    bool debug = config->flags & QUIRE_POOL_DEBUG;
    size_t payload = block_size - sizeof(struct quire_pool_block);
    *cache = (struct quire_pool_cache){
        .config = config,
        .max_kept = debug ? 0 : keep_bytes / block_size,
        .block_size = debug ? sizeof(struct quire_pool_block) + sizeof(struct pool) : block_size,
        .small_max = payload / 4 & ~(size_t)(QUIRE_POOL_ALIGN - 1),
        .debug = debug,
    };
    return 0;
}

void *pool_source_alloc(struct quire_pool_cache *cache, size_t *size)
{
    const struct quire_pool_source *source = &cache->config->source;
    size_t given = *size;
    void *block = source->alloc(source->arg, &given);
    if (!block)
        return NULL;
    if ((uintptr_t)block % QUIRE_POOL_ALIGN || given < *size) {
        source->free(source->arg, block, given);
        pool_mistake(cache->config, cache, "the source's block is too small or not aligned");
        return NULL;
    }
    *size = given;
    cache->held += given;
    return block;
}

void pool_source_free(struct quire_pool_cache *cache, void *block, size_t size)
{
    const struct quire_pool_source *source = &cache->config->source;
    cache->held -= size;
    pool_show(block, size);
    source->free(source->arg, block, size);
}

struct quire_pool_block *pool_block_take_slow(struct quire_pool_cache *cache)
{
    size_t size = cache->block_size;
    struct quire_pool_block *block = pool_source_alloc(cache, &size);
    if (!block)
        return NULL;
    block->size = size;
    pool_hide(block + 1, size - sizeof *block);
    return block;
}

void pool_block_put(struct quire_pool_cache *cache, struct quire_pool_block *block)
{
    if (cache->nr_kept >= cache->max_kept) {
        pool_source_free(cache, block, block->size);
        return;
    }
    pool_hide(block + 1, block->size - sizeof *block);
    block->next = cache->kept;
    cache->kept = block;
    cache->nr_kept++;
}

size_t quire_pool_cache_trim(struct quire_pool_cache *cache, size_t keep_bytes)
{
    size_t kept = 0, went = 0;
    struct quire_pool_block **link = &cache->kept, *block;
    pool_cache_enter(cache);
    while ((block = *link)) {
        if (block->size <= keep_bytes - kept) {
            kept += block->size;
            link = &block->next;
            continue;
        }
        went += block->size;
        *link = block->next;
        cache->nr_kept--;
        pool_source_free(cache, block, block->size);
    }
    pool_cache_leave(cache);
    return went;
}

int quire_pool_cache_destroy(struct quire_pool_cache *cache)
{
    if (cache->nr_pools) {
        pool_mistake(cache->config, cache, "a cache is destroyed that has pools");
        return -QUIRE_EBUSY;
    }
    (void)quire_pool_cache_trim(cache, 0);
    return 0;
}

void quire_pool_cache_hand_over(struct quire_pool_cache *cache)
{
    cache->owner = 0;
}
