/* tests/program/suites.c: suites of what quire boot does with a program */
#include "tests/harness/harness.h"

extern const struct test_suite suite_binary;
extern const struct test_suite suite_figures;
extern const struct test_suite suite_library_cache;
extern const struct test_suite suite_streams;

const struct test_suite *const test_suites[] = {
    &suite_binary,        //
    &suite_figures,       //
    &suite_library_cache, //
    &suite_streams,       //
    NULL,
};
