/* tests/unit/pool_cleanup_test.c: handlers, pools within pools, and who ends when */
#include "tests/unit/pool_machine.h"

/* What handlers note down, a letter each. */
static char said[1200];
static unsigned nr_said;

static void say(void *arg)
{
    if (nr_said + 1 < sizeof said)
        said[nr_said++] = *(const char *)arg;
    said[nr_said] = '\0';
}

static bool heard(const char *what)
{
    unsigned i = 0;
    while (what[i] && said[i] == what[i])
        i++;
    bool same = what[i] == said[i];
    if (!same)
        test_note("the handlers said: %s", said);
    nr_said = 0;
    said[0] = '\0';
    return same;
}

static struct quire_pool *pool, *child;
static struct quire_pool_cleanup *handle;

static struct quire_pool_cleanup *saying(struct quire_pool *of, const char *letter)
{
    struct quire_pool_cleanup *cleanup = quire_pool_cleanup(of, say, (void *)(uintptr_t)letter);
    CHECK(cleanup);
    return cleanup;
}

static bool boot(void)
{
    nr_said = 0;
    if (!pool_boot((struct quire_pool_config){.block_size = 1024}))
        return false;
    pool = pool_create();
    return pool;
}

static struct quire_pool *create_child(struct quire_pool *parent)
{
    struct quire_pool *made = quire_pool_create_child(parent);
    CHECK(made);
    return made;
}

static void handlers_run_in_reverse_order(void)
{
    if (!boot())
        return;
    saying(pool, "a");
    saying(pool, "b");
    saying(pool, "c");
    CHECK_EQ(pool_info(pool).nr_cleanups, 3);
    quire_pool_reset(pool);
    CHECK(heard("cba"));
    CHECK_EQ(pool_info(pool).nr_cleanups, 0);
    saying(pool, "d");
    quire_pool_destroy(pool);
    CHECK(heard("d"));
    pool_end();
}

static void a_cancelled_handler_never_runs(void)
{
    if (!boot())
        return;
    struct quire_pool_cleanup *a = saying(pool, "a"), *b = saying(pool, "b"),
                              *c = saying(pool, "c");
    CHECK(quire_pool_cleanup_cancel(pool, b));
    CHECK(!quire_pool_cleanup_cancel(pool, b));
    CHECK(quire_pool_cleanup_cancel(pool, c));
    CHECK(quire_pool_cleanup_cancel(pool, a));
    saying(pool, "d");
    quire_pool_destroy(pool);
    CHECK(heard("d"));
    pool_end();
}

static void a_handler_can_be_run_early_and_only_once(void)
{
    if (!boot())
        return;
    saying(pool, "a");
    struct quire_pool_cleanup *b = saying(pool, "b");
    saying(pool, "c");
    CHECK(quire_pool_cleanup_run(pool, b));
    CHECK(heard("b"));
    CHECK(!quire_pool_cleanup_run(pool, b));
    quire_pool_destroy(pool);
    CHECK(heard("ca"));
    pool_end();
}

static void registering_and_cancelling_for_ever_takes_no_memory(void)
{
    if (!boot())
        return;
    CHECK(quire_pool_cleanup_cancel(pool, saying(pool, "x")));
    size_t used = pool_info(pool).used;
    for (unsigned i = 0; i < 1000; i++)
        CHECK(quire_pool_cleanup_cancel(pool, saying(pool, "x")));
    CHECK_EQ(pool_info(pool).used, used);
    quire_pool_destroy(pool);
    CHECK(heard(""));
    pool_end();
}

static void register_more(void *arg)
{
    say(arg);
    if (nr_said < 5)
        CHECK(quire_pool_cleanup(pool, register_more, arg));
    pool_take(pool, 3000);
}

static void handlers_that_handlers_register_run_next(void)
{
    if (!boot())
        return;
    saying(pool, "z");
    CHECK(quire_pool_cleanup(pool, register_more, (void *)(uintptr_t) "m"));
    quire_pool_destroy(pool);
    CHECK(heard("mmmmmz"));
    pool_end();
}

static void cancel_itself(void *arg)
{
    say(arg);
    CHECK(!quire_pool_cleanup_cancel(pool, handle));
    CHECK(!quire_pool_cleanup_run(pool, handle));
}

static void a_handler_that_is_running_cannot_be_taken_out(void)
{
    if (!boot())
        return;
    handle = quire_pool_cleanup(pool, cancel_itself, (void *)(uintptr_t) "s");
    quire_pool_destroy(pool);
    CHECK(heard("s"));
    pool_end();
}

/* ---- pools within pools ---------------------------------------------------------------------- */

static void children_end_before_the_handlers_of_their_parent(void)
{
    if (!boot())
        return;
    saying(pool, "p");
    struct quire_pool *first = create_child(pool), *second = create_child(pool);
    saying(first, "1");
    saying(second, "2");
    struct quire_pool *grandchild = create_child(first);
    saying(grandchild, "g");
    saying(pool, "q");
    CHECK_EQ(pool_info(pool).nr_children, 2);
    CHECK_EQ(pool_cache_info().nr_pools, 4);
    quire_pool_check(pool);
    quire_pool_destroy(pool);
    CHECK(heard("2g1qp"));
    CHECK_EQ(pool_cache_info().nr_pools, 0);
    pool_end();
}

