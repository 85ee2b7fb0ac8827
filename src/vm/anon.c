/* vm/anon.c: the first touch of a private anonymous page
 *
 * Who only reads gets the shared zero page, which counts for nobody; who writes, a page of his own.
 */
#include "vm/fault.h"
#include "vm/lru.h"
#include "vm/mempolicy.h"

static enum quire_fault_result map_zero_page(struct fault *fault)
{
    uint64_t entry = quire_page_to_phys(fault->mm->vm->zero_page) | QUIRE_PTE_PRESENT |
                     QUIRE_PTE_ACCESSED | (fault->vma->prot & ~(uint64_t)QUIRE_PTE_WRITE);
    int error = fault_fill_entry(fault, entry);
    return error == -QUIRE_ENOMEM ? QUIRE_VM_OOM : QUIRE_VM_MINOR;
}

/* A page that nobody has seen yet. 0; -EAGAIN: something is there by now; -ENOMEM: no table. */
static inline int map_new(struct fault *fault, struct quire_page *page, uint64_t rights)
{
    struct quire_vm *vm = fault->mm->vm;
    page_set(page, PG_UPTODATE);
    rmap_new_anon(page, fault->vma, fault->address);
    /* Once another thread can find it, it may be unmapped and gone. */
    lru_add(vm, page, fault->vma->flags);
    int error = fault_fill_entry(fault, quire_page_to_phys(page) | fault->vma->prot | rights |
                                            QUIRE_PTE_ACCESSED | QUIRE_PTE_DIRTY);
    if (quire_likely(!error))
        return 0;
    rmap_remove(fault->mm, page);
    page_unuse(vm, page);
    return error;
}

int fault_map_anon(struct fault *fault, struct quire_page *page, uint64_t rights)
{
    return map_new(fault, page, rights);
}

enum quire_fault_result fault_anon(struct fault *fault)
{
    if (!(fault->flags & QUIRE_FAULT_FLAG_WRITE))
        return map_zero_page(fault);
    if (anon_vma_prepare(fault->vma))
        return QUIRE_VM_OOM;
    struct quire_page *page = vm_alloc_page_at(fault->vma, fault->address, QUIRE_GFP_ZERO);
    if (!page)
        return QUIRE_VM_OOM;
    int error = map_new(fault, page, QUIRE_PTE_PRESENT | QUIRE_PTE_WRITE);
    return error == -QUIRE_ENOMEM ? QUIRE_VM_OOM : QUIRE_VM_MINOR;
}
