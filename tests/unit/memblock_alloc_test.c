/* tests/unit/memblock_alloc_test.c: early allocation, and tables that grow */
#include "tests/unit/memblock_map.h"

#define PAGE QUIRE_PAGE_SIZE
#define KIB 1024u
#define MIB (1024u * KIB)

/* ---- early allocation ------------------------------------------------------------------------ */

static void the_highest_address_comes_first(void)
{
    REQUIRE(map_start());
    CHECK_EQ(quire_memblock_add(&map, MIB, MIB, 0, RAM), 0);
    CHECK_EQ(quire_memblock_add(&map, 4 * MIB, MIB, 0, RAM), 0);
    CHECK_EQ(quire_memblock_alloc(&map, 0x1000, 0x1000, ANYWHERE), 0x4ff000);
    CHECK_EQ(quire_memblock_alloc(&map, 0x10, 0x10, ANYWHERE), 0x4feff0);
    CHECK_EQ(quire_memblock_alloc(&map, MIB, 1, ANYWHERE), 0x100000);
    CHECK(map_reserved_is("100000-200000 4feff0-500000"));
    CHECK_EQ(quire_memblock_alloc(&map, MIB, 1, ANYWHERE), 0);
    CHECK(map_reserved_is("100000-200000 4feff0-500000"));
}

static void every_alignment_is_kept(void)
{
    REQUIRE(map_start());
    CHECK_EQ(quire_memblock_add(&map, 0x100001, 0xeffffe, 0, RAM), 0);
    for (quire_phys_t align = 1; align <= 4 * MIB; align *= 2) {
        quire_phys_t base = quire_memblock_alloc(&map, 3, align, ANYWHERE);
        CHECK(base && !(base & (align - 1)));
    }
    CHECK_EQ(quire_memblock_alloc(&map, 1, 16 * MIB, ANYWHERE), 0);
    CHECK_EQ(quire_memblock_alloc(&map, 1, (quire_phys_t)1 << 63, ANYWHERE), 0);
}

static void a_block_fills_a_gap_to_the_byte(void)
{
    REQUIRE(map_start());
    CHECK_EQ(quire_memblock_add(&map, MIB, MIB, 0, RAM), 0);
    CHECK_EQ(quire_memblock_reserve(&map, 0x100000, 0x80007), 0);
    CHECK_EQ(quire_memblock_reserve(&map, 0x180010, 0x7fff0), 0);
    CHECK_EQ(quire_memblock_alloc(&map, 10, 1, ANYWHERE), 0);
    CHECK_EQ(quire_memblock_alloc(&map, 9, 1, ANYWHERE), 0x180007);
    CHECK(map_reserved_is("100000-200000"));
    CHECK_EQ(quire_memblock_alloc(&map, 1, 1, ANYWHERE), 0);
}

static void reservations_are_stepped_over(void)
{
    REQUIRE(map_start());
    CHECK_EQ(quire_memblock_add(&map, MIB, MIB, 0, RAM), 0);
    for (unsigned i = 1; i < 16; i++) /* gaps of 62 KiB, the lowest of 63 */
        CHECK_EQ(quire_memblock_reserve(&map, MIB + i * 64 * KIB - KIB, 2 * KIB), 0);
    CHECK_EQ(quire_memblock_alloc(&map, 63 * KIB, KIB, MIB, 0x1f0000, -1), MIB);
    CHECK_EQ(quire_memblock_alloc(&map, 63 * KIB, KIB, ANYWHERE), 0x1f0400);
    CHECK_EQ(quire_memblock_alloc(&map, 63 * KIB, KIB, ANYWHERE), 0);
    CHECK_EQ(quire_memblock_alloc(&map, 62 * KIB, KIB, ANYWHERE), 0x1e0400);
}

