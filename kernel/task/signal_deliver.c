/* kernel/task/signal_deliver.c: signals take effect, on the way back to user mode
 *
 * One after the other is taken until none is left that isn't blocked: the default action is done,
 * or a handler's frame is pushed, on top of the one that the last signal left. So several handlers
 * run one within the other, the last signal's first, as on Linux.
 *
 * An interrupted system call leaves -ERESTART... in the frame, which no program sees: before the
 * first handler's frame is made it becomes -EINTR or a new begin (man 7 signal), and without a
 * handler always a new begin: the instruction runs again, with the call's number, which the frame
 * keeps as its error code.
 *
 * A stopped process is one state of all its threads: `stopped` is set by the thread that takes the
 * signal, and interrupts the others, which all sleep here until it is cleared.
 */
#include "task/signal_deliver.h"

#include "base/bits.h"
#include "errno.h"
#include "task/core_dump.h"
#include "task/init.h"
#include "task/lifecycle.h"
#include "task/sched.h"
#include "task/signal_frame.h"
#include "task/wait.h"
#include "time_units.h"
#include "trap.h"

static uint64_t takeable(const struct task *task)
{
    return signal_pending_set(task) & ~(task->blocked & ~task->waiting);
}

/* Killed, or another thread is in execve. */
static bool has_to_end(const struct process *process)
{
    return process->exiting || (process->survivor && process->survivor != current);
}

/* Another thread writes a core of what this one has. */
static bool is_dumped(const struct process *process)
{
    return process->dumper && process->dumper != current;
}

bool signal_is_pending(void)
{
    struct process *process = current->process;
    if (!process)
        return false;
    if (has_to_end(process) || is_dumped(process))
        return true;
    if (current->in_stop)
        return !process->stopped;
    return process->stopped || takeable(current);
}

/* ---- stop and continue ----------------------------------------------------------------------- */

static void tell_parent(struct process *process, int code, int number)
{
    struct process *parent = process->parent;
    const struct signal_action *action = &parent->actions->action[SIGCHLD - 1];
    struct signal_info info = {.number = SIGCHLD,
                               .code = code,
                               .pid = process->pid,
                               .uid = process->credentials.uid,
                               .status = number};
    info.user_ticks = (unsigned long)ticks_of(process->user_ns);
    info.system_ticks = (unsigned long)ticks_of(process->system_ns);
    if (!(action->flags & SA_NOCLDSTOP))
        signal_process(parent, SIGCHLD, &info);
    event_signal(&parent->child_event);
}

static void interrupt_threads(struct process *process)
{
    list_for_each (at, &process->threads)
        sched_interrupt(quire_container_of(at, struct task, thread));
}

void signal_continue(struct process *process)
{
    if (!process->stopped)
        return;
    process->stopped = false;
    process->continued = true;
    process->reported = false;
    tell_parent(process, CLD_CONTINUED, SIGCONT);
    interrupt_threads(process);
}

/* The parent hears of it now, and not when the last thread has come to rest. */
static void stop(struct process *process, int number)
{
    process->stopped = true;
    sched_attend();
    process->continued = false;
    process->reported = false;
    process->stop_signal = number;
    tell_parent(process, CLD_STOPPED, number);
    interrupt_threads(process);
}

static void wait_until_dumped(struct process *process)
{
    while (is_dumped(process)) {
        uint32_t seen = event_read(&process->thread_ended);
        event_wait_uninterruptible(&process->thread_ended, seen);
    }
}

static void wait_until_continued(void)
{
    current->in_stop = true;
    while (!signal_is_pending())
        (void)sched_sleep(NULL, 0, SLEEP_INTERRUPTIBLE, NO_DEADLINE);
    current->in_stop = false;
}

/* Nobody is there to continue it: no process of the group has its parent in another group of the
 * session (POSIX: an orphaned process group), nor does who started the machine know of it. */
static bool is_orphaned(int pgid)
{
    list_for_each (at, &all_processes) {
        const struct process *process = quire_container_of(at, struct process, all);
        const struct process *parent = process->parent;
        if (process->pgid != pgid || process->zombie)
            continue;
        if (init_is_program(process))
            return false;
        if (parent && parent->pgid != pgid && parent->sid == process->sid)
            return false;
    }
    return true;
}

/* ---- actions --------------------------------------------------------------------------------- */

