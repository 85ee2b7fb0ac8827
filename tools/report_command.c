/* tools/report_command.c: quire report: what happened to memory, as a page to look at
 */
#define _GNU_SOURCE
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "quire.h"
#include "report_output.h"
#include "utf8.h"

#define DEFAULT_LIMIT ((uint64_t)4 << 20)

enum output { OUTPUT_HTML, OUTPUT_JSON, OUTPUT_CSV, OUTPUT_TEXT };

struct request {
    const char *file, *to, *title; /* to: NULL is a name made of the file's, "-" the output */
    enum output output;
    unsigned table;
    bool has_table, has_limit;
    uint64_t limit;
};

static const char examples[] =
    "Examples:\n"
    "  quire boot --mem=32M --swap=1G --events=run.events -- sort large.txt\n"
    "  quire report run.events                  makes run.html: open it in a browser\n"
    "  quire report --output=- run.events >x.html\n"
    "  quire report -o text run.events | less   the main figures, here\n"
    "  quire report -o csv run.events >x.csv    what happened over time, for a spreadsheet\n"
    "  quire report -o csv --table=processes run.events\n\n";

enum { OPTION_OUTPUT = 256, OPTION_SIZE, OPTION_TITLE, OPTION_TABLE };

static const struct argp_option options[] = {
    {NULL, 'o', "FORM", 0, "html (the default), text, json or csv", 1},
    {"output", OPTION_OUTPUT, "FILE", 0,
     "Write it there; - is the output, as it is by default but for html, which goes to a file in "
     "this folder that is named as FILE, with .html",
     1},
    {"size", OPTION_SIZE, "LIMIT", 0,
     "How many bytes the page has at most (default 4M): time and addresses are cut into larger "
     "pieces until it fits",
     1},
    {"title", OPTION_TITLE, "TEXT", 0, "What it is called (default: the program's name)", 1},
    {"table", OPTION_TABLE, "NAME", 0,
     "Which table csv has: time (the default), map, zones, processes, areas, caches, classes or "
     "marks",
     1},
    COMMON_OPTIONS,
    {0},
};

static const struct argp argp;

/* ---- options --------------------------------------------------------------------------------- */

static void parse_form(struct request *request, const char *arg, struct argp_state *state)
{
    static const char *const names[] = {"html", "json", "csv", "text"};
    for (unsigned i = 0; i < 4; i++)
        if (!strcmp(arg, names[i])) {
            request->output = (enum output)i;
            return;
        }
    argp_error(state, "-o is html, text, json or csv, not '%s'", arg);
}

static void parse_table(struct request *request, const char *arg, struct argp_state *state)
{
    request->has_table = true;
    for (unsigned i = 0; report_tables[i]; i++)
        if (!strcmp(arg, report_tables[i])) {
            request->table = i;
            return;
        }
    argp_error(state, "--table: there is none called '%s'", arg);
}

static void check(const struct request *request, struct argp_state *state)
{
    if (!request->file)
        argp_error(state, "of which file? quire boot --events=FILE makes one, and quire run "
                          "--record=FILE another");
    if (request->has_table && request->output != OUTPUT_CSV)
        argp_error(state, "--table is for -o csv");
    if (request->has_limit && request->output != OUTPUT_HTML)
        argp_error(state, "--size is of a page: -o html");
}

static error_t parse(int key, char *arg, struct argp_state *state)
{
    struct request *request = state->input;
    switch (key) {
    case 'o':
        parse_form(request, arg, state);
        return 0;
    case OPTION_OUTPUT:
        request->to = arg;
        return 0;
    case OPTION_SIZE:
        request->has_limit = true;
        if (!parse_size(arg, &request->limit) || !request->limit)
            argp_error(state, "--size is a number of bytes such as 4M, not '%s'", arg);
        return 0;
    case OPTION_TITLE:
        request->title = arg;
        return 0;
    case OPTION_TABLE:
        parse_table(request, arg, state);
        return 0;
    case ARGP_KEY_ARG:
        if (request->file)
            argp_error(state, "one file is enough: '%s'", arg);
        request->file = arg;
        return 0;
    case ARGP_KEY_END:
        check(request, state);
        return 0;
    default:
        return parse_common(key, &argp, "quire report", examples);
    }
}

static const struct argp argp = {
    .options = options,
    .parser = parse,
    .args_doc = "FILE",
    .doc =
        "Tell what happened to memory, as one page of HTML that needs nothing else, or as "
        "numbers.\v"
        "FILE is what quire boot --events or quire run --record wrote, or - for the input. Of "
        "one that is cut, or makes no sense from some place on, the report tells what is before, "
        "and says so. docs/report.md says what each picture means.\n\n"
        "Exit status: 0 done; 1 the file is no such file, cut or wrong, or the report couldn't be "
        "written; 2 usage.",
};

/* ---- files ----------------------------------------------------------------------------------- */

/* The file's name without its folder and ending: run.events becomes run.html. */
static char *page_name(const char *file)
{
    const char *slash = strrchr(file, '/'), *base = slash ? slash + 1 : file;
    const char *dot = strrchr(base, '.');
    int length = dot && dot != base ? (int)(dot - base) : (int)strlen(base);
    return !strcmp(file, "-") || !length ? text("report.html") : text("%.*s.html", length, base);
}

static bool is_same_file(const char *name, FILE *from)
{
    struct stat a, b;
    return !stat(name, &a) && fileno(from) >= 0 && !fstat(fileno(from), &b) &&
           a.st_dev == b.st_dev && a.st_ino == b.st_ino && S_ISREG(a.st_mode);
}

