/* slab/grace.c: slabs that readers may still look into
 *
 * Objects of a type-stable cache may be looked at while they are freed and allocated again, so
 * their slabs go to phys only after a grace period. A cache has one under way at a time: slabs that
 * empty meanwhile are pending, and wait for the next one. A cache that is destroyed meanwhile ends
 * when the last of its slabs has gone.
 */
#include "slab/page.h"

static struct slab_list take_waiting(struct grace_state *grace)
{
    quire_port_irq_t irq = slab_lock(&grace->lock);
    struct slab_list done = grace->waiting;
    grace->waiting = (struct slab_list){0, 0};
    slab_unlock(&grace->lock, irq);
    return done;
}

static bool next_period(struct grace_state *grace, bool *ends_cache)
{
    quire_port_irq_t irq = slab_lock(&grace->lock);
    grace->waiting = grace->pending;
    grace->pending = (struct slab_list){0, 0};
    bool more = grace->under_way = grace->waiting.first != 0;
    *ends_cache = grace->ends_cache && !more;
    slab_unlock(&grace->lock, irq);
    return more;
}

/* The port calls this, without locks. Until next_period the cache can't end. */
static void period_over(struct quire_port_grace *port)
{
    struct cache *cache = quire_container_of(port, struct cache, grace.port);
    struct slab_list done = take_waiting(&cache->grace);
    bool ends_cache;
    while (done.first) {
        struct quire_page *head = slab_list_first(cache, &done);
        slab_list_del(cache, &done, head);
        slab_give_back(cache, head);
    }
    if (next_period(&cache->grace, &ends_cache))
        quire_port_call_after_grace(port, period_over);
    else if (ends_cache)
        cache_release(cache);
}

void slab_dispose(struct cache *cache, struct quire_page *head)
{
    struct grace_state *grace = &cache->grace;
    if (!(cache->flags & QUIRE_SLAB_TYPESAFE_BY_RCU) || !quire_port_knows_grace() ||
        cache->slab->ending) {
        slab_give_back(cache, head);
        return;
    }
    quire_port_irq_t irq = slab_lock(&grace->lock);
    bool first = !grace->under_way;
    grace->under_way = true;
    slab_list_add(cache, first ? &grace->waiting : &grace->pending, head);
    slab_unlock(&grace->lock, irq);
    if (first)
        quire_port_call_after_grace(&grace->port, period_over);
}

void cache_end(struct cache *cache)
{
    struct grace_state *grace = &cache->grace;
    cache_trim(cache, -1, 0);
    quire_port_irq_t irq = slab_lock(&grace->lock);
    bool later = grace->under_way;
    grace->ends_cache = later;
    slab_unlock(&grace->lock, irq);
    if (!later)
        cache_release(cache);
}
