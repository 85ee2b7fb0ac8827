/* tests/unit/vm_views_test.c: /proc/PID/smaps, smaps_rollup, status, statm and pagemap, and JSON
 *
 * The shapes of the texts are those of Debian's Linux 6.1; the numbers follow from what the case
 * does.
 */
#include "base/text.h"
#include "tests/unit/json_check.h"
#include "tests/unit/vm_entries.h"
#include "tests/unit/vm_machine.h"
#include "vm/internal.h"

#define R QUIRE_PROT_READ
#define RW (QUIRE_PROT_READ | QUIRE_PROT_WRITE)
#define RX (QUIRE_PROT_READ | QUIRE_PROT_EXEC)
#define ANON (QUIRE_MAP_PRIVATE | QUIRE_MAP_ANONYMOUS)

static struct quire_mm *mm;
static char seen[16384];
static size_t seen_length;

static void collect(void *arg, const char *piece, size_t length)
{
    (void)arg;
    for (size_t i = 0; i < length && seen_length < sizeof seen - 1; i++)
        seen[seen_length++] = piece[i];
    seen[seen_length] = '\0';
}

static const char *view(enum quire_mm_view which, enum quire_format format)
{
    seen_length = 0;
    CHECK_EQ(quire_mm_view(mm, which, format, collect, NULL), 0);
    return seen;
}

static bool begin(void)
{
    if (!vm_boot(16 * MIB, QUIRE_PT_FORMAT_X86_64))
        return false;
    mm = mm_new();
    run_on(mm);
    return true;
}

static void finish(void)
{
    mm_end(mm);
    vm_end();
}

static void check_text(const char *got, const char *expected)
{
    size_t at = 0;
    while (got[at] && got[at] == expected[at])
        at++;
    CHECK_EQ(got[at], expected[at]);
    if (got[at] != expected[at])
        test_note("from here on: %.60s", got + at);
}

/* Two pages, of which one was written, read, and is shared with a child. */
static void smaps_has_linuxs_lines(void)
{
    struct quire_mm *child;
    if (!begin())
        return;
    CHECK_EQ(quire_mmap(mm, 0x10000, 4 * PAGE, RW, ANON | QUIRE_MAP_FIXED, NULL, 0), 0x10000);
    CHECK(poke(0x10000, 1));
    CHECK(poke(0x11000, 1));
    CHECK(holds(0x12000, 0));
    CHECK_EQ(quire_mm_fork(&child, mm), 0);
    CHECK(poke(0x11000, 2));
    CHECK_EQ(quire_mlock(mm, 0x13000, PAGE, QUIRE_MLOCK_ONFAULT), 0);
    check_text(view(QUIRE_MM_VIEW_SMAPS, QUIRE_FORMAT_TEXT),
               "00010000-00013000 rw-p 00000000 00:00 0 \n"
               "Size:                 12 kB\n"
               "KernelPageSize:        4 kB\n"
               "MMUPageSize:           4 kB\n"
               "Rss:                   8 kB\n"
               "Pss:                   6 kB\n"
               "Pss_Dirty:             6 kB\n"
               "Shared_Clean:          0 kB\n"
               "Shared_Dirty:          4 kB\n"
               "Private_Clean:         0 kB\n"
               "Private_Dirty:         4 kB\n"
               "Referenced:            8 kB\n"
               "Anonymous:             8 kB\n"
               "LazyFree:              0 kB\n"
               "AnonHugePages:         0 kB\n"
               "ShmemPmdMapped:        0 kB\n"
               "FilePmdMapped:         0 kB\n"
               "Shared_Hugetlb:        0 kB\n"
               "Private_Hugetlb:       0 kB\n"
               "Swap:                  0 kB\n"
               "SwapPss:               0 kB\n"
               "Locked:                0 kB\n"
               "THPeligible:    0\n"
               "VmFlags: rd wr mr mw me ac \n"
               "00013000-00014000 rw-p 00000000 00:00 0 \n"
               "Size:                  4 kB\n"
               "KernelPageSize:        4 kB\n"
               "MMUPageSize:           4 kB\n"
               "Rss:                   0 kB\n"
               "Pss:                   0 kB\n"
               "Pss_Dirty:             0 kB\n"
               "Shared_Clean:          0 kB\n"
               "Shared_Dirty:          0 kB\n"
               "Private_Clean:         0 kB\n"
               "Private_Dirty:         0 kB\n"
               "Referenced:            0 kB\n"
               "Anonymous:             0 kB\n"
               "LazyFree:              0 kB\n"
               "AnonHugePages:         0 kB\n"
               "ShmemPmdMapped:        0 kB\n"
               "FilePmdMapped:         0 kB\n"
               "Shared_Hugetlb:        0 kB\n"
               "Private_Hugetlb:       0 kB\n"
               "Swap:                  0 kB\n"
               "SwapPss:               0 kB\n"
               "Locked:                0 kB\n"
               "THPeligible:    0\n"
               "VmFlags: rd wr mr mw me lo lf ac \n");
    check_text(view(QUIRE_MM_VIEW_SMAPS_ROLLUP, QUIRE_FORMAT_TEXT),
               "00010000-00014000 ---p 00000000 00:00 0                                  [rollup]\n"
               "Rss:                   8 kB\n"
               "Pss:                   6 kB\n"
               "Pss_Dirty:             6 kB\n"
               "Pss_Anon:              6 kB\n"
               "Pss_File:              0 kB\n"
               "Pss_Shmem:             0 kB\n"
               "Shared_Clean:          0 kB\n"
               "Shared_Dirty:          4 kB\n"
               "Private_Clean:         0 kB\n"
               "Private_Dirty:         4 kB\n"
               "Referenced:            8 kB\n"
               "Anonymous:             8 kB\n"
               "LazyFree:              0 kB\n"
               "AnonHugePages:         0 kB\n"
               "ShmemPmdMapped:        0 kB\n"
               "FilePmdMapped:         0 kB\n"
               "Shared_Hugetlb:        0 kB\n"
               "Private_Hugetlb:       0 kB\n"
               "Swap:                  0 kB\n"
               "SwapPss:               0 kB\n"
               "Locked:                0 kB\n");
    mm_end(child);
    finish();
}

