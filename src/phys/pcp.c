/* phys/pcp.c: per-CPU page lists
 *
 * Each CPU keeps, for every zone, short stacks of free blocks by (order, migrate type): orders 0 to
 * 3 and the huge order. The common allocate and free touch only these; see pcp.h for how without a
 * lock. A page's list is that of the type it was allocated as, so that freeing needn't look at its
 * pageblock; pages of special pageblocks carry PAGE_NOPCP and never come here.
 *
 *   invariant   a block on a list is free to nobody else: its bits in the pageblock's map are
 * clear, its first page says neither ALLOCATED nor has references bound       count <= high <= cap;
 * a refill or a drain moves at most cap / 2 blocks under the zone's lock
 *
 * Refills and drains start small and double while the same one follows itself: a CPU that only
 * allocates, or only frees, takes the lock ever less often, and one that does both keeps few pages.
 */
#include "phys/pcp.h"

#define BATCH_MIN 8

static unsigned list_order(unsigned index)
{
    return index < PCP_HUGE ? index / PCP_STRIDE : PAGEBLOCK_ORDER;
}

/* Slots of a list. All CPUs' order-0 lists together hold at most 1/16 of the zone, the others less;
 * huge blocks are cached only where a CPU's share of 1/64 of the zone has room for one. */
static unsigned list_cap(const struct quire_mem *mem, unsigned long managed, unsigned index)
{
    unsigned order = list_order(index);
    unsigned long share = managed / mem->nr_cpus / 64;
    if (index % PCP_STRIDE == PCP_TYPES)
        return 0;
    if (order == PAGEBLOCK_ORDER) {
        unsigned long blocks = share >> PAGEBLOCK_ORDER;
        return blocks > 8 ? 8 : (unsigned)blocks;
    }
    unsigned long most = 1ul << QUIRE_PCP_SHIFT;
    unsigned long cap = share > most ? most : share;
    if (order)
        cap >>= order + 1;
    return cap < 4 ? (order ? 0 : 4) : (unsigned)cap;
}

static size_t pcp_size(const struct quire_mem *mem, unsigned long managed)
{
    size_t slots = 0;
    for (unsigned index = 0; index < PCP_LISTS; index++)
        slots += list_cap(mem, managed, index) + 1;
    return (size_t)quire_align_up(sizeof(struct pcp) + slots * sizeof(struct quire_page *),
                                  QUIRE_CACHELINE_BYTES);
}

static uint16_t batch_start(const struct pcp_limits *limits)
{
    unsigned start = limits->cap / 8;
    if (start < BATCH_MIN)
        start = BATCH_MIN < limits->cap ? BATCH_MIN : (limits->cap + 1u) / 2;
    return (uint16_t)start;
}

static uint16_t batch_doubled(const struct pcp_limits *limits, unsigned batch)
{
    unsigned most = (limits->cap + 1u) / 2;
    return (uint16_t)(2 * batch < most ? 2 * batch : most);
}

static void list_settle(struct pcp *pcp, unsigned index)
{
    struct pcp_limits *limits = &pcp->limits[index];
    limits->refill = limits->drain = batch_start(limits);
    limits->high_min = (uint16_t)(limits->cap - limits->cap / 2);
    pcp->list[index].high = limits->high_min;
}

static struct pcp *pcp_create(struct zone *zone, void *memory, unsigned long managed)
{
    struct pcp *pcp = memory;
    struct quire_page **slots = (struct quire_page **)(void *)(pcp + 1);
    pcp->zone = zone;
    for (unsigned index = 0; index < PCP_LISTS; index++) {
        unsigned order = list_order(index);
        struct pcp_list *list = &pcp->list[index];
        list->slot = slots + 1;
        list->head_flags = page_head_flags(zone, NULL, order, index % PCP_STRIDE);
        pcp->limits[index].cap = (uint16_t)list_cap(zone->mem, managed, index);
        list_settle(pcp, index);
        slots += pcp->limits[index].cap + 1;
    }
    return pcp;
}

size_t zone_pcps_size(const struct zone *zone, unsigned long frames)
{
    const struct quire_mem *mem = zone->mem;
    size_t table =
        (size_t)quire_align_up((mem->nr_cpus + 1) * sizeof(struct pcp *), QUIRE_CACHELINE_BYTES);
    return table + mem->nr_cpus * pcp_size(mem, frames);
}

void zone_pcps_create(struct zone *zone, void *memory, unsigned long frames)
{
    struct quire_mem *mem = zone->mem;
    struct pcp **table = memory;
    char *at = (char *)memory + zone_pcps_size(zone, frames) - mem->nr_cpus * pcp_size(mem, frames);
    __builtin_memset(memory, 0, zone_pcps_size(zone, frames));
    for (unsigned cpu = 0; cpu < mem->nr_cpus; cpu++, at += pcp_size(mem, frames))
        table[cpu] = pcp_create(zone, at, frames);
    table[mem->nr_cpus] = &mem->no_cpu_pcp;
    zone->pcp = table;
}

/* ---- moving blocks between a list and the zone
 * ------------------------------------------------------ */

