/* slab/kmalloc.c: general caches: blocks of any size
 *
 * A size is looked up in a table by steps of 8 bytes, which gives the number of the normal cache of
 * its class; what gfp asks for beside that is rare, and looked at off the line. A block's page says
 * which cache it is of. Above the largest class a block is 2^order pages, whose first says so.
 */
#include "slab/cpu.h"
#include "slab/debug.h"
#include "slab/page.h"

static const struct {
    uint16_t size;
    const char *name;
} classes[NR_KMALLOC_CLASSES] = {
    {8, "8"},     {16, "16"},   {32, "32"},   {64, "64"},   {96, "96"},
    {128, "128"}, {192, "192"}, {256, "256"}, {512, "512"}, {1024, "1k"},
    {2048, "2k"}, {4096, "4k"}, {8192, "8k"},
};

static const struct {
    const char *prefix;
    quire_slab_flags_t flags;
    quire_gfp_t gfp;
} types[NR_KMALLOC_TYPES] = {
    [KMALLOC_NORMAL] = {"kmalloc-", 0, 0},
    [KMALLOC_RECLAIM] = {"kmalloc-rcl-", QUIRE_SLAB_RECLAIM_ACCOUNT, QUIRE_GFP_RECLAIMABLE},
    [KMALLOC_DMA] = {"dma-kmalloc-", QUIRE_SLAB_CACHE_DMA, QUIRE_GFP_DMA},
    [KMALLOC_DMA32] = {"dma32-kmalloc-", QUIRE_SLAB_CACHE_DMA32, QUIRE_GFP_DMA32},
};

_Static_assert(QUIRE_KMALLOC_MAX_CACHE <= QUIRE_KMEM_CACHE_MAX_SIZE, "every class has a cache");

/* ---- which cache ----------------------------------------------------------------------------- */

static unsigned class_of(size_t size)
{
    unsigned class = 0;
    while (classes[class].size < size)
        class ++;
    return class;
}

/* What must be looked at before a normal cache is used. */
#define GFP_UNCOMMON                                                                               \
    (QUIRE_GFP_ZERO | QUIRE_GFP_DMA | QUIRE_GFP_DMA32 | QUIRE_GFP_RECLAIMABLE | QUIRE_GFP_THISNODE)

/* NULL: it makes no sense, or the machine has no such zone. */
static struct quire_kmem_cache *cache_for(struct quire_slab *slab, size_t size, quire_gfp_t gfp)
{
    enum kmalloc_type type = gfp & QUIRE_GFP_DMA           ? KMALLOC_DMA
                             : gfp & QUIRE_GFP_DMA32       ? KMALLOC_DMA32
                             : gfp & QUIRE_GFP_RECLAIMABLE ? KMALLOC_RECLAIM
                                                           : KMALLOC_NORMAL;
    if ((gfp & (QUIRE_GFP_DMA | QUIRE_GFP_DMA32)) == (QUIRE_GFP_DMA | QUIRE_GFP_DMA32))
        return NULL;
    return slab->kmalloc[type][class_of(size)];
}

/* ---- allocating ------------------------------------------------------------------------------ */

static void count_large(struct quire_slab *slab, const struct quire_page *page, int sign)
{
    long pages = sign * (1l << quire_page_order(page));
    (void)__atomic_fetch_add(&slab->nr_large, (unsigned long)pages, __ATOMIC_RELAXED);
}

/* Pages, whose first says how many. */
static void *alloc_large(struct quire_slab *slab, size_t size, quire_gfp_t gfp, int node)
{
    if (size > QUIRE_PAGE_SIZE << QUIRE_MAX_ORDER)
        return NULL;
    unsigned long pages = (unsigned long)((size + QUIRE_PAGE_SIZE - 1) >> QUIRE_PAGE_SHIFT);
    gfp &= ~(QUIRE_GFP_HIGHMEM | QUIRE_GFP_MOVABLE | QUIRE_GFP_COMP);
    struct quire_page *page = slab_pages_alloc(slab, gfp, node, quire_order_of_pages(pages));
    if (!page)
        return NULL;
    quire_fetch_or(&page->flags, QUIRE_PAGE_LARGE);
    count_large(slab, page, 1);
    return slab_address(slab, page);
}

