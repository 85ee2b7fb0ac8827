/* vm/policy_mglru.c: multi-generation LRU
 *
 * Up to four generations of pages, of anonymous memory and of files: the youngest is where pages
 * come to when they are faulted in or found referenced, the oldest is what is reclaimed. When a
 * kind has only its two youngest left, a new generation begins: what isn't referenced from then on
 * gets older by a generation, without being touched. References are looked for when a page comes to
 * the old end of the oldest generation, through its reverse maps; page tables aren't scanned ahead.
 *
 * Of the two kinds the one with the older generation goes first; of the same age, the one that has
 * cost less lately, weighed by swappiness.
 *
 *   policy_word   0: the youngest generation's number; 1, 2: the oldest's, of anonymous memory and
 *                 of files; 3, 4: their cost
 *   invariant     youngest - 3 <= oldest <= youngest
 *   source        Linux's mm/vmscan.c, CONFIG_LRU_GEN, without its page table walks and tiers
 */
#include "vm/policy.h"
#include "vm/swap.h"

#define NR_GENERATIONS 4ul
#define KEPT_GENERATIONS 2ul /* that aren't reclaimed from: what was just used gets its time */
#define FOLD_BATCH 64u

static unsigned long youngest(const struct node_lists *lists)
{
    return quire_load_relaxed(&lists->policy_word[0]);
}

static unsigned long oldest(const struct node_lists *lists, bool is_file)
{
    return quire_load_relaxed(&lists->policy_word[1 + is_file]);
}

static unsigned generation_list(unsigned long generation, bool is_file)
{
    return LIST_FIRST + (unsigned)(generation % NR_GENERATIONS) * 2 + is_file;
}

static unsigned mglru_place(struct quire_vm *vm, struct node_lists *lists,
                            const struct quire_page *page, enum place_reason reason)
{
    (void)vm;
    bool is_file = page_goes_without_swap(page);
    unsigned long young = youngest(lists), old = oldest(lists, is_file);
    unsigned long second = old < young ? old + 1 : old;
    const uint32_t was_active = PG_WORKINGSET | PG_REFERENCED;
    switch (reason) {
    case PLACE_ACTIVATED:
        return generation_list(young, is_file);
    case PLACE_NEW: /* a file's page may be read once and no more */
        return generation_list(is_file ? second : young, is_file);
    case PLACE_BACK:
        return generation_list((page_flags_of(page) & was_active) == was_active ? young : second,
                               is_file);
    case PLACE_COLD:
        return generation_list(old, is_file) | PLACE_OLD;
    default:
        return generation_list(second, is_file);
    }
}

static bool mglru_used(struct node_lists *lists, struct quire_page *page)
{
    unsigned list = page_list(page);
    return list != generation_list(youngest(lists), (list - LIST_FIRST) & 1);
}

static unsigned mglru_holds(const struct node_lists *lists, unsigned list)
{
    if (list >= LIST_FIRST + 2 * NR_GENERATIONS)
        return 0;
    bool is_file = (list - LIST_FIRST) & 1;
    unsigned long young = youngest(lists);
    bool active = list == generation_list(young, is_file) ||
                  (young != oldest(lists, is_file) && list == generation_list(young - 1, is_file));
    return (active ? LIST_HOLDS_ACTIVE : 0) | (is_file ? LIST_HOLDS_FILE : LIST_HOLDS_ANON);
}

static enum verdict mglru_judge(struct quire_page *page, unsigned references, uint32_t vma_flags)
{
    (void)vma_flags;
    bool used = page_test_and_clear(page, PG_REFERENCED);
    return references ? VERDICT_ACTIVATE : used ? VERDICT_KEEP : VERDICT_RECLAIM;
}

static void mglru_note_cost(struct node_lists *lists, bool is_file, unsigned long pages)
{
    unsigned long *cost = &lists->policy_word[3], size = 0;
    cost[is_file] += pages;
    for (unsigned list = LIST_FIRST; list < LIST_FIRST + 2 * NR_GENERATIONS; list++)
        size += lists->list[list].count;
    while (cost[0] + cost[1] > size / 4) {
        cost[0] /= 2;
        cost[1] /= 2;
    }
}

/* ---- generations ----------------------------------------------------------------------------- */

/* Empty generations at the old end are forgotten. Under the lock. */
static void skip_empty(struct node_lists *lists, bool is_file)
{
    unsigned long *old = &lists->policy_word[1 + is_file];
    while (*old < lists->policy_word[0] && !lists->list[generation_list(*old, is_file)].count)
        quire_store_relaxed(old, *old + 1);
}

/* The oldest generation becomes part of the next: the youngest of it first, so that order is kept.
 * A few pages at a time. */
