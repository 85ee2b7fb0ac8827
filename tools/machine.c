/* tools/machine.c: a child process that is a machine
 *
 * The signals that matter are blocked and read like a file, so that there is no handler and no
 * race. The child dies with us, also when we are killed. What it says comes through us (flow.h),
 * because it wouldn't say that a disk is full, and so that a slow reader slows the machine and
 * loses nothing. SIGPIPE is blocked as well: it comes when all is put away, and means the same
 * then.
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

#include "flow.h"

#define BEYOND_GIVEN 64 /* a descriptor's number that no given one has */

struct machine {
    const struct machine_run *run;
    pid_t child;
    int signals; /* signalfd; -1: we don't look any more */
    bool has_terminal;
    bool ended;
    int status; /* once it has ended */
};

/* ---- the child ------------------------------------------------------------------------------- */

/* Gives it its descriptors, as their numbers want it; those of now may be in their way. */
static bool give(const struct machine_run *run)
{
    int high[MACHINE_MOST_GIVEN];
    for (size_t i = 0; i < run->nr_given; i++)
        if ((high[i] = fcntl(run->given[i], F_DUPFD_CLOEXEC, BEYOND_GIVEN)) < 0)
            return false;
    for (size_t i = 0; i < run->nr_given; i++)
        if (dup2(high[i], MACHINE_FIRST_GIVEN + (int)i) < 0)
            return false;
    return true;
}

/* Never returns; what goes wrong is written to `report`, which a successful exec closes. */
_Noreturn static void become(const struct machine_run *run, int report, pid_t parent,
                             const sigset_t *mask)
{
    int out = run->out < 0 ? STDERR_FILENO : run->out;
    int null = open("/dev/null", O_RDONLY);
    signal(SIGTTOU, SIG_IGN); /* in a group of its own it may still complain on the terminal */
    int kept = fcntl(report, F_DUPFD_CLOEXEC, BEYOND_GIVEN + MACHINE_MOST_GIVEN);
    if (kept >= 0 && null >= 0 && dup2(null, STDIN_FILENO) >= 0 && dup2(out, STDOUT_FILENO) >= 0 &&
        give(run) && !setpgid(0, 0) && !prctl(PR_SET_PDEATHSIG, SIGKILL) && getppid() == parent &&
        !sigprocmask(SIG_SETMASK, mask, NULL))
        execvp(run->argv[0], run->argv);
    int error = errno;
    if (write(kept < 0 ? report : kept, &error, sizeof error) < 0)
        _exit(126);
    _exit(127);
}

static void close_its_own(const struct machine_run *run)
{
    if (run->out >= 0)
        close(run->out);
    for (size_t i = 0; i < run->nr_given; i++)
        close(run->given[i]);
}

/* The child's number, or -errno. Closes what only it uses. */
static pid_t start(const struct machine_run *run, const sigset_t *mask)
{
    int report[2], error = 0;
    if (pipe2(report, O_CLOEXEC)) {
        error = errno;
        close_its_own(run);
        return -error;
    }
    pid_t parent = getpid(), child = fork();
    if (!child)
        become(run, report[1], parent, mask);
    if (child < 0)
        error = errno;
    close_its_own(run);
    close(report[1]);
    bool failed = child > 0 && read(report[0], &error, sizeof error) == (ssize_t)sizeof error;
    close(report[0]);
    if (failed)
        waitpid(child, NULL, 0);
    return error ? -error : child;
}

/* ---- what flows ------------------------------------------------------------------------------ */

/* Somebody waits for what comes of it. */
static bool is_open(const struct machine *machine)
{
    for (size_t i = 0; i < machine->run->nr_flows; i++)
        if (machine->run->flows[i].from_machine && !flow_is_done(&machine->run->flows[i]))
            return true;
    return false;
}

/* Waits up to `timeout` milliseconds (-1: for ever) until a signal came or something can move,
 * which is then done; *moved tells. 0, or a failure to write as machine_run returns it. */
