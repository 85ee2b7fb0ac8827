/* kernel/sys/timerfd.c: timerfd_create(2) and its relatives */
#include "fs/timerfd.h"

#include <quire/port.h>

#include "sys/clocks.h"
#include "sys/file_user.h"
#include "sys/user_time.h"

#define TIMER_ABSTIME 1u
#define CANCEL_ON_SET 2u /* of times that are set: nobody does */

long sys_timerfd_create(const unsigned long *arg)
{
    struct file *file;
    int clock = (int)arg[0];
    bool known = clock == CLOCK_REALTIME || clock == CLOCK_MONOTONIC || clock == CLOCK_BOOTTIME ||
                 clock == CLOCK_REALTIME_ALARM || clock == CLOCK_BOOTTIME_ALARM;
    if (!known || (unsigned)arg[1] & ~(unsigned)(O_CLOEXEC | O_NONBLOCK))
        return -EINVAL;
    int error = timerfd_create(&file, user_credentials(), clock, (int)arg[1]);
    return error ? error : user_add_file(file, arg[1] & O_CLOEXEC);
}

/* A reference to what has to be one; NULL with *error. */
static struct file *timer_of(unsigned long fd, int *error)
{
    struct file *file = user_file(fd);
    *error = !file ? -EBADF : file_is_timerfd(file) ? 0 : -EINVAL;
    if (!*error)
        return file;
    file_put(file);
    return NULL;
}

/* struct itimerspec: interval, then value. */
static int write_left(struct file *file, uintptr_t at, enum time_width width)
{
    uint64_t interval, left = timerfd_left(file, &interval);
    if (time_to_user(at, interval, width))
        return -EFAULT;
    return time_to_user(at + time_spec_bytes(width), left, width);
}

static uint64_t next_of(int clock, uint64_t value, bool absolute)
{
    bool is_realtime = clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_ALARM;
    if (!value)
        return 0;
    uint64_t next = !absolute     ? deadline_after(value)
                    : is_realtime ? deadline_of_realtime(value)
                                  : value;
    return next ? next : 1; /* long ago */
}

static long set_time(const unsigned long *arg, enum time_width width)
{
    uint64_t interval, value;
    int error = time_from_user(&interval, arg[2], width);
    if (!error)
        error = time_from_user(&value, arg[2] + time_spec_bytes(width), width);
    if (!error && (unsigned)arg[1] & ~(TIMER_ABSTIME | CANCEL_ON_SET))
        error = -EINVAL;
    struct file *file = error ? NULL : timer_of(arg[0], &error);
    if (!file)
        return error;
    if (arg[3])
        error = write_left(file, arg[3], width);
    if (!error)
        timerfd_set(file, next_of(timerfd_clock(file), value, arg[1] & TIMER_ABSTIME), interval);
    file_put(file);
    return error;
}

static long get_time(const unsigned long *arg, enum time_width width)
{
    int error;
    struct file *file = timer_of(arg[0], &error);
    if (file)
        error = write_left(file, arg[1], width);
    file_put(file);
    return error;
}

long sys_timerfd_settime(const unsigned long *arg)
{
    return set_time(arg, TIME_LONG);
}

long sys_timerfd_gettime(const unsigned long *arg)
{
    return get_time(arg, TIME_LONG);
}

#if !defined(__x86_64__)
long sys_timerfd_settime64(const unsigned long *arg)
{
    return set_time(arg, TIME_64);
}

long sys_timerfd_gettime64(const unsigned long *arg)
{
    return get_time(arg, TIME_64);
}
#endif
