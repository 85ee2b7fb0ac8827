/* tests/preload/errors/invalid_free.c: free and realloc of what is no block */
#include <malloc.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "errors.h"

static char global[256] __attribute__((aligned(64)));
static const char constant[64] = "a constant";

static void small_block_and_8(void)
{
    free(hidden(block_among_others(100) + 8));
}

static void small_block_and_1(void)
{
    free(hidden(block_among_others(100) + 1));
}

static void small_block_and_16(void)
{
    free(hidden(block_among_others(100) + 16));
}

static void small_block_and_32_of_zeros(void)
{
    char *block = block_among_others(100);
    memset(block, 0, 100);
    free(hidden(block + 32));
}

static void middle_block_and_16(void)
{
    free(hidden(block_among_others(MIDDLE) + 16));
}

static void middle_block_and_1024(void)
{
    free(hidden(block_among_others(MIDDLE) + 1024));
}

static void block_of_pages_and_a_page(void)
{
    free(hidden(block_among_others(PAGES) + 4096));
}

static void block_of_pages_and_1(void)
{
    free(hidden(block_among_others(PAGES) + 1));
}

static void large_block_and_16(void)
{
    free(hidden(block_among_others(LARGE) + 16));
}

static void large_block_and_a_page(void)
{
    free(hidden(block_among_others(LARGE) + 4096));
}

static void what_lies_16_before_a_block(void)
{
    free(hidden(block_among_others(100) - 16));
}

/* Where there is nothing between blocks it is the next one, whose turn comes afterwards. */
static void the_end_of(size_t size)
{
    char *block = malloc(size), *next = malloc(size);
    memset(block, 1, size);
    memset(next, 1, size);
    free(hidden(block + malloc_usable_size(block)));
    free(hidden(next));
    free(hidden(block));
}

static void the_end_of_a_small_block(void)
{
    the_end_of(96);
}

static void the_end_of_a_large_block(void)
{
    the_end_of(LARGE);
}

static void aligned_block_and_64(void)
{
    char *block = memalign(64, 1000);
    memset(block, 0, 1000);
    free(hidden(block + 64));
}

static void heap_that_was_never_a_block(void)
{
    free(hidden(block_among_others(SMALL) + 65536));
}

static void stack(void)
{
    char here[256] __attribute__((aligned(64)));
    memset(here, 1, sizeof here);
    free(hidden(here + 16));
}

static void stack_with_what_looks_like_a_head(void)
{
    uint64_t here[64] __attribute__((aligned(64)));
    memset(here, 0, sizeof here);
    here[1] = 0x41;
    here[9] = 0x41;
    free(hidden(here + 2));
}

static void stack_of_a_thread_body(char *unused)
{
    char here[256] __attribute__((aligned(64)));
    memset(here, 1, sizeof here);
    free(hidden(here + 16));
    (void)unused;
}

static void stack_of_a_thread(void)
{
    in_a_thread(stack_of_a_thread_body, NULL);
}

static void global_data(void)
{
    memset(global, 0, sizeof global);
    free(hidden(global + 64));
}

static void global_data_with_what_looks_like_a_head(void)
{
    memset(global, 0, sizeof global);
    ((uint64_t *)(void *)global)[1] = 0x61;
    ((uint64_t *)(void *)global)[13] = 0x61;
    free(hidden(global + 16));
}

static void constant_data(void)
{
    free(hidden((char *)(uintptr_t)constant + 16));
}

static void code(void)
{
    free(hidden((char *)(uintptr_t)&code));
}

static void value_of_the_environment(void)
{
    setenv("QUIRE_TEST", "value", 1);
    free(hidden(getenv("PATH")));
}

static void mapping_of_the_program(void)
{
    char *mapping = mmap(NULL, 65536, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    free(hidden(mapping));
}

static void mapping_of_the_program_and_16(void)
{
    char *mapping = mmap(NULL, 65536, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    free(hidden(mapping + 16));
}

static void what_is_not_mapped(void)
{
    char *mapping = mmap(NULL, 65536, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    munmap(mapping, 65536);
    free(hidden(mapping + 4096));
}

static void address_8(void)
{
    free(hidden((void *)8));
}

static void address_16(void)
{
    free(hidden((void *)16));
}

static void all_ones(void)
{
    free(hidden((void *)~(uintptr_t)15));
}

static void what_is_no_address(void)
{
    free(hidden((void *)(uintptr_t)0x4141414141414140));
}

static void realloc_of_a_small_block_and_16(void)
{
    free(realloc(hidden(block_among_others(100) + 16), 200));
}

static void realloc_of_a_small_block_and_1(void)
{
    free(realloc(hidden(block_among_others(100) + 1), 200));
}

static void realloc_of_a_large_block_and_a_page(void)
{
    free(realloc(hidden(block_among_others(LARGE) + 4096), LARGE * 2));
}

static void realloc_of_the_stack(void)
{
    char here[256] __attribute__((aligned(64)));
    memset(here, 1, sizeof here);
    free(realloc(hidden(here + 16), 200));
}

static void realloc_of_global_data(void)
{
    memset(global, 0, sizeof global);
    free(realloc(hidden(global + 64), 200));
}

static void realloc_of_a_mapping(void)
{
    char *mapping = mmap(NULL, 65536, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    free(realloc(hidden(mapping + 16), 200));
}

static const struct heap_error errors[] = {
    HEAP_ERROR(small_block_and_8),
    HEAP_ERROR(small_block_and_1),
    HEAP_ERROR(small_block_and_16),
    HEAP_ERROR(small_block_and_32_of_zeros),
    HEAP_ERROR(middle_block_and_16),
    HEAP_ERROR(middle_block_and_1024),
    HEAP_ERROR(block_of_pages_and_a_page),
    HEAP_ERROR(block_of_pages_and_1),
    HEAP_ERROR(large_block_and_16),
    HEAP_ERROR(large_block_and_a_page),
    HEAP_ERROR(what_lies_16_before_a_block),
    HEAP_ERROR(the_end_of_a_small_block),
    HEAP_ERROR(the_end_of_a_large_block),
    HEAP_ERROR(aligned_block_and_64),
    HEAP_ERROR(heap_that_was_never_a_block),
    HEAP_ERROR(stack),
    HEAP_ERROR(stack_with_what_looks_like_a_head),
    HEAP_ERROR(stack_of_a_thread),
    HEAP_ERROR(global_data),
    HEAP_ERROR(global_data_with_what_looks_like_a_head),
    HEAP_ERROR(constant_data),
    HEAP_ERROR(code),
    HEAP_ERROR(value_of_the_environment),
    HEAP_ERROR(mapping_of_the_program),
    HEAP_ERROR(mapping_of_the_program_and_16),
    HEAP_ERROR(what_is_not_mapped),
    HEAP_ERROR(address_8),
    HEAP_ERROR(address_16),
    HEAP_ERROR(all_ones),
    HEAP_ERROR(what_is_no_address),
    HEAP_ERROR(realloc_of_a_small_block_and_16),
    HEAP_ERROR(realloc_of_a_small_block_and_1),
    HEAP_ERROR(realloc_of_a_large_block_and_a_page),
    HEAP_ERROR(realloc_of_the_stack),
    HEAP_ERROR(realloc_of_global_data),
    HEAP_ERROR(realloc_of_a_mapping),
    {NULL, NULL},
};
const struct error_group errors_invalid_free = {"invalid_free", errors};
