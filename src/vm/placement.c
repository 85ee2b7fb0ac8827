/* vm/placement.c: where a mapping goes
 *
 * Top down from below the stack's largest extent, as Linux places without randomisation; upwards
 * from a third of the address space where the stack has no limit, or nothing is left above.
 * Source: Linux, arch/x86/mm/mmap.c, mm/mmap.c.
 */
#include "vm/area.h"

#define PAGE_MASK (~(quire_linear_t)(QUIRE_PAGE_SIZE - 1))

/* MAP_32BIT's range. */
#define LOW_START 0x40000000u
#define LOW_END 0x80000000u

static quire_linear_t page_up(quire_linear_t at)
{
    return (at + QUIRE_PAGE_SIZE - 1) & PAGE_MASK;
}

bool mm_place_down(struct quire_mm *mm)
{
    const struct quire_mm_layout *layout = &mm->layout;
    uint64_t stack = mm->limit[QUIRE_LIMIT_STACK];
    if (!mm->mmap_base) {
        quire_linear_t pad = (quire_linear_t)layout->stack_gap << QUIRE_PAGE_SHIFT;
        uint64_t gap = stack <= UINT64_MAX - pad ? stack + pad : stack;
        gap = gap < layout->gap_min ? layout->gap_min : gap;
        gap = gap > layout->gap_max ? layout->gap_max : gap;
        mm->mmap_base = page_up(layout->end - (quire_linear_t)gap);
        if (layout->bottom_up || stack == QUIRE_LIMIT_INFINITE)
            mm->mmap_base = page_up(layout->end / 3) | 1; /* upwards from there */
    }
    return !(mm->mmap_base & 1);
}

static quire_linear_t find_up(struct quire_mm *mm, quire_linear_t size, struct quire_vma **next)
{
    quire_linear_t from = page_up(mm->layout.end / 3);
    return areas_gap_above(mm, size, from, mm->layout.end, next);
}

static quire_linear_t find(struct quire_mm *mm, quire_linear_t size, unsigned flags,
                           struct quire_vma **next)
{
    quire_linear_t low = mm->layout.min_addr ? mm->layout.min_addr : QUIRE_PAGE_SIZE, at = 0;
    if (flags & QUIRE_MAP_32BIT && mm->layout.end > LOW_END)
        return areas_gap_above(mm, size, LOW_START, LOW_END, next);
    if (mm_place_down(mm))
        at = areas_gap_below(mm, size, low, mm->mmap_base, next);
    return at ? at : find_up(mm, size, next);
}

/* Whether the caller's wish can be granted. */
static bool is_free(struct quire_mm *mm, quire_linear_t at, quire_linear_t size, unsigned flags,
                    struct quire_vma **next)
{
    quire_linear_t end =
        flags & QUIRE_MAP_32BIT && mm->layout.end > LOW_END ? LOW_END : mm->layout.end;
    if (size > end || at > end - size)
        return false;
    *next = vma_above(mm, at);
    return !*next || at + size <= vma_start_gap(*next);
}

int64_t mm_place(struct quire_mm *mm, quire_linear_t address, uint64_t length, unsigned flags,
                 struct quire_vma **next)
{
    const quire_linear_t size = (quire_linear_t)length;
    if (length > mm->layout.end)
        return -QUIRE_ENOMEM;
    if (flags & (QUIRE_MAP_FIXED | QUIRE_MAP_FIXED_NOREPLACE)) {
        if (address & ~PAGE_MASK)
            return -QUIRE_EINVAL;
        if (address > mm->layout.end - size)
            return -QUIRE_ENOMEM;
        return address < mm->layout.min_addr ? -QUIRE_EPERM : (int64_t)address;
    }
    quire_linear_t hint = address & PAGE_MASK;
    if (hint && hint < mm->layout.min_addr)
        hint = page_up(mm->layout.min_addr);
    if (hint && is_free(mm, hint, size, flags, next))
        return (int64_t)hint;
    quire_linear_t at = find(mm, size, flags, next);
    return at ? (int64_t)at : -QUIRE_ENOMEM;
}
