/* tools/replay.c: quire replay: how much memory does this need */
#define _POSIX_C_SOURCE 200809L
#include "replay.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include <quire/config.h>

#include "quire.h"
#include "replay_command.h"

#define PATIENCE_SECONDS 2.0 /* shorter runs show no progress */
#define PROGRESS_SECONDS 0.2

static double seconds(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec * 1e-9;
}

static double began, shown; /* shown: 0: nothing so far */

static void show_progress(const struct replay_run *run)
{
    double now = seconds();
    uint64_t size = trace_reader_size(run->trace);
    if (now - began < PATIENCE_SECONDS || now - shown < PROGRESS_SECONDS)
        return;
    shown = now;
    fprintf(stderr, "\r\033[K%llu million references",
            (unsigned long long)run->references / 1000000);
    if (size)
        fprintf(stderr, ", %.0f %%", 100.0 * (double)trace_reader_bytes(run->trace) / (double)size);
}

static void end_progress(const struct replay_options *options, const struct replay_run *run,
                         bool ok)
{
    if (shown <= 0)
        return;
    fputs("\r\033[K", stderr);
    if (ok && trace_reader_form(run->trace) == TRACE_LACKEY)
        complain("next time, `quire trace convert %s OUT.qtr.zst` makes it faster", options->trace);
}

/* Sizes to frames, those that come to as many only once. False: it complained. */
static bool count_frames(const struct replay_options *options, struct replay_run *run,
                         uint64_t *frames)
{
    unsigned shift = trace_reader_page_shift(run->trace);
    for (unsigned s = 0; s < options->nr_sizes; s++) {
        unsigned long long page = 1ull << shift, size = options->size[s], count = size >> shift;
        if (!count) {
            complain("--mem: %llu bytes are less than a page of %llu", size, page);
            return false;
        }
        if (size % page) {
            complain("--mem: %llu bytes aren't whole pages of %llu: that would be %llu or %llu",
                     size, page, count * page, (count + 1) * page);
            return false;
        }
        if (!run->nr_sizes || frames[run->nr_sizes - 1] != count)
            frames[run->nr_sizes++] = count;
    }
    return true;
}

static int replay(const struct replay_options *options, struct replay_run *run)
{
    struct trace_error error;
    run->result = calloc((size_t)run->nr_sizes * run->nr_policies, sizeof *run->result);
    began = seconds();
    bool ok = run->result;
    if (!ok)
        trace_fail(&error, "there is no memory for %u results", run->nr_sizes * run->nr_policies);
    ok = ok && replay_run(run, &error);
    end_progress(options, run, ok);
    if (ok)
        print_replay(options, run);
    else
        complain("%s", error.text);
    free(run->result);
    return ok ? all_written() : EXIT_FAILED;
}

int command_replay(int argc, char **argv)
{
    static struct replay_options options;
    static uint64_t frames[MAX_SIZES];
    struct trace_error error;
    parse_replay_options(&options, argc, argv);
    struct replay_run run = {
        .trace = trace_open(options.trace, options.page_shift, &error),
        .engine = options.model ? replay_model : replay_machine,
        .policy = options.policy,
        .nr_policies = options.nr_policies,
        .frames = frames,
        .threads = (unsigned)options.threads,
        .progress = isatty(STDERR_FILENO) ? show_progress : NULL,
    };
    if (!run.trace) {
        complain("%s", error.text);
        return EXIT_FAILED;
    }
    int status = EXIT_USAGE;
    if (!options.model && trace_reader_page_shift(run.trace) != QUIRE_PAGE_SHIFT)
        complain("the machine has pages of %lu bytes: add --model for others", QUIRE_PAGE_SIZE);
    else if (count_frames(&options, &run, frames))
        status = replay(&options, &run);
    trace_close(run.trace);
    return status;
}
