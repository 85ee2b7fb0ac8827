/* phys/compaction.c: moving pages together so that large blocks come free
 *
 * Two scanners walk a zone's pageblocks: one from its start upwards finds blocks that can be moved,
 * one from its end downwards finds room for them; where they meet, it is done (Mel Gorman, "Memory
 * Compaction", 2010; Linux's mm/compaction.c). What is wanted decides how far a run goes:
 *
 *   for an order   aligned chunks of that order that can be emptied altogether are, until a block
 *                  of the order is free
 *   entirely       whatever is smaller than a pageblock is moved, until the scanners meet
 *
 * A gentle run takes from MOVABLE pageblocks only, passes over those that gave nothing lately
 * (hints in the pageblock, forgotten when a full run has been through the zone), and asks each
 * mover once. Room is taken in MOVABLE pageblocks that aren't wholly free, the tightest block
 * first; finding it costs a look at a pageblock's header, since that knows its largest free block.
 * Each order has its own place of the free scanner, so that one large block doesn't lead it past
 * room for small ones.
 *
 * A run ends in the middle when it succeeds, and the next one goes on from there. Compacting is in
 * order when there is memory enough but in pieces: the watermark with room to move, and, for large
 * orders, a fragmentation index above EXTFRAG_THRESHOLD. After runs over a zone that failed, the
 * next 2, 4, ... 64 that want the same order or more are left out.
 *
 *   bound   O(frames of the zone) a run, zone_lock is held for one pageblock at a time
 *
 * How a block is held while it moves, and why the per-CPU lists stay closed: see migrate.c.
 */
#include "phys/move.h"

#define BATCH 32 /* blocks that are isolated at a time */
#define LOOKS 64 /* pageblocks passed over before the lock is let go */
#define GENTLE_ATTEMPTS 1
#define FULL_ATTEMPTS 3
#define EXTFRAG_THRESHOLD 500
#define MAX_DEFER_SHIFT 6
#define COSTLY_ORDER 3

struct compact_control {
    struct zone *zone;
    int order; /* wanted; -1: compact entirely */
    unsigned alloc_flags;
    bool gentle;
    bool from_the_ends;                /* began there, so that it will have seen everything */
    bool found;                        /* something to move in the pageblock at hand */
    unsigned move_below;               /* blocks of this order and more stay */
    unsigned long migrate_pfn;         /* the next frame to look at */
    unsigned long chunk_end;           /* what is below may be moved */
    unsigned long free_end[NR_ORDERS]; /* by order: the pageblock to look at ends here */
    unsigned long moved;               /* blocks */
};

/* ---- where the scanners are ------------------------------------------------------------------ */

static void start_scanners(struct compact_control *cc, bool from_the_ends)
{
    const struct zone *zone = cc->zone;
    unsigned long start = pageblock_start(zone->start);
    unsigned long end = pageblock_end(zone->end - 1);
    unsigned long migrate_pfn = zone->compact.migrate_pfn, free_end = zone->compact.free_pfn;
    /* Memory may have come or gone since. */
    if (from_the_ends || migrate_pfn < start || free_end > end || migrate_pfn >= free_end) {
        migrate_pfn = start;
        free_end = end;
    }
    cc->from_the_ends = migrate_pfn == start && free_end == end;
    cc->migrate_pfn = cc->chunk_end = migrate_pfn;
    for (unsigned order = 0; order < NR_ORDERS; order++)
        cc->free_end[order] = free_end;
    cc->move_below = PAGEBLOCK_ORDER;
    if (cc->order >= 0 && cc->order < PAGEBLOCK_ORDER)
        cc->move_below = (unsigned)cc->order;
}

/* Room must be in a higher pageblock than what moves there. */
static unsigned long lowest_free_end(const struct compact_control *cc)
{
    return pageblock_end(cc->migrate_pfn);
}

static bool scanners_met(const struct compact_control *cc)
{
    return !cc->move_below || cc->free_end[0] <= lowest_free_end(cc);
}

static void forget_hints(struct zone *zone)
{
    unsigned long pfn = pageblock_start(zone->start);
    for (; pfn < zone->end; pfn = next_pageblock(zone->mem, pfn)) {
        struct pageblock *block = zone_pageblock(zone, pfn);
        if (block)
            block->flags &= (uint8_t) ~(PAGEBLOCK_SKIP_MIGRATE | PAGEBLOCK_SKIP_FREE);
    }
}

static void stop_scanners(struct compact_control *cc)
{
    struct zone *zone = cc->zone;
    quire_port_irq_t irq = zone_lock(zone);
    if (scanners_met(cc)) {
        zone->compact.migrate_pfn = zone->compact.free_pfn = 0;
        if (!cc->gentle)
            forget_hints(zone);
    } else {
        zone->compact.migrate_pfn = cc->migrate_pfn;
        zone->compact.free_pfn = cc->free_end[0];
    }
    zone_unlock(zone, irq);
}

