/* userfaultfd: faults that another thread sees to */
#include "say.h"

#include <linux/userfaultfd.h>
#include <pthread.h>
#include <sys/ioctl.h>

#ifndef UFFD_USER_MODE_ONLY
#define UFFD_USER_MODE_ONLY 1
#endif
#ifndef USERFAULTFD_IOC_NEW
#define USERFAULTFD_IOC_NEW _IO(0xAA, 0x00)
#endif

static int open_userfault(int flags)
{
    return (int)syscall(SYS_userfaultfd, flags);
}

static int shake_hands(int fd, unsigned long long features)
{
    struct uffdio_api api = {.api = UFFD_API, .features = features};
    return ioctl(fd, UFFDIO_API, &api);
}

static int ready_userfault(int flags, unsigned long long features)
{
    int fd = open_userfault(flags);
    if (shake_hands(fd, features))
        printf("no userfaultfd: %s\n", error_name(errno));
    return fd;
}

static int watch(int fd, const char *at, unsigned long length, unsigned long long mode)
{
    struct uffdio_register request = {.range = {(uintptr_t)at, length}, .mode = mode};
    return ioctl(fd, UFFDIO_REGISTER, &request);
}

static int unwatch(int fd, const char *at, unsigned long length)
{
    struct uffdio_range range = {(uintptr_t)at, length};
    return ioctl(fd, UFFDIO_UNREGISTER, &range);
}

static long long copied;

static int copy(int fd, const char *to, const char *from, unsigned long length, unsigned mode)
{
    struct uffdio_copy request = {(uintptr_t)to, (uintptr_t)from, length, mode, 0};
    int result = ioctl(fd, UFFDIO_COPY, &request);
    copied = request.copy;
    return result;
}

static int zero(int fd, const char *to, unsigned long length)
{
    struct uffdio_zeropage request = {{(uintptr_t)to, length}, 0, 0};
    int result = ioctl(fd, UFFDIO_ZEROPAGE, &request);
    copied = request.zeropage;
    return result;
}

static int protect(int fd, const char *at, unsigned long length, unsigned mode)
{
    struct uffdio_writeprotect request = {{(uintptr_t)at, length}, mode};
    return ioctl(fd, UFFDIO_WRITEPROTECT, &request);
}

/* ---- what is refused ------------------------------------------------------------------------- */

static void hands(void)
{
    struct uffdio_api api = {.api = 0xab};
    TELL(open_userfault(0x1000));
    int fd = open_userfault(O_CLOEXEC | O_NONBLOCK);
    char *area = pages(1);
    char message[32];
    TELL(watch(fd, area, PAGE, UFFDIO_REGISTER_MODE_MISSING)); /* too early */
    TELL(read(fd, message, sizeof message));
    TELL(ioctl(fd, UFFDIO_API, &api));
    printf("%d %d %d\n", (int)api.api, (int)api.features, (int)api.ioctls);
    TELL(shake_hands(fd, 1ull << 63));
    TELL(shake_hands(fd, 0));
    TELL(shake_hands(fd, UFFD_FEATURE_THREAD_ID)); /* once is enough */
    TELL(read(fd, message, sizeof message));
    TELL(read(fd, message, 31));
    TELL(write(fd, message, 32));
    TELL(ioctl(fd, 0xaa77, &api));
    TELL(ioctl(fd, UFFDIO_API, NULL));
    close(fd);
    munmap(area, PAGE);
}

