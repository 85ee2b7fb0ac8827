/* tests/unit/vm_swap_test.c: pages to swap and back: what is written when, who shares a slot,
 * read-ahead, stores that fail
 */
#include "tests/unit/vm_swap_machine.h"

/* ---- out and in ------------------------------------------------------------------------------ */

static void pages_go_to_swap_and_come_back(void)
{
    if (!swap_begin(32, SLOTS))
        return;
    CHECK_EQ(swap_out_all(), 32);
    CHECK_EQ(swap_store.writes, 32);
    CHECK_EQ(used_slots(), 32);
    CHECK_EQ(mm_info(rig.mm).rss_anon, 0);
    CHECK_EQ(mm_info(rig.mm).swap, 32);
    quire_vm_check(test_vm);
    CHECK(all_hold());
    CHECK_EQ(swap_store.reads, 32);
    CHECK_EQ(mm_info(rig.mm).maj_flt, 32);
    CHECK_EQ(mm_info(rig.mm).rss_anon, 32);
    CHECK_EQ(mm_info(rig.mm).swap, 0);
    CHECK_EQ(event(VM_PSWPIN), 32);
    CHECK_EQ(event(VM_PSWPOUT), 32);
    quire_vm_check(test_vm);
    swap_end();
}

static void a_page_that_was_not_written_since_goes_without_a_write(void)
{
    if (!swap_begin(16, SLOTS))
        return;
    CHECK_EQ(swap_out_all(), 16);
    CHECK(all_hold());
    CHECK_EQ(used_slots(), 16); /* they keep their slots */
    CHECK_EQ(swap_out_all(), 16);
    CHECK_EQ(swap_store.writes, 16);
    CHECK(all_hold());
    CHECK(poke(rig.at, 7)); /* the last user takes the page over, and the slot is free */
    CHECK_EQ(used_slots(), 15);
    CHECK_EQ(swap_out_all(), 16);
    CHECK_EQ(swap_store.writes, 17);
    CHECK(holds(rig.at, 7));
    swap_end();
}

static void a_write_fault_takes_the_page_over(void)
{
    if (!swap_begin(4, SLOTS))
        return;
    CHECK_EQ(swap_out_all(), 4);
    CHECK(poke(rig.at + 8, 5));
    CHECK_EQ(used_slots(), 3);
    CHECK_EQ(nr_faults, 4 + 1);
    CHECK_EQ(test_vm->stat[NR_SWAPCACHE], 0);
    CHECK(all_hold());
    CHECK(holds(rig.at + 8, 5));
    swap_end();
}

static void slots_are_given_back_when_swap_is_half_full(void)
{
    if (!swap_begin(48, 64))
        return;
    CHECK_EQ(swap_out_all(), 48);
    CHECK(all_hold());
    CHECK(used_slots() < 32);
    CHECK_EQ(swap_out_all(), 48);
    CHECK(all_hold());
    swap_end();
}

static void an_area_that_goes_away_takes_its_slots_along(void)
{
    if (!swap_begin(16, SLOTS))
        return;
    CHECK_EQ(swap_out_all(), 16);
    CHECK(holds(rig.at, word_of(0) + 1)); /* in the swap cache and mapped */
    CHECK_EQ(used_slots(), 16);
    CHECK_EQ(quire_munmap(rig.mm, rig.at, rig.nr_pages * PAGE), 0);
    CHECK_EQ(used_slots(), 0);
    CHECK_EQ(test_vm->stat[NR_SWAPCACHE], 0);
    swap_end();
}

static void more_memory_than_there_is_keeps_its_content(void)
{
    const unsigned pages = 540;
    if (!swap_begin_on(2 * MIB, QUIRE_PT_FORMAT_X86_64, pages, SLOTS))
        return;
    CHECK_EQ(quire_vm_set_page_cluster(test_vm, 3), 0);
    for (unsigned round = 0; round < 3; round++) {
        for (unsigned i = 0; i < pages; i++)
            CHECK(poke(rig.at + i * PAGE + 8 * round, word_of(i) + 1));
        CHECK(all_hold());
        quire_vm_check(test_vm);
    }
    CHECK(mm_info(rig.mm).swap > 0);
    swap_end();
}

/* ---- fork ------------------------------------------------------------------------------------ */

