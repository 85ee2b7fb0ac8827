/* base/json.c: JSON written as it comes (RFC 8259) */
#include "base/json.h"

#include "base/compiler.h"

void json_init(struct json *json, quire_write_fn *write, void *arg)
{
    text_init(&json->text, write, arg);
    json->arrays = 0;
    json->depth = 0;
    json->first = true;
}

void json_finish(struct json *json)
{
    QUIRE_ASSERT(!json->depth);
    text_puts(&json->text, "\n");
    text_flush(&json->text);
}

static void put_quoted(struct json *json, const char *string)
{
    text_puts(&json->text, "\"");
    for (; *string; string++) {
        unsigned char c = (unsigned char)*string;
        if (c == '"' || c == '\\')
            text_printf(&json->text, "\\%c", c);
        else if (c < 0x20)
            text_printf(&json->text, "\\u%04x", c);
        else
            text_printf(&json->text, "%c", c);
    }
    text_puts(&json->text, "\"");
}

/* What stands before a value: a comma after another one, and the key. */
static void begin_value(struct json *json, const char *key)
{
    QUIRE_ASSERT(!key == (!json->depth || json->arrays >> (json->depth - 1) & 1));
    if (!json->first)
        text_puts(&json->text, ",");
    json->first = false;
    if (key) {
        put_quoted(json, key);
        text_puts(&json->text, ":");
    }
}

static void begin_container(struct json *json, const char *key, bool array)
{
    begin_value(json, key);
    QUIRE_BUG_ON(json->depth == JSON_MAX_DEPTH);
    uint32_t bit = (uint32_t)1 << json->depth++;
    json->arrays = array ? json->arrays | bit : json->arrays & ~bit;
    json->first = true;
    text_puts(&json->text, array ? "[" : "{");
}

void json_object(struct json *json, const char *key)
{
    begin_container(json, key, false);
}

void json_array(struct json *json, const char *key)
{
    begin_container(json, key, true);
}

void json_end(struct json *json)
{
    QUIRE_BUG_ON(!json->depth);
    json->depth--;
    json->first = false;
    text_puts(&json->text, json->arrays >> json->depth & 1 ? "]" : "}");
}

void json_unsigned(struct json *json, const char *key, uint64_t value)
{
    begin_value(json, key);
    text_printf(&json->text, "%llu", (unsigned long long)value);
}

void json_signed(struct json *json, const char *key, int64_t value)
{
    begin_value(json, key);
    text_printf(&json->text, "%lld", (long long)value);
}

void json_hex(struct json *json, const char *key, uint64_t value)
{
    begin_value(json, key);
    text_printf(&json->text, "\"0x%llx\"", (unsigned long long)value);
}

void json_bool(struct json *json, const char *key, bool value)
{
    begin_value(json, key);
    text_puts(&json->text, value ? "true" : "false");
}

void json_string(struct json *json, const char *key, const char *value)
{
    begin_value(json, key);
    put_quoted(json, value);
}

void json_made(struct json *json, const char *key, const char *value)
{
    begin_value(json, key);
    text_puts(&json->text, value);
}