static void ranges(void)
{
    int fd = ready_userfault(O_NONBLOCK, 0), other = ready_userfault(O_NONBLOCK, 0);
    char *area = pages(4);
    int file = letters("file", PAGE);
    char *shared = mmap(NULL, PAGE, PROT_READ, MAP_SHARED, file, 0);
    TELL(watch(fd, area, PAGE, 0));
    TELL(watch(fd, area, PAGE, 0x80));
    TELL(watch(fd, area, 0, UFFDIO_REGISTER_MODE_MISSING));
    TELL(watch(fd, area + 1, PAGE, UFFDIO_REGISTER_MODE_MISSING));
    TELL(watch(fd, area, PAGE + 1, UFFDIO_REGISTER_MODE_MISSING));
    TELL(watch(fd, area, -PAGE, UFFDIO_REGISTER_MODE_MISSING));
    TELL(watch(fd, area - PAGE, PAGE, UFFDIO_REGISTER_MODE_MISSING)); /* nothing is there */
    TELL(watch(fd, shared, PAGE, UFFDIO_REGISTER_MODE_WP) == 0 ? 0 : -1 * (errno != EINVAL));
    TELL(watch(fd, area, 3 * PAGE, UFFDIO_REGISTER_MODE_MISSING));
    TELL(watch(other, area + PAGE, PAGE, UFFDIO_REGISTER_MODE_MISSING));
    TELL(watch(fd, area, 2 * PAGE, UFFDIO_REGISTER_MODE_MISSING | UFFDIO_REGISTER_MODE_WP));
    TELL(copy(fd, area + 1, area, PAGE, 0));
    TELL(copy(fd, area, area, 0, 0));
    TELL(copy(fd, area, area, PAGE, 0x40));
    TELL(copy(fd, area + 3 * PAGE, (char *)&ranges, PAGE, 0)); /* not watched */
    TELL(copy(fd, area + 2 * PAGE, (char *)&ranges, 2 * PAGE, 0));
    TELL(copy(fd, area, (char *)8, PAGE, 0));
    TELL(zero(fd, area, PAGE));
    TELL(zero(fd, area, PAGE));
    TELL(protect(fd, area, 3 * PAGE, UFFDIO_WRITEPROTECT_MODE_WP));
    TELL(protect(fd, area, PAGE, 3));
    TELL(protect(fd, area, PAGE, 4));
    TELL(protect(fd, area, PAGE, 0));
    TELL(unwatch(fd, area, 4 * PAGE));
    TELL(unwatch(fd, area + 1, PAGE));
    TELL(unwatch(fd, area - PAGE, PAGE));
    TELL(zero(fd, area + PAGE, PAGE));
    close(fd);
    close(other);
    close(file);
    munmap(shared, PAGE);
    munmap(area, 4 * PAGE);
    unlink("file");
}

/* ---- a page at a time ------------------------------------------------------------------------ */

/* What the thread that is told does with a fault. */
enum answer { COPY, COPY_PROTECTED, ZERO, ALLOW, UNWATCH, CLOSE };

struct monitor {
    int fd;
    enum answer answer;
    char *area;
    char message[96];
    pthread_t thread;
};

static char letter[PAGE];

static void answer(struct monitor *monitor, char *at)
{
    int error = 0;
    switch (monitor->answer) {
    case COPY:
    case COPY_PROTECTED:
        memset(letter, 'A' + (int)((at - monitor->area) / (long)PAGE), PAGE);
        error =
            copy(monitor->fd, at, letter, PAGE, monitor->answer == COPY ? 0 : UFFDIO_COPY_MODE_WP);
        break;
    case ZERO:
        error = zero(monitor->fd, at, PAGE);
        break;
    case ALLOW:
        error = protect(monitor->fd, at, PAGE, 0);
        break;
    case UNWATCH:
        error = unwatch(monitor->fd, monitor->area, PAGE);
        break;
    case CLOSE:
        error = close(monitor->fd);
        break;
    }
    if (error)
        printf("the answer: %s\n", error_name(errno));
}

static void *see_to_one(void *argument)
{
    struct monitor *monitor = argument;
    struct pollfd poll_fd = {.fd = monitor->fd, .events = POLLIN};
    struct uffd_msg message;
    poll(&poll_fd, 1, -1);
    long got = read(monitor->fd, &message, sizeof message);
    char *at = (char *)(uintptr_t)message.arg.pagefault.address;
    snprintf(monitor->message, sizeof monitor->message,
             "poll %d, read %ld, event %x, flags %d, page %ld, thread %d", poll_fd.revents, got,
             message.event, (int)message.arg.pagefault.flags, (long)(at - monitor->area),
             message.arg.pagefault.feat.ptid == (unsigned)getpid());
    answer(monitor, at);
    return NULL;
}

static void begin(struct monitor *monitor, int fd, char *area, enum answer answer)
{
    *monitor = (struct monitor){.fd = fd, .answer = answer, .area = area};
    pthread_create(&monitor->thread, NULL, see_to_one, monitor);
}

static void end(struct monitor *monitor)
{
    pthread_join(monitor->thread, NULL);
    printf("  %s\n", monitor->message);
}

