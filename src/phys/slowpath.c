/* phys/slowpath.c: allocations that no zone can serve at once
 *
 * As Linux's __alloc_pages_slowpath: wake the background reclaimer and try again down to the min
 * watermark (deeper for those who can't wait or who free memory by allocating); then, for callers
 * that may sleep, compact, reclaim, give back what lies on per-CPU lists and in the atomic reserve,
 * and compact again. Rounds go on while reclaim frees pages for a request of up to COSTLY_ORDER, at
 * most MAX_FUTILE: others may take them, or they may be too scattered.
 * One round without is enough for the OOM callback to decide (Linux estimates what could still be
 * reclaimed; here the reclaim callbacks have just said that nothing could), but RETRY_MAYFAIL and
 * NOFAIL go on for MAX_NO_PROGRESS of them first. Larger requests without these give up after one.
 *
 * Without callbacks there is nothing to wait for, and NULL comes at once.
 */
#include "phys/internal.h"

#include "base/bits.h"
#include "base/text.h"

#define COSTLY_ORDER 3
#define MAX_NO_PROGRESS 16
#define MAX_COMPACT_RETRIES 16
#define MAX_FUTILE 64 /* rounds that freed pages and gave this request none */
#define RECLAIM_BATCH 32ul
#define STALL_ROUNDS 16ul /* of NOFAIL, before it is told that it waits */
#define NS_PER_SECOND 1000000000u

struct attempt {
    const struct alloc_context *ac;
    unsigned alloc_flags;
    unsigned no_progress, futile, compact_retries;
    unsigned long rounds;
    enum compact_result compacted;
};

static unsigned gfp_to_alloc_flags(const struct alloc_context *ac)
{
    quire_gfp_t gfp = ac->gfp;
    unsigned flags = WMARK_MIN;
    if (gfp & QUIRE_GFP_HIGH)
        flags |= ALLOC_MIN_RESERVE;
    if (!(gfp & QUIRE_GFP_DIRECT_RECLAIM) && !(gfp & QUIRE_GFP_NOMEMALLOC)) {
        flags |= ALLOC_NON_BLOCK;
        if (ac->order && gfp & QUIRE_GFP_HIGH)
            flags |= ALLOC_HIGHATOMIC;
    }
    if (ac->type == QUIRE_MIGRATE_MOVABLE)
        flags |= ALLOC_CMA;
    if (gfp & QUIRE_GFP_MEMALLOC && !(gfp & QUIRE_GFP_NOMEMALLOC))
        flags |= ALLOC_NO_WATERMARKS;
    return flags;
}

static void wake_reclaimers(const struct alloc_context *ac)
{
    struct quire_mem *mem = ac->mem;
    if (!(ac->gfp & QUIRE_GFP_KSWAPD_RECLAIM) || !mem->ops.wake_reclaim)
        return;
    uint32_t woken = 0;
    struct zone *zone;
    for (struct zone **list = ac->zonelist; (zone = quire_load_relaxed(list)); list++)
        if (zone_will_do(ac, zone) && !(woken >> zone->node & 1)) {
            woken |= 1u << zone->node;
            mem->ops.wake_reclaim(mem->reclaim_arg, zone->node, ac->order, ac->highest);
        }
}

/* The nodes that will do; 0: all. */
static uint32_t some_nodes(const struct alloc_context *ac)
{
    uint32_t all = UINT32_MAX >> (32 - ac->mem->nr_nodes), nodes = ac->nodes & all;
    return nodes == all ? 0 : nodes;
}

/* From the nodes that will do, if not all will. */
static unsigned long direct_reclaim(const struct alloc_context *ac, unsigned long wanted)
{
    struct quire_mem *mem = ac->mem;
    uint32_t nodes = some_nodes(ac);
    unsigned long freed = 0;
    if (!mem->ops.direct_reclaim)
        return 0;
    if (!nodes)
        return mem->ops.direct_reclaim(mem->reclaim_arg, ac->node, ac->gfp, ac->order, wanted);
    for (; nodes && freed < wanted; nodes &= nodes - 1)
        freed += mem->ops.direct_reclaim(mem->reclaim_arg, (int)quire_ctz32(nodes),
                                         ac->gfp | QUIRE_GFP_THISNODE, ac->order, wanted - freed);
    return freed;
}

