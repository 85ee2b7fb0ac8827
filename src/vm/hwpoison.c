/* vm/hwpoison.c: frames that are out of use (madvise(2), MADV_HWPOISON and MADV_SOFT_OFFLINE)
 *
 * A frame whose memory can't be trusted any more is never handed out again: this file keeps a
 * reference to it until the machine ends. What was in it
 *
 *     softly    moves to another frame before, and nobody notices
 *     at once   is lost. Entries that mapped it say so (ENTRY_POISON with the frame's number): who
 *               touches them gets SIGBUS with BUS_MCEERR_AR, and only an unmap, or advice that
 *               gives the page up, ends that. A file's clean page loses nothing, and is read anew;
 *               of a dirty one the next sync says -EIO; of shared memory the place in the mapping
 *               is marked, too
 *
 * Merged pages (ksm.h), which lead to no entries, stay, and so do, softly, pages that others pin:
 * -EBUSY. At once, what those write by their pins is lost, too.
 *
 *   invariant   a frame of the chain from bad_frames on has this file's reference, and no user
 *   source      Linux's mm/memory-failure.c
 */
#include "vm/cache.h"
#include "vm/fault.h"
#include "vm/ksm.h"
#include "vm/lru.h"
#include "vm/madvise.h"
#include "vm/mempolicy.h"
#include "vm/swap.h"

/* ---- which they are -------------------------------------------------------------------------- */

/* The root of no page: by it they are known. */
#define BAD_FRAME_ID MAX_ROOT_ID

/* The caller's pin is the reference that is kept. Whoever gave back the last user on another
 * processor, by an unmap say, may not have taken the page off its list yet: it goes before the
 * descriptor forgets which that is. */
static void keep(struct quire_vm *vm, struct quire_page *page)
{
    (void)lru_remove(vm, page);
    page_start(page);
    page_set_root(page, PAGE_KIND_NONE, BAD_FRAME_ID);
    quire_port_irq_t irq = vm_lock(vm);
    page_owner(page)->next = vm->bad_frames;
    vm->bad_frames = page->pfn;
    quire_store_relaxed(&vm->nr_bad_frames, vm->nr_bad_frames + 1);
    vm_unlock(vm, irq);
}

unsigned long nr_bad_frames(struct quire_vm *vm)
{
    return quire_load_relaxed(&vm->nr_bad_frames);
}

bool page_is_bad(const struct quire_page *page)
{
    return page_kind(page) == PAGE_KIND_NONE && page_root_id(page) == BAD_FRAME_ID;
}

void bad_frames_destroy(struct quire_vm *vm)
{
    while (vm->bad_frames != NO_PFN) {
        struct quire_page *page = quire_pfn_to_page(vm->mem, quire_pfn(vm->bad_frames));
        vm->bad_frames = page_owner(page)->next;
        vm_put_page(vm, page);
    }
    vm->nr_bad_frames = 0;
}

/* ---- at once --------------------------------------------------------------------------------- */

/* Whether all that have the page can be told: what a slot of swap should have, and doesn't yet, can
 * be told to nobody. */
static bool can_be_lost(struct quire_vm *vm, const struct quire_page *page)
{
    if (page_is_merged(page))
        return false;
    return !page_has(page, PG_SWAPCACHE) || !page_has(page, PG_DIRTY) ||
           !swap_count(vm, swap_cache_entry(vm, page));
}

static void leave_file(struct quire_mapping *file, struct quire_page *page)
{
    if (page_has(page, PG_DIRTY))
        cache_note_error(file, -QUIRE_EIO);
    cache_delete(file, page);
}

/* Out of the cache that it is in; no entry maps it. */
static void leave_cache(struct quire_vm *vm, struct root *root, struct quire_page *page)
{
    if (page_has(page, PG_SWAPCACHE))
        swap_cache_remove(vm, page);
    else if (page_kind(page) == PAGE_KIND_SHMEM)
        shmem_poison(mapping_of_root(root), page);
    else if (page_kind(page) == PAGE_KIND_FILE)
        leave_file(mapping_of_root(root), page);
}

