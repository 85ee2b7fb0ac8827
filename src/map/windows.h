/* map/windows.h: pages of the windows' areas, opened and closed
 *
 *   invariant   an entry of an area is present, or CLOSED: never 0, so that its table stays
 */
#ifndef MAP_WINDOWS_H
#define MAP_WINDOWS_H

#include <quire/windows.h>

#include "map/table.h"

/* Not present; for the layers above to see in a fault whose address it was. */
#define CLOSED ((uint64_t)QUIRE_PTE_SOFT1)

/* Whether entries at PT can lead to the frame at `phys` with the bits `prot`. */
static inline bool window_can_show(const struct quire_windows *w, quire_phys_t phys)
{
    quire_phys_t end = w->pt->step[0].phys_end;
    return phys < end && end - phys >= QUIRE_PAGE_SIZE;
}

/* Lets the page at `virt` show the frame at `phys`. No flush: it was closed. */
void window_open(const struct quire_windows *w, quire_linear_t virt, quire_phys_t phys);
/* Closes an open one; what is to be flushed goes into the batch, NULL: is the caller's affair. */
void window_close(const struct quire_windows *w, quire_linear_t virt,
                  struct quire_tlb_batch *batch);
/* What is shown at `virt`. False: nothing. */
bool window_phys(const struct quire_windows *w, quire_linear_t virt, quire_phys_t *phys);

/* ---- kmap.c ---------------------------------------------------------------------------------- */

/* 0 or -ENOMEM. The area is reserved. */
int pkmap_init(struct quire_windows *w);
/* Frees it; the number of pages that were mapped. */
unsigned long pkmap_destroy(struct quire_windows *w);
void pkmap_check(const struct quire_windows *w);

/* ---- kmap_local.c ---------------------------------------------------------------------------- */

int kmap_stacks_init(struct quire_windows *w);
unsigned long kmap_stacks_destroy(struct quire_windows *w);
void kmap_stacks_check(const struct quire_windows *w);

#endif
