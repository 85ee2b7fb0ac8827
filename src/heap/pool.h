/* heap/pool.h: what a pool is inside
 *
 *   pool_block | struct pool | objects ... room        the first block
 *   pool_block | objects ... (lost)                    further ones
 *   pool_large | memory                                one object each, in a tree by address
 *
 *   invariant   `block` is the one at hand, whose room is front.at to its end, and leads through
 *               all, the first one last; the ends of the others are counted in `lost`
 *   invariant   held = own blocks and large ones + held of all children
 *   invariant   running counts the cleanup handlers that are under way in this pool and all below
 * it; while it isn't 0 the pool is neither reset, destroyed nor detached
 */
#ifndef QUIRE_HEAP_POOL_H
#define QUIRE_HEAP_POOL_H

#include <quire/pool.h>

#include "base/compiler.h"
#include "base/tree.h"

#if defined(__SANITIZE_ADDRESS__)
#define POOL_ASAN 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define POOL_ASAN 1
#endif
#endif

/* What of a block isn't allocated is poison to AddressSanitizer, and a red zone follows each
 * object; so every allocation goes through the library. */
#ifdef POOL_ASAN
#define POOL_RED_ZONE QUIRE_POOL_ALIGN
void __asan_poison_memory_region(const volatile void *address, size_t size);
void __asan_unpoison_memory_region(const volatile void *address, size_t size);
static inline void pool_hide(const void *memory, size_t size)
{
    __asan_poison_memory_region(memory, size);
}
static inline void pool_show(const void *memory, size_t size)
{
    __asan_unpoison_memory_region(memory, size);
}
#else
#define POOL_RED_ZONE 0u
static inline void pool_hide(const void *memory, size_t size)
{
    (void)memory;
    (void)size;
}
static inline void pool_show(const void *memory, size_t size)
{
    (void)memory;
    (void)size;
}
#endif

struct quire_pool_block {
    _Alignas(QUIRE_POOL_ALIGN) struct quire_pool_block *next;
    size_t size; /* as the source gave it, this header included */
};

struct pool_large {
    _Alignas(QUIRE_POOL_ALIGN) struct tree_node node; /* of pool.large, by `memory` */
    char *memory;
    size_t size; /* as asked for */
    void *block; /* of the source; begins with this unless own_size says otherwise */
    size_t block_size;
    size_t own_size; /* debug: this is a block of the source by itself, of this size */
};

struct quire_pool_cleanup {
    struct quire_pool_cleanup *next;
    void (*run)(void *arg);
    void *arg;
};

enum pool_state {
    POOL_ALIVE = 0x51700100, /* values that memory seldom has by chance */
    POOL_ALIVE_DEBUG,        /* each call is looked at */
    POOL_DETACHED,
    POOL_ENDED,
};

struct pool {
    _Alignas(QUIRE_POOL_ALIGN) struct quire_pool front;
    struct quire_pool_cache *cache;
    const struct quire_pool_config *config;
    struct quire_pool_block *block;
    struct pool *parent, *child; /* the youngest */
    struct pool *older, *younger;
    struct quire_pool_cleanup *cleanups; /* the latest first */
    struct quire_pool_cleanup *unused;   /* of handlers that were taken out */
    struct tree large;
    quire_pool_oom_fn *oom;
    void *oom_arg;
    size_t limit, held;
    size_t peak; /* the most that was held until it last became less */
    size_t lost;
    size_t large_bytes;
    unsigned long nr_blocks, nr_large;
    uint32_t state;
    uint32_t running;
};

static inline struct pool *pool_of(const struct quire_pool *front)
{
    return (struct pool *)(uintptr_t)front;
}

static inline struct quire_pool_block *pool_first_block(const struct pool *pool)
{
    return (struct quire_pool_block *)(uintptr_t)pool - 1;
}

static inline char *pool_block_end(const struct quire_pool_block *block)
{
    return (char *)(uintptr_t)block + block->size;
}

static inline char *pool_block_start(const struct pool *pool, const struct quire_pool_block *block)
{
    return block == pool_first_block(pool) ? (char *)(uintptr_t)(pool + 1)
                                           : (char *)(uintptr_t)(block + 1);
}

