/* heap/cache.c: a thread's stacks: the slow half of the hot path
 *
 * An empty stack is filled by half, a full one emptied by half, its oldest blocks first; each such
 * visit is one batch under one lock. Who comes again for the same, having only taken or only freed
 * meanwhile, is likely to go on: then it is all but an eighth. A stack begins small, and its
 * capacity doubles with each visit up to a limit that its size sets, as long as there is room
 * (room.c): so what a thread seldom uses it keeps little of, and many threads don't keep more than
 * few.
 *
 * A class has no stacks before it is warm: 64 of its blocks were freed, by whichever thread, or 256
 * taken. Until then some of its blocks have a margin, and each goes to the quarantine, or back to
 * its slab or run at once: a program that uses few blocks is told at once of one that it frees
 * twice, or wrote beyond, and no page of slots is touched for classes that it hardly uses. Large
 * runs also wait for their thread to come some times, since for them it is seldom worth it.
 *
 *   invariant   while a stack is changed here its top is 0: so a signal handler that comes between
 *               finds it both empty and full, and gets into a slow path, which knows that it
 *               interrupted one
 *   bound       a visit moves STACK_MOST blocks at most
 */
#include "heap/cache.h"

#define SMALL_STACK_BYTES (32ul << 10)
#define RUN_STACK_BYTES (256ul << 10)
#define WARM_RUN_PAGES 8u /* runs up to here have a stack at once */
#define WARM_VISITS 8u
#define LEAST_CAPACITY 2u
#define ENDS 2u /* beside a stack's blocks */

/* ---- capacities ------------------------------------------------------------------------------ */

static void **stack_bottom(const struct quire_heap_cache *cache, size_t class)
{
    return cache->slots + quire_load_relaxed(&cache->place[class]);
}

static uintptr_t top_at(void **slot)
{
    return (uintptr_t)slot - (uintptr_t)quire_heap_hot.no_stack;
}

static void set_top(struct quire_heap_cache *cache, size_t class, void **slot)
{
    __asm__ volatile("" ::: "memory");
    quire_store_relaxed(&cache->top[class], top_at(slot));
}

static unsigned count_at(const struct quire_heap_cache *cache, size_t class, uintptr_t top)
{
    unsigned capacity = quire_load_relaxed(&cache->capacity[class]);
    if (!capacity || !top)
        return 0;
    size_t count = (top - top_at(stack_bottom(cache, class))) / sizeof(void *);
    return count <= capacity ? (unsigned)count : 0; /* another's may be moving just now */
}

unsigned stack_count(const struct quire_heap_cache *cache, size_t class)
{
    return count_at(cache, class, quire_load_relaxed(&cache->top[class]));
}

/* From now on until set_top nobody uses the stack but the caller; its blocks. */
static unsigned hide_stack(struct quire_heap_cache *cache, size_t class)
{
    unsigned count = count_at(
        cache, class, __atomic_exchange_n(&cache->top[class], (uintptr_t)0, __ATOMIC_RELAXED));
    __asm__ volatile("" ::: "memory");
    return count;
}

static unsigned first_capacity(size_t class)
{
    size_t size = class_size(class);
    return size <= 128 ? 16 : size <= 1024 ? 8 : size <= 4096 ? 4 : LEAST_CAPACITY;
}

static unsigned most_capacity(size_t class)
{
    size_t size = class_size(class);
    size_t most = (class_is_run(class) ? RUN_STACK_BYTES : SMALL_STACK_BYTES) / size;
    return most < LEAST_CAPACITY ? LEAST_CAPACITY : most < STACK_MOST ? (unsigned)most : STACK_MOST;
}

/* ---- slots ----------------------------------------------------------------------------------- */

_Static_assert(NR_CLASSES * 2 * (STACK_MOST + ENDS) <= UINT16_MAX, "a place has 16 bits");

/* What find_place may use, of all classes together. */
unsigned cache_slots(void)
{
    unsigned count = 0;
    for (size_t class = 1; class < NR_CLASSES; class ++) {
        count += first_capacity(class) + ENDS;
        if (most_capacity(class) > first_capacity(class))
            count += most_capacity(class) + ENDS;
    }
    return count;
}

