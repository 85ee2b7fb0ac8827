/* tests/unit/vm_numa_test.c: policies decide which node's memory areas get; pages move */
#include <quire/numa.h>

#include "base/text.h"
#include "tests/unit/vm_entries.h"
#include "vm/mempolicy.h"

#define NODE (8 * MIB)
#define NODES(first, second) (1u << (first) | 1u << (second))

static const struct quire_memblock_region three_nodes[] = {
    {.size = NODE},
    {.base = NODE, .size = NODE, .node = 1},
    {.base = 2 * NODE, .size = NODE, .node = 2},
    {0},
};

static bool boot(void)
{
    return vm_boot_map(three_nodes, QUIRE_PT_FORMAT_X86_64,
                       (struct quire_mem_config){.nr_cpus = 2});
}

static struct quire_mempolicy *policy_of(unsigned mode, quire_nodes_t nodes)
{
    struct quire_mempolicy *policy = NULL;
    CHECK_EQ(quire_mempolicy_create(&policy, test_vm, mode, nodes), 0);
    return policy;
}

static int bind_range(struct quire_mm *mm, quire_linear_t at, unsigned pages, unsigned mode,
                      quire_nodes_t nodes, unsigned flags)
{
    struct quire_mempolicy *policy = policy_of(mode, nodes);
    int error = quire_mbind(mm, at, pages * PAGE, policy, flags);
    quire_mempolicy_put(policy);
    return error;
}

static int node_at(struct quire_mm *mm, quire_linear_t at)
{
    struct quire_page *page = page_of(mm, at);
    return page ? quire_page_node(machine.mem, page) : -1;
}

/* Whether `count` pages are on nodes as the text says, a digit each: `-` for no page. */
static bool are_on(struct quire_mm *mm, quire_linear_t at, const char *nodes)
{
    for (; *nodes; nodes++, at += PAGE)
        if (node_at(mm, at) != (*nodes == '-' ? -1 : *nodes - '0')) {
            test_note("a page is on node %d, not %c", node_at(mm, at), *nodes);
            return false;
        }
    return true;
}

/* ---- policies -------------------------------------------------------------------------------- */

static void policies_that_make_no_sense_are_refused(void)
{
    static const struct {
        unsigned mode;
        quire_nodes_t nodes;
        int error;
    } cases[] = {
        {QUIRE_MPOL_DEFAULT, 0, 0},
        {QUIRE_MPOL_DEFAULT, 1, -QUIRE_EINVAL},
        {QUIRE_MPOL_PREFERRED, 0, 0},
        {QUIRE_MPOL_PREFERRED | QUIRE_MPOL_F_STATIC_NODES, 0, -QUIRE_EINVAL},
        {QUIRE_MPOL_BIND, 0, -QUIRE_EINVAL},
        {QUIRE_MPOL_BIND, 8, -QUIRE_EINVAL},
        {QUIRE_MPOL_BIND, 9, 0},
        {QUIRE_MPOL_BIND | QUIRE_MPOL_F_NUMA_BALANCING, 1, 0},
        {QUIRE_MPOL_PREFERRED_MANY | QUIRE_MPOL_F_NUMA_BALANCING, 1, 0},
        {QUIRE_MPOL_INTERLEAVE | QUIRE_MPOL_F_NUMA_BALANCING, 1, -QUIRE_EINVAL},
        {QUIRE_MPOL_INTERLEAVE, 0, -QUIRE_EINVAL},
        {QUIRE_MPOL_LOCAL, 0, 0},
        {QUIRE_MPOL_LOCAL, 1, -QUIRE_EINVAL},
        {QUIRE_MPOL_LOCAL | QUIRE_MPOL_F_RELATIVE_NODES, 0, -QUIRE_EINVAL},
        {QUIRE_MPOL_PREFERRED_MANY, 3, 0},
        {QUIRE_MPOL_BIND | QUIRE_MPOL_F_STATIC_NODES | QUIRE_MPOL_F_RELATIVE_NODES, 1,
         -QUIRE_EINVAL},
        {6, 1, -QUIRE_EINVAL},
        {0x1000, 1, -QUIRE_EINVAL},
    };
    if (!boot())
        return;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct quire_mempolicy *policy;
        CHECK_EQ(quire_mempolicy_create(&policy, test_vm, cases[i].mode, cases[i].nodes),
                 cases[i].error);
        quire_mempolicy_put(policy);
    }
    CHECK_EQ(test_vm->nr_policies, 0);
    vm_end();
}

