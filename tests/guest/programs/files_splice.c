/* Bytes that the kernel moves: splice, tee, vmsplice, sendfile, copy_file_range; preadv2 */
#include "say.h"

#include <sys/resource.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/uio.h>

static int ends[2], others[2];
static char text[200000];

static void show(const char *what, int fd)
{
    char got[64] = {0};
    fcntl(fd, F_SETFL, O_NONBLOCK);
    int size = (int)read(fd, got, 60);
    printf("%s: %d %s\n", what, size, got);
}

static void refusals(int file)
{
    loff_t at = 0, wrong = -1;
    TELL(splice(file, NULL, file, NULL, 10, 0));
    TELL(splice(ends[0], &at, file, NULL, 10, 0));
    TELL(splice(file, &wrong, ends[1], NULL, 10, 0));
    TELL(splice(ends[0], NULL, ends[1], NULL, 10, 0));
    TELL(splice(ends[1], NULL, file, NULL, 10, 0));
    TELL(splice(99, NULL, ends[1], NULL, 10, 0));
    TELL(splice(file, NULL, ends[1], NULL, 10, 99));
    TELL(splice(99, NULL, 99, NULL, 0, 0));
    TELL(splice(ends[0], NULL, file, NULL, 10, SPLICE_F_NONBLOCK));
    TELL(tee(file, ends[1], 10, 0));
    TELL(tee(ends[0], others[1], 10, SPLICE_F_NONBLOCK));
    TELL(copy_file_range(ends[0], NULL, file, NULL, 10, 0));
    TELL(copy_file_range(file, NULL, file, NULL, 10, 0));
    TELL(copy_file_range(file, NULL, file, NULL, 10, 1));
}

static void moves(int file)
{
    loff_t at = 2;
    lseek(file, 0, SEEK_SET);
    TELL(splice(file, NULL, ends[1], NULL, 5, 0));
    TELL(lseek(file, 0, SEEK_CUR));
    TELL(splice(file, &at, ends[1], NULL, 3, 0));
    TELL(lseek(file, 0, SEEK_CUR));
    printf("at %d\n", (int)at);
    TELL(tee(ends[0], others[1], 6, 0));
    TELL(tee(ends[0], others[1], 100, 0));
    int copy = open("copy", O_RDWR | O_CREAT, 0600);
    at = 1;
    TELL(splice(ends[0], NULL, copy, &at, 4, 0));
    printf("at %d\n", (int)at);
    TELL(splice(ends[0], NULL, copy, NULL, 100, 0));
    lseek(copy, 0, SEEK_SET);
    show("the copy", copy);
    show("the tee", others[0]);
    TELL(splice(copy, NULL, ends[1], NULL, 100, 0));
    lseek(copy, 0, SEEK_SET);
    TELL(splice(copy, NULL, ends[1], NULL, 100, 0));
    TELL(splice(ends[0], NULL, others[1], NULL, 100, 0));
    show("through two pipes", others[0]);
    close(copy);
    copy = open("copy", O_RDWR | O_APPEND);
    TELL(write(ends[1], "a", 1));
    TELL(splice(ends[0], NULL, copy, NULL, 10, 0));
    show("it stayed", ends[0]);
    close(copy);
}

static void much(int file)
{
    for (size_t i = 0; i < sizeof text; i++)
        text[i] = (char)(i * 7 + i / 251);
    TELL(pwrite(file, text, sizeof text, 0) == sizeof text);
    fcntl(ends[0], F_SETFL, 0);
    pid_t pid = fork();
    if (!pid) {
        loff_t at = 0;
        close(ends[0]);
        while (at < (loff_t)sizeof text)
            if (splice(file, &at, ends[1], NULL, sizeof text - (size_t)at, 0) <= 0)
                _exit(1);
        _exit(0);
    }
    close(ends[1]);
    int copy = open("much", O_RDWR | O_CREAT, 0600), status;
    while (splice(ends[0], NULL, copy, NULL, 1 << 20, 0) > 0)
        ;
    waitpid(pid, &status, 0);
    say_status("the other side", status);
    static char got[sizeof text];
    printf("all the same: %d %d\n", pread(copy, got, sizeof got, 0) == sizeof got,
           !memcmp(got, text, sizeof text));
    close(copy);
    close(ends[0]);
    TELL(pipe(ends));
}

