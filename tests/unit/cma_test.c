/* CMA areas. */
#include "phys/internal.h"
#include "tests/unit/movable.h"

#define MOVABLE QUIRE_GFP_HIGHUSER_MOVABLE

static struct quire_cma area;

/* A machine with the pageblocks [4, 8) reserved. */
static struct quire_mem *machine_with_reserve(void)
{
    static const struct quire_memblock_region map[] = {{.size = SMALL_SIZE}, {0}};
    if (!machine_map(map))
        return NULL;
    CHECK_EQ(quire_memblock_reserve(&machine.memblock, 4 * BLOCK_BYTES, 4 * BLOCK_BYTES), 0);
    struct quire_mem_config config = {.zone_end = {[QUIRE_ZONE_NORMAL] = UINT64_MAX}, .nr_cpus = 2};
    if (machine_start(config))
        return NULL;
    struct quire_mem *mem = machine.mem;
    movables_init(mem);
    return mem;
}

static void an_area_is_made_of_reserved_memory_only(void)
{
    struct quire_mem *mem = machine_with_reserve();
    if (!mem)
        return;
    unsigned long managed = quire_nr_managed_pages(mem);
    size_t metadata = quire_metadata_size(mem);
    CHECK_EQ(quire_cma_init(mem, &area, "a", 4 * BLOCK_BYTES, 5 * BLOCK_BYTES, 0), -QUIRE_EINVAL);
    CHECK(machine_heard("not all of it was reserved"));
    CHECK_EQ(quire_cma_init(mem, &area, "a", 4 * BLOCK_BYTES, 0, 0), -QUIRE_EINVAL);
    CHECK(machine_heard("can't make a CMA area of [0x"));
    CHECK_EQ(quire_cma_init(mem, &area, "a", 4 * BLOCK_BYTES + 1, BLOCK_BYTES, 0), -QUIRE_EINVAL);
    CHECK(machine_heard("it isn't whole pageblocks"));
    CHECK_EQ(quire_cma_init(mem, &area, "a", 4 * BLOCK_BYTES, BLOCK_BYTES, PAGEBLOCK_ORDER + 1),
             -QUIRE_EINVAL);
    CHECK(machine_heard("it isn't a multiple of 2^order_per_bit frames"));
    CHECK_EQ(quire_nr_managed_pages(mem), managed);
    CHECK_EQ(quire_metadata_size(mem), metadata);
    CHECK_EQ(quire_cma_init(mem, &area, "a", 4 * BLOCK_BYTES, 4 * BLOCK_BYTES, 2), 0);
    CHECK_EQ(quire_nr_managed_pages(mem), managed + 4 * PAGEBLOCK_PAGES - 1);
    CHECK(quire_metadata_size(mem) > metadata);
    CHECK(mem->cma_areas == &area);
    CHECK_EQ(quire_pageblock_migratetype(mem, quire_pfn_to_page(mem, area.start)),
             QUIRE_MIGRATE_CMA);
    struct quire_zone_info info;
    CHECK_EQ(quire_zone_info(mem, 0, &info), 0);
    CHECK_EQ(info.nr_free_cma, 4 * PAGEBLOCK_PAGES);
    CHECK_EQ(info.cma, 4 * PAGEBLOCK_PAGES);
    CHECK_EQ(quire_cma_init(mem, &area, "a", 4 * BLOCK_BYTES, 4 * BLOCK_BYTES, 2), -QUIRE_EINVAL);
    machine_check_empty(mem);
}

static void an_area_serves_movable_allocations_until_its_owner_asks(void)
{
    struct quire_mem *mem = machine_with_reserve();
    if (!mem)
        return;
    REQUIRE(!quire_cma_init(mem, &area, "a", 4 * BLOCK_BYTES, 4 * BLOCK_BYTES, 0));
    unsigned long in_area = 0;
    while (movable_alloc(MOVABLE | QUIRE_GFP_MEMALLOC, 0) >= 0)
        ;
    for (unsigned slot = 0; slot < MAX_MOVABLES; slot++) {
        const struct quire_page *page = movables.block[slot].page;
        if (page && page->pfn - area.start.value < area.count)
            in_area++;
        else if (page && slot % 2)
            movable_free(slot);
    }
    CHECK(in_area > 0);
    struct quire_page *page = quire_cma_alloc(&area, area.count, 0);
    CHECK(page && page->pfn == area.start.value);
    CHECK_EQ(area.nr_used, area.count);
    CHECK(movables.moves >= in_area);
    movables_check();
    CHECK(!quire_cma_alloc(&area, 1, 0));
    CHECK(quire_cma_release(&area, page, area.count));
    CHECK(!quire_cma_release(&area, page, area.count));
    CHECK_EQ(area.nr_used, 0);
    CHECK_EQ(mem->events[EVENT_CMA_ALLOC_SUCCESS], 1);
    CHECK_EQ(mem->events[EVENT_CMA_ALLOC_FAIL], 1);
    movables_free_all();
    machine_check_empty(mem);
}

