/* tests/unit/mmu_test.c: the walk as hardware does it: every fault with its error code, each mode
 *
 * Tables of cases: registers, the entries on the way to one address, an access, and what comes of
 * it by SDM 3A, chapter 4: a physical address, or a vector and an error code (figure 4-12).
 */
#include <quire/map.h>
#include <quire/port.h>

#include "tests/harness/harness.h"

#define MEMORY_BYTES 0x10000u
#define ROOT 0x1000u /* the n-th entry of a case lies in the table at n * 0x1000 */

static struct quire_phys_memory memory;

static bool setup(void)
{
    static struct quire_port_mem port;
    if (!test_environment.memory(MEMORY_BYTES, &port)) {
        test_skip("there is no memory for tables");
        return false;
    }
    memory = (struct quire_phys_memory){.base = port.base, .size = MEMORY_BYTES};
    return true;
}

static void clear_memory(void)
{
    for (unsigned i = 0; i < MEMORY_BYTES; i++)
        memory.base[i] = 0;
}

static uint64_t get(quire_phys_t at, unsigned bytes)
{
    uint64_t value = 0;
    for (unsigned i = 0; i < bytes; i++)
        value |= (uint64_t)(uint8_t)memory.base[at + i] << (8 * i);
    return value;
}

static void put(quire_phys_t at, unsigned bytes, uint64_t value)
{
    for (unsigned i = 0; i < bytes; i++)
        memory.base[at + i] = (char)(value >> (8 * i));
}

enum mode { I386, I386_4K, PAE, LONG, LA57 };

/* Shifts of the indexes from the root down, by hand: not from the formats that are tested. */
static const struct {
    unsigned bytes, levels;
    uint8_t shift[5], bits[5];
    uint32_t cr4, efer;
} modes[] = {
    [I386] = {4, 2, {22, 12}, {10, 10}, QUIRE_CR4_PSE, 0},
    [I386_4K] = {4, 2, {22, 12}, {10, 10}, 0, 0},
    [PAE] = {8, 3, {30, 21, 12}, {2, 9, 9}, QUIRE_CR4_PAE, 0},
    [LONG] = {8, 4, {39, 30, 21, 12}, {9, 9, 9, 9}, QUIRE_CR4_PAE, QUIRE_EFER_LME},
    [LA57] = {8,
              5,
              {48, 39, 30, 21, 12},
              {9, 9, 9, 9, 9},
              QUIRE_CR4_PAE | QUIRE_CR4_LA57,
              QUIRE_EFER_LME},
};

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

static quire_phys_t entry_at(const struct walk_case *c, unsigned n)
{
    uint64_t index = c->linear >> modes[c->mode].shift[n] & ((1u << modes[c->mode].bits[n]) - 1);
    return ROOT * (n + 1) + index * modes[c->mode].bytes;
}

static bool load(const struct walk_case *c, struct quire_mmu *mmu, struct quire_fault *fault)
{
    clear_memory();
    for (unsigned n = 0; n < modes[c->mode].levels; n++)
        put(entry_at(c, n), modes[c->mode].bytes, c->entry[n]);
    *mmu = (struct quire_mmu){.eflags = c->eflags, .cpl = c->cpl, .features = {.phys_bits = 40}};
    const struct quire_mmu_registers registers = {
        .cr0 = QUIRE_CR0_PG | QUIRE_CR0_PE | c->cr0,
        .cr3 = ROOT,
        .cr4 = modes[c->mode].cr4 | c->cr4,
        .efer = modes[c->mode].efer | c->efer,
    };
    return quire_mmu_load(mmu, &registers, &memory, fault);
}

/* A and D as they must be: set in all entries and the leaf of a walk that succeeded, else as
 * before. The last entry that is present is the leaf. */
static void check_marks(const struct walk_case *c, bool walked)
{
    for (unsigned n = 0; n < modes[c->mode].levels; n++) {
        bool last = n == modes[c->mode].levels - 1 || !c->entry[n + 1];
        uint64_t expected = c->entry[n];
        if (walked && expected && !(c->mode == PAE && n == 0))
            expected |= QUIRE_PTE_ACCESSED;
        if (walked && expected && last && (c->access & 3) == QUIRE_WRITE)
            expected |= QUIRE_PTE_DIRTY;
        CHECK_EQ(get(entry_at(c, n), modes[c->mode].bytes), expected);
    }
}

static void run(const struct walk_case *cases, unsigned count)
{
    if (!setup())
        return;
    for (unsigned i = 0; i < count; i++) {
        const struct walk_case *c = &cases[i];
        struct quire_mmu mmu;
        struct quire_fault refused;
        struct quire_walk walk;
        REQUIRE(load(c, &mmu, &refused));
        bool ok = quire_mmu_walk(&mmu, &memory, c->linear, c->access, &walk, NULL);
        bool right = ok == !c->vector && walk.fault.vector == c->vector &&
                     walk.fault.error_code == c->error_code && walk.fault.reason == c->reason &&
                     (!ok || walk.phys == c->phys) &&
                     (c->vector != QUIRE_VECTOR_PF || walk.fault.address == c->linear);
        CHECK(right);
        if (!right)
            test_note("case %u: physical %llx, vector %u, error code %x: %s", i,
                      (unsigned long long)walk.phys, walk.fault.vector, walk.fault.error_code,
                      quire_fault_reason_text((enum quire_fault_reason)walk.fault.reason));
        check_marks(c, ok);
    }
}
#define RUN(cases) run(cases, sizeof(cases) / sizeof *(cases))

