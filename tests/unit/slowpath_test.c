/* tests/unit/slowpath_test.c: what happens when no zone can serve a request at once
 *
 * The callbacks write down what was asked of them, a letter each: w wake the background reclaimer,
 * d direct reclaim, s a shrinker's scan, o out of memory, . wait.
 */
#include "tests/unit/machine.h"

#include "phys/internal.h"

static struct upper {
    char trace[256];
    unsigned length;
    /* What each does: pages that it frees from `held`, or says that it does. */
    unsigned reclaim_frees, reclaim_claims, shrink_frees, wait_frees, oom_frees;
    unsigned claims_left; /* calls of reclaim that claim progress */
    unsigned oom_waits;   /* calls of oom that say so and kill nobody */
    unsigned waits_before_freeing;
    struct quire_page *held;
    /* What it was last asked. */
    int node;
    unsigned order;
    quire_gfp_t gfp;
    unsigned long nr_pages;
    enum quire_zone_type highest;
} upper;

static void note(char letter)
{
    if (upper.length + 1 < sizeof upper.trace)
        upper.trace[upper.length++] = letter;
    upper.trace[upper.length] = '\0';
}

static void forget(void)
{
    upper.trace[upper.length = 0] = '\0';
}

static unsigned count_of(char letter)
{
    unsigned count = 0;
    for (unsigned i = 0; i < upper.length; i++)
        count += upper.trace[i] == letter;
    return count;
}

static unsigned free_held(unsigned count)
{
    unsigned freed = 0;
    for (; freed < count && upper.held; freed++) {
        struct quire_page *next = upper.held->owner.pointer[0];
        quire_free_page(machine.mem, upper.held);
        upper.held = next;
    }
    return freed;
}

static void wake(void *arg, int node, unsigned order, enum quire_zone_type highest)
{
    CHECK(arg == &upper);
    upper.node = node;
    upper.order = order;
    upper.highest = highest;
    note('w');
}

static unsigned long direct_reclaim(void *arg, int node, quire_gfp_t gfp, unsigned order,
                                    unsigned long nr_pages)
{
    CHECK(arg == &upper);
    upper.node = node;
    upper.gfp = gfp;
    upper.order = order;
    upper.nr_pages = nr_pages;
    note('d');
    unsigned long freed = free_held(upper.reclaim_frees);
    if (!upper.claims_left)
        return freed;
    upper.claims_left--;
    return freed + upper.reclaim_claims;
}

static bool oom(void *arg, quire_gfp_t gfp, unsigned order, uint32_t nodes)
{
    CHECK(arg == &upper);
    CHECK_EQ(nodes, UINT32_MAX);
    upper.gfp = gfp;
    upper.order = order;
    note('o');
    if (!upper.oom_frees)
        return upper.oom_waits && upper.oom_waits--;
    quire_count_oom_kill(machine.mem);
    return free_held(upper.oom_frees);
}

static void wait(void *arg)
{
    CHECK(arg == &upper);
    note('.');
    if (upper.waits_before_freeing)
        upper.waits_before_freeing--;
    else
        free_held(upper.wait_frees);
}

static const struct quire_mem_ops ops = {.wake_reclaim = wake,
                                         .direct_reclaim = direct_reclaim,
                                         .oom = oom,
                                         .wait = wait,
                                         .bad_page = machine_bad_page};

static unsigned long count_objects(struct quire_shrinker *shrinker, int node)
{
    (void)shrinker;
    (void)node;
    return 100;
}

static unsigned long scan_objects(struct quire_shrinker *shrinker, int node, quire_gfp_t gfp,
                                  unsigned long nr)
{
    (void)shrinker;
    (void)node;
    (void)gfp;
    (void)nr;
    note('s');
    return free_held(upper.shrink_frees);
}

static struct quire_shrinker shrinker;

/* A machine with callbacks and a shrinker, all of whose memory above the min mark is `held`. */
static struct quire_mem *boot_full(void)
{
    struct quire_mem *mem =
        machine_boot_plain(16 * MIB, (struct quire_mem_config){.nr_cpus = 2,
                                                               .no_pcp = true,
                                                               .min_free_kbytes = KBYTES(256),
                                                               .watermark_boost_factor = ~0u,
                                                               .ops = &ops,
                                                               .ops_arg = &upper});
    if (!mem)
        return NULL;
    upper = (struct upper){0};
    shrinker = (struct quire_shrinker){.count = count_objects, .scan = scan_objects};
    quire_register_shrinker(mem, &shrinker);
    take_pages(QUIRE_GFP_NOWAIT, ~0ul, &upper.held);
    forget();
    return mem;
}

