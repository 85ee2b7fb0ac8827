/* tests/unit/tables_shared_test.c: processes that share the kernel's part of their tables */
#include "tests/unit/tables_cpu.h"

#include "phys/cleared.h"

#define GIB (1024 * MIB)
#define KERNEL_RW (QUIRE_PTE_WRITE | QUIRE_PTE_GLOBAL)
#define RW (QUIRE_PTE_WRITE | QUIRE_PTE_USER)
#define FORMATS(id)                                                                                \
    enum quire_pt_format_id id = QUIRE_PT_FORMAT_I386;                                             \
    id < QUIRE_NR_PT_FORMATS;                                                                      \
    id = (enum quire_pt_format_id)(id + 1)

static struct quire_pgtable kernel, process[2];
static quire_linear_t base; /* of the kernel's part */
static unsigned long free_before;

/* A kernel that keeps 16 MiB, and two processes. */
static bool start(enum quire_pt_format_id id)
{
    if (!cpus_boot())
        return false;
    base = kernel_base(id);
    free_before = quire_nr_free_pages(machine.mem);
    int error = cpu_tables_init(&kernel, id, NULL);
    if (!error)
        error = quire_pgtable_keep(&kernel, base, 16 * MIB);
    for (unsigned i = 0; i < 2 && !error; i++)
        error = cpu_tables_init(&process[i], id, &kernel);
    CHECK_EQ(error, 0);
    return !error;
}

static void end(void)
{
    for (unsigned i = 0; i < 2; i++) {
        quire_pgtable_check(&process[i]);
        quire_pgtable_destroy(&process[i]);
    }
    quire_pgtable_check(&kernel);
    quire_pgtable_destroy(&kernel);
    CHECK_EQ(quire_nr_free_pages(machine.mem), free_before);
}

/* ---- what is seen ---------------------------------------------------------------------------- */

static void processes_see_what_the_kernel_maps_later(void)
{
    uint64_t value;
    for (FORMATS(id)) {
        if (!start(id))
            return;
        cpu_load(0, &process[0]);
        cpu_load(1, &process[1]);
        CHECK(!cpu_reads(0, base + 0x5008, &value));
        CHECK_EQ(quire_map_range(&kernel, base, 8 * MIB, MIB, KERNEL_RW, 0), 0);
        CHECK_EQ(quire_map_range(&kernel, base + 4 * MIB, 8 * MIB, 4 * MIB, KERNEL_RW, 0), 0);
        put_phys(8 * MIB + 0x5008, 0x1234567890 + id);
        CHECK(cpu_reads(0, base + 0x5008, &value));
        CHECK_EQ(value, 0x1234567890 + id);
        CHECK(cpu_writes(1, base + 4 * MIB + 0x5008, 77)); /* by a huge page, where there are any */
        CHECK(cpu_reads(0, base + 0x5008, &value));
        CHECK_EQ(value, 77);
        quire_sim_set_cpl(&table_cpus[0], 3);
        CHECK(!cpu_reads(0, base + 0x5008, &value));
        CHECK_EQ(table_cpus[0].fault.reason, QUIRE_FAULT_PAGE_SUPERVISOR);
        end();
    }
}

static void what_the_kernel_changes_is_flushed_where_processes_run(void)
{
    uint64_t value;
    for (FORMATS(id)) {
        if (!start(id))
            return;
        CHECK_EQ(quire_map_range(&kernel, base, 8 * MIB, 16 * KIB, KERNEL_RW, 0), 0);
        CHECK(!(kernel.cpus.word[0] & 3));
        cpu_load(0, &process[0]);
        cpu_load(1, &process[1]);
        for (unsigned cpu = 0; cpu < 2; cpu++)
            CHECK(cpu_writes(cpu, base, cpu));
        CHECK_EQ(quire_protect_range(&kernel, base, 4096, 0, QUIRE_PTE_WRITE, NULL), 0);
        for (unsigned cpu = 0; cpu < 2; cpu++)
            CHECK(!cpu_writes(cpu, base, cpu));
        /* Global pages outlive a switch from one process to another. */
        cpu_load(0, &process[1]);
        quire_pgtable_cpu_leave(&process[0], 0);
        CHECK_EQ(kernel.cpus.word[0] & 3, 3);
        CHECK_EQ(process[0].cpus.word[0] & 3, 0);
        CHECK(cpu_reads(0, base, &value));
        CHECK_EQ(quire_unmap_range(&kernel, base, 16 * KIB, 0, NULL), 0);
        for (unsigned cpu = 0; cpu < 2; cpu++)
            CHECK(!cpu_reads(cpu, base, &value));
        end();
    }
}

