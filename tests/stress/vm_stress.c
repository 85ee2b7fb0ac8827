/* tests/stress/vm_stress.c: one address space on several processors, and memory far too small
 *
 * Each thread plays a simulated CPU and has a word of its own in every page of a few areas: private
 * memory, a file, shared memory. What it wrote it must find, whatever the others do meanwhile: they
 * fault on the same pages, fork, unmap and map other areas, change rights, reclaim, and move pages
 * in memory. ThreadSanitizer sees every page that is copied, written to a store or given away while
 * somebody can still write to it.
 */
#include <sched.h>

#include <quire/file.h>
#include <quire/swap.h>

#include "ports/sim/sim.h"
#include "tests/stress/stress.h"

#define PAGE ((quire_linear_t)QUIRE_PAGE_SIZE)
#define MEMORY (8u << 20) /* on two nodes */
#define WORKERS 3u
#define AREA_PAGES 480u
#define NR_AREAS 3u
#define SWAP_PAGES 2048u

static struct quire_slab *slab;
static struct quire_vm *vm;
static struct quire_sim sim;
static struct quire_sim_cpu cpus[MAX_THREADS + 1];
static struct quire_mm *mm;
static struct quire_mapping *mappings[2];
static quire_linear_t areas[NR_AREAS];
static uint64_t words[MAX_THREADS + 1][NR_AREAS][AREA_PAGES];
static char file_bytes[AREA_PAGES * QUIRE_PAGE_SIZE], swap_bytes[SWAP_PAGES * QUIRE_PAGE_SIZE];
static unsigned long ooms, segvs;

/* ---- stores -------------------------------------------------------------------------------------
 */

static int read_pages(void *store, uint64_t first, struct quire_page *const *pages, unsigned count)
{
    for (unsigned i = 0; i < count; i++)
        __builtin_memcpy(quire_page_address(stress.mem, pages[i]),
                         (char *)store + (first + i) * QUIRE_PAGE_SIZE, QUIRE_PAGE_SIZE);
    return 0;
}

static int write_pages(void *store, uint64_t first, struct quire_page *const *pages, unsigned count)
{
    for (unsigned i = 0; i < count; i++)
        __builtin_memcpy((char *)store + (first + i) * QUIRE_PAGE_SIZE,
                         quire_page_address(stress.mem, pages[i]), QUIRE_PAGE_SIZE);
    return 0;
}

static int write_page(void *store, uint64_t index, struct quire_page *page, size_t bytes)
{
    (void)bytes;
    return write_pages(store, index, &page, 1);
}

/* ---- processors ---------------------------------------------------------------------------------
 */

/* What each runs on; its own thread's. */
static struct quire_mm *loaded[MAX_THREADS + 1];
static struct quire_fault_cache caches[MAX_THREADS + 1];
static enum quire_fault_result results[MAX_THREADS + 1];

static unsigned number_of(const struct quire_sim_cpu *cpu)
{
    return (unsigned)(cpu - cpus);
}

static bool handle(void *arg, struct quire_sim_cpu *cpu, const struct quire_fault *fault)
{
    (void)arg;
    unsigned n = number_of(cpu), flags = QUIRE_FAULT_FLAG_USER;
    if (fault->vector != QUIRE_VECTOR_PF || !loaded[n])
        return false;
    flags |= fault->error_code & QUIRE_PF_WRITE ? QUIRE_FAULT_FLAG_WRITE : 0;
    results[n] = quire_handle_fault(loaded[n], fault->address, flags, &caches[n]);
    return results[n] <= QUIRE_VM_MAJOR;
}

static void load(unsigned n, struct quire_mm *to)
{
    struct quire_fault fault;
    if (loaded[n]) {
        struct quire_cpumask self = {{1u << n}};
        quire_sim_flush(&sim, self.word,
                        &(struct quire_sim_flush){.last = UINT64_MAX, .pcid = QUIRE_SIM_ALL_PCIDS});
        quire_pgtable_cpu_leave(quire_mm_pgtable(loaded[n]), n);
    }
    loaded[n] = to;
    if (!to)
        return;
    struct quire_mmu_registers registers = {
        .cr0 = QUIRE_CR0_PG | QUIRE_CR0_PE | QUIRE_CR0_WP,
        .cr4 = QUIRE_CR4_PAE,
        .efer = QUIRE_EFER_LME | QUIRE_EFER_NXE,
    };
    quire_pgtable_cpu_enter(quire_mm_pgtable(to), n);
    registers.cr3 = quire_mm_pgtable(to)->root;
    CHECK(quire_sim_set_registers(&cpus[n], &registers, &fault));
    quire_sim_set_cpl(&cpus[n], 3);
}

