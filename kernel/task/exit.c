/* kernel/task/exit.c: the end of threads and processes, and waiting for it
 */
#include <quire/port.h>

#include "base/bits.h"
#include "base/events.h"
#include "errno.h"
#include "fs/file.h"
#include "memory.h"
#include "task/arch_task.h"
#include "task/futex.h"
#include "task/init.h"
#include "task/lifecycle.h"
#include "task/posix_timer.h"
#include "task/sched.h"
#include "task/shm.h"
#include "task/stats.h"
#include "task/wait.h"
#include "time_units.h"
#include "user.h"

void process_times(struct process *process, struct rusage_times *times)
{
    struct quire_mm_info info;
    struct quire_mm *mm = process->mm;
    if (process == current_process())
        sched_account();
    *times = (struct rusage_times){.user_ns = process->user_ns,
                                   .system_ns = process->system_ns,
                                   .min_flt = process->min_flt,
                                   .maj_flt = process->maj_flt,
                                   .max_rss = process->max_rss};
    if (!mm)
        return;
    quire_mm_get(mm);
    quire_mm_info(mm, &info);
    quire_mm_put(mm);
    times->min_flt += info.min_flt;
    times->maj_flt += info.maj_flt;
    if (info.hiwater_rss > times->max_rss)
        times->max_rss = info.hiwater_rss;
}

static void end_vfork(struct process *process)
{
    struct process *parent = process->vfork_parent ? process_find(process->vfork_parent) : NULL;
    process->vfork_parent = 0;
    if (parent)
        event_signal(&parent->vfork_done);
}

/* Memory counts for all who share it: what it had counted before isn't the newcomer's. Differences
 * may wrap; the sums that come out of process_times don't. */
void process_joined_mm(struct process *process)
{
    struct quire_mm_info info;
    quire_mm_info(process->mm, &info);
    process->min_flt = 0 - info.min_flt;
    process->maj_flt = 0 - info.maj_flt;
}

/* Nor is what the child of a vfork added its parent's, whose thread slept meanwhile. (Faults of the
 * parent's other threads count as the child's: the sum has them once.) The parent's number may be
 * somebody else's by now; who has another memory isn't it, and who has the same shares its counts.
 */
static void take_from_vfork_parent(const struct process *process)
{
    struct process *parent = process->vfork_parent ? process_find(process->vfork_parent) : NULL;
    if (!parent || parent->mm != process->mm)
        return;
    parent->min_flt -= process->min_flt;
    parent->maj_flt -= process->maj_flt;
}

/* What a process had in memory is counted on, then the memory goes. */
void process_drop_mm(struct process *process)
{
    struct quire_mm *mm = process->mm;
    struct rusage_times times;
    if (!mm) /* the first program couldn't be started */
        return;
    process_times(process, &times);
    process->min_flt = times.min_flt;
    process->maj_flt = times.maj_flt;
    process->max_rss = times.max_rss;
    if (current->process == process)
        sched_account_faults();
    take_from_vfork_parent(process);
    process->mm = NULL;
    arch_end_process(process);
    end_vfork(process);
    mm_leave(mm);
    quire_mm_put(mm);
    shm_reap();
}

static void tell_parent(struct process *process)
{
    struct process *parent = process->parent;
    int number = process->exit_signal;
    bool by_signal = process->status & 0x7f;
    if (number && number <= NR_SIGNALS) {
        struct signal_info info = {.number = number,
                                   .code = !by_signal                        ? CLD_EXITED
                                           : process->status & STATUS_DUMPED ? CLD_DUMPED
                                                                             : CLD_KILLED,
                                   .pid = process->pid,
                                   .uid = process->credentials.uid,
                                   .user_ticks = (unsigned long)ticks_of(process->user_ns),
                                   .system_ticks = (unsigned long)ticks_of(process->system_ns),
                                   .status = by_signal ? process->status & 0x7f
                                                       : process->status >> 8 & 0xff};
        signal_process(parent, number, &info);
    }
    event_signal(&parent->child_event);
}

