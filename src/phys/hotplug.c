/* phys/hotplug.c: memory that comes and goes at run time
 *
 * Memory is added in whole sections. The descriptors of each lie at its beginning, so that adding
 * memory needs none; only where the direct map doesn't reach they come from elsewhere. A zone that
 * was empty also gets per-CPU lists, which come from elsewhere as well and stay for good: another
 * CPU may be about to look into them at any time.
 *
 * Memory is removed, by pageblocks, in the steps of a contiguous allocation: isolated, emptied by
 * moving, then its free frames are taken for ever and become holes. Up to there everything can be
 * undone. A section that came at run time is forgotten when all of it goes, its descriptors with
 * it; so those are removed together or not at all. Others keep their descriptors, which are boot
 * memory.
 *
 *   invariant   who finds a descriptor by walking a zone holds zone_lock meanwhile; so once the
 *               section's entry is cleared, and every lock was held once, nobody looks at it
 *
 * One such operation runs at a time; another one waits.
 */
#include "phys/move.h"

static void hotplug_begin(struct quire_mem *mem)
{
    uint32_t idle = 0;
    while (!quire_compare_exchange(&mem->hotplug, &idle, 1)) {
        idle = 0;
        wait_a_moment(mem);
    }
}

static void hotplug_end(struct quire_mem *mem)
{
    quire_store_release(&mem->hotplug, 0);
}

static void tell_zones_changed(struct quire_mem *mem)
{
    quire_port_irq_t irq = mem_lock(mem);
    zones_changed(mem);
    mem_unlock(mem, irq);
}

/* ---- sections -------------------------------------------------------------------------------- */

static bool direct_map_reaches(const struct quire_mem *mem, quire_phys_t phys, size_t size)
{
    return quire_port_phys_to_virt(mem->port, phys) &&
           quire_port_phys_to_virt(mem->port, phys + size - 1);
}

/* Once this returns nobody looks at the section's descriptors. */
static void hide_section(struct quire_mem *mem, unsigned long number)
{
    quire_store_release(&mem->sections.section[number].pages, 0);
    for_each_zone (mem, zone)
        zone_unlock(zone, zone_lock(zone));
    mem->sections.section[number].blocks = 0;
    section_set_extent(mem, number, 0, 0);
}

/* A section of the map that has lost all its memory still has descriptors, maybe fewer than it gets
 * now: what is looked up in between must not be looked for in those. */
static bool make_section(struct quire_mem *mem, unsigned long number)
{
    unsigned long first = number << SECTION_PFN_SHIFT;
    size_t size = section_size(mem, QUIRE_SECTION_PAGES);
    quire_phys_t phys = quire_pfn_to_phys(quire_pfn(first));
    void *memory;
    if (direct_map_reaches(mem, phys, size)) {
        memory = quire_port_phys_to_virt(mem->port, phys);
        quire_fetch_add(&mem->metadata_size, size);
    } else {
        memory = metadata_alloc(mem, size);
    }
    if (!memory)
        return false;
    if (section_exists(mem, first))
        hide_section(mem, number);
    section_create(mem, first, first + QUIRE_SECTION_PAGES, memory, PAGEBLOCK_HOTADDED);
    return true;
}

static void forget_section(struct quire_mem *mem, unsigned long number)
{
    struct section_extent extent = mem->extents[number];
    size_t size = section_size(mem, extent.end - extent.first);
    struct quire_page *memory = pfn_to_page(mem, extent.first);
    bool inside = describes_itself(mem, extent.first);
    hide_section(mem, number);
    if (mem->debug & QUIRE_DEBUG_OWNER)
        mem->owners[number] = NULL;
    if (inside)
        quire_fetch_add(&mem->metadata_size, 0 - size);
    else
        metadata_free(mem, memory, size);
}

/* Whether there is any memory in the section. One that lost it all may still have descriptors. */
static bool section_is_present(const struct quire_mem *mem, unsigned long number)
{
    if (!section_exists(mem, number << SECTION_PFN_SHIFT))
        return false;
    struct section_extent extent = mem->extents[number];
    for (unsigned long pfn = extent.first; pfn < extent.end; pfn++)
        if ((page_flags(pfn_to_page(mem, pfn)) & ~PAGE_ZONE_MASK) != PAGE_HOLE)
            return true;
    return false;
}

/* ---- adding ---------------------------------------------------------------------------------- */

struct addition {
    struct quire_mem *mem;
    int node;
    bool movable;
    unsigned long start, end;
    void *pcps[QUIRE_NR_ZONES]; /* for zones that have none yet */
    size_t pcps_size[QUIRE_NR_ZONES];
};

