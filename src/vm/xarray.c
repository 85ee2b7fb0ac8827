/* vm/xarray.c: see xarray.h
 *
 * Walks go down with the shift of the level that they are at: slot i of a node of height h covers
 * 64^(h-1) indices from i * 64^(h-1) on, relative to the node's own. Who changes a leaf keeps the
 * way there, and goes back up it as long as masks change.
 */
#include "vm/xarray.h"

#include "base/bits.h"

static unsigned shift_of(unsigned height)
{
    return (height - 1) * XA_SHIFT;
}

static unsigned slot_of(uint64_t index, unsigned height)
{
    return (unsigned)(index >> shift_of(height)) & (XA_SLOTS - 1);
}

static uint64_t bit_of(uint64_t index, unsigned height)
{
    return UINT64_C(1) << slot_of(index, height);
}

static struct xa_node *child(const struct xa_node *node, unsigned slot)
{
    return (struct xa_node *)node->slot[slot];
}

/* Levels that an index needs. */
static unsigned height_for(uint64_t index)
{
    unsigned height = 1;
    while (index >> shift_of(height + 1))
        height++;
    return height;
}

static bool in_reach(const struct xarray *xa, uint64_t index)
{
    return xa->height && !(index >> shift_of(xa->height + 1));
}

/* ---- nodes ----------------------------------------------------------------------------------- */

int xa_prepare(struct quire_vm *vm, struct xa_reserve *reserve, quire_gfp_t gfp)
{
    unsigned lacking = XA_MOST_NODES - reserve->count;
    if (lacking &&
        !quire_kmem_cache_alloc_bulk(vm->xa_cache, gfp, lacking, reserve->node + reserve->count))
        return -QUIRE_ENOMEM;
    reserve->count = XA_MOST_NODES;
    return 0;
}

void xa_release(struct quire_vm *vm, struct xa_reserve *reserve)
{
    if (reserve->count)
        quire_kmem_cache_free_bulk(vm->xa_cache, reserve->count, reserve->node);
    reserve->count = 0;
}

unsigned xa_missing(const struct xarray *xa, uint64_t index)
{
    unsigned height = height_for(index);
    if (!xa->root)
        return height;
    if (height > xa->height)
        return height - xa->height + height - 1;
    const struct xa_node *node = xa->root;
    for (height = xa->height; height > 1; height--) {
        if (!(node->used & bit_of(index, height)))
            return height - 1;
        node = child(node, slot_of(index, height));
    }
    return 0;
}

/* The caller has as many as xa_missing said. */
static struct xa_node *take_node(struct xa_reserve *reserve)
{
    QUIRE_BUG_ON(!reserve || !reserve->count);
    struct xa_node *node = reserve->node[--reserve->count];
    __builtin_memset(node, 0, sizeof *node);
    return node;
}

/* ---- one index ------------------------------------------------------------------------------- */

/* The leaf that covers an index; NULL: there is none. */
static struct xa_node *find_leaf(const struct xarray *xa, uint64_t index)
{
    if (!in_reach(xa, index))
        return NULL;
    struct xa_node *node = xa->root;
    for (unsigned height = xa->height; node && height > 1; height--)
        node = child(node, slot_of(index, height));
    return node;
}

uintptr_t xa_load(const struct xarray *xa, uint64_t index)
{
    const struct xa_node *leaf = find_leaf(xa, index);
    return leaf ? leaf->slot[slot_of(index, 1)] : 0;
}

void xa_load_range(const struct xarray *xa, uint64_t first, unsigned count, uintptr_t *word)
{
    const struct xa_node *leaf = find_leaf(xa, first);
    unsigned slot = slot_of(first, 1);
    for (unsigned i = 0; i < count; i++, slot++) {
        if (slot == XA_SLOTS) {
            leaf = find_leaf(xa, first + i);
            slot = 0;
        }
        word[i] = leaf ? leaf->slot[slot] : 0;
    }
}

/* The tree gets as high as the index needs. */
static void grow(struct xarray *xa, uint64_t index, struct xa_reserve *reserve)
{
    if (!xa->root) {
        xa->root = take_node(reserve);
        xa->height = height_for(index);
    }
    while (!in_reach(xa, index)) {
        struct xa_node *top = take_node(reserve);
        top->slot[0] = (uintptr_t)xa->root;
        top->used = 1;
        top->full = xa->root->full == UINT64_MAX;
        top->marked = xa->root->marked != 0;
        xa->root = top;
        xa->height++;
    }
}

