/* phys/alloc.c: the front door: allocating and freeing blocks
 *
 * The hot path is this CPU's list of the first zone that gfp allows: no lock, no atomic
 * instruction, three cache lines (the pcp's head, the list with its slot, the page's descriptor).
 * What it can't serve goes through the zonelist under watermarks (get_page_from_freelist), and
 * then to slowpath.c. A watermark is looked at when a list is refilled, not on each allocation:
 * what is on a list has left the zone's free count already.
 */
#include "phys/pcp.h"

/* ---- preparing
 * ------------------------------------------------------------------------------------- */

uint32_t page_head_flags(const struct zone *zone, const struct pageblock *block, unsigned order,
                         enum quire_migratetype type)
{
    uint32_t special = block && block->type == QUIRE_MIGRATE_HIGHATOMIC ? PAGE_NOPCP : 0;
    return (uint32_t)zone->id << PAGE_ZONE_SHIFT | type << PAGE_TYPE_SHIFT |
           order << PAGE_ORDER_SHIFT | PAGE_ALLOCATED | special;
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
            owner_set(mem, page, order, gfp, caller);
    }
    if (gfp & QUIRE_GFP_COMP && order)
        quire_fetch_or(&page->flags, PAGE_COMPOUND);
    if (gfp & QUIRE_GFP_ZERO)
        clear_pages(mem, page->pfn, 1ul << order);
}

/* ---- one walk of the zonelist
 * ------------------------------------------------------------------------- */

