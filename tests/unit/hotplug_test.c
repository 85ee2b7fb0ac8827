/* Memory that comes and goes, and reports of free memory. */
#include "phys/internal.h"
#include "tests/unit/movable.h"

#define MOVABLE QUIRE_GFP_HIGHUSER_MOVABLE
#define SECTION ((quire_phys_t)1 << QUIRE_SECTION_SHIFT)
#define BOOT (SECTION > 32 * MIB ? SECTION : 32 * MIB) /* where what can be added begins */

/* A machine with 32 MiB, and room for two sections from BOOT on. */
static struct quire_mem *machine_with_room(struct quire_mem_config config)
{
    static const struct quire_memblock_region map[] = {{.size = BOOT + 2 * SECTION}, {0}};
    if (!machine_can_have_cpus(2) || !machine_map(map))
        return NULL;
    CHECK_EQ(quire_memblock_remove(&machine.memblock, 32 * MIB, map[0].size - 32 * MIB), 0);
    config.nr_cpus = 2;
    config.max_phys = map[0].size;
    if (!config.zone_end[QUIRE_ZONE_NORMAL])
        config.zone_end[QUIRE_ZONE_NORMAL] = UINT64_MAX;
    CHECK_EQ(machine_start(config), 0);
    if (machine.mem)
        movables_init(machine.mem);
    return machine.mem;
}

static bool in_range(const struct quire_page *page, quire_phys_t base, quire_phys_t size)
{
    return quire_page_to_phys(page) - base < size;
}

static unsigned count_in_range(quire_phys_t base, quire_phys_t size)
{
    unsigned count = 0;
    for (unsigned slot = 0; slot < MAX_MOVABLES; slot++)
        if (movables.block[slot].page)
            count += in_range(movables.block[slot].page, base, size);
    return count;
}

/* ---- adding ---------------------------------------------------------------------------------- */

static void added_memory_is_allocated_from(void)
{
    struct quire_mem *mem = machine_with_room((struct quire_mem_config){0});
    if (!mem)
        return;
    unsigned long managed = quire_nr_managed_pages(mem);
    size_t metadata = quire_metadata_size(mem);
    CHECK(!quire_pfn_valid(mem, quire_phys_to_pfn(BOOT)));
    CHECK_EQ(quire_add_memory(mem, 0, BOOT, 2 * SECTION, false), 0);
    quire_mem_check(mem);
    CHECK(quire_pfn_valid(mem, quire_phys_to_pfn(BOOT + 2 * SECTION - 1)));
    unsigned long added = quire_nr_managed_pages(mem) - managed;
    CHECK(added < PAGES(2 * SECTION) && added > PAGES(2 * SECTION) * 98 / 100);
    CHECK_EQ(quire_metadata_size(mem) - metadata, 2 * section_size(mem, QUIRE_SECTION_PAGES));
    CHECK_EQ(zone_info_of(QUIRE_ZONE_NORMAL).present, PAGES(32 * MIB + 2 * SECTION));
    /* It is used, and its content is its own. */
    for (unsigned i = 0; i < 10000; i++)
        movable_alloc(MOVABLE, 0);
    movables_check();
    CHECK(count_in_range(BOOT, 2 * SECTION) > 0);
    movables_free_all();
    machine_check_empty(mem);
}

