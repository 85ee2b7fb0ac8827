/* tests/fuzz/memory_map_fuzz.c: any memory map, and the machine that comes of it
 *
 * An input is four bytes of settings, then operations on a memblock: a byte says which, a byte how
 * base and size are encoded. The encodings make what random numbers wouldn't: ranges that touch or
 * overlap the previous one by a byte, that end at the edge of 64 bits, of the frame numbers or of
 * the direct map. After each operation the tables must be valid; one that failed must have changed
 * nothing, and one that succeeded must show.
 *
 * Then what lies beyond the simulated memory is cut off, and quire_mem_init makes a machine of the
 * map. If it refuses, the map must be as it was. If not, the rest of the input allocates and frees:
 * each block must lie in memory that was free in the map, and overlap none that is held.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/bits.h"
#include "phys/memblock.h"

#include <quire/port.h>

#define SPAN ((uint64_t)16 << 30)       /* of simulated memory; costs what is touched */
#define MOST_MEMORY ((uint64_t)1 << 26) /* of a machine: its descriptors are written each time */
#define MOST_POISONED ((uint64_t)1 << 22)
#define MOST_ALLOCATED ((uint64_t)1 << 20)
#define MOST_OPERATIONS 400
#define MOST_BLOCKS 64

#define EXPECT(condition)                                                                          \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            fprintf(stderr, "%s:%d: not so: %s\n", __FILE__, __LINE__, #condition);                \
            abort();                                                                               \
        }                                                                                          \
    } while (0)

static struct quire_port_mem port;
static struct quire_memblock map;

/* ---- decoding -------------------------------------------------------------------------------- */

struct input {
    const uint8_t *data;
    size_t left;
};

/* Zeros at the end. */
static uint64_t take(struct input *input, unsigned bytes)
{
    uint64_t value = 0;
    for (unsigned i = 0; i < bytes && input->left; i++, input->left--)
        value |= (uint64_t)*input->data++ << (8 * i);
    return value;
}

/* A byte away from `address`, up to 128 either way. */
static uint64_t take_near(struct input *input, uint64_t address)
{
    return address + (uint64_t)(int64_t)(int8_t)take(input, 1);
}

static uint64_t take_edge(struct input *input)
{
    const uint64_t edges[] = {0,
                              QUIRE_PAGE_SIZE,
                              (uint64_t)1 << QUIRE_SECTION_SHIFT,
                              1 << 24,
                              (uint64_t)1 << 32,
                              SPAN,
                              port.direct_end,
                              MEMBLOCK_LIMIT,
                              (uint64_t)1 << 63,
                              UINT64_MAX};
    return take_near(input, edges[take(input, 1) % (sizeof edges / sizeof *edges)]);
}

static uint64_t take_base(struct input *input, unsigned encoding, struct memblock_range last)
{
    switch (encoding) {
    case 0:
        return take(input, 2) << 12;
    case 1:
        return take(input, 2) << 18;
    case 2:
        return take(input, 4);
    case 3:
        return take(input, 8);
    case 4:
        return take_edge(input);
    case 5:
        return take_near(input, last.base);
    case 6:
        return take_near(input, last.end);
    default:
        return last.end;
    }
}

static uint64_t take_size(struct input *input, unsigned encoding, struct memblock_range last,
                          uint64_t base)
{
    switch (encoding) {
    case 0:
        return take(input, 2);
    case 1:
        return take(input, 2) << 12;
    case 2:
        return take(input, 1) << 20;
    case 3:
        return take(input, 8);
    case 4:
        return take_edge(input) - base;
    case 5:
        return last.end - last.base;
    case 6:
        return take_near(input, last.base) - base;
    default:
        return 0;
    }
}

/* ---- what may not change --------------------------------------------------------------------- */

struct table_copy {
    unsigned long count;
    struct memblock_range storage;
    struct quire_memblock_region region[4 * MOST_OPERATIONS];
};

static struct map_copy {
    struct table_copy memory, reserved;
    quire_phys_t memory_size, reserved_size;
} before;

