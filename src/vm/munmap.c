/* vm/munmap.c: areas go
 *
 * First whatever can fail: splits at both ends. Then pages go while the areas can still be found
 * from them, then the areas, then tables that are empty now. Those may be read by walkers of
 * reverse maps of neighbouring areas, which `tables` keeps out; nobody else is there, with the
 * writer's lock.
 */
#include "vm/area.h"
#include "vm/fault.h"

static void free_empty_tables(struct quire_mm *mm, quire_linear_t start, quire_linear_t end)
{
    struct quire_tlb_batch batch;
    quire_tlb_batch_init(&batch, &mm->pt);
    rwlock_write(&mm->tables);
    int error = quire_unmap_range(&mm->pt, start, end - start, 0, &batch);
    rwlock_write_unlock(&mm->tables);
    QUIRE_BUG_ON(error); /* there are no huge pages to split */
    quire_tlb_flush(&batch);
}

/* Splits so that areas begin at `start` and `end` if they hold them. */
static int split_ends(struct quire_mm *mm, quire_linear_t start, quire_linear_t end)
{
    struct quire_vma *first = vma_at(mm, start), *last = vma_at(mm, end), *upper = NULL;
    bool at_start = first && first->start < start, at_end = last && last->start < end;
    /* Of one area two become three before the middle one goes; of two, none is more in the end. */
    if (at_start && at_end && first == last && mm->nr_areas >= MAX_AREAS)
        return -QUIRE_ENOMEM;
    if (at_start && !(upper = vma_split(first, start)))
        return -QUIRE_ENOMEM;
    last = at_end ? vma_at(mm, end) : NULL;
    if (last && !vma_split(last, end)) {
        if (upper)
            vma_merge(upper);
        return -QUIRE_ENOMEM;
    }
    return 0;
}

static void unmap_area(struct quire_vma *vma)
{
    struct quire_mm *mm = vma->mm;
    unsigned long pages = (unsigned long)vma_pages(vma);
    if (vma->flags & VM_LOCKED)
        mlock_pages(vma, vma->start, vma->end, false);
    zap_range(vma, vma->start, vma->end);
    vma_count(mm, vma, -(long)pages);
    if (vma->flags & VM_ACCOUNT)
        vm_uncommit(mm->vm, (long)pages);
    vma_free(vma);
}

int mm_unmap(struct quire_mm *mm, quire_linear_t start, quire_linear_t end)
{
    if (!vma_intersects(mm, start, end))
        return 0;
    int error = split_ends(mm, start, end);
    if (error)
        return error;
    mm_note_peak(mm);
    struct quire_vma *vma = vma_above(mm, start);
    while (vma && vma->start < end) {
        struct quire_vma *next = vma_next(vma);
        unmap_area(vma);
        vma = next;
    }
    free_empty_tables(mm, start, end);
    return 0;
}

/* The tables go with the quire_mm. */
void mm_unmap_all(struct quire_mm *mm)
{
    struct quire_vma *vma;
    while ((vma = vma_above(mm, 0)))
        unmap_area(vma);
}

unsigned long mm_mapped_pages(struct quire_mm *mm, quire_linear_t start, quire_linear_t end,
                              unsigned long *accounted)
{
    unsigned long pages = 0;
    *accounted = 0;
    for (struct quire_vma *vma = vma_above(mm, start); vma && vma->start < end;
         vma = vma_next(vma)) {
        quire_linear_t from = vma->start > start ? vma->start : start;
        quire_linear_t to = vma->end < end ? vma->end : end;
        unsigned long here = (unsigned long)((to - from) >> QUIRE_PAGE_SHIFT);
        pages += here;
        *accounted += vma->flags & VM_ACCOUNT ? here : 0;
    }
    return pages;
}

int quire_munmap(struct quire_mm *mm, quire_linear_t address, uint64_t length)
{
    quire_linear_t low_bits = QUIRE_PAGE_SIZE - 1;
    if (address & low_bits || !length || address > mm->layout.end ||
        length > mm->layout.end - address)
        return -QUIRE_EINVAL;
    rwlock_write(&mm->lock);
    int error = mm_unmap(mm, address, (address + length + low_bits) & ~low_bits);
    rwlock_write_unlock(&mm->lock);
    return error;
}
