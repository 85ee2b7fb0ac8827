/* tests/faults/slab_faults.c: every allocation of the slab layer fails, and nothing is lost by it
 *
 * A scenario runs again and again: the first time its first allocation of pages or of a sheaf
 * fails, then its second, until it gets by without a failure; and all of that once more with
 * everything failing from there on. Whatever it gets it fills, checks and frees; at the end of each
 * run all invariants hold and the machine has every page back.
 */
#include "tests/unit/slab_machine.h"

#define OBJECTS 150u

static unsigned long calls, first_failure, last_failure;

static bool fails(void *arg)
{
    (void)arg;
    calls++;
    return calls >= first_failure && calls <= last_failure;
}

static const struct quire_slab_config failing = {.fail = fails};

/* From the allocation of that number on, one or all fail. */
static void fail_from(unsigned long number, bool all)
{
    calls = 0;
    first_failure = number;
    last_failure = all ? ~0ul : number;
}

static void fail_none(void)
{
    fail_from(~0ul, false);
}

/* ---- starting -------------------------------------------------------------------------------- */

static void starting_fails_at_each_step_and_takes_nothing(void)
{
    for (unsigned all = 0; all < 2; all++) {
        unsigned long number = 0;
        if (!machine_boot_plain(16 * MIB, (struct quire_mem_config){.nr_cpus = 3}))
            return;
        unsigned long free = quire_nr_free_pages(machine.mem);
        for (bool failed = true; failed; number++) {
            fail_from(number + 1, all);
            int error = quire_slab_init(&slab, machine.mem, &failing);
            failed = calls >= first_failure;
            if (error)
                CHECK(failed && error == -QUIRE_ENOMEM);
            else
                CHECK(!failed || !all); /* one alone may be made up for by a smaller order */
            fail_none();
            if (!error)
                CHECK_EQ(quire_slab_destroy(slab), 0);
            CHECK_EQ(quire_nr_free_pages(machine.mem), free);
        }
        CHECK(number > 7); /* the core, four CPUs, slabs for caches and for their names */
        quire_mem_check(machine.mem);
    }
}

static void starting_without_memory_takes_nothing(void)
{
    struct quire_page *chain;
    if (!machine_boot_plain(4 * MIB, (struct quire_mem_config){.nr_cpus = 3}))
        return;
    take_pages(QUIRE_GFP_KERNEL, ~0ul, &chain);
    unsigned long free = quire_nr_free_pages(machine.mem);
    while (chain) {
        CHECK_EQ(quire_nr_free_pages(machine.mem), free);
        if (!quire_slab_init(&slab, machine.mem, NULL))
            break;
        struct quire_page *next = chain->owner.pointer[0];
        quire_free_page(machine.mem, chain);
        chain = next;
        free++;
    }
    CHECK(chain);
    CHECK_EQ(quire_slab_destroy(slab), 0);
    CHECK_EQ(quire_nr_free_pages(machine.mem), free);
    free_chain(chain);
    quire_mem_check(machine.mem);
}

/* ---- using ----------------------------------------------------------------------------------- */

static void construct(void *object)
{
    *(unsigned char *)object = 0xc7;
}

static struct {
    struct quire_kmem_cache *cache[4];
    void *object[4][OBJECTS];
    void *block[OBJECTS];
    size_t block_size[OBJECTS];
} scene;

static void create_caches(void)
{
    scene.cache[0] = quire_kmem_cache_create(slab, "plain", 72, 0, QUIRE_SLAB_NO_MERGE, NULL);
    scene.cache[1] = quire_kmem_cache_create(slab, "constructed", 300, 0, 0, construct);
    scene.cache[2] = quire_kmem_cache_create(slab, "watched", 100, 0, QUIRE_SLAB_DEBUG_FLAGS, NULL);
    scene.cache[3] = quire_kmem_cache_create(slab, "large", 9000, 0, QUIRE_SLAB_NO_MERGE, NULL);
}

static void use_cache(unsigned i)
{
    for (unsigned n = 0; scene.cache[i] && n < OBJECTS / (i == 3 ? 10 : 1); n++) {
        void *object = quire_kmem_cache_alloc(scene.cache[i], QUIRE_GFP_KERNEL);
        scene.object[i][n] = object;
        if (!object)
            continue;
        if (i == 1)
            CHECK_EQ(*(unsigned char *)object, 0xc7);
        else
            fill(object, quire_kmem_cache_size(scene.cache[i]));
    }
}

static void use_bulk(void)
{
    void *object[100];
    if (!scene.cache[0])
        return;
    if (quire_kmem_cache_alloc_bulk(scene.cache[0], QUIRE_GFP_KERNEL, 100, object)) {
        for (unsigned n = 0; n < 100; n++)
            fill(object[n], 72);
        quire_kmem_cache_free_bulk(scene.cache[0], 100, object);
    }
}

static void use_blocks(void)
{
    for (unsigned n = 0; n < OBJECTS; n++) {
        size_t size = 1 + n * n % 12000;
        scene.block[n] = quire_kmalloc(slab, size, QUIRE_GFP_KERNEL);
        scene.block_size[n] = scene.block[n] ? size : 0;
        if (!scene.block[n])
            continue;
        if (n % 5 == 0) {
            void *moved = quire_krealloc(slab, scene.block[n], 2 * size, QUIRE_GFP_KERNEL);
            scene.block[n] = moved ? moved : scene.block[n];
            scene.block_size[n] = moved ? 2 * size : size;
        }
        fill(scene.block[n], scene.block_size[n]);
    }
}

