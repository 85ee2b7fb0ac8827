/* tests/unit/vm_swap_area_test.c: swap areas come, are chosen, are told what they may forget, and
 * go
 */
#include "tests/unit/vm_swap_machine.h"
#include "vm/swap_area.h"

/* ---- areas ----------------------------------------------------------------------------------- */

static void swapoff_brings_everything_back(void)
{
    if (!swap_begin(32, SLOTS))
        return;
    struct quire_mm *child;
    CHECK_EQ(swap_out_all(), 32);
    CHECK_EQ(quire_mm_fork(&child, rig.mm), 0);
    run_on(child);
    CHECK(holds(rig.at, word_of(0) + 1));
    CHECK(poke(rig.at + PAGE, 9));
    run_on(rig.mm);
    CHECK_EQ(quire_swapoff(test_vm, rig.area), 0);
    CHECK_EQ(mm_info(rig.mm).swap + mm_info(child).swap, 0);
    CHECK_EQ(swap_total_pages(test_vm), 0);
    CHECK(all_hold());
    CHECK_EQ(quire_swapoff(test_vm, rig.area), (uint64_t)-QUIRE_EINVAL);
    run_on(child);
    CHECK(holds(rig.at + PAGE, 9));
    CHECK(holds(rig.at + 2 * PAGE, word_of(2) + 1));
    mm_end(child);
    run_on(rig.mm);
    rig.area = -1;
    swap_end();
}

static void swapoff_that_cannot_be_refuses_and_changes_nothing(void)
{
    const unsigned pages = 560;
    if (!swap_begin_on(2 * MIB, QUIRE_PT_FORMAT_X86_64, pages, SLOTS))
        return;
    CHECK_EQ(quire_swapoff(test_vm, rig.area), (uint64_t)-QUIRE_ENOMEM);
    CHECK_EQ(swap_total_pages(test_vm), SLOTS - 1);
    quire_vm_check(test_vm);
    CHECK(all_hold());
    swap_end();
}

static void swapoff_with_a_page_that_cannot_be_read_refuses(void)
{
    if (!swap_begin(8, SLOTS))
        return;
    CHECK_EQ(swap_out_all(), 8);
    swap_store.broken = true;
    CHECK_EQ(quire_swapoff(test_vm, rig.area), (uint64_t)-QUIRE_EIO);
    swap_store.broken = false;
    CHECK_EQ(used_slots(), 8);
    CHECK(all_hold());
    swap_end();
}

static void a_machine_that_does_not_end_says_what_is_left(void)
{
    if (!swap_begin(1, SLOTS))
        return;
    struct quire_mm *other = mm_new();
    struct quire_mapping *file = file_of(PAGE);
    CHECK_EQ(quire_vm_destroy(test_vm), (uint64_t)-QUIRE_EBUSY);
    CHECK(machine_heard("quire: vm: 2 address spaces, 1 mapping, 1 swap area are left"));
    quire_mm_put(other);
    quire_mapping_put(file);
    CHECK_EQ(quire_vm_destroy(test_vm), (uint64_t)-QUIRE_EBUSY);
    CHECK(machine_heard("quire: vm: 1 address space, 0 mappings, 1 swap area are left"));
    swap_end();
}

/* A machine that is nothing any more but an area that a swapoff on another CPU is at work on. */
static void a_machine_does_not_end_while_a_swapoff_runs(void)
{
    if (!swap_begin(1, SLOTS))
        return;
    mm_end(rig.mm);
    CHECK_EQ(quire_vm_destroy(test_vm), (uint64_t)-QUIRE_EBUSY);
    struct swap_state *swap = test_vm->swap;
    quire_port_irq_t irq = swap_lock(swap);
    swap_area_hide(swap, swap->area[rig.area]);
    swap_unlock(swap, irq);
    CHECK_EQ(swap_total_pages(test_vm), 0);
    CHECK_EQ(quire_vm_destroy(test_vm), (uint64_t)-QUIRE_EBUSY);
    swap_area_forget(test_vm, swap->area[rig.area]);
    vm_end();
}

