/* tests/unit/reference_test.c: reference counts, compound pages, movers */
#include "tests/unit/machine.h"

#include "phys/page.h"

static struct quire_mem *boot(void)
{
    return machine_boot_plain(16 * MIB, (struct quire_mem_config){.nr_cpus = 1});
}

static void a_block_is_freed_with_its_last_reference(void)
{
    struct quire_mem *mem = boot();
    if (!mem)
        return;
    for (unsigned order = 0; order <= 6; order += 3) {
        unsigned long before = quire_nr_free_pages(mem);
        struct quire_page *page = quire_alloc_pages(mem, QUIRE_GFP_KERNEL | QUIRE_GFP_COMP, order);
        REQUIRE(page);
        quire_get_page(page);
        CHECK(quire_get_page_unless_zero(page));
        CHECK_EQ(quire_page_count(page), 3);
        quire_put_page(mem, page);
        quire_free_pages(mem, page, order); /* drops one too */
        CHECK_EQ(quire_page_count(page), 1);
        CHECK_EQ(quire_nr_free_pages(mem), before - (1ul << order));
        quire_put_page(mem, page);
        CHECK_EQ(quire_page_count(page), 0);
        CHECK_EQ(quire_nr_free_pages(mem), before);
    }
    CHECK_EQ(machine.bad_pages, 0);
    quire_mem_check(mem);
}

static void a_free_page_cannot_be_referenced(void)
{
    struct quire_mem *mem = boot();
    if (!mem)
        return;
    struct quire_page *page = quire_alloc_page(mem, QUIRE_GFP_KERNEL);
    REQUIRE(page);
    quire_free_page(mem, page);
    CHECK(!quire_get_page_unless_zero(page));
    quire_drain_all_pages(mem);
    CHECK(!quire_get_page_unless_zero(page));
    CHECK_EQ(quire_page_count(page), 0);
}

static void any_page_of_a_compound_page_finds_its_head(void)
{
    struct quire_mem *mem = boot();
    if (!mem)
        return;
    for (unsigned order = 0; order <= QUIRE_MAX_ORDER; order++) {
        struct quire_page *head = quire_alloc_pages(mem, QUIRE_GFP_KERNEL | QUIRE_GFP_COMP, order);
        REQUIRE(head);
        for (unsigned long i = 0; i < 1ul << order; i++)
            REQUIRE(quire_compound_head(mem, &head[i]) == head);
        CHECK(quire_compound_head(mem, &head[1ul << order]) != head);
        quire_put_page(mem, head);
        CHECK(!quire_compound_head(mem, head));
    }
    CHECK_EQ(machine.bad_pages, 0);
}

/* Its neighbours are allocated too, each with its own head. */
static void neighbours_dont_confuse_heads(void)
{
    struct quire_page *pages[64], *large;
    struct quire_mem *mem = boot();
    if (!mem)
        return;
    for (unsigned i = 0; i < 64; i++)
        pages[i] = quire_alloc_page(mem, QUIRE_GFP_KERNEL);
    large = quire_alloc_pages(mem, QUIRE_GFP_KERNEL, 4);
    REQUIRE(large && pages[63]);
    for (unsigned i = 0; i < 64; i++)
        CHECK(quire_compound_head(mem, pages[i]) == pages[i]);
    for (unsigned i = 0; i < 64; i += 2)
        quire_free_page(mem, pages[i]);
    for (unsigned i = 0; i < 64; i++)
        CHECK(quire_compound_head(mem, pages[i]) == (i % 2 ? pages[i] : NULL));
    CHECK(quire_compound_head(mem, large + 15) == large);
}

/* ---- movers ---------------------------------------------------------------------------------- */

static void movers_are_numbered_until_there_are_no_more(void)
{
    static const struct quire_mover mover;
    struct quire_mem *mem = boot();
    if (!mem)
        return;
    for (int i = 1; i <= QUIRE_MAX_MOVERS; i++)
        CHECK_EQ(quire_register_mover(mem, &mover), i);
    CHECK_EQ(quire_register_mover(mem, &mover), -QUIRE_ENOSPC);
    quire_unregister_mover(mem, 2);
    CHECK_EQ(quire_register_mover(mem, &mover), 2);
    CHECK_EQ(quire_register_mover(mem, &mover), -QUIRE_ENOSPC);
}

static void a_page_forgets_its_mover_when_it_is_freed(void)
{
    struct quire_mem *mem = boot();
    if (!mem)
        return;
    for (unsigned order = 0; order <= 4; order += 4) {
        struct quire_page *page =
            quire_alloc_pages(mem, QUIRE_GFP_KERNEL | QUIRE_GFP_MOVABLE, order);
        REQUIRE(page);
        quire_page_set_mover(page, 2);
        CHECK_EQ(flags_mover(page_flags(page)), 2);
        quire_page_set_mover(page, 1);
        CHECK_EQ(flags_mover(page_flags(page)), 1);
        CHECK_EQ(quire_page_order(page), order);
        quire_free_pages(mem, page, order);
        page = quire_alloc_pages(mem, QUIRE_GFP_KERNEL | QUIRE_GFP_MOVABLE, order);
        REQUIRE(page);
        CHECK_EQ(flags_mover(page_flags(page)), 0);
        quire_free_pages(mem, page, order);
    }
    CHECK_EQ(machine.bad_pages, 0);
}

static void what_is_left_to_the_owner_stays(void)
{
    struct quire_mem *mem = boot();
    if (!mem)
        return;
    struct quire_page *page = quire_alloc_pages(mem, QUIRE_GFP_KERNEL, 2);
    REQUIRE(page);
    page->owner.pointer[0] = page;
    page->owner_word = 77;
    page->flags |= QUIRE_PAGE_OWNER_FLAGS;
    quire_get_page(page);
    quire_get_page(page);
    quire_put_page(mem, page); /* not the last: the owner's flags are in order */
    quire_free_pages(mem, page, 2);
    CHECK_EQ(quire_page_count(page), 1);
    CHECK_EQ(page->flags & QUIRE_PAGE_OWNER_FLAGS, QUIRE_PAGE_OWNER_FLAGS);
    CHECK(page->owner.pointer[0] == page && page->owner_word == 77);
    CHECK_EQ(quire_page_order(page), 2);
    page->flags &= ~QUIRE_PAGE_OWNER_FLAGS;
    quire_put_page(mem, page);
    CHECK_EQ(machine.bad_pages, 0);
}

static const struct test_case cases[] = {
    TEST_CASE(a_block_is_freed_with_its_last_reference),
    TEST_CASE(a_free_page_cannot_be_referenced),
    TEST_CASE(any_page_of_a_compound_page_finds_its_head),
    TEST_CASE(neighbours_dont_confuse_heads),
    TEST_CASE(movers_are_numbered_until_there_are_no_more),
    TEST_CASE(a_page_forgets_its_mover_when_it_is_freed),
    TEST_CASE(what_is_left_to_the_owner_stays),
    {0},
};
const struct test_suite suite_reference = {"reference", cases};
