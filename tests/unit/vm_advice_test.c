/* tests/unit/vm_advice_test.c: madvise: what becomes of pages and areas, and what it refuses */
#include "tests/unit/vm_entries.h"
#include "tests/unit/vm_file_machine.h"
#include "tests/unit/vm_machine.h"
#include "vm/area.h"

#define R QUIRE_PROT_READ
#define RW (QUIRE_PROT_READ | QUIRE_PROT_WRITE)
#define ANON (QUIRE_MAP_PRIVATE | QUIRE_MAP_ANONYMOUS)

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
    vm_end();
}

static int advise(quire_linear_t at, unsigned pages, int advice)
{
    return quire_madvise(mm, at, pages * PAGE, advice);
}

static uint32_t flags_at(quire_linear_t at)
{
    struct quire_vma *vma = vma_at(mm, at);
    return vma ? vma->flags : 0;
}

static void madvise_refuses_what_makes_no_sense(void)
{
    static const int unknown[] = {-1, 5, 6, 7, 26, 99};
    if (!begin())
        return;
    quire_linear_t at = map_anon(mm, 4 * PAGE);
    for (unsigned i = 0; i < sizeof unknown / sizeof unknown[0]; i++)
        CHECK_EQ(advise(at, 0, unknown[i]), -QUIRE_EINVAL);
    CHECK_EQ(quire_madvise(mm, at + 1, PAGE, QUIRE_MADV_NORMAL), -QUIRE_EINVAL);
    CHECK_EQ(quire_madvise(mm, at, UINT64_MAX, QUIRE_MADV_NORMAL), -QUIRE_EINVAL);
    CHECK_EQ(quire_madvise(mm, at, UINT64_MAX - 2 * PAGE, QUIRE_MADV_NORMAL), -QUIRE_EINVAL);
    CHECK_EQ(quire_madvise(mm, 0, 0, QUIRE_MADV_DONTNEED), 0);
    CHECK_EQ(quire_madvise(mm, 0x10000, PAGE, QUIRE_MADV_DONTNEED), -QUIRE_ENOMEM);
    finish();
}

static void advice_about_areas_is_noted(void)
{
    static const struct {
        int on, off;
        uint32_t flag;
    } advices[] = {
        {QUIRE_MADV_RANDOM, QUIRE_MADV_NORMAL, VM_RAND_READ},
        {QUIRE_MADV_SEQUENTIAL, QUIRE_MADV_RANDOM, VM_SEQ_READ},
        {QUIRE_MADV_DONTFORK, QUIRE_MADV_DOFORK, VM_DONTCOPY},
        {QUIRE_MADV_WIPEONFORK, QUIRE_MADV_KEEPONFORK, VM_WIPEONFORK},
        {QUIRE_MADV_DONTDUMP, QUIRE_MADV_DODUMP, VM_DONTDUMP},
        {QUIRE_MADV_HUGEPAGE, QUIRE_MADV_NOHUGEPAGE, VM_HUGEPAGE},
        {QUIRE_MADV_NOHUGEPAGE, QUIRE_MADV_HUGEPAGE, VM_NOHUGEPAGE},
    };
    if (!begin())
        return;
    for (unsigned i = 0; i < sizeof advices / sizeof advices[0]; i++) {
        quire_linear_t at = map_anon(mm, 4 * PAGE);
        CHECK_EQ(advise(at + PAGE, 2, advices[i].on), 0);
        CHECK(!(flags_at(at) & advices[i].flag));
        CHECK(flags_at(at + PAGE) & advices[i].flag);
        CHECK_EQ(mm_info(mm).nr_areas, 3);
        CHECK_EQ(advise(at + PAGE, 1, advices[i].off), 0);
        CHECK(!(flags_at(at + PAGE) & advices[i].flag));
        CHECK_EQ(quire_munmap(mm, at, 4 * PAGE), 0);
    }
    finish();
}

