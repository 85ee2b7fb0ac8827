/* kernel/fs/anonymous.h: files that have no place in the tree: pipes, memfd, eventfd */
#ifndef KERNEL_FS_ANONYMOUS_H
#define KERNEL_FS_ANONYMOUS_H

#include "fs/file.h"

extern struct volume anonymous_volume;

/* An inode of a type that needs no memory but what the caller gives it; it is freed with the inode
 * as the tree's are. NULL: no memory. */
struct inode *anonymous_inode(const struct credentials *who, uint32_t mode);

/* memfd_create(2): `name` is at most 249 characters. */
#define MFD_CLOEXEC 1u
#define MFD_ALLOW_SEALING 2u
#define MFD_HUGETLB 4u
#define MFD_NOEXEC_SEAL 8u
#define MFD_EXEC 16u
#define MFD_HUGE_SIZES 0xfc000000u
int memfd_create(struct file **file, struct inode *root, const struct credentials *who,
                 const char *name, unsigned flags);

/* eventfd2(2) */
#define EFD_SEMAPHORE 1
int eventfd_create(struct file **file, const struct credentials *who, unsigned initial, int flags);

#endif
