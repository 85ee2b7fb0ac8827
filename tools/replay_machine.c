/* tools/replay_machine.c: a program's pages on a simulated machine
 *
 * Every visit is an access of a simulated processor: its TLB and the page tables find the page, or
 * a fault does, and reclaim, with the policy asked for, finds room. So what is counted is what the
 * library does, not what a textbook says.
 *
 * The pages are one shared mapping of a file that is as large as can be, page n of which is the
 * program's page with that number, so that each has one frame, is clean until it is written, and is
 * read and written back by operations that count. As the limit of a cgroup would, the engine
 * reclaims a page before a fault when all frames are taken; what the machine needs for itself (page
 * tables, its memory of evicted pages) lies outside of the limit, in memory that is made large
 * enough. There is no read-ahead: pages come when they are referenced. An accessed bit that reclaim
 * clears is flushed from the TLB, so that it sees every use.
 *
 * Minor and major are the engines', not the machine's, which reads a page at its first reference
 * too: minor are first references.
 */
#define _POSIX_C_SOURCE 200809L
#include <stdlib.h>

#include <quire/file.h>
#include <quire/port.h>
#include <quire/swap.h>

#include "model.h"
#include "ports/sim/sim.h"

#define PAGE_SHIFT QUIRE_PAGE_SHIFT
#define SPARE_BYTES                                                                                \
    ((uint64_t)256 << 20)              /* for the machine itself: tables and shadows of some GiB */
#define FILE_PAGES ((uint64_t)1 << 31) /* page numbers have fewer bits */

struct machine {
    struct quire_port_mem port;
    uint64_t memory_bytes;
    struct quire_memblock memblock;
    struct quire_mem *mem;
    struct quire_slab *slab;
    struct quire_vm *vm;
    struct quire_mm *mm;
    struct quire_mapping *file;
    struct quire_fault_cache cache;
    struct quire_sim sim;
    struct quire_sim_cpu cpu;
    quire_linear_t at; /* of page 0 */
    uint64_t frames, reads, writes;
    uint32_t pages;
};

/* ---- the file -------------------------------------------------------------------------------- */

/* What is in the pages doesn't matter. */
static int read_pages(void *machine, uint64_t index, struct quire_page *const *pages,
                      unsigned count)
{
    (void)index;
    (void)pages;
    ((struct machine *)machine)->reads += count;
    return 0;
}

static int write_page(void *machine, uint64_t index, struct quire_page *page, size_t bytes)
{
    (void)index;
    (void)page;
    (void)bytes;
    ((struct machine *)machine)->writes++;
    return 0;
}

/* ---- faults ---------------------------------------------------------------------------------- */

static void keep_limit(struct machine *m)
{
    struct quire_mapping_info info;
    quire_mapping_info(m->file, &info);
    while (info.nr_pages >= m->frames && quire_vm_reclaim(m->vm, 0, 1))
        quire_mapping_info(m->file, &info);
}

static bool handle(void *arg, struct quire_sim_cpu *cpu, const struct quire_fault *fault)
{
    struct machine *m = arg;
    unsigned flags = QUIRE_FAULT_FLAG_USER;
    (void)cpu;
    if (fault->vector != QUIRE_VECTOR_PF)
        return false;
    if (fault->error_code & QUIRE_PF_WRITE)
        flags |= QUIRE_FAULT_FLAG_WRITE;
    if (!(fault->error_code & QUIRE_PF_PRESENT))
        keep_limit(m);
    return quire_handle_fault(m->mm, fault->address, flags, &m->cache) <= QUIRE_VM_MAJOR;
}

static bool references(void *state, const struct replay_batch *batch)
{
    struct machine *m = state;
    quire_posix_set_cpu(0);
    m->pages = batch->nr_pages;
    for (size_t i = 0; i < batch->nr_visits; i++) {
        uint32_t visit = batch->visit[i];
        quire_linear_t at = m->at + ((quire_linear_t)(visit >> 1) << PAGE_SHIFT);
        uint8_t byte = 0;
        bool done = visit & VISIT_WRITES ? quire_sim_write(&m->cpu, at, &byte, 1)
                                         : quire_sim_read(&m->cpu, at, &byte, 1);
        if (__builtin_expect(!done, 0))
            return false;
    }
    return true;
}

/* ---- begin and end
 * ------------------------------------------------------------------------------- */

static bool start_memory(struct machine *m)
{
    m->memory_bytes = SPARE_BYTES + (m->frames << PAGE_SHIFT) * 5 / 4;
    m->memory_bytes &= ~(((uint64_t)4 << 20) - 1);
    if (quire_posix_mem_create(&m->port, m->memory_bytes))
        return false;
    struct quire_mem_config config = {.port = &m->port, .nr_cpus = 1};
    quire_memblock_init(&m->memblock, "replay", &m->port);
    return !quire_memblock_add(&m->memblock, 0, m->memory_bytes, 0, QUIRE_MEMBLOCK_RAM) &&
           !quire_mem_init(&m->mem, &m->memblock, &config) &&
           !quire_slab_init(&m->slab, m->mem, NULL);
}

