/* kernel/sys/kill.c: sending signals (man 2 kill, tgkill, rt_sigqueueinfo)
 */
#include "sys/calls_signal.h"
#include "sys/other_process.h"
#include "task/lifecycle.h"
#include "task/siginfo.h"
#include "user.h"

static bool is_permitted(const struct process *target, int number)
{
    const struct credentials *own = &current_process()->credentials;
    const struct credentials *others = &target->credentials;
    if (credentials_can(own, CAP_KILL) || own->euid == others->suid || own->euid == others->uid ||
        own->uid == others->suid || own->uid == others->uid)
        return true;
    return number == SIGCONT && target->sid == current_process()->sid;
}

/* Number 0 asks whether it could be sent. */
static int send(struct process *process, struct task *task, const struct signal_info *info)
{
    if (info->number < 0 || info->number > NR_SIGNALS)
        return -EINVAL;
    if (!is_permitted(process, info->number))
        return -EPERM;
    return info->number ? signal_send(process, task, info->number, info) : 0;
}

static struct signal_info info_of(unsigned long number, int code)
{
    const struct process *process = current_process();
    return (struct signal_info){
        .number = (int)number, .code = code, .pid = process->pid, .uid = process->credentials.uid};
}

/* Any of its threads names a process. */
static struct process *process_of(int number)
{
    struct process *process = process_find(number);
    struct task *task = process ? NULL : task_find(number);
    return task ? task->process : process;
}

/* ---- kill ------------------------------------------------------------------------------------ */

/* To one group, or with `pgid` 0 to all but the kernel's processes and the caller's own. It has
 * failed when it failed for all. */
static int send_to_many(int pgid, const struct signal_info *info)
{
    int result = -ESRCH;
    list_for_each (at, &all_processes) {
        struct process *process = quire_container_of(at, struct process, all);
        if (pgid ? process->pgid != pgid : !process->parent || process == current_process())
            continue;
        int error = send(process, NULL, info);
        if (result)
            result = error;
    }
    return result;
}

long sys_kill(const unsigned long *arg)
{
    int pid = (int)arg[0];
    struct signal_info info = info_of(arg[1], SI_USER);
    if (info.number < 0 || info.number > NR_SIGNALS)
        return -EINVAL;
    if (pid == INT32_MIN)
        return -ESRCH;
    if (!pid)
        return send_to_many(current_process()->pgid, &info);
    if (pid < 0)
        return send_to_many(pid == -1 ? 0 : -pid, &info);
    struct process *process = process_of(pid);
    return process ? send(process, NULL, &info) : -ESRCH;
}

/* ---- threads --------------------------------------------------------------------------------- */

/* `pid` 0: of whatever process. */
static long send_to_thread(int pid, int tid, const struct signal_info *info)
{
    struct task *task = task_find(tid);
    if (!task || (pid && task->process->pid != pid))
        return -ESRCH;
    return send(task->process, task, info);
}

long sys_tkill(const unsigned long *arg)
{
    struct signal_info info = info_of(arg[1], SI_TKILL);
    return (int)arg[0] <= 0 ? -EINVAL : send_to_thread(0, (int)arg[0], &info);
}

long sys_tgkill(const unsigned long *arg)
{
    struct signal_info info = info_of(arg[2], SI_TKILL);
    if ((int)arg[0] <= 0 || (int)arg[1] <= 0)
        return -EINVAL;
    return send_to_thread((int)arg[0], (int)arg[1], &info);
}

/* ---- with a value ---------------------------------------------------------------------------- */

/* Nobody may pretend to another that the kernel or kill sent it. */
static int read_info(struct signal_info *info, uintptr_t at, unsigned long number, bool to_self)
{
    struct user_siginfo user;
    if (copy_from_user(&user, at, sizeof user))
        return -EFAULT;
    siginfo_from_user(info, &user);
    info->number = (int)number;
    return !to_self && (info->code >= 0 || info->code == SI_TKILL) ? -EPERM : 0;
}

long sys_rt_sigqueueinfo(const unsigned long *arg)
{
    struct signal_info info;
    struct process *process = process_of((int)arg[0]);
    int error = read_info(&info, arg[2], arg[1], process == current_process());
    if (error)
        return error;
    /* The copy may have slept. */
    process = process_of((int)arg[0]);
    return process ? send(process, NULL, &info) : -ESRCH;
}

long sys_rt_tgsigqueueinfo(const unsigned long *arg)
{
    struct signal_info info;
    int pid = (int)arg[0], tid = (int)arg[1];
    if (pid <= 0 || tid <= 0)
        return -EINVAL;
    int error = read_info(&info, arg[3], arg[2], pid == current_process()->pid);
    return error ? error : send_to_thread(pid, tid, &info);
}

/* pidfd_send_signal(pidfd, number, info, flags). */
long sys_pidfd_send_signal(const unsigned long *arg)
{
    struct signal_info info = info_of(arg[1], SI_USER);
    int error;
    if (arg[3] & UINT32_MAX)
        return -EINVAL;
    const struct process *process = process_of_pidfd(arg[0], &error);
    if (!process)
        return error;
    if (arg[2]) {
        struct user_siginfo user;
        if (copy_from_user(&user, arg[2], sizeof user))
            return -EFAULT;
        siginfo_from_user(&info, &user);
        if (info.number != (int)arg[1])
            return -EINVAL;
        process = process_of_pidfd(arg[0], &error); /* the copy may have slept */
        if (!process)
            return error;
        if (process != current_process() && (info.code >= 0 || info.code == SI_TKILL))
            return -EPERM;
    }
    return send(process_find(process->pid), NULL, &info);
}
