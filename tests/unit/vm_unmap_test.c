/* tests/unit/vm_unmap_test.c: what is done to a page's entries: looked at, cleaned, taken out */
#include "tests/unit/vm_entries.h"
#include "vm/cache.h"
#include "vm/lru.h"
#include "vm/swap.h"

/* ---- referenced, dirty ----------------------------------------------------------------------- */

static unsigned referenced(struct quire_page *page, uint32_t *flags)
{
    page_lock(page);
    unsigned count = page_referenced(test_vm, page, flags);
    page_unlock(page);
    return count;
}

/* The processor forgets what it knows, so that it sets the bits of entries anew. */
static void forget_tlb(struct quire_mm *mm)
{
    run_on(NULL);
    run_on(mm);
}

static void body_referenced(void)
{
    uint32_t flags;
    struct quire_mm *mm = mm_new();
    quire_linear_t at = map_anon(mm, 2 * PAGE);
    poke_pages(mm, at, 2, 100);
    struct quire_mm *child = fork_of(mm);
    struct quire_page *page = page_of(mm, at);
    CHECK_EQ(referenced(page, &flags), 1); /* the child hasn't looked at it */
    CHECK(flags & VM_READ);
    CHECK_EQ(referenced(page, &flags), 0);
    CHECK_EQ(flags, 0);
    check_pages(mm, at, 1, 100);
    check_pages(child, at, 1, 100);
    CHECK_EQ(referenced(page, &flags), 2);
    check_pages(mm, at, 1, 100);
    forget_tlb(mm);
    CHECK_EQ(quire_mprotect(mm, at, 2 * PAGE, QUIRE_PROT_NONE), 0);
    CHECK_EQ(referenced(page, &flags), 1); /* it was, before nobody could any more */
    CHECK_EQ(referenced(page, &flags), 0);
    CHECK_EQ(count_met(page), 2);
    mm_end(child);
    mm_end(mm);
}

static void references_are_counted_and_forgotten(void)
{
    on_machines_of_each_format(body_referenced);
}

static void locked_areas_say_so_and_streams_do_not_count(void)
{
    uint32_t flags;
    if (!vm_boot(16 * MIB, QUIRE_PT_FORMAT_X86_64))
        return;
    struct quire_mm *mm = mm_new();
    struct quire_mapping *file = file_of(4 * PAGE);
    quire_linear_t at = map_file(mm, file, 0, 4 * PAGE, QUIRE_PROT_READ, QUIRE_MAP_SHARED);
    run_on(mm);
    CHECK(holds(at, word_of(0)));
    struct quire_page *page = page_of(mm, at);
    struct quire_vma *vma = vma_at(mm, at);
    vma->flags |= VM_SEQ_READ;
    CHECK_EQ(referenced(page, &flags), 0);
    vma->flags &= ~VM_SEQ_READ;
    forget_tlb(mm);
    CHECK(holds(at, word_of(0)));
    vma->flags |= VM_LOCKED;
    CHECK_EQ(referenced(page, &flags), 0);
    CHECK_EQ(flags, VM_LOCKED);
    vma->flags &= ~VM_LOCKED;
    CHECK_EQ(referenced(page, &flags), 1);
    CHECK(!(flags & VM_LOCKED));
    mm_end(mm);
    quire_mapping_put(file);
    vm_end();
}

static bool mkclean(struct quire_page *page)
{
    page_lock(page);
    bool dirty = page_mkclean(test_vm, page);
    page_unlock(page);
    return dirty;
}

