/* kernel/sys/resource.c: limits, and what was used (man 2 getrlimit, getrusage)
 */
#include "errno.h"
#include "fs/files.h"
#include "memory.h"
#include "sys/abi_resource.h"
#include "sys/calls_resource.h"
#include "task/capability.h"
#include "task/lifecycle.h"
#include "task/limits.h"
#include "task/sched.h"
#include "user.h"

#define INFINITE ~0ul           /* as a register has it */
#define MAX_OPEN_FILES 1048576u /* fs.nr_open */
#define RUSAGE_SELF 0
#define RUSAGE_CHILDREN (-1)
#define RUSAGE_THREAD 1

/* ---- limits ---------------------------------------------------------------------------------- */

static void spread_limit(struct process *process, unsigned resource)
{
    uint64_t limit = process->limit[resource].current;
    list_for_each (at, &process->threads) {
        struct files *files = quire_container_of(at, struct task, thread)->files;
        if (resource == RLIMIT_NOFILE && files)
            files_set_limit(files, limit < FILES_MAX_LIMIT ? (unsigned)limit : FILES_MAX_LIMIT);
    }
    limits_changed(process);
}

static int set_limit(struct process *process, unsigned resource, const struct rlimit64 *wanted)
{
    struct rlimit64 *limit = &process->limit[resource];
    if (wanted->current > wanted->max)
        return -EINVAL;
    if (resource == RLIMIT_NOFILE && wanted->max > MAX_OPEN_FILES)
        return -EPERM;
    if (wanted->max > limit->max && !caller_can(CAP_SYS_RESOURCE))
        return -EPERM;
    *limit = *wanted;
    spread_limit(process, resource);
    return 0;
}

static uint64_t widen(unsigned long limit)
{
    return limit == INFINITE ? QUIRE_LIMIT_INFINITE : limit;
}

static unsigned long narrow(uint64_t limit, unsigned long most)
{
    return limit > most ? most : (unsigned long)limit;
}

/* What doesn't fit, or is more than `most`, is infinite. */
static long get_limit(const unsigned long *arg, unsigned long most)
{
    unsigned resource = (unsigned)arg[0];
    if (resource >= NR_RLIMITS)
        return -EINVAL;
    const struct rlimit64 *limit = &current_process()->limit[resource];
    struct abi_rlimit out = {narrow(limit->current, most), narrow(limit->max, most)};
    return copy_to_user(arg[1], &out, sizeof out);
}

long sys_getrlimit(const unsigned long *arg)
{
    return get_limit(arg, INFINITE);
}

#if !defined(__x86_64__)
/* The first getrlimit of i386, for programs that count signed. */
long sys_old_getrlimit(const unsigned long *arg)
{
    return get_limit(arg, 0x7fffffff);
}
#endif

long sys_setrlimit(const unsigned long *arg)
{
    struct abi_rlimit in;
    if (copy_from_user(&in, arg[1], sizeof in))
        return -EFAULT;
    struct rlimit64 wanted = {widen(in.current), widen(in.max)};
    return (unsigned)arg[0] < NR_RLIMITS ? set_limit(current_process(), (unsigned)arg[0], &wanted)
                                         : -EINVAL;
}

static bool may_limit(const struct process *other)
{
    const struct credentials *own = &current_process()->credentials, *who = &other->credentials;
    if (other == current_process() || credentials_can(own, CAP_SYS_RESOURCE))
        return true;
    return own->uid == who->euid && own->uid == who->suid && own->uid == who->uid &&
           own->gid == who->egid && own->gid == who->sgid && own->gid == who->gid;
}

/* prlimit64(pid, resource, new, old). */
long sys_prlimit64(const unsigned long *arg)
{
    unsigned resource = (unsigned)arg[1];
    struct rlimit64 wanted, old;
    if (arg[2] && copy_from_user(&wanted, arg[2], sizeof wanted))
        return -EFAULT;
    struct task *task = arg[0] ? task_find((int)arg[0]) : current;
    if (!task)
        return -ESRCH;
    if (!may_limit(task->process))
        return -EPERM;
    if (resource >= NR_RLIMITS)
        return -EINVAL;
    old = task->process->limit[resource];
    int error = arg[2] ? set_limit(task->process, resource, &wanted) : 0;
    if (error)
        return error;
    return arg[3] ? copy_to_user(arg[3], &old, sizeof old) : 0;
}

/* ---- use ------------------------------------------------------------------------------------- */

static struct abi_timeval timeval(uint64_t ns)
{
    return (struct abi_timeval){(long)(ns / 1000000000), (long)(ns / 1000 % 1000000)};
}

void abi_rusage_from(struct abi_rusage *usage, const struct rusage_times *times)
{
    *usage = (struct abi_rusage){0};
    usage->user = timeval(times->user_ns);
    usage->system = timeval(times->system_ns);
    usage->max_rss = (long)(times->max_rss << (QUIRE_PAGE_SHIFT - 10));
    usage->min_flt = (long)times->min_flt;
    usage->maj_flt = (long)times->maj_flt;
}

/* What only all of a process has, its memory, is told of each thread. */
static void thread_times(struct rusage_times *times)
{
    sched_account();
    sched_account_faults();
    process_times(current_process(), times);
    times->user_ns = current->user_ns;
    times->system_ns = current->system_ns;
    times->min_flt = current->min_flt;
    times->maj_flt = current->maj_flt;
}

long sys_getrusage(const unsigned long *arg)
{
    const struct process *process = current_process();
    struct rusage_times times;
    struct abi_rusage usage;
    switch ((int)arg[0]) {
    case RUSAGE_SELF:
        process_times(current_process(), &times);
        break;
    case RUSAGE_THREAD:
        thread_times(&times);
        break;
    case RUSAGE_CHILDREN:
        times = (struct rusage_times){.user_ns = process->children_user_ns,
                                      .system_ns = process->children_system_ns,
                                      .min_flt = process->children_min_flt,
                                      .maj_flt = process->children_maj_flt,
                                      .max_rss = process->children_max_rss};
        break;
    default:
        return -EINVAL;
    }
    abi_rusage_from(&usage, &times);
    return copy_to_user(arg[1], &usage, sizeof usage);
}
