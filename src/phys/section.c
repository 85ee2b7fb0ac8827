/* phys/section.c: sections, and the descriptors in them
 *
 * Physical memory is divided into sections of 2^QUIRE_SECTION_SHIFT bytes. A section with memory
 * has an array of page descriptors, followed by one of pageblocks, for the part of it that spans
 * its memory, rounded to blocks of MAX_ORDER; so a hole costs less than a section's descriptors,
 * and the pages of a block are always neighbours in one array. The section table holds the address
 * that descriptor 0 would have, so that finding one is a shift, a load and an add (Linux's
 * SPARSEMEM; the table here is flat: 16 bytes for 128 MiB).
 *
 * A frame is a hole, then present but reserved, then released to its zone, which is that of the
 * first memory of its pageblock: zones end at pageblocks, and where nodes don't, the few frames of
 * one pageblock count for the node that has its first.
 */
#include "phys/init.h"
#include "phys/move.h"

size_t section_size(const struct quire_mem *mem, unsigned long frames)
{
    size_t size =
        frames * sizeof(struct quire_page) + frames / PAGEBLOCK_PAGES * sizeof(struct pageblock);
    if (mem->debug & QUIRE_DEBUG_OWNER)
        size += frames * sizeof(struct page_owner);
    return size;
}

void section_set_extent(struct quire_mem *mem, unsigned long number, unsigned long first,
                        unsigned long end)
{
    struct section_extent *extent = &mem->extents[number];
    quire_store_relaxed(&extent->first, (uint32_t)first);
    quire_store_relaxed(&extent->end, (uint32_t)end);
}

void section_create(struct quire_mem *mem, unsigned long first, unsigned long end, void *memory,
                    uint8_t block_flags)
{
    struct quire_page *pages = memory;
    struct pageblock *blocks = (struct pageblock *)(void *)(pages + (end - first));
    for (unsigned long pfn = first; pfn < end; pfn++)
        pages[pfn - first] = (struct quire_page){
            .flags = (uint32_t)ZONE_NONE << PAGE_ZONE_SHIFT | PAGE_HOLE,
            .pfn = (uint32_t)pfn,
        };
    for (unsigned long pfn = first; pfn < end; pfn += PAGEBLOCK_PAGES)
        blocks[(pfn - first) / PAGEBLOCK_PAGES] = (struct pageblock){
            .pages = pages + (pfn - first),
            .pfn = (uint32_t)pfn,
            .type = mem->no_mobility_grouping ? QUIRE_MIGRATE_UNMOVABLE : QUIRE_MIGRATE_MOVABLE,
            .largest = LARGEST_NONE,
            .flags = block_flags,
            .zone = ZONE_NONE,
        };
    unsigned long number = first >> SECTION_PFN_SHIFT;
    if (mem->debug & QUIRE_DEBUG_OWNER) {
        mem->owners[number] =
            (struct page_owner *)(void *)(blocks + (end - first) / PAGEBLOCK_PAGES);
        __builtin_memset(mem->owners[number], 0, (end - first) * sizeof(struct page_owner));
    }
    struct quire_section *section = &mem->sections.section[number];
    section_set_extent(mem, number, first, end);
    quire_store_release(&section->blocks,
                        (uintptr_t)blocks - first / PAGEBLOCK_PAGES * sizeof(struct pageblock));
    quire_store_release(&section->pages, (uintptr_t)pages - first * sizeof(struct quire_page));
}

bool quire_pfn_valid(const struct quire_mem *mem, quire_pfn_t pfn)
{
    unsigned long number = pfn.value >> SECTION_PFN_SHIFT;
    if (number >= mem->sections.count || !quire_load_acquire(&mem->sections.section[number].pages))
        return false;
    const struct section_extent *extent = &mem->extents[number];
    return pfn.value >= quire_load_relaxed(&extent->first) &&
           pfn.value < quire_load_relaxed(&extent->end);
}

