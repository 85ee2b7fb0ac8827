/* tests/model/phys_zones.c: which zone an allocation may and must come from, and how much stays
 * free
 *
 * Watermarks. A CPU's lists are filled from the zone in batches, and a zone is looked at when they
 * are, so what is on them has passed. Hence the rule that is checked: when an allocation made a
 * zone's free count fall, what the zone and the lists have left together is not below the mark that
 * the request has to leave; and a request fails only when every zone that it may use is at its
 * mark. The marks, by Linux's documentation: min plus boost; half of it with HIGH, and three
 * quarters of that half where the request can't wait; none with MEMALLOC; the zone's reserve
 * against requests that could have gone higher is added.
 */
#include "tests/model/phys_model.h"

/* ---- which zones ----------------------------------------------------------------------------- */

static bool machine_has_zone(const struct model *model, unsigned type)
{
    static const quire_phys_t port_ends[QUIRE_NR_ZONES] = QUIRE_PORT_ZONE_ENDS;
    bool given = false;
    for (unsigned other = 0; other < QUIRE_NR_ZONES; other++)
        given = given || model->config.zone_end[other];
    return (given ? model->config.zone_end : port_ends)[type];
}

unsigned gfp_highest_zone(const struct model *model, quire_gfp_t gfp)
{
    switch (gfp & (QUIRE_GFP_DMA | QUIRE_GFP_DMA32 | QUIRE_GFP_HIGHMEM)) {
    case 0:
        return QUIRE_ZONE_NORMAL;
    case QUIRE_GFP_DMA:
        return machine_has_zone(model, QUIRE_ZONE_DMA) ? QUIRE_ZONE_DMA : QUIRE_ZONE_NORMAL;
    case QUIRE_GFP_DMA32:
        return machine_has_zone(model, QUIRE_ZONE_DMA32) ? QUIRE_ZONE_DMA32 : QUIRE_ZONE_NORMAL;
    case QUIRE_GFP_HIGHMEM:
        if (gfp & QUIRE_GFP_MOVABLE)
            return QUIRE_ZONE_MOVABLE;
        return machine_has_zone(model, QUIRE_ZONE_HIGHMEM) ? QUIRE_ZONE_HIGHMEM : QUIRE_ZONE_NORMAL;
    default:
        return QUIRE_NR_ZONES;
    }
}

unsigned home_node(const struct model *model)
{
    return model->cpu < model->config.nr_cpus ? model->cpu_node[model->cpu] : 0;
}

/* The nearest node that isn't in `seen`, itself first, then the one of the lower number. */
static unsigned nearest_node(const struct model *model, unsigned from, unsigned seen)
{
    unsigned best = MODEL_MAX_NODES;
    if (!(seen >> from & 1))
        return from;
    for (unsigned node = 0; node < model->nr_nodes; node++) {
        const uint8_t *row = &model->distance[from * model->nr_nodes];
        if (!(seen >> node & 1) && (best == MODEL_MAX_NODES || row[node] < row[best]))
            best = node;
    }
    return best;
}

unsigned zones_in_order(const struct model *model, unsigned node, unsigned highest, bool this_node,
                        uint8_t zones[MODEL_MAX_ZONES])
{
    unsigned count = 0, seen = 0, from = node;
    while (node < MODEL_MAX_NODES) {
        for (unsigned type = highest + 1; type-- > 0;)
            if (model->zone_managed[zone_key(node, type)])
                zones[count++] = zone_key(node, type);
        if (this_node)
            break;
        seen |= 1u << node;
        node = nearest_node(model, from, seen);
    }
    return count;
}

/* ---- marks ----------------------------------------------------------------------------------- */

void zones_read(struct model *model, struct zone_counts *counts)
{
    struct quire_zone_info info;
    __builtin_memset(counts, 0, sizeof *counts);
    for (unsigned i = 0; !quire_zone_info(model->mem, i, &info); i++) {
        uint8_t key = zone_key((unsigned)info.node, info.type);
        counts->info[key] = info;
        counts->exists[key] = true;
    }
}

/* What a request has to leave of a zone at the very least, in pages. */
static long mark_of(const struct quire_zone_info *info, unsigned long boost, quire_gfp_t gfp,
                    unsigned highest)
{
    long mark = (long)(info->watermark_min + boost);
    if (gfp & QUIRE_GFP_MEMALLOC && !(gfp & QUIRE_GFP_NOMEMALLOC))
        return 0;
    if (gfp & QUIRE_GFP_HIGH) {
        mark -= mark / 2;
        if (!(gfp & (QUIRE_GFP_DIRECT_RECLAIM | QUIRE_GFP_NOMEMALLOC)))
            mark -= mark / 4;
    }
    return mark + (long)info->lowmem_reserve[highest];
}

static bool has_block(const struct quire_zone_info *info, unsigned order)
{
    for (; order <= QUIRE_MAX_ORDER; order++)
        if (info->nr_blocks[order])
            return true;
    return false;
}

/* What nobody but atomic requests of higher orders may count on: at most this. */
static long highatomic_free(const struct quire_zone_info *info)
{
    return (long)info->nr_reserved_highatomic;
}

/* The zone had plenty for the request: no reason to go elsewhere. */
static bool had_plenty(const struct quire_zone_info *info, const struct request *request,
                       unsigned highest)
{
    long mark = (long)(info->watermark_low + info->watermark_boost + info->lowmem_reserve[highest]);
    return (long)info->nr_free - highatomic_free(info) > mark + (1l << request->order) &&
           (!request->order || (!info->nr_reserved_highatomic && has_block(info, request->order)));
}

