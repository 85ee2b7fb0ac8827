/* tests/unit/vm_seal_test.c: areas that stay as they are, and calls that few programs make */
#include "tests/unit/vm_entries.h"

#define ANONYMOUS (QUIRE_MAP_PRIVATE | QUIRE_MAP_ANONYMOUS)

/* ---- mseal ----------------------------------------------------------------------------------- */

static void a_sealed_area_stays_as_it_is(void)
{
    if (!vm_boot(16 * MIB, QUIRE_PT_FORMAT_X86_64))
        return;
    struct quire_mm *mm = mm_new();
    quire_linear_t at = map_anon(mm, 8 * PAGE), other = map_anon(mm, PAGE);
    const unsigned move = QUIRE_MREMAP_MAYMOVE, fixed = move | QUIRE_MREMAP_FIXED;
    poke_pages(mm, at, 8, 100);
    CHECK_EQ(quire_mseal(mm, at + 2 * PAGE, 2 * PAGE), 0);
    struct quire_mm_info before = mm_info(mm);
    CHECK_EQ(before.nr_areas, 3);
    CHECK_EQ(quire_munmap(mm, at + 2 * PAGE, PAGE), -QUIRE_EPERM);
    CHECK_EQ(quire_munmap(mm, at, 8 * PAGE), -QUIRE_EPERM);
    CHECK_EQ(quire_mprotect(mm, at + PAGE, 2 * PAGE, QUIRE_PROT_READ), -QUIRE_EPERM);
    CHECK_EQ(quire_mremap(mm, at + 2 * PAGE, 2 * PAGE, PAGE, 0, 0), -QUIRE_EPERM);
    CHECK_EQ(quire_mremap(mm, at + 2 * PAGE, 2 * PAGE, 4 * PAGE, move, 0), -QUIRE_EPERM);
    CHECK_EQ(quire_mremap(mm, other, PAGE, PAGE, fixed, at + 3 * PAGE), -QUIRE_EPERM);
    CHECK_EQ(quire_mmap(mm, at + PAGE, 2 * PAGE, READ_WRITE, ANONYMOUS | QUIRE_MAP_FIXED, NULL, 0),
             -QUIRE_EPERM);
    CHECK_EQ(mm_info(mm).nr_areas, before.nr_areas);
    CHECK_EQ(mm_info(mm).total, before.total);
    check_pages(mm, at, 8, 100);
    CHECK_EQ(quire_munmap(mm, at, 2 * PAGE), 0);
    CHECK_EQ(quire_munmap(mm, at + 4 * PAGE, 4 * PAGE), 0);
    struct quire_mm *child = fork_of(mm);
    CHECK_EQ(quire_munmap(child, at + 2 * PAGE, PAGE), -QUIRE_EPERM);
    mm_end(child);
    mm_end(mm);
    vm_end();
}

static void what_is_sealed_and_read_only_is_not_thrown_away(void)
{
    if (!vm_boot(16 * MIB, QUIRE_PT_FORMAT_X86_64))
        return;
    struct quire_mm *mm = mm_new();
    quire_linear_t at = map_anon(mm, 4 * PAGE);
    poke_pages(mm, at, 4, 100);
    CHECK_EQ(quire_mprotect(mm, at, 2 * PAGE, QUIRE_PROT_READ), 0);
    CHECK_EQ(quire_mseal(mm, at, 4 * PAGE), 0);
    CHECK_EQ(quire_madvise(mm, at, PAGE, QUIRE_MADV_DONTNEED), -QUIRE_EPERM);
    CHECK_EQ(quire_madvise(mm, at, PAGE, QUIRE_MADV_FREE), -QUIRE_EPERM);
    CHECK_EQ(quire_madvise(mm, at, PAGE, QUIRE_MADV_WIPEONFORK), -QUIRE_EPERM);
    CHECK_EQ(quire_madvise(mm, at, PAGE, QUIRE_MADV_COLD), 0);
    CHECK_EQ(quire_madvise(mm, at + 2 * PAGE, PAGE, QUIRE_MADV_DONTNEED), 0);
    run_on(mm);
    CHECK(holds(at, 100));
    CHECK(holds(at + 2 * PAGE, 0));
    mm_end(mm);
    vm_end();
}

static void ranges_that_cannot_be_sealed_are_refused(void)
{
    if (!vm_boot(16 * MIB, QUIRE_PT_FORMAT_X86_64))
        return;
    struct quire_mm *mm = mm_new();
    quire_linear_t at = map_anon(mm, 4 * PAGE);
    CHECK_EQ(quire_munmap(mm, at + 2 * PAGE, PAGE), 0);
    CHECK_EQ(quire_mseal(mm, at + 1, PAGE), -QUIRE_EINVAL);
    CHECK_EQ(quire_mseal(mm, at, UINT64_MAX), -QUIRE_EINVAL);
    CHECK_EQ(quire_mseal(mm, at, (uint64_t)0 - PAGE), -QUIRE_EINVAL);
    CHECK_EQ(quire_mseal(mm, at, 0), 0);
    CHECK_EQ(quire_mseal(mm, at, 4 * PAGE), -QUIRE_ENOMEM);
    CHECK_EQ(quire_munmap(mm, at, 2 * PAGE), 0); /* nothing was sealed */
    mm_end(mm);
    vm_end();
}

