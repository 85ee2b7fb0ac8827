/* kernel/task/signal.c: sending signals
 *
 * A signal waits in the queue of a thread, or of a process, whose threads take it as they come.
 * What nobody would hear of isn't queued: an ignored signal goes at once, unless a thread blocks it
 * or waits for it, since it may get a handler before it is unblocked. SIGKILL never waits: it marks
 * the process, as exit_group does. Stop signals and SIGCONT take each other away, and SIGCONT's
 * effect is at once, be it blocked or ignored.
 *
 *   bound   MAX_QUEUED entries a queue; a signal below 32 is one, and one of each timer
 */
#include "task/signal.h"

#include "base/bits.h"
#include "errno.h"
#include "memory.h"
#include "task/lifecycle.h"
#include "task/posix_timer.h"
#include "task/sched.h"
#include "task/signal_deliver.h"

#define MAX_QUEUED 1024u
#define IGNORED_BY_DEFAULT                                                                         \
    (SIGNAL_BIT(SIGCHLD) | SIGNAL_BIT(SIGCONT) | SIGNAL_BIT(SIGURG) | SIGNAL_BIT(SIGWINCH))
/* Of the running program's own making: taken before all others, so that the handler finds the
 * registers that belong to it. */
#define SYNCHRONOUS                                                                                \
    (SIGNAL_BIT(SIGILL) | SIGNAL_BIT(SIGTRAP) | SIGNAL_BIT(SIGBUS) | SIGNAL_BIT(SIGFPE) |          \
     SIGNAL_BIT(SIGSEGV) | SIGNAL_BIT(SIGSYS))

struct event signal_came;

struct queued_signal {
    struct list link;
    struct signal_info info;
};

/* ---- queues ---------------------------------------------------------------------------------- */

static void remove_entry(struct signal_queue *queue, struct queued_signal *entry)
{
    if (entry->info.timer)
        posix_timer_unqueued(entry->info.timer);
    list_del(&entry->link);
    queue->nr_entries--;
    quire_kfree(machine_slab, entry);
}

static void queue_remove(struct signal_queue *queue, uint64_t set)
{
    struct list *next;
    for (struct list *at = queue->entries.next; at != &queue->entries; at = next) {
        struct queued_signal *entry = quire_container_of(at, struct queued_signal, link);
        next = at->next;
        if (set & SIGNAL_BIT(entry->info.number))
            remove_entry(queue, entry);
    }
    queue->set &= ~set;
}

void signal_queue_clear(struct signal_queue *queue)
{
    queue_remove(queue, ~(uint64_t)0);
}

/* Without an entry the bit alone tells of a signal. Only who queued a value (sigqueue) has to know
 * that it was lost. */
static int queue_add(struct signal_queue *queue, int number, const struct signal_info *info)
{
    bool is_queued = number >= SIGNALS_QUEUED_FROM || (info && info->timer);
    if (!is_queued && (queue->set & SIGNAL_BIT(number)))
        return 0;
    struct queued_signal *entry = NULL;
    if (queue->nr_entries < MAX_QUEUED)
        entry = quire_kmalloc(machine_slab, sizeof *entry, QUIRE_GFP_ATOMIC);
    if (!entry && is_queued && info && info->code != SI_USER)
        return -EAGAIN;
    if (entry) {
        entry->info = info ? *info : (struct signal_info){.code = SI_KERNEL};
        entry->info.number = number;
        if (entry->info.timer)
            entry->info.timer->queued = &entry->info;
        list_add_tail(&queue->entries, &entry->link);
        queue->nr_entries++;
    }
    queue->set |= SIGNAL_BIT(number);
    event_signal(&signal_came);
    return 0;
}

/* The first entry of a signal, and whether there is another one. */
static struct queued_signal *find_entry(const struct signal_queue *queue, int number, bool *more)
{
    struct queued_signal *found = NULL;
    *more = false;
    list_for_each (at, &queue->entries) {
        struct queued_signal *entry = quire_container_of(at, struct queued_signal, link);
        if (entry->info.number != number)
            continue;
        if (found) {
            *more = true;
            break;
        }
        found = entry;
    }
    return found;
}

static void queue_take(struct signal_queue *queue, int number, struct signal_info *info)
{
    bool more;
    struct queued_signal *entry = find_entry(queue, number, &more);
    *info = (struct signal_info){.number = number, .code = SI_USER};
    if (entry) {
        *info = entry->info;
        remove_entry(queue, entry);
    }
    if (!more)
        queue->set &= ~SIGNAL_BIT(number);
    if (info->timer)
        posix_timer_taken(info);
}

static int first_of(uint64_t set)
{
    uint64_t synchronous = set & SYNCHRONOUS;
    return (int)quire_ctz64(synchronous ? synchronous : set) + 1;
}

int signal_take(uint64_t set, struct signal_info *info)
{
    struct signal_queue *queue = &current->pending;
    if (!(queue->set & set))
        queue = &current_process()->pending;
    if (!(queue->set & set))
        return 0;
    int number = first_of(queue->set & set);
    queue_take(queue, number, info);
    return number;
}

uint64_t signal_pending_set(const struct task *task)
{
    return task->pending.set | task->process->pending.set;
}

/* ---- who takes it ---------------------------------------------------------------------------- */

bool signal_is_ignored(const struct process *process, int number)
{
    uintptr_t handler = process->actions->action[number - 1].handler;
    return handler == SIG_IGN || (handler == SIG_DFL && (IGNORED_BY_DEFAULT & SIGNAL_BIT(number)));
}

static bool is_held(const struct task *task, int number)
{
    return (task->blocked | task->waiting) & SIGNAL_BIT(number);
}