/* The nodes on the way to an index: node[0] is its leaf. */
struct path {
    struct xa_node *node[XA_MAX_HEIGHT];
};

/* False: there is no leaf, and `make` doesn't ask for one. */
static bool walk(struct xarray *xa, uint64_t index, bool make, struct xa_reserve *reserve,
                 struct path *path)
{
    if (make)
        grow(xa, index, reserve);
    else if (!in_reach(xa, index))
        return false;
    struct xa_node *node = xa->root;
    for (unsigned height = xa->height; height > 1; height--) {
        path->node[height - 1] = node;
        unsigned slot = slot_of(index, height);
        if (!node->slot[slot]) {
            if (!make)
                return false;
            node->slot[slot] = (uintptr_t)take_node(reserve);
            node->used |= UINT64_C(1) << slot;
        }
        node = child(node, slot);
    }
    path->node[0] = node;
    return true;
}

/* A root that has just the lowest indices' subtree isn't needed, nor one that has none. */
static void lower(struct quire_vm *vm, struct xarray *xa)
{
    while (xa->height && xa->root->used <= (xa->height > 1)) {
        struct xa_node *top = xa->root;
        xa->height = top->used ? xa->height - 1 : 0;
        xa->root = top->used ? child(top, 0) : NULL;
        quire_kmem_cache_free(vm->xa_cache, top);
    }
}

static uint64_t with_bit(uint64_t mask, uint64_t bit, bool set)
{
    return set ? mask | bit : mask & ~bit;
}

/* The leaf's masks changed: what those above say of it follows, and nodes that are empty now go. */
static void ascend(struct quire_vm *vm, struct xarray *xa, uint64_t index, const struct path *path)
{
    for (unsigned height = 2; height <= xa->height; height++) {
        struct xa_node *below = path->node[height - 2], *node = path->node[height - 1];
        uint64_t bit = bit_of(index, height);
        uint64_t full = with_bit(node->full, bit, below->full == UINT64_MAX);
        uint64_t marked = with_bit(node->marked, bit, below->marked);
        if (below->used && full == node->full && marked == node->marked)
            return;
        node->full = full;
        node->marked = marked;
        if (!below->used) {
            node->slot[slot_of(index, height)] = 0;
            node->used &= ~bit;
            quire_kmem_cache_free(vm->xa_cache, below);
        }
    }
    lower(vm, xa);
}

uintptr_t xa_store(struct quire_vm *vm, struct xarray *xa, uint64_t index, uintptr_t word,
                   struct xa_reserve *reserve)
{
    struct path path;
    QUIRE_BUG_ON(index > XA_LAST);
    if (!walk(xa, index, word != 0, reserve, &path))
        return 0;
    struct xa_node *leaf = path.node[0];
    uint64_t bit = bit_of(index, 1);
    uintptr_t old = leaf->slot[slot_of(index, 1)];
    leaf->slot[slot_of(index, 1)] = word;
    if (!old == !word)
        return old;
    leaf->used = leaf->full = with_bit(leaf->used, bit, word);
    leaf->marked &= leaf->used;
    xa->count += word ? 1ul : -1ul;
    ascend(vm, xa, index, &path);
    return old;
}

unsigned xa_store_run(struct quire_vm *vm, struct xarray *xa, uint64_t first,
                      struct quire_page *const *page, unsigned count)
{
    struct path path;
    if (!walk(xa, first, false, NULL, &path))
        return 0;
    struct xa_node *leaf = path.node[0];
    const unsigned slot = slot_of(first, 1), room = XA_SLOTS - slot;
    unsigned done = 0;
    for (; done < count && done < room && !leaf->slot[slot + done]; done++)
        leaf->slot[slot + done] = (uintptr_t)page[done];
    if (!done)
        return 0;
    leaf->used = leaf->full = leaf->used | UINT64_MAX >> (XA_SLOTS - done) << slot;
    xa->count += done;
    ascend(vm, xa, first, &path);
    return done;
}

