/* phys/pcp.c: per-CPU page lists
 *
 * Each CPU keeps, for every zone, short stacks of free blocks by (order, migrate type): orders 0 to
 * 3 and the huge order. The common allocate and free touch only these; see pcp.h for how without a
 * lock. A page's list is that of the type it was allocated as, so that freeing needn't look at its
 * pageblock; pages of special pageblocks say PAGE_TYPE_SPECIAL, whose lists hold nothing. One list
 * more, PCP_CLEARED, has only what free_cleared_page put there: it is neither refilled nor drained
 * by what goes in and out.
 *
 *   invariant   a block on a list is free to nobody else: its bits in the pageblock's map are
 *               clear, its first page says neither ALLOCATED nor has references
 *   bound       base <= top <= limit <= base + cap; a refill moves at most cap / 2 blocks, a drain
 *               7/8 of cap, and before them an inbox's
 *
 * Refills and drains start small and double while the same one follows itself: a CPU that only
 * allocates, or only frees, takes the lock ever less often, and one that does both keeps few pages.
 * Drains grow larger than refills, because what is left on a list costs twice: when blocks come
 * back in random order, each that is missing in its pageblock breaks it into many small ones.
 */
#include "phys/pcp.h"

#define BATCH_MIN 8
#define CLEARED_MAX 16 /* the tables of two small processes */

/* Slots of a list. All CPUs' lists of one small order and type together hold at most 1/64 of the
 * zone; huge lists rest at 1/16, or 1/8 of a large one, and may reach twice that: what goes to
 * another CPU's inbox travels in whole batches. Blocks of several pages get room for twice the
 * frames, since their batches are short otherwise. */
static unsigned list_cap(const struct quire_mem *mem, unsigned long managed, unsigned index)
{
    unsigned order = pcp_list_order(index);
    unsigned long share = managed / mem->nr_cpus / (order == PAGEBLOCK_ORDER ? 16 : 64);
    if (index == PCP_CLEARED)
        return share / 4 < CLEARED_MAX ? (unsigned)share / 4 : CLEARED_MAX;
    if (index % PCP_STRIDE == PCP_TYPES)
        return 0;
    if (order == PAGEBLOCK_ORDER) {
        unsigned long blocks = share >> PAGEBLOCK_ORDER;
        return blocks > 4 ? 32 : blocks > 2 ? 8 : blocks ? 4 : 0; /* batches of whole buddies */
    }
    unsigned long most = (order ? 2ul : 1ul) << QUIRE_PCP_SHIFT;
    unsigned long cap = (share < most ? share : most) >> order;
    return cap < 4 ? (order ? 0 : 4) : (unsigned)cap;
}

static size_t pcp_size(const struct quire_mem *mem, unsigned long managed)
{
    size_t slots = 0;
    for (unsigned index = 0; index < PCP_LISTS; index++)
        slots += list_cap(mem, managed, index);
    return (size_t)quire_align_up(sizeof(struct pcp) + slots * sizeof(struct quire_page *),
                                  QUIRE_CACHELINE_BYTES);
}

/* Half of the slots at most, which is `high_min`: what a refill brings stays within the limit. */
static uint16_t batch_start(const struct pcp_list *list)
{
    unsigned start = list->cap / 8 > BATCH_MIN ? list->cap / 8 : BATCH_MIN;
    return (uint16_t)(start < list->high_min ? start : list->high_min);
}

static uint16_t batch_doubled(unsigned batch, unsigned most)
{
    return (uint16_t)(2 * batch < most ? 2 * batch : most);
}

static void list_set_high(struct pcp_list *list, unsigned high)
{
    quire_store_relaxed(&list->limit, list->base + (high < list->cap ? high : list->cap));
}

/* Cleared pages don't come by refills, for which others leave room. */
static void list_settle(struct pcp_list *list, unsigned index)
{
    list->high_min = (uint16_t)(index == PCP_CLEARED ? list->cap : list->cap - list->cap / 2);
    quire_store_relaxed(&list->refill, batch_start(list));
    quire_store_relaxed(&list->drain, batch_start(list));
    list_set_high(list, list->high_min);
}

static struct pcp *pcp_create(struct zone *zone, unsigned cpu, void *memory, unsigned long managed)
{
    struct pcp *pcp = memory;
    struct quire_page **slots = (struct quire_page **)(void *)(pcp + 1);
    for (unsigned index = 0; index < PCP_LISTS; index++) {
        struct pcp_list *list = &pcp->list[index];
        list->top = list->base = slots;
        list->shard = home_shard(zone, cpu);
        list->alloc_state =
            page_head_flags(zone, pcp_list_order(index), index % PCP_STRIDE) | PAGE_ONE_REFERENCE;
        list->cap = (uint16_t)list_cap(zone->mem, managed, index);
        list_settle(list, index);
        slots += list->cap;
    }
    return pcp;
}

