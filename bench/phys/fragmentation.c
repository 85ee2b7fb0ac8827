/* bench/phys/fragmentation.c: how many huge blocks are left in aged memory
 *
 * A machine's memory is filled to 90 % with unmovable, reclaimable and movable blocks of mixed
 * orders; then, for many operations, a random block is freed whenever the use is above 90 %, and
 * one of random type and order allocated whenever it is below. Then movable blocks are freed, all
 * or every second one, and what share of the free memory is in blocks of order 9 or above is what
 * counts: before compaction, and after it. Allocations may not sleep (QUIRE_GFP_NOWAIT), so that
 * nothing is compacted while the memory ages.
 */
#include <stdio.h>
#include <stdlib.h>

#include <quire/phys.h>
#include <quire/port.h>

#include "bench.h"

#define HUGE_ORDER 9u
#define USE_PERCENT 90u

enum kind { UNMOVABLE, RECLAIMABLE, MOVABLE, NR_KINDS };

/* Of 1000 blocks. As on a server: most memory is user pages and page cache, slabs are mixed,
 * and most allocations are single pages. */
static const unsigned kind_weight[NR_KINDS] = {100, 150, 750};
static const unsigned order_weight[] = {850, 50, 30, 30, 20, 10, 10};

static const quire_gfp_t kind_gfp[NR_KINDS] = {
    QUIRE_GFP_NOWAIT | QUIRE_GFP_NOWARN,
    QUIRE_GFP_NOWAIT | QUIRE_GFP_NOWARN | QUIRE_GFP_RECLAIMABLE,
    QUIRE_GFP_NOWAIT | QUIRE_GFP_NOWARN | QUIRE_GFP_HIGHMEM | QUIRE_GFP_MOVABLE,
};

/* An allocated block. Its page's owner_word is its index in `blocks`. */
struct block {
    struct quire_page *page;
    uint8_t order, kind;
};

struct aged {
    struct quire_port_mem port;
    struct quire_mem *mem;
    struct quire_mover mover;
    unsigned mover_id;
    struct block *blocks;
    size_t count;
    unsigned long used, target; /* frames */
    uint64_t seed, failures;
};

static unsigned pick(uint64_t *seed, const unsigned *weight)
{
    unsigned at = (unsigned)random_below(seed, 1000), index = 0;
    while (at >= weight[index])
        at -= weight[index++];
    return index;
}

static void set_block(struct aged *aged, size_t index, struct block block)
{
    aged->blocks[index] = block;
    block.page->owner_word = (uint32_t)index;
}

static void allocate(struct aged *aged)
{
    unsigned kind = pick(&aged->seed, kind_weight), order = pick(&aged->seed, order_weight);
    struct quire_page *page = quire_alloc_pages(aged->mem, kind_gfp[kind], order);
    if (!page) {
        aged->failures++;
        return;
    }
    if (kind == MOVABLE)
        quire_page_set_mover(page, aged->mover_id);
    set_block(aged, aged->count++,
              (struct block){.page = page, .order = (uint8_t)order, .kind = (uint8_t)kind});
    aged->used += 1ul << order;
}

static void release(struct aged *aged, size_t index)
{
    struct block block = aged->blocks[index];
    size_t last = --aged->count;
    if (index != last)
        set_block(aged, index, aged->blocks[last]);
    aged->used -= 1ul << block.order;
    quire_free_pages(aged->mem, block.page, block.order);
}

/* ---- the movable blocks' owner --------------------------------------------------------------- */

static int mover_isolate(void *arg, struct quire_page *page)
{
    (void)arg;
    (void)page;
    return 0;
}

static int mover_migrate(void *arg, struct quire_page *to, struct quire_page *from)
{
    struct aged *aged = arg;
    uint32_t index = from->owner_word;
    if (aged->blocks[index].page != from)
        fail("compaction moves a page that isn't there");
    quire_page_set_mover(to, aged->mover_id);
    aged->blocks[index].page = to;
    to->owner_word = index;
    return 0;
}

static void mover_putback(void *arg, struct quire_page *page)
{
    (void)arg;
    (void)page;
}

/* ---- what is counted
 * ------------------------------------------------------------------------- */

