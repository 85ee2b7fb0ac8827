/* tests/unit/vm_rmap_test.c: from pages to entries
 *
 * Whether walks find exactly the entries that map a page is told by looking at all page tables.
 */
#include "tests/unit/vm_entries.h"
#include "vm/cache.h"
#include "vm/lru.h"
#include "vm/swap.h"

/* ---- walks ----------------------------------------------------------------------------------- */

static void body_forks(void)
{
    struct quire_mm *first = mm_new();
    quire_linear_t at = map_anon(first, 16 * PAGE);
    poke_pages(first, at, 8, 100);
    struct quire_mm *second = fork_of(first);
    check_reverse_maps();
    CHECK_EQ(count_met(page_of(first, at)), 2);
    poke_pages(second, at + 4 * PAGE, 6, 200);
    struct quire_mm *third = fork_of(second);
    poke_pages(third, at + 7 * PAGE, 5, 300);
    check_reverse_maps();
    CHECK_EQ(count_met(page_of(first, at)), 3);
    CHECK_EQ(count_met(page_of(first, at + 5 * PAGE)), 1);
    CHECK_EQ(count_met(page_of(second, at + 5 * PAGE)), 2);
    mm_end(second);
    check_reverse_maps();
    CHECK_EQ(count_met(page_of(third, at + 5 * PAGE)), 1);
    struct quire_mm *fourth = fork_of(third);
    mm_end(first);
    check_reverse_maps();
    check_pages(fourth, at, 4, 100);
    check_pages(fourth, at + 4 * PAGE, 3, 200);
    check_pages(fourth, at + 7 * PAGE, 5, 300);
    mm_end(third);
    mm_end(fourth);
}

static void walks_find_all_entries_after_forks_and_writes(void)
{
    on_machines_of_each_format(body_forks);
}

static void body_splits(void)
{
    struct quire_mm *mm = mm_new();
    quire_linear_t at = map_anon(mm, 16 * PAGE);
    poke_pages(mm, at, 16, 100);
    struct quire_mm *child = fork_of(mm);
    CHECK_EQ(quire_mprotect(mm, at + 4 * PAGE, 4 * PAGE, QUIRE_PROT_READ), 0);
    check_reverse_maps();
    CHECK_EQ(quire_munmap(child, at + 6 * PAGE, 4 * PAGE), 0);
    check_reverse_maps();
    CHECK_EQ(quire_mprotect(mm, at + 4 * PAGE, 4 * PAGE, QUIRE_PROT_NONE), 0);
    check_reverse_maps(); /* pages without rights are mapped as well */
    CHECK_EQ(count_met(page_of(mm, at + 5 * PAGE)), 2);
    CHECK_EQ(quire_mprotect(mm, at + 4 * PAGE, 4 * PAGE, READ_WRITE), 0);
    poke_pages(mm, at, 16, 400);
    check_reverse_maps();
    check_pages(child, at, 6, 100);
    check_pages(child, at + 10 * PAGE, 6, 110);
    CHECK_EQ(quire_munmap(mm, at, 15 * PAGE), 0);
    check_reverse_maps();
    check_pages(mm, at + 15 * PAGE, 1, 415);
    mm_end(child);
    mm_end(mm);
}

static void walks_find_all_entries_after_splits_and_merges(void)
{
    on_machines_of_each_format(body_splits);
}

static void body_moves(void)
{
    struct quire_mm *mm = mm_new();
    quire_linear_t at = map_anon(mm, 8 * PAGE);
    poke_pages(mm, at, 8, 100);
    struct quire_mm *child = fork_of(mm);
    int64_t moved = quire_mremap(mm, at + 2 * PAGE, 4 * PAGE, 4 * PAGE,
                                 QUIRE_MREMAP_MAYMOVE | QUIRE_MREMAP_FIXED, at + 64 * PAGE);
    CHECK_EQ(moved, at + 64 * PAGE);
    check_reverse_maps();
    CHECK_EQ(count_met(page_of(mm, at + 65 * PAGE)), 2);
    CHECK(page_of(mm, at + 65 * PAGE) == page_of(child, at + 3 * PAGE));
    struct quire_mm *grandchild = fork_of(mm);
    poke_pages(mm, (quire_linear_t)moved, 2, 500);
    check_reverse_maps();
    check_pages(grandchild, (quire_linear_t)moved, 4, 102);
    check_pages(child, at, 8, 100);
    mm_end(mm);
    check_reverse_maps();
    mm_end(child);
    mm_end(grandchild);
}

