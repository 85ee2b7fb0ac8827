/* tests/stress/vm_processors.h: a machine with virtual memory for threads that play its processors
 *
 * Each thread has a simulated CPU in ring 3, of the thread's number, which runs on an address space
 * and whose page faults go to quire_handle_fault. Stores are bytes outside of the machine.
 */
#ifndef QUIRE_TESTS_VM_PROCESSORS_H
#define QUIRE_TESTS_VM_PROCESSORS_H

#include <quire/file.h>
#include <quire/swap.h>

#include "tests/stress/stress.h"

#define PAGE ((quire_linear_t)QUIRE_PAGE_SIZE)

extern struct quire_vm *stress_vm;
/* Accesses that found no memory, and those that came to anything else. */
extern unsigned long ooms, refusals;

/* A machine of `memory` bytes on two nodes, and a processor for each of `workers`; swap is on all
 * of `swap`. */
bool processors_start(quire_phys_t memory, unsigned workers, char *swap, size_t swap_bytes);
/* No address space or mapping is left: ends all, and sees that nothing stays allocated. */
void processors_end(void);

/* A file of these bytes; NULL: shared memory of that size. The case has failed if it is NULL. */
struct quire_mapping *mapping_of_bytes(char *bytes, size_t size);
/* A mapping's area of all of it, shared; NULL: private anonymous memory. 0: the case has failed. */
quire_linear_t map_area(struct quire_mm *mm, struct quire_mapping *mapping, uint64_t size);

/* Processor `n` runs on an address space from now on; NULL: on none. */
void load(unsigned n, struct quire_mm *to);
/* A word of its program. False: a fault came to `*result`, for want of memory only after much
 * reclaiming. */
bool try_word(unsigned n, quire_linear_t at, uint64_t *value, bool write,
              enum quire_fault_result *result);
/* The same, counted as an OOM or a refusal. */
bool access_word(unsigned n, quire_linear_t at, uint64_t *value, bool write);

#endif
