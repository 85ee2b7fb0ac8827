/* vm/area.h: areas, and what changes them */
#ifndef VM_AREA_H
#define VM_AREA_H

#include "vm/rmap.h"

/* The area that ends above `address`, the lowest; NULL. O(log n). mm->lock. */
struct quire_vma *vma_above(struct quire_mm *mm, quire_linear_t address);
/* The area that holds `address`; NULL. */
struct quire_vma *vma_at(struct quire_mm *mm, quire_linear_t address);
struct quire_vma *vma_next(const struct quire_vma *vma);
struct quire_vma *vma_prev(const struct quire_vma *vma);

/* Into the tree, and the reverse maps of its mapping; out of both, and freed (its mapping's
 * reference and anon_vmas too). The tree's gaps follow. */
void vma_insert(struct quire_mm *mm, struct quire_vma *vma);
void vma_free(struct quire_vma *vma);

/* A stack grows to hold `address`, which lies below it. 0; -ENOMEM. Writer of mm->lock. */
QUIRE_MUST_CHECK int vma_expand_stack(struct quire_vma *vma, quire_linear_t address);

/* Counts pages of an area in its address space's total, locked, data, exec and stack. */
void vma_count(struct quire_mm *mm, const struct quire_vma *vma, long pages);
/* What a fork's child has of its parent beside areas: layout, program, break, limits, name. */
void mm_inherit(struct quire_mm *child, const struct quire_mm *parent);

/* A copy of an area for a fork's child, not inserted: the same range, flags (but for locks), file
 * (with a reference) and prot, no anonymous pages. NULL: no memory. */
struct quire_vma *vma_duplicate(struct quire_mm *mm, const struct quire_vma *vma);

/* The entries' bits for an area's flags. */
uint64_t vma_page_prot(const struct quire_mm *mm, const struct quire_vma *vma);

/* An empty range of the page tables' tables goes back after areas went: [start, end) and what of
 * the gap around it shares tables. */
void free_empty_tables(struct quire_mm *mm, quire_linear_t start, quire_linear_t end);

/* All areas go: the last user of an address space is gone. */
void mm_unmap_all(struct quire_mm *mm);

/* ---- accounting: overcommit (overcommit.c) -----------------------------------------------------
 */

/* Commits pages of memory, or -ENOMEM by the mode. */
QUIRE_MUST_CHECK int vm_commit(struct quire_vm *vm, struct quire_mm *mm, long pages);
void vm_uncommit(struct quire_vm *vm, long pages);
unsigned long vm_commit_limit(struct quire_vm *vm);

#endif
