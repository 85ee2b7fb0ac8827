/* tests/preload/conformance/options.c: mallopt, and what the environment sets */
#include <malloc.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

#include "conformance.h"

#define MIB ((size_t)1 << 20)
#define NR_BLOCKS 1000u

static char *block[NR_BLOCKS];

static bool is_filled(const char *at, size_t size, int byte)
{
    for (size_t i = 0; i < size; i++)
        if ((unsigned char)at[i] != (unsigned char)byte)
            return false;
    return true;
}

/* Whether a new block is mapped on its own, by the count of such. */
static bool is_mapped(size_t size, char **at)
{
    size_t before = mallinfo2().hblks;
    *at = opaque(malloc(size));
    REQUIRE(*at);
    (*at)[0] = (*at)[size - 1] = 1;
    return mallinfo2().hblks == before + 1;
}

static void what_is_known_is_accepted(void)
{
    CHECK_EQ(mallopt(M_MXFAST, 64), 1);
    CHECK_EQ(mallopt(M_MXFAST, 0), 1);
    CHECK_EQ(mallopt(M_TRIM_THRESHOLD, 1 << 20), 1);
    CHECK_EQ(mallopt(M_TOP_PAD, 1 << 16), 1);
    CHECK_EQ(mallopt(M_MMAP_THRESHOLD, 1 << 20), 1);
    CHECK_EQ(mallopt(M_MMAP_MAX, 100), 1);
    CHECK_EQ(mallopt(M_CHECK_ACTION, 3), 1);
    CHECK_EQ(mallopt(M_PERTURB, 0), 1);
    CHECK_EQ(mallopt(M_ARENA_TEST, 2), 1);
    CHECK_EQ(mallopt(M_ARENA_MAX, 2), 1);
    free(opaque(malloc(100)));
}

static void what_is_too_large_for_M_MXFAST_is_refused(void)
{
    CHECK_EQ(mallopt(M_MXFAST, 161), 0);
    CHECK_EQ(mallopt(M_MXFAST, 160), 1);
}

/* Blocks larger than what the heap may have at its end, which glibc takes first. */
static void mmap_threshold_says_what_is_mapped(void)
{
    char *at;
    CHECK_EQ(mallopt(M_MMAP_THRESHOLD, 262144), 1);
    for (unsigned i = 0; i < 5; i++) {
        CHECK(is_mapped(300000, &at));
        free(at);
    }
    CHECK(!is_mapped(250000, &at));
    free(at);
    CHECK_EQ(mallopt(M_MMAP_THRESHOLD, 2 << 20), 1);
    CHECK(!is_mapped(MIB, &at));
    free(at);
    CHECK(is_mapped(3 * MIB, &at));
    free(at);
}

static void the_threshold_follows_what_is_freed(void)
{
    char *at, *more;
    CHECK(is_mapped(MIB, &at));
    CHECK(is_mapped(MIB, &more));
    free(at);
    free(more);
    CHECK(!is_mapped(MIB - 4096, &at));
    CHECK(is_mapped(2 * MIB, &more));
    free(at);
    free(more);
}

static void the_threshold_does_not_follow_what_is_beyond_32_MiB(void)
{
    char *at;
    for (unsigned i = 0; i < 3; i++) {
        CHECK(is_mapped(33 * MIB, &at));
        free(at);
    }
}

static void the_threshold_stays_where_it_was_put(void)
{
    char *at;
    CHECK_EQ(mallopt(M_TRIM_THRESHOLD, 1 << 20), 1); /* that of any of them ends it */
    for (unsigned i = 0; i < 4; i++) {
        CHECK(is_mapped(MIB, &at));
        free(at);
    }
}

static void mmap_max_of_0_maps_nothing(void)
{
    char *at, *more;
    CHECK_EQ(mallopt(M_MMAP_MAX, 0), 1);
    CHECK(!is_mapped(MIB, &at));
    CHECK(!is_mapped(40 * MIB, &more));
    free(at);
    free(more);
}

static void mmap_max_bounds_how_many_are_mapped(void)
{
    char *at;
    CHECK_EQ(mallopt(M_MMAP_MAX, (int)mallinfo2().hblks + 3), 1);
    for (unsigned i = 0; i < 6; i++)
        CHECK_EQ(is_mapped(MIB, &at), i < 3);
}

static void trim_threshold_says_when_memory_goes_back(void)
{
    CHECK_EQ(mallopt(M_TRIM_THRESHOLD, 1 << 18), 1);
    CHECK_EQ(mallopt(M_TOP_PAD, 0), 1);
    size_t before = resident_bytes();
    for (unsigned i = 0; i < NR_BLOCKS; i++) {
        block[i] = malloc(50000);
        REQUIRE(block[i]);
        memset(block[i], 1, 50000);
    }
    for (unsigned i = NR_BLOCKS; i--;)
        free(block[i]);
    note("%zu KiB stay resident of %u", (resident_bytes() - before) / 1024, NR_BLOCKS * 50);
    CHECK(resident_bytes() < before + 2 * MIB);
}

static void no_trim_threshold_keeps_memory(void)
{
    CHECK_EQ(mallopt(M_TRIM_THRESHOLD, -1), 1);
    CHECK_EQ(mallopt(M_MMAP_MAX, 0), 1);
    size_t before = resident_bytes();
    for (unsigned i = 0; i < NR_BLOCKS; i++) {
        block[i] = malloc(50000);
        REQUIRE(block[i]);
        memset(block[i], 1, 50000);
    }
    for (unsigned i = NR_BLOCKS; i--;)
        free(block[i]);
    CHECK(resident_bytes() > before + (size_t)NR_BLOCKS * 40000);
}

