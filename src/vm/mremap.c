/* vm/mremap.c: areas that grow, shrink and move (man 2 mremap; Linux, mm/mremap.c)
 *
 * To move, an area of the same kind is made at the new place, with the same reverse maps, then the
 * entries go there, then the old one is unmapped. Unlike Linux's, what is in the way at a fixed new
 * place, and what the old one has too much, goes only after all checks; when memory for the move
 * itself is short it has gone all the same.
 */
#include "vm/area.h"
#include "vm/cache.h"
#include "vm/fault.h"
#include "vm/userfault.h"

#define LOW_BITS ((quire_linear_t)QUIRE_PAGE_SIZE - 1)

struct remap {
    struct quire_mm *mm;
    quire_linear_t from, to;
    uint64_t old_size, new_size;
    unsigned flags;
    bool populate; /* [from, + new_size) then */
};

static long pages_of(uint64_t bytes)
{
    return (long)(bytes >> QUIRE_PAGE_SHIFT);
}

/* How many pages more are mapped in the end. */
static uint64_t more_pages(const struct remap *r)
{
    if (r->flags & QUIRE_MREMAP_DONTUNMAP || !r->old_size)
        return r->new_size >> QUIRE_PAGE_SHIFT;
    return r->new_size > r->old_size ? (r->new_size - r->old_size) >> QUIRE_PAGE_SHIFT : 0;
}

/* Whether the area may be what it is asked to become; what it takes more is committed then. */
static int check_area(const struct remap *r, const struct quire_vma *vma)
{
    struct quire_mm *mm = r->mm;
    uint64_t more = more_pages(r);
    if (!r->old_size && !(vma->flags & (VM_SHARED | VM_MAYSHARE)))
        return -QUIRE_EINVAL;
    if (r->old_size > vma->end - r->from)
        return -QUIRE_EFAULT;
    if (!more)
        return 0;
    if (vma_index(vma, r->from) + (r->new_size >> QUIRE_PAGE_SHIFT) > (uint64_t)1
                                                                          << PAGE_INDEX_BITS)
        return -QUIRE_EINVAL;
    if (vma->flags & VM_DONTEXPAND)
        return -QUIRE_EFAULT;
    /* With DONTUNMAP the lock moves along. */
    int error = r->flags & QUIRE_MREMAP_DONTUNMAP ? 0 : mm_may_lock(mm, vma->flags, more);
    if (error)
        return error;
    if (!mm_may_expand(mm, vma->flags, more))
        return -QUIRE_ENOMEM;
    return vma->flags & VM_ACCOUNT ? vm_commit(mm->vm, mm, (long)more) : 0;
}

static void uncommit_more(const struct remap *r, const struct quire_vma *vma)
{
    if (vma->flags & VM_ACCOUNT)
        vm_uncommit(r->mm->vm, (long)more_pages(r));
}

/* ---- in place -------------------------------------------------------------------------------- */

static bool can_grow_in_place(const struct remap *r, const struct quire_vma *vma)
{
    const struct quire_vma *next = vma_next(vma);
    uint64_t end = r->from + r->new_size;
    if (r->from + r->old_size != vma->end || end > r->mm->layout.end || end < r->from)
        return false;
    return !next || end <= next->start;
}

static void grow_in_place(const struct remap *r, struct quire_vma *vma)
{
    vma_resize(vma, vma->start, r->from + r->new_size);
    mm_count(r->mm, vma->flags, (long)more_pages(r));
    (void)vma_merge(vma);
}

/* ---- to another place ------------------------------------------------------------------------ */

static struct quire_vma *make_target(const struct remap *r, struct quire_vma *vma)
{
    struct quire_mm *mm = r->mm;
    struct quire_vma *target = vma_copy(mm, vma);
    if (!target)
        return NULL;
    target->start = r->to;
    target->end = r->to + r->new_size;
    target->pgoff = vma_index(vma, r->from);
    /* Without pages that know their index, the area is like one that was made here. */
    if (!vma->mapping && !vma->anon_vma)
        target->pgoff = r->to >> QUIRE_PAGE_SHIFT;
    if (anon_vma_clone(target, vma)) {
        vma_drop(target);
        return NULL;
    }
    vma_insert(mm, target);
    mm_count(mm, target->flags, pages_of(r->new_size));
    return target;
}

