/* tests/unit/heap_regular_test.c: large blocks that come and go without a lock */
#include "tests/unit/heap_machine.h"

#include "heap/large.h"

#define SIZE (300 * QUIRE_PAGE_SIZE)
#define FLIGHT 4u

static char *block[FLIGHT];

static void take_all(void)
{
    for (unsigned i = 0; i < FLIGHT; i++) {
        REQUIRE((block[i] = quire_heap_alloc(&heap_cache, SIZE)));
        pattern_write(block[i], SIZE, i);
    }
}

static void drop_all(void)
{
    for (unsigned i = 0; i < FLIGHT; i++) {
        CHECK(pattern_is(block[i], SIZE, i));
        quire_heap_free(&heap_cache, block[i]);
    }
}

/* Unmapped at first, more and more of them kept, then regulars. */
static void make_regulars(void)
{
    for (unsigned round = 0; round < 8; round++) {
        take_all();
        drop_all();
    }
    heap_cache.regular_turn = 1; /* at 0 it looks for what is idle */
}

static void who_takes_and_drops_the_same_blocks_needs_no_lock(void)
{
    if (!heap_boot())
        return;
    make_regulars();
    unsigned long calls = heap_machine.nr_calls;
    heap_lock(&heap_machine.heap->large.lock); /* who wants it waits for ever */
    for (unsigned round = 0; round < 20; round++) {
        take_all();
        drop_all();
    }
    heap_unlock(&heap_machine.heap->large.lock);
    CHECK_EQ(heap_machine.nr_calls, calls);
    heap_end();
}

static void regulars_count_as_what_they_are(void)
{
    if (!heap_boot())
        return;
    make_regulars();
    CHECK_EQ(heap_info().large, 0);
    CHECK_EQ(heap_info().mapped, 0);
    CHECK_EQ(heap_info().kept, FLIGHT * SIZE);
    take_all();
    CHECK_EQ(heap_info().large, FLIGHT * SIZE);
    CHECK_EQ(heap_info().nr_large, FLIGHT);
    CHECK_EQ(heap_info().kept, 0);
    quire_heap_free(&heap_cache, block[1]);
    CHECK_EQ(heap_info().nr_large, FLIGHT - 1);
    CHECK_EQ(heap_info().kept, SIZE);
    size_t less = SIZE - 10 * QUIRE_PAGE_SIZE; /* near enough for the same block */
    CHECK(quire_heap_alloc(&heap_cache, less) == block[1]);
    CHECK_EQ(heap_info().large, FLIGHT * SIZE - 10 * QUIRE_PAGE_SIZE);
    CHECK_EQ(quire_heap_usable_size(heap_machine.heap, block[1]), SIZE);
    pattern_write(block[1], SIZE, 1);
    drop_all();
    CHECK_EQ(heap_info().peak_large, FLIGHT * SIZE);
    heap_end();
}

static unsigned nr_questions;

static void nobody_waits(void)
{
    quire_port_spinlock_t *large_lock = &heap_machine.heap->large.lock;
    nr_questions++;
    CHECK(quire_port_spin_trylock(large_lock));
    quire_port_spin_unlock(large_lock);
}

/* More than are asked about at once: regulars, and between blocks in use kept ones. */
static void the_system_is_asked_while_nobody_waits(void)
{
    enum { KEPT = 20, EACH = 40 * QUIRE_PAGE_SIZE };
    static char *other[2 * KEPT];
    if (!heap_boot())
        return;
    for (unsigned round = 0; round < 30; round++) {
        for (unsigned i = 0; i < 2 * KEPT; i++)
            if (!other[i])
                REQUIRE((other[i] = quire_heap_alloc(&heap_cache, EACH)));
        for (unsigned i = 0; i < 2 * KEPT; i += 2) {
            quire_heap_free(&heap_cache, other[i]);
            other[i] = NULL;
        }
    }
    nr_questions = 0;
    heap_machine.on_question = nobody_waits;
    struct quire_heap_info info = heap_info();
    CHECK_EQ(nr_questions, info.nr_kept);
    CHECK(info.nr_kept > 16);
    CHECK_EQ(info.free_resident, info.dirty + info.slots + info.cached + info.kept / 2);
    heap_machine.on_question = NULL;
    for (unsigned i = 0; i < 2 * KEPT; i++) {
        quire_heap_free(&heap_cache, other[i]);
        other[i] = NULL;
    }
    heap_end();
}

