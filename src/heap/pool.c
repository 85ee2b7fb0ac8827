/* heap/pool.c: pools begin, end, and are reset
 *
 * A pool ends from its leaves: as long as there are pools below, the deepest youngest one comes
 * next; of that the handlers run, one at a time, and then it goes. After each handler the search
 * begins again from the top, since it may have made pools, registered handlers, or ended others. So
 * nothing recurses, whatever the depth, and nothing is remembered across a handler but the pool
 * itself, which `running` protects.
 *
 * The blocks of a pool are chained with the first one last, so that giving them to the cache is
 * splicing two lists.
 */
#include "heap/pool.h"

/* Member by member: as a whole gcc clears it by a string instruction, which takes longer. */
static QUIRE_ALWAYS_INLINE void begin(struct pool *pool, struct quire_pool_cache *cache,
                                      struct quire_pool_block *block)
{
    pool->cache = cache;
    pool->config = cache->config;
    pool->block = block;
    pool->parent = pool->child = NULL;
    pool->older = pool->younger = NULL;
    pool->cleanups = pool->unused = NULL;
    pool->large.root = NULL;
    pool->large.update = NULL;
    pool->oom = NULL;
    pool->oom_arg = NULL;
    pool->limit = SIZE_MAX;
    pool->held = block->size;
    pool->peak = pool->lost = 0;
    pool->large_bytes = 0;
    pool->nr_large = 0;
    pool->nr_blocks = 1;
    pool->state = POOL_ALIVE + cache->debug;
    pool->running = 0;
    block->next = NULL;
    pool_set_room(pool, (char *)(pool + 1));
}

static QUIRE_ALWAYS_INLINE struct pool *create(struct quire_pool_cache *cache)
{
    struct quire_pool_block *block = pool_block_take(cache);
    if (quire_unlikely(!block))
        return NULL;
    struct pool *pool = (struct pool *)(block + 1);
    pool_show(pool, sizeof *pool);
    begin(pool, cache, block);
    cache->nr_pools++;
    return pool;
}

struct quire_pool *quire_pool_create(struct quire_pool_cache *cache)
{
    pool_cache_enter(cache);
    struct pool *pool = create(cache);
    pool_cache_leave(cache);
    return (struct quire_pool *)pool; /* its first member, or NULL */
}

static void link_child(struct pool *parent, struct pool *pool)
{
    pool->parent = parent;
    pool->older = parent->child;
    if (pool->older)
        pool->older->younger = pool;
    parent->child = pool;
    pool->oom = parent->oom;
    pool->oom_arg = parent->oom_arg;
}

static struct pool *create_child(struct pool *parent)
{
    if (quire_unlikely(!parent->cache->kept) && !pool_may_hold(parent, parent->cache->block_size))
        return NULL; /* the source needn't be asked */
    struct pool *pool = create(parent->cache);
    if (quire_unlikely(!pool))
        return NULL;
    if (quire_unlikely(!pool_hold(parent, pool->held))) {
        pool_release(pool);
        return NULL;
    }
    link_child(parent, pool);
    return pool;
}

struct quire_pool *quire_pool_create_child(struct quire_pool *front)
{
    struct pool *parent = pool_of(front), *pool;
    if (!pool_enter(parent))
        return NULL;
    do
        pool = create_child(parent);
    while (quire_unlikely(!pool) && pool_made_room(parent, parent->cache->block_size));
    pool_leave(parent);
    return (struct quire_pool *)pool;
}

static void unlink_child(struct pool *pool)
{
    if (pool->younger)
        pool->younger->older = pool->older;
    else
        pool->parent->child = pool->older;
    if (pool->older)
        pool->older->younger = pool->younger;
}

static void give_blocks_one_by_one(struct quire_pool_cache *cache, struct quire_pool_block *block)
{
    for (struct quire_pool_block *next; block; block = next) {
        next = block->next;
        pool_block_put(cache, block);
    }
}