static void adding_refuses_what_it_must(void)
{
    struct quire_mem *mem = machine_with_room((struct quire_mem_config){0});
    if (!mem)
        return;
    CHECK_EQ(quire_add_memory(mem, 0, BOOT, 0, false), -QUIRE_EINVAL);
    CHECK(machine_heard("can't add memory [0x"));
    CHECK_EQ(quire_add_memory(mem, 0, BOOT + QUIRE_PAGE_SIZE, SECTION, false), -QUIRE_EINVAL);
    CHECK_EQ(quire_add_memory(mem, 0, BOOT, SECTION / 2, false), -QUIRE_EINVAL);
    CHECK(machine_heard("it isn't whole sections"));
    CHECK_EQ(quire_add_memory(mem, 0, BOOT, 9 * SECTION, false), -QUIRE_EINVAL);
    CHECK(machine_heard("beyond the section table"));
    CHECK_EQ(quire_add_memory(mem, 0, 0 - SECTION, 2 * SECTION, false), -QUIRE_EINVAL);
    CHECK(machine_heard("it wraps around"));
    CHECK_EQ(quire_add_memory(mem, 1, BOOT, SECTION, false), -QUIRE_EINVAL);
    CHECK(machine_heard("there is no such node"));
    CHECK_EQ(quire_add_memory(mem, -1, BOOT, SECTION, false), -QUIRE_EINVAL);
    CHECK_EQ(quire_add_memory(mem, 0, 0, BOOT + SECTION, false), -QUIRE_EEXIST);
    CHECK(machine_heard("some of it is there already"));
    CHECK_EQ(quire_add_memory(mem, 0, BOOT + SECTION, SECTION, false), 0);
    CHECK_EQ(quire_add_memory(mem, 0, BOOT, 2 * SECTION, false), -QUIRE_EEXIST);
    CHECK(!quire_pfn_valid(mem, quire_phys_to_pfn(BOOT)));
    machine_check_empty(mem);
}

static void an_empty_zone_comes_to_life(void)
{
    struct quire_mem_config config = {
        .zone_end = {[QUIRE_ZONE_NORMAL] = UINT64_MAX, [QUIRE_ZONE_MOVABLE] = UINT64_MAX}};
    struct quire_mem *mem = machine_with_room(config);
    if (!mem)
        return;
    unsigned long managed = quire_nr_managed_pages(mem);
    quire_drain_all_pages(mem); /* also over zones without lists */
    CHECK_EQ(quire_add_memory(mem, 0, BOOT, SECTION, true), 0);
    CHECK_EQ(zone_info_of(QUIRE_ZONE_MOVABLE).present, PAGES(SECTION));
    int slot = movable_alloc(MOVABLE, 0);
    REQUIRE(slot >= 0);
    CHECK_EQ(quire_page_zone(mem, movables.block[slot].page), QUIRE_ZONE_MOVABLE);
    movable_free((unsigned)slot);
    /* Through the CPU's own list, like anyone's page. */
    CHECK(zone_info_of(QUIRE_ZONE_MOVABLE).nr_pcp > 0);
    struct quire_page *page = quire_alloc_page(mem, QUIRE_GFP_KERNEL);
    CHECK(page && quire_page_zone(mem, page) == QUIRE_ZONE_NORMAL);
    quire_free_page(mem, page);
    CHECK_EQ(quire_remove_memory(mem, BOOT, SECTION), 0);
    CHECK_EQ(zone_info_of(QUIRE_ZONE_MOVABLE).present, 0);
    CHECK_EQ(zone_info_of(QUIRE_ZONE_MOVABLE).spanned, 0);
    CHECK_EQ(zone_info_of(QUIRE_ZONE_MOVABLE).managed, 0);
    CHECK(quire_nr_managed_pages(mem) <= managed);
    slot = movable_alloc(MOVABLE, 0);
    CHECK(slot >= 0 && quire_page_zone(mem, movables.block[slot].page) == QUIRE_ZONE_NORMAL);
    /* And again: its lists are still there. */
    managed = quire_nr_managed_pages(mem);
    CHECK_EQ(quire_add_memory(mem, 0, BOOT + SECTION, SECTION, true), 0);
    CHECK_EQ(quire_remove_memory(mem, BOOT + SECTION, SECTION), 0);
    CHECK_EQ(quire_nr_managed_pages(mem), managed);
    movables_free_all();
    machine_check_empty(mem);
}

static void added_memory_obeys_poison_and_owner_tracking(void)
{
    struct quire_mem *mem = machine_with_room(
        (struct quire_mem_config){.debug = QUIRE_DEBUG_POISON | QUIRE_DEBUG_OWNER});
    if (!mem)
        return;
    CHECK_EQ(quire_add_memory(mem, 0, BOOT, SECTION, false), 0);
    for (unsigned i = 0; i < 9000; i++)
        movable_alloc(MOVABLE, 0);
    CHECK(count_in_range(BOOT, SECTION) > 0);
    for (unsigned slot = 0; slot < MAX_MOVABLES; slot++)
        if (movables.block[slot].page && slot % 3)
            movable_free(slot);
    CHECK_EQ(quire_remove_memory(mem, BOOT, SECTION), 0);
    movables_free_all();
    machine_check_empty(mem);
}

