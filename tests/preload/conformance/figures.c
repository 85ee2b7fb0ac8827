/* tests/preload/conformance/figures.c: mallinfo, mallinfo2, malloc_stats, malloc_info, malloc_trim
 *
 * What they say is compared with the program's own count. glibc counts the head of each block (8
 * bytes and what rounding to 16 takes), and blocks in a thread's cache as in use: the bounds leave
 * room for both, and for no more.
 */
#include <ctype.h>
#include <errno.h>
#include <malloc.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "conformance.h"

#define MIB ((size_t)1 << 20)
#define NR_BLOCKS 20000u

static char *block[NR_BLOCKS];

static size_t in_use(void)
{
    struct mallinfo2 info = mallinfo2();
    return info.uordblks + info.hblkhd;
}

static bool near_to(size_t got, size_t expected, size_t percent)
{
    size_t off = got > expected ? got - expected : expected - got;
    if (off * 100 <= expected * percent)
        return true;
    note("%zu bytes are told, %zu were counted: more than %zu %% off", got, expected, percent);
    return false;
}

/* Either of what was asked for and what can be used is a program's own count. */
static bool is_between(size_t got, size_t asked, size_t usable, size_t percent)
{
    return (got >= asked && got <= usable) || near_to(got, got < asked ? asked : usable, percent);
}

/* Blocks of 100 to 3000 bytes; what they are together by malloc_usable_size. */
static size_t allocate_many(void)
{
    uint64_t state = 4;
    size_t total = 0;
    for (unsigned i = 0; i < NR_BLOCKS; i++) {
        size_t size = 100 + random_next(&state) % 2901;
        block[i] = malloc(size);
        REQUIRE(block[i]);
        memset(block[i], 1, size);
        total += malloc_usable_size(block[i]);
    }
    return total;
}

static void mallinfo2_counts_small_blocks(void)
{
    size_t before = in_use(), total = allocate_many();
    CHECK(near_to(in_use() - before, total, 2));
}

static void mallinfo2_counts_what_is_freed(void)
{
    size_t before = in_use(), total = allocate_many();
    for (unsigned i = 0; i < NR_BLOCKS; i += 2) {
        total -= malloc_usable_size(block[i]);
        free(block[i]);
    }
    CHECK(near_to(in_use() - before, total, 3));
    for (unsigned i = 1; i < NR_BLOCKS; i += 2)
        free(block[i]);
    CHECK(in_use() < before + MIB);
}

static void mallinfo2_counts_large_blocks(void)
{
    size_t before = in_use();
    for (unsigned i = 0; i < 20; i++)
        block[i] = malloc(MIB + i * 50000);
    size_t total = 20 * MIB + 190 * 50000;
    CHECK(near_to(in_use() - before, total, 2));
    for (unsigned i = 0; i < 20; i++)
        free(block[i]);
    CHECK(in_use() < before + MIB);
}

static void mallinfo2_counts_resized_blocks(void)
{
    size_t before = in_use();
    char *grown = malloc(1000);
    for (size_t size = 1000; size < 60 * MIB; size *= 3) {
        grown = realloc(grown, size);
        REQUIRE(grown);
        CHECK(size < MIB || is_between(in_use() - before, size, malloc_usable_size(grown), 2));
    }
    grown = realloc(grown, 500000);
    CHECK(is_between(in_use() - before, 500000, malloc_usable_size(grown), 5));
    free(grown);
    CHECK(in_use() < before + 100000);
}

static void arena_is_what_is_in_use_and_what_is_free(void)
{
    for (unsigned round = 0; round < 3; round++) {
        struct mallinfo2 info = mallinfo2();
        CHECK(near_to(info.uordblks + info.fordblks, info.arena, 2));
        CHECK(info.keepcost <= info.fordblks);
        CHECK(info.fsmblks <= info.fordblks);
        if (round == 0)
            (void)allocate_many();
        for (unsigned i = 0; round == 1 && i < NR_BLOCKS; i += 2)
            free(block[i]);
    }
}

