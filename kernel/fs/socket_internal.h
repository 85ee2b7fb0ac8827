/* kernel/fs/socket_internal.h: what the parts of sockets share: socket.c, socket_queue.c,
 * socket_flight.c, socket_name.c
 *
 * Two that are connected know each other; each counts the other, so that the one that is left finds
 * out that it is: its peer is `closed`. A datagram's peer is only where it sends to. A socket with
 * a path is found by its inode, which doesn't count it; one with a name of its own is in a list.
 *
 *   invariant   `queued` are the bytes of the packets in `queue` that weren't taken, `charged` the
 *               memory of those packets
 *   invariant   in a backlog are connected sockets without a file: accept gives them one
 */
#ifndef KERNEL_FS_SOCKET_INTERNAL_H
#define KERNEL_FS_SOCKET_INTERNAL_H

#include "fs/socket.h"

struct socket {
    unsigned refs;
    struct file *file; /* not counted */
    int type, error;
    bool connected, listening, binding, closed, passes_credentials;
    unsigned shut;       /* SHUT_* */
    struct socket *peer; /* counted */
    struct list queue;
    size_t queued, charged;
    unsigned nr_packets;
    unsigned nr_in_flight; /* times that its file is in a queue; then it is in a list of such: */
    struct list flight;
    unsigned nr_inside;  /* of those, in queues of sockets that are in flight: socket_flight.c */
    struct list backlog; /* of a listener; or this one in it */
    unsigned nr_backlog, most_backlog;
    struct inode *inode; /* that it is bound to, counted */
    struct list named;   /* in `names`: it has one beside the tree */
    struct socket_address address;
    struct socket_user user, peer_user;
    uint64_t timeout_ns[2];  /* SOCKET_RECEIVES, SOCKET_SENDS; 0: none */
    uint32_t arrived, taken; /* times, of its queue */
    uint32_t drained;        /* times that it may have got room, but for what its peer took */
    struct event changed;
};

static inline bool is_stream(const struct socket *socket)
{
    return socket->type == SOCK_STREAM;
}

static inline bool connects(const struct socket *socket)
{
    return socket->type != SOCK_DGRAM;
}

static inline struct socket *socket_of(const struct file *file)
{
    return file->data;
}

/* socket.c */
extern const struct file_ops socket_ops;
/* -ENFILE: there are too many; -ENOMEM. May sleep. */
int socket_new(struct socket **new, int type, const struct socket_user *user);
struct socket *socket_get(struct socket *socket);
void socket_put(struct socket *socket); /* NULL is ignored */
void socket_set_peer(struct socket *socket, struct socket *peer);
/* Each is the other's peer. */
void socket_join(struct socket *a, struct socket *b);
/* What may be new to both who reads and who writes. */
void socket_tell(struct socket *socket);
/* A file for a socket, whose reference it takes over whatever happens. NULL: no memory. */
struct file *socket_open(struct socket *socket, const struct credentials *who, int flags);

/* Until when a call of this kind waits, and how. -EAGAIN: it is over; -EINTR_AT_ONCE: what has an
 * end isn't begun anew by a signal, or it would never come (Linux: sock_intr_errno). */
uint64_t socket_deadline(const struct socket *socket, unsigned kind);
int socket_wait(struct socket *socket, uint32_t seen, uint64_t deadline);
int socket_wait_for(struct event *event, uint32_t seen, uint64_t deadline);

/* socket_flight.c: its files are in a queue now, or no longer. */
void flight_begin(const struct packet *packet);
void flight_end(const struct packet *packet);
/* What only circles of sockets in each other's queues still hold is closed. May sleep. */
void flight_collect(void);
/* The same when it is due. May sleep. */
void flight_socket_closed(void);

/* socket_queue.c: all that wait, to a list of the caller's, who frees them. */
void socket_take_packets(struct socket *socket, struct list *packets);
void socket_drop_packets(struct socket *socket);
/* Where somebody sends to has room, and so have all together: of a stream for one more byte. */
bool socket_takes_more(const struct socket *to);
/* All queues together have room again: how often is an edge of each. */
extern struct event socket_room;
/* To `to` if `addressed`, else to the peer. Takes the packet when it succeeds. */
int socket_send_to(struct file *file, struct socket *to, struct packet *packet, bool addressed,
                   bool wait);

#endif
