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
    int error = quire_unmap_range(&mm->pt, start, end - start, QUIRE_UNMAP_EMPTIED, &batch);
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

/* The part of an area that lies within [start, end). */
static quire_linear_t start_within(const struct quire_vma *vma, quire_linear_t start)
{
    return vma->start > start ? vma->start : start;
}

static quire_linear_t end_within(const struct quire_vma *vma, quire_linear_t end)
{
    return vma->end < end ? vma->end : end;
}

/* Takes pages out that were promised, counted and perhaps locked, of `vma` and those behind it.
 * Areas that continue each other are one range to page tables: small ones side by side, as
 * mprotect makes, cost little more than their pages. */
static QUIRE_NOINLINE void unmap_pages(struct quire_vma *vma, quire_linear_t start,
                                       quire_linear_t end)
{
    while (vma && vma->start < end) {
        struct quire_vma *first = vma, *last;
        do {
            last = vma;
            if (last->flags & VM_LOCKED)
                mlock_pages(last, start_within(last, start), end_within(last, end), false);
            vma = vma_next(last);
        } while (vma && vma->start < end && vma_continues(last, vma, VM_SEQ_READ | VM_RAND_READ));
        zap_range(first, start_within(first, start), end_within(last, end));
    }
}

/* Of an area whose pages are gone. */
static void give_back(struct quire_vma *vma, long pages)
{
    vma_count(vma->mm, vma, -pages);
    if (vma->flags & VM_ACCOUNT)
        vm_uncommit(vma->mm->vm, pages);
}

/* Areas that are out of the tree. */
static void discard(struct list *areas)
{
    struct list *at, *next;
    for (at = areas->next; at != areas; at = next) {
        struct quire_vma *vma = quire_container_of(at, struct quire_vma, link);
        next = at->next;
        give_back(vma, (long)vma_pages(vma));
        vma_discard(vma);
    }
}

/* What an area has of [start, end), which isn't in its midst. */
static inline void remove_area(struct quire_vma *vma, quire_linear_t start, quire_linear_t end)
{
    quire_linear_t from = start_within(vma, start), to = end_within(vma, end);
    give_back(vma, (long)((to - from) >> QUIRE_PAGE_SHIFT));
    if (from > vma->start)
        vma_resize(vma, vma->start, from);
    else if (to < vma->end)
        vma_resize(vma, to, vma->end);
    else
        vma_free(vma);
}

/* If many areas lie in the range those go, with what the first one has of it; the first that is
 * left to be removed. */
static QUIRE_NOINLINE struct quire_vma *remove_many(struct quire_vma *vma, quire_linear_t start,
                                                    quire_linear_t end)
{
    struct list taken;
    struct quire_vma *first = vma->start < start ? vma_next(vma) : vma, *next = first;
    unsigned whole = 0;
    for (; next && next->end <= end; next = vma_next(next))
        whole++;
    if (!areas_are_many(vma->mm, whole))
        return vma;
    if (first != vma)
        remove_area(vma, start, end);
    list_init(&taken);
    areas_take(first, whole, &taken);
    discard(&taken);
    return next;
}

/* Their pages are gone. */
static inline void remove_areas(struct quire_vma *vma, quire_linear_t start, quire_linear_t end)
{
    struct quire_vma *next;
    if (vma->end < end)
        vma = remove_many(vma, start, end);
    for (; vma && vma->start < end; vma = next) {
        next = vma->end < end ? vma_next(vma) : NULL;
        remove_area(vma, start, end);
    }
}

int mm_unmap(struct quire_mm *mm, quire_linear_t start, quire_linear_t end)
{
    struct quire_vma *vma = vma_above(mm, start);
    if (!vma || vma->start >= end)
        return 0;
    if (quire_unlikely(mm->has_sealed) && mm_is_sealed(mm, start, end))
        return -QUIRE_EPERM;
    if (vma->start < start && vma->end > end &&
        (mm->nr_areas >= max_areas(mm) || !vma_split(vma, end)))
        return -QUIRE_ENOMEM;
    bool untouched = is_untouched(mm, start, end);
    if (!untouched)
        unmap_pages(vma, start, end);
    remove_areas(vma, start, end);
    if (!untouched)
        free_empty_tables(mm, start, end);
    return 0;
}

void mm_unmap_emptied(struct quire_mm *mm, quire_linear_t start, quire_linear_t end)
{
    remove_areas(vma_above(mm, start), start, end);
    free_empty_tables(mm, start, end);
}

/* The tables go with the quire_mm. */
void mm_unmap_all(struct quire_mm *mm)
{
    areas_forget(mm);
    unmap_pages(vma_of_link(mm, mm->in_order.next), 0, mm->layout.end);
    discard(&mm->in_order);
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
