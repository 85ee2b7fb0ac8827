/* tests/unit/sheaf_test.c: sheaves and barns, played by one thread as several CPUs */
#include "tests/unit/slab_machine.h"

#define MANY 4000

static void *object[MANY];
static struct quire_kmem_cache *cache;

static bool boot(size_t size)
{
    if (!slab_boot(NULL))
        return false;
    cache = cache_of("sheaves", size, QUIRE_SLAB_NO_MERGE);
    return cache;
}

static void end(void)
{
    CHECK_EQ(info_of(cache).nr_active, 0);
    destroy(cache);
    slab_end();
}

static void take_many(unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        object[i] = quire_kmem_cache_alloc(cache, QUIRE_GFP_KERNEL);
        CHECK(object[i]);
        fill(object[i], 16);
    }
}

static void free_many(unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        CHECK(is_filled(object[i], 16));
        quire_kmem_cache_free(cache, object[i]);
    }
}

static void what_was_freed_last_is_allocated_first(void)
{
    if (!boot(64))
        return;
    take_many(3);
    void *last = object[2];
    free_many(3);
    void *again = quire_kmem_cache_alloc(cache, QUIRE_GFP_KERNEL);
    CHECK(again == last);
    quire_kmem_cache_free(cache, again);
    end();
}

static void a_refill_starts_small_and_doubles(void)
{
    if (!boot(64))
        return;
    void *first = quire_kmem_cache_alloc(cache, QUIRE_GFP_KERNEL); /* makes a slab, no refill */
    for (unsigned expected = 4, taken = 0; expected <= 64; expected *= 2) {
        while (!info_of(cache).nr_cpu) {
            REQUIRE((object[taken++] = quire_kmem_cache_alloc(cache, QUIRE_GFP_KERNEL)));
            if (info_of(cache).nr_cpu)
                CHECK(info_of(cache).nr_cpu < expected);
        }
        while (info_of(cache).nr_cpu)
            REQUIRE((object[taken++] = quire_kmem_cache_alloc(cache, QUIRE_GFP_KERNEL)));
        if (expected == 64) {
            quire_kmem_cache_free_bulk(cache, taken, object);
            break;
        }
    }
    quire_kmem_cache_free(cache, first);
    end();
}

/* One CPU allocates, the other frees: sheaves go round by the barn. */
static void a_consumer_on_another_cpu_gives_whole_sheaves_back(void)
{
    if (!boot(64))
        return;
    for (unsigned round = 0; round < 20; round++) {
        test_environment.set_cpu(0);
        take_many(500);
        test_environment.set_cpu(1);
        free_many(500);
        quire_slab_check(slab);
    }
    struct quire_kmem_cache_info info = info_of(cache);
    CHECK(info.nr_barn >= info.sheaf_capacity);
    CHECK(info.nr_slabs < 40); /* the same objects all the time */
    end();
}

static void objects_in_sheaves_are_counted_and_come_back(void)
{
    if (!boot(128))
        return;
    take_many(MANY);
    test_environment.set_cpu(1);
    free_many(MANY);
    struct quire_kmem_cache_info info = info_of(cache);
    CHECK_EQ(info.nr_active, 0);
    CHECK(info.nr_cpu > 0 && info.nr_barn > 0);
    CHECK_EQ(info.sheaf_capacity, 62);
    CHECK(quire_kmem_cache_shrink(cache) > 0);
    info = info_of(cache);
    CHECK_EQ(info.nr_slabs + info.nr_pages + info.nr_cpu + info.nr_barn, 0);
    end();
}

static void a_cpu_that_went_leaves_nothing_behind(void)
{
    if (!boot(64))
        return;
    take_many(200);
    free_many(200);
    unsigned long mine = info_of(cache).nr_cpu;
    test_environment.set_cpu(1);
    take_many(50);
    free_many(50);
    CHECK(info_of(cache).nr_cpu > mine);
    quire_slab_drain_cpu(slab, 0);
    unsigned long others = info_of(cache).nr_cpu;
    CHECK(others && others < mine);
    quire_slab_drain_cpu(slab, 1);
    CHECK_EQ(info_of(cache).nr_cpu, 0);
    quire_slab_drain_cpu(slab, 2); /* there is none */
    quire_slab_drain_cpu(slab, QUIRE_MAX_CPUS);
    end();
}

static void who_has_no_cpu_number_does_without_sheaves(void)
{
    if (!boot(64))
        return;
    test_environment.set_cpu(QUIRE_MAX_CPUS);
    take_many(300);
    CHECK_EQ(info_of(cache).nr_cpu, 0);
    free_many(150);
    CHECK_EQ(info_of(cache).nr_cpu, 0);
    CHECK_EQ(info_of(cache).nr_active, 150);
    test_environment.set_cpu(0);
    quire_kmem_cache_free_bulk(cache, 150, object + 150);
    test_environment.set_cpu(QUIRE_MAX_CPUS);
    CHECK(quire_kmem_cache_alloc_bulk(cache, QUIRE_GFP_ATOMIC, 100, object));
    quire_kmem_cache_free_bulk(cache, 100, object);
    end();
}

