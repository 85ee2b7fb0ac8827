/* kernel/sys/wait.c: wait4(2), waitpid(2), waitid(2)
 */
#include "task/wait.h"

#include "errno.h"
#include "sys/abi_resource.h"
#include "sys/calls_process.h"
#include "sys/other_process.h"
#include "task/signal.h"
#include "user.h"

#define WNOHANG 0x00000001u
#define WUNTRACED 0x00000002u /* of waitid: WSTOPPED */
#define WEXITED 0x00000004u
#define WCONTINUED 0x00000008u
#define WNOWAIT 0x01000000u
#define WNOTHREAD 0x20000000u /* children are a process's: it makes no difference */
#define WALL 0x40000000u
#define WCLONE 0x80000000u
#define ANY_KIND (WNOTHREAD | WALL | WCLONE)

/* Children are those that tell of their end by SIGCHLD, but with one of these. */
static enum wait_kind kind_of(unsigned options)
{
    return options & WALL ? WAIT_ANY_KIND : options & WCLONE ? WAIT_CLONES : WAIT_CHILDREN;
}

#define P_ALL 0
#define P_PID 1
#define P_PGID 2
#define P_PIDFD 3

static int give_usage(uintptr_t to, const struct wait_result *result)
{
    struct abi_rusage usage;
    if (!to)
        return 0;
    abi_rusage_from(&usage, &result->times);
    return copy_to_user(to, &usage, sizeof usage);
}

/* -1: any; 0: of the caller's group; less: of group -pid. */
static int whom(struct wait_request *request, int pid)
{
    if (pid == INT32_MIN)
        return -ESRCH;
    request->type = pid == -1 ? WAIT_ALL : pid > 0 ? WAIT_PID : WAIT_GROUP;
    request->id = pid > 0 ? pid : pid ? -pid : current_process()->pgid;
    return 0;
}

static long wait_for(int pid, uintptr_t status, unsigned options, uintptr_t usage)
{
    struct wait_request request = {.kind = kind_of(options),
                                   .exited = true,
                                   .stopped = options & WUNTRACED,
                                   .continued = options & WCONTINUED,
                                   .block = !(options & WNOHANG)};
    struct wait_result result;
    if (options & ~(WNOHANG | WUNTRACED | WCONTINUED | ANY_KIND))
        return -EINVAL;
    int error = whom(&request, pid);
    if (!error)
        error = wait_for_child(&request, &result);
    if (error || !result.pid)
        return error;
    if (status && copy_to_user(status, &result.status, sizeof result.status))
        return -EFAULT;
    return give_usage(usage, &result) ? -EFAULT : result.pid;
}

long sys_wait4(const unsigned long *arg)
{
    return wait_for((int)arg[0], arg[1], (unsigned)arg[2], arg[3]);
}

#if !defined(__x86_64__)
long sys_waitpid(const unsigned long *arg)
{
    return wait_for((int)arg[0], arg[1], (unsigned)arg[2], 0);
}
#endif

/* ---- waitid ---------------------------------------------------------------------------------- */

/* The two parts of siginfo_t that are written; x86-64 has padding between them. */
struct abi_siginfo_head {
    int number, error, code;
};
struct abi_siginfo_child {
    int pid;
    uint32_t uid;
    int status;
};
#if defined(__x86_64__)
#define CHILD_OFFSET 16u
#else
#define CHILD_OFFSET 12u
#endif

static void describe_end(const struct wait_result *result, struct abi_siginfo_head *head,
                         struct abi_siginfo_child *child)
{
    int status = result->status;
    if (status == 0xffff) {
        head->code = CLD_CONTINUED;
        child->status = SIGCONT;
    } else if ((status & 0xff) == 0x7f) {
        head->code = CLD_STOPPED;
        child->status = status >> 8 & 0xff;
    } else if (status & 0x7f) {
        head->code = status & STATUS_DUMPED ? CLD_DUMPED : CLD_KILLED;
        child->status = status & 0x7f;
    } else {
        head->code = CLD_EXITED;
        child->status = status >> 8 & 0xff;
    }
}

/* All zero when there is no news. */
static int give_siginfo(uintptr_t to, const struct wait_result *result)
{
    struct abi_siginfo_head head = {0};
    struct abi_siginfo_child child = {0};
    if (!to)
        return 0;
    if (result->pid) {
        head.number = SIGCHLD;
        child.pid = result->pid;
        child.uid = result->uid;
        describe_end(result, &head, &child);
    }
    if (copy_to_user(to, &head, sizeof head))
        return -EFAULT;
    return copy_to_user(to + CHILD_OFFSET, &child, sizeof child);
}

static int whom_by_type(struct wait_request *request, int type, int id)
{
    switch (type) {
    case P_ALL:
        request->type = WAIT_ALL;
        return 0;
    case P_PID:
        request->type = WAIT_PID;
        request->id = id;
        return id > 0 ? 0 : -EINVAL;
    case P_PGID:
        request->type = WAIT_GROUP;
        request->id = id ? id : current_process()->pgid;
        return id >= 0 ? 0 : -EINVAL;
    case P_PIDFD: {
        int error = id < 0 ? -EINVAL : 0;
        const struct process *process = error ? NULL : process_of_pidfd((unsigned long)id, &error);
        request->type = WAIT_PID;
        request->id = process ? process->pid : 0;
        return error == -ESRCH ? -ECHILD : error;
    }
    default:
        return -EINVAL;
    }
}

/* The result has no process if there is no news. */
static int wait_as_asked(const unsigned long *arg, struct wait_result *result)
{
    const unsigned options = (unsigned)arg[3], news = WEXITED | WUNTRACED | WCONTINUED;
    const bool is_patient = !((int)arg[0] == P_PIDFD && pidfd_is_impatient(arg[1]));
    struct wait_request request = {.kind = kind_of(options),
                                   .exited = options & WEXITED,
                                   .stopped = options & WUNTRACED,
                                   .continued = options & WCONTINUED,
                                   .block = !(options & WNOHANG) && is_patient,
                                   .keep = options & WNOWAIT};
    if (options & ~(news | WNOHANG | WNOWAIT | ANY_KIND) || !(options & news))
        return -EINVAL;
    int error = whom_by_type(&request, (int)arg[0], (int)arg[1]);
    if (!error)
        error = wait_for_child(&request, result);
    if (!error && !result->pid && !is_patient && !(options & WNOHANG))
        error = -EAGAIN;
    return error;
}

/* waitid(type, id, siginfo, options, usage). What goes wrong leaves zeroes there, too. */
long sys_waitid(const unsigned long *arg)
{
    const struct wait_result none = {0};
    struct wait_result result = none;
    int error = wait_as_asked(arg, &result);
    if (!error && result.pid && give_usage(arg[4], &result))
        return -EFAULT;
    if (give_siginfo(arg[2], error ? &none : &result))
        return -EFAULT;
    return error;
}
