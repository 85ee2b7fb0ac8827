/* tests/kernel/pvh_test.c: start_info and the command line */
#include "kernel/cmdline.h"
#include "kernel/kernel.h"
#include "kernel/pvh.h"
#include <quire/port.h>

#include "tests/harness/harness.h"
#include "tests/kernel/memory.h"

#define START_INFO 0
#define MAP 64
#define MODULE 3500
#define COMMAND_LINE 4000

static struct pvh_info info;

/* On the host an unusable start_info is the end of the run: no case gives one. */
_Noreturn void panic(const char *format, ...)
{
    quire_port_panic(format);
}

static void put_start_info(unsigned nr_ranges)
{
    fake_reset();
    fake_put(START_INFO, 0x336ec578, 4);
    fake_put(START_INFO + 4, 1, 4);
    fake_put(START_INFO + 12, 1, 4);
    fake_put(START_INFO + 16, FAKE_BASE + MODULE, 8);
    fake_put(START_INFO + 24, FAKE_BASE + COMMAND_LINE, 8);
    fake_put(START_INFO + 32, 0xf5a30, 8);
    fake_put(START_INFO + 40, FAKE_BASE + MAP, 8);
    fake_put(START_INFO + 48, nr_ranges, 4);
    for (unsigned i = 0; i < nr_ranges; i++) {
        fake_put(MAP + i * 24, i * 0x100000ull, 8);
        fake_put(MAP + i * 24 + 8, 0x80000, 8);
        fake_put(MAP + i * 24 + 16, 1 + i % 5, 4);
    }
    fake_put(MODULE, 0x7000000, 8);
    fake_put(MODULE + 8, 12345, 8);
    fake_text(COMMAND_LINE, "selftest seed=5");
}

static void what_the_loader_says_is_copied(void)
{
    size_t length;
    put_start_info(3);
    pvh_parse(&info, FAKE_BASE + START_INFO);
    fake_reset();
    REQUIRE(info.nr_ranges == 3);
    CHECK_EQ(info.nr_ranges_given, 3);
    CHECK_EQ(info.range[2].base, 0x200000);
    CHECK_EQ(info.range[2].size, 0x80000);
    CHECK_EQ(info.range[2].type, PVH_ACPI);
    CHECK_EQ(info.rsdp, 0xf5a30);
    CHECK_EQ(info.initrd, 0x7000000);
    CHECK_EQ(info.initrd_size, 12345);
    CHECK(cmdline_find(info.command_line, "selftest", &length) != NULL);
    CHECK_EQ(cmdline_number(info.command_line, "seed", 0), 5);
}

static void ranges_beyond_the_table_are_counted(void)
{
    put_start_info(PVH_MAX_RANGES + 3);
    pvh_parse(&info, FAKE_BASE + START_INFO);
    CHECK_EQ(info.nr_ranges, PVH_MAX_RANGES);
    CHECK_EQ(info.nr_ranges_given, PVH_MAX_RANGES + 3);
}

static void a_long_command_line_is_cut(void)
{
    put_start_info(1);
    for (unsigned i = 0; i < 3000; i++)
        fake_memory[COMMAND_LINE + i] = 'x';
    pvh_parse(&info, FAKE_BASE + START_INFO);
    CHECK_EQ(info.command_line[PVH_MAX_COMMAND_LINE - 2], 'x');
    CHECK_EQ(info.command_line[PVH_MAX_COMMAND_LINE - 1], 0);
}

static void no_command_line_and_no_module_will_do(void)
{
    put_start_info(1);
    fake_put(START_INFO + 24, 0, 8);
    fake_put(START_INFO + 12, 0, 4);
    pvh_parse(&info, FAKE_BASE + START_INFO);
    CHECK_EQ(info.command_line[0], 0);
    CHECK_EQ(info.initrd_size, 0);
}

static const struct test_case pvh_cases[] = {
    TEST_CASE(what_the_loader_says_is_copied),
    TEST_CASE(ranges_beyond_the_table_are_counted),
    TEST_CASE(a_long_command_line_is_cut),
    TEST_CASE(no_command_line_and_no_module_will_do),
    {0},
};
const struct test_suite suite_pvh = {"pvh", pvh_cases};

static bool value_is(const char *line, const char *name, const char *expected)
{
    char value[16];
    if (!cmdline_string(line, name, value, sizeof value))
        return false;
    unsigned i = 0;
    while (expected[i] && value[i] == expected[i])
        i++;
    return value[i] == expected[i];
}

static void a_word_is_found_whole(void)
{
    size_t length;
    const char *line = "demos  xdemo demo=1 a= b";
    CHECK(cmdline_find(line, "dem", &length) == NULL);
    CHECK(value_is(line, "demo", "1"));
    CHECK(cmdline_find(line, "a", &length) != NULL);
    CHECK_EQ(length, 0);
    CHECK(cmdline_find(line, "b", &length) != NULL);
    CHECK(cmdline_find(line, "c", &length) == NULL);
    CHECK(cmdline_find("", "a", &length) == NULL);
    CHECK(cmdline_find(" demo", "demo", &length) != NULL);
}

static void unknown_words_are_found_one_after_the_other(void)
{
    static const char *const known[] = {"demo", "mem", NULL};
    size_t length;
    const char *line = " demo dem  mem=1 x=mem demo=";
    const char *first = cmdline_find_unknown(line, known, &length);
    REQUIRE(first == line + 6);
    CHECK_EQ(length, 3);
    const char *second = cmdline_find_unknown(first + length, known, &length);
    REQUIRE(second == line + 17);
    CHECK_EQ(length, 5);
    CHECK(!cmdline_find_unknown(second + length, known, &length));
    CHECK(!cmdline_find_unknown("", known, &length));
    CHECK(!cmdline_find_unknown("  ", known, &length));
}

static void a_value_is_cut_to_the_buffer(void)
{
    CHECK(value_is("f=0123456789abcdefgh", "f", "0123456789abcde"));
    CHECK(!value_is("f f=", "f", ""));
}

static void numbers_are_decimal_or_hexadecimal(void)
{
    CHECK_EQ(cmdline_number("n=18446744073709551615", "n", 0), UINT64_MAX);
    CHECK_EQ(cmdline_number("n=0xfF", "n", 0), 255);
    CHECK_EQ(cmdline_number("n=12a", "n", 3), 3);
    CHECK_EQ(cmdline_number("n=", "n", 3), 3);
    CHECK_EQ(cmdline_number("n=0x", "n", 3), 3);
    CHECK_EQ(cmdline_number("m=1", "n", 3), 3);
}

static const struct test_case cmdline_cases[] = {
    TEST_CASE(a_word_is_found_whole),
    TEST_CASE(unknown_words_are_found_one_after_the_other),
    TEST_CASE(a_value_is_cut_to_the_buffer),
    TEST_CASE(numbers_are_decimal_or_hexadecimal),
    {0},
};
const struct test_suite suite_cmdline = {"cmdline", cmdline_cases};
