/* tests/unit/heap_test.c: blocks of any size */
#include "tests/unit/heap_machine.h"

#include <quire/pool.h>

enum { COUNT = 3000 };
static void *block[COUNT];

static void blocks_are_aligned_disjoint_and_keep_their_content(void)
{
    if (!heap_boot())
        return;
    for (unsigned i = 0; i < COUNT; i++) {
        size_t size = i < 2500 ? i : (size_t)(i - 2490) * 400;
        REQUIRE((block[i] = quire_heap_alloc(&heap_cache, size)));
        CHECK_EQ((uintptr_t)block[i] % 16, 0);
        CHECK(quire_heap_usable_size(heap_machine.heap, block[i]) >= size);
        pattern_write(block[i], quire_heap_usable_size(heap_machine.heap, block[i]), i);
    }
    quire_heap_check(heap_machine.heap);
    for (unsigned i = 0; i < COUNT; i++) {
        CHECK(pattern_is(block[i], quire_heap_usable_size(heap_machine.heap, block[i]), i));
        quire_heap_free(&heap_cache, block[i]);
    }
    heap_end();
}

static void a_block_is_at_most_a_ninth_larger_than_asked_for_or_ends_with_its_page(void)
{
    if (!heap_boot())
        return;
    for (size_t size = 144; size < 40 * QUIRE_PAGE_SIZE; size += size / 50 + 1) {
        void *ptr = quire_heap_alloc(&heap_cache, size);
        REQUIRE(ptr);
        size_t has = quire_heap_usable_size(heap_machine.heap, ptr);
        CHECK(has - size <= has / 9 || has - size < QUIRE_PAGE_SIZE);
        quire_heap_free(&heap_cache, ptr);
    }
    heap_end();
}

static void zeroed_blocks_are_zero_when_memory_was_used_before(void)
{
    static const size_t sizes[] = {1, 100, 5000, 20000, 300000, 3000000};
    if (!heap_boot())
        return;
    for (unsigned round = 0; round < 4; round++)
        for (unsigned i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
            unsigned char *ptr = quire_heap_zalloc(&heap_cache, sizes[i]);
            REQUIRE(ptr);
            size_t at = 0;
            while (at < sizes[i] && !ptr[at])
                at++;
            CHECK_EQ(at, sizes[i]);
            __builtin_memset(ptr, 0xff, sizes[i]);
            quire_heap_free(&heap_cache, ptr);
        }
    heap_end();
}

static void alignment_is_kept_for_any_size(void)
{
    static const size_t sizes[] = {0, 1, 24, 100, 1000, 5000, 9000, 100000, 1000000};
    if (!heap_boot())
        return;
    for (size_t align = 1; align <= 1ul << 21; align *= 2)
        for (unsigned i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
            void *ptr[3];
            for (unsigned n = 0; n < 3; n++) {
                REQUIRE((ptr[n] = quire_heap_alloc_aligned(&heap_cache, sizes[i], align)));
                CHECK_EQ((uintptr_t)ptr[n] & (align - 1), 0);
                pattern_write(ptr[n], sizes[i], n);
            }
            for (unsigned n = 0; n < 3; n++) {
                CHECK(pattern_is(ptr[n], sizes[i], n));
                quire_heap_free(&heap_cache, ptr[n]);
            }
        }
    heap_end();
}

static void realloc_keeps_content_and_stays_where_it_fits(void)
{
    if (!heap_boot())
        return;
    size_t size = 10;
    char *ptr = quire_heap_realloc(&heap_cache, NULL, size);
    REQUIRE(ptr);
    pattern_write(ptr, size, 1);
    for (size_t next = 17; next < 4000000; next += next / 2) {
        REQUIRE((ptr = quire_heap_realloc(&heap_cache, ptr, next)));
        CHECK(pattern_is(ptr, size < 250 ? size : 250, 1));
        size = next;
        pattern_write(ptr, size, 1);
    }
    for (size_t next = size; next > 10; next -= next / 3) {
        REQUIRE((ptr = quire_heap_realloc(&heap_cache, ptr, next)));
        CHECK(pattern_is(ptr, next < 250 ? next : 250, 1));
    }
    quire_heap_free(&heap_cache, ptr);
    REQUIRE((ptr = quire_heap_alloc(&heap_cache, 100)));
    CHECK(quire_heap_realloc(&heap_cache, ptr, 112) == ptr);
    CHECK(quire_heap_realloc(&heap_cache, ptr, 60) == ptr);
    quire_heap_free(&heap_cache, ptr);
    heap_end();
}

static void sizes_that_cannot_be_are_refused(void)
{
    if (!heap_boot())
        return;
    CHECK(!quire_heap_alloc(&heap_cache, SIZE_MAX));
    CHECK(!quire_heap_alloc(&heap_cache, PTRDIFF_MAX));
    CHECK(!quire_heap_zalloc(&heap_cache, SIZE_MAX / 2));
    CHECK(!quire_heap_alloc_aligned(&heap_cache, SIZE_MAX - 10, 4096));
    void *ptr = quire_heap_alloc(&heap_cache, 1000000);
    REQUIRE(ptr);
    CHECK(!quire_heap_realloc(&heap_cache, ptr, SIZE_MAX));
    CHECK(quire_heap_usable_size(heap_machine.heap, ptr) >= 1000000);
    quire_heap_free(&heap_cache, ptr);
    heap_end();
}

