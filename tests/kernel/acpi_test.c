/* tests/kernel/acpi_test.c: tables are found, nodes are read, and nothing is believed unchecked */
#include "kernel/acpi.h"
#include "kernel/cpu.h"
#include "kernel/numa.h"
#include "tests/harness/harness.h"
#include "tests/kernel/memory.h"

/* Offsets in the fake memory. */
#define RSDP 0
#define ROOT 64
#define SRAT 256
#define SLIT 1024

#define CHECKSUM 9 /* of a table, from its begin */
#define HEADER_BYTES 36
#define SRAT_HEADER_BYTES 48

static void finish_table(size_t at, const char *signature, size_t length)
{
    fake_text(at, signature);
    fake_put(at + 4, length, 4);
    fake_sum(at, length, at + CHECKSUM);
}

/* An RSDP of revision 2 with an XSDT, or of revision 0 with an RSDT, that lists SRAT and SLIT. */
static void put_root(bool xsdt)
{
    unsigned entry = xsdt ? 8 : 4;
    fake_reset();
    fake_text(RSDP, "RSD PTR ");
    fake_put(RSDP + 15, xsdt ? 2 : 0, 1);
    fake_put(RSDP + (xsdt ? 24 : 16), FAKE_BASE + ROOT, entry);
    fake_put(RSDP + 20, 36, 4);
    fake_sum(RSDP, 20, RSDP + 8);
    fake_sum(RSDP, 36, RSDP + 32);
    fake_put(ROOT + HEADER_BYTES, FAKE_BASE + SRAT, entry);
    fake_put(ROOT + HEADER_BYTES + entry, FAKE_BASE + SLIT, entry);
    finish_table(ROOT, xsdt ? "XSDT" : "RSDT", HEADER_BYTES + 2 * entry);
}

static size_t put_memory(size_t at, uint32_t domain, uint64_t base, uint64_t size, uint32_t flags)
{
    fake_put(at, 1, 1);
    fake_put(at + 1, 40, 1);
    fake_put(at + 2, domain, 4);
    fake_put(at + 8, base, 8);
    fake_put(at + 16, size, 8);
    fake_put(at + 28, flags, 4);
    return at + 40;
}

static size_t put_cpu(size_t at, uint32_t domain, uint32_t apic_id)
{
    fake_put(at, 0, 1);
    fake_put(at + 1, 16, 1);
    fake_put(at + 2, domain, 1);
    fake_put(at + 3, apic_id, 1);
    fake_put(at + 4, 1, 4);
    fake_put(at + 9, domain >> 8, 3);
    return at + 16;
}

/* Two domains with unlike numbers; the CPU that runs is in the second, and is listed first. */
static void put_srat(void)
{
    size_t at = put_cpu(SRAT + SRAT_HEADER_BYTES, 0x10001, cpu_apic_id());
    at = put_memory(at, 7, 0, 0xa0000, 1);
    at = put_memory(at, 7, 0x100000, 0x7ff00000, 1);
    at = put_memory(at, 0x10001, 0x80000000, 0x40000000, 1);
    at = put_memory(at, 0x10001, 0x100000000, 0x40000000, 3);
    at = put_memory(at, 99, 0x200000000, 0x40000000, 0);
    finish_table(SRAT, "SRAT", at - SRAT);
}

static void the_xsdt_is_preferred_and_the_rsdt_will_do(void)
{
    for (int xsdt = 0; xsdt < 2; xsdt++) {
        struct acpi_table table = {0, 0};
        put_root(xsdt);
        put_srat();
        CHECK(acpi_find(FAKE_BASE + RSDP, "SRAT", &table));
        CHECK_EQ(table.phys, FAKE_BASE + SRAT);
        CHECK(!acpi_find(FAKE_BASE + RSDP, "SLIT", &table));
        CHECK(!acpi_find(FAKE_BASE + RSDP, "DSDT", &table));
    }
}

static void a_broken_byte_anywhere_hides_the_table(void)
{
    struct acpi_table table;
    put_root(true);
    put_srat();
    REQUIRE(acpi_find(FAKE_BASE + RSDP, "SRAT", &table));
    for (size_t at = 0; at < SRAT + table.length; at++) {
        /* Not the gaps, nor what names another table or the old root. */
        bool counts = at < 36 || (at >= ROOT && at < ROOT + HEADER_BYTES + 16) || at >= SRAT;
        struct acpi_table found;
        fake_memory[at] ^= 0x40;
        if (counts)
            CHECK(!acpi_find(FAKE_BASE + RSDP, "SRAT", &found) || found.phys != table.phys);
        fake_memory[at] ^= 0x40;
    }
}

static void lengths_out_of_range_are_refused(void)
{
    static const uint32_t lengths[] = {0, 8, 35, 0x200000, 0xffffffff};
    struct acpi_table table;
    for (unsigned i = 0; i < sizeof lengths / sizeof lengths[0]; i++) {
        put_root(true);
        put_srat();
        fake_put(SRAT + 4, lengths[i], 4);
        CHECK(!acpi_find(FAKE_BASE + RSDP, "SRAT", &table));
        put_root(true);
        put_srat();
        fake_put(ROOT + 4, lengths[i], 4);
        CHECK(!acpi_find(FAKE_BASE + RSDP, "SRAT", &table));
    }
    CHECK(!acpi_find(0, "SRAT", &table));
    CHECK(!acpi_find(0x1234, "SRAT", &table));
}

