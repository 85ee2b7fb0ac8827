/* vm/madvise.c: what a program says of its use of a range (man 2 madvise; Linux, mm/madvise.c)
 *
 * Advice about areas changes their flags, with the writer's lock; advice about pages
 * (madvise_pages.c) is for readers. Holes are passed over and reported at the end.
 */
#include "vm/madvise.h"

#include "vm/cache.h"
#include "vm/fault.h"
#include "vm/ksm.h"

#define LOW_BITS ((quire_linear_t)QUIRE_PAGE_SIZE - 1)

/* ---- flags of areas
 * ------------------------------------------------------------------------------ */

struct change {
    uint32_t set, clear;
};

/* 0; -EINVAL: not of this area. */
static int change_of(const struct quire_vma *vma, int advice, struct change *change)
{
    static const struct {
        int advice;
        struct change change;
    } changes[] = {
        {QUIRE_MADV_NORMAL, {0, VM_RAND_READ | VM_SEQ_READ}},
        {QUIRE_MADV_RANDOM, {VM_RAND_READ, VM_SEQ_READ}},
        {QUIRE_MADV_SEQUENTIAL, {VM_SEQ_READ, VM_RAND_READ}},
        {QUIRE_MADV_DONTFORK, {VM_DONTCOPY, 0}},
        {QUIRE_MADV_DOFORK, {0, VM_DONTCOPY}},
        {QUIRE_MADV_WIPEONFORK, {VM_WIPEONFORK, 0}},
        {QUIRE_MADV_KEEPONFORK, {0, VM_WIPEONFORK}},
        {QUIRE_MADV_DONTDUMP, {VM_DONTDUMP, 0}},
        {QUIRE_MADV_DODUMP, {0, VM_DONTDUMP}},
        {QUIRE_MADV_HUGEPAGE, {VM_HUGEPAGE, VM_NOHUGEPAGE}},
        {QUIRE_MADV_NOHUGEPAGE, {VM_NOHUGEPAGE, VM_HUGEPAGE}},
        {QUIRE_MADV_MERGEABLE, {VM_MERGEABLE, 0}},
        {QUIRE_MADV_UNMERGEABLE, {0, VM_MERGEABLE}},
    };
    if (advice == QUIRE_MADV_WIPEONFORK && (vma->mapping || vma_is_shared(vma)))
        return -QUIRE_EINVAL;
    for (size_t i = 0; i < sizeof changes / sizeof changes[0]; i++)
        if (changes[i].advice == advice)
            *change = changes[i].change;
    return 0;
}

static int advise_flags(struct quire_vma *vma, quire_linear_t start, quire_linear_t end, int advice)
{
    struct change change = {0, 0};
    int error = change_of(vma, advice, &change);
    if (error)
        return error;
    uint32_t flags = (vma->flags & ~change.clear) | change.set;
    return vma_modify(vma, start, end, flags) ? 0 : -QUIRE_EAGAIN; /* -ENOMEM says: a hole */
}

/* ---- areas
 * ---------------------------------------------------------------------------------------- */

enum lock_wanted { UNKNOWN_ADVICE, READER, WRITER };

static enum lock_wanted lock_for(int advice)
{
    switch (advice) {
    case QUIRE_MADV_WILLNEED:
    case QUIRE_MADV_DONTNEED:
    case QUIRE_MADV_DONTNEED_LOCKED:
    case QUIRE_MADV_FREE:
    case QUIRE_MADV_REMOVE:
    case QUIRE_MADV_COLD:
    case QUIRE_MADV_PAGEOUT:
    case QUIRE_MADV_POPULATE_READ:
    case QUIRE_MADV_POPULATE_WRITE:
        return READER;
    case QUIRE_MADV_NORMAL:
    case QUIRE_MADV_RANDOM:
    case QUIRE_MADV_SEQUENTIAL:
    case QUIRE_MADV_DONTFORK:
    case QUIRE_MADV_DOFORK:
    case QUIRE_MADV_WIPEONFORK:
    case QUIRE_MADV_KEEPONFORK:
    case QUIRE_MADV_DONTDUMP:
    case QUIRE_MADV_DODUMP:
    case QUIRE_MADV_HUGEPAGE:
    case QUIRE_MADV_NOHUGEPAGE:
    case QUIRE_MADV_MERGEABLE:
    case QUIRE_MADV_UNMERGEABLE:
        return WRITER;
    default:
        return UNKNOWN_ADVICE;
    }
}

