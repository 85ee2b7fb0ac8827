/* tools/run.h: quire run: a program of this host, watched */
#ifndef TOOLS_RUN_H
#define TOOLS_RUN_H

#include <stdio.h>

#include "quire.h"
#include "run_program.h"
#include "run_watch.h"

#define RUN_MOST_HEAPS 8u
#define RUN_MOST_ROUNDS 100u

struct run_options {
    char **argv;
    const char *heap, *compare; /* compare: names with commas; NULL: one run */
    const char *output, *record, *report;
    uint64_t interval_ns, rounds;
    bool json, calls;
};
/* Ends the process with 125 when they make no sense. */
void run_options_read(struct run_options *options, int argc, char **argv);

/* ---- run_follow.c: from start to end --------------------------------------------------------- */

/* What the system says of a run; the program's elapsed time is until its own end. */
struct run_result {
    int error;       /* it couldn't be started: errno */
    bool is_own;     /* the error is this command's, not the program's */
    int status;      /* as wait4's */
    bool for_memory; /* SIGKILL, and the kernel killed somebody for want of memory meanwhile */
    uint64_t elapsed_ns;
    uint64_t minor, major, user_ns, kernel_ns; /* of all that were waited for */
    uint64_t peak_rss;                         /* the largest process's */
    uint64_t nr_waited;
    bool left_some; /* processes were still there when nobody wanted to wait longer */
    int ended_by;   /* the last signal that was to end this command or its program; 0: none */
};
/* Blocks signals that are passed on, or mean the end. `signals`: what was before. */
bool run_follow_prepare(struct run_signals *signals);
/* `watch` NULL: nothing is looked at. */
void run_follow(const struct run_start *start, struct watch *watch, struct run_result *result);

/* ---- what is told ---------------------------------------------------------------------------- */

struct run {
    const struct run_options *options;
    struct run_program program;
    struct run_heap heap;
    struct watch watch;
    struct run_result result;
    struct texts advice;
};
/* Sums of all heaps, for the whole run. */
static inline bool run_has_counts(const struct run *run)
{
    return run->watch.nr_pages != 0;
}
void run_advise(struct run *run);
void run_print_summary(const struct run *run, FILE *to);
/* One JSON document: with samples and areas, or without. */
void run_write_record(const struct run *run, FILE *to, bool whole);
/* A text as JSON can have it, which the caller frees: what isn't UTF-8 is U+FFFD. */
char *run_utf8(const char *text);

/* The exit status. */
int run_compare(const struct run_options *options, const struct run_program *program, FILE *to);

#endif
