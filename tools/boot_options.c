/* tools/boot_options.c: the options of quire boot */
#include "boot.h"

#include <string.h>

#include "quire.h"

#define MIN_MEMORY (4ull << 20)
#define MAX_MEMORY (16ull << 40) /* what Quire's frame numbers reach */
#define DEFAULT_MEMORY (512ull << 20)
#define DEFAULT_TIMEOUT 600
#define MAX_NODES 16

static const char examples[] =
    "Examples:\n"
    "  quire boot --selftest                    run all tests inside the machine\n"
    "  quire boot --selftest=pcp --arch=i386  those whose name holds \"pcp\", on 32 bits\n"
    "  quire boot --demo --mem=1G --numa=2      the allocators at work, on two nodes\n\n";

enum {
    OPTION_SELFTEST = 256,
    OPTION_DEMO,
    OPTION_SEED,
    OPTION_EFFORT,
    OPTION_QEMU,
    OPTION_IMAGES,
    OPTION_APPEND,
    OPTION_DRY_RUN,
};

static const struct argp_option options[] = {
    {NULL, 0, NULL, 0, "What it does (without any: show the memory's views and end)", 1},
    {"selftest", OPTION_SELFTEST, "FILTER", OPTION_ARG_OPTIONAL,
     "Run the tests, those whose name holds FILTER", 1},
    {"demo", OPTION_DEMO, NULL, 0, "Show the allocators at work", 1},
    {NULL, 0, NULL, 0, "What it is", 2},
    {"arch", 'a', "ARCH", 0, "i386, x86-64, or auto (the default: x86-64)", 2},
    {"mem", 'm', "SIZE", 0, "Memory, such as 64M or 6G (default 512M)", 2},
    {"numa", 'n', "NODES", 0, "Spread memory over this many nodes", 2},
    {NULL, 0, NULL, 0, "How the tests run (with --selftest)", 3},
    {"seed", OPTION_SEED, "NUMBER", 0, "Of random numbers", 3},
    {"effort", OPTION_EFFORT, "NUMBER", 0, "Operations of a random run", 3},
    {NULL, 0, NULL, 0, "How QEMU runs", 4},
    {"timeout", 't', "SECONDS", 0, "Stop it after this time (default 600, 0: never)", 4},
    {"qemu", OPTION_QEMU, "PATH", 0, "This QEMU", 4},
    {"images", OPTION_IMAGES, "DIRECTORY", 0, "Kernel images of this directory", 4},
    {"append", OPTION_APPEND, "WORDS", 0,
     "Add to the kernel's command line. crash=WAY makes it end at once, to see what comes of it: "
     "by pf, "
     "ud or df (exceptions), panic, lock (taken twice), reset or hang",
     4},
    {"dry-run", OPTION_DRY_RUN, NULL, 0, "Print QEMU's command line and end", 4},
    COMMON_OPTIONS,
    {0},
};

static const struct argp argp;

static void parse_arch(struct boot *boot, const char *arg, struct argp_state *state)
{
    if (!strcmp(arg, "i386"))
        boot->i386 = true;
    else if (!strcmp(arg, "x86-64") || !strcmp(arg, "auto"))
        boot->i386 = false;
    else
        argp_error(state, "--arch is i386, x86-64 or auto, not '%s'", arg);
}

static void parse_within(const char *option, const char *arg, uint64_t min, uint64_t max,
                         uint64_t *number, struct argp_state *state)
{
    if (!parse_number(arg, min, max, number))
        argp_error(state, "%s is a number from %llu to %llu, not '%s'", option,
                   (unsigned long long)min, (unsigned long long)max, arg);
}

static void parse_memory(struct boot *boot, const char *arg, struct argp_state *state)
{
    if (!parse_size(arg, &boot->memory))
        argp_error(state, "--mem is a size such as 64M or 6G, not '%s'", arg);
    if (boot->memory < MIN_MEMORY && !arg[strspn(arg, "0123456789")])
        argp_error(state, "--mem is at least 4M; '%s' are bytes: is it %sM?", arg, arg);
    if (boot->memory < MIN_MEMORY || boot->memory % BOOT_MEMORY_UNIT)
        argp_error(state, "--mem is at least 4M, in whole MiB, not '%s'", arg);
    if (boot->memory > MAX_MEMORY)
        argp_error(state, "--mem is at most 16T, not '%s'", arg);
}

