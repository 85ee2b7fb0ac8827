/* tests/faults/pool_faults.c: every block that pools ask for fails, and nothing is lost by it
 *
 * A scenario runs again and again: the first time the source's first block fails, then its second,
 * until it gets by without a failure; and all of that once more with everything failing from there
 * on. What fails leaves the pool's figures as they were; what was there keeps its contents; at the
 * end of each run the source has every block back.
 */
#include "tests/unit/pool_machine.h"

#define OBJECTS 30u

static struct {
    void *memory;
    size_t size;
} object[OBJECTS];
static unsigned nr_objects, nr_handled, nr_registered, nr_failed;

static void count(void *arg)
{
    (void)arg;
    nr_handled++;
}

/* A failure changed nothing. */
static void expect_unchanged(struct quire_pool *pool, const struct quire_pool_info *before)
{
    struct quire_pool_info after = pool_info(pool);
    nr_failed++;
    CHECK_EQ(after.held, before->held);
    CHECK_EQ(after.used, before->used);
    CHECK_EQ(after.room, before->room);
    CHECK_EQ(after.nr_blocks, before->nr_blocks);
    CHECK_EQ(after.nr_large, before->nr_large);
    CHECK_EQ(after.nr_children, before->nr_children);
    CHECK_EQ(after.nr_cleanups, before->nr_cleanups);
    quire_pool_check(pool);
}

static void keep(struct quire_pool *pool, const struct quire_pool_info *before, void *memory,
                 size_t size)
{
    if (!memory) {
        expect_unchanged(pool, before);
        return;
    }
    fill(memory, size);
    object[nr_objects].memory = memory;
    object[nr_objects++].size = size;
}

static void use(struct quire_pool *pool)
{
    for (unsigned i = 0; i < 10; i++) {
        struct quire_pool_info before = pool_info(pool);
        size_t size = 30 + i * 80;
        if (i % 3 == 0)
            keep(pool, &before, quire_pool_alloc_aligned(pool, 128, size), size);
        else if (i % 3 == 1)
            keep(pool, &before, quire_pool_alloc(pool, size), size);
        else
            keep(pool, &before, quire_pool_printf(pool, "%*d", (int)size - 1, 1), size);
        before = pool_info(pool);
        if (quire_pool_cleanup(pool, count, NULL))
            nr_registered++;
        else
            expect_unchanged(pool, &before);
    }
}

static void play(void)
{
    nr_objects = nr_handled = nr_registered = 0;
    struct quire_pool *pool = quire_pool_create(&pool_cache);
    if (!pool) {
        nr_failed++;
        return;
    }
    use(pool);
    struct quire_pool_info before = pool_info(pool);
    struct quire_pool *child = quire_pool_create_child(pool);
    if (child)
        use(child);
    else
        expect_unchanged(pool, &before);
    use(pool);
    for (unsigned i = 0; i < nr_objects; i++)
        CHECK(is_filled(object[i].memory, object[i].size));
    quire_pool_destroy(pool);
    CHECK_EQ(nr_handled, nr_registered);
}

/* Nothing is kept from one run to the next, so that the source is asked for everything again. */
static void play_with_failures(unsigned flags, bool all)
{
    unsigned long number = 1;
    if (!pool_boot((struct quire_pool_config){.block_size = 1024, .flags = flags}))
        return;
    for (bool failed = true; failed; number++) {
        nr_failed = 0;
        pool_source.nr_allocs = 0;
        pool_source.first_failure = number;
        pool_source.last_failure = all ? ~0ul : number;
        play();
        failed = pool_source.nr_allocs >= number;
        CHECK_EQ(nr_failed != 0, failed);
        (void)quire_pool_cache_trim(&pool_cache, 0);
        CHECK_EQ(pool_source.nr_blocks, 0);
        CHECK_EQ(pool_cache.held, 0);
    }
    CHECK(number > 20);
    pool_end();
}

static void each_block_fails_once(void)
{
    play_with_failures(0, false);
    play_with_failures(QUIRE_POOL_DEBUG, false);
}

static void all_blocks_fail_from_each_on(void)
{
    play_with_failures(0, true);
    play_with_failures(QUIRE_POOL_DEBUG, true);
}

static const struct test_case cases[] = {
    TEST_CASE(each_block_fails_once),
    TEST_CASE(all_blocks_fail_from_each_on),
    {0},
};
const struct test_suite suite_pool_faults = {"pool_faults", cases};
