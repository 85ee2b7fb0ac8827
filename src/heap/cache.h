/* heap/cache.h: a thread's stacks of free blocks, and the hot path
 *
 * A stack is as many slots as it has capacity, between two that end it. What isn't used yet is
 * anything else:
 *
 *        0      1                  top             capacity
 *     ┌─────┬───────┬───────┬───┬───────┬───────┬───────┬─────┐
 *     │ end │ block │ block │...│ block │ other │ other │ end │
 *     └─────┴───────┴───────┴───┴───────┴───────┴───────┴─────┘
 *
 *   invariant   `top` points to the block that was freed last, or to the first end; so a stack is
 *               empty when what `top` points to is an end, and full when what follows that is
 *   invariant   what is on a stack has the mark of a free block, which is taken away when it is
 *               allocated: so one that was freed twice isn't allocated twice
 *   invariant   what is back in its slab has another mark, too, until it leaves it: so one that was
 *               freed again since isn't allocated from a stack
 *
 * An end is no block by one of its bits, but can be read like one, and never has the mark. So the
 * test for the mark says that there is a block, too: it waits for no memory, since freeing has
 * written there not long ago. Freeing reads nothing of the block, which may be in no cache. That
 * `block` is none, but a pointer into one, isn't tested, since there is no instruction left for it:
 * then the mark may be written into the next.
 *
 * Tops are counted from two ends, of a stack both empty and full. So a top of 0 is that of a class
 * whose stack isn't used, or is being changed, and of all classes in memory that is all zero. The
 * ends follow the classes of sizes, whose address an allocation has in a register. Everything else
 * is the business of the slow path: cache.c.
 *
 * With tops in thread-local memory of a shared library, allocating takes 14 instructions on x86-64,
 * and freeing 16.
 */
#ifndef QUIRE_HEAP_CACHE_H
#define QUIRE_HEAP_CACHE_H

#include "heap/internal.h"

/* reap.c: returns when nobody changes the stacks but their thread, which is in a slow path, or has
 * left the list. */
void reap_wait(struct quire_heap_cache *cache);
/* Takes blocks from stacks of some threads that wait: the next ones since the last look for them.
 * In a slow path, without locks. */
void reap_idle(struct quire_heap *heap);

#define STACK_MOST 127u /* blocks */
_Static_assert(STACK_MOST <= UINT8_MAX, "capacities, and where reap.c stores ends, are bytes");

/* Where a result is returned: the block needn't be moved there after the last test. */
#if defined(__x86_64__)
#define IN_RESULT_REGISTER(block) __asm__("" : "+a"(block))
#else
#define IN_RESULT_REGISTER(block) ((void)0)
#endif
/* Changes the top where it is, in one instruction, and not by what was loaded. Others look at it to
 * count blocks: an aligned word, which ThreadSanitizer is shown as the atomic that it is. */
static QUIRE_ALWAYS_INLINE void move_top(struct quire_heap_cache *cache, size_t class, uintptr_t by)
{
    __asm__ volatile("" ::: "memory");
    quire_count_hot(&cache->top[class], by);
}

/* One address for both members: the compiler would take two, an instruction each. */
static QUIRE_ALWAYS_INLINE const struct quire_heap_hot *hot(void)
{
    const struct quire_heap_hot *one = &quire_heap_hot;
    __asm__("" : "+r"(one));
    return one;
}

static QUIRE_ALWAYS_INLINE void **slot_at(uintptr_t top)
{
    return (void **)((uintptr_t)hot() + top + offsetof(struct quire_heap_hot, no_stack));
}

/* The one behind it, for two accesses: added up once, but for a constant that costs nothing. */
static QUIRE_ALWAYS_INLINE void **slot_behind(uintptr_t top)
{
    uintptr_t at = (uintptr_t)hot() + top;
    __asm__("" : "+r"(at));
    return (void **)(at + offsetof(struct quire_heap_hot, no_stack[1]));
}

/* The second word of a free block, and the first of one that is back in its slab or run, or in the
 * quarantine. As constants, they cost an instruction to be looked at and one to be written. */
#define FREE_MARK ((uintptr_t)(intptr_t)(int32_t)0x9e3779b9)
#define SLAB_MARK ((uintptr_t)(intptr_t)(int32_t)0x85ebca6b)

static QUIRE_ALWAYS_INLINE uintptr_t *mark_of(void *block)
{
    return (uintptr_t *)block + 1;
}

static QUIRE_ALWAYS_INLINE uintptr_t *slab_mark_of(void *block)
{
    return block;
}

static inline bool has_mark(void *block)
{
    return *mark_of(block) == FREE_MARK || *slab_mark_of(block) == SLAB_MARK;
}

static inline void mark_as_home(void *block)
{
    *mark_of(block) = FREE_MARK;
    *slab_mark_of(block) = SLAB_MARK;
}

static inline void clear_marks(void *block)
{
    *mark_of(block) = *slab_mark_of(block) = 0;
}

/* No block has the bit, and what can be read in its place never has the mark. */
#define END_BIT (MIN_ALIGN / 2)
#define STACK_END ((const void *)&quire_heap_hot.tiny_class[END_BIT])

static inline void *stack_end(void)
{
    return (void *)(uintptr_t)STACK_END;
}

static QUIRE_ALWAYS_INLINE bool is_end(const void *slot)
{
    return (uintptr_t)slot & END_BIT;
}

/* NULL: the stack is empty, or its last block isn't as it was left. */
static QUIRE_ALWAYS_INLINE void *stack_pop(struct quire_heap_cache *cache, size_t class)
{
    void *block = *slot_at(cache->top[class]);
    IN_RESULT_REGISTER(block);
    if (quire_unlikely(*mark_of(block) != FREE_MARK) ||
        quire_unlikely(*slab_mark_of(block) == SLAB_MARK))
        return NULL;
    move_top(cache, class, 0 - sizeof(void *));
    *mark_of(block) = 0;
    return block;
}

