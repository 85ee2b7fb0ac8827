/* tests/server/load.c: many clients of examples/echo-server at once
 *
 *     echo-load PORT PID LIMIT ROUNDS CLIENTS SEED
 *
 * Each client sends lines of random lengths in pieces of random sizes, and looks at what comes
 * back; some hang up in the middle, orderly or by a reset, some send a line that is longer than the
 * server lets a connection be. After each round, when all are gone, the server is asked what it
 * holds, and the system what it takes. Exit status: 0 all as it should be, 1 not, 2 usage.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define AT_ONCE 200
#define MOST_BYTES 40000u

enum kind { WHOLE, HANGS_UP, TOO_LONG, NR_KINDS };

static struct client {
    int fd; /* -1: none */
    enum kind kind;
    char *text;
    size_t size, sent, received;
    size_t until; /* HANGS_UP: when so much was sent */
    bool refused; /* TOO_LONG: the server said so, or closed */
} clients[AT_ONCE];

static unsigned long ended[NR_KINDS], failures;
static uint64_t state;
static uint16_t port;
static size_t limit;

static uint32_t below(uint32_t bound)
{
    state ^= state >> 12;
    state ^= state << 25;
    state ^= state >> 27;
    return (uint32_t)((state * 0x2545f4914f6cdd1du >> 32) * bound >> 32);
}

static void complain(const char *what, const struct client *client)
{
    if (failures++ < 10)
        printf("%s: kind %d, %zu bytes, %zu sent, %zu received, %s\n", what, (int)client->kind,
               client->size, client->sent, client->received, strerror(errno));
}

static int connect_to_server(void)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(port)};
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || connect(fd, (struct sockaddr *)&address, sizeof address)) {
        perror("connect");
        exit(1);
    }
    return fd;
}

/* Letters, and a newline now and then and at the end. Lines end well below the limit. */
static void write_text(struct client *client)
{
    size_t left = 0;
    for (size_t i = 0; i < client->size; i++) {
        if (!left)
            left = 1 + below(below(4) ? 80 : (uint32_t)(limit / 8));
        left--;
        bool newline = client->kind != TOO_LONG && (!left || i + 1 == client->size);
        client->text[i] = (char)(newline ? '\n' : 'a' + below(26));
    }
}

static void start(struct client *client)
{
    uint32_t dice = below(10);
    *client = (struct client){.kind = dice < 6 ? WHOLE : dice < 9 ? HANGS_UP : TOO_LONG};
    client->size = client->kind == TOO_LONG ? limit + 1 + below(MOST_BYTES) : 1 + below(MOST_BYTES);
    client->until = below((uint32_t)client->size);
    client->text = malloc(client->size);
    if (!client->text)
        exit(1);
    write_text(client);
    client->fd = connect_to_server();
}

