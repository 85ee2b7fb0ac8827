/* tests/unit/tables_boot_test.c: a kernel leaves the tables that its boot code made for its own
 *
 * As a kernel does it: boot code's tables, made by hand of huge pages that may be read, written and
 * executed, map memory where it is and where the kernel runs. On them the kernel makes its own:
 * the direct map in the largest pages, the image with the rights of its parts, and nothing that can
 * be written and executed, by whichever address. Then it loads CR3.
 */
#include "tests/unit/tables_cpu.h"

#define GIB (1024 * MIB)
#define BOOT_TABLES RESERVED
#define PS_RWX 0x83u /* P, R/W, PS */

/* The image, in pages that don't begin where huge ones do. */
#define IMAGE (9 * MIB)
#define TEXT_BYTES 0x5000u
#define RODATA (IMAGE + TEXT_BYTES)
#define RODATA_BYTES 0x3000u
#define DATA (RODATA + RODATA_BYTES)
#define DATA_BYTES 0x8000u

static const enum quire_pt_format_id formats[] = {QUIRE_PT_FORMAT_I386, QUIRE_PT_FORMAT_PAE,
                                                  QUIRE_PT_FORMAT_X86_64, QUIRE_PT_FORMAT_LA57};
#define NR_FORMATS (sizeof formats / sizeof formats[0])

static struct quire_pgtable pt;
static struct quire_direct_map direct;
static quire_linear_t image; /* where the kernel was linked to, less IMAGE */

static bool is_64bit(enum quire_pt_format_id format)
{
    return format >= QUIRE_PT_FORMAT_X86_64;
}

/* ---- boot code ------------------------------------------------------------------------------- */

/* Entry `index` of boot code's table number `table`. */
static void boot_entry(unsigned table, unsigned index, uint64_t entry)
{
    put_phys(BOOT_TABLES + table * 0x1000 + index * 8, entry);
}

static uint64_t boot_table(unsigned table)
{
    return (BOOT_TABLES + table * 0x1000) | 3;
}

/* Two entries of four bytes in each word that is written. */
static void make_i386_boot_tables(void)
{
    for (unsigned n = 0; n < 4; n += 2) {
        uint64_t two = (uint64_t)((n + 1) * 4 * MIB | PS_RWX) << 32 | (n * 4 * MIB | PS_RWX);
        boot_entry(0, n / 2, two);
        boot_entry(0, (768 + n) / 2, two);
    }
}

/* Memory at 0 and at kernel_base, where there is room for it -2 GiB too; without global pages, so
 * that loading CR3 forgets them. */
static void make_boot_tables(enum quire_pt_format_id format)
{
    if (format == QUIRE_PT_FORMAT_I386) {
        make_i386_boot_tables();
        return;
    }
    for (unsigned n = 0; n < 8; n++)
        boot_entry(1, n, n * 2 * MIB | PS_RWX);
    if (format == QUIRE_PT_FORMAT_PAE) {
        boot_entry(0, 0, boot_table(1) & ~(uint64_t)2);
        boot_entry(0, 3, boot_table(1) & ~(uint64_t)2);
        return;
    }
    boot_entry(2, 0, boot_table(1));   /* a PUD of the first GiB */
    boot_entry(3, 510, boot_table(1)); /* of the last but one */
    unsigned low = 2, high = 3;
    if (format == QUIRE_PT_FORMAT_LA57) {
        boot_entry(4, 0, boot_table(2));
        boot_entry(5, 511, boot_table(3));
        low = 4;
        high = 5;
    }
    boot_entry(0, 0, boot_table(low));
    boot_entry(0, 256, boot_table(low));
    boot_entry(0, 511, boot_table(high));
}

/* ---- the kernel ------------------------------------------------------------------------------ */

static void map_image_64bit(void)
{
    const uint64_t rw = QUIRE_PTE_WRITE | QUIRE_PTE_GLOBAL | QUIRE_PTE_NX;
    CHECK_EQ(quire_map_range(&pt, image + IMAGE, IMAGE, TEXT_BYTES, QUIRE_PTE_GLOBAL, 0), 0);
    CHECK_EQ(quire_map_range(&pt, image + RODATA, RODATA, RODATA_BYTES,
                             QUIRE_PTE_GLOBAL | QUIRE_PTE_NX, 0),
             0);
    CHECK_EQ(quire_map_range(&pt, image + DATA, DATA, DATA_BYTES, rw, 0), 0);
    /* By its other address nothing of it can be written either: the GiB is split. */
    CHECK_EQ(quire_protect_range(&pt, direct.base + IMAGE, TEXT_BYTES + RODATA_BYTES, 0,
                                 QUIRE_PTE_WRITE, NULL),
             0);
}

