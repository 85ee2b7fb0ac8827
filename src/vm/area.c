/* vm/area.c: areas come, go, are split and joined
 *
 * Splitting allocates all it needs before it changes anything. Joining may need memory too, for
 * chains of reverse maps; two areas that could be one are no harm, so it isn't an error if there is
 * none.
 */
#include "vm/area.h"

#include "vm/cache.h"
#include "vm/userfault.h"

/* ---- alone ----------------------------------------------------------------------------------- */

/* Most areas are private and anonymous, and have nothing of this: one look for all. */
static inline bool holds_others(const struct quire_vma *vma)
{
    return (uintptr_t)vma->mapping | (uintptr_t)vma->policy | (uintptr_t)vma->userfault;
}

static QUIRE_NOINLINE void get_others(struct quire_vma *vma)
{
    if (vma->mapping)
        quire_mapping_get(vma->mapping);
    if (vma->policy)
        quire_mempolicy_get(vma->policy);
    (void)userfault_get(vma->userfault);
}

static QUIRE_NOINLINE void put_others(struct quire_vma *vma)
{
    if (vma->policy)
        quire_mempolicy_put(vma->policy);
    userfault_put(vma->userfault);
    if (vma->mapping)
        quire_mapping_put(vma->mapping);
}

/* What is in trees and lists is set when it gets there. */
struct quire_vma *vma_copy(struct quire_mm *mm, const struct quire_vma *vma)
{
    struct quire_vma *copy = quire_kmem_cache_alloc(mm->vm->vma_cache, QUIRE_GFP_KERNEL);
    if (!copy)
        return NULL;
    copy->mm = mm;
    copy->start = vma->start;
    copy->end = vma->end;
    copy->flags = vma->flags;
    copy->prot = vma->prot;
    copy->pgoff = vma->pgoff;
    copy->mapping = vma->mapping;
    copy->anon_vma = NULL;
    copy->policy = vma->policy;
    copy->userfault = vma->userfault;
    list_init(&copy->chains);
    if (holds_others(copy))
        get_others(copy);
    return copy;
}

struct quire_vma *vma_duplicate(struct quire_mm *mm, const struct quire_vma *vma)
{
    struct quire_vma *copy = vma_copy(mm, vma);
    if (!copy)
        return NULL;
    copy->flags &= ~(VM_LOCKED | VM_LOCKONFAULT);
    userfault_forget(copy);
    return copy;
}

void vma_drop(struct quire_vma *vma)
{
    anon_vma_unlink(vma);
    if (holds_others(vma))
        put_others(vma);
    quire_kmem_cache_free(vma->mm->vm->vma_cache, vma);
}

void vma_insert_between(struct quire_vma *vma, struct quire_vma *prev, struct quire_vma *next)
{
    if (vma->mapping)
        mapping_link_vma(vma);
    areas_link(vma->mm, vma, prev, next);
}

void vma_insert(struct quire_mm *mm, struct quire_vma *vma)
{
    struct quire_vma *next = vma_above(mm, vma->start);
    vma_insert_between(vma, vma_below(mm, next), next);
}

void vma_free(struct quire_vma *vma)
{
    areas_unlink(vma);
    vma_discard(vma);
}

void vma_discard(struct quire_vma *vma)
{
    struct quire_mm *mm = vma->mm;
    if (!vma->mapping) {
        vma_drop(vma);
        return;
    }
    mapping_unlink_vma(vma);
    anon_vma_unlink(vma);
    vma->gone = mm->gone;
    mm->gone = vma;
}

uint64_t vma_page_prot(const struct quire_mm *mm, const struct quire_vma *vma)
{
    uint64_t nx = mm->pt.prot_mask & QUIRE_PTE_NX;
    return QUIRE_PTE_USER | (vma->flags & VM_EXEC ? 0 : nx);
}

void vma_set_flags(struct quire_vma *vma, uint32_t flags)
{
    quire_store_relaxed(&vma->flags, flags);
    vma->prot = vma_page_prot(vma->mm, vma);
}

/* ---- splitting and joining ------------------------------------------------------------------- */

