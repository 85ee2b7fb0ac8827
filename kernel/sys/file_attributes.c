/* kernel/sys/file_attributes.c: rights, owners, and the umask (man 2 access, chmod, chown, umask)
 */
#include "sys/file_user.h"

#define CWD ((unsigned long)AT_FDCWD)

/* ---- access ---------------------------------------------------------------------------------- */

static long access_as(const struct credentials *who, unsigned long directory, uintptr_t text,
                      unsigned may, unsigned flags)
{
    struct walk walk;
    struct user_path path;
    int error = user_path_begin_at(&path, directory, text, flags);
    if (error)
        return error;
    unsigned how =
        (flags & AT_SYMLINK_NOFOLLOW ? 0 : WALK_FOLLOW) | (flags & AT_EMPTY_PATH ? WALK_EMPTY : 0);
    error = path_walk(&walk, path.at.fs, who, path.at.start, path.text, how);
    user_path_end(&path);
    if (error)
        return error;
    error = inode_permission(walk.inode, who, may);
    walk_end(&walk);
    return error;
}

static long access_at(unsigned long directory, uintptr_t text, unsigned long may,
                      unsigned long flags)
{
    struct credentials who = *user_credentials();
    if (may & ~7ul || flags & ~(unsigned long)(AT_EACCESS | AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH))
        return -EINVAL;
    if (!(flags & AT_EACCESS)) {
        who.lacks = who.uid ? CAP_ALL : who.lost;
        who.euid = who.uid;
        who.egid = who.gid;
    }
    (void)groups_get(who.groups); /* another thread may change them while this one sleeps */
    long result = access_as(&who, directory, text, (unsigned)may, (unsigned)flags);
    groups_put(who.groups);
    return result;
}

long sys_access(const unsigned long *arg)
{
    return access_at(CWD, arg[0], arg[1], 0);
}

long sys_faccessat(const unsigned long *arg)
{
    return access_at(arg[0], arg[1], arg[2], 0);
}

long sys_faccessat2(const unsigned long *arg)
{
    return access_at(arg[0], arg[1], arg[2], arg[3]);
}

/* ---- changing attributes --------------------------------------------------------------------- */

struct change {
    bool owner; /* else the mode */
    uint32_t mode, uid, gid;
};

static int apply(struct inode *inode, const struct change *change)
{
    if (change->owner)
        return inode_chown(inode, user_credentials(), change->uid, change->gid);
    if (inode_is(inode, S_IFLNK))
        return -EOPNOTSUPP;
    return inode_chmod(inode, user_credentials(), change->mode);
}

static long change_at(unsigned long directory, uintptr_t text, unsigned long flags,
                      const struct change *change)
{
    struct walk walk;
    if (flags & ~(unsigned long)(AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH))
        return -EINVAL;
    int error = user_walk(&walk, directory, text, (unsigned)flags,
                          flags & AT_SYMLINK_NOFOLLOW ? 0 : WALK_FOLLOW);
    if (error)
        return error;
    error = apply(walk.inode, change);
    walk_end(&walk);
    return error;
}

static long change_file(unsigned long fd, const struct change *change)
{
    struct file *file = user_file(fd);
    if (!file)
        return -EBADF;
    int error = apply(file->inode, change);
    file_put(file);
    return error;
}

static struct change mode_of(unsigned long mode)
{
    return (struct change){.mode = (uint32_t)mode & S_PERMISSIONS};
}

static struct change owner_of(unsigned long uid, unsigned long gid)
{
    return (struct change){.owner = true, .uid = (uint32_t)uid, .gid = (uint32_t)gid};
}

long sys_chmod(const unsigned long *arg)
{
    struct change change = mode_of(arg[1]);
    return change_at(CWD, arg[0], 0, &change);
}

long sys_fchmod(const unsigned long *arg)
{
    struct change change = mode_of(arg[1]);
    return change_file(arg[0], &change);
}

long sys_fchmodat(const unsigned long *arg)
{
    struct change change = mode_of(arg[2]);
    return change_at(arg[0], arg[1], 0, &change);
}

long sys_fchmodat2(const unsigned long *arg)
{
    struct change change = mode_of(arg[2]);
    return change_at(arg[0], arg[1], arg[3], &change);
}

static long chown_path(const unsigned long *arg, unsigned long flags)
{
    struct change change = owner_of(arg[1], arg[2]);
    return change_at(CWD, arg[0], flags, &change);
}

static long chown_file(const unsigned long *arg)
{
    struct change change = owner_of(arg[1], arg[2]);
    return change_file(arg[0], &change);
}

long sys_fchownat(const unsigned long *arg)
{
    struct change change = owner_of(arg[2], arg[3]);
    return change_at(arg[0], arg[1], arg[4], &change);
}

#if defined(__x86_64__)
long sys_chown(const unsigned long *arg)
{
    return chown_path(arg, 0);
}

long sys_lchown(const unsigned long *arg)
{
    return chown_path(arg, AT_SYMLINK_NOFOLLOW);
}

long sys_fchown(const unsigned long *arg)
{
    return chown_file(arg);
}
#else
long sys_chown32(const unsigned long *arg)
{
    return chown_path(arg, 0);
}

long sys_lchown32(const unsigned long *arg)
{
    return chown_path(arg, AT_SYMLINK_NOFOLLOW);
}

long sys_fchown32(const unsigned long *arg)
{
    return chown_file(arg);
}

/* Numbers of 16 bits, of which the last one is "as it is". */
static unsigned long widen(unsigned long number)
{
    return (uint16_t)number == UINT16_MAX ? UINT32_MAX : (uint16_t)number;
}

long sys_chown(const unsigned long *arg)
{
    const unsigned long wide[] = {arg[0], widen(arg[1]), widen(arg[2])};
    return chown_path(wide, 0);
}

long sys_lchown(const unsigned long *arg)
{
    const unsigned long wide[] = {arg[0], widen(arg[1]), widen(arg[2])};
    return chown_path(wide, AT_SYMLINK_NOFOLLOW);
}

long sys_fchown(const unsigned long *arg)
{
    const unsigned long wide[] = {arg[0], widen(arg[1]), widen(arg[2])};
    return chown_file(wide);
}
#endif

long sys_umask(const unsigned long *arg)
{
    struct fs_context *fs = current->fs;
    unsigned before = fs->umask;
    fs->umask = (unsigned)arg[0] & 0777;
    return (long)before;
}
