/* examples/sim/main.c: a processor with a TLB, in software
 *
 * What a test of page tables or a teacher's machine needs: a CPU of ports/sim walks tables that the
 * library keeps, its faults are answered with pages, and changes of the tables reach its TLB. With
 * an installed Quire:
 *
 *     cc main.c $(pkg-config --cflags --libs quire-sim)
 */
#include <ports/sim/sim.h>
#include <quire/map.h>
#include <quire/port.h>
#include <stdio.h>

#define MEMORY_BYTES (16ul << 20)
#define PAGE_AT 0x400000u
#define USER (QUIRE_PTE_WRITE | QUIRE_PTE_USER | QUIRE_PTE_NX)

static struct quire_port_mem port;
static struct quire_memblock map;
static struct quire_mem *mem;
static struct quire_pgtable pt;
static struct quire_sim_cpu cpu;
static struct quire_sim sim = {.cpu = &cpu, .nr_cpus = 1};

/* A page for whoever touches one that isn't there; everything else is the end of the access. */
static bool fault(void *arg, struct quire_sim_cpu *by, const struct quire_fault *fault)
{
    uint64_t hole = 0;
    (void)arg;
    (void)by;
    printf("  fault %u, error code 0x%x at 0x%llx: %s\n", fault->vector, fault->error_code,
           (unsigned long long)fault->address,
           quire_fault_reason_text((enum quire_fault_reason)fault->reason));
    if (fault->vector != QUIRE_VECTOR_PF || fault->error_code & QUIRE_PF_PRESENT)
        return false;
    struct quire_page *page = quire_alloc_page(mem, QUIRE_GFP_KERNEL | QUIRE_GFP_ZERO);
    return page && !quire_cmpxchg_entry(&pt, fault->address & ~0xfffull, &hole,
                                        quire_page_to_phys(page) | QUIRE_PTE_PRESENT | USER);
}

static int start(void)
{
    if (quire_posix_mem_create(&port, MEMORY_BYTES))
        return -1;
    quire_memblock_init(&map, "firmware", &port);
    if (quire_memblock_add(&map, 0, MEMORY_BYTES, 0, QUIRE_MEMBLOCK_RAM) ||
        quire_mem_init(&mem, &map, &(struct quire_mem_config){.port = &port, .nr_cpus = 1}))
        return -1;
    const struct quire_pgtable_config config = {
        .mem = mem,
        .format = QUIRE_PT_FORMAT_X86_64,
        .flush = quire_sim_tlb_flush, /* the library's own port has no TLBs */
        .flush_arg = &sim,
    };
    return quire_pgtable_init(&pt, &config);
}

/* As a kernel enters an address space: first into the set of those who are flushed. */
static bool enter(void)
{
    struct quire_fault refused;
    const struct quire_mmu_registers registers = {
        .cr0 = QUIRE_CR0_PG | QUIRE_CR0_PE | QUIRE_CR0_WP,
        .cr3 = pt.root,
        .cr4 = QUIRE_CR4_PAE | QUIRE_CR4_PGE,
        .efer = QUIRE_EFER_LME | QUIRE_EFER_NXE,
    };
    sim.memory = (struct quire_phys_memory){.base = port.base, .size = MEMORY_BYTES};
    sim.fault = fault;
    quire_sim_init(&sim);
    quire_pgtable_cpu_enter(&pt, 0);
    if (!quire_sim_set_registers(&cpu, &registers, &refused))
        return false;
    quire_sim_set_cpl(&cpu, 3);
    return true;
}

static bool write_number(unsigned number)
{
    printf("write %u\n", number);
    return quire_sim_write(&cpu, PAGE_AT + 8, &number, sizeof number);
}

static unsigned read_number(void)
{
    unsigned number = 0;
    if (!quire_sim_read(&cpu, PAGE_AT + 8, &number, sizeof number))
        return 0;
    printf("read %u\n", number);
    return number;
}

/* What is done to the page is seen by the very next access: its translation was in the TLB. */
static bool use(void)
{
    struct quire_pt_query query;
    bool good = write_number(42) && read_number() == 42;

    puts("protect");
    good &= !quire_protect_range(&pt, PAGE_AT, QUIRE_PAGE_SIZE, 0, QUIRE_PTE_WRITE, NULL);
    good &= !write_number(43) && read_number() == 42;

    puts("unmap");
    good &= !quire_query(&pt, PAGE_AT, &query);
    good &= !quire_unmap_range(&pt, PAGE_AT, QUIRE_PAGE_SIZE, 0, NULL);
    quire_free_page(mem, quire_pfn_to_page(mem, quire_phys_to_pfn(query.phys)));
    good &= write_number(44) && read_number() == 44;
    printf("%llu walks, %llu faults, %llu flushes\n", (unsigned long long)cpu.counts.walks,
           (unsigned long long)cpu.counts.faults, (unsigned long long)cpu.counts.flushes);
    return good;
}

int main(void)
{
    struct quire_pt_query query;
    if (start() || !enter() || !use() || quire_query(&pt, PAGE_AT, &query))
        return 1;
    quire_pgtable_cpu_leave(&pt, 0);
    quire_free_page(mem, quire_pfn_to_page(mem, quire_phys_to_pfn(query.phys)));
    quire_pgtable_destroy(&pt);
    return quire_mem_destroy(mem) != 0;
}
