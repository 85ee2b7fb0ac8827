/* phys/init.c: from a memory map to zones
 *
 * Everything that a machine needs for its life is carved out of the map, in this order: the core
 * (the quire_mem with all its tables), the descriptors of each section, the per-CPU lists of each
 * zone. When one doesn't fit, what was carved is given back in the reverse order and the map is as
 * it was. Then the map is handed over: each whole frame of it that is neither reserved nor taken
 * goes to its zone, once.
 */
#include "base/text.h"
#include "phys/internal.h"
#include "phys/memblock.h"

static const quire_phys_t port_zone_ends[QUIRE_NR_ZONES] = QUIRE_PORT_ZONE_ENDS;

struct init {
    struct quire_memblock *memblock;
    const struct quire_mem_config *config;
    struct quire_mem *mem;
    quire_phys_t zone_end[QUIRE_NR_ZONES];
    unsigned nr_nodes, nr_cpus, nr_zones;
    unsigned long nr_sections;
    quire_phys_t core, core_size;
    unsigned highest_type; /* of the zones below MOVABLE that have memory */
};

/* ---- what is asked for ----------------------------------------------------------------------- */

static int refuse(const struct init *init, const char *field, const char *why)
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
            return refuse(init, "config.zone_end", "must ascend");
        if (end != UINT64_MAX && end & (block - 1))
            return refuse(init, "config.zone_end", "must be multiples of a pageblock");
        last = end;
    }
    if (!last)
        return refuse(init, "config.zone_end", "names no zone");
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

static int check_config(struct init *init)
{
    const struct quire_mem_config *config = init->config;
    if (!config->port)
        return refuse(init, "config.port", "is missing");
    memblock_for_each_memory_frames(init->memblock, find_highest_node, init);
    if (!init->nr_sections)
        return refuse(init, "the map", "has not one whole frame of memory");
    if (config->nr_nodes && config->nr_nodes < init->nr_nodes)
        return refuse(init, "config.nr_nodes", "is less than the nodes of the map");
    if (config->nr_nodes > QUIRE_MAX_NODES)
        return refuse(init, "config.nr_nodes", "is above QUIRE_MAX_NODES");
    init->nr_nodes = config->nr_nodes ? config->nr_nodes : init->nr_nodes;
    init->nr_cpus = config->nr_cpus ? config->nr_cpus : quire_port_nr_cpus();
    if (init->nr_cpus > QUIRE_MAX_CPUS)
        return refuse(init, "config.nr_cpus", "is above QUIRE_MAX_CPUS");
    for (unsigned cpu = 0; config->cpu_node && cpu < init->nr_cpus; cpu++)
        if (config->cpu_node[cpu] >= init->nr_nodes)
            return refuse(init, "config.cpu_node", "names a node that isn't there");
    for (unsigned from = 0; config->distance && from < init->nr_nodes; from++)
        for (unsigned to = 0; to < init->nr_nodes; to++)
            if (config->distance[from * init->nr_nodes + to] < (from == to ? 1 : 2) ||
                config->distance[from * init->nr_nodes + to] <
                    config->distance[from * init->nr_nodes + from])
                return refuse(init, "config.distance",
                              "has a node nearer to another than to itself");
    if (config->watermark_scale_factor > 3000)
        return refuse(init, "config.watermark_scale_factor", "is above 3000");
    if (config->debug & ~(QUIRE_DEBUG_POISON | QUIRE_DEBUG_OWNER))
        return refuse(init, "config.debug", "has unknown flags");
    uint64_t total = quire_memblock_memory_size(init->memblock);
    if (config->min_free_kbytes > total / 2 / 1024)
        return refuse(init, "config.min_free_kbytes", "is more than half of the memory");
    if (config->movable_size > total)
        return refuse(init, "config.movable_size", "is more than the memory");
    if (config->max_phys > quire_pfn_to_phys(quire_pfn(QUIRE_MAX_PFN)))
        return refuse(init, "config.max_phys", "is beyond QUIRE_MAX_PFN");
    unsigned long room = (unsigned long)((config->max_phys + ((1u << QUIRE_SECTION_SHIFT) - 1)) >>
                                         QUIRE_SECTION_SHIFT);
    if (room > init->nr_sections)
        init->nr_sections = room;
    return check_zone_ends(init);
}

/* ---- the core -------------------------------------------------------------------------------- */

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
    unsigned shards = max_shards(init->nr_cpus);
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
                for (unsigned i = 0; i < mem->max_shards; i++) {
                    zone->shard[i].zone = zone;
                    zone->shard[i].mem = mem;
                    zone->shard[i].index = (uint8_t)i;
                    buddy_init_shard(&zone->shard[i]);
                }
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
    if (config->ops)
        mem->ops = *config->ops;
    mem->ops_arg = config->ops_arg;
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

