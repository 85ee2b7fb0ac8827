/* Isolated ranges and contiguous allocations. */
#include "phys/internal.h"
#include "tests/unit/movable.h"

#define MOVABLE QUIRE_GFP_HIGHUSER_MOVABLE

static struct quire_mem *small_machine(void)
{
    struct quire_mem *mem = machine_boot_plain(32 * MIB, (struct quire_mem_config){.nr_cpus = 2});
    if (mem)
        movables_init(mem);
    return mem;
}

static quire_pfn_t block_pfn(unsigned long number)
{
    return quire_pfn(number * PAGEBLOCK_PAGES);
}

static const quire_pfn_t beyond = {1ul << 20}; /* no frame of the machine */

static struct zone *zone_at(struct quire_mem *mem, unsigned long number)
{
    return &mem->zones[pfn_to_pageblock(mem, block_pfn(number).value)->zone];
}

static bool in_block(const struct quire_page *page, unsigned long number)
{
    return page->pfn >> PAGEBLOCK_ORDER == number;
}

/* ---- isolation ------------------------------------------------------------------------------- */

static void isolated_memory_is_not_allocated(void)
{
    struct quire_mem *mem = small_machine();
    if (!mem)
        return;
    unsigned long free_before = quire_nr_free_pages(mem);
    CHECK_EQ(quire_isolate_range(mem, block_pfn(2), block_pfn(5)), 0);
    quire_mem_check(mem);
    CHECK_EQ(quire_nr_free_pages(mem), free_before - 3 * PAGEBLOCK_PAGES);
    CHECK_EQ(zone_isolated_free(zone_at(mem, 2)), 3 * PAGEBLOCK_PAGES);
    while (movable_alloc(MOVABLE | QUIRE_GFP_MEMALLOC, 0) >= 0)
        ;
    for (unsigned slot = 0; slot < MAX_MOVABLES; slot++)
        if (movables.block[slot].page)
            CHECK(!in_block(movables.block[slot].page, 2) &&
                  !in_block(movables.block[slot].page, 4));
    quire_unisolate_range(mem, block_pfn(2), block_pfn(5), QUIRE_MIGRATE_MOVABLE);
    quire_mem_check(mem);
    CHECK_EQ(zone_nr_free(zone_at(mem, 2)), 3 * PAGEBLOCK_PAGES);
    movables_free_all();
    machine_check_empty(mem);
}

static void what_is_freed_while_isolated_stays_there(void)
{
    struct quire_mem *mem = small_machine();
    if (!mem)
        return;
    while (movable_alloc(MOVABLE | QUIRE_GFP_MEMALLOC, 0) >= 0)
        ;
    CHECK_EQ(quire_isolate_range(mem, block_pfn(3), block_pfn(4)), 0);
    CHECK_EQ(zone_isolated_free(zone_at(mem, 3)), 0);
    movables_free_all();
    CHECK_EQ(zone_isolated_free(zone_at(mem, 3)), PAGEBLOCK_PAGES);
    quire_mem_check(mem);
    /* It comes back as what the caller says. */
    quire_unisolate_range(mem, block_pfn(3), block_pfn(4), QUIRE_MIGRATE_RECLAIMABLE);
    CHECK_EQ(zone_isolated_free(zone_at(mem, 3)), 0);
    machine_check_empty(mem);
}

