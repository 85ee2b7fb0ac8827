/* vm/userfault.h: areas whose faults somebody else sees to */
#ifndef VM_USERFAULT_H
#define VM_USERFAULT_H

#include <quire/userfault.h>

#include "base/atomic.h"
#include "vm/internal.h"

#define VM_UFFD (VM_UFFD_MISSING | VM_UFFD_WP)

/* Each watched area holds its monitor, and so does who waits, and who made it. */
struct quire_userfault {
    struct quire_mm *mm; /* mm_ref */
    uint32_t nr_refs;
    struct quire_userfault_config config;
};

void userfault_put_last(struct quire_userfault *monitor);

static inline struct quire_userfault *userfault_get(struct quire_userfault *monitor)
{
    if (quire_unlikely(monitor != NULL))
        (void)quire_fetch_add(&monitor->nr_refs, 1);
    return monitor;
}

static inline void userfault_put(struct quire_userfault *monitor)
{
    if (quire_unlikely(monitor != NULL) && !quire_sub_fetch(&monitor->nr_refs, 1))
        userfault_put_last(monitor);
}

/* A fault in the area came to FAULT_WAITS. Gives up the reader's lock. */
enum quire_fault_result userfault_wait(struct quire_vma *vma, quire_linear_t address,
                                       unsigned flags);

/* An area that isn't in the tree yet isn't watched. */
static inline void userfault_forget(struct quire_vma *vma)
{
    if (quire_likely(!vma->userfault))
        return;
    userfault_put(vma->userfault);
    vma->userfault = NULL;
    vma->flags &= ~VM_UFFD;
}

/* No entry of an area keeps protection. Writer's lock. */
void userfault_unprotect(struct quire_vma *vma);
/* An area of the tree isn't watched any more, nor protected. Writer's lock. */
void userfault_unwatch(struct quire_vma *vma);

#endif
