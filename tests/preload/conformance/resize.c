/* tests/preload/conformance/resize.c: realloc, reallocarray, malloc_usable_size */
#include <errno.h>
#include <malloc.h>
#include <stdlib.h>
#include <string.h>

#include "conformance.h"

#define MIB ((size_t)1 << 20)

static void realloc_of_NULL_allocates(void)
{
    char *a = opaque(realloc(opaque(NULL), 100)), *b = opaque(realloc(opaque(NULL), 0));
    CHECK(a && b && a != b);
    memset(a, 1, 100);
    free(a);
    free(b);
}

static void realloc_to_0_frees_and_returns_NULL(void)
{
    size_t before = resident_bytes();
    for (unsigned i = 0; i < 20000; i++) {
        size_t size = i % 100 ? 5000 : 300000;
        char *block = malloc(size);
        REQUIRE(block);
        memset(block, 1, size);
        CHECK(!opaque(realloc(opaque(block), opaque_size(0))));
    }
    CHECK(resident_bytes() < before + 16 * MIB);
}

static void reallocarray_of_0_frees_and_returns_NULL(void)
{
    for (unsigned i = 0; i < 2; i++) {
        size_t before = mallinfo2().uordblks + mallinfo2().hblkhd;
        void *block = malloc(100000);
        REQUIRE(block);
        CHECK(!opaque(reallocarray(opaque(block), opaque_size(i ? 0 : 8), opaque_size(i ? 8 : 0))));
        CHECK(mallinfo2().uordblks + mallinfo2().hblkhd < before + 50000);
    }
}

static void growing_keeps_the_contents(void)
{
    for (size_t step = 101; step < 400; step += 47) {
        size_t size = 1;
        char *block = malloc(size);
        fill(block, size, 5);
        while (size < 20 * MIB) {
            size_t more = size * step / 100 + 1;
            block = opaque(realloc(block, more));
            REQUIRE(block);
            size_t look = size < 100000 ? size : 100000;
            CHECK(holds(block, look, 5));
            if (size < 100000)
                fill(block, more < 100000 ? more : 100000, 5);
            block[more - 1] = 1;
            size = more + (size > 100000 ? size / 3 : 0);
            block = opaque(realloc(block, size));
            REQUIRE(block);
            CHECK(size <= 100000 || holds(block, look, 5));
            fill(block, size < 100000 ? size : 100000, 5);
        }
        free(block);
    }
}

/* By a half each time; what is written and looked at is the beginning, which is what moves. */
static char *grow_by_halves(char *block, size_t size, size_t to, unsigned seed)
{
    size_t most = 6000;
    while (size < to) {
        size_t more = size + size / 2 + 1;
        block = opaque(realloc(block, more));
        if (!block)
            return NULL;
        CHECK(holds(block, size < most ? size : most, seed));
        fill(block, more < most ? more : most, seed);
        if (more > most)
            block[more - 1] = 1;
        size = more;
    }
    return block;
}

/* So that a heap that learns how they grow gives them what others grew in. */
static void buffers_that_grow_again_and_again_keep_their_contents(void)
{
    for (unsigned round = 0; round < 40; round++) {
        char *block[3];
        for (unsigned i = 0; i < 3; i++) {
            block[i] = malloc(16);
            REQUIRE(block[i]);
            fill(block[i], 16, round + i);
            REQUIRE((block[i] = grow_by_halves(block[i], 16, 5000 * (i + 1), round + i)));
        }
        for (unsigned i = 0; i < 3; i++) {
            CHECK(holds(block[i], 5000, round + i));
            block[i] = opaque(realloc(block[i], round % 3 == i ? 1000 : 5000));
            REQUIRE(block[i]);
            size_t has = round % 3 == i ? 1000 : 5000;
            REQUIRE((block[i] = grow_by_halves(block[i], has, 3 * MIB, round + i)));
        }
        for (unsigned i = 0; i < 3; i++) {
            CHECK(holds(block[i], 5000, round + i));
            free(block[i]);
        }
    }
}

static void shrinking_keeps_the_contents(void)
{
    size_t size = 20 * MIB;
    char *block = malloc(size);
    REQUIRE(block);
    fill(block, size, 6);
    while (size > 1) {
        size = size * 2 / 3;
        block = opaque(realloc(block, size));
        REQUIRE(block);
        CHECK(holds(block, size, 6));
    }
    free(block);
}

