/* kernel/sys/file_control.c: fcntl(2), flock(2), ioctl(2) */
#include "fs/ioctl.h"
#include "fs/lock.h"
#include "fs/pipe.h"
#include "fs/ramfs.h"
#include "sys/abi_file.h"
#include "sys/file_user.h"
#include "task/capability.h"

#define F_DUPFD 0u
#define F_GETFD 1u
#define F_SETFD 2u
#define F_GETFL 3u
#define F_SETFL 4u
#define F_GETLK 5u
#define F_SETLK 6u
#define F_SETLKW 7u
#define F_SETOWN 8u
#define F_GETOWN 9u
#define F_GETLK64 12u
#define F_SETLK64 13u
#define F_SETLKW64 14u
#define F_OFD_GETLK 36u
#define F_OFD_SETLK 37u
#define F_OFD_SETLKW 38u
#define F_DUPFD_CLOEXEC 1030u
#define F_SETPIPE_SZ 1031u
#define F_GETPIPE_SZ 1032u
#define F_ADD_SEALS 1033u
#define F_GET_SEALS 1034u
#define FD_CLOEXEC 1u
#define F_RDLCK 0
#define F_WRLCK 1
#define F_UNLCK 2
#define SETTABLE_FLAGS (O_APPEND | O_NONBLOCK | O_ASYNC | O_DIRECT | O_NOATIME)

/* ---- locks ----------------------------------------------------------------------------------- */

static int read_flock(struct abi_flock64 *flock, uintptr_t at, bool wide)
{
    struct abi_flock narrow;
    if (wide)
        return copy_from_user(flock, at, sizeof *flock);
    if (copy_from_user(&narrow, at, sizeof narrow))
        return -EFAULT;
    *flock =
        (struct abi_flock64){narrow.type, narrow.whence, narrow.start, narrow.length, narrow.pid};
    return 0;
}

static int write_flock(uintptr_t at, const struct abi_flock64 *flock, bool wide)
{
    struct abi_flock narrow = {flock->type, flock->whence, (long)flock->start, (long)flock->length,
                               flock->pid};
    if (wide)
        return copy_to_user(at, flock, sizeof *flock);
    if (narrow.start != flock->start || narrow.length != flock->length)
        return -EOVERFLOW;
    return copy_to_user(at, &narrow, sizeof narrow);
}

/* The range in bytes from the file's beginning on. */
static int range_of(struct lock *lock, const struct abi_flock64 *flock, struct file *file)
{
    int64_t start = flock->start, last;
    int64_t base = 0;
    if (flock->whence == SEEK_CUR)
        base = (int64_t)file->position;
    else if (flock->whence == SEEK_END)
        base = file->ops->size ? (int64_t)file->ops->size(file) : 0;
    else if (flock->whence != SEEK_SET)
        return -EINVAL;
    if (__builtin_add_overflow(start, base, &start))
        return -EOVERFLOW;
    if (flock->length < 0) { /* what lies before */
        last = start - 1;
        if (__builtin_add_overflow(start, flock->length, &start))
            return -EINVAL;
    } else if (__builtin_add_overflow(start, flock->length - 1, &last)) {
        return -EOVERFLOW;
    }
    if (start < 0)
        return -EINVAL;
    lock->first = (uint64_t)start;
    lock->last = flock->length ? (uint64_t)last : UINT64_MAX;
    return 0;
}

static int lock_of(struct lock *lock, const struct abi_flock64 *flock, struct file *file,
                   bool of_file)
{
    static const enum lock_type types[] = {LOCK_READ, LOCK_WRITE, LOCK_NONE};
    *lock = (struct lock){
        .kind = LOCK_RANGE,
        .owner = of_file ? (const void *)file : current->files,
        .pid = of_file ? -1 : current_process()->pid,
    };
    if (flock->type < F_RDLCK || flock->type > F_UNLCK || (of_file && flock->pid))
        return -EINVAL;
    lock->type = types[flock->type];
    return range_of(lock, flock, file);
}

