/* phys/family.c: the other ways to allocate: by address, exact sizes, many at once */
#include "phys/pcp.h"

/* ---- by direct-mapped address ---------------------------------------------------------------- */

#define CALLER ((uintptr_t)__builtin_return_address(0))

/* The owner of a page is who called this file, not this file. */
static inline void owned_by(struct quire_mem *mem, struct quire_page *page, unsigned order,
                            uintptr_t caller)
{
    if (quire_unlikely(mem->debug & QUIRE_DEBUG_OWNER))
        owner_set(mem, page, order, caller);
}

/* Whether the direct map reaches all of a block: it may end within a zone. */
static bool is_mapped(const struct quire_mem *mem, const struct quire_page *page, unsigned order)
{
    return quire_page_address(mem, page) && quire_page_address(mem, page + (1ul << order) - 1);
}

static void *get_free_pages(struct quire_mem *mem, quire_gfp_t gfp, unsigned order,
                            uintptr_t caller)
{
    if (gfp & (QUIRE_GFP_HIGHMEM | ~QUIRE_GFP_MASK))
        return NULL;
    struct quire_page *page = quire_alloc_pages(mem, gfp, order);
    if (!page)
        return NULL;
    if (!is_mapped(mem, page, order)) {
        quire_free_pages(mem, page, order);
        return NULL;
    }
    owned_by(mem, page, order, caller);
    return quire_page_address(mem, page);
}

void *quire_get_free_pages(struct quire_mem *mem, quire_gfp_t gfp, unsigned order)
{
    return get_free_pages(mem, gfp, order, CALLER);
}

void *quire_get_zeroed_page(struct quire_mem *mem, quire_gfp_t gfp)
{
    return get_free_pages(mem, gfp | QUIRE_GFP_ZERO, 0, CALLER);
}

void quire_free_pages_at(struct quire_mem *mem, void *addr, unsigned order)
{
    if (!addr)
        return;
    quire_phys_t phys = quire_port_virt_to_phys(mem->port, addr);
    unsigned long pfn = quire_phys_to_pfn(phys).value;
    if (phys >> QUIRE_PAGE_SHIFT >= QUIRE_MAX_PFN || !pfn_valid(mem, pfn) ||
        phys & (QUIRE_PAGE_SIZE - 1))
        bad_page(mem, pfn, "free of an address that begins no page");
    else
        quire_free_pages(mem, pfn_to_page(mem, pfn), order);
}

/* ---- exact sizes ----------------------------------------------------------------------------- */

void *quire_alloc_pages_exact(struct quire_mem *mem, size_t size, quire_gfp_t gfp)
{
    quire_gfp_t refused = QUIRE_GFP_COMP | QUIRE_GFP_HIGHMEM | ~QUIRE_GFP_MASK;
    if (!size || size > QUIRE_PAGE_SIZE << MAX_ORDER || gfp & refused)
        return NULL;
    unsigned long pages = (unsigned long)((size + QUIRE_PAGE_SIZE - 1) >> QUIRE_PAGE_SHIFT);
    unsigned order = quire_order_of_pages(pages);
    struct quire_page *page = quire_alloc_pages(mem, gfp, order);
    if (!page)
        return NULL;
    if (!is_mapped(mem, page, order)) {
        quire_free_pages(mem, page, order);
        return NULL;
    }
    owned_by(mem, page, order, CALLER);
    quire_split_page(mem, page, order);
    for (unsigned long i = pages; i < 1ul << order; i++)
        quire_free_pages(mem, &page[i], 0);
    return quire_page_address(mem, page);
}

void quire_free_pages_exact(struct quire_mem *mem, void *addr, size_t size)
{
    size_t pages = (size >> QUIRE_PAGE_SHIFT) + ((size & (QUIRE_PAGE_SIZE - 1)) != 0);
    for (size_t i = 0; addr && i < pages; i++)
        quire_free_pages_at(mem, (char *)addr + (i << QUIRE_PAGE_SHIFT), 0);
}

void quire_split_page(struct quire_mem *mem, struct quire_page *page, unsigned order)
{
    uint32_t flags = page_flags(page);
    if (order > MAX_ORDER || (flags & (PAGE_ALLOCATED | PAGE_COMPOUND | PAGE_ORDER_MASK)) !=
                                 (PAGE_ALLOCATED | order << PAGE_ORDER_SHIFT)) {
        bad_page(mem, page->pfn, "split of what is no allocated block of this order, or compound");
        return;
    }
    uint32_t references = quire_load_relaxed(&page->refcount);
    uint32_t single =
        flags & ~(PAGE_ORDER_MASK | PAGE_LARGE | PAGE_MOVER_MASK | QUIRE_PAGE_OWNER_FLAGS);
    quire_fetch_and(&page->flags, ~(PAGE_ORDER_MASK | PAGE_LARGE));
    for (unsigned long i = 1; i < 1ul << order; i++) {
        quire_store_relaxed(&page[i].flags, single);
        quire_store_release(&page[i].refcount, references);
    }
    if (quire_unlikely(mem->debug & QUIRE_DEBUG_OWNER))
        owner_split(mem, page, order);
}

/* ---- many at once ---------------------------------------------------------------------------- */

/* Straight from this CPU's list of the zone that comes first, as long as the zone can spare them
 * all; the index of the first element that it left NULL. */
static unsigned long fill_from_pcp(const struct alloc_context *ac, unsigned long count,
                                   struct quire_page **pages)
{
    struct zone *zone;
    struct zone **list = ac->zonelist;
    while ((zone = quire_load_relaxed(list)) && zone->type > ac->highest)
        list++;
    unsigned alloc_flags = WMARK_LOW | (ac->type == QUIRE_MIGRATE_MOVABLE ? ALLOC_CMA : 0);
    if (!zone || !zone_watermark_ok(zone, 0, zone_watermark(zone, WMARK_LOW) + count, ac->highest,
                                    alloc_flags))
        return 0;
    return pcp_alloc_bulk(zone, ac->type, alloc_flags, count, pages);
}

unsigned long quire_alloc_pages_bulk(struct quire_mem *mem, int node, quire_gfp_t gfp,
                                     unsigned long count, struct quire_page **pages)
{
    unsigned long done = 0;
    struct alloc_context ac;
    if (gfp & ~QUIRE_GFP_MASK || !alloc_context_prepare(mem, node, gfp, 0, &ac))
        return 0;
    if (!(gfp & QUIRE_GFP_ZERO))
        done = fill_from_pcp(&ac, count, pages);
    for (; done < count; done++) {
        if (pages[done])
            continue;
        pages[done] =
            node < 0 ? quire_alloc_pages(mem, gfp, 0) : quire_alloc_pages_node(mem, node, gfp, 0);
        if (!pages[done])
            break;
        owned_by(mem, pages[done], 0, CALLER);
    }
    return done;
}

void quire_free_pages_bulk(struct quire_mem *mem, unsigned long count, struct quire_page **pages)
{
    for (unsigned long i = 0; i < count; i++)
        if (pages[i])
            quire_free_pages(mem, pages[i], 0);
}
