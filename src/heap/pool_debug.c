/* heap/pool_debug.c: mistakes, and the rule of threads
 *
 * A cache that is debugged is marked while somebody is within a call of it or its pools. Who finds
 * the mark is a second thread (or a source that calls back), and is told so; handlers run without
 * it. The mark is only looked for in debugging, where no call is inline, so the rule costs others
 * nothing.
 */
#include "base/atomic.h"
#include "base/text.h"
#include "heap/pool.h"

void pool_mistake(const struct quire_pool_config *config, const void *subject, const char *what)
{
    char text[160];
    quire_snprintf(text, sizeof text, "quire: pool %p: %s", subject, what);
    quire_port_log(QUIRE_LOG_ERROR, text);
    if (!config->mistake)
        quire_port_panic(text);
    config->mistake(config->mistake_arg, text);
}

void pool_cache_enter_debug(struct quire_pool_cache *cache)
{
    uint32_t outside = 0;
    if (!quire_compare_exchange(&cache->busy, &outside, 1))
        pool_mistake(cache->config, cache, "used by two threads at once");
    if (!cache->config->self)
        return;
    uintptr_t self = cache->config->self();
    uintptr_t owner = quire_load_relaxed(&cache->owner);
    if (!owner)
        quire_store_relaxed(&cache->owner, self);
    else if (owner != self)
        pool_mistake(cache->config, cache, "used by a thread that it doesn't belong to");
}

void pool_leave_debug(struct quire_pool_cache *cache)
{
    quire_store_release(&cache->busy, 0);
}

bool pool_enter_slow(struct pool *pool)
{
    switch (pool->state) {
    case POOL_ALIVE_DEBUG:
        pool_cache_enter_debug(pool->cache);
        return true;
    case POOL_DETACHED:
        pool_mistake(pool->config, &pool->front, "used, but attached to no cache");
        return false;
    case POOL_ENDED:
        pool_mistake(pool->config, &pool->front, "used after it was destroyed");
        return false;
    default:
        quire_port_panic("quire: what is used as a pool is none");
    }
}
