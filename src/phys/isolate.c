/* phys/isolate.c: keeping ranges of frames from being allocated
 *
 * A range operation (contiguous allocation, hot-remove, or a caller's own) first isolates the
 * pageblocks that hold its range: their type becomes ISOLATE, whose free blocks no allocation looks
 * at and no watermark counts. What is allocated there can be moved away or freed, and then stays
 * free: a frame of an isolated pageblock that is free belongs to the operation.
 *
 *   invariant   PAGEBLOCK_ISOLATED and type ISOLATE go together; one operation owns the pageblock
 *   invariant   while a zone has isolated pageblocks its per-CPU lists are closed once for all of
 *               them, so that every frame that is freed gets to the zone. The other CPUs pay with
 *               a lock of the zone for each of their operations as long as it lasts
 */
#include "phys/move.h"

#include "base/text.h"

int refuse_range(const char *operation, quire_phys_t base, quire_phys_t end, int error,
                 const char *why)
{
    quire_log(QUIRE_LOG_ERROR, "quire: can't %s [0x%llx, 0x%llx): %s", operation,
              (unsigned long long)base, (unsigned long long)end, why);
    return -error;
}

/* ---- what stands in the way ------------------------------------------------------------------ */

bool describes_itself(const struct quire_mem *mem, unsigned long pfn)
{
    unsigned long number = pfn >> SECTION_PFN_SHIFT;
    const struct section_extent *extent = &mem->extents[number];
    const struct quire_page *pages = pfn_to_page(mem, extent->first);
    quire_phys_t start = quire_port_virt_to_phys(mem->port, pages);
    quire_phys_t phys = quire_pfn_to_phys(quire_pfn(pfn));
    return phys >= start && phys < start + section_size(mem, extent->end - extent->first);
}

static bool reserved_frame_stays(const struct zone *zone, const struct quire_page *page,
                                 enum isolate_purpose purpose)
{
    uint32_t kind = page_flags(page) & ~PAGE_ZONE_MASK;
    if (kind == PAGE_HOLE)
        return false;
    return kind != PAGE_METADATA || purpose != ISOLATE_TO_REMOVE ||
           !describes_itself(zone->mem, page->pfn);
}

unsigned long first_unmovable(const struct zone *zone, const struct pageblock *block,
                              unsigned long start, unsigned long end, enum isolate_purpose purpose)
{
    /* What is lent from a CMA area is for the area's owner to ask back. */
    if (block->type == QUIRE_MIGRATE_CMA && purpose != ISOLATE_FOR_CMA)
        return start;
    for (unsigned long pfn = start; pfn < end;) {
        pfn = block->pfn + next_used_frame(block, (unsigned)(pfn - block->pfn));
        if (pfn >= end)
            break;
        const struct quire_page *page = block->pages + (pfn - block->pfn);
        uint32_t flags = page_flags(page);
        if (flags & PAGE_RESERVED && reserved_frame_stays(zone, page, purpose))
            return pfn;
        /* The block that reaches into the range from below counts, too. */
        const struct quire_page *head = flags & PAGE_ALLOCATED ? page : NULL;
        if (!head && pfn == start && !(flags & PAGE_RESERVED))
            head = quire_compound_head(zone->mem, page);
        if (head && !block_is_movable(zone->mem, page_flags(head)))
            return pfn;
        pfn = head ? head->pfn + (1ul << quire_page_order(head)) : pfn + 1;
    }
    return end;
}

/* Looked at with zone_lock held: hot-remove waits for that before descriptors go. */
static bool zone_holds_range(struct zone *zone, unsigned long start, unsigned long end)
{
    bool all = true;
    quire_port_irq_t irq = zone_lock(zone);
    for (unsigned long pfn = pageblock_start(start); all && pfn < end; pfn += PAGEBLOCK_PAGES)
        all = zone_pageblock(zone, pfn);
    zone_unlock(zone, irq);
    return all;
}

struct zone *zone_of_range(struct quire_mem *mem, unsigned long start, unsigned long end)
{
    if (start >= end || end > QUIRE_MAX_PFN)
        return NULL;
    for_each_zone (mem, zone)
        if (zone_holds_range(zone, start, end))
            return zone;
    return NULL;
}

/* ---- one pageblock: with zone_lock held ------------------------------------------------------ */

/* Leaves the reserve for atomic allocations, if it is in it; the type that it will have again. */
static unsigned type_to_remember(struct zone *zone, const struct pageblock *block)
{
    if (block->type != QUIRE_MIGRATE_HIGHATOMIC)
        return block->type;
    quire_count(&zone->nr_reserved_highatomic, 0ul - PAGEBLOCK_PAGES);
    return QUIRE_MIGRATE_UNMOVABLE;
}

