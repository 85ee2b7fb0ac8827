/* phys/contig.c: contiguous frames beyond what the buddy allocator hands out
 *
 * A range is had in three steps, as Linux's alloc_contig_range: the pageblocks that hold it are
 * isolated; what is allocated in it is moved away by its movers; then the range is free, and stays
 * so because nobody else allocates there, and its frames are taken one by one. Each step can be
 * undone, which is what happens when one fails.
 */
#include "phys/move.h"

/* ---- a given range --------------------------------------------------------------------------- */

static bool has_holes(const struct quire_mem *mem, unsigned long start, unsigned long end)
{
    for (unsigned long pfn = start; pfn < end; pfn++)
        if ((page_flags(pfn_to_page(mem, pfn)) & ~PAGE_ZONE_MASK) == PAGE_HOLE)
            return true;
    return false;
}

/* The end of the part of [pfn, end) that is in one pageblock. */
static unsigned long part_end(unsigned long pfn, unsigned long end)
{
    unsigned long next = pageblock_end(pfn);
    return next < end ? next : end;
}

static bool all_free(struct zone *zone, unsigned long start, unsigned long end)
{
    bool free = true;
    for (unsigned long pfn = start, next; free && pfn < end; pfn = next) {
        next = part_end(pfn, end);
        quire_port_irq_t irq = zone_lock(zone);
        for (unsigned long i = pfn; free && i < next; i++)
            free = buddy_frame_is_free(zone->mem, i);
        zone_unlock(zone, irq);
    }
    return free;
}

/* Takes free frames of one pageblock, each as a block of its own, that will be freed to the zone,
 * so that the range can grow together again. zone_lock is held. */
static void take_part(struct zone *zone, unsigned long start, unsigned long end)
{
    struct quire_page *page = pfn_to_page(zone->mem, start);
    uint32_t flags = page_head_flags(zone, 0, PAGE_TYPE_SPECIAL);
    struct shard *shard = frame_shard(zone, start);
    quire_fetch_add(&shard->nr_alloc[0], end - start);
    while (start < end) {
        unsigned order = start ? quire_ctz64(start) : PAGEBLOCK_ORDER;
        order = order < PAGEBLOCK_ORDER ? order : PAGEBLOCK_ORDER;
        while (1ul << order > end - start)
            order--;
        buddy_take_exact(shard, start, order);
        for (unsigned long i = 0; i < 1ul << order; i++)
            page_set_allocated(page++, flags);
        start += 1ul << order;
    }
}

int alloc_contig(struct zone *zone, unsigned long start, unsigned long end,
                 enum quire_migratetype type, quire_gfp_t gfp, uintptr_t caller)
{
    int error = isolate_pageblocks(zone, start, end,
                                   type == QUIRE_MIGRATE_CMA ? ISOLATE_FOR_CMA : ISOLATE_TO_KEEP);
    if (error)
        return error;
    error = has_holes(zone->mem, start, end) ? -QUIRE_EINVAL : migrate_range(zone, start, end, gfp);
    if (!error && !all_free(zone, start, end))
        error = -QUIRE_EBUSY;
    for (unsigned long pfn = start; !error && pfn < end; pfn = part_end(pfn, end)) {
        quire_port_irq_t irq = zone_lock(zone);
        take_part(zone, pfn, part_end(pfn, end));
        zone_unlock(zone, irq);
    }
    unisolate_pageblocks(zone, start, end, TYPE_AS_BEFORE);
    for (unsigned long pfn = start; !error && pfn < end; pfn++)
        prepare_new_page(zone->mem, pfn_to_page(zone->mem, pfn), 0, gfp & QUIRE_GFP_ZERO, caller);
    return error;
}

static const char *mistake_in_range(const struct zone *zone, enum quire_migratetype type,
                                    quire_gfp_t gfp)
{
    if (!zone)
        return "it is empty, or not all memory of one zone";
    if (type >= QUIRE_MIGRATE_HIGHATOMIC && type != QUIRE_MIGRATE_CMA)
        return "nothing is allocated for this migrate type";
    return gfp & ~QUIRE_GFP_MASK ? "the gfp flags have unknown bits" : NULL;
}