static void nodes_are_told_as_they_were_said_or_as_they_are(void)
{
    if (!boot())
        return;
    struct quire_mempolicy *bind = policy_of(QUIRE_MPOL_BIND, 0xa),
                           *same = policy_of(QUIRE_MPOL_BIND | QUIRE_MPOL_F_STATIC_NODES, 0xa),
                           *relative =
                               policy_of(QUIRE_MPOL_BIND | QUIRE_MPOL_F_RELATIVE_NODES, 0x18),
                           *local = policy_of(QUIRE_MPOL_PREFERRED, 0);
    CHECK_EQ(quire_mempolicy_nodes(bind), 2);
    CHECK_EQ(quire_mempolicy_nodes(same), 0xa);
    CHECK_EQ(quire_mempolicy_nodes(relative), 0x18);
    CHECK_EQ(relative->nodes, 3);
    CHECK_EQ(quire_mempolicy_mode(local), QUIRE_MPOL_LOCAL);
    CHECK_EQ(quire_mempolicy_mode(NULL), QUIRE_MPOL_DEFAULT);
    quire_mempolicy_put(bind);
    quire_mempolicy_put(same);
    quire_mempolicy_put(relative);
    quire_mempolicy_put(local);
    vm_end();
}

/* ---- allocating ------------------------------------------------------------------------------ */

static void pages_come_from_where_their_area_says(void)
{
    if (!boot())
        return;
    struct quire_mm *mm = mm_new();
    quire_linear_t at = map_anon(mm, 8 * PAGE);
    CHECK_EQ(bind_range(mm, at + PAGE, 1, QUIRE_MPOL_BIND, 2, 0), 0);
    CHECK_EQ(bind_range(mm, at + 2 * PAGE, 1, QUIRE_MPOL_PREFERRED, 6, 0), 0);
    CHECK_EQ(bind_range(mm, at + 3 * PAGE, 1, QUIRE_MPOL_PREFERRED_MANY, 4, 0), 0);
    CHECK_EQ(bind_range(mm, at + 4 * PAGE, 1, QUIRE_MPOL_LOCAL, 0, 0), 0);
    CHECK_EQ(mm_info(mm).nr_areas, 6);
    poke_pages(mm, at, 6, 1);
    CHECK(are_on(mm, at, "011200--"));
    mm_end(mm);
    vm_end();
}

static void interleaved_pages_take_turns(void)
{
    if (!boot())
        return;
    struct quire_mm *mm = mm_new();
    quire_linear_t at = map_anon(mm, 12 * PAGE);
    CHECK_EQ(bind_range(mm, at, 12, QUIRE_MPOL_INTERLEAVE, 7, 0), 0);
    poke_pages(mm, at, 12, 1);
    int first = node_at(mm, at);
    for (int i = 0; i < 12; i++)
        CHECK_EQ(node_at(mm, at + (quire_linear_t)i * PAGE), (first + i) % 3);
    mm_end(mm);
    vm_end();
}

static struct quire_numa_thread thread;
static struct quire_numa_thread *the_thread(void *arg)
{
    return arg;
}

static void a_threads_policy_is_for_what_areas_leave_open(void)
{
    if (!boot())
        return;
    struct quire_mm *mm = mm_new();
    quire_linear_t at = map_anon(mm, 4 * PAGE);
    quire_vm_set_numa_thread(test_vm, the_thread, &thread);
    quire_numa_thread_set(&thread, policy_of(QUIRE_MPOL_BIND, 4));
    CHECK_EQ(bind_range(mm, at + PAGE, 1, QUIRE_MPOL_BIND, 2, 0), 0);
    poke_pages(mm, at, 3, 1);
    CHECK_EQ(quire_numa_thread_next_node(&thread), -QUIRE_EINVAL);
    quire_numa_thread_set(&thread, policy_of(QUIRE_MPOL_INTERLEAVE, 6));
    CHECK_EQ(quire_numa_thread_next_node(&thread), 1);
    quire_numa_thread_set(&thread, NULL);
    poke_pages(mm, at + 3 * PAGE, 1, 1);
    CHECK(are_on(mm, at, "2120"));
    quire_vm_set_numa_thread(test_vm, NULL, NULL);
    mm_end(mm);
    vm_end();
}

