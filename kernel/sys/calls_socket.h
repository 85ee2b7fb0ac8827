/* kernel/sys/calls_socket.h: system calls of sockets */
#ifndef KERNEL_SYS_CALLS_SOCKET_H
#define KERNEL_SYS_CALLS_SOCKET_H

#include "syscall.h"

/* socket.c */
syscall_fn sys_socket, sys_socketpair, sys_bind, sys_listen, sys_connect, sys_accept, sys_accept4,
    sys_shutdown, sys_getsockname, sys_getpeername, sys_setsockopt, sys_getsockopt;
/* socket_message.c */
syscall_fn sys_sendto, sys_recvfrom, sys_sendmsg, sys_recvmsg;
/* socketcall.c: i386's older way to all of them */
syscall_fn sys_socketcall;

#endif
