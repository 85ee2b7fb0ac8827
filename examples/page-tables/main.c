/* examples/page-tables/main.c: the address spaces of a kernel and of its programs, from nothing
 *
 * What the author of an x86-64 kernel writes: tables of the kernel's own with a direct map of all
 * memory and a range for vmalloc, which programs share whatever comes there later; a page of a
 * program that its first access asks for, and the program's fork. Here the machine's
 * memory is a range of the process, and quire_mmu_walk plays the processor; in a kernel `root` goes
 * to CR3, and linear addresses are pointers.
 */
#include <quire/map.h>
#include <quire/port.h>
#include <stdio.h>

#define MEMORY_BYTES (64ul << 20)
#define DIRECT_MAP 0xffff888000000000u
#define VMALLOC_START 0xffffc90000000000u
#define VMALLOC_END 0xffffc90040000000u
#define KERNEL_START 0xffff800000000000u
#define PROGRAM_PAGE 0x400000u
#define KERNEL (QUIRE_PTE_WRITE | QUIRE_PTE_GLOBAL | QUIRE_PTE_NX)
#define USER (QUIRE_PTE_WRITE | QUIRE_PTE_USER | QUIRE_PTE_NX)

struct machine {
    struct quire_port_mem port;
    struct quire_memblock map;
    struct quire_mem *mem;
    struct quire_slab *slab;
};

static int start(struct machine *m)
{
    const struct quire_mem_config config = {.port = &m->port, .nr_cpus = 1};
    if (quire_posix_mem_create(&m->port, MEMORY_BYTES))
        return -1;
    quire_memblock_init(&m->map, "firmware", &m->port);
    if (quire_memblock_add(&m->map, 0, MEMORY_BYTES, 0, QUIRE_MEMBLOCK_RAM) ||
        quire_mem_init(&m->mem, &m->map, &config))
        return -1;
    return quire_slab_init(&m->slab, m->mem, NULL);
}

/* What the processor does with an address: where it goes, or why it faults. */
static bool processor(const struct machine *m, const struct quire_pgtable *pt, unsigned cpl,
                      quire_linear_t at, unsigned access, struct quire_walk *walk)
{
    const struct quire_phys_memory memory = {.base = m->port.base, .size = MEMORY_BYTES};
    const struct quire_mmu_registers registers = {
        .cr0 = QUIRE_CR0_PG | QUIRE_CR0_PE | QUIRE_CR0_WP,
        .cr3 = pt->root,
        .cr4 = QUIRE_CR4_PAE | QUIRE_CR4_PGE,
        .efer = QUIRE_EFER_LME | QUIRE_EFER_NXE,
    };
    struct quire_mmu mmu = {.cpl = (uint8_t)cpl};
    return quire_mmu_load(&mmu, &registers, &memory, &walk->fault) &&
           quire_mmu_walk(&mmu, &memory, at, access, walk, NULL);
}

static void show(const struct machine *m, const struct quire_pgtable *pt, const char *what,
                 unsigned cpl, quire_linear_t at, unsigned access)
{
    struct quire_walk walk;
    printf("%-28s 0x%016llx: ", what, (unsigned long long)at);
    if (processor(m, pt, cpl, at, access, &walk))
        printf("0x%llx, a page of %lu KiB\n", (unsigned long long)walk.phys,
               1ul << walk.shift >> 10);
    else
        printf("fault %u, error code 0x%x: %s\n", walk.fault.vector, walk.fault.error_code,
               quire_fault_reason_text((enum quire_fault_reason)walk.fault.reason));
}

/* A page fault where nothing is yet: whoever comes second finds the first one's page. */
static int give_page(const struct machine *m, struct quire_pgtable *pt, quire_linear_t at)
{
    uint64_t hole = 0;
    struct quire_page *page = quire_alloc_page(m->mem, QUIRE_GFP_KERNEL | QUIRE_GFP_ZERO);
    if (!page)
        return -QUIRE_ENOMEM;
    int error =
        quire_cmpxchg_entry(pt, at, &hole, quire_page_to_phys(page) | QUIRE_PTE_PRESENT | USER);
    if (error)
        quire_free_page(m->mem, page);
    return error == -QUIRE_EAGAIN ? 0 : error;
}

/* The child has each page too: called before its entries are written. */
static int share(void *arg, const struct quire_pt_run *run)
{
    const struct machine *m = arg;
    for (unsigned i = 0; i < run->count; i++) {
        quire_phys_t phys = quire_pt_leaf_phys(&quire_pt_formats[QUIRE_PT_FORMAT_X86_64],
                                               run->level, run->entry[i]);
        quire_get_page(quire_pfn_to_page(m->mem, quire_phys_to_pfn(phys)));
    }
    return 0;
}

