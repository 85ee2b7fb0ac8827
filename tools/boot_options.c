/* tools/boot_options.c: the options of quire boot */
#include "boot.h"

#include <stdlib.h>
#include <string.h>

#include "quire.h"
#include "swap.h"

#define MIN_MEMORY (4ull << 20)
#define MAX_MEMORY (16ull << 40) /* what Quire's frame numbers reach */
#define DEFAULT_MEMORY (512ull << 20)
#define DEFAULT_TIMEOUT_MS 600000u
#define MAX_TIMEOUT_MS 1000000000u
#define MAX_NODES 16

static const char examples[] =
    "Examples:\n"
    "  quire boot -- ls -l /                    run a program of this host on the machine\n"
    "  quire boot --mem=64M -- cat /proc/meminfo\n"
    "  quire boot --add=script.py --add=/usr/lib/python3.11 -- python3 $PWD/script.py\n"
    "  quire boot --add=/etc/services -- sort /etc/services | head\n"
    "  quire boot --mem=32M --swap=1G -- sort -S 500M < large.txt\n"
    "  quire boot --mem=32M --swap=1G --summary -- xz -9k large.txt\n"
    "  quire boot --shell                       look around in it\n"
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
    OPTION_SHELL,
    OPTION_ADD,
    OPTION_ENV,
    OPTION_CWD,
    OPTION_ACCEL,
    OPTION_SAVE_INITRD,
    OPTION_SWAP,
    OPTION_POLICY,
    OPTION_STATS,
    OPTION_SUMMARY,
    OPTION_EVENTS,
};

static const struct argp_option options[] = {
    {NULL, 0, NULL, 0,
     "What it does (without any, and without a program: show the memory's views and end)", 1},
    {"shell", OPTION_SHELL, NULL, 0,
     "Run the shell of Debian's busybox-static; arguments after -- are its own", 1},
    {"selftest", OPTION_SELFTEST, "FILTER", OPTION_ARG_OPTIONAL,
     "Run the tests, those whose name holds FILTER", 1},
    {"demo", OPTION_DEMO, NULL, 0, "Show the allocators at work", 1},
    {NULL, 0, NULL, 0, "What it is", 2},
    {"arch", 'a', "ARCH", 0,
     "i386, x86-64, or auto (the default: what the program is for; x86-64 without one)", 2},
    {"mem", 'm', "SIZE", 0, "Memory, such as 64M or 6G (default 512M)", 2},
    {"numa", 'n', "NODES", 0, "Spread memory over this many nodes", 2},
    {"swap", OPTION_SWAP, "WHERE", 0,
     "Swap to a file of a SIZE, which is gone at the end (made in $TMPDIR or /var/tmp); to a FILE "
     "or block "
     "device that mkswap has prepared; to a new one, FILE:SIZE; or to what QEMU knows by a URL, "
     "such as "
     "nbd://HOST:PORT or nbd+unix:///?socket=PATH. Several are used one after the other",
     2},
    {"policy", OPTION_POLICY, "NAME", 0,
     "Which pages go first when memory is short: lru (the default), mglru, clock or fifo", 2},
    {NULL, 0, NULL, 0, "What the program finds there (with a program or --shell)", 3},
    {"add", OPTION_ADD, "HOST[:GUEST]", 0,
     "Pack this file, or this folder with all that is in it, too, at GUEST or at the same place; a "
     "file for GUEST/ goes into that folder. Symlinks stay symlinks. A colon in a name is written "
     "\\:",
     3},
    {"env", OPTION_ENV, "NAME=VALUE", 0, "Set a variable of its environment", 3},
    {"cwd", OPTION_CWD, "FOLDER", 0,
     "Start it in this folder of the machine, which is made if there is none (default /)", 3},
    {"verbose", 'v', NULL, 0,
     "Show the kernel's log on stderr, and system calls that don't exist there", 3},
    {"summary", OPTION_SUMMARY, NULL, 0,
     "Say on stderr what it took: time, faults, memory, swap, the largest processes", 3},
    {"stats", OPTION_STATS, "FILE.json", 0,
     "Write the machine's counters and views at its end, and what each process took", 3},
    {"events", OPTION_EVENTS, "FILE", 0,
     "Write everything that happens to memory there, one by one: `quire report FILE` draws it, "
     "and `quire events FILE` shows it. A "
     "program can add its own words: echo sorting >/dev/kmsg. The "
     "machine is slower then",
     3},
    {NULL, 0, NULL, 0, "How the tests run (with --selftest)", 4},
    {"seed", OPTION_SEED, "NUMBER", 0, "Of random numbers", 4},
    {"effort", OPTION_EFFORT, "NUMBER", 0, "Operations of a random run", 4},
    {NULL, 0, NULL, 0, "How QEMU runs", 5},
    {"timeout", 't', "SECONDS", 0,
     "Stop it after this time, such as 90 or 0.5 (default 600, with a program 0: never)", 5},
    {"qemu", OPTION_QEMU, "PATH", 0, "This QEMU", 5},
    {"images", OPTION_IMAGES, "DIRECTORY", 0, "Kernel images of this directory", 5},
    {"append", OPTION_APPEND, "WORDS", 0,
     "Add to the kernel's command line. crash=WAY makes it end at once, to see what comes of it: "
     "by pf, "
     "ud or df (exceptions), panic, lock (taken twice), reset or hang; crash=late: by a panic when "
     "the "
     "program has ended",
     5},
    {"accel", OPTION_ACCEL, "HOW", 0, "tcg (emulation, the default) or kvm", 5},
    {"dry-run", OPTION_DRY_RUN, NULL, 0, "Print QEMU's command line and end", 5},
    {"save-initrd", OPTION_SAVE_INITRD, "FILE", 0,
     "Write what the program comes with, a cpio archive, and end", 5},
    COMMON_OPTIONS,
    {0},
};

