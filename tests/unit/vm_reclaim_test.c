/* tests/unit/vm_reclaim_test.c: what becomes of files, shared and locked memory, and advice; what
 * is remembered of pages that went; when memory is reclaimed
 */
#include "tests/unit/vm_swap_machine.h"
#include "vm/policy.h"

/* ---- files, shared memory -------------------------------------------------------------------- */

static void dirty_pages_of_files_are_written_before_they_go(void)
{
    if (!swap_begin_on(8 * MIB, QUIRE_PT_FORMAT_X86_64, 0, SLOTS))
        return;
    struct quire_mapping *file = file_of(16 * PAGE);
    quire_linear_t at =
        map_file(rig.mm, file, 0, 16 * PAGE, QUIRE_PROT_READ | QUIRE_PROT_WRITE, QUIRE_MAP_SHARED);
    for (unsigned i = 0; i < 16; i++)
        CHECK(poke(at + i * PAGE + 8, i));
    file_store.broken = true;
    for (unsigned i = 0; i < 3; i++)
        CHECK_EQ(quire_vm_reclaim(test_vm, 0, 100), 0);
    quire_vm_check(test_vm);
    file_store.broken = false;
    for (unsigned i = 0; i < 3; i++)
        (void)quire_vm_reclaim(test_vm, 0, 100);
    CHECK_EQ(mm_info(rig.mm).rss_file, 0);
    CHECK_EQ(file_store.writes, 16);
    CHECK_EQ(test_vm->stat[NR_FILE_DIRTY], 0);
    for (unsigned i = 0; i < 16; i++)
        CHECK(holds(at + i * PAGE + 8, i));
    read_pages(at, 0, 16);
    mm_end(rig.mm);
    rig.mm = mm_new();
    quire_mapping_put(file);
    swap_check_end();
}

static void shared_memory_goes_to_swap(void)
{
    if (!swap_begin_on(8 * MIB, QUIRE_PT_FORMAT_X86_64, 0, SLOTS))
        return;
    quire_linear_t at = map_file(rig.mm, NULL, 0, 24 * PAGE, QUIRE_PROT_READ | QUIRE_PROT_WRITE,
                                 QUIRE_MAP_SHARED | QUIRE_MAP_ANONYMOUS);
    struct quire_mm *child;
    write_pages(at, 0, 24);
    CHECK_EQ(quire_mm_fork(&child, rig.mm), 0);
    for (unsigned i = 0; i < 3; i++)
        (void)quire_vm_reclaim(test_vm, 0, 100);
    CHECK_EQ(mm_info(rig.mm).rss_shmem, 0);
    CHECK_EQ(swap_store.writes, 24);
    quire_vm_check(test_vm);
    read_pages(at, 0, 12);
    CHECK(poke(at, 7));
    run_on(child);
    CHECK(holds(at, 7));
    read_pages(at, 1, 23);
    mm_end(child);
    run_on(rig.mm);
    for (unsigned i = 0; i < 3; i++)
        (void)quire_vm_reclaim(test_vm, 0, 100);
    CHECK_EQ(quire_swapoff(test_vm, rig.area), 0); /* brings shared memory back too */
    read_pages(at, 1, 23);
    rig.area = swap_of(STORE_PAGES);
    swap_check_end();
}

static void without_swappiness_only_files_go(void)
{
    if (!swap_begin_on(8 * MIB, QUIRE_PT_FORMAT_X86_64, 0, SLOTS))
        return;
    struct quire_mapping *file = file_of(32 * PAGE);
    quire_linear_t at = map_anon(rig.mm, 32 * PAGE);
    quire_linear_t mapped =
        map_file(rig.mm, file, 0, 32 * PAGE, QUIRE_PROT_READ, QUIRE_MAP_PRIVATE);
    write_pages(at, 0, 32);
    read_pages(mapped, 0, 32);
    CHECK_EQ(quire_vm_set_swappiness(test_vm, 201), (uint64_t)-QUIRE_EINVAL);
    CHECK_EQ(quire_vm_set_swappiness(test_vm, 0), 0);
    for (unsigned i = 0; i < 3; i++)
        (void)quire_vm_reclaim(test_vm, 0, 1000);
    CHECK_EQ(mm_info(rig.mm).rss_anon, 32);
    CHECK_EQ(mm_info(rig.mm).rss_file, 0);
    mm_end(rig.mm);
    rig.mm = mm_new();
    quire_mapping_put(file);
    swap_check_end();
}