/* ---- remap_file_pages ------------------------------------------------------------------------ */

static void pages_of_a_shared_mapping_change_places(void)
{
    if (!vm_boot(16 * MIB, QUIRE_PT_FORMAT_X86_64))
        return;
    struct quire_mm *mm = mm_new();
    struct quire_mapping *file = file_of(8 * PAGE);
    quire_linear_t at = map_file(mm, file, 0, 4 * PAGE, READ_WRITE, QUIRE_MAP_SHARED);
    quire_linear_t private = map_file(mm, file, 0, PAGE, READ_WRITE, QUIRE_MAP_PRIVATE);
    CHECK_EQ(quire_remap_file_pages(mm, at, PAGE, 0, 3, 0), 0);
    CHECK_EQ(quire_remap_file_pages(mm, at + 3 * PAGE + 1, PAGE, 0, 6, 0), 0);
    run_on(mm);
    CHECK(holds(at, word_of(3)));
    CHECK(holds(at + PAGE, word_of(1)));
    CHECK(holds(at + 3 * PAGE, word_of(6)));
    CHECK_EQ(quire_remap_file_pages(mm, private, PAGE, 0, 3, 0), -QUIRE_EINVAL);
    CHECK_EQ(quire_remap_file_pages(mm, at, PAGE, QUIRE_PROT_READ, 3, 0), -QUIRE_EINVAL);
    CHECK_EQ(quire_remap_file_pages(mm, at, 0, 0, 3, 0), -QUIRE_EINVAL);
    CHECK_EQ(quire_remap_file_pages(mm, at, PAGE, 0, UINT64_MAX, 0), -QUIRE_EINVAL);
    CHECK_EQ(quire_remap_file_pages(mm, at, 5 * PAGE, 0, 0, 0), -QUIRE_EINVAL);
    CHECK_EQ(quire_remap_file_pages(mm, PAGE, PAGE, 0, 0, 0), -QUIRE_EINVAL);
    mm_end(mm);
    quire_mapping_put(file);
    vm_end();
}

/* As Linux sees it: what can't become writable isn't shared. */
static void a_mapping_that_stays_read_only_keeps_its_order(void)
{
    if (!vm_boot(16 * MIB, QUIRE_PT_FORMAT_X86_64))
        return;
    struct quire_mm *mm = mm_new();
    struct quire_mapping *file = file_of(8 * PAGE);
    quire_linear_t at =
        map_file(mm, file, 0, 2 * PAGE, QUIRE_PROT_READ, QUIRE_MAP_SHARED | QUIRE_MAP_NO_WRITE);
    CHECK_EQ(quire_remap_file_pages(mm, at, PAGE, 0, 4, 0), -QUIRE_EINVAL);
    run_on(mm);
    CHECK(holds(at, word_of(0)));
    mm_end(mm);
    quire_mapping_put(file);
    vm_end();
}

/* ---- what is known of pages ------------------------------------------------------------------ */

static void the_cache_says_what_it_has_of_a_range(void)
{
    if (!vm_boot(16 * MIB, QUIRE_PT_FORMAT_X86_64))
        return;
    struct quire_mm *mm = mm_new();
    struct quire_mapping *file = file_of(16 * PAGE);
    struct quire_cachestat stat;
    quire_linear_t at = map_file(mm, file, 0, 16 * PAGE, READ_WRITE, QUIRE_MAP_SHARED);
    CHECK_EQ(quire_madvise(mm, at, 16 * PAGE, QUIRE_MADV_RANDOM), 0);
    quire_mapping_cachestat(file, 0, UINT64_MAX, &stat);
    CHECK_EQ(stat.nr_cache, 0);
    run_on(mm);
    CHECK(poke(at + 3 * PAGE, 1));
    CHECK(poke(at + 7 * PAGE, 1));
    CHECK(holds(at + 9 * PAGE, word_of(9)));
    quire_mapping_cachestat(file, 3, 8, &stat);
    CHECK_EQ(stat.nr_cache, 2);
    CHECK_EQ(stat.nr_dirty, 2);
    CHECK_EQ(stat.nr_writeback, 0);
    CHECK_EQ(quire_mapping_sync(file, 0, 0), 0);
    quire_mapping_cachestat(file, 0, UINT64_MAX, &stat);
    CHECK_EQ(stat.nr_cache, 3);
    CHECK_EQ(stat.nr_dirty, 0);
    quire_mapping_cachestat(file, 8, 3, &stat);
    CHECK_EQ(stat.nr_cache, 0);
    mm_end(mm);
    quire_mapping_put(file);
    vm_end();
}

