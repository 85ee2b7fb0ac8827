/* tools/run_compare.c: a program under several heaps, one after the other
 *
 * First it runs once with its output shown, which isn't measured: it finds files and pages as the
 * others will. Then come the rounds, in each of which every heap has its turn, so that what changes
 * on the machine meets all of them. The medians are printed: of an even number of runs the lower of
 * the two in the middle.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/json.h"
#include "figures.h"
#include "run.h"

#define TELL_AFTER_MS 2000

struct runs {
    struct run_heap heap;
    struct run_result *result;
    uint64_t count;
};

struct compare {
    const struct run_options *options;
    struct runs of[RUN_MOST_HEAPS];
    size_t nr_heaps;
    struct run_signals signals;
    int input;   /* -1: ours as it is, a terminal or a device */
    off_t start; /* of what is to be read of it */
    int null;
};

/* ---- heaps ----------------------------------------------------------------------------------- */

/* Those that are missing are told; the others are compared, if there are any. */
static bool find_heaps(struct compare *compare, const struct texts *names)
{
    char *complaint;
    for (size_t i = 0; i < names->count; i++) {
        struct runs *runs = &compare->of[compare->nr_heaps];
        if (!run_heap_find(&runs->heap, names->text[i], &complaint)) {
            complain("%s", complaint);
            free(complaint);
            continue;
        }
        runs->result = must(calloc((size_t)compare->options->rounds, sizeof *runs->result));
        compare->nr_heaps++;
    }
    return compare->nr_heaps;
}

static bool read_names(const char *list, struct texts *names)
{
    while (*list) {
        size_t length = strcspn(list, ",");
        if (length)
            texts_add(names, text("%.*s", (int)length, list));
        list += length + (list[length] == ',');
    }
    if (!names->count || names->count > RUN_MOST_HEAPS)
        complain("--compare wants one to %u heaps", RUN_MOST_HEAPS);
    return names->count && names->count <= RUN_MOST_HEAPS;
}

/* ---- standard input -------------------------------------------------------------------------- */

