/* kernel/task/posix_timer.c: a process's timers, each with a signal of its own
 *
 * One signal of a timer is pending at a time, and until it is taken the timer isn't looked at: then
 * it is counted how often it would have come meanwhile, which is told with it (si_overrun).
 *
 *   invariant   a timer and what is queued of it know each other, until one of them goes
 *   invariant   `first_due` is no later than any timer of the machine's clock whose signal isn't
 *               pending; with each that is no longer pending it comes back to that timer's time
 *   bound       a process has at most as many as it may have signals pending, and MOST_TIMERS; all
 *               together one for each PAGES_EACH pages of memory, within MOST_TIMERS and
 *               MOST_TIMERS_EVER. A tick looks at all of them when one is due, and takes one
 *               division, or at most 32 steps, for each that is, however short its interval is
 */
#include "task/posix_timer.h"

#include <quire/port.h>

#include "errno.h"
#include "memory.h"
#include "task/lifecycle.h"
#include "task/limits.h"
#include "task/sched.h"
#include "time_units.h"

#define MAX_OVERRUN INT32_MAX
#define MOST_TIMERS 1024u
#define MOST_TIMERS_EVER 4096u
#define PAGES_EACH 64u

/* No timer of the machine's clock is due sooner. */
static uint64_t first_due = NO_DEADLINE;
static unsigned nr_timers;

/* ---- which there are ------------------------------------------------------------------------- */

struct posix_timer *posix_timer_find(const struct process *process, int id)
{
    list_for_each (at, &process->posix_timers) {
        struct posix_timer *timer = quire_container_of(at, struct posix_timer, link);
        if (timer->id == id)
            return timer;
    }
    return NULL;
}

static bool are_too_many(const struct process *process)
{
    uint64_t limit = process->limit[RLIMIT_SIGPENDING].current;
    unsigned long most = quire_nr_managed_pages(machine_mem) / PAGES_EACH;
    most = most < MOST_TIMERS ? MOST_TIMERS : most > MOST_TIMERS_EVER ? MOST_TIMERS_EVER : most;
    return nr_timers >= most ||
           process->nr_posix_timers >= (limit < MOST_TIMERS ? limit : MOST_TIMERS);
}

int posix_timer_create(struct posix_timer **timer)
{
    struct process *process = current_process();
    struct posix_timer *new = quire_kzalloc(machine_slab, sizeof *new, QUIRE_GFP_KERNEL);
    if (!new)
        return -EAGAIN;
    if (are_too_many(process)) {
        quire_kfree(machine_slab, new);
        return -EAGAIN;
    }
    do {
        new->id = process->next_posix_timer;
        process->next_posix_timer = new->id == INT32_MAX ? 0 : new->id + 1;
    } while (posix_timer_find(process, new->id));
    list_add_tail(&process->posix_timers, &new->link);
    process->nr_posix_timers++;
    nr_timers++;
    *timer = new;
    return 0;
}

void posix_timer_delete(struct process *process, struct posix_timer *timer)
{
    if (timer->queued)
        timer->queued->timer = NULL;
    list_del(&timer->link);
    process->nr_posix_timers--;
    nr_timers--;
    quire_kfree(machine_slab, timer);
}

void posix_timers_clear(struct process *process)
{
    while (!list_empty(&process->posix_timers))
        posix_timer_delete(
            process, quire_container_of(process->posix_timers.next, struct posix_timer, link));
    process->next_posix_timer = 0;
}

/* ---- time ------------------------------------------------------------------------------------ */

uint64_t posix_timer_now(const struct posix_timer *timer)
{
    const struct process *process = current_process();
    const struct task *task;
    if (timer->clock != POSIX_CLOCK_MACHINE)
        sched_account();
    switch (timer->clock) {
    case POSIX_CLOCK_PROCESS:
        return process->user_ns + process->system_ns;
    case POSIX_CLOCK_THREAD:
        task = task_find(timer->clock_tid);
        return task && task->process == process ? task->user_ns + task->system_ns : 0;
    default:
        return quire_port_clock_ns();
    }
}

static void note_due(const struct posix_timer *timer)
{
    if (timer->next && timer->clock == POSIX_CLOCK_MACHINE && timer->next < first_due)
        first_due = timer->next;
}

void posix_timer_set(struct posix_timer *timer, uint64_t next, uint64_t interval)
{
    timer->next = next;
    timer->interval = interval;
    timer->missed = 0;
    timer->overrun = 0;
    note_due(timer);
}

/* Puts off what is due; how often it went off. */
static uint64_t advance(struct posix_timer *timer, uint64_t now)
{
    if (!timer->next || timer->next > now)
        return 0;
    if (!timer->interval) {
        timer->next = 0;
        return 1;
    }
    uint64_t count = times_in(now - timer->next, timer->interval) + 1;
    timer->next += count * timer->interval;
    return count;
}

uint64_t posix_timer_left(struct posix_timer *timer)
{
    uint64_t now = posix_timer_now(timer);
    if (!timer->signal || timer->queued)
        timer->missed += advance(timer, now);
    if (!timer->next)
        return 0;
    return timer->next > now ? timer->next - now : 1;
}

/* ---- signals --------------------------------------------------------------------------------- */

static void send(struct process *process, struct posix_timer *timer, uint64_t count)
{
    struct task *task = timer->tid ? task_find(timer->tid) : NULL;
    const struct signal_info info = {.number = timer->signal,
                                     .code = SI_TIMER,
                                     .pid = timer->id,
                                     .value = timer->value,
                                     .timer = timer};
    if (timer->tid && (!task || task->process != process))
        return; /* who was to hear of it has ended */
    bool sent = !signal_send(process, task, timer->signal, &info);
    timer->missed += count - sent;
}

void posix_timer_unqueued(struct posix_timer *timer)
{
    timer->queued = NULL;
    note_due(timer);
}

void posix_timer_taken(struct signal_info *info)
{
    struct posix_timer *timer = info->timer;
    info->timer = NULL;
    timer->missed += advance(timer, posix_timer_now(timer));
    timer->overrun = timer->missed < MAX_OVERRUN ? (int)timer->missed : MAX_OVERRUN;
    timer->missed = 0;
    info->uid = (uint32_t)timer->overrun; /* where siginfo_t has si_overrun */
}

static void expire(struct process *process, struct posix_timer *timer, uint64_t now)
{
    uint64_t count = timer->signal && !timer->queued ? advance(timer, now) : 0;
    if (count)
        send(process, timer, count);
}

static void expire_machine(uint64_t now)
{
    first_due = NO_DEADLINE;
    list_for_each (at, &all_processes) {
        struct process *process = quire_container_of(at, struct process, all);
        list_for_each (link, &process->posix_timers) {
            struct posix_timer *timer = quire_container_of(link, struct posix_timer, link);
            if (timer->clock != POSIX_CLOCK_MACHINE || !timer->signal)
                continue;
            expire(process, timer, now);
            if (!timer->queued)
                note_due(timer);
        }
    }
}

void posix_timers_expire(uint64_t now)
{
    struct process *process = current->process;
    if (process)
        list_for_each (link, &process->posix_timers) {
            struct posix_timer *timer = quire_container_of(link, struct posix_timer, link);
            if (timer->clock != POSIX_CLOCK_MACHINE)
                expire(process, timer, posix_timer_now(timer));
        }
    if (now >= first_due)
        expire_machine(now);
}
