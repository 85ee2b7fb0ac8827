/* phys/memblock_table.c: one table of a memblock: sorted, disjoint ranges
 *
 *   structure   an array of regions, sorted by address
 *   invariant   no region is empty, no two overlap, and no two of the same node and kind touch:
 *               equal sets of bytes have equal tables
 *   bound       a lookup is a binary search; a change moves the tail of the array once. A union or
 *               a difference of one range makes the table longer by one region at most, which is
 *               why growing needs no estimate of how much
 *
 * A change is planned first and applied when it is known to fit. Both are here; who makes room is
 * memblock_alloc.c.
 */
#include "base/compiler.h"
#include "phys/memblock.h"

static bool is_like(const struct quire_memblock_region *region, int node,
                    enum quire_memblock_kind kind)
{
    return region->node == node && region->kind == kind;
}

unsigned long memblock_first_above(const struct quire_memblock_table *table, quire_phys_t address)
{
    unsigned long low = 0, high = table->count;
    while (low < high) {
        unsigned long middle = low + (high - low) / 2;
        if (memblock_region_end(&table->region[middle]) > address)
            high = middle;
        else
            low = middle + 1;
    }
    return low;
}

const struct quire_memblock_region *memblock_overlap(const struct quire_memblock_table *table,
                                                     struct memblock_range range)
{
    unsigned long first = memblock_first_above(table, range.base);
    if (first == table->count || table->region[first].base >= range.end)
        return NULL;
    return &table->region[first];
}

static void add_piece(struct memblock_change *change, quire_phys_t base, quire_phys_t end, int node,
                      enum quire_memblock_kind kind)
{
    struct quire_memblock_region piece = {base, end - base, node, kind};
    change->piece[change->nr++] = piece;
}

void memblock_plan_union(const struct quire_memblock_table *table, struct memblock_range range,
                         int node, enum quire_memblock_kind kind, struct memblock_change *change)
{
    const struct quire_memblock_region *region = table->region;
    unsigned long first = memblock_first_above(table, range.base), last = first;

    while (last < table->count && region[last].base < range.end)
        last++;
    if (first && memblock_region_end(&region[first - 1]) == range.base &&
        is_like(&region[first - 1], node, kind))
        first--;
    if (last < table->count && region[last].base == range.end && is_like(&region[last], node, kind))
        last++;

    if (first < last) {
        quire_phys_t end = memblock_region_end(&region[last - 1]);
        if (region[first].base < range.base)
            range.base = region[first].base;
        if (end > range.end)
            range.end = end;
    }
    change->first = first;
    change->last = last;
    change->nr = 0;
    add_piece(change, range.base, range.end, node, kind);
}

void memblock_plan_difference(const struct quire_memblock_table *table, struct memblock_range range,
                              struct memblock_change *change)
{
    const struct quire_memblock_region *region = table->region;
    unsigned long first = memblock_first_above(table, range.base), last = first;

    while (last < table->count && region[last].base < range.end)
        last++;
    change->first = first;
    change->last = last;
    change->nr = 0;
    if (first == last)
        return;

    const struct quire_memblock_region *lowest = &region[first], *highest = &region[last - 1];
    if (lowest->base < range.base)
        add_piece(change, lowest->base, range.base, lowest->node, lowest->kind);
    if (memblock_region_end(highest) > range.end)
        add_piece(change, range.end, memblock_region_end(highest), highest->node, highest->kind);
}

static unsigned long count_after(const struct quire_memblock_table *table,
                                 const struct memblock_change *change)
{
    return table->count - (change->last - change->first) + change->nr;
}

bool memblock_change_fits(const struct quire_memblock_table *table,
                          const struct memblock_change *change)
{
    return count_after(table, change) <= table->capacity;
}

void memblock_apply(struct quire_memblock_table *table, const struct memblock_change *change)
{
    struct quire_memblock_region *region = table->region;

    QUIRE_BUG_ON(!memblock_change_fits(table, change));
    __builtin_memmove(&region[change->first + change->nr], &region[change->last],
                      (table->count - change->last) * sizeof *region);
    for (unsigned i = 0; i < change->nr; i++)
        region[change->first + i] = change->piece[i];
    table->count = count_after(table, change);
}

bool memblock_table_is_valid(const struct quire_memblock_table *table)
{
    if (table->count > table->capacity)
        return false;
    for (unsigned long i = 0; i < table->count; i++) {
        const struct quire_memblock_region *region = &table->region[i];
        if (!region->size || region->base >= MEMBLOCK_LIMIT ||
            region->size > MEMBLOCK_LIMIT - region->base)
            return false;
        if (!i)
            continue;
        quire_phys_t end_below = memblock_region_end(region - 1);
        if (end_below > region->base ||
            (end_below == region->base && is_like(region - 1, region->node, region->kind)))
            return false;
    }
    return true;
}
