/* tests/unit/watermark_test.c: how much stays free, and who may use it nevertheless */
#include "tests/unit/machine.h"

static unsigned long wakes, wakes_of_node[2];

static void count_wake(void *arg, int node, unsigned order, enum quire_zone_type highest)
{
    (void)arg;
    (void)order;
    (void)highest;
    wakes++;
    wakes_of_node[node]++;
}

static const struct quire_mem_ops waking_ops = {
    .wake_reclaim = count_wake,
    .bad_page = machine_bad_page,
};

/* One zone, 256 pages kept free: min 256, low 320, high 384. */
static struct quire_mem_config keeping_256(void)
{
    return (struct quire_mem_config){.nr_cpus = 1, .no_pcp = true, .min_free_kbytes = KBYTES(256)};
}

/* ---- the numbers ----------------------------------------------------------------------------- */

static unsigned long square_root(unsigned long x)
{
    unsigned long root = 0;
    while ((root + 1) * (root + 1) <= x)
        root++;
    return root;
}

static void check_marks(struct quire_zone_info info, unsigned long min, unsigned long step)
{
    CHECK_EQ(info.watermark_min, min);
    CHECK_EQ(info.watermark_low, min + step);
    CHECK_EQ(info.watermark_high, min + 2 * step);
    CHECK_EQ(info.watermark_boost, 0);
}

static unsigned long larger(unsigned long a, unsigned long b)
{
    return a > b ? a : b;
}

/* min_free_kbytes = sqrt(16 * KiB of low memory), at least 128. For 64 MiB about 1020 KiB, so 255
 * pages of 4 KiB; the steps are a quarter of it, 63, against 0.1 % of 16384, 16. */
static void the_default_is_linuxs_square_root(void)
{
    static const unsigned sizes[] = {1, 4, 16, 64};
    for (unsigned i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        if (!machine_boot_plain(sizes[i] * MIB, (struct quire_mem_config){.nr_cpus = 1}))
            return;
        struct quire_zone_info info = zone_info(0);
        unsigned long kbytes = info.managed << (QUIRE_PAGE_SHIFT - 10);
        unsigned long min = larger(square_root(16 * kbytes), 128) >> (QUIRE_PAGE_SHIFT - 10);
        check_marks(info, min, larger(min / 4, info.managed / 1000));
        if (QUIRE_PAGE_SHIFT == 12 && sizes[i] == 64)
            CHECK(min > 250 && min <= 256);
        if (QUIRE_PAGE_SHIFT == 12 && sizes[i] == 1)
            CHECK_EQ(min, 32); /* 128 KiB */
    }
}

static void the_scale_factor_widens_the_steps(void)
{
    struct quire_mem_config config = keeping_256();
    config.watermark_scale_factor = 1000;
    if (!machine_boot_plain(32 * MIB, config))
        return;
    unsigned long managed = zone_info(0).managed;
    check_marks(zone_info(0), 256, managed / 10);
    CHECK_EQ(quire_set_watermark_scale_factor(machine.mem, 10), 0);
    check_marks(zone_info(0), 256, 64);
    CHECK_EQ(quire_set_watermark_scale_factor(machine.mem, 0), -QUIRE_EINVAL);
    CHECK_EQ(quire_set_watermark_scale_factor(machine.mem, 3001), -QUIRE_EINVAL);
    check_marks(zone_info(0), 256, 64);
    CHECK_EQ(quire_set_watermark_scale_factor(machine.mem, 3000), 0);
    check_marks(zone_info(0), 256, managed * 3 / 10);
}

static void min_free_kbytes_can_be_set_within_half_of_memory(void)
{
    if (!machine_boot_plain(32 * MIB, keeping_256()))
        return;
    unsigned long half = (zone_info(0).managed << (QUIRE_PAGE_SHIFT - 10)) / 2;
    CHECK_EQ(quire_set_min_free_kbytes(machine.mem, KBYTES(512)), 0);
    check_marks(zone_info(0), 512, 128);
    CHECK_EQ(quire_set_min_free_kbytes(machine.mem, 0), -QUIRE_EINVAL);
    CHECK_EQ(quire_set_min_free_kbytes(machine.mem, half + 1), -QUIRE_EINVAL);
    check_marks(zone_info(0), 512, 128);
    CHECK_EQ(quire_set_min_free_kbytes(machine.mem, half), 0);
}

