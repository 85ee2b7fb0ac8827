/* phys/fragindex.c: how much of a failure would be due to fragmentation
 *
 * Two numbers in thousandths, computed as Linux does (mm/vmstat.c; the index is from Gorman and
 * Whitcroft, "Measuring the Impact of the Linux Memory Manager", 2005):
 *
 *   fragmentation index   of a request that no free block can hold: 1 - (1 + free / 2^order) /
 * blocks, towards 0 when memory is lacking, towards 1 when it is in pieces unusable index the share
 * of free memory that is in blocks too small for the request
 *
 * The counts are read without the lock: each is true, though not of one instant, and the answer
 * only chooses between compaction and reclaim.
 */
#include "phys/internal.h"

struct contig_info {
    uint64_t free_pages, blocks, suitable; /* suitable: blocks of the order that could be cut */
};

static struct contig_info contig_info(const struct zone *zone, unsigned order)
{
    struct contig_info info = {0};
    for (unsigned o = 0; o < NR_ORDERS; o++) {
        uint64_t blocks = quire_load_relaxed(&zone->nr_blocks[o]);
        info.blocks += blocks;
        info.free_pages += blocks << o;
        if (o >= order)
            info.suitable += blocks << (o - order);
    }
    return info;
}

int fragmentation_index(const struct zone *zone, unsigned order)
{
    if (order > MAX_ORDER)
        return 0;
    struct contig_info info = contig_info(zone, order);
    if (!info.blocks)
        return 0;
    if (info.suitable)
        return -1000;
    uint64_t requests = (info.free_pages * 1000) >> order;
    return 1000 - (int)quire_div64(1000 + requests, (uint32_t)info.blocks);
}

int unusable_index(const struct zone *zone, unsigned order)
{
    if (order > MAX_ORDER)
        return 1000;
    struct contig_info info = contig_info(zone, order);
    if (!info.free_pages)
        return 1000;
    uint64_t unusable = info.free_pages - (info.suitable << order);
    return (int)quire_div64(unusable * 1000, (uint32_t)info.free_pages);
}