static void large_blocks_keep_both_ends_when_they_grow_by_pages(void)
{
    size_t size = 200000;
    char *block = malloc(size), *other[60];
    REQUIRE(block);
    fill(block, size, 7);
    for (unsigned i = 0; i < 60; i++) {
        size_t more = size + 4096 * (i + 1) * (i % 7 + 1);
        other[i] = malloc(150000); /* in the way */
        REQUIRE(other[i]);
        block = opaque(realloc(block, more));
        REQUIRE(block);
        CHECK(holds(block, size, 7));
        fill(block, more, 7);
        size = more;
    }
    for (unsigned i = 0; i < 60; i++)
        free(other[i]);
    free(block);
}

static void random_resizes_among_others_keep_contents(void)
{
    static struct {
        char *at;
        size_t size;
    } block[300];
    uint64_t state = 3;
    for (unsigned step = 0; step < 60000; step++) {
        unsigned i = (unsigned)(random_next(&state) % 300);
        size_t size = random_size(&state, step % 50 ? 5000 : 1000000);
        size_t kept = size < block[i].size ? size : block[i].size;
        block[i].at = opaque(realloc(block[i].at, size));
        REQUIRE(block[i].at);
        CHECK(holds(block[i].at, kept, i));
        fill(block[i].at, size, i);
        block[i].size = size;
    }
    for (unsigned i = 0; i < 300; i++)
        free(block[i].at);
}

static void shrinking_a_large_block_gives_its_pages_back(void)
{
    char *block = malloc(64 * MIB);
    REQUIRE(block);
    memset(block, 1, 64 * MIB);
    size_t before = resident_bytes();
    block = opaque(realloc(block, 10000));
    REQUIRE(block);
    malloc_trim(0);
    CHECK(resident_bytes() < before - 60 * MIB);
    CHECK(block[0] == 1 && block[9999] == 1);
    free(block);
}

static void growing_a_large_block_does_not_take_it_twice(void)
{
    char *block = malloc(128 * MIB);
    REQUIRE(block);
    memset(block, 1, 128 * MIB);
    for (unsigned i = 1; i < 10; i++) {
        block = opaque(realloc(block, (128 + i) * MIB));
        REQUIRE(block);
    }
    CHECK(resident_bytes() < 170 * MIB);
    CHECK(block[0] == 1 && block[128 * MIB - 1] == 1);
    free(block);
}

static void usable_size_of_NULL_is_0(void)
{
    CHECK_EQ(malloc_usable_size(opaque(NULL)), 0);
}

static void usable_size_is_what_was_asked_for_or_more(void)
{
    for (size_t size = 0; size < 40 * MIB; size = size < 5000 ? size + 1 : size * 9 / 8) {
        void *block = opaque(malloc(size));
        REQUIRE(block);
        CHECK(malloc_usable_size(block) >= size);
        free(block);
    }
}

static void all_that_is_usable_can_be_used(void)
{
    static char *block[600];
    for (unsigned i = 0; i < 600; i++) {
        block[i] = malloc((size_t)i * i / 2);
        REQUIRE(block[i]);
        fill(block[i], malloc_usable_size(block[i]), i);
    }
    for (unsigned i = 0; i < 600; i++) {
        size_t usable = malloc_usable_size(block[i]);
        CHECK(holds(block[i], usable, i));
        block[i] = opaque(realloc(block[i], usable + usable / 2));
        REQUIRE(block[i]);
        CHECK(holds(block[i], usable, i));
    }
    for (unsigned i = 0; i < 600; i++)
        free(block[i]);
}

static const struct conformance_case cases[] = {
    CASE(realloc_of_NULL_allocates),
    CASE(realloc_to_0_frees_and_returns_NULL),
    CASE(reallocarray_of_0_frees_and_returns_NULL),
    CASE(growing_keeps_the_contents),
    CASE(buffers_that_grow_again_and_again_keep_their_contents),
    CASE(shrinking_keeps_the_contents),
    CASE(large_blocks_keep_both_ends_when_they_grow_by_pages),
    CASE(random_resizes_among_others_keep_contents),
    CASE(shrinking_a_large_block_gives_its_pages_back),
    CASE(growing_a_large_block_does_not_take_it_twice),
    CASE(usable_size_of_NULL_is_0),
    CASE(usable_size_is_what_was_asked_for_or_more),
    CASE(all_that_is_usable_can_be_used),
    END_OF_CASES,
};
const struct conformance_group conformance_resize = {"resize", cases};
