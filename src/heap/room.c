/* heap/room.c: how much threads' stacks may hold together
 *
 * A stack's capacity is room that its thread has claimed, of cache_bytes for all threads. Together
 * with what it has it gets no more than an equal share of what is left, as if all that aren't idle
 * came for theirs now: so threads that are busy at a time have half of all room, equal parts of it,
 * and who comes late has small stacks rather than none.
 *
 * Most threads of many wait. Who is refused room looks, now and then, who hasn't come by its slow
 * paths since the last look: that one is idle. Of its claims those are waived that nothing lies in,
 * and then what lies on its stacks is taken from them (reap.c) but for a block of each. When such a
 * thread comes by again it claims again what it waived; if there is no room for that its stacks'
 * capacities become what they hold.
 *
 *   invariant   heap->caches_room is what all caches have claimed, less what they waived. A claim
 *               is made and given up by its cache's thread only; it is waived by others, when
 *               nothing is waived yet, and claimed again, both with caches_lock held
 *   bound       stacks hold cache_bytes together; or, with some thousands of threads that wait, a
 *               block of each size that they used for each of them, and a quarter of cache_bytes.
 *               To that comes what a thread whose claims were waived frees before it comes by a
 *               slow path again: another block of each size, or as much as its stacks' capacity if
 *               it couldn't be reaped. A look reads the tops of the threads
 *               that have become idle, and a word of all others; there is one for as many times
 *               REFUSALS_AT_ONCE refusals, of whichever threads, as there are caches: else each
 *               thread of those that come and go would look at all that wait. They are reaped some
 *               at a time, by that refusal and the next ones, of REFUSALS_AT_ONCE one
 */
#include "heap/cache.h"

#define REFUSALS_AT_ONCE 16u /* of a thread, for one in the count that all share */

/* What is left on the stacks of threads that wait can't be had, however many they are. */
static size_t room_of_all(const struct quire_heap *heap)
{
    size_t least = quire_load_relaxed(&heap->rest) + heap->cache_bytes / 4;
    return least > heap->cache_bytes ? least : heap->cache_bytes;
}

static size_t room_left(const struct quire_heap *heap)
{
    size_t used = quire_load_relaxed(&heap->caches_room), all = room_of_all(heap);
    return used < all ? all - used : 0;
}

/* Threads that share what is left; both counts may change meanwhile. */
static unsigned long nr_busy(const struct quire_heap *heap)
{
    unsigned long idle = quire_load_relaxed(&heap->nr_idle);
    unsigned long all = quire_load_relaxed(&heap->nr_caches);
    return all > idle ? all - idle : 1;
}