/* Where a cache's own members go when its thread is left behind by a fork: behind its slots. */
static struct quire_heap_cache *place_among_slots(const struct quire_heap_cache *cache)
{
    uintptr_t end = (uintptr_t)(cache->slots + cache->heap->slots_of_cache);
    return (void *)(uintptr_t)quire_align_up(end, MIN_ALIGN);
}

static size_t slot_pages(const struct quire_heap *heap)
{
    return pages_for(heap->slots_of_cache * sizeof(void *) + MIN_ALIGN +
                     sizeof(struct quire_heap_cache));
}

/* A stack begins in as few slots as it needs, next to others that were used first: a thread that
 * isn't busy touches one page of them or two. The first time that it grows it gets as many as it
 * may ever need; those that it had lie idle. */
static void find_place(struct quire_heap_cache *cache, size_t class, unsigned capacity)
{
    unsigned space = cache->space[class] ? most_capacity(class) : capacity;
    cache->space[class] = (uint8_t)space;
    quire_store_relaxed(&cache->place[class], cache->nr_placed);
    cache->nr_placed = (uint16_t)(cache->nr_placed + space + ENDS);
}

/* What it holds, at least: which is certain only when the stack is hidden, since a signal handler
 * may free. */
static void set_capacity(struct quire_heap_cache *cache, size_t class, unsigned capacity)
{
    unsigned count = hide_stack(cache, class), at = count;
    void **old = stack_bottom(cache, class);
    capacity = capacity > count ? capacity : count;
    quire_store_relaxed(&cache->place[class],
                        (uint16_t)(cache->place[class] - cache->below[class]));
    cache->below[class] = 0;
    if (capacity > cache->space[class])
        find_place(cache, class, capacity);
    void **bottom = stack_bottom(cache, class);
    if (bottom != old)
        __builtin_memmove(bottom + 1, old + 1, count * sizeof *old);
    bottom[0] = stack_end();
    while (at++ < capacity)
        bottom[at] = NULL;
    bottom[at] = stack_end();
    quire_store_relaxed(&cache->capacity[class], (uint8_t)capacity);
    set_top(cache, class, bottom + count);
}

size_t cache_cut(struct quire_heap_cache *cache)
{
    size_t bytes = 0;
    for (size_t class = 1; class < NR_CLASSES; class ++) {
        if (!cache->capacity[class])
            continue;
        set_capacity(cache, class, 0);
        bytes += cache->capacity[class] * class_size(class);
    }
    return bytes;
}

/* Large runs have no stack before their thread came by some times. */
static bool comes_often(struct quire_heap_cache *cache, size_t class)
{
    if (!class_is_run(class) || class_pages(class) <= WARM_RUN_PAGES)
        return true;
    uint8_t *visits = &cache->visits[class_pages(class) - 1];
    if (*visits < UINT8_MAX)
        ++*visits;
    return *visits >= WARM_VISITS;
}

/* Each visit makes a stack larger, if that may be. */
static void visit(struct quire_heap_cache *cache, size_t class)
{
    room_come_by(cache);
    unsigned capacity = cache->capacity[class], most = most_capacity(class);
    if (!cache->slots || !class_is_warm(cache->heap, class) || capacity == most ||
        !comes_often(cache, class))
        return;
    unsigned first = first_capacity(class), wanted = 2 * capacity > first ? 2 * capacity : first;
    wanted = wanted < most ? wanted : most;
    if (!room_take(cache, (wanted - capacity) * class_size(class))) {
        wanted = LEAST_CAPACITY;
        if (capacity || !room_take(cache, wanted * class_size(class)))
            return;
    }
    set_capacity(cache, class, wanted);
}

/* Blocks of a visit that fills the stack, or else empties it. */
static unsigned batch(struct quire_heap_cache *cache, size_t class, unsigned capacity, bool fills)
{
    uint64_t *word = &cache->filled[class / 64], bit = (uint64_t)1 << class % 64;
    bool again = !(*word & bit) == !fills;
    *word = fills ? *word | bit : *word & ~bit;
    return again ? capacity - capacity / 8 : (capacity + 1) / 2;
}

/* ---- allocating ------------------------------------------------------------------------------ */

/* Of a stack's `count` blocks those up to the last one that is free. */
static unsigned count_as_left(struct quire_heap *heap, size_t class, unsigned count, void **bottom)
{
    while (count && !cache_is_as_left(heap, class, bottom[count]))
        count--;
    return count;
}

