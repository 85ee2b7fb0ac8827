/* heap/events.c: what became of large blocks, counted by size
 *
 * Each of these events comes with a system call or a lock, beside which an atomic add is nothing.
 */
#include "heap/internal.h"

unsigned large_number(size_t size)
{
    unsigned log = size ? quire_fls64(size) : 0;
    unsigned n = log > QUIRE_HEAP_LARGE_SHIFT ? log - QUIRE_HEAP_LARGE_SHIFT : 0;
    return n < QUIRE_HEAP_LARGE_SIZES ? n : QUIRE_HEAP_LARGE_SIZES - 1;
}

static struct large_events *events_of(struct quire_heap *heap, size_t size)
{
    return &heap->events.large[large_number(size)];
}

void large_count_map(struct quire_heap *heap, size_t size)
{
    struct large_events *events = events_of(heap, size);
    count_heap_event(&events->maps, 1);
    count_heap_event(&events->mapped, size >> QUIRE_PAGE_SHIFT);
    count_heap_event(&heap->large_pages, size >> QUIRE_PAGE_SHIFT);
}

void large_count_unmap(struct quire_heap *heap, size_t size)
{
    struct large_events *events = events_of(heap, size);
    count_heap_event(&events->unmaps, 1);
    count_heap_event(&events->unmapped, size >> QUIRE_PAGE_SHIFT);
    count_heap_event(&heap->large_pages, 0 - (size >> QUIRE_PAGE_SHIFT));
}

void large_count_reuse(struct quire_heap *heap, size_t size, unsigned long times)
{
    count_heap_event(&events_of(heap, size)->reused, times);
}

void large_count_resize(struct quire_heap *heap, size_t had, size_t has)
{
    struct large_events *events = events_of(heap, has);
    count_heap_event(&heap->large_pages, (has >> QUIRE_PAGE_SHIFT) - (had >> QUIRE_PAGE_SHIFT));
    if (has > had)
        count_heap_event(&events->mapped, (has - had) >> QUIRE_PAGE_SHIFT);
    else
        count_heap_event(&events->unmapped, (had - has) >> QUIRE_PAGE_SHIFT);
}

void large_count_cut(struct quire_heap *heap, size_t had, size_t bytes)
{
    count_heap_event(&heap->large_pages, 0 - (bytes >> QUIRE_PAGE_SHIFT));
    count_heap_event(&events_of(heap, had)->unmapped, bytes >> QUIRE_PAGE_SHIFT);
}

int quire_heap_large_info(struct quire_heap *heap, unsigned number,
                          struct quire_heap_large_info *info)
{
    if (number >= QUIRE_HEAP_LARGE_SIZES)
        return -QUIRE_ENOENT;
    const struct large_events *events = &heap->events.large[number];
    *info = (struct quire_heap_large_info){
        .least = (uint64_t)1 << (number + QUIRE_HEAP_LARGE_SHIFT),
        .nr_maps = quire_load_relaxed(&events->maps),
        .nr_unmaps = quire_load_relaxed(&events->unmaps),
        .nr_reused = quire_load_relaxed(&events->reused) + regular_nr_taken(heap, number),
        .mapped_pages = quire_load_relaxed(&events->mapped),
        .unmapped_pages = quire_load_relaxed(&events->unmapped),
    };
    return 0;
}

void large_add_events(struct quire_heap *heap, struct quire_heap_info *info)
{
    struct quire_heap_large_info one;
    for (unsigned i = 0; !quire_heap_large_info(heap, i, &one); i++) {
        info->nr_maps += one.nr_maps;
        info->nr_unmaps += one.nr_unmaps;
        info->nr_reused += one.nr_reused;
        info->mapped_pages += one.mapped_pages;
        info->unmapped_pages += one.unmapped_pages;
    }
}