enum { R = QUIRE_READ, W = QUIRE_WRITE, X = QUIRE_EXECUTE, IMPLICIT = QUIRE_ACCESS_IMPLICIT };
#define OK 0, 0, 0
#define PF(code, reason) QUIRE_VECTOR_PF, code, QUIRE_FAULT_##reason, 0
#define WP QUIRE_CR0_WP
#define SMEP QUIRE_CR4_SMEP
#define SMAP QUIRE_CR4_SMAP
#define AC QUIRE_EFLAGS_AC
#define NXE QUIRE_EFER_NXE
#define NX QUIRE_PTE_NX

static void i386_walks_and_faults(void)
{
    static const struct walk_case cases[] = {
        /* The worked example: directory 32, table 327, offset 0x258. */
        {I386, 3, W, 0, 0, 0, 0, 0x08147258, {0x2007, 0x00abc007}, OK, 0x00abc258},
        {I386, 3, R, 0, 0, 0, 0, 0x08147258, {0x2007, 0x00abc007}, OK, 0x00abc258},
        {I386, 3, X, 0, 0, 0, 0, 0x08147258, {0x2007, 0x00abc007}, OK, 0x00abc258},
        {I386_4K, 0, R, 0, 0, 0, 0, 0xffffffff, {0x2001, 0xfffff001}, OK, 0xffffffff},
        /* Not present, at either level. */
        {I386, 0, R, 0, 0, 0, 0, 0x08147258, {0}, PF(0x0, PAGE_ABSENT)},
        {I386, 3, R, 0, 0, 0, 0, 0x08147258, {0x2006, 0}, PF(0x4, PAGE_ABSENT)},
        {I386, 3, W, 0, 0, 0, 0, 0x08147258, {0x2007, 0xabc006}, PF(0x6, PAGE_ABSENT)},
        {I386, 0, W, 0, 0, 0, 0, 0x08147258, {0x2007, 0}, PF(0x2, PAGE_ABSENT)},
        /* A fetch is told apart only with SMEP, or PAE and NXE. */
        {I386, 3, X, 0, 0, 0, 0, 0x08147258, {0x2007, 0}, PF(0x4, PAGE_ABSENT)},
        {I386, 3, X, 0, 0, NXE, 0, 0x08147258, {0x2007, 0}, PF(0x4, PAGE_ABSENT)},
        {I386, 3, X, 0, SMEP, 0, 0, 0x08147258, {0x2007, 0}, PF(0x14, PAGE_ABSENT)},
        /* U/S and R/W: what both levels grant. */
        {I386, 3, R, 0, 0, 0, 0, 0x08147258, {0x2007, 0xabc003}, PF(0x5, PAGE_SUPERVISOR)},
        {I386, 3, W, 0, 0, 0, 0, 0x08147258, {0x2003, 0xabc007}, PF(0x7, PAGE_SUPERVISOR)},
        {I386, 3, W, 0, 0, 0, 0, 0x08147258, {0x2007, 0xabc005}, PF(0x7, PAGE_READ_ONLY)},
        {I386, 3, W, 0, 0, 0, 0, 0x08147258, {0x2005, 0xabc007}, PF(0x7, PAGE_READ_ONLY)},
        {I386, 0, W, 0, 0, 0, 0, 0x08147258, {0x2007, 0xabc005}, OK, 0xabc258},
        {I386, 0, W, WP, 0, 0, 0, 0x08147258, {0x2007, 0xabc005}, PF(0x3, PAGE_READ_ONLY)},
        {I386, 1, W, WP, 0, 0, 0, 0x08147258, {0x2001, 0xabc003}, PF(0x3, PAGE_READ_ONLY)},
        /* 4 MiB pages: PSE-36 bits 39:32 in 20:13; 21 is reserved. */
        {I386, 3, W, 0, 0, 0, 0, 0x08147258, {0x00c00087, 0}, OK, 0x00d47258},
        {I386, 3, R, 0, 0, 0, 0, 0x08147258, {0x00c00087 | 0xff << 13, 0}, OK, 0xff00d47258},
        {I386, 3, R, 0, 0, 0, 0, 0x08147258, {0x00e00087, 0}, PF(0xd, RESERVED_BITS)},
        {I386, 0, W, 0, 0, 0, 0, 0x08147258, {0x00e00083, 0}, PF(0xb, RESERVED_BITS)},
        /* Without PSE that bit means nothing. */
        {I386_4K, 3, R, 0, 0, 0, 0, 0x08147258, {0x2087, 0xabc007}, OK, 0xabc258},
        /* PAT at PT isn't PS. */
        {I386, 3, R, 0, 0, 0, 0, 0x08147258, {0x2007, 0xabc087}, OK, 0xabc258},
    };
    RUN(cases);
}

