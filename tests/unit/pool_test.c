/* tests/unit/pool_test.c: pools: what they hand out, keep and give back */
#include "tests/unit/pool_machine.h"

#define MANY 300u

static void *object[MANY];

/* Plain, and each allocation by itself. */
static const unsigned modes[] = {0, QUIRE_POOL_DEBUG};

static void objects_are_aligned_apart_and_keep_their_contents(void)
{
    for (unsigned mode = 0; mode < 2; mode++) {
        if (!pool_boot((struct quire_pool_config){.flags = modes[mode]}))
            return;
        struct quire_pool *pool = pool_create();
        for (unsigned i = 0; i < MANY; i++) {
            object[i] = pool_take(pool, 1 + i * 7);
            CHECK_EQ((uintptr_t)object[i] % QUIRE_POOL_ALIGN, 0);
        }
        for (unsigned i = 0; i < MANY; i++)
            CHECK(is_filled(object[i], 1 + i * 7));
        quire_pool_check(pool);
        quire_pool_destroy(pool);
        pool_end();
    }
}

static void size_0_gives_memory_that_differs_from_all_other(void)
{
    for (unsigned mode = 0; mode < 2; mode++) {
        if (!pool_boot((struct quire_pool_config){.flags = modes[mode], .block_size = 512}))
            return;
        struct quire_pool *pool = pool_create();
        for (unsigned i = 0; i < MANY; i++) {
            object[i] = quire_pool_alloc(pool, 0);
            CHECK(object[i]);
            for (unsigned n = 0; n < i; n++)
                CHECK(object[n] != object[i]);
        }
        CHECK(quire_pool_zalloc(pool, 0) && quire_pool_calloc(pool, 0, 8));
        CHECK(pool_info(pool).used >= MANY * (mode ? 0 : QUIRE_POOL_ALIGN));
        quire_pool_destroy(pool);
        pool_end();
    }
}

static bool never(void *arg, struct quire_pool *pool, size_t size)
{
    (void)pool;
    (void)size;
    ++*(unsigned *)arg;
    return false;
}

static void sizes_that_no_memory_could_have_are_refused(void)
{
    static const size_t size[] = {SIZE_MAX, SIZE_MAX - 14, SIZE_MAX - 15, SIZE_MAX - 16,
                                  SIZE_MAX / 2 + 1};
    unsigned asked = 0;
    if (!pool_boot((struct quire_pool_config){0}))
        return;
    struct quire_pool *pool = pool_create();
    unsigned long allocs = pool_source.nr_allocs;
    quire_pool_set_oom(pool, never, &asked);
    for (unsigned i = 0; i < sizeof size / sizeof *size; i++) {
        CHECK(!quire_pool_alloc(pool, size[i]));
        CHECK(!quire_pool_zalloc(pool, size[i]));
        CHECK(!quire_pool_alloc_aligned(pool, 64, size[i]));
        CHECK(!quire_pool_memdup(pool, "", size[i]));
    }
    CHECK(!quire_pool_calloc(pool, SIZE_MAX / 2, 3));
    CHECK(!quire_pool_array(pool, SIZE_MAX / 16 + 1, 16));
    CHECK_EQ(pool_source.nr_allocs, allocs);
    CHECK_EQ(asked, 0);
    CHECK_EQ(pool_info(pool).used, 0);
    quire_pool_destroy(pool);
    pool_end();
}

static void memory_is_cleared_when_asked_for_that_way(void)
{
    for (unsigned mode = 0; mode < 2; mode++) {
        if (!pool_boot((struct quire_pool_config){.flags = modes[mode]}))
            return;
        for (unsigned round = 0; round < 3; round++) {
            struct quire_pool *pool = pool_create();
            for (unsigned i = 0; i < MANY; i++) {
                pool_take(pool, i);
                CHECK(is_zero(quire_pool_zalloc(pool, i), i));
                CHECK(is_zero(quire_pool_calloc(pool, i, 3), (size_t)i * 3));
            }
            quire_pool_destroy(pool);
        }
        pool_end();
    }
}

static void a_large_object_leaves_the_room_of_the_block(void)
{
    if (!pool_boot((struct quire_pool_config){.block_size = 1024}))
        return;
    struct quire_pool *pool = pool_create();
    pool_take(pool, 400);
    size_t room = pool_info(pool).room;
    void *large = pool_take(pool, 5000);
    CHECK_EQ(pool_info(pool).nr_large, 1);
    CHECK_EQ(pool_info(pool).large, 5000);
    CHECK_EQ(pool_info(pool).nr_blocks, 1);
    CHECK_EQ(pool_info(pool).room, room);
    CHECK_EQ(pool_info(pool).lost, 0);
    CHECK(is_filled(large, 5000));
    quire_pool_destroy(pool);
    pool_end();
}

