/* Limits of address space and counts of faults that are exact */
#include "say.h"

#include <sys/resource.h>

static long minor_faults(void)
{
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    return usage.ru_minflt;
}

static void address_space(void)
{
    struct rlimit limit;
    getrlimit(RLIMIT_AS, &limit);
    limit.rlim_cur = 256ul << 20;
    const int anonymous = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE;
    TELL(setrlimit(RLIMIT_AS, &limit));
    TELL_DONE(mmap(NULL, 300ul << 20, PROT_NONE, anonymous, -1, 0));
    char *area = mmap(NULL, 64ul << 20, PROT_NONE, anonymous, -1, 0);
    printf("64 MiB: %d\n", area != MAP_FAILED);
    TELL_DONE(mremap(area, 64ul << 20, 300ul << 20, MREMAP_MAYMOVE));
    TELL(munmap(area, 64ul << 20));
    TELL(syscall(SYS_brk, 0) == syscall(SYS_brk, sbrk(0) + (300ul << 20)));
}

static void lowered_for_good(void)
{
    struct rlimit limit = {100, 200}, more = {100, 300}, wrong = {300, 200};
    TELL(setrlimit(RLIMIT_NOFILE, &limit));
    TELL(setrlimit(RLIMIT_NOFILE, &wrong));
    TELL(setuid(65534));
    TELL(setrlimit(RLIMIT_NOFILE, &more));
    TELL(getrlimit(RLIMIT_NOFILE, &limit));
    printf("%ld %ld\n", (long)limit.rlim_cur, (long)limit.rlim_max);
    TELL(getrlimit(99, &limit));
    TELL(prlimit(0, RLIMIT_NOFILE, NULL, &limit));
    TELL(prlimit(1, RLIMIT_NOFILE, NULL, &limit));
    TELL(prlimit(-1, RLIMIT_NOFILE, NULL, &limit));
}

static void file_size(void)
{
    struct rlimit limit = {PAGE, PAGE};
    int fd = open("big", O_RDWR | O_CREAT, 0644);
    char bytes[2 * PAGE];
    memset(bytes, 'b', sizeof bytes);
    signal(SIGXFSZ, SIG_IGN);
    TELL(setrlimit(RLIMIT_FSIZE, &limit));
    TELL(write(fd, bytes, sizeof bytes));
    TELL(write(fd, bytes, 1));
    TELL(ftruncate(fd, PAGE + 1));
    TELL(ftruncate(fd, PAGE));
    signal(SIGXFSZ, SIG_DFL);
    TELL(write(fd, bytes, 1));
}

static void touching(void)
{
    char *area = pages(64);
    madvise(area, 64 * PAGE, MADV_NOHUGEPAGE);
    long before = minor_faults();
    for (int page = 0; page < 64; page++)
        area[page * PAGE] = 1;
    printf("64 fresh pages written to: %ld faults\n", minor_faults() - before);
    before = minor_faults();
    for (int page = 0; page < 64; page++)
        area[page * PAGE] = 2;
    printf("again: %ld\n", minor_faults() - before);
    madvise(area, 64 * PAGE, MADV_DONTNEED);
    before = minor_faults();
    for (int page = 0; page < 64; page++)
        (void)*(volatile char *)(area + page * PAGE);
    printf("read: %ld\n", minor_faults() - before);
    before = minor_faults();
    for (int page = 0; page < 64; page++)
        area[page * PAGE] = 3;
    printf("then written to: %ld\n", minor_faults() - before);
    mprotect(area, 64 * PAGE, PROT_READ);
    mprotect(area, 64 * PAGE, PROT_READ | PROT_WRITE);
    before = minor_faults();
    char *populated = mmap(NULL, 64 * PAGE, PROT_READ | PROT_WRITE,
                           MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
    for (int page = 0; page < 64; page++)
        populated[page * PAGE] = 1;
    printf("populated: %ld\n", minor_faults() - before);
}

int main(void)
{
    IN_CHILD(address_space);
    IN_CHILD(lowered_for_good);
    IN_CHILD(file_size);
    touching();
    return 0;
}
