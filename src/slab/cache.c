/* slab/cache.c: caches come and go, and their names
 *
 * A user holds a name; caches of alike objects share one cache under several names, so that half
 * empty slabs are fewer. Everything is made ready before slab->lock is taken to look whether the
 * name is free, whether there is a cache to share, and which number is free.
 */
#include "base/text.h"
#include "slab/cpu.h"
#include "slab/debug.h"

#define ALL_FLAGS                                                                                  \
    (QUIRE_SLAB_DEBUG_FLAGS | QUIRE_SLAB_FREELIST_RANDOM | QUIRE_SLAB_HWCACHE_ALIGN |              \
     QUIRE_SLAB_CACHE_DMA | QUIRE_SLAB_CACHE_DMA32 | QUIRE_SLAB_RECLAIM_ACCOUNT |                  \
     QUIRE_SLAB_PANIC | QUIRE_SLAB_TYPESAFE_BY_RCU | QUIRE_SLAB_NO_MERGE | QUIRE_SLAB_NO_SHEAVES)
/* Caches differ that differ in these. */
#define MERGE_SAME                                                                                 \
    (QUIRE_SLAB_CACHE_DMA | QUIRE_SLAB_CACHE_DMA32 | QUIRE_SLAB_RECLAIM_ACCOUNT |                  \
     QUIRE_SLAB_FREELIST_RANDOM | QUIRE_SLAB_NO_SHEAVES)
/* Caches with one of these share with nobody. */
#define MERGE_NEVER                                                                                \
    (QUIRE_SLAB_DEBUG_FLAGS | QUIRE_SLAB_TYPESAFE_BY_RCU | QUIRE_SLAB_NO_MERGE |                   \
     CACHE_NO_SHEAVES | CACHE_KMALLOC)

/* ---- what is asked for ----------------------------------------------------------------------- */

static size_t length(const char *name)
{
    size_t n = 0;
    while (n < NAME_BYTES && name[n])
        n++;
    return n;
}

static const char *what_is_wrong(const char *name, size_t size, size_t align,
                                 quire_slab_flags_t flags)
{
    size_t most = flags & CACHE_KMALLOC ? QUIRE_KMALLOC_MAX_CACHE : QUIRE_PAGE_SIZE;
    if (!name || !*name)
        return "it has no name";
    if (length(name) == NAME_BYTES)
        return "its name has more than 31 characters";
    if (!size || size > QUIRE_KMEM_CACHE_MAX_SIZE)
        return "its objects have no size, or are above QUIRE_KMEM_CACHE_MAX_SIZE";
    if (align && (!quire_is_power_of_2(align) || align > most))
        return "its alignment is no power of two, or above a page";
    if (flags & QUIRE_SLAB_CACHE_DMA && flags & QUIRE_SLAB_CACHE_DMA32)
        return "it can't be of both DMA and DMA32";
    return NULL;
}

static struct quire_kmem_cache *refuse(const char *name, quire_slab_flags_t flags, const char *why)
{
    char text[160];
    quire_snprintf(text, sizeof text, "quire: cache \"%s\" can't be created: %s", name ? name : "",
                   why);
    if (flags & QUIRE_SLAB_PANIC)
        quire_port_panic(text);
    quire_port_log(QUIRE_LOG_ERROR, text);
    return NULL;
}

/* ---- the registry: slab->lock is held -------------------------------------------------------- */

static bool same_name(const char *a, const char *b)
{
    while (*a && *a == *b) {
        a++;
        b++;
    }
    return *a == *b;
}

static bool name_is_taken(struct quire_slab *slab, const char *name)
{
    list_for_each (at, &slab->names)
        if (same_name(quire_container_of(at, struct quire_kmem_cache, link)->name, name))
            return true;
    return false;
}

static bool can_share(const struct cache *a, const struct cache *b)
{
    return !((a->flags | b->flags) & MERGE_NEVER) && !a->going && !a->ctor && !b->ctor &&
           a->size == b->size && !((a->flags ^ b->flags) & MERGE_SAME) && a->align == b->align;
}

static struct cache *find_to_share(struct quire_slab *slab, const struct cache *cache)
{
    for (unsigned id = 1; id < slab->max_caches && !slab->no_merge; id++)
        if (slab->cache[id] && can_share(slab->cache[id], cache))
            return slab->cache[id];
    return NULL;
}

static uint32_t free_id(const struct quire_slab *slab)
{
    uint32_t id = 1;
    while (id < slab->max_caches && slab->cache[id])
        id++;
    return id < slab->max_caches ? id : 0;
}