static void a_kept_table_stays_when_it_is_empty(void)
{
    uint64_t value;
    for (FORMATS(id)) {
        if (!start(id))
            return;
        unsigned long tables = quire_pgtable_nr_tables(&kernel);
        struct reference before = reference_walk(id, process[0].root, base);
        cpu_load(0, &process[0]);
        for (unsigned round = 0; round < 3; round++) {
            CHECK_EQ(quire_map_range(&kernel, base, 8 * MIB, 8 * MIB, KERNEL_RW,
                                     round & 1 ? 0 : QUIRE_MAP_NO_HUGE),
                     0);
            put_phys(8 * MIB + 4096, round);
            CHECK(cpu_reads(0, base + 4096, &value));
            CHECK_EQ(value, round);
            CHECK_EQ(quire_unmap_range(&kernel, base, 16 * MIB, 0, NULL), 0);
            CHECK(!cpu_reads(0, base + 4096, &value));
            CHECK_EQ(quire_pgtable_nr_tables(&kernel), tables);
        }
        CHECK_EQ(reference_walk(id, process[0].root, base).where, before.where);
        CHECK_EQ(reference_walk(id, kernel.root, base).where, before.where);
        end();
    }
}

/* ---- whose it is ----------------------------------------------------------------------------- */

static int count_run(void *arg, const struct quire_pt_run *run)
{
    *(unsigned *)arg += run->count;
    return 0;
}

static void what_is_shared_is_seen_and_not_touched(void)
{
    for (FORMATS(id)) {
        struct quire_pgtable *pt = &process[0];
        struct quire_pt_copy how = {0};
        struct quire_pt_query query;
        struct quire_page *page;
        uint64_t count = 0, none = 0, entry;
        unsigned seen = 0;
        void *where;
        if (!start(id))
            return;
        page = quire_pfn_to_page(machine.mem, quire_pfn(0));
        CHECK_EQ(quire_map_range(&kernel, base, 8 * MIB, 8 * KIB, KERNEL_RW, 0), 0);
        uint64_t hash = tables_hash(&kernel);
        CHECK_EQ(quire_map_range(pt, base + MIB, 0, 4096, RW, 0), -QUIRE_EINVAL);
        CHECK_EQ(quire_map_range(pt, base - 4096, 0, 8192, RW, 0), -QUIRE_EINVAL);
        CHECK_EQ(quire_map_pages(pt, base + MIB, &page, 1, RW), -QUIRE_EINVAL);
        CHECK_EQ(quire_unmap_range(pt, base, 4096, 0, NULL), -QUIRE_EINVAL);
        CHECK_EQ(quire_protect_range(pt, base, 4096, 0, RW, NULL), -QUIRE_EINVAL);
        CHECK_EQ(quire_harvest_range(pt, base, 4096, QUIRE_PTE_DIRTY, NULL, &count, NULL),
                 -QUIRE_EINVAL);
        CHECK_EQ(quire_test_and_clear(pt, base, QUIRE_PTE_DIRTY, NULL), -QUIRE_EINVAL);
        CHECK_EQ(quire_cmpxchg_entry(pt, base + MIB, &none, 2), -QUIRE_EINVAL);
        CHECK_EQ(quire_split(pt, base, NULL), -QUIRE_EINVAL);
        CHECK_EQ(quire_collapse(pt, base, QUIRE_PMD, NULL), -QUIRE_EINVAL);
        CHECK_EQ(quire_copy_range(pt, &kernel, base, 4096, &how, NULL), -QUIRE_EINVAL);
        CHECK_EQ(quire_copy_range(&process[1], pt, base, 4096, &how, NULL), -QUIRE_EINVAL);
        CHECK_EQ(quire_pgtable_keep(pt, base, 4096), -QUIRE_EINVAL);
        CHECK_EQ(quire_find_entry(pt, base, &where), 0);
        CHECK(!where);
        CHECK_EQ(tables_hash(&kernel), hash);

        entry = quire_get_entry(&kernel, base);
        CHECK(entry & QUIRE_PTE_PRESENT);
        CHECK_EQ(quire_get_entry(pt, base), entry);
        CHECK_EQ(quire_update_entry(pt, base, &entry, 0, NULL), -QUIRE_EINVAL);
        CHECK_EQ(quire_query(pt, base + 4100, &query), 0);
        CHECK_EQ(query.phys, 8 * MIB + 4100);
        CHECK_EQ(quire_visit_range(pt, base, MIB, 0, count_run, &seen), 0);
        CHECK_EQ(seen, 2);
        end();
    }
}