static bool make_core(struct init *init)
{
    unsigned types = 0;
    for (unsigned type = 0; type < QUIRE_NR_ZONES; type++)
        types += init->zone_end[type] != 0;
    init->nr_zones = types * init->nr_nodes;
    struct carver carver = {0};
    carve_core(init, &carver);
    init->core_size = carver.used;
    init->core =
        quire_memblock_alloc(init->memblock, carver.used, QUIRE_CACHELINE_BYTES, 0, UINT64_MAX, -1);
    if (!init->core)
        return false;
    carver = (struct carver){quire_port_phys_to_virt(init->config->port, init->core), 0};
    init->mem = (struct quire_mem *)(void *)carver.base;
    carve_core(init, &carver);
    fill_core(init);
    return true;
}

/* ---- sections -------------------------------------------------------------------------------- */

static int widen_extents(void *arg, quire_pfn_t start, quire_pfn_t end, int node,
                         enum quire_memblock_kind kind)
{
    struct init *init = arg;
    (void)node;
    (void)kind;
    for (unsigned long pfn = start.value; pfn < end.value;) {
        unsigned long number = pfn >> SECTION_PFN_SHIFT, next = (number + 1) << SECTION_PFN_SHIFT;
        unsigned long last = next < end.value ? next : end.value;
        struct section_extent *extent = &init->mem->extents[number];
        unsigned long first = (unsigned long)quire_align_down(pfn, 1ul << MAX_ORDER);
        last = (unsigned long)quire_align_up(last, 1ul << MAX_ORDER);
        if (extent->first == extent->end)
            *extent = (struct section_extent){(uint32_t)first, (uint32_t)last};
        if (extent->first > first)
            extent->first = (uint32_t)first;
        if (extent->end < last)
            extent->end = (uint32_t)last;
        pfn = next;
    }
    return 0;
}

static quire_phys_t section_memory(const struct quire_mem *mem, unsigned long number)
{
    uintptr_t pages = mem->sections.section[number].pages;
    if (!pages)
        return 0;
    pages += mem->extents[number].first * sizeof(struct quire_page);
    return quire_port_virt_to_phys(mem->port, (void *)pages);
}

struct find_node {
    quire_phys_t phys;
    int node;
};

static int find_node_of(void *arg, quire_pfn_t start, quire_pfn_t end, int node,
                        enum quire_memblock_kind kind)
{
    struct find_node *find = arg;
    (void)start;
    (void)kind;
    if (find->phys >= quire_pfn_to_phys(end))
        return 0;
    find->node = node;
    return 1;
}

/* Descriptors lie on the node of the first memory that they describe, if there is room. */
static bool make_section(struct init *init, unsigned long number)
{
    struct quire_mem *mem = init->mem;
    struct section_extent extent = mem->extents[number];
    struct find_node find = {quire_pfn_to_phys(quire_pfn(extent.first)), -1};
    memblock_for_each_memory_frames(init->memblock, find_node_of, &find);
    size_t size = section_size(mem, extent.end - extent.first);
    quire_phys_t phys =
        quire_memblock_alloc(init->memblock, size, QUIRE_PAGE_SIZE, 0, UINT64_MAX, find.node);
    if (!phys)
        phys = quire_memblock_alloc(init->memblock, size, QUIRE_PAGE_SIZE, 0, UINT64_MAX, -1);
    if (!phys)
        return false;
    section_create(mem, extent.first, extent.end, quire_port_phys_to_virt(mem->port, phys), 0);
    mem->metadata_size += size;
    return true;
}

static bool make_sections(struct init *init)
{
    memblock_for_each_memory_frames(init->memblock, widen_extents, init);
    for (unsigned long number = 0; number < init->mem->sections.count; number++)
        if (init->mem->extents[number].end && !make_section(init, number))
            return false;
    return true;
}

/* ---- zones ----------------------------------------------------------------------------------- */

struct count_node {
    const struct init *init;
    int node;
    unsigned type;
    unsigned long frames, skip, start;
};

static int find_highest_type(void *arg, quire_pfn_t start, quire_pfn_t end, int node,
                             enum quire_memblock_kind kind)
{
    struct init *init = arg;
    if (kind != QUIRE_MEMBLOCK_RAM)
        return 0;
    /* Zones end at pageblocks, and what lies above the last one doesn't count. */
    for (unsigned long pfn = end.value; pfn > start.value;) {
        unsigned type = zone_type_of(init->mem, node, --pfn, false);
        pfn = (unsigned long)quire_align_down(pfn, PAGEBLOCK_PAGES);
        if (type == QUIRE_NR_ZONES)
            continue;
        if (type > init->highest_type)
            init->highest_type = type;
        break;
    }
    return 0;
}