/* HighMem has no part in min_free_kbytes: 1/1024 of it, from 32 to 128 pages. */
static void highmem_keeps_a_little_of_its_own(void)
{
    static const struct quire_memblock_region map[] = {{.size = 24 * MIB}, {0}};
    struct quire_mem_config config = keeping_256();
    config.zone_end[QUIRE_ZONE_NORMAL] = 8 * MIB;
    config.zone_end[QUIRE_ZONE_HIGHMEM] = UINT64_MAX;
    if (!machine_boot(map, config))
        return;
    struct quire_zone_info high = zone_info_of(QUIRE_ZONE_HIGHMEM);
    unsigned long normal = zone_info_of(QUIRE_ZONE_NORMAL).managed;
    CHECK_EQ(zone_info_of(QUIRE_ZONE_NORMAL).watermark_min, 256);
    check_marks(high, 32, larger(256 * high.managed / normal / 4, high.managed / 1000));
}

/* ratio 256 for DMA and DMA32, 32 for Normal, none above; of what lies above on the node. */
static void lowmem_reserves_follow_from_what_lies_above(void)
{
    static const struct quire_memblock_region map[] = {
        {.size = 32 * MIB}, {.base = 32 * MIB, .size = 8 * MIB, .node = 1}, {0}};
    static const struct quire_mem_config config = {
        .nr_cpus = 1, .zone_end = {4 * MIB, 8 * MIB, 16 * MIB, UINT64_MAX, 0}};
    if (!machine_boot(map, config))
        return;
    unsigned long dma32 = zone_info_of(QUIRE_ZONE_DMA32).managed;
    unsigned long normal = zone_info_of(QUIRE_ZONE_NORMAL).managed;
    unsigned long high = zone_info_of(QUIRE_ZONE_HIGHMEM).managed;
    struct quire_zone_info info = zone_info_of(QUIRE_ZONE_DMA);
    CHECK_EQ(info.lowmem_reserve[QUIRE_ZONE_DMA], 0);
    CHECK_EQ(info.lowmem_reserve[QUIRE_ZONE_DMA32], dma32 / 256);
    CHECK_EQ(info.lowmem_reserve[QUIRE_ZONE_NORMAL], (dma32 + normal) / 256);
    CHECK_EQ(info.lowmem_reserve[QUIRE_ZONE_HIGHMEM], (dma32 + normal + high) / 256);
    info = zone_info_of(QUIRE_ZONE_DMA32);
    CHECK_EQ(info.lowmem_reserve[QUIRE_ZONE_DMA32], 0);
    CHECK_EQ(info.lowmem_reserve[QUIRE_ZONE_HIGHMEM], (normal + high) / 256);
    info = zone_info_of(QUIRE_ZONE_NORMAL);
    CHECK_EQ(info.lowmem_reserve[QUIRE_ZONE_NORMAL], 0);
    CHECK_EQ(info.lowmem_reserve[QUIRE_ZONE_HIGHMEM], high / 32);
    CHECK_EQ(zone_info_of(QUIRE_ZONE_HIGHMEM).lowmem_reserve[QUIRE_ZONE_MOVABLE], 0);
}

/* ---- who may go how deep --------------------------------------------------------------------- */

/* Free pages that are left when allocations under `gfp` fail. */
static unsigned long left_by(quire_gfp_t gfp)
{
    struct quire_page *chain;
    take_pages(gfp, ~0ul, &chain);
    unsigned long left = zone_info(0).nr_free;
    free_chain(chain);
    return left;
}

/* min 256. HIGH may use half of it: 128; who can't wait either a quarter of that more: 96. */
static void each_kind_of_request_stops_at_its_own_mark(void)
{
    if (!machine_boot_plain(16 * MIB, keeping_256()))
        return;
    CHECK_EQ(left_by(QUIRE_GFP_KERNEL), 256);
    CHECK_EQ(left_by(QUIRE_GFP_NOWAIT), 256);
    CHECK_EQ(left_by(0), 256);
    CHECK_EQ(left_by(QUIRE_GFP_KERNEL | QUIRE_GFP_HIGH), 128);
    CHECK_EQ(left_by(QUIRE_GFP_ATOMIC), 96);
    CHECK_EQ(left_by(QUIRE_GFP_ATOMIC | QUIRE_GFP_NOMEMALLOC), 128);
    CHECK_EQ(left_by(QUIRE_GFP_KERNEL | QUIRE_GFP_MEMALLOC), 0);
    CHECK_EQ(left_by(QUIRE_GFP_NOWAIT | QUIRE_GFP_MEMALLOC), 0);
    CHECK_EQ(left_by(QUIRE_GFP_KERNEL | QUIRE_GFP_MEMALLOC | QUIRE_GFP_NOMEMALLOC), 256);
}

