/* base/tree.h: balanced trees (AVL) with the node inside the element, and what a subtree knows
 *
 * The owner compares: it walks down by itself, links the new node where the walk ended, and calls
 * tree_link, which balances. Each node may hold something about its subtree (the largest gap, the
 * highest end), which `update` computes from the node and its children; whoever changes what it is
 * computed from calls tree_update.
 *
 *   invariant   heights of a node's children differ by one at most; a leaf's height is 1
 *   bound       height < 1.44 log2(n + 2), so a walk among 10,000 takes 19 steps at most; linking
 *               and unlinking O(log n) updates
 *   source      Adelson-Velsky and Landis, 1962; Knuth, The Art of Computer Programming 3, 6.2.3
 */
#ifndef QUIRE_BASE_TREE_H
#define QUIRE_BASE_TREE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct tree_node {
    struct tree_node *parent, *child[2];
    uint8_t height;
};

struct tree {
    struct tree_node *root;
    /* Computes what `node` knows; true: that changed. NULL: nodes know nothing of their subtrees.
     */
    bool (*update)(struct tree_node *node);
};

/* Puts `node` where `*link`, NULL until now, is: the root, or a child of `parent`. */
void tree_link(struct tree *tree, struct tree_node *node, struct tree_node *parent,
               struct tree_node **link);
void tree_unlink(struct tree *tree, struct tree_node *node);
/* What `node`'s own part of its knowledge is computed from has changed: updates it and those above,
 * as far as it makes a difference.
 */
void tree_update(struct tree *tree, struct tree_node *node);
/* `node` takes the place of `old`, and what it knew; the order must be the same. */
void tree_replace(struct tree *tree, struct tree_node *old, struct tree_node *node);

/* Makes an empty tree of the `count` nodes that next() gives, in order. O(n) updates, where linking
 * them one by one takes O(n log n). */
void tree_build(struct tree *tree, unsigned count, struct tree_node *(*next)(void *arg), void *arg);

struct tree_node *tree_first(const struct tree *tree);
struct tree_node *tree_last(const struct tree *tree);
struct tree_node *tree_next(const struct tree_node *node);
struct tree_node *tree_prev(const struct tree_node *node);

/* Parents, heights and balance; a broken one is a panic. O(n). For tests; the order is the
 * owner's to check. */
void tree_check(const struct tree *tree);

#endif
