/* kernel/task/timer.c: interval timers (man 2 setitimer), and the limit of a process's time
 *
 * ITIMER_REAL of all processes is looked through when the first of them is due. The two that count
 * a process's own time are looked at by the clock's tick for the process that runs, whose time has
 * just been counted.
 */
#include "task/timer.h"
#include "task/sched.h"

#include <quire/port.h>

#include "base/bits.h"
#include "task/lifecycle.h"
#include "task/limits.h"
#include "task/posix_timer.h"

#define NS_PER_SECOND 1000000000u

/* No sooner is any ITIMER_REAL due. */
static uint64_t first_due = NO_DEADLINE;

void timer_set(struct process *process, uint64_t next, uint64_t interval)
{
    process->itimer.next = next;
    process->itimer.interval = interval;
    if (next && next < first_due)
        first_due = next;
}

uint64_t timer_left(const struct itimer *timer, uint64_t now)
{
    if (!timer->next)
        return 0;
    return timer->next > now ? timer->next - now : 1;
}

/* Ticks that were missed aren't made up for. */
static bool is_due(struct itimer *timer, uint64_t now)
{
    if (!timer->next || timer->next > now)
        return false;
    if (!timer->interval)
        timer->next = 0;
    else if (timer->next + timer->interval > now)
        timer->next += timer->interval;
    else
        timer->next = now + timer->interval;
    return true;
}

static void expire_real(uint64_t now)
{
    first_due = NO_DEADLINE;
    list_for_each (at, &all_processes) {
        struct process *process = quire_container_of(at, struct process, all);
        if (is_due(&process->itimer, now))
            signal_process(process, SIGALRM, NULL);
        if (process->itimer.next && process->itimer.next < first_due)
            first_due = process->itimer.next;
    }
}

/* RLIMIT_CPU: SIGXCPU at the soft limit, which goes up by a second each time, so that it comes
 * again (Linux shows that, too); the end at the hard one. */
static void limit_time(struct process *process)
{
    struct rlimit64 *limit = &process->limit[RLIMIT_CPU];
    if (limit->current == QUIRE_LIMIT_INFINITE)
        return;
    uint64_t seconds = quire_div64(process->user_ns + process->system_ns, NS_PER_SECOND);
    if (seconds >= limit->max) {
        signal_process(process, SIGKILL, NULL);
    } else if (seconds >= limit->current) {
        limit->current++;
        signal_process(process, SIGXCPU, NULL);
    }
}

static void expire_own(struct process *process)
{
    limit_time(process);
    if (is_due(&process->itimer_virtual, process->user_ns))
        signal_process(process, SIGVTALRM, NULL);
    if (is_due(&process->itimer_profile, process->user_ns + process->system_ns))
        signal_process(process, SIGPROF, NULL);
}

void timers_expire(uint64_t now)
{
    sched_account();
    if (current->process)
        expire_own(current->process);
    posix_timers_expire(now);
    if (now >= first_due)
        expire_real(now);
}