/* ---- the most that was resident -------------------------------------------------------------- */

static void by_reclaim(quire_linear_t at, unsigned pages, struct quire_mapping *file)
{
    (void)at;
    (void)file;
    (void)quire_vm_reclaim(test_vm, 0, 2 * pages);
    (void)quire_vm_reclaim(test_vm, 0, 2 * pages);
}

static void by_pageout(quire_linear_t at, unsigned pages, struct quire_mapping *file)
{
    (void)file;
    CHECK_EQ(quire_madvise(rig.mm, at, pages * PAGE, QUIRE_MADV_PAGEOUT), 0);
}

static void by_dontneed(quire_linear_t at, unsigned pages, struct quire_mapping *file)
{
    (void)file;
    CHECK_EQ(quire_madvise(rig.mm, at, pages * PAGE, QUIRE_MADV_DONTNEED), 0);
}

static void by_munmap(quire_linear_t at, unsigned pages, struct quire_mapping *file)
{
    (void)file;
    CHECK_EQ(quire_munmap(rig.mm, at, pages * PAGE), 0);
}

static void by_mmap(quire_linear_t at, unsigned pages, struct quire_mapping *file)
{
    const unsigned flags = QUIRE_MAP_PRIVATE | QUIRE_MAP_ANONYMOUS | QUIRE_MAP_FIXED;
    (void)file;
    CHECK_EQ(quire_mmap(rig.mm, at, pages * PAGE, QUIRE_PROT_READ, flags, NULL, 0), at);
}

static void by_truncation(quire_linear_t at, unsigned pages, struct quire_mapping *file)
{
    (void)at;
    (void)pages;
    CHECK_EQ(quire_mapping_truncate(file, 0), 0);
}

static void by_a_hole(quire_linear_t at, unsigned pages, struct quire_mapping *file)
{
    (void)at;
    CHECK_EQ(quire_mapping_punch(file, 0, pages * PAGE), 0);
}

/* Nobody looked while the pages were there. Afterwards fewer come, and then the mark is still the
 * first one. */
static void the_peak_outlives_pages_however_they_go(void)
{
    static const struct {
        void (*take)(quire_linear_t at, unsigned pages, struct quire_mapping *file);
        bool of_file; /* private, and only read */
    } ways[] = {{by_reclaim, false},  {by_reclaim, true},  {by_pageout, false},
                {by_dontneed, false}, {by_dontneed, true}, {by_munmap, false},
                {by_munmap, true},    {by_mmap, false},    {by_truncation, true},
                {by_a_hole, true}};
    const unsigned pages = 40;
    for (unsigned i = 0; i < sizeof ways / sizeof ways[0]; i++) {
        if (!swap_begin_on(8 * MIB, QUIRE_PT_FORMAT_X86_64, 0, SLOTS))
            return;
        struct quire_mapping *file = file_of(pages * PAGE);
        quire_linear_t other = map_anon(rig.mm, pages * PAGE);
        quire_linear_t at = ways[i].of_file ? map_file(rig.mm, file, 0, pages * PAGE,
                                                       QUIRE_PROT_READ, QUIRE_MAP_PRIVATE)
                                            : map_anon(rig.mm, pages * PAGE);
        if (ways[i].of_file)
            read_pages(at, 0, pages);
        else
            write_pages(at, 0, pages);
        ways[i].take(at, pages, file);
        CHECK_EQ(mm_info(rig.mm).rss_anon + mm_info(rig.mm).rss_file, 0);
        CHECK_EQ(mm_info(rig.mm).hiwater_rss, pages);
        write_pages(other, 0, pages / 2);
        CHECK_EQ(quire_munmap(rig.mm, other, pages * PAGE), 0);
        CHECK_EQ(mm_info(rig.mm).hiwater_rss, pages);
        mm_end(rig.mm);
        rig.mm = mm_new();
        quire_mapping_put(file);
        swap_check_end();
    }
}

/* ---- locked memory --------------------------------------------------------------------------- */