static void smep_smap_and_implicit_accesses_are_checked(void)
{
    static const struct walk_case cases[] = {
        {I386, 0, X, 0, SMEP, 0, 0, 0x08147258, {0x2007, 0xabc007}, PF(0x11, SMEP)},
        {I386, 0, X, 0, SMEP, 0, 0, 0x08147258, {0x2003, 0xabc007}, OK, 0xabc258},
        {I386, 3, X, 0, SMEP, 0, 0, 0x08147258, {0x2007, 0xabc007}, OK, 0xabc258},
        {I386, 0, R, 0, SMAP, 0, 0, 0x08147258, {0x2007, 0xabc007}, PF(0x1, SMAP)},
        {I386, 0, W, 0, SMAP, 0, 0, 0x08147258, {0x2007, 0xabc007}, PF(0x3, SMAP)},
        {I386, 0, R, 0, SMAP, 0, AC, 0x08147258, {0x2007, 0xabc007}, OK, 0xabc258},
        {I386, 0, W, WP, SMAP, 0, AC, 0x08147258, {0x2007, 0xabc005}, PF(0x3, PAGE_READ_ONLY)},
        {I386, 0, X, 0, SMAP, 0, 0, 0x08147258, {0x2007, 0xabc007}, OK, 0xabc258},
        {I386, 3, R, 0, SMAP, 0, 0, 0x08147258, {0x2007, 0xabc007}, OK, 0xabc258},
        {I386, 0, R, 0, SMAP, 0, 0, 0x08147258, {0x2007, 0xabc003}, OK, 0xabc258},
        /* By the processor itself: a supervisor access at any CPL, whatever AC says. */
        {I386, 3, R | IMPLICIT, 0, 0, 0, 0, 0x08147258, {0x2003, 0xabc003}, OK, 0xabc258},
        {I386, 3, R | IMPLICIT, 0, 0, 0, 0, 0x08147258, {0x2003, 0}, PF(0x0, PAGE_ABSENT)},
        {I386, 0, R | IMPLICIT, 0, SMAP, 0, AC, 0x08147258, {0x2007, 0xabc007}, PF(0x1, SMAP)},
        {LONG, 0, X, 0, SMEP, NXE, 0, 0x401000, {0x2007, 0x3007, 0x4007, 0x5007}, PF(0x11, SMEP)},
        {LONG,
         0,
         X,
         0,
         SMEP,
         NXE,
         0,
         0x401000,
         {0x2007, 0x3007, 0x4007, 0x5003 | NX},
         PF(0x11, PAGE_NX)},
    };
    RUN(cases);
}

static void pae_walks_and_faults(void)
{
    static const struct walk_case cases[] = {
        {PAE, 3, W, 0, 0, 0, 0, 0xc0401234, {0x2001, 0x3007, 0x123456007}, OK, 0x123456234},
        {PAE, 0, R, 0, 0, 0, 0, 0x00000fff, {0x2001, 0x3001, 0xfffffff001}, OK, 0xffffffffff},
        {PAE, 3, W, 0, 0, 0, 0, 0x40201234, {0x2001, 0x100600087, 0}, OK, 0x100601234},
        {PAE, 3, R, 0, 0, 0, 0, 0xc0401234, {0, 0, 0}, PF(0x4, PAGE_ABSENT)},
        {PAE, 3, R, 0, 0, 0, 0, 0xc0401234, {0x2001, 0, 0}, PF(0x4, PAGE_ABSENT)},
        {PAE, 0, W, 0, 0, 0, 0, 0xc0401234, {0x2001, 0x3003, 0}, PF(0x2, PAGE_ABSENT)},
        /* A PDPTE has no rights to withhold. */
        {PAE, 3, R, 0, 0, 0, 0, 0xc0401234, {0x2001, 0x3003, 0x5007}, PF(0x5, PAGE_SUPERVISOR)},
        {PAE, 3, W, 0, 0, 0, 0, 0xc0401234, {0x2001, 0x3007, 0x5005}, PF(0x7, PAGE_READ_ONLY)},
        /* XD, at either level; reserved without NXE. */
        {PAE, 3, X, 0, 0, NXE, 0, 0xc0401234, {0x2001, 0x3007, 0x5007 | NX}, PF(0x15, PAGE_NX)},
        {PAE, 3, X, 0, 0, NXE, 0, 0xc0401234, {0x2001, 0x3007 | NX, 0x5007}, PF(0x15, PAGE_NX)},
        {PAE, 3, R, 0, 0, NXE, 0, 0xc0401234, {0x2001, 0x3007, 0x5007 | NX}, OK, 0x5234},
        {PAE, 3, R, 0, 0, 0, 0, 0xc0401234, {0x2001, 0x3007, 0x5007 | NX}, PF(0xd, RESERVED_BITS)},
        {PAE, 3, R, 0, 0, 0, 0, 0xc0401234, {0x2001, 0x3007 | NX, 0x5007}, PF(0xd, RESERVED_BITS)},
        {PAE, 0, X, 0, 0, NXE, 0, 0xc0401234, {0x2001, 0x3003, 0}, PF(0x10, PAGE_ABSENT)},
        /* MAXPHYADDR is 40; 62:52 are reserved here and only here. */
        {PAE,
         3,
         R,
         0,
         0,
         NXE,
         0,
         0xc0401234,
         {0x2001, 0x3007, 0x5007 | 1ull << 40},
         PF(0xd, RESERVED_BITS)},
        {PAE,
         3,
         R,
         0,
         0,
         NXE,
         0,
         0xc0401234,
         {0x2001, 0x3007 | 1ull << 40, 0x5007},
         PF(0xd, RESERVED_BITS)},
        {PAE,
         0,
         W,
         0,
         0,
         NXE,
         0,
         0xc0401234,
         {0x2001, 0x3007, 0x5007 | 1ull << 52},
         PF(0xb, RESERVED_BITS)},
        {PAE, 3, R, 0, 0, 0, 0, 0x40201234, {0x2001, 0x100602087, 0}, PF(0xd, RESERVED_BITS)},
        {PAE, 3, R, 0, 0, 0, 0, 0x40201234, {0x2001, 0x100601087, 0}, OK, 0x100601234}, /* PAT */
    };
    RUN(cases);
}