static void holes_are_passed_over_and_told(void)
{
    if (!begin())
        return;
    quire_linear_t at = map_anon(mm, 6 * PAGE);
    for (unsigned i = 0; i < 6; i++)
        CHECK(poke(at + i * PAGE, i + 1));
    CHECK_EQ(quire_munmap(mm, at + 2 * PAGE, PAGE), 0);
    CHECK_EQ(advise(at + PAGE, 4, QUIRE_MADV_DONTNEED), -QUIRE_ENOMEM);
    CHECK(holds(at, 1));
    CHECK(holds(at + PAGE, 0));
    CHECK(holds(at + 4 * PAGE, 0));
    CHECK(holds(at + 5 * PAGE, 6));
    CHECK_EQ(advise(at + PAGE, 4, QUIRE_MADV_RANDOM), -QUIRE_ENOMEM);
    CHECK(flags_at(at + 4 * PAGE) & VM_RAND_READ);
    finish();
}

static void dontneed_gives_zeros_or_the_files_content(void)
{
    if (!begin())
        return;
    struct quire_mapping *file = file_of(4 * PAGE);
    quire_linear_t own = map_file(mm, file, 0, 4 * PAGE, RW, QUIRE_MAP_PRIVATE);
    quire_linear_t shared = map_file(mm, file, 0, 4 * PAGE, RW, QUIRE_MAP_SHARED);
    CHECK(poke(own + PAGE, 1));
    CHECK(poke(shared + 2 * PAGE, 2));
    CHECK_EQ(advise(own, 4, QUIRE_MADV_DONTNEED), 0);
    CHECK_EQ(advise(shared, 4, QUIRE_MADV_DONTNEED), 0);
    CHECK_EQ(mm_info(mm).rss_anon + mm_info(mm).rss_file, 0);
    CHECK(holds(own + PAGE, word_of(1)));
    CHECK(holds(shared + 2 * PAGE, 2));
    CHECK(holds(own + 2 * PAGE, 2));
    quire_mapping_put(file);
    finish();
}

static void locked_memory_is_not_given_up(void)
{
    static const int refused[] = {QUIRE_MADV_DONTNEED, QUIRE_MADV_FREE, QUIRE_MADV_COLD,
                                  QUIRE_MADV_PAGEOUT, QUIRE_MADV_REMOVE};
    if (!begin())
        return;
    quire_linear_t at = map_anon(mm, 2 * PAGE);
    CHECK(poke(at, 1));
    CHECK_EQ(quire_mlock(mm, at, 2 * PAGE, 0), 0);
    for (unsigned i = 0; i < sizeof refused / sizeof refused[0]; i++)
        CHECK_EQ(advise(at, 2, refused[i]), -QUIRE_EINVAL);
    CHECK(holds(at, 1));
    CHECK_EQ(advise(at, 2, QUIRE_MADV_DONTNEED_LOCKED), 0);
    CHECK_EQ(mm_info(mm).rss_anon, 0);
    CHECK(holds(at, 0));
    finish();
}

static void freed_pages_go_unless_they_are_written_again(void)
{
    if (!begin())
        return;
    quire_linear_t at = map_anon(mm, 8 * PAGE);
    for (unsigned i = 0; i < 8; i++)
        CHECK(poke(at + i * PAGE, i + 1));
    CHECK_EQ(advise(at, 8, QUIRE_MADV_FREE), 0);
    CHECK(holds(at + PAGE, 2));
    CHECK(poke(at + 3 * PAGE, 33));
    /* There is no swap: what reclaim takes is what was given up. */
    CHECK(quire_vm_reclaim(test_vm, 0, 1000) >= 6);
    CHECK(holds(at, 0));
    CHECK(holds(at + 3 * PAGE, 33));
    CHECK(holds(at + 7 * PAGE, 0));
    struct quire_mapping *file = file_of(PAGE);
    quire_linear_t mapped = map_file(mm, file, 0, PAGE, RW, QUIRE_MAP_PRIVATE);
    CHECK_EQ(advise(mapped, 1, QUIRE_MADV_FREE), -QUIRE_EINVAL);
    quire_mapping_put(file);
    finish();
}