static void children_can_end_first_in_any_order(void)
{
    if (!boot())
        return;
    struct quire_pool *kids[5];
    for (unsigned i = 0; i < 5; i++)
        kids[i] = create_child(pool);
    for (unsigned i = 0; i < 5; i++) {
        quire_pool_destroy(kids[i * 3 % 5]);
        quire_pool_check(pool);
        CHECK_EQ(pool_info(pool).nr_children, 4 - i);
    }
    CHECK_EQ(pool_info(pool).held, pool_info(pool).own);
    quire_pool_destroy(pool);
    pool_end();
}

static void a_reset_ends_children_and_leaves_the_pool(void)
{
    if (!boot())
        return;
    child = create_child(pool);
    saying(child, "c");
    saying(pool, "p");
    pool_take(child, 5000);
    quire_pool_reset(pool);
    CHECK(heard("cp"));
    CHECK_EQ(pool_info(pool).nr_children, 0);
    CHECK_EQ(pool_info(pool).held, 1024);
    quire_pool_destroy(pool);
    pool_end();
}

/* 200 levels: nothing recurses. */
static void a_tall_family_ends_from_its_leaf(void)
{
    static const char letters[] = "abcdefghij";
    if (!boot())
        return;
    struct quire_pool *deepest = pool;
    for (unsigned i = 0; i < 200; i++) {
        saying(deepest, &letters[i % 10]);
        deepest = create_child(deepest);
    }
    quire_pool_check(pool);
    quire_pool_destroy(pool);
    CHECK_EQ(nr_said, 200);
    CHECK(said[0] == 'j' && said[1] == 'i' && said[199] == 'a');
    pool_end();
}

static void make_child(void *arg)
{
    say(arg);
    saying(create_child(pool), "k");
}

static void children_that_handlers_make_end_before_the_next_handler(void)
{
    if (!boot())
        return;
    saying(pool, "a");
    CHECK(quire_pool_cleanup(pool, make_child, (void *)(uintptr_t) "m"));
    saying(pool, "b");
    quire_pool_destroy(pool);
    CHECK(heard("bmka"));
    pool_end();
}

static void destroy_child(void *arg)
{
    say(arg);
    quire_pool_destroy(child);
}

static void a_handler_may_destroy_other_pools(void)
{
    if (!boot())
        return;
    child = create_child(pool);
    saying(child, "c");
    struct quire_pool *younger = create_child(pool);
    CHECK(quire_pool_cleanup(younger, destroy_child, (void *)(uintptr_t) "y"));
    saying(pool, "p");
    quire_pool_destroy(pool);
    CHECK(heard("ycp"));
    pool_end();
}

/* ---- what handlers mustn't do ---------------------------------------------------------------- */

static void destroy_parent(void *arg)
{
    say(arg);
    quire_pool_destroy(pool);
    CHECK(pool_caught("destroyed by a handler of its own or of a pool below"));
}

static void reset_parent(void *arg)
{
    say(arg);
    quire_pool_reset(pool);
    CHECK(pool_caught("reset by a handler of its own or of a pool below"));
}

static void detach_parent(void *arg)
{
    say(arg);
    quire_pool_detach(pool);
    CHECK(pool_caught("detached by a handler of its own or of a pool below"));
}

static void a_handler_that_ends_its_own_pool_is_reported(void)
{
    static void (*const bad[])(void *) = {destroy_parent, reset_parent, detach_parent};
    for (unsigned i = 0; i < 3; i++) {
        if (!boot())
            return;
        CHECK(quire_pool_cleanup(pool, bad[i], (void *)(uintptr_t) "x"));
        quire_pool_reset(pool);
        CHECK(heard("x"));
        CHECK(
            quire_pool_cleanup(create_child(create_child(pool)), bad[i], (void *)(uintptr_t) "y"));
        saying(pool, "p");
        quire_pool_destroy(pool);
        CHECK(heard("yp"));
        pool_end();
    }
}

static void the_same_with_one_that_is_run_early(void)
{
    if (!boot())
        return;
    handle = quire_pool_cleanup(pool, destroy_parent, (void *)(uintptr_t) "x");
    CHECK(quire_pool_cleanup_run(pool, handle));
    quire_pool_destroy(pool);
    CHECK(heard("x"));
    pool_end();
}

static const struct test_case cases[] = {
    TEST_CASE(handlers_run_in_reverse_order),
    TEST_CASE(a_cancelled_handler_never_runs),
    TEST_CASE(a_handler_can_be_run_early_and_only_once),
    TEST_CASE(registering_and_cancelling_for_ever_takes_no_memory),
    TEST_CASE(handlers_that_handlers_register_run_next),
    TEST_CASE(a_handler_that_is_running_cannot_be_taken_out),
    TEST_CASE(children_end_before_the_handlers_of_their_parent),
    TEST_CASE(children_can_end_first_in_any_order),
    TEST_CASE(a_reset_ends_children_and_leaves_the_pool),
    TEST_CASE(a_tall_family_ends_from_its_leaf),
    TEST_CASE(children_that_handlers_make_end_before_the_next_handler),
    TEST_CASE(a_handler_may_destroy_other_pools),
    TEST_CASE(a_handler_that_ends_its_own_pool_is_reported),
    TEST_CASE(the_same_with_one_that_is_run_early),
    {0},
};
const struct test_suite suite_pool_cleanup = {"pool_cleanup", cases};
