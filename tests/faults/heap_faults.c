/* tests/faults/heap_faults.c: every call of a callback fails once: NULL, and nothing is lost */
#include "tests/unit/heap_machine.h"

enum { COUNT = 300, LOOKED_AT = 255 };
static void *block[COUNT];
static size_t size_of[COUNT];

static size_t size_for(unsigned i)
{
    return i % 10 == 9   ? (40 + i / 8) * QUIRE_PAGE_SIZE
           : i % 10 == 8 ? 20 * QUIRE_PAGE_SIZE
                         : 50 * i;
}

/* What is looked at later, and the end: pages may be large, and this is done some thousand times.
 */
static void write_some(void *at, size_t size, unsigned seed)
{
    pattern_write(at, size < LOOKED_AT ? size : LOOKED_AT, seed);
    if (size > LOOKED_AT)
        ((char *)at)[size - 1] = 1;
}

/* Uses the heap in all ways; how many allocations failed. */
static unsigned use(void)
{
    unsigned failed = 0;
    for (unsigned i = 0; i < COUNT; i++) {
        size_of[i] = size_for(i);
        block[i] = i % 3 ? quire_heap_alloc(&heap_cache, size_of[i])
                         : quire_heap_zalloc(&heap_cache, size_of[i]);
        failed += !block[i];
        if (block[i])
            write_some(block[i], size_of[i], i);
    }
    for (unsigned i = 0; i < COUNT; i += 2) {
        size_t size = size_of[i] * (i % 4 ? 3 : 1) + 1;
        void *moved = block[i] ? quire_heap_realloc(&heap_cache, block[i], size) : NULL;
        failed += block[i] && !moved;
        block[i] = moved ? moved : block[i];
    }
    for (unsigned i = 0; i < COUNT; i++) {
        size_t size = size_of[i] < LOOKED_AT ? size_of[i] : LOOKED_AT;
        CHECK(!block[i] || pattern_is(block[i], size, i));
        quire_heap_free(&heap_cache, block[i]);
    }
    return failed;
}

static unsigned fail_each(bool all)
{
    unsigned failures = 0;
    for (unsigned long at = 1;; at++) {
        if (!heap_prepare_sections(1))
            return 1;
        heap_machine.fail_at = at;
        heap_machine.fail_all = all;
        if (heap_start(NULL)) {
            failures++;
            continue;
        }
        failures += use() != 0;
        bool over = heap_machine.nr_calls < at;
        heap_machine.fail_at = 0;
        CHECK_EQ(use(), 0);
        heap_end();
        if (over)
            return failures;
    }
}

static void each_call_that_fails_alone_loses_nothing(void)
{
    CHECK(fail_each(false) > 0);
}

static void nothing_is_lost_when_the_system_has_no_more(void)
{
    CHECK(fail_each(true) > 0);
}

static const struct test_case cases[] = {
    TEST_CASE(each_call_that_fails_alone_loses_nothing),
    TEST_CASE(nothing_is_lost_when_the_system_has_no_more),
    {0},
};
const struct test_suite suite_heap_faults = {"heap_faults", cases};
