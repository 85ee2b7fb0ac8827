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

#include <quire/slab.h>

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
/* ---- page tables: a tree of tables, and flushes ---------------------------------------------- */

/* Who may do what at once. A range's owner is who may change the translation of its addresses: the
 * caller sees to it that there is one at a time. Owners of disjoint ranges may map, protect,
 * harvest, split, copy, change single entries, and unmap with QUIRE_UNMAP_KEEP_TABLES, all at the
 * same time, also where their ranges share tables; others may query, visit and harvest meanwhile,
 * and hardware walks. What gives tables back (unmap without KEEP_TABLES, collapse, destroy) needs
 * the part of the address space to itself that lies under the same entries of the root table as
 * its range: 512 GiB on x86-64, 1 GiB with PAE, 4 MiB on i386.
 *
 * No function takes a lock, but for those of phys within an allocation or a free. Functions that
 * allocate may sleep if the table's gfp lets them; those that flush wait for other CPUs, so not
 * with interrupts off. Costs are for each entry of the range; tables and their parents add a small
 * constant for each table.
 *
 * What fails changes nothing. Everywhere:
 *   -EINVAL   the range is empty, isn't of whole pages, wraps, isn't canonical, or some bits make
 * no sense or aren't this processor's -ENOMEM   there is no page for a table */

struct quire_pgtable;

/* What is to be flushed: given to the port, or to who the configuration says. */
struct quire_tlb_flush {
    const struct quire_cpumask *cpus; /* whose TLBs may hold entries of these tables */
    bool all;                         /* everything; the rest means nothing then */
    quire_linear_t virt;              /* at most QUIRE_TLB_FLUSH_PAGES pages from here on */
    uint64_t size;
    unsigned page_shift;
};
typedef void quire_tlb_flush_fn(void *arg, const struct quire_tlb_flush *flush);

struct quire_pgtable_config {
    struct quire_mem *mem;
    enum quire_pt_format_id format;
    struct quire_pt_features features;
    quire_gfp_t gfp;           /* for tables; 0: QUIRE_GFP_KERNEL. Not HIGHMEM, not MOVABLE. */
    quire_tlb_flush_fn *flush; /* NULL: the port's, level 2 */
    void *flush_arg;
};

/* A level that has tables of its own, prepared for the walk: see src/map/table.h. */
struct quire_pt_step {
    uint16_t index_mask; /* entries of a table less 1 */
    uint8_t shift;
    uint8_t level;      /* the lowest of those that share its entries */
    bool may_be_leaf;   /* on this processor */
    uint8_t table_mask; /* an entry leads to a table if these of its bits are PRESENT; 0: never */
    uint64_t phys_end;  /* a leaf maps memory below this address */
    uint64_t table_set; /* bits of an entry that leads to a table, beside its address */
};

/* Read only, but by this layer. */
struct quire_pgtable {
    struct quire_mem *mem;
    const struct quire_port_mem *port;
    const struct quire_pt_format *format;
    quire_phys_t root;      /* for CR3: the table's address */
    uint64_t prot_mask;     /* bits that `prot` may have */
    uint64_t address_limit; /* stripped of their sign, addresses are below this */
    uint64_t address_mask;  /* the format's */
    uint64_t phys_end;      /* the largest of the steps' */
    quire_gfp_t gfp;
    uint8_t height; /* steps that there are; the root is the last */
    bool wide;      /* entries of 8 bytes, not 4 */
    struct quire_pt_features features;
    struct quire_pt_step step[QUIRE_NR_PT_LEVELS]; /* from PT up */
    unsigned long nr_tables[QUIRE_NR_PT_LEVELS];   /* by level; the root's is PGD */
    struct quire_cpumask cpus;
    quire_tlb_flush_fn *flush;
    void *flush_arg;
};

/* A root without entries. -EINVAL, -ENOMEM. */
QUIRE_MUST_CHECK int quire_pgtable_init(struct quire_pgtable *pt,
                                        const struct quire_pgtable_config *config);
/* Gives all tables back. What they map is the caller's. No CPU has them loaded any more, nor
 * anything of them in its TLB: nothing is flushed. O(entries above PT). */
void quire_pgtable_destroy(struct quire_pgtable *pt);

