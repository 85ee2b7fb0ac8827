/* tests/unit/vmalloc_machine.h: a range of vmalloc on a simulated machine, for a test case
 *
 *     if (!vmalloc_boot(&(struct vm_setup){.format = QUIRE_PT_FORMAT_X86_64, .pages = 1000}))
 *         return;
 *     ...
 *     vmalloc_end();
 *
 * Its addresses are the simulated machine's: what they hold is reached through the page tables.
 */
#ifndef QUIRE_TESTS_VMALLOC_MACHINE_H
#define QUIRE_TESTS_VMALLOC_MACHINE_H

#include "tests/unit/slab_machine.h"
#include "tests/unit/tables.h"

struct vm_setup {
    enum quire_pt_format_id format;
    unsigned long pages; /* of addresses */
    unsigned long
        lazy_pages; /* 0: more than there are addresses, so that no purge comes by itself */
    const struct quire_memblock_region *map; /* NULL: 16 MIB */
    unsigned nr_cpus;                        /* 0: 1 */
    quire_phys_t highmem;                    /* where HighMem begins; 0: nowhere */
    const struct quire_slab_config *slab;
};

extern struct quire_vmalloc *vm;
extern struct quire_pgtable vm_tables;
extern quire_linear_t vm_start;

/* False: the case is skipped or failed. */
bool vmalloc_boot(const struct vm_setup *setup);
/* Checks everything, ends it, and sees that nothing stays allocated and no mistake was reported. */
void vmalloc_end(void);

/* Pages that are free, but for those that have become tables since vmalloc_boot. */
unsigned long vm_free_pages(void);

/* The machine's memory at an address; NULL: nothing is mapped there. */
unsigned char *vm_byte(quire_linear_t address);
struct quire_vmalloc_info vm_info(void);

/* A word at the beginning of each page, by `seed`. */
void vm_fill(quire_linear_t address, unsigned long pages, uint64_t seed);
bool vm_is_filled(quire_linear_t address, unsigned long pages, uint64_t seed);
/* Whether all pages are mapped, or none is. */
bool vm_is_mapped(quire_linear_t address, unsigned long pages);
bool vm_is_unmapped(quire_linear_t address, unsigned long pages);

#endif
