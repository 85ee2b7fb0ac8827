/* phys/memblock_alloc.c: early allocation, and tables that grow into the map's own memory
 *
 * Search. Each range of memory is tried from the highest down: put the block at its very end; if
 * it hits something taken, put it right below that, and so on. Nothing is missed: a place between
 * the two would overlap what was hit.
 *
 * Growing. A table that is full moves to twice the room, found by that search, and the room that
 * it had is given back, unless that is the static one. The new place is a reservation like any
 * other, so that growing the memory table changes the reserved one and may have to grow that too.
 * Therefore all places are found first (each outside of the range at hand and of the other), and
 * only then is anything changed: there is nothing to undo.
 *
 *   invariant   a table that has grown lies in memory of the map which the direct map reaches, in
 *               whole frames, all of them reserved
 *   bound       a search is O(ranges + reservations), with a logarithm for lookups; growing
 *               doubles, so n additions move O(n) regions in all
 */
#include "base/bits.h"
#include "base/compiler.h"
#include "base/text.h"
#include "phys/memblock.h"

/* ---- search ---------------------------------------------------------------------------------- */

struct search {
    const struct quire_memblock *memblock;
    quire_phys_t size, align;
    struct memblock_range within;
    int node;                       /* -1: any */
    const quire_phys_t *node_end;   /* of RAM, by node; NULL: no limit, and HOTPLUG will do */
    struct memblock_range avoid[2]; /* taken, though not reserved; may be empty */
};

/* The direct map's end within memory: it reaches a range from its base up to some address, and
 * nothing from there on. */
static quire_phys_t direct_map_end(const struct quire_port_mem *port, struct memblock_range range)
{
    if (quire_port_phys_to_virt(port, range.end - 1))
        return range.end;
    if (!quire_port_phys_to_virt(port, range.base))
        return range.base;
    quire_phys_t reached = range.base, beyond = range.end - 1;
    while (beyond - reached > 1) {
        quire_phys_t middle = reached + (beyond - reached) / 2;
        if (quire_port_phys_to_virt(port, middle))
            reached = middle;
        else
            beyond = middle;
    }
    return beyond;
}

/* In one piece: memory may be mapped by several windows. */
static bool is_directly_mapped(const struct quire_port_mem *port, quire_phys_t base,
                               quire_phys_t size)
{
    const char *first = quire_port_phys_to_virt(port, base);
    const char *last = quire_port_phys_to_virt(port, base + size - 1);
    return first && last && (uintptr_t)last - (uintptr_t)first == size - 1;
}

/* Whether something taken has a byte of `range`; where it begins. */
static bool is_taken(const struct search *search, struct memblock_range range, quire_phys_t *begin)
{
    const struct quire_memblock_region *reserved =
        memblock_overlap(&search->memblock->reserved, range);
    if (reserved) {
        *begin = reserved->base;
        return true;
    }
    for (unsigned i = 0; i < 2; i++)
        if (search->avoid[i].base < range.end && range.base < search->avoid[i].end) {
            *begin = search->avoid[i].base;
            return true;
        }
    return false;
}

static quire_phys_t find_in_region(const struct search *search,
                                   const struct quire_memblock_region *region)
{
    const struct quire_port_mem *port = search->memblock->port;
    struct memblock_range room = {region->base, memblock_region_end(region)};

    if (room.base < search->within.base)
        room.base = search->within.base;
    if (room.end > search->within.end)
        room.end = search->within.end;
    if (search->node_end && room.end > search->node_end[region->node])
        room.end = search->node_end[region->node];
    if (room.base >= room.end)
        return 0;
    room.end = direct_map_end(port, room);

    while (room.end > room.base && room.end - room.base >= search->size) {
        struct memblock_range block;
        block.base = quire_align_down(room.end - search->size, search->align);
        block.end = block.base + search->size;
        if (block.base < room.base)
            return 0;
        if (!is_taken(search, block, &room.end))
            return is_directly_mapped(port, block.base, search->size) ? block.base : 0;
    }
    return 0;
}

