/* vm/userfault.c: faults that a program sees to itself (man 2 userfaultfd; Linux, fs/userfaultfd.c,
 * mm/userfaultfd.c)
 *
 * A fault in a watched area comes to FAULT_WAITS where a page is missing, or protected from writes;
 * whoever has no lock then calls the monitor's `wait`. Pages are filled in by readers, as faults do
 * it: an entry that isn't empty any more is -EEXIST. Protection is a bit of the entry, ENTRY_WP,
 * which goes with it: into swap entries and migration entries (ENTRY_WP_AWAY) and back. It changes
 * with the writer's lock, so no fault is under way; but reclaim and migration may be, so entries
 * are replaced against what was seen.
 *
 *   invariant   an area has a monitor if and only if it has a flag of VM_UFFD; it has no file then
 *   invariant   an entry with ENTRY_WP can't be written
 */
#include "vm/userfault.h"

#include "vm/fault.h"
#include "vm/mempolicy.h"

#define LOW_BITS ((quire_linear_t)QUIRE_PAGE_SIZE - 1)

/* ---- monitors -------------------------------------------------------------------------------- */

int quire_userfault_create(struct quire_userfault **monitor, struct quire_mm *mm,
                           const struct quire_userfault_config *config)
{
    struct quire_userfault *new = quire_kzalloc(mm->vm->slab, sizeof *new, QUIRE_GFP_KERNEL);
    if (!new)
        return -QUIRE_ENOMEM;
    mm_ref(mm);
    new->mm = mm;
    new->nr_refs = 1;
    new->config = *config;
    *monitor = new;
    return 0;
}

void userfault_put_last(struct quire_userfault *monitor)
{
    struct quire_slab *slab = monitor->mm->vm->slab;
    struct quire_userfault_config config = monitor->config;
    mm_unref(monitor->mm);
    quire_kfree(slab, monitor);
    config.release(config.arg);
}

void quire_userfault_destroy(struct quire_userfault *monitor)
{
    struct quire_mm *mm = monitor->mm;
    rwlock_write(&mm->lock);
    for (struct quire_vma *vma = vma_above(mm, 0); vma; vma = vma_next(vma))
        if (vma->userfault == monitor) {
            userfault_unwatch(vma);
            vma = vma_merge(vma);
        }
    rwlock_write_unlock(&mm->lock);
    userfault_put(monitor);
}

/* ---- waiting --------------------------------------------------------------------------------- */

static bool entry_waits(const struct quire_vma *vma, uint64_t entry, bool write)
{
    if (!entry)
        return vma->flags & VM_UFFD_MISSING;
    return write && entry_present(entry) && entry & ENTRY_WP && vma->flags & VM_UFFD_WP;
}

enum quire_fault_result userfault_wait(struct quire_vma *vma, quire_linear_t address,
                                       unsigned flags)
{
    struct quire_mm *mm = vma->mm;
    struct quire_userfault *monitor = userfault_get(vma->userfault);
    unsigned reason =
        quire_get_entry(&mm->pt, address) ? QUIRE_USERFAULT_WP : QUIRE_USERFAULT_MISSING;
    rwlock_read_unlock(&mm->lock);
    int error = monitor->config.wait(monitor->config.arg, address, reason, flags);
    userfault_put(monitor);
    return error ? QUIRE_VM_BUS_ADRERR : QUIRE_VM_MINOR;
}

bool quire_userfault_waits(struct quire_userfault *monitor, quire_linear_t address, bool write)
{
    struct quire_mm *mm = monitor->mm;
    quire_linear_t at = address & ~LOW_BITS;
    rwlock_read(&mm->lock);
    const struct quire_vma *vma = vma_at(mm, at);
    bool waits =
        vma && vma->userfault == monitor && entry_waits(vma, quire_get_entry(&mm->pt, at), write);
    rwlock_read_unlock(&mm->lock);
    return waits;
}

/* ---- protection ------------------------------------------------------------------------------ */

struct protecting {
    struct quire_vma *vma;
    struct quire_tlb_batch batch;
    bool protect;
};

static uint64_t wanted(uint64_t entry, bool protect)
{
    if (!entry_has_page(entry))
        return protect ? entry | ENTRY_WP_AWAY : entry & ~(uint64_t)ENTRY_WP_AWAY;
    return protect ? (entry | ENTRY_WP) & ~(uint64_t)QUIRE_PTE_WRITE : entry & ~ENTRY_WP;
}

static bool can_have_page(uint64_t entry)
{
    return entry_has_page(entry) || entry_is_swap(entry) || entry_is_migration(entry);
}