static void the_asked_range_is_kept(void)
{
    REQUIRE(map_start());
    CHECK_EQ(quire_memblock_add(&map, MIB, 8 * MIB, 0, RAM), 0);
    CHECK_EQ(quire_memblock_alloc(&map, 0x1000, 1, 0, 0x200000, -1), 0x1ff000);
    CHECK_EQ(quire_memblock_alloc(&map, 0x1000, 1, 0x1ff001, 0x200fff, -1), 0);
    CHECK_EQ(quire_memblock_alloc(&map, 0x1000, 1, 0x300001, 0x301001, -1), 0x300001);
    CHECK_EQ(quire_memblock_alloc(&map, 1, 1, 0x400000, 0x400000, -1), 0);
    CHECK_EQ(quire_memblock_alloc(&map, 1, 1, 0x500000, 0x400000, -1), 0);
    CHECK_EQ(quire_memblock_alloc(&map, 1, 1, 0x900000, UINT64_MAX, -1), 0);
    CHECK_EQ(quire_memblock_alloc(&map, 1, 1, 0, 0, -1), 0);
}

static void the_asked_node_is_kept(void)
{
    REQUIRE(map_start());
    CHECK_EQ(quire_memblock_add(&map, MIB, MIB, 0, RAM), 0);
    CHECK_EQ(quire_memblock_add(&map, 2 * MIB, MIB, 1, RAM), 0);
    CHECK_EQ(quire_memblock_alloc(&map, 0x1000, 0x1000, 0, UINT64_MAX, 0), 0x1ff000);
    CHECK_EQ(quire_memblock_alloc(&map, 0x1000, 0x1000, 0, UINT64_MAX, 1), 0x2ff000);
    CHECK_EQ(quire_memblock_alloc(&map, 0x1000, 0x1000, 0, UINT64_MAX, 2), 0);
    CHECK_EQ(quire_memblock_alloc(&map, MIB, 1, 0, UINT64_MAX, 0), 0);
    CHECK_EQ(quire_memblock_alloc(&map, 0x1000, 0x1000, 0, UINT64_MAX, -2), 0);
    /* A block never lies on two nodes, though no hole is between them. */
    CHECK_EQ(quire_memblock_alloc(&map, 0x100001, 1, ANYWHERE), 0);
}

static void what_is_not_mapped_is_not_allocated(void)
{
    REQUIRE(map_start());
    CHECK_EQ(quire_memblock_add(&map, MIB, MIB, 0, NOMAP), 0);
    CHECK_EQ(quire_memblock_alloc(&map, 1, 1, ANYWHERE), 0);
}

static void memory_that_may_go_away_comes_last(void)
{
    REQUIRE(map_start());
    CHECK_EQ(quire_memblock_add(&map, MIB, MIB, 0, RAM), 0);
    CHECK_EQ(quire_memblock_add(&map, 4 * MIB, MIB, 0, HOTPLUG), 0);
    CHECK_EQ(quire_memblock_alloc(&map, MIB / 2, 1, ANYWHERE), 0x180000);
    CHECK_EQ(quire_memblock_alloc(&map, MIB, 1, ANYWHERE), 0x400000);
    CHECK_EQ(quire_memblock_alloc(&map, MIB / 2, 1, ANYWHERE), 0x100000);
}

static void frame_0_is_never_handed_out(void)
{
    REQUIRE(map_start());
    CHECK_EQ(quire_memblock_add(&map, 0, 2 * PAGE, 0, RAM), 0);
    CHECK_EQ(quire_memblock_alloc(&map, PAGE + 1, 1, ANYWHERE), 0);
    CHECK_EQ(quire_memblock_alloc(&map, PAGE, 1, ANYWHERE), PAGE);
    CHECK_EQ(quire_memblock_alloc(&map, 1, 1, ANYWHERE), 0);
}

