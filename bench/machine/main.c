/* bench/machine/main.c: rows of `name ticks`
 *
 *     operations [--init]
 *
 * --init: it is the first process of a Linux kernel. It lets the kernel's own threads come to rest
 * first, and turns the machine off at the end.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/stat.h>

#include "operations.h"

#define QUIET_SECONDS 20

static uint64_t began;

void begin(void)
{
    began = ticks();
}

void report(const char *name, uint64_t took, unsigned long repeats)
{
    printf("%s\t%llu\n", name, (unsigned long long)((took + repeats / 2) / repeats));
}

void row(const char *name, unsigned long repeats)
{
    uint64_t took = ticks() - began;
    report(name, took, repeats);
}

void need(bool condition, const char *what)
{
    if (condition)
        return;
    perror(what);
    exit(1);
}

char *map(size_t size, int more_flags)
{
    void *at =
        mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | more_flags, -1, 0);
    need(at != MAP_FAILED, "mmap");
    return at;
}

void unmap(void *at, size_t size)
{
    need(!munmap(at, size), "munmap");
}

void touch(char *at, size_t size)
{
    for (size_t offset = 0; offset < size; offset += PAGE)
        *(volatile char *)(at + offset) = 1;
}

unsigned char read_pages(const char *at, size_t size)
{
    unsigned char sum = 0;
    for (size_t offset = 0; offset < size; offset += PAGE)
        sum += (unsigned char)*(const volatile char *)(at + offset);
    return sum;
}

unsigned long next_random(unsigned long count)
{
    /* Of full period for each power of two (Knuth, volume 2, 3.2.1.2, theorem A). */
    static uint32_t state;
    state = state * 1664525u + 1013904223u;
    return (unsigned long)(((uint64_t)state * count) >> 32);
}

static void report_memory(void)
{
    char line[128];
    FILE *file = fopen("/proc/meminfo", "r");
    need(file != NULL, "/proc/meminfo");
    while (fgets(line, sizeof line, file)) {
        unsigned long kib;
        if (sscanf(line, "MemFree: %lu", &kib) == 1)
            printf("free_at_start_KiB\t%lu\n", kib);
    }
    fclose(file);
}

int main(int argc, char **argv)
{
    bool is_init = argc > 1 && !strcmp(argv[1], "--init");
    if (argc > 1 && !strcmp(argv[1], "--end"))
        _exit(0);
    if (is_init) {
        mkdir("/proc", 0755);
        mkdir("/tmp", 0755);
        need(!mount("proc", "/proc", "proc", 0, NULL), "mount /proc");
        need(!mount("tmpfs", "/tmp", "tmpfs", 0, NULL), "mount /tmp");
    }
    report_memory();
    if (is_init)
        sleep(QUIET_SECONDS);
    measure_calibration();
    measure_calls();
    measure_anonymous();
    measure_copies();
    measure_files();
    measure_forks("/proc/self/exe");
    measure_many_areas();
    fflush(stdout);
    if (is_init)
        reboot(RB_POWER_OFF);
    return 0;
}
