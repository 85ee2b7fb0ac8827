/* tests/unit/alloc_test.c: what an allocation returns, and which requests are impossible */
#include "tests/unit/machine.h"

static const struct quire_mem_config one_cpu = {.nr_cpus = 1};

/* ---- blocks ---------------------------------------------------------------------------------- */

static void blocks_of_every_order_are_aligned_and_have_one_reference(void)
{
    struct quire_page *block[QUIRE_MAX_ORDER + 1];
    if (!machine_boot_plain(32 * MIB, one_cpu))
        return;
    unsigned long before = quire_nr_free_pages(machine.mem);
    for (unsigned order = 0; order <= QUIRE_MAX_ORDER; order++) {
        block[order] = quire_alloc_pages(machine.mem, QUIRE_GFP_KERNEL, order);
        REQUIRE(block[order]);
        CHECK_EQ(block[order]->pfn & ((1u << order) - 1), 0);
        CHECK_EQ(quire_page_count(block[order]), 1);
        CHECK_EQ(quire_page_order(block[order]), order);
        CHECK(!quire_page_is_compound(block[order]));
    }
    CHECK_EQ(quire_nr_free_pages(machine.mem), before - ((2u << QUIRE_MAX_ORDER) - 1));
    for (unsigned order = 0; order <= QUIRE_MAX_ORDER; order++)
        quire_free_pages(machine.mem, block[order], order);
    CHECK_EQ(quire_nr_free_pages(machine.mem), before);
    quire_mem_check(machine.mem);
}

static void take_everything(struct quire_mem_config config)
{
    static uint8_t seen[PAGES(8 * MIB)];
    struct quire_page *chain;
    unsigned long count = 0;
    if (!machine_boot_plain(8 * MIB, config))
        return;
    for (unsigned long pfn = 0; pfn < PAGES(8 * MIB); pfn++)
        seen[pfn] = 0;
    unsigned long managed = quire_nr_managed_pages(machine.mem);
    CHECK_EQ(take_pages(QUIRE_GFP_KERNEL | QUIRE_GFP_MEMALLOC, ~0ul, &chain), managed);
    CHECK_EQ(quire_nr_free_pages(machine.mem), 0);
    for (struct quire_page *page = chain; page; page = page->owner.pointer[0]) {
        CHECK(!seen[page->pfn]);
        seen[page->pfn] = 1;
        count++;
    }
    CHECK_EQ(count, managed);
    free_chain(chain);
    CHECK_EQ(quire_nr_free_pages(machine.mem), managed);
    quire_mem_check(machine.mem);
}

static void every_page_can_be_had_once(void)
{
    take_everything(one_cpu);
    take_everything((struct quire_mem_config){.nr_cpus = 1, .no_pcp = true});
    take_everything((struct quire_mem_config){.nr_cpus = 1, .no_mobility_grouping = true});
    take_everything((struct quire_mem_config){.nr_cpus = 8});
}

/* Whatever order pages are freed in, they merge to what was there at the start. */
static void freed_pages_merge_across_all_orders(void)
{
    static struct quire_page *page[PAGES(8 * MIB)];
    if (!machine_boot_plain(8 * MIB, (struct quire_mem_config){.nr_cpus = 1, .no_pcp = true}))
        return;
    struct quire_zone_info before = zone_info(0);
    unsigned long count = 0;
    while ((page[count] = quire_alloc_page(machine.mem, QUIRE_GFP_KERNEL | QUIRE_GFP_MEMALLOC |
                                                            QUIRE_GFP_NOWARN)))
        count++;
    for (unsigned long left = count; left; left--) {
        unsigned long i = test_random_below((uint32_t)left);
        quire_free_page(machine.mem, page[i]);
        page[i] = page[left - 1];
    }
    struct quire_zone_info after = zone_info(0);
    for (unsigned order = 0; order <= QUIRE_MAX_ORDER; order++)
        CHECK_EQ(after.nr_blocks[order], before.nr_blocks[order]);
    quire_mem_check(machine.mem);
}

static void blocks_of_the_largest_order_merge_from_their_parts(void)
{
    if (!machine_boot_plain(32 * MIB, one_cpu))
        return;
    unsigned long largest = zone_info(0).nr_blocks[QUIRE_MAX_ORDER];
    for (unsigned order = 4; order < QUIRE_MAX_ORDER; order++) {
        struct quire_page *a = quire_alloc_pages(machine.mem, QUIRE_GFP_KERNEL, order);
        struct quire_page *b = quire_alloc_pages(machine.mem, QUIRE_GFP_KERNEL, QUIRE_MAX_ORDER);
        CHECK(a && b);
        CHECK(zone_info(0).nr_blocks[QUIRE_MAX_ORDER] < largest);
        quire_free_pages(machine.mem, b, QUIRE_MAX_ORDER);
        quire_free_pages(machine.mem, a, order);
        quire_drain_all_pages(machine.mem);
        CHECK_EQ(zone_info(0).nr_blocks[QUIRE_MAX_ORDER], largest);
        quire_mem_check(machine.mem);
    }
}

