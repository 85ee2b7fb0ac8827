/* tests/stress/tables_stress.c: threads at one tree of tables
 *
 * Threads own ranges of a few pages that alternate, so that each table is shared by all of them,
 * and map, change, fault and unmap there while tables come into being; others read everything and
 * harvest. ThreadSanitizer sees every entry that isn't accessed in one piece. A page that is mapped
 * holds its own frame number, so that a translation is checked by looking at what it leads to. And
 * processes come and go, sharing the kernel's part, while it changes.
 */
#include <pthread.h>

#include <quire/map.h>
#include <quire/port.h>

#include "base/atomic.h"
#include "tests/harness/harness.h"

#define MEMORY_BYTES (64ul << 20)
#define THREADS 4u
#define RUN_PAGES 8u /* that a thread owns at a stretch */
#define STRETCHES 512u
#define RW (QUIRE_PTE_WRITE | QUIRE_PTE_USER)

static struct quire_port_mem port;
static struct quire_memblock memblock;
static struct quire_mem *mem;
static struct quire_pgtable pt;
static unsigned long flushes;

struct worker {
    pthread_t thread;
    unsigned number;
    unsigned long operations;
    uint64_t random;
    bool mapped[STRETCHES];
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

static bool start(enum quire_pt_format_id format)
{
    struct quire_mem_config config = {.port = &port, .nr_cpus = THREADS + 1};
    if (!test_environment.memory(MEMORY_BYTES, &port))
        return false;
    quire_memblock_init(&memblock, "stress", &port);
    if (quire_memblock_add(&memblock, 0, MEMORY_BYTES, 0, QUIRE_MEMBLOCK_RAM) ||
        quire_mem_init(&mem, &memblock, &config))
        return false;
    struct quire_pgtable_config tables = {.mem = mem, .format = format, .flush = count_flush};
    flushes = 0;
    if (quire_pgtable_init(&pt, &tables))
        return false;
    quire_pgtable_cpu_enter(&pt, 0);
    return true;
}

/* Stretches of all threads take turns, so that no table is one thread's. */
static quire_linear_t stretch(const struct worker *worker, unsigned number)
{
    return 0x3ff00000 + ((uint64_t)number * THREADS + worker->number) * RUN_PAGES * 4096;
}

/* What a stretch is mapped to says whose it is. */
static quire_phys_t frame_of(const struct worker *worker, unsigned number)
{
    return ((quire_phys_t)number * THREADS + worker->number) * RUN_PAGES * 4096;
}

static void check_stretch(const struct worker *worker, unsigned number)
{
    struct quire_pt_query query;
    unsigned page = number % RUN_PAGES;
    int error = quire_query(&pt, stretch(worker, number) + page * 4096 + 5, &query);
    CHECK_EQ(error, worker->mapped[number] ? 0 : -QUIRE_ENOENT);
    if (!error)
        CHECK_EQ(query.phys, frame_of(worker, number) + page * 4096 + 5);
}

/* A page goes out to swap and comes back. */
static void swap_page(const struct worker *worker, unsigned number)
{
    quire_linear_t virt = stretch(worker, number) + 3 * 4096;
    uint64_t present = frame_of(worker, number) + 3 * 4096 + (QUIRE_PTE_PRESENT | RW);
    uint64_t expected = present, swapped = 0x1000 | worker->number << 1;
    int error = quire_update_entry(&pt, virt, &expected, swapped, NULL);
    if (error == -QUIRE_EAGAIN) { /* it is read-only now */
        swapped = expected;
        CHECK_EQ(quire_update_entry(&pt, virt, &swapped, present, NULL), 0);
        return;
    }
    CHECK_EQ(error, 0);
    expected = swapped;
    CHECK_EQ(quire_cmpxchg_entry(&pt, virt, &expected, present), 0);
}

static void change_stretch(struct worker *worker, unsigned number)
{
    quire_linear_t virt = stretch(worker, number);
    uint64_t size = RUN_PAGES * 4096;
    if (!worker->mapped[number]) {
        CHECK_EQ(quire_map_range(&pt, virt, frame_of(worker, number), size, RW, 0), 0);
        worker->mapped[number] = true;
    } else if (!below(worker, 2)) {
        CHECK_EQ(quire_unmap_range(&pt, virt, size, QUIRE_UNMAP_KEEP_TABLES, NULL), 0);
        worker->mapped[number] = false;
    } else if (below(worker, 2))
        CHECK_EQ(quire_protect_range(&pt, virt, size, QUIRE_PTE_DIRTY, QUIRE_PTE_WRITE, NULL), 0);
    else
        swap_page(worker, number);
}

static int count_pages(void *arg, const struct quire_pt_run *run)
{
    *(uint64_t *)arg += run->count ? run->size >> 12 : 0;
    return 0;
}

static void look_around(struct worker *worker)
{
    uint64_t pages = 0, harvested = 0, size = (uint64_t)THREADS * STRETCHES * RUN_PAGES * 4096;
    if (below(worker, 2))
        CHECK_EQ(quire_visit_range(&pt, 0x3ff00000, size, 0, count_pages, &pages), 0);
    else
        CHECK_EQ(
            quire_harvest_range(&pt, 0x3ff00000, size, QUIRE_PTE_ACCESSED, NULL, &harvested, NULL),
            0);
    CHECK(pages <= size >> 12 && !harvested);
}

static void *work(void *arg)
{
    struct worker *worker = arg;
    for (unsigned long i = 0; i < worker->operations; i++) {
        unsigned number = below(worker, STRETCHES);
        check_stretch(worker, number);
        change_stretch(worker, number);
        if (!below(worker, 500))
            look_around(worker);
    }
    return NULL;
}

static void owners_of_neighbouring_ranges_do_not_disturb_each_other(void)
{
    static struct worker workers[THREADS];
    for (unsigned id = 0; id < QUIRE_NR_PT_FORMATS; id++) {
        unsigned long left = 0;
        REQUIRE(start((enum quire_pt_format_id)id));
        for (unsigned i = 0; i < THREADS; i++) {
            workers[i] = (struct worker){.number = i,
                                         .random = test_random(),
                                         .operations = (unsigned long)test_environment.effort /
                                                       QUIRE_NR_PT_FORMATS / 10};
            CHECK(!pthread_create(&workers[i].thread, NULL, work, &workers[i]));
        }
        for (unsigned i = 0; i < THREADS; i++)
            CHECK(!pthread_join(workers[i].thread, NULL));
        for (unsigned i = 0; i < THREADS; i++)
            for (unsigned number = 0; number < STRETCHES; number++) {
                check_stretch(&workers[i], number);
                left += workers[i].mapped[number];
            }
        uint64_t pages = 0;
        CHECK_EQ(quire_visit_range(&pt, 0, 0x80000000, 0, count_pages, &pages), 0);
        CHECK_EQ(pages, left * RUN_PAGES);
        CHECK(flushes > 0);
        quire_pgtable_check(&pt);
        CHECK_EQ(quire_unmap_range(&pt, 0, 0x80000000, 0, NULL), 0);
        CHECK_EQ(quire_pgtable_nr_tables(&pt), id == QUIRE_PT_FORMAT_PAE ? 5 : 1);
        quire_pgtable_destroy(&pt);
        CHECK_EQ(quire_nr_free_pages(mem), quire_nr_managed_pages(mem));
        CHECK_EQ(quire_mem_destroy(mem), 0);
    }
}

/* ---- one huge page, several owners ----------------------------------------------------------- */

static void *cut(void *arg)
{
    struct worker *worker = arg;
    quire_linear_t virt = 0x40000000 + (quire_linear_t)worker->number * 37 * 4096;
    CHECK_EQ(quire_protect_range(&pt, virt, 5 * 4096, 0, QUIRE_PTE_WRITE, NULL), 0);
    return NULL;
}

static void a_huge_page_is_split_once_by_whoever_cuts_it_first(void)
{
    static struct worker workers[THREADS];
    unsigned long rounds = (unsigned long)test_environment.effort / 2000;
    REQUIRE(start(QUIRE_PT_FORMAT_X86_64));
    for (unsigned long round = 0; round < rounds; round++) {
        CHECK_EQ(quire_map_range(&pt, 0x40000000, 0x40000000, 0x40000000, RW, 0), 0);
        for (unsigned i = 0; i < THREADS; i++) {
            workers[i].number = i;
            CHECK(!pthread_create(&workers[i].thread, NULL, cut, &workers[i]));
        }
        for (unsigned i = 0; i < THREADS; i++)
            CHECK(!pthread_join(workers[i].thread, NULL));
        CHECK_EQ(quire_pgtable_nr_tables(&pt), 4);
        quire_pgtable_check(&pt);
        CHECK_EQ(quire_unmap_range(&pt, 0x40000000, 0x40000000, 0, NULL), 0);
    }
    quire_pgtable_destroy(&pt);
    CHECK_EQ(quire_mem_destroy(mem), 0);
}

/* ---- a copy, and an owner beside it ---------------------------------------------------------- */

#define HUGE 0x40000000u
#define CUT (HUGE + 0x100000u) /* what is copied begins in the middle of the huge page */
#define COPIED_END (HUGE + 200 * 0x200000u)

static uint32_t round_started, round_ended;

/* Cuts the huge page below what is copied, some time into each copy. */
static void *cut_beside(void *arg)
{
    struct worker *worker = arg;
    for (uint32_t round = 1; round <= worker->operations; round++) {
        while (quire_load_acquire(&round_started) != round)
            quire_port_relax();
        for (uint32_t turns = below(worker, 2000); turns--;)
            __asm__ volatile("");
        CHECK_EQ(quire_protect_range(&pt, HUGE, 4096, 0, QUIRE_PTE_WRITE, NULL), 0);
        quire_store_release(&round_ended, round);
    }
    return NULL;
}

static void a_copy_that_is_cut_from_outside_has_the_tables_that_it_needs(void)
{
    static struct worker other;
    static struct quire_pgtable child;
    const struct quire_pt_copy how = {.clear_both = 0};
    REQUIRE(start(QUIRE_PT_FORMAT_X86_64));
    struct quire_pgtable_config tables = {.mem = mem, .format = QUIRE_PT_FORMAT_X86_64};
    REQUIRE(!quire_pgtable_init(&child, &tables));
    for (quire_linear_t virt = HUGE + 0x200000; virt < COPIED_END; virt += 0x200000)
        CHECK_EQ(quire_map_range(&pt, virt, 0, 4096, RW, 0), 0);
    other = (struct worker){.random = test_random(),
                            .operations = (unsigned long)test_environment.effort / 1000};
    round_started = round_ended = 0;
    CHECK(!pthread_create(&other.thread, NULL, cut_beside, &other));
    for (uint32_t round = 1; round <= other.operations; round++) {
        CHECK_EQ(quire_map_range(&pt, HUGE, HUGE, 0x200000, RW, 0), 0);
        quire_store_release(&round_started, round);
        CHECK_EQ(quire_copy_range(&child, &pt, CUT, COPIED_END - CUT, &how, NULL), 0);
        while (quire_load_acquire(&round_ended) != round)
            quire_port_relax();
        quire_pgtable_check(&child);
        CHECK_EQ(quire_unmap_range(&child, HUGE, 0x40000000, 0, NULL), 0);
        CHECK_EQ(quire_unmap_range(&pt, HUGE, 0x200000, 0, NULL), 0);
    }
    CHECK(!pthread_join(other.thread, NULL));
    quire_pgtable_destroy(&child);
    quire_pgtable_destroy(&pt);
    CHECK_EQ(quire_nr_free_pages(mem), quire_nr_managed_pages(mem));
    CHECK_EQ(quire_mem_destroy(mem), 0);
}

/* ---- processes come and go while the kernel's part changes ----------------------------------- */

#define KERNEL_PAGES 2048u /* each mapped to its own number's frame, or not at all */

static struct quire_pgtable_config process_config;

static quire_linear_t kernel_page(uint32_t page)
{
    return process_config.shared_from + (quire_linear_t)page * 4096;
}

static void *be_processes(void *arg)
{
    struct worker *worker = arg;
    for (unsigned long i = 0; i < worker->operations; i++) {
        struct quire_pgtable process;
        struct quire_pt_query query;
        uint64_t pages = 0;
        CHECK_EQ(quire_pgtable_init(&process, &process_config), 0);
        quire_pgtable_cpu_enter(&process, worker->number + 1);
        CHECK_EQ(quire_map_range(&process, 0x1000, 0x5000, 8192, RW, 0), 0);
        for (unsigned look = 0; look < 16; look++) {
            uint32_t page = below(worker, KERNEL_PAGES);
            if (!quire_query(&process, kernel_page(page), &query))
                CHECK_EQ(query.phys, (quire_phys_t)page * 4096);
        }
        CHECK_EQ(quire_visit_range(&process, kernel_page(0), KERNEL_PAGES * 4096ul, 0, count_pages,
                                   &pages),
                 0);
        CHECK(pages <= KERNEL_PAGES);
        quire_pgtable_cpu_leave(&process, worker->number + 1);
        quire_pgtable_destroy(&process);
    }
    (void)quire_fetch_add(&round_ended, 1);
    return NULL;
}

/* Tables below the kept ones stay too: processes look there at any time, as processors do. */
static void change_kernel_part(struct worker *worker)
{
    while (quire_load_acquire(&round_ended) < THREADS - 1) {
        uint32_t page = below(worker, KERNEL_PAGES), most = KERNEL_PAGES - page;
        uint64_t size = (1 + below(worker, most < 300 ? most : 300)) * 4096ul;
        CHECK_EQ(quire_unmap_range(&pt, kernel_page(page), size, QUIRE_UNMAP_KEEP_TABLES, NULL), 0);
        CHECK_EQ(quire_map_range(&pt, kernel_page(page), (quire_phys_t)page * 4096, size,
                                 QUIRE_PTE_WRITE, QUIRE_MAP_NO_HUGE),
                 0);
        CHECK_EQ(quire_unmap_range(&pt, kernel_page(page), 4096, QUIRE_UNMAP_KEEP_TABLES, NULL), 0);
    }
}

static void processes_come_and_go_while_the_kernels_part_changes(void)
{
    static struct worker workers[THREADS];
    for (unsigned id = 0; id < QUIRE_NR_PT_FORMATS; id++) {
        REQUIRE(start((enum quire_pt_format_id)id));
        process_config = (struct quire_pgtable_config){
            .mem = mem, .format = (enum quire_pt_format_id)id, .flush = count_flush, .shared = &pt};
        process_config.shared_from =
            pt.format->virt_bits > 32 ? 0 - ((uint64_t)pt.address_last + 1) / 2 : 0xc0000000;
        CHECK_EQ(quire_pgtable_keep(&pt, kernel_page(0), KERNEL_PAGES * 4096ul), 0);
        round_ended = 0;
        for (unsigned i = 0; i < THREADS; i++)
            workers[i] = (struct worker){.number = i,
                                         .random = test_random(),
                                         .operations = (unsigned long)test_environment.effort /
                                                       QUIRE_NR_PT_FORMATS / 200};
        for (unsigned i = 1; i < THREADS; i++)
            CHECK(!pthread_create(&workers[i].thread, NULL, be_processes, &workers[i]));
        change_kernel_part(&workers[0]);
        for (unsigned i = 1; i < THREADS; i++)
            CHECK(!pthread_join(workers[i].thread, NULL));
        CHECK_EQ(pt.nr_sharers, 0);
        CHECK_EQ(pt.cpus.word[0], 0x1d); /* those of processes that are gone stay */
        quire_pgtable_check(&pt);
        quire_pgtable_destroy(&pt);
        CHECK_EQ(quire_nr_free_pages(mem), quire_nr_managed_pages(mem));
        CHECK_EQ(quire_mem_destroy(mem), 0);
    }
}

static const struct test_case cases[] = {
    TEST_CASE(processes_come_and_go_while_the_kernels_part_changes),
    TEST_CASE(a_copy_that_is_cut_from_outside_has_the_tables_that_it_needs),
    TEST_CASE(owners_of_neighbouring_ranges_do_not_disturb_each_other),
    TEST_CASE(a_huge_page_is_split_once_by_whoever_cuts_it_first),
    {0},
};
const struct test_suite suite_tables_stress = {"tables_stress", cases};
