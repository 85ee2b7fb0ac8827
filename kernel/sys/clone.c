/* kernel/sys/clone.c: the ways to ask for a child (man 2 clone), and unshare(2)
 *
 * What may be combined is looked at by task_clone; here is what concerns arguments.
 */
#include "task/clone_flags.h"

#include "errno.h"
#include "sys/abi_memory.h"
#include "sys/calls_process.h"
#include "sys/other_process.h"
#include "task/capability.h"
#include "task/lifecycle.h"
#include "user.h"

long sys_fork(const unsigned long *arg)
{
    (void)arg;
    return task_clone(&(struct clone_arguments){.exit_signal = SIGCHLD});
}

long sys_vfork(const unsigned long *arg)
{
    (void)arg;
    return task_clone(
        &(struct clone_arguments){.flags = CLONE_VM | CLONE_VFORK, .exit_signal = SIGCHLD});
}

/* clone(flags, stack, parent_tid, child_tid, tls), of which i386 has the last two the other way
 * round. An exit signal beyond the last one is none. */
long sys_clone(const unsigned long *arg)
{
#if defined(__x86_64__)
    const unsigned child_tid = 3, tls = 4;
#else
    const unsigned child_tid = 4, tls = 3;
#endif
    struct clone_arguments arguments = {.flags = (uint32_t)arg[0] & ~CLONE_EXIT_SIGNAL,
                                        .stack = arg[1],
                                        .parent_tid = arg[2],
                                        .child_tid = arg[child_tid],
                                        .tls = arg[tls],
                                        .exit_signal = (int)(arg[0] & CLONE_EXIT_SIGNAL)};
    if (!(arguments.flags & CLONE_PIDFD) || arguments.flags & (CLONE_THREAD | CLONE_DETACHED))
        return task_clone(&arguments);
    /* Both would have the same place. */
    return arguments.flags & CLONE_PARENT_SETTID ? -EINVAL : clone_with_pidfd(&arguments, arg[2]);
}

/* ---- clone3 ---------------------------------------------------------------------------------- */

/* The same for both classes. */
struct abi_clone {
    uint64_t flags, pidfd, child_tid, parent_tid, exit_signal, stack, stack_size, tls;
    uint64_t set_tid, set_tid_size, cgroup;
};
#define FIRST_VERSION_BYTES 64u /* up to tls */
#define PIECE_BYTES 64u
#define IGNORED_BYTES_MAX 4096u

/* What a newer program passes beyond what is known has to be zero. */
static int check_rest(uintptr_t at, size_t size)
{
    char piece[PIECE_BYTES];
    while (size) {
        size_t count = size < sizeof piece ? size : sizeof piece;
        if (copy_from_user(piece, at, count))
            return -EFAULT;
        for (size_t i = 0; i < count; i++)
            if (piece[i])
                return -E2BIG;
        at += count;
        size -= count;
    }
    return 0;
}

static int read_arguments(struct abi_clone *in, uintptr_t at, size_t size)
{
    memset(in, 0, sizeof *in);
    if (size > IGNORED_BYTES_MAX)
        return -E2BIG;
    if (size < FIRST_VERSION_BYTES)
        return -EINVAL;
    if (size > sizeof *in) {
        int error = check_rest(at + sizeof *in, size - sizeof *in);
        if (error)
            return error;
        size = sizeof *in;
    }
    return copy_from_user(in, at, size);
}

static bool is_address(uint64_t address)
{
    return address <= UINTPTR_MAX;
}

static int check_arguments(const struct abi_clone *in)
{
    const uint64_t both = CLONE_SIGHAND | CLONE_CLEAR_SIGHAND;
    if (in->set_tid || in->set_tid_size || in->exit_signal > NR_SIGNALS)
        return -EINVAL;
    if (in->flags & (CLONE_DETACHED | CLONE_EXIT_SIGNAL) || (in->flags & both) == both)
        return -EINVAL;
    if (in->flags & (CLONE_THREAD | CLONE_PARENT) && in->exit_signal)
        return -EINVAL;
    if (!in->stack != !in->stack_size)
        return -EINVAL;
    if (in->stack > USER_END || in->stack_size > USER_END - in->stack)
        return -EINVAL;
    bool fit = is_address(in->parent_tid) && is_address(in->child_tid) && is_address(in->tls);
    return fit ? 0 : -EINVAL;
}

/* clone3(arguments, size). */
long sys_clone3(const unsigned long *arg)
{
    struct abi_clone in;
    int error = read_arguments(&in, arg[0], arg[1]);
    if (!error)
        error = check_arguments(&in);
    if (error)
        return error;
    const struct clone_arguments arguments = {.flags = in.flags,
                                              .stack = (uintptr_t)(in.stack + in.stack_size),
                                              .parent_tid = (uintptr_t)in.parent_tid,
                                              .child_tid = (uintptr_t)in.child_tid,
                                              .tls = (uintptr_t)in.tls,
                                              .exit_signal = (int)in.exit_signal};
    if (!(in.flags & CLONE_PIDFD) || in.flags & CLONE_THREAD)
        return task_clone(&arguments);
    bool same = in.flags & CLONE_PARENT_SETTID && in.pidfd == in.parent_tid;
    return same || !is_address(in.pidfd) ? -EINVAL
                                         : clone_with_pidfd(&arguments, (uintptr_t)in.pidfd);
}

/* ---- unshare --------------------------------------------------------------------------------- */

#define UNSHARE_PROCESS (CLONE_THREAD | CLONE_SIGHAND | CLONE_VM)
#define UNSHARE_KNOWN                                                                              \
    (UNSHARE_PROCESS | CLONE_FS | CLONE_FILES | CLONE_SYSVSEM | CLONE_NAMESPACES | CLONE_NEWTIME)

/* What one asks for brings others with it, as on Linux. */
static unsigned with_what_it_implies(unsigned flags)
{
    if (flags & CLONE_NEWUSER)
        flags |= CLONE_THREAD | CLONE_FS;
    if (flags & CLONE_VM)
        flags |= CLONE_SIGHAND;
    if (flags & CLONE_SIGHAND)
        flags |= CLONE_THREAD;
    return flags & CLONE_NEWNS ? flags | CLONE_FS : flags;
}

static bool has_memory_alone(const struct process *process)
{
    list_for_each (at, &all_processes) {
        const struct process *other = quire_container_of(at, struct process, all);
        if (other != process && other->mm == process->mm)
            return false;
    }
    return true;
}

/* unshare(flags). Memory, handlers and the process itself can't be left: who asks for it has to
 * have them alone already. There are no namespaces, which are root's to ask for. */
long sys_unshare(const unsigned long *arg)
{
    const struct process *process = current_process();
    unsigned flags = with_what_it_implies((unsigned)arg[0]);
    const unsigned namespaces = CLONE_NAMESPACES | CLONE_NEWTIME;
    if (flags & ~UNSHARE_KNOWN || (flags & UNSHARE_PROCESS && process->nr_threads > 1) ||
        (flags & CLONE_SIGHAND && !list_empty(&process->actions_sharers)) ||
        (flags & CLONE_VM && !has_memory_alone(process)))
        return -EINVAL;
    if (flags & namespaces)
        return flags & CLONE_NEWUSER || caller_can(CAP_SYS_ADMIN) ? -EINVAL : -EPERM;
    return task_unshare_files(flags & CLONE_FILES, flags & CLONE_FS);
}