static void what_is_free_is_told_by_what_takes_memory(void)
{
    if (!heap_boot())
        return;
    make_regulars();
    take_all();
    quire_heap_free(&heap_cache, block[0]); /* half of it is resident: see heap_machine.c */
    struct quire_heap_info info = heap_info();
    CHECK_EQ(info.kept, SIZE);
    CHECK_EQ(info.free_resident, info.dirty + info.slots + info.cached + SIZE / 2);
    CHECK(info.free >= info.largest_free + SIZE + info.slots + info.cached);
    CHECK(info.free <= info.committed + SIZE);
    REQUIRE((block[0] = quire_heap_alloc(&heap_cache, SIZE)));
    CHECK_EQ(heap_info().free, info.free - SIZE);
    pattern_write(block[0], SIZE, 0);
    drop_all();
    heap_end();
}

static void a_regular_that_is_freed_twice_is_told(void)
{
    if (!heap_boot())
        return;
    make_regulars();
    take_all();
    quire_heap_free(&heap_cache, block[2] + QUIRE_PAGE_SIZE);
    CHECK(heap_caught("free of what is no block"));
    drop_all();
    quire_heap_free(&heap_cache, block[2]);
    CHECK(heap_caught("free of what is no block, or was freed before"));
    CHECK(!quire_heap_realloc(&heap_cache, block[2], 2 * SIZE));
    CHECK(heap_caught("realloc of what is no block"));
    CHECK_EQ(quire_heap_usable_size(heap_machine.heap, block[2]), 0);
    heap_end();
}

static void what_regulars_leave_serves_others(void)
{
    if (!heap_boot())
        return;
    make_regulars();
    unsigned long maps = heap_machine.maps;
    char *whole = quire_heap_alloc(&heap_cache, FLIGHT * SIZE); /* they lie side by side */
    REQUIRE(whole);
    CHECK_EQ(heap_machine.maps, maps);
    CHECK_EQ(heap_info().kept, 0);
    quire_heap_free(&heap_cache, whole);
    heap_end();
}

static void regulars_that_nobody_takes_are_unmapped(void)
{
    if (!heap_boot())
        return;
    make_regulars();
    take_all();
    quire_heap_free(&heap_cache, block[0]);
    quire_heap_set_decay(heap_machine.heap, 0);
    (void)large_release(heap_machine.heap, false);
    CHECK_EQ(heap_info().nr_kept, 1);
    unsigned long unmaps = heap_machine.unmaps;
    (void)large_release(heap_machine.heap, false);
    CHECK_EQ(heap_info().nr_kept, 0);
    CHECK_EQ(heap_machine.unmaps, unmaps + 1);
    REQUIRE((block[0] = quire_heap_alloc(&heap_cache, SIZE)));
    pattern_write(block[0], SIZE, 0);
    drop_all();
    CHECK_EQ(quire_heap_trim(heap_machine.heap, NULL) >= 3 * SIZE, true);
    CHECK_EQ(heap_info().nr_kept, 0);
    heap_end();
}

/* A thread that is served without locks all the time looks for what is idle, too. */
static void who_needs_no_lock_gives_back_what_is_idle(void)
{
    if (!heap_boot())
        return;
    make_regulars();
    quire_heap_set_decay(heap_machine.heap, 0);
    for (unsigned i = 0; i < 1000; i++)
        quire_heap_free(&heap_cache, quire_heap_alloc(&heap_cache, SIZE));
    CHECK(heap_info().nr_kept <= 1);
    heap_end();
}

