/* tests/unit/segment_test.c: segments: descriptors bit by bit, and every fault with its error code
 *
 * The rules are those of the operation sections of MOV, JMP and LLDT in the SDM's volume 2, and of
 * volume 3A, chapters 3 and 5. Tables of cases: what is loaded or accessed, and what hardware says.
 */
#include <quire/map.h>

#include "tests/harness/harness.h"

/* ---- tables in memory ------------------------------------------------------------------------ */

#define GDT_AT 0x1000u
#define LDT_AT 0x2000u
#define NR_ENTRIES 32u

/* Linear memory with two tables in it; what lies elsewhere is a page that isn't present. */
static uint64_t gdt[NR_ENTRIES], ldt[NR_ENTRIES];
static unsigned writes;

static uint64_t *entry_at(quire_linear_t at)
{
    if (at >= GDT_AT && at < GDT_AT + sizeof gdt && at % 8 == 0)
        return &gdt[(at - GDT_AT) / 8];
    if (at >= LDT_AT && at < LDT_AT + sizeof ldt && at % 8 == 0)
        return &ldt[(at - LDT_AT) / 8];
    return NULL;
}

static bool page_fault(quire_linear_t at, struct quire_fault *fault)
{
    *fault = (struct quire_fault){QUIRE_VECTOR_PF, QUIRE_FAULT_PAGE_ABSENT, 0, at};
    return false;
}

static bool read_entry(void *arg, quire_linear_t at, uint64_t *value, struct quire_fault *fault)
{
    (void)arg;
    uint64_t *entry = entry_at(at);
    if (!entry)
        return page_fault(at, fault);
    *value = *entry;
    return true;
}

static bool write_entry(void *arg, quire_linear_t at, uint64_t value, struct quire_fault *fault)
{
    (void)arg;
    uint64_t *entry = entry_at(at);
    if (!entry)
        return page_fault(at, fault);
    *entry = value;
    writes++;
    return true;
}

static const struct quire_descriptor_memory memory = {.read = read_entry, .write = write_entry};

/* Selectors of what `setup` puts into the tables; the RPL is added. */
enum {
    CODE0 = 1 << 3,   /* readable, ring 0 */
    DATA0 = 2 << 3,   /* writable, ring 0 */
    CODE3 = 3 << 3,   /* readable, ring 3 */
    DATA3 = 4 << 3,   /* writable, ring 3 */
    EXEC3 = 5 << 3,   /* execute-only, ring 3 */
    CONF0 = 6 << 3,   /* conforming, readable, ring 0 */
    CONF3 = 7 << 3,   /* conforming, readable, ring 3 */
    RO3 = 8 << 3,     /* read-only data, ring 3 */
    GONE_D3 = 9 << 3, /* DATA3, not present */
    GONE_C0 = 10 << 3,
    GONE_D0 = 11 << 3,
    LDT0 = 12 << 3, /* the LDT, 4 entries */
    TSS0 = 13 << 3,
    GATE0 = 14 << 3, /* a call gate */
    GONE_LDT = 15 << 3,
    SMALL = 16 << 3,     /* data from 0x10000, limit 0x7fff */
    DOWN16 = 17 << 3,    /* expand-down, limit 0xfff, up to 64 KiB */
    DOWN32 = 18 << 3,    /* expand-down, limit 0xfffff pages less one, up to 4 GiB */
    LONG0 = 19 << 3,     /* 64-bit code, ring 0 */
    BAD_LONG = 20 << 3,  /* L and D */
    LDT64 = 21 << 3,     /* 16 bytes, base beyond 4 GiB */
    BAD_LDT64 = 23 << 3, /* a type in the upper half */
    FAR_LDT64 = 25 << 3, /* a base that isn't canonical */
    CODE1 = 27 << 3,
    HIGH = 28 << 3,      /* data from 0xfffff000 on, so that addresses wrap */
    LAST = 31 << 3,      /* the GDT ends before it */
    IN_LDT = 1 << 3 | 4, /* writable data, ring 3, from 0x400000 on */
};

