/* kernel/fs/mount.h: further file systems in memory in the tree: tmpfs */
#ifndef KERNEL_FS_MOUNT_H
#define KERNEL_FS_MOUNT_H

#include "base/text.h"
#include "fs/inode.h"

struct mount_options {
    uint32_t mode, uid, gid; /* of its root */
};

/* Covers a directory's content by an empty tmpfs, called `source` in /proc/mounts. -ENOTDIR;
 * -EBUSY: the tree's root; -EINVAL: what is in it is generated; -ENOMEM. */
int fs_mount(struct inode *on, const char *source, const struct mount_options *options);

/* Uncovers it; what was in the file system is gone. The caller has no reference to `on` but the
 * one that this gives back. -EINVAL: nothing is mounted there; -EBUSY: it is used, or somebody is
 * in it who wasn't there before it was mounted. May sleep. */
int fs_unmount(struct inode *on);

/* Lines of /proc/mounts, or of mountinfo. */
void mount_show(struct text *text, bool info);

#endif
