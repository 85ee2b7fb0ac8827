/* tests/unit/map_change_test.c: changes of what is mapped, and which flushes they ask for */
#include "tests/unit/tables.h"

#include "phys/cleared.h"

#define GIB (1024 * MIB)
#define RW (QUIRE_PTE_WRITE | QUIRE_PTE_USER)
#define AD (QUIRE_PTE_ACCESSED | QUIRE_PTE_DIRTY)

static const struct quire_pt_features can_do_all;
static struct quire_pgtable pt;

static bool start(enum quire_pt_format_id format)
{
    return machine_boot_plain(16 * MIB, (struct quire_mem_config){.nr_cpus = 1}) &&
           tables_start(&pt, format, can_do_all);
}

static uint64_t entry_for(quire_linear_t virt)
{
    struct quire_pt_query query;
    (void)!quire_query(&pt, virt, &query);
    return query.entry;
}

static bool hardware(quire_linear_t virt, bool write)
{
    return reference_access((enum quire_pt_format_id)(pt.format - quire_pt_formats), pt.root, virt,
                            write);
}

/* ---- protect --------------------------------------------------------------------------------- */

static void protection_changes_bits_and_nothing_else(void)
{
    for (unsigned id = 0; id < QUIRE_NR_PT_FORMATS; id++) {
        if (!start((enum quire_pt_format_id)id))
            return;
        uint64_t swap = 0, nx = pt.format->nx;
        CHECK_EQ(quire_map_range(&pt, 0x3fe000, 0x2fe000, 4 * 4096, RW, 0), 0);
        CHECK_EQ(quire_cmpxchg_entry(&pt, 0x404000, &swap, 0x12340), 0);
        CHECK(hardware(0x400000, true));
        CHECK_EQ(quire_protect_range(&pt, 0x300000, 2 * MIB, QUIRE_PTE_SOFT2 | nx, QUIRE_PTE_WRITE,
                                     NULL),
                 0);
        CHECK_EQ(entry_for(0x3fe000), (0x2fe000 | 0x405) | nx);
        CHECK_EQ(entry_for(0x400000), (0x300000 | 0x465) | nx);
        CHECK_EQ(entry_for(0x402000), 0);
        CHECK_EQ(entry_for(0x404000), 0x12340);
        tables_end(&pt);
    }
}

static void protection_splits_what_it_cuts(void)
{
    if (!start(QUIRE_PT_FORMAT_I386))
        return;
    CHECK_EQ(quire_map_range(&pt, 8 * MIB, 8 * MIB, 12 * MIB, RW | QUIRE_PTE_PAT, 0), 0);
    CHECK_EQ(quire_protect_range(&pt, 9 * MIB, 10 * MIB, 0, QUIRE_PTE_USER | QUIRE_PTE_PAT, NULL),
             0);
    CHECK_EQ(entry_for(8 * MIB), 8 * MIB | 0x87);
    CHECK_EQ(entry_for(9 * MIB), 9 * MIB | 0x03);
    CHECK_EQ(entry_for(12 * MIB), 12 * MIB | 0x83); /* still huge: PS, and PAT gone */
    CHECK_EQ(entry_for(19 * MIB), 19 * MIB | 0x87);
    CHECK_EQ(pt.nr_tables[QUIRE_PT], 2);
    tables_end(&pt);
}

static void only_what_a_tlb_may_know_better_is_flushed(void)
{
    if (!start(QUIRE_PT_FORMAT_X86_64))
        return;
    CHECK_EQ(quire_map_range(&pt, 0, 0, 64 * 4096, QUIRE_PTE_USER, 0), 0);
    CHECK_EQ(quire_protect_range(&pt, 0, 64 * 4096, QUIRE_PTE_WRITE | AD, 0, NULL), 0);
    CHECK_EQ(quire_protect_range(&pt, 0, 64 * 4096, QUIRE_PTE_SOFT1, 0, NULL), 0);
    CHECK_EQ(quire_protect_range(&pt, 0, 64 * 4096, 0, QUIRE_PTE_SOFT1 | QUIRE_PTE_ACCESSED, NULL),
             0);
    CHECK_EQ(flushes.count, 0);
    CHECK_EQ(quire_protect_range(&pt, 5 * 4096, 3 * 4096, 0, QUIRE_PTE_WRITE, NULL), 0);
    CHECK_EQ(flushes.count, 1);
    CHECK_EQ(flushes.last.virt, 5 * 4096);
    CHECK_EQ(flushes.last.size, 3 * 4096);
    CHECK_EQ(flushes.last.page_shift, 12);
    CHECK(!flushes.last.all);
    /* Some of these can't be written already: only the others are flushed. */
    CHECK_EQ(quire_protect_range(&pt, 6 * 4096, 4 * 4096, 0, QUIRE_PTE_WRITE, NULL), 0);
    CHECK_EQ(flushes.last.virt, 8 * 4096);
    CHECK_EQ(flushes.last.size, 2 * 4096);
    CHECK_EQ(quire_protect_range(&pt, 0, 64 * 4096, QUIRE_PTE_NX, 0, NULL), 0);
    CHECK_EQ(flushes.all, 1);
    unsigned before = flushes.count;
    CHECK_EQ(quire_protect_range(&pt, 0, 64 * 4096, 0, QUIRE_PTE_NX, NULL), 0);
    CHECK_EQ(flushes.count, before);
    tables_end(&pt);
}

