/* tests/unit/mapping_test.c: map, query, visit and unmap, in each format */
#include "tests/unit/tables.h"

#define GIB (1024 * MIB)
#define RW (QUIRE_PTE_WRITE | QUIRE_PTE_USER)

static const struct quire_pt_features can_do_all;
static struct quire_pgtable pt;

static bool boot(void)
{
    return machine_boot_plain(16 * MIB, (struct quire_mem_config){.nr_cpus = 1}) != NULL;
}

static uint64_t entry_at(uint64_t phys)
{
    uint64_t entry = 0;
    __builtin_memcpy(&entry, machine.port.base + phys, pt.format->entry_bytes);
    return entry;
}

static uint64_t entry_for(quire_linear_t virt)
{
    struct quire_pt_query query;
    (void)!quire_query(&pt, virt, &query);
    return query.entry;
}

/* ---- worked examples ------------------------------------------------------------------------- */

/* 0x08147258: directory 32, table 327, offset 0x258. */
static void an_i386_page_is_two_entries_as_on_paper(void)
{
    struct quire_pt_query query;
    if (!boot() || !tables_start(&pt, QUIRE_PT_FORMAT_I386, can_do_all))
        return;
    CHECK_EQ(quire_map_range(&pt, 0x08147000, 0x00c0d000, 0x1000, RW | QUIRE_PTE_DIRTY, 0), 0);
    uint64_t directory_entry = entry_at(pt.root + 32 * 4);
    CHECK_EQ(directory_entry & 0xfff, 0x027); /* P, R/W, U/S, A; PS clear */
    CHECK_EQ(entry_at((directory_entry & 0xfffff000) + 327 * 4), 0x00c0d047);
    CHECK_EQ(quire_query(&pt, 0x08147258, &query), 0);
    CHECK_EQ(query.phys, 0x00c0d258);
    CHECK_EQ(query.where, (directory_entry & 0xfffff000) + 327 * 4);
    CHECK_EQ(query.level, QUIRE_PT);
    CHECK_EQ(pt.nr_tables[QUIRE_PT], 1);
    CHECK_EQ(pt.nr_tables[QUIRE_PGD], 1);
    CHECK_EQ(quire_unmap_range(&pt, 0x08147000, 0x1000, 0, NULL), 0);
    CHECK_EQ(entry_at(pt.root + 32 * 4), 0);
    CHECK_EQ(quire_pgtable_nr_tables(&pt), 1);
    tables_end(&pt);
}

/* Table 4-4: address bits 39:32 in 20:13, PAT in 12. */
static void a_4_mib_page_beyond_4_gib_is_one_pse36_entry(void)
{
    if (!boot() || !tables_start(&pt, QUIRE_PT_FORMAT_I386, can_do_all))
        return;
    uint64_t prot = QUIRE_PTE_WRITE | QUIRE_PTE_GLOBAL | QUIRE_PTE_PAT;
    CHECK_EQ(quire_map_range(&pt, 0xc0000000, 0xab00400000, 4 * MIB, prot, 0), 0);
    CHECK_EQ(entry_at(pt.root + 0x300 * 4), 0x00400000 | 0xab << 13 | 0x1000 | 0x183);
    CHECK_EQ(quire_pt_entry_prot(&pt, QUIRE_PMD, entry_for(0xc0000000)), prot);
    /* Nothing smaller reaches there. */
    CHECK_EQ(quire_map_range(&pt, 0xd0000000, 0xab00400000, 4 * KIB, prot, 0), -QUIRE_EINVAL);
    CHECK_EQ(quire_map_range(&pt, 0xd0000000, 0xab00400000, 4 * MIB, prot, QUIRE_MAP_NO_HUGE),
             -QUIRE_EINVAL);
    CHECK_EQ(quire_split(&pt, 0xc0000000, NULL), -QUIRE_EINVAL);
    CHECK_EQ(quire_unmap_range(&pt, 0xc0000000, 4 * KIB, 0, NULL), -QUIRE_EINVAL);
    CHECK_EQ(quire_map_range(&pt, 0xd0000000, (uint64_t)1 << 40, 4 * MIB, 0, 0), -QUIRE_EINVAL);
    tables_end(&pt);
}

/* Tables 4-14 to 4-20, with an address whose indexes are 0x1ff, 0x1fe, 0x92, 0x45 and offset 0x678.
 */
