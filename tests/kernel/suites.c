/* tests/kernel/suites.c: suites of the parts of the kernel that run on the host too */
#include "tests/harness/harness.h"

extern const struct test_suite suite_acpi;
extern const struct test_suite suite_pvh;
extern const struct test_suite suite_cmdline;

const struct test_suite *const test_suites[] = {
    &suite_acpi,    //
    &suite_pvh,     //
    &suite_cmdline, //
    NULL,
};
