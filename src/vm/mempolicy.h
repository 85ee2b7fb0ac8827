/* vm/mempolicy.h: policies, and allocating by them */
#ifndef VM_MEMPOLICY_H
#define VM_MEMPOLICY_H

#include <quire/numa.h>

#include "vm/internal.h"

struct quire_mempolicy {
    struct quire_vm *vm;
    uint32_t users;
    uint16_t mode, flags;
    int home;            /* where the search begins; -1: the CPU's node */
    uint32_t nodes;      /* that have memory */
    quire_nodes_t asked; /* as said */
};

/* Whether two come to the same. */
bool mempolicy_equal(const struct quire_mempolicy *a, const struct quire_mempolicy *b);
/* As in numa_maps: "bind=static:0-1". */
struct text;
void mempolicy_text(struct text *text, const struct quire_mempolicy *policy);
/* A copy that nothing uses yet; NULL: no memory. */
struct quire_mempolicy *mempolicy_copy(const struct quire_mempolicy *policy);

/* Where a page that is allocated belongs: an area, whose lock is held, or a mapping, and its index
 * there. */
struct alloc_place {
    const struct quire_vma *vma; /* NULL: none */
    struct quire_mapping *mapping;
    uint64_t index;
};

/* A page as `gfp` says, dressed, by the policy of the place, else the thread's, else any. */
struct quire_page *mempolicy_alloc_gfp(struct quire_vm *vm, const struct alloc_place *place,
                                       quire_gfp_t gfp);
/* vm_alloc_page by the policy of the place, else the thread's. `place` may be NULL. */
static inline struct quire_page *
mempolicy_alloc_page(struct quire_vm *vm, const struct alloc_place *place, quire_gfp_t extra)
{
    return mempolicy_alloc_gfp(vm, place, QUIRE_GFP_HIGHUSER_MOVABLE | extra);
}

/* The same while nobody has a policy: that costs a look at a word beside one that is read anyway.
 */
static inline struct quire_page *vm_alloc_page_at(const struct quire_vma *vma,
                                                  quire_linear_t address, quire_gfp_t extra)
{
    struct quire_vm *vm = vma->mm->vm;
    if (quire_likely(!quire_load_relaxed(&vm->nr_policies)))
        return vm_alloc_page(vm, extra);
    const struct alloc_place place = {vma, vma->mapping, vma_index(vma, address)};
    return mempolicy_alloc_page(vm, &place, extra);
}

static inline struct quire_page *vm_alloc_page_of(struct quire_mapping *mapping,
                                                  struct quire_vm *vm, uint64_t index,
                                                  quire_gfp_t extra)
{
    if (quire_likely(!quire_load_relaxed(&vm->nr_policies)))
        return vm_alloc_page(vm, extra);
    const struct alloc_place place = {NULL, mapping, index};
    return mempolicy_alloc_page(vm, &place, extra);
}

/* Up to `count` pages for the mapping, from `index` on: how many. The first is waited for, the
 * others are there if memory is. */
unsigned vm_alloc_pages_of(struct quire_mapping *mapping, uint64_t index, struct quire_page **pages,
                           unsigned count);

/* Of an area at an address, with a reference; NULL: none. mm->lock. */
struct quire_mempolicy *vma_mempolicy(const struct quire_vma *vma, quire_linear_t address);

/* ---- of shared memory (mempolicy_shared.c) --------------------------------------------------- */

struct mempolicy_run;
struct mempolicy_runs {
    struct mempolicy_run *run; /* by index, without overlap */
    unsigned count, room;
};

/* A policy for the pages [first, end) of shared memory; NULL: none any more. -ENOMEM: no memory, or
 * the mapping has too many parts. */
QUIRE_MUST_CHECK int mapping_set_mempolicy(struct quire_mapping *mapping, uint64_t first,
                                           uint64_t end, struct quire_mempolicy *policy);
/* With a reference; NULL: none. */
struct quire_mempolicy *mapping_mempolicy(struct quire_mapping *mapping, uint64_t index);
void mapping_drop_mempolicies(struct quire_mapping *mapping);

/* ---- moving (move_pages.c) ------------------------------------------------------------------- */

/* Moves a page, which the caller has pinned, into one of vm_alloc_page's that nobody has seen. Pin
 * and reference are given up in any case. 0; -EBUSY, -EAGAIN: it stays. migrate.c */
QUIRE_MUST_CHECK int page_migrate(struct quire_vm *vm, struct quire_page *from,
                                  struct quire_page *to);
/* The same; when it has moved, the frame is empty and the caller's by his pin. */
QUIRE_MUST_CHECK int page_migrate_away(struct quire_vm *vm, struct quire_page *from,
                                       struct quire_page *to);

struct page_moves {
    quire_nodes_t nodes; /* which pages: those that are there */
    int to;              /* -1: where the area's policy says */
    bool all;            /* those that others map, too */
    unsigned long stayed;
    int error; /* -ENOMEM: some node is full; -EINTR: it was ended */
};
/* Moves pages of [start, end), as long as there is no error. mm->lock (reader), which is given up
 * on the way; `gone` as mm_downgrade gave it, for mm_read_unlock, and what is left to do of that
 * comes back. */
struct quire_vma *mm_move_pages(struct quire_mm *mm, quire_linear_t start, quire_linear_t end,
                                struct page_moves *moves, struct quire_vma *gone);
/* Whether a page of [start, end) is on a node of `nodes`. */
bool vma_has_pages_on(struct quire_vma *vma, quire_linear_t start, quire_linear_t end,
                      quire_nodes_t nodes);

#endif