static void an_x86_64_page_is_four_entries_as_on_paper(void)
{
    const uint64_t virt = 0xffffff9000000000 + ((uint64_t)0x92 << 21) + (0x45 << 12);
    if (!boot() || !tables_start(&pt, QUIRE_PT_FORMAT_X86_64, can_do_all))
        return;
    CHECK_EQ(quire_map_range(&pt, virt, 0xabcdef12000, 4096, QUIRE_PTE_WRITE | QUIRE_PTE_NX, 0), 0);
    uint64_t pml4e = entry_at(pt.root + (virt >> 39 & 511) * 8);
    uint64_t pdpte = entry_at((pml4e & ~0xfffull) + (virt >> 30 & 511) * 8);
    uint64_t pde = entry_at((pdpte & ~0xfffull) + 0x92 * 8);
    uint64_t pte = entry_at((pde & ~0xfffull) + 0x45 * 8);
    CHECK_EQ(pml4e & 0xfff, 0x27);
    CHECK_EQ(pdpte & 0xfff, 0x27);
    CHECK_EQ(pde & 0xfff, 0x27);
    CHECK_EQ(pte, 0x80000abcdef12003);
    CHECK_EQ(quire_pgtable_nr_tables(&pt), 4);
    tables_end(&pt);
}

/* Table 4-8: a PDPTE has P, and nothing of R/W, U/S and A. */
static void a_pae_directory_pointer_has_only_p(void)
{
    if (!boot() ||
        !tables_start(&pt, QUIRE_PT_FORMAT_PAE, (struct quire_pt_features){36, false, 0}))
        return;
    CHECK_EQ(quire_map_range(&pt, 0xc0200000, 0xf00000000, 2 * MIB, RW | QUIRE_PTE_NX, 0), 0);
    uint64_t pdpte = entry_at(pt.root + 3 * 8);
    CHECK_EQ(pdpte & 0xfff, 0x001);
    CHECK_EQ(entry_at((pdpte & ~0xfffull) + 8), 0x8000000f00000087);
    CHECK(pt.root < 4 * GIB);
    CHECK_EQ(quire_map_range(&pt, 0, (uint64_t)1 << 36, 4096, 0, 0), -QUIRE_EINVAL);
    tables_end(&pt);
}

/* ---- sizes of pages -------------------------------------------------------------------------- */

static unsigned long pages_of_level(enum quire_pt_level level, quire_linear_t virt, uint64_t size)
{
    unsigned long pages = 0;
    for (quire_linear_t end = virt + size; virt != end; virt += 4 * KIB) {
        struct quire_pt_query query;
        if (!quire_query(&pt, virt, &query) && query.level == level)
            pages++;
    }
    return pages;
}

static void a_range_gets_the_largest_pages_that_fit(void)
{
    if (!boot() || !tables_start(&pt, QUIRE_PT_FORMAT_X86_64, can_do_all))
        return;
    const quire_linear_t virt = GIB - 2 * MIB - 4 * KIB;
    CHECK_EQ(
        quire_map_range(&pt, virt, 7 * GIB - 2 * MIB - 4 * KIB, GIB + 4 * MIB + 8 * KIB, RW, 0), 0);
    CHECK_EQ(pages_of_level(QUIRE_PT, virt, GIB + 4 * MIB + 8 * KIB), 2);
    CHECK_EQ(pages_of_level(QUIRE_PMD, virt, GIB + 4 * MIB + 8 * KIB), 2 * 512);
    CHECK_EQ(pages_of_level(QUIRE_PUD, virt, GIB + 4 * MIB + 8 * KIB), 512 * 512);
    /* The physical address has to be aligned as well. */
    CHECK_EQ(quire_map_range(&pt, 16 * GIB, 4 * KIB, 2 * MIB, RW, 0), 0);
    CHECK_EQ(pages_of_level(QUIRE_PT, 16 * GIB, 2 * MIB), 512);
    CHECK_EQ(quire_map_range(&pt, 17 * GIB, 0, 2 * MIB, RW, QUIRE_MAP_NO_HUGE), 0);
    CHECK_EQ(pages_of_level(QUIRE_PT, 17 * GIB, 2 * MIB), 512);
    tables_end(&pt);
}

static void a_processor_without_1_gib_pages_gets_none(void)
{
    if (!boot() || !tables_start(&pt, QUIRE_PT_FORMAT_X86_64,
                                 (struct quire_pt_features){.no_1gib = true, .no_nx = true}))
        return;
    CHECK_EQ(quire_map_range(&pt, GIB, GIB, GIB, RW, 0), 0);
    CHECK_EQ(pages_of_level(QUIRE_PMD, GIB, GIB), 512 * 512);
    CHECK_EQ(quire_map_range(&pt, 0, 0, 4096, QUIRE_PTE_NX, 0), -QUIRE_EINVAL);
    CHECK(!(pt.prot_mask & QUIRE_PTE_NX));
    tables_end(&pt);
}

