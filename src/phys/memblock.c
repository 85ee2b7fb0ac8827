/* phys/memblock.c: the memory map before there are zones
 *
 * Two tables (memblock_table.c): what is memory, by node and kind, and what is reserved. They are
 * independent: a reservation may lie outside of all memory. Usable and free is what is in the
 * first, not NOMAP, and not in the second. Ranges are kept to the byte as they came; who wants
 * frames rounds inwards, and does it when everything has been merged, so that a frame whose halves
 * came as two ranges is whole.
 *
 * Every function here checks all that can be wrong, then changes one table (memblock_alloc.c makes
 * the room), so that what fails has changed nothing.
 */
#include "phys/memblock.h"
#include "base/bits.h"
#include "base/compiler.h"
#include "base/text.h"

/* ---- errors ---------------------------------------------------------------------------------- */

/* Logs why an operation on a range is refused; returns -error. */
static int refuse(const struct quire_memblock *memblock, const char *operation, quire_phys_t base,
                  quire_phys_t size, int error, const char *why)
{
    quire_log(QUIRE_LOG_ERROR, "quire: memblock %s: can't %s [0x%llx, 0x%llx), 0x%llx bytes: %s",
              memblock->name, operation, (unsigned long long)base,
              (unsigned long long)(base + size), (unsigned long long)size, why);
    return -error;
}

/* The same when another range is in the way. */
static int refuse_for(const struct quire_memblock *memblock, const char *operation,
                      struct memblock_range range, int error, const char *why,
                      struct memblock_range other)
{
    char text[128];
    quire_snprintf(text, sizeof text, "%s [0x%llx, 0x%llx), 0x%llx bytes", why,
                   (unsigned long long)other.base, (unsigned long long)other.end,
                   (unsigned long long)(other.end - other.base));
    return refuse(memblock, operation, range.base, range.end - range.base, error, text);
}

static int refuse_full(const struct quire_memblock *memblock, const char *operation,
                       struct memblock_range range)
{
    return refuse(memblock, operation, range.base, range.end - range.base, QUIRE_ENOMEM,
                  "the table is full and there is no free memory to grow it");
}

/* What is wrong with a range by itself, whatever the map. `range` may be empty afterwards. */
static int check_range(const struct quire_memblock *memblock, const char *operation,
                       quire_phys_t base, quire_phys_t size, struct memblock_range *range)
{
    const char *why = NULL;
    if (memblock->handed_over)
        why = "the map was handed over";
    else if (size && base + size < base)
        why = "it wraps around";
    else if (size && base + size > MEMBLOCK_LIMIT)
        why = "it ends beyond the highest frame number";
    if (why)
        return refuse(memblock, operation, base, size, QUIRE_EINVAL, why);
    range->base = base;
    range->end = base + size;
    return 0;
}

static struct memblock_range range_of(const struct quire_memblock_region *region)
{
    return (struct memblock_range){region->base, memblock_region_end(region)};
}

static struct memblock_range intersection(struct memblock_range a, struct memblock_range b)
{
    a.base = a.base > b.base ? a.base : b.base;
    a.end = a.end < b.end ? a.end : b.end;
    if (a.end < a.base)
        a.end = a.base;
    return a;
}

/* ---- the tables' operations ------------------------------------------------------------------ */

static void init_table(struct quire_memblock_table *table)
{
    table->region = table->first;
    table->count = 0;
    table->capacity = QUIRE_MEMBLOCK_STATIC_REGIONS;
    table->storage_is_kept = false;
}

void quire_memblock_init(struct quire_memblock *memblock, const char *name,
                         const struct quire_port_mem *port)
{
    memblock->name = name;
    memblock->port = port;
    memblock->handed_over = false;
    init_table(&memblock->memory);
    init_table(&memblock->reserved);
}

int quire_memblock_add(struct quire_memblock *memblock, quire_phys_t base, quire_phys_t size,
                       int node, enum quire_memblock_kind kind)
{
    struct quire_memblock_table *memory = &memblock->memory;
    struct memblock_range range;
    int err = check_range(memblock, "add", base, size, &range);
    if (err)
        return err;
    if (node < 0 || node >= QUIRE_MAX_NODES)
        return refuse(memblock, "add", base, size, QUIRE_EINVAL, "there is no such node");
    if ((unsigned)kind > QUIRE_MEMBLOCK_NOMAP)
        return refuse(memblock, "add", base, size, QUIRE_EINVAL, "there is no such kind");
    if (!size)
        return 0;

    for (unsigned long i = memblock_first_above(memory, range.base);
         i < memory->count && memory->region[i].base < range.end; i++) {
        const struct quire_memblock_region *region = &memory->region[i];
        if (region->node != node || region->kind != kind)
            return refuse_for(memblock, "add", range, QUIRE_EEXIST,
                              "it overlaps memory of another node or kind,", range_of(region));
    }
    if (memblock_unite(memblock, memory, range, node, kind))
        return refuse_full(memblock, "add", range);
    QUIRE_EXPENSIVE(memblock_is_valid(memblock));
    return 0;
}

