/* ports/sim/port.c: level 2 of the port: flushes come to the simulated TLBs */
#include "ports/sim/sim.h"

#include "base/list.h"

/* A struct quire_cpumask is words of 32 CPUs, and nothing before them. */
void quire_sim_port_flush(const struct quire_port_mem *pm, const struct quire_cpumask *cpus,
                          uint64_t first, uint64_t last)
{
    struct quire_sim *sim = quire_container_of(pm, struct quire_sim, port);
    quire_sim_flush(sim, (const uint32_t *)(const void *)cpus,
                    &(struct quire_sim_flush){first, last, QUIRE_SIM_ALL_PCIDS, false});
}
