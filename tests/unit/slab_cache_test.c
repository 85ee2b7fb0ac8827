/* tests/unit/slab_cache_test.c: caches: creating, allocating, freeing, sharing, destroying */
#include "tests/unit/slab_machine.h"

static void objects_are_disjoint_and_keep_their_content(void)
{
    enum { COUNT = 500 };
    static const size_t sizes[] = {1, 8, 24, 63, 64, 65, 100, 700, 2000, 4096, 5000, 20000, 131072};
    static void *object[COUNT];
    if (!slab_boot(NULL))
        return;
    for (unsigned i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        struct quire_kmem_cache *cache = cache_of("objects", sizes[i], QUIRE_SLAB_NO_MERGE);
        unsigned count = sizes[i] > 5000 ? 20 : COUNT;
        REQUIRE(cache);
        CHECK_EQ(quire_kmem_cache_size(cache), sizes[i]);
        for (unsigned n = 0; n < count; n++) {
            REQUIRE((object[n] = quire_kmem_cache_alloc(cache, QUIRE_GFP_KERNEL)));
            CHECK_EQ((uintptr_t)object[n] % 8, 0);
            fill(object[n], sizes[i]);
        }
        CHECK_EQ(info_of(cache).nr_active, count);
        for (unsigned n = 0; n < count; n++) {
            CHECK(is_filled(object[n], sizes[i]));
            quire_kmem_cache_free(cache, object[n]);
        }
        CHECK_EQ(info_of(cache).nr_active, 0);
        quire_slab_check(slab);
        destroy(cache);
    }
    slab_end();
}

static void alignment_is_kept(void)
{
    static void *object[100];
    if (!slab_boot(NULL))
        return;
    for (size_t align = 8; align <= QUIRE_PAGE_SIZE; align *= 2) {
        struct quire_kmem_cache *cache =
            quire_kmem_cache_create(slab, "aligned", 24, align, QUIRE_SLAB_NO_MERGE, NULL);
        REQUIRE(cache);
        for (unsigned i = 0; i < 100; i++) {
            REQUIRE((object[i] = quire_kmem_cache_alloc(cache, QUIRE_GFP_KERNEL)));
            CHECK_EQ((uintptr_t)object[i] & (align - 1), 0);
        }
        for (unsigned i = 0; i < 100; i++)
            quire_kmem_cache_free(cache, object[i]);
        destroy(cache);
    }
    slab_end();
}

static void objects_aligned_to_cache_lines_do_not_share_them_needlessly(void)
{
    static const struct {
        size_t size, slot;
    } expected[] = {{8, 8}, {12, 16}, {20, 32}, {33, 64}, {64, 64}, {65, 128}};
    if (!slab_boot(NULL))
        return;
    for (unsigned i = 0; i < sizeof expected / sizeof expected[0]; i++) {
        struct quire_kmem_cache *cache =
            cache_of("lines", expected[i].size, QUIRE_SLAB_HWCACHE_ALIGN | QUIRE_SLAB_NO_MERGE);
        CHECK_EQ(info_of(cache).size, expected[i].slot);
        destroy(cache);
    }
    slab_end();
}

static void zero_clears_the_object_wherever_it_comes_from(void)
{
    void *object[200];
    if (!slab_boot(NULL))
        return;
    struct quire_kmem_cache *cache = cache_of("zeroed", 90, 0);
    for (unsigned round = 0; round < 3; round++) {
        for (unsigned i = 0; i < 200; i++) {
            object[i] =
                round == 2
                    ? quire_kmem_cache_alloc_node(cache, QUIRE_GFP_KERNEL | QUIRE_GFP_ZERO, 0)
                    : quire_kmem_cache_zalloc(cache, QUIRE_GFP_KERNEL);
            REQUIRE(object[i]);
            CHECK(is_zero(object[i], 90));
            fill(object[i], 90);
        }
        for (unsigned i = 0; i < 200; i++)
            quire_kmem_cache_free(cache, object[i]);
    }
    destroy(cache);
    slab_end();
}

static unsigned constructed;

static void construct(void *object)
{
    *(uint32_t *)object = 0x900d;
    constructed++;
}