static void body_mkclean(void)
{
    struct quire_mm *mm = mm_new();
    struct quire_mapping *file = file_of(4 * PAGE);
    quire_linear_t at = map_file(mm, file, 0, 4 * PAGE, READ_WRITE, QUIRE_MAP_SHARED);
    quire_linear_t private = map_file(mm, file, 0, 4 * PAGE, READ_WRITE, QUIRE_MAP_PRIVATE);
    run_on(mm);
    CHECK(holds(at, word_of(0)) && holds(private, word_of(0)));
    struct quire_page *page = page_of(mm, at);
    CHECK(!mkclean(page));
    CHECK(poke(at, 1));
    CHECK(entry_of(mm, at) & QUIRE_PTE_WRITE);
    CHECK(mkclean(page));
    CHECK(!(entry_of(mm, at) & (QUIRE_PTE_WRITE | QUIRE_PTE_DIRTY)));
    CHECK(!mkclean(page));
    CHECK(poke(at, 7));
    CHECK_EQ(quire_test_and_clear(&mm->pt, at, QUIRE_PTE_DIRTY, NULL), QUIRE_PTE_DIRTY);
    CHECK(!mkclean(page)); /* it could have been written to, but wasn't */
    CHECK(!(entry_of(mm, at) & QUIRE_PTE_WRITE));
    unsigned long before = nr_faults;
    CHECK(poke(at, 2)); /* asks again, whatever the TLB knew */
    CHECK_EQ(nr_faults, before + 1);
    CHECK_EQ(quire_mprotect(mm, at, 4 * PAGE, QUIRE_PROT_NONE), 0);
    CHECK(mkclean(page));
    CHECK(!mkclean(page));
    CHECK_EQ(count_met(page), 2);
    mm_end(mm);
    quire_mapping_put(file);
}

static void cleaned_pages_are_read_only_until_somebody_asks(void)
{
    on_machines_of_each_format(body_mkclean);
}

/* ---- unmapping ------------------------------------------------------------------------------- */

static bool unmap(struct quire_page *page, unsigned flags)
{
    page_pin(page);
    page_lock(page);
    bool gone = try_to_unmap(test_vm, page, flags);
    page_unlock(page);
    vm_put_page(test_vm, page);
    return gone;
}

/* Into the swap cache, then out of all entries. */
static bool swap_out(struct quire_page *page)
{
    page_pin(page);
    page_lock(page);
    CHECK_EQ(swap_cache_add(test_vm, page), 0);
    bool gone = try_to_unmap(test_vm, page, 0);
    page_unlock(page);
    vm_put_page(test_vm, page);
    return gone;
}

static void body_swap(void)
{
    int area = swap_of(64);
    struct quire_mm *mm = mm_new();
    quire_linear_t at = map_anon(mm, 4 * PAGE);
    poke_pages(mm, at, 4, 100);
    struct quire_mm *child = fork_of(mm), *grandchild = fork_of(child);
    CHECK_EQ(quire_mprotect(grandchild, at, 4 * PAGE, QUIRE_PROT_NONE), 0);
    struct quire_page *page = page_of(mm, at + PAGE);
    page_clear(page, PG_DIRTY);
    CHECK(swap_out(page));
    CHECK(page_has(page, PG_DIRTY));
    CHECK_EQ(count_entries(page), 0);
    CHECK(entry_is_swap(entry_of(mm, at + PAGE)));
    CHECK_EQ(entry_of(child, at + PAGE), entry_of(mm, at + PAGE));
    CHECK_EQ(entry_of(grandchild, at + PAGE), entry_of(mm, at + PAGE));
    CHECK_EQ(mm_info(mm).rss_anon, 3);
    CHECK_EQ(mm_info(mm).swap, 1);
    CHECK_EQ(mm_info(grandchild).swap, 1);
    CHECK_EQ(swap_count(test_vm, entry_of(mm, at + PAGE)), 3);
    check_reverse_maps();
    check_pages(mm, at, 4, 100);
    check_reverse_maps();
    CHECK_EQ(quire_mprotect(grandchild, at, 4 * PAGE, READ_WRITE), 0);
    poke_pages(grandchild, at + PAGE, 1, 300);
    check_pages(child, at, 4, 100);
    check_reverse_maps();
    CHECK_EQ(mm_info(mm).swap, 0);
    mm_end(mm);
    mm_end(child);
    mm_end(grandchild);
    CHECK_EQ(quire_swapoff(test_vm, area), 0);
}