static void ranges(int file)
{
    loff_t in = 100, out = 10;
    int copy = open("ranges", O_RDWR | O_CREAT, 0600);
    TELL(copy_file_range(file, &in, copy, &out, 50000, 0));
    printf("%d %d\n", (int)in, (int)out);
    static char got[50010];
    TELL(pread(copy, got, sizeof got, 0));
    printf("the same: %d\n", !got[9] && !memcmp(got + 10, text + 100, 50000));
    in = sizeof text - 5;
    TELL(copy_file_range(file, &in, copy, NULL, 50, 0));
    TELL(copy_file_range(file, &in, copy, NULL, 50, 0));
    TELL(lseek(copy, 0, SEEK_CUR));
    in = 0;
    out = 60000;
    TELL(copy_file_range(file, &in, file, &out, 50000, 0));
    out = 40000;
    TELL(copy_file_range(file, &in, file, &out, 50000, 0) < 0);
    off_t place = 10;
    TELL(sendfile(copy, file, &place, 70000));
    printf("%d\n", (int)place);
    close(copy);
}

static void to_sockets(int file)
{
    int pair[2];
    loff_t at = 0;
    TELL(socketpair(AF_UNIX, SOCK_STREAM, 0, pair));
    TELL(pwrite(file, "0123456789", 10, 0));
    TELL(splice(file, &at, ends[1], NULL, 10, 0));
    TELL(splice(ends[0], NULL, pair[0], NULL, 10, 0));
    show("a socket", pair[1]);
    TELL(write(pair[1], "answer", 6));
    TELL(splice(pair[0], NULL, ends[1], NULL, 100, 0));
    show("and back", ends[0]);
    off_t place = 0;
    TELL(sendfile(pair[0], file, &place, 10));
    show("sendfile", pair[1]);
    TELL(splice(pair[0], NULL, ends[1], NULL, 100, SPLICE_F_NONBLOCK));
    close(pair[0]);
    close(pair[1]);
}

static void pieces(int file)
{
    char a[4] = {0}, b[4] = {0};
    struct iovec vector[2] = {{a, 3}, {b, 3}};
    TELL(preadv2(file, vector, 2, 2, 0));
    printf("%s %s\n", a, b);
    lseek(file, 1, SEEK_SET);
    TELL(preadv2(file, vector, 2, -1, RWF_HIPRI));
    printf("%s %s, at %d\n", a, b, (int)lseek(file, 0, SEEK_CUR));
    TELL(pwritev2(file, vector, 1, 0, RWF_DSYNC));
    TELL(preadv2(file, vector, 2, 0, 0x10000));
    TELL(preadv2(file, vector, 2, -2, 0));
    TELL(vmsplice(ends[1], vector, 2, 0));
    show("lent", ends[0]);
    TELL(vmsplice(file, vector, 2, 0));
}