static void only_what_the_direct_map_reaches_is_allocated(void)
{
    REQUIRE(map_start());
    map_port.direct_end = 0x280123; /* HighMem from here on */
    CHECK_EQ(quire_memblock_add(&map, MIB, 4 * MIB, 0, RAM), 0);
    CHECK_EQ(quire_memblock_add(&map, 8 * MIB, MIB, 1, RAM), 0);
    CHECK_EQ(quire_memblock_alloc(&map, 3, 1, ANYWHERE), 0x280120);
    CHECK_EQ(quire_memblock_alloc(&map, 0x1000, 0x1000, ANYWHERE), 0x27f000);
    CHECK_EQ(quire_memblock_alloc(&map, 1, 1, 0x280123, UINT64_MAX, -1), 0);
    CHECK_EQ(quire_memblock_alloc(&map, 1, 1, 0, UINT64_MAX, 1), 0);
    map_port.direct_end = 1;
    CHECK_EQ(quire_memblock_alloc(&map, 1, 1, ANYWHERE), 0);
}

static void the_direct_map_s_end_is_found_to_the_byte(void)
{
    REQUIRE(map_start());
    for (unsigned bytes = 2; bytes < 40; bytes++)
        for (unsigned reached = 0; reached <= bytes; reached++) {
            quire_memblock_init(&map, "test", &map_port);
            CHECK_EQ(quire_memblock_add(&map, MIB, bytes, 0, RAM), 0);
            map_port.direct_end = MIB + reached;
            CHECK_EQ(quire_memblock_alloc(&map, 1, 1, ANYWHERE), reached ? MIB + reached - 1 : 0);
        }
}

static void an_allocation_is_zeroed_to_the_byte(void)
{
    REQUIRE(map_start());
    CHECK_EQ(quire_memblock_add(&map, MIB, MIB, 0, RAM), 0);
    char *memory = quire_port_phys_to_virt(&map_port, MIB);
    for (unsigned i = 0; i < MIB; i++)
        memory[i] = 'x';
    quire_phys_t base = quire_memblock_alloc(&map, 0x1001, 0x100, ANYWHERE);
    REQUIRE(base == 0x1fef00);
    unsigned zeroed = 0;
    for (unsigned i = 0; i < MIB; i++)
        zeroed += memory[i] == 0;
    CHECK_EQ(zeroed, 0x1001);
    CHECK(memory[base - MIB - 1] == 'x' && memory[base - MIB] == 0);
}

static void a_request_that_makes_no_sense_is_refused(void)
{
    REQUIRE(map_start());
    CHECK_EQ(quire_memblock_add(&map, MIB, MIB, 0, RAM), 0);
    struct map_snapshot before = map_snapshot();
    CHECK_EQ(quire_memblock_alloc(&map, 0, 1, ANYWHERE), 0);
    CHECK(!map_log_is_heard() || text_has(map_log, "nothing is asked for"));
    CHECK_EQ(quire_memblock_alloc(&map, 1, 0, ANYWHERE), 0);
    CHECK(!map_log_is_heard() || text_has(map_log, "0x1 bytes aligned to 0x0: not a power of two"));
    CHECK_EQ(quire_memblock_alloc(&map, 1, 3, ANYWHERE), 0);
    CHECK_EQ(quire_memblock_alloc(&map, UINT64_MAX, 1, ANYWHERE), 0);
    CHECK(map_is_as(&before));
}

static void what_is_freed_is_allocated_again(void)
{
    REQUIRE(map_start());
    CHECK_EQ(quire_memblock_add(&map, MIB, MIB, 0, RAM), 0);
    quire_phys_t all = quire_memblock_alloc(&map, MIB, 1, ANYWHERE);
    CHECK_EQ(all, MIB);
    CHECK_EQ(quire_memblock_free(&map, MIB + 0x4000, 0x2000), 0);
    CHECK_EQ(quire_memblock_alloc(&map, 0x2000, 0x1000, ANYWHERE), 0x104000);
    CHECK_EQ(quire_memblock_free(&map, MIB, MIB), 0);
    CHECK(map_reserved_is(""));
}

/* ---- a table that is full -------------------------------------------------------------------- */

/* Tables with room for this many before they grow. */
static bool start_with_room(unsigned memory, unsigned reserved)
{
    if (!map_start())
        return false;
    map.memory.capacity = memory;
    map.reserved.capacity = reserved;
    return true;
}

static bool has_grown(const struct quire_memblock_table *table)
{
    return table->region != table->first;
}

