/* quire/segment.h: from logical addresses to linear ones (SDM 3A, chapter 3)
 *
 * Protected mode: 32-bit, compatibility and 64-bit. Not modelled: real and virtual-8086 mode, gates
 * (a gate's selector is refused as one of the wrong type), task switches, alignment checks.
 */
#ifndef QUIRE_SEGMENT_H
#define QUIRE_SEGMENT_H

#include <quire/fault.h>

#ifdef __cplusplus
extern "C" {
#endif

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

#ifdef __cplusplus
}
#endif

#endif
