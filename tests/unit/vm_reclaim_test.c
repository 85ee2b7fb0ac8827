/* tests/unit/vm_reclaim_test.c: which pages go, by policy; when; and what is remembered of them */
#include "tests/unit/vm_machine.h"
#include "vm/policy.h"
#include "vm/swap.h"

static struct quire_mm *mm;
static int area;

static bool begin(uint64_t memory)
{
    if (!vm_boot(memory, QUIRE_PT_FORMAT_X86_64))
        return false;
    CHECK_EQ(quire_vm_set_page_cluster(machine_vm, 0), 0);
    area = swap_of(STORE_PAGES);
    mm = mm_new();
    run_on(mm);
    return true;
}

static void end(void)
{
    quire_vm_check(machine_vm);
    mm_end(mm);
    CHECK_EQ(quire_swapoff(machine_vm, area), 0);
    vm_end();
}

static unsigned long event(enum vm_event which)
{
    return machine_vm->event[which];
}

static struct lru_counts counts(void)
{
    struct lru_counts counts;
    lru_counts(machine_vm, &counts);
    return counts;
}

/* Accessed bits are cleared without a flush; the processor is made to look at its tables again. */
static void forget_translations(void)
{
    quire_sim_flush(&sim, NULL,
                    &(struct quire_sim_flush){.last = UINT64_MAX, .pcid = QUIRE_SIM_ALL_PCIDS});
}

static void write_pages(quire_linear_t at, unsigned first, unsigned count)
{
    for (unsigned i = first; i < first + count; i++)
        CHECK(poke(at + i * PAGE, word_of(i)));
}

static void read_pages(quire_linear_t at, unsigned first, unsigned count)
{
    for (unsigned i = first; i < first + count; i++)
        CHECK(holds(at + i * PAGE, word_of(i)));
}

static bool is_resident(quire_linear_t at)
{
    unsigned char resident = 0;
    CHECK_EQ(quire_mincore(mm, at, PAGE, &resident), 0);
    return resident & 1;
}

static unsigned count_resident(quire_linear_t at, unsigned first, unsigned count)
{
    unsigned resident = 0;
    for (unsigned i = first; i < first + count; i++)
        resident += is_resident(at + i * PAGE);
    return resident;
}

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
    if (missing && mm_info(mm).rss_anon == MODEL_FRAMES)
        CHECK_EQ(quire_vm_reclaim(machine_vm, 0, 1), 1);
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
    CHECK_EQ(quire_vm_set_policy(machine_vm, policy), 0);
    quire_linear_t at = map_anon(mm, MODEL_PAGES * PAGE);
    for (unsigned step = 0; step < steps; step++) {
        unsigned page = next(step);
        bool expected = model_access(&frames, page, policy == QUIRE_RECLAIM_CLOCK);
        bool missing = machine_access(at, page);
        CHECK_EQ(missing, expected);
        faults += missing;
        if (missing != expected)
            break;
    }
    CHECK_EQ(quire_munmap(mm, at, MODEL_PAGES * PAGE), 0);
    return faults;
}

static void clock_and_fifo_agree_with_the_textbook(void)
{
    if (!begin(8 * MIB))
        return;
    CHECK_EQ(compare(QUIRE_RECLAIM_FIFO, page_in_loop, 500), 500);
    CHECK_EQ(compare(QUIRE_RECLAIM_CLOCK, page_in_loop, 500), 500);
    unsigned fifo = compare(QUIRE_RECLAIM_FIFO, page_at_random, 4000);
    unsigned clock = compare(QUIRE_RECLAIM_CLOCK, page_at_random, 4000);
    CHECK(clock < fifo);
    end();
}

/* ---- known sequences ---------------------------------------------------------------------------
 */