static void a_process_costs_its_own_tables_alone(void)
{
    for (FORMATS(id)) {
        if (!start(id))
            return;
        bool pae = id == QUIRE_PT_FORMAT_PAE;
        CHECK_EQ(quire_pgtable_nr_tables(&process[0]), pae ? 4 : 1);
        CHECK_EQ(quire_nr_free_pages(machine.mem),
                 free_before - quire_pgtable_nr_tables(&kernel) - (pae ? 8 : 2));
        /* Up to the border, and back. */
        CHECK_EQ(quire_map_range(&process[0], 0xbffff000, 0, 4096, RW, 0), 0);
        CHECK_EQ(quire_map_range(&process[1], 0xbfc00000, 0, 4 * MIB, RW, 0), 0);
        quire_pgtable_check(&process[0]);
        CHECK_EQ(quire_unmap_range(&process[0], 0, 0xc0000000, 0, NULL), 0);
        CHECK_EQ(quire_pgtable_nr_tables(&process[0]), pae ? 4 : 1);
        end();
    }
}

static void fork_copies_up_to_the_border(void)
{
    for (FORMATS(id)) {
        struct quire_pt_copy how = {.clear_both = QUIRE_PTE_WRITE};
        if (!start(id))
            return;
        CHECK_EQ(quire_map_range(&process[0], 0xbffff000, 0x3000, 4096, RW, 0), 0);
        CHECK_EQ(quire_copy_range(&process[1], &process[0], 0, 0xc0000000, &how, NULL), 0);
        CHECK_EQ(reference_walk(id, process[1].root, 0xbffff123).phys, 0x3123);
        /* Into one that shares from one that doesn't. */
        CHECK_EQ(quire_unmap_range(&process[1], 0, 0xc0000000, 0, NULL), 0);
        CHECK_EQ(quire_map_range(&kernel, 0x1000, 0x4000, 4096, RW, 0), 0);
        CHECK_EQ(quire_copy_range(&process[1], &kernel, 0, 8192, &how, NULL), 0);
        CHECK_EQ(reference_walk(id, process[1].root, 0x1000).phys, 0x4000);
        end();
    }
}

/* ---- i386's pages of 4 MiB ------------------------------------------------------------------- */

