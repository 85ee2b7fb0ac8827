/* tests/unit/vm_ksm_test.c: pages of the same content become one */
#include <quire/ksm.h>

#include <quire/numa.h>
#include <quire/userfault.h>

#include "tests/unit/vm_entries.h"
#include "vm/ksm_tree.h"
#include "vm/oom.h"

#define ALL 100000u

static struct quire_ksm_info info_now(void)
{
    struct quire_ksm_info info;
    quire_ksm_info(test_vm, &info);
    return info;
}

/* As many whole scans as a page needs to be known, found alike, and merged. */
static struct quire_ksm_info after_scans(void)
{
    for (unsigned i = 0; i < 3; i++)
        (void)quire_ksm_scan(test_vm, ALL);
    return info_now();
}

static quire_linear_t mergeable(struct quire_mm *mm, unsigned pages)
{
    quire_linear_t at = map_anon(mm, pages * PAGE);
    CHECK_EQ(quire_madvise(mm, at, pages * PAGE, QUIRE_MADV_MERGEABLE), 0);
    return at;
}

/* All pages with the same bytes. */
static void write_same(struct quire_mm *mm, quire_linear_t at, unsigned pages, uint64_t value)
{
    for (unsigned i = 0; i < pages; i++)
        poke_pages(mm, at + i * PAGE, 1, value);
}

static bool has_same(struct quire_mm *mm, quire_linear_t at, unsigned pages, uint64_t value)
{
    bool same = true;
    run_on(mm);
    for (unsigned i = 0; i < pages; i++)
        same &= holds(at + i * PAGE, value);
    return same;
}

static void body_merged(void)
{
    struct quire_mm *one = mm_new(), *two = mm_new();
    quire_linear_t a = mergeable(one, 8), b = mergeable(two, 8), other = map_anon(one, 2 * PAGE);
    CHECK_EQ(info_now().shared, 0);
    write_same(one, a, 8, 7);
    write_same(two, b, 6, 7);
    write_same(two, b + 6 * PAGE, 1, 8);
    write_same(one, other, 2, 7);
    struct quire_ksm_info info = after_scans();
    CHECK_EQ(info.shared, 1);
    CHECK_EQ(info.sharing, 13);
    CHECK_EQ(info.unshared, 1);
    CHECK_EQ(info.changing, 0);
    CHECK_EQ(info.full_scans, 3);
    CHECK(page_of(one, a) == page_of(two, b + 5 * PAGE));
    CHECK(page_of(one, other) != page_of(one, a)); /* nobody asked for it */
    CHECK(has_same(one, a, 8, 7) && has_same(two, b, 6, 7) && has_same(two, b + 6 * PAGE, 1, 8));
    CHECK_EQ(mm_info(one).rss_anon, 10);
    write_same(one, a, 1, 9); /* a copy */
    CHECK(has_same(one, a, 1, 9) && has_same(one, a + PAGE, 7, 7) && has_same(two, b, 6, 7));
    CHECK_EQ(info_now().sharing, 12);
    CHECK_EQ(take_frame(page_of(two, b)), -QUIRE_EBUSY); /* it can't be moved */
    struct quire_mm *child = fork_of(two);
    write_same(child, b, 1, 10);
    CHECK(has_same(two, b, 6, 7) && has_same(child, b + PAGE, 5, 7));
    CHECK_EQ(info_now().sharing, 17);
    mm_end(child);
    write_same(one, a, 8, 11);
    write_same(two, b, 8, 11);
    info = after_scans();
    CHECK_EQ(info.shared, 1);
    CHECK_EQ(info.sharing, 15);
    CHECK_EQ(info.unshared, 0);
    mm_end(one);
    info = after_scans();
    CHECK_EQ(info.sharing, 7);
    CHECK_EQ(quire_ksm_unmerge(test_vm), 0);
    info = info_now();
    CHECK_EQ(info.shared, 0);
    CHECK_EQ(info.sharing, 0);
    CHECK(has_same(two, b, 8, 11));
    check_reverse_maps();
    mm_end(two);
}

static void pages_alike_are_one_until_they_are_written(void)
{
    on_machines_of_each_format(body_merged);
}

