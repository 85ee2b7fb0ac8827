#include "tests/stress/vm_processors.h"

#include "ports/sim/sim.h"

struct quire_vm *stress_vm;
unsigned long ooms, refusals;

static struct quire_slab *slab;
static struct quire_sim sim;
static struct quire_sim_cpu cpus[MAX_THREADS + 1];
static int swap_area;

/* ---- stores ---------------------------------------------------------------------------------- */

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

struct quire_mapping *mapping_of_bytes(char *bytes, size_t size)
{
    static const struct quire_mapping_ops ops = {.read_pages = read_pages,
                                                 .write_page = write_page};
    struct quire_mapping *mapping = NULL;
    struct quire_mapping_config config = {
        .ops = bytes ? &ops : NULL, .owner = bytes, .size = size, .may_write = true};
    CHECK_EQ(quire_mapping_create(&mapping, stress_vm, &config), 0);
    return mapping;
}

/* ---- processors ------------------------------------------------------------------------------ */

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

void load(unsigned n, struct quire_mm *to)
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

bool try_word(unsigned n, quire_linear_t at, uint64_t *value, bool write,
              enum quire_fault_result *result)
{
    for (unsigned tries = 0; tries < 100; tries++) {
        if (write ? quire_sim_write(&cpus[n], at, value, sizeof *value)
                  : quire_sim_read(&cpus[n], at, value, sizeof *value))
            return true;
        if (results[n] != QUIRE_VM_OOM)
            break;
        (void)quire_vm_reclaim(stress_vm, 0, 32);
    }
    *result = results[n];
    return false;
}

bool access_word(unsigned n, quire_linear_t at, uint64_t *value, bool write)
{
    enum quire_fault_result result;
    if (try_word(n, at, value, write, &result))
        return true;
    quire_fetch_add(result == QUIRE_VM_OOM ? &ooms : &refusals, 1);
    return false;
}

quire_linear_t map_area(struct quire_mm *mm, struct quire_mapping *mapping, uint64_t size)
{
    unsigned flags = mapping ? QUIRE_MAP_SHARED : QUIRE_MAP_PRIVATE | QUIRE_MAP_ANONYMOUS;
    int64_t at = quire_mmap(mm, 0, size, QUIRE_PROT_READ | QUIRE_PROT_WRITE, flags, mapping, 0);
    CHECK(at > 0);
    return at > 0 ? (quire_linear_t)at : 0;
}

/* ---- begin and end --------------------------------------------------------------------------- */

bool processors_start(quire_phys_t memory, unsigned workers, char *swap, size_t swap_bytes)
{
    static const struct quire_swap_ops swap_ops = {.read = read_pages, .write = write_pages};
    const struct quire_memblock_region map[] = {
        {.size = memory / 2}, {.base = memory / 2, .size = memory / 2, .node = 1}, {0}};
    __builtin_memset(loaded, 0, sizeof loaded);
    ooms = refusals = 0;
    if (!stress_map(map, memory) ||
        !stress_start((struct quire_mem_config){.nr_cpus = workers + 1}) ||
        quire_slab_init(&slab, stress.mem, NULL))
        return false;
    sim = (struct quire_sim){
        .port = stress.port,
        .memory = {.base = stress.port.base, .size = memory},
        .cpu = cpus,
        .nr_cpus = workers + 1,
        .fault = handle,
    };
    quire_sim_init(&sim);
    struct quire_vm_config config = {.mem = stress.mem,
                                     .slab = slab,
                                     .format = QUIRE_PT_FORMAT_X86_64,
                                     .flush = quire_sim_tlb_flush,
                                     .flush_arg = &sim};
    struct quire_swap_config swap_config = {
        .ops = &swap_ops, .store = swap, .nr_slots = swap_bytes / QUIRE_PAGE_SIZE, .name = "/swap"};
    if (quire_vm_init(&stress_vm, &config))
        return false;
    swap_area = quire_swapon(stress_vm, &swap_config);
    return swap_area >= 0;
}

void processors_end(void)
{
    CHECK_EQ(quire_swapoff(stress_vm, swap_area), 0);
    CHECK_EQ(quire_vm_destroy(stress_vm), 0);
    CHECK_EQ(quire_slab_destroy(slab), 0);
    stress_end();
    test_note("%lu accesses found no memory", ooms);
}