static int protect_run(void *arg, const struct quire_pt_run *run)
{
    struct protecting *p = arg;
    struct quire_pgtable *pt = &p->vma->mm->pt;
    for (unsigned i = 0; i < run->count; i++) {
        const quire_linear_t at = run->virt + (quire_linear_t)i * QUIRE_PAGE_SIZE;
        uint64_t entry = run->entry[i];
        int error = -QUIRE_EAGAIN;
        while (error == -QUIRE_EAGAIN && can_have_page(entry)) {
            uint64_t to = wanted(entry, p->protect);
            error = entry_present(entry) ? quire_update_entry(pt, at, &entry, to, &p->batch)
                                         : quire_cmpxchg_entry(pt, at, &entry, to);
        }
    }
    return 0;
}

static void protect_entries(struct quire_vma *vma, quire_linear_t start, quire_linear_t end,
                            bool protect)
{
    struct protecting p = {.vma = vma, .protect = protect};
    rmap_wait_for_walks(vma);
    quire_tlb_batch_init(&p.batch, &vma->mm->pt);
    (void)quire_visit_range(&vma->mm->pt, start, end - start, QUIRE_VISIT_NOT_PRESENT, protect_run,
                            &p);
    quire_tlb_flush(&p.batch);
}

void userfault_unprotect(struct quire_vma *vma)
{
    protect_entries(vma, vma->start, vma->end, false);
}

void userfault_unwatch(struct quire_vma *vma)
{
    struct quire_userfault *monitor = vma->userfault;
    if (!monitor)
        return;
    if (vma->flags & VM_UFFD_WP)
        userfault_unprotect(vma);
    vma->userfault = NULL;
    vma_set_flags(vma, vma->flags & ~VM_UFFD);
    area_tell(vma);
    userfault_put(monitor);
}

/* ---- ranges ---------------------------------------------------------------------------------- */

static bool is_range(const struct quire_mm *mm, quire_linear_t start, uint64_t length)
{
    return !((start | length) & LOW_BITS) && length && start >= mm->layout.min_addr &&
           start < mm->layout.end && length <= mm->layout.end - start;
}

/* Whether all that is in the range may be watched by the monitor, or no longer be (modes 0). */
static int check_areas(struct quire_mm *mm, quire_linear_t start, quire_linear_t end,
                       uint32_t modes, const struct quire_userfault *monitor)
{
    const struct quire_vma *vma = vma_above(mm, start);
    if (!vma)
        return -QUIRE_ENOMEM;
    if (vma->start >= end)
        return -QUIRE_EINVAL;
    for (; vma && vma->start < end; vma = vma_next(vma)) {
        if (vma->mapping || vma_is_shared(vma))
            return -QUIRE_EINVAL;
        if (modes && !(vma->flags & VM_MAYWRITE))
            return -QUIRE_EPERM;
        if (vma->userfault && vma->userfault != monitor)
            return modes ? -QUIRE_EBUSY : -QUIRE_EINVAL;
    }
    return 0;
}

/* `modes` are VM_UFFD's flags; 0: no longer. */
static int set_areas(struct quire_mm *mm, quire_linear_t start, quire_linear_t end, uint32_t modes,
                     struct quire_userfault *monitor)
{
    int error = check_areas(mm, start, end, modes, monitor);
    for (quire_linear_t to; !error && start < end; start = to) {
        struct quire_vma *vma = vma_above(mm, start);
        if (!vma || vma->start >= end)
            break;
        quire_linear_t from = vma->start > start ? vma->start : start;
        uint32_t old = vma->flags;
        to = vma->end < end ? vma->end : end;
        vma = vma_set_userfault(vma, from, to, (old & ~VM_UFFD) | modes, modes ? monitor : NULL);
        if (!vma)
            return -QUIRE_ENOMEM;
        if (old & ~modes & VM_UFFD_WP)
            protect_entries(vma, from, to, false);
    }
    return error;
}

int quire_userfault_register(struct quire_userfault *monitor, quire_linear_t start, uint64_t length,
                             unsigned modes)
{
    const unsigned known = QUIRE_USERFAULT_MISSING | QUIRE_USERFAULT_WP;
    struct quire_mm *mm = monitor->mm;
    if (!modes || modes & ~known || !is_range(mm, start, length))
        return -QUIRE_EINVAL;
    uint32_t flags = (modes & QUIRE_USERFAULT_MISSING ? VM_UFFD_MISSING : 0) |
                     (modes & QUIRE_USERFAULT_WP ? VM_UFFD_WP : 0);
    rwlock_write(&mm->lock);
    int error = set_areas(mm, start, start + length, flags, monitor);
    rwlock_write_unlock(&mm->lock);
    return error;
}