/* A program with code in a file, a library, data and a stack. */
static void status_and_statm_have_linuxs_lines(void)
{
    if (!begin())
        return;
    struct quire_mapping *file = file_of(8 * PAGE);
    CHECK_EQ(quire_mmap(mm, 0x400000, 2 * PAGE, RX, QUIRE_MAP_PRIVATE | QUIRE_MAP_FIXED, file, 0),
             0x400000);
    CHECK(map_file(mm, file, 0, 3 * PAGE, RX, QUIRE_MAP_PRIVATE));
    CHECK_EQ(quire_mmap(mm, 0x500000, 5 * PAGE, RW, ANON | QUIRE_MAP_FIXED, NULL, 0), 0x500000);
    CHECK_EQ(quire_mmap(mm, 0x7fffff000000, 4 * PAGE, RW,
                        ANON | QUIRE_MAP_FIXED | QUIRE_MAP_GROWSDOWN, NULL, 0),
             0x7fffff000000);
    quire_linear_t shared =
        map_file(mm, NULL, 0, 6 * PAGE, RW, QUIRE_MAP_SHARED | QUIRE_MAP_ANONYMOUS);
    struct quire_mm_program program = {.start_code = 0x400000, .end_code = 0x401800};
    CHECK_EQ(quire_mm_set_program(mm, &program), 0);
    CHECK_EQ(quire_mlock(mm, 0x500000, PAGE, 0), 0);
    CHECK(poke(0x501000, 1));
    CHECK(poke(shared, 1));
    CHECK_EQ(quire_madvise(mm, 0x400000, PAGE, QUIRE_MADV_POPULATE_READ), 0);
    CHECK_EQ(quire_munmap(mm, 0x504000, PAGE), 0);
    struct quire_mm_info info = mm_info(mm);
    CHECK_EQ(info.rss_anon, 2);
    CHECK_EQ(info.rss_shmem, 1);
    CHECK(info.rss_file >= 1);
    char expected[1024];
    unsigned long rss = info.rss_file + 3;
    quire_snprintf(expected, sizeof expected,
                   "VmPeak:\t%8u kB\nVmSize:\t%8u kB\nVmLck:\t%8u kB\nVmPin:\t%8u kB\n"
                   "VmHWM:\t%8lu kB\nVmRSS:\t%8lu kB\nRssAnon:\t%8u kB\nRssFile:\t%8lu kB\n"
                   "RssShmem:\t%8u kB\nVmData:\t%8u kB\nVmStk:\t%8u kB\nVmExe:\t%8u kB\n"
                   "VmLib:\t%8u kB\nVmPTE:\t%8lu kB\nVmSwap:\t%8u kB\n",
                   80, 76, 4, 0, rss * 4, rss * 4, 8, info.rss_file * 4, 4, 16, 16, 8, 12,
                   (info.tables - 1) * 4, 0);
    check_text(view(QUIRE_MM_VIEW_STATUS, QUIRE_FORMAT_TEXT), expected);
    quire_snprintf(expected, sizeof expected, "19 %lu %lu 2 0 8 0\n", rss, info.rss_file + 1);
    check_text(view(QUIRE_MM_VIEW_STATM, QUIRE_FORMAT_TEXT), expected);
    quire_mapping_put(file);
    finish();
}

