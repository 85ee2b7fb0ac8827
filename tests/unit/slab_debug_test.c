/* tests/unit/slab_debug_test.c: each mistake that debugging claims to find, committed */
#include "base/text.h"
#include "tests/unit/slab_machine.h"

#define ALL_DEBUG QUIRE_SLAB_DEBUG_FLAGS

static struct quire_kmem_cache *cache;

static bool boot(quire_slab_flags_t flags, size_t size)
{
    if (!slab_boot(NULL))
        return false;
    cache = cache_of("watched", size, flags);
    forget_log();
    return cache;
}

/* One caller, wherever it is called from. */
__attribute__((noinline)) static unsigned char *take(void)
{
    unsigned char *object = quire_kmem_cache_alloc(cache, QUIRE_GFP_KERNEL);
    CHECK(object);
    return object;
}

static void end(void)
{
    CHECK_EQ(info_of(cache).nr_active, 0);
    CHECK_EQ(quire_kmem_cache_validate(cache), 0);
    destroy(cache);
    slab_end();
}

static void a_double_free_is_named_and_ignored(void)
{
    if (!boot(ALL_DEBUG, 48))
        return;
    unsigned char *a = take(), *b = take();
    quire_kmem_cache_free(cache, a);
    quire_kmem_cache_free(cache, a);
    CHECK(machine_caught("cache \"watched\": double free: object 0x"));
    CHECK(machine_said("allocated by 0x"));
    CHECK(machine_said("freed by 0x"));
    CHECK(machine_said("+0x")); /* in what program or function */
    quire_kfree(slab, a);
    CHECK(machine_caught("double free"));
    quire_kmem_cache_free(cache, b);
    end();
}

static void a_write_beyond_the_end_is_found_with_its_place(void)
{
    for (size_t size = 40; size <= 49; size++) {
        if (!boot(QUIRE_SLAB_RED_ZONE, size))
            return;
        unsigned char *object = take();
        object[size] = 0x17;
        quire_kmem_cache_free(cache, object);
        CHECK(machine_caught("written beyond its end"));
        CHECK(machine_said("is 0x17, not 0xcc"));
        object = take();
        object[size + 7] = 1;
        CHECK_EQ(quire_kmem_cache_validate(cache), 1);
        CHECK(machine_caught("written beyond its end"));
        quire_kmem_cache_free(cache, object); /* it has been repaired */
        end();
    }
}

static void a_write_before_the_beginning_is_found(void)
{
    if (!boot(QUIRE_SLAB_RED_ZONE, 100))
        return;
    unsigned char *object = take();
    object[-1] = 0;
    quire_kmem_cache_free(cache, object);
    CHECK(machine_caught("written before its beginning"));
    CHECK(machine_said("byte -1 is 0x0, not 0xcc"));
    end();
}

static void a_write_after_free_is_found_when_the_object_is_allocated_again(void)
{
    if (!boot(QUIRE_SLAB_POISON | QUIRE_SLAB_STORE_USER, 200))
        return;
    unsigned char *object = take();
    quire_kmem_cache_free(cache, object);
    object[77] = 0x42;
    unsigned char *again = take();
    CHECK(again == object);
    CHECK(machine_caught("written while it was free"));
    CHECK(machine_said("byte 77 is 0x42, not 0x6b"));
    CHECK(machine_said("freed by 0x"));
    quire_kmem_cache_free(cache, again);
    again[199] = 0; /* its last byte has a mark of its own */
    CHECK_EQ(quire_kmem_cache_validate(cache), 1);
    CHECK(machine_caught("byte 199 is 0x0, not 0xa5"));
    end();
}

