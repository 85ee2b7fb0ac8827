/* vm/vmscan.c: when memory is reclaimed, and how hard
 *
 *     direct       an allocation that found nothing, for itself: 32 pages or so
 *     kswapd       the background reclaimer of a node, woken when a zone falls below its low
 *                  watermark; until all are above the high one
 *     by hand      memory.reclaim, MADV_PAGEOUT
 *
 * Each is a loop over priorities: of a list of n pages n >> 12 are looked at, then twice as many,
 * and so on until all are, or enough went. Shrinkers give their part beside: for an allocation phys
 * asks them, in the background this does.
 *
 * Linux: mm/vmscan.c: try_to_free_pages, balance_pgdat, shrink_node.
 */
#include "vm/cache.h"
#include "vm/oom.h"
#include "vm/policy.h"
#include "vm/swap.h"

/* Rounds of the background reclaimer that brought nothing, after which it stops until it is woken
 * again. */
#define MAX_FUTILE_ROUNDS 3
/* Looks at everything before nothing can be had: to take a page's marks, to deactivate it, to take
 * the marks that it still has, and to take it. */
#define LAST_ROUNDS 4

static struct scan scan_of(struct quire_vm *vm, int node, quire_gfp_t gfp, unsigned long wanted)
{
    return (struct scan){
        .vm = vm,
        .lists = &vm->lists[node],
        .policy = vm_policy(vm),
        .gfp = gfp,
        .node = node,
        .wanted = wanted,
    };
}

static void tell_round(const struct scan *scan, unsigned long scanned, unsigned long reclaimed)
{
    enum quire_event_how how = scan->by_kswapd           ? EVENT_RECLAIM_BACKGROUND
                               : scan->ignore_references ? EVENT_RECLAIM_BY_REQUEST
                                                         : EVENT_RECLAIM_DIRECT;
    quire_tell_event(RECLAIM, (uint64_t)scan->node, how, (uint64_t)scan->priority,
                     scan->scanned - scanned, scan->reclaimed - reclaimed);
}

/* One round of whatever policy there is now. It stays that while the round goes on: lists and what
 * is remembered of a node are its own. */
static void shrink(struct scan *scan)
{
    unsigned long scanned = scan->scanned, reclaimed = scan->reclaimed;
    rwlock_read(&scan->vm->policy_lock);
    scan->policy = vm_policy(scan->vm);
    scan->policy->shrink(scan);
    rwlock_read_unlock(&scan->vm->policy_lock);
    tell_round(scan, scanned, reclaimed);
}

/* From priority to priority until enough went. That nothing can be had isn't said before all pages
 * were looked at so often that the first looks, which spare what was used, can't have been why. */
static unsigned long reclaim_node(struct scan *scan)
{
    for (scan->priority = DEF_PRIORITY; scan->priority >= 0 && !scan_is_done(scan);
         scan->priority--)
        shrink(scan);
    scan->priority = 0;
    scan->force_deactivate = true;
    for (unsigned i = 0; i < LAST_ROUNDS && !scan->reclaimed; i++)
        shrink(scan);
    return scan->reclaimed;
}

/* ---- direct ---------------------------------------------------------------------------------- */

/* The node asked for first, then the others: an allocation takes from any, unless it says THISNODE.
 */
static unsigned long direct_reclaim(void *arg, int node, quire_gfp_t gfp, unsigned order,
                                    unsigned long nr_pages)
{
    struct quire_vm *vm = arg;
    unsigned long reclaimed = 0;
    (void)order;
    for (unsigned i = 0; i < vm->nr_nodes && reclaimed < nr_pages; i++) {
        int at = (int)(((unsigned)node + i) % vm->nr_nodes);
        struct scan scan = scan_of(vm, at, gfp, nr_pages - reclaimed);
        reclaimed += reclaim_node(&scan);
        if (gfp & QUIRE_GFP_THISNODE)
            break;
    }
    return reclaimed;
}

/* Priorities may end when all pages were looked at once, of which that spared most: so again, until
 * one round of them brings nothing. Linux: memory_reclaim. */
unsigned long quire_vm_reclaim(struct quire_vm *vm, int node, unsigned long nr_pages)
{
    unsigned long reclaimed = 0, now = 1;
    if (node < 0 || node >= (int)vm->nr_nodes)
        return 0;
    for (; now && reclaimed < nr_pages; reclaimed += now) {
        struct scan scan = scan_of(vm, node, QUIRE_GFP_KERNEL, nr_pages - reclaimed);
        now = reclaim_node(&scan);
    }
    return reclaimed;
}

