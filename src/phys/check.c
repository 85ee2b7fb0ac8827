/* phys/check.c: the invariants of zones, counted again from the bitmaps
 *
 * For tests. What is checked is written down where it is kept: buddy.c, pcp.c, page.h.
 */
#include "phys/internal.h"

struct recount {
    unsigned long nr_free, nr_free_type[QUIRE_NR_MIGRATETYPES], nr_blocks[NR_ORDERS];
};

/* Free blocks by order within one pageblock, by the definition of a buddy. */
static void recount_bitmap(const struct pageblock *block, unsigned *nr)
{
    bool free[PAGEBLOCK_PAGES];
    for (unsigned i = 0; i < PAGEBLOCK_PAGES; i++)
        free[i] = block->free[i >> 6] >> (i & 63) & 1;
    for (unsigned order = 0; order <= PAGEBLOCK_ORDER; order++)
        nr[order] = 0;
    for (unsigned i = 0; i < PAGEBLOCK_PAGES;) {
        if (!free[i]) {
            i++;
            continue;
        }
        unsigned order = 0;
        for (; order < PAGEBLOCK_ORDER && !(i & ((2u << order) - 1)); order++) {
            bool whole = true;
            for (unsigned n = 1u << order; n < 2u << order; n++)
                whole = whole && free[i + n];
            if (!whole)
                break;
        }
        nr[order]++;
        i += 1u << order;
    }
}

/* A free frame's descriptor says nothing but its zone. */
static void check_free_pages(const struct pageblock *block)
{
    for (unsigned i = 0; i < PAGEBLOCK_PAGES; i++)
        if (block->free[i >> 6] >> (i & 63) & 1) {
            QUIRE_BUG_ON(block->pages[i].flags & ~PAGE_ZONE_MASK);
            QUIRE_BUG_ON(block->pages[i].refcount);
            QUIRE_BUG_ON(flags_zone(block->pages[i].flags) != block->zone);
        }
}

/* Its counts and its place are what its bitmap says. Not about its neighbours. */
bool pageblock_is_valid(const struct pageblock *block)
{
    unsigned nr[PAGEBLOCK_ORDER + 1], frames = 0;
    int largest = LARGEST_NONE;
    recount_bitmap(block, nr);
    for (unsigned order = 0; order <= PAGEBLOCK_ORDER; order++) {
        if (nr[order] != block->nr[order])
            return false;
        frames += nr[order] << order;
        if (nr[order])
            largest = (int)order;
    }
    if (frames != block->nr_free)
        return false;
    if (block->flags & PAGEBLOCK_TAIL)
        return block->largest == LARGEST_NONE && largest == PAGEBLOCK_ORDER;
    if (largest == PAGEBLOCK_ORDER)
        return block->largest >= PAGEBLOCK_ORDER && block->largest <= MAX_ORDER;
    return block->largest == largest;
}

static void check_pageblock(const struct pageblock *block, struct recount *sum)
{
    QUIRE_BUG_ON(!pageblock_is_valid(block));
    check_free_pages(block);
    for (unsigned order = 0; order < PAGEBLOCK_ORDER; order++)
        sum->nr_blocks[order] += block->nr[order];
    sum->nr_free_type[block->type] += block->nr_free;
    if (block->type != QUIRE_MIGRATE_ISOLATE)
        sum->nr_free += block->nr_free;
    if (block->largest < PAGEBLOCK_ORDER)
        return;
    sum->nr_blocks[block->largest]++;
    for (unsigned i = 1; i < 1u << (block->largest - PAGEBLOCK_ORDER); i++)
        QUIRE_BUG_ON(!(block[i].flags & PAGEBLOCK_TAIL) || block[i].type != block->type ||
                     block[i].zone != block->zone);
}

/* Two free buddies above PAGEBLOCK_ORDER that could be one block are one. */
static void check_merged(const struct zone *zone, const struct pageblock *block)
{
    if (block->largest < PAGEBLOCK_ORDER || block->largest >= MAX_ORDER)
        return;
    const struct pageblock *buddy = pfn_to_pageblock(zone->mem, block->pfn ^ 1ul << block->largest);
    QUIRE_BUG_ON(pageblock_zone(buddy) == zone->id && buddy->largest == block->largest &&
                 buddy->type == block->type);
}

