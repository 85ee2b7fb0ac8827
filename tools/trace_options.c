/* tools/trace_options.c: the options of quire trace */
#include <string.h>

#include "quire.h"
#include "trace_command.h"

#define DEFAULT_ZSTD_LEVEL 3
#define MAX_ZSTD_LEVEL 19
#define DEFAULT_TOP 10
#define MAX_TOP 1000000

static const char examples[] =
    "Examples:\n"
    "  valgrind --tool=lackey --trace-mem=yes --log-file=ls.lackey ls\n"
    "                                     record what ls references\n"
    "  quire trace info ls.lackey         see how many references, to which pages\n"
    "  quire trace convert ls.lackey ls.qtr.zst\n"
    "                                     keep what a replay needs, in a fraction of the space\n"
    "  valgrind --tool=lackey --trace-mem=yes --log-fd=9 ls 9>&1 >/dev/null |\n"
    "      quire trace convert - ls.qtr.zst\n"
    "                                     the same without the large file\n\n";

enum {
    OPTION_PAGE_SIZE = 256,
    OPTION_ZSTD,
    OPTION_TOP,
};

static const struct argp_option options[] = {
    {"page-size", OPTION_PAGE_SIZE, "SIZE", 0,
     "Pages of lackey's addresses: a power of two from 512 to 1G (4K)", 1},
    {"zstd", OPTION_ZSTD, "LEVEL", OPTION_ARG_OPTIONAL,
     "convert: compress, 1 to 19 (3); the default if OUT ends in .zst", 1},
    {"top", OPTION_TOP, "N", 0, "info: so many regions (10)", 1},
    {"output", 'o', "FORMAT", 0,
     "info: table (the default) or json, whose addresses are strings in hexadecimal", 1},
    COMMON_OPTIONS,
    {0},
};

static const struct argp argp;

static bool ends_with(const char *text, const char *end)
{
    size_t length = strlen(text), tail = strlen(end);
    return length >= tail && !strcmp(text + length - tail, end);
}

static void check(struct trace_options *t, unsigned args, struct argp_state *state)
{
    if (!args)
        argp_error(state, "convert or info?");
    if (t->convert && !t->out)
        argp_error(state, "convert needs two names: quire trace convert IN OUT");
    if (!t->convert && !t->in)
        argp_error(state, "which trace?");
    if (t->convert && (t->has_output || t->top))
        argp_error(state, "--output and --top belong to info");
    if (!t->convert && t->has_zstd)
        argp_error(state, "--zstd belongs to convert");
    if (t->convert && !t->has_zstd && ends_with(t->out, ".zst"))
        t->zstd_level = DEFAULT_ZSTD_LEVEL;
    if (!t->top)
        t->top = DEFAULT_TOP;
}

static void parse_argument(struct trace_options *t, char *arg, struct argp_state *state)
{
    switch (state->arg_num) {
    case 0:
        t->convert = !strcmp(arg, "convert");
        if (!t->convert && strcmp(arg, "info"))
            argp_error(state, "convert or info, not '%s'", arg);
        break;
    case 1:
        t->in = arg;
        break;
    default:
        if (!t->convert || t->out)
            argp_error(state, "what is '%s'?", arg);
        t->out = arg;
    }
}

static error_t parse(int key, char *arg, struct argp_state *state)
{
    struct trace_options *t = state->input;
    uint64_t number = DEFAULT_ZSTD_LEVEL;
    switch (key) {
    case OPTION_PAGE_SIZE:
        if (!parse_page_size(arg, &t->page_shift))
            argp_error(state, "--page-size is a power of two from 512 to 1G, not '%s'", arg);
        return 0;
    case OPTION_ZSTD:
        if (arg && !parse_number(arg, 1, MAX_ZSTD_LEVEL, &number))
            argp_error(state, "--zstd has levels 1 to %u, not '%s'", MAX_ZSTD_LEVEL, arg);
        t->zstd_level = (int)number;
        t->has_zstd = true;
        return 0;
    case OPTION_TOP:
        if (!parse_number(arg, 1, MAX_TOP, &t->top))
            argp_error(state, "--top is a number from 1 to %u, not '%s'", MAX_TOP, arg);
        return 0;
    case 'o':
        t->has_output = true;
        t->json = !strcmp(arg, "json");
        if (!t->json && strcmp(arg, "table"))
            argp_error(state, "--output is table or json, not '%s'", arg);
        return 0;
    case ARGP_KEY_ARG:
        parse_argument(t, arg, state);
        return 0;
    case ARGP_KEY_END:
        check(t, state->arg_num, state);
        return 0;
    default:
        return parse_common(key, &argp, "quire trace", examples);
    }
}

static const struct argp argp = {
    .options = options,
    .parser = parse,
    .args_doc = "convert IN OUT\ninfo FILE",
    .doc = "Traces of memory references: what a program did to its pages, for quire replay. Reads "
           "what "
           "valgrind's lackey prints, and the compact form that convert writes, both also through "
           "zstd; '-' is standard input or output.\v"
           "As text a reference is a line such as ' L 1ffeffe7e8,8': I fetched, L read, S written "
           "or M "
           "modified, an address (hexadecimal without 0x), a comma, and a number of bytes. Empty "
           "lines "
           "are skipped, and such that begin with # or, as valgrind's own, with ==1234==.\n"
           "\n"
           "Exit status: 0 done; 1 a trace isn't one, or something couldn't be read or written; 2 "
           "usage.",
};

void parse_trace_options(struct trace_options *t, int argc, char **argv)
{
    static char name[] = "quire trace";
    *t = (struct trace_options){0};
    argv[0] = name; /* what argp calls us */
    argp_parse(&argp, argc, argv, ARGP_NO_HELP, NULL, t);
}
