/* kernel/fs/socket_queue.c: what sockets send each other: packets in the receiver's queue */
#include "fs/socket_internal.h"

#include <quire/vmalloc.h>

#include "memory.h"

#define MOST_DATAGRAMS 10u /* net.unix.max_dgram_qlen: so many wait, and one more */
#define SMALL_BYTES 16384u

static struct list dead = {&dead, &dead}; /* packets to be freed */
static bool frees_dead;

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

void socket_drop_packets(struct socket *socket)
{
    while (!list_empty(&socket->queue)) {
        struct packet *packet = quire_container_of(socket->queue.next, struct packet, link);
        list_del(&packet->link);
        packet_free(packet);
    }
    socket->queued = 0;
    socket->nr_packets = 0;
}

/* ---- sending --------------------------------------------------------------------------------- */

bool socket_has_room(const struct socket *to)
{
    return is_stream(to) || to->type == SOCK_SEQPACKET ? to->queued < SOCKET_BUFFER_BYTES
                                                       : to->nr_packets <= MOST_DATAGRAMS;
}

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
            socket_set_peer(socket, NULL);
        return -ECONNREFUSED;
    }
    if (to->shut & SHUT_RECEIVE)
        return -EPIPE;
    if (!connects(socket) && to->peer && to->peer != socket)
        return -EPERM;
    return socket_has_room(to) ? 0 : -EAGAIN;
}

static void put_packet(struct socket *to, struct packet *packet)
{
    list_add_tail(&to->queue, &packet->link);
    to->queued += packet->size;
    to->nr_packets++;
    to->arrived++;
    event_signal(&to->changed);
}

int socket_send_to(struct file *file, struct socket *to, struct packet *packet, bool addressed,
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