static void a_kept_page_of_a_root_entry_is_shared_and_stays(void)
{
    struct quire_pt_copy how = {0};
    uint64_t value, count = 0;
    if (!start(QUIRE_PT_FORMAT_I386))
        return;
    end();
    CHECK_EQ(cpu_tables_init(&kernel, QUIRE_PT_FORMAT_I386, NULL), 0);
    CHECK_EQ(quire_map_range(&kernel, base, 4 * MIB, 12 * MIB, KERNEL_RW, 0), 0);
    CHECK_EQ(quire_protect_range(&kernel, base + 4 * MIB, 4096, 0, QUIRE_PTE_WRITE, NULL), 0);
    CHECK_EQ(quire_pgtable_nr_tables(&kernel), 2);
    CHECK_EQ(quire_pgtable_keep(&kernel, base, 12 * MIB), 0);
    CHECK_EQ(quire_pgtable_nr_tables(&kernel), 2);
    for (unsigned i = 0; i < 2; i++)
        CHECK_EQ(cpu_tables_init(&process[i], QUIRE_PT_FORMAT_I386, &kernel), 0);
    cpu_load(0, &process[0]);
    put_phys(13 * MIB, 42);
    CHECK(cpu_reads(0, base + 9 * MIB, &value));
    CHECK_EQ(value, 42);
    CHECK(!cpu_writes(0, base + 4 * MIB, 1));
    quire_pgtable_check(&process[0]); /* whose entry has been accessed, unlike the kernel's */

    uint64_t hash = tables_hash(&kernel);
    CHECK_EQ(quire_split(&kernel, base, NULL), -QUIRE_EBUSY);
    CHECK_EQ(quire_unmap_range(&kernel, base, 4096, 0, NULL), -QUIRE_EBUSY);
    CHECK_EQ(quire_unmap_range(&kernel, base, 4 * MIB, 0, NULL), -QUIRE_EBUSY);
    CHECK_EQ(quire_protect_range(&kernel, base + 8 * MIB, 4 * MIB, 0, QUIRE_PTE_WRITE, NULL),
             -QUIRE_EBUSY);
    CHECK_EQ(quire_harvest_range(&kernel, 0, 0x100000000, QUIRE_PTE_DIRTY, NULL, &count, NULL),
             -QUIRE_EBUSY);
    CHECK_EQ(quire_test_and_clear(&kernel, base, QUIRE_PTE_DIRTY, NULL), -QUIRE_EBUSY);
    CHECK_EQ(quire_copy_range(&process[0], &kernel, base, 4 * MIB, &how, NULL), -QUIRE_EBUSY);
    CHECK_EQ(quire_map_range(&kernel, base, 0, 4096, KERNEL_RW, 0), -QUIRE_EEXIST);
    /* The second's table is kept too: all alike, and no page again. */
    CHECK_EQ(tables_hash(&kernel), hash);
    CHECK_EQ(quire_protect_range(&kernel, base + 4 * MIB, 4096, QUIRE_PTE_WRITE, 0, NULL), 0);
    CHECK_EQ(quire_collapse(&kernel, base + 4 * MIB, QUIRE_PMD, NULL), -QUIRE_EBUSY);
    CHECK(cpu_writes(0, base + 4 * MIB, 1));
    end();
}

/* ---- errors ---------------------------------------------------------------------------------- */

static int init_with(struct quire_pgtable_config config)
{
    int error = quire_pgtable_init(&process[0], &config);
    if (!error)
        quire_pgtable_destroy(&process[0]);
    return error;
}

static void tables_that_do_not_fit_are_refused(void)
{
    for (FORMATS(id)) {
        if (!start(id))
            return;
        quire_pgtable_destroy(&process[0]);
        const struct quire_pgtable_config good = {
            .mem = machine.mem, .format = id, .shared = &kernel, .shared_from = base};
        struct quire_pgtable_config config = good;
        CHECK_EQ(init_with(config), 0);
        config.shared_from = 0;
        CHECK_EQ(init_with(config), -QUIRE_EINVAL);
        config.shared_from = base + (kernel.wide ? GIB : 4 * MIB) / 2;
        CHECK_EQ(init_with(config), -QUIRE_EINVAL);
        config.shared_from = (uint64_t)1 << (quire_pt_formats[id].virt_bits - 1);
        CHECK_EQ(init_with(config), kernel.format->virt_bits > 32 ? -QUIRE_EINVAL : 0);
        config = good;
        config.format = (enum quire_pt_format_id)((id + 1) % QUIRE_NR_PT_FORMATS);
        CHECK_EQ(init_with(config), -QUIRE_EINVAL);
        config = good;
        config.features.phys_bits = 36;
        CHECK_EQ(init_with(config), -QUIRE_EINVAL);
        config = good;
        config.shared = &process[1];
        CHECK_EQ(init_with(config), -QUIRE_EINVAL);
        CHECK_EQ(cpu_tables_init(&process[0], id, &kernel), 0);
        end();
    }
}

