/* tests/unit/vmalloc_test.c: memory that is contiguous in addresses only */
#include "tests/unit/vmalloc_machine.h"

#include "tests/unit/json_check.h"

#define PAGE QUIRE_PAGE_SIZE
#define GFP QUIRE_GFP_KERNEL

static const struct vm_setup usual = {.format = QUIRE_PT_FORMAT_X86_64, .pages = 1000};

static void memory_is_mapped_page_by_page_with_a_guard_after_it(void)
{
    for (unsigned id = 0; id < QUIRE_NR_PT_FORMATS; id++) {
        if (!vmalloc_boot(&(struct vm_setup){.format = (enum quire_pt_format_id)id, .pages = 1000}))
            return;
        quire_linear_t a = quire_vmalloc(vm, 3 * PAGE, GFP);
        quire_linear_t b = quire_vmalloc(vm, 1, GFP);
        CHECK_EQ(a, vm_start);
        CHECK_EQ(b, a + 4 * PAGE);
        CHECK(vm_is_mapped(a, 3) && vm_is_mapped(b, 1));
        CHECK(!vm_byte(a + 3 * PAGE) && !vm_byte(b + PAGE));
        vm_fill(a, 3, 1);
        vm_fill(b, 1, 2);
        CHECK(vm_is_filled(a, 3, 1) && vm_is_filled(b, 1, 2));
        quire_vfree(vm, a);
        quire_vfree(vm, b);
        vmalloc_end();
    }
}

static void zeroed_memory_is_zero_and_pages_are_found_by_address(void)
{
    if (!vmalloc_boot(&usual))
        return;
    quire_linear_t a = quire_vmalloc(vm, 100 * PAGE, GFP);
    vm_fill(a, 100, 7);
    quire_vfree(vm, a);
    CHECK_EQ(quire_vm_unmap_aliases(vm), 100);
    a = quire_vzalloc(vm, 100 * PAGE, GFP);
    for (unsigned i = 0; i < 100; i++) {
        unsigned char *byte = vm_byte(a + i * PAGE);
        struct quire_page *page = quire_vmalloc_to_page(vm, a + i * PAGE + 5);
        CHECK(byte && is_zero(byte, PAGE));
        CHECK(page && quire_page_address(machine.mem, page) == (void *)byte);
        CHECK(page && quire_page_count(page) == 1);
    }
    CHECK(!quire_vmalloc_to_page(vm, a + 100 * PAGE));
    CHECK(!quire_vmalloc_to_page(vm, vm_start - PAGE));
    quire_vfree(vm, a);
    vmalloc_end();
}

static void what_is_freed_stays_out_of_use_until_one_flush_for_all(void)
{
    if (!vmalloc_boot(&usual))
        return;
    unsigned long free = vm_free_pages();
    quire_linear_t a[8];
    for (unsigned i = 0; i < 8; i++)
        a[i] = quire_vmalloc(vm, 10 * PAGE, GFP);
    for (unsigned i = 0; i < 8; i++)
        quire_vfree(vm, a[i]);
    CHECK_EQ(flushes.count, 0);
    CHECK(vm_is_unmapped(vm_start, 88));
    CHECK_EQ(vm_info().nr_lazy, 8);
    CHECK_EQ(vm_info().nr_lazy_pages, 88);
    quire_linear_t next = quire_vmalloc(vm, PAGE, GFP);
    CHECK_EQ(next, vm_start + 88 * PAGE);
    quire_vfree(vm, next);
    CHECK_EQ(quire_vm_unmap_aliases(vm), 81);
    CHECK_EQ(flushes.count, 1);
    CHECK_EQ(vm_free_pages(), free);
    next = quire_vmalloc(vm, PAGE, GFP);
    CHECK_EQ(next, vm_start);
    quire_vfree(vm, next);
    vmalloc_end();
}

static unsigned flushes_within;

/* Stands for another CPU, while the purge of this one waits for its flush. */
static void unmap_aliases_meanwhile(void *arg, const struct quire_tlb_flush *flush)
{
    (void)arg;
    (void)flush;
    if (!flushes_within++)
        CHECK_EQ(quire_vm_unmap_aliases(vm), 0);
}