void vma_resize(struct quire_vma *vma, quire_linear_t start, quire_linear_t end)
{
    rmap_begin_change(vma);
    if (start < vma->start)
        vma->pgoff -= (vma->start - start) >> QUIRE_PAGE_SHIFT;
    else
        vma->pgoff += (start - vma->start) >> QUIRE_PAGE_SHIFT;
    quire_linear_t old_start = vma->start, old_end = vma->end;
    vma->start = start;
    vma->end = end;
    rmap_end_change(vma);
    if (start != old_start)
        areas_start_moved(vma, old_start);
    if (end != old_end)
        areas_end_moved(vma);
}

struct quire_vma *vma_split(struct quire_vma *vma, quire_linear_t at)
{
    struct quire_vma *upper = vma_copy(vma->mm, vma);
    if (!upper)
        return NULL;
    upper->start = at;
    upper->pgoff = vma_index(vma, at);
    if (anon_vma_clone(upper, vma)) {
        vma_drop(upper);
        return NULL;
    }
    mapping_link_vma(upper);
    vma_resize(vma, vma->start, at);
    areas_link(vma->mm, upper, vma, vma_next(vma));
    return upper;
}

static bool alike(const struct quire_vma *a, const struct quire_vma *b)
{
    return a->end == b->start && a->flags == b->flags && a->mapping == b->mapping &&
           a->pgoff + vma_pages(a) == b->pgoff && mempolicy_equal(a->policy, b->policy) &&
           a->userfault == b->userfault && anon_vma_compatible(a, b);
}

/* The lower area takes the upper one's range. False: no memory. */
static bool join(struct quire_vma *lower, struct quire_vma *upper)
{
    if (!lower->anon_vma && upper->anon_vma && anon_vma_clone(lower, upper))
        return false;
    quire_linear_t end = upper->end;
    areas_unlink(upper);
    vma_resize(lower, lower->start, end);
    mapping_unlink_vma(upper);
    vma_drop(upper);
    return true;
}

struct quire_vma *vma_merge(struct quire_vma *vma)
{
    struct quire_vma *next = vma_next(vma), *prev = vma_prev(vma);
    if (prev && alike(prev, vma) && join(prev, vma))
        vma = prev;
    if (next && alike(vma, next))
        (void)join(vma, next);
    return vma;
}

bool vma_extend(const struct quire_vma *like, struct quire_vma *prev, struct quire_vma *next)
{
    if (prev && alike(prev, like)) {
        vma_resize(prev, prev->start, like->end);
        if (next && alike(prev, next))
            (void)join(prev, next);
        return true;
    }
    if (next && alike(like, next)) {
        vma_resize(next, like->start, next->end);
        return true;
    }
    return false;
}

/* What an area is to be. */
struct change {
    uint32_t flags;
    struct quire_mempolicy *policy;
    struct quire_userfault *userfault;
};

static struct change unchanged(const struct quire_vma *vma)
{
    return (struct change){vma->flags, vma->policy, vma->userfault};
}

static void pretend(struct quire_vma *vma, const struct change *to)
{
    vma->flags = to->flags;
    vma->policy = to->policy;
    vma->userfault = to->userfault;
}

/* Whether an area could be joined with `other` after the change: for the count of areas. */
static bool would_join(struct quire_vma *vma, struct quire_vma *other, const struct change *to)
{
    const struct change old = unchanged(vma);
    if (!other)
        return false;
    pretend(vma, to);
    bool joins = other->start < vma->start ? alike(other, vma) : alike(vma, other);
    pretend(vma, &old);
    return joins;
}

static bool too_many(struct quire_vma *vma, quire_linear_t start, quire_linear_t end,
                     const struct change *to)
{
    unsigned more = (unsigned)(start > vma->start) + (unsigned)(end < vma->end);
    if (vma->mm->nr_areas + more <= max_areas(vma->mm))
        return false;
    bool below = start == vma->start && would_join(vma, vma_prev(vma), to);
    bool above = end == vma->end && would_join(vma, vma_next(vma), to);
    return more > (unsigned)below + (unsigned)above;
}