static int refuse_to_add(quire_phys_t base, quire_phys_t size, int error, const char *why)
{
    return refuse_range("add memory", base, base + size, error, why);
}

/* What of the request can be judged by itself; NULL: nothing is wrong. */
static const char *mistake_in_addition(const struct quire_mem *mem, int node, quire_phys_t base,
                                       quire_phys_t size)
{
    quire_phys_t section = (quire_phys_t)1 << QUIRE_SECTION_SHIFT;
    if (!size || (base | size) & (section - 1))
        return "it isn't whole sections, one or more";
    if (base + size < base || (base + size) >> QUIRE_SECTION_SHIFT > mem->sections.count)
        return "it wraps around or ends beyond the section table (config.max_phys)";
    return node < 0 || (unsigned)node >= mem->nr_nodes ? "there is no such node" : NULL;
}

static int check_addition(const struct addition *add)
{
    const struct quire_mem *mem = add->mem;
    quire_phys_t base = quire_pfn_to_phys(quire_pfn(add->start));
    quire_phys_t size = (quire_phys_t)(add->end - add->start) << QUIRE_PAGE_SHIFT;
    for (unsigned long pfn = add->start; pfn < add->end; pfn += PAGEBLOCK_PAGES)
        if (zone_type_of(mem, add->node, pfn, add->movable) == QUIRE_NR_ZONES)
            return refuse_to_add(base, size, QUIRE_EINVAL, "it reaches beyond the last zone");
    for (unsigned long pfn = add->start; pfn < add->end; pfn += QUIRE_SECTION_PAGES)
        if (section_is_present(mem, pfn >> SECTION_PFN_SHIFT))
            return refuse_to_add(base, size, QUIRE_EEXIST, "some of it is there already");
    return 0;
}

static bool alloc_pcps(struct addition *add)
{
    struct quire_mem *mem = add->mem;
    for (unsigned long pfn = add->start; pfn < add->end; pfn += PAGEBLOCK_PAGES) {
        unsigned type = zone_type_of(mem, add->node, pfn, add->movable);
        const struct zone *zone = zone_of(mem, add->node, type);
        if (zone->pcp || add->pcps[type])
            continue;
        add->pcps_size[type] = zone_pcps_size(zone, add->end - add->start);
        add->pcps[type] = metadata_alloc(mem, add->pcps_size[type]);
        if (!add->pcps[type])
            return false;
    }
    return true;
}

static bool make_added_sections(struct addition *add)
{
    for (unsigned long pfn = add->start; pfn < add->end; pfn += QUIRE_SECTION_PAGES) {
        if (make_section(add->mem, pfn >> SECTION_PFN_SHIFT))
            continue;
        while (pfn > add->start) {
            pfn -= QUIRE_SECTION_PAGES;
            forget_section(add->mem, pfn >> SECTION_PFN_SHIFT);
        }
        return false;
    }
    return true;
}

static void free_pcps(struct addition *add)
{
    for (unsigned type = 0; type < QUIRE_NR_ZONES; type++)
        if (add->pcps[type])
            metadata_free(add->mem, add->pcps[type], add->pcps_size[type]);
}

/* Hands one section over, but for what describes it. */
static void release_section(struct quire_mem *mem, unsigned long start)
{
    unsigned long pfn = start, end = start + QUIRE_SECTION_PAGES;
    for (; pfn < end && describes_itself(mem, pfn); pfn++)
        quire_fetch_or(&pfn_to_page(mem, pfn)->flags, PAGE_METADATA);
    release_frames(mem, pfn, end);
}

/* From here on nothing fails. */
static void commit_addition(struct addition *add)
{
    struct quire_mem *mem = add->mem;
    for (unsigned type = 0; type < QUIRE_NR_ZONES; type++)
        if (add->pcps[type])
            zone_pcps_create(zone_of(mem, add->node, type), add->pcps[type], add->end - add->start);
    section_add_frames(mem, add->start, add->end, add->node, add->movable, PAGE_RESERVED);
    for (unsigned long pfn = add->start; pfn < add->end; pfn += QUIRE_SECTION_PAGES)
        release_section(mem, pfn);
    tell_zones_changed(mem);
}

