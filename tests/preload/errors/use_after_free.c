/* tests/preload/errors/use_after_free.c: blocks that are used, resized or read after they were
 * freed */
#include <malloc.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "errors.h"

/* Then as many blocks of the size as a list of free ones would lead through. */
static void write_freed(size_t size, size_t from, size_t bytes, int byte)
{
    char *block = block_among_others(size);
    free(block);
    memset(hidden(block + from), byte, bytes);
    for (unsigned i = 0; i < 4; i++)
        memset(hidden(malloc(size)), 1, size);
}

static void read_freed(size_t size)
{
    char *block = block_among_others(size);
    free(block);
    volatile char sum = 0;
    for (size_t i = 0; i < size; i++)
        sum = (char)(sum + hidden(block)[i]);
}

static void realloc_freed(size_t size, size_t more)
{
    char *block = block_among_others(size);
    free(block);
    block = realloc(hidden(block), more);
    memset(hidden(block), 1, more);
    free(block);
}

static void first_word_of_a_small_block_written(void)
{
    write_freed(SMALL, 0, 8, 0x41);
}

static void second_word_of_a_small_block_written(void)
{
    write_freed(SMALL, 8, 8, 0x41);
}

static void small_block_written(void)
{
    write_freed(SMALL, 0, SMALL, 0x41);
}

static void first_words_of_a_middle_block_written(void)
{
    write_freed(MIDDLE, 0, 16, 0x41);
}

static void middle_block_written(void)
{
    write_freed(MIDDLE, 0, MIDDLE, 0x41);
}

static void middle_of_a_middle_block_written(void)
{
    write_freed(MIDDLE, 1000, 8, 0x41);
}

static void block_of_pages_written(void)
{
    write_freed(PAGES, 0, PAGES, 0x41);
}

static void large_block_written(void)
{
    write_freed(LARGE, 0, LARGE, 0x41);
}

static void small_block_read(void)
{
    read_freed(SMALL);
}

static void block_of_pages_read(void)
{
    read_freed(PAGES);
}

static void large_block_read(void)
{
    read_freed(LARGE);
}

static void small_block_resized(void)
{
    realloc_freed(SMALL, 1000);
}

static void small_block_resized_within(void)
{
    realloc_freed(SMALL, SMALL - 4);
}

static void middle_block_resized(void)
{
    realloc_freed(MIDDLE, 10000);
}

static void block_of_pages_resized(void)
{
    realloc_freed(PAGES, 100000);
}

static void large_block_resized(void)
{
    realloc_freed(LARGE, LARGE * 2);
}

static void small_block_that_is_another_one_written(void)
{
    char *block = block_among_others(100);
    free(block);
    char *other = malloc(100);
    memset(other, 1, 100);
    memset(hidden(block), 0x41, 100);
    free(hidden(other));
}

/* What calloc promises is broken where it trusts what it knows of free memory. */
static void large_block_written_then_calloc(void)
{
    char *block = block_among_others(PAGES * 4);
    free(block);
    memset(hidden(block), 0x41, PAGES * 4);
    char *zero = calloc(1, PAGES * 4);
    for (size_t i = 0; i < PAGES * 4; i++)
        if (hidden(zero)[i])
            _exit(3);
    free(zero);
}

static void block_that_realloc_moved_written(void)
{
    char *block = block_among_others(SMALL);
    char *moved = realloc(block, 100000);
    memset(hidden(block), 0x41, SMALL);
    for (unsigned i = 0; i < 4; i++)
        memset(hidden(malloc(SMALL)), 1, SMALL);
    free(moved);
}

static void free_it(char *block)
{
    free(block);
}

static void block_that_a_thread_freed_written(void)
{
    char *block = block_among_others(SMALL);
    in_a_thread(free_it, block);
    memset(hidden(block), 0x41, SMALL);
    for (unsigned i = 0; i < 4; i++)
        memset(hidden(malloc(SMALL)), 1, SMALL);
}

static void usable_size_asked(void)
{
    char *block = block_among_others(LARGE);
    free(block);
    size_t size = malloc_usable_size(hidden(block));
    (void)hidden(&size);
}

static void block_written_after_trim(void)
{
    char *block = block_among_others(PAGES);
    free(block);
    malloc_trim(0);
    memset(hidden(block), 0x41, PAGES);
    for (unsigned i = 0; i < 4; i++)
        memset(hidden(malloc(PAGES)), 1, PAGES);
}

static const struct heap_error errors[] = {
    HEAP_ERROR(first_word_of_a_small_block_written),
    HEAP_ERROR(second_word_of_a_small_block_written),
    HEAP_ERROR(small_block_written),
    HEAP_ERROR(first_words_of_a_middle_block_written),
    HEAP_ERROR(middle_block_written),
    HEAP_ERROR(middle_of_a_middle_block_written),
    HEAP_ERROR(block_of_pages_written),
    HEAP_ERROR(large_block_written),
    HEAP_ERROR(small_block_read),
    HEAP_ERROR(block_of_pages_read),
    HEAP_ERROR(large_block_read),
    HEAP_ERROR(small_block_resized),
    HEAP_ERROR(small_block_resized_within),
    HEAP_ERROR(middle_block_resized),
    HEAP_ERROR(block_of_pages_resized),
    HEAP_ERROR(large_block_resized),
    HEAP_ERROR(small_block_that_is_another_one_written),
    HEAP_ERROR(large_block_written_then_calloc),
    HEAP_ERROR(block_that_realloc_moved_written),
    HEAP_ERROR(block_that_a_thread_freed_written),
    HEAP_ERROR(usable_size_asked),
    HEAP_ERROR(block_written_after_trim),
    {NULL, NULL},
};
const struct error_group errors_use_after_free = {"use_after_free", errors};
