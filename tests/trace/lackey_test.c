/* tests/trace/lackey_test.c: reading what valgrind's lackey prints */
#define _GNU_SOURCE
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/harness/harness.h"
#include "tests/trace/traces.h"

static struct trace_error error;

static bool parse(struct trace *trace, const char *text, size_t most, unsigned shift)
{
    struct memory_source from = {(const uint8_t *)text, strlen(text), 0, most};
    error.text[0] = '\0';
    return trace_parse(trace, &from, shift, &error);
}

/* The text is `expected`, runs that end with one of count 0. */
static void check_runs(const char *text, const struct trace_run *expected)
{
    struct trace got = {0}, wanted = {0};
    CHECK(parse(&got, text, 0, 0));
    if (*error.text)
        test_note("%s", error.text);
    for (; expected->count; expected++)
        trace_add(&wanted, expected->page, expected->count, expected->kind);
    CHECK(trace_equal(&got, &wanted));
    trace_free(&got);
    trace_free(&wanted);
}

static void each_kind_of_reference_is_read(void)
{
    check_runs("I  04000a30,3\n L 1ffeffe7e8,8\n S 1ffeffe7e8,8\n M 0421c7cc,4\n",
               (struct trace_run[]){{0x4000, 1, TRACE_FETCH},
                                    {0x1ffeffe, 1, TRACE_READ},
                                    {0x1ffeffe, 1, TRACE_WRITE},
                                    {0x421c, 1, TRACE_MODIFY},
                                    {0}});
}

static void references_to_one_page_are_one_run(void)
{
    check_runs(
        "I  04000a30,3\nI  04000a33,5\nI  04000a38,2\n L 04000a38,2\nI  04000a38,2\n",
        (struct trace_run[]){
            {0x4000, 3, TRACE_FETCH}, {0x4000, 1, TRACE_READ}, {0x4000, 1, TRACE_FETCH}, {0}});
}

static void a_reference_across_pages_counts_for_each(void)
{
    check_runs(" L 00000ffe,2\n L 00000ffe,3\n S 00001fff,4098\n", (struct trace_run[]){
                                                                       {0, 2, TRACE_READ},
                                                                       {1, 1, TRACE_READ},
                                                                       {1, 1, TRACE_WRITE},
                                                                       {2, 1, TRACE_WRITE},
                                                                       {3, 1, TRACE_WRITE},
                                                                       {0},
                                                                   });
}

static void addresses_have_up_to_64_bits(void)
{
    check_runs(" L ffffffffffffffff,1\n L fffffffffffffff8,8\n L fffffffffffff000,4096\n L f,1\n"
               " L FFFFFFFFF000,8\n L 0000000000000000001000,8\n",
               (struct trace_run[]){{0xfffffffffffff, 3, TRACE_READ},
                                    {0, 1, TRACE_READ},
                                    {0xfffffffff, 1, TRACE_READ},
                                    {1, 1, TRACE_READ},
                                    {0}});
}

static void what_valgrind_says_is_skipped(void)
{
    check_runs("==1234== Lackey, an example Valgrind tool\n==1234== \n--77-- warning\n"
               "**1** printed\n L 00001000,8\n==1234== \n==1234== Exit code: 0\n",
               (struct trace_run[]){{1, 1, TRACE_READ}, {0}});
}

static void the_last_line_needs_no_end(void)
{
    check_runs(" L 00001000,8\n L 00002000,8",
               (struct trace_run[]){{1, 1, TRACE_READ}, {2, 1, TRACE_READ}, {0}});
    check_runs(" L 00001000,8\n==1==", (struct trace_run[]){{1, 1, TRACE_READ}, {0}});
}

static void what_people_write_is_read(void)
{
    check_runs("# by hand\r\n\r\n L 00001000,8\r\n\nL 00002000,8\n  # a comment\n \t \n"
               "I 00003000,8\n\tS  4000,8 \nM 05000,8\t\r\nI\t6000,2\n#\n\r\n",
               (struct trace_run[]){{1, 1, TRACE_READ},
                                    {2, 1, TRACE_READ},
                                    {3, 1, TRACE_FETCH},
                                    {4, 1, TRACE_WRITE},
                                    {5, 1, TRACE_MODIFY},
                                    {6, 1, TRACE_FETCH},
                                    {0}});
    check_runs("S 1000,1\r", (struct trace_run[]){{1, 1, TRACE_WRITE}, {0}});
}