/* The image lies in the direct map, whose large page is split. */
static void map_image_32bit(void)
{
    CHECK_EQ(quire_protect_range(&pt, image + IMAGE, TEXT_BYTES, 0, QUIRE_PTE_WRITE | QUIRE_PTE_NX,
                                 NULL),
             0);
    CHECK_EQ(quire_protect_range(&pt, image + RODATA, RODATA_BYTES, 0, QUIRE_PTE_WRITE, NULL), 0);
}

/* On a CPU that runs on the boot tables; nothing of it is flushed, since no CPU has these. */
static bool make_own_tables(enum quire_pt_format_id format)
{
    quire_linear_t base = kernel_base(format);
    image = is_64bit(format) ? 0 - (quire_linear_t)2 * GIB : base;
    int error = cpu_tables_init(&pt, format, NULL);
    CHECK_EQ(error, 0);
    if (error)
        return false;
    uint64_t prot =
        (QUIRE_PTE_WRITE | QUIRE_PTE_ACCESSED | QUIRE_PTE_DIRTY | QUIRE_PTE_GLOBAL | QUIRE_PTE_NX) &
        pt.prot_mask;
    CHECK_EQ(quire_direct_map_init(&direct, &pt, base, GIB, is_64bit(format) ? 0 : 896 * MIB, prot),
             0);
    if (is_64bit(format))
        map_image_64bit();
    else
        map_image_32bit();
    CHECK_EQ(quire_pgtable_keep(&pt, base, direct.end), 0);
    CHECK_EQ(quire_pgtable_keep(&pt, image + IMAGE, 16 * MIB), 0);
    quire_pgtable_check(&pt);
    return true;
}

/* Boots, makes the tables, and loads CR3. */
static bool switch_over(enum quire_pt_format_id format)
{
    struct quire_fault fault;
    if (!cpus_boot())
        return false;
    make_boot_tables(format);
    cpu_set_registers(0, format, BOOT_TABLES);
    const uint64_t flushes_before = table_cpus[0].counts.flushes;
    if (!make_own_tables(format))
        return false;
    CHECK(cpu_writes(0, image + IMAGE, 0xc3)); /* all that it maps is known to the TLB as it was */
    CHECK(cpu_writes(0, direct.base + IMAGE, 0xc3));
    CHECK(cpu_fetches(0, image + DATA));
    CHECK_EQ(table_cpus[0].counts.flushes, flushes_before);
    quire_pgtable_cpu_enter(&pt, 0);
    bool loaded = quire_sim_set_cr3(&table_cpus[0], pt.root, &fault);
    CHECK(loaded);
    return loaded;
}

/* ---- what it comes to ------------------------------------------------------------------------ */

/* Whether what can be done at an address is exactly this. */
static void check_rights(quire_linear_t at, bool write, bool execute)
{
    uint64_t value;
    CHECK(cpu_reads(0, at, &value));
    CHECK_EQ(cpu_writes(0, at, value), write);
    CHECK_EQ(cpu_fetches(0, at), execute);
}

static void each_part_has_its_rights_and_nothing_is_writable_code(void)
{
    for (unsigned i = 0; i < NR_FORMATS; i++) {
        uint64_t value;
        if (!switch_over(formats[i]))
            return;
        const bool no_nx = !(pt.prot_mask & QUIRE_PTE_NX); /* i386 executes what it reads */
        check_rights(image + IMAGE, false, true);
        check_rights(image + IMAGE + TEXT_BYTES - 8, false, true);
        check_rights(image + RODATA, false, no_nx);
        check_rights(image + DATA - 8, false, no_nx);
        check_rights(image + DATA, true, no_nx);
        check_rights(image + DATA + DATA_BYTES - 8, true, no_nx);
        check_rights(direct.base + IMAGE - 8, true, no_nx);
        check_rights(direct.base + IMAGE, false, !is_64bit(formats[i]));
        check_rights(direct.base + RODATA, false, no_nx);
        check_rights(direct.base + DATA, true, no_nx);
        check_rights(direct.base + 16 * MIB - 8, true, no_nx);
        CHECK(!cpu_reads(0, 0x1000, &value)); /* boot code's */
        quire_pgtable_destroy(&pt);
    }
}

