/* kernel/task/init.h: the first process, the kernel's own, which starts the program */
#ifndef KERNEL_TASK_INIT_H
#define KERNEL_TASK_INIT_H

#include "pvh.h"
#include "task/task.h"

extern struct process *init_process;

/* The program that the machine is for; it ends with it, and who started the machine can continue
 * it: so its group is no orphan. */
bool init_is_program(const struct process *process);
/* If a signal stopped it. Also from interrupt handlers. */
void init_continue_program(void);
/* Before the program does, and as soon as process 1 gets to it. Also from interrupt handlers. */
void init_end_machine(void);

/* Makes the first process and hands it the machine. */
_Noreturn void run_program(const struct pvh_info *info);

#endif
