/* tests/unit/vm_swap_test.c: pages to swap and back: slots, the swap cache, read-ahead, failing
 * stores, areas that come and go
 */
#include "tests/unit/vm_machine.h"
#include "vm/swap.h"

/* ---- rigs --------------------------------------------------------------------------------------
 */

#define SLOTS STORE_PAGES

static struct quire_mm *mm;
static quire_linear_t at;
static unsigned nr_pages;
static int area;

/* A machine with swap, and a process with `pages` pages that it has written to. */
static bool begin(unsigned pages, unsigned slots)
{
    if (!vm_boot(8 * MIB, QUIRE_PT_FORMAT_X86_64))
        return false;
    CHECK_EQ(quire_vm_set_page_cluster(machine_vm, 0), 0);
    area = slots ? swap_of(slots) : -1;
    mm = mm_new();
    nr_pages = pages;
    at = pages ? map_anon(mm, pages * PAGE) : 0;
    run_on(mm);
    for (unsigned i = 0; i < pages; i++)
        CHECK(poke(at + i * PAGE, word_of(i) + 1));
    return true;
}

static void end(void)
{
    mm_end(mm);
    if (area >= 0)
        CHECK_EQ(quire_swapoff(machine_vm, area), 0);
    vm_end();
}

/* Everything that can go goes; pages. */
static unsigned long swap_out_all(void)
{
    unsigned long gone = 0;
    for (unsigned i = 0; i < 3; i++)
        gone += quire_vm_reclaim(machine_vm, 0, 4096);
    return gone;
}

static bool all_hold(void)
{
    bool hold = true;
    for (unsigned i = 0; i < nr_pages; i++)
        hold = hold && holds(at + i * PAGE, word_of(i) + 1);
    return hold;
}

static uint64_t used_slots(void)
{
    struct quire_swap_info info;
    CHECK_EQ(quire_swap_info(machine_vm, area, &info), 0);
    return info.nr_used;
}

static unsigned long event(enum vm_event which)
{
    return machine_vm->event[which];
}

/* ---- out and in --------------------------------------------------------------------------------
 */

static void pages_go_to_swap_and_come_back(void)
{
    if (!begin(32, SLOTS))
        return;
    CHECK_EQ(swap_out_all(), 32);
    CHECK_EQ(swap_store.writes, 32);
    CHECK_EQ(used_slots(), 32);
    CHECK_EQ(mm_info(mm).rss_anon, 0);
    CHECK_EQ(mm_info(mm).swap, 32);
    quire_vm_check(machine_vm);
    CHECK(all_hold());
    CHECK_EQ(swap_store.reads, 32);
    CHECK_EQ(mm_info(mm).maj_flt, 32);
    CHECK_EQ(mm_info(mm).rss_anon, 32);
    CHECK_EQ(mm_info(mm).swap, 0);
    CHECK_EQ(event(VM_PSWPIN), 32);
    CHECK_EQ(event(VM_PSWPOUT), 32);
    quire_vm_check(machine_vm);
    end();
}

static void a_page_that_was_not_written_since_goes_without_a_write(void)
{
    if (!begin(16, SLOTS))
        return;
    CHECK_EQ(swap_out_all(), 16);
    CHECK(all_hold());
    CHECK_EQ(used_slots(), 16); /* they keep their slots */
    CHECK_EQ(swap_out_all(), 16);
    CHECK_EQ(swap_store.writes, 16);
    CHECK(all_hold());
    CHECK(poke(at, 7)); /* the last user takes the page over, and the slot is free */
    CHECK_EQ(used_slots(), 15);
    CHECK_EQ(swap_out_all(), 16);
    CHECK_EQ(swap_store.writes, 17);
    CHECK(holds(at, 7));
    end();
}

static void a_write_fault_takes_the_page_over(void)
{
    if (!begin(4, SLOTS))
        return;
    CHECK_EQ(swap_out_all(), 4);
    CHECK(poke(at + 8, 5));
    CHECK_EQ(used_slots(), 3);
    CHECK_EQ(nr_faults, 4 + 1);
    CHECK_EQ(machine_vm->stat[NR_SWAPCACHE], 0);
    CHECK(all_hold());
    CHECK(holds(at + 8, 5));
    end();
}

static void slots_are_given_back_when_swap_is_half_full(void)
{
    if (!begin(48, 64))
        return;
    CHECK_EQ(swap_out_all(), 48);
    CHECK(all_hold());
    CHECK(used_slots() < 32);
    CHECK_EQ(swap_out_all(), 48);
    CHECK(all_hold());
    end();
}

