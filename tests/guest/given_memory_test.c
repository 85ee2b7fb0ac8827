/* tests/guest/given_memory_test.c: cases get zeroed memory, whatever earlier ones wrote to it
 *
 * Only in the machine, whose kernel clears what was written and nothing else.
 */
#include <quire/port.h>

#include "tests/harness/harness.h"

#define MIB 0x100000ull
#define STEP 0x1ff8u /* nearly each second page of 4 KiB, and each at another place */

static bool given(uint64_t size, struct quire_port_mem *port)
{
    if (test_environment.memory(size, port))
        return true;
    test_skip("the machine is too small");
    return false;
}

static bool is_zero(const struct quire_port_mem *port, uint64_t size)
{
    const uint64_t *words = (const void *)port->base;
    for (uint64_t i = 0; i < size / sizeof *words; i++)
        if (words[i])
            return false;
    return true;
}

static void write_within(const struct quire_port_mem *port, uint64_t start, uint64_t end)
{
    for (uint64_t at = start; at < end; at += STEP)
        port->base[at] = 1;
}

/* Then a machine of `size`, after one of 8 MiB with something in that range. */
static void after_writes(uint64_t start, uint64_t end, uint64_t size)
{
    struct quire_port_mem port;
    if (!given(8 * MIB, &port))
        return;
    CHECK(is_zero(&port, 8 * MIB));
    write_within(&port, start, end);
    if (!given(size, &port))
        return;
    CHECK(is_zero(&port, size));
}

static void what_was_written_is_zero_for_the_next(void)
{
    after_writes(0, 8 * MIB, 8 * MIB);
    after_writes(3 * MIB, 3 * MIB + 1, 8 * MIB);
    after_writes(8 * MIB - 1, 8 * MIB, 8 * MIB);
    after_writes(0, 0, 8 * MIB);
    after_writes(5 * MIB, 5 * MIB + 1, 8 * MIB);
}

/* By what the processor remembers of it the page is written already. */
static void what_is_written_where_it_was_just_cleared_is_zero_for_the_next(void)
{
    struct quire_port_mem port;
    if (!given(8 * MIB, &port))
        return;
    write_within(&port, 0, 8 * MIB);
    REQUIRE(test_environment.memory(8 * MIB, &port));
    write_within(&port, 8 * MIB - 1, 8 * MIB);
    REQUIRE(test_environment.memory(8 * MIB, &port));
    CHECK(is_zero(&port, 8 * MIB));
}

static void what_a_smaller_machine_left_is_zero_for_a_larger_one(void)
{
    struct quire_port_mem port;
    for (uint64_t size = MIB / 2; size < 8 * MIB; size += MIB / 2) {
        after_writes(0, 8 * MIB, size);
        if (!given(8 * MIB, &port))
            return;
        CHECK(is_zero(&port, 8 * MIB));
    }
}

static void memory_for_a_larger_machine_than_any_is_zero(void)
{
    const uint64_t size = 16 * MIB;
    struct quire_port_mem port;
    after_writes(0, 8 * MIB, size);
    if (given(size, &port))
        write_within(&port, 0, size);
}

static void a_machine_that_is_too_large_leaves_room_for_another(void)
{
    struct quire_port_mem port;
    CHECK(!test_environment.memory(~0ull >> 2, &port));
    CHECK(!test_environment.memory(0, &port));
    after_writes(0, 8 * MIB, 8 * MIB);
}

static const struct test_case cases[] = {
    TEST_CASE(what_was_written_is_zero_for_the_next),
    TEST_CASE(what_is_written_where_it_was_just_cleared_is_zero_for_the_next),
    TEST_CASE(what_a_smaller_machine_left_is_zero_for_a_larger_one),
    TEST_CASE(memory_for_a_larger_machine_than_any_is_zero),
    TEST_CASE(a_machine_that_is_too_large_leaves_room_for_another),
    {0},
};
const struct test_suite suite_given_memory = {"given_memory", cases};