static void locked_pages_stay(void)
{
    for (unsigned policy = 0; policy < QUIRE_NR_RECLAIM_POLICIES; policy++) {
        if (!swap_begin_on(8 * MIB, QUIRE_PT_FORMAT_X86_64, 0, SLOTS))
            return;
        CHECK_EQ(quire_vm_set_policy(test_vm, policy), 0);
        quire_linear_t at = map_anon(rig.mm, 8 * PAGE), other = map_anon(rig.mm, 8 * PAGE);
        write_pages(at, 0, 8);
        write_pages(other, 0, 8);
        CHECK_EQ(quire_mlock(rig.mm, at, 8 * PAGE, 0), 0);
        for (unsigned i = 0; i < 3; i++)
            (void)quire_vm_reclaim(test_vm, 0, 100);
        CHECK_EQ(count_resident(at, 0, 8), 8);
        CHECK_EQ(count_resident(other, 0, 8), 0);
        CHECK_EQ(counts().unevictable, 8);
        CHECK_EQ(quire_munlock(rig.mm, at, 8 * PAGE), 0);
        CHECK_EQ(counts().unevictable, 0);
        for (unsigned i = 0; i < 3; i++)
            (void)quire_vm_reclaim(test_vm, 0, 100);
        CHECK_EQ(count_resident(at, 0, 8), 0);
        read_pages(at, 0, 8);
        swap_check_end();
    }
}

/* Whoever locked them is gone, or maps other pages by now. */
static void no_page_stays_locked_without_a_lock(void)
{
    if (!swap_begin_on(8 * MIB, QUIRE_PT_FORMAT_X86_64, 0, SLOTS))
        return;
    struct quire_mm *child;
    quire_linear_t at = map_anon(rig.mm, 8 * PAGE);
    struct quire_mapping *file = file_of(8 * PAGE);
    quire_linear_t of_file =
        map_file(rig.mm, file, 0, 8 * PAGE, QUIRE_PROT_READ | QUIRE_PROT_WRITE, QUIRE_MAP_PRIVATE);
    write_pages(at, 0, 8);
    /* To lock what may be written is to have it for oneself: the parent's pages are left. */
    REQUIRE(!quire_mm_fork(&child, rig.mm));
    CHECK_EQ(quire_mlock(child, at, 8 * PAGE, 0), 0);
    CHECK_EQ(counts().unevictable, 8);
    mm_end(child);
    CHECK_EQ(counts().unevictable, 0);
    /* So are a file's, by who locked them and writes then. */
    CHECK_EQ(quire_mlock(rig.mm, of_file, 8 * PAGE, QUIRE_MLOCK_ONFAULT), 0);
    run_on(rig.mm);
    read_pages(of_file, 0, 1);
    CHECK(poke(of_file, 1));
    CHECK_EQ(quire_munmap(rig.mm, of_file, 8 * PAGE), 0);
    CHECK_EQ(counts().unevictable, 0);
    /* Pages without rights are unlocked like others. */
    CHECK_EQ(quire_mlock(rig.mm, at, 8 * PAGE, 0), 0);
    CHECK_EQ(quire_mprotect(rig.mm, at, 8 * PAGE, QUIRE_PROT_NONE), 0);
    CHECK_EQ(counts().unevictable, 8);
    CHECK_EQ(quire_munlock(rig.mm, at, 4 * PAGE), 0);
    CHECK_EQ(counts().unevictable, 4);
    CHECK_EQ(quire_munmap(rig.mm, at, 8 * PAGE), 0);
    CHECK_EQ(counts().unevictable, 0);
    quire_mapping_put(file);
    swap_check_end();
}

/* ---- advice ---------------------------------------------------------------------------------- */

static void given_up_memory_goes_without_swap_unless_it_was_written(void)
{
    if (!swap_begin_on(8 * MIB, QUIRE_PT_FORMAT_X86_64, 0, SLOTS))
        return;
    quire_linear_t at = map_anon(rig.mm, 16 * PAGE);
    write_pages(at, 0, 16);
    CHECK_EQ(quire_madvise(rig.mm, at, 16 * PAGE, QUIRE_MADV_FREE), 0);
    CHECK(poke(at + 3 * PAGE, 33));
    CHECK_EQ(counts().inactive_file, 16); /* what needs no swap is weighed with files */
    for (unsigned i = 0; i < 4; i++)
        (void)quire_vm_reclaim(test_vm, 0, 100);
    CHECK_EQ(event(VM_PGLAZYFREED), 15);
    CHECK_EQ(swap_store.writes, 1);
    CHECK(holds(at + 3 * PAGE, 33));
    CHECK(holds(at, 0));
    CHECK(holds(at + 15 * PAGE, 0));
    swap_check_end();
}

