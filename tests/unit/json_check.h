/* tests/unit/json_check.h: whether a text is JSON, as far as Quire writes it: no fractions, no
 * words */
#ifndef QUIRE_TESTS_JSON_CHECK_H
#define QUIRE_TESTS_JSON_CHECK_H

#include <stdbool.h>

/* One value without white space, and the end of the line. */
bool is_json(const char *text);

#endif
