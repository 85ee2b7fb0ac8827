/* kernel/fs/socket.c: sockets between programs of this machine
 *
 * Two that are connected know each other; each counts the other, so that the one that is left finds
 * out that it is: its peer is `closed`. A datagram's peer is only where it sends to. A socket with
 * a path is found by its inode, which doesn't count it; one with a name of its own is in a list.
 *
 *   invariant   `queued` are the bytes of the packets in `queue` that weren't taken
 *   invariant   in a backlog are connected sockets without a file: accept gives them one
 *
 * Sockets that were sent into each other's queues and closed stay: nobody looks for circles.
 */
#include "fs/socket.h"

#include <quire/vmalloc.h>

#include "fs/anonymous.h"
#include "fs/ioctl.h"
#include "memory.h"
#include "string.h"

#define MOST_DATAGRAMS 10u /* net.unix.max_dgram_qlen: so many wait, and one more */
#define MOST_BACKLOG 4096u
#define SMALL_BYTES 16384u

struct socket {
    unsigned refs;
    int type, error;
    bool connected, listening, closed, passes_credentials;
    unsigned shut;       /* SHUT_* */
    struct socket *peer; /* counted */
    struct list queue;
    size_t queued;
    unsigned nr_packets;
    struct list backlog; /* of a listener; or this one in it */
    unsigned nr_backlog, most_backlog;
    struct inode *inode; /* that it is bound to, counted */
    struct list named;   /* in `names`: it has one beside the tree */
    struct socket_address address;
    struct socket_user user, peer_user;
    uint32_t arrived, drained; /* times */
    struct event changed;
};

static struct list names = {&names, &names};
static struct list dead = {&dead, &dead}; /* packets to be freed */
static bool frees_dead;

static bool is_stream(const struct socket *socket)
{
    return socket->type == SOCK_STREAM;
}

static bool connects(const struct socket *socket)
{
    return socket->type != SOCK_DGRAM;
}

static struct socket *socket_of(const struct file *file)
{
    return file->data;
}

/* ---- packets --------------------------------------------------------------------------------- */

/* Most are small: only large ones are worth tables of their own. */
static bool is_small(size_t size)
{
    return size <= SMALL_BYTES;
}

struct packet *packet_new(size_t size)
{
    size_t all = sizeof(struct packet) + size;
    struct packet *packet = is_small(size) ? quire_kmalloc(machine_slab, all, QUIRE_GFP_KERNEL)
                                           : quire_kvmalloc(machine_vmalloc, all, QUIRE_GFP_KERNEL);
    if (!packet)
        return NULL;
    *packet = (struct packet){.size = size};
    list_init(&packet->link);
    return packet;
}

static void put_files(struct packet *packet)
{
    for (unsigned i = 0; i < packet->nr_files; i++)
        file_put(packet->files[i]);
    quire_kfree(machine_slab, packet->files);
}

/* A file that comes along may be a socket's last, with packets and files of its own, and so on:
 * they queue up here, so that no stack is needed for it. */
void packet_free(struct packet *packet)
{
    if (!packet)
        return;
    list_add_tail(&dead, &packet->link);
    if (frees_dead)
        return;
    frees_dead = true;
    while (!list_empty(&dead)) {
        packet = quire_container_of(dead.next, struct packet, link);
        list_del(&packet->link);
        put_files(packet);
        if (is_small(packet->size))
            quire_kfree(machine_slab, packet);
        else
            quire_kvfree(machine_vmalloc, packet);
    }
    frees_dead = false;
}

static void drop_packets(struct socket *socket)
{
    while (!list_empty(&socket->queue)) {
        struct packet *packet = quire_container_of(socket->queue.next, struct packet, link);
        list_del(&packet->link);
        packet_free(packet);
    }
    socket->queued = 0;
    socket->nr_packets = 0;
}

/* ---- beginning and end ----------------------------------------------------------------------- */

static struct socket *socket_new(int type, const struct socket_user *user)
{
    struct socket *socket = quire_kzalloc(machine_slab, sizeof *socket, QUIRE_GFP_KERNEL);
    if (!socket)
        return NULL;
    socket->refs = 1;
    socket->type = type;
    socket->user = *user;
    list_init(&socket->queue);
    list_init(&socket->backlog);
    list_init(&socket->named);
    return socket;
}

static void socket_put(struct socket *socket)
{
    if (!socket || --socket->refs)
        return;
    quire_kfree(machine_slab, socket);
}

