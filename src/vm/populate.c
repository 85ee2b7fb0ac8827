/* vm/populate.c: faults before anyone accesses: MAP_POPULATE, mlock, MADV_POPULATE_*; and which
 * pages are in memory
 */
#include "vm/cache.h"
#include "vm/fault.h"
#include "vm/swap.h"

static int error_of(enum quire_fault_result result)
{
    switch (result) {
    case QUIRE_VM_MINOR:
    case QUIRE_VM_MAJOR:
        return 0;
    case QUIRE_VM_OOM:
        return -QUIRE_ENOMEM;
    default:
        return -QUIRE_EFAULT;
    }
}

/* Whether there is nothing to do for a page. */
static bool is_there(struct quire_mm *mm, quire_linear_t at, bool write)
{
    const uint64_t rights = QUIRE_PTE_PRESENT | (write ? QUIRE_PTE_WRITE : 0);
    return (quire_get_entry(&mm->pt, at) & rights) == rights;
}

static int populate_area(struct quire_vma *vma, quire_linear_t at, quire_linear_t end,
                         enum populate how)
{
    bool own = how == POPULATE_AHEAD && (vma->flags & (VM_WRITE | VM_SHARED)) == VM_WRITE;
    unsigned flags = how == POPULATE_WRITE || own ? QUIRE_FAULT_FLAG_WRITE : 0;
    if (!(vma->flags & (how == POPULATE_WRITE ? VM_WRITE : VM_ACCESS)))
        return -QUIRE_EFAULT;
    for (; at < end; at += QUIRE_PAGE_SIZE) {
        while (!is_there(vma->mm, at, flags)) {
            int error = error_of(fault_in_area(vma, at, flags));
            if (error)
                return error;
        }
    }
    return 0;
}

int populate_range(struct quire_mm *mm, quire_linear_t start, quire_linear_t end, enum populate how)
{
    struct quire_vma *vma = vma_above(mm, start);
    for (; vma && vma->start < end; vma = vma_next(vma)) {
        quire_linear_t from = vma->start > start ? vma->start : start;
        quire_linear_t to = vma->end < end ? vma->end : end;
        int error = populate_area(vma, from, to, how);
        if (error)
            return error;
    }
    return 0;
}

/* ---- mincore --------------------------------------------------------------------------------- */

struct residence {
    struct quire_vma *vma;
    quire_linear_t start;
    unsigned char *vec;
};

static bool drop_found(struct quire_vm *vm, struct quire_page *page)
{
    if (page)
        vm_put_page(vm, page);
    return page != NULL;
}

static void tell_hole(struct residence *r, const struct quire_pt_run *run)
{
    for (uint64_t at = 0; at < run->size; at += QUIRE_PAGE_SIZE) {
        quire_linear_t virt = run->virt + at;
        struct quire_mapping *mapping = r->vma->mapping;
        r->vec[(virt - r->start) >> QUIRE_PAGE_SHIFT] =
            mapping && drop_found(mapping->vm, cache_find(mapping, vma_index(r->vma, virt)));
    }
}

static bool entry_is_resident(struct quire_vm *vm, uint64_t entry)
{
    if (!entry_is_swap(entry))
        return entry_has_page(entry) || entry_is_migration(entry) || entry_is_bad_frame(entry);
    return drop_found(vm, swap_cache_find(vm, entry));
}

static int tell_run(void *arg, const struct quire_pt_run *run)
{
    struct residence *r = arg;
    if (!run->count)
        tell_hole(r, run);
    for (unsigned i = 0; i < run->count; i++)
        r->vec[((run->virt - r->start) >> QUIRE_PAGE_SHIFT) + i] =
            entry_is_resident(r->vma->mm->vm, run->entry[i]);
    return 0;
}

static int mincore_locked(struct quire_mm *mm, quire_linear_t start, quire_linear_t end,
                          unsigned char *vec)
{
    quire_linear_t at = start;
    struct quire_vma *vma = vma_above(mm, start);
    for (; at < end; vma = vma_next(vma)) {
        if (!vma || vma->start > at)
            return -QUIRE_ENOMEM;
        quire_linear_t to = vma->end < end ? vma->end : end;
        struct residence r = {vma, start, vec};
        int error = quire_visit_range(&mm->pt, at, to - at, QUIRE_VISIT_NOT_PRESENT, tell_run, &r);
        if (error)
            return error;
        at = to;
    }
    return 0;
}

int quire_mincore(struct quire_mm *mm, quire_linear_t address, uint64_t length, unsigned char *vec)
{
    if (address & (QUIRE_PAGE_SIZE - 1))
        return -QUIRE_EINVAL;
    if (address > mm->layout.end || length > mm->layout.end - address)
        return -QUIRE_ENOMEM;
    uint64_t size = (length + QUIRE_PAGE_SIZE - 1) & ~(uint64_t)(QUIRE_PAGE_SIZE - 1);
    rwlock_read(&mm->lock);
    int error = mincore_locked(mm, address, address + size, vec);
    rwlock_read_unlock(&mm->lock);
    return error;
}
