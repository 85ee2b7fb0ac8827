/* tests/unit/vm_many_test.c: address spaces of very many areas, and where there are too many */
#include "tests/unit/vm_entries.h"

#define R QUIRE_PROT_READ
#define RW (QUIRE_PROT_READ | QUIRE_PROT_WRITE)
#define ANON (QUIRE_MAP_PRIVATE | QUIRE_MAP_ANONYMOUS)
#define AT ((quire_linear_t)0x10000000)

static struct quire_mm *mm;

/* `areas` areas of a page, from AT on; RW and R in turns. The machine is small: they have no pages.
 */
static bool begin(unsigned areas)
{
    if (!vm_boot(64 * MIB, QUIRE_PT_FORMAT_X86_64))
        return false;
    mm = mm_new();
    CHECK_EQ(
        quire_mmap(mm, AT, areas * PAGE, R, ANON | QUIRE_MAP_FIXED | QUIRE_MAP_NORESERVE, NULL, 0),
        (int64_t)AT);
    for (unsigned i = 0; i < areas; i += 2)
        CHECK_EQ(quire_mprotect(mm, AT + i * PAGE, PAGE, RW), 0);
    CHECK_EQ(mm_info(mm).nr_areas, areas);
    return true;
}

static void finish(void)
{
    areas_check(mm);
    mm_end(mm);
    vm_end();
}

static void holes_among_ten_thousand_areas_are_found(void)
{
    const unsigned areas = 10000;
    if (!begin(areas))
        return;
    /* All else is one area, up to mmap's base; so holes are where they are made. */
    const quire_linear_t end = AT + areas * PAGE, low = 0x10000;
    quire_linear_t base = map_anon(mm, PAGE) + PAGE;
    CHECK_EQ(quire_mmap(mm, end, base - end, 0, ANON | QUIRE_MAP_FIXED, NULL, 0), (int64_t)end);
    CHECK_EQ(quire_mmap(mm, low, AT - low, 0, ANON | QUIRE_MAP_FIXED, NULL, 0), (int64_t)low);
    for (unsigned i = 0; i < 500; i++) {
        unsigned size = 1 + test_random_below(20);
        quire_linear_t at = AT + test_random_below(areas - size) * PAGE;
        CHECK_EQ(quire_munmap(mm, at, size * PAGE), 0);
        CHECK_EQ(map_anon(mm, size * PAGE), at);
    }
    finish();
}

static void faults_find_their_area_among_many(void)
{
    const unsigned areas = 10000;
    if (!begin(areas))
        return;
    run_on(mm);
    for (unsigned i = 0; i < 500; i++) {
        unsigned area = test_random_below(areas);
        CHECK_EQ(poke(AT + area * PAGE, area), !(area & 1));
    }
    finish();
}

static int64_t mmap_at(quire_linear_t at)
{
    return quire_mmap(mm, at, PAGE, RW, ANON | (at ? QUIRE_MAP_FIXED : 0), NULL, 0);
}

static void there_are_as_many_areas_as_linux_allows(void)
{
    if (!begin(MAX_AREAS - 8))
        return;
    const quire_linear_t big = 0x40000000;
    CHECK_EQ(quire_mmap(mm, big, 64 * PAGE, R, ANON | QUIRE_MAP_FIXED, NULL, 0), (int64_t)big);
    CHECK_EQ(quire_mprotect(mm, big + PAGE, PAGE, RW), 0); /* 5 below the limit now */
    CHECK_EQ(mm_info(mm).nr_areas, MAX_AREAS - 5);
    CHECK_EQ(
        quire_mremap(mm, big, PAGE, PAGE, QUIRE_MREMAP_MAYMOVE | QUIRE_MREMAP_FIXED, 0x60000000),
        -QUIRE_ENOMEM);
    CHECK(quire_mremap(mm, big + 10 * PAGE, PAGE, 2 * PAGE, QUIRE_MREMAP_MAYMOVE, 0) > 0);
    CHECK_EQ(quire_mremap(mm, big + 20 * PAGE, PAGE, 2 * PAGE, QUIRE_MREMAP_MAYMOVE, 0),
             -QUIRE_ENOMEM);
    CHECK_EQ(mm_info(mm).nr_areas, MAX_AREAS - 3);
    CHECK_EQ(quire_mprotect(mm, big + 20 * PAGE, PAGE, RW), 0);
    CHECK_EQ(mm_info(mm).nr_areas, MAX_AREAS - 1);
    CHECK_EQ(quire_mprotect(mm, big + 30 * PAGE, PAGE, RW), -QUIRE_ENOMEM);
    CHECK_EQ(quire_mlock(mm, big + 30 * PAGE, PAGE, 0), -QUIRE_ENOMEM);
    CHECK_EQ(quire_madvise(mm, big + 30 * PAGE, PAGE, QUIRE_MADV_RANDOM), -QUIRE_EAGAIN);
    CHECK_EQ(mm_info(mm).nr_areas, MAX_AREAS - 1);
    /* What joins as much as it splits is allowed; so is what splits once. */
    CHECK_EQ(quire_mprotect(mm, big + 21 * PAGE, PAGE, RW), 0);
    CHECK_EQ(quire_mprotect(mm, big + 63 * PAGE, PAGE, RW), 0);
    CHECK_EQ(mm_info(mm).nr_areas, MAX_AREAS);
    CHECK_EQ(quire_munmap(mm, big + 40 * PAGE, PAGE), -QUIRE_ENOMEM);
    CHECK_EQ(mmap_at(big + 40 * PAGE), -QUIRE_ENOMEM);
    CHECK_EQ(mmap_at(0x70000000), 0x70000000);
    CHECK_EQ(mm_info(mm).nr_areas, MAX_AREAS + 1);
    CHECK_EQ(mmap_at(0x80000000), -QUIRE_ENOMEM);
    CHECK_EQ(mmap_at(0x70001000), -QUIRE_ENOMEM); /* not even to be joined, as on Linux */
    CHECK_EQ(quire_munmap(mm, 0x70000000, PAGE), 0);
    CHECK_EQ(quire_munmap(mm, big, 30 * PAGE), 0);
    CHECK(map_anon(mm, PAGE));
    finish();
}

