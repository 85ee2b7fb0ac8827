/* quire/paging.h: formats of page tables, as data, and the bits of their entries
 *
 * Bit by bit from SDM 3A, chapter 4. Levels that a format lacks are folded, so that callers always
 * speak of five; Linux's include/asm-generic/pgtable-nop4d.h and its neighbours do it so.
 */
#ifndef QUIRE_PAGING_H
#define QUIRE_PAGING_H

#include <quire/types.h>

#ifdef __cplusplus
extern "C" {
#endif

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

/* What a processor can't do of what its format has (SDM 3A, 4.1.4). All zero: it can do all. */
struct quire_pt_features {
    uint8_t phys_bits; /* MAXPHYADDR, 32 to 52; 0: 52. 32 means no PSE-36 too. */
    bool no_nx;        /* IA32_EFER.NXE is clear: the bit is reserved */
    bool no_1gib;      /* PS is reserved at PUD */
};

static inline bool quire_pt_features_are_equal(const struct quire_pt_features *a,
                                               const struct quire_pt_features *b)
{
    return a->phys_bits == b->phys_bits && a->no_nx == b->no_nx && a->no_1gib == b->no_1gib;
}

/* Bits that must be clear in a present entry of a level: of one that maps memory, or of one that
 * leads to a table. `level` is the lowest of those that share the entry. */
uint64_t quire_pt_reserved(const struct quire_pt_format *format,
                           const struct quire_pt_features *features, enum quire_pt_level level,
                           bool leaf);

/* Whether entries of a level may map memory on this processor. */
bool quire_pt_may_be_leaf(const struct quire_pt_format *format,
                          const struct quire_pt_features *features, enum quire_pt_level level);

/* Memory that an entry of a level can map ends here: MAXPHYADDR; with entries of 4 bytes 4 GiB, and
 * for i386's 4 MiB pages 2^40 (PSE-36). */
quire_phys_t quire_pt_phys_end(const struct quire_pt_format *format,
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

#ifdef __cplusplus
}
#endif

#endif
