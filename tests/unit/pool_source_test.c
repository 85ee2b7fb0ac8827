/* tests/unit/pool_source_test.c: pools over malloc, page runs, a buffer and another pool */
#include "tests/unit/pool_machine.h"

static void *kmalloc_as_malloc(size_t size)
{
    return quire_kmalloc(slab, size < 16 ? 16 : size, QUIRE_GFP_KERNEL | QUIRE_GFP_NOWARN);
}

static void kfree_as_free(void *memory)
{
    quire_kfree(slab, memory);
}

static const struct quire_pool_malloc functions = {kmalloc_as_malloc, kfree_as_free};
static struct quire_pool_pages pages;
static _Alignas(16) char memory[64 << 10];
static struct quire_pool_buffer buffer;

/* Fills a pool with objects of all sizes, some freed early, checks them, and ends it. */
static void exercise(size_t most)
{
    static struct {
        void *memory;
        size_t size;
    } kept[200];
    struct quire_pool *pool = pool_create();
    for (unsigned round = 0; round < 3; round++) {
        for (unsigned i = 0; i < 200; i++) {
            kept[i].size = (size_t)i * i % most;
            kept[i].memory = pool_take(pool, kept[i].size);
            if (i % 9 == 0 && quire_pool_free(pool, kept[i].memory, kept[i].size))
                kept[i].memory = NULL;
        }
        for (unsigned i = 0; i < 200; i++)
            if (kept[i].memory)
                CHECK(is_filled(kept[i].memory, kept[i].size));
        quire_pool_check(pool);
        quire_pool_reset(pool);
    }
    quire_pool_destroy(pool);
}

static void pools_work_over_malloc(void)
{
    for (unsigned flags = 0; flags < 2; flags++) {
        if (!pool_boot((struct quire_pool_config){.source = quire_pool_from_malloc(&functions),
                                                  .flags = flags}))
            return;
        exercise(9000);
        pool_end();
    }
}

static void pools_work_over_page_runs(void)
{
    for (unsigned flags = 0; flags < 2; flags++) {
        if (!pool_boot((struct quire_pool_config){
                .source = quire_pool_from_pages(&pages), .block_size = 5000, .flags = flags}))
            return;
        pages = (struct quire_pool_pages){machine.mem, QUIRE_GFP_KERNEL | QUIRE_GFP_NOWARN};
        exercise(9000);
        struct quire_pool *pool = pool_create();
        CHECK_EQ(pool_info(pool).held % QUIRE_PAGE_SIZE, 0);
        CHECK(!quire_pool_alloc(pool, (QUIRE_PAGE_SIZE << QUIRE_MAX_ORDER) + 1));
        quire_pool_destroy(pool);
        CHECK_EQ(machine.bad_pages, 0);
        pool_end();
    }
}

/* Blocks are whole pages, and the rest of theirs is used. */
static void blocks_are_as_large_as_the_source_makes_them(void)
{
    if (!pool_boot((struct quire_pool_config){.source = quire_pool_from_pages(&pages),
                                              .block_size = QUIRE_PAGE_SIZE + 512}))
        return;
    pages = (struct quire_pool_pages){machine.mem, QUIRE_GFP_KERNEL};
    struct quire_pool *pool = pool_create();
    CHECK_EQ(pool_info(pool).held, 2 * QUIRE_PAGE_SIZE);
    CHECK(pool_info(pool).room > QUIRE_PAGE_SIZE + 512);
    quire_pool_set_limit(pool, 3 * QUIRE_PAGE_SIZE); /* what is asked for would do */
    while (quire_pool_alloc(pool, 100))
        ;
    CHECK_EQ(pool_info(pool).nr_blocks, 1);
    CHECK(!quire_pool_create_child(pool));
    quire_pool_check(pool);
    quire_pool_destroy(pool);
    pool_end();
}

static size_t largest_hole(void)
{
    size_t size = sizeof memory, low = 0;
    struct quire_pool_source source = quire_pool_from_buffer(&buffer);
    while (low + 16 <= size) {
        size_t middle = (low + (size - low) / 2 + 15) & ~(size_t)15, asked = middle;
        void *block = source.alloc(source.arg, &asked);
        if (block) {
            source.free(source.arg, block, asked);
            low = middle;
        } else
            size = middle - 16;
        if (low == size)
            break;
    }
    return low;
}