static void what_cannot_move_never_gets_into_an_area(void)
{
    struct quire_mem *mem = machine_with_reserve();
    if (!mem)
        return;
    REQUIRE(!quire_cma_init(mem, &area, "a", 4 * BLOCK_BYTES, 4 * BLOCK_BYTES, 0));
    static struct quire_page *pages[MAX_MOVABLES];
    unsigned nr = 0;
    while ((pages[nr] = quire_alloc_pages(
                mem, QUIRE_GFP_KERNEL | QUIRE_GFP_MEMALLOC | QUIRE_GFP_NOWARN, 0))) {
        CHECK(pages[nr]->pfn - area.start.value >= area.count);
        nr++;
    }
    CHECK(nr > 4000);
    /* Nor is it anyone's to take, but its owner's. */
    CHECK_EQ(quire_alloc_contig_range(mem, area.start, quire_pfn(area.start.value + 8),
                                      QUIRE_MIGRATE_MOVABLE, QUIRE_GFP_KERNEL),
             -QUIRE_EBUSY);
    while (nr--)
        quire_free_page(mem, pages[nr]);
    machine_check_empty(mem);
}

static void areas_are_allocated_by_their_granularity_and_alignment(void)
{
    struct quire_mem *mem = machine_with_reserve();
    if (!mem)
        return;
    REQUIRE(!quire_cma_init(mem, &area, "a", 4 * BLOCK_BYTES, 4 * BLOCK_BYTES, 3));
    struct quire_page *one = quire_cma_alloc(&area, 1, 0), *nine = quire_cma_alloc(&area, 9, 0);
    struct quire_page *aligned = quire_cma_alloc(&area, 64, 6);
    REQUIRE(one && nine && aligned);
    CHECK_EQ(nine->pfn, one->pfn + 8);
    CHECK_EQ(aligned->pfn % 64, 0);
    CHECK_EQ(area.nr_used, 74);
    CHECK(!quire_cma_release(&area, nine, 10)); /* the tenth isn't allocated */
    CHECK(!quire_cma_release(&area, quire_pfn_to_page(mem, quire_pfn(1)), 1));
    CHECK(!quire_cma_release(&area, one, area.count + 1));
    CHECK(!quire_cma_release(&area, NULL, 1));
    CHECK(quire_cma_release(&area, nine, 9));
    CHECK(quire_cma_release(&area, one, 1));
    CHECK(quire_cma_release(&area, aligned, 64));
    CHECK(!quire_cma_alloc(&area, 0, 0));
    CHECK(!quire_cma_alloc(&area, area.count + 1, 0));
    CHECK(!quire_cma_alloc(&area, 1, 40));
    CHECK_EQ(area.nr_used, 0);
    machine_check_empty(mem);
}

static void a_busy_place_is_left_for_another(void)
{
    struct quire_mem *mem = machine_with_reserve();
    if (!mem)
        return;
    REQUIRE(!quire_cma_init(mem, &area, "a", 4 * BLOCK_BYTES, 4 * BLOCK_BYTES, 0));
    /* A pinned page at its beginning. */
    while (movable_alloc(MOVABLE | QUIRE_GFP_MEMALLOC, 0) >= 0)
        ;
    struct quire_page *pinned = quire_pfn_to_page(mem, quire_pfn(area.start.value + 5));
    quire_get_page(pinned);
    for (unsigned slot = 0; slot < MAX_MOVABLES; slot++)
        if (movables.block[slot].page && slot % 2 && movables.block[slot].page != pinned)
            movable_free(slot);
    struct quire_page *page = quire_cma_alloc(&area, 16, 0);
    CHECK(page && page->pfn > pinned->pfn);
    CHECK(page && quire_cma_release(&area, page, 16));
    /* An isolated pageblock is another operation's. */
    CHECK_EQ(mem->zones[0].nr_isolated_blocks, 0);
    CHECK(!quire_cma_alloc(&area, area.count, 0));
    quire_put_page(mem, pinned);
    page = quire_cma_alloc(&area, area.count, 0);
    CHECK(page && quire_cma_release(&area, page, area.count));
    movables_check();
    movables_free_all();
    machine_check_empty(mem);
}

static const struct test_case cases[] = {
    TEST_CASE(an_area_is_made_of_reserved_memory_only),
    TEST_CASE(an_area_serves_movable_allocations_until_its_owner_asks),
    TEST_CASE(what_cannot_move_never_gets_into_an_area),
    TEST_CASE(areas_are_allocated_by_their_granularity_and_alignment),
    TEST_CASE(a_busy_place_is_left_for_another),
    {0},
};
const struct test_suite suite_cma = {"cma", cases};