static void a_fork_shares_slots_until_somebody_writes(void)
{
    if (!swap_begin(8, SLOTS))
        return;
    struct quire_mm *child;
    CHECK_EQ(swap_out_all(), 8);
    CHECK_EQ(quire_mm_fork(&child, rig.mm), 0);
    CHECK_EQ(mm_info(child).swap, 8);
    CHECK_EQ(used_slots(), 8);
    run_on(child);
    CHECK(all_hold());
    CHECK(poke(rig.at, 100)); /* a copy: the parent means the slot too */
    run_on(rig.mm);
    CHECK(all_hold());
    CHECK_EQ(swap_store.reads, 8); /* the swap cache had them */
    quire_vm_check(test_vm);
    CHECK_EQ(quire_vm_reclaim(test_vm, 0, 4096), 9);
    CHECK_EQ(swap_out_all(), 0);
    CHECK_EQ(mm_info(rig.mm).rss_anon, 0);
    run_on(child);
    CHECK(holds(rig.at, 100));
    CHECK(poke(rig.at + PAGE, 101)); /* a write to a swapped page that both have */
    run_on(rig.mm);
    CHECK(all_hold());
    run_on(child);
    CHECK(holds(rig.at + PAGE, 101));
    mm_end(child);
    run_on(rig.mm);
    quire_vm_check(test_vm);
    swap_end();
}

static void pages_of_a_fork_are_found_after_they_came_back(void)
{
    if (!swap_begin(4, SLOTS))
        return;
    struct quire_mm *child;
    CHECK_EQ(swap_out_all(), 4);
    CHECK_EQ(quire_mm_fork(&child, rig.mm), 0);
    run_on(child);
    CHECK(all_hold()); /* read by the child, then mapped by the parent too */
    run_on(rig.mm);
    CHECK(all_hold());
    CHECK_EQ(mm_info(rig.mm).rss_anon + mm_info(child).rss_anon, 8);
    CHECK_EQ(swap_out_all(), 4); /* needs both entries to be found from the page */
    CHECK_EQ(mm_info(rig.mm).rss_anon + mm_info(child).rss_anon, 0);
    mm_end(child);
    run_on(rig.mm);
    CHECK(all_hold());
    swap_end();
}

static void a_slot_has_no_more_entries_than_it_can_count(void)
{
    if (!swap_begin(1, SLOTS))
        return;
    struct quire_pt_query query;
    struct quire_mm *child;
    CHECK_EQ(swap_out_all(), 1);
    CHECK_EQ(quire_query(&rig.mm->pt, rig.at, &query), (uint64_t)-QUIRE_ENOENT);
    unsigned count = 1;
    while (count < 40000 && swap_duplicate(test_vm, query.entry))
        count++;
    CHECK_EQ(count, 32766);
    CHECK_EQ(swap_count(test_vm, query.entry), count);
    CHECK_EQ(quire_mm_fork(&child, rig.mm), (uint64_t)-QUIRE_ENOMEM);
    CHECK_EQ(swap_count(test_vm, query.entry), count);
    while (--count)
        swap_free(test_vm, query.entry);
    CHECK(all_hold());
    swap_end();
}

/* Processes with all memory but what is kept free: what a fork needs has to be made free, although
 * it can't be waited for where the tables are needed. The one page that this CPU's list may have
 * isn't enough. */
static void a_fork_gets_its_tables_where_memory_is_full(void)
{
    const unsigned pages = 540;
    static struct quire_mm *child[24];
    if (!swap_begin_on(2 * MIB, QUIRE_PT_FORMAT_X86_64, pages, SLOTS))
        return;
    for (unsigned i = 0; i < sizeof child / sizeof child[0]; i++) {
        for (unsigned page = 0; page < 16 + i; page++)
            CHECK(poke(rig.at + (page * 29 + i) % pages * PAGE + 8, i));
        /* All that can be had without waiting. */
        struct quire_page *held = NULL, *page;
        while ((page = quire_alloc_page(machine.mem, QUIRE_GFP_NOWAIT | QUIRE_GFP_NOWARN))) {
            page->owner.pointer[0] = held;
            held = page;
        }
        for (unsigned put = 0; held && put < i % 3; put++) {
            page = held;
            held = page->owner.pointer[0];
            quire_free_page(machine.mem, page);
        }
        CHECK_EQ(quire_mm_fork(&child[i], rig.mm), 0);
        for (; held; held = page) {
            page = held->owner.pointer[0];
            quire_free_page(machine.mem, held);
        }
        if (child[i])
            quire_mm_put(child[i]);
    }
    CHECK(all_hold());
    swap_check_end();
}

