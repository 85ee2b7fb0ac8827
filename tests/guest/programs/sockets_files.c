/* Files that are sent over sockets: to whom, with what, and what becomes of those nobody takes */
#include "say.h"

#include <sys/resource.h>
#include <sys/socket.h>

static int pair[2];
static char bytes[100];

static void fresh(int type)
{
    for (int i = 0; i < 2; i++)
        if (pair[i])
            close(pair[i]);
    if (socketpair(AF_UNIX, type, 0, pair))
        printf("socketpair: %s\n", error_name(errno));
}

union control {
    char bytes[CMSG_SPACE(4 * sizeof(int)) + CMSG_SPACE(sizeof(struct ucred))];
    struct cmsghdr header;
};

static long give(const int *fds, unsigned count)
{
    union control control = {{0}};
    char byte = 'f';
    struct iovec piece = {&byte, 1};
    struct msghdr message = {.msg_iov = &piece,
                             .msg_iovlen = 1,
                             .msg_control = control.bytes,
                             .msg_controllen = CMSG_SPACE(count * sizeof(int))};
    struct cmsghdr *header = CMSG_FIRSTHDR(&message);
    header->cmsg_level = SOL_SOCKET;
    header->cmsg_type = SCM_RIGHTS;
    header->cmsg_len = CMSG_LEN(count * sizeof(int));
    memcpy(CMSG_DATA(header), fds, count * sizeof(int));
    return sendmsg(pair[0], &message, 0);
}

static int receive(size_t room, size_t size, int flags, int *fd)
{
    union control control;
    struct iovec piece = {bytes, size};
    struct msghdr message = {
        .msg_iov = &piece, .msg_iovlen = 1, .msg_control = control.bytes, .msg_controllen = room};
    long got = recvmsg(pair[1], &message, flags);
    printf("%ld bytes, control %d, flags %#x\n", got, (int)message.msg_controllen,
           (unsigned)message.msg_flags);
    *fd = -1;
    int count = 0;
    for (struct cmsghdr *header = CMSG_FIRSTHDR(&message); header;
         header = CMSG_NXTHDR(&message, header)) {
        printf("level %d, type %d, %d bytes\n", header->cmsg_level, header->cmsg_type,
               (int)header->cmsg_len);
        if (header->cmsg_type == SCM_RIGHTS) {
            memcpy(fd, CMSG_DATA(header), sizeof *fd);
            count = (int)((header->cmsg_len - CMSG_LEN(0)) / sizeof(int));
        } else {
            struct ucred user;
            memcpy(&user, CMSG_DATA(header), sizeof user);
            printf("this: %d %d\n", user.pid == getpid(), user.uid == getuid());
        }
    }
    return count;
}

static void descriptors(void)
{
    int file = open("passed", O_RDWR | O_CREAT, 0600), fd, ends[2], yes = 1;
    int wrong[1] = {99}, two[2] = {file, file};
    char text[8] = {0};
    fresh(SOCK_STREAM);
    TELL(write(file, "text", 4));
    TELL(give(wrong, 1));
    TELL(give(&file, 1));
    TELL(send(pair[0], "more", 4, 0));
    close(file);
    TELL(receive(sizeof(union control), 10, MSG_CMSG_CLOEXEC, &fd));
    TELL(fcntl(fd, F_GETFD));
    TELL(pread(fd, text, 8, 0));
    printf("%s\n", text);
    TELL(receive(sizeof(union control), 10, 0, &file));
    two[0] = two[1] = fd;
    TELL(give(two, 2));
    TELL(give(two, 2));
    TELL(receive(CMSG_LEN(sizeof(int)), 10, 0, &file));
    close(file);
    TELL(recv(pair[1], text, 8, 0));
    /* The end that came along keeps the pipe open; the one that nobody took doesn't. */
    TELL(pipe(ends));
    TELL(give(&ends[1], 1));
    close(ends[1]);
    fcntl(ends[0], F_SETFL, O_NONBLOCK);
    TELL(read(ends[0], text, 8));
    close(pair[1]);
    pair[1] = 0;
    TELL(read(ends[0], text, 8));
    close(ends[0]);
    fresh(SOCK_STREAM);
    TELL(setsockopt(pair[1], SOL_SOCKET, SO_PASSCRED, &yes, sizeof yes));
    TELL(give(&fd, 1));
    TELL(receive(sizeof(union control), 10, 0, &file));
    close(file);
    /* Sockets in sockets. */
    for (int i = 0; i < 100; i++) {
        int inner[2];
        socketpair(AF_UNIX, SOCK_STREAM, 0, inner);
        pair[0] = dup2(pair[0], pair[0]);
        int outer = pair[0];
        pair[0] = inner[0];
        if (i < 3)
            give(&outer, 1);
        close(outer);
        close(pair[1]);
        pair[1] = inner[1];
    }
    close(fd);
}

