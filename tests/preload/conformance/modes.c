/* tests/preload/conformance/modes.c: programs behave as ever while a mode of QUIRE_MALLOC is on
 *
 * Other libraries don't know the variable, and pass as they do without.
 */
#include <errno.h>
#include <malloc.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

#include "conformance.h"

static const char *const modes[] = {
    "QUIRE_MALLOC=junk",       "QUIRE_MALLOC=leak",
    "QUIRE_MALLOC=guard=1",    "QUIRE_MALLOC=guard=7",
    "QUIRE_MALLOC=perturb=85", "QUIRE_MALLOC=calls",
    "QUIRE_MALLOC=share",      "QUIRE_MALLOC=junk,leak,guard=3",
    "QUIRE_MALLOC=huge",
};
#define NR_MODES (sizeof modes / sizeof modes[0])

static void in_every_mode(const char *name)
{
    for (unsigned i = 0; i < NR_MODES; i++) {
        int status = run_self(name, modes[i], NULL);
        if (status)
            note("%s", modes[i]);
        CHECK_EQ(status, 0);
    }
}

static void look_at_sizes(size_t most)
{
    for (size_t size = 0; size < most; size += size / 3 + 1) {
        char *block = opaque(calloc(1, size));
        REQUIRE(block);
        CHECK(is_zero(block, size));
        fill(block, malloc_usable_size(block), 3);
        block = opaque(realloc(block, size + 100));
        REQUIRE(block);
        CHECK(holds(block, size, 3));
        free(block);
        block = memalign(64, size);
        CHECK(block && is_aligned(block, 64));
        free(opaque(block));
        CHECK_EQ(posix_memalign((void **)&block, 8192, size), 0);
        free(opaque(block));
    }
}

static void blocks_of_all_sizes(void)
{
    for (unsigned i = 0; i < 20; i++) {
        char *block = opaque(realloc(opaque(malloc(0)), 50));
        REQUIRE(block);
        fill(block, 50, i);
        free(block);
        look_at_sizes(i ? 5000 : 500000);
    }
}

static void zeroed_blocks_of_a_locked_process(void)
{
    char *block[600];
    if (mlockall(MCL_CURRENT | MCL_FUTURE))
        return;
    for (unsigned round = 0; round < 4; round++) {
        for (unsigned i = 0; i < 600; i++) {
            block[i] = opaque(calloc(1, 100));
            CHECK(block[i] && is_zero(block[i], 100));
            memset(block[i], 0xff, 100);
        }
        for (unsigned i = 0; i < 600; i++)
            free(block[i]);
    }
}

static void *allocate_for_ever(void *arg)
{
    char *block[3000] = {NULL};
    uint64_t seed = (uintptr_t)arg;
    for (;;) {
        char **at = &block[random_next(&seed) % 3000];
        free(*at);
        *at = malloc(random_size(&seed, 1000));
    }
    return NULL;
}

static void an_end_while_threads_allocate(void)
{
    pthread_t thread[4];
    for (uintptr_t i = 0; i < 4; i++)
        REQUIRE(!pthread_create(&thread[i], NULL, allocate_for_ever, (void *)(i + 1)));
    usleep(20000);
    exit(0);
}

static void blocks_of_all_sizes_keep_contents_in_every_mode(void)
{
    in_every_mode("modes.blocks_of_all_sizes");
}

static void zeroed_blocks_of_a_locked_process_are_zero_in_every_mode(void)
{
    in_every_mode("modes.zeroed_blocks_of_a_locked_process");
}

static void a_process_may_end_while_its_threads_allocate_in_every_mode(void)
{
    for (unsigned i = 0; i < 5; i++)
        in_every_mode("modes.an_end_while_threads_allocate");
}

static void children_allocate_while_8_threads_do_in_every_mode(void)
{
    in_every_mode("forks.a_hundred_children_while_8_threads_allocate");
}

/* Whether the system may use huge pages for the mapping that `at` is in: it may have none left. */
static bool may_be_huge(const void *at)
{
    char line[512];
    bool is_it = false, may = false;
    FILE *file = fopen("/proc/self/smaps", "r");
    while (file && fgets(line, sizeof line, file)) {
        unsigned long start, end;
        if (sscanf(line, "%lx-%lx ", &start, &end) == 2)
            is_it = (uintptr_t)at >= start && (uintptr_t)at < end;
        may |= is_it && !strncmp(line, "VmFlags:", 8) && strstr(line, " hg");
    }
    if (file)
        fclose(file);
    return may;
}

static bool is_quire(void)
{
    static char text[1 << 16];
    FILE *file = fmemopen(text, sizeof text - 1, "w");
    bool told = file && !malloc_info(0, file);
    if (file)
        fclose(file);
    return told && strstr(text, "<quire ");
}

static void blocks_that_may_be_in_huge_pages(void)
{
    char *block = NULL;
    for (unsigned i = 0; i < 40000; i++)
        REQUIRE(block = opaque(malloc(1000)));
    CHECK(!is_quire() || access("/sys/kernel/mm/transparent_hugepage", F_OK) || may_be_huge(block));
}

static void what_the_heap_grows_by_may_be_in_huge_pages(void)
{
    CHECK_EQ(run_self("modes.blocks_that_may_be_in_huge_pages", "QUIRE_MALLOC=huge", NULL), 0);
}

/* Where the range isn't reserved before it is used. */
static void limit_to_1_GiB(void)
{
    struct rlimit limits = {1ul << 30, RLIM_INFINITY};
    REQUIRE(!setrlimit(RLIMIT_AS, &limits));
}

static void what_the_heap_grows_by_under_a_limit_may_be_in_huge_pages(void)
{
    CHECK_EQ(
        run_self("modes.blocks_that_may_be_in_huge_pages", "QUIRE_MALLOC=huge", limit_to_1_GiB), 0);
}

static const struct conformance_case cases[] = {
    CASE_INNER(blocks_of_all_sizes),
    CASE_INNER(zeroed_blocks_of_a_locked_process),
    CASE_INNER(an_end_while_threads_allocate),
    CASE_INNER(blocks_that_may_be_in_huge_pages),
    CASE(what_the_heap_grows_by_may_be_in_huge_pages),
    CASE(what_the_heap_grows_by_under_a_limit_may_be_in_huge_pages),
    CASE(blocks_of_all_sizes_keep_contents_in_every_mode),
    CASE(zeroed_blocks_of_a_locked_process_are_zero_in_every_mode),
    CASE(a_process_may_end_while_its_threads_allocate_in_every_mode),
    CASE(children_allocate_while_8_threads_do_in_every_mode),
    END_OF_CASES,
};
const struct conformance_group conformance_modes = {"modes", cases};