static void fifo_ignores_what_is_used(void)
{
    if (!begin(8 * MIB))
        return;
    CHECK_EQ(quire_vm_set_policy(machine_vm, QUIRE_RECLAIM_FIFO), 0);
    quire_linear_t at = map_anon(mm, 8 * PAGE);
    write_pages(at, 0, 8);
    read_pages(at, 0, 4);
    CHECK_EQ(quire_vm_reclaim(machine_vm, 0, 3), 3);
    CHECK_EQ(count_resident(at, 0, 3), 0);
    CHECK_EQ(count_resident(at, 3, 5), 5);
    end();
}

static void clock_gives_a_second_chance(void)
{
    if (!begin(8 * MIB))
        return;
    CHECK_EQ(quire_vm_set_policy(machine_vm, QUIRE_RECLAIM_CLOCK), 0);
    quire_linear_t at = map_anon(mm, 8 * PAGE);
    write_pages(at, 0, 8);
    CHECK_EQ(quire_vm_reclaim(machine_vm, 0, 1), 1); /* all lose their mark, page 0 goes */
    CHECK_EQ(count_resident(at, 0, 1), 0);
    forget_translations();
    read_pages(at, 1, 3);
    CHECK_EQ(quire_vm_reclaim(machine_vm, 0, 2), 2);
    CHECK_EQ(count_resident(at, 1, 3), 3);
    CHECK_EQ(count_resident(at, 4, 2), 0);
    end();
}

/* Pages that are used again and again stay while a long row of others goes by once. */
static void working_set_survives_a_stream(enum quire_reclaim_policy policy)
{
    const unsigned hot = 32, cold = 160;
    if (!begin(8 * MIB))
        return;
    CHECK_EQ(quire_vm_set_policy(machine_vm, policy), 0);
    quire_linear_t at = map_anon(mm, hot * PAGE), stream = map_anon(mm, cold * PAGE);
    write_pages(at, 0, hot);
    for (unsigned i = 0; i < cold; i += 8) {
        write_pages(stream, i, 8);
        forget_translations();
        read_pages(at, 0, hot);
        if (i >= 32)
            (void)quire_vm_reclaim(machine_vm, 0, 8);
        quire_vm_check(machine_vm);
    }
    CHECK(count_resident(at, 0, hot) >= hot - 4);
    CHECK(count_resident(stream, 0, cold) <= 72);
    read_pages(at, 0, hot);
    read_pages(stream, 0, cold);
    end();
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
    if (!begin(8 * MIB))
        return;
    quire_linear_t at = map_anon(mm, 4 * PAGE);
    write_pages(at, 0, 4);
    CHECK_EQ(counts().inactive_anon, 4);
    for (unsigned look = 0; look < 2; look++) {
        forget_translations();
        read_pages(at, 0, 2); /* the others were only written, before the first look */
        struct scan scan = {.vm = machine_vm,
                            .lists = &machine_vm->lists[0],
                            .policy = &policy_lru,
                            .gfp = QUIRE_GFP_KERNEL,
                            .wanted = 1};
        shrink_list(&scan, LIST_FIRST, 4);
    }
    CHECK_EQ(counts().active_anon, 2);
    CHECK_EQ(event(VM_PGACTIVATE), 2);
    CHECK_EQ(count_resident(at, 0, 2), 2);
    CHECK_EQ(count_resident(at, 2, 2), 0);
    end();
}

static void every_policy_gives_back_all_that_can_go(void)
{
    for (unsigned policy = 0; policy < QUIRE_NR_RECLAIM_POLICIES; policy++) {
        if (!begin(8 * MIB))
            return;
        struct quire_mapping *file = file_of(64 * PAGE);
        CHECK_EQ(quire_vm_set_policy(machine_vm, policy), 0);
        quire_linear_t at = map_anon(mm, 40 * PAGE);
        quire_linear_t mapped = map_file(mm, file, 0, 64 * PAGE, QUIRE_PROT_READ, QUIRE_MAP_SHARED);
        write_pages(at, 0, 40);
        read_pages(mapped, 0, 64);
        quire_vm_check(machine_vm);
        for (unsigned i = 0; i < 4; i++)
            (void)quire_vm_reclaim(machine_vm, 0, 1000);
        struct lru_counts left = counts();
        CHECK_EQ(left.active_anon + left.inactive_anon, 0);
        CHECK_EQ(left.active_file + left.inactive_file, 0);
        CHECK_EQ(mm_info(mm).rss_anon + mm_info(mm).rss_file, 0);
        read_pages(at, 0, 40);
        read_pages(mapped, 0, 64);
        mm_end(mm);
        mm = mm_new();
        quire_mapping_put(file);
        end();
    }
}

