/* tests/unit/vm_families_test.c: anon_vmas and their chains, through forks, splits and ends
 *
 * On areas made by hand, without page tables: what matters is which areas a page's root leads to.
 */
#include "tests/unit/slab_machine.h"
#include "vm/area.h"

#define AREAS 1000u
#define PROCESSES 24u
#define PAGE ((quire_linear_t)QUIRE_PAGE_SIZE)

static struct quire_vm families; /* a quire_vm of which there is what anon_vmas need */
static struct quire_mm processes[PROCESSES];
static struct quire_vma areas[AREAS];
static bool alive[AREAS];
static unsigned long calls, failure; /* of allocations: that one fails */
static bool and_later;               /* and all after it */

static bool fails(void *arg)
{
    (void)arg;
    calls++;
    return failure && (and_later ? calls >= failure : calls == failure);
}

/* Objects that take a slab each, and caches that keep none for later: each allocation can fail. */
static struct quire_kmem_cache *cache_of_slabs(const char *name)
{
    struct quire_kmem_cache *cache = quire_kmem_cache_create(
        slab, name, QUIRE_PAGE_SIZE, 0, QUIRE_SLAB_CONSISTENCY_CHECKS | QUIRE_SLAB_NO_MERGE, NULL);
    CHECK_EQ(quire_kmem_cache_set_order(cache, 0), 0);
    return cache;
}

static bool boot(bool failing)
{
    static const struct quire_slab_config config = {.fail = fails};
    calls = failure = 0;
    and_later = false;
    if (!machine_boot_plain(64 * MIB, (struct quire_mem_config){.nr_cpus = 2}))
        return false;
    if (!slab_start(&config))
        return false;
    families = (struct quire_vm){.mem = machine.mem, .slab = slab};
    families.anon_vma_cache =
        failing ? cache_of_slabs("anon_vma") : cache_of("anon_vma", sizeof(struct anon_vma), 0);
    families.chain_cache = failing ? cache_of_slabs("anon_vma_chain")
                                   : cache_of("anon_vma_chain", sizeof(struct anon_vma_chain), 0);
    CHECK_EQ(roots_create(&families), 0);
    for (unsigned i = 0; i < PROCESSES; i++)
        processes[i] = (struct quire_mm){.vm = &families};
    for (unsigned i = 0; i < AREAS; i++)
        alive[i] = false;
    return true;
}

static void end_area(unsigned i)
{
    anon_vma_unlink(&areas[i]);
    CHECK(list_empty(&areas[i].chains) && !areas[i].anon_vma);
    tree_unlink(&areas[i].mm->areas, &areas[i].node);
    alive[i] = false;
}

static void end(void)
{
    for (unsigned i = 0; i < AREAS; i++)
        if (alive[i])
            end_area(i);
    roots_destroy(&families); /* panics if a root is left */
    destroy(families.anon_vma_cache);
    destroy(families.chain_cache);
    slab_end();
}

/* Area `i` of a process, of which there are some at most: pages [first, first + count), which are
 * also its indices. It may lie over others, which nothing here minds. */
static struct quire_vma *new_area(unsigned i, unsigned process, uint64_t first, uint64_t count)
{
    struct quire_vma *vma = &areas[i];
    struct quire_mm *mm = &processes[process % PROCESSES];
    struct tree *tree = &mm->areas;
    struct tree_node *parent = NULL, **link = &tree->root;
    *vma = (struct quire_vma){
        .start = first * PAGE,
        .end = (first + count) * PAGE,
        .mm = mm,
        .flags = VM_READ | VM_WRITE,
        .pgoff = first,
    };
    list_init(&vma->chains);
    while (*link) {
        parent = *link;
        link =
            &parent->child[vma->start >= quire_container_of(parent, struct quire_vma, node)->start];
    }
    tree_link(tree, &vma->node, parent, link);
    alive[i] = true;
    return vma;
}

/* The same range in another process, as fork leaves it. */
static int fork_area(unsigned from, unsigned to, unsigned process)
{
    struct quire_vma *parent = &areas[from];
    struct quire_vma *child = new_area(to, process, parent->pgoff, vma_pages(parent));
    return anon_vma_fork(child, parent);
}

