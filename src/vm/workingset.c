/* vm/workingset.c: was a page evicted too soon?
 *
 * Each node has a clock that counts evictions and activations. What is remembered of an evicted
 * page is the time; when it comes back, the difference (its refault distance) is by how many pages
 * memory was too small for it. If that is no more than the active pages, it could have stayed in
 * the place of one of them, which may be needed less: it is activated at once, and has to prove
 * itself against them.
 *
 *     shadow   29   28           27 .. 23   22 .. 0
 *              1    workingset   node       time, in units that make a machine's memory fit
 *
 * Linux: mm/workingset.c, whose head explains why; a shadow has 30 bits here, so that it fits a
 * number of an array on 32-bit machines with a bit beside it.
 */
#include "vm/policy.h"
#include "vm/swap.h"

#include "base/bits.h"

#define TIME_BITS 23
#define TIME_MASK ((1u << TIME_BITS) - 1)
#define NODE_BITS 5
#define NODE_MASK ((1u << NODE_BITS) - 1)
#define SHADOW_WORKINGSET (1u << (TIME_BITS + NODE_BITS))
#define SHADOW_IS_ONE (SHADOW_WORKINGSET << 1)
_Static_assert(QUIRE_MAX_NODES <= NODE_MASK + 1, "a node fits a shadow");

/* log2 of the evictions that are one unit of time: 0 up to 32 GiB. */
static unsigned time_shift(struct quire_vm *vm)
{
    unsigned long pages = quire_nr_managed_pages(vm->mem);
    unsigned order = pages ? quire_order_of_pages(pages) : 0;
    return order > TIME_BITS ? order - TIME_BITS : 0;
}

void workingset_age(struct node_lists *lists, unsigned long pages)
{
    (void)quire_fetch_add(&lists->nonresident_age, pages);
}

uint32_t workingset_eviction(struct quire_vm *vm, struct quire_page *page)
{
    struct node_lists *lists = page_lists(vm, page);
    unsigned long now = quire_fetch_add(&lists->nonresident_age, 1ul);
    uint32_t shadow = SHADOW_IS_ONE | (uint32_t)(now >> time_shift(vm)) % (TIME_MASK + 1);
    shadow |= (uint32_t)(lists - vm->lists) << TIME_BITS;
    return shadow | (page_has(page, PG_WORKINGSET) ? SHADOW_WORKINGSET : 0);
}

/* Pages that the returning one could have been kept instead of: Linux's rule. */
static unsigned long competing_pages(struct quire_vm *vm, struct node_lists *lists, bool is_file)
{
    unsigned long active_file = 0, inactive_file = 0, active_anon = 0, inactive_anon = 0;
    bool can_swap = swap_free_pages(vm) != 0;
    quire_port_irq_t irq = lists_lock(lists);
    const struct reclaim_policy *policy = vm_policy(vm);
    for (unsigned i = LIST_FIRST; i < LIST_FIRST + policy->nr_lists; i++) {
        unsigned long count = lists->list[i].count;
        if (!count)
            continue;
        unsigned holds = policy->holds(lists, i);
        if (holds & LIST_HOLDS_ACTIVE)
            *(holds & LIST_HOLDS_FILE ? &active_file : &active_anon) += count;
        else
            *(holds & LIST_HOLDS_FILE ? &inactive_file : &inactive_anon) += count;
    }
    lists_unlock(lists, irq);
    unsigned long pages = active_file + (is_file ? 0 : inactive_file);
    if (can_swap)
        pages += active_anon + (is_file ? inactive_anon : 0);
    return pages;
}

static void note_cost(struct quire_vm *vm, struct node_lists *lists, bool is_file)
{
    quire_port_irq_t irq = lists_lock(lists);
    if (vm_policy(vm)->note_cost)
        vm_policy(vm)->note_cost(lists, is_file, 1);
    lists_unlock(lists, irq);
}

void workingset_refault(struct quire_vm *vm, struct quire_page *page, uint32_t shadow)
{
    unsigned node = shadow >> TIME_BITS & NODE_MASK;
    if (!(shadow & SHADOW_IS_ONE) || node >= vm->nr_nodes)
        return;
    bool is_file = !page_is_swapbacked(page);
    vm_count(vm, is_file ? VM_WORKINGSET_REFAULT_FILE : VM_WORKINGSET_REFAULT_ANON, 1);
    struct node_lists *lists = &vm->lists[node];
    unsigned shift = time_shift(vm);
    uint32_t now = (uint32_t)(quire_load_relaxed(&lists->nonresident_age) >> shift);
    uint64_t distance = (uint64_t)((now - shadow) & TIME_MASK) << shift;
    if (distance > competing_pages(vm, lists, is_file))
        return;
    page_set(page, PG_WORKINGSET);
    workingset_age(lists, 1);
    vm_count(vm, is_file ? VM_WORKINGSET_ACTIVATE_FILE : VM_WORKINGSET_ACTIVATE_ANON, 1);
    if (shadow & SHADOW_WORKINGSET) {
        vm_count(vm, is_file ? VM_WORKINGSET_RESTORE_FILE : VM_WORKINGSET_RESTORE_ANON, 1);
        note_cost(vm, lists, is_file);
    }
}
