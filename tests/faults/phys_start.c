/* tests/faults/phys_start.c: a machine that can't start leaves its map as it was
 *
 * Starting allocates the core, the descriptors of each section and the lists of each zone. The map
 * gets more free memory from try to try, in steps smaller than any of these, so that each in turn
 * is the first without room.
 */
#include <quire/phys.h>
#include <quire/port.h>

#include "phys/memblock.h"
#include "tests/harness/harness.h"

#define MIB ((quire_phys_t)QUIRE_PAGE_SIZE * 256) /* a MiB where frames have 4 KiB */
#define SPAN (40 * MIB)
#define NR_NODES 2

static struct quire_port_mem port;
static struct quire_memblock memblock;
static struct quire_mem *mem;

static void hear_nothing(int level, const char *text)
{
    (void)level;
    (void)text;
}

static void quiet(bool on)
{
    if (test_environment.set_log)
        test_environment.set_log(on ? hear_nothing : NULL);
}

static struct quire_mem_config start_config(unsigned debug)
{
    return (struct quire_mem_config){
        .port = &port,
        .nr_cpus = QUIRE_MAX_CPUS < 4 ? QUIRE_MAX_CPUS : 4,
        .nr_nodes = NR_NODES,
        .zone_end = {[QUIRE_ZONE_DMA] = 4 * MIB, [QUIRE_ZONE_NORMAL] = UINT64_MAX},
        .movable_size = MIB,
        .debug = debug,
    };
}

static uint64_t hash_reserved(void)
{
    uint64_t hash = 0xcbf29ce484222325u;
    for (unsigned long i = 0; i < memblock.reserved.count; i++) {
        const struct quire_memblock_region *region = &memblock.reserved.region[i];
        hash = (hash ^ region->base) * 0x100000001b3u;
        hash = (hash ^ region->size) * 0x100000001b3u;
    }
    return hash;
}

/* Memory in three places, all reserved but `room` bytes at the start of each of `places`. */
static void make_tight_map(const quire_phys_t *places, unsigned count, quire_phys_t size,
                           quire_phys_t room)
{
    quire_memblock_init(&memblock, "tight", &port);
    for (unsigned i = 0; i < count; i++) {
        CHECK(!quire_memblock_reserve(&memblock, places[i] + room, size - room));
        CHECK(!quire_memblock_add(&memblock, places[i], size, (int)(i % NR_NODES),
                                  QUIRE_MEMBLOCK_RAM));
    }
}

/* Starts with ever more room until it works; returns how often it didn't. */
static unsigned long start_with_ever_more_room(const quire_phys_t *places, unsigned count,
                                               quire_phys_t step, unsigned debug)
{
    struct quire_mem_config config = start_config(debug);
    unsigned long failures = 0;
    for (quire_phys_t room = 0; room < 4 * MIB; room += step) {
        make_tight_map(places, count, 4 * MIB, room);
        uint64_t before = hash_reserved();
        mem = NULL;
        int error = quire_mem_init(&mem, &memblock, &config);
        if (!error) {
            quire_mem_check(mem);
            CHECK_EQ(quire_mem_destroy(mem), 0);
            return failures;
        }
        CHECK_EQ(error, -QUIRE_ENOMEM);
        CHECK(!mem && !memblock.handed_over);
        CHECK_EQ(hash_reserved(), before);
        CHECK(memblock_is_valid(&memblock));
        failures++;
    }
    test_fail(__FILE__, __LINE__, "it never started");
    return failures;
}

/* In several sections where there is address space for them. */
static void a_start_without_room_leaves_the_map_as_it_was(void)
{
    static const quire_phys_t far[] = {0, 140 * MIB, 280 * MIB, 420 * MIB},
                              near[] = {0, 8 * MIB, 16 * MIB, 24 * MIB};
    const quire_phys_t *places = far;
    quire_phys_t fine = test_environment.effort < 100000 ? 512 : 192; /* the machine is slow */
    if (!test_environment.memory(424 * MIB, &port)) {
        places = near;
        REQUIRE(test_environment.memory(SPAN, &port));
    }
    quiet(true);
    CHECK(start_with_ever_more_room(places, 4, fine, 0) > 20);
    CHECK(start_with_ever_more_room(places, 4, 1024, QUIRE_DEBUG_OWNER) > 50);
    CHECK(start_with_ever_more_room(places, 1, 1024, 0) > 10);
    quiet(false);
}

/* The tables of the map have no room left, so that they grow amid the start; and stay where they
 * went when it fails. */
static void a_start_that_fails_with_full_tables_can_be_repeated(void)
{
    struct quire_mem_config config = start_config(0);
    REQUIRE(test_environment.memory(SPAN, &port));
    quiet(true);
    for (unsigned spare = 0; spare < 5; spare++)
        for (quire_phys_t room = 0; room < 160 << 10; room += 3000) {
            quire_memblock_init(&memblock, "full", &port);
            CHECK(!quire_memblock_reserve(&memblock, MIB + room, 7 * MIB - room));
            CHECK(!quire_memblock_add(&memblock, MIB, 7 * MIB, 0, QUIRE_MEMBLOCK_RAM));
            while (memblock.reserved.count + spare < memblock.reserved.capacity)
                CHECK(!quire_memblock_reserve(&memblock, 10 * MIB + memblock.reserved.count * 8192,
                                              4096));
            quire_phys_t before = quire_memblock_reserved_size(&memblock);
            int error = quire_mem_init(&mem, &memblock, &config);
            CHECK(memblock_is_valid(&memblock));
            if (!error)
                continue;
            struct memblock_range table = memblock_table_storage(&memblock, &memblock.reserved);
            CHECK_EQ(error, -QUIRE_ENOMEM);
            CHECK_EQ(quire_memblock_reserved_size(&memblock), before + (table.end - table.base));
        }
    quiet(false);
}

static const struct test_case cases[] = {
    TEST_CASE(a_start_without_room_leaves_the_map_as_it_was),
    TEST_CASE(a_start_that_fails_with_full_tables_can_be_repeated),
    {0},
};
const struct test_suite suite_phys_start = {"phys_start", cases};