static void given_up_memory_goes_even_if_there_is_no_swap(void)
{
    if (!swap_begin_on(8 * MIB, QUIRE_PT_FORMAT_X86_64, 0, SLOTS))
        return;
    CHECK_EQ(quire_swapoff(test_vm, rig.area), 0);
    quire_linear_t at = map_anon(rig.mm, 16 * PAGE);
    write_pages(at, 0, 16);
    CHECK_EQ(quire_madvise(rig.mm, at, 8 * PAGE, QUIRE_MADV_FREE), 0);
    for (unsigned i = 0; i < 4; i++)
        (void)quire_vm_reclaim(test_vm, 0, 100);
    CHECK_EQ(event(VM_PGLAZYFREED), 8);
    CHECK_EQ(mm_info(rig.mm).rss_anon, 8);
    read_pages(at, 8, 8);
    rig.area = swap_of(STORE_PAGES);
    swap_check_end();
}

static void pages_go_on_request(void)
{
    for (unsigned policy = 0; policy < QUIRE_NR_RECLAIM_POLICIES; policy++) {
        if (!swap_begin_on(8 * MIB, QUIRE_PT_FORMAT_X86_64, 0, SLOTS))
            return;
        CHECK_EQ(quire_vm_set_policy(test_vm, policy), 0);
        quire_linear_t at = map_anon(rig.mm, 16 * PAGE);
        write_pages(at, 0, 16);
        CHECK_EQ(quire_madvise(rig.mm, at, 8 * PAGE, QUIRE_MADV_PAGEOUT), 0);
        CHECK_EQ(count_resident(at, 0, 8), 0);
        CHECK_EQ(count_resident(at, 8, 8), 8);
        read_pages(at, 0, 16);
        swap_check_end();
    }
}

static void cold_pages_go_first(void)
{
    for (unsigned policy = 0; policy < QUIRE_NR_RECLAIM_POLICIES; policy++) {
        if (!swap_begin_on(8 * MIB, QUIRE_PT_FORMAT_X86_64, 0, SLOTS))
            return;
        CHECK_EQ(quire_vm_set_policy(test_vm, policy), 0);
        quire_linear_t at = map_anon(rig.mm, 200 * PAGE);
        write_pages(at, 0, 200);
        forget_translations();
        CHECK_EQ(quire_madvise(rig.mm, at + 100 * PAGE, 32 * PAGE, QUIRE_MADV_COLD), 0);
        (void)quire_vm_reclaim(test_vm, 0, 16);
        CHECK(count_resident(at, 100, 32) <= 16);
        CHECK_EQ(count_resident(at, 0, 100), 100);
        read_pages(at, 0, 200);
        swap_check_end();
    }
}

/* ---- refaults -------------------------------------------------------------------------------- */

static void a_page_that_comes_back_soon_is_counted_and_activated(void)
{
    if (!swap_begin_on(8 * MIB, QUIRE_PT_FORMAT_X86_64, 0, SLOTS))
        return;
    quire_linear_t at = map_anon(rig.mm, 16 * PAGE);
    write_pages(at, 0, 16);
    for (unsigned i = 0; i < 3 && mm_info(rig.mm).rss_anon; i++)
        (void)quire_vm_reclaim(test_vm, 0, 16);
    CHECK_EQ(event(VM_WORKINGSET_REFAULT_ANON), 0);
    /* Nothing competes with the first: it couldn't have been kept in anybody's place. */
    read_pages(at, 15, 1);
    CHECK_EQ(event(VM_WORKINGSET_REFAULT_ANON), 1);
    for (unsigned i = 15; i-- > 0;)
        read_pages(at, i, 1);
    CHECK_EQ(event(VM_WORKINGSET_REFAULT_ANON), 16);
    CHECK_EQ(counts().active_anon, event(VM_WORKINGSET_ACTIVATE_ANON));
    CHECK_EQ(counts().active_anon + counts().inactive_anon, 16);
    swap_check_end();
}