/* `at` is where the next object goes in the block at hand. */
static inline void pool_set_room(struct pool *pool, char *at)
{
    bool is_inline = pool->state == POOL_ALIVE && !POOL_RED_ZONE;
    pool->front.at = at;
    pool->front.end = is_inline ? pool_block_end(pool->block) : at;
}

/* 0: no memory could have it. */
static inline size_t pool_round(size_t size)
{
    size_t rounded = (size + (QUIRE_POOL_ALIGN - 1)) & ~(size_t)(QUIRE_POOL_ALIGN - 1);
    if (quire_unlikely(size > SIZE_MAX / 2))
        return 0;
    return quire_likely(size) ? rounded : QUIRE_POOL_ALIGN;
}

/* ---- pool_debug.c ---------------------------------------------------------------------------- */

/* Logs a line about the pool or cache at `subject`, and hands it to config.mistake, or panics. */
void pool_mistake(const struct quire_pool_config *config, const void *subject, const char *what);
/* Of a cache that is debugged. */
void pool_cache_enter_debug(struct quire_pool_cache *cache);
bool pool_enter_slow(struct pool *pool);
void pool_leave_debug(struct quire_pool_cache *cache);

static inline void pool_cache_enter(struct quire_pool_cache *cache)
{
    if (quire_unlikely(cache->debug))
        pool_cache_enter_debug(cache);
}

static inline void pool_cache_leave(struct quire_pool_cache *cache)
{
    if (quire_unlikely(cache->debug))
        pool_leave_debug(cache);
}

/* Each public function of a pool begins and ends with these. False: it is none that can be used,
 * and the call is to be ignored. */
static inline bool pool_enter(struct pool *pool)
{
    return quire_likely(pool->state == POOL_ALIVE) || pool_enter_slow(pool);
}

static inline void pool_leave(struct pool *pool)
{
    if (quire_unlikely(pool->state != POOL_ALIVE))
        pool_leave_debug(pool->cache);
}

/* ---- pool_cache.c ---------------------------------------------------------------------------- */

/* From the source, aligned, counted in cache->held; NULL: none. `*size` becomes what there is. */
void *pool_source_alloc(struct quire_pool_cache *cache, size_t *size);
void pool_source_free(struct quire_pool_cache *cache, void *block, size_t size);
struct quire_pool_block *pool_block_take_slow(struct quire_pool_cache *cache);
/* To the cache, or back to the source. */
void pool_block_put(struct quire_pool_cache *cache, struct quire_pool_block *block);

/* NULL: the source has none. */
static inline struct quire_pool_block *pool_block_take(struct quire_pool_cache *cache)
{
    struct quire_pool_block *block = cache->kept;
    if (quire_unlikely(!block))
        return pool_block_take_slow(cache);
    cache->kept = block->next;
    cache->nr_kept--;
    return block;
}

/* ---- pool_alloc.c ---------------------------------------------------------------------------- */

/* Whether no limit is in the way of so many more bytes. */
bool pool_may_hold(const struct pool *pool, size_t size);
/* Counts them in the pool and all above; false: a limit is in the way, and nothing was counted. */
QUIRE_MUST_CHECK bool pool_hold(struct pool *pool, size_t size);
void pool_let_go(struct pool *pool, size_t size);
/* Asks the out-of-memory handler: true: it is to be tried again. */
bool pool_made_room(struct pool *pool, size_t size);
/* Within a call: as quire_pool_alloc_aligned, `align` being QUIRE_POOL_ALIGN at least. */
void *pool_alloc(struct pool *pool, size_t align, size_t size);

/* ---- pool_large.c ---------------------------------------------------------------------------- */

void *pool_large_alloc(struct pool *pool, size_t align, size_t size);
/* NULL: the pool has none there. */
struct pool_large *pool_large_find(const struct pool *pool, const void *memory);
void pool_large_free(struct pool *pool, struct pool_large *large);
void pool_large_free_all(struct pool *pool);

/* ---- pool_cleanup.c -------------------------------------------------------------------------- */

/* Ends all pools below, and runs all handlers. */
void pool_end_inside(struct pool *pool);

/* ---- pool.c ---------------------------------------------------------------------------------- */

/* One without children and handlers: gives its memory back, and is no more. */
void pool_release(struct pool *pool);
/* The next one of `top` and all below it, parents before their children; NULL: that was the last.
 */
struct pool *pool_next_below(const struct pool *top, const struct pool *pool);

#endif
