/* tests/unit/sim_test.c: the software MMU: a TLB that forgets what it is told to, and nothing else
 *
 * Tables are written by hand into simulated memory: a root at 0x1000 and one table of each level
 * below it, so that the pages from BASE on can be mapped one by one.
 */
#include <quire/map.h>
#include <quire/port.h>

#include "ports/sim/sim.h"
#include "tests/harness/harness.h"

#define MIB (1024u * 1024)
#define MEMORY_BYTES (8u * MIB)
#define BASE 0x7f0000000000ull /* 2 MiB of pages, entries of the table at PT_AT */
#define HUGE_BASE (BASE + 2 * MIB)
#define ROOT 0x1000u
#define OTHER_ROOT 0x5000u
#define PT_AT 0x4000u
#define OTHER_PT_AT 0x8000u
#define DATA 0x100000u /* frame n of the data lies here */

static struct quire_sim_cpu cpus[2];
static struct quire_sim sim;
static struct quire_port_mem port;

static void put(quire_phys_t at, uint64_t entry)
{
    __builtin_memcpy(port.base + at, &entry, sizeof entry);
}

static uint64_t get(quire_phys_t at)
{
    uint64_t entry;
    __builtin_memcpy(&entry, port.base + at, sizeof entry);
    return entry;
}

static void map(unsigned page, unsigned frame, uint64_t flags)
{
    put(PT_AT + page * 8, (DATA + frame * 0x1000u) | flags);
}

/* Faults: counted, kept, and answered by `repair` if there is one. */
static unsigned faults;
static struct quire_fault last;
static bool (*repair)(struct quire_sim_cpu *cpu, const struct quire_fault *fault);

static bool handle(void *arg, struct quire_sim_cpu *cpu, const struct quire_fault *fault)
{
    (void)arg;
    faults++;
    last = *fault;
    return repair && repair(cpu, fault);
}

static const struct quire_mmu_registers long_mode = {
    .cr0 = QUIRE_CR0_PG | QUIRE_CR0_PE | QUIRE_CR0_WP,
    .cr3 = ROOT,
    .cr4 = QUIRE_CR4_PAE | QUIRE_CR4_PGE | QUIRE_CR4_PCIDE,
    .efer = QUIRE_EFER_LME | QUIRE_EFER_NXE,
};

/* Two CPUs in long mode, user mode, on the same tables. A second root leads to another table of
 * pages at the same addresses. */
static bool setup(void)
{
    if (!test_environment.memory(MEMORY_BYTES, &port)) {
        test_skip("there is no memory for the simulated machine");
        return false;
    }
    static const uint32_t roots[] = {ROOT, OTHER_ROOT};
    for (unsigned r = 0; r < 2; r++) {
        uint32_t pt = r ? OTHER_PT_AT : PT_AT;
        put(roots[r] + 254 * 8, (roots[r] + 0x1000) | 7);
        put(roots[r] + 0x1000, (roots[r] + 0x2000) | 7);
        put(roots[r] + 0x2000, pt | 7);
        put(roots[r] + 0x2008, 0x400000 | 0x87); /* a page of 2 MiB */
    }
    sim = (struct quire_sim){.memory = {.base = port.base, .size = MEMORY_BYTES},
                             .cpu = cpus,
                             .nr_cpus = 2,
                             .fault = handle};
    faults = 0;
    repair = NULL;
    quire_sim_init(&sim);
    for (unsigned i = 0; i < 2; i++) {
        struct quire_fault fault;
        if (!quire_sim_set_registers(&cpus[i], &long_mode, &fault)) {
            test_fail(__FILE__, __LINE__, "the registers were refused");
            return false;
        }
        quire_sim_set_cpl(&cpus[i], 3);
    }
    return true;
}

static uint64_t read64(struct quire_sim_cpu *cpu, quire_linear_t at)
{
    uint64_t value = 0xdead;
    CHECK(quire_sim_read(cpu, at, &value, sizeof value));
    return value;
}

