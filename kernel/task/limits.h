/* kernel/task/limits.h: resource limits (man 2 getrlimit) */
#ifndef KERNEL_TASK_LIMITS_H
#define KERNEL_TASK_LIMITS_H

#include "task/task.h"

#define RLIMIT_CPU 0
#define RLIMIT_FSIZE 1
#define RLIMIT_DATA 2
#define RLIMIT_STACK 3
#define RLIMIT_CORE 4
#define RLIMIT_RSS 5
#define RLIMIT_NPROC 6
#define RLIMIT_NOFILE 7
#define RLIMIT_MEMLOCK 8
#define RLIMIT_AS 9
#define RLIMIT_LOCKS 10
#define RLIMIT_SIGPENDING 11
#define RLIMIT_MSGQUEUE 12
#define RLIMIT_NICE 13
#define RLIMIT_RTPRIO 14
#define RLIMIT_RTTIME 15

/* As the first process has them. */
void limits_init(struct rlimit64 limit[NR_RLIMITS]);

/* An address space gets the limits of a process: at exec, and when limits or numbers change. Locked
 * memory has none with CAP_IPC_LOCK. */
void limits_apply(const struct process *process, struct quire_mm *mm);
/* The same to the process's own, unless it is a guest in its parent's memory, as the child of a
 * vfork is: then its exec will. */
void limits_changed(const struct process *process);

#endif