static void walks_find_pages_where_mremap_took_them(void)
{
    on_machines_of_each_format(body_moves);
}

/* The first flush of a move, of what it leaves behind: who could take pages from the new place
 * before would free them while processors still lead to them by the old one. */
static struct {
    struct rwlock *lock; /* of the walks; NULL: no move is under way */
    bool could_walk;
} leaving;

static void look_and_flush(void *arg, const struct quire_tlb_flush *flush)
{
    if (leaving.lock && rwlock_try_read(leaving.lock)) {
        leaving.could_walk = true;
        rwlock_read_unlock(leaving.lock);
    }
    leaving.lock = NULL;
    quire_sim_tlb_flush(arg, flush);
}

static void walks_wait_until_the_old_place_of_pages_is_flushed(void)
{
    if (!vm_boot(16 * MIB, QUIRE_PT_FORMAT_X86_64))
        return;
    test_vm->config.flush = look_and_flush;
    struct quire_mm *mm = mm_new();
    quire_linear_t at = map_anon(mm, 4 * PAGE);
    poke_pages(mm, at, 4, 100);
    leaving.lock = &vma_at(mm, at)->anon_vma->root.locked->lock;
    leaving.could_walk = false;
    int64_t moved = quire_mremap(mm, at, 4 * PAGE, 4 * PAGE,
                                 QUIRE_MREMAP_MAYMOVE | QUIRE_MREMAP_FIXED, at + 64 * PAGE);
    CHECK_EQ(moved, at + 64 * PAGE);
    CHECK(!leaving.lock);
    CHECK(!leaving.could_walk);
    check_pages(mm, (quire_linear_t)moved, 4, 100);
    mm_end(mm);
    vm_end();
}

static void body_files(void)
{
    struct quire_mm *mm = mm_new(), *other = mm_new();
    struct quire_mapping *file = file_of(16 * PAGE);
    quire_linear_t shared = map_file(mm, file, 0, 16 * PAGE, READ_WRITE, QUIRE_MAP_SHARED);
    quire_linear_t part = map_file(other, file, 8 * PAGE, 4 * PAGE, READ_WRITE, QUIRE_MAP_PRIVATE);
    quire_linear_t twice = map_file(other, file, 0, 12 * PAGE, QUIRE_PROT_READ, QUIRE_MAP_SHARED);
    run_on(mm);
    for (unsigned i = 0; i < 16; i++)
        CHECK(holds(shared + i * PAGE, word_of(i)));
    run_on(other);
    for (unsigned i = 0; i < 12; i++)
        CHECK(holds(twice + i * PAGE, word_of(i)));
    for (unsigned i = 0; i < 4; i++)
        CHECK(holds(part + i * PAGE, word_of(8 + i)));
    check_reverse_maps();
    CHECK_EQ(count_met(page_of(mm, shared + 9 * PAGE)), 3);
    CHECK(poke(part + PAGE, 77)); /* a copy of one's own */
    check_reverse_maps();
    CHECK_EQ(count_met(page_of(mm, shared + 9 * PAGE)), 2);
    CHECK_EQ(count_met(page_of(other, part + PAGE)), 1);
    struct quire_mm *child = fork_of(other);
    check_reverse_maps();
    CHECK_EQ(count_met(page_of(other, part + PAGE)), 2);
    CHECK_EQ(quire_munmap(mm, shared + 4 * PAGE, 8 * PAGE), 0);
    check_reverse_maps();
    mm_end(mm);
    mm_end(other);
    check_reverse_maps();
    mm_end(child);
    quire_mapping_put(file);
}

static void walks_find_files_pages_and_private_copies(void)
{
    on_machines_of_each_format(body_files);
}

struct ranges {
    unsigned count;
    struct quire_mm *mm[4];
    quire_linear_t start[4], end[4];
};