static unsigned nr_chains(const struct quire_vma *vma)
{
    unsigned count = 0;
    list_for_each (link, &vma->chains)
        count++;
    return count;
}

/* Whether a walk from a root meets an area at an index. */
static bool leads_to(const struct anon_vma *anon_vma, const struct quire_vma *vma, uint64_t index)
{
    struct interval *at = interval_first(&anon_vma->root.areas, index, index);
    for (; at; at = interval_next(at, index, index))
        if (quire_container_of(at, struct anon_vma_chain, interval)->vma == vma)
            return true;
    return false;
}

/* ---- single steps ------------------------------------------------------------------------------
 */

static void the_first_page_gives_an_area_its_anon_vma(void)
{
    if (!boot(false))
        return;
    struct quire_vma *vma = new_area(0, 0, 10, 4);
    CHECK_EQ(anon_vma_prepare(vma), 0);
    struct anon_vma *anon_vma = vma->anon_vma;
    REQUIRE(anon_vma);
    CHECK_EQ(anon_vma->nr_active, 1);
    CHECK_EQ(nr_chains(vma), 1);
    CHECK_EQ(anon_vma_prepare(vma), 0);
    CHECK(vma->anon_vma == anon_vma);
    CHECK_EQ(nr_chains(vma), 1);
    CHECK(leads_to(anon_vma, vma, 10) && leads_to(anon_vma, vma, 13));
    CHECK(!leads_to(anon_vma, vma, 9) && !leads_to(anon_vma, vma, 14));
    end();
}

static void neighbours_that_could_become_one_share_an_anon_vma(void)
{
    if (!boot(false))
        return;
    struct quire_vma *low = new_area(0, 0, 10, 4), *middle = new_area(1, 0, 14, 2);
    struct quire_vma *high = new_area(2, 0, 16, 4), *beyond = new_area(3, 0, 21, 4);
    middle->flags &= ~VM_WRITE; /* mprotect can undo that */
    CHECK_EQ(anon_vma_prepare(low), 0);
    CHECK_EQ(anon_vma_prepare(middle), 0);
    CHECK_EQ(anon_vma_prepare(high), 0);
    CHECK_EQ(anon_vma_prepare(beyond), 0);
    CHECK(middle->anon_vma == low->anon_vma && high->anon_vma == low->anon_vma);
    CHECK_EQ(low->anon_vma->nr_active, 3);
    CHECK(beyond->anon_vma != low->anon_vma);
    CHECK(leads_to(low->anon_vma, high, 16) && !leads_to(low->anon_vma, high, 15));
    end();
}

static void neighbours_that_could_not_become_one_do_not(void)
{
    if (!boot(false))
        return;
    struct quire_vma *low = new_area(0, 0, 10, 4), *locked = new_area(1, 0, 14, 2);
    struct quire_vma *moved = new_area(2, 0, 16, 4);
    locked->flags |= VM_LOCKED;
    moved->pgoff = 1000;
    CHECK_EQ(anon_vma_prepare(low), 0);
    CHECK_EQ(anon_vma_prepare(locked), 0);
    CHECK_EQ(anon_vma_prepare(moved), 0);
    CHECK(locked->anon_vma != low->anon_vma && moved->anon_vma != locked->anon_vma);
    /* A fork's child that shares pages with its parent keeps to itself. */
    CHECK_EQ(fork_area(0, 3, 1), 0);
    struct quire_vma *above = new_area(4, 1, 14, 2);
    CHECK_EQ(anon_vma_prepare(above), 0);
    CHECK(above->anon_vma != areas[3].anon_vma);
    end();
}