static void names_stay_within_their_line(void)
{
    struct quire_mapping *mapping = NULL;
    const struct quire_mapping_config config = {
        .size = PAGE, .name = "/a\nb", .device_major = 8, .device_minor = 17, .inode = 123456};
    if (!begin())
        return;
    CHECK_EQ(quire_mapping_create(&mapping, test_vm, &config), 0);
    CHECK_EQ(quire_mmap(mm, 0x10000, PAGE, R, QUIRE_MAP_SHARED | QUIRE_MAP_FIXED, mapping, 0x2000),
             0x10000);
    check_text(
        view(QUIRE_MM_VIEW_MAPS, QUIRE_FORMAT_TEXT),
        "00010000-00011000 r--s 00002000 08:11 123456                             /a\\012b\n");
    quire_mapping_put(mapping);
    finish();
}

static void json_of_areas_says_all_that_their_lines_do(void)
{
    struct quire_mapping *mapping = NULL;
    const struct quire_mapping_config config = {
        .size = PAGE, .name = "/a", .device_major = 8, .device_minor = 17, .inode = 123456};
    if (!begin())
        return;
    CHECK_EQ(quire_mapping_create(&mapping, test_vm, &config), 0);
    CHECK_EQ(quire_mmap(mm, 0x7ffff0000000, PAGE, R, QUIRE_MAP_SHARED | QUIRE_MAP_FIXED, mapping,
                        0x100000000),
             0x7ffff0000000);
    CHECK_EQ(quire_mmap(mm, 0x10000, PAGE, RW, ANON | QUIRE_MAP_FIXED, NULL, 0), 0x10000);
    for (unsigned i = 0; i < 2; i++) {
        const char *text = view(i ? QUIRE_MM_VIEW_SMAPS : QUIRE_MM_VIEW_MAPS, QUIRE_FORMAT_JSON);
        CHECK(is_json(text));
        CHECK(contains(text, "\"start\":\"0x7ffff0000000\",\"end\":\"0x7ffff0001000\","
                             "\"rights\":\"r--s\",\"offset\":\"0x100000000\","
                             "\"device\":\"08:11\",\"inode\":123456,\"name\":\"/a\""));
        CHECK(contains(text, "\"start\":\"0x10000\",\"end\":\"0x11000\",\"rights\":\"rw-p\","
                             "\"offset\":\"0x0\",\"device\":\"00:00\",\"inode\":0"));
    }
    CHECK(contains(seen, "\"vm_flags\":[\"rd\",\"wr\",\"mr\",\"mw\",\"me\",\"ac\"]"));
    CHECK(contains(seen, "\"vm_flags\":[\"rd\",\"mr\",\"ms\"]"));
    quire_mapping_put(mapping);
    finish();
}

static void pagemap_tells_pages_and_slots(void)
{
    uint64_t entries[6];
    if (!begin())
        return;
    int area = swap_of(16);
    struct quire_mapping *file = file_of(PAGE);
    CHECK_EQ(quire_mmap(mm, 0x10000, 4 * PAGE, RW, ANON | QUIRE_MAP_FIXED, NULL, 0), 0x10000);
    CHECK_EQ(quire_mmap(mm, 0x14000, PAGE, R, QUIRE_MAP_SHARED | QUIRE_MAP_FIXED, file, 0),
             0x14000);
    CHECK(poke(0x10000, 1));
    CHECK(poke(0x11000, 2));
    CHECK(holds(0x12000, 0));
    CHECK(holds(0x14000, word_of(0)));
    CHECK_EQ(quire_madvise(mm, 0x11000, PAGE, QUIRE_MADV_PAGEOUT), 0);
    quire_pagemap(mm, 0x10000, 6, entries);
    const uint64_t present = 1ull << 63, swapped = 1ull << 62, of_file = 1ull << 61,
                   alone = 1ull << 56;
    CHECK_EQ(entries[0], present | alone | page_of(mm, 0x10000)->pfn);
    CHECK_EQ(entries[1] & ~(((1ull << 55) - 1) & ~0x1full), swapped | (unsigned)area);
    CHECK(entries[1] >> 5 & ((1ull << 50) - 1));
    CHECK_EQ(entries[2], present | test_vm->zero_page->pfn);
    CHECK_EQ(entries[3], 0);
    CHECK_EQ(entries[4], present | of_file | alone | page_of(mm, 0x14000)->pfn);
    CHECK_EQ(entries[5], 0);
    quire_mapping_put(file);
    mm_end(mm);
    CHECK_EQ(quire_swapoff(test_vm, area), 0);
    vm_end();
}