static void swapon_says_what_is_wrong(void)
{
    if (!swap_begin(1, 0))
        return;
    static const struct quire_swap_ops none = {NULL, NULL, NULL};
    struct quire_swap_config config = {.ops = &none, .nr_slots = 16, .priority = -1};
    struct quire_swap_info info;
    CHECK_EQ(quire_swapon(test_vm, &config), (uint64_t)-QUIRE_EINVAL);
    CHECK_EQ(quire_swap_info(test_vm, 0, &info), (uint64_t)-QUIRE_ENOENT);
    CHECK_EQ(quire_swap_info(test_vm, -1, &info), (uint64_t)-QUIRE_ENOENT);
    CHECK_EQ(quire_swapoff(test_vm, 99), (uint64_t)-QUIRE_EINVAL);
    CHECK_EQ(quire_swapoff(test_vm, -1), (uint64_t)-QUIRE_EINVAL);
    swap_end();
}

/* Stores that count what they get, each a half of swap_store. */
struct half {
    unsigned long writes, discarded, refused;
    unsigned base;
    bool refuses;
};

static int half_read(void *arg, uint64_t slot, struct quire_page *const *pages, unsigned count)
{
    const struct half *half = arg;
    for (unsigned i = 0; i < count; i++)
        page_write(test_vm, pages[i], 0,
                   swap_store.bytes + (half->base + slot + i) * QUIRE_PAGE_SIZE, QUIRE_PAGE_SIZE);
    return 0;
}

