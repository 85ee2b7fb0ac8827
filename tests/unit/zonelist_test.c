/* tests/unit/zonelist_test.c: in which order nodes and zones are tried */
#include "tests/unit/machine.h"

#define NODE_SIZE (8 * MIB)

/* Nodes 0, 1, 2; from 0 the nearest is 2, from 1 it is 0, from 2 both are as near. */
static const struct quire_memblock_region three_nodes[] = {
    {.size = NODE_SIZE},
    {.base = NODE_SIZE, .size = NODE_SIZE, .node = 1},
    {.base = 2 * NODE_SIZE, .size = NODE_SIZE, .node = 2},
    {0},
};
static const uint8_t distances[9] = {10, 40, 20, /**/ 20, 10, 30, /**/ 20, 20, 10};
static const uint8_t cpu_node[3] = {0, 1, 2};

static struct quire_mem_config config(bool no_pcp)
{
    return (struct quire_mem_config){
        .nr_cpus = 3,
        .cpu_node = cpu_node,
        .distance = distances,
        .no_pcp = no_pcp,
        .zone_end = {[QUIRE_ZONE_NORMAL] = UINT64_MAX},
    };
}

static void nodes_are_tried_by_distance(void)
{
    static const int order[3][3] = {{0, 2, 1}, {1, 0, 2}, {2, 0, 1}};
    for (int from = 0; from < 3; from++) {
        struct quire_page *page;
        unsigned step = 0, changes = 0;
        if (!machine_boot(three_nodes, config(true)))
            return;
        while ((page = quire_alloc_pages_node(machine.mem, from,
                                              QUIRE_GFP_KERNEL | QUIRE_GFP_NOWARN, 0))) {
            int node = quire_page_node(machine.mem, page);
            /* The fast path goes round down to the low marks, the slow one down to min. */
            if (node != order[from][step]) {
                step = (step + 1) % 3;
                changes++;
            }
            REQUIRE(node == order[from][step]);
        }
        CHECK_EQ(changes, 5);
    }
}

static void this_node_or_nothing(void)
{
    struct quire_page *page;
    unsigned long count = 0;
    if (!machine_boot(three_nodes, config(true)))
        return;
    const quire_gfp_t gfp = QUIRE_GFP_KERNEL | QUIRE_GFP_THISNODE | QUIRE_GFP_NOWARN;
    while ((page = quire_alloc_pages_node(machine.mem, 1, gfp, 0))) {
        REQUIRE(quire_page_node(machine.mem, page) == 1);
        count++;
    }
    struct quire_zone_info info = zone_info(1);
    CHECK_EQ(count, info.managed - info.watermark_min);
    page = quire_alloc_pages_node(machine.mem, 1, QUIRE_GFP_KERNEL, 0);
    CHECK(page && quire_page_node(machine.mem, page) == 0);
}

static void a_cpu_allocates_from_its_own_node(void)
{
    if (!machine_boot(three_nodes, config(false)))
        return;
    for (unsigned cpu = 0; cpu < 3; cpu++) {
        test_environment.set_cpu(cpu);
        for (unsigned order = 0; order <= 5; order++) {
            struct quire_page *page = quire_alloc_pages(machine.mem, QUIRE_GFP_KERNEL, order);
            CHECK(page && quire_page_node(machine.mem, page) == (int)cpu);
            page = quire_alloc_pages(machine.mem, QUIRE_GFP_KERNEL | QUIRE_GFP_THISNODE, order);
            CHECK(page && quire_page_node(machine.mem, page) == (int)cpu);
        }
    }
    /* Who has no CPU number is on the first node. */
    test_environment.set_cpu(77);
    struct quire_page *page = quire_alloc_page(machine.mem, QUIRE_GFP_KERNEL);
    CHECK(page && quire_page_node(machine.mem, page) == 0);
    test_environment.set_cpu(0);
    quire_mem_check(machine.mem);
}

static void a_page_of_another_node_is_freed_to_its_own(void)
{
    if (!machine_boot(three_nodes, config(false)))
        return;
    struct quire_page *page = quire_alloc_pages_node(machine.mem, 2, QUIRE_GFP_KERNEL, 0);
    REQUIRE(page);
    CHECK_EQ(quire_page_node(machine.mem, page), 2);
    quire_drain_all_pages(machine.mem);
    quire_free_page(machine.mem, page);
    CHECK_EQ(zone_info(2).nr_pcp, 1);
    CHECK_EQ(zone_info(0).nr_pcp, 0);
    quire_drain_all_pages(machine.mem);
    for (unsigned zone = 0; zone < 3; zone++)
        CHECK_EQ(zone_info(zone).nr_free, zone_info(zone).managed);
}

