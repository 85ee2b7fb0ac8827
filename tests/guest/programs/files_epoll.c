/* epoll, timers and signals that are read, eventfd among them */
#include "say.h"

#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <sys/un.h>
#include <time.h>

static int watcher, ends[2];

static int change(int operation, int fd, unsigned events, uint64_t data)
{
    struct epoll_event event = {.events = events, .data.u64 = data};
    return epoll_ctl(watcher, operation, fd, &event);
}

static void say_events(const char *when, int most, int timeout)
{
    struct epoll_event events[8];
    int count = epoll_wait(watcher, events, most, timeout);
    printf("%s:", when);
    if (count < 0)
        printf(" %s", error_name(errno));
    for (int i = 0; i < count; i++)
        printf(" %#x of %d", events[i].events, (int)events[i].data.u64);
    printf("%s\n", count ? "" : " nothing");
}

static void drain(int fd, size_t size)
{
    char bytes[256];
    printf("read %d\n", (int)read(fd, bytes, size));
}

static void refusals(void)
{
    struct epoll_event *volatile nowhere = (struct epoll_event *)8;
    struct epoll_event event = {0};
    int file = open("file", O_RDWR | O_CREAT, 0600);
    TELL(epoll_create(0));
    TELL(epoll_create1(1));
    TELL_DONE(watcher = epoll_create1(EPOLL_CLOEXEC));
    TELL(fcntl(watcher, F_GETFD));
    TELL(pipe(ends));
    TELL(change(EPOLL_CTL_ADD, file, EPOLLIN, 0));
    TELL(change(EPOLL_CTL_ADD, watcher, EPOLLIN, 0));
    TELL(change(EPOLL_CTL_ADD, 99, EPOLLIN, 0));
    TELL(epoll_ctl(ends[0], EPOLL_CTL_ADD, ends[1], &event));
    TELL(epoll_ctl(watcher, EPOLL_CTL_ADD, ends[0], nowhere));
    TELL(change(EPOLL_CTL_MOD, ends[0], EPOLLIN, 0));
    TELL(change(EPOLL_CTL_DEL, ends[0], EPOLLIN, 0));
    TELL(change(77, ends[0], EPOLLIN, 0));
    TELL(epoll_wait(ends[0], &event, 1, 0));
    TELL(epoll_wait(watcher, &event, 0, 0));
    TELL(read(watcher, &event, 8) < 0);
    close(file);
}

static void levels(void)
{
    TELL(change(EPOLL_CTL_ADD, ends[0], EPOLLIN, 1));
    TELL(change(EPOLL_CTL_ADD, ends[0], EPOLLIN, 1));
    TELL(change(EPOLL_CTL_ADD, ends[1], EPOLLOUT, 2));
    say_events("room", 8, 0);
    TELL(change(EPOLL_CTL_MOD, ends[1], 0, 2));
    say_events("nobody asks", 8, 10);
    TELL(write(ends[1], "abc", 3));
    say_events("bytes", 8, -1);
    say_events("bytes again", 8, -1);
    drain(ends[0], 1);
    say_events("some are left", 8, 0);
    drain(ends[0], 8);
    say_events("none", 8, 0);
}

static void edges(void)
{
    TELL(change(EPOLL_CTL_MOD, ends[0], EPOLLIN | EPOLLET, 1));
    TELL(write(ends[1], "abc", 3));
    say_events("an edge", 8, 0);
    say_events("no edge", 8, 0);
    drain(ends[0], 1);
    say_events("no edge by reading", 8, 0);
    TELL(write(ends[1], "d", 1));
    say_events("one by writing", 8, 0);
    TELL(change(EPOLL_CTL_MOD, ends[0], EPOLLIN | EPOLLET, 1));
    say_events("one by a change", 8, 0);
    drain(ends[0], 8);
    TELL(change(EPOLL_CTL_MOD, ends[0], EPOLLIN | EPOLLONESHOT, 1));
    TELL(write(ends[1], "e", 1));
    say_events("once", 8, 0);
    say_events("not twice", 8, 0);
    TELL(change(EPOLL_CTL_MOD, ends[0], EPOLLIN, 1));
    say_events("changed", 8, 0);
    drain(ends[0], 8);
}