static size_t table_size(const struct quire_mem *mem)
{
    return (size_t)quire_align_up(mem->nr_cpus * sizeof(struct pcp *), QUIRE_CACHELINE_BYTES);
}

size_t zone_pcps_size(const struct zone *zone, unsigned long frames)
{
    const struct quire_mem *mem = zone->mem;
    return table_size(mem) + mem->nr_cpus * pcp_size(mem, frames) + inboxes_size(mem, frames);
}

void zone_pcps_create(struct zone *zone, void *memory, unsigned long frames)
{
    struct quire_mem *mem = zone->mem;
    struct pcp **table = memory;
    size_t size = pcp_size(mem, frames);
    char *at = (char *)memory + table_size(mem);
    __builtin_memset(memory, 0, zone_pcps_size(zone, frames));
    shards_open(zone, at + mem->nr_cpus * size, frames);
    for (unsigned cpu = 0; cpu < mem->nr_cpus; cpu++)
        table[cpu] = pcp_create(zone, cpu, at + cpu * size, frames);
    quire_store_release(&zone->pcp, table);
}

/* ---- moving blocks between a list and the zone ----------------------------------------------- */

/* Forgets the `count` oldest blocks of a list. */
static void list_drop(struct pcp_list *list, unsigned count)
{
    unsigned left = pcp_count(list) - count;
    quire_count(&list->net_in, 0ul - count);
    quire_store_relaxed(&list->top, list->base + left);
    __builtin_memmove(list->base, list->base + count, left * sizeof list->base[0]);
}

void pcp_drain(struct pcp_list *list)
{
    unsigned total = pcp_count(list);
    unsigned count = total < list->drain ? total : list->drain;
    uint32_t kind = flags_kind((uint32_t)list->alloc_state);
    unsigned order = flags_order(kind);
    if (order == PAGEBLOCK_ORDER && count < total &&
        superblock_are_halves(list->base[count - 1], list->base[count]))
        count++; /* or one half would go now and the other next time, each time */
    shards_free(list->shard, list->base, count, kind);
    list_drop(list, count);
    quire_store_relaxed(&list->refill, batch_start(list));
    quire_store_relaxed(&list->drain, batch_doubled(list->drain, list->cap - list->cap / 8u));
    list_set_high(list, (unsigned)(list->limit - list->base) + list->drain);
}

/* What a block of this list says when it is allocated tells which list it is. */
void pcp_refill(struct pcp_list *list, unsigned alloc_flags)
{
    unsigned wanted = list->refill;
    uint32_t kind = flags_kind((uint32_t)list->alloc_state);
    unsigned got = rmqueue(list->shard, kind, alloc_flags, wanted, list->base + wanted);
    if (quire_unlikely(got < wanted))
        __builtin_memmove(list->base, list->base + (wanted - got), got * sizeof list->base[0]);
    for (unsigned i = 0; i < got; i++)
        __builtin_prefetch(list->base[i], 1); /* all at once: another CPU may have written them */
    quire_count(&list->net_in, got);
    quire_store_relaxed(&list->top, list->base + got);
    quire_store_relaxed(&list->drain, batch_start(list));
    quire_store_relaxed(&list->refill, batch_doubled(wanted, list->high_min));
    list_set_high(list, list->high_min);
}

/* ---- the slow halves of allocating and freeing ----------------------------------------------- */

struct quire_page *pcp_alloc(struct zone *zone, unsigned order, enum quire_migratetype type,
                             unsigned alloc_flags)
{
    quire_port_cpu_attach();
    struct cpu *cpu = cpu_enter(zone->mem);
    struct pcp *pcp = cpu_pcp(cpu, zone->id);
    struct pcp_list *list = &pcp->list[pcp_index(order, type)];
    if (list->cap && list->top == list->base)
        pcp_refill(list, alloc_flags);
    if (list->top == list->base && list == &pcp->list[0])
        list = &pcp->list[PCP_CLEARED]; /* they aren't kept from who finds no others */
    struct quire_page *page = list->top == list->base ? NULL : pcp_pop(list);
    cpu_leave(cpu);
    return page;
}

