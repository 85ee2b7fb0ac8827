/* tests/unit/fallback_test.c: what an allocation takes when its own migrate type has nothing */
#include "tests/unit/machine.h"

#define UNMOVABLE QUIRE_GFP_KERNEL
#define MOVABLE (QUIRE_GFP_KERNEL | QUIRE_GFP_MOVABLE)
#define RECLAIMABLE (QUIRE_GFP_KERNEL | QUIRE_GFP_RECLAIMABLE)

/* Large enough to group: at least a pageblock for each migrate type. */
static struct quire_mem *boot(bool grouping)
{
    return machine_boot_plain(32 * MIB,
                              (struct quire_mem_config){.nr_cpus = 1,
                                                        .no_pcp = true,
                                                        .min_free_kbytes = KBYTES(128),
                                                        .no_mobility_grouping = !grouping});
}

static enum quire_migratetype type_at(const struct quire_page *page)
{
    return quire_pageblock_migratetype(machine.mem, page);
}

/* ---- claiming -------------------------------------------------------------------------------- */

static void an_allocation_of_another_kind_claims_a_free_pageblock(void)
{
    if (!boot(true))
        return;
    struct quire_page *movable = quire_alloc_page(machine.mem, MOVABLE);
    struct quire_page *unmovable = quire_alloc_page(machine.mem, UNMOVABLE);
    struct quire_page *reclaimable = quire_alloc_page(machine.mem, RECLAIMABLE);
    REQUIRE(movable && unmovable && reclaimable);
    CHECK_EQ(type_at(movable), QUIRE_MIGRATE_MOVABLE);
    CHECK_EQ(type_at(unmovable), QUIRE_MIGRATE_UNMOVABLE);
    CHECK_EQ(type_at(reclaimable), QUIRE_MIGRATE_RECLAIMABLE);
    quire_mem_check(machine.mem);
}

static void kinds_stay_apart_while_there_is_room(void)
{
    const unsigned rounds = 1500;
    static const quire_gfp_t kinds[] = {UNMOVABLE, MOVABLE, RECLAIMABLE};
    static const enum quire_migratetype types[] = {QUIRE_MIGRATE_UNMOVABLE, QUIRE_MIGRATE_MOVABLE,
                                                   QUIRE_MIGRATE_RECLAIMABLE};
    if (!boot(true))
        return;
    for (unsigned i = 0; i < rounds; i++)
        for (unsigned kind = 0; kind < 3; kind++) {
            struct quire_page *page = quire_alloc_page(machine.mem, kinds[kind]);
            REQUIRE(page);
            REQUIRE(type_at(page) == types[kind]);
        }
}

static void a_block_above_a_pageblock_claims_all_of_them(void)
{
    if (!boot(true))
        return;
    struct quire_page *page = quire_alloc_pages(machine.mem, UNMOVABLE, QUIRE_MAX_ORDER);
    REQUIRE(page);
    for (unsigned long i = 0; i < 1ul << QUIRE_MAX_ORDER; i += QUIRE_PAGEBLOCK_PAGES)
        CHECK_EQ(type_at(page + i), QUIRE_MIGRATE_UNMOVABLE);
    quire_free_pages(machine.mem, page, QUIRE_MAX_ORDER);
    quire_mem_check(machine.mem);
}

/* ---- when there is no room ------------------------------------------------------------------- */

/* Fills memory with movable pages, of which one in `keep` stays. */
static struct quire_page *fill_with_movable(unsigned keep)
{
    struct quire_page *chain, *kept = NULL, *next;
    unsigned i = 0;
    take_pages(MOVABLE, ~0ul, &chain);
    for (struct quire_page *page = chain; page; page = next) {
        next = page->owner.pointer[0];
        if (i++ % keep) {
            quire_free_page(machine.mem, page);
        } else {
            page->owner.pointer[0] = kept;
            kept = page;
        }
    }
    return kept;
}

static void a_mostly_free_pageblock_is_claimed(void)
{
    if (!boot(true))
        return;
    struct quire_page *kept = fill_with_movable(4);
    struct quire_page *page = quire_alloc_page(machine.mem, UNMOVABLE);
    REQUIRE(page);
    CHECK_EQ(type_at(page), QUIRE_MIGRATE_UNMOVABLE);
    /* What follows finds room there. */
    struct quire_page *next = quire_alloc_page(machine.mem, UNMOVABLE);
    REQUIRE(next);
    CHECK_EQ(next->pfn / QUIRE_PAGEBLOCK_PAGES, page->pfn / QUIRE_PAGEBLOCK_PAGES);
    free_chain(kept);
    quire_mem_check(machine.mem);
}