static void domains_become_nodes_in_order_of_memory(void)
{
    struct numa numa;
    put_root(true);
    put_srat();
    numa_init(&numa, FAKE_BASE + RSDP);
    REQUIRE(numa.nr_nodes == 2);
    CHECK_EQ(numa.domain[0], 7);
    CHECK_EQ(numa.domain[1], 0x10001);
    CHECK_EQ(numa.nr_ranges, 4);
    CHECK_EQ(numa.boot_node, 1);
    CHECK(!numa.has_distance);
}

static void ranges_are_cut_where_the_node_changes(void)
{
    struct numa numa;
    bool hotplug;
    quire_phys_t end = 0x90000000;
    put_root(true);
    put_srat();
    numa_init(&numa, FAKE_BASE + RSDP);
    CHECK_EQ(numa_node_of(&numa, 0x100000, &end, &hotplug), 0);
    CHECK_EQ(end, 0x80000000);
    end = 0x90000000;
    CHECK_EQ(numa_node_of(&numa, 0x80000000, &end, &hotplug), 1);
    CHECK_EQ(end, 0x90000000);
    CHECK(!hotplug);
    end = 0x200000000;
    CHECK_EQ(numa_node_of(&numa, 0x100000000, &end, &hotplug), 1);
    CHECK_EQ(end, 0x140000000);
    CHECK(hotplug);
    end = 0x200000000;
    CHECK_EQ(numa_node_of(&numa, 0xc0000000, &end, &hotplug), 0); /* nobody mentions it */
    CHECK_EQ(end, 0x100000000);
    CHECK(!hotplug);
}

static void without_tables_there_is_one_node(void)
{
    struct numa numa;
    numa_init(&numa, 0);
    CHECK_EQ(numa.nr_nodes, 1);
    CHECK_EQ(numa.nr_ranges, 0);
    CHECK_EQ(numa.boot_node, 0);
}

static void an_entry_that_overruns_the_table_ends_it(void)
{
    static const uint8_t lengths[] = {0, 1, 39, 255};
    for (unsigned i = 0; i < sizeof lengths; i++) {
        struct numa numa;
        put_root(true);
        size_t at = put_memory(SRAT + SRAT_HEADER_BYTES, 1, 0, 0x100000, 1);
        at = put_memory(at, 2, 0x100000, 0x100000, 1);
        fake_put(at - 39, lengths[i], 1);
        finish_table(SRAT, "SRAT", at - SRAT);
        numa_init(&numa, FAKE_BASE + RSDP);
        CHECK_EQ(numa.nr_nodes, 1);
        CHECK_EQ(numa.nr_ranges, 1);
    }
}

/* A matrix of 8 domains, of which only 1 and 2 have memory. */
static void put_slit(uint8_t there, uint8_t back, uint8_t here)
{
    fake_put(SLIT + 36, 8, 8);
    fake_put(SLIT + 44 + 1 * 8 + 1, here, 1);
    fake_put(SLIT + 44 + 1 * 8 + 2, there, 1);
    fake_put(SLIT + 44 + 2 * 8 + 1, back, 1);
    fake_put(SLIT + 44 + 2 * 8 + 2, 10, 1);
    finish_table(SLIT, "SLIT", 44 + 64);
}

static void put_two_domains(void)
{
    put_root(true);
    size_t at = put_memory(SRAT + SRAT_HEADER_BYTES, 1, 0, 0x100000, 1);
    finish_table(SRAT, "SRAT", put_memory(at, 2, 0x100000, 0x100000, 1) - SRAT);
}

static void distances_are_taken_by_domain(void)
{
    struct numa numa;
    put_two_domains();
    put_slit(21, 31, 10);
    numa_init(&numa, FAKE_BASE + RSDP);
    CHECK(numa.has_distance);
    CHECK_EQ(numa.distance[0], 10);
    CHECK_EQ(numa.distance[1], 21);
    CHECK_EQ(numa.distance[2], 31);
    CHECK_EQ(numa.distance[3], 10);
}

static void senseless_distances_are_ignored(void)
{
    static const uint8_t bad[][3] = {{10, 21, 10}, {21, 5, 10}, {21, 21, 11}};
    for (unsigned i = 0; i < 4; i++) {
        struct numa numa;
        put_two_domains();
        put_slit(bad[i % 3][0], bad[i % 3][1], bad[i % 3][2]);
        if (i == 3) {
            put_slit(21, 21, 10);
            fake_put(SLIT + 36, UINT64_MAX, 8); /* whose square overflows */
            finish_table(SLIT, "SLIT", 44 + 64);
        }
        numa_init(&numa, FAKE_BASE + RSDP);
        CHECK_EQ(numa.nr_nodes, 2);
        CHECK(!numa.has_distance);
    }
}

static const struct test_case cases[] = {
    TEST_CASE(the_xsdt_is_preferred_and_the_rsdt_will_do),
    TEST_CASE(a_broken_byte_anywhere_hides_the_table),
    TEST_CASE(lengths_out_of_range_are_refused),
    TEST_CASE(domains_become_nodes_in_order_of_memory),
    TEST_CASE(ranges_are_cut_where_the_node_changes),
    TEST_CASE(without_tables_there_is_one_node),
    TEST_CASE(an_entry_that_overruns_the_table_ends_it),
    TEST_CASE(distances_are_taken_by_domain),
    TEST_CASE(senseless_distances_are_ignored),
    {0},
};
const struct test_suite suite_acpi = {"acpi", cases};