static void copy_table(struct table_copy *copy, const struct quire_memblock_table *table)
{
    copy->count = table->count;
    copy->storage = memblock_table_storage(&map, table);
    EXPECT(table->count <= sizeof copy->region / sizeof *copy->region);
    for (unsigned long i = 0; i < table->count; i++)
        copy->region[i] = table->region[i];
}

static void remember_map(void)
{
    copy_table(&before.memory, &map.memory);
    copy_table(&before.reserved, &map.reserved);
    before.memory_size = quire_memblock_memory_size(&map);
    before.reserved_size = quire_memblock_reserved_size(&map);
}

static bool table_is_in_place(const struct table_copy *copy,
                              const struct quire_memblock_table *table)
{
    struct memblock_range storage = memblock_table_storage(&map, table);
    return storage.base == copy->storage.base && storage.end == copy->storage.end;
}

static bool tables_are_in_place(void)
{
    return table_is_in_place(&before.memory, &map.memory) &&
           table_is_in_place(&before.reserved, &map.reserved);
}

static bool is_unchanged(const struct table_copy *copy, const struct quire_memblock_table *table)
{
    if (copy->count != table->count)
        return false;
    for (unsigned long i = 0; i < table->count; i++) {
        const struct quire_memblock_region *a = &copy->region[i], *b = &table->region[i];
        if (a->base != b->base || a->size != b->size || a->node != b->node || a->kind != b->kind)
            return false;
    }
    return true;
}

static bool map_is_unchanged(void)
{
    return tables_are_in_place() && is_unchanged(&before.memory, &map.memory) &&
           is_unchanged(&before.reserved, &map.reserved);
}

/* ---- operations on the map ------------------------------------------------------------------- */

enum operation { ADD, ADD_MORE, RESERVE, REMOVE, FREE, ALLOC, CROWD, END };

static bool covers(const struct quire_memblock_table *table, struct memblock_range range)
{
    while (range.base < range.end) {
        const struct quire_memblock_region *region = memblock_overlap(table, range);
        if (!region || region->base > range.base)
            return false;
        range.base = memblock_region_end(region);
    }
    return true;
}

static bool can_be(uint64_t base, uint64_t size)
{
    return !size || (base + size > base && base + size <= MEMBLOCK_LIMIT);
}

static void add(uint64_t base, uint64_t size, unsigned choice)
{
    static const int nodes[8] = {0, 1, 2, 3, 15, QUIRE_MAX_NODES, -1, 0x7fffffff};
    int node = nodes[choice >> 2 & 7];
    unsigned kind = choice & 3;
    bool valid = can_be(base, size) && node >= 0 && node < QUIRE_MAX_NODES && kind < 3;
    int err = quire_memblock_add(&map, base, size, node, (enum quire_memblock_kind)kind);
    EXPECT(valid != (err == -QUIRE_EINVAL));
    EXPECT(!err || err == -QUIRE_EINVAL || err == -QUIRE_EEXIST || err == -QUIRE_ENOMEM);
    EXPECT(!err || map_is_unchanged());
    EXPECT(err || !size || covers(&map.memory, (struct memblock_range){base, base + size}));
    EXPECT(err || quire_memblock_memory_size(&map) - before.memory_size <= size);
}

static void reserve(uint64_t base, uint64_t size)
{
    int err = quire_memblock_reserve(&map, base, size);
    EXPECT(can_be(base, size) != (err == -QUIRE_EINVAL));
    EXPECT(!err || err == -QUIRE_EINVAL || err == -QUIRE_ENOMEM);
    EXPECT(!err || map_is_unchanged());
    EXPECT(err || !size || memblock_is_reserved(&map, (struct memblock_range){base, base + size}));
}