static void setup(struct quire_segments *s, bool long_mode, unsigned cpl)
{
    static const uint64_t entries[NR_ENTRIES] = {
        [CODE0 / 8] = 0x00cf9a000000ffff,    [DATA0 / 8] = 0x00cf92000000ffff,
        [CODE3 / 8] = 0x00cffa000000ffff,    [DATA3 / 8] = 0x00cff2000000ffff,
        [EXEC3 / 8] = 0x00cff8000000ffff,    [CONF0 / 8] = 0x00cf9e000000ffff,
        [CONF3 / 8] = 0x00cffe000000ffff,    [RO3 / 8] = 0x00cff0000000ffff,
        [GONE_D3 / 8] = 0x00cf72000000ffff,  [GONE_C0 / 8] = 0x00cf1a000000ffff,
        [GONE_D0 / 8] = 0x00cf12000000ffff,  [LDT0 / 8] = 0x000082002000001f,
        [TSS0 / 8] = 0x0000890000000067,     [GATE0 / 8] = 0x00008c0000080000,
        [GONE_LDT / 8] = 0x000002002000001f, [SMALL / 8] = 0x0040f20100007fff,
        [DOWN16 / 8] = 0x0000f60000000fff,   [DOWN32 / 8] = 0x00cff6000000fffe,
        [LONG0 / 8] = 0x00af9a000000ffff,    [BAD_LONG / 8] = 0x00ef9a000000ffff,
        [LDT64 / 8] = 0x000082002000001f,    [BAD_LDT64 / 8] = 0x000082002000001f,
        [BAD_LDT64 / 8 + 1] = 1ull << 40,    [FAR_LDT64 / 8] = 0x000082002000001f,
        [FAR_LDT64 / 8 + 1] = 0x80000000,    [CODE1 / 8] = 0x00cfba000000ffff,
        [HIGH / 8] = 0xffcff2fff000ffff,
    };
    for (unsigned i = 0; i < NR_ENTRIES; i++) {
        gdt[i] = entries[i];
        ldt[i] = i == 1 ? 0x00cff2400000ffff : 0;
    }
    writes = 0;
    *s = (struct quire_segments){
        .gdtr = {GDT_AT, LAST - 1},
        .long_mode = long_mode,
        .linear_bits = 48,
        .memory = &memory,
    };
    /* The hidden part of CS as a jump would have left it. */
    static const uint16_t code_of_ring[] = {CODE0, CODE1, CODE0, CODE3};
    uint16_t code = long_mode ? LONG0 : code_of_ring[cpl];
    s->segment[QUIRE_CS] = (struct quire_segment){(uint16_t)(code | cpl), true,
                                                  quire_descriptor_decode(entries[code / 8], 0)};
}

/* ---- descriptors ----------------------------------------------------------------------------- */

static void linuxs_flat_segments_are_decoded(void)
{
    struct quire_descriptor d = quire_descriptor_decode(0x00cffa000000ffff, 0);
    CHECK_EQ(d.base, 0);
    CHECK_EQ(d.limit, 0xfffff);
    CHECK_EQ(quire_descriptor_limit(&d), 0xffffffff);
    CHECK_EQ(d.type, QUIRE_SEGMENT_CODE | QUIRE_SEGMENT_READABLE);
    CHECK_EQ(d.dpl, 3);
    CHECK(d.code_or_data && d.present && d.granular && d.big && !d.long_mode && !d.available);
    CHECK_EQ(quire_linux_gdt_i386[QUIRE_LINUX_I386_KERNEL_CS / 8], 0x00cf9a000000ffff);
    CHECK_EQ(quire_linux_gdt_i386[QUIRE_LINUX_I386_KERNEL_DS / 8], 0x00cf92000000ffff);
    CHECK_EQ(quire_linux_gdt_i386[QUIRE_LINUX_I386_USER_CS / 8], 0x00cffa000000ffff);
    CHECK_EQ(quire_linux_gdt_i386[QUIRE_LINUX_I386_USER_DS / 8], 0x00cff2000000ffff);
    d = quire_descriptor_decode(quire_linux_gdt_x86_64[QUIRE_LINUX_X86_64_USER_CS / 8], 0);
    CHECK(d.long_mode && !d.big && d.dpl == 3 && d.type & QUIRE_SEGMENT_CODE);
    d = quire_descriptor_decode(quire_linux_gdt_x86_64[QUIRE_LINUX_X86_64_USER32_CS / 8], 0);
    CHECK(!d.long_mode && d.big && d.dpl == 3 && d.type & QUIRE_SEGMENT_CODE);
    d = quire_descriptor_decode(quire_linux_gdt_x86_64[QUIRE_LINUX_X86_64_KERNEL_DS / 8], 0);
    CHECK(d.dpl == 0 && d.type == (QUIRE_SEGMENT_WRITABLE | QUIRE_SEGMENT_ACCESSED));
}

