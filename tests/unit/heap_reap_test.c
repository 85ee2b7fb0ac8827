/* tests/unit/heap_reap_test.c: what lies on the stacks of threads that wait goes to others */
#include "tests/unit/heap_machine.h"

#include "heap/cache.h"

enum { SIZE = 64, BOUND = 256 << 10 };
enum { MORE = 3 * STACK_MOST }; /* blocks than a stack holds */
static void *block[600];
static struct quire_heap_cache idle;

static bool boot(void)
{
    heap_fences = true;
    bool is_up = heap_boot_with(&(struct quire_heap_config){.cache_bytes = BOUND});
    heap_fences = false;
    return is_up;
}

static void attach(struct quire_heap_cache *cache)
{
    quire_heap_cache_init(cache);
    REQUIRE(!quire_heap_cache_attach(heap_machine.heap, cache));
}

/* Its stacks grow as far as they may, and are full in the end, or nearly. */
static void fill(struct quire_heap_cache *cache)
{
    for (size_t size = 16; size <= 1024; size *= 2)
        for (unsigned round = 0; round < 8; round++) {
            for (unsigned i = 0; i < MORE; i++)
                REQUIRE((block[i] = quire_heap_alloc(cache, size)));
            for (unsigned i = 0; i < MORE; i++)
                quire_heap_free(cache, block[i]);
        }
}

/* Twice, so that who doesn't come by in between is idle. */
static void look_for_idle_ones(void)
{
    for (unsigned i = 0; i < 2; i++) {
        heap_cache.nr_visits++;
        heap_machine.heap->refusals = heap_machine.heap->nr_caches; /* it is time */
        heap_cache.nr_refusals = ~0u;
        CHECK(!room_take(&heap_cache, SIZE_MAX / 2));
    }
}

static unsigned most_on_a_stack(const struct quire_heap_cache *cache)
{
    unsigned most = 0;
    for (size_t class = 1; class < NR_CLASSES; class ++)
        if (stack_count(cache, class) > most)
            most = stack_count(cache, class);
    return most;
}

static void what_lies_on_the_stacks_of_an_idle_thread_goes_to_others(void)
{
    if (!boot())
        return;
    attach(&idle);
    fill(&idle);
    CHECK(most_on_a_stack(&idle) > 8);
    size_t had = idle.room;
    fill(&heap_cache);
    look_for_idle_ones();
    CHECK_EQ(most_on_a_stack(&idle), 1);
    CHECK(idle.room - idle.waived < had / 8);
    CHECK_EQ(heap_machine.heap->rest, idle.room - idle.waived);
    CHECK_EQ(heap_machine.heap->nr_idle, 1);
    quire_heap_check(heap_machine.heap);
    /* Nothing is left to take. */
    unsigned fences = heap_machine.fences;
    look_for_idle_ones();
    CHECK_EQ(heap_machine.fences, fences);
    /* It works again. */
    fill(&idle);
    CHECK_EQ(idle.rest, 0);
    CHECK(!idle.is_idle);
    CHECK(most_on_a_stack(&idle) > 1);
    quire_heap_check(heap_machine.heap);
    quire_heap_cache_detach(&idle);
    heap_end();
}

/* Of a block that was freed twice, and allocated since, the second free lies below others. */
static void what_is_reaped_goes_back_only_if_nobody_has_it(void)
{
    void *twice, *others[2];
    if (!boot())
        return;
    attach(&idle);
    fill(&idle);
    REQUIRE((twice = quire_heap_alloc(&idle, SIZE)));
    for (unsigned i = 0; i < 2; i++)
        REQUIRE((others[i] = quire_heap_alloc(&idle, SIZE)));
    quire_heap_free(&idle, twice);
    quire_heap_free(&idle, twice);
    CHECK(quire_heap_alloc(&idle, SIZE) == twice);
    for (unsigned i = 0; i < 2; i++)
        quire_heap_free(&idle, others[i]);
    look_for_idle_ones();
    CHECK(heap_caught("double free, or written"));
    quire_heap_free(&heap_cache, twice);
    quire_heap_cache_detach(&idle);
    heap_end();
}

static void a_stack_that_was_reaped_has_room_for_one_more(void)
{
    size_t class = small_class(SIZE);
    if (!boot())
        return;
    attach(&idle);
    fill(&idle);
    for (unsigned i = 0; i < 8; i++)
        REQUIRE((block[i] = quire_heap_alloc(&idle, SIZE)));
    look_for_idle_ones();
    unsigned pushed = 0;
    while (pushed < 8 && stack_push(&idle, class, block[pushed]))
        pushed++;
    CHECK_EQ(pushed, 1);
    CHECK_EQ(stack_count(&idle, class), 2);
    quire_heap_check(heap_machine.heap);
    while (pushed < 8)
        quire_heap_free(&idle, block[pushed++]);
    CHECK(stack_count(&idle, class) > 2);
    quire_heap_cache_detach(&idle);
    heap_end();
}