#define SIGNALS_DUMP                                                                               \
    (SIGNAL_BIT(SIGQUIT) | SIGNAL_BIT(SIGILL) | SIGNAL_BIT(SIGTRAP) | SIGNAL_BIT(SIGABRT) |        \
     SIGNAL_BIT(SIGBUS) | SIGNAL_BIT(SIGFPE) | SIGNAL_BIT(SIGSEGV) | SIGNAL_BIT(SIGXCPU) |         \
     SIGNAL_BIT(SIGXFSZ) | SIGNAL_BIT(SIGSYS))

/* Other threads stay as they are meanwhile: none comes to user mode any more. */
static bool dump(struct process *process, const struct signal_info *info)
{
    if (!core_is_wanted(process))
        return false;
    process->dumper = current;
    sched_attend();
    interrupt_threads(process);
    bool done = core_dump(info);
    process->dumper = NULL;
    event_signal(&process->thread_ended);
    return done;
}

static void do_default(struct process *process, const struct signal_info *info)
{
    int number = info->number;
    if (SIGNALS_DUMP & SIGNAL_BIT(number) && dump(process, info))
        process_exit(number | STATUS_DUMPED);
    if (!(SIGNALS_STOP & SIGNAL_BIT(number)))
        process_exit(number);
    if (number == SIGSTOP || !is_orphaned(process->pgid))
        stop(process, number);
}

static long restart_of(const struct trap_frame *frame)
{
    long result = frame->vector == SYSCALL_VECTOR ? (long)trap_frame_result(frame) : 0;
    return result == -ERESTARTSYS || result == -ERESTARTNOHAND || result == -ERESTART_RESTARTBLOCK
               ? result
               : 0;
}

static void begin_anew(struct trap_frame *frame)
{
    trap_frame_set_result(frame, (unsigned long)frame->error);
    trap_frame_set_pc(frame, trap_frame_pc(frame) - SYSCALL_INSTRUCTION_BYTES);
}

/* `action`: of the handler that comes first; NULL: there is none. */
static void settle_call(struct trap_frame *frame, const struct signal_action *action)
{
    long restart = restart_of(frame);
    if (action || restart != -ERESTART_RESTARTBLOCK)
        current->restart_deadline = 0;
    if (!restart)
        return;
    if (!action || (restart == -ERESTARTSYS && (action->flags & SA_RESTART)))
        begin_anew(frame);
    else
        trap_frame_set_result(frame, (unsigned long)-EINTR);
    frame->vector = VECTOR_NONE;
}

/* A handler that can't be called is a SIGSEGV; that of SIGSEGV itself isn't tried again. */
static void push_failed(struct process *process, int number)
{
    const struct signal_info info = {.number = SIGSEGV, .code = SI_KERNEL};
    if (number == SIGSEGV)
        process->actions->action[SIGSEGV - 1].handler = SIG_DFL;
    signal_force(SIGSEGV, &info);
}

static void run_handler(struct trap_frame *frame, struct process *process,
                        const struct signal_info *info)
{
    int number = info->number;
    struct signal_action action = process->actions->action[number - 1];
    uint64_t blocked = current->restore_blocked ? current->saved_blocked : current->blocked;
    settle_call(frame, &action);
    if (action.flags & SA_RESETHAND)
        process->actions->action[number - 1].handler = SIG_DFL;
    if (signal_frame_push(frame, &action, info, blocked)) {
        push_failed(process, number);
        return;
    }
    current->restore_blocked = false;
    uint64_t own = action.flags & SA_NODEFER ? 0 : SIGNAL_BIT(number);
    signal_set_blocked(current->blocked | action.mask | own);
}

static void act(struct trap_frame *frame, const struct signal_info *info)
{
    struct process *process = current_process();
    if (signal_is_ignored(process, info->number))
        return;
    if (process->actions->action[info->number - 1].handler == SIG_DFL)
        do_default(process, info);
    else
        run_handler(frame, process, info);
}

/* ---- all of it ------------------------------------------------------------------------------- */

bool signal_has_work(const struct trap_frame *frame)
{
    return signal_is_pending() || current->restore_blocked || restart_of(frame);
}

static void take_all(struct trap_frame *frame)
{
    struct process *process = current_process();
    while (signal_is_pending()) {
        struct signal_info info;
        if (has_to_end(process))
            task_exit(process->exiting ? process->status : 0);
        if (is_dumped(process))
            wait_until_dumped(process);
        else if (process->stopped)
            wait_until_continued();
        else if (signal_take(~current->blocked, &info))
            act(frame, &info);
    }
}

void signal_deliver(struct trap_frame *frame)
{
    while (signal_has_work(frame)) {
        take_all(frame);
        settle_call(frame, NULL);
        if (current->restore_blocked) {
            current->restore_blocked = false;
            signal_set_blocked(current->saved_blocked);
        }
    }
}
