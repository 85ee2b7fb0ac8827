/* tests/unit/slab_take_test.c: caches whose users keep free objects themselves */
#include "tests/unit/slab_machine.h"

#include "slab/internal.h"

enum { COUNT = 700 };
static void *object[COUNT], *more[COUNT / 2];
static unsigned told_made, told_gone;
static size_t told_size;

static void pages_changed(void *arg, void *pages, size_t bytes, size_t object_size)
{
    (void)pages;
    CHECK_EQ((uintptr_t)arg, 42);
    if (object_size) {
        told_made += (unsigned)(bytes >> QUIRE_PAGE_SHIFT);
        told_size = object_size;
    } else {
        told_gone += (unsigned)(bytes >> QUIRE_PAGE_SHIFT);
    }
}

static void many_objects_are_taken_and_put_back(void)
{
    static const size_t sizes[] = {16, 48, 1024};
    if (!slab_boot(NULL))
        return;
    for (unsigned i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        struct quire_kmem_cache *cache = cache_of("taken", sizes[i], QUIRE_SLAB_NO_SHEAVES);
        REQUIRE(cache);
        CHECK_EQ(quire_kmem_cache_take(cache, QUIRE_GFP_KERNEL, COUNT, object), COUNT);
        for (unsigned n = 0; n < COUNT; n++)
            fill(object[n], sizes[i]);
        CHECK_EQ(info_of(cache).nr_active, COUNT);
        CHECK_EQ(info_of(cache).nr_cpu, 0);
        for (unsigned n = 0; n < COUNT; n++)
            CHECK(is_filled(object[n], sizes[i]));
        quire_kmem_cache_put(cache, COUNT, object);
        CHECK_EQ(info_of(cache).nr_active, 0);
        destroy(cache);
    }
    slab_end();
}

static void without_memory_fewer_are_taken_and_none_is_lost(void)
{
    if (!slab_boot(&(struct quire_slab_config){.fail = fail_once}))
        return;
    struct quire_kmem_cache *cache = cache_of("taken", 256, QUIRE_SLAB_NO_SHEAVES);
    REQUIRE(cache);
    fail_at = 2;
    size_t got = quire_kmem_cache_take(cache, QUIRE_GFP_KERNEL, COUNT, object);
    CHECK(got > 0 && got < COUNT);
    CHECK_EQ(info_of(cache).nr_active, got);
    quire_kmem_cache_put(cache, got, object);
    destroy(cache);
    slab_end();
}

/* Of objects that are in use. */
static bool is_touched(uintptr_t page, size_t size, unsigned step)
{
    for (unsigned n = 0; n < COUNT; n += step)
        if ((uintptr_t)object[n] < page + QUIRE_PAGE_SIZE && (uintptr_t)object[n] + size > page)
            return true;
    return false;
}

static void pages_without_an_object_in_use_are_told(void)
{
    enum { SIZE = QUIRE_PAGE_SIZE / 5 / 8 * 8, STEP = 70 };
    static uintptr_t page[COUNT];
    unsigned pages = 0, vacant = 0;
    if (!slab_boot(NULL))
        return;
    struct quire_kmem_cache *cache = cache_of("taken", SIZE, QUIRE_SLAB_NO_SHEAVES);
    REQUIRE(cache && !quire_kmem_cache_set_order(cache, 3));
    CHECK_EQ(quire_kmem_cache_take(cache, QUIRE_GFP_KERNEL, COUNT, object), COUNT);
    for (unsigned n = 0; n < COUNT; n++) {
        fill(object[n], SIZE);
        page[n] = (uintptr_t)object[n] & ~(uintptr_t)(QUIRE_PAGE_SIZE - 1);
    }
    for (unsigned n = 0; n < COUNT; n++)
        if (n % STEP)
            quire_kmem_cache_put(cache, 1, &object[n]);
    (void)quire_kmem_cache_shrink(cache);
    for (unsigned n = 0; n < COUNT;
         n++) { /* an object begins in each page of slabs that are left */
        bool is_new = true, is_left = false;
        for (unsigned m = 0; m < COUNT; m++) {
            is_new &= m >= n || page[m] != page[n];
            is_left |=
                m % STEP == 0 && page[m] / (8 * QUIRE_PAGE_SIZE) == page[n] / (8 * QUIRE_PAGE_SIZE);
        }
        pages += is_new && is_left;
        vacant += is_new && is_left && !is_touched(page[n], SIZE, STEP);
    }
    CHECK_EQ(info_of(cache).nr_pages, pages);
    CHECK(vacant > 0 && vacant < pages);
    CHECK_EQ(quire_slab_report_free_pages(slab, 0), 0);
    unsigned long some = quire_slab_report_free_pages(slab, 1);
    CHECK(some > 0 && some <= 8);
    CHECK_EQ(quire_slab_report_free_pages(slab, ~0ul), vacant - some);
    CHECK_EQ(quire_kmem_cache_use(cache).told, vacant);
    CHECK_EQ(quire_slab_report_free_pages(slab, ~0ul), 0);
    /* What is taken of them is told again when it is free. */
    unsigned count = COUNT / 2;
    CHECK_EQ(quire_kmem_cache_take(cache, QUIRE_GFP_KERNEL, count, more), count);
    unsigned long left = quire_kmem_cache_use(cache).told;
    CHECK(left < vacant);
    for (unsigned n = 0; n < count; n++)
        fill(more[n], SIZE);
    CHECK_EQ(quire_slab_report_free_pages(slab, ~0ul), 0);
    quire_kmem_cache_put(cache, count, more);
    (void)quire_kmem_cache_shrink(cache);
    CHECK_EQ(quire_slab_report_free_pages(slab, ~0ul), vacant - left);
    CHECK_EQ(quire_kmem_cache_use(cache).told, vacant);
    CHECK_EQ(quire_kmem_cache_use(cache).taken, (COUNT + STEP - 1) / STEP);
    quire_slab_check(slab);
    for (unsigned n = 0; n < COUNT; n += STEP) {
        CHECK(is_filled(object[n], SIZE));
        quire_kmem_cache_put(cache, 1, &object[n]);
    }
    (void)quire_kmem_cache_shrink(cache);
    CHECK_EQ(quire_kmem_cache_use(cache).told, 0);
    CHECK_EQ(quire_kmem_cache_use(cache).objects, 0);
    destroy(cache);
    slab_end();
}

