/* tests/unit/heap_cache_test.c: threads' stacks, and what is given back */
#include "tests/unit/heap_machine.h"

#include "heap/cache.h"

static void *block[4000];
static unsigned nr_more; /* of them, that a case's helper has taken */

static void a_freed_block_is_the_next_one_of_its_size(void)
{
    if (!heap_boot())
        return;
    for (size_t size = 1; size <= 32 * QUIRE_PAGE_SIZE; size += size / 3 + 1) {
        for (unsigned i = 0; i < 70; i++)
            REQUIRE((block[i] = quire_heap_alloc(&heap_cache, size)));
        for (unsigned i = 0; i < 70; i++)
            quire_heap_free(&heap_cache, block[i]);
        void *ptr = quire_heap_alloc(&heap_cache, size);
        quire_heap_free(&heap_cache, ptr);
        CHECK(quire_heap_alloc(&heap_cache, size) == ptr);
        quire_heap_free(&heap_cache, ptr);
    }
    heap_end();
}

static void stacks_grow_with_use_up_to_their_limit(void)
{
    if (!heap_boot())
        return;
    size_t class = small_class(64);
    unsigned before = 0;
    for (unsigned round = 0; round < 8; round++) {
        for (unsigned i = 0; i < 500; i++)
            REQUIRE((block[i] = quire_heap_alloc(&heap_cache, 64)));
        for (unsigned i = 0; i < 500; i++)
            quire_heap_free(&heap_cache, block[i]);
        CHECK(heap_cache.capacity[class] >= before);
        before = heap_cache.capacity[class];
        CHECK(stack_count(&heap_cache, class) <= before);
    }
    CHECK_EQ(before, STACK_MOST);
    heap_end();
}

static void all_stacks_together_stay_within_their_bound(void)
{
    enum { THREADS = 50 };
    static struct quire_heap_cache caches[THREADS];
    size_t bound = 256 << 10;
    if (!heap_boot_with(&(struct quire_heap_config){.cache_bytes = bound}))
        return;
    for (unsigned t = 0; t < THREADS; t++) {
        quire_heap_cache_init(&caches[t]);
        REQUIRE(!quire_heap_cache_attach(heap_machine.heap, &caches[t]));
        for (size_t size = 16; size <= 8192; size *= 2)
            for (unsigned i = 0; i < 200; i++)
                REQUIRE((block[i] = quire_heap_alloc(&caches[t], size)));
        for (unsigned round = 0; round < 3; round++)
            for (unsigned i = 0; i < 200; i++) {
                quire_heap_free(&caches[t], block[i]);
                REQUIRE((block[i] = quire_heap_alloc(&caches[t], 8192)));
            }
        for (unsigned i = 0; i < 200; i++)
            quire_heap_free(&caches[t], block[i]);
    }
    CHECK(heap_info().cached <= bound);
    CHECK_EQ(heap_info().nr_caches, THREADS + 1);
    for (unsigned t = 0; t < THREADS; t++)
        quire_heap_cache_detach(&caches[t]);
    CHECK_EQ(heap_info().cached, 0);
    heap_machine.mistakes = 0;
    /* What this test dropped on purpose. */
    CHECK(heap_info().nr_blocks > 0);
    quire_heap_cache_detach(&heap_cache);
    quire_heap_destroy(heap_machine.heap);
}

enum { MORE = 3 * STACK_MOST }; /* blocks than a stack holds */

/* Takes blocks of many sizes and frees them: its stacks grow as far as they may. */
static void keep_busy(struct quire_heap_cache *cache, unsigned rounds)
{
    for (size_t size = 16; size <= 1024; size *= 2)
        for (unsigned round = 0; round < rounds; round++) {
            for (unsigned i = 0; i < MORE; i++)
                REQUIRE((block[i] = quire_heap_alloc(cache, size)));
            for (unsigned i = 0; i < MORE; i++)
                quire_heap_free(cache, block[i]);
        }
}

