/* tests/unit/heap_loan_test.c: blocks that grow again and again are lent room */
#include "tests/unit/heap_machine.h"

#include "heap/large.h"

#define MOST (1024 * QUIRE_PAGE_SIZE) /* that a buffer grows to */
#define SOME (20 * QUIRE_PAGE_SIZE)

static char *grow(char *buffer, size_t from, size_t to)
{
    for (size_t size = from; size <= to; size += size / 2) {
        char *grown = quire_heap_realloc(&heap_cache, buffer, size);
        CHECK(grown);
        if (!grown)
            return buffer;
        buffer = grown;
        buffer[size - 1] = 1;
    }
    return buffer;
}

static struct large_blocks *large(void)
{
    return &heap_machine.heap->large;
}

static unsigned nr_lent(void)
{
    heap_lock(&large()->lock);
    unsigned count = regular_nr_lent(heap_machine.heap, (struct regular_filter){0});
    heap_unlock(&large()->lock);
    return count;
}

/* Buffers that grow and go, until a regular is left that they grew in. */
static void come_and_go(void)
{
    for (unsigned round = 0; round < 8; round++)
        quire_heap_free(&heap_cache, grow(NULL, 16, MOST));
    CHECK_EQ(large()->nr_regulars, 1);
    CHECK(large()->regular_bytes >= MOST / 2);
}

static bool prepare(void)
{
    if (QUIRE_PAGE_SIZE != 4096) {
        test_skip("the sizes here are of regulars with pages of 4 KiB");
        return false;
    }
    if (!heap_boot())
        return false;
    come_and_go();
    return true;
}

/* One of SOME bytes that is lent nearly all of it. */
static char *lend(void)
{
    char *buffer = grow(NULL, 16, SOME);
    buffer = quire_heap_realloc(&heap_cache, buffer, SOME);
    CHECK(buffer);
    CHECK_EQ(nr_lent(), 1);
    if (buffer)
        pattern_write(buffer, SOME, 5);
    return buffer;
}

static void what_grows_again_and_again_stays_and_needs_no_lock(void)
{
    if (!prepare())
        return;
    unsigned long calls = heap_machine.nr_calls;
    char *buffer = grow(NULL, 16, 2 * LEAST_LENT);
    unsigned long taken = heap_info().nr_reused;
    heap_lock(&large()->lock); /* who wants it waits for ever */
    CHECK(grow(buffer, 3 * LEAST_LENT, MOST / 2) == buffer);
    quire_heap_free(&heap_cache, buffer);
    char *again = grow(NULL, 16, MOST);
    CHECK(again == buffer);
    quire_heap_free(&heap_cache, again);
    heap_unlock(&large()->lock);
    CHECK_EQ(heap_machine.nr_calls, calls);
    CHECK_EQ(heap_info().nr_reused, taken + 1);
    heap_end();
}

static void what_grows_once_isnt_lent_any(void)
{
    if (!prepare())
        return;
    char *once = quire_heap_alloc(&heap_cache, LEAST_LENT);
    REQUIRE((once = quire_heap_realloc(&heap_cache, once, 2 * LEAST_LENT)));
    char *other = quire_heap_alloc(&heap_cache, 100);
    REQUIRE((other = quire_heap_realloc(&heap_cache, other, 200)));
    REQUIRE((once = quire_heap_realloc(&heap_cache, once, 3 * LEAST_LENT)));
    CHECK_EQ(nr_lent(), 0);
    quire_heap_free(&heap_cache, once);
    quire_heap_free(&heap_cache, other);
    heap_end();
}

