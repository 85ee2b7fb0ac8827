/* tests/unit/vm_moves_test.c: what keeps user pages from moving, what happens meanwhile, and many
 * at once: compaction, contiguous ranges, memory that goes
 */
#include "tests/unit/vm_entries.h"
#include "vm/cache.h"
#include "vm/fault.h"
#include "vm/lru.h"
#include "vm/swap.h"

/* ---- what stays ------------------------------------------------------------------------------ */

static void body_pinned(void)
{
    struct quire_mm *mm = mm_new();
    quire_linear_t at = map_anon(mm, 2 * PAGE);
    poke_pages(mm, at, 2, 100);
    struct quire_page *page;
    uint64_t before = entry_of(mm, at);
    CHECK_EQ(quire_get_user_page(mm, at, true, &page), 0);
    CHECK_EQ(take_frame(page), -QUIRE_EBUSY);
    CHECK(page_of(mm, at) == page);
    CHECK_EQ(entry_of(mm, at), before);
    quire_put_user_page(test_vm, page, false);
    /* Pinned after phys has looked, as by who waits for a cache's page. */
    quire_get_page(page);
    CHECK_EQ(test_vm->moves.isolate(test_vm, page), 0);
    page_pin(page);
    struct quire_page *to = quire_alloc_page(machine.mem, QUIRE_GFP_HIGHUSER_MOVABLE);
    quire_get_page(to);
    CHECK_EQ(test_vm->moves.migrate(test_vm, to, page), -QUIRE_EAGAIN);
    CHECK(page_of(mm, at) == page);
    CHECK(entry_of(mm, at) & QUIRE_PTE_WRITE);
    vm_put_page(test_vm, page);
    page_lock(page);
    CHECK_EQ(test_vm->moves.migrate(test_vm, to, page), -QUIRE_EAGAIN);
    page_set(page, PG_WRITEBACK);
    page_unlock(page);
    CHECK_EQ(test_vm->moves.migrate(test_vm, to, page), -QUIRE_EAGAIN);
    page_end_writeback(page);
    CHECK_EQ(page_list(page), LIST_NONE);
    test_vm->moves.putback(test_vm, page);
    CHECK(page_list(page) != LIST_NONE);
    quire_put_page(machine.mem, page);
    quire_put_page(machine.mem, to);
    quire_put_page(machine.mem, to);
    check_pages(mm, at, 2, 100);
    check_reverse_maps();
    CHECK_EQ(take_frame(page), 0);
    mm_end(mm);
}

static void pinned_and_locked_pages_stay_as_they_are(void)
{
    on_machines_of_each_format(body_pinned);
}

static void a_page_that_is_written_is_not_isolated(void)
{
    if (!vm_boot(16 * MIB, QUIRE_PT_FORMAT_X86_64))
        return;
    struct quire_mm *mm = mm_new();
    quire_linear_t at = map_anon(mm, PAGE);
    poke_pages(mm, at, 1, 100);
    struct quire_page *page = page_of(mm, at);
    page_set(page, PG_WRITEBACK);
    CHECK_EQ(take_frame(page), -QUIRE_EBUSY);
    CHECK_EQ(test_vm->moves.isolate(test_vm, page), -QUIRE_EBUSY);
    CHECK(page_list(page) != LIST_NONE);
    page_end_writeback(page);
    page_lock(page);
    CHECK_EQ(test_vm->moves.isolate(test_vm, page), -QUIRE_EBUSY);
    page_unlock(page);
    CHECK_EQ(take_frame(test_vm->zero_page), -QUIRE_EBUSY);
    CHECK_EQ(take_frame(page), 0);
    check_pages(mm, at, 1, 100);
    mm_end(mm);
    vm_end();
}

static void locked_memory_moves(void)
{
    if (!vm_boot(16 * MIB, QUIRE_PT_FORMAT_X86_64))
        return;
    struct quire_mm *mm = mm_new();
    quire_linear_t at = map_anon(mm, PAGE);
    poke_pages(mm, at, 1, 100);
    CHECK_EQ(quire_mlock(mm, at, PAGE, 0), 0);
    CHECK_EQ(take_frame(page_of(mm, at)), 0);
    check_pages(mm, at, 1, 100);
    CHECK_EQ(quire_munlock(mm, at, PAGE), 0);
    mm_end(mm);
    vm_end();
}

/* ---- pages that go meanwhile ----------------------------------------------------------------- */

