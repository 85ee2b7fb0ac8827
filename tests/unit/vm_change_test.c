/* tests/unit/vm_change_test.c: mprotect, mremap and the mlock family: what they change, what stays,
 * and every way in which they refuse
 */
#include "tests/unit/vm_entries.h"
#include "tests/unit/vm_machine.h"
#include "vm/area.h"

#define R QUIRE_PROT_READ
#define RW (QUIRE_PROT_READ | QUIRE_PROT_WRITE)
#define RX (QUIRE_PROT_READ | QUIRE_PROT_EXEC)
#define ANON (QUIRE_MAP_PRIVATE | QUIRE_MAP_ANONYMOUS)
#define MAYMOVE QUIRE_MREMAP_MAYMOVE
#define FIXED (QUIRE_MREMAP_MAYMOVE | QUIRE_MREMAP_FIXED)
#define DONTUNMAP (QUIRE_MREMAP_MAYMOVE | QUIRE_MREMAP_DONTUNMAP)

static struct quire_mm *mm;

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
    quire_vm_check(test_vm);
    mm_end(mm);
    CHECK_EQ(test_vm->committed, 0);
    vm_end();
}

static unsigned nr_areas(void)
{
    return (unsigned)mm_info(mm).nr_areas;
}

static void write_words(quire_linear_t at, unsigned pages, uint64_t first)
{
    for (unsigned i = 0; i < pages; i++)
        CHECK(poke(at + i * PAGE, first + i));
}

static void check_words(quire_linear_t at, unsigned pages, uint64_t first)
{
    for (unsigned i = 0; i < pages; i++)
        CHECK(holds(at + i * PAGE, first + i));
}

/* ---- mprotect -------------------------------------------------------------------------------- */

static void mprotect_splits_and_joins(void)
{
    if (!begin())
        return;
    quire_linear_t at = map_anon(mm, 6 * PAGE);
    write_words(at, 6, 10);
    CHECK_EQ(quire_mprotect(mm, at + 2 * PAGE, PAGE, R), 0);
    CHECK_EQ(nr_areas(), 3);
    CHECK_EQ(quire_mprotect(mm, at + 3 * PAGE, PAGE, R), 0);
    CHECK_EQ(nr_areas(), 3);
    CHECK_EQ(quire_mprotect(mm, at + PAGE, PAGE, R), 0);
    CHECK_EQ(nr_areas(), 3);
    CHECK(!poke(at + PAGE, 1));
    CHECK(!poke(at + 3 * PAGE, 1));
    CHECK(poke(at + 4 * PAGE, 14));
    CHECK_EQ(quire_mprotect(mm, at, 6 * PAGE, QUIRE_PROT_NONE), 0);
    CHECK_EQ(nr_areas(), 1);
    CHECK_EQ(quire_mprotect(mm, at, 6 * PAGE - 5, RW), 0);
    check_words(at, 6, 10);
    CHECK_EQ(mm_info(mm).data, 6);
    finish();
}

static void mprotect_refuses_what_makes_no_sense(void)
{
    const unsigned down = QUIRE_PROT_GROWSDOWN, up = QUIRE_PROT_GROWSUP;
    if (!begin())
        return;
    quire_linear_t at = map_anon(mm, 4 * PAGE);
    CHECK_EQ(quire_mprotect(mm, at + 1, PAGE, R), -QUIRE_EINVAL);
    CHECK_EQ(quire_mprotect(mm, at, PAGE, R | 0x10), -QUIRE_EINVAL);
    CHECK_EQ(quire_mprotect(mm, at, PAGE, R | down | up), -QUIRE_EINVAL);
    CHECK_EQ(quire_mprotect(mm, at, PAGE, R | down), -QUIRE_EINVAL);
    CHECK_EQ(quire_mprotect(mm, at, PAGE, R | up), -QUIRE_EINVAL);
    CHECK_EQ(quire_mprotect(mm, at, UINT64_MAX, R), -QUIRE_ENOMEM);
    CHECK_EQ(quire_mprotect(mm, at - PAGE, PAGE, R), -QUIRE_ENOMEM);
    CHECK_EQ(quire_mprotect(mm, at + 4 * PAGE, PAGE, R), -QUIRE_ENOMEM);
    CHECK_EQ(quire_mprotect(mm, at - PAGE, PAGE, R | down), -QUIRE_ENOMEM);
    CHECK_EQ(quire_mprotect(mm, at, 0, R), 0);
    CHECK_EQ(nr_areas(), 1);
    CHECK(poke(at, 1));
    finish();
}

