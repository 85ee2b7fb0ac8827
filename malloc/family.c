/* malloc/family.c: malloc and its family, as glibc has them
 *
 * Semantics are those of glibc 2.36: size 0 gives a block of its own; realloc to size 0 frees;
 * memalign rounds an alignment up to a power of two; more than PTRDIFF_MAX bytes are refused. free
 * leaves errno alone.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <malloc.h>
#include <stdlib.h>
#include <string.h>

#include "malloc/guard.h"
#include "malloc/options.h"

static void *no_memory(void)
{
    errno = ENOMEM;
    return NULL;
}

/* ---- while a fork keeps this thread out ------------------------------------------------------ */

/* Blocks that were freed then, linked by their second words: the first may say that one is free
 * already. */
static void *freed_later;

static void **link_of(void *ptr)
{
    return (void **)ptr + 1;
}

/* heap_enter_soon was false: there is no heap, or no way to it. When there is no room outside it is
 * waited for. */
static QUIRE_NOINLINE void *allocate_outside(size_t size, size_t align)
{
    void *block = heap ? emergency_allocate(size, align) : no_memory();
    if (block || !heap)
        return block;
    gate_wait();
    return align > MIN_ALIGN ? allocate_aligned(size, align) : allocate_slow(size);
}

static void free_later(void *ptr)
{
    if (guard_owns(ptr))
        guard_check_free(ptr);
    void *first = quire_load_relaxed(&freed_later);
    do
        *link_of(ptr) = first;
    while (!quire_compare_exchange(&freed_later, &first, ptr));
}

static QUIRE_NOINLINE void free_what_waits(void)
{
    void *next, *ptr = __atomic_exchange_n(&freed_later, NULL, __ATOMIC_ACQ_REL);
    for (; ptr; ptr = next) {
        next = *link_of(ptr);
        if ((uintptr_t)next == FREE_MARK) { /* it was freed since, being in the list twice */
            message_mistake(NULL, ptr, "double free");
            return;
        }
        if (guard_owns(ptr))
            guard_mend(ptr, 2 * sizeof next);
        if (options.mode)
            debug_release(ptr);
        else
            quire_heap_free(&self.cache, ptr);
    }
}

/* After heap_enter, by whoever allocates or frees. */
static void catch_up(void)
{
    fork_check();
    if (quire_unlikely(quire_load_relaxed(&freed_later)) && self.inside == 1)
        free_what_waits();
    if (quire_unlikely(options.shares))
        share_if_due();
}

/* ---- off the line ---------------------------------------------------------------------------- */

QUIRE_NOINLINE void *allocate_slow(size_t size)
{
    int saved = errno;
    if (quire_unlikely(self.inside))
        return emergency_allocate(size, 1);
    if (!heap_enter_soon())
        return allocate_outside(size, 1);
    catch_up();
    void *block = quire_unlikely(options.mode) ? debug_allocate(size, 1, false)
                                               : quire_heap_alloc(&self.cache, size);
    heap_leave();
    errno = block ? saved : ENOMEM;
    return block;
}

QUIRE_NOINLINE void *allocate_more(size_t size)
{
    if (size <= QUIRE_HEAP_MAX_SMALL) {
        void *block = stack_pop(&self.cache, small_class(size));
        return quire_likely(block) ? block : allocate_slow(size);
    }
    size_t pages = pages_for(size);
    if (pages <= NR_RUNS && heap && size < quire_load_relaxed(&heap->map_threshold)) {
        void *block = stack_pop(&self.cache, NR_SMALL + pages);
        if (quire_likely(block))
            return block;
    } else if (quire_likely(!options.mode)) {
        void *block = regular_take(&self.cache, size);
        if (quire_likely(block))
            return block;
    }
    return size > PTRDIFF_MAX ? no_memory() : allocate_slow(size);
}

static QUIRE_NOINLINE void *allocate_aligned_slow(size_t size, size_t align)
{
    int saved = errno;
    if (align <= MIN_ALIGN)
        return allocate(size);
    if (size > PTRDIFF_MAX || align > PTRDIFF_MAX - size)
        return no_memory();
    if (quire_unlikely(self.inside))
        return emergency_allocate(size, align);
    if (!heap_enter_soon())
        return allocate_outside(size, align);
    catch_up();
    void *block = quire_unlikely(options.mode) ? debug_allocate(size, align, false)
                                               : quire_heap_alloc_aligned(&self.cache, size, align);
    heap_leave();
    errno = block ? saved : ENOMEM;
    return block;
}

