/* phys/view_buddy.c: buddyinfo and pagetypeinfo: free blocks by order, and by migrate type
 *
 * A zone keeps its free blocks by order, but not by order and type: pagetypeinfo counts those anew,
 * a pageblock at a time. Linux counts each list only up to 100000 and prints ">100000" then, since
 * it walks lists under the zone's lock; here every number is exact.
 */
#include "phys/view.h"

/* ---- buddyinfo ------------------------------------------------------------------------------- */

static void count_free_blocks(struct zone *zone, unsigned long *nr)
{
    quire_port_irq_t irq = zone_lock(zone);
    for (unsigned order = 0; order < NR_ORDERS; order++)
        nr[order] = zone_nr_blocks(zone, order);
    zone_unlock(zone, irq);
}

void buddyinfo_text(struct quire_mem *mem, struct text *text)
{
    unsigned long nr[NR_ORDERS];
    for_each_zone (mem, zone) {
        if (!zone_has_memory(zone))
            continue;
        count_free_blocks(zone, nr);
        view_zone_title(text, zone);
        text_puts(text, " ");
        for (unsigned order = 0; order < NR_ORDERS; order++)
            text_printf(text, "%6lu ", nr[order]);
        text_puts(text, "\n");
    }
}

void buddyinfo_json(struct quire_mem *mem, struct json *json)
{
    unsigned long nr[NR_ORDERS];
    json_array(json, "zones");
    for_each_zone (mem, zone) {
        if (!zone_has_memory(zone))
            continue;
        count_free_blocks(zone, nr);
        view_zone_object(json, zone);
        json_array(json, "free_blocks_by_order");
        for (unsigned order = 0; order < NR_ORDERS; order++)
            json_unsigned(json, NULL, nr[order]);
        json_end(json);
        json_end(json);
    }
    json_end(json);
}

/* ---- pagetypeinfo ---------------------------------------------------------------------------- */

struct census {
    unsigned long free[QUIRE_NR_MIGRATETYPES][NR_ORDERS]; /* free blocks */
    unsigned long pageblocks[QUIRE_NR_MIGRATETYPES];
};

/* A free block above PAGEBLOCK_ORDER counts where it begins. */
static void count_pageblock(const struct pageblock *block, struct census *census)
{
    census->pageblocks[block->type]++;
    for (unsigned order = 0; order < PAGEBLOCK_ORDER; order++)
        census->free[block->type][order] += block->nr[order];
    if (block->nr[PAGEBLOCK_ORDER] && !(block->flags & PAGEBLOCK_TAIL))
        census->free[block->type][block->largest]++;
}

static void take_census(struct zone *zone, struct census *census)
{
    struct quire_mem *mem = zone->mem;
    __builtin_memset(census, 0, sizeof *census);
    quire_port_irq_t irq = zone_lock(zone);
    unsigned long pfn = zone->start & ~(PAGEBLOCK_PAGES - 1), end = zone->end;
    zone_unlock(zone, irq);
    for (; pfn < end; pfn += PAGEBLOCK_PAGES) {
        irq = zone_lock(zone);
        if (pfn_valid(mem, pfn) && pageblock_zone(pfn_to_pageblock(mem, pfn)) == zone->id)
            count_pageblock(pfn_to_pageblock(mem, pfn), census);
        zone_unlock(zone, irq);
    }
}

static bool node_has_memory(struct quire_mem *mem, unsigned node)
{
    for_each_zone (mem, zone)
        if (zone->node == (int)node && zone_has_memory(zone))
            return true;
    return false;
}

static void print_free(struct text *text, struct zone *zone)
{
    struct census census;
    take_census(zone, &census);
    for (unsigned type = 0; type < QUIRE_NR_MIGRATETYPES; type++) {
        text_printf(text, "Node %4d, zone %8s, type %12s ", zone->node, zone_names[zone->type],
                    migratetype_names[type]);
        for (unsigned order = 0; order < NR_ORDERS; order++)
            text_printf(text, "%6lu ", census.free[type][order]);
        text_puts(text, "\n");
    }
}

static void print_pageblocks(struct text *text, struct zone *zone)
{
    struct census census;
    take_census(zone, &census);
    view_zone_title(text, zone);
    text_puts(text, " ");
    for (unsigned type = 0; type < QUIRE_NR_MIGRATETYPES; type++)
        text_printf(text, "%12lu ", census.pageblocks[type]);
    text_puts(text, "\n");
}

static void print_node(struct quire_mem *mem, unsigned node, struct text *text)
{
    text_printf(text, "Page block order: %d\nPages per block:  %lu\n\n", PAGEBLOCK_ORDER,
                PAGEBLOCK_PAGES);
    text_printf(text, "%-43s ", "Free pages count per migrate type at order");
    for (unsigned order = 0; order < NR_ORDERS; order++)
        text_printf(text, "%6u ", order);
    text_puts(text, "\n");
    for_each_zone (mem, zone)
        if (zone->node == (int)node && zone_has_memory(zone))
            print_free(text, zone);
    text_printf(text, "\n%-23s", "Number of blocks type ");
    for (unsigned type = 0; type < QUIRE_NR_MIGRATETYPES; type++)
        text_printf(text, "%12s ", migratetype_names[type]);
    text_puts(text, "\n");
    for_each_zone (mem, zone)
        if (zone->node == (int)node && zone_has_memory(zone))
            print_pageblocks(text, zone);
}

/* Linux repeats the heading for each node that has memory. */
void pagetypeinfo_text(struct quire_mem *mem, struct text *text)
{
    for (unsigned node = 0; node < mem->nr_nodes; node++)
        if (node_has_memory(mem, node))
            print_node(mem, node, text);
}

void pagetypeinfo_json(struct quire_mem *mem, struct json *json)
{
    struct census census;
    json_unsigned(json, "pageblock_order", PAGEBLOCK_ORDER);
    json_unsigned(json, "pageblock_pages", PAGEBLOCK_PAGES);
    json_array(json, "zones");
    for_each_zone (mem, zone) {
        if (!zone_has_memory(zone))
            continue;
        take_census(zone, &census);
        view_zone_object(json, zone);
        json_array(json, "types");
        for (unsigned type = 0; type < QUIRE_NR_MIGRATETYPES; type++) {
            json_object(json, NULL);
            json_string(json, "type", migratetype_names[type]);
            json_unsigned(json, "pageblocks", census.pageblocks[type]);
            json_array(json, "free_blocks_by_order");
            for (unsigned order = 0; order < NR_ORDERS; order++)
                json_unsigned(json, NULL, census.free[type][order]);
            json_end(json);
            json_end(json);
        }
        json_end(json);
        json_end(json);
    }
    json_end(json);
}