/* ---- removing -------------------------------------------------------------------------------- */

static void removing_moves_what_is_there(void)
{
    struct quire_mem *mem = machine_with_room((struct quire_mem_config){0});
    if (!mem)
        return;
    unsigned long managed = quire_nr_managed_pages(mem);
    size_t metadata = quire_metadata_size(mem);
    CHECK_EQ(quire_add_memory(mem, 0, BOOT, 2 * SECTION, false), 0);
    for (unsigned i = 0; i < 5000; i++)
        movable_alloc(MOVABLE, test_random_below(2));
    for (unsigned slot = 0; slot < MAX_MOVABLES; slot++)
        if (movables.block[slot].page && slot % 4)
            movable_free(slot);
    unsigned there = count_in_range(BOOT, 2 * SECTION), count = movables.count;
    movables.refuse = 20;
    movables.fail = 20;
    CHECK_EQ(quire_remove_memory(mem, BOOT, 2 * SECTION), 0);
    CHECK(movables.moves >= there);
    CHECK_EQ(count_in_range(BOOT, 2 * SECTION), 0);
    CHECK_EQ(movables.count, count);
    movables_check();
    quire_mem_check(mem);
    CHECK_EQ(quire_nr_managed_pages(mem), managed);
    CHECK_EQ(quire_metadata_size(mem), metadata);
    CHECK_EQ(zone_info_of(QUIRE_ZONE_NORMAL).spanned, PAGES(32 * MIB));
    CHECK_EQ(mem->zones[0].pcp_closed, 0);
    for (unsigned number = 0; number < 2; number++)
        CHECK(!quire_pfn_valid(mem, quire_phys_to_pfn(BOOT + number * SECTION)));
    movables_free_all();
    machine_check_empty(mem);
}

static void removing_one_section_leaves_the_others(void)
{
    struct quire_mem *mem = machine_with_room((struct quire_mem_config){0});
    if (!mem)
        return;
    CHECK_EQ(quire_add_memory(mem, 0, BOOT, 2 * SECTION, false), 0);
    CHECK_EQ(quire_remove_memory(mem, BOOT, SECTION), 0);
    quire_mem_check(mem);
    CHECK(!quire_pfn_valid(mem, quire_phys_to_pfn(BOOT)));
    CHECK(quire_pfn_valid(mem, quire_phys_to_pfn(BOOT + SECTION)));
    CHECK_EQ(zone_info_of(QUIRE_ZONE_NORMAL).spanned, PAGES(BOOT + 2 * SECTION));
    for (unsigned i = 0; i < 3000; i++)
        movable_alloc(MOVABLE, 0);
    quire_compact(mem, -1, -1);
    movables_check();
    quire_mem_check(mem);
    CHECK_EQ(quire_add_memory(mem, 0, BOOT, SECTION, false), 0);
    movables_free_all();
    machine_check_empty(mem);
}

