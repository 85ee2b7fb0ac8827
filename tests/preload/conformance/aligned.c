/* tests/preload/conformance/aligned.c: memalign, aligned_alloc, posix_memalign, valloc, pvalloc */
#include <errno.h>
#include <malloc.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "conformance.h"

static size_t page_bytes(void)
{
    return (size_t)sysconf(_SC_PAGESIZE);
}

static const size_t sizes[] = {0,    1,    7,    8,     16,    24,     100,     1000,
                               4095, 4096, 4097, 10000, 65536, 131072, 1000000, 3000000};
#define NR_SIZES (sizeof sizes / sizeof sizes[0])

static void memalign_aligns_to_each_power_of_two(void)
{
    for (size_t alignment = 1; alignment <= (size_t)4 << 20; alignment *= 2)
        for (size_t i = 0; i < NR_SIZES; i++) {
            char *block = opaque(memalign(alignment, sizes[i]));
            REQUIRE(block);
            CHECK(is_aligned(block, alignment) && is_aligned(block, 16));
            CHECK(malloc_usable_size(block) >= sizes[i]);
            memset(block, 1, sizes[i]);
            free(block);
        }
}

static void memalign_rounds_other_alignments_up(void)
{
    static const size_t rounded[][2] = {
        {24, 32}, {48, 64}, {100, 128}, {4097, 8192}, {0, 16}, {3, 16},
    };
    for (size_t i = 0; i < sizeof rounded / sizeof rounded[0]; i++) {
        void *block = opaque(memalign(opaque_size(rounded[i][0]), 100));
        CHECK(block && is_aligned(block, rounded[i][1]));
        free(block);
    }
}

static void memalign_to_more_than_half_the_address_space_is_EINVAL(void)
{
    errno = 0;
    CHECK(!opaque(memalign(opaque_size(SIZE_MAX / 2 + 2), 1)));
    CHECK_EQ(errno, EINVAL);
    errno = 0;
    CHECK(!opaque(memalign(opaque_size(SIZE_MAX), 1)));
    CHECK_EQ(errno, EINVAL);
}

static void aligned_alloc_aligns_to_each_power_of_two(void)
{
    for (size_t alignment = 8; alignment <= (size_t)4 << 20; alignment *= 2)
        for (size_t i = 1; i <= 4; i++) {
            char *block = opaque(aligned_alloc(alignment, alignment * i));
            REQUIRE(block);
            CHECK(is_aligned(block, alignment));
            memset(block, 1, alignment * i);
            free(block);
        }
}

static void aligned_alloc_takes_sizes_that_are_no_multiple(void)
{
    for (size_t i = 0; i < NR_SIZES; i++) {
        char *block = opaque(aligned_alloc(256, sizes[i]));
        REQUIRE(block);
        CHECK(is_aligned(block, 256));
        memset(block, 1, sizes[i]);
        free(block);
    }
}

/* 2.36 rounds up as memalign does, 2.38 says EINVAL: both are all right, a misaligned block isn't.
 */
static void aligned_alloc_to_no_power_of_two_is_EINVAL_or_more_aligned(void)
{
    static const size_t odd[] = {3, 24, 48, 100, 4097};
    for (size_t i = 0; i < sizeof odd / sizeof odd[0]; i++) {
        errno = 0;
        void *block = opaque(aligned_alloc(opaque_size(odd[i]), 4096));
        size_t wanted = 16;
        while (wanted < odd[i])
            wanted *= 2;
        CHECK(block ? is_aligned(block, wanted) : errno == EINVAL);
        free(block);
    }
}

static void posix_memalign_aligns_to_each_power_of_two(void)
{
    for (size_t alignment = sizeof(void *); alignment <= (size_t)4 << 20; alignment *= 2)
        for (size_t i = 0; i < NR_SIZES; i++) {
            void *block = NULL;
            CHECK_EQ(posix_memalign(&block, alignment, sizes[i]), 0);
            REQUIRE(block);
            CHECK(is_aligned(block, alignment) && is_aligned(block, 16));
            memset(block, 1, sizes[i]);
            free(block);
        }
}

static void posix_memalign_refuses_other_alignments_and_writes_nothing(void)
{
    static const size_t wrong[] = {0, 1, 2, 3, 4, 5, 12, 24, 100, 4097, SIZE_MAX};
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        void *block = &block;
        CHECK_EQ(posix_memalign(&block, opaque_size(wrong[i]), 100), EINVAL);
        CHECK(block == &block);
    }
}

