/* tests/unit/mmu_case.h: tables for one address, and what a walk through them must come to */
#ifndef QUIRE_TESTS_MMU_CASE_H
#define QUIRE_TESTS_MMU_CASE_H

#include <quire/map.h>

#include "tests/harness/harness.h"

#define MEMORY_BYTES 0x10000u
#define ROOT 0x1000u /* the n-th entry of a case lies in the table at n * 0x1000 */

extern struct quire_phys_memory mmu_memory;

enum mode { I386, I386_4K, PAE, LONG, LA57 };

struct walk_case {
    uint8_t mode;
    uint8_t cpl;
    uint8_t access;
    uint32_t cr0, cr4, efer, eflags; /* bits beyond those of the mode */
    uint64_t linear;
    uint64_t entry[5]; /* from the root down */
    uint8_t vector;    /* 0: `phys` comes out */
    uint8_t error_code;
    uint8_t reason;
    uint64_t phys;
};

/* Simulated physical memory for a case; false: it is skipped. */
bool mmu_setup(void);
void mmu_clear_memory(void);
uint64_t mmu_get(quire_phys_t at, unsigned bytes);
void mmu_put(quire_phys_t at, unsigned bytes, uint64_t value);

/* Writes the case's entries and loads its registers; MAXPHYADDR is 40. */
bool mmu_load_case(const struct walk_case *c, struct quire_mmu *mmu, struct quire_fault *fault);
/* A and D as they must be: set in all entries and the leaf of a walk that succeeded, else as
 * before. The last entry that isn't 0 is the leaf. */
void mmu_check_marks(const struct walk_case *c, bool walked);
/* Each case of a table. */
void mmu_run(const struct walk_case *cases, unsigned count);
#define RUN(cases) mmu_run(cases, sizeof(cases) / sizeof *(cases))

enum { R = QUIRE_READ, W = QUIRE_WRITE, X = QUIRE_EXECUTE, IMPLICIT = QUIRE_ACCESS_IMPLICIT };
#define OK 0, 0, 0
#define PF(code, reason) QUIRE_VECTOR_PF, code, QUIRE_FAULT_##reason, 0
#define WP QUIRE_CR0_WP
#define SMEP QUIRE_CR4_SMEP
#define SMAP QUIRE_CR4_SMAP
#define AC QUIRE_EFLAGS_AC
#define NXE QUIRE_EFER_NXE
#define NX QUIRE_PTE_NX

#endif