static void check_trace(const char *expected)
{
    bool same = true;
    for (unsigned i = 0; i <= upper.length; i++)
        same = same && expected[i] == upper.trace[i];
    CHECK(same);
    if (!same)
        test_note("'%s' instead of '%s'", upper.trace, expected);
    forget();
}

static struct quire_page *attempt(quire_gfp_t gfp, unsigned order)
{
    return quire_alloc_pages(machine.mem, gfp | QUIRE_GFP_NOWARN, order);
}

/* ---- the order of things --------------------------------------------------------------------- */

static void reclaim_comes_before_shrinkers_and_both_before_oom(void)
{
    if (!boot_full())
        return;
    CHECK(!attempt(QUIRE_GFP_KERNEL, 0));
    check_trace("wdso");
}

static void what_direct_reclaim_frees_is_enough(void)
{
    if (!boot_full())
        return;
    upper.reclaim_frees = 32;
    CHECK(attempt(QUIRE_GFP_KERNEL, 0));
    check_trace("wd");
}

static void shrinkers_make_up_for_what_reclaim_didnt_free(void)
{
    if (!boot_full())
        return;
    upper.reclaim_frees = 0;
    upper.shrink_frees = 8;
    CHECK(attempt(QUIRE_GFP_KERNEL, 0));
    check_trace("wds");
}

static void rounds_go_on_while_there_is_progress(void)
{
    if (!boot_full())
        return;
    upper.claims_left = 3;
    upper.reclaim_claims = 1;
    CHECK(!attempt(QUIRE_GFP_KERNEL, 0));
    check_trace("wds.wds.wds.wdso");
}

static void oom_is_the_last_resort_and_may_help(void)
{
    if (!boot_full())
        return;
    upper.oom_frees = 50;
    CHECK(attempt(QUIRE_GFP_KERNEL, 0));
    check_trace("wdso.w");
    CHECK_EQ(upper.gfp, QUIRE_GFP_KERNEL | QUIRE_GFP_NOWARN);
}

static void without_callbacks_failure_comes_at_once(void)
{
    struct quire_page *chain;
    if (!machine_boot_plain(4 * MIB, (struct quire_mem_config){.nr_cpus = 1}))
        return;
    take_pages(QUIRE_GFP_KERNEL, ~0ul, &chain);
    CHECK(!attempt(QUIRE_GFP_KERNEL, 0));
    CHECK(!attempt(QUIRE_GFP_KERNEL | QUIRE_GFP_RETRY_MAYFAIL, 3));
    free_chain(chain);
}

static void callbacks_are_told_what_is_wanted(void)
{
    if (!boot_full())
        return;
    CHECK(!attempt(QUIRE_GFP_KERNEL, 0));
    CHECK_EQ(upper.nr_pages, 32);
    CHECK_EQ(upper.node, 0);
    CHECK_EQ(upper.highest, QUIRE_ZONE_NORMAL);
    quire_gfp_t gfp = QUIRE_GFP_KERNEL & ~QUIRE_GFP_FS;
    CHECK(!attempt(gfp, 6));
    CHECK_EQ(upper.nr_pages, 64);
    CHECK_EQ(upper.order, 6);
    CHECK_EQ(upper.gfp, gfp | QUIRE_GFP_NOWARN);
}

/* ---- who goes how far ------------------------------------------------------------------------ */

static void who_cannot_sleep_only_wakes(void)
{
    if (!boot_full())
        return;
    CHECK(!attempt(QUIRE_GFP_NOWAIT, 0));
    check_trace("w");
    CHECK(!attempt(0, 0));
    check_trace("");
    CHECK(!attempt(QUIRE_GFP_NOWAIT, QUIRE_PAGEBLOCK_ORDER - 1));
    check_trace("w");
}

static void noretry_goes_one_round(void)
{
    if (!boot_full())
        return;
    upper.claims_left = 100;
    upper.reclaim_claims = 32;
    CHECK(!attempt(QUIRE_GFP_KERNEL | QUIRE_GFP_NORETRY, 0));
    check_trace("wd");
    upper.reclaim_frees = 1;
    CHECK(attempt(QUIRE_GFP_KERNEL | QUIRE_GFP_NORETRY, 0));
    check_trace("wd");
}