/* An unmap that keeps tables leaves one where a huge page would fit: it is used. */
static void an_empty_table_is_used_rather_than_replaced(void)
{
    if (!boot() || !tables_start(&pt, QUIRE_PT_FORMAT_X86_64, can_do_all))
        return;
    CHECK_EQ(quire_map_range(&pt, 0, 0, 4096, RW, 0), 0);
    CHECK_EQ(quire_unmap_range(&pt, 0, 4096, QUIRE_UNMAP_KEEP_TABLES, NULL), 0);
    CHECK_EQ(quire_pgtable_nr_tables(&pt), 4);
    CHECK_EQ(quire_map_range(&pt, 0, 0, 2 * MIB, RW, 0), 0);
    CHECK_EQ(pages_of_level(QUIRE_PT, 0, 2 * MIB), (2ul << 20) / (4 * KIB)); /* it has 2 MiB */
    CHECK_EQ(quire_unmap_range(&pt, 0, 2 * MIB, 0, NULL), 0);
    CHECK_EQ(quire_pgtable_nr_tables(&pt), 1);
    tables_end(&pt);
}

static void of_a_range_that_was_emptied_the_empty_tables_go(void)
{
    for (unsigned id = 0; id < QUIRE_NR_PT_FORMATS; id++) {
        if (!boot() || !tables_start(&pt, (enum quire_pt_format_id)id, can_do_all))
            return;
        const unsigned long before = quire_pgtable_nr_tables(&pt);
        for (unsigned i = 0; i < 3; i++)
            CHECK_EQ(quire_map_range(&pt, 8 * MIB + i * 4 * MIB, 0, 8192, RW, 0), 0);
        const unsigned long full = quire_pgtable_nr_tables(&pt);
        CHECK_EQ(quire_unmap_range(&pt, 8 * MIB, 4096, QUIRE_UNMAP_KEEP_TABLES, NULL), 0);
        CHECK_EQ(quire_unmap_range(&pt, 8 * MIB, 4096, QUIRE_UNMAP_EMPTIED, NULL), 0);
        CHECK_EQ(quire_pgtable_nr_tables(&pt), full); /* the page beside it is mapped */
        CHECK_EQ(pages_of_level(QUIRE_PT, 8 * MIB + 4096, 4096), 1);
        CHECK_EQ(quire_unmap_range(&pt, 8 * MIB + 4096, 4 * MIB, QUIRE_UNMAP_KEEP_TABLES, NULL), 0);
        CHECK_EQ(quire_unmap_range(&pt, 8 * MIB + 4096, 4 * MIB, QUIRE_UNMAP_EMPTIED, NULL), 0);
        CHECK_EQ(quire_pgtable_nr_tables(&pt), full - 1); /* of the second table a page is left */
        CHECK_EQ(quire_unmap_range(&pt, 0, 32 * MIB, QUIRE_UNMAP_KEEP_TABLES, NULL), 0);
        CHECK_EQ(quire_unmap_range(&pt, 0, 32 * MIB, QUIRE_UNMAP_EMPTIED, NULL), 0);
        CHECK_EQ(quire_pgtable_nr_tables(&pt), before);
        CHECK_EQ(quire_unmap_range(&pt, 0, 4096, 0x4, NULL), -QUIRE_EINVAL);
        tables_end(&pt);
    }
}

/* Pages here and there, in order of address; all of a tree's lower 64 MiB. */
static void the_next_entry_is_the_first_behind_what_is_empty(void)
{
    const uint64_t all = 64 * MIB;
    for (unsigned id = 0; id < QUIRE_NR_PT_FORMATS; id++) {
        if (!boot() || !tables_start(&pt, (enum quire_pt_format_id)id, can_do_all))
            return;
        CHECK_EQ(quire_next_entry(&pt, 0, all), all);
        quire_linear_t placed[60], at = 0;
        for (unsigned i = 0; i < 60; i++) {
            at += 4096 + test_random_below(i % 6 ? 20 : 400) * 4096;
            placed[i] = at;
            if (i % 4) {
                CHECK_EQ(quire_map_range(&pt, at, 0x5000, 4096, RW, 0), 0);
            } else { /* what isn't present is an entry, too */
                uint64_t nothing = 0;
                CHECK_EQ(quire_cmpxchg_entry(&pt, at, &nothing, 0x900), 0);
            }
        }
        at = 0;
        for (unsigned i = 0; i < 60; i++, at += 4096) {
            CHECK_EQ(quire_next_entry(&pt, at, placed[i] - at + 4096), placed[i]);
            if (placed[i] > at)
                CHECK_EQ(quire_next_entry(&pt, at, placed[i] - at), placed[i]);
            at = quire_next_entry(&pt, at, all - at);
            CHECK_EQ(at, placed[i]);
        }
        CHECK_EQ(quire_next_entry(&pt, at, all - at), all);
        CHECK_EQ(quire_unmap_range(&pt, 0, all, 0, NULL), 0);
        CHECK_EQ(quire_map_range(&pt, 8 * MIB, 8 * MIB, 4 * MIB, RW, 0), 0);
        CHECK_EQ(quire_next_entry(&pt, MIB, all - MIB), 8 * MIB);
        CHECK_EQ(quire_next_entry(&pt, 9 * MIB, MIB), 9 * MIB); /* in the midst of a huge page */
        CHECK_EQ(quire_unmap_range(&pt, 0, all, 0, NULL), 0);
        tables_end(&pt);
    }
}