static void x86_64_walks_and_faults(void)
{
    static const struct walk_case cases[] = {
        {LONG,
         3,
         W,
         0,
         0,
         0,
         0,
         0x7f1234567abc,
         {0x2007, 0x3007, 0x4007, 0xabcd007},
         OK,
         0xabcdabc},
        {LONG,
         0,
         R,
         0,
         0,
         0,
         0,
         0xffff888000001008,
         {0x2003, 0x3003, 0x4003, 0xfffffff003},
         OK,
         0xfffffff008},
        {LONG, 3, R, 0, 0, 0, 0, 0x7f1234567abc, {0x2007, 0x3007, 0x10200087, 0}, OK, 0x10367abc},
        {LONG, 3, R, 0, 0, 0, 0, 0x7f1234567abc, {0x2007, 0x40000087, 0, 0}, OK, 0x74567abc},
        {LONG, 3, R, 0, 0, 0, 0, 0x7f1234567abc, {0}, PF(0x4, PAGE_ABSENT)},
        {LONG, 3, R, 0, 0, 0, 0, 0x7f1234567abc, {0x2007, 0, 0, 0}, PF(0x4, PAGE_ABSENT)},
        {LONG, 3, R, 0, 0, 0, 0, 0x7f1234567abc, {0x2007, 0x3007, 0, 0}, PF(0x4, PAGE_ABSENT)},
        {LONG, 3, W, 0, 0, 0, 0, 0x7f1234567abc, {0x2007, 0x3007, 0x4007, 0}, PF(0x6, PAGE_ABSENT)},
        /* One level withholds a right. */
        {LONG,
         3,
         R,
         0,
         0,
         0,
         0,
         0x7f1234567abc,
         {0x2003, 0x3007, 0x4007, 0x5007},
         PF(0x5, PAGE_SUPERVISOR)},
        {LONG,
         3,
         W,
         0,
         0,
         0,
         0,
         0x7f1234567abc,
         {0x2007, 0x3005, 0x4007, 0x5007},
         PF(0x7, PAGE_READ_ONLY)},
        {LONG,
         3,
         X,
         0,
         0,
         NXE,
         0,
         0x7f1234567abc,
         {0x2007, 0x3007, 0x4007 | NX, 0x5007},
         PF(0x15, PAGE_NX)},
        {LONG,
         3,
         X,
         0,
         0,
         NXE,
         0,
         0x7f1234567abc,
         {0x2007 | NX, 0x3007, 0x4007, 0x5007},
         PF(0x15, PAGE_NX)},
        {LONG, 3, X, 0, 0, NXE, 0, 0x7f1234567abc, {0x2007, 0x3007, 0x4007, 0x5007}, OK, 0x5abc},
        /* PS where there are no such pages; bits below a huge page's address. */
        {LONG,
         3,
         R,
         0,
         0,
         0,
         0,
         0x7f1234567abc,
         {0x2087, 0x3007, 0x4007, 0x5007},
         PF(0xd, RESERVED_BITS)},
        {LONG,
         3,
         R,
         0,
         0,
         0,
         0,
         0x7f1234567abc,
         {0x2007, 0x40002087, 0, 0},
         PF(0xd, RESERVED_BITS)},
        {LONG,
         3,
         R,
         0,
         0,
         0,
         0,
         0x7f1234567abc,
         {0x2007, 0x60000087, 0, 0},
         PF(0xd, RESERVED_BITS)},
        {LONG,
         3,
         R,
         0,
         0,
         0,
         0,
         0x7f1234567abc,
         {0x2007, 0x3007, 0x10300087, 0},
         PF(0xd, RESERVED_BITS)},
        /* Beyond MAXPHYADDR; bits 62:52 are software's. */
        {LONG,
         3,
         R,
         0,
         0,
         0,
         0,
         0x7f1234567abc,
         {0x2007 | 1ull << 51, 0x3007, 0x4007, 0x5007},
         PF(0xd, RESERVED_BITS)},
        {LONG,
         3,
         R,
         0,
         0,
         0,
         0,
         0x7f1234567abc,
         {0x2007, 0x3007, 0x4007, 0x5007 | 1ull << 40},
         PF(0xd, RESERVED_BITS)},
        {LONG,
         3,
         R,
         0,
         0,
         0,
         0,
         0x7f1234567abc,
         {0x2007, 0x3007, 0x4007, 0x5007 | 0x7ffull << 52},
         OK,
         0x5abc},
        {LONG,
         3,
         R,
         0,
         0,
         0,
         0,
         0x7f1234567abc,
         {0x2007, 0x3007 | NX, 0x4007, 0x5007},
         PF(0xd, RESERVED_BITS)},
        /* Reserved bits are seen before a lower level's absence, and not in what isn't present. */
        {LONG,
         3,
         R,
         0,
         0,
         0,
         0,
         0x7f1234567abc,
         {0x2007, 0x3007, 0x4007 | NX, 0},
         PF(0xd, RESERVED_BITS)},
        {LONG,
         3,
         R,
         0,
         0,
         0,
         0,
         0x7f1234567abc,
         {0x2007, 0x3007, 0x4007, 0x5006 | NX},
         PF(0x4, PAGE_ABSENT)},
        /* Canonical form. */
        {LONG,
         0,
         R,
         0,
         0,
         0,
         0,
         0x800000000000,
         {0x2007, 0x3007, 0x4007, 0x5007},
         QUIRE_VECTOR_GP,
         0,
         QUIRE_FAULT_NON_CANONICAL,
         0},
        {LONG,
         0,
         R,
         0,
         0,
         0,
         0,
         0xffff7fffffffffff,
         {0x2007, 0x3007, 0x4007, 0x5007},
         QUIRE_VECTOR_GP,
         0,
         QUIRE_FAULT_NON_CANONICAL,
         0},
    };
    RUN(cases);
}