static void a_constructor_runs_once_for_each_place_and_its_work_stays(void)
{
    void *object[300];
    if (!slab_boot(NULL))
        return;
    constructed = 0;
    struct quire_kmem_cache *cache =
        quire_kmem_cache_create(slab, "constructed", 40, 0, 0, construct);
    REQUIRE(cache);
    for (unsigned round = 0; round < 3; round++) {
        for (unsigned i = 0; i < 300; i++) {
            REQUIRE((object[i] = quire_kmem_cache_alloc(cache, QUIRE_GFP_KERNEL)));
            CHECK_EQ(*(uint32_t *)object[i], 0x900d);
        }
        for (unsigned i = 0; i < 300; i++)
            quire_kmem_cache_free(cache, object[i]);
    }
    CHECK_EQ(constructed, info_of(cache).nr_objects);
    destroy(cache);
    slab_end();
}

static void bulk_gives_all_or_nothing(void)
{
    static void *object[3000];
    if (!slab_boot(&(struct quire_slab_config){.fail = fail_once}))
        return;
    struct quire_kmem_cache *cache = cache_of("bulk", 256, 0);
    static const size_t counts[] = {0, 1, 31, 32, 33, 700, 3000};
    for (unsigned i = 0; i < sizeof counts / sizeof counts[0]; i++) {
        REQUIRE(quire_kmem_cache_alloc_bulk(cache, QUIRE_GFP_KERNEL | QUIRE_GFP_ZERO, counts[i],
                                            object));
        CHECK_EQ(info_of(cache).nr_active, counts[i]);
        for (size_t n = 0; n < counts[i]; n++) {
            CHECK(is_zero(object[n], 256));
            fill(object[n], 256);
        }
        for (size_t n = 0; n < counts[i]; n++)
            CHECK(is_filled(object[n], 256));
        if (counts[i] > 40) { /* NULL elements are skipped */
            quire_kmem_cache_free(cache, object[7]);
            quire_kmem_cache_free(cache, object[40]);
            object[7] = object[40] = NULL;
        }
        quire_kmem_cache_free_bulk(cache, counts[i], object);
        CHECK_EQ(info_of(cache).nr_active, 0);
    }
    quire_kmem_cache_shrink(cache);
    fail_at = 5;
    CHECK(!quire_kmem_cache_alloc_bulk(cache, QUIRE_GFP_KERNEL, 3000, object));
    CHECK_EQ(info_of(cache).nr_active, 0);
    destroy(cache);
    slab_end();
}

static void what_makes_no_sense_is_refused_and_says_why(void)
{
    static const char long_name[] = "a name of thirty-two characters.";
    if (!slab_boot(NULL))
        return;
    static const struct {
        const char *name;
        size_t size, align;
        quire_slab_flags_t flags;
        const char *why;
    } bad[] = {
        {"", 8, 0, 0, "no name"},
        {NULL, 8, 0, 0, "no name"},
        {long_name, 8, 0, 0, "more than 31 characters"},
        {"x", 0, 0, 0, "have no size"},
        {"x", QUIRE_KMEM_CACHE_MAX_SIZE + 1, 0, 0, "above QUIRE_KMEM_CACHE_MAX_SIZE"},
        {"x", SIZE_MAX, 0, 0, "above QUIRE_KMEM_CACHE_MAX_SIZE"},
        {"x", 8, 24, 0, "no power of two"},
        {"x", 8, 2 * QUIRE_PAGE_SIZE, 0, "above a page"},
        {"x", 8, 0, 1, "unknown flags"},
        {"x", 8, 0, 0x80000000u, "unknown flags"},
        {"x", 8, 0, QUIRE_SLAB_CACHE_DMA | QUIRE_SLAB_CACHE_DMA32, "DMA and DMA32"},
        {"kmalloc-64", 64, 0, 0, "there is one of that name"},
    };
    for (unsigned i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        forget_log();
        CHECK(!quire_kmem_cache_create(slab, bad[i].name, bad[i].size, bad[i].align, bad[i].flags,
                                       NULL));
        CHECK(machine_said("can't be created"));
        CHECK(machine_said(bad[i].why));
    }
    destroy(NULL);
    slab_end();
}

