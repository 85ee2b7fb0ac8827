/* kernel/crash.h: to prove that an end is seen, and that protection is on */
#ifndef KERNEL_CRASH_H
#define KERNEL_CRASH_H

/* Ends the machine in this way; an unknown one is a panic that says so. */
_Noreturn void crash(const char *way);

#endif