/* Before a CPU loads the root, and after its TLB has lost what it had of it. Flushes go to the CPUs
 * of the set. Atomic; a full fence. */
void quire_pgtable_cpu_enter(struct quire_pgtable *pt, unsigned cpu);
void quire_pgtable_cpu_leave(struct quire_pgtable *pt, unsigned cpu);

/* Tables that there are, the root included. Each costs a page. */
unsigned long quire_pgtable_nr_tables(const struct quire_pgtable *pt);
/* Checks every invariant; a broken one is a panic. Nobody changes the tables meanwhile. For tests.
 */
void quire_pgtable_check(const struct quire_pgtable *pt);

/* Flushes of several changes, done at once; and pages that can be freed only after them. On the
 * stack of who makes the changes. A change that gets a batch leaves its flush to it, and hardware
 * may use the old translation until quire_tlb_flush; one that gets NULL flushes before it returns.
 * Linux: mmu_gather. */
#define QUIRE_TLB_BATCH_RANGES 4
#define QUIRE_TLB_BATCH_PAGES 64
struct quire_tlb_batch {
    struct quire_pgtable *pt;
    bool all;
    uint8_t nr_ranges, nr_free;
    unsigned nr_pages; /* of all ranges */
    struct quire_tlb_range {
        uint64_t start, end; /* stripped of their sign */
        uint8_t page_shift;
    } range[QUIRE_TLB_BATCH_RANGES];
    struct quire_page *free[QUIRE_TLB_BATCH_PAGES];
    /* What becomes of pages of quire_tlb_remove_page after the flush; NULL: quire_put_page. Set
     * after init. */
    void (*release)(void *arg, struct quire_page *page);
    void *release_arg;
};

void quire_tlb_batch_init(struct quire_tlb_batch *batch, struct quire_pgtable *pt);
/* A range of pages of one size whose translation changed. Neighbours are merged; more than
 * QUIRE_TLB_FLUSH_PAGES pages become all. O(1). */
void quire_tlb_add(struct quire_tlb_batch *batch, quire_linear_t virt, uint64_t size,
                   unsigned page_shift);
/* Drops a reference of a block after the flush (quire_put_page), or hands it to batch->release. When
 * there is no room for more, flushes first. */
void quire_tlb_remove_page(struct quire_tlb_batch *batch, struct quire_page *page);
/* Flushes what was gathered, if some CPU may have it, then frees. The batch is empty then. */
void quire_tlb_flush(struct quire_tlb_batch *batch);

/* ---- page tables: mapping -------------------------------------------------------------------- */

/* `prot` is QUIRE_PTE_ bits as a PT entry has them, of these; PRESENT is added and, in an entry
 * above PT, PAT is put where it belongs. NX is not among them where format or processor lack it:
 * callers take pt->prot_mask. Rights of the tables on the way are all granted. */
#define QUIRE_PT_PROT                                                                              \
    (QUIRE_PTE_WRITE | QUIRE_PTE_USER | QUIRE_PTE_PWT | QUIRE_PTE_PCD | QUIRE_PTE_ACCESSED |       \
     QUIRE_PTE_DIRTY | QUIRE_PTE_PAT | QUIRE_PTE_GLOBAL | QUIRE_PTE_SOFT1 | QUIRE_PTE_SOFT2 |      \
     QUIRE_PTE_SOFT3 | QUIRE_PTE_NX)

#define QUIRE_MAP_NO_HUGE 0x1u /* PT entries only */

/* Maps [virt, virt + size) to physical memory from `phys` on, by the largest pages that both
 * addresses' alignment, the format and what is there already allow. There is nothing to flush.
 * Also -EINVAL when `phys` is beyond what entries can say; -EEXIST: an entry of the range isn't 0.
 */
QUIRE_MUST_CHECK int quire_map_range(struct quire_pgtable *pt, quire_linear_t virt,
                                     quire_phys_t phys, uint64_t size, uint64_t prot,
                                     unsigned flags);
/* The same for `count` single pages of QUIRE_PAGE_SIZE in any order. */
QUIRE_MUST_CHECK int quire_map_pages(struct quire_pgtable *pt, quire_linear_t virt,
                                     struct quire_page *const *pages, unsigned long count,
                                     uint64_t prot);

