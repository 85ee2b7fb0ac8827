/* phys/page.h: the bits of a page descriptor's `flags`
 *
 *     31  30     23 22         12 11    8 7    6 5     4    3       2          1          0
 *     | 0 | zone id | owner's     | order | type | mover | LARGE | RESERVED | COMPOUND | ALLOCATED
 * |
 *
 * Only the first page of an allocated block says ALLOCATED, with the block's order and the migrate
 * type that was asked for; the other pages of the block, and all pages of free blocks, have just
 * the zone id. So a free is checked by one comparison with the first page's flags and count, and
 * allocating a block of any order writes one descriptor.
 *
 * Order and type stand where they are the byte offset of the block's per-CPU list (pcp.h).
 */
#ifndef QUIRE_PHYS_PAGE_H
#define QUIRE_PHYS_PAGE_H

#include <quire/phys.h>

#include "base/atomic.h"
#include "base/compiler.h"
#include "base/events.h"

#define PAGE_ALLOCATED 0x1u
#define PAGE_COMPOUND 0x2u
#define PAGE_RESERVED 0x4u /* never handed out: reserved in the memory map, or a hole of it */
#define PAGE_LARGE 0x8u    /* of an order that has no small per-CPU list */
#define PAGE_MOVER_SHIFT 4
#define PAGE_MOVER_MASK 0x30u
#define PAGE_TYPE_SHIFT 6
#define PAGE_TYPE_MASK 0xc0u
#define PAGE_ORDER_SHIFT 8
#define PAGE_ORDER_MASK 0xf00u
#define PAGE_ZONE_SHIFT 23
#define PAGE_ZONE_MASK 0x7f800000u

/* In the type bits: the block's pageblock is special, so it is freed to the zone. */
#define PAGE_TYPE_SPECIAL 3u

/* Reserved pages have no order; its bits tell those that stay reserved for good. */
#define PAGE_HOLE (PAGE_RESERVED | 1u << PAGE_ORDER_SHIFT)     /* not RAM at all */
#define PAGE_NOMAP (PAGE_RESERVED | 2u << PAGE_ORDER_SHIFT)    /* QUIRE_MEMBLOCK_NOMAP */
#define PAGE_METADATA (PAGE_RESERVED | 3u << PAGE_ORDER_SHIFT) /* this layer's own */

/* What must be just so for a block to be freed: these bits equal ALLOCATED and the order. */
#define PAGE_FREE_MASK (PAGE_ALLOCATED | PAGE_RESERVED | PAGE_ORDER_MASK | QUIRE_PAGE_OWNER_FLAGS)

_Static_assert(sizeof(struct quire_page) <= 40, "a page descriptor costs at most 40 bytes");
_Static_assert(sizeof(struct quire_page) == 32,
               "two descriptors share a cache line, none spans two");
_Static_assert(QUIRE_MAX_ORDER <= 15, "an order has four bits");
_Static_assert(QUIRE_MAX_MOVERS <= 3, "a mover has two bits");
_Static_assert((QUIRE_PAGE_OWNER_FLAGS & (PAGE_ZONE_MASK | PAGE_ORDER_MASK)) == 0,
               "the owner's flags are the owner's alone");

static inline uint32_t page_flags(const struct quire_page *page)
{
    return quire_load_relaxed(&page->flags);
}

static inline unsigned flags_order(uint32_t flags)
{
    return (flags & PAGE_ORDER_MASK) >> PAGE_ORDER_SHIFT;
}

static inline unsigned flags_type(uint32_t flags)
{
    return (flags & PAGE_TYPE_MASK) >> PAGE_TYPE_SHIFT;
}

/* A block's order and migrate type as asked, where flags have them: what tells its per-CPU list. */
static inline uint32_t block_kind(unsigned order, unsigned type)
{
    return order << PAGE_ORDER_SHIFT | type << PAGE_TYPE_SHIFT;
}

static inline uint32_t flags_kind(uint32_t flags)
{
    return flags & (PAGE_ORDER_MASK | PAGE_TYPE_MASK);
}

static inline unsigned flags_mover(uint32_t flags)
{
    return (flags & PAGE_MOVER_MASK) >> PAGE_MOVER_SHIFT;
}

static inline unsigned flags_zone(uint32_t flags)
{
    return flags >> PAGE_ZONE_SHIFT;
}

/* Flags and reference count as one number, so that the hot path reads and writes both at once. Who
 * raises the count by get_page_unless_zero sees the flags that were written with it. Who finds one
 * reference comes after those that were dropped: the page may be written to at once. */
#if UINTPTR_MAX > UINT32_MAX && __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
typedef uint64_t __attribute__((may_alias)) page_state_word;

static inline uint64_t page_state(const struct quire_page *page)
{
    uint64_t state = quire_load_acquire((const page_state_word *)(const void *)page);
#ifdef QUIRE_THREAD_SANITIZER
    (void)quire_load_acquire(&page->refcount); /* it doesn't take a half for a part of the whole */
#endif
    return state;
}

static inline void page_set_state(struct quire_page *page, uint64_t state)
{
    quire_store_relaxed((page_state_word *)(void *)page, state);
}
#else
static inline uint64_t page_state(const struct quire_page *page)
{
    return (uint64_t)quire_load_acquire(&page->refcount) << 32 | quire_load_relaxed(&page->flags);
}

static inline void page_set_state(struct quire_page *page, uint64_t state)
{
    quire_store_relaxed(&page->flags, (uint32_t)state);
    quire_store_release(&page->refcount, (uint32_t)(state >> 32));
}
#endif

_Static_assert(offsetof(struct quire_page, flags) == 0 &&
                   offsetof(struct quire_page, refcount) == 4,
               "the state is flags below, references above");

#define PAGE_ONE_REFERENCE ((uint64_t)1 << 32)

/* Makes the block that begins at `page` an allocated one with one reference. */
static inline void page_set_allocated(struct quire_page *page, uint32_t head_flags)
{
    page_set_state(page, head_flags | PAGE_ONE_REFERENCE);
    quire_tell_event(ALLOC, page->pfn, flags_order(head_flags), flags_type(head_flags));
}

static inline void page_set_free(struct quire_page *page, uint32_t flags)
{
    page_set_state(page, flags & PAGE_ZONE_MASK);
}

#endif
