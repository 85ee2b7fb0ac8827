/* mincore, msync, mlock and its family */
#include "say.h"

#include <sys/resource.h>

#ifndef MLOCK_ONFAULT
#define MLOCK_ONFAULT 1
#endif

static void residents(const char *what, char *area, unsigned count)
{
    unsigned char resident[16] = {0};
    if (mincore(area, count * PAGE, resident)) {
        printf("%s: %s\n", what, error_name(errno));
        return;
    }
    printf("%s: ", what);
    for (unsigned i = 0; i < count; i++)
        putchar(resident[i] & 1 ? '1' : '0');
    putchar('\n');
}

static void in_core(void)
{
    unsigned char resident[8];
    char *area = pages(4);
    residents("untouched", area, 4);
    area[PAGE] = 1;
    (void)*(volatile char *)(area + 2 * PAGE);
    residents("second written, third read", area, 4);
    TELL(mincore(area + 1, PAGE, resident));
    TELL(mincore(area, PAGE, NULL));
    TELL(mincore(area, 5 * PAGE, resident));
    TELL(mincore(area, 0, resident));
    TELL(mincore(area, 1, resident));
    madvise(area, 4 * PAGE, MADV_DONTNEED);
    residents("after DONTNEED", area, 4);
    int fd = letters("file", 2 * PAGE);
    char *map = mmap(NULL, 4 * PAGE, PROT_READ, MAP_SHARED, fd, 0);
    residents("a file's pages, two of four", map, 4);
    close(fd);
}

static void synced(void)
{
    int fd = letters("synced", 2 * PAGE);
    char *map = mmap(NULL, 2 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    TELL(msync(map, 2 * PAGE, MS_SYNC));
    TELL(msync(map, 2 * PAGE, MS_ASYNC));
    TELL(msync(map, 2 * PAGE, MS_INVALIDATE));
    TELL(msync(map, 2 * PAGE, 0));
    TELL(msync(map, 2 * PAGE, MS_SYNC | MS_ASYNC));
    TELL(msync(map, 2 * PAGE, 64));
    TELL(msync(map + 1, PAGE, MS_SYNC));
    TELL(msync(map, 0, MS_SYNC));
#ifdef __x86_64__ /* a 64-bit kernel knows no wrap of 32 bits */
    TELL(msync(map, (size_t)-1, MS_SYNC));
#endif
    char *area = pages(2);
    TELL(msync(area, 3 * PAGE, MS_SYNC));
    TELL(msync(area, 2 * PAGE, MS_SYNC));
    TELL(mlock(map, PAGE));
    TELL(msync(map, PAGE, MS_INVALIDATE));
    close(fd);
}

static void locked(void)
{
    char *area = pages(4);
    TELL(mlock(area, 2 * PAGE));
    residents("locked", area, 4);
    TELL(mlock(area + 3 * PAGE + 1, 1));
    residents("and a byte", area, 4);
    TELL(mlock(area, 5 * PAGE));
    TELL(munlock(area, 5 * PAGE));
    TELL(mlock(area, 0));
    TELL(munlock(area, 0));
#ifdef __x86_64__ /* a 64-bit kernel knows no wrap of 32 bits */
    TELL(mlock(area, (size_t)-1));
#endif
    TELL(munlock(area, 4 * PAGE));
    char *other = pages(2);
    TELL((int)syscall(SYS_mlock2, other, 2 * PAGE, MLOCK_ONFAULT));
    residents("locked on fault", other, 2);
    TELL((int)syscall(SYS_mlock2, other, 2 * PAGE, 8));
    char *nothing = mmap(NULL, PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    TELL(mlock(nothing, PAGE));
    TELL(mlockall(0));
    TELL(mlockall(8));
    TELL(mlockall(MCL_ONFAULT));
    TELL(mlockall(MCL_FUTURE));
    char *future = mmap(NULL, 2 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    residents("mapped under MCL_FUTURE", future, 2);
    TELL(munlockall());
    future = mmap(NULL, 2 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    residents("and after", future, 2);
}

static void limited(void)
{
    struct rlimit none = {0, 0}, some = {2 * PAGE, 2 * PAGE};
    char *area = pages(4);
    TELL(setrlimit(RLIMIT_MEMLOCK, &some));
    TELL(setuid(65534));
    TELL(mlock(area, 2 * PAGE));
    TELL(mlock(area, 2 * PAGE));
    TELL(mlock(area + 2 * PAGE, PAGE));
    TELL(munlock(area, PAGE));
    TELL(mlock(area + 2 * PAGE, PAGE));
    TELL(mlockall(MCL_CURRENT));
    TELL(setrlimit(RLIMIT_MEMLOCK, &none));
    TELL(mlock(area + 3 * PAGE, PAGE));
    TELL_DONE(mmap(NULL, PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_LOCKED, -1, 0));
}

int main(void)
{
    in_core();
    synced();
    locked();
    IN_CHILD(limited);
    return 0;
}