static void end(struct client *client, bool reset)
{
    struct linger at_once = {.l_onoff = 1, .l_linger = 0};
    if (reset)
        setsockopt(client->fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
    close(client->fd);
    free(client->text);
    client->fd = -1;
    ended[client->kind]++;
}

static bool wants_to_send(const struct client *client)
{
    return client->sent < client->size;
}

static void send_some(struct client *client)
{
    size_t size = 1 + below(below(3) ? 3000 : 50);
    if (size > client->size - client->sent)
        size = client->size - client->sent;
    ssize_t sent = send(client->fd, client->text + client->sent, size, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (sent >= 0)
        client->sent += (size_t)sent;
    else if (errno != EAGAIN) {
        client->refused = true;
        if (client->kind != TOO_LONG)
            complain("the server hung up", client);
        client->sent = client->size;
    }
}

static void receive_some(struct client *client)
{
    static const char too_long[] = "too long\n";
    static char text[65536];
    ssize_t size = recv(client->fd, text, 1 + below(sizeof text), MSG_DONTWAIT);
    if (size < 0 && errno == EAGAIN)
        return;
    if (size <= 0) {
        client->refused = true;
        if (client->kind != TOO_LONG)
            complain("the server hung up", client);
        end(client, false);
        return;
    }
    const char *expected = (client->kind == TOO_LONG ? too_long : client->text) + client->received;
    size_t most = client->kind == TOO_LONG ? sizeof too_long - 1 : client->sent;
    if ((size_t)size > most - client->received || memcmp(text, expected, (size_t)size)) {
        complain("that isn't what was sent", client);
        end(client, true);
        return;
    }
    client->received += (size_t)size;
    if (client->kind == WHOLE && client->received == client->size)
        end(client, false);
}

static void serve(struct client *client, short events)
{
    if (events & POLLOUT && wants_to_send(client))
        send_some(client);
    if (client->kind == HANGS_UP && client->sent > client->until) {
        end(client, below(2));
        return;
    }
    if (events & (POLLIN | POLLHUP | POLLERR))
        receive_some(client);
}

/* `total` clients, as many at a time as there are places. */
static void play(unsigned total)
{
    struct pollfd poll_fd[AT_ONCE];
    unsigned started = 0, alive = 0;
    for (unsigned i = 0; i < AT_ONCE; i++)
        clients[i].fd = -1;
    do {
        alive = 0;
        for (unsigned i = 0; i < AT_ONCE; i++) {
            if (clients[i].fd < 0 && started < total) {
                start(&clients[i]);
                started++;
            }
            alive += clients[i].fd >= 0;
            poll_fd[i].fd = clients[i].fd;
            poll_fd[i].events =
                (short)(POLLIN | (clients[i].fd >= 0 && wants_to_send(&clients[i]) ? POLLOUT : 0));
        }
        if (alive && poll(poll_fd, AT_ONCE, 20000) <= 0) {
            printf("nothing happens for 20 seconds, %u clients wait\n", alive);
            exit(1);
        }
        for (unsigned i = 0; alive && i < AT_ONCE; i++)
            if (poll_fd[i].fd >= 0 && poll_fd[i].revents)
                serve(&clients[i], poll_fd[i].revents);
    } while (alive);
}

struct figures {
    unsigned long connections, present;
    size_t with_pools, in_all;
};

/* Asks until those who hung up are noticed. */
static struct figures ask_server(void)
{
    struct figures figures = {0};
    for (unsigned attempt = 0; attempt < 12000; attempt++) {
        char text[256];
        int fd = connect_to_server();
        ssize_t size = send(fd, "?\n", 2, 0) == 2 ? recv(fd, text, sizeof text - 1, 0) : -1;
        close(fd);
        text[size > 0 ? size : 0] = '\0';
        if (sscanf(text, "%lu connections, %lu at present, %zu bytes with pools, %zu in all",
                   &figures.connections, &figures.present, &figures.with_pools,
                   &figures.in_all) != 4) {
            printf("the server says '%s'\n", text);
            exit(1);
        }
        if (figures.present == 1)
            break;
        usleep(10000);
    }
    return figures;
}

static unsigned long resident_pages(const char *pid)
{
    char path[64];
    unsigned long size, resident = 0;
    snprintf(path, sizeof path, "/proc/%s/statm", pid);
    FILE *file = fopen(path, "r");
    if (!file || fscanf(file, "%lu %lu", &size, &resident) != 2)
        printf("%s can't be read\n", path);
    if (file)
        fclose(file);
    return resident;
}

int main(int argc, char **argv)
{
    if (argc != 7)
        return 2;
    port = (uint16_t)atoi(argv[1]);
    limit = strtoul(argv[3], NULL, 0);
    unsigned rounds = (unsigned)atoi(argv[4]), total = (unsigned)atoi(argv[5]);
    state = strtoull(argv[6], NULL, 0) | 1;
    struct figures first = {0}, now = {0};
    unsigned long first_resident = 0, resident = 0;
    for (unsigned round = 0; round < rounds; round++) {
        play(total);
        now = ask_server();
        resident = resident_pages(argv[2]);
        printf("round %u: %lu at present, %zu bytes with pools, %zu in all, %lu pages resident\n",
               round, now.present, now.with_pools, now.in_all, resident);
        if (!round) {
            first = now;
            first_resident = resident;
        }
    }
    printf("%lu whole, %lu hung up, %lu too long, %lu failures\n", ended[WHOLE], ended[HANGS_UP],
           ended[TOO_LONG], failures);
    /* What malloc keeps between its blocks varies by some; 1000 clients of 1 KiB each would show.
     */
    bool flat = now.present == 1 && now.with_pools == first.with_pools &&
                now.in_all <= first.in_all && resident <= first_resident + first_resident / 4;
    if (!flat)
        printf("memory isn't flat\n");
    return failures || !flat || !ended[WHOLE] || !ended[HANGS_UP] || !ended[TOO_LONG];
}