/* ---- batches --------------------------------------------------------------------------------- */

static void a_batch_merges_neighbours_and_gives_up_beyond_some(void)
{
    struct quire_tlb_batch batch;
    if (!start(QUIRE_PT_FORMAT_X86_64))
        return;
    quire_tlb_batch_init(&batch, &pt);
    quire_tlb_flush(&batch);
    CHECK_EQ(flushes.count, 0); /* nothing to do */
    const uint64_t high = 0 - 16 * MIB;
    quire_tlb_add(&batch, high + 4096, 4096, 12);
    quire_tlb_add(&batch, high + 3 * 4096, 4096, 12);
    quire_tlb_add(&batch, high + 2 * 4096, 4096, 12);
    quire_tlb_add(&batch, high + 4 * MIB, 2 * MIB, 21);
    quire_tlb_flush(&batch);
    CHECK_EQ(flushes.all, 0);
    CHECK_EQ(flushes.last.virt, high + 4 * MIB);
    CHECK_EQ(flushes.last.page_shift, 21);
    CHECK(flushes.count <= 3);
    for (unsigned i = 0; i < QUIRE_TLB_FLUSH_PAGES; i++)
        quire_tlb_add(&batch, i * 4096, 4096, 12);
    unsigned before = flushes.count;
    quire_tlb_flush(&batch);
    CHECK_EQ(flushes.count, before + 1);
    CHECK_EQ(flushes.last.size, QUIRE_TLB_FLUSH_PAGES * 4096);
    for (unsigned i = 0; i <= QUIRE_TLB_FLUSH_PAGES; i++)
        quire_tlb_add(&batch, i * 4096, 4096, 12);
    quire_tlb_flush(&batch);
    CHECK_EQ(flushes.all, 1);
    for (unsigned i = 0; i <= QUIRE_TLB_BATCH_RANGES; i++)
        quire_tlb_add(&batch, i * 16 * 4096, 4096, 12);
    quire_tlb_flush(&batch);
    CHECK_EQ(flushes.all, 2);
    tables_end(&pt);
}

static void pages_of_a_batch_are_freed_after_its_flush(void)
{
    struct quire_tlb_batch batch;
    struct quire_page *chain;
    if (!start(QUIRE_PT_FORMAT_X86_64))
        return;
    quire_tlb_batch_init(&batch, &pt);
    CHECK_EQ(take_pages(QUIRE_GFP_KERNEL, QUIRE_TLB_BATCH_PAGES + 1, &chain),
             QUIRE_TLB_BATCH_PAGES + 1);
    unsigned long free = quire_nr_free_pages(machine.mem);
    quire_tlb_add(&batch, 0, 4096, 12);
    for (unsigned i = 0; i < QUIRE_TLB_BATCH_PAGES; i++) {
        struct quire_page *next = chain->owner.pointer[0];
        quire_tlb_remove_page(&batch, chain);
        chain = next;
    }
    CHECK_EQ(flushes.count, 0);
    CHECK_EQ(quire_nr_free_pages(machine.mem), free);
    quire_tlb_remove_page(&batch, chain);
    CHECK_EQ(flushes.count, 1); /* there was no room */
    CHECK_EQ(quire_nr_free_pages(machine.mem), free + QUIRE_TLB_BATCH_PAGES);
    quire_tlb_flush(&batch);
    CHECK_EQ(flushes.count, 1);
    CHECK_EQ(quire_nr_free_pages(machine.mem), free + QUIRE_TLB_BATCH_PAGES + 1);
    tables_end(&pt);
}

static void nothing_is_flushed_where_no_cpu_has_the_tables(void)
{
    if (!start(QUIRE_PT_FORMAT_PAE))
        return;
    unsigned last = QUIRE_MAX_CPUS - 1;
    quire_pgtable_cpu_leave(&pt, 0);
    CHECK_EQ(quire_map_range(&pt, 0, 0, 8192, RW, 0), 0);
    CHECK_EQ(quire_unmap_range(&pt, 0, 4096, 0, NULL), 0);
    CHECK_EQ(flushes.count, 0);
    quire_pgtable_cpu_enter(&pt, last);
    CHECK_EQ(quire_unmap_range(&pt, 4096, 4096, QUIRE_UNMAP_KEEP_TABLES, NULL), 0);
    CHECK_EQ(flushes.count, 1);
    CHECK_EQ(flushes.last.cpus->word[last / 32], 1u << last % 32);
    /* Even a table that maps nothing is known to hardware. */
    CHECK_EQ(quire_unmap_range(&pt, 0, 4096, 0, NULL), 0);
    CHECK_EQ(flushes.count, 2);
    CHECK_EQ(quire_pgtable_nr_tables(&pt), empty_tables(&pt));
    tables_end(&pt);
}