/* ---- the migrate scanner --------------------------------------------------------------------- */

static bool is_plain_type(const struct zone *zone, const struct pageblock *block)
{
    return block->type == QUIRE_MIGRATE_MOVABLE || block->type == QUIRE_MIGRATE_CMA ||
           (zone->mem->no_mobility_grouping && block->type == QUIRE_MIGRATE_UNMOVABLE);
}

static bool may_move_from(const struct compact_control *cc, const struct pageblock *block)
{
    if (block->type == QUIRE_MIGRATE_ISOLATE || block->nr_free == PAGEBLOCK_PAGES)
        return false;
    return !cc->gentle ||
           (is_plain_type(cc->zone, block) && !(block->flags & PAGEBLOCK_SKIP_MIGRATE));
}

/* Whether everything in the chunk is free or may be moved. */
static bool can_be_emptied(const struct compact_control *cc, const struct pageblock *block,
                           unsigned offset, unsigned end)
{
    while ((offset = next_used_frame(block, offset)) < end) {
        uint32_t flags = page_flags(&block->pages[offset]);
        if (!(flags & PAGE_ALLOCATED) || flags_order(flags) >= cc->move_below ||
            !block_is_movable(cc->zone->mem, flags))
            return false;
        offset += 1u << flags_order(flags);
    }
    return true;
}

/* Moving single blocks out of a chunk that can't be emptied wins nothing for who wants its order.
 */
static bool chunk_is_worth_it(struct compact_control *cc, const struct pageblock *block)
{
    if (cc->order < 0 || cc->migrate_pfn < cc->chunk_end)
        return true;
    unsigned frames =
        1u << (cc->order < PAGEBLOCK_ORDER ? (unsigned)cc->order : (unsigned)PAGEBLOCK_ORDER);
    unsigned long start = cc->migrate_pfn & ~(frames - 1ul);
    cc->chunk_end = start + frames;
    unsigned offset = (unsigned)(start - block->pfn);
    if (can_be_emptied(cc, block, offset, offset + frames))
        return true;
    cc->migrate_pfn = cc->chunk_end;
    return false;
}

/* Isolates blocks of one pageblock from the scanner on, at most BATCH; how many. */
static unsigned isolate_from(struct compact_control *cc, struct pageblock *block,
                             struct quire_page **from)
{
    unsigned nr = 0;
    unsigned long end = block->pfn + PAGEBLOCK_PAGES, scanned = cc->migrate_pfn, isolated = 0;
    while (nr < BATCH) {
        cc->migrate_pfn =
            block->pfn + next_used_frame(block, (unsigned)(cc->migrate_pfn - block->pfn));
        if (cc->migrate_pfn >= end)
            break;
        if (!chunk_is_worth_it(cc, block))
            continue;
        struct quire_page *page = block->pages + (cc->migrate_pfn - block->pfn);
        uint32_t flags = page_flags(page);
        unsigned long frames = flags & PAGE_ALLOCATED ? 1ul << flags_order(flags) : 1;
        if (flags & PAGE_ALLOCATED && flags_order(flags) < cc->move_below &&
            isolate_block(cc->zone, page)) {
            from[nr++] = page;
            isolated += frames;
        }
        cc->migrate_pfn += frames;
        if (cc->migrate_pfn >= end)
            break;
    }
    count_event(cc->zone->mem, EVENT_COMPACT_MIGRATE_SCANNED, cc->migrate_pfn - scanned);
    count_event(cc->zone->mem, EVENT_COMPACT_ISOLATED, isolated);
    cc->found = cc->found || nr;
    if (cc->migrate_pfn >= end) {
        if (!cc->found)
            block->flags |= PAGEBLOCK_SKIP_MIGRATE;
        cc->found = false;
    }
    return nr;
}

static unsigned isolate_sources(struct compact_control *cc, struct quire_page **from)
{
    struct zone *zone = cc->zone;
    unsigned nr = 0;
    bool looked = false;
    quire_port_irq_t irq = zone_lock(zone);
    for (unsigned looks = 0; looks < LOOKS && !looked && !scanners_met(cc); looks++) {
        struct pageblock *block = zone_pageblock(zone, cc->migrate_pfn);
        if (block && may_move_from(cc, block)) {
            nr = isolate_from(cc, block, from);
            looked = true;
        } else {
            cc->migrate_pfn = next_pageblock(zone->mem, cc->migrate_pfn);
        }
    }
    zone_unlock(zone, irq);
    return nr;
}

/* ---- the free scanner ------------------------------------------------------------------------ */

