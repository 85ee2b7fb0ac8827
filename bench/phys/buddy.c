/* bench/phys/buddy.c: the buddy allocator that people write
 *
 * A list of free blocks for each order, doubly linked through the frames' descriptors, and one lock
 * around it all (Knuth, TAOCP 1, 2.5, algorithms R and S). Neither zones nor migrate types, neither
 * watermarks nor counters.
 */
#include <stdlib.h>

#include "loops.h"

#define BUDDY_MAX_ORDER 10u

struct frame {
    struct frame *next, *previous;
    uint8_t order; /* of the block that begins here */
    bool free;     /* a free block begins here */
};

struct buddy {
    quire_port_spinlock_t lock;
    struct frame list[BUDDY_MAX_ORDER + 1]; /* heads */
    struct frame *frame;
    size_t nr_frames;
};

static void block_insert(struct buddy *buddy, struct frame *frame, unsigned order)
{
    struct frame *head = &buddy->list[order];
    frame->order = (uint8_t)order;
    frame->free = true;
    frame->next = head->next;
    frame->previous = head;
    head->next->previous = frame;
    head->next = frame;
}

static void block_remove(struct frame *frame)
{
    frame->next->previous = frame->previous;
    frame->previous->next = frame->next;
    frame->free = false;
}

static OUT_OF_LINE uintptr_t buddy_get(void *allocator, unsigned order)
{
    struct buddy *buddy = allocator;
    struct frame *frame = NULL;
    quire_port_spin_lock(&buddy->lock);
    for (unsigned o = order; o <= BUDDY_MAX_ORDER; o++) {
        if (buddy->list[o].next == &buddy->list[o])
            continue;
        frame = buddy->list[o].next;
        block_remove(frame);
        while (o > order) {
            o--;
            block_insert(buddy, frame + (1ul << o), o);
        }
        frame->order = (uint8_t)order;
        break;
    }
    quire_port_spin_unlock(&buddy->lock);
    return (uintptr_t)frame;
}

static OUT_OF_LINE void buddy_put(void *allocator, uintptr_t block, unsigned order)
{
    struct buddy *buddy = allocator;
    size_t index = (size_t)((struct frame *)block - buddy->frame);
    quire_port_spin_lock(&buddy->lock);
    for (; order < BUDDY_MAX_ORDER; order++) {
        size_t other = index ^ (size_t)1 << order;
        if (other >= buddy->nr_frames || !buddy->frame[other].free ||
            buddy->frame[other].order != order)
            break;
        block_remove(&buddy->frame[other]);
        index &= ~((size_t)1 << order);
    }
    block_insert(buddy, &buddy->frame[index], order);
    quire_port_spin_unlock(&buddy->lock);
}

static void *buddy_create(uint64_t bytes, unsigned threads, unsigned order)
{
    (void)threads;
    (void)order;
    struct buddy *buddy = calloc(1, sizeof *buddy);
    if (!buddy)
        return NULL;
    buddy->nr_frames = (size_t)(bytes / FRAME_BYTES);
    buddy->frame = malloc(buddy->nr_frames * sizeof buddy->frame[0]);
    if (!buddy->frame) {
        free(buddy);
        return NULL;
    }
    for (unsigned o = 0; o <= BUDDY_MAX_ORDER; o++)
        buddy->list[o].next = buddy->list[o].previous = &buddy->list[o];
    for (size_t i = 0; i < buddy->nr_frames; i++)
        buddy->frame[i] = (struct frame){0};
    /* Backwards: the lowest come first. Frame 0 stays out, as it does on machines, so that there
     * are blocks of every order: else each `repeat` would split the largest ones and merge them. */
    for (size_t i = buddy->nr_frames - 1; i > 0; i--)
        buddy_put(buddy, (uintptr_t)&buddy->frame[i], 0);
    return buddy;
}

static void buddy_destroy(void *machine)
{
    struct buddy *buddy = machine;
    free(buddy->frame);
    free(buddy);
}

static void *buddy_local(void *machine, unsigned thread)
{
    (void)thread;
    return machine;
}

static size_t buddy_metadata(void *machine)
{
    struct buddy *buddy = machine;
    return sizeof *buddy + buddy->nr_frames * sizeof buddy->frame[0];
}

static bool buddy_fill(struct span *span)
{
    return loop_fill(buddy_get, span);
}

static void buddy_empty(struct span *span)
{
    loop_empty(buddy_put, span);
}

static bool buddy_repeat(struct span *span)
{
    return loop_repeat(buddy_get, buddy_put, span);
}

static OUT_OF_LINE bool buddy_get_many(void *allocator, void *blocks)
{
    uintptr_t *block = blocks;
    for (unsigned i = 0; i < CALL_PAGES; i++)
        if (!(block[i] = buddy_get(allocator, 0)))
            return false;
    return true;
}

static OUT_OF_LINE void buddy_put_many(void *allocator, void *blocks)
{
    uintptr_t *block = blocks;
    for (unsigned i = 0; i < CALL_PAGES; i++)
        buddy_put(allocator, block[i], 0);
}

static bool buddy_calls(struct span *span)
{
    return loop_calls(buddy_get_many, buddy_put_many, span);
}

static bool buddy_produce(struct span *span, struct ring *ring)
{
    return loop_produce(buddy_get, span, ring);
}

static void buddy_consume(struct span *span, struct ring *ring)
{
    loop_consume(buddy_put, span, ring);
}

const struct subject buddy_subject = {
    .name = "buddy",
    .create = buddy_create,
    .destroy = buddy_destroy,
    .local = buddy_local,
    .metadata = buddy_metadata,
    .fill = buddy_fill,
    .empty = buddy_empty,
    .repeat = buddy_repeat,
    .calls = buddy_calls,
    .produce = buddy_produce,
    .consume = buddy_consume,
};
