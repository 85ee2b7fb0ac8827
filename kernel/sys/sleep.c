/* kernel/sys/sleep.c: nanosleep(2), clock_nanosleep(2)
 *
 * A sleep ends with a tick of the timer, never before its time. After a stop a sleep for a length
 * of time goes on to where it was to end (ERESTART_RESTARTBLOCK).
 */
#include <quire/port.h>

#include "sys/calls_time.h"
#include "sys/clocks.h"
#include "sys/user_time.h"
#include "task/sched.h"
#include "user.h"

#define TIMER_ABSTIME 1

/* 0 or -EINTR. */
static int sleep_until(uint64_t deadline)
{
    int error = 0;
    while (!error && quire_port_clock_ns() < deadline)
        error = sched_sleep(NULL, 0, SLEEP_INTERRUPTIBLE, deadline);
    return error == -ETIMEDOUT ? 0 : error;
}

static long sleep_for(uint64_t ns, uintptr_t rest, enum time_width width)
{
    uint64_t deadline = restart_take_deadline();
    if (!deadline)
        deadline = deadline_after(ns);
    if (!sleep_until(deadline))
        return 0;
    uint64_t now = quire_port_clock_ns();
    if (now >= deadline)
        return 0;
    if (rest && time_to_user(rest, deadline - now, width))
        return -EFAULT;
    current->restart_deadline = deadline;
    return -ERESTART_RESTARTBLOCK;
}

long sys_nanosleep(const unsigned long *arg)
{
    uint64_t ns;
    int error = time_from_user(&ns, arg[0], TIME_LONG);
    return error ? error : sleep_for(ns, arg[1], TIME_LONG);
}

/* Those that count a program's own time don't sleep here, though Linux knows one that does. */
static int check_clock(int clock)
{
    uint64_t ns;
    switch (clock) {
    case CLOCK_REALTIME:
    case CLOCK_MONOTONIC:
    case CLOCK_BOOTTIME:
    case CLOCK_TAI:
        return 0;
    case CLOCK_THREAD_CPUTIME_ID:
        return -EINVAL;
    default:
        return clock_read(clock, &ns) ? -EINVAL : -EOPNOTSUPP;
    }
}

static long clock_sleep(const unsigned long *arg, enum time_width width)
{
    uint64_t ns;
    int clock = (int)arg[0], error = check_clock(clock);
    if (!error)
        error = time_from_user(&ns, arg[2], width);
    if (error)
        return error;
    if (!(arg[1] & TIMER_ABSTIME))
        return sleep_for(ns, arg[3], width);
    bool is_world = clock == CLOCK_REALTIME || clock == CLOCK_TAI;
    return sleep_until(is_world ? deadline_of_realtime(ns) : ns) ? -ERESTARTNOHAND : 0;
}

long sys_clock_nanosleep(const unsigned long *arg)
{
    return clock_sleep(arg, TIME_LONG);
}

#ifdef __i386__
long sys_clock_nanosleep_time64(const unsigned long *arg)
{
    return clock_sleep(arg, TIME_64);
}
#endif
