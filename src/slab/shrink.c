/* slab/shrink.c: giving memory back: on demand, under pressure, and when a CPU goes
 *
 * Free objects lie in CPUs' sheaves, in barns, and in slabs, of which the empty ones can go. So
 * everything is emptied from the front to the back. As a shrinker of the machine the layer first
 * gives the slabs that are empty already, and empties sheaves only if that isn't enough: that costs
 * a fence of all CPUs for each cache.
 */
#include "slab/page.h"

unsigned long cache_trim(struct cache *cache, int number, unsigned long keep)
{
    unsigned long pages = 0;
    for (int i = 0; i < (int)cache->slab->nr_nodes; i++) {
        struct cache_node *node = &cache->node[i];
        struct aftermath after;
        if (number != -1 && number != i)
            continue;
        aftermath_init(&after);
        quire_port_irq_t irq = slab_lock(&node->lock);
        unsigned long before = node->nr_pages;
        node_trim(cache, node, keep, &after.slabs);
        pages += before - node->nr_pages;
        slab_unlock(&node->lock, irq);
        aftermath_finish(cache, &after);
    }
    return pages;
}

void cache_drain(struct cache *cache)
{
    struct aftermath after;
    aftermath_init(&after);
    sheaves_drain(cache->slab, cache, 0, cache->slab->nr_cpus);
    for (unsigned node = 0; node < cache->slab->nr_nodes; node++)
        barn_drain(cache, &cache->node[node].barn, &after);
    aftermath_finish(cache, &after);
}

static unsigned long cache_pages(const struct cache *cache, int number)
{
    unsigned long pages = 0;
    for (int i = 0; i < (int)cache->slab->nr_nodes; i++)
        if (number == -1 || number == i)
            pages += quire_load_relaxed(&cache->node[i].nr_pages);
    return pages;
}

/* Draining gives slabs back, too; while others allocate it may look like less. */
static unsigned long cache_shrink(struct cache *cache, int node, bool drain)
{
    unsigned long before = cache_pages(cache, node), trimmed = 0;
    if (drain)
        cache_drain(cache);
    if (cache_can_trim(cache))
        trimmed = cache_trim(cache, node, 0);
    unsigned long after = cache_pages(cache, node);
    return before > after + trimmed ? before - after : trimmed;
}

unsigned long quire_kmem_cache_shrink(struct quire_kmem_cache *handle)
{
    return cache_shrink(handle->cache, -1, true);
}

/* The caches of sheaves come last, since draining the others frees sheaves. */
static unsigned long shrink_all(struct quire_slab *slab, int node, bool drain, unsigned long enough)
{
    unsigned long pages = 0;
    for_each_cache (slab, cache)
        if (!(cache->flags & CACHE_NO_SHEAVES) && pages < enough)
            pages += cache_shrink(cache, node, drain);
    for_each_cache (slab, cache)
        if (cache->flags & CACHE_NO_SHEAVES && pages < enough)
            pages += cache_shrink(cache, node, drain);
    return pages;
}

unsigned long quire_slab_shrink(struct quire_slab *slab, int node)
{
    return shrink_all(slab, node, true, ~0ul);
}

void quire_slab_drain_cpu(struct quire_slab *slab, unsigned cpu)
{
    if (cpu < slab->nr_cpus)
        sheaves_drain(slab, NULL, cpu, cpu + 1);
}

/* ---- the machine's shrinker ------------------------------------------------------------------ */

static unsigned long count_free(struct cache *cache, int number)
{
    unsigned long objects = 0;
    for (int i = 0; i < (int)cache->slab->nr_nodes; i++) {
        struct cache_node *node = &cache->node[i];
        if (number != -1 && number != i)
            continue;
        quire_port_irq_t irq = slab_lock(&node->lock);
        objects += node->nr_empty;
        slab_unlock(&node->lock, irq);
        objects += quire_load_relaxed(&node->barn.nr_full);
    }
    return objects;
}

/* Of slabs and sheaves: a sheaf holds as much as a page and more. What CPUs hold isn't counted, but
 * there is some. */
static unsigned long shrinker_count(struct quire_shrinker *shrinker, int node)
{
    unsigned long objects = 1;
    for_each_cache ((struct quire_slab *)shrinker->arg, cache)
        objects += count_free(cache, node);
    return objects;
}

static unsigned long shrinker_scan(struct quire_shrinker *shrinker, int node, quire_gfp_t gfp,
                                   unsigned long nr)
{
    struct quire_slab *slab = shrinker->arg;
    (void)gfp;
    unsigned long pages = shrink_all(slab, node, false, nr);
    if (pages < nr)
        pages += shrink_all(slab, node, true, nr - pages);
    return pages;
}

void shrinker_init(struct quire_slab *slab)
{
    slab->shrinker = (struct quire_shrinker){
        .count = shrinker_count,
        .scan = shrinker_scan,
        .arg = slab,
    };
    quire_register_shrinker(slab->mem, &slab->shrinker);
}
