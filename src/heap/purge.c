/* heap/purge.c: free pages go back to the system
 *
 * Pages that were used and are free still take memory: they are dirty. How many is known by the
 * most that were used at a time since the last purge: phys hands out what was used before first, so
 * peak less used is what could go, about.
 *
 * Two rules, looked at when blocks are put back and more than the trim threshold is dirty:
 *
 *   decay   the time is divided into intervals; what nobody needed in all of one goes at its end
 *   ebb     when more is dirty than is used, or it is little, all of it goes, once an interval at
 *           most: a program that is done with its memory doesn't wait for the decay, and may never
 *           call again. If the threshold was set it goes each time, but for what is little beside
 *           what is used: that is what was asked for
 *
 * Large blocks that were kept for the decay go then, too, and also when hardly anything is dirty:
 * who has small blocks only from now on may never come to large.c again.
 *
 * When pages go back and more of the slabs is free than used, pages go too that hold no block in
 * use, in slabs that do.
 */
#include "heap/internal.h"

#define MOST_DECAY_MS 1000000000u /* eleven days */
#define LITTLE_BYTES (4ul << 20)  /* to fault so much again costs a millisecond, about */
#define LOOKS_PER_CLOCK 16u       /* to read it costs as much as to free some blocks */
/* Pages of the smallest blocks that phys tells of: with a budget for less it finds none. */
#define LEAST_TOLD (1ul << (QUIRE_PAGEBLOCK_ORDER > 6 ? QUIRE_PAGEBLOCK_ORDER - 6 : 0))

void pages_taken(struct quire_heap *heap, size_t pages)
{
    unsigned long used = quire_fetch_add(&heap->pages_used, pages) + pages;
    if (used > quire_load_relaxed(&heap->pages_interval_peak))
        quire_store_relaxed(&heap->pages_interval_peak, used);
    unsigned long peak = quire_load_relaxed(&heap->pages_peak);
    if (used > peak) {
        quire_store_relaxed(&heap->pages_peak, used);
        count_heap_event(&heap->events.fresh, used - peak);
        quire_store_relaxed(&heap->growth, quire_load_relaxed(&heap->growth) + used - peak);
        if (used > quire_load_relaxed(&heap->pages_most))
            quire_store_relaxed(&heap->pages_most, used);
    }
}

void pages_freed(struct quire_heap *heap, size_t pages)
{
    (void)quire_fetch_add(&heap->pages_used, 0 - pages);
}

/* A block that merged with one that went already goes again, and counts, so a part of what is dirty
 * may go in place of all: `all` has no budget. */
static void purge(struct quire_heap *heap, unsigned long pages, bool all)
{
    unsigned long done = quire_report_free_pages(heap->mem, 0, all ? ~0ul : pages);
    unsigned long peak = quire_load_relaxed(&heap->pages_peak);
    quire_store_relaxed(&heap->pages_peak, peak - (peak > pages ? pages : peak));
    count_heap_event(&heap->events.given_back, done);
}

/* ---- pages in slabs that are used in part ---------------------------------------------------- */

struct slab_use slab_use(struct quire_heap *heap)
{
    struct slab_use use = {0};
    for (unsigned class = 1; class <= NR_SMALL; class ++) {
        const struct quire_kmem_cache *cache = quire_load_acquire(&heap->small[class]);
        if (!cache)
            continue;
        struct quire_kmem_cache_use objects = quire_kmem_cache_use(cache);
        use.bytes += objects.objects * class_size(class);
        use.free += (objects.objects - objects.taken) * class_size(class);
        use.given_back += (size_t)objects.told << QUIRE_PAGE_SHIFT;
    }
    return use;
}

static unsigned long report_vacant(struct quire_heap *heap, size_t free, unsigned long budget)
{
    unsigned long pages = quire_slab_report_free_pages(heap->slab, budget);
    heap->vacant_of = free;
    count_heap_event(&heap->events.given_back, pages);
    return pages;
}

/* Of free pages the largest blocks first: a call of the port for `2^order` pages, of `calls`; how
 * many are left. */
static unsigned long report_blocks(struct quire_heap *heap, unsigned order, unsigned long calls)
{
    unsigned long most = calls << order;
    unsigned long done = calls ? quire_report_free_pages(heap->mem, order, most) : 0;
    unsigned long dirty = pages_dirty(heap), peak = quire_load_relaxed(&heap->pages_peak);
    bool all = !order && calls && most - done >= LEAST_TOLD; /* else the budget may have ended it */
    quire_store_relaxed(&heap->pages_peak, peak - (all || done > dirty ? dirty : done));
    count_heap_event(&heap->events.given_back, done);
    return calls - (done >> order);
}

