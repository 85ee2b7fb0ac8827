/* tests/preload/conformance/memory.c: what a block holds, and what the process takes
 *
 * Nothing here allocates, so that figures before and after are of the case alone.
 */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "conformance.h"

#define PAGE_BYTES ((size_t)4096)

static unsigned char pattern(size_t i, unsigned seed)
{
    return (unsigned char)((i * 31 + seed * 167 + (i >> 8) * 13) ^ 0x5a);
}

void fill(void *block, size_t size, unsigned seed)
{
    unsigned char *byte = block;
    for (size_t i = 0; i < size; i++)
        byte[i] = pattern(i, seed);
}

bool holds(const void *block, size_t size, unsigned seed)
{
    const unsigned char *byte = block;
    for (size_t i = 0; i < size; i++)
        if (byte[i] != pattern(i, seed))
            return false;
    return true;
}

bool is_zero(const void *block, size_t size)
{
    const unsigned char *byte = block;
    return !size || (!byte[0] && !memcmp(byte, byte + 1, size - 1));
}

bool is_aligned(const void *block, size_t alignment)
{
    return (uintptr_t)block % alignment == 0;
}

uint64_t random_next(uint64_t *state)
{
    uint64_t x = *state += 0x9e3779b97f4a7c15u;
    x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9u;
    x = (x ^ (x >> 27)) * 0x94d049bb133111ebu;
    return x ^ (x >> 31);
}

size_t random_size(uint64_t *state, size_t most)
{
    unsigned bits = 1;
    while (bits < 40 && most >> bits)
        bits++;
    size_t size = (size_t)random_next(state) & (((size_t)2 << random_next(state) % bits) - 1);
    return size >= most ? most : size + 1;
}

static size_t statm(unsigned field)
{
    char text[128];
    int file = open("/proc/self/statm", O_RDONLY);
    ssize_t length = read(file, text, sizeof text - 1);
    close(file);
    text[length > 0 ? length : 0] = '\0';
    char *at = text;
    unsigned long pages = strtoul(at, &at, 10);
    while (field--)
        pages = strtoul(at, &at, 10);
    return pages * (size_t)sysconf(_SC_PAGESIZE);
}

size_t virtual_bytes(void)
{
    return statm(0);
}

size_t resident_bytes(void)
{
    return statm(1);
}

size_t resident_pages(const void *block, size_t size)
{
    size_t from = ((uintptr_t)block + PAGE_BYTES - 1) / PAGE_BYTES;
    size_t to = ((uintptr_t)block + size) / PAGE_BYTES;
    size_t count = 0;
    for (size_t page = from; page < to; page++) {
        unsigned char there = 0;
        if (!mincore((void *)(page * PAGE_BYTES), PAGE_BYTES, &there))
            count += there & 1;
    }
    return count;
}

static sigjmp_buf out_of_fault;

static void leave_fault(int number)
{
    (void)number;
    siglongjmp(out_of_fault, 1);
}

bool faults(const void *at)
{
    struct sigaction action = {.sa_handler = leave_fault}, before;
    volatile bool faulted = true;
    sigaction(SIGSEGV, &action, &before);
    if (!sigsetjmp(out_of_fault, 1)) {
        (void)*(const volatile char *)at;
        faulted = false;
    }
    sigaction(SIGSEGV, &before, NULL);
    return faulted;
}

int run_self(const char *name, const char *variable, void (*prepare)(void))
{
    int status = -1;
    static char argument[256], assignment[256];
    char *argv[] = {"/proc/self/exe", argument, NULL};
    snprintf(argument, sizeof argument, "--run=%s", name);
    snprintf(assignment, sizeof assignment, "%s", variable ? variable : "");
    pid_t pid = fork();
    if (!pid) {
        if (variable)
            putenv(assignment);
        if (prepare)
            prepare();
        execv(argv[0], argv);
        _exit(126);
    }
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
        ;
    return status;
}
