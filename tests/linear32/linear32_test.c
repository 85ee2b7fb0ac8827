/* tests/linear32/linear32_test.c: addresses of 32 bits: where sums would wrap, and what is refused
 */
#include "tests/unit/tables.h"
#include "tests/unit/vm_machine.h"

#include <quire/mmu.h>
#include <quire/numa.h>

#define LAST_PAGE 0xfffff000u
#define RW (QUIRE_PROT_READ | QUIRE_PROT_WRITE)

static const struct quire_pt_features can_do_all;
static const enum quire_pt_format_id formats[] = {QUIRE_PT_FORMAT_I386, QUIRE_PT_FORMAT_I386_4K,
                                                  QUIRE_PT_FORMAT_PAE};
#define FOR_EACH_FORMAT(i) for (unsigned i = 0; i < sizeof formats / sizeof formats[0]; i++)

static struct quire_pgtable pt;

static bool start(enum quire_pt_format_id format)
{
    return machine_boot_plain(64 * MIB, (struct quire_mem_config){.nr_cpus = 1}) &&
           tables_start(&pt, format, can_do_all);
}

/* ---- page tables ----------------------------------------------------------------------------- */

static void tables_of_64_bit_modes_are_refused(void)
{
    if (!start(QUIRE_PT_FORMAT_PAE))
        return;
    struct quire_pgtable other;
    struct quire_pgtable_config config = {.mem = machine.mem, .format = QUIRE_PT_FORMAT_X86_64};
    CHECK_EQ(quire_pgtable_init(&other, &config), -QUIRE_EINVAL);
    config.format = QUIRE_PT_FORMAT_LA57;
    CHECK_EQ(quire_pgtable_init(&other, &config), -QUIRE_EINVAL);
    tables_end(&pt);
}

static void ranges_end_before_the_last_page(void)
{
    FOR_EACH_FORMAT(i)
    {
        if (!start(formats[i]))
            return;
        uint64_t count = 0;
        CHECK_EQ(quire_map_range(&pt, LAST_PAGE, 0, 4096, 0, 0), -QUIRE_EINVAL);
        CHECK_EQ(quire_map_range(&pt, LAST_PAGE - 4096, 0, 8192, 0, 0), -QUIRE_EINVAL);
        CHECK_EQ(quire_map_range(&pt, LAST_PAGE, 0, 8192, 0, 0), -QUIRE_EINVAL);
        CHECK_EQ(quire_map_range(&pt, 0, 0, (uint64_t)1 << 32, 0, 0), -QUIRE_EINVAL);
        CHECK_EQ(quire_unmap_range(&pt, 4096, ((uint64_t)1 << 32) + 4096, 0, NULL), -QUIRE_EINVAL);
        CHECK_EQ(
            quire_harvest_range(&pt, 0, (uint64_t)1 << 32, QUIRE_PTE_DIRTY, NULL, &count, NULL),
            -QUIRE_EINVAL);
        CHECK_EQ(quire_map_range(&pt, LAST_PAGE - 4096, 0x5000, 4096, QUIRE_PTE_WRITE, 0), 0);
        struct reference r = reference_walk(formats[i], pt.root, LAST_PAGE - 4096);
        CHECK(r.present);
        CHECK_EQ(r.phys, 0x5000);
        CHECK_EQ(quire_unmap_range(&pt, 0, LAST_PAGE, 0, NULL), 0);
        CHECK_EQ(quire_pgtable_nr_tables(&pt), empty_tables(&pt));
        tables_end(&pt);
    }
}

struct told {
    unsigned runs, pages;
    uint64_t holes; /* bytes */
};

static int tell(void *arg, const struct quire_pt_run *run)
{
    struct told *told = arg;
    told->runs++;
    told->pages += run->count;
    told->holes += run->count ? 0 : run->size;
    return 0;
}

/* The root's last entry ends where no address is. */
static void walks_end_with_the_last_range(void)
{
    FOR_EACH_FORMAT(i)
    {
        if (!start(formats[i]))
            return;
        const quire_linear_t first = 0xff800000;
        struct told told = {0};
        uint64_t count = 0;
        CHECK_EQ(
            quire_map_range(&pt, first, 0, LAST_PAGE - first, QUIRE_PTE_WRITE, QUIRE_MAP_NO_HUGE),
            0);
        CHECK_EQ(quire_next_entry(&pt, 0, LAST_PAGE), first);
        CHECK_EQ(quire_visit_range(&pt, 0, LAST_PAGE, 0, tell, &told), 0);
        CHECK_EQ(told.pages, (LAST_PAGE - first) / 4096);
        CHECK_EQ(told.holes, first);
        CHECK_EQ(quire_protect_range(&pt, first, LAST_PAGE - first, QUIRE_PTE_DIRTY, 0, NULL), 0);
        CHECK_EQ(quire_harvest_range(&pt, 0, LAST_PAGE, QUIRE_PTE_DIRTY, NULL, &count, NULL), 0);
        CHECK_EQ(count, (LAST_PAGE - first) / 4096);
        CHECK_EQ(quire_unmap_range(&pt, 4096, LAST_PAGE - 4096, 0, NULL), 0);
        CHECK_EQ(quire_next_entry(&pt, 4096, LAST_PAGE - 4096), LAST_PAGE);
        CHECK_EQ(quire_pgtable_nr_tables(&pt), empty_tables(&pt));
        tables_end(&pt);
    }
}