int quire_add_memory(struct quire_mem *mem, int node, quire_phys_t base, quire_phys_t size,
                     bool movable)
{
    const char *mistake = mistake_in_addition(mem, node, base, size);
    if (mistake)
        return refuse_to_add(base, size, QUIRE_EINVAL, mistake);
    struct addition add = {.mem = mem,
                           .node = node,
                           .movable = movable,
                           .start = quire_phys_to_pfn(base).value,
                           .end = quire_phys_to_pfn(base + size).value};
    hotplug_begin(mem);
    int error = check_addition(&add);
    if (!error && (!alloc_pcps(&add) || !make_added_sections(&add))) {
        free_pcps(&add);
        error = -QUIRE_ENOMEM;
    }
    if (!error)
        commit_addition(&add);
    hotplug_end(mem);
    return error;
}

/* ---- removing -------------------------------------------------------------------------------- */

struct removal {
    struct quire_mem *mem;
    unsigned long start, end;
};

static int refuse_to_remove(quire_phys_t base, quire_phys_t end, const char *why)
{
    return refuse_range("remove memory", base, end, QUIRE_EINVAL, why);
}

/* All of it has come at run time or is in ZONE_MOVABLE, and no section that came at run time would
 * stay in part, without its descriptors. NULL: so it is. */
static const char *mistake_in_removal(const struct removal *removal)
{
    struct quire_mem *mem = removal->mem;
    for (unsigned long pfn = removal->start; pfn < removal->end; pfn += PAGEBLOCK_PAGES) {
        const struct pageblock *block = pfn_valid(mem, pfn) ? pfn_to_pageblock(mem, pfn) : NULL;
        if (!block || block->zone == ZONE_NONE)
            return "not all of it is memory";
        struct zone *zone = &mem->zones[block->zone];
        quire_port_irq_t irq = zone_lock(zone);
        bool added = block->flags & PAGEBLOCK_HOTADDED;
        zone_unlock(zone, irq);
        if (!added && zone->type != QUIRE_ZONE_MOVABLE)
            return "some of it neither came at run time nor is in ZONE_MOVABLE";
        struct section_extent extent = mem->extents[pfn >> SECTION_PFN_SHIFT];
        bool whole = extent.first >= removal->start && extent.end <= removal->end;
        if (!whole && added)
            return "it has a part of a section that came at run time";
    }
    return NULL;
}

/* The end of the part of [pfn, end) that is in one zone. */
static unsigned long zone_run_end(const struct quire_mem *mem, unsigned long pfn, unsigned long end)
{
    unsigned zone = pfn_to_pageblock(mem, pfn)->zone;
    while (pfn < end && pfn_to_pageblock(mem, pfn)->zone == zone)
        pfn += PAGEBLOCK_PAGES;
    return pfn;
}

static bool is_empty(struct zone *zone, unsigned long start, unsigned long end)
{
    for (unsigned long pfn = start; pfn < end; pfn++)
        if (!buddy_frame_is_free(zone->mem, pfn) &&
            !(page_flags(pfn_to_page(zone->mem, pfn)) & PAGE_RESERVED))
            return false;
    return true;
}

/* Isolates and empties a run of one zone. */
static int empty_run(struct zone *zone, unsigned long start, unsigned long end)
{
    int error = isolate_pageblocks(zone, start, end, ISOLATE_TO_REMOVE);
    if (error)
        return error;
    error = migrate_range(zone, start, end, QUIRE_GFP_KERNEL);
    for (unsigned long pfn = start; !error && pfn < end; pfn += PAGEBLOCK_PAGES) {
        quire_port_irq_t irq = zone_lock(zone);
        if (!is_empty(zone, pfn, pfn + PAGEBLOCK_PAGES))
            error = -QUIRE_EBUSY;
        zone_unlock(zone, irq);
    }
    if (error)
        unisolate_pageblocks(zone, start, end, TYPE_AS_BEFORE);
    return error;
}

static int empty_range(const struct removal *removal)
{
    struct quire_mem *mem = removal->mem;
    unsigned long pfn = removal->start;
    int error = 0;
    while (pfn < removal->end && !error) {
        unsigned long end = zone_run_end(mem, pfn, removal->end);
        error = empty_run(&mem->zones[pfn_to_pageblock(mem, pfn)->zone], pfn, end);
        pfn = error ? pfn : end;
    }
    for (unsigned long done = removal->start, end; error && done < pfn; done = end) {
        end = zone_run_end(mem, done, pfn);
        unisolate_pageblocks(&mem->zones[pfn_to_pageblock(mem, done)->zone], done, end,
                             TYPE_AS_BEFORE);
    }
    return error;
}