static int temporary_file(void)
{
    const char *folder = getenv("TMPDIR");
    int file = open(folder && *folder ? folder : "/tmp", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
    return file < 0 ? memfd_create("quire-run-input", MFD_CLOEXEC) : file;
}

static bool write_all(int file, const char *from, size_t size)
{
    while (size) {
        ssize_t written = write(file, from, size);
        if (written <= 0)
            return false;
        from += written;
        size -= (size_t)written;
    }
    return true;
}

/* A pipe that nobody closes looks as if nothing was done. */
static void tell_if_it_waits(void)
{
    struct pollfd waits = {.fd = STDIN_FILENO, .events = POLLIN};
    if (!poll(&waits, 1, TELL_AFTER_MS))
        complain("all runs get the same standard input, so that is read to its end first; "
                 "without any: < /dev/null");
}

static bool copy_input(int to)
{
    static char buffer[1 << 16];
    ssize_t got;
    tell_if_it_waits();
    while ((got = read(STDIN_FILENO, buffer, sizeof buffer)) > 0)
        if (!write_all(to, buffer, (size_t)got))
            return false;
    return got == 0;
}

/* What every run reads from its beginning. */
static bool take_input(struct compare *compare)
{
    struct stat status;
    compare->input = -1;
    if (fstat(STDIN_FILENO, &status) || S_ISCHR(status.st_mode))
        return true;
    if (S_ISREG(status.st_mode)) {
        compare->start = lseek(STDIN_FILENO, 0, SEEK_CUR);
        compare->input = open("/proc/self/fd/0", O_RDONLY | O_CLOEXEC);
        return compare->input >= 0;
    }
    compare->input = temporary_file();
    return compare->input >= 0 && copy_input(compare->input);
}

/* ---- runs ------------------------------------------------------------------------------------ */

static void run_one(struct compare *compare, const struct runs *runs, bool is_shown,
                    struct run_result *result)
{
    char *preload = runs->heap.path ? run_preload(runs->heap.path) : NULL;
    const struct run_start start = {.argv = compare->options->argv,
                                    .preload = preload,
                                    .in = compare->input,
                                    .out = is_shown ? -1 : compare->null,
                                    .err = is_shown ? -1 : compare->null,
                                    .signals = &compare->signals};
    if (compare->input >= 0)
        (void)lseek(compare->input, compare->start, SEEK_SET);
    run_follow(&start, NULL, result);
    free(preload);
}

static bool goes_on(const struct run_result *last)
{
    return !last->error && !last->ended_by;
}

/* The first run's exit status. `last` says whether all of them were measured. */
static int run_all(struct compare *compare, struct run_result *last)
{
    run_one(compare, &compare->of[0], true, last);
    int status = run_exit_status(last->status);
    for (uint64_t round = 0; round < compare->options->rounds && goes_on(last); round++)
        for (size_t i = 0; i < compare->nr_heaps && goes_on(last); i++) {
            struct runs *runs = &compare->of[i];
            run_one(compare, runs, false, last);
            runs->result[round] = *last;
            runs->count++;
        }
    return status;
}

/* ---- the table ------------------------------------------------------------------------------- */

static int by_value(const void *a, const void *b)
{
    uint64_t one = *(const uint64_t *)a, other = *(const uint64_t *)b;
    return one < other ? -1 : one > other;
}

/* Of the member at `offset` of each result. */
static uint64_t median(const struct runs *runs, size_t offset)
{
    uint64_t values[RUN_MOST_ROUNDS];
    for (uint64_t i = 0; i < runs->count; i++)
        memcpy(&values[i], (const char *)&runs->result[i] + offset, sizeof values[i]);
    qsort(values, (size_t)runs->count, sizeof values[0], by_value);
    return values[(runs->count - 1) / 2];
}
#define MEDIAN(runs, member) median(runs, offsetof(struct run_result, member))

static int last_status(const struct runs *runs)
{
    return run_exit_status(runs->result[runs->count - 1].status);
}

static void print_row(const struct runs *runs, uint64_t first, int expected, FILE *to)
{
    char time[FIGURE_BYTES], user[FIGURE_BYTES], kernel[FIGURE_BYTES];
    char peak[FIGURE_BYTES], minor[FIGURE_BYTES], major[FIGURE_BYTES];
    uint64_t elapsed = MEDIAN(runs, elapsed_ns);
    fprintf(to, "%-12s %11s %7.3f %11s %11s %12s %12s %9s", runs->heap.name,
            time_text(time, elapsed), first ? (double)elapsed / (double)first : 0.0,
            time_text(user, MEDIAN(runs, user_ns)), time_text(kernel, MEDIAN(runs, kernel_ns)),
            size_text(peak, MEDIAN(runs, peak_rss)), count_text(minor, MEDIAN(runs, minor)),
            count_text(major, MEDIAN(runs, major)));
    if (last_status(runs) != expected)
        fprintf(to, "  status %d", last_status(runs));
    fputc('\n', to);
}

static void print_table(const struct compare *compare, int status, FILE *to)
{
    fprintf(to, "%-12s %11s %7s %11s %11s %12s %12s %9s\n", "heap", "time", "ratio", "programs",
            "kernel", "peak", "minor", "major");
    uint64_t first = MEDIAN(&compare->of[0], elapsed_ns);
    for (size_t i = 0; i < compare->nr_heaps; i++)
        print_row(&compare->of[i], first, status, to);
    fprintf(to, "Medians of %llu; minor and major: faults; ratio: of time to the first heap's.\n",
            (unsigned long long)compare->options->rounds);
}

static void write_out(void *arg, const char *piece, size_t length)
{
    fwrite(piece, 1, length, arg);
}

static void write_string(struct json *out, const char *key, const char *value)
{
    char *valid = run_utf8(value);
    json_string(out, key, valid);
    free(valid);
}

static void write_result(struct json *out, const struct run_result *result)
{
    json_object(out, NULL);
    json_signed(out, "status", run_exit_status(result->status));
    json_unsigned(out, "elapsed_ns", result->elapsed_ns);
    json_unsigned(out, "user_ns", result->user_ns);
    json_unsigned(out, "kernel_ns", result->kernel_ns);
    json_unsigned(out, "peak_rss", result->peak_rss);
    json_unsigned(out, "minor", result->minor);
    json_unsigned(out, "major", result->major);
    json_end(out);
}

static void write_table(const struct compare *compare, FILE *to)
{
    struct json out;
    json_init(&out, write_out, to);
    json_object(&out, NULL);
    json_unsigned(&out, "quire-compare", 1);
    json_array(&out, "command");
    for (char **argv = compare->options->argv; *argv; argv++)
        write_string(&out, NULL, *argv);
    json_end(&out);
    json_array(&out, "heaps");
    for (size_t i = 0; i < compare->nr_heaps; i++) {
        const struct runs *runs = &compare->of[i];
        json_object(&out, NULL);
        write_string(&out, "name", runs->heap.name);
        json_array(&out, "runs");
        for (uint64_t round = 0; round < runs->count; round++)
            write_result(&out, &runs->result[round]);
        json_end(&out);
        json_end(&out);
    }
    json_end(&out);
    json_end(&out);
    json_finish(&out);
}

/* ---- all ------------------------------------------------------------------------------------- */

static int measure(struct compare *compare, FILE *to)
{
    struct run_result last;
    int status = run_all(compare, &last);
    if (last.error) {
        complain("%s: %s", last.is_own ? "the program can't be started" : compare->options->argv[0],
                 strerror(last.error));
        return last.is_own ? RUN_FAILED : run_error_status(last.error);
    }
    if (last.ended_by) {
        complain("ended by a signal (%s) before all was measured", strsignal(last.ended_by));
        return 128 + last.ended_by;
    }
    if (compare->options->json)
        write_table(compare, to);
    else
        print_table(compare, status, to);
    if (fflush(to) || ferror(to)) {
        complain("the table can't be written: %s", strerror(errno));
        return status ? status : RUN_FAILED;
    }
    return status;
}

int run_compare(const struct run_options *options, const struct run_program *program, FILE *to)
{
    struct compare compare = {.options = options};
    struct texts names = {0};
    int status = RUN_FAILED;
    if (program->obstacle)
        complain("%s, so heaps can't be compared with it", program->obstacle);
    else if (!read_names(options->compare, &names) || !find_heaps(&compare, &names))
        ;
    else if ((compare.null = open("/dev/null", O_WRONLY | O_CLOEXEC)) < 0 || !take_input(&compare))
        complain("what the runs read and write can't be prepared: %s", strerror(errno));
    else if (!run_follow_prepare(&compare.signals))
        complain("this system has no subreapers: %s", strerror(errno));
    else
        status = measure(&compare, to);
    for (size_t i = 0; i < compare.nr_heaps; i++) {
        run_heap_free(&compare.of[i].heap);
        free(compare.of[i].result);
    }
    texts_free(&names);
    return status;
}