static void another_policy_takes_over_the_pages(void)
{
    if (!begin(8 * MIB))
        return;
    quire_linear_t at = map_anon(mm, 64 * PAGE);
    write_pages(at, 0, 64);
    for (unsigned i = 0; i < 12; i++) {
        CHECK_EQ(quire_vm_set_policy(machine_vm, (i * 3 + 1) % QUIRE_NR_RECLAIM_POLICIES), 0);
        quire_vm_check(machine_vm);
        struct lru_counts now = counts();
        CHECK_EQ(now.active_anon + now.inactive_anon, mm_info(mm).rss_anon);
        unsigned long resident = mm_info(mm).rss_anon;
        CHECK_EQ(quire_vm_reclaim(machine_vm, 0, 3) > 0, resident > 0);
        read_pages(at, 0, i);
    }
    CHECK_EQ(quire_vm_set_policy(machine_vm, QUIRE_NR_RECLAIM_POLICIES), (uint64_t)-QUIRE_EINVAL);
    CHECK(contains(quire_reclaim_policy_name(QUIRE_RECLAIM_MGLRU), "mglru"));
    CHECK(!quire_reclaim_policy_name(QUIRE_NR_RECLAIM_POLICIES));
    read_pages(at, 0, 64);
    end();
}

static void order_of_arrival_survives_another_policy(void)
{
    if (!begin(8 * MIB))
        return;
    quire_linear_t at = map_anon(mm, 16 * PAGE);
    write_pages(at, 0, 16);
    CHECK_EQ(quire_vm_set_policy(machine_vm, QUIRE_RECLAIM_CLOCK), 0);
    CHECK_EQ(quire_vm_set_policy(machine_vm, QUIRE_RECLAIM_FIFO), 0);
    CHECK_EQ(quire_vm_reclaim(machine_vm, 0, 5), 5);
    CHECK_EQ(count_resident(at, 0, 5), 0);
    CHECK_EQ(count_resident(at, 5, 11), 11);
    end();
}

/* ---- files, shared memory ----------------------------------------------------------------------
 */

static void dirty_pages_of_files_are_written_before_they_go(void)
{
    if (!begin(8 * MIB))
        return;
    struct quire_mapping *file = file_of(16 * PAGE);
    quire_linear_t at =
        map_file(mm, file, 0, 16 * PAGE, QUIRE_PROT_READ | QUIRE_PROT_WRITE, QUIRE_MAP_SHARED);
    for (unsigned i = 0; i < 16; i++)
        CHECK(poke(at + i * PAGE + 8, i));
    file_store.broken = true;
    for (unsigned i = 0; i < 3; i++)
        CHECK_EQ(quire_vm_reclaim(machine_vm, 0, 100), 0);
    quire_vm_check(machine_vm);
    file_store.broken = false;
    for (unsigned i = 0; i < 3; i++)
        (void)quire_vm_reclaim(machine_vm, 0, 100);
    CHECK_EQ(mm_info(mm).rss_file, 0);
    CHECK_EQ(file_store.writes, 16);
    CHECK_EQ(machine_vm->stat[NR_FILE_DIRTY], 0);
    for (unsigned i = 0; i < 16; i++)
        CHECK(holds(at + i * PAGE + 8, i));
    read_pages(at, 0, 16);
    mm_end(mm);
    mm = mm_new();
    quire_mapping_put(file);
    end();
}