static void what_another_purge_has_taken_is_flushed_all_the_same(void)
{
    if (!vmalloc_boot(&usual))
        return;
    vm_tables.flush = unmap_aliases_meanwhile;
    flushes_within = 0;
    quire_vfree(vm, quire_vmalloc(vm, 3 * PAGE, GFP));
    CHECK_EQ(quire_vm_unmap_aliases(vm), 3);
    CHECK_EQ(flushes_within, 2);
    CHECK_EQ(quire_vm_unmap_aliases(vm), 0);
    CHECK_EQ(flushes_within, 2);
    vmalloc_end();
}

static void a_purge_comes_by_itself_when_enough_pages_wait(void)
{
    struct vm_setup setup = usual;
    setup.lazy_pages = 21;
    if (!vmalloc_boot(&setup))
        return;
    for (unsigned i = 0; i < 7; i++)
        quire_vfree(vm, quire_vmalloc(vm, 2 * PAGE, GFP));
    CHECK_EQ(flushes.count, 0);
    quire_vfree(vm, quire_vmalloc(vm, 2 * PAGE, GFP));
    CHECK_EQ(flushes.count, 1);
    CHECK_EQ(vm_info().nr_lazy, 0);
    CHECK_EQ(vm_info().nr_purges, 1);
    vmalloc_end();
}

static void addresses_that_run_out_are_purged_for(void)
{
    struct vm_setup setup = usual;
    setup.pages = 22;
    if (!vmalloc_boot(&setup))
        return;
    quire_linear_t a = quire_vmalloc(vm, 10 * PAGE, GFP);
    quire_linear_t b = quire_vmalloc(vm, 10 * PAGE, GFP);
    CHECK(a && b);
    CHECK(!quire_vmalloc(vm, PAGE, GFP));
    CHECK(machine_heard("no addresses"));
    quire_vfree(vm, a);
    CHECK_EQ(quire_vmalloc(vm, 10 * PAGE, GFP), a);
    CHECK_EQ(flushes.count, 1);
    quire_vfree(vm, a);
    quire_vfree(vm, b);
    quire_linear_t all = quire_vmalloc(vm, 21 * PAGE, GFP);
    CHECK_EQ(all, vm_start);
    quire_vfree(vm, all);
    CHECK(!quire_vmalloc(vm, 22 * PAGE, GFP | QUIRE_GFP_NOWARN));
    vmalloc_end();
}

static void the_lowest_gap_that_is_large_enough_is_taken(void)
{
    if (!vmalloc_boot(&usual))
        return;
    quire_linear_t a[6];
    for (unsigned i = 0; i < 6; i++)
        a[i] = quire_vmalloc(vm, (i + 1) * PAGE, GFP);
    quire_vfree(vm, a[1]);
    quire_vfree(vm, a[4]);
    (void)quire_vm_unmap_aliases(vm);
    CHECK_EQ(a[4], quire_vmalloc(vm, 4 * PAGE, GFP));
    CHECK_EQ(a[1], quire_vmalloc(vm, 2 * PAGE, GFP));
    quire_vmalloc_check(vm);
    for (unsigned i = 0; i < 6; i++)
        quire_vfree(vm, a[i]);
    vmalloc_end();
}

static void given_pages_are_mapped_in_their_order_and_stay_their_owners(void)
{
    struct quire_page *pages[5];
    if (!vmalloc_boot(&usual))
        return;
    for (unsigned i = 0; i < 5; i++)
        pages[i] = quire_alloc_page(machine.mem, GFP);
    quire_linear_t a = quire_vmap(vm, pages, 5, 0);
    quire_linear_t read_only = quire_vmap(vm, &pages[2], 1, QUIRE_PTE_ACCESSED);
    CHECK(a && read_only);
    for (unsigned i = 0; i < 5; i++)
        CHECK(quire_vmalloc_to_page(vm, a + i * PAGE) == pages[i]);
    struct quire_pt_query query;
    CHECK_EQ(quire_query(&vm_tables, read_only, &query), 0);
    CHECK(!(query.entry & QUIRE_PTE_WRITE));
    CHECK_EQ(quire_query(&vm_tables, a, &query), 0);
    CHECK(query.entry & QUIRE_PTE_WRITE);
    CHECK(!quire_vmap(vm, pages, 0, 0) && !quire_vmap(vm, pages, 5, QUIRE_PTE_HUGE << 20));
    quire_vunmap(vm, read_only);
    quire_vunmap(vm, a);
    CHECK(vm_is_unmapped(a, 5));
    for (unsigned i = 0; i < 5; i++) {
        CHECK_EQ(quire_page_count(pages[i]), 1);
        quire_free_page(machine.mem, pages[i]);
    }
    vmalloc_end();
}

