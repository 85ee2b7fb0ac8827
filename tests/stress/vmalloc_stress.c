/* tests/stress/vmalloc_stress.c: threads at one range of vmalloc
 *
 * Few addresses and a small lazy limit, so that purges of several threads meet. Every page holds
 * its owner's mark, looked at before it is freed: a page or an address that two have at once shows.
 * ThreadSanitizer sees to it that a page's next owner comes after its last.
 */
#include <pthread.h>

#include <quire/map.h>
#include <quire/port.h>

#include "base/atomic.h"
#include "tests/harness/harness.h"

#define MEMORY_BYTES (64ul << 20)
#define THREADS 4u
#define RANGES 16u /* of a thread */
#define MOST_PAGES 8u
#define START 0xffffc90000000000
#define ADDRESS_PAGES 300ul

static struct quire_port_mem port;
static struct quire_memblock memblock;
static struct quire_mem *mem;
static struct quire_slab *slab;
static struct quire_pgtable pt;
static struct quire_vmalloc *vm;
static unsigned long flushes;

struct worker {
    pthread_t thread;
    unsigned number;
    unsigned long operations;
    uint64_t random;
    struct {
        quire_linear_t start;
        unsigned long pages;
        uint64_t mark;
    } range[RANGES];
};

static uint32_t below(struct worker *worker, uint32_t bound)
{
    uint64_t z = worker->random += 0x9e3779b97f4a7c15u;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return (uint32_t)(((z >> 32) * bound) >> 32);
}

static void count_flush(void *arg, const struct quire_tlb_flush *flush)
{
    (void)arg;
    (void)flush;
    (void)quire_fetch_add(&flushes, 1);
}

static bool start(void)
{
    struct quire_mem_config config = {
        .port = &port, .nr_cpus = THREADS < QUIRE_MAX_CPUS ? THREADS + 1 : QUIRE_MAX_CPUS};
    if (!test_environment.memory(MEMORY_BYTES, &port))
        return false;
    quire_memblock_init(&memblock, "stress", &port);
    if (quire_memblock_add(&memblock, 0, MEMORY_BYTES, 0, QUIRE_MEMBLOCK_RAM) ||
        quire_mem_init(&mem, &memblock, &config) || quire_slab_init(&slab, mem, NULL))
        return false;
    struct quire_pgtable_config tables = {
        .mem = mem, .format = QUIRE_PT_FORMAT_X86_64, .flush = count_flush};
    flushes = 0;
    if (quire_pgtable_init(&pt, &tables))
        return false;
    quire_pgtable_cpu_enter(&pt, 0);
    struct quire_vmalloc_config range = {.mem = mem,
                                         .slab = slab,
                                         .pt = &pt,
                                         .start = START,
                                         .end = START + ADDRESS_PAGES * QUIRE_PAGE_SIZE,
                                         .lazy_pages = 60};
    return !quire_vmalloc_init(&vm, &range);
}

static uint64_t *word(quire_linear_t address)
{
    struct quire_page *page = quire_vmalloc_to_page(vm, address);
    return page ? quire_page_address(mem, page) : NULL;
}

static void make(struct worker *worker, unsigned i)
{
    unsigned long pages = 1 + below(worker, MOST_PAGES);
    quire_linear_t at =
        quire_vmalloc(vm, pages * QUIRE_PAGE_SIZE, QUIRE_GFP_KERNEL | QUIRE_GFP_NOWARN);
    worker->range[i].start = at;
    worker->range[i].pages = pages;
    worker->range[i].mark = worker->random << 8 | worker->number;
    for (unsigned long page = 0; at && page < pages; page++)
        *word(at + page * QUIRE_PAGE_SIZE) = worker->range[i].mark + page;
}

static void unmake(struct worker *worker, unsigned i)
{
    quire_linear_t at = worker->range[i].start;
    unsigned long pages = worker->range[i].pages;
    for (unsigned long page = 0; page < pages; page++) {
        uint64_t *mark = word(at + page * QUIRE_PAGE_SIZE);
        CHECK(mark && *mark == worker->range[i].mark + page);
    }
    CHECK(!word(at + pages * QUIRE_PAGE_SIZE));
    quire_vfree(vm, at);
    worker->range[i].start = 0;
}

static void write_nothing(void *arg, const char *text, size_t length)
{
    (void)arg;
    (void)text;
    (void)length;
}

static void *work(void *arg)
{
    struct worker *worker = arg;
    for (unsigned long n = 0; n < worker->operations; n++) {
        unsigned i = below(worker, RANGES);
        if (worker->range[i].start)
            unmake(worker, i);
        else
            make(worker, i);
        if (!below(worker, 1000))
            CHECK_EQ(quire_vmallocinfo(vm, QUIRE_FORMAT_JSON, write_nothing, NULL), 0);
        if (!below(worker, 100))
            (void)quire_vm_unmap_aliases(vm);
    }
    for (unsigned i = 0; i < RANGES; i++)
        if (worker->range[i].start)
            unmake(worker, i);
    return NULL;
}

static void what_one_thread_has_no_other_gets(void)
{
    static struct worker workers[THREADS];
    REQUIRE(start());
    for (unsigned i = 0; i < THREADS; i++) {
        workers[i] = (struct worker){.number = i,
                                     .random = test_random(),
                                     .operations = (unsigned long)test_environment.effort / 20};
        CHECK(!pthread_create(&workers[i].thread, NULL, work, &workers[i]));
    }
    for (unsigned i = 0; i < THREADS; i++)
        CHECK(!pthread_join(workers[i].thread, NULL));
    CHECK(flushes > 0);
    quire_vmalloc_check(vm);
    CHECK_EQ(quire_vmalloc_destroy(vm), 0);
    quire_pgtable_check(&pt);
    quire_pgtable_destroy(&pt);
    CHECK_EQ(quire_slab_destroy(slab), 0);
    CHECK_EQ(quire_nr_free_pages(mem), quire_nr_managed_pages(mem));
    CHECK_EQ(quire_mem_destroy(mem), 0);
}

static const struct test_case cases[] = {
    TEST_CASE(what_one_thread_has_no_other_gets),
    {0},
};
const struct test_suite suite_vmalloc_stress = {"vmalloc_stress", cases};