static struct socket *socket_get(struct socket *socket)
{
    socket->refs++;
    return socket;
}

static void set_peer(struct socket *socket, struct socket *peer)
{
    struct socket *before = socket->peer;
    socket->peer = peer ? socket_get(peer) : NULL;
    socket_put(before);
}

static void tell(struct socket *socket)
{
    socket->arrived++;
    socket->drained++;
    event_signal(&socket->changed);
}

/* Nobody has it open, or ever had. What it didn't read is lost, and the other one is told so. */
static void close_socket(struct socket *socket)
{
    bool unread = !list_empty(&socket->queue);
    socket->closed = true;
    while (socket->listening && !list_empty(&socket->backlog)) {
        struct socket *waiting = quire_container_of(socket->backlog.next, struct socket, backlog);
        list_del(&waiting->backlog);
        list_init(&waiting->backlog);
        if (waiting->peer)
            waiting->peer->error = ECONNRESET;
        close_socket(waiting); /* which has none in turn */
    }
    if (connects(socket) && socket->peer) {
        socket->peer->shut = SHUT_RECEIVE | SHUT_SEND;
        if (unread)
            socket->peer->error = ECONNRESET;
        tell(socket->peer);
    }
    list_del(&socket->named);
    if (socket->inode) {
        socket->inode->socket = NULL;
        inode_put(socket->inode);
    }
    event_signal(&socket->changed); /* who waits for room in its queue */
    drop_packets(socket);
    set_peer(socket, NULL);
    socket_put(socket);
}

static void socket_release(struct file *file)
{
    close_socket(socket_of(file));
}

/* ---- looking --------------------------------------------------------------------------------- */

/* Where `socket` sends to has room: of a stream for one more byte. */
static bool has_room(const struct socket *to)
{
    return is_stream(to) || to->type == SOCK_SEQPACKET ? to->queued < SOCKET_BUFFER_BYTES
                                                       : to->nr_packets <= MOST_DATAGRAMS;
}

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
    if (!socket->listening && (!socket->peer || socket->peer->closed || has_room(socket->peer)))
        mask |= POLLOUT | POLLWRNORM | POLLWRBAND;
    return mask;
}

