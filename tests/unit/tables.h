/* tests/unit/tables.h: page tables of a simulated machine, and a second opinion about them
 *
 * The reference walker reads entries by hand, from the machine's memory, and knows each format by
 * itself: shifts and masks are written out once more from the processor manual, and nothing of
 * src/map is used.
 */
#ifndef QUIRE_TESTS_TABLES_H
#define QUIRE_TESTS_TABLES_H

#include <quire/map.h>

#include "tests/unit/machine.h"

/* What is at an address. */
struct reference {
    bool present;
    uint64_t entry;               /* the last one read */
    uint64_t where;               /* its physical address */
    uint64_t phys;                /* of the byte, if present */
    uint64_t page_size;           /* that the last entry covers */
    bool write, user, no_execute; /* by all entries on the way */
};
struct reference reference_walk(enum quire_pt_format_id format, uint64_t root, uint64_t virt);

/* As hardware does when it uses or writes what is at `virt`; false: nothing is. */
bool reference_access(enum quire_pt_format_id format, uint64_t root, uint64_t virt, bool write);

/* One number for all that the tables hold, whatever pages they are: as it was, or not. */
uint64_t tables_hash(const struct quire_pgtable *pt);

/* Flushes that a table asked for, and what they were. */
struct flushes {
    unsigned count, all;
    uint64_t bytes;
    struct quire_tlb_flush last;
};
extern struct flushes flushes;

/* Empty tables on the machine that runs, with every flush counted. False: failed. */
bool tables_start(struct quire_pgtable *pt, enum quire_pt_format_id format,
                  struct quire_pt_features features);
/* Checks their invariants, and takes them away; all that was free before start is again. */
void tables_end(struct quire_pgtable *pt);
/* Tables of a tree that maps nothing: the root, and with PAE the four that it leads to. */
unsigned empty_tables(const struct quire_pgtable *pt);

#endif
