/* kernel/fs/timerfd.c: timers that are read: how often they went off since the last time
 *
 * Nothing runs when one goes off: who reads sleeps until then, and who polls asks when that will be
 * (file_ops.due).
 */
#include "fs/timerfd.h"

#include <quire/port.h>

#include "fs/anonymous.h"
#include "memory.h"
#include "time_units.h"

struct timerfd {
    int clock;
    uint64_t next, interval; /* `next` is the first that wasn't read; 0: it is off */
    uint32_t past;           /* times that there was something to read, and no longer is */
    struct event changed;
};

/* How often it went off since it was set or read. */
static uint64_t count_due(const struct timerfd *timer, uint64_t now)
{
    if (!timer->next || timer->next > now)
        return 0;
    return timer->interval ? times_in(now - timer->next, timer->interval) + 1 : 1;
}

/* What comes after what is due already; 0: nothing. */
static uint64_t next_after(const struct timerfd *timer, uint64_t count)
{
    return timer->interval || !count ? timer->next + count * timer->interval : 0;
}

static uint64_t take(struct timerfd *timer, uint64_t now)
{
    uint64_t count = count_due(timer, now);
    timer->next = next_after(timer, count);
    timer->past += count > 0;
    return count;
}

static int64_t timerfd_read(struct file *file, uint64_t at, void *to, size_t size)
{
    struct timerfd *timer = file->data;
    uint64_t count;
    (void)at;
    if (size < sizeof count)
        return -EINVAL;
    for (;;) {
        uint32_t seen = event_read(&timer->changed);
        count = take(timer, quire_port_clock_ns());
        if (count)
            break;
        if (file->flags & O_NONBLOCK)
            return -EAGAIN;
        int error = event_wait(&timer->changed, seen, timer->next ? timer->next : NO_DEADLINE);
        if (error && error != -ETIMEDOUT)
            return error;
    }
    __builtin_memcpy(to, &count, sizeof count);
    return sizeof count;
}

static unsigned timerfd_poll(struct file *file)
{
    return count_due(file->data, quire_port_clock_ns()) ? POLLIN | POLLRDNORM : 0;
}

/* What went off isn't told anew before it is read, as on Linux. */
static uint64_t timerfd_due(struct file *file)
{
    const struct timerfd *timer = file->data;
    return timer->next > quire_port_clock_ns() ? timer->next : NO_DEADLINE;
}

static uint32_t timerfd_happened(struct file *file, unsigned events)
{
    const struct timerfd *timer = file->data;
    return events & POLLIN ? timer->past + (count_due(timer, quire_port_clock_ns()) > 0) : 0;
}

static void timerfd_release(struct file *file)
{
    quire_kfree(machine_slab, file->data);
}

static const struct file_ops timerfd_ops = {
    .name = "anon_inode:[timerfd]",
    .shared_name = true,
    .stream = true,
    .read = timerfd_read,
    .poll = timerfd_poll,
    .happened = timerfd_happened,
    .due = timerfd_due,
    .release = timerfd_release,
};

bool file_is_timerfd(const struct file *file)
{
    return file->ops == &timerfd_ops;
}

int timerfd_clock(const struct file *file)
{
    const struct timerfd *timer = file->data;
    return timer->clock;
}

int timerfd_create(struct file **file, const struct credentials *who, int clock, int flags)
{
    struct timerfd *timer = quire_kzalloc(machine_slab, sizeof *timer, QUIRE_GFP_KERNEL);
    struct inode *inode = timer ? anonymous_inode(who, 0600) : NULL;
    *file = inode ? file_new(inode, NULL, &timerfd_ops, O_RDWR | (flags & O_NONBLOCK)) : NULL;
    inode_put(inode);
    if (!*file) {
        quire_kfree(machine_slab, timer);
        return -ENOMEM;
    }
    timer->clock = clock;
    (*file)->data = timer;
    return 0;
}

void timerfd_set(struct file *file, uint64_t next, uint64_t interval)
{
    struct timerfd *timer = file->data;
    timer->past += count_due(timer, quire_port_clock_ns()) > 0;
    timer->next = next;
    timer->interval = interval;
    event_signal(&timer->changed);
}

uint64_t timerfd_left(const struct file *file, uint64_t *interval)
{
    const struct timerfd *timer = file->data;
    uint64_t now = quire_port_clock_ns(), next = next_after(timer, count_due(timer, now));
    *interval = timer->interval;
    return next ? next - now : 0;
}
