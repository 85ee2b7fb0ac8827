/* bench/heap/server.c: a server that takes large blocks for each request, and one that gives memory
 * back */
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "bench.h"

#define MIB ((size_t)1 << 20)

/* ---- requests -------------------------------------------------------------------------------- */

/* A case's parameter: MiB of a block << 8 | pages that are touched (0: all) << 4 | blocks in
 * flight. */
#define REQUEST(mib, pages, flight) ((mib) << 8 | (pages) << 4 | (flight))

static void serve(unsigned requests)
{
    size_t size = (running->parameter >> 8) * MIB;
    size_t pages = (running->parameter >> 4) & 15, flight = running->parameter & 15;
    size_t step = pages ? size / pages : 4096;
    char *block[16];
    for (unsigned i = 0; i < requests; i += (unsigned)flight) {
        for (size_t j = 0; j < flight; j++) {
            block[j] = malloc(size);
            check(block[j]);
            for (size_t at = 0; at + step <= size; at += step)
                block[j][at] = 1;
        }
        for (size_t j = 0; j < flight; j++)
            free(opaque(block[j]));
    }
}

static void requests(void)
{
    unsigned flight = running->parameter & 15;
    bool all = !((running->parameter >> 4) & 15);
    unsigned count = (all ? 40 : 250) * (unsigned)options.scale * flight;
    struct samples samples;
    check(samples_init(&samples, 10));
    serve(20 * flight);
    uint64_t faults = minor_faults();
    for (unsigned i = 0; i < 10; i++) {
        uint64_t begin = clock_ns();
        serve(count);
        samples_add(&samples, clock_ns() - begin, count);
    }
    result("ns/request", samples_median(&samples));
    result("faults/request", (double)(minor_faults() - faults) / (10.0 * count));
}

/* ---- giving back ----------------------------------------------------------------------------- */

#define NR_VALUES 300000u

static void nap(unsigned seconds)
{
    struct timespec time = {.tv_sec = seconds};
    nanosleep(&time, NULL);
}

static void *value[NR_VALUES];

/* As redis has them: values of 16 to 512 bytes, of which nine of ten are deleted at random.
 * Resident memory over what is in use, at once; then when a second has gone by and 10,000 values
 * have come and gone, since an allocator may wait for that; then when it is asked. */
static void giving_back(void)
{
    uint64_t state = 1, used = 0;
    for (unsigned i = 0; i < NR_VALUES; i++)
        value[i] = NULL; /* touched before */
    uint64_t before = resident_bytes();
    for (unsigned i = 0; i < NR_VALUES; i++) {
        size_t size = 16 + random_below(&state, 497);
        value[i] = malloc(size);
        check(value[i]);
        memset(value[i], 1, size);
    }
    for (unsigned i = 0; i < NR_VALUES; i++)
        if (random_below(&state, 10)) {
            free(value[i]);
            value[i] = NULL;
        } else {
            used += malloc_usable_size(value[i]);
        }
    result("rss/used", (double)(resident_bytes() - before) / (double)used);
    nap(1);
    for (unsigned i = 0; i < 10000; i++)
        free(opaque(malloc(16 + random_below(&state, 497))));
    result("rss/used-1s", (double)(resident_bytes() - before) / (double)used);
    malloc_trim(0);
    result("rss/used-trim", (double)(resident_bytes() - before) / (double)used);
}

const struct heap_case server_cases[] = {
    {.name = "request-2M-6p-1", .threads = 1, .run = requests, .parameter = REQUEST(2, 6, 1)},
    {.name = "request-2M-6p-2", .threads = 1, .run = requests, .parameter = REQUEST(2, 6, 2)},
    {.name = "request-2M-6p-3", .threads = 1, .run = requests, .parameter = REQUEST(2, 6, 3)},
    {.name = "request-2M-6p-4", .threads = 1, .run = requests, .parameter = REQUEST(2, 6, 4)},
    {.name = "request-2M-all-1", .threads = 1, .run = requests, .parameter = REQUEST(2, 0, 1)},
    {.name = "request-2M-all-4", .threads = 1, .run = requests, .parameter = REQUEST(2, 0, 4)},
    {.name = "request-48M-6p-2", .threads = 1, .run = requests, .parameter = REQUEST(48, 6, 2)},
    {.name = "giving-back", .threads = 1, .run = giving_back},
    {0},
};
