/* vm/remap_file.c: pages of a shared mapping in another order (man 2 remap_file_pages)
 *
 * As Linux since 4.0: the range becomes an area of its own, of the same file with another offset.
 */
#include "vm/area.h"
#include "vm/cache.h"

#define LOW_BITS ((quire_linear_t)QUIRE_PAGE_SIZE - 1)

/* The shared area at `start`, if areas alike reach up to `end`; NULL. */
static const struct quire_vma *find_shared(struct quire_mm *mm, quire_linear_t start,
                                           quire_linear_t end)
{
    const struct quire_vma *vma = vma_at(mm, start);
    if (!vma || !(vma->flags & VM_SHARED))
        return NULL;
    for (const struct quire_vma *last = vma; last->end < end;) {
        const struct quire_vma *next = vma_next(last);
        if (!next || next->start != last->end || next->mapping != vma->mapping ||
            next->flags != vma->flags)
            return NULL;
        last = next;
    }
    return vma;
}

int quire_remap_file_pages(struct quire_mm *mm, quire_linear_t start, uint64_t size, unsigned prot,
                           uint64_t index, unsigned flags)
{
    struct quire_mapping *mapping = NULL;
    unsigned rights = 0;
    start &= ~LOW_BITS;
    size &= ~(uint64_t)LOW_BITS;
    if (prot || start + size <= start || index + (size >> QUIRE_PAGE_SHIFT) < index ||
        index > UINT64_MAX >> QUIRE_PAGE_SHIFT)
        return -QUIRE_EINVAL;
    flags = (flags & QUIRE_MAP_NONBLOCK) | QUIRE_MAP_SHARED | QUIRE_MAP_FIXED | QUIRE_MAP_POPULATE;
    rwlock_read(&mm->lock);
    const struct quire_vma *vma = find_shared(mm, start, range_end(start + size));
    if (vma) {
        mapping = vma->mapping;
        quire_mapping_get(mapping);
        rights = vma->flags & VM_ACCESS;
        flags |= vma->flags & VM_LOCKED ? QUIRE_MAP_LOCKED : 0;
        flags |= vma->flags & VM_MAYWRITE ? 0 : QUIRE_MAP_NO_WRITE;
    }
    rwlock_read_unlock(&mm->lock);
    if (!vma)
        return -QUIRE_EINVAL;
    int64_t at = quire_mmap(mm, start, size, rights, flags, mapping, index << QUIRE_PAGE_SHIFT);
    quire_mapping_put(mapping);
    return at < 0 ? (int)at : 0;
}