/* A run of entries of one table, of consecutive pages of one size; or a hole. */
struct quire_pt_run {
    quire_linear_t virt; /* of the first; of a huge page its beginning, even outside the range */
    uint64_t size;       /* of all; a hole's is cut to the range */
    enum quire_pt_level level;
    unsigned count;        /* 0: a hole */
    const uint64_t *entry; /* as read, or as taken out; none of them 0 */
};

#define QUIRE_PT_RUN_ENTRIES 64 /* the most that one run has */

typedef void quire_pt_removed_fn(void *arg, const struct quire_pt_run *run);

#define QUIRE_UNMAP_KEEP_TABLES                                                                    \
    0x1u /* empty tables stay, until an unmap without this meets them                              \
          */

/* Takes out every entry of the range, also those that aren't present. Huge mappings that the range
 * cuts are split first: the only thing that can fail, with -ENOMEM (or -EINVAL: beyond 4 GiB i386
 * has nothing smaller). Holes are no error. */
QUIRE_MUST_CHECK int quire_unmap_range(struct quire_pgtable *pt, quire_linear_t virt, uint64_t size,
                                       unsigned flags, struct quire_tlb_batch *batch);
/* The same, and tells `removed` the entries with the accessed and dirty bits that hardware left in
 * them: each read and cleared in one step. They may still be in use: what is to be freed goes
 * through the batch (not NULL). Linux: zap_page_range. */
QUIRE_MUST_CHECK int quire_zap_range(struct quire_pgtable *pt, quire_linear_t virt, uint64_t size,
                                     unsigned flags, quire_pt_removed_fn *removed, void *arg,
                                     struct quire_tlb_batch *batch);

/* Sets and clears `prot` bits in all present entries of the range; a bit of both is set. Huge
 * mappings that the range cuts are split first. Accessed and dirty bits that hardware sets
 * meanwhile aren't lost. Flushes what could be seen otherwise: new rights needn't be. Holes are no
 * error. */
QUIRE_MUST_CHECK int quire_protect_range(struct quire_pgtable *pt, quire_linear_t virt,
                                         uint64_t size, uint64_t set, uint64_t clear,
                                         struct quire_tlb_batch *batch);

/* ---- page tables: looking -------------------------------------------------------------------- */

#define QUIRE_VISIT_NOT_PRESENT                                                                    \
    0x1u /* entries that aren't present are no holes, unless they are 0 */

typedef int quire_pt_visit_fn(void *arg, const struct quire_pt_run *run);

/* Visits a range in order of address until `visit` returns non-zero, which is returned.
 * Neighbouring holes are told as one. -EINVAL. */
int quire_visit_range(const struct quire_pgtable *pt, quire_linear_t virt, uint64_t size,
                      unsigned flags, quire_pt_visit_fn *visit, void *arg);

struct quire_pt_query {
    uint64_t entry;     /* the last that was read: 0, not present, or what maps the address */
    quire_phys_t phys;  /* of the byte asked about, if it is mapped */
    quire_phys_t where; /* of the entry itself */
    enum quire_pt_level level;
};

/* What is at one address. 0: it is mapped; -ENOENT: it isn't; -EINVAL: it isn't canonical.
 * O(levels). No rights are checked: that is the walk's as hardware does it. */
QUIRE_MUST_CHECK int quire_query(const struct quire_pgtable *pt, quire_linear_t virt,
                                 struct quire_pt_query *query);

/* The bits of `prot`'s kind that an entry of a level has: PAT where PT has it, no address. */
uint64_t quire_pt_entry_prot(const struct quire_pgtable *pt, enum quire_pt_level level,
                             uint64_t entry);

/* ---- page tables: single entries ------------------------------------------------------------- */

/* Entries at PT that aren't present hold whatever the caller likes in bits 1 and up, 32 or 64 bits
 * wide; 0 is a hole. Whoever faults on them finds them by quire_query. */

/* Replaces an entry that isn't present, 0 included, by any other, if it is *expected; tables are
 * made as needed. A present one is a full PT entry with its address. Nothing is to be flushed.
 *   -EINVAL   *expected is present, or `desired` has reserved bits
 *   -EAGAIN   it was another: *expected is what it was
 *   -EEXIST   a huge page is mapped there */
