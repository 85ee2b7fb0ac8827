/* tests/unit/debug_test.c: poison, owners */
#include "tests/unit/machine.h"

#define POISON 0xaa

static struct quire_mem *boot(unsigned debug)
{
    return machine_boot_plain(8 * MIB, (struct quire_mem_config){.nr_cpus = 2, .debug = debug});
}

/* ---- poison ---------------------------------------------------------------------------------- */

static bool is_poisoned(const struct quire_page *page)
{
    const unsigned char *at = quire_page_address(machine.mem, page);
    for (unsigned long i = 0; i < QUIRE_PAGE_SIZE; i++)
        if (at[i] != POISON)
            return false;
    return true;
}

static void a_write_after_free_is_reported_when_the_page_is_allocated(void)
{
    struct quire_mem *mem = boot(QUIRE_DEBUG_POISON);
    if (!mem)
        return;
    struct quire_page *page = quire_alloc_pages(mem, QUIRE_GFP_KERNEL, 1), *chain;
    REQUIRE(page);
    unsigned char *content = quire_page_address(mem, page);
    content[0] = 1; /* its own while it is allocated */
    quire_free_pages(mem, page, 1);
    content[QUIRE_PAGE_SIZE + 100] = 0x17;
    unsigned long taken = take_pages(QUIRE_GFP_KERNEL | QUIRE_GFP_MEMALLOC, ~0ul, &chain);
    CHECK_EQ(taken, quire_nr_managed_pages(mem));
    CHECK_EQ(machine.bad_pfn.value, page->pfn + 1);
    CHECK(machine_caught("written while free: byte 100 is 0x17, not the poison 0xaa"));
    free_chain(chain);
    CHECK_EQ(machine.bad_pages, 0);
    quire_mem_check(mem);
}

static void free_memory_is_poisoned_from_the_start(void)
{
    struct quire_page *chain;
    struct quire_mem *mem = boot(QUIRE_DEBUG_POISON);
    if (!mem)
        return;
    for (unsigned order = 0; order <= 5; order++) {
        struct quire_page *page = quire_alloc_pages(mem, QUIRE_GFP_KERNEL, order);
        REQUIRE(page);
        for (unsigned i = 0; i < 1u << order; i++)
            CHECK(is_poisoned(page + i));
        quire_free_pages(mem, page, order);
    }
    take_pages(QUIRE_GFP_KERNEL | QUIRE_GFP_MEMALLOC, ~0ul, &chain);
    CHECK_EQ(machine.bad_pages, 0);
    free_chain(chain);
}

static void zero_wins_over_poison(void)
{
    struct quire_mem *mem = boot(QUIRE_DEBUG_POISON);
    if (!mem)
        return;
    unsigned char *page = quire_get_zeroed_page(mem, QUIRE_GFP_KERNEL);
    REQUIRE(page);
    CHECK(!page[0] && !page[QUIRE_PAGE_SIZE - 1]);
    quire_free_pages_at(mem, page, 0);
    CHECK(is_poisoned(quire_virt_to_page(mem, page)));
}

static void released_frames_are_poisoned_too(void)
{
    static const struct quire_memblock_region map[] = {{.size = 8 * MIB}, {0}};
    struct quire_page *chain;
    if (!machine_map(map))
        return;
    CHECK_EQ(quire_memblock_reserve(&machine.memblock, 2 * MIB, MIB), 0);
    CHECK_EQ(machine_start((struct quire_mem_config){.nr_cpus = 1, .debug = QUIRE_DEBUG_POISON}),
             0);
    REQUIRE(machine.mem);
    CHECK_EQ(quire_free_reserved(machine.mem, 2 * MIB, MIB), 0);
    take_pages(QUIRE_GFP_KERNEL | QUIRE_GFP_MEMALLOC, ~0ul, &chain);
    CHECK_EQ(machine.bad_pages, 0);
    free_chain(chain);
}