static void entries_are_filled_where_nothing_is(void)
{
    const quire_linear_t at = 16 * MIB;
    for (unsigned id = 0; id < QUIRE_NR_PT_FORMATS; id++) {
        uint64_t entry[32] = {0};
        void *where;
        if (!boot() || !tables_start(&pt, (enum quire_pt_format_id)id, can_do_all))
            return;
        CHECK_EQ(quire_map_range(&pt, at + 3 * 4096, 0x7000, 4096, RW, 0), 0);
        const uint64_t there = quire_get_entry(&pt, at + 3 * 4096);
        CHECK_EQ(quire_find_entry(&pt, at, &where), 0);
        for (unsigned i = 1; i < 32; i += 2)
            entry[i] = 0x10000 + i * 0x1000 + QUIRE_PTE_PRESENT;
        CHECK_EQ(quire_fill_entries_at(&pt, where, entry, 0), 0);
        CHECK_EQ(quire_fill_entries_at(&pt, where, entry, 6), 0x22);
        CHECK_EQ(quire_fill_entries_at(&pt, where, entry, 32), 0xaaaaaaaa & ~0x2au);
        CHECK_EQ(quire_fill_entries_at(&pt, where, entry, 32), 0);
        for (unsigned i = 0; i < 32; i++)
            CHECK_EQ(quire_get_entry(&pt, at + i * 4096), i == 3 ? there : entry[i]);
        quire_pgtable_check(&pt); /* the table's count has them */
        CHECK_EQ(quire_unmap_range(&pt, at, 32 * 4096, 0, NULL), 0);
        tables_end(&pt);
    }
}

static void scattered_pages_are_mapped_in_their_order(void)
{
    struct quire_page *pages[1500], *chain;
    for (unsigned id = 0; id < QUIRE_NR_PT_FORMATS; id++) {
        struct quire_pt_query query;
        if (!boot() || !tables_start(&pt, (enum quire_pt_format_id)id, can_do_all))
            return;
        CHECK_EQ(take_pages(QUIRE_GFP_KERNEL, 1500, &chain), 1500);
        struct quire_page *page = chain;
        for (unsigned i = 0; i < 1500; i++, page = page->owner.pointer[0])
            pages[i] = page;
        CHECK_EQ(quire_map_pages(&pt, 0x40000000 - 700 * QUIRE_PAGE_SIZE, pages, 1500, RW), 0);
        for (unsigned i = 0; i < 1500; i++) {
            uint64_t virt = 0x40000000 + (uint64_t)i * QUIRE_PAGE_SIZE - 700 * QUIRE_PAGE_SIZE;
            CHECK_EQ(quire_query(&pt, virt + 5, &query), 0);
            CHECK_EQ(query.phys, quire_page_to_phys(pages[i]) + 5);
        }
        CHECK_EQ(quire_map_pages(&pt, 0x40000000, pages, 1, RW), -QUIRE_EEXIST);
        CHECK_EQ(quire_map_pages(&pt, 0x40000001, pages, 1, RW), -QUIRE_EINVAL);
        CHECK_EQ(quire_map_pages(&pt, 0x50000000, pages, 0, RW), -QUIRE_EINVAL);
        CHECK_EQ(quire_map_pages(&pt, 0x50000000, pages, 1, QUIRE_PTE_PRESENT), -QUIRE_EINVAL);
        CHECK_EQ(quire_unmap_range(&pt, 0x40000000 - 700 * QUIRE_PAGE_SIZE, 1500 * QUIRE_PAGE_SIZE,
                                   0, NULL),
                 0);
        free_chain(chain);
        tables_end(&pt);
    }
}

/* ---- bad arguments --------------------------------------------------------------------------- */

