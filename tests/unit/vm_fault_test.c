/* tests/unit/vm_fault_test.c: faults on anonymous memory, copy on write, fork, and the kernel's
 * access
 */
#include "tests/unit/vm_machine.h"
#include "vm/internal.h"

static const enum quire_pt_format_id formats[] = {QUIRE_PT_FORMAT_X86_64, QUIRE_PT_FORMAT_I386,
                                                  QUIRE_PT_FORMAT_PAE};
#define NR_FORMATS (sizeof formats / sizeof formats[0])

/* Runs `body` on a fresh machine of each format. */
static void on_each_format(void (*body)(void))
{
    for (unsigned i = 0; i < NR_FORMATS; i++) {
        if (!vm_boot(16 * MIB, formats[i]))
            return;
        body();
        vm_end();
    }
}

static void body_first_touch(void)
{
    struct quire_mm *mm = mm_new();
    quire_linear_t at = map_anon(mm, 4 * PAGE);
    run_on(mm);
    CHECK(holds(at, 0));
    CHECK_EQ(mm_info(mm).rss_anon, 0);
    CHECK(poke(at, 42));
    CHECK(poke(at + PAGE, 43));
    CHECK(holds(at, 42));
    CHECK(holds(at + PAGE, 43));
    CHECK(holds(at + 2 * PAGE, 0));
    struct quire_mm_info info = mm_info(mm);
    CHECK_EQ(info.rss_anon, 2);
    CHECK_EQ(info.min_flt, 4); /* read, write, write, read */
    CHECK_EQ(info.maj_flt, 0);
    quire_vm_check(test_vm);
    mm_end(mm);
}

static void first_touch_gives_zeros_and_writes_stay(void)
{
    on_each_format(body_first_touch);
}

static void accesses_that_are_not_allowed_say_why(void)
{
    if (!vm_boot(16 * MIB, QUIRE_PT_FORMAT_X86_64))
        return;
    struct quire_mm *mm = mm_new();
    uint64_t value;
    run_on(mm);
    quire_linear_t at = map_anon(mm, 2 * PAGE);
    CHECK(!peek(at - PAGE, &value));
    CHECK_EQ(last_result, QUIRE_VM_SEGV_MAPERR);
    CHECK_EQ(quire_mprotect(mm, at, PAGE, QUIRE_PROT_READ), 0);
    CHECK(holds(at, 0));
    CHECK(!poke(at, 1));
    CHECK_EQ(last_result, QUIRE_VM_SEGV_ACCERR);
    CHECK_EQ(quire_mprotect(mm, at, PAGE, QUIRE_PROT_NONE), 0);
    last_result = QUIRE_VM_MINOR;
    CHECK(!peek(at, &value));
    CHECK_EQ(last_result, QUIRE_VM_SEGV_ACCERR);
    CHECK(!quire_sim_fetch(&sim_cpus[0], at + PAGE, &value, 4));
    CHECK_EQ(last_result, QUIRE_VM_SEGV_ACCERR);
    mm_end(mm);
    vm_end();
}

static void body_protection(void)
{
    struct quire_mm *mm = mm_new(), *child;
    quire_linear_t at = map_anon(mm, 8 * PAGE);
    run_on(mm);
    for (unsigned i = 0; i < 8; i++)
        CHECK(poke(at + i * PAGE, 100 + i));
    CHECK_EQ(quire_mprotect(mm, at + PAGE, 4 * PAGE, QUIRE_PROT_NONE), 0);
    CHECK_EQ(quire_mm_fork(&child, mm), 0);
    CHECK_EQ(quire_mprotect(mm, at + PAGE, 4 * PAGE, QUIRE_PROT_READ | QUIRE_PROT_WRITE), 0);
    for (unsigned i = 0; i < 8; i++)
        CHECK(holds(at + i * PAGE, 100 + i) && poke(at + i * PAGE, 200 + i));
    CHECK_EQ(quire_mprotect(child, at, 8 * PAGE, QUIRE_PROT_READ), 0);
    run_on(child);
    for (unsigned i = 0; i < 8; i++)
        CHECK(holds(at + i * PAGE, 100 + i));
    CHECK(!poke(at, 1));
    quire_vm_check(test_vm);
    mm_end(child);
    mm_end(mm);
}