static void areas_are_compatible_when_their_pages_can_be_in_one(void)
{
    if (!boot(false))
        return;
    struct quire_vma *a = new_area(0, 0, 10, 4), *b = new_area(1, 0, 14, 2);
    struct quire_vma *other = new_area(2, 0, 20, 2);
    CHECK(anon_vma_compatible(a, b));
    CHECK_EQ(anon_vma_prepare(a), 0);
    CHECK(anon_vma_compatible(a, b) && anon_vma_compatible(b, a));
    CHECK_EQ(anon_vma_prepare(other), 0);
    CHECK(!anon_vma_compatible(a, other));
    CHECK_EQ(anon_vma_prepare(b), 0);
    CHECK(anon_vma_compatible(a, b));
    CHECK_EQ(fork_area(0, 3, 1), 0);
    struct quire_vma *empty = new_area(4, 1, 14, 2);
    CHECK(!anon_vma_compatible(&areas[3], empty));
    CHECK(!anon_vma_compatible(empty, &areas[3]));
    end();
}

static void a_clone_is_led_to_like_its_original(void)
{
    if (!boot(false))
        return;
    struct quire_vma *vma = new_area(0, 0, 10, 4), *empty = new_area(1, 0, 40, 4);
    struct quire_vma *clone = new_area(2, 0, 14, 4);
    CHECK_EQ(anon_vma_clone(clone, vma), 0); /* of nothing */
    CHECK(!clone->anon_vma && list_empty(&clone->chains));
    CHECK_EQ(anon_vma_prepare(vma), 0);
    CHECK_EQ(fork_area(0, 3, 1), 0);
    CHECK_EQ(anon_vma_clone(clone, vma), 0);
    CHECK(clone->anon_vma == vma->anon_vma);
    CHECK_EQ(vma->anon_vma->nr_active, 2);
    CHECK(leads_to(vma->anon_vma, clone, 14));
    struct quire_vma *childs = new_area(4, 1, 14, 4);
    CHECK_EQ(anon_vma_clone(childs, &areas[3]), 0);
    CHECK_EQ(nr_chains(childs), 2);
    CHECK(leads_to(vma->anon_vma, childs, 15) && leads_to(areas[3].anon_vma, childs, 15));
    (void)empty;
    end();
}

static void a_page_is_looked_for_in_its_writers_descendants_only(void)
{
    if (!boot(false))
        return;
    new_area(0, 0, 0, 8);
    CHECK_EQ(anon_vma_prepare(&areas[0]), 0);
    CHECK_EQ(fork_area(0, 1, 1), 0);
    CHECK_EQ(fork_area(1, 2, 2), 0);
    CHECK_EQ(fork_area(0, 3, 3), 0);
    CHECK(areas[1].anon_vma != areas[0].anon_vma && areas[2].anon_vma != areas[1].anon_vma);
    static const bool led[4][4] = {{1, 1, 1, 1}, {0, 1, 1, 0}, {0, 0, 1, 0}, {0, 0, 0, 1}};
    for (unsigned writer = 0; writer < 4; writer++)
        for (unsigned i = 0; i < 4; i++)
            CHECK_EQ(leads_to(areas[writer].anon_vma, &areas[i], 3), led[writer][i]);
    for (unsigned i = 1; i < 4; i++)
        CHECK(areas[i].anon_vma->root.locked == &areas[0].anon_vma->root);
    end();
}

static void an_area_that_changes_is_found_in_its_new_range(void)
{
    if (!boot(false))
        return;
    struct quire_vma *vma = new_area(0, 0, 10, 4);
    CHECK_EQ(anon_vma_prepare(vma), 0);
    CHECK_EQ(fork_area(0, 1, 1), 0);
    rmap_begin_change(&areas[1]);
    areas[1].end += 4 * PAGE;
    rmap_end_change(&areas[1]);
    CHECK(leads_to(vma->anon_vma, &areas[1], 17) && leads_to(areas[1].anon_vma, &areas[1], 17));
    CHECK(!leads_to(vma->anon_vma, vma, 17));
    rmap_begin_change(vma);
    vma->start += PAGE;
    vma->pgoff++;
    rmap_end_change(vma);
    CHECK(!leads_to(vma->anon_vma, vma, 10) && leads_to(vma->anon_vma, vma, 11));
    end();
}

/* ---- many forks --------------------------------------------------------------------------------
 */

