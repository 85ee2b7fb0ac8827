/* kernel/fs/poll.h: waiting for one of several files */
#ifndef KERNEL_FS_POLL_H
#define KERNEL_FS_POLL_H

#include "fs/file.h"

struct poll_item {
    struct file *file; /* held by the caller; NULL: `ready` is as the caller set it */
    unsigned wanted, ready;
};

/* The number of items that are ready; 0: the deadline (ns of quire_port_clock_ns) is over; -EINTR.
 * POLLERR, POLLHUP and POLLNVAL are always wanted. A deadline of 0 only looks. */
int poll_wait(struct poll_item *items, unsigned count, uint64_t deadline);

#endif
