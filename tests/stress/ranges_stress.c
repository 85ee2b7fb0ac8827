/* tests/stress/ranges_stress.c: ranges of memory change while threads use what is in them
 *
 * Some threads trade blocks, with and without movers, as ever; beside them others isolate ranges,
 * take contiguous ones, use CMA areas, add and remove memory, compact, report, and look at it all.
 * Nobody gets what is another's, nor anything from a range that is isolated; what moves arrives
 * whole; and in the end everything is back where it was, to the page.
 */
#include "tests/stress/movables.h"
#include "tests/stress/ranges.h"

#define MAX_ZONES 16u
#define MEMORY_SIZE (MAX_FRAMES << QUIRE_PAGE_SHIFT)
#define SWITCHES 4ul

static struct quire_zone_info before[MAX_ZONES];
static unsigned nr_zones;
static size_t metadata_before;
static bool may_grow; /* memory may come and go */
static bool debugged; /* so that no CPU has lists */

/* ---- the machine ----------------------------------------------------------------------------- */

/* Zones of 64 MiB and more have four shards for nine CPUs. Where zones meet it is within a block of
 * the largest order. */
static const struct quire_memblock_region large[] = {
    {.base = 0, .size = 112 * MIB, .node = 0},
    {.base = SECTION, .size = LONE_PIECE_BASE - SECTION, .node = 1},
    {.base = LONE_PIECE_BASE, .size = PIECE_SIZE, .node = 1, .kind = QUIRE_MEMBLOCK_HOTPLUG},
    {.base = HOT_BASE, .size = 4 * PIECE_SIZE, .node = 1, .kind = QUIRE_MEMBLOCK_HOTPLUG},
    {0},
};

/* For what is dear by the page: two shards and four. */
static const struct quire_memblock_region small[] = {
    {.base = 0, .size = 50 * MIB, .node = 0},
    {.base = 50 * MIB, .size = 70 * MIB, .node = 1},
    {0},
};

static bool start_areas(const quire_phys_t *base, const quire_phys_t *size)
{
    for (unsigned i = 0; i < NR_AREAS; i++)
        if (quire_cma_init(stress.mem, &area[i], "stress", base[i], size[i], 3 * i))
            return false;
    return true;
}

static void remember_zones(void)
{
    for (nr_zones = 0; nr_zones < MAX_ZONES; nr_zones++)
        if (quire_zone_info(stress.mem, nr_zones, &before[nr_zones]))
            break;
    metadata_before = quire_metadata_size(stress.mem);
}

/* False: other knobs would need another map. */
static bool map_fits(void)
{
    bool fits = QUIRE_PAGE_SHIFT == 12 && QUIRE_SECTION_SHIFT == 27 && QUIRE_PAGEBLOCK_ORDER <= 9 &&
                QUIRE_MAX_CPUS > MAX_THREADS && QUIRE_MAX_NODES >= 2;
    if (!fits)
        test_skip("its machine is for other pages, sections, CPUs or nodes");
    return fits;
}

static bool machine_start(const struct quire_memblock_region *map, unsigned debug)
{
    const quire_phys_t base[NR_AREAS] = {16 * MIB, map[1].base};
    const quire_phys_t size[NR_AREAS] = {16 * MIB, 8 * MIB};
    struct quire_mem_config config = {
        .nr_cpus = MAX_THREADS + 1,
        .zone_end = {[QUIRE_ZONE_DMA] = 10 * MIB,
                     [QUIRE_ZONE_NORMAL] = UINT64_MAX,
                     [QUIRE_ZONE_MOVABLE] = UINT64_MAX},
        .max_phys = map == large ? MEMORY_SIZE : 0,
        .debug = debug,
    };
    if (!stress_map(map, MEMORY_SIZE))
        return false;
    for (unsigned i = 0; i < NR_AREAS; i++) {
        stress.lent[i].start = (unsigned long)(base[i] >> QUIRE_PAGE_SHIFT);
        stress.lent[i].end = (unsigned long)((base[i] + size[i]) >> QUIRE_PAGE_SHIFT);
        if (quire_memblock_reserve(&stress.memblock, base[i], size[i]))
            return false;
    }
    if (!stress_start(config) || !start_areas(base, size))
        return false;
    stress.gfp_avoid = QUIRE_GFP_MOVABLE; /* what has no mover would stay where it is */
    movables_start();
    may_grow = map == large;
    debugged = debug;
    if (may_grow)
        sections_start();
    __builtin_memset(&seen, 0, sizeof seen);
    remember_zones();
    return true;
}