/* All that may be written to is. */
static void write_all(unsigned areas)
{
    run_on(mm);
    for (unsigned i = 0; i < areas; i += 2)
        CHECK(poke(AT + i * PAGE, i));
}

/* From the midst of an area of four pages to the midst of another one. */
static void many_areas_go_at_once_and_those_at_the_edges_in_part(void)
{
    const unsigned areas = 300;
    const quire_linear_t from = AT + 2 * PAGE, to = AT + 298 * PAGE;
    if (!begin(areas))
        return;
    CHECK_EQ(quire_mprotect(mm, AT, 4 * PAGE, RW), 0);
    CHECK_EQ(quire_mprotect(mm, AT + 296 * PAGE, 4 * PAGE, RW), 0);
    write_all(areas);
    const unsigned before = (unsigned)mm_info(mm).nr_areas;
    CHECK_EQ(mm_info(mm).rss_anon, areas / 2);
    CHECK_EQ(quire_munmap(mm, from, to - from), 0);
    areas_check(mm);
    CHECK_EQ(mm_info(mm).nr_areas, before - 291);
    CHECK_EQ(mm_info(mm).total, 4);
    CHECK_EQ(mm_info(mm).rss_anon, 2);
    CHECK(holds(AT, 0) && holds(to, 298));
    CHECK(!poke(from, 1) && !poke(to - PAGE, 1));
    check_reverse_maps();
    CHECK_EQ(quire_mmap(mm, from, to - from, RW, ANON, NULL, 0), (int64_t)from);
    finish();
}

static void areas_side_by_side_are_copied_each_as_it_says(void)
{
    const unsigned areas = 700; /* of more than a table */
    const quire_linear_t lost = AT + 100 * PAGE, wiped = AT + 200 * PAGE, shared = AT + 300 * PAGE;
    if (!begin(areas))
        return;
    CHECK_EQ(quire_mmap(mm, shared, PAGE, RW,
                        QUIRE_MAP_SHARED | QUIRE_MAP_ANONYMOUS | QUIRE_MAP_FIXED, NULL, 0),
             (int64_t)shared);
    CHECK_EQ(quire_madvise(mm, lost, PAGE, QUIRE_MADV_DONTFORK), 0);
    CHECK_EQ(quire_madvise(mm, wiped, PAGE, QUIRE_MADV_WIPEONFORK), 0);
    write_all(areas);
    struct quire_mm *child = fork_of(mm);
    CHECK_EQ(mm_info(child).nr_areas, areas - 1);
    CHECK_EQ(mm_info(child).rss_anon, areas / 2 - 3);
    check_reverse_maps();
    run_on(child);
    CHECK(!poke(lost, 1) && holds(wiped, 0));
    for (unsigned i = 0; i < areas; i += 2)
        if (i != 100 && i != 200) {
            CHECK(holds(AT + i * PAGE, i));
            CHECK(poke(AT + i * PAGE, 1000 + i));
        }
    CHECK(!poke(AT + PAGE, 1));
    run_on(mm);
    for (unsigned i = 0; i < areas; i += 2)
        CHECK(holds(AT + i * PAGE, i == 300 ? 1300 : i));
    mm_end(child);
    finish();
}

static const struct test_case cases[] = {
    TEST_CASE(holes_among_ten_thousand_areas_are_found),
    TEST_CASE(faults_find_their_area_among_many),
    TEST_CASE(there_are_as_many_areas_as_linux_allows),
    TEST_CASE(many_areas_go_at_once_and_those_at_the_edges_in_part),
    TEST_CASE(areas_side_by_side_are_copied_each_as_it_says),
    {0},
};

const struct test_suite suite_vm_many = {"vm_many", cases};