struct zone *zone_of(struct quire_mem *mem, int node, unsigned type)
{
    for_each_zone (mem, zone)
        if (zone->node == node && zone->type == type)
            return zone;
    return NULL;
}

unsigned zone_type_by_address(const quire_phys_t *zone_end, unsigned long pfn)
{
    quire_phys_t phys = quire_pfn_to_phys(quire_pfn(pfn));
    unsigned type = 0;
    while (type < QUIRE_ZONE_MOVABLE && phys >= zone_end[type])
        type++;
    return type == QUIRE_ZONE_MOVABLE ? QUIRE_NR_ZONES : type;
}

unsigned zone_type_of(const struct quire_mem *mem, int node, unsigned long pfn, bool hotplug)
{
    unsigned type = zone_type_by_address(mem->zone_end, pfn);
    bool above_all = type == QUIRE_NR_ZONES;
    if (mem->zone_end[QUIRE_ZONE_MOVABLE] &&
        (hotplug || (!above_all && pfn >= mem->nodes[node].movable_start)))
        return QUIRE_ZONE_MOVABLE;
    return type;
}

static void zone_span(struct zone *zone, unsigned long start, unsigned long end)
{
    bool empty = zone->start == zone->end;
    if (empty || start < zone->start)
        quire_store_relaxed(&zone->start, start);
    if (empty || end > zone->end)
        quire_store_relaxed(&zone->end, end);
}

/* Makes the pageblock that holds `pfn` the zone's, with all its descriptors. */
static void assign_pageblock(struct pageblock *block, struct zone *zone)
{
    quire_store_relaxed(&block->zone, zone->id);
    for (unsigned i = 0; i < PAGEBLOCK_PAGES; i++)
        block->pages[i].flags = (uint32_t)zone->id << PAGE_ZONE_SHIFT | PAGE_HOLE;
}

/* Frames of one pageblock, which is a zone's. */
static void zone_add_frames(struct zone *zone, struct pageblock *block, unsigned long start,
                            unsigned long end, uint32_t flags)
{
    quire_port_irq_t irq = zone_lock(zone);
    if (block->zone == ZONE_NONE)
        assign_pageblock(block, zone);
    zone_span(zone, start, end);
    quire_count(&zone->present, end - start);
    for (unsigned long i = start - block->pfn; i < end - block->pfn; i++)
        block->pages[i].flags = (uint32_t)zone->id << PAGE_ZONE_SHIFT | flags;
    zone_unlock(zone, irq);
}

void section_add_frames(struct quire_mem *mem, unsigned long start, unsigned long end, int node,
                        bool hotplug, uint32_t flags)
{
    for (unsigned long pfn = start, next; pfn < end; pfn = next) {
        next = (pfn | (PAGEBLOCK_PAGES - 1)) + 1;
        next = next < end ? next : end;
        struct pageblock *block = pfn_to_pageblock(mem, pfn);
        struct zone *zone = block->zone == ZONE_NONE ? NULL : &mem->zones[block->zone];
        if (!zone) {
            unsigned type = zone_type_of(mem, node, pfn, hotplug);
            if (type == QUIRE_NR_ZONES)
                continue;
            zone = zone_of(mem, node, type);
        }
        zone_add_frames(zone, block, pfn, next, flags);
    }
}

static void tell_range(unsigned long start, unsigned long end)
{
    if (start < end)
        quire_tell_event(RANGE, start, end - start);
}

