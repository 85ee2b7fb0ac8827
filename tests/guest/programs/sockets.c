/* Sockets between the programs of a machine; of any other kind there are none in the small machine
 * (the one on the host has them, so nobody asks)
 */
#include "say.h"

#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/un.h>

static int pair[2];
static char bytes[100000];

static void fresh(int type)
{
    for (int i = 0; i < 2; i++)
        if (pair[i])
            close(pair[i]);
    if (socketpair(AF_UNIX, type, 0, pair))
        printf("socketpair: %s\n", error_name(errno));
}

static void events(const char *what, int fd)
{
    struct pollfd item = {fd, POLLIN | POLLOUT | POLLRDHUP, 0};
    int count = poll(&item, 1, 0);
    printf("%s: %d, %#x\n", what, count, (unsigned)item.revents);
}

static void refusals(void)
{
    struct sockaddr *volatile nowhere = (struct sockaddr *)8;
    int *volatile no_pair = (int *)8;
    int file = open("file", O_RDWR | O_CREAT, 0600);
    TELL(socket(99, SOCK_STREAM, 0));
    TELL(socket(AF_UNIX, 9, 0));
    TELL(socket(AF_UNIX, SOCK_STREAM, 7));
    TELL(socket(AF_UNIX, SOCK_STREAM | 0x10000, 0));
    TELL(socketpair(AF_UNIX, SOCK_STREAM, 0, no_pair));
    TELL(send(file, "a", 1, 0));
    TELL(send(99, "a", 1, 0));
    TELL(bind(file, nowhere, 10));
    int one = socket(AF_UNIX, SOCK_STREAM, 0);
    TELL(bind(one, nowhere, 10));
    TELL(listen(one, 1));
    TELL(accept(one, NULL, NULL));
    TELL(send(one, "a", 1, MSG_NOSIGNAL));
    TELL(recv(one, bytes, 1, 0));
    TELL(shutdown(one, SHUT_RD));
#if __SIZEOF_LONG__ == 8
    TELL(syscall(SYS_shutdown, one, 1ul << 32)); /* the kernel looks at an int */
#endif
    TELL(lseek(one, 0, SEEK_SET));
    TELL(pwrite(one, "a", 1, 0));
    events("alone", one);
    close(one);
    close(file);
}

/* ---- streams --------------------------------------------------------------------------------- */

static void options(void)
{
    struct ucred user;
    socklen_t size = sizeof user;
    int value = 7;
    fresh(SOCK_STREAM);
    TELL(getsockopt(pair[0], SOL_SOCKET, SO_PEERCRED, &user, &size));
    printf("this: %d %d %d\n", user.pid == getpid(), user.uid == getuid(), user.gid == getgid());
    size = sizeof value;
    TELL(getsockopt(pair[0], SOL_SOCKET, SO_TYPE, &value, &size));
    printf("type %d, %d bytes\n", value, (int)size);
    TELL(getsockopt(pair[0], SOL_SOCKET, SO_DOMAIN, &value, &size));
    printf("domain %d\n", value);
    TELL(getsockopt(pair[0], SOL_SOCKET, SO_ERROR, &value, &size));
    printf("error %d\n", value);
    TELL(getsockopt(pair[0], SOL_SOCKET, 999, &value, &size));
    TELL(setsockopt(pair[0], SOL_SOCKET, SO_PASSCRED, &value, 1));
    TELL(setsockopt(pair[0], SOL_SOCKET, 999, &value, sizeof value));
    TELL(getsockopt(pair[0], SOL_SOCKET, SO_ACCEPTCONN, &value, &size));
    printf("listens %d\n", value);
}

