/* tests/unit/vm_migrate_test.c: user pages of every kind move in memory */
#include "tests/unit/vm_entries.h"
#include "vm/cache.h"
#include "vm/fault.h"
#include "vm/lru.h"
#include "vm/swap.h"

/* ---- each kind of page ----------------------------------------------------------------------- */

static void body_anonymous(void)
{
    struct quire_mm *mm = mm_new();
    quire_linear_t at = map_anon(mm, 4 * PAGE);
    poke_pages(mm, at, 4, 100);
    struct quire_page *page = page_of(mm, at + PAGE);
    unsigned long before = nr_faults, resident = mm_info(mm).rss_anon;
    page_clear(page, PG_DIRTY);
    CHECK_EQ(take_frame(page), 0);
    struct quire_page *now = page_of(mm, at + PAGE);
    REQUIRE(now && now != page);
    CHECK_EQ(page_users(page), 0);
    CHECK_EQ(page_users(now), 1);
    CHECK_EQ(quire_page_count(now), 1);
    CHECK(page_has(now, PG_DIRTY) && page_has(now, PG_UPTODATE));
    CHECK(!page_has(now, PG_LOCKED));
    CHECK(page_list(now) != LIST_NONE);
    CHECK_EQ(mm_info(mm).rss_anon, resident);
    check_reverse_maps();
    poke_pages(mm, at + PAGE, 1, 200); /* with the right to write that it had */
    CHECK_EQ(nr_faults, before);
    check_pages(mm, at + PAGE, 1, 200);
    check_pages(mm, at + 2 * PAGE, 2, 102);
    mm_end(mm);
}

static void a_page_of_ones_own_moves_with_content_and_rights(void)
{
    on_machines_of_each_format(body_anonymous);
}

static void body_shared(void)
{
    struct quire_mm *mm = mm_new();
    quire_linear_t at = map_anon(mm, 4 * PAGE);
    poke_pages(mm, at, 4, 100);
    struct quire_mm *child = fork_of(mm), *grandchild = fork_of(child);
    CHECK_EQ(quire_mprotect(child, at, 2 * PAGE, QUIRE_PROT_NONE), 0);
    CHECK_EQ(quire_munmap(grandchild, at + PAGE, PAGE), 0);
    for (unsigned i = 0; i < 4; i++) {
        struct quire_page *page = page_of(mm, at + i * PAGE);
        CHECK_EQ(take_frame(page), 0);
        struct quire_page *now = page_of(mm, at + i * PAGE);
        CHECK(now != page);
        CHECK(page_of(child, at + i * PAGE) == now);
        CHECK(page_of(grandchild, at + i * PAGE) == (i == 1 ? NULL : now));
        CHECK_EQ(page_users(now), i == 1 ? 2 : 3);
    }
    CHECK(!entry_present(entry_of(child, at)));
    check_reverse_maps();
    CHECK_EQ(quire_mprotect(child, at, 2 * PAGE, READ_WRITE), 0);
    poke_pages(child, at, 4, 300);
    check_pages(mm, at, 4, 100);
    check_pages(grandchild, at + 2 * PAGE, 2, 102);
    check_pages(child, at, 4, 300);
    check_reverse_maps();
    mm_end(mm);
    mm_end(child);
    mm_end(grandchild);
}

static void a_page_that_forks_share_moves_for_all(void)
{
    on_machines_of_each_format(body_shared);
}

static void body_files(void)
{
    struct quire_mm *mm = mm_new();
    struct quire_mapping *file = file_of(8 * PAGE);
    quire_linear_t at = map_file(mm, file, 0, 8 * PAGE, READ_WRITE, QUIRE_MAP_SHARED);
    quire_linear_t copy = map_file(mm, file, 0, 8 * PAGE, READ_WRITE, QUIRE_MAP_PRIVATE);
    uint64_t word;
    run_on(mm);
    for (unsigned i = 0; i < 8; i++)
        CHECK(holds(copy + i * PAGE, word_of(i)) && holds(at + i * PAGE, word_of(i)));
    CHECK(poke(at + 2 * PAGE, 42));
    CHECK(poke(copy + 3 * PAGE, 43));
    for (unsigned i = 0; i < 8; i++) {
        struct quire_page *page = page_of(mm, at + i * PAGE);
        CHECK_EQ(take_frame(page), 0);
        CHECK(page_of(mm, at + i * PAGE) != page);
        CHECK(i == 3 || page_of(mm, copy + i * PAGE) == page_of(mm, at + i * PAGE));
    }
    CHECK_EQ(take_frame(page_of(mm, copy + 3 * PAGE)), 0);
    check_reverse_maps();
    unsigned long faults = nr_faults, reads = file_store.reads;
    for (unsigned i = 0; i < 8; i++) {
        CHECK(holds(at + i * PAGE, i == 2 ? 42 : word_of(i)));
        CHECK(holds(copy + i * PAGE, i == 2 ? 42 : i == 3 ? 43 : word_of(i)));
    }
    CHECK_EQ(nr_faults, faults);
    CHECK_EQ(quire_mapping_read(file, 2 * PAGE, &word, sizeof word), sizeof word);
    CHECK_EQ(word, 42);
    CHECK_EQ(file_store.reads, reads);
    struct quire_mapping_info info;
    quire_mapping_info(file, &info);
    CHECK_EQ(info.nr_dirty, 1);
    CHECK_EQ(quire_mapping_sync(file, 0, 0), 0);
    __builtin_memcpy(&word, file_store.bytes + 2 * PAGE, sizeof word);
    CHECK_EQ(word, 42);
    mm_end(mm);
    CHECK_EQ(quire_mapping_drop(file), 8);
    quire_mapping_put(file);
}

