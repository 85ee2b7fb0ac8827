/* kernel/sys/file_open.c: open(2), close(2), dup(2), and files without a path */
#include "fs/anonymous.h"
#include "fs/fs.h"
#include "fs/pipe.h"
#include "fs/random.h"
#include "string.h"
#include "sys/file_user.h"
#include "task/lifecycle.h"

static struct files *current_files(void)
{
    return current->files;
}

/* ---- open ------------------------------------------------------------------------------------ */

static long open_at(unsigned long directory, uintptr_t text, int flags, unsigned mode)
{
    struct user_path path;
    struct file *file = NULL;
    int error = user_path_begin(&path, directory, text);
    if (error)
        return error;
    error = file_open(&file, path.at.fs, path.at.who, path.at.start, path.text, flags | O_LARGEFILE,
                      mode);
    user_path_end(&path);
    return error ? user_restart(error) : user_add_file(file, flags & O_CLOEXEC);
}

long sys_open(const unsigned long *arg)
{
    return open_at((unsigned long)AT_FDCWD, arg[0], (int)arg[1], (unsigned)arg[2]);
}

long sys_openat(const unsigned long *arg)
{
    return open_at(arg[0], arg[1], (int)arg[2], (unsigned)arg[3]);
}

long sys_creat(const unsigned long *arg)
{
    return open_at((unsigned long)AT_FDCWD, arg[0], O_WRONLY | O_CREAT | O_TRUNC, (unsigned)arg[1]);
}

/* What `resolve` would restrict isn't there: such calls are refused, so that nobody relies on it.
 */
long sys_openat2(const unsigned long *arg)
{
    struct {
        uint64_t flags, mode, resolve;
    } how;
    if (arg[3] < sizeof how)
        return -EINVAL;
    if (arg[3] > sizeof how)
        return -E2BIG;
    if (copy_from_user(&how, arg[2], sizeof how))
        return -EFAULT;
    if (how.flags > INT32_MAX || how.mode > S_PERMISSIONS || how.resolve)
        return -EINVAL;
    return open_at(arg[0], arg[1], (int)how.flags, (unsigned)how.mode);
}

/* ---- descriptors ----------------------------------------------------------------------------- */

long sys_close(const unsigned long *arg)
{
    return files_close(current_files(), (int)arg[0]);
}

#define CLOSE_RANGE_UNSHARE 2u
#define CLOSE_RANGE_CLOEXEC 4u

long sys_close_range(const unsigned long *arg)
{
    unsigned first = (unsigned)arg[0], last = (unsigned)arg[1], flags = (unsigned)arg[2];
    if (first > last || flags & ~(CLOSE_RANGE_UNSHARE | CLOSE_RANGE_CLOEXEC))
        return -EINVAL;
    int error = flags & CLOSE_RANGE_UNSHARE ? task_unshare_files(true, false) : 0;
    if (error)
        return error;
    files_close_range(current_files(), first, last, flags & CLOSE_RANGE_CLOEXEC);
    return 0;
}

long sys_dup(const unsigned long *arg)
{
    struct file *file = user_file_any(arg[0]);
    return file ? user_add_file(file, false) : -EBADF;
}

static long dup_to(unsigned long from, unsigned long to, bool close_on_exec)
{
    struct file *file = user_file_any(from);
    if (!file)
        return -EBADF;
    int fd = files_set(current_files(), (int)to, file, close_on_exec);
    if (fd < 0)
        file_put(file);
    return fd;
}

long sys_dup2(const unsigned long *arg)
{
    if ((int)arg[0] != (int)arg[1])
        return dup_to(arg[0], arg[1], false);
    struct file *file = user_file_any(arg[0]);
    file_put(file);
    return file ? (long)(int)arg[0] : -EBADF;
}

long sys_dup3(const unsigned long *arg)
{
    if ((int)arg[0] == (int)arg[1] || arg[2] & ~(unsigned long)O_CLOEXEC)
        return -EINVAL;
    return dup_to(arg[0], arg[1], arg[2] & O_CLOEXEC);
}

/* ---- pipes ----------------------------------------------------------------------------------- */

static long make_pipe(uintptr_t to, unsigned long flags)
{
    struct file *files[2];
    if (flags & ~(unsigned long)(O_CLOEXEC | O_NONBLOCK | O_DIRECT))
        return -EINVAL;
    int error = pipe_create(files, user_credentials(), (int)flags);
    return error ? error : user_add_pair(files, flags & O_CLOEXEC, to);
}

long sys_pipe(const unsigned long *arg)
{
    return make_pipe(arg[0], 0);
}

long sys_pipe2(const unsigned long *arg)
{
    return make_pipe(arg[0], arg[1]);
}

/* ---- others ---------------------------------------------------------------------------------- */

#define MEMFD_NAME_BYTES 250u /* with the NUL */

long sys_memfd_create(const unsigned long *arg)
{
    char name[MEMFD_NAME_BYTES];
    struct file *file = NULL;
    int length = string_from_user(name, arg[0], sizeof name);
    if (length < 0)
        return length == -ENAMETOOLONG ? -EINVAL : length;
    int error = memfd_create(&file, fs_root, user_credentials(), name, (unsigned)arg[1]);
    return error ? error : user_add_file(file, arg[1] & MFD_CLOEXEC);
}

static long make_eventfd(unsigned long initial, unsigned long flags)
{
    struct file *file = NULL;
    int error = eventfd_create(&file, user_credentials(), (unsigned)initial, (int)flags);
    return error ? error : user_add_file(file, flags & O_CLOEXEC);
}

long sys_eventfd(const unsigned long *arg)
{
    return make_eventfd(arg[0], 0);
}

long sys_eventfd2(const unsigned long *arg)
{
    return make_eventfd(arg[0], arg[1]);
}

#define GRND_NONBLOCK 1u
#define GRND_RANDOM 2u
#define GRND_INSECURE 4u

long sys_getrandom(const unsigned long *arg)
{
    unsigned flags = (unsigned)arg[2];
    size_t size = arg[1] < INT32_MAX ? arg[1] : INT32_MAX;
    char bytes[256];
    if (flags & ~(GRND_NONBLOCK | GRND_RANDOM | GRND_INSECURE) ||
        (flags & GRND_RANDOM && flags & GRND_INSECURE))
        return -EINVAL;
    for (size_t done = 0, piece; done < size; done += piece) {
        piece = size - done < sizeof bytes ? size - done : sizeof bytes;
        random_bytes(bytes, piece);
        if (copy_to_user(arg[0] + done, bytes, piece))
            return done ? (long)done : -EFAULT;
    }
    return (long)size;
}