static void an_area_that_goes_away_takes_its_slots_along(void)
{
    if (!begin(16, SLOTS))
        return;
    CHECK_EQ(swap_out_all(), 16);
    CHECK(holds(at, word_of(0) + 1)); /* in the swap cache and mapped */
    CHECK_EQ(used_slots(), 16);
    CHECK_EQ(quire_munmap(mm, at, nr_pages * PAGE), 0);
    CHECK_EQ(used_slots(), 0);
    CHECK_EQ(machine_vm->stat[NR_SWAPCACHE], 0);
    end();
}

static void more_memory_than_there_is_keeps_its_content(void)
{
    const unsigned pages = 540;
    if (!vm_boot(2 * MIB, QUIRE_PT_FORMAT_X86_64))
        return;
    area = swap_of(SLOTS);
    mm = mm_new();
    run_on(mm);
    nr_pages = pages;
    at = map_anon(mm, pages * PAGE);
    for (unsigned round = 0; round < 3; round++) {
        for (unsigned i = 0; i < pages; i++)
            CHECK(poke(at + i * PAGE + 8 * round, word_of(i) + 1));
        CHECK(all_hold());
        quire_vm_check(machine_vm);
    }
    CHECK(mm_info(mm).swap > 0);
    end();
}

/* ---- fork --------------------------------------------------------------------------------------
 */

static void a_fork_shares_slots_until_somebody_writes(void)
{
    if (!begin(8, SLOTS))
        return;
    struct quire_mm *child;
    CHECK_EQ(swap_out_all(), 8);
    CHECK_EQ(quire_mm_fork(&child, mm), 0);
    CHECK_EQ(mm_info(child).swap, 8);
    CHECK_EQ(used_slots(), 8);
    run_on(child);
    CHECK(all_hold());
    CHECK(poke(at, 100)); /* a copy: the parent means the slot too */
    run_on(mm);
    CHECK(all_hold());
    CHECK_EQ(swap_store.reads, 8); /* the swap cache had them */
    quire_vm_check(machine_vm);
    CHECK_EQ(quire_vm_reclaim(machine_vm, 0, 4096) > 0, true);
    CHECK(swap_out_all() > 0);
    CHECK_EQ(mm_info(mm).rss_anon, 0);
    run_on(child);
    CHECK(holds(at, 100));
    CHECK(poke(at + PAGE, 101)); /* a write to a swapped page that both have */
    run_on(mm);
    CHECK(all_hold());
    run_on(child);
    CHECK(holds(at + PAGE, 101));
    mm_end(child);
    run_on(mm);
    quire_vm_check(machine_vm);
    end();
}

static void pages_of_a_fork_are_found_after_they_came_back(void)
{
    if (!begin(4, SLOTS))
        return;
    struct quire_mm *child;
    CHECK_EQ(swap_out_all(), 4);
    CHECK_EQ(quire_mm_fork(&child, mm), 0);
    run_on(child);
    CHECK(all_hold()); /* read by the child, then mapped by the parent too */
    run_on(mm);
    CHECK(all_hold());
    CHECK_EQ(mm_info(mm).rss_anon + mm_info(child).rss_anon, 8);
    CHECK_EQ(swap_out_all(), 4); /* needs both entries to be found from the page */
    CHECK_EQ(mm_info(mm).rss_anon + mm_info(child).rss_anon, 0);
    mm_end(child);
    run_on(mm);
    CHECK(all_hold());
    end();
}

static void a_slot_has_no_more_entries_than_it_can_count(void)
{
    if (!begin(1, SLOTS))
        return;
    struct quire_pt_query query;
    struct quire_mm *child;
    CHECK_EQ(swap_out_all(), 1);
    CHECK_EQ(quire_query(&mm->pt, at, &query), (uint64_t)-QUIRE_ENOENT);
    unsigned count = 1;
    while (count < 40000 && swap_duplicate(machine_vm, query.entry))
        count++;
    CHECK_EQ(count, 32766);
    CHECK_EQ(swap_count(machine_vm, query.entry), count);
    CHECK_EQ(quire_mm_fork(&child, mm), (uint64_t)-QUIRE_ENOMEM);
    CHECK_EQ(swap_count(machine_vm, query.entry), count);
    while (--count)
        swap_free(machine_vm, query.entry);
    CHECK(all_hold());
    end();
}

