/* tests/stress/pool_stress.c: threads with a cache each, that hand pools to each other
 *
 * A pool is filled by one thread, detached, left in a place that all know, and taken by another,
 * which attaches it to its own cache, looks at what is in it, adds something, and leaves or ends
 * it. So blocks that one thread got from the source go back by another. ThreadSanitizer sees to it
 * that nothing but the hand-over orders them.
 */
#include <pthread.h>
#include <stdlib.h>

#include <quire/pool.h>
#include <quire/port.h>

#include "base/atomic.h"
#include "tests/harness/harness.h"

#define THREADS 4u
#define PLACES 8u
#define MEMORY_BYTES (16384 * QUIRE_PAGE_SIZE)

struct note {
    struct note *next;
    size_t size;
    unsigned char text[];
};

/* The first object of a pool. */
struct content {
    struct quire_pool *pool, *child;
    struct note *notes;
};

struct worker {
    pthread_t thread;
    struct quire_pool_cache cache;
    uint64_t random;
    unsigned long operations, taken;
    bool failed;
};

static struct quire_pool_config config;
static struct content *place[PLACES];
static struct quire_port_mem port;
static struct quire_memblock memblock;
static struct quire_mem *mem;
static unsigned long handled, registered;

static uint32_t below(struct worker *worker, uint32_t bound)
{
    uint64_t x = worker->random += 0x9e3779b97f4a7c15u;
    x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9u;
    return (uint32_t)((x >> 32) * bound >> 32);
}

static void handle(void *arg)
{
    (void)arg;
    quire_fetch_add(&handled, 1);
}

/* ---- what is in a pool ----------------------------------------------------------------------- */

static bool add_note(struct worker *worker, struct content *content)
{
    size_t size = below(worker, 20) ? below(worker, 300) : below(worker, 9000);
    struct note *note =
        quire_pool_alloc(below(worker, 2) ? content->pool : content->child, sizeof *note + size);
    if (!note)
        return false;
    note->size = size;
    for (size_t i = 0; i < size; i++)
        note->text[i] = (unsigned char)(size + i);
    note->next = content->notes;
    content->notes = note;
    if (!quire_pool_cleanup(content->child, handle, note))
        return false;
    quire_fetch_add(&registered, 1);
    return true;
}

static bool is_intact(const struct content *content)
{
    for (const struct note *note = content->notes; note; note = note->next)
        for (size_t i = 0; i < note->size; i++)
            if (note->text[i] != (unsigned char)(note->size + i))
                return false;
    return true;
}

static struct content *create(struct worker *worker)
{
    struct quire_pool *pool = quire_pool_create(&worker->cache);
    struct content *content = pool ? quire_pool_zalloc(pool, sizeof *content) : NULL;
    if (!content)
        return NULL;
    content->pool = pool;
    content->child = quire_pool_create_child(pool);
    return content->child ? content : NULL;
}

/* ---- threads --------------------------------------------------------------------------------- */

/* Out of a place, or a new one. */
static struct content *take(struct worker *worker, unsigned from)
{
    struct content *content = __atomic_exchange_n(&place[from], NULL, __ATOMIC_ACQ_REL);
    if (!content)
        return create(worker);
    worker->taken++;
    return quire_pool_attach(content->pool, &worker->cache) ? NULL : content;
}

static void leave(struct worker *worker, struct content *content, unsigned to)
{
    struct content *none = NULL;
    quire_pool_detach(content->pool);
    if (quire_compare_exchange(&place[to], &none, content))
        return;
    if (quire_pool_attach(content->pool, &worker->cache)) /* somebody was faster */
        worker->failed = true;
    else
        quire_pool_destroy(content->pool);
}

