/* tests/stress/slab_race.c: what two CPUs come to at once
 *
 * Whether an object may be freed is seen under the lock that it is freed under. Threads that free
 * one object meet by chance, and one that waits for the lock is made to wait while its object's
 * page becomes somebody else's. Names change while they are read. Caches end
 * while their grace periods do.
 */
#define _POSIX_C_SOURCE 200809L
#include <pthread.h>
#include <time.h>

#include <quire/port.h>
#include <quire/slab.h>

#include "base/atomic.h"
#include "slab/internal.h"
#include "tests/harness/harness.h"

#define MEMORY_BYTES (8192 * QUIRE_PAGE_SIZE)

static struct quire_port_mem port;
static struct quire_memblock memblock;
static struct quire_mem *mem;
static struct quire_slab *slab;
static struct quire_kmem_cache *watched;
static unsigned reports;

/* ---- the machine ----------------------------------------------------------------------------- */

static void report(void *arg, quire_pfn_t pfn, const char *text)
{
    (void)arg;
    (void)pfn;
    (void)text;
    quire_fetch_add(&reports, 1);
}

static void hear_nothing(int level, const char *text)
{
    (void)level;
    (void)text;
}

static bool machine_start(void)
{
    static const struct quire_mem_ops ops = {.bad_page = report};
    struct quire_mem_config config = {
        .port = &port,
        .nr_cpus = QUIRE_MAX_CPUS < 8 ? QUIRE_MAX_CPUS : 8,
        .zone_end = {[QUIRE_ZONE_NORMAL] = UINT64_MAX},
        .ops = &ops,
    };
    quire_posix_set_log(hear_nothing);
    reports = 0;
    if (!test_environment.memory(MEMORY_BYTES, &port))
        return false;
    quire_memblock_init(&memblock, "race", &port);
    return !quire_memblock_add(&memblock, 0, MEMORY_BYTES, 0, QUIRE_MEMBLOCK_RAM) &&
           !quire_mem_init(&mem, &memblock, &config) && !quire_slab_init(&slab, mem, NULL);
}

static void machine_end(void)
{
    quire_slab_check(slab);
    CHECK_EQ(quire_slab_destroy(slab), 0);
    quire_mem_check(mem);
    CHECK_EQ(quire_nr_free_pages(mem), quire_nr_managed_pages(mem));
    quire_posix_set_log(NULL);
}

/* A cache whose slabs hold one object each. */
static bool watched_start(quire_slab_flags_t flags)
{
    if (!machine_start())
        return false;
    watched = quire_kmem_cache_create(slab, "watched", QUIRE_PAGE_SIZE, 0, flags, NULL);
    return watched && !quire_kmem_cache_set_order(watched, 0);
}

static void watched_end(unsigned expected)
{
    CHECK_EQ(reports, expected);
    CHECK_EQ(quire_kmem_cache_destroy(watched), 0);
    machine_end();
}

/* ---- one object, freed by two ---------------------------------------------------------------- */

/* What two threads free in a round; NULL: the end. Each takes it when `turn` changes. */
static struct {
    void *object;
    unsigned turn, done;
    bool over;
} twice;

static void *free_in_turns(void *arg)
{
    (void)arg;
    for (unsigned seen = 0;; seen++) {
        while (quire_load_acquire(&twice.turn) == seen)
            quire_port_relax();
        if (!twice.object)
            return NULL;
        quire_kmem_cache_free(watched, twice.object);
        quire_add_fetch(&twice.done, 1);
    }
}

/* Sees to it that a slab is somebody else's pages as soon as it is empty. */
static void *reuse_pages(void *arg)
{
    (void)arg;
    while (!quire_load_acquire(&twice.over)) {
        quire_kmem_cache_shrink(watched);
        struct quire_page *page = quire_alloc_pages(mem, QUIRE_GFP_NOWAIT, 0);
        if (!page)
            continue;
        page->owner.word[0] = page->owner.word[1] = 0;
        quire_free_pages(mem, page, 0);
    }
    return NULL;
}

static void next_turn(void *object)
{
    quire_store_relaxed(&twice.done, 0);
    twice.object = object;
    quire_store_release(&twice.turn, twice.turn + 1);
}

