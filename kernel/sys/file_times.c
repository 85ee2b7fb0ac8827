/* kernel/sys/file_times.c: times of files (man 2 utimensat, utime) */
#include "sys/file_user.h"
#include "sys/user_time.h"

#define CWD ((unsigned long)AT_FDCWD)
#define UTIME_NOW 0x3fffffff
#define UTIME_OMIT 0x3ffffffe
#define US_PER_SECOND 1000000

/* What a call asks for: both times, of which each may be the present or stay as it is. */
struct request {
    struct fs_time time[2];
    bool omit[2], now[2];
};

static void ask_for_now(struct request *request)
{
    *request = (struct request){.now = {true, true}};
}

/* Linux's struct timespec, of the class or of 64 bits. */
static int read_specs(struct request *request, uintptr_t at, enum time_width width)
{
    *request = (struct request){0};
    for (unsigned i = 0; i < 2; i++) {
        int64_t wide[2];
        long narrow[2];
        bool is_wide = width == TIME_64;
        size_t size = is_wide ? sizeof wide : sizeof narrow;
        if (copy_from_user(is_wide ? (void *)wide : (void *)narrow, at + i * size, size))
            return -EFAULT;
        int64_t seconds = is_wide ? wide[0] : narrow[0];
        /* The upper half of the nanoseconds is padding on i386. */
        long ns = is_wide ? (long)wide[1] : narrow[1];
        request->now[i] = ns == UTIME_NOW;
        request->omit[i] = ns == UTIME_OMIT;
        if (!request->now[i] && !request->omit[i] && (ns < 0 || ns >= (long)NS_PER_SECOND))
            return -EINVAL;
        request->time[i] = (struct fs_time){seconds, (uint32_t)ns};
    }
    return 0;
}

static int read_microseconds(struct request *request, uintptr_t at)
{
    long values[4];
    *request = (struct request){0};
    if (copy_from_user(values, at, sizeof values))
        return -EFAULT;
    for (unsigned i = 0; i < 2; i++) {
        long us = values[2 * i + 1];
        if (us < 0 || us >= US_PER_SECOND)
            return -EINVAL;
        request->time[i] = (struct fs_time){values[2 * i], (uint32_t)us * NS_PER_US};
    }
    return 0;
}

static int set_times(struct inode *inode, struct request *request)
{
    for (unsigned i = 0; i < 2; i++)
        if (request->now[i])
            request->time[i] = fs_time_now();
    if (request->omit[0] && request->omit[1])
        return 0;
    return inode_set_times(inode, user_credentials(), request->omit[0] ? NULL : &request->time[0],
                           request->omit[1] ? NULL : &request->time[1],
                           request->now[0] && request->now[1]);
}

static long set_at(unsigned long directory, uintptr_t text, unsigned long flags,
                   struct request *request)
{
    struct walk walk;
    if (flags & ~(unsigned long)(AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH))
        return -EINVAL;
    int error = user_walk(&walk, directory, text, (unsigned)flags,
                          flags & AT_SYMLINK_NOFOLLOW ? 0 : WALK_FOLLOW);
    if (error)
        return error;
    error = set_times(walk.inode, request);
    walk_end(&walk);
    return error;
}

static long set_file(unsigned long fd, struct request *request)
{
    struct file *file = user_file(fd);
    if (!file)
        return -EBADF;
    int error = set_times(file->inode, request);
    file_put(file);
    return error;
}

static long utimensat(const unsigned long *arg, enum time_width width)
{
    struct request request;
    int error = 0;
    if (arg[2])
        error = read_specs(&request, arg[2], width);
    else
        ask_for_now(&request);
    if (error)
        return error;
    if (!arg[1] && (int)arg[0] != AT_FDCWD)
        return arg[3] ? -EINVAL : set_file(arg[0], &request);
    return set_at(arg[0], arg[1], arg[3], &request);
}

long sys_utimensat(const unsigned long *arg)
{
    return utimensat(arg, TIME_LONG);
}

#if !defined(__x86_64__)
long sys_utimensat_time64(const unsigned long *arg)
{
    return utimensat(arg, TIME_64);
}
#endif

static long utimes_at(unsigned long directory, uintptr_t text, uintptr_t times)
{
    struct request request;
    int error = 0;
    if (times)
        error = read_microseconds(&request, times);
    else
        ask_for_now(&request);
    return error ? error : set_at(directory, text, 0, &request);
}

long sys_utimes(const unsigned long *arg)
{
    return utimes_at(CWD, arg[0], arg[1]);
}

long sys_futimesat(const unsigned long *arg)
{
    return utimes_at(arg[0], arg[1], arg[2]);
}

long sys_utime(const unsigned long *arg)
{
    struct request request = {0};
    long seconds[2];
    if (!arg[1]) {
        ask_for_now(&request);
    } else {
        if (copy_from_user(seconds, arg[1], sizeof seconds))
            return -EFAULT;
        request.time[0].seconds = seconds[0];
        request.time[1].seconds = seconds[1];
    }
    return set_at(CWD, arg[0], 0, &request);
}