static void write64(struct quire_sim_cpu *cpu, quire_linear_t at, uint64_t value)
{
    CHECK(quire_sim_write(cpu, at, &value, sizeof value));
}

/* ---- accesses -------------------------------------------------------------------------------- */

static void what_is_written_is_read_and_a_second_access_does_not_walk(void)
{
    if (!setup())
        return;
    map(0, 0, 7);
    write64(&cpus[0], BASE + 8, 0x0123456789abcdef);
    CHECK_EQ(cpus[0].counts.walks, 1);
    for (unsigned size = 1; size <= 8; size++) {
        uint64_t value = 0;
        CHECK(quire_sim_read(&cpus[0], BASE + 8, &value, size));
        CHECK_EQ(value, 0x0123456789abcdef & (~0ull >> (64 - 8 * size)));
    }
    CHECK_EQ(cpus[0].counts.walks, 1);
    CHECK_EQ(get(DATA + 8), 0x0123456789abcdef);
}

static void accessed_and_dirty_are_set_by_the_first_access_of_their_kind(void)
{
    if (!setup())
        return;
    map(0, 0, 7);
    read64(&cpus[0], BASE);
    CHECK_EQ(get(PT_AT), DATA | 0x27);
    CHECK_EQ(get(ROOT + 254 * 8) & 0x60, 0x20);
    write64(&cpus[0], BASE, 1);
    CHECK_EQ(get(PT_AT), DATA | 0x67);
    CHECK_EQ(cpus[0].counts.walks, 2); /* a hit may not write before D is set */
    write64(&cpus[0], BASE, 2);
    CHECK_EQ(cpus[0].counts.walks, 2);
    /* Harvested: only a flush makes the processor set it again. */
    put(PT_AT, DATA | 7);
    write64(&cpus[0], BASE, 3);
    CHECK_EQ(get(PT_AT), DATA | 7);
    quire_sim_invlpg(&cpus[0], BASE);
    write64(&cpus[0], BASE, 4);
    CHECK_EQ(get(PT_AT), DATA | 0x67);
}

static void an_access_that_crosses_pages_is_done_whole_or_not_at_all(void)
{
    if (!setup())
        return;
    map(0, 5, 7);
    map(1, 2, 7);
    for (unsigned back = 1; back < 8; back++) {
        write64(&cpus[0], BASE + 0x1000 - back, 0x1122334455667788 * back);
        CHECK_EQ(read64(&cpus[0], BASE + 0x1000 - back), 0x1122334455667788 * back);
    }
    map(1, 2, 5);
    quire_sim_invlpg(&cpus[0], BASE + 0x1000);
    uint64_t before = get(DATA + 5 * 0x1000 + 0xff8), value = ~0ull;
    CHECK(!quire_sim_write(&cpus[0], BASE + 0xffc, &value, 8));
    CHECK_EQ(get(DATA + 5 * 0x1000 + 0xff8), before);
    CHECK_EQ(last.error_code, 7);
    CHECK_EQ(last.address, BASE + 0x1000);
    CHECK_EQ(cpus[0].fault.address, BASE + 0x1000);
}

static void thirty_two_bit_addresses_wrap_within_an_access(void)
{
    static const struct quire_mmu_registers flat = {QUIRE_CR0_PG | QUIRE_CR0_PE, ROOT,
                                                    QUIRE_CR4_PSE, 0};
    struct quire_fault fault;
    if (!setup())
        return;
    for (unsigned i = 0; i < 0x1000; i += 8)
        put(ROOT + i, 0);
    put(ROOT, 0x87);                         /* 4 MiB from 0 on */
    put(ROOT + 1023 * 4 - 4, 0x87ull << 32); /* and again at the top, */
    REQUIRE(quire_sim_set_registers(&cpus[0], &flat, &fault));
    put(DATA, 0x8877665544332211);
    CHECK_EQ(read64(&cpus[0], 0xffc00000u + DATA), 0x8877665544332211);
    CHECK_EQ(read64(&cpus[0], 0x1ffc00000ull + DATA), 0x8877665544332211);
    write64(&cpus[0], 0xfffffffc, 0xaabbccdd00112233); /* half of it at 0 */
    CHECK_EQ(get(0) & 0xffffffff, 0xaabbccdd);
    CHECK_EQ(get(0x3ffff8) >> 32, 0x00112233);
}