static void what_was_used_is_forgotten(void)
{
    if (!vm_boot(16 * MIB, QUIRE_PT_FORMAT_X86_64))
        return;
    struct quire_mm *mm = mm_new();
    struct quire_mapping *file = file_of(4 * PAGE);
    quire_linear_t at = map_anon(mm, 4 * PAGE);
    quire_linear_t there = map_file(mm, file, 0, PAGE, QUIRE_PROT_READ, QUIRE_MAP_SHARED);
    poke_pages(mm, at, 4, 1);
    run_on(mm);
    CHECK(holds(there, word_of(0)));
    quire_mm_clear_refs(mm, true, false);
    CHECK(!(entry_of(mm, at) & QUIRE_PTE_ACCESSED));
    CHECK(entry_of(mm, at) & QUIRE_PTE_DIRTY);
    CHECK(entry_of(mm, there) & QUIRE_PTE_ACCESSED);
    quire_mm_clear_refs(mm, false, true);
    CHECK(!(entry_of(mm, there) & QUIRE_PTE_ACCESSED));
    CHECK(holds(at, 1));
    CHECK(entry_of(mm, at) & QUIRE_PTE_ACCESSED); /* no TLB remembered it */
    CHECK_EQ(quire_munmap(mm, at, 2 * PAGE), 0);
    CHECK_EQ(mm_info(mm).hiwater_rss, 5);
    quire_mm_reset_peak(mm);
    CHECK_EQ(mm_info(mm).hiwater_rss, 3);
    mm_end(mm);
    quire_mapping_put(file);
    vm_end();
}

/* ---- what can be set ------------------------------------------------------------------------- */

static void an_address_space_has_as_many_areas_as_are_allowed(void)
{
    if (!vm_boot(16 * MIB, QUIRE_PT_FORMAT_X86_64))
        return;
    struct quire_mm *mm = mm_new();
    quire_vm_set_max_map_count(test_vm, 10);
    int64_t at = 1;
    for (unsigned i = 0; at > 0; i++) {
        unsigned prot = i & 1 ? QUIRE_PROT_READ : QUIRE_PROT_NONE;
        at = quire_mmap(mm, 0, PAGE, prot, ANONYMOUS, NULL, 0);
    }
    CHECK_EQ(at, -QUIRE_ENOMEM);
    CHECK_EQ(mm_info(mm).nr_areas, 11); /* Linux, too, looks before it counts */
    quire_vm_set_max_map_count(test_vm, 20);
    CHECK(quire_mmap(mm, 0, PAGE, QUIRE_PROT_NONE, ANONYMOUS, NULL, 0) > 0);
    mm_end(mm);
    vm_end();
}

static void memory_that_may_be_promised_is_a_number_or_a_part(void)
{
    if (!vm_boot(16 * MIB, QUIRE_PT_FORMAT_X86_64))
        return;
    struct quire_mm *mm = mm_new();
    CHECK_EQ(quire_vm_set_overcommit(test_vm, QUIRE_OVERCOMMIT_NEVER, 50), 0);
    quire_vm_set_overcommit_kbytes(test_vm, 64);
    CHECK_EQ(quire_mmap(mm, 0, 32 * PAGE, READ_WRITE, ANONYMOUS, NULL, 0), -QUIRE_ENOMEM);
    CHECK(quire_mmap(mm, 0, 8 * PAGE, READ_WRITE, ANONYMOUS, NULL, 0) > 0);
    CHECK_EQ(quire_vm_set_overcommit(test_vm, QUIRE_OVERCOMMIT_NEVER, 50), 0);
    CHECK(quire_mmap(mm, 0, 32 * PAGE, READ_WRITE, ANONYMOUS, NULL, 0) > 0);
    mm_end(mm);
    vm_end();
}

static const struct test_case cases[] = {
    TEST_CASE(a_sealed_area_stays_as_it_is),
    TEST_CASE(what_is_sealed_and_read_only_is_not_thrown_away),
    TEST_CASE(ranges_that_cannot_be_sealed_are_refused),
    TEST_CASE(pages_of_a_shared_mapping_change_places),
    TEST_CASE(a_mapping_that_stays_read_only_keeps_its_order),
    TEST_CASE(the_cache_says_what_it_has_of_a_range),
    TEST_CASE(what_was_used_is_forgotten),
    TEST_CASE(an_address_space_has_as_many_areas_as_are_allowed),
    TEST_CASE(memory_that_may_be_promised_is_a_number_or_a_part),
    {0},
};
const struct test_suite suite_vm_seal = {"vm_seal", cases};
