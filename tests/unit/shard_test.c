/* tests/unit/shard_test.c: which shard gives memory, takes it back, and hands it over */
#include "tests/unit/shards.h"

static void a_zone_has_as_many_shards_as_fit(void)
{
    uint64_t largest = (uint64_t)LARGEST << QUIRE_PAGE_SHIFT;
    struct quire_mem *mem = machine_boot_plain((QUIRE_SHARD_BLOCKS + 1) * largest,
                                               (struct quire_mem_config){.nr_cpus = 8});
    if (!mem)
        return;
    CHECK_EQ(mem->zones[0].shard_mask, 0);
    mem = machine_boot_plain(5 * QUIRE_SHARD_BLOCKS * largest,
                             (struct quire_mem_config){.nr_cpus = 8});
    if (!mem)
        return;
    CHECK_EQ(mem->zones[0].shard_mask, 3);
    mem = machine_boot_plain(5 * QUIRE_SHARD_BLOCKS * largest,
                             (struct quire_mem_config){.nr_cpus = 3});
    if (!mem)
        return;
    CHECK_EQ(mem->zones[0].shard_mask, 1);
}

static void the_cpus_of_a_node_are_spread_over_its_shards(void)
{
    static const uint8_t cpu_node[4] = {0, 1, 0, 1};
    uint64_t half = 4 * QUIRE_SHARD_BLOCKS * (uint64_t)LARGEST << QUIRE_PAGE_SHIFT;
    struct quire_memblock_region map[] = {
        {.size = half}, {.base = half, .size = half, .node = 1}, {0}};
    struct quire_mem *mem = machine_boot(
        map, (struct quire_mem_config){.nr_cpus = 4,
                                       .cpu_node = cpu_node,
                                       .zone_end = {[QUIRE_ZONE_NORMAL] = UINT64_MAX}});
    if (!mem)
        return;
    for_each_zone (mem, zone) {
        if (!zone->shard_mask)
            continue;
        CHECK(home_shard(zone, 0) != home_shard(zone, 2));
        CHECK(home_shard(zone, 1) != home_shard(zone, 3));
        CHECK(home_shard(zone, QUIRE_MAX_CPUS) == &zone->shard[0]);
    }
}

static void each_shard_begins_with_a_run_of_the_zones_memory(void)
{
    struct zone *zone = shards_boot();
    if (!zone)
        return;
    unsigned long half = zone->managed / 2;
    for_each_shard (zone, shard)
        CHECK(shard->nr_free >= half - LARGEST && shard->nr_free <= half + LARGEST);
    unsigned index = 0;
    for (unsigned long pfn = zone->start; pfn < zone->end; pfn += LARGEST) {
        if (pfn_to_pageblock(zone->mem, pfn)->largest < MAX_ORDER)
            continue;
        CHECK(frame_shard(zone, pfn)->index >= index);
        index = frame_shard(zone, pfn)->index;
    }
    CHECK_EQ(index, 1);
    shards_end(zone);
}

static void memory_is_handed_over_by_who_has_most(void)
{
    uint64_t size = (uint64_t)(4 * QUIRE_SHARD_BLOCKS + 4) * LARGEST << QUIRE_PAGE_SHIFT;
    struct quire_mem *mem = machine_boot_plain(size, (struct quire_mem_config){.nr_cpus = 4});
    if (!mem)
        return;
    struct zone *zone = &mem->zones[0];
    struct shard *shard = zone->shard;
    REQUIRE(zone->shard_mask == 3);
    struct quire_page *large[2]; /* of CPUs 1 and 3: 2 keeps what it has */
    for (unsigned i = 0; i < 2; i++) {
        test_environment.set_cpu(2 * i + 1);
        large[i] = quire_alloc_pages(mem, QUIRE_GFP_HIGHUSER_MOVABLE, MAX_ORDER);
        CHECK(large[i]);
    }
    test_environment.set_cpu(0);
    struct quire_page *chain, *page;
    take_pages(QUIRE_GFP_HIGHUSER_MOVABLE, shard[0].nr_free, &chain);
    quire_drain_all_pages(mem);
    unsigned long before[4];
    for_each_shard (zone, other)
        before[other->index] = other->nr_free;
    page = quire_alloc_pages(mem, QUIRE_GFP_HIGHUSER_MOVABLE, MAX_ORDER);
    REQUIRE(page);
    CHECK_EQ(shard[1].nr_free, before[1]);
    CHECK_EQ(shard[2].nr_free, before[2] - LARGEST);
    CHECK_EQ(shard[3].nr_free, before[3]);
    quire_free_pages(mem, page, MAX_ORDER);
    for (unsigned i = 0; i < 2; i++)
        if (large[i])
            quire_free_pages(mem, large[i], MAX_ORDER);
    free_chain(chain);
    shards_end(zone);
}