static void pageout_goes_to_swap_and_willneed_comes_back(void)
{
    if (!begin())
        return;
    int area = swap_of(64);
    quire_linear_t at = map_anon(mm, 4 * PAGE);
    for (unsigned i = 0; i < 4; i++)
        CHECK(poke(at + i * PAGE, i + 1));
    CHECK_EQ(advise(at, 4, QUIRE_MADV_COLD), 0);
    CHECK_EQ(mm_info(mm).rss_anon, 4);
    CHECK_EQ(advise(at, 3, QUIRE_MADV_PAGEOUT), 0);
    CHECK_EQ(mm_info(mm).rss_anon, 1);
    CHECK_EQ(mm_info(mm).swap, 3);
    CHECK_EQ(advise(at, 2, QUIRE_MADV_WILLNEED), 0);
    unsigned long reads = swap_store.reads, major = mm_info(mm).maj_flt;
    CHECK(reads >= 2);
    CHECK(holds(at + PAGE, 2));
    CHECK_EQ(mm_info(mm).maj_flt, major);
    CHECK_EQ(swap_store.reads, reads);
    /* What is in swap can be given up too. */
    CHECK_EQ(advise(at + 2 * PAGE, 1, QUIRE_MADV_FREE), 0);
    CHECK(holds(at + 2 * PAGE, 0));
    CHECK_EQ(advise(at, 4, QUIRE_MADV_DONTNEED), 0);
    CHECK_EQ(mm_info(mm).swap, 0);
    CHECK_EQ(quire_swapoff(test_vm, area), 0);
    finish();
}

static void populate_reads_or_writes(void)
{
    if (!begin())
        return;
    quire_linear_t at = map_anon(mm, 4 * PAGE);
    CHECK_EQ(advise(at, 4, QUIRE_MADV_POPULATE_READ), 0);
    CHECK_EQ(mm_info(mm).rss_anon, 0);
    unsigned long faults = nr_faults;
    CHECK(holds(at + 3 * PAGE, 0));
    CHECK_EQ(nr_faults, faults);
    CHECK_EQ(advise(at, 2, QUIRE_MADV_POPULATE_WRITE), 0);
    CHECK_EQ(mm_info(mm).rss_anon, 2);
    CHECK(poke(at, 1));
    CHECK_EQ(nr_faults, faults);
    CHECK_EQ(quire_mprotect(mm, at, PAGE, R), 0);
    CHECK_EQ(advise(at, 1, QUIRE_MADV_POPULATE_WRITE), -QUIRE_EINVAL);
    CHECK_EQ(quire_mprotect(mm, at, PAGE, QUIRE_PROT_NONE), 0);
    CHECK_EQ(advise(at, 1, QUIRE_MADV_POPULATE_READ), -QUIRE_EINVAL);
    CHECK_EQ(advise(at + 2 * PAGE, 3, QUIRE_MADV_POPULATE_WRITE), -QUIRE_ENOMEM);
    CHECK_EQ(mm_info(mm).rss_anon, 4);
    struct quire_mapping *file = file_of(PAGE);
    quire_linear_t mapped = map_file(mm, file, 0, 2 * PAGE, R, QUIRE_MAP_PRIVATE);
    CHECK_EQ(advise(mapped, 2, QUIRE_MADV_POPULATE_READ), -QUIRE_EFAULT);
    quire_mapping_put(file);
    finish();
}

