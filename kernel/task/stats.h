/* kernel/task/stats.h: what the machine tells of itself at its end, and of processes at theirs
 *
 * On a line of its own, if the command line has the word `stats`; docs/machine.md has the form.
 */
#ifndef KERNEL_TASK_STATS_H
#define KERNEL_TASK_STATS_H

#include <stdbool.h>

#include "task/task.h"

extern bool stats_wanted;

/* Before the first program, whose process it is, begins. */
void stats_init(const struct process *program);

/* On each tick of the clock: how little memory is free. */
void stats_sample(void);

/* A process without memory and files that is about to be a zombie. May sleep. */
void stats_tell_end(struct process *process);

/* The machine's end: processes that are left, then all views. May sleep. */
void stats_tell_all(void);

#endif
