/* tests/unit/slab_grace_test.c: type-stable caches, with grace periods that the case ends */
#include <quire/port.h>

#include "tests/unit/slab_machine.h"

#define COUNT 400

static struct quire_port_grace *waiting;
static void (*waiting_call)(struct quire_port_grace *grace);
static unsigned asked;

/* One cache at a time has a period under way. */
static void remember(struct quire_port_grace *grace, void (*call)(struct quire_port_grace *grace))
{
    CHECK(!waiting);
    waiting = grace;
    waiting_call = call;
    asked++;
}

static void end_period(void)
{
    struct quire_port_grace *grace = waiting;
    REQUIRE(grace);
    waiting = NULL;
    waiting_call(grace);
}

static struct quire_kmem_cache *cache;
static uint32_t *object[COUNT];

static bool boot(bool grace)
{
    waiting = NULL;
    asked = 0;
    test_environment.set_grace(grace ? remember : NULL);
    if (!slab_boot(NULL))
        return false;
    test_environment.set_cpu(QUIRE_MAX_CPUS);
    cache = cache_of("stable", QUIRE_PAGE_SIZE / 16, QUIRE_SLAB_TYPESAFE_BY_RCU);
    return cache;
}

static void take(void)
{
    for (unsigned i = 0; i < COUNT; i++) {
        REQUIRE((object[i] = quire_kmem_cache_alloc(cache, QUIRE_GFP_KERNEL)));
        *object[i] = 0x5eed + i;
    }
}

static void give_back(void)
{
    for (unsigned i = 0; i < COUNT; i++)
        quire_kmem_cache_free(cache, object[i]);
}

/* Freed objects are still what they were. */
static void check_readable(void)
{
    for (unsigned i = 0; i < COUNT; i++)
        CHECK_EQ(*object[i], 0x5eed + i);
}

static void end(void)
{
    test_environment.set_grace(NULL);
    slab_end();
}

static void slabs_stay_until_readers_are_gone(void)
{
    if (!boot(true))
        return;
    unsigned long free = quire_nr_free_pages(machine.mem);
    take();
    unsigned long with = quire_nr_free_pages(machine.mem);
    CHECK(with < free);
    give_back();
    CHECK_EQ(quire_nr_free_pages(machine.mem), with);
    check_readable();
    CHECK_EQ(asked, 1);
    end_period(); /* gives the slab that asked; the others were pending and wait now */
    CHECK_EQ(asked, 2);
    CHECK(quire_nr_free_pages(machine.mem) > with);
    end_period();
    CHECK_EQ(asked, 2);
    quire_kmem_cache_shrink(cache);
    if (waiting)
        end_period();
    if (waiting)
        end_period();
    CHECK_EQ(quire_nr_free_pages(machine.mem), free);
    destroy(cache);
    end();
}

static void a_cache_ends_when_its_last_slab_may_go(void)
{
    if (!boot(true))
        return;
    take();
    give_back();
    destroy(cache);
    check_readable();
    cache = cache_of("stable", QUIRE_PAGE_SIZE / 16,
                     QUIRE_SLAB_TYPESAFE_BY_RCU); /* its name is free again */
    while (waiting)
        end_period();
    take();
    give_back();
    destroy(cache);
    while (waiting)
        end_period();
    end();
}

/* While the period's slabs go back to phys, of which one object was written to: the report's reader
 * empties another slab and destroys the cache. It may not end before period_over is through. */
static void destroy_meanwhile(void *arg, quire_pfn_t pfn, const char *text)
{
    machine_bad_page(arg, pfn, text);
    quire_kmem_cache_free(cache, object[COUNT - 1]);
    destroy(cache);
    cache = cache_of("successor", 64, QUIRE_SLAB_NO_MERGE); /* would be where the other one was */
}

static void a_cache_that_is_destroyed_while_a_period_ends_waits_for_it(void)
{
    static const struct quire_mem_ops ops = {.bad_page = destroy_meanwhile};
    waiting = NULL;
    asked = 0;
    test_environment.set_grace(remember);
    if (!machine_boot_plain(16 * MIB, (struct quire_mem_config){.nr_cpus = 2, .ops = &ops}) ||
        !slab_start(NULL))
        return;
    unsigned long free = quire_nr_free_pages(machine.mem);
    cache =
        cache_of("stable", QUIRE_PAGE_SIZE / 16, QUIRE_SLAB_TYPESAFE_BY_RCU | QUIRE_SLAB_RED_ZONE);
    take();
    for (unsigned i = 0; i + 1 < COUNT; i++)
        quire_kmem_cache_free(cache, object[i]);
    quire_kmem_cache_shrink(cache); /* none is kept empty: all wait for the second period */
    CHECK_EQ(asked, 1);
    *((char *)object[0] - 1) = 0;
    for (unsigned period = 0; waiting && period < 4; period++)
        end_period();
    CHECK(machine_caught("written before its beginning"));
    CHECK(!waiting);
    CHECK(asked >= 2);
    destroy(cache);
    quire_slab_shrink(slab, -1);
    CHECK_EQ(quire_nr_free_pages(machine.mem), free);
    end();
}

static void where_nobody_knows_of_readers_slabs_stay(void)
{
    if (!boot(false))
        return;
    take();
    unsigned long with = quire_nr_free_pages(machine.mem);
    give_back();
    quire_kmem_cache_shrink(cache);
    CHECK_EQ(quire_slab_shrink(slab, -1), 0);
    CHECK_EQ(quire_nr_free_pages(machine.mem), with);
    check_readable();
    take(); /* and are used again */
    CHECK_EQ(quire_nr_free_pages(machine.mem), with);
    give_back();
    destroy(cache);
    CHECK(quire_nr_free_pages(machine.mem) > with);
    end();
}

static void freed_objects_are_not_poisoned(void)
{
    if (!boot(true))
        return;
    destroy(cache);
    cache = cache_of("stable", 100, QUIRE_SLAB_TYPESAFE_BY_RCU | QUIRE_SLAB_DEBUG_FLAGS);
    take();
    give_back();
    check_readable();
    destroy(cache);
    while (waiting)
        end_period();
    end();
}

static void the_end_waits_for_no_reader(void)
{
    if (!boot(true))
        return;
    test_environment.set_cpu(0); /* which has sheaves */
    void *few[60];
    for (unsigned i = 0; i < 60; i++)
        REQUIRE((few[i] = quire_kmem_cache_alloc(cache, QUIRE_GFP_KERNEL)));
    for (unsigned i = 0; i < 60; i++)
        quire_kmem_cache_free(cache, few[i]);
    CHECK_EQ(asked, 0);
    CHECK_EQ(quire_slab_destroy(slab), 0);
    CHECK_EQ(asked, 0);
    test_environment.set_grace(NULL);
    CHECK_EQ(quire_mem_destroy(machine.mem), 0);
}

static const struct test_case cases[] = {
    TEST_CASE(slabs_stay_until_readers_are_gone),
    TEST_CASE(a_cache_ends_when_its_last_slab_may_go),
    TEST_CASE(a_cache_that_is_destroyed_while_a_period_ends_waits_for_it),
    TEST_CASE(where_nobody_knows_of_readers_slabs_stay),
    TEST_CASE(freed_objects_are_not_poisoned),
    TEST_CASE(the_end_waits_for_no_reader),
    {0},
};
const struct test_suite suite_slab_grace = {"slab_grace", cases};
