/* tools/replay_options.c: the options of quire replay */
#define _DEFAULT_SOURCE
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "quire.h"
#include "replay_command.h"

static const char examples[] =
    "Examples:\n"
    "  valgrind --tool=lackey --trace-mem=yes --log-file=ls.lackey ls\n"
    "  quire replay --model --mem 256K ls.lackey\n"
    "                                     how often ls misses with 256 KiB of memory\n"
    "  quire replay --model --mem 64K..4M ls.lackey\n"
    "                                     with 64K, 128K, 256K, ... 4M\n"
    "  quire replay --model --mem 1M..4M --step 256K --policy lru,opt -o csv ls.lackey\n"
    "                                     how far LRU is from the best that is possible\n\n";

enum {
    OPTION_MEM = 256,
    OPTION_STEP,
    OPTION_POLICY,
    OPTION_MODEL,
    OPTION_PAGE_SIZE,
    OPTION_THREADS,
};

static const struct argp_option options[] = {
    {NULL, 0, NULL, 0, "The memory", 1},
    {"mem", OPTION_MEM, "SIZES", 0,
     "Sizes with commas between, of whole pages: 8M, or 1M..64M, which doubles from one to the "
     "other",
     1},
    {"step", OPTION_STEP, "SIZE", 0, "Ranges of --mem go on by so much instead", 1},
    {"page-size", OPTION_PAGE_SIZE, "SIZE", 0,
     "Pages of lackey's addresses: a power of two from 512 to 1G (4K)", 1},
    {NULL, 0, NULL, 0, "Who decides what is evicted", 2},
    {"policy", OPTION_POLICY, "LIST", 0, "Of lru, clock, fifo, mglru, opt (lru,clock,fifo,opt)", 2},
    {"model", OPTION_MODEL, NULL, 0,
     "By the textbook, page by page, and not by the machine (opt always is). The machine's lru is "
     "Linux's, with an active and an inactive list; the textbook's evicts what was used last "
     "longest ago",
     2},
    {NULL, 0, NULL, 0, "Output", 3},
    {"output", 'o', "FORMAT", 0, "table (the default), csv or json", 3},
    {"threads", OPTION_THREADS, "N", 0, "So many threads (one for each processor)", 3},
    COMMON_OPTIONS,
    {0},
};

static const struct argp argp;

const char *const replay_policy_names[REPLAY_NR_POLICIES] = {
    [REPLAY_LRU] = "lru",     [REPLAY_CLOCK] = "clock", [REPLAY_FIFO] = "fifo",
    [REPLAY_MGLRU] = "mglru", [REPLAY_OPT] = "opt",
};

/* What --mem and --step said, until both are known. */
struct words {
    struct replay_options *options;
    char *mem;
    uint64_t step;
};

static void parse_policies(struct replay_options *r, char *list, struct argp_state *state)
{
    r->nr_policies = 0;
    for (char *word; (word = strsep(&list, ","));) {
        unsigned policy = 0;
        while (policy < REPLAY_NR_POLICIES && strcmp(replay_policy_names[policy], word))
            policy++;
        if (policy == REPLAY_NR_POLICIES)
            argp_error(state, "--policy knows lru, clock, fifo, mglru and opt, not '%s'", word);
        for (unsigned p = 0; p < r->nr_policies; p++)
            if (r->policy[p] == (enum replay_policy)policy)
                argp_error(state, "--policy names '%s' twice", word);
        r->policy[r->nr_policies++] = (enum replay_policy)policy;
    }
}

/* ---- sizes ----------------------------------------------------------------------------------- */

static void add_size(struct replay_options *r, uint64_t size, struct argp_state *state)
{
    if (r->nr_sizes == MAX_SIZES)
        argp_error(state, "--mem: %u sizes are enough", MAX_SIZES);
    r->size[r->nr_sizes++] = size;
}

static void add_range(struct replay_options *r, uint64_t first, uint64_t last, uint64_t step,
                      struct argp_state *state)
{
    for (uint64_t size = first; size < last;) {
        add_size(r, size, state);
        uint64_t more = step ? step : size;
        size = more < last - size ? size + more : last;
    }
    add_size(r, last, state);
}

static int by_size(const void *a, const void *b)
{
    const uint64_t *x = a, *y = b;
    return (*x > *y) - (*x < *y);
}

