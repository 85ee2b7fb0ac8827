/* tests/unit/heap_test.c: blocks of any size */
#include "tests/unit/heap_machine.h"

#include <quire/pool.h>

#include "heap/cache.h"

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

/* Makes a class one that has stacks. */
static void warm_up(size_t size)
{
    for (unsigned i = 0; i < 200; i++)
        CHECK((block[i] = quire_heap_alloc(&heap_cache, size)));
    for (unsigned i = 0; i < 200; i++)
        quire_heap_free(&heap_cache, block[i]);
}

static void mistakes_are_reported_and_ignored(void)
{
    if (!heap_boot())
        return;
    char *a = quire_heap_alloc(&heap_cache, 100), *b = quire_heap_alloc(&heap_cache, 100);
    char *run = quire_heap_alloc(&heap_cache, 5 * QUIRE_PAGE_SIZE);
    char *large = quire_heap_alloc(&heap_cache, 1000000);
    REQUIRE(a && b && run && large);
    quire_heap_free(&heap_cache, a);
    quire_heap_free(&heap_cache, b);
    quire_heap_free(&heap_cache, a); /* the class is seldom used: at once */
    CHECK(heap_caught("double free"));
    CHECK(!quire_heap_realloc(&heap_cache, a, 200));
    CHECK(heap_caught("realloc"));
    b[50] = 1;
    quire_heap_settle(heap_machine.heap);
    CHECK(heap_caught("written after it was freed"));
    quire_heap_free(&heap_cache, run + 3 * QUIRE_PAGE_SIZE);
    CHECK(heap_caught("no block"));
    pattern_write(run, 100, 1);
    quire_heap_free(&heap_cache, run + 16);
    quire_heap_cache_flush(&heap_cache);
    CHECK(heap_caught("into a block"));
    CHECK(pattern_is(run, 100, 1));
    quire_heap_free(&heap_cache, run);
    quire_heap_cache_flush(&heap_cache);
    quire_heap_free(&heap_cache, run);
    CHECK(heap_caught("no block"));
    quire_heap_free(&heap_cache, large + QUIRE_PAGE_SIZE);
    CHECK(heap_caught("no block"));
    quire_heap_free(&heap_cache, large);
    quire_heap_free(&heap_cache, large);
    CHECK(heap_caught("no block"));
    int local;
    quire_heap_free(&heap_cache, &local);
    CHECK(heap_caught("no block"));
    CHECK(!quire_heap_realloc(&heap_cache, &local, 10));
    CHECK(heap_caught("no block"));
    heap_end();
}

/* Of the next blocks none may be another one; the two that were freed are among them. */
static void takes_different_ones(const char *a, const char *b)
{
    enum { NR = 8 };
    bool has_a = false, has_b = false;
    for (unsigned i = 0; i < NR; i++) {
        REQUIRE((block[i] = quire_heap_alloc(&heap_cache, 100)));
        for (unsigned j = 0; j < i; j++)
            CHECK(block[j] != block[i]);
        has_a |= block[i] == a;
        has_b |= block[i] == b;
    }
    CHECK(has_a && has_b);
    for (unsigned i = 0; i < NR; i++)
        quire_heap_free(&heap_cache, block[i]);
}