static void what_changes_is_left_alone(void)
{
    if (!vm_boot(16 * MIB, QUIRE_PT_FORMAT_X86_64))
        return;
    struct quire_mm *mm = mm_new();
    CHECK_EQ(quire_ksm_scan(test_vm, ALL), 0);
    quire_linear_t at = mergeable(mm, 4);
    for (unsigned i = 0; i < 6; i++) {
        write_same(mm, at, 4, i);
        CHECK_EQ(quire_ksm_scan(test_vm, ALL), 4);
        CHECK_EQ(info_now().changing, 4);
    }
    CHECK_EQ(info_now().shared, 0);
    CHECK_EQ(quire_ksm_scan(test_vm, 3), 3); /* in pieces */
    CHECK_EQ(info_now().full_scans, 6);
    CHECK_EQ(quire_ksm_scan(test_vm, 3), 1);
    CHECK_EQ(info_now().full_scans, 7);
    CHECK_EQ(info_now().sharing, 3);
    mm_end(mm);
    vm_end();
}

static void an_area_is_as_it_was_when_it_is_not_mergeable_any_more(void)
{
    if (!vm_boot(16 * MIB, QUIRE_PT_FORMAT_X86_64))
        return;
    struct quire_mm *mm = mm_new();
    quire_linear_t at = mergeable(mm, 6);
    write_same(mm, at, 6, 5);
    CHECK_EQ(after_scans().sharing, 5);
    CHECK_EQ(quire_mprotect(mm, at, 2 * PAGE, QUIRE_PROT_READ), 0);
    CHECK_EQ(quire_madvise(mm, at, 6 * PAGE, QUIRE_MADV_UNMERGEABLE), 0);
    CHECK_EQ(info_now().shared, 0);
    CHECK_EQ(quire_ksm_trim(test_vm), 0);
    check_reverse_maps();
    CHECK(has_same(mm, at, 6, 5));
    CHECK(!poke(at, 1)); /* read-only as ever */
    write_same(mm, at + 2 * PAGE, 4, 6);
    CHECK_EQ(after_scans().sharing, 0);
    CHECK_EQ(quire_mlock(mm, at, 6 * PAGE, 0), 0);
    CHECK_EQ(quire_madvise(mm, at, 6 * PAGE, QUIRE_MADV_MERGEABLE), 0);
    CHECK_EQ(after_scans().sharing, 0); /* locked */
    CHECK_EQ(quire_munlock(mm, at, 6 * PAGE), 0);
    CHECK_EQ(after_scans().shared, 2);
    CHECK_EQ(quire_mlock(mm, at, 6 * PAGE, 0), 0);
    CHECK_EQ(quire_munlock(mm, at, 6 * PAGE), 0);
    CHECK_EQ(quire_madvise(mm, at, 6 * PAGE, QUIRE_MADV_DONTNEED), 0);
    CHECK_EQ(after_scans().shared, 0);
    mm_end(mm);
    vm_end();
}

/* ---- back ------------------------------------------------------------------------------------ */

/* Wherever the scan stands. */
static void all_get_their_own_amid_a_scan(void)
{
    if (!vm_boot(16 * MIB, QUIRE_PT_FORMAT_X86_64))
        return;
    struct quire_mm *one = mm_new(), *two = mm_new();
    quire_linear_t a = mergeable(one, 8), b = mergeable(two, 8);
    write_same(one, a, 8, 7);
    write_same(two, b, 8, 7);
    for (unsigned long looked_at = 2; looked_at < 16; looked_at += 9) {
        CHECK_EQ(after_scans().sharing, 15);
        CHECK_EQ(quire_ksm_scan(test_vm, looked_at), looked_at);
        CHECK_EQ(quire_ksm_unmerge(test_vm), 0);
        CHECK_EQ(info_now().shared, 0);
        CHECK(page_of(one, a) != page_of(one, a + PAGE));
        CHECK(page_of(one, a + PAGE) != page_of(two, b));
    }
    mm_end(one);
    mm_end(two);
    vm_end();
}

static int nobody_waits(void *arg, quire_linear_t address, unsigned reason, unsigned flags)
{
    unsigned *nr_waits = arg;
    (void)address;
    (void)flags;
    CHECK_EQ(reason, QUIRE_USERFAULT_WP);
    ++*nr_waits;
    return -QUIRE_EFAULT;
}

static void nothing_is_released(void *arg)
{
    (void)arg;
}

