/* phys/init.c: from a memory map to zones
 *
 * Everything that a machine needs for its life is carved out of the map, in this order: the core
 * (the quire_mem with all its tables), the descriptors of each section, the per-CPU lists of each
 * zone. When one doesn't fit, what was carved is given back in the reverse order and the map is as
 * it was. Then the map is handed over: each whole frame of it that is neither reserved nor taken
 * goes to its zone, once.
 */
#include "phys/init.h"
#include "base/text.h"
#include "phys/memblock.h"

/* ---- sections -------------------------------------------------------------------------------- */

static int widen_extents(void *arg, quire_pfn_t start, quire_pfn_t end, int node,
                         enum quire_memblock_kind kind)
{
    struct init *init = arg;
    (void)node;
    (void)kind;
    for (unsigned long pfn = start.value; pfn < end.value;) {
        unsigned long number = pfn >> SECTION_PFN_SHIFT, next = (number + 1) << SECTION_PFN_SHIFT;
        unsigned long last = next < end.value ? next : end.value;
        struct section_extent *extent = &init->mem->extents[number];
        unsigned long first = (unsigned long)quire_align_down(pfn, 1ul << MAX_ORDER);
        last = (unsigned long)quire_align_up(last, 1ul << MAX_ORDER);
        if (extent->first == extent->end)
            *extent = (struct section_extent){(uint32_t)first, (uint32_t)last};
        if (extent->first > first)
            extent->first = (uint32_t)first;
        if (extent->end < last)
            extent->end = (uint32_t)last;
        pfn = next;
    }
    return 0;
}

static quire_phys_t section_memory(const struct quire_mem *mem, unsigned long number)
{
    uintptr_t pages = mem->sections.section[number].pages;
    if (!pages)
        return 0;
    pages += mem->extents[number].first * sizeof(struct quire_page);
    return quire_port_virt_to_phys(mem->port, (void *)pages);
}

struct find_node {
    quire_phys_t phys;
    int node;
};

static int find_node_of(void *arg, quire_pfn_t start, quire_pfn_t end, int node,
                        enum quire_memblock_kind kind)
{
    struct find_node *find = arg;
    (void)start;
    (void)kind;
    if (find->phys >= quire_pfn_to_phys(end))
        return 0;
    find->node = node;
    return 1;
}

/* Sections that the map reaches; those that the table has beyond are for later. */
static unsigned long map_sections(const struct init *init)
{
    quire_phys_t end = quire_memblock_end(init->memblock);
    quire_phys_t section = (quire_phys_t)1 << QUIRE_SECTION_SHIFT;
    unsigned long number = (unsigned long)((end + section - 1) >> QUIRE_SECTION_SHIFT);
    return number < init->mem->sections.count ? number : init->mem->sections.count;
}

/* Descriptors lie on the node of the first memory that they describe, if there is room for what
 * stays. */
static bool make_section(struct init *init, unsigned long number)
{
    struct quire_mem *mem = init->mem;
    struct section_extent extent = mem->extents[number];
    struct find_node find = {quire_pfn_to_phys(quire_pfn(extent.first)), -1};
    memblock_for_each_memory_frames(init->memblock, find_node_of, &find);
    size_t size = section_size(mem, extent.end - extent.first);
    quire_phys_t phys = init_carve(init, size, QUIRE_PAGE_SIZE, find.node);
    if (!phys)
        return false;
    section_create(mem, extent.first, extent.end, quire_port_phys_to_virt(mem->port, phys), 0);
    mem->metadata_size += size;
    return true;
}

static bool make_sections(struct init *init)
{
    memblock_for_each_memory_frames(init->memblock, widen_extents, init);
    for (unsigned long number = 0; number < map_sections(init); number++)
        if (init->mem->extents[number].end && !make_section(init, number))
            return false;
    return true;
}

/* ---- the hand-over --------------------------------------------------------------------------- */

static void give_back(struct init *init, quire_phys_t phys, quire_phys_t size)
{
    int error = quire_memblock_free(init->memblock, phys, size);
    QUIRE_BUG_ON(error);
}

static void undo(struct init *init)
{
    struct quire_mem *mem = init->mem;
    for (unsigned id = mem->nr_zones; id-- > 0;) {
        struct zone *zone = &mem->zones[id];
        if (zone->pcp)
            give_back(init, quire_port_virt_to_phys(mem->port, zone->pcp),
                      zone_pcps_size(zone, zone->present));
    }
    for (unsigned long number = map_sections(init); number-- > 0;) {
        quire_phys_t phys = section_memory(mem, number);
        struct section_extent extent = mem->extents[number];
        if (phys)
            give_back(init, phys, section_size(mem, extent.end - extent.first));
    }
    give_back(init, init->core, init->core_size);
}