/* Isolated as by phys; its owner unmaps it; then phys goes on. */
static void body_unmapped(bool migrates)
{
    unsigned long free = quire_nr_free_pages(machine.mem);
    struct quire_mm *mm = mm_new();
    quire_linear_t at = map_anon(mm, PAGE);
    poke_pages(mm, at, 1, 100);
    struct quire_page *page = page_of(mm, at);
    quire_get_page(page);
    CHECK_EQ(test_vm->moves.isolate(test_vm, page), 0);
    mm_end(mm);
    CHECK_EQ(page_users(page), 0);
    CHECK_EQ(quire_page_count(page), 1);
    if (migrates) {
        struct quire_page *to = quire_alloc_page(machine.mem, QUIRE_GFP_HIGHUSER_MOVABLE);
        quire_get_page(to);
        CHECK_EQ(test_vm->moves.migrate(test_vm, to, page), -QUIRE_EBUSY);
        quire_put_page(machine.mem, to);
        quire_put_page(machine.mem, to);
    }
    test_vm->moves.putback(test_vm, page);
    CHECK_EQ(page_list(page), LIST_NONE);
    page_clear(page, PG_FLAGS); /* phys drops its reference without looking at them */
    quire_put_page(machine.mem, page);
    quire_slab_shrink(slab, -1);
    CHECK(quire_nr_free_pages(machine.mem) + 16 > free);
}

static void a_page_that_goes_while_it_is_isolated_is_freed_by_phys(void)
{
    for (unsigned migrates = 0; migrates < 2; migrates++) {
        if (!vm_boot(16 * MIB, QUIRE_PT_FORMAT_X86_64))
            return;
        body_unmapped(migrates);
        vm_end();
    }
}

/* Migration entries of areas that go: what a fork, an unmap or a truncation does to them. */
static void body_entries_that_go(void)
{
    struct quire_mm *mm = mm_new(), *other = mm_new();
    struct quire_mapping *file = file_of(4 * PAGE);
    quire_linear_t at = map_file(mm, file, 0, 4 * PAGE, READ_WRITE, QUIRE_MAP_SHARED);
    quire_linear_t part = map_file(other, file, 0, 4 * PAGE, READ_WRITE, QUIRE_MAP_PRIVATE);
    run_on(mm);
    CHECK(holds(at + PAGE, word_of(1)));
    run_on(other);
    CHECK(holds(part + PAGE, word_of(1)));
    struct quire_page *page = page_of(mm, at + PAGE);
    unsigned long resident = mm_info(mm).rss_file;
    page_pin(page);
    page_lock(page);
    CHECK(try_to_unmap(test_vm, page, UNMAP_MIGRATION));
    CHECK(entry_is_migration(entry_of(mm, at + PAGE)));
    CHECK(entry_is_migration(entry_of(other, part + PAGE)));
    CHECK_EQ(mm_info(mm).rss_file, resident - 1);
    CHECK_EQ(quire_munmap(mm, at, 4 * PAGE), 0);
    zap_mapping(file, 1, 1, false);
    CHECK_EQ(entry_of(other, part + PAGE), 0);
    remove_migration_entries(test_vm, page, page);
    CHECK_EQ(page_users(page), 1);
    page_unlock(page);
    vm_put_page(test_vm, page);
    CHECK(holds(part + PAGE, word_of(1)));
    check_reverse_maps();
    mm_end(mm);
    mm_end(other);
    quire_mapping_put(file);
}

static void migration_entries_go_with_their_areas(void)
{
    on_machines_of_each_format(body_entries_that_go);
}

/* A copy that is being moved has been left by its root already when a hole is punched into the
 * file. */
static void body_copies_that_move(void)
{
    struct quire_mapping *file = file_of(4 * PAGE);
    struct quire_mm *mm = mm_new();
    quire_linear_t at = map_file(mm, file, 0, 4 * PAGE, READ_WRITE, QUIRE_MAP_PRIVATE);
    poke_pages(mm, at, 2, 100);
    struct quire_page *page = page_of(mm, at);
    uint32_t id = page_root_id(page);
    CHECK(page_use(page));
    page_lock(page);
    struct root *root = root_of_page(test_vm, page);
    CHECK(try_to_unmap(test_vm, page, UNMAP_MIGRATION));
    page_set_root(page, PAGE_KIND_NONE, 0);
    CHECK_EQ(quire_mapping_punch(file, 0, 4 * PAGE), 0);
    page_set_root(page, PAGE_KIND_ANON, id);
    remove_migration_entries(test_vm, page, page);
    page_unlock(page);
    page_unuse(test_vm, page);
    root_put(test_vm, root);
    check_pages(mm, at, 2, 100);
    check_reverse_maps();
    mm_end(mm);
    quire_mapping_put(file);
}

