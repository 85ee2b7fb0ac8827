/* heap/pool_alloc.c: what the inline path leaves over: sizes 0 and none, new blocks, limits
 *
 * When the block at hand lacks room, an object above cache->small_max (a quarter of a block) gets a
 * block of its own, and the room stays; for a smaller one a new block comes to hand, and the end of
 * the old one is lost.
 *
 *   bound   less than small_max is lost of a block, since that was too little for a small object;
 *           and of the new one at least three quarters are left, so it is always the better one
 *
 * Limits count what comes from the source, so the inline path knows nothing of them.
 */
#include "heap/pool.h"

bool pool_may_hold(const struct pool *pool, size_t size)
{
    for (; pool; pool = pool->parent)
        if (pool->held > pool->limit || size > pool->limit - pool->held)
            return false;
    return true;
}

bool pool_hold(struct pool *pool, size_t size)
{
    for (struct pool *above = pool; above; above = above->parent) {
        if (quire_unlikely(above->held + size > above->limit)) {
            for (; pool != above; pool = pool->parent)
                pool->held -= size;
            return false;
        }
        above->held += size;
    }
    return true;
}

/* What is held now may be more than ever: that is looked at before it becomes less. */
void pool_let_go(struct pool *pool, size_t size)
{
    for (; pool; pool = pool->parent) {
        if (pool->held > pool->peak)
            pool->peak = pool->held;
        pool->held -= size;
    }
}

/* The handler may leave by longjmp, so nothing is marked meanwhile. */
bool pool_made_room(struct pool *pool, size_t size)
{
    struct quire_pool_cache *cache = pool->cache;
    if (!pool->oom)
        return false;
    pool_cache_leave(cache);
    bool made = pool->oom(pool->oom_arg, &pool->front, size);
    pool_cache_enter(cache);
    if (quire_likely(pool->state == POOL_ALIVE || pool->state == POOL_ALIVE_DEBUG))
        return made;
    pool_mistake(cache->config, &pool->front,
                 "destroyed or detached by its own out-of-memory handler");
    return false;
}

/* ---- blocks ---------------------------------------------------------------------------------- */

/* Not debugging. NULL: a limit, or the source has none. */
static QUIRE_ALWAYS_INLINE struct quire_pool_block *add_block(struct pool *pool)
{
    struct quire_pool_cache *cache = pool->cache;
    if (quire_unlikely(!cache->kept) && !pool_may_hold(pool, cache->block_size))
        return NULL; /* the source needn't be asked */
    struct quire_pool_block *block = pool_block_take(cache);
    if (quire_unlikely(!block))
        return NULL;
    if (quire_unlikely(!pool_hold(pool, block->size))) {
        pool_block_put(cache, block);
        return NULL;
    }
    pool->lost += (size_t)(pool_block_end(pool->block) - pool->front.at);
    block->next = pool->block;
    pool->block = block;
    pool->nr_blocks++;
    return block;
}

/* `rounded` bytes and the padding that `align` may need are small_max at most; `size` of them are
 * the object. */
static QUIRE_ALWAYS_INLINE void *cut_from_new_block(struct pool *pool, size_t align, size_t rounded,
                                                    size_t size)
{
    struct quire_pool_block *block = add_block(pool);
    if (quire_unlikely(!block))
        return NULL;
    char *memory = (char *)(block + 1);
    if (align > QUIRE_POOL_ALIGN)
        memory += -(uintptr_t)memory & (align - 1);
    pool_show(memory, size);
    pool->front.at = memory + rounded;
    pool->front.end = POOL_RED_ZONE ? pool->front.at : pool_block_end(block);
    return memory;
}

/* NULL: no room. */
static void *cut_from_block_at_hand(struct pool *pool, size_t padding, size_t rounded, size_t size)
{
    size_t room = (size_t)(pool_block_end(pool->block) - pool->front.at);
    if (padding > room || rounded > room - padding)
        return NULL;
    char *memory = pool->front.at + padding;
    pool_show(memory, size);
    pool_set_room(pool, memory + rounded);
    return memory;
}

static void *try_alloc(struct pool *pool, size_t align, size_t size)
{
    size_t rounded = pool_round(size) + POOL_RED_ZONE;
    if (quire_unlikely(pool->state != POOL_ALIVE)) /* debugging */
        return pool_large_alloc(pool, align, size);
    size_t padding = (size_t)(-(uintptr_t)pool->front.at & (align - 1));
    void *memory = cut_from_block_at_hand(pool, padding, rounded, size);
    if (memory)
        return memory;
    size_t small_max = pool->cache->small_max;
    if (rounded > small_max || align - QUIRE_POOL_ALIGN > small_max - rounded)
        return pool_large_alloc(pool, align, size);
    return cut_from_new_block(pool, align, rounded, size);
}

