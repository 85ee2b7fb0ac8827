/* tests/unit/init_test.c: a machine's memory comes up from a memory map, or not at all */
#include "base/text.h"
#include "tests/unit/machine.h"

static const quire_phys_t block_bytes = QUIRE_PAGE_SIZE << QUIRE_PAGEBLOCK_ORDER;

/* ---- maps that won't do ---------------------------------------------------------------------- */

static const struct quire_memblock_region four_mib[] = {{.size = 4 * MIB}, {0}};

/* Gives the case memory, and a memblock that is empty. */
static bool empty_map(void)
{
    if (!machine_map(four_mib))
        return false;
    quire_memblock_init(&machine.memblock, "test", &machine.port);
    return true;
}

static void an_empty_map_is_refused(void)
{
    if (!empty_map())
        return;
    CHECK_EQ(machine_start((struct quire_mem_config){0}), -QUIRE_EINVAL);
    CHECK(machine_said("memory map \"test\": the map has not one whole frame of memory"));
    CHECK(!machine.mem);
    CHECK_EQ(quire_memblock_reserved_size(&machine.memblock), 0);
}

static void a_map_without_a_whole_frame_is_refused(void)
{
    if (!empty_map())
        return;
    CHECK_EQ(quire_memblock_add(&machine.memblock, QUIRE_PAGE_SIZE + 1, QUIRE_PAGE_SIZE, 0,
                                QUIRE_MEMBLOCK_RAM),
             0);
    CHECK_EQ(machine_start((struct quire_mem_config){0}), -QUIRE_EINVAL);
    CHECK(machine_said("has not one whole frame"));
}

static void a_map_too_small_for_its_descriptors_is_refused_and_named(void)
{
    if (!empty_map())
        return;
    const quire_phys_t base = 8 * QUIRE_PAGE_SIZE, size = 4 * QUIRE_PAGE_SIZE, room = 16384;
    CHECK_EQ(quire_memblock_reserve(&machine.memblock, base + room, size - room), 0);
    CHECK_EQ(quire_memblock_add(&machine.memblock, base, size, 0, QUIRE_MEMBLOCK_RAM), 0);
    CHECK_EQ(machine_start((struct quire_mem_config){.nr_cpus = 1}), -QUIRE_ENOMEM);
    CHECK(machine_said("memory map \"test\": "));
    CHECK(machine_said("is too small to hold its own descriptors"));
    CHECK(!machine.mem);
    CHECK_EQ(quire_memblock_reserved_size(&machine.memblock), size - room);
}

/* Every size from nothing to enough: each step of the start-up fails once for want of memory. */
static void a_start_that_fails_leaves_the_map_as_it_was(void)
{
    unsigned failed = 0, started = 0;
    for (quire_phys_t size = QUIRE_PAGE_SIZE; size < 4 * MIB && started < 3; size += 4096) {
        if (!empty_map())
            return;
        CHECK_EQ(quire_memblock_reserve(&machine.memblock, 0, 100), 0);
        CHECK_EQ(quire_memblock_add(&machine.memblock, 0, size, 0, QUIRE_MEMBLOCK_RAM), 0);
        int error = machine_start((struct quire_mem_config){.nr_cpus = 1});
        if (!error) {
            started++;
            quire_mem_check(machine.mem);
            continue;
        }
        failed++;
        CHECK_EQ(error, -QUIRE_ENOMEM);
        CHECK_EQ(quire_memblock_reserved_size(&machine.memblock), 100);
        CHECK(!machine.mem && !started);
    }
    CHECK(failed > 4);
    CHECK_EQ(started, 3);
}