static void content_survives_changes_of_protection(void)
{
    on_each_format(body_protection);
}

/* A chain of forks: each child writes one page, then forks. */
#define CHAIN 12u
static void body_chain(void)
{
    struct quire_mm *mm[CHAIN];
    mm[0] = mm_new();
    quire_linear_t at = map_anon(mm[0], CHAIN * PAGE);
    run_on(mm[0]);
    for (unsigned i = 0; i < CHAIN; i++)
        CHECK(poke(at + i * PAGE, i));
    for (unsigned i = 1; i < CHAIN; i++) {
        mm[i] = NULL;
        CHECK_EQ(quire_mm_fork(&mm[i], mm[i - 1]), 0);
        run_on(mm[i]);
        CHECK(poke(at + i * PAGE, 1000 + i));
        quire_vm_check(test_vm);
    }
    for (unsigned i = 0; i < CHAIN; i++) {
        run_on(mm[i]);
        for (unsigned j = 0; j < CHAIN; j++)
            CHECK(holds(at + j * PAGE, j && j <= i ? 1000 + j : j));
    }
    /* The middle goes first. */
    for (unsigned i = 0; i < CHAIN; i++)
        mm_end(mm[(i + CHAIN / 2) % CHAIN]);
}

static void a_chain_of_forks_keeps_what_each_wrote(void)
{
    on_each_format(body_chain);
}

static void the_last_user_of_a_page_writes_without_a_copy(void)
{
    if (!vm_boot(16 * MIB, QUIRE_PT_FORMAT_X86_64))
        return;
    struct quire_mm *mm = mm_new(), *child;
    quire_linear_t at = map_anon(mm, PAGE);
    struct quire_page *before, *after;
    run_on(mm);
    CHECK(poke(at, 1));
    CHECK_EQ(quire_get_user_page(mm, at, false, &before), 0);
    quire_put_user_page(test_vm, before, false);
    CHECK_EQ(quire_mm_fork(&child, mm), 0);
    mm_end(child);
    CHECK(poke(at, 2));
    CHECK_EQ(quire_get_user_page(mm, at, false, &after), 0);
    quire_put_user_page(test_vm, after, false);
    CHECK(before == after);
    mm_end(mm);
    vm_end();
}

static void fork_counts_what_the_child_has(void)
{
    if (!vm_boot(16 * MIB, QUIRE_PT_FORMAT_X86_64))
        return;
    struct quire_mm *mm = mm_new(), *child;
    quire_linear_t at = map_anon(mm, 600 * PAGE);
    quire_linear_t gone = map_anon(mm, PAGE), wiped;
    run_on(mm);
    for (unsigned i = 0; i < 600; i++)
        CHECK(poke(at + i * PAGE, i));
    CHECK(poke(gone, 1));
    wiped = map_anon(mm, PAGE);
    CHECK(poke(wiped, 1));
    CHECK_EQ(quire_madvise(mm, gone, PAGE, QUIRE_MADV_DONTFORK), 0);
    CHECK_EQ(quire_madvise(mm, wiped, PAGE, QUIRE_MADV_WIPEONFORK), 0);
    CHECK_EQ(quire_mm_fork(&child, mm), 0);
    CHECK_EQ(mm_info(child).rss_anon, 600);
    CHECK_EQ(mm_info(child).total, 601);
    run_on(child);
    uint64_t value;
    CHECK(holds(wiped, 0));
    CHECK(!peek(gone, &value));
    quire_vm_check(test_vm);
    mm_end(child);
    mm_end(mm);
    vm_end();
}

