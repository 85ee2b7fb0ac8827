/* tests/unit/json_test.c: the JSON writer, and a checker of its output's structure */
#include "base/json.h"
#include "tests/harness/harness.h"
#include "tests/unit/json_check.h"

/* ---- the checker ----------------------------------------------------------------------------- */

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* Walks a JSON text: NULL, or where the value that begins at `at` ends. */
static const char *json_value(const char *at, unsigned depth);

static const char *json_quoted(const char *at)
{
    if (*at++ != '"')
        return NULL;
    for (; *at != '"'; at++) {
        if ((unsigned char)*at < 0x20)
            return NULL;
        if (*at == '\\' && !*++at)
            return NULL;
    }
    return at + 1;
}

static const char *json_members(const char *at, char end, unsigned depth)
{
    if (*at == end)
        return at + 1;
    for (;; at++) {
        if (end == '}') {
            at = json_quoted(at);
            if (!at || *at++ != ':')
                return NULL;
        }
        at = json_value(at, depth + 1);
        if (!at || *at == end)
            return at ? at + 1 : NULL;
        if (*at != ',')
            return NULL;
    }
}

static const char *json_digits(const char *at)
{
    at += *at == '-';
    if (!is_digit(*at))
        return NULL;
    while (is_digit(*at))
        at++;
    return at;
}

static const char *json_word(const char *at, const char *word)
{
    while (*word)
        if (*at++ != *word++)
            return NULL;
    return at;
}

static const char *json_value(const char *at, unsigned depth)
{
    if (depth > 10)
        return NULL;
    switch (*at) {
    case '{':
        return json_members(at + 1, '}', depth);
    case '[':
        return json_members(at + 1, ']', depth);
    case '"':
        return json_quoted(at);
    case 't':
        return json_word(at, "true");
    case 'f':
        return json_word(at, "false");
    default:
        return json_digits(at);
    }
}

bool is_json(const char *text)
{
    const char *end = json_value(text, 0);
    return end && end[0] == '\n' && !end[1];
}

/* ---- the writer ------------------------------------------------------------------------------ */

static char written[512];
static size_t written_length;

static void catch_text(void *arg, const char *text, size_t length)
{
    (void)arg;
    for (size_t i = 0; i < length && written_length + 1 < sizeof written; i++)
        written[written_length++] = text[i];
    written[written_length] = '\0';
}

static bool same(const char *a, const char *b)
{
    while (*a && *a == *b)
        a++, b++;
    return *a == *b;
}

static void values_are_nested_and_escaped(void)
{
    struct json json;
    written_length = 0;
    json_init(&json, catch_text, NULL);
    json_object(&json, NULL);
    json_array(&json, "empty");
    json_end(&json);
    json_array(&json, "list");
    json_object(&json, NULL);
    json_end(&json);
    json_signed(&json, NULL, -9223372036854775807ll - 1);
    json_unsigned(&json, NULL, 18446744073709551615ull);
    json_hex(&json, NULL, 0);
    json_hex(&json, NULL, 0xffff888000000abc);
    json_bool(&json, NULL, true);
    json_bool(&json, NULL, false);
    json_end(&json);
    json_string(&json, "a\"\\\n", "\001\x7f");
    json_end(&json);
    json_finish(&json);
    CHECK(
        same(written,
             "{\"empty\":[],\"list\":[{},-9223372036854775808,"
             "18446744073709551615,\"0x0\",\"0xffff888000000abc\",true,false],\"a\\\"\\\\\\u000a\":"
             "\"\\u0001\x7f\"}\n"));
    CHECK(is_json(written));
}

static void the_checker_refuses_what_is_not_json(void)
{
    static const char *const wrong[] = {
        "",
        "\n",
        "{}",
        "{} \n",
        "[1 2]\n",
        "[1,]\n",
        "[1\n",
        "{\"a\":1,}\n",
        "{\"a\" 1}\n",
        "{a:1}\n",
        "\"open\n",
        "\"\\",
        "nil\n",
        "tru\n",
        "falsey\n",
        "[[[[[[[[[[[[]]]]]]]]]]]]\n",
        "{\"a\":1]\n",
    };
    for (unsigned i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        CHECK(!is_json(wrong[i]));
        if (is_json(wrong[i]))
            test_note("it took number %u", i);
    }
    CHECK(is_json("{\"a\":[-1,{},[],\"\\\"\"],\"b\":{\"c\":0}}\n"));
}

static const struct test_case cases[] = {
    TEST_CASE(values_are_nested_and_escaped),
    TEST_CASE(the_checker_refuses_what_is_not_json),
    {0},
};
const struct test_suite suite_json = {"json", cases};