static void there_are_no_more_caches_than_was_said(void)
{
    struct quire_kmem_cache *cache[64] = {0};
    char name[] = "cache-aa";
    unsigned count = 0;
    if (!slab_boot(&(struct quire_slab_config){.max_caches = 64}))
        return;
    for (; count < 64; count++) {
        name[6] = (char)('a' + count / 26);
        name[7] = (char)('a' + count % 26);
        cache[count] = quire_kmem_cache_create(slab, name, 64, 0, QUIRE_SLAB_NO_MERGE, NULL);
        if (!cache[count])
            break;
    }
    CHECK(count > 8 && count < 64);
    CHECK(machine_said("config.max_caches"));
    destroy(cache[3]);
    cache[3] = cache_of("in its place", 64, QUIRE_SLAB_NO_MERGE);
    for (unsigned i = 0; i < count; i++)
        destroy(cache[i]);
    slab_end();
}

static void caches_of_alike_objects_share_slabs(void)
{
    if (!slab_boot(NULL))
        return;
    struct quire_kmem_cache *first = cache_of("first", 100, 0);
    struct quire_kmem_cache *second = cache_of("second", 97, 0);
    struct quire_kmem_cache *other = cache_of("other", 100, QUIRE_SLAB_RECLAIM_ACCOUNT);
    struct quire_kmem_cache *alone = cache_of("alone", 100, QUIRE_SLAB_NO_MERGE);
    struct quire_kmem_cache *constructs =
        quire_kmem_cache_create(slab, "constructs", 100, 0, 0, construct);
    CHECK_EQ(info_of(first).nr_aliases, 1);
    CHECK_EQ(info_of(second).nr_aliases, 1);
    CHECK_EQ(info_of(second).object_size, 97);
    CHECK_EQ(info_of(other).nr_aliases + info_of(alone).nr_aliases, 0);
    CHECK_EQ(info_of(constructs).nr_aliases, 0);
    CHECK(!quire_kmem_cache_create(slab, "second", 97, 0, 0, NULL));
    void *object = quire_kmem_cache_alloc(first, QUIRE_GFP_KERNEL);
    CHECK_EQ(info_of(second).nr_active, 1);
    destroy(first); /* the object lives in what second has */
    CHECK(contains(quire_kmem_cache_name(second), "second"));
    struct quire_kmem_cache *third = cache_of("first", 99, 0);
    CHECK_EQ(info_of(third).nr_active, 1);
    destroy(second);
    quire_kmem_cache_free(third, object);
    destroy(third);
    destroy(other);
    destroy(alone);
    destroy(constructs);
    slab_end();
}

/* What a mistake, found while a cache is being emptied for its end, makes its reporter do. */
static struct quire_kmem_cache *latecomer;

static void create_an_alike_cache(void *arg, quire_pfn_t pfn, const char *text)
{
    machine_bad_page(arg, pfn, text);
    latecomer = cache_of("latecomer", 100, 0);
}

static void a_cache_that_is_being_destroyed_is_shared_no_more(void)
{
    static const struct quire_mem_ops ops = {.bad_page = create_an_alike_cache};
    if (!machine_boot_plain(16 * MIB, (struct quire_mem_config){.nr_cpus = 2, .ops = &ops}) ||
        !slab_start(NULL))
        return;
    struct quire_kmem_cache *first = cache_of("first", 100, 0);
    void *object = quire_kmem_cache_alloc(first, QUIRE_GFP_KERNEL);
    quire_kmem_cache_free(first, object);
    quire_kmem_cache_free(first, object);
    latecomer = NULL;
    destroy(first);
    CHECK(machine_caught("free of what is free"));
    REQUIRE(latecomer);
    CHECK_EQ(info_of(latecomer).nr_aliases, 0);
    object = quire_kmem_cache_alloc(latecomer, QUIRE_GFP_KERNEL);
    CHECK(object);
    quire_kmem_cache_free(latecomer, object);
    destroy(latecomer);
    slab_end();
}

static void sharing_can_be_turned_off(void)
{
    if (!slab_boot(&(struct quire_slab_config){.no_merge = true}))
        return;
    struct quire_kmem_cache *first = cache_of("first", 100, 0);
    struct quire_kmem_cache *second = cache_of("second", 100, 0);
    CHECK_EQ(info_of(first).nr_aliases, 0);
    destroy(first);
    destroy(second);
    slab_end();
}