static void add_name(struct quire_kmem_cache *handle, struct cache *cache)
{
    handle->cache = cache;
    handle->shelf_at = shelf_at_of_id(cache->id);
    list_add_tail(&handle->slab->names, &handle->link);
    if (!cache->users++)
        __builtin_memcpy(cache->name, handle->name, NAME_BYTES);
}

/* Makes the name one of `cache`, or of another that it can share; NULL then, or why not. `*shared`
 * is told. */
static const char *enter(struct quire_kmem_cache *handle, struct cache *cache, bool *shared)
{
    struct quire_slab *slab = cache->slab;
    if (name_is_taken(slab, handle->name))
        return "there is one of that name";
    struct cache *other = find_to_share(slab, cache);
    *shared = other != NULL;
    if (!other) {
        cache->id = free_id(slab);
        if (!cache->id)
            return "there are as many as there can be: config.max_caches";
        quire_store_release(&slab->cache[cache->id], cache);
        quire_tell_event_of(CACHE, handle->name, cache->id, cache->size);
    }
    if (cache_is_debugged(cache))
        quire_store_relaxed(&slab->kfree_sections, 0);
    add_name(handle, other ? other : cache);
    return NULL;
}

static void drop_name(struct quire_kmem_cache *handle)
{
    struct cache *cache = handle->cache;
    list_del(&handle->link);
    cache->users--;
    list_for_each (at, &handle->slab->names) {
        const struct quire_kmem_cache *other =
            quire_container_of(at, struct quire_kmem_cache, link);
        if (other->cache == cache) {
            __builtin_memcpy(cache->name, other->name, NAME_BYTES);
            return;
        }
    }
}

/* ---- creating -------------------------------------------------------------------------------- */

static void set_up(struct quire_slab *slab, struct cache *cache, struct quire_kmem_cache *handle,
                   const char *name, size_t size)
{
    __builtin_memset(cache, 0, cache_bytes(slab->nr_nodes));
    __builtin_memset(handle, 0, sizeof *handle);
    cache->slab = handle->slab = slab;
    handle->object_size = handle->zero_size = size;
    __builtin_memcpy(handle->name, name, length(name));
    for (unsigned node = 0; node < slab->nr_nodes; node++)
        cache->node[node].random = (quire_port_clock_ns() ^ (uintptr_t)&cache->node[node]) | 1;
}

void cache_boot(struct quire_slab *slab, struct cache *cache, struct quire_kmem_cache *handle,
                const char *name, size_t size)
{
    bool shared;
    set_up(slab, cache, handle, name, size);
    cache_layout(cache, size, QUIRE_CACHELINE_BYTES, CACHE_NO_SHEAVES);
    QUIRE_BUG_ON(enter(handle, cache, &shared));
}

struct quire_kmem_cache *cache_create(struct quire_slab *slab, const char *name, size_t size,
                                      size_t align, quire_slab_flags_t flags,
                                      void (*ctor)(void *object))
{
    bool shared = false;
    const char *why = what_is_wrong(name, size, align, flags);
    if (why)
        return refuse(name, flags, why);
    struct cache *cache = object_alloc(slab->cores, QUIRE_GFP_KERNEL, -1, 0, 0);
    struct quire_kmem_cache *handle = object_alloc(slab->handles, QUIRE_GFP_KERNEL, -1, 0, 0);
    if (cache && handle) {
        set_up(slab, cache, handle, name, size);
        cache->ctor = ctor;
        if (ctor)
            handle->zero_size = 0;
        flags = debug_option_flags(slab, name, flags);
        cache_layout(cache, size, align, flags);
        quire_port_irq_t irq = slab_lock(&slab->lock);
        why = enter(handle, cache, &shared);
        slab_unlock(&slab->lock, irq);
    } else {
        why = "there is no memory";
    }
    if (cache && (why || shared))
        object_free(slab->cores, cache, 0);
    if (!why)
        return handle;
    if (handle)
        object_free(slab->handles, handle, 0);
    return refuse(name, flags, why);
}

struct quire_kmem_cache *quire_kmem_cache_create(struct quire_slab *slab, const char *name,
                                                 size_t size, size_t align,
                                                 quire_slab_flags_t flags,
                                                 void (*ctor)(void *object))
{
    if (flags & ~ALL_FLAGS)
        return refuse(name, flags, "it has unknown flags");
    return cache_create(slab, name, size, align, flags, ctor);
}

/* ---- destroying ------------------------------------------------------------------------------ */

static unsigned long active_objects(struct cache *cache)
{
    unsigned long active = 0;
    for (unsigned i = 0; i < cache->slab->nr_nodes; i++) {
        struct cache_node *node = &cache->node[i];
        quire_port_irq_t irq = slab_lock(&node->lock);
        active += node->nr_objects - node->nr_free;
        slab_unlock(&node->lock, irq);
    }
    return active;
}

