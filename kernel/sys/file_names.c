/* kernel/sys/file_names.c: making, removing and renaming (man 2 mkdir, link, unlink, rename, mknod)
 */
#include "string.h"
#include "sys/file_user.h"

#define CWD ((unsigned long)AT_FDCWD)

/* ---- making ---------------------------------------------------------------------------------- */

static long make_at(unsigned long directory, uintptr_t text, uint32_t mode, uint64_t device)
{
    struct user_path path;
    int error = user_path_begin(&path, directory, text);
    if (error)
        return error;
    error = names_make(&path.at, path.text, mode, device);
    user_path_end(&path);
    return error;
}

long sys_mkdir(const unsigned long *arg)
{
    return make_at(CWD, arg[0], S_IFDIR | (arg[1] & (0777 | S_ISVTX)), 0);
}

long sys_mkdirat(const unsigned long *arg)
{
    return make_at(arg[0], arg[1], S_IFDIR | (arg[2] & (0777 | S_ISVTX)), 0);
}

static long mknod_at(unsigned long directory, uintptr_t text, uint32_t mode, uint64_t device)
{
    if ((mode & S_IFMT) == S_IFDIR)
        return -EPERM;
    if (!(mode & S_IFMT))
        mode |= S_IFREG;
    return make_at(directory, text, mode & (S_IFMT | S_PERMISSIONS), device);
}

long sys_mknod(const unsigned long *arg)
{
    return mknod_at(CWD, arg[0], (uint32_t)arg[1], (uint32_t)arg[2]);
}

long sys_mknodat(const unsigned long *arg)
{
    return mknod_at(arg[0], arg[1], (uint32_t)arg[2], (uint32_t)arg[3]);
}

static long symlink_at(uintptr_t target_text, unsigned long directory, uintptr_t text)
{
    struct user_path path;
    char *target = quire_kmalloc(machine_slab, FS_PATH_MAX, QUIRE_GFP_KERNEL);
    int error = target ? string_from_user(target, target_text, FS_PATH_MAX) : -ENOMEM;
    if (error >= 0)
        error = user_path_begin(&path, directory, text);
    if (!error) {
        error = names_symlink(&path.at, path.text, target);
        user_path_end(&path);
    }
    quire_kfree(machine_slab, target);
    return error;
}

long sys_symlink(const unsigned long *arg)
{
    return symlink_at(arg[0], CWD, arg[1]);
}

long sys_symlinkat(const unsigned long *arg)
{
    return symlink_at(arg[0], arg[1], arg[2]);
}

static long link_at(unsigned long old_directory, uintptr_t old, unsigned long directory,
                    uintptr_t text, unsigned long flags)
{
    struct walk walk;
    struct user_path path;
    if (flags & ~(unsigned long)(AT_SYMLINK_FOLLOW | AT_EMPTY_PATH))
        return -EINVAL;
    int error = user_walk(&walk, old_directory, old, flags & AT_EMPTY_PATH,
                          flags & AT_SYMLINK_FOLLOW ? WALK_FOLLOW : 0);
    if (error)
        return error;
    error = user_path_begin(&path, directory, text);
    if (!error) {
        error = names_link(&path.at, path.text, walk.inode);
        user_path_end(&path);
    }
    walk_end(&walk);
    return error;
}

long sys_link(const unsigned long *arg)
{
    return link_at(CWD, arg[0], CWD, arg[1], 0);
}

long sys_linkat(const unsigned long *arg)
{
    return link_at(arg[0], arg[1], arg[2], arg[3], arg[4]);
}

/* ---- removing -------------------------------------------------------------------------------- */

static long remove_at(unsigned long directory, uintptr_t text,
                      int (*remove)(const struct fs_at *at, const char *path))
{
    struct user_path path;
    int error = user_path_begin(&path, directory, text);
    if (error)
        return error;
    error = remove(&path.at, path.text);
    user_path_end(&path);
    return error;
}

long sys_unlink(const unsigned long *arg)
{
    return remove_at(CWD, arg[0], names_unlink);
}

long sys_rmdir(const unsigned long *arg)
{
    return remove_at(CWD, arg[0], names_rmdir);
}

long sys_unlinkat(const unsigned long *arg)
{
    if (arg[2] & ~(unsigned long)AT_REMOVEDIR)
        return -EINVAL;
    return remove_at(arg[0], arg[1], arg[2] & AT_REMOVEDIR ? names_rmdir : names_unlink);
}

/* ---- renaming -------------------------------------------------------------------------------- */

static long rename_at(unsigned long old_directory, uintptr_t old_text, unsigned long directory,
                      uintptr_t text, unsigned flags)
{
    struct user_path old, new;
    int error = user_path_begin(&old, old_directory, old_text);
    if (error)
        return error;
    error = user_path_begin(&new, directory, text);
    if (!error) {
        error = names_rename(&old.at, old.text, &new.at, new.text, flags);
        user_path_end(&new);
    }
    user_path_end(&old);
    return error;
}

long sys_rename(const unsigned long *arg)
{
    return rename_at(CWD, arg[0], CWD, arg[1], 0);
}

long sys_renameat(const unsigned long *arg)
{
    return rename_at(arg[0], arg[1], arg[2], arg[3], 0);
}

long sys_renameat2(const unsigned long *arg)
{
    return rename_at(arg[0], arg[1], arg[2], arg[3], (unsigned)arg[4]);
}