static void give_children_to_init(struct process *process)
{
    while (!list_empty(&process->children)) {
        struct process *child = quire_container_of(process->children.next, struct process, sibling);
        list_del(&child->sibling);
        child->parent = init_process;
        child->exit_signal = SIGCHLD;
        const struct signal_info info = {
            .code = SI_USER, .pid = process->pid, .uid = process->credentials.uid};
        if (child->attributes.death_signal)
            signal_process(child, child->attributes.death_signal, &info);
        list_add_tail(&init_process->children, &child->sibling);
        if (child->zombie)
            event_signal(&init_process->child_event);
    }
}

/* The parent doesn't want to hear of children: they go by themselves. */
static bool is_ignored_by_parent(const struct process *process)
{
    const struct signal_action *action = &process->parent->actions->action[SIGCHLD - 1];
    return process->exit_signal == SIGCHLD &&
           (action->handler == SIG_IGN || (action->flags & SA_NOCLDWAIT));
}

static void end_process(struct process *process, int status)
{
    process->status = process->exiting ? process->status : status;
    quire_tell_event(EXIT, (uint64_t)process->pid, (uint64_t)process->status);
    timer_set(process, 0, 0);
    posix_timers_clear(process);
    process_drop_mm(process);
    process_set_exe(process, NULL);
    task_put_files(current);
    stats_tell_end(process);
    give_children_to_init(process);
    sched_account(); /* for its own last work: behind this it may be freed */
    process->zombie = true;
    if (is_ignored_by_parent(process)) {
        struct process *parent = process->parent;
        process_free(process); /* what it used is nobody's: no wait took it */
        event_signal(&parent->child_event);
        return;
    }
    tell_parent(process);
}

void task_leave_mm(struct task *task)
{
    int zero = 0;
    futex_exit(task);
    if (task->clear_child_tid && !copy_to_user(task->clear_child_tid, &zero, sizeof zero))
        futex_wake(task->clear_child_tid, 1);
}

_Noreturn void task_exit(int status)
{
    struct task *task = current;
    struct process *process = task->process;
    task->ending = true;
    task_leave_mm(task);
    if (process->nr_threads > 1) /* the last one's files go after the memory */
        task_put_files(task);
    signal_hand_over(task, ~task->blocked);
    list_del(&task->thread);
    bool last = !--process->nr_threads;
    sched_account();
    event_signal(&process->thread_ended);
    if (last)
        end_process(process, status);
    /* Its stack is in use until the switch, and its process may be gone. */
    task->process = NULL;
    task->state = TASK_DEAD;
    schedule();
    panic("a task that ended runs again");
}

void process_kill(struct process *process, int status)
{
    if (process->exiting)
        return;
    process->exiting = true;
    sched_attend();
    process->status = status;
    list_for_each (at, &process->threads)
        sched_interrupt_for_end(quire_container_of(at, struct task, thread));
}

_Noreturn void process_exit(int status)
{
    process_kill(current_process(), status);
    task_exit(status);
}

int end_other_threads(void)
{
    struct process *process = current_process();
    while (process->dumper) { /* the process ends behind it */
        uint32_t seen = event_read(&process->thread_ended);
        event_wait_uninterruptible(&process->thread_ended, seen);
    }
    if (process->exiting || process->survivor)
        return -EINTR;
    process->survivor = current;
    sched_attend();
    list_for_each (at, &process->threads) {
        struct task *task = quire_container_of(at, struct task, thread);
        if (task != current)
            sched_interrupt_for_end(task);
    }
    while (process->nr_threads > 1) {
        uint32_t seen = event_read(&process->thread_ended);
        event_wait_uninterruptible(&process->thread_ended, seen);
    }
    process->survivor = NULL;
    current->tid = process->pid;
    return process->exiting ? -EINTR : 0;
}

