/* tests/preload/conformance/sizes.c: sizes from 0 to what can't be had, and what errno says */
#include <errno.h>
#include <limits.h>
#include <malloc.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "conformance.h"

#define NR_BLOCKS 4096u

/* Sizes that no allocator can give; the last few overflow when anything is added. */
static const size_t impossible[] = {
    (size_t)PTRDIFF_MAX + 1,
    (size_t)PTRDIFF_MAX + 4096,
    SIZE_MAX / 2 + 65536,
    SIZE_MAX - 1048576,
    SIZE_MAX - 8192,
    SIZE_MAX - 4096,
    SIZE_MAX - 64,
    SIZE_MAX - 16,
    SIZE_MAX - 8,
    SIZE_MAX - 1,
    SIZE_MAX,
};
#define NR_IMPOSSIBLE (sizeof impossible / sizeof impossible[0])

/* A pair whose product is more than SIZE_MAX, or more than PTRDIFF_MAX. */
static const size_t products[][2] = {
    {SIZE_MAX / 2 + 1, 2},   {2, SIZE_MAX / 2 + 1},
    {SIZE_MAX, SIZE_MAX},    {(size_t)1 << 32, (size_t)1 << 32},
    {SIZE_MAX / 16 + 1, 16}, {SIZE_MAX / 16 + 2, 16}, /* 0 and 16 when cut off */
    {1, SIZE_MAX},           {SIZE_MAX, 1},
    {PTRDIFF_MAX, 2},        {(size_t)PTRDIFF_MAX / 8 + 1, 8},
};
#define NR_PRODUCTS (sizeof products / sizeof products[0])

static void refused(void *block, size_t which)
{
    if (block || errno != ENOMEM)
        note("number %zu: got %p, errno %d", which, block, errno);
    CHECK(!block);
    CHECK_EQ(errno, ENOMEM);
    errno = 0;
}

static void malloc_of_0_gives_blocks_of_their_own(void)
{
    void *a = opaque(malloc(0)), *b = opaque(malloc(0));
    CHECK(a && b && a != b);
    free(a);
    free(b);
}

static void calloc_of_0_gives_blocks_of_their_own(void)
{
    void *a = opaque(calloc(0, 8)), *b = opaque(calloc(8, 0)), *c = opaque(calloc(0, SIZE_MAX));
    CHECK(a && b && c && a != b && b != c && a != c);
    free(a);
    free(b);
    free(c);
}

static void free_of_NULL_does_nothing(void)
{
    errno = EXDEV;
    free(opaque(NULL));
    CHECK_EQ(errno, EXDEV);
}

static void malloc_beyond_PTRDIFF_MAX_is_ENOMEM(void)
{
    errno = 0;
    refused(opaque(malloc(opaque_size(PTRDIFF_MAX))), NR_IMPOSSIBLE);
    for (size_t i = 0; i < NR_IMPOSSIBLE; i++)
        refused(opaque(malloc(opaque_size(impossible[i]))), i);
}

static void malloc_beyond_the_address_space_is_ENOMEM(void)
{
    errno = 0;
    for (unsigned shift = 48; shift < 63; shift++)
        refused(opaque(malloc(opaque_size((size_t)1 << shift))), shift);
}

static void calloc_that_overflows_is_ENOMEM(void)
{
    errno = 0;
    for (size_t i = 0; i < NR_PRODUCTS; i++)
        refused(opaque(calloc(opaque_size(products[i][0]), opaque_size(products[i][1]))), i);
}

static void realloc_beyond_PTRDIFF_MAX_is_ENOMEM_and_keeps_the_block(void)
{
    for (size_t size = 24; size < 4000000; size *= 12) {
        char *block = malloc(size);
        REQUIRE(block);
        fill(block, size, 1);
        errno = 0;
        for (size_t i = 0; i < NR_IMPOSSIBLE; i++)
            refused(opaque(realloc(opaque(block), opaque_size(impossible[i]))), i);
        CHECK(holds(block, size, 1));
        free(block);
    }
}

static void realloc_of_NULL_beyond_PTRDIFF_MAX_is_ENOMEM(void)
{
    errno = 0;
    for (size_t i = 0; i < NR_IMPOSSIBLE; i++)
        refused(opaque(realloc(NULL, opaque_size(impossible[i]))), i);
}

static void reallocarray_that_overflows_is_ENOMEM_and_keeps_the_block(void)
{
    char *block = malloc(100);
    REQUIRE(block);
    fill(block, 100, 2);
    errno = 0;
    for (size_t i = 0; i < NR_PRODUCTS; i++) {
        size_t count = opaque_size(products[i][0]), size = opaque_size(products[i][1]);
        refused(opaque(reallocarray(opaque(block), count, size)), i);
        refused(opaque(reallocarray(NULL, count, size)), i);
    }
    CHECK(holds(block, 100, 2));
    free(block);
}

