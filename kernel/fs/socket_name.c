/* kernel/fs/socket_name.c: names of sockets, and connections by them */
#include "fs/socket_internal.h"

#include "memory.h"

#define MOST_BACKLOG 4096u

static struct list names = {&names, &names}; /* those beside the tree */

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
static struct socket *socket_find(const struct socket_caller *caller,
                                  const struct socket_address *address, int type, int *error)
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

/* It has name and inode at once: what comes behind may sleep. */
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
    if (!inode_is(walk.inode, S_IFSOCK) || walk.inode->socket) {
        error = -EINVAL; /* somebody else has taken the name meanwhile */
    } else {
        socket->inode = inode_get(walk.inode);
        walk.inode->socket = socket;
        socket->address = *address;
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
    if (socket->address.length || socket->binding)
        return -EINVAL;
    if (chosen.length && !is_abstract(&chosen)) {
        socket->binding = true;
        int error = bind_to_path(socket, caller, &chosen);
        socket->binding = false;
        return error;
    }
    int error = chosen.length ? 0 : choose_name(&chosen, socket->type);
    if (error)
        return error;
    if (find_abstract(&chosen, socket->type))
        return -EADDRINUSE;
    list_del(&socket->named);
    list_add_tail(&names, &socket->named);
    socket->address = chosen;
    return 0;
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
    uint64_t deadline = socket_deadline(socket, SOCKET_SENDS);
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
        int error = socket_wait(listener, seen, deadline);
        if (error)
            return error;
    }
    end->user = listener->user;
    end->address = listener->address;
    socket_join(socket, end);
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
    struct socket *listener = socket_find(caller, address, socket->type, &error);
    if (!listener)
        return error;
    socket->user = caller->user;
    struct socket *end;
    error = socket_new(&end, socket->type, &listener->user);
    if (!error) {
        error = meet(socket, listener, end, !(file->flags & O_NONBLOCK));
        if (error)
            socket_put(end);
    }
    socket_put(listener);
    return error;
}

int socket_connect(struct file *file, const struct socket_caller *caller,
                   const struct socket_address *address)
{
    struct socket *socket = socket_of(file);
    int error = 0;
    if (!address->length)
        return -EINVAL;
    if (connects(socket))
        return connect_stream(file, caller, address);
    struct socket *peer = socket_find(caller, address, socket->type, &error);
    if (!peer)
        return error;
    error = peer->peer && peer->peer != socket ? -EPERM : 0;
    if (!error) {
        socket_set_peer(socket, peer);
        event_signal(&socket->changed);
    }
    socket_put(peer);
    return error;
}

int socket_disconnect(struct file *file)
{
    struct socket *socket = socket_of(file);
    if (connects(socket))
        return -EINVAL;
    socket_set_peer(socket, NULL);
    event_signal(&socket->changed);
    return 0;
}

int socket_accept(struct file *file, struct file **accepted, int flags)
{
    struct socket *socket = socket_of(file);
    if (!connects(socket))
        return -EOPNOTSUPP;
    if (!socket->listening)
        return -EINVAL;
    uint64_t deadline = socket_deadline(socket, SOCKET_RECEIVES);
    for (;;) {
        uint32_t seen = event_read(&socket->changed);
        if (!list_empty(&socket->backlog))
            break;
        if (socket->shut & SHUT_RECEIVE)
            return -EINVAL;
        if (file->flags & O_NONBLOCK)
            return -EAGAIN;
        int error = socket_wait(socket, seen, deadline);
        if (error)
            return error;
    }
    struct socket *end = quire_container_of(socket->backlog.next, struct socket, backlog);
    list_del(&end->backlog);
    list_init(&end->backlog);
    socket->nr_backlog--;
    event_signal(&socket->changed);
    const struct credentials who = credentials_of(end->user.uid, end->user.gid);
    *accepted = socket_open(end, &who, flags);
    return *accepted ? 0 : -ENOMEM;
}

int socket_shutdown(struct file *file, unsigned how)
{
    struct socket *socket = socket_of(file);
    socket->shut |= how;
    socket_tell(socket);
    if (connects(socket) && socket->peer) {
        unsigned others =
            (how & SHUT_SEND ? SHUT_RECEIVE : 0) | (how & SHUT_RECEIVE ? SHUT_SEND : 0);
        socket->peer->shut |= others;
        socket_tell(socket->peer);
    }
    return 0;
}

/* ---- sending -------------------------------------------------------------------------------- */

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
    if (address && !address->length)
        return -EINVAL;
    if (!address || connects(socket)) /* where a connection leads is settled */
        return socket_send_to(file, NULL, packet, false, wait);
    struct socket *to = socket_find(caller, address, socket->type, &error);
    if (!to)
        return error;
    error = socket_send_to(file, to, packet, true, wait);
    socket_put(to);
    return error;
}