unsigned long pcp_alloc_bulk(struct zone *zone, enum quire_migratetype type, unsigned alloc_flags,
                             unsigned long count, struct quire_page **pages)
{
    unsigned long done = 0;
    quire_port_cpu_attach();
    struct cpu *cpu = cpu_enter(zone->mem);
    struct pcp_list *list = &cpu_pcp(cpu, zone->id)->list[type];
    for (; done < count; done++) {
        if (pages[done])
            continue;
        if (list->cap && list->top == list->base)
            pcp_refill(list, alloc_flags);
        if (list->top == list->base)
            break;
        pages[done] = pcp_pop(list);
    }
    cpu_leave(cpu);
    return done;
}

bool pcp_free(struct zone *zone, struct quire_page *page, unsigned order, uint32_t flags)
{
    quire_port_cpu_attach();
    struct cpu *cpu = cpu_enter(zone->mem);
    struct pcp_list *list = &cpu_pcp(cpu, zone->id)->list[pcp_index(order, flags_type(flags))];
    if (list->cap && list->top >= list->limit)
        pcp_drain(list);
    bool done = pcp_push(list, page, flags);
    cpu_leave(cpu);
    return done;
}

/* ---- from outside ---------------------------------------------------------------------------- */

/* All of a list's blocks, to whichever shards they belong. zone_lock is held. */
static void empty_list(struct zone *zone, struct pcp_list *list, unsigned index)
{
    const unsigned order = pcp_list_order(index);
    QUIRE_EXPENSIVE(pcp_list_is_valid(list));
    unsigned count = pcp_count(list);
    for (unsigned done = 0, some; done < count; done += some) {
        struct shard *shard = frame_shard(zone, list->base[done]->pfn);
        some = shard_gather(shard, list->base + done, count - done);
        buddy_free_pages(shard, list->base + done, some, order);
    }
    list_drop(list, count);
    list_settle(list, index);
}

static void empty(struct zone *zone, unsigned cpu)
{
    struct pcp *pcp = zone->pcp[cpu];
    quire_port_irq_t irq = zone_lock(zone);
    for (unsigned index = 0; index < PCP_LISTS; index++)
        empty_list(zone, &pcp->list[index], index);
    zone_unlock(zone, irq);
}

/* Takes the zone's lists out of the sight of all CPUs, or gives them back. */
static void change_closed(struct zone *zone, int by)
{
    quire_port_irq_t irq = mem_lock(zone->mem);
    zone->pcp_closed += (unsigned)by;
    cpus_publish(zone->mem);
    mem_unlock(zone->mem, irq);
}

/* A zone that is empty has no lists yet; when it gets some they are closed from the start. */
static void close_and_empty(struct zone *zone, unsigned first, unsigned end)
{
    change_closed(zone, 1);
    if (!zone_pcps(zone))
        return;
    quire_port_fence_heavy();
    for (unsigned cpu = first; cpu < end; cpu++) {
        percpu_wait(&zone->mem->cpu[cpu]->busy);
        empty(zone, cpu);
    }
}

void pcp_close(struct zone *zone)
{
    close_and_empty(zone, 0, zone->mem->nr_cpus);
}

void pcp_open(struct zone *zone)
{
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

/* ---- counts ---------------------------------------------------------------------------------- */

unsigned long pcp_pages(const struct zone *zone)
{
    unsigned long pages = 0;
    if (zone_pcps(zone))
        for (unsigned cpu = 0; cpu < zone->mem->nr_cpus; cpu++)
            for (unsigned index = 0; index < PCP_LISTS; index++)
                pages += (unsigned long)pcp_count(&zone->pcp[cpu]->list[index])
                         << pcp_list_order(index);
    return pages;
}

unsigned long pcp_allocated_blocks(const struct zone *zone, unsigned order)
{
    unsigned long blocks = 0;
    if (zone_pcps(zone))
        for (unsigned cpu = 0; cpu < zone->mem->nr_cpus; cpu++)
            for (unsigned index = 0; index < PCP_LISTS; index++)
                if (pcp_list_order(index) == order)
                    blocks += quire_load_relaxed(&zone->pcp[cpu]->list[index].nr_alloc);
    return blocks;
}

/* What came in by refill or free went out by drain or allocation, or is there. So frees needn't be
 * counted where they happen. */
unsigned long pcp_freed_blocks(const struct zone *zone, unsigned order)
{
    unsigned long blocks = 0;
    if (zone_pcps(zone))
        for (unsigned cpu = 0; cpu < zone->mem->nr_cpus; cpu++)
            for (unsigned index = 0; index < PCP_LISTS; index++) {
                const struct pcp_list *list = &zone->pcp[cpu]->list[index];
                if (pcp_list_order(index) == order)
                    blocks += quire_load_relaxed(&list->nr_alloc) + pcp_count(list) -
                              quire_load_relaxed(&list->net_in);
            }
    return blocks;
}