/* Each process forks and goes: what init's children do that respawn for ever. */
static void chains_of_forks_whose_parents_go_stay_short(void)
{
    if (!boot(false))
        return;
    new_area(0, 0, 0, 4);
    CHECK_EQ(anon_vma_prepare(&areas[0]), 0);
    uint32_t highest = 0;
    for (unsigned i = 1; i < AREAS; i++) {
        CHECK_EQ(fork_area(i - 1, i, i), 0);
        end_area(i - 1);
        CHECK(nr_chains(&areas[i]) <= 4);
        highest = areas[i].anon_vma->root.id > highest ? areas[i].anon_vma->root.id : highest;
    }
    CHECK(highest <= 5);
    end();
}

/* It would be written to by one branch of the family, and looked through by the other in vain. */
static void what_nobody_writes_to_is_used_again_if_it_has_one_child_at_most(void)
{
    if (!boot(false))
        return;
    new_area(0, 0, 0, 4);
    CHECK_EQ(anon_vma_prepare(&areas[0]), 0);
    struct anon_vma *first = areas[0].anon_vma;
    CHECK_EQ(fork_area(0, 1, 1), 0);
    struct anon_vma *second = areas[1].anon_vma;
    CHECK_EQ(fork_area(1, 2, 2), 0);
    CHECK_EQ(fork_area(1, 3, 3), 0);
    end_area(1);
    CHECK_EQ(second->nr_children, 2);
    CHECK_EQ(fork_area(2, 4, 4), 0);
    CHECK(areas[4].anon_vma != second);
    end_area(3);
    CHECK_EQ(second->nr_children, 1);
    CHECK_EQ(fork_area(2, 5, 5), 0);
    CHECK(areas[5].anon_vma == second);
    CHECK_EQ(fork_area(2, 6, 6), 0); /* it is written to again */
    CHECK(areas[6].anon_vma != second);
    end_area(0);
    CHECK_EQ(first->nr_active, 0);
    CHECK_EQ(fork_area(2, 7, 7), 0); /* the first never is */
    CHECK(areas[7].anon_vma != first);
    end();
}

/* All are alive: every one has as many chains as ancestors, and no more. */
static void a_fork_chain_of_a_thousand_has_a_chain_an_ancestor(void)
{
    const unsigned depth = AREAS;
    if (!boot(false))
        return;
    new_area(0, 0, 0, 4);
    CHECK_EQ(anon_vma_prepare(&areas[0]), 0);
    for (unsigned i = 1; i < depth; i++) {
        CHECK_EQ(fork_area(i - 1, i, i), 0);
        CHECK_EQ(nr_chains(&areas[i]), i + 1);
    }
    unsigned met = 0;
    struct interval *at = interval_first(&areas[0].anon_vma->root.areas, 2, 2);
    for (; at; at = interval_next(at, 2, 2)) /* parents before children */
        CHECK(quire_container_of(at, struct anon_vma_chain, interval)->vma == &areas[met++]);
    CHECK_EQ(met, depth);
    interval_check(&areas[0].anon_vma->root.areas);
    end();
}

static void the_first_of_a_family_may_go_before_its_descendants(void)
{
    if (!boot(false))
        return;
    new_area(0, 0, 0, 4);
    CHECK_EQ(anon_vma_prepare(&areas[0]), 0);
    CHECK_EQ(fork_area(0, 1, 1), 0);
    CHECK_EQ(fork_area(0, 2, 2), 0);
    struct root *first = &areas[0].anon_vma->root;
    end_area(0);
    CHECK(areas[1].anon_vma->root.locked == first && areas[2].anon_vma->root.locked == first);
    CHECK(leads_to(areas[1].anon_vma->parent, &areas[2], 1));
    end_area(1);
    CHECK_EQ(fork_area(2, 3, 3), 0);
    CHECK(areas[3].anon_vma->root.locked == first);
    end();
}

/* ---- no memory ---------------------------------------------------------------------------------
 */

static void forget_empty_slabs(void)
{
    (void)quire_kmem_cache_shrink(families.anon_vma_cache);
    (void)quire_kmem_cache_shrink(families.chain_cache);
}