/* Memory that may go has gone; all else is as it was, but for what new lists took. */
static void check_zones(void)
{
    struct quire_zone_info now;
    unsigned long taken = 0;
    for (unsigned i = 0; i < nr_zones; i++) {
        REQUIRE(!quire_zone_info(stress.mem, i, &now));
        bool gone = now.type == QUIRE_ZONE_MOVABLE;
        taken += gone ? 0 : before[i].managed - now.managed;
        CHECK(!gone || !now.managed);
        CHECK_EQ(now.present, gone ? 0 : before[i].present);
        CHECK_EQ(now.spanned, gone ? 0 : before[i].spanned);
        CHECK_EQ(now.nr_free + now.nr_pcp, now.managed);
        CHECK_EQ(now.nr_isolated, 0);
    }
    size_t lists = quire_metadata_size(stress.mem) - metadata_before;
    CHECK_EQ(taken, (lists + QUIRE_PAGE_SIZE - 1) >> QUIRE_PAGE_SHIFT);
    CHECK(may_grow || !lists);
}

/* Nobody keeps the lists closed: a page that is freed goes to this CPU's. */
static void check_lists(void)
{
    static const quire_gfp_t gfps[] = {QUIRE_GFP_DMA, 0, QUIRE_GFP_HIGHUSER_MOVABLE};
    struct quire_zone_info info;
    for (unsigned i = 0; i < 3; i++)
        for (unsigned node = 0; node < stress.nr_nodes; node++) {
            struct quire_page *page =
                quire_alloc_pages_node(stress.mem, (int)node, QUIRE_GFP_KERNEL | gfps[i], 0);
            REQUIRE(page);
            int at = quire_page_node(stress.mem, page);
            enum quire_zone_type type = quire_page_zone(stress.mem, page);
            quire_free_page(stress.mem, page);
            for (unsigned zone = 0; !quire_zone_info(stress.mem, zone, &info); zone++)
                CHECK(info.node != at || info.type != type || info.nr_pcp > 0);
        }
}

/* Areas and sections are emptied while there is something in them to move. */
static void machine_end(void)
{
    movables_agree();
    for (unsigned i = 0; i < SLOTS; i++)
        drop_block(&(struct worker){.number = 1}, exchange(i, NULL));
    for (unsigned i = 0; i < NR_AREAS; i++) {
        CHECK_EQ(area[i].nr_used, 0);
        struct quire_page *all = quire_cma_alloc(&area[i], area[i].count, 0);
        CHECK(all && quire_cma_release(&area[i], all, area[i].count));
    }
    if (may_grow)
        sections_end();
    movables_end();
    check_zones();
    if (!debugged)
        check_lists();
    stress_end();
    test_note("ranges isolated %lu, contiguous %lu, of areas %lu; memory added %lu, removed %lu",
              seen.isolated, seen.contiguous, seen.lent, seen.added, seen.removed);
}

/* ---- cases ----------------------------------------------------------------------------------- */

static void trade(struct worker *worker)
{
    while (go_on(worker))
        if (below(worker, 2))
            trade_once(worker);
        else
            movables_once(worker);
}

static void traders_and(work_fn *work, unsigned long operations)
{
    if (!map_fits())
        return;
    REQUIRE(machine_start(large, 0));
    run_crews((struct crew[]){{trade, 4, operations}, {work, 2, 0}, {0}});
    machine_end();
}