/* Node 1 has no memory. A CPU there uses what is nearest, but has nothing of its own. */
static void a_node_without_memory_borrows(void)
{
    static const uint8_t on_node_1[1] = {1};
    static const struct quire_memblock_region map[] = {
        {.size = NODE_SIZE}, {.base = NODE_SIZE, .size = NODE_SIZE, .node = 2}, {0}};
    struct quire_mem_config borrower = config(false);
    borrower.nr_cpus = 1;
    borrower.cpu_node = on_node_1;
    if (!machine_boot(map, borrower))
        return;
    for (unsigned order = 0; order <= 4; order += 4) {
        struct quire_page *page = quire_alloc_pages(machine.mem, QUIRE_GFP_KERNEL, order);
        CHECK(page && quire_page_node(machine.mem, page) == 0);
        quire_free_pages(machine.mem, page, order);
        CHECK(!quire_alloc_pages(machine.mem,
                                 QUIRE_GFP_KERNEL | QUIRE_GFP_THISNODE | QUIRE_GFP_NOWARN, order));
        CHECK(!quire_alloc_pages_node(
            machine.mem, 1, QUIRE_GFP_KERNEL | QUIRE_GFP_THISNODE | QUIRE_GFP_NOWARN, order));
    }
    CHECK_EQ(quire_nr_free_pages(machine.mem), quire_nr_managed_pages(machine.mem));
    quire_mem_check(machine.mem);
}

static void without_distances_other_nodes_are_tried_by_number(void)
{
    struct quire_page *page;
    struct quire_mem_config plain = config(true);
    plain.distance = NULL;
    if (!machine_boot(three_nodes, plain))
        return;
    unsigned long count = 0;
    while ((page = quire_alloc_pages_node(machine.mem, 2, QUIRE_GFP_KERNEL, 0)) &&
           quire_page_node(machine.mem, page) == 2)
        count++;
    CHECK(count);
    CHECK(page && quire_page_node(machine.mem, page) == 0);
}

/* All of a node, its scarce low memory included, comes before another node. */
static void a_nodes_zones_are_tried_from_the_highest_down(void)
{
    static const struct quire_memblock_region map[] = {
        {.size = 16 * MIB}, {.base = 16 * MIB, .size = 8 * MIB, .node = 1}, {0}};
    static const struct quire_mem_config zones = {
        .nr_cpus = 1, .no_pcp = true, .zone_end = {4 * MIB, 8 * MIB, UINT64_MAX, 0, 0}};
    if (!machine_boot(map, zones))
        return;
    static const struct {
        int node;
        enum quire_zone_type type;
    } expected[] = {
        {0, QUIRE_ZONE_NORMAL}, {0, QUIRE_ZONE_DMA32}, {0, QUIRE_ZONE_DMA}, {1, QUIRE_ZONE_NORMAL}};
    unsigned step = 0;
    struct quire_page *page;
    while (step < 3 && (page = quire_alloc_page(machine.mem, QUIRE_GFP_KERNEL)))
        if (quire_page_node(machine.mem, page) != expected[step].node ||
            quire_page_zone(machine.mem, page) != expected[step].type) {
            step++;
            REQUIRE(quire_page_node(machine.mem, page) == expected[step].node);
            REQUIRE(quire_page_zone(machine.mem, page) == expected[step].type);
        }
    CHECK_EQ(step, 3);
}

static void a_set_of_nodes_or_nothing(void)
{
    static const struct {
        int from;
        unsigned nodes;
        int first, second;
    } sets[] = {{0, 6, 2, 1}, {1, 5, 0, 2}, {2, 4, 2, -1}, {-1, 6, 2, 1}, {0, 0, -1, -1}};
    const quire_gfp_t gfp = QUIRE_GFP_KERNEL | QUIRE_GFP_NOWARN;
    for (unsigned i = 0; i < sizeof sets / sizeof sets[0]; i++) {
        unsigned long taken[3] = {0};
        struct quire_page *page;
        int first = -1;
        if (!machine_boot(three_nodes, config(true)))
            return;
        while (
            (page = quire_alloc_pages_nodemask(machine.mem, sets[i].from, sets[i].nodes, gfp, 0))) {
            int node = quire_page_node(machine.mem, page);
            first = first < 0 ? node : first;
            taken[node]++;
        }
        CHECK_EQ(first, sets[i].first);
        for (int node = 0; node < 3; node++)
            CHECK_EQ(taken[node] != 0, node == sets[i].first || node == sets[i].second);
    }
    CHECK_EQ(quire_mem_nodes(machine.mem), 7);
    CHECK_EQ(quire_node_distance(machine.mem, 1, 2), 30);
    struct quire_node_info info;
    CHECK_EQ(quire_node_info(machine.mem, 1, &info), 0);
    CHECK_EQ(info.present, PAGES(NODE_SIZE));
    CHECK_EQ(info.nr_free, info.managed);
    CHECK_EQ(quire_node_info(machine.mem, 3, &info), -QUIRE_ENOENT);
}

static const struct test_case cases[] = {
    TEST_CASE(nodes_are_tried_by_distance),
    TEST_CASE(this_node_or_nothing),
    TEST_CASE(a_cpu_allocates_from_its_own_node),
    TEST_CASE(a_page_of_another_node_is_freed_to_its_own),
    TEST_CASE(a_node_without_memory_borrows),
    TEST_CASE(without_distances_other_nodes_are_tried_by_number),
    TEST_CASE(a_nodes_zones_are_tried_from_the_highest_down),
    TEST_CASE(a_set_of_nodes_or_nothing),
    {0},
};
const struct test_suite suite_zonelist = {"zonelist", cases};
