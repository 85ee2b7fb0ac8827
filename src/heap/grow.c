/* heap/grow.c: the range becomes memory, a section at a time
 *
 * Who found no memory asks for a section more, and says how much there was when he looked: if there
 * is more by now, he looks again.
 */
#include "heap/internal.h"

#define RECLAIM_PAGES (2ul * NR_RUNS)

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
