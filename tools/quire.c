/* tools/quire.c: the command: finds the subcommand and hands over to it
 *
 * stdout is data, stderr is talk. Exit status: 0 done, 1 failed, 2 usage; higher ones belong to a
 * subcommand, whose --help explains them.
 */
#include "quire.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char examples[] =
    "Examples:\n"
    "  quire boot              boot the machine and look at its memory\n"
    "  quire boot -- ls -l /   run a program of this host on it\n"
    "  quire boot --demo       see the page allocator at work\n"
    "  quire boot --selftest   run the tests inside the machine\n"
    "  quire run -- sort big   run it here, and tell what became of its memory\n"
    "  quire translate --mode i386 0x08147258\n"
    "                          see how an address is split\n"
    "  quire replay --model --mem 1M..64M TRACE\n"
    "                          see how much memory a program needs\n"
    "  quire report run.events draw what happened to memory\n\n";

static const struct command {
    const char *name;
    int (*run)(int argc, char **argv);
} commands[] = {
    {"boot", command_boot},     {"events", command_events},       {"heap", command_heap},
    {"replay", command_replay}, {"report", command_report},       {"run", command_run},
    {"trace", command_trace},   {"translate", command_translate},
};
#define NR_COMMANDS (sizeof commands / sizeof commands[0])

static const struct argp_option options[] = {COMMON_OPTIONS, {0}};

static const struct argp argp;

static error_t parse(int key, char *arg, struct argp_state *state)
{
    int *status = state->input;
    switch (key) {
    case ARGP_KEY_ARG:
        for (size_t i = 0; i < NR_COMMANDS; i++)
            if (!strcmp(arg, commands[i].name)) {
                *status =
                    commands[i].run(state->argc - state->next + 1, &state->argv[state->next - 1]);
                state->next = state->argc;
                return 0;
            }
        argp_error(state, "there is no command '%s'", arg);
        return EINVAL;
    case ARGP_KEY_NO_ARGS:
        argp_error(state, "which command?");
        return EINVAL;
    default:
        return parse_common(key, &argp, "quire", examples);
    }
}

static const struct argp argp = {
    .options = options,
    .parser = parse,
    .args_doc = "COMMAND [OPTION...]",
    .doc = "What memory does: on a machine that Quire manages.\v"
           "Commands:\n"
           "  boot       boot a machine whose memory Quire manages, in QEMU; run programs there\n"
           "  events     show what happened to memory there, one by one\n"
           "  heap       show what the heap of a running program holds\n"
           "  replay     run a trace of memory references in memories of given sizes\n"
           "  report     draw what happened to memory, as a page for a browser\n"
           "  run        run a program of this host with Quire's heap, and tell what became of "
           "memory\n"
           "  trace      convert such traces, and look at them\n"
           "  translate  show where an address goes, step by step\n"
           "\n"
           "`quire COMMAND --help` tells more about each.",
};

void complain(const char *format, ...)
{
    va_list list;
    fputs("quire: ", stderr);
    va_start(list, format);
    vfprintf(stderr, format, list);
    va_end(list);
    fputc('\n', stderr);
}

int all_written(void)
{
    if (!fflush(stdout) && !ferror(stdout))
        return EXIT_DONE;
    complain("the output can't be written: %s", strerror(errno));
    return EXIT_FAILED;
}

error_t parse_common(int key, const struct argp *of, const char *name, const char *with)
{
    char copy[64];
    snprintf(copy, sizeof copy, "%s", name);
    switch (key) {
    case 'h':
        fputs(with, stdout);
        argp_help(of, stdout, ARGP_HELP_STD_USAGE | ARGP_HELP_LONG | ARGP_HELP_DOC, copy);
        exit(all_written());
    case OPTION_USAGE:
        argp_help(of, stdout, ARGP_HELP_USAGE, copy);
        exit(all_written());
    case 'V':
        puts("quire " QUIRE_VERSION);
        exit(all_written());
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

bool stdin_was_closed;

/* What we open must not get the number of a standard stream that we were started without. Output
 * that nobody took still can't be written; errors and input are like /dev/null's. */
static bool open_missing_streams(void)
{
    static const int how[] = {O_RDONLY, O_RDONLY, O_RDWR};
    for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++)
        if (fcntl(fd, F_GETFD) < 0 && open("/dev/null", how[fd]) != fd)
            return false;
    return true;
}

int main(int argc, char **argv)
{
    int status = EXIT_USAGE;
    stdin_was_closed = fcntl(STDIN_FILENO, F_GETFD) < 0;
    if (!open_missing_streams())
        return EXIT_FAILED;
    argp_err_exit_status = EXIT_USAGE;
    argp_parse(&argp, argc, argv, ARGP_IN_ORDER | ARGP_NO_HELP, NULL, &status);
    return status;
}