static void drop_target(struct quire_vma *target)
{
    struct quire_mm *mm = target->mm;
    mm_count(mm, target->flags, -(long)vma_pages(target));
    zap_range(target, target->start, target->end);
    vma_free(target);
}

/* The old place after the entries have gone. What was committed for it is the new place's. */
static void leave_old(const struct remap *r, struct quire_vma *vma)
{
    struct quire_mm *mm = r->mm;
    if (!r->old_size)
        return;
    if (r->flags & QUIRE_MREMAP_DONTUNMAP) {
        uint32_t flags = vma->flags & ~(VM_LOCKED | VM_LOCKONFAULT), old = vma->flags;
        if (old != flags && vma_modify(vma, r->from, r->from + r->old_size, flags)) {
            mm_count(mm, old, -pages_of(r->old_size));
            mm_count(mm, flags, pages_of(r->old_size));
        }
        return;
    }
    if (vma->flags & VM_ACCOUNT)
        vm_uncommit(mm->vm, -pages_of(r->old_size));
    mm_unmap_emptied(mm, r->from, r->from + r->old_size);
}

/* What the old range's end needs memory for, so that nothing can fail once the entries have moved.
 */
static int prepare_old(const struct remap *r, struct quire_vma *vma)
{
    quire_linear_t end = r->from + r->old_size;
    if (r->mm->nr_areas + 3 >= max_areas(r->mm)) /* Linux's margin for what follows */
        return -QUIRE_ENOMEM;
    bool is_amidst = r->from > vma->start && end < vma->end;
    if (r->flags & QUIRE_MREMAP_DONTUNMAP || !r->old_size || !is_amidst)
        return 0;
    return vma_split(vma, end) ? 0 : -QUIRE_ENOMEM;
}

static int64_t move_area(struct remap *r, struct quire_vma *vma)
{
    unsigned long peak = r->mm->hiwater_vm; /* both places at once are none */
    struct quire_vma *target = NULL;
    int error = prepare_old(r, vma);
    if (!error && !(target = make_target(r, vma)))
        error = -QUIRE_ENOMEM;
    if (!error && r->old_size) {
        error = move_entries(vma, r->from, target, r->to, r->old_size);
        if (error) {
            /* Tables that they came from are there: this can't fail. */
            int back = move_entries(target, r->to, vma, r->from, r->old_size);
            QUIRE_BUG_ON(back);
        }
    }
    if (error) {
        if (target)
            drop_target(target);
        (void)vma_merge(vma);
        r->mm->hiwater_vm = peak;
        return error;
    }
    r->populate = target->flags & VM_LOCKED;
    userfault_unwatch(target);
    leave_old(r, vma);
    r->mm->hiwater_vm = peak > r->mm->total_vm ? peak : r->mm->total_vm;
    (void)vma_merge(vma_at(r->mm, r->to));
    r->from = r->to;
    return (int64_t)r->to;
}

/* ---- the call -------------------------------------------------------------------------------- */

/* The place that the caller named, for what the call makes of [from, + old_size). */
static int check_target(const struct remap *r)
{
    if (r->to & LOW_BITS || r->new_size > r->mm->layout.end ||
        r->to > r->mm->layout.end - r->new_size)
        return -QUIRE_EINVAL;
    if (r->from + r->old_size > r->to && r->to + r->new_size > r->from)
        return -QUIRE_EINVAL;
    return r->mm->nr_areas + 5 >= max_areas(r->mm) ? -QUIRE_ENOMEM : 0;
}

/* What is in the way at a fixed place, and what the old one has too much. */
static int make_way(const struct remap *r, uint64_t old_size)
{
    int error = 0;
    if (r->flags & QUIRE_MREMAP_FIXED)
        error = mm_unmap(r->mm, r->to, r->to + r->new_size);
    if (!error && old_size > r->new_size)
        error = mm_unmap(r->mm, r->from + r->new_size, r->from + old_size);
    return error;
}