static void a_stack_grows_when_it_is_touched(void)
{
    if (!vm_boot(16 * MIB, QUIRE_PT_FORMAT_X86_64))
        return;
    struct quire_mm *mm = mm_new();
    quire_linear_t top = 0x7ffff0000000, value;
    CHECK_EQ((uint64_t)quire_mmap(mm, top - 2 * PAGE, 2 * PAGE, QUIRE_PROT_READ | QUIRE_PROT_WRITE,
                                  QUIRE_MAP_PRIVATE | QUIRE_MAP_ANONYMOUS | QUIRE_MAP_FIXED |
                                      QUIRE_MAP_GROWSDOWN,
                                  NULL, 0),
             top - 2 * PAGE);
    run_on(mm);
    CHECK(poke(top - 100 * PAGE, 7));
    CHECK_EQ(mm_info(mm).total, 100);
    CHECK_EQ(quire_copy_to_user(mm, top - 120 * PAGE, "stack", 6), 0);
    CHECK_EQ(mm_info(mm).total, 120);
    quire_mm_set_limit(mm, QUIRE_LIMIT_STACK, 150 * PAGE);
    CHECK(!peek(top - 151 * PAGE, &value));
    CHECK_EQ(last_result, QUIRE_VM_SEGV_MAPERR);
    CHECK(poke(top - 150 * PAGE, 7));
    mm_end(mm);
    vm_end();
}

static void the_kernel_copies_across_pages_and_stops_at_holes(void)
{
    if (!vm_boot(16 * MIB, QUIRE_PT_FORMAT_X86_64))
        return;
    static char buffer[3 * 4096], back[3 * 4096];
    struct quire_mm *mm = mm_new();
    quire_linear_t at = map_anon(mm, 4 * PAGE);
    for (size_t i = 0; i < sizeof buffer; i++)
        buffer[i] = (char)(i * 7 + 1);
    CHECK_EQ(quire_copy_to_user(mm, at + 100, buffer, sizeof buffer), 0);
    CHECK_EQ(quire_copy_from_user(mm, back, at + 100, sizeof back), 0);
    CHECK(!__builtin_memcmp(buffer, back, sizeof back));
    CHECK_EQ(quire_clear_user(mm, at + 200, 5000), 0);
    CHECK_EQ(quire_copy_from_user(mm, back, at + 100, sizeof back), 0);
    CHECK(back[99] == buffer[99] && back[100] == 0 && back[5099] == 0 &&
          back[5100] == buffer[5100]);
    CHECK_EQ(quire_munmap(mm, at + 2 * PAGE, PAGE), 0);
    CHECK_EQ(quire_copy_from_user(mm, back, at, sizeof back), PAGE);
    CHECK_EQ(quire_copy_to_user(mm, at + PAGE + 10, buffer, PAGE), 10);
    CHECK_EQ(quire_copy_from_user(mm, back, (quire_linear_t)-100, 200), 200);
    CHECK_EQ(quire_mprotect(mm, at, PAGE, QUIRE_PROT_NONE), 0);
    CHECK_EQ(quire_copy_from_user(mm, back, at, 8), 8);
    CHECK_EQ(quire_copy_to_user(mm, at, back, 8), 8);
    CHECK_EQ(quire_mprotect(mm, at, PAGE, QUIRE_PROT_READ), 0);
    CHECK_EQ(quire_copy_from_user(mm, back, at, 8), 0);
    CHECK_EQ(quire_copy_to_user(mm, at, back, 8), 8);
    mm_end(mm);
    vm_end();
}

static void strings_end_at_their_nul_or_at_a_hole(void)
{
    if (!vm_boot(16 * MIB, QUIRE_PT_FORMAT_X86_64))
        return;
    char text[64];
    struct quire_mm *mm = mm_new();
    quire_linear_t at = map_anon(mm, 2 * PAGE), end = at + 2 * PAGE;
    CHECK_EQ(quire_copy_to_user(mm, at + PAGE - 5, "0123456789", 11), 0);
    CHECK_EQ(quire_strncpy_from_user(mm, text, at + PAGE - 5, sizeof text), 10);
    CHECK(!__builtin_memcmp(text, "0123456789", 11));
    CHECK_EQ(quire_strncpy_from_user(mm, text, at + PAGE - 5, 4), 4);
    CHECK_EQ(quire_strnlen_user(mm, at + PAGE - 5, 100), 11);
    CHECK_EQ(quire_strnlen_user(mm, at + PAGE - 5, 4), 5);
    CHECK_EQ(quire_copy_to_user(mm, end - 3, "xyz", 3), 0);
    CHECK_EQ((uint64_t)quire_strncpy_from_user(mm, text, end - 3, sizeof text),
             (uint64_t)-QUIRE_EFAULT);
    CHECK_EQ(quire_strnlen_user(mm, end - 3, 100), 0);
    CHECK_EQ(quire_copy_to_user(mm, end - 3, "xy", 3), 0);
    CHECK_EQ(quire_strncpy_from_user(mm, text, end - 3, sizeof text), 2);
    mm_end(mm);
    vm_end();
}