/* Classes that are farther apart than `align` are of multiples of it: see small_class_aligned. */
static QUIRE_ALWAYS_INLINE void *pop_aligned(size_t size, size_t align)
{
    size_t rounded = (size + align - 1) & ~(align - 1);
    if (quire_unlikely(size - 1 >= MAX_TINY) || quire_unlikely(rounded > MAX_TINY) ||
        quire_unlikely(align > QUIRE_PAGE_SIZE))
        return NULL;
    return stack_pop(&self.cache, tiny_class(rounded));
}

void *allocate_aligned(size_t size, size_t align)
{
    align = align < MIN_ALIGN ? MIN_ALIGN : align;
    void *block = pop_aligned(size, align);
    if (quire_likely(block))
        return block;
    if (size <= QUIRE_HEAP_MAX_SMALL) /* class 0 has no stack */
        block = stack_pop(&self.cache, small_class_aligned(size, align));
    return quire_likely(block) ? block : allocate_aligned_slow(size, align);
}

QUIRE_NOINLINE void release_slow(void *ptr)
{
    bool has_class = class_of_address(heap_range.base, quire_load_relaxed(&heap_range.size), ptr);
    if (!has_class && quire_likely(!options.mode) && regular_put(&self.cache, ptr))
        return;
    int saved = errno;
    if (quire_unlikely(!has_class && emergency_owns(ptr))) {
        emergency_release(ptr);
        return;
    }
    if (!ptr || quire_unlikely(self.inside))
        return;
    while (!heap_enter_soon()) {
        bool is_block = heap && (has_class || debug_size(ptr));
        if (is_block)
            free_later(ptr);
        errno = saved;
        if (is_block || !heap)
            return;
        gate_wait(); /* to say that it is no block */
    }
    catch_up();
    if (quire_unlikely(options.mode))
        debug_release(ptr);
    else
        cache_free_slow(&self.cache, class_of_address(heap_range.base, heap_range.size, ptr), ptr);
    heap_leave();
    errno = saved;
}

/* Where only the size may say that something is wrong; what has no class is large, or of a mode. */
QUIRE_NOINLINE bool is_of_size(const void *ptr, size_t size)
{
    size_t class = class_of_address(heap_range.base, heap_range.size, ptr);
    size_t expected = size <= QUIRE_HEAP_MAX_SMALL ? small_class(size) : NR_SMALL + pages_for(size);
    if (class)
        return class == expected || margin_explains(heap, class, ptr, size) ||
               (quire_load_relaxed(&heap->is_short) && expected < NR_CLASSES &&
                class_size(class) > class_size(expected));
    return size > QUIRE_HEAP_MAX_SMALL ||
           malloc_usable_size((void *)(uintptr_t)ptr) < NR_RUNS * QUIRE_PAGE_SIZE;
}

QUIRE_NOINLINE void release_wrong_size(void *ptr, size_t size)
{
    message("quire-malloc: %p: freed as a block of %zu bytes, which it isn't", ptr, size);
    abort();
}

/* ---- the family ------------------------------------------------------------------------------ */

EXPORT void *malloc(size_t size)
{
    return allocate(size);
}

EXPORT void free(void *ptr)
{
    release(ptr);
}

static QUIRE_NOINLINE void *zalloc_large(size_t size)
{
    int saved = errno;
    if (size > PTRDIFF_MAX)
        return no_memory();
    if (quire_unlikely(self.inside))
        return emergency_allocate(size, 1);
    if (!heap_enter_soon()) {
        void *outside = allocate_outside(size, 1);
        return outside ? memset(outside, 0, size) : NULL;
    }
    catch_up();
    void *block = quire_unlikely(options.mode) ? debug_allocate(size, 1, true)
                                               : quire_heap_zalloc(&self.cache, size);
    heap_leave();
    errno = block ? saved : ENOMEM;
    return block;
}

