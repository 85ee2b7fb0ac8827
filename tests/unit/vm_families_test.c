/* tests/unit/vm_families_test.c: anon_vmas and their chains, through forks, splits and ends */
#include "tests/unit/vm_families.h"

/* ---- single steps ---------------------------------------------------------------------------- */

static void the_first_page_gives_an_area_its_anon_vma(void)
{
    if (!family_boot(false))
        return;
    struct quire_vma *vma = new_relative(0, 0, 10, 4);
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
    family_end();
}

static void neighbours_that_could_become_one_share_an_anon_vma(void)
{
    if (!family_boot(false))
        return;
    struct quire_vma *low = new_relative(0, 0, 10, 4), *middle = new_relative(1, 0, 14, 2);
    struct quire_vma *high = new_relative(2, 0, 16, 4), *beyond = new_relative(3, 0, 21, 4);
    middle->flags &= ~VM_WRITE; /* mprotect can undo that */
    CHECK_EQ(anon_vma_prepare(low), 0);
    CHECK_EQ(anon_vma_prepare(middle), 0);
    CHECK_EQ(anon_vma_prepare(high), 0);
    CHECK_EQ(anon_vma_prepare(beyond), 0);
    CHECK(middle->anon_vma == low->anon_vma && high->anon_vma == low->anon_vma);
    CHECK_EQ(low->anon_vma->nr_active, 3);
    CHECK(beyond->anon_vma != low->anon_vma);
    CHECK(leads_to(low->anon_vma, high, 16) && !leads_to(low->anon_vma, high, 15));
    family_end();
}

static void neighbours_that_could_not_become_one_do_not(void)
{
    if (!family_boot(false))
        return;
    struct quire_vma *low = new_relative(0, 0, 10, 4), *locked = new_relative(1, 0, 14, 2);
    struct quire_vma *moved = new_relative(2, 0, 16, 4);
    locked->flags |= VM_LOCKED;
    moved->pgoff = 1000;
    CHECK_EQ(anon_vma_prepare(low), 0);
    CHECK_EQ(anon_vma_prepare(locked), 0);
    CHECK_EQ(anon_vma_prepare(moved), 0);
    CHECK(locked->anon_vma != low->anon_vma && moved->anon_vma != locked->anon_vma);
    /* A fork's child that shares pages with its parent keeps to itself. */
    CHECK_EQ(fork_relative(0, 3, 1), 0);
    struct quire_vma *above = new_relative(4, 1, 14, 2);
    CHECK_EQ(anon_vma_prepare(above), 0);
    CHECK(above->anon_vma != relative[3].anon_vma);
    family_end();
}

static void areas_are_compatible_when_their_pages_can_be_in_one(void)
{
    if (!family_boot(false))
        return;
    struct quire_vma *a = new_relative(0, 0, 10, 4), *b = new_relative(1, 0, 14, 2);
    struct quire_vma *other = new_relative(2, 0, 20, 2);
    CHECK(anon_vma_compatible(a, b));
    CHECK_EQ(anon_vma_prepare(a), 0);
    CHECK(anon_vma_compatible(a, b) && anon_vma_compatible(b, a));
    CHECK_EQ(anon_vma_prepare(other), 0);
    CHECK(!anon_vma_compatible(a, other));
    CHECK_EQ(anon_vma_prepare(b), 0);
    CHECK(anon_vma_compatible(a, b));
    CHECK_EQ(fork_relative(0, 3, 1), 0);
    struct quire_vma *empty = new_relative(4, 1, 14, 2);
    CHECK(!anon_vma_compatible(&relative[3], empty));
    CHECK(!anon_vma_compatible(empty, &relative[3]));
    family_end();
}

static void a_clone_is_led_to_like_its_original(void)
{
    if (!family_boot(false))
        return;
    struct quire_vma *vma = new_relative(0, 0, 10, 4), *empty = new_relative(1, 0, 40, 4);
    struct quire_vma *clone = new_relative(2, 0, 14, 4);
    CHECK_EQ(anon_vma_clone(clone, vma), 0); /* of nothing */
    CHECK(!clone->anon_vma && list_empty(&clone->chains));
    CHECK_EQ(anon_vma_prepare(vma), 0);
    CHECK_EQ(fork_relative(0, 3, 1), 0);
    CHECK_EQ(anon_vma_clone(clone, vma), 0);
    CHECK(clone->anon_vma == vma->anon_vma);
    CHECK_EQ(vma->anon_vma->nr_active, 2);
    CHECK(leads_to(vma->anon_vma, clone, 14));
    struct quire_vma *childs = new_relative(4, 1, 14, 4);
    CHECK_EQ(anon_vma_clone(childs, &relative[3]), 0);
    CHECK_EQ(nr_chains(childs), 2);
    CHECK(leads_to(vma->anon_vma, childs, 15) && leads_to(relative[3].anon_vma, childs, 15));
    (void)empty;
    family_end();
}