static const struct quire_memblock_region large[] = {{.size = 64 * MIB}, {0}};

static void huge_pages_serve_where_they_fit_and_small_ones_elsewhere(void)
{
    struct vm_setup setup = {.format = QUIRE_PT_FORMAT_X86_64, .pages = 100000, .map = large};
    struct quire_pt_query query;
    if (!vmalloc_boot(&setup))
        return;
    uint64_t huge = 2 << 20;
    quire_linear_t small = quire_vmalloc(vm, PAGE, GFP);
    quire_linear_t a =
        quire_vmalloc_node(vm, 2 * huge + PAGE, GFP | QUIRE_GFP_ZERO, -1, QUIRE_VMALLOC_HUGE);
    CHECK_EQ(a & (huge - 1), 0);
    CHECK_EQ(quire_query(&vm_tables, a, &query), 0);
    CHECK_EQ(query.level, QUIRE_PMD);
    CHECK_EQ(quire_query(&vm_tables, a + huge, &query), 0);
    CHECK_EQ(query.level, QUIRE_PMD);
    CHECK_EQ(quire_query(&vm_tables, a + 2 * huge, &query), 0);
    CHECK_EQ(query.level, QUIRE_PT);
    unsigned long pages = (unsigned long)(2 * huge / PAGE) + 1;
    CHECK_EQ(vm_info().nr_pages, pages + 1);
    CHECK(vm_is_mapped(a, pages) && !vm_byte(a + pages * PAGE));
    struct quire_page *page = quire_vmalloc_to_page(vm, a + huge - 1);
    CHECK(page && quire_page_order(page) == 0 && quire_page_count(page) == 1);
    CHECK(!quire_vmalloc_node(vm, huge, GFP, -1, 2));
    CHECK(!quire_vmalloc_node(vm, huge, GFP, 5, 0));
    quire_linear_t below = quire_vmalloc_node(vm, huge / 2, GFP, 0, QUIRE_VMALLOC_HUGE);
    CHECK_EQ(below, small + 2 * PAGE);
    quire_vfree(vm, below);
    quire_vfree(vm, a);
    quire_vfree(vm, small);
    vmalloc_end();
}

static void without_huge_blocks_or_aligned_addresses_small_pages_serve(void)
{
    struct vm_setup setup = {.format = QUIRE_PT_FORMAT_X86_64, .pages = 0, .map = large};
    struct quire_pt_query query;
    uint64_t huge = 2 << 20;
    setup.pages = (unsigned long)(huge / PAGE) + 3;
    if (!vmalloc_boot(&setup))
        return;
    quire_linear_t first = quire_vmalloc(vm, PAGE, GFP);
    quire_linear_t a = quire_vmalloc_node(vm, huge, GFP, -1, QUIRE_VMALLOC_HUGE);
    CHECK_EQ(a, first + 2 * PAGE);
    CHECK_EQ(quire_query(&vm_tables, a, &query), 0);
    CHECK_EQ(query.level, QUIRE_PT);
    quire_vfree(vm, a);
    quire_vfree(vm, first);
    vmalloc_end();
}

static void high_memory_is_taken_first(void)
{
    struct vm_setup setup = {.format = QUIRE_PT_FORMAT_PAE, .pages = 5000, .highmem = 8 * MIB};
    if (!vmalloc_boot(&setup))
        return;
    quire_linear_t high = quire_vzalloc(vm, 4 * PAGE, GFP | QUIRE_GFP_MOVABLE);
    struct quire_page *page = quire_vmalloc_to_page(vm, high);
    CHECK(page && quire_page_zone(machine.mem, page) == QUIRE_ZONE_HIGHMEM);
    CHECK(is_zero(vm_byte(high), PAGE));
    unsigned long more = PAGES(9 * MIB);
    quire_linear_t all = quire_vmalloc(vm, (uint64_t)more * PAGE, GFP);
    page = quire_vmalloc_to_page(vm, all + (more - 1) * PAGE);
    CHECK(page && quire_page_zone(machine.mem, page) == QUIRE_ZONE_NORMAL);
    quire_vfree(vm, all);
    quire_vfree(vm, high);
    vmalloc_end();
}

