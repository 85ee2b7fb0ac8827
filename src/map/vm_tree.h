/* map/vm_tree.h: ranges of addresses, ordered and balanced, with the gaps between them */
#ifndef MAP_VM_TREE_H
#define MAP_VM_TREE_H

#include <quire/types.h>

#include "base/compiler.h"
#include "base/list.h"

struct vm_node {
    struct vm_node *parent, *child[2];
    struct list link; /* all of them by address, the tree's first and last included */
    quire_linear_t start, end;
    uint64_t gap;     /* bytes between the one before and this */
    uint64_t max_gap; /* the largest `gap` of this subtree */
    uint8_t height;   /* of this subtree: 1 for a leaf */
};

/* Stays where it was initialised. `first` ends where addresses begin and isn't in the tree; `last`
 * begins where they end and is, so that every gap lies before some node of the tree. */
struct vm_tree {
    struct vm_node *root;
    struct vm_node first, last;
};

void vm_tree_init(struct vm_tree *tree, quire_linear_t start, quire_linear_t end);

/* Gives `node` the lowest `size` bytes, aligned, that lie in a gap of at least size + align - page
 * bytes; false: there is none. Sizes are of whole pages, `align` a power of two. O(log n). */
QUIRE_MUST_CHECK bool vm_tree_insert(struct vm_tree *tree, struct vm_node *node, uint64_t size,
                                     uint64_t align);
void vm_tree_remove(struct vm_tree *tree, struct vm_node *node);

/* The lowest node that ends above `address`; NULL: there is none but `last`. O(log n). */
struct vm_node *vm_tree_above(struct vm_tree *tree, quire_linear_t address);

/* The next by address; NULL after the last. */
static inline struct vm_node *vm_tree_next(const struct vm_tree *tree, const struct vm_node *node)
{
    struct vm_node *next = quire_container_of(node->link.next, struct vm_node, link);
    return next == &tree->last ? NULL : next;
}

/* Checks every invariant; a broken one is a panic. O(n). */
void vm_tree_check(const struct vm_tree *tree);

#endif