static void ranges_that_overlap_or_wrap_are_refused_and_named(void)
{
    if (!empty_map())
        return;
    struct quire_memblock *map = &machine.memblock;
    CHECK_EQ(quire_memblock_add(map, MIB, MIB, 0, QUIRE_MEMBLOCK_RAM), 0);
    char where[24];
    quire_snprintf(where, sizeof where, "0x%llx", (unsigned long long)MIB + 4096);
    int other = QUIRE_MAX_NODES - 1;
    enum quire_memblock_kind kind = other ? QUIRE_MEMBLOCK_RAM : QUIRE_MEMBLOCK_HOTPLUG;
    CHECK_EQ(quire_memblock_add(map, MIB + 4096, 4096, other, kind), -QUIRE_EEXIST);
    CHECK(machine_said(where));
    CHECK_EQ(quire_memblock_add(map, MIB, MIB, 0, QUIRE_MEMBLOCK_NOMAP), -QUIRE_EEXIST);
    CHECK_EQ(quire_memblock_add(map, UINT64_MAX - 4095, 8192, 0, QUIRE_MEMBLOCK_RAM),
             -QUIRE_EINVAL);
    CHECK(machine_said("0xfffffffffffff000"));
    CHECK_EQ(quire_memblock_add(map, 2 * MIB, MIB, QUIRE_MAX_NODES, QUIRE_MEMBLOCK_RAM),
             -QUIRE_EINVAL);
    CHECK_EQ(quire_memblock_memory_size(map), MIB);
    CHECK_EQ(quire_memblock_reserved_size(map), 0);
}

static void a_map_is_handed_over_once(void)
{
    if (!machine_boot_plain(4 * MIB, (struct quire_mem_config){0}))
        return;
    struct quire_mem *first = machine.mem;
    CHECK_EQ(machine_start((struct quire_mem_config){0}), -QUIRE_EINVAL);
    CHECK(machine_said("was handed over already"));
    CHECK(machine.mem == first);
    CHECK_EQ(quire_memblock_add(&machine.memblock, 8 * MIB, MIB, 0, QUIRE_MEMBLOCK_RAM),
             -QUIRE_EINVAL);
    CHECK_EQ(quire_memblock_reserve(&machine.memblock, 0, MIB), -QUIRE_EINVAL);
    CHECK(!quire_memblock_alloc(&machine.memblock, 4096, 1, 0, UINT64_MAX, -1));
}

/* ---- configurations that won't do ------------------------------------------------------------ */

static void a_configuration_out_of_range_is_refused_by_field(void)
{
    static const uint8_t far_node[1] = {7};
    const struct {
        const char *field;
        struct quire_mem_config config;
    } wrong[] = {
        {"config.nr_nodes", {.nr_nodes = QUIRE_MAX_NODES + 1}},
        {"config.nr_cpus", {.nr_cpus = QUIRE_MAX_CPUS + 1}},
        {"config.cpu_node", {.nr_cpus = 1, .cpu_node = far_node}},
        {"config.watermark_scale_factor", {.watermark_scale_factor = 3001}},
        {"config.debug", {.debug = 0x80}},
        {"config.min_free_kbytes", {.min_free_kbytes = KBYTES(512) + 1}},
        {"config.movable_size", {.movable_size = 5 * MIB}},
        {"config.max_phys", {.max_phys = UINT64_MAX}},
        {"config.zone_end", {.zone_end = {4 * block_bytes, 4 * block_bytes}}},
        {"config.zone_end", {.zone_end = {block_bytes + 4096, 4 * block_bytes}}},
        {"config.zone_end", {.zone_end = {[QUIRE_ZONE_MOVABLE] = UINT64_MAX}}},
    };
    for (unsigned i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        if (!machine_map(four_mib))
            return;
        int error = machine_start(wrong[i].config);
        CHECK_EQ(error, -QUIRE_EINVAL);
        CHECK(machine_said(wrong[i].field));
        if (error != -QUIRE_EINVAL)
            test_note("number %u, %s", i, wrong[i].field);
        CHECK_EQ(quire_memblock_reserved_size(&machine.memblock), 0);
    }
}

static void fewer_nodes_than_the_map_has_are_refused(void)
{
    static const struct quire_memblock_region map[] = {
        {.size = 4 * MIB}, {.base = 4 * MIB, .size = 4 * MIB, .node = 2}, {0}};
    if (!machine_map(map))
        return;
    CHECK_EQ(machine_start((struct quire_mem_config){.nr_nodes = 2}), -QUIRE_EINVAL);
    CHECK(machine_said("config.nr_nodes"));
}

static void a_configuration_without_a_port_is_refused(void)
{
    if (!machine_map(four_mib))
        return;
    struct quire_mem *mem = NULL;
    CHECK_EQ(quire_mem_init(&mem, &machine.memblock, &(struct quire_mem_config){0}), -QUIRE_EINVAL);
    CHECK(machine_said("config.port"));
    CHECK_EQ(quire_mem_init(&mem, &machine.memblock, NULL), -QUIRE_EINVAL);
    CHECK(machine_said("config is missing"));
    CHECK(!mem);
}

