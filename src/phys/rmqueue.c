/* phys/rmqueue.c: where in a zone an allocation takes its blocks from
 *
 * What the request's own migrate type has comes first, wherever it is, so that types stay apart;
 * within a type, what is this CPU's:
 *
 *   1  free blocks of the type in the CPU's own shard
 *   2  a wholly free block of MAX_ORDER that another shard hands over, for good
 *   3  free blocks of the type in another shard
 *   4  a wholly free block of another type that another shard hands over
 *   5  pageblocks of other types, claimed; in the own shard first
 *   6  single blocks of other types, stolen; likewise
 *
 * Other shards' lists are looked at without their lock before it is taken.
 *
 *   bound   O(shards), each lock held for one batch
 */
#include "phys/internal.h"

struct request {
    unsigned order;
    enum quire_migratetype type;
    unsigned alloc_flags, max;
    struct quire_page **end;
};

/* Takes up to `max` blocks out of one shard, whose lock is held, stored downwards from `end`. */
typedef unsigned take_fn(struct shard *shard, const struct request *request);

static QUIRE_ALWAYS_INLINE unsigned take_type(struct shard *shard, const struct request *request,
                                              enum quire_migratetype type)
{
    struct quire_page **end = request->end;
    unsigned left = request->max, got = 1;
    for (; left && got; left -= got, end -= got)
        got = buddy_take(shard, request->order, type, left, end);
    return request->max - left;
}

static unsigned take_cma(struct shard *shard, const struct request *request)
{
    return take_type(shard, request, QUIRE_MIGRATE_CMA);
}

static unsigned take_highatomic(struct shard *shard, const struct request *request)
{
    return take_type(shard, request, QUIRE_MIGRATE_HIGHATOMIC);
}

static QUIRE_ALWAYS_INLINE unsigned take_own(struct shard *shard, const struct request *request)
{
    unsigned got = take_type(shard, request, request->type);
    if (quire_unlikely(!got) && request->alloc_flags & ALLOC_CMA)
        got = take_cma(shard, request);
    return got;
}

static unsigned take_by_claim(struct shard *shard, const struct request *request)
{
    if (request->order >= PAGEBLOCK_ORDER)
        return shard_claim_large(shard, request->order, request->type, request->max, request->end);
    return shard_claim(shard, request->order, request->type) ? take_own(shard, request) : 0;
}

static unsigned take_by_stealing(struct shard *shard, const struct request *request)
{
    return shard_steal(shard, request->order, request->type, request->end);
}

static QUIRE_ALWAYS_INLINE unsigned take_from(struct shard *shard, const struct request *request,
                                              take_fn *take)
{
    quire_port_irq_t irq = shard_lock(shard);
    shard_empty_inbox(shard);
    unsigned got = take(shard, request);
    shard_unlock(shard, irq);
    return got;
}

/* The shard after `shard`, around. */
static struct shard *next_shard(struct shard *shard)
{
    const struct zone *zone = shard->zone;
    return &zone->shard[(shard->index + 1) & zone_shard_mask(zone)];
}

static unsigned take_from_others(struct shard *home, const struct request *request, take_fn *take)
{
    unsigned got = 0;
    for (struct shard *shard = next_shard(home); !got && shard != home; shard = next_shard(shard))
        if (quire_load_relaxed(&shard->nr_free) || quire_load_relaxed(&shard->inbox.count))
            got = take_from(shard, request, take);
    return got;
}

static bool hand_over(struct shard *from, struct shard *to, enum quire_migratetype type)
{
    struct shard *first = from < to ? from : to, *second = from < to ? to : from;
    quire_port_irq_t irq = shard_lock(first);
    quire_port_spin_lock(&second->lock);
    bool done = superblock_hand_over(from, to, type);
    quire_port_spin_unlock(&second->lock);
    shard_unlock(first, irq);
    return done;
}

/* Gets `home` a block of MAX_ORDER from another shard. */
static bool get_handed(struct shard *home, enum quire_migratetype type)
{
    bool done = false;
    for (struct shard *shard = next_shard(home); !done && shard != home; shard = next_shard(shard))
        if (quire_load_relaxed(&shard->avail[type]) >> MAX_ORDER & 1)
            done = hand_over(shard, home, type);
    return done;
}

static QUIRE_NOINLINE unsigned take_elsewhere(struct shard *home, const struct request *request)
{
    unsigned got = 0;
    while (!got && get_handed(home, request->type))
        got = take_from(home, request, take_own);
    if (!got)
        got = take_from_others(home, request, take_own);
    if (got)
        return got;
    for (unsigned i = 0; i < PCP_TYPES; i++)
        if (i != request->type && get_handed(home, i))
            break;
    got = take_from(home, request, take_by_claim);
    if (!got)
        got = take_from_others(home, request, take_by_claim);
    if (!got)
        got = take_from(home, request, take_by_stealing);
    return got ? got : take_from_others(home, request, take_by_stealing);
}

/* More than half of what is free is lent memory: use that first, or unmovable allocations would
 * starve beside it. */
static QUIRE_NOINLINE unsigned take_lent(struct shard *home, const struct request *request)
{
    const struct zone *zone = home->zone;
    if (zone_free_special(zone, QUIRE_MIGRATE_CMA) <= zone_nr_free(zone) / 2)
        return 0;
    unsigned got = take_from(home, request, take_cma);
    return got ? got : take_from_others(home, request, take_cma);
}

unsigned rmqueue(struct shard *home, unsigned order, enum quire_migratetype type,
                 unsigned alloc_flags, unsigned max, struct quire_page **end)
{
    struct request request = {order, type, alloc_flags, max, end};
    unsigned got = 0;
    if (quire_unlikely(alloc_flags & ALLOC_CMA && quire_load_relaxed(&home->zone->cma)))
        got = take_lent(home, &request);
    if (!got)
        got = take_from(home, &request, take_own);
    return quire_likely(got) ? got : take_elsewhere(home, &request);
}

struct quire_page *rmqueue_highatomic(struct zone *zone, unsigned order)
{
    struct quire_page *page = NULL;
    struct request request = {.order = order, .max = 1, .end = &page + 1};
    for_each_shard(zone, shard) if (quire_load_relaxed(&shard->avail[QUIRE_MIGRATE_HIGHATOMIC]) &&
                                    take_from(shard, &request, take_highatomic)) break;
    return page;
}
