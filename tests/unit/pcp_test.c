/* tests/unit/pcp_test.c: per-CPU lists: who gets which page, how many they hold, how they empty */
#include "tests/unit/machine.h"

#include "phys/cleared.h"
#include "phys/internal.h"

/* What one CPU's list of order-0 pages holds at most: a CPU's share of 1/64 of the zone. Those of
 * orders 1 to 3 may be of twice `most` frames. */
static unsigned long list_cap(uint64_t size, unsigned cpus)
{
    unsigned long share = PAGES(size) / cpus / 64, most = 1ul << QUIRE_PCP_SHIFT;
    return share < most ? share : most;
}

static void the_page_freed_last_is_allocated_first(void)
{
    if (!machine_boot_plain(16 * MIB, (struct quire_mem_config){.nr_cpus = 1}))
        return;
    for (unsigned order = 0; order <= 1; order++) {
        struct quire_page *a = quire_alloc_pages(machine.mem, QUIRE_GFP_KERNEL, order);
        struct quire_page *b = quire_alloc_pages(machine.mem, QUIRE_GFP_KERNEL, order);
        REQUIRE(a && b && a != b);
        quire_free_pages(machine.mem, a, order);
        quire_free_pages(machine.mem, b, order);
        CHECK(quire_alloc_pages(machine.mem, QUIRE_GFP_KERNEL, order) == b);
        CHECK(quire_alloc_pages(machine.mem, QUIRE_GFP_KERNEL, order) == a);
    }
}

static void a_stream_of_allocations_ascends(void)
{
    if (!machine_boot_plain(16 * MIB, (struct quire_mem_config){.nr_cpus = 1}))
        return;
    struct quire_page *last = quire_alloc_page(machine.mem, QUIRE_GFP_KERNEL);
    for (unsigned i = 0; i < 5 && last; i++) {
        struct quire_page *page = quire_alloc_page(machine.mem, QUIRE_GFP_KERNEL);
        CHECK(page == last + 1);
        last = page;
    }
}

static void a_freed_page_stays_with_its_cpu_until_drained(void)
{
    if (!machine_boot_plain(16 * MIB, (struct quire_mem_config){.nr_cpus = 2}))
        return;
    struct quire_page *page = quire_alloc_page(machine.mem, QUIRE_GFP_KERNEL);
    REQUIRE(page);
    quire_free_page(machine.mem, page);
    test_environment.set_cpu(1);
    struct quire_page *chain;
    take_pages(QUIRE_GFP_KERNEL | QUIRE_GFP_MEMALLOC, ~0ul, &chain);
    for (struct quire_page *other = chain; other; other = other->owner.pointer[0])
        CHECK(other != page);
    CHECK(zone_info(0).nr_pcp > 0);
    quire_drain_pages(machine.mem, 0);
    CHECK_EQ(zone_info(0).nr_pcp, 0);
    struct quire_page *rest;
    bool found = false;
    take_pages(QUIRE_GFP_KERNEL | QUIRE_GFP_MEMALLOC, ~0ul, &rest);
    for (struct quire_page *other = rest; other; other = other->owner.pointer[0])
        found = found || other == page;
    CHECK(found);
    free_chain(chain);
    free_chain(rest);
    test_environment.set_cpu(0);
    quire_drain_all_pages(machine.mem);
    quire_mem_check(machine.mem);
}

static void a_page_freed_by_another_cpu_joins_that_ones_list(void)
{
    if (!machine_boot_plain(16 * MIB, (struct quire_mem_config){.nr_cpus = 2}))
        return;
    struct quire_page *page = quire_alloc_page(machine.mem, QUIRE_GFP_KERNEL);
    REQUIRE(page);
    test_environment.set_cpu(1);
    quire_free_page(machine.mem, page);
    CHECK(quire_alloc_page(machine.mem, QUIRE_GFP_KERNEL) == page);
    quire_free_page(machine.mem, page);
    test_environment.set_cpu(0);
    CHECK(quire_alloc_page(machine.mem, QUIRE_GFP_KERNEL) != page);
    quire_mem_check(machine.mem);
}