static void freed_bytes_are_free_or_given_back(void)
{
    size_t total = allocate_many();
    size_t system = mallinfo2().arena + mallinfo2().hblkhd, unused = mallinfo2().fordblks;
    for (unsigned i = 0; i < NR_BLOCKS; i += 2) {
        total -= malloc_usable_size(block[i]);
        free(block[i]);
    }
    size_t now = mallinfo2().arena + mallinfo2().hblkhd;
    CHECK(near_to(mallinfo2().fordblks + system - now, unused + total, 5));
}

static void blocks_that_are_mapped_are_counted(void)
{
    CHECK_EQ(mallopt(M_MMAP_THRESHOLD, 262144), 1);
    struct mallinfo2 before = mallinfo2();
    for (unsigned i = 0; i < 10; i++)
        block[i] = malloc(300000);
    struct mallinfo2 after = mallinfo2();
    CHECK_EQ(after.hblks - before.hblks, 10);
    CHECK(near_to(after.hblkhd - before.hblkhd, 3000000, 2));
    for (unsigned i = 0; i < 10; i++)
        free(block[i]);
    CHECK_EQ(mallinfo2().hblks, before.hblks);
    CHECK_EQ(mallinfo2().hblkhd, before.hblkhd);
}

static void mallinfo_says_what_mallinfo2_says(void)
{
    (void)allocate_many();
    struct mallinfo2 wide = mallinfo2();
    struct mallinfo narrow = mallinfo();
    CHECK_EQ(narrow.arena, wide.arena);
    CHECK_EQ(narrow.ordblks, wide.ordblks);
    CHECK_EQ(narrow.hblks, wide.hblks);
    CHECK_EQ(narrow.hblkhd, wide.hblkhd);
    CHECK_EQ(narrow.uordblks, wide.uordblks);
    CHECK_EQ(narrow.fordblks, wide.fordblks);
    CHECK_EQ(narrow.keepcost, wide.keepcost);
    CHECK(wide.uordblks > 0);
}

/* ---- threads --------------------------------------------------------------------------------- */

static pthread_barrier_t barrier;
static size_t held_by_threads;

static void *hold_a_mebibyte(void *arg)
{
    char *own[1000];
    (void)arg;
    for (unsigned i = 0; i < 1000; i++) {
        own[i] = opaque(malloc(1048));
        __atomic_fetch_add(&held_by_threads, malloc_usable_size(own[i]), __ATOMIC_RELAXED);
    }
    pthread_barrier_wait(&barrier);
    pthread_barrier_wait(&barrier);
    for (unsigned i = 0; i < 1000; i++)
        free(own[i]);
    return NULL;
}

static void blocks_of_other_threads_are_counted(void)
{
    pthread_t thread[8];
    size_t before = in_use();
    pthread_barrier_init(&barrier, NULL, 9);
    for (unsigned i = 0; i < 8; i++)
        REQUIRE(!pthread_create(&thread[i], NULL, hold_a_mebibyte, NULL));
    pthread_barrier_wait(&barrier);
    CHECK(near_to(in_use() - before, held_by_threads, 3));
    pthread_barrier_wait(&barrier);
    for (unsigned i = 0; i < 8; i++)
        pthread_join(thread[i], NULL);
    CHECK(in_use() < before + 200000);
}

/* ---- malloc_trim ----------------------------------------------------------------------------- */

static void trim_gives_back_what_lies_at_the_end(void)
{
    size_t before = resident_bytes(), total = allocate_many();
    CHECK(resident_bytes() - before > total * 9 / 10);
    for (unsigned i = 0; i < NR_BLOCKS; i++)
        free(block[i]);
    int released = malloc_trim(0);
    CHECK(released == 0 || released == 1); /* it may have been given back without being asked */
    note("%zu of %zu KiB stay resident", (resident_bytes() - before) / 1024, total / 1024);
    CHECK(resident_bytes() < before + total / 10);
}

