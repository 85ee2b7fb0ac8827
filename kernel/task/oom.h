/* kernel/task/oom.h: processes that are killed for want of memory */
#ifndef KERNEL_TASK_OOM_H
#define KERNEL_TASK_OOM_H

#include "task/task.h"

/* From now on somebody is killed when nothing can be reclaimed. */
void oom_init(void);
/* This one, for whom nobody else could be: quire_handle_fault found no memory again and again. */
void oom_kill(struct process *process);

#endif
