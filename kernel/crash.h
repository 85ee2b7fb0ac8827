/* kernel/crash.h: to prove that an end is seen, and that protection is on */
#ifndef KERNEL_CRASH_H
#define KERNEL_CRASH_H

/* Ends the machine in this way; one that there isn't is told of, as a mistake of the command line.
 */
_Noreturn void crash(const char *way);

#endif