/* What is there would be lost, who may not write notwithstanding. */
static bool is_sealed_from(const struct quire_vma *vma, int advice)
{
    switch (advice) {
    case QUIRE_MADV_DONTNEED:
    case QUIRE_MADV_DONTNEED_LOCKED:
    case QUIRE_MADV_FREE:
    case QUIRE_MADV_REMOVE:
    case QUIRE_MADV_DONTFORK:
    case QUIRE_MADV_WIPEONFORK:
        return vma->flags & VM_SEALED && !vma->mapping && !(vma->flags & VM_WRITE);
    default:
        return false;
    }
}

/* Of what can't be merged it says nothing, and is no error. */
static int advise_merging(struct quire_vma *vma, quire_linear_t start, quire_linear_t end,
                          int advice)
{
    struct quire_mm *mm = vma->mm;
    int error = 0;
    if (vma->flags & (VM_SHARED | VM_MAYSHARE | VM_DONTEXPAND))
        return 0;
    if (advice == QUIRE_MADV_UNMERGEABLE)
        error = vma->flags & VM_MERGEABLE ? ksm_unmerge_range(vma, start, end) : 0;
    else if (!(error = ksm_prepare(mm->vm)))
        quire_store_relaxed(&mm->has_mergeable, true);
    return error ? -QUIRE_EAGAIN : advise_flags(vma, start, end, advice);
}

static int advise_area(struct quire_vma *vma, quire_linear_t start, quire_linear_t end, int advice)
{
    bool locked = vma->flags & VM_LOCKED, is_anon = !vma->mapping;
    switch (advice) {
    case QUIRE_MADV_DONTNEED:
        if (locked)
            return -QUIRE_EINVAL;
        zap_range(vma, start, end);
        return 0;
    case QUIRE_MADV_DONTNEED_LOCKED:
        if (locked)
            mlock_pages(vma, start, end, false);
        zap_range(vma, start, end);
        return 0;
    case QUIRE_MADV_FREE:
        if (!is_anon || locked)
            return -QUIRE_EINVAL;
        advise_free(vma, start, end);
        return 0;
    case QUIRE_MADV_COLD:
    case QUIRE_MADV_PAGEOUT:
        if (locked)
            return -QUIRE_EINVAL;
        advise_cold(vma, start, end, advice == QUIRE_MADV_PAGEOUT);
        return 0;
    case QUIRE_MADV_WILLNEED:
        advise_willneed(vma, start, end);
        return 0;
    case QUIRE_MADV_POPULATE_READ:
    case QUIRE_MADV_POPULATE_WRITE:
        if (!(vma->flags & (advice == QUIRE_MADV_POPULATE_WRITE ? VM_WRITE : VM_READ)))
            return -QUIRE_EINVAL;
        return advise_populate(vma, start, end, advice == QUIRE_MADV_POPULATE_WRITE);
    case QUIRE_MADV_MERGEABLE:
    case QUIRE_MADV_UNMERGEABLE:
        return advise_merging(vma, start, end, advice);
    default:
        return advise_flags(vma, start, end, advice);
    }
}

/* Populating stops at a hole; all else goes on behind it. */
static int advise_range(struct quire_mm *mm, quire_linear_t start, quire_linear_t end, int advice)
{
    bool populates = advice == QUIRE_MADV_POPULATE_READ || advice == QUIRE_MADV_POPULATE_WRITE;
    int hole = 0;
    while (start < end) {
        struct quire_vma *vma = vma_above(mm, start);
        if (!vma || vma->start > start) {
            hole = -QUIRE_ENOMEM;
            if (!vma || vma->start >= end || populates)
                break;
            start = vma->start;
        }
        quire_linear_t to = vma->end < end ? vma->end : end;
        if (quire_unlikely(mm->has_sealed) && is_sealed_from(vma, advice))
            return -QUIRE_EPERM;
        int error = advise_area(vma, start, to, advice);
        if (error)
            return error;
        start = to;
    }
    return hole;
}