int quire_userfault_unregister(struct quire_userfault *monitor, quire_linear_t start,
                               uint64_t length)
{
    struct quire_mm *mm = monitor->mm;
    if (!is_range(mm, start, length))
        return -QUIRE_EINVAL;
    rwlock_write(&mm->lock);
    int error = set_areas(mm, start, start + length, 0, monitor);
    rwlock_write_unlock(&mm->lock);
    return error;
}

/* ---- what the monitor does ------------------------------------------------------------------- */

/* The rights of a page that is filled in, whatever the area allows by now. */
static uint64_t rights_in(const struct quire_vma *vma, bool write, bool protect)
{
    uint64_t wp = protect ? ENTRY_WP : 0;
    if (!(vma->flags & VM_ACCESS))
        return ENTRY_PROTNONE | wp;
    return QUIRE_PTE_PRESENT | wp |
           (write && !protect && vma->flags & VM_WRITE ? QUIRE_PTE_WRITE : 0);
}

static int fill_bytes(struct fault *fault, const void *bytes, bool protect)
{
    struct quire_vm *vm = fault->mm->vm;
    if (anon_vma_prepare(fault->vma))
        return -QUIRE_ENOMEM;
    struct quire_page *page = vm_alloc_page_at(fault->vma, fault->address, 0);
    if (!page)
        return -QUIRE_ENOMEM;
    page_write(vm, page, 0, bytes, QUIRE_PAGE_SIZE);
    return fault_map_anon(fault, page, rights_in(fault->vma, true, protect));
}

static int fill_zero(struct fault *fault)
{
    const struct quire_vma *vma = fault->vma;
    return fault_fill_entry(fault, quire_page_to_phys(fault->mm->vm->zero_page) |
                                       rights_in(vma, false, false) | QUIRE_PTE_ACCESSED |
                                       (vma->prot & ~(uint64_t)QUIRE_PTE_WRITE));
}

static int fill(struct quire_vma *vma, quire_linear_t at, enum quire_userfault_fill how,
                const void *bytes, bool protect)
{
    struct fault fault = {.vma = vma, .mm = vma->mm, .address = at};
    if (quire_get_entry(&vma->mm->pt, at))
        return -QUIRE_EEXIST;
    int error = how == QUIRE_USERFAULT_BYTES ? fill_bytes(&fault, bytes, protect)
                : how == QUIRE_USERFAULT_ZERO
                    ? fill_zero(&fault)
                    : fault_fill_entry(&fault, entry_make(ENTRY_POISON, 0));
    return error == -QUIRE_EAGAIN ? -QUIRE_EEXIST : error;
}

/* An address space without users has no areas, or will have none. */
static int nothing_watched(struct quire_mm *mm)
{
    return quire_load_relaxed(&mm->nr_users) ? -QUIRE_ENOENT : -QUIRE_ESRCH;
}

/* The watched area that has all of the range; NULL. */
static struct quire_vma *watched(struct quire_mm *mm, quire_linear_t start, uint64_t length)
{
    struct quire_vma *vma = vma_at(mm, start);
    return vma && vma->userfault && vma->end - start >= length ? vma : NULL;
}

int quire_userfault_fill(struct quire_userfault *monitor, quire_linear_t at, uint64_t length,
                         enum quire_userfault_fill how, const void *bytes, bool protect)
{
    struct quire_mm *mm = monitor->mm;
    if (!is_range(mm, at, length))
        return -QUIRE_EINVAL;
    rwlock_read(&mm->lock);
    struct quire_vma *vma = watched(mm, at, length);
    int error = nothing_watched(mm);
    if (vma)
        error = protect && !(vma->flags & VM_UFFD_WP) ? -QUIRE_EINVAL
                                                      : fill(vma, at, how, bytes, protect);
    rwlock_read_unlock(&mm->lock);
    return error;
}

int quire_userfault_protect(struct quire_userfault *monitor, quire_linear_t start, uint64_t length,
                            bool protect)
{
    struct quire_mm *mm = monitor->mm;
    if (!is_range(mm, start, length))
        return -QUIRE_EINVAL;
    rwlock_write(&mm->lock);
    struct quire_vma *vma = watched(mm, start, length);
    bool found = vma && vma->flags & VM_UFFD_WP;
    if (found)
        protect_entries(vma, start, start + length, protect);
    rwlock_write_unlock(&mm->lock);
    return found ? 0 : nothing_watched(mm);
}