/* ---- read-ahead ------------------------------------------------------------------------------ */

static void neighbours_are_read_ahead(void)
{
    if (!swap_begin(32, SLOTS))
        return;
    CHECK_EQ(swap_out_all(), 32);
    CHECK_EQ(quire_vm_set_page_cluster(test_vm, 3), 0);
    CHECK_EQ(quire_vm_set_page_cluster(test_vm, 6), (uint64_t)-QUIRE_EINVAL);
    CHECK(all_hold());
    CHECK_EQ(event(VM_PSWPIN), 32);
    CHECK(mm_info(rig.mm).maj_flt <= 8);
    CHECK_EQ(event(VM_SWAP_RA_HIT), event(VM_SWAP_RA));
    CHECK_EQ(event(VM_SWAP_RA) + mm_info(rig.mm).maj_flt, 32);
    quire_vm_check(test_vm);
    swap_end();
}

static void random_reads_shrink_the_window(void)
{
    if (!swap_begin(200, SLOTS))
        return;
    CHECK_EQ(swap_out_all(), 200);
    CHECK_EQ(quire_vm_set_page_cluster(test_vm, 3), 0);
    for (unsigned i = 0; i < 12; i++)
        CHECK(holds(rig.at + i * 16 * PAGE, word_of(i * 16) + 1));
    unsigned long before = event(VM_SWAP_RA);
    CHECK(holds(rig.at + 12 * 16 * PAGE - 8 * PAGE, word_of(12 * 16 - 8) + 1));
    CHECK_EQ(event(VM_SWAP_RA), before);
    swap_end();
}

static void a_miss_near_the_last_one_reads_its_neighbours(void)
{
    if (!swap_begin(200, SLOTS))
        return;
    CHECK_EQ(swap_out_all(), 200);
    CHECK_EQ(quire_vm_set_page_cluster(test_vm, 3), 0);
    for (unsigned i = 0; i < 12; i++)
        CHECK(holds(rig.at + i * 16 * PAGE, word_of(i * 16) + 1));
    unsigned long before = event(VM_SWAP_RA);
    CHECK(holds(rig.at + (11 * 16 + 6) * PAGE, word_of(11 * 16 + 6) + 1));
    CHECK_EQ(event(VM_SWAP_RA), before + 3);
    swap_end();
}

/* As many pages as can be had without reclaim but for one, linked by their first words. */
static struct quire_page *hold_all_but_one(void)
{
    const quire_gfp_t gfp =
        (QUIRE_GFP_HIGHUSER_MOVABLE & ~QUIRE_GFP_RECLAIM) | QUIRE_GFP_NOWARN | QUIRE_GFP_NOMEMALLOC;
    struct quire_page *first = NULL, *page;
    while ((page = quire_alloc_page(machine.mem, gfp))) {
        *(struct quire_page **)quire_page_address(machine.mem, page) = first;
        first = page;
    }
    page = first;
    first = *(struct quire_page **)quire_page_address(machine.mem, page);
    quire_free_page(machine.mem, page);
    return first;
}

static void neighbours_are_worth_reclaim(void)
{
    if (!swap_begin(256, SLOTS))
        return;
    CHECK_EQ(quire_vm_set_page_cluster(test_vm, 3), 0);
    CHECK_EQ(quire_madvise(rig.mm, rig.at, 64 * PAGE, QUIRE_MADV_PAGEOUT), 0);
    CHECK_EQ(count_resident(rig.at, 0, 64), 0);
    struct quire_page *held = hold_all_but_one(), *next;
    CHECK(holds(rig.at + 17 * PAGE, word_of(17) + 1));
    CHECK_EQ(event(VM_SWAP_RA), 7);
    for (; held; held = next) {
        next = *(struct quire_page **)quire_page_address(machine.mem, held);
        quire_free_page(machine.mem, held);
    }
    CHECK(all_hold());
    swap_check_end();
}

/* ---- stores that fail ------------------------------------------------------------------------ */

static void a_write_that_fails_is_tried_in_another_slot(void)
{
    if (!swap_begin(8, SLOTS))
        return;
    swap_store.fail_write = 3;
    CHECK_EQ(swap_out_all(), 8);
    CHECK_EQ(swap_store.writes, 8);
    CHECK_EQ(used_slots(), 8);
    quire_vm_check(test_vm);
    CHECK(all_hold());
    swap_end();
}