static void streams(void)
{
    int count;
    struct sockaddr_un name;
    socklen_t size = sizeof name;
    struct stat status;
    fresh(SOCK_STREAM);
    events("empty", pair[0]);
    TELL(send(pair[0], "abc", 3, 0));
    TELL(write(pair[0], "defg", 4));
    events("bytes", pair[1]);
    TELL(ioctl(pair[1], FIONREAD, &count));
    printf("%d bytes\n", count);
    TELL(recv(pair[1], bytes, 2, MSG_PEEK));
    TELL(recv(pair[1], bytes, 5, 0));
    printf("%.5s\n", bytes);
    TELL(read(pair[1], bytes, 50));
    TELL(recv(pair[1], bytes, 50, MSG_DONTWAIT));
    TELL(write(pair[1], "", 0));
    TELL(getsockname(pair[0], (struct sockaddr *)&name, &size));
    printf("%d bytes, family %d\n", (int)size, name.sun_family);
    size = 1;
    TELL(getpeername(pair[0], (struct sockaddr *)&name, &size));
    printf("%d bytes\n", (int)size);
    TELL(fstat(pair[0], &status));
    printf("mode %o\n", (unsigned)status.st_mode);
    TELL(sendto(pair[0], "a", 1, 0, (struct sockaddr *)&name, sizeof name));
    TELL(send(pair[0], "a", 1, MSG_OOB) < 0 && errno != EOPNOTSUPP);
    TELL(shutdown(pair[0], SHUT_WR));
    events("the other may send", pair[0]);
    events("this one's at its end", pair[1]);
    TELL(send(pair[0], "a", 1, MSG_NOSIGNAL));
    TELL(send(pair[1], "abc", 3, 0));
    TELL(recv(pair[0], bytes, 10, 0));
    TELL(recv(pair[1], bytes, 10, 0));
    TELL(send(pair[1], "abc", 3, 0));
    close(pair[1]);
    pair[1] = 0;
    events("closed", pair[0]);
    TELL(recv(pair[0], bytes, 10, 0));
    TELL(recv(pair[0], bytes, 10, 0));
    fresh(SOCK_STREAM);
    TELL(send(pair[1], "abc", 3, 0));
    close(pair[0]);
    pair[0] = 0;
    TELL(recv(pair[1], bytes, 10, 0));
    TELL(recv(pair[1], bytes, 10, 0));
    TELL(send(pair[1], "abc", 3, MSG_NOSIGNAL));
    events("closed", pair[1]);
}

static void dies_of_it(void)
{
    fresh(SOCK_STREAM);
    close(pair[1]);
    TELL(write(pair[0], "a", 1));
}

static void much(void)
{
    fresh(SOCK_STREAM);
    pid_t pid = fork();
    if (!pid) {
        for (size_t i = 0; i < sizeof bytes; i++)
            bytes[i] = (char)(i * 7 + i / 251);
        for (int i = 0; i < 10; i++)
            if (send(pair[1], bytes, sizeof bytes, 0) != (ssize_t)sizeof bytes)
                _exit(1);
        _exit(0);
    }
    close(pair[1]);
    pair[1] = 0;
    long total = 0, wrong = 0, got;
    while ((got = recv(pair[0], bytes, total < 500000 ? sizeof bytes : 77, MSG_WAITALL)) > 0)
        for (long i = 0; i < got; i++, total++) {
            unsigned long at = (unsigned long)total % sizeof bytes;
            wrong += bytes[i] != (char)(at * 7 + at / 251);
        }
    int status;
    waitpid(pid, &status, 0);
    say_status("the sender", status);
    printf("%ld bytes, %ld wrong\n", total, wrong);
    fresh(SOCK_STREAM);
    fcntl(pair[0], F_SETFL, O_NONBLOCK);
    for (total = 0; (got = write(pair[0], bytes, 4096)) > 0; total += got)
        ;
    printf("%s after much: %d\n", error_name(errno), total >= 65536);
    events("full", pair[0]);
    TELL(recv(pair[1], bytes, sizeof bytes, 0) > 60000);
}

/* What costs the queue more than it holds. */
static void small(int type, size_t size)
{
    int sent = 0;
    fresh(type);
    fcntl(pair[0], F_SETFL, O_NONBLOCK);
    while (sent < 100000 && send(pair[0], "a", size, 0) == (ssize_t)size)
        sent++;
    printf("many: %d, %s\n", sent > 50 && sent < 100000, error_name(errno));
    events("full", pair[0]);
}