/* A recording is JSON; anything else is to be events, or an error. */
static struct report *read_report(const struct request *request, FILE *from)
{
    const char *name = strcmp(request->file, "-") ? request->file : "the input";
    int c = getc(from);
    while (c != EOF && isspace(c))
        c = getc(from);
    if (c == EOF) {
        complain("%s: %s", name,
                 ferror(from) ? strerror(errno)
                              : "it is empty: quire boot --events=FILE writes what a report tells");
        return NULL;
    }
    ungetc(c, from);
    return c == '{' ? report_from_recording(from, name) : report_from_events(from, name);
}

static bool print(const struct request *request, struct report *report, FILE *to)
{
    switch (request->output) {
    case OUTPUT_JSON:
        report_print_json(
            report, &(struct report_detail){.most_areas = UINT32_MAX, .most_processes = SIZE_MAX},
            to);
        return true;
    case OUTPUT_CSV:
        report_print_csv(report, request->table, to);
        return true;
    case OUTPUT_TEXT:
        report_print_text(report, to);
        return true;
    default:
        return report_print_html(report, request->limit, to);
    }
}

static bool is_regular(const char *name)
{
    struct stat status;
    return !lstat(name, &status) && S_ISREG(status.st_mode);
}

static bool write_and_close(FILE *to, const char *made, size_t size)
{
    bool written = to && fwrite(made, 1, size, to) == size;
    int error = errno;
    if (to && fclose(to) && written) {
        written = false;
        error = errno;
    }
    errno = error;
    return written;
}

/* With the rights of what it takes the place of, or else those of any new file. */
static FILE *open_beside(char *beside, const char *name)
{
    struct stat status;
    mode_t mask = umask(0);
    (void)umask(mask);
    int file = mkostemp(beside, O_CLOEXEC);
    if (file < 0)
        return NULL;
    (void)fchmod(file, stat(name, &status) ? 0666 & ~mask : status.st_mode & 07777);
    return fdopen(file, "w");
}

/* What is there stays until there is a whole report to take its place. Where nothing can be made
 * beside it, and of a name that isn't a file's own, the place itself is written. */
static bool replace(const char *name, const char *made, size_t size)
{
    char *beside = text("%s.XXXXXX", name);
    bool is_taken = !access(name, F_OK);
    FILE *to = !is_taken || is_regular(name) ? open_beside(beside, name) : NULL;
    bool written = to ? write_and_close(to, made, size) && !rename(beside, name)
                      : write_and_close(fopen(name, "we"), made, size);
    int error = errno;
    if (to && !written)
        (void)unlink(beside);
    free(beside);
    errno = error;
    return written;
}

static bool print_to_file(const struct request *request, struct report *report, const char *name)
{
    char *made = NULL;
    size_t size = 0;
    FILE *memory = must(open_memstream(&made, &size));
    bool printed = print(request, report, memory);
    must(fclose(memory) ? NULL : made);
    bool written = printed && replace(name, made, size);
    if (printed && !written)
        complain("%s: %s", name, strerror(errno));
    free(made);
    return written;
}

static int write_report(const struct request *request, FILE *from, struct report *report)
{
    bool to_stdout = request->to ? !strcmp(request->to, "-") : request->output != OUTPUT_HTML;
    char *name = NULL;
    int status = EXIT_FAILED;
    if (to_stdout && request->output == OUTPUT_HTML && isatty(STDOUT_FILENO)) {
        complain("a page is for a browser, not for a terminal: --output=FILE, or > FILE");
    } else if (to_stdout) {
        status = print(request, report, stdout) ? all_written() : EXIT_FAILED;
    } else {
        name = request->to ? text("%s", request->to) : page_name(request->file);
        if (is_same_file(name, from))
            complain("%s is the file that the report is of: --output=OTHER", name);
        else if (print_to_file(request, report, name))
            status = EXIT_DONE;
        if (status == EXIT_DONE && request->output == OUTPUT_HTML)
            fprintf(stderr, "quire: wrote %s\n", name);
    }
    free(name);
    return status;
}

static int report_on(const struct request *request, FILE *from)
{
    struct report *report = read_report(request, from);
    if (!report)
        return EXIT_FAILED;
    if (request->title) {
        free(report->title);
        report->title = text("%s", request->title);
    }
    utf8_print(report->title);
    utf8_print(report->file);
    int status = write_report(request, from, report);
    if (!report->whole) {
        complain("%s: %s; the report tells what is before", request->file, report->trouble);
        status = EXIT_FAILED;
    }
    report_free(report);
    return status;
}

bool report_from_run(FILE *recording, const char *name, const char *html)
{
    const struct request request = {.file = name, .to = html, .limit = DEFAULT_LIMIT};
    return report_on(&request, recording) == EXIT_DONE;
}

int command_report(int argc, char **argv)
{
    static char name[] = "quire report";
    struct request request = {.limit = DEFAULT_LIMIT};
    argv[0] = name;
    argp_parse(&argp, argc, argv, ARGP_NO_HELP, NULL, &request);
    (void)signal(SIGXFSZ, SIG_IGN); /* a file that may not be so large is an error that is told */
    bool is_input = !strcmp(request.file, "-");
    FILE *from = is_input ? stdin : fopen(request.file, "rbe");
    if (!from) {
        complain("%s: %s", request.file, strerror(errno));
        return EXIT_FAILED;
    }
    int status = report_on(&request, from);
    if (!is_input)
        fclose(from);
    return status;
}