static void isolation_refuses_what_it_must(void)
{
    struct quire_mem *mem = small_machine();
    if (!mem)
        return;
    CHECK_EQ(quire_isolate_range(mem, block_pfn(2), block_pfn(2)), -QUIRE_EINVAL);
    CHECK(machine_heard("can't isolate [0x"));
    CHECK_EQ(quire_isolate_range(mem, quire_pfn(7), block_pfn(2)), -QUIRE_EINVAL);
    CHECK(machine_heard("it isn't whole pageblocks"));
    CHECK_EQ(quire_isolate_range(mem, block_pfn(2), beyond), -QUIRE_EINVAL);
    CHECK(machine_heard("not all memory of one zone"));
    CHECK_EQ(quire_isolate_range(mem, block_pfn(0), block_pfn(1)), -QUIRE_EBUSY); /* frame 0 */
    CHECK_EQ(quire_isolate_range(mem, block_pfn(5), block_pfn(6)), 0);
    CHECK_EQ(quire_isolate_range(mem, block_pfn(3), block_pfn(8)), -QUIRE_EBUSY);
    CHECK(!machine.log[0]); /* which is no mistake */
    CHECK_EQ(zone_isolated_free(zone_at(mem, 5)), PAGEBLOCK_PAGES);
    quire_mem_check(mem);
    quire_unisolate_range(mem, block_pfn(3), block_pfn(8), QUIRE_MIGRATE_MOVABLE);
    CHECK_EQ(zone_isolated_free(zone_at(mem, 5)), 0);
    struct quire_page *page = quire_alloc_pages(mem, QUIRE_GFP_KERNEL, 0);
    REQUIRE(page);
    unsigned long number = page->pfn >> PAGEBLOCK_ORDER;
    CHECK_EQ(quire_isolate_range(mem, block_pfn(number), block_pfn(number + 1)), -QUIRE_EBUSY);
    quire_free_page(mem, page);
    machine_check_empty(mem);
}

static void isolation_takes_a_pageblock_from_the_atomic_reserve(void)
{
    struct quire_mem *mem = small_machine();
    if (!mem)
        return;
    struct zone *zone = zone_at(mem, 2);
    quire_port_irq_t irq = zone_lock(zone);
    reserve_highatomic(zone, pfn_to_pageblock(mem, block_pfn(6).value));
    zone_unlock(zone, irq);
    CHECK_EQ(zone->nr_reserved_highatomic, PAGEBLOCK_PAGES);
    CHECK_EQ(quire_isolate_range(mem, block_pfn(6), block_pfn(7)), 0);
    CHECK_EQ(zone->nr_reserved_highatomic, 0);
    quire_mem_check(mem);
    quire_unisolate_range(mem, block_pfn(6), block_pfn(7), QUIRE_MIGRATE_MOVABLE);
    machine_check_empty(mem);
}

/* ---- contiguous ranges ----------------------------------------------------------------------- */

static void a_free_range_is_taken_frame_by_frame(void)
{
    struct quire_mem *mem = small_machine();
    if (!mem)
        return;
    unsigned long free_before = quire_nr_free_pages(mem);
    quire_pfn_t start = quire_pfn(3 * PAGEBLOCK_PAGES + 17), end = quire_pfn(start.value + 777);
    CHECK_EQ(quire_alloc_contig_range(mem, start, end, QUIRE_MIGRATE_UNMOVABLE, QUIRE_GFP_KERNEL),
             0);
    quire_drain_all_pages(mem);
    quire_mem_check(mem);
    CHECK_EQ(quire_nr_free_pages(mem), free_before - 777);
    for (unsigned long pfn = start.value; pfn < end.value; pfn++) {
        struct quire_page *page = quire_pfn_to_page(mem, quire_pfn(pfn));
        CHECK_EQ(quire_page_count(page), 1);
        CHECK_EQ(quire_page_order(page), 0);
    }
    CHECK_EQ(quire_alloc_contig_range(mem, start, end, QUIRE_MIGRATE_UNMOVABLE, QUIRE_GFP_KERNEL),
             -QUIRE_EBUSY);
    /* One by one, or as a range. */
    quire_free_page(mem, quire_pfn_to_page(mem, start));
    quire_free_contig_range(mem, quire_pfn(start.value + 1), 776);
    CHECK_EQ(quire_nr_free_pages(mem), free_before);
    machine_check_empty(mem);
}