static void an_error_shows_what_does_not_print(void)
{
    struct trace trace = {0};
    CHECK(!parse(&trace, " L 1000,8\n L 1000\r,8\n", 0, 0));
    CHECK(strstr(error.text, "test:2: ' L 1000\\r,8' has no address and comma"));
    CHECK(strstr(error.text, "(there is a carriage return in it)"));
    CHECK(!parse(&trace, " L\t\x01\n", 0, 0));
    CHECK(strstr(error.text, "test:1: ' L\\t\\x01' has no address"));
    CHECK(!parse(&trace, " L 0x1000,8\n", 0, 0));
    CHECK(strstr(error.text, "hexadecimal without it"));
    CHECK(!parse(&trace, "0123456789012345678901234567890123456789\n", 0, 0));
    CHECK(strstr(error.text, "test:1: '0123456789012345678901234567890123456789' isn't"));
    CHECK(!parse(&trace, "01234567890123456789012345678901234567890\n", 0, 0));
    CHECK(strstr(error.text, "test:1: '0123456789012345678901234567890123456789...' isn't"));
    trace_free(&trace);
}

static void junk_is_an_error_that_names_its_line(void)
{
    static const char *const lines[] = {
        "hello",
        "I",
        "I ",
        "I  ",
        " X 00001000,8",
        " L ",
        " L ,8",
        " L 0000100g,8",
        " L 00001000",
        " L 00001000,",
        " L 00001000,x",
        " L 00001000,0",
        " L 00001000,65537",
        " L 00001000,99999999999999999999",
        " L 00001000,-1",
        " L 10000000000000000,1",
        " L ffffffffffffffff,2",
        "=1234=",
        "==12x4==",
        "==1234=",
        "====",
        "=== 1",
        "\x01\x02\xff",
        " L 00001000,,8",
        " L 0x001000,8",
        " L 00001000 ,8",
        " L 00001000, 8",
        " L 00001000,8 # here",
        " L00001000,8",
        " l 00001000,8",
        " L 00001000,8\r\r",
        " L 00001000\r,8",
        "LL 00001000,8",
        "// comment",
    };
    for (size_t i = 0; i < sizeof lines / sizeof *lines; i++) {
        struct trace trace = {0};
        char text[200];
        snprintf(text, sizeof text, "==1== talk\n L 00001000,8\n%s\n L 00002000,8\n", lines[i]);
        bool read = parse(&trace, text, 0, 0);
        bool named = !strncmp(error.text, "test:3: '", 9) && strstr(error.text, "Record with");
        if (read || !named)
            test_note("'%s': %s", lines[i], error.text);
        CHECK(!read && named);
        trace_free(&trace);
    }
}

static void bytes_of_zero_are_junk(void)
{
    static const char text[] = "\0\0\0"
                               "04000a30,3\n";
    struct memory_source from = {(const uint8_t *)text, sizeof text - 1, 0, 0};
    struct trace trace = {0};
    CHECK(!trace_parse(&trace, &from, 0, &error));
    CHECK(strstr(error.text, "test:1: '\\x00\\x00\\x0004000a30,3' isn't a reference"));
    trace_free(&trace);
}

static void a_line_without_end_is_an_error(void)
{
    static char text[600000];
    struct trace trace = {0};
    memset(text, '=', sizeof text - 1);
    CHECK(!parse(&trace, text, 0, 0));
    CHECK(strstr(error.text, "test:1: "));
    trace_free(&trace);
}

static void a_trace_without_references_is_an_error(void)
{
    struct trace trace = {0};
    CHECK(!parse(&trace, "", 0, 0));
    CHECK(strstr(error.text, "has no references"));
    CHECK(!parse(&trace, "==1== \n==1== \n", 0, 0));
    CHECK(strstr(error.text, "has no references"));
    trace_free(&trace);
}

