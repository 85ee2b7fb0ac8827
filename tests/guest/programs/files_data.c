/* Data: reading, writing, offsets, truncation, holes, descriptors, locks */
#include "say.h"

#include <sys/file.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/uio.h>

static void offsets(void)
{
    char text[16] = {0};
    int fd = open("offsets", O_RDWR | O_CREAT | O_TRUNC, 0644);
    TELL(write(fd, "0123456789", 10));
    TELL(lseek(fd, -3, SEEK_END));
    TELL(read(fd, text, 5));
    TELL(read(fd, text, 5));
    TELL(lseek(fd, -1, SEEK_SET));
    TELL(lseek(fd, 0, 99));
    TELL(lseek(fd, 100, SEEK_SET));
    TELL(read(fd, text, 5));
    TELL(write(fd, "x", 1));
    TELL(lseek(fd, 0, SEEK_END));
    TELL(pread(fd, text, 5, 8));
    printf("%.2s %d\n", text, text[2]);
    TELL(pread(fd, text, 5, -1));
    TELL(pwrite(fd, "AB", 2, 1));
    TELL(lseek(fd, 0, SEEK_CUR));
    TELL(ftruncate(fd, 5));
    TELL(ftruncate(fd, -1));
    TELL(ftruncate(fd, 10));
    TELL(pread(fd, text, 16, 0));
    printf("%.5s %d\n", text, text[5]);
    TELL(truncate("none", 1));
    TELL(truncate(".", 1));
    struct iovec vector[3] = {{"one", 3}, {"two", 3}, {(void *)8, 0}};
    TELL(writev(fd, vector, 3));
    volatile int wrong[2] = {-1, 1025}; /* the compiler knows that this is wrong */
    TELL(writev(fd, vector, wrong[0]));
    TELL(writev(fd, vector, wrong[1]));
    TELL(writev(fd, NULL, 0));
    vector[1].iov_base = (void *)8;
    TELL(writev(fd, vector, 2));
    TELL(writev(fd, vector + 1, 1));
    TELL(pwritev(fd, vector, 2, 1));
    TELL(lseek(fd, 2, SEEK_SET));
    vector[0].iov_base = text;
    TELL(readv(fd, vector, 2));
    TELL(lseek(fd, 0, SEEK_CUR));
    TELL(preadv(fd, vector, 2, 1));
    TELL(preadv(fd, vector + 1, 1, 1));
    printf("%.3s\n", text);
    TELL(lseek(fd, 0, SEEK_END));
    int appended = open("offsets", O_WRONLY | O_APPEND);
    TELL(lseek(appended, 0, SEEK_SET));
    TELL(write(appended, "END", 3));
    TELL(lseek(appended, 0, SEEK_CUR) == lseek(fd, 0, SEEK_END));
    TELL(read(appended, text, 1));
    TELL(write(open("offsets", O_RDONLY), "x", 1));
    TELL(read(999, text, 1));
    TELL(read(open(".", O_RDONLY), text, 1));
    TELL(close(999));
}

static void holes(void)
{
    struct stat status;
    int fd = open("holes", O_RDWR | O_CREAT | O_TRUNC, 0644);
    TELL(pwrite(fd, "h", 1, 20 * PAGE));
    TELL(fstat(fd, &status));
    printf("%ld bytes, %ld blocks\n", (long)status.st_size, (long)status.st_blocks);
    TELL(lseek(fd, 0, SEEK_DATA));
    TELL(lseek(fd, 0, SEEK_HOLE));
    TELL(lseek(fd, 20 * PAGE, SEEK_HOLE));
    TELL(lseek(fd, 20 * PAGE + 1, SEEK_DATA));
    TELL(fallocate(fd, 0, 0, 2 * PAGE));
    TELL(fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 20 * PAGE, PAGE));
    TELL(fallocate(fd, FALLOC_FL_PUNCH_HOLE, 0, PAGE));
    TELL(fallocate(fd, 0, 0, 0));
    TELL(fallocate(fd, 0, -1, PAGE));
    TELL(fstat(fd, &status));
    printf("%ld bytes, %ld blocks\n", (long)status.st_size, (long)status.st_blocks);
    TELL(ftruncate(fd, 4 * PAGE));
    TELL(pwrite(fd, "k", 1, PAGE + 5));
    TELL(fallocate(fd, FALLOC_FL_KEEP_SIZE, 0, 2 * PAGE));
    TELL(fallocate(fd, 0, 3 * PAGE, PAGE + 1));
    TELL(fstat(fd, &status));
    printf("%ld bytes, %ld blocks\n", (long)status.st_size, (long)status.st_blocks);
    TELL(posix_fadvise(fd, 0, 0, 99));
    TELL(fsync(fd));
    TELL(fdatasync(fd));
    TELL(fsync(999));
}

