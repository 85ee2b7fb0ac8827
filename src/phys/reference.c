/* phys/reference.c: reference counts, and the block that a page belongs to
 *
 * A block's count is in its first page. Pages of a block that aren't its first hold nothing that
 * says so: the first is found by trying the page at each smaller alignment, the nearest first. So
 * allocating a compound page of 512 frames writes one descriptor, not 512.
 */
#include "phys/internal.h"

struct quire_page *quire_compound_head(const struct quire_mem *mem, const struct quire_page *page)
{
    (void)mem;
    for (unsigned order = 0; order <= MAX_ORDER; order++) {
        /* Within one section's array: it is rounded to blocks of MAX_ORDER. */
        const struct quire_page *head = page - (page->pfn & ((1u << order) - 1));
        uint32_t flags = page_flags(head);
        if (flags & PAGE_ALLOCATED)
            return flags_order(flags) >= order ? (struct quire_page *)(uintptr_t)head : NULL;
    }
    return NULL;
}

unsigned quire_page_order(const struct quire_page *page)
{
    return flags_order(page_flags(page));
}

bool quire_page_is_compound(const struct quire_page *page)
{
    return page_flags(page) & PAGE_COMPOUND;
}

unsigned quire_page_count(const struct quire_page *page)
{
    return quire_load_relaxed(&page->refcount);
}

void quire_get_page(struct quire_page *page)
{
    QUIRE_BUG_ON(!quire_fetch_add(&page->refcount, 1));
}

bool quire_get_page_unless_zero(struct quire_page *page)
{
    uint32_t references = quire_load_relaxed(&page->refcount);
    do {
        if (!references)
            return false;
    } while (!quire_compare_exchange(&page->refcount, &references, references + 1));
    return true;
}

void quire_put_page(struct quire_mem *mem, struct quire_page *page)
{
    uint32_t flags = page_flags(page);
    uint32_t references = quire_load_relaxed(&page->refcount);
    do {
        bool last = references == 1;
        if (!references || !(flags & PAGE_ALLOCATED) || (last && flags & QUIRE_PAGE_OWNER_FLAGS)) {
            report_bad_free(mem, page, flags_order(flags), flags);
            return;
        }
    } while (!quire_compare_exchange(&page->refcount, &references, references - 1));
    if (references == 1)
        free_block(mem, page, flags_order(flags), flags);
}