static void a_cpu_is_handed_memory_that_stays_with_its_shard(void)
{
    struct zone *zone = shards_boot_in_the_first();
    if (!zone)
        return;
    struct shard *first = &zone->shard[0], *second = &zone->shard[1];
    test_environment.set_cpu(1);
    struct quire_page *page = quire_alloc_pages(zone->mem, QUIRE_GFP_KERNEL, MAX_ORDER - 1);
    REQUIRE(page);
    CHECK(frame_shard(zone, page->pfn) == second);
    quire_drain_pages(zone->mem, 1);
    CHECK_EQ(second->nr_free % LARGEST, LARGEST / 2);
    quire_free_pages(zone->mem, page, MAX_ORDER - 1);
    test_environment.set_cpu(0);
    quire_drain_all_pages(zone->mem);
    CHECK(second->nr_free >= LARGEST);
    CHECK_EQ(second->nr_free % LARGEST, 0);
    CHECK_EQ(first->nr_free, zone->managed - second->nr_free);
    shards_end(zone);
}

static void one_cpu_can_have_all_memory(void)
{
    for (unsigned cpu = 0; cpu < 2; cpu++) {
        struct zone *zone = shards_boot();
        if (!zone)
            return;
        struct quire_page *chain = shards_take_all(cpu);
        CHECK_EQ(zone_nr_free(zone), 0);
        shards_free_on(!cpu, chain);
        chain = shards_take_all(!cpu);
        CHECK_EQ(zone_nr_free(zone), 0);
        shards_free_on(!cpu, chain);
        shards_end(zone);
    }
}

/* Pages of two shards, shuffled: first the one's, then the other's, each once. */
static void gathered_are_the_pages_of_a_shard_and_no_others(void)
{
    enum { PAGES = 64 };
    struct zone *zone = shards_boot();
    if (!zone)
        return;
    struct quire_page *pages[PAGES];
    for (unsigned i = 0; i < PAGES; i++) {
        test_environment.set_cpu(i & 1);
        pages[i] = quire_alloc_pages(zone->mem, QUIRE_GFP_HIGHUSER_MOVABLE, 0);
        REQUIRE(pages[i]);
    }
    test_environment.set_cpu(0);
    for (unsigned count = 0; count <= PAGES; count++)
        for (unsigned index = 0; index < 2; index++) {
            struct shard *shard = &zone->shard[index];
            struct quire_page *some[PAGES];
            for (unsigned i = 0; i < count; i++) {
                unsigned other = (unsigned)test_random_below(i + 1);
                some[i] = some[other];
                some[other] = pages[i];
            }
            unsigned own = shard_gather(shard, some, count);
            CHECK(count < PAGES || (own > 0 && own < PAGES));
            for (unsigned i = 0; i < count; i++) {
                CHECK((frame_shard(zone, some[i]->pfn) == shard) == (i < own));
                quire_get_page(some[i]);
            }
            for (unsigned i = 0; i < count; i++) {
                CHECK_EQ(quire_page_count(pages[i]), 2);
                quire_put_page(zone->mem, pages[i]);
            }
        }
    for (unsigned i = 0; i < PAGES; i++)
        quire_free_page(zone->mem, pages[i]);
    shards_end(zone);
}

/* Two unmovable pages of two CPUs while `percent` of the zone is in use, movable all of it. Whether
 * they are in one pageblock. */