static void copies_end_where_they_fault(void)
{
    static char out[3 * 0x1000], in[3 * 0x1000];
    if (!setup())
        return;
    map(0, 9, 7);
    map(1, 3, 7);
    for (unsigned i = 0; i < sizeof out; i++)
        out[i] = (char)(i * 7);
    CHECK_EQ(quire_sim_copy_to(&cpus[0], BASE + 100, out, 0x2000 - 100), 0x2000 - 100);
    CHECK_EQ(quire_sim_copy_from(&cpus[0], in, BASE + 100, 0x2000 - 100), 0x2000 - 100);
    CHECK(!__builtin_memcmp(in, out, 0x2000 - 100));
    CHECK_EQ(faults, 0);
    CHECK_EQ(quire_sim_copy_from(&cpus[0], in, BASE + 100, 0x2000), 0x2000 - 100);
    CHECK_EQ(faults, 1);
    CHECK_EQ(last.address, BASE + 0x2000);
    CHECK_EQ(quire_sim_copy_to(&cpus[0], BASE + 0x2000, out, 0), 0);
}

/* ---- faults ---------------------------------------------------------------------------------- */

static bool map_it(struct quire_sim_cpu *cpu, const struct quire_fault *fault)
{
    unsigned page = (unsigned)((fault->address - BASE) >> 12);
    map(page, page, 7);
    (void)cpu;
    return true;
}

static void a_fault_is_raised_and_the_access_tried_again(void)
{
    if (!setup())
        return;
    repair = map_it;
    write64(&cpus[0], BASE + 0x3ffd, 42); /* two pages, two faults */
    CHECK_EQ(faults, 2);
    CHECK_EQ(last.vector, QUIRE_VECTOR_PF);
    CHECK_EQ(last.error_code, 6);
    CHECK_EQ(read64(&cpus[0], BASE + 0x3ffd), 42);
    CHECK_EQ(faults, 2);
    CHECK_EQ(cpus[0].counts.faults, 2);
}

static bool access_and_give_up(struct quire_sim_cpu *cpu, const struct quire_fault *fault)
{
    static bool inside;
    uint64_t value;
    (void)fault;
    if (inside)
        return false;
    inside = true;
    CHECK(!quire_sim_read(cpu, 0x5000, &value, 8));
    quire_sim_flush(cpu->sim, NULL, &(struct quire_sim_flush){0, UINT64_MAX, 0xffff, false});
    inside = false;
    return false;
}

static void a_handler_may_access_and_flush_and_the_first_fault_stays(void)
{
    uint64_t value;
    if (!setup())
        return;
    repair = access_and_give_up;
    CHECK(!quire_sim_read(&cpus[0], BASE + 0x10, &value, 8));
    CHECK_EQ(faults, 2);
    CHECK_EQ(cpus[0].fault.address, BASE + 0x10);
}

static void memory_that_is_not_there_is_a_machine_check(void)
{
    uint64_t value;
    if (!setup())
        return;
    put(PT_AT, MEMORY_BYTES | 7);
    CHECK(!quire_sim_read(&cpus[0], BASE, &value, 8));
    CHECK_EQ(last.vector, QUIRE_VECTOR_MC);
    CHECK_EQ(last.reason, QUIRE_FAULT_NO_MEMORY);
    put(PT_AT, (MEMORY_BYTES - 0x1000) | 7);
    read64(&cpus[0], BASE + 0xff8);
}

