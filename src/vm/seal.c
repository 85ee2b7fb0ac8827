/* vm/seal.c: areas that stay as they are (man 2 mseal; Linux, mm/mseal.c)
 *
 * A sealed area isn't unmapped, moved, resized or given other rights before the address space ends,
 * and what is private and read-only in it isn't thrown away. Who changes areas asks for the whole
 * range first; a word tells that nothing is sealed at all.
 */
#include "vm/area.h"

#define LOW_BITS ((quire_linear_t)QUIRE_PAGE_SIZE - 1)

bool mm_is_sealed(struct quire_mm *mm, quire_linear_t start, quire_linear_t end)
{
    const struct quire_vma *vma = vma_above(mm, start);
    for (; vma && vma->start < end; vma = vma_next(vma))
        if (vma->flags & VM_SEALED)
            return true;
    return false;
}

static int seal_range(struct quire_mm *mm, quire_linear_t start, quire_linear_t end)
{
    const struct quire_vma *hole = NULL;
    for (quire_linear_t at = start; at < end; at = hole->end)
        if (!(hole = vma_at(mm, at)))
            return -QUIRE_ENOMEM;
    while (start < end) {
        struct quire_vma *vma = vma_at(mm, start);
        quire_linear_t to = vma->end < end ? vma->end : end;
        if (!vma_modify(vma, start, to, vma->flags | VM_SEALED))
            return -QUIRE_ENOMEM;
        mm->has_sealed = true;
        start = to;
    }
    return 0;
}

int quire_mseal(struct quire_mm *mm, quire_linear_t address, uint64_t length)
{
    uint64_t sum = address + ((length + LOW_BITS) & ~(uint64_t)LOW_BITS);
    quire_linear_t end = range_end(sum);
    if (address & LOW_BITS || sum < address || length > UINT64_MAX - LOW_BITS)
        return -QUIRE_EINVAL;
    if (end == address)
        return 0;
    rwlock_write(&mm->lock);
    int error = seal_range(mm, address, end);
    rwlock_write_unlock(&mm->lock);
    return error;
}
