/* tests/unit/vm_userfault_test.c: faults that a monitor sees to */
#include <quire/userfault.h>

#include "tests/unit/vm_entries.h"
#include "tests/unit/vm_swap_machine.h"

/* What a monitor does with the faults that it is told of, at once: nobody else runs. */
enum answer { FILL_BYTES, FILL_ZERO, FILL_POISON, ALLOW, REFUSE };

struct watcher {
    struct quire_userfault *monitor;
    enum answer answer;
    bool protects; /* what it fills */
    unsigned nr_faults, nr_released;
    unsigned reason, flags; /* of the last */
    quire_linear_t address;
    int error; /* of its answer */
};

static uint64_t bytes[QUIRE_PAGE_SIZE / sizeof(uint64_t)];

static int answer_with(struct watcher *w, quire_linear_t at, enum quire_userfault_fill how)
{
    for (size_t i = 0; i < QUIRE_PAGE_SIZE / sizeof *bytes; i++)
        bytes[i] = at + i;
    return quire_userfault_fill(w->monitor, at, PAGE, how, bytes, w->protects);
}

static int asked(void *arg, quire_linear_t address, unsigned reason, unsigned flags)
{
    struct watcher *w = arg;
    quire_linear_t at = address & ~(PAGE - 1);
    w->nr_faults++;
    w->address = address;
    w->reason = reason;
    w->flags = flags;
    CHECK(quire_userfault_waits(w->monitor, address, flags & QUIRE_FAULT_FLAG_WRITE));
    switch (w->answer) {
    case FILL_BYTES:
        w->error = answer_with(w, at, QUIRE_USERFAULT_BYTES);
        return 0;
    case FILL_ZERO:
        w->error = answer_with(w, at, QUIRE_USERFAULT_ZERO);
        return 0;
    case FILL_POISON:
        w->error = answer_with(w, at, QUIRE_USERFAULT_POISON);
        return 0;
    case ALLOW:
        w->error = quire_userfault_protect(w->monitor, at, PAGE, false);
        return 0;
    default:
        return -QUIRE_EFAULT;
    }
}

static void released(void *arg)
{
    struct watcher *w = arg;
    w->nr_released++;
}

static void watch(struct watcher *w, struct quire_mm *mm, quire_linear_t at, uint64_t size,
                  unsigned modes)
{
    struct quire_userfault_config config = {.wait = asked, .release = released, .arg = w};
    *w = (struct watcher){0};
    CHECK_EQ(quire_userfault_create(&w->monitor, mm, &config), 0);
    CHECK_EQ(quire_userfault_register(w->monitor, at, size, modes), 0);
}

#define BOTH (QUIRE_USERFAULT_MISSING | QUIRE_USERFAULT_WP)

/* ---- missing pages --------------------------------------------------------------------------- */

static void body_missing(void)
{
    struct watcher w;
    struct quire_mm *mm = mm_new();
    quire_linear_t at = map_anon(mm, 8 * PAGE);
    run_on(mm);
    CHECK(poke(at + 4 * PAGE, 44));
    watch(&w, mm, at, 8 * PAGE, QUIRE_USERFAULT_MISSING);
    CHECK(holds(at + PAGE, at + PAGE));
    CHECK_EQ(w.nr_faults, 1);
    CHECK_EQ(w.reason, QUIRE_USERFAULT_MISSING);
    CHECK_EQ(w.address, at + PAGE);
    CHECK(poke(at + PAGE, 7)); /* it is as good as any */
    CHECK(poke(at + 2 * PAGE, 8));
    CHECK(w.flags & QUIRE_FAULT_FLAG_WRITE && w.flags & QUIRE_FAULT_FLAG_USER);
    CHECK(holds(at + 2 * PAGE + 8, at + 2 * PAGE + 1));
    w.answer = FILL_ZERO;
    CHECK(holds(at + 3 * PAGE, 0));
    CHECK(poke(at + 3 * PAGE, 9)); /* the page of zeros is copied as ever */
    CHECK(holds(at + 4 * PAGE, 44));
    CHECK_EQ(w.nr_faults, 3);
    CHECK_EQ(w.error, 0);
    CHECK_EQ(quire_userfault_fill(w.monitor, at + PAGE, PAGE, QUIRE_USERFAULT_ZERO, NULL, false),
             -QUIRE_EEXIST);
    CHECK_EQ(quire_madvise(mm, at + PAGE, PAGE, QUIRE_MADV_DONTNEED), 0);
    CHECK(holds(at + PAGE, 0));
    CHECK_EQ(w.nr_faults, 4);
    w.answer = FILL_POISON;
    uint64_t value;
    CHECK(!peek(at + 5 * PAGE, &value));
    CHECK_EQ(last_result, QUIRE_VM_BUS_ADRERR);
    check_reverse_maps();
    quire_userfault_destroy(w.monitor);
    CHECK_EQ(w.nr_released, 1);
    CHECK(holds(at + 6 * PAGE, 0));
    CHECK_EQ(w.nr_faults, 5);
    mm_end(mm);
}