QUIRE_MUST_CHECK int quire_cmpxchg_entry(struct quire_pgtable *pt, quire_linear_t virt,
                                         uint64_t *expected, uint64_t desired);

/* Replaces a present PT entry by another (of another frame, of other rights, not present, 0). It
 * may differ from *expected in accessed and dirty, which hardware sets: *expected becomes what was
 * taken out, exactly; where old and new are of the same frame, what hardware set since is kept. An
 * emptied table stays.
 *   -EINVAL   *expected isn't present, or `desired` has reserved bits
 *   -EAGAIN   it was another: *expected is what it was
 *   -EEXIST   a huge page is mapped there */
QUIRE_MUST_CHECK int quire_update_entry(struct quire_pgtable *pt, quire_linear_t virt,
                                        uint64_t *expected, uint64_t desired,
                                        struct quire_tlb_batch *batch);

/* Clears the bits `bits` (ACCESSED, DIRTY or both) of what maps `virt`, and returns those that were
 * set: atomically. A cleared ACCESSED isn't flushed, so a page that stays in a TLB may seem unused
 * for a while; who minds adds it to the batch. -ENOENT: nothing does. Linux:
 * ptep_test_and_clear_young. */
QUIRE_MUST_CHECK int quire_test_and_clear(struct quire_pgtable *pt, quire_linear_t virt,
                                          uint64_t bits, struct quire_tlb_batch *batch);
/* The same over a range, by PT-sized pages: bit i of `bitmap` (room for size / 4096 bits, not
 * cleared before; NULL: not wanted) is set if page i had one of the bits; a huge page's bits are
 * all its pages'. Adds their number to *count. */
QUIRE_MUST_CHECK int quire_harvest_range(struct quire_pgtable *pt, quire_linear_t virt,
                                         uint64_t size, uint64_t bits, uint64_t *bitmap,
                                         uint64_t *count, struct quire_tlb_batch *batch);

/* ---- page tables: huge mappings, fork -------------------------------------------------------- */

/* Replaces the huge page that maps `virt` by a table of pages of the next smaller size, which
 * translate the same and have its bits, accessed and dirty included. -ENOENT: there is no huge
 * page; -EINVAL: nor is there anything smaller (i386 beyond 4 GiB). */
QUIRE_MUST_CHECK int quire_split(struct quire_pgtable *pt, quire_linear_t virt,
                                 struct quire_tlb_batch *batch);
/* The reverse: the table of `level`'s entry for `virt` becomes one page, if it maps contiguous,
 * aligned memory with the same bits throughout; accessed and dirty become those of any. Flushes at
 * once, whatever is in the batch. The translation is never interrupted.
 *   -ENOENT   there is no such table, or a hole in it
 *   -EINVAL   it isn't contiguous and alike, or the level can't map memory */
QUIRE_MUST_CHECK int quire_collapse(struct quire_pgtable *pt, quire_linear_t virt,
                                    enum quire_pt_level level, struct quire_tlb_batch *batch);

/* For fork: gives `to` the entries that `from` has in a range, which is empty in `to`, in one walk.
 * Both have the same format. */
struct quire_pt_copy {
    uint64_t
        clear_both; /* bits that present entries lose on both sides: WRITE, for copy on write */
    uint64_t clear_copy; /* and in the copy alone: ACCESSED, DIRTY */
    /* Told each run before the copy has it, as the source has it then, entries that aren't present
     * included: to take references. Non-zero stops the copy, and is returned. May be NULL. */
    quire_pt_visit_fn *copied;
    /* Told what was told `copied` with success when the copy is stopped, as the copy had it. May be
     * NULL. */
    quire_pt_removed_fn *undone;
    void *arg;
};

/* The batch is the source's. Huge mappings that the range cuts are split first. When `copied` stops
 * it, `to` is as it was; what the source lost to clear_both stays lost, so that has to be something
 * that a fault can give back.
 *   -EINVAL   the formats differ
 *   -EEXIST   something is mapped in `to`, or it has a table of smaller pages where a huge one goes
 */
