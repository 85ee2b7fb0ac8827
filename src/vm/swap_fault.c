/* vm/swap_fault.c: faults on entries that aren't present but say something
 *
 * A migration entry: its page is being moved; wait for it. A swap entry: the page comes back from
 * the swap cache or its slot, and is mapped. Who writes, and is the last who means the slot, takes
 * the page over, and the slot is free. Else it is mapped read-only: while it isn't written the slot
 * stays its copy, so that evicting it again costs no write, until swap is half full. Others who
 * mean the slot find the page in the cache.
 *
 * Roots. A page that was never out of memory since it was written still has its root. One that was
 * read anew has none: its root is the area's own anon_vma if nobody else means the slot, and the
 * family's first one otherwise, which leads to all that may.
 */
#include "vm/fault.h"
#include "vm/lru.h"
#include "vm/mempolicy.h"
#include "vm/swap_area.h"

static enum quire_fault_result wait_for_migration(struct fault *fault)
{
    quire_pfn_t pfn = quire_pfn((unsigned long)entry_offset(fault->entry));
    page_wait_locked(quire_pfn_to_page(fault->mm->vm->mem, pfn));
    return QUIRE_VM_MINOR;
}

static enum quire_fault_result result_of(int error)
{
    switch (error) {
    case -QUIRE_EAGAIN:
        return QUIRE_VM_MINOR;
    case -QUIRE_ENOMEM:
        return QUIRE_VM_OOM;
    default:
        return QUIRE_VM_BUS_ADRERR;
    }
}

/* Nobody but this entry means the slot, and nobody but the cache uses the page. */
static bool is_last(struct fault *fault, struct quire_page *page)
{
    return page_users(page) == 1 && swap_count(fault->mm->vm, fault->entry) == 1;
}

/* swapoff brings pages back wherever they are, in areas of PROT_NONE too. */
static uint64_t entry_for(const struct fault *fault, const struct quire_page *page, bool writes)
{
    uint64_t entry = quire_page_to_phys(page) | QUIRE_PTE_ACCESSED |
                     (fault->vma->prot & ~(uint64_t)QUIRE_PTE_WRITE);
    if (quire_unlikely(fault->entry & ENTRY_WP_AWAY))
        entry |= ENTRY_WP;
    if (quire_unlikely(!(fault->vma->flags & VM_ACCESS)))
        return entry | ENTRY_PROTNONE;
    entry |= QUIRE_PTE_PRESENT;
    return writes ? entry | QUIRE_PTE_WRITE | QUIRE_PTE_DIRTY : entry;
}

/* The page, which is locked and pinned, into the entry. 0; -EAGAIN: the entry changed; -ENOMEM: the
 * page has as many users as there can be. */
static int map_page(struct fault *fault, struct quire_page *page)
{
    struct quire_vm *vm = fault->mm->vm;
    bool last = is_last(fault, page);
    bool writes = last && fault->flags & QUIRE_FAULT_FLAG_WRITE;
    if (!page_root_id(page))
        rmap_set_anon(page, fault->vma, fault->address, last);
    if (!rmap_add(fault->mm, page))
        return -QUIRE_ENOMEM;
    if (!fault_set_entry(fault, entry_for(fault, page, writes))) {
        rmap_remove(fault->mm, page);
        page_drop_user(vm, page);
        return -QUIRE_EAGAIN;
    }
    mm_add_rss(fault->mm, RSS_SWAP, -1);
    bool leaves = writes || fault->vma->flags & VM_LOCKED || swap_wants_slot_back(vm, fault->entry);
    swap_free(vm, fault->entry);
    if (leaves && !swap_count(vm, fault->entry))
        swap_cache_remove(vm, page);
    if (fault->vma->flags & VM_LOCKED)
        lru_mlock(vm, page);
    return 0;
}

enum quire_fault_result fault_swap_gfp(struct fault *fault, quire_gfp_t extra)
{
    struct quire_vm *vm = fault->mm->vm;
    bool major;
    int error;
    if (anon_vma_prepare(fault->vma))
        return QUIRE_VM_OOM;
    if (quire_unlikely(fault->entry & ENTRY_WP_AWAY))
        fault->flags &= ~QUIRE_FAULT_FLAG_WRITE; /* the write is the next fault */
    const struct alloc_place place = {fault->vma, fault->vma->mapping,
                                      vma_index(fault->vma, fault->address)};
    struct quire_page *page = swap_in_gfp(vm, fault->entry, &place, extra, &major, &error);
    if (!page)
        return result_of(error);
    bool shared = fault->flags & QUIRE_FAULT_FLAG_WRITE && !is_last(fault, page);
    error = map_page(fault, page);
    uint64_t entry = entry_for(fault, page, false);
    page_unlock(page);
    vm_put_page(vm, page);
    enum quire_fault_result result = major ? QUIRE_VM_MAJOR : QUIRE_VM_MINOR;
    if (error == -QUIRE_ENOMEM)
        return QUIRE_VM_OOM;
    if (error || !shared)
        return result;
    /* Others have it: the writer gets a copy, by the same call rather than by another fault. */
    fault->entry = entry;
    enum quire_fault_result copied = fault_write(fault);
    return copied > QUIRE_VM_MAJOR ? copied : result;
}

enum quire_fault_result fault_swap(struct fault *fault)
{
    if (entry_is_migration(fault->entry))
        return wait_for_migration(fault);
    if (!entry_is_swap(fault->entry))
        return entry_is_bad_frame(fault->entry) ? QUIRE_VM_BUS_MCEERR : QUIRE_VM_BUS_ADRERR;
    return fault_swap_gfp(fault, 0);
}
