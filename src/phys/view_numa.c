/* phys/view_numa.c: numa_hit and its kin, as Linux counts them: allocations, whatever their order
 *
 *   numa_hit      from this zone, whose node the request would have liked best
 *   numa_miss     from this zone, though the request would have liked another node better
 *   numa_foreign  meant for this zone's node, and served by another's
 *   numa_local    from this zone, by a CPU of its node
 *   numa_other    from this zone, by a CPU of another node
 *
 * Only the exceptions are counted as they happen: an allocation from a per-CPU list of the first
 * zone is a hit, and whose list it was says which CPU. The rest are differences from what the zone
 * has allocated in all; blocks that compaction and contiguous ranges took are among them. Linux's
 * numa_interleave belongs to a policy that is not this layer's.
 */
#include "phys/view.h"

const char *const numa_event_names[NR_NUMA_EVENTS] = {
    [NUMA_HIT] = "numa_hit",     [NUMA_MISS] = "numa_miss",   [NUMA_FOREIGN] = "numa_foreign",
    [NUMA_LOCAL] = "numa_local", [NUMA_OTHER] = "numa_other",
};

/* Of two counts that are read one after the other: not below zero. */
static unsigned long rest(unsigned long all, unsigned long part)
{
    return all > part ? all - part : 0;
}

void zone_numa_stat(const struct zone *zone, struct numa_stat *stat)
{
    const struct quire_mem *mem = zone->mem;
    unsigned long all = 0, other = quire_load_relaxed(&zone->numa_other);
    for (unsigned order = 0; order < NR_ORDERS; order++)
        for_each_shard (zone, shard)
            all += quire_load_relaxed(&shard->nr_alloc[order]);
    for (unsigned cpu = 0; zone_pcps(zone) && cpu < mem->nr_cpus; cpu++) {
        unsigned long blocks = 0;
        for (unsigned index = 0; index < PCP_LISTS; index++)
            blocks += quire_load_relaxed(&zone->pcp[cpu]->list[index].nr_alloc);
        all += blocks;
        if (mem->cpu_node[cpu] != zone->node)
            other += blocks;
    }
    unsigned long miss = quire_load_relaxed(&zone->numa_miss);
    *stat = (struct numa_stat){.event = {
                                   [NUMA_HIT] = rest(all, miss),
                                   [NUMA_MISS] = miss,
                                   [NUMA_FOREIGN] = quire_load_relaxed(&zone->numa_foreign),
                                   [NUMA_LOCAL] = rest(all, other),
                                   [NUMA_OTHER] = other,
                               }};
}

int quire_node_info(struct quire_mem *mem, unsigned node, struct quire_node_info *info)
{
    if (node >= mem->nr_nodes)
        return -QUIRE_ENOENT;
    *info = (struct quire_node_info){0};
    for_each_zone (mem, zone) {
        struct numa_stat stat;
        if (zone->node != (int)node)
            continue;
        zone_numa_stat(zone, &stat);
        info->present += quire_load_relaxed(&zone->present);
        info->managed += quire_load_relaxed(&zone->managed);
        info->nr_free += zone_nr_free(zone) + pcp_pages(zone);
        info->numa_hit += stat.event[NUMA_HIT];
        info->numa_miss += stat.event[NUMA_MISS];
        info->numa_foreign += stat.event[NUMA_FOREIGN];
        info->numa_local += stat.event[NUMA_LOCAL];
        info->numa_other += stat.event[NUMA_OTHER];
    }
    return 0;
}