static void *work(void *arg)
{
    struct worker *worker = arg;
    for (unsigned long i = 0; i < worker->operations && !worker->failed; i++) {
        struct content *content = take(worker, below(worker, PLACES));
        bool well = content && is_intact(content);
        for (unsigned n = below(worker, 30); well && n; n--)
            well = add_note(worker, content);
        worker->failed |= !well;
        if (well && below(worker, 4))
            leave(worker, content, below(worker, PLACES));
        else if (content)
            quire_pool_destroy(content->pool);
    }
    return NULL;
}

static void end_what_is_left(struct quire_pool_cache *cache)
{
    for (unsigned i = 0; i < PLACES; i++) {
        if (!place[i])
            continue;
        CHECK_EQ(quire_pool_attach(place[i]->pool, cache), 0);
        CHECK(is_intact(place[i]));
        quire_pool_destroy(place[i]->pool);
        place[i] = NULL;
    }
}

static void run(void)
{
    static struct worker worker[THREADS];
    unsigned long taken = 0;
    size_t held = 0;
    handled = registered = 0;
    for (unsigned i = 0; i < THREADS; i++) {
        worker[i] = (struct worker){.random = test_random()};
        worker[i].operations = (unsigned long)test_environment.effort / 40 / THREADS;
        REQUIRE(!quire_pool_cache_init(&worker[i].cache, &config));
    }
    for (unsigned i = 0; i < THREADS; i++)
        REQUIRE(!pthread_create(&worker[i].thread, NULL, work, &worker[i]));
    for (unsigned i = 0; i < THREADS; i++) {
        pthread_join(worker[i].thread, NULL);
        CHECK(!worker[i].failed);
        quire_pool_cache_hand_over(&worker[i].cache);
        taken += worker[i].taken;
    }
    end_what_is_left(&worker[0].cache);
    for (unsigned i = 0; i < THREADS; i++) {
        CHECK_EQ(quire_pool_cache_destroy(&worker[i].cache), 0);
        held += worker[i].cache.held; /* of the threads together */
    }
    CHECK_EQ(held, 0);
    CHECK_EQ(handled, registered);
    CHECK(taken);
}

static uintptr_t this_thread(void)
{
    return (uintptr_t)pthread_self();
}

static void threads_hand_pools_to_each_other_over_malloc(void)
{
    static const struct quire_pool_malloc libc = {malloc, free};
    config = (struct quire_pool_config){.source = quire_pool_from_malloc(&libc)};
    run();
}

static void the_same_with_the_rule_of_threads_checked(void)
{
    static const struct quire_pool_malloc libc = {malloc, free};
    config = (struct quire_pool_config){
        .source = quire_pool_from_malloc(&libc),
        .flags = QUIRE_POOL_DEBUG,
        .self = this_thread,
    };
    run();
}

static void threads_hand_pools_to_each_other_over_page_runs(void)
{
    static struct quire_pool_pages pages;
    struct quire_mem_config mem_config = {.port = &port,
                                          .zone_end = {[QUIRE_ZONE_NORMAL] = UINT64_MAX}};
    if (!test_environment.memory(MEMORY_BYTES, &port)) {
        test_skip("there isn't enough memory for the simulated machine");
        return;
    }
    quire_memblock_init(&memblock, "pools", &port);
    REQUIRE(!quire_memblock_add(&memblock, 0, MEMORY_BYTES, 0, QUIRE_MEMBLOCK_RAM));
    REQUIRE(!quire_mem_init(&mem, &memblock, &mem_config));
    pages = (struct quire_pool_pages){mem, QUIRE_GFP_KERNEL};
    config = (struct quire_pool_config){.source = quire_pool_from_pages(&pages)};
    run();
    quire_mem_check(mem);
    CHECK_EQ(quire_nr_free_pages(mem), quire_nr_managed_pages(mem));
}

static const struct test_case cases[] = {
    TEST_CASE(threads_hand_pools_to_each_other_over_malloc),
    TEST_CASE(the_same_with_the_rule_of_threads_checked),
    TEST_CASE(threads_hand_pools_to_each_other_over_page_runs),
    {0},
};
const struct test_suite suite_pool_stress = {"pool_stress", cases};
