/* tests/preload/runner.h: programs that are lists of cases, each run in a process of its own
 *
 * The driver runs on the C library's allocator, the process of a case with the one under test
 * preloaded: whatever a case does to its heap, or its heap to it, the driver sees it end.
 */
#ifndef QUIRE_TESTS_PRELOAD_RUNNER_H
#define QUIRE_TESTS_PRELOAD_RUNNER_H

#include <stdbool.h>
#include <stddef.h>

#define RUN_OUTPUT_BYTES 16384

/* How a process ended, and what it said on stdout and stderr. */
struct run {
    bool timed_out;                /* it was killed, and `status` is what came of that */
    int status;                    /* as by waitpid */
    size_t length;                 /* of what was kept of the output; the rest is dropped */
    char output[RUN_OUTPUT_BYTES]; /* ends with a 0 */
};

/* Runs argv[0] (a path) with `preload` as LD_PRELOAD (NULL: without), stdin /dev/null, in a process
 * group of its own that is killed after `seconds`. Exits with status 2 when no process can be made.
 */
void run_process(struct run *run, char *const argv[], const char *preload, unsigned seconds);

/* "signal 11 (Segmentation fault)", "status 1", "no end within 60 s". */
void run_describe(const struct run *run, unsigned seconds, char *text, size_t size);

/* Whether the library that LD_PRELOAD names is in this process: ld.so goes on without one that it
 * doesn't find. */
bool preload_is_loaded(void);

/* Printed with "# " before each line. */
void print_as_comment(const char *text);

#endif
