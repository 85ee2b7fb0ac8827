/* vm/mlock.c: memory that stays (man 2 mlock; Linux, mm/mlock.c)
 *
 * An area that is locked says so; its pages are faulted in, and lie on the unevictable list as long
 * as some locked area maps them.
 */
#include "vm/area.h"
#include "vm/fault.h"
#include "vm/lru.h"

#define LOW_BITS ((quire_linear_t)QUIRE_PAGE_SIZE - 1)
#define LOCK_FLAGS (VM_LOCKED | VM_LOCKONFAULT)

int mm_may_lock(const struct quire_mm *mm, uint32_t flags, uint64_t pages)
{
    if (!(flags & VM_LOCKED))
        return 0;
    uint64_t limit = mm->limit[QUIRE_LIMIT_MEMLOCK] >> QUIRE_PAGE_SHIFT;
    return mm->locked_vm + pages > limit ? -QUIRE_EAGAIN : 0;
}

/* ---- pages ----------------------------------------------------------------------------------- */

struct locking {
    struct quire_vma *vma;
    bool lock;
};

static int lock_run(void *arg, const struct quire_pt_run *run)
{
    const struct locking *l = arg;
    struct quire_mm *mm = l->vma->mm;
    for (unsigned i = 0; i < run->count; i++) {
        struct fault at = {
            .vma = l->vma,
            .mm = mm,
            .address = run->virt + (quire_linear_t)i * QUIRE_PAGE_SIZE,
            .entry = run->entry[i],
        };
        struct quire_page *page = entry_has_page(at.entry) ? fault_pin_page(&at) : NULL;
        if (!page)
            continue;
        if (page != mm->vm->zero_page)
            (l->lock ? lru_mlock : lru_munlock)(mm->vm, page);
        vm_put_page(mm->vm, page);
    }
    return 0;
}

void mlock_pages(struct quire_vma *vma, quire_linear_t start, quire_linear_t end, bool lock)
{
    struct locking locking = {vma, lock};
    /* Pages without rights (PROT_NONE) are there, too. */
    (void)!quire_visit_range(&vma->mm->pt, start, end - start, QUIRE_VISIT_NOT_PRESENT, lock_run,
                             &locking);
}

int mm_populate_locked(struct quire_mm *mm, quire_linear_t start, quire_linear_t end,
                       bool pass_errors)
{
    int first = 0;
    struct quire_vma *vma = vma_above(mm, start);
    for (; vma && vma->start < end; vma = vma_next(vma)) {
        if ((vma->flags & LOCK_FLAGS) != VM_LOCKED)
            continue;
        quire_linear_t from = vma->start > start ? vma->start : start;
        quire_linear_t to = vma->end < end ? vma->end : end;
        int error = populate_range(mm, from, to, POPULATE_AHEAD);
        if (error && !pass_errors)
            return error;
        first = first ? first : error;
    }
    return first;
}

/* ---- areas ----------------------------------------------------------------------------------- */

static int lock_area(struct quire_vma *vma, quire_linear_t start, quire_linear_t end, uint32_t lock)
{
    struct quire_mm *mm = vma->mm;
    uint32_t old = vma->flags, flags = (old & ~LOCK_FLAGS) | lock;
    long pages = (long)((end - start) >> QUIRE_PAGE_SHIFT);
    if (old == flags)
        return 0;
    vma = vma_modify(vma, start, end, flags);
    if (!vma)
        return -QUIRE_ENOMEM;
    mm_count(mm, old, -pages);
    mm_count(mm, flags, pages);
    if ((old ^ flags) & VM_LOCKED)
        mlock_pages(vma, start, end, flags & VM_LOCKED);
    return 0;
}

/* Up to the first hole, which is -ENOMEM. */
static int lock_range(struct quire_mm *mm, quire_linear_t start, quire_linear_t end, uint32_t lock)
{
    while (start < end) {
        struct quire_vma *vma = vma_at(mm, start);
        if (!vma)
            return -QUIRE_ENOMEM;
        quire_linear_t to = vma->end < end ? vma->end : end;
        int error = lock_area(vma, start, to, lock);
        if (error)
            return error;
        start = to;
    }
    return 0;
}

static unsigned long locked_pages(struct quire_mm *mm, quire_linear_t start, quire_linear_t end)
{
    unsigned long pages = 0;
    for (struct quire_vma *vma = vma_above(mm, start); vma && vma->start < end;
         vma = vma_next(vma)) {
        quire_linear_t from = vma->start > start ? vma->start : start;
        quire_linear_t to = vma->end < end ? vma->end : end;
        if (vma->flags & VM_LOCKED)
            pages += (unsigned long)((to - from) >> QUIRE_PAGE_SHIFT);
    }
    return pages;
}