static void highmem_is_poisoned_through_windows(void)
{
    static const struct quire_memblock_region map[] = {{.size = 8 * MIB}, {0}};
    if (!machine_map(map))
        return;
    machine.port.direct_end = 4 * MIB;
    CHECK_EQ(machine_start((struct quire_mem_config){
                 .nr_cpus = 1,
                 .debug = QUIRE_DEBUG_POISON,
                 .zone_end = {[QUIRE_ZONE_NORMAL] = 4 * MIB, [QUIRE_ZONE_HIGHMEM] = UINT64_MAX}}),
             0);
    REQUIRE(machine.mem);
    struct quire_page *page = quire_alloc_page(machine.mem, QUIRE_GFP_HIGHUSER);
    REQUIRE(page && !quire_page_address(machine.mem, page));
    quire_phys_t phys = quire_page_to_phys(page);
    quire_free_page(machine.mem, page);
    char *content = quire_port_kmap_local(&machine.port, phys);
    CHECK_EQ((unsigned char)content[5], POISON);
    content[5] = 0;
    quire_port_kunmap_local(&machine.port, content);
    CHECK(quire_alloc_page(machine.mem, QUIRE_GFP_HIGHUSER) == page);
    CHECK(machine_caught("written while free: byte 5 is 0x0"));
}

static void poison_can_be_turned_on_and_off(void)
{
    struct quire_mem *mem = boot(0);
    if (!mem)
        return;
    struct quire_page *page = quire_alloc_page(mem, QUIRE_GFP_KERNEL);
    REQUIRE(page);
    CHECK(zone_info(0).nr_pcp > 0);
    CHECK_EQ(quire_set_debug(mem, QUIRE_DEBUG_POISON), 0);
    CHECK_EQ(quire_set_debug(mem, QUIRE_DEBUG_POISON), 0);
    CHECK_EQ(zone_info(0).nr_pcp, 0);
    CHECK(!is_poisoned(page)); /* in use */
    quire_free_page(mem, page);
    CHECK(is_poisoned(page));
    CHECK_EQ(zone_info(0).nr_pcp, 0);
    CHECK_EQ(quire_set_debug(mem, 0), 0);
    ((char *)quire_page_address(mem, page))[9] = 1;
    struct quire_page *chain;
    take_pages(QUIRE_GFP_KERNEL | QUIRE_GFP_MEMALLOC, ~0ul, &chain);
    CHECK_EQ(machine.bad_pages, 0);
    free_chain(chain);
    CHECK(zone_info(0).nr_pcp > 0);
    quire_mem_check(mem);
}

static void other_debug_flags_need_the_start(void)
{
    struct quire_mem *mem = boot(0);
    if (!mem)
        return;
    CHECK_EQ(quire_set_debug(mem, QUIRE_DEBUG_OWNER), -QUIRE_EINVAL);
    CHECK_EQ(quire_set_debug(mem, QUIRE_DEBUG_OWNER | QUIRE_DEBUG_POISON), -QUIRE_EINVAL);
    CHECK_EQ(quire_set_debug(mem, 0x10), -QUIRE_EINVAL);
    mem = boot(QUIRE_DEBUG_OWNER);
    if (!mem)
        return;
    CHECK_EQ(quire_set_debug(mem, 0), -QUIRE_EINVAL);
    CHECK_EQ(quire_set_debug(mem, QUIRE_DEBUG_OWNER | QUIRE_DEBUG_POISON), 0);
    CHECK_EQ(quire_set_debug(mem, QUIRE_DEBUG_OWNER), 0);
    CHECK_EQ(zone_info(0).nr_pcp, 0);
}

/* ---- allocations that fail ------------------------------------------------------------------- */

static unsigned asked, refused_at;

static bool refuse(void *arg, quire_gfp_t gfp, unsigned order)
{
    (void)gfp;
    CHECK(arg == &asked);
    CHECK(order <= QUIRE_MAX_ORDER);
    return ++asked == refused_at;
}

static struct quire_mem *boot_refusing(unsigned debug)
{
    static const struct quire_mem_ops ops = {.refuse = refuse};
    asked = refused_at = 0;
    return machine_boot_plain(
        8 * MIB,
        (struct quire_mem_config){.nr_cpus = 2, .debug = debug, .ops = &ops, .ops_arg = &asked});
}

