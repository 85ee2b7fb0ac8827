/* tests/program/figures_test.c: numbers as people read them */
#include <stdint.h>
#include <string.h>

#include "figures.h"
#include "tests/harness/harness.h"

#define KIB ((uint64_t)1 << 10)
#define MIB ((uint64_t)1 << 20)

static bool is_size(uint64_t bytes, const char *wanted)
{
    char text[FIGURE_BYTES];
    return !strcmp(size_text(text, bytes), wanted);
}

static void a_size_is_rounded_to_the_nearest_digit(void)
{
    CHECK(is_size(0, "0 B"));
    CHECK(is_size(1023, "1023 B"));
    CHECK(is_size(KIB, "1.0 KiB"));
    CHECK(is_size(21 * MIB + MIB / 20, "21.0 MiB"));
    CHECK(is_size(21 * MIB + MIB / 20 + 1, "21.1 MiB"));
    CHECK(is_size(1u << 30, "1.0 GiB"));
}

static void a_size_has_four_digits_at_most(void)
{
    CHECK(is_size(1023 * KIB, "1023.0 KiB"));
    CHECK(is_size(MIB - 52, "1023.9 KiB"));
    CHECK(is_size(MIB - 51, "1.0 MiB"));
    CHECK(is_size(MIB - 1, "1.0 MiB"));
    CHECK(is_size((MIB << 20) - 1, "1.0 TiB"));
    CHECK(is_size((uint64_t)1 << 49, "512.0 TiB"));
    CHECK(is_size(((uint64_t)1 << 50) - 1, "1024.0 TiB"));
    CHECK(is_size(UINT64_MAX, "more than 1024 TiB"));
}

static bool is_share(uint64_t part, uint64_t whole, const char *wanted)
{
    char text[FIGURE_BYTES];
    return !strcmp(share_text(text, part, whole), wanted);
}

static void a_share_of_something_is_neither_nothing_nor_all(void)
{
    CHECK(is_share(0, 0, "0.0 %"));
    CHECK(is_share(0, 7, "0.0 %"));
    CHECK(is_share(1, 100000, "<0.1 %"));
    CHECK(is_share(1, 2000, "0.1 %"));
    CHECK(is_share(1, 3, "33.3 %"));
    CHECK(is_share(9994, 10000, "99.9 %"));
    CHECK(is_share(99999, 100000, ">99.9 %"));
    CHECK(is_share(7, 7, "100.0 %"));
}

static void thousands_have_commas(void)
{
    char text[FIGURE_BYTES];
    CHECK(!strcmp(count_text(text, 999), "999"));
    CHECK(!strcmp(count_text(text, 1000), "1,000"));
    CHECK(!strcmp(count_text(text, UINT64_MAX), "18,446,744,073,709,551,615"));
}

static const struct test_case cases[] = {
    TEST_CASE(a_size_is_rounded_to_the_nearest_digit),
    TEST_CASE(a_size_has_four_digits_at_most),
    TEST_CASE(a_share_of_something_is_neither_nothing_nor_all),
    TEST_CASE(thousands_have_commas),
    {0},
};
const struct test_suite suite_figures = {"figures", cases};