/* False: no memory, this time. */
static bool access_word(unsigned n, quire_linear_t at, uint64_t *value, bool write)
{
    for (unsigned tries = 0; tries < 100; tries++) {
        if (write ? quire_sim_write(&cpus[n], at, value, sizeof *value)
                  : quire_sim_read(&cpus[n], at, value, sizeof *value))
            return true;
        if (results[n] != QUIRE_VM_OOM)
            break;
        (void)quire_vm_reclaim(vm, 0, 32);
    }
    quire_fetch_add(results[n] == QUIRE_VM_OOM ? &ooms : &segvs, 1);
    return false;
}

/* ---- what threads do ----------------------------------------------------------------------------
 */

static quire_linear_t word_at(unsigned n, unsigned area, unsigned page)
{
    return areas[area] + page * PAGE + n * sizeof(uint64_t);
}

static void touch(struct worker *worker)
{
    unsigned n = worker->number, area = below(worker, NR_AREAS), page = below(worker, AREA_PAGES);
    uint64_t value = worker->random, *word = &words[n][area][page];
    if (below(worker, 2)) {
        if (access_word(n, word_at(n, area, page), &value, true))
            *word = value;
    } else if (access_word(n, word_at(n, area, page), &value, false)) {
        CHECK_EQ(value, *word);
    }
}

/* An area of the thread's own comes, is used, and goes. */
static void map_and_unmap(struct worker *worker)
{
    unsigned n = worker->number, pages = 1 + below(worker, 40);
    int64_t at = quire_mmap(mm, 0, pages * PAGE, QUIRE_PROT_READ | QUIRE_PROT_WRITE,
                            QUIRE_MAP_PRIVATE | QUIRE_MAP_ANONYMOUS, NULL, 0);
    if (at < 0)
        return;
    quire_linear_t start = (quire_linear_t)at;
    for (unsigned page = 0; page < pages; page += 1 + below(worker, 3)) {
        uint64_t value = 0;
        if (!access_word(n, start + page * PAGE, &value, false))
            continue;
        CHECK_EQ(value, 0);
        value = worker->random;
        (void)access_word(n, start + page * PAGE, &value, true);
    }
    if (below(worker, 2))
        CHECK_EQ(quire_madvise(mm, start, pages * PAGE, QUIRE_MADV_DONTNEED), 0);
    else if (below(worker, 2))
        CHECK_EQ(quire_mprotect(mm, start, (pages + 1) / 2 * PAGE, QUIRE_PROT_NONE), 0);
    CHECK_EQ(quire_munmap(mm, start, pages * PAGE), 0);
}

/* The child has what the parent had, as far as this thread knows what that was. */
static void fork_and_look(struct worker *worker)
{
    unsigned n = worker->number;
    struct quire_mm *child;
    if (quire_mm_fork(&child, mm))
        return;
    load(n, child);
    unsigned first = below(worker, AREA_PAGES);
    for (unsigned i = 0; i < 24; i++) {
        unsigned page = (first + i * 7) % AREA_PAGES;
        uint64_t value;
        if (!access_word(n, word_at(n, 0, page), &value, false))
            continue;
        CHECK_EQ(value, words[n][0][page]);
        value = 1;
        (void)access_word(n, word_at(n, 0, page), &value, true);
    }
    load(n, mm);
    quire_mm_put(child);
}

static void press(struct worker *worker)
{
    switch (below(worker, 4)) {
    case 0:
        (void)quire_compact(stress.mem, -1, -1);
        break;
    case 1:
        (void)!quire_mapping_sync(mappings[0], 0, 0);
        break;
    default:
        (void)quire_vm_reclaim(vm, 0, 1 + below(worker, 64));
    }
}

static void use_memory(struct worker *worker)
{
    quire_posix_set_cpu(worker->number);
    load(worker->number, mm);
    while (go_on(worker)) {
        unsigned what = below(worker, 400);
        if (what < 385)
            touch(worker);
        else if (what < 394)
            map_and_unmap(worker);
        else if (what < 396)
            fork_and_look(worker);
        else
            press(worker);
    }
    load(worker->number, NULL);
}

