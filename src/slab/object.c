/* slab/object.c: objects straight from slabs and back, past the sheaves
 *
 * For who has no CPU number, caches without sheaves, particular nodes, and what sheaves leave over.
 * An object comes from the node's slabs, from a new one, and, when phys has no pages, from wherever
 * else the cache has any.
 */
#include "slab/debug.h"
#include "slab/page.h"

static int this_node(const struct quire_slab *slab)
{
    return quire_mem_cpu_node(slab->mem, quire_port_cpu());
}

/* For whom an object is: kmalloc's users ask for less than a class has. */
struct user {
    uintptr_t caller;
    size_t size;
};

static void *take(struct cache *cache, int number, struct user user, struct quire_page *new_slab)
{
    struct aftermath after;
    struct cache_node *node = &cache->node[number];
    void *object;
    aftermath_init(&after);
    quire_port_irq_t irq = slab_lock(&node->lock);
    if (new_slab)
        node_add(cache, node, new_slab);
    bool taken = node_take(cache, node, &object + 1, 1);
    if (taken && cache_is_debugged(cache))
        debug_take(cache, object, user.size, user.caller, &after.mistake);
    slab_unlock(&node->lock, irq);
    aftermath_finish(cache, &after);
    return taken ? object : NULL;
}

/* Phys has no pages: `only` this node (-1: any) may have objects, in slabs or in its barn. */
static void *take_what_is_there(struct cache *cache, int only, struct user user)
{
    struct aftermath after;
    void *object = NULL;
    aftermath_init(&after);
    int nr_nodes = (int)cache->slab->nr_nodes;
    for (int node = 0; node < nr_nodes; node++)
        if (only == -1 || only == node)
            barn_drain(cache, &cache->node[node].barn, &after);
    for (int node = 0; node < nr_nodes && !object; node++)
        if (only == -1 || only == node)
            object = take(cache, node, user, NULL);
    aftermath_finish(cache, &after);
    return object;
}

/* For tests: caches that are debugged have no sheaves, so all their objects come by here. */
static bool is_to_fail(const struct cache *cache, quire_gfp_t gfp)
{
    const struct quire_slab *slab = cache->slab;
    return slab->fail_objects && cache_is_debugged(cache) && !(gfp & QUIRE_GFP_NOFAIL) &&
           slab->fail(slab->fail_arg);
}

void *object_alloc(struct cache *cache, quire_gfp_t gfp, int node, uintptr_t caller, size_t size)
{
    struct user user = {caller, size ? size : cache->object_size};
    struct quire_slab *slab = cache->slab;
    if (node < -1 || node >= (int)slab->nr_nodes || quire_unlikely(is_to_fail(cache, gfp)))
        return NULL;
    int home = node == -1 ? this_node(slab) : node;
    void *object = take(cache, home, user, NULL);
    if (!object && slab->nr_nodes > 1 && !(gfp & QUIRE_GFP_THISNODE)) {
        quire_gfp_t here = (gfp & ~(QUIRE_GFP_DIRECT_RECLAIM | QUIRE_GFP_NOFAIL)) |
                           QUIRE_GFP_THISNODE | QUIRE_GFP_NOWARN;
        struct quire_page *head = slab_create(cache, here, home);
        if (head)
            object = take(cache, quire_page_node(slab->mem, head), user, head);
        for (unsigned i = 0; i < slab->nr_nodes && !object; i++)
            object = take(cache, (int)i, user, NULL);
    }
    if (!object) {
        struct quire_page *head = slab_create(cache, gfp, node);
        if (head)
            object = take(cache, quire_page_node(slab->mem, head), user, head);
    }
    if (!object)
        object = take_what_is_there(cache, gfp & QUIRE_GFP_THISNODE ? home : -1, user);
    if (object && gfp & QUIRE_GFP_ZERO && !cache->ctor)
        __builtin_memset(object, 0,
                         cache->asked               ? user.size
                         : cache_is_debugged(cache) ? cache->object_size
                                                    : cache->size);
    return object;
}

/* ---- many at once ---------------------------------------------------------------------------- */

/* Stores them upwards from `objects`, the lowest last. */
static size_t take_many(struct cache *cache, int number, size_t count, void **objects,
                        struct quire_page *new_slab)
{
    struct cache_node *node = &cache->node[number];
    quire_port_irq_t irq = slab_lock(&node->lock);
    if (new_slab)
        node_add(cache, node, new_slab);
    unsigned taken = node_take(cache, node, objects + count, (unsigned)count);
    slab_unlock(&node->lock, irq);
    if (taken < count)
        __builtin_memmove(objects, objects + count - taken, taken * sizeof *objects);
    return taken;
}

size_t quire_kmem_cache_take(struct quire_kmem_cache *handle, quire_gfp_t gfp, size_t count,
                             void **objects)
{
    struct cache *cache = handle->cache;
    const struct quire_slab *slab = cache->slab;
    size_t done = take_many(cache, this_node(slab), count, objects, NULL);
    while (done < count) {
        struct quire_page *head = slab_create(cache, gfp, -1);
        if (!head)
            break;
        done +=
            take_many(cache, quire_page_node(slab->mem, head), count - done, objects + done, head);
    }
    return done;
}

bool quire_kmem_cache_owns(struct quire_kmem_cache *handle, const void *object)
{
    struct quire_page *page;
    struct cache *cache = handle->cache;
    if (!object_page_checked(cache->slab, object, &page))
        return false;
    struct cache_node *node = node_of_page(cache, page);
    if (!node)
        return false;
    quire_port_irq_t irq = slab_lock(&node->lock);
    const struct quire_page *head = page_find_slab(cache, page);
    bool owns = false;
    if (head) {
        uint32_t offset = (uint32_t)((const char *)object - slab_address(cache->slab, head));
        unsigned index = object_index(cache, offset);
        owns = index * cache->size + cache->offset == offset && index < slab_objects(head) &&
               !slab_object_is_free(cache, head, index);
    }
    slab_unlock(&node->lock, irq);
    return owns;
}

void quire_kmem_cache_put(struct quire_kmem_cache *handle, size_t count, void **objects)
{
    struct aftermath after;
    aftermath_init(&after);
    slabs_put(handle->cache, objects, count, &after);
    aftermath_finish(handle->cache, &after);
}

/* ---- back to their slabs --------------------------------------------------------------------- */

void object_free(struct cache *cache, void *object, uintptr_t caller)
{
    struct aftermath after;
    aftermath_init(&after);
    if (cache_is_debugged(cache))
        debug_free(cache, object, caller, &after);
    else
        slabs_put(cache, &object, 1, &after);
    aftermath_finish(cache, &after);
}

void aftermath_finish(struct cache *cache, struct aftermath *after)
{
    while (after->slabs.first) {
        struct quire_page *head = slab_list_first(cache, &after->slabs);
        slab_list_del(cache, &after->slabs, head);
        slab_dispose(cache, head);
    }
    while (after->sheaves) {
        struct sheaf *sheaf = after->sheaves;
        after->sheaves = sheaf->next;
        sheaf_destroy(cache, sheaf);
    }
    if (quire_unlikely(after->mistake.what))
        mistake_report(cache, &after->mistake);
    if (quire_unlikely(after->nr_misfits))
        report_misfits(cache, after);
}