static void a_page_is_looked_for_in_its_writers_descendants_only(void)
{
    if (!family_boot(false))
        return;
    new_relative(0, 0, 0, 8);
    CHECK_EQ(anon_vma_prepare(&relative[0]), 0);
    CHECK_EQ(fork_relative(0, 1, 1), 0);
    CHECK_EQ(fork_relative(1, 2, 2), 0);
    CHECK_EQ(fork_relative(0, 3, 3), 0);
    CHECK(relative[1].anon_vma != relative[0].anon_vma &&
          relative[2].anon_vma != relative[1].anon_vma);
    static const bool led[4][4] = {{1, 1, 1, 1}, {0, 1, 1, 0}, {0, 0, 1, 0}, {0, 0, 0, 1}};
    for (unsigned writer = 0; writer < 4; writer++)
        for (unsigned i = 0; i < 4; i++)
            CHECK_EQ(leads_to(relative[writer].anon_vma, &relative[i], 3), led[writer][i]);
    for (unsigned i = 1; i < 4; i++)
        CHECK(relative[i].anon_vma->root.locked == &relative[0].anon_vma->root);
    family_end();
}

static void an_area_that_changes_is_found_in_its_new_range(void)
{
    if (!family_boot(false))
        return;
    struct quire_vma *vma = new_relative(0, 0, 10, 4);
    CHECK_EQ(anon_vma_prepare(vma), 0);
    CHECK_EQ(fork_relative(0, 1, 1), 0);
    rmap_begin_change(&relative[1]);
    relative[1].end += 4 * PAGE;
    rmap_end_change(&relative[1]);
    CHECK(leads_to(vma->anon_vma, &relative[1], 17) &&
          leads_to(relative[1].anon_vma, &relative[1], 17));
    CHECK(!leads_to(vma->anon_vma, vma, 17));
    rmap_begin_change(vma);
    vma->start += PAGE;
    vma->pgoff++;
    rmap_end_change(vma);
    CHECK(!leads_to(vma->anon_vma, vma, 10) && leads_to(vma->anon_vma, vma, 11));
    family_end();
}

/* ---- many forks ------------------------------------------------------------------------------ */

/* Each process forks and goes: what init's children do that respawn for ever. */
static void chains_of_forks_whose_parents_go_stay_short(void)
{
    if (!family_boot(false))
        return;
    new_relative(0, 0, 0, 4);
    CHECK_EQ(anon_vma_prepare(&relative[0]), 0);
    uint32_t highest = 0;
    for (unsigned i = 1; i < AREAS; i++) {
        CHECK_EQ(fork_relative(i - 1, i, i), 0);
        end_relative(i - 1);
        CHECK(nr_chains(&relative[i]) <= 4);
        highest = relative[i].anon_vma->root.id > highest ? relative[i].anon_vma->root.id : highest;
    }
    CHECK(highest <= 5);
    family_end();
}

/* It would be written to by one branch of the family, and looked through by the other in vain. */
static void what_nobody_writes_to_is_used_again_if_it_has_one_child_at_most(void)
{
    if (!family_boot(false))
        return;
    new_relative(0, 0, 0, 4);
    CHECK_EQ(anon_vma_prepare(&relative[0]), 0);
    struct anon_vma *first = relative[0].anon_vma;
    CHECK_EQ(fork_relative(0, 1, 1), 0);
    struct anon_vma *second = relative[1].anon_vma;
    CHECK_EQ(fork_relative(1, 2, 2), 0);
    CHECK_EQ(fork_relative(1, 3, 3), 0);
    end_relative(1);
    CHECK_EQ(second->nr_children, 2);
    CHECK_EQ(fork_relative(2, 4, 4), 0);
    CHECK(relative[4].anon_vma != second);
    end_relative(3);
    CHECK_EQ(second->nr_children, 1);
    CHECK_EQ(fork_relative(2, 5, 5), 0);
    CHECK(relative[5].anon_vma == second);
    CHECK_EQ(fork_relative(2, 6, 6), 0); /* it is written to again */
    CHECK(relative[6].anon_vma != second);
    end_relative(0);
    CHECK_EQ(first->nr_active, 0);
    CHECK_EQ(fork_relative(2, 7, 7), 0); /* the first never is */
    CHECK(relative[7].anon_vma != first);
    family_end();
}