/* Such a page is mapped by collapsing what ranges can't say; the walks see it whole. */
static void a_huge_page_may_end_with_the_addresses(void)
{
    if (!start(QUIRE_PT_FORMAT_I386))
        return;
    const quire_linear_t last = 0xffc00000;
    struct told told = {0};
    uint64_t empty = 0;
    CHECK_EQ(quire_map_range(&pt, last, 0, LAST_PAGE - last, QUIRE_PTE_WRITE, QUIRE_MAP_NO_HUGE),
             0);
    CHECK_EQ(
        quire_cmpxchg_entry(&pt, LAST_PAGE, &empty, 0x3ff000 | QUIRE_PTE_PRESENT | QUIRE_PTE_WRITE),
        0);
    CHECK_EQ(quire_collapse(&pt, last, QUIRE_PMD, NULL), 0);
    CHECK_EQ(quire_visit_range(&pt, 0x1000, LAST_PAGE - 0x1000, 0, tell, &told), 0);
    CHECK_EQ(told.pages, 1);
    CHECK_EQ(told.holes, last - 0x1000);
    CHECK_EQ(quire_test_and_clear(&pt, 0xffffffff, QUIRE_PTE_DIRTY, NULL), 0);
    CHECK_EQ(quire_split(&pt, LAST_PAGE, NULL), 0);
    CHECK_EQ(quire_unmap_range(&pt, last, LAST_PAGE - last, 0, NULL), 0);
    struct reference r = reference_walk(QUIRE_PT_FORMAT_I386, pt.root, LAST_PAGE);
    CHECK(r.present);
    CHECK_EQ(r.phys, 0x3ff000);
    uint64_t entry = quire_get_entry(&pt, LAST_PAGE);
    struct quire_tlb_batch batch;
    quire_tlb_batch_init(&batch, &pt);
    CHECK_EQ(quire_update_entry(&pt, LAST_PAGE, &entry, 0, &batch), 0);
    quire_tlb_flush(&batch);
    tables_end(&pt);
}

static void registers_of_long_mode_are_refused(void)
{
    struct quire_mmu mmu = {.cpl = 0};
    struct quire_fault fault;
    const struct quire_phys_memory none = {.base = NULL};
    struct quire_mmu_registers registers = {
        .cr0 = QUIRE_CR0_PG | QUIRE_CR0_PE, .cr4 = QUIRE_CR4_PAE, .efer = QUIRE_EFER_LME};
    CHECK(!quire_mmu_load(&mmu, &registers, &none, &fault));
}

/* ---- address spaces -------------------------------------------------------------------------- */

/* None of these is cut to an address, where the first would be a page and the second nothing. What
 * is refused is so by the errors that tables of 64 bits have for it. */
static void sizes_beyond_the_addresses_are_not_cut(void)
{
    if (!vm_boot(16 * MIB, QUIRE_PT_FORMAT_I386))
        return;
    struct quire_mm *mm = mm_new();
    unsigned char vec[1];
    const quire_linear_t at = map_anon(mm, 4 * PAGE);
    const uint64_t size[] = {((uint64_t)1 << 32) + PAGE, 0xfffff001, ((uint64_t)1 << 32) - at};
    for (unsigned i = 0; i < sizeof size / sizeof size[0]; i++) {
        CHECK_EQ(quire_munmap(mm, at, size[i]), -QUIRE_EINVAL);
        CHECK_EQ(quire_mprotect(mm, at, size[i], RW), -QUIRE_ENOMEM);
        CHECK_EQ(quire_mremap(mm, at, size[i], PAGE, 0, 0), -QUIRE_EINVAL);
        CHECK_EQ(quire_mremap(mm, at, size[i], size[i], 0, 0), -QUIRE_EFAULT);
        CHECK_EQ(quire_mremap(mm, at, PAGE, size[i], 0, 0), -QUIRE_ENOMEM);
        CHECK_EQ(quire_madvise(mm, at, size[i], QUIRE_MADV_NORMAL), -QUIRE_ENOMEM);
        CHECK_EQ(quire_mseal(mm, at, size[i]), -QUIRE_ENOMEM);
        CHECK_EQ(quire_mlock(mm, at, size[i], 0), -QUIRE_ENOMEM);
        CHECK_EQ(quire_munlock(mm, at, size[i]), -QUIRE_ENOMEM);
        CHECK_EQ(quire_mincore(mm, at, size[i], vec), -QUIRE_ENOMEM);
        CHECK_EQ(quire_msync(mm, at, size[i], QUIRE_MS_SYNC), -QUIRE_ENOMEM);
        CHECK_EQ(quire_remap_file_pages(mm, at, size[i], 0, 0, 0), -QUIRE_EINVAL);
        CHECK_EQ(quire_mbind(mm, at, size[i], NULL, 0), -QUIRE_EFAULT);
    }
    for (unsigned i = 0; i < 2; i++) {
        CHECK_EQ(quire_mmap(mm, 0, size[i], RW, QUIRE_MAP_PRIVATE | QUIRE_MAP_ANONYMOUS, NULL, 0),
                 -QUIRE_ENOMEM);
        CHECK_EQ(quire_mremap(mm, at, PAGE, size[i], QUIRE_MREMAP_MAYMOVE, 0), -QUIRE_ENOMEM);
    }
    CHECK_EQ(quire_madvise(mm, LAST_PAGE, PAGE, QUIRE_MADV_NORMAL), -QUIRE_ENOMEM);
    CHECK_EQ(quire_mprotect(mm, LAST_PAGE, PAGE, RW), -QUIRE_ENOMEM);
    CHECK_EQ(mm_info(mm).total, 4);
    mm_end(mm);
    vm_end();
}