static void turns(void)
{
    int events[3];
    for (int i = 0; i < 3; i++) {
        events[i] = eventfd(1, 0);
        change(EPOLL_CTL_ADD, events[i], EPOLLIN, 10 + (unsigned)i);
    }
    say_events("first", 2, 0);
    say_events("then", 2, 0);
    say_events("all", 8, 0);
    for (int i = 0; i < 3; i++)
        close(events[i]);
    say_events("closed", 8, 0);
}

/* Edges that come while one isn't asked for. */
static void missed_edges(void)
{
    static char bytes[65536];
    int full[2], pair[2], sent = 0, wrong = 0;
    TELL(pipe2(full, O_NONBLOCK));
    TELL(change(EPOLL_CTL_ADD, full[1], EPOLLOUT | EPOLLET, 2));
    say_events("room", 8, 0);
    TELL(write(full[1], bytes, 65436));
    TELL(write(full[1], bytes, 200));
    TELL(read(full[0], bytes, 60000));
    say_events("room again", 8, 0);
    close(full[0]);
    close(full[1]);

    struct sockaddr_un name = {AF_UNIX, "receiver"};
    for (int i = 0; i < 2; i++)
        pair[i] = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0);
    TELL(bind(pair[1], (struct sockaddr *)&name, sizeof name));
    TELL(connect(pair[0], (struct sockaddr *)&name, sizeof name));
    TELL(change(EPOLL_CTL_ADD, pair[0], EPOLLOUT | EPOLLET, 3));
    say_events("room", 8, 0);
    while (send(pair[0], "a", 1, 0) == 1)
        sent++;
    printf("some: %d, %s\n", sent > 3, error_name(errno));
    say_events("none", 8, 0);
    for (; sent; sent--)
        wrong += recv(pair[1], bytes, 1, 0) != 1;
    printf("wrong: %d\n", wrong);
    say_events("room again", 8, 0);
    close(pair[0]);
    close(pair[1]);
    unlink("receiver");
}

static void closing(void)
{
    int copy = dup(ends[0]);
    close(ends[0]);
    TELL(write(ends[1], "f", 1));
    say_events("a copy is open", 8, 0);
    close(copy);
    say_events("none is", 8, 0);
    close(ends[1]);
    TELL(pipe(ends));
    change(EPOLL_CTL_ADD, ends[0], 0, 3);
    close(ends[1]);
    say_events("the end", 8, 0);
    close(ends[0]);
    TELL(pipe(ends));
}

static void nested(void)
{
    int inner = watcher, outer;
    change(EPOLL_CTL_ADD, ends[0], EPOLLIN, 1);
    watcher = outer = epoll_create1(0);
    TELL(change(EPOLL_CTL_ADD, inner, EPOLLIN, 4));
    say_events("inner", 8, 0);
    TELL(write(ends[1], "g", 1));
    say_events("inner", 8, 0);
    watcher = inner;
    TELL(change(EPOLL_CTL_ADD, outer, EPOLLIN, 5));
    say_events("bytes", 8, 0);
    drain(ends[0], 8);
    close(outer);
    outer = epoll_create1(0);
    watcher = outer;
    TELL(change(EPOLL_CTL_ADD, inner, EPOLLIN | EPOLLET, 4));
    TELL(write(ends[1], "h", 1));
    say_events("an edge", 8, 0);
    say_events("none", 8, 0);
    TELL(write(ends[1], "i", 1));
    say_events("another one", 8, 0);
    close(outer);
    watcher = inner;
    drain(ends[0], 8);
}

/* Each of a layer watches all of the next: few epolls, and many ways. */
#define LAYERS 5
#define WIDTH 24
static void layers(void)
{
    int epoll[LAYERS][WIDTH], before = watcher, made = 0;
    for (int i = 0; i < LAYERS * WIDTH; i++)
        epoll[i / WIDTH][i % WIDTH] = epoll_create1(0);
    for (int layer = LAYERS - 2; layer >= 0; layer--)
        for (int i = 0; i < WIDTH * WIDTH; i++) {
            watcher = epoll[layer][i / WIDTH];
            made += !change(EPOLL_CTL_ADD, epoll[layer + 1][i % WIDTH], EPOLLIN, 1);
        }
    printf("%d watches\n", made);
    watcher = epoll[0][0];
    say_events("the first", 8, 0);
    watcher = epoll[LAYERS - 1][0];
    TELL(change(EPOLL_CTL_ADD, epoll[0][0], EPOLLIN, 1));
    TELL(change(EPOLL_CTL_ADD, before, EPOLLIN, 1));
    for (int i = 0; i < LAYERS * WIDTH; i++)
        close(epoll[i / WIDTH][i % WIDTH]);
    watcher = before;
}