static void valloc_aligns_to_pages(void)
{
    for (size_t i = 0; i < NR_SIZES; i++) {
        char *block = opaque(valloc(sizes[i]));
        REQUIRE(block);
        CHECK(is_aligned(block, page_bytes()));
        memset(block, 1, sizes[i]);
        free(block);
    }
}

static void pvalloc_gives_whole_pages(void)
{
    for (size_t i = 0; i < NR_SIZES; i++) {
        size_t whole = (sizes[i] + page_bytes() - 1) / page_bytes() * page_bytes();
        char *block = opaque(pvalloc(sizes[i]));
        REQUIRE(block);
        CHECK(is_aligned(block, page_bytes()));
        CHECK(malloc_usable_size(block) >= whole);
        memset(block, 1, whole);
        free(block);
    }
}

static void aligned_blocks_can_be_resized(void)
{
    for (size_t alignment = 32; alignment <= (size_t)1 << 20; alignment *= 4)
        for (size_t i = 1; i < NR_SIZES; i++) {
            size_t grown = sizes[i] * 2 + 100;
            char *block = opaque(memalign(alignment, sizes[i]));
            REQUIRE(block);
            fill(block, sizes[i], 3);
            block = opaque(realloc(block, grown));
            REQUIRE(block);
            CHECK(holds(block, sizes[i], 3));
            fill(block, grown, 4);
            block = opaque(realloc(block, sizes[i] / 2 + 1));
            REQUIRE(block);
            CHECK(holds(block, sizes[i] / 2 + 1, 4));
            free(block);
        }
}

static void aligned_blocks_beside_others_keep_contents(void)
{
    static struct {
        char *at;
        size_t size;
    } block[2000];
    uint64_t state = 2;
    for (unsigned i = 0; i < 2000; i++) {
        block[i].size = random_size(&state, 10000);
        block[i].at = i % 2 ? malloc(block[i].size)
                            : memalign((size_t)1 << random_next(&state) % 15, block[i].size);
        REQUIRE(block[i].at);
        fill(block[i].at, block[i].size, i);
    }
    for (unsigned i = 0; i < 2000; i++) {
        CHECK(holds(block[i].at, block[i].size, i));
        if (i % 3)
            free(block[i].at);
    }
    for (unsigned i = 0; i < 2000; i += 3) {
        CHECK(holds(block[i].at, block[i].size, i));
        free(block[i].at);
    }
}

static void calloc_is_zero_where_aligned_blocks_were(void)
{
    for (size_t size = 64; size < 3000000; size *= 3) {
        char *block = opaque(memalign(4096, size));
        REQUIRE(block);
        memset(block, 0xff, size);
        free(block);
        block = opaque(calloc(1, size));
        CHECK(block && is_zero(block, size));
        free(block);
    }
}

/* What lies before an aligned block is used for others: 10,000 of them don't take a page each. */
static void small_aligned_blocks_take_little_more_than_they_are(void)
{
    size_t before = resident_bytes();
    for (unsigned i = 0; i < 10000; i++) {
        char *block = opaque(memalign(64, 64));
        REQUIRE(block);
        memset(block, 1, 64);
    }
    size_t taken = resident_bytes() - before;
    note("10,000 blocks of 64 bytes, aligned to 64: %zu KiB resident", taken / 1024);
    CHECK(taken < (size_t)10000 * 256);
}

static const struct conformance_case cases[] = {
    CASE(memalign_aligns_to_each_power_of_two),
    CASE(memalign_rounds_other_alignments_up),
    CASE(memalign_to_more_than_half_the_address_space_is_EINVAL),
    CASE(aligned_alloc_aligns_to_each_power_of_two),
    CASE(aligned_alloc_takes_sizes_that_are_no_multiple),
    CASE(aligned_alloc_to_no_power_of_two_is_EINVAL_or_more_aligned),
    CASE(posix_memalign_aligns_to_each_power_of_two),
    CASE(posix_memalign_refuses_other_alignments_and_writes_nothing),
    CASE(valloc_aligns_to_pages),
    CASE(pvalloc_gives_whole_pages),
    CASE(aligned_blocks_can_be_resized),
    CASE(aligned_blocks_beside_others_keep_contents),
    CASE(calloc_is_zero_where_aligned_blocks_were),
    CASE(small_aligned_blocks_take_little_more_than_they_are),
    END_OF_CASES,
};
const struct conformance_group conformance_aligned = {"aligned", cases};