QUIRE_MUST_CHECK int quire_copy_range(struct quire_pgtable *to, struct quire_pgtable *from,
                                      quire_linear_t virt, uint64_t size,
                                      const struct quire_pt_copy *copy,
                                      struct quire_tlb_batch *batch);

/* ---- vmalloc: memory that is contiguous in addresses only -------------------------------------
 *
 * A `struct quire_vmalloc` hands out addresses of one range of a kernel's page tables, with pages
 * from anywhere, HighMem first; an unmapped guard page follows each piece. What is given back is
 * unmapped at once, but TLBs may still lead to it: addresses and pages stay out of use until one
 * flush serves for many pieces (a "purge"), which comes when there are enough of them, when
 * addresses run out, when the machine is short of memory, or when asked for.
 *
 * Addresses are of the machine whose tables these are: who runs on it makes pointers of them. 0 is
 * never one; it says: failed, and nothing changed but that tables which were made stay, empty. They
 * stay as long as the page tables do, for the kernel's part of them is shared.
 *
 * Contexts. What allocates, maps and frees may be called by any number of CPUs at once, but not in
 * interrupt handlers nor with interrupts off: it may flush. It sleeps only if `gfp`, or that of the
 * tables, holds QUIRE_GFP_DIRECT_RECLAIM. One spinlock guards the tree of ranges, for O(log n) at a
 * time with n of them; tables are changed without it.
 *
 * Linux: mm/vmalloc.c; names are its.
 */
struct quire_vmalloc;

struct quire_vmalloc_config {
    struct quire_mem *mem;
    struct quire_slab *slab;   /* of `mem`: for what describes ranges, and kvmalloc */
    struct quire_pgtable *pt;  /* the kernel's; nobody else maps anything in the range */
    quire_linear_t start, end; /* of whole pages, `end` exclusive; not from 0 on */
    unsigned long lazy_pages;  /* given back, guards included, that a purge is for; 0: 32 MiB for
                                * each bit of the number of CPUs, as Linux, but at most 1/32 of
                                * managed memory */
    uint64_t prot;             /* of QUIRE_PT_PROT; 0: writable, accessed, dirty, and global and
                                * no-execute where the tables have them */
};

/* No ranges yet; registers a shrinker. -EINVAL: the range or `prot` isn't one of these tables;
 * -ENOMEM. */
QUIRE_MUST_CHECK int quire_vmalloc_init(struct quire_vmalloc **vm,
                                        const struct quire_vmalloc_config *config);
/* The end: frees every piece, and flushes. Nobody uses it any more. Returns the number of pieces
 * that nobody had given back. O(pages). */
unsigned long quire_vmalloc_destroy(struct quire_vmalloc *vm);

/* `size` bytes, rounded up to pages, at a page's beginning. `gfp` is for the pages (ZERO clears
 * them; with DMA or DMA32 they aren't taken from HighMem; MOVABLE, RECLAIMABLE and COMP are
 * ignored). 0: size 0, nonsense in gfp, NOFAIL; no addresses, pages or memory for tables, with a
 * line in the log unless NOWARN. The pages are order-0 blocks with one reference, whose
 * owner.pointer[0] is this layer's. O(pages + log ranges). */
QUIRE_MUST_CHECK quire_linear_t quire_vmalloc(struct quire_vmalloc *vm, uint64_t size,
                                              quire_gfp_t gfp);
QUIRE_MUST_CHECK quire_linear_t quire_vzalloc(struct quire_vmalloc *vm, uint64_t size,
                                              quire_gfp_t gfp);

#define QUIRE_VMALLOC_HUGE                                                                         \
    0x1u /* from the size of a huge page on: by huge pages as far as memory allows, and small ones \
          * for the rest. Linux: VM_ALLOW_HUGE_VMAP */

/* The same with pages of `node` or near it (-1: the CPU's), and flags. 0 also for no such node or
 * flag. Linux: vmalloc_node, vmalloc_huge. */
QUIRE_MUST_CHECK quire_linear_t quire_vmalloc_node(struct quire_vmalloc *vm, uint64_t size,
                                                   quire_gfp_t gfp, int node, unsigned flags);

/* Gives back what any of these gave; 0 is ignored. What isn't such an address is reported as a
 * mistake. O(pages + log ranges); a purge is O(its pages + its ranges * log ranges). */
