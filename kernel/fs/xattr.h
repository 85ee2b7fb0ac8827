/* kernel/fs/xattr.h: extended attributes of files in memory (man 7 xattr) */
#ifndef KERNEL_FS_XATTR_H
#define KERNEL_FS_XATTR_H

#include "fs/inode.h"

#define XATTR_NAME_MAX 255u
#define XATTR_SIZE_MAX 65536u
#define XATTR_CREATE 1
#define XATTR_REPLACE 2

/* All: -EOPNOTSUPP: none of that kind here; -EINVAL: a kind without a name; -ENODATA; -EPERM,
 * -EACCES. `name` has 1 to XATTR_NAME_MAX characters. */

/* The value's size, and the value if it fits: -ERANGE; `size` 0 only asks. */
int64_t xattr_get(struct inode *inode, const struct credentials *who, const char *name, void *to,
                  size_t size);
/* `flags`: XATTR_*: -EEXIST, -ENODATA. -ENOMEM; -ENOSPC: there are too many. May sleep. */
int xattr_set(struct inode *inode, const struct credentials *who, const char *name,
              const void *value, size_t size, int flags);
int xattr_remove(struct inode *inode, const struct credentials *who, const char *name);
/* The names, each with its NUL, in order: their size, as above. */
int64_t xattr_list(struct inode *inode, const struct credentials *who, char *to, size_t size);

/* The inode goes. */
void xattr_free(struct inode *inode);

#endif
