/* tests/unit/vm_policy_test.c: which pages go, by policy */
#include "tests/unit/vm_swap_machine.h"
#include "vm/policy.h"

/* ---- the textbook ------------------------------------------------------------------------------
 *
 * Exact models of frames: of CLOCK as a circle with a hand, of FIFO as one that looks at nothing.
 */

#define MODEL_PAGES 48u
#define MODEL_FRAMES 20u

struct frames {
    unsigned page[MODEL_FRAMES], used, hand;
    bool referenced[MODEL_FRAMES];
};

/* True: the page was missing. */
static bool model_access(struct frames *f, unsigned page, bool second_chance)
{
    for (unsigned i = 0; i < f->used; i++)
        if (f->page[i] == page) {
            f->referenced[i] = true;
            return false;
        }
    if (f->used < MODEL_FRAMES) {
        f->page[f->used] = page;
        f->referenced[f->used++] = true;
        return true;
    }
    while (second_chance && f->referenced[f->hand]) {
        f->referenced[f->hand] = false;
        f->hand = (f->hand + 1) % MODEL_FRAMES;
    }
    f->page[f->hand] = page;
    f->referenced[f->hand] = true;
    f->hand = (f->hand + 1) % MODEL_FRAMES;
    return true;
}

/* One access of the machine, which has as many frames as the model; true: a fault. */
static bool machine_access(quire_linear_t at, unsigned page)
{
    bool missing = !is_resident(at + page * PAGE);
    if (missing && mm_info(rig.mm).rss_anon == MODEL_FRAMES)
        CHECK_EQ(quire_vm_reclaim(test_vm, 0, 1), 1);
    forget_translations();
    CHECK(poke(at + page * PAGE, page));
    return missing;
}

static unsigned page_in_loop(unsigned step)
{
    return step % (MODEL_FRAMES + 2);
}

static unsigned page_at_random(unsigned step)
{
    (void)step;
    return test_random_below(2) ? test_random_below(MODEL_FRAMES - 4)
                                : test_random_below(MODEL_PAGES);
}

static unsigned compare(enum quire_reclaim_policy policy, unsigned (*next)(unsigned step),
                        unsigned steps)
{
    struct frames frames = {.used = 0};
    unsigned faults = 0;
    CHECK_EQ(quire_vm_set_policy(test_vm, policy), 0);
    quire_linear_t at = map_anon(rig.mm, MODEL_PAGES * PAGE);
    for (unsigned step = 0; step < steps; step++) {
        unsigned page = next(step);
        bool expected = model_access(&frames, page, policy == QUIRE_RECLAIM_CLOCK);
        bool missing = machine_access(at, page);
        CHECK_EQ(missing, expected);
        faults += missing;
        if (missing != expected)
            break;
    }
    CHECK_EQ(quire_munmap(rig.mm, at, MODEL_PAGES * PAGE), 0);
    return faults;
}

static void clock_and_fifo_agree_with_the_textbook(void)
{
    if (!swap_begin_on(8 * MIB, QUIRE_PT_FORMAT_X86_64, 0, SLOTS))
        return;
    CHECK_EQ(compare(QUIRE_RECLAIM_FIFO, page_in_loop, 500), 500);
    CHECK_EQ(compare(QUIRE_RECLAIM_CLOCK, page_in_loop, 500), 500);
    unsigned fifo = compare(QUIRE_RECLAIM_FIFO, page_at_random, 4000);
    unsigned clock = compare(QUIRE_RECLAIM_CLOCK, page_at_random, 4000);
    CHECK(clock < fifo);
    swap_check_end();
}

/* ---- known sequences ------------------------------------------------------------------------- */

static void fifo_ignores_what_is_used(void)
{
    if (!swap_begin_on(8 * MIB, QUIRE_PT_FORMAT_X86_64, 0, SLOTS))
        return;
    CHECK_EQ(quire_vm_set_policy(test_vm, QUIRE_RECLAIM_FIFO), 0);
    quire_linear_t at = map_anon(rig.mm, 8 * PAGE);
    write_pages(at, 0, 8);
    read_pages(at, 0, 4);
    CHECK_EQ(quire_vm_reclaim(test_vm, 0, 3), 3);
    CHECK_EQ(count_resident(at, 0, 3), 0);
    CHECK_EQ(count_resident(at, 3, 5), 5);
    swap_check_end();
}

static void clock_gives_a_second_chance(void)
{
    if (!swap_begin_on(8 * MIB, QUIRE_PT_FORMAT_X86_64, 0, SLOTS))
        return;
    CHECK_EQ(quire_vm_set_policy(test_vm, QUIRE_RECLAIM_CLOCK), 0);
    quire_linear_t at = map_anon(rig.mm, 8 * PAGE);
    write_pages(at, 0, 8);
    CHECK_EQ(quire_vm_reclaim(test_vm, 0, 1), 1); /* all lose their mark, page 0 goes */
    CHECK_EQ(count_resident(at, 0, 1), 0);
    forget_translations();
    read_pages(at, 1, 3);
    CHECK_EQ(quire_vm_reclaim(test_vm, 0, 2), 2);
    CHECK_EQ(count_resident(at, 1, 3), 3);
    CHECK_EQ(count_resident(at, 4, 2), 0);
    swap_check_end();
}

