/* vm/protect.c: entries after mprotect
 *
 * Rights that go are taken from the entries at once; the right to write comes back by a fault,
 * which knows whether a page has to be copied or its file told. Entries of PROT_NONE areas aren't
 * present, so that nobody can use them, the kernel included, and keep all else.
 */
#include "vm/fault.h"

struct protecting {
    struct quire_vma *vma;
    struct quire_tlb_batch batch;
    bool to_none;
};

static uint64_t none_of(uint64_t entry)
{
    return (entry & ~(uint64_t)(QUIRE_PTE_PRESENT | QUIRE_PTE_WRITE)) | ENTRY_PROTNONE;
}

static uint64_t allowed_again(const struct quire_vma *vma, uint64_t entry)
{
    uint64_t nx = vma->mm->pt.prot_mask & QUIRE_PTE_NX;
    return (entry & ~(ENTRY_PROTNONE | nx)) | QUIRE_PTE_PRESENT | (vma->prot & nx);
}

/* Until the entry is what it should be, or has no page any more. */
static void change_one(struct protecting *p, quire_linear_t at, uint64_t entry)
{
    struct quire_pgtable *pt = &p->vma->mm->pt;
    int error = -QUIRE_EAGAIN;
    while (error == -QUIRE_EAGAIN && entry_has_page(entry) && entry_present(entry) == p->to_none) {
        error = p->to_none ? quire_update_entry(pt, at, &entry, none_of(entry), &p->batch)
                           : quire_cmpxchg_entry(pt, at, &entry, allowed_again(p->vma, entry));
    }
}

static int change_run(void *arg, const struct quire_pt_run *run)
{
    struct protecting *p = arg;
    for (unsigned i = 0; i < run->count; i++)
        change_one(p, run->virt + (quire_linear_t)i * QUIRE_PAGE_SIZE, run->entry[i]);
    return 0;
}

static int change_presence(struct quire_vma *vma, quire_linear_t start, quire_linear_t end)
{
    struct protecting p = {.vma = vma, .to_none = !(vma->flags & VM_ACCESS)};
    quire_tlb_batch_init(&p.batch, &vma->mm->pt);
    int error = quire_visit_range(&vma->mm->pt, start, end - start, QUIRE_VISIT_NOT_PRESENT,
                                  change_run, &p);
    quire_tlb_flush(&p.batch);
    return error;
}

int change_protection(struct quire_vma *vma, quire_linear_t start, quire_linear_t end,
                      uint32_t old_flags)
{
    struct quire_pgtable *pt = &vma->mm->pt;
    uint64_t nx = pt->prot_mask & QUIRE_PTE_NX;
    rmap_wait_for_walks(vma);
    if (!(old_flags & VM_ACCESS) || !(vma->flags & VM_ACCESS))
        return (old_flags ^ vma->flags) & VM_ACCESS ? change_presence(vma, start, end) : 0;
    uint64_t clear = (vma->flags & VM_WRITE ? 0 : QUIRE_PTE_WRITE) | (nx & ~vma->prot);
    return quire_protect_range(pt, start, end - start, nx & vma->prot, clear, NULL);
}