static void a_missing_page_is_what_the_monitor_fills_in(void)
{
    on_machines_of_each_format(body_missing);
}

static void the_kernels_accesses_wait_or_fail(void)
{
    struct watcher w;
    if (!vm_boot(16 * MIB, QUIRE_PT_FORMAT_X86_64))
        return;
    struct quire_mm *mm = mm_new();
    quire_linear_t at = map_anon(mm, 4 * PAGE);
    uint64_t word = 0;
    watch(&w, mm, at, 4 * PAGE, BOTH);
    CHECK_EQ(quire_copy_from_user(mm, &word, at, sizeof word), 0);
    CHECK_EQ(word, at);
    CHECK(!(w.flags & QUIRE_FAULT_FLAG_USER));
    CHECK_EQ(quire_userfault_protect(w.monitor, at, PAGE, true), 0);
    w.answer = ALLOW;
    CHECK_EQ(quire_copy_to_user(mm, at, &word, sizeof word), 0);
    CHECK_EQ(w.reason, QUIRE_USERFAULT_WP);
    w.answer = REFUSE;
    CHECK_EQ(quire_copy_from_user(mm, &word, at + PAGE, sizeof word), sizeof word);
    CHECK_EQ(w.nr_faults, 3);
    CHECK_EQ(quire_mlock(mm, at, 4 * PAGE, 0), -QUIRE_ENOMEM); /* nobody is asked */
    CHECK_EQ(w.nr_faults, 3);
    quire_userfault_destroy(w.monitor);
    mm_end(mm);
    vm_end();
}

/* ---- protected pages ------------------------------------------------------------------------- */

static void body_protected(void)
{
    struct watcher w;
    struct quire_mm *mm = mm_new();
    quire_linear_t at = map_anon(mm, 6 * PAGE);
    run_on(mm);
    poke_pages(mm, at, 3, 100);
    CHECK(holds(at + 3 * PAGE, 0));
    watch(&w, mm, at, 6 * PAGE, BOTH);
    CHECK_EQ(quire_userfault_protect(w.monitor, at, 6 * PAGE, true), 0);
    check_pages(mm, at, 3, 100);
    CHECK_EQ(w.nr_faults, 0);
    w.answer = ALLOW;
    poke_pages(mm, at, 1, 200);
    CHECK_EQ(w.nr_faults, 1);
    CHECK_EQ(w.reason, QUIRE_USERFAULT_WP);
    CHECK(poke(at + 3 * PAGE, 5)); /* of zeros until now */
    CHECK_EQ(w.nr_faults, 2);
    CHECK_EQ(take_frame(page_of(mm, at + PAGE)), 0); /* moved, they are protected still */
    CHECK_EQ(quire_mprotect(mm, at + 2 * PAGE, PAGE, QUIRE_PROT_NONE), 0);
    CHECK_EQ(take_frame(page_of(mm, at + 2 * PAGE)), 0);
    CHECK_EQ(quire_mprotect(mm, at + 2 * PAGE, PAGE, READ_WRITE), 0);
    check_pages(mm, at + PAGE, 2, 101);
    CHECK_EQ(w.nr_faults, 2);
    poke_pages(mm, at + PAGE, 2, 300);
    CHECK_EQ(w.nr_faults, 4);
    w.answer = FILL_BYTES;
    w.protects = true;
    CHECK(holds(at + 4 * PAGE, at + 4 * PAGE));
    w.answer = ALLOW;
    CHECK(poke(at + 4 * PAGE, 6));
    CHECK_EQ(w.nr_faults, 6);
    CHECK_EQ(quire_userfault_protect(w.monitor, at, 2 * PAGE, true), 0);
    CHECK_EQ(quire_userfault_unregister(w.monitor, at, PAGE), 0);
    poke_pages(mm, at, 1, 400);
    CHECK_EQ(w.nr_faults, 6);
    quire_userfault_destroy(w.monitor);
    poke_pages(mm, at + PAGE, 1, 500);
    CHECK_EQ(w.nr_faults, 6);
    CHECK_EQ(mm_info(mm).nr_areas, 1); /* what was split is one again */
    mm_end(mm);
}

static void writes_to_protected_pages_are_the_monitors(void)
{
    on_machines_of_each_format(body_protected);
}

