/* tests/harness/host.c: runs the suites in a process, on the posix port
 *
 * Exit status: 0 all passed, 1 some failed, 2 usage.
 */
#define _GNU_SOURCE
#include <argp.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <quire/port.h>

#include "tests/harness/harness.h"

static void write_stdout(const char *text, size_t length)
{
    fwrite(text, 1, length, stdout);
    fflush(stdout); /* what was said before a crash is seen */
}

/* One machine's memory at a time: the previous one is unmapped, so that what still points into it
 * faults. */
static bool memory(uint64_t size, struct quire_port_mem *pm)
{
    static struct quire_port_mem given;
    static uint64_t given_size;
    if (given_size)
        quire_posix_mem_destroy(&given, given_size);
    given_size = 0;
    if (quire_posix_mem_create(&given, size))
        return false;
    given_size = size;
    *pm = given;
    return true;
}

struct test_environment test_environment = {
    .write = write_stdout,
    .memory = memory,
    .set_cpu = quire_posix_set_cpu,
    .set_log = quire_posix_set_log,
    .set_grace = quire_posix_set_grace,
    .seed = 1,
    .effort = 1000000,
};

static void panic(const char *text)
{
    test_bail_out(text);
    abort();
}

/* Names the case that crashed. Not safe in a signal handler by the book, but the process is about
 * to end anyway. */
static void crash(int number)
{
    signal(number, SIG_DFL);
    test_bail_out(strsignal(number));
    raise(number);
}

/* A sanitizer has its own handlers, which say more. */
static void catch_crashes(void)
{
    static const int numbers[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL};
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) {
        struct sigaction action;
        if (!sigaction(numbers[i], NULL, &action) && action.sa_handler == SIG_DFL)
            signal(numbers[i], crash);
    }
}

struct options {
    const char *filter, *suite;
    bool list;
};

static uint64_t parse_number(const char *text, const char *what, struct argp_state *state)
{
    char *end;
    errno = 0;
    uint64_t value = strtoull(text, &end, 0);
    if (errno || end == text || *end || *text == '-')
        argp_error(state, "%s is a number, not '%s'", what, text);
    return value;
}

static error_t parse(int key, char *arg, struct argp_state *state)
{
    struct options *options = state->input;
    switch (key) {
    case 's':
        test_environment.seed = parse_number(arg, "--seed", state);
        return 0;
    case 'e':
        test_environment.effort = parse_number(arg, "--effort", state);
        return 0;
    case 'u':
        options->suite = arg;
        return 0;
    case 'l':
        options->list = true;
        return 0;
    case ARGP_KEY_ARG:
        if (state->arg_num)
            argp_error(state, "one filter, please");
        options->filter = arg;
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static const struct argp_option argp_options[] = {
    {"seed", 's', "N", 0, "Base of the random numbers (default 1)", 0},
    {"effort", 'e', "N", 0, "Operations of a random run (default 1000000)", 0},
    {"suite", 'u', "NAME", 0, "Only this suite", 0},
    {"list", 'l', NULL, 0, "Print the names of the cases and end", 0},
    {0},
};
static const struct argp argp = {
    .options = argp_options,
    .parser = parse,
    .args_doc = "[FILTER]",
    .doc = "Runs the test cases whose name, suite.case, contains FILTER, and prints TAP.\v"
           "Exit status: 0 all passed, 1 some failed, 2 usage.",
};

/* Prints, if asked to, and counts the cases that FILTER leaves. */
static unsigned select_cases(const struct test_suite *const *suites, const struct options *options)
{
    unsigned count = 0;
    for (; *suites; suites++)
        for (const struct test_case *test = (*suites)->cases; test->name; test++) {
            char name[256];
            snprintf(name, sizeof name, "%s.%s", (*suites)->name, test->name);
            if (options->filter && !strstr(name, options->filter))
                continue;
            if (options->list)
                puts(name);
            count++;
        }
    return count;
}

int main(int argc, char **argv)
{
    struct options options = {0};
    argp_err_exit_status = 2;
    argp_parse(&argp, argc, argv, 0, NULL, &options);
    test_environment.rerun = argv[0];
    quire_posix_set_panic(panic);
    catch_crashes();

    const struct test_suite *one[2] = {NULL, NULL};
    const struct test_suite *const *suites = test_suites;
    if (options.suite) {
        for (; *suites && strcmp((*suites)->name, options.suite); suites++)
            ;
        one[0] = *suites;
        suites = one;
    }
    if (!select_cases(suites, &options)) {
        fprintf(stderr, "%s: no case has this name; --list shows them\n", argv[0]);
        return 2;
    }
    return options.list ? 0 : test_run(suites, options.filter).failed != 0;
}