static void a_full_node_is_passed_over_unless_it_is_bound(void)
{
    if (!boot())
        return;
    struct quire_mm *mm = mm_new();
    quire_linear_t at = map_anon(mm, 2 * NODE);
    struct quire_page *page, *taken = NULL;
    const quire_gfp_t gfp = QUIRE_GFP_HIGHUSER | QUIRE_GFP_THISNODE | QUIRE_GFP_NOWARN;
    poke_pages(mm, at, 2, 1); /* tables, and what else the area needs */
    CHECK_EQ(bind_range(mm, at + 2 * PAGE, 2, QUIRE_MPOL_PREFERRED, 2, 0), 0);
    CHECK_EQ(bind_range(mm, at + 4 * PAGE, 2, QUIRE_MPOL_BIND, 2, 0), 0);
    CHECK_EQ(bind_range(mm, at + 6 * PAGE, 2, QUIRE_MPOL_PREFERRED_MANY, 2, 0), 0);
    while ((page = quire_alloc_pages_node(machine.mem, 1, gfp, 0))) {
        page->owner.pointer[0] = taken;
        taken = page;
    }
    poke_pages(mm, at + 2 * PAGE, 1, 1);
    CHECK(node_at(mm, at + 2 * PAGE) != 1);
    poke_pages(mm, at + 6 * PAGE, 1, 1);
    CHECK(node_at(mm, at + 6 * PAGE) != 1);
    run_on(mm);
    CHECK(!poke(at + 4 * PAGE, 1));
    CHECK_EQ(last_result, QUIRE_VM_OOM);
    for (; taken; taken = page) {
        page = taken->owner.pointer[0];
        quire_free_page(machine.mem, taken);
    }
    CHECK(poke(at + 4 * PAGE, 1));
    CHECK_EQ(node_at(mm, at + 4 * PAGE), 1);
    mm_end(mm);
    vm_end();
}

/* ---- areas ----------------------------------------------------------------------------------- */

static void policies_survive_splits_forks_and_moves(void)
{
    if (!boot())
        return;
    struct quire_mm *mm = mm_new();
    quire_linear_t at = map_anon(mm, 8 * PAGE);
    CHECK_EQ(bind_range(mm, at, 8, QUIRE_MPOL_BIND, 2, 0), 0);
    CHECK_EQ(mm_info(mm).nr_areas, 1);
    CHECK_EQ(quire_mprotect(mm, at + 2 * PAGE, 2 * PAGE, QUIRE_PROT_READ), 0);
    CHECK_EQ(mm_info(mm).nr_areas, 3);
    CHECK_EQ(quire_mprotect(mm, at + 2 * PAGE, 2 * PAGE, READ_WRITE), 0);
    CHECK_EQ(mm_info(mm).nr_areas, 1);
    struct quire_mm *child = fork_of(mm);
    poke_pages(child, at, 1, 1);
    CHECK(are_on(child, at, "1"));
    int64_t moved = quire_mremap(mm, at + 4 * PAGE, 4 * PAGE, 6 * PAGE, QUIRE_MREMAP_MAYMOVE, 0);
    REQUIRE(moved > 0);
    poke_pages(mm, (quire_linear_t)moved, 6, 1);
    CHECK(are_on(mm, (quire_linear_t)moved, "111111"));
    mm_end(child);
    mm_end(mm);
    CHECK_EQ(test_vm->nr_policies, 0);
    vm_end();
}