static void a_cache_with_objects_out_is_not_destroyed_and_stays_usable(void)
{
    if (!slab_boot(NULL))
        return;
    struct quire_kmem_cache *cache = cache_of("leaky", 32, QUIRE_SLAB_NO_MERGE);
    void *a = quire_kmem_cache_alloc(cache, QUIRE_GFP_KERNEL);
    void *b = quire_kmem_cache_alloc(cache, QUIRE_GFP_KERNEL);
    CHECK_EQ(quire_kmem_cache_destroy(cache), -QUIRE_EBUSY);
    CHECK(machine_caught("\"leaky\" can't be destroyed: 2 objects are still allocated"));
    void *c = quire_kmem_cache_alloc(cache, QUIRE_GFP_KERNEL);
    CHECK(c && c != a && c != b);
    CHECK_EQ(info_of(cache).nr_active, 3);
    quire_kmem_cache_free(cache, a);
    quire_kmem_cache_free(cache, b);
    quire_kmem_cache_free(cache, c);
    destroy(cache);
    slab_end();
}

static void the_end_counts_what_is_still_allocated(void)
{
    if (!slab_boot(NULL))
        return;
    struct quire_kmem_cache *cache = cache_of("forgotten", 32, 0);
    CHECK(quire_kmem_cache_alloc(cache, QUIRE_GFP_KERNEL));
    CHECK(quire_kmalloc(slab, 300, QUIRE_GFP_KERNEL));
    CHECK(quire_kmalloc(slab, 300, QUIRE_GFP_KERNEL));
    CHECK_EQ(quire_slab_destroy(slab), 3);
    quire_mem_check(machine.mem);
}

static void slabs_have_the_lowest_order_that_wastes_little(void)
{
    static const struct {
        size_t size;
        unsigned order;
    } expected[] = {{8, 0},    {64, 0},   {96, 1},  {192, 2},  {1024, 0},
                    {2048, 1}, {4096, 2}, {700, 2}, {5000, 3}, {QUIRE_KMEM_CACHE_MAX_SIZE, 5}};
    if (!slab_boot(NULL))
        return;
    for (unsigned i = 0; QUIRE_PAGE_SHIFT == 12 && i < sizeof expected / sizeof expected[0]; i++) {
        struct quire_kmem_cache *cache = cache_of("order", expected[i].size, QUIRE_SLAB_NO_MERGE);
        CHECK_EQ(info_of(cache).order, expected[i].order);
        destroy(cache);
    }
    slab_end();
}

/* A heap's memory begins with little, and grows: what there is at first says nothing. */
static void orders_are_limited_by_the_owner_and_not_by_memory(void)
{
    static const unsigned expected[] = {3, 0, 1, 2, 3, 3};
    for (unsigned limit = 0; limit < sizeof expected / sizeof expected[0]; limit++) {
        if (!machine_boot_plain(4 * MIB, (struct quire_mem_config){.nr_cpus = 2}) ||
            !slab_start(&(struct quire_slab_config){.order_limit = limit}))
            return;
        struct quire_kmem_cache *cache = cache_of("order", 2500, QUIRE_SLAB_NO_MERGE);
        if (QUIRE_PAGE_SHIFT == 12)
            CHECK_EQ(info_of(cache).order, expected[limit]);
        destroy(cache);
        cache = cache_of("large", QUIRE_KMEM_CACHE_MAX_SIZE, QUIRE_SLAB_NO_MERGE);
        CHECK_EQ(info_of(cache).order, 5);
        destroy(cache);
        slab_end();
    }
}

