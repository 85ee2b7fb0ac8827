/* base/json.h: JSON written as it comes, without a tree in memory
 *
 * What is begun is ended in order; the writer sees to commas, nesting and escapes. `key` is NULL
 * within an array and for the outermost value. Numbers are exact. What may need all of 64 bits, as
 * addresses and entries of page tables do, is a string: many readers keep 53 bits of a number.
 */
#ifndef QUIRE_BASE_JSON_H
#define QUIRE_BASE_JSON_H

#include "base/text.h"

#define JSON_MAX_DEPTH 32

struct json {
    struct text text;
    uint32_t arrays; /* bit d: the container at depth d is an array */
    unsigned depth;
    bool first; /* the innermost container is empty so far */
};

void json_init(struct json *json, quire_write_fn *write, void *arg);
/* Ends the line and hands on what is left. */
void json_finish(struct json *json);

void json_object(struct json *json, const char *key);
void json_array(struct json *json, const char *key);
/* Ends the innermost object or array. */
void json_end(struct json *json);

void json_unsigned(struct json *json, const char *key, uint64_t value);
void json_signed(struct json *json, const char *key, int64_t value);
/* A string with the number in hexadecimal: "0xffff888000000000". */
void json_hex(struct json *json, const char *key, uint64_t value);
void json_bool(struct json *json, const char *key, bool value);
/* UTF-8; control characters, quotes and backslashes are escaped. */
void json_string(struct json *json, const char *key, const char *value);
/* A value that another writer made: it is passed on as it is. */
void json_made(struct json *json, const char *key, const char *value);

#endif
