/* tools/run_options.c: what quire run is asked for */
#define _GNU_SOURCE
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "run.h"

#define NAME "quire run"
#define DEFAULT_INTERVAL_NS 100000000u
#define DEFAULT_ROUNDS 3u

enum key {
    KEY_HEAP = 0x100,
    KEY_COMPARE,
    KEY_ROUNDS,
    KEY_INTERVAL,
    KEY_OUTPUT,
    KEY_RECORD,
    KEY_REPORT,
    KEY_JSON,
    KEY_CALLS,
};

static const char examples[] =
    "Examples:\n"
    "  quire run -- sort big.txt > sorted.txt\n"
    "                     run it with Quire's heap, and tell what became of memory\n"
    "  quire run --compare glibc,quire,jemalloc -- ./server-test\n"
    "                     the same under each heap: time, memory, faults\n\n";

static const struct argp_option argp_options[] = {
    {"heap", KEY_HEAP, "HEAP", 0,
     "quire (the default), none (the program's own, as glibc), jemalloc, mimalloc, tcmalloc, or "
     "the "
     "path of a library",
     1},
    {"interval", KEY_INTERVAL, "TIME", 0,
     "Look at the processes so often: 100ms, the default; more often in the beginning, less often "
     "when that would take more than a fiftieth of a processor",
     1},
    {"calls", KEY_CALLS, NULL, 0,
     "Count every call of Quire's heap, by size; the program is slower", 1},
    {"output", KEY_OUTPUT, "FILE", 0, "Write the report there, not to standard error", 2},
    {"json", KEY_JSON, NULL, 0, "Write the report as JSON", 2},
    {"record", KEY_RECORD, "FILE", 0, "Write all that was seen, as JSON", 2},
    {"report", KEY_REPORT, "FILE", 0, "Draw all that was seen, as an HTML page", 2},
    {"compare", KEY_COMPARE, "HEAP,...", 0,
     "Run the program under each of these heaps, and print a table", 3},
    {"rounds", KEY_ROUNDS, "N", 0, "How often under each; 3", 3},
    COMMON_OPTIONS,
    {0}};
static const struct argp argp;

/* "100ms", "2s", "500us". */
static bool parse_interval(const char *text, uint64_t *ns)
{
    static const struct {
        const char *unit;
        uint64_t ns;
    } units[] = {{"ms", 1000000}, {"us", 1000}, {"s", 1000000000}};
    char digits[16];
    uint64_t number;
    size_t length = strspn(text, "0123456789");
    if (!length || length >= sizeof digits)
        return false;
    memcpy(digits, text, length);
    digits[length] = '\0';
    for (size_t i = 0; i < sizeof units / sizeof units[0]; i++)
        if (!strcmp(text + length, units[i].unit) && parse_number(digits, 1, 1000000000, &number)) {
            *ns = number * units[i].ns;
            return *ns >= 1000000 && *ns <= 3600000000000u;
        }
    return false;
}

static bool is_same(const char *one, const char *other)
{
    struct stat a, b;
    if (!one || !other)
        return false;
    if (stat(one, &a) || stat(other, &b))
        return !strcmp(one, other);
    return a.st_dev == b.st_dev && a.st_ino == b.st_ino && S_ISREG(a.st_mode);
}

static void check_files(const struct run_options *options, struct argp_state *state)
{
    if (is_same(options->record, options->output) || is_same(options->record, options->report) ||
        is_same(options->output, options->report))
        argp_error(state, "--output, --record and --report want a file each");
}

static error_t parse(int key, char *arg, struct argp_state *state)
{
    struct run_options *options = state->input;
    switch (key) {
    case KEY_HEAP:
        options->heap = arg;
        return 0;
    case KEY_COMPARE:
        options->compare = arg;
        return 0;
    case KEY_ROUNDS:
        if (!parse_number(arg, 1, RUN_MOST_ROUNDS, &options->rounds))
            argp_error(state, "'%s' is no number of rounds from 1 to %u", arg, RUN_MOST_ROUNDS);
        return 0;
    case KEY_INTERVAL:
        if (!parse_interval(arg, &options->interval_ns))
            argp_error(state, "'%s' is no time from 1ms to 3600s, as 100ms", arg);
        return 0;
    case KEY_OUTPUT:
        options->output = arg;
        return 0;
    case KEY_RECORD:
        options->record = arg;
        return 0;
    case KEY_REPORT:
        options->report = arg;
        return 0;
    case KEY_JSON:
        options->json = true;
        return 0;
    case KEY_CALLS:
        options->calls = true;
        return 0;
    case ARGP_KEY_ARG: /* the program, and what is its own */
        options->argv = &state->argv[state->next - 1];
        state->next = state->argc;
        return 0;
    case ARGP_KEY_END:
        if (!options->argv)
            argp_error(state, "which program?");
        if (options->compare && (options->record || options->report || options->calls ||
                                 strcmp(options->heap, "quire") != 0))
            argp_error(state, "--compare goes with none of --heap, --calls, --record and --report");
        check_files(options, state);
        return 0;
    default:
        return parse_common(key, &argp, NAME, examples);
    }
}

static const struct argp argp = {
    .options = argp_options,
    .parser = parse,
    .args_doc = "[--] PROGRAM [ARGUMENT...]",
    .doc =
        "Runs a program with Quire's heap, watches it and the processes that it starts, and tells "
        "at "
        "the end what became of memory.\v"
        "Standard input, output and errors are the program's; the report comes on standard error, "
        "or "
        "to --output. With --compare the program runs once more at first, without being measured: "
        "its output is the one that is seen, that of the others goes to /dev/null. Each gets the "
        "same standard input: a pipe is read into a temporary file.\n\n"
        "The command ends when the program and all that it started have ended.\n\n"
        "Exit status: the program's; 128+N if signal N ended it; 127 no such program, 126 it can't "
        "be executed, 125 this command failed.",
};

void run_options_read(struct run_options *options, int argc, char **argv)
{
    *options = (struct run_options){
        .heap = "quire", .interval_ns = DEFAULT_INTERVAL_NS, .rounds = DEFAULT_ROUNDS};
    argv[0] = (char[]){NAME};
    argp_err_exit_status = RUN_FAILED;
    argp_parse(&argp, argc, argv, ARGP_NO_HELP | ARGP_IN_ORDER, NULL, options);
}