static bool unmovable_pages_meet(struct zone *zone, unsigned percent)
{
    struct quire_page *chain;
    take_pages(QUIRE_GFP_HIGHUSER_MOVABLE, zone->managed / 100 * percent, &chain);
    struct quire_page *unmovable = quire_alloc_page(zone->mem, QUIRE_GFP_KERNEL);
    test_environment.set_cpu(1);
    struct quire_page *other = quire_alloc_page(zone->mem, QUIRE_GFP_KERNEL);
    test_environment.set_cpu(0);
    bool meet = false;
    CHECK(unmovable && other);
    if (unmovable && other) {
        meet = unmovable->pfn >> PAGEBLOCK_ORDER == other->pfn >> PAGEBLOCK_ORDER;
        quire_free_page(zone->mem, unmovable);
        quire_free_page(zone->mem, other);
    }
    free_chain(chain);
    shards_end(zone);
    return meet;
}

/* Other types' pageblocks are left alone while another shard has memory of the right one. */
static void types_stay_apart_across_shards(void)
{
    struct zone *zone = shards_boot();
    if (zone && !zone->mem->no_mobility_grouping)
        CHECK(unmovable_pages_meet(zone, 80));
}

static void with_pageblocks_in_plenty_each_shard_has_its_own_of_a_type(void)
{
    for (unsigned dealt = 0; dealt < 2; dealt++) {
        struct zone *zone = dealt ? shards_boot() : shards_boot_in_the_first();
        if (zone && !zone->mem->no_mobility_grouping)
            CHECK(!unmovable_pages_meet(zone, 20));
    }
}

/* A block of MAX_ORDER that two nodes share is never free as one, so it stays where it is. */
static void a_block_that_two_zones_share_belongs_to_the_first_shards(void)
{
    if (PAGEBLOCK_ORDER == MAX_ORDER)
        return;
    uint64_t largest = (uint64_t)LARGEST << QUIRE_PAGE_SHIFT;
    uint64_t border = 2 * QUIRE_SHARD_BLOCKS * largest + largest / 2;
    struct quire_memblock_region map[] = {
        {.size = border}, {.base = border, .size = border - largest / 2, .node = 1}, {0}};
    struct quire_mem *mem = machine_boot(
        map,
        (struct quire_mem_config){.nr_cpus = 4, .zone_end = {[QUIRE_ZONE_NORMAL] = UINT64_MAX}});
    if (!mem)
        return;
    for (unsigned cpu = 0; cpu < 4; cpu++) {
        struct quire_page *chain = shards_take_all(cpu);
        CHECK_EQ(mem->shard_of[(border >> QUIRE_PAGE_SHIFT) / LARGEST], 0);
        shards_free_on((cpu + 1) % 4, chain);
        quire_mem_check(mem);
    }
    quire_drain_all_pages(mem);
    CHECK_EQ(quire_nr_free_pages(mem), quire_nr_managed_pages(mem));
}

static bool in_area(const struct quire_page *page, uint64_t base)
{
    return page->pfn - (base >> QUIRE_PAGE_SHIFT) < AREA_PAGES;
}

static void lent_memory_is_used_first_whichever_shard_has_it(void)
{
    uint64_t base;
    struct zone *zone = shards_boot_with_area(&base);
    if (!zone)
        return;
    struct quire_page *chain;
    unsigned long kept = zone_nr_free(zone) - 2 * AREA_PAGES + AREA_PAGES / 2;
    take_pages(QUIRE_GFP_KERNEL | QUIRE_GFP_MEMALLOC, kept, &chain);
    test_environment.set_cpu(1);
    quire_drain_all_pages(machine.mem);
    struct quire_page *page =
        quire_alloc_page(machine.mem, QUIRE_GFP_HIGHUSER_MOVABLE | QUIRE_GFP_MEMALLOC);
    REQUIRE(page);
    CHECK(in_area(page, base));
    quire_free_page(machine.mem, page);
    free_chain(chain);
    test_environment.set_cpu(0);
    shards_end(zone);
}