static unsigned long shrink(const struct alloc_context *ac, unsigned long wanted)
{
    unsigned long freed = 0;
    uint32_t nodes = some_nodes(ac);
    if (!nodes)
        return quire_shrink(ac->mem, ac->node, ac->gfp, wanted);
    for (; nodes && freed < wanted; nodes &= nodes - 1)
        freed += quire_shrink(ac->mem, (int)quire_ctz32(nodes), ac->gfp, wanted - freed);
    return freed;
}

static unsigned long reclaim(struct attempt *attempt)
{
    const struct alloc_context *ac = attempt->ac;
    unsigned long wanted = 1ul << ac->order;
    if (wanted < RECLAIM_BATCH)
        wanted = RECLAIM_BATCH;
    struct zone *first, **list = ac->zonelist;
    while ((first = quire_load_relaxed(list)) && !zone_will_do(ac, first))
        list++;
    if (first)
        quire_fetch_add(&first->allocstall, 1);
    unsigned long freed = direct_reclaim(ac, wanted);
    if (freed < wanted)
        freed += shrink(ac, wanted - freed);
    return freed;
}

/* What is free already but out of reach: per-CPU lists and the reserve for atomic allocations. In
 * every round: what is freed between two of them may go to the lists, which no watermark counts. */
static void gather_free_pages(struct quire_mem *mem)
{
    quire_drain_all_pages(mem);
    for_each_zone (mem, zone) {
        quire_port_irq_t irq = zone_lock(zone);
        while (unreserve_highatomic(zone, true))
            ;
        zone_unlock(zone, irq);
    }
}

static struct quire_page *compact(struct attempt *attempt, bool gently)
{
    if (!attempt->ac->order)
        return NULL;
    return direct_compact(attempt->ac, attempt->alloc_flags, gently, &attempt->compacted);
}

static struct quire_page *reclaim_and_retry(struct attempt *attempt)
{
    const struct alloc_context *ac = attempt->ac;
    unsigned long freed = reclaim(attempt);
    /* Freed pages say little of a large block. */
    bool progress = freed && ac->order <= COSTLY_ORDER && ++attempt->futile < MAX_FUTILE;
    attempt->no_progress = progress ? 0 : attempt->no_progress + 1;
    struct quire_page *page = get_page_from_freelist(ac, attempt->alloc_flags);
    if (!page) {
        gather_free_pages(ac->mem);
        page = get_page_from_freelist(ac, attempt->alloc_flags);
    }
    return page ? page : compact(attempt, false);
}

static bool should_retry(struct attempt *attempt)
{
    const struct alloc_context *ac = attempt->ac;
    bool hard = ac->gfp & (QUIRE_GFP_RETRY_MAYFAIL | QUIRE_GFP_NOFAIL);
    if (ac->gfp & QUIRE_GFP_NORETRY || (ac->order > COSTLY_ORDER && !hard))
        return false;
    if (!attempt->no_progress)
        return true;
    bool can_progress = ac->mem->ops.direct_reclaim || quire_load_relaxed(&ac->mem->shrinkers);
    if (can_progress && attempt->no_progress < MAX_NO_PROGRESS && hard)
        return true;
    return ac->order && attempt->compacted == COMPACT_PARTIAL &&
           ++attempt->compact_retries < MAX_COMPACT_RETRIES;
}

/* True: the callback made room. Requests that are large, or for low memory, or that said they may
 * fail or that only this node will do, aren't worth a process. */
static bool out_of_memory(struct attempt *attempt)
{
    const struct alloc_context *ac = attempt->ac;
    quire_gfp_t no_kill = QUIRE_GFP_NORETRY | QUIRE_GFP_RETRY_MAYFAIL | QUIRE_GFP_THISNODE;
    if (!ac->mem->ops.oom || ac->order > COSTLY_ORDER || ac->highest < QUIRE_ZONE_NORMAL ||
        ac->gfp & no_kill)
        return false;
    if (!ac->mem->ops.oom(ac->mem->reclaim_arg, ac->gfp, ac->order, ac->nodes))
        return false;
    attempt->no_progress = attempt->futile = attempt->compact_retries = 0;
    return true;
}