static bool is_dropped(const struct process *process, const struct task *task, int number)
{
    if (!signal_is_ignored(process, number))
        return false;
    if (task)
        return !is_held(task, number);
    list_for_each (at, &process->threads) {
        if (is_held(quire_container_of(at, struct task, thread), number))
            return false;
    }
    return true;
}

static bool can_take(const struct task *task, uint64_t set)
{
    return set & ~(task->blocked & ~task->waiting);
}

/* A thread that runs comes by itself. One that sleeps for the kernel's sake is the last choice. */
static void wake_one(struct process *process, uint64_t set)
{
    struct task *sleeper = NULL;
    list_for_each (at, &process->threads) {
        struct task *task = quire_container_of(at, struct task, thread);
        if (!can_take(task, set))
            continue;
        if (task->state == TASK_RUNNING)
            return;
        if (task->sleep == SLEEP_INTERRUPTIBLE)
            sleeper = task;
    }
    if (sleeper)
        sched_interrupt(sleeper);
}

void signal_hand_over(struct task *task, uint64_t set)
{
    struct process *process = task->process;
    for (uint64_t left = process->pending.set & set; left; left &= left - 1) {
        uint64_t bit = left & (~left + 1);
        list_for_each (at, &process->threads) {
            struct task *other = quire_container_of(at, struct task, thread);
            if (other != task && can_take(other, bit))
                sched_interrupt(other);
        }
    }
}

void signal_set_blocked(uint64_t set)
{
    uint64_t newly = set & ~current->blocked & ~SIGNALS_UNBLOCKABLE;
    current->blocked = set & ~SIGNALS_UNBLOCKABLE;
    sched_attend();
    if (newly & current_process()->pending.set)
        signal_hand_over(current, newly);
}

/* ---- sending --------------------------------------------------------------------------------- */

static void remove_everywhere(struct process *process, uint64_t set)
{
    queue_remove(&process->pending, set);
    list_for_each (at, &process->threads)
        queue_remove(&quire_container_of(at, struct task, thread)->pending, set);
}

void signal_set_action(struct process *process, int number, const struct signal_action *action)
{
    process->actions->action[number - 1] = *action;
    if (signal_is_ignored(process, number))
        remove_everywhere(process, SIGNAL_BIT(number));
}

int signal_send(struct process *process, struct task *task, int number,
                const struct signal_info *info)
{
    /* The kernel's own processes have no parent. */
    if (!process->parent || process->zombie || process->exiting)
        return 0;
    if (number == SIGKILL) {
        process_kill(process, SIGKILL);
        return 0;
    }
    if (SIGNALS_STOP & SIGNAL_BIT(number))
        remove_everywhere(process, SIGNAL_BIT(SIGCONT));
    if (number == SIGCONT) {
        remove_everywhere(process, SIGNALS_STOP);
        signal_continue(process);
    }
    if (is_dropped(process, task, number))
        return 0;
    sched_attend();
    int error = queue_add(task ? &task->pending : &process->pending, number, info);
    if (error)
        return error;
    if (!task)
        wake_one(process, SIGNAL_BIT(number));
    else if (can_take(task, SIGNAL_BIT(number)))
        sched_interrupt(task);
    return 0;
}

void signal_process(struct process *process, int number, const struct signal_info *info)
{
    (void)signal_send(process, NULL, number, info);
}

void signal_task(struct task *task, int number, const struct signal_info *info)
{
    (void)signal_send(task->process, task, number, info);
}

void signal_self(int number)
{
    const struct process *process = current_process();
    const struct signal_info info = {
        .code = SI_USER, .pid = process->pid, .uid = process->credentials.uid};
    signal_task(current, number, &info);
}

int signal_group(int pgid, int number, const struct signal_info *info)
{
    int result = -ESRCH;
    list_for_each (at, &all_processes) {
        struct process *process = quire_container_of(at, struct process, all);
        if (process->pgid != pgid)
            continue;
        signal_process(process, number, info);
        result = 0;
    }
    return result;
}

/* An exception can't wait: a program that blocks or ignores it ends. */
void signal_force(int number, const struct signal_info *info)
{
    struct signal_action *action = &current_process()->actions->action[number - 1];
    if ((current->blocked & SIGNAL_BIT(number)) || action->handler == SIG_IGN) {
        action->handler = SIG_DFL;
        current->blocked &= ~SIGNAL_BIT(number);
    }
    signal_task(current, number, info);
}

void signal_reset_handlers(struct process *process)
{
    for (unsigned i = 0; i < NR_SIGNALS; i++) {
        struct signal_action *action = &process->actions->action[i];
        bool ignored = action->handler == SIG_IGN;
        *action = (struct signal_action){.handler = ignored ? SIG_IGN : SIG_DFL};
    }
}

/* ---- whose they are -------------------------------------------------------------------------- */

void signal_leave_actions(struct process *process)
{
    if (list_empty(&process->actions_sharers))
        quire_kfree(machine_slab, process->actions);
    list_del(&process->actions_sharers);
    list_init(&process->actions_sharers);
    process->actions = NULL;
}

void signal_share_actions(struct process *process, struct process *of)
{
    signal_leave_actions(process);
    process->actions = of->actions;
    list_add_tail(&of->actions_sharers, &process->actions_sharers);
}

int signal_unshare_actions(struct process *process)
{
    if (list_empty(&process->actions_sharers))
        return 0;
    struct signal_actions *own = quire_kmalloc(machine_slab, sizeof *own, QUIRE_GFP_KERNEL);
    if (!own)
        return -ENOMEM;
    *own = *process->actions;
    signal_leave_actions(process); /* the others may have gone meanwhile */
    process->actions = own;
    return 0;
}
