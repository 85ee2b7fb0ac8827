/* kernel/sys/socketcall.c: i386's older way to sockets: one call, with arguments in memory */
#include "errno.h"
#include "sys/calls_socket.h"
#include "user.h"

#define MOST_ARGUMENTS 6u

static long send(const unsigned long *arg)
{
    const unsigned long all[MOST_ARGUMENTS] = {arg[0], arg[1], arg[2], arg[3]};
    return sys_sendto(all);
}

static long receive(const unsigned long *arg)
{
    const unsigned long all[MOST_ARGUMENTS] = {arg[0], arg[1], arg[2], arg[3]};
    return sys_recvfrom(all);
}

/* socketcall(call, arguments). */
long sys_socketcall(const unsigned long *arg)
{
    static const struct {
        syscall_fn *call;
        unsigned nr_arguments;
    } calls[] = {
        [1] = {sys_socket, 3},      [2] = {sys_bind, 3},        [3] = {sys_connect, 3},
        [4] = {sys_listen, 2},      [5] = {sys_accept, 3},      [6] = {sys_getsockname, 3},
        [7] = {sys_getpeername, 3}, [8] = {sys_socketpair, 4},  [9] = {send, 4},
        [10] = {receive, 4},        [11] = {sys_sendto, 6},     [12] = {sys_recvfrom, 6},
        [13] = {sys_shutdown, 2},   [14] = {sys_setsockopt, 5}, [15] = {sys_getsockopt, 5},
        [16] = {sys_sendmsg, 3},    [17] = {sys_recvmsg, 3},    [18] = {sys_accept4, 4},
    };
    unsigned long arguments[MOST_ARGUMENTS] = {0};
    if (arg[0] >= sizeof calls / sizeof calls[0] || !calls[arg[0]].call)
        return -EINVAL;
    if (copy_from_user(arguments, arg[1], calls[arg[0]].nr_arguments * sizeof arguments[0]))
        return -EFAULT;
    return calls[arg[0]].call(arguments);
}
