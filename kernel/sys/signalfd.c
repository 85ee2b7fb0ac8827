/* kernel/sys/signalfd.c: signals that are read (man 2 signalfd)
 *
 * A file of them is a set; what is read is what is pending for whoever reads.
 */
#include "errno.h"
#include "fs/anonymous.h"
#include "memory.h"
#include "string.h"
#include "sys/file_user.h"
#include "task/signal.h"

/* As programs read it. */
struct record {
    uint32_t number;
    int32_t error, code;
    uint32_t pid, uid;
    int32_t fd;
    uint32_t tid, band, overrun, trap;
    int32_t status, value;
    uint64_t pointer, user_ticks, system_ticks, address;
    uint16_t address_lsb;
    char padding[46];
};
_Static_assert(sizeof(struct record) == 128, "Linux's struct signalfd_siginfo");

struct signals {
    uint64_t set;
};

static uint64_t pending(const struct file *file)
{
    const struct signals *signals = file->data;
    return signal_pending_set(current) & signals->set;
}

static void fill(struct record *record, const struct signal_info *info)
{
    *record =
        (struct record){.number = (uint32_t)info->number, .error = info->error, .code = info->code};
    if (info->number == SIGCHLD && info->code > 0) {
        record->status = info->status;
        record->user_ticks = info->user_ticks;
        record->system_ticks = info->system_ticks;
    }
    if (info->code == SI_TIMER) {
        record->tid = (uint32_t)info->pid;
        record->overrun = info->uid;
    } else {
        record->pid = (uint32_t)info->pid;
        record->uid = info->uid;
    }
    record->value = (int32_t)info->value;
    record->pointer = info->value;
    record->address = info->address;
}

/* As many as there are and fit; the first is waited for. */
static int64_t signals_read(struct file *file, uint64_t at, void *to, size_t size)
{
    const struct signals *signals = file->data;
    struct record *record = to;
    size_t done = 0;
    (void)at;
    if (size < sizeof *record)
        return -EINVAL;
    for (;;) {
        uint32_t seen = event_read(&signal_came);
        struct signal_info info;
        while (done + sizeof *record <= size && signal_take(signals->set, &info)) {
            fill(record++, &info);
            done += sizeof *record;
        }
        if (done)
            return (int64_t)done;
        if (file->flags & O_NONBLOCK)
            return -EAGAIN;
        int error = event_wait(&signal_came, seen, NO_DEADLINE);
        if (error)
            return error;
    }
}

static unsigned signals_poll(struct file *file)
{
    return pending(file) ? POLLIN | POLLRDNORM : 0;
}

static uint32_t signals_happened(struct file *file, unsigned events)
{
    (void)file;
    return events & POLLIN ? event_read(&signal_came) : 0;
}

static void signals_release(struct file *file)
{
    quire_kfree(machine_slab, file->data);
}

static const struct file_ops signals_ops = {
    .name = "anon_inode:[signalfd]",
    .shared_name = true,
    .stream = true,
    .read = signals_read,
    .poll = signals_poll,
    .happened = signals_happened,
    .release = signals_release,
};

static long make(uint64_t set, unsigned flags)
{
    struct signals *signals = quire_kmalloc(machine_slab, sizeof *signals, QUIRE_GFP_KERNEL);
    struct inode *inode = signals ? anonymous_inode(user_credentials(), 0600) : NULL;
    struct file *file =
        inode ? file_new(inode, NULL, &signals_ops, O_RDWR | (int)(flags & O_NONBLOCK)) : NULL;
    inode_put(inode);
    if (!file) {
        quire_kfree(machine_slab, signals);
        return -ENOMEM;
    }
    signals->set = set;
    file->data = signals;
    return user_add_file(file, flags & O_CLOEXEC);
}

static long change(unsigned long fd, uint64_t set)
{
    struct file *file = user_file(fd);
    long result = !file ? -EBADF : file->ops == &signals_ops ? (long)(int)fd : -EINVAL;
    if (result >= 0) {
        ((struct signals *)file->data)->set = set;
        event_signal(&signal_came);
    }
    file_put(file);
    return result;
}

/* signalfd(fd, set, size): -1 makes a new one. */
static long signalfd(const unsigned long *arg, unsigned flags)
{
    uint64_t set;
    if (flags & ~(unsigned)(O_CLOEXEC | O_NONBLOCK) || arg[2] != sizeof set)
        return -EINVAL;
    if (copy_from_user(&set, arg[1], sizeof set))
        return -EFAULT;
    set &= ~SIGNALS_UNBLOCKABLE;
    return (int)arg[0] == -1 ? make(set, flags) : change(arg[0], set);
}

long sys_signalfd(const unsigned long *arg)
{
    return signalfd(arg, 0);
}

long sys_signalfd4(const unsigned long *arg)
{
    return signalfd(arg, (unsigned)arg[3]);
}