static void rights_are_those_of_the_mode(void)
{
    uint64_t value = 0;
    struct quire_mmu_registers guarded = long_mode;
    struct quire_fault fault;
    if (!setup())
        return;
    guarded.cr4 |= QUIRE_CR4_SMAP | QUIRE_CR4_SMEP;
    REQUIRE(quire_sim_set_registers(&cpus[0], &guarded, &fault));
    map(0, 0, 7);
    map(1, 1, 3 | QUIRE_PTE_NX);
    write64(&cpus[0], BASE, 0xc3);
    CHECK(quire_sim_fetch(&cpus[0], BASE, &value, 1));
    CHECK_EQ(value, 0xc3);
    CHECK(!quire_sim_read(&cpus[0], BASE + 0x1000, &value, 8));
    CHECK_EQ(last.reason, QUIRE_FAULT_PAGE_SUPERVISOR);
    quire_sim_set_cpl(&cpus[0], 0); /* what is in the TLB counts by the new mode */
    write64(&cpus[0], BASE + 0x1000, 1);
    CHECK(!quire_sim_fetch(&cpus[0], BASE + 0x1000, &value, 1));
    CHECK_EQ(last.reason, QUIRE_FAULT_PAGE_NX);
    CHECK(!quire_sim_read(&cpus[0], BASE, &value, 8));
    CHECK_EQ(last.reason, QUIRE_FAULT_SMAP);
    CHECK(!quire_sim_fetch(&cpus[0], BASE, &value, 1));
    CHECK_EQ(last.reason, QUIRE_FAULT_SMEP);
    quire_sim_set_ac(&cpus[0], true);
    CHECK_EQ(read64(&cpus[0], BASE), 0xc3);
    quire_sim_set_ac(&cpus[0], false);
    CHECK(!quire_sim_read(&cpus[0], BASE, &value, 8));
    quire_sim_set_cpl(&cpus[0], 3);
    CHECK_EQ(read64(&cpus[0], BASE), 0xc3);
    CHECK(!quire_sim_write(&cpus[0], BASE + 0x1000, &value, 8));
}

/* ---- flushes --------------------------------------------------------------------------------- */

static void a_translation_stays_until_it_is_flushed(void)
{
    if (!setup())
        return;
    put(DATA, 100);
    put(DATA + 0x1000, 101);
    for (unsigned page = 0; page < 3; page++)
        map(page, 0, 7);
    for (unsigned page = 0; page < 3; page++)
        CHECK_EQ(read64(&cpus[0], BASE + page * 0x1000), 100);
    for (unsigned page = 0; page < 3; page++)
        map(page, 1, 7);
    CHECK_EQ(read64(&cpus[0], BASE), 100);
    quire_sim_invlpg(&cpus[0], BASE + 0x1fff); /* any address of the page */
    CHECK_EQ(read64(&cpus[0], BASE), 100);
    CHECK_EQ(read64(&cpus[0], BASE + 0x1000), 101);
    CHECK_EQ(read64(&cpus[0], BASE + 0x2000), 100);
    quire_sim_flush(&sim, NULL,
                    &(struct quire_sim_flush){BASE + 0x2000, BASE + 0x2000, 0xffff, false});
    CHECK_EQ(read64(&cpus[0], BASE), 100);
    CHECK_EQ(read64(&cpus[0], BASE + 0x2000), 101);
    quire_sim_flush(&sim, NULL, &(struct quire_sim_flush){0, UINT64_MAX, 0xffff, false});
    CHECK_EQ(read64(&cpus[0], BASE), 101);
}

static void a_range_is_flushed_and_its_neighbours_are_not(void)
{
    static const unsigned lengths[] = {1, 2, 63, 64, 65, 300};
    for (unsigned i = 0; i < sizeof lengths / sizeof *lengths; i++) {
        if (!setup())
            return;
        unsigned pages = lengths[i] + 2;
        put(DATA, 100);
        put(DATA + 0x1000, 101);
        for (unsigned page = 0; page < pages; page++) {
            map(page, 0, 7);
            CHECK_EQ(read64(&cpus[0], BASE + page * 0x1000), 100);
        }
        for (unsigned page = 0; page < pages; page++)
            map(page, 1, 7);
        quire_sim_flush(
            &sim, NULL,
            &(struct quire_sim_flush){BASE + 0x1000, BASE + (pages - 1) * 0x1000ull - 1, 0, true});
        for (unsigned page = 0; page < pages; page++)
            CHECK_EQ(read64(&cpus[0], BASE + page * 0x1000), page && page < pages - 1 ? 101 : 100);
    }
}

