/* heap/pool_info.c: what pools hold, and whether all of it is as it should be */
#include "base/list.h"
#include "heap/pool.h"

/* What objects could have of all blocks. */
static size_t payload_of(const struct pool *pool)
{
    size_t payload = 0;
    for (const struct quire_pool_block *block = pool->block; block; block = block->next)
        payload += (size_t)(pool_block_end(block) - pool_block_start(pool, block));
    return payload;
}

void quire_pool_info(const struct quire_pool *front, struct quire_pool_info *info)
{
    struct pool *pool = pool_of(front);
    size_t room = (size_t)(pool_block_end(pool->block) - front->at);
    *info = (struct quire_pool_info){
        .held = pool->held,
        .own = pool->held,
        .peak = pool->held > pool->peak ? pool->held : pool->peak,
        .limit = pool->limit,
        .room = pool->config->flags & QUIRE_POOL_DEBUG ? 0 : room,
        .lost = pool->lost,
        .large = pool->large_bytes,
        .nr_blocks = pool->nr_blocks,
        .nr_large = pool->nr_large,
    };
    info->used = payload_of(pool) - pool->lost - room + pool->large_bytes;
    for (const struct pool *child = pool->child; child; child = child->older) {
        info->own -= child->held;
        info->nr_children++;
    }
    for (const struct quire_pool_cleanup *c = pool->cleanups; c; c = c->next)
        info->nr_cleanups++;
}

void quire_pool_cache_info(const struct quire_pool_cache *cache, struct quire_pool_cache_info *info)
{
    *info = (struct quire_pool_cache_info){
        .nr_pools = cache->nr_pools,
        .nr_kept = cache->nr_kept,
        .held = cache->held,
    };
    for (const struct quire_pool_block *block = cache->kept; block; block = block->next)
        info->kept += block->size;
}

/* ---- invariants ------------------------------------------------------------------------------ */

static size_t check_blocks(const struct pool *pool)
{
    const struct quire_pool_block *block = pool->block, *last = NULL;
    unsigned long count = 0;
    size_t bytes = 0;
    for (; block; last = block, block = block->next) {
        count++;
        bytes += block->size;
        QUIRE_BUG_ON(block->size < pool->cache->block_size);
    }
    QUIRE_BUG_ON(count != pool->nr_blocks || last != pool_first_block(pool));
    const char *at = pool->front.at, *end = pool_block_end(pool->block);
    QUIRE_BUG_ON(at < pool_block_start(pool, pool->block) || at > end);
    QUIRE_BUG_ON((uintptr_t)at % QUIRE_POOL_ALIGN);
    QUIRE_BUG_ON(pool->front.end != at && pool->front.end != end);
    QUIRE_BUG_ON(pool->lost > payload_of(pool) - (size_t)(end - at));
    return bytes;
}

static size_t check_large(const struct pool *pool)
{
    unsigned long count = 0;
    size_t bytes = 0, asked = 0;
    uintptr_t last = 0;
    tree_check(&pool->large);
    for (struct tree_node *node = tree_first(&pool->large); node; node = tree_next(node)) {
        const struct pool_large *large = quire_container_of(node, struct pool_large, node);
        uintptr_t start = (uintptr_t)large->memory, block = (uintptr_t)large->block;
        QUIRE_BUG_ON(start <= last || start < block || start - block > large->block_size ||
                     large->size > large->block_size - (start - block));
        last = start;
        count++;
        asked += large->size;
        bytes += large->block_size + large->own_size;
    }
    QUIRE_BUG_ON(count != pool->nr_large || asked != pool->large_bytes);
    return bytes;
}

static void check_one(const struct pool *pool)
{
    size_t held = check_blocks(pool) + check_large(pool);
    const struct pool *younger = NULL;
    for (const struct pool *child = pool->child; child; younger = child, child = child->older) {
        QUIRE_BUG_ON(child->parent != pool || child->younger != younger);
        QUIRE_BUG_ON(child->cache != pool->cache || child->running > pool->running);
        held += child->held;
    }
    QUIRE_BUG_ON(held != pool->held);
    QUIRE_BUG_ON(pool->cache->nr_kept > pool->cache->max_kept);
}

void quire_pool_check(struct quire_pool *front)
{
    struct pool *top = pool_of(front);
    if (!pool_enter(top))
        return;
    for (const struct pool *pool = top; pool; pool = pool_next_below(top, pool))
        check_one(pool);
    pool_leave(top);
}
