/* heap/quarantine.c: the first blocks of each class that are freed
 *
 * A block of a small class that is seldom freed yet (cache.c) isn't free at once: it waits in a
 * ring, filled with a pattern and with the marks of one in its slab: so it isn't allocated from a
 * stack that it gets to by a second free. When it leaves the ring, for a younger one, at a trim or
 * at the end, the pattern shows whether it was written meanwhile; that of the youngest is looked at
 * when a block of such a class is allocated, too: all of it at first, and then a part at a time, in
 * turn. So mistakes of programs that do little with the heap, which are most of those that are
 * looked for, are found without a cost for those that do much.
 *
 *   bound   RING blocks of LARGEST bytes, and MOST_BYTES of all; all of them are written and looked
 *           at
 */
#include "heap/cache.h"

#define LARGEST 2048u
#define MOST_BYTES (64ul << 10)
#define AFTER_ITS_FREE "written after it was freed"
#define PART 128u /* bytes */
#define PATTERN 0xdfu
#define PATTERNS (UINTPTR_MAX / UINT8_MAX * PATTERN) /* a word of it */

bool quarantine_takes(size_t class)
{
    return !class_is_run(class) && class_size(class) <= LARGEST;
}

static void fill(void *block, size_t class)
{
    __builtin_memset(block, PATTERN, class_size(class));
    mark_as_home(block);
}

/* Of a class's bytes, which are whole words, those from `from` to `to`; and the marks. */
static bool is_whole_between(void *block, size_t from, size_t to)
{
    const uintptr_t *word = block, *end = word + to / sizeof *word;
    uintptr_t wrong = (*mark_of(block) ^ FREE_MARK) | (*slab_mark_of(block) ^ SLAB_MARK);
    for (word = from ? word + from / sizeof *word : mark_of(block) + 1; word < end; word++)
        wrong |= *word ^ PATTERNS;
    return !wrong;
}

static bool is_whole(void *block, size_t class)
{
    return is_whole_between(block, 0, class_size(class));
}

static void let_go(struct quire_heap *heap, struct quarantined one)
{
    if (!one.block)
        return;
    if (!is_whole(one.block, one.class)) {
        heap_mistake(heap, one.block, AFTER_ITS_FREE);
        mark_as_home(one.block);
    }
    central_put(heap, one.class, 1, &one.block);
}

bool quarantine_has(struct quire_heap *heap, const void *block)
{
    struct quarantine *ring = &heap->quarantine;
    bool has = false;
    heap_lock(&ring->lock);
    for (unsigned i = 0; i < RING && !has; i++)
        has = ring->slot[i].block == block;
    heap_unlock(&ring->lock);
    return has;
}

unsigned quarantine_count(struct quire_heap *heap, size_t class)
{
    struct quarantine *ring = &heap->quarantine;
    unsigned count = 0;
    heap_lock(&ring->lock);
    for (unsigned i = 0; i < RING; i++)
        count += ring->slot[i].block && ring->slot[i].class == class;
    heap_unlock(&ring->lock);
    return count;
}

/* With the lock. */
static struct quarantined take_out(struct quarantine *ring, struct quarantined *slot)
{
    struct quarantined one = *slot;
    if (one.block)
        ring->bytes -= class_size(one.class);
    slot->block = NULL;
    return one;
}

/* While the ring has more than it may: the oldest one, which isn't the youngest. */
static struct quarantined take_oldest(struct quarantine *ring)
{
    struct quarantined one = {0};
    heap_lock(&ring->lock);
    for (unsigned i = 0; ring->bytes > MOST_BYTES && !one.block && i < RING - 1; i++)
        one = take_out(ring, &ring->slot[(ring->next + i) % RING]);
    heap_unlock(&ring->lock);
    return one;
}

void quarantine_add(struct quire_heap *heap, size_t class, void *block)
{
    struct quarantine *ring = &heap->quarantine;
    fill(block, class);
    heap_lock(&ring->lock);
    struct quarantined *slot = &ring->slot[ring->next];
    struct quarantined oldest = take_out(ring, slot);
    *slot = (struct quarantined){block, (uint8_t) class};
    ring->bytes += class_size(class);
    ring->next = (ring->next + 1) % RING;
    ring->is_seen = false;
    ring->part = 0;
    heap_unlock(&ring->lock);
    do
        let_go(heap, oldest);
    while ((oldest = take_oldest(ring)).block);
}

/* With the lock: whether what is looked at this time of the youngest is as it was left. */
static bool part_is_whole(struct quarantine *ring, void *block, size_t size)
{
    size_t from = ring->part, to = size;
    if (ring->is_seen) {
        to = from + PART < size ? from + PART : size;
        ring->part = to < size ? (unsigned)to : 0;
    }
    ring->is_seen = true;
    return is_whole_between(block, from, to);
}

/* A block is about to be allocated, as it may be by who wrote there. */
void quarantine_look(struct quire_heap *heap)
{
    struct quarantine *ring = &heap->quarantine;
    heap_lock(&ring->lock);
    struct quarantined *youngest = &ring->slot[(ring->next + RING - 1) % RING];
    void *block = youngest->block;
    bool is_bad = block && !part_is_whole(ring, block, class_size(youngest->class));
    if (is_bad)
        fill(block, youngest->class);
    heap_unlock(&ring->lock);
    if (is_bad)
        heap_mistake(heap, block, AFTER_ITS_FREE);
}

void quarantine_empty(struct quire_heap *heap)
{
    struct quarantine *ring = &heap->quarantine;
    for (unsigned i = 0; i < RING; i++) {
        heap_lock(&ring->lock);
        struct quarantined one = take_out(ring, &ring->slot[i]);
        heap_unlock(&ring->lock);
        let_go(heap, one);
    }
}

void quire_heap_settle(struct quire_heap *heap)
{
    quarantine_empty(heap);
    margin_look_at_all(heap);
}