static void refault_distance_is_what_was_evicted_meanwhile(void)
{
    if (!swap_begin_on(8 * MIB, QUIRE_PT_FORMAT_X86_64, 0, SLOTS))
        return;
    struct quire_page *page = vm_alloc_page(test_vm, 0);
    struct node_lists *lists = &test_vm->lists[0];
    REQUIRE(page);
    page_set_root(page, PAGE_KIND_ANON, 0);
    quire_linear_t at = map_anon(rig.mm, 32 * PAGE);
    write_pages(at, 0, 32); /* 32 inactive pages don't count against anonymous ones, active do */
    for (unsigned distance = 1; distance <= 12; distance++) {
        uint32_t shadow = workingset_eviction(test_vm, page);
        CHECK(shadow && shadow < 1u << 30);
        unsigned long before = event(VM_WORKINGSET_ACTIVATE_ANON);
        workingset_age(lists, distance - 1);
        page_clear(page, PG_WORKINGSET);
        workingset_refault(test_vm, page, shadow);
        CHECK_EQ(event(VM_WORKINGSET_ACTIVATE_ANON) - before, distance <= counts().active_anon);
        if (counts().active_anon < 6) {
            struct quire_page *one;
            CHECK_EQ(list_isolate(test_vm, lists, LIST_FIRST, &one, 1), 1);
            lru_return(test_vm, one, PLACE_ACTIVATED);
        }
    }
    page_set(page, PG_WORKINGSET);
    uint32_t shadow = workingset_eviction(test_vm, page);
    unsigned long before = event(VM_WORKINGSET_RESTORE_ANON);
    workingset_refault(test_vm, page, shadow);
    CHECK_EQ(event(VM_WORKINGSET_RESTORE_ANON), before + 1);
    workingset_refault(test_vm, page, 0); /* nothing is known */
    vm_put_page(test_vm, page);
    swap_check_end();
}

/* ---- when ------------------------------------------------------------------------------------ */

static unsigned woken;

static void wake(void *arg, int node)
{
    CHECK_EQ(arg == &woken, true);
    CHECK_EQ(node, 0);
    woken++;
}

static void the_background_reclaimer_is_woken_and_balances_the_node(void)
{
    if (!swap_begin_on(4 * MIB, QUIRE_PT_FORMAT_X86_64, 0, SLOTS))
        return;
    woken = 0;
    quire_vm_set_wake(test_vm, wake, &woken);
    CHECK(!quire_vm_needs_reclaim(test_vm, 0));
    CHECK(!quire_vm_needs_reclaim(test_vm, 7));
    quire_linear_t at = map_anon(rig.mm, 1024 * PAGE);
    unsigned i = 0;
    for (; i < 1024 && !woken; i++)
        CHECK(poke(at + i * PAGE, word_of(i)));
    CHECK(woken);
    CHECK(quire_vm_needs_reclaim(test_vm, 0));
    CHECK(!quire_node_balanced(machine.mem, 0, 0, QUIRE_ZONE_MOVABLE));
    CHECK(quire_kswapd(test_vm, 0) > 0);
    CHECK(quire_node_balanced(machine.mem, 0, 0, QUIRE_ZONE_MOVABLE));
    CHECK(!quire_vm_needs_reclaim(test_vm, 0));
    CHECK_EQ(quire_kswapd(test_vm, 0), 0);
    CHECK_EQ(quire_kswapd(test_vm, -1), 0);
    CHECK_EQ(quire_kswapd(test_vm, 1), 0);
    CHECK(event(VM_PGSTEAL_KSWAPD) > 0);
    CHECK_EQ(event(VM_PGSTEAL_DIRECT), 0);
    read_pages(at, 0, i);
    swap_check_end();
}

static void reclaim_by_hand_knows_its_nodes(void)
{
    if (!swap_begin_on(8 * MIB, QUIRE_PT_FORMAT_X86_64, 0, SLOTS))
        return;
    CHECK_EQ(quire_vm_reclaim(test_vm, -1, 10), 0);
    CHECK_EQ(quire_vm_reclaim(test_vm, 1, 10), 0);
    CHECK_EQ(quire_vm_reclaim(test_vm, 0, 10), 0);
    swap_check_end();
}

/* One look at all pages finds most of them used; what was asked for is had all the same, and no
 * more than about that. */
static void reclaim_by_hand_goes_on_until_enough_went(void)
{
    const unsigned pages = 200, wanted = 120;
    for (unsigned policy = 0; policy < QUIRE_NR_RECLAIM_POLICIES; policy++) {
        if (!swap_begin_on(8 * MIB, QUIRE_PT_FORMAT_X86_64, 0, SLOTS))
            return;
        CHECK_EQ(quire_vm_set_policy(test_vm, policy), 0);
        quire_linear_t at = map_anon(rig.mm, pages * PAGE);
        write_pages(at, 0, pages);
        unsigned long gone = quire_vm_reclaim(test_vm, 0, wanted);
        CHECK(gone >= wanted && gone < wanted + 32);
        CHECK_EQ(mm_info(rig.mm).swap, gone);
        CHECK_EQ(quire_vm_reclaim(test_vm, 0, 1000), pages - gone); /* all that there is */
        CHECK_EQ(quire_vm_reclaim(test_vm, 0, 1000), 0);
        read_pages(at, 0, pages);
        swap_check_end();
    }
}