/* The last page of a larger block doesn't count: 2^order - 1 must be spared as well. */
static void larger_blocks_leave_the_mark_too(void)
{
    struct quire_page *page;
    if (!machine_boot_plain(16 * MIB, keeping_256()))
        return;
    while ((page = quire_alloc_pages(machine.mem, QUIRE_GFP_KERNEL | QUIRE_GFP_NOWARN, 4)))
        ;
    unsigned long left = zone_info(0).nr_free;
    CHECK(left >= 256 && left <= 256 + 15);
}

/* Who could have Normal leaves the reserve of DMA beside its min; who needs DMA doesn't. */
static void those_with_a_choice_leave_the_lowmem_reserve(void)
{
    static const struct quire_memblock_region map[] = {{.size = 32 * MIB}, {0}};
    struct quire_mem_config config = keeping_256();
    struct quire_page *chain, *rest;
    config.zone_end[QUIRE_ZONE_DMA] = 8 * MIB;
    config.zone_end[QUIRE_ZONE_NORMAL] = UINT64_MAX;
    if (!machine_boot(map, config))
        return;
    take_pages(QUIRE_GFP_KERNEL, ~0ul, &chain);
    struct quire_zone_info dma = zone_info(0), normal = zone_info(1);
    CHECK_EQ(normal.nr_free, normal.watermark_min);
    CHECK(dma.lowmem_reserve[QUIRE_ZONE_NORMAL] > 10);
    CHECK_EQ(dma.nr_free, dma.watermark_min + dma.lowmem_reserve[QUIRE_ZONE_NORMAL]);
    take_pages(QUIRE_GFP_KERNEL | QUIRE_GFP_DMA, ~0ul, &rest);
    CHECK_EQ(zone_info(0).nr_free, dma.watermark_min);
    free_chain(chain);
    free_chain(rest);
}

/* ---- the background reclaimer ---------------------------------------------------------------- */

static void the_reclaimer_is_woken_below_low(void)
{
    struct quire_mem_config config = keeping_256();
    struct quire_page *chain, *last;
    config.ops = &waking_ops;
    config.watermark_boost_factor = ~0u;
    wakes = 0;
    if (!machine_boot_plain(16 * MIB, config))
        return;
    unsigned long above = zone_info(0).managed - zone_info(0).watermark_low;
    CHECK_EQ(take_pages(QUIRE_GFP_KERNEL, above, &chain), above);
    CHECK_EQ(wakes, 0);
    CHECK_EQ(zone_info(0).nr_free, 320);
    CHECK_EQ(take_pages(QUIRE_GFP_KERNEL, 1, &last), 1);
    CHECK_EQ(wakes, 1);
    CHECK(!quire_node_balanced(machine.mem, 0, 0, QUIRE_ZONE_NORMAL));
    free_chain(last);
    struct quire_page *quiet;
    CHECK_EQ(take_pages(0, 1, &quiet), 1); /* didn't ask to wake anybody */
    CHECK_EQ(wakes, 1);
    free_chain(quiet);
    free_chain(chain);
}

static void a_node_is_balanced_with_its_high_mark_free(void)
{
    struct quire_page *chain;
    if (!machine_boot_plain(16 * MIB, keeping_256()))
        return;
    unsigned long above = zone_info(0).managed - zone_info(0).watermark_high;
    take_pages(QUIRE_GFP_KERNEL, above, &chain);
    CHECK(!quire_node_balanced(machine.mem, 0, 0, QUIRE_ZONE_NORMAL));
    struct quire_page *rest = chain->owner.pointer[0];
    quire_free_page(machine.mem, chain);
    CHECK(quire_node_balanced(machine.mem, 0, 0, QUIRE_ZONE_NORMAL));
    CHECK(!quire_node_balanced(machine.mem, 0, 5, QUIRE_ZONE_NORMAL));
    /* Nothing of a node without memory is out of balance. */
    CHECK(quire_node_balanced(machine.mem, 5, 0, QUIRE_ZONE_NORMAL));
    CHECK(quire_node_balanced(machine.mem, 0, 0, QUIRE_ZONE_DMA));
    free_chain(rest);
}

/* ---- boosts ---------------------------------------------------------------------------------- */

/* All memory is movable pages but for a few scattered ones: an unmovable page has to claim a
 * pageblock that is partly in use. */