static void mincore_tells_what_is_in_memory(void)
{
    if (!vm_boot(16 * MIB, QUIRE_PT_FORMAT_X86_64))
        return;
    unsigned char vec[6] = {9, 9, 9, 9, 9, 9};
    struct quire_mm *mm = mm_new();
    quire_linear_t at = map_anon(mm, 5 * PAGE);
    run_on(mm);
    CHECK(poke(at + PAGE, 1) && poke(at + 4 * PAGE, 1));
    CHECK_EQ(quire_mincore(mm, at, 5 * PAGE, vec), 0);
    CHECK(!vec[0] && vec[1] && !vec[2] && !vec[3] && vec[4] && vec[5] == 9);
    CHECK_EQ(quire_mincore(mm, at + 1, PAGE, vec), -QUIRE_EINVAL);
    CHECK_EQ(quire_mincore(mm, at, 6 * PAGE, vec), -QUIRE_ENOMEM);
    CHECK_EQ(quire_mincore(mm, 0x7fffffffe000, UINT64_MAX, vec), -QUIRE_ENOMEM);
    CHECK_EQ(quire_mincore(mm, at, 0, vec), 0);
    mm_end(mm);
    vm_end();
}

static void body_move(void)
{
    struct quire_mm *mm = mm_new(), *child;
    quire_linear_t at = map_anon(mm, 700 * PAGE);
    run_on(mm);
    for (unsigned i = 0; i < 700; i += 3)
        CHECK(poke(at + i * PAGE, i + 1));
    CHECK_EQ(quire_mm_fork(&child, mm), 0);
    int64_t to = quire_mremap(mm, at, 700 * PAGE, 900 * PAGE, QUIRE_MREMAP_MAYMOVE, 0);
    REQUIRE(to > 0);
    for (unsigned i = 0; i < 900; i++)
        CHECK(holds((quire_linear_t)to + i * PAGE, i < 700 && i % 3 == 0 ? i + 1 : 0));
    CHECK(poke((quire_linear_t)to, 99));
    run_on(child);
    CHECK(holds(at, 1));
    quire_vm_check(test_vm);
    mm_end(child);
    mm_end(mm);
}

static void mremap_moves_content(void)
{
    on_each_format(body_move);
}

/* As many pages as the machine has: the last ones can't be had, and nothing is lost. */
static void without_memory_a_fault_says_so(void)
{
    if (!vm_boot(4 * MIB, QUIRE_PT_FORMAT_X86_64))
        return;
    CHECK_EQ(quire_vm_set_overcommit(test_vm, QUIRE_OVERCOMMIT_ALWAYS, 50), 0);
    struct quire_mm *mm = mm_new();
    quire_linear_t at = map_anon(mm, 2048 * PAGE);
    unsigned pages = 0;
    run_on(mm);
    while (pages < 2048 && poke(at + pages * PAGE, pages))
        pages++;
    CHECK(pages > 500 && pages < 1024);
    CHECK_EQ(last_result, QUIRE_VM_OOM);
    for (unsigned i = 0; i < pages; i++)
        CHECK(holds(at + i * PAGE, i));
    quire_vm_check(test_vm);
    struct quire_mm *child = NULL;
    CHECK_EQ(quire_mm_fork(&child, mm), -QUIRE_ENOMEM);
    CHECK_EQ(quire_munmap(mm, at + 100 * PAGE, 100 * PAGE), 0);
    CHECK_EQ(quire_mm_fork(&child, mm), 0);
    mm_end(child);
    mm_end(mm);
    vm_end();
}

