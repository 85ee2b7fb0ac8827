/* vm/lru.c: the lists of pages that reclaim chooses from
 *
 * A page's links are the frame numbers of its neighbours, in its descriptor. The youngest is a
 * list's first; reclaim takes from the last.
 *
 *   invariant   a page on a list has users, or somebody is in page_unuse, waiting for the lock to
 *               take it off. So it can be pinned under the lock
 *   invariant   first and last are NO_PFN together, when count is 0
 *   bound       O(1) each, under the lock of the page's node
 *
 * While a page is isolated it is on no list, and what list it was on is forgotten but for its
 * flags: PG_WORKINGSET and PG_REFERENCED together say that it was active.
 */
#include "vm/ksm.h"
#include "vm/policy.h"

#include "base/bits.h"

static const struct reclaim_policy *const policies[QUIRE_NR_RECLAIM_POLICIES] = {
    [QUIRE_RECLAIM_LRU] = &policy_lru,
    [QUIRE_RECLAIM_MGLRU] = &policy_mglru,
    [QUIRE_RECLAIM_CLOCK] = &policy_clock,
    [QUIRE_RECLAIM_FIFO] = &policy_fifo,
};

const struct reclaim_policy *vm_policy(const struct quire_vm *vm)
{
    return policies[quire_load_relaxed(&vm->policy)];
}

const char *quire_reclaim_policy_name(enum quire_reclaim_policy policy)
{
    return policy < QUIRE_NR_RECLAIM_POLICIES ? policies[policy]->name : NULL;
}

/* ---- beginning and end ----------------------------------------------------------------------- */

static void lists_reset(struct node_lists *lists)
{
    for (unsigned list = 0; list < NR_LISTS; list++)
        lists->list[list] = (struct page_list){NO_PFN, NO_PFN, 0};
}

int lists_create(struct quire_vm *vm)
{
    vm->lists = quire_kcalloc(vm->slab, vm->nr_nodes, sizeof *vm->lists, QUIRE_GFP_KERNEL);
    if (!vm->lists)
        return -QUIRE_ENOMEM;
    for (unsigned node = 0; node < vm->nr_nodes; node++)
        lists_reset(&vm->lists[node]);
    return 0;
}

void lists_destroy(struct quire_vm *vm)
{
    for (unsigned node = 0; node < vm->nr_nodes; node++)
        for (unsigned list = 0; list < NR_LISTS; list++)
            QUIRE_BUG_ON(vm->lists[node].list[list].count);
    quire_kfree(vm->slab, vm->lists);
    vm->lists = NULL;
}

quire_port_irq_t lists_lock(struct node_lists *lists)
{
    quire_port_irq_t irq = quire_port_irq_save();
    quire_port_spin_lock(&lists->lock);
    return irq;
}

void lists_unlock(struct node_lists *lists, quire_port_irq_t irq)
{
    quire_port_spin_unlock(&lists->lock);
    quire_port_irq_restore(irq);
}

/* ---- links ----------------------------------------------------------------------------------- */

static struct page_owner *owner_of(struct quire_vm *vm, uint32_t pfn)
{
    return page_owner(quire_pfn_to_page(vm->mem, quire_pfn(pfn)));
}

void list_link(struct quire_vm *vm, struct node_lists *lists, struct quire_page *page,
               unsigned where)
{
    struct page_list *list = &lists->list[where & ~PLACE_OLD];
    struct page_owner *owner = page_owner(page);
    QUIRE_ASSERT(page_list(page) == LIST_NONE);
    if (!page_users(page))
        return; /* page_unuse is on its way, and finds it on no list */
    page_set_list(page, where & ~PLACE_OLD);
    /* In registers: to gcc each store may be to any of the links. */
    const uint32_t pfn = page->pfn, prev = where & PLACE_OLD ? list->last : NO_PFN,
                   next = where & PLACE_OLD ? NO_PFN : list->first;
    owner->prev = prev;
    owner->next = next;
    *(prev == NO_PFN ? &list->first : &owner_of(vm, prev)->next) = pfn;
    *(next == NO_PFN ? &list->last : &owner_of(vm, next)->prev) = pfn;
    quire_count_hot(&list->count, 1);
}