static void parse_sizes(struct words *words, struct argp_state *state)
{
    struct replay_options *r = words->options;
    bool range = false;
    for (char *word, *list = words->mem; (word = strsep(&list, ","));) {
        uint64_t first, last;
        char *dots = strstr(word, "..");
        if (dots)
            *dots = '\0';
        if (!parse_size(word, &first) || !first || (dots && !parse_size(dots + 2, &last)))
            argp_error(state,
                       "--mem is a size such as 8M, or a range such as 1M..64M, not '%s%s%s'", word,
                       dots ? ".." : "", dots ? dots + 2 : "");
        if (dots && last < first)
            argp_error(state, "--mem %s..%s runs backwards: the smaller size comes first", word,
                       dots + 2);
        range |= !!dots;
        add_range(r, first, dots ? last : first, words->step, state);
    }
    if (words->step && !range)
        argp_error(state, "--step needs a range: --mem 1M..64M");
    qsort(r->size, r->nr_sizes, sizeof *r->size, by_size);
}

/* ---- all together ---------------------------------------------------------------------------- */

static void check(struct words *words, struct argp_state *state)
{
    static const enum replay_policy all[] = {REPLAY_LRU, REPLAY_CLOCK, REPLAY_FIFO, REPLAY_OPT};
    struct replay_options *r = words->options;
    if (!r->trace)
        argp_error(state, "which trace?");
    if (!words->mem)
        argp_error(state, "how much memory? Such as --mem 8M, or --mem 1M..64M");
    if (!r->nr_policies) {
        memcpy(r->policy, all, sizeof all);
        r->nr_policies = sizeof all / sizeof *all;
    }
    for (unsigned p = 0; p < r->nr_policies; p++)
        if (r->model ? !replay_model(r->policy[p]) : !replay_machine(r->policy[p]))
            argp_error(state,
                       "there is no exact model of %s: leave --model out, and the machine replays",
                       replay_policy_names[r->policy[p]]);
    parse_sizes(words, state);
}

static enum replay_output parse_output(const char *arg, struct argp_state *state)
{
    if (!strcmp(arg, "csv"))
        return REPLAY_CSV;
    if (!strcmp(arg, "json"))
        return REPLAY_JSON;
    if (strcmp(arg, "table"))
        argp_error(state, "--output is table, csv or json, not '%s'", arg);
    return REPLAY_TABLE;
}

static error_t parse(int key, char *arg, struct argp_state *state)
{
    struct words *words = state->input;
    struct replay_options *r = words->options;
    switch (key) {
    case OPTION_MEM:
        words->mem = arg;
        return 0;
    case OPTION_STEP:
        if (!parse_size(arg, &words->step) || !words->step)
            argp_error(state, "--step is a size, not '%s'", arg);
        return 0;
    case OPTION_POLICY:
        parse_policies(r, arg, state);
        return 0;
    case OPTION_MODEL:
        r->model = true;
        return 0;
    case OPTION_PAGE_SIZE:
        if (!parse_page_size(arg, &r->page_shift))
            argp_error(state, "--page-size is a power of two from 512 to 1G, not '%s'", arg);
        return 0;
    case OPTION_THREADS:
        if (!parse_number(arg, 1, MAX_THREADS, &r->threads))
            argp_error(state, "--threads is a number from 1 to %u, not '%s'", MAX_THREADS, arg);
        return 0;
    case 'o':
        r->output = parse_output(arg, state);
        return 0;
    case ARGP_KEY_ARG:
        if (r->trace)
            argp_error(state, "one trace, please: '%s'", arg);
        r->trace = arg;
        return 0;
    case ARGP_KEY_END:
        check(words, state);
        return 0;
    default:
        return parse_common(key, &argp, "quire replay", examples);
    }
}

static const struct argp argp = {
    .options = options,
    .parser = parse,
    .args_doc = "TRACE",
    .doc =
        "How often a program would have missed in memories of given sizes, by the trace of its "
        "references: what valgrind's lackey prints (quire trace --help says how to write such by "
        "hand), "
        "or what quire trace convert made of it; '-' is standard input.\v"
        "A reference is an access to one page: an access that goes across a page's end counts for "
        "both. "
        "A miss is a reference to a page that isn't in memory: minor if it is the first to that "
        "page, "
        "major if the page had been evicted. A write-back is an eviction of a page that was "
        "written "
        "to since it came in. Above OPT is how many misses more than Belady's optimum, which knows "
        "the future; it is shown when opt is among the policies.\n"
        "\n"
        "Exit status: 0 done; 1 the trace isn't one, or something couldn't be read or written; 2 "
        "usage.",
};

void parse_replay_options(struct replay_options *r, int argc, char **argv)
{
    static char name[] = "quire replay";
    long processors = sysconf(_SC_NPROCESSORS_ONLN);
    struct words words = {.options = r};
    *r = (struct replay_options){.threads = processors > 0 ? (uint64_t)processors : 1};
    argv[0] = name; /* what argp calls us */
    argp_parse(&argp, argc, argv, ARGP_NO_HELP, NULL, &words);
}
