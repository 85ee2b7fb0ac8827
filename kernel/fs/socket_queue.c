/* kernel/fs/socket_queue.c: what sockets send each other: packets in the receiver's queue
 *
 *   bound   a queue takes packets until they cost SOCKET_BUFFER_BYTES, be they empty; those of all
 *           queues together at most one in MEMORY_SHARE of memory
 */
#include "fs/socket_internal.h"

#include <quire/vmalloc.h>

#include "memory.h"

#define MOST_DATAGRAMS 10u /* net.unix.max_dgram_qlen: so many wait, and one more */
#define SMALL_BYTES 16384u
#define FILE_BYTES 1024u /* what a file that comes along is taken to cost, whatever it is */
#define MEMORY_SHARE 4u

struct event socket_room;
static uint64_t charged_to_all;

/* Who frees packets, and those that came to it meanwhile. */
struct freeing {
    struct list link, packets;
    const void *who;
};
static struct list freeings = {&freeings, &freeings};

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

static void free_one(struct packet *packet)
{
    put_files(packet);
    if (is_small(packet->size))
        quire_kfree(machine_slab, packet);
    else
        quire_kvfree(machine_vmalloc, packet);
}

static struct freeing *find_own_freeing(void)
{
    list_for_each (at, &freeings) {
        struct freeing *freeing = quire_container_of(at, struct freeing, link);
        if (freeing->who == event_who())
            return freeing;
    }
    return NULL;
}

/* A file that comes along may be a socket's last, with packets and files of its own, and so on:
 * they queue up with whoever is at it further up on the same stack. */
void packet_free(struct packet *packet)
{
    struct freeing own, *freeing = find_own_freeing();
    if (!packet)
        return;
    if (freeing) {
        list_add_tail(&freeing->packets, &packet->link);
        return;
    }
    own.who = event_who();
    list_init(&own.packets);
    list_add_tail(&freeings, &own.link);
    free_one(packet);
    while (!list_empty(&own.packets)) {
        struct packet *next = quire_container_of(own.packets.next, struct packet, link);
        list_del(&next->link);
        free_one(next);
        event_give_way();
    }
    list_del(&own.link);
}

/* ---- queues ---------------------------------------------------------------------------------- */

static void put_packet(struct socket *to, struct packet *packet)
{
    packet->charge = sizeof *packet + packet->size + packet->nr_files * FILE_BYTES;
    charged_to_all += packet->charge;
    list_add_tail(&to->queue, &packet->link);
    flight_begin(packet);
    to->charged += packet->charge;
    to->queued += packet->size;
    to->nr_packets++;
    to->arrived++;
    event_signal(&to->changed);
}

/* What one queue may take is there in any case, so that the rest is rarely asked. */
static bool are_too_many(void)
{
    if (charged_to_all <= SOCKET_BUFFER_BYTES)
        return false;
    uint64_t all = (uint64_t)quire_nr_managed_pages(machine_mem) << QUIRE_PAGE_SHIFT;
    return charged_to_all > all / MEMORY_SHARE;
}

static void remove_packet(struct socket *socket, struct packet *packet)
{
    bool were_too_many = are_too_many();
    flight_end(packet);
    list_del(&packet->link);
    charged_to_all -= packet->charge;
    if (were_too_many && !are_too_many())
        event_signal(&socket_room);
    socket->charged -= packet->charge;
    socket->queued -= packet->size - packet->taken;
    socket->nr_packets--;
}

void socket_take_packets(struct socket *socket, struct list *packets)
{
    while (!list_empty(&socket->queue)) {
        struct packet *packet = quire_container_of(socket->queue.next, struct packet, link);
        remove_packet(socket, packet);
        list_add_tail(packets, &packet->link);
    }
}

void socket_drop_packets(struct socket *socket)
{
    while (!list_empty(&socket->queue)) {
        struct packet *packet = quire_container_of(socket->queue.next, struct packet, link);
        remove_packet(socket, packet);
        packet_free(packet);
    }
}

/* ---- sending --------------------------------------------------------------------------------- */

static bool has_room(const struct socket *to)
{
    return to->charged < SOCKET_BUFFER_BYTES && (connects(to) || to->nr_packets <= MOST_DATAGRAMS);
}

bool socket_takes_more(const struct socket *to)
{
    return has_room(to) && !are_too_many();
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
    return socket_takes_more(to) ? 0 : -EAGAIN;
}

/* Until `to`, or what all have together, may have room. */
static int wait_for_room(struct socket *to, uint32_t seen, uint64_t deadline)
{
    if (has_room(to))
        return socket_wait_for(&any_event, event_read(&any_event), deadline);
    socket_get(to);
    int error = socket_wait(to, seen, deadline);
    socket_put(to);
    return error;
}