static void each_allocation_is_asked_about_and_may_be_refused(void)
{
    struct quire_page *pages[4] = {NULL};
    struct quire_mem *mem = boot_refusing(QUIRE_DEBUG_FAIL);
    if (!mem)
        return;
    unsigned long before = quire_nr_free_pages(mem);
    refused_at = 2;
    struct quire_page *page = quire_alloc_page(mem, QUIRE_GFP_KERNEL);
    REQUIRE(page);
    CHECK(!quire_alloc_page(mem, QUIRE_GFP_KERNEL));
    CHECK_EQ(quire_nr_free_pages(mem), before - 1);
    quire_free_page(mem, page);
    refused_at = 3;
    CHECK(!quire_get_zeroed_page(mem, QUIRE_GFP_KERNEL));
    refused_at = 4;
    CHECK(!quire_alloc_pages(mem, QUIRE_GFP_KERNEL, QUIRE_PAGEBLOCK_ORDER));
    refused_at = 5;
    CHECK(!quire_alloc_pages_node(mem, 0, QUIRE_GFP_KERNEL, 3));
    refused_at = 8;
    CHECK_EQ(quire_alloc_pages_bulk(mem, -1, QUIRE_GFP_KERNEL, 4, pages), 2);
    CHECK(pages[1] && !pages[2]);
    quire_free_pages_bulk(mem, 2, pages);
    CHECK_EQ(asked, 8);
    CHECK_EQ(quire_nr_free_pages(mem), before);
    quire_mem_check(mem);
}

static void what_may_not_fail_is_not_asked_about(void)
{
    struct quire_mem *mem = boot_refusing(QUIRE_DEBUG_FAIL);
    if (!mem)
        return;
    refused_at = 1;
    struct quire_page *page = quire_alloc_page(mem, QUIRE_GFP_KERNEL | QUIRE_GFP_NOFAIL);
    REQUIRE(page);
    quire_free_page(mem, page);
    CHECK_EQ(asked, 0);
    mem = boot_refusing(0);
    if (!mem)
        return;
    refused_at = 1;
    page = quire_alloc_page(mem, QUIRE_GFP_KERNEL);
    REQUIRE(page);
    quire_free_page(mem, page);
    CHECK_EQ(asked, 0);
}

/* ---- owners ---------------------------------------------------------------------------------- */

static char dump[2048];
static size_t dump_length;

static void catch_dump(void *arg, const char *text, size_t length)
{
    (void)arg;
    for (size_t i = 0; i < length && dump_length + 1 < sizeof dump; i++)
        dump[dump_length++] = text[i];
    dump[dump_length] = '\0';
}

/* The dump's callers: their number, and sums. */
struct owners {
    unsigned callers;
    unsigned long pages, blocks;
    uintptr_t last_caller;
};

static const char *read_number(const char *at, uintptr_t *number)
{
    unsigned base = 10;
    while (*at == ' ')
        at++;
    if (at[0] == '0' && at[1] == 'x') {
        base = 16;
        at += 2;
    }
    for (*number = 0;; at++) {
        unsigned digit = *at >= '0' && *at <= '9'   ? (unsigned)(*at - '0')
                         : *at >= 'a' && *at <= 'f' ? (unsigned)(*at - 'a') + 10
                                                    : 16;
        if (digit >= base)
            return at;
        *number = *number * base + digit;
    }
}

static struct owners read_owners(void)
{
    struct owners owners = {0};
    dump_length = 0;
    quire_dump_owners(machine.mem, catch_dump, NULL);
    CHECK(contains(dump, "     pages     blocks caller\n"));
    const char *at = dump;
    while (*at && *at++ != '\n')
        ;
    while (*at) {
        uintptr_t pages, blocks, caller;
        at = read_number(read_number(read_number(at, &pages), &blocks), &caller);
        owners.callers++;
        owners.pages += pages;
        owners.blocks += blocks;
        CHECK(caller > owners.last_caller);
        owners.last_caller = caller;
        CHECK(*at == '\n' || (at[0] == ' ' && at[1] == '(')); /* what the port calls it */
        while (*at && *at++ != '\n')
            ;
    }
    return owners;
}

__attribute__((noinline)) static struct quire_page *take_here(unsigned order)
{
    struct quire_page *page = quire_alloc_pages(machine.mem, QUIRE_GFP_KERNEL, order);
    CHECK(page);
    return page;
}

__attribute__((noinline)) static struct quire_page *take_there(unsigned order)
{
    struct quire_page *page = quire_alloc_pages_node(machine.mem, 0, QUIRE_GFP_KERNEL, order);
    CHECK(page);
    return page;
}