static void retry_mayfail_tries_hard_and_kills_nobody(void)
{
    if (!boot_full())
        return;
    CHECK(!attempt(QUIRE_GFP_KERNEL | QUIRE_GFP_RETRY_MAYFAIL, 0));
    CHECK_EQ(count_of('d'), 16);
    CHECK_EQ(count_of('.'), 15);
    CHECK_EQ(count_of('o'), 0);
}

static void nofail_goes_on_until_there_is_memory(void)
{
    if (!boot_full())
        return;
    upper.waits_before_freeing = 40;
    upper.wait_frees = 1;
    CHECK(attempt(QUIRE_GFP_KERNEL | QUIRE_GFP_NOFAIL, 0));
    CHECK_EQ(count_of('.'), 41);
    CHECK_EQ(count_of('d'), 41);
    CHECK(count_of('o') > 0);
}

/* Rounds that a request had to wait before it got its page. */
static void wait_rounds(quire_gfp_t gfp, unsigned rounds)
{
    if (!boot_full())
        return;
    upper.waits_before_freeing = rounds - 1;
    upper.wait_frees = 1;
    CHECK(quire_alloc_pages(machine.mem, QUIRE_GFP_KERNEL | QUIRE_GFP_NOFAIL | gfp, 0));
    CHECK_EQ(count_of('.'), rounds);
}

static void nofail_says_that_it_waits_when_it_takes_long(void)
{
    wait_rounds(0, 15);
    CHECK(!contains(machine.log, "stall"));
    wait_rounds(0, 16);
    CHECK(
        machine_said("page allocation stall, since it must not fail: order 0, gfp 0x8cc0, node 0"));
    wait_rounds(QUIRE_GFP_NOWARN, 30);
    CHECK(!contains(machine.log, "stall"));
}

static void large_requests_give_up_after_a_round_and_kill_nobody(void)
{
    if (!boot_full())
        return;
    upper.claims_left = 1000;
    upper.reclaim_claims = 32;
    CHECK(!attempt(QUIRE_GFP_KERNEL, 4));
    check_trace("wd");
}

/* Pages that come free one by one are no progress towards a block of a thousand. */
static void large_requests_that_retry_come_to_an_end(void)
{
    if (!boot_full())
        return;
    upper.claims_left = 1000;
    upper.reclaim_claims = 2000;
    CHECK(!attempt(QUIRE_GFP_KERNEL | QUIRE_GFP_RETRY_MAYFAIL, QUIRE_MAX_ORDER));
    CHECK_EQ(count_of('d'), 16);
    CHECK_EQ(count_of('o'), 0);
}

static void this_node_and_low_memory_arent_worth_a_process(void)
{
    static const struct quire_memblock_region map[] = {{.size = 16 * MIB}, {0}};
    struct quire_page *chain;
    if (!machine_boot(map, (struct quire_mem_config){.nr_cpus = 1,
                                                     .no_pcp = true,
                                                     .ops = &ops,
                                                     .ops_arg = &upper,
                                                     .zone_end = {4 * MIB, 0, UINT64_MAX, 0, 0}}))
        return;
    upper = (struct upper){0};
    take_pages(QUIRE_GFP_NOWAIT, ~0ul, &chain);
    forget();
    CHECK(!attempt(QUIRE_GFP_KERNEL | QUIRE_GFP_THISNODE, 0));
    check_trace("wd");
    take_pages(QUIRE_GFP_NOWAIT | QUIRE_GFP_DMA, ~0ul, &upper.held);
    forget();
    CHECK(!attempt(QUIRE_GFP_KERNEL | QUIRE_GFP_DMA, 0));
    check_trace("wd");
    CHECK_EQ(upper.order, 0);
    CHECK(!attempt(QUIRE_GFP_KERNEL, 0));
    check_trace("wdo");
}

/* It is itself freeing memory: sending it to reclaim would go in circles. */
static void memalloc_takes_all_and_reclaims_nothing(void)
{
    struct quire_page *chain;
    if (!boot_full())
        return;
    CHECK_EQ(take_pages(QUIRE_GFP_KERNEL | QUIRE_GFP_MEMALLOC, ~0ul, &chain), 256);
    CHECK_EQ(count_of('d') + count_of('s') + count_of('o'), 0);
    forget();
    upper.wait_frees = 1;
    CHECK(attempt(QUIRE_GFP_KERNEL | QUIRE_GFP_MEMALLOC | QUIRE_GFP_NOFAIL, 0));
    check_trace("w.w");
}

/* ---- what else is within reach --------------------------------------------------------------- */

