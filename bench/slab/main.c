/* bench/slab/main.c: slab-bench, what object allocators cost
 *
 * Rows of `case threads subject value unit` on stdout. Exit status: 0 done, 1 failed, 2 usage.
 */
#include <argp.h>
#include <errno.h>
#include <fnmatch.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench.h"

#define EXIT_ABSENT 3

struct options options = {.rounds = 9, .objects = 1000000, .count = -1};

const struct bench_case bench_cases[] = {
    {"cache-hot-64", HOT, 64, false},        {"kmalloc-hot-64", HOT, 64, true},
    {"kmalloc-random", RANDOM, 0, true},     {"cache-remote-64", REMOTE, 64, false},
    {"kmalloc-remote-64", REMOTE, 64, true}, {"cache-bulk-32", BULK, 64, false},
    {"memory-8", MEMORY, 8, true},           {"memory-16", MEMORY, 16, true},
    {"memory-32", MEMORY, 32, true},         {"memory-64", MEMORY, 64, true},
    {"memory-96", MEMORY, 96, true},         {"memory-128", MEMORY, 128, true},
    {"memory-192", MEMORY, 192, true},       {"memory-256", MEMORY, 256, true},
    {"memory-512", MEMORY, 512, true},       {"memory-1024", MEMORY, 1024, true},
    {"memory-2048", MEMORY, 2048, true},     {"memory-4096", MEMORY, 4096, true},
    {"memory-8192", MEMORY, 8192, true},     {0},
};

bool case_selected(const struct bench_case *c)
{
    return !options.cases || !fnmatch(options.cases, c->name, 0);
}

void fail(const char *text)
{
    fprintf(stderr, "slab-bench: %s\n", text);
    exit(1);
}

static unsigned long parse_number(const char *text, unsigned long least, unsigned long most,
                                  struct argp_state *state)
{
    char *end;
    errno = 0;
    unsigned long value = strtoul(text, &end, 0);
    if (errno || end == text || *end || *text == '-' || value < least || value > most)
        argp_error(state, "'%s' is not a number from %lu to %lu", text, least, most);
    return value;
}

enum { KEY_CHILD = 256 };

static error_t parse(int key, char *arg, struct argp_state *state)
{
    switch (key) {
    case 'c':
        options.cases = arg;
        return 0;
    case 's':
        options.subjects = arg;
        return 0;
    case 'r':
        options.rounds = (unsigned)parse_number(arg, 1, 101, state);
        return 0;
    case 'o':
        options.objects = parse_number(arg, 1, 100000000, state);
        return 0;
    case 'C':
        options.count = (long)parse_number(arg, 0, 1000000, state);
        return 0;
    case KEY_CHILD:
        options.child = arg;
        return 0;
    case 'l':
        options.list = true;
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static const struct argp_option argp_options[] = {
    {"case", 'c', "PATTERN", 0, "Only cases whose name matches, as the shell matches files", 1},
    {"subject", 's', "PATTERN", 0, "Only these of: quire, glibc, jemalloc, mimalloc, tcmalloc", 1},
    {"rounds", 'r', "N", 0, "Rounds of each case (9)", 1},
    {"objects", 'o', "N", 0, "Alive in the memory cases (1000000)", 1},
    {"list", 'l', NULL, 0, "Print the names of the cases, and end", 1},
    {"child", KEY_CHILD, "SUBJECT", 0, "Run one case here, for one subject", 2},
    {"count", 'C', "CHUNKS", 0, "With --child: so many, no times: for instructions.sh", 2},
    {0},
};

static const struct argp argp = {
    .options = argp_options,
    .parser = parse,
    .doc = "Example: slab-bench --case='cache-*' --rounds=21\n\n"
           "Prints what allocating and freeing objects costs, and what many of them take: rows of "
           "case, threads, subject, value and unit. quire's caches (cache-*) and kmalloc beside "
           "the malloc of glibc, and of jemalloc, mimalloc and tcmalloc where they are "
           "installed.\v"
           "Exit status: 0 done, 1 failed, 2 usage.",
};

static int list_cases(void)
{
    for (const struct bench_case *c = bench_cases; c->name; c++)
        if (case_selected(c))
            puts(c->name);
    return 0;
}

/* ld.so goes on without a library that it doesn't find. */
static bool preloaded(void)
{
    const char *library = getenv("LD_PRELOAD");
    char line[512];
    bool found = !library || !*library;
    FILE *maps = found ? NULL : fopen("/proc/self/maps", "r");
    while (maps && !found && fgets(line, sizeof line, maps))
        found = strstr(line, library);
    if (maps)
        fclose(maps);
    return found;
}

int main(int argc, char **argv)
{
    argp_err_exit_status = 2;
    argp_parse(&argp, argc, argv, 0, NULL, NULL);
    const struct bench_case *c = bench_cases;
    while (c->name && !case_selected(c))
        c++;
    if (!c->name) {
        fprintf(stderr, "slab-bench: no case has such a name; --list shows them\n");
        return 2;
    }
    if (options.list)
        return list_cases();
    if (!options.child)
        return run_driver("/proc/self/exe");
    if (!preloaded())
        return EXIT_ABSENT;
    run_child(c);
    return 0;
}