static void trim_gives_back_holes_between_blocks(void)
{
    size_t before = resident_bytes(), total = 0;
    char **held = calloc(40000, sizeof *held);
    REQUIRE(held);
    for (unsigned i = 0; i < 40000; i++) {
        held[i] = malloc(1000);
        REQUIRE(held[i]);
        memset(held[i], 1, 1000);
        total += malloc_usable_size(held[i]);
    }
    for (unsigned i = 0; i < 40000; i++)
        if (i % 100)
            free(held[i]);
    CHECK_EQ(malloc_trim(0), 1);
    size_t left = resident_bytes() - before;
    note("%zu of %zu KiB stay resident, a hundredth of the blocks is in use", left / 1024,
         total / 1024);
    CHECK(left < total / 4);
    for (unsigned i = 0; i < 40000; i += 100)
        CHECK(held[i][0] == 1 && held[i][999] == 1);
}

static void memory_can_be_used_again_after_trim(void)
{
    for (unsigned round = 0; round < 5; round++) {
        (void)allocate_many();
        for (unsigned i = 0; i < NR_BLOCKS; i++)
            if (i % 50)
                free(block[i]);
        malloc_trim(0);
        for (unsigned i = 0; i < NR_BLOCKS; i++)
            if (i % 50) {
                block[i] = calloc(1, 500);
                REQUIRE(block[i] && is_zero(block[i], 500));
                memset(block[i], 0xff, 500);
            }
        for (unsigned i = 0; i < NR_BLOCKS; i++)
            free(block[i]);
    }
}

static void trim_keeps_the_pad(void)
{
    (void)allocate_many();
    for (unsigned i = 0; i < NR_BLOCKS; i++)
        free(block[i]);
    int released = malloc_trim(SIZE_MAX / 4);
    CHECK(released == 0 || released == 1);
    free(opaque(malloc(100)));
}

/* ---- malloc_stats and malloc_info ------------------------------------------------------------ */

static char text[1 << 18];

/* What goes to stderr meanwhile. */
static void capture_stats(void)
{
    int ends[2], before = dup(STDERR_FILENO);
    REQUIRE(before >= 0 && !pipe(ends));
    fflush(stderr);
    dup2(ends[1], STDERR_FILENO);
    malloc_stats();
    fflush(stderr);
    dup2(before, STDERR_FILENO);
    close(ends[1]);
    ssize_t length = read(ends[0], text, sizeof text - 1);
    text[length > 0 ? length : 0] = '\0';
    close(ends[0]);
    close(before);
}

static size_t last_figure(const char *name)
{
    const char *last = NULL;
    for (const char *at = text; (at = strstr(at, name)); at++)
        last = at;
    if (!last || !(last = strchr(last, '=')))
        return 0;
    return strtoull(last + 1, NULL, 10);
}

static void malloc_stats_tells_on_stderr_what_is_in_use(void)
{
    size_t total = allocate_many();
    char *large = malloc(3 * MIB);
    REQUIRE(large);
    capture_stats();
    CHECK(near_to(last_figure("in use bytes"), total + 3 * MIB, 3));
    CHECK(last_figure("system bytes") >= total + 3 * MIB);
}

static bool is_name(char c)
{
    return isalnum((unsigned char)c) || c == '-' || c == '_' || c == ':' || c == '.';
}

/* Past a tag's attributes; NULL if one has no value or it isn't quoted. */
static const char *skip_attributes(const char *at)
{
    for (;;) {
        while (isspace((unsigned char)*at))
            at++;
        if (*at == '>' || !strncmp(at, "/>", 2))
            return at;
        const char *name = at;
        while (is_name(*at))
            at++;
        if (at == name || at[0] != '=' || (at[1] != '"' && at[1] != '\''))
            return NULL;
        const char *value_end = strchr(at + 2, at[1]);
        if (!value_end || memchr(at + 2, '<', (size_t)(value_end - at - 2)))
            return NULL;
        at = value_end + 1;
    }
}