static void who_comes_late_has_stacks_too(void)
{
    enum { THREADS = 40 };
    static struct quire_heap_cache caches[THREADS];
    size_t bound = 4 << 20;
    if (!heap_boot_with(&(struct quire_heap_config){.cache_bytes = bound}))
        return;
    for (unsigned t = 0; t < THREADS; t++) {
        quire_heap_cache_init(&caches[t]);
        REQUIRE(!quire_heap_cache_attach(heap_machine.heap, &caches[t]));
        keep_busy(&caches[t], 6);
        CHECK(caches[t].capacity[small_class(16)]);
        CHECK(caches[t].capacity[small_class(64)]);
        unsigned long idle = heap_machine.heap->nr_idle;
        CHECK(caches[t].room <= bound / (t + 2 - idle));
    }
    CHECK(heap_info().cached <= bound);
    quire_heap_check(heap_machine.heap);
    for (unsigned t = 0; t < THREADS; t++)
        quire_heap_cache_detach(&caches[t]);
    heap_end();
}

/* A stack of `idle` becomes large, and is empty. */
static void empty_a_stack(struct quire_heap_cache *idle)
{
    size_t class = small_class(1024);
    keep_busy(idle, 8);
    for (unsigned i = MORE; i < MORE + 400; i++)
        REQUIRE((block[i] = quire_heap_alloc(idle, 1024)));
    nr_more = MORE + 400;
    while (stack_count(idle, class))
        REQUIRE((block[nr_more++] = quire_heap_alloc(idle, 1024)));
}

static void free_more(struct quire_heap_cache *cache)
{
    while (nr_more > MORE)
        quire_heap_free(cache, block[--nr_more]);
}

static void room_that_an_idle_thread_has_no_use_for_goes_to_others(void)
{
    struct quire_heap_cache idle;
    if (!heap_boot_with(&(struct quire_heap_config){.cache_bytes = 256 << 10}))
        return;
    quire_heap_cache_init(&idle);
    REQUIRE(!quire_heap_cache_attach(heap_machine.heap, &idle));
    empty_a_stack(&idle);
    size_t room = idle.room;
    keep_busy(&heap_cache, 40);
    CHECK(idle.waived >= idle.capacity[small_class(1024)] * 1024u);
    CHECK(heap_cache.room + idle.room - idle.waived <= 256 << 10);
    quire_heap_check(heap_machine.heap);
    /* Others give theirs up, and it has what it had. */
    quire_heap_cache_detach(&heap_cache);
    REQUIRE((block[nr_more++] = quire_heap_alloc(&idle, 1024)));
    CHECK_EQ(idle.waived, 0);
    CHECK(idle.room >= room);
    quire_heap_check(heap_machine.heap);
    free_more(&idle);
    quire_heap_cache_detach(&idle);
    REQUIRE(!quire_heap_cache_attach(heap_machine.heap, &heap_cache));
    heap_end();
}

/* Whether somebody looked who is idle while `cache` was refused room so many times. */
static bool is_looked_at_in(struct quire_heap_cache *idle, struct quire_heap_cache *cache,
                            unsigned refusals)
{
    idle->seen_visits = idle->nr_visits - 1;
    while (refusals--)
        CHECK(!room_take(cache, SIZE_MAX / 2));
    return idle->seen_visits == idle->nr_visits;
}

static void threads_that_come_and_go_seldom_look_at_those_that_wait(void)
{
    enum { THREADS = 40, REFUSALS = 20 };
    static struct quire_heap_cache idle[THREADS];
    struct quire_heap_cache brief;
    unsigned nr_looked = 0;
    if (!heap_boot())
        return;
    for (unsigned t = 0; t < THREADS; t++) {
        quire_heap_cache_init(&idle[t]);
        REQUIRE(!quire_heap_cache_attach(heap_machine.heap, &idle[t]));
    }
    for (unsigned t = 0; t < 10 * THREADS; t++) {
        quire_heap_cache_init(&brief);
        REQUIRE(!quire_heap_cache_attach(heap_machine.heap, &brief));
        nr_looked += is_looked_at_in(&idle[0], &brief, REFUSALS);
        quire_heap_cache_detach(&brief);
    }
    CHECK(nr_looked <= 10 * REFUSALS / 16);
    CHECK(is_looked_at_in(&idle[0], &heap_cache, 17 * (THREADS + 1)));
    for (unsigned t = 0; t < THREADS; t++)
        quire_heap_cache_detach(&idle[t]);
    heap_end();
}

