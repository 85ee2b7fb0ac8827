/* tests/model/memblock_model.c: random operations on a map, against an array of bytes
 *
 * The model has an entry for each unit of physical addresses: memory or not, of which node and
 * kind; reserved by the caller or not. Every operation is done to both. After each, the map is
 * read back through its tables and visits, and compared unit by unit. The map reserves more than
 * the model: its own tables, when they have grown; where they lie is known, and nothing else may
 * be extra. The tables begin with room for a few ranges and are kept short of room, so that they
 * move often, and some runs leave so little free memory that growing fails.
 */
#include "tests/unit/memblock_map.h"

#define UNITS 1024u     /* of which the map is made */
#define UNIT_BYTES 608u /* not a divisor of a frame; frames are begun by ranges of all kinds */
#define OPERATIONS_PER_MAP 2000u

#define NODES (QUIRE_MAX_NODES < 3 ? QUIRE_MAX_NODES : 3)

enum { NOTHING = 0xff };

static uint8_t memory[UNITS]; /* NOTHING, or node * 3 + kind */
static bool reserved[UNITS];  /* by the caller, early allocations included */

static unsigned node_of(uint8_t entry)
{
    return entry / 3u;
}

static enum quire_memblock_kind kind_of(uint8_t entry)
{
    return (enum quire_memblock_kind)(entry % 3u);
}

/* ---- reading the map back -------------------------------------------------------------------- */

/* Where the map's own tables lie while it is looked at. They are never over each other: that is one
 * of the map's own invariants, seen to first. */
static struct memblock_range own[2];

static void find_own(void)
{
    own[0] = memblock_table_storage(&map, &map.memory);
    own[1] = memblock_table_storage(&map, &map.reserved);
}

/* How many bytes of [base, end) are theirs. */
static quire_phys_t own_bytes(quire_phys_t base, quire_phys_t end)
{
    quire_phys_t bytes = 0;
    for (unsigned t = 0; t < 2; t++) {
        quire_phys_t from = own[t].base > base ? own[t].base : base;
        quire_phys_t to = own[t].end < end ? own[t].end : end;
        bytes += from < to ? to - from : 0;
    }
    return bytes;
}

/* Tables lie in whole frames, units don't: of a unit that a table's place begins or ends in, only
 * a part is reserved. So the comparison is by the bytes at both ends of a unit. */
static bool is_own_byte(quire_phys_t byte)
{
    return own_bytes(byte, byte + 1);
}

static bool is_own(unsigned unit)
{
    find_own();
    return own_bytes((quire_phys_t)unit * UNIT_BYTES, (unit + 1ull) * UNIT_BYTES);
}

static bool memory_agrees(void)
{
    unsigned long count = 0;
    quire_phys_t size = 0, end = 0;
    for (unsigned unit = 0; unit < UNITS; unit++) {
        const struct quire_memblock_region *region =
            memblock_overlap(&map.memory, (struct memblock_range){(quire_phys_t)unit * UNIT_BYTES,
                                                                  (unit + 1ull) * UNIT_BYTES});
        if (memory[unit] == NOTHING) {
            if (region)
                return false;
            continue;
        }
        if (!region || region->base > (quire_phys_t)unit * UNIT_BYTES ||
            memblock_region_end(region) < (unit + 1ull) * UNIT_BYTES ||
            region->node != (int)node_of(memory[unit]) || region->kind != kind_of(memory[unit]))
            return false;
        count += !unit || memory[unit - 1] != memory[unit];
        size += UNIT_BYTES;
        end = (unit + 1ull) * UNIT_BYTES;
    }
    return count == map.memory.count && size == quire_memblock_memory_size(&map) &&
           end == quire_memblock_end(&map);
}

static bool reserved_agrees(void)
{
    for (unsigned unit = 0; unit < UNITS; unit++) {
        quire_phys_t first = (quire_phys_t)unit * UNIT_BYTES, last = first + UNIT_BYTES - 1;
        if (memblock_is_reserved(&map, (struct memblock_range){first, first + 1}) !=
                (reserved[unit] || is_own_byte(first)) ||
            memblock_is_reserved(&map, (struct memblock_range){last, last + 1}) !=
                (reserved[unit] || is_own_byte(last)))
            return false;
        if (reserved[unit] && !memblock_is_reserved(&map, (struct memblock_range){first, last + 1}))
            return false;
    }
    return true;
}

struct free_check {
    quire_phys_t end, size; /* of the last visit; sum */
    bool wrong;
};

