/* kernel/sys/epoll.c: epoll_create(2), epoll_ctl(2), epoll_wait(2) */
#include "fs/epoll.h"

#include <quire/vmalloc.h>

#include "memory.h"
#include "sys/file_user.h"
#include "sys/poll_user.h"
#include "sys/user_time.h"

#define MAX_AT_ONCE 1024u /* events of one call: programs ask for tens */

/* ---- making and changing --------------------------------------------------------------------- */

static long create(bool close_on_exec)
{
    struct file *file;
    int error = epoll_create(&file, user_credentials());
    return error ? error : user_add_file(file, close_on_exec);
}

long sys_epoll_create(const unsigned long *arg)
{
    return (int)arg[0] > 0 ? create(false) : -EINVAL;
}

long sys_epoll_create1(const unsigned long *arg)
{
    unsigned flags = (unsigned)arg[0];
    return flags & ~(unsigned)O_CLOEXEC ? -EINVAL : create(flags);
}

/* epoll_ctl(epoll, operation, fd, event). */
long sys_epoll_ctl(const unsigned long *arg)
{
    struct epoll_event event = {0};
    if ((int)arg[1] != EPOLL_CTL_DEL && copy_from_user(&event, arg[3], sizeof event))
        return -EFAULT;
    struct file *epoll = user_file(arg[0]), *file = user_file(arg[2]);
    long result =
        epoll && file ? epoll_change(epoll, (int)arg[1], file, (int)arg[2], &event) : -EBADF;
    file_put(file);
    file_put(epoll);
    return result;
}

/* ---- waiting --------------------------------------------------------------------------------- */

static long wait_and_copy(struct file *epoll, uintptr_t to, unsigned most, uint64_t deadline)
{
    most = most < MAX_AT_ONCE ? most : MAX_AT_ONCE;
    struct epoll_event *events =
        quire_kvmalloc(machine_vmalloc, most * sizeof *events, QUIRE_GFP_KERNEL);
    if (!events)
        return -ENOMEM;
    long count = epoll_wait(epoll, events, most, deadline);
    if (count > 0 && copy_to_user(to, events, (size_t)count * sizeof *events))
        count = -EFAULT;
    quire_kvfree(machine_vmalloc, events);
    return count;
}

static long wait(const unsigned long *arg, uint64_t deadline)
{
    if ((int)arg[2] <= 0 || (unsigned)arg[2] > INT32_MAX / sizeof(struct epoll_event))
        return -EINVAL;
    struct file *epoll = user_file(arg[0]);
    if (!epoll)
        return -EBADF;
    long result =
        file_is_epoll(epoll) ? wait_and_copy(epoll, arg[1], (unsigned)arg[2], deadline) : -EINVAL;
    file_put(epoll);
    return result;
}

/* With these signals blocked meanwhile; `at` 0: as they are. */
static long wait_masked(const unsigned long *arg, uint64_t deadline, uintptr_t at,
                        unsigned long size)
{
    int error = poll_mask_begin(at, size);
    if (error)
        return error;
    long result = wait(arg, deadline);
    poll_mask_end(at, result);
    return result;
}

long sys_epoll_wait(const unsigned long *arg)
{
    return wait(arg, poll_deadline_of_ms((int)arg[3]));
}

long sys_epoll_pwait(const unsigned long *arg)
{
    return wait_masked(arg, poll_deadline_of_ms((int)arg[3]), arg[4], arg[5]);
}

/* The time is of 64 bits in both classes. */
long sys_epoll_pwait2(const unsigned long *arg)
{
    uint64_t ns = 0;
    int error = arg[3] ? time_from_user(&ns, arg[3], TIME_64) : 0;
    if (error)
        return error;
    uint64_t deadline = !arg[3] ? NO_DEADLINE : ns ? deadline_after(ns) : 0;
    return wait_masked(arg, deadline, arg[4], arg[5]);
}
