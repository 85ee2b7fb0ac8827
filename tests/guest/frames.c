/* tests/guest/frames.c: frames that are taken out of use, and what /proc tells of frames
 *
 * Run by cases.sh in a machine alone: a host would lose the frames, and few are built so that they
 * can. A case says "ok - ..." or "not ok - ..."; what is expected is what the manuals say (madvise,
 * sigaction, proc_kpageflags) and Linux 6.1's mm/memory-failure.c does.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#define PAGE 4096ul
#define KPF(number) (1ull << (number))
#define HWPOISON KPF(19)
#define MMAP KPF(11)
#define ANON KPF(12)
#ifndef MADV_SOFT_OFFLINE
#define MADV_SOFT_OFFLINE 101
#endif

static int failed;

static void check(int holds, const char *format, ...)
{
    va_list args;
    printf("%s - ", holds ? "ok" : "not ok");
    va_start(args, format);
    vprintf(format, args);
    va_end(args);
    printf("\n");
    failed |= !holds;
}

/* ---- what can be seen ------------------------------------------------------------------------ */

static unsigned long long number_at(const char *path, unsigned long long index)
{
    unsigned long long number = ~0ull;
    int fd = open(path, O_RDONLY);
    if (pread(fd, &number, sizeof number, (off_t)(index * sizeof number)) != sizeof number)
        number = ~0ull;
    close(fd);
    return number;
}

static unsigned long long frame_of(const char *address)
{
    unsigned long long entry = number_at("/proc/self/pagemap", (uintptr_t)address / PAGE);
    return entry >> 63 ? entry & ((1ull << 55) - 1) : 0;
}

static unsigned long long flags_of(unsigned long long frame)
{
    return number_at("/proc/kpageflags", frame);
}

static long corrupted_kib(void)
{
    char line[128];
    long kib = -1;
    FILE *file = fopen("/proc/meminfo", "r");
    while (file && fgets(line, sizeof line, file))
        sscanf(line, "HardwareCorrupted: %ld", &kib);
    if (file)
        fclose(file);
    return kib;
}

static sigjmp_buf back;
static siginfo_t last;

static void handler(int signal, siginfo_t *info, void *context)
{
    (void)signal;
    (void)context;
    last = *info;
    siglongjmp(back, 1);
}

/* The signal that touching gives; 0: none. */
static int touch(volatile char *at, int write)
{
    struct sigaction action = {.sa_sigaction = handler, .sa_flags = SA_SIGINFO};
    sigaction(SIGBUS, &action, NULL);
    sigaction(SIGSEGV, &action, NULL);
    last = (siginfo_t){0};
    if (!sigsetjmp(back, 1)) {
        if (write)
            *at = 1;
        else
            (void)*at;
    }
    return last.si_signo;
}

static int is_lost(char *at)
{
    return touch(at, 0) == SIGBUS && last.si_code == BUS_MCEERR_AR && last.si_addr == at &&
           last.si_addr_lsb == 12;
}

static char *memory(unsigned long pages, int flags)
{
    char *at = mmap(NULL, pages * PAGE, PROT_READ | PROT_WRITE, MAP_ANONYMOUS | flags, -1, 0);
    memset(at, 'm', pages * PAGE);
    return at;
}

static int advise(char *at, unsigned long pages, int advice)
{
    return madvise(at, pages * PAGE, advice) ? errno : 0;
}

/* ---- lost ------------------------------------------------------------------------------------ */