static void each_field_lies_where_the_manual_has_it(void)
{
    struct quire_descriptor d = quire_descriptor_decode(0x12f45678aabbccdd, 0);
    CHECK_EQ(d.base, 0x1278aabb);
    CHECK_EQ(d.limit, 0x4ccdd);
    CHECK_EQ(d.type, 0x6);
    CHECK(d.code_or_data && d.dpl == 2 && !d.present);
    CHECK(d.granular && d.big && d.long_mode && d.available);
    CHECK_EQ(quire_descriptor_limit(&d), 0x4ccddfff);
    d = quire_descriptor_decode(0x0000890010000067, 0xffff8880);
    CHECK_EQ(d.base, 0xffff888000001000);
    CHECK_EQ(d.type, QUIRE_SEGMENT_TSS);
    CHECK(!d.code_or_data);
    CHECK_EQ(quire_descriptor_limit(&d), 0x67);
    CHECK_EQ(quire_descriptor_encode_high(&d), 0xffff8880);
}

static void decoding_and_encoding_are_inverse(void)
{
    for (unsigned i = 0; i < 10000; i++) {
        uint64_t raw = test_random(), high = test_random() >> 32;
        struct quire_descriptor d = quire_descriptor_decode(raw, high);
        CHECK_EQ(quire_descriptor_encode(&d), raw);
        CHECK_EQ(quire_descriptor_encode_high(&d), high);
    }
}

/* ---- loads ----------------------------------------------------------------------------------- */

enum { MODE_32, MODE_64 };

struct load_case {
    uint8_t mode, cpl, which;
    uint16_t selector;
    uint8_t vector; /* 0: it is loaded */
    uint16_t error_code;
    uint8_t reason;
};

#define LOADED 0, 0, 0
#define GP(error, reason) QUIRE_VECTOR_GP, error, QUIRE_FAULT_##reason