/* Without a target of its own a table's flushes go to the port. */
static void flushes_go_to_the_port_by_default(void)
{
    if (!machine_boot_plain(16 * MIB, (struct quire_mem_config){.nr_cpus = 1}))
        return;
    enum quire_pt_format_id own =
        UINTPTR_MAX == UINT32_MAX ? QUIRE_PT_FORMAT_I386 : QUIRE_PT_FORMAT_X86_64;
    struct quire_pgtable_config config = {.mem = machine.mem, .format = own};
    REQUIRE(!quire_pgtable_init(&pt, &config));
    quire_pgtable_cpu_enter(&pt, 0);
    for (unsigned pages = 1; pages < 100; pages += 33) {
        CHECK_EQ(quire_map_range(&pt, 0x10000, 0, pages * 4096, RW, 0), 0);
        CHECK_EQ(quire_protect_range(&pt, 0x10000, pages * 4096, 0, QUIRE_PTE_WRITE, NULL), 0);
        CHECK_EQ(quire_unmap_range(&pt, 0x10000, pages * 4096, 0, NULL), 0);
    }
    quire_pgtable_check(&pt);
    quire_pgtable_destroy(&pt);
}

/* ---- accessed and dirty ---------------------------------------------------------------------- */

static void accessed_and_dirty_are_cleared_once(void)
{
    for (unsigned id = 0; id < QUIRE_NR_PT_FORMATS; id++) {
        if (!start((enum quire_pt_format_id)id))
            return;
        CHECK_EQ(quire_test_and_clear(&pt, 4096, AD, NULL), -QUIRE_ENOENT);
        CHECK_EQ(quire_map_range(&pt, 4096, 8192, 4096, QUIRE_PTE_WRITE, 0), 0);
        CHECK_EQ(quire_test_and_clear(&pt, 4096, AD, NULL), 0);
        CHECK(hardware(4096, true));
        CHECK_EQ(quire_test_and_clear(&pt, 5000, QUIRE_PTE_ACCESSED, NULL), QUIRE_PTE_ACCESSED);
        CHECK_EQ(flushes.count, 0);
        CHECK_EQ(quire_test_and_clear(&pt, 5000, AD, NULL), QUIRE_PTE_DIRTY);
        CHECK_EQ(flushes.count, 1);
        CHECK_EQ(flushes.last.virt, 4096);
        CHECK_EQ(quire_test_and_clear(&pt, 5000, AD, NULL), 0);
        CHECK_EQ(entry_for(4096), 8192 + 3);
        tables_end(&pt);
    }
}

static void a_harvest_marks_each_page_that_was_used(void)
{
    uint64_t bitmap[1536 / 64] = {0}, count = 0;
    if (!start(QUIRE_PT_FORMAT_X86_64))
        return;
    CHECK_EQ(quire_map_range(&pt, 0, 0, 2 * MIB, RW, QUIRE_MAP_NO_HUGE), 0);
    CHECK_EQ(quire_map_range(&pt, 2 * MIB, 2 * MIB, 4 * MIB, RW, 0), 0);
    CHECK(hardware(MIB + 7 * 4096, false) && hardware(2 * MIB - 1, true) &&
          hardware(5 * MIB, true));
    CHECK_EQ(quire_harvest_range(&pt, MIB, 4 * MIB, QUIRE_PTE_DIRTY, bitmap, &count, NULL), 0);
    CHECK_EQ(count, 1 + 256);
    CHECK_EQ(bitmap[0], 0);
    CHECK_EQ(bitmap[255 / 64], (uint64_t)1 << 63);
    for (unsigned i = 256; i < 1024; i += 64)
        CHECK_EQ(bitmap[i / 64], i >= 768 ? ~(uint64_t)0 : 0);
    CHECK_EQ(quire_harvest_range(&pt, 0, 6 * MIB, AD, NULL, &count, NULL), 0);
    CHECK_EQ(count, 257 + 2 + 512);
    CHECK_EQ(quire_harvest_range(&pt, 0, 6 * MIB, AD, NULL, &count, NULL), 0);
    CHECK_EQ(count, 257 + 2 + 512);
    tables_end(&pt);
}

/* ---- single entries -------------------------------------------------------------------------- */