/* ---- impossible requests --------------------------------------------------------------------- */

static void impossible_requests_return_null(void)
{
    if (!machine_boot_plain(8 * MIB, one_cpu))
        return;
    struct quire_mem *mem = machine.mem;
    const quire_gfp_t kernel = QUIRE_GFP_KERNEL;
    CHECK(!quire_alloc_pages(mem, kernel, QUIRE_MAX_ORDER + 1));
    CHECK(!quire_alloc_pages(mem, kernel, ~0u));
    CHECK(!quire_alloc_pages(mem, kernel | QUIRE_GFP_DMA | QUIRE_GFP_HIGHMEM, 0));
    CHECK(!quire_alloc_pages(mem, kernel | QUIRE_GFP_DMA | QUIRE_GFP_DMA32, 0));
    CHECK(!quire_alloc_pages(mem, kernel | QUIRE_GFP_MOVABLE | QUIRE_GFP_RECLAIMABLE, 0));
    CHECK(!quire_alloc_pages(mem, QUIRE_GFP_NOFAIL | QUIRE_GFP_KSWAPD_RECLAIM, 4));
    CHECK(!quire_alloc_pages_node(mem, 1, kernel, 0));
    CHECK(!quire_alloc_pages_node(mem, -1, kernel, 0));
    CHECK(!quire_alloc_pages_node(mem, 1000, kernel, 0));
    CHECK_EQ(quire_nr_free_pages(mem), quire_nr_managed_pages(mem));
}

static void a_failure_is_told_unless_nowarn(void)
{
    struct quire_page *chain;
    if (!machine_boot_plain(4 * MIB, (struct quire_mem_config){.nr_cpus = 1, .no_pcp = true}))
        return;
    take_pages(QUIRE_GFP_KERNEL, ~0ul, &chain);
    CHECK(!quire_alloc_pages(machine.mem, QUIRE_GFP_KERNEL | QUIRE_GFP_NOWARN, 0));
    CHECK(!contains(machine.log, "page allocation failure"));
    CHECK(!quire_alloc_pages(machine.mem, QUIRE_GFP_KERNEL, 0));
    CHECK(machine_said("page allocation failure: order 0, gfp 0xcc0, node 0"));
    free_chain(chain);
}

/* ---- zone modifiers -------------------------------------------------------------------------- */

static const struct quire_memblock_region three_zones_map[] = {{.size = 24 * MIB}, {0}};
static const struct quire_mem_config three_zones = {
    .nr_cpus = 1,
    .no_pcp = true,
    .zone_end = {4 * MIB, 8 * MIB, UINT64_MAX, 0, 0},
};

static void zone_modifiers_name_the_highest_zone_that_will_do(void)
{
    static const struct {
        quire_gfp_t gfp;
        enum quire_zone_type first;
    } expected[] = {
        {QUIRE_GFP_KERNEL, QUIRE_ZONE_NORMAL},
        {QUIRE_GFP_KERNEL | QUIRE_GFP_DMA, QUIRE_ZONE_DMA},
        {QUIRE_GFP_KERNEL | QUIRE_GFP_DMA32, QUIRE_ZONE_DMA32},
        {QUIRE_GFP_HIGHUSER, QUIRE_ZONE_NORMAL}, /* there is no HighMem */
        {QUIRE_GFP_HIGHUSER_MOVABLE, QUIRE_ZONE_NORMAL},
        {QUIRE_GFP_ATOMIC | QUIRE_GFP_DMA, QUIRE_ZONE_DMA},
    };
    if (!machine_boot(three_zones_map, three_zones))
        return;
    for (unsigned order = 0; order < 6; order += 5)
        for (unsigned i = 0; i < sizeof expected / sizeof expected[0]; i++) {
            struct quire_page *page = quire_alloc_pages(machine.mem, expected[i].gfp, order);
            REQUIRE(page);
            CHECK_EQ(quire_page_zone(machine.mem, page), expected[i].first);
            quire_free_pages(machine.mem, page, order);
        }
}

