/* tests/unit/mmu_test.c: the walk as hardware does it: its steps, registers, memory that changes */
#include "tests/unit/mmu_case.h"

static void a_1_gib_page_needs_a_processor_that_has_them(void)
{
    static const struct walk_case c = {
        LONG, 3, R, 0, 0, 0, 0, 0x7f1234567abc, {0x2007, 0x40000087, 0, 0}, OK, 0};
    struct quire_mmu mmu;
    struct quire_fault fault;
    struct quire_walk walk;
    if (!mmu_setup())
        return;
    REQUIRE(mmu_load_case(&c, &mmu, &fault));
    mmu.features.no_1gib = true;
    const struct quire_mmu_registers registers = mmu.registers;
    REQUIRE(quire_mmu_load(&mmu, &registers, &mmu_memory, &fault));
    CHECK(!quire_mmu_walk(&mmu, &mmu_memory, c.linear, R, &walk, NULL));
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
    if (!mmu_setup())
        return;
    REQUIRE(mmu_load_case(&c, &mmu, &fault));
    REQUIRE(quire_mmu_walk(&mmu, &mmu_memory, c.linear, R, &walk, step));
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
    if (!mmu_setup())
        return;
    REQUIRE(mmu_load_case(&c, &mmu, &fault));
    CHECK(!quire_mmu_walk(&mmu, &mmu_memory, c.linear, R, &walk, step));
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
    if (!mmu_setup())
        return;
    REQUIRE(mmu_load_case(&c, &mmu, &fault));
    REQUIRE(quire_mmu_walk(&mmu, &mmu_memory, c.linear, R, &walk, NULL));
    CHECK_EQ(walk.level, QUIRE_PMD);
    CHECK_EQ(walk.shift, 21);
    CHECK(!walk.user && !walk.writable && !walk.executable && walk.global && walk.dirty);
    mmu.registers.cr4 &= ~(uint64_t)QUIRE_CR4_PGE;
    REQUIRE(quire_mmu_walk(&mmu, &mmu_memory, c.linear, R, &walk, NULL));
    CHECK(!walk.global);
}

