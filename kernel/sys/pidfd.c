/* kernel/sys/pidfd.c: descriptors of processes (man 2 pidfd_open), and what is done to another's
 * memory by one (process_madvise, process_mrelease)
 */
#include "errno.h"
#include "fs/anonymous.h"
#include "fs/files.h"
#include "memory.h"
#include "sys/abi_memory.h"
#include "sys/calls_memory.h"
#include "sys/file_user.h"
#include "sys/other_process.h"
#include "task/capability.h"
#include "task/give_way.h"
#include "task/lifecycle.h"
#include "task/shm.h"
#include "user.h"

#define MAX_IOVECS 1024u
#define MAX_BYTES 0x7ffff000u /* of one call; more is cut off */

/* Numbers are given again; a process that began at another time is another one. */
struct pidfd {
    int pid;
    uint64_t start_ns;
};

/* NULL: it has ended, and was waited for. */
static struct process *process_of(const struct file *file)
{
    const struct pidfd *pidfd = file->data;
    struct process *process = process_find(pidfd->pid);
    return process && process->start_ns == pidfd->start_ns ? process : NULL;
}

static unsigned pidfd_poll(struct file *file)
{
    const struct process *process = process_of(file);
    return !process || process->zombie ? POLLIN | POLLRDNORM : 0;
}

static void pidfd_release(struct file *file)
{
    quire_kfree(machine_slab, file->data);
}

static const struct file_ops pidfd_ops = {
    .name = "anon_inode:[pidfd]",
    .shared_name = true,
    .stream = true,
    .poll = pidfd_poll,
    .release = pidfd_release,
};

/* Of nobody yet. NULL: no memory. */
static struct file *pidfd_new(unsigned flags)
{
    struct pidfd *pidfd = quire_kzalloc(machine_slab, sizeof *pidfd, QUIRE_GFP_KERNEL);
    struct inode *inode = pidfd ? anonymous_inode(user_credentials(), 0600) : NULL;
    struct file *file =
        inode ? file_new(inode, NULL, &pidfd_ops, O_RDWR | (int)(flags & O_NONBLOCK)) : NULL;
    inode_put(inode);
    if (!file) {
        quire_kfree(machine_slab, pidfd);
        return NULL;
    }
    file->data = pidfd;
    return file;
}

/* pidfd_open(pid, flags). What is looked at is looked at again after what sleeps. */
long sys_pidfd_open(const unsigned long *arg)
{
    int pid = (int)arg[0];
    unsigned flags = (unsigned)arg[1];
    if (flags & ~(unsigned)O_NONBLOCK || pid <= 0)
        return -EINVAL;
    struct file *file = pidfd_new(flags);
    if (!file)
        return -ENOMEM;
    const struct process *process = process_find(pid);
    if (!process) {
        long error = task_find(pid) ? -EINVAL : -ESRCH; /* of a thread, or of nobody */
        file_put(file);
        return error;
    }
    *(struct pidfd *)file->data = (struct pidfd){pid, process->start_ns};
    return user_add_file(file, true);
}

/* A descriptor's file and number, until there is a child that it is of. */
struct promised {
    struct files *files;
    struct file *file;
    int fd;
};

/* Before the child of a vfork is waited for, at whose end it could be waited for by others. */
static void is_born(void *arg, const struct process *child)
{
    struct promised *promised = arg;
    *(struct pidfd *)promised->file->data = (struct pidfd){child->pid, child->start_ns};
    files_keep(promised->files, promised->fd, promised->file);
    promised->file = NULL;
}

/* Number and file are had before there is a child: then nothing can fail any more. */
long clone_with_pidfd(const struct clone_arguments *arguments, uintptr_t to)
{
    struct files *files = current->files;
    struct clone_arguments with = *arguments;
    struct promised promised = {.files = files, .file = pidfd_new(0)};
    if (!promised.file)
        return -ENOMEM;
    with.born = is_born;
    with.arg = &promised;
    files_hold(files);
    promised.fd = files_promise(files, true);
    long result =
        promised.fd < 0 ? promised.fd : copy_to_user(to, &promised.fd, sizeof promised.fd);
    if (!result)
        result = task_clone(&with);
    if (promised.file && promised.fd >= 0)
        files_keep(files, promised.fd, NULL);
    file_put(promised.file);
    files_release(files);
    return result;
}