static void an_entry_goes_out_to_swap_and_comes_back(void)
{
    for (unsigned id = 0; id < QUIRE_NR_PT_FORMATS; id++) {
        if (!start((enum quire_pt_format_id)id))
            return;
        const quire_linear_t virt = 0x12345000;
        uint64_t entry = 0;
        CHECK_EQ(quire_cmpxchg_entry(&pt, virt, &entry, 0), 0); /* needs no table */
        CHECK_EQ(quire_pgtable_nr_tables(&pt), empty_tables(&pt));
        CHECK_EQ(quire_cmpxchg_entry(&pt, virt, &entry, 0x00345007), 0);
        CHECK_EQ(quire_cmpxchg_entry(&pt, virt, &entry, 0x00345007), -QUIRE_EAGAIN);
        CHECK_EQ(entry, 0x00345007);
        CHECK_EQ(quire_cmpxchg_entry(&pt, virt, &entry, 0), -QUIRE_EINVAL);
        CHECK(hardware(virt, true));
        CHECK_EQ(quire_update_entry(&pt, virt, &entry, 0xabc0, NULL), 0);
        CHECK_EQ(entry, 0x00345067);
        CHECK_EQ(flushes.count, 1);
        CHECK_EQ(quire_update_entry(&pt, virt, &entry, 0, NULL), -QUIRE_EAGAIN);
        CHECK_EQ(entry, 0xabc0);
        CHECK_EQ(quire_update_entry(&pt, virt, &entry, 0, NULL), -QUIRE_EINVAL);
        CHECK_EQ(quire_cmpxchg_entry(&pt, virt, &entry, 0x00345005), 0);
        CHECK_EQ(flushes.count, 1);
        entry = 0x00345005;
        CHECK_EQ(quire_update_entry(&pt, virt, &entry, 0, NULL), 0);
        CHECK_EQ(flushes.count, 2);
        entry = 0x77770;
        CHECK_EQ(quire_cmpxchg_entry(&pt, virt + 64 * MIB, &entry, 0x345005), -QUIRE_EAGAIN);
        CHECK_EQ(entry, 0);
        entry = 1;
        CHECK_EQ(quire_update_entry(&pt, virt + 64 * MIB, &entry, 0x345005, NULL), -QUIRE_EAGAIN);
        CHECK_EQ(entry, 0);
        CHECK_EQ(quire_unmap_range(&pt, virt, 4096, 0, NULL), 0);
        CHECK_EQ(quire_pgtable_nr_tables(&pt), empty_tables(&pt));
        tables_end(&pt);
    }
}

static void an_entry_that_was_found_is_changed_without_another_walk(void)
{
    for (unsigned id = 0; id < QUIRE_NR_PT_FORMATS; id++) {
        if (!start((enum quire_pt_format_id)id))
            return;
        const quire_linear_t virt = 0x12345000;
        void *where, *huge;
        uint64_t entry = 0;
        CHECK_EQ(quire_map_range(&pt, virt - 4096, 0x5000, 4096, RW, 0), 0);
        CHECK_EQ(quire_find_entry(&pt, virt, &where), 0);
        CHECK(where);
        CHECK_EQ(quire_cmpxchg_entry_at(&pt, where, &entry, 0x345007), 0);
        CHECK_EQ(quire_get_entry(&pt, virt), 0x345007);
        CHECK_EQ(quire_cmpxchg_entry_at(&pt, where, &entry, 0x345007), -QUIRE_EAGAIN);
        CHECK_EQ(quire_cmpxchg_entry_at(&pt, where, &entry, 0), -QUIRE_EINVAL);
        CHECK(hardware(virt, true));
        CHECK_EQ(quire_entry_at(&pt, where), 0x345067);
        bool flush = false;
        CHECK_EQ(quire_update_entry_at(&pt, where, &entry, 0x345005, &flush), 0);
        CHECK_EQ(entry, 0x345067);
        CHECK(flush);
        CHECK_EQ(flushes.count, 0);
        quire_tlb_flush_page(&pt, virt + 5);
        CHECK_EQ(flushes.count, 1);
        CHECK_EQ(flushes.last.virt, virt);
        CHECK_EQ(flushes.last.size, 4096);
        entry = 0x345005;
        CHECK_EQ(quire_update_entry_at(&pt, where, &entry, 0x345067, &flush), 0);
        CHECK(!flush);
        entry = 0x666007;
        CHECK_EQ(quire_update_entry_at(&pt, where, &entry, 0, &flush), -QUIRE_EAGAIN);
        entry = 0;
        CHECK_EQ(quire_update_entry_at(&pt, where, &entry, 0, &flush), -QUIRE_EINVAL);
        CHECK_EQ(quire_find_entry(&pt, virt + 64 * MIB, &huge), 0); /* no table */
        CHECK(!huge);
        quire_pgtable_check(&pt); /* the table's count has it */
        CHECK_EQ(quire_unmap_range(&pt, virt - 4096, 8192, 0, NULL), 0);
        tables_end(&pt);
    }
}