/* ---- read-ahead --------------------------------------------------------------------------------
 */

static void neighbours_are_read_ahead(void)
{
    if (!begin(32, SLOTS))
        return;
    CHECK_EQ(swap_out_all(), 32);
    CHECK_EQ(quire_vm_set_page_cluster(machine_vm, 3), 0);
    CHECK_EQ(quire_vm_set_page_cluster(machine_vm, 6), (uint64_t)-QUIRE_EINVAL);
    CHECK(all_hold());
    CHECK_EQ(event(VM_PSWPIN), 32);
    CHECK(mm_info(mm).maj_flt <= 8);
    CHECK_EQ(event(VM_SWAP_RA_HIT), event(VM_SWAP_RA));
    CHECK_EQ(event(VM_SWAP_RA) + mm_info(mm).maj_flt, 32);
    quire_vm_check(machine_vm);
    end();
}

static void random_reads_shrink_the_window(void)
{
    if (!begin(200, SLOTS))
        return;
    CHECK_EQ(swap_out_all(), 200);
    CHECK_EQ(quire_vm_set_page_cluster(machine_vm, 3), 0);
    for (unsigned i = 0; i < 12; i++)
        CHECK(holds(at + i * 16 * PAGE, word_of(i * 16) + 1));
    unsigned long before = event(VM_SWAP_RA);
    CHECK(holds(at + 12 * 16 * PAGE - 8 * PAGE, word_of(12 * 16 - 8) + 1));
    CHECK_EQ(event(VM_SWAP_RA), before);
    end();
}

/* ---- stores that fail --------------------------------------------------------------------------
 */

static void a_write_that_fails_is_tried_in_another_slot(void)
{
    if (!begin(8, SLOTS))
        return;
    swap_store.fail_write = 3;
    CHECK_EQ(swap_out_all(), 8);
    CHECK_EQ(swap_store.writes, 8);
    CHECK_EQ(used_slots(), 8);
    quire_vm_check(machine_vm);
    CHECK(all_hold());
    end();
}

static void both_of_a_forks_entries_follow_to_the_other_slot(void)
{
    if (!begin(4, SLOTS))
        return;
    struct quire_mm *child;
    CHECK_EQ(quire_mm_fork(&child, mm), 0);
    swap_store.fail_write = 1;
    CHECK_EQ(swap_out_all(), 4);
    CHECK_EQ(used_slots(), 4);
    CHECK(all_hold());
    run_on(child);
    CHECK(all_hold());
    mm_end(child);
    run_on(mm);
    end();
}

static void a_store_that_takes_nothing_loses_nothing(void)
{
    if (!begin(8, SLOTS))
        return;
    swap_store.broken = true;
    CHECK_EQ(swap_out_all(), 0);
    CHECK_EQ(machine_vm->stat[NR_WRITEBACK], 0);
    swap_store.broken = false;
    quire_vm_check(machine_vm);
    CHECK(all_hold());
    CHECK_EQ(mm_info(mm).maj_flt, 0); /* they never left memory */
    CHECK_EQ(swap_out_all(), 8);
    CHECK(all_hold());
    end();
}

static void a_read_that_fails_is_the_askers_alone(void)
{
    if (!begin(8, SLOTS))
        return;
    uint64_t value;
    CHECK_EQ(swap_out_all(), 8);
    swap_store.fail_read = 1;
    CHECK(!peek(at, &value));
    CHECK_EQ(last_result, QUIRE_VM_BUS_ADRERR);
    CHECK_EQ(used_slots(), 8);
    CHECK_EQ(machine_vm->stat[NR_SWAPCACHE], 0);
    quire_vm_check(machine_vm);
    CHECK(all_hold());
    end();
}

static void a_failing_neighbour_spoils_no_read(void)
{
    if (!begin(16, SLOTS))
        return;
    CHECK_EQ(swap_out_all(), 16);
    CHECK_EQ(quire_vm_set_page_cluster(machine_vm, 3), 0);
    swap_store.fail_read = 1; /* the run; the one that is wanted is read alone then */
    CHECK(all_hold());
    CHECK_EQ(mm_info(mm).rss_anon, 16);
    quire_vm_check(machine_vm);
    end();
}

