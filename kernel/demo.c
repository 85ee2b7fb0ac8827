/* kernel/demo.c: the allocators at work on the machine's own memory
 *
 * Seven short scenes. Every number is read from the allocator after it did what the scene says.
 */
#include "base/bits.h"
#include "kernel.h"
#include "memory.h"
#include "modes.h"
#include "objects.h"
#include "pile.h"

/* Memory that the scene of fragmentation plays in; the rest is held meanwhile. */
#define STAGE_PAGES 8192ul
#define NR_SPECIMENS 200u
#define NR_TIMED 10000u

/* Machines below 64 MiB have few blocks of 4 MiB to show. */
#define SMALL_MACHINE_PAGES 16384ul
#define SMALL_MACHINE_ORDER 6

static const struct request {
    const char *name;
    quire_gfp_t gfp;
} requests[] = {
    {"GFP_KERNEL | GFP_DMA", QUIRE_GFP_KERNEL | QUIRE_GFP_DMA},
    {"GFP_KERNEL | GFP_DMA32", QUIRE_GFP_KERNEL | QUIRE_GFP_DMA32},
    {"GFP_KERNEL", QUIRE_GFP_KERNEL},
    {"GFP_HIGHUSER_MOVABLE", QUIRE_GFP_HIGHUSER_MOVABLE},
};
#define NR_REQUESTS (sizeof requests / sizeof requests[0])

static void scene(const char *title)
{
    static unsigned number;
    print("\n== %u. %s\n", ++number, title);
}

static void show(enum quire_view view)
{
    quire_view(machine_mem, view, QUIRE_FORMAT_TEXT, console_write, NULL);
}

static const char *zone_of(const struct quire_page *page)
{
    return memory_zone_name(quire_page_zone(machine_mem, page));
}

static void show_free(void)
{
    scene("What is free: blocks of 4 KiB, 8 KiB, ... 4 MiB in each zone");
    show(QUIRE_VIEW_BUDDYINFO);
}

static void show_zones(void)
{
    scene("Each request has zones it may use, and prefers the highest");
    for (unsigned i = 0; i < NR_REQUESTS; i++) {
        struct quire_page *page = quire_alloc_pages(machine_mem, requests[i].gfp, 0);
        if (!page)
            continue;
        print("  %-24s got a page at 0x%09llx: node %d, zone %s\n", requests[i].name,
              (unsigned long long)quire_page_to_phys(page), quire_page_node(machine_mem, page),
              zone_of(page));
        quire_free_page(machine_mem, page);
    }
}

static void print_run(unsigned long count, unsigned order, int node, enum quire_zone_type type)
{
    if (count)
        print("  %6lu x %lu KiB from node %d, zone %s\n", count, (QUIRE_PAGE_SIZE << order) >> 10,
              node, memory_zone_name(type));
}

/* Takes all blocks of one size, and says whenever they begin to come from another zone. */
static void show_fallback(void)
{
    struct pile pile = {0};
    int node = -1;
    enum quire_zone_type type = QUIRE_NR_ZONES;
    unsigned long run = 0;
    unsigned order = quire_nr_free_pages(machine_mem) < SMALL_MACHINE_PAGES ? SMALL_MACHINE_ORDER
                                                                            : QUIRE_MAX_ORDER;
    scene("When a zone is down to its watermark, the next one helps out");
    while (pile_fill(&pile, QUIRE_GFP_HIGHUSER | QUIRE_GFP_NORETRY, order, 1)) {
        enum quire_zone_type new_type = quire_page_zone(machine_mem, pile.first);
        int new_node = quire_page_node(machine_mem, pile.first);
        if (new_type != type || new_node != node) {
            print_run(run, order, node, type);
            type = new_type;
            node = new_node;
            run = 0;
        }
        run++;
    }
    print_run(run, order, node, type);
    print("  then none; %lu pages are left in smaller blocks or for urgent requests\n",
          quire_nr_free_pages(machine_mem));
    pile_free(&pile);
}

/* Small steps of a generator, so that every run is alike. */
static unsigned next_random(void)
{
    static uint32_t state = 1;
    state = state * 1664525 + 1013904223; /* Knuth, TAOCP volume 2, 3.3.4 */
    return state >> 16;
}

static void show_merging(void)
{
    struct pile pile = {0};
    unsigned long pages = 0, before = quire_nr_free_pages(machine_mem);
    scene("Blocks are split for what is asked, and merge again when freed");
    for (unsigned i = 0; i < NR_SPECIMENS; i++) {
        unsigned order = next_random() % 7;
        if (pile_fill(&pile, QUIRE_GFP_KERNEL | QUIRE_GFP_NORETRY, order, 1))
            pages += 1ul << order;
    }
    print("  with %lu blocks of orders 0 to 6 taken, %lu pages together; %lu fewer are free:\n",
          pile.count, pages, before - quire_nr_free_pages(machine_mem));
    show(QUIRE_VIEW_BUDDYINFO);
    pile_free(&pile);
    quire_drain_all_pages(machine_mem);
    print("  with all of them freed (%lu pages free before, %lu now):\n", before,
          quire_nr_free_pages(machine_mem));
    show(QUIRE_VIEW_BUDDYINFO);
}