static const struct load_case loads[] = {
    /* Data. */
    {MODE_32, 0, QUIRE_DS, DATA0, LOADED},
    {MODE_32, 0, QUIRE_ES, CODE0, LOADED},
    {MODE_32, 0, QUIRE_FS, DATA3, LOADED},
    {MODE_32, 3, QUIRE_GS, DATA3 | 3, LOADED},
    {MODE_32, 3, QUIRE_DS, RO3 | 3, LOADED},
    {MODE_32, 3, QUIRE_DS, DATA3, LOADED}, /* an RPL below CPL changes nothing */
    {MODE_32, 3, QUIRE_DS, CONF0 | 3, LOADED},
    {MODE_32, 3, QUIRE_DS, CODE3 | 3, LOADED},
    {MODE_32, 3, QUIRE_DS, DATA0 | 3, GP(DATA0, PRIVILEGE)},
    {MODE_32, 3, QUIRE_DS, DATA0, GP(DATA0, PRIVILEGE)},
    {MODE_32, 0, QUIRE_DS, DATA0 | 3, GP(DATA0, PRIVILEGE)}, /* RPL weakens the supervisor */
    {MODE_32, 1, QUIRE_DS, CODE0 | 1, GP(CODE0, PRIVILEGE)},
    {MODE_32, 3, QUIRE_DS, EXEC3 | 3, GP(EXEC3, TYPE)},
    {MODE_32, 0, QUIRE_DS, TSS0, GP(TSS0, TYPE)},
    {MODE_32, 0, QUIRE_DS, GATE0, GP(GATE0, TYPE)},
    {MODE_32, 0, QUIRE_DS, LAST, GP(LAST, TABLE_LIMIT)},
    {MODE_32, 3, QUIRE_DS, 0xfffb, GP(0xfff8, TABLE_LIMIT)},
    {MODE_32, 3, QUIRE_DS, IN_LDT | 3, GP(IN_LDT, NO_LDT)},
    {MODE_32, 3, QUIRE_DS, GONE_D3 | 3, QUIRE_VECTOR_NP, GONE_D3, QUIRE_FAULT_NOT_PRESENT},
    {MODE_32, 3, QUIRE_DS, GONE_D0 | 3, GP(GONE_D0, PRIVILEGE)}, /* privilege comes first */
    {MODE_32, 3, QUIRE_DS, 3, LOADED},                           /* null, with any RPL */
    {MODE_32, 0, QUIRE_GS, 0, LOADED},
    /* Stacks. */
    {MODE_32, 0, QUIRE_SS, DATA0, LOADED},
    {MODE_32, 3, QUIRE_SS, DATA3 | 3, LOADED},
    {MODE_32, 0, QUIRE_SS, 0, GP(0, NULL_SELECTOR)},
    {MODE_32, 3, QUIRE_SS, 3, GP(0, NULL_SELECTOR)},
    {MODE_32, 0, QUIRE_SS, DATA3, GP(DATA3, PRIVILEGE)},
    {MODE_32, 0, QUIRE_SS, DATA0 | 3, GP(DATA0, PRIVILEGE)},
    {MODE_32, 3, QUIRE_SS, DATA3, GP(DATA3, PRIVILEGE)},
    {MODE_32, 3, QUIRE_SS, RO3 | 3, GP(RO3, TYPE)},
    {MODE_32, 0, QUIRE_SS, CODE0, GP(CODE0, TYPE)},
    {MODE_32, 0, QUIRE_SS, TSS0, GP(TSS0, TYPE)},
    {MODE_32, 0, QUIRE_SS, LAST, GP(LAST, TABLE_LIMIT)},
    {MODE_32, 0, QUIRE_SS, GONE_D0, QUIRE_VECTOR_SS, GONE_D0, QUIRE_FAULT_NOT_PRESENT},
    {MODE_32, 3, QUIRE_SS, GONE_D3 | 3, QUIRE_VECTOR_SS, GONE_D3, QUIRE_FAULT_NOT_PRESENT},
    /* Code. */
    {MODE_32, 0, QUIRE_CS, CODE0, LOADED},
    {MODE_32, 3, QUIRE_CS, CODE3, LOADED},
    {MODE_32, 3, QUIRE_CS, CONF0 | 3, LOADED}, /* and stays in ring 3 */
    {MODE_32, 3, QUIRE_CS, CONF3, LOADED},
    {MODE_32, 0, QUIRE_CS, 0, GP(0, NULL_SELECTOR)},
    {MODE_32, 0, QUIRE_CS, CODE3, GP(CODE3, PRIVILEGE)},
    {MODE_32, 0, QUIRE_CS, CODE0 | 1, GP(CODE0, PRIVILEGE)},
    {MODE_32, 3, QUIRE_CS, CODE0 | 3, GP(CODE0, PRIVILEGE)},
    {MODE_32, 0, QUIRE_CS, CONF3, GP(CONF3, PRIVILEGE)}, /* conforming to the outside only */
    {MODE_32, 0, QUIRE_CS, DATA0, GP(DATA0, TYPE)},
    {MODE_32, 0, QUIRE_CS, TSS0, GP(TSS0, TYPE)},
    {MODE_32, 0, QUIRE_CS, LAST, GP(LAST, TABLE_LIMIT)},
    {MODE_32, 0, QUIRE_CS, GONE_C0, QUIRE_VECTOR_NP, GONE_C0, QUIRE_FAULT_NOT_PRESENT},
    {MODE_32, 0, QUIRE_CS, BAD_LONG, LOADED}, /* outside long mode L doesn't count */
    {MODE_64, 0, QUIRE_CS, LONG0, LOADED},
    {MODE_64, 0, QUIRE_CS, CODE0, LOADED}, /* compatibility mode */
    {MODE_64, 0, QUIRE_CS, BAD_LONG, GP(BAD_LONG, TYPE)},
    /* 64-bit mode. */
    {MODE_64, 0, QUIRE_SS, 0, LOADED},
    {MODE_64, 1, QUIRE_SS, 1, LOADED},
    {MODE_64, 0, QUIRE_SS, 1, GP(0, NULL_SELECTOR)},
    {MODE_64, 3, QUIRE_SS, 3, GP(0, NULL_SELECTOR)},
    {MODE_64, 3, QUIRE_DS, DATA0, GP(DATA0, PRIVILEGE)},
    {MODE_64, 3, QUIRE_DS, DATA3 | 3, LOADED},
};

