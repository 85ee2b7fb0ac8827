/* kernel/fs/plain.h: operations of files that are only content, or nothing */
#ifndef KERNEL_FS_PLAIN_H
#define KERNEL_FS_PLAIN_H

#include "fs/file.h"

extern const struct file_ops plain_file_ops;  /* regular files of the tree, memfd */
extern const struct file_ops plain_other_ops; /* directories, what is opened by O_PATH */

#endif