void list_unlink(struct quire_vm *vm, struct node_lists *lists, struct quire_page *page)
{
    struct page_list *list = &lists->list[page_list(page)];
    const struct page_owner *owner = page_owner(page);
    const uint32_t prev = owner->prev, next = owner->next;
    *(prev == NO_PFN ? &list->first : &owner_of(vm, prev)->next) = next;
    *(next == NO_PFN ? &list->last : &owner_of(vm, next)->prev) = prev;
    quire_count_hot(&list->count, -1ul);
    page_set_list(page, LIST_NONE);
}

unsigned list_isolate(struct quire_vm *vm, struct node_lists *lists, unsigned list,
                      struct quire_page **pages, unsigned count)
{
    unsigned taken = 0;
    quire_port_irq_t irq = lists_lock(lists);
    for (; taken < count && lists->list[list].last != NO_PFN; taken++) {
        struct quire_page *page = quire_pfn_to_page(vm->mem, quire_pfn(lists->list[list].last));
        list_unlink(vm, lists, page);
        page_pin(page);
        pages[taken] = page;
    }
    lists_unlock(lists, irq);
    return taken;
}

/* ---- pages come and go ----------------------------------------------------------------------- */

static void activate(struct quire_vm *vm, struct node_lists *lists, struct quire_page *page)
{
    page_clear(page, PG_REFERENCED);
    workingset_age(lists, 1);
    vm_count(vm, VM_PGACTIVATE, 1);
}

static void link_by_policy(struct quire_vm *vm, struct node_lists *lists, struct quire_page *page,
                           enum place_reason reason)
{
    list_link(vm, lists, page, vm_policy(vm)->place(vm, lists, page, reason));
}

void lru_add(struct quire_vm *vm, struct quire_page *page, uint32_t vma_flags)
{
    struct node_lists *lists = page_lists(vm, page);
    quire_port_irq_t irq = lists_lock(lists);
    if (quire_unlikely(page_list(page) != LIST_NONE))
        ;
    else if (quire_unlikely(vma_flags & VM_LOCKED))
        list_link(vm, lists, page, LIST_UNEVICTABLE);
    else
        link_by_policy(vm, lists, page,
                       page_has(page, PG_WORKINGSET) ? PLACE_ACTIVATED : PLACE_NEW);
    lists_unlock(lists, irq);
}

void lru_remove_unused(struct quire_vm *vm, struct quire_page *const *pages, unsigned count)
{
    struct node_lists *lists = NULL;
    quire_port_irq_t irq = 0;
    for (unsigned i = 0; i < count; i++) {
        struct node_lists *its = page_lists(vm, pages[i]);
        if (its != lists && lists)
            lists_unlock(lists, irq);
        if (its != lists)
            irq = lists_lock(its);
        lists = its;
        if (page_list(pages[i]) != LIST_NONE)
            list_unlink(vm, lists, pages[i]);
    }
    if (lists)
        lists_unlock(lists, irq);
}

bool lru_remove(struct quire_vm *vm, struct quire_page *page)
{
    struct node_lists *lists = page_lists(vm, page);
    quire_port_irq_t irq = lists_lock(lists);
    unsigned list = page_list(page);
    if (list != LIST_NONE) {
        if (list >= LIST_FIRST && vm_policy(vm)->holds(lists, list) & LIST_HOLDS_ACTIVE)
            page_set(page, PG_WORKINGSET | PG_REFERENCED);
        list_unlink(vm, lists, page);
    }
    lists_unlock(lists, irq);
    return list != LIST_NONE;
}

void lru_putback(struct quire_vm *vm, struct quire_page *page)
{
    struct node_lists *lists = page_lists(vm, page);
    quire_port_irq_t irq = lists_lock(lists);
    if (page_list(page) == LIST_NONE)
        link_by_policy(vm, lists, page, PLACE_BACK);
    lists_unlock(lists, irq);
}

void lru_return(struct quire_vm *vm, struct quire_page *page, enum place_reason reason)
{
    struct node_lists *lists = page_lists(vm, page);
    quire_port_irq_t irq = lists_lock(lists);
    if (reason == PLACE_ACTIVATED)
        activate(vm, lists, page);
    if (page_list(page) == LIST_NONE)
        link_by_policy(vm, lists, page, reason);
    lists_unlock(lists, irq);
    vm_put_page(vm, page);
}

