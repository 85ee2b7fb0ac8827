/* tests/preload/errors/overflow.c: writes beyond blocks, at either end
 *
 * Sizes that some allocator fills to the last byte (24 and 2008 are glibc's, 32 and 2048 those of
 * powers of two): what lies behind is its own data, or a neighbour.
 */
#include <malloc.h>
#include <stdlib.h>
#include <string.h>

#include "errors.h"

/* The block, filled past its end, then its neighbours and it are freed. */
static void past_the_end(size_t size, size_t by, int byte)
{
    char *before = malloc(size), *block = malloc(size), *after = malloc(size);
    memset(before, 1, size);
    memset(after, 1, size);
    memset(hidden(block), 1, size);
    memset(hidden(block + size), byte, by);
    free(hidden(block));
    free(hidden(after));
    free(hidden(before));
}

static void before_the_start(size_t size, size_t by, int byte)
{
    char *before = malloc(size), *block = malloc(size), *after = malloc(size);
    memset(block, 1, size);
    memset(hidden(block - by), byte, by);
    free(hidden(block));
    free(hidden(before));
    free(hidden(after));
}

static void one_byte_past_24(void)
{
    past_the_end(24, 1, 0x41);
}

static void one_zero_past_24(void)
{
    past_the_end(24, 1, 0);
}

static void one_byte_past_20(void)
{
    past_the_end(20, 1, 0x41);
}

static void one_byte_past_32(void)
{
    past_the_end(32, 1, 0x41);
}

static void eight_bytes_past_24(void)
{
    past_the_end(24, 8, 0x41);
}

static void eight_bytes_past_32(void)
{
    past_the_end(32, 8, 0x41);
}

static void eight_zeros_past_24(void)
{
    past_the_end(24, 8, 0);
}

static void sixteen_bytes_past_24(void)
{
    past_the_end(24, 16, 0x41);
}

static void sixteen_bytes_past_32(void)
{
    past_the_end(32, 16, 0x41);
}

static void one_byte_past_2008(void)
{
    past_the_end(2008, 1, 0x42);
}

static void one_zero_past_2008(void)
{
    past_the_end(2008, 1, 0);
}

static void eight_bytes_past_2008(void)
{
    past_the_end(2008, 8, 0x41);
}

static void sixteen_bytes_past_2048(void)
{
    past_the_end(2048, 16, 0x41);
}

static void one_byte_past_a_page(void)
{
    past_the_end(4096, 1, 0x41);
}

static void sixteen_bytes_past_20000(void)
{
    past_the_end(20000, 16, 0x41);
}

static void four_KiB_past_24(void)
{
    past_the_end(24, 4096, 0x41);
}

static void one_byte_past_a_MiB(void)
{
    past_the_end((size_t)1 << 20, 1, 0x41);
}

static void a_page_past_a_MiB(void)
{
    past_the_end((size_t)1 << 20, 4096, 0x41);
}

static void one_byte_before_24(void)
{
    before_the_start(24, 1, 0x41);
}

static void eight_bytes_before_24(void)
{
    before_the_start(24, 8, 0x41);
}

static void sixteen_bytes_before_24(void)
{
    before_the_start(24, 16, 0x41);
}

static void sixteen_zeros_before_2008(void)
{
    before_the_start(2008, 16, 0);
}

static void sixteen_bytes_before_2008(void)
{
    before_the_start(2008, 16, 0x41);
}

static void sixteen_bytes_before_a_MiB(void)
{
    before_the_start((size_t)1 << 20, 16, 0x41);
}

static void past_the_last_block_of_all(void)
{
    char *block = malloc(1000);
    memset(hidden(block), 0xff, 1024);
    for (unsigned i = 0; i < 100; i++)
        free(hidden(malloc(5000)));
}

static void into_a_free_neighbour(void)
{
    char *block = malloc(2008), *after = malloc(2008), *guard = malloc(2008);
    free(after);
    memset(hidden(block), 0x41, 2008 + 32);
    free(hidden(malloc(2008)));
    free(block);
    free(guard);
}

static void into_a_free_small_neighbour(void)
{
    char *block[100];
    for (unsigned i = 0; i < 100; i++)
        block[i] = malloc(24);
    for (unsigned i = 1; i < 100; i += 2)
        free(block[i]);
    for (unsigned i = 0; i < 100; i += 2)
        memset(hidden(block[i]), 0x41, 48);
    for (unsigned i = 1; i < 100; i += 2)
        memset(hidden(malloc(24)), 1, 24);
    for (unsigned i = 0; i < 100; i += 2)
        free(hidden(block[i]));
}

static void then_realloc(void)
{
    char *block = malloc(24), *after = malloc(24);
    memset(hidden(block), 0x41, 32);
    block = realloc(hidden(block), 5000);
    after = realloc(hidden(after), 5000);
    free(after);
    free(block);
}

static void of_a_zeroed_block(void)
{
    char *block = calloc(3, 8), *after = calloc(3, 8);
    memset(hidden(block), 0x41, 40);
    free(hidden(after));
    free(block);
}

static void of_an_aligned_block(void)
{
    char *block = memalign(64, 64), *after = memalign(64, 64);
    memset(hidden(block), 0x41, 64 + 16);
    free(hidden(block));
    free(hidden(after));
}

static void of_a_string_by_its_end(void)
{
    char *block = malloc(24), *after = malloc(24);
    strcpy(hidden(block), "twenty-four characters..");
    free(hidden(after));
    free(block);
}

static const struct heap_error errors[] = {
    HEAP_ERROR(one_byte_past_24),
    HEAP_ERROR(one_zero_past_24),
    HEAP_ERROR(one_byte_past_20),
    HEAP_ERROR(one_byte_past_32),
    HEAP_ERROR(eight_bytes_past_24),
    HEAP_ERROR(eight_bytes_past_32),
    HEAP_ERROR(eight_zeros_past_24),
    HEAP_ERROR(sixteen_bytes_past_24),
    HEAP_ERROR(sixteen_bytes_past_32),
    HEAP_ERROR(one_byte_past_2008),
    HEAP_ERROR(one_zero_past_2008),
    HEAP_ERROR(eight_bytes_past_2008),
    HEAP_ERROR(sixteen_bytes_past_2048),
    HEAP_ERROR(one_byte_past_a_page),
    HEAP_ERROR(sixteen_bytes_past_20000),
    HEAP_ERROR(four_KiB_past_24),
    HEAP_ERROR(one_byte_past_a_MiB),
    HEAP_ERROR(a_page_past_a_MiB),
    HEAP_ERROR(one_byte_before_24),
    HEAP_ERROR(eight_bytes_before_24),
    HEAP_ERROR(sixteen_bytes_before_24),
    HEAP_ERROR(sixteen_zeros_before_2008),
    HEAP_ERROR(sixteen_bytes_before_2008),
    HEAP_ERROR(sixteen_bytes_before_a_MiB),
    HEAP_ERROR(past_the_last_block_of_all),
    HEAP_ERROR(into_a_free_neighbour),
    HEAP_ERROR(into_a_free_small_neighbour),
    HEAP_ERROR(then_realloc),
    HEAP_ERROR(of_a_zeroed_block),
    HEAP_ERROR(of_an_aligned_block),
    HEAP_ERROR(of_a_string_by_its_end),
    {NULL, NULL},
};
const struct error_group errors_overflow = {"overflow", errors};