static void private_copies_that_are_moved_stay_when_holes_are_punched(void)
{
    on_machines_of_each_format(body_copies_that_move);
}

static void body_rights(void)
{
    struct quire_mm *mm = mm_new();
    quire_linear_t at = map_anon(mm, 2 * PAGE);
    poke_pages(mm, at, 2, 100);
    for (unsigned step = 0; step < 4; step++) {
        static const unsigned prots[] = {QUIRE_PROT_NONE, READ_WRITE, QUIRE_PROT_READ, READ_WRITE};
        struct quire_page *page = page_of(mm, at);
        if (step && prots[step - 1] == READ_WRITE)
            poke_pages(mm, at, 2, 100);
        CHECK(page_use(page));
        page_lock(page);
        struct root *root = root_of_page(test_vm, page);
        CHECK(try_to_unmap(test_vm, page, UNMAP_MIGRATION));
        CHECK_EQ(quire_mprotect(mm, at, 2 * PAGE, prots[step]), 0);
        remove_migration_entries(test_vm, page, page);
        page_unlock(page);
        page_unuse(test_vm, page);
        root_put(test_vm, root);
        uint64_t entry = entry_of(mm, at);
        CHECK(page_of(mm, at) == page);
        CHECK_EQ(entry_present(entry), prots[step] != QUIRE_PROT_NONE);
        CHECK(!(entry & QUIRE_PTE_WRITE) || prots[step] == READ_WRITE);
    }
    poke_pages(mm, at, 2, 700);
    check_pages(mm, at, 2, 700);
    check_reverse_maps();
    mm_end(mm);
}

static void rights_that_changed_meanwhile_are_those_of_the_area(void)
{
    on_machines_of_each_format(body_rights);
}

/* ---- by the many ----------------------------------------------------------------------------- */

#define SPREAD 1024u
#define BLOCK_PAGES (1u << QUIRE_PAGEBLOCK_ORDER)
#define BLOCKS ((unsigned)PAGES(16 * MIB) / BLOCK_PAGES)

/* Every other page of much memory goes: what is left is spread thinly. */
static void body_compaction(void)
{
    struct quire_mm *mm = mm_new();
    quire_linear_t at = map_anon(mm, SPREAD * PAGE);
    poke_pages(mm, at, SPREAD, 1000);
    struct quire_mm *child = fork_of(mm);
    for (unsigned i = 0; i < SPREAD; i += 2) {
        CHECK_EQ(quire_madvise(mm, at + i * PAGE, PAGE, QUIRE_MADV_DONTNEED), 0);
        CHECK_EQ(quire_madvise(child, at + i * PAGE, PAGE, QUIRE_MADV_DONTNEED), 0);
    }
    poke_pages(child, at + PAGE, 1, 5);
    unsigned long moved = quire_compact(machine.mem, -1, -1);
    CHECK(moved > 0);
    check_reverse_maps();
    run_on(mm);
    for (unsigned i = 1; i < SPREAD; i += 2)
        CHECK(holds(at + i * PAGE, 1000 + i) && holds(at + (i + 1) * PAGE - 8, 1000 + i));
    check_pages(child, at + PAGE, 1, 5);
    check_pages(child, at + 3 * PAGE, 1, 1003);
    mm_end(mm);
    mm_end(child);
}

static void compaction_moves_what_processes_have(void)
{
    on_machines_of_each_format(body_compaction);
}

static void count_in_block(void *arg, struct quire_mm *mm, quire_linear_t at,
                           struct quire_page *page)
{
    unsigned *count = arg;
    (void)mm;
    (void)at;
    count[quire_page_to_pfn(page).value / BLOCK_PAGES]++;
}

/* Pageblocks in which there are user pages alone, and many, are taken as a whole. */
static void body_range(void)
{
    unsigned before[BLOCKS] = {0}, after[BLOCKS] = {0}, full = 0;
    struct quire_mm *mm = mm_new();
    quire_linear_t at = map_anon(mm, 3 * BLOCK_PAGES * PAGE);
    poke_pages(mm, at, 3 * BLOCK_PAGES, 1000);
    for_each_mapped(count_in_block, before);
    for (unsigned i = 0; i < BLOCKS; i++) {
        quire_pfn_t start = quire_pfn(i * BLOCK_PAGES), end = quire_pfn((i + 1) * BLOCK_PAGES);
        if (before[i] < BLOCK_PAGES)
            continue;
        full++;
        CHECK_EQ(quire_alloc_contig_range(machine.mem, start, end, QUIRE_MIGRATE_MOVABLE,
                                          QUIRE_GFP_KERNEL),
                 0);
        check_pages(mm, at, 3 * BLOCK_PAGES, 1000);
        __builtin_memset(after, 0, sizeof after);
        for_each_mapped(count_in_block, after);
        CHECK_EQ(after[i], 0);
        quire_free_contig_range(machine.mem, start, BLOCK_PAGES);
    }
    CHECK(full);
    mm_end(mm);
}