static void waits(void)
{
    struct pollfd item = {watcher, POLLIN, 0};
    pid_t pid = fork();
    if (!pid) {
        usleep(20000);
        (void)!write(ends[1], "h", 1);
        usleep(20000);
        (void)!write(ends[1], "i", 1);
        _exit(0);
    }
    say_events("a child writes", 8, -1);
    drain(ends[0], 1);
    TELL(poll(&item, 1, -1));
    printf("%#x\n", (unsigned)item.revents);
    drain(ends[0], 1);
    waitpid(pid, NULL, 0);
}

/* ---- time ------------------------------------------------------------------------------------ */

static int set(int fd, int flags, long ms, long every)
{
    struct itimerspec time = {{every / 1000, every % 1000 * 1000000},
                              {ms / 1000, ms % 1000 * 1000000}};
    return timerfd_settime(fd, flags, &time, NULL);
}

static struct itimerspec in_20_ms(clockid_t clock)
{
    struct timespec now;
    clock_gettime(clock, &now);
    struct itimerspec soon = {{0, 0}, {now.tv_sec, now.tv_nsec}};
    soon.it_value.tv_sec += soon.it_value.tv_nsec > 979999999;
    soon.it_value.tv_nsec = (soon.it_value.tv_nsec + 20000000) % 1000000000;
    return soon;
}

static void timers(void)
{
    struct itimerspec left;
    uint64_t count = 0;
    int fd = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
    TELL(timerfd_create(99, 0));
    TELL(timerfd_create(CLOCK_MONOTONIC, 1));
    TELL(read(fd, &count, 8));
    TELL(set(fd, 0, 1000000000, 0));
    TELL(read(fd, &count, 8));
    TELL(change(EPOLL_CTL_ADD, fd, EPOLLIN, 6));
    say_events("not yet", 8, 0);
    TELL(set(fd, 0, 30, 0));
    say_events("it goes off", 8, -1);
    TELL(read(fd, &count, 4));
    TELL(read(fd, &count, 8));
    printf("%d time\n", (int)count);
    TELL(read(fd, &count, 8));
    TELL(set(fd, 0, 5, 5));
    usleep(30000);
    TELL(read(fd, &count, 8));
    printf("several: %d\n", count >= 5);
    TELL(set(fd, 0, 1000000000, 2000));
    TELL(timerfd_gettime(fd, &left));
    printf("%d, every %d\n", (int)(left.it_value.tv_sec >= 990000), (int)left.it_interval.tv_sec);
    TELL(set(fd, 0, 0, 0));
    TELL(timerfd_gettime(fd, &left));
    printf("%d %d\n", (int)left.it_value.tv_sec, (int)left.it_interval.tv_sec);
    struct itimerspec soon = in_20_ms(CLOCK_MONOTONIC);
    TELL(timerfd_settime(fd, TFD_TIMER_ABSTIME, &soon, NULL));
    fcntl(fd, F_SETFL, 0);
    TELL(read(fd, &count, 8));
    TELL(set(fd, TFD_TIMER_ABSTIME, 1, 0));
    TELL(read(fd, &count, 8));
    TELL(set(fd, 0, -1, 0));
    TELL(timerfd_gettime(ends[0], &left));
    TELL(timerfd_gettime(99, &left));
    close(fd);
    fd = timerfd_create(CLOCK_REALTIME, 0);
    soon = in_20_ms(CLOCK_REALTIME);
    TELL(timerfd_settime(fd, TFD_TIMER_ABSTIME, &soon, &left));
    TELL(read(fd, &count, 8));
    close(fd);
}

