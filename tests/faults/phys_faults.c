/* tests/faults/phys_faults.c: every way for an allocation to fail, and that nothing is lost by it
 *
 * Allocations fail by taking all that a zone has. Callbacks help late, or never. After each failure
 * the machine has what it had before, and once everything is freed it is as new.
 */
#include <quire/phys.h>
#include <quire/port.h>

#include "tests/harness/harness.h"

#define MIB ((quire_phys_t)QUIRE_PAGE_SIZE * 256) /* a MiB where frames have 4 KiB */
#define SPAN (40 * MIB)
#define NR_NODES 2

static struct quire_port_mem port;
static struct quire_memblock memblock;
static struct quire_mem *mem;

/* What the callbacks do, and how often they were called. */
static struct {
    unsigned woken, reclaims, ooms, waits, shrinks, reports;
    unsigned help_at;  /* the call of any of the helpers below that frees something; 0: none */
    unsigned calls;    /* of helpers */
    unsigned to_free;  /* pages that help frees */
    bool oom_helps;    /* the OOM callback says that it made room */
    bool allocates;    /* reclaim needs memory itself */
    unsigned reserves; /* allocations that it got */
} script;

static struct quire_page *held; /* order-0 pages of the test, linked through their owner's words */
static unsigned long nr_held;

/* ---- holding pages --------------------------------------------------------------------------- */

static void hold(struct quire_page *page)
{
    page->owner.pointer[0] = held;
    held = page;
    nr_held++;
}

static void release(unsigned long count)
{
    for (; count && held; count--) {
        struct quire_page *page = held;
        held = page->owner.pointer[0];
        nr_held--;
        quire_free_page(mem, page);
    }
}

static void release_all(void)
{
    release(nr_held);
}

/* Takes all that gfp can have, reserves included. */
static void exhaust(int node, quire_gfp_t gfp)
{
    struct quire_page *page;
    gfp = (gfp & ~QUIRE_GFP_RECLAIM) | QUIRE_GFP_MEMALLOC | QUIRE_GFP_NOWARN;
    while (
        (page = node < 0 ? quire_alloc_page(mem, gfp) : quire_alloc_pages_node(mem, node, gfp, 0)))
        hold(page);
}

/* ---- the machine ----------------------------------------------------------------------------- */

static void help(void)
{
    if (++script.calls == script.help_at)
        release(script.to_free);
}

static void wake_reclaim(void *arg, int node, unsigned order, enum quire_zone_type highest)
{
    (void)arg;
    (void)node;
    (void)order;
    (void)highest;
    script.woken++;
}

static unsigned long direct_reclaim(void *arg, int node, quire_gfp_t gfp, unsigned order,
                                    unsigned long nr_pages)
{
    unsigned long before = nr_held;
    (void)arg;
    (void)node;
    (void)gfp;
    (void)order;
    (void)nr_pages;
    script.reclaims++;
    if (script.allocates) {
        struct quire_page *page =
            quire_alloc_page(mem, QUIRE_GFP_KERNEL | QUIRE_GFP_MEMALLOC | QUIRE_GFP_NOWARN);
        script.reserves += page != NULL;
        if (page)
            quire_free_page(mem, page);
    }
    help();
    return before - nr_held;
}

static bool oom(void *arg, quire_gfp_t gfp, unsigned order, uint32_t nodes)
{
    (void)nodes;
    (void)arg;
    (void)gfp;
    (void)order;
    script.ooms++;
    if (script.oom_helps)
        release(script.to_free);
    return script.oom_helps;
}

static void wait(void *arg)
{
    (void)arg;
    script.waits++;
    help();
}

static void report(void *arg, quire_pfn_t pfn, const char *text)
{
    (void)arg;
    (void)pfn;
    test_note("%s", text);
    script.reports++;
}

static const struct quire_mem_ops all_ops = {
    .wake_reclaim = wake_reclaim,
    .direct_reclaim = direct_reclaim,
    .oom = oom,
    .wait = wait,
    .bad_page = report,
};
static const struct quire_mem_ops few_ops = {.bad_page = report, .wait = wait};

static void hear_nothing(int level, const char *text)
{
    (void)level;
    (void)text;
}

static void quiet(bool on)
{
    if (test_environment.set_log)
        test_environment.set_log(on ? hear_nothing : NULL);
}

static const uint8_t cpu_nodes[4] = {0, 1, 0, 1};

