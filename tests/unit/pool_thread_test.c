/* tests/unit/pool_thread_test.c: whose a pool is: checked when debugging, and handed over
 *
 * One thread plays several.
 */
#include "tests/unit/pool_machine.h"

static uintptr_t self;

static uintptr_t who(void)
{
    return self;
}

static bool boot(unsigned flags)
{
    self = 1;
    return pool_boot((struct quire_pool_config){.flags = flags, .self = who});
}

static void another_threads_call_is_reported(void)
{
    if (!boot(QUIRE_POOL_DEBUG))
        return;
    struct quire_pool *pool = pool_create();
    self = 2;
    void *memory = quire_pool_alloc(pool, 10);
    CHECK(memory); /* told, and done all the same */
    CHECK(pool_caught("doesn't belong to"));
    self = 1;
    CHECK(quire_pool_free(pool, memory, 10));
    quire_pool_destroy(pool);
    pool_end();
}

static void a_cache_that_is_handed_over_is_its_next_users(void)
{
    if (!boot(QUIRE_POOL_DEBUG))
        return;
    struct quire_pool *pool = pool_create();
    quire_pool_cache_hand_over(&pool_cache);
    self = 2;
    CHECK(quire_pool_alloc(pool, 10));
    self = 1;
    quire_pool_reset(pool);
    CHECK(pool_caught("doesn't belong to"));
    self = 2;
    quire_pool_destroy(pool);
    pool_end();
}

/* What a second thread would find, a source that calls back finds too. */
static struct quire_pool *inner;
static struct quire_pool_source behind;

static void *calling_alloc(void *arg, size_t *size)
{
    (void)arg;
    if (inner)
        quire_pool_set_limit(inner, SIZE_MAX);
    return behind.alloc(behind.arg, size);
}

static void two_threads_at_once_are_reported(void)
{
    inner = NULL;
    if (!boot(QUIRE_POOL_DEBUG))
        return;
    behind = pool_config.source;
    pool_config.source.alloc = calling_alloc;
    struct quire_pool *pool = pool_create();
    inner = pool;
    CHECK(quire_pool_alloc(pool, 10));
    inner = NULL;
    CHECK(contains(pool_source.text, "two threads at once"));
    pool_source.mistakes = 0;
    quire_pool_destroy(pool);
    pool_end();
}

static void use_the_pool(void *arg)
{
    CHECK(quire_pool_alloc(arg, 100));
    CHECK(quire_pool_create_child(arg));
}

static void handlers_are_no_second_thread(void)
{
    if (!boot(QUIRE_POOL_DEBUG))
        return;
    struct quire_pool *pool = pool_create();
    CHECK(quire_pool_cleanup(pool, use_the_pool, pool));
    quire_pool_destroy(pool);
    pool_end();
}

/* ---- from one cache to another --------------------------------------------------------------- */

static void a_pool_goes_to_another_threads_cache_with_all_below(void)
{
    for (unsigned flags = 0; flags < 2; flags++) {
        struct quire_pool_cache other;
        if (!boot(flags))
            return;
        REQUIRE(!quire_pool_cache_init(&other, &pool_config));
        struct quire_pool *pool = pool_create();
        struct quire_pool *child = quire_pool_create_child(pool);
        REQUIRE(child);
        void *small = pool_take(pool, 50), *large = pool_take(child, 20000);
        size_t held = pool_info(pool).held;
        quire_pool_detach(pool);
        CHECK_EQ(pool_cache_info().nr_pools, 0);
        CHECK_EQ(pool_cache_info().held, 0);
        self = 2;
        CHECK_EQ(quire_pool_attach(pool, &other), 0);
        CHECK_EQ(other.nr_pools, 2);
        CHECK_EQ(other.held, held);
        CHECK(is_filled(small, 50) && is_filled(large, 20000));
        CHECK(quire_pool_free(child, large, 20000));
        pool_take(child, 3000);
        quire_pool_check(pool);
        quire_pool_destroy(pool);
        CHECK_EQ(quire_pool_cache_destroy(&other), 0);
        self = 1;
        pool_end();
    }
}

static void what_is_detached_wrongly_stays(void)
{
    struct quire_pool_cache other;
    if (!boot(0))
        return;
    struct quire_pool_config another = pool_config;
    REQUIRE(!quire_pool_cache_init(&other, &another));
    struct quire_pool *pool = pool_create();
    struct quire_pool *child = quire_pool_create_child(pool);
    REQUIRE(child);
    quire_pool_detach(child);
    CHECK(pool_caught("it has a parent"));
    CHECK_EQ(quire_pool_attach(pool, &pool_cache), -QUIRE_EINVAL);
    CHECK(pool_caught("but not detached"));
    quire_pool_detach(pool);
    CHECK_EQ(quire_pool_attach(pool, &other), -QUIRE_EINVAL);
    quire_pool_destroy(pool);
    CHECK(pool_caught("attached to no cache"));
    CHECK(!quire_pool_alloc(child, 10));
    CHECK(pool_caught("attached to no cache"));
    CHECK_EQ(quire_pool_attach(child, &pool_cache), -QUIRE_EINVAL);
    CHECK(pool_caught("but not detached"));
    CHECK_EQ(quire_pool_attach(pool, &pool_cache), 0);
    quire_pool_destroy(pool);
    CHECK_EQ(quire_pool_cache_destroy(&other), 0);
    pool_end();
}

static const struct test_case cases[] = {
    TEST_CASE(another_threads_call_is_reported),
    TEST_CASE(a_cache_that_is_handed_over_is_its_next_users),
    TEST_CASE(two_threads_at_once_are_reported),
    TEST_CASE(handlers_are_no_second_thread),
    TEST_CASE(a_pool_goes_to_another_threads_cache_with_all_below),
    TEST_CASE(what_is_detached_wrongly_stays),
    {0},
};
const struct test_suite suite_pool_thread = {"pool_thread", cases};