static void of_ones_own(void)
{
    long before = corrupted_kib();
    char *at = memory(4, MAP_PRIVATE);
    unsigned long long frame = frame_of(at + PAGE);
    check(frame && (flags_of(frame) & (MMAP | ANON | HWPOISON)) == (MMAP | ANON),
          "a page is told as anonymous and mapped");
    check(number_at("/proc/kpagecount", frame) == 1, "and as mapped once");
    check(!advise(at + PAGE, 1, MADV_HWPOISON), "a page is poisoned");
    check(flags_of(frame) & HWPOISON && !(flags_of(frame) & MMAP), "its frame is told as such");
    check(!number_at("/proc/kpagecount", frame), "and as mapped nowhere");
    check(corrupted_kib() == before + 4, "it is counted in meminfo");
    check(is_lost(at + PAGE + 5 - 5), "a touch is SIGBUS with the address");
    check(touch(at + PAGE + 77, 1) == SIGBUS && last.si_addr == at + PAGE + 77, "so is a write");
    check(*at == 'm' && at[2 * PAGE] == 'm', "its neighbours are as they were");
    int ends[2];
    if (pipe(ends))
        return;
    check(write(ends[1], at + PAGE, 1) < 0 && errno == EFAULT, "the kernel's reads are EFAULT");
    check(advise(at + PAGE, 1, MADV_HWPOISON) == EFAULT, "again: EFAULT");
    unsigned char there = 0;
    check(!mincore(at + PAGE, PAGE, &there) && there & 1, "mincore counts it as there");
    pid_t pid = fork();
    if (!pid)
        _exit(!is_lost(at + PAGE));
    int status;
    waitpid(pid, &status, 0);
    check(!status, "a fork's child has it, too");
    char *to = mremap(at, 4 * PAGE, 8 * PAGE, MREMAP_MAYMOVE);
    check(is_lost(to + PAGE), "it moves with mremap");
    check(!mprotect(to, 4 * PAGE, PROT_READ) && is_lost(to + PAGE), "mprotect changes nothing");
    mprotect(to, 4 * PAGE, PROT_READ | PROT_WRITE);
    check(!advise(to + PAGE, 1, MADV_DONTNEED) && !touch(to + PAGE, 1), "MADV_DONTNEED ends it");
    check(frame_of(to + PAGE) != frame, "with another frame");
    munmap(to, 8 * PAGE);
    check(flags_of(frame) & HWPOISON, "the frame stays out of use");
    close(ends[0]);
    close(ends[1]);
}

static void never_again(void)
{
    enum { PAGES = 6000 };
    char *at = memory(8, MAP_PRIVATE);
    unsigned long long frame[8], again = 0;
    for (int i = 0; i < 8; i++)
        frame[i] = frame_of(at + i * PAGE);
    check(!advise(at, 8, MADV_HWPOISON), "eight at once");
    munmap(at, 8 * PAGE);
    at = memory(PAGES, MAP_PRIVATE);
    for (int i = 0; i < PAGES; i++)
        for (int k = 0; k < 8; k++)
            again += frame_of(at + i * PAGE) == frame[k];
    check(!again, "none is handed out again");
    munmap(at, PAGES * PAGE);
}

static void of_forks(void)
{
    char *at = memory(1, MAP_PRIVATE);
    int ready[2], go[2], status;
    char byte = 0;
    if (pipe(ready) || pipe(go))
        return;
    pid_t pid = fork();
    if (!pid) {
        close(go[1]);
        if (read(go[0], &byte, 1) < 0)
            _exit(2);
        _exit(!is_lost(at));
    }
    check(number_at("/proc/kpagecount", frame_of(at)) == 2, "a fork's page is mapped twice");
    check(!advise(at, 1, MADV_HWPOISON), "a page that two have");
    close(go[1]);
    waitpid(pid, &status, 0);
    check(is_lost(at) && !status, "is lost to both");
    munmap(at, PAGE);
    close(ready[0]);
    close(ready[1]);
    close(go[0]);
}

static void untouched(void)
{
    char *at = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    check(advise(at, 1, MADV_HWPOISON) == EBUSY, "the page of zeros stays");
    check(!touch(at, 1), "and can be written to as ever");
    mprotect(at, PAGE, PROT_NONE);
    check(advise(at, 1, MADV_HWPOISON) == EFAULT, "without rights: EFAULT");
    munmap(at, PAGE);
    check(advise(at, 1, MADV_HWPOISON) == EFAULT, "in a hole: EFAULT");
    check(advise(at + 1, 1, MADV_HWPOISON) == EINVAL, "in the middle of a page: EINVAL");
    check(!madvise(at, 0, MADV_HWPOISON), "nothing: done");
}

static void locked(void)
{
    char *at = memory(1, MAP_PRIVATE);
    mlock(at, PAGE);
    check(!advise(at, 1, MADV_HWPOISON) && is_lost(at), "locked memory is lost, too");
    munmap(at, PAGE);
}

/* ---- of files -------------------------------------------------------------------------------- */

