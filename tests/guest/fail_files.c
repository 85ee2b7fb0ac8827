/* tests/guest/fail_files.c: files, pipes, sockets and events for which allocations fail */
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>
#include <sys/un.h>
#include <sys/xattr.h>
#include <time.h>
#include <unistd.h>

#include "fail.h"

int op_file(void)
{
    char block[100];
    memset(block, 7, sizeof block);
    int fd = open("/tmp/fail-file", O_RDWR | O_CREAT | O_EXCL, 0600);
    if (fd < 0)
        return errno;
    int error = 0;
    for (unsigned i = 0; i < 8 && !error; i++)
        if (pwrite(fd, block, sizeof block, (off_t)(i * 70000)) != (ssize_t)sizeof block)
            error = errno;
    if (!error && pread(fd, block, sizeof block, 70000) != (ssize_t)sizeof block)
        error = errno;
    if (!error && ftruncate(fd, 100))
        error = errno;
    if (!error && fallocate(fd, 0, 0, 20 * PAGE))
        error = errno;
    close(fd);
    if (unlink("/tmp/fail-file") && !error)
        error = errno;
    return error;
}

int op_file_map(void)
{
    unsigned char *shared =
        mmap(NULL, NR_PAGES * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    unsigned char *private =
        mmap(NULL, NR_PAGES * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE, file, 0);
    if (shared == MAP_FAILED || private == MAP_FAILED)
        return errno;
    touch(shared, NR_PAGES);
    touch(private, NR_PAGES);
    TRY(msync(shared, NR_PAGES * PAGE, MS_SYNC));
    TRY(munmap(shared, NR_PAGES * PAGE));
    return munmap(private, NR_PAGES * PAGE) ? errno : 0;
}

int op_names(void)
{
    int error = 0, fd;
    char bytes[2000];
    if (mkdir("/tmp/fail-folder", 0700))
        return errno;
    if (symlink("fail-folder", "/tmp/fail-link"))
        error = errno;
    fd = error ? -1 : open("/tmp/fail-link/one", O_RDWR | O_CREAT, 0600);
    if (!error && fd < 0)
        error = errno;
    if (!error && setxattr("/tmp/fail-link/one", "user.a", "value", 5, 0) && errno != ENOTSUP)
        error = errno;
    if (!error && link("/tmp/fail-folder/one", "/tmp/fail-folder/two"))
        error = errno;
    if (!error && rename("/tmp/fail-folder/two", "/tmp/fail-folder/three"))
        error = errno;
    if (fd >= 0)
        close(fd);
    fd = error ? -1 : open("/tmp/fail-folder", O_RDONLY | O_DIRECTORY);
    if (!error && (fd < 0 || syscall(SYS_getdents64, fd, bytes, sizeof bytes) < 0))
        error = errno;
    if (!error && !getcwd(bytes, sizeof bytes))
        error = errno;
    if (fd >= 0)
        close(fd);
    return error;
}

void undo_names(void)
{
    static const char *const names[] = {"/tmp/fail-folder/one",   "/tmp/fail-folder/two",
                                        "/tmp/fail-folder/three", "/tmp/fail-link",
                                        "/tmp/fail-file",         "/tmp/fail-socket"};
    for (unsigned i = 0; i < COUNT(names); i++)
        unlink(names[i]);
    rmdir("/tmp/fail-folder");
}

int op_proc(void)
{
    static const char *const names[] = {"/proc/self/maps",   "/proc/self/smaps", "/proc/meminfo",
                                        "/proc/self/status", "/proc/vmstat",     "/proc/slabinfo",
                                        "/proc/self/exe",    "/proc/self/fd"};
    char bytes[8192];
    for (unsigned i = 0; i < COUNT(names); i++) {
        int fd = open(names[i], O_RDONLY);
        if (fd < 0)
            return errno;
        ssize_t got = i + 1 == COUNT(names) ? syscall(SYS_getdents64, fd, bytes, sizeof bytes)
                                            : read(fd, bytes, sizeof bytes);
        int error = errno;
        close(fd);
        if (got < 0)
            return error;
    }
    return 0;
}

int op_pipe(void)
{
    int fd[2], copy[2];
    char bytes[5000];
    memset(bytes, 1, sizeof bytes);
    TRY(pipe(fd));
    TRY(pipe(copy));
    TRY(write(fd[1], bytes, sizeof bytes));
    TRY(tee(fd[0], copy[1], 3000, 0));
    TRY(splice(fd[0], NULL, copy[1], NULL, 2000, 0));
    TRY(read(copy[0], bytes, sizeof bytes));
    TRY(dup2(fd[0], 200));
    TRY(fcntl(fd[1], F_SETPIPE_SZ, 8 * PAGE));
    return 0;
}

int op_socket(void)
{
    int fd[2];
    char byte = 'a', room[CMSG_SPACE(sizeof(int))];
    struct iovec piece = {&byte, 1};
    struct msghdr message = {.msg_iov = &piece, .msg_iovlen = 1, .msg_control = room};
    TRY(socketpair(AF_UNIX, SOCK_STREAM, 0, fd));
    message.msg_controllen = sizeof room;
    struct cmsghdr *head = CMSG_FIRSTHDR(&message);
    head->cmsg_level = SOL_SOCKET;
    head->cmsg_type = SCM_RIGHTS;
    head->cmsg_len = CMSG_LEN(sizeof(int));
    memcpy(CMSG_DATA(head), &file, sizeof(int));
    TRY(sendmsg(fd[0], &message, MSG_DONTWAIT));
    message.msg_controllen = sizeof room;
    TRY(recvmsg(fd[1], &message, MSG_DONTWAIT));
    return 0;
}

int op_listen(void)
{
    struct sockaddr_un address = {AF_UNIX, "/tmp/fail-socket"};
    char bytes[4000] = "";
    int server = socket(AF_UNIX, SOCK_STREAM, 0), client = socket(AF_UNIX, SOCK_STREAM, 0);
    TRY(server);
    TRY(client);
    TRY(bind(server, (struct sockaddr *)&address, sizeof address));
    TRY(listen(server, 4));
    TRY(connect(client, (struct sockaddr *)&address, sizeof address));
    int peer = accept(server, NULL, NULL);
    TRY(peer);
    TRY(send(client, bytes, sizeof bytes, MSG_DONTWAIT));
    TRY(recv(peer, bytes, sizeof bytes, MSG_DONTWAIT));
    return 0;
}

int op_events(void)
{
    sigset_t set;
    struct epoll_event event = {.events = EPOLLIN};
    struct itimerspec soon = {{0, 0}, {0, 1000}};
    struct pollfd polled[40];
    int epoll = epoll_create1(0), counter = eventfd(1, 0);
    int timer = timerfd_create(CLOCK_MONOTONIC, 0);
    sigemptyset(&set);
    sigaddset(&set, SIGUSR1);
    int signals = signalfd(-1, &set, 0);
    TRY(epoll);
    TRY(counter);
    TRY(timer);
    TRY(signals);
    TRY(epoll_ctl(epoll, EPOLL_CTL_ADD, counter, &event));
    TRY(epoll_ctl(epoll, EPOLL_CTL_ADD, timer, &event));
    TRY(timerfd_settime(timer, 0, &soon, NULL));
    TRY(epoll_wait(epoll, &event, 1, 1000));
    for (unsigned i = 0; i < COUNT(polled); i++)
        polled[i] = (struct pollfd){counter, POLLIN, 0};
    TRY(poll(polled, COUNT(polled), 1000));
    return 0;
}

int op_locks(void)
{
    struct flock range = {.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = 10, .l_len = 10};
    TRY(fcntl(file, F_SETLK, &range));
    range = (struct flock){.l_type = F_UNLCK, .l_whence = SEEK_SET, .l_start = 13, .l_len = 2};
    TRY(fcntl(file, F_SETLK, &range));
    for (int fd = 20; fd < 100; fd += 10)
        TRY(dup2(file, fd));
    return 0;
}
