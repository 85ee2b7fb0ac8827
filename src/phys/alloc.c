/* phys/alloc.c: the front door: allocating and freeing blocks
 *
 * The hot path is this CPU's list of the first zone that gfp allows: no lock, no atomic
 * instruction, four cache lines (what the CPU may use, the list, its slot, the page's descriptor).
 * What it can't serve goes through the zonelist under watermarks (get_page_from_freelist), and
 * then to slowpath.c. A watermark is looked at when a list is refilled, not on each allocation:
 * what is on a list has left the zone's free count already.
 */
#include "phys/pcp.h"

#define ALL_NODES UINT32_MAX

/* ---- preparing ------------------------------------------------------------------------------- */

uint32_t page_head_flags(const struct zone *zone, unsigned order, unsigned type)
{
    return (uint32_t)zone->id << PAGE_ZONE_SHIFT | type << PAGE_TYPE_SHIFT |
           order << PAGE_ORDER_SHIFT | (order < PCP_ORDERS ? 0 : PAGE_LARGE) | PAGE_ALLOCATED;
}

bool alloc_context_prepare(struct quire_mem *mem, int node, quire_gfp_t gfp, unsigned order,
                           struct alloc_context *ac)
{
    if (node < 0) {
        unsigned cpu = quire_port_cpu();
        node = cpu < mem->nr_cpus ? mem->cpu_node[cpu] : 0;
    }
    unsigned both = QUIRE_GFP_MOVABLE | QUIRE_GFP_RECLAIMABLE;
    if ((unsigned)node >= mem->nr_nodes || order > MAX_ORDER ||
        mem->zone_of_gfp[gfp & 15] == 0xff || (gfp & both) == both ||
        (gfp & (QUIRE_GFP_NOFAIL | QUIRE_GFP_DIRECT_RECLAIM)) == QUIRE_GFP_NOFAIL)
        return false;
    *ac = (struct alloc_context){
        .mem = mem,
        .zonelist =
            gfp & QUIRE_GFP_THISNODE ? mem->nodes[node].this_node : mem->nodes[node].fallback,
        .node = node,
        .gfp = gfp,
        .order = order,
        .type = gfp >> 3 & 3,
        .highest = mem->zone_of_gfp[gfp & 15],
        .nodes = ALL_NODES,
    };
    return true;
}

void prepare_new_page(struct quire_mem *mem, struct quire_page *page, unsigned order,
                      quire_gfp_t gfp, uintptr_t caller)
{
    if (quire_unlikely(mem->debug)) {
        if (mem->debug & QUIRE_DEBUG_POISON)
            check_poison(mem, page->pfn, 1ul << order);
        if (mem->debug & QUIRE_DEBUG_OWNER)
            owner_set(mem, page, order, caller);
    }
    if (gfp & QUIRE_GFP_COMP && order)
        quire_fetch_or(&page->flags, PAGE_COMPOUND);
    if (gfp & QUIRE_GFP_ZERO)
        clear_pages(mem, page->pfn, 1ul << order);
}

/* ---- one walk of the zonelist ---------------------------------------------------------------- */

static struct quire_page *rmqueue_zone(const struct alloc_context *ac, struct zone *zone,
                                       unsigned alloc_flags)
{
    struct quire_page *page = NULL;
    if (pcp_index(ac->order, 0) != PCP_NOT_LISTED) {
        page = pcp_alloc(zone, ac->order, ac->type, alloc_flags);
        if (page)
            return page;
    }
    bool atomic = alloc_flags & ALLOC_HIGHATOMIC;
    unsigned cpu = quire_port_cpu();
    struct shard *home = home_shard(zone, cpu);
    if (atomic)
        page = rmqueue_highatomic(zone, ac->order);
    bool special = page;
    if (!page)
        rmqueue(home, block_kind(ac->order, ac->type), alloc_flags, 1, &page + 1);
    if (!page && alloc_flags & ALLOC_NO_WATERMARKS) {
        page = rmqueue_highatomic(zone, ac->order);
        special = page;
    }
    if (!page)
        return NULL;
    if (atomic && !special && highatomic_has_room(zone)) {
        quire_port_irq_t irq = zone_lock(zone);
        special = reserve_highatomic(zone, pfn_to_pageblock(zone->mem, page->pfn));
        zone_unlock(zone, irq);
    }
    page_set_allocated(
        page, page_head_flags(zone, ac->order, special ? PAGE_TYPE_SPECIAL : (unsigned)ac->type));
    quire_fetch_add(&home->nr_alloc[ac->order], 1);
    if (cpu < ac->mem->nr_cpus && ac->mem->cpu_node[cpu] != zone->node)
        quire_fetch_add(&zone->numa_other, 1);
    return page;
}

