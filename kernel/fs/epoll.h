/* kernel/fs/epoll.h: waiting for many files, told once (man 7 epoll) */
#ifndef KERNEL_FS_EPOLL_H
#define KERNEL_FS_EPOLL_H

#include "fs/file.h"

#define EPOLLEXCLUSIVE (1u << 28)
#define EPOLLWAKEUP (1u << 29)
#define EPOLLONESHOT (1u << 30)
#define EPOLLET (1u << 31)

#define EPOLL_CTL_ADD 1
#define EPOLL_CTL_DEL 2
#define EPOLL_CTL_MOD 3

/* As programs have it, in both classes. */
struct epoll_event {
    uint32_t events;
    uint64_t data;
} __attribute__((packed));

int epoll_create(struct file **file, const struct credentials *who);
bool file_is_epoll(const struct file *file);

/* epoll_ctl(2), for what is open as `fd` now: the two together are what is watched, until the file
 * is closed by all who have it. -EINVAL, -EEXIST, -ENOENT, -EPERM: can't be waited for; -ELOOP;
 * -ENOMEM; -ENOSPC: there are too many. */
int epoll_change(struct file *epoll, int operation, struct file *file, int fd,
                 const struct epoll_event *event);
/* Up to `most` events, once there is one; 0: the deadline is over; -EINTR. A deadline of 0 only
 * looks. */
int epoll_wait(struct file *epoll, struct epoll_event *events, unsigned most, uint64_t deadline);

/* Between the two nothing sleeps: what was seen of one epoll needn't be looked for again. They
 * nest. */
void epoll_looks_begin(void);
void epoll_looks_end(void);

/* An open file is gone: nobody watches it any more. */
void epoll_forget(struct file *file);

#endif
