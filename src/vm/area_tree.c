/* vm/area_tree.c: areas by address, and the free ranges between them
 *
 * The areas of an address space are a balanced tree in order of address, and a list in the same
 * order, which tells neighbours without a walk. Each knows the gap before it: the free bytes
 * between the area before and itself, less those that a stack keeps free below it; and the largest
 * gap of its subtree. So a search for free addresses goes down one path, and back up only from a
 * subtree that the range's bound cuts.
 *
 *   invariant   gap == vma_start_gap(vma) - end of the area before (0 if that is negative), and
 *               max_gap is the largest of the subtree, but large_gap at most
 *   bound       O(log n) for lookups and changes, and for both searches; for sizes above large_gap
 *               times the number of gaps that large, of which there are LARGE_GAPS at most
 *   source      Linux, mm/mmap.c before 6.1: unmapped_area, unmapped_area_topdown
 */
#include "vm/area.h"

#define LARGE_GAPS 64u

static struct quire_vma *vma_of(const struct tree_node *node)
{
    return node ? quire_container_of(node, struct quire_vma, node) : NULL;
}

/* Gaps from this size on are all alike to those above. So when the largest one changes, from which
 * nearly every mmap takes, nobody else has to be told. */
static quire_linear_t large_gap(const struct quire_mm *mm)
{
    return mm->layout.end / LARGE_GAPS;
}

static quire_linear_t max_gap_of(const struct tree_node *node)
{
    return node ? vma_of(node)->max_gap : 0;
}