static void mprotect_reaches_down_a_stack(void)
{
    const quire_linear_t top = 0x20000000;
    if (!begin())
        return;
    CHECK_EQ(quire_mmap(mm, top - 4 * PAGE, 4 * PAGE, RW,
                        ANON | QUIRE_MAP_FIXED | QUIRE_MAP_GROWSDOWN, NULL, 0),
             (int64_t)(top - 4 * PAGE));
    CHECK_EQ(quire_mprotect(mm, top - 2 * PAGE, PAGE, RX | QUIRE_PROT_GROWSDOWN), 0);
    CHECK(!poke(top - 4 * PAGE, 1));
    CHECK(poke(top - PAGE, 1));
    finish();
}

static void mprotect_changes_what_lies_below_a_hole(void)
{
    if (!begin())
        return;
    quire_linear_t at = map_anon(mm, 6 * PAGE);
    CHECK_EQ(quire_munmap(mm, at + 2 * PAGE, PAGE), 0);
    CHECK_EQ(quire_mprotect(mm, at + PAGE, 5 * PAGE, R), -QUIRE_ENOMEM);
    CHECK(poke(at, 1));
    CHECK(!poke(at + PAGE, 1));
    CHECK(poke(at + 3 * PAGE, 1));
    finish();
}

static void what_becomes_writable_is_promised(void)
{
    if (!begin())
        return;
    int64_t at = quire_mmap(mm, 0, 4 * PAGE, R, ANON, NULL, 0);
    CHECK_EQ(test_vm->committed, 0);
    CHECK_EQ(quire_mprotect(mm, (quire_linear_t)at, 2 * PAGE, RW), 0);
    CHECK_EQ(test_vm->committed, 2);
    CHECK_EQ(quire_mprotect(mm, (quire_linear_t)at, 4 * PAGE, R), 0);
    CHECK_EQ(test_vm->committed, 2);
    CHECK_EQ(quire_mprotect(mm, (quire_linear_t)at, 4 * PAGE, RW), 0);
    CHECK_EQ(test_vm->committed, 4);
    CHECK_EQ(nr_areas(), 1);
    CHECK_EQ(quire_mprotect(mm, (quire_linear_t)at, 4 * PAGE, R), 0);
    quire_mm_set_limit(mm, QUIRE_LIMIT_DATA, 3 * PAGE);
    CHECK_EQ(quire_mprotect(mm, (quire_linear_t)at, 4 * PAGE, RW), -QUIRE_ENOMEM);
    CHECK_EQ(quire_mprotect(mm, (quire_linear_t)at, 3 * PAGE, RW), 0);
    CHECK_EQ(quire_vm_set_overcommit(test_vm, QUIRE_OVERCOMMIT_NEVER, 0), 0);
    int64_t other = quire_mmap(mm, 0, PAGE, R, ANON, NULL, 0);
    quire_mm_set_limit(mm, QUIRE_LIMIT_DATA, QUIRE_LIMIT_INFINITE);
    CHECK_EQ(quire_mprotect(mm, (quire_linear_t)other, PAGE, RW), -QUIRE_ENOMEM);
    CHECK_EQ(test_vm->committed, 4);
    finish();
}

static void locked_memory_that_becomes_writable_is_its_own_at_once(void)
{
    if (!begin())
        return;
    struct quire_mapping *file = file_of(4 * PAGE);
    quire_linear_t at = map_file(mm, file, 0, 4 * PAGE, R, QUIRE_MAP_PRIVATE | QUIRE_MAP_LOCKED);
    CHECK_EQ(mm_info(mm).rss_file, 4);
    CHECK_EQ(quire_mprotect(mm, at, 2 * PAGE, RW), 0);
    CHECK_EQ(mm_info(mm).rss_anon, 2);
    unsigned long faults = nr_faults;
    CHECK(poke(at + 8, 1));
    CHECK_EQ(nr_faults, faults);
    quire_mapping_put(file);
    finish();
}