/* ---- begin and end ------------------------------------------------------------------------------
 */

static bool start(void)
{
    static const struct quire_memblock_region map[] = {
        {.size = MEMORY / 2}, {.base = MEMORY / 2, .size = MEMORY / 2, .node = 1}, {0}};
    static const struct quire_mapping_ops file_ops = {.read_pages = read_pages,
                                                      .write_page = write_page};
    static const struct quire_swap_ops swap_ops = {.read = read_pages, .write = write_pages};
    if (!stress_map(map, MEMORY) ||
        !stress_start((struct quire_mem_config){.nr_cpus = WORKERS + 1}) ||
        quire_slab_init(&slab, stress.mem, NULL))
        return false;
    sim = (struct quire_sim){
        .port = stress.port,
        .memory = {.base = stress.port.base, .size = MEMORY},
        .cpu = cpus,
        .nr_cpus = WORKERS + 1,
        .fault = handle,
    };
    quire_sim_init(&sim);
    struct quire_vm_config config = {.mem = stress.mem,
                                     .slab = slab,
                                     .format = QUIRE_PT_FORMAT_X86_64,
                                     .flush = quire_sim_tlb_flush,
                                     .flush_arg = &sim};
    struct quire_mapping_config file = {
        .ops = &file_ops, .owner = file_bytes, .size = sizeof file_bytes, .may_write = true};
    struct quire_mapping_config shared = {.size = sizeof file_bytes, .may_write = true};
    struct quire_swap_config swap = {
        .ops = &swap_ops, .store = swap_bytes, .nr_slots = SWAP_PAGES, .name = "/swap"};
    return !quire_vm_init(&vm, &config) && !quire_mapping_create(&mappings[0], vm, &file) &&
           !quire_mapping_create(&mappings[1], vm, &shared) && quire_swapon(vm, &swap) >= 0 &&
           !quire_mm_create(&mm, vm, &quire_mm_layout_x86_64);
}

static bool map_areas(void)
{
    for (unsigned i = 0; i < NR_AREAS; i++) {
        unsigned flags = i ? QUIRE_MAP_SHARED : QUIRE_MAP_PRIVATE | QUIRE_MAP_ANONYMOUS;
        int64_t at = quire_mmap(mm, 0, AREA_PAGES * PAGE, QUIRE_PROT_READ | QUIRE_PROT_WRITE, flags,
                                i ? mappings[i - 1] : NULL, 0);
        if (at < 0)
            return false;
        areas[i] = (quire_linear_t)at;
    }
    return true;
}

static void look_at_all(void)
{
    quire_posix_set_cpu(1);
    load(1, mm);
    for (unsigned n = 1; n <= WORKERS; n++)
        for (unsigned area = 0; area < NR_AREAS; area++)
            for (unsigned page = 0; page < AREA_PAGES; page++) {
                uint64_t value = 0;
                if (access_word(1, word_at(n, area, page), &value, false))
                    CHECK_EQ(value, words[n][area][page]);
            }
    load(1, NULL);
    quire_vm_check(vm);
}

static void end(void)
{
    quire_mm_put(mm);
    for (unsigned i = 0; i < 2; i++)
        quire_mapping_put(mappings[i]);
    CHECK_EQ(quire_swapoff(vm, 0), 0);
    CHECK_EQ(quire_vm_destroy(vm), 0);
    CHECK_EQ(quire_slab_destroy(slab), 0);
    stress_end();
    CHECK_EQ(segvs, 0);
    test_note("%lu accesses found no memory", ooms);
}

static void threads_find_what_they_wrote(void)
{
    __builtin_memset(words, 0, sizeof words);
    __builtin_memset(file_bytes, 0, sizeof file_bytes);
    __builtin_memset(loaded, 0, sizeof loaded);
    ooms = segvs = 0;
    REQUIRE(start());
    REQUIRE(map_areas());
    run_threads(WORKERS, use_memory, stress_effort() / 20);
    look_at_all();
    end();
}

static const struct test_case cases[] = {
    TEST_CASE(threads_find_what_they_wrote),
    {0},
};
const struct test_suite suite_vm_stress = {"vm_stress", cases};
