/* vm/mprotect.c: other rights for a range (man 2 mprotect; Linux, mm/mprotect.c) */
#include "vm/area.h"
#include "vm/fault.h"

#define LOW_BITS ((quire_linear_t)QUIRE_PAGE_SIZE - 1)
#define PROT_SEM 0x8u /* accepted, and means nothing */
#define KNOWN_BITS                                                                                 \
    (QUIRE_PROT_READ | QUIRE_PROT_WRITE | QUIRE_PROT_EXEC | PROT_SEM | QUIRE_PROT_GROWSDOWN |      \
     QUIRE_PROT_GROWSUP)

/* A private area that becomes writable may come to need as much memory as it is large. */
static bool becomes_accountable(uint32_t old, uint32_t new)
{
    return new &VM_WRITE && !(old & (VM_ACCOUNT | VM_WRITE | VM_SHARED | VM_NORESERVE));
}

static int protect_area(struct quire_vma *vma, quire_linear_t start, quire_linear_t end,
                        uint32_t flags)
{
    struct quire_mm *mm = vma->mm;
    uint32_t old = vma->flags;
    long pages = (long)((end - start) >> QUIRE_PAGE_SHIFT);
    bool accounts = becomes_accountable(old, flags);
    if (flags == old)
        return 0;
    if (flags & VM_WRITE && !(old & (VM_WRITE | VM_SHARED)) &&
        !mm_may_expand(mm, flags, (uint64_t)pages) && mm_may_expand(mm, old, (uint64_t)pages))
        return -QUIRE_ENOMEM; /* the data limit; the total stays */
    if (accounts && vm_commit(mm->vm, mm, pages))
        return -QUIRE_ENOMEM;
    flags |= accounts ? VM_ACCOUNT : 0;
    vma = vma_modify(vma, start, end, flags);
    if (!vma) {
        vm_uncommit(mm->vm, accounts ? pages : 0);
        return -QUIRE_ENOMEM;
    }
    mm_count(mm, old, -pages);
    mm_count(mm, flags, pages);
    int error = change_protection(vma, start, end, old);
    QUIRE_BUG_ON(error); /* there are no huge pages to split */
    if ((old & (VM_WRITE | VM_SHARED | VM_LOCKED)) == VM_LOCKED && flags & VM_WRITE)
        (void)mm_populate_locked(mm, start, end, true);
    return 0;
}

static int protect_range(struct quire_mm *mm, struct quire_vma *vma, quire_linear_t start,
                         quire_linear_t end, unsigned prot)
{
    for (;;) {
        quire_linear_t to = vma->end < end ? vma->end : end;
        uint32_t flags = (vma->flags & ~VM_ACCESS) | (prot & VM_ACCESS);
        if (flags & ~(flags >> 4) & VM_ACCESS)
            return -QUIRE_EACCES;
        int error = protect_area(vma, start, to, flags);
        if (error || to == end)
            return error;
        start = to;
        vma = vma_at(mm, start);
        if (!vma)
            return -QUIRE_ENOMEM;
    }
}

static int protect_locked(struct quire_mm *mm, quire_linear_t start, quire_linear_t end,
                          unsigned prot)
{
    struct quire_vma *vma = vma_above(mm, start);
    if (!vma)
        return -QUIRE_ENOMEM;
    if (prot & QUIRE_PROT_GROWSDOWN) {
        if (vma->start >= end)
            return -QUIRE_ENOMEM;
        if (!(vma->flags & VM_GROWSDOWN))
            return -QUIRE_EINVAL;
        start = vma->start;
    } else if (vma->start > start) {
        return -QUIRE_ENOMEM;
    } else if (prot & QUIRE_PROT_GROWSUP) {
        return -QUIRE_EINVAL; /* no area of x86 grows up */
    }
    return protect_range(mm, vma, start, end, prot);
}

int quire_mprotect(struct quire_mm *mm, quire_linear_t address, uint64_t length, unsigned prot)
{
    const unsigned grows = QUIRE_PROT_GROWSDOWN | QUIRE_PROT_GROWSUP;
    if ((prot & grows) == grows || address & LOW_BITS)
        return -QUIRE_EINVAL;
    if (!length)
        return 0;
    uint64_t sum = address + ((length + LOW_BITS) & ~(uint64_t)LOW_BITS);
    quire_linear_t end = range_end(sum);
    if (sum <= address || length > UINT64_MAX - LOW_BITS)
        return -QUIRE_ENOMEM;
    if (prot & ~KNOWN_BITS)
        return -QUIRE_EINVAL;
    rwlock_write(&mm->lock);
    int error = -QUIRE_EPERM;
    if (quire_likely(!mm->has_sealed) || !mm_is_sealed(mm, address, end))
        error = protect_locked(mm, address, end, prot);
    rwlock_write_unlock(&mm->lock);
    return error;
}