static void who_comes_by_when_its_room_is_gone_has_room_for_what_it_holds(void)
{
    enum { THREADS = 20 };
    static struct quire_heap_cache caches[THREADS];
    struct quire_heap_cache *idle = &caches[0];
    size_t bound = 64 << 10;
    if (!heap_boot_with(&(struct quire_heap_config){.cache_bytes = bound}))
        return;
    quire_heap_cache_detach(&heap_cache);
    for (unsigned t = 0; t < THREADS; t++) {
        quire_heap_cache_init(&caches[t]);
        REQUIRE(!quire_heap_cache_attach(heap_machine.heap, &caches[t]));
        if (!t)
            empty_a_stack(idle);
        else
            keep_busy(&caches[t], 40);
    }
    REQUIRE(idle->waived);
    size_t held = idle->room - idle->waived;
    heap_machine.heap->cache_bytes = 0; /* as if others had all of it */
    REQUIRE((block[nr_more++] = quire_heap_alloc(idle, 1024)));
    CHECK_EQ(idle->waived, 0);
    CHECK_EQ(idle->room, held);
    CHECK_EQ(idle->capacity[small_class(1024)], 0);
    quire_heap_check(heap_machine.heap);
    /* A stack that has been cut to nothing is full and empty, and grows again. */
    quire_heap_free(idle, block[--nr_more]);
    CHECK_EQ(stack_count(idle, small_class(1024)), 0);
    heap_machine.heap->cache_bytes = bound << 4;
    free_more(idle);
    keep_busy(idle, 8);
    CHECK(idle->capacity[small_class(1024)] > 8);
    quire_heap_check(heap_machine.heap);
    for (unsigned t = 0; t < THREADS; t++)
        quire_heap_cache_detach(&caches[t]);
    CHECK_EQ(heap_machine.heap->caches_room, 0);
    REQUIRE(!quire_heap_cache_attach(heap_machine.heap, &heap_cache));
    heap_end();
}

static void a_thread_that_ends_gives_all_back(void)
{
    if (!heap_boot())
        return;
    struct quire_heap_cache other;
    quire_heap_cache_init(&other);
    REQUIRE(!quire_heap_cache_attach(heap_machine.heap, &other));
    for (unsigned i = 0; i < 1000; i++)
        REQUIRE((block[i] = quire_heap_alloc(&heap_cache, 200)));
    for (unsigned i = 0; i < 1000; i++)
        quire_heap_free(&other, block[i]);
    CHECK(heap_info().nr_cached > 0);
    quire_heap_cache_detach(&other);
    CHECK_EQ(heap_info().nr_caches, 1);
    /* Without stacks it still works. */
    quire_heap_cache_init(&other);
    other.heap = heap_machine.heap;
    void *ptr = quire_heap_alloc(&other, 77);
    REQUIRE(ptr);
    quire_heap_free(&other, ptr);
    quire_heap_cache_detach(&heap_cache);
    quire_heap_settle(heap_machine.heap);
    CHECK_EQ(heap_info().nr_cached, 0);
    REQUIRE(!quire_heap_cache_attach(heap_machine.heap, &heap_cache));
    heap_end();
}

static unsigned looks;