static void a_used_range_is_emptied_by_moving(void)
{
    struct quire_mem *mem = small_machine();
    if (!mem)
        return;
    while (movable_alloc(MOVABLE, test_random_below(6)) >= 0)
        ;
    for (unsigned slot = 0; slot < MAX_MOVABLES; slot++)
        if (movables.block[slot].page && test_random_below(2))
            movable_free(slot);
    movables.refuse = 8;
    movables.fail = 8;
    quire_pfn_t start = quire_pfn(2 * PAGEBLOCK_PAGES + 3), end = quire_pfn(start.value + 2000);
    int error = quire_alloc_contig_range(mem, start, end, QUIRE_MIGRATE_MOVABLE,
                                         QUIRE_GFP_KERNEL | QUIRE_GFP_ZERO);
    CHECK_EQ(error, 0);
    CHECK(movables.moves > 0);
    for (unsigned slot = 0; slot < MAX_MOVABLES; slot++) {
        const struct movable *block = &movables.block[slot];
        if (block->page)
            CHECK(block->page->pfn + (1ul << block->order) <= start.value ||
                  block->page->pfn >= end.value);
    }
    for (unsigned long pfn = start.value; !error && pfn < end.value; pfn++) {
        const char *content =
            quire_port_phys_to_virt(&machine.port, quire_pfn_to_phys(quire_pfn(pfn)));
        CHECK(!content[0] && !content[QUIRE_PAGE_SIZE - 1]);
    }
    quire_mem_check(mem);
    movables_check();
    if (!error)
        quire_free_contig_range(mem, start, 2000);
    movables_free_all();
    machine_check_empty(mem);
}

static void a_range_that_cannot_be_had_is_left_as_it_was(void)
{
    struct quire_mem *mem = small_machine();
    if (!mem)
        return;
    for (unsigned i = 0; i < 3000; i++)
        movable_alloc(MOVABLE, 0);
    struct quire_page *pinned = movables.block[1500].page;
    quire_get_page(pinned);
    unsigned long number = pinned->pfn >> PAGEBLOCK_ORDER, free_before = quire_nr_free_pages(mem);
    CHECK_EQ(quire_alloc_contig_range(mem, block_pfn(number), block_pfn(number + 1),
                                      QUIRE_MIGRATE_MOVABLE, QUIRE_GFP_KERNEL),
             -QUIRE_EBUSY);
    CHECK_EQ(quire_nr_free_pages(mem), free_before);
    CHECK_EQ(zone_at(mem, number)->nr_isolated_blocks, 0);
    CHECK_EQ(zone_at(mem, number)->pcp_closed, 0);
    quire_mem_check(mem);
    movables_check();
    /* All the rest of the machine taken: no place to move to. */
    quire_put_page(mem, pinned);
    while (movable_alloc(MOVABLE | QUIRE_GFP_MEMALLOC, 0) >= 0)
        ;
    CHECK_EQ(quire_alloc_contig_range(mem, block_pfn(4), block_pfn(5), QUIRE_MIGRATE_MOVABLE,
                                      QUIRE_GFP_KERNEL),
             -QUIRE_ENOMEM);
    movables_check();
    CHECK_EQ(quire_alloc_contig_range(mem, block_pfn(5), block_pfn(5), QUIRE_MIGRATE_MOVABLE, 0),
             -QUIRE_EINVAL);
    CHECK(machine_heard("can't allocate [0x"));
    CHECK_EQ(quire_alloc_contig_range(mem, block_pfn(5), beyond, QUIRE_MIGRATE_MOVABLE, 0),
             -QUIRE_EINVAL);
    CHECK_EQ(quire_alloc_contig_range(mem, block_pfn(5), block_pfn(6), QUIRE_MIGRATE_ISOLATE, 0),
             -QUIRE_EINVAL);
    CHECK(machine_heard("nothing is allocated for this migrate type"));
    CHECK_EQ(quire_isolate_range(mem, block_pfn(5), block_pfn(6)), 0);
    CHECK_EQ(quire_alloc_contig_range(mem, block_pfn(5), block_pfn(6), QUIRE_MIGRATE_MOVABLE, 0),
             -QUIRE_EBUSY);
    quire_unisolate_range(mem, block_pfn(5), block_pfn(6), QUIRE_MIGRATE_MOVABLE);
    movables_free_all();
    machine_check_empty(mem);
}