static void who_holds_pages_is_dumped_by_caller(void)
{
    if (!boot(QUIRE_DEBUG_OWNER))
        return;
    CHECK_EQ(read_owners().callers, 0);
    struct quire_page *a = take_here(0), *b = take_here(3), *c = take_there(5);
    struct owners owners = read_owners();
    CHECK_EQ(owners.callers, 2);
    CHECK_EQ(owners.pages, 1 + 8 + 32);
    CHECK_EQ(owners.blocks, 3);
    quire_free_pages(machine.mem, b, 3);
    quire_put_page(machine.mem, c);
    owners = read_owners();
    CHECK_EQ(owners.callers, 1);
    CHECK_EQ(owners.pages, 1);
    quire_free_page(machine.mem, a);
    CHECK_EQ(read_owners().callers, 0);
    CHECK_EQ(machine.bad_pages, 0);
}

static void a_split_block_has_an_owner_for_each_page(void)
{
    if (!boot(QUIRE_DEBUG_OWNER))
        return;
    struct quire_page *page = take_here(3);
    quire_split_page(machine.mem, page, 3);
    struct owners owners = read_owners();
    CHECK_EQ(owners.callers, 1);
    CHECK_EQ(owners.pages, 8);
    CHECK_EQ(owners.blocks, 8);
    for (unsigned i = 0; i < 7; i++)
        quire_free_page(machine.mem, &page[i]);
    CHECK_EQ(read_owners().pages, 1);
    quire_free_page(machine.mem, &page[7]);
    CHECK_EQ(read_owners().callers, 0);
}

/* Code of this file, as the one function that allocates in it by other ways. */
__attribute__((noinline)) static void take_by_other_ways(void **address, struct quire_page **pages)
{
    address[0] = quire_get_free_pages(machine.mem, QUIRE_GFP_KERNEL, 1);
    address[1] = quire_get_zeroed_page(machine.mem, QUIRE_GFP_KERNEL);
    address[2] = quire_alloc_pages_exact(machine.mem, 3 * QUIRE_PAGE_SIZE, QUIRE_GFP_KERNEL);
    CHECK_EQ(quire_alloc_pages_bulk(machine.mem, -1, QUIRE_GFP_KERNEL, 4, pages), 4);
}

static void the_caller_is_outside_of_the_library(void)
{
    void *address[3];
    struct quire_page *pages[4] = {NULL, NULL, NULL, NULL};
    if (!boot(QUIRE_DEBUG_OWNER))
        return;
    take_by_other_ways(address, pages);
    struct owners owners = read_owners();
    CHECK_EQ(owners.callers, 4);
    CHECK_EQ(owners.pages, 2 + 1 + 3 + 4);
    uintptr_t start = (uintptr_t)take_by_other_ways;
    CHECK(owners.last_caller > start && owners.last_caller < start + 4096);
    quire_free_pages_at(machine.mem, address[0], 1);
    quire_free_pages_at(machine.mem, address[1], 0);
    quire_free_pages_exact(machine.mem, address[2], 3 * QUIRE_PAGE_SIZE);
    quire_free_pages_bulk(machine.mem, 4, pages);
    CHECK_EQ(read_owners().callers, 0);
    CHECK_EQ(quire_mem_destroy(machine.mem), 0);
}

static void without_tracking_the_dump_says_so(void)
{
    if (!boot(0))
        return;
    dump_length = 0;
    quire_dump_owners(machine.mem, catch_dump, NULL);
    CHECK(contains(dump, "QUIRE_DEBUG_OWNER"));
}

static const struct test_case cases[] = {
    TEST_CASE(each_allocation_is_asked_about_and_may_be_refused),
    TEST_CASE(what_may_not_fail_is_not_asked_about),
    TEST_CASE(a_write_after_free_is_reported_when_the_page_is_allocated),
    TEST_CASE(free_memory_is_poisoned_from_the_start),
    TEST_CASE(zero_wins_over_poison),
    TEST_CASE(released_frames_are_poisoned_too),
    TEST_CASE(highmem_is_poisoned_through_windows),
    TEST_CASE(poison_can_be_turned_on_and_off),
    TEST_CASE(other_debug_flags_need_the_start),
    TEST_CASE(who_holds_pages_is_dumped_by_caller),
    TEST_CASE(a_split_block_has_an_owner_for_each_page),
    TEST_CASE(the_caller_is_outside_of_the_library),
    TEST_CASE(without_tracking_the_dump_says_so),
    {0},
};
const struct test_suite suite_debug = {"debug", cases};
