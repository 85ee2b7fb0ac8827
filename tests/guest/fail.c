/* tests/guest/fail.c: memory that runs out at each allocation of the kernel in turn
 *
 *     CLASS-fail [--count=COUNT] [OPERATION...]
 *
 * An operation is done again and again, each time in a child of its own, for which the kernel's
 * first allocation fails, then the second, and so on until it needs fewer (/proc/PID/fail-nth,
 * which is there when the machine is started with `fail-alloc`); COUNT of them in a row. What may
 * come of that is an error that says so, or the child's end by SIGKILL. Afterwards each frame and
 * each object of the kernel has to be where it was: MemFree and those whom /proc/meminfo knows, and
 * the objects of each cache. With swap (any) pages go out and come in, too.
 */
#include <asm/ldt.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/shm.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <time.h>
#include <unistd.h>

#define PAGE 4096ul
#ifndef MADV_SOFT_OFFLINE
#define MADV_SOFT_OFFLINE 101
#endif
#define MOST 3000u       /* allocations of one operation */
#define PATIENCE 100000u /* tries to disarm, of which a few are refused */
#define WARM_UPS 3u
#define COUNT(array) (sizeof(array) / sizeof *(array))

enum { REACHED = 0, NOT_REACHED = 100, WRONG = 101, FIRST_ERROR = 0 };

static int failures;
static int control = -1; /* fail-nth of the child */
static char *self;

/* ---- arming ---------------------------------------------------------------------------------- */

static void arm(unsigned nth, unsigned count)
{
    char text[32];
    int length = snprintf(text, sizeof text, "%u %u", nth, count);
    if (write(control, text, (size_t)length) != length)
        _exit(WRONG);
}

/* Whether some allocation has failed. */
static bool disarm(unsigned nth)
{
    char text[32] = "";
    ssize_t got = -1;
    int error = errno;
    for (unsigned i = 0; got < 0 && i < PATIENCE; i++)
        got = pread(control, text, sizeof text - 1, 0);
    for (unsigned i = 0; write(control, "0", 1) != 1 && i < PATIENCE; i++)
        ;
    errno = error;
    return !nth || strtoul(text, NULL, 10) == 0;
}

static bool open_control(void)
{
    control = open("/proc/thread-self/fail-nth", O_RDWR);
    return control >= 0;
}

/* ---- where memory is ------------------------------------------------------------------------- */

static char report[1 << 16];
static int meminfo, slabinfo, drop;

static const char *read_report(int fd)
{
    size_t size = 0;
    ssize_t got;
    while ((got = pread(fd, report + size, sizeof report - 1 - size, (off_t)size)) > 0)
        size += (size_t)got;
    report[size] = '\0';
    return report;
}

static long kib(const char *text, const char *name)
{
    char line[64];
    snprintf(line, sizeof line, "\n%s:", name);
    const char *found = strstr(text, line);
    return found ? strtol(found + strlen(line), NULL, 10) : 0;
}

struct balance {
    long free, known;   /* KiB; known without what a task's stack takes, of which some are kept */
    long slabs, tables; /* of the known: objects' pages, page tables */
    long swap, committed;
    unsigned nr_caches;
    unsigned long objects[256];
};

static void take_stock(struct balance *now)
{
    memset(now, 0, sizeof *now);
    if (pwrite(drop, "3", 1, 0) != 1)
        failures++;
    const char *text = read_report(meminfo);
    now->free = strtol(strstr(text, "MemFree:") + 8, NULL, 10);
    now->slabs = kib(text, "Slab");
    now->tables = kib(text, "PageTables");
    now->swap = kib(text, "SwapTotal") - kib(text, "SwapFree");
    now->committed = kib(text, "Committed_AS");
    now->known = now->slabs + now->tables + kib(text, "AnonPages") + kib(text, "Cached") +
                 kib(text, "SwapCached") + kib(text, "HardwareCorrupted");
    text = read_report(slabinfo);
    for (unsigned line = 0; line < 2 && text; line++)
        text = strchr(text, '\n') ? strchr(text, '\n') + 1 : NULL;
    while (text && *text && now->nr_caches < COUNT(now->objects)) {
        now->objects[now->nr_caches++] = strtoul(text + strcspn(text, " "), NULL, 10);
        text = strchr(text, '\n') ? strchr(text, '\n') + 1 : NULL;
    }
}