static void a_page_returns_to_the_list_of_the_type_it_was_allocated_as(void)
{
    if (!machine_boot_plain(32 * MIB, (struct quire_mem_config){.nr_cpus = 1}))
        return;
    const quire_gfp_t types[] = {0, QUIRE_GFP_MOVABLE, QUIRE_GFP_RECLAIMABLE};
    struct quire_page *page[3];
    for (unsigned i = 0; i < 3; i++)
        page[i] = quire_alloc_page(machine.mem, QUIRE_GFP_KERNEL | types[i]);
    for (unsigned i = 0; i < 3; i++)
        quire_free_page(machine.mem, page[i]);
    for (unsigned i = 0; i < 3; i++)
        CHECK(quire_alloc_page(machine.mem, QUIRE_GFP_KERNEL | types[i]) == page[i]);
}

/* ---- how much they hold ---------------------------------------------------------------------- */

static void a_list_never_holds_more_than_its_share(void)
{
    const uint64_t size = 32 * MIB;
    struct quire_page *chain;
    if (!machine_boot_plain(size, (struct quire_mem_config){.nr_cpus = 2}))
        return;
    unsigned long cap = list_cap(size, 2), most = 0;
    take_pages(QUIRE_GFP_KERNEL, 4000, &chain);
    quire_drain_all_pages(machine.mem);
    while (chain) {
        struct quire_page *next = chain->owner.pointer[0];
        quire_free_page(machine.mem, chain);
        unsigned long held = zone_info(0).nr_pcp;
        most = held > most ? held : most;
        chain = next;
    }
    CHECK(most <= cap);
    CHECK(most > cap / 2); /* it grew beyond where it starts */
    quire_mem_check(machine.mem);
}

/* Pages that the next allocation brings to an empty list. */
static unsigned long next_refill(struct quire_page **chain)
{
    while (zone_info(0).nr_pcp) {
        struct quire_page *page = quire_alloc_page(machine.mem, QUIRE_GFP_KERNEL);
        if (!page)
            return 0;
        page->owner.pointer[0] = *chain;
        *chain = page;
    }
    struct quire_page *page = quire_alloc_page(machine.mem, QUIRE_GFP_KERNEL);
    if (!page)
        return 0;
    page->owner.pointer[0] = *chain;
    *chain = page;
    return zone_info(0).nr_pcp + 1;
}

static void refills_grow_while_they_follow_each_other_and_shrink_after_a_drain(void)
{
    const uint64_t size = 64 * MIB;
    struct quire_page *chain = NULL;
    if (!machine_boot_plain(size, (struct quire_mem_config){.nr_cpus = 1}))
        return;
    unsigned long first = next_refill(&chain), last = first;
    for (unsigned i = 0; i < 6; i++) {
        unsigned long refill = next_refill(&chain);
        CHECK(refill >= last);
        CHECK(refill <= (list_cap(size, 1) + 1) / 2);
        last = refill;
    }
    CHECK(last > first);
    free_chain(chain); /* overflows the list */
    chain = NULL;
    CHECK_EQ(next_refill(&chain), first);
    free_chain(chain);
    quire_mem_check(machine.mem);
}

static void a_drained_list_starts_again_with_low_limits(void)
{
    const uint64_t size = 64 * MIB;
    struct quire_page *chain;
    if (!machine_boot_plain(size, (struct quire_mem_config){.nr_cpus = 1}))
        return;
    const struct pcp_list *list = &machine.mem->zones[0].pcp[0]->list[0];
    struct quire_page **start = list->limit;
    take_pages(QUIRE_GFP_KERNEL, 3000, &chain);
    free_chain(chain);
    CHECK(list->limit > start);
    CHECK(list->limit <= list->base + list->cap);
    quire_drain_all_pages(machine.mem);
    CHECK(list->limit == start);
    CHECK_EQ(zone_info(0).nr_pcp, 0);
}

