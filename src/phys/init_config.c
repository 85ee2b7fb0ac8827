/* phys/init_config.c: the configuration of a machine's memory, checked against its map
 *
 * A field that is out of range is refused by name. Fields that are 0 take their defaults here, but
 * for those that fill_core copies.
 */
#include "base/text.h"
#include "phys/init.h"
#include "phys/memblock.h"

static const quire_phys_t port_zone_ends[QUIRE_NR_ZONES] = QUIRE_PORT_ZONE_ENDS;

int init_refuse(const struct init *init, const char *field, const char *why)
{
    quire_log(QUIRE_LOG_ERROR, "quire: memory map \"%s\": %s %s", init->memblock->name, field, why);
    return -QUIRE_EINVAL;
}

static int check_zone_ends(struct init *init)
{
    const quire_phys_t *ends = init->config->zone_end;
    bool given = false;
    for (unsigned type = 0; type < QUIRE_NR_ZONES; type++)
        given |= ends[type] != 0;
    quire_phys_t last = 0, block = QUIRE_PAGE_SIZE << PAGEBLOCK_ORDER;
    for (unsigned type = 0; type < QUIRE_NR_ZONES; type++) {
        quire_phys_t end = given ? ends[type] : port_zone_ends[type];
        if (!given && end && end != UINT64_MAX)
            end = quire_align_up(end, block); /* the port doesn't know how large those are */
        init->zone_end[type] = end;
        if (type == QUIRE_ZONE_MOVABLE || !end)
            continue;
        if (end <= last)
            return init_refuse(init, "config.zone_end", "must ascend");
        if (end != UINT64_MAX && end & (block - 1))
            return init_refuse(init, "config.zone_end", "must be multiples of a pageblock");
        last = end;
    }
    if (!last)
        return init_refuse(init, "config.zone_end", "names no zone");
    if (init->config->movable_size)
        init->zone_end[QUIRE_ZONE_MOVABLE] = UINT64_MAX;
    return 0;
}

static int find_highest_node(void *arg, quire_pfn_t start, quire_pfn_t end, int node,
                             enum quire_memblock_kind kind)
{
    struct init *init = arg;
    (void)start;
    (void)kind;
    if (init->nr_nodes < (unsigned)node + 1)
        init->nr_nodes = (unsigned)node + 1;
    unsigned long sections = ((end.value - 1) >> SECTION_PFN_SHIFT) + 1;
    if (init->nr_sections < sections)
        init->nr_sections = sections;
    return 0;
}

/* Memory of zones below HIGHMEM is used by its direct-mapped address. */
static int check_direct_map(void *arg, quire_pfn_t start, quire_pfn_t end, int node,
                            enum quire_memblock_kind kind)
{
    const struct init *init = arg;
    quire_phys_t from = quire_pfn_to_phys(start), to = quire_pfn_to_phys(end), low = 0;
    (void)node;
    for (unsigned type = 0; type <= QUIRE_ZONE_NORMAL; type++)
        low = init->zone_end[type] ? init->zone_end[type] : low;
    to = to < low ? to : low;
    if (kind != QUIRE_MEMBLOCK_RAM || from >= to ||
        quire_port_phys_to_virt(init->config->port, to - 1))
        return 0;
    quire_log(QUIRE_LOG_ERROR,
              "quire: memory map \"%s\": [0x%llx, 0x%llx) is in a zone below HIGHMEM, but the port "
              "doesn't map it directly",
              init->memblock->name, (unsigned long long)from, (unsigned long long)to);
    return -QUIRE_EINVAL;
}

int init_check_config(struct init *init)
{
    const struct quire_mem_config *config = init->config;
    if (!config->port)
        return init_refuse(init, "config.port", "is missing");
    memblock_for_each_memory_frames(init->memblock, find_highest_node, init);
    if (!init->nr_sections)
        return init_refuse(init, "the map", "has not one whole frame of memory");
    if (config->nr_nodes && config->nr_nodes < init->nr_nodes)
        return init_refuse(init, "config.nr_nodes", "is less than the nodes of the map");
    if (config->nr_nodes > QUIRE_MAX_NODES)
        return init_refuse(init, "config.nr_nodes", "is above QUIRE_MAX_NODES");
    init->nr_nodes = config->nr_nodes ? config->nr_nodes : init->nr_nodes;
    init->nr_cpus = config->nr_cpus ? config->nr_cpus : quire_port_nr_cpus();
    if (init->nr_cpus > QUIRE_MAX_CPUS)
        return init_refuse(init, "config.nr_cpus", "is above QUIRE_MAX_CPUS");
    for (unsigned cpu = 0; config->cpu_node && cpu < init->nr_cpus; cpu++)
        if (config->cpu_node[cpu] >= init->nr_nodes)
            return init_refuse(init, "config.cpu_node", "names a node that isn't there");
    for (unsigned from = 0; config->distance && from < init->nr_nodes; from++)
        for (unsigned to = 0; to < init->nr_nodes; to++)
            if (config->distance[from * init->nr_nodes + to] < (from == to ? 1 : 2) ||
                config->distance[from * init->nr_nodes + to] <
                    config->distance[from * init->nr_nodes + from])
                return init_refuse(init, "config.distance",
                                   "has a node nearer to another than to itself");
    if (config->watermark_scale_factor > 3000)
        return init_refuse(init, "config.watermark_scale_factor", "is above 3000");
    if (config->debug & ~(QUIRE_DEBUG_POISON | QUIRE_DEBUG_OWNER | QUIRE_DEBUG_FAIL))
        return init_refuse(init, "config.debug", "has unknown flags");
    uint64_t total = quire_memblock_memory_size(init->memblock);
    if (config->min_free_kbytes > total / 2 / 1024)
        return init_refuse(init, "config.min_free_kbytes", "is more than half of the memory");
    if (config->movable_size > total)
        return init_refuse(init, "config.movable_size", "is more than the memory");
    if (config->max_phys > quire_pfn_to_phys(quire_pfn(QUIRE_MAX_PFN)))
        return init_refuse(init, "config.max_phys", "is beyond QUIRE_MAX_PFN");
    unsigned long room = (unsigned long)((config->max_phys + ((1u << QUIRE_SECTION_SHIFT) - 1)) >>
                                         QUIRE_SECTION_SHIFT);
    if (room > init->nr_sections)
        init->nr_sections = room;
    int error = check_zone_ends(init);
    return error ? error : memblock_for_each_memory_frames(init->memblock, check_direct_map, init);
}