/* Of a page that becomes its own, by either way. */
static void a_monitor_still_sees_writes(void)
{
    if (!vm_boot(16 * MIB, QUIRE_PT_FORMAT_X86_64))
        return;
    unsigned nr_waits = 0;
    struct quire_userfault_config config = {nobody_waits, nothing_is_released, &nr_waits};
    struct quire_userfault *monitor;
    struct quire_mm *mm = mm_new();
    quire_linear_t at = mergeable(mm, 4);
    write_same(mm, at, 4, 5);
    CHECK_EQ(after_scans().sharing, 3);
    CHECK_EQ(quire_userfault_create(&monitor, mm, &config), 0);
    CHECK_EQ(quire_userfault_register(monitor, at, 4 * PAGE, QUIRE_USERFAULT_WP), 0);
    CHECK_EQ(quire_userfault_protect(monitor, at, 3 * PAGE, true), 0);
    CHECK_EQ(quire_madvise(mm, at, 2 * PAGE, QUIRE_MADV_UNMERGEABLE), 0);
    CHECK_EQ(quire_ksm_unmerge(test_vm), 0);
    CHECK_EQ(info_now().shared, 0);
    run_on(mm);
    for (unsigned i = 0; i < 3; i++) {
        CHECK(!poke(at + i * PAGE, 6));
        CHECK_EQ(nr_waits, i + 1);
    }
    CHECK(poke(at + 3 * PAGE, 6)); /* which isn't protected */
    CHECK_EQ(nr_waits, 3);
    CHECK(has_same(mm, at, 3, 5));
    quire_userfault_destroy(monitor);
    mm_end(mm);
    vm_end();
}

static void what_nobody_may_access_gets_its_own_too(void)
{
    if (!vm_boot(16 * MIB, QUIRE_PT_FORMAT_X86_64))
        return;
    struct quire_mm *mm = mm_new();
    quire_linear_t at = mergeable(mm, 8);
    write_same(mm, at, 8, 5);
    CHECK_EQ(after_scans().sharing, 7);
    CHECK_EQ(quire_mprotect(mm, at, 8 * PAGE, QUIRE_PROT_NONE), 0);
    CHECK_EQ(quire_madvise(mm, at, 4 * PAGE, QUIRE_MADV_UNMERGEABLE), 0);
    CHECK_EQ(info_now().sharing, 3);
    CHECK_EQ(quire_ksm_unmerge(test_vm), 0);
    CHECK_EQ(info_now().shared, 0);
    check_reverse_maps();
    run_on(mm);
    CHECK(!poke(at, 6));
    CHECK_EQ(quire_mprotect(mm, at, 8 * PAGE, QUIRE_PROT_READ | QUIRE_PROT_WRITE), 0);
    CHECK(has_same(mm, at, 8, 5));
    write_same(mm, at, 8, 6);
    mm_end(mm);
    vm_end();
}

/* ---- memory ---------------------------------------------------------------------------------- */

static unsigned kills;

static enum quire_oom_result on_oom(void *arg, struct quire_mm *victim, const char *text)
{
    (void)arg;
    (void)victim;
    (void)text;
    kills++;
    return QUIRE_OOM_REFUSED;
}

static bool begin_small(void)
{
    if (!vm_boot(4 * MIB, QUIRE_PT_FORMAT_X86_64))
        return false;
    kills = 0;
    quire_vm_set_oom(test_vm, on_oom, NULL);
    CHECK_EQ(quire_vm_set_overcommit(test_vm, QUIRE_OVERCOMMIT_ALWAYS, 50), 0);
    return true;
}

/* Different pages until memory is full. */
static unsigned fill_memory(struct quire_mm *mm, quire_linear_t at, unsigned most)
{
    unsigned n = 0;
    run_on(mm);
    while (n < most && poke(at + n * PAGE, n + 1))
        n++;
    CHECK(n < most && kills);
    kills = 0;
    return n;
}

static unsigned count_items(void)
{
    unsigned items = 0;
    for (struct tree_node *node = tree_first(&test_vm->ksm->items); node; node = tree_next(node))
        items++;
    return items;
}

static void nobody_is_killed_for_what_is_known_of_pages(void)
{
    if (!begin_small())
        return;
    struct quire_mm *mm = mm_new();
    quire_linear_t at = mergeable(mm, 1024);
    (void)fill_memory(mm, at, 1024);
    (void)after_scans();
    CHECK_EQ(kills, 0);
    CHECK_EQ(count_items(), 0); /* nothing is left for others as it is */
    mm_end(mm);
    vm_end();
}

