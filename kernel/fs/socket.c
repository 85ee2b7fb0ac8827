/* kernel/fs/socket.c: sockets between programs of this machine: as files, alone and in pairs
 *
 *   bound   all of them, be they open, in queues, or connections that nobody accepted, have one in
 *           MEMORY_SHARE of memory
 */
#include "fs/socket_internal.h"

#include <quire/port.h>

#include "fs/anonymous.h"
#include "fs/ioctl.h"
#include "memory.h"

/* ---- beginning and end ----------------------------------------------------------------------- */

#define MEMORY_SHARE 16u

static unsigned long nr_sockets;

static bool are_too_many(void)
{
    uint64_t all = (uint64_t)quire_nr_managed_pages(machine_mem) << QUIRE_PAGE_SHIFT;
    return nr_sockets * (uint64_t)sizeof(struct socket) >= all / MEMORY_SHARE;
}

/* Those that nobody can get at any more aren't in anybody's way. */
int socket_new(struct socket **new, int type, const struct socket_user *user)
{
    if (are_too_many())
        flight_collect();
    if (are_too_many())
        return -ENFILE;
    nr_sockets++;
    struct socket *socket = quire_kzalloc(machine_slab, sizeof *socket, QUIRE_GFP_KERNEL);
    if (!socket) {
        nr_sockets--;
        return -ENOMEM;
    }
    *new = socket;
    socket->refs = 1;
    socket->type = type;
    socket->user = *user;
    list_init(&socket->queue);
    list_init(&socket->backlog);
    list_init(&socket->named);
    list_init(&socket->flight);
    return 0;
}

void socket_put(struct socket *socket)
{
    if (!socket || --socket->refs)
        return;
    nr_sockets--;
    quire_kfree(machine_slab, socket);
}

struct socket *socket_get(struct socket *socket)
{
    socket->refs++;
    return socket;
}

/* What counts room goes on from where it was. */
void socket_set_peer(struct socket *socket, struct socket *peer)
{
    struct socket *before = socket->peer;
    socket->drained += (before ? before->taken : 0) - (peer ? peer->taken : 0);
    socket->peer = peer ? socket_get(peer) : NULL;
    socket_put(before);
}

void socket_tell(struct socket *socket)
{
    socket->arrived++;
    socket->drained++;
    event_signal(&socket->changed);
}

uint64_t socket_deadline(const struct socket *socket, unsigned kind)
{
    uint64_t ns = socket->timeout_ns[kind];
    return ns ? quire_port_clock_ns() + ns : NO_DEADLINE;
}

int socket_wait_for(struct event *event, uint32_t seen, uint64_t deadline)
{
    int error = event_wait(event, seen, deadline);
    if (error == -EINTR && deadline != NO_DEADLINE)
        return -EINTR_AT_ONCE;
    return error == -ETIMEDOUT ? -EAGAIN : error;
}

int socket_wait(struct socket *socket, uint32_t seen, uint64_t deadline)
{
    return socket_wait_for(&socket->changed, seen, deadline);
}

/* Nobody has it open, or ever had. What it didn't read is lost, and the other one is told so. */
static void socket_close(struct socket *socket)
{
    bool unread = !list_empty(&socket->queue);
    socket->closed = true;
    while (socket->listening && !list_empty(&socket->backlog)) {
        struct socket *waiting = quire_container_of(socket->backlog.next, struct socket, backlog);
        list_del(&waiting->backlog);
        list_init(&waiting->backlog);
        if (waiting->peer)
            waiting->peer->error = ECONNRESET;
        socket_close(waiting); /* which has none in turn */
    }
    if (connects(socket) && socket->peer) {
        socket->peer->shut = SHUT_RECEIVE | SHUT_SEND;
        if (unread)
            socket->peer->error = ECONNRESET;
        socket_tell(socket->peer);
    }
    list_del(&socket->named);
    if (socket->inode) {
        socket->inode->socket = NULL;
        inode_put(socket->inode);
    }
    event_signal(&socket->changed); /* who waits for room in its queue */
    socket_drop_packets(socket);
    socket_set_peer(socket, NULL);
    socket_put(socket);
}

static void socket_release(struct file *file)
{
    socket_close(socket_of(file));
    flight_socket_closed();
}

/* ---- looking --------------------------------------------------------------------------------- */

static unsigned socket_poll(struct file *file)
{
    const struct socket *socket = socket_of(file);
    const unsigned all = SHUT_RECEIVE | SHUT_SEND;
    unsigned mask = socket->error ? POLLERR : 0;
    if (socket->shut == all || (connects(socket) && !socket->connected && !socket->listening))
        mask |= POLLHUP;
    if (socket->shut & SHUT_RECEIVE)
        mask |= POLLRDHUP | POLLIN | POLLRDNORM;
    if (!list_empty(&socket->queue) || (socket->listening && !list_empty(&socket->backlog)))
        mask |= POLLIN | POLLRDNORM;
    if (!socket->listening &&
        (!socket->peer || socket->peer->closed || socket_takes_more(socket->peer)))
        mask |= POLLOUT | POLLWRNORM | POLLWRBAND;
    return mask;
}