static void shared_memory_goes_to_swap(void)
{
    if (!begin(8 * MIB))
        return;
    quire_linear_t at = map_file(mm, NULL, 0, 24 * PAGE, QUIRE_PROT_READ | QUIRE_PROT_WRITE,
                                 QUIRE_MAP_SHARED | QUIRE_MAP_ANONYMOUS);
    struct quire_mm *child;
    write_pages(at, 0, 24);
    CHECK_EQ(quire_mm_fork(&child, mm), 0);
    for (unsigned i = 0; i < 3; i++)
        (void)quire_vm_reclaim(machine_vm, 0, 100);
    CHECK_EQ(mm_info(mm).rss_shmem, 0);
    CHECK_EQ(swap_store.writes, 24);
    quire_vm_check(machine_vm);
    read_pages(at, 0, 12);
    CHECK(poke(at, 7));
    run_on(child);
    CHECK(holds(at, 7));
    read_pages(at, 1, 23);
    mm_end(child);
    run_on(mm);
    for (unsigned i = 0; i < 3; i++)
        (void)quire_vm_reclaim(machine_vm, 0, 100);
    CHECK_EQ(quire_swapoff(machine_vm, area), 0); /* brings shared memory back too */
    read_pages(at, 1, 23);
    area = swap_of(STORE_PAGES);
    end();
}

static void without_swappiness_only_files_go(void)
{
    if (!begin(8 * MIB))
        return;
    struct quire_mapping *file = file_of(32 * PAGE);
    quire_linear_t at = map_anon(mm, 32 * PAGE);
    quire_linear_t mapped = map_file(mm, file, 0, 32 * PAGE, QUIRE_PROT_READ, QUIRE_MAP_PRIVATE);
    write_pages(at, 0, 32);
    read_pages(mapped, 0, 32);
    CHECK_EQ(quire_vm_set_swappiness(machine_vm, 201), (uint64_t)-QUIRE_EINVAL);
    CHECK_EQ(quire_vm_set_swappiness(machine_vm, 0), 0);
    for (unsigned i = 0; i < 3; i++)
        (void)quire_vm_reclaim(machine_vm, 0, 1000);
    CHECK_EQ(mm_info(mm).rss_anon, 32);
    CHECK_EQ(mm_info(mm).rss_file, 0);
    mm_end(mm);
    mm = mm_new();
    quire_mapping_put(file);
    end();
}

/* ---- locked memory -----------------------------------------------------------------------------
 */

static void locked_pages_stay(void)
{
    for (unsigned policy = 0; policy < QUIRE_NR_RECLAIM_POLICIES; policy++) {
        if (!begin(8 * MIB))
            return;
        CHECK_EQ(quire_vm_set_policy(machine_vm, policy), 0);
        quire_linear_t at = map_anon(mm, 8 * PAGE), other = map_anon(mm, 8 * PAGE);
        write_pages(at, 0, 8);
        write_pages(other, 0, 8);
        CHECK_EQ(quire_mlock(mm, at, 8 * PAGE, 0), 0);
        for (unsigned i = 0; i < 3; i++)
            (void)quire_vm_reclaim(machine_vm, 0, 100);
        CHECK_EQ(count_resident(at, 0, 8), 8);
        CHECK_EQ(count_resident(other, 0, 8), 0);
        CHECK_EQ(counts().unevictable, 8);
        CHECK_EQ(quire_munlock(mm, at, 8 * PAGE), 0);
        CHECK_EQ(counts().unevictable, 0);
        for (unsigned i = 0; i < 3; i++)
            (void)quire_vm_reclaim(machine_vm, 0, 100);
        CHECK_EQ(count_resident(at, 0, 8), 0);
        read_pages(at, 0, 8);
        end();
    }
}

/* ---- advice ------------------------------------------------------------------------------------
 */