static void missing(void)
{
    struct monitor monitor;
    int fd = ready_userfault(O_NONBLOCK, UFFD_FEATURE_THREAD_ID);
    char *area = pages(6);
    area[5 * PAGE] = 'x';
    TELL(watch(fd, area, 6 * PAGE, UFFDIO_REGISTER_MODE_MISSING));
    begin(&monitor, fd, area, COPY);
    printf("read: %c\n", area[PAGE + 100]);
    end(&monitor);
    begin(&monitor, fd, area, COPY);
    area[2 * PAGE + 7] = 'w';
    printf("written: %c%c\n", area[2 * PAGE + 6], area[2 * PAGE + 7]);
    end(&monitor);
    begin(&monitor, fd, area, ZERO);
    printf("zeros: %d\n", area[3 * PAGE]);
    end(&monitor);
    area[3 * PAGE] = 'z';
    printf("what was there is: %c %c\n", area[5 * PAGE], area[3 * PAGE]);
    TELL(copy(fd, area + 3 * PAGE, letter, PAGE, 0));
    printf("copied %lld\n", copied == -EEXIST ? 1 : copied);
    TELL(copy(fd, area + 4 * PAGE, letter, 2 * PAGE, 0)); /* the second is there */
    printf("copied %lld\n", copied);
    TELL(madvise(area + PAGE, PAGE, MADV_DONTNEED));
    begin(&monitor, fd, area, UNWATCH);
    printf("watched no longer: %d\n", area[0]);
    end(&monitor);
    begin(&monitor, fd, area, CLOSE);
    printf("the file is closed: %d\n", area[PAGE]);
    end(&monitor);
    munmap(area, 6 * PAGE);
}

/* The kernel's accesses wait, too, but where it was told not to. */
static void by_the_kernel(void)
{
    struct monitor monitor;
    int ends[2], fd = ready_userfault(O_NONBLOCK, 0);
    char *area = pages(2), byte = 0;
    pipe(ends);
    watch(fd, area, 2 * PAGE, UFFDIO_REGISTER_MODE_MISSING);
    begin(&monitor, fd, area, COPY);
    TELL(write(ends[1], area, 1));
    end(&monitor);
    begin(&monitor, fd, area, COPY);
    TELL(read(ends[0], area + PAGE, 1));
    end(&monitor);
    printf("%c\n", area[PAGE]);
    close(fd);
    munmap(area, 2 * PAGE);
    area = pages(2);
    fd = ready_userfault(O_NONBLOCK | UFFD_USER_MODE_ONLY, 0);
    watch(fd, area, 2 * PAGE, UFFDIO_REGISTER_MODE_MISSING);
    TELL(write(ends[1], area, 1));
    write(ends[1], &byte, 1);
    TELL(read(ends[0], area, 1));
    close(fd);
    fd = ready_userfault(O_NONBLOCK, UFFD_FEATURE_SIGBUS);
    watch(fd, area, 2 * PAGE, UFFDIO_REGISTER_MODE_MISSING);
    say_access("a page that is to be a signal", area, READ);
    TELL(write(ends[1], area + PAGE, 1));
    TELL(zero(fd, area, PAGE));
    say_access("the same, with zeros", area, WRITE);
    close(fd);
    close(ends[0]);
    close(ends[1]);
    munmap(area, 2 * PAGE);
}

static void writes(void)
{
    struct monitor monitor;
    int fd = ready_userfault(O_NONBLOCK, UFFD_FEATURE_PAGEFAULT_FLAG_WP);
    char *area = pages(4);
    memset(area, 'o', 2 * PAGE);
    (void)*(volatile char *)(area + 2 * PAGE); /* the page of zeros */
    TELL(watch(fd, area, 4 * PAGE, UFFDIO_REGISTER_MODE_WP | UFFDIO_REGISTER_MODE_MISSING));
    TELL(protect(fd, area, 4 * PAGE, UFFDIO_WRITEPROTECT_MODE_WP));
    printf("reads are allowed: %c %d\n", area[0], area[2 * PAGE]);
    for (int i = 0; i < 3; i++) {
        begin(&monitor, fd, area, ALLOW);
        area[i * (long)PAGE] = 'n';
        printf("written: %c\n", area[i * (long)PAGE]);
        end(&monitor);
        area[i * (long)PAGE + 1] = 'n'; /* no fault any more */
    }
    begin(&monitor, fd, area, COPY_PROTECTED);
    printf("copied: %c\n", area[3 * PAGE]);
    end(&monitor);
    begin(&monitor, fd, area, ALLOW);
    area[3 * PAGE] = 'n';
    end(&monitor);
    TELL(protect(fd, area, PAGE, UFFDIO_WRITEPROTECT_MODE_WP));
    TELL(mprotect(area, PAGE, PROT_NONE));
    TELL(mprotect(area, PAGE, PROT_READ | PROT_WRITE));
    begin(&monitor, fd, area, ALLOW);
    area[0] = 'm';
    end(&monitor);
    TELL(protect(fd, area, PAGE, UFFDIO_WRITEPROTECT_MODE_WP));
    close(fd);
    say_access("a page that was protected", area, WRITE);
    munmap(area, 4 * PAGE);
}