/* Percent of free memory that is in blocks of HUGE_ORDER or above. */
static double huge_share(struct aged *aged)
{
    struct quire_zone_info info;
    unsigned long huge = 0, nr_free = 0;
    quire_drain_all_pages(aged->mem);
    for (unsigned zone = 0; !quire_zone_info(aged->mem, zone, &info); zone++) {
        nr_free += info.nr_free;
        for (unsigned order = HUGE_ORDER; order <= QUIRE_MAX_ORDER; order++)
            huge += info.nr_blocks[order] << order;
    }
    return nr_free ? 100.0 * (double)huge / (double)nr_free : 0;
}

static void aged_create(struct aged *aged, bool grouping)
{
    static struct quire_memblock memblock;
    *aged = (struct aged){.seed = options.seed};
    aged->mover = (struct quire_mover){mover_isolate, mover_migrate, mover_putback, aged};
    if (quire_posix_mem_create(&aged->port, options.bytes))
        fail("out of memory");
    struct quire_mem_config config = {
        .port = &aged->port, .nr_cpus = options.cpus, .no_mobility_grouping = !grouping};
    quire_memblock_init(&memblock, "benchmark", &aged->port);
    if (quire_memblock_add(&memblock, 0, options.bytes, 0, QUIRE_MEMBLOCK_RAM) ||
        quire_mem_init(&aged->mem, &memblock, &config))
        fail("quire_mem_init refused the simulated memory");
    int id = quire_register_mover(aged->mem, &aged->mover);
    aged->blocks = malloc(options.bytes / FRAME_BYTES * sizeof aged->blocks[0]);
    if (id < 0 || !aged->blocks)
        fail("out of memory");
    aged->mover_id = (unsigned)id;
    aged->target = quire_nr_managed_pages(aged->mem) / 100 * USE_PERCENT;
}

static void aged_destroy(struct aged *aged)
{
    while (aged->count)
        release(aged, aged->count - 1);
    if (quire_mem_destroy(aged->mem))
        fail("quire: pages are left allocated");
    quire_posix_mem_destroy(&aged->port, options.bytes);
    free(aged->blocks);
}

static void age(struct aged *aged)
{
    for (uint64_t i = 0; i < options.operations; i++)
        if (aged->used < aged->target)
            allocate(aged);
        else
            release(aged, (size_t)random_below(&aged->seed, aged->count));
}

/* Frees every `nth` of the movable blocks, counted at random. */
static void free_movable(struct aged *aged, unsigned nth)
{
    for (size_t i = aged->count; i-- > 0;)
        if (aged->blocks[i].kind == MOVABLE && !random_below(&aged->seed, nth))
            release(aged, i);
}

static void run_scenario(bool grouping, unsigned nth)
{
    const char *subject = grouping ? "grouped" : "mixed";
    const char *freed = nth == 1 ? "all" : "half";
    char name[64];
    struct aged aged;
    aged_create(&aged, grouping);
    progress(grouping ? "aging with mobility grouping" : "aging without mobility grouping");
    age(&aged);
    progress(NULL);
    snprintf(name, sizeof name, "huge-aged");
    print_row(name, 1, subject, huge_share(&aged), 2, "percent");
    free_movable(&aged, nth);
    snprintf(name, sizeof name, "huge-%s-movable-freed", freed);
    print_row(name, 1, subject, huge_share(&aged), 2, "percent");
    unsigned long moved = quire_compact(aged.mem, -1, -1);
    snprintf(name, sizeof name, "huge-%s-movable-freed-compacted", freed);
    print_row(name, 1, subject, huge_share(&aged), 2, "percent");
    print_row(name, 1, subject, (double)moved, 0, "moved");
    print_row(name, 1, subject, (double)aged.failures, 0, "failed");
    aged_destroy(&aged);
}

void run_fragmentation(void)
{
    printf("# %llu MiB aged at %u %% use for %llu operations, seed %llu\n",
           (unsigned long long)options.bytes >> 20, USE_PERCENT,
           (unsigned long long)options.operations, (unsigned long long)options.seed);
    printf("# percent: of the free memory, in blocks of order %u and above; grouped: "
           "pageblocks by "
           "migrate type; mixed: without\n",
           HUGE_ORDER);
    print_row("# case", 0, NULL, 0, 0, NULL);
    quire_posix_set_cpu(0);
    for (unsigned nth = 1; nth <= 2; nth++) {
        run_scenario(true, nth);
        run_scenario(false, nth);
    }
}