void release_frames(struct quire_mem *mem, unsigned long start, unsigned long end)
{
    unsigned long from = start;
    while (start < end) {
        unsigned order = start ? quire_ctz64(start) : PAGEBLOCK_ORDER;
        if (order > PAGEBLOCK_ORDER)
            order = PAGEBLOCK_ORDER;
        while (1ul << order > end - start)
            order--;
        struct pageblock *block = pfn_to_pageblock(mem, start);
        /* What lies above the last zone is still a hole, even if its pageblock found a zone. */
        if ((block->pages[start - block->pfn].flags & ~PAGE_ZONE_MASK) != PAGE_HOLE) {
            struct zone *zone = &mem->zones[block->zone];
            if (mem->debug & QUIRE_DEBUG_POISON)
                poison_pages(mem, start, 1ul << order);
            for (unsigned long i = 0; i < 1ul << order; i++)
                page_set_free(&block->pages[start - block->pfn + i],
                              (uint32_t)zone->id << PAGE_ZONE_SHIFT);
            quire_port_irq_t irq = zone_lock(zone);
            buddy_free(frame_shard(zone, start), block, start, order);
            if (mem->fresh_is_reported)
                mark_reported(block, start, order);
            quire_count(&zone->managed, 1ul << order);
            zone_unlock(zone, irq);
        } else {
            tell_range(from, start);
            from = start + (1ul << order);
        }
        start += 1ul << order;
    }
    tell_range(from, end);
}

void zones_changed(struct quire_mem *mem)
{
    zonelists_build(mem);
    watermarks_setup(mem);
}

bool claim_reserved(struct quire_mem *mem, unsigned long start, unsigned long end)
{
    quire_port_irq_t irq = mem_lock(mem);
    unsigned long pfn = start;
    while (pfn < end && pfn_valid(mem, pfn) &&
           (page_flags(pfn_to_page(mem, pfn)) & ~PAGE_ZONE_MASK) == PAGE_RESERVED)
        pfn++;
    bool all = pfn == end;
    for (pfn = start; all && pfn < end; pfn++)
        quire_fetch_or(&pfn_to_page(mem, pfn)->flags, PAGE_METADATA);
    mem_unlock(mem, irq);
    return all;
}

int quire_free_reserved(struct quire_mem *mem, quire_phys_t base, quire_phys_t size)
{
    const char *operation = "free the reserved memory";
    if (base + size < base || base + size > quire_pfn_to_phys(quire_pfn(QUIRE_MAX_PFN)))
        return refuse_range(operation, base, base + size, QUIRE_EINVAL,
                            "it wraps around or ends beyond QUIRE_MAX_PFN");
    unsigned long start = quire_phys_to_pfn(base + QUIRE_PAGE_SIZE - 1).value;
    unsigned long end = quire_phys_to_pfn(base + size).value;
    if (!start)
        start = 1; /* frame 0 is never handed out */
    if (start >= end || !claim_reserved(mem, start, end))
        return refuse_range(operation, base, base + size, QUIRE_EINVAL,
                            start >= end ? "it has no whole frame" : "not all of it is reserved");
    release_frames(mem, start, end);
    quire_port_irq_t irq = mem_lock(mem);
    zones_changed(mem);
    mem_unlock(mem, irq);
    return 0;
}

/* ---- where a page is ------------------------------------------------------------------------- */

void *quire_page_address(const struct quire_mem *mem, const struct quire_page *page)
{
    return quire_port_phys_to_virt(mem->port, quire_page_to_phys(page));
}

struct quire_page *quire_virt_to_page(const struct quire_mem *mem, const void *addr)
{
    return quire_pfn_to_page(mem, quire_phys_to_pfn(quire_port_virt_to_phys(mem->port, addr)));
}

int quire_page_node(const struct quire_mem *mem, const struct quire_page *page)
{
    unsigned zone = flags_zone(page_flags(page));
    return zone == ZONE_NONE ? -1 : mem->zones[zone].node;
}

enum quire_zone_type quire_page_zone(const struct quire_mem *mem, const struct quire_page *page)
{
    unsigned zone = flags_zone(page_flags(page));
    return zone == ZONE_NONE ? QUIRE_NR_ZONES : (enum quire_zone_type)mem->zones[zone].type;
}

enum quire_migratetype quire_pageblock_migratetype(const struct quire_mem *mem,
                                                   const struct quire_page *page)
{
    return pfn_to_pageblock(mem, page->pfn)->type;
}