static void check_bad_ranges(int (*function)(uint64_t virt, uint64_t size))
{
    uint64_t limit = (uint64_t)1 << pt.format->virt_bits, top = 0 - (uint64_t)4096;
    CHECK_EQ(function(0, 0), -QUIRE_EINVAL);
    CHECK_EQ(function(1, 4096), -QUIRE_EINVAL);
    CHECK_EQ(function(4096, 4095), -QUIRE_EINVAL);
    CHECK_EQ(function(top, 8192), -QUIRE_EINVAL);
    CHECK_EQ(function(4096, top), -QUIRE_EINVAL);
    if (pt.format->virt_bits == 32) {
        CHECK_EQ(function(limit, 4096), -QUIRE_EINVAL);
        CHECK_EQ(function(limit - 4096, 8192), -QUIRE_EINVAL);
        CHECK_EQ(function(top, 4096), -QUIRE_EINVAL);
    } else {
        CHECK_EQ(function(limit / 2, 4096), -QUIRE_EINVAL);
        CHECK_EQ(function(limit / 2 - 4096, 8192), -QUIRE_EINVAL);
        CHECK_EQ(function(0 - limit / 2 - 4096, 4096), -QUIRE_EINVAL);
        CHECK_EQ(function(0 - limit / 2 - 4096, 8192), -QUIRE_EINVAL);
        CHECK_EQ(function(limit / 2 - 4096, 0 - limit + 8192), -QUIRE_EINVAL);
    }
}

static int do_map(uint64_t virt, uint64_t size)
{
    return quire_map_range(&pt, virt, 0, size, 0, 0);
}

static int do_unmap(uint64_t virt, uint64_t size)
{
    return quire_unmap_range(&pt, virt, size, 0, NULL);
}

static int do_protect(uint64_t virt, uint64_t size)
{
    return quire_protect_range(&pt, virt, size, 0, QUIRE_PTE_WRITE, NULL);
}

static int do_harvest(uint64_t virt, uint64_t size)
{
    uint64_t count = 0;
    return quire_harvest_range(&pt, virt, size, QUIRE_PTE_ACCESSED, NULL, &count, NULL);
}

static int visit_nothing(void *arg, const struct quire_pt_run *run)
{
    (void)arg;
    (void)run;
    return 0;
}

static int do_visit(uint64_t virt, uint64_t size)
{
    return quire_visit_range(&pt, virt, size, 0, visit_nothing, NULL);
}

static void bad_ranges_are_refused_everywhere(void)
{
    for (unsigned id = 0; id < QUIRE_NR_PT_FORMATS; id++) {
        if (!boot() || !tables_start(&pt, (enum quire_pt_format_id)id, can_do_all))
            return;
        check_bad_ranges(do_map);
        check_bad_ranges(do_unmap);
        check_bad_ranges(do_protect);
        check_bad_ranges(do_harvest);
        check_bad_ranges(do_visit);
        CHECK_EQ(quire_pgtable_nr_tables(&pt), empty_tables(&pt));
        tables_end(&pt);
    }
}

static void bits_and_flags_that_make_no_sense_are_refused(void)
{
    struct quire_pt_query query;
    uint64_t count = 0, expected;
    if (!boot() || !tables_start(&pt, QUIRE_PT_FORMAT_I386, can_do_all))
        return;
    CHECK_EQ(quire_map_range(&pt, 0, 0, 4096, QUIRE_PTE_NX, 0), -QUIRE_EINVAL);
    CHECK_EQ(quire_map_range(&pt, 0, 0, 4096, QUIRE_PTE_PRESENT, 0), -QUIRE_EINVAL);
    CHECK_EQ(quire_map_range(&pt, 0, 0, 4096, 0x1000, 0), -QUIRE_EINVAL);
    CHECK_EQ(quire_map_range(&pt, 0, 0, 4096, 0, 0x80), -QUIRE_EINVAL);
    CHECK_EQ(quire_map_range(&pt, 0, 1, 4096, 0, 0), -QUIRE_EINVAL);
    CHECK_EQ(quire_map_range(&pt, 0, 0xfffff000, 8192, 0, 0), -QUIRE_EINVAL);
    CHECK_EQ(quire_unmap_range(&pt, 0, 4096, 0x80, NULL), -QUIRE_EINVAL);
    CHECK_EQ(quire_protect_range(&pt, 0, 4096, QUIRE_PTE_PRESENT, 0, NULL), -QUIRE_EINVAL);
    CHECK_EQ(quire_protect_range(&pt, 0, 4096, 0, QUIRE_PTE_PRESENT, NULL), -QUIRE_EINVAL);
    CHECK_EQ(quire_harvest_range(&pt, 0, 4096, QUIRE_PTE_WRITE, NULL, &count, NULL), -QUIRE_EINVAL);
    CHECK_EQ(quire_harvest_range(&pt, 0, 4096, 0, NULL, &count, NULL), -QUIRE_EINVAL);
    CHECK_EQ(quire_test_and_clear(&pt, 0, 0, NULL), -QUIRE_EINVAL);
    CHECK_EQ(quire_visit_range(&pt, 0, 4096, 0x80, visit_nothing, NULL), -QUIRE_EINVAL);
    CHECK_EQ(quire_query(&pt, (uint64_t)1 << 32, &query), -QUIRE_EINVAL);
    expected = 0;
    CHECK_EQ(quire_cmpxchg_entry(&pt, 0, &expected, (uint64_t)1 << 32), -QUIRE_EINVAL);
    CHECK_EQ(quire_split(&pt, (uint64_t)1 << 32, NULL), -QUIRE_EINVAL);
    CHECK_EQ(quire_collapse(&pt, 0, QUIRE_PUD, NULL), -QUIRE_EINVAL);
    CHECK_EQ(quire_collapse(&pt, 0, QUIRE_PT, NULL), -QUIRE_EINVAL);
    tables_end(&pt);
    struct quire_pgtable_config config = {.mem = machine.mem, .format = QUIRE_NR_PT_FORMATS};
    CHECK_EQ(quire_pgtable_init(&pt, &config), -QUIRE_EINVAL);
    config = (struct quire_pgtable_config){.mem = machine.mem, .gfp = QUIRE_GFP_HIGHUSER};
    CHECK_EQ(quire_pgtable_init(&pt, &config), -QUIRE_EINVAL);
    config.gfp = QUIRE_GFP_KERNEL | ~(quire_gfp_t)QUIRE_GFP_MASK;
    CHECK_EQ(quire_pgtable_init(&pt, &config), -QUIRE_EINVAL);
    config = (struct quire_pgtable_config){.mem = machine.mem, .features.phys_bits = 53};
    CHECK_EQ(quire_pgtable_init(&pt, &config), -QUIRE_EINVAL);
    config = (struct quire_pgtable_config){.mem = NULL};
    CHECK_EQ(quire_pgtable_init(&pt, &config), -QUIRE_EINVAL);
}