static void a_huge_block_that_reaches_into_the_range_moves_as_a_whole(void)
{
    struct quire_mem *mem = small_machine();
    if (!mem)
        return;
    int slot = movable_alloc(MOVABLE | QUIRE_GFP_COMP, MAX_ORDER);
    REQUIRE(slot >= 0);
    unsigned long pfn = movables.block[slot].page->pfn + (1ul << MAX_ORDER) - 10;
    CHECK_EQ(quire_alloc_contig_range(mem, quire_pfn(pfn), quire_pfn(pfn + 5),
                                      QUIRE_MIGRATE_MOVABLE, QUIRE_GFP_KERNEL),
             0);
    CHECK_EQ(movables.moves, 1);
    CHECK(quire_page_is_compound(movables.block[slot].page));
    quire_free_contig_range(mem, quire_pfn(pfn), 5);
    movables_free_all();
    machine_check_empty(mem);
}

static void contiguous_pages_are_found_around_what_is_in_the_way(void)
{
    struct quire_mem *mem = small_machine();
    if (!mem)
        return;
    /* Something unmovable in every fourth pageblock, movable pages all over. */
    for (unsigned long i = 3; i < 8192 / PAGEBLOCK_PAGES - 1; i += 4)
        CHECK_EQ(quire_alloc_contig_range(mem, quire_pfn(block_pfn(i).value + 5),
                                          quire_pfn(block_pfn(i).value + 6),
                                          QUIRE_MIGRATE_UNMOVABLE, QUIRE_GFP_KERNEL),
                 0);
    for (unsigned i = 0; i < 2000; i++)
        movable_alloc(MOVABLE, 0);
    struct quire_page *page =
        quire_alloc_contig_pages(mem, 3 * PAGEBLOCK_PAGES, 256, QUIRE_GFP_KERNEL, -1);
    CHECK(page);
    if (page) {
        CHECK_EQ(page->pfn % 256, 0);
        quire_free_contig_range(mem, quire_page_to_pfn(page), 3 * PAGEBLOCK_PAGES);
    }
    CHECK(!quire_alloc_contig_pages(mem, 5 * PAGEBLOCK_PAGES, 1, QUIRE_GFP_KERNEL, -1));
    CHECK(!quire_alloc_contig_pages(mem, 0, 1, QUIRE_GFP_KERNEL, -1));
    CHECK(!quire_alloc_contig_pages(mem, 8, 3, QUIRE_GFP_KERNEL, -1));
    CHECK(!quire_alloc_contig_pages(mem, 8, 1, QUIRE_GFP_KERNEL, 7));
    CHECK(!quire_alloc_contig_pages(mem, ~0ul, 1, QUIRE_GFP_KERNEL, 0));
    movables_check();
    for (unsigned long i = 3; i < 8192 / PAGEBLOCK_PAGES - 1; i += 4)
        quire_free_contig_range(mem, quire_pfn(block_pfn(i).value + 5), 1);
    movables_free_all();
    machine_check_empty(mem);
}

static void a_range_with_a_hole_cannot_be_had(void)
{
    static const struct quire_memblock_region map[] = {
        {.size = 20 * MIB}, {.base = 20 * MIB + 16 * QUIRE_PAGE_SIZE, .size = 12 * MIB}, {0}};
    struct quire_mem_config config = {.zone_end = {[QUIRE_ZONE_NORMAL] = UINT64_MAX}, .nr_cpus = 2};
    struct quire_mem *mem = machine_boot(map, config);
    if (!mem)
        return;
    unsigned long hole = PAGES(20 * MIB), count = PAGES(9 * MIB);
    CHECK_EQ(quire_alloc_contig_range(mem, quire_pfn(hole - 8), quire_pfn(hole + 24),
                                      QUIRE_MIGRATE_MOVABLE, QUIRE_GFP_KERNEL),
             -QUIRE_EINVAL);
    CHECK(machine_heard("it has a hole of the memory map"));
    /* The search goes around it. */
    struct quire_page *first = quire_alloc_contig_pages(mem, count, 1, QUIRE_GFP_KERNEL, 0);
    struct quire_page *second = quire_alloc_contig_pages(mem, count, 1, QUIRE_GFP_KERNEL, 0);
    REQUIRE(first && second);
    CHECK(!machine.log[0]);
    CHECK(first->pfn + count <= hole || first->pfn >= hole + 16);
    CHECK(second->pfn + count <= hole || second->pfn >= hole + 16);
    quire_free_contig_range(mem, quire_page_to_pfn(first), count);
    quire_free_contig_range(mem, quire_page_to_pfn(second), count);
    quire_free_contig_range(mem, beyond, 1);
    CHECK(machine_caught("doesn't exist"));
    machine_check_empty(mem);
}