/* Pages go when the last reference does, after the flush. */
static void drop(void *arg, const struct quire_pt_run *run)
{
    struct quire_tlb_batch *batch = arg;
    for (unsigned i = 0; i < run->count; i++) {
        quire_phys_t phys = quire_pt_leaf_phys(batch->pt->format, run->level, run->entry[i]);
        quire_tlb_remove_page(batch, quire_pfn_to_page(batch->pt->mem, quire_phys_to_pfn(phys)));
    }
}

static int exit_program(struct quire_pgtable *pt)
{
    struct quire_tlb_batch batch;
    quire_tlb_batch_init(&batch, pt);
    int error = quire_zap_range(pt, PROGRAM_PAGE, QUIRE_PAGE_SIZE, 0, drop, &batch, &batch);
    quire_tlb_flush(&batch);
    return error;
}

/* The walk in software remembers nothing. A kernel leaves this away, and its port flushes. */
static void flush_nothing(void *arg, const struct quire_tlb_flush *flush)
{
    (void)arg;
    (void)flush;
}

/* The kernel's part is the kernel's tables, now and whatever they map later. */
static int start_program(const struct machine *m, struct quire_pgtable *program,
                         struct quire_pgtable *kernel)
{
    const struct quire_pgtable_config config = {
        .mem = m->mem,
        .format = QUIRE_PT_FORMAT_X86_64,
        .flush = flush_nothing,
        .shared = kernel,
        .shared_from = KERNEL_START,
    };
    return quire_pgtable_init(program, &config);
}

static int fork_program(struct machine *m, struct quire_pgtable *parent)
{
    struct quire_pgtable child;
    const struct quire_pt_copy how = {.clear_both = QUIRE_PTE_WRITE, .copied = share, .arg = m};
    if (start_program(m, &child, parent->shared))
        return -1;
    int error = quire_copy_range(&child, parent, PROGRAM_PAGE, QUIRE_PAGE_SIZE, &how, NULL);
    show(m, &child, "the child reads", 3, PROGRAM_PAGE, QUIRE_READ);
    show(m, &child, "the child writes", 3, PROGRAM_PAGE, QUIRE_WRITE);
    if (!error)
        error = exit_program(&child);
    quire_pgtable_destroy(&child);
    return error;
}

/* While a program's tables are loaded. */
static int use_vmalloc(struct machine *m, struct quire_pgtable *kernel,
                       const struct quire_pgtable *program)
{
    struct quire_vmalloc *vm;
    const struct quire_vmalloc_config config = {
        .mem = m->mem, .slab = m->slab, .pt = kernel, .start = VMALLOC_START, .end = VMALLOC_END};
    if (quire_vmalloc_init(&vm, &config))
        return -1;
    quire_linear_t buffer = quire_vzalloc(vm, 100000, QUIRE_GFP_KERNEL);
    show(m, program, "the last page of vmalloc", 0, buffer + 99999, QUIRE_WRITE);
    show(m, program, "its guard page", 0, buffer + 25 * QUIRE_PAGE_SIZE, QUIRE_WRITE);
    quire_vfree(vm, buffer);
    return quire_vmalloc_destroy(vm) != 0;
}

/* The kernel's own tables: all that programs are to see of them is kept before there is one. */
static int start_kernel(const struct machine *m, struct quire_pgtable *kernel)
{
    struct quire_direct_map direct;
    const struct quire_pgtable_config config = {
        .mem = m->mem, .format = QUIRE_PT_FORMAT_X86_64, .flush = flush_nothing};
    if (quire_pgtable_init(kernel, &config) ||
        quire_direct_map_init(&direct, kernel, DIRECT_MAP, MEMORY_BYTES, 0, KERNEL) ||
        quire_pgtable_keep(kernel, DIRECT_MAP, MEMORY_BYTES))
        return -1;
    return quire_pgtable_keep(kernel, VMALLOC_START, VMALLOC_END - VMALLOC_START);
}

int main(void)
{
    static struct machine m;
    static struct quire_pgtable kernel, program;
    if (start(&m) || start_kernel(&m, &kernel) || start_program(&m, &program, &kernel))
        return 1;
    quire_pgtable_cpu_enter(&program, 0); /* and load CR3 */

    show(&m, &program, "the direct map's 5 MiB", 0, DIRECT_MAP + (5 << 20), QUIRE_WRITE);
    show(&m, &program, "the same from a program", 3, DIRECT_MAP + (5 << 20), QUIRE_READ);
    int failed = use_vmalloc(&m, &kernel, &program);
    show(&m, &program, "a program's first access", 3, PROGRAM_PAGE, QUIRE_WRITE);
    failed |= give_page(&m, &program, PROGRAM_PAGE);
    show(&m, &program, "tried again", 3, PROGRAM_PAGE, QUIRE_WRITE);
    failed |= fork_program(&m, &program);
    failed |= exit_program(&program);

    quire_pgtable_cpu_leave(&program, 0);
    quire_pgtable_destroy(&program);
    quire_pgtable_destroy(&kernel);
    failed |= quire_slab_destroy(m.slab) != 0;
    return failed || quire_mem_destroy(m.mem) != 0;
}
