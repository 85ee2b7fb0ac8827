/* kernel/sys/other_process.h: another process's memory, for who may have it */
#ifndef KERNEL_SYS_OTHER_PROCESS_H
#define KERNEL_SYS_OTHER_PROCESS_H

#include "task/lifecycle.h"

/* Whether the current process may look into `other`, as ptrace(2) may attach. */
bool may_access_process(const struct process *other);
/* The memory of a process, or with 0 one's own, with a reference: after quire_mm_put comes
 * shm_reap. -ESRCH; -EPERM; -EINVAL: it has none any more. */
QUIRE_MUST_CHECK int other_mm(int pid, struct quire_mm **mm);
/* Of a descriptor (pidfd.c); NULL and *error: -EBADF, -ESRCH. May sleep, but not after it has found
 * it. */
struct process *process_of_pidfd(unsigned long fd, int *error);
/* Whether it is one with O_NONBLOCK, which isn't waited for. */
bool pidfd_is_impatient(unsigned long fd);
/* task_clone, with a descriptor of the child, whose number is written to `to` before. */
QUIRE_MUST_CHECK long clone_with_pidfd(const struct clone_arguments *arguments, uintptr_t to);

#endif
