/* tests/faults/vmalloc_faults.c: every page and every structure that vmalloc asks for can't be had
 *
 * Pages: the machine's memory is taken away but for N pages, and the operation run with N from 0
 * up, until it succeeds; so each of its allocations has failed once, tables' among them (beyond 140
 * pages, where only more of the same comes, in larger steps). After a failure nothing is mapped, no
 * range is left, and no page is lost but those of tables that stay. Structures: the slab's own
 * failure hook, once it has no object left.
 */
#include "tests/unit/vmalloc_machine.h"

#define MOST_PAGES 1000u
#define GFP (QUIRE_GFP_MEMALLOC | QUIRE_GFP_NOWARN)

static struct quire_page *held, *given[70];
static quire_linear_t made;

static void exhaust(void)
{
    struct quire_page *page;
    while ((page = quire_alloc_page(machine.mem, GFP))) {
        page->owner.pointer[0] = held;
        held = page;
    }
}

static void release(unsigned long count)
{
    for (; count && held; count--) {
        struct quire_page *page = held;
        held = page->owner.pointer[0];
        quire_free_page(machine.mem, page);
    }
}

/* ---- operations ------------------------------------------------------------------------------ */

static void make_some(void)
{
    made = quire_vmalloc(vm, 130 * QUIRE_PAGE_SIZE, GFP);
}

static void make_huge(void)
{
    made = quire_vmalloc_node(vm, (2 << 20) + 3 * QUIRE_PAGE_SIZE, GFP, -1, QUIRE_VMALLOC_HUGE);
}

static void map_given(void)
{
    made = quire_vmap(vm, given, 70, 0);
}

static void unmake(void)
{
    if (quire_page_count(given[0]) && quire_vmalloc_to_page(vm, made) == given[0])
        quire_vunmap(vm, made);
    else
        quire_vfree(vm, made);
    (void)quire_vm_unmap_aliases(vm);
}

static void (*const operations[])(void) = {make_some, make_huge, map_given};

/* ---- failing --------------------------------------------------------------------------------- */

/* After a failure with so many free pages before it. */
static void check_nothing_was_made(unsigned long free, unsigned long tables)
{
    unsigned long new_tables = quire_pgtable_nr_tables(&vm_tables) - tables;
    CHECK_EQ(quire_nr_free_pages(machine.mem), free - new_tables);
    CHECK_EQ(vm_info().nr_ranges + vm_info().nr_lazy, 0);
    CHECK(vm_is_unmapped(vm_start, 200));
    quire_vmalloc_check(vm);
}

/* How often it failed. */
static unsigned fail_each(void (*operation)(void))
{
    unsigned failures = 0;
    for (unsigned pages = 0; pages < MOST_PAGES; pages += pages < 140 ? 1 : 41, failures++) {
        exhaust();
        release(pages);
        unsigned long free = quire_nr_free_pages(machine.mem);
        unsigned long tables = quire_pgtable_nr_tables(&vm_tables);
        operation();
        if (!made)
            check_nothing_was_made(free, tables);
        release(-1ul);
        if (made) {
            unmake();
            return failures;
        }
    }
    CHECK(made);
    return failures;
}

static bool boot(const struct quire_slab_config *config)
{
    if (!vmalloc_boot(
            &(struct vm_setup){.format = QUIRE_PT_FORMAT_X86_64, .pages = 3000, .slab = config}))
        return false;
    vm_tables.gfp = GFP | QUIRE_GFP_ZERO;
    for (unsigned i = 0; i < 70; i++)
        given[i] = quire_alloc_page(machine.mem, GFP);
    return true;
}

static void end(void)
{
    for (unsigned i = 0; i < 70; i++)
        quire_free_page(machine.mem, given[i]);
    vmalloc_end();
}

static void each_page_that_cannot_be_had_leaves_no_range(void)
{
    for (unsigned i = 0; i < sizeof operations / sizeof operations[0]; i++) {
        if (!boot(NULL))
            return;
        /* The slab has an object already: without one is the other case. */
        quire_kfree(slab, quire_kmalloc(slab, 96, GFP));
        quire_kfree(slab, quire_kmalloc(slab, 128, GFP));
        unsigned failures = fail_each(operations[i]);
        CHECK(failures >= (operations[i] == map_given ? 3u : 30u));
        end();
    }
}

static bool has_no_more;

static bool fails(void *arg)
{
    (void)arg;
    return has_no_more;
}

/* Takes every object that the slab still has of each size that a structure may have; a chain. */
static void **exhaust_slab(void)
{
    static const size_t sizes[] = {64, 96, 128, 192, 256, 512, 1024};
    void **chain = NULL, **object;
    has_no_more = true;
    for (unsigned i = 0; i < sizeof sizes / sizeof sizes[0]; i++)
        while ((object = quire_kmalloc(slab, sizes[i], GFP))) {
            *object = chain;
            chain = object;
        }
    return chain;
}

static void release_slab(void **chain)
{
    has_no_more = false;
    for (void **next; chain; chain = next) {
        next = *chain;
        quire_kfree(slab, chain);
    }
}

static void a_structure_that_cannot_be_had_leaves_no_range(void)
{
    static const struct quire_slab_config failing = {.fail = fails};
    if (!boot(&failing))
        return;
    void **chain = exhaust_slab();
    unsigned long free = quire_nr_free_pages(machine.mem);
    unsigned long tables = quire_pgtable_nr_tables(&vm_tables);
    struct quire_vmalloc *other = NULL;
    struct quire_vmalloc_config config = {
        .mem = machine.mem, .slab = slab, .pt = &vm_tables, .start = 0x10000000, .end = 0x20000000};
    for (unsigned i = 0; i < sizeof operations / sizeof operations[0]; i++) {
        operations[i]();
        CHECK(!made);
        check_nothing_was_made(free, tables);
    }
    CHECK_EQ(quire_vmalloc_init(&other, &config), -QUIRE_ENOMEM);
    release_slab(chain);
    map_given();
    CHECK(made);
    unmake();
    end();
}

static const struct test_case cases[] = {
    TEST_CASE(each_page_that_cannot_be_had_leaves_no_range),
    TEST_CASE(a_structure_that_cannot_be_had_leaves_no_range),
    {0},
};
const struct test_suite suite_vmalloc_faults = {"vmalloc_faults", cases};