static void both_of_a_forks_entries_follow_to_the_other_slot(void)
{
    if (!swap_begin(4, SLOTS))
        return;
    struct quire_mm *child;
    CHECK_EQ(quire_mm_fork(&child, rig.mm), 0);
    swap_store.fail_write = 1;
    CHECK_EQ(swap_out_all(), 4);
    CHECK_EQ(used_slots(), 4);
    CHECK(all_hold());
    run_on(child);
    CHECK(all_hold());
    mm_end(child);
    run_on(rig.mm);
    swap_end();
}

static void a_store_that_takes_nothing_loses_nothing(void)
{
    if (!swap_begin(8, SLOTS))
        return;
    swap_store.broken = true;
    CHECK_EQ(swap_out_all(), 0);
    CHECK_EQ(test_vm->stat[NR_WRITEBACK], 0);
    swap_store.broken = false;
    quire_vm_check(test_vm);
    CHECK(all_hold());
    CHECK_EQ(mm_info(rig.mm).maj_flt, 0); /* they never left memory */
    CHECK_EQ(swap_out_all(), 8);
    CHECK(all_hold());
    swap_end();
}

static void a_read_that_fails_is_the_askers_alone(void)
{
    if (!swap_begin(8, SLOTS))
        return;
    uint64_t value;
    CHECK_EQ(swap_out_all(), 8);
    swap_store.fail_read = 1;
    CHECK(!peek(rig.at, &value));
    CHECK_EQ(last_result, QUIRE_VM_BUS_ADRERR);
    CHECK_EQ(used_slots(), 8);
    CHECK_EQ(test_vm->stat[NR_SWAPCACHE], 0);
    quire_vm_check(test_vm);
    CHECK(all_hold());
    swap_end();
}

static void a_failing_neighbour_spoils_no_read(void)
{
    if (!swap_begin(16, SLOTS))
        return;
    CHECK_EQ(swap_out_all(), 16);
    CHECK_EQ(quire_vm_set_page_cluster(test_vm, 3), 0);
    swap_store.fail_read = 1; /* the run; the one that is wanted is read alone then */
    CHECK(all_hold());
    CHECK_EQ(mm_info(rig.mm).rss_anon, 16);
    quire_vm_check(test_vm);
    swap_end();
}

static void no_transfer_that_fails_once_loses_anything(void)
{
    for (unsigned n = 1; n <= 24; n++) {
        if (!swap_begin(8, SLOTS))
            return;
        struct quire_mm *child;
        swap_store.fail_write = n;
        CHECK(swap_out_all() >= 7);
        CHECK_EQ(quire_mm_fork(&child, rig.mm), 0);
        swap_store.fail_read = n;
        (void)all_hold();
        swap_store.fail_read = 0;
        CHECK(all_hold());
        (void)swap_out_all();
        run_on(child);
        CHECK(all_hold());
        CHECK(poke(rig.at, 3));
        (void)swap_out_all();
        mm_end(child);
        run_on(rig.mm);
        CHECK(all_hold());
        quire_vm_check(test_vm);
        swap_end();
    }
}

/* ---- elsewhere ------------------------------------------------------------------------------- */

static void swapped_pages_wait_until_there_is_memory(void)
{
    if (!swap_begin(64, SLOTS))
        return;
    struct quire_page *chain[2];
    uint64_t value;
    CHECK_EQ(swap_out_all(), 64);
    (void)quire_slab_shrink(slab, -1); /* or reclaim would find pages there */
    for (unsigned i = 0; i < 2; i++) {
        quire_drain_all_pages(machine.mem); /* what lies on lists of other types */
        take_pages(QUIRE_GFP_KERNEL | QUIRE_GFP_NORETRY | QUIRE_GFP_MEMALLOC, ~0ul, &chain[i]);
    }
    CHECK(!peek(rig.at, &value));
    CHECK_EQ(last_result, QUIRE_VM_OOM);
    CHECK_EQ(used_slots(), 64);
    for (unsigned i = 0; i < 2; i++)
        free_chain(chain[i]);
    quire_vm_check(test_vm);
    CHECK(all_hold());
    swap_end();
}