/* As malloc does, which asks without the lock itself before it comes here. */
static void who_asks_without_the_lock_first_gives_back_what_is_idle(void)
{
    if (!heap_boot())
        return;
    make_regulars();
    quire_heap_set_decay(heap_machine.heap, 0);
    for (unsigned i = 0; i < 1000; i++) {
        void *taken = regular_take(&heap_cache, SIZE);
        taken = taken ? taken : quire_heap_alloc(&heap_cache, SIZE);
        CHECK(regular_put(&heap_cache, taken));
    }
    CHECK(heap_info().nr_kept <= 1);
    heap_end();
}

/* And one that has no large block from now on, while few pages come and go. */
static void who_has_small_blocks_only_gives_back_large_ones(void)
{
    enum { COUNT = 500 };
    static void *small[COUNT];
    if (!heap_boot())
        return;
    make_regulars();
    quire_heap_free(&heap_cache, quire_heap_alloc(&heap_cache, 3 * SIZE)); /* no regular */
    quire_heap_set_decay(heap_machine.heap, 0);
    for (unsigned round = 0; round < 20; round++) {
        for (unsigned i = 0; i < COUNT; i++)
            REQUIRE((small[i] = quire_heap_alloc(&heap_cache, 32)));
        for (unsigned i = 0; i < COUNT; i++)
            quire_heap_free(&heap_cache, small[i]);
    }
    CHECK_EQ(heap_info().nr_kept, 0);
    heap_end();
}

static void nothing_is_no_regular(void)
{
    if (!heap_boot())
        return;
    for (unsigned i = 0; i < 2; i++)
        CHECK(!regular_put(&heap_cache, NULL));
    for (unsigned i = 0; i < NR_REGULARS; i++)
        CHECK(!heap_machine.heap->large.regular[i].word);
    heap_end();
}

static void a_block_that_grew_has_room_for_the_next_steps(void)
{
    if (!heap_boot())
        return;
    make_regulars();
    char *grown = quire_heap_alloc(&heap_cache, 10 * QUIRE_PAGE_SIZE);
    for (size_t pages = 11; pages < FLIGHT * SIZE / QUIRE_PAGE_SIZE / 8; pages++) {
        REQUIRE((grown = quire_heap_realloc(&heap_cache, grown, pages * QUIRE_PAGE_SIZE)));
        if (pages < 32) /* runs of pages aren't large yet */
            continue;
        CHECK_EQ(heap_info().large, pages * QUIRE_PAGE_SIZE);
        CHECK_EQ(heap_machine.remaps, 0);
    }
    unsigned steps = 0;
    size_t pages = FLIGHT * SIZE / QUIRE_PAGE_SIZE / 8;
    heap_lock(&heap_machine.heap->large.lock);
    while (regular_resize(heap_machine.heap, grown, pages++ << QUIRE_PAGE_SHIFT))
        steps++;
    heap_unlock(&heap_machine.heap->large.lock);
    CHECK(steps > 0);
    quire_heap_free(&heap_cache, grown);
    heap_end();
}

static const struct test_case cases[] = {
    TEST_CASE(who_takes_and_drops_the_same_blocks_needs_no_lock),
    TEST_CASE(regulars_count_as_what_they_are),
    TEST_CASE(what_is_free_is_told_by_what_takes_memory),
    TEST_CASE(the_system_is_asked_while_nobody_waits),
    TEST_CASE(a_regular_that_is_freed_twice_is_told),
    TEST_CASE(what_regulars_leave_serves_others),
    TEST_CASE(regulars_that_nobody_takes_are_unmapped),
    TEST_CASE(who_needs_no_lock_gives_back_what_is_idle),
    TEST_CASE(who_asks_without_the_lock_first_gives_back_what_is_idle),
    TEST_CASE(who_has_small_blocks_only_gives_back_large_ones),
    TEST_CASE(nothing_is_no_regular),
    TEST_CASE(a_block_that_grew_has_room_for_the_next_steps),
    {0},
};
const struct test_suite suite_heap_regular = {"heap_regular", cases};