void quire_vfree(struct quire_vmalloc *vm, quire_linear_t address);

/* Maps `count` pages in a row, with `prot` (0: the configuration's). The pages, and the references
 * to them, stay the caller's. 0: count 0, no such prot, no addresses, no memory for tables. */
QUIRE_MUST_CHECK quire_linear_t quire_vmap(struct quire_vmalloc *vm,
                                           struct quire_page *const *pages, unsigned long count,
                                           uint64_t prot);
/* Undoes vmap; 0 is ignored, mistakes as for vfree. TLBs may lead to the pages until a purge: who
 * minds calls quire_vm_unmap_aliases before he frees them. */
void quire_vunmap(struct quire_vmalloc *vm, quire_linear_t address);

/* Purges: flushes, and frees what was waiting for that. Pages freed. */
unsigned long quire_vm_unmap_aliases(struct quire_vmalloc *vm);

/* The page that is mapped at an address of the range; NULL: none. O(levels), without locks, in any
 * context. */
struct quire_page *quire_vmalloc_to_page(const struct quire_vmalloc *vm, quire_linear_t address);

/* For kernels whose pointers these addresses are, beside the direct map's: kmalloc, silently, and
 * if that fails and `size` is more than a page, vmalloc, if gfp lets it sleep. NULL: neither, or
 * size 0 gives QUIRE_ZERO_SIZE_PTR as kmalloc does. A range whose addresses are more than a pointer
 * holds is never used. */
QUIRE_MUST_CHECK void *quire_kvmalloc(struct quire_vmalloc *vm, size_t size, quire_gfp_t gfp);
QUIRE_MUST_CHECK void *quire_kvzalloc(struct quire_vmalloc *vm, size_t size, quire_gfp_t gfp);
/* Frees what kvmalloc or kmalloc gave; NULL is ignored. */
void quire_kvfree(struct quire_vmalloc *vm, const void *ptr);

/* Exact while nobody allocates or frees. O(1). */
struct quire_vmalloc_info {
    unsigned long nr_ranges;     /* in use */
    unsigned long nr_pages;      /* of vmalloc, in use */
    unsigned long nr_lazy;       /* ranges that wait for a purge */
    unsigned long nr_lazy_pages; /* of addresses: guards included */
    unsigned long nr_purges;     /* so far */
};
void quire_vmalloc_info(struct quire_vmalloc *vm, struct quire_vmalloc_info *info);

/* All ranges by address: as /proc/vmallocinfo (with addresses of callers as numbers), or as JSON.
 * `write` is called without locks, and each range is told as it was then. -EINVAL: no such format.
 * O(pages + ranges * log ranges). */
int quire_vmallocinfo(struct quire_vmalloc *vm, enum quire_format format, quire_write_fn *write,
                      void *arg);

/* Checks every invariant while nobody allocates or frees; a broken one is a panic. O(ranges). For
 * tests. */
void quire_vmalloc_check(struct quire_vmalloc *vm);

/* ---- kernel windows -------------------------------------------------------------------------- */

/* How a kernel reaches memory that isn't directly mapped: on 32-bit machines what lies beyond 896
 * MiB (HighMem), and devices.
 *
 *     quire_direct_map_init    [0, end) once and for all, at a fixed offset
 *     quire_kmap               a page for as long as one likes, for all CPUs; may have to wait
 *     quire_kmap_local_page    a page for this CPU, for a few lines of code; never waits
 *     quire_set_fixmap         devices, at addresses that are known beforehand
 *
 * A page of the direct map needs no window: its address there is what the functions give, and
 * giving it back does nothing. Where everything is directly mapped (64 bits) a configuration
 * without windows will do.
 *
 * Addresses are the table's, not this machine's own pointers: a kernel that runs on the table casts
 * them, who simulates one accesses them through ports/sim. The table's set of CPUs is that of all
 * who use its windows.
 *
 * Every page of a window that is closed has an entry that isn't present and isn't 0: nothing else
 * is mapped there by mistake, and tables stay. So opening one allocates nothing.
 *
 * Source: Linux's mm/highmem.c and include/asm-generic/fixmap.h. */

