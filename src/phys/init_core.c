/* phys/init_core.c: the quire_mem with all its tables, in one allocation
 *
 * What lies in it is described once, for measuring and for making: with the machine's numbers
 * (CPUs, nodes, zones, sections) everything in it has its place.
 */
#include "phys/init.h"

/* Hands out pieces of one allocation; with a NULL base it only measures. */
struct carver {
    char *base;
    size_t used;
};

static void *carve(struct carver *carver, size_t size)
{
    size_t at = carver->used;
    carver->used += (size_t)quire_align_up(size, QUIRE_CACHELINE_BYTES);
    return carver->base ? carver->base + at : NULL;
}

static unsigned most_cpus_of_a_node(const struct init *init)
{
    unsigned nr[QUIRE_MAX_NODES] = {0}, most = 0;
    for (unsigned cpu = 0; cpu < init->nr_cpus; cpu++) {
        unsigned cpus = ++nr[init->config->cpu_node ? init->config->cpu_node[cpu] : 0];
        most = cpus > most ? cpus : most;
    }
    return most;
}

/* One description for measuring and for making: the two can't disagree. */
static void carve_core(struct init *init, struct carver *carver)
{
    struct quire_mem *mem = carve(carver, sizeof *mem);
    struct quire_section *section = carve(carver, init->nr_sections * sizeof *section);
    struct section_extent *extents = carve(carver, init->nr_sections * sizeof *extents);
    struct page_owner **owners = NULL;
    if (init->config->debug & QUIRE_DEBUG_OWNER)
        owners = carve(carver, init->nr_sections * sizeof *owners);
    struct zone *zones = carve(carver, init->nr_zones * sizeof *zones);
    struct node *nodes = carve(carver, init->nr_nodes * sizeof *nodes);
    unsigned shards = max_shards(most_cpus_of_a_node(init));
    struct shard *shard = carve(carver, init->nr_zones * shards * sizeof *shard);
    uint8_t *shard_of = carve(carver, init->nr_sections * (QUIRE_SECTION_PAGES >> MAX_ORDER));
    uint8_t *cpu_node = carve(carver, init->nr_cpus);
    uint8_t *cpu_rank = carve(carver, init->nr_cpus);
    uint8_t *distance = carve(carver, (size_t)init->nr_nodes * init->nr_nodes);
    size_t cpu_size = (size_t)quire_align_up(
        sizeof(struct cpu) + init->nr_zones * sizeof(struct pcp *), QUIRE_CACHELINE_BYTES);
    char *cpus = carve(carver, (init->nr_cpus + 1) * cpu_size);
    struct zone **lists =
        carve(carver, init->nr_nodes * (init->nr_zones + QUIRE_NR_ZONES + 2) * sizeof *lists);
    if (!mem)
        return;
    mem->sections.section = section;
    mem->extents = extents;
    mem->owners = owners;
    mem->zones = zones;
    mem->nodes = nodes;
    mem->max_shards = shards;
    mem->shard_of = shard_of;
    mem->cpu_node = cpu_node;
    mem->cpu_rank = cpu_rank;
    for (unsigned zone = 0; zone < init->nr_zones; zone++)
        zones[zone].shard = shard + zone * shards;
    mem->distance = distance;
    for (unsigned cpu = 0; cpu <= QUIRE_MAX_CPUS; cpu++) {
        unsigned number = cpu < init->nr_cpus ? cpu : init->nr_cpus;
        mem->cpu[cpu] = (struct cpu *)(void *)(cpus + number * cpu_size);
    }
    for (unsigned node = 0; node < init->nr_nodes; node++) {
        nodes[node] = (struct node){lists, lists + init->nr_zones + 1, ~0ul};
        lists += init->nr_zones + QUIRE_NR_ZONES + 2;
    }
}