/* Gives the `count` oldest blocks of a list to the zone. Neighbours that were freed together are
 * merged before they get there: the bits of one word are gathered first. */
static void drain_locked(struct pcp *pcp, unsigned index, unsigned count)
{
    struct pcp_list *list = &pcp->list[index];
    struct zone *zone = pcp->zone;
    unsigned order = list_order(index);
    QUIRE_EXPENSIVE(pcp_list_is_valid(pcp, index));
    if (order >= 6) {
        for (unsigned i = 0; i < count; i++)
            buddy_free(zone, pfn_to_pageblock(zone->mem, list->slot[i]->pfn), list->slot[i]->pfn,
                       order);
    } else {
        for (unsigned i = 0; i < count;) {
            unsigned long pfn = list->slot[i]->pfn, word = pfn >> 6;
            uint64_t mask = 0;
            do {
                mask |= quire_mask64(1u << order) << (list->slot[i]->pfn & 63);
                i++;
            } while (i < count && list->slot[i]->pfn >> 6 == word);
            struct pageblock *block = pfn_to_pageblock(zone->mem, pfn);
            buddy_free_mask(zone, block, (unsigned)(word & (PAGEBLOCK_WORDS - 1)), mask);
        }
    }
    quire_count(&list->net_in, 0ul - count);
    quire_store_relaxed(&list->count, (uint16_t)(list->count - count));
    __builtin_memmove(list->slot, list->slot + count, list->count * sizeof list->slot[0]);
}

/* The pageblocks of what will be drained are fetched before the lock is taken, all at once: with
 * several CPUs at work most of them are in another one's cache. */
static void prefetch_pageblocks(const struct pcp *pcp, unsigned index, unsigned count)
{
    struct quire_page *const *slot = pcp->list[index].slot;
    for (unsigned i = 0; i < count; i++) {
        unsigned long pfn = slot[i]->pfn;
        struct pageblock *block = pfn_to_pageblock(pcp->zone->mem, pfn);
        __builtin_prefetch(&block->free[pfn >> 6 & (PAGEBLOCK_WORDS - 1)], 1);
        __builtin_prefetch(&block->nr, 1);
    }
}

static QUIRE_NOINLINE void drain(struct pcp *pcp, unsigned index)
{
    struct pcp_limits *limits = &pcp->limits[index];
    struct pcp_list *list = &pcp->list[index];
    unsigned count = limits->drain < list->count ? limits->drain : list->count;
    prefetch_pageblocks(pcp, index, count);
    quire_port_irq_t irq = zone_lock(pcp->zone);
    drain_locked(pcp, index, count);
    zone_unlock(pcp->zone, irq);
    limits->refill = batch_start(limits);
    limits->drain = batch_doubled(limits, limits->drain);
    unsigned high = list->high + limits->drain;
    list->high = (uint16_t)(high < limits->cap ? high : limits->cap);
}

/* Fills an empty list; false when the zone has nothing for it. */
static QUIRE_NOINLINE bool refill(struct pcp *pcp, unsigned index, enum quire_migratetype type,
                                  unsigned alloc_flags)
{
    struct pcp_limits *limits = &pcp->limits[index];
    struct pcp_list *list = &pcp->list[index];
    struct zone *zone = pcp->zone;
    struct pageblock *from;
    unsigned taken = 0;
    quire_port_irq_t irq = zone_lock(zone);
    while (taken < limits->refill) {
        unsigned got = rmqueue(zone, list_order(index), type, alloc_flags, limits->refill - taken,
                               list->slot + taken, &from);
        if (!got)
            break;
        taken += got;
    }
    zone_unlock(zone, irq);
    /* The lowest address on top: a stream of allocations ascends. */
    for (unsigned low = 0, high = taken; low + 1 < high; low++) {
        struct quire_page *page = list->slot[low];
        list->slot[low] = list->slot[--high];
        list->slot[high] = page;
    }
    quire_count(&list->net_in, taken);
    quire_store_relaxed(&list->count, (uint16_t)taken);
    limits->drain = batch_start(limits);
    limits->refill = batch_doubled(limits, limits->refill);
    return taken != 0;
}

/* ---- the slow halves of allocating and freeing
 * ------------------------------------------------------- */

struct quire_page *pcp_alloc(struct zone *zone, unsigned order, enum quire_migratetype type,
                             unsigned alloc_flags)
{
    struct quire_page *page = NULL;
    unsigned index = pcp_index(order, type);
    quire_port_preempt_disable();
    struct pcp *pcp = this_cpu(zone->mem)->zone[zone->id];
    if (pcp_enter(pcp)) {
        struct pcp_list *list = &pcp->list[index];
        if (list->count || (pcp->limits[index].cap &&
                            refill(pcp, index, zone->mem->type_of_pcp[type], alloc_flags)))
            page = pcp_pop(list);
        pcp_leave(pcp);
    }
    quire_port_preempt_enable();
    return page;
}

