/* tests/unit/heap_margin_test.c: what lies behind the first blocks of each class */
#include "tests/unit/heap_machine.h"

#include "heap/cache.h"

#define BEYOND "beyond its end"
#define MOST 4096u /* up to here each of the first blocks has a margin */
/* To take a block and free it so often doesn't make its class warm, but almost. */
#define ROUNDS ((WARM - 1) / (HEAT_OF_TAKE + HEAT_OF_FREE))

static char *block[600];

static char *take(size_t size)
{
    return quire_heap_alloc(&heap_cache, size);
}

static void give(char *ptr)
{
    quire_heap_free(&heap_cache, ptr);
}

/* Where glibc's block would end: before the size of the next one, which is a word before a multiple
 * of 16. */
static size_t end_of(size_t size)
{
    size_t end = 3 * sizeof(size_t);
    while (end < size || (end + sizeof(size_t)) % 16)
        end++;
    return end;
}

static void a_byte_beyond_glibcs_end_is_told_when_the_block_is_freed(void)
{
    if (!heap_boot())
        return;
    for (size_t size = 0; size <= MOST; size += size < 300 ? 1 : 61) {
        char *ptr = take(size);
        REQUIRE(ptr);
        ptr[end_of(size)] = 0;
        give(ptr);
        CHECK(heap_caught(BEYOND));
    }
    heap_end();
}

static void what_glibc_has_room_for_may_be_written(void)
{
    if (!heap_boot())
        return;
    for (size_t size = 0; size <= MOST; size += size < 300 ? 1 : 61) {
        char *ptr = take(size);
        REQUIRE(ptr);
        __builtin_memset(ptr, 0xff, end_of(size));
        give(ptr);
    }
    heap_end();
}

static void the_last_page_of_a_run_has_a_margin(void)
{
    if (!heap_boot())
        return;
    size_t size = 4 * QUIRE_PAGE_SIZE + 100;
    char *ptr = take(size), *whole = take(4 * QUIRE_PAGE_SIZE);
    REQUIRE(ptr && whole);
    __builtin_memset(whole, 0xff, 4 * QUIRE_PAGE_SIZE);
    give(whole);
    ptr[end_of(size)] = 0;
    give(ptr);
    CHECK(heap_caught(BEYOND));
    heap_end();
}

static void realloc_tells_whether_the_block_stays_or_moves(void)
{
    if (!heap_boot())
        return;
    char *ptr = take(100);
    REQUIRE(ptr);
    ptr[end_of(100)] = 0;
    CHECK(quire_heap_realloc(&heap_cache, ptr, 90) == ptr);
    CHECK(heap_caught(BEYOND));
    __builtin_memset(ptr, 1, end_of(90));
    CHECK(quire_heap_realloc(&heap_cache, ptr, 100) == ptr);
    __builtin_memset(ptr, 1, end_of(100));
    ptr[end_of(100)] = 0;
    CHECK((ptr = quire_heap_realloc(&heap_cache, ptr, 3000)));
    CHECK(heap_caught(BEYOND));
    give(ptr);
    heap_end();
}

/* And only once. */
static void what_is_not_freed_is_told_of_at_the_end(void)
{
    if (!heap_boot())
        return;
    char *ptr = take(100), *other = take(100);
    REQUIRE(ptr && other);
    ptr[end_of(100)] = 0;
    quire_heap_settle(heap_machine.heap);
    CHECK(heap_caught(BEYOND));
    quire_heap_settle(heap_machine.heap);
    give(ptr);
    give(other);
    heap_end();
}

/* Programs that count what they have ask when they allocate and when they free. */
static void the_usable_size_stays_the_same_and_all_of_it_may_be_used(void)
{
    if (!heap_boot())
        return;
    for (size_t size = 0; size <= MOST; size += 7) {
        char *ptr = take(size);
        REQUIRE(ptr);
        size_t usable = quire_heap_usable_size(heap_machine.heap, ptr);
        CHECK(usable >= size);
        __builtin_memset(ptr, 0xff, usable);
        CHECK_EQ(quire_heap_usable_size(heap_machine.heap, ptr), usable);
        give(ptr);
    }
    char *ptr = take(5000);
    REQUIRE(ptr);
    ptr[end_of(5000)] = 0;
    CHECK(quire_heap_usable_size(heap_machine.heap, ptr) >= 5000);
    CHECK(heap_caught(BEYOND));
    give(ptr);
    heap_end();
}

