/* heap/info.c: counts */
#include "heap/large.h"

#define ASKED_AT_ONCE 16u

static unsigned long cached_blocks(struct quire_heap *heap, size_t class)
{
    unsigned long blocks = 0;
    heap_lock(&heap->caches_lock);
    for (const struct quire_heap_cache *cache = heap->caches; cache; cache = cache->next)
        blocks += stack_count(cache, class);
    heap_unlock(&heap->caches_lock);
    return blocks;
}

static void small_info(struct quire_heap *heap, size_t class, struct quire_heap_class_info *info)
{
    struct quire_kmem_cache_info cache;
    struct quire_kmem_cache *handle = quire_load_acquire(&heap->small[class]);
    if (!handle)
        return;
    quire_kmem_cache_info(handle, &cache);
    info->used = cache.nr_active;
    info->slots = cache.nr_objects;
    info->pages = cache.nr_pages;
}

int quire_heap_class_info(struct quire_heap *heap, unsigned class,
                          struct quire_heap_class_info *info)
{
    if (!class || class >= NR_CLASSES)
        return -QUIRE_ENOENT;
    *info = (struct quire_heap_class_info){.size = class_size(class)};
    if (class_is_run(class)) {
        info->used = info->slots = quire_load_relaxed(&heap->nr_runs[class_pages(class)]);
        info->pages = info->used * class_pages(class);
    } else {
        small_info(heap, class, info);
    }
    info->cached = cached_blocks(heap, class);
    unsigned long free = info->cached + quarantine_count(heap, class);
    info->used -= free < info->used ? free : info->used;
    return 0;
}

static size_t largest_free(const struct quire_zone_info *zone)
{
    for (unsigned order = QUIRE_MAX_ORDER + 1; order-- > 0;)
        if (zone->nr_blocks[order])
            return QUIRE_PAGE_SIZE << order;
    return 0;
}

static void add_class(struct quire_heap *heap, unsigned class, struct quire_heap_info *info)
{
    struct quire_heap_class_info one;
    if (quire_heap_class_info(heap, class, &one) || !one.pages)
        return;
    unsigned long slots = one.slots - one.used - one.cached;
    info->used += one.used * one.size;
    info->cached += one.cached * one.size;
    info->nr_blocks += one.used;
    info->nr_cached += one.cached;
    info->slots += ((size_t)one.pages << QUIRE_PAGE_SHIFT) - (one.used + one.cached) * one.size;
    info->nr_slots += slots;
}

static void large_info(struct quire_heap *heap, struct quire_heap_info *info)
{
    struct large_blocks *large = &heap->large;
    heap_lock(&large->lock);
    struct regular_counts free = regular_count(heap);
    info->large = large->used - free.asked;
    info->nr_large = large->nr_used - free.blocks;
    info->kept = large->kept_bytes + free.room + free.lent;
    info->nr_kept = large->nr_kept + free.blocks;
    info->peak_large = large->peak;
    info->mapped_ns = large->mapped_ns;
    info->mapped = large->mapped - free.mapped;
    info->nr_mapped = large->nr_mapped - free.mapped_blocks;
    info->peak_mapped = large->peak_mapped;
    info->nr_peak_mapped = large->nr_peak_mapped;
    heap_unlock(&large->lock);
}

void heap_events_info(struct quire_heap *heap, struct quire_heap_info *info)
{
    info->nr_grown = quire_load_relaxed(&heap->events.grown);
    info->nr_given_back = quire_load_relaxed(&heap->events.given_back);
    info->nr_fresh = quire_load_relaxed(&heap->events.fresh);
    unsigned long most = quire_load_relaxed(&heap->pages_most);
    info->nr_again = info->nr_fresh > most ? info->nr_fresh - most : 0;
    large_add_events(heap, info);
}

/* Free large blocks from number `*next` on, which becomes that of the next one: regulars by their
 * slots, and behind them kept ones. How many, ASKED_AT_ONCE at most. */
static unsigned some_free(struct quire_heap *heap, unsigned *next, struct large_part *part)
{
    unsigned count = 0, number = NR_REGULARS;
    heap_lock(&heap->large.lock);
    for (; *next < NR_REGULARS && count < ASKED_AT_ONCE; ++*next)
        count += regular_free_part(heap, *next, &part[count]);
    list_for_each (link, &heap->large.kept) {
        if (number++ < *next || count == ASKED_AT_ONCE)
            continue;
        const struct large *block = kept_of(link);
        part[count++] = (struct large_part){block->at, block->size, 0};
        ++*next;
    }
    heap_unlock(&heap->large.lock);
    return count;
}

/* Of what is kept most may never have been touched, or nothing. The system is asked without the
 * lock, since that may take long: what comes and goes meanwhile may be missed, or be another's. */
static size_t kept_resident(struct quire_heap *heap, size_t kept)
{
    struct large_part part[ASKED_AT_ONCE];
    size_t bytes = 0;
    unsigned next = 0, count = ASKED_AT_ONCE;
    if (!heap->ops.resident)
        return kept;
    while (count == ASKED_AT_ONCE) {
        count = some_free(heap, &next, part);
        for (unsigned i = 0; i < count; i++)
            bytes += heap->ops.resident(heap->ops_arg, part[i].at, part[i].size);
    }
    return bytes < kept ? bytes : kept;
}

static void free_info(struct quire_heap *heap, struct quire_heap_info *info)
{
    struct quire_zone_info zone;
    info->dirty = (size_t)pages_dirty(heap) << QUIRE_PAGE_SHIFT;
    if (quire_zone_info(heap->mem, 0, &zone))
        return;
    size_t pages = (size_t)zone.nr_free << QUIRE_PAGE_SHIFT, vacant = slab_use(heap).given_back;
    vacant = vacant < info->slots ? vacant : info->slots;
    info->slots -= vacant;
    size_t small = info->cached + info->slots;
    info->largest_free = largest_free(&zone);
    info->free = pages + small + vacant + info->kept;
    info->free_resident =
        (info->dirty < pages ? info->dirty : pages) + small + kept_resident(heap, info->kept);
}

void quire_heap_info(struct quire_heap *heap, struct quire_heap_info *info)
{
    *info = (struct quire_heap_info){0};
    for (unsigned class = 1; class < NR_CLASSES; class ++)
        add_class(heap, class, info);
    large_info(heap, info);
    /* The stacks of threads are runs, too, but no caller has them. */
    size_t stacks = cache_slot_bytes(heap);
    heap_lock(&heap->caches_lock);
    info->nr_caches = heap->nr_caches;
    heap_unlock(&heap->caches_lock);
    info->used -= info->nr_caches * stacks;
    info->nr_blocks -= info->nr_caches;
    free_info(heap, info);
    info->metadata = quire_metadata_size(heap->mem) + sizeof *heap + info->nr_caches * stacks;
    info->committed = quire_load_relaxed(&heap->committed);
    info->peak = heap_most_resident(heap) << QUIRE_PAGE_SHIFT;
    heap_events_info(heap, info);
}

void quire_heap_check(struct quire_heap *heap)
{
    quire_mem_check(heap->mem);
    quire_slab_check(heap->slab);
    heap_lock(&heap->large.lock);
    tree_check(&heap->large.tree);
    regular_check(heap);
    heap_unlock(&heap->large.lock);
    for (const struct quire_heap_cache *cache = heap->caches; cache; cache = cache->next)
        cache_check(cache);
    room_check(heap);
    margin_check(heap);
}