static void la57_walks_and_faults(void)
{
    static const struct walk_case cases[] = {
        {LA57,
         3,
         W,
         0,
         0,
         0,
         0,
         0xff1234567abc00,
         {0x2007, 0x3007, 0x4007, 0x5007, 0x6007},
         OK,
         0x6c00},
        {LA57,
         0,
         R,
         0,
         0,
         0,
         0,
         0xff00888000001008,
         {0x2003, 0x3003, 0x4003, 0x5003, 0x6003},
         OK,
         0x6008},
        {LA57, 3, R, 0, 0, 0, 0, 0xff1234567abc00, {0x2007, 0x3007, 0x80000087, 0}, OK, 0x967abc00},
        {LA57, 3, R, 0, 0, 0, 0, 0xff1234567abc00, {0x2007, 0, 0, 0, 0}, PF(0x4, PAGE_ABSENT)},
        {LA57,
         3,
         R,
         0,
         0,
         0,
         0,
         0xff1234567abc00,
         {0x2087, 0x3007, 0x4007, 0x5007, 0x6007},
         PF(0xd, RESERVED_BITS)},
        {LA57,
         3,
         R,
         0,
         0,
         0,
         0,
         0xff1234567abc00,
         {0x2007, 0x3087, 0x4007, 0x5007, 0x6007},
         PF(0xd, RESERVED_BITS)},
        {LA57,
         3,
         W,
         0,
         0,
         0,
         0,
         0xff1234567abc00,
         {0x2005, 0x3007, 0x4007, 0x5007, 0x6007},
         PF(0x7, PAGE_READ_ONLY)},
        {LA57,
         0,
         R,
         0,
         0,
         0,
         0,
         0x100000000000000,
         {0x2007, 0x3007, 0x4007, 0x5007, 0x6007},
         QUIRE_VECTOR_GP,
         0,
         QUIRE_FAULT_NON_CANONICAL,
         0},
    };
    RUN(cases);
}

static void a_1_gib_page_needs_a_processor_that_has_them(void)
{
    static const struct walk_case c = {
        LONG, 3, R, 0, 0, 0, 0, 0x7f1234567abc, {0x2007, 0x40000087, 0, 0}, OK, 0};
    struct quire_mmu mmu;
    struct quire_fault fault;
    struct quire_walk walk;
    if (!setup())
        return;
    REQUIRE(load(&c, &mmu, &fault));
    mmu.features.no_1gib = true;
    const struct quire_mmu_registers registers = mmu.registers;
    REQUIRE(quire_mmu_load(&mmu, &registers, &memory, &fault));
    CHECK(!quire_mmu_walk(&mmu, &memory, c.linear, R, &walk, NULL));
    CHECK_EQ(walk.fault.error_code, 0xd);
}

/* ---- steps ----------------------------------------------------------------------------------- */

