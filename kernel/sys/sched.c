/* kernel/sys/sched.c: scheduling as far as programs may ask for it
 *
 * One CPU, one policy: turns of equal length. Nice values are noted and told, and change nothing.
 */
#include "task/sched.h"
#include "errno.h"
#include "memory.h"
#include "sys/calls_resource.h"
#include "task/capability.h"
#include "task/lifecycle.h"
#include "task/limits.h"
#include "user.h"

#define SCHED_OTHER 0
#define SCHED_FIFO 1
#define SCHED_RR 2
#define SCHED_BATCH 3
#define SCHED_IDLE 5
#define SCHED_DEADLINE 6
#define SCHED_RESET_ON_FORK 0x40000000
#define REAL_TIME_MAX 99

/* 0: the caller. NULL: -ESRCH. */
static struct task *task_of(int tid)
{
    return tid ? task_find(tid) : current;
}

static bool may_change(const struct process *other)
{
    const struct credentials *own = &current_process()->credentials;
    const struct credentials *who = &other->credentials;
    return credentials_can(own, CAP_SYS_NICE) || own->euid == who->uid || own->euid == who->euid;
}

long sys_sched_yield(const unsigned long *arg)
{
    (void)arg;
    schedule();
    return 0;
}

/* ---- CPUs ------------------------------------------------------------------------------------ */

/* sched_getaffinity(pid, size, mask): bytes written. */
long sys_sched_getaffinity(const unsigned long *arg)
{
    unsigned size = (unsigned)arg[1];
    const unsigned long mask = 1;
    if (!size || size & (sizeof mask - 1))
        return -EINVAL;
    if (!task_of((int)arg[0]))
        return -ESRCH;
    return copy_to_user(arg[2], &mask, sizeof mask) ? -EFAULT : (long)sizeof mask;
}

/* What counts of the mask is CPU 0's bit. */
long sys_sched_setaffinity(const unsigned long *arg)
{
    unsigned size = (unsigned)arg[1];
    uint8_t first = 0;
    if (size && copy_from_user(&first, arg[2], sizeof first))
        return -EFAULT;
    const struct task *task = task_of((int)arg[0]);
    if (!task)
        return -ESRCH;
    if (!may_change(task->process))
        return -EPERM;
    return first & 1 ? 0 : -EINVAL;
}

/* ---- policies -------------------------------------------------------------------------------- */

/* The static priority of OTHER is 0. Real-time turns aren't given to anybody. */
static long set_policy(int pid, int policy, uintptr_t param)
{
    int priority;
    if (!param || pid < 0)
        return -EINVAL;
    if (copy_from_user(&priority, param, sizeof priority))
        return -EFAULT;
    const struct task *task = task_of(pid);
    if (!task)
        return -ESRCH;
    policy &= ~SCHED_RESET_ON_FORK;
    bool real_time = policy == SCHED_FIFO || policy == SCHED_RR;
    if (!real_time && policy != SCHED_OTHER)
        return -EINVAL;
    if (real_time ? priority < 1 || priority > REAL_TIME_MAX : priority != 0)
        return -EINVAL;
    return real_time || !may_change(task->process) ? -EPERM : 0;
}

long sys_sched_setscheduler(const unsigned long *arg)
{
    return (int)arg[1] < 0 ? -EINVAL : set_policy((int)arg[0], (int)arg[1], arg[2]);
}

long sys_sched_setparam(const unsigned long *arg)
{
    return set_policy((int)arg[0], SCHED_OTHER, arg[1]);
}

long sys_sched_getscheduler(const unsigned long *arg)
{
    if ((int)arg[0] < 0)
        return -EINVAL;
    return task_of((int)arg[0]) ? SCHED_OTHER : -ESRCH;
}

long sys_sched_getparam(const unsigned long *arg)
{
    const int priority = 0;
    if (!arg[1] || (int)arg[0] < 0)
        return -EINVAL;
    return task_of((int)arg[0]) ? copy_to_user(arg[1], &priority, sizeof priority) : -ESRCH;
}

static long priority_bound(int policy, long real_time)
{
    switch (policy) {
    case SCHED_FIFO:
    case SCHED_RR:
        return real_time;
    case SCHED_OTHER:
    case SCHED_BATCH:
    case SCHED_IDLE:
    case SCHED_DEADLINE:
        return 0;
    default:
        return -EINVAL;
    }
}

