/* tests/unit/slab_view_test.c: slabinfo, counts, waste */
#include "tests/unit/json_check.h"
#include "tests/unit/slab_machine.h"

static char text[64 * 1024];
static size_t used;

static void collect(void *arg, const char *piece, size_t length)
{
    (void)arg;
    for (size_t i = 0; i < length && used + 1 < sizeof text; i++)
        text[used++] = piece[i];
    text[used] = '\0';
}

static const char *slabinfo(enum quire_format format)
{
    used = 0;
    CHECK_EQ(quire_slabinfo(slab, format, collect, NULL), 0);
    return text;
}

static void slabinfo_has_the_format_of_linux(void)
{
    void *object[10];
    if (!slab_boot(NULL))
        return;
    struct quire_kmem_cache *cache = cache_of("some_objects", 1000, QUIRE_SLAB_NO_MERGE);
    for (unsigned i = 0; i < 10; i++)
        REQUIRE((object[i] = quire_kmem_cache_alloc(cache, QUIRE_GFP_KERNEL)));
    slabinfo(QUIRE_FORMAT_TEXT);
    CHECK(contains(text, "slabinfo - version: 2.1\n"
                         "# name            <active_objs> <num_objs> <objsize> <objperslab> "
                         "<pagesperslab> : tunables <limit> <batchcount> <sharedfactor> : "
                         "slabdata <active_slabs> <num_slabs> <sharedavail>\n"));
    if (QUIRE_PAGE_SHIFT == 12)
        CHECK(contains(text, "\nsome_objects          10     12   1000    4    1"
                             " : tunables    0    0    0 : slabdata      3      3      0\n"));
    CHECK(contains(text, "\nkmalloc-8k "));
    CHECK(contains(text, "\nkmem_cache "));
    quire_kmem_cache_free_bulk(cache, 10, object);
    CHECK_EQ(quire_slabinfo(slab, (enum quire_format)7, collect, NULL), -QUIRE_EINVAL);
    destroy(cache);
    slab_end();
}

static struct quire_slab_pages slab_pages(void)
{
    struct quire_slab_pages pages;
    quire_slab_pages(slab, &pages);
    return pages;
}

static void pages_are_counted_by_whether_they_can_be_reclaimed(void)
{
    const size_t large = 5 * QUIRE_PAGE_SIZE; /* of 8 pages */
    if (!slab_boot(NULL))
        return;
    struct quire_kmem_cache *plain = cache_of("plain", 256, QUIRE_SLAB_NO_MERGE);
    struct quire_kmem_cache *reclaimed =
        cache_of("reclaimed", 256, QUIRE_SLAB_NO_MERGE | QUIRE_SLAB_RECLAIM_ACCOUNT);
    struct quire_slab_pages before = slab_pages();
    CHECK_EQ(before.reclaimable, 0);
    void *object = quire_kmem_cache_alloc_node(reclaimed, QUIRE_GFP_KERNEL, 0);
    struct quire_kmem_cache_info info;
    quire_kmem_cache_info(reclaimed, &info);
    CHECK(object && info.nr_pages);
    CHECK_EQ(slab_pages().reclaimable, info.nr_pages);
    CHECK_EQ(slab_pages().unreclaimable, before.unreclaimable);
    void *block = quire_kmalloc(slab, large, QUIRE_GFP_KERNEL);
    CHECK(block);
    CHECK_EQ(slab_pages().unreclaimable, before.unreclaimable + 8);
    quire_kfree(slab, block);
    CHECK_EQ(slab_pages().unreclaimable, before.unreclaimable);
    void *other = quire_kmem_cache_alloc_node(plain, QUIRE_GFP_KERNEL, 0);
    quire_kmem_cache_info(plain, &info);
    CHECK_EQ(slab_pages().unreclaimable, before.unreclaimable + info.nr_pages);
    quire_kmem_cache_free(plain, other);
    quire_kmem_cache_free(reclaimed, object);
    destroy(plain);
    destroy(reclaimed);
    CHECK_EQ(slab_pages().reclaimable, 0);
    slab_end();
}