static void what_other_shards_have_of_the_type_comes_before_lent_memory(void)
{
    uint64_t base;
    struct zone *zone = shards_boot_with_area(&base);
    if (!zone)
        return;
    struct quire_page *chain;
    test_environment.set_cpu(1); /* which gets most of the memory, and gives it back */
    take_pages(QUIRE_GFP_HIGHUSER_MOVABLE, zone->managed * 3 / 4, &chain);
    free_chain(chain);
    quire_drain_all_pages(machine.mem);
    test_environment.set_cpu(0);
    take_pages(QUIRE_GFP_HIGHUSER_MOVABLE, zone->managed / 2, &chain);
    unsigned lent = 0;
    for (struct quire_page *page = chain; page; page = page->owner.pointer[0])
        lent += in_area(page, base);
    CHECK_EQ(lent, 0);
    free_chain(chain);
    shards_end(zone);
}

static void a_shard_with_large_blocks_doesnt_ask_for_others(void)
{
    struct zone *zone = shards_boot_in_the_first();
    if (!zone || zone->mem->no_mobility_grouping)
        return;
    test_environment.set_cpu(1);
    struct quire_page *page = quire_alloc_pages(zone->mem, QUIRE_GFP_HIGHUSER_MOVABLE, MAX_ORDER);
    REQUIRE(page);
    quire_free_pages(zone->mem, page, MAX_ORDER);
    test_environment.set_cpu(0);
    CHECK_EQ(zone->shard[1].nr_free, LARGEST);
    page = quire_alloc_page(zone->mem, QUIRE_GFP_KERNEL);
    CHECK_EQ(zone->shard[1].nr_free, LARGEST);
    if (page)
        quire_free_page(zone->mem, page);
    shards_end(zone);
}

static void the_reserve_for_atomic_allocations_is_the_whole_zones(void)
{
    struct zone *zone = shards_boot();
    if (!zone || zone->mem->no_mobility_grouping)
        return;
    struct quire_page *page = quire_alloc_pages(zone->mem, QUIRE_GFP_KERNEL, MAX_ORDER);
    REQUIRE(page);
    quire_free_pages(zone->mem, page, MAX_ORDER);
    struct shard *shard = frame_shard(zone, page->pfn);
    quire_port_irq_t irq = zone_lock(zone);
    pageblock_separate(shard, pfn_to_pageblock(zone->mem, page->pfn));
    CHECK(reserve_highatomic(zone, pfn_to_pageblock(zone->mem, page->pfn)));
    zone_unlock(zone, irq);
    CHECK_EQ(zone_free_special(zone, QUIRE_MIGRATE_HIGHATOMIC), PAGEBLOCK_PAGES);
    page = rmqueue_highatomic(zone, 3);
    REQUIRE(page);
    page_set_allocated(page, page_head_flags(zone, 3, PAGE_TYPE_SPECIAL));
    CHECK_EQ(zone_free_special(zone, QUIRE_MIGRATE_HIGHATOMIC), PAGEBLOCK_PAGES - 8);
    quire_free_pages(zone->mem, page, 3);
    irq = zone_lock(zone);
    CHECK(unreserve_highatomic(zone, true));
    CHECK(!unreserve_highatomic(zone, true));
    zone_unlock(zone, irq);
    shards_end(zone);
}

static const struct test_case cases[] = {
    TEST_CASE(a_zone_has_as_many_shards_as_fit),
    TEST_CASE(the_cpus_of_a_node_are_spread_over_its_shards),
    TEST_CASE(each_shard_begins_with_a_run_of_the_zones_memory),
    TEST_CASE(memory_is_handed_over_by_who_has_most),
    TEST_CASE(a_cpu_is_handed_memory_that_stays_with_its_shard),
    TEST_CASE(one_cpu_can_have_all_memory),
    TEST_CASE(gathered_are_the_pages_of_a_shard_and_no_others),
    TEST_CASE(types_stay_apart_across_shards),
    TEST_CASE(with_pageblocks_in_plenty_each_shard_has_its_own_of_a_type),
    TEST_CASE(a_block_that_two_zones_share_belongs_to_the_first_shards),
    TEST_CASE(lent_memory_is_used_first_whichever_shard_has_it),
    TEST_CASE(what_other_shards_have_of_the_type_comes_before_lent_memory),
    TEST_CASE(a_shard_with_large_blocks_doesnt_ask_for_others),
    TEST_CASE(the_reserve_for_atomic_allocations_is_the_whole_zones),
    {0},
};
const struct test_suite suite_shard = {"shard", cases};