static void protection_outlasts_swap(void)
{
    struct watcher w;
    if (!swap_begin(8, STORE_PAGES))
        return;
    watch(&w, rig.mm, rig.at, 8 * PAGE, BOTH);
    w.answer = ALLOW;
    CHECK_EQ(quire_userfault_protect(w.monitor, rig.at, 4 * PAGE, true), 0);
    CHECK_EQ(swap_out_all(), 8);
    CHECK_EQ(quire_userfault_protect(w.monitor, rig.at + 6 * PAGE, PAGE, true), 0); /* out there */
    CHECK_EQ(quire_userfault_protect(w.monitor, rig.at + PAGE, PAGE, false), 0);
    for (unsigned i = 0; i < 8; i++)
        CHECK(poke(rig.at + i * PAGE, i));
    CHECK_EQ(w.nr_faults, 4); /* 0, 2, 3 and 6 */
    CHECK_EQ(w.error, 0);
    CHECK_EQ(w.reason, QUIRE_USERFAULT_WP);
    CHECK_EQ(quire_userfault_protect(w.monitor, rig.at, 2 * PAGE, true), 0);
    CHECK_EQ(swap_out_all(), 8);
    CHECK_EQ(quire_swapoff(test_vm, rig.area), 0);
    rig.area = -1;
    for (unsigned i = 0; i < 8; i++)
        CHECK(poke(rig.at + i * PAGE, i));
    CHECK_EQ(w.nr_faults, 6);
    quire_userfault_destroy(w.monitor);
    swap_check_end();
}

/* ---- areas ----------------------------------------------------------------------------------- */

static void children_and_what_is_moved_are_not_watched(void)
{
    struct watcher w;
    if (!vm_boot(16 * MIB, QUIRE_PT_FORMAT_X86_64))
        return;
    struct quire_mm *mm = mm_new();
    quire_linear_t at = map_anon(mm, 4 * PAGE), to = map_anon(mm, 2 * PAGE);
    poke_pages(mm, at, 1, 100);
    watch(&w, mm, at, 4 * PAGE, BOTH);
    w.answer = ALLOW;
    CHECK_EQ(quire_userfault_protect(w.monitor, at, PAGE, true), 0);
    struct quire_mm *child = fork_of(mm);
    poke_pages(child, at, 2, 200);
    CHECK_EQ(w.nr_faults, 0);
    poke_pages(mm, at, 1, 300);
    CHECK_EQ(w.nr_faults, 1);
    CHECK_EQ(quire_userfault_protect(w.monitor, at, PAGE, true), 0);
    CHECK_EQ(
        quire_mremap(mm, at, 2 * PAGE, 2 * PAGE, QUIRE_MREMAP_MAYMOVE | QUIRE_MREMAP_FIXED, to),
        (int64_t)to);
    poke_pages(mm, to, 2, 400);
    CHECK_EQ(w.nr_faults, 1);
    w.answer = FILL_BYTES;
    run_on(mm);
    CHECK(holds(at + 2 * PAGE, at + 2 * PAGE));
    CHECK_EQ(w.nr_faults, 2);
    check_reverse_maps();
    mm_end(child);
    mm_end(mm);
    CHECK_EQ(w.nr_released, 0);
    CHECK_EQ(quire_userfault_fill(w.monitor, at, PAGE, QUIRE_USERFAULT_ZERO, NULL, false),
             -QUIRE_ESRCH); /* the address space has ended */
    CHECK_EQ(quire_userfault_protect(w.monitor, at, PAGE, true), -QUIRE_ESRCH);
    quire_userfault_destroy(w.monitor);
    CHECK_EQ(w.nr_released, 1);
    vm_end();
}

/* Of present pages, of those that are swapped, and of those that nobody may access. */
static void protection_is_not_a_childs(void)
{
    struct watcher w, of_child;
    if (!swap_begin(12, STORE_PAGES))
        return;
    watch(&w, rig.mm, rig.at, 12 * PAGE, BOTH);
    CHECK_EQ(quire_userfault_protect(w.monitor, rig.at, 12 * PAGE, true), 0);
    CHECK_EQ(swap_out_all(), 12);
    for (unsigned i = 0; i < 8; i++)
        CHECK(holds(rig.at + i * PAGE, word_of(i) + 1));
    CHECK_EQ(quire_mprotect(rig.mm, rig.at, 4 * PAGE, QUIRE_PROT_NONE), 0);
    struct quire_mm *child = fork_of(rig.mm);
    CHECK_EQ(quire_mprotect(child, rig.at, 4 * PAGE, READ_WRITE), 0);
    watch(&of_child, child, rig.at, 12 * PAGE, BOTH);
    of_child.answer = ALLOW;
    poke_pages(child, rig.at, 12, 100);
    CHECK_EQ(of_child.nr_faults, 0);
    CHECK_EQ(w.nr_faults, 0);
    w.answer = ALLOW;
    CHECK_EQ(quire_mprotect(rig.mm, rig.at, 4 * PAGE, READ_WRITE), 0);
    poke_pages(rig.mm, rig.at, 12, 200);
    CHECK_EQ(w.nr_faults, 12); /* it still is the parent's */
    quire_userfault_destroy(of_child.monitor);
    quire_userfault_destroy(w.monitor);
    mm_end(child);
    run_on(rig.mm);
    swap_check_end();
}