static const struct argp argp;

static void parse_arch(struct boot *boot, const char *arg, struct argp_state *state)
{
    if (!strcmp(arg, "i386"))
        boot->arch = BOOT_I386;
    else if (!strcmp(arg, "x86-64"))
        boot->arch = BOOT_X86_64;
    else if (!strcmp(arg, "auto"))
        boot->arch = BOOT_AUTO;
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

static void parse_variable(struct boot *boot, const char *arg, struct argp_state *state)
{
    if (!strchr(arg, '=') || *arg == '=')
        argp_error(state, "--env is NAME=VALUE, not '%s'", arg);
    texts_add(&boot->environment, text("%s", arg));
}

/* Up to a colon or the end, with \: for a colon; *end is put there. */
static char *name_until_colon(const char *arg, const char **end)
{
    char *name = text("%s", arg), *to = name;
    for (; *arg && *arg != ':'; *to++ = *arg++)
        arg += arg[0] == '\\' && arg[1] == ':';
    *to = '\0';
    *end = arg;
    return name;
}

static void parse_added(struct boot *boot, const char *arg, struct argp_state *state)
{
    const char *end;
    char *host = name_until_colon(arg, &end);
    bool has_place = *end == ':';
    char *place = name_until_colon(has_place ? end + 1 : end, &end);
    if (!*host)
        argp_error(state, "--add: which file or folder of this host? '%s'", arg);
    if (has_place && *place != '/')
        argp_error(state, "--add: the place in the machine begins with a slash, not so '%s'%s",
                   place, " (a colon in a name is written \\:)");
    if (*end)
        argp_error(state, "--add: one colon too many (in a name it is written \\:): '%s'", arg);
    texts_add(&boot->adds, host);
    texts_add(&boot->places, place);
}

/* Without "." and "..", as if no folder on the way were a symlink. */
static char *plain_path(const char *path)
{
    char *plain = text("%s", path), *to = plain;
    for (size_t length; *path; path += length) {
        path += strspn(path, "/");
        length = strcspn(path, "/");
        if (!length || (length == 1 && path[0] == '.'))
            continue;
        if (length == 2 && path[0] == '.' && path[1] == '.') {
            while (to > plain && *--to != '/')
                ;
            continue;
        }
        *to++ = '/';
        memcpy(to, path, length);
        to += length;
    }
    if (to == plain)
        *to++ = '/';
    *to = '\0';
    return plain;
}

static void parse_cwd(struct boot *boot, const char *arg, struct argp_state *state)
{
    if (*arg != '/')
        argp_error(state, "--cwd is a folder of the machine, from its root on, not '%s'", arg);
    boot->cwd = plain_path(arg);
}

/* Digits, and maybe a point and more: to a millisecond, which isn't rounded down to none. */
static void parse_timeout(struct boot *boot, const char *arg, struct argp_state *state)
{
    size_t whole = strspn(arg, "0123456789");
    size_t part = arg[whole] == '.' ? strspn(arg + whole + 1, "0123456789") : 0;
    bool point = arg[whole] == '.';
    double seconds = strtod(arg, NULL);
    if (!(whole + part) || arg[whole + point + part] || seconds > MAX_TIMEOUT_MS / 1000)
        argp_error(state, "--timeout is a number of seconds up to %u, such as 90 or 0.5, not '%s'",
                   MAX_TIMEOUT_MS / 1000, arg);
    boot->timeout_ms = (unsigned)(seconds * 1000);
    boot->timeout_ms += seconds > 0 && !boot->timeout_ms;
    boot->has_timeout = true;
}

static void parse_swap(struct boot *boot, const char *arg, struct argp_state *state)
{
    if (!*arg)
        argp_error(state, "--swap: to what? A size such as 1G, a file, or a URL");
    if (boot->swaps.count == MOST_SWAPS)
        argp_error(state, "--swap: %d are the most", MOST_SWAPS);
    texts_add(&boot->swaps, text("%s", arg));
}

static void parse_policy(struct boot *boot, const char *arg, struct argp_state *state)
{
    static const char *const known[] = {"lru", "mglru", "clock", "fifo"};
    boot->policy = NULL;
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++)
        if (!strcmp(arg, known[i]))
            boot->policy = known[i];
    if (!boot->policy)
        argp_error(state, "--policy is lru, mglru, clock or fifo, not '%s'", arg);
}

