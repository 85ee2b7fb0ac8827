/* kernel/no_selftest.c: the plain image has no tests in it, to stay small */
#include "modes.h"

enum machine_status selftest(const char *command_line)
{
    (void)command_line;
    print("This image has no tests: boot the one whose name ends with -tests.\n");
    return MACHINE_FAILED;
}
