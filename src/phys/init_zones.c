/* phys/init_zones.c: the map's frames go to their zones, which get their per-CPU lists */
#include "base/text.h"
#include "phys/init.h"
#include "phys/memblock.h"

static int add_frames(void *arg, quire_pfn_t start, quire_pfn_t end, int node,
                      enum quire_memblock_kind kind)
{
    struct init *init = arg;
    bool hotplug = kind == QUIRE_MEMBLOCK_HOTPLUG;
    if (zone_type_of(init->mem, node, end.value - 1, hotplug) == QUIRE_NR_ZONES)
        quire_log(QUIRE_LOG_WARNING,
                  "quire: memory map \"%s\": [0x%llx, 0x%llx) reaches beyond the last zone; that "
                  "part isn't used",
                  init->memblock->name, (unsigned long long)quire_pfn_to_phys(start),
                  (unsigned long long)quire_pfn_to_phys(end));
    section_add_frames(init->mem, start.value, end.value, node, hotplug,
                       kind == QUIRE_MEMBLOCK_NOMAP ? PAGE_NOMAP : PAGE_RESERVED);
    return 0;
}

/* The lists of all CPUs for one zone, and the table of them, are one allocation on its node. */
static bool make_pcps(struct init *init, struct zone *zone)
{
    if (!zone->present)
        return true;
    size_t size = zone_pcps_size(zone, zone->present);
    quire_phys_t phys = init_carve(init, size, QUIRE_CACHELINE_BYTES, zone->node);
    if (!phys)
        return false;
    zone_pcps_create(zone, quire_port_phys_to_virt(init->mem->port, phys), zone->present);
    init->mem->metadata_size += size;
    return true;
}

bool init_make_zones(struct init *init)
{
    for (unsigned node = 0; node < init->nr_nodes; node++)
        if (init->movable_base[node] != UINT64_MAX)
            init->mem->nodes[node].movable_start =
                quire_phys_to_pfn(init->movable_base[node]).value;
    memblock_for_each_memory_frames(init->memblock, add_frames, init);
    for (unsigned node = 0; node < init->nr_nodes; node++)
        init->mem->nodes[node].movable_start = ~0ul; /* what comes later says itself what it is */
    for_each_zone (init->mem, zone)
        if (!make_pcps(init, zone))
            return false;
    return true;
}