static void more_pages_than_the_tlb_has_are_walked_again(void)
{
    if (!setup())
        return;
    for (unsigned page = 0; page < 512; page++) {
        map(page, page, 7);
        put(DATA + page * 0x1000, page);
    }
    /* A set's ways: those pages stay. */
    for (unsigned round = 0; round < 3; round++)
        for (unsigned page = 0; page < 512; page++)
            CHECK_EQ(read64(&cpus[0], BASE + page * 0x1000), page);
    CHECK_EQ(cpus[0].counts.walks, 512);
    /* Six pages of one set, of four ways: none of them is there when it comes round again. */
    quire_sim_flush(&sim, NULL, &(struct quire_sim_flush){0, UINT64_MAX, 0xffff, false});
    for (unsigned n = 1; n <= 6; n++)
        put(ROOT + 0x2000 + n * 8, 0x400000 | 0x87);
    for (unsigned round = 0; round < 2; round++)
        for (unsigned n = 1; n <= 6; n++)
            read64(&cpus[0], BASE + n * 2 * MIB);
    CHECK_EQ(cpus[0].counts.walks, 512 + 12);
    for (unsigned n = 3; n <= 6; n++) /* the last four are */
        read64(&cpus[0], BASE + n * 2 * MIB);
    CHECK_EQ(cpus[0].counts.walks, 512 + 12);
}

static void a_pcid_keeps_its_translations_and_globals_serve_all(void)
{
    struct quire_fault fault;
    if (!setup())
        return;
    map(0, 0, 7);
    put(OTHER_PT_AT, (DATA + 0x1000) | 7);
    map(1, 2, 7 | QUIRE_PTE_GLOBAL);
    put(OTHER_PT_AT + 8, (DATA + 0x3000) | 7); /* never seen while the global page is there */
    put(DATA, 100);
    put(DATA + 0x1000, 101);
    put(DATA + 0x2000, 102);
    put(DATA + 0x3000, 103);
    REQUIRE(quire_sim_set_cr3(&cpus[0], ROOT | 1, &fault));
    CHECK_EQ(read64(&cpus[0], BASE), 100);
    CHECK_EQ(read64(&cpus[0], BASE + 0x1000), 102);
    REQUIRE(quire_sim_set_cr3(&cpus[0], OTHER_ROOT | 2, &fault));
    CHECK_EQ(read64(&cpus[0], BASE), 101);
    CHECK_EQ(read64(&cpus[0], BASE + 0x1000), 102);
    CHECK_EQ(cpus[0].counts.walks, 3);
    REQUIRE(quire_sim_set_cr3(&cpus[0], ROOT | 1 | QUIRE_SIM_CR3_NO_FLUSH, &fault));
    CHECK_EQ(read64(&cpus[0], BASE), 100);
    CHECK_EQ(cpus[0].counts.walks, 3);
    REQUIRE(quire_sim_set_cr3(&cpus[0], ROOT | 1, &fault)); /* flushes PCID 1, not globals */
    CHECK_EQ(read64(&cpus[0], BASE), 100);
    CHECK_EQ(read64(&cpus[0], BASE + 0x1000), 102);
    CHECK_EQ(cpus[0].counts.walks, 4);
    REQUIRE(quire_sim_set_cr3(&cpus[0], OTHER_ROOT | 2 | QUIRE_SIM_CR3_NO_FLUSH, &fault));
    CHECK_EQ(read64(&cpus[0], BASE), 101);
    CHECK_EQ(cpus[0].counts.walks, 4);
    quire_sim_invlpg(&cpus[0], BASE + 0x1000); /* a global page goes too */
    CHECK_EQ(read64(&cpus[0], BASE + 0x1000), 103);
    /* One address space of several. */
    quire_sim_flush(&sim, NULL, &(struct quire_sim_flush){0, UINT64_MAX, 1, true});
    CHECK_EQ(read64(&cpus[0], BASE), 101);
    CHECK_EQ(cpus[0].counts.walks, 5);
    REQUIRE(quire_sim_set_cr3(&cpus[0], ROOT | 1 | QUIRE_SIM_CR3_NO_FLUSH, &fault));
    CHECK_EQ(read64(&cpus[0], BASE), 100);
    CHECK_EQ(cpus[0].counts.walks, 6);
}

