/* heap/reap.c: what lies on the stacks of threads that wait goes back
 *
 * A thread that waits keeps what lies on its stacks, and of many threads most wait. When there is
 * no room left for those that work (room.c) it is taken from them, though nobody can ask them, and
 * though the hot path has no lock and no atomic instruction. It can be done since a stack ends
 * where a slot says so: who stores an end in between ends it there. ops.fence makes every thread
 * fence; after it they see what was stored before.
 *
 *        0      1           low    top           high    capacity
 *     ┌──────┬───────┬───┬──────┬───────┬───────┬──────┬───────┬──────┐
 *     │ end  │ block │...│ end  │ block │ other │ end  │ other │ end  │
 *     └──────┴───────┴───┴──────┴───────┴───────┴──────┴───────┴──────┘
 *      ◄─ what goes back ─►      ◄─ the stack ─►
 *
 *   1   `is_reaped` is set, then fence. A thread that isn't in a slow path now waits before the
 *       next one, for reap_lock, so all it can do is push and pop. One that is in is left alone.
 *   2   The slot under the last block becomes an end, and so does the second behind it; then
 *       fence. A thread may have been stopped within a pop or a push before this, with what it
 *       loaded: that is of the slot at its top, or the next.
 *   3   If the top is above `low`, and nothing has been pushed to `low`, then the thread hasn't
 *       taken its block, and never gets there. If it is two below `high` nothing is pushed there.
 *       Else the slot gets its content again, unless a push was faster.
 *   4   The stack's place becomes `low`, its capacity what is in between: a small stack as all
 *       others. `below` says how far it was moved, for when it grows.
 *
 *   invariant   stacks are whole whenever a lock is waited for, so that a child of fork that
 *               doesn't have who reaps finds nothing worse than blocks that nobody has
 *   bound       each stack that is reaped holds a block and has room for another. A fence for a
 *               thread, elsewhere than on x86 two, and one for each AT_ONCE of them. So many are
 *               reaped by one call: more would keep the caller, its signals, and those of them that
 *               wake up, for milliseconds
 */
#include "heap/cache.h"

#define AT_ONCE 16u

/* Elsewhere a top may be seen before the slots that were written before it. */
#if defined(__x86_64__) || defined(__i386__)
#define STORES_ARE_IN_ORDER true
#else
#define STORES_ARE_IN_ORDER false
#endif

/* By class: where ends were stored, in slots from the stack's bottom on, and for what. */
struct ends {
    void *was_low[NR_CLASSES], *was_high[NR_CLASSES];
    uint8_t low[NR_CLASSES], high[NR_CLASSES]; /* 0: none */
    uint8_t top[NR_CLASSES];                   /* after the fence */
    bool are_seen;                             /* by everybody: no fence failed */
};

static int fence(struct quire_heap *heap)
{
    return heap->ops.fence(heap->ops_arg);
}

static void **bottom_of(const struct quire_heap_cache *cache, size_t class)
{
    return cache->slots + cache->place[class];
}

static unsigned top_of(const struct quire_heap_cache *cache, size_t class)
{
    void **slot = slot_at(quire_load_relaxed(&cache->top[class]));
    return (unsigned)(slot - bottom_of(cache, class));
}

/* ---- the two ends ---------------------------------------------------------------------------- */

static void *end_at(void **slot)
{
    return __atomic_exchange_n(slot, stack_end(), __ATOMIC_ACQ_REL);
}

static void store_ends(const struct quire_heap_cache *cache, size_t class, struct ends *ends)
{
    unsigned capacity = cache->capacity[class];
    ends->low[class] = ends->high[class] = 0;
    if (!capacity)
        return;
    void **bottom = bottom_of(cache, class);
    unsigned top = top_of(cache, class);
    if (top >= 2) {
        ends->low[class] = (uint8_t)(top - 1);
        ends->was_low[class] = end_at(bottom + top - 1);
    }
    if (top + 2 <= capacity) {
        ends->high[class] = (uint8_t)(top + 2);
        ends->was_high[class] = end_at(bottom + top + 2);
    }
}

/* Whether the slot's end stays from now on. */
static bool keep_end(void **slot, bool is_apart, void *was)
{
    void *is = quire_load_acquire(slot);
    if (is_apart && is_end(is))
        return true;
    if (is_end(is))
        (void)quire_compare_exchange(slot, &is, was);
    return false;
}