static void areas_of_one_policy_are_joined(void)
{
    if (!boot())
        return;
    struct quire_mm *mm = mm_new();
    quire_linear_t at = map_anon(mm, 8 * PAGE);
    for (unsigned i = 0; i < 8; i++)
        CHECK_EQ(bind_range(mm, at + i * PAGE, 1, QUIRE_MPOL_BIND, 2, 0), 0);
    CHECK_EQ(mm_info(mm).nr_areas, 1);
    CHECK_EQ(bind_range(mm, at + 3 * PAGE, 1, QUIRE_MPOL_BIND, 4, 0), 0);
    CHECK_EQ(mm_info(mm).nr_areas, 3);
    CHECK_EQ(quire_mbind(mm, at, 8 * PAGE, NULL, 0), 0);
    CHECK_EQ(mm_info(mm).nr_areas, 1);
    mm_end(mm);
    vm_end();
}

static void shared_memory_has_its_policy_whoever_touches_it(void)
{
    if (!boot())
        return;
    struct quire_mapping *mapping = NULL;
    const struct quire_mapping_config config = {.size = 16 * PAGE, .may_write = true};
    CHECK_EQ(quire_mapping_create(&mapping, test_vm, &config), 0);
    struct quire_mm *mm = mm_new(), *other = mm_new();
    quire_linear_t at = map_file(mm, mapping, 0, 16 * PAGE, READ_WRITE, QUIRE_MAP_SHARED);
    CHECK_EQ(bind_range(mm, at, 16, QUIRE_MPOL_BIND, 2, 0), 0);
    CHECK_EQ(bind_range(mm, at + 4 * PAGE, 4, QUIRE_MPOL_BIND, 4, 0), 0);
    CHECK_EQ(quire_mbind(mm, at + 6 * PAGE, PAGE, NULL, 0), 0);
    mm_end(mm);
    quire_linear_t there =
        map_file(other, mapping, 2 * PAGE, 8 * PAGE, READ_WRITE, QUIRE_MAP_SHARED);
    poke_pages(other, there, 8, 1);
    CHECK(are_on(other, there, "11220211"));
    struct quire_mempolicy *policy;
    CHECK_EQ(quire_area_mempolicy(other, there + 3 * PAGE, &policy), 0);
    CHECK_EQ(quire_mempolicy_nodes(policy), 4);
    quire_mempolicy_put(policy);
    mm_end(other);
    quire_mapping_put(mapping);
    CHECK_EQ(test_vm->nr_policies, 0);
    vm_end();
}

/* Every other page of shared memory, until there are too many parts. */
static void parts_of_shared_memory_are_as_many_as_are_allowed(void)
{
    if (!boot())
        return;
    struct quire_mapping *mapping = NULL;
    const struct quire_mapping_config config = {
        .size = 16384 * PAGE, .may_write = true, .noreserve = true};
    CHECK_EQ(quire_mapping_create(&mapping, test_vm, &config), 0);
    struct quire_mm *mm = mm_new();
    quire_linear_t at = map_file(mm, mapping, 0, 16384 * PAGE, READ_WRITE, QUIRE_MAP_SHARED);
    struct quire_mempolicy *policy = policy_of(QUIRE_MPOL_BIND, 2);
    unsigned parts = 0;
    int error = 0;
    for (; !error && parts < 8192; parts++)
        error = quire_mbind(mm, at + 2 * parts * PAGE, PAGE, policy, 0);
    CHECK_EQ(error, -QUIRE_ENOMEM);
    CHECK(parts > 1000);
    CHECK(test_vm->nr_policy_runs <= quire_nr_managed_pages(machine.mem));
    quire_mempolicy_put(policy);
    mm_end(mm);
    quire_mapping_put(mapping);
    CHECK_EQ(test_vm->nr_policies, 0);
    CHECK_EQ(test_vm->nr_policy_runs, 0);
    vm_end();
}

