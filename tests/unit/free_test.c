/* tests/unit/free_test.c: frees that are a mistake are caught, named, and otherwise ignored */
#include "tests/unit/machine.h"

static const struct quire_memblock_region map[] = {
    {.size = 8 * MIB},
    {.base = 8 * MIB, .size = 64 * KIB, .kind = QUIRE_MEMBLOCK_NOMAP},
    {.base = 10 * MIB, .size = 6 * MIB},
    {0},
};
#define RESERVED (3 * MIB)
#define HOLE (9 * MIB)

static unsigned long free_before;

static struct quire_mem *boot(void)
{
    if (!machine_can_have_cpus(2) || !machine_map(map))
        return NULL;
    CHECK_EQ(quire_memblock_reserve(&machine.memblock, RESERVED, MIB), 0);
    CHECK_EQ(machine_start((struct quire_mem_config){.nr_cpus = 2}), 0);
    if (machine.mem)
        free_before = quire_nr_free_pages(machine.mem);
    return machine.mem;
}

/* The mistake was named, and changed nothing: all is free that was when it was made. */
static void check_caught(const char *what)
{
    CHECK(machine_caught(what));
    CHECK_EQ(quire_nr_free_pages(machine.mem), free_before);
    quire_mem_check(machine.mem);
}

static struct quire_page *page_at(quire_phys_t phys)
{
    return quire_pfn_to_page(machine.mem, quire_phys_to_pfn(phys));
}

static void a_double_free_is_caught_where_the_page_is(void)
{
    struct quire_mem *mem = boot();
    if (!mem)
        return;
    struct quire_page *page = quire_alloc_page(mem, QUIRE_GFP_KERNEL);
    REQUIRE(page);
    quire_free_page(mem, page);
    quire_free_page(mem, page);
    check_caught("double free: it is on a per-CPU list");
    CHECK_EQ(machine.bad_pfn.value, page->pfn);
    quire_drain_all_pages(mem);
    quire_free_page(mem, page);
    check_caught("double free: it is free in its zone");
}

static void a_double_free_of_a_large_block_is_caught(void)
{
    struct quire_mem *mem = boot();
    if (!mem)
        return;
    for (unsigned order = 4; order <= QUIRE_MAX_ORDER; order++) {
        struct quire_page *page = quire_alloc_pages(mem, QUIRE_GFP_KERNEL, order);
        REQUIRE(page);
        quire_free_pages(mem, page, order);
        quire_free_pages(mem, page, order);
        check_caught("double free");
    }
}

static void a_free_with_another_order_is_caught(void)
{
    struct quire_mem *mem = boot();
    if (!mem)
        return;
    struct quire_page *page = quire_alloc_pages(mem, QUIRE_GFP_KERNEL, 3);
    struct quire_page *large = quire_alloc_pages(mem, QUIRE_GFP_KERNEL, 6);
    REQUIRE(page && large);
    free_before = quire_nr_free_pages(mem);
    quire_free_pages(mem, page, 2);
    check_caught("free with order 2 of a block of order 3");
    quire_free_pages(mem, page, 4);
    check_caught("free with order 4 of a block of order 3");
    quire_free_pages(mem, large, 0);
    check_caught("free with order 0 of a block of order 6");
    quire_free_pages(mem, page, QUIRE_MAX_ORDER + 1);
    check_caught("above the largest");
    quire_free_pages(mem, page, 3);
    quire_free_pages(mem, large, 6);
    CHECK_EQ(machine.bad_pages, 0);
}

static void a_free_inside_a_block_is_caught(void)
{
    struct quire_mem *mem = boot();
    if (!mem)
        return;
    static const quire_gfp_t flags[] = {QUIRE_GFP_KERNEL, QUIRE_GFP_KERNEL | QUIRE_GFP_COMP};
    for (unsigned i = 0; i < 2; i++) {
        struct quire_page *page = quire_alloc_pages(mem, flags[i], 5);
        REQUIRE(page);
        free_before = quire_nr_free_pages(mem);
        quire_free_page(mem, page + 1);
        check_caught("free inside a block of order 5 allocated at");
        quire_free_pages(mem, page + 16, 4);
        check_caught("free inside a block of order 5 allocated at");
        quire_put_page(mem, page + 31);
        check_caught("free inside a block of order 5 allocated at");
        quire_free_pages(mem, page, 5);
        CHECK_EQ(machine.bad_pages, 0);
    }
}