/* ---- wait ------------------------------------------------------------------------------------ */

/* Adds what a child used to its parent's account, and forgets it. */
void wait_collect(struct process *child)
{
    struct process *parent = child->parent;
    parent->children_user_ns += child->user_ns + child->children_user_ns;
    parent->children_system_ns += child->system_ns + child->children_system_ns;
    parent->children_min_flt += child->min_flt + child->children_min_flt;
    parent->children_maj_flt += child->maj_flt + child->children_maj_flt;
    unsigned long max_rss = child->max_rss;
    if (child->children_max_rss > max_rss)
        max_rss = child->children_max_rss;
    if (max_rss > parent->children_max_rss)
        parent->children_max_rss = max_rss;
    process_free(child);
}

static bool is_wanted(const struct process *child, const struct wait_request *request)
{
    bool is_clone = child->exit_signal != SIGCHLD;
    if (request->kind != WAIT_ANY_KIND && is_clone != (request->kind == WAIT_CLONES))
        return false;
    switch (request->type) {
    case WAIT_PID:
        return child->pid == request->id;
    case WAIT_GROUP:
        return child->pgid == request->id;
    default:
        return true;
    }
}

/* Something to tell of a child: what the request asks for. */
static bool has_news(const struct process *child, const struct wait_request *request)
{
    if (child->zombie)
        return request->exited;
    if (child->reported)
        return false;
    return child->stopped ? request->stopped : child->continued && request->continued;
}

static void add_children(struct rusage_times *times, const struct process *process)
{
    times->user_ns += process->children_user_ns;
    times->system_ns += process->children_system_ns;
    times->min_flt += process->children_min_flt;
    times->maj_flt += process->children_maj_flt;
    if (process->children_max_rss > times->max_rss)
        times->max_rss = process->children_max_rss;
}

/* Looking at a live child's memory may sleep, and the child be gone then: it comes last. */
static void take_news(struct process *child, const struct wait_request *request,
                      struct wait_result *result)
{
    struct rusage_times times = {0};
    result->pid = child->pid;
    result->uid = child->credentials.uid;
    result->status = child->zombie    ? child->status
                     : child->stopped ? child->stop_signal << 8 | 0x7f
                                      : 0xffff;
    add_children(&times, child);
    child->reported |= !child->zombie && !request->keep;
    bool collect = child->zombie && !request->keep;
    process_times(child, &result->times);
    result->times.user_ns += times.user_ns;
    result->times.system_ns += times.system_ns;
    result->times.min_flt += times.min_flt;
    result->times.maj_flt += times.maj_flt;
    if (times.max_rss > result->times.max_rss)
        result->times.max_rss = times.max_rss;
    if (collect) /* a zombie has no memory: nothing slept */
        wait_collect(child);
}

/* False: no child is such as is asked for, which is ECHILD. result->pid is 0 without news. */
static bool look_at_children(struct process *parent, const struct wait_request *request,
                             struct wait_result *result)
{
    bool some = false;
    result->pid = 0;
    list_for_each (at, &parent->children) {
        struct process *child = quire_container_of(at, struct process, sibling);
        if (!is_wanted(child, request))
            continue;
        some = true;
        if (has_news(child, request)) {
            take_news(child, request, result);
            break;
        }
    }
    return some;
}

/* News come before signals: the SIGCHLD that tells of a child would else hide it. */
int wait_for_child(const struct wait_request *request, struct wait_result *result)
{
    struct process *parent = current_process();
    int error = 0;
    for (;;) {
        uint32_t seen = event_read(&parent->child_event);
        if (!look_at_children(parent, request, result))
            return -ECHILD;
        if (result->pid || !request->block)
            return 0;
        if (error)
            return -ERESTARTSYS;
        error = event_wait(&parent->child_event, seen, NO_DEADLINE);
    }
}