static bool start_processor(struct machine *m)
{
    struct quire_mmu_registers registers = {
        .cr0 = QUIRE_CR0_PG | QUIRE_CR0_PE | QUIRE_CR0_WP,
        .cr3 = quire_mm_pgtable(m->mm)->root,
        .cr4 = QUIRE_CR4_PAE,
        .efer = QUIRE_EFER_LME | QUIRE_EFER_NXE,
    };
    struct quire_fault fault;
    quire_pgtable_cpu_enter(quire_mm_pgtable(m->mm), 0);
    bool started = quire_sim_set_registers(&m->cpu, &registers, &fault);
    quire_sim_set_cpl(&m->cpu, 3);
    return started;
}

static bool start_program(struct machine *m, enum quire_reclaim_policy policy)
{
    static const struct quire_mapping_ops ops = {.read_pages = read_pages,
                                                 .write_page = write_page};
    struct quire_vm_config config = {.mem = m->mem,
                                     .slab = m->slab,
                                     .format = QUIRE_PT_FORMAT_X86_64,
                                     .flush = quire_sim_tlb_flush,
                                     .flush_arg = &m->sim,
                                     .flush_accessed = true};
    struct quire_mapping_config file = {.ops = &ops,
                                        .owner = m,
                                        .size = FILE_PAGES << PAGE_SHIFT,
                                        .name = "trace",
                                        .may_write = true,
                                        .no_readahead = true};
    m->sim = (struct quire_sim){
        .port = m->port,
        .memory = {.base = m->port.base, .size = m->memory_bytes},
        .cpu = &m->cpu,
        .nr_cpus = 1,
        .fault = handle,
        .arg = m,
    };
    quire_sim_init(&m->sim);
    if (quire_vm_init(&m->vm, &config) || quire_vm_set_policy(m->vm, policy) ||
        quire_mapping_create(&m->file, m->vm, &file) ||
        quire_mm_create(&m->mm, m->vm, &quire_mm_layout_x86_64))
        return false;
    int64_t at = quire_mmap(m->mm, 0, FILE_PAGES << PAGE_SHIFT, QUIRE_PROT_READ | QUIRE_PROT_WRITE,
                            QUIRE_MAP_SHARED, m->file, 0);
    m->at = (quire_linear_t)at;
    return at > 0 && start_processor(m);
}

static void free_machine(void *state)
{
    struct machine *m = state;
    quire_posix_set_cpu(0);
    if (m->mm) {
        quire_pgtable_cpu_leave(quire_mm_pgtable(m->mm), 0);
        quire_mm_put(m->mm);
    }
    if (m->file)
        quire_mapping_put(m->file);
    if (m->vm)
        (void)!quire_vm_destroy(m->vm);
    if (m->slab)
        quire_slab_destroy(m->slab);
    if (m->mem)
        quire_mem_destroy(m->mem);
    if (m->port.base)
        quire_posix_mem_destroy(&m->port, m->memory_bytes);
    free(m);
}

static void *begin(const uint64_t *frames, unsigned page_shift, enum quire_reclaim_policy policy)
{
    struct machine *m = NULL;
    quire_posix_set_cpu(0);
    if (page_shift != PAGE_SHIFT ||
        posix_memalign((void **)&m, _Alignof(struct machine), sizeof *m))
        return NULL;
    *m = (struct machine){.frames = *frames};
    if (start_memory(m) && start_program(m, policy))
        return m;
    free_machine(m);
    return NULL;
}

static bool is_valid(const void *state)
{
    quire_vm_check(((const struct machine *)state)->vm);
    return true;
}

static bool end(void *state, struct replay_counts *counts)
{
    const struct machine *m = state;
    struct quire_mapping_info info;
    quire_mapping_info(m->file, &info);
    *counts = (struct replay_counts){
        .minor = m->pages,
        .major = m->reads - m->pages,
        .evictions = m->reads - info.nr_pages,
        .write_backs = m->writes,
    };
    return true;
}

#define MACHINE(name, policy)                                                                      \
    static void *begin_##name(const uint64_t *frames, unsigned nr_sizes, unsigned page_shift)      \
    {                                                                                              \
        (void)nr_sizes;                                                                            \
        return begin(frames, page_shift, policy);                                                  \
    }                                                                                              \
    static const struct replay_engine machine_##name = {                                           \
        .sizes = 1,                                                                                \
        .begin = begin_##name,                                                                     \
        .references = references,                                                                  \
        .is_valid = is_valid,                                                                      \
        .end = end,                                                                                \
        .free = free_machine,                                                                      \
    }
MACHINE(lru, QUIRE_RECLAIM_LRU);
MACHINE(clock, QUIRE_RECLAIM_CLOCK);
MACHINE(fifo, QUIRE_RECLAIM_FIFO);
MACHINE(mglru, QUIRE_RECLAIM_MGLRU);

/* Nobody can know the future but who has read the trace: OPT is the exact model's here too. */
const struct replay_engine *replay_machine(enum replay_policy policy)
{
    static const struct replay_engine *const machines[REPLAY_NR_POLICIES] = {
        [REPLAY_LRU] = &machine_lru,   [REPLAY_CLOCK] = &machine_clock,
        [REPLAY_FIFO] = &machine_fifo, [REPLAY_MGLRU] = &machine_mglru,
        [REPLAY_OPT] = &model_opt,
    };
    return machines[policy];
}
