/* vm/cow.c: writes to pages that are mapped read-only
 *
 * In a private area the page may have other users: processes that fork made, a file, swap. Who
 * writes gets a copy, unless he is the page's only user, who just gets the right to write. In the
 * swap cache a page has a user more, and its slot may have others that would find it there: it is
 * taken out of the cache if they are none.
 */
#include "vm/fault.h"
#include "vm/lru.h"
#include "vm/mempolicy.h"
#include "vm/swap.h"

static uint64_t writable(uint64_t entry)
{
    return (entry & ~ENTRY_WP) | QUIRE_PTE_WRITE | QUIRE_PTE_ACCESSED | QUIRE_PTE_DIRTY;
}

/* The only user of an anonymous page writes on. False: it isn't, or the entry changed, or somebody
 * has the page locked (the caller, unless `locked`): he may be copying it. */
static bool reuse(struct fault *fault, struct quire_page *page, bool locked)
{
    bool flush = false; /* it never takes one: rights are only gained */
    if (page_users(page) != 1)
        return false;
    entry_lock(fault->mm, fault->address);
    bool reused = page_users(page) == 1 && page_is_anon(page) &&
                  (locked || !page_has(page, PG_LOCKED)) &&
                  !fault_update_entry(fault, writable(fault->entry), &flush);
    entry_unlock(fault->mm, fault->address);
    return reused;
}

/* Out of the swap cache, if only the cache and this entry use the page, and no entry its slot. The
 * page is locked. */
static void leave_swap_cache(struct quire_vm *vm, struct quire_page *page)
{
    if (page_has(page, PG_SWAPCACHE) && !page_has(page, PG_WRITEBACK) && page_users(page) == 2 &&
        !swap_count(vm, swap_cache_entry(vm, page)))
        swap_cache_remove(vm, page);
}

/* A page of its own in the old one's place; old: pinned, or the zero page. */
static enum quire_fault_result copy_page(struct fault *fault, struct quire_page *old)
{
    struct quire_vm *vm = fault->mm->vm;
    bool was_zero = old == vm->zero_page;
    if (anon_vma_prepare(fault->vma))
        return QUIRE_VM_OOM;
    struct quire_page *page =
        vm_alloc_page_at(fault->vma, fault->address, was_zero ? QUIRE_GFP_ZERO : 0);
    if (!page)
        return QUIRE_VM_OOM;
    if (!was_zero)
        page_copy(vm, page, old);
    page_set(page, PG_UPTODATE);
    rmap_new_anon(page, fault->vma, fault->address);
    uint64_t entry = writable(quire_page_to_phys(page) | QUIRE_PTE_PRESENT | fault->vma->prot);
    /* Once another thread can find it, it may be unmapped and gone. */
    lru_add(vm, page, fault->vma->flags);
    if (!fault_set_entry(fault, entry)) {
        rmap_remove(fault->mm, page);
        page_unuse(vm, page);
        return QUIRE_VM_MINOR;
    }
    if (!was_zero) {
        if (fault->vma->flags & VM_LOCKED) /* this area's lock goes with its entry */
            lru_munlock(vm, old);
        rmap_remove(fault->mm, old);
        page_unuse(vm, old);
    }
    return QUIRE_VM_MINOR;
}

/* An anonymous page, pinned, that isn't the writer's alone at first sight. Under its lock, so that
 * no other thread takes it over, and writes to it, while it is copied. */
static enum quire_fault_result write_anon(struct fault *fault, struct quire_page *page)
{
    enum quire_fault_result result = QUIRE_VM_MINOR;
    page_lock(page);
    leave_swap_cache(fault->mm->vm, page);
    if (reuse(fault, page, true))
        vm_count(fault->mm->vm, VM_PGREUSE, 1);
    else if (fault_entry_is_unchanged(fault))
        result = copy_page(fault, page);
    page_unlock(page);
    return result;
}

enum quire_fault_result fault_write(struct fault *fault)
{
    struct quire_vm *vm = fault->mm->vm;
    if (vma_is_shared(fault->vma))
        return fault_shared_write(fault);
    struct quire_page *page = quire_pfn_to_page(vm->mem, entry_pfn(&fault->mm->pt, fault->entry));
    if (page == vm->zero_page)
        return copy_page(fault, page);
    /* The page may be gone from here any time: what is read of it counts only if reuse finds the
     * entry as it was, under its lock. */
    if (reuse(fault, page, false)) {
        vm_count(vm, VM_PGREUSE, 1);
        return QUIRE_VM_MINOR;
    }
    page = fault_pin_page(fault);
    if (!page)
        return QUIRE_VM_MINOR;
    enum quire_fault_result result =
        page_is_anon(page) ? write_anon(fault, page) : copy_page(fault, page);
    vm_put_page(vm, page);
    return result;
}