/* More slabs than are kept empty, all freed; one object of each is written to meanwhile. */
static void a_write_after_free_is_found_when_the_slab_goes_back_to_phys(void)
{
    enum { COUNT = 64 };
    unsigned char *object[COUNT];
    if (!boot(QUIRE_SLAB_POISON | QUIRE_SLAB_RED_ZONE, QUIRE_PAGE_SIZE / 4))
        return;
    for (unsigned i = 0; i < COUNT; i++)
        object[i] = take();
    for (unsigned i = 0; i < COUNT; i++) {
        quire_kmem_cache_free(cache, object[i]);
        if (i == 5)
            object[5][99] = 0x42;
        if (i == 6)
            object[6][-1] = 0x43;
    }
    quire_kmem_cache_shrink(cache);
    CHECK_EQ(machine.bad_pages, 2);
    CHECK(machine_said("\"watched\": written while it was free: object 0x"));
    CHECK(machine_said("byte 99 is 0x42, not 0x6b"));
    CHECK(machine_said("byte -1 is 0x43, not 0xbb"));
    machine.bad_pages = 0;
    object[0] = take();
    quire_kmem_cache_free(cache, object[0]);
    object[0][7] = 1;
    destroy(cache); /* whose last slab goes, too */
    CHECK(machine_caught("byte 7 is 0x1, not 0x6b"));
    slab_end();
}

static void what_was_not_written_yet_shows(void)
{
    if (!boot(QUIRE_SLAB_POISON, 64))
        return;
    unsigned char *object = take();
    for (unsigned i = 0; i < 64; i++)
        CHECK_EQ(object[i], 0x5a);
    quire_kmem_cache_free(cache, object);
    object = quire_kmem_cache_zalloc(cache, QUIRE_GFP_KERNEL);
    CHECK(is_zero(object, 64));
    quire_kmem_cache_free(cache, object);
    end();
}

static void a_pointer_into_an_object_is_refused(void)
{
    if (!boot(QUIRE_SLAB_CONSISTENCY_CHECKS, 64))
        return;
    unsigned char *object = take();
    quire_kmem_cache_free(cache, object + 8);
    CHECK(machine_caught("doesn't begin an object"));
    CHECK(machine_said("8 bytes in"));
    quire_kfree(slab, object + 1);
    CHECK(machine_caught("doesn't begin an object"));
    CHECK_EQ(info_of(cache).nr_active, 1);
    quire_kmem_cache_free(cache, object);
    end();
}

static void an_object_of_another_cache_is_refused(void)
{
    if (!boot(QUIRE_SLAB_CONSISTENCY_CHECKS, 64))
        return;
    void *block = quire_kmalloc(slab, 64, QUIRE_GFP_KERNEL);
    quire_kmem_cache_free(cache, block);
    CHECK(machine_caught("free of an object of another cache"));
    CHECK(machine_said("of cache \"kmalloc-64\""));
    quire_kfree(slab, block);
    void *large = quire_kmalloc(slab, 50000, QUIRE_GFP_KERNEL);
    quire_kmem_cache_free(cache, large);
    CHECK(machine_caught("free of a large block of kmalloc"));
    quire_kfree(slab, large);
    end();
}

static void what_is_no_object_at_all_is_refused(void)
{
    int here;
    if (!boot(QUIRE_SLAB_CONSISTENCY_CHECKS, 64))
        return;
    void *page = quire_get_zeroed_page(machine.mem, QUIRE_GFP_KERNEL);
    REQUIRE(page);
    quire_kmem_cache_free(cache, page);
    CHECK(machine_caught("into a page that is no slab's"));
    quire_kmem_cache_free(cache, &here);
    CHECK(machine_caught("isn't memory of the direct map"));
    quire_kmem_cache_free(cache, (void *)(uintptr_t)8);
    CHECK(machine_caught("isn't memory of the direct map"));
    quire_kmem_cache_free(cache, NULL);
    quire_free_pages_at(machine.mem, page, 0);
    end();
}