static long get_lock(struct file *file, uintptr_t at, bool wide, bool of_file)
{
    struct abi_flock64 flock;
    struct lock lock;
    int error = read_flock(&flock, at, wide);
    if (!error)
        error = lock_of(&lock, &flock, file, of_file);
    if (!error && lock.type == LOCK_NONE)
        error = -EINVAL;
    if (error)
        return error;
    const struct lock *other = lock_conflict(file->inode, &lock);
    flock.type = F_UNLCK;
    if (other) {
        flock.type = other->type == LOCK_READ ? F_RDLCK : F_WRLCK;
        flock.whence = SEEK_SET;
        flock.start = (int64_t)other->first;
        flock.length = other->last == UINT64_MAX ? 0 : (int64_t)(other->last - other->first + 1);
        flock.pid = other->pid;
    }
    return write_flock(at, &flock, wide);
}

static long set_lock(struct file *file, uintptr_t at, bool wide, bool of_file, bool wait)
{
    struct abi_flock64 flock;
    struct lock lock;
    int error = read_flock(&flock, at, wide);
    if (!error)
        error = lock_of(&lock, &flock, file, of_file);
    if (error)
        return error;
    if ((lock.type == LOCK_READ && !file_may_read(file)) ||
        (lock.type == LOCK_WRITE && !file_may_write(file)))
        return -EBADF;
    return user_restart(lock_set(file->inode, &lock, wait));
}

static long control_lock(struct file *file, unsigned command, uintptr_t at, bool wide)
{
    switch (command) {
    case F_GETLK:
        return get_lock(file, at, wide, false);
    case F_SETLK:
    case F_SETLKW:
        return set_lock(file, at, wide, false, command == F_SETLKW);
    case F_OFD_GETLK:
        return get_lock(file, at, true, true);
    default:
        return set_lock(file, at, true, true, command == F_OFD_SETLKW);
    }
}

#define LOCK_SH 1u
#define LOCK_EX 2u
#define LOCK_NB 4u
#define LOCK_UN 8u

long sys_flock(const unsigned long *arg)
{
    unsigned operation = (unsigned)arg[1] & ~LOCK_NB;
    struct file *file = user_file(arg[0]);
    if (!file)
        return -EBADF;
    struct lock lock = {
        .kind = LOCK_WHOLE,
        .type = operation == LOCK_SH   ? LOCK_READ
                : operation == LOCK_EX ? LOCK_WRITE
                                       : LOCK_NONE,
        .owner = file,
        .last = UINT64_MAX,
        .pid = current_process()->pid,
    };
    int error = -EINVAL;
    if (operation == LOCK_SH || operation == LOCK_EX || operation == LOCK_UN)
        error = lock_set(file->inode, &lock, !(arg[1] & LOCK_NB));
    file_put(file);
    return user_restart(error);
}

/* ---- fcntl ----------------------------------------------------------------------------------- */

static long duplicate(struct file *file, unsigned long from, bool close_on_exec)
{
    int fd = files_add(current->files, file_get(file),
                       from > INT32_MAX ? INT32_MAX : (unsigned)from, close_on_exec);
    if (fd < 0)
        file_put(file);
    return fd;
}

/* Linux makes it a power of two, and a page at least. */
static unsigned pages_of_pipe(unsigned long size)
{
    unsigned pages = 1;
    while (pages * PIPE_ATOMIC < size)
        pages *= 2;
    return pages;
}

static long control_pipe(const struct file *file, bool set, unsigned long size)
{
    if (!file_is_pipe(file))
        return -EBADF;
    if (set && size > PIPE_BYTES)
        return caller_can(CAP_SYS_RESOURCE) ? -ENOMEM : -EPERM; /* there is one size */
    if (set && pages_of_pipe(size) < pipe_nr_pages(file))
        return -EBUSY;
    return PIPE_BYTES;
}

static long control_seals(struct file *file, bool add, unsigned long seals)
{
    if (file->inode->ops != &ramfile_ops)
        return -EINVAL;
    if (!add)
        return (long)file->inode->regular.seals;
    if (!file_may_write(file))
        return -EPERM;
    return seals > F_SEAL_ALL ? -EINVAL : ramfile_add_seals(file->inode, (unsigned)seals);
}

static long set_flags(struct file *file, unsigned long flags)
{
    file->flags = (file->flags & ~SETTABLE_FLAGS) | ((int)flags & SETTABLE_FLAGS);
    return 0;
}

