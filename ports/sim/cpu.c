/* ports/sim/cpu.c: simulated CPUs and their registers */
#include "base/compiler.h"
#include "ports/sim/tlb.h"

static const struct quire_sim_flush everything = {0, (quire_linear_t)-1, QUIRE_SIM_ALL_PCIDS,
                                                  false};

void quire_sim_init(struct quire_sim *sim)
{
    QUIRE_BUG_ON((uintptr_t)sim->memory.base & 0xfff); /* the TLB keeps rights in these bits */
    for (unsigned i = 0; i < sim->nr_cpus; i++) {
        struct quire_sim_cpu *cpu = &sim->cpu[i];
        __builtin_memset(cpu, 0, sizeof *cpu);
        cpu->sim = sim;
        cpu->mmu.features = sim->features;
        cpu->large_first = (quire_linear_t)-1;
        sim_refresh(cpu);
    }
}

bool quire_sim_set_registers(struct quire_sim_cpu *cpu, const struct quire_mmu_registers *registers,
                             struct quire_fault *fault)
{
    if (!quire_mmu_load(&cpu->mmu, registers, &cpu->sim->memory, fault))
        return false;
    sim_flush_now(cpu, &everything);
    sim_refresh(cpu);
    return true;
}

bool quire_sim_set_cr3(struct quire_sim_cpu *cpu, uint64_t cr3, struct quire_fault *fault)
{
    struct quire_mmu_registers registers = cpu->mmu.registers;
    bool pcide = registers.cr4 & QUIRE_CR4_PCIDE, no_flush = pcide && cr3 & QUIRE_SIM_CR3_NO_FLUSH;
    registers.cr3 = pcide ? cr3 & ~QUIRE_SIM_CR3_NO_FLUSH : cr3;
    if (!quire_mmu_load(&cpu->mmu, &registers, &cpu->sim->memory, fault))
        return false;
    sim_refresh(cpu);
    if (!no_flush)
        sim_flush_now(cpu, &(struct quire_sim_flush){0, (quire_linear_t)-1,
                                                     (uint16_t)(cpu->key & QUIRE_CR3_PCID), true});
    return true;
}

void quire_sim_set_cpl(struct quire_sim_cpu *cpu, unsigned cpl)
{
    cpu->mmu.cpl = (uint8_t)cpl;
    sim_refresh(cpu);
}

void quire_sim_set_ac(struct quire_sim_cpu *cpu, bool ac)
{
    cpu->mmu.eflags = ac ? cpu->mmu.eflags | QUIRE_EFLAGS_AC : cpu->mmu.eflags & ~QUIRE_EFLAGS_AC;
    sim_refresh(cpu);
}
