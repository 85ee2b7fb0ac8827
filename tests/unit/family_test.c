/* tests/unit/family_test.c: by address, exact sizes, many at once, splitting */
#include "tests/unit/machine.h"

static unsigned long free_before;

static struct quire_mem *boot(struct quire_mem_config config)
{
    struct quire_mem *mem = machine_boot_plain(16 * MIB, config);
    if (mem)
        free_before = quire_nr_free_pages(mem);
    return mem;
}

static struct quire_mem *boot_one_cpu(void)
{
    return boot((struct quire_mem_config){.nr_cpus = 1});
}

static void check_all_is_free_again(void)
{
    CHECK_EQ(quire_nr_free_pages(machine.mem), free_before);
    CHECK_EQ(machine.bad_pages, 0);
    quire_mem_check(machine.mem);
}

/* ---- by address ------------------------------------------------------------------------------ */

static void pages_can_be_had_and_freed_by_address(void)
{
    struct quire_mem *mem = boot_one_cpu();
    if (!mem)
        return;
    for (unsigned order = 0; order <= QUIRE_MAX_ORDER; order++) {
        char *address = quire_get_free_pages(mem, QUIRE_GFP_KERNEL, order);
        REQUIRE(address);
        CHECK_EQ((uintptr_t)(address - machine.port.base) & ((QUIRE_PAGE_SIZE << order) - 1), 0);
        CHECK_EQ(quire_page_order(quire_virt_to_page(mem, address)), order);
        quire_free_pages_at(mem, address, order);
    }
    check_all_is_free_again();
}

static void highmem_cannot_be_had_by_address(void)
{
    struct quire_mem *mem = boot_one_cpu();
    if (!mem)
        return;
    CHECK(!quire_get_free_pages(mem, QUIRE_GFP_HIGHUSER, 0));
    CHECK(!quire_get_zeroed_page(mem, QUIRE_GFP_KERNEL | QUIRE_GFP_HIGHMEM));
    CHECK(!quire_alloc_pages_exact(mem, 100, QUIRE_GFP_HIGHUSER));
    CHECK(!quire_get_free_pages(mem, QUIRE_GFP_KERNEL, QUIRE_MAX_ORDER + 1));
    check_all_is_free_again();
}

/* quire_alloc_pages is where nobody looks. */
static void unknown_gfp_bits_are_refused(void)
{
    struct quire_mem *mem = boot_one_cpu();
    if (!mem)
        return;
    struct quire_page *pages[2] = {NULL, NULL};
    for (unsigned bit = 0; bit < 32; bit++) {
        quire_gfp_t gfp = QUIRE_GFP_KERNEL | 1u << bit;
        if (QUIRE_GFP_MASK >> bit & 1)
            continue;
        CHECK(!quire_get_free_pages(mem, gfp, 0));
        CHECK(!quire_get_zeroed_page(mem, gfp));
        CHECK(!quire_alloc_pages_exact(mem, 100, gfp));
        CHECK_EQ(quire_alloc_pages_bulk(mem, -1, gfp, 2, pages), 0);
        CHECK(!quire_alloc_contig_pages(mem, 1, 1, gfp, -1));
        CHECK_EQ(quire_alloc_contig_range(mem, quire_pfn(PAGES(8 * MIB)),
                                          quire_pfn(PAGES(8 * MIB) + 1), QUIRE_MIGRATE_MOVABLE,
                                          gfp),
                 -QUIRE_EINVAL);
    }
    CHECK(machine_heard("the gfp flags have unknown bits"));
    check_all_is_free_again();
}

static void a_zeroed_page_is_zero(void)
{
    struct quire_mem *mem = boot_one_cpu();
    if (!mem)
        return;
    unsigned char *dirty = quire_get_free_pages(mem, QUIRE_GFP_KERNEL, 0);
    REQUIRE(dirty);
    __builtin_memset(dirty, 0xff, QUIRE_PAGE_SIZE);
    quire_free_pages_at(mem, dirty, 0);
    unsigned char *page = quire_get_zeroed_page(mem, QUIRE_GFP_KERNEL);
    CHECK(page == dirty);
    for (unsigned long i = 0; i < QUIRE_PAGE_SIZE; i++)
        REQUIRE(!page[i]);
    quire_free_pages_at(mem, page, 0);
    check_all_is_free_again();
}

/* ---- exact sizes ----------------------------------------------------------------------------- */