static void nobody_is_killed_for_what_was_merged(void)
{
    if (!begin_small())
        return;
    struct quire_mm *mm = mm_new(), *other = mm_new();
    quire_linear_t at = mergeable(mm, 512), rest = map_anon(other, 1024 * PAGE);
    CHECK_EQ(quire_ksm_set_max_sharing(test_vm, 512), 0);
    write_same(mm, at, 512, 5);
    CHECK_EQ(after_scans().sharing, 511);
    (void)fill_memory(other, rest, 1024);
    CHECK_EQ(quire_ksm_unmerge(test_vm), (uint64_t)-QUIRE_ENOMEM);
    CHECK_EQ(quire_madvise(mm, at, 512 * PAGE, QUIRE_MADV_UNMERGEABLE), (uint64_t)-QUIRE_EAGAIN);
    CHECK_EQ(kills, 0);
    CHECK(info_now().sharing > 400);
    mm_end(other);
    CHECK_EQ(quire_ksm_unmerge(test_vm), 0);
    CHECK_EQ(info_now().shared, 0);
    CHECK(has_same(mm, at, 512, 5));
    mm_end(mm);
    vm_end();
}

static void what_is_known_is_as_much_as_there_is_memory(void)
{
    if (!vm_boot(16 * MIB, QUIRE_PT_FORMAT_X86_64))
        return;
    struct quire_mm *mm = mm_new();
    quire_linear_t at = mergeable(mm, 64);
    write_same(mm, at, 60, 5);
    poke_pages(mm, at + 60 * PAGE, 4, 9);
    CHECK_EQ(after_scans().sharing, 59);
    (void)after_scans();
    CHECK_EQ(count_items(), 4);
    struct quire_mm *child = fork_of(mm);
    (void)after_scans();
    CHECK_EQ(count_items(), 0); /* two have each */
    mm_end(child);
    (void)after_scans();
    CHECK_EQ(count_items(), 4);
    CHECK_EQ(quire_ksm_scan(test_vm, 2), 2);
    CHECK_EQ(quire_ksm_trim(test_vm), 1);
    CHECK_EQ(count_items(), 0);
    CHECK(!test_vm->ksm->mm);
    mm_end(mm);
    CHECK_EQ(quire_ksm_trim(test_vm), 0);
    vm_end();
}

/* ---- settings -------------------------------------------------------------------------------- */

static bool are(unsigned long shared, unsigned long sharing, unsigned long unshared,
                unsigned long duplicates)
{
    struct quire_ksm_info info = after_scans();
    if (info.shared == shared && info.sharing == sharing && info.unshared == unshared &&
        info.duplicates == duplicates && info.chains == (duplicates > 0))
        return true;
    test_note("%lu shared, %lu sharing, %lu unshared, %lu duplicates in %lu chains", info.shared,
              info.sharing, info.unshared, info.duplicates, info.chains);
    return false;
}

static void so_many_share_a_page_and_no_more(void)
{
    if (!vm_boot(16 * MIB, QUIRE_PT_FORMAT_X86_64))
        return;
    CHECK_EQ(quire_ksm_set_max_sharing(test_vm, 1), (uint64_t)-QUIRE_EINVAL);
    CHECK_EQ(quire_ksm_set_max_sharing(test_vm, 10), 0); /* before there is anything */
    struct quire_mm *one = mm_new(), *two = mm_new();
    quire_linear_t a = mergeable(one, 41), b = mergeable(two, 9);
    write_same(one, a, 41, 7);
    CHECK(are(4, 36, 1, 4)); /* the last one has nobody to share with */
    CHECK_EQ(quire_ksm_set_max_sharing(test_vm, 20), (uint64_t)-QUIRE_EBUSY);
    write_same(two, b, 9, 7);
    CHECK(are(5, 45, 0, 5));
    write_same(one, a, 3, 8); /* three of a full one: there is room again */
    CHECK(are(6, 44, 0, 5));
    write_same(one, a, 3, 7);
    CHECK(are(5, 45, 0, 5));
    CHECK(has_same(one, a, 41, 7) && has_same(two, b, 9, 7));
    mm_end(two);
    CHECK(are(4, 36, 1, 5)); /* of the fifth one is left */
    CHECK_EQ(quire_ksm_unmerge(test_vm), 0);
    CHECK_EQ(quire_ksm_set_max_sharing(test_vm, 2), 0);
    CHECK(are(20, 20, 1, 20));
    CHECK_EQ(quire_ksm_unmerge(test_vm), 0);
    CHECK_EQ(quire_ksm_set_max_sharing(test_vm, 100), 0);
    CHECK(are(1, 40, 0, 0));
    mm_end(one);
    vm_end();
}

