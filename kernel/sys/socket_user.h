/* kernel/sys/socket_user.h: what system calls of sockets have in common */
#ifndef KERNEL_SYS_SOCKET_USER_H
#define KERNEL_SYS_SOCKET_USER_H

#include "fs/socket.h"
#include "sys/file_user.h"
#include "sys/file_vector.h"

/* The running program as a caller of sockets. */
struct socket_caller socket_caller(void);
/* A socket with a reference; NULL with *error: -EBADF, -ENOTSOCK. */
struct file *socket_file(unsigned long fd, int *error);

/* struct sockaddr: -EINVAL, -EAFNOSUPPORT, -EFAULT. */
int socket_address_from_user(struct socket_address *address, uintptr_t at, unsigned long length);
/* Writes as much as *length at `length_at` says there is room for, and there what there was. */
int socket_address_to_user(const struct socket_address *address, uintptr_t at, uintptr_t length_at);
/* The same with a length that isn't in user memory. */
int socket_address_copy(const struct socket_address *address, uintptr_t at, uint32_t *length);

/* Of read(2), write(2) and the like: all of the pieces, as one datagram where there are such. A
 * negative errno; -EINTR. SIGPIPE has been sent. */
int64_t socket_transfer(struct file *file, struct user_vector *vector, bool writes);

#endif