/* RLIMIT_FSIZE; what wasn't written is where it was. */
static void limited(void)
{
    struct rlimit limit = {6000, 6000};
    loff_t in = 0, out = 0;
    off_t place = 0;
    int file = open("letters", O_RDONLY), copy = open("limited", O_RDWR | O_CREAT | O_TRUNC, 0600);
    signal(SIGXFSZ, SIG_IGN);
    signal(SIGPIPE, SIG_IGN);
    TELL(setrlimit(RLIMIT_FSIZE, &limit));
    TELL(copy_file_range(file, &in, copy, &out, 10000, 0));
    printf("%d %d\n", (int)in, (int)out);
    TELL(copy_file_range(file, &in, copy, &out, 10000, 0));
    printf("%d %d\n", (int)in, (int)out);
    TELL(sendfile(copy, file, &place, 10000));
    printf("%d\n", (int)place);
    TELL(sendfile(copy, file, &place, 10000));
    printf("%d\n", (int)place);
    TELL(ftruncate(copy, 0));
    TELL(splice(file, NULL, ends[1], NULL, 10000, 0));
    out = 0;
    TELL(splice(ends[0], NULL, copy, &out, 10000, 0));
    TELL(splice(ends[0], NULL, copy, &out, 10000, 0));
    printf("%d\n", (int)out);
    fcntl(ends[0], F_SETFL, O_NONBLOCK);
    TELL(read(ends[0], text, sizeof text));
    TELL(lseek(file, 0, SEEK_SET));
    close(ends[0]);
    TELL(splice(file, NULL, ends[1], NULL, 10000, 0));
    TELL(lseek(file, 0, SEEK_CUR));
}

/* Two take from a pipe: each byte comes to one of them. */
static void shared_pipe(void)
{
    int file = open("shared", O_RDWR | O_CREAT, 0600), status[2];
    long sum = 0, taken = 0;
    fcntl(ends[0], F_SETFL, 0);
    pid_t writer = fork();
    if (!writer) {
        for (size_t done = 0; done < sizeof text; done += 1000)
            if (write(ends[1], text + done, 1000) != 1000)
                _exit(1);
        _exit(0);
    }
    close(ends[1]);
    pid_t splicer = fork();
    if (!splicer) {
        while (splice(ends[0], NULL, file, NULL, 3000, 0) > 0)
            ;
        _exit(0);
    }
    static char got[sizeof text];
    for (long size; (size = read(ends[0], got, 700)) > 0; taken += size)
        for (long i = 0; i < size; i++)
            sum += (unsigned char)got[i];
    waitpid(writer, &status[0], 0);
    waitpid(splicer, &status[1], 0);
    long size = pread(file, got, sizeof got, 0);
    for (long i = 0; i < size; i++)
        sum += (unsigned char)got[i];
    for (size_t i = 0; i < sizeof text; i++)
        sum -= (unsigned char)text[i];
    printf("%d %d, all: %d, another sum by %ld\n", status[0], status[1],
           size + taken == sizeof text, sum);
    close(file);
    close(ends[0]);
    TELL(pipe(ends));
}

/* Bytes that go round in two pipes, whoever waits for whom. */
static void round_and_round(void)
{
    char got[200];
    pid_t pid[4];
    TELL(write(ends[1], text, 100));
    for (int i = 0; i < 4; i++) {
        pid[i] = fork();
        while (!pid[i])
            (void)!(i % 2 ? splice(others[0], NULL, ends[1], NULL, 7, 0)
                          : splice(ends[0], NULL, others[1], NULL, 9, 0));
    }
    usleep(100000);
    for (int i = 0; i < 4; i++) {
        kill(pid[i], SIGKILL);
        waitpid(pid[i], NULL, 0);
    }
    fcntl(ends[0], F_SETFL, O_NONBLOCK);
    fcntl(others[0], F_SETFL, O_NONBLOCK);
    int one = (int)read(ends[0], got, sizeof got), other = (int)read(others[0], got, sizeof got);
    printf("there are %d\n", (one > 0 ? one : 0) + (other > 0 ? other : 0));
}

static void broken(void)
{
    close(ends[0]);
    int file = open("file", O_RDONLY);
    splice(file, NULL, ends[1], NULL, 10, 0);
}

int main(void)
{
    int file = open("file", O_RDWR | O_CREAT, 0600);
    TELL(pipe(ends));
    TELL(pipe(others));
    TELL(write(file, "0123456789", 10));
    refusals(file);
    moves(file);
    much(file);
    ranges(file);
    to_sockets(file);
    pieces(file);
    close(letters("letters", 50000));
    shared_pipe();
    round_and_round();
    IN_CHILD(limited);
    IN_CHILD(broken);
    return 0;
}