/* ---- mremap ---------------------------------------------------------------------------------- */

static int64_t remap(quire_linear_t at, uint64_t pages, uint64_t new_pages, unsigned flags,
                     quire_linear_t to)
{
    return quire_mremap(mm, at, pages * PAGE, new_pages * PAGE, flags, to);
}

static void mremap_refuses_what_makes_no_sense(void)
{
    if (!begin())
        return;
    const quire_linear_t end = mm_layout()->end, to = 0x10000000;
    quire_linear_t at = map_anon(mm, 4 * PAGE);
    CHECK_EQ(remap(at, 4, 5, 8, 0), -QUIRE_EINVAL);
    CHECK_EQ(remap(at, 4, 5, QUIRE_MREMAP_FIXED, to), -QUIRE_EINVAL);
    CHECK_EQ(remap(at, 4, 4, QUIRE_MREMAP_DONTUNMAP, 0), -QUIRE_EINVAL);
    CHECK_EQ(remap(at, 4, 5, DONTUNMAP, 0), -QUIRE_EINVAL);
    CHECK_EQ(remap(at + 1, 4, 5, MAYMOVE, 0), -QUIRE_EINVAL);
    CHECK_EQ(remap(at, 4, 0, MAYMOVE, 0), -QUIRE_EINVAL);
    CHECK_EQ(remap(at, 4, 4, FIXED, to + 1), -QUIRE_EINVAL);
    CHECK_EQ(remap(at, 4, 4, FIXED, end), -QUIRE_EINVAL);
    CHECK_EQ(remap(at, 4, 4, FIXED, at + 2 * PAGE), -QUIRE_EINVAL);
    CHECK_EQ(remap(at, 4, 4, FIXED, at - 2 * PAGE), -QUIRE_EINVAL);
    CHECK_EQ(remap(at, 4, 4, FIXED, 0x1000), -QUIRE_EPERM);
    CHECK_EQ(remap(at, 0, 4, MAYMOVE, 0), -QUIRE_EINVAL);
    CHECK_EQ(remap(at - PAGE, 1, 2, MAYMOVE, 0), -QUIRE_EFAULT);
    CHECK_EQ(remap(at, 5, 6, MAYMOVE, 0), -QUIRE_EFAULT);
    CHECK_EQ(remap(at, 6, 5, FIXED, to), -QUIRE_EFAULT);
    CHECK_EQ(remap(at, end / PAGE, 4, MAYMOVE, 0), -QUIRE_EINVAL);
    CHECK_EQ(remap(at, end / PAGE, end / PAGE + 1, MAYMOVE, 0), -QUIRE_EFAULT);
    CHECK_EQ(remap(at, 4, end / PAGE, MAYMOVE, 0), -QUIRE_ENOMEM);
    CHECK_EQ(remap(at, 2, 3, 0, 0), -QUIRE_ENOMEM);
    CHECK_EQ(nr_areas(), 1);
    CHECK_EQ(mm_info(mm).total, 4);
    CHECK_EQ(test_vm->committed, 4);
    CHECK_EQ(remap(at + PAGE, 2, 2, 0, 0), (int64_t)(at + PAGE));
    finish();
}