static const char *cache_name(unsigned number)
{
    const char *text = read_report(slabinfo);
    for (unsigned line = 0; line < 2 + number; line++)
        text = strchr(text, '\n') + 1;
    report[text - report + (long)strcspn(text, " ")] = '\0';
    return text;
}

static bool is_balanced(const struct balance *before, const struct balance *after)
{
    bool good = before->free + before->known == after->free + after->known &&
                before->swap == after->swap && before->committed == after->committed;
    for (unsigned i = 0; i < after->nr_caches; i++)
        good &= i < before->nr_caches && before->objects[i] == after->objects[i];
    return good;
}

static void tell_difference(const struct balance *before, const struct balance *after)
{
    printf("    free %ld -> %ld kB, slabs %ld -> %ld, tables %ld -> %ld, other %ld -> %ld, "
           "swapped %ld -> %ld, committed %ld -> %ld\n",
           before->free, after->free, before->slabs, after->slabs, before->tables, after->tables,
           before->known - before->slabs - before->tables,
           after->known - after->slabs - after->tables, before->swap, after->swap,
           before->committed, after->committed);
    for (unsigned i = 0; i < after->nr_caches; i++)
        if (i >= before->nr_caches || before->objects[i] != after->objects[i])
            printf("    %s: %lu -> %lu objects\n", cache_name(i), before->objects[i],
                   after->objects[i]);
}

/* ---- operations: 0 or an errno; what was begun is undone when it didn't go on ------------------
 */

/* What the operation works with, made before anything fails. */
static unsigned char *pages; /* NR_PAGES, touched */
static int file;             /* of NR_PAGES, in /tmp */
static volatile unsigned char sink;
#define NR_PAGES 24u

#define TRY(call)                                                                                  \
    do {                                                                                           \
        if ((call) < 0)                                                                            \
            return errno;                                                                          \
    } while (0)

static void touch(unsigned char *at, unsigned long count)
{
    for (unsigned long i = 0; i < count; i++)
        at[i * PAGE] = (unsigned char)(at[i * PAGE] + 1);
}

static int wait_for(pid_t pid)
{
    int status;
    while (waitpid(pid, &status, 0) < 0)
        if (errno != EINTR)
            return errno;
    return WIFEXITED(status) && WEXITSTATUS(status) == 0 ? 0 : EPROTO;
}

static int op_fork(void)
{
    pid_t pid = fork();
    if (!pid) {
        touch(pages, NR_PAGES);
        _exit(0);
    }
    return pid < 0 ? errno : wait_for(pid);
}

static int op_fork_swapped(void)
{
    TRY(madvise(pages, NR_PAGES * PAGE, MADV_PAGEOUT));
    return op_fork();
}

static int op_vfork(void)
{
    pid_t pid = vfork();
    if (!pid)
        _exit(0);
    return pid < 0 ? errno : wait_for(pid);
}

static unsigned armed_nth, armed_count;

static int op_exec(void)
{
    char fd[16], nth[16];
    snprintf(fd, sizeof fd, "%d", control);
    snprintf(nth, sizeof nth, "%u", armed_nth);
    char *arguments[] = {self, "--after-exec", fd, nth, NULL}, *environment[] = {"A=B", NULL};
    execve(self, arguments, environment);
    return errno;
}

static int op_spawn(void)
{
    char *arguments[] = {self, "--nothing", NULL}, *environment[] = {NULL};
    pid_t pid = vfork();
    if (!pid) {
        execve(self, arguments, environment);
        _exit(3);
    }
    return pid < 0 ? errno : wait_for(pid);
}

static void *thread_main(void *arg)
{
    touch(arg, 1);
    return NULL;
}

static int op_thread(void)
{
    pthread_t thread;
    int error = pthread_create(&thread, NULL, thread_main, pages);
    return error ? error : pthread_join(thread, NULL);
}

#ifdef __i386__
/* Whether the CPU has a segment by any selector of the table, when others have run. */
static bool has_segments(void)
{
    const struct timespec moment = {0, 1000000};
    nanosleep(&moment, NULL);
    for (unsigned selector = 7; selector < 65536; selector += 8) {
        unsigned limit;
        bool is_there;
        __asm__("lsl %2, %0" : "=r"(limit), "=@ccz"(is_there) : "r"(selector));
        if (is_there)
            return true;
    }
    return false;
}