/* As a signal handler would find it. */
static void look_at_the_stack_that_is_filled(void)
{
    size_t class = NR_SMALL + 4;
    CHECK(heap_cache.capacity[class]);
    CHECK(!stack_pop(&heap_cache, class));
    CHECK(!stack_push(&heap_cache, class, block[0]));
    CHECK_EQ(stack_count(&heap_cache, class), 0);
    looks++;
}

static void nobody_uses_a_stack_that_is_being_changed(void)
{
    size_t size = 4 * QUIRE_PAGE_SIZE;
    void **chain = NULL, **next;
    if (!heap_boot())
        return;
    for (unsigned i = 0; i < 200; i++)
        REQUIRE((block[i] = quire_heap_alloc(&heap_cache, size)));
    for (unsigned i = 0; i < 200; i++)
        quire_heap_free(&heap_cache, block[i]);
    REQUIRE((block[0] = quire_heap_alloc(&heap_cache, 100)));
    looks = 0;
    heap_machine.on_call = look_at_the_stack_that_is_filled;
    while (!looks && (next = quire_heap_alloc(&heap_cache, size))) {
        *next = chain;
        chain = next;
    }
    heap_machine.on_call = NULL;
    CHECK(looks > 0);
    for (; chain; chain = next) {
        next = *chain;
        quire_heap_free(&heap_cache, chain);
    }
    quire_heap_free(&heap_cache, block[0]);
    heap_end();
}

static void caches_of_threads_that_are_gone_are_adopted(void)
{
    enum { THREADS = 5 };
    static struct quire_heap_cache gone[THREADS];
    if (!heap_boot())
        return;
    for (unsigned t = 0; t < THREADS; t++) {
        quire_heap_cache_init(&gone[t]);
        REQUIRE(!quire_heap_cache_attach(heap_machine.heap, &gone[t]));
        for (unsigned i = 0; i < 500; i++)
            REQUIRE((block[i] = quire_heap_alloc(&gone[t], 100)));
        for (unsigned i = 0; i < 500; i++)
            quire_heap_free(&gone[t], block[i]);
    }
    for (unsigned round = 0; round < 2; round++) { /* a child's child leaves them once more */
        CHECK(quire_heap_leave_others(heap_machine.heap, &heap_cache));
        __builtin_memset(gone, 0xee, sizeof gone);
        quire_heap_check(heap_machine.heap);
        CHECK_EQ(heap_info().nr_caches, THREADS + 1 - round);
        CHECK(quire_heap_adopt(heap_machine.heap));
    }
    while (quire_heap_adopt(heap_machine.heap))
        ;
    CHECK_EQ(heap_info().nr_caches, 1);
    CHECK(!quire_heap_leave_others(heap_machine.heap, &heap_cache));
    heap_end();
}

/* ---- giving back ----------------------------------------------------------------------------- */

static void trim_gives_free_pages_back(void)
{
    if (!heap_boot_with(&(struct quire_heap_config){.decay_ns = ~0ull >> 1}))
        return;
    quire_heap_set_trim_threshold(heap_machine.heap, SIZE_MAX);
    for (unsigned i = 0; i < 4000; i++) {
        REQUIRE((block[i] = quire_heap_alloc(&heap_cache, 1000)));
        __builtin_memset(block[i], 1, 1000);
    }
    for (unsigned i = 0; i < 4000; i++)
        quire_heap_free(&heap_cache, block[i]);
    quire_heap_cache_flush(&heap_cache);
    CHECK(heap_info().dirty > 0);
    CHECK_EQ(heap_info().nr_given_back, 0);
    CHECK(quire_heap_trim(heap_machine.heap, &heap_cache) > 0);
    CHECK_EQ(heap_info().dirty, 0);
    CHECK(heap_info().nr_given_back > 0);
    CHECK_EQ(quire_heap_trim(heap_machine.heap, &heap_cache), 0);
    heap_end();
}