static int half_write(void *arg, uint64_t slot, struct quire_page *const *pages, unsigned count)
{
    struct half *half = arg;
    if (half->refuses) {
        half->refused++;
        return -QUIRE_EIO;
    }
    for (unsigned i = 0; i < count; i++)
        page_read(test_vm, pages[i], 0,
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
    int number = quire_swapon(test_vm, &config);
    CHECK(number >= 0);
    return number;
}

static void the_area_with_the_highest_priority_fills_first(void)
{
    struct half low = {.base = 0}, high = {.base = SLOTS / 2};
    if (!swap_begin(150, 0))
        return;
    int number[2] = {half_on(&low, &half_ops, 1), half_on(&high, &half_ops, 5)};
    struct quire_swap_info info;
    CHECK_EQ(swap_out_all(), 150);
    CHECK_EQ(high.writes, SLOTS / 2 - 1);
    CHECK_EQ(low.writes, 150 - (SLOTS / 2 - 1));
    CHECK_EQ(quire_swap_info(test_vm, number[1], &info), 0);
    CHECK_EQ(info.nr_used, SLOTS / 2 - 1);
    CHECK_EQ(info.priority, 5);
    CHECK(info.is_file);
    CHECK(all_hold());
    CHECK_EQ(quire_swapoff(test_vm, number[1]), 0);
    CHECK(all_hold());
    CHECK_EQ(quire_swapoff(test_vm, number[0]), 0);
    swap_end();
}

static void what_one_area_refuses_goes_to_another(void)
{
    struct half low = {.base = 0}, high = {.base = SLOTS / 2, .refuses = true};
    if (!swap_begin(100, 0))
        return;
    int number[2] = {half_on(&low, &half_ops, 1), half_on(&high, &half_ops, 5)};
    CHECK_EQ(swap_out_all(), 100);
    CHECK_EQ(low.writes, 100);
    CHECK(high.refused >= 100); /* each, and the batches */
    quire_vm_check(test_vm);
    CHECK(all_hold());
    CHECK_EQ(quire_swapoff(test_vm, number[1]), 0);
    CHECK_EQ(quire_swapoff(test_vm, number[0]), 0);
    swap_end();
}

/* A batch of 32 pages, two tries for each of them alone, and what was begun: however many there
 * are, and however often they are looked at. */
static void an_area_that_takes_nothing_is_not_asked_for_every_page(void)
{
    struct half half = {.base = 0, .refuses = true};
    if (!swap_begin(100, 0))
        return;
    int number = half_on(&half, &half_ops, 0);
    CHECK_EQ(quire_vm_reclaim(test_vm, 0, 50), 0);
    CHECK(half.refused >= 64 && half.refused < 200);
    half.refuses = false;
    CHECK_EQ(swap_out_all(), 100);
    CHECK(all_hold());
    CHECK_EQ(quire_swapoff(test_vm, number), 0);
    swap_end();
}

/* Reclaim for a page that is swapped in writes to one area; while it does so the other one, which
 * the page is in, is taken away. */
static int number_of_going = -1;

static int write_during_swapoff(void *arg, uint64_t slot, struct quire_page *const *pages,
                                unsigned count)
{
    int number = number_of_going;
    number_of_going = -1;
    if (number >= 0)
        CHECK_EQ(quire_swapoff(test_vm, number), 0);
    return half_write(arg, slot, pages, count);
}

static void an_area_may_go_while_a_page_of_it_is_to_be_read(void)
{
    static const struct quire_swap_ops ops = {half_read, write_during_swapoff, NULL};
    struct half going = {.base = 0}, stays = {.base = SLOTS / 2};
    if (!swap_begin_on(2 * MIB, QUIRE_PT_FORMAT_X86_64, 96, 0))
        return;
    CHECK_EQ(quire_vm_set_overcommit(test_vm, QUIRE_OVERCOMMIT_ALWAYS, 50), 0);
    int first = half_on(&going, &half_ops, 5);
    CHECK_EQ(swap_out_all(), 96);
    int second = half_on(&stays, &ops, 9);
    CHECK_EQ(quire_vm_set_page_cluster(test_vm, 3), 0);
    unsigned more = 0;
    quire_linear_t at = map_anon(rig.mm, 512 * PAGE);
    while (more < 512 && !stays.writes) {
        CHECK(poke(at + more * PAGE, word_of(more)));
        more++;
    }
    CHECK(stays.writes); /* memory is full */
    number_of_going = first;
    CHECK(all_hold());
    CHECK_EQ(number_of_going, (uint64_t)-1);
    read_pages(at, 0, more);
    quire_vm_check(test_vm);
    CHECK_EQ(quire_munmap(rig.mm, at, 512 * PAGE), 0);
    CHECK_EQ(quire_swapoff(test_vm, second), 0);
    swap_end();
}

static void areas_without_a_priority_come_in_order(void)
{
    struct half first = {.base = 0}, second = {.base = SLOTS / 2};
    if (!swap_begin(10, 0))
        return;
    int number[2] = {half_on(&first, &half_ops, -1), half_on(&second, &half_ops, -1)};
    struct quire_swap_info info;
    CHECK_EQ(quire_swap_info(test_vm, number[0], &info), 0);
    CHECK_EQ(info.priority, (uint64_t)-2);
    CHECK_EQ(quire_swap_info(test_vm, number[1], &info), 0);
    CHECK_EQ(info.priority, (uint64_t)-3);
    CHECK_EQ(swap_out_all(), 10);
    CHECK_EQ(second.writes, 0);
    CHECK_EQ(quire_swapoff(test_vm, number[0]), 0);
    CHECK_EQ(quire_swapoff(test_vm, number[1]), 0);
    CHECK(all_hold());
    swap_end();
}

static void stores_are_told_what_they_may_forget(void)
{
    struct half half = {.base = 0};
    if (!swap_begin(100, 0))
        return;
    int number = half_on(&half, &discarding_ops, 0);
    CHECK_EQ(swap_out_all(), 100);
    for (unsigned i = 0; i < 100; i++)
        CHECK(poke(rig.at + i * PAGE + 8, i)); /* taken over: the slots are free */
    CHECK_EQ(half.discarded, 0);
    CHECK_EQ(swap_out_all(), 100); /* the cluster is used up, and has to be told of first */
    CHECK_EQ(half.discarded, 0);   /* while somebody takes slots from it, it isn't */
    CHECK_EQ(quire_munmap(rig.mm, rig.at, rig.nr_pages * PAGE), 0);
    CHECK_EQ(quire_swapoff(test_vm, number), 0);
    swap_end();
}

static void there_are_as_many_areas_as_there_can_be(void)
{
    if (!swap_begin(1, 0))
        return;
    struct quire_swap_config config = {.ops = &half_ops, .nr_slots = 2, .priority = 0};
    config.nr_slots = 1;
    CHECK_EQ(quire_swapon(test_vm, &config), (uint64_t)-QUIRE_EINVAL);
    config.nr_slots = 2;
    for (unsigned i = 0; i < QUIRE_MAX_SWAP_AREAS; i++)
        CHECK_EQ(quire_swapon(test_vm, &config), i);
    CHECK_EQ(quire_swapon(test_vm, &config), (uint64_t)-QUIRE_EPERM);
    CHECK_EQ(swap_total_pages(test_vm), QUIRE_MAX_SWAP_AREAS);
    for (unsigned i = 0; i < QUIRE_MAX_SWAP_AREAS; i++)
        CHECK_EQ(quire_swapoff(test_vm, (int)i), 0);
    swap_end();
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
        int result = quire_swapon(test_vm, &config);
        bool reached = allocations >= number;
        failing_from = ~0ul;
        CHECK(result == 0 || result == -QUIRE_ENOMEM);
        CHECK_EQ(swap_total_pages(test_vm), result ? 0 : 99999);
        if (!result)
            CHECK_EQ(quire_swapoff(test_vm, 0), 0);
        vm_end();
        failed += result != 0;
        if (!reached)
            break;
    }
    vm_slab_config = NULL;
    test_note("%u allocations failed", failed);
    CHECK(failed >= 3 || QUIRE_PAGE_SHIFT != 12); /* the hash, the area, clusters */
}