static void perturb_fills_new_blocks(void)
{
    CHECK_EQ(mallopt(M_PERTURB, 0xa5), 1);
    for (size_t size = 8; size < 8 * MIB; size = size * 5 / 3 + 8) {
        char *at = opaque(malloc(size)), *zero = opaque(calloc(1, size));
        CHECK(is_filled(at, size, ~0xa5));
        CHECK(is_zero(zero, size));
    }
}

/* Two words at the beginning, and 16 bytes in front of the next block, may be the allocator's. */
static void perturb_fills_freed_blocks(void)
{
    char *before = malloc(3000), *at = malloc(3000), *after = malloc(3000);
    CHECK_EQ(mallopt(M_PERTURB, 0xa5), 1);
    memset(at, 1, 3000);
    free(at);
    CHECK(is_filled(opaque(at + 64), 2900, 0xa5));
    free(before);
    free(after);
}

static void perturb_of_0_ends_it(void)
{
    CHECK_EQ(mallopt(M_PERTURB, 0xa5), 1);
    CHECK_EQ(mallopt(M_PERTURB, 0), 1);
    char *at = malloc(3000), *after = malloc(3000);
    memset(at, 1, 3000);
    free(at);
    CHECK(is_filled(opaque(at + 64), 2900, 1));
    free(after);
}

/* ---- the environment ------------------------------------------------------------------------- */

static void of_environment_perturbed(void)
{
    char *at = opaque(malloc(3000));
    CHECK(is_filled(at, 3000, ~0x3c));
}

static void of_environment_not_perturbed(void)
{
    char *at = opaque(malloc(3000));
    CHECK(!is_filled(at, 3000, at[0]) || !at[0]);
}

static void in_each(const char *name, const char *const *variables)
{
    for (; *variables; variables++) {
        int status = run_self(name, *variables, NULL);
        if (status)
            note("%s", *variables);
        CHECK_EQ(status, 0);
    }
}

static void the_environment_perturbs(void)
{
    static const char *const sixty[] = {"MALLOC_PERTURB_=60",
                                        "MALLOC_PERTURB_=0x3c",
                                        "MALLOC_PERTURB_=0X3C",
                                        "MALLOC_PERTURB_=074",
                                        "MALLOC_PERTURB_= 60",
                                        "MALLOC_PERTURB_=\t+60",
                                        NULL};
    in_each("options.of_environment_perturbed", sixty);
}

static void the_environment_perturbs_by_bytes_only(void)
{
    static const char *const none[] = {
        "MALLOC_PERTURB_=256", "MALLOC_PERTURB_=-1", "MALLOC_PERTURB_=x60",
        "MALLOC_PERTURB_=",    "MALLOC_PERTURB_=08", NULL};
    in_each("options.of_environment_not_perturbed", none);
}

static void of_environment_threshold(void)
{
    char *at;
    CHECK(!is_mapped(600000, &at));
    free(at);
    CHECK(is_mapped(2 * MIB, &at));
}

static void the_environment_sets_the_mmap_threshold(void)
{
    static const char *const a_million[] = {"MALLOC_MMAP_THRESHOLD_=1000000",
                                            "MALLOC_MMAP_THRESHOLD_=0xf4240", NULL};
    in_each("options.of_environment_threshold", a_million);
}

static void of_environment_without_mapping(void)
{
    char *at;
    CHECK(!is_mapped(3 * MIB, &at));
}

static void the_environment_sets_mmap_max(void)
{
    CHECK_EQ(run_self("options.of_environment_without_mapping", "MALLOC_MMAP_MAX_=0", NULL), 0);
}

static void of_environment_with_mapping(void)
{
    char *at;
    CHECK(is_mapped(3 * MIB, &at));
}

static void the_environment_sets_no_negative_mmap_max(void)
{
    CHECK_EQ(run_self("options.of_environment_with_mapping", "MALLOC_MMAP_MAX_=-1", NULL), 0);
}

static const struct conformance_case cases[] = {
    CASE(what_is_known_is_accepted),
    CASE(what_is_too_large_for_M_MXFAST_is_refused),
    CASE(mmap_threshold_says_what_is_mapped),
    CASE(the_threshold_follows_what_is_freed),
    CASE(the_threshold_does_not_follow_what_is_beyond_32_MiB),
    CASE(the_threshold_stays_where_it_was_put),
    CASE(mmap_max_of_0_maps_nothing),
    CASE(mmap_max_bounds_how_many_are_mapped),
    CASE(trim_threshold_says_when_memory_goes_back),
    CASE(no_trim_threshold_keeps_memory),
    CASE(perturb_fills_new_blocks),
    CASE(perturb_fills_freed_blocks),
    CASE(perturb_of_0_ends_it),
    CASE_INNER(of_environment_perturbed),
    CASE_INNER(of_environment_not_perturbed),
    CASE(the_environment_perturbs),
    CASE(the_environment_perturbs_by_bytes_only),
    CASE_INNER(of_environment_threshold),
    CASE(the_environment_sets_the_mmap_threshold),
    CASE_INNER(of_environment_without_mapping),
    CASE_INNER(of_environment_with_mapping),
    CASE(the_environment_sets_mmap_max),
    CASE(the_environment_sets_no_negative_mmap_max),
    END_OF_CASES,
};
const struct conformance_group conformance_options = {"options", cases};