static void ranges_that_cannot_be_bound_are_refused(void)
{
    if (!boot())
        return;
    struct quire_mm *mm = mm_new();
    quire_linear_t at = map_anon(mm, 8 * PAGE);
    CHECK_EQ(quire_munmap(mm, at + 4 * PAGE, PAGE), 0);
    CHECK_EQ(bind_range(mm, at, 8, QUIRE_MPOL_BIND, 2, 0), -QUIRE_EFAULT);
    CHECK_EQ(bind_range(mm, at + 1, 1, QUIRE_MPOL_BIND, 2, 0), -QUIRE_EINVAL);
    CHECK_EQ(bind_range(mm, at, 1, QUIRE_MPOL_BIND, 2, 8), -QUIRE_EINVAL);
    CHECK_EQ(bind_range(mm, at, 0, QUIRE_MPOL_BIND, 2, 0), 0);
    struct quire_mempolicy *policy = policy_of(QUIRE_MPOL_BIND, 2);
    CHECK_EQ(quire_mbind(mm, at, UINT64_MAX - PAGE, policy, 0), -QUIRE_EINVAL);
    quire_mempolicy_put(policy);
    CHECK_EQ(quire_area_mempolicy(mm, at + 4 * PAGE, &policy), -QUIRE_EFAULT);
    CHECK_EQ(quire_area_mempolicy(mm, at, &policy), 0);
    CHECK(!policy);
    CHECK_EQ(quire_set_home_node(mm, at, PAGE, 1), -QUIRE_ENOENT);
    CHECK_EQ(bind_range(mm, at, 1, QUIRE_MPOL_INTERLEAVE, 3, 0), 0);
    CHECK_EQ(quire_set_home_node(mm, at, PAGE, 1), -QUIRE_EOPNOTSUPP);
    CHECK_EQ(quire_set_home_node(mm, at, PAGE, 3), -QUIRE_EINVAL);
    CHECK_EQ(quire_set_home_node(mm, at, 0, 1), 0);
    mm_end(mm);
    vm_end();
}

static void a_search_begins_at_home(void)
{
    if (!boot())
        return;
    struct quire_mm *mm = mm_new();
    quire_linear_t at = map_anon(mm, 4 * PAGE);
    CHECK_EQ(bind_range(mm, at, 2, QUIRE_MPOL_BIND, 7, 0), 0);
    CHECK_EQ(bind_range(mm, at + 2 * PAGE, 2, QUIRE_MPOL_PREFERRED_MANY, 7, 0), 0);
    poke_pages(mm, at, 1, 1);
    CHECK_EQ(quire_set_home_node(mm, at, 4 * PAGE, 2), 0);
    poke_pages(mm, at + PAGE, 2, 1);
    CHECK(are_on(mm, at, "022-"));
    mm_end(mm);
    vm_end();
}

/* ---- moving ---------------------------------------------------------------------------------- */

static void pages_move_to_where_the_policy_says(void)
{
    if (!boot())
        return;
    struct quire_mm *mm = mm_new();
    quire_linear_t at = map_anon(mm, 8 * PAGE);
    poke_pages(mm, at, 6, 100);
    CHECK_EQ(bind_range(mm, at, 8, QUIRE_MPOL_BIND, 2, QUIRE_MPOL_MF_STRICT), -QUIRE_EIO);
    CHECK_EQ(bind_range(mm, at + 6 * PAGE, 2, QUIRE_MPOL_BIND, 2, QUIRE_MPOL_MF_STRICT), 0);
    CHECK_EQ(bind_range(mm, at, 4, QUIRE_MPOL_BIND, 2, QUIRE_MPOL_MF_MOVE), 0);
    CHECK(are_on(mm, at, "111100--"));
    CHECK_EQ(bind_range(mm, at, 4, QUIRE_MPOL_BIND, 2, QUIRE_MPOL_MF_STRICT), 0);
    check_pages(mm, at, 6, 100);
    CHECK_EQ(quire_mbind(mm, at, 4 * PAGE, NULL, QUIRE_MPOL_MF_MOVE), 0);
    CHECK(are_on(mm, at, "000000--"));
    check_pages(mm, at, 6, 100);
    check_reverse_maps();
    mm_end(mm);
    vm_end();
}

/* All of a node's memory, as a list by the owner's word. */
static struct quire_page *take_node(int node)
{
    const quire_gfp_t gfp = QUIRE_GFP_HIGHUSER | QUIRE_GFP_THISNODE | QUIRE_GFP_NOWARN;
    struct quire_page *page, *taken = NULL;
    while ((page = quire_alloc_pages_node(machine.mem, node, gfp, 0))) {
        page->owner.pointer[0] = taken;
        taken = page;
    }
    return taken;
}

