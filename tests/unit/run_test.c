/* tests/unit/run_test.c: contiguous frames of any number */
#include "tests/unit/machine.h"

static void a_run_takes_what_it_is_long_and_no_more(void)
{
    struct quire_mem *mem = machine_boot_plain(16 * MIB, (struct quire_mem_config){.no_pcp = true});
    if (!mem)
        return;
    unsigned long free = quire_nr_free_pages(mem);
    for (unsigned long pages = 1; pages <= 1ul << QUIRE_PAGEBLOCK_ORDER; pages++) {
        struct quire_page *page = quire_alloc_run(mem, pages, 0, QUIRE_GFP_KERNEL);
        REQUIRE(page);
        CHECK_EQ(quire_nr_free_pages(mem), free - pages);
        __builtin_memset(quire_page_address(mem, page), 1, pages * QUIRE_PAGE_SIZE);
        quire_free_run(mem, page, pages);
        CHECK_EQ(quire_nr_free_pages(mem), free);
    }
    CHECK_EQ(machine.bad_pages, 0);
    quire_mem_check(mem);
}

static void a_run_is_aligned_as_asked(void)
{
    struct quire_mem *mem = machine_boot_plain(16 * MIB, (struct quire_mem_config){.nr_cpus = 1});
    if (!mem)
        return;
    for (unsigned order = 0; order <= QUIRE_PAGEBLOCK_ORDER; order++) {
        struct quire_page *page = quire_alloc_run(mem, 3, order, QUIRE_GFP_KERNEL);
        REQUIRE(page);
        CHECK_EQ(quire_page_to_pfn(page).value & ((1ul << order) - 1), 0);
        quire_free_run(mem, page, 3);
    }
    CHECK_EQ(machine.bad_pages, 0);
    quire_mem_check(mem);
}

static void runs_that_cannot_be_are_refused(void)
{
    struct quire_mem *mem = machine_boot_plain(16 * MIB, (struct quire_mem_config){.nr_cpus = 1});
    if (!mem)
        return;
    CHECK(!quire_alloc_run(mem, 0, 0, QUIRE_GFP_KERNEL));
    CHECK(!quire_alloc_run(mem, (1ul << QUIRE_MAX_ORDER) + 1, 0, QUIRE_GFP_KERNEL));
    CHECK(!quire_alloc_run(mem, 1, QUIRE_MAX_ORDER + 1, QUIRE_GFP_KERNEL));
    CHECK(!quire_alloc_run(mem, 1, 0, QUIRE_GFP_KERNEL | QUIRE_GFP_COMP));
}

static void a_run_that_is_freed_twice_is_reported(void)
{
    struct quire_mem *mem = machine_boot_plain(16 * MIB, (struct quire_mem_config){.no_pcp = true});
    if (!mem)
        return;
    struct quire_page *page = quire_alloc_run(mem, 4, 0, QUIRE_GFP_KERNEL);
    REQUIRE(page);
    quire_free_run(mem, page, 4);
    CHECK_EQ(machine.bad_pages, 0);
    quire_free_run(mem, page, 4);
    CHECK_EQ(machine.bad_pages, 1);
}

static const struct test_case cases[] = {
    TEST_CASE(a_run_takes_what_it_is_long_and_no_more),
    TEST_CASE(a_run_is_aligned_as_asked),
    TEST_CASE(runs_that_cannot_be_are_refused),
    TEST_CASE(a_run_that_is_freed_twice_is_reported),
    {0},
};
const struct test_suite suite_run = {"run", cases};