static void anonymous_pages_leave_swap_entries_and_come_back(void)
{
    on_machines_of_each_format(body_swap);
}

static void body_files_unmap(void)
{
    struct quire_mm *mm = mm_new(), *other = mm_new();
    struct quire_mapping *file = file_of(4 * PAGE);
    quire_linear_t at = map_file(mm, file, 0, 4 * PAGE, READ_WRITE, QUIRE_MAP_SHARED);
    quire_linear_t too = map_file(other, file, 0, 4 * PAGE, QUIRE_PROT_READ, QUIRE_MAP_PRIVATE);
    run_on(other);
    CHECK(holds(too + PAGE, word_of(1)));
    run_on(mm);
    CHECK(poke(at + PAGE, 5));
    struct quire_page *page = page_of(mm, at + PAGE);
    CHECK_EQ(count_met(page), 2);
    CHECK(unmap(page, 0));
    CHECK_EQ(entry_of(mm, at + PAGE), 0);
    CHECK_EQ(entry_of(other, too + PAGE), 0);
    CHECK(page_has(page, PG_DIRTY));
    CHECK_EQ(page_users(page), 1); /* the cache */
    CHECK(holds(at + PAGE, 5));
    check_reverse_maps();
    mm_end(mm);
    mm_end(other);
    CHECK_EQ(quire_mapping_sync(file, 0, 0), 0);
    quire_mapping_put(file);
}

static void files_pages_leave_nothing_but_their_dirtiness(void)
{
    on_machines_of_each_format(body_files_unmap);
}

static void body_given_up(void)
{
    struct quire_mm *mm = mm_new();
    quire_linear_t at = map_anon(mm, 4 * PAGE);
    poke_pages(mm, at, 4, 100);
    CHECK(page_has(page_of(mm, at), PG_DIRTY));
    CHECK(!unmap(page_of(mm, at), 0)); /* nowhere to go */
    check_pages(mm, at, 4, 100);
    CHECK_EQ(quire_madvise(mm, at, 2 * PAGE, QUIRE_MADV_FREE), 0);
    forget_tlb(mm);
    CHECK(poke(at + PAGE, 500));
    CHECK(unmap(page_of(mm, at), 0));
    CHECK_EQ(mm_info(mm).rss_anon, 3);
    CHECK(!unmap(page_of(mm, at + PAGE), 0)); /* written to since */
    CHECK(page_has(page_of(mm, at + PAGE), PG_DIRTY));
    CHECK(holds(at, 0));
    CHECK(holds(at + PAGE, 500));
    CHECK(poke(at + PAGE, 501));
    check_pages(mm, at + 2 * PAGE, 2, 102);
    check_reverse_maps();
    mm_end(mm);
}

static void pages_that_were_given_up_go_unless_they_were_written_to_since(void)
{
    on_machines_of_each_format(body_given_up);
}

static void body_given_up_and_pinned(void)
{
    struct quire_mm *mm = mm_new();
    struct quire_page *page;
    quire_linear_t at = map_anon(mm, PAGE);
    poke_pages(mm, at, 1, 100);
    CHECK_EQ(quire_madvise(mm, at, PAGE, QUIRE_MADV_FREE), 0);
    CHECK_EQ(quire_get_user_page(mm, at, true, &page), 0);
    uint64_t value = 500;
    page_write(test_vm, page, 0, &value, sizeof value);
    CHECK(!unmap(page, 0)); /* it doesn't say yet that it was written to */
    quire_put_user_page(test_vm, page, true);
    CHECK(!unmap(page, 0));
    CHECK(holds(at, 500));
    CHECK(poke(at, 501));
    check_reverse_maps();
    mm_end(mm);
}

static void a_page_that_was_given_up_stays_while_the_kernel_writes_to_it(void)
{
    on_machines_of_each_format(body_given_up_and_pinned);
}