static void nonsense_is_refused(void)
{
    if (!vmalloc_boot(&usual))
        return;
    struct quire_vmalloc *other;
    struct quire_vmalloc_config config = {
        .mem = machine.mem, .slab = slab, .pt = &vm_tables, .start = PAGE, .end = 2 * PAGE + 1};
    CHECK_EQ(quire_vmalloc_init(&other, &config), -QUIRE_EINVAL);
    config.end = PAGE;
    CHECK_EQ(quire_vmalloc_init(&other, &config), -QUIRE_EINVAL);
    config.start = 0;
    CHECK_EQ(quire_vmalloc_init(&other, &config), -QUIRE_EINVAL);
    config.start = PAGE;
    config.end = 2 * PAGE;
    config.slab = NULL;
    CHECK_EQ(quire_vmalloc_init(&other, &config), -QUIRE_EINVAL);
    config.slab = slab;
    config.mem = NULL;
    CHECK_EQ(quire_vmalloc_init(&other, &config), -QUIRE_EINVAL);
    config.mem = machine.mem;
    config.pt = NULL;
    CHECK_EQ(quire_vmalloc_init(&other, &config), -QUIRE_EINVAL);
    CHECK(!quire_vmalloc(vm, 0, GFP));
    CHECK(!quire_vmalloc(vm, PAGE, GFP | QUIRE_GFP_NOFAIL));
    CHECK(!quire_vmalloc(vm, PAGE, GFP | 0x80000000u));
    CHECK(!quire_vmalloc(vm, UINT64_MAX, GFP));
    CHECK(!quire_vmalloc(vm, (uint64_t)1 << 40, GFP));
    vmalloc_end();
}

static void wrong_addresses_are_reported_and_change_nothing(void)
{
    if (!vmalloc_boot(&usual))
        return;
    quire_linear_t a = quire_vmalloc(vm, 3 * PAGE, GFP);
    quire_vfree(vm, a + PAGE);
    CHECK(machine_caught("no such range"));
    quire_vunmap(vm, a);
    CHECK(machine_caught("no such range"));
    quire_vfree(vm, a + 100 * PAGE);
    CHECK(machine_caught("no such range"));
    CHECK(vm_is_mapped(a, 3));
    quire_vfree(vm, a);
    quire_vfree(vm, a);
    CHECK(machine_caught("no such range"));
    quire_vfree(vm, 0);
    quire_vunmap(vm, 0);
    machine.bad_pages = 0;
    vmalloc_end();
}

static void memory_that_runs_short_is_purged_for(void)
{
    if (!vmalloc_boot(&(struct vm_setup){.format = QUIRE_PT_FORMAT_X86_64, .pages = 100000}))
        return;
    unsigned long most = vm_free_pages() / 4 * 3;
    for (unsigned i = 0; i < 5; i++) {
        quire_linear_t a = quire_vmalloc(vm, (uint64_t)most * PAGE, GFP);
        CHECK(a);
        quire_vfree(vm, a);
    }
    CHECK(vm_info().nr_purges >= 4);
    vmalloc_end();
}

static void kvmalloc_takes_addresses_only_when_pages_are_not_contiguous(void)
{
    bool fits = sizeof(void *) >= 8; /* else these addresses are more than a pointer holds */
    if (!vmalloc_boot(&(struct vm_setup){.format = QUIRE_PT_FORMAT_X86_64, .pages = 10000}))
        return;
    char *small = quire_kvmalloc(vm, 100, GFP), *large_one = quire_kvzalloc(vm, 4 * PAGE, GFP);
    CHECK(small && large_one && is_zero(large_one, 4 * PAGE));
    CHECK_EQ(vm_info().nr_ranges, 0);
    size_t beyond = (PAGE << QUIRE_MAX_ORDER) + 1;
    CHECK(!quire_kvmalloc(vm, beyond, QUIRE_GFP_NOWAIT));
    void *virtual = quire_kvzalloc(vm, beyond, GFP);
    CHECK_EQ((uintptr_t) virtual, fits ? (uintptr_t)vm_start : 0);
    CHECK_EQ(vm_info().nr_pages, fits ? (1ul << QUIRE_MAX_ORDER) + 1 : 0);
    quire_kvfree(vm, virtual);
    CHECK_EQ(vm_info().nr_pages, 0);
    quire_kvfree(vm, large_one);
    quire_kvfree(vm, small);
    quire_kvfree(vm, NULL);
    vmalloc_end();
}

