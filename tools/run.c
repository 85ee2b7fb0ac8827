/* tools/run.c: quire run: runs a program of this host, and tells what became of memory
 *
 * The program's own process is a child, with its heap loaded first by LD_PRELOAD. What it starts
 * inherits that, and is found since this process is their subreaper.
 */
#define _GNU_SOURCE
#include "run.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "report_output.h"

/* The words that the user has go on counting. */
static char *quire_malloc(const struct places *places, bool calls)
{
    const char *others = getenv("QUIRE_MALLOC");
    return text("%s%sshare=%s%s", others ? others : "", others && *others ? "," : "", places->path,
                calls ? ",calls" : "");
}

/* Before the program starts, so that it doesn't run for nothing. NULL: a complaint was made. */
static FILE *open_output(const char *path, const char *how)
{
    FILE *file = fopen(path, how);
    if (!file)
        complain("%s can't be written: %s", path, strerror(errno));
    return file;
}

static bool close_output(FILE *file, const char *path)
{
    bool written = !fflush(file) && !ferror(file);
    int error = errno;
    if (file != stderr && fclose(file) && written) {
        written = false;
        error = errno;
    }
    if (!written)
        complain("%s can't be written: %s", path, strerror(error));
    return written;
}

/* Where the recording goes: the page is drawn from it. NULL: a complaint was made. */
static FILE *open_recording(const struct run_options *options)
{
    if (options->record)
        return open_output(options->record, "w+e");
    int file = memfd_create("quire-run-recording", MFD_CLOEXEC);
    FILE *recording = file < 0 ? tmpfile() : fdopen(file, "w+");
    if (!recording)
        complain("there is no place for a recording: %s", strerror(errno));
    return recording;
}

static bool can_write_page(const char *path)
{
    FILE *file = open_output(path, "ae");
    return file && !fclose(file);
}

static void follow(struct run *run, const struct run_signals *signals, struct places *places)
{
    bool is_loaded = run->heap.path && !run->program.obstacle;
    bool shares = is_loaded && run->heap.is_quire && places_open(places);
    char *preload = is_loaded ? run_preload(run->heap.path) : NULL;
    char *words = shares ? quire_malloc(places, run->options->calls) : NULL;
    const struct run_start start = {.argv = run->options->argv,
                                    .preload = preload,
                                    .quire_malloc = words,
                                    .in = -1,
                                    .out = -1,
                                    .err = -1,
                                    .signals = signals};
    watch_begin(&run->watch, shares ? places : NULL, run->options->interval_ns);
    run_follow(&start, &run->watch, &run->result);
    if (shares)
        places_close(places);
    free(preload);
    free(words);
}

static int complain_of_program(const char *name, int error)
{
    complain("%s: %s", name, strerror(error));
    return run_error_status(error);
}

static int complain_of_start(int error)
{
    complain("the program can't be started: %s", strerror(error));
    return RUN_FAILED;
}

static bool write_recording(const struct run *run, FILE *to)
{
    const struct run_options *options = run->options;
    run_write_record(run, to, true);
    bool written = !fflush(to);
    if (written && options->report) {
        rewind(to);
        written = report_from_run(to, options->argv[0], options->report);
    }
    return close_output(to, options->record ? options->record : "the recording") && written;
}

static int tell(struct run *run, FILE *output, FILE *record)
{
    int status = run_exit_status(run->result.status);
    bool written = true;
    run_advise(run);
    if (record)
        written = write_recording(run, record);
    if (run->options->json)
        run_write_record(run, output, false);
    else
        run_print_summary(run, output);
    if (run->options->output) /* who closed our standard error wants no report */
        written &= close_output(output, run->options->output);
    return written || status ? status : RUN_FAILED;
}

static int run_once(const struct run_options *options, struct run_program *program, FILE *output)
{
    static struct places places;
    struct run run = {.options = options, .program = *program};
    struct run_signals signals;
    char *complaint;
    FILE *record = NULL;
    int status = RUN_FAILED;
    if (!run_heap_find(&run.heap, options->heap, &complaint))
        complain("%s", complaint);
    else if (options->report && !can_write_page(options->report))
        ;
    else if ((options->record || options->report) && !(record = open_recording(options)))
        ;
    else if (!run_follow_prepare(&signals))
        complain("this system has no subreapers: %s", strerror(errno));
    else {
        follow(&run, &signals, &places);
        status = !run.result.error   ? tell(&run, output, record)
                 : run.result.is_own ? complain_of_start(run.result.error)
                                     : complain_of_program(options->argv[0], run.result.error);
        watch_free(&run.watch);
        texts_free(&run.advice);
    }
    free(complaint);
    run_heap_free(&run.heap);
    return status;
}

int command_run(int argc, char **argv)
{
    struct run_options options;
    struct run_program program;
    run_options_read(&options, argc, argv);
    run_program_find(&program, options.argv);
    FILE *output = !program.path    ? NULL
                   : options.output ? open_output(options.output, "we")
                                    : stderr;
    int status = !program.path     ? complain_of_program(options.argv[0], program.error)
                 : !output         ? RUN_FAILED
                 : options.compare ? run_compare(&options, &program, output)
                                   : run_once(&options, &program, output);
    run_program_free(&program);
    return status;
}