static void pages_of_files_move_in_the_cache_and_in_all_areas(void)
{
    on_machines_of_each_format(body_files);
}

static void body_shmem(void)
{
    struct quire_mm *mm = mm_new();
    quire_linear_t at =
        map_file(mm, NULL, 0, 4 * PAGE, READ_WRITE, QUIRE_MAP_SHARED | QUIRE_MAP_ANONYMOUS);
    poke_pages(mm, at, 4, 100);
    struct quire_mm *child = fork_of(mm);
    check_pages(child, at, 4, 100);
    struct quire_page *page = page_of(mm, at + PAGE);
    CHECK_EQ(take_frame(page), 0);
    CHECK(page_of(mm, at + PAGE) != page);
    CHECK(page_of(mm, at + PAGE) == page_of(child, at + PAGE));
    check_reverse_maps();
    poke_pages(child, at + PAGE, 1, 500);
    check_pages(mm, at + PAGE, 1, 500);
    mm_end(mm);
    check_pages(child, at + 2 * PAGE, 2, 102);
    mm_end(child);
}

static void shared_memory_moves_and_stays_shared(void)
{
    on_machines_of_each_format(body_shmem);
}

static void body_swap_cache(void)
{
    int area = swap_of(64);
    struct quire_mm *mm = mm_new();
    quire_linear_t at = map_anon(mm, 4 * PAGE);
    poke_pages(mm, at, 4, 100);
    struct quire_mm *child = fork_of(mm);
    struct quire_page *page = page_of(mm, at + PAGE);
    page_lock(page);
    CHECK_EQ(swap_cache_add(test_vm, page), 0);
    swap_entry slot = swap_cache_entry(test_vm, page);
    page_unlock(page);
    CHECK_EQ(take_frame(page), 0); /* mapped and in the cache */
    struct quire_page *now = page_of(mm, at + PAGE);
    REQUIRE(now && now != page);
    CHECK(page_has(now, PG_SWAPCACHE));
    CHECK_EQ(page_users(now), 3);
    page_pin(now);
    page_lock(now);
    CHECK_EQ(swap_cache_entry(test_vm, now), slot);
    CHECK(try_to_unmap(test_vm, now, 0));
    page_unlock(now);
    vm_put_page(test_vm, now);
    CHECK_EQ(entry_of(child, at + PAGE), slot);
    CHECK_EQ(take_frame(now), 0); /* in the cache alone */
    struct quire_page *last = swap_cache_find(test_vm, slot);
    REQUIRE(last && last != now);
    CHECK_EQ(page_users(last), 1);
    /* Who found it there keeps it where it is. */
    CHECK_EQ(take_frame(last), -QUIRE_EBUSY);
    vm_put_page(test_vm, last);
    check_pages(mm, at, 4, 100);
    check_pages(child, at, 4, 100);
    check_reverse_maps();
    mm_end(mm);
    mm_end(child);
    CHECK_EQ(quire_swapoff(test_vm, area), 0);
}

static void pages_of_the_swap_cache_keep_their_slot(void)
{
    on_machines_of_each_format(body_swap_cache);
}

static void body_given_up(void)
{
    struct quire_mm *mm = mm_new();
    quire_linear_t at = map_anon(mm, 2 * PAGE);
    poke_pages(mm, at, 2, 100);
    CHECK_EQ(quire_madvise(mm, at, 2 * PAGE, QUIRE_MADV_FREE), 0);
    run_on(NULL);
    run_on(mm);
    CHECK_EQ(take_frame(page_of(mm, at)), 0);
    CHECK_EQ(take_frame(page_of(mm, at + PAGE)), 0);
    CHECK(!page_has(page_of(mm, at), PG_DIRTY));
    check_pages(mm, at, 1, 100);
    poke_pages(mm, at + PAGE, 1, 200);
    for (unsigned i = 0; i < 2; i++) {
        struct quire_page *page = page_of(mm, at + i * PAGE);
        page_pin(page);
        page_lock(page);
        CHECK_EQ(try_to_unmap(test_vm, page, 0), i == 0);
        page_unlock(page);
        vm_put_page(test_vm, page);
    }
    CHECK(holds(at, 0));
    check_pages(mm, at + PAGE, 1, 200);
    mm_end(mm);
}

static void pages_that_were_given_up_stay_so(void)
{
    on_machines_of_each_format(body_given_up);
}

static const struct test_case cases[] = {
    TEST_CASE(a_page_of_ones_own_moves_with_content_and_rights),
    TEST_CASE(a_page_that_forks_share_moves_for_all),
    TEST_CASE(pages_of_files_move_in_the_cache_and_in_all_areas),
    TEST_CASE(shared_memory_moves_and_stays_shared),
    TEST_CASE(pages_of_the_swap_cache_keep_their_slot),
    TEST_CASE(pages_that_were_given_up_stay_so),
    {0},
};
const struct test_suite suite_vm_migrate = {"vm_migrate", cases};