static void remove_punches_a_hole_into_the_file(void)
{
    if (!begin())
        return;
    quire_linear_t at = map_file(mm, NULL, 0, 4 * PAGE, RW, QUIRE_MAP_SHARED | QUIRE_MAP_ANONYMOUS);
    quire_linear_t other =
        (quire_linear_t)quire_mremap(mm, at, 0, 4 * PAGE, QUIRE_MREMAP_MAYMOVE, 0);
    for (unsigned i = 0; i < 4; i++)
        CHECK(poke(at + i * PAGE, i + 1));
    CHECK_EQ(advise(at + PAGE, 2, QUIRE_MADV_REMOVE), 0);
    CHECK(holds(other, 1));
    CHECK(holds(other + PAGE, 0));
    CHECK(holds(other + 2 * PAGE, 0));
    CHECK(holds(other + 3 * PAGE, 4));
    CHECK_EQ(advise(map_anon(mm, PAGE), 1, QUIRE_MADV_REMOVE), -QUIRE_EINVAL);
    CHECK_EQ(quire_mprotect(mm, at, PAGE, R), 0);
    CHECK_EQ(advise(at, 1, QUIRE_MADV_REMOVE), -QUIRE_EACCES);
    finish();
}

/* What lies behind a hole of addresses, or in another area, is removed too; behind a refusal not.
 */
static void remove_passes_over_holes_and_stops_at_a_refusal(void)
{
    if (!begin())
        return;
    quire_linear_t at = map_file(mm, NULL, 0, 8 * PAGE, RW, QUIRE_MAP_SHARED | QUIRE_MAP_ANONYMOUS);
    for (unsigned i = 0; i < 8; i++)
        CHECK(poke(at + i * PAGE, i + 1));
    CHECK_EQ(quire_munmap(mm, at + 2 * PAGE, PAGE), 0);
    CHECK_EQ(advise(at + PAGE, 3, QUIRE_MADV_REMOVE), -QUIRE_ENOMEM);
    CHECK(holds(at, 1) && holds(at + PAGE, 0) && holds(at + 3 * PAGE, 0) &&
          holds(at + 4 * PAGE, 5));
    CHECK_EQ(advise(at + 2 * PAGE, 1, QUIRE_MADV_REMOVE), -QUIRE_ENOMEM);
    CHECK_EQ(quire_mlock(mm, at + 5 * PAGE, PAGE, 0), 0);
    CHECK_EQ(advise(at + 4 * PAGE, 3, QUIRE_MADV_REMOVE), -QUIRE_EINVAL);
    CHECK(holds(at + 4 * PAGE, 0) && holds(at + 5 * PAGE, 6) && holds(at + 6 * PAGE, 7));
    quire_linear_t end = at + 8 * PAGE;
    CHECK_EQ(quire_munmap(mm, end - PAGE, PAGE), 0);
    CHECK_EQ(advise(end - 2 * PAGE, 2, QUIRE_MADV_REMOVE), -QUIRE_ENOMEM); /* a hole at the end */
    CHECK(holds(end - 2 * PAGE, 0));
    finish();
}

/* Nobody could tell its owner. */
static void remove_of_a_file_that_has_an_owner_is_refused(void)
{
    if (!begin())
        return;
    struct quire_mapping *file = file_of(2 * PAGE);
    quire_linear_t at = map_file(mm, file, 0, 2 * PAGE, RW, QUIRE_MAP_SHARED);
    CHECK(poke(at, 5));
    CHECK_EQ(advise(at, 2, QUIRE_MADV_REMOVE), -QUIRE_EOPNOTSUPP);
    CHECK(holds(at, 5));
    CHECK_EQ(quire_mprotect(mm, at, PAGE, R), 0);
    CHECK_EQ(advise(at, 1, QUIRE_MADV_REMOVE), -QUIRE_EACCES);
    quire_mapping_put(file);
    finish();
}

