/* tests/unit/harness_test.c: the harness reports what happened
 *
 * A case runs other suites with the output caught, and looks at what was printed.
 */
#include "tests/harness/harness.h"

static char caught[4096];
static size_t caught_length;

static void catch_output(const char *text, size_t length)
{
    for (size_t i = 0; i < length && caught_length + 1 < sizeof caught; i++)
        caught[caught_length++] = text[i];
    caught[caught_length] = '\0';
}

static struct test_counts run_caught(const struct test_suite *suite, const char *filter)
{
    const struct test_suite *const suites[] = {suite, NULL};
    struct test_environment saved = test_environment;
    caught_length = 0;
    test_environment.write = catch_output;
    test_environment.rerun = "again";
    test_environment.seed = 7;
    test_environment.effort = 9;
    struct test_counts counts = test_run(suites, filter);
    test_environment = saved;
    return counts;
}

static bool said(const char *what)
{
    for (const char *at = caught; *at; at++) {
        size_t i = 0;
        while (what[i] && at[i] == what[i])
            i++;
        if (!what[i])
            return true;
    }
    return false;
}

static void inner_pass(void)
{
    CHECK(true);
    CHECK_EQ(1, 1);
    REQUIRE(true);
}

static void inner_fail(void)
{
    CHECK(1 > 2);
    CHECK_EQ(2 + 2, 5);
    test_note("reached the end");
}

static void inner_require(void)
{
    REQUIRE(1 > 2);
    test_note("went on after REQUIRE");
}

static void inner_skip(void)
{
    test_skip("no such device");
}

static void inner_many(void)
{
    for (int i = 0; i < 100; i++)
        CHECK(i < 0);
}

static uint64_t first_random;

static void inner_random(void)
{
    first_random = test_random();
}

static const struct test_case inner_cases[] = {
    TEST_CASE(inner_pass),
    TEST_CASE(inner_fail),
    TEST_CASE(inner_require),
    TEST_CASE(inner_skip),
    TEST_CASE(inner_many),
    TEST_CASE(inner_random),
    {0},
};
static const struct test_suite inner = {"inner", inner_cases};

static void passing_and_failing_cases_are_counted(void)
{
    struct test_counts counts = run_caught(&inner, NULL);
    CHECK_EQ(counts.run, 6);
    CHECK_EQ(counts.failed, 3);
    CHECK_EQ(counts.skipped, 1);
    CHECK(said("TAP version 14\n1..6\n"));
    CHECK(said("\nok 1 - inner.inner_pass\n"));
    CHECK(said("\nnot ok 2 - inner.inner_fail\n"));
    CHECK(said("\nnot ok 3 - inner.inner_require\n"));
    CHECK(said("\nok 6 - inner.inner_random\n"));
}

static void a_failed_check_says_where_and_goes_on(void)
{
    CHECK_EQ(run_caught(&inner, "inner_fail").failed, 1);
    CHECK(said("tests/unit/harness_test.c:"));
    CHECK(said("failed: 1 > 2\n"));
    CHECK(said("failed: 2 + 2 == 5: got 4 (0x4), expected 5 (0x5)\n"));
    CHECK(said("# reached the end\n"));
}

static void a_failed_require_ends_the_case(void)
{
    CHECK_EQ(run_caught(&inner, "inner_require").failed, 1);
    CHECK(!said("went on after REQUIRE"));
}

static void a_failure_prints_the_command_that_runs_it_alone(void)
{
    run_caught(&inner, "inner_fail");
    CHECK(said("# run it alone: again --seed=7 --effort=9 inner.inner_fail\n"));
}

static void a_skipped_case_says_why(void)
{
    CHECK_EQ(run_caught(&inner, "inner_skip").failed, 0);
    CHECK(said("ok 1 - inner.inner_skip # SKIP no such device\n"));
}

static void a_filter_selects_by_suite_and_case(void)
{
    CHECK_EQ(run_caught(&inner, "er.inner_pass").failed, 0);
    CHECK(said("\n1..1\n"));
    CHECK_EQ(run_caught(&inner, "no such case").failed, 0);
    CHECK(said("\n1..0\n"));
}

static void a_flood_of_failures_is_cut(void)
{
    CHECK_EQ(run_caught(&inner, "inner_many").failed, 1);
    CHECK(said("# further failures of this case are not shown\n"));
    CHECK(caught_length < sizeof caught - 1);
}

static void random_numbers_follow_from_the_seed(void)
{
    run_caught(&inner, "inner_random");
    uint64_t first = first_random;
    first_random = 0;
    run_caught(&inner, "inner_random");
    CHECK_EQ(first_random, first);
    CHECK(first != test_random());
}

static void random_numbers_below_a_bound_are_nearly_even(void)
{
    unsigned count[10] = {0};
    for (unsigned i = 0; i < 10000; i++) {
        uint32_t number = test_random_below(10);
        REQUIRE(number < 10);
        count[number]++;
    }
    for (unsigned i = 0; i < 10; i++)
        CHECK(count[i] > 800 && count[i] < 1200);
    CHECK_EQ(test_random_below(1), 0);
}

static const struct test_case cases[] = {
    TEST_CASE(passing_and_failing_cases_are_counted),
    TEST_CASE(a_failed_check_says_where_and_goes_on),
    TEST_CASE(a_failed_require_ends_the_case),
    TEST_CASE(a_failure_prints_the_command_that_runs_it_alone),
    TEST_CASE(a_skipped_case_says_why),
    TEST_CASE(a_filter_selects_by_suite_and_case),
    TEST_CASE(a_flood_of_failures_is_cut),
    TEST_CASE(random_numbers_follow_from_the_seed),
    TEST_CASE(random_numbers_below_a_bound_are_nearly_even),
    {0},
};
const struct test_suite suite_harness = {"harness", cases};