static void other_cpus_lists_are_emptied_before_giving_up(void)
{
    struct quire_page *chain, *rest;
    if (!machine_boot_plain(
            16 * MIB, (struct quire_mem_config){.nr_cpus = 2, .min_free_kbytes = KBYTES(256)}))
        return;
    take_pages(QUIRE_GFP_NOWAIT, ~0ul, &chain);
    quire_drain_all_pages(machine.mem);
    take_pages(QUIRE_GFP_NOWAIT, ~0ul, &rest);
    /* A refill goes below the mark. Without a CPU number, pages go back to the zone at once. */
    test_environment.set_cpu(77);
    while (zone_info(0).nr_free < zone_info(0).watermark_min) {
        struct quire_page *next = chain->owner.pointer[0];
        quire_free_page(machine.mem, chain);
        chain = next;
    }
    struct quire_page *last = chain;
    chain = last->owner.pointer[0];
    test_environment.set_cpu(1);
    quire_free_page(machine.mem, last);
    test_environment.set_cpu(0);
    CHECK_EQ(zone_info(0).nr_pcp, 1);
    CHECK(!attempt(QUIRE_GFP_NOWAIT, 0));
    CHECK(attempt(QUIRE_GFP_KERNEL, 0)); /* with a refill of its own CPU's list */
    CHECK(machine.mem->zones[0].pcp[1]->list[0].top == machine.mem->zones[0].pcp[1]->list[0].base);
    free_chain(chain);
    free_chain(rest);
}

static void each_node_is_woken_once(void)
{
    static const struct quire_memblock_region map[] = {
        {.size = 16 * MIB}, {.base = 16 * MIB, .size = 8 * MIB, .node = 1}, {0}};
    struct quire_page *chain;
    if (!machine_boot(map, (struct quire_mem_config){.nr_cpus = 1,
                                                     .no_pcp = true,
                                                     .ops = &ops,
                                                     .ops_arg = &upper,
                                                     .zone_end = {4 * MIB, 0, UINT64_MAX, 0, 0}}))
        return;
    upper = (struct upper){0};
    take_pages(QUIRE_GFP_NOWAIT, ~0ul, &chain);
    forget();
    CHECK(!attempt(QUIRE_GFP_NOWAIT, 0));
    check_trace("ww");
    CHECK(!attempt(QUIRE_GFP_NOWAIT | QUIRE_GFP_THISNODE, 0));
    check_trace("w");
    free_chain(chain);
}

static void failures_are_told_at_most_once_a_second(void)
{
    if (!boot_full())
        return;
    for (unsigned i = 0; i < 20; i++)
        CHECK(!quire_alloc_pages(machine.mem, QUIRE_GFP_NOWAIT, 0));
    unsigned lines = 0;
    for (unsigned i = 0; machine.log[i]; i++)
        lines += machine.log[i] == '\n';
    CHECK(lines <= 3); /* a slow machine may see a second pass or two */
    CHECK(machine_said("page allocation failure: order 0, gfp 0x800, node 0; 256 pages free"));
}

/* ---- shrinkers ------------------------------------------------------------------------------- */

struct cache {
    struct quire_shrinker shrinker;
    unsigned long objects, asked;
    unsigned scans;
    int node;
};

static unsigned long count_cache(struct quire_shrinker *it, int node)
{
    struct cache *cache = it->arg;
    cache->node = node;
    return cache->objects;
}

static unsigned long scan_cache(struct quire_shrinker *it, int node, quire_gfp_t gfp,
                                unsigned long nr)
{
    struct cache *cache = it->arg;
    CHECK_EQ(node, cache->node);
    CHECK_EQ(gfp, QUIRE_GFP_KERNEL);
    cache->asked = nr;
    cache->scans++;
    cache->objects -= nr;
    return nr;
}

static void add_cache(struct cache *cache, unsigned long objects)
{
    *cache = (struct cache){.shrinker = {.count = count_cache, .scan = scan_cache, .arg = cache},
                            .objects = objects};
    quire_register_shrinker(machine.mem, &cache->shrinker);
}

