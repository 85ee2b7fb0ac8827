/* vm/interval.h: which ranges of indices hold an index
 *
 * A balanced tree of ranges in order of their beginning, of which each knows the highest end in its
 * subtree. Ranges that begin alike are in the order in which they were put in: a walk that meets
 * the area of a fork's parent before its child's depends on that.
 *
 *   bound   insert, remove O(log n); a walk O(log n) to the first, amortised O(1) to each other of
 *           ranges that overlap much, O(log n) at worst
 */
#ifndef VM_INTERVAL_H
#define VM_INTERVAL_H

#include "base/tree.h"

struct interval {
    struct tree_node node;
    uint64_t first, last; /* both in it */
    uint64_t highest;     /* `last` of this subtree */
};

void interval_tree_init(struct tree *tree);
void interval_insert(struct tree *tree, struct interval *interval);
void interval_remove(struct tree *tree, struct interval *interval);

/* Those that share an index with [first, last], one after the other; NULL: none any more. */
struct interval *interval_first(const struct tree *tree, uint64_t first, uint64_t last);
struct interval *interval_next(const struct interval *interval, uint64_t first, uint64_t last);

/* Order, and what subtrees know; a broken one is a panic. For tests. */
void interval_check(const struct tree *tree);

#endif