static int check_free(void *arg, quire_phys_t base, quire_phys_t size, int node,
                      enum quire_memblock_kind kind)
{
    struct free_check *check = arg;
    check->wrong |= base < check->end || !size || kind == QUIRE_MEMBLOCK_NOMAP;
    for (quire_phys_t byte = base; byte < base + size;) {
        unsigned unit = (unsigned)byte / UNIT_BYTES;
        check->wrong |= unit >= UNITS || reserved[unit] || is_own_byte(byte) ||
                        memory[unit] != (unsigned)node * 3u + (unsigned)kind;
        byte = (unit + 1ull) * UNIT_BYTES;
    }
    check->end = base + size;
    check->size += size;
    return 0;
}

/* Every visit is right, and together they are all that is free: as many bytes as there are. */
static bool free_agrees(void)
{
    struct free_check check = {0};
    quire_phys_t expected = 0;
    quire_memblock_for_each_free(&map, check_free, &check);
    for (unsigned unit = 0; unit < UNITS; unit++) {
        if (memory[unit] == NOTHING || kind_of(memory[unit]) == QUIRE_MEMBLOCK_NOMAP ||
            reserved[unit])
            continue;
        quire_phys_t base = (quire_phys_t)unit * UNIT_BYTES;
        expected += UNIT_BYTES - own_bytes(base, base + UNIT_BYTES);
    }
    return !check.wrong && check.size == expected;
}

static bool map_agrees(void)
{
    find_own();
    return memblock_is_valid(&map) && memory_agrees() && reserved_agrees() && free_agrees();
}

/* ---- operations ------------------------------------------------------------------------------ */

struct recipe {
    unsigned add, remove, reserve, free, alloc; /* out of their sum */
    unsigned short_ranges;                      /* to one of up to UNITS / 25 or all */
    unsigned memory;                            /* units that are memory at the start */
};
static const struct recipe *recipe;

struct units {
    unsigned first, end;
};

static struct units random_units(void)
{
    unsigned first = test_random_below(UNITS), longest = 4;
    if (!test_random_below(recipe->short_ranges))
        longest = test_random_below(4) ? UNITS / 25 : UNITS;
    unsigned length = 1 + test_random_below(longest);
    struct units units = {first, first + length < UNITS ? first + length : UNITS};
    return units;
}

static quire_phys_t base_of(struct units units)
{
    return (quire_phys_t)units.first * UNIT_BYTES;
}

static quire_phys_t size_of(struct units units)
{
    return (quire_phys_t)(units.end - units.first) * UNIT_BYTES;
}

/* What an operation returned must be `expected`, or lack of room with nothing changed. A table
 * needs no room unless it is full: one region more is all that an operation makes. */
static bool is_done(int err, int expected, const struct map_snapshot *before, bool was_full)
{
    CHECK(err == expected || (err == -QUIRE_ENOMEM && !expected && was_full));
    if (err)
        CHECK(map_is_as(before));
    return !err;
}

static bool is_full(const struct quire_memblock_table *table)
{
    return table->count == table->capacity;
}

static void do_add(void)
{
    struct units units = random_units();
    uint8_t entry = (uint8_t)(test_random_below(4) ? 0 : test_random_below(3 * NODES));
    struct map_snapshot before = map_snapshot();
    bool was_full = is_full(&map.memory);
    int expected = 0;
    for (unsigned unit = units.first; unit < units.end; unit++)
        if (memory[unit] != NOTHING && memory[unit] != entry)
            expected = -QUIRE_EEXIST;
    int err = quire_memblock_add(&map, base_of(units), size_of(units), (int)node_of(entry),
                                 kind_of(entry));
    if (is_done(err, expected, &before, was_full))
        for (unsigned unit = units.first; unit < units.end; unit++)
            memory[unit] = entry;
}

static bool has_reserved_byte(unsigned unit)
{
    return reserved[unit] || is_own(unit);
}

static void do_remove(void)
{
    struct units units = random_units();
    struct map_snapshot before = map_snapshot();
    bool was_full = is_full(&map.memory);
    int expected = 0;
    for (unsigned unit = units.first; unit < units.end; unit++)
        if (memory[unit] != NOTHING && has_reserved_byte(unit))
            expected = -QUIRE_EBUSY;
    int err = quire_memblock_remove(&map, base_of(units), size_of(units));
    if (is_done(err, expected, &before, was_full))
        for (unsigned unit = units.first; unit < units.end; unit++)
            memory[unit] = NOTHING;
}

/* All of a table's place stays reserved if the caller reserves a part of it, until that is freed.
 * The model knows only whole units, so it reserves all or nothing. */
