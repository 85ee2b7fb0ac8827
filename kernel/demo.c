/* kernel/demo.c: the page allocator at work on the machine's own memory
 *
 * Six short scenes. Every number is read from the allocator after it did what the scene says.
 */
#include "kernel.h"
#include "memory.h"
#include "modes.h"
#include "pile.h"

/* Memory that the scene of fragmentation plays in; the rest is held meanwhile. */
#define STAGE_PAGES 8192ul
#define NR_SPECIMENS 200u

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

/* Takes blocks of 4 MiB, says whenever they begin to come from another zone. */
static void show_fallback(void)
{
    struct pile pile = {0};
    int node = -1;
    unsigned type = QUIRE_NR_ZONES;
    unsigned long here = 0;
    scene("When a zone is down to its watermark, the next one helps out");
    while (pile_fill(&pile, QUIRE_GFP_HIGHUSER | QUIRE_GFP_NORETRY, QUIRE_MAX_ORDER, 1)) {
        unsigned new_type = quire_page_zone(machine_mem, pile.first);
        int new_node = quire_page_node(machine_mem, pile.first);
        if (new_type != type || new_node != node) {
            if (here)
                print("  %lu blocks of 4 MiB from node %d, zone %s\n", here, node,
                      memory_zone_name(type));
            type = new_type;
            node = new_node;
            here = 0;
        }
        here++;
    }
    if (here)
        print("  %lu blocks of 4 MiB from node %d, zone %s\n", here, node, memory_zone_name(type));
    print("  then none: %lu pages are left, and kept for urgent requests or in smaller blocks\n",
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
    print("  with %lu blocks of orders 0 to 6 taken, %lu pages together:\n", pile.count, pages);
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
        print("  node %d %s: %lu", zone.node, memory_zone_name(zone.type), zone.nr_pcp);
    print("\n");
}

static void show_pcp(void)
{
    scene("The CPU's own lists: one trip to the zone serves many pages");
    print_pcp("at first");
    struct quire_page *page = quire_alloc_page(machine_mem, QUIRE_GFP_KERNEL);
    print_pcp("after one page was taken");
    if (page)
        quire_free_page(machine_mem, page);
    print_pcp("after it was freed");
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
    unsigned long free = quire_nr_free_pages(machine_mem), huge = huge_pages_free();
    print("  %s: %lu pages free, %lu of them in blocks of 2 MiB or more\n", when, free, huge);
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
    while (quire_nr_free_pages(machine_mem) > STAGE_PAGES &&
           pile_fill(&held, QUIRE_GFP_HIGHUSER | QUIRE_GFP_NORETRY, QUIRE_MAX_ORDER, 1))
        ;
    print_share("before");
    pile_fill(&small, QUIRE_GFP_HIGHUSER_MOVABLE | QUIRE_GFP_NORETRY, 0, STAGE_PAGES);
    pile_mark(&small);
    print("  taken: %lu movable pages, one by one; three of every four are freed again\n",
          small.count);
    punch_holes(&small);
    print_share("then");
    print("  fragmentation index by order (towards 1: blocks are lacking for fragmentation)\n");
    show(QUIRE_VIEW_EXTFRAG);
    unsigned long moved = quire_compact(machine_mem, -1, -1);
    print("  compaction moved %lu pages (their owner counted %lu), content damaged in %lu of "
          "%lu\n",
          moved, small.moved, pile_count_damaged(&small), small.count);
    print_share("after");
    show(QUIRE_VIEW_EXTFRAG);
    pile_free(&small);
    pile_free(&held);
    quire_drain_all_pages(machine_mem);
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
    unsigned long after = quire_nr_free_pages(machine_mem);
    quire_mem_check(machine_mem);
    print("\n%lu pages were free at first, %lu are at the end; all invariants hold.\n", before,
          after);
    return before == after ? MACHINE_DONE : MACHINE_FAILED;
}