static void the_range_grows_and_ends(void)
{
    if (!heap_boot())
        return;
    unsigned long count = 0;
    void **chain = NULL, **next;
    size_t size = 30 * QUIRE_PAGE_SIZE;
    while ((next = quire_heap_alloc(&heap_cache, size))) {
        *next = chain;
        chain = next;
        count++;
    }
    struct quire_heap_info info = heap_info();
    CHECK(info.nr_grown > 0);
    CHECK(count * size > info.committed / 4);
    void *small = quire_heap_alloc(&heap_cache, 100);
    for (; chain; chain = next) {
        next = *chain;
        quire_heap_free(&heap_cache, chain);
    }
    quire_heap_free(&heap_cache, small);
    heap_end();
}

static void pools_work_over_a_heap(void)
{
    if (!heap_boot())
        return;
    struct quire_pool_config config = {.source = quire_pool_from_heap(&heap_cache),
                                       .block_size = 5000};
    struct quire_pool_cache cache;
    REQUIRE(!quire_pool_cache_init(&cache, &config));
    for (unsigned round = 0; round < 20; round++) {
        struct quire_pool *pool = quire_pool_create(&cache);
        REQUIRE(pool);
        for (unsigned i = 0; i < 300; i++) {
            REQUIRE((block[i] = quire_pool_alloc(pool, i * i)));
            pattern_write(block[i], i * i, i);
        }
        for (unsigned i = 0; i < 300; i++)
            CHECK(pattern_is(block[i], i * i, i));
        quire_pool_check(pool);
        struct quire_heap_info info = heap_info();
        CHECK(info.used + info.large >= cache.held);
        quire_pool_destroy(pool);
    }
    CHECK_EQ(quire_pool_cache_destroy(&cache), 0);
    CHECK_EQ(heap_info().nr_blocks, 0);
    heap_end();
}

static void counts_are_those_of_the_caller(void)
{
    if (!heap_boot())
        return;
    size_t own = 0;
    for (unsigned i = 0; i < 200; i++) {
        REQUIRE((block[i] = quire_heap_alloc(&heap_cache, i * 1024)));
        own += i * 1024;
    }
    for (unsigned i = 1; i < 200; i += 2) {
        quire_heap_free(&heap_cache, block[i]);
        own -= i * 1024;
    }
    struct quire_heap_info info = heap_info();
    if (QUIRE_PAGE_SHIFT == 12) {
        CHECK(info.used + info.large >= own);
        CHECK(info.used + info.large - own <= own / 50);
    }
    CHECK_EQ(info.nr_blocks + info.nr_large, 100);
    for (unsigned i = 0; i < 200; i += 2)
        quire_heap_free(&heap_cache, block[i]);
    heap_end();
}

static void large_blocks_are_counted_by_size(void)
{
    if (!heap_boot())
        return;
    enum { NUMBER = QUIRE_PAGE_SHIFT - 10, ROUNDS = 10 }; /* 128 pages and more */
    struct quire_heap_large_info large;
    CHECK_EQ(heap_info().mapped_ns, 0);
    const size_t size = 150 * QUIRE_PAGE_SIZE - 100;
    for (unsigned i = 0; i < ROUNDS; i++) {
        REQUIRE((block[0] = quire_heap_alloc(&heap_cache, size)));
        quire_heap_free(&heap_cache, block[0]);
    }
    CHECK_EQ(quire_heap_large_info(heap_machine.heap, NUMBER, &large), 0);
    CHECK_EQ(large.least, 128 * QUIRE_PAGE_SIZE);
    CHECK_EQ(large.nr_maps, heap_machine.maps);
    CHECK_EQ(large.nr_unmaps, heap_machine.unmaps);
    CHECK_EQ(large.nr_maps + large.nr_reused, ROUNDS);
    CHECK(large.nr_reused >= ROUNDS / 2);
    unsigned long pages = (size + QUIRE_PAGE_SIZE - 1) >> QUIRE_PAGE_SHIFT;
    CHECK_EQ(large.mapped_pages, large.nr_maps * pages);
    CHECK_EQ(large.unmapped_pages, large.nr_unmaps * pages);
    CHECK_EQ(heap_info().nr_reused, large.nr_reused);
    CHECK(heap_info().mapped_ns <= quire_port_clock_ns());
    CHECK_EQ(heap_info().mapped_pages, large.mapped_pages);
    CHECK_EQ(quire_heap_large_info(heap_machine.heap, QUIRE_HEAP_LARGE_SIZES, &large),
             -QUIRE_ENOENT);
    heap_end();
}