static void empty_slabs_beyond_the_reserve_go_back_at_once(void)
{
    if (!boot(1024))
        return;
    unsigned long free = quire_nr_free_pages(machine.mem);
    test_environment.set_cpu(QUIRE_MAX_CPUS);
    take_many(MANY);
    CHECK(free - quire_nr_free_pages(machine.mem) >= MANY * 1024 / QUIRE_PAGE_SIZE);
    free_many(MANY);
    struct quire_kmem_cache_info info = info_of(cache);
    CHECK_EQ(info.nr_empty, info.nr_slabs);
    CHECK(info.nr_empty <= 4 && info.nr_empty > 0);
    CHECK(free - quire_nr_free_pages(machine.mem) <= info.nr_pages);
    end();
}

static void what_is_partly_used_is_used_up_first(void)
{
    if (!boot(512))
        return;
    test_environment.set_cpu(QUIRE_MAX_CPUS);
    unsigned each = info_of(cache).objects_per_slab;
    take_many(each * 6);
    quire_kmem_cache_free(cache, object[0]);       /* of the first slab one is free */
    for (unsigned i = each * 2; i < each * 3; i++) /* the third is empty */
        quire_kmem_cache_free(cache, object[i]);
    CHECK_EQ(info_of(cache).nr_empty, 1);
    CHECK_EQ(info_of(cache).nr_partial, 1);
    CHECK((object[0] = quire_kmem_cache_alloc(cache, QUIRE_GFP_KERNEL)));
    CHECK_EQ(info_of(cache).nr_empty, 1);
    CHECK_EQ(info_of(cache).nr_partial, 0);
    quire_kmem_cache_free_bulk(cache, each * 2, object);
    quire_kmem_cache_free_bulk(cache, each * 3, object + each * 3);
    end();
}

static void pressure_takes_what_sheaves_hold(void)
{
    if (!boot(256))
        return;
    take_many(MANY);
    free_many(MANY);
    struct quire_kmem_cache_info before = info_of(cache);
    CHECK(before.nr_cpu + before.nr_barn > 0);
    CHECK(quire_shrink(machine.mem, -1, QUIRE_GFP_KERNEL, ~0ul) == 0 ||
          info_of(cache).nr_pages < before.nr_pages);
    CHECK(quire_slab_shrink(slab, -1) > 0 || !info_of(cache).nr_pages);
    CHECK_EQ(info_of(cache).nr_pages, 0);
    end();
}

/* An allocation of pages that fails otherwise. */
static void memory_that_is_short_comes_from_empty_slabs(void)
{
    struct quire_page *chain;
    if (!boot(256))
        return;
    take_many(MANY);
    free_many(MANY);
    unsigned long pages = info_of(cache).nr_pages;
    CHECK(pages > 2);
    take_pages(QUIRE_GFP_KERNEL, ~0ul, &chain);
    CHECK_EQ(info_of(cache).nr_pages, 0);
    free_chain(chain);
    end();
}

static const struct quire_memblock_region two_nodes[] = {
    {.size = 8 * MIB}, {.base = 8 * MIB, .size = 8 * MIB, .node = 1}, {0}};

static int node_of(const void *at)
{
    return quire_page_node(machine.mem, quire_virt_to_page(machine.mem, at));
}

static void each_node_has_its_own_slabs(void)
{
    static const uint8_t cpu_node[] = {0, 1};
    if (!machine_boot(two_nodes,
                      (struct quire_mem_config){.nr_cpus = 2,
                                                .cpu_node = cpu_node,
                                                .zone_end = {[QUIRE_ZONE_NORMAL] = UINT64_MAX}}) ||
        !slab_start(NULL))
        return;
    cache = cache_of("nodes", 200, 0);
    for (unsigned cpu = 0; cpu < 2; cpu++) {
        test_environment.set_cpu(cpu);
        take_many(300);
        for (unsigned i = 0; i < 300; i++)
            CHECK_EQ(node_of(object[i]), (int)cpu);
        free_many(300);
        quire_kmem_cache_shrink(cache);
        for (int node = 0; node < 2; node++)
            for (unsigned i = 0; i < 50; i++) {
                object[i] = quire_kmem_cache_alloc_node(cache, QUIRE_GFP_KERNEL, node);
                REQUIRE(object[i]);
                CHECK_EQ(node_of(object[i]), node);
                quire_kmem_cache_free(cache, object[i]);
                void *block = quire_kmalloc_node(slab, 5000, QUIRE_GFP_KERNEL, node);
                CHECK_EQ(node_of(block), node);
                quire_kfree(slab, block);
                block = quire_kmalloc_node(slab, 50000, QUIRE_GFP_KERNEL, node);
                CHECK_EQ(node_of(block), node);
                quire_kfree(slab, block);
            }
    }
    void *any = quire_kmem_cache_alloc_node(cache, QUIRE_GFP_KERNEL, -1);
    void *near = quire_kmem_cache_alloc_node(cache, QUIRE_GFP_KERNEL | QUIRE_GFP_THISNODE, -1);
    CHECK_EQ(node_of(near), 1);
    quire_kmem_cache_free(cache, any);
    quire_kmem_cache_free(cache, near);
    CHECK(!quire_kmem_cache_alloc_node(cache, QUIRE_GFP_KERNEL, 2));
    CHECK(!quire_kmalloc_node(slab, 10, QUIRE_GFP_KERNEL, 99));
    end();
}

