/* tests/sim/suites.c: suites that run on ports/sim */
#include "tests/harness/harness.h"

extern const struct test_suite suite_sim_port;

const struct test_suite *const test_suites[] = {
    &suite_sim_port, //
    NULL,
};
