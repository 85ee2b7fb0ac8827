/* tools/machine.c: a child process that is a machine
 *
 * The signals that matter are blocked and read like a file, so that there is no handler and no
 * race. The child dies with us, also when we are killed. Its output comes through us, because it
 * wouldn't say that a disk is full; what it says is read only when what came before is written, so
 * that a slow reader slows the machine and loses nothing.
 */
#define _GNU_SOURCE
#include "machine.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

struct machine {
    pid_t child;
    int signals;         /* signalfd */
    int console;         /* what it says; -1: it won't say more */
    char text[PIPE_BUF]; /* as much as a pipe that can be written to takes at once */
    size_t begin, end;   /* of `text`, what is still to be written */
    bool ended;
    int status; /* once it has ended */
};

/* Never returns; what goes wrong is written to `report`, which a successful exec closes. */
_Noreturn static void become(char **argv, int console, int report, pid_t parent,
                             const sigset_t *mask)
{
    int null = open("/dev/null", O_RDONLY);
    if (null >= 0 && dup2(null, STDIN_FILENO) >= 0 && dup2(console, STDOUT_FILENO) >= 0 &&
        !prctl(PR_SET_PDEATHSIG, SIGKILL) && getppid() == parent &&
        !sigprocmask(SIG_SETMASK, mask, NULL))
        execvp(argv[0], argv);
    int error = errno;
    if (write(report, &error, sizeof error) < 0)
        _exit(126);
    _exit(127);
}

/* The child's number, or -errno. Its stdout is `console`, which is closed here. */
static pid_t start(char **argv, int console, const sigset_t *mask)
{
    int report[2], error = 0;
    if (pipe2(report, O_CLOEXEC)) {
        error = errno;
        close(console);
        return -error;
    }
    pid_t parent = getpid(), child = fork();
    if (!child)
        become(argv, console, report[1], parent, mask);
    if (child < 0)
        error = errno;
    close(console);
    close(report[1]);
    bool failed = child > 0 && read(report[0], &error, sizeof error) == (ssize_t)sizeof error;
    close(report[0]);
    if (failed)
        waitpid(child, NULL, 0);
    return error ? -error : child;
}

/* ---- its output ------------------------------------------------------------------------------ */

static bool has_text(const struct machine *machine)
{
    return machine->begin < machine->end;
}

/* Waits up to `timeout` milliseconds (-1: for ever) until a signal came, or text can be read, or
 * what was read can be written; then does the latter. 0, or a failure to write as run_machine
 * returns it. */
static int relay(struct machine *machine, int timeout)
{
    bool writing = has_text(machine);
    struct pollfd ready[2] = {
        {.fd = machine->signals, .events = POLLIN},
        {.fd = writing ? STDOUT_FILENO : machine->console, .events = writing ? POLLOUT : POLLIN},
    };
    if (poll(ready, 2, timeout) <= 0 || !ready[1].revents)
        return 0;
    if (writing) {
        ssize_t done =
            write(STDOUT_FILENO, machine->text + machine->begin, machine->end - machine->begin);
        if (done < 0)
            return errno == EAGAIN || errno == EINTR ? 0 : MACHINE_UNHEARD + errno;
        machine->begin += (size_t)done;
        return 0;
    }
    ssize_t got = read(machine->console, machine->text, sizeof machine->text);
    machine->begin = 0;
    machine->end = got > 0 ? (size_t)got : 0;
    if (!got) {
        close(machine->console);
        machine->console = -1;
    }
    return 0;
}

/* Ends it, and passes on what it had said by then, unless that takes long. */
static int end(struct machine *machine, int how)
{
    if (!machine->ended) {
        kill(machine->child, SIGKILL);
        waitpid(machine->child, NULL, 0);
    }
    int patience = 100; /* for a reader that is slow, in turns of 10 ms */
    while (how < MACHINE_UNHEARD && (has_text(machine) || machine->console >= 0) && patience--) {
        size_t begin = machine->begin, stop = machine->end;
        int unheard = relay(machine, 10);
        how = unheard ? unheard : how;
        if (machine->begin != begin || machine->end != stop)
            patience = 100;
    }
    return how;
}

/* ---- its end --------------------------------------------------------------------------------- */

/* What is left until `deadline` in milliseconds, rounded up; 0: nothing. */
static int time_left(const struct timespec *deadline)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    long long left = (long long)(deadline->tv_sec - now.tv_sec) * 1000 +
                     (deadline->tv_nsec - now.tv_nsec + 999999) / 1000000;
    return left <= 0 ? 0 : left < INT_MAX ? (int)left : INT_MAX;
}

/* Takes note of its end; the number of another signal that came to us, or 0. Several of one kind
 * may have come as one. */
static int look_at_signals(struct machine *machine)
{
    struct signalfd_siginfo info;
    int status;
    if (read(machine->signals, &info, sizeof info) != (ssize_t)sizeof info)
        return 0;
    if (info.ssi_signo != SIGCHLD)
        return (int)info.ssi_signo;
    if (waitpid(machine->child, &status, WNOHANG) == machine->child) {
        machine->ended = true;
        machine->status =
            WIFSIGNALED(status) ? MACHINE_KILLED + WTERMSIG(status) : WEXITSTATUS(status);
    }
    return 0;
}

static int wait_for(struct machine *machine, unsigned timeout)
{
    struct timespec deadline;
    clock_gettime(CLOCK_MONOTONIC, &deadline);
    deadline.tv_sec += timeout;
    while (!machine->ended || machine->console >= 0 || has_text(machine)) {
        int left = timeout ? time_left(&deadline) : -1;
        if (!left)
            return end(machine, MACHINE_TIMEOUT);
        int unheard = relay(machine, left);
        if (unheard)
            return end(machine, unheard);
        int number = look_at_signals(machine);
        if (number)
            return end(machine, MACHINE_INTERRUPTED + number);
    }
    return machine->status;
}

/* With the signals blocked. */
static int run_blocked(char **argv, unsigned timeout, const sigset_t *signals,
                       const sigset_t *before)
{
    struct machine machine = {.child = -1};
    int console[2];
    if (fcntl(STDOUT_FILENO, F_GETFD) < 0)
        return MACHINE_UNHEARD + errno;
    machine.signals = signalfd(-1, signals, SFD_NONBLOCK | SFD_CLOEXEC);
    if (machine.signals < 0)
        return -errno;
    int result = -1;
    if (pipe2(console, O_CLOEXEC)) {
        result = -errno;
    } else {
        machine.console = console[0];
        machine.child = start(argv, console[1], before);
        result = machine.child < 0 ? machine.child : wait_for(&machine, timeout);
        if (machine.console >= 0)
            close(machine.console);
    }
    close(machine.signals);
    return result;
}

int run_machine(char **argv, unsigned timeout)
{
    sigset_t signals, before;
    sigemptyset(&signals);
    sigaddset(&signals, SIGCHLD);
    sigaddset(&signals, SIGINT);
    sigaddset(&signals, SIGTERM);
    sigaddset(&signals, SIGHUP);
    sigprocmask(SIG_BLOCK, &signals, &before);
    int result = run_blocked(argv, timeout, &signals, &before);
    sigprocmask(SIG_SETMASK, &before, NULL);
    return result;
}