static void every_format_of_entries_does(void)
{
    static const enum quire_pt_format_id formats[] = {QUIRE_PT_FORMAT_I386, QUIRE_PT_FORMAT_I386_4K,
                                                      QUIRE_PT_FORMAT_PAE, QUIRE_PT_FORMAT_LA57};
    for (unsigned f = 0; f < sizeof formats / sizeof formats[0]; f++) {
        struct quire_mm *child;
        if (!swap_begin_on(8 * MIB, formats[f], 40, SLOTS))
            return;
        CHECK_EQ(swap_out_all(), 40);
        CHECK_EQ(quire_mm_fork(&child, rig.mm), 0);
        CHECK(all_hold());
        CHECK(poke(rig.at, 1));
        CHECK(swap_out_all() > 0);
        run_on(child);
        CHECK(all_hold());
        mm_end(child);
        run_on(rig.mm);
        CHECK(holds(rig.at, 1));
        swap_end();
    }
}

static quire_pfn_t frame_of(quire_linear_t address)
{
    struct quire_page *page;
    CHECK_EQ(quire_get_user_page(rig.mm, address, false, &page), 0);
    quire_pfn_t pfn = quire_page_to_pfn(page);
    quire_put_user_page(test_vm, page, false);
    return pfn;
}

static void pages_of_the_swap_cache_can_be_moved(void)
{
    if (!swap_begin(64, SLOTS))
        return;
    unsigned moved = 0;
    CHECK_EQ(swap_out_all(), 64);
    CHECK(all_hold()); /* mapped, and in the swap cache */
    CHECK_EQ(test_vm->stat[NR_SWAPCACHE], 64);
    for (unsigned i = 0; i < 64; i++) {
        quire_pfn_t pfn = frame_of(rig.at + i * PAGE), past = quire_pfn(pfn.value + 1);
        if (quire_alloc_contig_range(machine.mem, pfn, past, QUIRE_MIGRATE_MOVABLE,
                                     QUIRE_GFP_KERNEL))
            continue;
        CHECK(frame_of(rig.at + i * PAGE).value != pfn.value);
        quire_free_contig_range(machine.mem, pfn, 1);
        moved++;
    }
    CHECK_EQ(moved, 64);
    quire_vm_check(test_vm);
    CHECK_EQ(test_vm->stat[NR_SWAPCACHE], 64);
    CHECK_EQ(used_slots(), 64);
    CHECK(all_hold());
    CHECK_EQ(swap_out_all(), 64);
    CHECK_EQ(swap_store.writes, 64); /* still clean */
    CHECK(all_hold());
    swap_end();
}

static const struct test_case cases[] = {
    TEST_CASE(swapped_pages_wait_until_there_is_memory),
    TEST_CASE(every_format_of_entries_does),
    TEST_CASE(pages_of_the_swap_cache_can_be_moved),
    TEST_CASE(pages_go_to_swap_and_come_back),
    TEST_CASE(a_page_that_was_not_written_since_goes_without_a_write),
    TEST_CASE(a_write_fault_takes_the_page_over),
    TEST_CASE(slots_are_given_back_when_swap_is_half_full),
    TEST_CASE(an_area_that_goes_away_takes_its_slots_along),
    TEST_CASE(a_fork_gets_its_tables_where_memory_is_full),
    TEST_CASE(more_memory_than_there_is_keeps_its_content),
    TEST_CASE(a_fork_shares_slots_until_somebody_writes),
    TEST_CASE(pages_of_a_fork_are_found_after_they_came_back),
    TEST_CASE(a_slot_has_no_more_entries_than_it_can_count),
    TEST_CASE(neighbours_are_read_ahead),
    TEST_CASE(random_reads_shrink_the_window),
    TEST_CASE(a_miss_near_the_last_one_reads_its_neighbours),
    TEST_CASE(neighbours_are_worth_reclaim),
    TEST_CASE(a_write_that_fails_is_tried_in_another_slot),
    TEST_CASE(both_of_a_forks_entries_follow_to_the_other_slot),
    TEST_CASE(a_store_that_takes_nothing_loses_nothing),
    TEST_CASE(a_read_that_fails_is_the_askers_alone),
    TEST_CASE(a_failing_neighbour_spoils_no_read),
    TEST_CASE(no_transfer_that_fails_once_loses_anything),
    {0},
};

const struct test_suite suite_vm_swap = {"vm_swap", cases};