static bool is_marker(uint64_t entry)
{
    return entry == 0x800;
}

static void entries_move_up_to_one_that_stays(void)
{
    const quire_linear_t from = 0x12340000, to = 0x40000000;
    for (unsigned id = 0; id < QUIRE_NR_PT_FORMATS; id++) {
        struct quire_tlb_batch batch;
        uint64_t entry = 0;
        if (!start((enum quire_pt_format_id)id))
            return;
        quire_tlb_batch_init(&batch, &pt);
        /* No table, so nothing to move, nor to move it to. */
        CHECK_EQ(quire_move_entries(&pt, from, to, 0x8000, is_marker, &batch), 0x8000);
        CHECK_EQ(quire_map_range(&pt, from, 0x5000, 8192, RW, 0), 0);
        CHECK_EQ(quire_cmpxchg_entry(&pt, from + 0x3000, &entry, 0x900), 0); /* after a hole */
        CHECK_EQ(quire_cmpxchg_entry(&pt, from + 0x5000, &entry, 0x800), 0);
        CHECK_EQ(quire_map_range(&pt, from + 0x6000, 0x9000, 4096, RW, 0), 0);
        CHECK_EQ(quire_map_range(&pt, to - 0, 0x1000, 4096, RW, 0), 0);
        CHECK_EQ(quire_unmap_range(&pt, to, 4096, QUIRE_UNMAP_KEEP_TABLES, NULL), 0);
        CHECK(hardware(from + 0x1000, true));
        CHECK_EQ(quire_move_entries(&pt, from, to, 0x8000, is_marker, &batch), 0x5000);
        quire_tlb_flush(&batch);
        CHECK_EQ(quire_get_entry(&pt, to), 0x5000 | (entry_for(from + 0x6000) & 0xfff));
        CHECK_EQ(quire_get_entry(&pt, to + 0x1000) & 0x6fff,
                 0x6067 & 0x6fff); /* what hardware set */
        CHECK_EQ(quire_get_entry(&pt, to + 0x2000), 0);
        CHECK_EQ(quire_get_entry(&pt, to + 0x3000), 0x900);
        CHECK_EQ(quire_get_entry(&pt, to + 0x5000), 0);
        for (unsigned page = 0; page < 5; page++)
            CHECK_EQ(quire_get_entry(&pt, from + page * 4096), 0);
        CHECK_EQ(quire_get_entry(&pt, from + 0x5000), 0x800);
        CHECK(!hardware(from, false));
        CHECK(hardware(to, false));
        quire_pgtable_check(&pt);
        CHECK_EQ(quire_unmap_range(&pt, from, 0x8000, 0, NULL), 0);
        CHECK_EQ(quire_unmap_range(&pt, to, 0x8000, 0, NULL), 0);
        CHECK_EQ(quire_pgtable_nr_tables(&pt), empty_tables(&pt));
        tables_end(&pt);
    }
}

static void an_update_keeps_what_hardware_set_on_the_same_frame(void)
{
    if (!start(QUIRE_PT_FORMAT_X86_64))
        return;
    CHECK_EQ(quire_map_range(&pt, 0, 0x5000, 4096, RW, 0), 0);
    uint64_t entry = entry_for(0);
    CHECK(hardware(0, true));
    CHECK_EQ(quire_update_entry(&pt, 0, &entry, 0x5005, NULL), 0); /* made read-only */
    CHECK_EQ(entry, 0x5067);
    CHECK_EQ(entry_for(0), 0x5065);
    /* What is known to be dirty may be cleaned. */
    entry = 0x5065;
    CHECK_EQ(quire_update_entry(&pt, 0, &entry, 0x5025, NULL), 0);
    CHECK_EQ(entry_for(0), 0x5025);
    /* Another frame is new. */
    CHECK(hardware(0, true));
    CHECK_EQ(quire_update_entry(&pt, 0, &entry, 0x6007, NULL), 0);
    CHECK_EQ(entry, 0x5065);
    CHECK_EQ(entry_for(0), 0x6007);
    tables_end(&pt);
}

static void a_huge_page_is_no_single_entry(void)
{
    uint64_t entry = 0;
    if (!start(QUIRE_PT_FORMAT_LA57))
        return;
    CHECK_EQ(quire_map_range(&pt, GIB, GIB, GIB, RW, 0), 0);
    CHECK_EQ(quire_cmpxchg_entry(&pt, GIB, &entry, 0x6007), -QUIRE_EEXIST);
    entry = entry_for(GIB);
    CHECK_EQ(quire_update_entry(&pt, GIB, &entry, 0x6007, NULL), -QUIRE_EEXIST);
    CHECK_EQ(quire_get_entry(&pt, GIB), 0);
    tables_end(&pt);
}

/* ---- split and collapse ---------------------------------------------------------------------- */