/* They are likely to be wanted again, as they are. */
static void blocks_that_never_grew_arent_lent(void)
{
    if (!heap_boot())
        return;
    /* The heap was larger once: so what follows isn't growth, for which the regular would pay. */
    quire_heap_free(&heap_cache, quire_heap_alloc(&heap_cache, MOST + MOST / 4));
    for (unsigned round = 0; round < 8; round++) {
        void *block = quire_heap_alloc(&heap_cache, MOST);
        quire_heap_free(&heap_cache, block);
    }
    CHECK_EQ(large()->nr_regulars, 1);
    char *buffer = grow(NULL, 16, 2 * QUIRE_PAGE_SIZE);
    CHECK_EQ(nr_lent(), 0);
    unsigned long calls = heap_machine.nr_calls;
    void *block = quire_heap_alloc(&heap_cache, MOST);
    CHECK_EQ(heap_machine.nr_calls, calls);
    quire_heap_free(&heap_cache, block);
    quire_heap_free(&heap_cache, buffer);
    heap_end();
}

static void what_is_lent_counts_as_kept(void)
{
    if (!prepare())
        return;
    size_t room = heap_info().kept;
    char *buffer = lend();
    size_t own = 32 * QUIRE_PAGE_SIZE; /* the next power of two */
    struct quire_heap_info info = heap_info();
    CHECK_EQ(quire_heap_usable_size(heap_machine.heap, buffer), own);
    CHECK_EQ(info.large, SOME);
    CHECK_EQ(info.nr_large, 1);
    CHECK_EQ(info.kept, room - own);
    CHECK_EQ(info.free_resident, info.dirty + info.slots + info.cached + (room - own) / 2);
    pattern_write(buffer, own, 6);
    REQUIRE((buffer = quire_heap_realloc(&heap_cache, buffer, own + 1)));
    CHECK(pattern_is(buffer, own, 6));
    quire_heap_check(heap_machine.heap);
    quire_heap_free(&heap_cache, buffer);
    CHECK_EQ(heap_info().kept, room);
    heap_end();
}

/* And what grew goes on from where it is. */
static void who_needs_memory_gets_what_is_lent(void)
{
    if (!prepare())
        return;
    char *buffer = lend();
    unsigned long calls = heap_machine.nr_calls;
    char *other = quire_heap_alloc(&heap_cache, MOST / 2);
    REQUIRE(other);
    CHECK_EQ(heap_machine.nr_calls, calls);
    CHECK_EQ(nr_lent(), 0);
    CHECK(other == buffer + 32 * QUIRE_PAGE_SIZE);
    pattern_write(other, MOST / 2, 7);
    CHECK(pattern_is(buffer, SOME, 5));
    CHECK_EQ(quire_heap_usable_size(heap_machine.heap, buffer), 32 * QUIRE_PAGE_SIZE);
    CHECK_EQ(heap_info().large, SOME + MOST / 2);
    quire_heap_free(&heap_cache, other);
    buffer = grow(buffer, 2 * SOME, MOST / 2);
    CHECK(pattern_is(buffer, SOME, 5));
    quire_heap_free(&heap_cache, buffer);
    heap_end();
}

static void a_block_that_becomes_smaller_keeps_nothing_of_it(void)
{
    if (!prepare())
        return;
    size_t room = heap_info().kept;
    char *buffer = grow(lend(), 2 * SOME, 5 * SOME);
    unsigned long remaps = heap_machine.remaps, unmaps = heap_machine.unmaps;
    size_t own = quire_heap_usable_size(heap_machine.heap, buffer), less = own - QUIRE_PAGE_SIZE;
    REQUIRE((buffer = quire_heap_realloc(&heap_cache, buffer, own)));
    CHECK(quire_heap_realloc(&heap_cache, buffer, less) == buffer);
    CHECK_EQ(nr_lent(), 0);
    CHECK_EQ(heap_machine.remaps, remaps);
    CHECK_EQ(heap_machine.unmaps, unmaps);
    CHECK_EQ(heap_info().large, less);
    CHECK_EQ(heap_info().kept, room - own);
    CHECK(pattern_is(buffer, SOME, 5));
    CHECK((buffer = quire_heap_realloc(&heap_cache, buffer, 100))); /* a small one */
    CHECK_EQ(heap_info().large, 0);
    quire_heap_free(&heap_cache, buffer);
    heap_end();
}