static void give_node_back(struct quire_page *taken)
{
    for (struct quire_page *next; taken; taken = next) {
        next = taken->owner.pointer[0];
        quire_free_page(machine.mem, taken);
    }
}

static void a_move_to_a_full_node_ends_at_the_first_page(void)
{
    if (!boot())
        return;
    struct quire_mm *mm = mm_new();
    quire_linear_t at = map_anon(mm, 64 * PAGE);
    poke_pages(mm, at, 64, 100);
    struct quire_page *taken = take_node(1);
    CHECK_EQ(bind_range(mm, at, 64, QUIRE_MPOL_BIND, 2, QUIRE_MPOL_MF_MOVE), 0);
    CHECK_EQ(bind_range(mm, at, 64, QUIRE_MPOL_BIND, 2, QUIRE_MPOL_MF_MOVE | QUIRE_MPOL_MF_STRICT),
             -QUIRE_EIO);
    CHECK_EQ(quire_migrate_pages(mm, 1, 2, false), -QUIRE_ENOMEM);
    const quire_linear_t pages[] = {at, at + PAGE, at + 2 * PAGE};
    const int to[] = {2, 1, 2};
    int status[3];
    CHECK_EQ(quire_move_pages(mm, 3, pages, to, status, false), -QUIRE_ENOMEM);
    CHECK_EQ(status[0], 2);
    CHECK_EQ(status[1], -QUIRE_ENOMEM);
    CHECK_EQ(status[2], -QUIRE_ENOMEM);
    CHECK(are_on(mm, at, "2000"));
    give_node_back(taken);
    check_pages(mm, at, 64, 100);
    mm_end(mm);
    vm_end();
}

static struct move_end {
    struct quire_mm *mm;
    quire_linear_t gone;
    unsigned asked, end;
} move_end;

/* An area goes, which needs the lock. */
static bool go_on(void *arg)
{
    (void)arg;
    if (move_end.asked == 0)
        CHECK_EQ(quire_munmap(move_end.mm, move_end.gone, PAGE), 0);
    return ++move_end.asked < move_end.end;
}

static void a_long_move_gives_the_lock_up_and_can_be_ended(void)
{
    if (!boot())
        return;
    struct quire_mm *mm = mm_new();
    quire_linear_t at = map_anon(mm, 700 * PAGE);
    poke_pages(mm, at, 700, 100);
    quire_vm_set_numa_go_on(test_vm, go_on);
    move_end = (struct move_end){.mm = mm, .gone = at + 400 * PAGE, .end = 100};
    CHECK_EQ(bind_range(mm, at, 700, QUIRE_MPOL_BIND, 2, QUIRE_MPOL_MF_MOVE), 0);
    CHECK(move_end.asked >= 4);
    CHECK(are_on(mm, at, "11"));
    CHECK(are_on(mm, at + 399 * PAGE, "1-1"));
    CHECK(are_on(mm, at + 698 * PAGE, "11"));
    move_end = (struct move_end){.mm = mm, .gone = at + 500 * PAGE, .end = 2};
    CHECK_EQ(quire_migrate_pages(mm, 2, 4, false), -QUIRE_EINTR);
    CHECK_EQ(move_end.asked, 2);
    CHECK(are_on(mm, at, "22"));
    CHECK(are_on(mm, at + 698 * PAGE, "11"));
    check_pages(mm, at, 400, 100);
    check_reverse_maps();
    mm_end(mm);
    vm_end();
}

static unsigned long nr_unevictable(unsigned node)
{
    struct quire_vm_node_info info;
    CHECK_EQ(quire_vm_node_info(test_vm, node, &info), 0);
    return info.unevictable;
}

static void what_moves_stays_mlocked(void)
{
    if (!boot())
        return;
    struct quire_mm *mm = mm_new();
    quire_linear_t at = map_anon(mm, 8 * PAGE);
    poke_pages(mm, at, 8, 100);
    CHECK_EQ(quire_mlock(mm, at, 6 * PAGE, 0), 0);
    CHECK_EQ(nr_unevictable(0), 6);
    CHECK_EQ(bind_range(mm, at, 8, QUIRE_MPOL_BIND, 2, QUIRE_MPOL_MF_MOVE), 0);
    CHECK(are_on(mm, at, "11111111"));
    CHECK_EQ(nr_unevictable(0), 0);
    CHECK_EQ(nr_unevictable(1), 6);
    CHECK_EQ(quire_munlock(mm, at, 8 * PAGE), 0);
    CHECK_EQ(nr_unevictable(1), 0);
    mm_end(mm);
    vm_end();
}