static void a_split_and_a_collapse_undo_each_other(void)
{
    static const enum quire_pt_format_id formats[] = {QUIRE_PT_FORMAT_I386, QUIRE_PT_FORMAT_PAE,
                                                      QUIRE_PT_FORMAT_X86_64, QUIRE_PT_FORMAT_LA57};
    for (unsigned i = 0; i < 4; i++) {
        if (!start(formats[i]))
            return;
        uint64_t prot = QUIRE_PTE_USER | QUIRE_PTE_PAT | QUIRE_PTE_SOFT3 | pt.format->nx;
        CHECK_EQ(quire_map_range(&pt, 0x40000000, 0x80000000, 0x40000000, prot, 0), 0);
        uint64_t hash = tables_hash(&pt);
        unsigned before = flushes.count;
        while (!quire_split(&pt, 0x60001234, NULL))
            ;
        CHECK(flushes.count > before);
        CHECK_EQ(quire_split(&pt, 0x60001234, NULL), -QUIRE_ENOENT);
        CHECK_EQ(entry_for(0x60001234), 0xa0001000 | 0x885 | pt.format->nx);
        CHECK(hardware(0x60003000, false) && hardware(0x60004000, true));
        CHECK_EQ(quire_collapse(&pt, 0x60001234, QUIRE_PMD, NULL), 0);
        CHECK_EQ(entry_for(0x60001234) & 0x1fff, 0x18e5); /* accessed and dirty are any's */
        CHECK_EQ(quire_test_and_clear(&pt, 0x60000000, AD, NULL), AD);
        if (i >= 2)
            CHECK_EQ(quire_collapse(&pt, 0x60001234, QUIRE_PUD, NULL), 0);
        CHECK_EQ(tables_hash(&pt), hash);
        tables_end(&pt);
    }
}

/* What the machine's pages are held by, until somebody who waits for one gives a few back and
 * splits what the other is about to. */
static struct quire_page *held;

static unsigned long count_held(struct quire_shrinker *shrinker, int node)
{
    (void)shrinker;
    (void)node;
    return held ? 100 : 0;
}

static unsigned long split_first(struct quire_shrinker *shrinker, int node, quire_gfp_t gfp,
                                 unsigned long nr)
{
    struct quire_page *few = held;
    (void)shrinker;
    (void)node;
    (void)gfp;
    (void)nr;
    held = NULL;
    free_chain(few);
    CHECK_EQ(quire_split(&pt, 0x80001000, NULL), 0);
    return 1;
}

static void a_table_that_was_filled_and_not_needed_isnt_kept_as_zero(void)
{
    static const enum quire_pt_format_id formats[] = {QUIRE_PT_FORMAT_I386, QUIRE_PT_FORMAT_PAE,
                                                      QUIRE_PT_FORMAT_X86_64, QUIRE_PT_FORMAT_LA57};
    for (unsigned i = 0; i < 4; i++) {
        if (!start(formats[i]))
            return;
        struct quire_shrinker shrinker = {.count = count_held, .scan = split_first};
        CHECK_EQ(quire_map_range(&pt, 0x80000000, 0x40000000, 0x400000, RW, 0), 0);
        quire_register_shrinker(machine.mem, &shrinker);
        CHECK(take_pages(QUIRE_GFP_NOWAIT | QUIRE_GFP_NOWARN | QUIRE_GFP_MEMALLOC, ~0ul, &held));
        CHECK_EQ(quire_split(&pt, 0x80001000, NULL), 0);
        CHECK(!held);
        quire_unregister_shrinker(machine.mem, &shrinker);
        struct quire_page *page =
            alloc_cleared_page(machine.mem, QUIRE_GFP_KERNEL | QUIRE_GFP_ZERO);
        REQUIRE(page);
        CHECK(page_is_cleared(machine.mem, page));
        quire_free_page(machine.mem, page);
        tables_end(&pt);
    }
}

static void only_what_is_whole_and_alike_collapses(void)
{
    if (!start(QUIRE_PT_FORMAT_X86_64))
        return;
    CHECK_EQ(quire_collapse(&pt, 2 * MIB, QUIRE_PMD, NULL), -QUIRE_ENOENT);
    CHECK_EQ(quire_map_range(&pt, 2 * MIB, 4 * MIB, 2 * MIB - 4096, RW, 0), 0);
    CHECK_EQ(quire_collapse(&pt, 2 * MIB, QUIRE_PMD, NULL), -QUIRE_ENOENT);
    CHECK_EQ(quire_map_range(&pt, 4 * MIB - 4096, 6 * MIB - 4096, 4096, QUIRE_PTE_USER, 0), 0);
    CHECK_EQ(quire_collapse(&pt, 2 * MIB, QUIRE_PMD, NULL), -QUIRE_EINVAL);
    CHECK_EQ(quire_collapse(&pt, 2 * MIB, QUIRE_PUD, NULL), -QUIRE_ENOENT);
    CHECK_EQ(quire_protect_range(&pt, 4 * MIB - 4096, 4096, RW, 0, NULL), 0);
    CHECK_EQ(quire_collapse(&pt, 2 * MIB, QUIRE_PMD, NULL), 0);
    CHECK_EQ(entry_for(3 * MIB), 4 * MIB | 0x87);
    /* Contiguous, but the memory isn't aligned. */
    CHECK_EQ(quire_map_range(&pt, 8 * MIB, 8 * MIB + 4096, 2 * MIB, RW, 0), 0);
    CHECK_EQ(quire_collapse(&pt, 8 * MIB, QUIRE_PMD, NULL), -QUIRE_EINVAL);
    tables_end(&pt);
}