int quire_alloc_contig_range(struct quire_mem *mem, quire_pfn_t start, quire_pfn_t end,
                             enum quire_migratetype type, quire_gfp_t gfp)
{
    struct zone *zone = zone_of_range(mem, start.value, end.value);
    const char *mistake = mistake_in_range(zone, type, gfp);
    uintptr_t caller = (uintptr_t)__builtin_return_address(0);
    int error =
        mistake ? -QUIRE_EINVAL : alloc_contig(zone, start.value, end.value, type, gfp, caller);
    if (error == -QUIRE_EINVAL)
        return refuse_range("allocate", quire_pfn_to_phys(start), quire_pfn_to_phys(end),
                            QUIRE_EINVAL, mistake ? mistake : "it has a hole of the memory map");
    return error == -QUIRE_EAGAIN ? -QUIRE_EBUSY : error;
}

/* ---- any range ------------------------------------------------------------------------------- */

/* A frame of [start, end) that keeps the range from being had, the first one; `end`: none seems to.
 * Where a whole pageblock or section is out of the question, its last frame. */
static unsigned long first_obstacle(struct zone *zone, unsigned long start, unsigned long end)
{
    for (unsigned long pfn = start, next; pfn < end; pfn = next) {
        next = part_end(pfn, end);
        unsigned long obstacle = next, last = next_pageblock(zone->mem, pfn) - 1;
        quire_port_irq_t irq = zone_lock(zone);
        const struct pageblock *block = zone_pageblock(zone, pfn);
        if (!block || block->type >= QUIRE_MIGRATE_CMA)
            obstacle = last;
        else
            obstacle = first_unmovable(zone, block, pfn, next, ISOLATE_TO_KEEP);
        zone_unlock(zone, irq);
        if (obstacle != next)
            return obstacle;
    }
    return end;
}

static struct quire_page *find_contig(struct zone *zone, const struct alloc_context *ac,
                                      unsigned long count, unsigned long align, uintptr_t caller)
{
    unsigned long start = (unsigned long)quire_align_up(quire_load_relaxed(&zone->start), align);
    while (start < quire_load_relaxed(&zone->end) &&
           count <= quire_load_relaxed(&zone->end) - start) {
        unsigned long end = start + count, obstacle = first_obstacle(zone, start, end);
        if (obstacle == end) {
            int error = alloc_contig(zone, start, end, ac->type, ac->gfp, caller);
            if (!error)
                return pfn_to_page(zone->mem, start);
            if (error == -QUIRE_ENOMEM)
                return NULL;
            obstacle = start | (PAGEBLOCK_PAGES - 1); /* each attempt is dear */
        }
        start = (unsigned long)quire_align_up(obstacle + 1, align);
        if (!start)
            break;
    }
    return NULL;
}

struct quire_page *quire_alloc_contig_pages(struct quire_mem *mem, unsigned long count,
                                            unsigned long align, quire_gfp_t gfp, int node)
{
    struct alloc_context ac;
    uintptr_t caller = (uintptr_t)__builtin_return_address(0);
    if (!count || !quire_is_power_of_2(align) || node < -1 || gfp & ~QUIRE_GFP_MASK ||
        !alloc_context_prepare(mem, node, gfp, 0, &ac))
        return NULL;
    if (node >= 0)
        ac.zonelist = mem->nodes[node].this_node;
    struct zone *zone;
    for (struct zone **list = ac.zonelist; (zone = quire_load_relaxed(list)); list++) {
        if (zone->type > ac.highest)
            continue;
        struct quire_page *page = find_contig(zone, &ac, count, align, caller);
        if (page)
            return page;
    }
    return NULL;
}

/* ---- giving back ----------------------------------------------------------------------------- */

void quire_free_contig_range(struct quire_mem *mem, quire_pfn_t start, unsigned long count)
{
    for (unsigned long pfn = start.value; pfn < start.value + count; pfn++) {
        if (pfn_valid(mem, pfn))
            quire_free_pages(mem, pfn_to_page(mem, pfn), 0);
        else
            bad_page(mem, pfn, "free of a frame that doesn't exist");
    }
}