static void the_static_table_holds_as_many_as_it_says(void)
{
    REQUIRE(map_start());
    map_port.direct_end = 0; /* nowhere to grow */
    for (unsigned i = 0; i < QUIRE_MEMBLOCK_STATIC_REGIONS; i++) {
        CHECK_EQ(quire_memblock_add(&map, i * 0x3000, 0x1000, 0, RAM), 0);
        CHECK_EQ(quire_memblock_reserve(&map, i * 0x2000, 0x1000), 0);
    }
    struct map_snapshot before = map_snapshot();
    CHECK_EQ(quire_memblock_add(&map, 0xf00000, 1, 0, RAM), -QUIRE_ENOMEM);
    CHECK(!map_log_is_heard() || text_has(map_log, "can't add [0xf00000, 0xf00001), 0x1 bytes: the "
                                                   "table is full and there is no free memory"));
    CHECK_EQ(quire_memblock_reserve(&map, 0xf00000, 1), -QUIRE_ENOMEM);
    CHECK_EQ(quire_memblock_free(&map, 0x400, 0x800), -QUIRE_ENOMEM);
    CHECK_EQ(quire_memblock_remove(&map, 0x3400, 0x800), -QUIRE_ENOMEM);
    CHECK(map_is_as(&before));
}

static void a_full_table_takes_what_needs_no_more_room(void)
{
    REQUIRE(start_with_room(3, 3));
    map_port.direct_end = 0;
    for (unsigned i = 1; i <= 3; i++) {
        CHECK_EQ(quire_memblock_add(&map, i * 0x10000, 0x1000, 0, RAM), 0);
        CHECK_EQ(quire_memblock_reserve(&map, i * 0x20000, 0x1000), 0);
    }
    CHECK_EQ(quire_memblock_add(&map, 0x11000, 0x1000, 0, RAM), 0);
    CHECK_EQ(quire_memblock_add(&map, 0x10000, 0x2000, 0, RAM), 0);
    CHECK_EQ(quire_memblock_remove(&map, 0x10000, 0x800), 0);
    CHECK_EQ(quire_memblock_add(&map, 0x15000, 0x20000, 0, RAM), 0);
    CHECK(map_memory_is("10800-12000:0r 15000-35000:0r"));
    CHECK_EQ(quire_memblock_free(&map, 0x20800, 0x1f900), 0);
    CHECK_EQ(quire_memblock_reserve(&map, 0x1ffff, 1), 0);
    CHECK(map_reserved_is("1ffff-20800 40100-41000 60000-61000"));
}

static void a_full_memory_table_grows_into_the_map(void)
{
    REQUIRE(start_with_room(4, 8));
    CHECK_EQ(quire_memblock_add(&map, MIB, MIB, 0, RAM), 0);
    for (unsigned i = 1; i < 20; i++)
        CHECK_EQ(quire_memblock_add(&map, 2 * MIB + i * 0x2000, 0x1000, i % 2 ? 0 : 1, RAM), 0);
    CHECK(has_grown(&map.memory));
    CHECK(!has_grown(&map.reserved));
    CHECK_EQ(map.memory.count, 20);
    CHECK(memblock_is_valid(&map));
    struct memblock_range storage = memblock_table_storage(&map, &map.memory);
    CHECK(storage.end - storage.base >= 20 * sizeof(struct quire_memblock_region));
    CHECK_EQ(quire_memblock_reserved_size(&map), storage.end - storage.base);
}

static void a_full_reserved_table_grows_into_the_map(void)
{
    REQUIRE(start_with_room(4, 4));
    CHECK_EQ(quire_memblock_add(&map, MIB, MIB, 0, RAM), 0);
    for (unsigned i = 0; i < 50; i++)
        CHECK_EQ(quire_memblock_reserve(&map, 8 * MIB + i * 0x2000, 0x1000), 0);
    CHECK(has_grown(&map.reserved));
    CHECK_EQ(map.reserved.count, 51);
    CHECK(memblock_is_reserved(&map, memblock_table_storage(&map, &map.reserved)));
    CHECK(memblock_is_valid(&map));
}