EXPORT void *calloc(size_t count, size_t size)
{
    size_t bytes;
    if (__builtin_mul_overflow(count, size, &bytes))
        return no_memory();
    if (quire_unlikely(bytes > QUIRE_HEAP_MAX_SMALL))
        return zalloc_large(bytes);
    void *block = allocate(bytes);
    return quire_likely(block) ? memset(block, 0, bytes) : NULL;
}

/* A block from emergency.c, or for it. While fork keeps us out nobody changes what is known of
 * large blocks, and to look doesn't, either. */
static void *resize_in_emergency(void *ptr, size_t size)
{
    size_t class = class_of_address(heap_range.base, heap_range.size, ptr);
    size_t has = class                 ? class_size(class)
                 : emergency_owns(ptr) ? emergency_size(ptr)
                 : self.inside         ? 0
                                       : debug_size(ptr);
    void *moved = !has && !emergency_owns(ptr) ? no_memory() : allocate(size);
    if (!moved)
        return NULL;
    memcpy(moved, ptr, size < has ? size : has);
    if (emergency_owns(ptr))
        emergency_release(ptr);
    return moved;
}

static QUIRE_NOINLINE void *resize_slow(void *ptr, size_t size)
{
    int saved = errno;
    if (size > PTRDIFF_MAX)
        return no_memory();
    if (quire_unlikely(self.inside) || emergency_owns(ptr))
        return resize_in_emergency(ptr, size);
    if (!heap_enter_soon()) {
        void *moved = heap ? resize_in_emergency(ptr, size) : no_memory();
        if (moved && !emergency_owns(ptr))
            free_later(ptr);
        return moved;
    }
    catch_up();
    void *block = quire_unlikely(options.mode) ? debug_resize(ptr, size)
                                               : quire_heap_realloc(&self.cache, ptr, size);
    heap_leave();
    errno = block ? saved : ENOMEM;
    return block;
}

/* A block that grew has multiples of 16 bytes: most are copied in a few moves. Of others the
 * compiler isn't to know that they are at most some thousand bytes: it would repeat one instruction
 * there (rep movsq), which takes several times as long as the C library's function. Of one that
 * shrinks no byte more than asked for is copied, since a margin may begin behind (heap/margin.c).
 */
static QUIRE_ALWAYS_INLINE void copy_small(void *to, const void *from, size_t size, bool grew)
{
    if (!grew || size > 64) {
        __asm__("" : "+r"(size));
        memcpy(to, from, size);
        return;
    }
    for (size_t at = 0; at < size; at += MIN_ALIGN)
        __builtin_memcpy((char *)to + at, (const char *)from + at, MIN_ALIGN);
}

static QUIRE_NOINLINE void *resize_large(void *ptr, size_t size)
{
    struct quire_heap *of_thread = self.cache.heap;
    if (quire_likely(!options.mode) && quire_likely(of_thread) &&
        regular_resize(of_thread, ptr, size))
        return ptr;
    return resize_slow(ptr, size);
}

/* A block of a small class, and no more is wanted than such a class has. */
static QUIRE_NOINLINE void *move_small(void *ptr, size_t size, size_t class)
{
    size_t has = class_size(class);
    void *moved = NULL;
    if (size >= LEAST_LENT && size > has && self.cache.growing == ptr)
        moved = regular_lend(&self.cache, size);
    if (!moved && !(moved = allocate(size)))
        return NULL;
    self.cache.growing = size > has ? moved : NULL;
    copy_small(moved, ptr, size < has ? size : has, size > has);
    if (quire_unlikely(!stack_push(&self.cache, class, ptr)))
        release_slow(ptr);
    return moved;
}

/* What stays where it is needs no registers saved: so all else is done by others. */
EXPORT void *realloc(void *ptr, size_t size)
{
    if (!ptr)
        return allocate(size);
    if (quire_unlikely(!size)) {
        release(ptr);
        return NULL;
    }
    size_t class = class_of_address(heap_range.base, heap_range.size, ptr);
    if (!class)
        return resize_large(ptr, size);
    if (class_is_run(class) || size > QUIRE_HEAP_MAX_SMALL || quire_unlikely(options.mode) ||
        quire_unlikely((uintptr_t)ptr & (MIN_ALIGN - 1)) || quire_unlikely(has_mark(ptr)))
        return resize_slow(ptr, size);
    size_t has = class_size(class);
    if (size > has || (size <= has / 2 && has > 2 * MIN_ALIGN))
        return move_small(ptr, size, class);
    return quire_likely(class_is_warm(heap, class)) ? ptr : resize_slow(ptr, size);
}