static void what_cannot_go_stays_as_it_was(void)
{
    struct quire_mem *mem = machine_with_room((struct quire_mem_config){0});
    if (!mem)
        return;
    CHECK_EQ(quire_add_memory(mem, 0, BOOT, 2 * SECTION, false), 0);
    unsigned long managed = quire_nr_managed_pages(mem);
    CHECK_EQ(quire_remove_memory(mem, 0, SECTION), -QUIRE_EINVAL); /* from boot */
    CHECK(machine_heard("neither came at run time nor is in ZONE_MOVABLE"));
    CHECK_EQ(quire_remove_memory(mem, BOOT, 0), -QUIRE_EINVAL);
    CHECK_EQ(quire_remove_memory(mem, BOOT, BLOCK_BYTES / 2), -QUIRE_EINVAL);
    CHECK(machine_heard("can't remove memory [0x"));
    CHECK_EQ(quire_remove_memory(mem, BOOT, 3 * SECTION), -QUIRE_EINVAL); /* beyond */
    CHECK(machine_heard("beyond the section table"));
    CHECK_EQ(quire_remove_memory(mem, BOOT, 0 - BLOCK_BYTES), -QUIRE_EINVAL);
    /* Neither half of a section: the first describes the second. */
    CHECK_EQ(quire_remove_memory(mem, BOOT, SECTION / 2), -QUIRE_EINVAL);
    CHECK(machine_heard("a part of a section that came at run time"));
    CHECK_EQ(quire_remove_memory(mem, BOOT + SECTION / 2, SECTION / 2), -QUIRE_EINVAL);
    /* Nor what can't be moved, in the second of two sections. */
    quire_pfn_t pfn = quire_phys_to_pfn(BOOT + 2 * SECTION - BLOCK_BYTES);
    CHECK_EQ(quire_alloc_contig_range(mem, pfn, quire_pfn(pfn.value + 1), QUIRE_MIGRATE_MOVABLE,
                                      QUIRE_GFP_KERNEL),
             0);
    machine.log[0] = '\0';
    CHECK_EQ(quire_remove_memory(mem, BOOT, 2 * SECTION), -QUIRE_EBUSY);
    CHECK(!machine.log[0]); /* which is no mistake */
    quire_mem_check(mem);
    CHECK_EQ(quire_nr_managed_pages(mem), managed);
    CHECK_EQ(mem->zones[0].nr_isolated_blocks, 0);
    CHECK_EQ(mem->zones[0].pcp_closed, 0);
    CHECK_EQ(quire_remove_memory(mem, BOOT, SECTION), 0);
    quire_free_contig_range(mem, pfn, 1);
    CHECK_EQ(quire_remove_memory(mem, BOOT + SECTION, SECTION), 0);
    CHECK_EQ(quire_remove_memory(mem, BOOT + SECTION, SECTION), -QUIRE_EINVAL);
    CHECK(machine_heard("not all of it is memory"));
    machine_check_empty(mem);
}

static void added_memory_may_span_zones(void)
{
    struct quire_mem_config config = {
        .zone_end = {[QUIRE_ZONE_NORMAL] = BOOT + SECTION, [QUIRE_ZONE_HIGHMEM] = UINT64_MAX}};
    struct quire_mem *mem = machine_with_room(config);
    if (!mem)
        return;
    unsigned long normal = zone_info_of(QUIRE_ZONE_NORMAL).managed;
    CHECK_EQ(quire_add_memory(mem, 0, BOOT, 2 * SECTION, false), 0);
    CHECK_EQ(zone_info_of(QUIRE_ZONE_HIGHMEM).present, PAGES(SECTION));
    CHECK(zone_info_of(QUIRE_ZONE_NORMAL).managed > normal);
    quire_pfn_t pfn = quire_phys_to_pfn(BOOT + 2 * SECTION - BLOCK_BYTES);
    CHECK_EQ(quire_alloc_contig_range(mem, pfn, quire_pfn(pfn.value + 1), QUIRE_MIGRATE_MOVABLE,
                                      QUIRE_GFP_KERNEL),
             0);
    /* The first zone's part is given back when the second's can't be had. */
    CHECK_EQ(quire_remove_memory(mem, BOOT, 2 * SECTION), -QUIRE_EBUSY);
    for_each_zone (mem, zone)
        CHECK(!zone->nr_isolated_blocks && !zone->pcp_closed);
    quire_mem_check(mem);
    /* No range operation works across zones. */
    quire_pfn_t seam = quire_phys_to_pfn(BOOT + SECTION);
    CHECK_EQ(quire_isolate_range(mem, quire_pfn(seam.value - PAGEBLOCK_PAGES),
                                 quire_pfn(seam.value + PAGEBLOCK_PAGES)),
             -QUIRE_EINVAL);
    quire_free_contig_range(mem, pfn, 1);
    CHECK_EQ(quire_remove_memory(mem, BOOT, 2 * SECTION), 0);
    CHECK_EQ(zone_info_of(QUIRE_ZONE_HIGHMEM).present, 0);
    machine_check_empty(mem);
}