struct process *process_of_pidfd(unsigned long fd, int *error)
{
    struct file *file = user_file(fd);
    bool is_pidfd = file && file->ops == &pidfd_ops;
    struct process *process = is_pidfd ? process_of(file) : NULL;
    int pid = process ? process->pid : 0;
    file_put(file); /* may sleep */
    process = pid ? process_find(pid) : NULL;
    *error = !is_pidfd ? -EBADF : process ? 0 : -ESRCH;
    return process;
}

bool pidfd_is_impatient(unsigned long fd)
{
    struct file *file = user_file(fd);
    bool impatient = file && file->ops == &pidfd_ops && file->flags & O_NONBLOCK;
    file_put(file);
    return impatient;
}

/* ---- process_madvise ------------------------------------------------------------------------- */

static bool is_for_others(int advice)
{
    return advice == QUIRE_MADV_COLD || advice == QUIRE_MADV_PAGEOUT ||
           advice == QUIRE_MADV_WILLNEED;
}

/* Bytes advised, up to the first range that wasn't; its error if that is the first. */
static long advise(struct quire_mm *mm, const struct abi_iovec *iovec, size_t count, int advice)
{
    size_t done = 0;
    for (size_t i = 0; i < count && done < MAX_BYTES; i++) {
        size_t length = iovec[i].length;
        length = length < MAX_BYTES - done ? length : MAX_BYTES - done;
        if (!give_way())
            return done ? (long)done : -EINTR;
        int error = quire_madvise(mm, iovec[i].base, length, advice);
        if (error)
            return done ? (long)done : error;
        done += length;
    }
    return (long)done;
}

static long advise_process(const unsigned long *arg, const struct abi_iovec *iovec)
{
    int error, advice = (int)arg[3];
    const struct process *process = process_of_pidfd(arg[0], &error);
    struct quire_mm *mm;
    if (error)
        return error;
    if (!is_for_others(advice))
        return -EINVAL;
    error = other_mm(process->pid, &mm);
    if (error)
        return error == -EINVAL ? -ESRCH : error; /* it has no memory any more */
    long result = -EPERM;
    if (caller_can(CAP_SYS_NICE))
        result = advise(mm, iovec, arg[2], advice);
    quire_mm_put(mm);
    shm_reap();
    return result;
}

/* process_madvise(pidfd, iovec, count, advice, flags). */
long sys_process_madvise(const unsigned long *arg)
{
    size_t count = arg[2], bytes = count * sizeof(struct abi_iovec);
    if (arg[4])
        return -EINVAL;
    if (count > MAX_IOVECS)
        return -EINVAL;
    struct abi_iovec *iovec = quire_kmalloc(machine_slab, bytes ? bytes : 1, QUIRE_GFP_KERNEL);
    if (!iovec)
        return -ENOMEM;
    long result = copy_from_user(iovec, arg[1], bytes) ? -EFAULT : 0;
    for (size_t i = 0; !result && i < count; i++)
        result = iovec[i].length > (size_t)-1 >> 1 ? -EINVAL : 0;
    if (!result)
        result = advise_process(arg, iovec);
    quire_kfree(machine_slab, iovec);
    return result;
}

/* ---- process_mrelease ------------------------------------------------------------------------ */

/* process_mrelease(pidfd, flags): a process that ends gives its memory back by itself, as soon as
 * it is its turn; so it gets one. */
long sys_process_mrelease(const unsigned long *arg)
{
    int error;
    if (arg[1])
        return -EINVAL;
    const struct process *process = process_of_pidfd(arg[0], &error);
    if (error)
        return error;
    if (!process->mm)
        return -ESRCH;
    if (!process->exiting)
        return -EINVAL;
    return give_way() ? 0 : -EINTR;
}