static void a_large_page_is_flushed_by_any_of_its_addresses(void)
{
    if (!setup())
        return;
    put(0x400000 + 5 * 0x1000, 7);
    put(0x600000 + 5 * 0x1000, 8);
    map(0, 0, 7);
    read64(&cpus[0], BASE);
    CHECK_EQ(read64(&cpus[0], HUGE_BASE + 5 * 0x1000), 7);
    CHECK_EQ(get(ROOT + 0x2008), 0x400000 | 0xa7);
    put(ROOT + 0x2008, 0x600000 | 0x87);
    quire_sim_invlpg(&cpus[0], BASE); /* beside it */
    CHECK_EQ(read64(&cpus[0], HUGE_BASE + 5 * 0x1000), 7);
    quire_sim_invlpg(&cpus[0], HUGE_BASE + 0x123456);
    CHECK_EQ(read64(&cpus[0], HUGE_BASE + 5 * 0x1000), 8);
}

static void another_cpus_tlb_is_flushed_where_it_is_asked_for(void)
{
    if (!setup())
        return;
    put(DATA, 100);
    put(DATA + 0x1000, 101);
    map(0, 0, 7);
    CHECK_EQ(read64(&cpus[0], BASE), 100);
    CHECK_EQ(read64(&cpus[1], BASE), 100);
    map(0, 1, 7);
    const uint32_t second = 2;
    const struct quire_sim_flush page = {BASE, BASE, 0xffff, false};
    quire_sim_flush(&sim, &second, &page);
    CHECK_EQ(read64(&cpus[0], BASE), 100);
    CHECK_EQ(read64(&cpus[1], BASE), 101);
    /* More requests than there is room for: everything goes. */
    map(1, 0, 7);
    CHECK_EQ(read64(&cpus[0], BASE + 0x1000), 100);
    map(1, 1, 7);
    for (unsigned i = 0; i < 2 * QUIRE_SIM_MAX_POSTED; i++)
        quire_sim_flush(&sim, NULL, &page);
    CHECK_EQ(read64(&cpus[0], BASE), 101);
    CHECK_EQ(read64(&cpus[0], BASE + 0x1000), 101);
}

/* Where all high bits are set, as those are that say what waits. */
static void an_upper_half_address_does_not_hit_while_a_flush_waits(void)
{
    const quire_linear_t upper = 0xffffff8000000000;
    if (!setup())
        return;
    put(ROOT + 511 * 8, (ROOT + 0x1000) | 7);
    put(DATA, 100);
    put(DATA + 0x1000, 101);
    map(0, 0, 7);
    CHECK_EQ(read64(&cpus[0], upper), 100);
    map(0, 1, 7);
    quire_sim_flush(&sim, NULL, &(struct quire_sim_flush){upper, upper, 0xffff, false});
    CHECK_EQ(read64(&cpus[0], upper), 101);
}

static void descriptors_are_read_through_paging_as_supervisor(void)
{
    struct quire_fault fault;
    if (!setup())
        return;
    map(0, 0, 3); /* a supervisor page */
    put(DATA + QUIRE_LINUX_X86_64_USER_DS / 8 * 8, 0x00cff2000000ffff);
    struct quire_descriptor_memory memory = quire_sim_descriptor_memory(&cpus[0]);
    struct quire_segments segments = {
        .gdtr = {BASE, 0x7f}, .long_mode = true, .linear_bits = 48, .memory = &memory};
    segments.segment[QUIRE_CS].selector = QUIRE_LINUX_X86_64_USER_CS;
    CHECK(quire_segment_load(&segments, QUIRE_DS, QUIRE_LINUX_X86_64_USER_DS, &fault));
    CHECK_EQ(get(DATA + QUIRE_LINUX_X86_64_USER_DS / 8 * 8), 0x00cff3000000ffff);
    segments.gdtr.base = BASE + 0x1000;
    CHECK(!quire_segment_load(&segments, QUIRE_DS, QUIRE_LINUX_X86_64_USER_DS, &fault));
    CHECK_EQ(fault.vector, QUIRE_VECTOR_PF);
    CHECK_EQ(fault.error_code, 0); /* supervisor, though the CPU is in ring 3 */
    CHECK_EQ(faults, 0);
}