static struct quire_page *rmqueue_zone(const struct alloc_context *ac, struct zone *zone,
                                       unsigned alloc_flags)
{
    struct quire_page *page = NULL;
    struct pageblock *block = NULL;
    if (pcp_index(ac->order, 0) != PCP_NOT_LISTED) {
        page = pcp_alloc(zone, ac->order, ac->type, alloc_flags);
        if (page)
            return page;
    }
    enum quire_migratetype type = ac->mem->type_of_pcp[ac->type];
    quire_port_irq_t irq = zone_lock(zone);
    unsigned got = 0;
    if (alloc_flags & ALLOC_HIGHATOMIC)
        got = buddy_take(zone, ac->order, QUIRE_MIGRATE_HIGHATOMIC, 1, &page, &block);
    if (!got)
        got = rmqueue(zone, ac->order, type, alloc_flags, 1, &page, &block);
    if (!got && alloc_flags & (ALLOC_OOM | ALLOC_NO_WATERMARKS))
        got = buddy_take(zone, ac->order, QUIRE_MIGRATE_HIGHATOMIC, 1, &page, &block);
    if (got) {
        if (alloc_flags & ALLOC_HIGHATOMIC)
            reserve_highatomic(zone, block);
        page_set_allocated(page, page_head_flags(zone, block, ac->order, ac->type));
        zone->events.alloc[ac->order]++;
    }
    zone_unlock(zone, irq);
    return got ? page : NULL;
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

struct quire_page *get_page_from_freelist(const struct alloc_context *ac, unsigned alloc_flags)
{
    struct zone *zone;
    for (struct zone **list = ac->zonelist; (zone = quire_load_relaxed(list)); list++) {
        if (zone->type > ac->highest)
            continue;
        if (!(alloc_flags & ALLOC_NO_WATERMARKS)) {
            if (!zone_watermark_ok(zone, ac->order, mark_for(zone, ac->order, alloc_flags),
                                   ac->highest, alloc_flags))
                continue;
        }
        struct quire_page *page = rmqueue_zone(ac, zone, alloc_flags);
        if (page)
            return page;
    }
    return NULL;
}

static QUIRE_NOINLINE struct quire_page *
alloc_pages_slow(struct quire_mem *mem, int node, quire_gfp_t gfp, unsigned order, uintptr_t caller)
{
    struct alloc_context ac;
    if (!alloc_context_prepare(mem, node, gfp, order, &ac))
        return NULL;
    unsigned alloc_flags = WMARK_LOW | (ac.type == QUIRE_MIGRATE_MOVABLE ? ALLOC_CMA : 0);
    struct quire_page *page = get_page_from_freelist(&ac, alloc_flags);
    if (!page)
        page = alloc_pages_slowpath(&ac);
    if (page)
        prepare_new_page(mem, page, order, gfp, caller);
    return page;
}

/* The list that a CPU of a node without memory prefers is another node's. */
static QUIRE_NOINLINE bool is_on_this_node(struct quire_mem *mem, const struct quire_page *page)
{
    unsigned cpu = quire_port_cpu();
    return page_zone(mem, page)->node == (cpu < mem->nr_cpus ? mem->cpu_node[cpu] : 0);
}

#define CALLER ((uintptr_t)__builtin_return_address(0))

struct quire_page *quire_alloc_pages(struct quire_mem *mem, quire_gfp_t gfp, unsigned order)
{
    if (quire_unlikely(order >= PCP_ORDERS))
        return alloc_pages_slow(mem, -1, gfp, order, CALLER);
    quire_port_preempt_disable();
    struct pcp *pcp = quire_load_relaxed(&this_cpu(mem)->prefer[gfp & 15]);
    struct pcp_list *list = &pcp->list[order * PCP_STRIDE + (gfp >> 3 & 3)];
    struct quire_page *page = NULL;
    if (quire_likely(pcp_enter(pcp))) {
        if (quire_likely(list->count))
            page = pcp_pop(list);
        pcp_leave(pcp);
    }
    quire_port_preempt_enable();
    if (quire_unlikely(!page))
        return alloc_pages_slow(mem, -1, gfp, order, CALLER);
    if (quire_unlikely(gfp & (QUIRE_GFP_ZERO | QUIRE_GFP_COMP | QUIRE_GFP_THISNODE))) {
        if (gfp & QUIRE_GFP_THISNODE && !is_on_this_node(mem, page)) {
            quire_free_pages(mem, page, order);
            return alloc_pages_slow(mem, -1, gfp, order, CALLER);
        }
        prepare_new_page(mem, page, order, gfp, CALLER);
    }
    return page;
}

struct quire_page *quire_alloc_pages_node(struct quire_mem *mem, int node, quire_gfp_t gfp,
                                          unsigned order)
{
    return node < 0 ? NULL : alloc_pages_slow(mem, node, gfp, order, CALLER);
}

/* ---- freeing
 * -------------------------------------------------------------------------------------------- */

void free_block(struct quire_mem *mem, struct quire_page *page, unsigned order, uint32_t flags)
{
    if (quire_unlikely(mem->debug)) {
        if (mem->debug & QUIRE_DEBUG_OWNER)
            owner_clear(mem, page);
        if (mem->debug & QUIRE_DEBUG_POISON)
            poison_pages(mem, page->pfn, 1ul << order);
    }
    struct zone *zone = &mem->zones[flags_zone(flags)];
    if (!(flags & PAGE_NOPCP) && pcp_index(order, 0) != PCP_NOT_LISTED &&
        pcp_free(zone, page, order, flags))
        return;
    quire_port_irq_t irq = zone_lock(zone);
    page_set_free(page, flags);
    buddy_free(zone, pfn_to_pageblock(mem, page->pfn), page->pfn, order);
    zone->events.free[order]++;
    zone_unlock(zone, irq);
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

void quire_free_pages(struct quire_mem *mem, struct quire_page *page, unsigned order)
{
    if (quire_unlikely(!page))
        return;
    uint32_t flags = page_flags(page);
    if (quire_likely(order < PCP_ORDERS) &&
        quire_likely((flags & (PAGE_FREE_MASK | PAGE_NOPCP)) ==
                     (PAGE_ALLOCATED | order << PAGE_ORDER_SHIFT)) &&
        quire_likely(quire_load_relaxed(&page->refcount) == 1)) {
        quire_port_preempt_disable();
        struct pcp *pcp = quire_load_relaxed(&this_cpu(mem)->zone[flags_zone(flags)]);
        struct pcp_list *list = &pcp->list[order * PCP_STRIDE + flags_type(flags)];
        bool done = false;
        if (quire_likely(pcp_enter(pcp))) {
            if (quire_likely(list->count < list->high)) {
                pcp_push(list, page, flags);
                done = true;
            }
            pcp_leave(pcp);
        }
        quire_port_preempt_enable();
        if (quire_likely(done))
            return;
    }
    free_pages_slow(mem, page, order);
}
