/* tests/faults/tables_faults.c: every table page that an operation asks for can't be had once
 *
 * The machine's memory is taken away but for N pages, and the operation run with N from 0 up, until
 * it succeeds: so each of its allocations has failed once. After each failure the tables hold what
 * they held, entry by entry, and nothing was lost; after the success nothing but them was kept.
 */
#include "tests/unit/tables.h"

#define GIB (1024 * MIB)
#define RW (QUIRE_PTE_WRITE | QUIRE_PTE_USER)
#define MANY_PAGES 2000u

static struct quire_pgtable pt, child;
static struct quire_page *held;
static struct quire_page *pages[MANY_PAGES];

static void hear_nothing(int level, const char *text)
{
    (void)level;
    (void)text;
}

static void exhaust(void)
{
    struct quire_page *page;
    while ((page = quire_alloc_page(machine.mem, QUIRE_GFP_MEMALLOC | QUIRE_GFP_NOWARN))) {
        page->owner.pointer[0] = held;
        held = page;
    }
}

static void release(unsigned long count)
{
    for (; count && held; count--) {
        struct quire_page *page = held;
        held = page->owner.pointer[0];
        quire_free_page(machine.mem, page);
    }
}

/* ---- operations: each on tables that prepare made -------------------------------------------- */

static int map_small(void)
{
    return quire_map_range(&pt, 0x3fd00000, 0, 16 * MIB, RW, QUIRE_MAP_NO_HUGE);
}

static int map_mixed(void)
{
    return quire_map_range(&pt, 0x3fbff000, 0x3bff000, 24 * MIB, RW, 0);
}

static int map_pages(void)
{
    return quire_map_pages(&pt, 0x3ff00000, pages, MANY_PAGES, RW);
}

static int unmap_cuts(void)
{
    return quire_unmap_range(&pt, 0x80001000, 16 * MIB, 0, NULL);
}

static int protect_cuts(void)
{
    return quire_protect_range(&pt, 0x80001000, 16 * MIB, 0, QUIRE_PTE_WRITE, NULL);
}

static int split_one(void)
{
    int error = quire_split(&pt, 0x80001000, NULL);
    return error == -QUIRE_ENOENT ? 0 : error; /* i386-4k has no huge pages */
}

static int swap_out(void)
{
    uint64_t expected = 0;
    return quire_cmpxchg_entry(&pt, 0x70001000, &expected, 0x1230);
}

static int fork(void)
{
    struct quire_pt_copy how = {.clear_both = QUIRE_PTE_WRITE};
    return quire_copy_range(&child, &pt, 0x7ff00000, 0x01000000, &how, NULL);
}

/* Several root entries: on i386 of 4 MiB, where there are two halves of 512 GiB or 256 TiB. */
static int keep(void)
{
    uint64_t limit = (uint64_t)pt.address_last + 1;
    return pt.format->virt_bits == 32 ? quire_pgtable_keep(&pt, 0x20000000, 48 * MIB)
                                      : quire_pgtable_keep(&pt, 0 - limit / 2, limit / 64);
}

static int (*const operations[])(void) = {
    map_small, map_mixed, map_pages, unmap_cuts, protect_cuts, split_one, swap_out, fork, keep,
};

/* ---- failing --------------------------------------------------------------------------------- */

/* A huge mapping of the largest kind, and small ones on both sides. */
static void prepare(enum quire_pt_format_id format)
{
    CHECK_EQ(quire_map_range(&pt, 0x80000000, 0x80000000, 0x40000000, RW, 0), 0);
    CHECK_EQ(quire_map_range(&pt, 0x7fff0000, 0, 0x10000, RW, 0), 0);
    struct quire_pgtable_config config = {
        .mem = machine.mem, .format = format, .gfp = QUIRE_GFP_MEMALLOC | QUIRE_GFP_NOWARN};
    CHECK_EQ(quire_pgtable_init(&child, &config), 0);
}

/* Runs the operation with each number of free pages that isn't enough; how many there were. */
static unsigned fail_each(int (*operation)(void))
{
    uint64_t hash = tables_hash(&pt), child_hash = tables_hash(&child);
    unsigned long tables = quire_pgtable_nr_tables(&pt);
    unsigned failures = 0;
    for (;; failures++) {
        exhaust();
        release(failures);
        unsigned long free = quire_nr_free_pages(machine.mem);
        CHECK_EQ(free, failures);
        int error = operation();
        if (error) {
            CHECK_EQ(error, -QUIRE_ENOMEM);
            CHECK_EQ(quire_nr_free_pages(machine.mem), free);
            CHECK_EQ(tables_hash(&pt), hash);
            CHECK_EQ(tables_hash(&child), child_hash);
            CHECK_EQ(quire_pgtable_nr_tables(&pt), tables);
        }
        release(-1ul);
        if (!error || failures > 100)
            return failures;
    }
}