/* The most blocks that one free drains, of a stream of more than 4 times the list's slots. */
static unsigned long largest_drain(const struct pcp_list *list, unsigned order)
{
    struct quire_page *chain = NULL;
    unsigned long most = 0;
    for (unsigned i = 0; i < 4u * list->cap; i++) {
        struct quire_page *page = quire_alloc_pages(machine.mem, QUIRE_GFP_KERNEL, order);
        if (!page)
            break;
        page->owner.pointer[0] = chain;
        chain = page;
    }
    while (chain) {
        struct quire_page *next = chain->owner.pointer[0];
        unsigned long before = (unsigned long)(list->top - list->base);
        quire_free_pages(machine.mem, chain, order);
        unsigned long drained = before + 1 - (unsigned long)(list->top - list->base);
        most = drained > most ? drained : most;
        chain = next;
    }
    return most;
}

static void a_stream_of_frees_leaves_an_eighth_of_a_full_list(void)
{
    if (!machine_boot_plain(128 * MIB, (struct quire_mem_config){.nr_cpus = 1}))
        return;
    for (unsigned order = 0; order < PCP_ORDERS; order++) {
        const struct pcp_list *list = &machine.mem->zones[0].pcp[0]->list[pcp_index(order, 0)];
        CHECK_EQ(largest_drain(list, order), list->cap - list->cap / 8u);
        quire_drain_all_pages(machine.mem);
    }
    quire_mem_check(machine.mem);
}

/* 1/16 of the zone for a CPU is less than a huge block in the small one. */
static void huge_blocks_are_listed_only_in_large_zones(void)
{
    const unsigned order = QUIRE_PAGEBLOCK_ORDER;
    for (unsigned large = 0; large < 2; large++) {
        uint64_t size = (large ? 64ull : 8ull) << QUIRE_PAGE_SHIFT << order;
        size += large ? 4 * MIB : 0;
        if (!machine_boot_plain(size, (struct quire_mem_config){.nr_cpus = 1}))
            return;
        struct quire_page *page = quire_alloc_pages(machine.mem, QUIRE_GFP_KERNEL, order);
        REQUIRE(page);
        quire_free_pages(machine.mem, page, order);
        unsigned long listed = zone_info(0).nr_pcp;
        CHECK(large ? listed && !(listed % QUIRE_PAGEBLOCK_PAGES) : !listed);
        CHECK(quire_alloc_pages(machine.mem, QUIRE_GFP_KERNEL, order) == page);
        quire_free_pages(machine.mem, page, order);
        quire_drain_all_pages(machine.mem);
        CHECK_EQ(zone_info(0).nr_pcp, 0);
        CHECK_EQ(zone_info(0).nr_free, quire_nr_managed_pages(machine.mem));
        quire_mem_check(machine.mem);
    }
}

/* ---- without them ---------------------------------------------------------------------------- */

static void use_a_few_pages(void)
{
    for (unsigned order = 0; order <= 4; order++) {
        struct quire_page *page = quire_alloc_pages(machine.mem, QUIRE_GFP_KERNEL, order);
        REQUIRE(page);
        CHECK_EQ(quire_page_count(page), 1);
        quire_free_pages(machine.mem, page, order);
        CHECK_EQ(zone_info(0).nr_pcp, 0);
        CHECK_EQ(zone_info(0).nr_free, quire_nr_managed_pages(machine.mem));
    }
    quire_mem_check(machine.mem);
}

static void threads_without_a_cpu_number_do_without(void)
{
    static const unsigned numbers[] = {2, 3, 1000, 0x7fffffff};
    for (unsigned i = 0; i < sizeof numbers / sizeof numbers[0]; i++) {
        if (!machine_boot_plain(16 * MIB, (struct quire_mem_config){.nr_cpus = 2}))
            return;
        test_environment.set_cpu(numbers[i]);
        use_a_few_pages();
        test_environment.set_cpu(0);
    }
}