long sys_sched_get_priority_max(const unsigned long *arg)
{
    return priority_bound((int)arg[0], REAL_TIME_MAX);
}

long sys_sched_get_priority_min(const unsigned long *arg)
{
    return priority_bound((int)arg[0], 1);
}

long sys_sched_rr_get_interval(const unsigned long *arg)
{
    const long turn[2] = {0, TURN_NS};
    if ((int)arg[0] < 0)
        return -EINVAL;
    return task_of((int)arg[0]) ? copy_to_user(arg[1], turn, sizeof turn) : -ESRCH;
}

#if !defined(__x86_64__)
long sys_sched_rr_get_interval_time64(const unsigned long *arg)
{
    const int64_t turn[2] = {0, TURN_NS};
    if ((int)arg[0] < 0)
        return -EINVAL;
    return task_of((int)arg[0]) ? copy_to_user(arg[1], turn, sizeof turn) : -ESRCH;
}
#endif

/* ---- nice ------------------------------------------------------------------------------------ */

#define NICE_MIN (-20)
#define NICE_MAX 19
#define PRIO_PROCESS 0
#define PRIO_PGRP 1
#define PRIO_USER 2

/* Whom getpriority(which, who) means; 0: the caller, his group, his user. */
static bool is_meant(const struct process *process, int which, int who)
{
    const struct process *own = current_process();
    if (process->zombie)
        return false;
    if (which == PRIO_PROCESS)
        return process == own ? !who || who == own->pid : process->pid == who;
    if (which == PRIO_PGRP)
        return process->pgid == (who ? who : own->pgid);
    return process->credentials.uid == (who ? (uint32_t)who : own->credentials.uid);
}

/* RLIMIT_NICE counts from 20 (nice 0) up to 40 (-20). */
static bool may_be_nicer(const struct process *process, int nice)
{
    return nice >= process->attributes.nice || caller_can(CAP_SYS_NICE) ||
           (uint64_t)(20 - nice) <= process->limit[RLIMIT_NICE].current;
}

static int set_nice(struct process *process, int nice)
{
    const struct credentials *own = &current_process()->credentials;
    const struct credentials *who = &process->credentials;
    if (!credentials_can(own, CAP_SYS_NICE) && own->euid != who->uid && own->euid != who->euid)
        return -EPERM;
    if (!may_be_nicer(process, nice))
        return -EACCES;
    process->attributes.nice = nice;
    return 0;
}

static int clamp_nice(long nice)
{
    return nice < NICE_MIN ? NICE_MIN : nice > NICE_MAX ? NICE_MAX : (int)nice;
}

/* 40 to 1, so that it is no errno: the highest of those who are meant. */
long sys_getpriority(const unsigned long *arg)
{
    int which = (int)arg[0];
    long highest = -ESRCH;
    if (which < PRIO_PROCESS || which > PRIO_USER)
        return -EINVAL;
    list_for_each (at, &all_processes) {
        const struct process *process = quire_container_of(at, struct process, all);
        long priority = 20 - process->attributes.nice;
        if (is_meant(process, which, (int)arg[1]) && priority > highest)
            highest = priority;
    }
    return highest;
}

long sys_setpriority(const unsigned long *arg)
{
    int which = (int)arg[0], nice = clamp_nice((int)arg[2]);
    int result = -ESRCH;
    if (which < PRIO_PROCESS || which > PRIO_USER)
        return -EINVAL;
    list_for_each (at, &all_processes) {
        struct process *process = quire_container_of(at, struct process, all);
        if (!is_meant(process, which, (int)arg[1]))
            continue;
        int error = set_nice(process, nice);
        if (error || result == -ESRCH)
            result = error;
    }
    return result;
}

#if !defined(__x86_64__)
long sys_nice(const unsigned long *arg)
{
    struct process *process = current_process();
    int step = (int)arg[0] < -40 ? -40 : (int)arg[0] > 40 ? 40 : (int)arg[0];
    int nice = clamp_nice(process->attributes.nice + step);
    if (step < 0 && !may_be_nicer(process, nice))
        return -EPERM;
    process->attributes.nice = nice;
    return 0;
}
#endif
