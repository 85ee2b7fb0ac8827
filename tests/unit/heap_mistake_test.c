/* tests/unit/heap_mistake_test.c: blocks that are freed twice, or written to when they are free
 *
 * Of whatever a program does wrong with a block: it is told, nobody else gets the block, and
 * nothing of the heap breaks. And what it may do isn't taken for that.
 */
#include "tests/unit/heap_machine.h"

#include "heap/cache.h"

enum { COUNT = 3000 };
static void *block[COUNT];

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
    heap_warm_up(100);
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
    heap_warm_up(SIZE);
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
    heap_warm_up(SIZE);
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
    heap_warm_up(100);
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
    heap_warm_up(100);
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
    heap_warm_up(200);
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
    heap_warm_up(100);
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
    heap_warm_up(100);
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
    heap_warm_up(100);
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
    heap_warm_up(64);
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

static const struct test_case cases[] = {
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
    {0},
};
const struct test_suite suite_heap_mistake = {"heap_mistake", cases};