/* Counts the node's frames of the type; once `skip` of them are passed, notes where. */
static int count_frames(void *arg, quire_pfn_t start, quire_pfn_t end, int node,
                        enum quire_memblock_kind kind)
{
    struct count_node *count = arg;
    if (node != count->node || kind != QUIRE_MEMBLOCK_RAM)
        return 0;
    for (unsigned long pfn = start.value; pfn < end.value;) {
        unsigned long next = (pfn | (PAGEBLOCK_PAGES - 1)) + 1;
        next = next < end.value ? next : end.value;
        if (zone_type_of(count->init->mem, node, pfn, false) == count->type) {
            count->frames += next - pfn;
            if (count->start == ~0ul && count->frames > count->skip)
                count->start = (unsigned long)quire_align_up(next - (count->frames - count->skip),
                                                             1ul << MAX_ORDER);
        }
        pfn = next;
    }
    return 0;
}

/* Splits movable_size evenly over the nodes, from the top of the machine's highest zone. */
static void lay_out_movable(struct init *init)
{
    unsigned long wanted = (unsigned long)(init->config->movable_size >> QUIRE_PAGE_SHIFT);
    if (!wanted)
        return;
    memblock_for_each_memory_frames(init->memblock, find_highest_type, init);
    for (unsigned node = 0; node < init->nr_nodes; node++) {
        struct count_node count = {init, (int)node, init->highest_type, 0, ~0ul, ~0ul};
        memblock_for_each_memory_frames(init->memblock, count_frames, &count);
        unsigned long share = wanted / (init->nr_nodes - node);
        share = share < count.frames ? share : count.frames;
        wanted -= share;
        if (!share)
            continue;
        count.skip = count.frames - share;
        count.frames = 0;
        memblock_for_each_memory_frames(init->memblock, count_frames, &count);
        init->mem->nodes[node].movable_start = count.start;
    }
}

static int add_frames(void *arg, quire_pfn_t start, quire_pfn_t end, int node,
                      enum quire_memblock_kind kind)
{
    struct init *init = arg;
    bool hotplug = kind == QUIRE_MEMBLOCK_HOTPLUG;
    if (zone_type_of(init->mem, node, end.value - 1, hotplug) == QUIRE_NR_ZONES)
        quire_log(QUIRE_LOG_WARNING,
                  "quire: memory map \"%s\": [0x%llx, 0x%llx) reaches beyond the last zone; that "
                  "part isn't used",
                  init->memblock->name, (unsigned long long)quire_pfn_to_phys(start),
                  (unsigned long long)quire_pfn_to_phys(end));
    section_add_frames(init->mem, start.value, end.value, node, hotplug,
                       kind == QUIRE_MEMBLOCK_NOMAP ? PAGE_NOMAP : PAGE_RESERVED);
    return 0;
}

/* The lists of all CPUs for one zone, and the table of them, are one allocation on its node. */
static bool make_pcps(struct init *init, struct zone *zone)
{
    if (!zone->present)
        return true;
    size_t size = zone_pcps_size(zone, zone->present);
    quire_phys_t phys = quire_memblock_alloc(init->memblock, size, QUIRE_CACHELINE_BYTES, 0,
                                             UINT64_MAX, zone->node);
    if (!phys)
        phys = quire_memblock_alloc(init->memblock, size, QUIRE_CACHELINE_BYTES, 0, UINT64_MAX, -1);
    if (!phys)
        return false;
    zone_pcps_create(zone, quire_port_phys_to_virt(init->mem->port, phys), zone->present);
    init->mem->metadata_size += size;
    return true;
}

static bool make_zones(struct init *init)
{
    lay_out_movable(init);
    memblock_for_each_memory_frames(init->memblock, add_frames, init);
    for (unsigned node = 0; node < init->nr_nodes; node++)
        init->mem->nodes[node].movable_start = ~0ul; /* what comes later says itself what it is */
    for_each_zone (init->mem, zone)
        if (!make_pcps(init, zone))
            return false;
    return true;
}

/* ---- the hand-over --------------------------------------------------------------------------- */

static void give_back(struct init *init, quire_phys_t phys, quire_phys_t size)
{
    int error = quire_memblock_free(init->memblock, phys, size);
    QUIRE_BUG_ON(error);
}

