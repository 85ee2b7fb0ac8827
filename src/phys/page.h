/* phys/page.h: the bits of a page descriptor's `flags`
 *
 *     31      24 23         12 11  10 9    8 7     4   3       2         1         0
 *     | zone id | owner's     | mover | type | order | NOPCP | RESERVED | COMPOUND | ALLOCATED |
 *
 * Only the first page of an allocated block says ALLOCATED, with the block's order and the migrate
 * type that was asked for; the other pages of the block, and all pages of free blocks, have just
 * the zone id. So a free is checked by one comparison with the first page's flags, and allocating
 * a block of any order writes one descriptor.
 */
#ifndef QUIRE_PHYS_PAGE_H
#define QUIRE_PHYS_PAGE_H

#include <quire/phys.h>

#include "base/atomic.h"
#include "base/compiler.h"

#define PAGE_ALLOCATED 0x1u
#define PAGE_COMPOUND 0x2u
#define PAGE_RESERVED 0x4u /* never handed out: reserved in the memory map, or a hole of it */
#define PAGE_NOPCP 0x8u    /* its pageblock is special: freed to the zone, not to a per-CPU list */
#define PAGE_ORDER_SHIFT 4
#define PAGE_ORDER_MASK 0xf0u
#define PAGE_TYPE_SHIFT 8
#define PAGE_TYPE_MASK 0x300u
#define PAGE_MOVER_SHIFT 10
#define PAGE_MOVER_MASK 0xc00u
#define PAGE_ZONE_SHIFT 24
#define PAGE_ZONE_MASK 0xff000000u

/* Reserved pages have no order; its bits tell those that stay reserved for good. */
#define PAGE_HOLE (PAGE_RESERVED | 1u << PAGE_ORDER_SHIFT)  /* not RAM at all */
#define PAGE_NOMAP (PAGE_RESERVED | 2u << PAGE_ORDER_SHIFT) /* QUIRE_MEMBLOCK_NOMAP */

/* What must be just so for a block to be freed: these bits equal ALLOCATED and the order. */
#define PAGE_FREE_MASK (PAGE_ALLOCATED | PAGE_RESERVED | PAGE_ORDER_MASK | QUIRE_PAGE_OWNER_FLAGS)

_Static_assert(sizeof(struct quire_page) <= 40, "a page descriptor costs at most 40 bytes");
_Static_assert(sizeof(struct quire_page) == 32,
               "two descriptors share a cache line, none spans two");
_Static_assert(QUIRE_MAX_ORDER <= 15, "an order has four bits");
_Static_assert(QUIRE_MAX_MOVERS <= 3, "a mover has two bits");

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

static inline unsigned flags_mover(uint32_t flags)
{
    return (flags & PAGE_MOVER_MASK) >> PAGE_MOVER_SHIFT;
}

static inline unsigned flags_zone(uint32_t flags)
{
    return flags >> PAGE_ZONE_SHIFT;
}

/* Makes the block that begins at `page` an allocated one with one reference. */
static inline void page_set_allocated(struct quire_page *page, uint32_t head_flags)
{
    quire_store_relaxed(&page->flags, head_flags);
    quire_store_relaxed(&page->refcount, 1);
}

static inline void page_set_free(struct quire_page *page, uint32_t flags)
{
    quire_store_relaxed(&page->flags, flags & PAGE_ZONE_MASK);
    quire_store_relaxed(&page->refcount, 0);
}

#endif
