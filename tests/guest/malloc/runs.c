/* tests/guest/malloc/runs.c: programs run one after another, each with the same past
 *
 *     runs /PROGRAM[,ARGUMENT]...
 *
 * Each run's output stands between `##### /PROGRAM ARGUMENT` and `##### exit STATUS`. A process's
 * count of faults begins at its fork, so what the child does until execve is part of what a program
 * says of itself. Here that is one fault always: the page of code, which fork doesn't copy; there
 * is no C library, and the child writes nowhere. As process 1 it makes itself a /proc first, and
 * turns the machine off at the end, so that it serves Linux as init, which is how the expected
 * outputs were recorded.
 */
#include <sys/syscall.h>

#define POWER_OFF 0x4321fedc
#define MAX_ARGUMENTS 8
#define MAX_TITLE 256

#if defined(__x86_64__)
__asm__(".globl _start\n_start:\n mov %rsp, %rdi\n and $-16, %rsp\n call begin\n");

static inline __attribute__((always_inline)) long call(long number, long a, long b, long c, long d,
                                                       long e)
{
    long result;
    register long r10 __asm__("r10") = d;
    register long r8 __asm__("r8") = e;
    __asm__ volatile("syscall"
                     : "=a"(result)
                     : "a"(number), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8)
                     : "rcx", "r11", "memory");
    return result;
}
#else
__asm__(".globl _start\n_start:\n mov %esp, %eax\n and $-16, %esp\n sub $12, %esp\n push %eax\n"
        " call begin\n");

static inline __attribute__((always_inline)) long call(long number, long a, long b, long c, long d,
                                                       long e)
{
    long result;
    __asm__ volatile("int $0x80"
                     : "=a"(result)
                     : "a"(number), "b"(a), "c"(b), "d"(c), "S"(d), "D"(e)
                     : "memory");
    return result;
}
#endif

static long length(const char *text)
{
    long n = 0;
    while (text[n])
        n++;
    return n;
}

static void say(const char *text)
{
    call(SYS_write, 1, (long)text, length(text), 0, 0);
}

/* "/a,b,c" becomes the program's arguments, and the title "/a b c". */
static void split(char *words, char *title, char **arguments)
{
    long n = 0, i = 0;
    arguments[n++] = words;
    for (; words[i] && i < MAX_TITLE - 1; i++) {
        title[i] = words[i];
        if (words[i] == ',' && n < MAX_ARGUMENTS) {
            title[i] = ' ';
            words[i] = '\0';
            arguments[n++] = words + i + 1;
        }
    }
    title[i] = '\0';
    arguments[n] = (char *)0;
}

static void say_status(int status)
{
    char digits[4] = "000";
    int code = status & 0x7f ? 128 + (status & 0x7f) : status >> 8 & 0xff;
    int first = code > 99 ? 0 : code > 9 ? 1 : 2;
    digits[0] = (char)('0' + code / 100);
    digits[1] = (char)('0' + code / 10 % 10);
    digits[2] = (char)('0' + code % 10);
    say("##### exit ");
    say(digits + first);
    say("\n");
}

static int run(char *words)
{
    /* All that execve reads is on the stack, whose pages fork does copy. */
    char home[] = "HOME=/", term[] = "TERM=linux";
    char *environment[] = {home, term, (char *)0};
    char *arguments[MAX_ARGUMENTS + 1];
    char title[MAX_TITLE];
    int status = 0;
    split(words, title, arguments);
    say("##### ");
    say(title);
    say("\n");
    long child = call(SYS_fork, 0, 0, 0, 0, 0);
    if (!child) {
        call(SYS_execve, (long)arguments[0], (long)arguments, (long)environment, 0, 0);
        call(SYS_exit, 127, 0, 0, 0, 0);
    }
    call(SYS_wait4, child, (long)&status, 0, 0, 0);
    say_status(status);
    return status;
}

_Noreturn void begin(long *stack);
_Noreturn void begin(long *stack)
{
    int failed = 0;
    char **argv = (char **)(stack + 1);
    int init = call(SYS_getpid, 0, 0, 0, 0, 0) == 1;
    if (init)
        call(SYS_mount, (long)"proc", (long)"/proc", (long)"proc", 0, 0);
    for (long i = 1; i < stack[0]; i++)
        failed |= run(argv[i]);
    if (init)
        call(SYS_reboot, (long)0xfee1dead, 672274793, POWER_OFF, 0, 0);
    for (;;)
        call(SYS_exit, failed != 0, 0, 0, 0, 0);
}
