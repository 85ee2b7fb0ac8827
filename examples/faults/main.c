/* examples/faults/main.c: what page faults cost, on whatever system this runs
 *
 *     faults [MEBIBYTES]      what it touches (64)
 *
 * First touches of anonymous memory, writes after fork, and the same accesses where nothing is left
 * to do. On Linux the unit is nanoseconds; in a machine whose clock counts instructions (QEMU's
 * -icount shift=0) it is those: ./demo runs it so. Free memory is shown before and after, as
 * /proc/buddyinfo has it.
 */
#include <inttypes.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define PAGE_BYTES 4096u
#define SHARED_PAGES 2048u /* that a child writes */

static uint64_t now(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (uint64_t)time.tv_sec * 1000000000u + (uint64_t)time.tv_nsec;
}

static uint64_t faults(void)
{
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    return (uint64_t)(usage.ru_minflt + usage.ru_majflt);
}

/* One write a page. */
static uint64_t touch(volatile char *memory, size_t pages)
{
    uint64_t start = now();
    for (size_t i = 0; i < pages; i++)
        memory[i * PAGE_BYTES] = 1;
    return now() - start;
}

/* What the kernel does with each page that it gives. */
static uint64_t clear_page(char *memory)
{
    size_t words = PAGE_BYTES / sizeof(long);
    uint64_t start = now();
#if defined(__x86_64__)
    __asm__ volatile("rep stosq" : "+D"(memory), "+c"(words) : "a"(0l) : "memory");
#elif defined(__i386__)
    __asm__ volatile("rep stosl" : "+D"(memory), "+c"(words) : "a"(0l) : "memory");
#else
    memset(memory, 0, words * sizeof(long));
#endif
    return now() - start;
}

static void show_free_memory(const char *when)
{
    char line[256];
    FILE *file = fopen("/proc/buddyinfo", "r");
    while (file && fgets(line, sizeof line, file))
        printf("free %s: %s", when, line);
    if (file)
        fclose(file);
}

/* The cost of what faults, less that of the same loop without. */
static void tell(const char *what, uint64_t with, uint64_t without, uint64_t count)
{
    if (count)
        printf("%s: %" PRIu64 " faults, %" PRIu64 " each\n", what, count,
               (with > without ? with - without : 0) / count);
}

static void first_touch(char *memory, size_t pages)
{
    uint64_t before = faults();
    uint64_t first = touch(memory, pages);
    uint64_t count = faults() - before;
    tell("first touch", first, touch(memory, pages), count);
    printf("clearing a page: %" PRIu64 "\n", clear_page(memory));
}

static int write_after_fork(char *memory)
{
    int status;
    pid_t child = fork();
    if (!child) {
        uint64_t before = faults();
        uint64_t first = touch(memory, SHARED_PAGES);
        uint64_t count = faults() - before;
        tell("copy on write", first, touch(memory, SHARED_PAGES), count);
        fflush(stdout);
        _exit(0);
    }
    return child > 0 && waitpid(child, &status, 0) == child ? status : 1;
}

int main(int argc, char **argv)
{
    size_t pages = (argc > 1 ? strtoul(argv[1], NULL, 10) : 64) << 20 >> 12;
    char *memory =
        mmap(NULL, pages * PAGE_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED || pages < SHARED_PAGES) {
        fprintf(stderr, "faults: no such memory\n");
        return 1;
    }
    /* Small pages, also where large ones are the default. */
    madvise(memory, pages * PAGE_BYTES, MADV_NOHUGEPAGE);
    show_free_memory("before");
    first_touch(memory, pages);
    show_free_memory("after");
    fflush(stdout);
    munmap(memory + SHARED_PAGES * PAGE_BYTES, (pages - SHARED_PAGES) * PAGE_BYTES);
    return write_after_fork(memory) != 0;
}