static void fold_oldest(struct scan *scan, bool is_file)
{
    struct node_lists *lists = scan->lists;
    bool done = false;
    while (!done) {
        quire_port_irq_t irq = lists_lock(lists);
        skip_empty(lists, is_file);
        unsigned from = generation_list(oldest(lists, is_file), is_file);
        unsigned to = generation_list(oldest(lists, is_file) + 1, is_file);
        done = youngest(lists) - oldest(lists, is_file) < NR_GENERATIONS - 1;
        for (unsigned i = 0; !done && i < FOLD_BATCH && lists->list[from].count; i++) {
            struct quire_page *page =
                quire_pfn_to_page(scan->vm->mem, quire_pfn(lists->list[from].first));
            list_unlink(scan->vm, lists, page);
            list_link(scan->vm, lists, page, to | PLACE_OLD);
        }
        lists_unlock(lists, irq);
    }
}

/* A new generation begins, unless somebody else just began one. */
static void age(struct scan *scan, unsigned long seen)
{
    for (unsigned is_file = 0; is_file < 2; is_file++)
        fold_oldest(scan, is_file);
    struct node_lists *lists = scan->lists;
    quire_port_irq_t irq = lists_lock(lists);
    bool room = true;
    for (unsigned is_file = 0; is_file < 2; is_file++)
        room = room && youngest(lists) - oldest(lists, is_file) < NR_GENERATIONS - 1;
    if (room && youngest(lists) == seen)
        quire_store_relaxed(&lists->policy_word[0], seen + 1);
    lists_unlock(lists, irq);
}

/* ---- reclaim --------------------------------------------------------------------------------- */

static unsigned long kind_size(const struct node_lists *lists, bool is_file)
{
    unsigned long size = 0;
    for (unsigned long generation = 0; generation < NR_GENERATIONS; generation++)
        size += quire_load_relaxed(&lists->list[generation_list(generation, is_file)].count);
    return size;
}

static bool choose_file(const struct scan *scan)
{
    const struct node_lists *lists = scan->lists;
    uint64_t swappiness = quire_load_relaxed(&scan->vm->swappiness);
    bool can_swap = scan->gfp & QUIRE_GFP_IO && swap_free_pages(scan->vm) && swappiness;
    if (!can_swap || !kind_size(lists, false))
        return true;
    if (!kind_size(lists, true))
        return false;
    if (oldest(lists, false) != oldest(lists, true))
        return oldest(lists, true) < oldest(lists, false);
    uint64_t anon = quire_load_relaxed(&lists->policy_word[3]);
    uint64_t file = quire_load_relaxed(&lists->policy_word[4]);
    return (file + 1) * swappiness <= (anon + 1) * (200 - swappiness);
}

static void note_scan(struct scan *scan, bool is_file, unsigned long pages)
{
    if (!pages)
        return;
    quire_port_irq_t irq = lists_lock(scan->lists);
    mglru_note_cost(scan->lists, is_file, pages);
    lists_unlock(scan->lists, irq);
}

static unsigned shrink_oldest(struct scan *scan, bool is_file, unsigned long most)
{
    struct node_lists *lists = scan->lists;
    unsigned long reclaimed = scan->reclaimed;
    quire_port_irq_t irq = lists_lock(lists);
    skip_empty(lists, is_file);
    unsigned long young = youngest(lists), old = oldest(lists, is_file);
    lists_unlock(lists, irq);
    if (young - old < KEPT_GENERATIONS) {
        age(scan, young);
        return 1; /* of what may be done in a round */
    }
    unsigned looked = shrink_list(scan, generation_list(old, is_file), most);
    reclaimed = scan->reclaimed - reclaimed;
    note_scan(scan, is_file, looked > reclaimed ? looked - reclaimed : 0);
    return looked ? looked : 1;
}

static void mglru_shrink(struct scan *scan)
{
    const struct node_lists *lists = scan->lists;
    unsigned long size = kind_size(lists, false) + kind_size(lists, true);
    unsigned long most = 2 * size >> scan->priority;
    most = most < RECLAIM_BATCH ? RECLAIM_BATCH : most;
    while (!scan_is_done(scan) && most && size) {
        unsigned looked =
            shrink_oldest(scan, choose_file(scan), most < RECLAIM_BATCH ? most : RECLAIM_BATCH);
        most -= looked < most ? looked : most;
    }
}

const struct reclaim_policy policy_mglru = {
    .name = "mglru",
    .nr_lists = 2 * NR_GENERATIONS,
    .place = mglru_place,
    .used = mglru_used,
    .judge = mglru_judge,
    .shrink = mglru_shrink,
    .holds = mglru_holds,
    .note_cost = mglru_note_cost,
};