static unsigned long nr_objects(void)
{
    return info_of(families.anon_vma_cache).nr_active + info_of(families.chain_cache).nr_active;
}

static int prepare_again(void)
{
    return anon_vma_prepare(&areas[2]);
}

static int clone_again(void)
{
    return anon_vma_clone(&areas[2], &areas[1]);
}

static int fork_again(void)
{
    return anon_vma_fork(&areas[2], &areas[1]);
}

/* Until it succeeds; each failure leaves nothing behind. The number of failures. */
static unsigned fail_each(int (*operation)(void))
{
    int error = -QUIRE_ENOMEM;
    unsigned failures = 0;
    unsigned active = areas[1].anon_vma->nr_active, children = areas[1].anon_vma->nr_children;
    for (unsigned long number = 1; error; number++) {
        forget_empty_slabs();
        unsigned long objects = nr_objects();
        calls = 0;
        failure = number;
        error = operation();
        failure = 0;
        if (!error)
            break;
        failures++;
        CHECK_EQ(error, -QUIRE_ENOMEM);
        CHECK_EQ(nr_objects(), objects);
        CHECK(!areas[2].anon_vma && list_empty(&areas[2].chains));
        CHECK_EQ(areas[1].anon_vma->nr_active, active);
        CHECK_EQ(areas[1].anon_vma->nr_children, children);
    }
    return failures;
}

static void without_memory_nothing_changes(void)
{
    static int (*const operations[])(void) = {prepare_again, clone_again, fork_again};
    static const unsigned expected[] = {2, 2, 4}; /* chains, and an anon_vma */
    for (unsigned i = 0; i < 3; i++) {
        if (!boot(true))
            return;
        new_area(0, 0, 0, 4);
        CHECK_EQ(anon_vma_prepare(&areas[0]), 0);
        CHECK_EQ(fork_area(0, 1, 1), 0);
        new_area(2, 2, 0, 4);
        CHECK_EQ(fail_each(operations[i]), expected[i]);
        CHECK_EQ(nr_chains(&areas[2]), expected[i] - (i != 1));
        end();
    }
}

/* A chain, an anon_vma, and the table of ids. */
static void without_memory_for_the_first_id_there_is_no_anon_vma(void)
{
    unsigned failures = 0;
    int error = -QUIRE_ENOMEM;
    for (unsigned long number = 1; error; number++) {
        if (!boot(true))
            return;
        new_area(0, 0, 0, 4);
        calls = 0;
        failure = number;
        and_later = true;
        error = anon_vma_prepare(&areas[0]);
        failure = 0;
        failures += error != 0;
        CHECK(!error || error == -QUIRE_ENOMEM);
        CHECK(!error || (!areas[0].anon_vma && list_empty(&areas[0].chains) && !nr_objects()));
        end();
    }
    CHECK(failures > 2);
}

/* ---- random families ---------------------------------------------------------------------------
 */

#define MODEL_AREAS PROCESSES
#define MODEL_PAGES 128u
#define MODEL_INDICES 32u

/* A page: its root, and who may have it mapped. */
struct model_page {
    bool exists;
    struct anon_vma *root;
    uint64_t index;
    bool may_map[MODEL_AREAS];
};
static struct model_page pages[MODEL_PAGES];

static bool covers(unsigned area, uint64_t index)
{
    return alive[area] && index >= areas[area].pgoff &&
           index < areas[area].pgoff + vma_pages(&areas[area]);
}

/* Whoever can map a page of `from` can be `to` from now on, if it has the page's index. */
static void share_pages(unsigned from, unsigned to)
{
    for (unsigned p = 0; p < MODEL_PAGES; p++)
        if (pages[p].exists && pages[p].may_map[from])
            pages[p].may_map[to] = covers(to, pages[p].index);
}

static void leave_pages(unsigned area)
{
    for (unsigned p = 0; p < MODEL_PAGES; p++) {
        bool any = false;
        pages[p].may_map[area] = pages[p].may_map[area] && covers(area, pages[p].index);
        for (unsigned i = 0; i < MODEL_AREAS; i++)
            any = any || pages[p].may_map[i];
        pages[p].exists = pages[p].exists && any;
    }
}