/* As long as the node has any, be it in full sheaves only. */
static void this_node_gives_what_its_barn_holds(void)
{
    struct quire_page *chain;
    if (!machine_boot(two_nodes,
                      (struct quire_mem_config){.nr_cpus = 2,
                                                .zone_end = {[QUIRE_ZONE_NORMAL] = UINT64_MAX}}) ||
        !slab_start(NULL))
        return;
    quire_gfp_t gfp = QUIRE_GFP_NOWAIT | QUIRE_GFP_NOWARN | QUIRE_GFP_THISNODE;
    cache = cache_of("nodes", 200, 0);
    take_many(1000);
    free_many(1000);
    unsigned long free = quire_nr_free_pages(machine.mem);
    take_pages(QUIRE_GFP_KERNEL | QUIRE_GFP_MEMALLOC, ~0ul, &chain);
    CHECK_EQ(quire_nr_free_pages(machine.mem), 0);
    CHECK(free && info_of(cache).nr_barn);
    unsigned long there = info_of(cache).nr_objects - info_of(cache).nr_cpu;
    for (unsigned i = 0; i < there; i++) {
        REQUIRE((object[i] = quire_kmem_cache_alloc_node(cache, gfp, 0)));
        fill(object[i], 16);
    }
    CHECK(!quire_kmem_cache_alloc_node(cache, gfp, 0));
    free_chain(chain);
    free_many((unsigned)there);
    end();
}

static void a_node_that_is_not_there_gives_nothing(void)
{
    if (!boot(64))
        return;
    static const int nodes[] = {-2, -100, 1, 99};
    for (unsigned i = 0; i < sizeof nodes / sizeof nodes[0]; i++) {
        CHECK(!quire_kmem_cache_alloc_node(cache, QUIRE_GFP_KERNEL, nodes[i]));
        CHECK(!quire_kmalloc_node(slab, 100, QUIRE_GFP_KERNEL, nodes[i]));
        CHECK(!quire_kmalloc_node(slab, 100000, QUIRE_GFP_KERNEL, nodes[i]));
        CHECK_EQ(quire_slab_shrink(slab, nodes[i]), 0);
    }
    end();
}

/* Objects of both nodes freed by one CPU find the way to their slabs. */
static void objects_go_back_to_the_node_they_are_of(void)
{
    static const uint8_t cpu_node[] = {0, 1};
    if (!machine_boot(two_nodes,
                      (struct quire_mem_config){.nr_cpus = 2,
                                                .cpu_node = cpu_node,
                                                .zone_end = {[QUIRE_ZONE_NORMAL] = UINT64_MAX}}) ||
        !slab_start(NULL))
        return;
    cache = cache_of("nodes", 200, 0);
    for (unsigned i = 0; i < 1000; i++) {
        test_environment.set_cpu(i & 1);
        REQUIRE((object[i] = quire_kmem_cache_alloc(cache, QUIRE_GFP_KERNEL)));
        fill(object[i], 16);
    }
    test_environment.set_cpu(0);
    free_many(1000);
    quire_slab_check(slab);
    CHECK(quire_slab_shrink(slab, 1) > 0);
    quire_kmem_cache_shrink(cache);
    CHECK_EQ(info_of(cache).nr_pages, 0);
    end();
}

static const struct test_case cases[] = {
    TEST_CASE(what_was_freed_last_is_allocated_first),
    TEST_CASE(a_refill_starts_small_and_doubles),
    TEST_CASE(a_consumer_on_another_cpu_gives_whole_sheaves_back),
    TEST_CASE(objects_in_sheaves_are_counted_and_come_back),
    TEST_CASE(a_cpu_that_went_leaves_nothing_behind),
    TEST_CASE(who_has_no_cpu_number_does_without_sheaves),
    TEST_CASE(empty_slabs_beyond_the_reserve_go_back_at_once),
    TEST_CASE(what_is_partly_used_is_used_up_first),
    TEST_CASE(pressure_takes_what_sheaves_hold),
    TEST_CASE(memory_that_is_short_comes_from_empty_slabs),
    TEST_CASE(each_node_has_its_own_slabs),
    TEST_CASE(this_node_gives_what_its_barn_holds),
    TEST_CASE(a_node_that_is_not_there_gives_nothing),
    TEST_CASE(objects_go_back_to_the_node_they_are_of),
    {0},
};
const struct test_suite suite_sheaf = {"sheaf", cases};