static void descriptors(void)
{
    int fd = open("d", O_RDWR | O_CREAT | O_TRUNC | O_APPEND, 0644), flags;
    TELL(dup(999));
    TELL(dup2(fd, fd) == fd);
    TELL(dup2(999, 999));
    TELL(dup2(fd, 5000));
    TELL(dup3(fd, fd, 0));
    TELL(dup3(fd, 60, O_CLOEXEC));
    TELL(fcntl(60, F_GETFD));
    TELL(fcntl(fd, F_DUPFD, 70));
    TELL(fcntl(fd, F_DUPFD, 1024));
    TELL(fcntl(fd, F_DUPFD_CLOEXEC, 71));
    TELL(fcntl(fd, 9999));
    flags = fcntl(fd, F_GETFL);
    printf("flags %o\n", flags & ~O_LARGEFILE & ~0100000);
    TELL(fcntl(fd, F_SETFL, O_NONBLOCK));
    flags = fcntl(70, F_GETFL);
    printf("of both %o\n", flags & ~O_LARGEFILE & ~0100000);
    TELL(write(fd, "12345", 5));
    TELL(lseek(70, 0, SEEK_CUR));
    TELL(close(70));
    TELL(close(70));
    TELL((int)syscall(SYS_close_range, 60, 100, 0));
    TELL(fcntl(60, F_GETFD));
    TELL(fcntl(71, F_GETFD));
    int path = open("d", O_PATH);
    TELL(read(path, (char[1]){0}, 1));
    TELL(fchmod(path, 0600));
    TELL(fstat(path, &(struct stat){0}));
}

static void locks(void)
{
    int fd = open("locks", O_RDWR | O_CREAT, 0644), other = open("locks", O_RDWR);
    struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = 10, .l_len = 10};
    TELL(fcntl(fd, F_SETLK, &lock));
    TELL(fcntl(other, F_SETLK, &lock)); /* the same process: no conflict */
    TELL(flock(fd, LOCK_EX));
    TELL(flock(other, LOCK_EX | LOCK_NB));
    TELL(flock(other, LOCK_SH | LOCK_NB));
    TELL(flock(fd, 16));
    fflush(stdout);
    pid_t pid = fork();
    if (!pid) {
        struct flock test = {.l_type = F_RDLCK, .l_whence = SEEK_SET, .l_start = 0, .l_len = 0};
        TELL(fcntl(fd, F_GETLK, &test));
        printf("held from %d, %d bytes, type %d, by our parent %d\n", (int)test.l_start,
               (int)test.l_len, test.l_type, test.l_pid == getppid());
        test = (struct flock){.l_type = F_RDLCK, .l_whence = SEEK_SET, .l_start = 15, .l_len = 1};
        TELL(fcntl(fd, F_SETLK, &test));
        test.l_start = 20;
        TELL(fcntl(fd, F_SETLK, &test));
        TELL(flock(fd, LOCK_EX | LOCK_NB)); /* the same open file: it has it */
        _exit(0);
    }
    waitpid(pid, NULL, 0);
    lock.l_type = F_UNLCK;
    lock.l_start = 12;
    lock.l_len = 2;
    TELL(fcntl(fd, F_SETLK, &lock));
    pid = fork();
    if (!pid) {
        struct flock test = {.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = 12, .l_len = 100};
        TELL(fcntl(fd, F_GETLK, &test));
        printf("split: held from %d, %d bytes\n", (int)test.l_start, (int)test.l_len);
        _exit(0);
    }
    waitpid(pid, NULL, 0);
    close(other); /* which loses all record locks of the process */
    pid = fork();
    if (!pid) {
        struct flock test = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
        TELL(fcntl(fd, F_GETLK, &test));
        printf("free: %d\n", test.l_type == F_UNLCK);
        _exit(0);
    }
    waitpid(pid, NULL, 0);
}

static volatile int nr_signals;

static void count_signal(int ignored)
{
    (void)ignored;
    nr_signals++;
}

