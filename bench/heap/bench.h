/* bench/heap/bench.h: heap-bench's parts
 *
 * A case runs in a process of its own with an allocator preloaded (a child), or is a real program
 * that the driver starts (real.c). The driver takes turns: every allocator once a round, so that
 * what the machine does meanwhile is shared by all.
 */
#ifndef QUIRE_BENCH_HEAP_H
#define QUIRE_BENCH_HEAP_H

#include "bench/common/common.h"

#define MAX_ROUNDS 101u
#define MAX_UNITS 6u

struct heap_case {
    const char *name;
    unsigned threads;
    void (*run)(void);   /* in the child: ends with result() for each unit */
    const char *command; /* instead: a real program, see real.c */
    bool pools;          /* also for what only has pools */
    unsigned parameter;  /* what it is, the case knows */
};

/* Each ends with an empty one. */
extern const struct heap_case micro_cases[], thread_cases[], server_cases[], pool_cases[],
    real_cases[];
extern const struct heap_case
    loop_case; /* of micro.c: the loop of the hot cases without its calls */
/* The one that the child runs. */
extern const struct heap_case *running;

#define QUIRE_POOL "quire" /* as a library of pools: it is in this program */

struct allocator {
    const char *name, *package;
    const char *library; /* preloaded; NULL: none */
    const char *pool;    /* a library with pools, opened by pool.c */
};

struct options {
    const char *cases, *allocators;
    const char *quire; /* libquire-malloc.so */
    const char *workloads;
    unsigned rounds;
    unsigned long scale; /* operations of a case, relative to a short run */
    long count;          /* runs of the measured loop for callgrind; -1: measure */
    bool list;
};
extern struct options options;

bool case_selected(const struct heap_case *c);
/* Calls back for each selected case of all lists, in order. */
void for_each_selected(void (*call)(const struct heap_case *c));

/* driver.c */
int run_driver(const char *program);

/* real.c: one run of a program; false: it failed. */
struct usage {
    double seconds; /* of processors, user and system */
    double elapsed_seconds;
    double peak_mib, faults;
};
bool run_command(const char *command, const char *preload, struct usage *usage);

/* ---- for cases ------------------------------------------------------------------------------- */

/* A line for the driver. */
void result(const char *unit, double value);
uint64_t clock_ns(void);
uint64_t minor_faults(void);
uint64_t resident_bytes(void);
/* Nanoseconds an operation: the median of many calls of `chunk`, each of `operations`. */
double median_ns(void (*chunk)(void), size_t operations, unsigned chunks);
/* The same, the best of the calls. */
double best_ns(void (*chunk)(void), size_t operations, unsigned chunks);
void check(bool enough);

/* So that no compiler knows the size, or leaves out a block that isn't used. */
static inline size_t opaque_size(size_t size)
{
    __asm__ volatile("" : "+r"(size));
    return size;
}

static inline void *opaque(void *block)
{
    __asm__ volatile("" : "+r"(block)::"memory");
    return block;
}

#endif
