/* tests/unit/slab_put_test.c: what is given to who puts objects back into their slabs */
#include "tests/unit/slab_machine.h"

#include "slab/internal.h"

enum { COUNT = QUIRE_PAGE_SIZE / 8 };
static void *object[COUNT];
static struct quire_kmem_cache *cache;

/* A cache of slabs of 2^order pages, of which all objects of the only one are taken: the lowest is
 * the last. */
static unsigned take_a_slab(size_t size, unsigned order)
{
    cache = cache_of("put", size, QUIRE_SLAB_NO_SHEAVES);
    if (!cache || quire_kmem_cache_set_order(cache, order))
        return 0;
    unsigned count = info_of(cache).objects_per_slab;
    CHECK(count <= COUNT);
    CHECK_EQ(quire_kmem_cache_take(cache, QUIRE_GFP_KERNEL, count, object), count);
    CHECK_EQ(info_of(cache).nr_pages, 1ul << order);
    return count;
}

static bool is_refused(const void *pointer)
{
    void *one = (void *)(uintptr_t)pointer;
    quire_kmem_cache_put(cache, 1, &one);
    return machine_caught("free of");
}

/* Inside of the slab's first and last objects, and behind the last one. */
static void refuse_what_begins_no_object(unsigned count, size_t size)
{
    const char *first = object[count - 1], *end = first + count * size;
    const char *slab_end = first + (QUIRE_PAGE_SIZE << info_of(cache).order);
    for (size_t i = 1; i < size; i += size / 8) {
        CHECK(is_refused(first + i));
        CHECK(is_refused(end - i));
    }
    for (const char *at = end; at < slab_end; at += 8)
        CHECK(is_refused(at));
    if (end < slab_end)
        CHECK(is_refused(slab_end - 1));
    CHECK_EQ(info_of(cache).nr_active, count);
    quire_slab_check(slab);
}

static void put_a_slab(unsigned count)
{
    quire_kmem_cache_put(cache, count, object);
    CHECK_EQ(machine.bad_pages, 0);
    CHECK_EQ(info_of(cache).nr_active, 0);
    CHECK(is_refused(object[0])); /* in one that is empty now */
    CHECK(is_refused(object[count - 1]));
    quire_slab_check(slab);
    destroy(cache);
}

static void what_begins_no_object_changes_nothing(void)
{
    static const struct {
        size_t size;
        unsigned order;
    } slabs[] = {{8, 0}, {48, 0}, {QUIRE_PAGE_SIZE / 8, 0}, {QUIRE_PAGE_SIZE / 40 / 8 * 8, 2}};
    if (!slab_boot(NULL))
        return;
    for (unsigned i = 0; i < sizeof slabs / sizeof slabs[0]; i++) {
        unsigned count = take_a_slab(slabs[i].size, slabs[i].order);
        REQUIRE(count);
        refuse_what_begins_no_object(count, slabs[i].size);
        put_a_slab(count);
    }
    slab_end();
}

/* Then a slab may have room for more objects than a map has bits. */
static void room_behind_the_objects_is_no_object(void)
{
    if (!slab_boot_with_maps((struct quire_slab_config){.no_general = true}))
        return;
    unsigned count = take_a_slab(8, 0);
    REQUIRE(count && count * 8 < QUIRE_PAGE_SIZE);
    refuse_what_begins_no_object(count, 8);
    put_a_slab(count);
    slab_end();
}

/* Pages of 64 KiB may lie at any of 4 KiB, say. */
static void pages_may_lie_anywhere(void)
{
    static const size_t sizes[] = {16, 48, QUIRE_PAGE_SIZE / 8};
    const struct quire_memblock_region map[] = {{.size = 16 * MIB}, {0}};
    if (!machine_can_have_cpus(2) || !machine_map(map))
        return;
    machine.port.base += QUIRE_PAGE_SIZE / 2;
    CHECK_EQ(quire_memblock_reserve(&machine.memblock, 16 * MIB - QUIRE_PAGE_SIZE, QUIRE_PAGE_SIZE),
             0);
    CHECK_EQ(machine_start((struct quire_mem_config){.nr_cpus = 2}), 0);
    REQUIRE(machine.mem && slab_start(NULL));
    for (unsigned i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        unsigned count = take_a_slab(sizes[i], 0);
        REQUIRE(count);
        refuse_what_begins_no_object(count, sizes[i]);
        quire_kmem_cache_put(cache, count / 2, object);
        for (unsigned n = 0; n < count; n++)
            CHECK_EQ(quire_kmem_cache_owns(cache, object[n]), n >= count / 2);
        quire_kmem_cache_put(cache, count - count / 2, object + count / 2);
        destroy(cache);
    }
    slab_end();
}