static void check_loaded(const struct quire_segments *s, const struct load_case *c)
{
    const struct quire_segment *segment = &s->segment[c->which];
    unsigned rpl = c->which == QUIRE_CS ? c->cpl : c->selector & QUIRE_SELECTOR_RPL;
    CHECK_EQ(segment->selector, (c->selector & ~QUIRE_SELECTOR_RPL) | rpl);
    CHECK_EQ(segment->usable, !quire_selector_is_null(c->selector));
    if (segment->usable) {
        CHECK(segment->descriptor.type & QUIRE_SEGMENT_ACCESSED);
        CHECK_EQ(quire_descriptor_encode(&segment->descriptor), gdt[c->selector / 8]);
    }
}

static void loads_are_refused_as_hardware_refuses_them(void)
{
    for (unsigned i = 0; i < sizeof loads / sizeof *loads; i++) {
        const struct load_case *c = &loads[i];
        struct quire_segments s;
        struct quire_fault fault = {0};
        setup(&s, c->mode == MODE_64, c->cpl);
        bool loaded =
            quire_segment_load(&s, (enum quire_segment_register)c->which, c->selector, &fault);
        bool right = loaded == !c->vector && fault.vector == c->vector &&
                     fault.error_code == c->error_code && fault.reason == c->reason;
        CHECK(right);
        if (!right)
            test_note("case %u: selector %x: vector %u, error code %x: %s", i, c->selector,
                      fault.vector, fault.error_code,
                      quire_fault_reason_text((enum quire_fault_reason)fault.reason));
        if (loaded)
            check_loaded(&s, c);
        else
            CHECK(!s.segment[c->which].usable || c->which == QUIRE_CS);
        CHECK_EQ(writes, loaded && !quire_selector_is_null(c->selector));
    }
}

static void the_accessed_bit_is_written_once_and_only_where_it_can_be(void)
{
    struct quire_segments s;
    struct quire_fault fault;
    setup(&s, false, 0);
    CHECK(quire_segment_load(&s, QUIRE_DS, DATA0, &fault));
    CHECK(quire_segment_load(&s, QUIRE_ES, DATA0, &fault));
    CHECK_EQ(writes, 1);
    CHECK_EQ(gdt[DATA0 / 8], 0x00cf93000000ffff);
    static const struct quire_descriptor_memory rom = {.read = read_entry};
    s.memory = &rom;
    CHECK(quire_segment_load(&s, QUIRE_ES, CODE0, &fault));
    CHECK(s.segment[QUIRE_ES].descriptor.type & QUIRE_SEGMENT_ACCESSED);
    CHECK_EQ(gdt[CODE0 / 8], 0x00cf9a000000ffff);
}

static void a_table_that_is_not_mapped_faults_as_memory_does(void)
{
    struct quire_segments s;
    struct quire_fault fault;
    setup(&s, false, 0);
    s.gdtr.base = 0x5000;
    CHECK(!quire_segment_load(&s, QUIRE_DS, DATA0, &fault));
    CHECK_EQ(fault.vector, QUIRE_VECTOR_PF);
    CHECK_EQ(fault.address, 0x5000 + DATA0);
    CHECK(!s.segment[QUIRE_DS].usable);
}

static void the_ldt_is_loaded_from_the_gdt(void)
{
    static const struct load_case cases[] = {
        {MODE_32, 0, 0, LDT0, LOADED},
        {MODE_32, 0, 0, LDT0 | 3, LOADED},
        {MODE_32, 0, 0, 0, LOADED},
        {MODE_32, 3, 0, LDT0, GP(0, PRIVILEGE)},
        {MODE_32, 0, 0, LDT0 | 4, GP(LDT0 | 4, TYPE)},
        {MODE_32, 0, 0, DATA0, GP(DATA0, TYPE)},
        {MODE_32, 0, 0, TSS0, GP(TSS0, TYPE)},
        {MODE_32, 0, 0, LAST, GP(LAST, TABLE_LIMIT)},
        {MODE_32, 0, 0, GONE_LDT, QUIRE_VECTOR_NP, GONE_LDT, QUIRE_FAULT_NOT_PRESENT},
        {MODE_64, 0, 0, LDT64, LOADED},
        {MODE_64, 0, 0, BAD_LDT64, GP(BAD_LDT64, TYPE)},
        {MODE_64, 0, 0, FAR_LDT64, GP(FAR_LDT64, NON_CANONICAL)},
        {MODE_64, 0, 0, LAST - 8, GP(LAST - 8, TABLE_LIMIT)}, /* half of it is within */
    };
    for (unsigned i = 0; i < sizeof cases / sizeof *cases; i++) {
        const struct load_case *c = &cases[i];
        struct quire_segments s;
        struct quire_fault fault = {0};
        setup(&s, c->mode == MODE_64, c->cpl);
        gdt[LDT64 / 8 + 1] = 0x7fff;
        CHECK_EQ(quire_ldtr_load(&s, c->selector, &fault), !c->vector);
        CHECK_EQ(fault.vector, c->vector);
        CHECK_EQ(fault.error_code, c->error_code);
        CHECK_EQ(fault.reason, c->reason);
        CHECK_EQ(s.ldtr.usable, !c->vector && !quire_selector_is_null(c->selector));
        if (c->selector == LDT64)
            CHECK_EQ(s.ldtr.descriptor.base, 0x7fff00002000);
    }
}