/* They are of slabs of two pages: some hold no block that is in use. */
static void trim_gives_pages_back_that_hold_no_block(void)
{
    enum { SIZE = QUIRE_PAGE_SIZE / 128 * 15, COUNT = 1000, STEP = 20 };
    if (!heap_boot())
        return;
    quire_heap_set_trim_threshold(heap_machine.heap, ~0ul); /* nothing goes before */
    for (unsigned i = 0; i < COUNT; i++) {
        REQUIRE((block[i] = quire_heap_alloc(&heap_cache, SIZE)));
        pattern_write(block[i], SIZE, i);
    }
    for (unsigned i = 0; i < COUNT; i++)
        if (i % STEP)
            quire_heap_free(&heap_cache, block[i]);
    quire_heap_cache_flush(&heap_cache);
    struct quire_heap_info before = heap_info();
    CHECK(quire_heap_trim(heap_machine.heap, &heap_cache) > 0);
    struct quire_heap_info after = heap_info();
    size_t pages = COUNT * SIZE / QUIRE_PAGE_SIZE;
    CHECK_EQ(after.used, before.used);
    CHECK(after.slots < before.slots - pages / 4 * QUIRE_PAGE_SIZE);
    CHECK(after.free_resident < before.free_resident - pages / 4 * QUIRE_PAGE_SIZE);
    for (unsigned i = 0; i < COUNT; i += STEP)
        CHECK(pattern_is(block[i], SIZE, i));
    for (unsigned i = 0; i < COUNT; i++) {
        if (i % STEP)
            REQUIRE((block[i] = quire_heap_alloc(&heap_cache, SIZE)));
        pattern_write(block[i], SIZE, i);
    }
    for (unsigned i = 0; i < COUNT; i++) {
        CHECK(pattern_is(block[i], SIZE, i));
        quire_heap_free(&heap_cache, block[i]);
    }
    heap_end();
}

static void what_a_program_is_done_with_goes_back_at_once(void)
{
    if (!heap_boot())
        return;
    size_t size = 25 * QUIRE_PAGE_SIZE;
    quire_heap_set_trim_threshold(heap_machine.heap, 32 * QUIRE_PAGE_SIZE);
    for (unsigned i = 0; i < 4; i++)
        REQUIRE((block[i] = quire_heap_alloc(&heap_cache, size)));
    for (unsigned i = 0; i < 4; i++)
        quire_heap_free(&heap_cache, block[i]);
    CHECK(heap_info().nr_given_back > 0);
    heap_end();
}

static void large_blocks_are_unmapped_at_first_then_kept(void)
{
    if (!heap_boot())
        return;
    size_t size = 500 * QUIRE_PAGE_SIZE;
    unsigned long maps = 0;
    for (unsigned round = 0; round < 10; round++) {
        for (unsigned i = 0; i < 4; i++)
            REQUIRE((block[i] = quire_heap_alloc(&heap_cache, size)));
        quire_heap_free(&heap_cache, block[0]);
        if (!round)
            CHECK_EQ(heap_machine.unmaps, 1);
        for (unsigned i = 1; i < 4; i++)
            quire_heap_free(&heap_cache, block[i]);
        if (round == 4)
            maps = heap_machine.maps;
    }
    CHECK_EQ(heap_machine.maps, maps);
    CHECK_EQ(heap_info().kept, 4 * size);
    heap_end();
}

static void what_is_kept_never_adds_to_the_most_that_is_mapped(void)
{
    if (!heap_boot())
        return;
    for (size_t pages = 50; pages < 2000; pages += pages / 2) {
        size_t size = pages * QUIRE_PAGE_SIZE;
        for (unsigned i = 0; i < 3; i++) {
            void *ptr = quire_heap_alloc(&heap_cache, size);
            REQUIRE(ptr);
            quire_heap_free(&heap_cache, ptr);
        }
        struct quire_heap_info info = heap_info();
        CHECK(info.kept + info.large <= info.peak_large + size / 8);
    }
    heap_end();
}

enum { RUN_PAGES = 8, MOST_RUNS = 500 };
static void *run[MOST_RUNS];