void lru_return_unevictable(struct quire_vm *vm, struct quire_page *page)
{
    struct node_lists *lists = page_lists(vm, page);
    quire_port_irq_t irq = lists_lock(lists);
    if (page_list(page) == LIST_NONE)
        list_link(vm, lists, page, LIST_UNEVICTABLE);
    lists_unlock(lists, irq);
    vm_count(vm, VM_UNEVICTABLE_CULLED, 1);
    vm_put_page(vm, page);
}

/* ---- pages are used -------------------------------------------------------------------------- */

void lru_mark_accessed(struct quire_vm *vm, struct quire_page *page)
{
    if (!page_has(page, PG_REFERENCED)) {
        page_set(page, PG_REFERENCED);
        return;
    }
    struct node_lists *lists = page_lists(vm, page);
    quire_port_irq_t irq = lists_lock(lists);
    if (page_list(page) >= LIST_FIRST && vm_policy(vm)->used(lists, page)) {
        list_unlink(vm, lists, page);
        activate(vm, lists, page);
        link_by_policy(vm, lists, page, PLACE_ACTIVATED);
    }
    lists_unlock(lists, irq);
}

/* From one list to another; false: it isn't on such a list. */
static bool move(struct quire_vm *vm, struct quire_page *page, bool from_unevictable,
                 unsigned to_list, enum place_reason reason)
{
    struct node_lists *lists = page_lists(vm, page);
    quire_port_irq_t irq = lists_lock(lists);
    unsigned list = page_list(page);
    bool moves = from_unevictable ? list == LIST_UNEVICTABLE : list >= LIST_FIRST;
    if (moves) {
        list_unlink(vm, lists, page);
        if (to_list != LIST_NONE)
            list_link(vm, lists, page, to_list);
        else
            link_by_policy(vm, lists, page, reason);
    }
    lists_unlock(lists, irq);
    return moves;
}

void lru_deactivate(struct quire_vm *vm, struct quire_page *page)
{
    page_clear(page, PG_REFERENCED);
    if (move(vm, page, false, LIST_NONE, PLACE_COLD))
        vm_count(vm, VM_PGDEACTIVATE, 1);
}

void lru_mlock(struct quire_vm *vm, struct quire_page *page)
{
    if (quire_unlikely(page_is_merged(page)))
        return; /* it is on no list */
    (void)move(vm, page, false, LIST_UNEVICTABLE, PLACE_BACK);
}

void lru_munlock(struct quire_vm *vm, struct quire_page *page)
{
    if (move(vm, page, true, LIST_NONE, PLACE_BACK))
        vm_count(vm, VM_UNEVICTABLE_RESCUED, 1);
}

/* ---- another policy -------------------------------------------------------------------------- */

/* All pages of the old policy's lists, as one list, the oldest last; from each list the oldest come
 * last, and lists that the old policy empties first come after others. */
static uint32_t gather(struct quire_vm *vm, struct node_lists *lists)
{
    uint32_t first = NO_PFN, last = NO_PFN;
    const struct reclaim_policy *policy = vm_policy(vm);
    for (unsigned active = LIST_HOLDS_ACTIVE + 1; active-- > 0;)
        for (unsigned i = LIST_FIRST; i < NR_LISTS; i++) {
            struct page_list *list = &lists->list[i];
            if (!list->count || (policy->holds(lists, i) & LIST_HOLDS_ACTIVE) != active)
                continue;
            if (first == NO_PFN)
                first = list->first;
            else
                owner_of(vm, last)->next = list->first;
            last = list->last;
            *list = (struct page_list){NO_PFN, NO_PFN, 0};
        }
    return first;
}

/* The youngest first, each at the old end, so that order is kept. */
static void switch_node(struct quire_vm *vm, struct node_lists *lists, uint32_t policy)
{
    uint32_t pfn = gather(vm, lists);
    quire_store_relaxed(&vm->policy, policy);
    for (unsigned i = 0; i < sizeof lists->policy_word / sizeof lists->policy_word[0]; i++)
        lists->policy_word[i] = 0;
    while (pfn != NO_PFN) {
        struct quire_page *page = quire_pfn_to_page(vm->mem, quire_pfn(pfn));
        pfn = page_owner(page)->next;
        page_set_list(page, LIST_NONE);
        unsigned where = policies[policy]->place(vm, lists, page, PLACE_NEW);
        list_link(vm, lists, page, where | PLACE_OLD);
    }
}

