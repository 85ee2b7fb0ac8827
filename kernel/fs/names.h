/* kernel/fs/names.h: making, removing and renaming by path
 *
 * What mkdirat(2) and its like do, but for user memory. All may sleep; errors are the manual's.
 */
#ifndef KERNEL_FS_NAMES_H
#define KERNEL_FS_NAMES_H

#include "fs/path.h"

/* Where a path begins and who walks it. */
struct fs_at {
    const struct fs_context *fs;
    const struct credentials *who;
    struct inode *start; /* NULL: the working directory */
};

/* mkdir, mknod, and regular files: `mode` has the type, and the umask is taken from it. -EPERM: not
 * root, and a device. */
int names_make(const struct fs_at *at, const char *path, uint32_t mode, uint64_t device);
int names_symlink(const struct fs_at *at, const char *path, const char *target);
/* A further name for `inode`. */
int names_link(const struct fs_at *at, const char *path, struct inode *inode);
int names_unlink(const struct fs_at *at, const char *path);
int names_rmdir(const struct fs_at *at, const char *path);
int names_rename(const struct fs_at *from, const char *old, const struct fs_at *to, const char *new,
                 unsigned flags);

#endif
