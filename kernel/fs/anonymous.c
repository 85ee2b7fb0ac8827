/* kernel/fs/anonymous.c: memfd and eventfd, and the inodes of what has no place in the tree */
#include "fs/anonymous.h"

#include "base/text.h"
#include "fs/plain.h"
#include "fs/ramfs.h"
#include "memory.h"
#include "string.h"

/* Linux counts device numbers of such volumes from a common counter: any will do. */
struct volume anonymous_volume = {.type = "anon_inodefs", .minor = 14, .magic = 0x09041934};
static struct volume shared_memory = {.type = "tmpfs", .minor = 1, .magic = 0x01021994};

struct inode *anonymous_inode(const struct credentials *who, uint32_t mode)
{
    return ramfs_make_inode(&anonymous_volume, who, &(struct ramfs_make){.mode = mode});
}

/* ---- memfd ----------------------------------------------------------------------------------- */

#define MEMFD_NAME_MAX 249u

int memfd_create(struct file **file, struct inode *root, const struct credentials *who,
                 const char *name, unsigned flags)
{
    static const char prefix[] = "memfd:";
    char text[sizeof prefix + MEMFD_NAME_MAX];
    size_t length = string_length(name);
    const unsigned sizes = flags & MFD_HUGETLB ? MFD_HUGE_SIZES : 0;
    if (flags &
            ~(MFD_CLOEXEC | MFD_ALLOW_SEALING | MFD_HUGETLB | MFD_NOEXEC_SEAL | MFD_EXEC | sizes) ||
        length > MEMFD_NAME_MAX || (flags & MFD_EXEC && flags & MFD_NOEXEC_SEAL))
        return -EINVAL;
    if (flags & MFD_HUGETLB)
        return -ENOSYS; /* as a kernel without hugetlbfs */
    size_t size = quire_snprintf(text, sizeof text, "%s%s", prefix, name);
    struct inode *inode =
        ramfs_make_nameless(&shared_memory, who, flags & MFD_NOEXEC_SEAL ? 0666 : 0777);
    if (!inode)
        return -ENOMEM;
    if (!(flags & (MFD_ALLOW_SEALING | MFD_NOEXEC_SEAL)))
        inode->regular.seals = F_SEAL_SEAL;
    if (flags & MFD_NOEXEC_SEAL)
        inode->regular.seals |= F_SEAL_EXEC;
    struct entry *entry = ramfs_unlinked_entry(root, (struct name){text, (unsigned)size}, inode);
    if (!entry) {
        inode_put(inode);
        return -ENOMEM;
    }
    *file = file_new(inode, entry, &plain_file_ops, O_RDWR | O_LARGEFILE);
    entry_put(entry);
    return *file ? 0 : -ENOMEM;
}

/* ---- eventfd --------------------------------------------------------------------------------- */

struct eventfd {
    uint64_t count;
    bool semaphore;
    uint32_t written, drained; /* times */
    struct event changed;
};

static int64_t eventfd_read(struct file *file, uint64_t at, void *to, size_t size)
{
    struct eventfd *eventfd = file->data;
    (void)at;
    if (size < sizeof eventfd->count)
        return -EINVAL;
    for (;;) {
        uint32_t seen = event_read(&eventfd->changed);
        if (eventfd->count)
            break;
        if (file->flags & O_NONBLOCK)
            return -EAGAIN;
        int error = event_wait(&eventfd->changed, seen, NO_DEADLINE);
        if (error)
            return error;
    }
    uint64_t value = eventfd->semaphore ? 1 : eventfd->count;
    eventfd->count -= value;
    eventfd->drained++;
    __builtin_memcpy(to, &value, sizeof value);
    event_signal(&eventfd->changed);
    return sizeof value;
}

static int64_t eventfd_write(struct file *file, uint64_t at, const void *from, size_t size)
{
    struct eventfd *eventfd = file->data;
    uint64_t value;
    (void)at;
    if (size < sizeof value)
        return -EINVAL;
    __builtin_memcpy(&value, from, sizeof value);
    if (value == UINT64_MAX)
        return -EINVAL;
    for (;;) {
        uint32_t seen = event_read(&eventfd->changed);
        if (value < UINT64_MAX - eventfd->count)
            break;
        if (file->flags & O_NONBLOCK)
            return -EAGAIN;
        int error = event_wait(&eventfd->changed, seen, NO_DEADLINE);
        if (error)
            return error;
    }
    eventfd->count += value;
    eventfd->written++;
    event_signal(&eventfd->changed);
    return sizeof value;
}

static unsigned eventfd_poll(struct file *file)
{
    const struct eventfd *eventfd = file->data;
    return (eventfd->count ? POLLIN | POLLRDNORM : 0) |
           (eventfd->count < UINT64_MAX - 1 ? POLLOUT | POLLWRNORM : 0);
}

static uint32_t eventfd_happened(struct file *file, unsigned events)
{
    const struct eventfd *eventfd = file->data;
    return (events & POLLIN ? eventfd->written : 0) + (events & POLLOUT ? eventfd->drained : 0);
}

static void eventfd_release(struct file *file)
{
    quire_kfree(machine_slab, file->data);
}

static const struct file_ops eventfd_ops = {
    .name = "anon_inode:[eventfd]",
    .shared_name = true,
    .stream = true,
    .read = eventfd_read,
    .write = eventfd_write,
    .poll = eventfd_poll,
    .happened = eventfd_happened,
    .release = eventfd_release,
};

int eventfd_create(struct file **file, const struct credentials *who, unsigned initial, int flags)
{
    if (flags & ~(EFD_SEMAPHORE | O_NONBLOCK | O_CLOEXEC))
        return -EINVAL;
    struct eventfd *eventfd = quire_kzalloc(machine_slab, sizeof *eventfd, QUIRE_GFP_KERNEL);
    struct inode *inode = eventfd ? anonymous_inode(who, 0600) : NULL;
    *file = inode ? file_new(inode, NULL, &eventfd_ops, O_RDWR | (flags & O_NONBLOCK)) : NULL;
    inode_put(inode);
    if (!*file) {
        quire_kfree(machine_slab, eventfd);
        return -ENOMEM;
    }
    eventfd->count = initial;
    eventfd->semaphore = flags & EFD_SEMAPHORE;
    (*file)->data = eventfd;
    return 0;
}
