/* phys/init_zones.c: which zone each frame of the map goes to, and the zones' per-CPU lists
 *
 * Zones are ranges of addresses. Only ZONE_MOVABLE is carved out of others: HOTPLUG ranges, and
 * movable_size bytes from the top of each node's highest zone.
 */
#include "base/text.h"
#include "phys/init.h"
#include "phys/memblock.h"

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

bool init_make_zones(struct init *init)
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
