/* tests/unit/vm_swap_machine.h: a process whose pages go to swap, for a test case
 *
 *     if (!swap_begin(32, STORE_PAGES))
 *         return;
 *     CHECK_EQ(swap_out_all(), 32);
 *     CHECK(all_hold());
 *     swap_end();
 *
 * On vm_machine.h's machine, without read-ahead unless the case turns it on.
 */
#ifndef QUIRE_TESTS_VM_SWAP_MACHINE_H
#define QUIRE_TESTS_VM_SWAP_MACHINE_H

#include "tests/unit/vm_machine.h"
#include "vm/lru.h"
#include "vm/swap.h"

#define SLOTS STORE_PAGES

struct swap_rig {
    struct quire_mm *mm; /* runs */
    quire_linear_t at;   /* its pages, each with a word of its own */
    unsigned nr_pages;
    int area; /* -1: none */
};
extern struct swap_rig rig;

/* 8 MiB of memory, an area of `slots` slots (0: none), and a process that has written to `pages`
 * pages. False: the case is skipped or failed. */
bool swap_begin(unsigned pages, unsigned slots);
/* The same on any machine. */
bool swap_begin_on(uint64_t memory, enum quire_pt_format_id format, unsigned pages, unsigned slots);
/* Ends all of it; swapoff has to succeed. */
void swap_end(void);
/* The same after a look at all invariants. */
void swap_check_end(void);

/* Everything that can go goes; pages. */
unsigned long swap_out_all(void);
/* Whether each page has its word. */
bool all_hold(void);
uint64_t used_slots(void);
unsigned long event(enum vm_event which);
struct lru_counts counts(void);

/* Accessed bits are cleared without a flush: the processor is made to look at its tables again. */
void forget_translations(void);
/* Pages `first` and on of an area get their words, and are looked at. */
void write_pages(quire_linear_t at, unsigned first, unsigned count);
void read_pages(quire_linear_t at, unsigned first, unsigned count);
bool is_resident(quire_linear_t at);
unsigned count_resident(quire_linear_t at, unsigned first, unsigned count);

#endif