static void who_becomes_small_again_gives_all_back(void)
{
    if (!prepare())
        return;
    size_t room = heap_info().kept;
    char *buffer = quire_heap_realloc(&heap_cache, lend(), 100);
    CHECK_EQ(heap_info().kept, room);
    quire_heap_free(&heap_cache, buffer);
    heap_end();
}

static void what_stops_growing_is_lent_nothing_any_more(void)
{
    if (!prepare())
        return;
    char *buffer = lend();
    quire_heap_set_decay(heap_machine.heap, 0);
    (void)large_release(heap_machine.heap, false); /* sees that it is lent */
    CHECK_EQ(nr_lent(), 1);
    (void)large_release(heap_machine.heap, false); /* and hasn't grown since */
    CHECK_EQ(nr_lent(), 0);
    CHECK(heap_info().kept > 0);
    (void)large_release(heap_machine.heap, false);
    CHECK_EQ(heap_info().kept, 0);
    CHECK(pattern_is(buffer, SOME, 5));
    quire_heap_free(&heap_cache, buffer);
    heap_end();
}

static void what_goes_on_growing_stays_lent(void)
{
    if (!prepare())
        return;
    char *buffer = lend();
    quire_heap_set_decay(heap_machine.heap, 0);
    for (size_t size = SOME; size < MOST / 4; size *= 2) {
        (void)large_release(heap_machine.heap, false);
        CHECK(quire_heap_realloc(&heap_cache, buffer, size * 2) == buffer);
        CHECK_EQ(nr_lent(), 1);
    }
    quire_heap_free(&heap_cache, buffer);
    heap_end();
}

/* Those who free large blocks look, too. */
static void loans_end_as_blocks_go(void)
{
    char *other[3];
    if (!heap_boot())
        return;
    for (unsigned i = 0; i < 3; i++)
        REQUIRE((other[i] = quire_heap_alloc(&heap_cache, MOST)));
    come_and_go();
    char *buffer = lend();
    quire_heap_set_decay(heap_machine.heap, 0);
    for (unsigned i = 0; i < 3; i++)
        quire_heap_free(&heap_cache, other[i]);
    CHECK_EQ(nr_lent(), 0);
    CHECK(pattern_is(buffer, SOME, 5));
    quire_heap_free(&heap_cache, buffer);
    heap_end();
}

static void trimming_ends_loans(void)
{
    if (!prepare())
        return;
    size_t room = heap_info().kept;
    char *buffer = lend();
    CHECK(quire_heap_trim(heap_machine.heap, &heap_cache) >= room - 32 * QUIRE_PAGE_SIZE);
    CHECK_EQ(nr_lent(), 0);
    CHECK_EQ(heap_info().kept, 0);
    CHECK(pattern_is(buffer, SOME, 5));
    CHECK_EQ(quire_heap_usable_size(heap_machine.heap, buffer), 32 * QUIRE_PAGE_SIZE);
    quire_heap_free(&heap_cache, buffer);
    heap_end();
}

static void a_block_with_a_loan_that_is_freed_twice_is_told(void)
{
    if (!prepare())
        return;
    char *buffer = lend();
    quire_heap_free(&heap_cache, buffer + QUIRE_PAGE_SIZE);
    CHECK(heap_caught("free of what is no block"));
    quire_heap_free(&heap_cache, buffer);
    quire_heap_free(&heap_cache, buffer);
    CHECK(heap_caught("free of what is no block, or was freed before"));
    CHECK(!quire_heap_realloc(&heap_cache, buffer, 2 * SOME));
    CHECK(heap_caught("realloc of what is no block"));
    heap_end();
}

