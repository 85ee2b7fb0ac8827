/* vm/ksm.h: what others need to know of merged pages */
#ifndef VM_KSM_H
#define VM_KSM_H

#include <quire/ksm.h>

#include "vm/internal.h"

struct ksm;

/* Anonymous, of no root: nobody can come from it to its entries, so it is neither swapped nor
 * moved. */
static inline bool page_is_merged(const struct quire_page *page)
{
    return page_is_anon(page) && !page_root_id(page);
}

/* Makes ready for scans, once there is something mergeable. -ENOMEM. */
QUIRE_MUST_CHECK int ksm_prepare(struct quire_vm *vm);
/* Those in [start, end) of an area become its own pages again. Reader or writer of mm->lock.
 * -ENOMEM. */
QUIRE_MUST_CHECK int ksm_unmerge_range(struct quire_vma *vma, quire_linear_t start,
                                       quire_linear_t end);
/* With the machine. */
void ksm_destroy(struct quire_vm *vm);

#endif