static void segments_of_the_ldt_are_loaded_within_its_limit(void)
{
    struct quire_segments s;
    struct quire_fault fault;
    setup(&s, false, 0);
    CHECK(quire_ldtr_load(&s, LDT0, &fault));
    CHECK(quire_segment_load(&s, QUIRE_DS, IN_LDT | 3, &fault));
    CHECK_EQ(s.segment[QUIRE_DS].descriptor.base, 0x400000);
    /* Entry 0 of an LDT isn't null: here it is empty, which is no kind of data. */
    CHECK(!quire_segment_load(&s, QUIRE_DS, QUIRE_SELECTOR_TI, &fault));
    CHECK_EQ(fault.error_code, QUIRE_SELECTOR_TI);
    CHECK_EQ(fault.reason, QUIRE_FAULT_TYPE);
    CHECK(!quire_segment_load(&s, QUIRE_DS, 4 << 3 | QUIRE_SELECTOR_TI, &fault));
    CHECK_EQ(fault.error_code, 4 << 3 | QUIRE_SELECTOR_TI);
    CHECK_EQ(fault.reason, QUIRE_FAULT_TABLE_LIMIT);
    struct quire_descriptor d;
    quire_linear_t at;
    CHECK(quire_descriptor_fetch(&s, IN_LDT, &d, &at, &fault));
    CHECK_EQ(at, LDT_AT + 8);
    CHECK_EQ(d.base, 0x400000);
}

/* ---- accesses -------------------------------------------------------------------------------- */

struct access_case {
    uint16_t selector;
    uint8_t which, access, size;
    uint64_t offset;
    uint8_t vector; /* 0: `linear` comes out */
    uint8_t reason;
    uint64_t linear;
};

static void check_access(const struct quire_segments *s, const struct access_case *c, unsigned i)
{
    struct quire_fault fault = {0};
    quire_linear_t linear = 0;
    bool ok = quire_logical_to_linear(s, (enum quire_segment_register)c->which, c->offset, c->size,
                                      (enum quire_access)c->access, &linear, &fault);
    bool right = ok == !c->vector && fault.vector == c->vector && fault.reason == c->reason &&
                 !fault.error_code && linear == c->linear;
    CHECK(right);
    if (!right)
        test_note("case %u: linear %llx, vector %u: %s", i, (unsigned long long)linear,
                  fault.vector, quire_fault_reason_text((enum quire_fault_reason)fault.reason));
}