static void of_a_batch_what_is_free_already_is_left_out(void)
{
    if (!slab_boot(NULL))
        return;
    unsigned count = take_a_slab(16, 0);
    REQUIRE(count > 2 * 64);
    void *twice[] = {object[1], object[70], object[1], object[70], object[2]};
    quire_kmem_cache_put(cache, 5, twice);
    CHECK_EQ(machine.bad_pages, 2);
    CHECK(contains(machine.bad_text, "free of what is free"));
    CHECK_EQ(info_of(cache).nr_active, count - 3);
    quire_slab_check(slab);
    /* Of many each is counted, though not each is told. */
    machine.bad_pages = 0;
    void *often[12];
    for (unsigned i = 0; i < 12; i++)
        often[i] = object[i % 2 ? 1 : 70];
    quire_kmem_cache_put(cache, 12, often);
    CHECK_EQ(machine.bad_pages, MAX_MISFITS + 1);
    CHECK(contains(machine.bad_text, "4 more such frees"));
    CHECK_EQ(info_of(cache).nr_active, count - 3);
    machine.bad_pages = 0;
    quire_kmem_cache_put(cache, 1, &object[0]);
    quire_kmem_cache_put(cache, count - 71, object + 71);
    quire_kmem_cache_put(cache, 67, object + 3);
    CHECK_EQ(machine.bad_pages, 0);
    CHECK_EQ(info_of(cache).nr_active, 0);
    destroy(cache);
    slab_end();
}

static void what_others_have_stays_theirs(void)
{
    if (!slab_boot(NULL))
        return;
    unsigned count = take_a_slab(64, 1);
    struct quire_kmem_cache *other = cache_of("other", 80, QUIRE_SLAB_NO_SHEAVES);
    struct quire_page *page = quire_alloc_pages(machine.mem, QUIRE_GFP_KERNEL, 1);
    void *theirs;
    REQUIRE(count > 2 && other && page);
    CHECK_EQ(quire_kmem_cache_take(other, QUIRE_GFP_KERNEL, 1, &theirs), 1);
    void *large = quire_kmalloc(slab, 3 * QUIRE_KMALLOC_MAX_CACHE, QUIRE_GFP_KERNEL);
    REQUIRE(large);
    CHECK(is_refused(large));
    CHECK(is_refused(quire_page_address(machine.mem, page)));
    CHECK(is_refused(machine.port.base - 64));
    CHECK(is_refused((const void *)64));
    void *mixed[] = {object[0], theirs, object[1]};
    quire_kmem_cache_put(cache, 3, mixed);
    CHECK(machine_caught("no object of this cache"));
    CHECK_EQ(info_of(cache).nr_active, count - 2);
    CHECK(quire_kmem_cache_owns(other, theirs));
    quire_kmem_cache_put(cache, count - 2, object + 2);
    (void)quire_kmem_cache_shrink(cache);
    CHECK_EQ(info_of(cache).nr_pages, 0);
    CHECK(is_refused(object[0])); /* nobody's now */
    CHECK(is_refused(object[count - 1]));
    quire_kmem_cache_put(other, 1, &theirs);
    quire_kfree(slab, large);
    quire_free_pages(machine.mem, page, 1);
    destroy(other);
    destroy(cache);
    slab_end();
}

/* Under its own lock, when they come one by one and the next is the other's. */
static void each_node_gives_its_empty_slabs_away(void)
{
    enum { EACH = 200, SIZE = QUIRE_PAGE_SIZE / 4 };
    static const struct quire_memblock_region two_nodes[] = {
        {.size = 8 * MIB}, {.base = 8 * MIB, .size = 8 * MIB, .node = 1}, {0}};
    if (!machine_boot(two_nodes,
                      (struct quire_mem_config){.nr_cpus = 2,
                                                .zone_end = {[QUIRE_ZONE_NORMAL] = UINT64_MAX}}) ||
        !slab_start(NULL))
        return;
    cache = cache_of("put", SIZE, QUIRE_SLAB_NO_SHEAVES);
    REQUIRE(cache && !quire_kmem_cache_set_order(cache, 0));
    for (unsigned i = 0; i < 2 * EACH; i++)
        REQUIRE((object[i] = quire_kmem_cache_alloc_node(cache, QUIRE_GFP_KERNEL, i % 2)));
    quire_kmem_cache_put(cache, 2 * EACH, object);
    quire_slab_check(slab);
    CHECK_EQ(info_of(cache).nr_active, 0);
    for (unsigned node = 0; node < 2; node++)
        CHECK(cache->cache->node[node].nr_slabs <= EACH / 4 / 4);
    destroy(cache);
    slab_end();
}

static const struct test_case cases[] = {
    TEST_CASE(what_begins_no_object_changes_nothing),
    TEST_CASE(room_behind_the_objects_is_no_object),
    TEST_CASE(pages_may_lie_anywhere),
    TEST_CASE(of_a_batch_what_is_free_already_is_left_out),
    TEST_CASE(what_others_have_stays_theirs),
    TEST_CASE(each_node_gives_its_empty_slabs_away),
    {0},
};
const struct test_suite suite_slab_put = {"slab_put", cases};
