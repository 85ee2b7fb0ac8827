/* heap/kept.c: large blocks that nobody has, and that aren't unmapped
 *
 * A list, the one that was freed first comes first. Blocks are cut where they are larger than what
 * is wanted, and joined with those beside them: that is our own book-keeping, since the system lets
 * any part of a mapping be unmapped.
 *
 *   bound   what is kept is at most the allowance, regulars included; O(kept) to look for one,
 *           MAX_KEPT at most
 */
#include "heap/large.h"

#define KEPT_BYTES (256ul << 20)
#define MAX_KEPT 64u

void kept_take(struct quire_heap *heap, struct large *block)
{
    list_del(&block->link);
    heap->large.kept_bytes -= block->size;
    quire_store_relaxed(&heap->large.nr_kept, heap->large.nr_kept - 1);
}

/* Before the one at `place`, which is younger, or the end. */
static void add_at(struct quire_heap *heap, struct large *block, struct list *place)
{
    list_add_tail(place, &block->link);
    heap->large.kept_bytes += block->size;
    quire_store_relaxed(&heap->large.nr_kept, heap->large.nr_kept + 1);
}

/* Joins `block` with the kept one that lies beside it, whose record it returns; NULL: none does. */
static struct large *join(struct quire_heap *heap, struct large *block)
{
    list_for_each (link, &heap->large.kept) {
        struct large *other = kept_of(link);
        bool below = other->at + other->size == block->at;
        if (!below && block->at + block->size != other->at)
            continue;
        kept_take(heap, other);
        block->at = below ? other->at : block->at;
        block->size += other->size;
        return other;
    }
    return NULL;
}

void kept_add(struct quire_heap *heap, struct large *block, uint64_t now, struct list *spare)
{
    struct large *other;
    while ((other = join(heap, block)))
        list_add_tail(spare, &other->link);
    block->kept_since_ns = now;
    block->is_grown = false;
    add_at(heap, block, &heap->large.kept);
}

bool kept_has_room(struct quire_heap *heap, size_t size)
{
    struct large_blocks *large = &heap->large;
    if (large->nr_kept < MAX_KEPT &&
        large->kept_bytes + large->regular_bytes + size <= large->allowance)
        return true;
    size_t room = KEPT_BYTES - large->allowance;
    large->allowance += size < room ? size : room;
    return false;
}

static bool is_aligned(const struct large *block, size_t align)
{
    return !((uintptr_t)block->at & (align - 1));
}

/* The last freed among equals, whose memory is the warmest. */
struct large *kept_find(struct quire_heap *heap, size_t size, size_t align)
{
    struct large *best = NULL;
    list_for_each (link, &heap->large.kept) {
        struct large *block = kept_of(link);
        if (block->size >= size && is_aligned(block, align) && (!best || block->size <= best->size))
            best = block;
    }
    return best;
}

struct large *kept_find_to_grow(struct quire_heap *heap, size_t size, size_t align)
{
    struct large *best = NULL;
    if (align > QUIRE_PAGE_SIZE || !heap->ops.remap)
        return NULL;
    list_for_each (link, &heap->large.kept) {
        struct large *block = kept_of(link);
        if (block->size >= size / 2 && (!best || block->size > best->size))
            best = block;
    }
    return best;
}

/* The rest is as old as the block was: so it takes its place in the list. */
bool kept_take_part(struct quire_heap *heap, struct large *block, size_t size, struct large *rest)
{
    struct list *place = block->link.next;
    kept_take(heap, block);
    if (!rest || !is_to_cut(block->size, size))
        return false;
    *rest = (struct large){
        .at = block->at + size, .size = block->size - size, .kept_since_ns = block->kept_since_ns};
    block->size = size;
    add_at(heap, rest, place);
    return true;
}

void kept_take_oldest(struct quire_heap *heap, uint64_t until, size_t bytes, struct list *out)
{
    struct large_blocks *large = &heap->large;
    while (!list_empty(&large->kept)) {
        struct large *oldest = kept_of(large->kept.next);
        bool too_old = oldest->kept_since_ns <= until;
        if (!too_old && !bytes)
            return;
        kept_take(heap, oldest);
        list_add_tail(out, &oldest->link);
        if (too_old)
            large->allowance -= oldest->size < large->allowance ? oldest->size : large->allowance;
        else
            bytes -= oldest->size < bytes ? oldest->size : bytes;
    }
}

struct large_part kept_cut_oldest(struct quire_heap *heap, size_t bytes, struct list *out)
{
    struct large_blocks *large = &heap->large;
    while (bytes && !list_empty(&large->kept)) {
        struct large *oldest = kept_of(large->kept.next);
        if (oldest->size >= bytes + LEAST_REST) {
            oldest->size -= bytes;
            large->kept_bytes -= bytes;
            return (struct large_part){oldest->at + oldest->size, bytes, oldest->size};
        }
        kept_take(heap, oldest);
        list_add_tail(out, &oldest->link);
        bytes -= oldest->size < bytes ? oldest->size : bytes;
    }
    return (struct large_part){0};
}

void kept_grow(struct quire_heap *heap, struct large *block, size_t more, size_t spare_bytes,
               struct list *spare)
{
    list_for_each (link, &heap->large.kept) {
        struct large *next = kept_of(link);
        if (next->at != block->at + block->size)
            continue;
        if (next->size < more)
            return;
        struct list *place = link->next;
        kept_take(heap, next);
        size_t left = next->size - more;
        more += left < spare_bytes + LEAST_REST ? left : spare_bytes;
        block->size += more;
        next->at += more;
        next->size -= more;
        if (next->size)
            add_at(heap, next, place);
        else
            list_add_tail(spare, &next->link);
        return;
    }
}
