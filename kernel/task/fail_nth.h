/* kernel/task/fail_nth.h: the N-th allocation of a task fails, for tests
 *
 * With `fail-alloc` on the command line /proc/PID/fail-nth, also of threads, takes a number N, and
 * perhaps a second one, COUNT: of the allocations that the task makes from then on, frames by
 * frames and object by object, the N-th and those after it, COUNT in all, get nothing. Reading
 * tells how far it is still to the first that fails, 0 when one has (Linux:
 * Documentation/fault-injection). Without the word there is no such file, and nothing is asked
 * before an allocation.
 *
 * The N-th of one run is the N-th of the next if both do the same: so a program can have each of an
 * operation's allocations fail in turn, until the operation needs fewer.
 */
#ifndef KERNEL_TASK_FAIL_NTH_H
#define KERNEL_TASK_FAIL_NTH_H

#include <quire/phys.h>

struct task;

extern bool fail_nth_is_there;

/* Before memory_init. */
void fail_nth_init(const char *command_line);

/* Whether the current task's next allocation fails. */
bool fail_nth_object(void *arg);
bool fail_nth_pages(void *arg, quire_gfp_t gfp, unsigned order);

#endif