/* In turns of taking and freeing `count` blocks of 500 pages become kept ones, then regulars. */
static void keep_large_blocks(unsigned count, unsigned turns)
{
    while (turns--) {
        for (unsigned i = 0; i < count; i++)
            REQUIRE((block[i] = quire_heap_alloc(&heap_cache, 500 * QUIRE_PAGE_SIZE)));
        for (unsigned i = 0; i < count; i++)
            quire_heap_free(&heap_cache, block[i]);
    }
}

static void take_runs(unsigned count)
{
    for (unsigned i = 0; i < count; i++)
        REQUIRE((run[i] = quire_heap_alloc(&heap_cache, RUN_PAGES * QUIRE_PAGE_SIZE)));
}

static void drop_runs(unsigned count)
{
    for (unsigned i = 0; i < count; i++)
        quire_heap_free(&heap_cache, run[i]);
}

/* Pages of small blocks that take memory, and those of `large` bytes. */
static size_t pages_with(size_t large)
{
    return heap_machine.heap->pages_peak + large / QUIRE_PAGE_SIZE;
}

static void small_blocks_have_kept_ones_unmapped(unsigned turns)
{
    if (!heap_boot())
        return;
    keep_large_blocks(4, turns);
    CHECK(heap_info().kept >= 1500 * QUIRE_PAGE_SIZE);
    size_t most = pages_with(heap_info().peak_large),
           slack = (256u << 10) / QUIRE_PAGE_SIZE + 2 * RUN_PAGES;
    for (unsigned i = 0; i < MOST_RUNS; i++) {
        REQUIRE((run[i] = quire_heap_alloc(&heap_cache, RUN_PAGES * QUIRE_PAGE_SIZE)));
        CHECK(pages_with(heap_info().kept) <= most + slack || !heap_info().kept);
    }
    CHECK_EQ(heap_info().kept, 0);
    drop_runs(MOST_RUNS);
    heap_end();
}

static void what_is_kept_never_adds_to_the_most_that_small_blocks_take(void)
{
    small_blocks_have_kept_ones_unmapped(2);
}

static void nor_do_blocks_that_come_and_go(void)
{
    small_blocks_have_kept_ones_unmapped(8);
}

static void what_is_kept_stays_where_the_heap_was_as_large_before(void)
{
    if (!heap_boot())
        return;
    take_runs(300);
    drop_runs(300);
    (void)quire_heap_trim(heap_machine.heap, &heap_cache);
    keep_large_blocks(2, 2);
    size_t kept = heap_info().kept;
    take_runs(150);
    CHECK(kept > 0);
    CHECK_EQ(heap_info().kept, kept);
    drop_runs(150);
    heap_end();
}

static unsigned long unmapped_pages_of(size_t size)
{
    struct quire_heap_large_info info = {0};
    CHECK(!quire_heap_large_info(heap_machine.heap, large_number(size), &info));
    return info.unmapped_pages;
}

static void what_is_cut_off_a_kept_block_counts_where_the_block_does(void)
{
    if (!heap_boot())
        return;
    keep_large_blocks(1, 2);
    size_t kept = heap_info().kept, size = 500 * QUIRE_PAGE_SIZE;
    unsigned long before = unmapped_pages_of(size), little = unmapped_pages_of(1);
    REQUIRE(kept >= size);
    large_release_oldest(heap_machine.heap, 100 * QUIRE_PAGE_SIZE);
    CHECK_EQ(heap_info().kept, kept - 100 * QUIRE_PAGE_SIZE);
    CHECK_EQ(unmapped_pages_of(size), before + 100);
    CHECK_EQ(unmapped_pages_of(1), little);
    heap_end();
}

