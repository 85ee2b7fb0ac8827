/* bench/phys/bench.h: what the parts of phys-bench know of each other
 *
 *     main.c ── cases.c ── workers.c ── a subject's loops (loops.h), on each thread
 *            ├─ count.c ──────────────┘
 *            └─ fragmentation.c
 *
 * A subject is an allocator of blocks of 2^order frames. What the threads run are its loops, which
 * are compiled with the subject, so that no subject pays for an indirect call.
 */
#ifndef QUIRE_BENCH_PHYS_H
#define QUIRE_BENCH_PHYS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "bench/common/common.h"

#define FRAME_BYTES 4096u
#define CHUNK 4096u    /* operations between two looks at the clock */
#define CALL_PAGES 64u /* pages of a bulk call */
#define MAX_THREADS 2u
#define RING_BLOCKS 1024u

/* ---- subjects -------------------------------------------------------------------------------- */

/* A stretch of work of one thread. A block is a number, never 0, that only its subject reads. */
struct span {
    void *allocator; /* as subject->local gave it */
    unsigned order;
    uintptr_t *block; /* the blocks that this thread holds, or `count` places for them */
    size_t count;
    size_t pairs;  /* of repeat, calls and remote: how many */
    void *scratch; /* room for CALL_PAGES blocks */
    struct samples *get, *put, *pair;
};

/* A ring of blocks from one thread to another: each side writes its own index only. */
struct ring {
    _Alignas(64) size_t head; /* blocks ever put in */
    _Alignas(64) size_t tail; /* blocks ever taken out */
    _Alignas(64) uintptr_t block[RING_BLOCKS];
};

struct subject {
    const char *name;
    /* An allocator over `bytes` of simulated memory for so many threads, with blocks of `order`
     * where it can have only one order. NULL: out of memory. */
    void *(*create)(uint64_t bytes, unsigned threads, unsigned order);
    void (*destroy)(void *machine);
    /* What thread number `thread` passes to the loops. */
    void *(*local)(void *machine, unsigned thread);
    /* Bytes that it takes for itself. */
    size_t (*metadata)(void *machine);
    /* The loops. False: the allocator gave nothing. */
    bool (*fill)(struct span *span);   /* gets `count` blocks */
    void (*empty)(struct span *span);  /* puts them, in order */
    bool (*repeat)(struct span *span); /* gets one and puts it, `pairs` times */
    bool (*calls)(struct span *span);  /* gets and puts CALL_PAGES at a time; NULL: can't */
    bool (*produce)(struct span *span, struct ring *ring); /* NULL: can't free another's block */
    void (*consume)(struct span *span, struct ring *ring);
};

extern const struct subject quire_subject, stack_subject, buddy_subject;
extern const struct subject *const subjects[]; /* NULL at the end */

/* ---- options: main.c ------------------------------------------------------------- */

struct options {
    const char *cases, *subjects; /* patterns as the shell's */
    unsigned threads;             /* 0: 1 and 2 */
    uint64_t bytes;
    unsigned rounds;
    unsigned cpus; /* of the simulated machine; 0: as many as the port says */
    bool movable;
    bool fragmentation, list;
    long count; /* cycles to count instructions of; -1: measure time */
    uint64_t seed, operations;
};
extern struct options options;

/* ---- workers.c: threads that work on one subject together ----------------------------------- */

enum activity { REPEAT, BULK, RANDOM, CALLS, REMOTE };

struct work {
    const struct subject *subject;
    void *machine;
    enum activity activity;
    unsigned order, threads;
    size_t blocks; /* that each thread holds */
    size_t cycles; /* fills and empties, or chunks of pairs */
    uint64_t seed;
    uintptr_t *held; /* threads * blocks */
    struct ring *ring;
    struct samples get, put, pair;
    double elapsed_ns; /* while all threads were at work; of both phases */
    double pairs;      /* done by all threads in it */
};

/* Whether each of so many threads gets a processor of its own. */
bool can_pin(unsigned threads);
/* One round. The samples are added to those that are there. */
void work_run(struct work *work);
/* Sets up what a round needs; false: out of memory. */
bool work_init(struct work *work);
void work_free(struct work *work);

/* ---- the three programs in one -------------------------------------------------------------- */

struct bench_case {
    const char *name;
    enum activity activity;
    unsigned order;
};
extern const struct bench_case bench_cases[]; /* name NULL at the end */

bool case_selected(const struct bench_case *c);
bool subject_selected(const struct subject *subject);
bool subject_can(const struct subject *subject, enum activity activity);
void case_prepare(struct work *work, const struct subject *subject, const struct bench_case *c,
                  unsigned threads);

void run_cases(void);
void run_count(void);
void run_fragmentation(void);

#endif