static QUIRE_NOINLINE void *kmalloc_uncommon(struct quire_slab *slab, size_t size, quire_gfp_t gfp,
                                             int node, uintptr_t caller)
{
    if (!size)
        return QUIRE_ZERO_SIZE_PTR;
    if (size > QUIRE_KMALLOC_MAX_CACHE)
        return alloc_large(slab, size, gfp, node);
    struct quire_kmem_cache *handle = cache_for(slab, size, gfp);
    if (!handle)
        return NULL;
    if (node != -1 || gfp & QUIRE_GFP_THISNODE)
        return object_alloc(handle->cache, gfp, node, caller, size);
    return cpu_alloc(slab, handle->shelf_at, gfp, &handle->zero_size, caller, size);
}

void *quire_kmalloc(struct quire_slab *slab, size_t size, quire_gfp_t gfp)
{
    if (quire_unlikely(size > QUIRE_KMALLOC_MAX_CACHE || gfp & GFP_UNCOMMON))
        return kmalloc_uncommon(slab, size, gfp, -1, CALLER);
    size_t shelf_at = slab->shelf_at_of_size[(size + 7) >> CLASS_STEP_SHIFT];
    return cpu_alloc(slab, shelf_at, gfp, NULL, CALLER_IS_OURS, size);
}

void *quire_kmalloc_node(struct quire_slab *slab, size_t size, quire_gfp_t gfp, int node)
{
    return kmalloc_uncommon(slab, size, gfp, node, CALLER);
}

void *quire_kmalloc_array(struct quire_slab *slab, size_t count, size_t size, quire_gfp_t gfp)
{
    size_t bytes;
    if (__builtin_mul_overflow(count, size, &bytes))
        return NULL;
    return kmalloc_uncommon(slab, bytes, gfp, -1, CALLER);
}

/* ---- freeing --------------------------------------------------------------------------------- */

/* NULL, size 0, a large block, or a mistake. */
static QUIRE_NOINLINE void kfree_uncommon(struct quire_slab *slab, void *ptr, uintptr_t caller)
{
    struct quire_page *page;
    if (!ptr || ptr == QUIRE_ZERO_SIZE_PTR)
        return;
    if (!object_page_checked(slab, ptr, &page)) {
        report_bad_kfree(slab, NULL, ptr, caller);
        return;
    }
    if (page_flags(page) & QUIRE_PAGE_SLAB) {
        cpu_free(slab, page_shelf_at(page), ptr, caller);
        return;
    }
    if (!(page_flags(page) & QUIRE_PAGE_LARGE) || ptr != slab_address(slab, page)) {
        report_bad_kfree(slab, page, ptr, caller);
        return;
    }
    if (!(quire_fetch_and(&page->flags, ~QUIRE_PAGE_LARGE) & QUIRE_PAGE_LARGE)) {
        report_bad_kfree(slab, page, ptr, caller); /* another CPU is freeing it, too */
        return;
    }
    count_large(slab, page, -1);
    quire_free_pages(slab->mem, page, quire_page_order(page));
}

static QUIRE_ALWAYS_INLINE void kfree(struct quire_slab *slab, const void *ptr, uintptr_t caller)
{
    struct quire_page *page;
    void *object = (void *)(uintptr_t)ptr;
    unsigned long sections = quire_load_relaxed(&slab->kfree_sections);
    if (quire_unlikely(!object_page_within(slab, object, sections, &page) ||
                       !(page->flags & QUIRE_PAGE_SLAB))) { /* plain: it doesn't change */
        kfree_uncommon(slab, object, caller ? caller : CALLER);
        return;
    }
    cpu_free(slab, page_shelf_at(page), object, caller);
}

void quire_kfree(struct quire_slab *slab, const void *ptr)
{
    kfree(slab, ptr, CALLER_IS_OURS);
}

/* ---- sizes ----------------------------------------------------------------------------------- */

size_t quire_ksize(struct quire_slab *slab, const void *ptr)
{
    struct quire_page *page;
    if (!ptr || ptr == QUIRE_ZERO_SIZE_PTR || !object_page_checked(slab, ptr, &page))
        return 0;
    if (page_flags(page) & QUIRE_PAGE_LARGE)
        return QUIRE_PAGE_SIZE << quire_page_order(page);
    if (!(page_flags(page) & QUIRE_PAGE_SLAB))
        return 0;
    const struct cache *cache = slab->cache[page_cache_id(page)];
    return cache_is_debugged(cache) ? debug_room(cache, page_head(page), ptr) : cache->size;
}