static void exact_sizes_take_no_page_too_many(void)
{
    struct quire_mem *mem = boot((struct quire_mem_config){.nr_cpus = 1, .no_pcp = true});
    if (!mem)
        return;
    const size_t page = QUIRE_PAGE_SIZE;
    const size_t sizes[] = {1,        page - 1,     page,      page + 1,
                            3 * page, 5 * page - 7, 17 * page, page << QUIRE_MAX_ORDER};
    for (unsigned i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        unsigned long pages = (unsigned long)((sizes[i] + page - 1) / page);
        char *address = quire_alloc_pages_exact(mem, sizes[i], QUIRE_GFP_KERNEL);
        REQUIRE(address);
        CHECK_EQ(quire_nr_free_pages(mem), free_before - pages);
        for (unsigned long n = 0; n < pages; n++) {
            const struct quire_page *one = quire_virt_to_page(mem, address + n * page);
            CHECK_EQ(quire_page_count(one), 1);
            CHECK_EQ(quire_page_order(one), 0);
        }
        quire_mem_check(mem);
        quire_free_pages_exact(mem, address, sizes[i]);
        check_all_is_free_again();
    }
}

static void exact_sizes_that_cannot_be_are_refused(void)
{
    struct quire_mem *mem = boot_one_cpu();
    if (!mem)
        return;
    CHECK(!quire_alloc_pages_exact(mem, 0, QUIRE_GFP_KERNEL));
    CHECK(
        !quire_alloc_pages_exact(mem, (QUIRE_PAGE_SIZE << QUIRE_MAX_ORDER) + 1, QUIRE_GFP_KERNEL));
    CHECK(!quire_alloc_pages_exact(mem, (size_t)-1, QUIRE_GFP_KERNEL));
    CHECK(!quire_alloc_pages_exact(mem, 3 * QUIRE_PAGE_SIZE, QUIRE_GFP_KERNEL | QUIRE_GFP_COMP));
    check_all_is_free_again();
}

static void parts_of_an_exact_allocation_can_be_freed_alone(void)
{
    struct quire_mem *mem = boot_one_cpu();
    if (!mem)
        return;
    char *address = quire_alloc_pages_exact(mem, 6 * QUIRE_PAGE_SIZE, QUIRE_GFP_KERNEL);
    REQUIRE(address);
    quire_free_pages_at(mem, address + 2 * QUIRE_PAGE_SIZE, 0);
    quire_free_pages_exact(mem, address, 2 * QUIRE_PAGE_SIZE);
    quire_free_pages_exact(mem, address + 3 * QUIRE_PAGE_SIZE, 3 * QUIRE_PAGE_SIZE);
    check_all_is_free_again();
}

/* ---- splitting ------------------------------------------------------------------------------- */

static void a_split_block_is_freed_page_by_page(void)
{
    struct quire_mem *mem = boot_one_cpu();
    if (!mem)
        return;
    for (unsigned order = 0; order <= QUIRE_MAX_ORDER; order++) {
        struct quire_page *block = quire_alloc_pages(mem, QUIRE_GFP_KERNEL, order);
        REQUIRE(block);
        quire_get_page(block);
        quire_split_page(mem, block, order);
        for (unsigned long i = 0; i < 1ul << order; i++) {
            CHECK_EQ(quire_page_count(&block[i]), 2);
            CHECK_EQ(quire_page_order(&block[i]), 0);
            quire_put_page(mem, &block[i]);
        }
        for (unsigned long i = 0; i < 1ul << order; i++)
            quire_free_page(mem, &block[i]);
    }
    check_all_is_free_again();
}

static void splitting_what_cannot_be_split_is_caught(void)
{
    struct quire_mem *mem = boot_one_cpu();
    if (!mem)
        return;
    struct quire_page *plain = quire_alloc_pages(mem, QUIRE_GFP_KERNEL, 3);
    struct quire_page *compound = quire_alloc_pages(mem, QUIRE_GFP_KERNEL | QUIRE_GFP_COMP, 3);
    REQUIRE(plain && compound);
    quire_split_page(mem, compound, 3);
    CHECK(machine_caught("split of what is no allocated block of this order, or compound"));
    quire_split_page(mem, plain, 2);
    CHECK(machine_caught("split of what is no allocated block"));
    quire_split_page(mem, plain + 1, 0);
    CHECK(machine_caught("split of what is no allocated block"));
    quire_split_page(mem, plain, QUIRE_MAX_ORDER + 16);
    CHECK(machine_caught("split of what is no allocated block"));
    quire_free_pages(mem, plain, 3);
    quire_split_page(mem, plain, 3);
    CHECK(machine_caught("split of what is no allocated block"));
    quire_free_pages(mem, compound, 3);
    check_all_is_free_again();
}

/* ---- many at once ---------------------------------------------------------------------------- */

static void clear(struct quire_page **pages, unsigned count)
{
    for (unsigned i = 0; i < count; i++)
        pages[i] = NULL;
}