static void what_needs_more_than_it_is_lent_has_it_all_first(void)
{
    if (!prepare())
        return;
    size_t room = large()->regular_bytes, others = heap_info().kept - room;
    char *buffer = lend();
    REQUIRE((buffer = quire_heap_realloc(&heap_cache, buffer, room)));
    CHECK_EQ(nr_lent(), 0); /* it is all its own */
    CHECK_EQ(quire_heap_usable_size(heap_machine.heap, buffer), room);
    CHECK_EQ(heap_info().kept, others);
    REQUIRE((buffer = quire_heap_realloc(&heap_cache, buffer, 2 * room)));
    CHECK(pattern_is(buffer, SOME, 5));
    CHECK_EQ(heap_info().large, 2 * room);
    quire_heap_free(&heap_cache, buffer);
    heap_end();
}

/* What the heap has, and may have: each begins with where the one before it is. */
struct everything {
    void **runs, **records;
};

static void chain(void ***last, void *block)
{
    *(void **)block = *last;
    *last = block;
}

static void *unchain(void ***last)
{
    void *block = *last;
    *last = **last;
    return block;
}

static struct everything take_everything(void)
{
    struct everything all = {0};
    void *block;
    heap_machine.fail_at = heap_machine.nr_calls + 1;
    heap_machine.fail_all = true;
    while ((block = run_take(heap_machine.heap, 1, 0)))
        chain(&all.runs, block);
    while (quire_kmem_cache_take(large()->records, HEAP_GFP, 1, &block))
        chain(&all.records, block);
    return all;
}

static void give_back(struct everything all)
{
    void *block;
    heap_machine.fail_at = 0;
    while (all.records) {
        block = unchain(&all.records);
        quire_kmem_cache_put(large()->records, 1, &block);
    }
    while (all.runs) {
        block = unchain(&all.runs);
        central_put(heap_machine.heap, NR_SMALL + 1, 1, &block);
    }
}

/* There is no record for what would be left of it. */
static void a_loan_that_cant_end_stays(void)
{
    if (!prepare())
        return;
    char *buffer = lend();
    struct everything all = take_everything();
    CHECK(!quire_heap_alloc(&heap_cache, MOST / 2));
    CHECK_EQ(nr_lent(), 1);
    CHECK_EQ(quire_heap_usable_size(heap_machine.heap, buffer), 32 * QUIRE_PAGE_SIZE);
    CHECK(quire_heap_realloc(&heap_cache, buffer, 2 * SOME) == buffer);
    REQUIRE((buffer = quire_heap_realloc(&heap_cache, buffer, 2 * SOME - QUIRE_PAGE_SIZE)));
    CHECK(pattern_is(buffer, SOME, 5));
    give_back(all);
    quire_heap_check(heap_machine.heap);
    quire_heap_free(&heap_cache, buffer);
    heap_end();
}

static const struct test_case cases[] = {
    TEST_CASE(what_grows_again_and_again_stays_and_needs_no_lock),
    TEST_CASE(what_grows_once_isnt_lent_any),
    TEST_CASE(blocks_that_never_grew_arent_lent),
    TEST_CASE(what_is_lent_counts_as_kept),
    TEST_CASE(who_needs_memory_gets_what_is_lent),
    TEST_CASE(a_block_that_becomes_smaller_keeps_nothing_of_it),
    TEST_CASE(who_becomes_small_again_gives_all_back),
    TEST_CASE(what_stops_growing_is_lent_nothing_any_more),
    TEST_CASE(what_goes_on_growing_stays_lent),
    TEST_CASE(loans_end_as_blocks_go),
    TEST_CASE(trimming_ends_loans),
    TEST_CASE(a_block_with_a_loan_that_is_freed_twice_is_told),
    TEST_CASE(what_needs_more_than_it_is_lent_has_it_all_first),
    TEST_CASE(a_loan_that_cant_end_stays),
    {0},
};
const struct test_suite suite_heap_loan = {"heap_loan", cases};
