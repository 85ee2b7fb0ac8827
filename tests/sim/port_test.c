/* tests/sim/port_test.c: ports/sim as a port: level 2 reaches the simulated TLBs */
#include <quire/port.h>

#include "ports/sim/sim.h"
#include "tests/harness/harness.h"

#define ROOT 0x1000u
#define TABLE 0x2000u
#define NR_PAGES 4u
#define BASE 0x08147000u
#define OLD 0x4000u
#define NEW 0x8000u

static struct quire_sim_cpu cpus[2];
static struct quire_sim sim;

static void put(uint32_t at, uint32_t value)
{
    __builtin_memcpy(sim.port.base + at, &value, sizeof value);
}

/* Pages that both CPUs have in their TLBs and that lead elsewhere by now. */
static bool setup(void)
{
    static const struct quire_mmu_registers registers = {QUIRE_CR0_PG | QUIRE_CR0_PE, ROOT, 0, 0};
    struct quire_fault fault;
    sim = (struct quire_sim){.cpu = cpus, .nr_cpus = 2};
    if (!test_environment.memory(0x10000, &sim.port))
        return false;
    sim.memory = (struct quire_phys_memory){.base = sim.port.base, .size = sim.port.direct_end};
    quire_sim_init(&sim);
    put(ROOT + 32 * 4, TABLE | 7);
    for (unsigned i = 0; i < NR_PAGES; i++) {
        put(TABLE + (327 + i) * 4, (OLD + i * 0x1000) | 7);
        put(NEW + i * 0x1000, 1);
    }
    for (unsigned cpu = 0; cpu < 2; cpu++) {
        if (!quire_sim_set_registers(&cpus[cpu], &registers, &fault))
            return false;
        for (unsigned i = 0; i < NR_PAGES; i++) {
            uint32_t value = 9;
            CHECK(quire_sim_read(&cpus[cpu], BASE + i * 0x1000, &value, sizeof value));
            CHECK_EQ(value, 0);
        }
    }
    for (unsigned i = 0; i < NR_PAGES; i++)
        put(TABLE + (327 + i) * 4, (NEW + i * 0x1000) | 7);
    return true;
}

/* Bit i of the result: page i was flushed on that CPU. */
static unsigned flushed(unsigned cpu)
{
    unsigned pages = 0;
    for (unsigned i = 0; i < NR_PAGES; i++) {
        uint32_t value = 0;
        CHECK(quire_sim_read(&cpus[cpu], BASE + i * 0x1000, &value, sizeof value));
        pages |= value << i;
    }
    return pages;
}

static const struct quire_cpumask *mask(const uint32_t *word)
{
    return (const struct quire_cpumask *)(const void *)word;
}

static void a_page_is_flushed_on_all_cpus(void)
{
    REQUIRE(setup());
    quire_port_tlb_flush_page(&sim.port, NULL, BASE + 0x1fff);
    CHECK_EQ(flushed(0), 2);
    CHECK_EQ(flushed(1), 2);
}

static void a_range_is_flushed_on_the_cpus_of_a_mask(void)
{
    static const uint32_t second[(QUIRE_MAX_CPUS + 31) / 32] = {2};
    REQUIRE(setup());
    quire_port_tlb_flush_range(&sim.port, mask(second), BASE + 0x1000, 0x2000, 12);
    CHECK_EQ(flushed(0), 0);
    CHECK_EQ(flushed(1), 6);
}

static void everything_is_flushed(void)
{
    static const uint32_t first[(QUIRE_MAX_CPUS + 31) / 32] = {1};
    REQUIRE(setup());
    quire_port_tlb_flush_all(&sim.port, mask(first));
    CHECK_EQ(flushed(0), 15);
    CHECK_EQ(flushed(1), 0);
}

static const struct test_case cases[] = {
    TEST_CASE(a_page_is_flushed_on_all_cpus),
    TEST_CASE(a_range_is_flushed_on_the_cpus_of_a_mask),
    TEST_CASE(everything_is_flushed),
    {0},
};
const struct test_suite suite_sim_port = {"sim_port", cases};
