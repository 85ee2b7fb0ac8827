/* phys/cleared.h: pages that come back as they are wanted again: all zero
 *
 * Page tables are zeroed when they are made and, entry by entry, zero again when an address space
 * is gone. A CPU keeps some of those apart, on a list beside its others: they are free like what is
 * on these, and counted and drained with them.
 *
 *   invariant   a page on a list PCP_CLEARED is all zero
 */
#ifndef QUIRE_PHYS_CLEARED_H
#define QUIRE_PHYS_CLEARED_H

#include <quire/phys.h>

/* quire_alloc_page, for `gfp` with ZERO. */
struct quire_page *alloc_cleared_page(struct quire_mem *mem, quire_gfp_t gfp);
/* quire_free_page, of a page of which the caller knows that it is all zero. */
void free_cleared_page(struct quire_mem *mem, struct quire_page *page);
/* Of a page of the direct map: whether it is. O(its size), for assertions. */
bool page_is_cleared(const struct quire_mem *mem, const struct quire_page *page);

#endif
