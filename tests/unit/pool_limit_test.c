/* tests/unit/pool_limit_test.c: limits, who is asked when memory ends, and what is counted */
#include "tests/unit/pool_machine.h"

#define BLOCK 1024u

static struct quire_pool *pool, *child;

static bool boot(void)
{
    if (!pool_boot((struct quire_pool_config){.block_size = BLOCK}))
        return false;
    pool = pool_create();
    return pool;
}

static unsigned long take_all(struct quire_pool *of, size_t size)
{
    unsigned long count = 0;
    while (count < 100000 && quire_pool_alloc(of, size))
        count++;
    return count;
}

static void a_limit_counts_blocks_and_large_objects(void)
{
    if (!boot())
        return;
    quire_pool_set_limit(pool, 4 * BLOCK);
    CHECK_EQ(pool_info(pool).limit, 4 * BLOCK);
    CHECK(take_all(pool, 64) > 3 * BLOCK / 80);
    CHECK_EQ(pool_info(pool).held, 4 * BLOCK);
    unsigned long allocs = pool_source.nr_allocs;
    CHECK(!quire_pool_alloc(pool, 100000));
    CHECK(!quire_pool_alloc(pool, 64));
    CHECK(!quire_pool_create_child(pool));
    CHECK_EQ(pool_source.nr_allocs, allocs); /* the source isn't even asked */
    quire_pool_reset(pool);
    CHECK(!quire_pool_alloc(pool, 3 * BLOCK));
    void *large = quire_pool_alloc(pool, 2 * BLOCK);
    CHECK(large);
    CHECK(quire_pool_free(pool, large, 2 * BLOCK));
    quire_pool_set_limit(pool, SIZE_MAX);
    CHECK(quire_pool_alloc(pool, 100000));
    quire_pool_check(pool);
    quire_pool_destroy(pool);
    pool_end();
}

static void what_is_held_stays_when_a_limit_falls_below(void)
{
    if (!boot())
        return;
    pool_take(pool, 10 * BLOCK);
    quire_pool_set_limit(pool, 1);
    CHECK(quire_pool_alloc(pool, 100)); /* there is room in the block */
    CHECK(take_all(pool, 100) < 10);
    CHECK(!quire_pool_alloc(pool, 3000));
    quire_pool_destroy(pool);
    pool_end();
}

static void what_pools_below_hold_counts_against_all_above(void)
{
    if (!boot())
        return;
    quire_pool_set_limit(pool, 10 * BLOCK);
    child = quire_pool_create_child(pool);
    struct quire_pool *grandchild = quire_pool_create_child(child);
    REQUIRE(child && grandchild);
    quire_pool_set_limit(child, 6 * BLOCK);
    CHECK(take_all(grandchild, 100));
    CHECK_EQ(pool_info(child).held, 6 * BLOCK);
    CHECK_EQ(pool_info(pool).held, 7 * BLOCK);
    CHECK_EQ(pool_info(pool).own, BLOCK);
    CHECK(!quire_pool_create_child(grandchild));
    CHECK(take_all(pool, 100));
    CHECK_EQ(pool_info(pool).held, 10 * BLOCK);
    quire_pool_destroy(child);
    CHECK_EQ(pool_info(pool).held, 4 * BLOCK);
    CHECK_EQ(pool_info(pool).peak, 10 * BLOCK);
    quire_pool_check(pool);
    quire_pool_destroy(pool);
    pool_end();
}

/* ---- the out-of-memory handler --------------------------------------------------------------- */

static unsigned asked;
static size_t asked_size;

static bool refuse(void *arg, struct quire_pool *of, size_t size)
{
    CHECK(arg == &asked);
    CHECK(of);
    asked++;
    asked_size = size;
    return false;
}

static bool raise_limit(void *arg, struct quire_pool *of, size_t size)
{
    (void)arg;
    (void)size;
    asked++;
    quire_pool_set_limit(of, pool_info(of).limit + BLOCK);
    return true;
}

static bool drop_child(void *arg, struct quire_pool *of, size_t size)
{
    (void)arg;
    (void)of;
    (void)size;
    asked++;
    bool made = child;
    quire_pool_destroy(child);
    child = NULL;
    return made;
}

static void the_handler_is_asked_for_each_failure(void)
{
    if (!boot())
        return;
    asked = 0;
    quire_pool_set_oom(pool, refuse, &asked);
    quire_pool_set_limit(pool, BLOCK);
    CHECK(!quire_pool_alloc(pool, 5000));
    CHECK(asked == 1 && asked_size == 5000);
    CHECK(!quire_pool_create_child(pool));
    CHECK_EQ(asked, 2);
    take_all(pool, 16);
    CHECK_EQ(asked, 3);
    CHECK(!quire_pool_cleanup(pool, (void (*)(void *))quire_pool_destroy, NULL));
    CHECK_EQ(asked, 4);
    CHECK(!quire_pool_strdup(pool, "more than there is room for"));
    CHECK_EQ(asked, 5);
    quire_pool_destroy(pool);
    pool_end();
}

