/* tests/guest/hogs.c: programs that take what they can get, and what is left for others
 *
 * Run by cases.sh in a machine alone. A case says "ok - ..." or "not ok - ...", and what it saw to
 * standard error. A host that is busy, or stops the machine, makes everything longer: what is about
 * turns is right if it's so once of many times. Without bounds it never is: times are several times
 * as long each time, or the machine has no memory left.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define NR_CHILDREN 30
#define AT_ONCE 100
#define IN_FLIGHT 6000
#define CLOSED 4000
#define TRIES 50

static int failed;

static void check(int holds, const char *what)
{
    printf("%s - %s\n", holds ? "ok" : "not ok", what);
    fflush(stdout);
    failed |= !holds;
}

static double now(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

/* ---- timers ---------------------------------------------------------------------------------- */

static double work(void)
{
    double begin = now();
    for (volatile long i = 0; i < 100000000; i++)
        ;
    return now() - begin;
}

/* Each is due at each tick, and its signal is pending for ever. */
static void set_timers(int told)
{
    sigset_t blocked;
    int count = 0;
    const struct itimerspec often = {{0, 1}, {0, 1}};
    struct sigevent event = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGUSR1};
    timer_t timer;
    sigemptyset(&blocked);
    sigaddset(&blocked, SIGUSR1);
    sigprocmask(SIG_BLOCK, &blocked, NULL);
    for (; !timer_create(CLOCK_MONOTONIC, &event, &timer); count++)
        timer_settime(timer, 0, &often, NULL);
    if (write(told, &count, sizeof count) != sizeof count)
        _exit(1);
    pause();
    _exit(0);
}

/* How much longer work takes beside timers: the sum of them is told. */
static double beside_timers(int *sum)
{
    int told[2], count;
    pid_t children[NR_CHILDREN];
    double alone = work();
    if (pipe(told))
        exit(1);
    *sum = 0;
    for (int i = 0; i < NR_CHILDREN; i++) {
        children[i] = fork();
        if (!children[i])
            set_timers(told[1]);
        if (read(told[0], &count, sizeof count) == sizeof count)
            *sum += count;
    }
    double beside = work();
    fprintf(stderr, "%d timers: %.2f s instead of %.2f s\n", *sum, beside, alone);
    for (int i = 0; i < NR_CHILDREN; i++) {
        kill(children[i], SIGKILL);
        waitpid(children[i], NULL, 0);
    }
    close(told[0]);
    close(told[1]);
    return beside - 3 * alone;
}

static void timers(void)
{
    int sum = 0, bounded = 1, cheap = 0;
    for (int tries = 0; tries < TRIES && !cheap; tries++) {
        cheap = beside_timers(&sum) < 0.5;
        bounded &= sum >= 1024 && sum <= 4096;
    }
    check(bounded, "timers of all processes together are bounded");
    check(cheap, "timers whose signals nobody takes cost nothing");
}

/* ---- memory ---------------------------------------------------------------------------------- */

static int connect_to_new_listener(long *count)
{
    struct sockaddr_un name = {.sun_family = AF_UNIX};
    socklen_t size = sizeof name;
    int listener = socket(AF_UNIX, SOCK_STREAM, 0);
    if (listener < 0 || bind(listener, (struct sockaddr *)&name, sizeof name.sun_family) ||
        getsockname(listener, (struct sockaddr *)&name, &size) || listen(listener, 4096))
        return errno;
    for (int i = 0; i < 4096; i++, ++*count) {
        int client = socket(AF_UNIX, SOCK_STREAM, 0);
        if (client < 0 || connect(client, (struct sockaddr *)&name, size))
            return errno;
        close(client);
    }
    return 0;
}

static const char *connections_name = "connections that nobody accepts are bounded";

static void connections(void)
{
    long count = 0;
    int error = 0;
    for (int i = 0; i < 60 && !error; i++)
        error = connect_to_new_listener(&count);
    fprintf(stderr, "%ld connections: %s\n", count, strerror(error));
    check(error == ENFILE && count > 1000, connections_name);
}

static void pipes(void)
{
    static char bytes[65536];
    int ends[2], count = 0, small = 0;
    while (count < 20000 && !pipe2(ends, O_NONBLOCK)) {
        ssize_t put = write(ends[1], bytes, sizeof bytes);
        small += put < (ssize_t)sizeof bytes;
        if (put < 4096)
            break;
        count++;
    }
    int error = errno;
    fprintf(stderr, "%d pipes, %d small: %s\n", count, small, strerror(error));
    check(error == ENFILE && count > 100 && small && small < count, "pipes are bounded");
}

/* ---- files in flight ------------------------------------------------------------------------- */

static int send_files(int to, const int *files, int count)
{
    union {
        struct cmsghdr header;
        char bytes[CMSG_SPACE(sizeof(int) * AT_ONCE)];
    } control = {0};
    char byte = 'x';
    struct iovec piece = {&byte, 1};
    struct msghdr message = {.msg_iov = &piece,
                             .msg_iovlen = 1,
                             .msg_control = &control,
                             .msg_controllen = CMSG_SPACE(sizeof(int) * (size_t)count)};
    control.header.cmsg_level = SOL_SOCKET;
    control.header.cmsg_type = SCM_RIGHTS;
    control.header.cmsg_len = CMSG_LEN(sizeof(int) * (size_t)count);
    memcpy(CMSG_DATA(&control.header), files, sizeof(int) * (size_t)count);
    return sendmsg(to, &message, MSG_DONTWAIT) < 0;
}

/* Ends with many open ones, beside many that wait in queues. */
static void hold_sockets(void)
{
    int files[AT_ONCE], pair[2];
    for (int sent = 0; sent < IN_FLIGHT; sent += AT_ONCE) {
        for (int i = 0; i < AT_ONCE; i++)
            files[i] = socket(AF_UNIX, SOCK_DGRAM, 0);
        if (socketpair(AF_UNIX, SOCK_STREAM, 0, pair) || send_files(pair[0], files, AT_ONCE))
            _exit(1);
        for (int i = 0; i < AT_ONCE; i++)
            close(files[i]);
    }
    for (int i = 0; i < CLOSED; i++)
        if (socket(AF_UNIX, SOCK_DGRAM, 0) < 0)
            _exit(2);
    _exit(0);
}

/* How long another one had no turn while many sockets were closed. */
static double longest_wait(int *status)
{
    pid_t pid = fork();
    double last = now(), longest = 0;
    if (!pid)
        hold_sockets();
    while (!waitpid(pid, status, WNOHANG)) {
        usleep(10000);
        double time = now();
        longest = time - last > longest ? time - last : longest;
        last = time;
    }
    fprintf(stderr, "status %#x, %.2f s without a turn\n", (unsigned)*status, longest);
    return longest;
}

static void sockets(void)
{
    int status = 0, soon = 0;
    for (int tries = 0; tries < TRIES && !soon && !status; tries++)
        soon = longest_wait(&status) < 2;
    check(!status && soon, "others have their turn while many sockets are closed");
}

static void in_child(void (*run)(void))
{
    int status;
    pid_t pid = fork();
    if (!pid) {
        run();
        _exit(failed);
    }
    waitpid(pid, &status, 0);
    failed |= status;
}

int main(void)
{
    const struct rlimit many = {65536, 65536};
    setrlimit(RLIMIT_NOFILE, &many);
    timers();
    in_child(sockets);
    in_child(connections);
    in_child(pipes);
    connections_name = "connections of those who ended are gone";
    in_child(connections);
    return failed;
}