static void free_cache(unsigned i)
{
    for (unsigned n = 0; n < OBJECTS; n++) {
        void *object = scene.object[i][n];
        if (!object)
            continue;
        if (i != 1)
            CHECK(is_filled(object, quire_kmem_cache_size(scene.cache[i])));
        quire_kmem_cache_free(scene.cache[i], object);
        scene.object[i][n] = NULL;
    }
    if (scene.cache[i])
        CHECK_EQ(info_of(scene.cache[i]).nr_active, 0);
    destroy(scene.cache[i]);
}

/* One CPU allocates, the other frees. */
static void play(void)
{
    test_environment.set_cpu(0);
    create_caches();
    for (unsigned i = 0; i < 4; i++)
        use_cache(i);
    use_blocks();
    use_bulk();
    test_environment.set_cpu(1);
    use_bulk();
    for (unsigned n = 0; n < OBJECTS; n++) {
        if (scene.block[n])
            CHECK(is_filled(scene.block[n], scene.block_size[n]));
        quire_kfree(slab, scene.block[n]);
    }
    for (unsigned i = 0; i < 4; i++)
        free_cache(i);
}

static void play_with_failures(bool all)
{
    unsigned long number = 1;
    for (bool failed = true; failed; number += all && number > 40 ? 7 : 1) {
        fail_none();
        if (!slab_boot(&failing))
            return;
        fail_from(number, all);
        play();
        failed = calls >= first_failure;
        fail_none();
        slab_end();
    }
    CHECK(number > 100);
    test_note("%lu allocations failed, %s", number - 1, all ? "and all after them" : "each alone");
}

static void one_failure_anywhere_loses_nothing(void)
{
    play_with_failures(false);
}

static void failures_that_do_not_end_lose_nothing(void)
{
    play_with_failures(true);
}

/* ---- running dry ----------------------------------------------------------------------------- */

/* All that the machine has becomes objects, by turns of the sizes, until there is no more. */
static void memory_runs_dry_and_recovers(void)
{
    static const size_t sizes[] = {8, 100, 1000, 4096, 8192, 40000};
    if (!slab_boot(NULL))
        return;
    for (unsigned i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        void **chain = NULL, **block;
        unsigned long count = 0;
        test_environment.set_cpu(i % 3 == 2 ? QUIRE_MAX_CPUS : i % 3);
        while ((block = quire_kmalloc(slab, sizes[i], QUIRE_GFP_KERNEL | QUIRE_GFP_NOWARN))) {
            *block = chain;
            chain = block;
            count++;
        }
        CHECK(count * sizes[i] > 8 * MIB);
        CHECK(!quire_kmalloc(slab, sizes[i], QUIRE_GFP_KERNEL | QUIRE_GFP_NOWARN));
        quire_slab_check(slab);
        while (chain) {
            block = *chain;
            quire_kfree(slab, chain);
            chain = block;
        }
        quire_slab_shrink(slab, -1);
        quire_slab_check(slab);
    }
    slab_end();
}

static void objects_in_barns_are_found_when_there_are_no_pages(void)
{
    static void *object[2000];
    struct quire_page *chain;
    if (!slab_boot(NULL))
        return;
    struct quire_kmem_cache *cache = cache_of("barn", 64, QUIRE_SLAB_NO_MERGE);
    for (unsigned i = 0; i < 2000; i++)
        REQUIRE((object[i] = quire_kmem_cache_alloc(cache, QUIRE_GFP_KERNEL)));
    test_environment.set_cpu(1);
    quire_kmem_cache_free_bulk(cache, 1500, object);
    test_environment.set_cpu(QUIRE_MAX_CPUS);
    take_pages(QUIRE_GFP_KERNEL | QUIRE_GFP_MEMALLOC, ~0ul, &chain);
    unsigned long there = info_of(cache).nr_objects - 500 - info_of(cache).nr_cpu;
    CHECK(info_of(cache).nr_barn > 0);
    for (unsigned i = 0; i < there; i++)
        REQUIRE((object[i] = quire_kmem_cache_alloc(cache, QUIRE_GFP_NOWAIT | QUIRE_GFP_NOWARN)));
    CHECK(!quire_kmem_cache_alloc(cache, QUIRE_GFP_NOWAIT | QUIRE_GFP_NOWARN));
    free_chain(chain);
    quire_kmem_cache_free_bulk(cache, there, object);
    quire_kmem_cache_free_bulk(cache, 500, object + 1500);
    destroy(cache);
    slab_end();
}

static const struct test_case cases[] = {
    TEST_CASE(starting_fails_at_each_step_and_takes_nothing),
    TEST_CASE(starting_without_memory_takes_nothing),
    TEST_CASE(one_failure_anywhere_loses_nothing),
    TEST_CASE(failures_that_do_not_end_lose_nothing),
    TEST_CASE(memory_runs_dry_and_recovers),
    TEST_CASE(objects_in_barns_are_found_when_there_are_no_pages),
    {0},
};
const struct test_suite suite_slab_faults = {"slab_faults", cases};
