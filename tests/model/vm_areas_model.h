/* tests/model/vm_areas_model.h: an address space as an array of pages
 *
 * Of each page the reference knows what an area would say: flags, file and index there. What
 * follows from that (areas, counts, promised memory, free places) it finds by looking at all of
 * them.
 */
#ifndef QUIRE_TESTS_VM_AREAS_MODEL_H
#define QUIRE_TESTS_VM_AREAS_MODEL_H

#include "tests/unit/vm_machine.h"
#include "vm/area.h"
#include "vm/cache.h"

#define NR_PAGES 1024u
#define FIRST 16u /* below is min_addr */
#define STACK_GAP 4u
#define BASE 896u /* of mmap */
#define HEAP 64u

struct place {
    uint32_t flags;  /* 0: nothing is mapped */
    unsigned object; /* 0: none, 1 and 2: files, others: shared memory of one mmap each */
    uint64_t pgoff;
};

#define NR_OBJECTS 4096u
extern struct areas_model {
    struct place place[NR_PAGES];
    uint16_t object_pages[NR_OBJECTS];  /* promised, of shared memory */
    uint16_t object_mapped[NR_OBJECTS]; /* pages of areas */
    unsigned nr_objects;
    struct quire_mm *mm;
    struct quire_mapping *files[2]; /* that can be written, and that can't, nor executed */
    unsigned brk_page;              /* the heap's end */
    uint32_t def_flags;
    unsigned limit_total, limit_data, limit_locked; /* pages */
    enum quire_overcommit overcommit;
} model;

static inline quire_linear_t address_of(unsigned page)
{
    return page * PAGE;
}

/* Whether two pages that follow each other can be in one area. */
bool places_alike(const struct place *a, const struct place *b);

struct sums {
    unsigned areas, total, locked, data, exec, stack;
    long committed;
};
struct sums model_sum(void);

/* Whether pages more are allowed. A part of what the process has stays free for others; a file has
 * no process. */
bool model_may_commit(long pages, bool is_file);
bool model_may_expand(uint32_t flags, unsigned pages);
bool model_may_lock(uint32_t flags, unsigned pages);

void model_take(unsigned page);
void model_give(unsigned page, struct place what);
/* Kept free below a stack. */
bool model_is_guard(unsigned page);
/* Where mmap puts `count` pages, with its address and flags: the page, or a negative errno. */
int model_find(unsigned hint, unsigned count, unsigned flags);

/* Compares the address space with the pages. */
void model_check(void);

#endif
