/* tests/stress/slab_stress.c: threads at one machine's small objects
 *
 * Objects carry a pattern made of their address and size, which whoever frees them checks, be it
 * another thread; so two owners of one piece of memory show, and ThreadSanitizer sees to it that
 * each hand-over is one. Meanwhile sheaves are drained, caches shrunk, looked at, made and ended.
 * At the end every page is free.
 */
#include <pthread.h>

#include <quire/port.h>
#include <quire/slab.h>

#include "base/atomic.h"
#include "base/text.h"
#include "tests/harness/harness.h"

#define MEMORY_BYTES (96ul << 20)
#define MAX_THREADS 8u
#define SLOTS 1024u
#define NR_CACHES 4u

static struct quire_port_mem port;
static struct quire_memblock memblock;
static struct quire_mem *mem;
static struct quire_slab *slab;
static struct quire_kmem_cache *cache[NR_CACHES];
static unsigned reports;

/* An object and whose it is: NR_CACHES: kmalloc's. */
struct item {
    uint32_t size, from;
};
static struct item *slot[SLOTS];

/* ---- the machine ----------------------------------------------------------------------------- */

static void report(void *arg, quire_pfn_t pfn, const char *text)
{
    (void)arg;
    (void)pfn;
    quire_fetch_add(&reports, 1);
    test_note("%s", text);
}

static void hear_nothing(int level, const char *text)
{
    (void)level;
    (void)text;
}

static bool machine_start(unsigned nr_cpus, const char *debug)
{
    static const uint8_t cpu_node[MAX_THREADS + 1] = {0, 1, 0, 1, 1, 0, 0, 1, 0};
    static const struct quire_mem_ops ops = {.bad_page = report};
    static const size_t sizes[NR_CACHES] = {16, 64, 200, 5000};
    struct quire_mem_config config = {
        .port = &port,
        .nr_cpus = nr_cpus < QUIRE_MAX_CPUS ? nr_cpus : QUIRE_MAX_CPUS,
        .cpu_node = cpu_node,
        .zone_end = {[QUIRE_ZONE_NORMAL] = UINT64_MAX},
        .ops = &ops,
    };
    quire_posix_set_log(hear_nothing);
    reports = 0;
    if (!test_environment.memory(MEMORY_BYTES, &port))
        return false;
    quire_memblock_init(&memblock, "stress", &port);
    if (quire_memblock_add(&memblock, 0, MEMORY_BYTES / 2, 0, QUIRE_MEMBLOCK_RAM) ||
        quire_memblock_add(&memblock, MEMORY_BYTES / 2, MEMORY_BYTES / 2, 1, QUIRE_MEMBLOCK_RAM) ||
        quire_mem_init(&mem, &memblock, &config) ||
        quire_slab_init(&slab, mem, &(struct quire_slab_config){.debug = debug}))
        return false;
    for (unsigned i = 0; i < NR_CACHES; i++) {
        char name[] = "stress-0";
        name[7] = (char)('0' + i);
        cache[i] = quire_kmem_cache_create(slab, name, sizes[i], 0, QUIRE_SLAB_NO_MERGE, NULL);
        if (!cache[i])
            return false;
    }
    return true;
}

/* ---- objects that change hands --------------------------------------------------------------- */

struct worker {
    pthread_t thread;
    uint64_t random;
    unsigned number;
    unsigned long operations;
};

static uint32_t below(struct worker *worker, uint32_t bound)
{
    uint64_t z = worker->random += 0x9e3779b97f4a7c15u;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return (uint32_t)(((z >> 32) * bound) >> 32);
}

static unsigned char mark(const struct item *item)
{
    return (unsigned char)((uintptr_t)item >> 3 ^ item->size);
}

/* Its first bytes say what it is, its last one is the mark. */
static struct item *own(void *object, uint32_t size, uint32_t from)
{
    struct item *item = object;
    if (!object)
        return NULL;
    *item = (struct item){size, from};
    for (uint32_t at = sizeof *item; at < size; at += 61)
        ((unsigned char *)object)[at] = mark(item);
    return item;
}