unsigned long pcp_alloc_bulk(struct zone *zone, enum quire_migratetype type, unsigned alloc_flags,
                             unsigned long count, struct quire_page **pages)
{
    unsigned long done = 0;
    quire_port_preempt_disable();
    struct pcp *pcp = this_cpu(zone->mem)->zone[zone->id];
    if (pcp_enter(pcp)) {
        struct pcp_list *list = &pcp->list[type];
        for (; done < count; done++) {
            if (pages[done])
                continue;
            if (!list->count && !refill(pcp, type, zone->mem->type_of_pcp[type], alloc_flags))
                break;
            pages[done] = pcp_pop(list);
        }
        pcp_leave(pcp);
    }
    quire_port_preempt_enable();
    return done;
}

bool pcp_free(struct zone *zone, struct quire_page *page, unsigned order, uint32_t flags)
{
    bool done = false;
    unsigned index = pcp_index(order, flags_type(flags));
    quire_port_preempt_disable();
    struct pcp *pcp = this_cpu(zone->mem)->zone[zone->id];
    if (pcp_enter(pcp)) {
        if (pcp->limits[index].cap) {
            if (pcp->list[index].count >= pcp->list[index].high)
                drain(pcp, index);
            pcp_push(&pcp->list[index], page, flags);
            done = true;
        }
        pcp_leave(pcp);
    }
    quire_port_preempt_enable();
    return done;
}

/* ---- from outside
 * --------------------------------------------------------------------------------------- */

static void empty_locked(struct pcp *pcp)
{
    for (unsigned index = 0; index < PCP_LISTS; index++) {
        drain_locked(pcp, index, pcp->list[index].count);
        list_settle(pcp, index);
    }
}

static void close_cpus(struct zone *zone, unsigned first, unsigned end)
{
    struct pcp *none = &zone->mem->no_cpu_pcp;
    for (unsigned cpu = first; cpu < end; cpu++)
        if (zone->pcp[cpu] != none)
            quire_fetch_add(&zone->pcp[cpu]->closed, 1);
    quire_port_fence_heavy();
    for (unsigned cpu = first; cpu < end; cpu++) {
        struct pcp *pcp = zone->pcp[cpu];
        if (pcp == none)
            continue;
        while (quire_load_acquire(&pcp->busy))
            quire_port_relax();
        quire_port_irq_t irq = zone_lock(zone);
        empty_locked(pcp);
        zone_unlock(zone, irq);
    }
}

static void open_cpus(struct zone *zone, unsigned first, unsigned end)
{
    for (unsigned cpu = first; cpu < end; cpu++)
        if (zone->pcp[cpu] != &zone->mem->no_cpu_pcp)
            quire_sub_fetch(&zone->pcp[cpu]->closed, 1);
}

void pcp_close(struct zone *zone)
{
    if (zone->pcp)
        close_cpus(zone, 0, zone->mem->nr_cpus);
}

void pcp_open(struct zone *zone)
{
    if (zone->pcp)
        open_cpus(zone, 0, zone->mem->nr_cpus);
}

void quire_drain_pages(struct quire_mem *mem, unsigned cpu)
{
    if (cpu >= mem->nr_cpus)
        return;
    for_each_zone (mem, zone)
        if (zone->pcp) {
            close_cpus(zone, cpu, cpu + 1);
            open_cpus(zone, cpu, cpu + 1);
        }
}

void quire_drain_all_pages(struct quire_mem *mem)
{
    count_event(mem, EVENT_DRAIN_ALL, 1);
    for_each_zone (mem, zone) {
        pcp_close(zone);
        pcp_open(zone);
    }
}

/* ---- counts
 * ------------------------------------------------------------------------------------------------
 */

unsigned long pcp_pages(const struct zone *zone)
{
    unsigned long pages = 0;
    if (zone->pcp)
        for (unsigned cpu = 0; cpu < zone->mem->nr_cpus; cpu++)
            for (unsigned index = 0; index < PCP_LISTS; index++)
                pages += (unsigned long)quire_load_relaxed(&zone->pcp[cpu]->list[index].count)
                         << list_order(index);
    return pages;
}

unsigned long pcp_allocated_blocks(const struct zone *zone, unsigned order)
{
    unsigned long blocks = 0;
    if (zone->pcp && pcp_index(order, 0) != PCP_NOT_LISTED)
        for (unsigned cpu = 0; cpu < zone->mem->nr_cpus; cpu++)
            for (unsigned type = 0; type < PCP_TYPES; type++)
                blocks +=
                    quire_load_relaxed(&zone->pcp[cpu]->list[pcp_index(order, type)].nr_alloc);
    return blocks;
}

/* What came in by refill or free went out by drain or allocation, or is there. So frees needn't be
 * counted where they happen. */
unsigned long pcp_freed_blocks(const struct zone *zone, unsigned order)
{
    unsigned long blocks = 0;
    if (zone->pcp && pcp_index(order, 0) != PCP_NOT_LISTED)
        for (unsigned cpu = 0; cpu < zone->mem->nr_cpus; cpu++)
            for (unsigned type = 0; type < PCP_TYPES; type++) {
                const struct pcp_list *list = &zone->pcp[cpu]->list[pcp_index(order, type)];
                blocks += quire_load_relaxed(&list->nr_alloc) + quire_load_relaxed(&list->count) -
                          quire_load_relaxed(&list->net_in);
            }
    return blocks;
}