static void mistakes_in_a_class_in_use_are_told_before_they_do_harm(void)
{
    if (!heap_boot())
        return;
    warm_up(100);
    char *a = quire_heap_alloc(&heap_cache, 100), *b = quire_heap_alloc(&heap_cache, 100);
    REQUIRE(a && b);
    quire_heap_free(&heap_cache, b);
    quire_heap_free(&heap_cache, a);
    quire_heap_free(&heap_cache, a); /* before the block would be somebody else's, too */
    takes_different_ones(a, b);
    CHECK(heap_caught("double free, or written"));

    CHECK((a = quire_heap_alloc(&heap_cache, 100)));
    CHECK((b = quire_heap_alloc(&heap_cache, 100)));
    quire_heap_free(&heap_cache, b);
    quire_heap_free(&heap_cache, a);
    quire_heap_free(&heap_cache, b); /* or when it gets to its slab */
    quire_heap_cache_flush(&heap_cache);
    CHECK(heap_caught("free of what is free"));
    quire_heap_free(&heap_cache, b);
    quire_heap_cache_flush(&heap_cache);
    CHECK(heap_caught("double free"));
    quire_heap_free(&heap_cache, a); /* where it is already */
    CHECK((b = quire_heap_alloc(&heap_cache, 100)));
    CHECK(heap_caught("double free"));
    quire_heap_free(&heap_cache, b);

    CHECK((a = quire_heap_alloc(&heap_cache, 100)));
    CHECK((b = quire_heap_alloc(&heap_cache, 100)));
    quire_heap_free(&heap_cache, a);
    quire_heap_free(&heap_cache, a);
    CHECK(quire_heap_alloc(&heap_cache, 100) == a);
    quire_heap_cache_flush(&heap_cache); /* its slab doesn't get what is somebody's again */
    CHECK(heap_caught("double free, or written"));
    quire_heap_free(&heap_cache, b);
    quire_heap_free(&heap_cache, a);
    heap_end();
}

static void a_run_that_is_free_pages_and_on_a_stack_is_allocated_from_there_to_nobody(void)
{
    enum { SIZE = 5 * QUIRE_PAGE_SIZE };
    struct quire_heap_cache other = {0};
    if (!heap_boot())
        return;
    REQUIRE(!quire_heap_cache_attach(heap_machine.heap, &other));
    warm_up(SIZE);
    void *a = quire_heap_alloc(&heap_cache, SIZE);
    REQUIRE(a);
    quire_heap_free(&heap_cache, a);
    REQUIRE(cache_has(&heap_cache, NR_SMALL + 5, a));
    cache_put_one(heap_machine.heap, NR_SMALL + 5, a); /* as who has no stack does */
    void *b = quire_heap_alloc(&heap_cache, SIZE);
    CHECK(heap_caught("double free"));
    quire_heap_free(&heap_cache, b);

    REQUIRE((a = quire_heap_alloc(&heap_cache, SIZE)));
    REQUIRE((b = quire_heap_alloc(&other, SIZE)));
    quire_heap_free(&other, b);
    quire_heap_free(&other, a);
    REQUIRE(cache_has(&other, NR_SMALL + 5, a));
    quire_heap_free(&heap_cache, a);
    quire_heap_cache_flush(&other);
    CHECK((b = quire_heap_alloc(&heap_cache, SIZE)));
    CHECK(heap_caught("double free"));
    quire_heap_free(&heap_cache, b);
    quire_heap_cache_detach(&other);
    heap_end();
}

/* It has no mark from then on, though it wasn't a stack that it came from. */
static void a_run_that_is_taken_as_pages_is_allocated_from_a_stack_to_nobody(void)
{
    enum { SIZE = 4 * QUIRE_PAGE_SIZE };
    unsigned count = 0;
    if (!heap_boot())
        return;
    warm_up(SIZE);
    void *a = quire_heap_alloc(&heap_cache, SIZE), *b;
    REQUIRE(a);
    quire_heap_free(&heap_cache, a);
    REQUIRE(cache_has(&heap_cache, NR_SMALL + 4, a));
    cache_put_one(heap_machine.heap, NR_SMALL + 4, a); /* as who has no stack does */
    do
        REQUIRE((block[count] = quire_heap_alloc_aligned(&heap_cache, SIZE, 2 * QUIRE_PAGE_SIZE)));
    while (block[count++] != a && count < COUNT);
    REQUIRE(block[count - 1] == a);
    CHECK((b = quire_heap_alloc(&heap_cache, SIZE)) != a);
    CHECK(heap_caught("double free"));
    quire_heap_free(&heap_cache, b);
    while (count--)
        quire_heap_free(&heap_cache, block[count]);
    heap_end();
}