static void a_size_that_is_often_freed_has_no_margin(void)
{
    if (!heap_boot())
        return;
    char *kept = take(100);
    size_t class = class_of_address(heap_machine.heap->base, heap_machine.heap->size, kept);
    REQUIRE(kept);
    for (unsigned i = 0; i < ROUNDS; i++) { /* to take `kept` counted, too */
        CHECK(!class_is_warm(heap_machine.heap, class));
        REQUIRE((block[0] = take(100)));
        give(block[0]);
    }
    CHECK(class_is_warm(heap_machine.heap, class));
    kept[end_of(100)] = 0;
    give(kept);
    REQUIRE((kept = take(100)));
    __builtin_memset(kept, 0xff, class_size(class));
    give(kept);
    heap_end();
}

/* Of a larger class, so that there is room for the margin: either counts. */
static void a_block_that_is_larger_for_its_margin_counts_for_its_size(void)
{
    if (!heap_boot())
        return;
    size_t class = small_class(64);
    for (unsigned i = 0; i < ROUNDS; i++) {
        REQUIRE((block[0] = take(64)));
        CHECK_EQ(class_of_address(heap_machine.heap->base, heap_machine.heap->size, block[0]),
                 class + 1);
        give(block[0]);
    }
    REQUIRE((block[0] = take(64)));
    give(block[0]);
    CHECK(class_is_warm(heap_machine.heap, class) && class_is_warm(heap_machine.heap, class + 1));
    REQUIRE((block[0] = take(64)));
    CHECK_EQ(class_of_address(heap_machine.heap->base, heap_machine.heap->size, block[0]), class);
    give(block[0]);
    heap_end();
}

static void a_larger_block_is_known_to_be_of_its_size(void)
{
    if (!heap_boot())
        return;
    struct quire_heap *heap = heap_machine.heap;
    size_t class = small_class(64) + 1;
    char *ptr = take(64), *asked = take(64);
    REQUIRE(ptr && asked);
    CHECK(margin_explains(heap, class, ptr, 64));
    CHECK(!margin_explains(heap, class, ptr, 63));
    CHECK(!margin_explains(heap, class, ptr, 16));
    (void)quire_heap_usable_size(heap, asked); /* then only that some block of the class is */
    CHECK(margin_explains(heap, class, asked, 64));
    CHECK(margin_explains(heap, class, ptr, 64));
    CHECK(!margin_explains(heap, class, asked, 32));
    give(ptr);
    give(asked);
    heap_end();
}

/* Another thread has just made the class of a block warm; before it comes to empty the block's slot
 * that is freed as those of warm classes are, and one of another class lies there. */
static void a_slot_of_a_warm_class_says_nothing_of_the_next_block_there(void)
{
    if (!heap_boot())
        return;
    struct quire_heap *heap = heap_machine.heap;
    size_t class = NR_SMALL + 3, size = 4 * QUIRE_PAGE_SIZE - 100;
    char *ptr, *next, *other[40]; /* where phys has none of four pages, or likes others better */
    unsigned nr_others = 0;
    while ((ptr = take(size - QUIRE_PAGE_SIZE)) && nr_others < 20 &&
           (size_t)(ptr - heap->base) % (4 * QUIRE_PAGE_SIZE))
        other[nr_others++] = ptr;
    REQUIRE(ptr && class_of_address(heap->base, heap->size, ptr) == class);
    heap->heat[class] = WARM;
    give(ptr);
    (void)quire_heap_trim(heap, &heap_cache);
    while ((next = take(size)) != ptr && nr_others < 40)
        other[nr_others++] = next;
    CHECK(next == ptr);
    __builtin_memset(next, 0xff, size);
    CHECK((next = quire_heap_realloc(&heap_cache, next, size - 32)) == ptr);
    __builtin_memset(next, 0xff, size - 32);
    next[end_of(size - 32)] = 0;
    give(next);
    CHECK(heap_caught(BEYOND));
    heap->heat[class] = WARM - HEAT_OF_FREE; /* now it comes */
    margin_count_free(heap, class, next + QUIRE_PAGE_SIZE);
    while (nr_others)
        give(other[--nr_others]);
    heap_end();
}

