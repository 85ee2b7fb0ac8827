/* bench/common/cases.h: programs that are lists of cases
 *
 * A case is a piece of work on a machine's memory, in three steps, of which the second is measured.
 * A file of cases ends its list with an empty one; main has a list of the lists.
 */
#ifndef QUIRE_BENCH_CASES_H
#define QUIRE_BENCH_CASES_H

#include <quire/pgtable.h>

#include "bench/common/common.h"

struct bench_case {
    const char *name;
    const char *unit;                     /* "page": what the work is divided by */
    unsigned long units;                  /* of one run */
    void (*start)(struct quire_mem *mem); /* NULL: nothing to do */
    void (*prepare)(void);                /* before each run; may be NULL */
    void (*run)(void);
    void (*finish)(void); /* after each run; may be NULL */
    void (*end)(void);
};

/* For tables of which no TLB knows, to measure what flushes cost but for themselves. */
void bench_flush_nothing(void *arg, const struct quire_tlb_flush *flush);

/* Runs a case's measured step. */
void bench_measured(const struct bench_case *c);

/* The program: its exit status. `doc` is argp's, with an example first. */
int run_bench(int argc, char **argv, const char *doc, const struct bench_case *const *groups);

#endif