static unsigned request_zones(const struct model *model, const struct request *request,
                              uint8_t zones[MODEL_MAX_ZONES])
{
    unsigned node = request->node < 0 ? home_node(model) : (unsigned)request->node;
    return zones_in_order(model, node, gfp_highest_zone(model, request->gfp),
                          request->gfp & QUIRE_GFP_THISNODE, zones);
}

void zones_check_allowed(struct model *model, const struct request *request,
                         const struct quire_page *page)
{
    uint8_t zones[MODEL_MAX_ZONES];
    unsigned count = request_zones(model, request, zones);
    bool allowed = false;
    for (unsigned i = 0; i < count; i++)
        allowed = allowed || zones[i] == model->zone[quire_page_to_pfn(page).value];
    EXPECT(model, allowed);
}

void zones_check_success(struct model *model, const struct request *request,
                         const struct zone_counts *before, const struct zone_counts *after,
                         const struct quire_page *page)
{
    uint8_t zones[MODEL_MAX_ZONES];
    unsigned highest = gfp_highest_zone(model, request->gfp);
    uint8_t key = model->zone[quire_page_to_pfn(page).value];
    const struct quire_zone_info *was = &before->info[key], *is = &after->info[key];
    EXPECT(model, !request_zones(model, request, zones) || zones[0] == key ||
                      !had_plenty(&before->info[zones[0]], request, highest));
    /* Without the boost: it may have ended and come again meanwhile. */
    if (is->nr_free < was->nr_free)
        EXPECT(model, (long)(is->nr_free + is->nr_pcp) >= mark_of(is, 0, request->gfp, highest));
    EXPECT_EQ(model, is->nr_free + is->nr_pcp + (1ul << request->order),
              was->nr_free + was->nr_pcp);
}

void zones_check_failure(struct model *model, const struct request *request,
                         const struct zone_counts *after)
{
    uint8_t zones[MODEL_MAX_ZONES];
    unsigned highest = gfp_highest_zone(model, request->gfp);
    unsigned count = request_zones(model, request, zones);
    bool reclaims = request->gfp & QUIRE_GFP_DIRECT_RECLAIM && !(request->gfp & QUIRE_GFP_MEMALLOC);
    for (unsigned i = 0; i < count; i++) {
        const struct quire_zone_info *info = &after->info[zones[i]];
        EXPECT(model, !reclaims || !info->nr_pcp);
        long mark = mark_of(info, info->watermark_boost, request->gfp, highest);
        bool enough =
            (long)info->nr_free - highatomic_free(info) - ((1l << request->order) - 1) > mark;
        if (request->order && info->nr_reserved_highatomic)
            continue; /* what it has may all be reserved */
        EXPECT(model, !enough || !has_block(info, request->order));
    }
}

void zones_check_sums(struct model *model)
{
    EXPECT_EQ(model, quire_nr_free_pages(model->mem) + model->used, model->managed);
    EXPECT_EQ(model, quire_nr_managed_pages(model->mem), model->managed);
}

/* ---- merging --------------------------------------------------------------------------------- */

/* Ordinary types mix within a block of several pageblocks, once it is free; special ones don't. */
static bool types_agree(const struct model *model, unsigned long pfn, unsigned long other)
{
    struct quire_mem *mem = model->mem;
    unsigned a = quire_pageblock_migratetype(mem, quire_pfn_to_page(mem, quire_pfn(pfn)));
    unsigned b = quire_pageblock_migratetype(mem, quire_pfn_to_page(mem, quire_pfn(other)));
    return a == b || (a < QUIRE_MIGRATE_HIGHATOMIC && b < QUIRE_MIGRATE_HIGHATOMIC);
}

static bool is_free_block(const struct model *model, unsigned long pfn, unsigned order)
{
    if (pfn & ((1ul << order) - 1) || pfn + (1ul << order) > model->nr_frames)
        return false;
    for (unsigned long i = 0; i < 1ul << order; i++)
        if (model->state[pfn + i] != FRAME_FREE || model->zone[pfn + i] != model->zone[pfn])
            return false;
    for (unsigned long i = QUIRE_PAGEBLOCK_PAGES; i < 1ul << order; i += QUIRE_PAGEBLOCK_PAGES)
        if (!types_agree(model, pfn, pfn + i))
            return false;
    return true;
}

void zones_check_merged(struct model *model)
{
    static unsigned long expected[MODEL_MAX_ZONES][QUIRE_MAX_ORDER + 1];
    static struct zone_counts counts; /* too large for the machine's stack */
    __builtin_memset(expected, 0, sizeof expected);
    quire_drain_all_pages(model->mem);
    for (unsigned long pfn = 0; pfn < model->nr_frames;) {
        if (model->state[pfn] != FRAME_FREE) {
            pfn++;
            continue;
        }
        unsigned order = QUIRE_MAX_ORDER;
        while (!is_free_block(model, pfn, order))
            order--;
        expected[model->zone[pfn]][order]++;
        pfn += 1ul << order;
    }
    zones_read(model, &counts);
    for (unsigned key = 0; key < MODEL_MAX_ZONES; key++) {
        const struct quire_zone_info *info = &counts.info[key];
        unsigned long pages = 0;
        for (unsigned order = 0; order <= QUIRE_MAX_ORDER; order++) {
            EXPECT_EQ(model, info->nr_blocks[order], expected[key][order]);
            pages += expected[key][order] << order;
        }
        EXPECT_EQ(model, info->nr_free, pages);
        EXPECT_EQ(model, info->nr_pcp, 0);
        EXPECT(model, info->nr_reserved_highatomic <= info->managed / 100 + QUIRE_PAGEBLOCK_PAGES);
        EXPECT_EQ(model, info->managed, model->zone_managed[key]);
    }
}