/* False: the stack is full, as that of class 0 is. */
static QUIRE_ALWAYS_INLINE bool stack_push(struct quire_heap_cache *cache, size_t class,
                                           void *block)
{
    void **slot = slot_behind(cache->top[class]);
    if (quire_unlikely(is_end(*slot)))
        return false;
    *slot = block;
    *mark_of(block) = FREE_MARK;
    move_top(cache, class, sizeof(void *));
    return true;
}

/* The class of a block of `size` bytes, up to QUIRE_HEAP_MAX_SMALL; and up to MAX_TINY. */
static QUIRE_ALWAYS_INLINE size_t small_class(size_t size)
{
    return quire_heap_size_class[(size + MIN_ALIGN - 1) / MIN_ALIGN];
}

static QUIRE_ALWAYS_INLINE size_t tiny_class(size_t size)
{
    return hot()->tiny_class[size];
}

/* The class of `size` rounded up to a multiple of `align`, a power of two, is one of multiples of
 * `align`: classes that are farther apart than `align` are multiples of their distance. So each
 * block of it is aligned, up to a page. `size` is QUIRE_HEAP_MAX_SMALL at most; 0: there is none.
 */
static QUIRE_ALWAYS_INLINE size_t small_class_aligned(size_t size, size_t align)
{
    size_t rounded = (size + !size + align - 1) & ~(align - 1);
    return align <= QUIRE_PAGE_SIZE && rounded <= QUIRE_HEAP_MAX_SMALL ? small_class(rounded) : 0;
}

/* What the map says about an address; 0 outside of the range. */
static QUIRE_ALWAYS_INLINE size_t class_of_address(const char *base, size_t size, const void *ptr)
{
    uintptr_t offset = (uintptr_t)ptr - (uintptr_t)base;
    if (quire_unlikely(offset >= size))
        return 0;
    return quire_load_relaxed((const uint8_t *)base + (offset >> QUIRE_PAGE_SHIFT));
}

/* Around slow paths: who reaps stacks leaves them alone meanwhile. A thread's store and its load
 * after it needn't be fenced, since who reaps makes it fence. */
static inline void cache_enter(struct quire_heap_cache *cache)
{
    quire_store_relaxed(&cache->nr_inside, cache->nr_inside + 1);
    __asm__ volatile("" ::: "memory");
    if (quire_unlikely(quire_load_acquire(&cache->is_reaped)))
        reap_wait(cache);
}

static inline void cache_leave(struct quire_heap_cache *cache)
{
    quire_store_release(&cache->nr_inside, cache->nr_inside - 1);
}

/* ---- cache.c: what the hot path can't do ----------------------------------------------------- */

/* The stack of `class` is empty. `size` is what was asked for, NO_MARGIN if the block has to be of
 * that class. NULL: no memory. */
#define NO_MARGIN ((size_t)-1)
void *cache_alloc_slow(struct quire_heap_cache *cache, size_t class, size_t size);
/* What is above QUIRE_HEAP_MAX_SMALL. */
void *cache_alloc_more(struct quire_heap_cache *cache, size_t size);
/* stack_push said no, or `class` is 0. */
void cache_free_slow(struct quire_heap_cache *cache, size_t class, void *block);
/* Makes the stacks no larger than what they hold; how many bytes that is. */
size_t cache_cut(struct quire_heap_cache *cache);
/* Every invariant, while nobody uses it. */
void cache_check(const struct quire_heap_cache *cache);
/* Slots that a cache's stacks may need together. */
unsigned cache_slots(void);
/* Bytes of the run that has them. */
size_t cache_slot_bytes(const struct quire_heap *heap);
/* Whether it is on the thread's stack. */
bool cache_has(const struct quire_heap_cache *cache, size_t class, const void *block);
/* Blocks on a stack. */
unsigned stack_count(const struct quire_heap_cache *cache, size_t class);

/* ---- mark.c ---------------------------------------------------------------------------------- */

/* Whether its slab, or of a run the map, has it as allocated. */
bool cache_owns(const struct quire_heap *heap, size_t class, const void *block);
/* Whether what lay on a stack is a free block. If it isn't, the mistake was told. */
bool cache_is_as_left(struct quire_heap *heap, size_t class, void *block);
/* Blocks that come from their slabs to a stack. */
void cache_mark_new(unsigned count, void **blocks);
/* Of `count` blocks that leave a stack for their slabs or runs, those that are as they were left
 * come first; how many. */
unsigned cache_send_home(struct quire_heap *heap, size_t class, unsigned count, void **blocks);
/* To its slab or run with its marks, as from a stack. */
void cache_put_one(struct quire_heap *heap, size_t class, void *block);
/* Whether a block of `class` that has a mark is free, as far as this thread can know. */
bool is_free_already(struct quire_heap_cache *cache, size_t class, const void *block);

/* ---- room.c: how much stacks may hold -------------------------------------------------------- */

/* Whether the thread's stacks may hold so many bytes more. */
bool room_take(struct quire_heap_cache *cache, size_t bytes);
/* The thread is in a slow path: its stacks may become smaller now. */
void room_come_by(struct quire_heap_cache *cache);
/* The thread comes by, or ends. With caches_lock held. */
void room_idle_no_more(struct quire_heap *heap, struct quire_heap_cache *cache);
/* Gives all of it up. Nobody reaps its stacks any more. */
void room_end(struct quire_heap_cache *cache);
/* Others have made its stacks as small as they are now. */
void room_is_reaped(struct quire_heap_cache *cache);
void room_check(const struct quire_heap *heap);

#endif