static void model_write(unsigned area)
{
    unsigned p = test_random_below(MODEL_PAGES);
    uint64_t index = areas[area].pgoff + test_random_below((uint32_t)vma_pages(&areas[area]));
    CHECK_EQ(anon_vma_prepare(&areas[area]), 0);
    pages[p] = (struct model_page){.exists = true, .root = areas[area].anon_vma, .index = index};
    pages[p].may_map[area] = true;
}

/* The upper part becomes an area of its own. Its first page is where the lower one ends. */
static void model_split(unsigned area, unsigned to)
{
    uint64_t keep = vma_pages(&areas[area]) / 2;
    if (!keep)
        return;
    struct quire_vma *vma = &areas[area];
    struct quire_vma *high =
        new_area(to, (unsigned)(vma->mm - processes), vma->pgoff + keep, vma_pages(vma) - keep);
    CHECK_EQ(anon_vma_clone(high, vma), 0);
    share_pages(area, to);
    rmap_begin_change(vma);
    vma->end = high->start;
    rmap_end_change(vma);
    leave_pages(area);
}

static void model_step(void)
{
    unsigned area = test_random_below(MODEL_AREAS), other = test_random_below(MODEL_AREAS);
    if (!alive[area]) {
        if (!test_random_below(4))
            new_area(area, area, 0, MODEL_INDICES);
        return;
    }
    switch (test_random_below(8)) {
    case 0:
        end_area(area);
        leave_pages(area);
        break;
    case 1:
        if (!alive[other])
            model_split(area, other);
        break;
    case 2:
    case 3:
        if (!alive[other]) {
            CHECK_EQ(fork_area(area, other, other), 0);
            share_pages(area, other);
        }
        break;
    default:
        model_write(area);
    }
}

/* Every area that may map a page is found from the page's root, which lives as long as one does. */
static void model_check(void)
{
    for (unsigned p = 0; p < MODEL_PAGES; p++)
        for (unsigned i = 0; pages[p].exists && i < MODEL_AREAS; i++)
            CHECK(!pages[p].may_map[i] || leads_to(pages[p].root, &areas[i], pages[p].index));
    for (unsigned i = 0; i < MODEL_AREAS; i++)
        if (alive[i] && areas[i].anon_vma)
            interval_check(&areas[i].anon_vma->root.areas);
}

static void pages_of_random_families_lead_to_all_who_may_map_them(void)
{
    if (!boot(false))
        return;
    for (unsigned p = 0; p < MODEL_PAGES; p++)
        pages[p] = (struct model_page){.exists = false};
    for (unsigned step = 0; step < 6000; step++) {
        model_step();
        if (step % 8 == 0)
            model_check();
    }
    end();
}

static const struct test_case cases[] = {
    TEST_CASE(the_first_page_gives_an_area_its_anon_vma),
    TEST_CASE(neighbours_that_could_become_one_share_an_anon_vma),
    TEST_CASE(neighbours_that_could_not_become_one_do_not),
    TEST_CASE(areas_are_compatible_when_their_pages_can_be_in_one),
    TEST_CASE(a_clone_is_led_to_like_its_original),
    TEST_CASE(a_page_is_looked_for_in_its_writers_descendants_only),
    TEST_CASE(an_area_that_changes_is_found_in_its_new_range),
    TEST_CASE(chains_of_forks_whose_parents_go_stay_short),
    TEST_CASE(what_nobody_writes_to_is_used_again_if_it_has_one_child_at_most),
    TEST_CASE(a_fork_chain_of_a_thousand_has_a_chain_an_ancestor),
    TEST_CASE(the_first_of_a_family_may_go_before_its_descendants),
    TEST_CASE(without_memory_nothing_changes),
    TEST_CASE(without_memory_for_the_first_id_there_is_no_anon_vma),
    TEST_CASE(pages_of_random_families_lead_to_all_who_may_map_them),
    {0},
};
const struct test_suite suite_vm_families = {"vm_families", cases};
