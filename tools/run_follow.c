/* tools/run_follow.c: starts the program, and stays until it and all that it started have ended
 *
 * Signals are blocked and read like a file. Those from the terminal reach the program by
 * themselves, since it is in the same group of processes; what somebody sent to this process is
 * passed on. When the program has ended and others of its family go on, a signal ends the watch,
 * and not them.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "run.h"

#define TELL_AFTER_NS 1000000000u
#define NEVER UINT64_MAX

struct follow {
    struct watch *watch;
    struct strangers strangers;
    struct run_result *result;
    int signals;
    pid_t program;
    bool has_ended, is_over, was_told;
    uint64_t began_ns, ended_ns, next_ns; /* next: look, on the watch's clock */
    char *oom_file;
    uint64_t oom_kills; /* before the program was there */
};

static const int passed_on[] = {SIGHUP,  SIGINT,  SIGQUIT, SIGTERM,
                                SIGUSR1, SIGUSR2, SIGALRM, SIGCONT};

static void signals_of_interest(sigset_t *set)
{
    sigemptyset(set);
    sigaddset(set, SIGCHLD);
    for (size_t i = 0; i < sizeof passed_on / sizeof passed_on[0]; i++)
        sigaddset(set, passed_on[i]);
}

/* A report that nobody reads, or that is longer than files may be, is no reason to lose the
 * program's status. Who ignores SIGCHLD isn't told of ends. */
bool run_follow_prepare(struct run_signals *signals)
{
    sigset_t set;
    const struct sigaction usual = {.sa_handler = SIG_DFL};
    signals_of_interest(&set);
    sigaddset(&set, SIGPIPE);
    sigaddset(&set, SIGXFSZ);
    return !sigaction(SIGCHLD, &usual, &signals->of_children) &&
           !sigprocmask(SIG_BLOCK, &set, &signals->mask) &&
           !prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0);
}

static uint64_t now_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static uint64_t ns_of(const struct timeval *time)
{
    return (uint64_t)time->tv_sec * 1000000000u + (uint64_t)time->tv_usec * 1000u;
}

/* ---- ends ------------------------------------------------------------------------------------ */

static void count(struct run_result *result, const struct rusage *usage)
{
    uint64_t peak = (uint64_t)usage->ru_maxrss << 10;
    result->minor += (uint64_t)usage->ru_minflt;
    result->major += (uint64_t)usage->ru_majflt;
    result->user_ns += ns_of(&usage->ru_utime);
    result->kernel_ns += ns_of(&usage->ru_stime);
    result->peak_rss = peak > result->peak_rss ? peak : result->peak_rss;
    result->nr_waited++;
}

/* As far as counts tell: the kernel counts before it sends the signal. */
static bool was_killed_for_memory(const struct follow *follow, int status)
{
    return WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL &&
           proc_oom_kills(follow->oom_file) > follow->oom_kills;
}

/* Looked at while it is a zombie, whose counts are final. */
static void reap(struct follow *follow)
{
    siginfo_t info = {0};
    struct rusage usage;
    int status;
    while (!waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT | __WALL) && info.si_pid) {
        bool is_stranger = strangers_have(&follow->strangers, (uint32_t)info.si_pid);
        if (follow->watch && !is_stranger)
            watch_ended(follow->watch, (uint32_t)info.si_pid);
        bool was_waited = wait4(info.si_pid, &status, __WALL, &usage) == info.si_pid;
        if (is_stranger)
            strangers_forget(&follow->strangers, (uint32_t)info.si_pid);
        else if (was_waited)
            count(follow->result, &usage);
        if (info.si_pid == follow->program) {
            follow->has_ended = true;
            follow->ended_ns = now_ns();
            follow->result->status = status;
            follow->result->elapsed_ns = follow->ended_ns - follow->began_ns;
            follow->result->for_memory = was_killed_for_memory(follow, status);
        }
        info.si_pid = 0;
    }
    siginfo_t any = {0};
    if (waitid(P_ALL, 0, &any, WEXITED | WNOHANG | WNOWAIT | __WALL) && errno == ECHILD)
        follow->is_over = true;
    else if (follow->has_ended && strangers_are_all(&follow->strangers))
        follow->is_over = true;
}

static void take_signal(struct follow *follow, const struct signalfd_siginfo *info)
{
    bool is_end = info->ssi_signo == SIGINT || info->ssi_signo == SIGTERM ||
                  info->ssi_signo == SIGHUP || info->ssi_signo == SIGQUIT;
    if (info->ssi_signo == SIGCHLD)
        return;
    if (is_end)
        follow->result->ended_by = (int)info->ssi_signo;
    if (!follow->has_ended && info->ssi_code <= 0) /* from a process, not the terminal */
        (void)kill(follow->program, (int)info->ssi_signo);
    else if (follow->has_ended && is_end)
        follow->is_over = follow->result->left_some = true;
}

/* ---- waiting --------------------------------------------------------------------------------- */

static void tell_who_is_left(struct follow *follow)
{
    if (!follow->has_ended || follow->was_told || now_ns() - follow->ended_ns < TELL_AFTER_NS)
        return;
    follow->was_told = true;
    if (isatty(STDERR_FILENO))
        complain("the program has ended; what it started goes on and is watched until it ends, or "
                 "this command is interrupted");
}

static struct timespec time_left(const struct follow *follow)
{
    uint64_t left = TELL_AFTER_NS;
    if (follow->watch) {
        uint64_t now = watch_now(follow->watch);
        left = follow->next_ns > now ? follow->next_ns - now : 0;
    }
    return (struct timespec){.tv_sec = (time_t)(left / 1000000000u),
                             .tv_nsec = (long)(left % 1000000000u)};
}

static void wait_and_look(struct follow *follow)
{
    struct pollfd waits = {.fd = follow->signals, .events = POLLIN};
    struct signalfd_siginfo info;
    struct timespec left = time_left(follow);
    if (ppoll(&waits, 1, &left, NULL) > 0)
        while (read(follow->signals, &info, sizeof info) == (ssize_t)sizeof info)
            take_signal(follow, &info);
    reap(follow);
    tell_who_is_left(follow);
    if (!follow->is_over && follow->watch && watch_now(follow->watch) >= follow->next_ns)
        follow->next_ns = watch_look(follow->watch);
}

void run_follow(const struct run_start *start, struct watch *watch, struct run_result *result)
{
    sigset_t set;
    struct follow follow = {.watch = watch, .result = result, .began_ns = now_ns()};
    *result = (struct run_result){0};
    follow.oom_file = proc_oom_file();
    follow.oom_kills = proc_oom_kills(follow.oom_file);
    signals_of_interest(&set);
    strangers_note(&follow.strangers);
    follow.signals = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
    result->is_own = follow.signals < 0;
    follow.program = follow.signals < 0 ? -errno : run_start(start, &result->is_own);
    if (follow.program < 0)
        result->error = -follow.program;
    else if (watch)
        watch_add(watch, (uint32_t)follow.program, &follow.strangers);
    while (follow.program > 0 && !follow.is_over)
        wait_and_look(&follow);
    if (watch)
        watch_finish(watch);
    strangers_free(&follow.strangers);
    free(follow.oom_file);
    if (follow.signals >= 0)
        close(follow.signals);
}
