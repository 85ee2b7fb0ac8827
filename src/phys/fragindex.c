/* phys/fragindex.c: how fragmented a zone's free memory is, for blocks of one order
 *
 * Two numbers, in thousandths (Linux's extfrag_index and unusable_index). With F free frames in B
 * blocks, S of them blocks of 2^order frames that free blocks of that order and above hold:
 *
 *     fragmentation   1 - (1 + F / 2^order) / B, when S is 0: were the free frames all in blocks
 *                     that just fit, there would be F / 2^order of them; the more blocks there are
 *                     instead, the more it is fragmentation, and not lack of memory, that an
 *                     allocation fails for
 *     unusable        (F - S * 2^order) / F: the share of free memory in blocks that are too small
 *
 * The counts are read one by one without a lock: on a busy machine an index is near the
 * truth, which is what a heuristic needs.
 */
#include "phys/internal.h"

struct free_sums {
    unsigned long frames, blocks;
    unsigned long usable; /* frames in blocks of the order and above */
};

static struct free_sums sum_free_blocks(const struct zone *zone, unsigned order)
{
    struct free_sums sums = {0};
    for (unsigned o = 0; o < NR_ORDERS; o++) {
        unsigned long blocks = zone_nr_blocks(zone, o);
        sums.blocks += blocks;
        sums.frames += blocks << o;
        if (o >= order)
            sums.usable += blocks << o;
    }
    return sums;
}

int fragmentation_index(const struct zone *zone, unsigned order)
{
    struct free_sums sums = sum_free_blocks(zone, order);
    if (!sums.blocks)
        return 0;
    if (sums.usable)
        return -1000;
    /* No block reaches the order, so F / 2^order < B, and the quotient is at most 1000 unless
     * there are fewer frames than asked for, which is lack of memory. */
    uint64_t fitting = (uint64_t)sums.frames * 1000 >> order;
    uint64_t share = quire_div64(1000 + fitting, (uint32_t)sums.blocks);
    return share > 1000 ? 0 : 1000 - (int)share;
}

int unusable_index(const struct zone *zone, unsigned order)
{
    struct free_sums sums = sum_free_blocks(zone, order);
    if (!sums.frames)
        return 1000;
    return (int)quire_div64((uint64_t)(sums.frames - sums.usable) * 1000, (uint32_t)sums.frames);
}