/* Whether the name was one of several, and is gone. */
static bool drop_shared_name(struct quire_kmem_cache *handle)
{
    quire_port_irq_t irq = slab_lock(&handle->slab->lock);
    bool shared = handle->cache->users > 1;
    if (shared)
        drop_name(handle);
    else
        handle->cache->going = true; /* from here on nobody can come to share it */
    slab_unlock(&handle->slab->lock, irq);
    return shared;
}

/* Keeps others from finding the cache, and waits for those who look at it. */
static void begin_to_go(struct cache *cache)
{
    struct quire_slab *slab = cache->slab;
    quire_port_irq_t irq = slab_lock(&slab->lock);
    cache->going = true;
    slab_unlock(&slab->lock, irq);
    while (quire_load_acquire(&cache->pins))
        quire_port_relax();
}

static int stay(struct quire_kmem_cache *handle, unsigned long active)
{
    quire_port_irq_t irq = slab_lock(&handle->slab->lock);
    handle->cache->going = false;
    slab_unlock(&handle->slab->lock, irq);
    report_leak(handle, active);
    return -QUIRE_EBUSY;
}

void cache_release(struct cache *cache)
{
    struct quire_slab *slab = cache->slab;
    quire_port_irq_t irq = slab_lock(&slab->lock);
    quire_store_release(&slab->cache[cache->id], NULL);
    slab_unlock(&slab->lock, irq);
    object_free(slab->cores, cache, 0);
}

int quire_kmem_cache_destroy(struct quire_kmem_cache *handle)
{
    if (!handle)
        return 0;
    struct quire_slab *slab = handle->slab;
    struct cache *cache = handle->cache;
    if (!drop_shared_name(handle)) {
        begin_to_go(cache);
        cache_drain(cache);
        unsigned long active = active_objects(cache);
        if (active)
            return stay(handle, active);
        quire_port_irq_t irq = slab_lock(&slab->lock);
        drop_name(handle);
        slab_unlock(&slab->lock, irq);
        cache_end(cache);
    }
    object_free(slab->handles, handle, 0);
    return 0;
}

/* ---- names ----------------------------------------------------------------------------------- */

static const char *name_of_number(const struct cache *cache, unsigned n)
{
    if (!n)
        return cache->name;
    list_for_each (at, &cache->slab->names) {
        const struct quire_kmem_cache *handle =
            quire_container_of(at, struct quire_kmem_cache, link);
        if (handle->cache == cache && !n--)
            return handle->name;
    }
    return "";
}

unsigned cache_name(struct quire_slab *slab, unsigned id, unsigned n, char name[NAME_BYTES])
{
    unsigned names = 0;
    const char *from = "";
    quire_port_irq_t irq = slab_lock(&slab->lock);
    const struct cache *cache = id < slab->max_caches ? slab->cache[id] : NULL;
    if (cache) {
        names = cache->users;
        from = name_of_number(cache, n);
    }
    __builtin_memcpy(name, from, length(from) + 1);
    slab_unlock(&slab->lock, irq);
    return names;
}

/* ---- looking at caches while others may go --------------------------------------------------- */

struct cache *cache_pin(struct quire_slab *slab, unsigned id)
{
    struct cache *cache = NULL;
    quire_port_irq_t irq = slab_lock(&slab->lock);
    for (; id < slab->max_caches && !cache; id++)
        if (slab->cache[id] && !slab->cache[id]->going)
            cache = slab->cache[id];
    if (cache)
        quire_count(&cache->pins, 1);
    slab_unlock(&slab->lock, irq);
    return cache;
}

void cache_unpin(struct cache *cache)
{
    quire_port_irq_t irq = slab_lock(&cache->slab->lock);
    quire_store_release(&cache->pins, cache->pins - 1);
    slab_unlock(&cache->slab->lock, irq);
}

/* ---- what a name says ------------------------------------------------------------------------ */

const char *quire_kmem_cache_name(const struct quire_kmem_cache *handle)
{
    return handle->name;
}

size_t quire_kmem_cache_size(const struct quire_kmem_cache *handle)
{
    return handle->object_size;
}

int quire_kmem_cache_set_order(struct quire_kmem_cache *handle, unsigned order)
{
    struct cache *cache = handle->cache;
    if (order > QUIRE_KMEM_CACHE_MAX_ORDER || order < cache->min_order)
        return -QUIRE_EINVAL;
    quire_store_relaxed(&cache->order, (uint8_t)order);
    return 0;
}