static QUIRE_ALWAYS_INLINE void release(struct pool *pool)
{
    struct quire_pool_cache *cache = pool->cache;
    struct quire_pool_block *first = pool_first_block(pool);
    if (quire_unlikely(pool->large.root))
        pool_large_free_all(pool);
    if (pool->parent) {
        pool_let_go(pool->parent, pool->held);
        unlink_child(pool);
    }
    /* Without room: whoever asks takes the slow path, which sees the end. */
    pool->front.at = pool->front.end = NULL;
    pool->state = POOL_ENDED;
    cache->nr_pools--;
#ifndef POOL_ASAN
    if (quire_likely(cache->nr_kept + pool->nr_blocks <= cache->max_kept)) {
        first->next = cache->kept;
        cache->kept = pool->block;
        cache->nr_kept += pool->nr_blocks;
        return;
    }
#endif
    (void)first;
    give_blocks_one_by_one(cache, pool->block);
}

void pool_release(struct pool *pool)
{
    release(pool);
}

/* False: one of its handlers, or of a pool's below, is under way. */
static bool may_end(struct pool *pool, const char *what)
{
    if (quire_likely(!pool->running))
        return true;
    pool_mistake(pool->config, &pool->front, what);
    return false;
}

void quire_pool_destroy(struct quire_pool *front)
{
    struct pool *pool = pool_of(front);
    if (!front || !pool_enter(pool))
        return;
    struct quire_pool_cache *cache = pool->cache;
    if (may_end(pool, "destroyed by a handler of its own or of a pool below")) {
        if (quire_unlikely(pool->child || pool->cleanups))
            pool_end_inside(pool);
        release(pool);
    }
    pool_cache_leave(cache);
}

/* All but the first block. */
static void give_further_blocks(struct pool *pool)
{
    struct quire_pool_block *first = pool_first_block(pool);
    while (pool->block != first) {
        struct quire_pool_block *block = pool->block;
        pool->block = block->next;
        pool_let_go(pool, block->size);
        pool_block_put(pool->cache, block);
    }
    pool->nr_blocks = 1;
}

void quire_pool_reset(struct quire_pool *front)
{
    struct pool *pool = pool_of(front);
    if (!pool_enter(pool))
        return;
    if (may_end(pool, "reset by a handler of its own or of a pool below")) {
        pool_end_inside(pool);
        pool_large_free_all(pool);
        give_further_blocks(pool);
        pool->unused = NULL;
        pool->lost = 0;
        pool_set_room(pool, (char *)(pool + 1));
        pool_hide(pool->front.at, (size_t)(pool_block_end(pool->block) - pool->front.at));
    }
    pool_leave(pool);
}

/* ---- between threads ------------------------------------------------------------------------- */

struct pool *pool_next_below(const struct pool *top, const struct pool *pool)
{
    if (pool->child)
        return pool->child;
    for (; pool != top; pool = pool->parent)
        if (pool->older)
            return pool->older;
    return NULL;
}

void quire_pool_detach(struct quire_pool *front)
{
    struct pool *top = pool_of(front);
    if (!pool_enter(top))
        return;
    struct quire_pool_cache *cache = top->cache;
    if (top->parent)
        pool_mistake(top->config, front, "detached, though it has a parent");
    else if (may_end(top, "detached by a handler of its own or of a pool below")) {
        for (struct pool *pool = top; pool; pool = pool_next_below(top, pool)) {
            pool->state = POOL_DETACHED;
            pool->cache = NULL;
            pool_set_room(pool, pool->front.at);
            cache->nr_pools--;
        }
        cache->held -= top->held;
    }
    pool_cache_leave(cache);
}

int quire_pool_attach(struct quire_pool *front, struct quire_pool_cache *cache)
{
    struct pool *top = pool_of(front);
    if (top->state != POOL_DETACHED || top->parent) {
        pool_mistake(cache->config, front, "attached, but not detached");
        return -QUIRE_EINVAL;
    }
    if (top->config != cache->config)
        return -QUIRE_EINVAL;
    pool_cache_enter(cache);
    for (struct pool *pool = top; pool; pool = pool_next_below(top, pool)) {
        pool->state = POOL_ALIVE + cache->debug;
        pool->cache = cache;
        pool_set_room(pool, pool->front.at);
        cache->nr_pools++;
    }
    cache->held += top->held;
    pool_cache_leave(cache);
    return 0;
}
