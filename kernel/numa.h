/* kernel/numa.h: nodes and distances, from the firmware's SRAT and SLIT */
#ifndef KERNEL_NUMA_H
#define KERNEL_NUMA_H

#include <quire/types.h>

#define NUMA_MAX_RANGES 64

struct numa_range {
    quire_phys_t base, end;
    int node;
    bool hotplug;
};

struct numa {
    unsigned nr_nodes;                /* at least 1 */
    uint32_t domain[QUIRE_MAX_NODES]; /* the firmware's number of each node */
    struct numa_range range[NUMA_MAX_RANGES];
    unsigned nr_ranges; /* 0: there is no SRAT */
    uint8_t boot_node;  /* the node of the CPU that runs */
    bool has_distance;
    uint8_t distance[QUIRE_MAX_NODES * QUIRE_MAX_NODES]; /* nr_nodes x nr_nodes, row = from */
};

void numa_init(struct numa *numa, quire_phys_t rsdp);

/* The node and kind of the memory at `phys`; `end` is cut to where that changes. Memory that the
 * firmware doesn't mention is on node 0. */
int numa_node_of(const struct numa *numa, quire_phys_t phys, quire_phys_t *end, bool *hotplug);

#endif
