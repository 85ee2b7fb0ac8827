/* heap: what goes back at once when most of it is freed */
#include "tests/unit/heap_machine.h"

#include "heap/internal.h"

#define SIZE (QUIRE_PAGE_SIZE / 128 * 15) /* slabs of two pages: some hold no block in use */
#define COUNT ((24u << 20) / SIZE) /* what is large enough to be a fall, with some to spare */
#define STEP 400u /* so far apart that free blocks are large enough to be told of in any build */
#define LIVE_BYTES ((size_t)COUNT * SIZE)

static void *block[COUNT];

static bool fill(void)
{
    for (unsigned i = 0; i < COUNT; i++) {
        if (block[i])
            continue;
        block[i] = quire_heap_alloc(&heap_cache, SIZE);
        if (!block[i])
            return false;
        pattern_write(block[i], SIZE, i);
    }
    return true;
}

/* All but each `step`th; 0: all. */
static void drop(unsigned step)
{
    for (unsigned i = 0; i < COUNT; i++)
        if (!step || i % step) {
            quire_heap_free(&heap_cache, block[i]);
            block[i] = NULL;
        }
}

static bool is_whole(void)
{
    for (unsigned i = 0; i < COUNT; i++)
        if (block[i] && !pattern_is(block[i], SIZE, i))
            return false;
    return true;
}

static size_t given_back(void)
{
    return (size_t)heap_info().nr_given_back << QUIRE_PAGE_SHIFT;
}

static bool boot(uint64_t decay_ns)
{
    for (unsigned i = 0; i < COUNT; i++)
        block[i] = NULL;
    if (!heap_boot_with(&(struct quire_heap_config){.decay_ns = decay_ns}))
        return false;
    bool full = fill();
    CHECK(full);
    CHECK_EQ(heap_info().nr_given_back, 0);
    return full;
}

#define NEVER (~0ull >> 1)

static void most_goes_back_at_once_when_most_is_freed(void)
{
    if (!boot(NEVER))
        return;
    drop(STEP);
    CHECK(given_back() > LIVE_BYTES / 2);
    size_t at_once = given_back();
    CHECK(is_whole());
    struct quire_heap_info info = heap_info();
    CHECK(info.free_resident < LIVE_BYTES / 4);
    (void)quire_heap_trim(heap_machine.heap, &heap_cache);
    CHECK(given_back() - at_once < LIVE_BYTES / 16);
    CHECK(is_whole());
    drop(0);
    heap_end();
}

/* Blocks of free pages so small that one call of the port tells of few, or of none. */
static void what_wasnt_paid_for_stays_dirty(void)
{
    enum { RUNS = 32, PAGES = 8 };
    void *run[RUNS];
    if (!heap_boot())
        return;
    struct quire_heap *heap = heap_machine.heap;
    quire_heap_set_trim_threshold(heap, SIZE_MAX);
    for (unsigned i = 0; i < RUNS; i++)
        REQUIRE((run[i] = run_take(heap, PAGES, 3)));
    for (unsigned i = 0; i < RUNS; i += 2)
        central_put(heap, NR_SMALL + PAGES, 1, &run[i]);
    for (unsigned calls = 0; calls < 4; calls++) {
        unsigned long dirty = pages_dirty(heap);
        quire_port_spin_lock(&heap->purge_lock);
        unsigned long used = purge_some(heap, calls);
        quire_port_spin_unlock(&heap->purge_lock);
        CHECK(used <= calls);
        CHECK(pages_dirty(heap) + 16ul * used >= dirty);
    }
    CHECK(pages_dirty(heap) > 0);
    for (unsigned i = 1; i < RUNS; i += 2)
        central_put(heap, NR_SMALL + PAGES, 1, &run[i]);
    heap_end();
}

/* Beside the first little that is free. */
static void a_small_fall_waits_for_the_decay(void)
{
    unsigned count = (12u << 20) / SIZE;
    if (!heap_boot_with(&(struct quire_heap_config){.decay_ns = NEVER}))
        return;
    for (unsigned i = 0; i < count; i++)
        REQUIRE(block[i] = quire_heap_alloc(&heap_cache, SIZE));
    for (unsigned i = 0; i < count; i++)
        quire_heap_free(&heap_cache, block[i]);
    CHECK(given_back() <= 4ul << 20);
    heap_end();
}

static void nothing_goes_back_while_half_is_live(void)
{
    if (!boot(NEVER))
        return;
    drop(2);
    CHECK_EQ(given_back(), 0);
    CHECK(fill() && is_whole());
    drop(0);
    heap_end();
}

static void a_fall_costs_a_wave_its_pages_once_in_a_decay(void)
{
    if (!boot(NEVER))
        return;
    drop(STEP);
    size_t once = given_back();
    for (unsigned wave = 0; wave < 5; wave++) {
        REQUIRE(fill());
        drop(STEP);
    }
    CHECK(given_back() < once + once / 4);
    CHECK(is_whole());
    drop(0);
    heap_end();
}

static void a_fall_after_the_decay_gives_back_again(void)
{
    if (!boot(1))
        return;
    quire_heap_set_trim_threshold(heap_machine.heap, 64ul << 10);
    drop(STEP);
    size_t once = given_back();
    REQUIRE(fill());
    drop(STEP);
    CHECK(given_back() >= 2 * once - once / 4);
    CHECK(is_whole());
    drop(0);
    heap_end();
}

static void nothing_goes_back_when_the_threshold_says_never(void)
{
    if (!boot(NEVER))
        return;
    quire_heap_set_trim_threshold(heap_machine.heap, SIZE_MAX);
    drop(STEP);
    CHECK_EQ(given_back(), 0);
    drop(0);
    heap_end();
}

/* It lay free before, and others want it soon. */
static void what_lay_on_stacks_of_a_thread_that_ends_pays_for_nothing(void)
{
    static struct quire_heap_cache other;
    if (!heap_boot())
        return;
    quire_heap_cache_init(&other);
    REQUIRE(!quire_heap_cache_attach(heap_machine.heap, &other));
    for (unsigned round = 0; round < 8; round++) {
        for (unsigned i = 0; i < 400; i++)
            REQUIRE((block[i] = quire_heap_alloc(&other, 64)));
        for (unsigned i = 0; i < 400; i++)
            quire_heap_free(&other, block[i]);
    }
    CHECK(heap_info().nr_cached > 0);
    size_t credit = heap_machine.heap->fall.credit;
    quire_heap_cache_detach(&other);
    CHECK(heap_machine.heap->fall.credit <= credit);
    for (unsigned i = 0; i < 400; i++)
        block[i] = NULL;
    heap_end();
}

static const struct test_case cases[] = {
    TEST_CASE(most_goes_back_at_once_when_most_is_freed),
    TEST_CASE(what_wasnt_paid_for_stays_dirty),
    TEST_CASE(a_small_fall_waits_for_the_decay),
    TEST_CASE(nothing_goes_back_while_half_is_live),
    TEST_CASE(a_fall_costs_a_wave_its_pages_once_in_a_decay),
    TEST_CASE(a_fall_after_the_decay_gives_back_again),
    TEST_CASE(nothing_goes_back_when_the_threshold_says_never),
    TEST_CASE(what_lay_on_stacks_of_a_thread_that_ends_pays_for_nothing),
    {0},
};
const struct test_suite suite_heap_fall = {"heap_fall", cases};