/* ---- others ---------------------------------------------------------------------------------- */

static char *inherited;

static void look_at_inherited(void)
{
    printf("a child's pages are its own: %d\n", inherited[0]);
}

static void elsewhere(void)
{
    struct pollfd poll_fd = {.events = POLLIN};
    int fd = ready_userfault(O_NONBLOCK, 0);
    inherited = pages(2);
    watch(fd, inherited, 2 * PAGE, UFFDIO_REGISTER_MODE_MISSING);
    IN_CHILD(look_at_inherited);
    char *moved = mremap(inherited, PAGE, PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, pages(1));
    printf("what is moved isn't watched: %d\n", moved[0]);
    poll_fd.fd = fd;
    TELL(poll(&poll_fd, 1, 0));
    close(fd);
    munmap(moved, PAGE);
    munmap(inherited + PAGE, PAGE);
    poll_fd.fd = ready_userfault(0, 0);
    TELL(poll(&poll_fd, 1, 0)); /* it isn't non-blocking */
    printf("%d\n", poll_fd.revents);
    close(poll_fd.fd);
}

static void *write_to(void *at)
{
    *(char *)at = 'w';
    return NULL;
}

/* Who waits is woken by whoever ends the watching; Linux 6.15 and later let nobody else end it. */
static void by_another(void)
{
    struct timespec limit;
    pthread_t thread;
    int fd = ready_userfault(O_NONBLOCK, 0), other = ready_userfault(O_NONBLOCK, 0);
    char *area = pages(1);
    struct pollfd poll_fd = {.fd = other, .events = POLLIN};
    TELL(watch(other, area, PAGE, UFFDIO_REGISTER_MODE_MISSING));
    pthread_create(&thread, NULL, write_to, area);
    TELL(poll(&poll_fd, 1, -1));
    if (unwatch(fd, area, PAGE) && (errno != EINVAL || unwatch(other, area, PAGE)))
        printf("nobody can end it: %s\n", error_name(errno));
    clock_gettime(CLOCK_REALTIME, &limit);
    limit.tv_sec += 200;
    int late = pthread_timedjoin_np(thread, NULL, &limit);
    printf("who waited goes on: %s\n", late ? error_name(late) : "yes");
    close(other);
    close(fd);
    if (late)
        pthread_join(thread, NULL);
    munmap(area, PAGE);
}

/* What the kernel does with the memory of a thread that ends doesn't wait: nobody may see to it. */
static void at_the_end(void)
{
    int status = 0, ended = 0;
    fflush(stdout);
    pid_t pid = fork();
    if (!pid) {
        char *area = pages(1);
        watch(ready_userfault(O_NONBLOCK, 0), area, PAGE, UFFDIO_REGISTER_MODE_MISSING);
        syscall(SYS_set_tid_address, area);
        syscall(SYS_set_robust_list, area, 3 * sizeof(long));
        syscall(SYS_exit, 3);
    }
    for (int i = 0; i < 20000 && !ended; i++) {
        ended = waitpid(pid, &status, WNOHANG) == pid;
        usleep(ended ? 0 : 10000);
    }
    if (!ended) {
        kill(pid, SIGKILL);
        waitpid(pid, &status, 0);
    }
    printf("the last thread ends: %x\n", status);
}

static void device(void)
{
    struct uffdio_api api = {.api = UFFD_API};
    int fd = open("/dev/userfaultfd", O_RDWR);
    if (fd < 0) {
        printf("no device: %s\n", error_name(errno));
        return;
    }
    TELL(ioctl(fd, USERFAULTFD_IOC_NEW, 0x1000));
    TELL(ioctl(fd, 0xaa01, 0));
    int made = ioctl(fd, USERFAULTFD_IOC_NEW, O_CLOEXEC);
    TELL(ioctl(made, UFFDIO_API, &api));
    printf("closed by exec: %d\n", fcntl(made, F_GETFD));
    close(made);
    close(fd);
}

int main(void)
{
    int fd = open_userfault(0);
    if (fd < 0 && (errno == ENOSYS || errno == EPERM))
        return NOT_COMPARABLE;
    close(fd);
    hands();
    ranges();
    missing();
    by_the_kernel();
    writes();
    elsewhere();
    by_another();
    at_the_end();
    device();
    return 0;
}