static void isolated_ranges_are_left_alone(void)
{
    traders_and(isolate_ranges, stress_effort() / 20);
}

static void contiguous_ranges_are_emptied_while_others_allocate(void)
{
    traders_and(allocate_contiguous, stress_effort() / 20);
}

static void areas_get_back_what_they_lent(void)
{
    traders_and(use_areas, stress_effort() / 20);
}

static void memory_comes_and_goes_under_its_users(void)
{
    traders_and(add_and_remove_sections, stress_effort() / 20);
}

/* It gets its lists and shards once in a machine's life. */
static void an_empty_zone_comes_to_life_while_it_is_looked_at(void)
{
    for (unsigned round = 0; round < 3 && map_fits(); round++) {
        REQUIRE(machine_start(large, 0));
        run_crews((struct crew[]){{add_and_remove_sections, 1, 12}, {keep_house, 3, 0}, {0}});
        machine_end();
    }
}

static void compaction_reports_and_views_disturb_nobody(void)
{
    traders_and(keep_house, stress_effort() / 20);
}

static void all_of_it_happens_at_once(void)
{
    if (!map_fits())
        return;
    REQUIRE(machine_start(large, 0));
    run_crews((struct crew[]){{trade, 3, stress_effort() / 20},
                              {isolate_ranges, 1, 0},
                              {allocate_contiguous, 1, 0},
                              {use_areas, 1, 0},
                              {add_and_remove_sections, 1, 0},
                              {keep_house, 1, 0},
                              {0}});
    machine_end();
}

/* ---- debugging ------------------------------------------------------------------------------- */

static void switch_poison(struct worker *worker)
{
    debugged = worker->done / (worker->operations / SWITCHES + 1) % 2;
    CHECK(!quire_set_debug(stress.mem, debugged ? QUIRE_DEBUG_POISON : 0));
}

/* Ranges stay isolated, or held, over the switch. */
static void trade_and_switch_poison(struct worker *worker)
{
    while (go_on(worker)) {
        if (worker->number == 1 && worker->done % (worker->operations / SWITCHES + 1) == 0)
            while_others_rest(worker, switch_poison);
        if (below(worker, 2))
            trade_once(worker);
        else
            movables_once(worker);
    }
}

static void poison_is_switched_on_and_off_between_operations(void)
{
    if (!map_fits())
        return;
    REQUIRE(machine_start(small, 0));
    run_crews((struct crew[]){{trade_and_switch_poison, 3, stress_effort() / 60},
                              {isolate_ranges, 1, 0},
                              {allocate_contiguous, 1, 0},
                              {use_areas, 1, 0},
                              {keep_house, 1, 0},
                              {0}});
    machine_end();
}

static void owners_are_told_while_blocks_change_hands(void)
{
    if (!map_fits())
        return;
    REQUIRE(machine_start(small, QUIRE_DEBUG_OWNER));
    run_crews((struct crew[]){{trade, 3, stress_effort() / 40},
                              {isolate_ranges, 1, 0},
                              {allocate_contiguous, 1, 0},
                              {use_areas, 1, 0},
                              {keep_house, 1, 0},
                              {0}});
    machine_end();
}

static const struct test_case cases[] = {
    TEST_CASE(isolated_ranges_are_left_alone),
    TEST_CASE(contiguous_ranges_are_emptied_while_others_allocate),
    TEST_CASE(areas_get_back_what_they_lent),
    TEST_CASE(memory_comes_and_goes_under_its_users),
    TEST_CASE(an_empty_zone_comes_to_life_while_it_is_looked_at),
    TEST_CASE(compaction_reports_and_views_disturb_nobody),
    TEST_CASE(all_of_it_happens_at_once),
    TEST_CASE(poison_is_switched_on_and_off_between_operations),
    TEST_CASE(owners_are_told_while_blocks_change_hands),
    {0},
};
const struct test_suite suite_ranges_stress = {"ranges_stress", cases};