static void steps_show_each_level_and_which_are_folded(void)
{
    static const struct walk_case c = {I386, 3, R, 0, 0, 0, 0, 0x08147258, {0x2007, 0x00abc007},
                                       OK,   0};
    struct quire_mmu mmu;
    struct quire_fault fault;
    struct quire_walk walk;
    struct quire_walk_step step[QUIRE_NR_PT_LEVELS];
    if (!setup())
        return;
    REQUIRE(load(&c, &mmu, &fault));
    REQUIRE(quire_mmu_walk(&mmu, &memory, c.linear, R, &walk, step));
    REQUIRE(walk.nr_steps == 5);
    for (unsigned i = 0; i < 5; i++) {
        CHECK_EQ(step[i].level, QUIRE_PGD - i);
        CHECK_EQ(step[i].folded, i > 0 && i < 4);
        CHECK_EQ(step[i].leaf, i == 4);
        CHECK_EQ(step[i].entry, i < 4 ? 0x2007 : 0xabc007); /* before A was set */
        CHECK_EQ(step[i].entry_at, i < 4 ? ROOT + 32 * 4 : 0x2000 + 327 * 4);
        CHECK(!step[i].in_register);
    }
    CHECK_EQ(step[0].index, 32);
    CHECK_EQ(step[4].index, 327);
    CHECK_EQ(walk.level, QUIRE_PT);
    CHECK_EQ(walk.shift, 12);
    CHECK(walk.user && walk.writable && walk.executable && !walk.global && !walk.dirty);
}

static void steps_end_where_the_walk_faults(void)
{
    static const struct walk_case c = {PAE, 3, R, 0, 0, 0, 0, 0xc0401234, {0x2001, 0x3006, 0},
                                       OK,  0};
    struct quire_mmu mmu;
    struct quire_fault fault;
    struct quire_walk walk;
    struct quire_walk_step step[QUIRE_NR_PT_LEVELS];
    if (!setup())
        return;
    REQUIRE(load(&c, &mmu, &fault));
    CHECK(!quire_mmu_walk(&mmu, &memory, c.linear, R, &walk, step));
    CHECK_EQ(walk.nr_steps, 4);
    CHECK(step[0].in_register && !step[0].folded && step[0].index == 3);
    CHECK(step[1].folded && step[2].folded && step[1].entry == 0x2001);
    CHECK(step[3].level == QUIRE_PMD && step[3].entry == 0x3006 && !step[3].leaf);
    CHECK_EQ(step[3].entry_at, 0x2000 + 2 * 8);
}

static void a_walk_says_what_kind_of_page_it_found(void)
{
    static const struct walk_case c = {
        LONG, 0, W, 0, QUIRE_CR4_PGE, NXE, 0, 0x7f1234567abc, {0x2007, 0x3003, 0x102001c1 | NX, 0},
        OK,   0};
    struct quire_mmu mmu;
    struct quire_fault fault;
    struct quire_walk walk;
    if (!setup())
        return;
    REQUIRE(load(&c, &mmu, &fault));
    REQUIRE(quire_mmu_walk(&mmu, &memory, c.linear, R, &walk, NULL));
    CHECK_EQ(walk.level, QUIRE_PMD);
    CHECK_EQ(walk.shift, 21);
    CHECK(!walk.user && !walk.writable && !walk.executable && walk.global && walk.dirty);
    mmu.registers.cr4 &= ~(uint64_t)QUIRE_CR4_PGE;
    REQUIRE(quire_mmu_walk(&mmu, &memory, c.linear, R, &walk, NULL));
    CHECK(!walk.global);
}

static void without_paging_linear_is_physical(void)
{
    struct quire_mmu mmu = {.cpl = 3};
    struct quire_walk walk;
    CHECK(quire_mmu_walk(&mmu, &memory, 0x1fedcba98, W, &walk, NULL));
    CHECK_EQ(walk.phys, 0xfedcba98);
    CHECK_EQ(walk.nr_steps, 0);
    CHECK_EQ(quire_mmu_rights(&mmu, &walk), 0x1ff);
}

/* ---- registers ------------------------------------------------------------------------------- */

static void registers_that_do_not_go_together_are_refused(void)
{
    enum { PG = 0x80000000u, PE = 1, PSE = 0x10, PAE_ON = 0x20, LA57_ON = 0x1000, PCIDE = 0x20000 };
    static const struct {
        struct quire_mmu_registers registers;
        uint8_t reason; /* 0: allowed */
        int8_t format;  /* enum quire_pt_format_id, or -1 */
    } cases[] = {
        {{0, 0, 0, 0}, 0, -1},
        {{PE, 0, PAE_ON, QUIRE_EFER_LME}, 0, -1},
        {{PG | PE, ROOT, 0, 0}, 0, QUIRE_PT_FORMAT_I386_4K},
        {{PG | PE, ROOT, PSE, 0}, 0, QUIRE_PT_FORMAT_I386},
        {{PG | PE, ROOT, PSE | PAE_ON, 0}, 0, QUIRE_PT_FORMAT_PAE},
        {{PG | PE, ROOT, PAE_ON, QUIRE_EFER_LME}, 0, QUIRE_PT_FORMAT_X86_64},
        {{PG | PE, ROOT, PAE_ON | LA57_ON, QUIRE_EFER_LME}, 0, QUIRE_PT_FORMAT_LA57},
        {{PG | PE, ROOT, PAE_ON | LA57_ON, 0}, 0, QUIRE_PT_FORMAT_PAE},
        {{PG | PE, ROOT | 0xfff, PAE_ON | PCIDE, QUIRE_EFER_LME}, 0, QUIRE_PT_FORMAT_X86_64},
        {{PG | PE, 0xfffffff000, PAE_ON, QUIRE_EFER_LME}, 0, QUIRE_PT_FORMAT_X86_64},
        {{PG, ROOT, 0, 0}, QUIRE_FAULT_REGISTERS, 0},
        {{PG | PE, ROOT, 0, QUIRE_EFER_LME}, QUIRE_FAULT_REGISTERS, 0},
        {{PG | PE, ROOT, PAE_ON | PCIDE, 0}, QUIRE_FAULT_REGISTERS, 0},
        {{PG | PE, 1ull << 40, PAE_ON, QUIRE_EFER_LME}, QUIRE_FAULT_REGISTERS, 0},
        {{PG | PE, 1ull << 32, 0, 0}, QUIRE_FAULT_REGISTERS, 0},
    };
    if (!setup())
        return;
    clear_memory();
    for (unsigned i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct quire_mmu mmu = {.features = {.phys_bits = 40}};
        struct quire_fault fault = {0};
        CHECK_EQ(quire_mmu_load(&mmu, &cases[i].registers, &memory, &fault), !cases[i].reason);
        CHECK_EQ(fault.vector, cases[i].reason ? QUIRE_VECTOR_GP : 0);
        CHECK_EQ(fault.reason, cases[i].reason);
        if (cases[i].reason)
            CHECK_EQ(mmu.registers.cr0, 0);
        else if (cases[i].format < 0)
            CHECK(!mmu.format);
        else
            CHECK(mmu.format == &quire_pt_formats[cases[i].format]);
    }
}

