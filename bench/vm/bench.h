/* bench/vm/bench.h: an address space to measure, and the lists of cases */
#ifndef QUIRE_BENCH_VM_H
#define QUIRE_BENCH_VM_H

#include <quire/vm.h>

#include "bench/common/cases.h"

#define PAGE ((quire_linear_t)QUIRE_PAGE_SIZE)
#define RW (QUIRE_PROT_READ | QUIRE_PROT_WRITE)
#define ANON (QUIRE_MAP_PRIVATE | QUIRE_MAP_ANONYMOUS)

/* Made by space_create: x86-64, loaded on a CPU, so that flushes are made. */
extern struct quire_vm *vm;
extern struct quire_mm *mm;
void space_create(struct quire_mem *mem);
void space_destroy(void);

/* Something has to be 0. */
void check(int error);
/* `pages` of private memory: where they are. */
quire_linear_t map_anon(unsigned long pages);
/* `areas` areas of some pages each in a row, of two kinds in turns: the first one's address. */
quire_linear_t map_areas(unsigned long areas, unsigned long pages);
/* As a user's write to a page would be handled. */
void touch(struct quire_mm *space, quire_linear_t at, struct quire_fault_cache *cache);

extern const struct bench_case area_cases[];
extern const struct bench_case fault_cases[];

#endif
