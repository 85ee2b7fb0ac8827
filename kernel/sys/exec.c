/* kernel/sys/exec.c: execve(2), execveat(2) */
#include "task/exec.h"
#include "fs/file.h"
#include "fs/files.h"
#include "memory.h"
#include "sys/calls_exec.h"
#include "task/task.h"
#include "user.h"

#define EXECVEAT_FLAGS (AT_EMPTY_PATH | AT_SYMLINK_NOFOLLOW)

static long exec_from_user(struct inode *start, uintptr_t path_at, uintptr_t argv_at,
                           uintptr_t envp_at)
{
    struct exec_strings argv = {0}, envp = {0};
    char *path = quire_kmalloc(machine_slab, FS_PATH_MAX, QUIRE_GFP_KERNEL);
    int error = path ? string_from_user(path, path_at, FS_PATH_MAX) : -ENOMEM;
    if (error >= 0)
        error = exec_strings_init(&argv);
    if (!error)
        error = exec_strings_from_user(&argv, argv_at);
    if (!error)
        error = exec_strings_init(&envp);
    if (!error)
        error = exec_strings_from_user(&envp, envp_at);
    if (!error)
        error = exec_strings_fit(path, &argv, &envp);
    if (!error)
        error = exec(start, path, &argv, &envp);
    exec_strings_free(&argv);
    exec_strings_free(&envp);
    quire_kfree(machine_slab, path);
    return error;
}

long sys_execve(const unsigned long *arg)
{
    return exec_from_user(NULL, arg[0], arg[1], arg[2]);
}

/* Of an empty path with AT_EMPTY_PATH, the file that the descriptor is open for isn't built. */
long sys_execveat(const unsigned long *arg)
{
    int fd = (int)arg[0];
    if (arg[4] & ~(unsigned long)EXECVEAT_FLAGS)
        return -EINVAL;
    if (arg[4])
        return -ENOSYS;
    if (fd == AT_FDCWD)
        return exec_from_user(NULL, arg[1], arg[2], arg[3]);
    struct file *file = files_get(current->files, fd);
    if (!file)
        return -EBADF;
    long result = exec_from_user(file->inode, arg[1], arg[2], arg[3]);
    file_put(file);
    return result;
}
