/* tests/unit/tables_cpu.h: processors in software that walk a kernel's page tables
 *
 * Two CPUs with every protection that their mode has: CR0.WP, NX, SMEP, SMAP, global pages. They
 * keep translations until they are flushed, so a flush that misses one of them shows.
 */
#ifndef QUIRE_TESTS_TABLES_CPU_H
#define QUIRE_TESTS_TABLES_CPU_H

#include "ports/sim/sim.h"
#include "tests/unit/tables.h"

extern struct quire_sim_cpu table_cpus[2];
extern struct quire_sim table_sim;

/* A machine of 16 MiB, of which no one allocates what lies from here on, and its CPUs, which have
 * paging off. False: skipped or failed. */
#define RESERVED (8 * MIB)
bool cpus_boot(void);
/* Where the kernel's part of the address space begins. */
quire_linear_t kernel_base(enum quire_pt_format_id format);
/* Tables whose flushes go to the CPUs; `shared`: from kernel_base on. 0 or an error. */
int cpu_tables_init(struct quire_pgtable *pt, enum quire_pt_format_id format,
                    struct quire_pgtable *shared);
/* Paging of a format, with every protection, as supervisor; the TLB is empty. */
void cpu_set_registers(unsigned cpu, enum quire_pt_format_id format, quire_phys_t root);
/* The CPU runs on the tables, as supervisor. */
void cpu_load(unsigned cpu, struct quire_pgtable *pt);
/* It no longer does, nor does its TLB know them. */
void cpu_unload(unsigned cpu, struct quire_pgtable *pt);

/* One access: whether it is allowed, and what was read. */
bool cpu_reads(unsigned cpu, quire_linear_t at, uint64_t *value);
bool cpu_writes(unsigned cpu, quire_linear_t at, uint64_t value);
bool cpu_fetches(unsigned cpu, quire_linear_t at);

/* A word of physical memory. */
void put_phys(quire_phys_t at, uint64_t value);
uint64_t get_phys(quire_phys_t at);

#endif