static void no_transfer_that_fails_once_loses_anything(void)
{
    for (unsigned n = 1; n <= 24; n++) {
        if (!begin(8, SLOTS))
            return;
        struct quire_mm *child;
        swap_store.fail_write = n;
        CHECK(swap_out_all() >= 7);
        CHECK_EQ(quire_mm_fork(&child, mm), 0);
        swap_store.fail_read = n;
        (void)all_hold();
        swap_store.fail_read = 0;
        CHECK(all_hold());
        (void)swap_out_all();
        run_on(child);
        CHECK(all_hold());
        CHECK(poke(at, 3));
        (void)swap_out_all();
        mm_end(child);
        run_on(mm);
        CHECK(all_hold());
        quire_vm_check(machine_vm);
        end();
    }
}

/* ---- areas -------------------------------------------------------------------------------------
 */

static void swapoff_brings_everything_back(void)
{
    if (!begin(32, SLOTS))
        return;
    struct quire_mm *child;
    CHECK_EQ(swap_out_all(), 32);
    CHECK_EQ(quire_mm_fork(&child, mm), 0);
    run_on(child);
    CHECK(holds(at, word_of(0) + 1));
    CHECK(poke(at + PAGE, 9));
    run_on(mm);
    CHECK_EQ(quire_swapoff(machine_vm, area), 0);
    CHECK_EQ(mm_info(mm).swap + mm_info(child).swap, 0);
    CHECK_EQ(swap_total_pages(machine_vm), 0);
    CHECK(all_hold());
    CHECK_EQ(quire_swapoff(machine_vm, area), (uint64_t)-QUIRE_EINVAL);
    run_on(child);
    CHECK(holds(at + PAGE, 9));
    CHECK(holds(at + 2 * PAGE, word_of(2) + 1));
    mm_end(child);
    run_on(mm);
    area = -1;
    end();
}

static void swapoff_that_cannot_be_refuses_and_changes_nothing(void)
{
    const unsigned pages = 560;
    if (!vm_boot(2 * MIB, QUIRE_PT_FORMAT_X86_64))
        return;
    area = swap_of(SLOTS);
    mm = mm_new();
    run_on(mm);
    nr_pages = pages;
    at = map_anon(mm, pages * PAGE);
    for (unsigned i = 0; i < pages; i++)
        CHECK(poke(at + i * PAGE, word_of(i) + 1));
    CHECK_EQ(quire_swapoff(machine_vm, area), (uint64_t)-QUIRE_ENOMEM);
    CHECK_EQ(swap_total_pages(machine_vm), SLOTS - 1);
    quire_vm_check(machine_vm);
    CHECK(all_hold());
    end();
}

static void swapoff_with_a_page_that_cannot_be_read_refuses(void)
{
    if (!begin(8, SLOTS))
        return;
    CHECK_EQ(swap_out_all(), 8);
    swap_store.broken = true;
    CHECK_EQ(quire_swapoff(machine_vm, area), (uint64_t)-QUIRE_EIO);
    swap_store.broken = false;
    CHECK_EQ(used_slots(), 8);
    CHECK(all_hold());
    end();
}

static void swapon_says_what_is_wrong(void)
{
    if (!begin(1, 0))
        return;
    static const struct quire_swap_ops none = {NULL, NULL, NULL};
    struct quire_swap_config config = {.ops = &none, .nr_slots = 16, .priority = -1};
    struct quire_swap_info info;
    CHECK_EQ(quire_swapon(machine_vm, &config), (uint64_t)-QUIRE_EINVAL);
    CHECK_EQ(quire_swap_info(machine_vm, 0, &info), (uint64_t)-QUIRE_ENOENT);
    CHECK_EQ(quire_swap_info(machine_vm, -1, &info), (uint64_t)-QUIRE_ENOENT);
    CHECK_EQ(quire_swapoff(machine_vm, 99), (uint64_t)-QUIRE_EINVAL);
    CHECK_EQ(quire_swapoff(machine_vm, -1), (uint64_t)-QUIRE_EINVAL);
    end();
}

/* Stores that count what they get, each a half of swap_store. */
struct half {
    unsigned long writes, discarded;
    unsigned base;
};

static int half_read(void *arg, uint64_t slot, struct quire_page *const *pages, unsigned count)
{
    const struct half *half = arg;
    for (unsigned i = 0; i < count; i++)
        page_write(machine_vm, pages[i], 0,
                   swap_store.bytes + (half->base + slot + i) * QUIRE_PAGE_SIZE, QUIRE_PAGE_SIZE);
    return 0;
}

