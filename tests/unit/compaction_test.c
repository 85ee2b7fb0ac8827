/* Compaction, and the indexes that decide about it. */
#include "phys/internal.h"
#include "tests/unit/movable.h"

#define MOVABLE (QUIRE_GFP_HIGHUSER_MOVABLE)

static struct zone *only_zone(struct quire_mem *mem)
{
    for_each_zone (mem, zone)
        if (zone_populated(zone) && zone->managed > 2048)
            return zone;
    return NULL;
}

static struct quire_mem *small_machine(struct quire_mem_config config)
{
    config.nr_cpus = 2;
    return machine_boot_plain(SMALL_SIZE, config);
}

/* Fills the machine, its reserves too, with single movable pages; frees all but one in `keep`. */
static void age(unsigned keep)
{
    while (movable_alloc(MOVABLE | QUIRE_GFP_MEMALLOC, 0) >= 0)
        ;
    for (unsigned slot = 0; slot < MAX_MOVABLES; slot++)
        if (movables.block[slot].page && slot % keep)
            movable_free(slot);
}

static unsigned long huge_blocks(const struct zone *zone)
{
    unsigned long blocks = 0;
    for (unsigned order = PAGEBLOCK_ORDER; order <= MAX_ORDER; order++)
        blocks += zone_nr_blocks(zone, order) << (order - PAGEBLOCK_ORDER);
    return blocks;
}

/* ---- fragmentation indexes ------------------------------------------------------------------- */

static void the_fragmentation_index_tells_lack_from_pieces(void)
{
    static struct shard shard;
    struct zone zone = {.shard = &shard};
    CHECK_EQ(fragmentation_index(&zone, 3), 0);
    shard.nr_blocks[0] = 1000; /* pieces only: 1000 - (1000 + 1000 * 1000 / 8) / 1000 */
    CHECK_EQ(fragmentation_index(&zone, 3), 874);
    CHECK_EQ(fragmentation_index(&zone, 9), 998);
    shard.nr_blocks[0] = 1; /* hardly anything */
    CHECK_EQ(fragmentation_index(&zone, 3), 0);
    shard.nr_blocks[4] = 1;
    CHECK_EQ(fragmentation_index(&zone, 3) + 1000, 0);
    shard.nr_blocks[0] = shard.nr_blocks[4] = 0;
}

static void the_unusable_index_is_the_share_in_small_blocks(void)
{
    static struct shard shard;
    struct zone zone = {.shard = &shard};
    CHECK_EQ(unusable_index(&zone, 0), 1000);
    shard.nr_blocks[0] = 16;
    shard.nr_blocks[4] = 3;
    CHECK_EQ(unusable_index(&zone, 0), 0);
    CHECK_EQ(unusable_index(&zone, 1), 250);
    CHECK_EQ(unusable_index(&zone, 4), 250);
    CHECK_EQ(unusable_index(&zone, 5), 1000);
    shard.nr_blocks[0] = shard.nr_blocks[4] = 0;
}

/* ---- compaction on request ------------------------------------------------------------------- */

static void compaction_gathers_what_is_movable(void)
{
    struct quire_mem_config config = {0};
    struct quire_mem *mem = small_machine(config);
    if (!mem)
        return;
    movables_init(mem);
    age(4);
    struct zone *zone = only_zone(mem);
    quire_drain_all_pages(mem);
    unsigned long before = huge_blocks(zone), kept = movables.count;
    unsigned long moved = quire_compact(mem, -1, -1);
    CHECK(moved > 0);
    CHECK_EQ(moved, movables.moves);
    CHECK_EQ(movables.isolations, movables.moves + movables.putbacks);
    CHECK_EQ(movables.count, kept);
    CHECK(huge_blocks(zone) > before);
    /* Three quarters are free: most of that in whole pageblocks now. */
    CHECK(huge_blocks(zone) * PAGEBLOCK_PAGES > zone_nr_free(zone) * 8 / 10);
    movables_check();
    quire_mem_check(mem);
    CHECK(mem->events[EVENT_PGMIGRATE_SUCCESS] == moved);
    CHECK(mem->events[EVENT_COMPACT_MIGRATE_SCANNED] > 0);
    CHECK(mem->events[EVENT_COMPACT_FREE_SCANNED] > 0);
    CHECK_EQ(mem->events[EVENT_COMPACT_ISOLATED], movables.isolations + moved);
    CHECK_EQ(quire_compact(mem, -1, -1), 0);
    movables_free_all();
    machine_check_empty(mem);
}