/* Room is made use of where there is little of it: a wholly free pageblock is what we are after. */
static bool has_room(const struct compact_control *cc, const struct pageblock *block,
                     unsigned order, enum quire_migratetype type)
{
    if (!is_plain_type(cc->zone, block) ||
        (block->type == QUIRE_MIGRATE_CMA && type != QUIRE_MIGRATE_MOVABLE))
        return false;
    if (cc->gentle && block->flags & PAGEBLOCK_SKIP_FREE)
        return false;
    return block->largest >= (int)order && block->largest < PAGEBLOCK_ORDER;
}

/* Goes down to the next pageblock; over a whole section where that has no descriptors. */
static void advance_free_scanner(struct compact_control *cc, unsigned order)
{
    unsigned long pfn = cc->free_end[order] - 1;
    bool exists = section_exists(cc->zone->mem, pfn);
    cc->free_end[order] = pfn & ~((exists ? PAGEBLOCK_PAGES : QUIRE_SECTION_PAGES) - 1);
}

/* A new block for `from`, above the migrate scanner; NULL: none. Makes it an allocated one. */
static struct quire_page *take_target(struct compact_control *cc, const struct quire_page *from)
{
    struct zone *zone = cc->zone;
    struct quire_page *page = NULL;
    uint32_t flags = page_flags(from);
    unsigned order = flags_order(flags), type = block_type(flags);
    unsigned long scanned = 0;
    quire_port_irq_t irq = zone_lock(zone);
    for (unsigned looks = 1; cc->free_end[order] > lowest_free_end(cc); looks++) {
        struct pageblock *block = zone_pageblock(zone, cc->free_end[order] - PAGEBLOCK_PAGES);
        if (block && has_room(cc, block, order, type)) {
            struct shard *shard = frame_shard(zone, block->pfn);
            buddy_take_from(shard, block, order, 1, &page + 1);
            page_set_allocated(page, page_head_flags(zone, order, type));
            quire_fetch_add(&shard->nr_alloc[order], 1);
            break;
        }
        if (block && !order && block->largest == LARGEST_NONE)
            block->flags |= PAGEBLOCK_SKIP_FREE;
        scanned += block ? PAGEBLOCK_PAGES : 0;
        advance_free_scanner(cc, order);
        if (looks % LOOKS == 0) {
            zone_unlock(zone, irq);
            irq = zone_lock(zone);
        }
    }
    zone_unlock(zone, irq);
    count_event(zone->mem, EVENT_COMPACT_FREE_SCANNED, scanned);
    if (page) {
        count_event(zone->mem, EVENT_COMPACT_ISOLATED, 1ul << order);
        if (quire_unlikely(zone->mem->debug & QUIRE_DEBUG_POISON))
            check_poison(zone->mem, page->pfn, 1ul << order);
    }
    return page;
}

/* ---- a run over one zone --------------------------------------------------------------------- */

static void move_blocks(struct compact_control *cc, struct quire_page **from, unsigned nr)
{
    struct quire_mem *mem = cc->zone->mem;
    unsigned attempts = cc->gentle ? GENTLE_ATTEMPTS : FULL_ATTEMPTS;
    for (unsigned i = 0; i < nr; i++) {
        unsigned order = quire_page_order(from[i]);
        struct quire_page *to = order < cc->move_below ? take_target(cc, from[i]) : NULL;
        if (to) {
            cc->moved += !migrate_block(mem, to, from[i], attempts);
            continue;
        }
        putback_block(mem, from[i]);
        if (order < cc->move_below)
            cc->move_below = order; /* nor will there be room later */
    }
}

/* Whether a block that the allocation may have is free. */
static bool order_is_free(const struct zone *zone, unsigned order, unsigned alloc_flags)
{
    uint32_t orders = 0;
    for (unsigned type = 0; type < PCP_TYPES; type++)
        orders |= zone_avail(zone, type);
    if (alloc_flags & ALLOC_CMA)
        orders |= zone_avail(zone, QUIRE_MIGRATE_CMA);
    return orders >> order;
}

static enum compact_result compact_zone(struct compact_control *cc, bool from_the_ends)
{
    struct zone *zone = cc->zone;
    struct quire_page *from[BATCH];
    enum compact_result result;
    pcp_close(zone);
    quire_port_irq_t irq = zone_lock(zone);
    start_scanners(cc, from_the_ends);
    zone_unlock(zone, irq);
    for (;;) {
        if (cc->order >= 0 && order_is_free(zone, (unsigned)cc->order, cc->alloc_flags)) {
            result = COMPACT_SUCCESS;
            break;
        }
        if (scanners_met(cc)) {
            result = cc->from_the_ends ? COMPACT_COMPLETE : COMPACT_PARTIAL;
            break;
        }
        move_blocks(cc, from, isolate_sources(cc, from));
    }
    stop_scanners(cc);
    pcp_open(zone);
    quire_tell_event(COMPACT, zone->id, (uint64_t)cc->order, cc->moved, result);
    return result;
}

