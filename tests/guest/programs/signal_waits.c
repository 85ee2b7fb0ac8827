/* Waiting for signals, and being interrupted by them */
#include "say.h"

#include <sys/select.h>
#include <sys/time.h>
#include <time.h>

static volatile int handled;
static int ticks[2] = {-1, -1}; /* a pipe: a byte for each time that the handler ran */

static void handler(int signal)
{
    int error = errno;
    handled = signal;
    (void)!write(ticks[1], "t", 1);
    errno = error;
}

static void catch_alarm(int flags)
{
    struct sigaction action = {.sa_handler = handler, .sa_flags = flags};
    sigaction(SIGALRM, &action, NULL);
    handled = 0;
}

/* Again and again: one that comes before the call does is followed by one that finds it waiting. */
static void alarms(bool on)
{
    struct itimerval timer = {{0, on ? 20000 : 0}, {0, on ? 20000 : 0}};
    int error = errno;
    setitimer(ITIMER_REAL, &timer, NULL);
    errno = error;
}

/* What a call answers that alarms interrupt; they are over when it is told. */
#define TELL_INTERRUPTED(call) tell_interrupted(#call, (alarms(true), (long)(call)))

static void tell_interrupted(const char *what, long result)
{
    alarms(false);
    tell(what, result);
}

static void interrupted(void)
{
    int ends[2];
    char byte;
    struct timespec rest = {0, 0};
    if (pipe(ends))
        return;
    catch_alarm(0);
    TELL_INTERRUPTED(read(ends[0], &byte, 1));
    TELL_INTERRUPTED(pause());
    TELL_INTERRUPTED(nanosleep(&(struct timespec){100000, 0}, &rest));
    printf("of 100000 s are left: %d\n", rest.tv_sec >= 90000);
    TELL_INTERRUPTED(poll(&(struct pollfd){ends[0], POLLIN, 0}, 1, 10000000));
    fd_set set;
    FD_ZERO(&set);
    FD_SET(ends[0], &set);
    TELL_INTERRUPTED(select(ends[0] + 1, &set, NULL, NULL, NULL));
    pid_t pid = fork();
    if (!pid) {
        pause();
        _exit(0);
    }
    TELL_INTERRUPTED(waitpid(pid, NULL, 0));
    kill(pid, SIGKILL);
    TELL(waitpid(pid, NULL, 0) == pid);
    printf("handled: %d\n", handled == SIGALRM);
}

/* In a child: its parent has had time to wait, and several alarms meanwhile. */
static void wait_for_ticks(void)
{
    char byte;
    for (int i = 0; i < 3; i++)
        if (read(ticks[0], &byte, 1) != 1)
            _exit(1);
}

static void restarted(void)
{
    int ends[2], status;
    char byte = 0;
    if (pipe(ends) || pipe(ticks))
        return;
    fcntl(ticks[1], F_SETFL, O_NONBLOCK); /* nobody needs all of them */
    catch_alarm(SA_RESTART);
    pid_t pid = fork();
    if (!pid) {
        wait_for_ticks();
        _exit(write(ends[1], "r", 1) != 1);
    }
    TELL_INTERRUPTED(read(ends[0], &byte, 1));
    printf("read goes on: %c, after %d\n", byte, handled == SIGALRM);
    waitpid(pid, &status, 0);
    pid = fork();
    if (!pid) {
        wait_for_ticks();
        _exit(4);
    }
    handled = 0;
    TELL_INTERRUPTED(waitpid(pid, &status, 0) == pid);
    printf("so does wait: %d\n", handled == SIGALRM);
    TELL_INTERRUPTED(nanosleep(&(struct timespec){100000, 0}, NULL)); /* never is */
    TELL_INTERRUPTED(poll(NULL, 0, 10000000));
    TELL_INTERRUPTED(pause());
    pid = fork(); /* what is stopped and goes on sleeps on */
    if (!pid) {
        TELL(nanosleep(&(struct timespec){0, 100000000}, NULL));
        TELL(read(ends[0], &byte, 1));
        _exit(0);
    }
    usleep(20000); /* asleep by then, or no matter; and reading after the next */
    kill(pid, SIGSTOP);
    waitpid(pid, &status, WUNTRACED);
    kill(pid, SIGCONT);
    usleep(200000);
    kill(pid, SIGSTOP);
    waitpid(pid, &status, WUNTRACED);
    kill(pid, SIGCONT);
    if (write(ends[1], "s", 1) != 1)
        return;
    waitpid(pid, &status, 0);
    say_status("stopped and continued", status);
}