static void of_a_mostly_used_pageblock_one_block_is_stolen(void)
{
    struct quire_page *chain;
    if (!boot(true))
        return;
    take_pages(MOVABLE | QUIRE_GFP_MEMALLOC, ~0ul, &chain);
    for (struct quire_page *next; chain; chain = next) {
        next = chain->owner.pointer[0];
        if (chain->pfn % QUIRE_PAGEBLOCK_PAGES == 7)
            quire_free_page(machine.mem, chain);
    }
    struct quire_page *page;
    unsigned from_movable = 0;
    while (
        (page = quire_alloc_page(machine.mem, UNMOVABLE | QUIRE_GFP_MEMALLOC | QUIRE_GFP_NOWARN)))
        if (type_at(page) == QUIRE_MIGRATE_MOVABLE) {
            CHECK_EQ(page->pfn % QUIRE_PAGEBLOCK_PAGES, 7);
            from_movable++;
        }
    CHECK(from_movable > 3);
    quire_mem_check(machine.mem);
}

static void unmovable_takes_from_reclaimable_before_movable(void)
{
    if (!boot(true))
        return;
    struct quire_page *reclaimable = quire_alloc_pages(machine.mem, RECLAIMABLE, 4);
    REQUIRE(reclaimable);
    struct quire_page *page = quire_alloc_pages(machine.mem, MOVABLE, QUIRE_PAGEBLOCK_ORDER);
    while (page) /* whole pageblocks run out */
        page = quire_alloc_pages(machine.mem, MOVABLE | QUIRE_GFP_MEMALLOC | QUIRE_GFP_NOWARN,
                                 QUIRE_PAGEBLOCK_ORDER);
    page = quire_alloc_pages(machine.mem, UNMOVABLE | QUIRE_GFP_MEMALLOC, 4);
    REQUIRE(page);
    CHECK_EQ(page->pfn / QUIRE_PAGEBLOCK_PAGES, reclaimable->pfn / QUIRE_PAGEBLOCK_PAGES);
    CHECK_EQ(type_at(page), QUIRE_MIGRATE_UNMOVABLE); /* mostly free: claimed */
    quire_mem_check(machine.mem);
}

static void single_movable_pages_dont_claim_unmovable_pageblocks(void)
{
    if (!boot(true))
        return;
    struct quire_page *unmovable;
    take_pages(UNMOVABLE | QUIRE_GFP_MEMALLOC, ~0ul, &unmovable);
    struct quire_page *freed = NULL, *next;
    for (struct quire_page *page = unmovable; page; page = next) {
        next = page->owner.pointer[0];
        if (page->pfn % 16 == 3) {
            quire_free_page(machine.mem, page);
            freed = page;
        }
    }
    REQUIRE(freed);
    struct quire_page *page = quire_alloc_page(machine.mem, MOVABLE | QUIRE_GFP_MEMALLOC);
    REQUIRE(page);
    CHECK_EQ(page->pfn % 16, 3);
    CHECK_EQ(type_at(page), QUIRE_MIGRATE_UNMOVABLE);
    quire_mem_check(machine.mem);
}

/* ---- without grouping ------------------------------------------------------------------------ */

static void without_grouping_all_is_one_type(void)
{
    if (!boot(false))
        return;
    struct quire_page *last = NULL;
    static const quire_gfp_t kinds[] = {UNMOVABLE, MOVABLE, RECLAIMABLE};
    for (unsigned i = 0; i < 30; i++) {
        struct quire_page *page = quire_alloc_page(machine.mem, kinds[i % 3]);
        REQUIRE(page);
        CHECK_EQ(type_at(page), QUIRE_MIGRATE_UNMOVABLE);
        CHECK(!last || page->pfn / QUIRE_PAGEBLOCK_PAGES == last->pfn / QUIRE_PAGEBLOCK_PAGES);
        last = page;
    }
    quire_mem_check(machine.mem);
}

static void a_small_machine_doesnt_group(void)
{
    const uint64_t least = (QUIRE_PAGE_SIZE << QUIRE_PAGEBLOCK_ORDER) * QUIRE_NR_MIGRATETYPES;
    for (unsigned small = 0; small < 2; small++) {
        uint64_t size = least - small * QUIRE_PAGE_SIZE;
        if (!machine_boot_plain(size, (struct quire_mem_config){.nr_cpus = 1}))
            return;
        struct quire_page *page = quire_alloc_page(machine.mem, MOVABLE);
        REQUIRE(page);
        CHECK_EQ(type_at(page), small ? QUIRE_MIGRATE_UNMOVABLE : QUIRE_MIGRATE_MOVABLE);
    }
}

/* ---- the reserve for atomic allocations of higher orders ------------------------------------- */

#define ATOMIC (QUIRE_GFP_ATOMIC | QUIRE_GFP_NOWARN)

/* Memory is taken down to the min mark; then an atomic block of order 2 makes the reserve. */
static struct quire_page *make_reserve(struct quire_page **chain)
{
    take_pages(UNMOVABLE, ~0ul, chain);
    CHECK_EQ(zone_info(0).nr_reserved_highatomic, 0);
    return quire_alloc_pages(machine.mem, ATOMIC, 2);
}

