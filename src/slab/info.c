/* slab/info.c: counts of a cache
 *
 * Nothing is counted on the hot path: what is allocated is what slabs have handed out less what
 * lies in sheaves. To look at those of CPUs they are taken out of their sight for a moment, so each
 * number is true; the sum is exact while nobody allocates or frees.
 */
#include "slab/cpu.h"
#include "slab/view.h"

/* The CPU can't see its shelves; somebody else may be draining them. */
unsigned long cpu_objects(const struct cache *cache, const struct cpu *cpu)
{
    const struct shelf *shelf = &cpu->own[cache->id];
    quire_port_irq_t irq = slab_lock(&cache->slab->lock);
    unsigned long objects = (unsigned long)(shelf->top - shelf->base);
    objects += shelf->spare ? shelf->spare->count : 0;
    slab_unlock(&cache->slab->lock, irq);
    return objects;
}

static void add_node(struct cache *cache, struct cache_node *node,
                     struct quire_kmem_cache_info *info)
{
    quire_port_irq_t irq = slab_lock(&node->lock);
    info->nr_slabs += node->nr_slabs;
    info->nr_partial += node->nr_partial;
    info->nr_empty += node->nr_empty;
    info->nr_pages += node->nr_pages;
    info->nr_objects += node->nr_objects;
    info->nr_active += node->nr_objects - node->nr_free;
    slab_unlock(&node->lock, irq);
    info->nr_barn += (unsigned long)quire_load_relaxed(&node->barn.nr_full) * cache->sheaf_capacity;
}

void cache_info(struct cache *cache, struct quire_kmem_cache_info *info, char name[NAME_BYTES])
{
    struct quire_slab *slab = cache->slab;
    unsigned names = cache_name(slab, cache->id, 0, name);
    *info = (struct quire_kmem_cache_info){
        .name = name,
        .object_size = cache->object_size,
        .size = cache->size,
        .flags = cache->flags & ~(CACHE_NO_SHEAVES | CACHE_KMALLOC),
        .order = quire_load_relaxed(&cache->order),
        .objects_per_slab = slab_capacity(cache, quire_load_relaxed(&cache->order)),
        .sheaf_capacity = cache->sheaf_capacity,
        .nr_aliases = names - 1,
    };
    sheaves_hide(slab, 0, slab->nr_cpus);
    for (unsigned node = 0; node < slab->nr_nodes; node++)
        add_node(cache, &cache->node[node], info);
    for (unsigned cpu = 0; cpu < slab->nr_cpus; cpu++)
        info->nr_cpu += cpu_objects(cache, slab->cpu[cpu]);
    sheaves_show(slab, 0, slab->nr_cpus);
    unsigned long in_sheaves = info->nr_cpu + info->nr_barn;
    info->nr_active = info->nr_active > in_sheaves ? info->nr_active - in_sheaves : 0;
    uint64_t bytes = (uint64_t)info->nr_pages << QUIRE_PAGE_SHIFT;
    info->internal_waste = bytes - (uint64_t)info->nr_objects * cache->object_size;
    info->external_waste = (uint64_t)(info->nr_objects - info->nr_active) * cache->object_size;
}

void quire_slab_pages(struct quire_slab *slab, struct quire_slab_pages *pages)
{
    *pages = (struct quire_slab_pages){.unreclaimable = quire_load_relaxed(&slab->nr_large)};
    for_each_cache (slab, cache) {
        bool reclaimable = cache->flags & QUIRE_SLAB_RECLAIM_ACCOUNT;
        unsigned long *sum = reclaimable ? &pages->reclaimable : &pages->unreclaimable;
        for (unsigned node = 0; node < slab->nr_nodes; node++)
            *sum += quire_load_relaxed(&cache->node[node].nr_pages);
    }
}

struct quire_kmem_cache_use quire_kmem_cache_use(const struct quire_kmem_cache *handle)
{
    struct quire_kmem_cache_use use = {0};
    const struct cache *cache = handle->cache;
    unsigned long free = 0;
    for (unsigned i = 0; i < cache->slab->nr_nodes; i++) {
        free += quire_load_relaxed(&cache->node[i].nr_free);
        use.objects += quire_load_relaxed(&cache->node[i].nr_objects);
        use.pages += quire_load_relaxed(&cache->node[i].nr_pages);
        use.told += quire_load_relaxed(&cache->node[i].nr_told);
    }
    use.taken = use.objects > free ? use.objects - free : 0;
    return use;
}

void quire_kmem_cache_info(struct quire_kmem_cache *handle, struct quire_kmem_cache_info *info)
{
    char name[NAME_BYTES];
    cache_info(handle->cache, info, name);
    info->name = handle->name;
    info->object_size = handle->object_size;
}