static void given_up_memory_goes_without_swap_unless_it_was_written(void)
{
    if (!begin(8 * MIB))
        return;
    quire_linear_t at = map_anon(mm, 16 * PAGE);
    write_pages(at, 0, 16);
    CHECK_EQ(quire_madvise(mm, at, 16 * PAGE, QUIRE_MADV_FREE), 0);
    CHECK(poke(at + 3 * PAGE, 33));
    CHECK_EQ(counts().inactive_file, 16); /* what needs no swap is weighed with files */
    for (unsigned i = 0; i < 4; i++)
        (void)quire_vm_reclaim(machine_vm, 0, 100);
    CHECK_EQ(event(VM_PGLAZYFREED), 15);
    CHECK_EQ(swap_store.writes, 1);
    CHECK(holds(at + 3 * PAGE, 33));
    CHECK(holds(at, 0));
    CHECK(holds(at + 15 * PAGE, 0));
    end();
}

static void given_up_memory_goes_even_if_there_is_no_swap(void)
{
    if (!begin(8 * MIB))
        return;
    CHECK_EQ(quire_swapoff(machine_vm, area), 0);
    quire_linear_t at = map_anon(mm, 16 * PAGE);
    write_pages(at, 0, 16);
    CHECK_EQ(quire_madvise(mm, at, 8 * PAGE, QUIRE_MADV_FREE), 0);
    for (unsigned i = 0; i < 4; i++)
        (void)quire_vm_reclaim(machine_vm, 0, 100);
    CHECK_EQ(event(VM_PGLAZYFREED), 8);
    CHECK_EQ(mm_info(mm).rss_anon, 8);
    read_pages(at, 8, 8);
    area = swap_of(STORE_PAGES);
    end();
}

static void pages_go_on_request(void)
{
    for (unsigned policy = 0; policy < QUIRE_NR_RECLAIM_POLICIES; policy++) {
        if (!begin(8 * MIB))
            return;
        CHECK_EQ(quire_vm_set_policy(machine_vm, policy), 0);
        quire_linear_t at = map_anon(mm, 16 * PAGE);
        write_pages(at, 0, 16);
        CHECK_EQ(quire_madvise(mm, at, 8 * PAGE, QUIRE_MADV_PAGEOUT), 0);
        CHECK_EQ(count_resident(at, 0, 8), 0);
        CHECK_EQ(count_resident(at, 8, 8), 8);
        read_pages(at, 0, 16);
        end();
    }
}

static void cold_pages_go_first(void)
{
    for (unsigned policy = 0; policy < QUIRE_NR_RECLAIM_POLICIES; policy++) {
        if (!begin(8 * MIB))
            return;
        CHECK_EQ(quire_vm_set_policy(machine_vm, policy), 0);
        quire_linear_t at = map_anon(mm, 200 * PAGE);
        write_pages(at, 0, 200);
        forget_translations();
        CHECK_EQ(quire_madvise(mm, at + 100 * PAGE, 32 * PAGE, QUIRE_MADV_COLD), 0);
        (void)quire_vm_reclaim(machine_vm, 0, 16);
        CHECK(count_resident(at, 100, 32) <= 16);
        CHECK_EQ(count_resident(at, 0, 100), 100);
        read_pages(at, 0, 200);
        end();
    }
}

/* ---- refaults ----------------------------------------------------------------------------------
 */

static void a_page_that_comes_back_soon_is_counted_and_activated(void)
{
    if (!begin(8 * MIB))
        return;
    quire_linear_t at = map_anon(mm, 16 * PAGE);
    write_pages(at, 0, 16);
    for (unsigned i = 0; i < 3 && mm_info(mm).rss_anon; i++)
        (void)quire_vm_reclaim(machine_vm, 0, 16);
    CHECK_EQ(event(VM_WORKINGSET_REFAULT_ANON), 0);
    /* Nothing competes with the first: it couldn't have been kept in anybody's place. */
    read_pages(at, 15, 1);
    CHECK_EQ(event(VM_WORKINGSET_REFAULT_ANON), 1);
    for (unsigned i = 15; i-- > 0;)
        read_pages(at, i, 1);
    CHECK_EQ(event(VM_WORKINGSET_REFAULT_ANON), 16);
    CHECK_EQ(counts().active_anon, event(VM_WORKINGSET_ACTIVATE_ANON));
    CHECK_EQ(counts().active_anon + counts().inactive_anon, 16);
    end();
}

