/* heap/mark.c: what is written into free blocks
 *
 * A block on a stack has a mark in its second word, one in its slab another in its first (cache.h).
 * So does a run among free pages, as long as nobody has them: it may still lie on a stack, of who
 * freed it twice.
 */
#include "heap/cache.h"

bool cache_owns(const struct quire_heap *heap, size_t class, const void *block)
{
    if (class_is_run(class))
        return !((uintptr_t)block & (QUIRE_PAGE_SIZE - 1)) &&
               class_of_address(heap->base, heap->size, block) == class;
    return quire_kmem_cache_owns(quire_load_acquire(&heap->small[class]), block);
}

void cache_put_one(struct quire_heap *heap, size_t class, void *block)
{
    if (cache_owns(heap, class, block))
        mark_as_home(block);
    central_put(heap, class, 1, &block);
}

/* Without the mark it has been allocated from another slot of a stack, or was written by who had
 * freed it: in either case it isn't allocated again. A mark of its slab may be what its user wrote
 * there. In a child that was made without our knowing (_Fork) there may be an end within the stack
 * that who reaped it stored there: it goes, which is no mistake. */
bool cache_is_as_left(struct quire_heap *heap, size_t class, void *block)
{
    if (block == stack_end())
        return false;
    if ((uintptr_t)block & (MIN_ALIGN - 1)) {
        heap_mistake(heap, block, "free of a pointer into a block");
        return false;
    }
    if (*mark_of(block) != FREE_MARK) {
        heap_mistake(heap, block, "double free, or written after it was freed");
        return false;
    }
    if (*slab_mark_of(block) != SLAB_MARK ||
        (cache_owns(heap, class, block) && !quarantine_has(heap, block)))
        return true;
    heap_mistake(heap, block, "double free");
    return false;
}

static QUIRE_NOINLINE unsigned send_home_what_is(struct quire_heap *heap, size_t class,
                                                 unsigned count, void **blocks)
{
    unsigned sent = 0;
    for (unsigned i = 0; i < count; i++) {
        if (!cache_is_as_left(heap, class, blocks[i]))
            continue;
        *slab_mark_of(blocks[i]) = SLAB_MARK;
        blocks[sent++] = blocks[i];
    }
    return sent;
}

unsigned cache_send_home(struct quire_heap *heap, size_t class, unsigned count, void **blocks)
{
    for (unsigned i = 0; i < count; i++) {
        if (quire_unlikely(*mark_of(blocks[i]) != FREE_MARK) ||
            quire_unlikely(*slab_mark_of(blocks[i]) == SLAB_MARK))
            return i + send_home_what_is(heap, class, count - i, blocks + i);
        *slab_mark_of(blocks[i]) = SLAB_MARK;
    }
    return count;
}

void cache_mark_new(unsigned count, void **blocks)
{
    for (unsigned i = 0; i < count; i++) {
        *slab_mark_of(blocks[i]) = 0;
        *mark_of(blocks[i]) = FREE_MARK;
    }
}

/* One that has a mark of free blocks: that may be what the user wrote there. On another thread's
 * stack it isn't looked for. */
bool is_free_already(struct quire_heap_cache *cache, size_t class, const void *block)
{
    struct quire_heap *heap = cache->heap;
    cache_enter(cache);
    bool is_mine = cache_has(cache, class, block);
    cache_leave(cache);
    if (is_mine)
        return true;
    return !class_is_run(class) && (quarantine_has(heap, block) || !cache_owns(heap, class, block));
}
