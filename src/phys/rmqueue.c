/* phys/rmqueue.c: where in a zone an allocation takes its blocks from
 *
 * What the request's own migrate type has comes first, wherever it is, so that types stay apart;
 * within a type, what is this CPU's. But whole pageblocks go before parts of another shard's:
 *
 *   1  free blocks of the type in the CPU's own shard; before them what its inbox has of
 *      PAGEBLOCK_ORDER
 *   2  if there are plenty, a whole pageblock of another type, claimed in the own shard
 *   3  a wholly free block of MAX_ORDER that another shard hands over, for good; of any type, if
 *      there are plenty
 *   4  free blocks of the type in another shard
 *   5  for movable requests, what CMA areas lend
 *   6  when the own shard has no block of MAX_ORDER: one of any type, handed over
 *   7  pageblocks of other types, claimed; in the own shard first
 *   8  single blocks of other types, stolen; likewise
 *
 * 2 and 3 leave more blocks broken in part, up to one for each shard and type. Otherwise a CPU that
 * grows would live on what another one has just begun, and the two would wait for each other; and
 * what they then free at random, a few pages of each block on some list, wouldn't be wholly free
 * again for long. Claiming stops while there is still enough to keep types apart with.
 *
 *   bound   O(shards); each lock is held for one inbox and one batch. Looks at other shards before
 *           it takes their locks, and again if a block was handed over meanwhile
 */
#include "phys/internal.h"

