/* kernel/syscall.h: system calls
 *
 * A call gets its six arguments as registers have them and returns what the register gets: a value,
 * or a negative errno. A kernel serves programs of its own class only, so `long` is the program's.
 * The tables by number are in sys/table_i386.c and sys/table_x86_64.c. What differs between the
 * classes are numbers, structures (sys/abi.h), and 64-bit arguments, which i386 passes in two.
 */
#ifndef KERNEL_SYSCALL_H
#define KERNEL_SYSCALL_H

#include "errno.h"

typedef long syscall_fn(const unsigned long *arg);

struct syscall_entry {
    syscall_fn *call; /* NULL: -ENOSYS, counted */
    const char *name;
};
extern const struct syscall_entry syscall_table[];
extern const unsigned nr_syscalls;

/* Of calls that aren't there; told as lines of the machine's channel. */
void syscall_count_unknown(unsigned long number);
void syscall_tell_unknown(void);

#endif
