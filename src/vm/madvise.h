/* vm/madvise.h: advice about pages of an area, for readers of mm->lock */
#ifndef VM_MADVISE_H
#define VM_MADVISE_H

#include "vm/area.h"

/* MADV_FREE: anonymous pages whose content may be forgotten unless they are written to again. */
void advise_free(struct quire_vma *vma, quire_linear_t start, quire_linear_t end);
/* MADV_COLD, MADV_PAGEOUT: pages that only this address space maps go next, or now. */
void advise_cold(struct quire_vma *vma, quire_linear_t start, quire_linear_t end, bool pageout);
/* MADV_WILLNEED: reads what isn't in memory; errors don't matter. */
void advise_willneed(struct quire_vma *vma, quire_linear_t start, quire_linear_t end);
/* MADV_HWPOISON; `softly`: MADV_SOFT_OFFLINE. hwpoison.c */
int take_out_of_use(struct quire_mm *mm, quire_linear_t start, quire_linear_t end, bool softly);
/* Frames that are out of use go back to phys, with the machine. */
void bad_frames_destroy(struct quire_vm *vm);
unsigned long nr_bad_frames(struct quire_vm *vm);
/* Of a page that is this layer's. */
bool page_is_bad(const struct quire_page *page);
/* MADV_POPULATE_READ, _WRITE. 0; -EFAULT, -ENOMEM. */
int advise_populate(struct quire_vma *vma, quire_linear_t start, quire_linear_t end, bool write);

#endif
