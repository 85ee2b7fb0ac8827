/* kernel/fs/socket.h: sockets between programs of this machine (man 7 unix)
 *
 * What is sent is a packet, in the receiver's queue. Of a stream packets have no borders but where
 * files come along.
 */
#ifndef KERNEL_FS_SOCKET_H
#define KERNEL_FS_SOCKET_H

#include "fs/file.h"
#include "fs/names.h"

#define SOCK_STREAM 1
#define SOCK_DGRAM 2
#define SOCK_SEQPACKET 5

#define SHUT_RECEIVE 1u
#define SHUT_SEND 2u

#define SOCKET_BUFFER_BYTES 212992u /* net.core.wmem_default: of memory, not of what it holds */
#define SOCKET_MOST_FILES 253u
#define SOCKET_PATH_BYTES 109u /* with a NUL that programs may leave away */

struct socket;

/* Who is at the other end, as SO_PEERCRED gives it. */
struct socket_user {
    int pid;
    uint32_t uid, gid;
};

/* Of struct sockaddr_un what follows the family: a path with its NUL, or, beginning with one, a
 * name beside the tree. Length 0: no name. */
struct socket_address {
    unsigned length;
    char path[SOCKET_PATH_BYTES];
};

/* Whose doing it is. */
struct socket_caller {
    struct fs_at at; /* where paths begin */
    struct socket_user user;
};

struct packet {
    struct list link;
    size_t size, taken;
    size_t charge;       /* what it costs its queue */
    struct file **files; /* that come along; NULL: none */
    unsigned nr_files;
    struct socket_user user;
    struct socket_address from;
    char bytes[];
};

bool file_is_socket(const struct file *file);
int socket_type(const struct file *file);

int socket_create(struct file **file, const struct socket_caller *caller, int type, int flags);
int socket_pair(struct file *files[2], const struct socket_caller *caller, int type, int flags);
/* -EINVAL: it has a name; -EADDRINUSE; and what making a file may be refused by. */
int socket_bind(struct file *file, const struct socket_caller *caller,
                const struct socket_address *address);
int socket_listen(struct file *file, const struct socket_caller *caller, unsigned most);
/* Of a stream: waits for room in the listener's queue. */
int socket_connect(struct file *file, const struct socket_caller *caller,
                   const struct socket_address *address);
int socket_disconnect(struct file *file); /* a datagram's peer is given up */
int socket_accept(struct file *file, struct file **accepted, int flags);
int socket_shutdown(struct file *file, unsigned how);
void socket_name(const struct file *file, struct socket_address *address);
int socket_peer_name(const struct file *file, struct socket_address *address); /* -ENOTCONN */

/* NULL: no memory. To be sent or freed. May sleep. */
struct packet *packet_new(size_t size);
void packet_free(struct packet *packet); /* NULL is ignored */

/* To the peer, or to `address`. Takes the packet when it succeeds: 0. -EAGAIN: there is no room, in
 * its queue or for all that waits, and `wait` is false; -EPIPE, -ENOTCONN, -ECONNREFUSED,
 * -EMSGSIZE, ... */
int socket_send(struct file *file, const struct socket_caller *caller, struct packet *packet,
                const struct socket_address *address, bool wait);

/* Are there more than `most` files that wait in queues? Those that nobody can receive any
 * more aren't counted. May sleep. */
bool socket_files_wait(unsigned most);

struct socket_message {
    uint64_t deadline; /* of the whole message, however many pieces; 0: none has waited yet */
    bool begun;        /* something was received: what follows is of the first packet */
    size_t whole;      /* of the packet, whatever had room */
    struct file **files;
    unsigned nr_files; /* the receiver's now; the array, too: quire_kfree, also if none came */
    struct socket_user user;
    struct socket_address from;
};
/* Bytes; 0: the end. `peek`: they stay, and files come along all the same. A stream's message that
 * is begun goes on, until files have come along, and with what is one user's if those are told. */
int64_t socket_receive(struct file *file, void *to, size_t size, bool peek, bool wait,
                       struct socket_message *message);

/* What getsockopt(2) tells. */
struct socket_user socket_peer_user(const struct file *file);
bool socket_is_listening(const struct file *file);
int socket_take_error(struct file *file);
bool *socket_passes_credentials(struct file *file);
/* SO_RCVTIMEO, of accept, too; SO_SNDTIMEO, of connect, too; 0: none. */
#define SOCKET_RECEIVES 0u
#define SOCKET_SENDS 1u
uint64_t *socket_timeout_ns(struct file *file, unsigned kind);

#endif