static void the_memory_table_s_growth_lets_the_reserved_one_grow(void)
{
    REQUIRE(start_with_room(3, 2));
    for (unsigned i = 0; i < 3; i++)
        CHECK_EQ(quire_memblock_add(&map, (i + 1) * MIB, MIB / 2, 0, RAM), 0);
    CHECK_EQ(quire_memblock_reserve(&map, 8 * MIB, 1), 0);
    CHECK_EQ(quire_memblock_reserve(&map, 9 * MIB, 1), 0);
    CHECK_EQ(quire_memblock_add(&map, 10 * MIB, MIB, 0, RAM), 0);
    CHECK(has_grown(&map.memory));
    CHECK(has_grown(&map.reserved));
    CHECK(memblock_is_valid(&map));
    CHECK(map_memory_is("100000-180000:0r 200000-280000:0r 300000-380000:0r a00000-b00000:0r"));
}

/* The old place may be cut out of the middle of a merged reservation: one more beside the new. */
static void room_is_made_for_both_places_of_a_table_that_moves(void)
{
    REQUIRE(start_with_room(1, 8));
    CHECK_EQ(quire_memblock_add(&map, MIB, MIB, 0, RAM), 0);
    CHECK_EQ(quire_memblock_add(&map, 4 * MIB, MIB, 1, RAM), 0);
    struct memblock_range old = memblock_table_storage(&map, &map.memory);
    REQUIRE(old.base < old.end);
    CHECK_EQ(quire_memblock_reserve(&map, old.base - 1, 1), 0);
    CHECK_EQ(quire_memblock_reserve(&map, old.end, 1), 0);
    for (unsigned i = 1; i < 7; i++)
        CHECK_EQ(quire_memblock_reserve(&map, 8 * MIB + i * 0x1000, 1), 0);
    CHECK_EQ(map.reserved.count, 7); /* one is free */
    map.memory.capacity = 2;
    CHECK_EQ(quire_memblock_add(&map, 6 * MIB, MIB, 0, RAM), 0);
    CHECK(!memblock_is_reserved(&map, old));
    CHECK(has_grown(&map.reserved));
    CHECK_EQ(map.reserved.count, 9); /* both new places touch */
    CHECK(memblock_is_valid(&map));
}

static void the_place_that_a_table_leaves_is_given_back(void)
{
    REQUIRE(start_with_room(2, 2));
    CHECK_EQ(quire_memblock_add(&map, MIB, MIB, 0, RAM), 0);
    /* Far apart, so that none of them merges with a table's place. */
    for (unsigned i = 0; i < 1000; i++) {
        CHECK_EQ(quire_memblock_add(&map, 4 * MIB + i * 0x1000, 0x800, 1, NOMAP), 0);
        CHECK_EQ(quire_memblock_reserve(&map, 9 * MIB + i * 0x1000, 0x800), 0);
    }
    struct memblock_range memory = memblock_table_storage(&map, &map.memory);
    struct memblock_range reserved = memblock_table_storage(&map, &map.reserved);
    CHECK(memory.base < memory.end);
    CHECK(reserved.base < reserved.end);
    CHECK_EQ(quire_memblock_reserved_size(&map),
             1000 * 0x800 + (memory.end - memory.base) + (reserved.end - reserved.base));
    CHECK_EQ(map.memory.count, 1001);
    CHECK(memblock_is_valid(&map));
}

