/* map/vm_tree.c: ranges of addresses, ordered and balanced, with the gaps between them
 *
 * An AVL tree by address (Adelson-Velsky and Landis, 1962) whose nodes know the gap before them and
 * the largest gap of their subtree. First fit goes down from the root to the left wherever a gap
 * there is large enough: the lowest one, without looking at any range on the way that can't lead to
 * it. A list in the same order gives both neighbours at once.
 *
 *   invariant   the heights of a node's two subtrees differ by 1 at most
 *   invariant   node->gap is its start less the end of the one before, and node->max_gap the
 *               largest gap of its subtree
 *   bound       a search is at most 1.44 log2(n + 2) steps; insertion and removal go back up once,
 *               as far as something changes, with at most two rotations a level
 */
#include "map/vm_tree.h"

#include "base/bits.h"

static struct vm_node *before(const struct vm_node *node)
{
    return quire_container_of(node->link.prev, struct vm_node, link);
}

static struct vm_node *after(const struct vm_node *node)
{
    return quire_container_of(node->link.next, struct vm_node, link);
}

/* ---- balance --------------------------------------------------------------------------------- */

static unsigned height_of(const struct vm_node *node)
{
    return node ? node->height : 0;
}

static uint64_t max_gap_of(const struct vm_node *node)
{
    return node ? node->max_gap : 0;
}

static uint64_t larger(uint64_t a, uint64_t b)
{
    return a > b ? a : b;
}

/* From its children and its own gap. */
static void renew(struct vm_node *node)
{
    unsigned low = height_of(node->child[0]), high = height_of(node->child[1]);
    node->height = (uint8_t)((low > high ? low : high) + 1);
    node->max_gap =
        larger(node->gap, larger(max_gap_of(node->child[0]), max_gap_of(node->child[1])));
}

/* What led to `old` leads to `new`, which may be NULL. */
static void replace(struct vm_tree *tree, const struct vm_node *old, struct vm_node *new)
{
    if (new)
        new->parent = old->parent;
    if (!old->parent)
        tree->root = new;
    else
        old->parent->child[old->parent->child[1] == old] = new;
}

/* The child on the other side comes up, `node` goes down on side `down`; the one that came up. */
static struct vm_node *rotate(struct vm_tree *tree, struct vm_node *node, unsigned down)
{
    struct vm_node *up = node->child[!down], *moved = up->child[down];
    replace(tree, node, up);
    node->child[!down] = moved;
    if (moved)
        moved->parent = node;
    up->child[down] = node;
    node->parent = up;
    renew(node);
    renew(up);
    return up;
}

/* The root of what was the subtree of `node`. */
static struct vm_node *balance(struct vm_tree *tree, struct vm_node *node)
{
    unsigned low = height_of(node->child[0]), high = height_of(node->child[1]);
    if (low <= high + 1 && high <= low + 1)
        return node;
    unsigned side = high > low;
    struct vm_node *child = node->child[side];
    if (height_of(child->child[side]) < height_of(child->child[!side]))
        (void)rotate(tree, child, side);
    return rotate(tree, node, !side);
}

/* After something changed at `node` and at `also`, which is that or above it. Ends where a subtree
 * looks to its parent as it did: nodes hold what that parent saw of their place before. */
static void renew_upwards(struct vm_tree *tree, struct vm_node *node, const struct vm_node *also)
{
    for (bool passed = false; node; node = node->parent) {
        unsigned height = node->height;
        uint64_t max_gap = node->max_gap;
        passed |= node == also;
        renew(node);
        node = balance(tree, node);
        if (passed && node->height == height && node->max_gap == max_gap)
            return;
    }
}

/* `new` comes to where `old` was: what the parent saw there. */
static void look_like(struct vm_node *new, const struct vm_node *old)
{
    new->height = old->height;
    new->max_gap = old->max_gap;
}

/* ---- coming and going ------------------------------------------------------------------------ */

void vm_tree_init(struct vm_tree *tree, quire_linear_t start, quire_linear_t end)
{
    tree->first = (struct vm_node){.start = start, .end = start};
    tree->last = (struct vm_node){.start = end, .end = end, .gap = end - start};
    list_init(&tree->first.link);
    list_add_tail(&tree->first.link, &tree->last.link);
    tree->root = &tree->last;
    renew(tree->root);
}

