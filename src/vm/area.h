/* vm/area.h: areas, and what changes them
 *
 * Everything here is for writers of mm->lock, but for the lookups. While a range passes from one
 * area to another both have it for a moment, so that a walk of reverse maps finds a page through
 * one of them at least.
 */
#ifndef VM_AREA_H
#define VM_AREA_H

#include "vm/rmap.h"

/* ---- the tree (area_tree.c) ------------------------------------------------------------------ */

/* What vm.max_map_count is at first. */
#define MAX_AREAS 65530u
/* What it is now. */
static inline unsigned max_areas(const struct quire_mm *mm)
{
    return quire_load_relaxed(&mm->vm->max_areas);
}

/* The area that ends above `address`, the lowest; NULL. O(log n). mm->lock. */
struct quire_vma *vma_above(struct quire_mm *mm, quire_linear_t address);
/* The area that holds `address`; NULL. */
struct quire_vma *vma_at(struct quire_mm *mm, quire_linear_t address);
/* Neighbours; NULL: there is none. */
static inline struct quire_vma *vma_of_link(const struct quire_mm *mm, struct list *link)
{
    return link == &mm->in_order ? NULL : quire_container_of(link, struct quire_vma, link);
}

static inline struct quire_vma *vma_next(const struct quire_vma *vma)
{
    return vma_of_link(vma->mm, vma->link.next);
}

static inline struct quire_vma *vma_prev(const struct quire_vma *vma)
{
    return vma_of_link(vma->mm, vma->link.prev);
}

/* The area before `next`; the last one before NULL. */
static inline struct quire_vma *vma_below(const struct quire_mm *mm, const struct quire_vma *next)
{
    return vma_of_link(mm, next ? next->link.prev : mm->in_order.prev);
}
/* Whether the next area begins where this one ends, with the same file and the same of `flags`:
 * their entries can be gone through as one area's. */
static inline bool vma_continues(const struct quire_vma *vma, const struct quire_vma *next,
                                 uint32_t flags)
{
    return vma->end == next->start && vma->mapping == next->mapping &&
           !((vma->flags ^ next->flags) & flags);
}

/* Whether an area holds some of [start, end). */
bool vma_intersects(struct quire_mm *mm, quire_linear_t start, quire_linear_t end);

/* An area as it is now; one that began at another address is told to end there before. */
static inline void area_tell(const struct quire_vma *vma)
{
    quire_tell_event(AREA, mm_number(vma->mm), vma->start >> QUIRE_PAGE_SHIFT, vma_pages(vma),
                     vma->flags, vma->mapping != NULL);
}

/* In, between its neighbours, and out: nothing else of the area changes. O(log n). */
void areas_init(struct quire_mm *mm);
void areas_link(struct quire_mm *mm, struct quire_vma *vma, struct quire_vma *prev,
                struct quire_vma *next);
void areas_unlink(struct quire_vma *vma);
/* Whether unlinking so many areas costs more than a new tree of the others, of which one takes a
 * sixth of it. */
static inline bool areas_are_many(const struct quire_mm *mm, unsigned count)
{
    const unsigned few = 16;
    return count > few && count > mm->nr_areas / 6;
}
/* `count` areas from `first` on, to the end of `taken`, and a new tree. O(n). */
void areas_take(struct quire_vma *first, unsigned count, struct list *taken);
/* For many: behind the last one of the list, and the tree of all that the list has by
 * then; and no tree, so that the list is emptied one by one. O(1) each, and O(n). */
void areas_append(struct quire_mm *mm, struct quire_vma *vma);
void areas_build(struct quire_mm *mm);
void areas_forget(struct quire_mm *mm);
/* vma->start (from `old`), or vma->end, changed without passing a neighbour's: gaps follow. */
void areas_start_moved(struct quire_vma *vma, quire_linear_t old);
void areas_end_moved(struct quire_vma *vma);
/* Order and gaps; a broken one is a panic. O(n). For tests. */
void areas_check(const struct quire_mm *mm);
/* Where the free addresses below an area end: at its start, or its guard gap's. */
quire_linear_t vma_start_gap(const struct quire_vma *vma);
/* The highest or the lowest free range of `size` bytes within [low, high): its address, and the
 * area above it, NULL for none; 0: there is no such range. `low` isn't 0. O(log n). */
