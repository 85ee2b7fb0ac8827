/* kernel/fs/timerfd.c: timers that are read: how often they went off since the last time
 *
 * Nothing runs when one goes off: who reads sleeps until then, and who polls asks when that will be
 * (file_ops.due).
 */
#include "fs/timerfd.h"

#include <quire/port.h>

#include "fs/anonymous.h"
#include "memory.h"

struct timerfd {
    int clock;
    uint64_t next, interval;
    struct event changed;
};

/* How often `interval` goes into `ns`: by hand, since i386 has no such division. */
static uint64_t times_in(uint64_t ns, uint64_t interval)
{
    uint64_t count = 0;
    for (int bit = 63; bit >= 0; bit--)
        if (interval <= ns >> bit) {
            count |= (uint64_t)1 << bit;
            ns -= interval << bit;
        }
    return count;
}

/* What has come together since it was set or read. */
static uint64_t take(struct timerfd *timer, uint64_t now)
{
    if (!timer->next || timer->next > now)
        return 0;
    uint64_t count = timer->interval ? times_in(now - timer->next, timer->interval) + 1 : 1;
    timer->next = timer->interval ? timer->next + count * timer->interval : 0;
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
    const struct timerfd *timer = file->data;
    return timer->next && timer->next <= quire_port_clock_ns() ? POLLIN | POLLRDNORM : 0;
}

static uint64_t timerfd_due(struct file *file)
{
    const struct timerfd *timer = file->data;
    return timer->next ? timer->next : NO_DEADLINE;
}

/* Each time it goes off is an edge: told apart by when the next time is. */
static uint32_t timerfd_happened(struct file *file, unsigned events)
{
    const struct timerfd *timer = file->data;
    uint64_t now = quire_port_clock_ns();
    if (!(events & POLLIN) || !timer->next || timer->next > now)
        return 0;
    return 1 + (timer->interval ? (uint32_t)times_in(now - timer->next, timer->interval) : 0);
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
    timer->next = next;
    timer->interval = interval;
    event_signal(&timer->changed);
}

uint64_t timerfd_left(const struct file *file, uint64_t *interval)
{
    const struct timerfd *timer = file->data;
    uint64_t now = quire_port_clock_ns(), next = timer->next;
    *interval = timer->interval;
    if (!next)
        return 0;
    if (next <= now && timer->interval)
        next += (times_in(now - next, timer->interval) + 1) * timer->interval;
    return next > now ? next - now : 0;
}