/* A block for the caller, and some for the stack: the last one taken is the caller's. */
static void *fill_and_take(struct quire_heap_cache *cache, size_t class, unsigned capacity)
{
    struct quire_heap *heap = cache->heap;
    void *block = NULL, **bottom = stack_bottom(cache, class);
    size_t wanted = class_is_run(class) ? 1 : batch(cache, class, capacity, true);
    unsigned count = count_as_left(heap, class, hide_stack(cache, class), bottom);
    bool is_empty = !count;
    if (is_empty)
        count = (unsigned)central_take(heap, class, wanted, bottom + 1);
    if (count)
        block = bottom[count--];
    if (is_empty)
        cache_mark_new(count, bottom + 1);
    set_top(cache, class, bottom + count);
    return block;
}

/* Of a class that may be seldom used yet: then what comes last is looked at, and the block has a
 * margin, if it may. */
static void *take_one(struct quire_heap *heap, size_t class, size_t size)
{
    void *block;
    bool has_margin = !class_is_warm(heap, class) && size != NO_MARGIN;
    size_t larger = has_margin ? margin_class(heap, class, size) : class;
    if (!class_is_warm(heap, class)) {
        margin_count_take(heap, class);
        if (larger != class)
            margin_count_take(heap, larger);
        quarantine_look(heap);
    }
    if (larger != class && central_take(heap, larger, 1, &block)) {
        if (margin_add(heap, larger, block, size))
            return block;
        cache_put_one(heap, larger, block);
    }
    if (!central_take(heap, class, 1, &block))
        return NULL;
    if (has_margin)
        (void)margin_add(heap, class, block, size);
    return block;
}

/* As stack_pop, whatever the block's user wrote to it. */
static void *take_last(struct quire_heap_cache *cache, size_t class)
{
    if (!cache->capacity[class])
        return NULL;
    void *block = NULL, **bottom = stack_bottom(cache, class);
    unsigned count = count_as_left(cache->heap, class, hide_stack(cache, class), bottom);
    if (count)
        block = bottom[count--];
    set_top(cache, class, bottom + count);
    return block;
}

/* There is no memory for the class: what is free of larger ones will do. */
static void *take_larger(struct quire_heap_cache *cache, size_t class)
{
    void *block = NULL;
    size_t wanted = class_size(class);
    while (!block && ++class < NR_CLASSES) {
        if (class_size(class) < wanted) /* runs of a page or two */
            continue;
        block = take_last(cache, class);
        if (!block && !central_take_left(cache->heap, class, &block))
            block = NULL;
    }
    if (block)
        quire_store_relaxed(&cache->heap->is_short, true);
    return block;
}

static void *alloc_slow(struct quire_heap_cache *cache, size_t class, size_t size)
{
    void *block = NULL;
    visit(cache, class);
    unsigned capacity = cache->capacity[class];
    if (capacity)
        block = fill_and_take(cache, class, capacity);
    else
        block = take_one(cache->heap, class, size);
    if (!block && size != NO_MARGIN)
        block = take_larger(cache, class);
    if (block)
        clear_marks(block);
    return block;
}

void *cache_alloc_slow(struct quire_heap_cache *cache, size_t class, size_t size)
{
    cache_enter(cache);
    void *block = alloc_slow(cache, class, size);
    cache_leave(cache);
    return block;
}

void *cache_alloc_more(struct quire_heap_cache *cache, size_t size)
{
    bool is_zero;
    struct quire_heap *heap = cache->heap;
    size_t pages = pages_for(size);
    if (pages > NR_RUNS || size >= quire_load_relaxed(&heap->map_threshold)) {
        void *regular = regular_take_or_look(cache, size);
        if (regular)
            return regular;
        quarantine_look(heap);
        return large_alloc(heap, size, QUIRE_PAGE_SIZE, &is_zero);
    }
    size_t class = NR_SMALL + pages;
    void *block = stack_pop(cache, class);
    return block ? block : cache_alloc_slow(cache, class, size);
}

/* ---- freeing --------------------------------------------------------------------------------- */