EXPORT void *reallocarray(void *ptr, size_t count, size_t size)
{
    size_t bytes;
    if (__builtin_mul_overflow(count, size, &bytes))
        return no_memory();
    return realloc(ptr, bytes);
}

EXPORT void *memalign(size_t align, size_t size)
{
    if (align > SIZE_MAX / 2 + 1) {
        errno = EINVAL;
        return NULL;
    }
    if (align && !quire_is_power_of_2(align))
        align = (size_t)2 << quire_fls64(align);
    return allocate_aligned(size, align);
}

EXPORT void *aligned_alloc(size_t align, size_t size)
{
    return memalign(align, size);
}

EXPORT int posix_memalign(void **ptr, size_t align, size_t size)
{
    int saved = errno;
    if (align % sizeof(void *) || !quire_is_power_of_2(align))
        return EINVAL;
    void *block = allocate_aligned(size, align);
    if (!block)
        return ENOMEM; /* and errno says so, too, as glibc's does */
    errno = saved;
    *ptr = block;
    return 0;
}

EXPORT void *valloc(size_t size)
{
    return allocate_aligned(size, QUIRE_PAGE_SIZE);
}

EXPORT void *pvalloc(size_t size)
{
    if (size > PTRDIFF_MAX - QUIRE_PAGE_SIZE)
        return no_memory();
    return allocate_aligned((size_t)quire_align_up(size, QUIRE_PAGE_SIZE), QUIRE_PAGE_SIZE);
}

static QUIRE_NOINLINE size_t usable_size_slow(void *ptr, size_t class)
{
    if (class || !ptr)
        return class ? margin_usable(heap, class, ptr) : 0;
    if (emergency_owns(ptr))
        return emergency_size(ptr);
    if (self.inside || !heap)
        return 0;
    if (!heap_enter_soon()) /* a fork is under way, and nobody changes what is looked at */
        return debug_size(ptr);
    size_t size = debug_size(ptr);
    heap_leave();
    return size;
}

/* Some programs ask of each block, when it comes and when it goes. */
EXPORT size_t malloc_usable_size(void *ptr)
{
    size_t class = class_of_address(heap_range.base, heap_range.size, ptr);
    if (quire_unlikely(!class) || quire_unlikely(!class_is_warm(heap, class)))
        return usable_size_slow(ptr, class);
    return class_size(class);
}

/* C23's. realloc may have left a block where it was, larger than the size that it was asked for
 * last; and what has an alignment may be of a larger class than its size says. */
EXPORT void free_sized(void *ptr, size_t size);
EXPORT void free_sized(void *ptr, size_t size)
{
    if (quire_unlikely(size > malloc_usable_size(ptr)) && ptr && malloc_usable_size(ptr))
        release_wrong_size(ptr, size);
    release(ptr);
}

EXPORT void free_aligned_sized(void *ptr, size_t align, size_t size);
EXPORT void free_aligned_sized(void *ptr, size_t align, size_t size)
{
    (void)align;
    (void)size;
    release(ptr);
}

/* ---- older names, and those that glibc has for itself ---------------------------------------- */

#if __has_attribute(copy)
#define ALIAS(name) __attribute__((alias(#name), copy(name)))
#else
#define ALIAS(name) __attribute__((alias(#name)))
#endif
EXPORT void cfree(void *ptr) ALIAS(free);
EXPORT void *__libc_malloc(size_t size) ALIAS(malloc);
EXPORT void __libc_free(void *ptr) ALIAS(free);
EXPORT void *__libc_calloc(size_t count, size_t size) ALIAS(calloc);
EXPORT void *__libc_realloc(void *ptr, size_t size) ALIAS(realloc);
EXPORT void *__libc_memalign(size_t align, size_t size) ALIAS(memalign);
EXPORT void *__libc_valloc(size_t size) ALIAS(valloc);
EXPORT void *__libc_pvalloc(size_t size) ALIAS(pvalloc);