void xa_set_mark(struct xarray *xa, uint64_t index, bool mark)
{
    struct path path;
    if (!walk(xa, index, false, NULL, &path))
        return;
    struct xa_node *leaf = path.node[0];
    leaf->marked = with_bit(leaf->marked, bit_of(index, 1), mark) & leaf->used;
    for (unsigned height = 2; height <= xa->height; height++) {
        struct xa_node *node = path.node[height - 1];
        node->marked = with_bit(node->marked, bit_of(index, height), path.node[height - 2]->marked);
    }
}

bool xa_is_marked(const struct xarray *xa, uint64_t index)
{
    const struct xa_node *leaf = find_leaf(xa, index);
    return leaf && leaf->marked & bit_of(index, 1);
}

/* ---- searching ------------------------------------------------------------------------------- */

enum wanted { USED, MARKED, FREE };

/* Slots under which there may be what is looked for. */
static uint64_t candidates(const struct xa_node *node, enum wanted wanted)
{
    return wanted == USED ? node->used : wanted == MARKED ? node->marked : ~node->full;
}

/* The lowest index from `from` on, within the tree's reach, that is as wanted; false: none. Goes
 * down to where the masks lead, and anew from beyond each subtree that has nothing: for USED and
 * MARKED there is none such but the one that `from` begins in, and for FREE the same. */
static bool search(const struct xarray *xa, uint64_t from, enum wanted wanted, uint64_t *found)
{
    while (in_reach(xa, from)) {
        const struct xa_node *node = xa->root;
        unsigned height = xa->height;
        for (;; height--) {
            uint64_t left = candidates(node, wanted) & ~(bit_of(from, height) - 1);
            if (!left)
                break;
            unsigned slot = quire_ctz64(left);
            if (slot != slot_of(from, height)) {
                uint64_t below = (UINT64_C(1) << shift_of(height + 1)) - 1;
                from = (from & ~below) | (uint64_t)slot << shift_of(height);
            }
            if (height == 1 || !node->slot[slot]) {
                *found = from;
                return true;
            }
            node = child(node, slot);
        }
        /* Nothing more in this node: on behind it. */
        from = ((from >> shift_of(height + 1)) + 1) << shift_of(height + 1);
    }
    return false;
}

static uintptr_t next(const struct xarray *xa, enum wanted wanted, uint64_t *index, uint64_t last)
{
    uint64_t found;
    if (*index > last || !search(xa, *index, wanted, &found) || found > last)
        return 0;
    *index = found;
    return xa_load(xa, found);
}

uintptr_t xa_next(const struct xarray *xa, uint64_t *index, uint64_t last)
{
    return next(xa, USED, index, last);
}

uintptr_t xa_next_marked(const struct xarray *xa, uint64_t *index, uint64_t last)
{
    return next(xa, MARKED, index, last);
}

uint64_t xa_free_index(const struct xarray *xa, uint64_t first)
{
    uint64_t found;
    if (search(xa, first, FREE, &found))
        return found;
    uint64_t end = xa->height ? UINT64_C(1) << shift_of(xa->height + 1) : 0;
    return first > end ? first : end;
}

/* ---- checks ---------------------------------------------------------------------------------- */

/* Words in a subtree. Recursion is as deep as the tree is high: XA_MAX_HEIGHT. */
static unsigned long check_node(const struct xa_node *node, unsigned height)
{
    unsigned long count = 0;
    QUIRE_BUG_ON(!node->used || node->full & ~node->used || node->marked & ~node->used);
    QUIRE_BUG_ON(height == 1 && node->full != node->used);
    for (unsigned slot = 0; slot < XA_SLOTS; slot++) {
        QUIRE_BUG_ON((node->slot[slot] != 0) != (node->used >> slot & 1));
        if (!node->slot[slot] || height == 1) {
            count += node->slot[slot] != 0;
            continue;
        }
        const struct xa_node *below = child(node, slot);
        QUIRE_BUG_ON((node->full >> slot & 1) != (below->full == UINT64_MAX));
        QUIRE_BUG_ON((node->marked >> slot & 1) != (below->marked != 0));
        count += check_node(below, height - 1);
    }
    return count;
}

void xa_check(const struct xarray *xa)
{
    QUIRE_BUG_ON(!xa->root != !xa->height || xa->height > XA_MAX_HEIGHT);
    QUIRE_BUG_ON(xa->count != (xa->root ? check_node(xa->root, xa->height) : 0));
    QUIRE_BUG_ON(xa->height > 1 && xa->root->used == 1);
}
