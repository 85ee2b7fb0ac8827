/* vm/policy_queue.c: CLOCK and FIFO: one list for all pages of a node
 *
 * FIFO: the page that came first goes first, whatever was used. CLOCK (second chance): the page
 * that came first goes first unless it was referenced since it came or was last looked at; then it
 * goes to the end, as if it came now. A list from which the old end is taken, and to whose young
 * end pages come, is the circle of pages with its hand at the old end: whoever is passed by the
 * hand is behind it, and a new page takes the place that the hand just left.
 *
 *   invariant   with anonymous pages of one process, and one page reclaimed for each that is
 *               needed, a page goes exactly when it does in the textbook
 *   source      Corbato, A Paging Experiment with the Multics System, 1968
 */
#include "vm/policy.h"

#define QUEUE LIST_FIRST

static unsigned queue_place(struct quire_vm *vm, struct node_lists *lists,
                            const struct quire_page *page, enum place_reason reason)
{
    (void)vm;
    (void)lists;
    (void)page;
    return reason == PLACE_COLD ? QUEUE | PLACE_OLD : QUEUE;
}

static bool queue_used(struct node_lists *lists, struct quire_page *page)
{
    (void)lists;
    (void)page;
    return false;
}

static unsigned queue_holds(const struct node_lists *lists, unsigned list)
{
    (void)lists;
    (void)list;
    return LIST_HOLDS_FILE | LIST_HOLDS_ANON;
}

static enum verdict clock_judge(struct quire_page *page, unsigned references, uint32_t vma_flags)
{
    (void)vma_flags;
    bool used = page_test_and_clear(page, PG_REFERENCED);
    return references || used ? VERDICT_KEEP : VERDICT_RECLAIM;
}

static enum verdict fifo_judge(struct quire_page *page, unsigned references, uint32_t vma_flags)
{
    (void)page;
    (void)references;
    (void)vma_flags;
    return VERDICT_RECLAIM;
}

/* No more pages are taken than are wanted, so that none goes before its time. All go by twice at
 * the lowest priority: once to lose their references, once to be taken. */
static void queue_shrink(struct scan *scan)
{
    unsigned long most = 2 * quire_load_relaxed(&scan->lists->list[QUEUE].count) >> scan->priority;
    most = most < RECLAIM_BATCH ? RECLAIM_BATCH : most;
    while (!scan_is_done(scan) && most) {
        unsigned long missing = scan->wanted - scan->reclaimed;
        unsigned taken = shrink_list(scan, QUEUE, missing < most ? missing : most);
        if (!taken)
            break;
        most -= taken;
    }
}

const struct reclaim_policy policy_clock = {
    .name = "clock",
    .nr_lists = 1,
    .place = queue_place,
    .used = queue_used,
    .judge = clock_judge,
    .shrink = queue_shrink,
    .holds = queue_holds,
};

const struct reclaim_policy policy_fifo = {
    .name = "fifo",
    .nr_lists = 1,
    .ignores_references = true,
    .place = queue_place,
    .used = queue_used,
    .judge = fifo_judge,
    .shrink = queue_shrink,
    .holds = queue_holds,
};
