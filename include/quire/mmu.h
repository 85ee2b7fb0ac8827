/* quire/mmu.h: the processor's walk from linear addresses to physical ones (SDM 3A, chapter 4)
 *
 * Not modelled: protection keys, shadow stacks, linear-address masking, HLAT, EPT; memory types.
 */
#ifndef QUIRE_MMU_H
#define QUIRE_MMU_H

#include <quire/fault.h>
#include <quire/paging.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Bits of registers that decide how a walk goes. */
#define QUIRE_CR0_PE 0x1u
#define QUIRE_CR0_WP 0x10000u
#define QUIRE_CR0_PG 0x80000000u
#define QUIRE_CR3_PCID 0xfffu
#define QUIRE_CR4_PSE 0x10u
#define QUIRE_CR4_PAE 0x20u
#define QUIRE_CR4_PGE 0x80u
#define QUIRE_CR4_LA57 0x1000u
#define QUIRE_CR4_PCIDE 0x20000u
#define QUIRE_CR4_SMEP 0x100000u
#define QUIRE_CR4_SMAP 0x200000u
#define QUIRE_EFER_LME 0x100u
#define QUIRE_EFER_NXE 0x800u
#define QUIRE_EFLAGS_AC 0x40000u

/* Simulated physical memory, as a walk reaches it: a range from address 0 on, or functions. What
 * they are asked for is one entry: 4 or 8 bytes, aligned. */
struct quire_phys_memory {
    char *base; /* NULL: the functions */
    uint64_t size;
    bool read_only; /* A and D are not to be set */
    void *arg;
    /* False: there is nothing at that address. */
    bool (*read)(void *arg, quire_phys_t at, unsigned bytes, uint64_t *value);
    /* Atomically replaces `from` by `to`. False: it wasn't `from` any more. */
    bool (*exchange)(void *arg, quire_phys_t at, unsigned bytes, uint64_t from, uint64_t to);
};

struct quire_mmu_registers {
    uint64_t cr0, cr3, cr4, efer;
};

/* A processor's paging unit. The first part is the owner's to set at any time, `features` before
 * quire_mmu_load, which sets the rest. */
struct quire_mmu {
    uint32_t eflags; /* AC */
    uint8_t cpl;
    struct quire_pt_features features; /* no_nx follows EFER.NXE */

    struct quire_mmu_registers registers;
    const struct quire_pt_format *format;     /* NULL: paging is off */
    uint64_t pdpte[4];                        /* PAE: the root table, read when CR3 was loaded */
    uint64_t reserved[QUIRE_NR_PT_LEVELS][2]; /* of an entry that leads to a table; of a leaf */
    uint64_t leaf_if[QUIRE_NR_PT_LEVELS]; /* an entry maps memory if it has this bit; 0: never */
    uint8_t lowest[QUIRE_NR_PT_LEVELS];   /* of the levels that share an entry */
};

/* Loads the registers, as a processor that comes to have all these values would: picks the format,
 * and under PAE reads the four PDPTEs, which then count whatever becomes of memory (4.4.1). False:
 * #GP(0), because the values don't go together (PG without PE; LME and PG without PAE; PCIDE
 * outside long mode), an address beyond MAXPHYADDR, or a reserved bit of a present PDPTE; or there
 * is no memory where PDPTEs should be. Nothing changed then. */
bool quire_mmu_load(struct quire_mmu *mmu, const struct quire_mmu_registers *registers,
                    const struct quire_phys_memory *memory, struct quire_fault *fault);

/* What a walk came upon at a level. A folded level shows the entry of the one above again. */
struct quire_walk_step {
    uint8_t level; /* enum quire_pt_level */
    bool folded;
    bool in_register; /* a PDPTE of PAE */
    bool unreadable;  /* there is no memory at entry_at: `entry` is 0, the walk ends */
    bool leaf;        /* it maps memory */
    uint16_t index;
    quire_phys_t entry_at;
    uint64_t entry; /* before A and D were set */
};

struct quire_walk {
    quire_phys_t phys; /* of the byte at the linear address */
    uint8_t level;     /* of the entry that maps it */
    uint8_t shift;     /* log2 of its page's bytes; 12 with paging off */
    /* What all entries allow together. */
    bool user, writable, executable;
    bool global, dirty; /* of the leaf; `global` only with CR4.PGE */
    uint8_t nr_steps;
    struct quire_fault fault;
};

/* With an access: by the processor itself (descriptor tables), as supervisor whatever the CPL. */
#define QUIRE_ACCESS_IMPLICIT 0x4u

/* Walks for `access` (enum quire_access, maybe with QUIRE_ACCESS_IMPLICIT) at `linear`. True: the
 * access is allowed, `walk` says where it goes, and A and D are set. False: walk->fault is what
 * hardware raises; no entry is changed, but perhaps A where others change entries meanwhile.
 * `steps`, which may be NULL, gets what was seen, at most QUIRE_NR_PT_LEVELS, of a walk that faults
 * too; walk->nr_steps counts them.
 *
 * Entries are checked in the order in which they are read: present, then reserved bits; rights at
 * the end (4.6, 4.7). Hardware may set A in entries of a walk that faults later; this one doesn't.
 * Entries may be changed meanwhile by others: A and D are set only in what was checked, else the
 * walk begins anew. Reads one entry a level; nothing outside `memory`. */
QUIRE_MUST_CHECK bool quire_mmu_walk(const struct quire_mmu *mmu,
                                     const struct quire_phys_memory *memory, quire_linear_t linear,
                                     unsigned access, struct quire_walk *walk,
                                     struct quire_walk_step *steps);

/* What a page's rights come to under these registers: bit `mode * 3 + access` says whether that
 * access is allowed (4.6.1). For TLBs, which keep it instead of the registers. */
enum quire_mmu_mode { QUIRE_MODE_USER, QUIRE_MODE_SUPERVISOR, QUIRE_MODE_SUPERVISOR_AC };
uint32_t quire_mmu_rights(const struct quire_mmu *mmu, const struct quire_walk *walk);

static inline enum quire_mmu_mode quire_mmu_mode(const struct quire_mmu *mmu, unsigned access)
{
    if (mmu->cpl == 3 && !(access & QUIRE_ACCESS_IMPLICIT))
        return QUIRE_MODE_USER;
    if (mmu->eflags & QUIRE_EFLAGS_AC && !(access & QUIRE_ACCESS_IMPLICIT))
        return QUIRE_MODE_SUPERVISOR_AC;
    return QUIRE_MODE_SUPERVISOR;
}

static inline uint32_t quire_mmu_right(enum quire_mmu_mode mode, unsigned access)
{
    return 1u << ((unsigned)mode * 3 + (access & ~QUIRE_ACCESS_IMPLICIT));
}

#ifdef __cplusplus
}
#endif

#endif