static void kfree_of_what_is_no_block_is_refused(void)
{
    int here;
    if (!slab_boot(&(struct quire_slab_config){.debug = "F"}))
        return;
    char *page = quire_get_zeroed_page(machine.mem, QUIRE_GFP_KERNEL);
    quire_kfree(slab, page);
    CHECK(machine_caught("kfree of a pointer into a page that is no slab's"));
    quire_kfree(slab, &here);
    CHECK(machine_caught("kfree of an address that isn't memory"));
    char *large = quire_kmalloc(slab, 5 * QUIRE_PAGE_SIZE, QUIRE_GFP_KERNEL);
    quire_kfree(slab, large + 16);
    CHECK(machine_caught("kfree of a pointer into a large block"));
    quire_kfree(slab, large + QUIRE_PAGE_SIZE); /* into its second page */
    CHECK(machine_caught("kfree of a pointer into a large block"));
    CHECK(machine_said("bytes into the"));
    cache = cache_of("of objects", 64, 0);
    quire_kmem_cache_free(cache, large + QUIRE_PAGE_SIZE);
    CHECK(machine_caught("free of a large block of kmalloc"));
    destroy(cache);
    quire_kfree(slab, large);
    quire_kfree(slab, large);
    CHECK(machine_caught("no slab's and no large block's"));
    char *small = quire_kmalloc(slab, 100, QUIRE_GFP_KERNEL);
    quire_kfree(slab, small + 1);
    CHECK(machine_caught("doesn't begin an object"));
    quire_kfree(slab, small);
    quire_kfree(slab, small);
    CHECK(machine_caught("double free"));
    quire_free_pages_at(machine.mem, page, 0);
    slab_end();
}

/* Two pieces of memory with a section between them that has no descriptors. */
static void kfree_looks_closer_once_a_cache_is_debugged(void)
{
    quire_phys_t section = (quire_phys_t)QUIRE_SECTION_PAGES << QUIRE_PAGE_SHIFT;
    quire_phys_t far = (16 * MIB + section - 1) / section * section + section;
    const struct quire_memblock_region map[] = {
        {.size = 16 * MIB}, {.base = far, .size = 16 * MIB}, {0}};
    struct quire_mem_config config = {.nr_cpus = 2, .zone_end = {[QUIRE_ZONE_NORMAL] = UINT64_MAX}};
    if (!machine_boot(map, config) || !slab_start(NULL))
        return;
    cache = cache_of("watched", 64, QUIRE_SLAB_CONSISTENCY_CHECKS);
    quire_kfree(slab, quire_port_phys_to_virt(&machine.port, far - section / 2));
    CHECK(machine_caught("kfree of an address that isn't memory"));
    void *block = quire_kmalloc(slab, 100, QUIRE_GFP_KERNEL);
    quire_kfree(slab, block);
    destroy(cache);
    slab_end();
}

/* With all flags off it is found late, when the objects get back to their slab. */
static void without_flags_a_double_free_is_found_by_the_slab(void)
{
    if (!boot(QUIRE_SLAB_NO_MERGE, 64))
        return;
    unsigned char *object = take(), *other = take();
    quire_kmem_cache_free(cache, object);
    quire_kmem_cache_free(cache, object);
    quire_kmem_cache_free(cache, other + 8);
    quire_kmem_cache_shrink(cache);
    CHECK_EQ(machine.bad_pages, 2);
    CHECK(contains(machine.bad_text, "\"watched\": free of what"));
    machine.bad_pages = 0;
    quire_kmem_cache_free(cache, other);
    end();
}

/* Each is reported, up to eight; then how many there were beside them. */
static void all_that_a_flush_finds_is_told(void)
{
    enum { COUNT = 11 };
    char object_text[COUNT][24];
    unsigned char *object[COUNT];
    if (!boot(QUIRE_SLAB_NO_MERGE, 64))
        return;
    for (unsigned i = 0; i < COUNT; i++) {
        object[i] = take();
        quire_snprintf(object_text[i], sizeof object_text[i], "object %p", (void *)object[i]);
    }
    for (unsigned i = 0; i < COUNT; i++)
        quire_kmem_cache_free(cache, object[i]);
    for (unsigned i = 0; i < COUNT; i++)
        quire_kmem_cache_free(cache, object[i]);
    quire_kmem_cache_shrink(cache);
    CHECK_EQ(machine.bad_pages, 9);
    CHECK(contains(machine.bad_text, "\"watched\": 3 more such frees"));
    unsigned told = 0;
    for (unsigned i = 0; i < COUNT; i++)
        told += test_environment.set_log && contains(machine.log, object_text[i]);
    CHECK(told == 8 || !test_environment.set_log);
    machine.bad_pages = 0;
    end();
}