static bool update_max_gap(struct tree_node *node)
{
    struct quire_vma *vma = vma_of(node);
    quire_linear_t left = max_gap_of(node->child[0]), right = max_gap_of(node->child[1]);
    quire_linear_t large = large_gap(vma->mm), max = vma->gap < large ? vma->gap : large;
    max = left > max ? left : max;
    max = right > max ? right : max;
    bool changed = max != vma->max_gap;
    vma->max_gap = max;
    return changed;
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

/* ---- changes --------------------------------------------------------------------------------- */

quire_linear_t vma_start_gap(const struct quire_vma *vma)
{
    if (quire_likely(!(vma->flags & VM_GROWSDOWN)))
        return vma->start;
    quire_linear_t guard = (quire_linear_t)vma->mm->layout.stack_gap << QUIRE_PAGE_SHIFT;
    return vma->start > guard ? vma->start - guard : 0;
}

static quire_linear_t gap_between(const struct quire_vma *prev, const struct quire_vma *vma)
{
    quire_linear_t from = prev ? prev->end : 0, to = vma_start_gap(vma);
    return to > from ? to - from : 0;
}

static void refresh_gap(struct quire_vma *prev, struct quire_vma *vma)
{
    quire_linear_t gap = gap_between(prev, vma);
    if (gap == vma->gap)
        return;
    vma->gap = gap;
    tree_update(&vma->mm->areas, &vma->node);
}

static void tell_end(const struct quire_vma *vma, quire_linear_t start)
{
    quire_tell_event(AREA_END, mm_number(vma->mm), start >> QUIRE_PAGE_SHIFT);
}

void areas_init(struct quire_mm *mm)
{
    mm->areas = (struct tree){.update = update_max_gap};
    list_init(&mm->in_order);
    mm->nr_areas = 0;
}

/* Of two neighbours one has no child on the other's side. */
void areas_link(struct quire_mm *mm, struct quire_vma *vma, struct quire_vma *prev,
                struct quire_vma *next)
{
    list_insert_between(&vma->link, prev ? &prev->link : &mm->in_order,
                        next ? &next->link : &mm->in_order);
    vma->gap = gap_between(prev, vma);
    vma->max_gap = 0;
    if (next)
        next->gap = gap_between(vma, next);
    if (next && !next->node.child[0])
        tree_link(&mm->areas, &vma->node, &next->node, &next->node.child[0]);
    else if (prev)
        tree_link(&mm->areas, &vma->node, &prev->node, &prev->node.child[1]);
    else
        tree_link(&mm->areas, &vma->node, NULL, &mm->areas.root);
    /* Where it isn't the new one's parent its change may not have been seen. */
    if (next && vma->node.parent != &next->node)
        tree_update(&mm->areas, &next->node);
    area_tell(vma);
    mm->nr_areas++;
    mm->generation++;
}

void areas_unlink(struct quire_vma *vma)
{
    struct quire_mm *mm = vma->mm;
    struct quire_vma *prev = vma_prev(vma), *next = vma_next(vma);
    bool is_parent = next && vma->node.parent == &next->node;
    tell_end(vma, vma->start);
    list_del(&vma->link);
    /* Before, so that those above both see no change where the gap just passes to another area. */
    if (next)
        next->gap = gap_between(prev, next);
    tree_unlink(&mm->areas, &vma->node);
    if (next && !is_parent)
        tree_update(&mm->areas, &next->node);
    mm->nr_areas--;
    mm->generation++;
}

void areas_take(struct quire_vma *first, unsigned count, struct list *taken)
{
    struct quire_mm *mm = first->mm;
    struct quire_vma *prev = vma_prev(first), *vma = first, *next;
    for (unsigned i = 0; i < count; i++, vma = next) {
        next = vma_next(vma);
        tell_end(vma, vma->start);
        list_del(&vma->link);
        list_add_tail(taken, &vma->link);
    }
    if (vma)
        vma->gap = gap_between(prev, vma);
    mm->nr_areas -= count;
    areas_build(mm);
}

void areas_append(struct quire_mm *mm, struct quire_vma *vma)
{
    vma->gap = gap_between(vma_below(mm, NULL), vma);
    vma->max_gap = 0;
    list_add_tail(&mm->in_order, &vma->link);
    area_tell(vma);
    mm->nr_areas++;
}

static struct tree_node *next_in_order(void *arg)
{
    struct list **at = arg;
    *at = (*at)->next;
    return &quire_container_of(*at, struct quire_vma, link)->node;
}

void areas_build(struct quire_mm *mm)
{
    struct list *at = &mm->in_order;
    tree_build(&mm->areas, mm->nr_areas, next_in_order, &at);
    mm->generation++;
}

void areas_forget(struct quire_mm *mm)
{
    mm->areas.root = NULL;
    mm->nr_areas = 0;
    mm->generation++;
}

void areas_start_moved(struct quire_vma *vma, quire_linear_t old)
{
    tell_end(vma, old);
    area_tell(vma);
    /* A stack's guard may reach beyond its gap: there the area before has to be looked at. */
    if (vma->flags & VM_GROWSDOWN) {
        refresh_gap(vma_prev(vma), vma);
    } else {
        vma->gap += vma->start - old;
        tree_update(&vma->mm->areas, &vma->node);
    }
    vma->mm->generation++;
}

void areas_end_moved(struct quire_vma *vma)
{
    struct quire_vma *next = vma_next(vma);
    if (next)
        refresh_gap(vma, next);
    area_tell(vma);
    vma->mm->generation++;
}

void areas_check(const struct quire_mm *mm)
{
    const struct quire_vma *prev = NULL;
    tree_check(&mm->areas);
    for (struct tree_node *node = tree_first(&mm->areas); node; node = tree_next(node)) {
        struct quire_vma *vma = vma_of(node), seen = *vma;
        QUIRE_BUG_ON(vma_prev(vma) != prev || vma_below(mm, vma_next(vma)) != vma);
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
    const struct quire_vma *last = vma_below(mm, NULL);
    return last ? last->end : 0;
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
static struct quire_vma *highest_gap(struct quire_mm *mm, quire_linear_t size, quire_linear_t high)
{
    struct tree_node *node = mm->areas.root;
    quire_linear_t large = large_gap(mm), least = size < large ? size : large; /* of max_gap */
    bool descend = true;
    if (max_gap_of(node) < least)
        return NULL;
    while (node) {
        struct quire_vma *vma = vma_of(node);
        if (descend && max_gap_of(node->child[1]) >= least && vma->end <= high - size) {
            node = node->child[1];
            continue;
        }
        if (vma->gap >= size && gap_start(vma) <= high - size)
            return vma;
        descend = max_gap_of(node->child[0]) >= least;
        node = descend ? node->child[0] : rise(node, 0);
    }
    return NULL;
}

quire_linear_t areas_gap_below(struct quire_mm *mm, quire_linear_t size, quire_linear_t low,
                               quire_linear_t high, struct quire_vma **next)
{
    quire_linear_t end = high;
    *next = NULL;
    if (low > high || size > high - low)
        return 0;
    if (last_end(mm) > high - size) {
        struct quire_vma *vma = highest_gap(mm, size, high);
        if (!vma)
            return 0;
        end = vma_start_gap(vma) < high ? vma_start_gap(vma) : high;
        *next = vma;
    }
    return end - size >= low ? end - size : 0;
}

/* The lowest gap that holds `size` bytes and ends so that they begin at `low` at least. */
static struct quire_vma *lowest_gap(struct quire_mm *mm, quire_linear_t size, quire_linear_t low)
{
    struct tree_node *node = mm->areas.root;
    quire_linear_t large = large_gap(mm), least = size < large ? size : large; /* of max_gap */
    bool descend = true;
    if (max_gap_of(node) < least)
        return NULL;
    while (node) {
        struct quire_vma *vma = vma_of(node);
        if (descend && max_gap_of(node->child[0]) >= least && vma->start >= low + size) {
            node = node->child[0];
            continue;
        }
        if (vma->gap >= size && vma_start_gap(vma) >= low + size)
            return vma;
        descend = max_gap_of(node->child[1]) >= least;
        node = descend ? node->child[1] : rise(node, 1);
    }
    return NULL;
}

quire_linear_t areas_gap_above(struct quire_mm *mm, quire_linear_t size, quire_linear_t low,
                               quire_linear_t high, struct quire_vma **next)
{
    if (low > high || size > high - low)
        return 0;
    struct quire_vma *vma = *next = lowest_gap(mm, size, low);
    quire_linear_t start = vma ? gap_start(vma) : last_end(mm);
    if (start < low)
        start = low;
    return start <= high - size ? start : 0;
}
