/* tests/unit/vm_families.h: areas of families, made by hand and without page tables: what matters
 * is which areas an anon_vma leads to
 */
#ifndef QUIRE_TESTS_VM_FAMILIES_H
#define QUIRE_TESTS_VM_FAMILIES_H

#include "tests/unit/slab_machine.h"
#include "vm/area.h"

#define AREAS 1000u
#define PROCESSES 24u
#define PAGE ((quire_linear_t)QUIRE_PAGE_SIZE)

extern struct quire_vm family_vm; /* a quire_vm of which there is what anon_vmas need */
extern struct quire_mm family_mm[PROCESSES];
extern struct quire_vma relative[AREAS];
extern bool alive_relative[AREAS];

/* `failing`: each allocation of an object can fail. False: the case is skipped. */
bool family_boot(bool failing);
/* Ends all areas, and sees that nothing is left of their anon_vmas. */
void family_end(void);
/* The allocation of that number from now on fails (0: none), and those after it too if it `lasts`.
 */
void family_fail(unsigned long number, bool lasts);

/* Area `i` of a process, of which there are some at most: pages [first, first + count), which are
 * also its indices. It may lie over others, which nothing here minds. */
struct quire_vma *new_relative(unsigned i, unsigned process, uint64_t first, uint64_t count);
/* The range of area `from` in another process, as fork leaves it. */
int fork_relative(unsigned from, unsigned to, unsigned process);
void end_relative(unsigned i);

unsigned nr_chains(const struct quire_vma *vma);
/* Whether a walk from a root meets an area at an index. */
bool leads_to(const struct anon_vma *anon_vma, const struct quire_vma *vma, uint64_t index);

#endif
