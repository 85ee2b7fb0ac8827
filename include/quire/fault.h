/* quire/fault.h: accesses to memory, and what hardware raises when it doesn't allow one */
#ifndef QUIRE_FAULT_H
#define QUIRE_FAULT_H

#include <quire/types.h>

#ifdef __cplusplus
extern "C" {
#endif

enum quire_access { QUIRE_READ, QUIRE_WRITE, QUIRE_EXECUTE };

/* Exceptions (SDM 3A, 6.15). */
#define QUIRE_VECTOR_NP 11 /* segment not present */
#define QUIRE_VECTOR_SS 12 /* stack segment */
#define QUIRE_VECTOR_GP 13 /* general protection */
#define QUIRE_VECTOR_PF 14 /* page fault */
#define QUIRE_VECTOR_MC 18 /* machine check: there is nothing at that physical address */

/* A page fault's error code (SDM 3A, figure 4-12). */
#define QUIRE_PF_PRESENT 0x01u  /* P: every entry was present */
#define QUIRE_PF_WRITE 0x02u    /* W/R */
#define QUIRE_PF_USER 0x04u     /* U/S: the access was user-mode */
#define QUIRE_PF_RESERVED 0x08u /* RSVD: a reserved bit was set */
#define QUIRE_PF_FETCH 0x10u    /* I/D */

/* Which check failed: more than hardware tells, for those who explain. */
enum quire_fault_reason {
    QUIRE_FAULT_NONE,
    QUIRE_FAULT_NULL_SELECTOR,
    QUIRE_FAULT_NO_LDT,          /* TI is set, ldtr is null */
    QUIRE_FAULT_TABLE_LIMIT,     /* the selector's descriptor lies beyond its table */
    QUIRE_FAULT_TYPE,            /* not a segment of the kind that is loaded or needed */
    QUIRE_FAULT_PRIVILEGE,       /* CPL, RPL and DPL don't allow it */
    QUIRE_FAULT_NOT_PRESENT,     /* the descriptor's P is clear */
    QUIRE_FAULT_LIMIT,           /* the offset lies outside the segment */
    QUIRE_FAULT_READ_ONLY,       /* written through a segment that is code or read-only */
    QUIRE_FAULT_EXECUTE_ONLY,    /* read through a code segment that isn't readable */
    QUIRE_FAULT_NON_CANONICAL,   /* the linear address's high bits aren't its sign */
    QUIRE_FAULT_PAGE_ABSENT,     /* an entry's P is clear */
    QUIRE_FAULT_RESERVED_BITS,   /* a reserved bit of an entry is set */
    QUIRE_FAULT_PAGE_SUPERVISOR, /* user-mode access, U/S is clear in some entry */
    QUIRE_FAULT_PAGE_READ_ONLY,  /* R/W is clear in some entry */
    QUIRE_FAULT_PAGE_NX,         /* fetch, XD is set in some entry */
    QUIRE_FAULT_SMEP,            /* supervisor fetch from a user page */
    QUIRE_FAULT_SMAP,            /* supervisor data access to a user page, EFLAGS.AC clear */
    QUIRE_FAULT_REGISTERS, /* a combination or bit of CR0, CR3, CR4, EFER that isn't allowed */
    QUIRE_FAULT_NO_MEMORY, /* a physical address where there is nothing */
    QUIRE_NR_FAULT_REASONS
};

struct quire_fault {
    uint8_t vector;
    uint8_t reason; /* enum quire_fault_reason */
    uint32_t error_code;
    quire_linear_t address; /* CR2 of a page fault */
};

/* A clause for a person: "the descriptor isn't present". */
const char *quire_fault_reason_text(enum quire_fault_reason reason);

#ifdef __cplusplus
}
#endif

#endif