/* The first region of memory in `range` that has a reserved byte there, and those bytes. */
static bool find_reserved_memory(const struct quire_memblock *memblock, struct memblock_range range,
                                 struct memblock_range *found)
{
    const struct quire_memblock_table *memory = &memblock->memory;
    for (unsigned long i = memblock_first_above(memory, range.base);
         i < memory->count && memory->region[i].base < range.end; i++) {
        struct memblock_range part = intersection(range, range_of(&memory->region[i]));
        const struct quire_memblock_region *reserved = memblock_overlap(&memblock->reserved, part);
        if (reserved) {
            *found = intersection(part, range_of(reserved));
            return true;
        }
    }
    return false;
}

int quire_memblock_remove(struct quire_memblock *memblock, quire_phys_t base, quire_phys_t size)
{
    struct memblock_range range, reserved;
    int err = check_range(memblock, "remove", base, size, &range);
    if (err || !size)
        return err;
    if (find_reserved_memory(memblock, range, &reserved))
        return refuse_for(memblock, "remove", range, QUIRE_EBUSY, "reserved is", reserved);
    if (memblock_subtract(memblock, &memblock->memory, range))
        return refuse_full(memblock, "remove", range);
    QUIRE_EXPENSIVE(memblock_is_valid(memblock));
    return 0;
}

int quire_memblock_reserve(struct quire_memblock *memblock, quire_phys_t base, quire_phys_t size)
{
    struct memblock_range range;
    int err = check_range(memblock, "reserve", base, size, &range);
    if (err || !size)
        return err;
    if (memblock_reserve_range(memblock, range))
        return refuse_full(memblock, "reserve", range);
    QUIRE_EXPENSIVE(memblock_is_valid(memblock));
    return 0;
}

int quire_memblock_free(struct quire_memblock *memblock, quire_phys_t base, quire_phys_t size)
{
    const struct quire_memblock_table *tables[] = {&memblock->memory, &memblock->reserved};
    struct memblock_range range;
    int err = check_range(memblock, "free", base, size, &range);
    if (err || !size)
        return err;
    for (unsigned i = 0; i < 2; i++) {
        struct memblock_range storage = memblock_table_storage(memblock, tables[i]);
        struct memblock_range own = intersection(range, storage);
        if (own.base < own.end)
            return refuse_for(memblock, "free", range, QUIRE_EBUSY, "the map's own table is in",
                              storage);
    }
    if (memblock_subtract(memblock, &memblock->reserved, range))
        return refuse_full(memblock, "free", range);
    QUIRE_EXPENSIVE(memblock_is_valid(memblock));
    return 0;
}

/* ---- visits ---------------------------------------------------------------------------------- */

int quire_memblock_for_each_free(const struct quire_memblock *memblock,
                                 quire_memblock_visit_fn *visit, void *arg)
{
    const struct quire_memblock_table *memory = &memblock->memory, *reserved = &memblock->reserved;
    unsigned long next = 0; /* reserved regions below this one end below the cursor */

    for (unsigned long i = 0; i < memory->count; i++) {
        const struct quire_memblock_region *region = &memory->region[i];
        quire_phys_t cursor = region->base, end = memblock_region_end(region);
        if (region->kind == QUIRE_MEMBLOCK_NOMAP)
            continue;
        while (cursor < end) {
            while (next < reserved->count && memblock_region_end(&reserved->region[next]) <= cursor)
                next++;
            quire_phys_t taken = end, resume = end;
            if (next < reserved->count && reserved->region[next].base < end) {
                taken = reserved->region[next].base;
                resume = memblock_region_end(&reserved->region[next]);
            }
            if (cursor < taken) {
                int err = visit(arg, cursor, taken - cursor, region->node, region->kind);
                if (err)
                    return err;
            }
            cursor = resume;
        }
    }
    return 0;
}

struct frame_visit {
    memblock_visit_frames_fn *visit;
    void *arg;
};

static int visit_whole_frames(void *arg, quire_phys_t base, quire_phys_t size, int node,
                              enum quire_memblock_kind kind)
{
    const struct frame_visit *frames = arg;
    quire_pfn_t start = quire_phys_to_pfn(quire_align_up(base, QUIRE_PAGE_SIZE));
    quire_pfn_t end = quire_phys_to_pfn(base + size);
    return start.value < end.value ? frames->visit(frames->arg, start, end, node, kind) : 0;
}