/* ---- deferral: with zone_lock held ----------------------------------------------------------- */

static bool deferred(struct compact_state *state, int order)
{
    unsigned limit = 1u << state->defer_shift;
    if (order < state->order_failed)
        return false;
    if (++state->considered < limit)
        return true;
    state->considered = limit;
    return false;
}

static void defer(struct compact_state *state, int order)
{
    state->considered = 0;
    if (state->defer_shift < MAX_DEFER_SHIFT)
        state->defer_shift++;
    if (order < state->order_failed)
        state->order_failed = order;
}

static void end_deferral(struct compact_state *state, int order, bool allocated)
{
    if (allocated)
        state->considered = state->defer_shift = 0;
    if (order >= state->order_failed)
        state->order_failed = order + 1;
}

/* ---- for an allocation ----------------------------------------------------------------------- */

/* Whether the zone has the memory, and lacks only its being in one piece. */
static bool compaction_suitable(struct zone *zone, const struct alloc_context *ac)
{
    bool costly = ac->order > COSTLY_ORDER;
    /* While pages are copied both places are taken. */
    unsigned long mark = zone_watermark(zone, costly ? WMARK_LOW : WMARK_MIN) + (2ul << ac->order);
    if (!zone_watermark_ok(zone, 0, mark, ac->highest, ALLOC_CMA))
        return false;
    int index = costly ? fragmentation_index(zone, ac->order) : -1000;
    return index < 0 || index > EXTFRAG_THRESHOLD;
}

static enum compact_result compact_for(const struct alloc_context *ac, struct zone *zone,
                                       unsigned alloc_flags, bool gently)
{
    struct compact_state *state = &zone->compact;
    int order = (int)ac->order;
    bool hard = !gently && ac->gfp & (QUIRE_GFP_RETRY_MAYFAIL | QUIRE_GFP_NOFAIL);
    unsigned long mark = zone_watermark(zone, alloc_flags & ALLOC_WMARK_MASK);
    if (zone_watermark_ok(zone, ac->order, mark, ac->highest, alloc_flags))
        return COMPACT_SUCCESS;
    if (!compaction_suitable(zone, ac))
        return COMPACT_SKIPPED;
    quire_port_irq_t irq = zone_lock(zone);
    bool later = !hard && deferred(state, order);
    zone_unlock(zone, irq);
    if (later)
        return COMPACT_DEFERRED;
    struct compact_control cc = {
        .zone = zone, .order = order, .alloc_flags = alloc_flags, .gentle = gently};
    enum compact_result result = compact_zone(&cc, false);
    irq = zone_lock(zone);
    if (result == COMPACT_SUCCESS)
        end_deferral(state, order, false);
    else if (!gently)
        defer(state, order);
    zone_unlock(zone, irq);
    return result;
}

struct quire_page *direct_compact(const struct alloc_context *ac, unsigned alloc_flags, bool gently,
                                  enum compact_result *result)
{
    struct zone *zone;
    *result = COMPACT_SKIPPED;
    for (struct zone **list = ac->zonelist; (zone = quire_load_relaxed(list)); list++) {
        if (!zone_will_do(ac, zone))
            continue;
        enum compact_result one = compact_for(ac, zone, alloc_flags, gently);
        if (one > *result)
            *result = one;
        if (one == COMPACT_SUCCESS)
            break;
    }
    if (*result <= COMPACT_DEFERRED)
        return NULL;
    count_event(ac->mem, EVENT_COMPACT_STALL, 1);
    struct quire_page *page = get_page_from_freelist(ac, alloc_flags);
    count_event(ac->mem, page ? EVENT_COMPACT_SUCCESS : EVENT_COMPACT_FAIL, 1);
    if (page) {
        zone = page_zone(ac->mem, page);
        quire_port_irq_t irq = zone_lock(zone);
        end_deferral(&zone->compact, (int)ac->order, true);
        zone_unlock(zone, irq);
    }
    return page;
}

unsigned long quire_compact(struct quire_mem *mem, int node, int order)
{
    unsigned long moved = 0;
    if (order > MAX_ORDER)
        return 0;
    for_each_zone (mem, zone) {
        if (!zone_populated(zone) || (node >= 0 && zone->node != node))
            continue;
        struct compact_control cc = {
            .zone = zone, .order = order < 0 ? -1 : order, .alloc_flags = ALLOC_CMA};
        compact_zone(&cc, true);
        moved += cc.moved;
    }
    return moved;
}