static void a_small_object_without_room_gets_a_new_block(void)
{
    if (!pool_boot((struct quire_pool_config){.block_size = 1024}))
        return;
    struct quire_pool *pool = pool_create();
    while (pool_info(pool).room >= 200)
        pool_take(pool, 16);
    size_t room = pool_info(pool).room;
    pool_take(pool, 200); /* small, but no room */
    CHECK_EQ(pool_info(pool).nr_blocks, 2);
    CHECK_EQ(pool_info(pool).lost, room);
    room = pool_info(pool).room;
    while (pool_info(pool).room > 16)
        pool_take(pool, 1);
    CHECK_EQ(pool_info(pool).nr_blocks, 2);
    pool_take(pool, 160);
    CHECK_EQ(pool_info(pool).nr_blocks, 3);
    CHECK(pool_info(pool).room > room / 2);
    quire_pool_check(pool);
    quire_pool_destroy(pool);
    pool_end();
}

static void memory_is_aligned_as_asked(void)
{
    for (unsigned mode = 0; mode < 2; mode++) {
        if (!pool_boot((struct quire_pool_config){.flags = modes[mode]}))
            return;
        struct quire_pool *pool = pool_create();
        for (unsigned i = 0; i < MANY; i++) {
            size_t align = (size_t)1 << i % 13, size = i * 5;
            object[i] = quire_pool_alloc_aligned(pool, align, size);
            REQUIRE(object[i]);
            CHECK_EQ((uintptr_t)object[i] % align, 0);
            CHECK_EQ((uintptr_t)object[i] % QUIRE_POOL_ALIGN, 0);
            fill(object[i], size);
        }
        for (unsigned i = 0; i < MANY; i++)
            CHECK(is_filled(object[i], i * 5));
        CHECK(!quire_pool_alloc_aligned(pool, 0, 8));
        CHECK(!quire_pool_alloc_aligned(pool, 24, 8));
        CHECK(!quire_pool_alloc_aligned(pool, SIZE_MAX / 2 + 1, 8));
        quire_pool_check(pool);
        quire_pool_destroy(pool);
        pool_end();
    }
}

static void small_aligned_objects_share_blocks(void)
{
    if (!pool_boot((struct quire_pool_config){0}))
        return;
    struct quire_pool *pool = pool_create();
    for (unsigned i = 0; i < MANY; i++)
        CHECK(quire_pool_alloc_aligned(pool, 64, 64));
    CHECK_EQ(pool_info(pool).nr_large, 0);
    quire_pool_destroy(pool);
    pool_end();
}

/* ---- giving back early ----------------------------------------------------------------------- */

static void the_last_object_can_be_freed(void)
{
    if (!pool_boot((struct quire_pool_config){0}))
        return;
    struct quire_pool *pool = pool_create();
    void *first = pool_take(pool, 40), *second = pool_take(pool, 0), *third = pool_take(pool, 100);
    CHECK(!quire_pool_free(pool, first, 40));
    CHECK(quire_pool_free(pool, third, 100));
    CHECK(pool_take(pool, 33) == third);
    CHECK(quire_pool_free(pool, third, 33));
    CHECK(quire_pool_free(pool, second, 0));
    CHECK(quire_pool_free(pool, first, 40));
    CHECK(quire_pool_free(pool, NULL, 12));
    CHECK(!quire_pool_free(pool, pool->at, SIZE_MAX));
    CHECK(pool_caught("isn't the pool's"));
    CHECK_EQ(pool_info(pool).used, 0);
    quire_pool_destroy(pool);
    pool_end();
}

static void large_objects_can_be_freed_in_any_order(void)
{
    if (!pool_boot((struct quire_pool_config){.block_size = 512}))
        return;
    struct quire_pool *pool = pool_create();
    size_t held = pool_info(pool).held;
    for (unsigned i = 0; i < MANY; i++)
        object[i] = pool_take(pool, 1000 + i);
    for (unsigned i = 0; i < MANY; i++) {
        unsigned n = (i * 7 + 3) % MANY;
        CHECK(is_filled(object[n], 1000 + n));
        CHECK(quire_pool_free(pool, object[n], 1000 + n));
        quire_pool_check(pool);
    }
    CHECK_EQ(pool_info(pool).held, held);
    CHECK(pool_info(pool).peak > MANY * 1000);
    quire_pool_destroy(pool);
    pool_end();
}