static void an_overlap_is_refused_and_changes_nothing(void)
{
    for (unsigned id = 0; id < QUIRE_NR_PT_FORMATS; id++) {
        if (!boot() || !tables_start(&pt, (enum quire_pt_format_id)id, can_do_all))
            return;
        CHECK_EQ(quire_map_range(&pt, 32 * MIB, 64 * MIB, 4 * MIB, RW, 0), 0);
        CHECK_EQ(quire_map_range(&pt, 48 * MIB - 4096, 0, 4096, RW, 0), 0);
        uint64_t hash = tables_hash(&pt);
        CHECK_EQ(quire_map_range(&pt, 0, 0, 32 * MIB + 4096, RW, 0), -QUIRE_EEXIST);
        CHECK_EQ(quire_map_range(&pt, 36 * MIB - 4096, 0, 4096, RW, 0), -QUIRE_EEXIST);
        CHECK_EQ(quire_map_range(&pt, 36 * MIB, 0, 12 * MIB, RW, 0), -QUIRE_EEXIST);
        CHECK_EQ(tables_hash(&pt), hash);
        uint64_t swap = 0;
        CHECK_EQ(quire_cmpxchg_entry(&pt, 52 * MIB, &swap, 0x1234560), 0);
        CHECK_EQ(quire_map_range(&pt, 52 * MIB, 0, 4096, RW, 0), -QUIRE_EEXIST);
        tables_end(&pt);
    }
}

/* ---- the whole address space ----------------------------------------------------------------- */

static void the_ends_of_both_halves_can_be_mapped(void)
{
    for (unsigned id = 0; id < QUIRE_NR_PT_FORMATS; id++) {
        struct quire_pt_query query;
        if (!boot() || !tables_start(&pt, (enum quire_pt_format_id)id, can_do_all))
            return;
        uint64_t limit = (uint64_t)1 << pt.format->virt_bits;
        bool halves = pt.format->virt_bits > 32;
        const uint64_t places[4] = {0, limit / 2 - 4096, halves ? 0 - limit / 2 : limit / 2,
                                    halves ? 0 - (uint64_t)4096 : limit - 4096};
        for (unsigned i = 0; i < 4; i++)
            CHECK_EQ(quire_map_range(&pt, places[i], i * 4096, 4096, RW, 0), 0);
        for (unsigned i = 0; i < 4; i++) {
            CHECK_EQ(quire_query(&pt, places[i] + 4095, &query), 0);
            CHECK_EQ(query.phys, i * 4096 + 4095);
            struct reference r = reference_walk((enum quire_pt_format_id)id, pt.root, places[i]);
            CHECK(r.present);
            CHECK_EQ(r.phys, i * 4096);
        }
        CHECK_EQ(quire_query(&pt, 4096, &query), -QUIRE_ENOENT);
        /* A half at a time; all of it where addresses have no sign. */
        if (halves)
            CHECK_EQ(quire_unmap_range(&pt, 0 - limit / 2, limit / 2, 0, NULL), 0);
        CHECK_EQ(quire_unmap_range(&pt, 0, halves ? limit / 2 : limit, 0, NULL), 0);
        CHECK_EQ(quire_pgtable_nr_tables(&pt), empty_tables(&pt));
        tables_end(&pt);
    }
}