/* `most` on 32-bit machines: 128 MiB of the kernel's GiB are left for windows, as on Linux. */
#define QUIRE_DIRECT_MAP_I386_BYTES 0x38000000u

/* Physical memory [0, end) at [base, base + end). */
struct quire_direct_map {
    quire_linear_t base;
    quire_phys_t end; /* where HighMem begins */
};

/* Maps memory from 0 to `memory_end`, but no more than `most` bytes (0: no limit), at `base`, by
 * the largest pages that fit. All three are multiples of QUIRE_PAGE_SIZE. Errors, locks, context
 * and cost are quire_map_range's; `direct` is set on success. */
QUIRE_MUST_CHECK int quire_direct_map_init(struct quire_direct_map *direct,
                                           struct quire_pgtable *pt, quire_linear_t base,
                                           quire_phys_t memory_end, quire_phys_t most,
                                           uint64_t prot);

/* Where the direct map ends as an address: Linux's high_memory. */
static inline quire_linear_t quire_high_memory(const struct quire_direct_map *direct)
{
    return direct->base + direct->end;
}

static inline bool quire_is_directly_mapped(const struct quire_direct_map *direct,
                                            quire_phys_t phys)
{
    return phys < direct->end;
}

/* Windows of kmap_local that a CPU can have open: code, interrupts and what they call together.
 * Linux's KM_MAX_IDX. */
#define QUIRE_KMAP_LOCAL_SLOTS 16u
#define QUIRE_MAX_PKMAP 4096u

struct quire_windows_config {
    struct quire_pgtable *pt;
    struct quire_direct_map direct;
    /* [pkmap_base, + nr_pkmap pages) is kmap's. 0 pages: there is no kmap beyond the direct map.
     * As many as a table maps (quire_pkmap_pages) cost one table. */
    quire_linear_t pkmap_base;
    unsigned nr_pkmap; /* at most QUIRE_MAX_PKMAP */
    /* Fixmap page i is at fixmap_top - (i + 1) pages: first nr_fixed of devices, below them
     * QUIRE_KMAP_LOCAL_SLOTS a CPU. 0: there is neither. */
    quire_linear_t fixmap_top;
    unsigned nr_fixed;
    unsigned nr_cpus; /* that have kmap_local; 0: those of the quire_mem */
    uint64_t prot;    /* of kmap and kmap_local; 0: written, global, not executed */
};

struct quire_pkmap;
struct quire_kmap_stack;

/* Read only, but by this layer. */
struct quire_windows {
    struct quire_pgtable *pt;
    struct quire_direct_map direct;
    quire_linear_t pkmap_base, fixmap_top;
    unsigned nr_pkmap, nr_fixed, nr_cpus;
    uint64_t prot;
    struct quire_pkmap *pkmap;      /* NULL: none */
    struct quire_kmap_stack *stack; /* by CPU; NULL: no fixmap */
};

/* Pages that one table maps: 1024 on i386, 512 elsewhere (of 4 KiB). */
unsigned quire_pkmap_pages(const struct quire_pgtable *pt);

/* Reserves the areas in the table, all closed. Their addresses are this object's from here on. The
 * root's entries for them are made now and stay: other roots copy them, and processors with PAE
 * load them, after this. Allocates their tables, and some 16 bytes a page of kmap and a cache line
 * a CPU. May sleep as the table's gfp lets it; without locks. O(pages of the areas).
 *   -EINVAL   an area isn't of whole pages, wraps or isn't canonical; a number is out of range; or
 *             prot has bits that the table can't have
 *   -EEXIST   something is mapped there, or the areas overlap
 *   -ENOMEM   nothing stays allocated */
QUIRE_MUST_CHECK int quire_windows_init(struct quire_windows *w,
                                        const struct quire_windows_config *config);
/* Gives the areas and their tables back, whatever is open, and flushes. Nobody uses them any more,
 * nor anything under the same entries of the root (as for unmap without KEEP_TABLES). The number of
 * windows of kmap and kmap_local that were open: mistakes. The direct map stays. */
unsigned long quire_windows_destroy(struct quire_windows *w);
/* Checks every invariant; a broken one is a panic. Nobody uses the windows meanwhile. For tests. */
void quire_windows_check(const struct quire_windows *w);

