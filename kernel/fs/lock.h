/* kernel/fs/lock.h: advisory locks of files: fcntl(F_SETLK) and flock(2)
 *
 * Locks of ranges belong to a table of open files, that is to a process; locks of whole files by
 * flock to an open file. Each kind minds its own kind only.
 */
#ifndef KERNEL_FS_LOCK_H
#define KERNEL_FS_LOCK_H

#include "fs/inode.h"

enum lock_kind { LOCK_RANGE, LOCK_WHOLE };
enum lock_type { LOCK_READ, LOCK_WRITE, LOCK_NONE };

struct lock {
    enum lock_kind kind;
    enum lock_type type;
    const void *owner;
    uint64_t first, last; /* bytes; UINT64_MAX: to the end, however long */
    int pid;              /* whom F_GETLK names */
    struct list link;     /* of the inode's */
};

/* The first lock of another owner that stands in the way of `wanted`; NULL: none. */
const struct lock *lock_conflict(const struct inode *inode, const struct lock *wanted);
/* Sets, changes or (LOCK_NONE) takes away. -EAGAIN: in the way, without `wait`; -EINTR; -ENOLCK: no
 * memory. Who waits isn't told of deadlocks. May sleep. */
int lock_set(struct inode *inode, const struct lock *wanted, bool wait);
void lock_release_owner(struct inode *inode, const void *owner);

#endif