static uint32_t socket_happened(struct file *file, unsigned events)
{
    const struct socket *socket = socket_of(file);
    return (events & POLLIN ? socket->arrived : 0) + (events & POLLOUT ? socket->drained : 0);
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

/* ---- sending --------------------------------------------------------------------------------- */

/* -EAGAIN: there is no room. */
static int may_send(struct socket *socket, struct socket *to, bool addressed)
{
    if (socket->shut & SHUT_SEND)
        return -EPIPE;
    if (!to)
        return -ENOTCONN;
    if (to->closed) {
        if (connects(socket))
            return -EPIPE;
        if (!addressed)
            set_peer(socket, NULL);
        return -ECONNREFUSED;
    }
    if (to->shut & SHUT_RECEIVE)
        return -EPIPE;
    if (!connects(socket) && to->peer && to->peer != socket)
        return -EPERM;
    return has_room(to) ? 0 : -EAGAIN;
}

static void put_packet(struct socket *to, struct packet *packet)
{
    list_add_tail(&to->queue, &packet->link);
    to->queued += packet->size;
    to->nr_packets++;
    to->arrived++;
    event_signal(&to->changed);
}

static int send_to(struct file *file, struct socket *to, struct packet *packet, bool addressed,
                   bool wait)
{
    struct socket *socket = socket_of(file);
    for (;;) {
        struct socket *target = addressed ? to : socket->peer;
        uint32_t seen = target ? event_read(&target->changed) : 0;
        int error = may_send(socket, target, addressed);
        if (!error) {
            put_packet(target, packet);
            return 0;
        }
        if (error != -EAGAIN || !wait)
            return error;
        target = socket_get(target);
        error = event_wait(&target->changed, seen, NO_DEADLINE);
        socket_put(target);
        if (error)
            return error;
    }
}

/* ---- receiving ------------------------------------------------------------------------------- */

static void take_note(struct packet *packet, bool peek, struct socket_message *message)
{
    message->whole = packet->size - packet->taken;
    message->user = packet->user;
    message->from = packet->from;
    if (peek)
        return;
    message->files = packet->files;
    message->nr_files = packet->nr_files;
    packet->files = NULL;
    packet->nr_files = 0;
}

static void take_from(struct socket *socket, struct packet *packet, size_t size)
{
    packet->taken += size;
    socket->queued -= size;
    if (is_stream(socket) && packet->taken < packet->size)
        return;
    socket->queued -= packet->size - packet->taken;
    socket->nr_packets--;
    list_del(&packet->link);
    packet_free(packet);
}

/* What is there, one packet or, of a stream, several: up to one with files, or just that. */
static size_t take(struct socket *socket, char *to, size_t size, bool peek,
                   struct socket_message *message)
{
    size_t done = 0;
    struct list *at = socket->queue.next, *next;
    for (bool first = true; at != &socket->queue; at = next, first = false) {
        struct packet *packet = quire_container_of(at, struct packet, link);
        size_t piece = packet->size - packet->taken;
        next = at->next;
        bool alone = !is_stream(socket) || packet->nr_files;
        if (!first && (alone || done == size))
            break;
        if (first)
            take_note(packet, peek, message);
        piece = piece < size - done ? piece : size - done;
        __builtin_memcpy(to + done, packet->bytes + packet->taken, piece);
        done += piece;
        if (!peek)
            take_from(socket, packet, piece);
        if (alone)
            break;
    }
    return done;
}

/* Nobody will send any more, or can't be heard. */
static int at_end(struct socket *socket)
{
    if (socket->error) {
        int error = -socket->error;
        socket->error = 0;
        return error;
    }
    return socket->shut & SHUT_RECEIVE ? 0 : -EAGAIN;
}

int64_t socket_receive(struct file *file, void *to, size_t size, bool peek, bool wait,
                       struct socket_message *message)
{
    struct socket *socket = socket_of(file);
    *message = (struct socket_message){0};
    if (connects(socket) && !socket->connected)
        return is_stream(socket) ? -EINVAL : -ENOTCONN;
    for (;;) {
        uint32_t seen = event_read(&socket->changed);
        if (!list_empty(&socket->queue))
            break;
        int error = at_end(socket);
        if (error != -EAGAIN || !wait)
            return error;
        error = event_wait(&socket->changed, seen, NO_DEADLINE);
        if (error)
            return error;
    }
    size_t done = take(socket, to, size, peek, message);
    if (!peek) {
        /* Who waits for room in this queue: the peer, and who sends by address. */
        if (socket->peer)
            socket->peer->drained++;
        event_signal(&socket->changed);
    }
    return (int64_t)done;
}

/* ---- as a file ------------------------------------------------------------------------------- */

static int64_t socket_read(struct file *file, uint64_t at, void *to, size_t size)
{
    struct socket_message message;
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
    int error = send_to(file, NULL, packet, false, !(file->flags & O_NONBLOCK));
    if (error)
        packet_free(packet);
    return error ? error : (int64_t)size;
}

static const struct file_ops socket_ops = {
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

/* A file for a socket, whose reference it takes over whatever happens. NULL: no memory. */
static struct file *open_socket(struct socket *socket, const struct credentials *who, int flags)
{
    static const struct inode_ops ops = {.open = cannot_open};
    struct inode *inode = inode_new(&anonymous_volume, &ops, S_IFSOCK | 0777, who);
    struct file *file =
        inode ? file_new(inode, NULL, &socket_ops, O_RDWR | (flags & O_NONBLOCK)) : NULL;
    inode_put(inode);
    if (file)
        file->data = socket;
    else
        close_socket(socket);
    return file;
}

int socket_create(struct file **file, const struct socket_caller *caller, int type, int flags)
{
    struct socket *socket = socket_new(type, &caller->user);
    *file = socket ? open_socket(socket, caller->at.who, flags) : NULL;
    return *file ? 0 : -ENOMEM;
}

static void join(struct socket *a, struct socket *b)
{
    set_peer(a, b);
    set_peer(b, a);
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
        join(socket_of(files[0]), socket_of(files[1]));
    return error;
}

/* ---- names ----------------------------------------------------------------------------------- */

static bool is_abstract(const struct socket_address *address)
{
    return address->length && !address->path[0];
}

static struct socket *find_abstract(const struct socket_address *address, int type)
{
    list_for_each (at, &names) {
        struct socket *socket = quire_container_of(at, struct socket, named);
        if (socket->type == type && socket->address.length == address->length &&
            !__builtin_memcmp(socket->address.path, address->path, address->length))
            return socket;
    }
    return NULL;
}

/* With its NUL. */
static void path_of(const struct socket_address *address, char path[SOCKET_PATH_BYTES + 1])
{
    __builtin_memcpy(path, address->path, address->length);
    path[address->length] = '\0';
}

/* Who has this name, counted; NULL with *error. */
static struct socket *find(const struct socket_caller *caller, const struct socket_address *address,
                           int type, int *error)
{
    struct socket *socket = NULL;
    char path[SOCKET_PATH_BYTES + 1];
    struct walk walk;
    *error = -ECONNREFUSED;
    if (is_abstract(address)) {
        socket = find_abstract(address, type);
    } else {
        path_of(address, path);
        *error =
            path_walk(&walk, caller->at.fs, caller->at.who, caller->at.start, path, WALK_FOLLOW);
        if (*error)
            return NULL;
        *error = inode_permission(walk.inode, caller->at.who, MAY_WRITE);
        if (!*error)
            *error = -ECONNREFUSED;
        if (*error == -ECONNREFUSED && inode_is(walk.inode, S_IFSOCK))
            socket = walk.inode->socket;
        walk_end(&walk);
    }
    if (socket && socket->type != type) {
        socket = NULL;
        *error = -EPROTOTYPE;
    }
    return socket ? socket_get(socket) : NULL;
}

static int bind_to_path(struct socket *socket, const struct socket_caller *caller,
                        const struct socket_address *address)
{
    char path[SOCKET_PATH_BYTES + 1];
    struct walk walk;
    path_of(address, path);
    int error = names_make(&caller->at, path, S_IFSOCK | 0777, 0);
    if (error)
        return error == -EEXIST ? -EADDRINUSE : error;
    error = path_walk(&walk, caller->at.fs, caller->at.who, caller->at.start, path, 0);
    if (error)
        return error;
    if (socket->address.length || !inode_is(walk.inode, S_IFSOCK) || walk.inode->socket) {
        error = -EINVAL; /* somebody else was faster */
    } else {
        socket->inode = inode_get(walk.inode);
        walk.inode->socket = socket;
    }
    walk_end(&walk);
    return error;
}

/* Without a name of its own choice: five hexadecimal digits, beside the tree. */
static int choose_name(struct socket_address *address, int type)
{
    static uint32_t last;
    for (unsigned tries = 0; tries < 1u << 20; tries++) {
        uint32_t number = ++last & 0xfffff;
        address->length = 6;
        address->path[0] = '\0';
        for (unsigned i = 0; i < 5; i++)
            address->path[5 - i] = "0123456789abcdef"[number >> 4 * i & 15];
        if (!find_abstract(address, type))
            return 0;
    }
    return -ENOSPC;
}

int socket_bind(struct file *file, const struct socket_caller *caller,
                const struct socket_address *address)
{
    struct socket *socket = socket_of(file);
    struct socket_address chosen = *address;
    int error = socket->address.length ? -EINVAL : 0;
    if (!error && !chosen.length)
        error = choose_name(&chosen, socket->type);
    if (error)
        return error;
    if (!is_abstract(&chosen)) {
        error = bind_to_path(socket, caller, &chosen);
    } else if (find_abstract(&chosen, socket->type)) {
        error = -EADDRINUSE;
    } else {
        list_del(&socket->named);
        list_add_tail(&names, &socket->named);
    }
    if (!error)
        socket->address = chosen;
    return error;
}

void socket_name(const struct file *file, struct socket_address *address)
{
    *address = socket_of(file)->address;
}

int socket_peer_name(const struct file *file, struct socket_address *address)
{
    const struct socket *socket = socket_of(file);
    if (!socket->peer)
        return -ENOTCONN;
    *address = socket->peer->address;
    return 0;
}

/* ---- connections ----------------------------------------------------------------------------- */

int socket_listen(struct file *file, const struct socket_caller *caller, unsigned most)
{
    struct socket *socket = socket_of(file);
    if (!connects(socket))
        return -EOPNOTSUPP;
    if (!socket->address.length || socket->connected)
        return -EINVAL;
    socket->listening = true;
    socket->most_backlog = most < MOST_BACKLOG ? most : MOST_BACKLOG;
    socket->user = caller->user;
    event_signal(&socket->changed);
    return 0;
}

/* `end` is the listener's side, without a file yet. */
static int meet(struct socket *socket, struct socket *listener, struct socket *end, bool wait)
{
    for (;;) {
        uint32_t seen = event_read(&listener->changed);
        if (socket->connected)
            return -EISCONN;
        if (socket->listening)
            return -EINVAL;
        if (listener->closed || !listener->listening || listener->shut & SHUT_RECEIVE)
            return -ECONNREFUSED;
        if (listener->nr_backlog <= listener->most_backlog)
            break;
        if (!wait)
            return -EAGAIN;
        int error = event_wait(&listener->changed, seen, NO_DEADLINE);
        if (error)
            return error;
    }
    end->user = listener->user;
    end->address = listener->address;
    join(socket, end);
    list_add_tail(&listener->backlog, &end->backlog);
    listener->nr_backlog++;
    listener->arrived++;
    event_signal(&listener->changed);
    event_signal(&socket->changed);
    return 0;
}

static int connect_stream(struct file *file, const struct socket_caller *caller,
                          const struct socket_address *address)
{
    struct socket *socket = socket_of(file);
    int error;
    struct socket *listener = find(caller, address, socket->type, &error);
    if (!listener)
        return error;
    socket->user = caller->user;
    struct socket *end = socket_new(socket->type, &listener->user);
    error = end ? meet(socket, listener, end, !(file->flags & O_NONBLOCK)) : -ENOMEM;
    if (error)
        socket_put(end);
    socket_put(listener);
    return error;
}

int socket_connect(struct file *file, const struct socket_caller *caller,
                   const struct socket_address *address)
{
    struct socket *socket = socket_of(file);
    int error = 0;
    if (connects(socket))
        return address->length ? connect_stream(file, caller, address) : -EINVAL;
    struct socket *peer = address->length ? find(caller, address, socket->type, &error) : NULL;
    if (error && !peer)
        return error;
    if (peer && peer->peer && peer->peer != socket)
        error = -EPERM;
    else
        error = 0;
    if (!error) {
        set_peer(socket, peer);
        event_signal(&socket->changed);
    }
    socket_put(peer);
    return error;
}

int socket_accept(struct file *file, struct file **accepted, int flags)
{
    struct socket *socket = socket_of(file);
    if (!connects(socket))
        return -EOPNOTSUPP;
    if (!socket->listening)
        return -EINVAL;
    for (;;) {
        uint32_t seen = event_read(&socket->changed);
        if (!list_empty(&socket->backlog))
            break;
        if (socket->shut & SHUT_RECEIVE)
            return -EINVAL;
        if (file->flags & O_NONBLOCK)
            return -EAGAIN;
        int error = event_wait(&socket->changed, seen, NO_DEADLINE);
        if (error)
            return error;
    }
    struct socket *end = quire_container_of(socket->backlog.next, struct socket, backlog);
    list_del(&end->backlog);
    list_init(&end->backlog);
    socket->nr_backlog--;
    event_signal(&socket->changed);
    const struct credentials who = {.euid = end->user.uid, .egid = end->user.gid};
    *accepted = open_socket(end, &who, flags);
    return *accepted ? 0 : -ENOMEM;
}

int socket_shutdown(struct file *file, unsigned how)
{
    struct socket *socket = socket_of(file);
    socket->shut |= how;
    tell(socket);
    if (connects(socket) && socket->peer) {
        unsigned others =
            (how & SHUT_SEND ? SHUT_RECEIVE : 0) | (how & SHUT_RECEIVE ? SHUT_SEND : 0);
        socket->peer->shut |= others;
        tell(socket->peer);
    }
    return 0;
}

/* ---- the rest -------------------------------------------------------------------------------- */

int socket_send(struct file *file, const struct socket_caller *caller, struct packet *packet,
                const struct socket_address *address, bool wait)
{
    struct socket *socket = socket_of(file);
    int error = 0;
    packet->user = caller->user;
    packet->from = socket->address;
    if (address && is_stream(socket))
        return socket->connected ? -EISCONN : -EOPNOTSUPP;
    if (packet->size > SOCKET_BUFFER_BYTES - 32)
        return -EMSGSIZE;
    if (!address || connects(socket)) /* where a connection leads is settled */
        return send_to(file, NULL, packet, false, wait);
    struct socket *to = find(caller, address, socket->type, &error);
    if (!to)
        return error;
    error = send_to(file, to, packet, true, wait);
    socket_put(to);
    return error;
}

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
