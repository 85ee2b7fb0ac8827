/* tests/unit/vm_entries.h: what all page tables of a machine hold, found by looking at all of them
 *
 * A second opinion on reverse maps: see vm_machine.h for the machine.
 */
#ifndef QUIRE_TESTS_VM_ENTRIES_H
#define QUIRE_TESTS_VM_ENTRIES_H

#include "tests/unit/vm_machine.h"
#include "vm/area.h"

#define READ_WRITE (QUIRE_PROT_READ | QUIRE_PROT_WRITE)

/* Runs `body` on a fresh machine of each format. */
void on_machines_of_each_format(void (*body)(void));

struct quire_mm *fork_of(struct quire_mm *parent);
/* Writes value, value + 1 ... to both ends of pages, and looks whether they are there. */
void poke_pages(struct quire_mm *mm, quire_linear_t at, unsigned count, uint64_t value);
void check_pages(struct quire_mm *mm, quire_linear_t at, unsigned count, uint64_t value);

/* Takes a page's frame away from it, so that it has to move, and gives the frame back. */
int take_frame(struct quire_page *page);

/* The entry at an address, 0 if there is none; and its page, NULL if it maps none. */
uint64_t entry_of(struct quire_mm *mm, quire_linear_t at);
struct quire_page *page_of(struct quire_mm *mm, quire_linear_t at);

/* Calls `visit` for every entry of every address space that maps a page, but the zero page. */
typedef void entry_visit_fn(void *arg, struct quire_mm *mm, quire_linear_t at,
                            struct quire_page *page);
void for_each_mapped(entry_visit_fn *visit, void *arg);

/* Entries that map a page, in all address spaces; and those that a walk of its reverse maps meets.
 */
unsigned count_entries(const struct quire_page *page);
unsigned count_met(struct quire_page *page);

/* Every entry that maps a page is met by a walk of the page's reverse maps, once, and each page has
 * as many entries as it says; and so many pages are mapped as the layer counts. */
void check_reverse_maps(void);

#endif
