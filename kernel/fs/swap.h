/* kernel/fs/swap.h: swap areas on block devices (man 2 swapon, man 8 mkswap)
 */
#ifndef KERNEL_FS_SWAP_H
#define KERNEL_FS_SWAP_H

#include "fs/file.h"

#define SWAP_FLAG_PREFER 0x8000u
#define SWAP_FLAG_PRIO_MASK 0x7fffu
#define SWAP_FLAG_DISCARD 0x10000u       /* both of these, unless one is said */
#define SWAP_FLAG_DISCARD_ONCE 0x20000u  /* all of the area, at the beginning */
#define SWAP_FLAG_DISCARD_PAGES 0x40000u /* what was freed, before it is used again */
#define SWAP_FLAGS_VALID 0x7ffffu

/* The file, open for reading and writing, is a swap area from now on. -EINVAL: it isn't a block
 * device, or has no header that makes sense, and *mistake says what is wrong with it; -EBUSY: it is
 * one already; -EPERM: there are as many as there can be; -EIO, -ENOMEM. Then *mistake is NULL. */
int swap_on(struct file *file, unsigned flags, const char **mistake);
/* No longer, when all is back in memory. -EINVAL: it isn't one; -ENOMEM, -EIO: it stays one. */
int swap_off(struct file *file);

#endif