static void a_free_block_that_was_written_to_is_allocated_to_nobody(void)
{
    if (!heap_boot())
        return;
    warm_up(100);
    char *a = quire_heap_alloc(&heap_cache, 100), *b;
    REQUIRE(a);
    quire_heap_free(&heap_cache, a);
    ((uintptr_t *)(void *)a)[1] = 1;
    CHECK((b = quire_heap_alloc(&heap_cache, 100)));
    CHECK(b != a);
    CHECK(heap_caught("written after it was freed"));
    quire_heap_free(&heap_cache, a); /* which might be one that was freed twice */
    quire_heap_free(&heap_cache, b);
    heap_end();
}

/* In one of its blocks, which is freed, and is the next one again. */
static void users_may_write_what_free_blocks_have(void)
{
    if (!heap_boot())
        return;
    warm_up(100);
    uintptr_t *a = quire_heap_alloc(&heap_cache, 100);
    REQUIRE(a);
    for (unsigned which = 1; which < 4; which++) {
        a[0] = which & 1 ? SLAB_MARK : 1;
        a[1] = which & 2 ? FREE_MARK : 1;
        CHECK((a = quire_heap_realloc(&heap_cache, a, 90)));
        CHECK_EQ(a[0], which & 1 ? SLAB_MARK : 1);
        quire_heap_free(&heap_cache, a);
        CHECK(quire_heap_alloc(&heap_cache, 100) == a);
        CHECK(a[0] != SLAB_MARK); /* or it would be looked for in its slab the next time, too */
    }
    quire_heap_free(&heap_cache, a);
    heap_end();
}

/* As many blocks as there is memory for, linked with those in `chain`. */
static void **take_all(size_t size, void **chain)
{
    void **next;
    while ((next = quire_heap_alloc(&heap_cache, size))) {
        *next = chain;
        chain = next;
    }
    return chain;
}

/* Also for a smaller one, when there is no other. */
static void a_block_whose_user_wrote_what_is_home_has_is_the_next_one_when_there_is_no_memory(void)
{
    void **chain = NULL, **next;
    if (!heap_boot())
        return;
    warm_up(200);
    uintptr_t *a = quire_heap_alloc(&heap_cache, 200), *b;
    REQUIRE(a);
    chain = take_all(30 * QUIRE_PAGE_SIZE, chain);
    chain = take_all(QUIRE_HEAP_MAX_SMALL / 2, chain);
    chain = take_all(100, chain);
    a[0] = SLAB_MARK;
    quire_heap_free(&heap_cache, a);
    REQUIRE(cache_has(&heap_cache, small_class(200), a));
    CHECK((b = quire_heap_alloc(&heap_cache, 100)) == a);
    quire_heap_free(&heap_cache, b);
    for (; chain; chain = next) {
        next = *chain;
        quire_heap_free(&heap_cache, chain);
    }
    heap_end();
}

/* Nor does it hide what comes home with it, and is freed again. */
static void a_block_beside_which_users_wrote_that_is_known_when_it_is_home(void)
{
    if (!heap_boot())
        return;
    warm_up(100);
    uintptr_t *written = quire_heap_alloc(&heap_cache, 100), *a, *b;
    REQUIRE(written && (a = quire_heap_alloc(&heap_cache, 100)));
    written[0] = SLAB_MARK;
    quire_heap_free(&heap_cache, written);
    quire_heap_free(&heap_cache, a);
    quire_heap_cache_flush(&heap_cache);
    quire_heap_free(&heap_cache, a);
    REQUIRE(cache_has(&heap_cache, small_class(100), a));
    CHECK((b = quire_heap_alloc(&heap_cache, 100))); /* maybe it, from its slab */
    CHECK(heap_caught("double free"));
    quire_heap_free(&heap_cache, b);
    heap_end();
}