static void pages_that_begin_to_be_used_are_counted_and_those_that_had_been_given_back(void)
{
    enum { RUNS = 50, PAGES = 4 };
    if (!heap_boot())
        return;
    unsigned long before = heap_info().nr_fresh;
    for (unsigned round = 0; round < 3; round++) {
        for (unsigned i = 0; i < RUNS; i++)
            REQUIRE((block[i] = quire_heap_alloc(&heap_cache, PAGES * QUIRE_PAGE_SIZE)));
        struct quire_heap_info info = heap_info();
        unsigned long first = info.nr_fresh - info.nr_again - before;
        CHECK(first >= RUNS * PAGES && first <= RUNS * PAGES * 5 / 4);
        CHECK(info.nr_again >= round / 2 * RUNS * PAGES * 3 / 4);
        CHECK(info.nr_again <=
              round * RUNS * PAGES * 5 / 4); /* the heap gives back by itself, too */
        for (unsigned i = 0; i < RUNS; i++)
            quire_heap_free(&heap_cache, block[i]);
        if (round == 1)
            (void)quire_heap_trim(heap_machine.heap, &heap_cache);
    }
    heap_end();
}

/* But for what lies on stacks or in quarantine, which counts as taken. */
static void what_is_taken_is_told_at_any_moment(void)
{
    static struct quire_heap_live live;
    if (!heap_boot())
        return;
    heap_warm_up(64);
    quire_heap_set_live(heap_machine.heap, &live);
    for (unsigned i = 0; i < COUNT; i++)
        REQUIRE((block[i] = quire_heap_alloc(&heap_cache, 64)));
    void *run = quire_heap_alloc(&heap_cache, 10 * QUIRE_PAGE_SIZE);
    CHECK(live.taken[4] >= COUNT && live.taken[4] < COUNT + 160);
    CHECK(live.pages[4] >= COUNT * 64 / QUIRE_PAGE_SIZE);
    CHECK(live.taken[QUIRE_HEAP_SMALL_CLASSES + 10] == 1);
    CHECK(live.pages[QUIRE_HEAP_SMALL_CLASSES + 10] == 10);
    for (unsigned i = 0; i < COUNT; i++)
        quire_heap_free(&heap_cache, block[i]);
    quire_heap_free(&heap_cache, run);
    CHECK(live.taken[4] < 160);
    CHECK(live.taken[QUIRE_HEAP_SMALL_CLASSES + 10] == 0);
    /* Slabs go back, too. */
    (void)quire_heap_trim(heap_machine.heap, &heap_cache);
    struct quire_heap_class_info info;
    REQUIRE(!quire_heap_class_info(heap_machine.heap, 4, &info));
    CHECK_EQ(live.pages[4], info.pages);
    CHECK_EQ(live.taken[4], info.used + info.cached);
    quire_heap_set_live(heap_machine.heap, NULL);
    block[0] = quire_heap_alloc(&heap_cache, 11 * QUIRE_PAGE_SIZE);
    CHECK(live.taken[QUIRE_HEAP_SMALL_CLASSES + 11] == 0);
    quire_heap_free(&heap_cache, block[0]);
    heap_end();
}

/* Of the pages that its objects lie in; those behind them aren't touched. */
static void no_class_leaves_more_than_a_twenty_fourth_of_its_slabs_unused(void)
{
    if (!heap_boot())
        return;
    for (unsigned class = 1; class <= QUIRE_HEAP_SMALL_CLASSES; class ++) {
        struct quire_heap_class_info info;
        REQUIRE(!quire_heap_class_info(heap_machine.heap, class, &info));
        void *one = quire_heap_alloc(&heap_cache, info.size);
        REQUIRE(one);
        REQUIRE(!quire_heap_class_info(heap_machine.heap, class, &info));
        size_t used = info.slots * info.size;
        size_t touched = (used + QUIRE_PAGE_SIZE - 1) / QUIRE_PAGE_SIZE * QUIRE_PAGE_SIZE;
        CHECK(touched <= info.pages * QUIRE_PAGE_SIZE);
        CHECK(touched - used <= touched / 24);
        quire_heap_free(&heap_cache, one);
    }
    heap_end();
}

static const struct test_case cases[] = {
    TEST_CASE(blocks_are_aligned_disjoint_and_keep_their_content),
    TEST_CASE(a_block_is_at_most_a_ninth_larger_than_asked_for_or_ends_with_its_page),
    TEST_CASE(zeroed_blocks_are_zero_when_memory_was_used_before),
    TEST_CASE(alignment_is_kept_for_any_size),
    TEST_CASE(realloc_keeps_content_and_stays_where_it_fits),
    TEST_CASE(sizes_that_cannot_be_are_refused),
    TEST_CASE(the_range_grows_and_ends),
    TEST_CASE(pools_work_over_a_heap),
    TEST_CASE(counts_are_those_of_the_caller),
    TEST_CASE(large_blocks_are_counted_by_size),
    TEST_CASE(what_is_taken_is_told_at_any_moment),
    TEST_CASE(pages_that_begin_to_be_used_are_counted_and_those_that_had_been_given_back),
    TEST_CASE(no_class_leaves_more_than_a_twenty_fourth_of_its_slabs_unused),
    {0},
};
const struct test_suite suite_heap = {"heap", cases};