/* The address of a page until as many quire_kunmap; the same for all who ask meanwhile. A page that
 * was unmapped last keeps its place until places run out: then all that are unused are cleared at
 * once, with one flush. If all are used, it waits if `gfp` has QUIRE_GFP_DIRECT_RECLAIM and the
 * machine has a `wait` callback, which is called until another gives one back: so who holds many at
 * a time may wait for himself.
 *   -EAGAIN   all are used, and it can't wait
 *   -EINVAL   there are none, or entries can't say where the page is
 * Takes the windows' lock, with interrupts off; flushes and waits without it. Not in interrupts,
 * not with locks held. O(1); each flush is O(nr_pkmap), once for as many pages as it freed. */
QUIRE_MUST_CHECK int quire_kmap(struct quire_windows *w, const struct quire_page *page,
                                quire_gfp_t gfp, quire_linear_t *virt);
/* Of a page that isn't mapped: reported as phys reports mistakes (ops->bad_page), and ignored.
 * Takes the windows' lock; from any context but interrupts. O(1). */
void quire_kunmap(struct quire_windows *w, const struct quire_page *page);
/* Where a page is in the direct map or, while someone has it, in kmap's area: Linux's page_address.
 * -ENOENT: nowhere. Takes the windows' lock. O(1). */
QUIRE_MUST_CHECK int quire_kmap_address(struct quire_windows *w, const struct quire_page *page,
                                        quire_linear_t *virt);
/* The page of an address of the direct map or of kmap, NULL for others: Linux's kmap_to_page. Takes
 * the windows' lock. O(1). */
struct quire_page *quire_kmap_to_page(struct quire_windows *w, quire_linear_t virt);
/* How often kmap's area was flushed. */
unsigned long quire_kmap_flushes(const struct quire_windows *w);

/* The address of a page frame for this CPU. A frame that needs a window keeps preemption off until
 * quire_kunmap_local; last in, first out. Also in interrupts, where quire_port_cpu names the CPU
 * there. No locks; never sleeps. O(levels). The frame may have no descriptor.
 *   -ENOSPC   QUIRE_KMAP_LOCAL_SLOTS are open, or this CPU has none
 *   -EINVAL   there is no fixmap, or entries can't say where the frame is */
QUIRE_MUST_CHECK int quire_kmap_local_pfn(struct quire_windows *w, quire_pfn_t pfn,
                                          quire_linear_t *virt);
QUIRE_MUST_CHECK static inline int
quire_kmap_local_page(struct quire_windows *w, const struct quire_page *page, quire_linear_t *virt)
{
    return quire_kmap_local_pfn(w, quire_page_to_pfn(page), virt);
}
/* By any address of the page. Flushes it from this CPU alone, since no other uses its windows. One
 * that isn't this CPU's last is reported as phys reports mistakes, and stays as it is. O(levels).
 */
void quire_kunmap_local(struct quire_windows *w, quire_linear_t virt);

/* Maps page `index` of the fixmap to the page at `phys`, in place of what it mapped; then that is
 * flushed everywhere. The page's owner is the caller: one change at a time. No locks; waits for
 * other CPUs if it flushes. `prot` as in quire_map_range.
 *   -EINVAL   no such page, or `phys` or `prot` is nothing that the table can have */
QUIRE_MUST_CHECK int quire_set_fixmap(struct quire_windows *w, unsigned index, quire_phys_t phys,
                                      uint64_t prot);
/* Nothing is mapped there any more. -EINVAL: no such page. */
QUIRE_MUST_CHECK int quire_clear_fixmap(struct quire_windows *w, unsigned index);

/* The address of page `index`, below nr_fixed. O(1). */
static inline quire_linear_t quire_fix_to_virt(const struct quire_windows *w, unsigned index)
{
    return w->fixmap_top - ((quire_linear_t)index + 1) * QUIRE_PAGE_SIZE;
}
/* Back, by any address of the page. -EINVAL: it isn't the fixmap's. */
QUIRE_MUST_CHECK int quire_virt_to_fix(const struct quire_windows *w, quire_linear_t virt,
                                       unsigned *index);

#ifdef __cplusplus
}
#endif

#endif