static int sum_free(void *arg, quire_pfn_t start, quire_pfn_t end, int node,
                    enum quire_memblock_kind kind)
{
    (void)node;
    (void)kind;
    *(unsigned long *)arg += end.value - start.value;
    return 0;
}

static int too_small(const struct init *init, unsigned long free_before)
{
    quire_phys_t size = quire_memblock_memory_size(init->memblock);
    quire_phys_t end = quire_memblock_end(init->memblock);
    quire_log(
        QUIRE_LOG_ERROR,
        "quire: memory map \"%s\": %llu KiB of memory that ends at 0x%llx, %lu KiB of it free, "
        "is too small to hold its own descriptors (%llu KiB and more)",
        init->memblock->name, (unsigned long long)(size >> 10), (unsigned long long)end,
        free_before << (QUIRE_PAGE_SHIFT - 10),
        (unsigned long long)((init->core_size +
                              (size >> QUIRE_PAGE_SHIFT) * sizeof(struct quire_page)) >>
                             10));
    return -QUIRE_ENOMEM;
}

static int release(void *arg, quire_pfn_t start, quire_pfn_t end, int node,
                   enum quire_memblock_kind kind)
{
    struct init *init = arg;
    (void)node;
    (void)kind;
    release_frames(init->mem, start.value ? start.value : 1, end.value);
    return 0;
}

/* Tells the layer's own memory from what the caller reserved, and may free. */
static void mark_metadata(struct quire_mem *mem, quire_phys_t phys, quire_phys_t size)
{
    unsigned long end = quire_phys_to_pfn(phys + size - 1).value + 1;
    for (unsigned long pfn = quire_phys_to_pfn(phys).value; pfn < end; pfn++)
        if (pfn_valid(mem, pfn)) /* a frame that is memory only in part may have no descriptor */
            pfn_to_page(mem, pfn)->flags |= PAGE_METADATA;
}

static void mark_all_metadata(struct init *init)
{
    struct quire_mem *mem = init->mem;
    mark_metadata(mem, init->core, init->core_size);
    for (unsigned long number = 0; number < map_sections(init); number++) {
        struct section_extent extent = mem->extents[number];
        if (extent.end)
            mark_metadata(mem, section_memory(mem, number),
                          section_size(mem, extent.end - extent.first));
    }
    for_each_zone (mem, zone)
        if (zone->pcp)
            mark_metadata(mem, quire_port_virt_to_phys(mem->port, zone->pcp),
                          zone_pcps_size(zone, zone->present));
}

int quire_mem_init(struct quire_mem **mem, struct quire_memblock *memblock,
                   const struct quire_mem_config *config)
{
    struct init init = {.memblock = memblock, .config = config};
    unsigned long free_before = 0, free_after = 0;
    if (!config)
        return init_refuse(&init, "config", "is missing");
    if (memblock->handed_over)
        return init_refuse(&init, "the map", "was handed over already");
    int error = init_check_config(&init);
    if (error)
        return error;
    memblock_for_each_free_frames(memblock, sum_free, &free_before);
    init_lay_out_movable(&init);
    if (!init_make_core(&init))
        return too_small(&init, free_before);
    bool made = make_sections(&init) && init_make_zones(&init);
    memblock_for_each_free_frames(memblock, sum_free, &free_after);
    if (!made || !free_after) {
        undo(&init);
        return too_small(&init, free_before);
    }
    if (config->min_free_kbytes >> (QUIRE_PAGE_SHIFT - 10) > free_after / 2) {
        undo(&init);
        return init_refuse(&init, "config.min_free_kbytes", "is more than half of the free memory");
    }
    /* Each reason counts for itself: poisoning may be turned off later. */
    for_each_zone (init.mem, zone)
        zone->pcp_closed = (unsigned)config->no_pcp + !!(config->debug & QUIRE_DEBUG_OWNER) +
                           !!(config->debug & QUIRE_DEBUG_FAIL) +
                           !!(config->debug & QUIRE_DEBUG_POISON);
    mark_all_metadata(&init);
    memblock_for_each_free_frames(memblock, release, &init);
    for_each_zone (init.mem, zone)
        shards_deal(zone);
    memblock_hand_over(memblock);
    zones_changed(init.mem);
    *mem = init.mem;
    return 0;
}