static void the_direct_map_is_of_the_largest_pages_but_where_the_image_is(void)
{
    /* The root, and below it: a table of the image's part; PAE's four; the direct map's PUD, PMD
     * and PT, and the image's; two P4Ds more. */
    static const unsigned tables[NR_FORMATS] = {2, 6, 7, 9};
    static const uint64_t pages[NR_FORMATS] = {4 * MIB, 2 * MIB, 2 * MIB, 2 * MIB};
    for (unsigned i = 0; i < NR_FORMATS; i++) {
        if (!switch_over(formats[i]))
            return;
        CHECK_EQ(quire_pgtable_nr_tables(&pt), tables[i]);
        struct reference r = reference_walk(formats[i], pt.root, direct.base);
        CHECK_EQ(r.page_size, pages[i]);
        CHECK_EQ(r.entry & 0x1ff, 0x1e3); /* G, PS, D, A, R/W, P */
        CHECK_EQ(r.no_execute, (pt.prot_mask & QUIRE_PTE_NX) != 0);
        r = reference_walk(formats[i], pt.root, direct.base + direct.end - 1);
        CHECK_EQ(r.page_size, pages[i]);
        CHECK_EQ(r.phys, direct.end - 1);
        r = reference_walk(formats[i], pt.root, direct.base + IMAGE);
        CHECK_EQ(r.page_size, 4096);
        CHECK_EQ(r.phys, IMAGE);
        quire_pgtable_destroy(&pt);
    }
}

/* Beside the image's GiB another one. */
static void a_gib_that_nothing_cuts_is_one_global_page(void)
{
    for (unsigned i = 2; i < NR_FORMATS; i++) {
        if (!switch_over(formats[i]))
            return;
        unsigned long tables = quire_pgtable_nr_tables(&pt);
        CHECK_EQ(quire_map_range(&pt, direct.base + GIB, GIB, GIB,
                                 QUIRE_PTE_WRITE | QUIRE_PTE_GLOBAL | QUIRE_PTE_NX, 0),
                 0);
        CHECK_EQ(quire_pgtable_nr_tables(&pt), tables);
        struct reference r = reference_walk(formats[i], pt.root, direct.base + 2 * GIB - 1);
        CHECK_EQ(r.page_size, GIB);
        CHECK_EQ(r.entry, GIB | 0x183 | QUIRE_PTE_NX);
        quire_pgtable_destroy(&pt);
    }
}

static void the_kernel_keeps_out_of_user_pages_and_processes_run_on_it(void)
{
    const uint64_t user = QUIRE_PTE_WRITE | QUIRE_PTE_USER;
    for (unsigned i = 0; i < NR_FORMATS; i++) {
        struct quire_pgtable process;
        uint64_t value;
        if (!switch_over(formats[i]))
            return;
        CHECK_EQ(cpu_tables_init(&process, formats[i], &pt), 0);
        CHECK_EQ(quire_map_range(&process, 0x400000, DATA, 4096, user, 0), 0);
        cpu_load(0, &process);
        CHECK(!cpu_reads(0, 0x400000, &value));
        CHECK_EQ(table_cpus[0].fault.reason, QUIRE_FAULT_SMAP);
        CHECK(!cpu_fetches(0, 0x400000));
        CHECK_EQ(table_cpus[0].fault.reason, QUIRE_FAULT_SMEP);
        check_rights(image + IMAGE, false, true);
        CHECK(cpu_writes(0, direct.base + DATA, 99));
        quire_sim_set_cpl(&table_cpus[0], 3);
        CHECK(cpu_reads(0, 0x400000, &value));
        CHECK_EQ(value, 99);
        CHECK(!cpu_fetches(0, image + IMAGE));
        quire_pgtable_check(&process);
        quire_pgtable_destroy(&process);
        quire_pgtable_destroy(&pt);
    }
}

static const struct test_case cases[] = {
    TEST_CASE(each_part_has_its_rights_and_nothing_is_writable_code),
    TEST_CASE(the_direct_map_is_of_the_largest_pages_but_where_the_image_is),
    TEST_CASE(a_gib_that_nothing_cuts_is_one_global_page),
    TEST_CASE(the_kernel_keeps_out_of_user_pages_and_processes_run_on_it),
    {0},
};
const struct test_suite suite_tables_boot = {"tables_boot", cases};