static void a_block_of_the_quarantine_is_known_when_its_class_is_in_use(void)
{
    enum { NR_COLD = (WARM - 1) / (HEAT_OF_TAKE + HEAT_OF_FREE) };
    if (!heap_boot())
        return;
    for (unsigned i = 0; i < NR_COLD; i++)
        REQUIRE((block[i] = quire_heap_alloc(&heap_cache, 16)));
    for (unsigned i = 0; i < NR_COLD; i++)
        quire_heap_free(&heap_cache, block[i]);
    for (unsigned i = 0; i < NR_COLD; i++) {
        quire_heap_free(&heap_cache, block[i]);
        CHECK(heap_caught("double free"));
        CHECK(!quire_heap_realloc(&heap_cache, block[i], 10));
        CHECK(heap_caught("freed before"));
    }
    heap_end();
}

static void a_block_of_the_quarantine_is_allocated_from_a_stack_to_nobody(void)
{
    enum { NR_FREED = WARM / HEAT_OF_FREE };
    if (!heap_boot())
        return;
    for (unsigned i = 0; i < NR_FREED; i++)
        REQUIRE((block[i] = quire_heap_alloc(&heap_cache, 100)));
    char *a = block[0], *b;
    for (unsigned i = 0; i < NR_FREED; i++)
        quire_heap_free(&heap_cache, block[i]);
    REQUIRE((b = quire_heap_alloc(&heap_cache, 100))); /* so that there is a stack */
    REQUIRE(quarantine_has(heap_machine.heap, a));
    quire_heap_free(&heap_cache, a);
    REQUIRE(cache_has(&heap_cache, small_class(100), a));
    char *c = quire_heap_alloc(&heap_cache, 100);
    CHECK(c && c != a);
    CHECK(heap_caught("double free"));
    quire_heap_free(&heap_cache, a);
    quire_heap_cache_flush(&heap_cache);
    CHECK(heap_caught("double free"));
    quire_heap_settle(heap_machine.heap);
    quire_heap_free(&heap_cache, b);
    quire_heap_free(&heap_cache, c);
    heap_end();
}

static void realloc_of_a_free_block_is_reported(void)
{
    if (!heap_boot())
        return;
    warm_up(100);
    char *a = quire_heap_alloc(&heap_cache, 100);
    REQUIRE(a);
    quire_heap_free(&heap_cache, a);
    CHECK(!quire_heap_realloc(&heap_cache, a, 100)); /* on a stack */
    CHECK(heap_caught("freed before"));
    quire_heap_cache_flush(&heap_cache);
    CHECK(!quire_heap_realloc(&heap_cache, a, 1000)); /* in its slab */
    CHECK(heap_caught("freed before"));
    ((uintptr_t *)(void *)a)[1] = 1; /* and written since */
    CHECK(!quire_heap_realloc(&heap_cache, a, 100));
    CHECK(heap_caught("freed before"));
    a = quire_heap_alloc(&heap_cache, 100);
    REQUIRE(a);
    CHECK(!quire_heap_realloc(&heap_cache, a + 8, 100));
    CHECK(heap_caught("no block"));
    ((uintptr_t *)(void *)a)[1] = FREE_MARK; /* what a user may write */
    CHECK((a = quire_heap_realloc(&heap_cache, a, 60)));
    CHECK((a = quire_heap_realloc(&heap_cache, a, 1000)));
    quire_heap_free(&heap_cache, a);
    heap_end();
}

static void a_pointer_into_a_block_is_found_while_its_class_is_seldom_used(void)
{
    if (!heap_boot())
        return;
    char *a = quire_heap_alloc(&heap_cache, 16), *b = quire_heap_alloc(&heap_cache, 16);
    REQUIRE(a && b);
    pattern_write(a, 16, 1);
    pattern_write(b, 16, 2);
    quire_heap_free(&heap_cache, a + 8);
    CHECK(heap_caught("into a block"));
    CHECK(pattern_is(a, 16, 1) && pattern_is(b, 16, 2));
    quire_heap_free(&heap_cache, a);
    quire_heap_free(&heap_cache, b);
    REQUIRE((a = quire_heap_alloc(&heap_cache, 100)));
    pattern_write(a, 100, 3);
    quire_heap_free(&heap_cache, a + MIN_ALIGN);
    CHECK(heap_caught("free of"));
    CHECK(pattern_is(a, 100, 3));
    quire_heap_free(&heap_cache, a);
    heap_end();
}