static int isolate_pageblock(struct zone *zone, unsigned long start, unsigned long end,
                             enum isolate_purpose purpose)
{
    struct pageblock *block = zone_pageblock(zone, start);
    if (!block)
        return -QUIRE_EINVAL;
    if (block->flags & PAGEBLOCK_ISOLATED)
        return -QUIRE_EAGAIN;
    if (first_unmovable(zone, block, start, end, purpose) < end)
        return -QUIRE_EBUSY;
    block->saved_type = (uint8_t)type_to_remember(zone, block);
    block->flags |= PAGEBLOCK_ISOLATED;
    pageblock_set_type(frame_shard(zone, block->pfn), block, QUIRE_MIGRATE_ISOLATE);
    zone->nr_isolated_blocks++;
    return 0;
}

/* True: it was the last one of the zone. */
static bool unisolate_pageblock(struct zone *zone, struct pageblock *block,
                                enum quire_migratetype type)
{
    if (!block || !(block->flags & PAGEBLOCK_ISOLATED))
        return false;
    bool ordinary = type < QUIRE_MIGRATE_HIGHATOMIC && block->saved_type < QUIRE_MIGRATE_HIGHATOMIC;
    if (!ordinary || zone->mem->no_mobility_grouping)
        type = block->saved_type;
    block->flags &= (uint8_t)~PAGEBLOCK_ISOLATED;
    pageblock_set_type(frame_shard(zone, block->pfn), block, type);
    return !--zone->nr_isolated_blocks;
}

bool isolation_forget(struct zone *zone, struct pageblock *block)
{
    return unisolate_pageblock(zone, block, TYPE_AS_BEFORE);
}

/* ---- ranges ---------------------------------------------------------------------------------- */

int isolate_pageblocks(struct zone *zone, unsigned long start, unsigned long end,
                       enum isolate_purpose purpose)
{
    int error = 0;
    bool first = false;
    unsigned long pfn = start;
    pcp_close(zone);
    while (pfn < end && !error) {
        unsigned long next = pageblock_end(pfn);
        quire_port_irq_t irq = zone_lock(zone);
        error = isolate_pageblock(zone, pfn, next < end ? next : end, purpose);
        first = first || (!error && zone->nr_isolated_blocks == 1);
        zone_unlock(zone, irq);
        pfn = error ? pfn : next;
    }
    if (!first)
        pcp_open(zone); /* whoever came first keeps them closed */
    if (error && pfn > start)
        unisolate_pageblocks(zone, start, pfn, TYPE_AS_BEFORE);
    return error;
}

void unisolate_pageblocks(struct zone *zone, unsigned long start, unsigned long end,
                          enum quire_migratetype type)
{
    for (unsigned long pfn = pageblock_start(start); pfn < end; pfn += PAGEBLOCK_PAGES) {
        quire_port_irq_t irq = zone_lock(zone);
        bool last = unisolate_pageblock(zone, zone_pageblock(zone, pfn), type);
        zone_unlock(zone, irq);
        if (last)
            pcp_open(zone);
    }
}

static bool are_pageblocks(quire_pfn_t start, quire_pfn_t end)
{
    return !((start.value | end.value) & (PAGEBLOCK_PAGES - 1));
}

static int refuse(const char *operation, quire_pfn_t start, quire_pfn_t end)
{
    return refuse_range(operation, quire_pfn_to_phys(start), quire_pfn_to_phys(end), QUIRE_EINVAL,
                        !are_pageblocks(start, end) ? "it isn't whole pageblocks"
                                                    : "it is empty, or not all memory of one zone");
}

int quire_isolate_range(struct quire_mem *mem, quire_pfn_t start, quire_pfn_t end)
{
    struct zone *zone = zone_of_range(mem, start.value, end.value);
    if (!zone || !are_pageblocks(start, end))
        return refuse("isolate", start, end);
    int error = isolate_pageblocks(zone, start.value, end.value, ISOLATE_TO_KEEP);
    return error == -QUIRE_EAGAIN ? -QUIRE_EBUSY : error;
}

void quire_unisolate_range(struct quire_mem *mem, quire_pfn_t start, quire_pfn_t end,
                           enum quire_migratetype type)
{
    struct zone *zone = zone_of_range(mem, start.value, end.value);
    if (zone && are_pageblocks(start, end))
        unisolate_pageblocks(zone, start.value, end.value, type);
    else
        (void)refuse("end the isolation of", start, end);
}