static void two_threads_that_free_one_object_are_told_once(void)
{
    static void *(*const body[])(void *) = {free_in_turns, free_in_turns, reuse_pages};
    enum { THREADS = sizeof body / sizeof body[0] };
    pthread_t thread[THREADS];
    unsigned rounds = (unsigned)(test_environment.effort / 200);
    REQUIRE(watched_start(QUIRE_SLAB_CONSISTENCY_CHECKS));
    twice.turn = 0;
    twice.over = false;
    for (unsigned i = 0; i < THREADS; i++)
        REQUIRE(!pthread_create(&thread[i], NULL, body[i], NULL));
    for (unsigned i = 0; i < rounds; i++) {
        next_turn(quire_kmem_cache_alloc(watched, QUIRE_GFP_KERNEL));
        CHECK(twice.object);
        while (quire_load_acquire(&twice.done) < 2)
            quire_port_relax();
    }
    next_turn(NULL);
    quire_store_release(&twice.over, true);
    for (unsigned i = 0; i < THREADS; i++)
        CHECK(!pthread_join(thread[i], NULL));
    watched_end(rounds);
}

/* Past the sheaves: who has no CPU number has none. */
static void *free_once(void *object)
{
    quire_posix_set_cpu(QUIRE_MAX_CPUS);
    quire_kmem_cache_free(watched, object);
    return NULL;
}

/* Frees the object and gives its slab to phys, as another CPU would do that has the lock; whoever
 * gets the pages writes to their descriptors. */
static struct quire_page *free_and_reuse(struct cache *cache, struct cache_node *node, void *object)
{
    struct slab_list empty = {0, 0};
    struct quire_page *head = quire_virt_to_page(mem, object);
    CHECK(node_put(cache, node, head, object));
    node_trim(cache, node, 0, &empty);
    CHECK_EQ(empty.first, head->pfn);
    slab_give_back(cache, head);
    struct quire_page *page = quire_alloc_pages(mem, QUIRE_GFP_NOWAIT, 0);
    CHECK(page == head);
    page->owner.word[0] = page->owner.word[1] = 0;
    return page;
}

static void a_free_waits_while_the_slab_goes(quire_slab_flags_t flags)
{
    pthread_t thread;
    REQUIRE(watched_start(flags));
    void *object = quire_kmem_cache_alloc_node(watched, QUIRE_GFP_KERNEL, 0);
    REQUIRE(object);
    struct cache_node *node = &watched->cache->node[0];
    quire_port_irq_t irq = slab_lock(&node->lock);
    REQUIRE(!pthread_create(&thread, NULL, free_once, object));
    for (unsigned i = 0; i < 20; i++) /* enough to come to the lock, if nothing else runs */
        nanosleep(&(struct timespec){0, 1000000}, NULL);
    struct quire_page *page = free_and_reuse(watched->cache, node, object);
    slab_unlock(&node->lock, irq);
    CHECK(!pthread_join(thread, NULL));
    CHECK_EQ(page->owner.word[0] | page->owner.word[1], 0);
    quire_free_pages(mem, page, 0);
    watched_end(1);
}

static void a_free_that_waited_for_the_lock_looks_again(void)
{
    a_free_waits_while_the_slab_goes(QUIRE_SLAB_CONSISTENCY_CHECKS);
    a_free_waits_while_the_slab_goes(QUIRE_SLAB_NO_MERGE);
}

/* ---- names ----------------------------------------------------------------------------------- */

#define NAME_A "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define NAME_B "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"

static bool names_over;

/* One cache, whose oldest name is A and B in turns. */
static void *change_names(void *arg)
{
    (void)arg;
    struct quire_kmem_cache *a = quire_kmem_cache_create(slab, NAME_A, 1000, 0, 0, NULL);
    while (a && !quire_load_acquire(&names_over)) {
        struct quire_kmem_cache *b = quire_kmem_cache_create(slab, NAME_B, 1000, 0, 0, NULL);
        CHECK_EQ(quire_kmem_cache_destroy(a), 0);
        a = quire_kmem_cache_create(slab, NAME_A, 1000, 0, 0, NULL);
        CHECK(a && b);
        CHECK_EQ(quire_kmem_cache_destroy(b), 0);
    }
    CHECK_EQ(quire_kmem_cache_destroy(a), 0);
    return NULL;
}

static char view[32 * 1024];
static size_t view_length;

static void collect(void *arg, const char *text, size_t length)
{
    (void)arg;
    for (size_t i = 0; i < length && view_length < sizeof view; i++)
        view[view_length++] = text[i];
}

/* Wherever two letters of such a name follow each other, all of it does. */
static void check_names(void)
{
    for (size_t i = 0; i + 2 < view_length; i++) {
        char c = view[i];
        size_t end = i;
        if ((c != 'a' && c != 'b') || view[i + 1] != c)
            continue;
        while (end < view_length && view[end] == c)
            end++;
        CHECK_EQ(end - i, sizeof NAME_A - 1);
        i = end;
    }
}

