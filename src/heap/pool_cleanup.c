/* heap/pool_cleanup.c: handlers, and the order in which pools end inside others */
#include "heap/pool.h"

/* It is taken out already, so that it can't be taken out again while it runs. */
static void run(struct pool *pool, const struct quire_pool_cleanup *cleanup)
{
    for (struct pool *above = pool; above; above = above->parent)
        above->running++;
    pool_cache_leave(pool->cache);
    cleanup->run(cleanup->arg);
    pool_cache_enter(pool->cache);
    for (struct pool *above = pool; above; above = above->parent)
        above->running--;
}

void pool_end_inside(struct pool *top)
{
    for (;;) {
        struct pool *pool = top;
        while (pool->child)
            pool = pool->child;
        struct quire_pool_cleanup *cleanup = pool->cleanups;
        if (cleanup) {
            pool->cleanups = cleanup->next;
            run(pool, cleanup);
        } else if (pool != top)
            pool_release(pool);
        else
            return;
    }
}

/* One that was taken out, or from the room of the block, or with all that allocating may need. */
static struct quire_pool_cleanup *take(struct pool *pool)
{
    struct quire_pool_cleanup *cleanup = pool->unused;
    size_t rounded = pool_round(sizeof *cleanup);
    if (cleanup)
        pool->unused = cleanup->next;
    else if (quire_likely((size_t)(pool->front.end - pool->front.at) >= rounded)) {
        cleanup = (struct quire_pool_cleanup *)(void *)pool->front.at;
        pool->front.at += rounded;
    } else
        cleanup = pool_alloc(pool, QUIRE_POOL_ALIGN, sizeof *cleanup);
    return cleanup;
}

struct quire_pool_cleanup *quire_pool_cleanup(struct quire_pool *front, void (*handler)(void *arg),
                                              void *arg)
{
    struct pool *pool = pool_of(front);
    if (!pool_enter(pool))
        return NULL;
    struct quire_pool_cleanup *cleanup = take(pool);
    if (cleanup) {
        *cleanup = (struct quire_pool_cleanup){pool->cleanups, handler, arg};
        pool->cleanups = cleanup;
    }
    pool_leave(pool);
    return cleanup;
}

/* What leads to it; NULL: it isn't registered. */
static struct quire_pool_cleanup **find(struct pool *pool, const struct quire_pool_cleanup *cleanup)
{
    struct quire_pool_cleanup **link = &pool->cleanups;
    while (*link && *link != cleanup)
        link = &(*link)->next;
    return *link ? link : NULL;
}

static bool take_out(struct quire_pool *front, struct quire_pool_cleanup *cleanup, bool at_once)
{
    struct pool *pool = pool_of(front);
    if (!pool_enter(pool))
        return false;
    struct quire_pool_cleanup **link = find(pool, cleanup);
    if (link) {
        *link = cleanup->next;
        if (at_once)
            run(pool, cleanup);
        cleanup->next = pool->unused;
        pool->unused = cleanup;
    }
    pool_leave(pool);
    return link;
}

bool quire_pool_cleanup_cancel(struct quire_pool *pool, struct quire_pool_cleanup *cleanup)
{
    return take_out(pool, cleanup, false);
}

bool quire_pool_cleanup_run(struct quire_pool *pool, struct quire_pool_cleanup *cleanup)
{
    return take_out(pool, cleanup, true);
}