static void offsets_are_checked_against_limit_and_type(void)
{
    enum { R = QUIRE_READ, W = QUIRE_WRITE, X = QUIRE_EXECUTE };
#define OUTSIDE QUIRE_VECTOR_GP, QUIRE_FAULT_LIMIT, 0
    static const struct access_case cases[] = {
        {DATA3 | 3, QUIRE_DS, W, 4, 0x08147258, 0, 0, 0x08147258},
        {DATA3 | 3, QUIRE_DS, R, 4, 0xfffffffc, 0, 0, 0xfffffffc},
        {DATA3 | 3, QUIRE_DS, R, 4, 0xfffffffd, OUTSIDE},
        {DATA3 | 3, QUIRE_SS, W, 8, 0xfffffffc, QUIRE_VECTOR_SS, QUIRE_FAULT_LIMIT, 0},
        {SMALL | 3, QUIRE_DS, R, 1, 0, 0, 0, 0x10000},
        {SMALL | 3, QUIRE_DS, R, 1, 0x7fff, 0, 0, 0x17fff},
        {SMALL | 3, QUIRE_DS, R, 8, 0x7ff8, 0, 0, 0x17ff8},
        {SMALL | 3, QUIRE_DS, R, 8, 0x7ff9, OUTSIDE},
        {SMALL | 3, QUIRE_SS, W, 1, 0x8000, QUIRE_VECTOR_SS, QUIRE_FAULT_LIMIT, 0},
        {HIGH | 3, QUIRE_DS, R, 4, 0x1234, 0, 0, 0x234},
        {HIGH | 3, QUIRE_DS, R, 4, 0xff00001234, 0, 0, 0x234}, /* 32 bits of offset count */
        {DOWN16 | 3, QUIRE_DS, R, 1, 0xfff, OUTSIDE},
        {DOWN16 | 3, QUIRE_DS, R, 1, 0x1000, 0, 0, 0x1000},
        {DOWN16 | 3, QUIRE_DS, W, 2, 0xfffe, 0, 0, 0xfffe},
        {DOWN16 | 3, QUIRE_DS, W, 2, 0xffff, OUTSIDE},
        {DOWN16 | 3, QUIRE_SS, W, 4, 0xffe, QUIRE_VECTOR_SS, QUIRE_FAULT_LIMIT, 0},
        {DOWN32 | 3, QUIRE_DS, W, 1, 0xfffeffff, OUTSIDE},
        {DOWN32 | 3, QUIRE_DS, W, 4, 0xfffffffc, 0, 0, 0xfffffffc},
        {DOWN32 | 3, QUIRE_DS, W, 4, 0xfffffffd, OUTSIDE},
        {RO3 | 3, QUIRE_DS, R, 4, 0, 0, 0, 0},
        {RO3 | 3, QUIRE_DS, W, 4, 0, QUIRE_VECTOR_GP, QUIRE_FAULT_READ_ONLY, 0},
        {CODE3 | 3, QUIRE_DS, R, 4, 0x1000, 0, 0, 0x1000},
        {CODE3 | 3, QUIRE_ES, W, 4, 0, QUIRE_VECTOR_GP, QUIRE_FAULT_READ_ONLY, 0},
        {CODE3 | 3, QUIRE_CS, X, 1, 0x8048000, 0, 0, 0x8048000},
        {CODE3 | 3, QUIRE_CS, R, 4, 0x8048000, 0, 0, 0x8048000},
        {CODE3 | 3, QUIRE_CS, W, 4, 0, QUIRE_VECTOR_GP, QUIRE_FAULT_READ_ONLY, 0},
        {EXEC3 | 3, QUIRE_CS, X, 1, 0, 0, 0, 0},
        {EXEC3 | 3, QUIRE_CS, R, 1, 0, QUIRE_VECTOR_GP, QUIRE_FAULT_EXECUTE_ONLY, 0},
        {3, QUIRE_DS, R, 1, 0, QUIRE_VECTOR_GP, QUIRE_FAULT_NULL_SELECTOR, 0},
    };
    for (unsigned i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct quire_segments s;
        struct quire_fault fault;
        setup(&s, false, 3);
        /* SS takes no expand-down stack of another kind than the table's: all are writable. */
        REQUIRE(quire_segment_load(&s, (enum quire_segment_register)cases[i].which,
                                   cases[i].selector, &fault));
        check_access(&s, &cases[i], i);
    }
}