static void compaction_moves_blocks_of_all_small_orders(void)
{
    struct quire_mem_config config = {0};
    struct quire_mem *mem = small_machine(config);
    if (!mem)
        return;
    movables_init(mem);
    while (movable_alloc(MOVABLE | (movables.count & 1 ? QUIRE_GFP_COMP : 0),
                         test_random_below(5)) >= 0)
        ;
    for (unsigned slot = 0; slot < MAX_MOVABLES; slot++)
        if (movables.block[slot].page && test_random_below(3))
            movable_free(slot);
    quire_drain_all_pages(mem);
    unsigned long before = huge_blocks(only_zone(mem));
    CHECK(quire_compact(mem, 0, -1) > 0);
    CHECK(huge_blocks(only_zone(mem)) > before);
    movables_check();
    movables_free_all();
    machine_check_empty(mem);
}

static void compaction_for_an_order_stops_when_it_is_there(void)
{
    struct quire_mem_config config = {0};
    struct quire_mem *mem = small_machine(config);
    if (!mem)
        return;
    movables_init(mem);
    age(2);
    quire_drain_all_pages(mem);
    unsigned long few = quire_compact(mem, -1, 4);
    CHECK(few > 0 && few <= 64);
    CHECK_EQ(quire_compact(mem, -1, 4), 0);
    CHECK_EQ(quire_compact(mem, -1, MAX_ORDER + 1), 0);
    CHECK_EQ(quire_compact(mem, 1, -1), 0); /* no such node */
    unsigned long many = quire_compact(mem, -1, PAGEBLOCK_ORDER);
    CHECK(many > few && many <= 2 * PAGEBLOCK_PAGES);
    struct quire_page *page = quire_alloc_pages(mem, MOVABLE, PAGEBLOCK_ORDER);
    CHECK(page);
    quire_free_pages(mem, page, PAGEBLOCK_ORDER);
    movables_free_all();
    machine_check_empty(mem);
}

static void a_mover_that_refuses_keeps_its_blocks(void)
{
    struct quire_mem_config config = {0};
    struct quire_mem *mem = small_machine(config);
    if (!mem)
        return;
    movables_init(mem);
    age(3);
    movables.refuse = 3;
    movables.fail = 3;
    CHECK(quire_compact(mem, -1, -1) > 0);
    CHECK(movables.failures > 0 && movables.putbacks > 0);
    CHECK(mem->events[EVENT_PGMIGRATE_FAIL] > 0);
    movables_check();
    quire_mem_check(mem);
    movables.refuse = 1;
    movables.fail = 0;
    CHECK_EQ(quire_compact(mem, -1, -1), 0);
    movables_free_all();
    machine_check_empty(mem);
}

static void what_has_no_mover_or_is_pinned_stays(void)
{
    struct quire_mem_config config = {0};
    struct quire_mem *mem = small_machine(config);
    if (!mem)
        return;
    movables_init(mem);
    age(8);
    unsigned pinned = 0;
    for (unsigned slot = 0; slot < MAX_MOVABLES; slot++) {
        struct quire_page *page = movables.block[slot].page;
        if (page && ++pinned % 2)
            quire_get_page(page);
        else if (page)
            quire_page_set_mover(page, 0);
    }
    CHECK_EQ(quire_compact(mem, -1, -1), 0);
    CHECK_EQ(movables.isolations, 0);
    for (unsigned slot = 0; slot < MAX_MOVABLES; slot++)
        if (movables.block[slot].page && quire_page_count(movables.block[slot].page) == 2)
            quire_put_page(mem, movables.block[slot].page);
    movables_free_all();
    machine_check_empty(mem);
}

static void moved_blocks_keep_their_owner_record_and_poison_holds(void)
{
    struct quire_mem_config config = {.debug = QUIRE_DEBUG_OWNER | QUIRE_DEBUG_POISON};
    struct quire_mem *mem = small_machine(config);
    if (!mem)
        return;
    movables_init(mem);
    age(4);
    CHECK(quire_compact(mem, -1, -1) > 0);
    quire_mem_check(mem);
    movables_free_all();
    machine_check_empty(mem);
}

/* ---- compaction for an allocation ------------------------------------------------------------ */

static void an_allocation_compacts_when_memory_is_in_pieces(void)
{
    struct quire_mem_config config = {0};
    struct quire_mem *mem = small_machine(config);
    if (!mem)
        return;
    movables_init(mem);
    age(2);
    quire_drain_all_pages(mem);
    CHECK_EQ(huge_blocks(only_zone(mem)), 0);
    CHECK(!quire_alloc_pages(mem, QUIRE_GFP_NOWAIT | QUIRE_GFP_NOWARN, PAGEBLOCK_ORDER));
    CHECK_EQ(mem->events[EVENT_COMPACT_STALL], 0);
    struct quire_page *page = quire_alloc_pages(mem, MOVABLE, PAGEBLOCK_ORDER);
    CHECK(page);
    CHECK_EQ(mem->events[EVENT_COMPACT_STALL], 1);
    CHECK_EQ(mem->events[EVENT_COMPACT_SUCCESS], 1);
    quire_free_pages(mem, page, PAGEBLOCK_ORDER);
    movables_check();
    movables_free_all();
    machine_check_empty(mem);
}