static void reclaim_taken(struct quire_vm *vm, struct quire_page **pages, unsigned count)
{
    struct scan scan = scan_of(vm, quire_page_node(vm->mem, pages[0]), QUIRE_GFP_KERNEL, count);
    scan.ignore_references = true;
    (void)shrink_pages(&scan, pages, count);
    tell_round(&scan, 0, 0);
}

void reclaim_pages(struct quire_vm *vm, struct quire_page *const *pages, unsigned count)
{
    struct quire_page *taken[RECLAIM_BATCH];
    unsigned nr_taken = 0;
    for (unsigned i = 0; i < count; i++) {
        if (!lru_remove(vm, pages[i])) {
            vm_put_page(vm, pages[i]);
            continue;
        }
        if (nr_taken && quire_page_node(vm->mem, taken[0]) != quire_page_node(vm->mem, pages[i])) {
            reclaim_taken(vm, taken, nr_taken);
            nr_taken = 0;
        }
        taken[nr_taken++] = pages[i];
    }
    if (nr_taken)
        reclaim_taken(vm, taken, nr_taken);
}

/* ---- in the background ----------------------------------------------------------------------- */

static void wake_reclaim(void *arg, int node, unsigned order, enum quire_zone_type highest)
{
    struct quire_vm *vm = arg;
    (void)order;
    (void)highest;
    quire_store_release(&vm->lists[node].wanted, 1u);
    void (*wake)(void *, int) = quire_load_acquire(&vm->wake);
    if (wake)
        wake(vm->wake_arg, node);
}

bool quire_vm_needs_reclaim(struct quire_vm *vm, int node)
{
    return node >= 0 && node < (int)vm->nr_nodes && quire_load_acquire(&vm->lists[node].wanted);
}

void quire_vm_set_wake(struct quire_vm *vm, void (*wake)(void *arg, int node), void *arg)
{
    quire_store_release(&vm->wake, NULL);
    vm->wake_arg = arg;
    quire_store_release(&vm->wake, wake);
}

/* What reclaim frees lies on this CPU's lists at first, where no watermark sees it: without looking
 * there too it would go on until the lists are full. */
static bool is_balanced(struct quire_vm *vm, int node)
{
    if (quire_node_balanced(vm->mem, node, 0, QUIRE_ZONE_MOVABLE))
        return true;
    quire_drain_pages(vm->mem, quire_port_cpu());
    return quire_node_balanced(vm->mem, node, 0, QUIRE_ZONE_MOVABLE);
}

/* Whole batches, since others allocate meanwhile; the lists' share and the shrinkers'. */
static unsigned long kswapd_round(struct quire_vm *vm, int node)
{
    struct scan scan = scan_of(vm, node, QUIRE_GFP_KERNEL, RECLAIM_BATCH);
    unsigned long reclaimed = 0;
    scan.by_kswapd = true;
    for (scan.priority = DEF_PRIORITY; scan.priority >= 0 && !is_balanced(vm, node);) {
        unsigned long before = scan.reclaimed;
        scan.wanted = before + RECLAIM_BATCH;
        shrink(&scan);
        if (scan.reclaimed - before < RECLAIM_BATCH)
            scan.priority--; /* as hard as before while that does */
        reclaimed = scan.reclaimed;
    }
    if (!is_balanced(vm, node))
        reclaimed += quire_shrink(vm->mem, node, QUIRE_GFP_KERNEL, RECLAIM_BATCH);
    return reclaimed;
}

unsigned long quire_kswapd(struct quire_vm *vm, int node)
{
    unsigned long reclaimed = 0;
    if (node < 0 || node >= (int)vm->nr_nodes)
        return 0;
    quire_store_release(&vm->lists[node].wanted, 0u);
    for (unsigned futile = 0; futile < MAX_FUTILE_ROUNDS && !is_balanced(vm, node);) {
        unsigned long now = kswapd_round(vm, node);
        reclaimed += now;
        futile = now ? 0 : futile + 1;
    }
    quire_reset_watermark_boost(vm->mem, node);
    return reclaimed;
}

/* ---- phys's callbacks ------------------------------------------------------------------------ */

void reclaim_register(struct quire_vm *vm)
{
    static const struct quire_mem_ops ops = {
        .wake_reclaim = wake_reclaim,
        .direct_reclaim = direct_reclaim,
        .oom = out_of_memory,
    };
    vm->oom_report = quire_kmalloc(vm->slab, OOM_REPORT_BYTES, QUIRE_GFP_KERNEL | QUIRE_GFP_NOWARN);
    quire_set_reclaim(vm->mem, &ops, vm);
}

void reclaim_unregister(struct quire_vm *vm)
{
    quire_set_reclaim(vm->mem, NULL, NULL);
    quire_kfree(vm->slab, vm->oom_report);
}