/* ---- fork ------------------------------------------------------------------------------------ */

struct told {
    unsigned entries, present, undone, stop_after;
    uint64_t sum;
};

static int copied(void *arg, const struct quire_pt_run *run)
{
    struct told *told = arg;
    if (told->stop_after && told->entries >= told->stop_after)
        return -QUIRE_EBUSY;
    told->entries += run->count;
    for (unsigned i = 0; i < run->count; i++) {
        told->present += run->entry[i] & QUIRE_PTE_PRESENT;
        told->sum += run->entry[i];
    }
    return 0;
}

static void undone(void *arg, const struct quire_pt_run *run)
{
    ((struct told *)arg)->undone += run->count;
}

/* Pages of both sizes, a hole, and one that is swapped out. */
static void fill_source(quire_linear_t swapped)
{
    uint64_t swap = 0;
    CHECK_EQ(quire_map_range(&pt, 4 * MIB - 80 * 4096, MIB, 80 * 4096, RW | AD, 0), 0);
    CHECK_EQ(quire_map_range(&pt, 4 * MIB, 4 * MIB, 8 * MIB, RW | AD, 0), 0);
    CHECK_EQ(quire_map_range(&pt, 20 * MIB, MIB, 3 * 4096, QUIRE_PTE_USER | AD, 0), 0);
    CHECK_EQ(quire_cmpxchg_entry(&pt, swapped, &swap, 0x666660), 0);
}

static void a_copy_is_alike_and_write_protected_on_both_sides(void)
{
    for (unsigned id = 0; id < QUIRE_NR_PT_FORMATS; id++) {
        static struct quire_pgtable child;
        struct told told = {0};
        struct quire_pt_copy how = {
            .clear_both = QUIRE_PTE_WRITE, .copied = copied, .undone = undone, .arg = &told};
        if (!start((enum quire_pt_format_id)id))
            return;
        struct quire_pgtable_config config = {.mem = machine.mem,
                                              .format = (enum quire_pt_format_id)id};
        REQUIRE(!quire_pgtable_init(&child, &config));
        fill_source(20 * MIB + 5 * 4096);
        CHECK_EQ(quire_copy_range(&child, &pt, 0, 64 * MIB, &how, NULL), 0);
        CHECK_EQ(tables_hash(&child), tables_hash(&pt));
        CHECK_EQ(quire_pgtable_nr_tables(&child), quire_pgtable_nr_tables(&pt));
        quire_pgtable_check(&child);
        CHECK(flushes.count > 0);
        CHECK_EQ(told.present + 1, told.entries);
        CHECK_EQ(entry_for(4 * MIB - 4096), 0x14f065);
        CHECK_EQ(entry_for(4 * MIB) & 0x7f, 0x65);
        CHECK_EQ(told.undone, 0);
        /* What is there already is in the way. */
        CHECK_EQ(quire_copy_range(&child, &pt, 20 * MIB, MIB, &how, NULL), -QUIRE_EEXIST);
        CHECK_EQ(quire_copy_range(&child, &pt, 4 * MIB, 4 * MIB, &how, NULL), -QUIRE_EEXIST);
        CHECK_EQ(quire_copy_range(&pt, &pt, 0, MIB, &how, NULL), -QUIRE_EINVAL);
        quire_pgtable_destroy(&child);
        tables_end(&pt);
    }
}

static void a_copy_can_be_cleaner_and_cut_huge_pages(void)
{
    static struct quire_pgtable child;
    struct told told = {0};
    struct quire_pt_copy how = {.clear_copy = AD, .copied = copied, .arg = &told};
    struct quire_pt_query query;
    if (!start(QUIRE_PT_FORMAT_PAE))
        return;
    struct quire_pgtable_config config = {.mem = machine.mem, .format = QUIRE_PT_FORMAT_PAE};
    REQUIRE(!quire_pgtable_init(&child, &config));
    fill_source(0);
    CHECK_EQ(quire_copy_range(&child, &pt, 4 * MIB, 7 * MIB, &how, NULL), 0);
    CHECK_EQ(told.entries, 3 + 256);
    CHECK_EQ(quire_query(&child, 11 * MIB - 1, &query), 0);
    CHECK_EQ(query.entry, 0xaff007);
    CHECK_EQ(quire_query(&child, 11 * MIB, &query), -QUIRE_ENOENT);
    CHECK_EQ(entry_for(11 * MIB), 0xb00067);
    CHECK_EQ(entry_for(4 * MIB), 0x4000e7);
    quire_pgtable_check(&child);
    quire_pgtable_destroy(&child);
    config.format = QUIRE_PT_FORMAT_X86_64;
    REQUIRE(!quire_pgtable_init(&child, &config));
    CHECK_EQ(quire_copy_range(&child, &pt, 4 * MIB, 7 * MIB, &how, NULL), -QUIRE_EINVAL);
    quire_pgtable_destroy(&child);
    tables_end(&pt);
}