/* Two nodes of 20 MiB; on the first DMA and NORMAL, on the second HIGHMEM; MOVABLE on both. */
static struct quire_mem_config machine_config(const struct quire_mem_ops *ops, unsigned debug)
{
    return (struct quire_mem_config){
        .port = &port,
        .nr_cpus = QUIRE_MAX_CPUS < 4 ? QUIRE_MAX_CPUS : 4,
        .nr_nodes = NR_NODES,
        .cpu_node = cpu_nodes,
        .zone_end = {[QUIRE_ZONE_DMA] = 4 * MIB,
                     [QUIRE_ZONE_NORMAL] = 24 * MIB,
                     [QUIRE_ZONE_HIGHMEM] = UINT64_MAX},
        .movable_size = 8 * MIB,
        .ops = ops,
        .debug = debug,
    };
}

static bool machine_start(const struct quire_mem_ops *ops, unsigned debug)
{
    struct quire_mem_config config = machine_config(ops, debug);
    quiet(true);
    __builtin_memset(&script, 0, sizeof script);
    held = NULL;
    nr_held = 0;
    if (!test_environment.memory(SPAN, &port))
        return false;
    port.direct_end = 24 * MIB;
    test_environment.set_cpu(0);
    quire_memblock_init(&memblock, "faults", &port);
    return !quire_memblock_add(&memblock, 0, SPAN / 2, 0, QUIRE_MEMBLOCK_RAM) &&
           !quire_memblock_add(&memblock, SPAN / 2, SPAN / 2, 1, QUIRE_MEMBLOCK_RAM) &&
           !quire_mem_init(&mem, &memblock, &config);
}

/* Large blocks can be had again wherever they could before. */
static unsigned long count_largest(void)
{
    struct quire_zone_info info;
    unsigned long blocks = 0;
    quire_drain_all_pages(mem);
    for (unsigned i = 0; !quire_zone_info(mem, i, &info); i++)
        blocks += info.nr_blocks[QUIRE_MAX_ORDER];
    return blocks;
}

static void machine_end(void)
{
    release_all();
    quire_mem_check(mem);
    CHECK_EQ(quire_nr_free_pages(mem), quire_nr_managed_pages(mem));
    CHECK_EQ(quire_mem_destroy(mem), 0);
    CHECK_EQ(script.reports, 0);
    quiet(false);
}

/* ---- running dry ----------------------------------------------------------------------------- */

static const quire_gfp_t zone_gfps[] = {
    QUIRE_GFP_KERNEL | QUIRE_GFP_DMA,
    QUIRE_GFP_KERNEL,
    QUIRE_GFP_KERNEL | QUIRE_GFP_HIGH,
    QUIRE_GFP_ATOMIC,
    QUIRE_GFP_HIGHUSER,
    QUIRE_GFP_HIGHUSER_MOVABLE,
    QUIRE_GFP_NOWAIT,
    QUIRE_GFP_KERNEL | QUIRE_GFP_RECLAIMABLE,
};
#define NR_ZONE_GFPS (sizeof zone_gfps / sizeof zone_gfps[0])

/* Each function of the family says no, and has taken nothing. */
static void check_that_all_fail(int node, quire_gfp_t gfp)
{
    struct quire_page *pages[3] = {NULL, NULL, NULL};
    unsigned long free = quire_nr_free_pages(mem);
    gfp |= QUIRE_GFP_NOWARN;
    for (unsigned order = 0; order <= QUIRE_MAX_ORDER + 1; order++)
        CHECK(!quire_alloc_pages_node(mem, node, gfp | QUIRE_GFP_THISNODE, order));
    CHECK_EQ(quire_alloc_pages_bulk(mem, node, gfp | QUIRE_GFP_THISNODE, 3, pages), 0);
    CHECK(!pages[0] && !pages[1] && !pages[2]);
    CHECK_EQ(quire_nr_free_pages(mem), free);
}

static void each_zone_of_each_node_runs_dry_and_recovers(void)
{
    for (unsigned debug = 0; debug <= 3; debug += 3) {
        REQUIRE(machine_start(&few_ops, debug));
        unsigned long largest = count_largest();
        for (unsigned i = 0; i < NR_ZONE_GFPS; i++)
            for (int node = 0; node < NR_NODES; node++) {
                test_environment.set_cpu(i % 5);
                exhaust(node, zone_gfps[i] | QUIRE_GFP_THISNODE);
                check_that_all_fail(node, zone_gfps[i]);
                release_all();
                CHECK_EQ(count_largest(), largest);
            }
        machine_end();
    }
}