static void shrinkers_give_an_eighth_or_what_is_wanted(void)
{
    static struct cache small, large, empty;
    if (!machine_boot_plain(4 * MIB, (struct quire_mem_config){.nr_cpus = 1}))
        return;
    CHECK_EQ(quire_shrink(machine.mem, 0, QUIRE_GFP_KERNEL, 10), 0);
    add_cache(&large, 8000);
    add_cache(&small, 5);
    add_cache(&empty, 0);
    CHECK_EQ(quire_shrink(machine.mem, 3, QUIRE_GFP_KERNEL, 10), 5 + 1000);
    CHECK_EQ(empty.scans, 0);
    CHECK_EQ(small.asked, 5);
    CHECK_EQ(large.asked, 1000);
    CHECK_EQ(large.node, 3);
    /* What the first ones give is enough. */
    small.objects = 100;
    CHECK_EQ(quire_shrink(machine.mem, 0, QUIRE_GFP_KERNEL, 20), 20);
    CHECK_EQ(small.asked, 20);
    CHECK_EQ(large.scans, 1);
}

static void an_unregistered_shrinker_isnt_asked(void)
{
    static struct cache a, b, c;
    if (!machine_boot_plain(4 * MIB, (struct quire_mem_config){.nr_cpus = 1}))
        return;
    add_cache(&a, 100);
    add_cache(&b, 100);
    quire_unregister_shrinker(machine.mem, &a.shrinker);
    c = (struct cache){.shrinker = {.count = count_cache, .scan = scan_cache, .arg = &c}};
    quire_unregister_shrinker(machine.mem, &c.shrinker); /* never was */
    CHECK_EQ(quire_shrink(machine.mem, 0, QUIRE_GFP_KERNEL, 1000), 100);
    CHECK_EQ(a.scans, 0);
    quire_unregister_shrinker(machine.mem, &b.shrinker);
    CHECK_EQ(quire_shrink(machine.mem, 0, QUIRE_GFP_KERNEL, 1000), 0);
}

/* ---- counters -------------------------------------------------------------------------------- */

static char view[4096];
static size_t view_length;

static void catch_view(void *arg, const char *text, size_t length)
{
    (void)arg;
    for (size_t i = 0; i < length && view_length + 1 < sizeof view; i++)
        view[view_length++] = text[i];
    view[view_length] = '\0';
}

static void stalls_and_kills_are_counted(void)
{
    if (!boot_full())
        return;
    upper.oom_waits = 3;
    CHECK(!attempt(QUIRE_GFP_KERNEL, 0));
    CHECK_EQ(upper.oom_waits, 0);
    upper.oom_frees = 40;
    CHECK(attempt(QUIRE_GFP_KERNEL, 0));
    CHECK(!attempt(QUIRE_GFP_NOWAIT, QUIRE_MAX_ORDER));
    view_length = 0;
    CHECK_EQ(quire_view(machine.mem, QUIRE_VIEW_VMSTAT, QUIRE_FORMAT_TEXT, catch_view, NULL), 0);
    CHECK(contains(view, "\nallocstall_normal 5\n"));
    CHECK(contains(view, "\noom_kill 1\n"));
}

static const struct test_case cases[] = {
    TEST_CASE(reclaim_comes_before_shrinkers_and_both_before_oom),
    TEST_CASE(what_direct_reclaim_frees_is_enough),
    TEST_CASE(shrinkers_make_up_for_what_reclaim_didnt_free),
    TEST_CASE(rounds_go_on_while_there_is_progress),
    TEST_CASE(oom_is_the_last_resort_and_may_help),
    TEST_CASE(without_callbacks_failure_comes_at_once),
    TEST_CASE(callbacks_are_told_what_is_wanted),
    TEST_CASE(who_cannot_sleep_only_wakes),
    TEST_CASE(noretry_goes_one_round),
    TEST_CASE(retry_mayfail_tries_hard_and_kills_nobody),
    TEST_CASE(nofail_goes_on_until_there_is_memory),
    TEST_CASE(nofail_says_that_it_waits_when_it_takes_long),
    TEST_CASE(large_requests_give_up_after_a_round_and_kill_nobody),
    TEST_CASE(large_requests_that_retry_come_to_an_end),
    TEST_CASE(this_node_and_low_memory_arent_worth_a_process),
    TEST_CASE(memalloc_takes_all_and_reclaims_nothing),
    TEST_CASE(other_cpus_lists_are_emptied_before_giving_up),
    TEST_CASE(each_node_is_woken_once),
    TEST_CASE(failures_are_told_at_most_once_a_second),
    TEST_CASE(shrinkers_give_an_eighth_or_what_is_wanted),
    TEST_CASE(an_unregistered_shrinker_isnt_asked),
    TEST_CASE(stalls_and_kills_are_counted),
    {0},
};
const struct test_suite suite_slowpath = {"slowpath", cases};
