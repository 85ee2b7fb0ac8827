/* examples/echo-server/main.c: a server with a pool for each connection and one for its requests
 *
 *     echo-server [PORT [LIMIT]]        port 0: any, which is printed; LIMIT: bytes of a connection
 *
 * It sends each line back as it came, and answers the line "?" with figures. Whatever has an end
 * has a pool that ends with it, and pools lie within each other as ends do:
 *
 *     server ── connection ── request        ends with the reply's last byte
 *         │          └ handler: closes the socket
 *         └ limit for all    └ limit for one, its requests included
 *
 * So there is no free in this program: a connection that ends, for whatever reason and in whatever
 * state, is one quire_pool_destroy. And a client can't take more memory than its pool may hold,
 * however long a line he sends.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <quire/pool.h>

#define SERVER_LIMIT ((size_t)256 << 20)
#define CONNECTION_LIMIT ((size_t)64 << 10)
#define INPUT_BYTES 2048u
#define MAX_EVENTS 64

/* A part of a line, in a request's pool. */
struct piece {
    struct piece *next;
    size_t size;
    char text[];
};

struct connection {
    struct quire_pool *pool, *request; /* the latter is reset after each reply */
    int fd;
    uint32_t events;            /* that epoll waits for */
    struct piece *first, *last; /* the line as far as it came */
    struct piece *out;          /* what of the reply is to be written; NULL: there is none yet */
    size_t written;             /* of that piece */
    size_t start, end;          /* of input: what wasn't looked at yet */
    char input[INPUT_BYTES];
};

/* Blocks come from malloc, a few hundred KiB of them stay with the cache, and text is formatted by
 * the C library. The program has one thread, so there is one cache. */
static const struct quire_pool_malloc libc = {malloc, free};
static struct quire_pool_config config = {.block_size = 4096, .format = vsnprintf};
static struct quire_pool_cache cache;
static struct quire_pool *server;

static size_t connection_limit = CONNECTION_LIMIT;
static unsigned long nr_connections, nr_requests, nr_too_long;
static int epoll;
static volatile sig_atomic_t stopped;

/* ---- connections ----------------------------------------------------------------------------- */

static void close_socket(void *arg)
{
    const struct connection *connection = arg;
    close(connection->fd); /* which takes it out of epoll's set as well */
}

static bool wait_for(struct connection *connection, uint32_t events)
{
    struct epoll_event event = {.events = events, .data.ptr = connection};
    int operation = connection->events ? EPOLL_CTL_MOD : EPOLL_CTL_ADD;
    if (connection->events == events)
        return true;
    connection->events = events;
    return !epoll_ctl(epoll, operation, connection->fd, &event);
}

/* Everything that belongs to a connection is in its pool, itself included. From the moment that the
 * handler is registered, destroying the pool closes the socket, too. */
static void accept_connection(int listener)
{
    int fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd < 0)
        return;
    struct quire_pool *pool = quire_pool_create_child(server);
    struct connection *connection = pool ? quire_pool_alloc(pool, sizeof *connection) : NULL;
    if (connection)
        *connection = (struct connection){.pool = pool, .fd = fd};
    if (!connection || !quire_pool_cleanup(pool, close_socket, connection)) {
        quire_pool_destroy(pool);
        close(fd);
        return;
    }
    nr_connections++;
    connection->request = quire_pool_create_child(pool);
    quire_pool_set_limit(pool, connection_limit);
    if (!connection->request || !wait_for(connection, EPOLLIN))
        quire_pool_destroy(pool);
}

/* ---- requests -------------------------------------------------------------------------------- */

static struct piece *add_piece(struct connection *connection, const char *text, size_t size)
{
    struct piece *piece = quire_pool_alloc(connection->request, sizeof *piece + size);
    if (!piece)
        return NULL;
    piece->next = NULL;
    piece->size = size;
    memcpy(piece->text, text, size);
    if (connection->last)
        connection->last->next = piece;
    else
        connection->first = piece;
    connection->last = piece;
    return piece;
}

enum line { LINE_TOO_LONG, LINE_UNFINISHED, LINE_WHOLE };

/* From the input to the request, up to the line's end. */
static enum line collect_line(struct connection *connection)
{
    const char *start = connection->input + connection->start;
    size_t size = connection->end - connection->start;
    if (!size)
        return LINE_UNFINISHED;
    const char *end = memchr(start, '\n', size);
    if (end)
        size = (size_t)(end - start) + 1;
    if (!add_piece(connection, start, size))
        return LINE_TOO_LONG;
    connection->start += size;
    return end ? LINE_WHOLE : LINE_UNFINISHED;
}

static bool begin_reply(struct connection *connection)
{
    const struct piece *line = connection->first;
    nr_requests++;
    if (line->size == 2 && line->text[0] == '?') {
        struct quire_pool_info info;
        quire_pool_info(server, &info);
        char *text =
            quire_pool_printf(connection->request,
                              "%lu connections, %lu at present, %zu bytes with pools, %zu in all\n",
                              nr_connections, info.nr_children, info.held, cache.held);
        connection->first = connection->last = NULL;
        if (!text || !add_piece(connection, text, strlen(text)))
            return false;
    }
    connection->out = connection->first;
    return true;
}

/* One stroke, whatever the request had allocated. */
static void end_request(struct connection *connection)
{
    quire_pool_reset(connection->request);
    connection->first = connection->last = connection->out = NULL;
    connection->written = 0;
}

enum progress { ENDED, WAITS, GOES_ON };

