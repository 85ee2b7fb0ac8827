/* kernel/fs/file.c: reading, writing and seeking of open files */
#include "fs/file.h"

#include "base/compiler.h"
#include "base/text.h"
#include "fs/devices.h"
#include "fs/epoll.h"
#include "fs/ioctl.h"
#include "fs/lock.h"
#include "fs/plain.h"
#include "fs/ramfs.h"
#include "memory.h"
#include "string.h"

/* ---- references ------------------------------------------------------------------------------ */

struct file *file_new(struct inode *inode, struct entry *entry, const struct file_ops *ops,
                      int flags)
{
    struct file *file = quire_kzalloc(machine_slab, sizeof *file, QUIRE_GFP_KERNEL);
    if (!file)
        return NULL;
    file->refs = 1;
    file->flags = flags;
    file->inode = inode_get(inode);
    file->entry = entry ? entry_get(entry) : NULL;
    file->ops = ops;
    return file;
}

struct file *file_get(struct file *file)
{
    file->refs++;
    return file;
}

void file_put(struct file *file)
{
    QUIRE_BUG_ON(file && !file->refs);
    if (!file || --file->refs)
        return;
    epoll_forget(file);
    if (file->ops->release)
        file->ops->release(file);
    lock_release_owner(file->inode, file);
    if (file->writer)
        inode_write_end(file->inode);
    entry_put(file->entry);
    inode_put(file->inode);
    quire_kfree(machine_slab, file);
}

/* ---- reading and writing --------------------------------------------------------------------- */

int64_t file_pread(struct file *file, uint64_t at, void *to, size_t size)
{
    if (!file_may_read(file))
        return -EBADF;
    if (file->ops->stream)
        return -ESPIPE;
    if (at > INT64_MAX)
        return -EINVAL;
    if (!file->ops->read)
        return inode_is(file->inode, S_IFDIR) ? -EISDIR : -EINVAL;
    return file->ops->read(file, at, to, size);
}

int64_t file_read(struct file *file, void *to, size_t size)
{
    if (file->ops->stream && file_may_read(file))
        return file->ops->read ? file->ops->read(file, 0, to, size) : -EINVAL;
    int64_t done = file_pread(file, file->position, to, size);
    if (done > 0)
        file->position += (uint64_t)done;
    return done;
}

void file_write_begin(struct file *file)
{
    if (file->inode->ops == &ramfile_ops)
        inode_lock(file->inode);
}

void file_write_end(struct file *file)
{
    if (file->inode->ops == &ramfile_ops)
        inode_unlock(file->inode);
}

int64_t file_pwrite(struct file *file, uint64_t at, const void *from, size_t size)
{
    if (!file_may_write(file))
        return -EBADF;
    if (file->ops->stream)
        return -ESPIPE;
    if (at > INT64_MAX || !file->ops->write)
        return -EINVAL;
    if (file->flags & O_APPEND && file->ops->size)
        at = file->ops->size(file);
    return file->ops->write(file, at, from, size);
}

int64_t file_write(struct file *file, const void *from, size_t size)
{
    if (file->ops->stream && file_may_write(file))
        return file->ops->write ? file->ops->write(file, 0, from, size) : -EINVAL;
    if (file->flags & O_APPEND && file->ops->size)
        file->position = file->ops->size(file);
    int64_t done = file_pwrite(file, file->position, from, size);
    if (done > 0)
        file->position += (uint64_t)done;
    return done;
}

int file_truncate(struct file *file, uint64_t size)
{
    if (!file_may_write(file) || file->inode->ops != &ramfile_ops)
        return -EINVAL;
    return ramfile_truncate(file->inode, size);
}

/* ---- positions ------------------------------------------------------------------------------- */

static int64_t seek_to(struct file *file, int64_t base, int64_t offset)
{
    int64_t position;
    if (__builtin_add_overflow(base, offset, &position))
        return -EOVERFLOW;
    if (position < 0)
        return -EINVAL;
    file->position = (uint64_t)position;
    return position;
}

/* To the next byte that is in a page, or in none; the end counts as a hole. */
static int64_t seek_next(struct file *file, int64_t offset, bool data)
{
    int64_t at = ramfile_find(file->inode, (uint64_t)offset, data);
    return at < 0 ? at : seek_to(file, at, 0);
}

int64_t file_seek(struct file *file, int64_t offset, int whence)
{
    int64_t size = file->ops->size ? (int64_t)file->ops->size(file) : 0;
    if (file->flags & O_PATH)
        return -EBADF;
    if (file->ops->stream)
        return -ESPIPE;
    if (file->ops->no_position)
        return whence >= SEEK_SET && whence <= SEEK_HOLE ? 0 : -EINVAL;
    switch (whence) {
    case SEEK_SET:
        return seek_to(file, 0, offset);
    case SEEK_CUR:
        return seek_to(file, (int64_t)file->position, offset);
    case SEEK_END:
        return seek_to(file, size, offset);
    case SEEK_DATA:
    case SEEK_HOLE:
        return offset < 0 || offset >= size ? -ENXIO : seek_next(file, offset, whence == SEEK_DATA);
    default:
        return -EINVAL;
    }
}