/* The part of the area that changes, alone; NULL: -ENOMEM, and nothing changed. */
static struct quire_vma *cut_out(struct quire_vma *vma, quire_linear_t start, quire_linear_t end,
                                 const struct change *to)
{
    if (too_many(vma, start, end, to))
        return NULL;
    struct quire_vma *middle = start > vma->start ? vma_split(vma, start) : vma;
    if (!middle)
        return NULL;
    if (end < middle->end && !vma_split(middle, end)) {
        vma_merge(middle);
        return NULL;
    }
    return middle;
}

struct quire_vma *vma_modify(struct quire_vma *vma, quire_linear_t start, quire_linear_t end,
                             uint32_t flags)
{
    struct change to = unchanged(vma);
    if (flags == vma->flags)
        return vma;
    to.flags = flags;
    vma = cut_out(vma, start, end, &to);
    if (!vma)
        return NULL;
    vma_set_flags(vma, flags);
    area_tell(vma);
    return vma_merge(vma);
}

struct quire_vma *vma_set_policy(struct quire_vma *vma, quire_linear_t start, quire_linear_t end,
                                 struct quire_mempolicy *policy)
{
    struct change to = unchanged(vma);
    if (mempolicy_equal(policy, vma->policy))
        return vma;
    to.policy = policy;
    vma = cut_out(vma, start, end, &to);
    if (!vma)
        return NULL;
    quire_mempolicy_get(policy);
    quire_mempolicy_put(vma->policy);
    vma->policy = policy;
    return vma_merge(vma);
}

struct quire_vma *vma_set_userfault(struct quire_vma *vma, quire_linear_t start, quire_linear_t end,
                                    uint32_t flags, struct quire_userfault *monitor)
{
    struct change to = unchanged(vma);
    if (flags == vma->flags && monitor == vma->userfault)
        return vma;
    to.flags = flags;
    to.userfault = monitor;
    vma = cut_out(vma, start, end, &to);
    if (!vma)
        return NULL;
    userfault_get(monitor);
    userfault_put(vma->userfault);
    vma->userfault = monitor;
    vma_set_flags(vma, flags);
    area_tell(vma);
    return vma_merge(vma);
}

/* ---- stacks ---------------------------------------------------------------------------------- */

/* Room, and limits, for a stack that begins at `start`. */
static int may_grow(struct quire_vma *vma, quire_linear_t start, unsigned long pages)
{
    struct quire_mm *mm = vma->mm;
    const struct quire_vma *prev = vma_prev(vma);
    quire_linear_t guard = (quire_linear_t)mm->layout.stack_gap << QUIRE_PAGE_SHIFT;
    if (start < mm->layout.min_addr || vma->end - start > mm->limit[QUIRE_LIMIT_STACK])
        return -QUIRE_ENOMEM;
    if (prev && start < prev->end)
        return -QUIRE_ENOMEM;
    if (prev && !(prev->flags & VM_GROWSDOWN) && prev->flags & VM_ACCESS &&
        start - prev->end < guard)
        return -QUIRE_ENOMEM;
    if (!mm_may_expand(mm, vma->flags, pages) || mm_may_lock(mm, vma->flags, pages))
        return -QUIRE_ENOMEM;
    return 0;
}

int vma_expand_stack(struct quire_vma *vma, quire_linear_t address)
{
    struct quire_mm *mm = vma->mm;
    quire_linear_t start = address & ~(quire_linear_t)(QUIRE_PAGE_SIZE - 1);
    unsigned long pages = (unsigned long)((vma->start - start) >> QUIRE_PAGE_SHIFT);
    if (anon_vma_prepare(vma) || pages > vma->pgoff)
        return -QUIRE_ENOMEM;
    int error = may_grow(vma, start, pages);
    if (!error && vma->flags & VM_ACCOUNT)
        error = vm_commit(mm->vm, mm, (long)pages);
    if (error)
        return error;
    vma_resize(vma, start, vma->end);
    mm_count(mm, vma->flags, (long)pages);
    return 0;
}
