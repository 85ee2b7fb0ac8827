/* tests/stress/windows_stress.c: threads at few windows on many pages
 *
 * Each thread plays a CPU with a TLB of its own. Every page holds its frame number, and is read
 * through whatever window it is said to be in: a slot that is used again before every TLB has lost
 * what it showed is another page's number. There are fewer slots than pages in use at times, so
 * threads flush, wait for each other's flushes, and wait for slots.
 */
#include <pthread.h>
#include <sched.h>

#include "ports/sim/sim.h"

#include "base/atomic.h"
#include "tests/harness/harness.h"

#define MEMORY_BYTES (32ul << 20)
#define HIGH_BYTES (16ul << 20)
#define THREADS 4u
#define SLOTS 6u /* nobody waits for one while he holds one: no deadlock */
#define PAGES 40u

static struct quire_port_mem port;
static struct quire_memblock memblock;
static struct quire_mem *mem;
static struct quire_pgtable pt;
static struct quire_windows windows;
static struct quire_sim_cpu cpus[THREADS];
static struct quire_sim sim;
static unsigned long waits;

struct worker {
    pthread_t thread;
    unsigned number;
    unsigned long operations;
    uint64_t random;
};

static uint32_t below(struct worker *worker, uint32_t bound)
{
    uint64_t z = worker->random += 0x9e3779b97f4a7c15u;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return (uint32_t)(((z >> 32) * bound) >> 32);
}

static void let_others_run(void *arg)
{
    (void)arg;
    (void)quire_fetch_add(&waits, 1);
    sched_yield();
}

static struct quire_page *page_of(unsigned number)
{
    return quire_pfn_to_page(mem, quire_phys_to_pfn(HIGH_BYTES + number * QUIRE_PAGE_SIZE));
}

static bool start_windows(void)
{
    const struct quire_pgtable_config tables = {.mem = mem,
                                                .format = QUIRE_PT_FORMAT_I386,
                                                .flush = quire_sim_tlb_flush,
                                                .flush_arg = &sim};
    struct quire_windows_config config = {.pt = &pt,
                                          .pkmap_base = 0xff800000,
                                          .nr_pkmap = SLOTS,
                                          .fixmap_top = 0xffff0000,
                                          .nr_cpus = THREADS};
    if (quire_pgtable_init(&pt, &tables))
        return false;
    config.direct.base = 0xc0000000;
    return !quire_direct_map_init(&config.direct, &pt, 0xc0000000, MEMORY_BYTES, HIGH_BYTES,
                                  QUIRE_PTE_WRITE) &&
           !quire_windows_init(&windows, &config);
}

static bool start(void)
{
    static const struct quire_mem_ops ops = {.wait = let_others_run};
    struct quire_mem_config config = {.port = &port,
                                      .nr_cpus =
                                          THREADS < QUIRE_MAX_CPUS ? THREADS + 1 : QUIRE_MAX_CPUS,
                                      .ops = &ops};
    struct quire_mmu_registers registers = {QUIRE_CR0_PG | QUIRE_CR0_PE | QUIRE_CR0_WP, 0,
                                            QUIRE_CR4_PSE | QUIRE_CR4_PGE, 0};
    struct quire_fault fault;
    bool loaded = true;
    if (!test_environment.memory(MEMORY_BYTES, &port))
        return false;
    quire_memblock_init(&memblock, "stress", &port);
    if (quire_memblock_add(&memblock, 0, MEMORY_BYTES, 0, QUIRE_MEMBLOCK_RAM))
        return false;
    config.zone_end[QUIRE_ZONE_NORMAL] = HIGH_BYTES;
    config.zone_end[QUIRE_ZONE_HIGHMEM] = UINT64_MAX;
    sim = (struct quire_sim){
        .memory = {.base = port.base, .size = MEMORY_BYTES}, .cpu = cpus, .nr_cpus = THREADS};
    quire_sim_init(&sim);
    if (quire_mem_init(&mem, &memblock, &config) || !start_windows())
        return false;
    registers.cr3 = pt.root;
    for (unsigned cpu = 0; cpu < THREADS; cpu++) {
        quire_pgtable_cpu_enter(&pt, cpu);
        loaded &= quire_sim_set_registers(&cpus[cpu], &registers, &fault);
    }
    for (unsigned number = 0; number < PAGES; number++) {
        uint32_t pfn = page_of(number)->pfn;
        __builtin_memcpy(port.base + quire_page_to_phys(page_of(number)), &pfn, sizeof pfn);
    }
    return loaded;
}

static void check_shows(struct worker *worker, quire_linear_t virt, const struct quire_page *page)
{
    uint32_t pfn = 0;
    CHECK(quire_sim_read(&cpus[worker->number], virt, &pfn, sizeof pfn));
    CHECK_EQ(pfn, page->pfn);
}

/* One page by kmap, perhaps a second one that there happens to be room for, and one for this CPU.
 */
static void look_at_pages(struct worker *worker)
{
    struct quire_page *page = page_of(below(worker, PAGES));
    struct quire_page *second = page_of(below(worker, PAGES));
    quire_linear_t virt, other, local;
    int error = quire_kmap(&windows, page, QUIRE_GFP_KERNEL, &virt);
    CHECK_EQ(error, 0);
    if (error)
        return;
    check_shows(worker, virt, page);
    if (!quire_kmap(&windows, second, QUIRE_GFP_NOWAIT, &other)) {
        check_shows(worker, other, second);
        CHECK(quire_kmap_to_page(&windows, other) == second);
        if (!below(worker, 8))
            sched_yield();
        check_shows(worker, other, second);
        quire_kunmap(&windows, second);
    }
    error = quire_kmap_local_page(&windows, second, &local);
    CHECK_EQ(error, 0);
    if (!error) {
        check_shows(worker, local, second);
        quire_kunmap_local(&windows, local);
    }
    check_shows(worker, virt, page);
    quire_kunmap(&windows, page);
}

static void *work(void *arg)
{
    struct worker *worker = arg;
    test_environment.set_cpu(worker->number);
    for (unsigned long i = 0; i < worker->operations; i++)
        look_at_pages(worker);
    return NULL;
}

static void a_window_shows_its_page_whatever_others_map(void)
{
    static struct worker workers[THREADS];
    unsigned long operations = (unsigned long)test_environment.effort / 50 / THREADS;
    unsigned started = 0;
    if (QUIRE_MAX_CPUS <= THREADS || QUIRE_PAGE_SHIFT > 12) {
        test_skip("there are too few CPUs, or pages are too large for the layout");
        return;
    }
    REQUIRE(start());
    for (; started < THREADS; started++) {
        workers[started] =
            (struct worker){.number = started, .operations = operations, .random = test_random()};
        if (pthread_create(&workers[started].thread, NULL, work, &workers[started])) {
            test_fail(__FILE__, __LINE__, "a thread can't be started");
            break;
        }
    }
    for (unsigned i = 0; i < started; i++)
        (void)pthread_join(workers[i].thread, NULL);
    test_note("%lu flushes, %lu waits", quire_kmap_flushes(&windows), waits);
    CHECK(quire_kmap_flushes(&windows) > operations / PAGES);
    quire_windows_check(&windows);
    CHECK_EQ(quire_windows_destroy(&windows), 0);
    quire_pgtable_check(&pt);
    quire_pgtable_destroy(&pt);
    CHECK_EQ(quire_mem_destroy(mem), 0);
}

static const struct test_case cases[] = {
    TEST_CASE(a_window_shows_its_page_whatever_others_map),
    {0},
};
const struct test_suite suite_windows_stress = {"windows_stress", cases};
