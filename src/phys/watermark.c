/* phys/watermark.c: how much of a zone stays free
 *
 * min: below it only those get memory who free some by it or can't wait. low: the background
 * reclaimer is woken. high: it may sleep again. Computed as Linux does (mm/page_alloc.c,
 * Documentation/admin-guide/sysctl/vm.rst): a machine keeps min_free_kbytes free, spread over its
 * directly mapped zones by size; low and high lie above by the larger of a quarter of that and
 * watermark_scale_factor ten-thousandths of the zone. When a pageblock of one type is claimed by
 * another, the marks are boosted for a while, so that reclaim makes whole pageblocks free.
 *
 * lowmem_reserve[h] of a zone is what allocations that could also use zones up to h must leave of
 * it: those who can only use this zone shouldn't find it full of what had a choice.
 */
#include "phys/internal.h"

#define MIN_FREE_KBYTES_MIN 128ul
#define MIN_FREE_KBYTES_MAX 262144ul
#define HIGHMEM_MIN_PAGES 32ul /* Linux's SWAP_CLUSTER_MAX */
#define HIGHMEM_MAX_PAGES 128ul
#define MAX_LOOKS 3 /* while other CPUs move what is looked at */

static const unsigned lowmem_reserve_ratio[QUIRE_NR_ZONES] = {256, 256, 32, 0, 0};

static unsigned long sqrt_floor(uint64_t x)
{
    uint64_t root = 0;
    for (uint64_t bit = (uint64_t)1 << 31; bit; bit >>= 1)
        if ((root | bit) * (root | bit) <= x)
            root |= bit;
    return (unsigned long)root;
}

static bool is_lowmem(const struct zone *zone)
{
    return zone->type <= QUIRE_ZONE_NORMAL;
}

static unsigned long managed_lowmem(const struct quire_mem *mem)
{
    unsigned long pages = 0;
    for_each_zone (mem, zone)
        if (is_lowmem(zone))
            pages += quire_load_relaxed(&zone->managed);
    return pages;
}

static unsigned long default_min_free_kbytes(unsigned long lowmem_pages)
{
    uint64_t kbytes = (uint64_t)lowmem_pages << (QUIRE_PAGE_SHIFT - 10);
    unsigned long min = sqrt_floor(kbytes * 16);
    return min < MIN_FREE_KBYTES_MIN   ? MIN_FREE_KBYTES_MIN
           : min > MIN_FREE_KBYTES_MAX ? MIN_FREE_KBYTES_MAX
                                       : min;
}

static void setup_zone(struct zone *zone, unsigned long min_pages, unsigned long lowmem_pages)
{
    uint64_t share = 0;
    if (lowmem_pages)
        share = quire_div64((uint64_t)min_pages * zone->managed, (uint32_t)lowmem_pages);
    unsigned long min = (unsigned long)share;
    if (!is_lowmem(zone)) {
        min = zone->managed / 1024;
        min = min < HIGHMEM_MIN_PAGES ? HIGHMEM_MIN_PAGES : min;
        min = min > HIGHMEM_MAX_PAGES ? HIGHMEM_MAX_PAGES : min;
    }
    uint64_t scaled =
        quire_div64((uint64_t)zone->managed * zone->mem->watermark_scale_factor, 10000);
    unsigned long step = (unsigned long)(share / 4 > scaled ? share / 4 : scaled);
    quire_store_relaxed(&zone->watermark[WMARK_MIN], min);
    quire_store_relaxed(&zone->watermark[WMARK_LOW], min + step);
    quire_store_relaxed(&zone->watermark[WMARK_HIGH], min + 2 * step);
    quire_store_relaxed(&zone->watermark_boost, 0);
}

static void setup_lowmem_reserve(struct zone *zone)
{
    unsigned long above = 0;
    for (unsigned highest = 0; highest < QUIRE_NR_ZONES; highest++) {
        if (highest > zone->type)
            for_each_zone (zone->mem, other)
                if (other->node == zone->node && other->type == highest)
                    above += quire_load_relaxed(&other->managed);
        unsigned ratio = lowmem_reserve_ratio[zone->type];
        quire_store_relaxed(&zone->lowmem_reserve[highest],
                            ratio && zone->managed ? above / ratio : 0);
    }
}

void watermarks_setup(struct quire_mem *mem)
{
    unsigned long lowmem = managed_lowmem(mem);
    unsigned long kbytes =
        mem->min_free_kbytes ? mem->min_free_kbytes : default_min_free_kbytes(lowmem);
    unsigned long min_pages = kbytes >> (QUIRE_PAGE_SHIFT - 10);
    for_each_zone (mem, zone) {
        quire_port_irq_t irq = zone_lock(zone);
        setup_zone(zone, min_pages, lowmem);
        setup_lowmem_reserve(zone);
        zone_unlock(zone, irq);
    }
}

unsigned long zone_watermark(const struct zone *zone, enum watermark mark)
{
    return quire_load_relaxed(&zone->watermark[mark]) + quire_load_relaxed(&zone->watermark_boost);
}

