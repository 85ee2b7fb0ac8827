/* kernel/modes.h: what the machine can be asked to do */
#ifndef KERNEL_MODES_H
#define KERNEL_MODES_H

#include "kernel.h"

/* Runs the tests whose name holds `filter=`. */
enum machine_status selftest(const char *command_line);

/* The allocators at work on the machine's own memory. */
enum machine_status demo(void);

#endif
