/* map/vm_area.c: ranges of vmalloc come, go, and wait for the flush that many of them share
 *
 * A range that is given back is unmapped by who gives it back, and put on the list of lazy ones.
 * A purge takes the whole list, flushes once, then frees the pages and only then the addresses. So
 * neither a page nor an address is used for anything else while a TLB may connect the two.
 *
 * Purges may run beside each other, with a list each. Who finds no addresses purges himself, and if
 * there is nothing to, waits for those that are under way.
 */
#include "base/text.h"
#include "map/vmalloc.h"

/* Which memory the structures of a range are from isn't for `gfp` to say. */
#define GFP_STRUCTURES                                                                             \
    (QUIRE_GFP_HIGH | QUIRE_GFP_RECLAIM | QUIRE_GFP_IO | QUIRE_GFP_FS | QUIRE_GFP_NOWARN |         \
     QUIRE_GFP_NORETRY | QUIRE_GFP_RETRY_MAYFAIL | QUIRE_GFP_MEMALLOC | QUIRE_GFP_NOMEMALLOC)

/* ---- coming ---------------------------------------------------------------------------------- */

static bool reserve(struct quire_vmalloc *vm, struct area *area, uint64_t size, uint64_t align)
{
    quire_port_irq_t irq = vm_lock(vm);
    bool reserved = vm_tree_insert(&vm->tree, &area->node, size + QUIRE_PAGE_SIZE, align);
    vm_unlock(vm, irq);
    return reserved;
}

/* Whether looking again is worth while. */
static bool addresses_may_come(struct quire_vmalloc *vm)
{
    unsigned long areas = 0;
    (void)vm_purge(vm, &areas);
    if (areas)
        return true;
    quire_port_irq_t irq = vm_lock(vm);
    bool coming = vm->nr_purging;
    vm_unlock(vm, irq);
    if (coming)
        quire_port_relax();
    return coming;
}

struct area *area_create(struct quire_vmalloc *vm, uint64_t size, uint64_t align, quire_gfp_t gfp,
                         enum area_kind kind, uintptr_t caller)
{
    struct area *area = quire_kmalloc(vm->slab, sizeof *area, gfp & GFP_STRUCTURES);
    if (!area)
        return NULL;
    area->pages = NULL;
    area->caller = caller;
    area->kind = (uint8_t)kind;
    area->state = AREA_BUILDING;
    bool fits = size <= vm->end - vm->start - QUIRE_PAGE_SIZE;
    while (fits && !reserve(vm, area, size, align))
        fits = addresses_may_come(vm);
    if (fits)
        return area;
    quire_kfree(vm->slab, area);
    return NULL;
}

quire_linear_t area_publish(struct quire_vmalloc *vm, struct area *area)
{
    quire_linear_t start = area->node.start;
    quire_port_irq_t irq = vm_lock(vm);
    area->state = AREA_USED;
    vm->info.nr_ranges++;
    vm->info.nr_pages += area->kind == AREA_VMALLOC ? area_pages(area) : 0;
    vm_unlock(vm, irq);
    return start;
}

/* ---- going ----------------------------------------------------------------------------------- */

static unsigned long free_pages_of(struct quire_vmalloc *vm, struct area *area)
{
    unsigned long count = 0;
    for (struct quire_page *page = area->pages, *next; page; page = next, count++) {
        next = page->owner.pointer[0];
        quire_free_page(vm->mem, page);
    }
    return count;
}

/* Gives the addresses back, and what described them. */
static void forget(struct quire_vmalloc *vm, struct area *area)
{
    quire_port_irq_t irq = vm_lock(vm);
    vm_tree_remove(&vm->tree, &area->node);
    vm_unlock(vm, irq);
    quire_kfree(vm->slab, area);
}

/* Ranges end where nothing else is mapped, so that no huge page is cut: it can't fail. */
static void unmap(struct quire_vmalloc *vm, struct area *area, struct quire_tlb_batch *batch)
{
    int error = quire_unmap_range(vm->pt, area->node.start, area_size(area),
                                  QUIRE_UNMAP_KEEP_TABLES, batch);
    QUIRE_BUG_ON(error);
}

