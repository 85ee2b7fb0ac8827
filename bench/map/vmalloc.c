/* bench/map/vmalloc.c: vmalloc and vfree with many ranges alive
 *
 * Ranges of one page, with as many alive as the case says; every other one was freed when they were
 * made, so that the tree has that many gaps of a page's size, and larger pieces go behind them all.
 * A step allocates and frees, the share of the purges that come with it included.
 */
#include "bench.h"

#define START 0xffffc90000000000
#define ADDRESS_PAGES (1ul << 26)
#define CALLS 1000ul

static struct quire_pgtable pt;
static struct quire_slab *slab;
static struct quire_vmalloc *vm;
static struct quire_page *shared;

static void check(bool good)
{
    if (!good)
        fail("an operation of vmalloc failed");
}

static void create(struct quire_mem *mem)
{
    struct quire_pgtable_config tables = {
        .mem = mem, .format = QUIRE_PT_FORMAT_X86_64, .flush = bench_flush_nothing};
    struct quire_vmalloc_config config = {
        .mem = mem, .pt = &pt, .start = START, .end = START + ADDRESS_PAGES * QUIRE_PAGE_SIZE};
    check(!quire_pgtable_init(&pt, &tables));
    quire_pgtable_cpu_enter(&pt, 0);
    check(!quire_slab_init(&slab, mem, NULL));
    config.slab = slab;
    check(!quire_vmalloc_init(&vm, &config));
    shared = quire_alloc_page(mem, QUIRE_GFP_KERNEL);
    check(shared);
}

/* All map the same page: what counts is how many there are. */
static void create_ranges(struct quire_mem *mem, unsigned long count)
{
    create(mem);
    quire_linear_t start = 0;
    for (unsigned long i = 0; i < 2 * count; i++) {
        quire_linear_t at = quire_vmap(vm, &shared, 1, 0);
        check(at);
        start = i ? start : at;
    }
    for (unsigned long i = 0; i < count; i++)
        quire_vunmap(vm, start + (2 * i + 1) * 2 * QUIRE_PAGE_SIZE);
    (void)quire_vm_unmap_aliases(vm);
}

static void create_10k(struct quire_mem *mem)
{
    create_ranges(mem, 10000);
}

static void create_100k(struct quire_mem *mem)
{
    create_ranges(mem, 100000);
}

static void destroy(void)
{
    struct quire_mem *mem = pt.mem;
    (void)quire_vmalloc_destroy(vm);
    quire_free_page(mem, shared);
    (void)quire_slab_destroy(slab);
    quire_pgtable_destroy(&pt);
}

static void cycle(unsigned long pages)
{
    for (unsigned long i = 0; i < CALLS; i++) {
        quire_linear_t at = quire_vmalloc(vm, pages * QUIRE_PAGE_SIZE, QUIRE_GFP_KERNEL);
        check(at);
        quire_vfree(vm, at);
    }
}

static void cycle_1(void)
{
    cycle(1);
}

static void cycle_16(void)
{
    cycle(16);
}

static void cycle_256(void)
{
    cycle(256);
}

#define CASE(name, create, run)                                                                    \
    {                                                                                              \
        name, "call", CALLS, create, NULL, run, NULL, destroy                                      \
    }

const struct bench_case vmalloc_cases[] = {
    CASE("vmalloc-1-empty", create, cycle_1),
    CASE("vmalloc-16-empty", create, cycle_16),
    CASE("vmalloc-256-empty", create, cycle_256),
    CASE("vmalloc-1-10k", create_10k, cycle_1),
    CASE("vmalloc-16-10k", create_10k, cycle_16),
    CASE("vmalloc-256-10k", create_10k, cycle_256),
    CASE("vmalloc-1-100k", create_100k, cycle_1),
    CASE("vmalloc-16-100k", create_100k, cycle_16),
    CASE("vmalloc-256-100k", create_100k, cycle_256),
    {0},
};
