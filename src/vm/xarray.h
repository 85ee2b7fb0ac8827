/* vm/xarray.h: sparse arrays of words, by index
 *
 * A tree of nodes of 64 words, as high as its largest index needs: pages of a file by index, roots
 * by id, swap slots by frame. A word is a pointer (to something aligned to 4 bytes) or a number
 * shifted left with the lowest bit set; 0 is nothing. Linux: lib/xarray.c.
 *
 * The owner's lock guards all but xa_prepare and xa_release. Nodes are allocated before the lock is
 * taken:
 *
 *     xa_prepare(vm, &reserve, gfp)      enough nodes for one store anywhere
 *     lock, xa_store(...), unlock
 *     xa_release(vm, &reserve)
 *
 * Or, since most stores need none: lock; as long as xa_missing says more than the reserve has,
 * unlock, xa_prepare, lock. A reserve lasts for any number of stores; it is all zero at first.
 *
 *   invariant   no node is empty; a node's masks say what its words, or its subtrees, are
 *   bound       O(log64 of the largest index) for one; a walk passes over empty subtrees, one for
 *               free or marked indices over full or unmarked ones
 */
#ifndef VM_XARRAY_H
#define VM_XARRAY_H

#include "vm/internal.h"

#define XA_SHIFT 6
#define XA_SLOTS (1u << XA_SHIFT)
#define XA_MAX_HEIGHT 7
/* Indices are below 2^42. */
#define XA_LAST ((UINT64_C(1) << XA_SHIFT * XA_MAX_HEIGHT) - 1)
_Static_assert(XA_LAST >> PAGE_INDEX_BITS, "pages of files have indices");

/* Bit i of a mask is for slot i. */
struct xa_node {
    uint64_t used;   /* the word isn't 0 */
    uint64_t full;   /* nor is any below it */
    uint64_t marked; /* the word is marked, or one below it */
    uintptr_t slot[XA_SLOTS];
};

struct xarray {
    struct xa_node *root;
    unsigned height;     /* of the tree: 0 without a root */
    unsigned long count; /* of words that aren't 0 */
};

/* A tree of one level that comes to hold an index that needs all of them gets the levels above it,
 * and a branch. */
#define XA_MOST_NODES (2 * (XA_MAX_HEIGHT - 1))
struct xa_reserve {
    void *node[XA_MOST_NODES];
    unsigned count;
};

static inline uintptr_t xa_number(unsigned long value)
{
    return (uintptr_t)value << 1 | 1;
}

static inline bool xa_is_number(uintptr_t word)
{
    return word & 1;
}

static inline unsigned long xa_to_number(uintptr_t word)
{
    return (unsigned long)(word >> 1);
}

/* 0; -ENOMEM: the reserve is as it was. */
QUIRE_MUST_CHECK int xa_prepare(struct quire_vm *vm, struct xa_reserve *reserve, quire_gfp_t gfp);
void xa_release(struct quire_vm *vm, struct xa_reserve *reserve);
/* Nodes that storing a word there takes. */
unsigned xa_missing(const struct xarray *xa, uint64_t index);

/* Of a node, for vm's cache of them. */
static inline size_t xa_node_size(void)
{
    return sizeof(struct xa_node);
}

uintptr_t xa_load(const struct xarray *xa, uint64_t index);
/* Those at `first` and the next ones. One walk for each node that they are in. */
void xa_load_range(const struct xarray *xa, uint64_t first, unsigned count, uintptr_t *word);
/* What was there. Storing 0 frees nodes that become empty (vm's slab: no lock of this layer is
 * needed for that). `reserve` may be NULL for 0, or where a word is already. A mark stays with the
 * index until 0 is stored. */
uintptr_t xa_store(struct quire_vm *vm, struct xarray *xa, uint64_t index, uintptr_t word,
                   struct xa_reserve *reserve);
/* Pointers at `first` and the next indices, as far as there is 0 and a node for it: how many. */
unsigned xa_store_run(struct quire_vm *vm, struct xarray *xa, uint64_t first,
                      struct quire_page *const *page, unsigned count);
/* The first word at *index or above and at most `last`; 0: none. *index becomes where it is. */
uintptr_t xa_next(const struct xarray *xa, uint64_t *index, uint64_t last);
/* The lowest index that holds 0, from `first` on: for ids. XA_LAST + 1: there is none. */
uint64_t xa_free_index(const struct xarray *xa, uint64_t first);

/* Marks an index that holds a word, or takes its mark away. */
void xa_set_mark(struct xarray *xa, uint64_t index, bool mark);
bool xa_is_marked(const struct xarray *xa, uint64_t index);
/* As xa_next, among marked ones. */
uintptr_t xa_next_marked(const struct xarray *xa, uint64_t *index, uint64_t last);

/* Invariants; a broken one is a panic. O(nodes). For tests. */
void xa_check(const struct xarray *xa);

#endif