static void all_of_memory_runs_dry_and_recovers(void)
{
    REQUIRE(machine_start(&few_ops, 0));
    unsigned long largest = count_largest(), managed = quire_nr_managed_pages(mem);
    exhaust(-1, QUIRE_GFP_HIGHUSER_MOVABLE);
    CHECK_EQ(quire_nr_free_pages(mem), 0);
    CHECK_EQ(nr_held, managed);
    for (unsigned i = 0; i < NR_ZONE_GFPS; i++) {
        quire_gfp_t gfp = zone_gfps[i] | QUIRE_GFP_NOWARN;
        check_that_all_fail(0, zone_gfps[i]);
        CHECK(!quire_alloc_page(mem, gfp));
        CHECK(!quire_get_free_pages(mem, gfp, 2));
        CHECK(!quire_get_zeroed_page(mem, gfp));
        CHECK(!quire_alloc_pages_exact(mem, 3 * QUIRE_PAGE_SIZE, gfp));
    }
    release_all();
    CHECK_EQ(count_largest(), largest);
    machine_end();
}

/* The tail of an exact request goes back also when it is the last memory there is. */
static void exact_and_bulk_requests_get_what_there_is(void)
{
    struct quire_page *pages[64] = {NULL};
    REQUIRE(machine_start(&few_ops, 0));
    CHECK(!quire_set_min_free_kbytes(mem, 1));
    exhaust(-1, QUIRE_GFP_HIGHUSER_MOVABLE);
    release(200);
    quire_drain_all_pages(mem);
    unsigned long free = quire_nr_free_pages(mem);
    quire_gfp_t gfp = QUIRE_GFP_MEMALLOC | QUIRE_GFP_HIGHMEM | QUIRE_GFP_MOVABLE;
    CHECK_EQ(free, 200);
    for (unsigned long got = 0; got < 200;) {
        unsigned long wanted = 64, done;
        __builtin_memset(pages, 0, sizeof pages);
        done = quire_alloc_pages_bulk(mem, -1, gfp | QUIRE_GFP_NOWARN, wanted, pages);
        got += done;
        CHECK_EQ(done, got < 200 ? 64 : 200 % 64);
        for (unsigned long i = 0; i < done; i++)
            hold(pages[i]);
        if (!done)
            break;
    }
    CHECK_EQ(quire_nr_free_pages(mem), 0);
    machine_end();
}

/* ---- callbacks that help late, or never ------------------------------------------------------ */

/* As machine_start, with nothing left above the watermarks. */
static bool start_dry(const struct quire_mem_ops *ops)
{
    if (!machine_start(ops, 0))
        return false;
    exhaust(-1, QUIRE_GFP_HIGHUSER_MOVABLE);
    script.woken = 0;
    script.to_free = 3000;
    return true;
}

static void nofail_waits_until_something_is_freed(void)
{
    for (unsigned order = 0; order <= 4; order += 2)
        for (unsigned late = 1; late < 40; late += 6) {
            REQUIRE(start_dry(&few_ops));
            script.help_at = late;
            test_environment.set_cpu(late % 5);
            struct quire_page *page =
                quire_alloc_pages(mem, QUIRE_GFP_KERNEL | QUIRE_GFP_NOFAIL, order);
            CHECK(page != NULL);
            CHECK_EQ(script.waits, late);
            quire_free_pages(mem, page, order);
            machine_end();
        }
}

/* Frees one page of a zone, in the first call only; and ends it all when that was no help. */
static void free_one_normal_page(void *arg)
{
    (void)arg;
    if (++script.waits > 1000)
        release_all();
    if (script.waits > 1)
        return;
    for (struct quire_page *previous = held; previous; previous = previous->owner.pointer[0]) {
        struct quire_page *page = previous->owner.pointer[0];
        if (page && quire_page_zone(mem, page) == QUIRE_ZONE_NORMAL) {
            previous->owner.pointer[0] = page->owner.pointer[0];
            nr_held--;
            quire_free_page(mem, page);
            return;
        }
    }
}

/* It was freed to this CPU's list, which no watermark counts. */
static void nofail_finds_what_lies_on_a_per_cpu_list(void)
{
    static const struct quire_mem_ops ops = {.bad_page = report, .wait = free_one_normal_page};
    REQUIRE(start_dry(&ops));
    CHECK(!quire_set_min_free_kbytes(mem, 4));
    struct quire_page *page = quire_alloc_page(mem, QUIRE_GFP_KERNEL | QUIRE_GFP_NOFAIL);
    CHECK(page != NULL);
    CHECK_EQ(script.waits, 1);
    quire_free_page(mem, page);
    machine_end();
}

static void reclaim_that_helps_late_is_waited_for(void)
{
    for (unsigned late = 1; late < 8; late++) {
        REQUIRE(start_dry(&all_ops));
        script.help_at = late;
        struct quire_page *page = quire_alloc_pages(
            mem, QUIRE_GFP_KERNEL | QUIRE_GFP_RETRY_MAYFAIL | QUIRE_GFP_NOWARN, 1);
        CHECK(page != NULL);
        CHECK(script.reclaims >= 1 && script.reclaims <= late);
        CHECK_EQ(script.ooms, 0);
        CHECK(script.woken >= 1);
        quire_free_pages(mem, page, 1);
        machine_end();
    }
}