static void names_are_whole_while_they_come_and_go(void)
{
    pthread_t thread;
    REQUIRE(machine_start());
    quire_store_relaxed(&names_over, false);
    REQUIRE(!pthread_create(&thread, NULL, change_names, NULL));
    for (unsigned i = 0; i < test_environment.effort / 5000; i++) {
        view_length = 0;
        CHECK_EQ(quire_slabinfo(slab, i & 1 ? QUIRE_FORMAT_JSON : QUIRE_FORMAT_TEXT, collect, NULL),
                 0);
        quire_slab_aliases(slab, collect, NULL);
        check_names();
    }
    quire_store_release(&names_over, true);
    CHECK(!pthread_join(thread, NULL));
    machine_end();
}

/* ---- grace periods --------------------------------------------------------------------------- */

#define GRACE_THREADS 2u

/* What was asked for and hasn't been called. */
static struct {
    pthread_mutex_t lock;
    struct quire_port_grace *first;
    bool over;
} periods = {.lock = PTHREAD_MUTEX_INITIALIZER};

static void ask(struct quire_port_grace *grace, void (*call)(struct quire_port_grace *grace))
{
    pthread_mutex_lock(&periods.lock);
    grace->call = call;
    grace->next = periods.first;
    periods.first = grace;
    pthread_mutex_unlock(&periods.lock);
}

static struct quire_port_grace *next_asked(void)
{
    pthread_mutex_lock(&periods.lock);
    struct quire_port_grace *grace = periods.first;
    if (grace)
        periods.first = grace->next;
    pthread_mutex_unlock(&periods.lock);
    return grace;
}

/* Ends each period as soon as it is asked for, and the last ones. */
static void *end_periods(void *arg)
{
    (void)arg;
    for (;;) {
        bool over = quire_load_acquire(&periods.over);
        struct quire_port_grace *grace = next_asked();
        if (grace)
            grace->call(grace);
        else if (over)
            return NULL;
        else
            quire_port_relax();
    }
}

/* Fills some slabs of a type-stable cache, empties them, and ends it while periods end. */
static void *come_and_go(void *arg)
{
    void *object[200];
    unsigned made = 0;
    char name[] = "stable-0";
    name[7] = (char)('0' + *(unsigned *)arg);
    for (unsigned i = 0; i < test_environment.effort / 2000; i++) {
        struct quire_kmem_cache *cache = quire_kmem_cache_create(slab, name, QUIRE_PAGE_SIZE / 8, 0,
                                                                 QUIRE_SLAB_TYPESAFE_BY_RCU, NULL);
        if (!cache) { /* as many as there can be wait for their periods */
            quire_port_relax();
            continue;
        }
        made++;
        /* Or all memory does. */
        if (quire_kmem_cache_alloc_bulk(cache, QUIRE_GFP_KERNEL | QUIRE_GFP_NOWARN, 200, object))
            quire_kmem_cache_free_bulk(cache, 200, object);
        if (i % 3 == 0)
            quire_kmem_cache_shrink(cache);
        CHECK_EQ(quire_kmem_cache_destroy(cache), 0);
    }
    CHECK(made > 0);
    return NULL;
}

static void type_stable_caches_end_while_periods_end(void)
{
    pthread_t thread[GRACE_THREADS], ender;
    static unsigned number[GRACE_THREADS];
    REQUIRE(machine_start());
    periods.over = false;
    quire_posix_set_grace(ask);
    REQUIRE(!pthread_create(&ender, NULL, end_periods, NULL));
    for (unsigned i = 0; i < GRACE_THREADS; i++) {
        number[i] = i;
        REQUIRE(!pthread_create(&thread[i], NULL, come_and_go, &number[i]));
    }
    for (unsigned i = 0; i < GRACE_THREADS; i++)
        CHECK(!pthread_join(thread[i], NULL));
    quire_store_release(&periods.over, true);
    CHECK(!pthread_join(ender, NULL));
    quire_posix_set_grace(NULL);
    CHECK_EQ(reports, 0);
    machine_end();
}

static const struct test_case cases[] = {
    TEST_CASE(two_threads_that_free_one_object_are_told_once),
    TEST_CASE(a_free_that_waited_for_the_lock_looks_again),
    TEST_CASE(names_are_whole_while_they_come_and_go),
    TEST_CASE(type_stable_caches_end_while_periods_end),
    {0},
};
const struct test_suite suite_slab_race = {"slab_race", cases};
