/* tests/unit/kmalloc_test.c: general caches */
#include "tests/unit/slab_machine.h"

static size_t class_size(size_t size)
{
    static const size_t classes[] = {8, 16, 32, 64, 96, 128, 192, 256, 512, 1024, 2048, 4096, 8192};
    unsigned i = 0;
    while (classes[i] < size)
        i++;
    return classes[i];
}

static void every_size_gets_its_class_with_natural_alignment(void)
{
    if (!slab_boot(NULL))
        return;
    for (size_t size = 1; size <= QUIRE_KMALLOC_MAX_CACHE; size += size < 600 ? 1 : 61) {
        void *block = quire_kmalloc(slab, size, QUIRE_GFP_KERNEL);
        size_t class = class_size(size);
        REQUIRE(block);
        fill(block, size);
        CHECK_EQ(quire_ksize(slab, block), class);
        CHECK_EQ((uintptr_t)block % (class & -class), 0);
        CHECK(is_filled(block, size));
        quire_kfree(slab, block);
    }
    slab_end();
}

static void above_the_largest_class_there_are_pages(void)
{
    if (!slab_boot(NULL))
        return;
    size_t most = QUIRE_PAGE_SIZE << QUIRE_MAX_ORDER;
    static const size_t sizes[] = {8193, 16384, 16385, 100000, 1000000};
    unsigned long free = quire_nr_free_pages(machine.mem);
    for (unsigned i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        size_t rounded = QUIRE_PAGE_SIZE;
        while (rounded < sizes[i])
            rounded *= 2;
        char *block = quire_kzalloc(slab, sizes[i], QUIRE_GFP_KERNEL);
        REQUIRE(block);
        CHECK(is_zero(block, sizes[i]));
        CHECK_EQ(quire_ksize(slab, block), rounded);
        CHECK_EQ(free - quire_nr_free_pages(machine.mem), PAGES(rounded));
        quire_kfree(slab, block);
        CHECK_EQ(quire_nr_free_pages(machine.mem), free);
    }
    void *all = quire_kmalloc(slab, most, QUIRE_GFP_KERNEL);
    CHECK(all);
    quire_kfree(slab, all);
    CHECK(!quire_kmalloc(slab, most + 1, QUIRE_GFP_KERNEL));
    CHECK(!quire_kmalloc(slab, SIZE_MAX, QUIRE_GFP_KERNEL));
    slab_end();
}

static void what_is_no_block_has_no_size(void)
{
    int here;
    if (!slab_boot(NULL))
        return;
    void *page = quire_get_zeroed_page(machine.mem, QUIRE_GFP_KERNEL);
    REQUIRE(page);
    CHECK_EQ(quire_ksize(slab, page), 0);
    CHECK_EQ(quire_ksize(slab, &here), 0);
    quire_free_pages_at(machine.mem, page, 0);
    slab_end();
}

static void size_zero_and_null_are_no_blocks(void)
{
    if (!slab_boot(NULL))
        return;
    CHECK(quire_kmalloc(slab, 0, QUIRE_GFP_KERNEL) == QUIRE_ZERO_SIZE_PTR);
    CHECK(quire_kzalloc(slab, 0, QUIRE_GFP_KERNEL) == QUIRE_ZERO_SIZE_PTR);
    CHECK(quire_kcalloc(slab, 0, 8, QUIRE_GFP_KERNEL) == QUIRE_ZERO_SIZE_PTR);
    quire_kfree(slab, QUIRE_ZERO_SIZE_PTR);
    quire_kfree(slab, NULL);
    CHECK_EQ(quire_ksize(slab, NULL), 0);
    CHECK_EQ(quire_ksize(slab, QUIRE_ZERO_SIZE_PTR), 0);
    slab_end();
}

