/* tools/replay.h: quire replay: what a trace costs in memories of given sizes
 *
 *     replay_options.c ── what was asked ──► replay.c ── a table, CSV or JSON ──► replay_output.c
 *                                               │
 *     trace ──► replay_run.c ── batches ──► jobs, each an engine at work:
 *                                             model_queue.c   FIFO and CLOCK
 *                                             model_lru.c     LRU
 *                                             model_opt.c     OPT
 *                                             replay_machine.c  the library itself
 *
 * What counts is the same for every engine. Memory has a number of frames, all free at first, and
 * pages come into it when they are referenced, never before (demand paging). A reference to a page
 * that has no frame is a miss: minor when it is the first one to that page, major when the page was
 * there and had been evicted. When no frame is free, the policy chooses a page to evict; if the
 * page was written to since it came in, that takes a write-back. What is in memory at the end is
 * neither evicted nor written back.
 */
#ifndef TOOLS_REPLAY_H
#define TOOLS_REPLAY_H

#include "trace.h"

enum replay_policy { REPLAY_LRU, REPLAY_CLOCK, REPLAY_FIFO, REPLAY_MGLRU, REPLAY_OPT };
#define REPLAY_NR_POLICIES 5
extern const char *const replay_policy_names[REPLAY_NR_POLICIES];

struct replay_counts {
    uint64_t minor, major, evictions, write_backs;
};

/* A piece of a trace. */
struct replay_batch {
    const struct trace_run *run; /* as the trace has them */
    size_t nr_runs;
    /* The same as visits: references in a row to one page, of whatever kind, are one, and no visit
     * is to the page of the one before. A visit is the page's number (page_ids), shifted left, and
     * 1 if it writes. */
    const uint32_t *visit;
    size_t nr_visits;
    uint32_t nr_pages; /* numbers up to here are in this batch or were in earlier ones */
};

#define VISIT_WRITES 1u

/* A policy at work on a trace, for one size of memory or several at once. A state belongs to one
 * thread at a time. */
struct replay_engine {
    /* How many sizes one state is best given. */
    unsigned sizes;
    /* `frames` are at least 1, ascending and different. NULL: no memory. */
    void *(*begin)(const uint64_t *frames, unsigned nr_sizes, unsigned page_shift);
    /* False: no memory. */
    bool (*references)(void *state, const struct replay_batch *batch);
    /* Walks the whole structure: for builds with every assertion, after each batch. */
    bool (*is_valid)(const void *state);
    /* Writes what came of it to counts[0..nr_sizes - 1]. False: no memory. */
    bool (*end)(void *state, struct replay_counts *counts);
    void (*free)(void *state);
};

/* Exact models; NULL: there is none of this policy. */
const struct replay_engine *replay_model(enum replay_policy policy);
/* The machine; of OPT, which no machine can do, the exact model. Pages of 4 KiB only. */
const struct replay_engine *replay_machine(enum replay_policy policy);

/* ---- running --------------------------------------------------------------------------------- */

struct replay_result {
    enum replay_policy policy;
    uint64_t frames;
    struct replay_counts counts;
};

struct replay_run {
    struct trace_reader *trace;
    const struct replay_engine *(*engine)(enum replay_policy policy);
    const enum replay_policy *policy;
    unsigned nr_policies;
    const uint64_t *frames; /* ascending and different */
    unsigned nr_sizes;
    unsigned threads;
    void (*progress)(const struct replay_run *run); /* now and then; NULL: not wanted */
    /* What came of it. */
    uint64_t references, visits;
    uint32_t pages;
    struct replay_result *result; /* [size * nr_policies + policy]; the caller's */
};

/* One pass over the trace, for all policies and sizes at once. False: see *error. */
bool replay_run(struct replay_run *run, struct trace_error *error);

#endif