/* A boost is there to have whole pageblocks freed, not to keep single pages from those who are
 * allowed the reserve. */
static unsigned long mark_for(const struct zone *zone, unsigned order, unsigned alloc_flags)
{
    enum watermark mark = alloc_flags & ALLOC_WMARK_MASK;
    if (!order && mark == WMARK_MIN && alloc_flags & ALLOC_MIN_RESERVE)
        return quire_load_relaxed(&zone->watermark[WMARK_MIN]);
    return zone_watermark(zone, mark);
}

/* The rarer halves of NUMA's events. `first`: the zone that the request would have liked best. */
static void count_miss(struct zone *first, struct zone *zone)
{
    if (zone->node != first->node) {
        quire_fetch_add(&zone->numa_miss, 1);
        quire_fetch_add(&first->numa_foreign, 1);
    }
}

struct quire_page *get_page_from_freelist(const struct alloc_context *ac, unsigned alloc_flags)
{
    struct zone *zone, *first = NULL;
    for (struct zone **list = ac->zonelist; (zone = quire_load_relaxed(list)); list++) {
        if (!zone_will_do(ac, zone))
            continue;
        first = first ? first : zone;
        if (!(alloc_flags & ALLOC_NO_WATERMARKS)) {
            if (!zone_watermark_ok(zone, ac->order, mark_for(zone, ac->order, alloc_flags),
                                   ac->highest, alloc_flags))
                continue;
        }
        struct quire_page *page = rmqueue_zone(ac, zone, alloc_flags);
        if (page) {
            count_miss(first, zone);
            return page;
        }
    }
    return NULL;
}

/* For tests: lists are closed then, so that all allocations come by here. */
static bool is_to_fail(const struct quire_mem *mem, quire_gfp_t gfp, unsigned order)
{
    return mem->debug & QUIRE_DEBUG_FAIL && !(gfp & QUIRE_GFP_NOFAIL) && mem->ops.refuse &&
           mem->ops.refuse(mem->ops_arg, gfp, order);
}

static struct quire_page *alloc_pages_of(struct quire_mem *mem, quire_gfp_t gfp, unsigned order,
                                         int node, uint32_t nodes, uintptr_t caller)
{
    struct alloc_context ac;
    if (!alloc_context_prepare(mem, node, gfp, order, &ac) ||
        quire_unlikely(is_to_fail(mem, gfp, order)))
        return NULL;
    ac.nodes = nodes;
    unsigned alloc_flags = WMARK_LOW | (ac.type == QUIRE_MIGRATE_MOVABLE ? ALLOC_CMA : 0);
    struct quire_page *page = get_page_from_freelist(&ac, alloc_flags);
    if (!page)
        page = alloc_pages_slowpath(&ac);
    if (page)
        prepare_new_page(mem, page, order, gfp, caller);
    return page;
}

static QUIRE_NOINLINE struct quire_page *
alloc_pages_slow(struct quire_mem *mem, quire_gfp_t gfp, unsigned order, int node, uintptr_t caller)
{
    return alloc_pages_of(mem, gfp, order, node, ALL_NODES, caller);
}

/* What the hot path leaves to do for a page that it got. The CPU's preferred zone may be another
 * node's, which THISNODE doesn't want. */
#define GFP_UNCOMMON (QUIRE_GFP_ZERO | QUIRE_GFP_COMP | QUIRE_GFP_THISNODE)

static QUIRE_NOINLINE struct quire_page *prepared(struct quire_mem *mem, struct quire_page *page,
                                                  unsigned order, quire_gfp_t gfp, uintptr_t caller)
{
    struct alloc_context ac;
    if (gfp & QUIRE_GFP_THISNODE && alloc_context_prepare(mem, -1, gfp, order, &ac) &&
        quire_page_node(mem, page) != ac.node) {
        quire_free_pages(mem, page, order);
        return alloc_pages_slow(mem, gfp, order, -1, caller);
    }
    prepare_new_page(mem, page, order, gfp, caller);
    return page;
}

#define CALLER ((uintptr_t)__builtin_return_address(0))