static void check(struct item *item)
{
    CHECK(item->from <= NR_CACHES);
    for (uint32_t at = sizeof *item; at < item->size; at += 61)
        CHECK_EQ(((unsigned char *)item)[at], mark(item));
}

static struct item *allocate(struct worker *worker)
{
    unsigned which = below(worker, 2 * NR_CACHES);
    quire_gfp_t gfp = QUIRE_GFP_KERNEL | QUIRE_GFP_NOWARN;
    if (which < NR_CACHES) {
        int node = below(worker, 8) ? -1 : (int)below(worker, 2);
        return own(quire_kmem_cache_alloc_node(cache[which], gfp, node),
                   (uint32_t)quire_kmem_cache_size(cache[which]), which);
    }
    uint32_t most = below(worker, 64) ? 600 : 20000;
    uint32_t size = 8 + below(worker, most);
    return own(quire_kmalloc(slab, size, below(worker, 8) ? gfp : gfp | QUIRE_GFP_ZERO), size,
               NR_CACHES);
}

static void release(struct worker *worker, struct item *item)
{
    if (!item)
        return;
    check(item);
    if (item->from < NR_CACHES && below(worker, 2))
        quire_kmem_cache_free(cache[item->from], item);
    else
        quire_kfree(slab, item);
}

static struct item *exchange(unsigned index, struct item *item)
{
    return __atomic_exchange_n(&slot[index], item, __ATOMIC_ACQ_REL);
}

/* ---- what threads do ------------------------------------------------------------------------- */

static void trade_many(struct worker *worker)
{
    void *object[80];
    size_t count = 1 + below(worker, 80);
    if (!quire_kmem_cache_alloc_bulk(cache[1], QUIRE_GFP_KERNEL | QUIRE_GFP_NOWARN, count, object))
        return;
    for (size_t i = 0; i < count; i++) {
        own(object[i], 64, 1);
        if (i % 3 == 0)
            object[i] = exchange(below(worker, SLOTS), object[i]);
        if (i % 3 == 0 && object[i] && ((struct item *)object[i])->from != 1) {
            release(worker, object[i]);
            object[i] = NULL;
        }
    }
    for (size_t i = 0; i < count; i++)
        if (object[i])
            check(object[i]);
    quire_kmem_cache_free_bulk(cache[1], count, object);
}

static void count_text(void *arg, const char *text, size_t length)
{
    (void)text;
    *(size_t *)arg += length;
}

/* A cache of this thread's own, beside those of the others, or one that they share. */
static void come_and_go(struct worker *worker)
{
    char name[] = "worker-0";
    void *object[20];
    name[7] = (char)('0' + worker->number);
    struct quire_kmem_cache *mine =
        quire_kmem_cache_create(slab, name, 100 + 100 * below(worker, 3), 0, 0, NULL);
    if (!mine)
        return;
    for (unsigned i = 0; i < 20; i++)
        object[i] = own(quire_kmem_cache_alloc(mine, QUIRE_GFP_KERNEL | QUIRE_GFP_NOWARN), 100, 0);
    for (unsigned i = 0; i < 20; i++)
        if (object[i]) {
            check(object[i]);
            quire_kmem_cache_free(mine, object[i]);
        }
    CHECK_EQ(quire_kmem_cache_destroy(mine), 0);
}

static void look_around(struct worker *worker)
{
    struct quire_kmem_cache_info info;
    size_t length = 0;
    switch (below(worker, 9)) {
    case 0:
        quire_slab_shrink(slab, (int)below(worker, 3) - 1);
        break;
    case 1:
        quire_kmem_cache_shrink(cache[below(worker, NR_CACHES)]);
        break;
    case 2:
        quire_kmem_cache_info(cache[below(worker, NR_CACHES)], &info);
        CHECK(info.nr_active <= info.nr_objects);
        break;
    case 3:
        CHECK_EQ(quire_slabinfo(slab, below(worker, 2) ? QUIRE_FORMAT_TEXT : QUIRE_FORMAT_JSON,
                                count_text, &length),
                 0);
        CHECK(length > 1000);
        break;
    case 4:
    case 5:
        come_and_go(worker);
        break;
    case 6: /* what is in use keeps its content */
        CHECK(quire_slab_report_free_pages(slab, ~0ul) < MEMORY_BYTES / QUIRE_PAGE_SIZE);
        break;
    default:
        quire_slab_drain_cpu(slab, below(worker, MAX_THREADS + 1));
    }
}

