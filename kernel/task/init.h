/* kernel/task/init.h: the first process, the kernel's own, which starts the program */
#ifndef KERNEL_TASK_INIT_H
#define KERNEL_TASK_INIT_H

#include "pvh.h"
#include "task/task.h"

extern struct process *init_process;

/* Makes the first process and hands it the machine. */
_Noreturn void run_program(const struct pvh_info *info);

#endif