static void remove_memory(uint64_t base, uint64_t size)
{
    int err = quire_memblock_remove(&map, base, size);
    EXPECT(can_be(base, size) != (err == -QUIRE_EINVAL));
    EXPECT(!err || err == -QUIRE_EINVAL || err == -QUIRE_EBUSY || err == -QUIRE_ENOMEM);
    EXPECT(!err || map_is_unchanged());
    EXPECT(err || !size ||
           !memblock_overlap(&map.memory, (struct memblock_range){base, base + size}));
    EXPECT(err || before.memory_size - quire_memblock_memory_size(&map) <= size);
}

static void free_range(uint64_t base, uint64_t size)
{
    int err = quire_memblock_free(&map, base, size);
    EXPECT(can_be(base, size) != (err == -QUIRE_EINVAL));
    EXPECT(!err || err == -QUIRE_EINVAL || err == -QUIRE_EBUSY || err == -QUIRE_ENOMEM);
    EXPECT(!err || map_is_unchanged());
    EXPECT(err || !size ||
           !memblock_overlap(&map.reserved, (struct memblock_range){base, base + size}));
}

static void allocate(uint64_t min, uint64_t size, unsigned choice, uint64_t span)
{
    static const int nodes[4] = {-1, 0, 1, 7};
    uint64_t align = (uint64_t)1 << (choice & 63), max = min + span;
    int node = nodes[choice >> 6 & 3];
    if (size > MOST_ALLOCATED && size <= SPAN)
        size = MOST_ALLOCATED; /* it is zeroed, which takes its time */
    if (!span)
        max = UINT64_MAX;
    quire_phys_t base = quire_memblock_alloc(&map, size, align, min, max, node);
    if (!base) {
        EXPECT(map_is_unchanged());
        return;
    }
    struct memblock_range range = {base, base + size};
    const struct quire_memblock_region *memory = memblock_overlap(&map.memory, range);
    EXPECT(base >= QUIRE_PAGE_SIZE && base >= min && range.end > base && range.end <= max);
    EXPECT(!(base & (align - 1)));
    EXPECT(memory && memory->base <= base && memblock_region_end(memory) >= range.end);
    EXPECT(memory->kind != QUIRE_MEMBLOCK_NOMAP && (node == -1 || memory->node == node));
    EXPECT(range.end <= port.direct_end && memblock_is_reserved(&map, range));
    if (tables_are_in_place()) /* then it is all that is new */
        EXPECT(quire_memblock_reserved_size(&map) == before.reserved_size + size);
    const char *bytes = quire_port_phys_to_virt(&port, base);
    EXPECT(!bytes[0] && !bytes[size / 2] && !bytes[size - 1]);
}

/* The table forgets what room it has left, so that it moves soon; not so much that its place would
 * seem smaller. */
static void crowd(struct quire_memblock_table *table)
{
    struct memblock_range storage = memblock_table_storage(&map, table);
    unsigned long capacity = table->capacity;
    if (!table->count)
        return;
    table->capacity = table->count;
    if (memblock_table_storage(&map, table).end != storage.end)
        table->capacity = capacity;
}

static void edit_map(struct input *input)
{
    struct memblock_range last = {0, 0};
    for (unsigned i = 0; i < MOST_OPERATIONS && input->left; i++) {
        unsigned byte = (unsigned)take(input, 1), choice = 0;
        enum operation operation = (enum operation)(byte & 7);
        if (operation == END)
            break;
        if (operation == CROWD) {
            crowd(byte & 8 ? &map.memory : &map.reserved);
            continue;
        }
        unsigned encoding = (unsigned)take(input, 1);
        uint64_t base = take_base(input, encoding & 7, last);
        uint64_t size = take_size(input, encoding >> 3 & 7, last, base);
        if (operation == ADD_MORE || operation == ALLOC)
            choice = (unsigned)take(input, 1);
        remember_map();
        if (operation == ADD || operation == ADD_MORE)
            add(base, size, choice);
        else if (operation == RESERVE)
            reserve(base, size);
        else if (operation == REMOVE)
            remove_memory(base, size);
        else if (operation == FREE)
            free_range(base, size);
        else
            allocate(base, size, choice, encoding & 0x80 ? last.end - last.base : 0);
        EXPECT(memblock_is_valid(&map));
        last = (struct memblock_range){base, base + size};
    }
}