static uint32_t socket_happened(struct file *file, unsigned events)
{
    const struct socket *socket = socket_of(file);
    uint32_t drained = socket->drained + (socket->peer ? socket->peer->taken : 0);
    return (events & POLLIN ? socket->arrived : 0) +
           (events & POLLOUT ? drained + event_read(&socket_room) : 0);
}

static long socket_ioctl(struct file *file, unsigned command, void *argument,
                         const struct fs_caller *caller)
{
    const struct socket *socket = socket_of(file);
    (void)caller;
    if (command != FIONREAD)
        return -ENOTTY;
    if (socket->listening)
        return -EINVAL;
    size_t size = socket->queued;
    if (!is_stream(socket) && size)
        size = quire_container_of(socket->queue.next, struct packet, link)->size;
    *(int *)argument = (int)size;
    return 0;
}

/* ---- as a file ------------------------------------------------------------------------------- */

static int64_t socket_read(struct file *file, uint64_t at, void *to, size_t size)
{
    struct socket_message message = {0};
    (void)at;
    int64_t done = socket_receive(file, to, size, false, !(file->flags & O_NONBLOCK), &message);
    for (unsigned i = 0; i < message.nr_files; i++)
        file_put(message.files[i]);
    quire_kfree(machine_slab, message.files);
    return done;
}

static int64_t socket_write(struct file *file, uint64_t at, const void *from, size_t size)
{
    struct packet *packet = packet_new(size);
    (void)at;
    if (!packet)
        return -ENOMEM;
    __builtin_memcpy(packet->bytes, from, size);
    packet->user = socket_of(file)->user;
    packet->from = socket_of(file)->address;
    int error = socket_send_to(file, NULL, packet, false, !(file->flags & O_NONBLOCK));
    if (error)
        packet_free(packet);
    return error ? error : (int64_t)size;
}

const struct file_ops socket_ops = {
    .name = "socket",
    .stream = true,
    .read = socket_read,
    .write = socket_write,
    .ioctl = socket_ioctl,
    .poll = socket_poll,
    .happened = socket_happened,
    .release = socket_release,
};

bool file_is_socket(const struct file *file)
{
    return file->ops == &socket_ops;
}

static int cannot_open(struct inode *inode, struct file *file)
{
    (void)inode, (void)file;
    return -ENXIO;
}

struct file *socket_open(struct socket *socket, const struct credentials *who, int flags)
{
    static const struct inode_ops ops = {.open = cannot_open};
    struct inode *inode = inode_new(&anonymous_volume, &ops, S_IFSOCK | 0777, who);
    struct file *file =
        inode ? file_new(inode, NULL, &socket_ops, O_RDWR | (flags & O_NONBLOCK)) : NULL;
    inode_put(inode);
    socket->file = file;
    if (file)
        file->data = socket;
    else
        socket_close(socket);
    return file;
}

int socket_create(struct file **file, const struct socket_caller *caller, int type, int flags)
{
    struct socket *socket;
    int error = socket_new(&socket, type, &caller->user);
    if (error)
        return error;
    *file = socket_open(socket, caller->at.who, flags);
    return *file ? 0 : -ENOMEM;
}

void socket_join(struct socket *a, struct socket *b)
{
    socket_set_peer(a, b);
    socket_set_peer(b, a);
    a->connected = b->connected = true;
    a->peer_user = b->user;
    b->peer_user = a->user;
}

int socket_pair(struct file *files[2], const struct socket_caller *caller, int type, int flags)
{
    int error = socket_create(&files[0], caller, type, flags);
    if (error)
        return error;
    error = socket_create(&files[1], caller, type, flags);
    if (error)
        file_put(files[0]);
    else
        socket_join(socket_of(files[0]), socket_of(files[1]));
    return error;
}

/* ---- the rest -------------------------------------------------------------------------------- */

int socket_type(const struct file *file)
{
    return socket_of(file)->type;
}

struct socket_user socket_peer_user(const struct file *file)
{
    const struct socket *socket = socket_of(file);
    const struct socket_user nobody = {0, UINT32_MAX, UINT32_MAX};
    return socket->connected ? socket->peer_user : socket->listening ? socket->user : nobody;
}

bool socket_is_listening(const struct file *file)
{
    return socket_of(file)->listening;
}

int socket_take_error(struct file *file)
{
    int error = socket_of(file)->error;
    socket_of(file)->error = 0;
    return error;
}

bool *socket_passes_credentials(struct file *file)
{
    return &socket_of(file)->passes_credentials;
}

uint64_t *socket_timeout_ns(struct file *file, unsigned kind)
{
    return &socket_of(file)->timeout_ns[kind];
}