static void an_allocation_in_need_reclaims_for_itself(void)
{
    for (unsigned policy = 0; policy < QUIRE_NR_RECLAIM_POLICIES; policy++) {
        const unsigned pages = 500;
        if (!swap_begin_on(2 * MIB, QUIRE_PT_FORMAT_X86_64, 0, SLOTS))
            return;
        CHECK_EQ(quire_vm_set_policy(test_vm, policy), 0);
        quire_linear_t at = map_anon(rig.mm, pages * PAGE);
        for (unsigned round = 0; round < 3; round++) {
            write_pages(at, 0, pages);
            read_pages(at, 0, pages);
        }
        CHECK(event(VM_PGSTEAL_DIRECT) > 0);
        CHECK(event(VM_WORKINGSET_REFAULT_ANON) > 0);
        swap_check_end();
    }
}

static void several_processes_in_too_little_memory_keep_their_content(void)
{
    enum { PROCESSES = 4, EACH = 120 };
    for (unsigned policy = 0; policy < QUIRE_NR_RECLAIM_POLICIES; policy++) {
        struct quire_mm *process[PROCESSES];
        quire_linear_t at[PROCESSES];
        static uint64_t content[PROCESSES][EACH];
        if (!swap_begin_on(2 * MIB, QUIRE_PT_FORMAT_X86_64, 0, SLOTS))
            return;
        CHECK_EQ(quire_vm_set_policy(test_vm, policy), 0);
        CHECK_EQ(quire_vm_set_page_cluster(test_vm, policy), 0);
        for (unsigned i = 0; i < PROCESSES; i++) {
            process[i] = mm_new();
            at[i] = map_anon(process[i], EACH * PAGE);
            __builtin_memset(content[i], 0, sizeof content[i]);
        }
        for (unsigned step = 0; step < 200; step++) {
            unsigned i = test_random_below(PROCESSES);
            run_on(process[i]);
            for (unsigned n = 0; n < 20; n++) {
                unsigned page = test_random_below(EACH);
                CHECK(holds(at[i] + page * PAGE, content[i][page]));
                content[i][page] = test_random();
                CHECK(poke(at[i] + page * PAGE, content[i][page]));
            }
        }
        quire_vm_check(test_vm);
        for (unsigned i = 0; i < PROCESSES; i++) {
            run_on(process[i]);
            for (unsigned page = 0; page < EACH; page++)
                CHECK(holds(at[i] + page * PAGE, content[i][page]));
            mm_end(process[i]);
        }
        run_on(rig.mm);
        swap_check_end();
    }
}

static const struct test_case cases[] = {
    TEST_CASE(dirty_pages_of_files_are_written_before_they_go),
    TEST_CASE(shared_memory_goes_to_swap),
    TEST_CASE(without_swappiness_only_files_go),
    TEST_CASE(the_peak_outlives_pages_however_they_go),
    TEST_CASE(locked_pages_stay),
    TEST_CASE(no_page_stays_locked_without_a_lock),
    TEST_CASE(given_up_memory_goes_without_swap_unless_it_was_written),
    TEST_CASE(given_up_memory_goes_even_if_there_is_no_swap),
    TEST_CASE(pages_go_on_request),
    TEST_CASE(cold_pages_go_first),
    TEST_CASE(a_page_that_comes_back_soon_is_counted_and_activated),
    TEST_CASE(refault_distance_is_what_was_evicted_meanwhile),
    TEST_CASE(the_background_reclaimer_is_woken_and_balances_the_node),
    TEST_CASE(reclaim_by_hand_knows_its_nodes),
    TEST_CASE(reclaim_by_hand_goes_on_until_enough_went),
    TEST_CASE(an_allocation_in_need_reclaims_for_itself),
    TEST_CASE(several_processes_in_too_little_memory_keep_their_content),
    {0},
};

const struct test_suite suite_vm_reclaim = {"vm_reclaim", cases};