static void bulk_fills_an_array(void)
{
    struct quire_page *pages[200];
    static const quire_gfp_t kinds[] = {QUIRE_GFP_KERNEL, QUIRE_GFP_HIGHUSER_MOVABLE,
                                        QUIRE_GFP_KERNEL | QUIRE_GFP_RECLAIMABLE,
                                        QUIRE_GFP_KERNEL | QUIRE_GFP_ZERO};
    for (unsigned no_pcp = 0; no_pcp < 2; no_pcp++) {
        struct quire_mem *mem = boot((struct quire_mem_config){.nr_cpus = 1, .no_pcp = no_pcp});
        if (!mem)
            return;
        for (unsigned kind = 0; kind < 4; kind++)
            for (int node = -1; node <= 0; node++) {
                clear(pages, 200);
                CHECK_EQ(quire_alloc_pages_bulk(mem, node, kinds[kind], 200, pages), 200);
                for (unsigned i = 0; i < 200; i++) {
                    REQUIRE(pages[i]);
                    CHECK_EQ(quire_page_count(pages[i]), 1);
                    CHECK(!i || pages[i] != pages[i - 1]);
                }
                CHECK_EQ(quire_nr_free_pages(mem), free_before - 200);
                quire_free_pages_bulk(mem, 200, pages);
            }
        check_all_is_free_again();
    }
}

static void bulk_fills_only_what_is_missing(void)
{
    struct quire_page *pages[20], *kept;
    struct quire_mem *mem = boot_one_cpu();
    if (!mem)
        return;
    clear(pages, 20);
    pages[3] = kept = quire_alloc_page(mem, QUIRE_GFP_KERNEL);
    CHECK_EQ(quire_alloc_pages_bulk(mem, -1, QUIRE_GFP_KERNEL, 20, pages), 20);
    CHECK(pages[3] == kept);
    CHECK_EQ(quire_nr_free_pages(mem), free_before - 20);
    CHECK_EQ(quire_alloc_pages_bulk(mem, -1, QUIRE_GFP_KERNEL, 20, pages), 20);
    CHECK_EQ(quire_nr_free_pages(mem), free_before - 20);
    CHECK_EQ(quire_alloc_pages_bulk(mem, -1, QUIRE_GFP_KERNEL, 0, pages), 0);
    quire_free_page(mem, pages[7]);
    pages[7] = NULL;
    quire_free_pages_bulk(mem, 20, pages);
    check_all_is_free_again();
}

static void bulk_fills_as_far_as_memory_goes(void)
{
    static struct quire_page *pages[PAGES(16 * MIB)];
    struct quire_mem *mem = boot_one_cpu();
    if (!mem)
        return;
    clear(pages, PAGES(16 * MIB));
    unsigned long got =
        quire_alloc_pages_bulk(mem, 0, QUIRE_GFP_KERNEL | QUIRE_GFP_NOWARN, PAGES(16 * MIB), pages);
    CHECK(got > PAGES(12 * MIB) && got < free_before);
    CHECK(pages[got - 1] && !pages[got]);
    CHECK_EQ(quire_nr_free_pages(mem), free_before - got);
    quire_free_pages_bulk(mem, got, pages);
    check_all_is_free_again();
}

static void bulk_refuses_impossible_requests(void)
{
    struct quire_page *pages[4];
    struct quire_mem *mem = boot_one_cpu();
    if (!mem)
        return;
    clear(pages, 4);
    CHECK_EQ(quire_alloc_pages_bulk(mem, 7, QUIRE_GFP_KERNEL, 4, pages), 0);
    CHECK_EQ(quire_alloc_pages_bulk(mem, 0, QUIRE_GFP_DMA | QUIRE_GFP_DMA32, 4, pages), 0);
    CHECK(!pages[0]);
    check_all_is_free_again();
}

static const struct test_case cases[] = {
    TEST_CASE(pages_can_be_had_and_freed_by_address),
    TEST_CASE(highmem_cannot_be_had_by_address),
    TEST_CASE(unknown_gfp_bits_are_refused),
    TEST_CASE(a_zeroed_page_is_zero),
    TEST_CASE(exact_sizes_take_no_page_too_many),
    TEST_CASE(exact_sizes_that_cannot_be_are_refused),
    TEST_CASE(parts_of_an_exact_allocation_can_be_freed_alone),
    TEST_CASE(a_split_block_is_freed_page_by_page),
    TEST_CASE(splitting_what_cannot_be_split_is_caught),
    TEST_CASE(bulk_fills_an_array),
    TEST_CASE(bulk_fills_only_what_is_missing),
    TEST_CASE(bulk_fills_as_far_as_memory_goes),
    TEST_CASE(bulk_refuses_impossible_requests),
    {0},
};
const struct test_suite suite_family = {"family", cases};
