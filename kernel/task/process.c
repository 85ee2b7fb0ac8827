/* kernel/task/process.c: processes and tasks come into being
 */
#include <quire/port.h>

#include "base/text.h"
#include "errno.h"
#include "fs/file.h"
#include "fs/files.h"
#include "fs/path.h"
#include "fs/procfs.h"
#include "memory.h"
#include "task/arch_task.h"
#include "task/lifecycle.h"
#include "task/sched.h"
#include "trap.h"
#include "user.h"

#define MAX_TASKS ((unsigned)pid_max() / 4) /* so that a free number is soon found */
#define NR_CACHED_STACKS 8u

struct list all_processes = {&all_processes, &all_processes};

/* Stacks are used again: making one changes page tables, and so does giving one back. */
static char *cached_stack[NR_CACHED_STACKS];
static unsigned nr_cached_stacks;
static int last_pid;
static unsigned nr_tasks;

/* ---- numbers --------------------------------------------------------------------------------- */

struct process *process_find(int pid)
{
    list_for_each (at, &all_processes) {
        struct process *process = quire_container_of(at, struct process, all);
        if (process->pid == pid)
            return process;
    }
    return NULL;
}

struct task *task_find(int tid)
{
    list_for_each (at, &all_processes) {
        struct process *process = quire_container_of(at, struct process, all);
        list_for_each (thread, &process->threads) {
            struct task *task = quire_container_of(thread, struct task, thread);
            if (task->tid == tid)
                return task;
        }
    }
    return NULL;
}

static bool is_used(int number)
{
    list_for_each (at, &all_processes) {
        const struct process *process = quire_container_of(at, struct process, all);
        if (process->pid == number || process->pgid == number || process->sid == number)
            return true;
    }
    return task_find(number);
}

/* 0: all that there may be are used. */
static int new_number(void)
{
    for (int most = pid_max(), tried = 1; tried < most; tried++) {
        last_pid = last_pid >= most - 1 ? 1 : last_pid + 1;
        if (!is_used(last_pid))
            return last_pid;
    }
    return 0;
}

/* ---- tasks ----------------------------------------------------------------------------------- */

static char *stack_alloc(void)
{
    if (nr_cached_stacks)
        return cached_stack[--nr_cached_stacks];
    return (char *)(uintptr_t)quire_vmalloc(machine_vmalloc, KERNEL_STACK_BYTES, QUIRE_GFP_KERNEL);
}

static void stack_free(char *stack)
{
    if (nr_cached_stacks < NR_CACHED_STACKS)
        cached_stack[nr_cached_stacks++] = stack;
    else
        quire_vfree(machine_vmalloc, (uintptr_t)stack);
}

bool tasks_are_full(void)
{
    return nr_tasks >= MAX_TASKS;
}

struct task *task_create(struct process *process)
{
    if (tasks_are_full())
        return NULL;
    struct task *task = quire_kzalloc(machine_slab, sizeof *task, QUIRE_GFP_KERNEL);
    if (!task)
        return NULL;
    /* The first thread has the process's number. */
    task->stack = stack_alloc();
    task->tid = !task->stack ? 0 : process->nr_threads ? new_number() : process->pid;
    if (!task->tid) {
        if (task->stack)
            stack_free(task->stack);
        quire_kfree(machine_slab, task);
        return NULL;
    }
    task->frame = (struct trap_frame *)(void *)(task->stack + KERNEL_STACK_BYTES) - 1;
    memset(task->frame, 0, sizeof *task->frame);
    arch_prepare(task);
    arch_reset(&task->arch);
    task->process = process;
    task->state = TASK_SLEEPING;
    list_init(&task->pending.entries);
    list_init(&task->queue);
    task->alternate.flags = SS_DISABLE;
    list_add_tail(&process->threads, &task->thread);
    process->nr_threads++;
    nr_tasks++;
    return task;
}

void task_free(struct task *task)
{
    nr_tasks--;
    signal_queue_clear(&task->pending);
    quire_mempolicy_put(task->numa.policy);
    stack_free(task->stack);
    quire_kfree(machine_slab, task);
}

/* The switch to a task that has run before ends in schedule(); to a new one, here. */
void task_begin(struct trap_frame *frame)
{
    sched_finish_switch(sched_switched_from());
    if (current->kernel_main)
        current->kernel_main();
    leave_fork(frame);
    return_to_user(frame);
}

struct task *task_create_kernel(const char *name, void (*run)(void))
{
    struct process *process = process_create(NULL, NULL, NULL);
    struct task *task = process ? task_create(process) : NULL;
    if (!task)
        return NULL;
    quire_snprintf(process->name, sizeof process->name, "%s", name);
    task->kernel_main = run;
    sched_add(task);
    return task;
}

/* ---- processes ------------------------------------------------------------------------------- */

void process_set_exe(struct process *process, struct file *exe)
{
    struct file *before = process->exe;
    process->exe = exe;
    if (!before)
        return;
    inode_run_end(before->inode);
    file_put(before);
}

/* Nobody writes what runs already. */
static void inherit_exe(struct process *process, const struct process *like)
{
    if (like->exe && !inode_run_begin(like->exe->inode))
        process->exe = file_get(like->exe);
}

static void inherit(struct process *process, const struct process *like)
{
    process->pgid = like->pgid;
    process->sid = like->sid;
    process->credentials = like->credentials;
    process->credentials.groups = groups_get(like->credentials.groups);
    *process->actions = *like->actions;
    process->oom_score_adj = like->oom_score_adj;
    process->vdso = like->vdso;
    process->attributes = like->attributes;
    attributes_fork(&process->attributes);
    memcpy(process->limit, like->limit, sizeof process->limit);
    memcpy(process->name, like->name, sizeof process->name);
    inherit_exe(process, like);
}

/* For inherit() to write, or all default. */
static struct signal_actions *actions_alloc(const struct process *like)
{
    const size_t size = sizeof(struct signal_actions);
    return like ? quire_kmalloc(machine_slab, size, QUIRE_GFP_KERNEL)
                : quire_kzalloc(machine_slab, size, QUIRE_GFP_KERNEL);
}

struct process *process_create(struct process *parent, const struct process *like,
                               struct quire_mm *mm)
{
    struct process *process = quire_kzalloc(machine_slab, sizeof *process, QUIRE_GFP_KERNEL);
    if (!process)
        return NULL;
    process->mm = mm;
    process->actions = actions_alloc(like);
    process->pid = process->pgid = process->sid = process->actions ? new_number() : 0;
    if (!process->pid) {
        quire_kfree(machine_slab, process->actions);
        quire_kfree(machine_slab, process);
        return NULL;
    }
    process->start_ns = quire_port_clock_ns();
    process->parent = parent;
    list_init(&process->children);
    list_init(&process->sibling);
    list_init(&process->threads);
    list_init(&process->pending.entries);
    list_init(&process->posix_timers);
    list_init(&process->actions_sharers);
    if (like)
        inherit(process, like);
    if (parent)
        list_add_tail(&parent->children, &process->sibling);
    list_add_tail(&all_processes, &process->all);
    return process;
}

void process_free(struct process *process)
{
    /* Nobody finds it any more when putting the file sleeps. */
    list_del(&process->sibling);
    list_del(&process->all);
    signal_queue_clear(&process->pending);
    groups_put(process->credentials.groups);
    signal_leave_actions(process);
    process_set_exe(process, NULL);
    quire_kfree(machine_slab, process);
}
