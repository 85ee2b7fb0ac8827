/* quire/map.h: from logical addresses to physical ones (layer 3)
 *
 *     logical  ── segment (GDT, LDT) ──►  linear  ── page tables (PGD P4D PUD PMD PT) ──►  physical
 *
 * Segments are x86's; page tables are described by data (struct quire_pt_format), and levels that a
 * format lacks are folded, so that callers always speak of five. Tables are memory of a quire_mem
 * and are what hardware walks; the same walk is here in software, with every check and error code
 * of the processor's manual, for simulation, tests and explanations.
 *
 * Sources: Intel 64 and IA-32 Architectures Software Developer's Manual (SDM), volume 3A, chapters
 * 3 (segmentation), 4 (paging), 6.15 (exceptions); Linux's include/asm-generic/pgtable-nop4d.h and
 * its neighbours for folding.
 */
#ifndef QUIRE_MAP_H
#define QUIRE_MAP_H

#include <quire/phys.h>

#ifdef __cplusplus
extern "C" {
#endif

/* ---- formats --------------------------------------------------------------------------------- */

/* Levels from the leaves up; Linux's names. */
enum quire_pt_level {
    QUIRE_PT,  /* entries map pages */
    QUIRE_PMD, /* entries are tables of PT entries, or map 2 or 4 MiB */
    QUIRE_PUD, /* ... or map 1 GiB */
    QUIRE_P4D,
    QUIRE_PGD, /* the root table */
    QUIRE_NR_PT_LEVELS
};

/* One level of a format. A folded one has index_bits 0: its table is the one entry of the level
 * above that leads to it, looked at again. Levels that share an entry so are one to hardware; what
 * is checked of it stands at the lowest of them, and the others' masks are 0.
 *
 * The masks are those of a processor that can do the most; quire_pt_reserved adds what others
 * reserve. */
struct quire_pt_level_format {
    uint8_t shift;          /* log2 of the bytes that one entry covers */
    uint8_t index_bits;     /* log2 of a table's entries; 0: folded */
    bool may_be_leaf;       /* an entry with PS set maps memory; at PT every one does */
    uint64_t reserved;      /* bits that must be clear in an entry that leads to a table */
    uint64_t leaf_reserved; /* in one that maps memory */
};

enum quire_pt_format_id {
    QUIRE_PT_FORMAT_I386,    /* 32-bit paging: two levels, 4-byte entries, 4 MiB pages (PSE) */
    QUIRE_PT_FORMAT_I386_4K, /* the same without PSE */
    QUIRE_PT_FORMAT_PAE,     /* three levels, 8-byte entries, 2 MiB pages, NX */
    QUIRE_PT_FORMAT_X86_64,  /* 4-level paging, 2 MiB and 1 GiB pages */
    QUIRE_PT_FORMAT_LA57,    /* 5-level paging */
    QUIRE_NR_PT_FORMATS
};

struct quire_pt_format {
    const char *name; /* "i386", "i386-4k", "pae", "x86-64", "la57" */
    uint8_t entry_bytes;
    uint8_t virt_bits;     /* linear addresses: 32, 48, 57; above 32 they must be canonical */
    uint64_t address_mask; /* of an entry: the frame's or the table's address */
    uint64_t nx;           /* the no-execute bit; 0: there is none */
    uint64_t pse36;        /* bits of a huge entry that are its address shifted right by 19; or 0 */
    struct quire_pt_level_format level[QUIRE_NR_PT_LEVELS];
};

extern const struct quire_pt_format quire_pt_formats[QUIRE_NR_PT_FORMATS];

/* A linear address of any format: 64 bits also where this machine's own pointers have 32. */
typedef uint64_t quire_linear_t;

/* What a processor can't do of what its format has (SDM 3A, 4.1.4). All zero: it can do all. */
struct quire_pt_features {
    uint8_t phys_bits; /* MAXPHYADDR, 32 to 52; 0: 52. 32 means no PSE-36 too. */
    bool no_nx;        /* IA32_EFER.NXE is clear: the bit is reserved */
    bool no_1gib;      /* PS is reserved at PUD */
};

/* Bits that must be clear in a present entry of a level: of one that maps memory, or of one that
 * leads to a table. `level` is the lowest of those that share the entry. */
uint64_t quire_pt_reserved(const struct quire_pt_format *format,
                           const struct quire_pt_features *features, enum quire_pt_level level,
                           bool leaf);

/* Whether entries of a level may map memory on this processor. */
bool quire_pt_may_be_leaf(const struct quire_pt_format *format,
                          const struct quire_pt_features *features, enum quire_pt_level level);

/* The lowest of the levels that share `level`'s entry. */
enum quire_pt_level quire_pt_lowest_shared(const struct quire_pt_format *format,
                                           enum quire_pt_level level);

/* Where the memory begins that an entry of a level maps; and the address bits of such an entry.
 * `phys` is aligned to what the entry covers, and less than 2^40 for i386's 4 MiB pages. */
static inline quire_phys_t quire_pt_leaf_phys(const struct quire_pt_format *format,
                                              enum quire_pt_level level, uint64_t entry)
{
    uint64_t offsets = ((uint64_t)1 << format->level[level].shift) - 1;
    quire_phys_t phys = entry & format->address_mask & ~offsets;
    return level == QUIRE_PT ? phys : phys | (entry & format->pse36) << 19;
}

static inline uint64_t quire_pt_leaf_address(const struct quire_pt_format *format,
                                             enum quire_pt_level level, quire_phys_t phys)
{
    uint64_t bits = phys & format->address_mask;
    return level == QUIRE_PT ? bits : bits | (phys >> 19 & format->pse36);
}

/* Bits of entries: the same in every x86 format (SDM 3A, tables 4-4 to 4-6, 4-8 to 4-11 and 4-14 to
 * 4-20). */
#define QUIRE_PTE_PRESENT 0x001u
#define QUIRE_PTE_WRITE 0x002u
#define QUIRE_PTE_USER 0x004u
#define QUIRE_PTE_PWT 0x008u
#define QUIRE_PTE_PCD 0x010u
#define QUIRE_PTE_ACCESSED 0x020u
#define QUIRE_PTE_DIRTY 0x040u
#define QUIRE_PTE_HUGE 0x080u /* PS: this entry maps memory, above PT */
#define QUIRE_PTE_PAT 0x080u  /* at PT */
#define QUIRE_PTE_GLOBAL 0x100u
#define QUIRE_PTE_SOFT1 0x200u /* ignored by hardware: for the layers above */
#define QUIRE_PTE_SOFT2 0x400u
#define QUIRE_PTE_SOFT3 0x800u
#define QUIRE_PTE_PAT_HUGE 0x1000u /* above PT */
#define QUIRE_PTE_NX (1ull << 63)

/* ---- what hardware does: addresses and faults ------------------------------------------------ */

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

/* ---- segments (SDM 3A, chapter 3) --------------------------------------------------------------
 *
 * Protected mode: 32-bit, compatibility and 64-bit. Not modelled: real and virtual-8086 mode, gates
 * (a gate's selector is refused as one of the wrong type), task switches, alignment checks.
 */

#define QUIRE_SELECTOR_RPL 0x3u
#define QUIRE_SELECTOR_TI 0x4u /* in the LDT */

static inline unsigned quire_selector_index(uint16_t selector)
{
    return selector >> 3;
}

/* Entry 0 of the GDT, whatever its RPL. Entry 0 of the LDT is a descriptor as others. */
static inline bool quire_selector_is_null(uint16_t selector)
{
    return !(selector & ~QUIRE_SELECTOR_RPL);
}

/* Types of code and data segments: bits of `type` (SDM 3A, table 3-1). */
#define QUIRE_SEGMENT_ACCESSED 0x1u
#define QUIRE_SEGMENT_WRITABLE 0x2u    /* of data */
#define QUIRE_SEGMENT_READABLE 0x2u    /* of code */
#define QUIRE_SEGMENT_EXPAND_DOWN 0x4u /* of data: offsets lie above the limit */
#define QUIRE_SEGMENT_CONFORMING 0x4u  /* of code: may be entered from outer rings */
#define QUIRE_SEGMENT_CODE 0x8u
/* Types of system segments that are modelled (table 3-2). */
#define QUIRE_SEGMENT_LDT 0x2u
#define QUIRE_SEGMENT_TSS 0x9u
#define QUIRE_SEGMENT_TSS_BUSY 0xbu

/* A descriptor in pieces (SDM 3A, figure 3-8). */
struct quire_descriptor {
    uint64_t base;  /* 32 bits; a system descriptor of long mode has 64 */
    uint32_t limit; /* the field's 20 bits; quire_descriptor_limit tells bytes */
    uint8_t type;   /* 4 bits */
    uint8_t dpl;
    bool code_or_data; /* S; clear: a system segment or a gate */
    bool present;
    bool available; /* AVL: for software */
    bool long_mode; /* L: 64-bit code */
    bool big;       /* D/B: 32-bit operands; of a stack or expand-down segment: up to 4 GiB */
    bool granular;  /* G: the limit counts 4 KiB */
};

/* Eight bytes to pieces and back: each is the other's inverse, for any bytes and for pieces within
 * their fields' widths. System descriptors of long mode have eight more bytes, whose low half is
 * the base's high half (SDM 3A, 7.2.3); `high` is 0 for all others. */
struct quire_descriptor quire_descriptor_decode(uint64_t low, uint64_t high);
uint64_t quire_descriptor_encode(const struct quire_descriptor *descriptor);
uint64_t quire_descriptor_encode_high(const struct quire_descriptor *descriptor);
/* The offset of the last byte (of an expand-down segment: the last that isn't in it). */
uint32_t quire_descriptor_limit(const struct quire_descriptor *descriptor);

enum quire_segment_register {
    QUIRE_ES,
    QUIRE_CS,
    QUIRE_SS,
    QUIRE_DS,
    QUIRE_FS,
    QUIRE_GS,
    QUIRE_NR_SEGMENT_REGISTERS
};

/* A segment register: what was loaded, and the hidden part that addresses are checked against. */
struct quire_segment {
    uint16_t selector;
    bool usable; /* false: null */
    struct quire_descriptor descriptor;
};

/* gdtr: a table at a linear address; `limit` is the offset of its last byte. */
struct quire_table_register {
    quire_linear_t base;
    uint16_t limit;
};

/* How descriptors are reached: supervisor accesses to linear memory, always of eight bytes. False:
 * it faulted, and `fault` says how. */
struct quire_descriptor_memory {
    void *arg;
    bool (*read)(void *arg, quire_linear_t at, uint64_t *value, struct quire_fault *fault);
    /* Replaces what was read: the accessed bit is set so. NULL: it isn't. */
    bool (*write)(void *arg, quire_linear_t at, uint64_t value, struct quire_fault *fault);
};

/* The segmentation unit of a processor. */
struct quire_segments {
    struct quire_table_register gdtr;
    struct quire_segment ldtr;
    struct quire_segment segment[QUIRE_NR_SEGMENT_REGISTERS];
    bool long_mode;      /* EFER.LMA: compatibility mode, or 64-bit mode if CS.L */
    uint8_t linear_bits; /* of canonical addresses: 48, or 57 with CR4.LA57 */
    const struct quire_descriptor_memory *memory;
};

static inline unsigned quire_segments_cpl(const struct quire_segments *segments)
{
    return segments->segment[QUIRE_CS].selector & QUIRE_SELECTOR_RPL;
}

static inline bool quire_segments_64bit(const struct quire_segments *segments)
{
    return segments->long_mode && segments->segment[QUIRE_CS].descriptor.long_mode;
}

static inline bool quire_is_canonical(quire_linear_t linear, unsigned bits)
{
    uint64_t high = linear >> (bits - 1);
    return !high || high == ~(uint64_t)0 >> (bits - 1);
}

/* The descriptor that `selector`, not a null one, names: the table's limit is checked, nothing
 * else. `*at`, which may be NULL, is its linear address. */
bool quire_descriptor_fetch(const struct quire_segments *segments, uint16_t selector,
                            struct quire_descriptor *descriptor, quire_linear_t *at,
                            struct quire_fault *fault);

/* Loads a segment register as MOV does, CS as a far JMP to a code segment does (SDM 2, MOV and JMP;
 * 3A, 5.5 to 5.8). True: loaded, and the descriptor's accessed bit set. False: `fault` is what
 * hardware raises, and nothing changed. */
bool quire_segment_load(struct quire_segments *segments, enum quire_segment_register which,
                        uint16_t selector, struct quire_fault *fault);
/* The same for ldtr (SDM 2, LLDT). */
bool quire_ldtr_load(struct quire_segments *segments, uint16_t selector, struct quire_fault *fault);

/* Logical to linear: `size` bytes (1 to 8) at `offset` of a segment. Outside 64-bit mode the offset
 * is its low 32 bits, and an access that wraps around 4 GiB is outside the limit, which hardware
 * leaves open (SDM 3A, 5.3). */
bool quire_logical_to_linear(const struct quire_segments *segments,
                             enum quire_segment_register which, uint64_t offset, unsigned size,
                             enum quire_access access, quire_linear_t *linear,
                             struct quire_fault *fault);

/* Linux's flat segments, as its GDT has them: all bases are 0 and all limits 4 GiB, so that linear
 * equals logical. The entries that differ between configurations are empty. */
#define QUIRE_LINUX_I386_KERNEL_CS 96u
#define QUIRE_LINUX_I386_KERNEL_DS 104u
#define QUIRE_LINUX_I386_USER_CS 115u
#define QUIRE_LINUX_I386_USER_DS 123u
#define QUIRE_LINUX_X86_64_KERNEL32_CS 0x08u
#define QUIRE_LINUX_X86_64_KERNEL_CS 0x10u
#define QUIRE_LINUX_X86_64_KERNEL_DS 0x18u
#define QUIRE_LINUX_X86_64_USER32_CS 0x23u
#define QUIRE_LINUX_X86_64_USER_DS 0x2bu
#define QUIRE_LINUX_X86_64_USER_CS 0x33u
#define QUIRE_LINUX_I386_GDT_ENTRIES 32u
#define QUIRE_LINUX_X86_64_GDT_ENTRIES 16u
extern const uint64_t quire_linux_gdt_i386[QUIRE_LINUX_I386_GDT_ENTRIES];
extern const uint64_t quire_linux_gdt_x86_64[QUIRE_LINUX_X86_64_GDT_ENTRIES];

/* ---- the walk of the processor (SDM 3A, chapter 4) ----------------------------------------------
 *
 * Not modelled: protection keys, shadow stacks, linear-address masking, HLAT, EPT; memory types.
 */

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
 * hardware raises; no entry is changed. `steps`, which may be NULL, gets what was seen, at most
 * QUIRE_NR_PT_LEVELS, of a walk that faults too; walk->nr_steps counts them.
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