int file_list(struct file *file, const struct inode *root, list_fn *tell, void *arg)
{
    if (!file_may_read(file))
        return -EBADF;
    inode_accessed(file->inode);
    return directory_list(file->inode, root, &file->position, tell, arg);
}

/* ---- other ----------------------------------------------------------------------------------- */

struct ioctl_shape ioctl_shape(unsigned command)
{
    static const struct {
        unsigned command;
        struct ioctl_shape shape;
    } shapes[] = {
        {TCGETS, {0, 36}},
        {TCSETS, {36, 0}},
        {TCSETSW, {36, 0}},
        {TCSETSF, {36, 0}},
        {TIOCGPGRP, {0, 4}},
        {TIOCSPGRP, {4, 0}},
        {TIOCGWINSZ, {0, 8}},
        {TIOCSWINSZ, {8, 0}},
        {FIONREAD, {0, 4}},
        {TIOCOUTQ, {0, 4}},
        {TIOCGSID, {0, 4}},
        {TIOCGETD, {0, 4}},
        {TIOCGPTN, {0, 4}},
        {BLKROGET, {0, 4}},
        {BLKSSZGET, {0, 4}},
        {BLKPBSZGET, {0, 4}},
        {BLKBSZGET, {0, 4}},
        {BLKGETSIZE64, {0, 8}},
        {BLKGETSIZE, {0, sizeof(long)}},
    };
    for (size_t i = 0; i < sizeof shapes / sizeof shapes[0]; i++)
        if (shapes[i].command == command)
            return shapes[i].shape;
    return (struct ioctl_shape){0, 0};
}

long file_ioctl(struct file *file, unsigned command, void *argument, const struct fs_caller *caller)
{
    if (file->flags & O_PATH)
        return -EBADF;
    if (file->ops->ioctl)
        return file->ops->ioctl(file, command, argument, caller);
    if (command == FIONREAD && file->inode->ops == &ramfile_ops) {
        uint64_t size = file->ops->size(file);
        *(int *)argument = size > file->position ? (int)(size - file->position) : 0;
        return 0;
    }
    return -ENOTTY;
}

uint64_t file_due(struct file *file)
{
    return file->ops->due ? file->ops->due(file) : NO_DEADLINE;
}

unsigned file_poll(struct file *file)
{
    if (file->flags & O_PATH)
        return POLLNVAL;
    return file->ops->poll ? file->ops->poll(file) : POLLIN | POLLOUT | POLLRDNORM | POLLWRNORM;
}

int file_mapping(struct file *file, struct quire_mapping **mapping)
{
    if (file->inode->ops != &ramfile_ops || file->flags & O_PATH)
        return -ENODEV;
    char *path = quire_kmalloc(machine_slab, FS_PATH_MAX, QUIRE_GFP_KERNEL);
    int error = path ? file_path(file, path, FS_PATH_MAX) : -ENOMEM;
    if (error >= 0)
        error = ramfile_show_name(file->inode, path);
    quire_kfree(machine_slab, path);
    *mapping = file->inode->regular.mapping;
    return error;
}

bool file_is_zero(const struct file *file)
{
    return device_is_zero(file);
}

int file_path(struct file *file, char *to, size_t size)
{
    int length;
    if (inode_is(file->inode, S_IFDIR)) {
        length = inode_path(file->inode, NULL, false, to, size);
    } else if (file->entry) {
        length = entry_path(file->entry, NULL, to, size);
    } else {
        unsigned long long number = file->inode->number;
        size_t wanted = file->ops->shared_name
                            ? quire_snprintf(to, size, "%s", file->ops->name)
                            : quire_snprintf(to, size, "%s:[%llu]", file->ops->name, number);
        return wanted < size ? (int)wanted : -ENAMETOOLONG;
    }
    return length < 0 ? -ENAMETOOLONG : length - 1;
}

/* ---- plain files ----------------------------------------------------------------------------- */

static int64_t plain_read(struct file *file, uint64_t at, void *to, size_t size)
{
    return ramfile_read(file->inode, at, to, size);
}

static int64_t plain_write(struct file *file, uint64_t at, const void *from, size_t size)
{
    return ramfile_write(file->inode, at, from, size);
}

static int64_t plain_read_user(struct file *file, uint64_t at, struct quire_mm *mm, uintptr_t to,
                               size_t size)
{
    return ramfile_read_user(file->inode, at, mm, to, size);
}

static int64_t plain_write_user(struct file *file, uint64_t at, struct quire_mm *mm, uintptr_t from,
                                size_t size)
{
    return ramfile_write_user(file->inode, at, mm, from, size);
}

static uint64_t plain_size(struct file *file)
{
    return quire_mapping_size(file->inode->regular.mapping);
}

const struct file_ops plain_file_ops = {
    .name = "file",
    .read = plain_read,
    .write = plain_write,
    .read_user = plain_read_user,
    .write_user = plain_write_user,
    .size = plain_size,
};

const struct file_ops plain_other_ops = {.name = "other"};
