/* tests/preload/errors/members.c: errors by way of the family's other members
 *
 * realloc to nothing, reallocarray, calloc, the aligned ones: each has its own way to a block, and
 * each result is one to free().
 */
#include <malloc.h>
#include <stdlib.h>
#include <string.h>

#include "errors.h"

static void *array_of(void *block, size_t count, size_t size)
{
    return reallocarray(hidden(block), count, size);
}

static void realloc_of_a_freed_block_to_nothing(void)
{
    char *block = block_among_others(SMALL);
    free(block);
    (void)!realloc(hidden(block), (size_t)(uintptr_t)hidden(NULL));
}

static void reallocarray_of_a_freed_block(void)
{
    char *block = block_among_others(100);
    free(block);
    free(array_of(block, 100, 16));
}

static void reallocarray_of_a_pointer_into_a_block(void)
{
    free(array_of(block_among_others(200) + 32, 100, 16));
}

static void block_that_reallocarray_moved(void)
{
    char *block = block_among_others(64);
    char *moved = array_of(block, 1000, 24);
    free(hidden(block));
    free(moved);
}

static void realloc_of_a_moved_block(void)
{
    char *block = block_among_others(64);
    char *moved = realloc(block, 6000), *again = realloc(hidden(block), 6000);
    free(again);
    free(moved);
}

static void growing_buffer_whose_old_address_is_kept(void)
{
    char *buffer = malloc(16), *first = hidden(buffer);
    for (size_t size = 32; size <= 1 << 16; size *= 2)
        buffer = realloc(buffer, size);
    free(buffer);
    free(first);
}

static void posix_memalign_twice(void)
{
    void *block = NULL;
    if (!posix_memalign(&block, 256, 700))
        free(block);
    free(hidden(block));
}

static void posix_memalign_and_its_alignment(void)
{
    void *block = NULL;
    if (!posix_memalign(&block, 64, 1000))
        free(hidden((char *)block + 64));
}

static void aligned_alloc_of_a_MiB_and_16(void)
{
    char *block = aligned_alloc(4096, 1 << 20);
    memset(hidden(block), 0, 4096);
    free(hidden(block + 16));
}

static void valloc_and_half_a_page(void)
{
    char *block = valloc(10000);
    memset(hidden(block), 0, 10000);
    free(hidden(block + 2048));
}

static void pvalloc_twice(void)
{
    char *block = pvalloc(5000);
    free(block);
    free(hidden(block));
}

static void realloc_of_an_aligned_block_and_16(void)
{
    char *block = memalign(512, 3000);
    memset(hidden(block), 0, 3000);
    free(realloc(hidden(block + 16), 6000));
}

static void aligned_block_that_realloc_moved(void)
{
    char *block = memalign(128, 1000);
    char *moved = realloc(block, 100000);
    free(hidden(block));
    free(moved);
}

static void zeroed_array_and_its_second_element(void)
{
    char *array = calloc(10, 48);
    free(hidden(array + 48));
}

static void large_zeroed_block_twice(void)
{
    char *block = calloc(3, 1 << 20);
    free(block);
    free(hidden(block));
}

static void every_second_of_many_twice(void)
{
    char *block[40];
    for (unsigned i = 0; i < 40; i++)
        block[i] = malloc(160);
    for (unsigned i = 0; i < 40; i++)
        free(block[i]);
    for (unsigned i = 0; i < 40; i += 2)
        free(hidden(block[i]));
}

static void block_twice_with_allocations_of_others_between(void)
{
    char *block = block_among_others(300), *other[50];
    free(block);
    for (unsigned i = 0; i < 50; i++)
        memset(hidden(other[i] = malloc(40 * i + 8)), 1, 40 * i + 8);
    free(hidden(block));
    for (unsigned i = 0; i < 50; i++)
        free(other[i]);
}

static void block_that_shrank_twice(void)
{
    char *block = block_among_others(4000);
    block = realloc(block, 24);
    free(block);
    free(hidden(block));
}

static void end_of_what_was_asked_for(void)
{
    char *block = block_among_others(112);
    free(hidden(block + 112));
    free(block);
}

static const struct heap_error errors[] = {
    HEAP_ERROR(realloc_of_a_freed_block_to_nothing),
    HEAP_ERROR(reallocarray_of_a_freed_block),
    HEAP_ERROR(reallocarray_of_a_pointer_into_a_block),
    HEAP_ERROR(block_that_reallocarray_moved),
    HEAP_ERROR(realloc_of_a_moved_block),
    HEAP_ERROR(growing_buffer_whose_old_address_is_kept),
    HEAP_ERROR(posix_memalign_twice),
    HEAP_ERROR(posix_memalign_and_its_alignment),
    HEAP_ERROR(aligned_alloc_of_a_MiB_and_16),
    HEAP_ERROR(valloc_and_half_a_page),
    HEAP_ERROR(pvalloc_twice),
    HEAP_ERROR(realloc_of_an_aligned_block_and_16),
    HEAP_ERROR(aligned_block_that_realloc_moved),
    HEAP_ERROR(zeroed_array_and_its_second_element),
    HEAP_ERROR(large_zeroed_block_twice),
    HEAP_ERROR(every_second_of_many_twice),
    HEAP_ERROR(block_twice_with_allocations_of_others_between),
    HEAP_ERROR(block_that_shrank_twice),
    HEAP_ERROR(end_of_what_was_asked_for),
    {NULL, NULL},
};
const struct error_group errors_members = {"members", errors};