static void refault_distance_is_what_was_evicted_meanwhile(void)
{
    if (!begin(8 * MIB))
        return;
    struct quire_page *page = vm_alloc_page(machine_vm, 0);
    struct node_lists *lists = &machine_vm->lists[0];
    REQUIRE(page);
    page_set_root(page, PAGE_KIND_ANON, 0);
    quire_linear_t at = map_anon(mm, 32 * PAGE);
    write_pages(at, 0, 32); /* 32 inactive pages don't count against anonymous ones, active do */
    for (unsigned distance = 1; distance <= 12; distance++) {
        uint32_t shadow = workingset_eviction(machine_vm, page);
        CHECK(shadow && shadow < 1u << 30);
        unsigned long before = event(VM_WORKINGSET_ACTIVATE_ANON);
        workingset_age(lists, distance - 1);
        page_clear(page, PG_WORKINGSET);
        workingset_refault(machine_vm, page, shadow);
        CHECK_EQ(event(VM_WORKINGSET_ACTIVATE_ANON) - before, distance <= counts().active_anon);
        if (counts().active_anon < 6) {
            struct quire_page *one;
            CHECK_EQ(list_isolate(machine_vm, lists, LIST_FIRST, &one, 1), 1);
            lru_return(machine_vm, one, PLACE_ACTIVATED);
        }
    }
    page_set(page, PG_WORKINGSET);
    uint32_t shadow = workingset_eviction(machine_vm, page);
    unsigned long before = event(VM_WORKINGSET_RESTORE_ANON);
    workingset_refault(machine_vm, page, shadow);
    CHECK_EQ(event(VM_WORKINGSET_RESTORE_ANON), before + 1);
    workingset_refault(machine_vm, page, 0); /* nothing is known */
    vm_put_page(machine_vm, page);
    end();
}

/* ---- when --------------------------------------------------------------------------------------
 */

static unsigned woken;

static void wake(void *arg, int node)
{
    CHECK_EQ(arg == &woken, true);
    CHECK_EQ(node, 0);
    woken++;
}

static void the_background_reclaimer_is_woken_and_balances_the_node(void)
{
    if (!begin(4 * MIB))
        return;
    woken = 0;
    quire_vm_set_wake(machine_vm, wake, &woken);
    CHECK(!quire_vm_needs_reclaim(machine_vm, 0));
    CHECK(!quire_vm_needs_reclaim(machine_vm, 7));
    quire_linear_t at = map_anon(mm, 1024 * PAGE);
    unsigned i = 0;
    for (; i < 1024 && !woken; i++)
        CHECK(poke(at + i * PAGE, word_of(i)));
    CHECK(woken);
    CHECK(quire_vm_needs_reclaim(machine_vm, 0));
    CHECK(!quire_node_balanced(machine.mem, 0, 0, QUIRE_ZONE_MOVABLE));
    CHECK(quire_kswapd(machine_vm, 0) > 0);
    CHECK(quire_node_balanced(machine.mem, 0, 0, QUIRE_ZONE_MOVABLE));
    CHECK(!quire_vm_needs_reclaim(machine_vm, 0));
    CHECK_EQ(quire_kswapd(machine_vm, 0), 0);
    CHECK_EQ(quire_kswapd(machine_vm, -1), 0);
    CHECK_EQ(quire_kswapd(machine_vm, 1), 0);
    CHECK(event(VM_PGSTEAL_KSWAPD) > 0);
    CHECK_EQ(event(VM_PGSTEAL_DIRECT), 0);
    read_pages(at, 0, i);
    end();
}

