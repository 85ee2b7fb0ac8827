/* bench/map/tables.c: page tables of x86-64: 1 GiB mapped, changed, copied, unmapped */
#include <stdlib.h>

#include "bench.h"

#define START 0x7f0000000000
#define GIB (1ull << 30)
#define SMALL_PAGES (unsigned long)(GIB >> 12)
#define HUGE_PAGES (unsigned long)(GIB >> 21)
#define SINGLE_CALLS 512ul
#define RW (QUIRE_PTE_WRITE | QUIRE_PTE_USER | QUIRE_PTE_ACCESSED | QUIRE_PTE_DIRTY)

static struct quire_pgtable pt, child;
static struct quire_page **pages;

static void check(int error)
{
    if (error)
        fail("an operation on page tables failed");
}

/* A set of CPUs with somebody in it, so that flushes are made. */
static void create(struct quire_mem *mem)
{
    struct quire_pgtable_config config = {
        .mem = mem, .format = QUIRE_PT_FORMAT_X86_64, .flush = bench_flush_nothing};
    check(quire_pgtable_init(&pt, &config));
    check(quire_pgtable_init(&child, &config));
    quire_pgtable_cpu_enter(&pt, 0);
    pages = malloc(SMALL_PAGES * sizeof pages[0]);
    if (!pages)
        fail("out of memory");
    /* Frames in no order; which doesn't matter. */
    for (unsigned long i = 0; i < SMALL_PAGES; i++)
        pages[i] = quire_pfn_to_page(mem, quire_pfn(i * 40503 % 65536));
}

static void destroy(void)
{
    quire_pgtable_destroy(&pt);
    quire_pgtable_destroy(&child);
    free(pages);
}

static void map_small(void)
{
    check(quire_map_range(&pt, START, 0, GIB, RW, QUIRE_MAP_NO_HUGE));
}

static void map_scattered(void)
{
    check(quire_map_pages(&pt, START, pages, SMALL_PAGES, RW));
}

/* The physical address keeps 1 GiB pages from fitting. */
static void map_huge(void)
{
    check(quire_map_range(&pt, START, 2 << 20, GIB, RW, 0));
}

static void unmap(void)
{
    check(quire_unmap_range(&pt, START, GIB, 0, NULL));
}

static void unmap_keeping_tables(void)
{
    check(quire_unmap_range(&pt, START, GIB, QUIRE_UNMAP_KEEP_TABLES, NULL));
}

static unsigned long told;

static void removed(void *arg, const struct quire_pt_run *run)
{
    (void)arg;
    told += run->count;
}

static void zap(void)
{
    struct quire_tlb_batch batch;
    quire_tlb_batch_init(&batch, &pt);
    check(quire_zap_range(&pt, START, GIB, 0, removed, NULL, &batch));
    quire_tlb_flush(&batch);
}

static void protect(void)
{
    check(quire_protect_range(&pt, START, GIB, 0, QUIRE_PTE_WRITE, NULL));
}

static int visited(void *arg, const struct quire_pt_run *run)
{
    removed(arg, run);
    return 0;
}

static void visit(void)
{
    check(quire_visit_range(&pt, START, GIB, 0, visited, NULL));
}

static void harvest(void)
{
    uint64_t count = 0;
    check(quire_harvest_range(&pt, START, GIB, QUIRE_PTE_ACCESSED | QUIRE_PTE_DIRTY, NULL, &count,
                              NULL));
    if (count != SMALL_PAGES)
        fail("accessed bits are missing");
}

static void copy(void)
{
    struct quire_pt_copy how = {.clear_both = QUIRE_PTE_WRITE, .copied = visited};
    check(quire_copy_range(&child, &pt, START, GIB, &how, NULL));
}

static void unmap_both(void)
{
    unmap();
    check(quire_unmap_range(&child, START, GIB, 0, NULL));
}

/* A page by itself beside one that stays, as a fault maps it. */
static void map_neighbour(void)
{
    check(quire_map_range(&pt, START + (1 << 21) - 4096, 0, 4096, RW, 0));
}

static void map_single(void)
{
    for (unsigned i = 0; i < SINGLE_CALLS - 1; i++)
        check(quire_map_range(&pt, START + i * 4096ull, i * 4096ull, 4096, RW, 0));
}

static void cmpxchg_single(void)
{
    for (unsigned i = 0; i < SINGLE_CALLS - 1; i++) {
        uint64_t expected = 0;
        check(quire_cmpxchg_entry(&pt, START + i * 4096ull, &expected, i * 4096ull | 0x67));
    }
}

static void query_all(void)
{
    struct quire_pt_query query;
    for (unsigned long i = 0; i < SMALL_PAGES; i++)
        check(quire_query(&pt, START + i * 4096ull, &query));
}

#define CASE(name, unit, units, prepare, run, finish)                                              \
    {                                                                                              \
        name, unit, units, create, prepare, run, finish, destroy                                   \
    }

const struct bench_case table_cases[] = {
    CASE("map-4k", "page", SMALL_PAGES, NULL, map_small, unmap),
    CASE("map-2m", "page", HUGE_PAGES, NULL, map_huge, unmap),
    CASE("map-pages-4k", "page", SMALL_PAGES, NULL, map_scattered, unmap),
    CASE("map-one-by-one", "page", SINGLE_CALLS - 1, map_neighbour, map_single, unmap),
    CASE("cmpxchg-one-by-one", "page", SINGLE_CALLS - 1, map_neighbour, cmpxchg_single, unmap),
    CASE("unmap-4k", "page", SMALL_PAGES, map_small, unmap, NULL),
    CASE("unmap-4k-keep-tables", "page", SMALL_PAGES, map_small, unmap_keeping_tables, unmap),
    CASE("unmap-2m", "page", HUGE_PAGES, map_huge, unmap, NULL),
    CASE("zap-4k", "page", SMALL_PAGES, map_small, zap, NULL),
    CASE("protect-4k", "page", SMALL_PAGES, map_small, protect, unmap),
    CASE("visit-4k", "page", SMALL_PAGES, map_small, visit, unmap),
    CASE("query-4k", "page", SMALL_PAGES, map_small, query_all, unmap),
    CASE("harvest-4k", "page", SMALL_PAGES, map_small, harvest, unmap),
    CASE("fork-4k", "entry", SMALL_PAGES, map_small, copy, unmap_both),
    CASE("fork-2m", "entry", HUGE_PAGES, map_huge, copy, unmap_both),
    {0},
};
