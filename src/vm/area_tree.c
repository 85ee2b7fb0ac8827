/* vm/area_tree.c: areas by address, and the free ranges between them
 *
 * The areas of an address space are a balanced tree in order of address. Each knows the gap before
 * it: the free bytes between the area before and itself, less those that a stack keeps free below
 * it; and the largest gap of its subtree. So a search for free addresses goes down one path, and
 * back up only from a subtree that the range's bound cuts.
 *
 *   invariant   gap == vma_start_gap(vma) - end of the area before (0 if that is negative), and
 *               max_gap is the largest of the subtree
 *   bound       O(log n) for lookups, changes and both searches
 *   source      Linux, mm/mmap.c before 6.1: unmapped_area, unmapped_area_topdown
 */
#include "vm/area.h"

static struct quire_vma *vma_of(const struct tree_node *node)
{
    return node ? quire_container_of(node, struct quire_vma, node) : NULL;
}

static uint64_t max_gap_of(const struct tree_node *node)
{
    return node ? vma_of(node)->max_gap : 0;
}

static void update_max_gap(struct tree_node *node)
{
    struct quire_vma *vma = vma_of(node);
    uint64_t left = max_gap_of(node->child[0]), right = max_gap_of(node->child[1]);
    uint64_t max = left > right ? left : right;
    vma->max_gap = vma->gap > max ? vma->gap : max;
}

/* ---- lookups --------------------------------------------------------------------------------- */

struct quire_vma *vma_above(struct quire_mm *mm, quire_linear_t address)
{
    struct tree_node *node = mm->areas.root;
    struct quire_vma *found = NULL;
    while (node) {
        struct quire_vma *vma = vma_of(node);
        if (vma->end > address) {
            found = vma;
            if (vma->start <= address)
                break;
            node = node->child[0];
        } else {
            node = node->child[1];
        }
    }
    return found;
}

struct quire_vma *vma_at(struct quire_mm *mm, quire_linear_t address)
{
    struct quire_vma *vma = vma_above(mm, address);
    return vma && vma->start <= address ? vma : NULL;
}

bool vma_intersects(struct quire_mm *mm, quire_linear_t start, quire_linear_t end)
{
    struct quire_vma *vma = vma_above(mm, start);
    return vma && vma->start < end;
}

struct quire_vma *vma_next(const struct quire_vma *vma)
{
    return vma_of(tree_next(&vma->node));
}

struct quire_vma *vma_prev(const struct quire_vma *vma)
{
    return vma_of(tree_prev(&vma->node));
}

/* ---- changes --------------------------------------------------------------------------------- */

quire_linear_t vma_start_gap(const struct quire_vma *vma)
{
    quire_linear_t guard = (quire_linear_t)vma->mm->layout.stack_gap << QUIRE_PAGE_SHIFT;
    if (!(vma->flags & VM_GROWSDOWN))
        return vma->start;
    return vma->start > guard ? vma->start - guard : 0;
}

static uint64_t gap_between(const struct quire_vma *prev, const struct quire_vma *vma)
{
    quire_linear_t from = prev ? prev->end : 0, to = vma_start_gap(vma);
    return to > from ? to - from : 0;
}

static void refresh_gap(struct quire_vma *prev, struct quire_vma *vma)
{
    uint64_t gap = gap_between(prev, vma);
    if (gap == vma->gap)
        return;
    vma->gap = gap;
    tree_update(&vma->mm->areas, &vma->node);
}

void areas_init(struct quire_mm *mm)
{
    mm->areas = (struct tree){.update = update_max_gap};
    mm->nr_areas = 0;
}

void areas_link(struct quire_mm *mm, struct quire_vma *vma)
{
    struct tree_node **link = &mm->areas.root, *parent = NULL;
    struct quire_vma *prev = NULL, *next = NULL;
    while (*link) {
        struct quire_vma *other = vma_of(*link);
        parent = *link;
        if (vma->start < other->start) {
            next = other;
            link = &parent->child[0];
        } else {
            prev = other;
            link = &parent->child[1];
        }
    }
    vma->gap = gap_between(prev, vma);
    tree_link(&mm->areas, &vma->node, parent, link);
    if (next)
        refresh_gap(vma, next);
    mm->nr_areas++;
    mm->generation++;
}