/* The program's output isn't mixed with ours. */
static const char *parse_file(const char *option, const char *arg, struct argp_state *state)
{
    if (!*arg || !strcmp(arg, "-"))
        argp_error(state, "%s: to which file? (stdout is the program's)", option);
    return arg;
}

static void parse_accel(struct boot *boot, const char *arg, struct argp_state *state)
{
    boot->kvm = !strcmp(arg, "kvm");
    if (!boot->kvm && strcmp(arg, "tcg"))
        argp_error(state, "--accel is tcg or kvm, not '%s'", arg);
}

static void check_tests(const struct boot *boot, struct argp_state *state)
{
    if (boot->selftest && boot->demo)
        argp_error(state, "--selftest and --demo exclude each other");
    if (boot->filter && !boot->selftest)
        argp_error(state,
                   "'%s': only --selftest takes a name; a program comes after --: "
                   "quire boot -- %s",
                   boot->filter, boot->filter);
    if ((boot->has_seed || boot->has_effort) && !boot->selftest)
        argp_error(state, "%s is for --selftest", boot->has_seed ? "--seed" : "--effort");
}

static void check_program(const struct boot *boot, struct argp_state *state)
{
    bool has_program = boot_has_program(boot);
    const char *useless = boot->adds.count          ? "--add"
                          : boot->swaps.count       ? "--swap"
                          : boot->environment.count ? "--env"
                          : boot->cwd               ? "--cwd"
                          : boot->save_initrd       ? "--save-initrd"
                          : boot->verbose           ? "--verbose"
                          : boot->policy            ? "--policy"
                          : boot->stats             ? "--stats"
                          : boot->summary           ? "--summary"
                          : boot->events            ? "--events"
                                                    : NULL;
    if (has_program && (boot->selftest || boot->demo))
        argp_error(state, "%s runs no program", boot->demo ? "--demo" : "--selftest");
    if (!has_program && useless)
        argp_error(state, "%s is for a program: quire boot %s... -- PROGRAM", useless, useless);
    if (boot->program && !boot->program[0] && !boot->shell)
        argp_error(state, "which program? Its name comes after --");
}

