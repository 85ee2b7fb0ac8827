/* tools/machine.c: a child process that is a machine
 *
 * The signals that matter are blocked and waited for, so that there is no handler and no race. The
 * child dies with us, also when we are killed.
 */
#define _GNU_SOURCE
#include "machine.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

/* Never returns; what goes wrong is written to `report`, which a successful exec closes. */
_Noreturn static void become(char **argv, int report, pid_t parent, const sigset_t *mask)
{
    int null = open("/dev/null", O_RDONLY);
    if (null >= 0 && dup2(null, STDIN_FILENO) >= 0 && !prctl(PR_SET_PDEATHSIG, SIGKILL) &&
        getppid() == parent && !sigprocmask(SIG_SETMASK, mask, NULL))
        execvp(argv[0], argv);
    int error = errno;
    if (write(report, &error, sizeof error) < 0)
        _exit(126);
    _exit(127);
}

/* The child's number, or -errno. */
static pid_t start(char **argv, const sigset_t *mask)
{
    int report[2], error;
    if (pipe2(report, O_CLOEXEC))
        return -errno;
    pid_t parent = getpid(), child = fork();
    if (child < 0) {
        error = errno;
        close(report[0]);
        close(report[1]);
        return -error;
    }
    if (!child)
        become(argv, report[1], parent, mask);
    close(report[1]);
    ssize_t got = read(report[0], &error, sizeof error);
    close(report[0]);
    if (got != (ssize_t)sizeof error)
        return child;
    waitpid(child, NULL, 0);
    return -error;
}

static int status_of(pid_t child)
{
    int status;
    if (waitpid(child, &status, 0) < 0)
        return -errno;
    return WIFSIGNALED(status) ? MACHINE_KILLED + WTERMSIG(status) : WEXITSTATUS(status);
}

static int end(pid_t child, int how)
{
    kill(child, SIGKILL);
    waitpid(child, NULL, 0);
    return how;
}

/* What is left until `deadline`; false: nothing. */
static bool time_left(const struct timespec *deadline, struct timespec *left)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    left->tv_sec = deadline->tv_sec - now.tv_sec;
    left->tv_nsec = deadline->tv_nsec - now.tv_nsec;
    if (left->tv_nsec < 0) {
        left->tv_sec--;
        left->tv_nsec += 1000000000;
    }
    return left->tv_sec >= 0;
}

static int wait_for(pid_t child, const sigset_t *signals, unsigned timeout)
{
    struct timespec deadline, left;
    clock_gettime(CLOCK_MONOTONIC, &deadline);
    deadline.tv_sec += timeout;
    for (;;) {
        siginfo_t info;
        int got;
        if (!timeout)
            got = sigwaitinfo(signals, &info);
        else if (time_left(&deadline, &left))
            got = sigtimedwait(signals, &info, &left);
        else
            return end(child, MACHINE_TIMEOUT);
        /* Not when it was only stopped, or went on. */
        if (got == SIGCHLD && info.si_pid == child && info.si_code != CLD_STOPPED &&
            info.si_code != CLD_CONTINUED)
            return status_of(child);
        if (got > 0 && got != SIGCHLD)
            return end(child, MACHINE_INTERRUPTED + got);
    }
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
    pid_t child = start(argv, &before);
    int result = child < 0 ? child : wait_for(child, &signals, timeout);
    sigprocmask(SIG_SETMASK, &before, NULL);
    return result;
}