static void slabinfo_as_json_says_all(void)
{
    if (!slab_boot(NULL))
        return;
    struct quire_kmem_cache *cache = cache_of("quo\"ted", 100, QUIRE_SLAB_NO_MERGE);
    void *object = quire_kmem_cache_alloc(cache, QUIRE_GFP_KERNEL);
    slabinfo(QUIRE_FORMAT_JSON);
    CHECK(is_json(text));
    CHECK(contains(text, "\"schema\":\"quire.slabinfo/1\""));
    CHECK(contains(text, "{\"name\":\"quo\\\"ted\",\"aliases\":0,"));
    CHECK(contains(text, "\"active_objects\":1,"));
    CHECK(contains(text, "\"cpu_objects\":[0,0]"));
    CHECK(contains(text, "\"external_waste_bytes\":"));
    quire_kmem_cache_free(cache, object);
    destroy(cache);
    slab_end();
}

static void names_that_share_a_cache_are_told(void)
{
    if (!slab_boot(NULL))
        return;
    struct quire_kmem_cache *first = cache_of("first", 1000, 0);
    struct quire_kmem_cache *second = cache_of("second", 1000, 0);
    struct quire_kmem_cache *third = cache_of("third", 1000, 0);
    slabinfo(QUIRE_FORMAT_JSON);
    CHECK(is_json(text));
    CHECK(contains(text,
                   "{\"name\":\"first\",\"aliases\":2,\"alias_names\":[\"second\",\"third\"],"));
    CHECK(contains(text, "{\"name\":\"kmem_cache\",\"aliases\":0,\"alias_names\":[],"));
    used = 0;
    quire_slab_aliases(slab, collect, NULL);
    CHECK(contains(text, "first             <- second third\n"));
    destroy(first);
    used = 0;
    quire_slab_aliases(slab, collect, NULL);
    CHECK(contains(text, "second            <- third\n"));
    destroy(third);
    used = 0;
    text[0] = '\0';
    quire_slab_aliases(slab, collect, NULL);
    CHECK_EQ(text[0], '\0');
    destroy(second);
    slab_end();
}

static void waste_is_told_apart(void)
{
    void *object[20];
    if (!slab_boot(NULL))
        return;
    struct quire_kmem_cache *cache = cache_of("waste", 1000, QUIRE_SLAB_NO_MERGE);
    test_environment.set_cpu(QUIRE_MAX_CPUS);
    for (unsigned i = 0; i < 20; i++)
        REQUIRE((object[i] = quire_kmem_cache_alloc(cache, QUIRE_GFP_KERNEL)));
    struct quire_kmem_cache_info info = info_of(cache);
    unsigned long bytes = info.nr_pages * QUIRE_PAGE_SIZE;
    CHECK_EQ(info.internal_waste, bytes - info.nr_objects * 1000);
    CHECK_EQ(info.external_waste, (info.nr_objects - 20) * 1000);
    for (unsigned i = 1; i < 20; i += 2)
        quire_kmem_cache_free(cache, object[i]);
    info = info_of(cache);
    CHECK_EQ(info.nr_active, 10);
    CHECK_EQ(info.external_waste + info.internal_waste + 10 * 1000,
             info.nr_pages * QUIRE_PAGE_SIZE);
    for (unsigned i = 0; i < 20; i += 2)
        quire_kmem_cache_free(cache, object[i]);
    destroy(cache);
    slab_end();
}

static void users_are_told_only_where_they_are_tracked(void)
{
    if (!slab_boot(NULL))
        return;
    struct quire_kmem_cache *plain = cache_of("plain", 64, QUIRE_SLAB_NO_MERGE);
    struct quire_kmem_cache *tracked = cache_of("tracked", 64, QUIRE_SLAB_STORE_USER);
    void *a = quire_kmem_cache_alloc(tracked, QUIRE_GFP_KERNEL);
    void *b = quire_kmem_cache_alloc(tracked, QUIRE_GFP_KERNEL);
    used = 0;
    quire_kmem_cache_dump_users(plain, collect, NULL);
    CHECK(contains(text, "set QUIRE_SLAB_STORE_USER"));
    used = 0;
    quire_kmem_cache_dump_users(tracked, collect, NULL);
    CHECK(contains(text, "   objects        bytes caller\n         1 "));
    quire_kmem_cache_free(tracked, a);
    quire_kmem_cache_free(tracked, b);
    destroy(plain);
    destroy(tracked);
    slab_end();
}

static const struct test_case cases[] = {
    TEST_CASE(slabinfo_has_the_format_of_linux),
    TEST_CASE(slabinfo_as_json_says_all),
    TEST_CASE(pages_are_counted_by_whether_they_can_be_reclaimed),
    TEST_CASE(names_that_share_a_cache_are_told),
    TEST_CASE(waste_is_told_apart),
    TEST_CASE(users_are_told_only_where_they_are_tracked),
    {0},
};
const struct test_suite suite_slab_view = {"slab_view", cases};