static void a_machine_without_them_keeps_nothing_back(void)
{
    if (machine_boot_plain(16 * MIB, (struct quire_mem_config){.nr_cpus = 2, .no_pcp = true}))
        use_a_few_pages();
}

static void draining_a_cpu_that_doesnt_exist_does_nothing(void)
{
    if (!machine_boot_plain(16 * MIB, (struct quire_mem_config){.nr_cpus = 2}))
        return;
    struct quire_page *page = quire_alloc_page(machine.mem, QUIRE_GFP_KERNEL);
    REQUIRE(page);
    unsigned long held = zone_info(0).nr_pcp;
    CHECK(held);
    quire_drain_pages(machine.mem, 2);
    quire_drain_pages(machine.mem, ~0u);
    quire_drain_pages(machine.mem, 1);
    CHECK_EQ(zone_info(0).nr_pcp, held);
    quire_drain_pages(machine.mem, 0);
    CHECK_EQ(zone_info(0).nr_pcp, 0);
}

/* ---- pages that are known to be zero --------------------------------------------------------- */

#define CLEARED_GFP (QUIRE_GFP_KERNEL | QUIRE_GFP_ZERO)

/* What is written to it while it is free tells who clears it. */
static void a_page_known_to_be_zero_is_kept_for_who_wants_one(void)
{
    if (!machine_boot_plain(64 * MIB, (struct quire_mem_config){.nr_cpus = 1}))
        return;
    struct quire_page *page = alloc_cleared_page(machine.mem, CLEARED_GFP);
    REQUIRE(page);
    CHECK(page_is_cleared(machine.mem, page));
    free_cleared_page(machine.mem, page);
    CHECK(quire_alloc_page(machine.mem, QUIRE_GFP_KERNEL) != page);
    unsigned char *content = quire_page_address(machine.mem, page);
    content[QUIRE_PAGE_SIZE - 1] = 7;
    CHECK(alloc_cleared_page(machine.mem, CLEARED_GFP | QUIRE_GFP_MOVABLE) != page);
    CHECK(alloc_cleared_page(machine.mem, CLEARED_GFP) == page);
    CHECK_EQ(content[QUIRE_PAGE_SIZE - 1], 7);
    CHECK(!page_is_cleared(machine.mem, page));
    quire_free_page(machine.mem, page);
    CHECK(alloc_cleared_page(machine.mem, CLEARED_GFP) == page);
    CHECK(page_is_cleared(machine.mem, page));
}

/* The list's pages are unmovable ones of an ordinary pageblock. */
static void a_zeroed_page_of_another_type_goes_to_its_own_list(void)
{
    const quire_gfp_t other[] = {QUIRE_GFP_MOVABLE, QUIRE_GFP_RECLAIMABLE};
    if (!machine_boot_plain(64 * MIB, (struct quire_mem_config){.nr_cpus = 1}))
        return;
    const struct pcp_list *list = &machine.mem->zones[0].pcp[0]->list[PCP_CLEARED];
    for (unsigned i = 0; i < 2; i++) {
        struct quire_page *page = alloc_cleared_page(machine.mem, CLEARED_GFP | other[i]);
        REQUIRE(page);
        free_cleared_page(machine.mem, page);
        CHECK(list->top == list->base);
        CHECK(quire_alloc_page(machine.mem, QUIRE_GFP_KERNEL | other[i]) == page);
    }
}

