/* kernel/fs/options.h: what this kernel is built of, as a file */
#ifndef KERNEL_FS_OPTIONS_H
#define KERNEL_FS_OPTIONS_H

#include "fs/inode.h"

/* Makes /boot's config-RELEASE. -ENOMEM. */
int options_populate(struct inode *boot);

#endif