static struct units with_whole_tables(struct units units)
{
    const struct quire_memblock_table *tables[4] = {&map.memory, &map.reserved, &map.memory,
                                                    &map.reserved};
    for (unsigned t = 0; t < 4; t++) { /* twice: the second may reach into the first */
        struct memblock_range storage = memblock_table_storage(&map, tables[t]);
        if (storage.base >= base_of(units) + size_of(units) || base_of(units) >= storage.end)
            continue;
        unsigned first = (unsigned)storage.base / UNIT_BYTES;
        unsigned end = ((unsigned)storage.end + UNIT_BYTES - 1) / UNIT_BYTES;
        units.first = first < units.first ? first : units.first;
        units.end = end > units.end ? end : units.end;
    }
    return units;
}

static void do_reserve(void)
{
    struct units units = with_whole_tables(random_units());
    struct map_snapshot before = map_snapshot();
    bool was_full = is_full(&map.reserved);
    int err = quire_memblock_reserve(&map, base_of(units), size_of(units));
    if (is_done(err, 0, &before, was_full))
        for (unsigned unit = units.first; unit < units.end; unit++)
            reserved[unit] = true;
}

static void do_free(void)
{
    struct units units = random_units();
    struct map_snapshot before = map_snapshot();
    bool was_full = is_full(&map.reserved);
    int expected = 0;
    for (unsigned unit = units.first; unit < units.end; unit++)
        if (is_own(unit))
            expected = -QUIRE_EBUSY;
    int err = quire_memblock_free(&map, base_of(units), size_of(units));
    if (is_done(err, expected, &before, was_full))
        for (unsigned unit = units.first; unit < units.end; unit++)
            reserved[unit] = false;
}

/* Whether an early allocation may have `unit`, all of it. */
static bool is_available(unsigned unit, int node, enum quire_memblock_kind kind)
{
    return memory[unit] != NOTHING && kind_of(memory[unit]) == kind && !has_reserved_byte(unit) &&
           (node == -1 || node == (int)node_of(memory[unit])) &&
           (quire_phys_t)unit * UNIT_BYTES >= QUIRE_PAGE_SIZE;
}

/* The highest run of `length` units in [first, end) of one node and kind; -1: there is none. */
static int highest_run(unsigned first, unsigned end, unsigned length, int node,
                       enum quire_memblock_kind kind)
{
    unsigned run = 0;
    for (unsigned unit = end; unit-- > first;) {
        if (!is_available(unit, node, kind))
            run = 0;
        else
            run = run && memory[unit] == memory[unit + 1] ? run + 1 : 1;
        if (run == length)
            return (int)unit;
    }
    return -1;
}

static void check_block(quire_phys_t base, unsigned size, uint8_t entry)
{
    char *bytes = quire_port_phys_to_virt(&map_port, base);
    unsigned wrong = 0;
    for (unsigned i = 0; i < size; i++) {
        unsigned unit = ((unsigned)base + i) / UNIT_BYTES;
        wrong += bytes[i] != 0 || reserved[unit] || memory[unit] != entry || is_own_byte(base + i);
    }
    CHECK_EQ(wrong, 0);
    __builtin_memset(bytes, 0x5a, size); /* what is handed out next has to be zeroed again */
}

static void do_alloc(void)
{
    unsigned length = 1 + test_random_below(test_random_below(8) ? 3 : 50);
    unsigned first = test_random_below(4) ? 0 : test_random_below(UNITS);
    unsigned end = test_random_below(4) ? UNITS : test_random_below(UNITS);
    int node = (int)test_random_below(4) - 1;
    struct map_snapshot before = map_snapshot();
    bool was_full = is_full(&map.reserved);

    int ram = highest_run(first, end, length, node, QUIRE_MEMBLOCK_RAM);
    int hotplug = highest_run(first, end, length, node, QUIRE_MEMBLOCK_HOTPLUG);
    quire_phys_t base = quire_memblock_alloc(&map, (quire_phys_t)length * UNIT_BYTES, 1,
                                             (quire_phys_t)first * UNIT_BYTES,
                                             (quire_phys_t)end * UNIT_BYTES, node);
    if (!base) {
        CHECK((ram < 0 && hotplug < 0) || was_full);
        CHECK(map_is_as(&before));
        return;
    }

    unsigned unit = (unsigned)base / UNIT_BYTES;
    int expected = kind_of(memory[unit]) == QUIRE_MEMBLOCK_RAM ? ram : hotplug;
    CHECK(expected == ram || ram < 0);
    check_block(base, length * UNIT_BYTES, memory[unit]);
    /* Aligned to a byte, a block can begin between units, between two tables. That is right if it
     * is higher than the model's, and is undone, since the model has only whole units. */
    if (unit * UNIT_BYTES != base) {
        CHECK(expected < 0 || base > (quire_phys_t)expected * UNIT_BYTES);
        CHECK_EQ(quire_memblock_free(&map, base, (quire_phys_t)length * UNIT_BYTES), 0);
        return;
    }
    CHECK_EQ(unit, expected);
    for (unsigned i = 0; i < length; i++)
        reserved[unit + i] = true;
}

