/* kernel/syscall.c: system calls that aren't there are counted, and told at the end
 */
#include "syscall.h"

#include "dev/lines.h"
#include "kernel.h"

#define MAX_UNKNOWN 64u

static struct {
    unsigned long number, count;
} unknown[MAX_UNKNOWN];
static unsigned nr_unknown;

/* Calls that programs do without, and expect to: not counted. */
syscall_fn sys_absent;
long sys_absent(const unsigned long *arg)
{
    (void)arg;
    return -ENOSYS;
}

void syscall_count_unknown(unsigned long number)
{
    unsigned i = 0;
    while (i < nr_unknown && unknown[i].number != number)
        i++;
    if (i == nr_unknown && nr_unknown < MAX_UNKNOWN)
        unknown[nr_unknown++].number = number;
    if (i < nr_unknown)
        unknown[i].count++;
}

void syscall_tell_unknown(void)
{
    for (unsigned i = 0; i < nr_unknown; i++) {
        unsigned long number = unknown[i].number;
        const char *name = number < nr_syscalls ? syscall_table[number].name : NULL;
        if (name)
            tell("unknown %s %lu\n", name, unknown[i].count);
        else
            tell("unknown %ld %lu\n", (long)number, unknown[i].count);
    }
}