static void suspended(void)
{
    sigset_t blocked, old;
    catch_alarm(0);
    sigemptyset(&blocked);
    sigaddset(&blocked, SIGALRM);
    sigprocmask(SIG_BLOCK, &blocked, &old);
    raise(SIGALRM);
    printf("blocked: %d\n", handled);
    sigdelset(&old, SIGALRM);
    TELL(sigsuspend(&old));
    printf("handled in sigsuspend: %d\n", handled == SIGALRM);
    sigprocmask(SIG_BLOCK, NULL, &old);
    printf("the mask is back: %d\n", sigismember(&old, SIGALRM));
    struct timespec no_time = {0, 0};
    handled = 0;
    raise(SIGALRM);
    sigset_t none;
    sigemptyset(&none);
    TELL(ppoll(NULL, 0, &(struct timespec){100000, 0}, &none));
    printf("handled in ppoll: %d\n", handled == SIGALRM);
    TELL(ppoll(NULL, 0, &no_time, &none));
    sigprocmask(SIG_UNBLOCK, &blocked, NULL);
}

static void waited_for(void)
{
    sigset_t set;
    siginfo_t info = {0};
    int signal = 0;
    struct timespec shortly = {0, 20000000}, wrong = {0, 1000000000};
    sigemptyset(&set);
    sigaddset(&set, SIGUSR1);
    sigaddset(&set, SIGRTMIN);
    sigaddset(&set, SIGCHLD);
    sigprocmask(SIG_BLOCK, &set, NULL);
    TELL(sigtimedwait(&set, &info, &shortly));
    TELL(sigtimedwait(&set, &info, &wrong));
    sigqueue(getpid(), SIGRTMIN, (union sigval){.sival_int = 5});
    raise(SIGUSR1);
    TELL(sigwaitinfo(&set, &info) == SIGUSR1);
    printf("code TKILL: %d\n", info.si_code == SI_TKILL);
    TELL(sigtimedwait(&set, &info, NULL) == SIGRTMIN);
    printf("value %d\n", info.si_value.sival_int);
    pid_t pid = fork();
    if (!pid)
        _exit(33);
    TELL(sigwaitinfo(&set, &info) == SIGCHLD);
    printf("child: %d, EXITED %d, status %d\n", info.si_pid == pid, info.si_code == CLD_EXITED,
           info.si_status);
    waitpid(pid, NULL, 0);
    pid = fork();
    if (!pid)
        for (;;)
            pause();
    kill(pid, SIGSTOP);
    sigwaitinfo(&set, &info);
    printf("STOPPED %d, status %d\n", info.si_code == CLD_STOPPED, info.si_status == SIGSTOP);
    kill(pid, SIGCONT);
    sigwaitinfo(&set, &info);
    printf("CONTINUED %d, status %d\n", info.si_code == CLD_CONTINUED, info.si_status == SIGCONT);
    kill(pid, SIGKILL);
    sigwaitinfo(&set, &info);
    printf("KILLED %d, status %d\n", info.si_code == CLD_KILLED, info.si_status == SIGKILL);
    waitpid(pid, NULL, 0);
    catch_alarm(0);
    TELL_INTERRUPTED(sigtimedwait(&set, NULL, &(struct timespec){100000, 0}));
    raise(SIGUSR1);
    TELL(sigwait(&set, &signal));
    printf("%d\n", signal == SIGUSR1);
}

static void times_of_sleep(void)
{
    struct timespec before, after;
    TELL(nanosleep(&(struct timespec){-1, 0}, NULL));
    TELL(nanosleep(&(struct timespec){0, 1000000000}, NULL));
#ifdef __x86_64__ /* elsewhere libc looks at it itself */
    TELL(nanosleep((struct timespec *)8, NULL));
#endif
    TELL(clock_nanosleep(99, 0, &(struct timespec){0, 0}, NULL));
    clock_gettime(CLOCK_MONOTONIC, &before);
    TELL(clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &before, NULL)); /* past already */
    TELL(nanosleep(&(struct timespec){0, 30000000}, NULL));
    clock_gettime(CLOCK_MONOTONIC, &after);
    long long slept =
        (after.tv_sec - before.tv_sec) * 1000000000ll + after.tv_nsec - before.tv_nsec;
    printf("no less than asked for: %d\n", slept >= 30000000);
}

int main(void)
{
    interrupted();
    restarted();
    suspended();
    times_of_sleep();
    waited_for();
    return 0;
}
