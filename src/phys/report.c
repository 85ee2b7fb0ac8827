/* phys/report.c: telling the port which memory is free
 *
 * A hypervisor's balloon or madvise(2) can use the memory behind free blocks until they are
 * allocated. A block is taken out of the zone while the port works on it, without locks, and comes
 * back reported: pageblock->reported has a bit for each 2^REPORT_ORDER frames, which falls when one
 * of them is allocated. A block is told from its first unknown part on.
 *
 *   bound   at most one block is away at a time, and not when that would go below the low watermark
 */
#include "phys/move.h"

#define LOOKS 64 /* pageblocks passed over before the lock is let go */

static uint64_t report_bits(unsigned offset, unsigned order)
{
    return quire_mask64(1u << (order - REPORT_ORDER)) << (offset >> REPORT_ORDER);
}

/* The part of a block that lies in one pageblock: all of it up to PAGEBLOCK_ORDER. */
static unsigned order_within(unsigned order)
{
    return order < PAGEBLOCK_ORDER ? order : PAGEBLOCK_ORDER;
}

static bool is_reported(const struct pageblock *block, unsigned offset, unsigned order)
{
    uint64_t bits = report_bits(offset, order_within(order));
    unsigned blocks = 1u << (order - order_within(order));
    for (unsigned i = 0; i < blocks; i++)
        if (~block[i].reported & bits)
            return false;
    return true;
}

static void set_reported(struct pageblock *block, unsigned offset, unsigned order)
{
    uint64_t bits = report_bits(offset, order_within(order));
    unsigned blocks = 1u << (order - order_within(order));
    for (unsigned i = 0; i < blocks; i++)
        block[i].reported |= bits;
}

void mark_reported(struct pageblock *block, unsigned long pfn, unsigned order)
{
    unsigned least = REPORT_ORDER;
    if (order >= least)
        block->reported |= report_bits((unsigned)(pfn - block->pfn), order_within(order));
}

static bool upper_half_is_reported(const struct pageblock *block, unsigned long pfn, unsigned order)
{
    unsigned long offset = pfn - block->pfn + (1ul << (order - 1));
    return is_reported(block + offset / PAGEBLOCK_PAGES, (unsigned)(offset % PAGEBLOCK_PAGES),
                       order - 1);
}

/* The free piece that begins at `pfn`, aligned to its size, if it is of at least `min_order` and
 * the port doesn't know its beginning; its order, or -1. */
static int unreported_piece(const struct zone *zone, const struct pageblock *block,
                            unsigned min_order, unsigned long pfn)
{
    unsigned long start;
    unsigned offset = (unsigned)(pfn - block->pfn);
    /* The pageblocks behind this one may be another zone's, unless a free block has them, too. */
    bool is_known = is_reported(block, offset, order_within(min_order));
    if (pfn & ((1ul << min_order) - 1) || (is_known && min_order <= PAGEBLOCK_ORDER) ||
        !buddy_frame_is_free(zone->mem, pfn))
        return -1;
    unsigned order = buddy_free_order(zone->mem, pfn, &start);
    if (order < min_order || (is_known && is_reported(block, offset, min_order)))
        return -1;
    unsigned aligned = pfn ? quire_ctz64(pfn) : MAX_ORDER;
    order = order < aligned ? order : aligned;
    while (order > min_order && upper_half_is_reported(block, pfn, order))
        order--;
    return (int)order;
}

/* The first one from `*pfn` on in this pageblock; `*pfn` becomes its first frame, or the end of the
 * pageblock. */
static int find_in_pageblock(const struct zone *zone, const struct pageblock *block,
                             unsigned min_order, unsigned long *pfn)
{
    unsigned long step = 1ul << order_within(min_order), end = block->pfn + PAGEBLOCK_PAGES;
    bool too_small = block->largest < (int)min_order && !(block->flags & PAGEBLOCK_TAIL);
    bool all_known = min_order <= PAGEBLOCK_ORDER && is_reported(block, 0, PAGEBLOCK_ORDER);
    if (block->type == QUIRE_MIGRATE_ISOLATE || too_small || all_known)
        *pfn = end;
    for (; *pfn < end; *pfn += step) {
        int order = unreported_piece(zone, block, min_order, *pfn);
        if (order >= 0)
            return order;
    }
    return -1;
}

/* The next one of the zone, with the lock held, at most LOOKS pageblocks on. */
static int find_unreported(const struct zone *zone, unsigned min_order, unsigned long *pfn)
{
    int order = -1;
    for (unsigned looks = 0; looks < LOOKS && order < 0 && *pfn < zone->end; looks++) {
        const struct pageblock *block = zone_pageblock(zone, *pfn);
        if (block)
            order = find_in_pageblock(zone, block, min_order, pfn);
        else
            *pfn = next_pageblock(zone->mem, *pfn);
    }
    return order;
}

/* Takes the next block out, of no more than `budget` frames; its order, or -1: `*pfn` says how far
 * the search got, ~0: it is over. */
static int take_unreported(struct zone *zone, unsigned min_order, unsigned long budget,
                           unsigned long *pfn)
{
    quire_port_irq_t irq = zone_lock(zone);
    unsigned long start = pageblock_start(zone->start);
    *pfn = *pfn < start ? start : *pfn;
    int order = find_unreported(zone, min_order, pfn);
    bool over = *pfn >= zone->end;
    if (order >= 0) {
        while (order > (int)min_order && 1ul << order > budget)
            order--;
        unsigned long size = 1ul << order;
        over = size > budget || zone_nr_free(zone) < zone_watermark(zone, WMARK_LOW) + size;
    }
    if (over) {
        order = -1;
        *pfn = ~0ul;
    }
    if (order >= 0)
        buddy_take_exact(frame_shard(zone, *pfn), *pfn, (unsigned)order);
    zone_unlock(zone, irq);
    return order;
}

static void put_back(struct zone *zone, unsigned long pfn, unsigned order, bool reported)
{
    struct shard *shard = frame_shard(zone, pfn);
    quire_port_irq_t irq = shard_lock(shard);
    struct pageblock *block = pfn_to_pageblock(zone->mem, pfn);
    buddy_free(shard, block, pfn, order);
    if (reported)
        set_reported(block, (unsigned)(pfn - block->pfn), order);
    shard_unlock(shard, irq);
}

unsigned long quire_report_free_pages(struct quire_mem *mem, unsigned min_order,
                                      unsigned long budget)
{
    unsigned long done = 0;
    unsigned least = REPORT_ORDER;
    min_order = min_order < least ? least : min_order;
    /* Poison is content that matters. */
    if (min_order > MAX_ORDER || mem->debug & QUIRE_DEBUG_POISON)
        return 0;
    for_each_zone (mem, zone) {
        unsigned long pfn = 0;
        while (pfn != ~0ul && done < budget) {
            int order = take_unreported(zone, min_order, budget - done, &pfn);
            if (order < 0)
                continue;
            quire_phys_t phys = quire_pfn_to_phys(quire_pfn(pfn));
            quire_phys_t size = (quire_phys_t)QUIRE_PAGE_SIZE << order;
            bool told = !quire_port_report_free(mem->port, phys, size);
            put_back(zone, pfn, (unsigned)order, told);
            if (!told)
                return done;
            done += 1ul << order;
            pfn += 1ul << order;
        }
    }
    return done;
}