/* ---- runs ------------------------------------------------------------------------------------ */

static void one_operation(void)
{
    unsigned sum = recipe->add + recipe->remove + recipe->reserve + recipe->free + recipe->alloc;
    unsigned pick = test_random_below(sum);
    if (pick < recipe->add)
        do_add();
    else if ((pick -= recipe->add) < recipe->remove)
        do_remove();
    else if ((pick -= recipe->remove) < recipe->reserve)
        do_reserve();
    else if ((pick -= recipe->reserve) < recipe->free)
        do_free();
    else
        do_alloc();
}

struct outcome {
    unsigned long grown, failed_growth;
};

/* Now and then a table forgets the room that it has left, so that it moves on soon: from one place
 * in the map to another. Not by as much as would make its place seem smaller. */
static void crowd(struct quire_memblock_table *table)
{
    struct memblock_range storage = memblock_table_storage(&map, table);
    unsigned long capacity = table->capacity;
    if (test_random_below(16) || table->count == 0)
        return;
    table->capacity = table->count;
    struct memblock_range seeming = memblock_table_storage(&map, table);
    if (seeming.end != storage.end)
        table->capacity = capacity;
}

static bool run_map(struct outcome *outcome)
{
    if (!map_start())
        return false;
    map.memory.capacity = 1 + test_random_below(8);
    map.reserved.capacity = 1 + test_random_below(8);
    __builtin_memset(memory, NOTHING, sizeof memory);
    __builtin_memset(reserved, 0, sizeof reserved);
    CHECK_EQ(quire_memblock_add(&map, 0, recipe->memory * UNIT_BYTES, 0, QUIRE_MEMBLOCK_RAM), 0);
    __builtin_memset(memory, 0, recipe->memory);
    for (unsigned i = 0; i < OPERATIONS_PER_MAP; i++) {
        crowd(&map.memory);
        crowd(&map.reserved);
        unsigned long capacity = map.memory.capacity + map.reserved.capacity;
        map_log[0] = '\0';
        one_operation();
        outcome->grown += capacity != map.memory.capacity + map.reserved.capacity;
        outcome->failed_growth += text_has(map_log, "table is full");
        if (!map_agrees())
            return false;
    }
    return true;
}

static void run(const struct recipe *of_the_case, bool growth_fails)
{
    recipe = of_the_case;
    struct outcome outcome = {0};
    /* Reading a map back is some thousand steps, so few operations are much effort. */
    unsigned long maps = (unsigned long)(test_environment.effort >> 15) + 1;
    for (unsigned long i = 0; i < maps; i++)
        REQUIRE(run_map(&outcome));
    CHECK(outcome.grown > 0);
    CHECK(!map_log_is_heard() || !growth_fails || outcome.failed_growth > 0);
    test_note("%lu maps, %lu operations each: tables grew %lu times, and couldn't %lu times", maps,
              (unsigned long)OPERATIONS_PER_MAP, outcome.grown, outcome.failed_growth);
}

static void maps_that_come_and_go_agree_with_the_model(void)
{
    static const struct recipe any = {4, 3, 3, 3, 2, 16, UNITS / 4};
    run(&any, false);
}

static void maps_that_are_mostly_reserved_agree_with_the_model(void)
{
    static const struct recipe tight = {4, 2, 8, 3, 4, 16, UNITS / 4};
    run(&tight, true);
}

static void maps_of_many_ranges_agree_with_the_model(void)
{
    static const struct recipe long_tables = {6, 3, 3, 2, 1, 2000, UNITS / 4};
    run(&long_tables, false);
}

static const struct test_case cases[] = {
    TEST_CASE(maps_that_come_and_go_agree_with_the_model),
    TEST_CASE(maps_that_are_mostly_reserved_agree_with_the_model),
    TEST_CASE(maps_of_many_ranges_agree_with_the_model),
    {0},
};
const struct test_suite suite_memblock_model = {"memblock_model", cases};