static void a_product_that_overflows_is_refused(void)
{
    if (!slab_boot(NULL))
        return;
    size_t half = (size_t)1 << (sizeof(size_t) * 4);
    CHECK(!quire_kmalloc_array(slab, half, half, QUIRE_GFP_KERNEL));
    CHECK(!quire_kcalloc(slab, SIZE_MAX, 2, QUIRE_GFP_KERNEL));
    CHECK(!quire_kmalloc_array(slab, SIZE_MAX / 8 + 2, 8, QUIRE_GFP_KERNEL));
    void *block = quire_kmalloc(slab, 10, QUIRE_GFP_KERNEL);
    fill(block, 10);
    CHECK(!quire_krealloc_array(slab, block, half, half, QUIRE_GFP_KERNEL));
    CHECK(is_filled(block, 10));
    quire_kfree(slab, block);
    char *array = quire_kcalloc(slab, 7, 9, QUIRE_GFP_KERNEL);
    REQUIRE(array);
    CHECK(is_zero(array, 63));
    quire_kfree(slab, array);
    slab_end();
}

static void a_block_keeps_its_content_when_it_changes_size(void)
{
    if (!slab_boot(NULL))
        return;
    unsigned char *block = NULL;
    size_t had = 0;
    for (size_t size = 1; size < 40000; size = size * 3 / 2 + 1) {
        block = quire_krealloc(slab, block, size, QUIRE_GFP_KERNEL | QUIRE_GFP_ZERO);
        REQUIRE(block);
        for (size_t i = 0; i < had; i++)
            CHECK_EQ(block[i], (unsigned char)(i * 3));
        CHECK(is_zero(block + had, size - had));
        for (size_t i = 0; i < size; i++)
            block[i] = (unsigned char)(i * 3);
        had = size;
        /* Of the slack nobody said that it is zero: a block asked for with ZERO leaves it so. */
        for (size_t i = size; i < quire_ksize(slab, block); i++)
            CHECK_EQ(block[i], 0);
    }
    block = quire_krealloc_array(slab, block, 3, had, QUIRE_GFP_KERNEL);
    REQUIRE(block);
    CHECK_EQ(block[had - 1], (unsigned char)((had - 1) * 3));
    unsigned char *same = quire_krealloc(slab, block, 5, QUIRE_GFP_KERNEL);
    CHECK(same == block);
    CHECK(quire_krealloc(slab, same, 0, QUIRE_GFP_KERNEL) == QUIRE_ZERO_SIZE_PTR);
    block = quire_krealloc(slab, QUIRE_ZERO_SIZE_PTR, 20, QUIRE_GFP_KERNEL);
    CHECK(block);
    quire_kfree(slab, block);
    slab_end();
}

static void a_block_that_cannot_grow_stays(void)
{
    if (!slab_boot(&(struct quire_slab_config){.fail = fail_once}))
        return;
    unsigned char *block = quire_kmalloc(slab, 100, QUIRE_GFP_KERNEL);
    fill(block, 100);
    fail_at = 1;
    CHECK(!quire_krealloc(slab, block, 100000, QUIRE_GFP_KERNEL));
    CHECK(is_filled(block, 100));
    quire_kfree(slab, block);
    slab_end();
}

static void kfree_takes_objects_of_any_cache(void)
{
    if (!slab_boot(NULL))
        return;
    struct quire_kmem_cache *cache = cache_of("any", 5000, QUIRE_SLAB_NO_MERGE);
    void *object[20];
    for (unsigned i = 0; i < 20; i++)
        REQUIRE((object[i] = quire_kmem_cache_alloc(cache, QUIRE_GFP_KERNEL)));
    for (unsigned i = 0; i < 20; i++) {
        CHECK_EQ(quire_ksize(slab, object[i]), info_of(cache).size);
        quire_kfree(slab, object[i]);
    }
    destroy(cache);
    slab_end();
}

static struct quire_zone_info zone_of_block(const void *block)
{
    struct quire_zone_info info;
    struct quire_page *page = quire_virt_to_page(machine.mem, block);
    for (unsigned i = 0; !quire_zone_info(machine.mem, i, &info); i++)
        if (info.type == quire_page_zone(machine.mem, page))
            return info;
    return (struct quire_zone_info){.type = QUIRE_NR_ZONES};
}

