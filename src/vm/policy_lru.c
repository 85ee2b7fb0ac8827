/* vm/policy_lru.c: active and inactive lists, of anonymous memory and of files
 *
 * New pages begin on the inactive list. One that is found referenced twice when it comes to the old
 * end is activated; others go. Active pages get to the inactive list, referenced or not (but for
 * programs' text), when that is small against the active one, or when pages come back that should
 * have stayed: so a page that is read once doesn't push out those that are used again and again.
 *
 * How much is scanned of anonymous memory and of files is weighed by swappiness and by what
 * scanning either has cost lately: pages looked at in vain, written, or read back.
 *
 *   policy_word   0, 1: cost of anonymous memory, of files; 2, 3: activations by refault when the
 *                 node was last scanned
 *   source        Linux's mm/vmscan.c: shrink_lruvec, get_scan_count, inactive_is_low,
 *                 folio_check_references
 */
#include "vm/policy.h"
#include "vm/swap.h"

#include "base/bits.h"

#define INACTIVE(is_file) (LIST_FIRST + 2u * (is_file))
#define ACTIVE(is_file) (LIST_FIRST + 2u * (is_file) + 1u)

#define IO_COST 32u /* pages looked at that one written page costs as much as */
#define RATIO_SHIFT (30 - QUIRE_PAGE_SHIFT)

static unsigned lru_place(struct quire_vm *vm, struct node_lists *lists,
                          const struct quire_page *page, enum place_reason reason)
{
    (void)vm;
    (void)lists;
    unsigned is_file = page_goes_without_swap(page);
    const uint32_t was_active = PG_WORKINGSET | PG_REFERENCED;
    switch (reason) {
    case PLACE_ACTIVATED:
        return ACTIVE(is_file);
    case PLACE_BACK:
        return (page_flags_of(page) & was_active) == was_active ? ACTIVE(is_file)
                                                                : INACTIVE(is_file);
    case PLACE_COLD:
        return INACTIVE(is_file) | PLACE_OLD;
    default:
        return INACTIVE(is_file);
    }
}

static bool is_active(unsigned list)
{
    return (list - LIST_FIRST) & 1;
}

static bool lru_used(struct node_lists *lists, struct quire_page *page)
{
    (void)lists;
    return !is_active(page_list(page));
}

static unsigned lru_holds(const struct node_lists *lists, unsigned list)
{
    (void)lists;
    return (is_active(list) ? LIST_HOLDS_ACTIVE : 0) |
           (list >= INACTIVE(1) ? LIST_HOLDS_FILE : LIST_HOLDS_ANON);
}

static enum verdict lru_judge(struct quire_page *page, unsigned references, uint32_t vma_flags)
{
    bool used = page_test_and_clear(page, PG_REFERENCED);
    if (!references)
        return VERDICT_RECLAIM;
    page_set(page, PG_REFERENCED);
    if (used || references > 1)
        return VERDICT_ACTIVATE;
    if (vma_flags & VM_EXEC && !page_is_swapbacked(page))
        return VERDICT_ACTIVATE;
    return VERDICT_KEEP;
}

/* ---- costs ----------------------------------------------------------------------------------- */

static unsigned long list_size(const struct node_lists *lists, unsigned list)
{
    return quire_load_relaxed(&lists->list[list].count);
}

/* Old costs fade: both are halved when they come to a quarter of the pages. With the lock; they are
 * read without it. */
static void lru_note_cost(struct node_lists *lists, bool is_file, unsigned long pages)
{
    unsigned long cost[] = {lists->policy_word[0], lists->policy_word[1]}, size = 0;
    cost[is_file] += pages;
    for (unsigned list = INACTIVE(0); list <= ACTIVE(1); list++)
        size += list_size(lists, list);
    while (cost[0] + cost[1] > size / 4) {
        cost[0] /= 2;
        cost[1] /= 2;
    }
    quire_store_relaxed(&lists->policy_word[0], cost[0]);
    quire_store_relaxed(&lists->policy_word[1], cost[1]);
}

static void note_scan(struct scan *scan, bool is_file, unsigned long in_vain, unsigned long written)
{
    if (!in_vain && !written)
        return;
    quire_port_irq_t irq = lists_lock(scan->lists);
    lru_note_cost(scan->lists, is_file, in_vain + written * IO_COST);
    lists_unlock(scan->lists, irq);
}

/* ---- active lists ---------------------------------------------------------------------------- */

static unsigned long sqrt_floor(unsigned long x)
{
    unsigned long root = 0;
    while ((root + 1) * (root + 1) <= x)
        root++;
    return root;
}

/* One inactive page for so many active ones: 1 below a GiB, 3 at 1, 10 at 10, 31 at 100 GiB. */
static bool inactive_is_low(const struct node_lists *lists, bool is_file)
{
    unsigned long inactive = list_size(lists, INACTIVE(is_file));
    unsigned long active = list_size(lists, ACTIVE(is_file));
    unsigned long gib = (inactive + active) >> RATIO_SHIFT;
    unsigned long ratio = gib ? sqrt_floor(10 * gib) : 1;
    return inactive * ratio < active;
}

static void deactivate(struct scan *scan, struct quire_page *page)
{
    uint32_t vma_flags = 0;
    enum place_reason reason = PLACE_NEW;
    if (page_trylock(page)) {
        if (page_referenced(scan->vm, page, &vma_flags) && vma_flags & VM_EXEC &&
            !page_is_swapbacked(page))
            reason = PLACE_ACTIVATED;
        page_unlock(page);
    }
    if (reason == PLACE_NEW) {
        page_set(page, PG_WORKINGSET);
        vm_count(scan->vm, VM_PGDEACTIVATE, 1);
    }
    lru_return(scan->vm, page, reason);
}