static void note_range(void *arg, struct quire_vma *vma, quire_linear_t start, quire_linear_t end)
{
    struct ranges *r = arg;
    CHECK(r->count < 4);
    r->mm[r->count] = vma->mm;
    r->start[r->count] = start;
    r->end[r->count++] = end;
}

static void a_range_of_a_file_leads_to_the_parts_of_areas_that_map_it(void)
{
    if (!vm_boot(16 * MIB, QUIRE_PT_FORMAT_X86_64))
        return;
    struct quire_mm *mm = mm_new();
    struct quire_mapping *file = file_of(32 * PAGE);
    quire_linear_t all = map_file(mm, file, 0, 32 * PAGE, READ_WRITE, QUIRE_MAP_SHARED);
    quire_linear_t part = map_file(mm, file, 10 * PAGE, 4 * PAGE, READ_WRITE, QUIRE_MAP_PRIVATE);
    struct ranges ranges = {0};
    rmap_walk_mapping(file, 12, 20, note_range, &ranges);
    CHECK_EQ(ranges.count, 2);
    CHECK_EQ(ranges.start[0], all + 12 * PAGE);
    CHECK_EQ(ranges.end[0], all + 21 * PAGE);
    CHECK_EQ(ranges.start[1], part + 2 * PAGE);
    CHECK_EQ(ranges.end[1], part + 4 * PAGE);
    ranges.count = 0;
    rmap_walk_mapping(file, 0, 9, note_range, &ranges);
    CHECK_EQ(ranges.count, 1);
    mm_end(mm);
    quire_mapping_put(file);
    vm_end();
}

/* ---- counts ---------------------------------------------------------------------------------- */

static long mapped_anon(void)
{
    return quire_load_relaxed(&test_vm->stat[NR_ANON_MAPPED]);
}

static long mapped_files(void)
{
    return quire_load_relaxed(&test_vm->stat[NR_FILE_MAPPED]);
}

static void mapped_pages_are_counted_once_however_many_map_them(void)
{
    if (!vm_boot(16 * MIB, QUIRE_PT_FORMAT_X86_64))
        return;
    struct quire_mm *mm = mm_new();
    struct quire_mapping *file = file_of(4 * PAGE);
    quire_linear_t at = map_anon(mm, 8 * PAGE);
    quire_linear_t text = map_file(mm, file, 0, 4 * PAGE, QUIRE_PROT_READ, QUIRE_MAP_PRIVATE);
    poke_pages(mm, at, 8, 100);
    CHECK_EQ(mapped_anon(), 8);
    CHECK(holds(text, word_of(0)));
    unsigned long around = mm_info(mm).rss_file;
    CHECK_EQ(mapped_files(), around);
    struct quire_mm *child = fork_of(mm);
    CHECK_EQ(mapped_anon(), 8);
    poke_pages(child, at, 2, 200);
    CHECK_EQ(mapped_anon(), 10);
    CHECK(holds(text, word_of(0)));
    CHECK_EQ(mapped_files(), around);
    mm_end(mm);
    CHECK_EQ(mapped_anon(), 8);
    CHECK_EQ(mapped_files(), mm_info(child).rss_file);
    CHECK_EQ(quire_munmap(child, text, 4 * PAGE), 0);
    CHECK_EQ(mapped_files(), 0); /* it is still in the cache */
    mm_end(child);
    CHECK_EQ(mapped_anon(), 0);
    quire_mapping_put(file);
    vm_end();
}

static const struct test_case cases[] = {
    TEST_CASE(walks_find_all_entries_after_forks_and_writes),
    TEST_CASE(walks_find_all_entries_after_splits_and_merges),
    TEST_CASE(walks_find_pages_where_mremap_took_them),
    TEST_CASE(walks_wait_until_the_old_place_of_pages_is_flushed),
    TEST_CASE(walks_find_files_pages_and_private_copies),
    TEST_CASE(a_range_of_a_file_leads_to_the_parts_of_areas_that_map_it),
    TEST_CASE(mapped_pages_are_counted_once_however_many_map_them),
    {0},
};
const struct test_suite suite_vm_rmap = {"vm_rmap", cases};