static void forks_follow_the_advice(void)
{
    struct quire_mm *child;
    if (!begin())
        return;
    quire_linear_t at = map_anon(mm, 3 * PAGE);
    for (unsigned i = 0; i < 3; i++)
        CHECK(poke(at + i * PAGE, i + 1));
    CHECK_EQ(advise(at, 1, QUIRE_MADV_DONTFORK), 0);
    CHECK_EQ(advise(at + PAGE, 1, QUIRE_MADV_WIPEONFORK), 0);
    CHECK_EQ(quire_mlock(mm, at, 3 * PAGE, 0), 0);
    struct quire_mapping *file = file_of(PAGE);
    quire_linear_t mapped = map_file(mm, file, 0, PAGE, R, QUIRE_MAP_PRIVATE);
    CHECK_EQ(advise(mapped, 1, QUIRE_MADV_WIPEONFORK), -QUIRE_EINVAL);
    quire_mapping_put(file);
    CHECK_EQ(quire_mm_fork(&child, mm), 0);
    CHECK_EQ(mm_info(child).total, 3);
    CHECK_EQ(mm_info(child).locked, 0);
    run_on(child);
    CHECK(!poke(at, 1));
    CHECK(holds(at + PAGE, 0));
    CHECK(holds(at + 2 * PAGE, 3));
    run_on(mm);
    CHECK(holds(at + PAGE, 2));
    mm_end(child);
    finish();
}

/* The frame of a page that is there. */
static unsigned long frame_at(quire_linear_t at)
{
    uint64_t entry = 0;
    quire_pagemap(mm, at, 1, &entry);
    return (unsigned long)(entry & ((UINT64_C(1) << 55) - 1));
}

static bool is_out_of_use(unsigned long frame)
{
    uint64_t flags, count;
    quire_kpageflags(test_vm, quire_pfn(frame), 1, &flags);
    quire_kpagecount(test_vm, quire_pfn(frame), 1, &count);
    return flags == UINT64_C(1) << QUIRE_KPF_HWPOISON && !count;
}

static void poisoned_pages_are_lost_and_their_frames_stay_away(void)
{
    struct quire_mm *child;
    if (!begin())
        return;
    quire_linear_t at = map_anon(mm, 3 * PAGE);
    for (unsigned i = 0; i < 3; i++)
        CHECK(poke(at + i * PAGE, i + 1));
    unsigned long frame = frame_at(at + PAGE);
    CHECK_EQ(quire_mm_fork(&child, mm), 0);
    CHECK_EQ(advise(at + PAGE, 1, QUIRE_MADV_HWPOISON), 0);
    CHECK(is_out_of_use(frame));
    CHECK_EQ(quire_handle_fault(mm, at + PAGE, 0, NULL), QUIRE_VM_BUS_MCEERR);
    CHECK_EQ(quire_handle_fault(child, at + PAGE, QUIRE_FAULT_FLAG_WRITE, NULL),
             QUIRE_VM_BUS_MCEERR);
    CHECK(holds(at, 1) && holds(at + 2 * PAGE, 3));
    CHECK_EQ(advise(at + PAGE, 1, QUIRE_MADV_HWPOISON), -QUIRE_EFAULT);
    CHECK_EQ(advise(at + PAGE, 1, QUIRE_MADV_DONTNEED), 0);
    CHECK(poke(at + PAGE, 4));
    CHECK(frame_at(at + PAGE) != frame && is_out_of_use(frame));
    CHECK_EQ(mm_info(child).rss_anon, 2);
    mm_end(child);
    finish();
}