static void reclaim_that_never_helps_is_given_up(void)
{
    static const quire_gfp_t gfps[] = {QUIRE_GFP_KERNEL, QUIRE_GFP_KERNEL | QUIRE_GFP_NORETRY,
                                       QUIRE_GFP_KERNEL | QUIRE_GFP_RETRY_MAYFAIL};
    for (unsigned i = 0; i < 3; i++)
        for (unsigned order = 0; order <= QUIRE_MAX_ORDER; order += 5) {
            REQUIRE(start_dry(&all_ops));
            CHECK(!quire_alloc_pages(mem, gfps[i] | QUIRE_GFP_NOWARN, order));
            CHECK(script.reclaims >= 1);
            if (gfps[i] & QUIRE_GFP_NORETRY)
                CHECK_EQ(script.reclaims, 1);
            CHECK_EQ(script.ooms, !i && !order);
            CHECK_EQ(quire_nr_free_pages(mem), 0);
            machine_end();
        }
}

static void the_oom_callback_decides_at_the_end(void)
{
    REQUIRE(start_dry(&all_ops));
    script.oom_helps = true;
    struct quire_page *page = quire_alloc_pages(mem, QUIRE_GFP_KERNEL, 2);
    CHECK(page != NULL);
    CHECK_EQ(script.ooms, 1);
    CHECK(script.reclaims >= 1);
    quire_free_pages(mem, page, 2);
    machine_end();
}

static void who_cannot_wait_calls_nobody_but_the_waker(void)
{
    static const quire_gfp_t gfps[] = {QUIRE_GFP_ATOMIC, QUIRE_GFP_NOWAIT,
                                       QUIRE_GFP_KERNEL | QUIRE_GFP_MEMALLOC};
    for (unsigned i = 0; i < 3; i++) {
        REQUIRE(start_dry(&all_ops));
        script.help_at = 1;
        CHECK(!quire_alloc_pages(mem, gfps[i] | QUIRE_GFP_NOWARN, 0));
        CHECK(script.woken >= 1);
        CHECK_EQ(script.reclaims + script.ooms + script.waits, 0);
        machine_end();
    }
}

static unsigned long count_objects(struct quire_shrinker *shrinker, int node)
{
    (void)shrinker;
    (void)node;
    return nr_held;
}

static unsigned long shrink(struct quire_shrinker *shrinker, int node, quire_gfp_t gfp,
                            unsigned long nr)
{
    unsigned long before = nr_held;
    (void)shrinker;
    (void)node;
    (void)gfp;
    script.shrinks++;
    release(nr);
    return before - nr_held;
}

/* An eighth of what it has at most, so it is asked again until that is enough. */
static void a_shrinker_is_asked_until_there_is_enough(void)
{
    struct quire_shrinker shrinker = {.count = count_objects, .scan = shrink};
    REQUIRE(start_dry(&few_ops));
    quire_register_shrinker(mem, &shrinker);
    struct quire_page *page = quire_alloc_pages(mem, QUIRE_GFP_KERNEL, 3);
    CHECK(page != NULL);
    CHECK(script.shrinks >= 1);
    quire_unregister_shrinker(mem, &shrinker);
    quire_free_pages(mem, page, 3);
    machine_end();
}

static void reclaim_may_allocate_from_the_reserve(void)
{
    REQUIRE(machine_start(&all_ops, 0));
    struct quire_page *page;
    script.allocates = true;
    while ((page = quire_alloc_page(mem, QUIRE_GFP_HIGHUSER_MOVABLE | QUIRE_GFP_NOWARN)))
        hold(page);
    CHECK(script.reclaims >= 1);
    CHECK_EQ(script.reserves, script.reclaims);
    machine_end();
}

static const struct test_case cases[] = {
    TEST_CASE(each_zone_of_each_node_runs_dry_and_recovers),
    TEST_CASE(all_of_memory_runs_dry_and_recovers),
    TEST_CASE(exact_and_bulk_requests_get_what_there_is),
    TEST_CASE(nofail_waits_until_something_is_freed),
    TEST_CASE(nofail_finds_what_lies_on_a_per_cpu_list),
    TEST_CASE(reclaim_that_helps_late_is_waited_for),
    TEST_CASE(reclaim_that_never_helps_is_given_up),
    TEST_CASE(the_oom_callback_decides_at_the_end),
    TEST_CASE(who_cannot_wait_calls_nobody_but_the_waker),
    TEST_CASE(a_shrinker_is_asked_until_there_is_enough),
    TEST_CASE(reclaim_may_allocate_from_the_reserve),
    {0},
};
const struct test_suite suite_phys_faults = {"phys_faults", cases};
