/* kernel/sys/posix_timer.c: timer_create(2) and its relatives */
#include "task/posix_timer.h"

#include "errno.h"
#include "sys/calls_time.h"
#include "sys/clocks.h"
#include "sys/user_time.h"
#include "task/lifecycle.h"
#include "user.h"

#define SIGEV_SIGNAL 0
#define SIGEV_NONE 1
#define SIGEV_THREAD 2
#define SIGEV_THREAD_ID 4
#define TIMER_ABSTIME 1u

/* What of struct sigevent is looked at. */
struct event_request {
    uintptr_t value;
    int signal, notify, tid;
};

/* ---- making ---------------------------------------------------------------------------------- */

#define CPU_CLOCK_TYPE 3
#define CPU_CLOCK_THREAD 4

/* Of a process or thread by its number (man 3 clock_getcpuclockid); here only the own process's. */
static int choose_cpu_clock(struct posix_timer *timer, int clock)
{
    int number = ~(clock >> 3);
    if ((clock & CPU_CLOCK_TYPE) == CPU_CLOCK_TYPE)
        return -EINVAL;
    if (!(clock & CPU_CLOCK_THREAD)) {
        timer->clock = POSIX_CLOCK_PROCESS;
        return !number || number == current_process()->pid ? 0 : -EINVAL;
    }
    const struct task *task = number ? task_find(number) : current;
    if (!task || task->process != current_process())
        return -EINVAL;
    timer->clock = POSIX_CLOCK_THREAD;
    timer->clock_tid = task->tid;
    return 0;
}

static int choose_clock(struct posix_timer *timer, int clock)
{
    switch (clock) {
    case CLOCK_REALTIME:
    case CLOCK_REALTIME_ALARM:
    case CLOCK_TAI:
        timer->realtime = true;
        return 0;
    case CLOCK_MONOTONIC:
    case CLOCK_BOOTTIME:
    case CLOCK_BOOTTIME_ALARM:
        return 0;
    case CLOCK_PROCESS_CPUTIME_ID:
        timer->clock = POSIX_CLOCK_PROCESS;
        return 0;
    case CLOCK_THREAD_CPUTIME_ID:
        timer->clock = POSIX_CLOCK_THREAD;
        timer->clock_tid = current->tid;
        return 0;
    case CLOCK_MONOTONIC_RAW:
    case CLOCK_REALTIME_COARSE:
    case CLOCK_MONOTONIC_COARSE:
        return -EOPNOTSUPP;
    default:
        return clock < 0 ? choose_cpu_clock(timer, clock) : -EINVAL;
    }
}

static int choose_signal(struct posix_timer *timer, const struct event_request *request)
{
    int notify = request->notify & ~SIGEV_THREAD_ID;
    timer->value = request->value;
    if (request->notify == SIGEV_NONE)
        return 0;
    if (notify != SIGEV_SIGNAL && request->notify != SIGEV_THREAD)
        return -EINVAL;
    if (request->signal < 1 || request->signal > NR_SIGNALS)
        return -EINVAL;
    timer->signal = request->signal;
    if (request->notify & SIGEV_THREAD_ID) {
        const struct task *task = task_find(request->tid);
        if (!task || task->process != current_process())
            return -EINVAL;
        timer->tid = request->tid;
    }
    return 0;
}

/* timer_create(clock, event, id). */
long sys_timer_create(const unsigned long *arg)
{
    struct event_request request = {.signal = SIGALRM};
    struct posix_timer *timer;
    if (arg[1] && copy_from_user(&request, arg[1], sizeof request))
        return -EFAULT;
    int error = posix_timer_create(&timer);
    if (error)
        return error;
    int id = timer->id;
    if (!arg[1])
        request.value = (uintptr_t)id;
    error = choose_clock(timer, (int)arg[0]);
    if (!error)
        error = choose_signal(timer, &request);
    if (!error)
        error = copy_to_user(arg[2], &id, sizeof id);
    /* Another thread may have deleted it while memory was written. */
    timer = error ? posix_timer_find(current_process(), id) : NULL;
    if (timer)
        posix_timer_delete(current_process(), timer);
    return error;
}

long sys_timer_delete(const unsigned long *arg)
{
    struct posix_timer *timer = posix_timer_find(current_process(), (int)arg[0]);
    if (!timer)
        return -EINVAL;
    posix_timer_delete(current_process(), timer);
    return 0;
}

long sys_timer_getoverrun(const unsigned long *arg)
{
    const struct posix_timer *timer = posix_timer_find(current_process(), (int)arg[0]);
    return timer ? timer->overrun : -EINVAL;
}

/* ---- setting --------------------------------------------------------------------------------- */

static uint64_t next_of(const struct posix_timer *timer, uint64_t value, bool absolute)
{
    if (!value)
        return 0;
    if (timer->clock == POSIX_CLOCK_MACHINE && absolute) {
        uint64_t next = timer->realtime ? deadline_of_realtime(value) : value;
        return next ? next : 1; /* long ago */
    }
    return absolute ? value : posix_timer_now(timer) + value;
}

/* struct itimerspec: interval, then value. */
static int write_times(uintptr_t at, uint64_t left, uint64_t interval, enum time_width width)
{
    if (time_to_user(at, interval, width))
        return -EFAULT;
    return time_to_user(at + time_spec_bytes(width), left, width);
}

/* timer_settime(id, flags, new, old). */
static long set_time(const unsigned long *arg, enum time_width width)
{
    uint64_t interval, value;
    if (!arg[2])
        return -EINVAL;
    int error = time_from_user(&interval, arg[2], width);
    if (!error)
        error = time_from_user(&value, arg[2] + time_spec_bytes(width), width);
    if (error)
        return error;
    struct posix_timer *timer = posix_timer_find(current_process(), (int)arg[0]);
    if (!timer)
        return -EINVAL;
    uint64_t left = posix_timer_left(timer), old = timer->interval;
    posix_timer_set(timer, next_of(timer, value, arg[1] & TIMER_ABSTIME), interval);
    return arg[3] ? write_times(arg[3], left, old, width) : 0;
}

static long get_time(const unsigned long *arg, enum time_width width)
{
    struct posix_timer *timer = posix_timer_find(current_process(), (int)arg[0]);
    if (!timer)
        return -EINVAL;
    uint64_t left = posix_timer_left(timer);
    return write_times(arg[1], left, timer->interval, width);
}

long sys_timer_settime(const unsigned long *arg)
{
    return set_time(arg, TIME_LONG);
}

long sys_timer_gettime(const unsigned long *arg)
{
    return get_time(arg, TIME_LONG);
}

#if !defined(__x86_64__)
long sys_timer_settime64(const unsigned long *arg)
{
    return set_time(arg, TIME_64);
}

long sys_timer_gettime64(const unsigned long *arg)
{
    return get_time(arg, TIME_64);
}
#endif
