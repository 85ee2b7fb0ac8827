/* vm/munmap.c: areas go, or parts of them
 *
 * What may fail comes first: only a hole within one area needs memory, for the area above it. Then
 * pages go while the areas can still be found from them, then the areas, then tables that are empty
 * now. Those may be read by walkers of reverse maps of neighbouring areas, which `tables` keeps
 * out; nobody else is there, with the writer's lock.
 */
#include "vm/area.h"
#include "vm/fault.h"

#define TABLE_SHIFT 21 /* what a table covers in every format, or half of it */

static void free_empty_tables(struct quire_mm *mm, quire_linear_t start, quire_linear_t end)
{
    struct quire_tlb_batch batch;
    quire_tlb_batch_init(&batch, &mm->pt);
    mm->generation++; /* threads forget tables */
    rwlock_write(&mm->tables);
    int error = quire_unmap_range(&mm->pt, start, end - start, 0, &batch);
    rwlock_write_unlock(&mm->tables);
    QUIRE_BUG_ON(error); /* there are no huge pages to split */
    quire_tlb_flush(&batch);
}

/* Whether nothing can be there: no table was made for any of the range. Where a table covers all of
 * it a look for that one will do. */
static bool is_untouched(const struct quire_mm *mm, quire_linear_t start, quire_linear_t end)
{
    struct quire_pt_query query;
    void *where;
    if (start >> TABLE_SHIFT == (end - 1) >> TABLE_SHIFT)
        return !quire_find_entry(&mm->pt, start, &where) && !where;
    if (!quire_query(&mm->pt, start, &query) || query.level == QUIRE_PT || query.entry)
        return false;
    unsigned shift = mm->pt.format->level[query.level].shift;
    return start >> shift == (end - 1) >> shift;
}

/* Takes pages out that were promised, counted and perhaps locked. */
static void unmap_pages(struct quire_vma *vma, quire_linear_t start, quire_linear_t end)
{
    if (vma->flags & VM_LOCKED)
        mlock_pages(vma, start, end, false);
    zap_range(vma, start, end);
}

/* Of an area whose pages are gone. */
static void give_back(struct quire_vma *vma, long pages)
{
    vma_count(vma->mm, vma, -pages);
    if (vma->flags & VM_ACCOUNT)
        vm_uncommit(vma->mm->vm, pages);
}

/* What an area has of [start, end), which isn't in its midst. */
static void unmap_area(struct quire_vma *vma, quire_linear_t start, quire_linear_t end,
                       bool untouched)
{
    quire_linear_t from = vma->start > start ? vma->start : start;
    quire_linear_t to = vma->end < end ? vma->end : end;
    long pages = (long)((to - from) >> QUIRE_PAGE_SHIFT);
    if (!untouched)
        unmap_pages(vma, from, to);
    give_back(vma, pages);
    if (from > vma->start)
        vma_resize(vma, vma->start, from);
    else if (to < vma->end)
        vma_resize(vma, to, vma->end);
    else
        vma_free(vma);
}

int mm_unmap(struct quire_mm *mm, quire_linear_t start, quire_linear_t end)
{
    struct quire_vma *vma = vma_above(mm, start), *next;
    if (!vma || vma->start >= end)
        return 0;
    if (quire_unlikely(mm->has_sealed) && mm_is_sealed(mm, start, end))
        return -QUIRE_EPERM;
    if (vma->start < start && vma->end > end &&
        (mm->nr_areas >= max_areas(mm) || !vma_split(vma, end)))
        return -QUIRE_ENOMEM;
    bool untouched = is_untouched(mm, start, end);
    for (; vma && vma->start < end; vma = next) {
        next = vma->end < end ? vma_next(vma) : NULL;
        unmap_area(vma, start, end, untouched);
    }
    if (!untouched)
        free_empty_tables(mm, start, end);
    return 0;
}

/* The tables go with the quire_mm. */
void mm_unmap_all(struct quire_mm *mm)
{
    struct list *at, *next;
    areas_forget(mm);
    for (at = mm->in_order.next; at != &mm->in_order; at = next) {
        struct quire_vma *vma = quire_container_of(at, struct quire_vma, link);
        next = at->next;
        unmap_pages(vma, vma->start, vma->end);
        give_back(vma, (long)vma_pages(vma));
        vma_discard(vma);
    }
    list_init(&mm->in_order);
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
    mm_write_unlock(mm);
    return error;
}