static int half_write(void *arg, uint64_t slot, struct quire_page *const *pages, unsigned count)
{
    struct half *half = arg;
    for (unsigned i = 0; i < count; i++)
        page_read(machine_vm, pages[i], 0,
                  swap_store.bytes + (half->base + slot + i) * QUIRE_PAGE_SIZE, QUIRE_PAGE_SIZE);
    half->writes += count;
    return 0;
}

static void half_discard(void *arg, uint64_t slot, uint64_t count)
{
    struct half *half = arg;
    CHECK(slot >= 1);
    half->discarded += (unsigned long)count;
}

static const struct quire_swap_ops half_ops = {half_read, half_write, NULL};
static const struct quire_swap_ops discarding_ops = {half_read, half_write, half_discard};

static int half_on(struct half *half, const struct quire_swap_ops *ops, int priority)
{
    struct quire_swap_config config = {
        .ops = ops,
        .store = half,
        .nr_slots = SLOTS / 2,
        .priority = priority,
        .name = "half",
        .is_file = true,
    };
    int number = quire_swapon(machine_vm, &config);
    CHECK(number >= 0);
    return number;
}

static void the_area_with_the_highest_priority_fills_first(void)
{
    struct half low = {.base = 0}, high = {.base = SLOTS / 2};
    if (!begin(150, 0))
        return;
    int number[2] = {half_on(&low, &half_ops, 1), half_on(&high, &half_ops, 5)};
    struct quire_swap_info info;
    CHECK_EQ(swap_out_all(), 150);
    CHECK_EQ(high.writes, SLOTS / 2 - 1);
    CHECK_EQ(low.writes, 150 - (SLOTS / 2 - 1));
    CHECK_EQ(quire_swap_info(machine_vm, number[1], &info), 0);
    CHECK_EQ(info.nr_used, SLOTS / 2 - 1);
    CHECK_EQ(info.priority, 5);
    CHECK(info.is_file);
    CHECK(all_hold());
    CHECK_EQ(quire_swapoff(machine_vm, number[1]), 0);
    CHECK(all_hold());
    CHECK_EQ(quire_swapoff(machine_vm, number[0]), 0);
    end();
}

static void areas_without_a_priority_come_in_order(void)
{
    struct half first = {.base = 0}, second = {.base = SLOTS / 2};
    if (!begin(10, 0))
        return;
    int number[2] = {half_on(&first, &half_ops, -1), half_on(&second, &half_ops, -1)};
    struct quire_swap_info info;
    CHECK_EQ(quire_swap_info(machine_vm, number[0], &info), 0);
    CHECK_EQ(info.priority, (uint64_t)-2);
    CHECK_EQ(quire_swap_info(machine_vm, number[1], &info), 0);
    CHECK_EQ(info.priority, (uint64_t)-3);
    CHECK_EQ(swap_out_all(), 10);
    CHECK_EQ(second.writes, 0);
    CHECK_EQ(quire_swapoff(machine_vm, number[0]), 0);
    CHECK_EQ(quire_swapoff(machine_vm, number[1]), 0);
    CHECK(all_hold());
    end();
}

static void stores_are_told_what_they_may_forget(void)
{
    struct half half = {.base = 0};
    if (!begin(100, 0))
        return;
    int number = half_on(&half, &discarding_ops, 0);
    CHECK_EQ(swap_out_all(), 100);
    for (unsigned i = 0; i < 100; i++)
        CHECK(poke(at + i * PAGE + 8, i)); /* taken over: the slots are free */
    CHECK_EQ(half.discarded, 0);
    CHECK_EQ(swap_out_all(), 100); /* the cluster is used up, and has to be told of first */
    CHECK_EQ(half.discarded, 0);   /* while somebody takes slots from it, it isn't */
    CHECK_EQ(quire_munmap(mm, at, nr_pages * PAGE), 0);
    CHECK_EQ(quire_swapoff(machine_vm, number), 0);
    end();
}

static void there_are_as_many_areas_as_there_can_be(void)
{
    if (!begin(1, 0))
        return;
    struct quire_swap_config config = {.ops = &half_ops, .nr_slots = 2, .priority = 0};
    config.nr_slots = 1;
    CHECK_EQ(quire_swapon(machine_vm, &config), (uint64_t)-QUIRE_EINVAL);
    config.nr_slots = 2;
    for (unsigned i = 0; i < QUIRE_MAX_SWAP_AREAS; i++)
        CHECK_EQ(quire_swapon(machine_vm, &config), i);
    CHECK_EQ(quire_swapon(machine_vm, &config), (uint64_t)-QUIRE_EPERM);
    CHECK_EQ(swap_total_pages(machine_vm), QUIRE_MAX_SWAP_AREAS);
    for (unsigned i = 0; i < QUIRE_MAX_SWAP_AREAS; i++)
        CHECK_EQ(quire_swapoff(machine_vm, (int)i), 0);
    end();
}