void *pool_alloc(struct pool *pool, size_t align, size_t size)
{
    void *memory;
    if (quire_unlikely(!pool_round(size)))
        return NULL;
    do
        memory = try_alloc(pool, align, size);
    while (quire_unlikely(!memory) && pool_made_room(pool, size));
    return memory;
}

static QUIRE_NOINLINE void *enter_and_alloc(struct pool *pool, size_t align, size_t size)
{
    if (!pool_enter(pool))
        return NULL;
    void *memory = pool_alloc(pool, align, size);
    pool_leave(pool);
    return memory;
}

/* Called where the inline path found no room, mostly for a small object. Sizes whose rounding is 0
 * are the largest to the comparison. */
void *quire_pool_alloc_slow(struct quire_pool *front, size_t size)
{
#ifndef POOL_ASAN
    struct pool *pool = pool_of(front);
    size_t rounded = (size + (QUIRE_POOL_ALIGN - 1)) & ~(size_t)(QUIRE_POOL_ALIGN - 1);
    if (quire_likely(pool->state == POOL_ALIVE && rounded - 1 < pool->cache->small_max)) {
        void *memory = cut_from_new_block(pool, QUIRE_POOL_ALIGN, rounded, size);
        if (quire_likely(memory) || !pool_made_room(pool, size))
            return memory;
    }
#endif
    return enter_and_alloc(pool_of(front), QUIRE_POOL_ALIGN, size);
}

void *quire_pool_alloc_aligned(struct quire_pool *front, size_t align, size_t size)
{
    if (!align || align & (align - 1) || align > SIZE_MAX / 4)
        return NULL;
    if (align < QUIRE_POOL_ALIGN)
        align = QUIRE_POOL_ALIGN;
    return enter_and_alloc(pool_of(front), align, size);
}

/* ---- giving back early ----------------------------------------------------------------------- */

/* The last object of the block at hand ends where the room begins. */
static bool free_last(struct pool *pool, char *memory, size_t size)
{
    size_t rounded = pool_round(size) + POOL_RED_ZONE;
    const char *start = pool_block_start(pool, pool->block);
    if (!pool_round(size) || (uintptr_t)memory < (uintptr_t)start ||
        (uintptr_t)pool->front.at - (uintptr_t)memory != rounded ||
        (uintptr_t)memory % QUIRE_POOL_ALIGN)
        return false;
    pool_hide(memory, rounded);
    pool_set_room(pool, memory);
    return true;
}

static bool lies_in_a_block(const struct pool *pool, const void *memory)
{
    for (const struct quire_pool_block *block = pool->block; block; block = block->next) {
        const char *start = pool_block_start(pool, block);
        if ((uintptr_t)memory >= (uintptr_t)start &&
            (uintptr_t)memory < (uintptr_t)pool_block_end(block))
            return block != pool->block || (uintptr_t)memory < (uintptr_t)pool->front.at;
    }
    return false;
}

static bool free_early(struct pool *pool, void *memory, size_t size)
{
    if (free_last(pool, memory, size))
        return true;
    struct pool_large *large = pool_large_find(pool, memory);
    if (large && large->size == size) {
        pool_large_free(pool, large);
        return true;
    }
    if (large)
        pool_mistake(pool->config, &pool->front, "memory is freed with another size than it has");
    else if (!lies_in_a_block(pool, memory))
        pool_mistake(pool->config, &pool->front, "memory is freed that isn't the pool's");
    return false;
}

bool quire_pool_free(struct quire_pool *front, void *memory, size_t size)
{
    struct pool *pool = pool_of(front);
    if (!memory)
        return true;
    if (!pool_enter(pool))
        return false;
    bool freed = free_early(pool, memory, size);
    pool_leave(pool);
    return freed;
}

/* ---- limits ---------------------------------------------------------------------------------- */

void quire_pool_set_limit(struct quire_pool *front, size_t bytes)
{
    struct pool *pool = pool_of(front);
    if (!pool_enter(pool))
        return;
    pool->limit = bytes;
    pool_leave(pool);
}

void quire_pool_set_oom(struct quire_pool *front, quire_pool_oom_fn *oom, void *arg)
{
    struct pool *pool = pool_of(front);
    if (!pool_enter(pool))
        return;
    pool->oom = oom;
    pool->oom_arg = arg;
    pool_leave(pool);
}
