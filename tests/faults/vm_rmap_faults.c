/* tests/faults/vm_rmap_faults.c: what shares or moves areas fails at each allocation, and leaves
 * every page with exactly the reverse maps that it needs
 *
 * An operation runs on a process with many areas again and again: the first time its first
 * allocation of pages or objects fails, then its second, until it gets by without a failure; and
 * all of that once more with everything failing from there on. Objects that caches have at hand
 * don't fail, so there are as many areas as make caches grow while the operation runs.
 */
#include "tests/unit/vm_entries.h"

#define AREAS 160u

static unsigned long calls, first_failure;

static bool fails(void *arg)
{
    (void)arg;
    return ++calls >= first_failure;
}

static void fail_from(unsigned long number)
{
    calls = 0;
    first_failure = number;
}

static struct quire_mm *mm, *child;
static struct quire_mapping *file;
static quire_linear_t areas[AREAS], second[AREAS]; /* where each one's two pages are */

/* Two pages each; every fourth is the file's. */
static void make_areas(void)
{
    run_on(mm);
    for (unsigned i = 0; i < AREAS; i++) {
        bool of_file = i % 4 == 3;
        areas[i] = map_file(mm, of_file ? file : NULL, 0, 2 * PAGE, READ_WRITE,
                            of_file ? QUIRE_MAP_PRIVATE : QUIRE_MAP_PRIVATE | QUIRE_MAP_ANONYMOUS);
        second[i] = areas[i] + PAGE;
        CHECK(poke(areas[i], i) && poke(second[i], AREAS + i));
        /* So that neighbours stay apart. */
        CHECK_EQ(
            quire_madvise(mm, areas[i], 2 * PAGE, i % 2 ? QUIRE_MADV_DONTDUMP : QUIRE_MADV_DODUMP),
            0);
    }
}

static void check_areas(struct quire_mm *of)
{
    run_on(of);
    for (unsigned i = 0; i < AREAS; i++)
        CHECK(holds(areas[i], i) && holds(second[i], AREAS + i));
}

/* ---- the operations -------------------------------------------------------------------------- */

static int fork_all(void)
{
    return quire_mm_fork(&child, mm);
}

/* Each area becomes two, until one can't. */
static int split_each(void)
{
    for (unsigned i = 0; i < AREAS; i++) {
        int error = quire_mprotect(mm, areas[i] + PAGE, PAGE, QUIRE_PROT_READ);
        if (error)
            return error;
    }
    return 0;
}

/* The upper page of each goes elsewhere, if an earlier try hasn't brought it there. */
static int move_each(void)
{
    for (unsigned i = 0; i < AREAS; i++) {
        quire_linear_t to = 0x10000000 + 4 * i * PAGE;
        int64_t at = second[i] == to ? (int64_t)to
                                     : quire_mremap(mm, second[i], PAGE, PAGE,
                                                    QUIRE_MREMAP_MAYMOVE | QUIRE_MREMAP_FIXED, to);
        if (at < 0)
            return (int)at;
        second[i] = to;
    }
    return 0;
}

/* Writes where nothing was written yet: the areas that are new. */
static int touch_new(void)
{
    for (unsigned i = 0; i < AREAS; i++) {
        quire_linear_t at = 0x20000000 + 4 * i * PAGE;
        int64_t mapped =
            quire_mmap(mm, at, PAGE, READ_WRITE,
                       QUIRE_MAP_PRIVATE | QUIRE_MAP_ANONYMOUS | QUIRE_MAP_FIXED, NULL, 0);
        if (mapped < 0)
            return (int)mapped;
        if (quire_handle_fault(mm, at, QUIRE_FAULT_FLAG_WRITE, NULL) == QUIRE_VM_OOM)
            return -QUIRE_ENOMEM;
    }
    return 0;
}

/* ---- the runs -------------------------------------------------------------------------------- */

static bool start(void)
{
    static const struct quire_slab_config failing = {.fail = fails};
    fail_from(~0ul);
    vm_slab_config = &failing;
    bool booted = vm_boot(16 * MIB, QUIRE_PT_FORMAT_X86_64);
    vm_slab_config = NULL;
    if (!booted)
        return false;
    mm = mm_new();
    child = NULL;
    file = file_of(2 * PAGE);
    make_areas();
    return true;
}

static void check(void)
{
    check_reverse_maps();
    quire_vm_check(test_vm);
    check_areas(mm);
    if (!child)
        return;
    check_areas(child);
    mm_end(child);
    child = NULL;
}

/* It can be had when there is memory again. */
static void end(int (*operation)(void), int error)
{
    CHECK(!error || error == -QUIRE_ENOMEM);
    CHECK(!error || !child);
    check();
    if (error) {
        CHECK_EQ(operation(), 0);
        check();
    }
    mm_end(mm);
    quire_mapping_put(file);
    vm_end();
}

static void fail_each(int (*operation)(void))
{
    unsigned errors = 0;
    bool failed = true;
    for (unsigned long number = 1; failed; number++) {
        if (!start())
            return;
        fail_from(number);
        int error = operation();
        failed = calls >= first_failure;
        fail_from(~0ul);
        CHECK(!error || failed);
        errors += error != 0;
        end(operation, error);
    }
    CHECK(errors > 1);
}

static void starve(int (*operation)(void))
{
    int error = -QUIRE_ENOMEM;
    for (unsigned left = 0; error; left += 1 + left / 8) {
        struct quire_page *chain;
        if (!start())
            return;
        (void)quire_drop_caches(test_vm);
        take_pages(QUIRE_GFP_NOWAIT | QUIRE_GFP_MEMALLOC | QUIRE_GFP_NOWARN, ~0ul, &chain);
        for (unsigned i = 0; i < left && chain; i++) {
            struct quire_page *page = chain;
            chain = page->owner.pointer[0];
            quire_free_page(machine.mem, page);
        }
        error = operation();
        CHECK(!error || left < 1000);
        free_chain(chain);
        end(operation, error);
    }
}

static void a_fork_that_fails_leaves_the_parent_as_it_was(void)
{
    fail_each(fork_all);
    starve(fork_all);
}

static void splits_that_fail_leave_areas_whole(void)
{
    fail_each(split_each);
    starve(split_each);
}

static void moves_that_fail_leave_pages_where_they_were(void)
{
    fail_each(move_each);
    starve(move_each);
}

static void first_pages_that_fail_leave_nothing(void)
{
    fail_each(touch_new);
    starve(touch_new);
}

static const struct test_case cases[] = {
    TEST_CASE(a_fork_that_fails_leaves_the_parent_as_it_was),
    TEST_CASE(splits_that_fail_leave_areas_whole),
    TEST_CASE(moves_that_fail_leave_pages_where_they_were),
    TEST_CASE(first_pages_that_fail_leave_nothing),
    {0},
};
const struct test_suite suite_vm_rmap_faults = {"vm_rmap_faults", cases};