static void pdptes_are_loaded_with_cr3_and_checked_there(void)
{
    static const uint64_t bad[] = {0x2003,
                                   0x2005,
                                   0x2021,
                                   0x2041,
                                   0x2081,
                                   0x2101,
                                   0x2001 | 1ull << 40,
                                   0x2001 | 1ull << 52,
                                   0x2001 | NX};
    static const struct walk_case c = {
        PAE, 3, R, 0, 0, NXE, 0, 0xc0401234, {0x2001, 0x3007, 0x5007}, OK, 0};
    struct quire_mmu mmu;
    struct quire_fault fault;
    struct quire_walk walk;
    if (!setup())
        return;
    for (unsigned i = 0; i < sizeof bad / sizeof *bad; i++) {
        REQUIRE(load(&c, &mmu, &fault));
        const struct quire_mmu_registers registers = mmu.registers;
        put(ROOT, 8, bad[i]); /* another entry than the one that is walked */
        CHECK(!quire_mmu_load(&mmu, &registers, &memory, &fault));
        CHECK_EQ(fault.vector, QUIRE_VECTOR_GP);
        CHECK_EQ(fault.error_code, 0);
        CHECK_EQ(fault.reason, QUIRE_FAULT_RESERVED_BITS);
        put(ROOT, 8, bad[i] & ~1ull); /* not present: anything goes */
        CHECK(quire_mmu_load(&mmu, &registers, &memory, &fault));
        /* The registers count, not what becomes of memory. */
        put(ROOT + 24, 8, 0);
        CHECK(quire_mmu_walk(&mmu, &memory, c.linear, R, &walk, NULL));
    }
    /* A table is 32 bytes, aligned so. */
    put(0x8e0 + 24, 8, 0x2001);
    struct quire_mmu_registers registers = mmu.registers;
    registers.cr3 = 0x8ff;
    struct quire_walk_step step[QUIRE_NR_PT_LEVELS];
    REQUIRE(quire_mmu_load(&mmu, &registers, &memory, &fault));
    CHECK(quire_mmu_walk(&mmu, &memory, c.linear, R, &walk, step));
    CHECK_EQ(step[0].entry_at, 0x8e0 + 24);
    registers.cr3 = MEMORY_BYTES;
    CHECK(!quire_mmu_load(&mmu, &registers, &memory, &fault));
    CHECK_EQ(fault.reason, QUIRE_FAULT_NO_MEMORY);
}

/* ---- memory ---------------------------------------------------------------------------------- */

static void a_table_outside_memory_is_a_machine_check(void)
{
    static const struct walk_case c = {
        LONG, 0, R, 0, 0, 0, 0, 0x1000, {0x2007, MEMORY_BYTES | 7, 0, 0}, OK, 0};
    struct quire_mmu mmu;
    struct quire_fault fault;
    struct quire_walk walk;
    struct quire_walk_step step[QUIRE_NR_PT_LEVELS];
    if (!setup())
        return;
    REQUIRE(load(&c, &mmu, &fault));
    CHECK(!quire_mmu_walk(&mmu, &memory, c.linear, R, &walk, step));
    CHECK_EQ(walk.fault.vector, QUIRE_VECTOR_MC);
    CHECK_EQ(walk.fault.reason, QUIRE_FAULT_NO_MEMORY);
    CHECK_EQ(walk.nr_steps, 4); /* PGD, P4D folded, PUD, PMD */
    CHECK(step[3].unreadable && step[3].entry_at == MEMORY_BYTES && !step[2].unreadable);
    memory.size = 0x2004; /* ends within the second table's first entry */
    CHECK(!quire_mmu_walk(&mmu, &memory, c.linear, R, &walk, NULL));
    CHECK_EQ(walk.fault.vector, QUIRE_VECTOR_MC);
    memory.size = 0;
    CHECK(!quire_mmu_walk(&mmu, &memory, c.linear, R, &walk, NULL));
    CHECK_EQ(walk.fault.vector, QUIRE_VECTOR_MC);
}

