/* bench/heap/main.c: heap-bench, what allocators cost in time and memory
 *
 * Rows of `case threads allocator value unit` on stdout. Exit status: 0 done, 1 failed, 2 usage.
 */
#include <argp.h>
#include <errno.h>
#include <fnmatch.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench.h"

#define EXIT_ABSENT 3

struct options options = {.rounds = 3,
                          .scale = 1,
                          .count = -1,
                          .quire = "build/release/malloc/libquire-malloc.so",
                          .workloads = "bench/heap/workloads"};
static const char *child;

static const struct heap_case *const lists[] = {micro_cases, thread_cases, server_cases, pool_cases,
                                                real_cases};

bool case_selected(const struct heap_case *c)
{
    return !options.cases || !fnmatch(options.cases, c->name, 0);
}

void for_each_selected(void (*call)(const struct heap_case *c))
{
    for (unsigned i = 0; i < sizeof lists / sizeof lists[0]; i++)
        for (const struct heap_case *c = lists[i]; c->name; c++)
            if (case_selected(c))
                call(c);
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

enum { KEY_CHILD = 256, KEY_COUNT, KEY_FULL, KEY_QUIRE, KEY_WORKLOADS };

static error_t parse(int key, char *arg, struct argp_state *state)
{
    switch (key) {
    case 'c':
        options.cases = arg;
        return 0;
    case 'a':
        options.allocators = arg;
        return 0;
    case 'r':
        options.rounds = (unsigned)parse_number(arg, 1, MAX_ROUNDS, state);
        return 0;
    case KEY_FULL:
        options.rounds = 11;
        options.scale = 5;
        return 0;
    case KEY_QUIRE:
        options.quire = arg;
        return 0;
    case KEY_WORKLOADS:
        options.workloads = arg;
        return 0;
    case KEY_CHILD:
        child = arg;
        return 0;
    case KEY_COUNT:
        options.count = (long)parse_number(arg, 0, 100000000, state);
        return 0;
    case 'S':
        options.scale = parse_number(arg, 1, 100, state);
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
    {"allocator", 'a', "PATTERN", 0,
     "Only these of: glibc, quire, jemalloc, mimalloc, tcmalloc; quire-pool, apr, talloc for pools",
     1},
    {"rounds", 'r', "N", 0, "Rounds of each case (3)", 1},
    {"full", KEY_FULL, NULL, 0, "Eleven rounds of five times as many operations", 1},
    {"quire", KEY_QUIRE, "SO", 0, "Quire's library (build/release/malloc/libquire-malloc.so)", 1},
    {"workloads", KEY_WORKLOADS, "FOLDER", 0, "Of real programs (bench/heap/workloads)", 1},
    {"list", 'l', NULL, 0, "Print the names of the cases, and end", 1},
    {"child", KEY_CHILD, "ALLOCATOR", 0, "Run one case here", 2},
    {"scale", 'S', "N", 0, "With --child: operations, relative to a short run", 2},
    {"count", KEY_COUNT, "N", 0, "With --child: pairs of a hot case, no times: for instructions.sh",
     2},
    {0},
};

static const struct argp argp = {
    .options = argp_options,
    .parser = parse,
    .doc = "Example: heap-bench --case='request-*' --allocator='[gq]*' --rounds=9\n\n"
           "Prints what allocating and freeing costs, in small loops and in real programs, beside "
           "the allocators that are installed: rows of case, threads, allocator, value and unit, "
           "then ratios to glibc (x-glibc: smaller is better) and their geometric means.\v"
           "Exit status: 0 done, 1 failed, 2 usage.",
};

static void print_name(const struct heap_case *c)
{
    puts(c->name);
}

const struct heap_case *running;

static void choose(const struct heap_case *c)
{
    if (!running && c->run)
        running = c;
}

/* Not measured, so not among the cases: what instructions.sh takes off. */
static bool is_loop_alone(void)
{
    return options.count >= 0 && options.cases && !strcmp(options.cases, loop_case.name);
}

static bool is_mapped(const char *file)
{
    char line[512];
    bool found = false;
    FILE *maps = fopen("/proc/self/maps", "r");
    while (maps && !found && fgets(line, sizeof line, maps))
        found = strstr(line, file);
    if (maps)
        fclose(maps);
    return found;
}

/* ld.so goes on without a library that it doesn't find. Valgrind puts its own before ours. */
static bool preloaded(void)
{
    static char list[4096];
    const char *libraries = getenv("LD_PRELOAD");
    snprintf(list, sizeof list, "%s", libraries ? libraries : "");
    for (char *path = strtok(list, ": "); path; path = strtok(NULL, ": ")) {
        const char *slash = strrchr(path, '/');
        if (!is_mapped(slash ? slash + 1 : path))
            return false;
    }
    return true;
}

static unsigned nr_selected;

static void count_selected(const struct heap_case *c)
{
    nr_selected += c->name != NULL;
}

int main(int argc, char **argv)
{
    argp_err_exit_status = 2;
    argp_parse(&argp, argc, argv, 0, NULL, NULL);
    for_each_selected(count_selected);
    if (!nr_selected && !is_loop_alone()) {
        fprintf(stderr, "heap-bench: no case has such a name; --list shows them\n");
        return 2;
    }
    if (options.list) {
        for_each_selected(print_name);
        return 0;
    }
    if (!child)
        return run_driver("/proc/self/exe");
    if (!preloaded())
        return EXIT_ABSENT;
    for_each_selected(choose);
    if (is_loop_alone())
        running = &loop_case;
    if (!running)
        return 2;
    running->run();
    return 0;
}
