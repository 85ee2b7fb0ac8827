/* bench/machine/small.c: forks of a small static program, without a C library
 *
 *     small [--init]
 *
 * A fork costs what the process has touched. This one has little: a page or two of code, one of the
 * stack, and what the constants below say. They are chosen so that Linux needs for these rows about
 * what was recorded of it by a program that isn't here (x86-64: 98,281, 199,410, 6,187,693 and
 * 293,348 instructions). What glibc's start and data add is in the rows of forks.c.
 *
 * --init: as operations' (main.c). --end: it is the one that was started by execve.
 */
#include <stdbool.h>
#include <stddef.h>
#include <sys/reboot.h>
#include <sys/syscall.h>
#include <time.h>

#include "operations.h"

#define QUIET_SECONDS 20
#define FEW 4
#define CODE (64 << 10) /* a fault around brings as much of a file */
#define WRITTEN_AT_END 2

static volatile char data[FEW * PAGE] = {1};
static volatile char zeroes[FEW * PAGE];
static const char code[FEW * CODE] = {1};

#ifdef __x86_64__
__asm__(".globl _start\n_start:\n\tmov %rsp, %rdi\n\tand $-16, %rsp\n\tcall begun\n");

static long call(long number, long a, long b, long c, long d, long e)
{
    register long fourth __asm__("r10") = d;
    register long fifth __asm__("r8") = e;
    __asm__ volatile("syscall"
                     : "+a"(number)
                     : "D"(a), "S"(b), "d"(c), "r"(fourth), "r"(fifth)
                     : "rcx", "r11", "memory");
    return number;
}
#else
__asm__(".globl _start\n_start:\n\tmov %esp, %eax\n\tand $-16, %esp\n\tsub $12, %esp\n\tpush %eax\n"
        "\tcall begun\n");

static long call(long number, long a, long b, long c, long d, long e)
{
    __asm__ volatile("int $0x80"
                     : "+a"(number)
                     : "b"(a), "c"(b), "d"(c), "S"(d), "D"(e)
                     : "memory");
    return number;
}
#endif

static void print(const char *text, size_t size)
{
    call(SYS_write, 1, (long)text, (long)size, 0, 0);
}

_Noreturn static void end(int status)
{
    for (;;)
        call(SYS_exit_group, status, 0, 0, 0, 0);
}

static void needed(bool condition, const char *what)
{
    size_t size = 0;
    if (condition)
        return;
    while (what[size])
        size++;
    print(what, size);
    print("\n", 1);
    end(1);
}

static void print_row(const char *name, uint64_t took, uint32_t repeats)
{
    char line[80], digits[16];
    size_t size = 0, count = 0;
    /* Of 32 bits: this program is linked with nothing that divides longer ones. */
    needed(took >> 32 == 0, "too long");
    uint32_t each = ((uint32_t)took + repeats / 2) / repeats;
    while (*name)
        line[size++] = *name++;
    line[size++] = '\t';
    do
        digits[count++] = (char)('0' + each % 10);
    while (each /= 10);
    while (count > 0)
        line[size++] = digits[--count];
    line[size++] = '\n';
    print(line, size);
}

static void touch_own(void)
{
    for (size_t i = 0; i < FEW; i++) {
        data[i * PAGE] = 1;
        zeroes[i * PAGE] = 1;
        (void)*(const volatile char *)(code + i * CODE);
    }
}

_Noreturn static void end_of_child(void)
{
    for (size_t i = 0; i < WRITTEN_AT_END; i++)
        data[i * PAGE] = 2;
    end(0);
}

static void wait_for(long pid)
{
    int status = 1;
    needed(call(SYS_wait4, pid, (long)&status, 0, 0, 0) == pid && status == 0, "a child");
}

/* The heap is what is dirty. Making it so isn't measured: the fork before made it read-only. */
static void fork_exit_wait(const char *name, size_t dirty, uint32_t repeats)
{
    uint64_t between = 0;
    long heap = call(SYS_brk, 0, 0, 0, 0, 0);
    needed(call(SYS_brk, heap + (long)dirty, 0, 0, 0, 0) == heap + (long)dirty, "brk");
    for (uint32_t i = 0; i < repeats; i++) {
        for (size_t offset = 0; offset < dirty; offset += PAGE)
            *(volatile char *)(heap + (long)offset) = 1;
        uint64_t start = ticks();
        long pid = call(SYS_fork, 0, 0, 0, 0, 0);
        if (!pid)
            end_of_child();
        wait_for(pid);
        between += ticks() - start;
    }
    print_row(name, between, repeats);
    needed(call(SYS_brk, heap, 0, 0, 0, 0) == heap, "brk");
}

static void fork_exec_exit_wait(const char *self)
{
    const char *arguments[] = {self, "--end", NULL}, *environment[] = {NULL};
    const uint32_t repeats = 20;
    uint64_t start = ticks();
    for (uint32_t i = 0; i < repeats; i++) {
        long pid = call(SYS_fork, 0, 0, 0, 0, 0);
        if (!pid)
            end(-(int)call(SYS_execve, (long)self, (long)arguments, (long)environment, 0, 0));
        wait_for(pid);
    }
    print_row("fork_exec_exit_wait_self", ticks() - start, repeats);
}

__attribute__((used, noreturn)) void begun(const long *stack)
{
    long count = stack[0];
    char option = count > 1 ? ((const char *)stack[2])[2] : 0;
    touch_own();
    if (option == 'e')
        end_of_child();
    if (option == 'i') {
        long quiet[2] = {QUIET_SECONDS, 0};
        call(SYS_mkdir, (long)"/proc", 0755, 0, 0, 0);
        needed(!call(SYS_mount, (long)"proc", (long)"/proc", (long)"proc", 0, 0), "mount /proc");
        call(SYS_nanosleep, (long)quiet, 0, 0, 0, 0);
    }
    fork_exit_wait("fork_exit_wait_base", 0, 20);
    fork_exit_wait("fork_exit_wait_1M_dirty", MIB, 20);
    fork_exit_wait("fork_exit_wait_64M_dirty", 64 * MIB, 4);
    fork_exec_exit_wait("/proc/self/exe");
    if (option == 'i')
        call(SYS_reboot, (long)0xfee1deadul, 672274793, RB_POWER_OFF, 0, 0);
    end(0);
}