static void an_area_larger_than_entries_can_say_is_used_in_part(void)
{
    static const struct quire_swap_ops ops = {half_read, half_write, NULL};
    struct quire_swap_config config = {
        .ops = &ops, .nr_slots = ((uint64_t)1 << 23) + 5, .priority = 0, .name = "large"};
    struct quire_swap_info info;
    if (!vm_boot(128 * MIB, QUIRE_PT_FORMAT_I386))
        return;
    int number = quire_swapon(test_vm, &config);
    REQUIRE(number >= 0);
    CHECK_EQ(quire_swap_info(test_vm, number, &info), 0);
    CHECK_EQ(info.nr_slots, ((uint64_t)1 << 23) - 1);
    CHECK(machine_said("swap area large: 8388608 of 8388613 pages can be used"));
    CHECK_EQ(quire_swapoff(test_vm, number), 0);
    vm_end();
}

static const struct test_case cases[] = {
    TEST_CASE(swapon_that_finds_no_memory_leaves_nothing),
    TEST_CASE(an_area_larger_than_entries_can_say_is_used_in_part),
    TEST_CASE(swapoff_brings_everything_back),
    TEST_CASE(swapoff_that_cannot_be_refuses_and_changes_nothing),
    TEST_CASE(swapoff_with_a_page_that_cannot_be_read_refuses),
    TEST_CASE(a_machine_that_does_not_end_says_what_is_left),
    TEST_CASE(a_machine_does_not_end_while_a_swapoff_runs),
    TEST_CASE(swapon_says_what_is_wrong),
    TEST_CASE(the_area_with_the_highest_priority_fills_first),
    TEST_CASE(what_one_area_refuses_goes_to_another),
    TEST_CASE(an_area_that_takes_nothing_is_not_asked_for_every_page),
    TEST_CASE(an_area_may_go_while_a_page_of_it_is_to_be_read),
    TEST_CASE(areas_without_a_priority_come_in_order),
    TEST_CASE(stores_are_told_what_they_may_forget),
    TEST_CASE(there_are_as_many_areas_as_there_can_be),
    {0},
};

const struct test_suite suite_vm_swap_area = {"vm_swap_area", cases};
