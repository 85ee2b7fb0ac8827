/* phys/pcp.c: per-CPU page lists
 *
 * Each CPU keeps, for every zone, short stacks of free blocks by (order, migrate type): orders 0 to
 * 3 and the huge order. The common allocate and free touch only these; see pcp.h for how without a
 * lock. A page's list is that of the type it was allocated as, so that freeing needn't look at its
 * pageblock; pages of special pageblocks say PAGE_TYPE_SPECIAL, whose lists hold nothing.
 *
 *   invariant   a block on a list is free to nobody else: its bits in the pageblock's map are
 * clear, its first page says neither ALLOCATED nor has references bound       base <= top <= limit
 * <= base + cap; a refill or a drain moves at most cap / 2 blocks under the zone's lock
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
        slots += list_cap(mem, managed, index);
    return quire_align_up(sizeof(struct pcp) + slots * sizeof(struct quire_page *),
                          QUIRE_CACHELINE_BYTES);
}

/* Half of the slots at most, which is `high_min`: what a refill brings stays within the limit. */
static uint16_t batch_start(const struct pcp_list *list)
{
    unsigned start = list->cap / 8, most = (list->cap + 1u) / 2;
    if (start < BATCH_MIN)
        start = BATCH_MIN;
    return (uint16_t)(start < most ? start : most);
}

static uint16_t batch_doubled(const struct pcp_list *list, unsigned batch)
{
    unsigned most = (list->cap + 1u) / 2;
    return (uint16_t)(2 * batch < most ? 2 * batch : most);
}

static void list_set_high(struct pcp_list *list, unsigned high)
{
    list->limit = list->base + (high < list->cap ? high : list->cap);
}

static void list_settle(struct pcp_list *list)
{
    list->refill = list->drain = batch_start(list);
    list_set_high(list, list->high_min);
}

static struct pcp *pcp_create(struct zone *zone, void *memory, unsigned long managed)
{
    struct pcp *pcp = memory;
    struct quire_page **slots = (struct quire_page **)(void *)(pcp + 1);
    pcp->zone = zone;
    for (unsigned index = 0; index < PCP_LISTS; index++) {
        struct pcp_list *list = &pcp->list[index];
        list->top = list->base = slots;
        list->alloc_state =
            page_head_flags(zone, NULL, list_order(index), index % PCP_STRIDE) | PAGE_ONE_REFERENCE;
        list->cap = (uint16_t)list_cap(zone->mem, managed, index);
        list->high_min = (uint16_t)(list->cap - list->cap / 2);
        list_settle(list);
        slots += list->cap;
    }
    return pcp;
}

size_t zone_pcps_size(const struct zone *zone, unsigned long frames)
{
    const struct quire_mem *mem = zone->mem;
    size_t table = quire_align_up(mem->nr_cpus * sizeof(struct pcp *), QUIRE_CACHELINE_BYTES);
    return table + mem->nr_cpus * pcp_size(mem, frames);
}

void zone_pcps_create(struct zone *zone, void *memory, unsigned long frames)
{
    struct quire_mem *mem = zone->mem;
    struct pcp **table = memory;
    size_t size = zone_pcps_size(zone, frames);
    char *at = (char *)memory + size - mem->nr_cpus * pcp_size(mem, frames);
    __builtin_memset(memory, 0, size);
    for (unsigned cpu = 0; cpu < mem->nr_cpus; cpu++, at += pcp_size(mem, frames))
        table[cpu] = pcp_create(zone, at, frames);
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
    struct quire_page *const *slot = list->base;
    unsigned order = list_order(index);
    if (order >= 6) {
        for (unsigned i = 0; i < count; i++)
            buddy_free(zone, pfn_to_pageblock(zone->mem, slot[i]->pfn), slot[i]->pfn, order);
    } else {
        for (unsigned i = 0; i < count;) {
            unsigned long pfn = slot[i]->pfn, word = pfn >> 6;
            uint64_t mask = 0;
            do {
                mask |= quire_mask64(1u << order) << (slot[i]->pfn & 63);
                i++;
            } while (i < count && slot[i]->pfn >> 6 == word);
            struct pageblock *block = pfn_to_pageblock(zone->mem, pfn);
            buddy_free_mask(zone, block, (unsigned)(word & (PAGEBLOCK_WORDS - 1)), mask);
        }
    }
    unsigned left = pcp_count(list) - count;
    quire_count(&list->net_in, 0ul - count);
    quire_store_relaxed(&list->top, list->base + left);
    __builtin_memmove(list->base, list->base + count, left * sizeof list->base[0]);
}

/* The pageblocks of what will be drained are fetched before the lock is taken, all at once: with
 * several CPUs at work most of them are in another one's cache. */
static void prefetch_pageblocks(const struct pcp *pcp, unsigned index, unsigned count)
{
    struct quire_page *const *slot = pcp->list[index].base;
    for (unsigned i = 0; i < count; i++) {
        unsigned long pfn = slot[i]->pfn;
        struct pageblock *block = pfn_to_pageblock(pcp->zone->mem, pfn);
        __builtin_prefetch(&block->free[pfn >> 6 & (PAGEBLOCK_WORDS - 1)], 1);
        __builtin_prefetch(&block->nr, 1);
    }
}

static void drain(struct pcp *pcp, unsigned index)
{
    struct pcp_list *list = &pcp->list[index];
    unsigned count = pcp_count(list);
    count = count < list->drain ? count : list->drain;
    prefetch_pageblocks(pcp, index, count);
    quire_port_irq_t irq = zone_lock(pcp->zone);
    drain_locked(pcp, index, count);
    zone_unlock(pcp->zone, irq);
    list->refill = batch_start(list);
    list->drain = batch_doubled(list, list->drain);
    list_set_high(list, (unsigned)(list->limit - list->base) + list->drain);
}