/* While the port is told of its pages without the lock. */
static void a_slab_that_is_told_is_set_aside(void)
{
    if (!slab_boot(NULL))
        return;
    struct quire_kmem_cache *cache = cache_of("taken", 256, QUIRE_SLAB_NO_SHEAVES);
    REQUIRE(cache);
    size_t count = 2 * info_of(cache).objects_per_slab;
    REQUIRE(count <= COUNT);
    CHECK_EQ(quire_kmem_cache_take(cache, QUIRE_GFP_KERNEL, count, object), count);
    quire_kmem_cache_put(cache, 2, object);
    uintptr_t bytes = QUIRE_PAGE_SIZE << info_of(cache).order;
    struct cache_node *node = &cache->cache->node[0];
    REQUIRE(node->partial.first && node->partial.first == node->partial.last);
    node->told = node->partial.first;
    uintptr_t told = (uintptr_t)object[0] / bytes;
    void *other = quire_kmem_cache_alloc(cache, QUIRE_GFP_KERNEL);
    CHECK(other && (uintptr_t)other / bytes != told);
    CHECK_EQ(quire_slab_report_free_pages(slab, ~0ul), 0); /* another one is at it */
    quire_kmem_cache_put(cache, count - 2, object + 2);
    quire_kmem_cache_free(cache, other);
    void *again = quire_kmem_cache_alloc(cache, QUIRE_GFP_KERNEL); /* beside an empty one */
    quire_slab_check(slab);
    quire_kmem_cache_free(cache, again);
    (void)quire_kmem_cache_shrink(cache);
    CHECK_EQ(info_of(cache).nr_pages, bytes >> QUIRE_PAGE_SHIFT);
    node->told = 0;
    (void)quire_kmem_cache_shrink(cache);
    CHECK_EQ(info_of(cache).nr_pages, 0);
    destroy(cache);
    slab_end();
}

static void an_object_put_back_twice_is_reported(void)
{
    if (!slab_boot(NULL))
        return;
    struct quire_kmem_cache *cache = cache_of("taken", 64, QUIRE_SLAB_NO_SHEAVES);
    REQUIRE(cache);
    CHECK_EQ(quire_kmem_cache_take(cache, QUIRE_GFP_KERNEL, 3, object), 3);
    object[3] = object[1];
    quire_kmem_cache_put(cache, 4, object);
    CHECK(machine_caught("free"));
    machine.bad_pages = 0;
    destroy(cache);
    slab_end();
}

/* A writer past the end of a slab's last object doesn't meet the map. */
static void maps_can_lie_apart_from_objects(void)
{
    told_made = told_gone = 0;
    if (!slab_boot_with_maps((struct quire_slab_config){
            .no_general = true, .pages_changed = pages_changed, .pages_arg = (void *)42}))
        return;
    struct quire_kmem_cache *cache = cache_of("apart", 32, QUIRE_SLAB_NO_SHEAVES);
    REQUIRE(cache);
    CHECK_EQ(info_of(cache).objects_per_slab, (QUIRE_PAGE_SIZE << info_of(cache).order) / 32);
    CHECK_EQ(quire_kmem_cache_take(cache, QUIRE_GFP_KERNEL, COUNT, object), COUNT);
    CHECK_EQ(told_size, 32);
    CHECK_EQ(told_made, info_of(cache).nr_pages);
    for (unsigned n = 0; n < COUNT; n++)
        __builtin_memset(object[n], 0xff, 32);
    quire_kmem_cache_put(cache, COUNT, object);
    CHECK_EQ(info_of(cache).nr_active, 0);
    destroy(cache);
    CHECK_EQ(told_gone, told_made);
    slab_end();
}

static const struct test_case cases[] = {
    TEST_CASE(many_objects_are_taken_and_put_back),
    TEST_CASE(pages_without_an_object_in_use_are_told),
    TEST_CASE(a_slab_that_is_told_is_set_aside),
    TEST_CASE(without_memory_fewer_are_taken_and_none_is_lost),
    TEST_CASE(an_object_put_back_twice_is_reported),
    TEST_CASE(maps_can_lie_apart_from_objects),
    {0},
};
const struct test_suite suite_slab_take = {"slab_take", cases};