static void sealed(void)
{
    int fd = memfd_create("name", MFD_ALLOW_SEALING | MFD_CLOEXEC);
    TELL(fcntl(fd, F_GETFD));
    TELL(ftruncate(fd, 2 * PAGE));
    char *map = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    TELL(fcntl(fd, F_GET_SEALS));
    TELL(fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE)); /* mapped writably */
    TELL(munmap(map, PAGE));
    TELL(fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_WRITE));
    TELL(ftruncate(fd, PAGE));
    TELL(ftruncate(fd, 3 * PAGE));
    TELL(write(fd, "x", 1));
    TELL_DONE(mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0));
    TELL_DONE(mmap(NULL, PAGE, PROT_READ, MAP_SHARED, fd, 0));
    TELL_DONE(mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0));
    TELL(fcntl(fd, F_ADD_SEALS, F_SEAL_GROW | F_SEAL_SEAL));
    TELL(ftruncate(fd, 4 * PAGE));
    TELL(fcntl(fd, F_ADD_SEALS, F_SEAL_GROW));
    TELL(fcntl(fd, F_GET_SEALS));
    fd = memfd_create("other", 0);
    TELL(fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE));
    TELL(memfd_create("wrong", 0x80000));
    TELL(fcntl(open("plain", O_RDWR | O_CREAT, 0600), F_GET_SEALS) < 0);
}

/* What a seal or a limit cuts is written up to there. */
static void cut(void)
{
    static char text[64 * PAGE];
    int fd = memfd_create("grow", MFD_ALLOW_SEALING);
    TELL(ftruncate(fd, 2 * PAGE + 100));
    TELL(fcntl(fd, F_ADD_SEALS, F_SEAL_GROW));
    TELL(pwrite(fd, text, 3 * PAGE, 0));
    TELL(pwrite(fd, text, 3 * PAGE, 5));
    TELL(pwrite(fd, text, 2 * PAGE + 100, 0));
    TELL(pwrite(fd, text, 101, 2 * PAGE));
    TELL(pwrite(fd, text, 100, 2 * PAGE));
    signal(SIGXFSZ, count_signal);
    fd = open("cut", O_RDWR | O_CREAT | O_TRUNC, 0644);
    struct rlimit limit = {32 * PAGE, RLIM_INFINITY}, old;
    getrlimit(RLIMIT_FSIZE, &old);
    TELL(setrlimit(RLIMIT_FSIZE, &limit));
    TELL(write(fd, text, 64 * PAGE));
    printf("%d signals\n", nr_signals);
    TELL(write(fd, text, 1));
    TELL(write(fd, text, 0));
    printf("%d signals\n", nr_signals);
    limit.rlim_cur = 100;
    TELL(setrlimit(RLIMIT_FSIZE, &limit));
    struct iovec vector[2] = {{text, 70}, {text, 70}};
    TELL(pwritev(fd, vector, 2, 0));
    TELL(pwritev(fd, vector, 2, 100));
    printf("%d signals\n", nr_signals);
    setrlimit(RLIMIT_FSIZE, &old);
    signal(SIGXFSZ, SIG_DFL);
    TELL(ftruncate(fd, 0));
    char *memory = pages(2);
    TELL(pwrite(fd, memory + 100, 16 * PAGE, 0));
    TELL(pwrite(fd, memory + 2 * PAGE, 1, 0));
    TELL(lseek(fd, 0, SEEK_END));
    TELL(pread(fd, memory + PAGE, 2 * PAGE, 0));
    TELL(pread(fd, memory + 2 * PAGE, 1, 0));
}

static void times(void)
{
    struct stat status;
    struct timeval given[2] = {{1000000000, 250000}, {1100000000, 500000}};
    close(open("times", O_WRONLY | O_CREAT, 0644));
    TELL(utimes("times", given));
    TELL(stat("times", &status));
    printf("%ld.%09ld %ld.%09ld\n", (long)status.st_atim.tv_sec, status.st_atim.tv_nsec,
           (long)status.st_mtim.tv_sec, status.st_mtim.tv_nsec);
    struct timespec some[2] = {{0, UTIME_OMIT}, {5, 6}}, wrong[2] = {{0, 1000000000}, {0, 0}};
    TELL(utimensat(AT_FDCWD, "times", some, 0));
    TELL(stat("times", &status));
    printf("%ld %ld\n", (long)status.st_atim.tv_sec, (long)status.st_mtim.tv_sec);
    TELL(utimensat(AT_FDCWD, "times", wrong, 0));
    TELL(utimensat(AT_FDCWD, "none", some, 0));
    TELL(truncate("times", 100));
    TELL(stat("times", &status));
    printf("changed now: %d\n", status.st_mtim.tv_sec > 1100000000);
}

int main(void)
{
    offsets();
    holes();
    descriptors();
    locks();
    sealed();
    cut();
    times();
    return 0;
}