static void a_range_full_of_user_pages_can_be_had(void)
{
    on_machines_of_each_format(body_range);
}

#define FILLED 1024u

/* Pageblock by pageblock, all of ZONE_MOVABLE goes, where user pages are put first. */
static void memory_in_use_by_processes_can_be_taken_away(void)
{
    if (!vm_boot_on(64 * MIB, QUIRE_PT_FORMAT_X86_64,
                    (struct quire_mem_config){.zone_end = {[QUIRE_ZONE_NORMAL] = UINT64_MAX},
                                              .movable_size = 32 * MIB,
                                              .nr_cpus = 2}))
        return;
    struct quire_mm *mm = mm_new();
    struct quire_mapping *file = file_of(STORE_PAGES * PAGE);
    quire_linear_t at = map_anon(mm, FILLED * PAGE);
    quire_linear_t shared = map_file(mm, file, 0, STORE_PAGES * PAGE, READ_WRITE, QUIRE_MAP_SHARED);
    poke_pages(mm, at, FILLED, 1000);
    poke_pages(mm, shared, STORE_PAGES, 5000);
    struct quire_mm *child = fork_of(mm);
    struct quire_zone_info movable = zone_info_of(QUIRE_ZONE_MOVABLE);
    CHECK(quire_page_to_pfn(page_of(mm, at)).value >= movable.start.value);
    for (unsigned long i = 0; i < movable.present; i += BLOCK_PAGES) {
        quire_pfn_t pfn = quire_pfn(movable.start.value + i);
        CHECK_EQ(quire_remove_memory(machine.mem, quire_pfn_to_phys(pfn), 2 * MIB), 0);
        check_pages(mm, at, FILLED, 1000);
        check_pages(child, shared, STORE_PAGES, 5000);
    }
    check_pages(child, at, FILLED, 1000);
    CHECK(quire_page_to_pfn(page_of(mm, at)).value < movable.start.value);
    CHECK_EQ(quire_mapping_sync(file, 0, 0), 0);
    mm_end(mm);
    mm_end(child);
    quire_mapping_put(file);
    /* Not vm_end: there is less memory than before. */
    run_on(NULL);
    quire_vm_check(test_vm);
    CHECK_EQ(quire_vm_destroy(test_vm), 0);
    CHECK_EQ(quire_slab_destroy(slab), 0);
    quire_mem_check(machine.mem);
    CHECK_EQ(machine.bad_pages, 0);
}

/* ---- registration ---------------------------------------------------------------------------- */

static void a_mem_can_have_one_vm_after_the_other(void)
{
    if (!vm_boot(16 * MIB, QUIRE_PT_FORMAT_X86_64))
        return;
    struct quire_vm_config config = test_vm->config;
    for (unsigned i = 0; i < 2 * QUIRE_MAX_MOVERS; i++) {
        CHECK_EQ(quire_vm_destroy(test_vm), 0);
        CHECK_EQ(quire_vm_init(&test_vm, &config), 0);
    }
    struct quire_mm *mm = mm_new();
    quire_linear_t at = map_anon(mm, PAGE);
    poke_pages(mm, at, 1, 100);
    CHECK_EQ(take_frame(page_of(mm, at)), 0);
    check_pages(mm, at, 1, 100);
    mm_end(mm);
    vm_end();
}

static const struct test_case cases[] = {
    TEST_CASE(pinned_and_locked_pages_stay_as_they_are),
    TEST_CASE(a_page_that_is_written_is_not_isolated),
    TEST_CASE(locked_memory_moves),
    TEST_CASE(a_page_that_goes_while_it_is_isolated_is_freed_by_phys),
    TEST_CASE(migration_entries_go_with_their_areas),
    TEST_CASE(private_copies_that_are_moved_stay_when_holes_are_punched),
    TEST_CASE(rights_that_changed_meanwhile_are_those_of_the_area),
    TEST_CASE(compaction_moves_what_processes_have),
    TEST_CASE(a_range_full_of_user_pages_can_be_had),
    TEST_CASE(memory_in_use_by_processes_can_be_taken_away),
    TEST_CASE(a_mem_can_have_one_vm_after_the_other),
    {0},
};
const struct test_suite suite_vm_moves = {"vm_moves", cases};