static void mremap_keeps_to_the_limits(void)
{
    if (!begin())
        return;
    quire_linear_t at = map_anon(mm, 4 * PAGE);
    quire_mm_set_limit(mm, QUIRE_LIMIT_AS, 6 * PAGE);
    CHECK_EQ(remap(at, 4, 7, MAYMOVE, 0), -QUIRE_ENOMEM);
    CHECK_EQ(remap(at, 4, 4, DONTUNMAP, 0), -QUIRE_ENOMEM);
    quire_mm_set_limit(mm, QUIRE_LIMIT_AS, QUIRE_LIMIT_INFINITE);
    CHECK_EQ(quire_mlock(mm, at, PAGE, QUIRE_MLOCK_ONFAULT), 0);
    quire_mm_set_limit(mm, QUIRE_LIMIT_MEMLOCK, 2 * PAGE);
    CHECK_EQ(remap(at, 1, 3, MAYMOVE, 0), -QUIRE_EAGAIN);
    CHECK(remap(at, 1, 2, MAYMOVE, 0) > 0);
    CHECK_EQ(mm_info(mm).locked, 2);
    CHECK_EQ(quire_vm_set_overcommit(test_vm, QUIRE_OVERCOMMIT_NEVER, 0), 0);
    CHECK_EQ(remap(at + PAGE, 3, 4, MAYMOVE, 0), -QUIRE_ENOMEM);
    CHECK_EQ(test_vm->committed, 5);
    finish();
}

static void mremap_grows_in_place_where_it_can(void)
{
    if (!begin())
        return;
    quire_linear_t at = map_anon(mm, 8 * PAGE);
    write_words(at, 2, 20);
    CHECK_EQ(quire_munmap(mm, at + 2 * PAGE, 4 * PAGE), 0);
    CHECK_EQ(remap(at, 2, 4, 0, 0), (int64_t)at);
    CHECK_EQ(nr_areas(), 2);
    CHECK_EQ(remap(at, 4, 6, 0, 0), (int64_t)at);
    CHECK_EQ(nr_areas(), 1);
    check_words(at, 2, 20);
    CHECK(poke(at + 7 * PAGE, 1));
    CHECK_EQ(remap(at, 8, 3, 0, 0), (int64_t)at);
    CHECK_EQ(mm_info(mm).total, 3);
    finish();
}

static void mremap_moves_what_does_not_fit(void)
{
    if (!begin())
        return;
    quire_linear_t at = map_anon(mm, 6 * PAGE);
    write_words(at, 6, 30);
    int64_t to = remap(at + PAGE, 3, 8, MAYMOVE, 0);
    CHECK_EQ(to, (int64_t)(at - 8 * PAGE));
    check_words((quire_linear_t)to, 3, 31);
    CHECK(holds((quire_linear_t)to + 7 * PAGE, 0));
    CHECK(holds(at, 30));
    CHECK(!poke(at + PAGE, 1));
    check_words(at + 4 * PAGE, 2, 34);
    CHECK_EQ(mm_info(mm).total, 11);
    CHECK_EQ(mm_info(mm).hiwater_total, 11);
    CHECK_EQ(test_vm->committed, 11);
    check_reverse_maps();
    finish();
}

static void mremap_to_a_fixed_place_replaces_what_is_there(void)
{
    const quire_linear_t to = 0x10000000;
    if (!begin())
        return;
    quire_linear_t at = map_anon(mm, 4 * PAGE);
    write_words(at, 4, 40);
    CHECK_EQ(quire_mmap(mm, to, 8 * PAGE, RW, ANON | QUIRE_MAP_FIXED, NULL, 0), (int64_t)to);
    write_words(to, 8, 50);
    CHECK_EQ(remap(at, 4, 3, FIXED, to + 2 * PAGE), (int64_t)(to + 2 * PAGE));
    check_words(to, 2, 50);
    check_words(to + 2 * PAGE, 3, 40);
    check_words(to + 5 * PAGE, 3, 55);
    CHECK(!poke(at, 1));
    CHECK(!poke(at + 3 * PAGE, 1));
    CHECK_EQ(mm_info(mm).total, 8);
    check_reverse_maps();
    finish();
}

static void mremap_may_leave_the_old_area_empty(void)
{
    if (!begin())
        return;
    quire_linear_t at = map_anon(mm, 4 * PAGE);
    write_words(at, 4, 60);
    CHECK_EQ(quire_mlock(mm, at, 4 * PAGE, 0), 0);
    quire_mm_set_limit(mm, QUIRE_LIMIT_MEMLOCK, 4 * PAGE);
    int64_t to = remap(at + PAGE, 2, 2, DONTUNMAP, 0x10000000);
    CHECK_EQ(to, 0x10000000);
    check_words((quire_linear_t)to, 2, 61);
    CHECK(holds(at + PAGE, 0));
    CHECK(holds(at, 60));
    CHECK(holds(at + 3 * PAGE, 63));
    CHECK_EQ(mm_info(mm).locked, 4);
    CHECK_EQ(mm_info(mm).total, 6);
    CHECK_EQ(test_vm->committed, 6);
    check_reverse_maps();
    finish();
}

