/* kernel/fs/fs.h: the tree as a program finds it */
#ifndef KERNEL_FS_FS_H
#define KERNEL_FS_FS_H

#include "fs/inode.h"

/* The root of the tree, or NULL before fs_init. */
extern struct inode *fs_root;

/* Makes the tree: /dev with its devices and /dev/shm, /proc, /tmp, /root and /etc. machine_slab and
 * machine_vm are there already. -ENOMEM. */
int fs_init(void);
/* The end, for tests: nothing of the tree is in use any more. */
void fs_destroy(void);

#endif