unsigned long purge_some(struct quire_heap *heap, unsigned long calls)
{
    unsigned long left = calls;
    (void)quire_slab_shrink(heap->slab, -1);
    left = report_blocks(heap, 4, left);
    left = report_blocks(heap, 2, left);
    left = report_blocks(heap, 0, left);
    if (left) {
        unsigned long vacant = report_vacant(heap, slab_use(heap).free, left);
        left -= vacant < left ? vacant : left;
    }
    return calls - left;
}

/* When more of the slabs is free than used, and it is more than the last time, by an eighth. */
static void report_vacant_if_due(struct quire_heap *heap)
{
    struct slab_use use = slab_use(heap);
    size_t of = heap->vacant_of;
    if (use.free < of / 2)
        heap->vacant_of = use.free;
    if (use.free > use.bytes / 2 && use.free > quire_load_relaxed(&heap->trim_threshold) &&
        use.free > of + of / 8)
        (void)report_vacant(heap, use.free, ~0ul);
}

/* ---- when ------------------------------------------------------------------------------------ */

static bool is_ebb(const struct quire_heap *heap, unsigned long dirty, uint64_t now)
{
    bool little = dirty <= LITTLE_BYTES >> QUIRE_PAGE_SHIFT;
    if (quire_load_relaxed(&heap->trims_at_once) &&
        dirty > quire_load_relaxed(&heap->pages_used) / 32)
        return true;
    return (little || dirty > quire_load_relaxed(&heap->pages_used)) &&
           (!heap->has_purged || now - heap->purged_ns >= heap_decay_ns(heap));
}

static bool is_time_to_look(struct quire_heap *heap)
{
    return quire_fetch_add(&heap->purge_looks, 1) % LOOKS_PER_CLOCK == 0;
}

void heap_purge_if_due(struct quire_heap *heap)
{
    unsigned long dirty = pages_dirty(heap);
    if (quire_likely(dirty <= quire_load_relaxed(&heap->trim_threshold) >> QUIRE_PAGE_SHIFT)) {
        if (large_has_kept(heap) && is_time_to_look(heap))
            (void)large_release(heap, false);
        return;
    }
    if ((quire_load_relaxed(&heap->has_purged) && !quire_load_relaxed(&heap->trims_at_once) &&
         !is_time_to_look(heap)) ||
        !quire_port_spin_trylock(&heap->purge_lock))
        return;
    uint64_t now = quire_port_clock_ns();
    bool over = now - heap->interval_began_ns >= heap_decay_ns(heap);
    bool ebb = is_ebb(heap, dirty, now);
    if (over || ebb) {
        (void)quire_slab_shrink(heap->slab, -1);
        report_vacant_if_due(heap);
    }
    bool has_kept = (over || ebb) && large_has_kept(heap);
    unsigned long peak = quire_load_relaxed(&heap->pages_peak);
    unsigned long needed = quire_load_relaxed(&heap->pages_interval_peak);
    unsigned long unneeded = ebb ? pages_dirty(heap) : over && peak > needed ? peak - needed : 0;
    if (over || ebb) {
        heap->interval_began_ns = now;
        quire_store_relaxed(&heap->pages_interval_peak, quire_load_relaxed(&heap->pages_used));
    }
    if (unneeded) {
        purge(heap, unneeded, ebb);
        heap->purged_ns = now;
        quire_store_relaxed(&heap->has_purged, true);
    }
    heap_unlock(&heap->purge_lock);
    if (has_kept)
        (void)large_release(heap, false);
}

/* To empty the stacks may be a fall, which gives back as well. */
size_t quire_heap_trim(struct quire_heap *heap, struct quire_heap_cache *cache)
{
    unsigned long before = quire_load_relaxed(&heap->events.given_back);
    if (cache)
        quire_heap_cache_flush(cache);
    quarantine_empty(heap);
    size_t bytes = large_release(heap, true);
    (void)quire_slab_shrink(heap->slab, -1);
    heap_lock(&heap->purge_lock);
    (void)report_vacant(heap, slab_use(heap).free, ~0ul);
    count_heap_event(&heap->events.given_back, quire_report_free_pages(heap->mem, 0, ~0ul));
    quire_store_relaxed(&heap->pages_peak, quire_load_relaxed(&heap->pages_used));
    quire_store_relaxed(&heap->pages_interval_peak, quire_load_relaxed(&heap->pages_used));
    heap_unlock(&heap->purge_lock);
    unsigned long pages = quire_load_relaxed(&heap->events.given_back) - before;
    return bytes + ((size_t)pages << QUIRE_PAGE_SHIFT);
}

void quire_heap_set_trim_threshold(struct quire_heap *heap, size_t bytes)
{
    quire_store_relaxed(&heap->trim_threshold, bytes);
    quire_store_relaxed(&heap->trims_at_once, true);
}

void quire_heap_set_decay(struct quire_heap *heap, uint64_t ns)
{
    uint64_t ms = quire_div64(ns, 1000000), most = MOST_DECAY_MS;
    quire_store_relaxed(&heap->decay_ms, (unsigned long)(ms < most ? ms : most));
}