/* What others claim meanwhile may make it too much: then it is given up again. */
static bool claim(struct quire_heap_cache *cache, size_t bytes)
{
    struct quire_heap *heap = cache->heap;
    size_t room = quire_load_relaxed(&cache->room) + bytes;
    if (room > room_left(heap) / nr_busy(heap))
        return false;
    if (quire_fetch_add(&heap->caches_room, bytes) + bytes > room_of_all(heap)) {
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
    quire_store_relaxed(&cache->is_idle, true);
    quire_store_relaxed(&heap->nr_idle, heap->nr_idle + 1);
    if (held >= room)
        return;
    (void)quire_fetch_add(&heap->caches_room, held - room);
    quire_store_relaxed(&cache->waived, room - held);
}

/* A handler that forks would have the child go on with threads that it doesn't have. */
static void hold_signals(struct quire_heap *heap, bool hold)
{
    if (heap->ops.hold_signals)
        heap->ops.hold_signals(heap->ops_arg, hold);
}

static void look_for_idle(struct quire_heap *heap)
{
    heap_lock(&heap->caches_lock);
    for (struct quire_heap_cache *cache = heap->caches; cache; cache = cache->next) {
        unsigned visits = quire_load_relaxed(&cache->nr_visits);
        if (visits == cache->seen_visits && !quire_load_relaxed(&cache->is_idle))
            waive(heap, cache);
        cache->seen_visits = visits;
    }
    if (heap->ops.fence)
        quire_store_relaxed(&heap->reap_next, heap->caches);
    heap_unlock(&heap->caches_lock);
}

/* ---- of the cache's thread ------------------------------------------------------------------- */

static bool is_time_to_look(struct quire_heap *heap)
{
    if (quire_fetch_add(&heap->refusals, 1) + 1 < quire_load_relaxed(&heap->nr_caches))
        return false;
    quire_store_relaxed(&heap->refusals, 0);
    return true;
}

bool room_take(struct quire_heap_cache *cache, size_t bytes)
{
    struct quire_heap *heap = cache->heap;
    if (claim(cache, bytes))
        return true;
    if (++cache->nr_refusals % REFUSALS_AT_ONCE)
        return false;
    bool looks = is_time_to_look(heap);
    if (!looks && !quire_load_relaxed(&heap->reap_next))
        return false;
    hold_signals(heap, true);
    if (looks)
        look_for_idle(heap);
    reap_idle(heap);
    hold_signals(heap, false);
    return claim(cache, bytes);
}

/* When nobody reaps its stacks. */
static void give_up_rest(struct quire_heap_cache *cache)
{
    (void)quire_fetch_add(&cache->heap->rest, 0 - cache->rest);
    cache->rest = 0;
}

void room_idle_no_more(struct quire_heap *heap, struct quire_heap_cache *cache)
{
    if (!quire_load_relaxed(&cache->is_idle))
        return;
    quire_store_relaxed(&cache->is_idle, false);
    cache->was_reaped = false;
    quire_store_relaxed(&heap->nr_idle, heap->nr_idle - 1);
}

/* With the lock: nobody is to waive what is just cut. */
static void claim_again(struct quire_heap *heap, struct quire_heap_cache *cache)
{
    size_t waived = quire_load_relaxed(&cache->waived), had = cache->room;
    room_idle_no_more(heap, cache);
    give_up_rest(cache);
    quire_store_relaxed(&cache->waived, (size_t)0);
    if (quire_fetch_add(&heap->caches_room, waived) + waived <= room_of_all(heap))
        return;
    size_t has = cache_cut(cache);
    quire_store_relaxed(&cache->room, has);
    (void)quire_fetch_add(&heap->caches_room, has - had);
}

void room_come_by(struct quire_heap_cache *cache)
{
    struct quire_heap *heap = cache->heap;
    quire_count(&cache->nr_visits, 1);
    if (quire_likely(!quire_load_relaxed(&cache->is_idle)))
        return;
    heap_lock(&heap->caches_lock);
    claim_again(heap, cache);
    heap_unlock(&heap->caches_lock);
}

void room_is_reaped(struct quire_heap_cache *cache)
{
    struct quire_heap *heap = cache->heap;
    size_t has = 0, held = held_bytes(cache), had = cache->room - cache->waived;
    for (size_t class = 1; class < NR_CLASSES; class ++)
        has += cache->capacity[class] * class_size(class);
    quire_store_relaxed(&cache->room, has);
    quire_store_relaxed(&cache->waived, has - held);
    (void)quire_fetch_add(&heap->caches_room, held - had);
    cache->rest = held;
    (void)quire_fetch_add(&heap->rest, held);
}

void room_end(struct quire_heap_cache *cache)
{
    (void)quire_fetch_add(&cache->heap->caches_room, cache->waived - cache->room);
    give_up_rest(cache);
    quire_store_relaxed(&cache->waived, (size_t)0);
    quire_store_relaxed(&cache->room, (size_t)0);
}

void room_check(const struct quire_heap *heap)
{
    size_t room = 0, rest = 0;
    unsigned long idle = 0;
    for (const struct quire_heap_cache *cache = heap->caches; cache; cache = cache->next) {
        QUIRE_BUG_ON(cache->waived > (cache->is_idle ? cache->room : 0));
        room += cache->room - cache->waived;
        rest += cache->rest;
        idle += cache->is_idle;
    }
    QUIRE_BUG_ON(room != heap->caches_room || rest != heap->rest || idle != heap->nr_idle);
}