/* A table of segments, which grows before its first entry and behind it, and a copy for a child. */
static int op_ldt(void)
{
    struct user_desc desc = {.entry_number = 40, .limit = 1, .seg_32bit = 1};
    if (syscall(SYS_modify_ldt, 0x11, &desc, sizeof desc))
        return has_segments() ? EBADMSG : errno;
    desc.entry_number = 2000;
    TRY(syscall(SYS_modify_ldt, 0x11, &desc, sizeof desc));
    return op_fork();
}
#endif

static void wait_while(unsigned *word, unsigned value)
{
    while (*(volatile unsigned *)word == value)
        syscall(SYS_futex, word, FUTEX_WAIT, value, NULL, NULL, 0);
}

static int sits(void *go)
{
    wait_while(go, 0);
    return 0;
}

/* A thread of which one leaves what both had; then one that is born with its own. */
static int op_own_files(void)
{
    static char stack[16384] __attribute__((aligned(16)));
    static unsigned word, go;
    const int shared = CLONE_FILES | CLONE_FS,
              flags = CLONE_VM | CLONE_SIGHAND | CLONE_THREAD | CLONE_CHILD_CLEARTID;
    int error = 0;
    for (int own = 0; own < 2 && !error; own++) {
        word = 1;
        go = 0;
        TRY(clone(sits, stack + sizeof stack, own ? flags : flags | shared, &go, NULL, NULL,
                  &word));
        if (!own && unshare(shared))
            error = errno;
        *(volatile unsigned *)&go = 1;
        syscall(SYS_futex, &go, FUTEX_WAKE, 1, NULL, NULL, 0);
        wait_while(&word, 1);
    }
    return error;
}