static void dma_requests_get_low_memory_or_nothing(void)
{
    struct quire_page *chain, *rest;
    if (!machine_boot(three_zones_map, three_zones))
        return;
    unsigned long dma = zone_info_of(QUIRE_ZONE_DMA).managed;
    CHECK_EQ(take_pages(QUIRE_GFP_KERNEL | QUIRE_GFP_DMA | QUIRE_GFP_MEMALLOC, ~0ul, &chain), dma);
    for (struct quire_page *page = chain; page; page = page->owner.pointer[0])
        CHECK(quire_page_to_phys(page) < 4 * MIB);
    unsigned long dma32 = zone_info_of(QUIRE_ZONE_DMA32).managed;
    CHECK_EQ(take_pages(QUIRE_GFP_KERNEL | QUIRE_GFP_DMA32 | QUIRE_GFP_MEMALLOC, ~0ul, &rest),
             dma32);
    for (struct quire_page *page = rest; page; page = page->owner.pointer[0])
        CHECK(quire_page_to_phys(page) >= 4 * MIB && quire_page_to_phys(page) < 8 * MIB);
    CHECK_EQ(zone_info_of(QUIRE_ZONE_NORMAL).nr_free, zone_info_of(QUIRE_ZONE_NORMAL).managed);
    free_chain(chain);
    free_chain(rest);
    quire_mem_check(machine.mem);
}

static void a_modifier_without_its_zone_means_normal(void)
{
    if (!machine_boot_plain(8 * MIB, one_cpu))
        return;
    static const quire_gfp_t modifiers[] = {QUIRE_GFP_DMA, QUIRE_GFP_DMA32, QUIRE_GFP_HIGHMEM};
    for (unsigned i = 0; i < 3; i++) {
        struct quire_page *page = quire_alloc_page(machine.mem, QUIRE_GFP_KERNEL | modifiers[i]);
        CHECK(page && quire_page_zone(machine.mem, page) == QUIRE_ZONE_NORMAL);
        quire_free_page(machine.mem, page);
    }
}

/* ---- content and compound pages -------------------------------------------------------------- */

static bool is_filled(const void *memory, size_t size, unsigned char byte)
{
    const unsigned char *at = memory;
    for (size_t i = 0; i < size; i++)
        if (at[i] != byte)
            return false;
    return true;
}

static void zero_clears_the_whole_block(void)
{
    if (!machine_boot_plain(8 * MIB, one_cpu))
        return;
    for (unsigned order = 0; order <= 6; order++) {
        size_t size = QUIRE_PAGE_SIZE << order;
        struct quire_page *dirty = quire_alloc_pages(machine.mem, QUIRE_GFP_KERNEL, order);
        REQUIRE(dirty);
        __builtin_memset(quire_page_address(machine.mem, dirty), 0x5c, size);
        quire_free_pages(machine.mem, dirty, order);
        struct quire_page *page =
            quire_alloc_pages(machine.mem, QUIRE_GFP_KERNEL | QUIRE_GFP_ZERO, order);
        CHECK(page == dirty);
        CHECK(page && is_filled(quire_page_address(machine.mem, page), size, 0));
        quire_free_pages(machine.mem, page, order);
    }
}

static void comp_makes_a_compound_page_of_more_than_one(void)
{
    if (!machine_boot_plain(8 * MIB, one_cpu))
        return;
    for (unsigned order = 0; order <= 6; order++) {
        struct quire_page *page =
            quire_alloc_pages(machine.mem, QUIRE_GFP_KERNEL | QUIRE_GFP_COMP, order);
        REQUIRE(page);
        CHECK_EQ(quire_page_is_compound(page), order > 0);
        quire_free_pages(machine.mem, page, order);
        page = quire_alloc_pages(machine.mem, QUIRE_GFP_KERNEL, order);
        REQUIRE(page);
        CHECK(!quire_page_is_compound(page));
        quire_free_pages(machine.mem, page, order);
    }
}

static const struct test_case cases[] = {
    TEST_CASE(blocks_of_every_order_are_aligned_and_have_one_reference),
    TEST_CASE(every_page_can_be_had_once),
    TEST_CASE(freed_pages_merge_across_all_orders),
    TEST_CASE(blocks_of_the_largest_order_merge_from_their_parts),
    TEST_CASE(impossible_requests_return_null),
    TEST_CASE(a_failure_is_told_unless_nowarn),
    TEST_CASE(zone_modifiers_name_the_highest_zone_that_will_do),
    TEST_CASE(dma_requests_get_low_memory_or_nothing),
    TEST_CASE(a_modifier_without_its_zone_means_normal),
    TEST_CASE(zero_clears_the_whole_block),
    TEST_CASE(comp_makes_a_compound_page_of_more_than_one),
    {0},
};
const struct test_suite suite_alloc = {"alloc", cases};
