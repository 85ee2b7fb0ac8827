/* tests/model/translation_model.c: tables as Quire builds them, walked as the processor does
 *
 * What quire_map_range, quire_protect_range and quire_unmap_range leave behind is compared with
 * quire_query, at random addresses, by the hardware's walk and by accesses of the software MMU,
 * whose TLB hears of changes only through the flushes that the tables ask for.
 */
#include <quire/map.h>

#include "ports/sim/sim.h"
#include "tests/unit/machine.h"

#define PAGE 4096u
#define RANGE_PAGES 4096u
#define TARGET (32 * MIB)
#define END (52 * MIB)

static struct quire_sim_cpu cpu;
static struct quire_sim sim;

static bool start(struct quire_pgtable *pt, enum quire_pt_format_id format)
{
    /* What is mapped lies in a hole of the map, where the machine keeps nothing of its own. */
    static const struct quire_memblock_region map[] = {
        {.size = TARGET}, {.base = END - 4 * MIB, .size = 4 * MIB}, {0}};
    struct quire_mem_config config = {.nr_cpus = 1};
    config.zone_end[QUIRE_ZONE_NORMAL] = UINT64_MAX;
    struct quire_mem *mem = machine_boot(map, config);
    if (!mem)
        return false;
    sim = (struct quire_sim){
        .memory = {.base = machine.port.base, .size = END}, .cpu = &cpu, .nr_cpus = 1};
    quire_sim_init(&sim);
    const struct quire_pgtable_config tables = {
        .mem = mem, .format = format, .flush = quire_sim_tlb_flush, .flush_arg = &sim};
    if (quire_pgtable_init(pt, &tables)) {
        test_fail(__FILE__, __LINE__, "there is no root");
        return false;
    }
    quire_pgtable_cpu_enter(pt, 0);
    return true;
}

static bool load(const struct quire_pgtable *pt, enum quire_pt_format_id format)
{
    struct quire_mmu_registers r = {QUIRE_CR0_PG | QUIRE_CR0_PE | QUIRE_CR0_WP, pt->root,
                                    QUIRE_CR4_PSE | QUIRE_CR4_PGE, QUIRE_EFER_NXE};
    struct quire_fault fault;
    if (format >= QUIRE_PT_FORMAT_PAE)
        r.cr4 |= QUIRE_CR4_PAE;
    if (format == QUIRE_PT_FORMAT_I386_4K)
        r.cr4 &= ~(uint64_t)QUIRE_CR4_PSE;
    if (format >= QUIRE_PT_FORMAT_X86_64)
        r.efer |= QUIRE_EFER_LME;
    if (format == QUIRE_PT_FORMAT_LA57)
        r.cr4 |= QUIRE_CR4_LA57;
    bool ok = quire_sim_set_registers(&cpu, &r, &fault);
    quire_sim_set_cpl(&cpu, 3);
    return ok;
}

static void compare(struct quire_pgtable *pt, quire_linear_t at)
{
    static const unsigned kinds[] = {QUIRE_READ, QUIRE_WRITE, QUIRE_EXECUTE};
    unsigned access = kinds[test_random_below(3)];
    struct quire_pt_query query;
    struct quire_walk walk;
    struct quire_phys_memory memory = sim.memory;
    memory.read_only = true;
    bool mapped = !quire_query(pt, at, &query);
    bool allowed = mapped && query.entry & QUIRE_PTE_USER &&
                   (access != QUIRE_WRITE || query.entry & QUIRE_PTE_WRITE) &&
                   (access != QUIRE_EXECUTE || !(query.entry & pt->format->nx));
    bool walked = quire_mmu_walk(&cpu.mmu, &memory, at, access, &walk, NULL);
    CHECK_EQ(walked, allowed);
    if (walked)
        CHECK_EQ(walk.phys, query.phys);
    uint8_t byte = 0;
    bool accessed = access == QUIRE_WRITE  ? quire_sim_write(&cpu, at, &byte, 1)
                    : access == QUIRE_READ ? quire_sim_read(&cpu, at, &byte, 1)
                                           : quire_sim_fetch(&cpu, at, &byte, 1);
    CHECK_EQ(accessed, allowed);
}

