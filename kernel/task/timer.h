/* kernel/task/timer.h: interval timers; their clock's side is in task/lifecycle.h */
#ifndef KERNEL_TASK_TIMER_H
#define KERNEL_TASK_TIMER_H

#include "task/task.h"

/* ns until a timer is due, at least 1; 0: it is off. */
uint64_t timer_left(const struct itimer *timer, uint64_t now);

#endif