/* Pages that are used again and again stay while a long row of others goes by once. */
static void working_set_survives_a_stream(enum quire_reclaim_policy policy)
{
    const unsigned hot = 32, cold = 160;
    if (!swap_begin_on(8 * MIB, QUIRE_PT_FORMAT_X86_64, 0, SLOTS))
        return;
    CHECK_EQ(quire_vm_set_policy(test_vm, policy), 0);
    quire_linear_t at = map_anon(rig.mm, hot * PAGE), stream = map_anon(rig.mm, cold * PAGE);
    write_pages(at, 0, hot);
    for (unsigned i = 0; i < cold; i += 8) {
        write_pages(stream, i, 8);
        forget_translations();
        read_pages(at, 0, hot);
        if (i >= 32)
            (void)quire_vm_reclaim(test_vm, 0, 8);
        quire_vm_check(test_vm);
    }
    CHECK(count_resident(at, 0, hot) >= hot - 4);
    CHECK(count_resident(stream, 0, cold) <= 72);
    read_pages(at, 0, hot);
    read_pages(stream, 0, cold);
    swap_check_end();
}

static void lru_keeps_what_is_used_often(void)
{
    working_set_survives_a_stream(QUIRE_RECLAIM_LRU);
}

static void mglru_keeps_what_is_used_often(void)
{
    working_set_survives_a_stream(QUIRE_RECLAIM_MGLRU);
}

static void lru_activates_a_page_found_in_use_twice(void)
{
    if (!swap_begin_on(8 * MIB, QUIRE_PT_FORMAT_X86_64, 0, SLOTS))
        return;
    quire_linear_t at = map_anon(rig.mm, 4 * PAGE);
    write_pages(at, 0, 4);
    CHECK_EQ(counts().inactive_anon, 4);
    for (unsigned look = 0; look < 2; look++) {
        forget_translations();
        read_pages(at, 0, 2); /* the others were only written, before the first look */
        struct scan scan = {.vm = test_vm,
                            .lists = &test_vm->lists[0],
                            .policy = &policy_lru,
                            .gfp = QUIRE_GFP_KERNEL,
                            .wanted = 1};
        shrink_list(&scan, LIST_FIRST, 4);
    }
    CHECK_EQ(counts().active_anon, 2);
    CHECK_EQ(event(VM_PGACTIVATE), 2);
    CHECK_EQ(count_resident(at, 0, 2), 2);
    CHECK_EQ(count_resident(at, 2, 2), 0);
    swap_check_end();
}

static struct scan scan_at(int priority, unsigned long wanted)
{
    return (struct scan){.vm = test_vm,
                         .lists = &test_vm->lists[0],
                         .policy = &policy_lru,
                         .gfp = QUIRE_GFP_KERNEL,
                         .priority = priority,
                         .wanted = wanted};
}

static void lru_leaves_active_pages_alone_while_others_suffice(void)
{
    if (!swap_begin_on(8 * MIB, QUIRE_PT_FORMAT_X86_64, 0, SLOTS))
        return;
    quire_linear_t used = map_anon(rig.mm, 8 * PAGE), others = map_anon(rig.mm, 96 * PAGE);
    struct scan scan = scan_at(0, 8);
    write_pages(used, 0, 8);
    for (unsigned look = 0; look < 2; look++) {
        forget_translations();
        read_pages(used, 0, 8);
        shrink_list(&scan, LIST_FIRST, 8);
    }
    CHECK_EQ(counts().active_anon, 8);
    write_pages(others, 0, 96);
    forget_translations();
    scan = scan_at(0, 8);
    scan.policy->shrink(&scan); /* takes the marks of all that were written */
    scan.policy->shrink(&scan);
    CHECK(scan.reclaimed >= 8);
    CHECK_EQ(counts().active_anon, 8);
    scan = scan_at(0, 64);
    scan.force_deactivate = true; /* as when nothing else went */
    scan.policy->shrink(&scan);
    CHECK_EQ(counts().active_anon, 0);
    swap_check_end();
}

static void lru_gives_no_share_to_files_that_there_arent(void)
{
    if (!swap_begin_on(8 * MIB, QUIRE_PT_FORMAT_X86_64, 0, SLOTS))
        return;
    quire_linear_t at = map_anon(rig.mm, 64 * PAGE);
    write_pages(at, 0, 64);
    quire_port_irq_t irq = lists_lock(&test_vm->lists[0]);
    policy_lru.note_cost(&test_vm->lists[0], false, 1000);
    lists_unlock(&test_vm->lists[0], irq);
    struct scan scan = scan_at(2, 64);
    scan.policy->shrink(&scan);
    CHECK_EQ(scan.scanned, 64 >> 2);
    swap_check_end();
}