static bool go; /* all threads are there: so that they don't run one after the other */

static void *trade(void *arg)
{
    struct worker *worker = arg;
    while (!quire_load_acquire(&go))
        quire_port_relax();
    for (unsigned long i = 0; i < worker->operations; i++) {
        unsigned what = below(worker, 1024);
        if (what == 0)
            look_around(worker);
        else if (what < 16)
            trade_many(worker);
        else if (what < 400)
            release(worker, exchange(below(worker, SLOTS), NULL));
        else if (what < 600)
            release(worker, allocate(worker));
        else
            release(worker, exchange(below(worker, SLOTS), allocate(worker)));
    }
    return NULL;
}

static void run_threads(unsigned count, unsigned long operations)
{
    struct worker workers[MAX_THREADS];
    unsigned started = 0;
    quire_store_relaxed(&go, false);
    for (; started < count; started++) {
        workers[started] = (struct worker){
            .random = test_random(), .number = started, .operations = operations / count};
        if (pthread_create(&workers[started].thread, NULL, trade, &workers[started]))
            break;
    }
    quire_store_release(&go, true);
    CHECK_EQ(started, count);
    for (unsigned i = 0; i < started; i++)
        CHECK(!pthread_join(workers[i].thread, NULL));
}

static void machine_end(void)
{
    struct worker here = {.random = 1};
    for (unsigned i = 0; i < SLOTS; i++)
        release(&here, exchange(i, NULL));
    quire_slab_check(slab);
    for (unsigned i = 0; i < NR_CACHES; i++)
        CHECK_EQ(quire_kmem_cache_destroy(cache[i]), 0);
    CHECK_EQ(quire_slab_destroy(slab), 0);
    quire_mem_check(mem);
    CHECK_EQ(quire_nr_free_pages(mem), quire_nr_managed_pages(mem));
    CHECK_EQ(reports, 0);
    quire_posix_set_log(NULL);
}

static unsigned long effort(void)
{
    return (unsigned long)test_environment.effort;
}

static void two_to_eight_threads_free_what_others_allocated(void)
{
    for (unsigned threads = 2; threads <= MAX_THREADS; threads += 2) {
        REQUIRE(machine_start(MAX_THREADS + 1, NULL));
        run_threads(threads, effort() / 2);
        machine_end();
    }
}

static void threads_without_a_cpu_number_share_with_those_that_have_one(void)
{
    REQUIRE(machine_start(3, NULL));
    run_threads(MAX_THREADS, effort() / 2);
    machine_end();
}

static void threads_agree_with_debugging(void)
{
    REQUIRE(machine_start(MAX_THREADS + 1, "FZPUR"));
    run_threads(4, effort() / 10);
    machine_end();
}

/* A thread that ends leaves its sheaves behind; who gets its CPU number goes on with them. */
static void threads_that_come_and_go_lose_nothing(void)
{
    REQUIRE(machine_start(4, NULL));
    for (unsigned round = 0; round < 20; round++)
        run_threads(2 + test_random_below(MAX_THREADS - 1), effort() / 100);
    machine_end();
}

static const struct test_case cases[] = {
    TEST_CASE(two_to_eight_threads_free_what_others_allocated),
    TEST_CASE(threads_without_a_cpu_number_share_with_those_that_have_one),
    TEST_CASE(threads_agree_with_debugging),
    TEST_CASE(threads_that_come_and_go_lose_nothing),
    {0},
};
const struct test_suite suite_slab_stress = {"slab_stress", cases};
