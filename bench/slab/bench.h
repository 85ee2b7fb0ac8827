/* bench/slab/bench.h: what the parts of slab-bench know of each other
 *
 *     main.c ── driver.c ── processes of slab-bench, one for a subject and round
 *            └─ child.c ── a subject's loops (loops.h)
 *
 * A malloc replaces the process' own, so each subject is measured in processes of its own, in
 * turns: a round is one process of each. A child prints `metric value` lines; the driver prints
 * medians.
 */
#ifndef QUIRE_BENCH_SLAB_H
#define QUIRE_BENCH_SLAB_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define CHUNK 4096u /* operations between two looks at the clock */
#define BULK_OBJECTS 32u
#define WORKING_SET 100000u
#define RING_OBJECTS 1024u
#define MAX_CHUNKS 8192u

enum activity {
    HOT,    /* allocate one, free it */
    BULK,   /* BULK_OBJECTS at a time */
    RANDOM, /* sizes 8 to 1024, WORKING_SET objects alive: one freed, one allocated */
    REMOTE, /* one thread allocates, the other frees */
    MEMORY, /* many alive: what they take */
};

struct bench_case {
    const char *name;
    enum activity activity;
    size_t size;  /* of objects; 0: by the case */
    bool general; /* by kmalloc and kfree; else from a cache */
};
extern const struct bench_case bench_cases[]; /* name NULL at the end */

struct options {
    const char *cases, *subjects; /* patterns as the shell's */
    unsigned rounds;
    unsigned long objects; /* of the memory cases */
    long count;            /* chunks to count instructions of; -1: measure time */
    const char *child;     /* subject that this process is; NULL: the driver */
    bool list;
};
extern struct options options;

/* ---- child.c --------------------------------------------------------------------------------- */

/* A ring from one thread to another: each side writes its own index only. */
struct ring {
    _Alignas(64) size_t head; /* objects ever put in */
    _Alignas(64) size_t tail; /* objects ever taken out */
    _Alignas(64) void *object[RING_OBJECTS];
};

/* One thread's work. */
struct span {
    void *allocator;
    size_t size;
    size_t chunks;
    void **held; /* WORKING_SET objects, of RANDOM; one place for each object of MEMORY */
    size_t nr_held;
    struct ring *ring;
    double *ns; /* an operation, by chunk; NULL: not timed */
    size_t nr_ns;
};

struct subject {
    void *(*create)(const struct bench_case *c);
    /* Loops; false: no memory. */
    bool (*hot)(struct span *span);
    bool (*bulk)(struct span *span);
    bool (*random)(struct span *span);
    bool (*produce)(struct span *span);
    void (*consume)(struct span *span);
    bool (*fill)(struct span *span); /* `nr_held` objects, each written to */
    /* Bytes that the allocator holds. */
    uint64_t (*bytes)(void *allocator);
};

extern const struct subject quire_cache_subject, quire_kmalloc_subject, malloc_subject;

/* Runs the case that options.cases names, for the subject that options.child names. */
void run_child(const struct bench_case *c);

/* ---- driver.c, main.c ------------------------------------------------------------------------ */

int run_driver(const char *program);
bool case_selected(const struct bench_case *c);
_Noreturn void fail(const char *text);

#endif