static void shared_pages_move_only_if_all_may(void)
{
    if (!boot())
        return;
    struct quire_mm *mm = mm_new();
    quire_linear_t at = map_anon(mm, 4 * PAGE);
    poke_pages(mm, at, 4, 100);
    struct quire_mm *child = fork_of(mm);
    poke_pages(child, at + PAGE, 1, 200);
    CHECK_EQ(bind_range(mm, at, 4, QUIRE_MPOL_BIND, 2, QUIRE_MPOL_MF_MOVE), 0);
    CHECK(are_on(mm, at, "0100"));
    CHECK_EQ(bind_range(mm, at, 4, QUIRE_MPOL_BIND, 2, QUIRE_MPOL_MF_MOVE_ALL), 0);
    CHECK(are_on(mm, at, "1111"));
    CHECK(are_on(child, at, "1011"));
    check_pages(mm, at, 4, 100);
    check_pages(child, at + PAGE, 1, 200);
    check_pages(child, at + 2 * PAGE, 2, 102);
    check_reverse_maps();
    mm_end(child);
    mm_end(mm);
    vm_end();
}

static void each_page_is_told_where_it_is_or_why_not(void)
{
    if (!boot())
        return;
    struct quire_mm *mm = mm_new();
    quire_linear_t at = map_anon(mm, 8 * PAGE);
    uint64_t word;
    poke_pages(mm, at, 4, 100);
    run_on(mm);
    CHECK(peek(at + 5 * PAGE, &word));
    struct quire_page *pinned = NULL;
    CHECK_EQ(quire_get_user_page(mm, at + 3 * PAGE, true, &pinned), 0);
    const quire_linear_t pages[] = {
        at, at + PAGE + 8, at + 2 * PAGE, at + 3 * PAGE, at + 4 * PAGE, at + 5 * PAGE, PAGE};
    const int to[] = {0, 1, 2, 1, 1, 1, 1};
    int status[7];
    CHECK_EQ(quire_move_pages(mm, 7, pages, to, status, false), 1);
    const int moved[] = {0, 1, 2, -QUIRE_EBUSY, -QUIRE_ENOENT, -QUIRE_EFAULT, -QUIRE_EFAULT};
    for (unsigned i = 0; i < 7; i++)
        CHECK_EQ(status[i], moved[i]);
    CHECK_EQ(quire_move_pages(mm, 7, pages, NULL, status, false), 0);
    const int told[] = {0, 1, 2, 0, -QUIRE_ENOENT, -QUIRE_EFAULT, -QUIRE_EFAULT};
    for (unsigned i = 0; i < 7; i++)
        CHECK_EQ(status[i], told[i]);
    quire_put_user_page(test_vm, pinned, false);
    struct quire_mm *child = fork_of(mm);
    CHECK_EQ(quire_move_pages(mm, 1, pages, to + 1, status, false), 0);
    CHECK_EQ(status[0], -QUIRE_EACCES);
    CHECK_EQ(quire_move_pages(mm, 1, pages, to + 1, status, true), 0);
    CHECK_EQ(status[0], 1);
    CHECK(are_on(child, at, "1"));
    check_pages(mm, at, 4, 100);
    CHECK_EQ(quire_address_node(mm, at + 2 * PAGE), 2);
    CHECK_EQ(quire_address_node(mm, PAGE), -QUIRE_EFAULT);
    mm_end(child);
    mm_end(mm);
    vm_end();
}