static void every_policy_gives_back_all_that_can_go(void)
{
    for (unsigned policy = 0; policy < QUIRE_NR_RECLAIM_POLICIES; policy++) {
        if (!swap_begin_on(8 * MIB, QUIRE_PT_FORMAT_X86_64, 0, SLOTS))
            return;
        struct quire_mapping *file = file_of(64 * PAGE);
        CHECK_EQ(quire_vm_set_policy(test_vm, policy), 0);
        quire_linear_t at = map_anon(rig.mm, 40 * PAGE);
        quire_linear_t mapped =
            map_file(rig.mm, file, 0, 64 * PAGE, QUIRE_PROT_READ, QUIRE_MAP_SHARED);
        write_pages(at, 0, 40);
        read_pages(mapped, 0, 64);
        quire_vm_check(test_vm);
        for (unsigned i = 0; i < 4; i++)
            (void)quire_vm_reclaim(test_vm, 0, 1000);
        struct lru_counts left = counts();
        CHECK_EQ(left.active_anon + left.inactive_anon, 0);
        CHECK_EQ(left.active_file + left.inactive_file, 0);
        CHECK_EQ(mm_info(rig.mm).rss_anon + mm_info(rig.mm).rss_file, 0);
        read_pages(at, 0, 40);
        read_pages(mapped, 0, 64);
        mm_end(rig.mm);
        rig.mm = mm_new();
        quire_mapping_put(file);
        swap_check_end();
    }
}

static void another_policy_takes_over_the_pages(void)
{
    if (!swap_begin_on(8 * MIB, QUIRE_PT_FORMAT_X86_64, 0, SLOTS))
        return;
    quire_linear_t at = map_anon(rig.mm, 64 * PAGE);
    write_pages(at, 0, 64);
    for (unsigned i = 0; i < 12; i++) {
        CHECK_EQ(quire_vm_set_policy(test_vm, (i * 3 + 1) % QUIRE_NR_RECLAIM_POLICIES), 0);
        quire_vm_check(test_vm);
        struct lru_counts now = counts();
        CHECK_EQ(now.active_anon + now.inactive_anon, mm_info(rig.mm).rss_anon);
        unsigned long resident = mm_info(rig.mm).rss_anon;
        CHECK_EQ(quire_vm_reclaim(test_vm, 0, 3) > 0, resident > 0);
        read_pages(at, 0, i);
    }
    CHECK_EQ(quire_vm_set_policy(test_vm, QUIRE_NR_RECLAIM_POLICIES), (uint64_t)-QUIRE_EINVAL);
    CHECK(contains(quire_reclaim_policy_name(QUIRE_RECLAIM_MGLRU), "mglru"));
    CHECK(!quire_reclaim_policy_name(QUIRE_NR_RECLAIM_POLICIES));
    read_pages(at, 0, 64);
    swap_check_end();
}

static void order_of_arrival_survives_another_policy(void)
{
    if (!swap_begin_on(8 * MIB, QUIRE_PT_FORMAT_X86_64, 0, SLOTS))
        return;
    quire_linear_t at = map_anon(rig.mm, 16 * PAGE);
    write_pages(at, 0, 16);
    CHECK_EQ(quire_vm_set_policy(test_vm, QUIRE_RECLAIM_CLOCK), 0);
    CHECK_EQ(quire_vm_set_policy(test_vm, QUIRE_RECLAIM_FIFO), 0);
    CHECK_EQ(quire_vm_reclaim(test_vm, 0, 5), 5);
    CHECK_EQ(count_resident(at, 0, 5), 0);
    CHECK_EQ(count_resident(at, 5, 11), 11);
    swap_check_end();
}

static const struct test_case cases[] = {
    TEST_CASE(clock_and_fifo_agree_with_the_textbook),
    TEST_CASE(fifo_ignores_what_is_used),
    TEST_CASE(clock_gives_a_second_chance),
    TEST_CASE(lru_keeps_what_is_used_often),
    TEST_CASE(mglru_keeps_what_is_used_often),
    TEST_CASE(lru_activates_a_page_found_in_use_twice),
    TEST_CASE(lru_leaves_active_pages_alone_while_others_suffice),
    TEST_CASE(lru_gives_no_share_to_files_that_there_arent),
    TEST_CASE(every_policy_gives_back_all_that_can_go),
    TEST_CASE(another_policy_takes_over_the_pages),
    TEST_CASE(order_of_arrival_survives_another_policy),
    {0},
};

const struct test_suite suite_vm_policy = {"vm_policy", cases};