/* The page is locked and pinned, and has a root. */
static int lose(struct quire_vm *vm, struct root *root, struct quire_page *page)
{
    bool is_copy =
        page_kind(page) == PAGE_KIND_FILE && !page_mkclean(vm, page) && !page_has(page, PG_DIRTY);
    if (!can_be_lost(vm, page))
        return -QUIRE_EBUSY;
    (void)!try_to_unmap(vm, page, UNMAP_IGNORE_LOCKED | (is_copy ? 0 : UNMAP_POISON));
    if (page_mapcount(page))
        return -QUIRE_EBUSY;
    if (page_is_cached(page))
        leave_cache(vm, root, page);
    return 0;
}

/* Gives the pin up if it fails. */
static int poison(struct quire_vm *vm, struct quire_page *page)
{
    page_lock(page);
    page_wait_writeback(page);
    struct root *root = root_of_page(vm, page);
    int error = root ? lose(vm, root, page) : -QUIRE_EBUSY;
    page_unlock(page);
    if (root)
        root_put(vm, root);
    if (error)
        vm_put_page(vm, page);
    return error;
}

/* ---- softly ---------------------------------------------------------------------------------- */

/* Gives the pin up if it fails. */
static int move_away(struct quire_vma *vma, quire_linear_t address, struct quire_page *page)
{
    struct quire_vm *vm = vma->mm->vm;
    struct quire_page *to = vm_alloc_page_at(vma, address, QUIRE_GFP_NOWARN | QUIRE_GFP_NORETRY);
    int error = to ? page_migrate_away(vm, page, to) : -QUIRE_ENOMEM;
    if (!to)
        vm_put_page(vm, page);
    return error == -QUIRE_EAGAIN ? -QUIRE_EBUSY : error;
}

/* ---- ranges ---------------------------------------------------------------------------------- */

/* The page at an address, brought there if it isn't, and pinned. -EFAULT: there can't be one;
 * -EBUSY: all share it; -ENOMEM. */
static int pin_at(struct quire_vma *vma, quire_linear_t address, struct quire_page **page)
{
    struct quire_mm *mm = vma->mm;
    struct fault at = {.vma = vma, .mm = mm, .address = address};
    if (!(vma->flags & VM_ACCESS))
        return -QUIRE_EFAULT;
    for (;;) {
        at.entry = quire_get_entry(&mm->pt, address);
        *page = entry_has_page(at.entry) ? fault_pin_page(&at) : NULL;
        if (*page)
            break;
        enum quire_fault_result result = fault_in_area(vma, address, 0);
        if (result > QUIRE_VM_MAJOR)
            return result == QUIRE_VM_OOM ? -QUIRE_ENOMEM : -QUIRE_EFAULT;
    }
    if (*page != mm->vm->zero_page)
        return 0;
    vm_put_page(mm->vm, *page);
    return -QUIRE_EBUSY;
}

static int take_out(struct quire_vma *vma, quire_linear_t address, bool softly)
{
    struct quire_vm *vm = vma->mm->vm;
    struct quire_page *page;
    int error = pin_at(vma, address, &page);
    if (!error)
        error = softly ? move_away(vma, address, page) : poison(vm, page);
    if (!error)
        keep(vm, page);
    return error;
}

/* Page by page, up to the first that can't go: those before it are gone. */
int take_out_of_use(struct quire_mm *mm, quire_linear_t start, quire_linear_t end, bool softly)
{
    int error = 0;
    for (; !error && start < end; start += QUIRE_PAGE_SIZE) {
        rwlock_read(&mm->lock);
        struct quire_vma *vma = vma_at(mm, start);
        error = vma ? take_out(vma, start, softly) : -QUIRE_EFAULT;
        rwlock_read_unlock(&mm->lock);
    }
    return error;
}