static void the_handler_may_make_room(void)
{
    if (!boot())
        return;
    asked = 0;
    quire_pool_set_oom(pool, raise_limit, NULL);
    quire_pool_set_limit(pool, BLOCK);
    void *large = pool_take(pool, 5 * BLOCK);
    CHECK(is_filled(large, 5 * BLOCK));
    CHECK_EQ(asked, 6); /* with what describes it */
    asked = 0;
    quire_pool_set_limit(pool, 8 * BLOCK);
    child = quire_pool_create_child(pool);
    REQUIRE(child);
    quire_pool_set_oom(pool, drop_child, NULL);
    pool_take(pool, BLOCK + 100);
    CHECK(!asked == !!child);
    while (pool_info(pool).held + BLOCK <= 8 * BLOCK)
        pool_take(pool, 200);
    CHECK(!quire_pool_alloc(pool, 2 * BLOCK));
    CHECK(!child);
    quire_pool_destroy(pool);
    pool_end();
}

static bool destroy_it(void *arg, struct quire_pool *of, size_t size)
{
    (void)arg;
    (void)size;
    quire_pool_destroy(of);
    return true;
}

static void children_inherit_the_handler_and_it_cannot_end_their_pool(void)
{
    if (POOLS_ARE_POISONED) {
        test_skip("AddressSanitizer sees that first");
        return;
    }
    if (!boot())
        return;
    quire_pool_set_oom(pool, destroy_it, NULL);
    child = quire_pool_create_child(pool);
    REQUIRE(child);
    quire_pool_set_limit(pool, 3 * BLOCK);
    CHECK(!quire_pool_alloc(child, 4000));
    CHECK(pool_caught("destroyed or detached by its own out-of-memory handler"));
    CHECK_EQ(pool_info(pool).nr_children, 0);
    quire_pool_check(pool);
    quire_pool_destroy(pool);
    pool_end();
}

static bool reset_it(void *arg, struct quire_pool *of, size_t size)
{
    (void)arg;
    (void)size;
    quire_pool_reset(of);
    return ++asked == 1;
}

static void the_handler_may_reset_the_pool_itself(void)
{
    if (!boot())
        return;
    asked = 0;
    quire_pool_set_oom(pool, reset_it, NULL);
    quire_pool_set_limit(pool, 4 * BLOCK);
    while (!asked)
        pool_take(pool, 100);
    CHECK_EQ(pool_info(pool).used, (POOLS_ARE_POISONED ? 16 : 0) + 112);
    CHECK(!quire_pool_alloc(pool, 10000)); /* there is nothing more to give up */
    CHECK_EQ(asked, 2);
    quire_pool_destroy(pool);
    pool_end();
}

/* ---- a source that ends, or is wrong --------------------------------------------------------- */

static void a_source_without_memory_fails_cleanly(void)
{
    if (!boot())
        return;
    asked = 0;
    quire_pool_set_oom(pool, refuse, &asked);
    struct quire_pool_info before = pool_info(pool);
    pool_source.first_failure = 1;
    pool_source.last_failure = ~0ul;
    CHECK(!quire_pool_alloc(pool, 5000));
    CHECK(!quire_pool_create_child(pool));
    CHECK(!quire_pool_create(&pool_cache));
    CHECK_EQ(asked, 2);
    CHECK_EQ(pool_info(pool).held, before.held);
    CHECK_EQ(pool_cache_info().nr_pools, 1);
    quire_pool_check(pool);
    quire_pool_destroy(pool);
    pool_end();
}

static void *bad_alloc(void *arg, size_t *size)
{
    static _Alignas(16) char memory[8192];
    if (!arg)
        return memory + 8;
    --*size;
    return memory;
}

static void bad_free(void *arg, void *block, size_t size)
{
    (void)arg;
    (void)block;
    (void)size;
}

static void a_source_that_gives_bad_blocks_is_reported(void)
{
    for (uintptr_t i = 0; i < 2; i++) {
        if (!pool_boot((struct quire_pool_config){.source = {bad_alloc, bad_free, (void *)i}}))
            return;
        CHECK(!quire_pool_create(&pool_cache));
        CHECK(pool_caught("too small or not aligned"));
        pool_end();
    }
}

static void figures_add_up(void)
{
    if (!boot())
        return;
    CHECK_EQ(pool_info(pool).used, 0);
    pool_take(pool, 1);
    pool_take(pool, 16);
    CHECK_EQ(pool_info(pool).used, (POOLS_ARE_POISONED ? 2 : 1) * 32);
    for (unsigned i = 0; i < 500; i++) {
        pool_take(pool, i);
        struct quire_pool_info info = pool_info(pool);
        CHECK(info.used + info.room + info.lost <= info.own);
        CHECK(info.used + info.room + info.lost + info.nr_blocks * 32 + info.nr_large * 128 + 512 >=
              info.own);
        CHECK_EQ(info.held, pool_source.bytes);
    }
    CHECK_EQ(pool_cache_info().held, pool_source.bytes);
    quire_pool_destroy(pool);
    pool_end();
}

static const struct test_case cases[] = {
    TEST_CASE(a_limit_counts_blocks_and_large_objects),
    TEST_CASE(what_is_held_stays_when_a_limit_falls_below),
    TEST_CASE(what_pools_below_hold_counts_against_all_above),
    TEST_CASE(the_handler_is_asked_for_each_failure),
    TEST_CASE(the_handler_may_make_room),
    TEST_CASE(children_inherit_the_handler_and_it_cannot_end_their_pool),
    TEST_CASE(the_handler_may_reset_the_pool_itself),
    TEST_CASE(a_source_without_memory_fails_cleanly),
    TEST_CASE(a_source_that_gives_bad_blocks_is_reported),
    TEST_CASE(figures_add_up),
    {0},
};
const struct test_suite suite_pool_limit = {"pool_limit", cases};