static void in_64_bit_mode_only_fs_and_gs_have_a_base_and_only_the_form_counts(void)
{
    enum { R = QUIRE_READ, W = QUIRE_WRITE };
#define NOT_CANONICAL(vector) vector, QUIRE_FAULT_NON_CANONICAL, 0
    static const struct access_case cases[] = {
        {SMALL | 3, QUIRE_DS, W, 8, 0x7fffffffeff8, 0, 0, 0x7fffffffeff8}, /* no base, no limit */
        {SMALL | 3, QUIRE_FS, W, 8, 0x20000, 0, 0, 0x30000},
        {RO3 | 3, QUIRE_DS, W, 8, 0x1000, 0, 0, 0x1000},
        {3, QUIRE_DS, R, 8, 0x1000, 0, 0, 0x1000},
        {3, QUIRE_GS, R, 8, 0x1000, 0, 0, 0x1000},
        {3, QUIRE_DS, R, 8, 0xffff800000000000, 0, 0, 0xffff800000000000},
        {3, QUIRE_DS, R, 1, 0x7fffffffffff, 0, 0, 0x7fffffffffff},
        {3, QUIRE_DS, R, 2, 0x7fffffffffff, NOT_CANONICAL(QUIRE_VECTOR_GP)},
        {3, QUIRE_DS, R, 1, 0x800000000000, NOT_CANONICAL(QUIRE_VECTOR_GP)},
        {3, QUIRE_DS, R, 1, 0xffff7fffffffffff, NOT_CANONICAL(QUIRE_VECTOR_GP)},
        {DATA3 | 3, QUIRE_SS, R, 1, 0x800000000000, NOT_CANONICAL(QUIRE_VECTOR_SS)},
        {SMALL | 3, QUIRE_FS, R, 1, 0x7fffffffffff, NOT_CANONICAL(QUIRE_VECTOR_GP)},
    };
    for (unsigned i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct quire_segments s;
        struct quire_fault fault;
        setup(&s, true, 3);
        REQUIRE(quire_segment_load(&s, (enum quire_segment_register)cases[i].which,
                                   cases[i].selector, &fault));
        check_access(&s, &cases[i], i);
    }
    struct quire_segments s;
    setup(&s, true, 3);
    s.linear_bits = 57;
    check_access(&s, &(struct access_case){0, QUIRE_DS, R, 1, 0x800000000000, 0, 0, 1ull << 47},
                 90);
    /* A thread's own base, which an MSR holds. */
    s.segment[QUIRE_GS].descriptor.base = 0xffff888000000000;
    check_access(&s, &(struct access_case){0, QUIRE_GS, R, 8, 8, 0, 0, 0xffff888000000008}, 91);
}

static void linuxs_flat_segments_make_linear_equal_logical(void)
{
    static const uint16_t data[] = {QUIRE_LINUX_I386_KERNEL_DS, QUIRE_LINUX_I386_USER_DS};
    for (unsigned i = 0; i < 2; i++) {
        struct quire_segments s;
        struct quire_fault fault;
        setup(&s, false, 3 * i);
        for (unsigned entry = 0; entry < QUIRE_LINUX_I386_GDT_ENTRIES; entry++)
            gdt[entry] = quire_linux_gdt_i386[entry];
        REQUIRE(quire_segment_load(&s, QUIRE_DS, data[i], &fault));
        for (unsigned n = 0; n < 1000; n++) {
            uint32_t offset = (uint32_t)test_random() & ~3u;
            quire_linear_t linear = 0;
            CHECK(quire_logical_to_linear(&s, QUIRE_DS, offset, 4, QUIRE_WRITE, &linear, &fault));
            CHECK_EQ(linear, offset);
        }
    }
}

static void every_reason_has_a_text(void)
{
    for (unsigned i = 0; i < QUIRE_NR_FAULT_REASONS; i++)
        CHECK(quire_fault_reason_text((enum quire_fault_reason)i) != NULL);
    CHECK(quire_fault_reason_text(QUIRE_NR_FAULT_REASONS) != NULL);
}

static const struct test_case cases[] = {
    TEST_CASE(linuxs_flat_segments_are_decoded),
    TEST_CASE(each_field_lies_where_the_manual_has_it),
    TEST_CASE(decoding_and_encoding_are_inverse),
    TEST_CASE(loads_are_refused_as_hardware_refuses_them),
    TEST_CASE(the_accessed_bit_is_written_once_and_only_where_it_can_be),
    TEST_CASE(a_table_that_is_not_mapped_faults_as_memory_does),
    TEST_CASE(the_ldt_is_loaded_from_the_gdt),
    TEST_CASE(segments_of_the_ldt_are_loaded_within_its_limit),
    TEST_CASE(offsets_are_checked_against_limit_and_type),
    TEST_CASE(in_64_bit_mode_only_fs_and_gs_have_a_base_and_only_the_form_counts),
    TEST_CASE(linuxs_flat_segments_make_linear_equal_logical),
    TEST_CASE(every_reason_has_a_text),
    {0},
};
const struct test_suite suite_segment = {"segment", cases};
