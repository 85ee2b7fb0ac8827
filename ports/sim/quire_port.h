/* ports/sim/quire_port.h: the port for a machine whose processors are simulated
 *
 * Level 1 is the posix port's: a thread is a CPU, physical memory is a range of the process. Level
 * 2 acts on the TLBs of a struct quire_sim (ports/sim/sim.h), which holds the struct quire_port_mem
 * that the machine's configuration names: `.port = &sim.port`. CPU numbers are the same for both:
 * the thread with number n plays sim.cpu[n].
 */
#ifndef QUIRE_PORT_SIM_H
#define QUIRE_PORT_SIM_H

/* The posix port has these as well, for a process whose page tables are the system's. */
#define quire_port_tlb_flush_page quire_posix_tlb_flush_page
#define quire_port_tlb_flush_range quire_posix_tlb_flush_range
#define quire_port_tlb_flush_all quire_posix_tlb_flush_all
#include "../posix/quire_port.h"
#undef quire_port_tlb_flush_page
#undef quire_port_tlb_flush_range
#undef quire_port_tlb_flush_all

#ifdef __cplusplus
extern "C" {
#endif

struct quire_cpumask;

/* Pages that hold addresses from `first` to `last`, of all PCIDs; `cpus` NULL: on all CPUs. */
void quire_sim_port_flush(const struct quire_port_mem *pm, const struct quire_cpumask *cpus,
                          uint64_t first, uint64_t last);

static inline void quire_port_tlb_flush_page(const struct quire_port_mem *pm,
                                             const struct quire_cpumask *cpus, uintptr_t virt)
{
    quire_sim_port_flush(pm, cpus, virt, virt);
}

static inline void quire_port_tlb_flush_range(const struct quire_port_mem *pm,
                                              const struct quire_cpumask *cpus, uintptr_t virt,
                                              size_t size, unsigned page_shift)
{
    (void)page_shift; /* a flush finds pages of any size */
    quire_sim_port_flush(pm, cpus, virt, (uint64_t)virt + size - 1);
}

static inline void quire_port_tlb_flush_all(const struct quire_port_mem *pm,
                                            const struct quire_cpumask *cpus)
{
    quire_sim_port_flush(pm, cpus, 0, (quire_linear_t)-1);
}

#ifdef __cplusplus
}
#endif

#endif
