/* vm/fork.c: a copy of an address space
 *
 * Areas are duplicated in order of address, with their reverse maps before their entries, so that
 * whoever walks from a page that both have finds both. The entries of areas that continue each
 * other are copied together. When something can't be had the child is
 * torn down as any address space, with the areas that it has got.
 */
#include "vm/fault.h"
#include "vm/userfault.h"

/* The child's area, in its list, without its entries. */
static int fork_area(struct quire_mm *child, struct quire_vma *parent)
{
    struct quire_vm *vm = child->vm;
    long accounted = parent->flags & VM_ACCOUNT ? (long)vma_pages(parent) : 0;
    int error = accounted ? vm_commit(vm, child, accounted) : 0;
    if (error)
        return error;
    struct quire_vma *vma = vma_duplicate(child, parent);
    if (!vma) {
        vm_uncommit(vm, accounted);
        return -QUIRE_ENOMEM;
    }
    error = parent->flags & VM_WIPEONFORK ? 0 : anon_vma_fork(vma, parent);
    /* From here on the area is the child's, with what is accounted: its teardown undoes it. */
    if (vma->mapping)
        mapping_link_vma(vma);
    areas_append(child, vma);
    vma_count(child, vma, (long)vma_pages(vma));
    return error;
}

/* Pages of files that were never written to are found again by faults. */
static bool needs_copy(const struct quire_vma *vma)
{
    return !(vma->flags & (VM_WIPEONFORK | VM_DONTCOPY)) && (!vma->mapping || vma->anon_vma);
}

/* An area and those that continue it; the last of them in its place. */
static int fork_run(struct quire_mm *child, struct quire_vma **parent)
{
    struct quire_vma *first = *parent, *last = first, *next;
    int error = fork_area(child, first);
    if (error || !needs_copy(first))
        return error;
    while ((next = vma_next(last)) && needs_copy(next) && vma_continues(last, next, VM_SHARED)) {
        last = next;
        error = fork_area(child, last);
        if (error)
            return error;
    }
    *parent = last;
    return copy_entries(child, first, last->end);
}

/* Copying clears protection from writes of present entries only. */
static void unprotect(struct quire_mm *child, struct quire_mm *parent)
{
    for (struct quire_vma *vma = vma_above(parent, 0); vma; vma = vma_next(vma))
        if (vma->flags & VM_UFFD_WP && needs_copy(vma))
            userfault_unprotect(vma_at(child, vma->start));
}

static int fork_areas(struct quire_mm *child, struct quire_mm *parent)
{
    int error = 0;
    bool was_protected = false;
    struct quire_vma *vma = vma_above(parent, 0);
    for (; vma && !error; vma = vma_next(vma)) {
        was_protected |= vma->flags & VM_UFFD_WP;
        if (!(vma->flags & VM_DONTCOPY))
            error = fork_run(child, &vma);
    }
    areas_build(child);
    if (was_protected && !error)
        unprotect(child, parent);
    return error;
}

int quire_mm_fork(struct quire_mm **child, struct quire_mm *parent)
{
    struct quire_mm *mm;
    int error = quire_mm_create(&mm, parent->vm, &parent->layout);
    if (error)
        return error;
    rwlock_write(&parent->lock);
    rwlock_write(&mm->lock);
    mm_inherit(mm, parent);
    quire_tell_event(MM_FORK, mm_number(mm), mm_number(parent));
    error = fork_areas(mm, parent);
    rwlock_write_unlock(&mm->lock);
    rwlock_write_unlock(&parent->lock);
    if (error) {
        quire_mm_put(mm);
        return error;
    }
    *child = mm;
    return 0;
}