static void every_view_is_valid_json_too(void)
{
    static const char *const schemas[] = {"quire.maps/2",         "quire.smaps/2",
                                          "quire.smaps_rollup/1", "quire.status/1",
                                          "quire.status/1",       "quire.numa_maps/1"};
    if (!begin())
        return;
    for (unsigned empty = 0; empty < 2; empty++) {
        for (unsigned which = 0; which < QUIRE_NR_MM_VIEWS; which++) {
            const char *text = view((enum quire_mm_view)which, QUIRE_FORMAT_JSON);
            CHECK(is_json(text));
            CHECK(contains(text, schemas[which]));
        }
        quire_linear_t at = map_anon(mm, 2 * PAGE);
        CHECK(poke(at, 1));
    }
    CHECK_EQ(quire_mm_view(mm, QUIRE_NR_MM_VIEWS, QUIRE_FORMAT_TEXT, collect, NULL), -QUIRE_EINVAL);
    CHECK_EQ(quire_mm_view(mm, QUIRE_MM_VIEW_MAPS, (enum quire_format)9, collect, NULL),
             -QUIRE_EINVAL);
    finish();
}

/* Area by area it is the same text as in one go. */
static void areas_are_viewed_one_at_a_time(void)
{
    static const enum quire_mm_view views[] = {QUIRE_MM_VIEW_MAPS, QUIRE_MM_VIEW_SMAPS,
                                               QUIRE_MM_VIEW_NUMA_MAPS};
    static char whole[sizeof seen];
    if (!begin())
        return;
    quire_linear_t from = 0, at = map_anon(mm, 9 * PAGE);
    for (unsigned i = 1; i < 9; i += 2)
        CHECK_EQ(quire_mprotect(mm, at + i * PAGE, PAGE, QUIRE_PROT_READ), 0);
    for (unsigned i = 0; i < 3; i++) {
        (void)quire_snprintf(whole, sizeof whole, "%s", view(views[i], QUIRE_FORMAT_TEXT));
        unsigned areas = 0;
        seen_length = 0;
        for (from = 0; !(views[i] == QUIRE_MM_VIEW_NUMA_MAPS
                             ? quire_mm_numa_maps(mm, NULL, &from, collect, NULL)
                             : quire_mm_view_area(mm, views[i], &from, collect, NULL));
             areas++)
            CHECK_EQ(from, at + (areas + 1) * PAGE);
        CHECK_EQ(areas, 9);
        check_text(seen, whole);
        CHECK_EQ(from, at + 9 * PAGE);
    }
    CHECK_EQ(quire_mm_view_area(mm, QUIRE_MM_VIEW_STATM, &from, collect, NULL), -QUIRE_EINVAL);
    from = at + 3 * PAGE + 1; /* within an area */
    CHECK_EQ(quire_mm_view_area(mm, QUIRE_MM_VIEW_MAPS, &from, collect, NULL), 0);
    CHECK_EQ(from, at + 4 * PAGE);
    finish();
}

static const struct test_case cases[] = {
    TEST_CASE(smaps_has_linuxs_lines),
    TEST_CASE(status_and_statm_have_linuxs_lines),
    TEST_CASE(names_stay_within_their_line),
    TEST_CASE(pagemap_tells_pages_and_slots),
    TEST_CASE(every_view_is_valid_json_too),
    TEST_CASE(json_of_areas_says_all_that_their_lines_do),
    TEST_CASE(areas_are_viewed_one_at_a_time),
    {0},
};

const struct test_suite suite_vm_views = {"vm_views", cases};