static int relay(struct machine *machine, int timeout, bool *moved)
{
    const struct machine_run *run = machine->run;
    struct pollfd ready[MACHINE_MOST_FLOWS + 1];
    for (size_t i = 0; i < run->nr_flows; i++)
        flow_wants(&run->flows[i], &ready[i]);
    ready[run->nr_flows] = (struct pollfd){.fd = machine->signals, .events = POLLIN};
    if (poll(ready, run->nr_flows + 1, timeout) <= 0)
        return 0;
    for (size_t i = 0; i < run->nr_flows; i++) {
        if (ready[i].fd < 0 || !ready[i].revents)
            continue;
        *moved = true;
        int error = flow_move(&run->flows[i]);
        if (error)
            return (run->flows[i].to_file ? MACHINE_UNKEPT : MACHINE_UNHEARD) + error;
    }
    return 0;
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

static void hand_terminal(struct machine *machine, bool has)
{
    if (machine->run->terminal && machine->has_terminal != has)
        machine->run->terminal(has);
    machine->has_terminal = has;
}

/* As the terminal's ^Z does it: not at all where nobody would continue us. */
static void suspend(struct machine *machine)
{
    bool had = machine->has_terminal;
    sigset_t stop;
    hand_terminal(machine, false);
    if (!machine->ended) /* then its number may be another's */
        kill(machine->child, SIGSTOP);
    sigemptyset(&stop);
    sigaddset(&stop, SIGTSTP);
    raise(SIGTSTP);
    sigprocmask(SIG_UNBLOCK, &stop, NULL);
    sigprocmask(SIG_BLOCK, &stop, NULL);
    hand_terminal(machine, had); /* in the background we stop here, and it stays so, too */
    if (!machine->ended)
        kill(machine->child, SIGCONT);
    if (machine->run->signalled)
        machine->run->signalled(machine->run->arg, SIGCONT);
}

/* Takes note of its end; the number of another signal that came to us and is to end it, or 0.
 * Several of one kind may have come as one. */
static int look_at_signals(struct machine *machine)
{
    struct signalfd_siginfo info;
    int status;
    if (read(machine->signals, &info, sizeof info) != (ssize_t)sizeof info)
        return 0;
    if (info.ssi_signo == SIGTSTP) {
        suspend(machine);
        return 0;
    }
    if (info.ssi_signo == SIGWINCH || info.ssi_signo == SIGCONT) {
        if (machine->run->signalled)
            machine->run->signalled(machine->run->arg, (int)info.ssi_signo);
        return 0;
    }
    if (info.ssi_signo != SIGCHLD)
        return (int)info.ssi_signo;
    if (waitpid(machine->child, &status, WNOHANG) == machine->child) {
        machine->ended = true;
        machine->status =
            WIFSIGNALED(status) ? MACHINE_KILLED + WTERMSIG(status) : WEXITSTATUS(status);
    }
    return 0;
}

/* False where it would be in vain. */
static bool may_say_farewell(const struct machine *machine, int how)
{
    const struct machine_run *run = machine->run;
    bool can_go_on = how == MACHINE_TIMEOUT || how == MACHINE_STOPPED || how >= MACHINE_INTERRUPTED;
    return can_go_on && !machine->ended && run->farewell && (!run->ready || *run->ready);
}

/* It ends by itself when it has said what it still has to, or isn't waited for: whoever is in a
 * hurry sends another signal. Where some of what it says can't be written more of it needn't be. */
static void say_farewell(struct machine *machine, int how)
{
    struct timespec deadline;
    bool moved;
    clock_gettime(CLOCK_MONOTONIC, &deadline);
    deadline.tv_sec += MACHINE_FAREWELL_MS / 1000;
    machine->run->farewell(machine->run->arg);
    for (int left; !machine->ended && (left = time_left(&deadline)) != 0;)
        if ((relay(machine, left, &moved) && how < MACHINE_UNHEARD) || look_at_signals(machine))
            return;
}

/* Ends it, and passes on what it had said by then, unless that takes long. */
static int end(struct machine *machine, int how)
{
    bool farewell = may_say_farewell(machine, how);
    if (farewell)
        say_farewell(machine, how);
    if (!machine->ended) {
        kill(machine->child, SIGKILL);
        waitpid(machine->child, NULL, 0);
    }
    close(machine->signals);
    machine->signals = -1;
    int patience = 100; /* for a reader that is slow, in turns of 10 ms */
    bool is_unheard = how >= MACHINE_UNHEARD && how < MACHINE_UNKEPT;
    while ((farewell || !is_unheard) && is_open(machine) && patience--) {
        bool moved = false;
        int unheard = relay(machine, 10, &moved);
        how = unheard && !is_unheard ? unheard : how;
        if (moved)
            patience = 100;
    }
    return how;
}

/* Of what it has said. */
static bool has_unwritten(const struct machine *machine)
{
    for (size_t i = 0; i < machine->run->nr_flows; i++)
        if (machine->run->flows[i].from_machine && flow_has_text(&machine->run->flows[i]))
            return true;
    return false;
}

/* What an ended machine hasn't said by then it won't say, even if somebody else holds its ports
 * open; what it has said is waited for until it is written. */
static int wait_for(struct machine *machine)
{
    const struct machine_run *run = machine->run;
    struct timespec deadline;
    bool moved = true;
    clock_gettime(CLOCK_MONOTONIC, &deadline);
    deadline.tv_sec += (time_t)(run->timeout_ms / 1000);
    deadline.tv_nsec += (long)(run->timeout_ms % 1000) * 1000000;
    while (!machine->ended || (moved && is_open(machine))) {
        bool waits = !machine->ended || has_unwritten(machine);
        int left = !waits ? 0 : run->timeout_ms ? time_left(&deadline) : -1;
        if (waits && !left)
            return end(machine, MACHINE_TIMEOUT);
        moved = waits;
        if (!run->ready || *run->ready)
            hand_terminal(machine, true);
        int unheard = relay(machine, left, &moved);
        if (unheard)
            return end(machine, unheard);
        if (run->stop && *run->stop)
            return end(machine, MACHINE_STOPPED);
        if (run->paused && *run->paused)
            return end(machine, MACHINE_PAUSED);
        if (run->suspend && *run->suspend) {
            *run->suspend = false;
            suspend(machine);
        }
        int number = look_at_signals(machine);
        if (number)
            return end(machine, MACHINE_INTERRUPTED + number);
    }
    return machine->status;
}

/* With the signals blocked. */
static int run_blocked(const struct machine_run *run, const sigset_t *signals,
                       const sigset_t *before)
{
    struct machine machine = {.run = run};
    if (fcntl(STDOUT_FILENO, F_GETFD) < 0) {
        int error = errno;
        close_its_own(run);
        return MACHINE_UNHEARD + error;
    }
    machine.signals = signalfd(-1, signals, SFD_NONBLOCK | SFD_CLOEXEC);
    if (machine.signals < 0) {
        int error = errno;
        close_its_own(run);
        return -error;
    }
    int result = machine.child = start(run, before);
    if (machine.child >= 0) {
        result = wait_for(&machine);
        hand_terminal(&machine, false);
    }
    if (machine.signals >= 0)
        close(machine.signals);
    return result;
}

bool machine_signal_is_ignored(int number)
{
    struct sigaction action;
    return !sigaction(number, NULL, &action) && action.sa_handler == SIG_IGN;
}

int machine_run(const struct machine_run *run)
{
    static const int awaited[] = {SIGCHLD, SIGINT,  SIGTERM,  SIGHUP,
                                  SIGQUIT, SIGTSTP, SIGWINCH, SIGCONT};
    sigset_t signals, blocked, before;
    sigemptyset(&signals);
    for (size_t i = 0; i < sizeof awaited / sizeof awaited[0]; i++)
        if (awaited[i] == SIGCHLD || !machine_signal_is_ignored(awaited[i]))
            sigaddset(&signals, awaited[i]);
    blocked = signals;
    sigaddset(&blocked, SIGPIPE);
    sigprocmask(SIG_BLOCK, &blocked, &before);
    signal(SIGCHLD, SIG_DFL); /* ignored, it would take the child's status with it */
    int result = run_blocked(run, &signals, run->mask ? run->mask : &before);
    sigprocmask(SIG_SETMASK, &before, NULL);
    return result;
}