static void timeouts(void)
{
    struct timeval time = {0, 20000}, wrong = {0, 1000000};
    socklen_t size = sizeof time;
    fresh(SOCK_STREAM);
    TELL(setsockopt(pair[0], SOL_SOCKET, SO_RCVTIMEO, &wrong, sizeof wrong));
    TELL(setsockopt(pair[0], SOL_SOCKET, SO_RCVTIMEO, &time, 3));
    TELL(setsockopt(pair[0], SOL_SOCKET, SO_RCVTIMEO, &time, sizeof time));
    TELL(setsockopt(pair[0], SOL_SOCKET, SO_SNDTIMEO, &time, sizeof time));
    TELL(recv(pair[0], bytes, 10, 0));
    while (send(pair[0], bytes, sizeof bytes, 0) == sizeof bytes)
        ;
    TELL(send(pair[0], bytes, 1, 0));
    time.tv_usec = 1;
    TELL(getsockopt(pair[0], SOL_SOCKET, SO_RCVTIMEO, &time, &size));
    printf("%d bytes, %d.%06d\n", (int)size, (int)time.tv_sec, (int)time.tv_usec);
    TELL(getsockopt(pair[1], SOL_SOCKET, SO_SNDTIMEO, &time, &size));
    printf("%d.%06d\n", (int)time.tv_sec, (int)time.tv_usec);
}

/* ---- packets --------------------------------------------------------------------------------- */

static volatile int ticks;

static void tick(int number)
{
    (void)number;
    if (++ticks == 4000)
        _exit(1); /* it waits on and on: for two minutes */
}

/* What has an end isn't begun anew by signals, and what comes bit by bit doesn't put it off. */
static void timeouts_end(void)
{
    const struct timeval time = {0, 400000};
    const struct itimerval often = {{0, 30000}, {0, 30000}}, never = {0};
    struct sigaction action = {.sa_handler = tick, .sa_flags = SA_RESTART};
    struct sockaddr_un name = {.sun_family = AF_UNIX};
    sigaction(SIGALRM, &action, NULL);
    fresh(SOCK_STREAM);
    setsockopt(pair[0], SOL_SOCKET, SO_RCVTIMEO, &time, sizeof time);
    setsockopt(pair[0], SOL_SOCKET, SO_SNDTIMEO, &time, sizeof time);
    int listener = socket(AF_UNIX, SOCK_STREAM, 0);
    setsockopt(listener, SOL_SOCKET, SO_RCVTIMEO, &time, sizeof time);
    TELL(bind(listener, (struct sockaddr *)&name, sizeof name.sun_family));
    TELL(listen(listener, 5));
    TELL(setitimer(ITIMER_REAL, &often, NULL));
    TELL(recv(pair[0], bytes, 10, 0));
    TELL(read(pair[0], bytes, 10));
    TELL(accept(listener, NULL, NULL));
    while (send(pair[0], bytes, sizeof bytes, MSG_DONTWAIT) > 0)
        ;
    TELL(send(pair[0], bytes, sizeof bytes, 0));
    TELL(setitimer(ITIMER_REAL, &never, NULL));
    close(listener);
    fresh(SOCK_STREAM);
    setsockopt(pair[0], SOL_SOCKET, SO_RCVTIMEO, &time, sizeof time);
    pid_t pid = fork();
    if (!pid) {
        do
            usleep(100000);
        while (send(pair[1], "a", 1, MSG_NOSIGNAL) == 1);
        _exit(0);
    }
    printf("not all: %d\n", recv(pair[0], bytes, sizeof bytes, MSG_WAITALL) < (int)sizeof bytes);
    kill(pid, SIGKILL);
    waitpid(pid, NULL, 0);
}

