/* vm/clear_refs.c: what was used is forgotten (man 5 proc_pid_clear_refs) */
#include "vm/fault.h"

struct clearing {
    struct quire_vma *vma;
    struct quire_tlb_batch batch;
};

static int clear_run(void *arg, const struct quire_pt_run *run)
{
    struct clearing *c = arg;
    for (unsigned i = 0; i < run->count; i++) {
        struct fault at = {
            .vma = c->vma,
            .mm = c->vma->mm,
            .address = run->virt + (quire_linear_t)i * QUIRE_PAGE_SIZE,
            .entry = run->entry[i],
        };
        struct quire_page *page = entry_present(at.entry) ? fault_pin_page(&at) : NULL;
        if (!page)
            continue;
        (void)!quire_test_and_clear(&at.mm->pt, at.address, QUIRE_PTE_ACCESSED, &c->batch);
        page_clear(page, PG_REFERENCED);
        vm_put_page(at.mm->vm, page);
    }
    return 0;
}

void quire_mm_clear_refs(struct quire_mm *mm, bool anon, bool file)
{
    rwlock_read(&mm->lock);
    for (struct quire_vma *vma = vma_above(mm, 0); vma; vma = vma_next(vma)) {
        struct clearing clearing = {.vma = vma};
        if (!(vma->mapping ? file : anon))
            continue;
        quire_tlb_batch_init(&clearing.batch, &mm->pt);
        (void)!quire_visit_range(&mm->pt, vma->start, vma->end - vma->start, 0, clear_run,
                                 &clearing);
        quire_tlb_flush(&clearing.batch);
    }
    rwlock_read_unlock(&mm->lock);
}

void quire_mm_reset_peak(struct quire_mm *mm)
{
    quire_store_relaxed(&mm->hiwater_rss, quire_mm_nr_resident(mm));
}
