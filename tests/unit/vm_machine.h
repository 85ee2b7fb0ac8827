/* tests/unit/vm_machine.h: address spaces of a simulated machine, for a test case
 *
 *     if (!vm_boot(16 * MIB, QUIRE_PT_FORMAT_X86_64))
 *         return;
 *     struct quire_mm *mm = mm_new();
 *     quire_linear_t at = map_anon(mm, 4 * PAGE);
 *     run_on(mm);
 *     CHECK(poke(at, 42));
 *     quire_mm_put(mm);
 *     vm_end();
 *
 * A quire_mem with its slab and quire_vm on machine.h's machine, and a simulated CPU in ring 3
 * whose page faults go to quire_handle_fault. There is one at a time.
 */
#ifndef QUIRE_TESTS_VM_MACHINE_H
#define QUIRE_TESTS_VM_MACHINE_H

#include <quire/file.h>
#include <quire/swap.h>
#include <quire/vm.h>

#include "ports/sim/sim.h"
#include "tests/unit/slab_machine.h"

#define PAGE ((quire_linear_t)QUIRE_PAGE_SIZE)

extern struct quire_vm *test_vm;
extern struct quire_sim sim;
extern struct quire_sim_cpu sim_cpus[2];
/* Of the last fault that came to a result other than MINOR or MAJOR; the faults since boot. */
extern enum quire_fault_result last_result;
extern unsigned long nr_faults;

/* Of the slabs of machines booted from now on: for those that fail. */
extern const struct quire_slab_config *vm_slab_config;

/* One node, `size` bytes of memory. False: the case is skipped or failed. */
bool vm_boot(uint64_t size, enum quire_pt_format_id format);
/* The same with memory of a configuration; two CPUs. */
bool vm_boot_on(uint64_t size, enum quire_pt_format_id format, struct quire_mem_config mem_config);
/* The same with a map of memory, which begins at 0 and ends with an empty range. */
bool vm_boot_map(const struct quire_memblock_region *map, enum quire_pt_format_id format,
                 struct quire_mem_config mem_config);
/* Checks all invariants, ends it, and sees that nothing stays allocated. */
void vm_end(void);

/* An address space of the format's layout; it must be put before vm_end. */
const struct quire_mm_layout *mm_layout(void);
struct quire_mm *mm_new(void);
/* The CPU runs on it from now on; NULL: on none. quire_mm_put needs it to run elsewhere. */
void run_on(struct quire_mm *mm);
/* Puts it, running on none first if it is the one that runs. */
void mm_end(struct quire_mm *mm);

/* mmap of private anonymous memory that can be read and written; the case has failed if it is 0. */
quire_linear_t map_anon(struct quire_mm *mm, uint64_t size);
quire_linear_t map_file(struct quire_mm *mm, struct quire_mapping *mapping, uint64_t offset,
                        uint64_t size, unsigned prot, unsigned flags);

/* Accesses of the program that runs: 8 bytes. False: a fault came to nothing, see last_result. */
bool poke(quire_linear_t at, uint64_t value);
bool peek(quire_linear_t at, uint64_t *value);
/* Whether `value` is what can be read there. */
bool holds(quire_linear_t at, uint64_t value);

struct quire_mm_info mm_info(struct quire_mm *mm);

/* ---- backing stores -------------------------------------------------------------------------- */

/* Pages in memory outside of the machine, as a file or for swap. */
#define STORE_PAGES 256u
struct store {
    char bytes[STORE_PAGES * QUIRE_PAGE_SIZE];
    unsigned fail_read, fail_write; /* 0: never; n: the n-th from now on, once */
    bool broken;                    /* all fail */
    bool break_at_failure;          /* and so do all after the one that fails */
    unsigned long reads, writes;    /* pages */
};
extern struct store file_store, swap_store;
void store_reset(struct store *store);

/* A file of `size` bytes of file_store, whose page n begins with word_of(n). */
struct quire_mapping *file_of(uint64_t size);
uint64_t word_of(uint64_t page);
/* Swap of `pages` pages of swap_store: the area's number. */
int swap_of(unsigned pages);

#endif
