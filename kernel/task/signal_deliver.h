/* kernel/task/signal_deliver.h: signals take effect */
#ifndef KERNEL_TASK_SIGNAL_DELIVER_H
#define KERNEL_TASK_SIGNAL_DELIVER_H

#include "task/task.h"

/* Is there anything for signal_deliver to do? Also when no signal is left: an interrupted system
 * call has to begin anew, or a mask to be put back. */
bool signal_has_work(const struct trap_frame *frame);
/* On the way back to user mode: ends or stops the process, or makes the frame one of a handler.
 * Afterwards nothing is pending that isn't blocked. May sleep, and may not return. */
void signal_deliver(struct trap_frame *frame);

/* To `current`, for an exception: when it is blocked or ignored, its default action. */
void signal_force(int number, const struct signal_info *info);

/* A stopped process goes on, and its parent is told. */
void signal_continue(struct process *process);

#endif