static void pools_work_in_a_buffer(void)
{
    for (unsigned flags = 0; flags < 2; flags++) {
        quire_pool_buffer_init(&buffer, memory, sizeof memory);
        if (!pool_boot((struct quire_pool_config){
                .source = quire_pool_from_buffer(&buffer), .block_size = 1024, .flags = flags}))
            return;
        exercise(150);
        pool_end();
        CHECK_EQ(largest_hole(), sizeof memory);
    }
}

static void a_full_buffer_has_no_more_and_is_whole_again_afterwards(void)
{
    quire_pool_buffer_init(&buffer, memory + 3, 5000);
    if (!pool_boot((struct quire_pool_config){.source = quire_pool_from_buffer(&buffer),
                                              .block_size = 1000}))
        return;
    struct quire_pool *pool = pool_create();
    unsigned count = 0;
    for (char *at; (at = quire_pool_alloc(pool, 32)); count++) {
        CHECK(at >= memory + 3 && at + 32 <= memory + 5003);
        fill(at, 32);
    }
    CHECK(count > 3000 / (POOLS_ARE_POISONED ? 48 : 32) && count < 5000 / 32);
    CHECK(!quire_pool_create(&pool_cache));
    quire_pool_destroy(pool);
    pool_end();
    CHECK_EQ(largest_hole(), 4976);
}

static void holes_of_a_buffer_merge_in_any_order(void)
{
    struct quire_pool_source source = quire_pool_from_buffer(&buffer);
    void *block[10];
    for (unsigned step = 1; step < 10; step += 2) {
        if (step == 5)
            continue; /* meets each one only with 1, 3, 7, 9 */
        quire_pool_buffer_init(&buffer, memory, 1600);
        for (unsigned i = 0; i < 10; i++) {
            size_t size = 159;
            block[i] = source.alloc(source.arg, &size);
            REQUIRE(block[i]);
            CHECK_EQ(size, 160);
        }
        size_t size = 1;
        CHECK(!source.alloc(source.arg, &size));
        for (unsigned i = 0; i < 10; i++)
            source.free(source.arg, block[i * step % 10], 160);
        size = 1600;
        CHECK(source.alloc(source.arg, &size) == memory);
    }
}

static void a_buffer_too_small_for_anything_is_empty(void)
{
    struct quire_pool_source source = quire_pool_from_buffer(&buffer);
    for (size_t size = 0; size < 32; size++) {
        size_t one = 1;
        quire_pool_buffer_init(&buffer, memory + 1, size);
        CHECK(!source.alloc(source.arg, &one) == (size < 31));
    }
    size_t huge = SIZE_MAX - 3;
    quire_pool_buffer_init(&buffer, memory, sizeof memory);
    CHECK(!source.alloc(source.arg, &huge));
}

static void pools_work_over_a_pool(void)
{
    struct quire_pool_cache cache;
    if (!pool_boot((struct quire_pool_config){.block_size = 4096}))
        return;
    struct quire_pool *below = pool_create();
    struct quire_pool_config config = pool_config;
    config.source = quire_pool_from_pool(below);
    config.block_size = 1024;
    REQUIRE(!quire_pool_cache_init(&cache, &config));
    struct quire_pool *pool = quire_pool_create(&cache);
    REQUIRE(pool);
    for (unsigned i = 0; i < 200; i++)
        pool_take(pool, i * 20);
    CHECK(pool_info(below).used >= pool_info(pool).held);
    quire_pool_check(pool);
    quire_pool_check(below);
    quire_pool_destroy(pool);
    CHECK_EQ(quire_pool_cache_destroy(&cache), 0);
    CHECK_EQ(pool_info(below).nr_large, 0);
    quire_pool_destroy(below);
    pool_end();
}

static const struct test_case cases[] = {
    TEST_CASE(pools_work_over_malloc),
    TEST_CASE(pools_work_over_page_runs),
    TEST_CASE(blocks_are_as_large_as_the_source_makes_them),
    TEST_CASE(pools_work_in_a_buffer),
    TEST_CASE(a_full_buffer_has_no_more_and_is_whole_again_afterwards),
    TEST_CASE(holes_of_a_buffer_merge_in_any_order),
    TEST_CASE(a_buffer_too_small_for_anything_is_empty),
    TEST_CASE(pools_work_over_a_pool),
    {0},
};
const struct test_suite suite_pool_source = {"pool_source", cases};