static void fill_nodes(struct quire_mem *mem, const struct quire_mem_config *config)
{
    for (unsigned cpu = 0; cpu < mem->nr_cpus; cpu++) {
        mem->cpu_node[cpu] = config->cpu_node ? config->cpu_node[cpu] : 0;
        unsigned rank = 0;
        for (unsigned other = 0; other < cpu; other++)
            rank += mem->cpu_node[other] == mem->cpu_node[cpu];
        mem->cpu_rank[cpu] = (uint8_t)(rank % mem->max_shards);
    }
    for (unsigned from = 0; from < mem->nr_nodes; from++)
        for (unsigned to = 0; to < mem->nr_nodes; to++) {
            unsigned at = from * mem->nr_nodes + to;
            mem->distance[at] = config->distance ? config->distance[at] : from == to ? 10 : 20;
        }
}

static void fill_shards(struct zone *zone)
{
    for (unsigned i = 0; i < zone->mem->max_shards; i++) {
        struct shard *shard = &zone->shard[i];
        shard->zone = zone;
        shard->mem = zone->mem;
        shard->index = (uint8_t)i;
        buddy_init_shard(shard);
    }
}

static void fill_zones(struct quire_mem *mem)
{
    unsigned id = 0;
    for (unsigned node = 0; node < mem->nr_nodes; node++)
        for (unsigned type = 0; type < QUIRE_NR_ZONES; type++)
            if (mem->zone_end[type]) {
                struct zone *zone = &mem->zones[id];
                zone->id = (uint8_t)id++;
                zone->type = (uint8_t)type;
                zone->node = (int)node;
                zone->mem = mem;
                fill_shards(zone);
            }
}

/* Linux gives grouping up where there are too few pageblocks to group. */
static bool too_small_to_group(const struct init *init)
{
    return quire_memblock_memory_size(init->memblock) >> QUIRE_PAGE_SHIFT <
           PAGEBLOCK_PAGES * QUIRE_NR_MIGRATETYPES;
}

static void fill_core(struct init *init)
{
    struct quire_mem *mem = init->mem;
    const struct quire_mem_config *config = init->config;
    mem->sections.count = init->nr_sections;
    mem->nr_cpus = init->nr_cpus;
    mem->nr_nodes = init->nr_nodes;
    mem->nr_zones = init->nr_zones;
    mem->port = config->port;
    __builtin_memcpy(mem->zone_end, init->zone_end, sizeof mem->zone_end);
    mem->no_mobility_grouping = config->no_mobility_grouping || too_small_to_group(init);
    for (unsigned type = 0; type < PCP_TYPES; type++)
        mem->type_of_pcp[type] =
            (uint8_t)(mem->no_mobility_grouping ? QUIRE_MIGRATE_UNMOVABLE : type);
    mem->debug = config->debug;
    mem->fresh_is_reported = config->fresh_is_reported;
    if (config->ops)
        mem->ops = mem->configured = *config->ops;
    mem->ops_arg = mem->reclaim_arg = config->ops_arg;
    mem->min_free_kbytes = config->min_free_kbytes;
    mem->watermark_scale_factor =
        config->watermark_scale_factor ? config->watermark_scale_factor : 10;
    mem->watermark_boost_factor = config->watermark_boost_factor == ~0u ? 0
                                  : config->watermark_boost_factor ? config->watermark_boost_factor
                                                                   : 15000;
    mem->metadata_size = (size_t)init->core_size;
    fill_nodes(mem, config);
    fill_zones(mem);
    gfp_zones_build(mem);
}

bool init_make_core(struct init *init)
{
    unsigned types = 0;
    for (unsigned type = 0; type < QUIRE_NR_ZONES; type++)
        types += init->zone_end[type] != 0;
    init->nr_zones = types * init->nr_nodes;
    struct carver carver = {0};
    carve_core(init, &carver);
    init->core_size = carver.used;
    init->core = init_carve(init, carver.used, QUIRE_CACHELINE_BYTES, -1);
    if (!init->core)
        return false;
    carver = (struct carver){quire_port_phys_to_virt(init->config->port, init->core), 0};
    init->mem = (struct quire_mem *)(void *)carver.base;
    carve_core(init, &carver);
    fill_core(init);
    return true;
}