static void what_is_not_kept_cannot_be_shared(void)
{
    for (FORMATS(id)) {
        if (!start(id))
            return;
        quire_linear_t top = 0 - (quire_linear_t)8192;
        bool pae = id == QUIRE_PT_FORMAT_PAE; /* there everything is */
        quire_linear_t last = kernel.format->virt_bits > 32 ? top : top & 0xffffffff;
        CHECK_EQ(quire_pgtable_keep(&kernel, base + MIB, MIB), 0); /* it is */
        CHECK_EQ(quire_pgtable_keep(&kernel, last, 4096), pae ? 0 : -QUIRE_EBUSY);
        CHECK_EQ(quire_map_range(&kernel, last, 0, 4096, KERNEL_RW, 0), 0);
        quire_pgtable_check(&process[0]); /* which doesn't have it */
        quire_pgtable_destroy(&process[0]);
        CHECK_EQ(cpu_tables_init(&process[0], id, &kernel), pae ? 0 : -QUIRE_EINVAL);
        if (!pae) { /* it goes: then all is well again */
            CHECK_EQ(quire_unmap_range(&kernel, last, 4096, 0, NULL), 0);
            CHECK_EQ(cpu_tables_init(&process[0], id, &kernel), 0);
        }
        CHECK_EQ(reference_walk(id, process[0].root, last).present, pae);
        CHECK_EQ(quire_pgtable_keep(&kernel, base, 0), -QUIRE_EINVAL);
        CHECK_EQ(quire_pgtable_keep(&kernel, base + 1, 4096), -QUIRE_EINVAL);
        end();
    }
}

/* ---- the end --------------------------------------------------------------------------------- */

/* What is kept apart as zero is. */
static void check_cleared_pages(void)
{
    const quire_gfp_t gfp = QUIRE_GFP_KERNEL | QUIRE_GFP_ZERO;
    struct quire_page *page[32];
    for (unsigned i = 0; i < 32; i++) {
        REQUIRE(page[i] = alloc_cleared_page(machine.mem, gfp));
        CHECK(page_is_cleared(machine.mem, page[i]));
    }
    for (unsigned i = 0; i < 32; i++)
        quire_free_page(machine.mem, page[i]);
}

/* At both ends of each table, and between them. */
static void a_tree_takes_its_tables_along_wherever_they_are(void)
{
    for (FORMATS(id)) {
        if (!start(id))
            return;
        const quire_linear_t border = process[0].own_last + 1, part = border / 23;
        for (quire_linear_t at = 0; at < border - 4 * KIB; at += part) {
            quire_linear_t page = at & ~(quire_linear_t)(4 * KIB - 1);
            CHECK_EQ(quire_map_range(&process[0], page, 8 * MIB, 4 * KIB, RW, 0), 0);
        }
        CHECK_EQ(quire_map_range(&process[0], border - 4 * KIB, 8 * MIB, 4 * KIB, RW, 0), 0);
        CHECK(quire_pgtable_nr_tables(&process[0]) > 4);
        end();
        check_cleared_pages();
    }
}

static const struct test_case cases[] = {
    TEST_CASE(processes_see_what_the_kernel_maps_later),
    TEST_CASE(what_the_kernel_changes_is_flushed_where_processes_run),
    TEST_CASE(a_kept_table_stays_when_it_is_empty),
    TEST_CASE(what_is_shared_is_seen_and_not_touched),
    TEST_CASE(a_process_costs_its_own_tables_alone),
    TEST_CASE(fork_copies_up_to_the_border),
    TEST_CASE(a_kept_page_of_a_root_entry_is_shared_and_stays),
    TEST_CASE(tables_that_do_not_fit_are_refused),
    TEST_CASE(what_is_not_kept_cannot_be_shared),
    TEST_CASE(a_tree_takes_its_tables_along_wherever_they_are),
    {0},
};
const struct test_suite suite_tables_shared = {"tables_shared", cases};
