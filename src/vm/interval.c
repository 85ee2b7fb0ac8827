/* vm/interval.c: trees of ranges
 *
 * Source: Cormen, Leiserson, Rivest, Stein, Introduction to Algorithms, 14.3. */
#include "vm/interval.h"

#include "base/compiler.h"
#include "base/list.h"

static struct interval *interval_of(const struct tree_node *node)
{
    return quire_container_of(node, struct interval, node);
}

static bool reaches(const struct tree_node *node, uint64_t index)
{
    return node && interval_of(node)->highest >= index;
}

static uint64_t highest_of(const struct interval *interval)
{
    uint64_t highest = interval->last;
    for (unsigned side = 0; side < 2; side++)
        if (reaches(interval->node.child[side], highest))
            highest = interval_of(interval->node.child[side])->highest;
    return highest;
}

static bool update(struct tree_node *node)
{
    struct interval *interval = interval_of(node);
    uint64_t highest = highest_of(interval);
    bool changed = highest != interval->highest;
    interval->highest = highest;
    return changed;
}

void interval_tree_init(struct tree *tree)
{
    *tree = (struct tree){.update = update};
}

void interval_insert(struct tree *tree, struct interval *interval)
{
    struct tree_node *parent = NULL, **link = &tree->root;
    while (*link) {
        parent = *link;
        link = &parent->child[interval->first >= interval_of(parent)->first];
    }
    tree_link(tree, &interval->node, parent, link);
}

void interval_remove(struct tree *tree, struct interval *interval)
{
    tree_unlink(tree, &interval->node);
}

/* The first of a subtree. Where the left half has one that ends late enough, the first such is the
 * answer or there is none: if that one begins too late, so do all after it. */
static struct interval *first_below(struct tree_node *node, uint64_t first, uint64_t last)
{
    while (reaches(node, first)) {
        struct interval *interval = interval_of(node);
        if (reaches(node->child[0], first)) {
            node = node->child[0];
        } else {
            if (interval->first > last)
                return NULL;
            if (interval->last >= first)
                return interval;
            node = node->child[1];
        }
    }
    return NULL;
}

struct interval *interval_first(const struct tree *tree, uint64_t first, uint64_t last)
{
    return first_below(tree->root, first, last);
}

struct interval *interval_next(const struct interval *interval, uint64_t first, uint64_t last)
{
    const struct tree_node *node = &interval->node;
    for (;;) {
        if (reaches(node->child[1], first))
            return first_below(node->child[1], first, last);
        const struct tree_node *below;
        do {
            below = node;
            node = node->parent;
            if (!node)
                return NULL;
        } while (below == node->child[1]);
        struct interval *next = interval_of(node);
        if (next->first > last)
            return NULL;
        if (next->last >= first)
            return next;
    }
}

void interval_check(const struct tree *tree)
{
    const struct interval *before = NULL;
    tree_check(tree);
    for (struct tree_node *node = tree_first(tree); node; node = tree_next(node)) {
        const struct interval *interval = interval_of(node);
        QUIRE_BUG_ON(interval->last < interval->first);
        QUIRE_BUG_ON(before && before->first > interval->first);
        QUIRE_BUG_ON(interval->highest != highest_of(interval));
        before = interval;
    }
}