static void parse_filter(struct boot *boot, const char *arg, struct argp_state *state)
{
    if (strpbrk(arg, " \t\n"))
        argp_error(state, "a test's name has no blanks: '%s'", arg);
    boot->filter = arg;
}

static void check(struct boot *boot, struct argp_state *state)
{
    if (boot->selftest && boot->demo)
        argp_error(state, "--selftest and --demo exclude each other");
    if (boot->filter && !boot->selftest)
        argp_error(state, "'%s': only --selftest takes a name", boot->filter);
    if ((boot->has_seed || boot->has_effort) && !boot->selftest)
        argp_error(state, "%s is for --selftest", boot->has_seed ? "--seed" : "--effort");
    if (boot->nodes && boot->memory / boot->nodes < MIN_MEMORY)
        argp_error(state, "%llu nodes need %llu MiB at least", (unsigned long long)boot->nodes,
                   (unsigned long long)(boot->nodes * MIN_MEMORY >> 20));
}

static error_t parse_machine(int key, char *arg, struct argp_state *state)
{
    struct boot *boot = state->input;
    switch (key) {
    case 'a':
        parse_arch(boot, arg, state);
        return 0;
    case 'm':
        parse_memory(boot, arg, state);
        return 0;
    case 'n':
        parse_within("--numa", arg, 1, MAX_NODES, &boot->nodes, state);
        return 0;
    case 't':
        parse_within("--timeout", arg, 0, 1000000, &boot->timeout, state);
        return 0;
    case OPTION_SEED:
        parse_within("--seed", arg, 0, UINT64_MAX, &boot->seed, state);
        boot->has_seed = true;
        return 0;
    case OPTION_EFFORT:
        parse_within("--effort", arg, 0, UINT64_MAX, &boot->effort, state);
        boot->has_effort = true;
        return 0;
    default:
        return parse_common(key, &argp, "quire boot", examples);
    }
}

static error_t parse(int key, char *arg, struct argp_state *state)
{
    struct boot *boot = state->input;
    switch (key) {
    case OPTION_SELFTEST:
        boot->selftest = true;
        if (arg)
            parse_filter(boot, arg, state);
        return 0;
    case OPTION_DEMO:
        boot->demo = true;
        return 0;
    case OPTION_QEMU:
        boot->qemu = arg;
        return 0;
    case OPTION_IMAGES:
        boot->images = arg;
        return 0;
    case OPTION_APPEND:
        boot->append = arg;
        return 0;
    case OPTION_DRY_RUN:
        boot->dry_run = true;
        return 0;
    case ARGP_KEY_ARG:
        if (boot->filter)
            argp_error(state, "one test's name is enough: '%s'", arg);
        parse_filter(boot, arg, state);
        return 0;
    case ARGP_KEY_END:
        check(boot, state);
        return 0;
    default:
        return parse_machine(key, arg, state);
    }
}

static const struct argp argp = {
    .options = options,
    .parser = parse,
    .args_doc = "[TEST]",
    .doc = "Boot a machine whose memory Quire manages, in QEMU. Its console is the output.\v"
           "Exit status: 0 it did what was asked; 1 tests failed or were all skipped, or it could "
           "not be started, or its output not be written; 2 usage; 3 it panicked; 4 it took longer "
           "than --timeout; 5 it ended without saying "
           "how; 128 + N a signal N stopped this command.",
};

void parse_boot_options(struct boot *boot, int argc, char **argv)
{
    static char name[] = "quire boot";
    *boot = (struct boot){.memory = DEFAULT_MEMORY, .timeout = DEFAULT_TIMEOUT};
    argv[0] = name; /* what argp calls us */
    argp_parse(&argp, argc, argv, ARGP_NO_HELP, NULL, boot);
}