/* Against an array that says what each page must hold: maps, unmaps, flushes and switches at
 * random. A stale translation or a lost one shows. */
static void random_changes_and_flushes_keep_the_tlb_true(void)
{
    static uint16_t shown[2][512]; /* frame + 1 that each address space has there */
    unsigned long rounds = (unsigned long)test_environment.effort / 10;
    unsigned space = 0;
    struct quire_fault fault;
    if (!setup())
        return;
    for (unsigned i = 0; i < 1024; i++)
        shown[i / 512][i % 512] = 0;
    for (unsigned frame = 0; frame < 512; frame++)
        put(DATA + frame * 0x1000, frame + 1000);
    REQUIRE(quire_sim_set_cr3(&cpus[0], ROOT | 1, &fault));
    for (unsigned long n = 0; n < rounds; n++) {
        unsigned page = test_random_below(512), what = test_random_below(16);
        quire_linear_t at = BASE + page * 0x1000;
        if (what < 2) { /* changed, and flushed as it has to be */
            unsigned frame = test_random_below(512);
            shown[space][page] = (uint16_t)(what ? frame + 1 : 0);
            put((space ? OTHER_PT_AT : PT_AT) + page * 8, what ? (DATA + frame * 0x1000) | 7 : 0);
            quire_sim_invlpg(&cpus[0], at);
        } else if (what == 2) {
            space = !space;
            REQUIRE(quire_sim_set_cr3(
                &cpus[0], (space ? OTHER_ROOT | 2 : ROOT | 1) | QUIRE_SIM_CR3_NO_FLUSH, &fault));
        } else {
            uint64_t value = 0;
            bool mapped = quire_sim_read(&cpus[0], at, &value, 8);
            CHECK_EQ(mapped, shown[space][page] != 0);
            if (mapped)
                CHECK_EQ(value, shown[space][page] - 1 + 1000);
        }
    }
}

static const struct test_case cases[] = {
    TEST_CASE(what_is_written_is_read_and_a_second_access_does_not_walk),
    TEST_CASE(accessed_and_dirty_are_set_by_the_first_access_of_their_kind),
    TEST_CASE(an_access_that_crosses_pages_is_done_whole_or_not_at_all),
    TEST_CASE(thirty_two_bit_addresses_wrap_within_an_access),
    TEST_CASE(copies_end_where_they_fault),
    TEST_CASE(a_fault_is_raised_and_the_access_tried_again),
    TEST_CASE(a_handler_may_access_and_flush_and_the_first_fault_stays),
    TEST_CASE(memory_that_is_not_there_is_a_machine_check),
    TEST_CASE(rights_are_those_of_the_mode),
    TEST_CASE(a_translation_stays_until_it_is_flushed),
    TEST_CASE(a_range_is_flushed_and_its_neighbours_are_not),
    TEST_CASE(more_pages_than_the_tlb_has_are_walked_again),
    TEST_CASE(a_pcid_keeps_its_translations_and_globals_serve_all),
    TEST_CASE(a_large_page_is_flushed_by_any_of_its_addresses),
    TEST_CASE(another_cpus_tlb_is_flushed_where_it_is_asked_for),
    TEST_CASE(an_upper_half_address_does_not_hit_while_a_flush_waits),
    TEST_CASE(descriptors_are_read_through_paging_as_supervisor),
    TEST_CASE(random_changes_and_flushes_keep_the_tlb_true),
    {0},
};
const struct test_suite suite_sim = {"sim", cases};