/* What was told isn't news, and nothing that a timeout has to wait for. */
static void timers_told(void)
{
    uint64_t count = 0;
    int fd = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK);
    struct pollfd item = {fd, POLLOUT, 0};
    TELL(set(fd, 0, 5, 0));
    TELL(change(EPOLL_CTL_ADD, fd, EPOLLIN | EPOLLET, 6));
    say_events("it goes off", 8, -1);
    say_events("not again", 8, 30);
    TELL(poll(&item, 1, 30));
    TELL(read(fd, &count, 8));
    TELL(set(fd, 0, 5, 0));
    say_events("anew", 8, -1);
    say_events("not again", 8, 30);
    TELL(set(fd, 0, 5, 0));
    say_events("without a read", 8, -1);
    TELL(read(fd, &count, 8));
    TELL(set(fd, 0, 10, 10));
    say_events("one", 8, -1);
    say_events("no other before it is read", 8, 100);
    TELL(change(EPOLL_CTL_MOD, fd, EPOLLOUT, 6));
    say_events("nobody asks", 8, 30);
    close(fd);
}

/* ---- signals --------------------------------------------------------------------------------- */

static void signals(void)
{
    sigset_t set;
    struct signalfd_siginfo info[3];
    sigemptyset(&set);
    sigaddset(&set, SIGUSR1);
    sigaddset(&set, SIGCHLD);
    sigaddset(&set, SIGKILL);
    sigprocmask(SIG_BLOCK, &set, NULL);
    int fd = signalfd(-1, &set, SFD_NONBLOCK);
    TELL(signalfd(-1, &set, 1));
    TELL(signalfd(ends[0], &set, 0));
    TELL(read(fd, info, sizeof info));
    TELL(read(fd, info, 100));
    change(EPOLL_CTL_ADD, fd, EPOLLIN, 7);
    say_events("no signal", 8, 0);
    TELL(raise(SIGUSR1));
    TELL(raise(SIGUSR1));
    say_events("one", 8, 0);
    pid_t pid = fork();
    if (!pid)
        _exit(3);
    siginfo_t ended;
    waitid(P_PID, (id_t)pid, &ended, WEXITED | WNOWAIT);
    TELL(read(fd, info, sizeof info) / (int)sizeof info[0]);
    for (int i = 0; i < 2; i++)
        printf("signal %d, code %d, from %s, status %d\n", (int)info[i].ssi_signo, info[i].ssi_code,
               (pid_t)info[i].ssi_pid == pid        ? "the child"
               : (pid_t)info[i].ssi_pid == getpid() ? "this"
                                                    : "nobody",
               info[i].ssi_status);
    waitpid(pid, NULL, 0);
    TELL(read(fd, info, sizeof info));
    sigemptyset(&set);
    TELL(signalfd(fd, &set, 0) == fd);
    raise(SIGUSR1);
    TELL(read(fd, info, sizeof info));
    close(fd);
    signal(SIGUSR1, SIG_IGN);
    sigfillset(&set);
    sigprocmask(SIG_UNBLOCK, &set, NULL);
}

static volatile int caught;

static void handler(int signal)
{
    caught = signal;
}

static void interrupted(void)
{
    sigset_t all, none;
    struct epoll_event event;
    signal(SIGUSR2, handler);
    sigfillset(&all);
    sigemptyset(&none);
    sigprocmask(SIG_BLOCK, &all, NULL);
    raise(SIGUSR2);
    TELL(epoll_wait(watcher, &event, 1, 10));
    TELL(epoll_pwait(watcher, &event, 1, 1000, &none));
    printf("caught: %d\n", caught == SIGUSR2);
    sigprocmask(SIG_UNBLOCK, &all, NULL);
    int64_t shortly[2] = {0, 10000000}, wrong[2] = {0, 1000000000}; /* of 64 bits everywhere */
    TELL((int)syscall(SYS_epoll_pwait2, watcher, &event, 1, shortly, NULL, 0));
    TELL((int)syscall(SYS_epoll_pwait2, watcher, &event, 1, wrong, NULL, 0));
}

int main(void)
{
    refusals();
    levels();
    edges();
    missed_edges();
    turns();
    closing();
    nested();
    layers();
    waits();
    timers();
    timers_told();
    signals();
    alarm(0);
    interrupted();
    return 0;
}
