/* slab/alloc.c: the front door of caches
 *
 * The hot path is a CPU's main sheaf of the cache: no lock, no atomic instruction, and of the
 * object nothing is touched. What it can't serve is sheaf.c's and then object.c's.
 */
#include "slab/cpu.h"
#include "slab/page.h"

void *quire_kmem_cache_alloc(struct quire_kmem_cache *cache, quire_gfp_t gfp)
{
    return cpu_alloc(cache->slab, cache->shelf_at, gfp, &cache->zero_size, CALLER_IS_OURS, 0);
}

void *quire_kmem_cache_alloc_node(struct quire_kmem_cache *cache, quire_gfp_t gfp, int node)
{
    if (node == -1 && !(gfp & QUIRE_GFP_THISNODE))
        return cpu_alloc(cache->slab, cache->shelf_at, gfp, &cache->zero_size, CALLER_IS_OURS, 0);
    return object_alloc(cache->cache, gfp, node, CALLER, 0);
}

void quire_kmem_cache_free(struct quire_kmem_cache *cache, void *object)
{
    if (quire_unlikely(!object))
        return;
    cpu_free(cache->slab, cache->shelf_at, object, CALLER_IS_OURS);
}

/* ---- many at once ---------------------------------------------------------------------------- */

static void zero(struct cache *cache, void **objects, size_t count)
{
    for (size_t i = 0; i < count; i++)
        __builtin_memset(objects[i], 0, cache->size);
}

static void free_many(struct cache *cache, size_t count, void **objects, uintptr_t caller)
{
    while (count) {
        size_t done = sheaf_free_many(cache, count, objects);
        objects += done;
        count -= done;
        if (!count)
            return;
        /* Closed, or it lacks a sheaf, which freeing one object gets. */
        cpu_free(cache->slab, shelf_at_of_id(cache->id), *objects, caller);
        objects++;
        count--;
    }
}

bool quire_kmem_cache_alloc_bulk(struct quire_kmem_cache *handle, quire_gfp_t gfp, size_t count,
                                 void **objects)
{
    struct cache *cache = handle->cache;
    for (size_t done = 0; done < count;) {
        size_t got = sheaf_alloc_many(cache, count - done, objects + done);
        if (gfp & QUIRE_GFP_ZERO)
            zero(cache, objects + done, got);
        done += got;
        if (done == count)
            break;
        objects[done] = object_alloc(cache, gfp, -1, CALLER, 0);
        if (!objects[done]) {
            free_many(cache, done, objects, CALLER);
            return false;
        }
        done++;
    }
    return true;
}

/* In runs between the NULL elements. */
void quire_kmem_cache_free_bulk(struct quire_kmem_cache *handle, size_t count, void **objects)
{
    for (size_t i = 0, run = 0; i < count; i += run + 1) {
        for (run = 0; i + run < count && objects[i + run];)
            run++;
        free_many(handle->cache, run, objects + i, CALLER);
    }
}
