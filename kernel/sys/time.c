/* kernel/sys/time.c: what time it is
 *
 * The world's clock is the PC's, read once, and can't be set. The machine never sleeps, so the time
 * since boot is one, by whatever name; and TAI is UTC, as long as nobody has told the leap seconds.
 */
#include <quire/port.h>

#include "base/bits.h"
#include "rtc.h"
#include "sys/calls_time.h"
#include "sys/clocks.h"
#include "sys/user_time.h"
#include "task/lifecycle.h"
#include "task/sched.h"
#include "time_units.h"
#include "user.h"

#define COARSE_NS 4000000u /* a tick of the timer */

/* ---- clocks of processes --------------------------------------------------------------------- */

static uint64_t process_ns(const struct process *process)
{
    if (process == current_process())
        sched_account();
    return process->user_ns + process->system_ns;
}

static uint64_t thread_ns(const struct task *task)
{
    if (task == current)
        sched_account();
    return task->user_ns + task->system_ns;
}

#define CPU_CLOCK_TYPE 3
#define CPU_CLOCK_THREAD 4

/* A negative number names another's clock: the complement of its pid, and three bits for the type
 * (man 3 clock_getcpuclockid). */
static int read_cpu_clock(int clock, uint64_t *ns)
{
    int number = ~(clock >> 3);
    if ((clock & CPU_CLOCK_TYPE) == CPU_CLOCK_TYPE)
        return -EINVAL;
    if (clock & CPU_CLOCK_THREAD) {
        struct task *task = number ? task_find(number) : current;
        if (!task || task->process != current_process())
            return -EINVAL;
        *ns = thread_ns(task);
        return 0;
    }
    struct process *process = number ? process_find(number) : current_process();
    if (!process)
        return -EINVAL;
    *ns = process_ns(process);
    return 0;
}

/* ---- clock_gettime --------------------------------------------------------------------------- */

int clock_read(int clock, uint64_t *ns)
{
    switch (clock) {
    case CLOCK_REALTIME:
    case CLOCK_REALTIME_COARSE:
    case CLOCK_REALTIME_ALARM:
    case CLOCK_TAI:
        *ns = realtime_ns();
        return 0;
    case CLOCK_MONOTONIC:
    case CLOCK_MONOTONIC_RAW:
    case CLOCK_MONOTONIC_COARSE:
    case CLOCK_BOOTTIME:
    case CLOCK_BOOTTIME_ALARM:
        *ns = quire_port_clock_ns();
        return 0;
    case CLOCK_PROCESS_CPUTIME_ID:
        *ns = process_ns(current_process());
        return 0;
    case CLOCK_THREAD_CPUTIME_ID:
        *ns = thread_ns(current);
        return 0;
    default:
        return clock < 0 ? read_cpu_clock(clock, ns) : -EINVAL;
    }
}

static long get_time(const unsigned long *arg, enum time_width width)
{
    uint64_t ns;
    int error = clock_read((int)arg[0], &ns);
    return error ? error : time_to_user(arg[1], ns, width);
}

static long get_resolution(const unsigned long *arg, enum time_width width)
{
    uint64_t ns;
    int clock = (int)arg[0], error = clock_read(clock, &ns);
    if (error || !arg[1])
        return error;
    bool coarse = clock == CLOCK_REALTIME_COARSE || clock == CLOCK_MONOTONIC_COARSE;
    return time_to_user(arg[1], coarse ? COARSE_NS : 1, width);
}

long sys_clock_gettime(const unsigned long *arg)
{
    return get_time(arg, TIME_LONG);
}

long sys_clock_getres(const unsigned long *arg)
{
    return get_resolution(arg, TIME_LONG);
}

/* Only the world's clock is one that could be set, if somebody were allowed to. */
long sys_clock_settime(const unsigned long *arg)
{
    return (int)arg[0] == CLOCK_REALTIME ? -EPERM : -EINVAL;
}

#ifdef __i386__
long sys_clock_gettime64(const unsigned long *arg)
{
    return get_time(arg, TIME_64);
}

long sys_clock_getres_time64(const unsigned long *arg)
{
    return get_resolution(arg, TIME_64);
}

long sys_stime(const unsigned long *arg)
{
    (void)arg;
    return -EPERM;
}
#endif

/* ---- older calls ----------------------------------------------------------------------------- */

struct time_zone {
    int minutes_west, dst;
};

long sys_gettimeofday(const unsigned long *arg)
{
    const struct time_zone utc = {0, 0};
    if (arg[0] && timeval_to_user(arg[0], realtime_ns()))
        return -EFAULT;
    return arg[1] ? copy_to_user(arg[1], &utc, sizeof utc) : 0;
}

long sys_settimeofday(const unsigned long *arg)
{
    (void)arg;
    return -EPERM;
}

long sys_time(const unsigned long *arg)
{
    long seconds = (long)quire_div64(realtime_ns(), NS_PER_SECOND);
    if (arg[0] && copy_to_user(arg[0], &seconds, sizeof seconds))
        return -EFAULT;
    return seconds;
}

static long ticks(uint64_t ns)
{
    return (long)ticks_of(ns);
}

long sys_times(const unsigned long *arg)
{
    const struct process *process = current_process();
    sched_account();
    const struct {
        long user, system, children_user, children_system;
    } times = {ticks(process->user_ns), ticks(process->system_ns), ticks(process->children_user_ns),
               ticks(process->children_system_ns)};
    if (arg[0] && copy_to_user(arg[0], &times, sizeof times))
        return -EFAULT;
    return ticks(quire_port_clock_ns());
}