static void locked_pages_stay_unless_that_is_ignored(void)
{
    if (!vm_boot(16 * MIB, QUIRE_PT_FORMAT_X86_64))
        return;
    int area = swap_of(64);
    struct quire_mm *mm = mm_new();
    quire_linear_t at = map_anon(mm, 2 * PAGE);
    poke_pages(mm, at, 2, 100);
    CHECK_EQ(quire_mlock(mm, at, 2 * PAGE, 0), 0);
    struct quire_page *page = page_of(mm, at);
    CHECK(!swap_out(page));
    CHECK_EQ(count_met(page), 1);
    CHECK(unmap(page, UNMAP_IGNORE_LOCKED));
    CHECK_EQ(count_entries(page), 0);
    check_pages(mm, at, 2, 100);
    check_reverse_maps();
    mm_end(mm);
    CHECK_EQ(quire_swapoff(test_vm, area), 0);
    vm_end();
}

/* As when a fork copies an entry that the walk has passed. */
static void a_user_that_no_walk_finds_is_noticed(void)
{
    if (!vm_boot(16 * MIB, QUIRE_PT_FORMAT_X86_64))
        return;
    int area = swap_of(64);
    struct quire_mm *mm = mm_new();
    quire_linear_t at = map_anon(mm, PAGE);
    poke_pages(mm, at, 1, 100);
    struct quire_page *page = page_of(mm, at);
    CHECK(page_use(page));
    CHECK(!swap_out(page));
    CHECK_EQ(page_mapcount(page), 1);
    page_unuse(test_vm, page);
    check_pages(mm, at, 1, 100);
    mm_end(mm);
    CHECK_EQ(quire_swapoff(test_vm, area), 0);
    vm_end();
}

/* A page of the swap cache whose last area is gone: its root's id is another's by now. */
static void a_root_that_is_gone_is_not_mistaken_for_another(void)
{
    if (!vm_boot(16 * MIB, QUIRE_PT_FORMAT_X86_64))
        return;
    int area = swap_of(64);
    struct quire_mm *mm = mm_new(), *other = mm_new();
    quire_linear_t at = map_anon(mm, PAGE), same = map_anon(other, PAGE);
    CHECK_EQ(at, same);
    poke_pages(mm, at, 1, 100);
    struct quire_page *page = page_of(mm, at);
    page_pin(page);
    CHECK(swap_out(page));
    page_lock(page); /* so that it stays in the swap cache */
    uint32_t id = page_root_id(page);
    mm_end(mm);
    poke_pages(other, same, 1, 200);
    CHECK_EQ(vma_at(other, same)->anon_vma->root.id, id);
    CHECK_EQ(page_users(page), 1);
    CHECK(try_to_unmap(test_vm, page, 0));
    remove_migration_entries(test_vm, page, page);
    page_unlock(page);
    CHECK_EQ(count_met(page), 0);
    check_pages(other, same, 1, 200);
    swap_cache_drop_unused(test_vm, page);
    CHECK_EQ(page_users(page), 0);
    vm_put_page(test_vm, page);
    mm_end(other);
    CHECK_EQ(quire_swapoff(test_vm, area), 0);
    vm_end();
}

static const struct test_case cases[] = {
    TEST_CASE(references_are_counted_and_forgotten),
    TEST_CASE(locked_areas_say_so_and_streams_do_not_count),
    TEST_CASE(cleaned_pages_are_read_only_until_somebody_asks),
    TEST_CASE(anonymous_pages_leave_swap_entries_and_come_back),
    TEST_CASE(files_pages_leave_nothing_but_their_dirtiness),
    TEST_CASE(pages_that_were_given_up_go_unless_they_were_written_to_since),
    TEST_CASE(a_page_that_was_given_up_stays_while_the_kernel_writes_to_it),
    TEST_CASE(locked_pages_stay_unless_that_is_ignored),
    TEST_CASE(a_user_that_no_walk_finds_is_noticed),
    TEST_CASE(a_root_that_is_gone_is_not_mistaken_for_another),
    {0},
};
const struct test_suite suite_vm_unmap = {"vm_unmap", cases};
