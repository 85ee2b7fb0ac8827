/* heap/fall.c: a program that has freed most of what it had gets back to the system at once
 *
 * What is freed at random leaves slabs that hold some blocks each. Their pages without blocks,
 * and the slabs that are empty, take memory until the decay, which nobody notices where nobody
 * calls. So the heap looks for a fall while blocks get back to their slabs:
 *
 *   a class    has fallen when half of its objects are taken that were when it got a slab the last
 *              time, which it does when all are; and again with each quarter of them that goes
 *   the heap   has fallen when less than half of what takes memory is live, and LEAST_FALL bytes
 *              aren't: less can wait for the decay, and is likely to be used again before. Then all
 *              goes that is free. The fall goes on when an eighth of what was left has gone, too
 *
 *   share      what was freed pays for the calls of the port, which take as long as some frees
 *              each: there is one for each FREES_PER_CALL blocks and BYTES_PER_CALL bytes. So a
 *              fall takes about as long as the frees that paid for it, at most. What lay on the
 *              stacks of a thread that ends or waits pays for none: it is soon on others'
 *
 *   child      of a fork: it has most pages from its parent, and often ends soon. So it begins with
 *              a fall that has just been
 *
 *   bound      a look at the heap reads three words of each class, and a class looks once for each
 *              quarter of its objects that is freed. Giving back is O(slabs used in part and free
 *              pages), once for each eighth of the live bytes that is freed, in one fall. The next
 *              one begins a decay later at the soonest, so that a program whose memory comes in
 *              waves has its pages faulted again once in that time at most
 */
#include "heap/internal.h"

#define LEAST_FALL (16ul << 20)
#define LEAST_OBJECTS 64u /* between two looks */
#define FREES_PER_CALL 48u
#define BYTES_PER_CALL (16ul << 10)
#define CALL QUIRE_PAGE_SIZE /* credit of one */

/* The class's next look. */
static void set_low(struct quire_heap *heap, size_t class, unsigned long taken)
{
    unsigned long low = taken - taken / 4;
    if (low + LEAST_OBJECTS > taken)
        low = taken > LEAST_OBJECTS ? taken - LEAST_OBJECTS : 0;
    quire_store_relaxed(&heap->fall.low[class], low);
}

static size_t run_bytes(struct quire_heap *heap)
{
    size_t pages = 0;
    for (size_t n = 1; n <= NR_RUNS; n++)
        pages += quire_load_relaxed(&heap->nr_runs[n]) * n;
    return pages << QUIRE_PAGE_SHIFT;
}

/* With purge_lock held. */
static bool is_fall(struct quire_heap *heap, size_t live, size_t resident)
{
    struct fall *fall = &heap->fall;
    if (live >= resident / 2 || resident - live <= quire_load_relaxed(&heap->trim_threshold))
        return false;
    if (fall->has_begun && live < fall->next)
        return true;
    if (resident - live < LEAST_FALL)
        return false;
    uint64_t now = quire_port_clock_ns();
    if (fall->has_begun && now - fall->began_ns < heap_decay_ns(heap))
        return false;
    fall->began_ns = now;
    fall->has_begun = true;
    return true;
}

void fall_look(struct quire_heap *heap)
{
    if (!quire_port_spin_trylock(&heap->purge_lock))
        return;
    struct slab_use use = slab_use(heap);
    size_t live = use.bytes - use.free + run_bytes(heap);
    size_t bytes = (quire_load_relaxed(&heap->pages_used) + pages_dirty(heap)) << QUIRE_PAGE_SHIFT;
    if (is_fall(heap, live, bytes > use.given_back ? bytes - use.given_back : 0)) {
        heap->fall.next = live - live / 8;
        unsigned long calls = quire_load_relaxed(&heap->fall.credit) / CALL;
        (void)quire_fetch_add(&heap->fall.credit, 0 - purge_some(heap, calls) * CALL);
    }
    heap_unlock(&heap->purge_lock);
}

void fall_arm(struct quire_heap *heap, size_t class)
{
    const struct quire_kmem_cache *cache = quire_load_acquire(&heap->small[class]);
    unsigned long objects = cache ? quire_kmem_cache_use(cache).objects : 0;
    quire_store_relaxed(&heap->fall.last[class], objects);
    quire_store_relaxed(&heap->fall.low[class], objects / 2);
}

bool fall_note(struct quire_heap *heap, size_t class, bool pays)
{
    const struct quire_kmem_cache *cache = quire_load_acquire(&heap->small[class]);
    unsigned long taken = quire_kmem_cache_use(cache).taken;
    if (quire_likely(taken >= quire_load_relaxed(&heap->fall.low[class])))
        return false;
    unsigned long last = quire_load_relaxed(&heap->fall.last[class]);
    size_t freed = last > taken ? last - taken : 0;
    size_t credit = CALL / FREES_PER_CALL + class_size(class) * CALL / BYTES_PER_CALL;
    if (pays)
        (void)quire_fetch_add(&heap->fall.credit, freed * credit);
    quire_store_relaxed(&heap->fall.last[class], taken);
    set_low(heap, class, taken);
    return true;
}

void fall_restart(struct quire_heap *heap)
{
    heap->fall.has_begun = true;
    heap->fall.began_ns = quire_port_clock_ns();
    heap->fall.next = 0;
}