void areas_unlink(struct quire_vma *vma)
{
    struct quire_mm *mm = vma->mm;
    struct quire_vma *prev = vma_prev(vma), *next = vma_next(vma);
    tree_unlink(&mm->areas, &vma->node);
    if (next)
        refresh_gap(prev, next);
    mm->nr_areas--;
    mm->generation++;
}

void areas_moved(struct quire_vma *vma)
{
    struct quire_vma *next = vma_next(vma);
    refresh_gap(vma_prev(vma), vma);
    if (next)
        refresh_gap(vma, next);
    vma->mm->generation++;
}

void areas_check(const struct quire_mm *mm)
{
    const struct quire_vma *prev = NULL;
    tree_check(&mm->areas);
    for (struct tree_node *node = tree_first(&mm->areas); node; node = tree_next(node)) {
        struct quire_vma *vma = vma_of(node), seen = *vma;
        QUIRE_BUG_ON(prev && vma->start < prev->end);
        QUIRE_BUG_ON(vma->gap != gap_between(prev, vma));
        update_max_gap(&seen.node);
        QUIRE_BUG_ON(vma->max_gap != seen.max_gap);
        prev = vma;
    }
}

/* ---- free ranges ----------------------------------------------------------------------------- */

/* Where an area's gap, which isn't empty, begins. */
static quire_linear_t gap_start(const struct quire_vma *vma)
{
    return vma_start_gap(vma) - vma->gap;
}

static quire_linear_t last_end(struct quire_mm *mm)
{
    struct tree_node *last = tree_last(&mm->areas);
    return last ? vma_of(last)->end : 0;
}

/* Up from a subtree that is done, to the next node in an order that has the `side` child last;
 * NULL: all is done. */
static struct tree_node *rise(struct tree_node *node, unsigned side)
{
    while (node->parent && node->parent->child[side] == node)
        node = node->parent;
    return node->parent;
}

/* The highest gap that holds `size` bytes and begins so that they end at `high` at most. What lies
 * right of a node begins behind it, so that a node near `high` cuts off its right. */
static struct quire_vma *highest_gap(struct quire_mm *mm, uint64_t size, quire_linear_t high)
{
    struct tree_node *node = mm->areas.root;
    bool descend = true;
    if (max_gap_of(node) < size)
        return NULL;
    while (node) {
        struct quire_vma *vma = vma_of(node);
        if (descend && max_gap_of(node->child[1]) >= size && vma->end <= high - size) {
            node = node->child[1];
            continue;
        }
        if (vma->gap >= size && gap_start(vma) <= high - size)
            return vma;
        descend = max_gap_of(node->child[0]) >= size;
        node = descend ? node->child[0] : rise(node, 0);
    }
    return NULL;
}

quire_linear_t areas_gap_below(struct quire_mm *mm, uint64_t size, quire_linear_t low,
                               quire_linear_t high)
{
    quire_linear_t end = high;
    if (low > high || size > high - low)
        return 0;
    if (last_end(mm) > high - size) {
        struct quire_vma *vma = highest_gap(mm, size, high);
        if (!vma)
            return 0;
        end = vma_start_gap(vma) < high ? vma_start_gap(vma) : high;
    }
    return end - size >= low ? end - size : 0;
}

/* The lowest gap that holds `size` bytes and ends so that they begin at `low` at least. */
static struct quire_vma *lowest_gap(struct quire_mm *mm, uint64_t size, quire_linear_t low)
{
    struct tree_node *node = mm->areas.root;
    bool descend = true;
    if (max_gap_of(node) < size)
        return NULL;
    while (node) {
        struct quire_vma *vma = vma_of(node);
        if (descend && max_gap_of(node->child[0]) >= size && vma->start >= low + size) {
            node = node->child[0];
            continue;
        }
        if (vma->gap >= size && vma_start_gap(vma) >= low + size)
            return vma;
        descend = max_gap_of(node->child[1]) >= size;
        node = descend ? node->child[1] : rise(node, 1);
    }
    return NULL;
}

quire_linear_t areas_gap_above(struct quire_mm *mm, uint64_t size, quire_linear_t low,
                               quire_linear_t high)
{
    if (low > high || size > high - low)
        return 0;
    struct quire_vma *vma = lowest_gap(mm, size, low);
    quire_linear_t start = vma ? gap_start(vma) : last_end(mm);
    if (start < low)
        start = low;
    return start <= high - size ? start : 0;
}