/* Who has no descriptor left gets the connection later. */
static void no_descriptor(void)
{
    struct sockaddr_un name = {.sun_family = AF_UNIX};
    socklen_t size = sizeof name;
    struct rlimit limit, low;
    int listener = socket(AF_UNIX, SOCK_STREAM, 0), client = socket(AF_UNIX, SOCK_STREAM, 0);
    TELL(bind(listener, (struct sockaddr *)&name, sizeof name.sun_family));
    TELL(listen(listener, 5));
    TELL(getsockname(listener, (struct sockaddr *)&name, &size));
    TELL(connect(client, (struct sockaddr *)&name, size));
    getrlimit(RLIMIT_NOFILE, &limit);
    low = limit;
    low.rlim_cur = (rlim_t)client + 1;
    for (int fd = 0; fd < client; fd++)
        if (fcntl(fd, F_GETFD) < 0)
            dup2(client, fd);
    TELL(setrlimit(RLIMIT_NOFILE, &low));
    TELL(accept(listener, NULL, NULL));
    TELL(setrlimit(RLIMIT_NOFILE, &limit));
    TELL(send(client, "a", 1, MSG_NOSIGNAL));
    TELL_DONE(client = accept(listener, NULL, NULL));
    TELL(recv(client, bytes, 10, 0));
}

static void packets(int type)
{
    struct iovec pieces[2] = {{bytes, 2}, {bytes + 10, 2}};
    struct msghdr message = {.msg_iov = pieces, .msg_iovlen = 2};
    fresh(type);
    TELL(send(pair[0], "abcde", 5, 0));
    TELL(send(pair[0], "", 0, 0));
    TELL(write(pair[0], "fg", 2));
    TELL(recvmsg(pair[1], &message, MSG_PEEK));
    printf("flags %#x\n", (unsigned)message.msg_flags);
    TELL(recvmsg(pair[1], &message, MSG_TRUNC));
    printf("%.2s %.2s, flags %#x\n", bytes, bytes + 10, (unsigned)message.msg_flags);
    TELL(recv(pair[1], bytes, 10, 0));
    TELL(read(pair[1], bytes, 10));
    TELL(recv(pair[1], bytes, 10, MSG_DONTWAIT));
    TELL(send(pair[0], bytes, sizeof bytes, 0));
    TELL(recv(pair[1], bytes, sizeof bytes, 0));
    static char large[300000];
    TELL(send(pair[0], large, sizeof large, 0));
    int sent = 0;
    while (type == SOCK_DGRAM && send(pair[0], "x", 1, MSG_DONTWAIT) == 1)
        sent++;
    printf("many: %d, %s\n", sent > 3, type == SOCK_DGRAM ? error_name(errno) : "");
    close(pair[1]);
    pair[1] = 0;
    TELL(send(pair[0], "a", 1, MSG_NOSIGNAL));
    TELL(send(pair[0], "a", 1, MSG_NOSIGNAL));
    if (type == SOCK_SEQPACKET)
        TELL(recv(pair[0], bytes, 10, 0));
}

/* ---- names ----------------------------------------------------------------------------------- */

static struct sockaddr_un name_of(const char *path)
{
    struct sockaddr_un name = {.sun_family = AF_UNIX};
    snprintf(name.sun_path, sizeof name.sun_path, "%s", path);
    return name;
}

static void say_name(const char *what, const struct sockaddr_un *name, socklen_t size)
{
    printf("%s: %d bytes, %s\n", what, (int)size,
           size <= 2           ? "none"
           : name->sun_path[0] ? name->sun_path
                               : name->sun_path + 1);
}

