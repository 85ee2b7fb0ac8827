/* kernel/sys/process.c: numbers of processes, groups and sessions (man 2 setpgid, setsid), and ends
 */
#include "errno.h"
#include "sys/calls_process.h"
#include "task/lifecycle.h"
#include "user.h"

long sys_getpid(const unsigned long *arg)
{
    (void)arg;
    return current_process()->pid;
}

long sys_gettid(const unsigned long *arg)
{
    (void)arg;
    return current->tid;
}

long sys_getppid(const unsigned long *arg)
{
    (void)arg;
    const struct process *parent = current_process()->parent;
    return parent ? parent->pid : 0;
}

long sys_set_tid_address(const unsigned long *arg)
{
    current->clear_child_tid = arg[0];
    return current->tid;
}

long sys_exit(const unsigned long *arg)
{
    task_exit((int)(arg[0] & 0xff) << 8);
}

long sys_exit_group(const unsigned long *arg)
{
    process_exit((int)(arg[0] & 0xff) << 8);
}

/* ---- groups and sessions --------------------------------------------------------------------- */

/* Whether there is such a group in a session. */
static bool group_exists(int pgid, int sid)
{
    list_for_each (at, &all_processes) {
        const struct process *process = quire_container_of(at, struct process, all);
        if (process->pgid == pgid && process->sid == sid)
            return true;
    }
    return false;
}

/* Whom setpgid may move: the caller, or a child of his session that runs his program still. */
static int check_member(const struct process *process)
{
    const struct process *own = current_process();
    if (process == own)
        return process->sid == process->pid ? -EPERM : 0;
    if (process->parent != own)
        return -ESRCH;
    if (process->sid != own->sid)
        return -EPERM;
    if (process->attributes.executed)
        return -EACCES;
    return process->sid == process->pid ? -EPERM : 0;
}

long sys_setpgid(const unsigned long *arg)
{
    const struct process *own = current_process();
    int pid = (int)arg[0] ? (int)arg[0] : own->pid, pgid = (int)arg[1] ? (int)arg[1] : pid;
    if (pgid < 0)
        return -EINVAL;
    struct process *process = process_find(pid);
    if (!process)
        return task_find(pid) ? -EINVAL : -ESRCH;
    int error = check_member(process);
    if (error)
        return error;
    if (pgid != pid && !group_exists(pgid, own->sid))
        return -EPERM;
    process->pgid = pgid;
    return 0;
}

long sys_getpgid(const unsigned long *arg)
{
    const struct process *process = (int)arg[0] ? process_find((int)arg[0]) : current_process();
    return process ? process->pgid : -ESRCH;
}

long sys_getpgrp(const unsigned long *arg)
{
    (void)arg;
    return current_process()->pgid;
}

long sys_getsid(const unsigned long *arg)
{
    const struct process *process = (int)arg[0] ? process_find((int)arg[0]) : current_process();
    return process ? process->sid : -ESRCH;
}

/* Not by who leads a group already, or whose number is one's. */
long sys_setsid(const unsigned long *arg)
{
    (void)arg;
    struct process *own = current_process();
    list_for_each (at, &all_processes)
        if (quire_container_of(at, struct process, all)->pgid == own->pid)
            return -EPERM;
    own->sid = own->pgid = own->pid;
    return own->pid;
}