static void swapoff_gives_nobody_a_page_of_prot_none_memory(void)
{
    if (!vm_boot(16 * MIB, QUIRE_PT_FORMAT_X86_64))
        return;
    struct quire_mm *mm = mm_new();
    int area = swap_of(16);
    quire_linear_t at = map_anon(mm, PAGE);
    run_on(mm);
    CHECK(poke(at, 42));
    CHECK_EQ(quire_mprotect(mm, at, PAGE, QUIRE_PROT_NONE), 0);
    for (unsigned i = 0; mm_info(mm).swap == 0 && i < 10; i++)
        (void)quire_vm_reclaim(test_vm, 0, 100);
    CHECK_EQ(mm_info(mm).swap, 1);
    CHECK_EQ(quire_swapoff(test_vm, area), 0);
    CHECK_EQ(mm_info(mm).swap, 0);
    last_result = QUIRE_VM_MINOR;
    CHECK(!holds(at, 42));
    CHECK_EQ(last_result, QUIRE_VM_SEGV_ACCERR);
    CHECK_EQ(quire_mprotect(mm, at, PAGE, QUIRE_PROT_READ | QUIRE_PROT_EXEC), 0);
    CHECK(holds(at, 42));
    struct quire_pt_query query;
    CHECK_EQ(quire_query(quire_mm_pgtable(mm), at, &query), 0);
    CHECK(!(query.entry & QUIRE_PTE_NX));
    mm_end(mm);
    vm_end();
}

/* ---- counts ---------------------------------------------------------------------------------- */

#define COUNTED 4u
static char bytes[COUNTED * QUIRE_PAGE_SIZE];

static void reach_by_copy_from(struct quire_mm *mm, quire_linear_t at)
{
    CHECK_EQ(quire_copy_from_user(mm, bytes, at, sizeof bytes), 0);
}

static void reach_by_copy_to(struct quire_mm *mm, quire_linear_t at)
{
    CHECK_EQ(quire_copy_to_user(mm, at, bytes, sizeof bytes), 0);
}

static void reach_by_clear(struct quire_mm *mm, quire_linear_t at)
{
    CHECK_EQ(quire_clear_user(mm, at, sizeof bytes), 0);
}

static void reach_by_strings(struct quire_mm *mm, quire_linear_t at)
{
    for (unsigned i = 0; i < COUNTED / 2; i++)
        CHECK_EQ(quire_strncpy_from_user(mm, bytes, at + i * PAGE, sizeof bytes), 0);
    for (unsigned i = COUNTED / 2; i < COUNTED; i++)
        CHECK_EQ(quire_strnlen_user(mm, at + i * PAGE, sizeof bytes), 1);
}

static void reach_by_pinning(struct quire_mm *mm, quire_linear_t at)
{
    for (unsigned i = 0; i < COUNTED; i++) {
        struct quire_page *page = NULL;
        CHECK_EQ(quire_get_user_page(mm, at + i * PAGE, true, &page), 0);
        quire_put_user_page(test_vm, page, false);
    }
}

static void reach_by_mlock(struct quire_mm *mm, quire_linear_t at)
{
    CHECK_EQ(quire_mlock(mm, at, COUNTED * PAGE, 0), 0);
}

static void reach_by_advice(struct quire_mm *mm, quire_linear_t at)
{
    CHECK_EQ(quire_madvise(mm, at, COUNTED * PAGE, QUIRE_MADV_POPULATE_WRITE), 0);
}

static void reach_by_mmap(struct quire_mm *mm, quire_linear_t at)
{
    const unsigned flags =
        QUIRE_MAP_PRIVATE | QUIRE_MAP_ANONYMOUS | QUIRE_MAP_FIXED | QUIRE_MAP_POPULATE;
    CHECK_EQ(quire_mmap(mm, at, COUNTED * PAGE, QUIRE_PROT_READ | QUIRE_PROT_WRITE, flags, NULL, 0),
             at);
}