static void a_thread_in_a_slow_path_is_left_alone(void)
{
    if (!boot())
        return;
    attach(&idle);
    fill(&idle);
    unsigned most = most_on_a_stack(&idle), fences = heap_machine.fences;
    cache_enter(&idle);
    look_for_idle_ones();
    CHECK_EQ(most_on_a_stack(&idle), most);
    CHECK_EQ(heap_machine.fences, fences + 1);
    CHECK(!idle.is_reaped);
    cache_leave(&idle);
    quire_heap_check(heap_machine.heap);
    quire_heap_cache_detach(&idle);
    heap_end();
}

/* Fewer than they are, by one call that claims room; the next ones go on where it stopped. */
static void many_idle_threads_are_reaped_some_at_a_time(void)
{
    enum { MANY = 40, AT_ONCE_MOST = 16, CALLS = (MANY + AT_ONCE_MOST - 1) / AT_ONCE_MOST };
    static struct quire_heap_cache many[MANY];
    unsigned reaped = 0, fences_most = 1 + 2 * AT_ONCE_MOST;
    if (!boot())
        return;
    for (unsigned t = 0; t < MANY; t++) {
        attach(&many[t]);
        for (unsigned i = 0; i < 100; i++)
            REQUIRE((block[i] = quire_heap_alloc(&many[t], SIZE)));
        for (unsigned i = 0; i < 100; i++)
            quire_heap_free(&many[t], block[i]);
        many[t].seen_visits = many[t].nr_visits; /* somebody looked */
    }
    heap_machine.heap->refusals = heap_machine.heap->nr_caches; /* one looks now, and not again */
    for (unsigned call = 0; call < CALLS; call++) {
        unsigned before = heap_machine.fences, had = reaped;
        heap_cache.nr_refusals = ~0u;
        CHECK(!room_take(&heap_cache, SIZE_MAX / 2));
        CHECK(heap_machine.fences - before <= fences_most);
        for (unsigned t = reaped = 0; t < MANY; t++)
            reaped += many[t].rest > 0;
        CHECK(reaped - had <= AT_ONCE_MOST);
        CHECK(reaped > had);
        if (!call) /* the next one of all ends: those behind it are still found */
            quire_heap_cache_detach(heap_machine.heap->reap_next);
    }
    CHECK_EQ(reaped, MANY - 1);
    CHECK(!heap_machine.heap->reap_next);
    quire_heap_check(heap_machine.heap);
    for (unsigned t = 0; t < MANY; t++)
        quire_heap_cache_detach(&many[t]);
    CHECK_EQ(heap_machine.heap->rest, 0);
    heap_end();
}

/* As of a thread that a fork left behind while it reaped. */
static void a_sign_that_nobody_takes_away_stops_nobody(void)
{
    if (!boot())
        return;
    attach(&idle);
    fill(&idle);
    idle.is_reaped = true;
    cache_enter(&idle);
    CHECK(!idle.is_reaped);
    cache_leave(&idle);
    idle.is_reaped = true;
    quire_heap_cache_detach(&idle);
    heap_end();
}

/* The same, while the ends of its stacks were stored. */
static void an_end_that_nobody_takes_away_refuses_no_block(void)
{
    size_t class = small_class(SIZE);
    if (!boot())
        return;
    attach(&idle);
    fill(&idle);
    unsigned count = stack_count(&idle, class);
    REQUIRE(count > 2);
    void **low = idle.slots + idle.place[class] + count - 1, *lost = *low;
    *low = stack_end();
    idle.is_reaped = true;
    for (unsigned i = 0; i < count; i++)
        CHECK((block[i] = quire_heap_alloc(&idle, SIZE)));
    for (unsigned i = 0; i < count; i++)
        quire_heap_free(&idle, block[i]);
    quire_heap_free(&heap_cache, lost);
    quire_heap_check(heap_machine.heap);
    quire_heap_cache_detach(&idle);
    heap_end();
}