/* Whether it is one element, with all that it holds closed: what a parser asks for at least. */
static bool is_xml(const char *at)
{
    struct {
        const char *name;
        size_t length;
    } open[32];
    unsigned depth = 0, elements = 0;
    if (!strncmp(at, "<?xml", 5) && !(at = strstr(at, "?>")))
        return false;
    for (at = strchr(at, '<'); at; at = strchr(at, '<')) {
        bool ends = at[1] == '/';
        const char *name = at + 1 + ends;
        size_t length = 0;
        while (is_name(name[length]))
            length++;
        if (!length || !(at = skip_attributes(name + length)))
            return false;
        if (ends && (!depth || open[depth - 1].length != length ||
                     memcmp(open[depth - 1].name, name, length)))
            return false;
        if (ends)
            depth--;
        else if (depth == 0 && elements)
            return false; /* a second root */
        else if (*at == '>' && depth == 32)
            return false;
        else if (*at == '>')
            open[depth].name = name, open[depth++].length = length;
        elements++;
    }
    return depth == 0 && elements;
}

static void write_info(void)
{
    FILE *file = fmemopen(text, sizeof text, "w");
    REQUIRE(file);
    CHECK_EQ(malloc_info(0, file), 0);
    fclose(file);
}

static void malloc_info_writes_xml(void)
{
    CHECK(!is_xml("<a><b></a></b>") && !is_xml("<a>") && !is_xml("<a x=1/>") &&
          is_xml("<a><b x='1'/></a>"));
    (void)allocate_many();
    write_info();
    CHECK(is_xml(text));
    CHECK(strstr(text, "<malloc version="));
    CHECK(strstr(text, "</malloc>"));
}

static size_t attribute(const char *at, const char *name)
{
    at = at ? strstr(at, name) : NULL;
    return at ? strtoull(at + strlen(name), NULL, 10) : 0;
}

/* The figures of the whole stand last. */
static size_t system_of(const char *element)
{
    const char *last = NULL;
    write_info();
    for (const char *at = text; (at = strstr(at, element)); at++)
        last = at;
    REQUIRE(last);
    return attribute(last, "size=\"");
}

static void malloc_info_tells_what_the_system_gave(void)
{
    size_t total = allocate_many(), system = system_of("<system type=\"current\"");
    CHECK(system >= total && system < total + total / 4 + 2 * MIB);
}

static void malloc_info_tells_the_most_that_it_gave(void)
{
    CHECK(system_of("<system type=\"max\"") < 8 * MIB);
    size_t total = allocate_many(), most = system_of("<system type=\"max\"");
    CHECK(most >= total && most < total + total / 4 + 4 * MIB);
    for (unsigned i = 0; i < NR_BLOCKS; i++)
        free(block[i]);
    (void)malloc_trim(0);
    CHECK(system_of("<system type=\"max\"") >= total);
}

static void malloc_info_knows_no_options(void)
{
    FILE *file = fmemopen(text, sizeof text, "w");
    REQUIRE(file);
    CHECK(malloc_info(1, file) != 0);
    fclose(file);
    CHECK(!text[0]);
}

static const struct conformance_case cases[] = {
    CASE(mallinfo2_counts_small_blocks),
    CASE(mallinfo2_counts_what_is_freed),
    CASE(mallinfo2_counts_large_blocks),
    CASE(mallinfo2_counts_resized_blocks),
    CASE(arena_is_what_is_in_use_and_what_is_free),
    CASE(freed_bytes_are_free_or_given_back),
    CASE(blocks_that_are_mapped_are_counted),
    CASE(mallinfo_says_what_mallinfo2_says),
    CASE(blocks_of_other_threads_are_counted),
    CASE(trim_gives_back_what_lies_at_the_end),
    CASE(trim_gives_back_holes_between_blocks),
    CASE(memory_can_be_used_again_after_trim),
    CASE(trim_keeps_the_pad),
    CASE(malloc_stats_tells_on_stderr_what_is_in_use),
    CASE(malloc_info_writes_xml),
    CASE(malloc_info_tells_what_the_system_gave),
    CASE(malloc_info_tells_the_most_that_it_gave),
    CASE(malloc_info_knows_no_options),
    END_OF_CASES,
};
const struct conformance_group conformance_figures = {"figures", cases};
