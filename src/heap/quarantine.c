/* heap/quarantine.c: the first blocks of each class that are freed
 *
 * A block of a small class that is seldom freed yet (cache.c) isn't free at once: it waits in a
 * ring, filled with a pattern and with the mark of free blocks. When it leaves the ring, for a
 * younger one, at a trim or at the end, the pattern shows whether it was written meanwhile. So
 * mistakes of programs that do little with the heap, which are most of those that are looked for,
 * are found without a cost for those that do much.
 *
 *   bound   RING blocks of LARGEST bytes for the heap; FILLED bytes are written and looked at
 */
#include "heap/cache.h"

#define LARGEST 1024u
#define FILLED 128u
#define PATTERN 0xdfu

bool quarantine_takes(size_t class)
{
    return class_size(class) <= LARGEST;
}

static size_t filled(size_t class)
{
    size_t size = class_size(class);
    return size < FILLED ? size : FILLED;
}

static void fill(void *block, size_t class)
{
    __builtin_memset(block, PATTERN, filled(class));
    *mark_of(block) = FREE_MARK;
}

static bool is_whole(void *block, size_t class)
{
    const unsigned char *byte = block;
    for (size_t i = 0; i < filled(class); i++)
        if (i / sizeof(uintptr_t) != 1 && byte[i] != PATTERN)
            return false;
    return *mark_of(block) == FREE_MARK;
}

static void let_go(struct quire_heap *heap, struct quarantined one)
{
    if (!one.block)
        return;
    if (!is_whole(one.block, one.class)) {
        heap_mistake(heap, one.block, "written after it was freed");
        *mark_of(one.block) = FREE_MARK;
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

void quarantine_add(struct quire_heap *heap, size_t class, void *block)
{
    struct quarantine *ring = &heap->quarantine;
    fill(block, class);
    heap_lock(&ring->lock);
    struct quarantined *slot = &ring->slot[ring->next];
    struct quarantined oldest = *slot;
    *slot = (struct quarantined){block, (uint8_t) class};
    ring->next = (ring->next + 1) % RING;
    heap_unlock(&ring->lock);
    let_go(heap, oldest);
}

void quarantine_empty(struct quire_heap *heap)
{
    struct quarantine *ring = &heap->quarantine;
    for (unsigned i = 0; i < RING; i++) {
        heap_lock(&ring->lock);
        struct quarantined one = ring->slot[i];
        ring->slot[i].block = NULL;
        heap_unlock(&ring->lock);
        let_go(heap, one);
    }
}

void quire_heap_settle(struct quire_heap *heap)
{
    quarantine_empty(heap);
}
