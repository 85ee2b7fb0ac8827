/* tests/preload/conformance/main.c: runs the cases of a conformance program, and prints TAP
 *
 * Exit status: 0 all passed, 1 some failed, 2 usage, or the library can't be preloaded.
 */
#include <argp.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "conformance.h"
#include "tests/preload/runner.h"

#define TIMEOUT_SECONDS 400u
#define EXIT_SKIPPED 77
#define EXIT_ABSENT 78 /* the library isn't in the process */

static bool failed; /* of the running case */

/* Straight to the descriptor: stdio allocates. */
static void say(const char *format, va_list arguments)
{
    char line[512];
    int length = vsnprintf(line, sizeof line - 1, format, arguments);
    size_t size = length < (int)sizeof line - 1 ? (size_t)length : sizeof line - 2;
    line[size++] = '\n';
    if (write(STDOUT_FILENO, line, size) < 0)
        _exit(1);
}

void note(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    say(format, arguments);
    va_end(arguments);
}

void check_failed(const char *file, int line, const char *text)
{
    __atomic_store_n(&failed, true, __ATOMIC_RELAXED);
    note("%s:%d: %s", file, line, text);
}

void check_failed_eq(const char *file, int line, const char *text, uint64_t got, uint64_t expected)
{
    __atomic_store_n(&failed, true, __ATOMIC_RELAXED);
    note("%s:%d: %s: %llu, not %llu", file, line, text, (unsigned long long)got,
         (unsigned long long)expected);
}

void end_case(void)
{
    _exit(__atomic_load_n(&failed, __ATOMIC_RELAXED));
}

void skip(const char *why)
{
    note("skip: %s", why);
    _exit(EXIT_SKIPPED);
}

/* ---- the process of a case ------------------------------------------------------------------- */

static int run_here(const char *name)
{
    if (!strcmp(name, "preloaded"))
        return preload_is_loaded() ? 0 : EXIT_ABSENT;
    for (unsigned i = 0; conformance_groups[i]; i++) {
        const struct conformance_group *group = conformance_groups[i];
        size_t length = strlen(group->name);
        if (strncmp(name, group->name, length) || name[length] != '.')
            continue;
        for (const struct conformance_case *c = group->cases; c->name; c++)
            if (!strcmp(name + length + 1, c->name)) {
                c->run();
                return failed;
            }
    }
    return 2;
}

/* ---- the driver ------------------------------------------------------------------------------ */

static struct {
    const char *preload, *filter, *prefix;
    bool beyond, list;
} options = {.prefix = ""};

static unsigned nr_run, nr_failed;

static void run_name(struct run *run, const char *name)
{
    char argument[256];
    char *argv[] = {"/proc/self/exe", argument, NULL};
    snprintf(argument, sizeof argument, "--run=%s", name);
    run_process(run, argv, options.preload, TIMEOUT_SECONDS);
}

static void run_case(const struct conformance_case *c, const char *name)
{
    static struct run run;
    char how[128];
    nr_run++;
    if (c->beyond && !options.beyond) {
        printf("ok %u - %s%s # SKIP beyond glibc: %s\n", nr_run, options.prefix, name, c->beyond);
        return;
    }
    run_name(&run, name);
    char *why = strstr(run.output, "skip: ");
    if (!run.timed_out && WIFEXITED(run.status) && WEXITSTATUS(run.status) == EXIT_SKIPPED && why) {
        why[strcspn(why, "\n")] = '\0';
        printf("ok %u - %s%s # SKIP %s\n", nr_run, options.prefix, name, why + strlen("skip: "));
        return;
    }
    print_as_comment(run.output);
    if (!run.timed_out && WIFEXITED(run.status) && !WEXITSTATUS(run.status)) {
        printf("ok %u - %s%s\n", nr_run, options.prefix, name);
        return;
    }
    run_describe(&run, TIMEOUT_SECONDS, how, sizeof how);
    printf("# ended with %s; again: %s%s%s --filter=%s\nnot ok %u - %s%s\n", how,
           program_invocation_name, options.preload ? " --preload=" : "",
           options.preload ? options.preload : "", name, nr_run, options.prefix, name);
    nr_failed++;
}

static int run_all(void)
{
    for (unsigned i = 0; conformance_groups[i]; i++)
        for (const struct conformance_case *c = conformance_groups[i]->cases; c->name; c++) {
            char name[200];
            snprintf(name, sizeof name, "%s.%s", conformance_groups[i]->name, c->name);
            if (c->inner || (options.filter && !strstr(name, options.filter)))
                continue;
            if (options.list)
                printf("%s\n", name);
            else
                run_case(c, name);
            nr_run += options.list;
            fflush(stdout);
        }
    if (!nr_run) {
        fprintf(stderr, "%s: no case has this name; --list shows them\n", program_invocation_name);
        return 2;
    }
    if (!options.list)
        printf("1..%u\n", nr_run);
    return nr_failed != 0;
}

static error_t parse(int key, char *arg, struct argp_state *state)
{
    (void)state;
    switch (key) {
    case 'p':
        options.preload = *arg ? arg : NULL;
        return 0;
    case 'f':
        options.filter = arg;
        return 0;
    case 'n':
        options.prefix = arg;
        return 0;
    case 'b':
        options.beyond = true;
        return 0;
    case 'l':
        options.list = true;
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static const struct argp_option argp_options[] = {
    {"preload", 'p', "SO", 0, "Run the cases with this library preloaded", 0},
    {"filter", 'f', "TEXT", 0, "Only cases whose name, group.case, contains TEXT", 0},
    {"prefix", 'n', "TEXT", 0, "Printed before each name", 0},
    {"beyond", 'b', NULL, 0, "Also cases that ask for more than glibc promises", 0},
    {"list", 'l', NULL, 0, "Print the names of the cases, and end", 0},
    {0},
};
static const struct argp argp = {
    .options = argp_options,
    .parser = parse,
    .doc = "Example: quire-conformance --preload=libjemalloc.so.2 --filter=figures\n\n"
           "Compares an allocator with what glibc 2.36 documents of malloc's family, each case in "
           "a process of its own; prints TAP.\v"
           "Exit status: 0 all passed, 1 some failed, 2 usage, or the library can't be preloaded.",
};

int main(int argc, char **argv)
{
    static struct run run;
    if (argc == 2 && !strncmp(argv[1], "--run=", 6))
        return run_here(argv[1] + 6);
    argp_err_exit_status = 2;
    argp_parse(&argp, argc, argv, 0, NULL, NULL);
    if (!options.list) {
        run_name(&run, "preloaded");
        if (!WIFEXITED(run.status) || WEXITSTATUS(run.status)) {
            char how[128];
            run_describe(&run, TIMEOUT_SECONDS, how, sizeof how);
            printf("%sBail out! a program can't run with %s preloaded: %s\n", run.output,
                   options.preload, how);
            return 2;
        }
    }
    return run_all();
}