static void kept_blocks_are_cut_and_joined(void)
{
    if (!heap_boot())
        return;
    size_t size = 1200 * QUIRE_PAGE_SIZE;
    for (unsigned i = 0; i < 2; i++) {
        REQUIRE((block[0] = quire_heap_alloc(&heap_cache, size)));
        quire_heap_free(&heap_cache, block[0]);
    }
    unsigned long maps = heap_machine.maps;
    for (unsigned round = 0; round < 3; round++) {
        for (unsigned i = 0; i < 3; i++) {
            REQUIRE((block[i] = quire_heap_alloc(&heap_cache, size / 3)));
            pattern_write(block[i], size / 3, i);
        }
        CHECK_EQ(heap_info().kept, 0);
        for (unsigned i = 0; i < 3; i++) {
            CHECK(pattern_is(block[i], size / 3, i));
            quire_heap_free(&heap_cache, block[i]);
        }
        REQUIRE((block[0] = quire_heap_alloc(&heap_cache, size)));
        CHECK_EQ(heap_info().nr_kept, 0);
        quire_heap_free(&heap_cache, block[0]);
    }
    CHECK_EQ(heap_machine.maps, maps);
    heap_end();
}

static void blocks_count_as_mapped_from_the_threshold_on(void)
{
    if (!heap_boot())
        return;
    size_t size = 100 * QUIRE_PAGE_SIZE;
    REQUIRE((block[0] = quire_heap_alloc(&heap_cache, size)));
    CHECK_EQ(heap_info().mapped, size);
    quire_heap_free(&heap_cache, block[0]);
    REQUIRE((block[0] = quire_heap_alloc(&heap_cache, size / 2)));
    CHECK_EQ(heap_info().nr_mapped, 0); /* the threshold followed */
    quire_heap_free(&heap_cache, block[0]);
    quire_heap_set_map_threshold(heap_machine.heap, 10 * QUIRE_PAGE_SIZE, 1, true);
    REQUIRE((block[0] = quire_heap_alloc(&heap_cache, size)));
    REQUIRE((block[1] = quire_heap_alloc(&heap_cache, 10 * QUIRE_PAGE_SIZE)));
    CHECK_EQ(heap_info().nr_large, 2);
    CHECK_EQ(heap_info().nr_mapped, 1);
    quire_heap_free(&heap_cache, block[0]);
    quire_heap_free(&heap_cache, block[1]);
    heap_end();
}

static const struct test_case cases[] = {
    TEST_CASE(a_freed_block_is_the_next_one_of_its_size),
    TEST_CASE(stacks_grow_with_use_up_to_their_limit),
    TEST_CASE(all_stacks_together_stay_within_their_bound),
    TEST_CASE(who_comes_late_has_stacks_too),
    TEST_CASE(room_that_an_idle_thread_has_no_use_for_goes_to_others),
    TEST_CASE(threads_that_come_and_go_seldom_look_at_those_that_wait),
    TEST_CASE(who_comes_by_when_its_room_is_gone_has_room_for_what_it_holds),
    TEST_CASE(a_thread_that_ends_gives_all_back),
    TEST_CASE(nobody_uses_a_stack_that_is_being_changed),
    TEST_CASE(caches_of_threads_that_are_gone_are_adopted),
    TEST_CASE(trim_gives_free_pages_back),
    TEST_CASE(trim_gives_pages_back_that_hold_no_block),
    TEST_CASE(what_a_program_is_done_with_goes_back_at_once),
    TEST_CASE(large_blocks_are_unmapped_at_first_then_kept),
    TEST_CASE(what_is_kept_never_adds_to_the_most_that_is_mapped),
    TEST_CASE(what_is_kept_never_adds_to_the_most_that_small_blocks_take),
    TEST_CASE(nor_do_blocks_that_come_and_go),
    TEST_CASE(what_is_kept_stays_where_the_heap_was_as_large_before),
    TEST_CASE(what_is_cut_off_a_kept_block_counts_where_the_block_does),
    TEST_CASE(kept_blocks_are_cut_and_joined),
    TEST_CASE(blocks_count_as_mapped_from_the_threshold_on),
    {0},
};
const struct test_suite suite_heap_cache = {"heap_cache", cases};