/* ---- zones ----------------------------------------------------------------------------------- */

#define ENDS                                                                                       \
    {                                                                                              \
        4 * MIB, 8 * MIB, 16 * MIB, UINT64_MAX, 0                                                  \
    }

static const struct quire_memblock_region four_zones[] = {
    {.base = 0, .size = 6 * MIB},
    {.base = 8 * MIB, .size = 4 * MIB},
    {.base = 14 * MIB, .size = 10 * MIB},
    {0},
};

static void memory_goes_to_zones_by_address(void)
{
    static const struct {
        enum quire_zone_type type;
        unsigned long start, spanned, present; /* MiB */
    } expected[] = {
        {QUIRE_ZONE_DMA, 0, 4, 4},
        {QUIRE_ZONE_DMA32, 4, 2, 2},
        {QUIRE_ZONE_NORMAL, 8, 8, 6},
        {QUIRE_ZONE_HIGHMEM, 16, 8, 8},
    };
    struct quire_zone_info info;
    unsigned long managed = 0;
    if (!machine_boot(four_zones, (struct quire_mem_config){.nr_cpus = 1, .zone_end = ENDS}))
        return;
    for (unsigned zone = 0; zone < 4; zone++) {
        info = zone_info(zone);
        CHECK_EQ(info.type, expected[zone].type);
        CHECK_EQ(info.start.value, PAGES(expected[zone].start * MIB));
        CHECK_EQ(info.spanned, PAGES(expected[zone].spanned * MIB));
        CHECK_EQ(info.present, PAGES(expected[zone].present * MIB));
        CHECK(info.managed <= info.present);
        CHECK_EQ(info.nr_free, info.managed);
        managed += info.managed;
    }
    CHECK_EQ(quire_zone_info(machine.mem, 4, &info), -QUIRE_ENOENT);
    CHECK_EQ(quire_nr_managed_pages(machine.mem), managed);
    CHECK_EQ(quire_nr_free_pages(machine.mem), managed);
    quire_mem_check(machine.mem);
}

/* What isn't managed is metadata, whole pages of it, and frame 0. */
static void metadata_is_what_was_carved_from_the_map(void)
{
    if (!machine_boot_plain(16 * MIB, (struct quire_mem_config){.nr_cpus = 4}))
        return;
    size_t metadata = quire_metadata_size(machine.mem);
    unsigned long taken = PAGES(16 * MIB) - quire_nr_managed_pages(machine.mem);
    CHECK_EQ(quire_memblock_reserved_size(&machine.memblock), metadata);
    CHECK(metadata > PAGES(16 * MIB) * sizeof(struct quire_page));
    unsigned long pieces =
        3 + (PAGES(16 * MIB) - 1) / QUIRE_SECTION_PAGES; /* each in part a page */
    CHECK(taken >= PAGES(metadata) + 1 && taken <= PAGES(metadata) + 1 + pieces);
}

static bool is_ram(unsigned long pfn, const struct quire_memblock_region *map)
{
    for (; map->size; map++)
        if (map->kind != QUIRE_MEMBLOCK_NOMAP && pfn >= PAGES(map->base) &&
            pfn < PAGES(map->base + map->size))
            return true;
    return false;
}

static void holes_reserved_frames_and_frame_0_are_never_handed_out(void)
{
    static const struct quire_memblock_region map[] = {
        {.base = 0, .size = 3 * MIB + 5 * QUIRE_PAGE_SIZE + 2 * KIB},
        {.base = 3 * MIB + 9 * QUIRE_PAGE_SIZE + 2 * KIB, .size = MIB},
        {.base = 5 * MIB, .size = 64 * KIB, .kind = QUIRE_MEMBLOCK_NOMAP},
        {.base = 6 * MIB, .size = 2 * MIB},
        {0},
    };
    if (!machine_map(map))
        return;
    CHECK_EQ(quire_memblock_reserve(&machine.memblock, 7 * MIB + 100, 5 * KIB), 0);
    int error = machine_start((struct quire_mem_config){.nr_cpus = 1});
    CHECK_EQ(error, 0);
    if (error)
        return;
    struct quire_page *chain;
    unsigned long taken =
        take_pages(QUIRE_GFP_KERNEL | QUIRE_GFP_MEMALLOC, PAGES(16 * MIB), &chain);
    CHECK_EQ(taken, quire_nr_managed_pages(machine.mem));
    for (struct quire_page *page = chain; page; page = page->owner.pointer[0]) {
        unsigned long pfn = page->pfn;
        CHECK(pfn);
        CHECK(is_ram(pfn, map));
        CHECK(pfn < PAGES(7 * MIB) || pfn > PAGES(7 * MIB) + 1);
        /* Frames that the map has only half of. */
        CHECK(pfn != PAGES(3 * MIB) + 5 && pfn != PAGES(3 * MIB) + 9);
    }
    free_chain(chain);
    quire_mem_check(machine.mem);
}