static unsigned long allocations, failing_from;

static bool fails(void *arg)
{
    (void)arg;
    return ++allocations >= failing_from;
}

static void swapon_that_finds_no_memory_leaves_nothing(void)
{
    static const struct quire_slab_config failing = {.fail = fails};
    unsigned failed = 0;
    vm_slab_config = &failing;
    for (unsigned long number = 1;; number++) {
        struct half half = {.base = 0};
        struct quire_swap_config config = {
            .ops = &half_ops, .store = &half, .nr_slots = 100000, .priority = 0};
        failing_from = ~0ul;
        if (!vm_boot(16 * MIB, QUIRE_PT_FORMAT_X86_64))
            break;
        allocations = 0;
        failing_from = number;
        int result = quire_swapon(machine_vm, &config);
        bool reached = allocations >= number;
        failing_from = ~0ul;
        CHECK(result == 0 || result == -QUIRE_ENOMEM);
        CHECK_EQ(swap_total_pages(machine_vm), result ? 0 : 99999);
        if (!result)
            CHECK_EQ(quire_swapoff(machine_vm, 0), 0);
        vm_end();
        failed += result != 0;
        if (!reached)
            break;
    }
    vm_slab_config = NULL;
    test_note("%u allocations failed", failed);
    CHECK(failed >= 3); /* the hash, the area, clusters */
}

static void swapped_pages_wait_until_there_is_memory(void)
{
    if (!begin(64, SLOTS))
        return;
    struct quire_page *chain[2];
    uint64_t value;
    CHECK_EQ(swap_out_all(), 64);
    (void)quire_slab_shrink(slab, -1); /* or reclaim would find pages there */
    for (unsigned i = 0; i < 2; i++) {
        quire_drain_all_pages(machine.mem); /* what lies on lists of other types */
        take_pages(QUIRE_GFP_KERNEL | QUIRE_GFP_NORETRY | QUIRE_GFP_MEMALLOC, ~0ul, &chain[i]);
    }
    CHECK(!peek(at, &value));
    CHECK_EQ(last_result, QUIRE_VM_OOM);
    CHECK_EQ(used_slots(), 64);
    for (unsigned i = 0; i < 2; i++)
        free_chain(chain[i]);
    quire_vm_check(machine_vm);
    CHECK(all_hold());
    end();
}

static void an_area_larger_than_entries_can_say_is_used_in_part(void)
{
    static const struct quire_swap_ops ops = {half_read, half_write, NULL};
    struct quire_swap_config config = {
        .ops = &ops, .nr_slots = ((uint64_t)1 << 23) + 5, .priority = 0, .name = "large"};
    struct quire_swap_info info;
    if (!vm_boot(128 * MIB, QUIRE_PT_FORMAT_I386))
        return;
    int number = quire_swapon(machine_vm, &config);
    REQUIRE(number >= 0);
    CHECK_EQ(quire_swap_info(machine_vm, number, &info), 0);
    CHECK_EQ(info.nr_slots, ((uint64_t)1 << 23) - 1);
    CHECK(machine_said("swap area large: 8388608 of 8388613 pages can be used"));
    CHECK_EQ(quire_swapoff(machine_vm, number), 0);
    vm_end();
}

static void every_format_of_entries_does(void)
{
    static const enum quire_pt_format_id formats[] = {QUIRE_PT_FORMAT_I386, QUIRE_PT_FORMAT_I386_4K,
                                                      QUIRE_PT_FORMAT_PAE, QUIRE_PT_FORMAT_LA57};
    for (unsigned f = 0; f < sizeof formats / sizeof formats[0]; f++) {
        struct quire_mm *child;
        if (!vm_boot(8 * MIB, formats[f]))
            return;
        area = swap_of(SLOTS);
        mm = mm_new();
        nr_pages = 40;
        at = map_anon(mm, nr_pages * PAGE);
        run_on(mm);
        for (unsigned i = 0; i < nr_pages; i++)
            CHECK(poke(at + i * PAGE, word_of(i) + 1));
        CHECK_EQ(swap_out_all(), nr_pages);
        CHECK_EQ(quire_mm_fork(&child, mm), 0);
        CHECK(all_hold());
        CHECK(poke(at, 1));
        CHECK(swap_out_all() > 0);
        run_on(child);
        CHECK(all_hold());
        mm_end(child);
        run_on(mm);
        CHECK(holds(at, 1));
        end();
    }
}

