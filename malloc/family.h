/* malloc/family.h: the hot path, for all names that it has */
#ifndef QUIRE_MALLOC_FAMILY_H
#define QUIRE_MALLOC_FAMILY_H

#include "malloc/self.h"

#define EXPORT __attribute__((visibility("default")))

void *allocate_slow(size_t size);
void *allocate_more(size_t size);
/* `align`: a power of two. NULL, and errno is ENOMEM. */
void *allocate_aligned(size_t size, size_t align);
void release_slow(void *ptr);

/* ---- emergency.c: blocks for those who can't get to the heap --------------------------------- */

/* `align`: a power of two. NULL: no memory, errno is ENOMEM. Zeroed. */
void *emergency_allocate(size_t size, size_t align);
/* Whether the block came from there, of what has no class. */
bool emergency_owns(const void *ptr);
void emergency_release(void *ptr);
size_t emergency_size(const void *ptr);

static QUIRE_ALWAYS_INLINE void *allocate(size_t size)
{
    if (quire_unlikely(size > MAX_TINY))
        return allocate_more(size);
    void *block = stack_pop(&self.cache, tiny_class(size));
    return quire_likely(block) ? block : allocate_slow(size);
}

static QUIRE_ALWAYS_INLINE void release(void *ptr)
{
    /* An aligned word: gcc makes an instruction more of an atomic load. */
    size_t class = class_of_address(heap_range.base, heap_range.size, ptr);
    if (quire_unlikely(!stack_push(&self.cache, class, ptr)))
        release_slow(ptr);
}

void release_wrong_size(void *ptr, size_t size);

bool is_of_size(const void *ptr, size_t size);

/* The size that a block was asked for by operator new says its class. */
static QUIRE_ALWAYS_INLINE void release_sized(void *ptr, size_t size)
{
    size_t class = class_of_address(heap_range.base, heap_range.size, ptr);
    bool fits = quire_likely(size <= MAX_TINY) && quire_likely(tiny_class(size) == class);
    if (quire_unlikely(!fits) && ptr && !is_of_size(ptr, size)) {
        release_wrong_size(ptr, size);
        return;
    }
    release(ptr);
}

#endif