/* Takes all free blocks out of an isolated pageblock; how many frames. */
static unsigned long take_all(struct zone *zone, struct pageblock *block)
{
    unsigned long taken = 0, start;
    for (unsigned offset = 0; offset < PAGEBLOCK_PAGES;) {
        unsigned order = 0;
        if (buddy_frame_is_free(zone->mem, block->pfn + offset)) {
            order = buddy_free_order(zone->mem, block->pfn + offset, &start);
            order = order < PAGEBLOCK_ORDER ? order : PAGEBLOCK_ORDER;
            buddy_take_exact(frame_shard(zone, block->pfn), block->pfn + offset, order);
            taken += 1ul << order;
        }
        offset += 1u << order;
    }
    return taken;
}

/* Makes a pageblock that is isolated and empty a hole. True: let pcp_open follow. */
static bool remove_pageblock(struct zone *zone, struct pageblock *block)
{
    unsigned long taken = take_all(zone, block), present = 0;
    for (unsigned i = 0; i < PAGEBLOCK_PAGES; i++) {
        struct quire_page *page = &block->pages[i];
        present += (page_flags(page) & ~PAGE_ZONE_MASK) != PAGE_HOLE;
        page_set_free(page, 0);
        quire_fetch_or(&page->flags, (uint32_t)ZONE_NONE << PAGE_ZONE_SHIFT | PAGE_HOLE);
    }
    quire_count(&zone->managed, 0 - taken);
    quire_count(&zone->present, 0 - present);
    bool last = isolation_forget(zone, block);
    quire_store_relaxed(&block->zone, ZONE_NONE);
    block->flags &= PAGEBLOCK_HOTADDED;
    return last;
}

static bool is_present(const struct zone *zone, unsigned long pfn)
{
    return zone_pageblock(zone, pfn) &&
           (page_flags(pfn_to_page(zone->mem, pfn)) & ~PAGE_ZONE_MASK) != PAGE_HOLE;
}

/* Narrows the span to what is there. zone_lock is held. */
static void narrow_span(struct zone *zone)
{
    unsigned long start = zone->start, end = zone->end;
    while (start < end && !is_present(zone, start))
        start = zone_pageblock(zone, start) ? start + 1 : next_pageblock(zone->mem, start);
    while (end > start && !is_present(zone, end - 1))
        end = zone_pageblock(zone, end - 1) ? end - 1 : pageblock_start(end - 1);
    quire_store_relaxed(&zone->start, start < end ? start : 0);
    quire_store_relaxed(&zone->end, start < end ? end : 0);
    zone->compact.migrate_pfn = zone->compact.free_pfn = 0;
}

static void commit_removal(const struct removal *removal)
{
    struct quire_mem *mem = removal->mem;
    for (unsigned long pfn = removal->start; pfn < removal->end; pfn += PAGEBLOCK_PAGES) {
        struct pageblock *block = pfn_to_pageblock(mem, pfn);
        struct zone *zone = &mem->zones[block->zone];
        quire_port_irq_t irq = zone_lock(zone);
        bool last = remove_pageblock(zone, block);
        zone_unlock(zone, irq);
        if (last)
            pcp_open(zone);
    }
    for_each_zone (mem, zone) {
        quire_port_irq_t irq = zone_lock(zone);
        narrow_span(zone);
        zone_unlock(zone, irq);
    }
    for (unsigned long number = removal->start >> SECTION_PFN_SHIFT;
         number << SECTION_PFN_SHIFT < removal->end; number++) {
        struct section_extent extent = mem->extents[number];
        /* While it is present its pageblocks' flags change under their zones' locks. */
        if (!section_is_present(mem, number) &&
            pfn_to_pageblock(mem, extent.first)->flags & PAGEBLOCK_HOTADDED)
            forget_section(mem, number);
    }
    tell_zones_changed(mem);
}

int quire_remove_memory(struct quire_mem *mem, quire_phys_t base, quire_phys_t size)
{
    quire_phys_t end = base + size, unit = (quire_phys_t)QUIRE_PAGE_SIZE << PAGEBLOCK_ORDER;
    if (!size || (base | size) & (unit - 1))
        return refuse_to_remove(base, end, "it isn't whole pageblocks, one or more");
    if (end < base || (end - 1) >> QUIRE_SECTION_SHIFT >= mem->sections.count)
        return refuse_to_remove(base, end, "it wraps around or ends beyond the section table");
    struct removal removal = {mem, quire_phys_to_pfn(base).value, quire_phys_to_pfn(end).value};
    hotplug_begin(mem);
    const char *mistake = mistake_in_removal(&removal);
    int error = mistake ? refuse_to_remove(base, end, mistake) : empty_range(&removal);
    if (!error)
        commit_removal(&removal);
    hotplug_end(mem);
    return error == -QUIRE_EAGAIN ? -QUIRE_EBUSY : error;
}