static unsigned shrink_active(struct scan *scan, bool is_file, unsigned long most)
{
    struct quire_page *pages[RECLAIM_BATCH];
    unsigned count = (unsigned)(most < RECLAIM_BATCH ? most : RECLAIM_BATCH);
    count = list_isolate(scan->vm, scan->lists, ACTIVE(is_file), pages, count);
    for (unsigned i = 0; i < count; i++)
        deactivate(scan, pages[i]);
    return count;
}

/* Whether pages came back too soon since the node was last scanned. */
static bool activations_changed(struct scan *scan, bool is_file)
{
    unsigned long now = quire_load_relaxed(
        &scan->vm->event[is_file ? VM_WORKINGSET_ACTIVATE_FILE : VM_WORKINGSET_ACTIVATE_ANON]);
    unsigned long *seen = &scan->lists->policy_word[2 + is_file];
    if (quire_load_relaxed(seen) == now)
        return false;
    quire_store_relaxed(seen, now);
    return true;
}

/* ---- how much of what ------------------------------------------------------------------------ */

struct share {
    uint32_t anon, file; /* to be scanned in this proportion */
};

/* The less the one has cost of late the more of it is scanned. Each kind counts half of what the
 * other has cost too, so that neither is left alone for long. */
static struct share share_by_cost(const struct scan *scan, unsigned swappiness)
{
    uint64_t anon = quire_load_relaxed(&scan->lists->policy_word[0]);
    uint64_t file = quire_load_relaxed(&scan->lists->policy_word[1]);
    uint64_t total = anon + file;
    anon += total;
    file += total;
    total = anon + file;
    while (total >= 1u << 20) {
        anon /= 2;
        file /= 2;
        total /= 2;
    }
    return (struct share){
        (uint32_t)quire_div64(swappiness * (total + 1), (uint32_t)anon + 1),
        (uint32_t)quire_div64((200 - swappiness) * (total + 1), (uint32_t)file + 1),
    };
}

static struct share scan_share(const struct scan *scan, bool files_suffice)
{
    unsigned swappiness = quire_load_relaxed(&scan->vm->swappiness);
    bool can_swap = scan->gfp & QUIRE_GFP_IO && swap_free_pages(scan->vm);
    if (!can_swap || !swappiness)
        return (struct share){0, 1};
    if (!scan->priority)
        return (struct share){1, 1};
    if (files_suffice)
        return (struct share){0, 1};
    if (list_size(scan->lists, INACTIVE(1)) + list_size(scan->lists, ACTIVE(1)) < RECLAIM_BATCH)
        return (struct share){1, 0}; /* a share of nothing would only make the rest look smaller */
    return share_by_cost(scan, swappiness);
}

/* nr[list - LIST_FIRST]: pages to be looked at. At the lowest priority all, whatever the shares,
 * unless one is 0. */
static void scan_counts(const struct scan *scan, struct share share, unsigned long nr[4])
{
    for (unsigned list = INACTIVE(0); list <= ACTIVE(1); list++) {
        uint32_t part = list >= INACTIVE(1) ? share.file : share.anon;
        uint64_t pages = list_size(scan->lists, list) >> scan->priority;
        if (!scan->priority)
            pages = part ? pages : 0;
        else
            pages = quire_div64(pages * part, share.anon + share.file);
        nr[list - LIST_FIRST] = (unsigned long)pages;
    }
}

static void shrink_inactive(struct scan *scan, bool is_file, unsigned long most)
{
    unsigned long reclaimed = scan->reclaimed, written = scan->written;
    unsigned looked = shrink_list(scan, INACTIVE(is_file), most);
    reclaimed = scan->reclaimed - reclaimed;
    note_scan(scan, is_file, looked > reclaimed ? looked - reclaimed : 0, scan->written - written);
}

static unsigned long take(unsigned long *left)
{
    unsigned long part = *left < RECLAIM_BATCH ? *left : RECLAIM_BATCH;
    *left -= part;
    return part;
}

static void lru_shrink(struct scan *scan)
{
    unsigned long nr[4];
    bool may_deactivate[2];
    for (unsigned is_file = 0; is_file < 2; is_file++)
        may_deactivate[is_file] = activations_changed(scan, is_file) ||
                                  inactive_is_low(scan->lists, is_file) || scan->force_deactivate;
    bool files_suffice =
        list_size(scan->lists, INACTIVE(1)) >> scan->priority && !may_deactivate[1];
    scan_counts(scan, scan_share(scan, files_suffice), nr);
    while (!scan_is_done(scan) && (nr[0] || nr[1] || nr[2] || nr[3]))
        for (unsigned is_file = 0; is_file < 2; is_file++) {
            unsigned long active = take(&nr[2 * is_file + 1]), inactive = take(&nr[2 * is_file]);
            if (active && may_deactivate[is_file])
                shrink_active(scan, is_file, active);
            if (inactive)
                shrink_inactive(scan, is_file, inactive);
        }
    if (inactive_is_low(scan->lists, false) && swap_total_pages(scan->vm))
        shrink_active(scan, false, RECLAIM_BATCH);
}

const struct reclaim_policy policy_lru = {
    .name = "lru",
    .nr_lists = 4,
    .place = lru_place,
    .used = lru_used,
    .judge = lru_judge,
    .shrink = lru_shrink,
    .holds = lru_holds,
    .note_cost = lru_note_cost,
};