static void each_table_that_cannot_be_had_leaves_all_as_it_was(void)
{
    for (unsigned id = 0; id < QUIRE_NR_PT_FORMATS; id++) {
        unsigned failures = 0;
        for (unsigned i = 0; i < sizeof operations / sizeof operations[0]; i++) {
            if (!machine_boot_plain(16 * MIB,
                                    (struct quire_mem_config){.nr_cpus = 1, .no_pcp = true}) ||
                !tables_start(&pt, (enum quire_pt_format_id)id,
                              (struct quire_pt_features){.no_1gib = false}))
                return;
            if (test_environment.set_log)
                test_environment.set_log(hear_nothing);
            pt.gfp = QUIRE_GFP_MEMALLOC | QUIRE_GFP_NOWARN | QUIRE_GFP_ZERO;
            for (unsigned page = 0; page < MANY_PAGES; page++)
                pages[page] = quire_pfn_to_page(machine.mem, quire_pfn(page * 2));
            prepare((enum quire_pt_format_id)id);
            failures += fail_each(operations[i]);
            quire_pgtable_check(&child);
            quire_pgtable_destroy(&child);
            tables_end(&pt);
        }
        CHECK(failures >= 10);
    }
}

static void a_root_that_cannot_be_had_is_an_error(void)
{
    if (!machine_boot_plain(16 * MIB, (struct quire_mem_config){.nr_cpus = 1, .no_pcp = true}))
        return;
    struct quire_pgtable_config config = {.mem = machine.mem,
                                          .gfp = QUIRE_GFP_MEMALLOC | QUIRE_GFP_NOWARN};
    for (unsigned id = 0; id < QUIRE_NR_PT_FORMATS; id++) {
        config.format = (enum quire_pt_format_id)id;
        exhaust();
        for (unsigned free = 0; free < (id == QUIRE_PT_FORMAT_PAE ? 5 : 1); free++) {
            CHECK_EQ(quire_nr_free_pages(machine.mem), free);
            CHECK_EQ(quire_pgtable_init(&pt, &config), -QUIRE_ENOMEM);
            release(1);
        }
        release(-1ul);
    }
    CHECK_EQ(quire_nr_free_pages(machine.mem), quire_nr_managed_pages(machine.mem));
}

static void a_sharer_that_cannot_be_had_is_forgotten(void)
{
    if (!machine_boot_plain(16 * MIB, (struct quire_mem_config){.nr_cpus = 1, .no_pcp = true}))
        return;
    struct quire_pgtable_config config = {.mem = machine.mem,
                                          .gfp = QUIRE_GFP_MEMALLOC | QUIRE_GFP_NOWARN};
    for (unsigned id = 0; id < QUIRE_NR_PT_FORMATS; id++) {
        config.format = (enum quire_pt_format_id)id;
        config.shared = NULL;
        CHECK_EQ(quire_pgtable_init(&pt, &config), 0);
        config.shared = &pt;
        config.shared_from =
            pt.format->virt_bits > 32 ? 0 - ((uint64_t)pt.address_last + 1) / 2 : 0xc0000000;
        exhaust();
        for (unsigned free = 0; free < (id == QUIRE_PT_FORMAT_PAE ? 4 : 1); free++) {
            CHECK_EQ(quire_nr_free_pages(machine.mem), free);
            CHECK_EQ(quire_pgtable_init(&child, &config), -QUIRE_ENOMEM);
            release(1);
        }
        CHECK_EQ(pt.nr_sharers, 0);
        CHECK_EQ(quire_pgtable_init(&child, &config), 0);
        CHECK_EQ(quire_nr_free_pages(machine.mem), 0);
        CHECK_EQ(pt.nr_sharers, 1);
        quire_pgtable_destroy(&child);
        quire_pgtable_destroy(&pt); /* a panic if there were any */
        release(-1ul);
    }
    CHECK_EQ(quire_nr_free_pages(machine.mem), quire_nr_managed_pages(machine.mem));
}

static const struct test_case cases[] = {
    TEST_CASE(each_table_that_cannot_be_had_leaves_all_as_it_was),
    TEST_CASE(a_root_that_cannot_be_had_is_an_error),
    TEST_CASE(a_sharer_that_cannot_be_had_is_forgotten),
    {0},
};
const struct test_suite suite_tables_faults = {"tables_faults", cases};
