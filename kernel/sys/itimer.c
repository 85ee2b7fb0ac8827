/* kernel/sys/itimer.c: getitimer(2), setitimer(2), alarm(2)
 */
#include <quire/port.h>

#include "base/bits.h"
#include "sys/calls_time.h"
#include "sys/user_time.h"
#include "task/lifecycle.h"
#include "task/sched.h"
#include "task/timer.h"

#define ITIMER_REAL 0
#define ITIMER_VIRTUAL 1
#define ITIMER_PROF 2
#define TIMEVAL_BYTES (2 * sizeof(long))

/* A timer and what its clock says now. */
struct timer {
    struct itimer *state;
    uint64_t now;
};

static int timer_of(struct timer *timer, struct process *process, unsigned long which)
{
    sched_account();
    switch ((int)which) {
    case ITIMER_REAL:
        *timer = (struct timer){&process->itimer, quire_port_clock_ns()};
        return 0;
    case ITIMER_VIRTUAL:
        *timer = (struct timer){&process->itimer_virtual, process->user_ns};
        return 0;
    case ITIMER_PROF:
        *timer = (struct timer){&process->itimer_profile, process->user_ns + process->system_ns};
        return 0;
    default:
        return -EINVAL;
    }
}

/* `left` is the time until it is due, which only the microsecond says that it is due now. */
static int write_timer(uintptr_t at, uint64_t left, uint64_t interval)
{
    if (left && left < NS_PER_US)
        left = NS_PER_US;
    if (timeval_to_user(at, interval))
        return -EFAULT;
    return timeval_to_user(at + TIMEVAL_BYTES, left);
}

long sys_getitimer(const unsigned long *arg)
{
    struct timer timer;
    int error = timer_of(&timer, current_process(), arg[0]);
    if (error)
        return error;
    return write_timer(arg[1], timer_left(timer.state, timer.now), timer.state->interval);
}

/* `at` 0: off, which Linux lets pass, too. */
static int read_timer(uintptr_t at, uint64_t *value, uint64_t *interval)
{
    *value = *interval = 0;
    if (!at)
        return 0;
    int error = timeval_from_user(interval, at);
    return error ? error : timeval_from_user(value, at + TIMEVAL_BYTES);
}

long sys_setitimer(const unsigned long *arg)
{
    struct process *process = current_process();
    struct timer timer;
    uint64_t value, interval;
    int error = read_timer(arg[1], &value, &interval);
    if (!error)
        error = timer_of(&timer, process, arg[0]);
    if (error)
        return error;
    uint64_t old_left = timer_left(timer.state, timer.now), old_interval = timer.state->interval;
    uint64_t next = value ? timer.now + value : 0;
    if (timer.state == &process->itimer)
        timer_set(process, next, interval);
    else
        *timer.state = (struct itimer){next, interval};
    return arg[2] ? write_timer(arg[2], old_left, old_interval) : 0;
}

/* What was left of the last alarm, in seconds, rounded, but never down to none. */
long sys_alarm(const unsigned long *arg)
{
    struct process *process = current_process();
    uint64_t now = quire_port_clock_ns(), seconds = (uint32_t)arg[0];
    uint64_t left = timer_left(&process->itimer, now);
    timer_set(process, seconds ? now + seconds * NS_PER_SECOND : 0, 0);
    uint64_t whole = quire_div64(left + NS_PER_SECOND / 2, NS_PER_SECOND);
    return left && !whole ? 1 : (long)whole;
}
