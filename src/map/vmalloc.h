/* map/vmalloc.h: what the files of vmalloc share
 *
 * An area is a range in the tree, guard page included, from its making until a purge. Its state and
 * the counts are guarded by the lock; all else of it is its owner's: who makes it, who gives it
 * back, or the purge.
 *
 *     BUILDING ──► USED ──► LEAVING ──► LAZY ──► gone
 *
 *   invariant   page tables map nothing of an area that is LAZY, nor its guard page ever
 *   invariant   an area's pages are chained by owner.pointer[0], since nobody's memory but theirs
 *               is sure to have room for a list of them
 */
#ifndef MAP_VMALLOC_H
#define MAP_VMALLOC_H

#include <quire/vmalloc.h>

#include "map/table.h"
#include "map/vm_tree.h"

enum area_kind { AREA_VMALLOC, AREA_VMAP };
enum area_state { AREA_BUILDING, AREA_USED, AREA_LEAVING, AREA_LAZY };

struct area {
    struct vm_node node;
    struct area *next_lazy;
    struct quire_page *pages; /* NULL: vmap */
    uintptr_t caller;
    uint8_t kind;  /* enum area_kind */
    uint8_t state; /* enum area_state */
};

struct quire_vmalloc {
    quire_port_spinlock_t lock; /* the tree, the lazy ones, counts, states */
    struct vm_tree tree;
    struct area *lazy;
    struct quire_vmalloc_info info;
    unsigned nr_purging; /* purges that haven't given their addresses back yet */

    struct quire_mem *mem;
    struct quire_slab *slab;
    struct quire_pgtable *pt;
    quire_linear_t start, end;
    unsigned long lazy_limit; /* pages */
    uint64_t prot;
    struct quire_shrinker shrinker;
};

static inline quire_port_irq_t vm_lock(struct quire_vmalloc *vm)
{
    quire_port_irq_t irq = quire_port_irq_save();
    quire_port_spin_lock(&vm->lock);
    return irq;
}

static inline void vm_unlock(struct quire_vmalloc *vm, quire_port_irq_t irq)
{
    quire_port_spin_unlock(&vm->lock);
    quire_port_irq_restore(irq);
}

static inline struct area *area_of(struct vm_node *node)
{
    return quire_container_of(node, struct area, node);
}

/* Without the guard page. */
static inline uint64_t area_size(const struct area *area)
{
    return area->node.end - area->node.start - QUIRE_PAGE_SIZE;
}

static inline unsigned long area_pages(const struct area *area)
{
    return (unsigned long)(area_size(area) >> QUIRE_PAGE_SHIFT);
}

#define VM_CALLER ((uintptr_t)__builtin_return_address(0))

/* vmalloc.c */
quire_linear_t vm_alloc(struct quire_vmalloc *vm, uint64_t size, quire_gfp_t gfp, int node,
                        unsigned flags, uintptr_t caller);

/* vm_area.c: a range that is BUILDING, or NULL with a line in the log unless NOWARN; its end before
 * it was used, whatever of it is mapped; its coming into use; and its end. */
struct area *area_create(struct quire_vmalloc *vm, uint64_t size, uint64_t align, quire_gfp_t gfp,
                         enum area_kind kind, uintptr_t caller);
void area_undo(struct quire_vmalloc *vm, struct area *area);
quire_linear_t area_publish(struct quire_vmalloc *vm, struct area *area);
void area_leave(struct quire_vmalloc *vm, quire_linear_t address, enum area_kind kind);
/* Pages freed; *areas counts ranges that went. */
unsigned long vm_purge(struct quire_vmalloc *vm, unsigned long *areas);

#endif
