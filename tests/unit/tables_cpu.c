/* tests/unit/tables_cpu.c: processors in software that walk a kernel's page tables */
#include "tests/unit/tables_cpu.h"

struct quire_sim_cpu table_cpus[2];
struct quire_sim table_sim;

bool cpus_boot(void)
{
    static const struct quire_memblock_region map[] = {{.size = 16 * MIB}, {0}};
    if (!machine_map(map))
        return false;
    int error = quire_memblock_reserve(&machine.memblock, RESERVED, 16 * MIB - RESERVED);
    if (!error)
        error = machine_start((struct quire_mem_config){.nr_cpus = 1});
    CHECK_EQ(error, 0);
    if (error)
        return false;
    table_sim = (struct quire_sim){
        .memory = {.base = machine.port.base, .size = 16 * MIB}, .cpu = table_cpus, .nr_cpus = 2};
    quire_sim_init(&table_sim);
    return true;
}

quire_linear_t kernel_base(enum quire_pt_format_id format)
{
    unsigned bits = quire_pt_formats[format].virt_bits;
    return bits == 32 ? 0xc0000000 : 0 - ((quire_linear_t)1 << (bits - 1));
}

int cpu_tables_init(struct quire_pgtable *pt, enum quire_pt_format_id format,
                    struct quire_pgtable *shared)
{
    struct quire_pgtable_config config = {
        .mem = machine.mem,
        .format = format,
        .flush = quire_sim_tlb_flush,
        .flush_arg = &table_sim,
        .shared = shared,
        .shared_from = kernel_base(format),
    };
    return quire_pgtable_init(pt, &config);
}

void cpu_set_registers(unsigned cpu, enum quire_pt_format_id format, quire_phys_t root)
{
    struct quire_mmu_registers registers = {
        .cr0 = QUIRE_CR0_PG | QUIRE_CR0_PE | QUIRE_CR0_WP,
        .cr3 = root,
        .cr4 = QUIRE_CR4_PGE | QUIRE_CR4_SMEP | QUIRE_CR4_SMAP,
    };
    struct quire_fault fault;
    if (format == QUIRE_PT_FORMAT_I386)
        registers.cr4 |= QUIRE_CR4_PSE;
    if (format >= QUIRE_PT_FORMAT_PAE) {
        registers.cr4 |= QUIRE_CR4_PAE;
        registers.efer |= QUIRE_EFER_NXE;
    }
    if (format >= QUIRE_PT_FORMAT_X86_64)
        registers.efer |= QUIRE_EFER_LME;
    if (format == QUIRE_PT_FORMAT_LA57)
        registers.cr4 |= QUIRE_CR4_LA57;
    CHECK(quire_sim_set_registers(&table_cpus[cpu], &registers, &fault));
    CHECK(table_cpus[cpu].mmu.format == &quire_pt_formats[format]);
    quire_sim_set_cpl(&table_cpus[cpu], 0);
}

void cpu_load(unsigned cpu, struct quire_pgtable *pt)
{
    quire_pgtable_cpu_enter(pt, cpu);
    cpu_set_registers(cpu, (enum quire_pt_format_id)(pt->format - quire_pt_formats), pt->root);
}

void cpu_unload(unsigned cpu, struct quire_pgtable *pt)
{
    const uint32_t this_one = 1u << cpu;
    quire_sim_flush(&table_sim, &this_one,
                    &(struct quire_sim_flush){.last = UINT64_MAX, .pcid = QUIRE_SIM_ALL_PCIDS});
    quire_pgtable_cpu_leave(pt, cpu);
}

bool cpu_reads(unsigned cpu, quire_linear_t at, uint64_t *value)
{
    return quire_sim_read(&table_cpus[cpu], at, value, sizeof *value);
}

bool cpu_writes(unsigned cpu, quire_linear_t at, uint64_t value)
{
    return quire_sim_write(&table_cpus[cpu], at, &value, sizeof value);
}

bool cpu_fetches(unsigned cpu, quire_linear_t at)
{
    char code;
    return quire_sim_fetch(&table_cpus[cpu], at, &code, 1);
}

void put_phys(quire_phys_t at, uint64_t value)
{
    __builtin_memcpy(machine.port.base + at, &value, sizeof value);
}

uint64_t get_phys(quire_phys_t at)
{
    uint64_t value;
    __builtin_memcpy(&value, machine.port.base + at, sizeof value);
    return value;
}