static void a_free_of_what_was_never_handed_out_is_caught(void)
{
    struct quire_mem *mem = boot();
    if (!mem)
        return;
    quire_free_page(mem, page_at(RESERVED + 64 * KIB));
    check_caught("free of a reserved frame");
    quire_free_page(mem, page_at(HOLE));
    check_caught("hole of the memory map");
    quire_free_page(mem, page_at(8 * MIB));
    check_caught("free of a reserved frame");
    quire_free_page(mem, page_at(0));
    check_caught("free of a reserved frame");
    quire_put_page(mem, page_at(RESERVED));
    check_caught("free of a reserved frame");
    quire_free_page(mem, page_at(2 * MIB));
    check_caught("double free: it is free in its zone");
}

static void a_free_with_the_owners_flags_set_is_caught(void)
{
    struct quire_mem *mem = boot();
    if (!mem)
        return;
    for (unsigned order = 0; order <= 5; order += 5) {
        struct quire_page *page = quire_alloc_pages(mem, QUIRE_GFP_KERNEL, order);
        REQUIRE(page);
        free_before = quire_nr_free_pages(mem);
        page->flags |= 0x5000u;
        quire_free_pages(mem, page, order);
        check_caught("free of a block whose owner's flags are set: 0x5000");
        quire_put_page(mem, page);
        check_caught("free of a block whose owner's flags are set: 0x5000");
        page->flags &= ~QUIRE_PAGE_OWNER_FLAGS;
        quire_free_pages(mem, page, order);
        CHECK_EQ(machine.bad_pages, 0);
    }
}

static void a_put_of_a_free_page_is_caught(void)
{
    struct quire_mem *mem = boot();
    if (!mem)
        return;
    struct quire_page *page = quire_alloc_page(mem, QUIRE_GFP_KERNEL);
    REQUIRE(page);
    quire_put_page(mem, page);
    CHECK_EQ(machine.bad_pages, 0);
    quire_put_page(mem, page);
    check_caught("double free");
}

static void a_free_by_an_address_that_begins_no_page_is_caught(void)
{
    struct quire_mem *mem = boot();
    if (!mem)
        return;
    char *address = quire_get_free_pages(mem, QUIRE_GFP_KERNEL, 2);
    REQUIRE(address);
    free_before = quire_nr_free_pages(mem);
    quire_free_pages_at(mem, address + 1, 2);
    check_caught("free of an address that begins no page");
    quire_free_pages_at(mem, machine.port.base + 16 * MIB, 0);
    check_caught("free of an address that begins no page");
    quire_free_pages_at(mem, machine.port.base - QUIRE_PAGE_SIZE, 0);
    check_caught("free of an address that begins no page");
    quire_free_pages_at(mem, address + QUIRE_PAGE_SIZE, 0);
    check_caught("free inside a block of order 2");
    quire_free_pages_at(mem, address, 2);
    CHECK_EQ(machine.bad_pages, 0);
}

static void freeing_nothing_does_nothing(void)
{
    struct quire_mem *mem = boot();
    if (!mem)
        return;
    struct quire_page *none[3] = {NULL, NULL, NULL};
    quire_free_pages_at(mem, NULL, 3);
    quire_free_pages_exact(mem, NULL, 100000);
    quire_free_pages_bulk(mem, 3, none);
    CHECK_EQ(machine.bad_pages, 0);
    CHECK_EQ(quire_nr_free_pages(mem), free_before);
}

static void a_caught_mistake_is_logged_with_its_frame(void)
{
    struct quire_mem *mem = boot();
    if (!mem)
        return;
    quire_free_page(mem, page_at(HOLE));
    CHECK(machine_said("quire: bad page at frame 0x900: free of a frame that is a hole"));
}

static const struct test_case cases[] = {
    TEST_CASE(a_double_free_is_caught_where_the_page_is),
    TEST_CASE(a_double_free_of_a_large_block_is_caught),
    TEST_CASE(a_free_with_another_order_is_caught),
    TEST_CASE(a_free_inside_a_block_is_caught),
    TEST_CASE(a_free_of_what_was_never_handed_out_is_caught),
    TEST_CASE(a_free_with_the_owners_flags_set_is_caught),
    TEST_CASE(a_put_of_a_free_page_is_caught),
    TEST_CASE(a_free_by_an_address_that_begins_no_page_is_caught),
    TEST_CASE(freeing_nothing_does_nothing),
    TEST_CASE(a_caught_mistake_is_logged_with_its_frame),
    {0},
};
const struct test_suite suite_free = {"free", cases};