/* An entry that maps 1 GiB on one processor leads to a table on the other. */
static void trees_for_different_processors_are_not_copied(void)
{
    static struct quire_pgtable child;
    struct quire_pt_copy how = {0};
    const struct quire_pt_features features[] = {
        {.no_1gib = true}, {.no_nx = true}, {.phys_bits = 36}};
    if (!start(QUIRE_PT_FORMAT_X86_64))
        return;
    CHECK_EQ(quire_map_range(&pt, GIB, GIB, GIB, RW | QUIRE_PTE_NX, 0), 0);
    for (unsigned i = 0; i < sizeof features / sizeof features[0]; i++) {
        struct quire_pgtable_config config = {
            .mem = machine.mem, .format = QUIRE_PT_FORMAT_X86_64, .features = features[i]};
        REQUIRE(!quire_pgtable_init(&child, &config));
        CHECK_EQ(quire_copy_range(&child, &pt, GIB, GIB, &how, NULL), -QUIRE_EINVAL);
        CHECK_EQ(quire_pgtable_nr_tables(&child), 1);
        quire_pgtable_destroy(&child);
    }
    tables_end(&pt);
}

static void a_copy_that_is_stopped_leaves_nothing(void)
{
    static struct quire_pgtable child;
    if (!start(QUIRE_PT_FORMAT_X86_64))
        return;
    struct quire_pgtable_config config = {.mem = machine.mem, .format = QUIRE_PT_FORMAT_X86_64};
    REQUIRE(!quire_pgtable_init(&child, &config));
    fill_source(20 * MIB + 5 * 4096);
    for (unsigned stop = 1; stop < 88; stop += 20) {
        struct told told = {.stop_after = stop};
        struct quire_pt_copy how = {.copied = copied, .undone = undone, .arg = &told};
        uint64_t hash = tables_hash(&pt);
        CHECK_EQ(quire_copy_range(&child, &pt, 0, 64 * MIB, &how, NULL), -QUIRE_EBUSY);
        CHECK(told.entries >= stop);
        CHECK_EQ(told.undone, told.entries);
        CHECK_EQ(quire_pgtable_nr_tables(&child), 1);
        CHECK_EQ(tables_hash(&pt), hash);
        quire_pgtable_check(&child);
    }
    quire_pgtable_destroy(&child);
    tables_end(&pt);
}

static const struct test_case cases[] = {
    TEST_CASE(protection_changes_bits_and_nothing_else),
    TEST_CASE(protection_splits_what_it_cuts),
    TEST_CASE(only_what_a_tlb_may_know_better_is_flushed),
    TEST_CASE(a_batch_merges_neighbours_and_gives_up_beyond_some),
    TEST_CASE(pages_of_a_batch_are_freed_after_its_flush),
    TEST_CASE(nothing_is_flushed_where_no_cpu_has_the_tables),
    TEST_CASE(flushes_go_to_the_port_by_default),
    TEST_CASE(accessed_and_dirty_are_cleared_once),
    TEST_CASE(a_harvest_marks_each_page_that_was_used),
    TEST_CASE(an_entry_goes_out_to_swap_and_comes_back),
    TEST_CASE(an_entry_that_was_found_is_changed_without_another_walk),
    TEST_CASE(entries_move_up_to_one_that_stays),
    TEST_CASE(an_update_keeps_what_hardware_set_on_the_same_frame),
    TEST_CASE(a_huge_page_is_no_single_entry),
    TEST_CASE(a_split_and_a_collapse_undo_each_other),
    TEST_CASE(a_table_that_was_filled_and_not_needed_isnt_kept_as_zero),
    TEST_CASE(only_what_is_whole_and_alike_collapses),
    TEST_CASE(a_copy_is_alike_and_write_protected_on_both_sides),
    TEST_CASE(a_copy_can_be_cleaner_and_cut_huge_pages),
    TEST_CASE(trees_for_different_processors_are_not_copied),
    TEST_CASE(a_copy_that_is_stopped_leaves_nothing),
    {0},
};
const struct test_suite suite_map_change = {"map_change", cases};
