/* vm/move_pages.c: pages of an address space, from node to node (man 2 move_pages, migrate_pages)
 *
 * A page that an entry maps is pinned under the entry's lock, then moved as compaction moves one
 * (migrate.c), with this pin in place of phys's. It stays with -EBUSY when somebody else pins it or
 * has it off its list. The first that finds no place where it should go ends the whole move, as on
 * Linux: each would reclaim in vain.
 *
 *   bound   after PIECE pages the lock is given up, and the owner of the machine may end it
 *           (quire_vm_set_numa_go_on); areas may be others then
 */
#include "base/bits.h"
#include "vm/cache.h"
#include "vm/fault.h"
#include "vm/lru.h"
#include "vm/mempolicy.h"

#define PIECE 128u

/* ---- one page -------------------------------------------------------------------------------- */

/* The page of an entry, pinned; NULL: there is none, or it is the shared one of zeros. */
static struct quire_page *pin_page(struct quire_vma *vma, quire_linear_t address)
{
    struct fault at = {.vma = vma, .mm = vma->mm, .address = address};
    at.entry = quire_get_entry(&vma->mm->pt, address);
    struct quire_page *page = entry_has_page(at.entry) ? fault_pin_page(&at) : NULL;
    if (page != vma->mm->vm->zero_page)
        return page;
    if (page)
        vm_put_page(vma->mm->vm, page);
    return NULL;
}

/* `to` -1: where the area's policy says. */
static struct quire_page *new_page(struct quire_vma *vma, quire_linear_t address, int to)
{
    const quire_gfp_t gently = QUIRE_GFP_NOWARN | QUIRE_GFP_NORETRY;
    if (to < 0)
        return vm_alloc_page_at(vma, address, gently);
    struct quire_page *page = quire_alloc_pages_node(
        vma->mm->vm->mem, to, QUIRE_GFP_HIGHUSER_MOVABLE | QUIRE_GFP_THISNODE | gently, 0);
    if (page)
        page_dress(vma->mm->vm, page);
    return page;
}

/* Gives the pin up. */
static int move_page(struct quire_vma *vma, quire_linear_t address, struct quire_page *page, int to)
{
    struct quire_page *target = new_page(vma, address, to);
    if (target)
        return page_migrate(vma->mm->vm, page, target);
    vm_put_page(vma->mm->vm, page);
    return -QUIRE_ENOMEM;
}

/* ---- ranges of an area ----------------------------------------------------------------------- */

static bool is_on(struct quire_mm *mm, const struct quire_page *page, quire_nodes_t nodes)
{
    return nodes >> quire_page_node(mm->vm->mem, page) & 1;
}

bool vma_has_pages_on(struct quire_vma *vma, quire_linear_t start, quire_linear_t end,
                      quire_nodes_t nodes)
{
    struct quire_mm *mm = vma->mm;
    for (quire_linear_t at = start; (at = next_entry(mm, at, end)) < end; at += QUIRE_PAGE_SIZE) {
        struct quire_page *page = pin_page(vma, at);
        bool found = page && is_on(mm, page, nodes);
        if (page)
            vm_put_page(mm->vm, page);
        if (found)
            return true;
    }
    return false;
}

/* Up to `end`, or as many pages as are left of the piece: where it got to. */
static quire_linear_t move_of_area(struct quire_vma *vma, quire_linear_t at, quire_linear_t end,
                                   struct page_moves *moves, unsigned *left)
{
    struct quire_mm *mm = vma->mm;
    for (; *left && !moves->error && (at = next_entry(mm, at, end)) < end; at += QUIRE_PAGE_SIZE) {
        struct quire_page *page = pin_page(vma, at);
        --*left;
        if (!page)
            continue;
        if (!is_on(mm, page, moves->nodes) || (!moves->all && page_mapcount(page) > 1)) {
            vm_put_page(mm->vm, page);
            continue;
        }
        int error = move_page(vma, at, page, moves->to);
        moves->stayed += error != 0;
        if (error == -QUIRE_ENOMEM)
            moves->error = error;
    }
    return at;
}

static bool may_go_on(struct quire_vm *vm)
{
    quire_numa_go_on_fn *go_on = quire_load_relaxed(&vm->numa_go_on);
    return !go_on || go_on(quire_load_relaxed(&vm->numa_arg));
}