/* ---- the machine ----------------------------------------------------------------------------- */

struct block {
    struct quire_page *page;
    unsigned order;
};

static struct machine {
    struct quire_mem *mem;
    struct block block[MOST_BLOCKS];
    unsigned count;
    unsigned long pages; /* that the blocks hold */
} machine;

static int count_usable(void *arg, quire_pfn_t start, quire_pfn_t end, int node,
                        enum quire_memblock_kind kind)
{
    (void)node;
    (void)kind;
    *(unsigned long *)arg += end.value - (start.value ? start.value : 1); /* frame 0 isn't used */
    return 0;
}

static struct memblock_range range_of(struct block block)
{
    quire_phys_t base = quire_page_to_phys(block.page);
    return (struct memblock_range){base, base + (QUIRE_PAGE_SIZE << block.order)};
}

static void check_block(struct block block)
{
    struct memblock_range range = range_of(block);
    EXPECT(range.base >= QUIRE_PAGE_SIZE && !(range.base & ((QUIRE_PAGE_SIZE << block.order) - 1)));
    EXPECT(covers(&map.memory, range) && !memblock_overlap(&map.reserved, range));
    for (unsigned long i = 0; i < map.memory.count; i++)
        EXPECT(map.memory.region[i].kind != QUIRE_MEMBLOCK_NOMAP ||
               memblock_region_end(&map.memory.region[i]) <= range.base ||
               map.memory.region[i].base >= range.end);
    for (unsigned i = 0; i < machine.count; i++) {
        struct memblock_range other = range_of(machine.block[i]);
        EXPECT(other.end <= range.base || range.end <= other.base);
    }
}

static void alloc_block(struct input *input, unsigned byte)
{
    quire_gfp_t gfp = (quire_gfp_t)take(input, 3) & QUIRE_GFP_MASK & ~QUIRE_GFP_NOFAIL;
    struct block block = {.order = byte >> 1 & 15};
    if (machine.count == MOST_BLOCKS)
        return;
    if (byte & 0x20)
        block.page = quire_alloc_pages_node(machine.mem, (int)(byte >> 6), gfp, block.order);
    else
        block.page = quire_alloc_pages(machine.mem, gfp, block.order);
    if (!block.page)
        return;
    check_block(block);
    machine.block[machine.count++] = block;
    machine.pages += 1ul << block.order;
}

static void free_block(unsigned which)
{
    struct block block = machine.block[which];
    machine.block[which] = machine.block[--machine.count];
    machine.pages -= 1ul << block.order;
    quire_free_pages(machine.mem, block.page, block.order);
}

static void use_machine(struct input *input, bool free_all)
{
    unsigned long managed = quire_nr_managed_pages(machine.mem);
    EXPECT(quire_nr_free_pages(machine.mem) == managed);
    quire_mem_check(machine.mem);
    for (unsigned i = 0; i < MOST_OPERATIONS && input->left; i++) {
        unsigned byte = (unsigned)take(input, 1);
        if (byte & 1)
            alloc_block(input, byte);
        else if (machine.count)
            free_block((byte >> 1) % machine.count);
    }
    EXPECT(quire_nr_free_pages(machine.mem) == managed - machine.pages);
    while (free_all && machine.count)
        free_block(machine.count - 1);
    quire_mem_check(machine.mem);
    EXPECT(quire_mem_destroy(machine.mem) == machine.pages);
}

/* Cuts off what the simulated memory doesn't have. False: there is no room to do so, or it would be
 * too large a machine. */
static bool trim_map(void)
{
    quire_phys_t beyond = MEMBLOCK_LIMIT - SPAN;
    return !quire_memblock_free(&map, SPAN, beyond) && !quire_memblock_remove(&map, SPAN, beyond) &&
           quire_memblock_memory_size(&map) <= MOST_MEMORY;
}

