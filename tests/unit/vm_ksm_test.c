/* tests/unit/vm_ksm_test.c: pages of the same content become one */
#include <quire/ksm.h>

#include "tests/unit/vm_entries.h"
#include "vm/ksm.h"

#define ALL 100000u

static struct quire_ksm_info info_now(void)
{
    struct quire_ksm_info info;
    quire_ksm_info(test_vm, &info);
    return info;
}

/* As many whole scans as a page needs to be known, found alike, and merged. */
static struct quire_ksm_info after_scans(void)
{
    for (unsigned i = 0; i < 3; i++)
        (void)quire_ksm_scan(test_vm, ALL);
    return info_now();
}

static quire_linear_t mergeable(struct quire_mm *mm, unsigned pages)
{
    quire_linear_t at = map_anon(mm, pages * PAGE);
    CHECK_EQ(quire_madvise(mm, at, pages * PAGE, QUIRE_MADV_MERGEABLE), 0);
    return at;
}

/* All pages with the same bytes. */
static void write_same(struct quire_mm *mm, quire_linear_t at, unsigned pages, uint64_t value)
{
    for (unsigned i = 0; i < pages; i++)
        poke_pages(mm, at + i * PAGE, 1, value);
}

static bool has_same(struct quire_mm *mm, quire_linear_t at, unsigned pages, uint64_t value)
{
    bool same = true;
    run_on(mm);
    for (unsigned i = 0; i < pages; i++)
        same &= holds(at + i * PAGE, value);
    return same;
}

static void body_merged(void)
{
    struct quire_mm *one = mm_new(), *two = mm_new();
    quire_linear_t a = mergeable(one, 8), b = mergeable(two, 8), other = map_anon(one, 2 * PAGE);
    CHECK_EQ(info_now().shared, 0);
    write_same(one, a, 8, 7);
    write_same(two, b, 6, 7);
    write_same(two, b + 6 * PAGE, 1, 8);
    write_same(one, other, 2, 7);
    struct quire_ksm_info info = after_scans();
    CHECK_EQ(info.shared, 1);
    CHECK_EQ(info.sharing, 13);
    CHECK_EQ(info.unshared, 1);
    CHECK_EQ(info.changing, 0);
    CHECK_EQ(info.full_scans, 3);
    CHECK(page_of(one, a) == page_of(two, b + 5 * PAGE));
    CHECK(page_of(one, other) != page_of(one, a)); /* nobody asked for it */
    CHECK(has_same(one, a, 8, 7) && has_same(two, b, 6, 7) && has_same(two, b + 6 * PAGE, 1, 8));
    CHECK_EQ(mm_info(one).rss_anon, 10);
    write_same(one, a, 1, 9); /* a copy */
    CHECK(has_same(one, a, 1, 9) && has_same(one, a + PAGE, 7, 7) && has_same(two, b, 6, 7));
    CHECK_EQ(info_now().sharing, 12);
    CHECK_EQ(take_frame(page_of(two, b)), -QUIRE_EBUSY); /* it can't be moved */
    struct quire_mm *child = fork_of(two);
    write_same(child, b, 1, 10);
    CHECK(has_same(two, b, 6, 7) && has_same(child, b + PAGE, 5, 7));
    CHECK_EQ(info_now().sharing, 17);
    mm_end(child);
    write_same(one, a, 8, 11);
    write_same(two, b, 8, 11);
    info = after_scans();
    CHECK_EQ(info.shared, 1);
    CHECK_EQ(info.sharing, 15);
    CHECK_EQ(info.unshared, 0);
    mm_end(one);
    info = after_scans();
    CHECK_EQ(info.sharing, 7);
    CHECK_EQ(quire_ksm_unmerge(test_vm), 0);
    info = info_now();
    CHECK_EQ(info.shared, 0);
    CHECK_EQ(info.sharing, 0);
    CHECK(has_same(two, b, 8, 11));
    check_reverse_maps();
    mm_end(two);
}

static void pages_alike_are_one_until_they_are_written(void)
{
    on_machines_of_each_format(body_merged);
}

static void what_changes_is_left_alone(void)
{
    if (!vm_boot(16 * MIB, QUIRE_PT_FORMAT_X86_64))
        return;
    struct quire_mm *mm = mm_new();
    CHECK_EQ(quire_ksm_scan(test_vm, ALL), 0);
    quire_linear_t at = mergeable(mm, 4);
    for (unsigned i = 0; i < 6; i++) {
        write_same(mm, at, 4, i);
        CHECK_EQ(quire_ksm_scan(test_vm, ALL), 4);
        CHECK_EQ(info_now().changing, 4);
    }
    CHECK_EQ(info_now().shared, 0);
    CHECK_EQ(quire_ksm_scan(test_vm, 3), 3); /* in pieces */
    CHECK_EQ(info_now().full_scans, 6);
    CHECK_EQ(quire_ksm_scan(test_vm, 3), 1);
    CHECK_EQ(info_now().full_scans, 7);
    CHECK_EQ(info_now().sharing, 3);
    mm_end(mm);
    vm_end();
}

static void an_area_is_as_it_was_when_it_is_not_mergeable_any_more(void)
{
    if (!vm_boot(16 * MIB, QUIRE_PT_FORMAT_X86_64))
        return;
    struct quire_mm *mm = mm_new();
    quire_linear_t at = mergeable(mm, 6);
    write_same(mm, at, 6, 5);
    CHECK_EQ(after_scans().sharing, 5);
    CHECK_EQ(quire_mprotect(mm, at, 2 * PAGE, QUIRE_PROT_READ), 0);
    CHECK_EQ(quire_madvise(mm, at, 6 * PAGE, QUIRE_MADV_UNMERGEABLE), 0);
    CHECK_EQ(info_now().shared, 0);
    CHECK_EQ(quire_ksm_trim(test_vm), 0);
    check_reverse_maps();
    CHECK(has_same(mm, at, 6, 5));
    CHECK(!poke(at, 1)); /* read-only as ever */
    write_same(mm, at + 2 * PAGE, 4, 6);
    CHECK_EQ(after_scans().sharing, 0);
    CHECK_EQ(quire_mlock(mm, at, 6 * PAGE, 0), 0);
    CHECK_EQ(quire_madvise(mm, at, 6 * PAGE, QUIRE_MADV_MERGEABLE), 0);
    CHECK_EQ(after_scans().sharing, 0); /* locked */
    CHECK_EQ(quire_munlock(mm, at, 6 * PAGE), 0);
    CHECK_EQ(after_scans().shared, 2);
    CHECK_EQ(quire_mlock(mm, at, 6 * PAGE, 0), 0);
    CHECK_EQ(quire_munlock(mm, at, 6 * PAGE), 0);
    CHECK_EQ(quire_madvise(mm, at, 6 * PAGE, QUIRE_MADV_DONTNEED), 0);
    CHECK_EQ(after_scans().shared, 0);
    mm_end(mm);
    vm_end();
}

static const struct test_case cases[] = {
    TEST_CASE(pages_alike_are_one_until_they_are_written),
    TEST_CASE(what_changes_is_left_alone),
    TEST_CASE(an_area_is_as_it_was_when_it_is_not_mergeable_any_more),
    {0},
};
const struct test_suite suite_vm_ksm = {"vm_ksm", cases};