quire_linear_t areas_gap_below(struct quire_mm *mm, quire_linear_t size, quire_linear_t low,
                               quire_linear_t high, struct quire_vma **next);
quire_linear_t areas_gap_above(struct quire_mm *mm, quire_linear_t size, quire_linear_t low,
                               quire_linear_t high, struct quire_vma **next);

/* ---- areas (area.c) -------------------------------------------------------------------------- */

/* The same kind of area for another range, not inserted, with a reference to the file and without
 * anonymous pages; NULL. vma_duplicate: for a fork's child, without locks of memory. */
struct quire_vma *vma_copy(struct quire_mm *mm, const struct quire_vma *vma);
struct quire_vma *vma_duplicate(struct quire_mm *mm, const struct quire_vma *vma);
/* Frees one that is in no tree, with its chains and the reference to its mapping, which isn't the
 * last but of shared memory without pages. */
void vma_drop(struct quire_vma *vma);

/* Into the tree, and the reverse maps of its mapping; out of both, and freed: with a file when the
 * lock has been let go. */
void vma_insert(struct quire_mm *mm, struct quire_vma *vma);
/* The same between its neighbours; NULL: there is none. */
void vma_insert_between(struct quire_vma *vma, struct quire_vma *prev, struct quire_vma *next);
void vma_free(struct quire_vma *vma);
/* The same of one that is in no tree any more. */
void vma_discard(struct quire_vma *vma);

/* The same area with another range, which no other one has; pgoff follows `start`. */
void vma_resize(struct quire_vma *vma, quire_linear_t start, quire_linear_t end);
/* [at, vma->end) becomes an area of its own, which is returned; NULL: -ENOMEM. */
struct quire_vma *vma_split(struct quire_vma *vma, quire_linear_t at);
/* Joins an area with its neighbours if they are alike, the lower one first: the area that holds its
 * range then. Without memory they stay apart. */
struct quire_vma *vma_merge(struct quire_vma *vma);
/* Where nothing is, a neighbour that is alike gets the range of `like`, of which only the range,
 * flags, mapping, pgoff, anon_vma and policy (NULL) are looked at; neighbours on both sides become
 * one: true. */
bool vma_extend(const struct quire_vma *like, struct quire_vma *prev, struct quire_vma *next);
/* [start, end) of an area gets other flags: joined to neighbours that are alike then, or split off.
 * The area that holds it then; NULL: -ENOMEM, and nothing changed. Entries and counts are the
 * caller's. */
struct quire_vma *vma_modify(struct quire_vma *vma, quire_linear_t start, quire_linear_t end,
                             uint32_t flags);
/* The same with another policy, or with NULL none. */
struct quire_vma *vma_set_policy(struct quire_vma *vma, quire_linear_t start, quire_linear_t end,
                                 struct quire_mempolicy *policy);
/* The same with another monitor, or with NULL none. */
struct quire_vma *vma_set_userfault(struct quire_vma *vma, quire_linear_t start, quire_linear_t end,
                                    uint32_t flags, struct quire_userfault *monitor);
/* The same range with other flags; and the entries' bits for an area's flags. */
void vma_set_flags(struct quire_vma *vma, uint32_t flags);
uint64_t vma_page_prot(const struct quire_mm *mm, const struct quire_vma *vma);

/* A stack grows to hold `address`, which lies below it. 0; -ENOMEM. */
QUIRE_MUST_CHECK int vma_expand_stack(struct quire_vma *vma, quire_linear_t address);

/* ---- the writer's lock (mm.c) ----------------------------------------------------------------
 *
 * An area that goes has a reference to its file. With the last one dirty pages are written and the
 * owner is told, who may use memory of this very address space. So areas of files that go are
 * gathered in mm->gone, and freed by the writer when he has let the lock go.
 */

