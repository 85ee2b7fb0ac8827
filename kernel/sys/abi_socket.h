/* kernel/sys/abi_socket.h: what system calls of sockets pass, as Linux has it */
#ifndef KERNEL_SYS_ABI_SOCKET_H
#define KERNEL_SYS_ABI_SOCKET_H

#include <quire/types.h>

#define AF_UNIX 1
#define SOCK_TYPE_MASK 0xf
#define SOCK_RAW 3 /* to AF_UNIX, SOCK_DGRAM */

#define SOL_SOCKET 1
#define SO_REUSEADDR 2
#define SO_TYPE 3
#define SO_ERROR 4
#define SO_BROADCAST 6
#define SO_SNDBUF 7
#define SO_RCVBUF 8
#define SO_KEEPALIVE 9
#define SO_PRIORITY 12
#define SO_LINGER 13
#define SO_REUSEPORT 15
#define SO_PASSCRED 16
#define SO_PEERCRED 17
#define SO_RCVLOWAT 18
#define SO_RCVTIMEO 20
#define SO_SNDTIMEO 21
#define SO_ACCEPTCONN 30
#define SO_SNDBUFFORCE 32
#define SO_RCVBUFFORCE 33
#define SO_PROTOCOL 38
#define SO_DOMAIN 39

#define SCM_RIGHTS 1
#define SCM_CREDENTIALS 2

#define MSG_OOB 0x1u
#define MSG_PEEK 0x2u
#define MSG_CTRUNC 0x8u
#define MSG_TRUNC 0x20u
#define MSG_DONTWAIT 0x40u
#define MSG_EOR 0x80u
#define MSG_WAITALL 0x100u
#define MSG_NOSIGNAL 0x4000u
#define MSG_CMSG_CLOEXEC 0x40000000u

struct abi_sockaddr_un {
    uint16_t family;
    char path[108];
};

struct abi_msghdr {
    uintptr_t name;
    uint32_t name_length;
    uintptr_t pieces;
    size_t nr_pieces;
    uintptr_t control;
    size_t control_length;
    uint32_t flags;
};

struct abi_cmsghdr {
    size_t length; /* with this header */
    int32_t level, type;
};

#if defined(__x86_64__)
_Static_assert(sizeof(struct abi_msghdr) == 56, "Linux's struct msghdr");
_Static_assert(sizeof(struct abi_cmsghdr) == 16, "Linux's struct cmsghdr");
#else
_Static_assert(sizeof(struct abi_msghdr) == 28, "Linux's struct msghdr");
_Static_assert(sizeof(struct abi_cmsghdr) == 12, "Linux's struct cmsghdr");
#endif

#endif