struct request {
    uint32_t kind;
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
    return take_type(shard, request, request->type);
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

/* From the CPU's own shard; whole pageblocks that other CPUs freed go from hand to hand. */
static QUIRE_ALWAYS_INLINE unsigned take_home(struct shard *home, const struct request *request)
{
    unsigned got = 0;
    quire_port_irq_t irq = shard_lock(home);
    if (request->order == PAGEBLOCK_ORDER)
        got = inbox_take(home, request->kind, request->max, request->end);
    if (quire_likely(got < request->max)) {
        struct request rest = *request;
        rest.max -= got;
        rest.end -= got;
        shard_empty_inbox(home);
        got += take_own(home, &rest);
    }
    shard_unlock(home, irq);
    return got;
}

/* The shard after `shard`, around. */
static struct shard *next_shard(struct shard *shard)
{
    const struct zone *zone = shard->zone;
    return &zone->shard[(shard->index + 1) & zone_shard_mask(zone)];
}

/* `least`: who has nothing of this order or more, of any type, isn't asked. */
static unsigned take_from_others(struct shard *home, const struct request *request, unsigned least,
                                 take_fn *take)
{
    unsigned got = 0;
    for (struct shard *shard = next_shard(home); !got && shard != home; shard = next_shard(shard)) {
        uint32_t orders = 0;
        for (unsigned type = 0; type <= QUIRE_MIGRATE_CMA; type++)
            orders |= quire_load_acquire(&shard->avail[type]);
        if (orders >> least || inbox_frames(&shard->inbox))
            got = take_from(shard, request, take);
    }
    return got;
}

/* Orders of the shard's free blocks: of one type, or of all that fall back to each other. */
static uint32_t orders_of(const struct shard *shard, enum quire_migratetype type, bool any)
{
    uint32_t orders = quire_load_acquire(&shard->avail[type]);
    for (unsigned other = 0; any && other < PCP_TYPES; other++)
        orders |= quire_load_acquire(&shard->avail[other]);
    return orders;
}

/* The shard with the most free memory of those that have a block of MAX_ORDER to hand over: its CPU
 * is the least likely to miss it. */
static struct shard *richest_shard(const struct shard *home, enum quire_migratetype type, bool any)
{
    struct shard *richest = NULL;
    unsigned long most = 0;
    for_each_shard (home->zone, shard) {
        unsigned long free = quire_load_acquire(&shard->nr_free);
        if (shard != home && free > most && orders_of(shard, type, any) >> MAX_ORDER) {
            richest = shard;
            most = free;
        }
    }
    return richest;
}

static unsigned take_handed_by(struct shard *from, struct shard *to, const struct request *request,
                               bool any)
{
    struct shard *first = from < to ? from : to, *second = from < to ? to : from;
    unsigned got = 0;
    quire_port_irq_t irq = shard_lock(first);
    quire_port_spin_lock(&second->lock);
    if (shard_hand_over(from, to, request->type))
        got = take_own(to, request);
    for (unsigned i = 0; !got && any && i < 2; i++)
        if (shard_hand_over(from, to, fallback_type(request->type, i)))
            got = take_by_claim(to, request);
    quire_port_spin_unlock(&second->lock);
    shard_unlock(first, irq);
    return got;
}

/* Gets `home` a block of MAX_ORDER from another shard, of the request's type or of any, and takes
 * from it at once, before another CPU can. */
static unsigned take_handed(struct shard *home, const struct request *request, bool any)
{
    unsigned got = 0;
    struct shard *from;
    while (!got && (from = richest_shard(home, request->type, any)))
        got = take_handed_by(from, home, request, any);
    return got;
}

/* At least a quarter of the zone is free in whole pageblocks. */
static bool pageblocks_are_plentiful(const struct zone *zone)
{
    unsigned long frames = 0;
    for (unsigned order = PAGEBLOCK_ORDER; order <= MAX_ORDER; order++)
        frames += zone_nr_blocks(zone, order) << order;
    return frames >= quire_load_relaxed(&zone->managed) / 4;
}

static unsigned take_other_types(struct shard *home, const struct request *request)
{
    unsigned got = 0;
    if (!(orders_of(home, request->type, true) >> MAX_ORDER))
        got = take_handed(home, request, true);
    if (!got)
        got = take_from(home, request, take_by_claim);
    /* Claiming small pieces means a look at all of their pageblock: not in every shard. */
    unsigned worth = request->order > PAGEBLOCK_ORDER / 2 ? request->order : PAGEBLOCK_ORDER / 2;
    if (!got)
        got = take_from_others(home, request, worth, take_by_claim);
    if (!got)
        got = take_from(home, request, take_by_stealing);
    return got ? got : take_from_others(home, request, request->order, take_by_stealing);
}

static QUIRE_NOINLINE unsigned take_elsewhere(struct shard *home, const struct request *request)
{
    bool plentiful = pageblocks_are_plentiful(home->zone);
    unsigned got = 0;
    if (plentiful && orders_of(home, request->type, true) >> PAGEBLOCK_ORDER)
        got = take_from(home, request, take_by_claim);
    if (!got)
        got = take_handed(home, request, plentiful);
    if (!got)
        got = take_from_others(home, request, request->order, take_own);
    if (!got && request->alloc_flags & ALLOC_CMA && quire_load_relaxed(&home->zone->cma)) {
        got = take_from(home, request, take_cma);
        if (!got)
            got = take_from_others(home, request, request->order, take_cma);
    }
    return got ? got : take_other_types(home, request);
}

/* More than half of what is free is lent memory: use that first, or unmovable allocations would
 * starve beside it. */
static QUIRE_NOINLINE unsigned take_lent(struct shard *home, const struct request *request)
{
    const struct zone *zone = home->zone;
    if (zone_free_special(zone, QUIRE_MIGRATE_CMA) <= zone_nr_free(zone) / 2)
        return 0;
    unsigned got = take_from(home, request, take_cma);
    return got ? got : take_from_others(home, request, request->order, take_cma);
}

unsigned rmqueue(struct shard *home, uint32_t kind, unsigned alloc_flags, unsigned max,
                 struct quire_page **end)
{
    enum quire_migratetype type = home->mem->type_of_pcp[flags_type(kind)];
    struct request request = {kind, flags_order(kind), type, alloc_flags, max, end};
    unsigned got = 0;
    if (quire_unlikely(alloc_flags & ALLOC_CMA && quire_load_relaxed(&home->zone->cma)))
        got = take_lent(home, &request);
    if (!got)
        got = take_home(home, &request);
    while (quire_unlikely(!got)) {
        unsigned long ended = hand_overs_ended(home->zone);
        got = take_elsewhere(home, &request);
        if (!got && !hand_over_since(home->zone, ended))
            break;
    }
    return got;
}

struct quire_page *rmqueue_highatomic(struct zone *zone, unsigned order)
{
    struct quire_page *page = NULL;
    struct request request = {.order = order, .max = 1, .end = &page + 1};
    for_each_shard (zone, shard)
        if (quire_load_relaxed(&shard->avail[QUIRE_MIGRATE_HIGHATOMIC]) &&
            take_from(shard, &request, take_highatomic))
            break;
    return page;
}
