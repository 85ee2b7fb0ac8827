/* mremap: growing, shrinking, moving */
#include "say.h"

#include <sys/auxv.h>

#define MAY MREMAP_MAYMOVE

static void errors(char *area)
{
    TELL_DONE(mremap(area + 1, PAGE, PAGE, MAY));
    TELL_DONE(mremap(area, PAGE, 0, MAY));
    TELL_DONE(mremap(area, PAGE, PAGE, 0x80));
    TELL_DONE(mremap(area, PAGE, PAGE, MREMAP_FIXED, area + 8 * PAGE));
    TELL_DONE(mremap(area, PAGE, PAGE, MAY | MREMAP_FIXED, area + 8 * PAGE + 1));
    TELL_DONE(mremap(area, 2 * PAGE, 2 * PAGE, MAY | MREMAP_FIXED, area + PAGE));
    TELL_DONE(mremap(area - PAGE, PAGE, 2 * PAGE, MAY));
    TELL_DONE(mremap(area, 0, PAGE, MAY)); /* private: can't be doubled */
#ifdef __x86_64__                          /* a 64-bit kernel knows no wrap of 32 bits */
    TELL_DONE(mremap(area, PAGE, (size_t)-PAGE, MAY));
#endif
    TELL_DONE(mremap(area, 2 * PAGE, 2 * PAGE, 0));
}

static void in_place(void)
{
    char *area = pages(8);
    memset(area, 'i', 8 * PAGE);
    printf("shrinks in place: %d\n", mremap(area, 8 * PAGE, 4 * PAGE, 0) == area);
    say_access("what was cut off", area + 4 * PAGE, READ);
    printf("grows in place: %d\n", mremap(area, 4 * PAGE, 6 * PAGE, 0) == area);
    printf("by zeros: %d\n", area[4 * PAGE]);
    mmap(area + 6 * PAGE, PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
    mprotect(area + 6 * PAGE, PAGE, PROT_NONE);
    TELL_DONE(mremap(area, 6 * PAGE, 8 * PAGE, 0)); /* something is in the way */
    char *moved = mremap(area, 6 * PAGE, 8 * PAGE, MAY);
    printf("moves: %d, with what it had: %c %d %d\n", moved != area && moved != MAP_FAILED,
           moved[0], moved[4 * PAGE], moved[7 * PAGE]);
    say_access("the old place", area, READ);
}

static void to_a_place(void)
{
    char *area = pages(4), *target = pages(4);
    memset(area, 'f', 4 * PAGE);
    memset(target, 't', 4 * PAGE);
    char *got = mremap(area + PAGE, 2 * PAGE, 2 * PAGE, MAY | MREMAP_FIXED, target + PAGE);
    printf("to a fixed place: %d: %c%c%c%c\n", got == target + PAGE, target[0], target[PAGE],
           target[2 * PAGE], target[3 * PAGE]);
    say_access("the middle of where it was", area + PAGE, READ);
    printf("its neighbours stay: %c%c\n", area[0], area[3 * PAGE]);
    got = mremap(target, PAGE, PAGE, MAY | MREMAP_DONTUNMAP);
    printf("DONTUNMAP: %c, and zeros where it was: %d\n", got == MAP_FAILED ? '-' : got[0],
           target[0]);
    TELL_DONE(mremap(target, PAGE, 2 * PAGE, MAY | MREMAP_DONTUNMAP));
}

static void of_files(void)
{
    int fd = letters("file", 4 * PAGE);
    char *map = mmap(NULL, 2 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    char *twice = mremap(map, 0, 2 * PAGE, MAY);
    printf("a shared one can be had twice: %d\n", twice != MAP_FAILED && twice != map);
    twice[0] = 'Z';
    printf("of the same pages: %c\n", map[0]);
    map = mremap(map, 2 * PAGE, 4 * PAGE, MAY);
    printf("grows to more of the file: %c%c%c%c\n", map[0], map[PAGE], map[2 * PAGE],
           map[3 * PAGE]);
    map = mremap(map, 4 * PAGE, 5 * PAGE, MAY);
    say_access("a page behind the end", map + 4 * PAGE, READ);
    close(fd);
}

static void several_areas(void)
{
    char *area = pages(4);
    mprotect(area + PAGE, PAGE, PROT_READ);
    TELL_DONE(mremap(area, 3 * PAGE, 4 * PAGE, MAY));
    TELL_DONE(mremap(area, 2 * PAGE, PAGE, 0));
    say_access("the page cut off", area + PAGE, READ);
}

/* Without the library, which may call through the vDSO. */
static long call(long number, long first, long second)
{
    long result;
#if defined(__x86_64__)
    __asm__ volatile("syscall"
                     : "=a"(result)
                     : "a"(number), "D"(first), "S"(second)
                     : "rcx", "r11", "memory");
#else
    __asm__ volatile("int $0x80" : "=a"(result) : "a"(number), "b"(first), "c"(second) : "memory");
#endif
    return result;
}

static volatile int caught;

static void catch (int signal)
{
    caught = signal;
}

/* Calls and signals that are under way return to where it is then. Linux moves all of it or none.
 */
static void vdso(void)
{
    char *from = (char *)(uintptr_t)getauxval(AT_SYSINFO_EHDR), *to = pages(16);
    const long pid = getpid();
    bool moved = false;
    signal(SIGUSR1, catch);
    for (unsigned long n = 1; n <= 16 && !moved; n++)
        moved = mremap(from, n * PAGE, n * PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, to) == to;
    (void)call(SYS_kill, pid, SIGUSR1);
    (void)call(SYS_exit, moved && caught == SIGUSR1 ? 0 : 1, 0);
}

int main(void)
{
    char *area = pages(4);
    errors(area);
    in_place();
    to_a_place();
    of_files();
    several_areas();
    IN_CHILD(vdso);
    return 0;
}