static struct quire_page *claim_a_used_pageblock(struct quire_page **chain)
{
    take_pages(QUIRE_GFP_KERNEL | QUIRE_GFP_MOVABLE | QUIRE_GFP_MEMALLOC, ~0ul, chain);
    struct quire_page *kept = NULL, *next;
    unsigned i = 0;
    for (struct quire_page *page = *chain; page; page = next) {
        next = page->owner.pointer[0];
        if (i++ % 4) {
            quire_free_page(machine.mem, page);
        } else {
            page->owner.pointer[0] = kept;
            kept = page;
        }
    }
    *chain = kept;
    return quire_alloc_page(machine.mem, QUIRE_GFP_KERNEL);
}

static void boost(unsigned factor, const struct quire_mem_ops *ops, unsigned long expected)
{
    struct quire_mem_config config = keeping_256();
    struct quire_page *chain;
    config.ops = ops;
    config.watermark_boost_factor = factor;
    if (!machine_boot_plain(32 * MIB, config))
        return;
    struct quire_page *page = claim_a_used_pageblock(&chain);
    CHECK(page);
    struct quire_zone_info info = zone_info(0);
    CHECK_EQ(info.watermark_boost, expected);
    CHECK_EQ(info.watermark_high, 384); /* the marks themselves stay */
    quire_reset_watermark_boost(machine.mem, 1);
    CHECK_EQ(zone_info(0).watermark_boost, expected);
    quire_reset_watermark_boost(machine.mem, 0);
    CHECK_EQ(zone_info(0).watermark_boost, 0);
    quire_free_page(machine.mem, page);
    free_chain(chain);
    quire_mem_check(machine.mem);
}

/* A pageblock's pages at a time; at most factor/10000 of high: 576 of 384 by default. */
static void claiming_a_used_pageblock_boosts_the_watermarks(void)
{
    boost(0, &waking_ops, QUIRE_PAGEBLOCK_PAGES);
    boost(20000, &waking_ops, QUIRE_PAGEBLOCK_PAGES);
}

static void a_boost_is_limited_by_the_factor(void)
{
    boost(13400, &waking_ops, QUIRE_PAGEBLOCK_PAGES); /* 514 */
    boost(5000, &waking_ops, QUIRE_PAGEBLOCK_PAGES);  /* 192, but a pageblock at least */
}

static void there_is_no_boost_without_a_factor_or_a_reclaimer(void)
{
    boost(~0u, &waking_ops, 0);
    boost(0, NULL, 0);
}

static void a_boost_keeps_more_free_but_not_from_atomic_requests(void)
{
    struct quire_mem_config config = keeping_256();
    struct quire_page *chain;
    config.ops = &waking_ops;
    if (!machine_boot_plain(32 * MIB, config))
        return;
    struct quire_page *page = claim_a_used_pageblock(&chain);
    unsigned long raised = zone_info(0).watermark_boost;
    CHECK_EQ(raised, QUIRE_PAGEBLOCK_PAGES);
    CHECK_EQ(left_by(QUIRE_GFP_NOWAIT | QUIRE_GFP_MOVABLE), 256 + raised);
    CHECK_EQ(left_by(QUIRE_GFP_ATOMIC | QUIRE_GFP_MOVABLE), 96);
    quire_reset_watermark_boost(machine.mem, 0);
    CHECK_EQ(left_by(QUIRE_GFP_NOWAIT | QUIRE_GFP_MOVABLE), 256);
    quire_free_page(machine.mem, page);
    free_chain(chain);
}

static const struct test_case cases[] = {
    TEST_CASE(the_default_is_linuxs_square_root),
    TEST_CASE(the_scale_factor_widens_the_steps),
    TEST_CASE(min_free_kbytes_can_be_set_within_half_of_memory),
    TEST_CASE(highmem_keeps_a_little_of_its_own),
    TEST_CASE(lowmem_reserves_follow_from_what_lies_above),
    TEST_CASE(each_kind_of_request_stops_at_its_own_mark),
    TEST_CASE(larger_blocks_leave_the_mark_too),
    TEST_CASE(those_with_a_choice_leave_the_lowmem_reserve),
    TEST_CASE(the_reclaimer_is_woken_below_low),
    TEST_CASE(a_node_is_balanced_with_its_high_mark_free),
    TEST_CASE(claiming_a_used_pageblock_boosts_the_watermarks),
    TEST_CASE(a_boost_is_limited_by_the_factor),
    TEST_CASE(there_is_no_boost_without_a_factor_or_a_reclaimer),
    TEST_CASE(a_boost_keeps_more_free_but_not_from_atomic_requests),
    {0},
};
const struct test_suite suite_watermark = {"watermark", cases};