static void a_hole_has_no_descriptors_where_a_section_has_none(void)
{
    const quire_phys_t section = (quire_phys_t)1 << QUIRE_SECTION_SHIFT;
    if (!machine_boot_plain(4 * MIB,
                            (struct quire_mem_config){.nr_cpus = 1, .max_phys = 4 * section}))
        return;
    CHECK(quire_pfn_valid(machine.mem, quire_pfn(0)));
    CHECK(quire_pfn_valid(machine.mem, quire_pfn(PAGES(4 * MIB) - 1)));
    CHECK(!quire_pfn_valid(machine.mem, quire_pfn(PAGES(4 * MIB))));
    CHECK(!quire_pfn_valid(machine.mem, quire_pfn(PAGES(section))));
    CHECK(!quire_pfn_valid(machine.mem, quire_pfn(PAGES(5 * section))));
    CHECK(!quire_pfn_valid(machine.mem, quire_pfn(~0ul)));
}

static void memory_beyond_the_last_zone_isnt_used(void)
{
    static const struct quire_memblock_region map[] = {{.size = 8 * MIB}, {0}};
    if (!machine_boot(map, (struct quire_mem_config){.nr_cpus = 1,
                                                     .zone_end = {[QUIRE_ZONE_NORMAL] = 4 * MIB}}))
        return;
    char said[64];
    quire_snprintf(said, sizeof said, "[0x0, 0x%llx) reaches beyond the last zone",
                   (unsigned long long)(8 * MIB));
    CHECK(machine_said(said));
    CHECK_EQ(zone_info(0).present, PAGES(4 * MIB));
    CHECK(quire_nr_managed_pages(machine.mem) <= PAGES(4 * MIB));
    struct quire_page *beyond = quire_pfn_to_page(machine.mem, quire_pfn(PAGES(6 * MIB)));
    CHECK_EQ(quire_page_node(machine.mem, beyond), -1);
    CHECK_EQ(quire_page_zone(machine.mem, beyond), QUIRE_NR_ZONES);
    quire_free_page(machine.mem, beyond);
    CHECK(machine_caught("hole of the memory map"));
}

static void highmem_is_never_directly_mapped(void)
{
    if (!machine_map(four_zones))
        return;
    machine.port.direct_end = 16 * MIB;
    CHECK_EQ(machine_start((struct quire_mem_config){.nr_cpus = 1, .zone_end = ENDS}), 0);
    if (!machine.mem)
        return;
    CHECK_EQ(zone_info_of(QUIRE_ZONE_HIGHMEM).managed, PAGES(8 * MIB));
    struct quire_page *high = quire_alloc_page(machine.mem, QUIRE_GFP_HIGHUSER | QUIRE_GFP_ZERO);
    CHECK(high && quire_page_zone(machine.mem, high) == QUIRE_ZONE_HIGHMEM);
    CHECK(high && !quire_page_address(machine.mem, high));
    /* Allocations by address never see it, even when all else is gone. */
    struct quire_page *chain;
    take_pages(QUIRE_GFP_KERNEL | QUIRE_GFP_MEMALLOC, ~0ul, &chain);
    CHECK(!quire_get_free_pages(machine.mem, QUIRE_GFP_KERNEL | QUIRE_GFP_NOWARN, 0));
    for (struct quire_page *page = chain; page; page = page->owner.pointer[0])
        CHECK(quire_page_zone(machine.mem, page) != QUIRE_ZONE_HIGHMEM);
    free_chain(chain);
    quire_free_page(machine.mem, high);
}