static void put_on_node(struct quire_mm *mm, quire_linear_t at, unsigned pages, unsigned node)
{
    struct quire_mempolicy *policy = NULL;
    CHECK_EQ(quire_mempolicy_create(&policy, test_vm, QUIRE_MPOL_BIND, 1u << node), 0);
    CHECK_EQ(quire_mbind(mm, at, pages * PAGE, policy, 0), 0);
    quire_mempolicy_put(policy);
}

static void each_node_has_its_own_if_it_is_to(void)
{
    const struct quire_memblock_region nodes[] = {
        {.size = 8 * MIB}, {.base = 8 * MIB, .size = 8 * MIB, .node = 1}, {0}};
    if (!vm_boot_map(nodes, QUIRE_PT_FORMAT_X86_64, (struct quire_mem_config){.nr_cpus = 2}))
        return;
    struct quire_mm *mm = mm_new();
    quire_linear_t at = mergeable(mm, 8);
    put_on_node(mm, at, 5, 0);
    put_on_node(mm, at + 5 * PAGE, 3, 1);
    write_same(mm, at, 8, 7);
    CHECK(are(1, 7, 0, 0));
    CHECK_EQ(quire_ksm_set_across_nodes(test_vm, false), (uint64_t)-QUIRE_EBUSY);
    CHECK_EQ(quire_ksm_unmerge(test_vm), 0);
    CHECK_EQ(quire_ksm_set_across_nodes(test_vm, false), 0);
    CHECK(are(2, 6, 0, 0));
    for (unsigned i = 0; i < 8; i++)
        CHECK_EQ(quire_page_node(machine.mem, page_of(mm, at + i * PAGE)), i >= 5);
    CHECK(has_same(mm, at, 8, 7));
    CHECK_EQ(quire_ksm_unmerge(test_vm), 0);
    CHECK_EQ(quire_ksm_set_across_nodes(test_vm, true), 0);
    CHECK(are(1, 7, 0, 0));
    mm_end(mm);
    vm_end();
}

static void zeroes_become_those_that_all_share(void)
{
    if (!vm_boot(16 * MIB, QUIRE_PT_FORMAT_X86_64))
        return;
    struct quire_mm *mm = mm_new();
    quire_linear_t at = mergeable(mm, 5);
    write_same(mm, at, 5, 7);
    write_same(mm, at, 4, 0);
    CHECK(are(1, 3, 1, 0));
    CHECK_EQ(quire_ksm_unmerge(test_vm), 0);
    CHECK_EQ(quire_ksm_set_zero_pages(test_vm, true), 0);
    CHECK(are(0, 0, 1, 0));
    for (unsigned i = 0; i < 4; i++)
        CHECK(page_of(mm, at + i * PAGE) == test_vm->zero_page);
    check_reverse_maps();
    CHECK(has_same(mm, at, 4, 0));
    write_same(mm, at, 2, 9); /* each gets its own */
    CHECK(page_of(mm, at) != page_of(mm, at + PAGE));
    CHECK(has_same(mm, at, 2, 9) && has_same(mm, at + 2 * PAGE, 2, 0));
    CHECK_EQ(quire_ksm_set_zero_pages(test_vm, false), 0);
    mm_end(mm);
    vm_end();
}

static const struct test_case cases[] = {
    TEST_CASE(pages_alike_are_one_until_they_are_written),
    TEST_CASE(what_changes_is_left_alone),
    TEST_CASE(an_area_is_as_it_was_when_it_is_not_mergeable_any_more),
    TEST_CASE(all_get_their_own_amid_a_scan),
    TEST_CASE(a_monitor_still_sees_writes),
    TEST_CASE(what_nobody_may_access_gets_its_own_too),
    TEST_CASE(nobody_is_killed_for_what_is_known_of_pages),
    TEST_CASE(nobody_is_killed_for_what_was_merged),
    TEST_CASE(what_is_known_is_as_much_as_there_is_memory),
    TEST_CASE(so_many_share_a_page_and_no_more),
    TEST_CASE(each_node_has_its_own_if_it_is_to),
    TEST_CASE(zeroes_become_those_that_all_share),
    {0},
};
const struct test_suite suite_vm_ksm = {"vm_ksm", cases};