/* No round of reclaim is under way. With all nodes' locks at once, in order, since the policy is
 * all nodes'. */
int quire_vm_set_policy(struct quire_vm *vm, enum quire_reclaim_policy policy)
{
    if (policy >= QUIRE_NR_RECLAIM_POLICIES)
        return -QUIRE_EINVAL;
    rwlock_write(&vm->policy_lock);
    quire_port_irq_t irq = quire_port_irq_save();
    for (unsigned node = 0; node < vm->nr_nodes; node++)
        quire_port_spin_lock(&vm->lists[node].lock);
    uint32_t old = vm->policy;
    if (old != policy)
        for (unsigned node = 0; node < vm->nr_nodes; node++) {
            quire_store_relaxed(&vm->policy, old);
            switch_node(vm, &vm->lists[node], policy);
        }
    for (unsigned node = vm->nr_nodes; node-- > 0;)
        quire_port_spin_unlock(&vm->lists[node].lock);
    quire_port_irq_restore(irq);
    rwlock_write_unlock(&vm->policy_lock);
    return 0;
}

int quire_vm_set_swappiness(struct quire_vm *vm, unsigned swappiness)
{
    if (swappiness > 200)
        return -QUIRE_EINVAL;
    quire_store_relaxed(&vm->swappiness, swappiness);
    return 0;
}

/* ---- counts ---------------------------------------------------------------------------------- */

static void count_pages(struct lru_counts *counts, unsigned holds, unsigned long pages)
{
    if (holds & LIST_HOLDS_ACTIVE)
        *(holds & LIST_HOLDS_FILE ? &counts->active_file : &counts->active_anon) += pages;
    else
        *(holds & LIST_HOLDS_FILE ? &counts->inactive_file : &counts->inactive_anon) += pages;
}

bool lru_is_active(struct quire_vm *vm, const struct quire_page *page)
{
    struct node_lists *lists = page_lists(vm, page);
    quire_port_irq_t irq = lists_lock(lists);
    unsigned list = page_list(page);
    bool active = list == LIST_UNEVICTABLE ||
                  (list >= LIST_FIRST && vm_policy(vm)->holds(lists, list) & LIST_HOLDS_ACTIVE);
    lists_unlock(lists, irq);
    return active;
}

/* CLOCK and FIFO have one list for both kinds, which is walked. */
static void count_list(struct quire_vm *vm, const struct page_list *list, unsigned holds,
                       struct lru_counts *counts)
{
    const unsigned both = LIST_HOLDS_FILE | LIST_HOLDS_ANON;
    if ((holds & both) != both) {
        count_pages(counts, holds, list->count);
        return;
    }
    for (uint32_t pfn = list->first; pfn != NO_PFN; pfn = owner_of(vm, pfn)->next) {
        const struct quire_page *page = quire_pfn_to_page(vm->mem, quire_pfn(pfn));
        count_pages(counts, holds & ~(page_is_swapbacked(page) ? LIST_HOLDS_FILE : 0u), 1);
    }
}

static void count_node(struct quire_vm *vm, unsigned node, struct lru_counts *counts)
{
    struct node_lists *lists = &vm->lists[node];
    quire_port_irq_t irq = lists_lock(lists);
    counts->unevictable += lists->list[LIST_UNEVICTABLE].count;
    for (unsigned i = LIST_FIRST; i < NR_LISTS; i++)
        if (lists->list[i].count)
            count_list(vm, &lists->list[i], vm_policy(vm)->holds(lists, i), counts);
    lists_unlock(lists, irq);
}

void lru_counts(struct quire_vm *vm, struct lru_counts *counts)
{
    *counts = (struct lru_counts){0};
    for (unsigned node = 0; node < vm->nr_nodes; node++)
        count_node(vm, node, counts);
}

int quire_vm_node_info(struct quire_vm *vm, unsigned node, struct quire_vm_node_info *info)
{
    struct lru_counts counts = {0};
    if (node >= vm->nr_nodes)
        return -QUIRE_ENOENT;
    count_node(vm, node, &counts);
    *info = (struct quire_vm_node_info){
        .active_anon = counts.active_anon,
        .inactive_anon = counts.inactive_anon,
        .active_file = counts.active_file,
        .inactive_file = counts.inactive_file,
        .unevictable = counts.unevictable,
    };
    return 0;
}
