/* phys/view_vmstat.c: vmstat: events since the start, under Linux's names and in its order
 *
 * pgalloc_*, pgfree and compact_*_scanned count pages; allocstall_*, compact_stall and the like
 * count times. Counters of the layers above (faults, swap, LRU lists) are theirs to print. What
 * Linux has no counter for is in the JSON only, apart from the others.
 */
#include "phys/view.h"

#define MOST_IN_FLIGHT (1ul << 24) /* blocks that lists of one order can hold: 4096 CPUs */

static const char *const zone_suffixes[QUIRE_NR_ZONES] = {
    [QUIRE_ZONE_DMA] = "dma",      [QUIRE_ZONE_DMA32] = "dma32",     [QUIRE_ZONE_NORMAL] = "normal",
    [QUIRE_ZONE_HIGHMEM] = "high", [QUIRE_ZONE_MOVABLE] = "movable",
};

/* As long as Linux's: they wrap around, on 32-bit machines after a while. */
struct vmstat {
    unsigned long free, free_cma, freed;
    struct numa_stat numa;
    unsigned long alloc[QUIRE_NR_ZONES], stall[QUIRE_NR_ZONES];
};

static const struct {
    const char *name;
    enum event event;
} linux_events[] =
    {
        {"oom_kill", EVENT_OOM},
        {"pgmigrate_success", EVENT_PGMIGRATE_SUCCESS},
        {"pgmigrate_fail", EVENT_PGMIGRATE_FAIL},
        {"compact_migrate_scanned", EVENT_COMPACT_MIGRATE_SCANNED},
        {"compact_free_scanned", EVENT_COMPACT_FREE_SCANNED},
        {"compact_isolated", EVENT_COMPACT_ISOLATED},
        {"compact_stall", EVENT_COMPACT_STALL},
        {"compact_fail", EVENT_COMPACT_FAIL},
        {"compact_success", EVENT_COMPACT_SUCCESS},
        {"cma_alloc_success", EVENT_CMA_ALLOC_SUCCESS},
        {"cma_alloc_fail", EVENT_CMA_ALLOC_FAIL},
},
  own_events[] = {
      {"alloc_failures", EVENT_PAGEFAIL},
      {"fallback_claimed_pageblocks", EVENT_FALLBACK_CLAIM},
      {"fallback_stolen_blocks", EVENT_FALLBACK_STEAL},
      {"pcp_drains_of_all_cpus", EVENT_DRAIN_ALL},
};

/* Frees on per-CPU lists are a difference of counts, which come apart for a moment while a list is
 * refilled: a difference just below zero is none. */
static unsigned long freed_blocks(const struct zone *zone, unsigned order)
{
    unsigned long blocks = pcp_freed_blocks(zone, order);
    return 0ul - blocks <= MOST_IN_FLIGHT ? 0 : blocks;
}

static void sum_zones(struct quire_mem *mem, struct vmstat *sum)
{
    __builtin_memset(sum, 0, sizeof *sum);
    for_each_zone (mem, zone) {
        sum->free += zone_nr_free(zone);
        sum->free_cma += zone_free_special(zone, QUIRE_MIGRATE_CMA);
        struct numa_stat numa;
        zone_numa_stat(zone, &numa);
        for (unsigned i = 0; i < NR_NUMA_EVENTS; i++)
            sum->numa.event[i] += numa.event[i];
        sum->stall[zone->type] += quire_load_relaxed(&zone->allocstall);
        for (unsigned order = 0; order < NR_ORDERS; order++) {
            sum->alloc[zone->type] += pcp_allocated_blocks(zone, order) << order;
            sum->freed += freed_blocks(zone, order) << order;
            for_each_shard (zone, shard) {
                sum->alloc[zone->type] += quire_load_relaxed(&shard->nr_alloc[order]) << order;
                sum->freed += quire_load_relaxed(&shard->nr_freed[order]) << order;
            }
        }
    }
}

/* Hands each counter to `put` in Linux's order. */
static void for_each_counter(struct quire_mem *mem,
                             void (*put)(void *arg, const char *name, unsigned long value),
                             void *arg)
{
    struct vmstat sum;
    char name[32];
    sum_zones(mem, &sum);
    put(arg, "nr_free_pages", sum.free);
    put(arg, "nr_free_cma", sum.free_cma);
    for (unsigned i = 0; i < NR_NUMA_EVENTS; i++)
        put(arg, numa_event_names[i], sum.numa.event[i]);
    for (unsigned type = 0; type < QUIRE_NR_ZONES; type++)
        if (mem->zone_end[type]) {
            quire_snprintf(name, sizeof name, "pgalloc_%s", zone_suffixes[type]);
            put(arg, name, sum.alloc[type]);
        }
    for (unsigned type = 0; type < QUIRE_NR_ZONES; type++)
        if (mem->zone_end[type]) {
            quire_snprintf(name, sizeof name, "allocstall_%s", zone_suffixes[type]);
            put(arg, name, sum.stall[type]);
        }
    put(arg, "pgfree", sum.freed);
    for (unsigned i = 0; i < sizeof linux_events / sizeof linux_events[0]; i++)
        put(arg, linux_events[i].name, quire_load_relaxed(&mem->events[linux_events[i].event]));
}

static void put_text(void *arg, const char *name, unsigned long value)
{
    text_printf(arg, "%s %lu\n", name, value);
}

static void put_json(void *arg, const char *name, unsigned long value)
{
    json_unsigned(arg, name, value);
}

void vmstat_text(struct quire_mem *mem, struct text *text)
{
    for_each_counter(mem, put_text, text);
}

void vmstat_json(struct quire_mem *mem, struct json *json)
{
    json_object(json, "linux");
    for_each_counter(mem, put_json, json);
    json_end(json);
    json_object(json, "quire");
    for (unsigned i = 0; i < sizeof own_events / sizeof own_events[0]; i++)
        json_unsigned(json, own_events[i].name,
                      quire_load_relaxed(&mem->events[own_events[i].event]));
    json_end(json);
}
