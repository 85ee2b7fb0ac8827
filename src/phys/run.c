/* phys/run.c: contiguous frames of any number
 *
 * A run begins as a block of the next power of two. It is cut into the largest aligned blocks that
 * make up its length, from its beginning on, largest first, and the rest goes back in the same way.
 * Each block has a descriptor of its own, so the zone takes them back as it takes any.
 *
 *   bound   QUIRE_MAX_ORDER blocks, kept and freed together
 */
#include "phys/internal.h"

/* The order of the block that begins `at` frames into a run, when it may reach to `end`. */
static unsigned piece_order(unsigned long at, unsigned long end)
{
    unsigned order = at ? quire_ctz64(at) : MAX_ORDER;
    while (1ul << order > end - at)
        order--;
    return order;
}

#define CALLER ((uintptr_t)__builtin_return_address(0))

/* Makes [at, end) of a block that is being cut blocks of their own. */
static void cut(struct quire_mem *mem, struct quire_page *page, uint32_t flags, unsigned long at,
                unsigned long end, uintptr_t caller)
{
    while (at < end) {
        unsigned order = piece_order(at, end);
        uint32_t large = order >= PCP_ORDERS ? PAGE_LARGE : 0;
        page_set_allocated(&page[at], flags | order << PAGE_ORDER_SHIFT | large);
        if (quire_unlikely(mem->debug & QUIRE_DEBUG_OWNER))
            owner_set(mem, &page[at], order, caller);
        at += 1ul << order;
    }
}

static void free_pieces(struct quire_mem *mem, struct quire_page *page, unsigned long at,
                        unsigned long end)
{
    while (at < end) {
        unsigned order = piece_order(at, end);
        quire_free_pages(mem, &page[at], order);
        at += 1ul << order;
    }
}

struct quire_page *quire_alloc_run(struct quire_mem *mem, unsigned long pages, unsigned align_order,
                                   quire_gfp_t gfp)
{
    if (!pages || pages > 1ul << MAX_ORDER || align_order > MAX_ORDER ||
        gfp & (QUIRE_GFP_COMP | ~QUIRE_GFP_MASK))
        return NULL;
    unsigned order = quire_order_of_pages(pages);
    order = order > align_order ? order : align_order;
    struct quire_page *page = quire_alloc_pages(mem, gfp, order);
    if (!page || pages == 1ul << order)
        return page;
    uint32_t flags = page_flags(page) & ~(PAGE_ORDER_MASK | PAGE_LARGE | QUIRE_PAGE_OWNER_FLAGS);
    cut(mem, page, flags, pages, 1ul << order, CALLER);
    cut(mem, page, flags, 0, pages, CALLER);
    free_pieces(mem, page, pages, 1ul << order);
    return page;
}

void quire_free_run(struct quire_mem *mem, struct quire_page *page, unsigned long pages)
{
    free_pieces(mem, page, 0, pages);
}