/* ---- views ----------------------------------------------------------------------------------- */

static char shown[4096];
static size_t shown_length;

static void show(void *arg, const char *text, size_t length)
{
    (void)arg;
    for (size_t i = 0; i < length && shown_length + 1 < sizeof shown; i++)
        shown[shown_length++] = text[i];
    shown[shown_length] = '\0';
}

static void vmallocinfo_is_as_linux_has_it(void)
{
    struct quire_page *page;
    if (!vmalloc_boot(&usual))
        return;
    quire_linear_t a = quire_vmalloc(vm, 2 * PAGE, GFP), b = quire_vmalloc(vm, PAGE, GFP);
    page = quire_vmalloc_to_page(vm, a);
    quire_linear_t c = quire_vmap(vm, &page, 1, 0);
    quire_vfree(vm, b);
    shown_length = 0;
    CHECK_EQ(quire_vmallocinfo(vm, QUIRE_FORMAT_TEXT, show, NULL), 0);
    if (PAGE == 4096) {
        CHECK(contains(shown, "0xffffc90000000000-0xffffc90000003000   12288 0x"));
        CHECK(contains(shown, " pages=2 vmalloc N0=2\n"));
        CHECK(contains(shown, "0xffffc90000003000-0xffffc90000005000    8192 unpurged vm_area\n"));
    }
    CHECK(contains(shown, " vmap\n"));
    shown_length = 0;
    CHECK_EQ(quire_vmallocinfo(vm, QUIRE_FORMAT_JSON, show, NULL), 0);
    CHECK(is_json(shown));
    CHECK(contains(shown, "\"schema\":\"quire.vmallocinfo/2\""));
    CHECK(contains(shown, "\"start\":\"0xffffc90000000000\",\"end\":\"0x"));
    CHECK(contains(shown, ",\"caller\":\"0x"));
    CHECK(contains(shown, "\"node_pages\":[2]"));
    CHECK_EQ(quire_vmallocinfo(vm, (enum quire_format)9, show, NULL), -QUIRE_EINVAL);
    quire_vunmap(vm, c);
    quire_vfree(vm, a);
    vmalloc_end();
}

static void destroy_frees_what_was_left_and_counts_it(void)
{
    if (!vmalloc_boot(&usual))
        return;
    unsigned long free = vm_free_pages();
    CHECK(quire_vmalloc(vm, 5 * PAGE, GFP));
    CHECK(quire_vmalloc(vm, PAGE, GFP));
    CHECK_EQ(quire_vmalloc_destroy(vm), 2);
    CHECK(vm_free_pages() >= free);
    quire_pgtable_destroy(&vm_tables);
    slab_end();
}

static const struct test_case cases[] = {
    TEST_CASE(memory_is_mapped_page_by_page_with_a_guard_after_it),
    TEST_CASE(zeroed_memory_is_zero_and_pages_are_found_by_address),
    TEST_CASE(what_is_freed_stays_out_of_use_until_one_flush_for_all),
    TEST_CASE(what_another_purge_has_taken_is_flushed_all_the_same),
    TEST_CASE(a_purge_comes_by_itself_when_enough_pages_wait),
    TEST_CASE(addresses_that_run_out_are_purged_for),
    TEST_CASE(the_lowest_gap_that_is_large_enough_is_taken),
    TEST_CASE(given_pages_are_mapped_in_their_order_and_stay_their_owners),
    TEST_CASE(huge_pages_serve_where_they_fit_and_small_ones_elsewhere),
    TEST_CASE(without_huge_blocks_or_aligned_addresses_small_pages_serve),
    TEST_CASE(high_memory_is_taken_first),
    TEST_CASE(nonsense_is_refused),
    TEST_CASE(wrong_addresses_are_reported_and_change_nothing),
    TEST_CASE(memory_that_runs_short_is_purged_for),
    TEST_CASE(kvmalloc_takes_addresses_only_when_pages_are_not_contiguous),
    TEST_CASE(vmallocinfo_is_as_linux_has_it),
    TEST_CASE(destroy_frees_what_was_left_and_counts_it),
    {0},
};
const struct test_suite suite_vmalloc = {"vmalloc", cases};