static void nodes_change_places(void)
{
    if (!boot())
        return;
    struct quire_mm *mm = mm_new();
    quire_linear_t at = map_anon(mm, 9 * PAGE);
    for (unsigned i = 0; i < 9; i++)
        CHECK_EQ(bind_range(mm, at + i * PAGE, 1, QUIRE_MPOL_BIND, 1u << i % 3, 0), 0);
    poke_pages(mm, at, 9, 100);
    CHECK(are_on(mm, at, "012012012"));
    CHECK_EQ(quire_migrate_pages(mm, NODES(0, 1), NODES(1, 2), false), 0);
    CHECK(are_on(mm, at, "122122122"));
    CHECK_EQ(quire_migrate_pages(mm, 7, 1, false), 0);
    CHECK(are_on(mm, at, "000000000"));
    check_pages(mm, at, 9, 100);
    check_reverse_maps();
    mm_end(mm);
    vm_end();
}

/* ---- view ------------------------------------------------------------------------------------ */

static char shown[512];
static size_t shown_bytes;

static void collect(void *arg, const char *bytes, size_t size)
{
    (void)arg;
    for (; size && shown_bytes < sizeof shown - 1; size--)
        shown[shown_bytes++] = *bytes++;
    shown[shown_bytes] = '\0';
}

static void numa_maps_are_as_linux_writes_them(void)
{
    if (!boot())
        return;
    struct quire_mm *mm = mm_new();
    char expected[512];
    quire_linear_t at = map_anon(mm, 8 * PAGE);
    CHECK_EQ(bind_range(mm, at, 2, QUIRE_MPOL_BIND, 6, 0), 0);
    CHECK_EQ(
        bind_range(mm, at + 2 * PAGE, 2, QUIRE_MPOL_INTERLEAVE | QUIRE_MPOL_F_STATIC_NODES, 5, 0),
        0);
    CHECK_EQ(bind_range(mm, at + 4 * PAGE, 2, QUIRE_MPOL_PREFERRED_MANY, 2, 0), 0);
    poke_pages(mm, at, 4, 1);
    shown_bytes = 0;
    CHECK_EQ(quire_mm_view(mm, QUIRE_MM_VIEW_NUMA_MAPS, QUIRE_FORMAT_TEXT, collect, NULL), 0);
    unsigned long long from = at;
    quire_snprintf(expected, sizeof expected,
                   "%08llx bind:1-2 anon=2 dirty=2 active=0 N1=2 kernelpagesize_kB=4\n"
                   "%08llx interleave=static:0,2 anon=2 dirty=2 active=0 N0=1 N2=1 "
                   "kernelpagesize_kB=4\n"
                   "%08llx prefer (many):1\n%08llx default\n",
                   from, from + 2 * PAGE, from + 4 * PAGE, from + 6 * PAGE);
    if (!contains(shown, expected))
        test_note("it says:\n%s", shown);
    CHECK(contains(shown, expected));
    mm_end(mm);
    vm_end();
}

static const struct test_case cases[] = {
    TEST_CASE(policies_that_make_no_sense_are_refused),
    TEST_CASE(nodes_are_told_as_they_were_said_or_as_they_are),
    TEST_CASE(pages_come_from_where_their_area_says),
    TEST_CASE(interleaved_pages_take_turns),
    TEST_CASE(a_threads_policy_is_for_what_areas_leave_open),
    TEST_CASE(a_full_node_is_passed_over_unless_it_is_bound),
    TEST_CASE(policies_survive_splits_forks_and_moves),
    TEST_CASE(areas_of_one_policy_are_joined),
    TEST_CASE(shared_memory_has_its_policy_whoever_touches_it),
    TEST_CASE(parts_of_shared_memory_are_as_many_as_are_allowed),
    TEST_CASE(ranges_that_cannot_be_bound_are_refused),
    TEST_CASE(a_search_begins_at_home),
    TEST_CASE(pages_move_to_where_the_policy_says),
    TEST_CASE(a_move_to_a_full_node_ends_at_the_first_page),
    TEST_CASE(a_long_move_gives_the_lock_up_and_can_be_ended),
    TEST_CASE(what_moves_stays_mlocked),
    TEST_CASE(shared_pages_move_only_if_all_may),
    TEST_CASE(each_page_is_told_where_it_is_or_why_not),
    TEST_CASE(nodes_change_places),
    TEST_CASE(numa_maps_are_as_linux_writes_them),
    {0},
};
const struct test_suite suite_vm_numa = {"vm_numa", cases};