void area_undo(struct quire_vmalloc *vm, struct area *area)
{
    unmap(vm, area, NULL);
    (void)free_pages_of(vm, area);
    forget(vm, area);
}

static struct area *take_lazy(struct quire_vmalloc *vm)
{
    quire_port_irq_t irq = vm_lock(vm);
    struct area *areas = vm->lazy;
    vm->lazy = NULL;
    vm->info.nr_lazy = vm->info.nr_lazy_pages = 0;
    vm->info.nr_purges += areas != NULL;
    vm->nr_purging += areas != NULL;
    vm_unlock(vm, irq);
    return areas;
}

static void flush_areas(struct quire_vmalloc *vm, const struct area *area)
{
    struct quire_tlb_batch batch;
    quire_tlb_batch_init(&batch, vm->pt);
    for (; area; area = area->next_lazy)
        quire_tlb_add(&batch, area->node.start, area_size(area), PT_SHIFT);
    quire_tlb_flush(&batch);
}

unsigned long vm_purge(struct quire_vmalloc *vm, unsigned long *areas)
{
    unsigned long pages = 0;
    struct area *area = take_lazy(vm), *next;
    if (!area)
        return 0;
    flush_areas(vm, area);
    for (; area; area = next, ++*areas) {
        next = area->next_lazy;
        pages += free_pages_of(vm, area);
        forget(vm, area);
    }
    quire_port_irq_t irq = vm_lock(vm);
    vm->nr_purging--;
    vm_unlock(vm, irq);
    return pages;
}

/* Purges that others have under way may not have flushed yet what they took. */
unsigned long quire_vm_unmap_aliases(struct quire_vmalloc *vm)
{
    struct quire_tlb_batch everything;
    unsigned long areas = 0, pages = vm_purge(vm, &areas);
    quire_port_irq_t irq = vm_lock(vm);
    bool others = vm->nr_purging;
    vm_unlock(vm, irq);
    quire_tlb_batch_init(&everything, vm->pt);
    everything.all = others;
    quire_tlb_flush(&everything);
    return pages;
}

/* ---- given back by address ------------------------------------------------------------------- */

/* The range that begins at `address`, which is nobody else's from here on; NULL: a mistake. */
static struct area *take(struct quire_vmalloc *vm, quire_linear_t address, enum area_kind kind)
{
    quire_port_irq_t irq = vm_lock(vm);
    struct vm_node *node = vm_tree_above(&vm->tree, address);
    struct area *area = node ? area_of(node) : NULL;
    if (area && (node->start != address || area->state != AREA_USED || area->kind != kind))
        area = NULL;
    if (area) {
        area->state = AREA_LEAVING;
        vm->info.nr_ranges--;
        vm->info.nr_pages -= kind == AREA_VMALLOC ? area_pages(area) : 0;
    }
    vm_unlock(vm, irq);
    return area;
}

static void report(struct quire_vmalloc *vm, quire_linear_t address, enum area_kind kind)
{
    char text[128];
    struct quire_page *page = quire_vmalloc_to_page(vm, address);
    quire_snprintf(text, sizeof text, "quire: %s of 0x%llx, where no such range begins",
                   kind == AREA_VMALLOC ? "vfree" : "vunmap", (unsigned long long)address);
    quire_report_mistake(vm->mem, quire_pfn(page ? page->pfn : 0), text);
}

/* What the batch of the unmapping says is flushed by the purge, from the addresses: with the tables
 * kept there is nothing else in it. */
void area_leave(struct quire_vmalloc *vm, quire_linear_t address, enum area_kind kind)
{
    struct quire_tlb_batch unused;
    unsigned long areas = 0;
    struct area *area = take(vm, address, kind);
    if (!area) {
        report(vm, address, kind);
        return;
    }
    quire_tlb_batch_init(&unused, vm->pt);
    unmap(vm, area, &unused);
    quire_port_irq_t irq = vm_lock(vm);
    area->state = AREA_LAZY;
    area->next_lazy = vm->lazy;
    vm->lazy = area;
    vm->info.nr_lazy++;
    vm->info.nr_lazy_pages += area_pages(area) + 1;
    bool enough = vm->info.nr_lazy_pages > vm->lazy_limit;
    vm_unlock(vm, irq);
    if (enough)
        (void)vm_purge(vm, &areas);
}