/* The huge lists follow those of the small orders, as if theirs were order PCP_ORDERS. */
static QUIRE_ALWAYS_INLINE struct pcp_list *preferred_list(const struct cpu *cpu, quire_gfp_t gfp,
                                                           unsigned order)
{
    struct pcp_list *list = quire_load_acquire(&cpu->prefer[gfp & GFP_PREFER_MASK]);
    return list + order * PCP_STRIDE;
}

/* This CPU's list is empty (the CPU is inside): if the zone is far from its watermark, its lock is
 * all that is needed. */
static QUIRE_NOINLINE struct quire_page *alloc_pages_refill(struct quire_mem *mem, quire_gfp_t gfp,
                                                            unsigned order, struct cpu *cpu,
                                                            struct pcp_list *list, uintptr_t caller)
{
    struct quire_page *page = NULL;
    if (list->cap && zone_has_plenty(list->shard, mem->zone_of_gfp[gfp & 15],
                                     (unsigned long)list->refill << order)) {
        pcp_refill(list, gfp & QUIRE_GFP_MOVABLE ? ALLOC_CMA : 0);
        if (list->top != list->base)
            page = pcp_pop(list);
    }
    cpu_leave(cpu);
    if (quire_unlikely(!page))
        return alloc_pages_slow(mem, gfp, order, -1, caller);
    if (quire_unlikely(gfp & GFP_UNCOMMON))
        return prepared(mem, page, order, gfp, caller);
    return page;
}

/* Calls to other functions stand only in returns, so that no registers are saved. */
static QUIRE_ALWAYS_INLINE struct quire_page *alloc_listed(struct quire_mem *mem, quire_gfp_t gfp,
                                                           unsigned order, unsigned list_order,
                                                           uintptr_t caller)
{
    struct cpu *cpu = cpu_enter(mem);
    struct pcp_list *list = preferred_list(cpu, gfp, list_order);
    if (quire_unlikely(list->top == list->base))
        return alloc_pages_refill(mem, gfp, order, cpu, list, caller);
    struct quire_page *page = pcp_pop(list);
    cpu_leave(cpu);
    if (quire_unlikely(gfp & GFP_UNCOMMON))
        return prepared(mem, page, order, gfp, caller);
    return page;
}

static QUIRE_NOINLINE struct quire_page *alloc_pages_large(struct quire_mem *mem, quire_gfp_t gfp,
                                                           unsigned order, uintptr_t caller)
{
    if (order != PAGEBLOCK_ORDER)
        return alloc_pages_slow(mem, gfp, order, -1, caller);
    return alloc_listed(mem, gfp, order, PCP_ORDERS, caller);
}

struct quire_page *quire_alloc_pages(struct quire_mem *mem, quire_gfp_t gfp, unsigned order)
{
    QUIRE_ASSERT(!(gfp & ~QUIRE_GFP_MASK));
    if (quire_unlikely(order >= PCP_ORDERS))
        return alloc_pages_large(mem, gfp, order, CALLER);
    return alloc_listed(mem, gfp, order, order, CALLER);
}

struct quire_page *quire_alloc_pages_node(struct quire_mem *mem, int node, quire_gfp_t gfp,
                                          unsigned order)
{
    QUIRE_ASSERT(!(gfp & ~QUIRE_GFP_MASK));
    return node < 0 ? NULL : alloc_pages_slow(mem, gfp, order, node, CALLER);
}

struct quire_page *quire_alloc_pages_nodemask(struct quire_mem *mem, int node, uint32_t nodes,
                                              quire_gfp_t gfp, unsigned order)
{
    QUIRE_ASSERT(!(gfp & ~QUIRE_GFP_MASK));
    return alloc_pages_of(mem, gfp, order, node < 0 ? -1 : node, nodes, CALLER);
}

/* ---- freeing --------------------------------------------------------------------------------- */

static void debug_free(struct quire_mem *mem, struct quire_page *page, unsigned order)
{
    if (mem->debug & QUIRE_DEBUG_OWNER)
        owner_clear(mem, page);
    if (mem->debug & QUIRE_DEBUG_POISON)
        poison_pages(mem, page->pfn, 1ul << order);
}

static void free_to_shard(struct shard *shard, struct quire_page *page, unsigned order,
                          uint32_t flags)
{
    page_set_free(page, flags);
    quire_tell_event(FREE, page->pfn, order);
    buddy_free(shard, pfn_to_pageblock(shard->mem, page->pfn), page->pfn, order);
    quire_fetch_add(&shard->nr_freed[order], 1);
}