static void named(int type)
{
    struct sockaddr_un name = name_of("socket"), other = name_of("nothing"), got;
    socklen_t size = sizeof got;
    struct stat status;
    int listener = socket(AF_UNIX, type, 0), late = socket(AF_UNIX, type, 0);
    TELL(connect(late, (struct sockaddr *)&other, sizeof other));
    TELL(bind(listener, (struct sockaddr *)&name, sizeof name));
    TELL(bind(listener, (struct sockaddr *)&other, sizeof other));
    TELL(bind(late, (struct sockaddr *)&name, sizeof name));
    TELL(stat("socket", &status));
    printf("mode %o\n", (unsigned)status.st_mode);
    TELL(open("socket", O_RDONLY));
    TELL(getsockname(listener, (struct sockaddr *)&got, &size));
    say_name("its name", &got, size);
    TELL(connect(late, (struct sockaddr *)&name, sizeof name));
    TELL(listen(listener, 5));
    pid_t pid = fork();
    if (!pid) {
        int fd = socket(AF_UNIX, type, 0);
        char answer[10];
        if (connect(fd, (struct sockaddr *)&name, sizeof name) || send(fd, "question", 8, 0) != 8)
            _exit(1);
        _exit(recv(fd, answer, 10, 0) == 6 && !memcmp(answer, "answer", 6) ? 0 : 2);
    }
    size = sizeof got;
    int end = accept4(listener, (struct sockaddr *)&got, &size, SOCK_CLOEXEC);
    say_name("who came", &got, size);
    TELL(fcntl(end, F_GETFD));
    TELL(recv(end, bytes, 100, 0));
    struct ucred user;
    size = sizeof user;
    getsockopt(end, SOL_SOCKET, SO_PEERCRED, &user, &size);
    printf("from the child: %d\n", user.pid == pid);
    TELL(send(end, "answer", 6, 0));
    int ended;
    waitpid(pid, &ended, 0);
    say_status("the child", ended);
    TELL(recv(end, bytes, 100, 0));
    close(end);
    fcntl(listener, F_SETFL, O_NONBLOCK);
    TELL(accept(listener, NULL, NULL));
    TELL(connect(late, (struct sockaddr *)&name, sizeof name));
    TELL(connect(late, (struct sockaddr *)&name, sizeof name));
    size = sizeof got;
    TELL(getpeername(late, (struct sockaddr *)&got, &size));
    say_name("where to", &got, size);
    events("the listener", listener);
    close(listener);
    TELL(recv(late, bytes, 10, 0));
    close(late);
    late = socket(AF_UNIX, type, 0);
    TELL(connect(late, (struct sockaddr *)&name, sizeof name));
    close(late);
    TELL(unlink("socket"));
}

static void abstract(void)
{
    struct sockaddr_un name = {.sun_family = AF_UNIX}, got;
    socklen_t length = (socklen_t)(sizeof(sa_family_t) + 1 +
                                   snprintf(name.sun_path + 1, 40, "quire-%d", getpid()));
    socklen_t size = sizeof got;
    int listener = socket(AF_UNIX, SOCK_STREAM, 0), fd = socket(AF_UNIX, SOCK_STREAM, 0);
    TELL(connect(fd, (struct sockaddr *)&name, length));
    TELL(bind(listener, (struct sockaddr *)&name, length));
    TELL(bind(fd, (struct sockaddr *)&name, length));
    TELL(listen(listener, 1));
    TELL(connect(fd, (struct sockaddr *)&name, length));
    TELL(getpeername(fd, (struct sockaddr *)&got, &size));
    printf("the same: %d\n", size == length && !memcmp(&got, &name, size));
    close(listener);
    close(fd);
    fd = socket(AF_UNIX, SOCK_STREAM, 0);
    TELL(bind(fd, (struct sockaddr *)&name, sizeof(sa_family_t)));
    size = sizeof got;
    TELL(getsockname(fd, (struct sockaddr *)&got, &size));
    printf("%d bytes\n", (int)size);
    close(fd);
}

