/* bench/heap/child.c: what all cases measure with */
#include <stdio.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "bench.h"

void result(const char *unit, double value)
{
    printf("%s %.6f\n", unit, value);
}

uint64_t clock_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

uint64_t minor_faults(void)
{
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    return (uint64_t)usage.ru_minflt;
}

uint64_t resident_bytes(void)
{
    unsigned long total, pages = 0;
    FILE *file = fopen("/proc/self/statm", "r");
    if (!file || fscanf(file, "%lu %lu", &total, &pages) != 2)
        fail("/proc/self/statm can't be read");
    fclose(file);
    return (uint64_t)pages * (uint64_t)sysconf(_SC_PAGESIZE);
}

void check(bool enough)
{
    if (!enough)
        fail("the allocator had no memory left");
}

/* Of many short windows the best is what the code costs; the others are the machine's. */
double best_ns(void (*chunk)(void), size_t operations, unsigned chunks)
{
    uint64_t best = UINT64_MAX;
    for (unsigned i = 0; i < chunks + chunks / 4; i++) {
        uint64_t start = clock_ns();
        chunk();
        uint64_t time = clock_ns() - start;
        best = time < best ? time : best;
    }
    return (double)best / (double)operations;
}

/* The first chunks warm up. */
double median_ns(void (*chunk)(void), size_t operations, unsigned chunks)
{
    struct samples samples;
    check(samples_init(&samples, chunks));
    for (unsigned i = 0; i < chunks + chunks / 4; i++) {
        uint64_t start = clock_ns();
        chunk();
        uint64_t time = clock_ns() - start;
        if (i >= chunks / 4)
            samples_add(&samples, time, operations);
    }
    double median = samples_median(&samples);
    samples_free(&samples);
    return median;
}