static quire_pfn_t frame_of(quire_linear_t address)
{
    struct quire_page *page;
    CHECK_EQ(quire_get_user_page(mm, address, false, &page), 0);
    quire_pfn_t pfn = quire_page_to_pfn(page);
    quire_put_user_page(machine_vm, page, false);
    return pfn;
}

static void pages_of_the_swap_cache_can_be_moved(void)
{
    if (!begin(64, SLOTS))
        return;
    unsigned moved = 0;
    CHECK_EQ(swap_out_all(), 64);
    CHECK(all_hold()); /* mapped, and in the swap cache */
    CHECK_EQ(machine_vm->stat[NR_SWAPCACHE], 64);
    for (unsigned i = 0; i < 64; i++) {
        quire_pfn_t pfn = frame_of(at + i * PAGE), past = quire_pfn(pfn.value + 1);
        if (quire_alloc_contig_range(machine.mem, pfn, past, QUIRE_MIGRATE_MOVABLE,
                                     QUIRE_GFP_KERNEL))
            continue;
        CHECK(frame_of(at + i * PAGE).value != pfn.value);
        quire_free_contig_range(machine.mem, pfn, 1);
        moved++;
    }
    CHECK_EQ(moved, 64);
    quire_vm_check(machine_vm);
    CHECK_EQ(machine_vm->stat[NR_SWAPCACHE], 64);
    CHECK_EQ(used_slots(), 64);
    CHECK(all_hold());
    CHECK_EQ(swap_out_all(), 64);
    CHECK_EQ(swap_store.writes, 64); /* still clean */
    CHECK(all_hold());
    end();
}

static const struct test_case cases[] = {
    TEST_CASE(swapon_that_finds_no_memory_leaves_nothing),
    TEST_CASE(swapped_pages_wait_until_there_is_memory),
    TEST_CASE(an_area_larger_than_entries_can_say_is_used_in_part),
    TEST_CASE(every_format_of_entries_does),
    TEST_CASE(pages_of_the_swap_cache_can_be_moved),
    TEST_CASE(pages_go_to_swap_and_come_back),
    TEST_CASE(a_page_that_was_not_written_since_goes_without_a_write),
    TEST_CASE(a_write_fault_takes_the_page_over),
    TEST_CASE(slots_are_given_back_when_swap_is_half_full),
    TEST_CASE(an_area_that_goes_away_takes_its_slots_along),
    TEST_CASE(more_memory_than_there_is_keeps_its_content),
    TEST_CASE(a_fork_shares_slots_until_somebody_writes),
    TEST_CASE(pages_of_a_fork_are_found_after_they_came_back),
    TEST_CASE(a_slot_has_no_more_entries_than_it_can_count),
    TEST_CASE(neighbours_are_read_ahead),
    TEST_CASE(random_reads_shrink_the_window),
    TEST_CASE(a_write_that_fails_is_tried_in_another_slot),
    TEST_CASE(both_of_a_forks_entries_follow_to_the_other_slot),
    TEST_CASE(a_store_that_takes_nothing_loses_nothing),
    TEST_CASE(a_read_that_fails_is_the_askers_alone),
    TEST_CASE(a_failing_neighbour_spoils_no_read),
    TEST_CASE(no_transfer_that_fails_once_loses_anything),
    TEST_CASE(swapoff_brings_everything_back),
    TEST_CASE(swapoff_that_cannot_be_refuses_and_changes_nothing),
    TEST_CASE(swapoff_with_a_page_that_cannot_be_read_refuses),
    TEST_CASE(swapon_says_what_is_wrong),
    TEST_CASE(the_area_with_the_highest_priority_fills_first),
    TEST_CASE(areas_without_a_priority_come_in_order),
    TEST_CASE(stores_are_told_what_they_may_forget),
    TEST_CASE(there_are_as_many_areas_as_there_can_be),
    {0},
};

const struct test_suite suite_vm_swap = {"vm_swap", cases};