static void read_only_memory_is_walked_without_marks(void)
{
    static const struct walk_case c = {
        LONG, 3, W, 0, 0, 0, 0, 0x7f1234567abc, {0x2007, 0x3007, 0x4007, 0x5007}, OK, 0};
    struct quire_mmu mmu;
    struct quire_fault fault;
    struct quire_walk walk;
    if (!setup())
        return;
    REQUIRE(load(&c, &mmu, &fault));
    memory.read_only = true;
    REQUIRE(quire_mmu_walk(&mmu, &memory, c.linear, W, &walk, NULL));
    CHECK(!walk.dirty);
    check_marks(&c, false);
}

/* Memory behind functions, where another processor changes the leaf between read and exchange. */
static unsigned exchanges, meddle_at;

static bool read_range(void *arg, quire_phys_t at, unsigned bytes, uint64_t *value)
{
    (void)arg;
    if (at >= MEMORY_BYTES || at + bytes > MEMORY_BYTES)
        return false;
    *value = get(at, bytes);
    return true;
}

static bool exchange_range(void *arg, quire_phys_t at, unsigned bytes, uint64_t from, uint64_t to)
{
    (void)arg;
    if (exchanges++ == meddle_at)
        put(at, bytes, 0x6007);
    if (get(at, bytes) != from)
        return false;
    put(at, bytes, to);
    return true;
}

static void an_entry_that_changes_meanwhile_is_walked_again(void)
{
    static const struct walk_case c = {
        LONG, 3, W, 0, 0, 0, 0, 0x7f1234567abc, {0x2007, 0x3007, 0x4007, 0x5007}, OK, 0};
    const struct quire_phys_memory functions = {.read = read_range, .exchange = exchange_range};
    struct quire_mmu mmu;
    struct quire_fault fault;
    struct quire_walk walk;
    if (!setup())
        return;
    REQUIRE(load(&c, &mmu, &fault));
    exchanges = 0;
    meddle_at = 3; /* the leaf's */
    REQUIRE(quire_mmu_walk(&mmu, &functions, c.linear, W, &walk, NULL));
    CHECK_EQ(walk.phys, 0x6abc);
    CHECK_EQ(exchanges, 5);
    CHECK_EQ(get(0x4000 + 0x167 * 8, 8), 0x6067);
}

/* Nothing but what the walk's own checks say may happen: no fault that has no reason, no address
 * outside of what the entry maps, no read beyond memory (the sanitizers look). */
static void random_tables_are_walked_within_memory(void)
{
    if (!setup())
        return;
    unsigned reached = 0;
    unsigned long rounds = (unsigned long)test_environment.effort / 100;
    for (unsigned long n = 0; n < rounds; n++) {
        struct walk_case c = {.mode = (uint8_t)test_random_below(5), .access = R};
        struct quire_mmu mmu;
        struct quire_fault fault;
        struct quire_walk walk;
        struct quire_walk_step step[QUIRE_NR_PT_LEVELS];
        c.linear = test_random() & (c.mode < LONG ? 0xffffffff : 0x7fffffffffff);
        for (unsigned i = 0; i < 5; i++) /* mostly tables that exist */
            c.entry[i] =
                test_random_below(8) ? ROOT * (i + 2) + (test_random() & 0x1f) + 1 : test_random();
        if (!load(&c, &mmu, &fault))
            continue;
        bool ok = quire_mmu_walk(&mmu, &memory, c.linear, W, &walk, step);
        CHECK_EQ(ok, !walk.fault.vector);
        CHECK_EQ(ok, walk.fault.reason == QUIRE_FAULT_NONE);
        CHECK(walk.nr_steps <= QUIRE_NR_PT_LEVELS);
        reached += ok;
        if (ok)
            CHECK_EQ((walk.phys ^ c.linear) & 0xfff, 0);
    }
    CHECK(reached > rounds / 50);
}

static const struct test_case cases[] = {
    TEST_CASE(i386_walks_and_faults),
    TEST_CASE(smep_smap_and_implicit_accesses_are_checked),
    TEST_CASE(pae_walks_and_faults),
    TEST_CASE(x86_64_walks_and_faults),
    TEST_CASE(la57_walks_and_faults),
    TEST_CASE(a_1_gib_page_needs_a_processor_that_has_them),
    TEST_CASE(steps_show_each_level_and_which_are_folded),
    TEST_CASE(steps_end_where_the_walk_faults),
    TEST_CASE(a_walk_says_what_kind_of_page_it_found),
    TEST_CASE(without_paging_linear_is_physical),
    TEST_CASE(registers_that_do_not_go_together_are_refused),
    TEST_CASE(pdptes_are_loaded_with_cr3_and_checked_there),
    TEST_CASE(a_table_outside_memory_is_a_machine_check),
    TEST_CASE(read_only_memory_is_walked_without_marks),
    TEST_CASE(an_entry_that_changes_meanwhile_is_walked_again),
    TEST_CASE(random_tables_are_walked_within_memory),
    {0},
};
const struct test_suite suite_mmu = {"mmu", cases};
