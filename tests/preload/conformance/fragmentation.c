/* tests/preload/conformance/fragmentation.c: two small programs about what malloc asks of the
 * system
 *
 * i KiB for i in 0..199, of which the odd ones are freed, then the rest: the program's own count
 * and mallinfo2 agree within 2 %. And 30, 40, 200 and 100 KiB, freed in the order C, B, D, A: the
 * 200 KiB block's mapping ends at its free, B's space serves what comes later, and after D the
 * memory goes back.
 */
#include <malloc.h>
#include <stdlib.h>
#include <string.h>

#include "conformance.h"

#define KIB ((size_t)1024)
#define NR_BLOCKS 200u

static char *block[NR_BLOCKS];

static size_t in_use(void)
{
    struct mallinfo2 info = mallinfo2();
    return info.uordblks + info.hblkhd;
}

static void agree(const char *when, size_t told, size_t counted)
{
    size_t off = told > counted ? told - counted : counted - told;
    note("%s: %zu KiB counted, %zu told", when, counted / KIB, told / KIB);
    CHECK(off * 50 <= counted);
}

static void run_200_blocks(bool touch)
{
    size_t before = in_use(), counted = 0, most = 0;
    for (unsigned i = 0; i < NR_BLOCKS; i++) {
        block[i] = malloc(i * KIB);
        REQUIRE(block[i]);
        if (touch)
            memset(block[i], (int)i, i * KIB);
        counted += i * KIB;
    }
    most = counted;
    agree("all", in_use() - before, counted);
    for (unsigned i = 1; i < NR_BLOCKS; i += 2) {
        free(block[i]);
        counted -= i * KIB;
    }
    agree("without the odd ones", in_use() - before, counted);
    for (unsigned i = 0; i < NR_BLOCKS; i += 2) {
        CHECK(!touch || !i || (block[i][0] == (char)i && block[i][i * KIB - 1] == (char)i));
        free(block[i]);
    }
    CHECK(in_use() - before <= most / 50);
}

static void own_count_and_mallinfo2_agree(void)
{
    run_200_blocks(false);
}

static void own_count_and_mallinfo2_agree_when_all_is_touched(void)
{
    run_200_blocks(true);
}

static void trim_gives_back_what_the_odd_ones_took(void)
{
    size_t before = resident_bytes(), counted = 0;
    for (unsigned i = 0; i < NR_BLOCKS; i++) {
        block[i] = malloc(i * KIB);
        REQUIRE(block[i]);
        memset(block[i], (int)i, i * KIB);
        counted += i % 2 ? 0 : i * KIB;
    }
    for (unsigned i = 1; i < NR_BLOCKS; i += 2)
        free(block[i]);
    malloc_trim(0);
    size_t resident = resident_bytes() - before;
    note("%zu KiB in use, %zu KiB resident", counted / KIB, resident / KIB);
    CHECK(resident < counted + counted / 10);
}

/* ---- 30, 40, 200, 100 KiB -------------------------------------------------------------------- */

static char *a, *b, *c, *d;

/* With thresholds that stay where they are: else glibc's free of C raises what is kept at the end.
 */
static void allocate_four(void)
{
    CHECK_EQ(mallopt(M_MMAP_THRESHOLD, 131072), 1);
    CHECK_EQ(mallopt(M_TRIM_THRESHOLD, 65536), 1);
    CHECK_EQ(mallopt(M_TOP_PAD, 0), 1);
    a = malloc(30 * KIB);
    b = malloc(40 * KIB);
    c = malloc(200 * KIB);
    d = malloc(100 * KIB);
    REQUIRE(a && b && c && d);
    memset(a, 1, 30 * KIB);
    memset(b, 2, 40 * KIB);
    memset(c, 3, 200 * KIB);
    memset(d, 4, 100 * KIB);
}

static void the_200_KiB_block_is_unmapped_at_its_free(void)
{
    allocate_four();
    CHECK_EQ(resident_pages(c, 200 * KIB), ((uintptr_t)c % 4096 ? 49 : 50));
    free(c);
    CHECK_EQ(resident_pages(opaque(c), 200 * KIB), 0);
    CHECK(faults(opaque(c + 100 * KIB)));
}

static void later_40_KiB_have_the_freed_ones_space(void)
{
    allocate_four();
    free(c);
    free(b);
    char *later = opaque(malloc(40 * KIB));
    CHECK(later == opaque(b));
    free(later);
    free(d);
    free(a);
}

static void after_D_the_memory_goes_back(void)
{
    allocate_four();
    free(c);
    free(b);
    free(d);
    CHECK_EQ(resident_pages(opaque(d), 100 * KIB), 0);
    CHECK(a[0] == 1 && a[30 * KIB - 1] == 1);
    free(a);
}

static const struct conformance_case cases[] = {
    CASE(own_count_and_mallinfo2_agree),
    CASE(own_count_and_mallinfo2_agree_when_all_is_touched),
    CASE(trim_gives_back_what_the_odd_ones_took),
    CASE(the_200_KiB_block_is_unmapped_at_its_free),
    CASE(later_40_KiB_have_the_freed_ones_space),
    CASE(after_D_the_memory_goes_back),
    END_OF_CASES,
};
const struct conformance_group conformance_fragmentation = {"fragmentation", cases};