/* Fills an empty list. */
static void refill(struct pcp *pcp, unsigned index, unsigned alloc_flags)
{
    struct pcp_list *list = &pcp->list[index];
    struct zone *zone = pcp->zone;
    enum quire_migratetype type = zone->mem->type_of_pcp[index % PCP_STRIDE];
    struct quire_page **slot = list->base;
    struct pageblock *from;
    unsigned taken = 0, got = 1;
    quire_port_irq_t irq = zone_lock(zone);
    while (taken < list->refill && got) {
        got = rmqueue(zone, list_order(index), type, alloc_flags, list->refill - taken,
                      slot + taken, &from);
        taken += got;
    }
    zone_unlock(zone, irq);
    /* The lowest address on top: a stream of allocations ascends. */
    for (unsigned low = 0, high = taken; low + 1 < high; low++) {
        struct quire_page *page = slot[low];
        slot[low] = slot[--high];
        slot[high] = page;
    }
    quire_count(&list->net_in, taken);
    quire_store_relaxed(&list->top, slot + taken);
    list->drain = batch_start(list);
    list->refill = batch_doubled(list, list->refill);
}

/* ---- the slow halves of allocating and freeing ------------------------------------------------
 */

struct quire_page *pcp_alloc(struct zone *zone, unsigned order, enum quire_migratetype type,
                             unsigned alloc_flags)
{
    unsigned index = pcp_index(order, type);
    quire_port_cpu_attach();
    struct cpu *cpu = cpu_enter(zone->mem);
    struct pcp *pcp = cpu_pcp(cpu, zone->id);
    struct pcp_list *list = &pcp->list[index];
    if (list->cap && !pcp_count(list))
        refill(pcp, index, alloc_flags);
    struct quire_page *page = pcp_pop(list);
    cpu_leave(cpu);
    return page;
}

unsigned long pcp_alloc_bulk(struct zone *zone, enum quire_migratetype type, unsigned alloc_flags,
                             unsigned long count, struct quire_page **pages)
{
    unsigned long done = 0;
    quire_port_cpu_attach();
    struct cpu *cpu = cpu_enter(zone->mem);
    struct pcp *pcp = cpu_pcp(cpu, zone->id);
    struct pcp_list *list = &pcp->list[type];
    for (; done < count; done++) {
        if (pages[done])
            continue;
        if (list->cap && !pcp_count(list))
            refill(pcp, type, alloc_flags);
        pages[done] = pcp_pop(list);
        if (!pages[done])
            break;
    }
    cpu_leave(cpu);
    return done;
}

bool pcp_free(struct zone *zone, struct quire_page *page, unsigned order, uint32_t flags)
{
    unsigned index = pcp_index(order, flags_type(flags));
    quire_port_cpu_attach();
    struct cpu *cpu = cpu_enter(zone->mem);
    struct pcp *pcp = cpu_pcp(cpu, zone->id);
    struct pcp_list *list = &pcp->list[index];
    if (list->cap && list->top >= list->limit)
        drain(pcp, index);
    bool done = pcp_push(list, page, flags);
    cpu_leave(cpu);
    return done;
}

/* ---- from outside -----------------------------------------------------------------------------
 */

static void empty(struct zone *zone, unsigned cpu)
{
    struct pcp *pcp = zone->pcp[cpu];
    quire_port_irq_t irq = zone_lock(zone);
    for (unsigned index = 0; index < PCP_LISTS; index++) {
        drain_locked(pcp, index, pcp_count(&pcp->list[index]));
        list_settle(&pcp->list[index]);
    }
    zone_unlock(zone, irq);
}

/* Takes the zone's lists out of the sight of all CPUs, or gives them back. */
static void change_closed(struct zone *zone, int by)
{
    quire_port_spin_lock(&zone->mem->lock);
    zone->pcp_closed += (unsigned)by;
    cpus_publish(zone->mem);
    quire_port_spin_unlock(&zone->mem->lock);
}

static void close_and_empty(struct zone *zone, unsigned first, unsigned end)
{
    if (!zone->pcp)
        return;
    change_closed(zone, 1);
    quire_port_fence_heavy();
    for (unsigned cpu = first; cpu < end; cpu++) {
        while (quire_load_acquire(&zone->mem->cpu[cpu]->busy))
            quire_port_relax();
        empty(zone, cpu);
    }
}

void pcp_close(struct zone *zone)
{
    close_and_empty(zone, 0, zone->mem->nr_cpus);
}

void pcp_open(struct zone *zone)
{
    if (zone->pcp)
        change_closed(zone, -1);
}

void quire_drain_pages(struct quire_mem *mem, unsigned cpu)
{
    if (cpu >= mem->nr_cpus)
        return;
    for_each_zone (mem, zone) {
        close_and_empty(zone, cpu, cpu + 1);
        pcp_open(zone);
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

/* ---- counts -----------------------------------------------------------------------------------
 */

unsigned long pcp_pages(const struct zone *zone)
{
    unsigned long pages = 0;
    if (zone->pcp)
        for (unsigned cpu = 0; cpu < zone->mem->nr_cpus; cpu++)
            for (unsigned index = 0; index < PCP_LISTS; index++)
                pages += (unsigned long)pcp_count(&zone->pcp[cpu]->list[index])
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
                blocks += quire_load_relaxed(&list->nr_alloc) + pcp_count(list) -
                          quire_load_relaxed(&list->net_in);
            }
    return blocks;
}