static void foreign_pointers_and_double_frees_are_reported(void)
{
    for (unsigned mode = 0; mode < 2; mode++) {
        if (!pool_boot((struct quire_pool_config){.flags = modes[mode]}))
            return;
        struct quire_pool *pool = pool_create(), *other = pool_create();
        int local = 0;
        void *large = pool_take(pool, 9000), *theirs = pool_take(other, 50);
        CHECK(!quire_pool_free(pool, &local, sizeof local));
        CHECK(pool_caught("isn't the pool's"));
        CHECK(!quire_pool_free(pool, theirs, 50));
        CHECK(pool_caught("isn't the pool's"));
        CHECK(!quire_pool_free(pool, pool, 16));
        CHECK(pool_caught("isn't the pool's"));
        CHECK(!quire_pool_free(pool, large, 8999));
        CHECK(pool_caught("another size"));
        CHECK(quire_pool_free(pool, large, 9000));
        CHECK(!quire_pool_free(pool, large, 9000));
        CHECK(pool_caught("isn't the pool's"));
        quire_pool_destroy(other);
        quire_pool_destroy(pool);
        pool_end();
    }
}

/* ---- reset, destroy and what the cache keeps ------------------------------------------------- */

static void a_reset_pool_is_empty_and_asks_the_source_for_nothing(void)
{
    if (!pool_boot((struct quire_pool_config){.block_size = 1024}))
        return;
    struct quire_pool *pool = pool_create();
    struct quire_pool_info empty = pool_info(pool);
    unsigned long allocs = 0;
    for (unsigned round = 0; round < 5; round++) {
        for (unsigned i = 0; i < MANY; i++)
            pool_take(pool, i % 200);
        CHECK(pool_info(pool).nr_blocks > 10);
        if (round == 1)
            allocs = pool_source.nr_allocs;
        quire_pool_reset(pool);
        quire_pool_check(pool);
        struct quire_pool_info now = pool_info(pool);
        CHECK(now.used == 0 && now.held == empty.held && now.room == empty.room &&
              now.nr_blocks == 1 && now.lost == 0);
    }
    CHECK_EQ(pool_source.nr_allocs, allocs);
    quire_pool_destroy(pool);
    pool_end();
}

static void an_arena_recycles_its_block(void)
{
    if (!pool_boot((struct quire_pool_config){.block_size = 100000, .keep_bytes = 1}))
        return;
    struct quire_pool *pool = pool_create();
    for (unsigned round = 0; round < 10; round++) {
        for (unsigned i = 0; i < MANY; i++)
            pool_take(pool, i);
        quire_pool_reset(pool);
    }
    CHECK_EQ(pool_source.nr_allocs, 1);
    quire_pool_destroy(pool);
    CHECK_EQ(pool_source.nr_blocks, 0); /* nothing is kept */
    pool_end();
}

static void the_cache_keeps_blocks_up_to_its_bound(void)
{
    if (!pool_boot((struct quire_pool_config){.block_size = 1024, .keep_bytes = 8 * 1024}))
        return;
    struct quire_pool *pool = pool_create();
    while (pool_info(pool).nr_blocks < 20)
        pool_take(pool, 100);
    quire_pool_destroy(pool);
    CHECK_EQ(pool_cache_info().nr_kept, 8);
    CHECK_EQ(pool_cache_info().kept, 8 * 1024);
    CHECK_EQ(pool_source.nr_blocks, 8);
    CHECK_EQ(quire_pool_cache_trim(&pool_cache, 3000), 6 * 1024);
    CHECK_EQ(pool_source.nr_blocks, 2);
    CHECK_EQ(pool_cache_info().held, 2 * 1024);
    unsigned long allocs = pool_source.nr_allocs;
    quire_pool_destroy(pool_create());
    CHECK_EQ(pool_source.nr_allocs, allocs);
    pool_end();
}

static bool caught_as_ended(void)
{
    return pool_caught("used after it was destroyed");
}

