/* kernel/task/arch_task.h: what each architecture does for tasks */
#ifndef KERNEL_TASK_ARCH_TASK_H
#define KERNEL_TASK_ARCH_TASK_H

#include "task/task.h"

/* From one task to another: segments, FPU, address space, stack. Returns when `previous` runs
 * again. */
void arch_switch(struct task *previous, struct task *next);
/* A stack on which the first switch comes out in task_begin, with the task's frame on top. */
void arch_prepare(struct task *task);
/* As a program finds them at its start. */
void arch_reset(struct arch_task *arch);
/* Takes over what the CPU has of `current` now, to be copied for a child. */
void arch_save(struct task *task);
/* A child has the parent's segments, or a copy: -ENOMEM. Who leaves his memory leaves them, too. */
QUIRE_MUST_CHECK int arch_fork_process(struct process *child, const struct process *parent,
                                       bool same_memory);
void arch_end_process(struct process *process);
/* What CLONE_SETTLS says: a base address on x86-64, a user_desc's address on i386. */
QUIRE_MUST_CHECK int arch_set_tls(struct task *task, uintptr_t tls);
/* What the CPU has of `current` is set again after a change to its arch_task. */
void arch_load(struct task *task);

/* entry.S */
void switch_stacks(void **save, void *load);
extern char task_entry[];

#endif