static void print_pcp(const char *when)
{
    struct quire_zone_info zone;
    print("  %-28s", when);
    for (unsigned i = 0; !quire_zone_info(machine_mem, i, &zone); i++)
        if (zone.managed)
            print("  node %d %s: %lu", zone.node, memory_zone_name(zone.type), zone.nr_pcp);
    print("\n");
}

static void time_pairs(void)
{
    unsigned done = 0;
    uint64_t start = quire_port_clock_ns();
    for (; done < NR_TIMED; done++) {
        struct quire_page *page = quire_alloc_page(machine_mem, QUIRE_GFP_KERNEL);
        if (!page)
            break;
        quire_free_page(machine_mem, page);
    }
    uint64_t ns = quire_port_clock_ns() - start;
    print("  %u times a page taken and freed: %llu us in all, on this emulated CPU\n", done,
          (unsigned long long)quire_div64(ns, 1000));
}

static void show_pcp(void)
{
    scene("The CPU's own lists: one trip to the zone serves many pages");
    print_pcp("pages on them at first");
    struct quire_page *page = quire_alloc_page(machine_mem, QUIRE_GFP_KERNEL);
    print_pcp("after one page was taken");
    if (page)
        quire_free_page(machine_mem, page);
    print_pcp("after it was freed");
    time_pairs();
    quire_drain_all_pages(machine_mem);
    print_pcp("after the lists were drained");
}

/* Free blocks of 2 MiB and larger, in pages. */
static unsigned long huge_pages_free(void)
{
    struct quire_zone_info zone;
    unsigned long pages = 0;
    for (unsigned i = 0; !quire_zone_info(machine_mem, i, &zone); i++)
        for (unsigned order = QUIRE_PAGEBLOCK_ORDER; order <= QUIRE_MAX_ORDER; order++)
            pages += zone.nr_blocks[order] << order;
    return pages;
}

/* Frees three pages of every four. */
static void punch_holes(struct pile *pile)
{
    unsigned long at = 0;
    for (struct quire_page *page = pile->first, *next; page; page = next) {
        next = pile_next(page);
        if (at++ % 4) {
            pile_remove(pile, page);
            quire_free_page(machine_mem, page);
        }
    }
    quire_drain_all_pages(machine_mem);
}

static void print_share(const char *when)
{
    print("  %s: %lu pages free, %lu of them in blocks of 2 MiB or more\n", when,
          quire_nr_free_pages(machine_mem), huge_pages_free());
}

/* Leaves STAGE_PAGES of the preferred zone, and what watermarks keep, or all of a small machine. */
static void hold_the_rest(struct pile *held)
{
    struct pile stage = {0};
    if (quire_nr_free_pages(machine_mem) < 2 * STAGE_PAGES)
        return;
    pile_fill(&stage, QUIRE_GFP_HIGHUSER, QUIRE_MAX_ORDER, STAGE_PAGES >> QUIRE_MAX_ORDER);
    pile_fill(held, QUIRE_GFP_HIGHUSER | QUIRE_GFP_NORETRY, QUIRE_MAX_ORDER, ~0ul);
    pile_free(&stage);
}

static void show_compaction(void)
{
    static struct pile held, small;
    static struct quire_mover mover; /* the library keeps a pointer to it */
    scene("Fragmented memory is compacted by moving what is movable");
    if (!pile_make_movable(&small, &mover)) {
        print("  no mover can be registered\n");
        return;
    }
    hold_the_rest(&held);
    print_share("before");
    pile_fill(&small, QUIRE_GFP_HIGHUSER_MOVABLE | QUIRE_GFP_NORETRY, 0, STAGE_PAGES);
    pile_mark(&small);
    print("  taken: %lu movable pages, one by one; three of every four are freed again\n",
          small.count);
    punch_holes(&small);
    print_share("then");
    print("  share of free memory that is of no use for a block of order 0 to 10\n");
    show(QUIRE_VIEW_UNUSABLE);
    print(
        "  fragmentation index: -1 has blocks, towards 0 lacks memory, towards 1 is fragmented\n");
    show(QUIRE_VIEW_EXTFRAG);
    unsigned long moved = quire_compact(machine_mem, -1, -1);
    print("  compaction moved %lu pages, and %lu of %lu lost their content\n", moved,
          pile_count_damaged(&small), small.count);
    print_share("after");
    show(QUIRE_VIEW_UNUSABLE);
    pile_free(&small);
    pile_free(&held);
    quire_drain_all_pages(machine_mem);
}

static void show_objects(void)
{
    scene("Small objects: caches cut pages into slabs");
    objects_show();
}

enum machine_status demo(void)
{
    quire_drain_all_pages(machine_mem);
    unsigned long before = quire_nr_free_pages(machine_mem);
    show_free();
    show_zones();
    show_fallback();
    show_merging();
    show_pcp();
    show_compaction();
    show_objects();
    unsigned long after = quire_nr_free_pages(machine_mem);
    quire_mem_check(machine_mem);
    print("\n%lu pages were free at first, %lu are at the end; all invariants hold.\n", before,
          after);
    return before == after ? MACHINE_DONE : MACHINE_FAILED;
}