/* To a place that the caller chose, or with DONTUNMAP to any. */
static int64_t remap_to(struct remap *r, const struct quire_vma *vma)
{
    struct quire_vma *next;
    struct quire_mm *mm = r->mm;
    uint64_t old_size = r->old_size;
    int64_t at = check_target(r);
    if (at)
        return at;
    if (r->old_size > r->new_size)
        r->old_size = r->new_size; /* the rest goes in any case */
    at = check_area(r, vma);
    if (at)
        return at;
    at = mm_place(mm, r->to, r->new_size, r->flags & QUIRE_MREMAP_FIXED ? QUIRE_MAP_FIXED : 0,
                  &next);
    if (at >= 0) {
        r->to = (quire_linear_t)at;
        int error = make_way(r, old_size);
        at = error ? error : move_area(r, vma_at(mm, r->from));
    }
    if (at < 0)
        uncommit_more(r, vma_at(mm, r->from));
    return at;
}

static int64_t grow(struct remap *r, struct quire_vma *vma)
{
    struct quire_vma *next;
    int error = check_area(r, vma);
    if (error)
        return error;
    if (can_grow_in_place(r, vma)) {
        r->populate = vma->flags & VM_LOCKED;
        grow_in_place(r, vma);
        return (int64_t)r->from;
    }
    int64_t at = -QUIRE_ENOMEM;
    if (r->flags & QUIRE_MREMAP_MAYMOVE)
        at = mm_place(r->mm, 0, r->new_size, 0, &next);
    if (at >= 0) {
        r->to = (quire_linear_t)at;
        at = move_area(r, vma);
    }
    if (at < 0)
        uncommit_more(r, vma_at(r->mm, r->from));
    return at;
}

static int64_t remap_locked(struct remap *r)
{
    struct quire_vma *vma = vma_at(r->mm, r->from);
    if (!vma)
        return -QUIRE_EFAULT;
    if (quire_unlikely(r->mm->has_sealed) &&
        mm_is_sealed(r->mm, r->from, range_end(r->from + r->old_size)))
        return -QUIRE_EPERM;
    if (r->old_size > r->mm->layout.end - r->from)
        return r->old_size > r->new_size ? -QUIRE_EINVAL : -QUIRE_EFAULT;
    if (r->flags & (QUIRE_MREMAP_FIXED | QUIRE_MREMAP_DONTUNMAP))
        return remap_to(r, vma);
    if (r->old_size < r->new_size)
        return grow(r, vma);
    int error = 0;
    if (r->old_size > r->new_size)
        error = mm_unmap(r->mm, r->from + r->new_size, r->from + r->old_size);
    return error ? error : (int64_t)r->from;
}

static bool arguments_are_valid(const struct remap *r)
{
    const unsigned known = QUIRE_MREMAP_MAYMOVE | QUIRE_MREMAP_FIXED | QUIRE_MREMAP_DONTUNMAP;
    bool may_move = r->flags & QUIRE_MREMAP_MAYMOVE;
    if (r->flags & ~known || (r->flags & QUIRE_MREMAP_FIXED && !may_move))
        return false;
    if (r->flags & QUIRE_MREMAP_DONTUNMAP && (!may_move || r->old_size != r->new_size))
        return false;
    return !(r->from & LOW_BITS) && r->new_size;
}

int64_t quire_mremap(struct quire_mm *mm, quire_linear_t old_address, uint64_t old_length,
                     uint64_t new_length, unsigned flags, quire_linear_t new_address)
{
    struct remap r = {
        .mm = mm,
        .from = old_address,
        .to = flags & (QUIRE_MREMAP_FIXED | QUIRE_MREMAP_DONTUNMAP) ? new_address : 0,
        .old_size = (old_length + LOW_BITS) & ~(uint64_t)LOW_BITS,
        .new_size = (new_length + LOW_BITS) & ~(uint64_t)LOW_BITS,
        .flags = flags,
    };
    if (!arguments_are_valid(&r))
        return -QUIRE_EINVAL;
    rwlock_write(&mm->lock);
    int64_t at = remap_locked(&r);
    struct quire_vma *gone = mm_downgrade(mm);
    if (r.populate)
        (void)mm_populate_locked(mm, r.from, r.from + r.new_size, true);
    mm_read_unlock(mm, gone);
    return at;
}
