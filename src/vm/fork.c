/* vm/fork.c: a copy of an address space
 *
 * Areas are duplicated in order of address, each with its reverse maps before its entries, so that
 * whoever walks from a page that both have finds both. When something can't be had the child is
 * torn down as any address space, with the areas that it has got.
 */
#include "vm/fault.h"

/* The child's area, in its list, with its entries. */
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
    return error ? error : copy_entries(vma, parent);
}

static int fork_areas(struct quire_mm *child, struct quire_mm *parent)
{
    int error = 0;
    struct quire_vma *vma = vma_above(parent, 0);
    for (; vma && !error; vma = vma_next(vma))
        if (!(vma->flags & VM_DONTCOPY))
            error = fork_area(child, vma);
    areas_build(child);
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