static void flags_choose_the_zone_and_the_migrate_type(void)
{
    static const struct quire_memblock_region map[] = {{.size = 32 * MIB}, {0}};
    static const struct {
        quire_gfp_t gfp;
        enum quire_zone_type highest;
    } expected[] = {
        {QUIRE_GFP_KERNEL | QUIRE_GFP_DMA, QUIRE_ZONE_DMA},
        {QUIRE_GFP_KERNEL | QUIRE_GFP_DMA32, QUIRE_ZONE_DMA32},
        {QUIRE_GFP_KERNEL, QUIRE_ZONE_NORMAL},
        {QUIRE_GFP_HIGHUSER_MOVABLE, QUIRE_ZONE_NORMAL},
    };
    if (!machine_boot(map,
                      (struct quire_mem_config){.nr_cpus = 1,
                                                .zone_end = {[QUIRE_ZONE_DMA] = 8 * MIB,
                                                             [QUIRE_ZONE_DMA32] = 16 * MIB,
                                                             [QUIRE_ZONE_NORMAL] = 24 * MIB,
                                                             [QUIRE_ZONE_HIGHMEM] = UINT64_MAX}}))
        return;
    machine.port.direct_end = 24 * MIB;
    if (!slab_start(NULL))
        return;
    for (unsigned i = 0; i < sizeof expected / sizeof expected[0]; i++)
        for (size_t size = 8; size <= 32768; size *= 4) {
            void *block = quire_kmalloc(slab, size, expected[i].gfp);
            REQUIRE(block);
            CHECK(zone_of_block(block).type <= expected[i].highest);
            quire_kfree(slab, block);
        }
    CHECK(!quire_kmalloc(slab, 8, QUIRE_GFP_KERNEL | QUIRE_GFP_DMA | QUIRE_GFP_DMA32));
    void *block = quire_kmalloc(slab, 64, QUIRE_GFP_KERNEL | QUIRE_GFP_RECLAIMABLE);
    REQUIRE(block);
    CHECK_EQ(quire_pageblock_migratetype(machine.mem, quire_virt_to_page(machine.mem, block)),
             QUIRE_MIGRATE_RECLAIMABLE);
    quire_kfree(slab, block);
    slab_end();
}

static void a_machine_without_such_a_zone_gives_null(void)
{
    if (!slab_boot(NULL)) /* it has NORMAL and nothing else */
        return;
    CHECK(!quire_kmalloc(slab, 64, QUIRE_GFP_KERNEL | QUIRE_GFP_DMA | QUIRE_GFP_NOWARN));
    CHECK(!quire_kmalloc(slab, 64, QUIRE_GFP_KERNEL | QUIRE_GFP_DMA32 | QUIRE_GFP_NOWARN));
    slab_end();
}

static void two_of_them_live_side_by_side(void)
{
    struct quire_slab *other;
    if (!slab_boot(NULL))
        return;
    unsigned long free = quire_nr_free_pages(machine.mem);
    CHECK_EQ(quire_slab_init(&other, machine.mem, NULL), 0);
    void *here[50], *there[50];
    for (unsigned i = 0; i < 50; i++) {
        REQUIRE((here[i] = quire_kmalloc(slab, 100, QUIRE_GFP_KERNEL)));
        REQUIRE((there[i] = quire_kmalloc(other, 100, QUIRE_GFP_KERNEL)));
        fill(here[i], 100);
        fill(there[i], 100);
    }
    for (unsigned i = 0; i < 50; i++) {
        CHECK(is_filled(here[i], 100) && is_filled(there[i], 100));
        quire_kfree(slab, here[i]);
        quire_kfree(other, there[i]);
    }
    CHECK_EQ(quire_slab_destroy(other), 0);
    quire_slab_shrink(slab, -1);
    CHECK(quire_nr_free_pages(machine.mem) >= free);
    slab_end();
}