static void other_compressors_are_named(void)
{
    struct trace trace = {0};
    CHECK(!parse(&trace, "\x1f\x8b\x08 and so on", 0, 0));
    CHECK(strstr(error.text, "gzip -dc"));
    CHECK(!parse(&trace, "BZh9 and so on", 0, 0));
    CHECK(strstr(error.text, "bzip2 -dc"));
    CHECK(!parse(&trace,
                 "\xfd"
                 "7zXZ",
                 0, 0) &&
          strstr(error.text, "test:1: "));
    trace_free(&trace);
}

/* ---- against a reader that is obviously right ------------------------------------------------ */

static void naive_line(struct trace *trace, const char *line, unsigned shift)
{
    unsigned long long address, size;
    char kind;
    if (sscanf(line, "I  %llx,%llu", &address, &size) == 2)
        kind = 'I';
    else if (sscanf(line, " %c %llx,%llu", &kind, &address, &size) != 3)
        return;
    for (unsigned long long page = address >> shift;; page++) {
        trace_add(trace, page, 1,
                  kind == 'I'   ? TRACE_FETCH
                  : kind == 'L' ? TRACE_READ
                  : kind == 'S' ? TRACE_WRITE
                                : TRACE_MODIFY);
        if (page == (address + size - 1) >> shift)
            return;
    }
}

/* A line of any width that lackey could print; its length. */
static size_t random_line(char *line, size_t size)
{
    static const char *const prefixes[] = {"I  ", " L ", " S ", " M "};
    if (!test_random_below(50))
        return (size_t)snprintf(line, size, "==%u== talk of some length %x\n",
                                test_random_below(100000), test_random_below(1000000));
    uint64_t address = test_random() >> test_random_below(64);
    unsigned bytes = test_random_below(8) ? 1 + test_random_below(16) : 1 + test_random_below(9000);
    if (address > UINT64_MAX - bytes)
        address -= bytes;
    return (size_t)snprintf(line, size, "%s%08llx,%u\n", prefixes[test_random_below(4)],
                            (unsigned long long)address, bytes);
}

static void any_text_is_read_as_line_by_line(void)
{
    for (unsigned round = 0; round < 20; round++) {
        unsigned shift = 9 + test_random_below(8);
        size_t lines = 1 + test_random_below(30000), used = 0;
        char *text = malloc(lines * 64 + 1);
        struct trace expected = {0}, got = {0};
        REQUIRE(text);
        for (size_t i = 0; i < lines; i++) {
            size_t length = random_line(text + used, 64);
            naive_line(&expected, text + used, shift);
            used += length;
        }
        naive_line(&expected, " L 00001000,8\n", shift);
        strcpy(text + used, " L 00001000,8\n");
        CHECK(parse(&got, text, 1 + test_random_below(5000), shift));
        trace_merge(&expected);
        trace_merge(&got);
        CHECK(trace_equal(&got, &expected));
        trace_free(&expected);
        trace_free(&got);
        free(text);
    }
}

static const struct test_case cases[] = {
    TEST_CASE(each_kind_of_reference_is_read),
    TEST_CASE(references_to_one_page_are_one_run),
    TEST_CASE(a_reference_across_pages_counts_for_each),
    TEST_CASE(addresses_have_up_to_64_bits),
    TEST_CASE(what_valgrind_says_is_skipped),
    TEST_CASE(the_last_line_needs_no_end),
    TEST_CASE(what_people_write_is_read),
    TEST_CASE(an_error_shows_what_does_not_print),
    TEST_CASE(junk_is_an_error_that_names_its_line),
    TEST_CASE(bytes_of_zero_are_junk),
    TEST_CASE(a_line_without_end_is_an_error),
    TEST_CASE(a_trace_without_references_is_an_error),
    TEST_CASE(other_compressors_are_named),
    TEST_CASE(any_text_is_read_as_line_by_line),
    {0},
};
const struct test_suite suite_lackey = {"lackey", cases};
