/* phys/fallback.c: what an allocation takes when its own migrate type has nothing
 *
 * Pages that can't be moved, those that can, and those a shrinker can free are kept in pageblocks
 * apart, so that one kind doesn't pin the memory of another (Gorman and Whitcroft, "The What, The
 * Why and the Where To of Anti-Fragmentation", OLS 2006). When a type runs out it takes from the
 * others in Linux's order: first it claims the pageblock with the largest free block, if at least
 * half of it is free or already of its kind, so that what follows finds room there too; only when
 * nothing can be claimed does it take single blocks, the smallest that will do.
 *
 * Of one shard, with its lock held; rmqueue.c says which shard's turn it is.
 */
#include "phys/internal.h"

/* Fallbacks of each type, best first. */
static const uint8_t fallbacks[PCP_TYPES][2] = {
    [QUIRE_MIGRATE_UNMOVABLE] = {QUIRE_MIGRATE_RECLAIMABLE, QUIRE_MIGRATE_MOVABLE},
    [QUIRE_MIGRATE_MOVABLE] = {QUIRE_MIGRATE_RECLAIMABLE, QUIRE_MIGRATE_UNMOVABLE},
    [QUIRE_MIGRATE_RECLAIMABLE] = {QUIRE_MIGRATE_UNMOVABLE, QUIRE_MIGRATE_MOVABLE},
};

enum quire_migratetype fallback_type(enum quire_migratetype type, unsigned i)
{
    return fallbacks[type][i];
}

/* A large block is worth its pageblock; and unmovable pages are best concentrated, whatever the
 * size, since each pageblock that they are spread over is lost for huge pages. */
static bool may_claim(const struct quire_mem *mem, unsigned order, enum quire_migratetype type)
{
    return order >= PAGEBLOCK_ORDER / 2 || type != QUIRE_MIGRATE_MOVABLE ||
           mem->no_mobility_grouping;
}

/* Frames of the pageblock that are allocated as movable, or as not: by their blocks' first pages.
 * A block above PAGEBLOCK_ORDER never gets here: its pageblocks have nothing free. */
static unsigned count_allocated(const struct pageblock *block, bool movable)
{
    unsigned frames = 0;
    for (unsigned offset = 0; offset < PAGEBLOCK_PAGES;) {
        uint32_t flags = page_flags(&block->pages[offset]);
        unsigned size = 1;
        if (flags & PAGE_ALLOCATED) {
            size = 1u << flags_order(flags);
            if ((flags_type(flags) == QUIRE_MIGRATE_MOVABLE) == movable)
                frames += size;
        }
        offset += size;
    }
    return frames;
}

/* Whether at least half of the pageblock is free or of the kind that wants it. */
static bool mostly_alike(const struct shard *shard, const struct pageblock *block,
                         enum quire_migratetype type)
{
    unsigned alike;
    if (type == QUIRE_MIGRATE_MOVABLE)
        alike = count_allocated(block, true);
    else
        alike = block->type == QUIRE_MIGRATE_MOVABLE ? count_allocated(block, false) : 0;
    return block->nr_free + alike >= PAGEBLOCK_PAGES / 2 || shard->mem->no_mobility_grouping;
}

static struct pageblock *first_block(struct shard *shard, unsigned order, unsigned type)
{
    return quire_container_of(shard->blocks[order][type].next, struct pageblock, link);
}

bool shard_claim(struct shard *shard, unsigned order, enum quire_migratetype type)
{
    for (unsigned largest = MAX_ORDER + 1; largest-- > order;) {
        if (!may_claim(shard->mem, largest, type))
            return false;
        for (unsigned i = 0; i < 2; i++) {
            unsigned other = fallbacks[type][i];
            if (!(shard->avail[other] >> largest & 1))
                continue;
            struct pageblock *block = first_block(shard, largest, other);
            if (largest < PAGEBLOCK_ORDER) {
                boost_watermark(shard->zone);
                if (!mostly_alike(shard, block, type))
                    continue;
            }
            pageblock_set_type(shard, block, type);
            count_event(shard->mem, EVENT_FALLBACK_CLAIM, 1);
            return true;
        }
    }
    return false;
}

unsigned shard_steal(struct shard *shard, unsigned order, enum quire_migratetype type,
                     struct quire_page **end)
{
    for (unsigned smallest = order; smallest < PAGEBLOCK_ORDER; smallest++)
        for (unsigned i = 0; i < 2; i++) {
            unsigned other = fallbacks[type][i];
            if (!(shard->avail[other] >> smallest & 1))
                continue;
            count_event(shard->mem, EVENT_FALLBACK_STEAL, 1);
            return buddy_take_from(shard, first_block(shard, smallest, other), order, 1, end);
        }
    return 0;
}

/* Whole pageblocks need no claim: they change their type as they are taken. */
unsigned shard_claim_large(struct shard *shard, unsigned order, enum quire_migratetype type,
                           unsigned max, struct quire_page **end)
{
    for (unsigned i = 0; i < 2; i++) {
        unsigned got = superblock_take(shard, order, fallbacks[type][i], type, max, end);
        if (got)
            return got;
    }
    return 0;
}

/* ---- the reserve for atomic allocations of higher orders ------------------------------------- */

/* At most about one hundredth of the zone, one pageblock at least. */
bool highatomic_has_room(const struct zone *zone)
{
    unsigned long most = quire_load_relaxed(&zone->managed) / 100 + PAGEBLOCK_PAGES;
    return quire_load_relaxed(&zone->nr_reserved_highatomic) + PAGEBLOCK_PAGES <= most;
}

bool reserve_highatomic(struct zone *zone, struct pageblock *block)
{
    if (!highatomic_has_room(zone) || block->type >= QUIRE_MIGRATE_HIGHATOMIC ||
        zone->mem->no_mobility_grouping)
        return false;
    quire_count(&zone->nr_reserved_highatomic, PAGEBLOCK_PAGES);
    pageblock_set_type(frame_shard(zone, block->pfn), block, QUIRE_MIGRATE_HIGHATOMIC);
    return true;
}

bool unreserve_highatomic(struct zone *zone, bool force)
{
    if (zone->nr_reserved_highatomic <= PAGEBLOCK_PAGES && !force)
        return false;
    for_each_shard (zone, shard) {
        uint32_t orders = shard->avail[QUIRE_MIGRATE_HIGHATOMIC];
        if (!orders)
            continue;
        struct pageblock *block = first_block(shard, quire_fls32(orders), QUIRE_MIGRATE_HIGHATOMIC);
        pageblock_set_type(shard, block, QUIRE_MIGRATE_UNMOVABLE);
        quire_count(&zone->nr_reserved_highatomic, 0ul - PAGEBLOCK_PAGES);
        return true;
    }
    return false;
}