static quire_phys_t find_of_kind(const struct search *search, enum quire_memblock_kind kind)
{
    const struct quire_memblock_table *memory = &search->memblock->memory;
    for (unsigned long i = memory->count; i-- > 0;) {
        const struct quire_memblock_region *region = &memory->region[i];
        if (region->kind != kind || (search->node != -1 && region->node != search->node))
            continue;
        quire_phys_t base = find_in_region(search, region);
        if (base)
            return base;
    }
    return 0;
}

/* What is allocated early stays for good, so memory that may be taken away comes last. */
static quire_phys_t find(struct search *search)
{
    if (search->within.base < QUIRE_PAGE_SIZE)
        search->within.base = QUIRE_PAGE_SIZE;
    quire_phys_t base = find_of_kind(search, QUIRE_MEMBLOCK_RAM);
    return base || search->node_end ? base : find_of_kind(search, QUIRE_MEMBLOCK_HOTPLUG);
}

/* ---- growing --------------------------------------------------------------------------------- */

/* Whole frames, so that what is given back is of use. */
static quire_phys_t storage_bytes(unsigned long capacity)
{
    return quire_align_up((quire_phys_t)capacity * sizeof(struct quire_memblock_region),
                          QUIRE_PAGE_SIZE);
}

static bool has_grown(const struct quire_memblock_table *table)
{
    return table->region != table->first;
}

struct memblock_range memblock_table_storage(const struct quire_memblock *memblock,
                                             const struct quire_memblock_table *table)
{
    struct memblock_range storage = {0, 0};
    if (has_grown(table)) {
        storage.base = quire_port_virt_to_phys(memblock->port, table->region);
        storage.end = storage.base + storage_bytes(table->capacity);
    }
    return storage;
}

/* A place for `table` at twice its capacity; `search` has what to avoid. */
static bool find_storage(struct search *search, const struct quire_memblock_table *table,
                         struct memblock_range *storage)
{
    search->size = storage_bytes(2 * table->capacity);
    search->align = QUIRE_PAGE_SIZE;
    search->within = (struct memblock_range){0, MEMBLOCK_LIMIT};
    search->node = -1;
    storage->base = find(search);
    storage->end = storage->base + search->size;
    return storage->base != 0;
}

/* Regions that the reserved table may gain by a move of `table`: the new place, and if the old one
 * is cut out of a merged range, that range's second half. */
static unsigned long regions_of_a_move(const struct quire_memblock_table *table)
{
    return has_grown(table) && !table->storage_is_kept ? 2 : 1;
}

/* Can't fail: the reserved table has room, if only because it is the one that moves. */
static void move_table(struct quire_memblock *memblock, struct quire_memblock_table *table,
                       struct memblock_range storage)
{
    struct memblock_range old = memblock_table_storage(memblock, table);
    struct quire_memblock_region *region = quire_port_phys_to_virt(memblock->port, storage.base);
    struct memblock_change change;

    if (table->storage_is_kept)
        old.end = old.base;
    __builtin_memcpy(region, table->region, table->count * sizeof *region);
    table->region = region;
    table->capacity = (unsigned long)(storage.end - storage.base) / sizeof *region;
    table->storage_is_kept = false;

    memblock_plan_union(&memblock->reserved, storage, MEMBLOCK_RESERVED_NODE,
                        MEMBLOCK_RESERVED_KIND, &change);
    memblock_apply(&memblock->reserved, &change);
    if (old.base < old.end) {
        memblock_plan_difference(&memblock->reserved, old, &change);
        memblock_apply(&memblock->reserved, &change);
    }
}

/* Doubles a table's room, by memory outside of `avoid`. */
static int grow(struct quire_memblock *memblock, struct quire_memblock_table *table,
                struct memblock_range avoid)
{
    struct quire_memblock_table *reserved = &memblock->reserved;
    struct search search = {.memblock = memblock, .avoid = {avoid}};
    struct memblock_range storage, reserved_storage;