static void failed_compaction_is_deferred_ever_longer(void)
{
    struct quire_mem_config config = {0};
    struct quire_mem *mem = small_machine(config);
    if (!mem)
        return;
    movables_init(mem);
    age(2);
    quire_drain_all_pages(mem);
    struct zone *zone = only_zone(mem);
    movables.refuse = 1; /* nothing moves */
    for (unsigned i = 0; i < 200; i++)
        CHECK(!quire_alloc_pages(mem, MOVABLE | QUIRE_GFP_NOWARN, PAGEBLOCK_ORDER));
    CHECK_EQ(zone->compact.defer_shift, 6);
    CHECK(mem->events[EVENT_COMPACT_FAIL] > 6);
    CHECK(mem->events[EVENT_COMPACT_STALL] < 100);
    /* A smaller order that never failed is not held up by it. */
    movables.refuse = 0;
    struct quire_page *page = NULL;
    for (unsigned i = 0; i < 200 && !page; i++)
        page = quire_alloc_pages(mem, MOVABLE | QUIRE_GFP_NOWARN, PAGEBLOCK_ORDER);
    CHECK(page);
    CHECK_EQ(zone->compact.defer_shift, 0);
    quire_free_pages(mem, page, PAGEBLOCK_ORDER);
    movables_free_all();
    machine_check_empty(mem);
}

static void compaction_is_skipped_when_memory_is_short(void)
{
    struct quire_mem_config config = {0};
    struct quire_mem *mem = small_machine(config);
    if (!mem)
        return;
    movables_init(mem);
    age(1);
    quire_drain_all_pages(mem);
    CHECK(!quire_alloc_pages(mem, MOVABLE | QUIRE_GFP_NOWARN, PAGEBLOCK_ORDER));
    CHECK_EQ(mem->events[EVENT_COMPACT_STALL], 0);
    CHECK_EQ(movables.isolations, 0);
    movables_free_all();
    machine_check_empty(mem);
}

static void without_grouping_compaction_works_too(void)
{
    struct quire_mem_config config = {.no_mobility_grouping = true};
    struct quire_mem *mem = small_machine(config);
    if (!mem)
        return;
    movables_init(mem);
    age(4);
    CHECK(quire_compact(mem, -1, -1) > 0);
    movables_free_all();
    machine_check_empty(mem);
}

/* ---- at random ------------------------------------------------------------------------------- */

static void random_allocation_and_compaction_lose_nothing(void)
{
    struct quire_mem_config config = {0};
    struct quire_mem *mem = small_machine(config);
    if (!mem)
        return;
    movables_init(mem);
    movables.refuse = 10;
    movables.fail = 10;
    uint64_t rounds = test_environment.effort / 20;
    for (uint64_t i = 0; i < rounds; i++) {
        test_environment.set_cpu(test_random_below(2));
        unsigned slot = test_random_below(MAX_MOVABLES);
        if (movables.block[slot].page)
            movable_free(slot);
        else if (test_random_below(3))
            movable_alloc(test_random_below(4) ? MOVABLE : QUIRE_GFP_KERNEL, test_random_below(4));
        if (!test_random_below(500))
            quire_compact(mem, -1, (int)test_random_below(MAX_ORDER + 2) - 1);
        if (!test_random_below(2000)) {
            movables_check();
            quire_mem_check(mem);
        }
    }
    movables.refuse = movables.fail = 0;
    movables_free_all();
    machine_check_empty(mem);
}

static const struct test_case cases[] = {
    TEST_CASE(the_fragmentation_index_tells_lack_from_pieces),
    TEST_CASE(the_unusable_index_is_the_share_in_small_blocks),
    TEST_CASE(compaction_gathers_what_is_movable),
    TEST_CASE(compaction_moves_blocks_of_all_small_orders),
    TEST_CASE(compaction_for_an_order_stops_when_it_is_there),
    TEST_CASE(a_mover_that_refuses_keeps_its_blocks),
    TEST_CASE(what_has_no_mover_or_is_pinned_stays),
    TEST_CASE(moved_blocks_keep_their_owner_record_and_poison_holds),
    TEST_CASE(an_allocation_compacts_when_memory_is_in_pieces),
    TEST_CASE(failed_compaction_is_deferred_ever_longer),
    TEST_CASE(compaction_is_skipped_when_memory_is_short),
    TEST_CASE(without_grouping_compaction_works_too),
    TEST_CASE(random_allocation_and_compaction_lose_nothing),
    {0},
};
const struct test_suite suite_compaction = {"compaction", cases};