/* Free frames that this allocation may not have. What lies in inboxes may be of any type. */
static unsigned long unusable_free(const struct zone *zone, unsigned order, unsigned alloc_flags)
{
    unsigned long unusable = (1ul << order) - 1;
    bool cma = quire_load_relaxed(&zone->cma) && !(alloc_flags & ALLOC_CMA);
    bool reserve =
        quire_load_relaxed(&zone->nr_reserved_highatomic) && !(alloc_flags & ALLOC_HIGHATOMIC);
    if (cma || reserve)
        unusable += zone_inbox_frames(zone);
    if (cma)
        unusable += zone_free_special(zone, QUIRE_MIGRATE_CMA);
    if (reserve)
        unusable += zone_free_special(zone, QUIRE_MIGRATE_HIGHATOMIC);
    return unusable;
}

static uint32_t usable_orders(const struct zone *zone, unsigned alloc_flags)
{
    uint32_t orders = 0;
    for (unsigned type = 0; type < PCP_TYPES; type++)
        orders |= zone_avail(zone, type);
    if (alloc_flags & ALLOC_CMA)
        orders |= zone_avail(zone, QUIRE_MIGRATE_CMA);
    if (alloc_flags & ALLOC_HIGHATOMIC)
        orders |= zone_avail(zone, QUIRE_MIGRATE_HIGHATOMIC);
    return orders;
}

static bool watermark_ok(const struct zone *zone, unsigned order, unsigned long mark,
                         enum quire_zone_type highest, unsigned alloc_flags)
{
    long min = (long)mark;
    if (alloc_flags & ALLOC_MIN_RESERVE) {
        min -= min / 2;
        if (alloc_flags & ALLOC_NON_BLOCK)
            min -= min / 4;
    }
    long free = (long)zone_nr_free(zone) - (long)unusable_free(zone, order, alloc_flags);
    if (free <= min + (long)quire_load_relaxed(&zone->lowmem_reserve[highest]))
        return false;
    return !order || usable_orders(zone, alloc_flags) >> order;
}

bool zone_watermark_ok(struct zone *zone, unsigned order, unsigned long mark,
                       enum quire_zone_type highest, unsigned alloc_flags)
{
    for (unsigned look = 0; look < MAX_LOOKS; look++) {
        unsigned long ended = hand_overs_ended(zone);
        if (watermark_ok(zone, order, mark, highest, alloc_flags))
            return true;
        if (!zone_empty_inboxes(zone) && !hand_over_since(zone, ended))
            return false;
    }
    return false;
}

void boost_watermark(struct zone *zone)
{
    struct quire_mem *mem = zone->mem;
    if (!mem->watermark_boost_factor || !mem->ops.wake_reclaim)
        return; /* nobody would ever lower it again */
    unsigned long most = (unsigned long)quire_div64(
        (uint64_t)quire_load_relaxed(&zone->watermark[WMARK_HIGH]) * mem->watermark_boost_factor,
        10000);
    if (most < PAGEBLOCK_PAGES && quire_load_relaxed(&zone->managed) < 4 * PAGEBLOCK_PAGES)
        return; /* a small zone would be kept from all allocation */
    unsigned long boost = quire_load_relaxed(&zone->watermark_boost) + PAGEBLOCK_PAGES;
    if (most < PAGEBLOCK_PAGES)
        most = PAGEBLOCK_PAGES;
    quire_store_relaxed(&zone->watermark_boost, boost < most ? boost : most);
}

void quire_reset_watermark_boost(struct quire_mem *mem, int node)
{
    for_each_zone (mem, zone) {
        if (zone->node != node)
            continue;
        quire_port_irq_t irq = zone_lock(zone);
        quire_store_relaxed(&zone->watermark_boost, 0);
        zone_unlock(zone, irq);
    }
}

int quire_set_min_free_kbytes(struct quire_mem *mem, unsigned long kbytes)
{
    uint64_t total = (uint64_t)quire_nr_managed_pages(mem) << (QUIRE_PAGE_SHIFT - 10);
    if (!kbytes || kbytes > total / 2)
        return -QUIRE_EINVAL;
    quire_port_irq_t irq = mem_lock(mem);
    mem->min_free_kbytes = kbytes;
    watermarks_setup(mem);
    mem_unlock(mem, irq);
    return 0;
}

int quire_set_watermark_scale_factor(struct quire_mem *mem, unsigned factor)
{
    if (!factor || factor > 3000)
        return -QUIRE_EINVAL;
    quire_port_irq_t irq = mem_lock(mem);
    mem->watermark_scale_factor = factor;
    watermarks_setup(mem);
    mem_unlock(mem, irq);
    return 0;
}

bool quire_node_balanced(struct quire_mem *mem, int node, unsigned order,
                         enum quire_zone_type highest)
{
    bool any = false;
    if (highest >= QUIRE_NR_ZONES)
        highest = QUIRE_NR_ZONES - 1;
    for_each_zone (mem, zone) {
        if (zone->node != node || zone->type > highest || !zone_populated(zone))
            continue;
        any = true;
        if (zone_watermark_ok(zone, order, zone_watermark(zone, WMARK_HIGH), highest, 0))
            return true;
    }
    return !any;
}