/* A block that stays where it is, but whose red zone begins earlier from now on. */
static void *shrink_in_place(struct quire_slab *slab, char *ptr, size_t size, size_t have,
                             quire_gfp_t gfp, uintptr_t caller)
{
    struct quire_page *page;
    if (gfp & QUIRE_GFP_ZERO) /* so that growing again finds zeros */
        __builtin_memset(ptr + size, 0, have - size);
    if (object_page(slab, ptr, &page) && page_flags(page) & QUIRE_PAGE_SLAB)
        debug_shrink(slab->cache[page_cache_id(page)], ptr, size, caller);
    return ptr;
}

static void *krealloc(struct quire_slab *slab, void *ptr, size_t size, quire_gfp_t gfp,
                      uintptr_t caller)
{
    size_t have = quire_ksize(slab, ptr);
    if (!size) {
        kfree(slab, ptr, caller);
        return QUIRE_ZERO_SIZE_PTR;
    }
    if (size <= have)
        return shrink_in_place(slab, ptr, size, have, gfp, caller);
    char *moved = kmalloc_uncommon(slab, size, gfp & ~QUIRE_GFP_ZERO, -1, caller);
    if (!moved)
        return NULL;
    if (have)
        __builtin_memcpy(moved, ptr, have);
    if (gfp & QUIRE_GFP_ZERO)
        __builtin_memset(moved + have, 0, quire_ksize(slab, moved) - have);
    kfree(slab, ptr, caller);
    return moved;
}

void *quire_krealloc(struct quire_slab *slab, void *ptr, size_t size, quire_gfp_t gfp)
{
    return krealloc(slab, ptr, size, gfp, CALLER);
}

void *quire_krealloc_array(struct quire_slab *slab, void *ptr, size_t count, size_t size,
                           quire_gfp_t gfp)
{
    size_t bytes;
    if (__builtin_mul_overflow(count, size, &bytes))
        return NULL;
    return krealloc(slab, ptr, bytes, gfp, CALLER);
}

/* ---- making the caches ----------------------------------------------------------------------- */

/* Whether the machine has memory that gfp's zone modifiers allow: phys knows best. */
static bool has_zone(struct quire_slab *slab, quire_gfp_t gfp)
{
    static const struct {
        quire_gfp_t gfp;
        enum quire_zone_type type;
    } zones[] = {{QUIRE_GFP_DMA, QUIRE_ZONE_DMA}, {QUIRE_GFP_DMA32, QUIRE_ZONE_DMA32}};
    struct quire_zone_info info;
    for (unsigned i = 0; i < sizeof zones / sizeof zones[0]; i++)
        if (gfp & zones[i].gfp) {
            for (unsigned zone = 0; !quire_zone_info(slab->mem, zone, &info); zone++)
                if (info.type <= zones[i].type)
                    return true;
            return false;
        }
    return true;
}

static void join(char *to, size_t size, const char *a, const char *b)
{
    size_t n = 0;
    for (; *a && n + 1 < size; a++)
        to[n++] = *a;
    for (; *b && n + 1 < size; b++)
        to[n++] = *b;
    to[n] = '\0';
}

static int create_class(struct quire_slab *slab, unsigned type, unsigned class)
{
    char name[NAME_BYTES];
    size_t size = classes[class].size;
    size_t align = size & -size; /* natural: the largest power of two that divides it */
    join(name, sizeof name, types[type].prefix, classes[class].name);
    slab->kmalloc[type][class] =
        cache_create(slab, name, size, align, types[type].flags | CACHE_KMALLOC, NULL);
    return slab->kmalloc[type][class] ? 0 : -QUIRE_ENOMEM;
}

int kmalloc_init(struct quire_slab *slab)
{
    for (unsigned type = 0; type < NR_KMALLOC_TYPES; type++)
        for (unsigned class = 0; class < NR_KMALLOC_CLASSES; class ++)
            if (has_zone(slab, types[type].gfp) && create_class(slab, type, class))
                return -QUIRE_ENOMEM;
    slab->shelf_at_of_size[0] = (uint16_t)shelf_at_of_id(0);
    for (size_t size = 8; size <= QUIRE_KMALLOC_MAX_CACHE; size += 8)
        slab->shelf_at_of_size[size >> CLASS_STEP_SHIFT] =
            (uint16_t)slab->kmalloc[KMALLOC_NORMAL][class_of(size)]->shelf_at;
    return 0;
}