static void check(struct boot *boot, struct argp_state *state)
{
    check_tests(boot, state);
    check_program(boot, state);
    if (boot->nodes && boot->memory / boot->nodes < MIN_MEMORY)
        argp_error(state, "%llu nodes need %llu MiB at least", (unsigned long long)boot->nodes,
                   (unsigned long long)(boot->nodes * MIN_MEMORY >> 20));
    if (boot_has_program(boot) && !boot->has_timeout)
        boot->timeout_ms = 0;
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
        parse_timeout(boot, arg, state);
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

static error_t parse_for_program(int key, char *arg, struct argp_state *state)
{
    struct boot *boot = state->input;
    switch (key) {
    case OPTION_SHELL:
        boot->shell = true;
        return 0;
    case OPTION_ADD:
        parse_added(boot, arg, state);
        return 0;
    case OPTION_ENV:
        parse_variable(boot, arg, state);
        return 0;
    case OPTION_CWD:
        parse_cwd(boot, arg, state);
        return 0;
    case OPTION_SWAP:
        parse_swap(boot, arg, state);
        return 0;
    case OPTION_SAVE_INITRD:
        boot->save_initrd = arg;
        return 0;
    case OPTION_POLICY:
        parse_policy(boot, arg, state);
        return 0;
    case OPTION_STATS:
        boot->stats = parse_file("--stats", arg, state);
        return 0;
    case OPTION_EVENTS:
        boot->events = parse_file("--events", arg, state);
        return 0;
    case OPTION_SUMMARY:
        boot->summary = true;
        return 0;
    case 'v':
        boot->verbose = true;
        return 0;
    default:
        return parse_machine(key, arg, state);
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
    case OPTION_ACCEL:
        parse_accel(boot, arg, state);
        return 0;
    default:
        return parse_for_program(key, arg, state);
    }
}

static const struct argp argp = {
    .options = options,
    .parser = parse,
    .args_doc = "[TEST]\n-- PROGRAM [ARGUMENT...]",
    .doc =
        "Boot a machine whose memory Quire manages, in QEMU. Its console is the output; or run a "
        "program of this host there, unchanged.\v"
        "A program is looked for as a shell does, and packed with its interpreter and its "
        "libraries; other files that it opens are for --add: data, modules that it loads by "
        "itself (of Python, Perl, iconv), programs that it starts. Its standard input, output and "
        "errors are this command's. It runs as root, in the folder / unless --cwd says otherwise, "
        "with an environment of PATH, HOME=/root, TERM and LANG=C. Like ssh, it may read more of "
        "the input than the program uses: in a loop of the shell, give it </dev/null.\n\n"
        "The machine ends with the program, whatever else still runs there. It has one "
        "processor, files in memory and swap only, and neither network, pseudo terminals, AVX, "
        "ptrace nor inotify. What this command was started to ignore (nohup) the program "
        "ignores.\n\n"
        "On a terminal the program gets all keys, ^C too; ^A x ends the machine, ^A ^A is one "
        "^A. Otherwise ^C ends the machine. If ^Z or a signal stops the program, this command "
        "stops "
        "with it, as a job of the shell; without a terminal it says so, and SIGCONT sent to it "
        "lets "
        "the program go on.\n\n"
        "Exit status with a program: the program's; 128 + N when signal N killed it, or this "
        "command (^A x: 130); 124 it took longer than --timeout; 125 wrong usage, or the machine "
        "could not be started, or it failed; 126 the program can't be executed; 127 it, its "
        "interpreter or a library was not found.\n\n"
        "Exit status without one: 0 it did what was asked; 1 tests failed or were all skipped, or "
        "it could not be started, or its output not be written; 2 usage; 3 it panicked; 4 it took "
        "longer than --timeout; 5 it ended without saying how; 128 + N a signal N stopped this "
        "command.",
};

/* Splits off what comes after "--": the program, whose own options are none of ours. */
static int split(struct boot *boot, int argc, char **argv)
{
    for (int i = 1; i < argc; i++)
        if (!strcmp(argv[i], "--")) {
            boot->program = argv + i + 1;
            return i;
        }
    return argc;
}

/* Whether mistakes are those of a request to run a program; argp doesn't know yet. */
static bool is_for_program(const struct boot *boot, int argc, char **argv)
{
    for (int i = 1; i < argc; i++)
        if (!strcmp(argv[i], "--shell"))
            return true;
    return boot->program;
}

void parse_boot_options(struct boot *boot, int argc, char **argv)
{
    static char name[] = "quire boot";
    *boot = (struct boot){.memory = DEFAULT_MEMORY, .timeout_ms = DEFAULT_TIMEOUT_MS};
    argc = split(boot, argc, argv);
    if (is_for_program(boot, argc, argv))
        argp_err_exit_status = PROGRAM_NOT_RUN;
    argv[0] = name; /* what argp calls us */
    argp_parse(&argp, argc, argv, ARGP_NO_HELP, NULL, boot);
}