static void without_flags_an_object_of_another_cache_is_found_too(void)
{
    int here;
    if (!boot(QUIRE_SLAB_NO_MERGE, 64))
        return;
    void *block = quire_kmalloc(slab, 200, QUIRE_GFP_KERNEL);
    quire_kmem_cache_free(cache, block);
    quire_kmem_cache_shrink(cache);
    CHECK(machine_caught("free of what is no object of this cache"));
    CHECK(machine_said("of cache \"kmalloc-256\""));
    quire_kmem_cache_free(cache, &here);
    quire_kmem_cache_shrink(cache);
    CHECK(machine_caught("free of what is no object of this cache"));
    quire_kfree(slab, block);
    end();
}

static void the_largest_objects_can_be_debugged(void)
{
    if (!boot(ALL_DEBUG | QUIRE_SLAB_HWCACHE_ALIGN, QUIRE_KMEM_CACHE_MAX_SIZE))
        return;
    unsigned char *object = take();
    object[QUIRE_KMEM_CACHE_MAX_SIZE] = 1;
    quire_kmem_cache_free(cache, object);
    CHECK(machine_caught("written beyond its end"));
    end();
}

static void a_leak_names_who_holds_the_objects(void)
{
    if (!boot(QUIRE_SLAB_STORE_USER, 64))
        return;
    unsigned char *object[5];
    for (unsigned i = 0; i < 5; i++)
        object[i] = take();
    CHECK_EQ(quire_kmem_cache_destroy(cache), -QUIRE_EBUSY);
    CHECK(machine_caught("5 objects are still allocated"));
    CHECK(machine_said("objects        bytes caller"));
    CHECK(machine_said("  5 "));
    for (unsigned i = 0; i < 5; i++)
        quire_kmem_cache_free(cache, object[i]);
    end();
}

static void every_combination_of_flags_works(void)
{
    static const quire_slab_flags_t bits[] = {
        QUIRE_SLAB_CONSISTENCY_CHECKS, QUIRE_SLAB_RED_ZONE,        QUIRE_SLAB_POISON,
        QUIRE_SLAB_STORE_USER,         QUIRE_SLAB_FREELIST_RANDOM, QUIRE_SLAB_HWCACHE_ALIGN};
    static void *object[200];
    if (!slab_boot(NULL))
        return;
    for (unsigned mask = 0; mask < 64; mask++) {
        quire_slab_flags_t flags = QUIRE_SLAB_NO_MERGE;
        size_t size = 1 + test_random_below(600);
        for (unsigned i = 0; i < 6; i++)
            flags |= mask >> i & 1 ? bits[i] : 0;
        cache = cache_of("combined", size, flags);
        for (unsigned i = 0; i < 200; i++) {
            REQUIRE((object[i] = quire_kmem_cache_alloc(cache, QUIRE_GFP_KERNEL)));
            fill(object[i], size);
        }
        CHECK_EQ(quire_kmem_cache_validate(cache), 0);
        quire_slab_check(slab);
        for (unsigned i = 0; i < 200; i++) {
            CHECK(is_filled(object[i], size));
            quire_kmem_cache_free(cache, object[i]);
        }
        destroy(cache);
    }
    slab_end();
}

static unsigned constructed;
static void construct(void *object)
{
    *(uint64_t *)object = 0x600d600d600d600d;
    constructed++;
}

static void content_that_somebody_relies_on_is_not_poisoned(void)
{
    if (!slab_boot(NULL))
        return;
    cache = quire_kmem_cache_create(slab, "constructed", 40, 0, ALL_DEBUG, construct);
    for (unsigned round = 0; round < 2; round++) {
        uint64_t *object = quire_kmem_cache_alloc(cache, QUIRE_GFP_KERNEL);
        CHECK_EQ(*object, 0x600d600d600d600d);
        quire_kmem_cache_free(cache, object);
    }
    destroy(cache);
    slab_end();
}