static void a_table_does_not_grow_into_what_is_being_taken(void)
{
    quire_phys_t end = 2 * MIB, storage = 2 * MIB - 4 * 16 * KIB;
    REQUIRE(QUIRE_PAGE_SIZE <= 64 * KIB);
    /* Each operation concerns the end of memory, where a table would go first. */
    REQUIRE(start_with_room(4, 1));
    CHECK_EQ(quire_memblock_add(&map, MIB, MIB, 0, RAM), 0);
    CHECK_EQ(quire_memblock_reserve(&map, 8 * MIB, 1), 0);
    CHECK_EQ(quire_memblock_reserve(&map, storage, end - storage), 0);
    CHECK(memblock_table_storage(&map, &map.reserved).end == storage);

    REQUIRE(start_with_room(4, 1));
    CHECK_EQ(quire_memblock_add(&map, MIB, MIB, 0, RAM), 0);
    CHECK_EQ(quire_memblock_reserve(&map, 8 * MIB, 1), 0);
    CHECK_EQ(quire_memblock_alloc(&map, end - storage, 1, ANYWHERE), storage);
    CHECK(memblock_table_storage(&map, &map.reserved).end == storage);

    REQUIRE(start_with_room(1, 4));
    CHECK_EQ(quire_memblock_add(&map, MIB, MIB, 0, RAM), 0);
    CHECK_EQ(quire_memblock_remove(&map, storage, end - storage - 1), 0);
    CHECK(memblock_table_storage(&map, &map.memory).end == storage);
    CHECK(memblock_is_valid(&map));
}

static void a_table_of_the_map_is_not_freed(void)
{
    REQUIRE(start_with_room(4, 1));
    CHECK_EQ(quire_memblock_add(&map, MIB, MIB, 0, RAM), 0);
    CHECK_EQ(quire_memblock_reserve(&map, 8 * MIB, 1), 0);
    CHECK_EQ(quire_memblock_reserve(&map, 9 * MIB, 1), 0);
    struct memblock_range storage = memblock_table_storage(&map, &map.reserved);
    REQUIRE(storage.base < storage.end);
    struct map_snapshot before = map_snapshot();
    CHECK_EQ(quire_memblock_free(&map, 0, 16 * MIB), -QUIRE_EBUSY);
    CHECK(!map_log_is_heard() || text_has(map_log, "can't free [0x0, 0x1000000), 0x1000000 bytes: "
                                                   "the map's own table is in [0x"));
    CHECK_EQ(quire_memblock_free(&map, storage.end - 1, 1), -QUIRE_EBUSY);
    CHECK_EQ(quire_memblock_remove(&map, storage.base, 1), -QUIRE_EBUSY);
    CHECK(map_is_as(&before));
    CHECK_EQ(quire_memblock_free(&map, storage.end, 16 * MIB - storage.end), 0);
    CHECK_EQ(map.reserved.count, 1);
}

static void a_caller_s_reservation_outlasts_the_table_within(void)
{
    REQUIRE(start_with_room(4, 1));
    CHECK_EQ(quire_memblock_add(&map, MIB, MIB, 0, RAM), 0);
    CHECK_EQ(quire_memblock_reserve(&map, 8 * MIB, 1), 0);
    CHECK_EQ(quire_memblock_reserve(&map, 9 * MIB, 1), 0);
    struct memblock_range storage = memblock_table_storage(&map, &map.reserved);
    REQUIRE(storage.base < storage.end);
    CHECK_EQ(quire_memblock_reserve(&map, storage.base, storage.end - storage.base), 0);
    unsigned long capacity = map.reserved.capacity;
    for (unsigned i = 1; map.reserved.capacity == capacity; i++)
        REQUIRE(!quire_memblock_reserve(&map, 9 * MIB + i * 0x100, 1));
    CHECK(memblock_is_reserved(&map, storage));
    CHECK_EQ(quire_memblock_free(&map, storage.base, storage.end - storage.base), 0);
    CHECK(!memblock_is_reserved(&map, storage));
    CHECK(memblock_is_valid(&map));
}

/* With every byte but those of `free_bytes` reserved, a table that has to grow finds no room until
 * there is enough for all that have to. */