/* Takes the `count` oldest blocks of a stack from it; how many. */
static unsigned take_oldest(struct quire_heap_cache *cache, size_t class, unsigned count,
                            void *blocks[STACK_MOST])
{
    void **bottom = stack_bottom(cache, class);
    unsigned had = hide_stack(cache, class), left;
    count = count < had ? count : had;
    left = had - count;
    __builtin_memcpy(blocks, bottom + 1, count * sizeof *blocks);
    __builtin_memmove(bottom + 1, bottom + 1 + count, left * sizeof *bottom);
    set_top(cache, class, bottom + left);
    return cache_send_home(cache->heap, class, count, blocks);
}

static void flush_oldest(struct quire_heap_cache *cache, size_t class, unsigned count)
{
    void *blocks[STACK_MOST];
    count = take_oldest(cache, class, count, blocks);
    central_put(cache->heap, class, count, blocks);
}

/* In the range, but the map knows of no block: or outside, and perhaps a large one. */
static void free_unclassed(struct quire_heap_cache *cache, void *block)
{
    if (!regular_put(cache, block) && !large_free(cache->heap, block))
        heap_mistake(cache->heap, block, "free of what is no block, or was freed before");
}

bool cache_has(const struct quire_heap_cache *cache, size_t class, const void *block)
{
    unsigned count = stack_count(cache, class);
    void **bottom = count ? stack_bottom(cache, class) : NULL;
    for (unsigned i = 1; i <= count; i++)
        if (bottom[i] == block)
            return true;
    return false;
}

/* The blocks of a class that is seldom used: mistakes are found at once. */
static void free_cold(struct quire_heap *heap, size_t class, void *block)
{
    if (!quarantine_takes(class))
        cache_put_one(heap, class, block);
    else if (quarantine_has(heap, block))
        heap_mistake(heap, block, "double free");
    else if (cache_owns(heap, class, block))
        quarantine_add(heap, class, block);
    else
        cache_put_one(heap, class, block); /* which says what is wrong */
}

static void free_slow(struct quire_heap_cache *cache, size_t class, void *block)
{
    struct quire_heap *heap = cache->heap;
    if ((uintptr_t)block & (MIN_ALIGN - 1)) {
        heap_mistake(heap, block, "free of a pointer into a block");
        return;
    }
    if (has_mark(block) && is_free_already(cache, class, block)) {
        heap_mistake(heap, block, "double free");
        return;
    }
    if (!class_is_warm(heap, class)) {
        margin_count_free(heap, class, block);
        free_cold(heap, class, block);
        return;
    }
    visit(cache, class);
    unsigned capacity = cache->capacity[class];
    if (!capacity) {
        cache_put_one(heap, class, block);
        return;
    }
    if (stack_count(cache, class) == capacity)
        flush_oldest(cache, class, batch(cache, class, capacity, false));
    if (stack_push(cache, class, block))
        return;
    set_capacity(cache, class, capacity); /* what looked like an end above its blocks goes */
    if (!stack_push(cache, class, block)) /* a signal handler has filled it again */
        cache_put_one(heap, class, block);
}

void cache_free_slow(struct quire_heap_cache *cache, size_t class, void *block)
{
    if (!class) {
        free_unclassed(cache, block);
        return;
    }
    cache_enter(cache);
    free_slow(cache, class, block);
    cache_leave(cache);
}

size_t cache_slot_bytes(const struct quire_heap *heap)
{
    return slot_pages(heap) << QUIRE_PAGE_SHIFT;
}

/* ---- beginning and end ----------------------------------------------------------------------- */

void quire_heap_cache_init(struct quire_heap_cache *cache)
{
    *cache = (struct quire_heap_cache){0};
}

int quire_heap_cache_attach(struct quire_heap *heap, struct quire_heap_cache *cache)
{
    cache->slots = run_take(heap, slot_pages(heap), 0);
    if (!cache->slots)
        return -QUIRE_ENOMEM;
    cache->heap = heap;
    heap_lock(&heap->caches_lock);
    cache->next = heap->caches;
    cache->link = &heap->caches;
    if (cache->next)
        cache->next->link = &cache->next;
    heap->caches = cache;
    quire_store_relaxed(&heap->nr_caches, heap->nr_caches + 1);
    heap_unlock(&heap->caches_lock);
    return 0;
}

