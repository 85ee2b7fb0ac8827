/* tests/unit/pool_text_test.c: copies and formatted text */
#include "base/text.h"
#include "tests/unit/pool_machine.h"

static bool is_text(const char *text, const char *expected)
{
    size_t i = 0;
    while (text && expected[i] && text[i] == expected[i])
        i++;
    bool same = text && text[i] == expected[i];
    if (!same)
        test_note("'%s' instead of '%s'", text ? text : "(NULL)", expected);
    return same;
}

static void copies_are_whole_and_the_callers_own(void)
{
    for (unsigned flags = 0; flags < 2; flags++) {
        if (!pool_boot((struct quire_pool_config){.flags = flags}))
            return;
        struct quire_pool *pool = pool_create();
        char text[] = "gathering";
        char *whole = quire_pool_strdup(pool, text), *part = quire_pool_strndup(pool, text, 6),
             *more = quire_pool_strndup(pool, text, 100), *none = quire_pool_strndup(pool, text, 0),
             *empty = quire_pool_strdup(pool, "");
        unsigned char *bytes = quire_pool_memdup(pool, text, sizeof text);
        text[0] = 'G';
        CHECK(is_text(whole, "gathering") && is_text(part, "gather") && is_text(more, "gathering"));
        CHECK(is_text(none, "") && is_text(empty, ""));
        CHECK(bytes && bytes[0] == 'g' && !bytes[sizeof text - 1]);
        CHECK(quire_pool_memdup(pool, NULL, 0));
        quire_pool_destroy(pool);
        pool_end();
    }
}

/* What isn't NUL-terminated is read no further than it may be. */
static void strndup_reads_no_further_than_told(void)
{
    static const char letters[4] = {'q', 'u', 'i', 'r'};
    if (!pool_boot((struct quire_pool_config){0}))
        return;
    struct quire_pool *pool = pool_create();
    CHECK(is_text(quire_pool_strndup(pool, letters, sizeof letters), "quir"));
    quire_pool_destroy(pool);
    pool_end();
}

static unsigned formatted;

static int counting_format(char *buffer, size_t size, const char *format, va_list args)
{
    formatted++;
    if (format[0] == '!')
        return -1;
    return (int)quire_vsnprintf(buffer, size, format, args);
}

static void text_that_fits_is_formatted_once(void)
{
    if (POOLS_ARE_POISONED) {
        test_skip("blocks have no room that is seen from outside");
        return;
    }
    if (!pool_boot((struct quire_pool_config){.format = counting_format}))
        return;
    struct quire_pool *pool = pool_create();
    char *before = pool_take(pool, 16);
    formatted = 0;
    char *text = quire_pool_printf(pool, "%s is %d", "the answer", 42);
    CHECK(is_text(text, "the answer is 42"));
    CHECK(text == before + 16);
    CHECK_EQ(formatted, 1);
    CHECK((char *)pool_take(pool, 1) == text + 32);
    quire_pool_destroy(pool);
    pool_end();
}

/* Room for exactly the text, for one byte less, and so on: with every length there is. */
static void text_of_every_length_is_whole_whatever_room_there_is(void)
{
    for (unsigned flags = 0; flags < 2; flags++) {
        if (!pool_boot((struct quire_pool_config){.block_size = 512, .flags = flags}))
            return;
        struct quire_pool *pool = pool_create();
        static char expected[700];
        for (unsigned length = 0; length < sizeof expected - 1; length++) {
            if (length)
                expected[length - 1] = (char)('a' + length % 26);
            expected[length] = '\0';
            char *text = quire_pool_printf(pool, "%s", expected);
            char *next = pool_take(pool, length % 50);
            CHECK(is_text(text, expected));
            CHECK(is_filled(next, length % 50));
        }
        quire_pool_check(pool);
        quire_pool_destroy(pool);
        pool_end();
    }
}

static void text_that_does_not_fit_is_formatted_twice_at_most(void)
{
    if (!pool_boot((struct quire_pool_config){.block_size = 512, .format = counting_format}))
        return;
    struct quire_pool *pool = pool_create();
    formatted = 0;
    char *text = quire_pool_printf(pool, "%*d", 2000, 7);
    REQUIRE(text);
    CHECK(text[1999] == '7' && text[0] == ' ' && !text[2000]);
    CHECK_EQ(formatted, 2);
    CHECK_EQ(pool_info(pool).nr_large, 1);
    quire_pool_destroy(pool);
    pool_end();
}

static void what_cannot_be_formatted_or_had_is_null(void)
{
    if (!pool_boot((struct quire_pool_config){.block_size = 512, .format = counting_format}))
        return;
    struct quire_pool *pool = pool_create();
    size_t used = pool_info(pool).used;
    const char *bad = "!%d";
    CHECK(!quire_pool_printf(pool, bad, 1));
    quire_pool_set_limit(pool, 512);
    CHECK(!quire_pool_printf(pool, "%*d", 2000, 7));
    CHECK_EQ(pool_info(pool).used, used);
    quire_pool_check(pool);
    quire_pool_destroy(pool);
    pool_end();
}

static const struct test_case cases[] = {
    TEST_CASE(copies_are_whole_and_the_callers_own),
    TEST_CASE(strndup_reads_no_further_than_told),
    TEST_CASE(text_that_fits_is_formatted_once),
    TEST_CASE(text_of_every_length_is_whole_whatever_room_there_is),
    TEST_CASE(text_that_does_not_fit_is_formatted_twice_at_most),
    TEST_CASE(what_cannot_be_formatted_or_had_is_null),
    {0},
};
const struct test_suite suite_pool_text = {"pool_text", cases};