static void without_paging_linear_is_physical(void)
{
    struct quire_mmu mmu = {.cpl = 3};
    struct quire_walk walk;
    CHECK(quire_mmu_walk(&mmu, &mmu_memory, 0x1fedcba98, W, &walk, NULL));
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
    if (!mmu_setup())
        return;
    mmu_clear_memory();
    for (unsigned i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct quire_mmu mmu = {.features = {.phys_bits = 40}};
        struct quire_fault fault = {0};
        CHECK_EQ(quire_mmu_load(&mmu, &cases[i].registers, &mmu_memory, &fault), !cases[i].reason);
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
    if (!mmu_setup())
        return;
    for (unsigned i = 0; i < sizeof bad / sizeof *bad; i++) {
        REQUIRE(mmu_load_case(&c, &mmu, &fault));
        const struct quire_mmu_registers registers = mmu.registers;
        mmu_put(ROOT, 8, bad[i]); /* another entry than the one that is walked */
        CHECK(!quire_mmu_load(&mmu, &registers, &mmu_memory, &fault));
        CHECK_EQ(fault.vector, QUIRE_VECTOR_GP);
        CHECK_EQ(fault.error_code, 0);
        CHECK_EQ(fault.reason, QUIRE_FAULT_RESERVED_BITS);
        mmu_put(ROOT, 8, bad[i] & ~1ull); /* not present: anything goes */
        CHECK(quire_mmu_load(&mmu, &registers, &mmu_memory, &fault));
        /* The registers count, not what becomes of memory. */
        mmu_put(ROOT + 24, 8, 0);
        CHECK(quire_mmu_walk(&mmu, &mmu_memory, c.linear, R, &walk, NULL));
    }
    /* A table is 32 bytes, aligned so. */
    mmu_put(0x8e0 + 24, 8, 0x2001);
    struct quire_mmu_registers registers = mmu.registers;
    registers.cr3 = 0x8ff;
    struct quire_walk_step step[QUIRE_NR_PT_LEVELS];
    REQUIRE(quire_mmu_load(&mmu, &registers, &mmu_memory, &fault));
    CHECK(quire_mmu_walk(&mmu, &mmu_memory, c.linear, R, &walk, step));
    CHECK_EQ(step[0].entry_at, 0x8e0 + 24);
    registers.cr3 = MEMORY_BYTES;
    CHECK(!quire_mmu_load(&mmu, &registers, &mmu_memory, &fault));
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
    if (!mmu_setup())
        return;
    REQUIRE(mmu_load_case(&c, &mmu, &fault));
    CHECK(!quire_mmu_walk(&mmu, &mmu_memory, c.linear, R, &walk, step));
    CHECK_EQ(walk.fault.vector, QUIRE_VECTOR_MC);
    CHECK_EQ(walk.fault.reason, QUIRE_FAULT_NO_MEMORY);
    CHECK_EQ(walk.nr_steps, 4); /* PGD, P4D folded, PUD, PMD */
    CHECK(step[3].unreadable && step[3].entry_at == MEMORY_BYTES && !step[2].unreadable);
    mmu_memory.size = 0x2004; /* ends within the second table's first entry */
    CHECK(!quire_mmu_walk(&mmu, &mmu_memory, c.linear, R, &walk, NULL));
    CHECK_EQ(walk.fault.vector, QUIRE_VECTOR_MC);
    mmu_memory.size = 0;
    CHECK(!quire_mmu_walk(&mmu, &mmu_memory, c.linear, R, &walk, NULL));
    CHECK_EQ(walk.fault.vector, QUIRE_VECTOR_MC);
}

static void read_only_memory_is_walked_without_marks(void)
{
    static const struct walk_case c = {
        LONG, 3, W, 0, 0, 0, 0, 0x7f1234567abc, {0x2007, 0x3007, 0x4007, 0x5007}, OK, 0};
    struct quire_mmu mmu;
    struct quire_fault fault;
    struct quire_walk walk;
    if (!mmu_setup())
        return;
    REQUIRE(mmu_load_case(&c, &mmu, &fault));
    mmu_memory.read_only = true;
    REQUIRE(quire_mmu_walk(&mmu, &mmu_memory, c.linear, W, &walk, NULL));
    CHECK(!walk.dirty);
    mmu_check_marks(&c, false);
}

/* Memory behind functions, where another processor changes the leaf between read and exchange. */
static unsigned exchanges, meddle_at;

static bool read_range(void *arg, quire_phys_t at, unsigned bytes, uint64_t *value)
{
    (void)arg;
    if (at >= MEMORY_BYTES || at + bytes > MEMORY_BYTES)
        return false;
    *value = mmu_get(at, bytes);
    return true;
}

static bool exchange_range(void *arg, quire_phys_t at, unsigned bytes, uint64_t from, uint64_t to)
{
    (void)arg;
    if (exchanges++ == meddle_at)
        mmu_put(at, bytes, 0x6007);
    if (mmu_get(at, bytes) != from)
        return false;
    mmu_put(at, bytes, to);
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
    if (!mmu_setup())
        return;
    REQUIRE(mmu_load_case(&c, &mmu, &fault));
    exchanges = 0;
    meddle_at = 3; /* the leaf's */
    REQUIRE(quire_mmu_walk(&mmu, &functions, c.linear, W, &walk, NULL));
    CHECK_EQ(walk.phys, 0x6abc);
    CHECK_EQ(exchanges, 5);
    CHECK_EQ(mmu_get(0x4000 + 0x167 * 8, 8), 0x6067);
}

/* Nothing but what the walk's own checks say may happen: no fault that has no reason, no address
 * outside of what the entry maps, no read beyond memory (the sanitizers look). */
static void random_tables_are_walked_within_memory(void)
{
    if (!mmu_setup())
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
        if (!mmu_load_case(&c, &mmu, &fault))
            continue;
        bool ok = quire_mmu_walk(&mmu, &mmu_memory, c.linear, W, &walk, step);
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