static void an_address_and_its_page_find_each_other(void)
{
    if (!machine_boot_plain(4 * MIB, (struct quire_mem_config){.nr_cpus = 1}))
        return;
    struct quire_page *page = quire_alloc_page(machine.mem, QUIRE_GFP_KERNEL);
    REQUIRE(page);
    char *address = quire_page_address(machine.mem, page);
    CHECK(address == machine.port.base + quire_page_to_phys(page));
    CHECK(quire_virt_to_page(machine.mem, address + 123) == page);
    CHECK(quire_pfn_to_page(machine.mem, quire_page_to_pfn(page)) == page);
    CHECK_EQ(quire_page_node(machine.mem, page), 0);
    CHECK_EQ(quire_page_zone(machine.mem, page), QUIRE_ZONE_NORMAL);
    quire_free_page(machine.mem, page);
}

/* ---- movable memory -------------------------------------------------------------------------- */

static void movable_size_is_spread_over_the_tops_of_nodes(void)
{
    static const struct quire_memblock_region map[] = {
        {.size = 16 * MIB}, {.base = 16 * MIB, .size = 16 * MIB, .node = 1}, {0}};
    if (!machine_boot(map,
                      (struct quire_mem_config){.nr_cpus = 1,
                                                .movable_size = 16 * MIB,
                                                .zone_end = {[QUIRE_ZONE_NORMAL] = UINT64_MAX}}))
        return;
    for (unsigned node = 0; node < 2; node++) {
        struct quire_zone_info normal = zone_info(2 * node), movable = zone_info(2 * node + 1);
        CHECK_EQ(normal.type, QUIRE_ZONE_NORMAL);
        CHECK_EQ(movable.type, QUIRE_ZONE_MOVABLE);
        CHECK_EQ(movable.node, node);
        CHECK_EQ(normal.present, PAGES(8 * MIB));
        CHECK_EQ(movable.present, PAGES(8 * MIB));
        CHECK_EQ(movable.managed, movable.present); /* no metadata in it */
        CHECK_EQ(movable.start.value, PAGES((node + 1) * 16 * MIB - 8 * MIB));
    }
    struct quire_page *page = quire_alloc_page(machine.mem, QUIRE_GFP_HIGHUSER_MOVABLE);
    CHECK(page && quire_page_zone(machine.mem, page) == QUIRE_ZONE_MOVABLE);
    struct quire_page *other = quire_alloc_page(machine.mem, QUIRE_GFP_KERNEL | QUIRE_GFP_MOVABLE);
    CHECK(other && quire_page_zone(machine.mem, other) == QUIRE_ZONE_NORMAL);
    quire_free_page(machine.mem, page);
    quire_free_page(machine.mem, other);
}

/* Where there is other memory, if only on another node. */
static void metadata_of_a_node_that_can_go_lies_elsewhere(void)
{
    static const struct quire_memblock_region map[] = {
        {.size = 16 * MIB},
        {.base = 16 * MIB, .size = 16 * MIB, .node = 1, .kind = QUIRE_MEMBLOCK_HOTPLUG},
        {0}};
    if (!machine_boot(
            map, (struct quire_mem_config){
                     .nr_cpus = 1,
                     .zone_end = {[QUIRE_ZONE_NORMAL] = UINT64_MAX, [QUIRE_ZONE_MOVABLE] = 1}}))
        return;
    struct quire_zone_info movable = zone_info(3);
    CHECK_EQ(movable.type, QUIRE_ZONE_MOVABLE);
    CHECK_EQ(movable.node, 1);
    CHECK_EQ(movable.present, PAGES(16 * MIB));
    CHECK_EQ(movable.managed, movable.present);
}

/* Little else: metadata takes half of it at most. Nothing else: it lies in what is movable. */
static void a_machine_nearly_all_movable_keeps_what_isnt(void)
{
    static const struct quire_memblock_region map[] = {{.size = 16 * MIB}, {0}};
    for (unsigned rest = 0; rest <= 2; rest++) {
        struct quire_mem_config config = {.nr_cpus = 1,
                                          .movable_size = 16 * MIB - rest * block_bytes,
                                          .zone_end = {[QUIRE_ZONE_NORMAL] = UINT64_MAX}};
        if (!machine_boot(map, config))
            return;
        struct quire_zone_info normal = zone_info(0), movable = zone_info(1);
        CHECK_EQ(normal.present + movable.present, PAGES(16 * MIB));
        CHECK(normal.managed + 1 >= normal.present / 2);
        if (!normal.present)
            CHECK(movable.managed < movable.present);
        quire_mem_check(machine.mem);
    }
}