/* ---- at random ------------------------------------------------------------------------------- */

#define RANGES 4

static void random_ranges_among_allocations_lose_nothing(void)
{
    struct quire_mem *mem = small_machine();
    if (!mem)
        return;
    movables.refuse = 20;
    movables.fail = 20;
    struct range {
        unsigned long start, count;
        bool isolated;
    } ranges[RANGES] = {{0}};
    unsigned had = 0;
    for (uint64_t i = 0; i < test_environment.effort / 20; i++) {
        test_environment.set_cpu(test_random_below(2));
        unsigned slot = test_random_below(MAX_MOVABLES);
        if (movables.block[slot].page)
            movable_free(slot);
        else if (!test_random_below(3))
            movable_alloc(test_random_below(16) ? MOVABLE : QUIRE_GFP_KERNEL, test_random_below(4));
        if (test_random_below(300))
            continue;
        struct range *range = &ranges[test_random_below(RANGES)];
        if (range->count && range->isolated)
            quire_unisolate_range(mem, quire_pfn(range->start),
                                  quire_pfn(range->start + range->count), QUIRE_MIGRATE_MOVABLE);
        else if (range->count)
            quire_free_contig_range(mem, quire_pfn(range->start), range->count);
        *range = (struct range){test_random_below(7000), 1 + test_random_below(1200),
                                !test_random_below(3)};
        if (range->isolated) {
            range->start &= ~(PAGEBLOCK_PAGES - 1);
            range->count = PAGEBLOCK_PAGES * (1 + test_random_below(2));
        }
        quire_pfn_t start = quire_pfn(range->start), end = quire_pfn(start.value + range->count);
        int error = range->isolated ? quire_isolate_range(mem, start, end)
                                    : quire_alloc_contig_range(
                                          mem, start, end, QUIRE_MIGRATE_MOVABLE, QUIRE_GFP_KERNEL);
        had += !error;
        if (error)
            range->count = 0;
        if (!test_random_below(4))
            quire_compact(mem, -1, (int)test_random_below(MAX_ORDER + 2) - 1);
        if (!test_random_below(8)) {
            movables_check();
            quire_mem_check(mem);
        }
    }
    CHECK(had || test_environment.effort < 100000);
    for (unsigned i = 0; i < RANGES; i++)
        if (ranges[i].count && ranges[i].isolated)
            quire_unisolate_range(mem, quire_pfn(ranges[i].start),
                                  quire_pfn(ranges[i].start + ranges[i].count),
                                  QUIRE_MIGRATE_MOVABLE);
        else if (ranges[i].count)
            quire_free_contig_range(mem, quire_pfn(ranges[i].start), ranges[i].count);
    movables_free_all();
    machine_check_empty(mem);
}

static const struct test_case cases[] = {
    TEST_CASE(isolated_memory_is_not_allocated),
    TEST_CASE(what_is_freed_while_isolated_stays_there),
    TEST_CASE(isolation_refuses_what_it_must),
    TEST_CASE(isolation_takes_a_pageblock_from_the_atomic_reserve),
    TEST_CASE(a_free_range_is_taken_frame_by_frame),
    TEST_CASE(a_used_range_is_emptied_by_moving),
    TEST_CASE(a_range_that_cannot_be_had_is_left_as_it_was),
    TEST_CASE(a_huge_block_that_reaches_into_the_range_moves_as_a_whole),
    TEST_CASE(contiguous_pages_are_found_around_what_is_in_the_way),
    TEST_CASE(a_range_with_a_hole_cannot_be_had),
    TEST_CASE(random_ranges_among_allocations_lose_nothing),
    {0},
};
const struct test_suite suite_contig = {"contig", cases};