static void growth_without_enough_memory_changes_nothing(void)
{
    unsigned failed = 0;
    for (quire_phys_t free_bytes = 0;; free_bytes += PAGE / 2) {
        REQUIRE(start_with_room(2, 1));
        CHECK_EQ(quire_memblock_add(&map, MIB, MIB, 0, RAM), 0);
        CHECK_EQ(quire_memblock_reserve(&map, MIB, MIB - free_bytes), 0);
        CHECK_EQ(quire_memblock_add(&map, 4 * MIB, 1, 1, NOMAP), 0);
        struct map_snapshot before = map_snapshot();
        int err = quire_memblock_add(&map, 5 * MIB, 1, 1, NOMAP);
        if (!err)
            break;
        failed++;
        CHECK_EQ(err, -QUIRE_ENOMEM);
        CHECK_EQ(quire_memblock_reserve(&map, 6 * MIB, 1), free_bytes < PAGE ? -QUIRE_ENOMEM : 0);
        if (free_bytes < PAGE)
            CHECK(map_is_as(&before));
    }
    CHECK_EQ(failed, 4); /* one table fits from a frame on, both from two */
    CHECK_EQ(map.memory.count, 3);
    CHECK_EQ(map.reserved.count, 1);
    CHECK(memblock_is_valid(&map));
}

static void allocations_undone_in_reverse_order_need_no_room(void)
{
    quire_phys_t block[64];
    REQUIRE(start_with_room(4, 3));
    CHECK_EQ(quire_memblock_add(&map, MIB, MIB, 0, RAM), 0);
    CHECK_EQ(quire_memblock_reserve(&map, 0x180000, 0x1000), 0);
    CHECK_EQ(quire_memblock_reserve(&map, 0x190000, 0x1000), 0);
    unsigned count = 0;
    while (count < 64 && (block[count] = quire_memblock_alloc(&map, 0x1234, 0x800, ANYWHERE)))
        count++;
    CHECK_EQ(count, 64);
    map_port.direct_end = has_grown(&map.reserved) ? map_port.direct_end : 0;
    while (count--)
        CHECK_EQ(quire_memblock_free(&map, block[count], 0x1234), 0);
    CHECK(memblock_is_reserved(&map, (struct memblock_range){0x180000, 0x181000}));
    struct memblock_range storage = memblock_table_storage(&map, &map.reserved);
    CHECK_EQ(quire_memblock_reserved_size(&map), 0x2000 + storage.end - storage.base);
}

static const struct test_case cases[] = {
    TEST_CASE(the_highest_address_comes_first),
    TEST_CASE(every_alignment_is_kept),
    TEST_CASE(a_block_fills_a_gap_to_the_byte),
    TEST_CASE(reservations_are_stepped_over),
    TEST_CASE(the_asked_range_is_kept),
    TEST_CASE(the_asked_node_is_kept),
    TEST_CASE(what_is_not_mapped_is_not_allocated),
    TEST_CASE(memory_that_may_go_away_comes_last),
    TEST_CASE(frame_0_is_never_handed_out),
    TEST_CASE(only_what_the_direct_map_reaches_is_allocated),
    TEST_CASE(the_direct_map_s_end_is_found_to_the_byte),
    TEST_CASE(an_allocation_is_zeroed_to_the_byte),
    TEST_CASE(a_request_that_makes_no_sense_is_refused),
    TEST_CASE(what_is_freed_is_allocated_again),
    TEST_CASE(the_static_table_holds_as_many_as_it_says),
    TEST_CASE(a_full_table_takes_what_needs_no_more_room),
    TEST_CASE(a_full_memory_table_grows_into_the_map),
    TEST_CASE(a_full_reserved_table_grows_into_the_map),
    TEST_CASE(the_memory_table_s_growth_lets_the_reserved_one_grow),
    TEST_CASE(room_is_made_for_both_places_of_a_table_that_moves),
    TEST_CASE(the_place_that_a_table_leaves_is_given_back),
    TEST_CASE(a_table_does_not_grow_into_what_is_being_taken),
    TEST_CASE(a_table_of_the_map_is_not_freed),
    TEST_CASE(a_caller_s_reservation_outlasts_the_table_within),
    TEST_CASE(growth_without_enough_memory_changes_nothing),
    TEST_CASE(allocations_undone_in_reverse_order_need_no_room),
    {0},
};
const struct test_suite suite_memblock_alloc = {"memblock_alloc", cases};