int memblock_for_each_memory_frames(const struct quire_memblock *memblock,
                                    memblock_visit_frames_fn *visit, void *arg)
{
    struct frame_visit frames = {visit, arg};
    for (unsigned long i = 0; i < memblock->memory.count; i++) {
        const struct quire_memblock_region *region = &memblock->memory.region[i];
        int err =
            visit_whole_frames(&frames, region->base, region->size, region->node, region->kind);
        if (err)
            return err;
    }
    return 0;
}

int memblock_for_each_free_frames(const struct quire_memblock *memblock,
                                  memblock_visit_frames_fn *visit, void *arg)
{
    struct frame_visit frames = {visit, arg};
    return quire_memblock_for_each_free(memblock, visit_whole_frames, &frames);
}

bool memblock_is_reserved(const struct quire_memblock *memblock, struct memblock_range range)
{
    const struct quire_memblock_region *reserved = memblock_overlap(&memblock->reserved, range);
    return reserved && reserved->base <= range.base && memblock_region_end(reserved) >= range.end;
}

/* ---- sums, text ------------------------------------------------------------------------------ */

static quire_phys_t size_of(const struct quire_memblock_table *table)
{
    quire_phys_t size = 0;
    for (unsigned long i = 0; i < table->count; i++)
        size += table->region[i].size;
    return size;
}

quire_phys_t quire_memblock_memory_size(const struct quire_memblock *memblock)
{
    return size_of(&memblock->memory);
}

quire_phys_t quire_memblock_reserved_size(const struct quire_memblock *memblock)
{
    return size_of(&memblock->reserved);
}

quire_phys_t quire_memblock_end(const struct quire_memblock *memblock)
{
    const struct quire_memblock_table *memory = &memblock->memory;
    return memory->count ? memblock_region_end(&memory->region[memory->count - 1]) : 0;
}

static void dump_range(struct text *text, const struct quire_memblock_region *region)
{
    text_printf(text, "[0x%012llx, 0x%012llx) %14llu bytes", (unsigned long long)region->base,
                (unsigned long long)memblock_region_end(region), (unsigned long long)region->size);
}

void quire_memblock_dump(const struct quire_memblock *memblock, quire_write_fn *write, void *arg)
{
    static const char *const kinds[] = {"RAM", "hotplug", "nomap"};
    struct text text;
    text_init(&text, write, arg);
    for (unsigned long i = 0; i < memblock->memory.count; i++) {
        const struct quire_memblock_region *region = &memblock->memory.region[i];
        text_puts(&text, "memory   ");
        dump_range(&text, region);
        text_printf(&text, " node %d %s\n", region->node, kinds[region->kind]);
    }
    for (unsigned long i = 0; i < memblock->reserved.count; i++) {
        text_puts(&text, "reserved ");
        dump_range(&text, &memblock->reserved.region[i]);
        text_puts(&text, "\n");
    }
    text_flush(&text);
}

/* ---- invariants ------------------------------------------------------------------------------ */

/* A table that has grown lies in memory of the map, reserved, within the direct map. */
static bool storage_is_valid(const struct quire_memblock *memblock,
                             const struct quire_memblock_table *table)
{
    struct memblock_range storage = memblock_table_storage(memblock, table);
    if (storage.base == storage.end)
        return table->capacity <= QUIRE_MEMBLOCK_STATIC_REGIONS;
    const struct quire_memblock_region *memory = memblock_overlap(&memblock->memory, storage);
    return storage.base >= QUIRE_PAGE_SIZE && memblock_is_reserved(memblock, storage) && memory &&
           memory->base <= storage.base && memblock_region_end(memory) >= storage.end &&
           memory->kind != QUIRE_MEMBLOCK_NOMAP &&
           quire_port_phys_to_virt(memblock->port, storage.base) == (void *)table->region;
}

bool memblock_is_valid(const struct quire_memblock *memblock)
{
    struct memblock_range memory_storage = memblock_table_storage(memblock, &memblock->memory);
    struct memblock_range reserved_storage = memblock_table_storage(memblock, &memblock->reserved);
    struct memblock_range both = intersection(memory_storage, reserved_storage);
    return memblock_table_is_valid(&memblock->memory) &&
           memblock_table_is_valid(&memblock->reserved) &&
           storage_is_valid(memblock, &memblock->memory) &&
           storage_is_valid(memblock, &memblock->reserved) && both.base == both.end;
}