/* ---- visits ---------------------------------------------------------------------------------- */

struct seen {
    unsigned runs, holes, stop_at;
    struct quire_pt_run run[16];
    uint64_t first[16];
};

static int see(void *arg, const struct quire_pt_run *run)
{
    struct seen *seen = arg;
    unsigned number = seen->runs++;
    if (number < 16) {
        seen->run[number] = *run;
        seen->first[number] = run->count ? run->entry[0] : 0;
    }
    seen->holes += !run->count;
    return seen->runs == seen->stop_at ? 42 : 0;
}

static void a_visit_tells_pages_by_runs_and_holes_as_one(void)
{
    struct seen seen = {0};
    if (!boot() || !tables_start(&pt, QUIRE_PT_FORMAT_X86_64, can_do_all))
        return;
    CHECK_EQ(quire_map_range(&pt, 6 * MIB - 100 * 4096, 0, 100 * 4096, RW, 0), 0);
    CHECK_EQ(quire_map_range(&pt, 8 * MIB, 8 * MIB, 4 * MIB, RW, 0), 0);
    CHECK_EQ(quire_visit_range(&pt, 0, 9 * MIB, 0, see, &seen), 0);
    REQUIRE(seen.runs == 5);
    CHECK_EQ(seen.run[0].size, 6 * MIB - 100 * 4096); /* a hole over several tables */
    CHECK_EQ(seen.run[0].count, 0);
    CHECK_EQ(seen.run[1].virt, 6 * MIB - 100 * 4096);
    CHECK_EQ(seen.run[1].count, 64);
    CHECK_EQ(seen.first[1], 7);
    CHECK_EQ(seen.run[2].count, 36);
    CHECK_EQ(seen.first[2], 64 * 4096 + 7);
    CHECK_EQ(seen.run[3].virt, 6 * MIB);
    CHECK_EQ(seen.run[3].size, 2 * MIB);
    CHECK_EQ(seen.run[4].virt, 8 * MIB);
    CHECK_EQ(seen.run[4].size, 2 * MIB); /* one huge page of the two */
    CHECK_EQ(seen.run[4].level, QUIRE_PMD);
    CHECK_EQ(seen.first[4], 8 * MIB | 0x87);

    seen = (struct seen){.stop_at = 2};
    CHECK_EQ(quire_visit_range(&pt, 0, 16 * MIB, 0, see, &seen), 42);
    CHECK_EQ(seen.runs, 2);
    /* A huge page is told whole; what is left of a hole isn't. */
    seen = (struct seen){0};
    CHECK_EQ(quire_visit_range(&pt, 11 * MIB, 2 * MIB, 0, see, &seen), 0);
    CHECK_EQ(seen.runs, 2);
    CHECK_EQ(seen.run[0].virt, 10 * MIB);
    CHECK_EQ(seen.run[1].virt, 12 * MIB);
    CHECK_EQ(seen.run[1].size, MIB);
    tables_end(&pt);
}

static void entries_that_are_not_present_are_holes_unless_asked_for(void)
{
    struct seen seen = {0};
    uint64_t old = 0;
    if (!boot() || !tables_start(&pt, QUIRE_PT_FORMAT_PAE, can_do_all))
        return;
    CHECK_EQ(quire_cmpxchg_entry(&pt, 2 * 4096, &old, 0xfedcba9876543210), 0);
    CHECK_EQ(quire_visit_range(&pt, 0, MIB, 0, see, &seen), 0);
    CHECK_EQ(seen.runs, 1);
    CHECK_EQ(seen.run[0].size, MIB);
    seen = (struct seen){0};
    CHECK_EQ(quire_visit_range(&pt, 0, MIB, QUIRE_VISIT_NOT_PRESENT, see, &seen), 0);
    CHECK_EQ(seen.runs, 3);
    CHECK_EQ(seen.first[1], 0xfedcba9876543210);
    CHECK_EQ(seen.run[2].virt, 3 * 4096);
    CHECK_EQ(entry_for(2 * 4096), 0xfedcba9876543210);
    tables_end(&pt);
}

/* ---- unmap ----------------------------------------------------------------------------------- */