static enum progress write_reply(struct connection *connection)
{
    while (connection->out) {
        const struct piece *piece = connection->out;
        ssize_t sent = send(connection->fd, piece->text + connection->written,
                            piece->size - connection->written, MSG_NOSIGNAL);
        if (sent < 0)
            return errno == EAGAIN && wait_for(connection, EPOLLOUT) ? WAITS : ENDED;
        connection->written += (size_t)sent;
        if (connection->written < piece->size)
            continue;
        connection->out = piece->next;
        connection->written = 0;
    }
    end_request(connection);
    return wait_for(connection, EPOLLIN) ? GOES_ON : ENDED;
}

static enum progress receive(struct connection *connection)
{
    ssize_t size = recv(connection->fd, connection->input, sizeof connection->input, 0);
    if (size <= 0)
        return size < 0 && errno == EAGAIN ? WAITS : ENDED;
    connection->start = 0;
    connection->end = (size_t)size;
    return GOES_ON;
}

/* Writes what is to be written, then takes the next line from the input. Nothing is read while a
 * reply waits, so a client that doesn't read holds no more than its one request. */
static enum progress take_step(struct connection *connection, bool *received)
{
    static const char too_long[] = "too long\n";
    if (connection->out)
        return write_reply(connection);
    switch (collect_line(connection)) {
    case LINE_WHOLE:
        return begin_reply(connection) ? GOES_ON : ENDED;
    case LINE_TOO_LONG:
        nr_too_long++;
        (void)send(connection->fd, too_long, sizeof too_long - 1, MSG_NOSIGNAL);
        return ENDED;
    default:
        if (*received) /* others have a turn */
            return WAITS;
        *received = true;
        return receive(connection);
    }
}

static void serve(struct connection *connection)
{
    bool received = false;
    enum progress progress;
    do
        progress = take_step(connection, &received);
    while (progress == GOES_ON);
    if (progress == ENDED)
        quire_pool_destroy(connection->pool);
}

/* ---- the server ------------------------------------------------------------------------------ */

static int listen_on(uint16_t port)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(port)};
    socklen_t size = sizeof address;
    int yes = 1, fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = NULL};
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes) ||
        bind(fd, (struct sockaddr *)&address, size) || listen(fd, SOMAXCONN) ||
        getsockname(fd, (struct sockaddr *)&address, &size) ||
        epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event))
        return -1;
    printf("listening on port %u\n", ntohs(address.sin_port));
    fflush(stdout);
    return fd;
}

static void stop(int number)
{
    (void)number;
    stopped = 1;
}

/* Signals come only while it waits. */
static void run(int listener, const sigset_t *waiting)
{
    struct epoll_event event[MAX_EVENTS];
    while (!stopped) {
        int count = epoll_pwait(epoll, event, MAX_EVENTS, -1, waiting);
        for (int i = 0; i < count; i++)
            if (event[i].data.ptr)
                serve(event[i].data.ptr);
            else
                accept_connection(listener);
    }
}

/* ---- the program ----------------------------------------------------------------------------- */

static const char usage[] =
    "Usage: echo-server [PORT [LIMIT]]\n"
    "Sends each line back as it came, and answers the line \"?\" with figures, on 127.0.0.1.\n"
    "PORT: 0, or none, is any, which is printed; LIMIT: bytes of a connection (65536)\n";

static bool parse_number(const char *text, unsigned long most, unsigned long *value)
{
    char *end;
    errno = 0;
    *value = strtoul(text, &end, 0);
    return *text >= '0' && *text <= '9' && !*end && !errno && *value <= most;
}

static uint16_t parse_arguments(int argc, char **argv)
{
    unsigned long port = 0, limit = CONNECTION_LIMIT;
    if (argc == 2 && !strcmp(argv[1], "--help")) {
        fputs(usage, stdout);
        exit(EXIT_SUCCESS);
    }
    if (argc > 3 || (argc > 1 && !parse_number(argv[1], UINT16_MAX, &port)) ||
        (argc > 2 && (!parse_number(argv[2], SIZE_MAX, &limit) || !limit))) {
        fputs(usage, stderr);
        exit(2);
    }
    connection_limit = limit;
    return (uint16_t)port;
}

int main(int argc, char **argv)
{
    sigset_t blocked, waiting;
    uint16_t port = parse_arguments(argc, argv);
    sigemptyset(&blocked);
    sigaddset(&blocked, SIGTERM);
    sigaddset(&blocked, SIGINT);
    sigprocmask(SIG_BLOCK, &blocked, &waiting);
    signal(SIGTERM, stop);
    signal(SIGINT, stop);

    config.source = quire_pool_from_malloc(&libc);
    if (quire_pool_cache_init(&cache, &config) || !(server = quire_pool_create(&cache)))
        return EXIT_FAILURE;
    quire_pool_set_limit(server, SERVER_LIMIT);
    epoll = epoll_create1(EPOLL_CLOEXEC);
    int listener = epoll < 0 ? -1 : listen_on(port);
    if (listener < 0) {
        perror("echo-server");
        return EXIT_FAILURE;
    }
    run(listener, &waiting);

    /* All connections end with the server's pool. */
    struct quire_pool_info info;
    quire_pool_info(server, &info);
    quire_pool_destroy(server);
    close(listener);
    close(epoll);
    printf("%lu connections, %lu requests, %lu lines too long, %zu bytes at most\n", nr_connections,
           nr_requests, nr_too_long, info.peak);
    return quire_pool_cache_destroy(&cache) || cache.held ? EXIT_FAILURE : EXIT_SUCCESS;
}