static void a_fence_that_fails_leaves_all_as_it_was(void)
{
    for (unsigned long nth = 1; nth <= 2; nth++) {
        if (!boot())
            return;
        attach(&idle);
        fill(&idle);
        struct quire_heap_cache before = idle;
        void *slots[2 * STACK_MOST];
        void **bottom = idle.slots + idle.place[small_class(SIZE)];
        __builtin_memcpy(slots, bottom, (idle.capacity[small_class(SIZE)] + 2u) * sizeof *slots);
        heap_machine.nr_calls = 0;
        heap_machine.fail_at = nth;
        look_for_idle_ones();
        heap_machine.fail_at = 0;
        CHECK(heap_machine.nr_calls >= nth);
        CHECK(!__builtin_memcmp(before.top, idle.top, sizeof idle.top));
        CHECK(!__builtin_memcmp(before.capacity, idle.capacity, sizeof idle.capacity));
        CHECK(!__builtin_memcmp(before.place, idle.place, sizeof idle.place));
        CHECK(!__builtin_memcmp(slots, bottom,
                                (idle.capacity[small_class(SIZE)] + 2u) * sizeof *slots));
        quire_heap_check(heap_machine.heap);
        quire_heap_cache_detach(&idle);
        heap_end();
    }
}

/* ---- a thread that isn't idle after all ------------------------------------------------------ */

static unsigned nr_pops, nr_pushes, nr_hands, fences_before;
static void *hand[STACK_MOST];

/* The last fence of all, when ends of the stacks are stored: what the hot path can do. */
static void go_on(void)
{
    size_t class = small_class(SIZE);
    if (heap_machine.fences != fences_before + 2)
        return;
    for (unsigned i = 0; i < nr_pops && (hand[nr_hands] = stack_pop(&idle, class)); i++)
        nr_hands++;
    for (unsigned i = 0; i < nr_pushes && nr_hands; i++)
        if (stack_push(&idle, class, hand[nr_hands - 1]))
            nr_hands--;
}

static void reap_while_it_goes_on(unsigned less, unsigned pops, unsigned pushes)
{
    if (!boot())
        return;
    attach(&idle);
    fill(&idle);
    for (nr_hands = 0; nr_hands < less; nr_hands++)
        REQUIRE((hand[nr_hands] = quire_heap_alloc(&idle, SIZE)));
    nr_pops = pops;
    nr_pushes = pushes;
    fences_before = heap_machine.fences;
    heap_machine.on_fence = go_on;
    look_for_idle_ones();
    heap_machine.on_fence = NULL;
    quire_heap_check(heap_machine.heap);
    CHECK_EQ(heap_machine.fences, fences_before + 2);
    while (nr_hands)
        quire_heap_free(&idle, hand[--nr_hands]);
    quire_heap_cache_detach(&idle);
    heap_end();
}

static void who_goes_on_meanwhile_loses_nothing(void)
{
    for (unsigned less = 0; less < 8; less++)
        for (unsigned pops = 0; pops < 4; pops++)
            for (unsigned pushes = 0; pushes < 6; pushes++)
                reap_while_it_goes_on(less, pops, pushes);
}

/* ---- the bound ------------------------------------------------------------------------------- */

enum { THREADS = 160 };
static struct quire_heap_cache caches[THREADS];

static void stacks_of_any_number_of_threads_hold_what_they_may(void)
{
    size_t rest = 0;
    if (!boot())
        return;
    for (unsigned t = 0; t < THREADS; t++) {
        attach(&caches[t]);
        fill(&caches[t]);
        fill(&caches[t]);
        rest = heap_machine.heap->rest;
        CHECK(heap_info().cached <= (rest + BOUND / 4 > BOUND ? rest + BOUND / 4 : BOUND));
        CHECK(caches[t].room >= BOUND / 16);
        quire_heap_check(heap_machine.heap);
    }
    /* The seven classes that they used: a block of each on every stack. */
    CHECK(rest > BOUND / 4 * 3);
    CHECK(rest <= THREADS * (16u + 32 + 64 + 128 + 256 + 512 + 1024));
    for (unsigned t = 0; t < THREADS; t++)
        quire_heap_cache_detach(&caches[t]);
    CHECK_EQ(heap_machine.heap->rest, 0);
    CHECK_EQ(heap_machine.heap->caches_room, heap_cache.room);
    heap_end();
}

static const struct test_case cases[] = {
    TEST_CASE(what_lies_on_the_stacks_of_an_idle_thread_goes_to_others),
    TEST_CASE(what_is_reaped_goes_back_only_if_nobody_has_it),
    TEST_CASE(a_stack_that_was_reaped_has_room_for_one_more),
    TEST_CASE(a_thread_in_a_slow_path_is_left_alone),
    TEST_CASE(many_idle_threads_are_reaped_some_at_a_time),
    TEST_CASE(a_sign_that_nobody_takes_away_stops_nobody),
    TEST_CASE(an_end_that_nobody_takes_away_refuses_no_block),
    TEST_CASE(a_fence_that_fails_leaves_all_as_it_was),
    TEST_CASE(who_goes_on_meanwhile_loses_nothing),
    TEST_CASE(stacks_of_any_number_of_threads_hold_what_they_may),
    {0},
};
const struct test_suite suite_heap_reap = {"heap_reap", cases};
