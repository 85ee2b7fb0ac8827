/* heap/grow.c: the range becomes memory, a section at a time; and who pays for that
 *
 * Who found no memory asks for a section more, and says how much there was when he looked: if there
 * is more by now, he looks again.
 *
 * Large blocks that are kept take memory that nobody has. When the heap is about to take more than
 * it ever did, with them, as many bytes of them go, the oldest first: so to keep them doesn't raise
 * the most memory that a program takes, whatever it wants next (large.c says the same of mappings).
 * Where it took as much before they stay.
 */
#include "heap/internal.h"

#define RECLAIM_PAGES (2ul * NR_RUNS)
#define GROWTH_BYTES (128ul << 10) /* between two looks, and what is paid for at least */
#define GROWTH_PAGES (GROWTH_BYTES >> QUIRE_PAGE_SHIFT)

static bool commit(struct quire_heap *heap, size_t start, size_t end)
{
    return !heap->ops.commit || !heap->ops.commit(heap->ops_arg, heap->base + start, end - start);
}

/* The maps of free slots of all pages up to `end`. */
static bool commit_maps(struct quire_heap *heap, size_t end)
{
    size_t wanted = (end >> QUIRE_PAGE_SHIFT) * QUIRE_SLAB_MAP_BYTES;
    wanted = (size_t)quire_align_up(wanted, QUIRE_PAGE_SIZE);
    if (wanted <= heap->maps_committed)
        return true;
    if (!commit(heap, heap->maps + heap->maps_committed, heap->maps + wanted))
        return false;
    heap->maps_committed = wanted;
    return true;
}

static bool add_section(struct quire_heap *heap)
{
    size_t start = heap->committed, end = start + (1ul << QUIRE_SECTION_SHIFT);
    if (end > heap->size || !commit_maps(heap, end) || !commit(heap, start, end) ||
        quire_add_memory(heap->mem, 0, start, end - start, false))
        return false;
    quire_store_relaxed(&heap->committed, end);
    count_heap_event(&heap->events.grown, 1);
    return true;
}

/* Empty slabs of other classes will do, if there are enough of them to be worth the search. */
static bool reclaim(struct quire_heap *heap)
{
    return quire_slab_shrink(heap->slab, -1) >= RECLAIM_PAGES;
}

bool heap_grow(struct quire_heap *heap, size_t committed)
{
    heap_lock(&heap->grow_lock);
    bool more = heap->committed != committed || reclaim(heap) || add_section(heap);
    heap_unlock(&heap->grow_lock);
    return more;
}

/* ---- the most memory ------------------------------------------------------------------------- */

static unsigned long resident_pages(struct quire_heap *heap)
{
    return quire_load_relaxed(&heap->pages_peak) + quire_load_relaxed(&heap->large_pages);
}

void heap_note_growth(struct quire_heap *heap)
{
    unsigned long pages = resident_pages(heap);
    if (pages > quire_load_relaxed(&heap->resident_most))
        quire_store_relaxed(&heap->resident_most, pages);
}

unsigned long heap_most_resident(struct quire_heap *heap)
{
    unsigned long pages = resident_pages(heap), most = quire_load_relaxed(&heap->resident_most);
    return pages > most ? pages : most;
}

void heap_pay_for_growth(struct quire_heap *heap)
{
    if (quire_likely(quire_load_relaxed(&heap->growth) < GROWTH_PAGES))
        return;
    quire_store_relaxed(&heap->growth, 0);
    unsigned long pages = resident_pages(heap), most = quire_load_relaxed(&heap->resident_most);
    if (pages <= most + GROWTH_PAGES)
        return;
    large_release_oldest(heap, (pages - most) << QUIRE_PAGE_SHIFT);
    heap_note_growth(heap);
}