static void memalign_beyond_PTRDIFF_MAX_is_ENOMEM(void)
{
    errno = 0;
    for (size_t alignment = 8; alignment <= (size_t)1 << 24; alignment *= 2)
        for (size_t i = 0; i < NR_IMPOSSIBLE; i++)
            refused(opaque(memalign(alignment, opaque_size(impossible[i]))), i);
}

static void aligned_alloc_beyond_PTRDIFF_MAX_is_ENOMEM(void)
{
    errno = 0;
    for (size_t alignment = 16; alignment <= (size_t)1 << 24; alignment *= 4)
        for (size_t i = 0; i < NR_IMPOSSIBLE; i++) {
            size_t size = impossible[i] / alignment * alignment;
            refused(opaque(aligned_alloc(alignment, opaque_size(size))), i);
        }
}

static void memalign_to_what_is_beyond_the_address_space_is_ENOMEM(void)
{
    errno = 0;
    for (unsigned shift = 50; shift < 63; shift++)
        refused(opaque(memalign(opaque_size((size_t)1 << shift), 100)), shift);
}

static void posix_memalign_beyond_PTRDIFF_MAX_returns_ENOMEM_and_writes_nothing(void)
{
    for (size_t alignment = 8; alignment <= (size_t)1 << 24; alignment *= 4)
        for (size_t i = 0; i < NR_IMPOSSIBLE; i++) {
            void *block = &block;
            CHECK_EQ(posix_memalign(&block, alignment, opaque_size(impossible[i])), ENOMEM);
            CHECK(block == &block);
        }
}

static void valloc_beyond_PTRDIFF_MAX_is_ENOMEM(void)
{
    errno = 0;
    for (size_t i = 0; i < NR_IMPOSSIBLE; i++)
        refused(opaque(valloc(opaque_size(impossible[i]))), i);
}

static void pvalloc_beyond_PTRDIFF_MAX_is_ENOMEM(void)
{
    errno = 0;
    for (size_t i = 0; i < NR_IMPOSSIBLE; i++)
        refused(opaque(pvalloc(opaque_size(impossible[i]))), i);
}

static void errno_is_kept_by_what_succeeds(void)
{
    for (size_t size = 1; size < (size_t)16 << 20; size = size * 3 / 2 + 1) {
        errno = EXDEV;
        char *block = opaque(malloc(size));
        CHECK_EQ(errno, EXDEV);
        block = opaque(realloc(block, size * 2));
        CHECK_EQ(errno, EXDEV);
        free(block);
        CHECK_EQ(errno, EXDEV);
        block = opaque(calloc(size, 1));
        CHECK_EQ(errno, EXDEV);
        free(block);
        CHECK_EQ(errno, EXDEV);
        block = opaque(memalign(64, size));
        CHECK_EQ(errno, EXDEV);
        free(block);
        CHECK_EQ(errno, EXDEV);
    }
}

static void every_block_is_aligned_to_16(void)
{
    for (size_t size = 0; size <= 4096; size++) {
        void *a = opaque(malloc(size)), *b = opaque(calloc(1, size)), *c = opaque(malloc(size));
        c = opaque(realloc(c, size + 1));
        bool aligned = is_aligned(a, 16) && is_aligned(b, 16) && is_aligned(c, 16);
        if (!aligned)
            note("size %zu: %p %p %p", size, a, b, c);
        CHECK(aligned);
        free(a);
        free(b);
        free(c);
    }
    for (size_t size = 5000; size < (size_t)64 << 20; size = size * 5 / 4) {
        void *block = opaque(malloc(size));
        CHECK(is_aligned(block, 16));
        free(block);
    }
}

/* Each block is filled to its last byte while all are alive. */
static void blocks_of_all_sizes_keep_their_contents(void)
{
    static char *block[NR_BLOCKS];
    for (size_t i = 0; i < NR_BLOCKS; i++) {
        block[i] = malloc(i);
        REQUIRE(block[i]);
        fill(block[i], i, (unsigned)i);
    }
    for (size_t i = 0; i < NR_BLOCKS; i += 2) {
        CHECK(holds(block[i], i, (unsigned)i));
        free(block[i]);
        block[i] = malloc(NR_BLOCKS - i);
        REQUIRE(block[i]);
        fill(block[i], NR_BLOCKS - i, (unsigned)i + 1);
    }
    for (size_t i = 0; i < NR_BLOCKS; i++) {
        bool odd = i & 1;
        CHECK(holds(block[i], odd ? i : NR_BLOCKS - i, (unsigned)(odd ? i : i + 1)));
        free(block[i]);
    }
}

