/* Calls of memory that few programs make: remap_file_pages, mseal, cachestat, process_madvise,
 * process_mrelease, pidfd_open, pkey_*, and files of /proc that are written to */
#include "say.h"

#include <sys/uio.h>

#define NR_MSEAL 462
#define NR_CACHESTAT 451
#define NR_PIDFD_SEND_SIGNAL 424
#define NR_PIDFD_OPEN 434
#define NR_PROCESS_MADVISE 440
#define NR_PROCESS_MRELEASE 448
#define BAD ((void *)8)

static char *anonymous(size_t pages, int prot, int type)
{
    return mmap(NULL, pages * PAGE, prot, type | MAP_ANONYMOUS, -1, 0);
}

/* ---- remap_file_pages ------------------------------------------------------------------------ */

static long remap(void *at, size_t size, int prot, size_t index, int flags)
{
    return syscall(SYS_remap_file_pages, at, size, prot, index, flags);
}

static void remapped(void)
{
    int fd = letters("file", 6 * PAGE);
    char *shared = mmap(NULL, 4 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    char *private = mmap(NULL, 4 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0);
    printf("%c%c%c%c\n", shared[0], shared[PAGE], shared[2 * PAGE], shared[3 * PAGE]);
    TELL(remap(shared, PAGE, 0, 3, 0));
    TELL(remap(shared + 3 * PAGE, PAGE, 0, 0, 0));
    printf("%c%c%c%c\n", shared[0], shared[PAGE], shared[2 * PAGE], shared[3 * PAGE]);
    TELL(remap(shared + 1, PAGE, 0, 5, 0)); /* rounded down */
    printf("%c\n", shared[0]);
    TELL(remap(shared, PAGE, PROT_READ, 0, 0));
    TELL(remap(shared, 0, 0, 0, 0));
    if (sizeof(long) == 8) /* a Linux of 64 bits counts further than a program of 32 can */
        TELL(remap(shared, PAGE, 0, (size_t)-1, 0));
    TELL(remap(private, PAGE, 0, 0, 0));
    TELL(remap(shared + PAGE, 3 * PAGE, 0, 0, 0)); /* of two areas that differ in nothing else */
    TELL(munmap(shared + 2 * PAGE, PAGE));
    TELL(remap(shared + PAGE, 3 * PAGE, 0, 0, 0));
    TELL(remap((void *)PAGE, PAGE, 0, 0, 0));
    char *memory = anonymous(3, PROT_READ | PROT_WRITE, MAP_SHARED);
    memory[0] = 'a';
    memory[2 * PAGE] = 'c';
    TELL(remap(memory, PAGE, 0, 2, 0));
    printf("%c\n", memory[0]);
    close(fd);
}

/* ---- mseal ----------------------------------------------------------------------------------- */

#if defined(__x86_64__)
static long seal(void *at, size_t size, unsigned long flags)
{
    return syscall(NR_MSEAL, at, size, flags);
}

static void sealed(void)
{
    char *area = anonymous(8, PROT_READ | PROT_WRITE, MAP_PRIVATE);
    if (seal(area, 0, 0) == -1 && errno == ENOSYS)
        exit(NOT_COMPARABLE);
    TELL(seal(area + 1, PAGE, 0));
    TELL(seal(area, PAGE, 1));
    TELL(seal(area, (size_t)-1, 0));
    TELL(seal(area, -PAGE, 0));
    TELL(munmap(area + 6 * PAGE, PAGE));
    TELL(seal(area + 5 * PAGE, 2 * PAGE, 0));
    area[2 * PAGE] = 'x';
    TELL(seal(area + PAGE, 2 * PAGE, 0));
    TELL(seal(area + PAGE, 2 * PAGE, 0));
    TELL(munmap(area + PAGE, PAGE));
    TELL(munmap(area, 4 * PAGE));
    TELL(mprotect(area + 2 * PAGE, PAGE, PROT_READ));
    TELL(mprotect(area + 3 * PAGE, PAGE, PROT_READ));
    TELL(mremap(area + PAGE, PAGE, 2 * PAGE, MREMAP_MAYMOVE) == MAP_FAILED ? -1 : 0);
    TELL(mremap(area + PAGE, 2 * PAGE, PAGE, 0) == MAP_FAILED ? -1 : 0);
    TELL(mmap(area + PAGE, PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) ==
                 MAP_FAILED
             ? -1
             : 0);
    char *other = anonymous(1, PROT_READ, MAP_PRIVATE);
    TELL(mremap(other, PAGE, PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, area + PAGE) == MAP_FAILED ? -1
                                                                                             : 0);
    TELL(madvise(area + PAGE, 2 * PAGE, MADV_DONTNEED)); /* it may be written to */
    TELL(mlock(area + PAGE, PAGE));
    TELL(munlock(area + PAGE, PAGE));
    char *read_only = anonymous(2, PROT_READ, MAP_PRIVATE);
    TELL(seal(read_only, 2 * PAGE, 0));
    TELL(madvise(read_only, PAGE, MADV_DONTNEED));
    TELL(madvise(read_only, PAGE, MADV_FREE));
    TELL(madvise(read_only, PAGE, MADV_WILLNEED));
    TELL(madvise(read_only, PAGE, MADV_DONTFORK));
    if (!fork()) {
        TELL(munmap(read_only, PAGE));
        exit(0);
    }
    wait(NULL);
}
#else
static void sealed(void)
{
}
#endif

/* ---- cachestat ------------------------------------------------------------------------------- */

struct range {
    uint64_t offset, length;
};
struct statistics {
    uint64_t cache, dirty, writeback, evicted, recent;
};

static long cachestat_(int fd, struct range *range, struct statistics *to, unsigned flags)
{
    return syscall(NR_CACHESTAT, fd, range, to, flags);
}

static void cached(void)
{
    struct range all = {0, 0}, two = {PAGE, 2 * PAGE}, end = {3 * PAGE, 100 * PAGE};
    struct range parts = {PAGE - 1, 2};
    struct statistics s = {0, 0, 0, 0, 0};
    int fd = memfd_create("cached", 0), pipes[2];
    if (cachestat_(fd, &all, &s, 0) == -1 && errno == ENOSYS)
        exit(NOT_COMPARABLE);
    TELL(ftruncate(fd, 8 * PAGE));
    TELL(pwrite(fd, "0", 1, 0) + pwrite(fd, "1", 1, PAGE) + pwrite(fd, "4", 1, 4 * PAGE));
    struct range *ranges[] = {&all, &two, &end, &parts};
    for (size_t i = 0; i < COUNT(ranges); i++) {
        TELL(cachestat_(fd, ranges[i], &s, 0));
        printf("%d in the cache, %d evicted\n", (int)s.cache, (int)s.evicted);
    }
    TELL(cachestat_(fd, &all, &s, 1));
    TELL(cachestat_(-1, &all, &s, 1));
    TELL(cachestat_(fd, BAD, &s, 0));
    TELL(cachestat_(fd, &all, BAD, 0));
    if (!pipe(pipes)) {
        TELL(cachestat_(pipes[0], &all, &s, 0));
        printf("%d\n", (int)s.cache);
    }
}

/* ---- processes ------------------------------------------------------------------------------- */

static void processes(void)
{
    char *area = anonymous(4, PROT_READ | PROT_WRITE, MAP_PRIVATE);
    struct iovec ranges[2] = {{area, PAGE}, {area + 2 * PAGE, 2 * PAGE}};
    memset(area, 'a', 4 * PAGE);
    pid_t child = fork();
    if (!child) {
        pause();
        exit(0);
    }
    TELL(syscall(NR_PIDFD_OPEN, 0, 0));
    TELL(syscall(NR_PIDFD_OPEN, -1, 0));
    TELL(syscall(NR_PIDFD_OPEN, child, 1));
    TELL(syscall(NR_PIDFD_OPEN, 99999999, 0));
    int fd = (int)syscall(NR_PIDFD_OPEN, child, 0);
    printf("closes on exec: %d\n", fcntl(fd, F_GETFD));
    TELL(read(fd, area, 1));
    struct pollfd poll_fd = {fd, POLLIN, 0};
    TELL(poll(&poll_fd, 1, 0));
    TELL(syscall(NR_PROCESS_MADVISE, fd, ranges, 2, MADV_COLD, 0));
    TELL(syscall(NR_PROCESS_MADVISE, fd, ranges, 2, MADV_WILLNEED, 0));
    TELL(syscall(NR_PROCESS_MADVISE, fd, ranges, 2, MADV_DONTNEED, 0));
    TELL(syscall(NR_PROCESS_MADVISE, fd, ranges, 2, MADV_COLD, 1));
    TELL(syscall(NR_PROCESS_MADVISE, fd, ranges, 1025, MADV_COLD, 0));
    TELL(syscall(NR_PROCESS_MADVISE, fd, BAD, 2, MADV_COLD, 0));
    TELL(syscall(NR_PROCESS_MADVISE, 0, ranges, 2, MADV_COLD, 0));
    TELL(syscall(NR_PROCESS_MADVISE, -1, ranges, 2, MADV_COLD, 0));
    ranges[0].iov_base = (void *)PAGE;
    TELL(syscall(NR_PROCESS_MADVISE, fd, ranges, 1, MADV_COLD, 0));
    TELL(syscall(NR_PROCESS_MRELEASE, fd, 1));
    TELL(syscall(NR_PROCESS_MRELEASE, -1, 0));
    TELL(syscall(NR_PROCESS_MRELEASE, fd, 0));
    TELL(syscall(NR_PIDFD_SEND_SIGNAL, fd, SIGKILL, NULL, 0x100));
    TELL(syscall(NR_PIDFD_SEND_SIGNAL, -1, SIGKILL, NULL, 0));
    TELL(syscall(NR_PIDFD_SEND_SIGNAL, 0, SIGKILL, NULL, 0));
    TELL(syscall(NR_PIDFD_SEND_SIGNAL, fd, 99, NULL, 0));
    TELL(syscall(NR_PIDFD_SEND_SIGNAL, fd, 0, NULL, 0));
    TELL(syscall(NR_PIDFD_SEND_SIGNAL, fd, SIGKILL, BAD, 0));
    TELL(syscall(NR_PIDFD_SEND_SIGNAL, fd, SIGKILL, NULL, 0));
    TELL(poll(&poll_fd, 1, 5000));
    waitpid(child, NULL, 0);
    TELL(syscall(NR_PIDFD_SEND_SIGNAL, fd, SIGKILL, NULL, 0));
    TELL(poll(&poll_fd, 1, 0));
    TELL(syscall(NR_PROCESS_MRELEASE, fd, 0));
    ranges[0].iov_base = area;
    TELL(syscall(NR_PROCESS_MADVISE, fd, ranges, 1, MADV_COLD, 0));
    close(fd);
}

/* ---- keys, /proc ----------------------------------------------------------------------------- */

static long put(const char *path, const char *text)
{
    int fd = open(path, O_WRONLY);
    long done = fd < 0 ? -1 : write(fd, text, strlen(text));
    close(fd);
    return done;
}

static void show(const char *path)
{
    char text[64];
    int fd = open(path, O_RDONLY);
    ssize_t size = read(fd, text, sizeof text - 1);
    text[size > 0 ? size : 0] = '\0';
    printf("%s: %s", path, text);
    close(fd);
}

static void keys_and_files(void)
{
    char *area = anonymous(1, PROT_READ, MAP_PRIVATE);
    TELL(syscall(SYS_pkey_alloc, 1, 0));
    TELL(syscall(SYS_pkey_alloc, 0, 4));
    TELL(syscall(SYS_pkey_free, 99));
    TELL(syscall(SYS_pkey_mprotect, area, PAGE, PROT_READ | PROT_WRITE, -1));
    area[0] = 1;
    TELL(syscall(SYS_pkey_mprotect, area, PAGE, PROT_READ, 99));
    for (char what[] = "1\n"; what[0] <= '5'; what[0]++)
        TELL(put("/proc/self/clear_refs", what));
    TELL(put("/proc/self/clear_refs", "0"));
    TELL(put("/proc/self/clear_refs", "6"));
    TELL(put("/proc/self/clear_refs", "x"));
    TELL(put("/proc/self/oom_score_adj", "500"));
    show("/proc/self/oom_adj");
    TELL(put("/proc/self/oom_adj", "15"));
    show("/proc/self/oom_score_adj");
    show("/proc/self/oom_adj");
    TELL(put("/proc/self/oom_adj", "16"));
    TELL(put("/proc/self/oom_adj", "-18"));
    TELL(put("/proc/self/oom_score_adj", "1001"));
    TELL(put("/proc/self/oom_score_adj", "0"));
}

int main(void)
{
    remapped();
    sealed();
    cached();
    processes();
    keys_and_files();
    return 0;
}