static void a_pool_that_is_used_after_its_end_is_reported(void)
{
    if (POOLS_ARE_POISONED) {
        test_skip("AddressSanitizer sees that first");
        return;
    }
    if (!pool_boot((struct quire_pool_config){0}))
        return;
    struct quire_pool *pool = pool_create();
    void *memory = pool_take(pool, 100);
    struct quire_pool_cleanup *cleanup = quire_pool_cleanup(pool, NULL, NULL);
    CHECK(quire_pool_cleanup_cancel(pool, cleanup));
    quire_pool_destroy(NULL);
    quire_pool_destroy(pool);
    CHECK_EQ(pool_source.mistakes, 0);
    quire_pool_destroy(pool);
    CHECK(caught_as_ended());
    quire_pool_reset(pool);
    CHECK(caught_as_ended());
    quire_pool_detach(pool);
    CHECK(caught_as_ended());
    quire_pool_set_limit(pool, 1);
    CHECK(caught_as_ended());
    quire_pool_set_oom(pool, never, NULL);
    CHECK(caught_as_ended());
    quire_pool_check(pool);
    CHECK(caught_as_ended());
    CHECK(!quire_pool_create_child(pool) && caught_as_ended());
    CHECK(!quire_pool_alloc(pool, 10) && caught_as_ended());
    CHECK(!quire_pool_alloc_aligned(pool, 64, 10) && caught_as_ended());
    CHECK(!quire_pool_strdup(pool, "text") && caught_as_ended());
    CHECK(!quire_pool_printf(pool, "%d", 1) && caught_as_ended());
    CHECK(!quire_pool_free(pool, memory, 100) && caught_as_ended());
    CHECK(!quire_pool_cleanup(pool, NULL, NULL) && caught_as_ended());
    CHECK(!quire_pool_cleanup_run(pool, cleanup) && caught_as_ended());
    CHECK_EQ(pool_cache_info().nr_pools, 0);
    CHECK_EQ(pool_cache_info().nr_kept, 1);
    pool_end();
}

static void a_cache_with_pools_is_not_destroyed(void)
{
    if (!pool_boot((struct quire_pool_config){0}))
        return;
    struct quire_pool *pool = pool_create();
    CHECK_EQ(quire_pool_cache_destroy(&pool_cache), -QUIRE_EBUSY);
    CHECK(pool_caught("that has pools"));
    pool_take(pool, 1000);
    quire_pool_destroy(pool);
    pool_end();
}

static void configurations_that_make_no_sense_are_refused(void)
{
    if (!pool_boot((struct quire_pool_config){0}))
        return;
    struct quire_pool_cache cache;
    struct quire_pool_config config = pool_config;
    config.block_size = 511;
    CHECK_EQ(quire_pool_cache_init(&cache, &config), -QUIRE_EINVAL);
    config.block_size = SIZE_MAX / 4 + 1;
    CHECK_EQ(quire_pool_cache_init(&cache, &config), -QUIRE_EINVAL);
    config = pool_config;
    config.flags = 2;
    CHECK_EQ(quire_pool_cache_init(&cache, &config), -QUIRE_EINVAL);
    config = pool_config;
    config.source.free = NULL;
    CHECK_EQ(quire_pool_cache_init(&cache, &config), -QUIRE_EINVAL);
    pool_end();
}

static void any_block_size_works(void)
{
    for (size_t size = 512; size < 560; size += 3) {
        if (!pool_boot((struct quire_pool_config){.block_size = size}))
            return;
        struct quire_pool *pool = pool_create();
        for (unsigned i = 0; i < MANY; i++)
            object[i] = pool_take(pool, i % 160);
        for (unsigned i = 0; i < MANY; i++)
            CHECK(is_filled(object[i], i % 160));
        quire_pool_check(pool);
        quire_pool_destroy(pool);
        pool_end();
    }
}

static const struct test_case cases[] = {
    TEST_CASE(objects_are_aligned_apart_and_keep_their_contents),
    TEST_CASE(size_0_gives_memory_that_differs_from_all_other),
    TEST_CASE(sizes_that_no_memory_could_have_are_refused),
    TEST_CASE(memory_is_cleared_when_asked_for_that_way),
    TEST_CASE(a_large_object_leaves_the_room_of_the_block),
    TEST_CASE(a_small_object_without_room_gets_a_new_block),
    TEST_CASE(memory_is_aligned_as_asked),
    TEST_CASE(small_aligned_objects_share_blocks),
    TEST_CASE(the_last_object_can_be_freed),
    TEST_CASE(large_objects_can_be_freed_in_any_order),
    TEST_CASE(foreign_pointers_and_double_frees_are_reported),
    TEST_CASE(a_reset_pool_is_empty_and_asks_the_source_for_nothing),
    TEST_CASE(an_arena_recycles_its_block),
    TEST_CASE(the_cache_keeps_blocks_up_to_its_bound),
    TEST_CASE(a_pool_that_is_used_after_its_end_is_reported),
    TEST_CASE(a_cache_with_pools_is_not_destroyed),
    TEST_CASE(configurations_that_make_no_sense_are_refused),
    TEST_CASE(any_block_size_works),
    {0},
};
const struct test_suite suite_pool = {"pool", cases};