static void reclaim_by_hand_knows_its_nodes(void)
{
    if (!begin(8 * MIB))
        return;
    CHECK_EQ(quire_vm_reclaim(machine_vm, -1, 10), 0);
    CHECK_EQ(quire_vm_reclaim(machine_vm, 1, 10), 0);
    CHECK_EQ(quire_vm_reclaim(machine_vm, 0, 10), 0);
    end();
}

static void an_allocation_in_need_reclaims_for_itself(void)
{
    for (unsigned policy = 0; policy < QUIRE_NR_RECLAIM_POLICIES; policy++) {
        const unsigned pages = 500;
        if (!begin(2 * MIB))
            return;
        CHECK_EQ(quire_vm_set_policy(machine_vm, policy), 0);
        quire_linear_t at = map_anon(mm, pages * PAGE);
        for (unsigned round = 0; round < 3; round++) {
            write_pages(at, 0, pages);
            read_pages(at, 0, pages);
        }
        CHECK(event(VM_PGSTEAL_DIRECT) > 0);
        CHECK(event(VM_WORKINGSET_REFAULT_ANON) > 0);
        end();
    }
}

static void several_processes_in_too_little_memory_keep_their_content(void)
{
    enum { PROCESSES = 4, EACH = 120 };
    for (unsigned policy = 0; policy < QUIRE_NR_RECLAIM_POLICIES; policy++) {
        struct quire_mm *process[PROCESSES];
        quire_linear_t at[PROCESSES];
        static uint64_t content[PROCESSES][EACH];
        if (!begin(2 * MIB))
            return;
        CHECK_EQ(quire_vm_set_policy(machine_vm, policy), 0);
        CHECK_EQ(quire_vm_set_page_cluster(machine_vm, policy), 0);
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
        quire_vm_check(machine_vm);
        for (unsigned i = 0; i < PROCESSES; i++) {
            run_on(process[i]);
            for (unsigned page = 0; page < EACH; page++)
                CHECK(holds(at[i] + page * PAGE, content[i][page]));
            mm_end(process[i]);
        }
        run_on(mm);
        end();
    }
}

static const struct test_case cases[] = {
    TEST_CASE(clock_and_fifo_agree_with_the_textbook),
    TEST_CASE(fifo_ignores_what_is_used),
    TEST_CASE(clock_gives_a_second_chance),
    TEST_CASE(lru_keeps_what_is_used_often),
    TEST_CASE(mglru_keeps_what_is_used_often),
    TEST_CASE(lru_activates_a_page_found_in_use_twice),
    TEST_CASE(every_policy_gives_back_all_that_can_go),
    TEST_CASE(another_policy_takes_over_the_pages),
    TEST_CASE(order_of_arrival_survives_another_policy),
    TEST_CASE(dirty_pages_of_files_are_written_before_they_go),
    TEST_CASE(shared_memory_goes_to_swap),
    TEST_CASE(without_swappiness_only_files_go),
    TEST_CASE(locked_pages_stay),
    TEST_CASE(given_up_memory_goes_without_swap_unless_it_was_written),
    TEST_CASE(given_up_memory_goes_even_if_there_is_no_swap),
    TEST_CASE(pages_go_on_request),
    TEST_CASE(cold_pages_go_first),
    TEST_CASE(a_page_that_comes_back_soon_is_counted_and_activated),
    TEST_CASE(refault_distance_is_what_was_evicted_meanwhile),
    TEST_CASE(the_background_reclaimer_is_woken_and_balances_the_node),
    TEST_CASE(reclaim_by_hand_knows_its_nodes),
    TEST_CASE(an_allocation_in_need_reclaims_for_itself),
    TEST_CASE(several_processes_in_too_little_memory_keep_their_content),
    {0},
};

const struct test_suite suite_vm_reclaim = {"vm_reclaim", cases};