/* ---- MADV_REMOVE ----------------------------------------------------------------------------- */

/* What an area has of a range, in its mapping. */
struct part {
    struct quire_mapping *mapping; /* NULL: there is none */
    uint64_t at, size;
};

/* A file's owner would have to punch the hole into his store, and has no operation for it: Linux's
 * file systems without it refuse too. */
static int may_remove(const struct quire_vma *vma)
{
    const uint32_t needed = VM_SHARED | VM_WRITE;
    if (!vma->mapping || vma->flags & VM_LOCKED)
        return -QUIRE_EINVAL;
    if ((vma->flags & needed) != needed)
        return -QUIRE_EACCES;
    return vma->mapping->is_shmem ? 0 : -QUIRE_EOPNOTSUPP;
}

/* The part of [*start, end) in the lowest area, with a reference; *start is behind it then. *hole
 * is set when one was passed over. */
static int next_part(struct quire_mm *mm, quire_linear_t *start, quire_linear_t end,
                     struct part *part, int *hole)
{
    const struct quire_vma *vma = vma_above(mm, *start);
    part->mapping = NULL;
    if (!vma || vma->start > *start)
        *hole = -QUIRE_ENOMEM;
    if (!vma || vma->start >= end)
        return 0;
    quire_linear_t from = vma->start > *start ? vma->start : *start;
    int error = may_remove(vma);
    if (error)
        return error;
    *start = vma->end < end ? vma->end : end;
    *part = (struct part){vma->mapping, vma_index(vma, from) << QUIRE_PAGE_SHIFT, *start - from};
    quire_mapping_get(part->mapping);
    return 0;
}

/* Shared memory loses the range, for all who map it. The mapping is kept while the lock is let go,
 * since a truncation takes it from outside. */
static int remove_range(struct quire_mm *mm, quire_linear_t start, quire_linear_t end)
{
    int hole = 0;
    while (start < end) {
        struct part part;
        rwlock_read(&mm->lock);
        int error = next_part(mm, &start, end, &part, &hole);
        rwlock_read_unlock(&mm->lock);
        if (error || !part.mapping)
            return error ? error : hole;
        error = quire_mapping_punch(part.mapping, part.at, part.size);
        quire_mapping_put(part.mapping);
        if (error)
            return error;
    }
    return hole;
}

/* ---- the call -------------------------------------------------------------------------------- */

int quire_madvise(struct quire_mm *mm, quire_linear_t address, uint64_t length, int advice)
{
    enum lock_wanted lock = lock_for(advice);
    uint64_t size = (length + LOW_BITS) & ~(uint64_t)LOW_BITS, sum = address + size;
    quire_linear_t end = range_end(sum);
    bool breaks = advice == QUIRE_MADV_HWPOISON || advice == QUIRE_MADV_SOFT_OFFLINE;
    if ((lock == UNKNOWN_ADVICE && !breaks) || address & LOW_BITS || (length && !size) ||
        sum < address)
        return -QUIRE_EINVAL;
    if (!size)
        return 0;
    if (breaks)
        return take_out_of_use(mm, address, end, advice == QUIRE_MADV_SOFT_OFFLINE);
    if (advice == QUIRE_MADV_REMOVE)
        return remove_range(mm, address, end);
    if (lock == WRITER)
        rwlock_write(&mm->lock);
    else
        rwlock_read(&mm->lock);
    int error = advise_range(mm, address, end, advice);
    if (lock == WRITER)
        rwlock_write_unlock(&mm->lock);
    else
        rwlock_read_unlock(&mm->lock);
    return error;
}
