/* phys/init_movable.c: what of the map will be ZONE_MOVABLE, and how metadata stays out of it
 *
 * Zones are ranges of addresses. Only ZONE_MOVABLE is taken out of others: HOTPLUG ranges, and
 * movable_size bytes from the top of each node's highest zone. It is there to be taken away again,
 * and a pageblock with descriptors in it can't be. So it is laid out first, and what is carved for
 * good comes from the rest, be that on another node. (Tables of the map that have grown lie where
 * there was room at the time; they do so beyond QUIRE_MEMBLOCK_STATIC_REGIONS ranges.)
 *
 *   bound   at most half of that rest is carved: a machine that is nearly all movable keeps some
 *           memory for what can't move, and has metadata where it may (as one without a rest)
 */
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
    (void)node;
    if (kind != QUIRE_MEMBLOCK_RAM)
        return 0;
    /* Zones end at pageblocks, and what lies above the last one doesn't count. */
    for (unsigned long pfn = end.value; pfn > start.value;) {
        unsigned type = zone_type_by_address(init->zone_end, --pfn);
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
        if (zone_type_by_address(count->init->zone_end, pfn) == count->type) {
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
static void split_movable_size(struct init *init)
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
        init->movable_base[node] = quire_pfn_to_phys(quire_pfn(count.start));
    }
}

static int sum_that_stays(void *arg, quire_pfn_t start, quire_pfn_t end, int node,
                          enum quire_memblock_kind kind)
{
    struct init *init = arg;
    quire_phys_t base = quire_pfn_to_phys(start), limit = quire_pfn_to_phys(end);
    if (limit > init->movable_base[node])
        limit = init->movable_base[node];
    if (kind == QUIRE_MEMBLOCK_RAM && base < limit)
        init->room_that_stays += limit - base;
    return 0;
}

void init_lay_out_movable(struct init *init)
{
    for (unsigned node = 0; node < QUIRE_MAX_NODES; node++)
        init->movable_base[node] = UINT64_MAX;
    if (!init->zone_end[QUIRE_ZONE_MOVABLE])
        return;
    split_movable_size(init);
    memblock_for_each_free_frames(init->memblock, sum_that_stays, init);
    init->room_that_stays /= 2;
}

quire_phys_t init_carve(struct init *init, quire_phys_t size, quire_phys_t align, int node)
{
    struct quire_memblock *memblock = init->memblock;
    quire_phys_t phys = 0;
    if (size <= init->room_that_stays) {
        phys = memblock_alloc_below(memblock, size, align, init->movable_base, node);
        if (!phys)
            phys = memblock_alloc_below(memblock, size, align, init->movable_base, -1);
    }
    if (phys) {
        init->room_that_stays -= size;
        return phys;
    }
    phys = quire_memblock_alloc(memblock, size, align, 0, UINT64_MAX, node);
    return phys ? phys : quire_memblock_alloc(memblock, size, align, 0, UINT64_MAX, -1);
}
