/* tests/stress/phys_stress.c: threads that allocate and free
 *
 * They free what others allocated, by every way in and out; see stress.h for what is checked. At
 * the end everything is free, and nothing is lost.
 */
#include <sched.h>

#include "tests/stress/ranges.h"

/* Two nodes, with zones of several shards each. */
#define MEMORY_BYTES ((8ul * QUIRE_SHARD_BLOCKS << QUIRE_MAX_ORDER) << QUIRE_PAGE_SHIFT)

/* Threads beyond the CPUs that there can be have no number. */
static bool machine_start(unsigned nr_cpus, unsigned debug)
{
    static const struct quire_memblock_region map[] = {
        {.base = 0, .size = MEMORY_BYTES / 2, .node = 0},
        {.base = MEMORY_BYTES / 2, .size = MEMORY_BYTES / 2, .node = 1},
        {0},
    };
    struct quire_mem_config config = {
        .nr_cpus = nr_cpus < QUIRE_MAX_CPUS ? nr_cpus : QUIRE_MAX_CPUS,
        .zone_end = {[QUIRE_ZONE_DMA] = MEMORY_BYTES / 8, [QUIRE_ZONE_NORMAL] = UINT64_MAX},
        .debug = debug,
    };
    return stress_map(map, MEMORY_BYTES) && stress_start(config);
}

static void trade(struct worker *worker)
{
    while (go_on(worker))
        trade_once(worker);
}

static void two_to_eight_threads_free_what_others_allocated(void)
{
    for (unsigned threads = 2; threads <= MAX_THREADS; threads += 2) {
        REQUIRE(machine_start(MAX_THREADS + 1, 0));
        run_threads(threads, trade, stress_effort() / 4);
        stress_end();
    }
}

static void threads_without_a_cpu_number_share_with_those_that_have_one(void)
{
    REQUIRE(machine_start(3, 0));
    run_threads(MAX_THREADS, trade, stress_effort() / 4);
    stress_end();
}

static void threads_agree_with_poison_and_owners(void)
{
    REQUIRE(machine_start(MAX_THREADS + 1, QUIRE_DEBUG_POISON | QUIRE_DEBUG_OWNER));
    run_threads(4, trade, stress_effort() / 20);
    stress_end();
}

/* A thread that ends leaves its lists behind; who gets its CPU number goes on with them. */
static void threads_that_come_and_go_lose_nothing(void)
{
    REQUIRE(machine_start(4, 0));
    for (unsigned round = 0; round < 40; round++)
        run_threads(2 + test_random_below(MAX_THREADS - 1), trade, stress_effort() / 200);
    stress_end();
}

/* ---- references that are raised without holding one ------------------------------------------ */

/* A page is looked up in a slot, and may be gone before its reference is raised. If the slot still
 * has it then, it is the page that was meant. Who may be looked up so is given up by put_page.
 * Here the bytes of frames count readers: a page that is allocated again has none. */
static void look_up(struct worker *worker)
{
    struct quire_page **from = &slot[below(worker, 32)];
    struct quire_page *page = quire_load_acquire(from);
    if (!page || !quire_get_page_unless_zero(page))
        return;
    if (quire_load_acquire(from) == page) {
        unsigned long pfn = quire_page_to_pfn(page).value;
        __atomic_add_fetch(&owner[pfn], 1, __ATOMIC_RELAXED);
        CHECK(quire_page_count(page) >= 1);
        CHECK_EQ(quire_page_order(page), 0);
        CHECK_EQ(__atomic_load_n(content(pfn), __ATOMIC_RELAXED), pfn * 3);
        __atomic_sub_fetch(&owner[pfn], 1, __ATOMIC_RELAXED);
    }
    quire_put_page(stress.mem, page);
}

static struct quire_page *page_to_publish(void)
{
    struct quire_page *page = quire_alloc_page(stress.mem, QUIRE_GFP_KERNEL | QUIRE_GFP_NOWARN);
    if (!page)
        return NULL;
    unsigned long pfn = quire_page_to_pfn(page).value;
    CHECK_EQ(quire_load_relaxed(&owner[pfn]), 0);
    __atomic_store_n(content(pfn), pfn * 3, __ATOMIC_RELAXED);
    return page;
}

static void publish_and_look_up(struct worker *worker)
{
    while (go_on(worker)) {
        if (below(worker, 3)) {
            look_up(worker);
            continue;
        }
        struct quire_page *old = exchange(below(worker, 32), page_to_publish());
        if (old)
            quire_put_page(stress.mem, old);
    }
}

static void look_up_and(const struct crew *crews)
{
    REQUIRE(machine_start(MAX_THREADS + 1, 0));
    run_crews(crews);
    for (unsigned i = 0; i < SLOTS; i++) {
        struct quire_page *page = exchange(i, NULL);
        if (page) {
            CHECK_EQ(quire_page_count(page), 1);
            quire_put_page(stress.mem, page);
        }
    }
    stress_end();
}

static void a_reference_is_raised_or_refused_but_never_lost(void)
{
    look_up_and((struct crew[]){{publish_and_look_up, 4, 2 * stress_effort()}, {0}});
}

static void a_reference_is_never_lost_while_lists_are_closed(void)
{
    look_up_and((struct crew[]){{publish_and_look_up, 3, 2 * stress_effort()},
                                {isolate_ranges, 2, 0},
                                {keep_house, 1, 0},
                                {0}});
}

/* ---- who frees comes after who used ---------------------------------------------------------- */

static struct quire_page *lent; /* to the reader, with a reference */

static void read_and_drop(struct worker *reader)
{
    while (go_on(reader)) {
        struct quire_page *page;
        while (!(page = quire_load_acquire(&lent)))
            sched_yield();
        quire_store_relaxed(&lent, NULL);
        check_block(page, 0);
        quire_put_page(stress.mem, page);
    }
}

/* The next page is the one just freed: nothing but the count says that it has been read. */
static void lend_and_free(struct worker *lender)
{
    while (go_on(lender)) {
        struct quire_page *page = quire_alloc_page(stress.mem, QUIRE_GFP_KERNEL);
        REQUIRE(page);
        take_block(lender, page, 0);
        quire_get_page(page);
        quire_store_release(&lent, page);
        while (quire_page_count(page) > 1)
            sched_yield();
        CHECK_EQ(give_up_block(page), 0);
        quire_free_page(stress.mem, page);
    }
}

static void a_page_is_freed_after_its_last_reader(void)
{
    REQUIRE(machine_start(MAX_THREADS + 1, 0));
    unsigned long rounds = stress_effort() / 100 + 1;
    run_crews((struct crew[]){{lend_and_free, 1, rounds}, {read_and_drop, 1, rounds}, {0}});
    stress_end();
}

static const struct test_case cases[] = {
    TEST_CASE(two_to_eight_threads_free_what_others_allocated),
    TEST_CASE(threads_without_a_cpu_number_share_with_those_that_have_one),
    TEST_CASE(threads_agree_with_poison_and_owners),
    TEST_CASE(threads_that_come_and_go_lose_nothing),
    TEST_CASE(a_reference_is_raised_or_refused_but_never_lost),
    TEST_CASE(a_reference_is_never_lost_while_lists_are_closed),
    TEST_CASE(a_page_is_freed_after_its_last_reader),
    {0},
};
const struct test_suite suite_phys_stress = {"phys_stress", cases};