struct quire_vma *mm_move_pages(struct quire_mm *mm, quire_linear_t start, quire_linear_t end,
                                struct page_moves *moves, struct quire_vma *gone)
{
    unsigned left = PIECE;
    struct quire_vma *vma = vma_above(mm, start);
    while (!moves->error && vma && vma->start < end && start < end) {
        quire_linear_t to = vma->end < end ? vma->end : end;
        start = move_of_area(vma, vma->start > start ? vma->start : start, to, moves, &left);
        if (left) {
            vma = vma_next(vma);
            continue;
        }
        mm_read_unlock(mm, gone);
        gone = NULL;
        if (!may_go_on(mm->vm))
            moves->error = -QUIRE_EINTR;
        rwlock_read(&mm->lock);
        vma = vma_above(mm, start);
        left = PIECE;
    }
    return gone;
}

/* ---- move_pages ------------------------------------------------------------------------------ */

/* The node of the page, or why there is none; with a place to go, where it is then. */
static int move_one(struct quire_mm *mm, quire_linear_t address, int to, bool all, bool *stayed)
{
    address &= ~(quire_linear_t)(QUIRE_PAGE_SIZE - 1);
    struct quire_vma *vma = vma_at(mm, address);
    if (!vma)
        return -QUIRE_EFAULT;
    struct quire_page *page = pin_page(vma, address);
    if (!page)
        return entry_has_page(quire_get_entry(&mm->pt, address)) ? -QUIRE_EFAULT : -QUIRE_ENOENT;
    int node = quire_page_node(mm->vm->mem, page), error = 0;
    if (to < 0 || node == to) {
        vm_put_page(mm->vm, page);
        return node;
    }
    if (!all && page_mapcount(page) > 1) {
        vm_put_page(mm->vm, page);
        return -QUIRE_EACCES;
    }
    error = move_page(vma, address, page, to);
    *stayed = error;
    return error == -QUIRE_EAGAIN ? -QUIRE_EBUSY : error ? error : to;
}

long quire_move_pages(struct quire_mm *mm, unsigned long count, const quire_linear_t *addresses,
                      const int *nodes, int *status, bool all)
{
    long nr_stayed = 0;
    bool full = false;
    rwlock_read(&mm->lock);
    for (unsigned long i = 0; i < count; i++) {
        bool stayed = false;
        status[i] =
            full ? -QUIRE_ENOMEM : move_one(mm, addresses[i], nodes ? nodes[i] : -1, all, &stayed);
        full |= status[i] == -QUIRE_ENOMEM;
        nr_stayed += stayed;
    }
    rwlock_read_unlock(&mm->lock);
    return full ? -QUIRE_ENOMEM : nr_stayed;
}

/* ---- migrate_pages --------------------------------------------------------------------------- */

/* The node of `to` that has the place which `node` has in `from`, counted around. */
static int counterpart(int node, quire_nodes_t from, quire_nodes_t to)
{
    unsigned place = quire_popcount64(from & (((quire_nodes_t)1 << node) - 1));
    for (place %= quire_popcount64(to); place; place--)
        to &= to - 1;
    return (int)quire_ctz64(to);
}

/* A node whose pages go where no others have yet to leave, so that none is moved twice; -1: none
 * without that, and any will do. */
static int next_source(quire_nodes_t left, quire_nodes_t from, quire_nodes_t to)
{
    int any = -1;
    for (quire_nodes_t nodes = left; nodes; nodes &= nodes - 1) {
        int node = (int)quire_ctz64(nodes), target = counterpart(node, from, to);
        if (node == target)
            continue;
        any = node;
        if (!(left >> target & 1))
            return node;
    }
    return any;
}

long quire_migrate_pages(struct quire_mm *mm, quire_nodes_t from, quire_nodes_t to, bool all)
{
    struct page_moves moves = {.all = all};
    quire_nodes_t left = from & quire_vm_nodes(mm->vm);
    /* Sets of other sizes: what is on a node of `to` is where it should be. */
    if (quire_popcount64(from) != quire_popcount64(to))
        left &= ~to;
    rwlock_read(&mm->lock);
    for (int node; !moves.error && (node = next_source(left, from, to)) >= 0;) {
        moves.nodes = (quire_nodes_t)1 << node;
        moves.to = counterpart(node, from, to);
        left &= ~moves.nodes;
        (void)mm_move_pages(mm, 0, ~(quire_linear_t)0, &moves, NULL);
    }
    rwlock_read_unlock(&mm->lock);
    return moves.error ? moves.error : (long)moves.stayed;
}