static void an_object_of_a_cache_that_only_another_slab_has_is_reported(void)
{
    struct quire_slab *other;
    if (!slab_boot(NULL))
        return;
    REQUIRE(!quire_slab_init(&other, machine.mem, NULL));
    struct quire_kmem_cache *cache =
        quire_kmem_cache_create(other, "theirs", 40, 0, QUIRE_SLAB_NO_MERGE, NULL);
    REQUIRE(cache);
    void *object = quire_kmem_cache_alloc(cache, QUIRE_GFP_KERNEL);
    REQUIRE(object);
    quire_kfree(slab, object);
    CHECK(machine_caught("another quire_slab's object"));
    quire_kmem_cache_free(cache, object);
    CHECK_EQ(quire_slab_destroy(other), 0);
    slab_end();
}

static void krealloc_with_zero_finds_zeros_again(void)
{
    if (!slab_boot(NULL))
        return;
    unsigned char *block = quire_kzalloc(slab, 64, QUIRE_GFP_KERNEL);
    REQUIRE(block);
    __builtin_memset(block, 0xee, 64);
    block = quire_krealloc(slab, block, 10, QUIRE_GFP_KERNEL | QUIRE_GFP_ZERO);
    REQUIRE(block);
    block = quire_krealloc(slab, block, 200, QUIRE_GFP_KERNEL | QUIRE_GFP_ZERO);
    REQUIRE(block);
    for (unsigned i = 0; i < 200; i++)
        CHECK_EQ(block[i], i < 10 ? 0xee : 0);
    quire_kfree(slab, block);
    slab_end();
}

static void a_cpu_whose_node_has_no_memory_fills_slabs_of_others(void)
{
    static const struct quire_memblock_region map[] = {{.size = 16 * MIB}, {0}};
    static const uint8_t cpu_node[1] = {1};
    static void *object[1000];
    struct quire_slab *here;
    if (QUIRE_MAX_NODES < 2) {
        test_skip("QUIRE_MAX_NODES is too small");
        return;
    }
    struct quire_mem *mem = machine_boot(
        map, (struct quire_mem_config){.nr_cpus = 1, .nr_nodes = 2, .cpu_node = cpu_node});
    if (!mem)
        return;
    REQUIRE(!quire_slab_init(&here, mem, NULL));
    unsigned long free = quire_nr_free_pages(mem);
    for (unsigned i = 0; i < 1000; i++)
        REQUIRE((object[i] = quire_kmalloc(here, 64, QUIRE_GFP_KERNEL)));
    CHECK(free - quire_nr_free_pages(mem) < 100);
    for (unsigned i = 0; i < 1000; i++)
        quire_kfree(here, object[i]);
    CHECK_EQ(quire_slab_destroy(here), 0);
}

static const struct test_case cases[] = {
    TEST_CASE(every_size_gets_its_class_with_natural_alignment),
    TEST_CASE(above_the_largest_class_there_are_pages),
    TEST_CASE(what_is_no_block_has_no_size),
    TEST_CASE(size_zero_and_null_are_no_blocks),
    TEST_CASE(a_product_that_overflows_is_refused),
    TEST_CASE(a_block_keeps_its_content_when_it_changes_size),
    TEST_CASE(a_block_that_cannot_grow_stays),
    TEST_CASE(kfree_takes_objects_of_any_cache),
    TEST_CASE(flags_choose_the_zone_and_the_migrate_type),
    TEST_CASE(a_machine_without_such_a_zone_gives_null),
    TEST_CASE(two_of_them_live_side_by_side),
    TEST_CASE(an_object_of_a_cache_that_only_another_slab_has_is_reported),
    TEST_CASE(krealloc_with_zero_finds_zeros_again),
    TEST_CASE(a_cpu_whose_node_has_no_memory_fills_slabs_of_others),
    {0},
};
const struct test_suite suite_kmalloc = {"kmalloc", cases};