/* How many slots from the bottom on have blocks that go back now. */
static uint8_t make_stack_of_rest(struct quire_heap_cache *cache, size_t class,
                                  const struct ends *ends)
{
    uint8_t low = ends->low[class];
    unsigned high = ends->high[class], top = ends->top[class];
    unsigned end = cache->capacity[class] + 1u;
    void **bottom = bottom_of(cache, class);
    bool is_above = ends->are_seen && top > low, is_below = ends->are_seen && top + 1 < high;
    if (low && !keep_end(bottom + low, is_above, ends->was_low[class]))
        low = 0;
    if (high && keep_end(bottom + high, is_below, ends->was_high[class]))
        end = high;
    if (low)
        bottom[0] = ends->was_low[class]; /* with the others; the end is of no more use there */
    quire_store_relaxed(&cache->place[class], (uint16_t)(cache->place[class] + low));
    cache->below[class] = (uint8_t)(cache->below[class] + low);
    quire_store_relaxed(&cache->capacity[class], (uint8_t)(end - 1 - low));
    return low;
}

/* ---- a thread's stacks ----------------------------------------------------------------------- */

static void look_at_tops(const struct quire_heap_cache *cache, struct ends *ends)
{
    struct quire_heap *heap = cache->heap;
    ends->are_seen = !fence(heap);
    for (size_t class = 1; class < NR_CLASSES; class ++)
        ends->top[class] = cache->capacity[class] ? (uint8_t)top_of(cache, class) : 0;
    if (ends->are_seen && !STORES_ARE_IN_ORDER)
        ends->are_seen = !fence(heap);
}

static QUIRE_NOINLINE void make_stacks_of_rest(struct quire_heap_cache *cache,
                                               uint8_t count[NR_CLASSES])
{
    struct ends ends;
    for (size_t class = 1; class < NR_CLASSES; class ++)
        store_ends(cache, class, &ends);
    look_at_tops(cache, &ends);
    for (size_t class = 1; class < NR_CLASSES; class ++)
        count[class] = cache->capacity[class] ? make_stack_of_rest(cache, class, &ends) : 0;
}

static void reap(struct quire_heap_cache *cache)
{
    struct quire_heap *heap = cache->heap;
    uint8_t count[NR_CLASSES];
    if (quire_load_acquire(&cache->nr_inside))
        return;
    make_stacks_of_rest(cache, count);
    room_is_reaped(cache);
    bool fell = false;
    for (size_t class = 1; class < NR_CLASSES; class ++) {
        void **blocks = bottom_of(cache, class) - count[class];
        unsigned sent = cache_send_home(heap, class, count[class], blocks);
        if (sent)
            central_put_stack(heap, class, sent, blocks, &fell);
    }
    central_put_end(heap, fell);
}

/* ---- those that wait ------------------------------------------------------------------------- */

static unsigned choose(struct quire_heap *heap, struct quire_heap_cache *chosen[AT_ONCE])
{
    unsigned count = 0;
    heap_lock(&heap->caches_lock);
    struct quire_heap_cache *cache = heap->reap_next;
    for (; cache && count < AT_ONCE; cache = cache->next) {
        if (!quire_load_relaxed(&cache->is_idle) || cache->was_reaped)
            continue;
        cache->was_reaped = true;
        quire_store_relaxed(&cache->is_reaped, true);
        chosen[count++] = cache;
    }
    quire_store_relaxed(&heap->reap_next, cache);
    heap_unlock(&heap->caches_lock);
    return count;
}

void reap_idle(struct quire_heap *heap)
{
    struct quire_heap_cache *chosen[AT_ONCE];
    if (!quire_port_spin_trylock(&heap->reap_lock))
        return;
    unsigned count = choose(heap, chosen);
    bool failed = count && fence(heap);
    for (unsigned i = 0; i < count; i++) {
        if (!failed)
            reap(chosen[i]);
        quire_store_release(&chosen[i]->is_reaped, false);
    }
    heap_unlock(&heap->reap_lock);
}

void reap_wait(struct quire_heap_cache *cache)
{
    struct quire_heap *heap = cache->heap;
    heap_lock(&heap->reap_lock);
    quire_store_relaxed(&cache->is_reaped, false); /* who reaps may be left in a parent */
    heap_unlock(&heap->reap_lock);
}
