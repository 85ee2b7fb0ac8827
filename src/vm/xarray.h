/* vm/xarray.h: sparse arrays of words, by 64-bit index
 *
 * A tree of nodes of 64 words, as high as its largest index needs: pages of a file by index, roots
 * by id, swap slots by frame. A word is a pointer (to something aligned to 4 bytes) or a number
 * shifted left with the lowest bit set; 0 is nothing. Linux: lib/xarray.c.
 *
 * The owner's lock guards all but xa_prepare. Nodes are allocated before the lock is taken:
 *
 *     xa_prepare(vm, &reserve, gfp)      enough nodes for one store anywhere
 *     lock, xa_store(...), unlock
 *     xa_release(vm, &reserve)
 *
 *   bound   O(log64 of the largest index) for one; a walk passes over empty subtrees
 */
#ifndef VM_XARRAY_H
#define VM_XARRAY_H

#include "vm/internal.h"

struct xa_node;
struct xarray {
    struct xa_node *root;
    unsigned height;
    unsigned long count; /* of words that aren't 0 */
};
#define XA_MAX_HEIGHT 11
struct xa_reserve {
    struct xa_node *node[XA_MAX_HEIGHT + 1];
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

QUIRE_MUST_CHECK int xa_prepare(struct quire_vm *vm, struct xa_reserve *reserve, quire_gfp_t gfp);
void xa_release(struct quire_vm *vm, struct xa_reserve *reserve);

/* Of a node, for vm's cache of them. */
size_t xa_node_size(void);

uintptr_t xa_load(const struct xarray *xa, uint64_t index);
/* What was there. Storing 0 frees nodes that become empty (vm's slab: no lock of this layer is
 * needed for that). `reserve` may be NULL for 0, or where a word is already. */
uintptr_t xa_store(struct quire_vm *vm, struct xarray *xa, uint64_t index, uintptr_t word,
                   struct xa_reserve *reserve);
/* The first word at *index or above and at most `last`; 0: none. *index becomes where it is. */
uintptr_t xa_next(const struct xarray *xa, uint64_t *index, uint64_t last);
/* The lowest index that holds 0, from `first` on: for ids. */
uint64_t xa_free_index(const struct xarray *xa, uint64_t first);

#endif