static void movable_memory_of_the_map_can_go_by_pageblocks(void)
{
    static const struct quire_memblock_region map[] = {
        {.size = 24 * MIB},
        {.base = 24 * MIB, .size = 8 * MIB, .kind = QUIRE_MEMBLOCK_HOTPLUG},
        {0},
    };
    struct quire_mem_config config = {
        .zone_end = {[QUIRE_ZONE_NORMAL] = UINT64_MAX, [QUIRE_ZONE_MOVABLE] = UINT64_MAX},
        .nr_cpus = 2};
    struct quire_mem *mem = machine_boot(map, config);
    if (!mem)
        return;
    movables_init(mem);
    for (unsigned i = 0; i < 1500; i++)
        movable_alloc(MOVABLE, 0);
    CHECK(count_in_range(24 * MIB, 8 * MIB) == 1500);
    CHECK_EQ(quire_remove_memory(mem, 24 * MIB, 4 * MIB), 0);
    CHECK_EQ(count_in_range(24 * MIB, 4 * MIB), 0);
    movables_check();
    CHECK_EQ(zone_info_of(QUIRE_ZONE_MOVABLE).present, PAGES(4 * MIB));
    CHECK_EQ(zone_info_of(QUIRE_ZONE_MOVABLE).start.value, PAGES(28 * MIB));
    CHECK_EQ(quire_remove_memory(mem, 24 * MIB, 4 * MIB), -QUIRE_EINVAL);
    CHECK_EQ(quire_remove_memory(mem, 28 * MIB, 4 * MIB), 0);
    CHECK_EQ(zone_info_of(QUIRE_ZONE_MOVABLE).present, 0);
    movables_check();
    movables_free_all();
    machine_check_empty(mem);
}

/* What quire_mem_init carved for itself lies elsewhere. */
static void all_that_movable_size_asked_for_can_go(void)
{
    static const struct quire_memblock_region map[] = {{.size = 64 * MIB}, {0}};
    struct quire_mem_config config = {
        .zone_end = {[QUIRE_ZONE_NORMAL] = UINT64_MAX}, .movable_size = 32 * MIB, .nr_cpus = 2};
    struct quire_mem *mem = machine_boot(map, config);
    if (!mem)
        return;
    struct quire_zone_info movable = zone_info_of(QUIRE_ZONE_MOVABLE);
    CHECK_EQ(movable.present, PAGES(32 * MIB));
    for (unsigned long i = 0; i < movable.present; i += PAGEBLOCK_PAGES)
        CHECK_EQ(quire_remove_memory(mem, quire_pfn_to_phys(quire_pfn(movable.start.value + i)),
                                     BLOCK_BYTES),
                 0);
    CHECK_EQ(zone_info_of(QUIRE_ZONE_MOVABLE).present, 0);
    machine_check_empty(mem);
}

static void nothing_is_added_when_there_is_no_memory_for_it(void)
{
    struct quire_mem_config config = {
        .zone_end = {[QUIRE_ZONE_NORMAL] = UINT64_MAX, [QUIRE_ZONE_MOVABLE] = UINT64_MAX}};
    struct quire_mem *mem = machine_with_room(config);
    if (!mem)
        return;
    while (movable_alloc(MOVABLE | QUIRE_GFP_MEMALLOC, 0) >= 0)
        ;
    /* No room for the per-CPU lists of the zone. */
    CHECK_EQ(quire_add_memory(mem, 0, BOOT, SECTION, true), -QUIRE_ENOMEM);
    CHECK(!quire_pfn_valid(mem, quire_phys_to_pfn(BOOT)));
    CHECK_EQ(quire_add_memory(mem, 0, BOOT, SECTION, false), 0);
    CHECK_EQ(quire_remove_memory(mem, BOOT, SECTION), 0);
    movables_free_all();
    machine_check_empty(mem);
}

