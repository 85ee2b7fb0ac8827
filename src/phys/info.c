/* phys/info.c: counts of zones, their sums, and the end of a machine */
#include "phys/internal.h"

int quire_zone_info(struct quire_mem *mem, unsigned number, struct quire_zone_info *info)
{
    if (number >= mem->nr_zones)
        return -QUIRE_ENOENT;
    struct zone *zone = &mem->zones[number];
    quire_port_irq_t irq = zone_lock(zone);
    *info = (struct quire_zone_info){
        .node = zone->node,
        .type = zone->type,
        .start = quire_pfn(zone->start),
        .spanned = zone->end - zone->start,
        .present = zone->present,
        .managed = zone->managed,
        .nr_free = zone_nr_free(zone),
        .nr_free_cma = zone_free_special(zone, QUIRE_MIGRATE_CMA),
        .nr_reserved_highatomic = zone->nr_reserved_highatomic,
        .nr_isolated = zone_isolated_free(zone),
        .cma = quire_load_relaxed(&zone->cma),
        .watermark_min = zone->watermark[WMARK_MIN],
        .watermark_low = zone->watermark[WMARK_LOW],
        .watermark_high = zone->watermark[WMARK_HIGH],
        .watermark_boost = zone->watermark_boost,
    };
    __builtin_memcpy(info->lowmem_reserve, zone->lowmem_reserve, sizeof info->lowmem_reserve);
    for (unsigned order = 0; order < NR_ORDERS; order++)
        info->nr_blocks[order] = zone_nr_blocks(zone, order);
    zone_unlock(zone, irq);
    info->nr_pcp = pcp_pages(zone);
    return 0;
}

unsigned long quire_nr_free_pages(struct quire_mem *mem)
{
    unsigned long pages = 0;
    for_each_zone (mem, zone)
        pages += zone_nr_free(zone) + pcp_pages(zone);
    return pages;
}

unsigned long quire_nr_managed_pages(struct quire_mem *mem)
{
    unsigned long pages = 0;
    for_each_zone (mem, zone)
        pages += quire_load_relaxed(&zone->managed);
    return pages;
}

size_t quire_metadata_size(struct quire_mem *mem)
{
    return quire_load_relaxed(&mem->metadata_size);
}

unsigned long quire_mem_destroy(struct quire_mem *mem)
{
    unsigned long allocated = quire_nr_managed_pages(mem) - quire_nr_free_pages(mem);
    for_each_zone (mem, zone)
        allocated -= zone_isolated_free(zone);
    return allocated;
}