static void change(struct quire_pgtable *pt, quire_linear_t base)
{
    unsigned first = test_random_below(RANGE_PAGES - 1);
    unsigned pages = 1 + test_random_below(test_random_below(2) ? 8 : RANGE_PAGES - first);
    uint64_t prot = (test_random() & QUIRE_PTE_NX) | QUIRE_PTE_USER |
                    (test_random() & (QUIRE_PTE_WRITE | QUIRE_PTE_GLOBAL));
    if (first + pages > RANGE_PAGES)
        pages = RANGE_PAGES - first;
    quire_linear_t at = base + (quire_linear_t)first * PAGE;
    uint64_t size = (uint64_t)pages * PAGE;
    switch (test_random_below(3)) {
    case 0:
        CHECK(!quire_unmap_range(pt, at, size, 0, NULL));
        break;
    case 1:
        CHECK(!quire_protect_range(pt, at, size, prot & pt->prot_mask,
                                   (QUIRE_PTE_WRITE | QUIRE_PTE_NX) & pt->prot_mask, NULL));
        break;
    default:
        if (quire_map_range(pt, at, TARGET + (uint64_t)first * PAGE, size, prot & pt->prot_mask,
                            0) == -QUIRE_EEXIST) {
            CHECK(!quire_unmap_range(pt, at, size, 0, NULL));
            CHECK(!quire_map_range(pt, at, TARGET + (uint64_t)first * PAGE, size,
                                   prot & pt->prot_mask, 0));
        }
    }
}

static void tables_are_walked_as_they_were_built(void)
{
    unsigned long rounds = (unsigned long)test_environment.effort / 100;
    for (unsigned f = 0; f < QUIRE_NR_PT_FORMATS; f++) {
        enum quire_pt_format_id format = (enum quire_pt_format_id)f;
        struct quire_pgtable pt;
        if (!start(&pt, format))
            return;
        quire_linear_t base = quire_pt_formats[f].virt_bits == 32 ? 0x80000000 : 0x7f0000000000;
        REQUIRE(load(&pt, format));
        for (unsigned long n = 0; n < rounds; n++) {
            if (!test_random_below(32))
                change(&pt, base);
            compare(&pt, base + test_random_below(RANGE_PAGES * PAGE));
        }
        quire_pgtable_check(&pt);
        CHECK(!quire_unmap_range(&pt, base, RANGE_PAGES * PAGE, 0, NULL));
        quire_pgtable_cpu_leave(&pt, 0);
        quire_pgtable_destroy(&pt);
    }
}

/* SDM 3A, 4.4.1: processors with PAE read the entries of the root with CR3, and never again. */
static void what_comes_after_cr3_was_loaded_is_seen_and_what_goes_is_forgotten(void)
{
    for (unsigned f = 0; f < QUIRE_NR_PT_FORMATS; f++) {
        enum quire_pt_format_id format = (enum quire_pt_format_id)f;
        struct quire_pgtable pt;
        uint8_t byte;
        if (!start(&pt, format))
            return;
        REQUIRE(load(&pt, format));
        for (quire_linear_t at = PAGE; at < 0xffffffff; at += 0x40000000) {
            CHECK(!quire_map_range(&pt, at, TARGET, PAGE, QUIRE_PTE_USER, 0));
            CHECK(quire_sim_read(&cpu, at, &byte, 1));
            CHECK(!quire_unmap_range(&pt, at, PAGE, 0, NULL));
            CHECK(!quire_sim_read(&cpu, at, &byte, 1));
            CHECK(!quire_map_range(&pt, at, TARGET, PAGE, QUIRE_PTE_USER, 0));
            CHECK(quire_sim_read(&cpu, at, &byte, 1));
        }
        quire_pgtable_cpu_leave(&pt, 0);
        quire_pgtable_destroy(&pt);
    }
}

/* With SMAP a page that is given to user mode is taken from the supervisor. */
static void a_supervisor_that_used_a_page_does_not_keep_it_as_the_users(void)
{
    struct quire_pgtable pt;
    struct quire_fault fault;
    uint8_t byte;
    if (!start(&pt, QUIRE_PT_FORMAT_X86_64))
        return;
    REQUIRE(load(&pt, QUIRE_PT_FORMAT_X86_64));
    struct quire_mmu_registers registers = cpu.mmu.registers;
    registers.cr4 |= QUIRE_CR4_SMAP | QUIRE_CR4_SMEP;
    REQUIRE(quire_sim_set_registers(&cpu, &registers, &fault));
    quire_sim_set_cpl(&cpu, 0);
    CHECK(!quire_map_range(&pt, PAGE, TARGET, PAGE, 0, 0));
    CHECK(quire_sim_read(&cpu, PAGE, &byte, 1));
    CHECK(quire_sim_fetch(&cpu, PAGE, &byte, 1));
    CHECK(!quire_protect_range(&pt, PAGE, PAGE, QUIRE_PTE_USER, 0, NULL));
    CHECK(!quire_sim_read(&cpu, PAGE, &byte, 1));
    CHECK(!quire_sim_fetch(&cpu, PAGE, &byte, 1));
    quire_pgtable_cpu_leave(&pt, 0);
    quire_pgtable_destroy(&pt);
}

static const struct test_case cases[] = {
    TEST_CASE(what_comes_after_cr3_was_loaded_is_seen_and_what_goes_is_forgotten),
    TEST_CASE(a_supervisor_that_used_a_page_does_not_keep_it_as_the_users),
    TEST_CASE(tables_are_walked_as_they_were_built),
    {0},
};
const struct test_suite suite_translation = {"translation", cases};