static void hotplug_memory_is_movable_where_that_exists(void)
{
    static const struct quire_memblock_region map[] = {
        {.size = 8 * MIB},
        {.base = 8 * MIB, .size = 8 * MIB, .kind = QUIRE_MEMBLOCK_HOTPLUG},
        {0},
    };
    for (unsigned movable = 0; movable < 2; movable++) {
        struct quire_mem_config config = {
            .nr_cpus = 1,
            .zone_end =
                {[QUIRE_ZONE_NORMAL] = UINT64_MAX, [QUIRE_ZONE_MOVABLE] = movable ? UINT64_MAX : 0},
        };
        if (!machine_boot(map, config))
            return;
        CHECK_EQ(zone_info(0).present, PAGES(movable ? 8 * MIB : 16 * MIB));
        if (movable)
            CHECK_EQ(zone_info(1).managed, PAGES(8 * MIB)); /* no metadata in it */
    }
}

/* ---- the rest of a machine's life ------------------------------------------------------------ */

static void two_machines_live_in_one_process(void)
{
    static struct quire_memblock memblock[2];
    static const struct quire_memblock_region map[] = {{.size = 8 * MIB}, {0}};
    struct quire_port_mem port[2];
    struct quire_mem *mem[2] = {NULL, NULL};
    struct quire_page *page[2];
    if (!machine_map(map))
        return;
    for (unsigned i = 0; i < 2; i++) {
        port[i] = machine.port;
        port[i].base += i * 4 * MIB;
        port[i].direct_end = 4 * MIB;
        quire_memblock_init(&memblock[i], "one of two", &port[i]);
        CHECK_EQ(quire_memblock_add(&memblock[i], 0, 4 * MIB, 0, QUIRE_MEMBLOCK_RAM), 0);
        CHECK_EQ(quire_mem_init(&mem[i], &memblock[i],
                                &(struct quire_mem_config){.port = &port[i], .nr_cpus = 1}),
                 0);
    }
    REQUIRE(mem[0] && mem[1]);
    unsigned long free_pages = quire_nr_free_pages(mem[1]);
    for (unsigned i = 0; i < 2; i++)
        page[i] = quire_alloc_page(mem[i], QUIRE_GFP_KERNEL);
    REQUIRE(page[0] && page[1]);
    CHECK_EQ(page[0]->pfn, page[1]->pfn);
    CHECK(quire_page_address(mem[0], page[0]) != quire_page_address(mem[1], page[1]));
    quire_free_page(mem[0], page[0]);
    CHECK_EQ(quire_nr_free_pages(mem[1]), free_pages - 1);
    quire_free_page(mem[1], page[1]);
    for (unsigned i = 0; i < 2; i++) {
        quire_mem_check(mem[i]);
        CHECK_EQ(quire_mem_destroy(mem[i]), 0);
    }
}

static void destroy_tells_how_many_pages_are_still_allocated(void)
{
    if (!machine_boot_plain(4 * MIB, (struct quire_mem_config){.nr_cpus = 1}))
        return;
    CHECK(quire_alloc_page(machine.mem, QUIRE_GFP_KERNEL));
    CHECK(quire_alloc_pages(machine.mem, QUIRE_GFP_KERNEL, 5));
    CHECK_EQ(quire_mem_destroy(machine.mem), 33);
}

