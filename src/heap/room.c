/* heap/room.c: how much threads' stacks may hold together
 *
 * A stack's capacity is room that its thread has claimed, of cache_bytes for all threads. Together
 * with what it has it gets no more than an equal share of what is left, as if all came for theirs
 * now: so threads that are busy at a time have half of all room, equal parts of it, and who comes
 * late has small stacks rather than none.
 *
 * Most threads of many wait, with claims that their stacks fill in part only. Who is refused room
 * looks, now and then, who hasn't come by its slow paths since the last look: of its claims those
 * are waived that nothing lies in. When such a thread comes by again it claims them again; if there
 * is no room for them its stacks' capacities become what they hold.
 *
 *   invariant   heap->caches_room is what all caches have claimed, less what they waived. A claim
 *               is made and given up by its cache's thread only; it is waived by others, when
 *               nothing is waived yet, and claimed again, both with caches_lock held
 *   bound       stacks hold cache_bytes together, but for what a thread whose claims were waived
 *               frees before it comes by a slow path again. A look reads the tops of the threads
 *               that have become idle, and a word of all others; there is one for as many times
 *               REFUSALS_AT_ONCE refusals, of whichever threads, as there are caches: else each
 *               thread of those that come and go would look at all that wait
 */
#include "heap/cache.h"

#define REFUSALS_AT_ONCE 16u /* of a thread, for one in the count that all share */

static size_t room_left(const struct quire_heap *heap)
{
    size_t used = quire_load_relaxed(&heap->caches_room);
    return used < heap->cache_bytes ? heap->cache_bytes - used : 0;
}

/* What others claim meanwhile may make it too much: then it is given up again. */
static bool claim(struct quire_heap_cache *cache, size_t bytes)
{
    struct quire_heap *heap = cache->heap;
    size_t room = quire_load_relaxed(&cache->room) + bytes;
    if (room > room_left(heap) / quire_load_relaxed(&heap->nr_caches))
        return false;
    if (quire_fetch_add(&heap->caches_room, bytes) + bytes > heap->cache_bytes) {
        (void)quire_fetch_add(&heap->caches_room, 0 - bytes);
        return false;
    }
    quire_store_relaxed(&cache->room, room);
    return true;
}

/* ---- who is idle ----------------------------------------------------------------------------- */

static size_t held_bytes(const struct quire_heap_cache *cache)
{
    size_t bytes = 0;
    for (size_t class = 1; class < NR_CLASSES; class ++)
        bytes += stack_count(cache, class) * class_size(class);
    return bytes;
}

/* caches_lock is held. A thread that comes by just now may be counted wrongly: what it waives is
 * looked at when it comes by. */
static void waive(struct quire_heap *heap, struct quire_heap_cache *cache)
{
    size_t held = held_bytes(cache), room = quire_load_relaxed(&cache->room);
    if (held >= room)
        return;
    (void)quire_fetch_add(&heap->caches_room, held - room);
    quire_store_relaxed(&cache->waived, room - held);
}

static void look_for_idle(struct quire_heap *heap)
{
    heap_lock(&heap->caches_lock);
    for (struct quire_heap_cache *cache = heap->caches; cache; cache = cache->next) {
        unsigned visits = quire_load_relaxed(&cache->nr_visits);
        if (visits == cache->seen_visits && !quire_load_relaxed(&cache->waived))
            waive(heap, cache);
        cache->seen_visits = visits;
    }
    heap_unlock(&heap->caches_lock);
}

/* ---- of the cache's thread ------------------------------------------------------------------- */

bool room_take(struct quire_heap_cache *cache, size_t bytes)
{
    struct quire_heap *heap = cache->heap;
    if (claim(cache, bytes))
        return true;
    if (++cache->nr_refusals % REFUSALS_AT_ONCE ||
        quire_fetch_add(&heap->refusals, 1) + 1 < quire_load_relaxed(&heap->nr_caches))
        return false;
    quire_store_relaxed(&heap->refusals, 0);
    look_for_idle(heap);
    return claim(cache, bytes);
}

/* With the lock: nobody is to waive what is just cut. */
static void claim_again(struct quire_heap *heap, struct quire_heap_cache *cache)
{
    size_t waived = quire_load_relaxed(&cache->waived), had = cache->room;
    quire_store_relaxed(&cache->waived, (size_t)0);
    if (quire_fetch_add(&heap->caches_room, waived) + waived <= heap->cache_bytes)
        return;
    size_t has = cache_cut(cache);
    quire_store_relaxed(&cache->room, has);
    (void)quire_fetch_add(&heap->caches_room, has - had);
}

void room_come_by(struct quire_heap_cache *cache)
{
    struct quire_heap *heap = cache->heap;
    quire_count(&cache->nr_visits, 1);
    if (quire_likely(!quire_load_relaxed(&cache->waived)))
        return;
    heap_lock(&heap->caches_lock);
    claim_again(heap, cache);
    heap_unlock(&heap->caches_lock);
}

void room_end(struct quire_heap_cache *cache)
{
    (void)quire_fetch_add(&cache->heap->caches_room, cache->waived - cache->room);
    quire_store_relaxed(&cache->waived, (size_t)0);
    quire_store_relaxed(&cache->room, (size_t)0);
}

void room_check(const struct quire_heap *heap)
{
    size_t room = 0;
    for (const struct quire_heap_cache *cache = heap->caches; cache; cache = cache->next) {
        QUIRE_BUG_ON(cache->waived > cache->room);
        room += cache->room - cache->waived;
    }
    QUIRE_BUG_ON(room != heap->caches_room);
}