static void shared(void)
{
    int fd = memfd_create("frames", 0);
    char byte;
    if (ftruncate(fd, 3 * PAGE))
        return;
    char *at = mmap(NULL, 3 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    char *copy = mmap(NULL, 3 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0);
    memset(at, 's', 3 * PAGE);
    check(!advise(at + PAGE, 1, MADV_HWPOISON) && is_lost(at + PAGE), "a page of shared memory");
    check(is_lost(copy + PAGE), "is lost to who maps it later");
    check(touch(copy + PAGE, 1) == SIGBUS, "or writes to a copy");
    check(pread(fd, &byte, 1, PAGE) < 0 && errno == EIO, "reading it is EIO");
    check(pwrite(fd, "x", 1, PAGE) < 0 && errno == EIO, "writing it, too");
    check(pread(fd, &byte, 1, 0) == 1 && byte == 's', "what is before it is there");
    check(!ftruncate(fd, PAGE + 9) && !ftruncate(fd, 3 * PAGE), "a file may end in it");
    check(pread(fd, &byte, 1, PAGE) < 0 && errno == EIO, "which brings nothing back");
    check(!ftruncate(fd, PAGE) && !ftruncate(fd, 3 * PAGE), "it is cut off");
    check(pread(fd, &byte, 1, PAGE) == 1 && !byte, "and is zero then");
    munmap(at, 3 * PAGE);
    munmap(copy, 3 * PAGE);
    close(fd);
}

/* ---- softly ---------------------------------------------------------------------------------- */

static void softly(void)
{
    long before = corrupted_kib();
    char *at = memory(16, MAP_PRIVATE);
    unsigned long long frame[16];
    for (int i = 0; i < 16; i++) {
        at[i * PAGE] = (char)i;
        frame[i] = frame_of(at + i * PAGE);
    }
    check(!advise(at, 16, MADV_SOFT_OFFLINE), "pages are moved away");
    unsigned same = 0, bad = 0, wrong = 0;
    for (int i = 0; i < 16; i++) {
        wrong += at[i * PAGE] != (char)i || at[i * PAGE + 1] != 'm';
        same += frame_of(at + i * PAGE) == frame[i];
        bad += (flags_of(frame[i]) & HWPOISON) != 0;
    }
    check(!wrong, "with what is in them");
    check(!same && bad == 16, "their frames are out of use");
    check(corrupted_kib() == before + 64, "and counted");
    check(!advise(at, 16, MADV_SOFT_OFFLINE), "they can move again");
    munmap(at, 16 * PAGE);
    at = memory(4, MAP_SHARED);
    check(!advise(at, 4, MADV_SOFT_OFFLINE) && at[0] == 'm' && at[3 * PAGE] == 'm',
          "shared memory, too");
    munmap(at, 4 * PAGE);
}

static void who_may(void)
{
    int status;
    pid_t pid = fork();
    if (!pid) {
        char *at = memory(1, MAP_PRIVATE);
        if (seteuid(1000))
            _exit(2);
        _exit(advise(at, 1, MADV_HWPOISON) != EPERM || advise(at, 1, MADV_SOFT_OFFLINE) != EPERM ||
              advise(at + 1, 1, MADV_HWPOISON) != EINVAL || madvise(at, 0, MADV_HWPOISON) ||
              !madvise(at, (size_t)-1, MADV_HWPOISON) ||
              errno != (sizeof(long) == 8 ? EINVAL : EPERM));
    }
    waitpid(pid, &status, 0);
    check(!status, "only root may");
}

/* ---- /proc ----------------------------------------------------------------------------------- */

static void files_of_frames(void)
{
    unsigned long long free = 0, mapped = 0, slab = 0, numbers[512];
    int fd = open("/proc/kpageflags", O_RDONLY);
    ssize_t size;
    while ((size = read(fd, numbers, sizeof numbers)) > 0)
        for (unsigned i = 0; i < (size_t)size / sizeof *numbers; i++) {
            free += (numbers[i] & KPF(10)) != 0;
            slab += (numbers[i] & KPF(7)) != 0;
            mapped += (numbers[i] & MMAP) != 0;
        }
    check(free > 20000 && free < 32768, "some hundred MiB are free");
    check(slab > 4 && slab < 2000 && mapped > 20 && mapped < 2000, "little is used");
    check(read(fd, numbers, 8) == 0 && pread(fd, numbers, 7, 0) < 0 && errno == EINVAL,
          "whole numbers are read, up to the last frame's");
    close(fd);
}

int main(void)
{
    setvbuf(stdout, NULL, _IOLBF, 0);
    files_of_frames();
    of_ones_own();
    never_again();
    of_forks();
    untouched();
    locked();
    shared();
    softly();
    who_may();
    return failed;
}