static void mremap_of_nothing_duplicates_shared_memory(void)
{
    if (!begin())
        return;
    quire_linear_t at = map_file(mm, NULL, 0, 4 * PAGE, RW, QUIRE_MAP_SHARED | QUIRE_MAP_ANONYMOUS);
    CHECK(poke(at + PAGE, 70));
    int64_t to = remap(at + PAGE, 0, 2, MAYMOVE, 0);
    CHECK(to > 0);
    CHECK(holds((quire_linear_t)to, 70));
    CHECK(poke((quire_linear_t)to + PAGE, 71));
    CHECK(holds(at + 2 * PAGE, 71));
    finish();
}

/* ---- mlock ----------------------------------------------------------------------------------- */

static void mlock_faults_in_and_counts(void)
{
    if (!begin())
        return;
    quire_linear_t at = map_anon(mm, 8 * PAGE);
    CHECK_EQ(quire_mlock(mm, at + PAGE + 1, 2 * PAGE, 0), 0);
    CHECK_EQ(mm_info(mm).locked, 3);
    CHECK_EQ(mm_info(mm).rss_anon, 3);
    CHECK_EQ(quire_mlock(mm, at, 4 * PAGE, QUIRE_MLOCK_ONFAULT), 0);
    CHECK_EQ(mm_info(mm).locked, 4);
    CHECK_EQ(mm_info(mm).rss_anon, 3);
    CHECK_EQ(nr_areas(), 2);
    CHECK_EQ(quire_munlock(mm, at + PAGE, PAGE), 0);
    CHECK_EQ(mm_info(mm).locked, 3);
    CHECK_EQ(quire_munlock(mm, at, 8 * PAGE), 0);
    CHECK_EQ(mm_info(mm).locked, 0);
    CHECK_EQ(nr_areas(), 1);
    finish();
}

static void mlock_refuses_what_is_not_allowed(void)
{
    if (!begin())
        return;
    quire_linear_t at = map_anon(mm, 8 * PAGE);
    CHECK_EQ(quire_mlock(mm, at, PAGE, 2), -QUIRE_EINVAL);
    CHECK_EQ(quire_mlock(mm, at, UINT64_MAX, 0), -QUIRE_EINVAL);
    CHECK_EQ(quire_munlock(mm, at, UINT64_MAX), -QUIRE_EINVAL);
    CHECK_EQ(quire_mlock(mm, at, 0, 0), 0);
    quire_mm_set_limit(mm, QUIRE_LIMIT_MEMLOCK, 3 * PAGE);
    CHECK_EQ(quire_mlock(mm, at, 4 * PAGE, 0), -QUIRE_ENOMEM);
    CHECK_EQ(quire_mlock(mm, at, 2 * PAGE, 0), 0);
    CHECK_EQ(quire_mlock(mm, at, 3 * PAGE, 0), 0); /* two of them are locked already */
    CHECK_EQ(quire_mlock(mm, at + 3 * PAGE, PAGE, 0), -QUIRE_ENOMEM);
    quire_mm_set_limit(mm, QUIRE_LIMIT_MEMLOCK, 0);
    CHECK_EQ(quire_mlock(mm, at, PAGE, 0), -QUIRE_EPERM);
    CHECK_EQ(quire_munlock(mm, at, 3 * PAGE), 0);
    quire_mm_set_limit(mm, QUIRE_LIMIT_MEMLOCK, 100 * PAGE);
    CHECK_EQ(quire_munmap(mm, at + 4 * PAGE, PAGE), 0);
    CHECK_EQ(quire_mlock(mm, at + 3 * PAGE, 3 * PAGE, 0), -QUIRE_ENOMEM);
    CHECK_EQ(mm_info(mm).locked, 1);
    CHECK_EQ(quire_munlock(mm, at + 2 * PAGE, 4 * PAGE), -QUIRE_ENOMEM);
    CHECK_EQ(quire_mprotect(mm, at, PAGE, QUIRE_PROT_NONE), 0);
    CHECK_EQ(quire_mlock(mm, at, PAGE, 0), -QUIRE_ENOMEM); /* nothing can be faulted in there */
    finish();
}