/* The first node by address with such a gap before it; the root has one below it. */
static struct vm_node *first_fit(struct vm_tree *tree, uint64_t need)
{
    struct vm_node *node = tree->root;
    for (;;) {
        if (max_gap_of(node->child[0]) >= need)
            node = node->child[0];
        else if (node->gap >= need)
            return node;
        else
            node = node->child[1];
    }
}

bool vm_tree_insert(struct vm_tree *tree, struct vm_node *node, uint64_t size, uint64_t align)
{
    uint64_t need = size + (align - QUIRE_PAGE_SIZE);
    if (need < size || tree->root->max_gap < need)
        return false;
    struct vm_node *next = first_fit(tree, need), *previous = before(next);
    node->start = quire_align_up(previous->end, align);
    node->end = node->start + size;
    node->gap = node->start - previous->end;
    next->gap = next->start - node->end;
    /* The place of next's predecessor: if next has a left subtree, that one is its rightmost. */
    struct vm_node *parent = next->child[0] ? previous : next;
    parent->child[parent == previous] = node;
    node->parent = parent;
    node->child[0] = node->child[1] = NULL;
    node->height = 0;
    node->max_gap = 0;
    list_insert_between(&node->link, &previous->link, &next->link);
    renew_upwards(tree, node, next);
    return true;
}

/* `next`, the leftmost of node's right subtree, takes its place; where what changed begins. */
static struct vm_node *take_place(struct vm_tree *tree, struct vm_node *node, struct vm_node *next)
{
    struct vm_node *changed = next;
    if (next->parent != node) {
        changed = next->parent;
        replace(tree, next, next->child[1]);
        next->child[1] = node->child[1];
        next->child[1]->parent = next;
    }
    replace(tree, node, next);
    look_like(next, node);
    next->child[0] = node->child[0];
    next->child[0]->parent = next;
    return changed;
}

void vm_tree_remove(struct vm_tree *tree, struct vm_node *node)
{
    struct vm_node *next = after(node), *changed;
    list_del(&node->link);
    next->gap = next->start - before(next)->end;
    if (node->child[0] && node->child[1])
        changed = take_place(tree, node, next);
    else {
        /* If there is no right child, `next` is above; else it is that child, which has none. */
        struct vm_node *child = node->child[0] ? node->child[0] : node->child[1];
        replace(tree, node, child);
        if (child)
            look_like(child, node);
        changed = child ? child : node->parent;
    }
    renew_upwards(tree, changed, next);
}

struct vm_node *vm_tree_above(struct vm_tree *tree, quire_linear_t address)
{
    struct vm_node *found = &tree->last;
    for (struct vm_node *node = tree->root; node;) {
        bool ends_above = node->end > address;
        if (ends_above)
            found = node;
        node = node->child[!ends_above];
    }
    return found == &tree->last ? NULL : found;
}

/* ---- checking -------------------------------------------------------------------------------- */

static void check_node(const struct vm_tree *tree, const struct vm_node *node)
{
    const struct vm_node *low = node->child[0], *high = node->child[1];
    struct vm_node copy = *node;
    QUIRE_BUG_ON(node->start < before(node)->end || node->end < node->start);
    QUIRE_BUG_ON(node->gap != node->start - before(node)->end);
    QUIRE_BUG_ON(low && (low->parent != node || low->end > node->start));
    QUIRE_BUG_ON(high && (high->parent != node || high->start < node->end));
    QUIRE_BUG_ON(node->parent ? node->parent->child[node->parent->child[1] == node] != node
                              : tree->root != node);
    QUIRE_BUG_ON(height_of(low) > height_of(high) + 1 || height_of(high) > height_of(low) + 1);
    renew(&copy);
    QUIRE_BUG_ON(copy.height != node->height || copy.max_gap != node->max_gap);
}

void vm_tree_check(const struct vm_tree *tree)
{
    for (const struct vm_node *node = &tree->first; node != &tree->last;) {
        node = after(node);
        check_node(tree, node);
    }
}