void quire_count_oom_kill(struct quire_mem *mem)
{
    count_event(mem, EVENT_OOM, 1);
}

void wait_a_moment(struct quire_mem *mem)
{
    if (!quire_mem_wait(mem))
        quire_port_relax();
}

/* At most once a second on a machine, whatever goes wrong. */
static void warn(const struct alloc_context *ac, const char *what)
{
    struct quire_mem *mem = ac->mem;
    if (ac->gfp & QUIRE_GFP_NOWARN)
        return;
    uint64_t ns = quire_port_clock_ns();
    unsigned long now = (unsigned long)quire_div64(ns, NS_PER_SECOND) + 1;
    unsigned long last = quire_load_relaxed(&mem->last_warning_second);
    bool tell = now != last && quire_compare_exchange(&mem->last_warning_second, &last, now);
    tell |= !ns; /* a port may have no clock yet */
    if (tell)
        quire_log(QUIRE_LOG_WARNING,
                  "quire: page allocation %s: order %u, gfp 0x%x, node %d; %lu pages free", what,
                  ac->order, ac->gfp, ac->node, quire_nr_free_pages(mem));
}

static struct quire_page *fail(const struct alloc_context *ac)
{
    count_event(ac->mem, EVENT_PAGEFAIL, 1);
    warn(ac, "failure");
    return NULL;
}

/* Who may not fail may wait for ever: that is told after 16 rounds, and then ever more seldom, as
 * nothing says how long a round takes. */
static void warn_of_stall(struct attempt *attempt)
{
    unsigned long rounds = ++attempt->rounds;
    if (attempt->ac->gfp & QUIRE_GFP_NOFAIL && rounds >= STALL_ROUNDS && !(rounds & (rounds - 1)))
        warn(attempt->ac, "stall, since it must not fail");
}

/* Who has MEMALLOC is freeing memory, maybe within a callback of ours: it doesn't reclaim, so more
 * rounds would find the same. */
static bool is_worth_another_round(struct attempt *attempt)
{
    bool nofail = attempt->ac->gfp & QUIRE_GFP_NOFAIL;
    if (attempt->ac->gfp & QUIRE_GFP_MEMALLOC)
        return nofail;
    return should_retry(attempt) || out_of_memory(attempt) || nofail;
}

/* Whether any zone would do: a node may have none, or none as low as is asked. */
static bool has_zone(const struct alloc_context *ac)
{
    struct zone *zone;
    struct zone **list = ac->zonelist;
    while ((zone = quire_load_relaxed(list)) && !zone_will_do(ac, zone))
        list++;
    return zone;
}

struct quire_page *alloc_pages_slowpath(const struct alloc_context *ac)
{
    struct attempt attempt = {.ac = ac, .alloc_flags = gfp_to_alloc_flags(ac)};
    bool first_round = true;
    if (!has_zone(ac))
        return fail(ac); /* not even NOFAIL can wait for that */
    for (;;) {
        wake_reclaimers(ac);
        struct quire_page *page = get_page_from_freelist(ac, attempt.alloc_flags);
        if (page)
            return page;
        if (!(ac->gfp & QUIRE_GFP_DIRECT_RECLAIM))
            return fail(ac);
        /* Fragmentation rather than need may be what stands in the way of a larger block. */
        if (first_round && (ac->order > COSTLY_ORDER || ac->type != QUIRE_MIGRATE_MOVABLE))
            page = compact(&attempt, true);
        first_round = false;
        if (!page && !(ac->gfp & QUIRE_GFP_MEMALLOC))
            page = reclaim_and_retry(&attempt);
        if (page)
            return page;
        if (!is_worth_another_round(&attempt))
            return fail(ac);
        warn_of_stall(&attempt);
        wait_a_moment(ac->mem);
    }
}