void quire_heap_cache_flush(struct quire_heap_cache *cache)
{
    void *blocks[STACK_MOST];
    bool fell = false;
    cache_enter(cache);
    for (size_t class = 1; class < NR_CLASSES; class ++)
        if (stack_count(cache, class))
            central_put_stack(cache->heap, class, take_oldest(cache, class, STACK_MOST, blocks),
                              blocks, &fell);
    if (cache->slots)
        central_put_end(cache->heap, fell);
    cache_leave(cache);
}

/* caches_lock is held. */
static void unlink_cache(struct quire_heap *heap, struct quire_heap_cache *cache)
{
    *cache->link = cache->next;
    if (cache->next)
        cache->next->link = cache->link;
    if (heap->reap_next == cache)
        quire_store_relaxed(&heap->reap_next, cache->next);
    room_idle_no_more(heap, cache);
    quire_store_relaxed(&heap->nr_caches, heap->nr_caches - 1);
}

/* One that isn't in the list any more, whose members may lie among its slots. */
static void give_up_cache(struct quire_heap *heap, struct quire_heap_cache *cache)
{
    void *slots = cache->slots;
    if (quire_load_relaxed(&cache->is_reaped)) /* since before it left the list */
        reap_wait(cache);
    quire_heap_cache_flush(cache);
    room_end(cache);
    quire_heap_cache_init(cache);
    central_put(heap, NR_SMALL + slot_pages(heap), 1, &slots);
}

void quire_heap_cache_detach(struct quire_heap_cache *cache)
{
    struct quire_heap *heap = cache->heap;
    if (!heap)
        return;
    quire_heap_cache_flush(
        cache); /* before, so that what is in the list is whole as long as it is */
    heap_lock(&heap->caches_lock);
    unlink_cache(heap, cache);
    heap_unlock(&heap->caches_lock);
    give_up_cache(heap, cache);
}

static void stack_check(const struct quire_heap_cache *cache, size_t class)
{
    const struct quire_heap *heap = cache->heap;
    unsigned capacity = cache->capacity[class], count = stack_count(cache, class);
    void **bottom = stack_bottom(cache, class);
    QUIRE_BUG_ON(capacity > cache->space[class] || !is_end(bottom[0]) ||
                 !is_end(bottom[capacity + 1]));
    QUIRE_BUG_ON(cache->top[class] != top_at(bottom + count));
    for (unsigned i = 1; i <= capacity; i++)
        QUIRE_BUG_ON(is_end(bottom[i]));
    for (unsigned i = 1; i <= count; i++)
        QUIRE_BUG_ON(class_of_address(heap->base, heap->size, bottom[i]) != class ||
                     *mark_of(bottom[i]) != FREE_MARK);
}

void cache_check(const struct quire_heap_cache *cache)
{
    size_t room = 0;
    for (size_t class = 1; class < NR_CLASSES; class ++) {
        if (cache->space[class])
            stack_check(cache, class);
        room += cache->capacity[class] * class_size(class);
    }
    QUIRE_BUG_ON(room != cache->room || cache->nr_placed > cache->heap->slots_of_cache);
}

/* ---- caches whose threads are gone ----------------------------------------------------------- */

static bool is_left(const struct quire_heap_cache *cache)
{
    return place_among_slots(cache) == cache;
}

bool quire_heap_leave_others(struct quire_heap *heap, const struct quire_heap_cache *own)
{
    bool any = false;
    fall_restart(heap);
    heap->reap_next = NULL; /* what it points to moves */
    for (struct quire_heap_cache *cache = heap->caches; cache; cache = cache->next) {
        if (cache == own)
            continue;
        any = true;
        cache->is_reaped = false;
        cache->nr_inside = 0;
        if (is_left(cache))
            continue;
        struct quire_heap_cache *left = place_among_slots(cache);
        *left = *cache;
        *left->link = left;
        if (left->next)
            left->next->link = &left->next;
        cache = left;
    }
    return any;
}

bool quire_heap_adopt(struct quire_heap *heap)
{
    heap_lock(&heap->caches_lock);
    struct quire_heap_cache *cache = heap->caches;
    while (cache && !is_left(cache))
        cache = cache->next;
    if (cache)
        unlink_cache(heap, cache);
    heap_unlock(&heap->caches_lock);
    if (cache)
        give_up_cache(heap, cache);
    return cache;
}