    if (!find_storage(&search, table, &storage))
        return -QUIRE_ENOMEM;
    if (table != reserved && reserved->count + regions_of_a_move(table) > reserved->capacity) {
        search.avoid[1] = storage;
        if (!find_storage(&search, reserved, &reserved_storage))
            return -QUIRE_ENOMEM;
        move_table(memblock, reserved, reserved_storage);
    }
    move_table(memblock, table, storage);
    return 0;
}

int memblock_unite(struct quire_memblock *memblock, struct quire_memblock_table *table,
                   struct memblock_range range, int node, enum quire_memblock_kind kind)
{
    struct memblock_change change;
    memblock_plan_union(table, range, node, kind, &change);
    if (!memblock_change_fits(table, &change)) {
        if (grow(memblock, table, range))
            return -QUIRE_ENOMEM;
        memblock_plan_union(table, range, node, kind, &change); /* a move changes `reserved` */
    }
    memblock_apply(table, &change);
    return 0;
}

int memblock_subtract(struct quire_memblock *memblock, struct quire_memblock_table *table,
                      struct memblock_range range)
{
    struct memblock_change change;
    memblock_plan_difference(table, range, &change);
    if (!memblock_change_fits(table, &change)) {
        if (grow(memblock, table, range))
            return -QUIRE_ENOMEM;
        memblock_plan_difference(table, range, &change);
    }
    memblock_apply(table, &change);
    return 0;
}

/* The caller's reservation of a place where a table lies outlasts the table's stay there. */
static void keep_storage(struct quire_memblock *memblock, struct quire_memblock_table *table,
                         struct memblock_range range)
{
    struct memblock_range storage = memblock_table_storage(memblock, table);
    if (storage.base < range.end && range.base < storage.end)
        table->storage_is_kept = true;
}

int memblock_reserve_range(struct quire_memblock *memblock, struct memblock_range range)
{
    int err = memblock_unite(memblock, &memblock->reserved, range, MEMBLOCK_RESERVED_NODE,
                             MEMBLOCK_RESERVED_KIND);
    if (err)
        return err;
    keep_storage(memblock, &memblock->memory, range);
    keep_storage(memblock, &memblock->reserved, range);
    return 0;
}

/* ---- early allocation ------------------------------------------------------------------------ */

static quire_phys_t take(struct quire_memblock *memblock, struct search *search)
{
    quire_phys_t base = find(search);
    if (!base ||
        memblock_reserve_range(memblock, (struct memblock_range){base, base + search->size}))
        return 0;
    if (!memblock->is_zero)
        __builtin_memset(quire_port_phys_to_virt(memblock->port, base), 0, (size_t)search->size);
    QUIRE_EXPENSIVE(memblock_is_valid(memblock));
    return base;
}

quire_phys_t memblock_alloc_below(struct quire_memblock *memblock, quire_phys_t size,
                                  quire_phys_t align, const quire_phys_t *node_end, int node)
{
    struct search search = {.memblock = memblock,
                            .size = size,
                            .align = align,
                            .within = {0, UINT64_MAX},
                            .node = node,
                            .node_end = node_end};
    return take(memblock, &search);
}

quire_phys_t quire_memblock_alloc(struct quire_memblock *memblock, quire_phys_t size,
                                  quire_phys_t align, quire_phys_t min, quire_phys_t max, int node)
{
    if (memblock->handed_over || !size || !quire_is_power_of_2(align)) {
        quire_log(QUIRE_LOG_ERROR,
                  "quire: memblock %s: can't allocate 0x%llx bytes aligned to 0x%llx: %s",
                  memblock->name, (unsigned long long)size, (unsigned long long)align,
                  memblock->handed_over ? "the map was handed over"
                  : !size               ? "nothing is asked for"
                                        : "not a power of two");
        return 0;
    }

    struct search search = {
        .memblock = memblock, .size = size, .align = align, .within = {min, max}, .node = node};
    return take(memblock, &search);
}