static void cleared_pages_are_free_and_not_many(void)
{
    if (!machine_boot_plain(64 * MIB, (struct quire_mem_config){.nr_cpus = 1}))
        return;
    struct quire_page *page[64];
    unsigned long before = quire_nr_free_pages(machine.mem);
    for (unsigned i = 0; i < 64; i++)
        REQUIRE(page[i] = alloc_cleared_page(machine.mem, CLEARED_GFP));
    for (unsigned i = 0; i < 64; i++)
        free_cleared_page(machine.mem, page[i]);
    const struct zone *zone = &machine.mem->zones[0];
    const struct pcp_list *list = &zone->pcp[0]->list[PCP_CLEARED];
    CHECK_EQ(list->top - list->base, list->cap);
    CHECK(list->cap && list->cap < 64);
    CHECK_EQ(quire_nr_free_pages(machine.mem), before);
    CHECK_EQ(pcp_allocated_blocks(zone, 0) - pcp_freed_blocks(zone, 0), 0);
    quire_drain_all_pages(machine.mem);
    CHECK(list->top == list->base);
    CHECK_EQ(zone_info(0).nr_pcp, 0);
    CHECK_EQ(quire_nr_free_pages(machine.mem), before);
    quire_mem_check(machine.mem);
    /* Who finds no others gets them. */
    REQUIRE(page[0] = alloc_cleared_page(machine.mem, CLEARED_GFP));
    free_cleared_page(machine.mem, page[0]);
    struct quire_page *chain;
    CHECK(take_pages(QUIRE_GFP_KERNEL | QUIRE_GFP_MEMALLOC, ~0ul, &chain));
    CHECK_EQ(quire_nr_free_pages(machine.mem), 0);
    free_chain(chain);
}

static void a_cleared_page_that_is_shared_or_not_kept_is_freed_as_any(void)
{
    if (!machine_boot_plain(64 * MIB, (struct quire_mem_config){.nr_cpus = 1, .no_pcp = true}))
        return;
    unsigned long before = quire_nr_free_pages(machine.mem);
    struct quire_page *page = alloc_cleared_page(machine.mem, CLEARED_GFP);
    REQUIRE(page);
    quire_get_page(page);
    free_cleared_page(machine.mem, page);
    CHECK_EQ(quire_page_count(page), 1);
    CHECK_EQ(quire_nr_free_pages(machine.mem), before - 1);
    free_cleared_page(machine.mem, page);
    CHECK_EQ(quire_nr_free_pages(machine.mem), before);
    CHECK_EQ(zone_info(0).nr_pcp, 0);
    free_cleared_page(machine.mem, page);
    CHECK_EQ(machine.bad_pages, 1);
}

static const struct test_case cases[] = {
    TEST_CASE(the_page_freed_last_is_allocated_first),
    TEST_CASE(a_stream_of_allocations_ascends),
    TEST_CASE(a_freed_page_stays_with_its_cpu_until_drained),
    TEST_CASE(a_page_freed_by_another_cpu_joins_that_ones_list),
    TEST_CASE(a_page_returns_to_the_list_of_the_type_it_was_allocated_as),
    TEST_CASE(a_list_never_holds_more_than_its_share),
    TEST_CASE(refills_grow_while_they_follow_each_other_and_shrink_after_a_drain),
    TEST_CASE(a_drained_list_starts_again_with_low_limits),
    TEST_CASE(a_stream_of_frees_leaves_an_eighth_of_a_full_list),
    TEST_CASE(huge_blocks_are_listed_only_in_large_zones),
    TEST_CASE(threads_without_a_cpu_number_do_without),
    TEST_CASE(a_machine_without_them_keeps_nothing_back),
    TEST_CASE(draining_a_cpu_that_doesnt_exist_does_nothing),
    TEST_CASE(a_page_known_to_be_zero_is_kept_for_who_wants_one),
    TEST_CASE(a_zeroed_page_of_another_type_goes_to_its_own_list),
    TEST_CASE(cleared_pages_are_free_and_not_many),
    TEST_CASE(a_cleared_page_that_is_shared_or_not_kept_is_freed_as_any),
    {0},
};
const struct test_suite suite_pcp = {"pcp", cases};
