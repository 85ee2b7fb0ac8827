/* bench/heap/micro.c: small loops of one thread */
#include <malloc.h>
#include <stdlib.h>
#include <string.h>

#include "bench.h"

#define CHUNK 1000u
#define MAX_LIVE 100000u

static size_t hot_size;

static void hot_chunk(void)
{
    size_t size = opaque_size(hot_size);
    for (unsigned i = 0; i < CHUNK; i++)
        free(opaque(malloc(size)));
}

/* ---- for instructions.sh: the loop alone is counted by functions that do nothing ------------- */

static void *nothing_allocated(size_t size)
{
    return (void *)size;
}

static void nothing_freed(void *block)
{
    (void)block;
}

__attribute__((noinline)) void bench_measured(void *(*allocate)(size_t), void (*release)(void *),
                                              size_t size, long pairs);
void bench_measured(void *(*allocate)(size_t), void (*release)(void *), size_t size, long pairs)
{
    while (pairs--)
        release(opaque(allocate(size)));
}

static void count_instructions(bool of_nothing)
{
    void *(*volatile allocate)(size_t) = of_nothing ? nothing_allocated : malloc;
    void (*volatile release)(void *) = of_nothing ? nothing_freed : free;
    for (unsigned i = 0; i < 100; i++) /* what only the first ones do */
        hot_chunk();
    bench_measured(allocate, release, hot_size, options.count);
}

/* ---- hot ------------------------------------------------------------------------------------- */

static void hot(void)
{
    hot_size = running->parameter;
    if (options.count >= 0)
        count_instructions(false);
    else
        result("ns/pair", best_ns(hot_chunk, CHUNK, 1000 * (unsigned)options.scale));
}

static void loop_alone(void)
{
    hot_size = running->parameter;
    if (options.count >= 0)
        count_instructions(true);
}

/* ---- many alive ------------------------------------------------------------------------------ */

static void *live[MAX_LIVE];
static size_t nr_live;
static uint64_t state = 1;

static size_t random_size(void)
{
    return 8 + random_below(&state, 1017);
}

static void random_chunk(void)
{
    for (unsigned i = 0; i < CHUNK; i++) {
        void **slot = &live[random_below(&state, nr_live)];
        free(*slot);
        *slot = malloc(random_size());
        *(char *)*slot = 1;
    }
}

static void random_live(void)
{
    nr_live = running->parameter;
    for (size_t i = 0; i < nr_live; i++) {
        live[i] = malloc(random_size());
        check(live[i]);
    }
    unsigned chunks = 500 * (unsigned)options.scale;
    result("ns/pair", median_ns(random_chunk, CHUNK, chunks));
}

static void aligned_chunk(void)
{
    for (unsigned i = 0; i < CHUNK; i++) {
        void **slot = &live[random_below(&state, nr_live)];
        free(*slot);
        *slot = memalign(64, random_size());
        *(char *)*slot = 1;
    }
}

static void aligned(void)
{
    nr_live = running->parameter;
    result("ns/pair", median_ns(aligned_chunk, CHUNK, 500 * (unsigned)options.scale));
}

/* ---- realloc and calloc ---------------------------------------------------------------------- */

static void realloc_small_chunk(void)
{
    size_t small = opaque_size(16), more = opaque_size(24);
    for (unsigned i = 0; i < CHUNK; i++)
        free(opaque(realloc(opaque(malloc(small)), more)));
}

static void realloc_small(void)
{
    result("ns/round", median_ns(realloc_small_chunk, CHUNK, 500 * (unsigned)options.scale));
}

static unsigned growth_steps;

/* As a buffer grows that doesn't know how much will come: by a half, to 4 MiB, its end written. */
static void growth_chunk(void)
{
    char *buffer = NULL;
    growth_steps = 0;
    for (size_t size = 16; size < (size_t)4 << 20; size += size / 2) {
        buffer = realloc(buffer, size);
        check(buffer);
        buffer[size - 1] = 1;
        growth_steps++;
    }
    free(buffer);
}

static void growth(void)
{
    growth_chunk();
    uint64_t faults = minor_faults();
    unsigned chunks = 200 * (unsigned)options.scale;
    result("ns/step", median_ns(growth_chunk, growth_steps, chunks));
    result("faults/buffer", (double)(minor_faults() - faults) / (chunks + chunks / 4));
}

/* As growth, but by 4000 bytes. */
static void append_chunk(void)
{
    char *buffer = NULL;
    for (size_t i = 1; i <= 250; i++) {
        buffer = realloc(buffer, i * 4000);
        check(buffer);
        memset(buffer + (i - 1) * 4000, 1, 4000);
    }
    free(buffer);
}

static void append(void)
{
    result("ns/step", median_ns(append_chunk, 250, 100 * (unsigned)options.scale));
}

static void calloc_chunk(void)
{
    for (unsigned i = 0; i < 10; i++) {
        char *block = calloc(1, opaque_size((size_t)1 << 20));
        check(block);
        for (size_t at = 0; at < (size_t)1 << 20; at += 4096)
            block[at] = 1;
        free(opaque(block));
    }
}

static void calloc_large(void)
{
    calloc_chunk();
    uint64_t faults = minor_faults();
    unsigned chunks = 20 * (unsigned)options.scale;
    result("ns/block", median_ns(calloc_chunk, 10, chunks));
    result("faults/block", (double)(minor_faults() - faults) / (10 * (chunks + chunks / 4)));
}

const struct heap_case micro_cases[] = {
    {.name = "hot-16", .threads = 1, .run = hot, .parameter = 16},
    {.name = "hot-256", .threads = 1, .run = hot, .parameter = 256},
    {.name = "hot-4096", .threads = 1, .run = hot, .parameter = 4096},
    {.name = "hot-65536", .threads = 1, .run = hot, .parameter = 65536},
    {.name = "random-256", .threads = 1, .run = random_live, .parameter = 256},
    {.name = "random-100000", .threads = 1, .run = random_live, .parameter = MAX_LIVE},
    {.name = "aligned-64", .threads = 1, .run = aligned, .parameter = 1000},
    {.name = "realloc-16-24", .threads = 1, .run = realloc_small},
    {.name = "realloc-growth", .threads = 1, .run = growth},
    {.name = "realloc-append", .threads = 1, .run = append},
    {.name = "calloc-1M", .threads = 1, .run = calloc_large},
    {0},
};

const struct heap_case loop_case = {
    .name = "loop-16", .threads = 1, .run = loop_alone, .parameter = 16};
