/* tests/preload/errors/main.c: runs each error in a process of its own, and tells what came of it
 *
 * On stdout a line each: GROUP.NAME, a tab, the outcome, a tab, the first line that was said.
 * Outcomes:
 *
 *   caught      the process was ended with a message
 *   aborted     it was ended by SIGABRT, without one
 *   crash       it was ended by another signal: the error was stopped, nobody says why
 *   corrupt     the heap goes on, wrong: two blocks overlap, or contents of one change
 *   hang        it had no end
 *   unnoticed   it went on and ended well
 *
 * Exit status: 0 done, 2 usage, or the library can't be preloaded.
 */
#include <argp.h>
#include <errno.h>
#include <malloc.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "errors.h"
#include "tests/preload/runner.h"

#define TIMEOUT_SECONDS 120u
#define EXIT_CORRUPT 3
#define EXIT_ABSENT 78

extern const struct error_group errors_double_free, errors_invalid_free, errors_overflow,
    errors_use_after_free, errors_mismatch, errors_library, errors_members, errors_places,
    errors_objects;

static const struct error_group *const groups[] = {
    &errors_double_free,    &errors_invalid_free, &errors_overflow,
    &errors_use_after_free, &errors_mismatch,     &errors_library,
    &errors_members,        &errors_places,       &errors_objects,
};
#define NR_GROUPS (sizeof groups / sizeof groups[0])

/* ---- the process that commits it ------------------------------------------------------------- */

char *block_among_others(size_t size)
{
    char *before = malloc(size), *block = malloc(size), *after = malloc(size);
    memset(hidden(before), 1, size);
    memset(hidden(block), 1, size);
    memset(hidden(after), 1, size);
    return block;
}

struct thread_call {
    void (*function)(char *);
    char *argument;
};

static void *call(void *arg)
{
    struct thread_call *call = arg;
    call->function(call->argument);
    return NULL;
}

void in_a_thread(void (*function)(char *), char *argument)
{
    struct thread_call what = {function, argument};
    pthread_t thread;
    if (!pthread_create(&thread, NULL, call, &what))
        pthread_join(thread, NULL);
}

/* Ends the process when blocks overlap or don't keep what was written. */
static void go_on_with(size_t size, unsigned count)
{
    static unsigned *block[300];
    for (unsigned i = 0; i < count; i++) {
        block[i] = malloc(size);
        if (!block[i])
            continue;
        memset(block[i], 0, size);
        *block[i] = i;
    }
    for (unsigned i = 0; i < count; i++)
        if (block[i] && *block[i] != i)
            _exit(EXIT_CORRUPT);
    for (unsigned i = 0; i < count; i++)
        free(block[i]);
}

static void go_on(void)
{
    static const size_t sizes[] = {SMALL, 32, 64, 100, 1000, MIDDLE, 5000, PAGES};
    for (unsigned round = 0; round < 3; round++)
        for (unsigned i = 0; i < sizeof sizes / sizeof sizes[0]; i++)
            go_on_with(sizes[i], 300);
    go_on_with(LARGE, 8);
}

static int commit(const char *name)
{
    if (!strcmp(name, "preloaded"))
        return preload_is_loaded() ? 0 : EXIT_ABSENT;
    for (unsigned i = 0; i < NR_GROUPS; i++) {
        size_t length = strlen(groups[i]->name);
        if (strncmp(name, groups[i]->name, length) || name[length] != '.')
            continue;
        for (const struct heap_error *error = groups[i]->errors; error->name; error++)
            if (!strcmp(name + length + 1, error->name)) {
                error->commit();
                go_on();
                return 0;
            }
    }
    return 2;
}

/* ---- the driver ------------------------------------------------------------------------------ */

static struct {
    const char *preload, *filter;
    bool list;
} options;

static const char *outcome(const struct run *run)
{
    if (run->timed_out)
        return "hang";
    if (WIFEXITED(run->status) && WEXITSTATUS(run->status) == EXIT_CORRUPT)
        return "corrupt";
    if (WIFEXITED(run->status) && !WEXITSTATUS(run->status) && !run->length)
        return "unnoticed";
    if (WIFEXITED(run->status) && !WEXITSTATUS(run->status))
        return "reported";
    if (run->length)
        return "caught";
    if (WIFSIGNALED(run->status) && WTERMSIG(run->status) != SIGABRT)
        return "crash";
    return "aborted";
}

static void run_name(struct run *run, const char *name)
{
    char argument[256];
    char *argv[] = {"/proc/self/exe", argument, NULL};
    snprintf(argument, sizeof argument, "--commit=%s", name);
    run_process(run, argv, options.preload, TIMEOUT_SECONDS);
}

static unsigned run_group(const struct error_group *group)
{
    static struct run run;
    unsigned count = 0;
    for (const struct heap_error *error = group->errors; error->name; error++) {
        char name[200];
        snprintf(name, sizeof name, "%s.%s", group->name, error->name);
        if (options.filter && !strstr(name, options.filter))
            continue;
        count++;
        if (options.list) {
            puts(name);
            continue;
        }
        run_name(&run, name);
        run.output[strcspn(run.output, "\n")] = '\0';
        printf("%s\t%s\t%s\n", name, outcome(&run), run.output);
        fflush(stdout);
    }
    return count;
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
    case 'l':
        options.list = true;
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static const struct argp_option argp_options[] = {
    {"preload", 'p', "SO", 0, "Commit the errors with this library preloaded", 0},
    {"filter", 'f', "TEXT", 0, "Only errors whose name, group.error, contains TEXT", 0},
    {"list", 'l', NULL, 0, "Print the names of the errors, and end", 0},
    {0},
};
static const struct argp argp = {
    .options = argp_options,
    .parser = parse,
    .doc = "Example: quire-heap-errors --preload=libjemalloc.so.2 --filter=double_free\n\n"
           "Commits errors of the heap, each in a process of its own, and prints what came of it: "
           "caught, aborted, crash, corrupt, hang, reported (and it went on), unnoticed.\v"
           "Exit status: 0 done, 2 usage, or the library can't be preloaded.",
};

int main(int argc, char **argv)
{
    static struct run run;
    unsigned count = 0;
    if (argc == 2 && !strncmp(argv[1], "--commit=", 9))
        return commit(argv[1] + 9);
    argp_err_exit_status = 2;
    argp_parse(&argp, argc, argv, 0, NULL, NULL);
    run_name(&run, "preloaded");
    if (!options.list && (!WIFEXITED(run.status) || WEXITSTATUS(run.status))) {
        fprintf(stderr, "%sa program can't run with %s preloaded\n", run.output, options.preload);
        return 2;
    }
    for (unsigned i = 0; i < NR_GROUPS; i++)
        count += run_group(groups[i]);
    return count ? 0 : 2;
}