static void choose_zones(quire_phys_t *end, unsigned choice)
{
    static const quire_phys_t ends[8][QUIRE_NR_ZONES] = {
        {0},                                                       /* the port's */
        {1 << 24, 0, UINT64_MAX, 0, 0},                            /* i386 without HighMem */
        {1 << 24, 0, 0x38000000, UINT64_MAX, 0},                   /* i386 */
        {1 << 24, 0, 1 << 26, UINT64_MAX, UINT64_MAX},             /* much HighMem, and MOVABLE */
        {1 << 24, (quire_phys_t)1 << 32, UINT64_MAX, 0, 1},        /* x86-64 and MOVABLE */
        {0, 0, (quire_phys_t)1 << 32, 0, 0},                       /* nothing above 4 GiB */
        {1 << 24, 1 << 20, UINT64_MAX, 0, 0},                      /* descending: refused */
        {(1 << 24) + (1 << QUIRE_PAGE_SHIFT), 0, UINT64_MAX, 0, 0} /* amid a pageblock: refused */
    };
    memcpy(end, ends[choice & 7], sizeof ends[0]);
}

static void make_machine(struct input *input, unsigned settings)
{
    struct quire_mem_config config = {
        .port = &port,
        .nr_cpus = 1 + (settings >> 3 & 3),
        .nr_nodes = settings & 0x20 ? 4 : 0,
        .movable_size = settings & 0x40 ? (uint64_t)(settings >> 8 & 15) << 23 : 0,
        .min_free_kbytes = settings & 0x80 ? 64u << (settings >> 12 & 7) : 0,
        .no_mobility_grouping = (settings & 0x400) != 0,
        .no_pcp = (settings & 0x800) != 0,
        .debug = settings >> 13 & 3,
    };
    if (quire_memblock_memory_size(&map) > MOST_POISONED)
        config.debug &= ~QUIRE_DEBUG_POISON;
    choose_zones(config.zone_end, settings);
    unsigned long usable = 0;
    quire_port_cpu();
    remember_map();
    int err = quire_mem_init(&machine.mem, &map, &config);
    EXPECT(memblock_is_valid(&map) && is_unchanged(&before.memory, &map.memory));
    if (err) {
        EXPECT(err == -QUIRE_EINVAL || err == -QUIRE_ENOMEM);
        EXPECT(!map.handed_over && (map_is_unchanged() || !tables_are_in_place()));
        return;
    }
    EXPECT(map.handed_over);
    memblock_for_each_free_frames(&map, count_usable, &usable);
    EXPECT((settings & 7) == 5 || quire_nr_managed_pages(machine.mem) == usable);
    struct quire_mem *second;
    EXPECT(quire_mem_init(&second, &map, &config) == -QUIRE_EINVAL);
    use_machine(input, settings & 0x8000);
}

/* ---- libFuzzer's entry ----------------------------------------------------------------------- */

static void say_nothing(int level, const char *text)
{
    (void)level;
    (void)text;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct quire_port_mem whole;
    struct input input = {data, size};
    if (!whole.base) {
        EXPECT(!quire_posix_mem_create(&whole, SPAN));
        quire_posix_set_log(say_nothing);
    }
    port = whole;
    machine = (struct machine){0};
    quire_memblock_init(&map, "fuzz", &port);

    unsigned room = (unsigned)take(&input, 1), reach = (unsigned)take(&input, 1);
    unsigned settings = (unsigned)take(&input, 2);
    if (room & 15)
        map.memory.capacity = room & 15;
    if (room >> 4)
        map.reserved.capacity = room >> 4;
    if (reach) /* to the byte now and then, mostly at a multiple of 16 MiB */
        port.direct_end = ((uint64_t)(reach >> 1) << 24) + (reach & 1 ? 0x123456 : 0);
    edit_map(&input);
    if (trim_map())
        make_machine(&input, settings);
    EXPECT(!quire_posix_report_free(&whole, 0, SPAN)); /* zeroed for the next */
    return 0;
}