/* An address space up to the last page but one, as a 32-bit program has on a 64-bit kernel. */
static void areas_may_lie_right_below_the_last_page(void)
{
    if (!vm_boot(16 * MIB, QUIRE_PT_FORMAT_PAE))
        return;
    struct quire_mm *mm, *child;
    struct quire_mm_layout layout = quire_mm_layout_i386;
    layout.end = 0xffe00000;
    if (quire_mm_create(&mm, test_vm, &layout)) {
        test_note("no such layout");
        vm_end();
        return;
    }
    const quire_linear_t at = layout.end - 8 * PAGE;
    CHECK_EQ(quire_mmap(mm, at, 8 * PAGE, RW,
                        QUIRE_MAP_PRIVATE | QUIRE_MAP_ANONYMOUS | QUIRE_MAP_FIXED, NULL, 0),
             at);
    run_on(mm);
    for (unsigned i = 0; i < 8; i++)
        CHECK(poke(at + i * PAGE, i + 1));
    CHECK_EQ(quire_mmap(mm, layout.end - PAGE, 2 * PAGE, RW,
                        QUIRE_MAP_PRIVATE | QUIRE_MAP_ANONYMOUS | QUIRE_MAP_FIXED, NULL, 0),
             -QUIRE_ENOMEM);
    CHECK_EQ(quire_mprotect(mm, layout.end - PAGE, PAGE, QUIRE_PROT_READ), 0);
    CHECK_EQ(quire_mm_fork(&child, mm), 0);
    CHECK(holds(layout.end - PAGE, 8));
    char bytes[64];
    CHECK_EQ(quire_copy_from_user(mm, bytes, layout.end - 32, sizeof bytes), 32);
    CHECK_EQ(quire_copy_from_user(mm, bytes, 0xfffffff0, sizeof bytes), sizeof bytes);
    CHECK_EQ(quire_strncpy_from_user(mm, bytes, 0xffffffff, sizeof bytes), -QUIRE_EFAULT);
    CHECK_EQ(quire_madvise(mm, at, 8 * PAGE, QUIRE_MADV_DONTNEED), 0);
    quire_mm_put(child);
    CHECK_EQ(quire_munmap(mm, at, 8 * PAGE), 0);
    mm_end(mm);
    vm_end();
}

static void a_stack_limit_beyond_the_addresses_is_no_small_one(void)
{
    if (!vm_boot(16 * MIB, QUIRE_PT_FORMAT_I386))
        return;
    struct quire_mm *mm = mm_new();
    quire_mm_set_limit(mm, QUIRE_LIMIT_STACK, ((uint64_t)1 << 32) + PAGE);
    quire_linear_t most = map_anon(mm, PAGE);
    CHECK(most < quire_mm_layout_i386.end - quire_mm_layout_i386.gap_max);
    mm_end(mm);
    vm_end();
}

static void pagemap_has_nothing_beyond_the_addresses(void)
{
    if (!vm_boot(16 * MIB, QUIRE_PT_FORMAT_I386))
        return;
    struct quire_mm *mm = mm_new();
    uint64_t entries[2];
    const quire_linear_t at = map_anon(mm, PAGE);
    run_on(mm);
    CHECK(poke(at, 1));
    quire_pagemap(mm, at, 1, entries);
    CHECK(entries[0]);
    quire_pagemap(mm, ((uint64_t)1 << 32) + at, 1, entries);
    CHECK_EQ(entries[0], 0);
    mm_end(mm);
    vm_end();
}

static const struct test_case cases[] = {
    TEST_CASE(tables_of_64_bit_modes_are_refused),
    TEST_CASE(ranges_end_before_the_last_page),
    TEST_CASE(walks_end_with_the_last_range),
    TEST_CASE(a_huge_page_may_end_with_the_addresses),
    TEST_CASE(registers_of_long_mode_are_refused),
    TEST_CASE(sizes_beyond_the_addresses_are_not_cut),
    TEST_CASE(areas_may_lie_right_below_the_last_page),
    TEST_CASE(a_stack_limit_beyond_the_addresses_is_no_small_one),
    TEST_CASE(pagemap_has_nothing_beyond_the_addresses),
    {0},
};
const struct test_suite suite_linear32 = {"linear32", cases};
