/* slab/layout.c: where an object's parts are, and how large slabs are
 *
 * The order of a cache's slabs is the lowest up to MAX_USUAL_ORDER with which a slab has
 * MIN_OBJECTS and at most 1/128 of it is of no use; if there is none, 1/64 will do, and so on to
 * 1/8, and then the one with the least waste. Few pages are easier to find and sooner empty; what
 * more objects in a slab would save, a lock taken less often, sheaves save already. Objects that
 * are larger than that have the lowest order that holds one. Who has a machine of few pages may ask
 * for smaller slabs (order_limit): of most caches it needs a few objects, and most caches are many
 * pages there.
 */
#include "slab/debug.h"
#include "slab/internal.h"

#define MAX_USUAL_ORDER 3u
#define MIN_OBJECTS 4u
#define MIN_ALIGN 8u
#define MAX_BARN_SHEAVES 10u
#define BARN_SHARE 2048u /* a barn's full sheaves hold at most 1/2048 of memory, or one sheaf */

static uint32_t wanted_align(size_t size, size_t align, quire_slab_flags_t flags)
{
    size_t line = QUIRE_CACHELINE_BYTES;
    if (flags & QUIRE_SLAB_HWCACHE_ALIGN) {
        while (size <= line / 2)
            line /= 2;
        align = align < line ? line : align;
    }
    return (uint32_t)(align < MIN_ALIGN ? MIN_ALIGN : align);
}

/* Bytes of a slab that hold no object. */
static size_t waste(const struct cache *cache, unsigned order)
{
    return (QUIRE_PAGE_SIZE << order) - (size_t)slab_capacity(cache, order) * cache->size;
}

static unsigned least_waste(const struct cache *cache, unsigned first, unsigned last)
{
    unsigned best = first;
    for (unsigned order = first; order <= last; order++)
        if (waste(cache, order) < waste(cache, best) << (order - best))
            best = order;
    return best;
}

static unsigned max_usual_order(const struct cache *cache)
{
    unsigned limit = cache->slab->order_limit;
    return limit && limit <= MAX_USUAL_ORDER ? limit - 1 : MAX_USUAL_ORDER;
}

static unsigned usual_order(const struct cache *cache)
{
    const unsigned last = max_usual_order(cache);
    unsigned first = cache->min_order;
    if (first >= last)
        return first;
    while (first < last && slab_capacity(cache, first) < MIN_OBJECTS)
        first++;
    for (unsigned share = 128; share >= 8; share /= 2)
        for (unsigned order = first; order <= last; order++)
            if (waste(cache, order) * share <= QUIRE_PAGE_SIZE << order)
                return order;
    return least_waste(cache, first, last);
}

static uint16_t barn_limit(const struct cache *cache)
{
    unsigned long pages = quire_nr_managed_pages(cache->slab->mem) / BARN_SHARE;
    uint64_t sheaf_bytes = (uint64_t)cache->sheaf_capacity * cache->size;
    unsigned sheaves = 1;
    while (sheaves < MAX_BARN_SHEAVES && (sheaves + 1) * sheaf_bytes <= (uint64_t)pages
                                                                            << QUIRE_PAGE_SHIFT)
        sheaves++;
    return (uint16_t)sheaves;
}

/* Red zones on both sides are at least 8 bytes; the one before the object keeps it aligned. */
static size_t place_parts(struct cache *cache, size_t size)
{
    size_t at = size;
    cache->offset = 0;
    cache->tracks = 0;
    cache->asked = 0;
    if (cache->flags & QUIRE_SLAB_RED_ZONE) {
        cache->offset = cache->align;
        at += cache->offset + sizeof(uint64_t);
    }
    if (cache->flags & QUIRE_SLAB_STORE_USER) {
        at = (size_t)quire_align_up(at, sizeof(uint64_t));
        cache->tracks = (uint32_t)at;
        at += 2 * sizeof(struct track);
    }
    if (cache->flags & QUIRE_SLAB_RED_ZONE && cache->flags & CACHE_KMALLOC) {
        at = (size_t)quire_align_up(at, sizeof(uint64_t));
        cache->asked = (uint32_t)at;
        at += sizeof(uint64_t);
    }
    return (size_t)quire_align_up(at, cache->align);
}

void cache_layout(struct cache *cache, size_t size, size_t align, quire_slab_flags_t flags)
{
    cache->flags = flags;
    cache->object_size = (uint32_t)size;
    cache->align = wanted_align(size, align, flags);
    cache->size = (uint32_t)place_parts(cache, size);
    cache->reciprocal = (uint32_t)quire_div64((uint64_t)1 << 32, cache->size) + 1;
    cache->min_order = 0;
    while (cache->min_order < QUIRE_KMEM_CACHE_MAX_ORDER && !slab_capacity(cache, cache->min_order))
        cache->min_order++;
    /* The largest object with the widest red zone takes 34 pages. */
    QUIRE_BUG_ON(!slab_capacity(cache, cache->min_order));
    cache->order = (uint8_t)usual_order(cache);
    bool sheaves = !(flags & (QUIRE_SLAB_DEBUG_FLAGS | QUIRE_SLAB_NO_SHEAVES | CACHE_NO_SHEAVES));
    cache->sheaf_capacity = (uint16_t)(sheaves ? sheaf_capacity_for(cache->size) : 0);
    cache->barn_limit = barn_limit(cache);
}