static int op_mmap(void)
{
    unsigned char *at =
        mmap(NULL, 600 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (at == MAP_FAILED)
        return errno;
    touch(at, 3);
    touch(at + 590 * PAGE, 3);
    TRY(munmap(at + 100 * PAGE, 100 * PAGE));
    TRY(munmap(at, 600 * PAGE));
    return 0;
}

static int op_populate(void)
{
    unsigned char *at = mmap(NULL, 40 * PAGE, PROT_READ | PROT_WRITE,
                             MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
    if (at == MAP_FAILED)
        return errno;
    touch(at, 40);
    return munmap(at, 40 * PAGE) ? errno : 0;
}

static int op_split(void)
{
    TRY(mprotect(pages + 4 * PAGE, 2 * PAGE, PROT_READ));
    TRY(mprotect(pages + 4 * PAGE, 2 * PAGE, PROT_READ | PROT_WRITE));
    TRY(madvise(pages + 8 * PAGE, PAGE, MADV_DONTFORK));
    TRY(mlock(pages + 10 * PAGE, 2 * PAGE));
    TRY(munlock(pages + 10 * PAGE, PAGE));
    TRY(madvise(pages + 12 * PAGE, 2 * PAGE, MADV_DONTNEED));
    touch(pages, NR_PAGES);
    return 0;
}

static int op_mremap(void)
{
    unsigned char *to = mremap(pages, NR_PAGES * PAGE, 2 * NR_PAGES * PAGE, MREMAP_MAYMOVE);
    if (to == MAP_FAILED)
        return errno;
    touch(to, 2 * NR_PAGES);
    unsigned char *hole = mmap(NULL, 1024 * PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (hole == MAP_FAILED)
        return errno;
    if (mremap(to, 4 * PAGE, 4 * PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, hole) == MAP_FAILED)
        return errno;
    touch(hole, 4);
    return 0;
}

static int op_brk(void)
{
    unsigned char *end = sbrk(10 * PAGE);
    if (end == (void *)-1)
        return errno;
    touch(end, 10);
    return sbrk(-(intptr_t)(10 * PAGE)) == (void *)-1 ? errno : 0;
}

/* A process of its own leaves a core, be it with failures or without; its blocks, 0: there is none.
 */
static long blocks_of_core(unsigned nth, unsigned count)
{
    struct stat core = {0};
    int status;
    pid_t pid = fork();
    if (!pid) {
        const struct rlimit all = {RLIM_INFINITY, RLIM_INFINITY};
        if (setrlimit(RLIMIT_CORE, &all) || chdir("/tmp") || (nth && !open_control()))
            _exit(WRONG);
        if (nth)
            arm(nth, count);
        raise(SIGABRT);
        _exit(WRONG);
    }
    if (pid < 0 || waitpid(pid, &status, 0) != pid || WIFEXITED(status))
        return -1;
    return WCOREDUMP(status) && !stat("/tmp/core", &core) ? (long)core.st_blocks : 0;
}

#define LEAST_OF_CORE 20u /* a core takes more allocations, of which some can be done without */

/* Those that fail are that process's, so this one says whether there were any: by what is in the
 * core. */
static int op_core(void)
{
    if (write(control, "0", 1) != 1)
        return errno;
    long whole = blocks_of_core(0, 0);
    unlink("/tmp/core");
    if (whole <= 0)
        return EPROTO;
    if (!armed_nth)
        return 0;
    long got = blocks_of_core(armed_nth, armed_count);
    unlink("/tmp/core");
    if (got < 0)
        return EPROTO;
    if (got == whole && armed_nth > LEAST_OF_CORE)
        arm(MOST, 1); /* nothing has failed */
    return got == whole ? 0 : ENOMEM;
}

/* Frames go out of use, one with what is in it and one without, for good. */
static int op_frames(void)
{
    TRY(madvise(pages + 3 * PAGE, PAGE, MADV_SOFT_OFFLINE));
    touch(pages, NR_PAGES);
    TRY(madvise(pages + 3 * PAGE, PAGE, MADV_HWPOISON));
    TRY(madvise(pages + 3 * PAGE, PAGE, MADV_DONTNEED));
    touch(pages, NR_PAGES);
    return 0;
}

static int op_swap(void)
{
    TRY(madvise(pages, NR_PAGES * PAGE, MADV_PAGEOUT));
    touch(pages, NR_PAGES);
    return 0;
}

static int op_swap_in(void)
{
    bool resident = false;
    unsigned char map[NR_PAGES];
    TRY(madvise(pages, NR_PAGES * PAGE, MADV_WILLNEED));
    TRY(mincore(pages, NR_PAGES * PAGE, map));
    for (unsigned i = 0; i < NR_PAGES; i++)
        resident |= map[i] & 1;
    touch(pages, NR_PAGES);
    return 0;
}

static int op_file(void)
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

static int op_file_map(void)
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

static int op_names(void)
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

static void undo_names(void)
{
    static const char *const names[] = {"/tmp/fail-folder/one",   "/tmp/fail-folder/two",
                                        "/tmp/fail-folder/three", "/tmp/fail-link",
                                        "/tmp/fail-file",         "/tmp/fail-socket"};
    for (unsigned i = 0; i < COUNT(names); i++)
        unlink(names[i]);
    rmdir("/tmp/fail-folder");
}

static int op_proc(void)
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

static int op_pipe(void)
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

static int op_socket(void)
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

static int op_listen(void)
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

static int op_events(void)
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

static int op_signals(void)
{
    sigset_t set;
    siginfo_t info;
    timer_t timer;
    struct sigevent event = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGRTMIN + 1};
    struct itimerspec soon = {{0, 0}, {0, 1000}};
    struct timespec moment = {0, 100000000};
    sigemptyset(&set);
    sigaddset(&set, SIGRTMIN);
    sigaddset(&set, SIGRTMIN + 1);
    TRY(sigprocmask(SIG_BLOCK, &set, NULL));
    TRY(sigqueue(getpid(), SIGRTMIN, (union sigval){.sival_int = 5}));
    TRY(timer_create(CLOCK_MONOTONIC, &event, &timer));
    TRY(timer_settime(timer, 0, &soon, NULL));
    TRY(sigtimedwait(&set, &info, &moment));
    return 0;
}

static int op_shm(void)
{
    int id = shmget(IPC_PRIVATE, 8 * PAGE, IPC_CREAT | 0600);
    if (id < 0)
        return errno;
    int error = 0;
    unsigned char *at = shmat(id, NULL, 0);
    if (at == (void *)-1)
        error = errno;
    shmctl(id, IPC_RMID, NULL); /* so that the process's end takes it */
    if (error)
        return error;
    touch(at, 8);
    return shmdt(at) ? errno : 0;
}

static int op_memfd(void)
{
    int fd = memfd_create("fail", MFD_ALLOW_SEALING);
    TRY(fd);
    TRY(ftruncate(fd, 8 * (off_t)PAGE));
    unsigned char *at = mmap(NULL, 8 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (at == MAP_FAILED)
        return errno;
    touch(at, 8);
    TRY(madvise(at, 8 * PAGE, MADV_PAGEOUT));
    touch(at, 8);
    return munmap(at, 8 * PAGE) ? errno : 0;
}

static int op_vector(void)
{
    static char one[300];
    struct iovec many[100];
    for (unsigned i = 0; i < COUNT(many); i++)
        many[i] = (struct iovec){one + i, 1};
    TRY(preadv(file, many, COUNT(many), 0));
    TRY(pwritev(file, many, COUNT(many), 0));
    TRY(process_vm_readv(getpid(), many, COUNT(many), many, COUNT(many), 0));
    return 0;
}

static int op_locks(void)
{
    struct flock range = {.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = 10, .l_len = 10};
    TRY(fcntl(file, F_SETLK, &range));
    range = (struct flock){.l_type = F_UNLCK, .l_whence = SEEK_SET, .l_start = 13, .l_len = 2};
    TRY(fcntl(file, F_SETLK, &range));
    for (int fd = 20; fd < 100; fd += 10)
        TRY(dup2(file, fd));
    return 0;
}

/* TOUCHES: it needs pages that it has no other way to be refused than by its end, when many
 * allocations fail in a row; one alone is tried again. NOTHING_ELSE: nor can it learn of anything.
 */
#define TOUCHES 1u
#define NOTHING_ELSE 2u

static const struct operation {
    const char *name;
    int (*run)(void);
    int also; /* another error that says so */
    unsigned is;
} operations[] = {
    {"fork", op_fork, EPROTO, 0},
    {"fork-swapped", op_fork_swapped, EPROTO, 0},
    {"vfork", op_vfork, 0, 0},
    {"exec", op_exec, 0, TOUCHES}, /* the new program may fail, too: see is_end() */
    {"spawn", op_spawn, 0, 0},
    {"thread", op_thread, EAGAIN, TOUCHES},
    {"own-files", op_own_files, EAGAIN, TOUCHES},
#ifdef __i386__
    {"ldt", op_ldt, EPROTO, 0},
#endif
    {"mmap", op_mmap, 0, TOUCHES},
    {"populate", op_populate, 0, TOUCHES | NOTHING_ELSE},
    {"split", op_split, EAGAIN, TOUCHES},
    {"mremap", op_mremap, 0, TOUCHES},
    {"brk", op_brk, 0, TOUCHES},
    {"core", op_core, 0, TOUCHES},
    {"frames", op_frames, 0, TOUCHES},
    {"swap", op_swap, 0, TOUCHES | NOTHING_ELSE},
    {"swap-in", op_swap_in, EAGAIN, 0},
    {"file", op_file, 0, 0},
    {"file-map", op_file_map, 0, TOUCHES},
    {"names", op_names, 0, 0},
    {"proc", op_proc, 0, TOUCHES},
    {"pipe", op_pipe, 0, TOUCHES},
    {"socket", op_socket, ENOBUFS, 0},
    {"listen", op_listen, ENOBUFS, TOUCHES},
    {"events", op_events, 0, 0},
    {"signals", op_signals, EAGAIN, 0},
    {"shm", op_shm, 0, TOUCHES},
    {"memfd", op_memfd, 0, TOUCHES},
    {"vector", op_vector, 0, 0},
    {"locks", op_locks, ENOLCK, 0},
};

/* ---- one after the other --------------------------------------------------------------------- */

/* In a child; nth 0: nothing fails. */
static void child(const struct operation *operation, unsigned nth, unsigned count)
{
    static unsigned char swapped[2 * PAGE];
    pages = mmap(NULL, NR_PAGES * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    char name[] = "/tmp/fail-XXXXXX";
    file = mkstemp(name);
    if (pages == MAP_FAILED || file < 0 || unlink(name) || ftruncate(file, NR_PAGES * PAGE) ||
        !open_control())
        _exit(WRONG);
    touch(swapped, 1);
    touch(pages, NR_PAGES);
    if (operation->run == op_swap_in && madvise(pages, NR_PAGES * PAGE, MADV_PAGEOUT))
        _exit(WRONG);
    armed_nth = nth;
    armed_count = count;
    if (nth)
        arm(nth, count);
    int error = operation->run();
    bool reached = disarm(nth);
    if (error && (!nth || !reached)) {
        printf("%s: %s, when nothing failed\n", operation->name, strerror(error));
        fflush(stdout);
        _exit(WRONG);
    }
    if (error && error != ENOMEM && error != EFAULT && error != operation->also) {
        printf("%s: %s when allocation %u fails\n", operation->name, strerror(error), nth);
        fflush(stdout);
        _exit(WRONG);
    }
    /* Nobody but its end may have changed what it has. */
    for (unsigned i = 0; operation->run != op_mremap && i < NR_PAGES; i++)
        if (pages[i * PAGE + 1]) {
            printf("%s: page %u has another content\n", operation->name, i);
            fflush(stdout);
            _exit(WRONG);
        }
    _exit(reached ? (error ? 1 : 0) : NOT_REACHED);
}

/* Killed for want of memory; or, where another program began, what its C library does about it. */
static bool is_end(const struct operation *operation, int status, unsigned count)
{
    if (WIFSIGNALED(status) && operation->run == op_exec)
        return WTERMSIG(status) == SIGKILL || WTERMSIG(status) == SIGSEGV;
    if (WIFSIGNALED(status))
        return WTERMSIG(status) == SIGKILL && operation->is & TOUCHES && count > 1;
    return operation->run == op_exec && WIFEXITED(status) && WEXITSTATUS(status) == 127;
}

struct tally {
    unsigned refused, survived, killed;
};

/* True: there are more. */
static bool once(const struct operation *operation, unsigned nth, unsigned count,
                 struct tally *tally)
{
    int status = -1;
    pid_t pid = fork();
    if (!pid)
        child(operation, nth, count);
    if (pid < 0 || waitpid(pid, &status, 0) != pid) {
        printf("%s: no child for allocation %u\n", operation->name, nth);
        exit(1);
    }
    undo_names();
    if (nth && is_end(operation, status, count)) {
        tally->killed++;
        return true;
    }
    if (!WIFEXITED(status) || WEXITSTATUS(status) == WRONG) {
        printf("%s: status 0x%x when allocation %u fails\n", operation->name, status, nth);
        failures++;
        return nth;
    }
    tally->survived += WEXITSTATUS(status) == 0;
    tally->refused += WEXITSTATUS(status) == 1;
    return WEXITSTATUS(status) != NOT_REACHED;
}

static void each_fails(const struct operation *operation, unsigned count)
{
    static struct balance before, after;
    struct tally tally = {0, 0, 0};
    unsigned nth = 1, said = 0;
    bool more = true;
    for (unsigned i = 0; i < WARM_UPS; i++)
        once(operation, 0, 0, &(struct tally){0, 0, 0});
    take_stock(&before);
    for (; more && nth < MOST; nth++) {
        more = once(operation, nth, count, &tally);
        take_stock(&after);
        if (is_balanced(&before, &after))
            continue;
        failures++;
        if (said++ < 5) {
            printf("%s: something is lost or found when allocation %u fails\n", operation->name,
                   nth);
            tell_difference(&before, &after);
        }
        before = after;
    }
    if (more) {
        printf("%s: it never ends\n", operation->name);
        failures++;
    }
    if (!tally.refused && !(operation->is & NOTHING_ELSE)) {
        printf("%s: it is never told\n", operation->name);
        failures++;
    }
    printf("%-12s of %3u allocations %3u end in an error, %3u in the program's end, %3u change "
           "nothing\n",
           operation->name, nth - 2, tally.refused, tally.killed, tally.survived);
    fflush(stdout);
}

static bool is_wanted(const char *name, char **names)
{
    if (!*names)
        return true;
    for (; *names; names++)
        if (!strcmp(*names, name))
            return true;
    return false;
}

int main(int argc, char **argv)
{
    unsigned count = 1;
    self = "/proc/self/exe";
    if (argc > 1 && !strcmp(argv[1], "--nothing"))
        return 0;
    if (argc > 3 && !strcmp(argv[1], "--after-exec")) {
        control = atoi(argv[2]);
        return disarm((unsigned)atoi(argv[3])) ? 0 : NOT_REACHED;
    }
    argv++;
    setvbuf(stdout, NULL, _IOLBF, 0); /* children have copies of what isn't written */
    if (*argv && !strncmp(*argv, "--count=", 8))
        count = (unsigned)atoi(*argv++ + 8);
    meminfo = open("/proc/meminfo", O_RDONLY);
    slabinfo = open("/proc/slabinfo", O_RDONLY);
    drop = open("/proc/sys/vm/drop_caches", O_WRONLY);
    if (!open_control() || meminfo < 0 || slabinfo < 0 || drop < 0) {
        printf("this kernel makes no allocation fail\n");
        return 3;
    }
    close(control);
    for (unsigned i = 0; i < COUNT(operations); i++)
        if (is_wanted(operations[i].name, argv))
            each_fails(&operations[i], count);
    printf("%d failures\n", failures);
    return failures ? 1 : 0;
}
