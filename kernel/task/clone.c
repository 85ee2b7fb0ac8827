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

/* Combinations that Linux refuses, and what isn't built: namespaces, which are root's to ask for.
 */
static int check_flags(uint64_t flags)
{
    const uint64_t thread = CLONE_VM | CLONE_SIGHAND | CLONE_THREAD;
    if ((flags & CLONE_SIGHAND) && !(flags & CLONE_VM))
        return -EINVAL;
    if ((flags & CLONE_THREAD) && (flags & thread) != thread)
        return -EINVAL;
    if ((flags & CLONE_PIDFD) && (flags & (CLONE_DETACHED | CLONE_THREAD)))
        return -EINVAL;
    if ((flags & CLONE_NAMESPACES) && !(flags & CLONE_NEWUSER) &&
        !((flags & CLONE_NEWNS) && (flags & CLONE_FS)) && !caller_can(CAP_SYS_ADMIN))
        return -EPERM;
    return flags & ~(uint64_t)CLONE_KNOWN ? -EINVAL : 0;
}

/* A shared table has the limit that was set last; a copy has its own process's. */
static struct files *copy_files(void)
{
    struct files *copy = files_copy(current->files);
    uint64_t limit = current_process()->limit[RLIMIT_NOFILE].current;
    if (copy)
        files_set_limit(copy, limit < FILES_MAX_LIMIT ? (unsigned)limit : FILES_MAX_LIMIT);
    return copy;
}

/* The running task's files and directories, or copies, are the new one's: -ENOMEM. */
static int give_files(struct task *task, uint64_t flags)
{
    task->files = flags & CLONE_FILES ? files_share(current->files) : copy_files();
    if (!task->files)
        return -ENOMEM;
    task->fs = flags & CLONE_FS ? fs_context_share(current->fs) : fs_context_copy(current->fs);
    return task->fs ? 0 : -ENOMEM;
}

void task_put_files(struct task *task)
{
    struct files *files = task->files;
    struct fs_context *fs = task->fs;
    task->files = NULL; /* /proc may look at them while something sleeps */
    task->fs = NULL;
    if (files)
        files_put(files);
    if (fs)
        fs_context_put(fs);
}

int task_unshare_files(bool files, bool fs)
{
    struct files *shared = files && files_is_shared(current->files) ? current->files : NULL;
    struct files *copy = shared ? copy_files() : NULL;
    if (shared && !copy)
        return -ENOMEM;
    struct fs_context *shared_fs = fs && current->fs->refs > 1 ? current->fs : NULL;
    struct fs_context *fs_copy = shared_fs ? fs_context_copy(shared_fs) : NULL;
    if (shared_fs && !fs_copy) {
        if (copy)
            files_put(copy);
        return -ENOMEM;
    }
    if (shared_fs) {
        current->fs = fs_copy;
        fs_context_put(shared_fs);
    }
    if (shared && files_is_shared(shared)) {
        current->files = copy;
        files_put(shared);
    } else if (copy) /* the others went meanwhile: what it has locked is locked by this table */
        files_put(copy);
    return 0;
}

static void undo_process(struct process *process)
{
    arch_end_process(process);
    quire_mm_put(process->mm);
    process_free(process);
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
    if (arch_fork_process(process, parent, flags & CLONE_VM)) {
        undo_process(process);
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
    *copy = process;
    return 0;
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
    task_put_files(task);
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
        error = copy_process(&process, flags);
        if (error)
            return error;
        process->exit_signal =
            flags & CLONE_PARENT ? current_process()->exit_signal : arguments->exit_signal;
        if (flags & CLONE_VFORK)
            process->vfork_parent = current_process()->pid;
    }
    struct task *task = task_create(process);
    error = task ? give_files(task, flags) : tasks_are_full() ? -EAGAIN : -ENOMEM;
    if (!error)
        error = set_up(task, arguments);
    if (error) {
        if (task)
            undo_task(task);
        if (!(flags & CLONE_THREAD))
            undo_process(process);
        return error;
    }
    int pid = task->tid;
    if (arguments->born)
        arguments->born(arguments->arg, process);
    quire_tell_event(FORK, (uint64_t)pid, (uint64_t)current_process()->pid,
                     (flags & CLONE_THREAD) != 0);
    sched_counts.forks++;
    sched_add(task);
    if ((flags & (CLONE_VFORK | CLONE_THREAD)) == CLONE_VFORK)
        wait_for_vfork(pid);
    return pid;
}
