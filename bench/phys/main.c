/* bench/phys/main.c: phys-bench, what page allocators cost
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

struct options options = {
    .bytes = 1ull << 30,
    .rounds = 9,
    .count = -1,
    .seed = 1,
    .operations = 10000000,
};

static uint64_t parse_number(const char *text, uint64_t least, uint64_t most,
                             struct argp_state *state)
{
    char *end;
    errno = 0;
    uint64_t value = strtoull(text, &end, 0);
    if (errno || end == text || *end || *text == '-' || value < least || value > most)
        argp_error(state, "'%s' is not a number from %llu to %llu", text, (unsigned long long)least,
                   (unsigned long long)most);
    return value;
}

/* A size with K, M or G behind it. */
static uint64_t parse_size(const char *text, struct argp_state *state)
{
    char *end;
    errno = 0;
    uint64_t value = strtoull(text, &end, 0);
    unsigned shift = *end == 'K' ? 10 : *end == 'M' ? 20 : *end == 'G' ? 30 : 0;
    if (errno || end == text || *text == '-' || (*end && (!shift || end[1])) ||
        value > (64ull << 30) >> shift || value << shift < 32 << 20)
        argp_error(state, "'%s' is not a size from 32M to 64G", text);
    return value << shift;
}

enum { KEY_MOVABLE = 256, KEY_CPUS, KEY_OPERATIONS };

static error_t parse(int key, char *arg, struct argp_state *state)
{
    switch (key) {
    case 'c':
        options.cases = arg;
        return 0;
    case 's':
        options.subjects = arg;
        return 0;
    case 't':
        options.threads = (unsigned)parse_number(arg, 1, MAX_THREADS, state);
        return 0;
    case 'm':
        options.bytes = parse_size(arg, state);
        return 0;
    case 'r':
        options.rounds = (unsigned)parse_number(arg, 1, 1000, state);
        return 0;
    case 'C':
        options.count = (long)parse_number(arg, 0, 1000000, state);
        return 0;
    case 'f':
        options.fragmentation = true;
        return 0;
    case 'l':
        options.list = true;
        return 0;
    case 'S':
        options.seed = parse_number(arg, 1, UINT64_MAX, state);
        return 0;
    case KEY_MOVABLE:
        options.movable = true;
        return 0;
    case KEY_CPUS:
        options.cpus = (unsigned)parse_number(arg, 1, 512, state);
        return 0;
    case KEY_OPERATIONS:
        options.operations = parse_number(arg, 1, UINT64_MAX, state);
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static const struct argp_option argp_options[] = {
    {"case", 'c', "PATTERN", 0, "Only cases whose name matches, as the shell matches files", 1},
    {"subject", 's', "PATTERN", 0, "Only these of: quire, stack, buddy", 1},
    {"threads", 't', "N", 0, "Only with 1 thread, or only with 2", 1},
    {"mem", 'm', "SIZE", 0, "Simulated memory (1G)", 1},
    {"rounds", 'r', "N", 0, "Rounds of each case (9)", 1},
    {"list", 'l', NULL, 0, "Print the names of the cases, and end", 1},
    {"movable", KEY_MOVABLE, NULL, 0, "Quire: movable allocations, not the kernel's own", 1},
    {"cpus", KEY_CPUS, "N", 0, "Quire: CPUs of the simulated machine (what the port says)", 1},
    {"seed", 'S', "N", 0, "Of shuffling and aging (1)", 1},
    {"fragmentation", 'f', NULL, 0, "How many huge blocks are left in aged memory", 2},
    {"operations", KEY_OPERATIONS, "N", 0, "Of aging (10000000)", 2},
    {"count", 'C', "CYCLES", 0, "One thread, no times: for instructions.sh", 2},
    {0},
};

static const struct argp argp = {
    .options = argp_options,
    .parser = parse,
    .doc = "Example: phys-bench --case='order-0-*' --threads=1\n\n"
           "Prints what allocating and freeing page frames costs: rows of case, threads, subject, "
           "value and unit. Subjects: quire; stack, a bare stack of frame numbers for each "
           "thread; buddy, free lists by order and one lock.\v"
           "Exit status: 0 done, 1 failed, 2 usage.",
};

static void list_cases(void)
{
    for (const struct bench_case *c = bench_cases; c->name; c++)
        if (case_selected(c))
            puts(c->name);
    if (!options.cases || !fnmatch(options.cases, "metadata", 0))
        puts("metadata");
}

static bool something_selected(void)
{
    bool any = options.cases && !fnmatch(options.cases, "metadata", 0), subject = false;
    for (const struct bench_case *c = bench_cases; c->name; c++)
        any |= case_selected(c);
    for (unsigned i = 0; subjects[i]; i++)
        subject |= subject_selected(subjects[i]);
    return any && subject;
}

int main(int argc, char **argv)
{
    argp_err_exit_status = 2;
    argp_parse(&argp, argc, argv, 0, NULL, NULL);
    if (!something_selected()) {
        fprintf(stderr, "phys-bench: no case or no subject has such a name; --list shows them\n");
        return 2;
    }
    if (options.list)
        list_cases();
    else if (options.count >= 0)
        run_count();
    else if (options.fragmentation)
        run_fragmentation();
    else
        run_cases();
    return 0;
}