static long control_descriptor(struct file *file, unsigned command, const unsigned long *arg)
{
    struct files *files = current->files;
    switch (command) {
    case F_DUPFD:
    case F_DUPFD_CLOEXEC:
        return duplicate(file, arg[2], command == F_DUPFD_CLOEXEC);
    case F_GETFD:
        return files_close_on_exec_of(files, (int)arg[0]) > 0 ? FD_CLOEXEC : 0;
    case F_SETFD:
        return files_mark(files, (int)arg[0], arg[2] & FD_CLOEXEC);
    case F_GETFL:
        return file->flags;
    default:
        return -EAGAIN; /* not about the descriptor */
    }
}

static long control(struct file *file, unsigned command, const unsigned long *arg, bool wide)
{
    switch (command) {
    case F_SETFL:
        return set_flags(file, arg[2]);
    case F_GETLK:
    case F_SETLK:
    case F_SETLKW:
    case F_OFD_GETLK:
    case F_OFD_SETLK:
    case F_OFD_SETLKW:
        return control_lock(file, command, arg[2], wide);
    case F_SETOWN: /* of signals that are never sent */
    case F_GETOWN:
        return 0;
    case F_SETPIPE_SZ:
    case F_GETPIPE_SZ:
        return control_pipe(file, command == F_SETPIPE_SZ, arg[2]);
    case F_ADD_SEALS:
    case F_GET_SEALS:
        return control_seals(file, command == F_ADD_SEALS, arg[2]);
    default:
        return -EINVAL;
    }
}

/* `wide`: locks have 64 bits. */
static long fcntl(const unsigned long *arg, unsigned command, bool wide)
{
    struct file *file = user_file_any(arg[0]);
    if (!file)
        return -EBADF;
    long result = control_descriptor(file, command, arg);
    if (result == -EAGAIN)
        result = file->flags & O_PATH ? -EBADF : control(file, command, arg, wide);
    file_put(file);
    return result;
}

#if defined(__x86_64__)
long sys_fcntl(const unsigned long *arg)
{
    return fcntl(arg, (unsigned)arg[1], true);
}
#else
long sys_fcntl(const unsigned long *arg)
{
    return fcntl(arg, (unsigned)arg[1], false);
}

long sys_fcntl64(const unsigned long *arg)
{
    unsigned command = (unsigned)arg[1];
    if (command >= F_GETLK64 && command <= F_SETLKW64)
        return fcntl(arg, command - F_GETLK64 + F_GETLK, true);
    return fcntl(arg, command, false);
}
#endif

/* ---- ioctl ----------------------------------------------------------------------------------- */

/* What concerns descriptors and flags, of any file; -ENOTTY: not such a command. */
static long common_ioctl(struct file *file, const unsigned long *arg)
{
    int on = 0;
    switch ((unsigned)arg[1]) {
    case FIOCLEX:
    case FIONCLEX:
        return files_mark(current->files, (int)arg[0], (unsigned)arg[1] == FIOCLEX);
    case FIONBIO:
        if (copy_from_user(&on, arg[2], sizeof on))
            return -EFAULT;
        file->flags = on ? file->flags | O_NONBLOCK : file->flags & ~O_NONBLOCK;
        return 0;
    case FIOASYNC:
        return 0;
    default:
        return -ENOTTY;
    }
}

static long file_command(struct file *file, unsigned command, uintptr_t at)
{
    char buffer[IOCTL_BYTES];
    const struct process *process = current_process();
    struct fs_caller caller = {process->pid, process->pgid, process->sid};
    struct ioctl_shape shape = ioctl_shape(command);
    if (!shape.in && !shape.out)
        return file_ioctl(file, command, (void *)at, &caller); /* a number, never looked behind */
    if (shape.in && copy_from_user(buffer, at, shape.in))
        return -EFAULT;
    long result = file_ioctl(file, command, buffer, &caller);
    if (!result && shape.out && copy_to_user(at, buffer, shape.out))
        return -EFAULT;
    return result;
}

long sys_ioctl(const unsigned long *arg)
{
    struct file *file = user_file(arg[0]);
    if (!file)
        return -EBADF;
    long result = common_ioctl(file, arg);
    if (result == -ENOTTY)
        result = file_command(file, (unsigned)arg[1], arg[2]);
    file_put(file);
    return result;
}