static void memory_comes_and_goes_among_allocations(void)
{
    struct quire_mem_config config = {
        .zone_end = {[QUIRE_ZONE_NORMAL] = UINT64_MAX, [QUIRE_ZONE_MOVABLE] = UINT64_MAX}};
    struct quire_mem *mem = machine_with_room(config);
    if (!mem)
        return;
    bool there[2] = {false, false};
    unsigned added = 0, removed = 0;
    movables.refuse = movables.fail = 50;
    for (uint64_t i = 0; i < test_environment.effort / 20; i++) {
        test_environment.set_cpu(test_random_below(2));
        unsigned slot = test_random_below(MAX_MOVABLES);
        if (movables.block[slot].page)
            movable_free(slot);
        else if (!test_random_below(2))
            movable_alloc(MOVABLE, test_random_below(3));
        if (!test_random_below(300)) {
            unsigned number = test_random_below(2);
            quire_phys_t base = BOOT + number * SECTION;
            int error = there[number]
                            ? quire_remove_memory(mem, base, SECTION)
                            : quire_add_memory(mem, 0, base, SECTION, test_random_below(2));
            CHECK(!error || error == -QUIRE_EBUSY || error == -QUIRE_ENOMEM);
            removed += there[number] && !error;
            added += !there[number] && !error;
            there[number] ^= !error;
        }
        if (!test_random_below(1000))
            quire_report_free_pages(mem, test_random_below(MAX_ORDER), test_random_below(4096));
        if (!test_random_below(1000)) {
            movables_check();
            quire_mem_check(mem);
        }
    }
    CHECK((added && removed) || test_environment.effort < 100000);
    movables_free_all();
    machine_check_empty(mem);
}

/* ---- reporting ------------------------------------------------------------------------------- */

static void free_memory_is_reported_once(void)
{
    struct quire_mem *mem = machine_boot_plain(32 * MIB, (struct quire_mem_config){.nr_cpus = 2});
    if (!mem)
        return;
    unsigned long free_pages = quire_nr_free_pages(mem), first;
    CHECK_EQ(quire_report_free_pages(mem, MAX_ORDER + 1, ~0ul), 0);
    CHECK_EQ(quire_report_free_pages(mem, 3, 0), 0);
    first = quire_report_free_pages(mem, 3, 1000);
    if (!first) {
        test_skip("the port takes no reports");
        return;
    }
    CHECK(first <= 1000 && first > 900);
    unsigned long rest = quire_report_free_pages(mem, 0, ~0ul);
    CHECK(first + rest <= free_pages && first + rest > free_pages - 64);
    CHECK_EQ(quire_report_free_pages(mem, 0, ~0ul), 0);
    CHECK_EQ(quire_nr_free_pages(mem), free_pages);
    quire_mem_check(mem);
    /* What was in use since is told again, and nothing else. */
    struct quire_page *page = quire_alloc_pages(mem, QUIRE_GFP_KERNEL, 5);
    REQUIRE(page);
    quire_free_pages(mem, page, 5);
    CHECK_EQ(quire_report_free_pages(mem, 0, ~0ul), 32);
    machine_check_empty(mem);
}

static void small_and_isolated_blocks_are_not_reported(void)
{
    struct quire_mem *mem = machine_boot_plain(32 * MIB, (struct quire_mem_config){.nr_cpus = 2});
    if (!mem)
        return;
    movables_init(mem);
    quire_pfn_t start = quire_pfn(4 * PAGEBLOCK_PAGES), end = quire_pfn(6 * PAGEBLOCK_PAGES);
    if (!quire_report_free_pages(mem, PAGEBLOCK_ORDER, ~0ul)) {
        test_skip("the port takes no reports");
        return;
    }
    while (movable_alloc(MOVABLE, 0) >= 0)
        ;
    for (unsigned slot = 0; slot < MAX_MOVABLES; slot++)
        if (movables.block[slot].page && movables.block[slot].page->pfn % 8)
            movable_free(slot);
    quire_drain_all_pages(mem);
    CHECK_EQ(quire_report_free_pages(mem, PAGEBLOCK_ORDER, ~0ul), 0);
    movables_free_all();
    quire_drain_all_pages(mem);
    CHECK_EQ(quire_isolate_range(mem, start, end), 0);
    unsigned long reported = quire_report_free_pages(mem, PAGEBLOCK_ORDER, ~0ul);
    CHECK(reported > 0);
    quire_unisolate_range(mem, start, end, QUIRE_MIGRATE_MOVABLE);
    CHECK_EQ(quire_report_free_pages(mem, PAGEBLOCK_ORDER, ~0ul), 2 * PAGEBLOCK_PAGES);
    machine_check_empty(mem);
}