static void datagrams(void)
{
    struct sockaddr_un names[2] = {name_of("a"), name_of("b")}, got;
    struct sockaddr nobody = {.sa_family = AF_UNSPEC};
    int fd[2];
    for (int i = 0; i < 2; i++) {
        fd[i] = socket(AF_UNIX, SOCK_DGRAM, 0);
        TELL(bind(fd[i], (struct sockaddr *)&names[i], sizeof names[i]));
    }
    TELL(send(fd[0], "a", 1, 0));
    TELL(sendto(fd[0], "to b", 4, 0, (struct sockaddr *)&names[1], sizeof names[1]));
    socklen_t size = sizeof got;
    TELL(recvfrom(fd[1], bytes, 10, 0, (struct sockaddr *)&got, &size));
    say_name("from", &got, size);
    TELL(connect(fd[0], (struct sockaddr *)&names[1], sizeof names[1]));
    TELL(send(fd[0], "b", 1, 0));
    events("b", fd[1]);
    TELL(connect(fd[1], (struct sockaddr *)&names[1], sizeof names[1]));
    TELL(send(fd[0], "b", 1, 0));
    TELL(connect(fd[0], &nobody, sizeof nobody));
    TELL(send(fd[0], "b", 1, 0));
    int stream = socket(AF_UNIX, SOCK_STREAM, 0);
    TELL(connect(stream, (struct sockaddr *)&names[1], sizeof names[1]));
    close(stream);
    close(fd[1]);
    TELL(sendto(fd[0], "to b", 4, 0, (struct sockaddr *)&names[1], sizeof names[1]));
    close(fd[0]);
}

static void lengths(void)
{
    struct sockaddr_un name = name_of("lengths"), got;
    socklen_t size = sizeof got;
    int listener = socket(AF_UNIX, SOCK_STREAM, 0), client = socket(AF_UNIX, SOCK_STREAM, 0);
    TELL(bind(listener, (struct sockaddr *)&name, sizeof name));
    TELL(listen(listener, 5));
    TELL(connect(client, (struct sockaddr *)&name, 2));
    TELL(connect(client, (struct sockaddr *)&name, sizeof name));
    long end = syscall(SYS_accept4, listener, NULL, NULL, SOCK_CLOEXEC);
    TELL(send((int)end, "a", 1, 0));
    TELL(recvfrom(client, bytes, 10, 0, (struct sockaddr *)&got, &size));
    say_name("from", &got, size);
    TELL(sendto(client, "a", 1, 0, (struct sockaddr *)&name, 0));
    size = sizeof got;
    TELL(recvfrom((int)end, bytes, 10, 0, (struct sockaddr *)&got, &size));
    printf("%d bytes\n", (int)size);
    close((int)end);
    close(client);
    close(listener);
    unlink("lengths");
    fresh(SOCK_DGRAM);
    TELL(sendto(pair[0], "a", 1, 0, (struct sockaddr *)&name, 0));
    TELL(sendto(pair[0], "a", 1, 0, (struct sockaddr *)&name, 2));
    TELL(connect(pair[0], (struct sockaddr *)&name, 2));
    TELL(send(pair[0], "a", 1, 0));
}

static void watched(void)
{
    int epoll = epoll_create1(0);
    struct epoll_event event = {.events = EPOLLIN | EPOLLET | EPOLLRDHUP};
    fresh(SOCK_STREAM);
    epoll_ctl(epoll, EPOLL_CTL_ADD, pair[1], &event);
    TELL(epoll_wait(epoll, &event, 1, 0));
    send(pair[0], "a", 1, 0);
    TELL(epoll_wait(epoll, &event, 1, 0));
    printf("%#x\n", event.events);
    TELL(epoll_wait(epoll, &event, 1, 0));
    send(pair[0], "b", 1, 0);
    TELL(epoll_wait(epoll, &event, 1, 0));
    shutdown(pair[0], SHUT_WR);
    TELL(epoll_wait(epoll, &event, 1, 0));
    printf("%#x\n", event.events);
    close(epoll);
}

int main(void)
{
    refusals();
    options();
    streams();
    IN_CHILD(dies_of_it);
    much();
    small(SOCK_SEQPACKET, 0);
    small(SOCK_SEQPACKET, 1);
    small(SOCK_STREAM, 1);
    timeouts();
    IN_CHILD(timeouts_end);
    IN_CHILD(no_descriptor);
    packets(SOCK_DGRAM);
    packets(SOCK_SEQPACKET);
    named(SOCK_STREAM);
    named(SOCK_SEQPACKET);
    abstract();
    datagrams();
    lengths();
    watched();
    return 0;
}