/* All are alive: every one has as many chains as ancestors, and no more. */
static void a_fork_chain_of_a_thousand_has_a_chain_an_ancestor(void)
{
    const unsigned depth = AREAS;
    if (!family_boot(false))
        return;
    new_relative(0, 0, 0, 4);
    CHECK_EQ(anon_vma_prepare(&relative[0]), 0);
    for (unsigned i = 1; i < depth; i++) {
        CHECK_EQ(fork_relative(i - 1, i, i), 0);
        CHECK_EQ(nr_chains(&relative[i]), i + 1);
    }
    unsigned met = 0;
    struct interval *at = interval_first(&relative[0].anon_vma->root.areas, 2, 2);
    for (; at; at = interval_next(at, 2, 2)) /* parents before children */
        CHECK(quire_container_of(at, struct anon_vma_chain, interval)->vma == &relative[met++]);
    CHECK_EQ(met, depth);
    interval_check(&relative[0].anon_vma->root.areas);
    family_end();
}

static void the_first_of_a_family_may_go_before_its_descendants(void)
{
    if (!family_boot(false))
        return;
    new_relative(0, 0, 0, 4);
    CHECK_EQ(anon_vma_prepare(&relative[0]), 0);
    CHECK_EQ(fork_relative(0, 1, 1), 0);
    CHECK_EQ(fork_relative(0, 2, 2), 0);
    struct root *first = &relative[0].anon_vma->root;
    end_relative(0);
    CHECK(relative[1].anon_vma->root.locked == first && relative[2].anon_vma->root.locked == first);
    CHECK(leads_to(relative[1].anon_vma->parent, &relative[2], 1));
    end_relative(1);
    CHECK_EQ(fork_relative(2, 3, 3), 0);
    CHECK(relative[3].anon_vma->root.locked == first);
    family_end();
}

/* ---- no memory ------------------------------------------------------------------------------- */

static void forget_empty_slabs(void)
{
    (void)quire_kmem_cache_shrink(family_vm.anon_vma_cache);
    (void)quire_kmem_cache_shrink(family_vm.chain_cache);
}

static unsigned long nr_objects(void)
{
    return info_of(family_vm.anon_vma_cache).nr_active + info_of(family_vm.chain_cache).nr_active;
}

static int prepare_again(void)
{
    return anon_vma_prepare(&relative[2]);
}

static int clone_again(void)
{
    return anon_vma_clone(&relative[2], &relative[1]);
}

static int fork_again(void)
{
    return anon_vma_fork(&relative[2], &relative[1]);
}

/* Until it succeeds; each failure leaves nothing behind. The number of failures. */
static unsigned fail_each(int (*operation)(void))
{
    int error = -QUIRE_ENOMEM;
    unsigned failures = 0;
    unsigned active = relative[1].anon_vma->nr_active, children = relative[1].anon_vma->nr_children;
    for (unsigned long number = 1; error; number++) {
        forget_empty_slabs();
        unsigned long objects = nr_objects();
        family_fail(number, false);
        error = operation();
        family_fail(0, false);
        if (!error)
            break;
        failures++;
        CHECK_EQ(error, -QUIRE_ENOMEM);
        CHECK_EQ(nr_objects(), objects);
        CHECK(!relative[2].anon_vma && list_empty(&relative[2].chains));
        CHECK_EQ(relative[1].anon_vma->nr_active, active);
        CHECK_EQ(relative[1].anon_vma->nr_children, children);
    }
    return failures;
}

static void without_memory_nothing_changes(void)
{
    static int (*const operations[])(void) = {prepare_again, clone_again, fork_again};
    static const unsigned expected[] = {2, 2, 4}; /* chains, and an anon_vma */
    for (unsigned i = 0; i < 3; i++) {
        if (!family_boot(true))
            return;
        new_relative(0, 0, 0, 4);
        CHECK_EQ(anon_vma_prepare(&relative[0]), 0);
        CHECK_EQ(fork_relative(0, 1, 1), 0);
        new_relative(2, 2, 0, 4);
        CHECK_EQ(fail_each(operations[i]), expected[i]);
        CHECK_EQ(nr_chains(&relative[2]), expected[i] - (i != 1));
        family_end();
    }
}

/* A chain, an anon_vma, and the table of ids. */
static void without_memory_for_the_first_id_there_is_no_anon_vma(void)
{
    unsigned failures = 0;
    int error = -QUIRE_ENOMEM;
    for (unsigned long number = 1; error; number++) {
        if (!family_boot(true))
            return;
        new_relative(0, 0, 0, 4);
        family_fail(number, true);
        error = anon_vma_prepare(&relative[0]);
        family_fail(0, false);
        failures += error != 0;
        CHECK(!error || error == -QUIRE_ENOMEM);
        CHECK(!error ||
              (!relative[0].anon_vma && list_empty(&relative[0].chains) && !nr_objects()));
        family_end();
    }
    CHECK(failures > 2);
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
    {0},
};
const struct test_suite suite_vm_families = {"vm_families", cases};
