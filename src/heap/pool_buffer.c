/* heap/pool_buffer.c: blocks out of a fixed piece of memory
 *
 * What is free are holes, chained by address, each described in its own first bytes. First fit; a
 * hole that is taken in part keeps its end, and one that comes back merges with its neighbours.
 *
 *   invariant   holes are whole multiples of QUIRE_POOL_ALIGN, sorted, and don't touch each other
 *   bound       O(holes) for either direction; pools ask for few and large blocks
 */
#include "base/bits.h"
#include "heap/pool.h"

struct quire_pool_hole {
    _Alignas(QUIRE_POOL_ALIGN) struct quire_pool_hole *next;
    size_t size;
};

_Static_assert(sizeof(struct quire_pool_hole) == QUIRE_POOL_ALIGN, "any hole has room for itself");

void quire_pool_buffer_init(struct quire_pool_buffer *buffer, void *memory, size_t size)
{
    uintptr_t start = (uintptr_t)quire_align_up((uintptr_t)memory, QUIRE_POOL_ALIGN);
    uintptr_t end = (uintptr_t)quire_align_down((uintptr_t)memory + size, QUIRE_POOL_ALIGN);
    buffer->holes = NULL;
    buffer->start = buffer->end = (char *)memory;
    if (!start || end <= start)
        return;
    buffer->start = (char *)start;
    buffer->end = (char *)end;
    buffer->holes = (struct quire_pool_hole *)start;
    *buffer->holes = (struct quire_pool_hole){NULL, end - start};
}

static void *buffer_alloc(void *arg, size_t *size)
{
    struct quire_pool_buffer *buffer = arg;
    struct quire_pool_hole **link = &buffer->holes, *hole;
    size_t wanted = pool_round(*size);
    while ((hole = *link) && hole->size < wanted)
        link = &hole->next;
    if (!hole || !wanted)
        return NULL;
    if (hole->size == wanted)
        *link = hole->next;
    else {
        struct quire_pool_hole *rest = (struct quire_pool_hole *)((char *)hole + wanted);
        *rest = (struct quire_pool_hole){hole->next, hole->size - wanted};
        *link = rest;
    }
    *size = wanted;
    return hole;
}

/* Joins a hole with the next one if they touch. */
static void merge(struct quire_pool_hole *hole)
{
    struct quire_pool_hole *next = hole->next;
    if (!next || (char *)hole + hole->size != (char *)next)
        return;
    hole->size += next->size;
    hole->next = next->next;
}

static void buffer_free(void *arg, void *block, size_t size)
{
    struct quire_pool_buffer *buffer = arg;
    struct quire_pool_hole *before = NULL, *hole = block;
    struct quire_pool_hole *after = buffer->holes;
    QUIRE_BUG_ON((char *)block < buffer->start || (char *)block + size > buffer->end);
    for (; after && after < hole; after = after->next)
        before = after;
    *hole = (struct quire_pool_hole){after, size};
    merge(hole);
    if (before) {
        before->next = hole;
        merge(before);
    } else
        buffer->holes = hole;
}

struct quire_pool_source quire_pool_from_buffer(struct quire_pool_buffer *buffer)
{
    struct quire_pool_source source = {buffer_alloc, buffer_free, buffer};
    return source;
}
