/* kernel/task/clone.c: fork(2), vfork(2), clone(2), clone3(2)
 */
#include "base/events.h"
#include "errno.h"
#include "fs/files.h"
#include "fs/path.h"
#include "memory.h"
#include "task/arch_task.h"
#include "task/capability.h"
#include "task/clone_flags.h"
#include "task/lifecycle.h"
#include "task/limits.h"
#include "task/sched.h"
#include "trap.h"
#include "user.h"

/* Combinations that Linux refuses, and what isn't built: namespaces, which are root's to ask for,
 * and threads with files or directories of their own. */
static int check_flags(uint64_t flags)
{
    const uint64_t thread = CLONE_VM | CLONE_SIGHAND | CLONE_THREAD;
    const uint64_t shared = CLONE_FILES | CLONE_FS;
    if ((flags & CLONE_SIGHAND) && !(flags & CLONE_VM))
        return -EINVAL;
    if ((flags & CLONE_THREAD) && (flags & thread) != thread)
        return -EINVAL;
    if ((flags & CLONE_THREAD) && (flags & shared) != shared)
        return -EINVAL;
    if ((flags & CLONE_PIDFD) && (flags & (CLONE_DETACHED | CLONE_THREAD)))
        return -EINVAL;
    if ((flags & CLONE_NAMESPACES) && !(flags & CLONE_NEWUSER) &&
        !((flags & CLONE_NEWNS) && (flags & CLONE_FS)) && !caller_can(CAP_SYS_ADMIN))
        return -EPERM;
    return flags & ~(uint64_t)CLONE_KNOWN ? -EINVAL : 0;
}

/* A shared table has the limit that was set last; a copy has its own process's. */
static struct files *copy_files(const struct process *process)
{
    struct files *copy = files_copy(process->files);
    uint64_t limit = process->limit[RLIMIT_NOFILE].current;
    if (copy)
        files_set_limit(copy, limit < FILES_MAX_LIMIT ? (unsigned)limit : FILES_MAX_LIMIT);
    return copy;
}

int process_unshare_files(struct process *process)
{
    struct files *shared = process->files;
    if (!files_is_shared(shared))
        return 0;
    struct files *copy = copy_files(process);
    if (!copy)
        return -ENOMEM;
    if (files_is_shared(shared)) {
        process->files = copy;
        files_put(shared);
    } else /* the others went meanwhile: what it has locked is locked by this table */
        files_put(copy);
    return 0;
}

/* A process like the current one; 0 or -errno. */
static int copy_process(struct process **copy, uint64_t flags)
{
    struct process *parent = current_process();
    struct quire_mm *mm = parent->mm;
    if (flags & CLONE_VM)
        quire_mm_get(mm);
    else {
        int error = quire_mm_fork(&mm, parent->mm);
        if (error)
            return error;
    }
    struct process *process =
        process_create(flags & CLONE_PARENT ? parent->parent : parent, parent, mm);
    if (!process) {
        quire_mm_put(mm);
        return -ENOMEM;
    }
    if (flags & CLONE_VM)
        process_joined_mm(process);
    else
        quire_mm_set_name(mm, process->pid, process->name);
    if (flags & CLONE_SIGHAND)
        signal_share_actions(process, parent);
    if (flags & CLONE_CLEAR_SIGHAND)
        signal_reset_handlers(process);
    process->files = flags & CLONE_FILES ? files_share(parent->files) : copy_files(parent);
    process->fs = flags & CLONE_FS ? fs_context_share(parent->fs) : fs_context_copy(parent->fs);
    *copy = process;
    return process->files && process->fs ? 0 : -ENOMEM;
}

static void undo_process(struct process *process)
{
    if (process->files)
        files_put(process->files);
    if (process->fs)
        fs_context_put(process->fs);
    quire_mm_put(process->mm);
    process_free(process);
}

static int set_up(struct task *task, const struct clone_arguments *arguments)
{
    uint64_t flags = arguments->flags;
    *task->frame = *current->frame;
    trap_frame_set_result(task->frame, 0);
    if (arguments->stack)
        trap_frame_set_stack(task->frame, arguments->stack);
    arch_save(current);
    task->arch = current->arch;
    task->blocked = current->blocked;
    task->numa = current->numa;
    quire_mempolicy_get(task->numa.policy);
    if (!(flags & CLONE_VM) || (flags & CLONE_VFORK))
        task->alternate = current->alternate;
    if (flags & CLONE_CHILD_CLEARTID)
        task->clear_child_tid = arguments->child_tid;
    if (flags & CLONE_CHILD_SETTID)
        task->set_child_tid = arguments->child_tid;
    if ((flags & CLONE_PARENT_SETTID) &&
        copy_to_user(arguments->parent_tid, &task->tid, sizeof task->tid))
        return -EFAULT;
    return flags & CLONE_SETTLS ? arch_set_tls(task, arguments->tls) : 0;
}

/* In the child: its memory is loaded now. A bad address is the program's own trouble, as on Linux.
 */
void leave_fork(struct trap_frame *frame)
{
    (void)frame;
    uintptr_t at = current->set_child_tid;
    current->set_child_tid = 0;
    if (at && copy_to_user(at, &current->tid, sizeof current->tid))
        return;
}

static void undo_task(struct task *task)
{
    list_del(&task->thread);
    task->process->nr_threads--;
    task_free(task);
}

/* Until the child has left the memory that it was born with, or this one has to end. */
static void wait_for_vfork(int pid)
{
    struct event *done = &current_process()->vfork_done;
    for (;;) {
        uint32_t seen = event_read(done);
        const struct process *child = process_find(pid);
        if (!child || child->vfork_parent != current_process()->pid ||
            event_wait_killable(done, seen))
            return;
    }
}

int task_clone(const struct clone_arguments *arguments)
{
    uint64_t flags = arguments->flags;
    struct process *process = current_process();
    int error = check_flags(flags);
    if (!error && tasks_are_full())
        error = -EAGAIN;
    if (error)
        return error;
    if (!(flags & CLONE_THREAD)) {
        process = NULL;
        error = copy_process(&process, flags);
        if (error) {
            if (process)
                undo_process(process);
            return error;
        }
        process->exit_signal =
            flags & CLONE_PARENT ? current_process()->exit_signal : arguments->exit_signal;
        if (flags & CLONE_VFORK)
            process->vfork_parent = current_process()->pid;
    }
    struct task *task = task_create(process);
    error = task ? set_up(task, arguments) : tasks_are_full() ? -EAGAIN : -ENOMEM;
    if (error) {
        if (task)
            undo_task(task);
        if (!(flags & CLONE_THREAD))
            undo_process(process);
        return error;
    }
    int pid = task->tid;
    quire_tell_event(FORK, (uint64_t)pid, (uint64_t)current_process()->pid,
                     (flags & CLONE_THREAD) != 0);
    sched_counts.forks++;
    sched_add(task);
    if ((flags & (CLONE_VFORK | CLONE_THREAD)) == CLONE_VFORK)
        wait_for_vfork(pid);
    return pid;
}
