/* ports/sim/tlb.h: what the parts of the software MMU know of each other */
#ifndef QUIRE_SIM_TLB_H
#define QUIRE_SIM_TLB_H

#include "ports/sim/sim.h"

/* Finds or walks for one page's access. NULL: it faulted, see cpu->fault. To be called while busy,
 * with no flush posted since; what it returns holds until the CPU isn't busy any more. */
char *sim_translate(struct quire_sim_cpu *cpu, quire_linear_t at, unsigned access);

/* Carries out a flush, or all that are posted. By the CPU's thread. */
void sim_flush_now(struct quire_sim_cpu *cpu, const struct quire_sim_flush *flush);
void sim_flush_posted(struct quire_sim_cpu *cpu);

/* Begins an access as quire_sim_enter does, with flushes carried out. */
void sim_begin(struct quire_sim_cpu *cpu);

/* After a change of registers: the hit path's copies of them. */
void sim_refresh(struct quire_sim_cpu *cpu);

#endif
