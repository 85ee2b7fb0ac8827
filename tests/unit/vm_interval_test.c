/* tests/unit/vm_interval_test.c: trees of ranges, against a walk over all of them */
#include "vm/interval.h"

#include "base/list.h"
#include "tests/harness/harness.h"

#define MOST 200u
#define INDICES 400u

static struct interval ranges[MOST];
static unsigned stamp[MOST]; /* 0: not in the tree; else when it was put in */
static struct tree tree;

static struct interval *put_in(unsigned i, uint64_t first, uint64_t last, unsigned when)
{
    ranges[i].first = first;
    ranges[i].last = last;
    stamp[i] = when;
    interval_insert(&tree, &ranges[i]);
    return &ranges[i];
}

static void start(void)
{
    interval_tree_init(&tree);
    for (unsigned i = 0; i < MOST; i++)
        stamp[i] = 0;
}

/* The walk meets what overlaps, all of it, once, in order of beginning and then of insertion. */
static void check_walk(uint64_t first, uint64_t last)
{
    unsigned expected = 0, met = 0;
    const struct interval *before = NULL;
    for (unsigned i = 0; i < MOST; i++)
        expected += stamp[i] && ranges[i].first <= last && ranges[i].last >= first;
    struct interval *at = interval_first(&tree, first, last);
    for (; at; at = interval_next(at, first, last)) {
        CHECK(at->first <= last && at->last >= first);
        CHECK(!before || before->first < at->first ||
              (before->first == at->first && stamp[before - ranges] < stamp[at - ranges]));
        before = at;
        met++;
    }
    CHECK_EQ(met, expected);
}

static void an_empty_tree_holds_nothing(void)
{
    start();
    CHECK(!interval_first(&tree, 0, UINT64_MAX));
    interval_check(&tree);
}

static void ranges_are_found_by_their_ends(void)
{
    start();
    struct interval *range = put_in(0, 10, 20, 1);
    CHECK(!interval_first(&tree, 0, 9));
    CHECK(interval_first(&tree, 0, 10) == range);
    CHECK(interval_first(&tree, 20, 30) == range);
    CHECK(!interval_first(&tree, 21, 30));
    CHECK(!interval_next(range, 0, 100));
    struct interval *all = put_in(1, 0, UINT64_MAX, 2);
    CHECK(interval_first(&tree, UINT64_MAX, UINT64_MAX) == all);
    CHECK(interval_first(&tree, 15, 15) == all);
    CHECK(interval_next(all, 15, 15) == range);
    interval_remove(&tree, all);
    CHECK(interval_first(&tree, 15, 15) == range);
}

static void alike_ranges_are_met_in_the_order_in_which_they_came(void)
{
    start();
    for (unsigned i = 0; i < MOST; i++)
        put_in(i, 5, 5 + i % 3, i + 1);
    check_walk(5, 5);
    check_walk(7, 7);
    interval_check(&tree);
}

static void random_ranges_are_found_as_by_looking_at_all(void)
{
    start();
    for (unsigned step = 1; step <= 4000; step++) {
        unsigned i = test_random_below(MOST);
        if (stamp[i]) {
            interval_remove(&tree, &ranges[i]);
            stamp[i] = 0;
        } else {
            uint64_t first = test_random_below(INDICES);
            uint64_t length = test_random_below(8) ? test_random_below(8) : test_random_below(200);
            put_in(i, first, first + length, step);
        }
        uint64_t first = test_random_below(INDICES);
        check_walk(first, first + test_random_below(4) * test_random_below(20));
        if (step % 100 == 0)
            interval_check(&tree);
    }
}

static const struct test_case cases[] = {
    TEST_CASE(an_empty_tree_holds_nothing),
    TEST_CASE(ranges_are_found_by_their_ends),
    TEST_CASE(alike_ranges_are_met_in_the_order_in_which_they_came),
    TEST_CASE(random_ranges_are_found_as_by_looking_at_all),
    {0},
};
const struct test_suite suite_vm_interval = {"vm_interval", cases};
