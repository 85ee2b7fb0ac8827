/* tests/model/heap_model.c: long random runs: what a block holds is what its holder wrote
 *
 * The model of a block is the seed of its content. All operations, all kinds of sizes, three caches
 * that free each other's blocks; now and then everything is checked, trimmed, or a cache ends.
 */
#include "tests/unit/heap_machine.h"

enum { SLOTS = 600, CACHES = 3 };

static struct slot {
    unsigned char *ptr;
    size_t size;
    unsigned seed;
} slot[SLOTS];

static struct quire_heap_cache caches[CACHES];

static size_t random_size(void)
{
    switch (test_random_below(12)) {
    case 0:
        return test_random_below(16 * (uint32_t)QUIRE_PAGE_SIZE);
    case 1:
        return test_random_below(64) ? test_random_below(20000)
                                     : test_random_below(100 * (uint32_t)QUIRE_PAGE_SIZE);
    case 2:
    case 3:
        return test_random_below(4000);
    default:
        return test_random_below(500);
    }
}

static void fill_slot(struct slot *to, void *ptr, size_t size)
{
    CHECK(ptr);
    if (!ptr)
        return;
    *to = (struct slot){ptr, size, (unsigned)test_random()};
    CHECK(!((uintptr_t)ptr & 15));
    CHECK(quire_heap_usable_size(heap_machine.heap, ptr) >= size);
    pattern_write(ptr, size, to->seed);
}

static void allocate(struct quire_heap_cache *cache, struct slot *to)
{
    size_t size = random_size();
    if (!test_random_below(6)) {
        size_t align = (size_t)1 << test_random_below(14);
        void *ptr = quire_heap_alloc_aligned(cache, size, align);
        CHECK(!((uintptr_t)ptr & (align - 1)));
        fill_slot(to, ptr, size);
    } else if (!test_random_below(6)) {
        unsigned char *ptr = quire_heap_zalloc(cache, size);
        CHECK(ptr);
        for (size_t i = 0; ptr && i<size; i += size> 5000 ? 61 : 1)
            CHECK(!ptr[i]);
        fill_slot(to, ptr, size);
    } else {
        fill_slot(to, quire_heap_alloc(cache, size), size);
    }
}

static void resize(struct quire_heap_cache *cache, struct slot *of)
{
    size_t size = random_size();
    size = size ? size : 1;
    unsigned char *ptr = quire_heap_realloc(cache, of->ptr, size);
    CHECK(ptr);
    if (!ptr)
        return;
    size_t kept = size < of->size ? size : of->size;
    CHECK(pattern_is(ptr, kept < 255 ? kept : 255, of->seed));
    fill_slot(of, ptr, size);
}

/* As a buffer does that doesn't know how much will come. */
static void grow(struct quire_heap_cache *cache, struct slot *of)
{
    for (size_t size = of->size + 16; size < 200 * QUIRE_PAGE_SIZE; size += size / 2) {
        size_t kept = of->size;
        unsigned char *ptr = quire_heap_realloc(cache, of->ptr, size);
        CHECK(ptr);
        if (!ptr)
            return;
        CHECK(pattern_is(ptr, kept < 255 ? kept : 255, of->seed));
        fill_slot(of, ptr, size);
    }
}

static void release(struct quire_heap_cache *cache, struct slot *of)
{
    CHECK(pattern_is(of->ptr, of->size, of->seed));
    quire_heap_free(cache, of->ptr);
    of->ptr = NULL;
}

static void step(uint64_t number)
{
    struct quire_heap_cache *cache = &caches[test_random_below(CACHES)];
    struct slot *which = &slot[test_random_below(SLOTS)];
    if (!which->ptr)
        allocate(cache, which);
    else if (test_random_below(8))
        release(cache, which);
    else if (test_random_below(40))
        resize(cache, which);
    else
        grow(cache, which);
    if (number % 20011 == 0)
        quire_heap_check(heap_machine.heap);
    if (number % 5003 == 0)
        (void)quire_heap_trim(heap_machine.heap, cache);
    if (number % 7001 == 0) {
        quire_heap_cache_detach(cache);
        CHECK(!quire_heap_cache_attach(heap_machine.heap, cache));
    }
}

static void blocks_hold_what_was_written(void)
{
    if (!heap_boot())
        return;
    for (unsigned i = 0; i < CACHES; i++) {
        quire_heap_cache_init(&caches[i]);
        REQUIRE(!quire_heap_cache_attach(heap_machine.heap, &caches[i]));
    }
    __builtin_memset(slot, 0, sizeof slot);
    for (uint64_t i = 1; i <= test_environment.effort; i++)
        step(i);
    for (unsigned i = 0; i < SLOTS; i++)
        if (slot[i].ptr)
            release(&caches[i % CACHES], &slot[i]);
    for (unsigned i = 0; i < CACHES; i++)
        quire_heap_cache_detach(&caches[i]);
    heap_end();
}

static const struct test_case cases[] = {TEST_CASE(blocks_hold_what_was_written), {0}};
const struct test_suite suite_heap_model = {"heap_model", cases};
