/* kernel/fs/devices.h: device nodes */
#ifndef KERNEL_FS_DEVICES_H
#define KERNEL_FS_DEVICES_H

#include "fs/file.h"

static inline uint64_t device_number(unsigned major, unsigned minor)
{
    return (uint64_t)(minor & 0xff) | (uint64_t)major << 8 | (uint64_t)(minor & ~0xffu) << 12;
}

#define TTY_MAJOR 4u
#define TTY_SERIAL_MINOR 64u /* ttyS0 */
#define TTY_OTHER_MAJOR 5u   /* 0: tty, 1: console */
#define MISC_MAJOR 10u
#define USERFAULTFD_MINOR 126u

/* Sets what the node's number says; -ENXIO: no such device. */
int device_open(struct inode *inode, struct file *file);
/* Another character device; `open` as device_open. At most 8. */
void device_register(uint64_t number, int (*open)(struct inode *inode, struct file *file));
bool device_is_zero(const struct file *file);

/* Learns what programs write to kmsg, a line of printable characters at a time; NULL: nobody does.
 */
extern void (*device_mark)(const char *text);

/* Makes null, zero, full, kmsg, random, urandom, tty, console, ttyS0, userfaultfd, the block
 * devices that there are, and the links to /proc/self/fd. */
int devices_populate(struct inode *dev);

#endif
