/* kernel/fs/sysfs.h: /sys: what of the machine's processors and nodes programs look up there */
#ifndef KERNEL_FS_SYSFS_H
#define KERNEL_FS_SYSFS_H

#include "base/text.h"
#include "fs/inode.h"

/* Makes "sys" in `root`, after procfs_mount made "proc". */
int sysfs_mount(struct inode *root);

/* A set of small numbers as Linux lists them: "0-2,4". */
void put_number_list(struct text *text, uint64_t set);

#endif