static void reserved_frames_can_be_released_once(void)
{
    static const struct quire_memblock_region map[] = {{.size = 8 * MIB}, {0}};
    if (!machine_map(map))
        return;
    CHECK_EQ(quire_memblock_reserve(&machine.memblock, 2 * MIB + 100, MIB), 0);
    CHECK_EQ(machine_start((struct quire_mem_config){
                 .nr_cpus = 1, .zone_end = {[QUIRE_ZONE_NORMAL] = UINT64_MAX}}),
             0);
    REQUIRE(machine.mem);
    struct quire_mem *mem = machine.mem;
    unsigned long managed = quire_nr_managed_pages(mem), free_pages = quire_nr_free_pages(mem);
    unsigned long low = zone_info(0).watermark_low;
    CHECK_EQ(quire_free_reserved(mem, MIB, MIB), -QUIRE_EINVAL);
    CHECK(machine_heard("can't free the reserved memory [0x"));
    CHECK_EQ(quire_free_reserved(mem, 2 * MIB, 2 * MIB), -QUIRE_EINVAL);
    CHECK(machine_heard("not all of it is reserved"));
    CHECK_EQ(quire_free_reserved(mem, 2 * MIB + 100, 1000), -QUIRE_EINVAL); /* no whole frame */
    CHECK(machine_heard("it has no whole frame"));
    CHECK_EQ(quire_free_reserved(mem, 64 * MIB, MIB), -QUIRE_EINVAL);
    CHECK_EQ(quire_free_reserved(mem, UINT64_MAX - 4096, 8192), -QUIRE_EINVAL);
    CHECK(machine_heard("it wraps around"));
    CHECK_EQ(quire_nr_managed_pages(mem), managed);
    CHECK_EQ(quire_free_reserved(mem, 2 * MIB + 100, MIB), 0);
    CHECK_EQ(quire_nr_managed_pages(mem), managed + PAGES(MIB) - 1);
    CHECK_EQ(quire_nr_free_pages(mem), free_pages + PAGES(MIB) - 1);
    CHECK(zone_info(0).watermark_low >= low);
    CHECK_EQ(quire_free_reserved(mem, 2 * MIB + 100, MIB), -QUIRE_EINVAL);
    quire_mem_check(mem);
}

static void memory_that_the_port_doesnt_map_is_refused(void)
{
    static const struct quire_memblock_region map[] = {{.size = 16 * MIB}, {0}};
    struct quire_mem_config config = {.nr_cpus = 1, .zone_end = {[QUIRE_ZONE_NORMAL] = UINT64_MAX}};
    if (!machine_map(map))
        return;
    machine.port.direct_end = 12 * MIB;
    CHECK_EQ(machine_start(config), -QUIRE_EINVAL);
    CHECK(machine_said("doesn't map it directly"));
    config.zone_end[QUIRE_ZONE_NORMAL] = 12 * MIB;
    config.zone_end[QUIRE_ZONE_HIGHMEM] = UINT64_MAX;
    CHECK_EQ(machine_start(config), 0);
}

static const struct test_case cases[] = {
    TEST_CASE(an_empty_map_is_refused),
    TEST_CASE(a_map_without_a_whole_frame_is_refused),
    TEST_CASE(a_map_too_small_for_its_descriptors_is_refused_and_named),
    TEST_CASE(a_start_that_fails_leaves_the_map_as_it_was),
    TEST_CASE(ranges_that_overlap_or_wrap_are_refused_and_named),
    TEST_CASE(a_map_is_handed_over_once),
    TEST_CASE(a_configuration_out_of_range_is_refused_by_field),
    TEST_CASE(fewer_nodes_than_the_map_has_are_refused),
    TEST_CASE(a_configuration_without_a_port_is_refused),
    TEST_CASE(memory_goes_to_zones_by_address),
    TEST_CASE(metadata_is_what_was_carved_from_the_map),
    TEST_CASE(holes_reserved_frames_and_frame_0_are_never_handed_out),
    TEST_CASE(a_hole_has_no_descriptors_where_a_section_has_none),
    TEST_CASE(memory_beyond_the_last_zone_isnt_used),
    TEST_CASE(highmem_is_never_directly_mapped),
    TEST_CASE(an_address_and_its_page_find_each_other),
    TEST_CASE(movable_size_is_spread_over_the_tops_of_nodes),
    TEST_CASE(metadata_of_a_node_that_can_go_lies_elsewhere),
    TEST_CASE(a_machine_nearly_all_movable_keeps_what_isnt),
    TEST_CASE(hotplug_memory_is_movable_where_that_exists),
    TEST_CASE(two_machines_live_in_one_process),
    TEST_CASE(destroy_tells_how_many_pages_are_still_allocated),
    TEST_CASE(reserved_frames_can_be_released_once),
    TEST_CASE(memory_that_the_port_doesnt_map_is_refused),
    {0},
};
const struct test_suite suite_init = {"init", cases};