/* Plain bytes before and behind those that a file comes along with. */
static void behind_bytes(void)
{
    int file = open("passed", O_RDWR | O_CREAT, 0600), fd;
    fresh(SOCK_STREAM);
    TELL(write(pair[0], "0123456789", 10));
    TELL(give(&file, 1));
    TELL(write(pair[0], "more", 4));
    TELL(give(&file, 1));
    TELL(receive(sizeof(union control), 100, MSG_PEEK, &fd));
    TELL_DONE(fcntl(fd, F_GETFD));
    close(fd);
    TELL(receive(sizeof(union control), 100, 0, &fd));
    close(fd);
    TELL(receive(sizeof(union control), 3, 0, &fd));
    TELL(receive(sizeof(union control), 100, MSG_WAITALL, &fd));
    close(fd);
    close(file);
}

/* Control messages that can't be written. */
static void unwritable(void)
{
    int file = open("passed", O_RDWR | O_CREAT, 0600), yes = 1, free;
    struct iovec piece = {bytes, 10};
    struct msghdr message = {
        .msg_iov = &piece, .msg_iovlen = 1, .msg_control = (void *)8, .msg_controllen = 64};
    fresh(SOCK_STREAM);
    free = dup(file);
    close(free);
    TELL(give(&file, 1));
    TELL(recvmsg(pair[1], &message, 0));
    printf("control %d, flags %#x\n", (int)message.msg_controllen, (unsigned)message.msg_flags);
    printf("none is open: %d\n", dup(file) == free);
    close(free);
    TELL(setsockopt(pair[1], SOL_SOCKET, SO_PASSCRED, &yes, sizeof yes));
    TELL(send(pair[0], "a", 1, 0));
    message.msg_control = (void *)8;
    message.msg_controllen = 64;
    TELL(recvmsg(pair[1], &message, 0));
    printf("control %d, flags %#x\n", (int)message.msg_controllen, (unsigned)message.msg_flags);
    close(file);
}

/* Sockets that only their own queues hold, and what they hold. */
static void circles(void)
{
    int ends[2], other[2];
    char byte;
    TELL(pipe(ends));
    for (int i = 0; i < 3; i++) {
        fresh(SOCK_STREAM);
        TELL(socketpair(AF_UNIX, SOCK_DGRAM, 0, other));
        int both[3] = {pair[0], pair[1], ends[1]}, swapped[2] = {pair[1], pair[0]};
        TELL(give(both, i == 1 ? 3 : 2));
        pair[0] = swapped[0];
        pair[1] = swapped[1];
        TELL(give(both, 2));
        pair[0] = other[0];
        TELL(give(swapped, 2)); /* one that is in a circle, and not of it */
        close(swapped[0]);
        close(swapped[1]);
        close(other[0]);
        pair[0] = pair[1] = 0;
        if (i < 2)
            close(other[1]);
        else
            pair[1] = other[1];
    }
    close(ends[1]);
    fresh(SOCK_STREAM);
    fresh(SOCK_STREAM);
    TELL(read(ends[0], &byte, 1));
    close(ends[0]);
}

/* Who may not do what root may. */
static void in_flight(void)
{
    struct rlimit limit = {20, 20};
    int sent = 0;
    fresh(SOCK_STREAM);
    if (!getuid() && setresuid(12345, 12345, 12345))
        printf("no other user: %s\n", error_name(errno));
    TELL(setrlimit(RLIMIT_NOFILE, &limit));
    while (sent < 100 && give(&pair[0], 1) == 1)
        sent++;
    printf("%d, %s\n", sent, error_name(errno));
}

int main(void)
{
    descriptors();
    behind_bytes();
    unwritable();
    circles();
    IN_CHILD(in_flight);
    return 0;
}
