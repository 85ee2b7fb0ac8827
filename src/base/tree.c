#include "base/tree.h"

#include "base/compiler.h"

static unsigned height_of(const struct tree_node *node)
{
    return node ? node->height : 0;
}

/* True: something changed that those above are computed from. */
static inline bool set_height(const struct tree *tree, struct tree_node *node, unsigned left,
                              unsigned right)
{
    unsigned height = (left > right ? left : right) + 1;
    bool changed = node->height != height;
    node->height = (uint8_t)height;
    return (tree->update && tree->update(node)) || changed;
}

static void refresh(const struct tree *tree, struct tree_node *node)
{
    (void)set_height(tree, node, height_of(node->child[0]), height_of(node->child[1]));
}

/* What leads to `node`: its parent's pointer, or the root. */
static struct tree_node **link_of(struct tree *tree, const struct tree_node *node)
{
    struct tree_node *parent = node->parent;
    return parent ? &parent->child[parent->child[1] == node] : &tree->root;
}

/* The child on the other side of `side` rises into node's place. Returns it. */
static struct tree_node *rotate(struct tree *tree, struct tree_node *node, unsigned side)
{
    struct tree_node *riser = node->child[!side], *inner = riser->child[side];
    *link_of(tree, node) = riser;
    riser->parent = node->parent;
    riser->child[side] = node;
    node->parent = riser;
    node->child[!side] = inner;
    if (inner)
        inner->parent = node;
    refresh(tree, node);
    refresh(tree, riser);
    return riser;
}

/* Balances `node`, one of whose children is too high: what stands in its place then. */
static QUIRE_NOINLINE struct tree_node *balance(struct tree *tree, struct tree_node *node)
{
    unsigned high = height_of(node->child[1]) > height_of(node->child[0]);
    struct tree_node *child = node->child[high];
    if (height_of(child->child[!high]) > height_of(child->child[high]))
        rotate(tree, child, high);
    return rotate(tree, node, !high);
}

/* A node below which something changed; what stands in its place then goes on from there. False:
 * those above don't see any of it. */
static inline bool settle(struct tree *tree, struct tree_node **node)
{
    unsigned left = height_of((*node)->child[0]), right = height_of((*node)->child[1]);
    if (quire_likely(left <= right + 1 && right <= left + 1))
        return set_height(tree, *node, left, right);
    *node = balance(tree, *node);
    return true;
}

/* From `node` up until nothing changes. */
static void ascend(struct tree *tree, struct tree_node *node)
{
    while (node && settle(tree, &node))
        node = node->parent;
}

void tree_link(struct tree *tree, struct tree_node *node, struct tree_node *parent,
               struct tree_node **link)
{
    node->parent = parent;
    node->child[0] = node->child[1] = NULL;
    *link = node;
    node->height = 1;
    if (tree->update)
        (void)tree->update(node);
    ascend(tree, parent);
}

void tree_replace(struct tree *tree, struct tree_node *old, struct tree_node *node)
{
    *link_of(tree, old) = node;
    *node = *old;
    for (unsigned side = 0; side < 2; side++)
        if (node->child[side])
            node->child[side]->parent = node;
    refresh(tree, node);
}

void tree_unlink(struct tree *tree, struct tree_node *node)
{
    struct tree_node *from = node->parent;
    if (node->child[0] && node->child[1]) {
        struct tree_node *heir = tree_next(node); /* it has no left child */
        from = heir->parent == node ? heir : heir->parent;
        *link_of(tree, heir) = heir->child[1];
        if (heir->child[1])
            heir->child[1]->parent = heir->parent;
        tree_replace(tree, node, heir);
        /* Those up to heir's parent know only what the heir replaced. */
        const struct tree_node *least = heir->parent;
        for (; from != least; from = from->parent)
            (void)settle(tree, &from);
    } else {
        struct tree_node *child = node->child[!node->child[0]];
        *link_of(tree, node) = child;
        if (child)
            child->parent = from;
    }
    ascend(tree, from);
}

void tree_update(struct tree *tree, struct tree_node *node)
{
    while (node && tree->update(node))
        node = node->parent;
}

struct building {
    const struct tree *tree;
    struct tree_node *(*next)(void *arg);
    void *arg;
};

/* The next `count` nodes as a tree, halved at each height: both sides' heights differ by one at
 * most. */
static struct tree_node *build(const struct building *b, unsigned count)
{
    if (!count)
        return NULL;
    struct tree_node *left = build(b, count / 2), *node = b->next(b->arg);
    node->child[0] = left;
    node->child[1] = build(b, count - count / 2 - 1);
    for (unsigned side = 0; side < 2; side++)
        if (node->child[side])
            node->child[side]->parent = node;
    refresh(b->tree, node);
    return node;
}

void tree_build(struct tree *tree, unsigned count, struct tree_node *(*next)(void *arg), void *arg)
{
    tree->root = build(&(struct building){tree, next, arg}, count);
    if (tree->root)
        tree->root->parent = NULL;
}

static struct tree_node *outermost(struct tree_node *node, unsigned side)
{
    while (node && node->child[side])
        node = node->child[side];
    return node;
}

static struct tree_node *neighbour(const struct tree_node *node, unsigned side)
{
    if (node->child[side])
        return outermost(node->child[side], !side);
    while (node->parent && node->parent->child[side] == node)
        node = node->parent;
    return node->parent;
}

struct tree_node *tree_first(const struct tree *tree)
{
    return outermost(tree->root, 0);
}

struct tree_node *tree_last(const struct tree *tree)
{
    return outermost(tree->root, 1);
}

struct tree_node *tree_next(const struct tree_node *node)
{
    return neighbour(node, 1);
}

struct tree_node *tree_prev(const struct tree_node *node)
{
    return neighbour(node, 0);
}

void tree_check(const struct tree *tree)
{
    QUIRE_BUG_ON(tree->root && tree->root->parent);
    for (struct tree_node *node = tree_first(tree); node; node = tree_next(node)) {
        unsigned left = height_of(node->child[0]), right = height_of(node->child[1]);
        QUIRE_BUG_ON(left > right + 1 || right > left + 1);
        QUIRE_BUG_ON(node->height != (left > right ? left : right) + 1);
        for (unsigned side = 0; side < 2; side++)
            QUIRE_BUG_ON(node->child[side] && node->child[side]->parent != node);
    }
}