static void general_caches_can_be_debugged_too(void)
{
    if (!slab_boot(&(struct quire_slab_config){.debug = "FZPU"}))
        return;
    for (size_t size = 1; size <= 8192; size = size * 2 + 1) {
        char *block = quire_kmalloc(slab, size, QUIRE_GFP_KERNEL);
        REQUIRE(block);
        fill(block, size);
        CHECK_EQ(quire_ksize(slab, block), size);
        CHECK_EQ((uintptr_t)block % (size < 8 ? 8 : size + 1), 0); /* its class */
        block[size] = 1; /* its class may have room for that */
        quire_kfree(slab, block);
        CHECK(machine_caught("written beyond its end"));
    }
    slab_end();
}

static void the_red_zone_of_kmalloc_follows_what_was_asked_for(void)
{
    static const quire_gfp_t zero = QUIRE_GFP_KERNEL | QUIRE_GFP_ZERO;
    if (!slab_boot(&(struct quire_slab_config){.debug = "Z"}))
        return;
    char *block = quire_kmalloc(slab, 100, zero);
    CHECK(is_zero(block, 100));
    char *moved = quire_krealloc(slab, block, 120, zero); /* its class has room, but it isn't his */
    CHECK(moved != block && is_zero(moved, 120));
    fill(moved, 120);
    CHECK(quire_krealloc(slab, moved, 50, zero) == moved);
    CHECK(is_filled(moved, 50));
    CHECK_EQ(quire_ksize(slab, moved), 50);
    moved[50] = 0;
    quire_kfree(slab, moved);
    CHECK(machine_caught("written beyond its end"));
    CHECK(machine_said("kmalloc was asked for 50 bytes"));
    block = quire_kmalloc_node(slab, 33, QUIRE_GFP_KERNEL, 0);
    block[33] = 0;
    CHECK(quire_krealloc(slab, block, 32, QUIRE_GFP_KERNEL) == block); /* doesn't wipe it away */
    CHECK(machine_caught("byte 33 is 0x0, not 0xcc"));
    CHECK(quire_krealloc(slab, block + 8, 8, QUIRE_GFP_KERNEL) == block + 8);
    CHECK(machine_caught("krealloc of what begins no object"));
    quire_kfree(slab, block);
    CHECK(quire_krealloc(slab, block, 8, QUIRE_GFP_KERNEL) == block);
    CHECK(machine_caught("krealloc of what is free"));
    slab_end();
}

static const struct test_case cases[] = {
    TEST_CASE(a_double_free_is_named_and_ignored),
    TEST_CASE(a_write_beyond_the_end_is_found_with_its_place),
    TEST_CASE(a_write_before_the_beginning_is_found),
    TEST_CASE(a_write_after_free_is_found_when_the_object_is_allocated_again),
    TEST_CASE(a_write_after_free_is_found_when_the_slab_goes_back_to_phys),
    TEST_CASE(what_was_not_written_yet_shows),
    TEST_CASE(a_pointer_into_an_object_is_refused),
    TEST_CASE(an_object_of_another_cache_is_refused),
    TEST_CASE(what_is_no_object_at_all_is_refused),
    TEST_CASE(kfree_of_what_is_no_block_is_refused),
    TEST_CASE(kfree_looks_closer_once_a_cache_is_debugged),
    TEST_CASE(without_flags_a_double_free_is_found_by_the_slab),
    TEST_CASE(all_that_a_flush_finds_is_told),
    TEST_CASE(without_flags_an_object_of_another_cache_is_found_too),
    TEST_CASE(the_largest_objects_can_be_debugged),
    TEST_CASE(a_leak_names_who_holds_the_objects),
    TEST_CASE(every_combination_of_flags_works),
    TEST_CASE(content_that_somebody_relies_on_is_not_poisoned),
    TEST_CASE(general_caches_can_be_debugged_too),
    TEST_CASE(the_red_zone_of_kmalloc_follows_what_was_asked_for),
    {0},
};
const struct test_suite suite_slab_debug = {"slab_debug", cases};
