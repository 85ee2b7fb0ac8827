/* kernel/fs/initrd.h: the initial RAM disk: a cpio archive of the "newc" format, uncompressed */
#ifndef KERNEL_FS_INITRD_H
#define KERNEL_FS_INITRD_H

#include "fs/inode.h"

/* What is wrong, and where in the archive. */
struct initrd_error {
    const char *what; /* NULL: no memory, or as the errno says */
    size_t at;
    char name[64]; /* of the member, cut; empty: none was read yet */
};

/* Unpacks into `root`. Members replace files of the same name; directories that are there get mode,
 * owner and time; those above that aren't are made. -EINVAL: the archive is bad; what was before
 * that is unpacked. `error` may be NULL. */
int initrd_unpack(struct inode *root, const void *bytes, size_t size, struct initrd_error *error);
/* The same, telling now and then how many of the first bytes aren't read any more: so the archive
 * and its files need not be in memory both. */
typedef void initrd_used_fn(void *arg, size_t bytes);
int initrd_consume(struct inode *root, const void *bytes, size_t size, initrd_used_fn *used,
                   void *arg, struct initrd_error *error);

#endif
