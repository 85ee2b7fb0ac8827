/* kernel/numa.c: nodes and distances (ACPI 6.5, 5.2.16 and 5.2.17)
 *
 * The SRAT gives memory ranges and CPUs a proximity domain, any 32-bit number. Nodes are numbered
 * from 0 in the order in which memory of a new domain appears, which QEMU makes the order of the
 * domains. The SLIT is a matrix of distances by domain.
 */
#include "numa.h"

#include <quire/port.h>

#include "acpi.h"
#include "base/text.h"
#include "cpu.h"
#include "kernel.h"
#include "window.h"

#define SRAT_FIRST_ENTRY 48
#define SRAT_CPU 0
#define SRAT_MEMORY 1
#define SRAT_X2APIC_CPU 2
#define SRAT_ENABLED 1u
#define SRAT_HOTPLUG 2u

#define SLIT_COUNT 36
#define SLIT_MATRIX 44
#define SLIT_HERE 10

struct __attribute__((packed)) srat_cpu {
    uint8_t type, length, domain_low, apic_id;
    uint32_t flags;
    uint8_t sapic_id, domain_high[3];
    uint32_t clock_domain;
};
struct __attribute__((packed)) srat_memory {
    uint8_t type, length;
    uint32_t domain;
    uint16_t reserved1;
    uint64_t base, size;
    uint32_t reserved2, flags;
    uint64_t reserved3;
};
struct __attribute__((packed)) srat_x2apic_cpu {
    uint8_t type, length;
    uint16_t reserved1;
    uint32_t domain, apic_id, flags, clock_domain, reserved2;
};
union srat_entry {
    uint8_t type_length[2];
    struct srat_cpu cpu;
    struct srat_memory memory;
    struct srat_x2apic_cpu x2apic_cpu;
};
_Static_assert(sizeof(struct srat_cpu) == 16, "a processor affinity entry has 16 bytes");
_Static_assert(sizeof(struct srat_memory) == 40, "a memory affinity entry has 40 bytes");
_Static_assert(sizeof(struct srat_x2apic_cpu) == 24, "an x2APIC affinity entry has 24 bytes");

static int find_node(const struct numa *numa, uint32_t domain)
{
    for (unsigned node = 0; node < numa->nr_nodes; node++)
        if (numa->domain[node] == domain)
            return (int)node;
    return -1;
}

static void add_memory(struct numa *numa, const struct srat_memory *memory)
{
    if (!(memory->flags & SRAT_ENABLED) || !memory->size)
        return;
    if (memory->base + memory->size < memory->base || numa->nr_ranges == NUMA_MAX_RANGES) {
        quire_log(QUIRE_LOG_WARNING, "srat: range at 0x%llx is ignored: %s",
                  (unsigned long long)memory->base,
                  numa->nr_ranges == NUMA_MAX_RANGES ? "too many" : "it wraps around");
        return;
    }
    int node = find_node(numa, memory->domain);
    if (node < 0) {
        if (numa->nr_nodes == QUIRE_MAX_NODES) {
            quire_log(QUIRE_LOG_WARNING, "srat: domain %u is ignored: more than %u nodes",
                      memory->domain, QUIRE_MAX_NODES);
            return;
        }
        node = (int)numa->nr_nodes++;
        numa->domain[node] = memory->domain;
    }
    numa->range[numa->nr_ranges++] = (struct numa_range){memory->base, memory->base + memory->size,
                                                         node, memory->flags & SRAT_HOTPLUG};
}

static void add_cpu(struct numa *numa, uint32_t apic_id, uint32_t domain, uint32_t flags)
{
    int node = find_node(numa, domain);
    if ((flags & SRAT_ENABLED) && node >= 0 && apic_id == cpu_apic_id())
        numa->boot_node = (uint8_t)node;
}

static uint32_t cpu_domain(const struct srat_cpu *cpu)
{
    return cpu->domain_low | (uint32_t)cpu->domain_high[0] << 8 |
           (uint32_t)cpu->domain_high[1] << 16 | (uint32_t)cpu->domain_high[2] << 24;
}

/* Visits the entries of one kind: memory first, since CPUs refer to its domains. */
static void read_srat(struct numa *numa, const struct acpi_table *srat, bool memory)
{
    uint32_t at = SRAT_FIRST_ENTRY;
    union srat_entry entry;
    while (at + sizeof entry.type_length <= srat->length) {
        if (!phys_read(srat->phys + at, entry.type_length, sizeof entry.type_length))
            return;
        unsigned type = entry.type_length[0], length = entry.type_length[1];
        if (length < sizeof entry.type_length || at + length > srat->length) {
            quire_log(QUIRE_LOG_WARNING, "srat: entry at %u: length %u is out of range", at,
                      length);
            return;
        }
        if (!phys_read(srat->phys + at, &entry, length < sizeof entry ? length : sizeof entry))
            return;
        if (memory && type == SRAT_MEMORY && length >= sizeof entry.memory)
            add_memory(numa, &entry.memory);
        else if (!memory && type == SRAT_CPU && length >= sizeof entry.cpu)
            add_cpu(numa, entry.cpu.apic_id, cpu_domain(&entry.cpu), entry.cpu.flags);
        else if (!memory && type == SRAT_X2APIC_CPU && length >= sizeof entry.x2apic_cpu)
            add_cpu(numa, entry.x2apic_cpu.apic_id, entry.x2apic_cpu.domain,
                    entry.x2apic_cpu.flags);
        at += length;
    }
}

/* Distances are believed all or not at all: 10 to itself, and more to every other. */
static bool read_slit(struct numa *numa, const struct acpi_table *slit)
{
    uint64_t count;
    if (slit->length < SLIT_MATRIX || !phys_read(slit->phys + SLIT_COUNT, &count, sizeof count) ||
        count > 0xffff || SLIT_MATRIX + count * count > slit->length)
        return false;
    for (unsigned from = 0; from < numa->nr_nodes; from++)
        for (unsigned to = 0; to < numa->nr_nodes; to++) {
            uint8_t *distance = &numa->distance[from * numa->nr_nodes + to];
            if (numa->domain[from] >= count || numa->domain[to] >= count ||
                !phys_read(slit->phys + SLIT_MATRIX + numa->domain[from] * count + numa->domain[to],
                           distance, 1))
                return false;
            if (from == to ? *distance != SLIT_HERE : *distance <= SLIT_HERE)
                return false;
        }
    return true;
}

void numa_init(struct numa *numa, quire_phys_t rsdp)
{
    struct acpi_table table;
    *numa = (struct numa){.nr_nodes = 0};
    if (acpi_find(rsdp, "SRAT", &table)) {
        read_srat(numa, &table, true);
        read_srat(numa, &table, false);
    }
    if (!numa->nr_nodes)
        numa->nr_nodes = 1;
    if (acpi_find(rsdp, "SLIT", &table)) {
        numa->has_distance = read_slit(numa, &table);
        if (!numa->has_distance)
            quire_log(QUIRE_LOG_WARNING, "slit: the distances make no sense, and aren't used");
    }
}

int numa_node_of(const struct numa *numa, quire_phys_t phys, quire_phys_t *end, bool *hotplug)
{
    int node = 0;
    *hotplug = false;
    for (unsigned i = 0; i < numa->nr_ranges; i++) {
        const struct numa_range *range = &numa->range[i];
        if (phys >= range->base && phys < range->end) {
            node = range->node;
            *hotplug = range->hotplug;
            if (*end > range->end)
                *end = range->end;
        } else if (phys<range->base && * end> range->base) {
            *end = range->base;
        }
    }
    return node;
}
