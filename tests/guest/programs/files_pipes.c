/* Pipes, poll and select */
#include "say.h"

#include <sys/select.h>
#include <sys/stat.h>

static int ends[2];

static void fresh(int flags)
{
    if (pipe2(ends, flags))
        printf("no pipe: %s\n", error_name(errno));
}

static void events(const char *what, int fd, short wanted)
{
    struct pollfd poller = {fd, wanted, 0};
    int count = poll(&poller, 1, 0);
    printf("%s: %d,%s%s%s%s%s\n", what, count, poller.revents & POLLIN ? " IN" : "",
           poller.revents & POLLOUT ? " OUT" : "", poller.revents & POLLHUP ? " HUP" : "",
           poller.revents & POLLERR ? " ERR" : "", poller.revents & POLLNVAL ? " NVAL" : "");
}

static void capacity(void)
{
    static char block[PAGE];
    long total = 0, got;
    fresh(O_NONBLOCK);
    TELL(read(ends[0], block, 1));
    while ((got = write(ends[1], block, sizeof block)) > 0)
        total += got;
    TELL(write(ends[1], block, 1));
    printf("holds %ld\n", total);
    events("full, to write", ends[1], POLLOUT);
    TELL(read(ends[0], block, 100));
    TELL(write(ends[1], block, PAGE)); /* all or nothing */
    events("a little room", ends[1], POLLOUT);
    TELL(read(ends[0], block, PAGE));
    TELL(write(ends[1], block, PAGE));
    TELL(fcntl(ends[0], F_GETPIPE_SZ));
    TELL(fcntl(ends[0], F_SETPIPE_SZ, 4096));
    TELL(lseek(ends[0], 0, SEEK_SET));
    TELL(pread(ends[0], block, 1, 0));
    TELL(write(ends[0], block, 1));
    TELL(read(ends[1], block, 1));
    TELL(write(ends[1], block, 0));
    TELL(pipe2(ends, 1));
}

static void ends_close(void)
{
    char byte;
    fresh(0);
    events("empty", ends[0], POLLIN);
    events("to write", ends[1], POLLOUT);
    TELL(write(ends[1], "ab", 2));
    events("something", ends[0], POLLIN);
    close(ends[1]);
    events("and closed", ends[0], POLLIN);
    TELL(read(ends[0], &byte, 1));
    TELL(read(ends[0], &byte, 1));
    TELL(read(ends[0], &byte, 1));
    events("at the end", ends[0], POLLIN);
    events("a closed descriptor", ends[1], POLLIN);
    fresh(0);
    close(ends[0]);
    events("nobody reads", ends[1], POLLOUT);
    signal(SIGPIPE, SIG_IGN);
    TELL(write(ends[1], "x", 1));
    signal(SIGPIPE, SIG_DFL);
}

static void dies_of_it(void)
{
    fresh(0);
    close(ends[0]);
    TELL(write(ends[1], "x", 1));
}

static void atomic_writes(void)
{
    char record[512], seen[4] = {0};
    bool mixed = false;
    fresh(0);
    for (int i = 0; i < 4; i++)
        if (!fork()) {
            memset(record, 'A' + i, sizeof record);
            for (int n = 0; n < 100; n++)
                if (write(ends[1], record, sizeof record) != sizeof record)
                    _exit(1);
            _exit(0);
        }
    close(ends[1]);
    for (;;) {
        size_t have = 0;
        ssize_t got = 1;
        while (have < sizeof record && (got = read(ends[0], record + have, 512 - have)) > 0)
            have += (size_t)got;
        if (have < sizeof record)
            break;
        for (size_t i = 1; i < sizeof record; i++)
            mixed = mixed || record[i] != record[0];
        seen[record[0] - 'A']++;
    }
    while (wait(NULL) > 0)
        ;
    printf("records of four: %d %d %d %d, mixed %d\n", seen[0], seen[1], seen[2], seen[3], mixed);
}

static void selected(void)
{
    fd_set in, out;
    struct timeval shortly = {0, 10000};
    fresh(0);
    FD_ZERO(&in);
    FD_ZERO(&out);
    FD_SET(ends[0], &in);
    FD_SET(ends[1], &out);
    TELL(select(ends[1] + 1, &in, &out, NULL, NULL));
    printf("%d %d\n", FD_ISSET(ends[0], &in), FD_ISSET(ends[1], &out));
    FD_SET(ends[0], &in);
    TELL(select(ends[0] + 1, &in, NULL, NULL, &shortly));
    printf("time is used up: %d\n", shortly.tv_sec == 0 && shortly.tv_usec == 0);
    /* Linux doesn't look beyond what its table of descriptors has had room for. */
    dup2(ends[0], 200);
    close(200);
    FD_ZERO(&in);
    FD_SET(200, &in);
    TELL(select(201, &in, NULL, NULL, NULL));
    TELL(select(-1, NULL, NULL, NULL, NULL));
    TELL(poll(NULL, 0, 5));
    struct pollfd *volatile nowhere = (struct pollfd *)8;
    TELL(poll(nowhere, 1, 0));
    TELL(poll(&(struct pollfd){-1, POLLIN, 0}, 1, 0));
    events("a file", open("file", O_RDWR | O_CREAT, 0600), POLLIN | POLLOUT);
}

static void named(void)
{
    TELL(mkfifo("fifo", 0600));
    TELL(mkfifo("fifo", 0600));
    TELL(open("fifo", O_WRONLY | O_NONBLOCK));
    pid_t pid = fork();
    if (!pid) {
        int fd = open("fifo", O_WRONLY); /* waits for a reader */
        _exit(write(fd, "fifo", 4) != 4);
    }
    char text[8] = {0};
    int fd = open("fifo", O_RDONLY);
    TELL(read(fd, text, 8));
    TELL(read(fd, text, 8));
    waitpid(pid, NULL, 0);
    printf("%s\n", text);
}

/* /proc/self/fd/N opens another end of a pipe without a name, and waits for nobody. */
static int opened_again(int fd, int flags)
{
    char path[32];
    snprintf(path, sizeof path, "/dev/fd/%d", fd);
    return open(path, flags);
}

static void by_descriptor(void)
{
    char text[8] = {0};
    int fd, other;
    fresh(0);
    TELL(write(ends[1], "abc", 3));
    close(ends[1]);
    TELL_DONE(fd = opened_again(ends[0], O_RDONLY));
    TELL(read(fd, text, 8));
    TELL(read(fd, text, 8));
    printf("%s\n", text);
    TELL_DONE(other = opened_again(fd, O_WRONLY)); /* by the end for reading */
    TELL(write(other, "de", 2));
    TELL(read(ends[0], text, 8));
    close(fd);
    close(ends[0]);
    signal(SIGPIPE, SIG_IGN);
    TELL(write(other, "f", 1));
    TELL_DONE(fd = opened_again(other, O_WRONLY | O_NONBLOCK));
    TELL(write(fd, "f", 1));
    TELL_DONE(ends[0] = opened_again(other, O_RDWR));
    TELL(write(fd, "g", 1));
    TELL(read(ends[0], text, 8));
    signal(SIGPIPE, SIG_DFL);
}

int main(void)
{
    capacity();
    ends_close();
    IN_CHILD(dies_of_it);
    atomic_writes();
    selected();
    named();
    by_descriptor();
    return 0;
}