static void ranges_that_cannot_be_watched_are_refused(void)
{
    struct watcher w, other;
    if (!vm_boot(16 * MIB, QUIRE_PT_FORMAT_X86_64))
        return;
    struct quire_mm *mm = mm_new();
    struct quire_mapping *file = file_of(2 * PAGE);
    quire_linear_t at = map_anon(mm, 4 * PAGE), above = map_anon(mm, PAGE);
    quire_linear_t private = map_file(mm, file, 0, PAGE, READ_WRITE, QUIRE_MAP_PRIVATE);
    watch(&w, mm, at, 2 * PAGE, QUIRE_USERFAULT_MISSING);
    watch(&other, mm, above, PAGE, BOTH);
    struct quire_userfault *m = w.monitor;
    CHECK_EQ(quire_userfault_register(m, at, PAGE, 0), -QUIRE_EINVAL);
    CHECK_EQ(quire_userfault_register(m, at, PAGE, 4), -QUIRE_EINVAL);
    CHECK_EQ(quire_userfault_register(m, at, 0, BOTH), -QUIRE_EINVAL);
    CHECK_EQ(quire_userfault_register(m, at + 1, PAGE, BOTH), -QUIRE_EINVAL);
    CHECK_EQ(quire_userfault_register(m, at, UINT64_MAX & ~(PAGE - 1), BOTH), -QUIRE_EINVAL);
    CHECK_EQ(quire_userfault_register(m, private, PAGE, BOTH), -QUIRE_EINVAL);
    CHECK_EQ(quire_userfault_register(m, above, PAGE, BOTH), -QUIRE_EBUSY);
    CHECK_EQ(quire_userfault_register(m, 4 * MIB, PAGE, BOTH), -QUIRE_EINVAL);
    CHECK_EQ(quire_userfault_register(m, mm_info(mm).total * PAGE + at + PAGE * 4096, PAGE, BOTH),
             -QUIRE_ENOMEM);
    CHECK_EQ(answer_with(&w, at + 2 * PAGE, QUIRE_USERFAULT_ZERO), -QUIRE_ENOENT);
    CHECK_EQ(answer_with(&w, at + 1, QUIRE_USERFAULT_ZERO), -QUIRE_EINVAL);
    w.protects = true;
    CHECK_EQ(answer_with(&w, at, QUIRE_USERFAULT_BYTES),
             -QUIRE_EINVAL); /* not watched for writes */
    CHECK_EQ(quire_userfault_protect(m, at, PAGE, true), -QUIRE_ENOENT);
    CHECK_EQ(quire_userfault_protect(m, at, PAGE + 1, true), -QUIRE_EINVAL);
    CHECK_EQ(quire_userfault_unregister(m, at + 1, PAGE), -QUIRE_EINVAL);
    CHECK_EQ(quire_userfault_unregister(m, above, PAGE), -QUIRE_EINVAL);
    CHECK(quire_userfault_waits(other.monitor, above, false));
    CHECK_EQ(quire_userfault_unregister(m, at, PAGE), 0); /* more than that is in the area */
    CHECK_EQ(quire_userfault_unregister(m, at, PAGE), 0);
    CHECK_EQ(quire_userfault_unregister(m, at, 4 * PAGE), 0);
    CHECK(!quire_userfault_waits(m, at, false));
    quire_userfault_destroy(w.monitor);
    quire_userfault_destroy(other.monitor);
    mm_end(mm);
    quire_mapping_put(file);
    vm_end();
}

static const struct test_case cases[] = {
    TEST_CASE(a_missing_page_is_what_the_monitor_fills_in),
    TEST_CASE(the_kernels_accesses_wait_or_fail),
    TEST_CASE(writes_to_protected_pages_are_the_monitors),
    TEST_CASE(protection_outlasts_swap),
    TEST_CASE(children_and_what_is_moved_are_not_watched),
    TEST_CASE(protection_is_not_a_childs),
    TEST_CASE(ranges_that_cannot_be_watched_are_refused),
    {0},
};
const struct test_suite suite_vm_userfault = {"vm_userfault", cases};