/* Allocates the frame and frees it again. */
static void use(struct quire_mem *mem, unsigned long pfn)
{
    CHECK_EQ(quire_alloc_contig_range(mem, quire_pfn(pfn), quire_pfn(pfn + 1),
                                      QUIRE_MIGRATE_MOVABLE, QUIRE_GFP_KERNEL),
             0);
    quire_free_contig_range(mem, quire_pfn(pfn), 1);
    quire_drain_all_pages(mem);
}

static void of_a_block_of_many_pageblocks_each_is_looked_at(void)
{
    struct quire_mem *mem = machine_boot_plain(32 * MIB, (struct quire_mem_config){.nr_cpus = 2});
    if (!mem)
        return;
    if (PAGEBLOCK_ORDER == MAX_ORDER || !quire_report_free_pages(mem, 0, ~0ul)) {
        test_skip("a pageblock is the largest block, or the port takes no reports");
        return;
    }
    struct quire_page *page = quire_alloc_pages(mem, QUIRE_GFP_KERNEL, MAX_ORDER);
    REQUIRE(page);
    unsigned long start = page->pfn;
    quire_free_pages(mem, page, MAX_ORDER);
    CHECK_EQ(quire_report_free_pages(mem, MAX_ORDER, ~0ul), 1ul << MAX_ORDER);
    CHECK_EQ(quire_report_free_pages(mem, MAX_ORDER, ~0ul), 0);
    use(mem, start + PAGEBLOCK_PAGES);
    CHECK_EQ(quire_report_free_pages(mem, MAX_ORDER, ~0ul), 1ul << MAX_ORDER);
    use(mem, start + PAGEBLOCK_PAGES);
    CHECK_EQ(quire_report_free_pages(mem, 0, ~0ul), 1ul << REPORT_ORDER);
    CHECK_EQ(quire_report_free_pages(mem, 0, ~0ul), 0);
    machine_check_empty(mem);
}

static void poisoned_memory_is_not_reported(void)
{
    struct quire_mem *mem =
        machine_boot_plain(32 * MIB, (struct quire_mem_config){.debug = QUIRE_DEBUG_POISON});
    if (!mem)
        return;
    CHECK_EQ(quire_report_free_pages(mem, 3, ~0ul), 0);
    struct quire_page *page = quire_alloc_pages(mem, QUIRE_GFP_KERNEL, 5);
    quire_free_pages(mem, page, 5);
    machine_check_empty(mem);
}

static const struct test_case cases[] = {
    TEST_CASE(added_memory_is_allocated_from),
    TEST_CASE(adding_refuses_what_it_must),
    TEST_CASE(an_empty_zone_comes_to_life),
    TEST_CASE(added_memory_obeys_poison_and_owner_tracking),
    TEST_CASE(removing_moves_what_is_there),
    TEST_CASE(removing_one_section_leaves_the_others),
    TEST_CASE(what_cannot_go_stays_as_it_was),
    TEST_CASE(added_memory_may_span_zones),
    TEST_CASE(movable_memory_of_the_map_can_go_by_pageblocks),
    TEST_CASE(all_that_movable_size_asked_for_can_go),
    TEST_CASE(nothing_is_added_when_there_is_no_memory_for_it),
    TEST_CASE(memory_comes_and_goes_among_allocations),
    TEST_CASE(free_memory_is_reported_once),
    TEST_CASE(small_and_isolated_blocks_are_not_reported),
    TEST_CASE(of_a_block_of_many_pageblocks_each_is_looked_at),
    TEST_CASE(poisoned_memory_is_not_reported),
    {0},
};
const struct test_suite suite_hotplug = {"hotplug", cases};
