/* tests/trace/suites.c: suites of traces and of the models that replay them */
#include "tests/harness/harness.h"

extern const struct test_suite suite_lackey;
extern const struct test_suite suite_compact;
extern const struct test_suite suite_model;
extern const struct test_suite suite_memory;

const struct test_suite *const test_suites[] = {
    &suite_lackey,  //
    &suite_compact, //
    &suite_model,   //
    &suite_memory,  //
    NULL,
};