static void the_order_of_new_slabs_can_be_set(void)
{
    void *object[64];
    if (!slab_boot(NULL))
        return;
    struct quire_kmem_cache *cache = cache_of("order", QUIRE_PAGE_SIZE + 904, QUIRE_SLAB_NO_MERGE);
    CHECK_EQ(quire_kmem_cache_set_order(cache, 0), -QUIRE_EINVAL);
    CHECK_EQ(quire_kmem_cache_set_order(cache, QUIRE_KMEM_CACHE_MAX_ORDER + 1), -QUIRE_EINVAL);
    for (unsigned order = 1; order <= QUIRE_KMEM_CACHE_MAX_ORDER; order++) {
        CHECK_EQ(quire_kmem_cache_set_order(cache, order), 0);
        quire_kmem_cache_shrink(cache);
        for (unsigned i = 0; i < 64; i++)
            REQUIRE((object[i] = quire_kmem_cache_alloc(cache, QUIRE_GFP_KERNEL)));
        struct quire_kmem_cache_info info = info_of(cache);
        CHECK_EQ(info.order, order);
        CHECK_EQ(info.nr_pages, info.nr_slabs << order);
        CHECK_EQ(info.nr_objects, info.nr_slabs * info.objects_per_slab);
        quire_slab_check(slab);
        quire_kmem_cache_free_bulk(cache, 64, object);
    }
    destroy(cache);
    slab_end();
}

static void random_order_hands_out_every_object_once(void)
{
    enum { COUNT = 512 };
    static void *object[COUNT];
    static const size_t sizes[] = {8, 128};
    if (!slab_boot(NULL))
        return;
    for (unsigned s = 0; s < 2; s++) {
        struct quire_kmem_cache *cache = cache_of("random", sizes[s], QUIRE_SLAB_FREELIST_RANDOM);
        unsigned ascending = 0;
        for (unsigned i = 0; i < COUNT; i++) {
            REQUIRE((object[i] = quire_kmem_cache_alloc(cache, QUIRE_GFP_KERNEL)));
            fill(object[i], sizes[s]);
            ascending += i && (char *)object[i] == (char *)object[i - 1] + sizes[s];
        }
        CHECK(ascending < COUNT / 4);
        for (unsigned i = 0; i < COUNT; i++) {
            CHECK(is_filled(object[i], sizes[s]));
            quire_kmem_cache_free(cache, object[i]);
        }
        destroy(cache);
    }
    slab_end();
}

static void construct_word(void *object)
{
    *(uint64_t *)object = 0x5a5a;
}

static void zero_leaves_what_a_constructor_made(void)
{
    if (!slab_boot(NULL))
        return;
    struct quire_kmem_cache *cache =
        quire_kmem_cache_create(slab, "constructed", 64, 0, 0, construct_word);
    REQUIRE(cache);
    for (unsigned i = 0; i < 3; i++) {
        uint64_t *object = quire_kmem_cache_zalloc(cache, QUIRE_GFP_KERNEL);
        REQUIRE(object);
        CHECK_EQ(*object, 0x5a5a);
        quire_kmem_cache_free(cache, object);
    }
    destroy(cache);
    slab_end();
}

static const struct test_case cases[] = {
    TEST_CASE(objects_are_disjoint_and_keep_their_content),
    TEST_CASE(alignment_is_kept),
    TEST_CASE(objects_aligned_to_cache_lines_do_not_share_them_needlessly),
    TEST_CASE(zero_clears_the_object_wherever_it_comes_from),
    TEST_CASE(a_constructor_runs_once_for_each_place_and_its_work_stays),
    TEST_CASE(bulk_gives_all_or_nothing),
    TEST_CASE(what_makes_no_sense_is_refused_and_says_why),
    TEST_CASE(there_are_no_more_caches_than_was_said),
    TEST_CASE(caches_of_alike_objects_share_slabs),
    TEST_CASE(a_cache_that_is_being_destroyed_is_shared_no_more),
    TEST_CASE(sharing_can_be_turned_off),
    TEST_CASE(a_cache_with_objects_out_is_not_destroyed_and_stays_usable),
    TEST_CASE(the_end_counts_what_is_still_allocated),
    TEST_CASE(slabs_have_the_lowest_order_that_wastes_little),
    TEST_CASE(orders_are_limited_by_the_owner_and_not_by_memory),
    TEST_CASE(the_order_of_new_slabs_can_be_set),
    TEST_CASE(random_order_hands_out_every_object_once),
    TEST_CASE(zero_leaves_what_a_constructor_made),
    {0},
};
const struct test_suite suite_slab_cache = {"slab_cache", cases};