static void undo(struct init *init)
{
    struct quire_mem *mem = init->mem;
    for (unsigned id = mem->nr_zones; id-- > 0;) {
        struct zone *zone = &mem->zones[id];
        if (zone->pcp)
            give_back(init, quire_port_virt_to_phys(mem->port, zone->pcp),
                      zone_pcps_size(zone, zone->present));
    }
    for (unsigned long number = mem->sections.count; number-- > 0;) {
        quire_phys_t phys = section_memory(mem, number);
        struct section_extent extent = mem->extents[number];
        if (phys)
            give_back(init, phys, section_size(mem, extent.end - extent.first));
    }
    give_back(init, init->core, init->core_size);
}

static int sum_free(void *arg, quire_pfn_t start, quire_pfn_t end, int node,
                    enum quire_memblock_kind kind)
{
    (void)node;
    (void)kind;
    *(unsigned long *)arg += end.value - start.value;
    return 0;
}

static int too_small(const struct init *init, unsigned long free_before)
{
    quire_phys_t size = quire_memblock_memory_size(init->memblock);
    quire_phys_t end = quire_memblock_end(init->memblock);
    quire_log(
        QUIRE_LOG_ERROR,
        "quire: memory map \"%s\": %llu KiB of memory that ends at 0x%llx, %lu KiB of it free, "
        "is too small to hold its own descriptors (%llu KiB and more)",
        init->memblock->name, (unsigned long long)(size >> 10), (unsigned long long)end,
        free_before << (QUIRE_PAGE_SHIFT - 10),
        (unsigned long long)((init->core_size +
                              (size >> QUIRE_PAGE_SHIFT) * sizeof(struct quire_page)) >>
                             10));
    return -QUIRE_ENOMEM;
}

static int release(void *arg, quire_pfn_t start, quire_pfn_t end, int node,
                   enum quire_memblock_kind kind)
{
    struct init *init = arg;
    (void)node;
    (void)kind;
    release_frames(init->mem, start.value ? start.value : 1, end.value);
    return 0;
}

/* Tells the layer's own memory from what the caller reserved, and may free. */
static void mark_metadata(struct quire_mem *mem, quire_phys_t phys, quire_phys_t size)
{
    unsigned long end = quire_phys_to_pfn(phys + size - 1).value + 1;
    for (unsigned long pfn = quire_phys_to_pfn(phys).value; pfn < end; pfn++)
        if (pfn_valid(mem, pfn)) /* a frame that is memory only in part may have no descriptor */
            pfn_to_page(mem, pfn)->flags |= PAGE_METADATA;
}

static void mark_all_metadata(struct init *init)
{
    struct quire_mem *mem = init->mem;
    mark_metadata(mem, init->core, init->core_size);
    for (unsigned long number = 0; number < mem->sections.count; number++) {
        struct section_extent extent = mem->extents[number];
        if (extent.end)
            mark_metadata(mem, section_memory(mem, number),
                          section_size(mem, extent.end - extent.first));
    }
    for_each_zone (mem, zone)
        if (zone->pcp)
            mark_metadata(mem, quire_port_virt_to_phys(mem->port, zone->pcp),
                          zone_pcps_size(zone, zone->present));
}

int quire_mem_init(struct quire_mem **mem, struct quire_memblock *memblock,
                   const struct quire_mem_config *config)
{
    struct init init = {.memblock = memblock, .config = config};
    unsigned long free_before = 0, free_after = 0;
    if (memblock->handed_over)
        return refuse(&init, "the map", "was handed over already");
    int error = check_config(&init);
    if (error)
        return error;
    memblock_for_each_free_frames(memblock, sum_free, &free_before);
    if (!make_core(&init))
        return too_small(&init, free_before);
    bool made = make_sections(&init) && make_zones(&init);
    memblock_for_each_free_frames(memblock, sum_free, &free_after);
    if (!made || !free_after) {
        undo(&init);
        return too_small(&init, free_before);
    }
    if (config->min_free_kbytes >> (QUIRE_PAGE_SHIFT - 10) > free_after / 2) {
        undo(&init);
        return refuse(&init, "config.min_free_kbytes", "is more than half of the free memory");
    }
    /* Each reason counts for itself: poisoning may be turned off later. */
    for_each_zone (init.mem, zone)
        zone->pcp_closed = (unsigned)config->no_pcp + !!(config->debug & QUIRE_DEBUG_OWNER) +
                           !!(config->debug & QUIRE_DEBUG_POISON);
    mark_all_metadata(&init);
    memblock_for_each_free_frames(memblock, release, &init);
    memblock_hand_over(memblock);
    zones_changed(init.mem);
    *mem = init.mem;
    return 0;
}