static void an_aligned_block_is_of_the_class_that_aligns_it(void)
{
    if (!heap_boot())
        return;
    for (size_t align = 16; align <= QUIRE_PAGE_SIZE; align *= 2)
        for (size_t size = 1; size <= MOST; size += size / 4 + 1) {
            char *ptr = quire_heap_alloc_aligned(&heap_cache, size, align);
            REQUIRE(ptr);
            CHECK_EQ((uintptr_t)ptr % align, 0);
            __builtin_memset(ptr, 0xff, size);
            give(ptr);
        }
    heap_end();
}

static void more_blocks_than_there_are_margins_for_do_without(void)
{
    if (!heap_boot())
        return;
    for (unsigned i = 0; i < 600; i++)
        REQUIRE((block[i] = take(i % 3 * 500 + 10)));
    quire_heap_check(heap_machine.heap);
    for (unsigned i = 0; i < 600; i++)
        __builtin_memset(block[i], 0xff, end_of(i % 3 * 500 + 10));
    block[0][end_of(10)] = 0;
    quire_heap_settle(heap_machine.heap);
    CHECK(heap_caught(BEYOND));
    for (unsigned i = 0; i < 600; i++)
        give(block[i]);
    heap_end();
}

static void the_block_before_tells_who_writes_before_his_own(void)
{
    if (!heap_boot())
        return;
    for (unsigned i = 0; i < 8; i++)
        REQUIRE((block[i] = take(24)));
    char *second = block[0] < block[1] ? block[1] : block[0];
    second[-1] = 0;
    for (unsigned i = 0; i < 8; i++)
        give(block[i]);
    CHECK(heap_caught(BEYOND));
    heap_end();
}

static void what_was_freed_last_is_looked_at_with_the_next_block(void)
{
    if (!heap_boot())
        return;
    char *ptr = take(2000);
    REQUIRE(ptr);
    give(ptr);
    ptr[1000] = 1;
    REQUIRE((block[0] = take(24)));
    CHECK(heap_caught("after it was freed"));
    REQUIRE((block[1] = take(24)));
    give(block[0]);
    give(block[1]);
    heap_end();
}

/* Of the youngest all is seen at once, and then 128 bytes each time. */
static void whatever_is_written_later_is_seen_in_turn(void)
{
    if (!heap_boot())
        return;
    struct quire_heap *heap = heap_machine.heap;
    char *ptr = take(2000);
    REQUIRE(ptr);
    size_t size = class_size(class_of_address(heap->base, heap->size, ptr));
    give(ptr);
    quarantine_look(heap);
    for (size_t at = 0; at < size; at++) {
        ptr[at] ^= 1;
        for (size_t seen = 0; seen < size; seen += 128)
            quarantine_look(heap);
        CHECK(heap_caught("after it was freed"));
    }
    heap_end();
}

/* 64 KiB of them. */
static void few_bytes_wait_in_quarantine(void)
{
    if (!heap_boot())
        return;
    size_t class = small_class(2000);
    for (unsigned i = 0; i < 60; i++)
        REQUIRE((block[i] = take(2000)));
    for (unsigned i = 0; i < 60; i++)
        give(block[i]);
    CHECK_EQ(quarantine_count(heap_machine.heap, class), (64u << 10) / class_size(class));
    heap_end();
}

static const struct test_case cases[] = {
    TEST_CASE(a_byte_beyond_glibcs_end_is_told_when_the_block_is_freed),
    TEST_CASE(what_glibc_has_room_for_may_be_written),
    TEST_CASE(the_last_page_of_a_run_has_a_margin),
    TEST_CASE(realloc_tells_whether_the_block_stays_or_moves),
    TEST_CASE(what_is_not_freed_is_told_of_at_the_end),
    TEST_CASE(the_usable_size_stays_the_same_and_all_of_it_may_be_used),
    TEST_CASE(a_size_that_is_often_freed_has_no_margin),
    TEST_CASE(a_block_that_is_larger_for_its_margin_counts_for_its_size),
    TEST_CASE(a_larger_block_is_known_to_be_of_its_size),
    TEST_CASE(a_slot_of_a_warm_class_says_nothing_of_the_next_block_there),
    TEST_CASE(an_aligned_block_is_of_the_class_that_aligns_it),
    TEST_CASE(more_blocks_than_there_are_margins_for_do_without),
    TEST_CASE(the_block_before_tells_who_writes_before_his_own),
    TEST_CASE(what_was_freed_last_is_looked_at_with_the_next_block),
    TEST_CASE(whatever_is_written_later_is_seen_in_turn),
    TEST_CASE(few_bytes_wait_in_quarantine),
    {0},
};
const struct test_suite suite_heap_margin = {"heap_margin", cases};
