/* kernel/sys/file_seek.c: positions, sizes, and what would bring content to a disk */
#include "fs/block.h"
#include "fs/ramfs.h"
#include "sys/file_user.h"
#include "task/limits.h"

/* ---- positions ------------------------------------------------------------------------------- */

static int64_t seek(unsigned long fd, int64_t offset, int whence)
{
    struct file *file = user_file(fd);
    if (!file)
        return -EBADF;
    int64_t at = file_seek(file, offset, whence);
    file_put(file);
    return at;
}

long sys_lseek(const unsigned long *arg)
{
    int64_t at = seek(arg[0], (long)arg[1], (int)arg[2]);
    return at > INTPTR_MAX ? -EOVERFLOW : (long)at;
}

#if !defined(__x86_64__)
long sys__llseek(const unsigned long *arg)
{
    int64_t at = seek(arg[0], (int64_t)((uint64_t)arg[1] << 32 | arg[2]), (int)arg[4]);
    if (at < 0)
        return (long)at;
    return copy_to_user(arg[3], &at, sizeof at);
}
#endif

/* ---- sizes ----------------------------------------------------------------------------------- */

/* RLIMIT_FSIZE */
static int check_limit(uint64_t size)
{
    if (size <= current_process()->limit[RLIMIT_FSIZE].current)
        return 0;
    signal_self(SIGXFSZ);
    return -EFBIG;
}

static int truncate_inode(struct inode *inode, uint64_t size)
{
    if (inode_is(inode, S_IFDIR))
        return -EISDIR;
    int error = inode_permission(inode, user_credentials(), MAY_WRITE);
    if (error)
        return error;
    if (inode->ops != &ramfile_ops)
        return -EINVAL;
    error = inode_write_begin(inode);
    if (error)
        return error;
    inode_written_by(inode, user_credentials());
    error = ramfile_truncate(inode, size);
    inode_write_end(inode);
    return error;
}

static long truncate_path(uintptr_t text, int64_t size)
{
    struct walk walk;
    if (size < 0)
        return -EINVAL;
    int error = user_walk(&walk, (unsigned long)AT_FDCWD, text, 0, WALK_FOLLOW);
    if (error)
        return error;
    error = check_limit((uint64_t)size);
    if (!error)
        error = truncate_inode(walk.inode, (uint64_t)size);
    walk_end(&walk);
    return error;
}

static long truncate_file(unsigned long fd, int64_t size)
{
    struct file *file = user_file(fd);
    int error = size < 0 ? -EINVAL : 0;
    if (!file)
        return -EBADF;
    if (!error)
        error = check_limit((uint64_t)size);
    if (!error && file_may_write(file))
        inode_written_by(file->inode, user_credentials());
    if (!error)
        error = file_truncate(file, (uint64_t)size);
    file_put(file);
    return error;
}

long sys_truncate(const unsigned long *arg)
{
    return truncate_path(arg[0], (long)arg[1]);
}

long sys_ftruncate(const unsigned long *arg)
{
    return truncate_file(arg[0], (long)arg[1]);
}

#if !defined(__x86_64__)
long sys_truncate64(const unsigned long *arg)
{
    return truncate_path(arg[0], (int64_t)user_64(arg + 1));
}

long sys_ftruncate64(const unsigned long *arg)
{
    return truncate_file(arg[0], (int64_t)user_64(arg + 1));
}
#endif

long sys_fallocate(const unsigned long *arg)
{
    struct file *file = user_file(arg[0]);
    uint64_t at = user_64(arg + 2), size = user_64(arg + 2 + USER_WORDS_64);
    int error;
    if (!file)
        return -EBADF;
    if (!file_may_write(file))
        error = -EBADF;
    else if (file->inode->ops == &ramfile_ops) {
        error = ramfile_allocate(file->inode, (unsigned)arg[1], at, size);
        if (!error)
            inode_written_by(file->inode, user_credentials());
    } else
        error = file->ops->stream ? -ESPIPE : -ENODEV;
    file_put(file);
    return error;
}

/* ---- what is written is safe ----------------------------------------------------------------- */

/* Most files are in memory, so they are as safe as they get. */
static long nothing_to_do(unsigned long fd, bool streams_too)
{
    struct file *file = user_file(fd);
    if (!file)
        return -EBADF;
    bool stream = file->ops->stream;
    file_put(file);
    return stream && !streams_too ? -EINVAL : 0;
}

long sys_fsync(const unsigned long *arg)
{
    struct file *file = user_file(arg[0]);
    if (!file)
        return -EBADF;
    long error = file->ops->stream ? -EINVAL : file->ops->sync ? file->ops->sync(file) : 0;
    file_put(file);
    return error;
}

long sys_fdatasync(const unsigned long *arg)
{
    return sys_fsync(arg);
}

long sys_sync(const unsigned long *arg)
{
    (void)arg;
    block_flush_all();
    return 0;
}

long sys_syncfs(const unsigned long *arg)
{
    return nothing_to_do(arg[0], true);
}

long sys_sync_file_range(const unsigned long *arg)
{
    long error = nothing_to_do(arg[0], false);
    return error == -EINVAL ? -ESPIPE : error;
}

long sys_readahead(const unsigned long *arg)
{
    return nothing_to_do(arg[0], false);
}

#define FADVISE_MAX 5u

static long advise(unsigned long fd, unsigned long advice)
{
    long error = nothing_to_do(fd, false);
    if (error)
        return error == -EINVAL ? -ESPIPE : error;
    return advice > FADVISE_MAX ? -EINVAL : 0;
}

/* fd, 64-bit offset, length of the class, advice */
long sys_fadvise64(const unsigned long *arg)
{
    return advise(arg[0], arg[2 + USER_WORDS_64]);
}

#if !defined(__x86_64__)
long sys_fadvise64_64(const unsigned long *arg)
{
    return advise(arg[0], arg[1 + 2 * USER_WORDS_64]);
}
#endif
