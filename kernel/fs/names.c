/* kernel/fs/names.c: making, removing and renaming by path */
#include "fs/names.h"

#include "fs/ramfs.h"
#include "string.h"

static int walk_to(struct walk *walk, const struct fs_at *at, const char *path, unsigned flags)
{
    return path_walk(walk, at->fs, at->who, at->start, path, flags);
}

/* Ends the walk. A name with a slash behind can only be a directory's. */
static int make(struct walk *walk, const struct fs_at *at, const struct ramfs_make *what)
{
    bool directory = (what->mode & S_IFMT) == S_IFDIR && !what->existing;
    int error = -EEXIST;
    if (!walk->inode)
        error = walk->slash && !directory
                    ? -ENOENT
                    : ramfs_make(walk->parent, walk_name(walk), at->who, what, NULL);
    walk_end(walk);
    return error;
}

static int check_kind(const struct fs_at *at, uint32_t mode, uint64_t device)
{
    switch (mode & S_IFMT) {
    case S_IFREG:
    case S_IFDIR:
    case S_IFIFO:
    case S_IFSOCK:
        return 0;
    case S_IFCHR:
    case S_IFBLK:
        /* 0:0 marks what a layer of an overlay hides: anybody may make it. */
        return !credentials_can(at->who, CAP_MKNOD) && !(device == 0 && (mode & S_IFMT) == S_IFCHR)
                   ? -EPERM
                   : 0;
    default:
        return -EINVAL;
    }
}

int names_make(const struct fs_at *at, const char *path, uint32_t mode, uint64_t device)
{
    struct walk walk;
    struct ramfs_make what = {.mode = mode & ~at->fs->umask, .device = device};
    int error = check_kind(at, mode, device);
    if (!error)
        error = walk_to(&walk, at, path, WALK_PARENT);
    return error ? error : make(&walk, at, &what);
}

int names_symlink(const struct fs_at *at, const char *path, const char *target)
{
    struct walk walk;
    struct ramfs_make what = {.mode = S_IFLNK | 0777, .target = target};
    if (!*target)
        return -ENOENT;
    int error = walk_to(&walk, at, path, WALK_PARENT);
    return error ? error : make(&walk, at, &what);
}

/* Linux's protected_hardlinks: of others' files only those that can be written, and run as nobody
 * else. */
static bool may_link(const struct credentials *who, const struct inode *inode)
{
    bool plain = inode_is(inode, S_IFREG) && !(inode->mode & S_ISUID) &&
                 (inode->mode & (S_ISGID | 010)) != (S_ISGID | 010);
    return credentials_can(who, CAP_FOWNER) || who->euid == inode->uid ||
           (plain && !inode_permission(inode, who, MAY_READ | MAY_WRITE));
}

int names_link(const struct fs_at *at, const char *path, struct inode *inode)
{
    struct walk walk;
    struct ramfs_make what = {.existing = inode};
    if (!may_link(at->who, inode))
        return -EPERM;
    int error = walk_to(&walk, at, path, WALK_PARENT);
    return error ? error : make(&walk, at, &what);
}

/* The name that a path ends in, for removing; `dots` and `none`: what is said of others. */
static int walk_to_name(struct walk *walk, const struct fs_at *at, const char *path, int dots,
                        int none)
{
    int error = walk_to(walk, at, path, WALK_PARENT);
    if (error)
        return error;
    if (!walk->parent)
        error = walk->dots ? dots : none;
    else if (!walk->inode)
        error = -ENOENT;
    if (error)
        walk_end(walk);
    return error;
}

int names_unlink(const struct fs_at *at, const char *path)
{
    struct walk walk;
    int error = walk_to_name(&walk, at, path, -EISDIR, -EISDIR);
    if (error)
        return error;
    if (walk.slash && !inode_is(walk.inode, S_IFDIR))
        error = -ENOTDIR;
    else
        error = ramfs_remove(walk.parent, walk_name(&walk), at->who, false);
    walk_end(&walk);
    return error;
}

int names_rmdir(const struct fs_at *at, const char *path)
{
    struct walk walk;
    int error = walk_to(&walk, at, path, WALK_PARENT);
    if (error)
        return error;
    if (!walk.parent)
        error = walk.length == 1 && walk.dots ? -EINVAL : walk.dots ? -ENOTEMPTY : -EBUSY;
    else if (!walk.inode)
        error = -ENOENT;
    else
        error = ramfs_remove(walk.parent, walk_name(&walk), at->who, true);
    walk_end(&walk);
    return error;
}

int names_rename(const struct fs_at *from, const char *old, const struct fs_at *to, const char *new,
                 unsigned flags)
{
    struct walk *walk = quire_kmalloc(machine_slab, 2 * sizeof *walk, QUIRE_GFP_KERNEL);
    if (!walk)
        return -ENOMEM;
    int error = walk_to_name(&walk[0], from, old, -EBUSY, -EBUSY);
    if (error) {
        quire_kfree(machine_slab, walk);
        return error;
    }
    error = walk_to(&walk[1], to, new, WALK_PARENT);
    if (!error) {
        struct ramfs_rename rename = {.from = walk[0].parent,
                                      .to = walk[1].parent,
                                      .old = walk_name(&walk[0]),
                                      .new = walk_name(&walk[1]),
                                      .flags = flags,
                                      .slash = walk[0].slash || walk[1].slash};
        error = rename.to                  ? ramfs_rename(&rename, from->who)
                : flags & RENAME_NOREPLACE ? -EEXIST
                                           : -EBUSY;
        walk_end(&walk[1]);
    }
    walk_end(&walk[0]);
    quire_kfree(machine_slab, walk);
    return error;
}