static void an_unmap_cuts_huge_pages_and_leaves_the_rest(void)
{
    struct quire_pt_query query;
    if (!boot() || !tables_start(&pt, QUIRE_PT_FORMAT_X86_64, can_do_all))
        return;
    CHECK_EQ(quire_map_range(&pt, GIB, 3 * GIB, GIB, RW | QUIRE_PTE_PAT, 0), 0);
    CHECK_EQ(pages_of_level(QUIRE_PUD, GIB, GIB), 512 * 512);
    CHECK_EQ(quire_unmap_range(&pt, GIB + 3 * MIB, 4096, 0, NULL), 0);
    CHECK_EQ(pages_of_level(QUIRE_PT, GIB, GIB), 511);
    CHECK_EQ(pages_of_level(QUIRE_PMD, GIB, GIB), 511 * 512);
    CHECK_EQ(quire_query(&pt, GIB + 3 * MIB, &query), -QUIRE_ENOENT);
    CHECK_EQ(quire_query(&pt, GIB + 3 * MIB + 4096, &query), 0);
    CHECK_EQ(query.phys, 3 * GIB + 3 * MIB + 4096);
    CHECK_EQ(query.entry & 0xfff, 0x87); /* PAT, where PT has it */
    CHECK_EQ(entry_for(GIB) & 0x1fff, 0x1087);
    CHECK_EQ(quire_unmap_range(&pt, GIB, GIB, 0, NULL), 0);
    CHECK_EQ(quire_pgtable_nr_tables(&pt), 1);
    tables_end(&pt);
}

struct taken {
    unsigned pages, entries;
    uint64_t sum;
};

static void take_note(void *arg, const struct quire_pt_run *run)
{
    struct taken *taken = arg;
    taken->pages += (unsigned)(run->size / 4096);
    taken->entries += run->count;
    for (unsigned i = 0; i < run->count; i++)
        taken->sum += run->entry[i];
}

static void a_zap_tells_what_it_took_with_the_bits_of_hardware(void)
{
    for (unsigned id = 0; id < QUIRE_NR_PT_FORMATS; id++) {
        struct quire_tlb_batch batch;
        struct taken taken = {0};
        uint64_t old = 0;
        if (!boot() || !tables_start(&pt, (enum quire_pt_format_id)id, can_do_all))
            return;
        quire_tlb_batch_init(&batch, &pt);
        CHECK_EQ(quire_map_range(&pt, 0x400000 - 2 * 4096, 0x100000, 4 * 4096, QUIRE_PTE_WRITE, 0),
                 0);
        CHECK_EQ(quire_cmpxchg_entry(&pt, 0x410000, &old, 0x770), 0);
        CHECK(reference_access((enum quire_pt_format_id)id, pt.root, 0x400000, true));
        CHECK_EQ(quire_zap_range(&pt, 0, 8 * MIB, 0, take_note, &taken, NULL), -QUIRE_EINVAL);
        CHECK_EQ(quire_zap_range(&pt, 0, 8 * MIB, 0, take_note, &taken, &batch), 0);
        CHECK_EQ(taken.entries, 5);
        CHECK_EQ(taken.sum, 4 * 0x100003 + 6 * 4096 + 0x60 + 0x770);
        CHECK_EQ(flushes.count, 0);
        quire_tlb_flush(&batch);
        CHECK(flushes.count > 0);
        CHECK_EQ(quire_pgtable_nr_tables(&pt), empty_tables(&pt));
        tables_end(&pt);
    }
}

static const struct test_case cases[] = {
    TEST_CASE(an_i386_page_is_two_entries_as_on_paper),
    TEST_CASE(a_4_mib_page_beyond_4_gib_is_one_pse36_entry),
    TEST_CASE(an_x86_64_page_is_four_entries_as_on_paper),
    TEST_CASE(a_pae_directory_pointer_has_only_p),
    TEST_CASE(a_range_gets_the_largest_pages_that_fit),
    TEST_CASE(a_processor_without_1_gib_pages_gets_none),
    TEST_CASE(an_empty_table_is_used_rather_than_replaced),
    TEST_CASE(of_a_range_that_was_emptied_the_empty_tables_go),
    TEST_CASE(the_next_entry_is_the_first_behind_what_is_empty),
    TEST_CASE(entries_are_filled_where_nothing_is),
    TEST_CASE(scattered_pages_are_mapped_in_their_order),
    TEST_CASE(bad_ranges_are_refused_everywhere),
    TEST_CASE(bits_and_flags_that_make_no_sense_are_refused),
    TEST_CASE(an_overlap_is_refused_and_changes_nothing),
    TEST_CASE(the_ends_of_both_halves_can_be_mapped),
    TEST_CASE(a_visit_tells_pages_by_runs_and_holes_as_one),
    TEST_CASE(entries_that_are_not_present_are_holes_unless_asked_for),
    TEST_CASE(an_unmap_cuts_huge_pages_and_leaves_the_rest),
    TEST_CASE(a_zap_tells_what_it_took_with_the_bits_of_hardware),
    {0},
};
const struct test_suite suite_mapping = {"mapping", cases};