static void check_counts(struct quire_mm *mm, unsigned long minor, unsigned long major,
                         unsigned long all)
{
    CHECK_EQ(mm_info(mm).min_flt, minor);
    CHECK_EQ(mm_info(mm).maj_flt, major);
    CHECK_EQ(test_vm->event[VM_PGFAULT], all);
    CHECK_EQ(test_vm->event[VM_PGMAJFAULT], major);
}

static void faults_that_the_kernel_makes_itself_are_counted(void)
{
    static void (*const reach[])(struct quire_mm *, quire_linear_t) = {
        reach_by_copy_from, reach_by_copy_to, reach_by_clear,  reach_by_strings,
        reach_by_pinning,   reach_by_mlock,   reach_by_advice,
    };
    for (unsigned i = 0; i < sizeof reach / sizeof reach[0]; i++) {
        if (!vm_boot(16 * MIB, QUIRE_PT_FORMAT_X86_64))
            return;
        struct quire_mm *mm = mm_new();
        quire_linear_t at = map_anon(mm, COUNTED * PAGE);
        for (unsigned round = 0; round < 2; round++) {
            reach[i](mm, at); /* the second time all is there */
            check_counts(mm, COUNTED, 0, COUNTED);
        }
        reach_by_mmap(mm, at);
        check_counts(mm, 2 * COUNTED, 0, 2 * COUNTED);
        quire_mm_put(mm);
        vm_end();
    }
}

/* Linux counts among all faults those that it tried in vain, but not who had no right to. */
static void faults_that_fail_are_nobodys(void)
{
    if (!vm_boot(16 * MIB, QUIRE_PT_FORMAT_X86_64))
        return;
    struct quire_mm *mm = mm_new();
    struct quire_mapping *file = file_of(PAGE);
    uint64_t value;
    run_on(mm);
    quire_linear_t at = map_file(mm, file, 0, PAGE, QUIRE_PROT_READ, QUIRE_MAP_PRIVATE);
    CHECK(!peek(at - PAGE, &value));
    CHECK_EQ(last_result, QUIRE_VM_SEGV_MAPERR);
    CHECK(!poke(at, 1));
    CHECK_EQ(last_result, QUIRE_VM_SEGV_ACCERR);
    CHECK_EQ(quire_copy_from_user(mm, &value, at - PAGE, sizeof value), sizeof value);
    CHECK_EQ(quire_copy_to_user(mm, at, &value, sizeof value), sizeof value);
    check_counts(mm, 0, 0, 0);
    file_store.broken = true;
    CHECK_EQ(quire_copy_from_user(mm, &value, at, sizeof value), sizeof value);
    check_counts(mm, 0, 0, 1);
    CHECK(!peek(at, &value));
    check_counts(mm, 0, 0, 2);
    file_store.broken = false;
    CHECK_EQ(quire_copy_from_user(mm, &value, at, sizeof value), 0);
    CHECK_EQ(value, word_of(0));
    check_counts(mm, 0, 1, 3);
    mm_end(mm);
    quire_mapping_put(file);
    vm_end();
}

static const struct test_case cases[] = {
    TEST_CASE(first_touch_gives_zeros_and_writes_stay),
    TEST_CASE(accesses_that_are_not_allowed_say_why),
    TEST_CASE(content_survives_changes_of_protection),
    TEST_CASE(a_chain_of_forks_keeps_what_each_wrote),
    TEST_CASE(the_last_user_of_a_page_writes_without_a_copy),
    TEST_CASE(fork_counts_what_the_child_has),
    TEST_CASE(a_stack_grows_when_it_is_touched),
    TEST_CASE(the_kernel_copies_across_pages_and_stops_at_holes),
    TEST_CASE(strings_end_at_their_nul_or_at_a_hole),
    TEST_CASE(mincore_tells_what_is_in_memory),
    TEST_CASE(mremap_moves_content),
    TEST_CASE(without_memory_a_fault_says_so),
    TEST_CASE(swapoff_gives_nobody_a_page_of_prot_none_memory),
    TEST_CASE(faults_that_the_kernel_makes_itself_are_counted),
    TEST_CASE(faults_that_fail_are_nobodys),
    {0},
};
const struct test_suite suite_vm_fault = {"vm_fault", cases};