void vmas_free_gone(struct quire_vm *vm, struct quire_vma *gone);
static inline void mm_write_unlock(struct quire_mm *mm)
{
    struct quire_vma *gone = mm->gone;
    if (quire_unlikely(gone))
        mm->gone = NULL;
    rwlock_write_unlock(&mm->lock);
    if (quire_unlikely(gone))
        vmas_free_gone(mm->vm, gone);
}

/* A writer goes on as a reader; what went comes back to mm_read_unlock, NULL: nothing. */
struct quire_vma *mm_downgrade(struct quire_mm *mm);
void mm_read_unlock(struct quire_mm *mm, struct quire_vma *gone);

/* ---- counts (mm.c) --------------------------------------------------------------------------- */

/* Counts pages of an area, or of an area with these flags, in its address space's total, locked,
 * data, exec and stack. */
void vma_count(struct quire_mm *mm, const struct quire_vma *vma, long pages);
void mm_count(struct quire_mm *mm, uint32_t flags, long pages);
/* Whether an area of `flags` may have `pages` more: limits of all and of data. */
bool mm_may_expand(const struct quire_mm *mm, uint32_t flags, uint64_t pages);
/* Before pages go, by whatever way: the most that were resident. */
void mm_note_peak(struct quire_mm *mm);
/* What a fork's child has of its parent beside areas: program, break, limits, name. */
void mm_inherit(struct quire_mm *child, const struct quire_mm *parent);

/* ---- placing and unmapping (placement.c, munmap.c) ------------------------------------------- */

/* Where `size` bytes go, with mmap's address and flags. The address, with the area above in *next
 * unless it is a fixed one; or -ENOMEM, -EINVAL, -EPERM. */
QUIRE_MUST_CHECK int64_t mm_place(struct quire_mm *mm, quire_linear_t address, uint64_t size,
                                  unsigned flags, struct quire_vma **next);
/* mmap_base, from the stack's limit; false: mmap looks upwards. */
bool mm_place_down(struct quire_mm *mm);

/* Whether some area of the range is sealed: seal.c. */
bool mm_is_sealed(struct quire_mm *mm, quire_linear_t start, quire_linear_t end);

/* Unmaps what is in [start, end). 0; -EPERM: it is sealed; -ENOMEM: areas have to be split, and
 * nothing changed. */
QUIRE_MUST_CHECK int mm_unmap(struct quire_mm *mm, quire_linear_t start, quire_linear_t end);
/* The same where mremap has left no entry, and that isn't in the midst of an area. */
void mm_unmap_emptied(struct quire_mm *mm, quire_linear_t start, quire_linear_t end);
/* Pages of [start, end) that are mapped; and of them, that are accounted. */
unsigned long mm_mapped_pages(struct quire_mm *mm, quire_linear_t start, quire_linear_t end,
                              unsigned long *accounted);
/* All areas go: the last user of an address space is gone. */
void mm_unmap_all(struct quire_mm *mm);

/* ---- locked memory (mlock.c) ----------------------------------------------------------------- */

/* -EAGAIN: `pages` more of an area with these flags would be locked beyond the limit. */
QUIRE_MUST_CHECK int mm_may_lock(const struct quire_mm *mm, uint32_t flags, uint64_t pages);
/* Resident pages of a range that is locked now are kept from reclaim; or no longer are. */
void mlock_pages(struct quire_vma *vma, quire_linear_t start, quire_linear_t end, bool lock);
/* Faults in [start, end) of areas that are locked, and not on fault; reader of mm->lock. */
int mm_populate_locked(struct quire_mm *mm, quire_linear_t start, quire_linear_t end,
                       bool pass_errors);

/* ---- accounting (overcommit.c) --------------------------------------------------------------- */

/* Commits pages of memory, or -ENOMEM by the mode. */
QUIRE_MUST_CHECK int vm_commit(struct quire_vm *vm, struct quire_mm *mm, long pages);
/* Gives back, or with a negative number takes whatever the mode. */
void vm_uncommit(struct quire_vm *vm, long pages);
unsigned long vm_commit_limit(struct quire_vm *vm);

#endif