static void what_was_of_a_file_is_read_anew_unless_it_was_written(void)
{
    if (!begin())
        return;
    struct quire_mapping *file = file_of(2 * PAGE);
    quire_linear_t at = map_file(mm, file, 0, 2 * PAGE, RW, QUIRE_MAP_SHARED);
    CHECK(holds(at, word_of(0)));
    CHECK(poke(at + PAGE, 5));
    unsigned long clean = frame_at(at), dirty = frame_at(at + PAGE);
    CHECK_EQ(advise(at, 2, QUIRE_MADV_HWPOISON), 0);
    CHECK(is_out_of_use(clean) && is_out_of_use(dirty));
    CHECK(holds(at, word_of(0)));
    CHECK_EQ(quire_handle_fault(mm, at + PAGE, 0, NULL), QUIRE_VM_BUS_MCEERR);
    CHECK_EQ(advise(at + PAGE, 1, QUIRE_MADV_DONTNEED), 0);
    CHECK(holds(at + PAGE, word_of(1)));
    CHECK_EQ(quire_mapping_sync(file, 0, 0), -QUIRE_EIO); /* what was written is lost */
    CHECK_EQ(quire_mapping_sync(file, 0, 0), 0);
    quire_mapping_put(file);
    finish();
}

static void what_was_of_shared_memory_counts_as_there_and_not_as_swapped(void)
{
    if (!begin())
        return;
    struct quire_mapping *shm =
        shm_of((struct quire_mapping_config){.size = 3 * PAGE, .may_write = true});
    quire_linear_t at = map_file(mm, shm, 0, 3 * PAGE, RW, QUIRE_MAP_SHARED);
    for (unsigned i = 0; i < 3; i++)
        CHECK(poke(at + i * PAGE, i + 1));
    CHECK_EQ(advise(at + PAGE, 1, QUIRE_MADV_HWPOISON), 0);
    CHECK_EQ(info_of_file(shm).nr_pages, 3);
    CHECK_EQ(info_of_file(shm).nr_swapped, 0);
    CHECK_EQ(quire_mapping_punch(shm, PAGE, PAGE), 0);
    CHECK_EQ(info_of_file(shm).nr_pages, 2);
    CHECK_EQ(info_of_file(shm).nr_swapped, 0);
    CHECK(poke(at + PAGE, 4) && holds(at + PAGE, 4));
    CHECK_EQ(info_of_file(shm).nr_pages, 3);
    quire_mapping_put(shm);
    finish();
}

static void soft_offlining_moves_what_is_there(void)
{
    if (!begin())
        return;
    quire_linear_t at = map_anon(mm, 2 * PAGE);
    CHECK(poke(at, 7) && poke(at + PAGE, 8));
    unsigned long first = frame_at(at), second = frame_at(at + PAGE);
    CHECK_EQ(advise(at, 2, QUIRE_MADV_SOFT_OFFLINE), 0);
    CHECK(is_out_of_use(first) && is_out_of_use(second));
    CHECK(holds(at, 7) && holds(at + PAGE, 8));
    CHECK_EQ(advise(0x10000, 1, QUIRE_MADV_SOFT_OFFLINE), -QUIRE_EFAULT);
    finish();
}

static const struct test_case cases[] = {
    TEST_CASE(madvise_refuses_what_makes_no_sense),
    TEST_CASE(advice_about_areas_is_noted),
    TEST_CASE(holes_are_passed_over_and_told),
    TEST_CASE(dontneed_gives_zeros_or_the_files_content),
    TEST_CASE(locked_memory_is_not_given_up),
    TEST_CASE(freed_pages_go_unless_they_are_written_again),
    TEST_CASE(pageout_goes_to_swap_and_willneed_comes_back),
    TEST_CASE(populate_reads_or_writes),
    TEST_CASE(remove_punches_a_hole_into_the_file),
    TEST_CASE(remove_passes_over_holes_and_stops_at_a_refusal),
    TEST_CASE(remove_of_a_file_that_has_an_owner_is_refused),
    TEST_CASE(forks_follow_the_advice),
    TEST_CASE(poisoned_pages_are_lost_and_their_frames_stay_away),
    TEST_CASE(what_was_of_a_file_is_read_anew_unless_it_was_written),
    TEST_CASE(what_was_of_shared_memory_counts_as_there_and_not_as_swapped),
    TEST_CASE(soft_offlining_moves_what_is_there),
    {0},
};

const struct test_suite suite_vm_advice = {"vm_advice", cases};