/* Though it looks like an end of the stack, and its block's user wrote over its mark. */
static void a_pointer_into_a_block_is_found_when_it_leaves_a_stack(void)
{
    if (!heap_boot())
        return;
    warm_up(100);
    char *a = quire_heap_alloc(&heap_cache, 100), *b, *c;
    REQUIRE(a);
    for (unsigned flushed = 0; flushed < 2; flushed++) {
        REQUIRE((c = quire_heap_alloc(&heap_cache, 100)));
        quire_heap_free(&heap_cache, a + END_BIT);
        pattern_write(a, 100, flushed);
        REQUIRE(stack_count(&heap_cache, small_class(100)));
        if (flushed)
            quire_heap_cache_flush(&heap_cache);
        REQUIRE((b = quire_heap_alloc(&heap_cache, 100)));
        CHECK(heap_caught("pointer into a block"));
        CHECK(pattern_is(a, 100, flushed));
        quire_heap_free(&heap_cache, b);
        quire_heap_free(&heap_cache, c); /* its slot had the pointer, and is none's end */
        CHECK(cache_has(&heap_cache, small_class(100), c));
    }
    quire_heap_free(&heap_cache, a);
    heap_end();
}

static void only_marks_are_written_into_free_blocks_of_classes_in_use(void)
{
    if (!heap_boot())
        return;
    warm_up(64);
    quire_heap_set_trim_threshold(heap_machine.heap, SIZE_MAX); /* what went back is zero */
    for (unsigned i = 0; i < COUNT; i++) {
        REQUIRE((block[i] = quire_heap_alloc(&heap_cache, 64)));
        __builtin_memset(block[i], 0x77, 64);
    }
    for (unsigned i = 0; i < COUNT; i++)
        quire_heap_free(&heap_cache, block[i]);
    for (unsigned i = 0; i < COUNT; i++)
        for (unsigned at = 0; at < 64; at++)
            if (at / sizeof(uintptr_t) > 1)
                CHECK(((unsigned char *)block[i])[at] == 0x77);
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
    warm_up(64);
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
    TEST_CASE(mistakes_are_reported_and_ignored),
    TEST_CASE(mistakes_in_a_class_in_use_are_told_before_they_do_harm),
    TEST_CASE(a_run_that_is_free_pages_and_on_a_stack_is_allocated_from_there_to_nobody),
    TEST_CASE(a_run_that_is_taken_as_pages_is_allocated_from_a_stack_to_nobody),
    TEST_CASE(a_free_block_that_was_written_to_is_allocated_to_nobody),
    TEST_CASE(users_may_write_what_free_blocks_have),
    TEST_CASE(a_block_whose_user_wrote_what_is_home_has_is_the_next_one_when_there_is_no_memory),
    TEST_CASE(a_block_beside_which_users_wrote_that_is_known_when_it_is_home),
    TEST_CASE(a_block_of_the_quarantine_is_known_when_its_class_is_in_use),
    TEST_CASE(a_block_of_the_quarantine_is_allocated_from_a_stack_to_nobody),
    TEST_CASE(realloc_of_a_free_block_is_reported),
    TEST_CASE(a_pointer_into_a_block_is_found_while_its_class_is_seldom_used),
    TEST_CASE(a_pointer_into_a_block_is_found_when_it_leaves_a_stack),
    TEST_CASE(only_marks_are_written_into_free_blocks_of_classes_in_use),
    TEST_CASE(pools_work_over_a_heap),
    TEST_CASE(counts_are_those_of_the_caller),
    TEST_CASE(large_blocks_are_counted_by_size),
    TEST_CASE(what_is_taken_is_told_at_any_moment),
    TEST_CASE(pages_that_begin_to_be_used_are_counted_and_those_that_had_been_given_back),
    TEST_CASE(no_class_leaves_more_than_a_twenty_fourth_of_its_slabs_unused),
    {0},
};
const struct test_suite suite_heap = {"heap", cases};
