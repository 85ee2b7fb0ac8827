/* kernel/fs/socket_flight.c: sockets in queues of sockets, and circles of them
 *
 * A file that was sent and not yet received is in flight: the queue has a reference to it. A socket
 * in flight, with what waits in its own queue, can be received by whoever has the file of the
 * socket in whose queue it is, and so on; when that leads round to itself and no file of the circle
 * is held by anything else, nobody will ever receive them. Linux's collector (net/unix/garbage.c),
 * as it was at first: of the sockets in flight, those are held from outside whose file has more
 * references than queues of sockets in flight account for. What can be received through those lives
 * on, and the rest are emptied, by which they close each other.
 *
 *   invariant   a socket is in `in_flight` while its nr_in_flight isn't 0
 *   bound       looking for them takes O(sockets in flight, and what waits in their queues) steps.
 *               Each socket that is closed pays STEPS_EACH of those, and when what the last look
 *               took is paid there is the next: closing any number is O(1) for each. Nothing sleeps
 *               before all that goes has been taken out of its queue. A circle that is left without
 *               its socket being closed, since that waits in another queue, is found by a later
 *               look, as on Linux
 */
#include "fs/socket_internal.h"

static struct list in_flight = {&in_flight, &in_flight};
static unsigned nr_files_in_flight;
static size_t steps_taken, steps_paid; /* by the last look; since then */

#define STEPS_EACH 64u

static struct socket *flying(struct list *at)
{
    return quire_container_of(at, struct socket, flight);
}

void flight_begin(const struct packet *packet)
{
    nr_files_in_flight += packet->nr_files;
    for (unsigned i = 0; i < packet->nr_files; i++) {
        struct socket *socket =
            file_is_socket(packet->files[i]) ? socket_of(packet->files[i]) : NULL;
        if (socket && !socket->nr_in_flight++)
            list_add_tail(&in_flight, &socket->flight);
    }
}

void flight_end(const struct packet *packet)
{
    nr_files_in_flight -= packet->nr_files;
    for (unsigned i = 0; i < packet->nr_files; i++) {
        struct socket *socket =
            file_is_socket(packet->files[i]) ? socket_of(packet->files[i]) : NULL;
        if (socket && !--socket->nr_in_flight) {
            list_del(&socket->flight);
            list_init(&socket->flight);
        }
    }
}

/* ---- circles --------------------------------------------------------------------------------- */

typedef void socket_fn(struct socket *socket, struct list *arg);

static void each_in_queue(const struct socket *socket, socket_fn *tell, struct list *arg)
{
    list_for_each (at, &socket->queue) {
        const struct packet *packet = quire_container_of(at, struct packet, link);
        steps_taken += 1 + packet->nr_files;
        for (unsigned i = 0; i < packet->nr_files; i++)
            if (file_is_socket(packet->files[i]))
                tell(socket_of(packet->files[i]), arg);
    }
}

/* Each socket that can be received through this one, as often as it is there: connections that
 * nobody has accepted yet have queues, too. */
static void each_within(const struct socket *socket, socket_fn *tell, struct list *arg)
{
    steps_taken++;
    each_in_queue(socket, tell, arg);
    if (socket->listening)
        list_for_each (at, &socket->backlog) {
            steps_taken++;
            each_in_queue(quire_container_of(at, struct socket, backlog), tell, arg);
        }
}

static void count_inside(struct socket *socket, struct list *unused)
{
    (void)unused;
    socket->nr_inside++;
}

/* Moves it to those that live, once; `nr_inside` isn't needed any more, and marks it. */
#define REACHED UINT32_MAX
static void reach(struct socket *socket, struct list *living)
{
    if (socket->nr_inside == REACHED)
        return;
    socket->nr_inside = REACHED;
    list_del(&socket->flight);
    list_add_tail(living, &socket->flight);
}

/* What is left in `in_flight` afterwards nobody can receive. */
static void separate(struct list *living)
{
    struct list *next;
    list_for_each (at, &in_flight)
        flying(at)->nr_inside = 0;
    list_for_each (at, &in_flight)
        each_within(flying(at), count_inside, NULL);
    for (struct list *at = in_flight.next; at != &in_flight; at = next) {
        next = at->next;
        if (flying(at)->file->refs > flying(at)->nr_inside)
            reach(flying(at), living);
    }
    list_for_each (at, living) /* which grows meanwhile */
        each_within(flying(at), reach, living);
}

static void take_all_packets(struct socket *socket, struct list *packets)
{
    socket_take_packets(socket, packets);
    if (socket->listening)
        list_for_each (at, &socket->backlog)
            socket_take_packets(quire_container_of(at, struct socket, backlog), packets);
}

void flight_collect(void)
{
    struct list living, packets;
    steps_taken = steps_paid = 0;
    if (list_empty(&in_flight))
        return;
    list_init(&living);
    list_init(&packets);
    separate(&living);
    /* Emptying one takes others out of the list: those close when its packets are freed. */
    while (!list_empty(&in_flight)) {
        struct socket *socket = flying(in_flight.next);
        list_del(&socket->flight);
        list_add_tail(&living, &socket->flight);
        take_all_packets(socket, &packets);
    }
    while (!list_empty(&living)) {
        struct list *first = living.next;
        list_del(first);
        list_add_tail(&in_flight, first);
    }
    while (!list_empty(&packets)) {
        struct packet *packet = quire_container_of(packets.next, struct packet, link);
        list_del(&packet->link);
        packet_free(packet);
        event_give_way();
    }
}

void flight_socket_closed(void)
{
    steps_paid += STEPS_EACH;
    if (steps_paid >= steps_taken || list_empty(&in_flight))
        flight_collect();
}

bool socket_files_wait(unsigned most)
{
    if (nr_files_in_flight > most)
        flight_collect();
    return nr_files_in_flight > most;
}