static void atomic_requests_make_a_reserve_of_a_pageblock(void)
{
    struct quire_page *chain;
    if (!boot(true))
        return;
    struct quire_page *page = make_reserve(&chain);
    REQUIRE(page);
    CHECK_EQ(zone_info(0).nr_reserved_highatomic, QUIRE_PAGEBLOCK_PAGES);
    CHECK_EQ(type_at(page), QUIRE_MIGRATE_HIGHATOMIC);
    quire_mem_check(machine.mem);
    /* One hundredth of the zone and a pageblock: where those are large, one is all. */
    while (quire_alloc_pages(machine.mem, ATOMIC, 2))
        ;
    unsigned long most = zone_info(0).managed / 100 + QUIRE_PAGEBLOCK_PAGES;
    CHECK_EQ(zone_info(0).nr_reserved_highatomic, most - most % QUIRE_PAGEBLOCK_PAGES);
    quire_free_pages(machine.mem, page, 2);
    free_chain(chain);
    quire_mem_check(machine.mem);
}

static void the_reserve_serves_only_atomic_requests(void)
{
    struct quire_page *chain, *rest;
    if (!boot(true))
        return;
    struct quire_page *page = make_reserve(&chain);
    REQUIRE(page);
    /* More comes free, all of it in the reserve. */
    unsigned long pageblock = page->pfn / QUIRE_PAGEBLOCK_PAGES;
    struct quire_page *kept = NULL, *next;
    unsigned long before = zone_info(0).nr_free;
    for (struct quire_page *at = chain; at; at = next) {
        next = at->owner.pointer[0];
        if (at->pfn / QUIRE_PAGEBLOCK_PAGES == pageblock) {
            quire_free_page(machine.mem, at);
        } else {
            at->owner.pointer[0] = kept;
            kept = at;
        }
    }
    CHECK(QUIRE_PAGEBLOCK_ORDER < 9 || zone_info(0).nr_free > before + 200);
    CHECK_EQ(take_pages(QUIRE_GFP_NOWAIT, ~0ul, &rest), 0);
    struct quire_page *served = quire_alloc_pages(machine.mem, ATOMIC, 3);
    REQUIRE(served);
    CHECK_EQ(served->pfn / QUIRE_PAGEBLOCK_PAGES, pageblock);
    /* Its pages go back to the zone at once. */
    before = zone_info(0).nr_free;
    quire_free_pages(machine.mem, served, 3);
    CHECK_EQ(zone_info(0).nr_free, before + 8);
    quire_free_pages(machine.mem, page, 2);
    free_chain(kept);
    quire_mem_check(machine.mem);
}

static void the_reserve_is_given_up_before_a_sleeper_fails(void)
{
    struct quire_page *chain, *rest;
    if (!boot(true))
        return;
    struct quire_page *page = make_reserve(&chain);
    REQUIRE(page);
    CHECK_EQ(take_pages(QUIRE_GFP_NOWAIT, ~0ul, &rest), 0);
    CHECK_EQ(zone_info(0).nr_reserved_highatomic, QUIRE_PAGEBLOCK_PAGES);
    take_pages(UNMOVABLE, ~0ul, &rest);
    CHECK_EQ(zone_info(0).nr_reserved_highatomic, 0);
    CHECK_EQ(zone_info(0).nr_free, zone_info(0).watermark_min - 4);
    quire_free_pages(machine.mem, page, 2);
    free_chain(rest);
    free_chain(chain);
    quire_mem_check(machine.mem);
    CHECK_EQ(quire_nr_free_pages(machine.mem), quire_nr_managed_pages(machine.mem));
}

static void memalloc_takes_the_reserve_last(void)
{
    struct quire_page *chain, *rest;
    if (!boot(true))
        return;
    struct quire_page *page = make_reserve(&chain);
    REQUIRE(page);
    take_pages(QUIRE_GFP_NOWAIT | QUIRE_GFP_MEMALLOC, ~0ul, &rest);
    CHECK_EQ(zone_info(0).nr_free, 0);
    CHECK_EQ(zone_info(0).nr_reserved_highatomic, QUIRE_PAGEBLOCK_PAGES);
    free_chain(rest);
    free_chain(chain);
    quire_free_pages(machine.mem, page, 2);
    quire_mem_check(machine.mem);
}

static const struct test_case cases[] = {
    TEST_CASE(an_allocation_of_another_kind_claims_a_free_pageblock),
    TEST_CASE(kinds_stay_apart_while_there_is_room),
    TEST_CASE(a_block_above_a_pageblock_claims_all_of_them),
    TEST_CASE(a_mostly_free_pageblock_is_claimed),
    TEST_CASE(of_a_mostly_used_pageblock_one_block_is_stolen),
    TEST_CASE(unmovable_takes_from_reclaimable_before_movable),
    TEST_CASE(single_movable_pages_dont_claim_unmovable_pageblocks),
    TEST_CASE(without_grouping_all_is_one_type),
    TEST_CASE(a_small_machine_doesnt_group),
    TEST_CASE(atomic_requests_make_a_reserve_of_a_pageblock),
    TEST_CASE(the_reserve_serves_only_atomic_requests),
    TEST_CASE(the_reserve_is_given_up_before_a_sleeper_fails),
    TEST_CASE(memalloc_takes_the_reserve_last),
    {0},
};
const struct test_suite suite_fallback = {"fallback", cases};