static int check_limit(struct quire_mm *mm, quire_linear_t start, quire_linear_t end)
{
    uint64_t limit = mm->limit[QUIRE_LIMIT_MEMLOCK] >> QUIRE_PAGE_SHIFT;
    uint64_t locked = mm->locked_vm + ((end - start) >> QUIRE_PAGE_SHIFT);
    if (locked > limit)
        locked -= locked_pages(mm, start, end);
    return locked > limit ? -QUIRE_ENOMEM : 0;
}

/* Whole pages that hold [address, address + length). 0; -EINVAL. */
static int page_range(quire_linear_t address, uint64_t length, quire_linear_t *start,
                      quire_linear_t *end)
{
    *start = address & ~LOW_BITS;
    uint64_t sum = (address + length + LOW_BITS) & ~(uint64_t)LOW_BITS;
    *end = range_end(sum);
    return sum < *start || address + length < address ? -QUIRE_EINVAL : 0;
}

/* mlock's errors are POSIX's. */
static int error_of_populate(int error)
{
    return error == -QUIRE_EFAULT ? -QUIRE_ENOMEM : error == -QUIRE_ENOMEM ? -QUIRE_EAGAIN : error;
}

int quire_mlock(struct quire_mm *mm, quire_linear_t address, uint64_t length, unsigned flags)
{
    quire_linear_t start, end;
    if (flags & ~QUIRE_MLOCK_ONFAULT)
        return -QUIRE_EINVAL;
    if (!quire_mm_limit(mm, QUIRE_LIMIT_MEMLOCK))
        return -QUIRE_EPERM;
    int error = page_range(address, length, &start, &end);
    if (error)
        return error;
    rwlock_write(&mm->lock);
    error = check_limit(mm, start, end);
    if (!error)
        error = lock_range(mm, start, end, flags & QUIRE_MLOCK_ONFAULT ? LOCK_FLAGS : VM_LOCKED);
    rwlock_downgrade(&mm->lock);
    if (!error)
        error = error_of_populate(mm_populate_locked(mm, start, end, false));
    rwlock_read_unlock(&mm->lock);
    return error;
}

int quire_munlock(struct quire_mm *mm, quire_linear_t address, uint64_t length)
{
    quire_linear_t start, end;
    int error = page_range(address, length, &start, &end);
    if (error)
        return error;
    rwlock_write(&mm->lock);
    error = lock_range(mm, start, end, 0);
    rwlock_write_unlock(&mm->lock);
    return error;
}

static void lock_all(struct quire_mm *mm, uint32_t lock)
{
    quire_linear_t at = 0;
    for (struct quire_vma *vma; (vma = vma_above(mm, at));) {
        at = vma->end;
        (void)lock_area(vma, vma->start, vma->end, lock);
    }
}

int quire_mlockall(struct quire_mm *mm, unsigned flags)
{
    if (!(flags & (QUIRE_MCL_CURRENT | QUIRE_MCL_FUTURE)) ||
        flags & ~(QUIRE_MCL_CURRENT | QUIRE_MCL_FUTURE | QUIRE_MCL_ONFAULT))
        return -QUIRE_EINVAL;
    uint32_t lock = flags & QUIRE_MCL_ONFAULT ? LOCK_FLAGS : VM_LOCKED;
    int error = 0;
    rwlock_write(&mm->lock);
    uint64_t limit = mm->limit[QUIRE_LIMIT_MEMLOCK];
    if (!limit)
        error = -QUIRE_EPERM;
    else if (flags & QUIRE_MCL_CURRENT && mm->total_vm > limit >> QUIRE_PAGE_SHIFT)
        error = -QUIRE_ENOMEM;
    if (!error)
        mm->def_flags = flags & QUIRE_MCL_FUTURE ? lock : 0;
    if (!error && flags & QUIRE_MCL_CURRENT)
        lock_all(mm, lock);
    rwlock_downgrade(&mm->lock);
    if (!error && flags & QUIRE_MCL_CURRENT)
        (void)mm_populate_locked(mm, 0, mm->layout.end, true);
    rwlock_read_unlock(&mm->lock);
    return error;
}

int quire_munlockall(struct quire_mm *mm)
{
    rwlock_write(&mm->lock);
    mm->def_flags = 0;
    lock_all(mm, 0);
    rwlock_write_unlock(&mm->lock);
    return 0;
}