static void random_calls_keep_contents(void)
{
    static struct {
        char *at;
        size_t size;
    } block[1000];
    uint64_t state = 1;
    for (unsigned step = 0; step < 300000; step++) {
        unsigned i = (unsigned)(random_next(&state) % 1000);
        size_t size = random_size(&state, step % 100 ? 2000 : 500000);
        CHECK(!block[i].at || holds(block[i].at, block[i].size < 64 ? block[i].size : 64, i));
        switch (random_next(&state) % 4) {
        case 0:
            free(block[i].at);
            block[i].at = calloc(1, size);
            REQUIRE(block[i].at && is_zero(block[i].at, size));
            break;
        case 1:
            block[i].at = realloc(block[i].at, size);
            break;
        case 2:
            free(block[i].at);
            block[i].at = memalign((size_t)1 << random_next(&state) % 13, size);
            break;
        default:
            free(block[i].at);
            block[i].at = malloc(size);
            break;
        }
        REQUIRE(block[i].at);
        block[i].size = size;
        fill(block[i].at, size, i);
    }
    for (unsigned i = 0; i < 1000; i++) {
        CHECK(!block[i].at || holds(block[i].at, block[i].size, i));
        free(block[i].at);
    }
}

static void calloc_is_zero_where_dirty_blocks_were(void)
{
    for (size_t size = 1; size < (size_t)9 << 20; size = size * 4 / 3 + 1) {
        void *dirty[8];
        for (unsigned i = 0; i < 8; i++) {
            dirty[i] = opaque(malloc(size));
            REQUIRE(dirty[i]);
            memset(dirty[i], 0xff, malloc_usable_size(dirty[i]));
        }
        for (unsigned i = 0; i < 8; i++)
            free(dirty[i]);
        for (unsigned i = 0; i < 8; i++) {
            dirty[i] = opaque(calloc(1, size));
            CHECK(dirty[i] && is_zero(dirty[i], size));
        }
        for (unsigned i = 0; i < 8; i++)
            free(dirty[i]);
    }
}

static void a_block_of_3_GiB_is_had_where_the_system_gives_it(void)
{
    size_t size = (size_t)3 << 30;
    char *block = opaque(malloc(size));
    if (!block)
        skip("the system gives no such block");
    block[0] = block[size / 2] = block[size - 1] = 1;
    CHECK(malloc_usable_size(block) >= size);
    free(block);
    block = opaque(calloc(3, (size_t)1 << 30));
    CHECK(block && !block[0] && !block[size / 2] && !block[size - 1]);
    CHECK(resident_bytes() < size / 4); /* zeros that the system gave aren't written again */
    free(block);
}

static void a_million_small_blocks_are_distinct(void)
{
    size_t count = 1000000;
    uint32_t **block = calloc(count, sizeof *block);
    REQUIRE(block);
    for (size_t i = 0; i < count; i++) {
        block[i] = malloc(sizeof **block);
        REQUIRE(block[i]);
        *block[i] = (uint32_t)i;
    }
    for (size_t i = 0; i < count; i++) {
        CHECK_EQ(*block[i], i);
        free(block[i]);
    }
    free(block);
}

static const struct conformance_case cases[] = {
    CASE(malloc_of_0_gives_blocks_of_their_own),
    CASE(calloc_of_0_gives_blocks_of_their_own),
    CASE(free_of_NULL_does_nothing),
    CASE(malloc_beyond_PTRDIFF_MAX_is_ENOMEM),
    CASE(malloc_beyond_the_address_space_is_ENOMEM),
    CASE(calloc_that_overflows_is_ENOMEM),
    CASE(realloc_beyond_PTRDIFF_MAX_is_ENOMEM_and_keeps_the_block),
    CASE(realloc_of_NULL_beyond_PTRDIFF_MAX_is_ENOMEM),
    CASE(reallocarray_that_overflows_is_ENOMEM_and_keeps_the_block),
    CASE(memalign_beyond_PTRDIFF_MAX_is_ENOMEM),
    CASE(aligned_alloc_beyond_PTRDIFF_MAX_is_ENOMEM),
    CASE(memalign_to_what_is_beyond_the_address_space_is_ENOMEM),
    CASE(posix_memalign_beyond_PTRDIFF_MAX_returns_ENOMEM_and_writes_nothing),
    CASE(valloc_beyond_PTRDIFF_MAX_is_ENOMEM),
    CASE(pvalloc_beyond_PTRDIFF_MAX_is_ENOMEM),
    CASE(errno_is_kept_by_what_succeeds),
    CASE(every_block_is_aligned_to_16),
    CASE(blocks_of_all_sizes_keep_their_contents),
    CASE(random_calls_keep_contents),
    CASE(calloc_is_zero_where_dirty_blocks_were),
    CASE(a_block_of_3_GiB_is_had_where_the_system_gives_it),
    CASE(a_million_small_blocks_are_distinct),
    END_OF_CASES,
};
const struct conformance_group conformance_sizes = {"sizes", cases};