int socket_send_to(struct file *file, struct socket *to, struct packet *packet, bool addressed,
                   bool wait)
{
    struct socket *socket = socket_of(file);
    uint64_t deadline = socket_deadline(socket, SOCKET_SENDS);
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
        error = wait_for_room(target, seen, deadline);
        if (error)
            return error;
    }
}

/* ---- receiving ------------------------------------------------------------------------------- */

/* Whoever only looks gets references of his own. */
static void take_files(struct packet *packet, bool peek, struct socket_message *message)
{
    message->nr_files = packet->nr_files;
    if (peek) {
        for (unsigned i = 0; i < packet->nr_files; i++)
            message->files[i] = file_get(packet->files[i]);
        return;
    }
    flight_end(packet);
    message->files = packet->files;
    packet->files = NULL;
    packet->nr_files = 0;
}

/* The first packet says whose it is; files come from it, or of a stream from the last. */
static void take_note(struct packet *packet, bool peek, struct socket_message *message)
{
    if (!message->begun) {
        message->begun = true;
        message->whole = packet->size - packet->taken;
        message->user = packet->user;
        message->from = packet->from;
    }
    if (packet->nr_files)
        take_files(packet, peek, message);
}

static void take_from(struct socket *socket, struct packet *packet, size_t size)
{
    packet->taken += size;
    socket->queued -= size;
    if (is_stream(socket) && packet->taken < packet->size)
        return;
    remove_packet(socket, packet);
    packet_free(packet);
}

static bool is_users(const struct socket_message *message, const struct socket_user *user)
{
    return message->user.pid == user->pid && message->user.uid == user->uid &&
           message->user.gid == user->gid;
}

/* Does it go on with this packet what was begun? */
static bool goes_on(const struct socket *socket, const struct packet *packet,
                    const struct socket_message *message)
{
    return is_stream(socket) && !message->nr_files &&
           (!socket->passes_credentials || is_users(message, &packet->user));
}

/* What is there, one packet or, of a stream, several: up to the first with files. */
static size_t take(struct socket *socket, char *to, size_t size, bool peek,
                   struct socket_message *message)
{
    size_t done = 0;
    for (struct list *at = socket->queue.next; at != &socket->queue;) {
        struct packet *packet = quire_container_of(at, struct packet, link);
        if (message->begun && (done == size || !goes_on(socket, packet, message)))
            break;
        bool ends = !is_stream(socket) || packet->nr_files;
        size_t piece = packet->size - packet->taken;
        piece = piece < size - done ? piece : size - done;
        take_note(packet, peek, message);
        __builtin_memcpy(to + done, packet->bytes + packet->taken, piece);
        done += piece;
        at = at->next;
        if (!peek) {
            take_from(socket, packet, piece);
            at = socket->queue.next; /* freeing may have taken a sleep */
        }
        if (ends)
            break;
    }
    return done;
}

/* Nobody will send any more, or can't be heard. An error is told when nothing else is. */
static int at_end(struct socket *socket, bool begun)
{
    if (socket->error && begun)
        return -EAGAIN;
    if (socket->error) {
        int error = -socket->error;
        socket->error = 0;
        return error;
    }
    return socket->shut & SHUT_RECEIVE ? 0 : -EAGAIN;
}

/* Does the queue's first packet belong to what was begun? */
static bool is_next(const struct socket *socket, const struct socket_message *message)
{
    const struct packet *first = quire_container_of(socket->queue.next, struct packet, link);
    return !message->begun || goes_on(socket, first, message);
}

int64_t socket_receive(struct file *file, void *to, size_t size, bool peek, bool wait,
                       struct socket_message *message)
{
    struct socket *socket = socket_of(file);
    if (!message->deadline)
        message->deadline = socket_deadline(socket, SOCKET_RECEIVES);
    if (connects(socket) && !socket->connected)
        return is_stream(socket) ? -EINVAL : -ENOTCONN;
    if (peek && !message->files)
        message->files = quire_kmalloc_array(machine_slab, SOCKET_MOST_FILES, sizeof(struct file *),
                                             QUIRE_GFP_KERNEL);
    if (peek && !message->files)
        return -ENOMEM;
    for (;;) {
        uint32_t seen = event_read(&socket->changed);
        if (!list_empty(&socket->queue))
            break;
        int error = at_end(socket, message->begun);
        if (error != -EAGAIN || !wait || (message->begun && socket->error))
            return error;
        error = socket_wait(socket, seen, message->deadline);
        if (error)
            return error;
    }
    if (!is_next(socket, message))
        return 0;
    size_t done = take(socket, to, size, peek, message);
    if (!peek) {
        /* Who waits for room in this queue: the peer, and who sends by address. */
        socket->taken++;
        event_signal(&socket->changed);
    }
    return (int64_t)done;
}