static void check_lists(const struct shard *shard)
{
    for (unsigned order = 0; order < NR_ORDERS; order++)
        for (unsigned type = 0; type < QUIRE_NR_MIGRATETYPES; type++) {
            const struct list *head = &shard->blocks[order][type];
            QUIRE_BUG_ON(list_empty(head) == (shard->avail[type] >> order & 1));
            list_for_each (pos, head) {
                const struct pageblock *block = quire_container_of(pos, struct pageblock, link);
                QUIRE_BUG_ON(block->largest != (int)order || block->type != type);
                QUIRE_BUG_ON(block->zone != shard->zone->id || block->flags & PAGEBLOCK_TAIL);
                QUIRE_BUG_ON(frame_shard(shard->zone, block->pfn) != shard);
            }
        }
}

/* Its blocks are free to nobody else. With the list to oneself. */
bool pcp_list_is_valid(const struct pcp_list *list)
{
    const struct zone *zone = list->shard->zone;
    if (list->top > list->limit || list->limit > list->base + list->cap)
        return false;
    for (struct quire_page **slot = list->base; slot < list->top; slot++)
        if (page_flags(*slot) != (uint32_t)zone->id << PAGE_ZONE_SHIFT || quire_page_count(*slot) ||
            buddy_frame_is_free(zone->mem, (*slot)->pfn))
            return false;
    return true;
}

static void check_pcps(const struct zone *zone)
{
    for (unsigned cpu = 0; zone->pcp && cpu < zone->mem->nr_cpus; cpu++)
        for (unsigned index = 0; index < PCP_LISTS; index++)
            QUIRE_BUG_ON(!pcp_list_is_valid(&zone->pcp[cpu]->list[index]));
}

/* With zone_lock held. */
static void check_shard(const struct shard *shard)
{
    const struct zone *zone = shard->zone;
    struct recount sum = {0};
    unsigned long pfn = (unsigned long)quire_align_down(zone->start, PAGEBLOCK_PAGES);
    for (; pfn < zone->end; pfn += PAGEBLOCK_PAGES) {
        if (!pfn_valid(zone->mem, pfn) || frame_shard(zone, pfn) != shard)
            continue;
        struct pageblock *block = pfn_to_pageblock(zone->mem, pfn);
        if (pageblock_zone(block) != zone->id)
            continue;
        check_pageblock(block, &sum);
        check_merged(zone, block);
    }
    QUIRE_BUG_ON(sum.nr_free != shard->nr_free);
    for (unsigned type = QUIRE_MIGRATE_HIGHATOMIC; type < QUIRE_NR_MIGRATETYPES; type++)
        QUIRE_BUG_ON(sum.nr_free_type[type] != shard->nr_free_special[type]);
    for (unsigned order = 0; order < NR_ORDERS; order++)
        QUIRE_BUG_ON(sum.nr_blocks[order] != shard->nr_blocks[order]);
    QUIRE_BUG_ON(zone->pcp_closed && shard->inbox.count);
    check_lists(shard);
}

static unsigned long highatomic_pages(const struct zone *zone)
{
    unsigned long pages = 0, pfn = (unsigned long)quire_align_down(zone->start, PAGEBLOCK_PAGES);
    for (; pfn < zone->end; pfn += PAGEBLOCK_PAGES) {
        if (!pfn_valid(zone->mem, pfn))
            continue;
        const struct pageblock *block = pfn_to_pageblock(zone->mem, pfn);
        if (pageblock_zone(block) == zone->id && block->type == QUIRE_MIGRATE_HIGHATOMIC)
            pages += PAGEBLOCK_PAGES;
    }
    return pages;
}

static void check_zone(struct zone *zone)
{
    quire_port_irq_t irq = zone_lock(zone);
    for_each_shard (zone, shard)
        check_shard(shard);
    QUIRE_BUG_ON(highatomic_pages(zone) != zone->nr_reserved_highatomic);
    check_pcps(zone);
    zone_unlock(zone, irq);
}

void quire_mem_check(struct quire_mem *mem)
{
    for_each_zone (mem, zone)
        check_zone(zone);
}