void free_block_locked(struct zone *zone, struct quire_page *page, unsigned order, uint32_t flags)
{
    if (quire_unlikely(zone->mem->debug))
        debug_free(zone->mem, page, order);
    free_to_shard(frame_shard(zone, page->pfn), page, order, flags);
}

void free_block(struct quire_mem *mem, struct quire_page *page, unsigned order, uint32_t flags)
{
    if (quire_unlikely(mem->debug))
        debug_free(mem, page, order);
    struct zone *zone = &mem->zones[flags_zone(flags)];
    if (pcp_index(order, 0) != PCP_NOT_LISTED && flags_type(flags) != PAGE_TYPE_SPECIAL &&
        pcp_free(zone, page, order, flags))
        return;
    struct shard *shard = frame_shard(zone, page->pfn);
    quire_port_irq_t irq = shard_lock(shard);
    free_to_shard(shard, page, order, flags);
    shard_unlock(shard, irq);
}

static QUIRE_NOINLINE void free_pages_slow(struct quire_mem *mem, struct quire_page *page,
                                           unsigned order)
{
    uint32_t flags = page_flags(page);
    if (order > MAX_ORDER || (flags & PAGE_FREE_MASK & ~QUIRE_PAGE_OWNER_FLAGS) !=
                                 (PAGE_ALLOCATED | order << PAGE_ORDER_SHIFT)) {
        report_bad_free(mem, page, order, flags);
        return;
    }
    uint32_t references = quire_load_relaxed(&page->refcount);
    do {
        if (!references || (references == 1 && flags & QUIRE_PAGE_OWNER_FLAGS)) {
            report_bad_free(mem, page, order, flags);
            return;
        }
    } while (!quire_compare_exchange(&page->refcount, &references, references - 1));
    if (references == 1)
        free_block(mem, page, order, flags);
}

/* The hot path's check of a block's first page: one reference, and what PAGE_FREE_MASK says, in one
 * comparison of its state. */
#define STATE_FREE_MASK (0xffffffffull << 32 | 1u << 31 | PAGE_FREE_MASK | PAGE_LARGE)

static QUIRE_NOINLINE void free_pages_drain(struct quire_mem *mem, struct quire_page *page,
                                            uint32_t flags, struct cpu *cpu, struct pcp_list *list)
{
    if (list->cap)
        pcp_drain(list);
    bool done = pcp_push(list, page, flags);
    cpu_leave(cpu);
    if (!done)
        free_pages_slow(mem, page, flags_order(flags));
}

/* `wrong`: how the page's state differs from that of a block with a small list. A huge block, which
 * is LARGE and nothing else, has a list too. */
static QUIRE_NOINLINE void free_pages_large(struct quire_mem *mem, struct quire_page *page,
                                            unsigned order, uint64_t wrong)
{
    uint32_t flags = page_flags(page);
    if (wrong != PAGE_LARGE || order != PAGEBLOCK_ORDER || flags_type(flags) == PAGE_TYPE_SPECIAL) {
        free_pages_slow(mem, page, order);
        return;
    }
    struct cpu *cpu = cpu_enter(mem);
    struct pcp_list *list = &cpu_pcp(cpu, flags_zone(flags))->list[PCP_HUGE + flags_type(flags)];
    if (quire_unlikely(!pcp_push(list, page, flags))) {
        free_pages_drain(mem, page, flags, cpu, list);
        return;
    }
    cpu_leave(cpu);
}

void quire_free_pages(struct quire_mem *mem, struct quire_page *page, unsigned order)
{
    uint64_t state = page_state(page);
    uint64_t expected = PAGE_ONE_REFERENCE | PAGE_ALLOCATED | (uint64_t)order << PAGE_ORDER_SHIFT;
    uint64_t wrong = (state ^ expected) & STATE_FREE_MASK;
    if (quire_unlikely(order >= PCP_ORDERS || wrong)) {
        free_pages_large(mem, page, order, wrong);
        return;
    }
    uint32_t flags = (uint32_t)state;
    struct cpu *cpu = cpu_enter(mem);
    struct pcp *pcp = cpu_pcp(cpu, flags_zone(flags));
    size_t offset = flags & (PAGE_ORDER_MASK | PAGE_TYPE_MASK);
    struct pcp_list *list = (struct pcp_list *)(void *)((char *)pcp + offset);
    if (quire_unlikely(!pcp_push(list, page, flags))) {
        free_pages_drain(mem, page, flags, cpu, list);
        return;
    }
    cpu_leave(cpu);
}