static void mlockall_is_for_now_and_later(void)
{
    if (!begin())
        return;
    quire_linear_t at = map_anon(mm, 2 * PAGE);
    CHECK_EQ(quire_mlockall(mm, 0), -QUIRE_EINVAL);
    CHECK_EQ(quire_mlockall(mm, QUIRE_MCL_ONFAULT), -QUIRE_EINVAL);
    CHECK_EQ(quire_mlockall(mm, 8 | QUIRE_MCL_CURRENT), -QUIRE_EINVAL);
    quire_mm_set_limit(mm, QUIRE_LIMIT_MEMLOCK, 0);
    CHECK_EQ(quire_mlockall(mm, QUIRE_MCL_FUTURE), -QUIRE_EPERM);
    quire_mm_set_limit(mm, QUIRE_LIMIT_MEMLOCK, PAGE);
    CHECK_EQ(quire_mlockall(mm, QUIRE_MCL_CURRENT), -QUIRE_ENOMEM);
    CHECK_EQ(quire_mlockall(mm, QUIRE_MCL_FUTURE), 0);
    CHECK_EQ(quire_mmap(mm, 0, 2 * PAGE, RW, ANON, NULL, 0), -QUIRE_EAGAIN);
    quire_mm_set_limit(mm, QUIRE_LIMIT_MEMLOCK, 100 * PAGE);
    quire_linear_t later = map_anon(mm, 2 * PAGE);
    CHECK_EQ(mm_info(mm).locked, 2);
    CHECK_EQ(mm_info(mm).rss_anon, 2);
    CHECK_EQ(quire_mlockall(mm, QUIRE_MCL_CURRENT | QUIRE_MCL_FUTURE | QUIRE_MCL_ONFAULT), 0);
    CHECK_EQ(mm_info(mm).locked, 4);
    CHECK_EQ(mm_info(mm).rss_anon, 2);
    CHECK_EQ(quire_mlockall(mm, QUIRE_MCL_CURRENT), 0);
    CHECK_EQ(mm_info(mm).rss_anon, 4);
    CHECK(map_anon(mm, PAGE));
    CHECK_EQ(mm_info(mm).locked, 4);
    CHECK_EQ(quire_munlockall(mm), 0);
    CHECK_EQ(mm_info(mm).locked, 0);
    CHECK(at && later);
    finish();
}

static const struct test_case cases[] = {
    TEST_CASE(mprotect_splits_and_joins),
    TEST_CASE(mprotect_refuses_what_makes_no_sense),
    TEST_CASE(mprotect_reaches_down_a_stack),
    TEST_CASE(mprotect_changes_what_lies_below_a_hole),
    TEST_CASE(what_becomes_writable_is_promised),
    TEST_CASE(locked_memory_that_becomes_writable_is_its_own_at_once),
    TEST_CASE(mremap_refuses_what_makes_no_sense),
    TEST_CASE(mremap_keeps_to_the_limits),
    TEST_CASE(mremap_grows_in_place_where_it_can),
    TEST_CASE(mremap_moves_what_does_not_fit),
    TEST_CASE(mremap_to_a_fixed_place_replaces_what_is_there),
    TEST_CASE(mremap_may_leave_the_old_area_empty),
    TEST_CASE(mremap_of_nothing_duplicates_shared_memory),
    TEST_CASE(mlock_faults_in_and_counts),
    TEST_CASE(mlock_refuses_what_is_not_allowed),
    TEST_CASE(mlockall_is_for_now_and_later),
    {0},
};

const struct test_suite suite_vm_change = {"vm_change", cases};
