/* Masks, pending signals, handlers within handlers */
#include "say.h"

static volatile int depth, most, raised, count[65];

static void counts(int signal)
{
    count[signal]++;
}

static void show_mask(const char *what)
{
    sigset_t set;
    sigprocmask(SIG_BLOCK, NULL, &set);
    printf("%s:", what);
    for (int signal = 1; signal < 32; signal++)
        if (sigismember(&set, signal))
            printf(" %s", sigabbrev_np(signal));
    printf("\n");
}

static sigset_t set_of(int one, int two)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, one);
    if (two)
        sigaddset(&set, two);
    return set;
}

static void blocking(void)
{
    sigset_t set = set_of(SIGUSR1, SIGUSR2), old, pending;
    signal(SIGUSR1, counts);
    signal(SIGUSR2, counts);
    TELL(sigprocmask(SIG_BLOCK, &set, &old));
    for (int i = 0; i < 3; i++)
        raise(SIGUSR1);
    raise(SIGUSR2);
    TELL(sigpending(&pending));
    printf("pending %d %d, handled %d %d\n", sigismember(&pending, SIGUSR1),
           sigismember(&pending, SIGUSR2), count[SIGUSR1], count[SIGUSR2]);
    set = set_of(SIGUSR1, 0);
    TELL(sigprocmask(SIG_UNBLOCK, &set, NULL));
    printf("handled once: %d %d\n", count[SIGUSR1], count[SIGUSR2]);
    signal(SIGUSR2, SIG_IGN); /* forgets what was pending */
    sigpending(&pending);
    printf("ignored isn't pending: %d\n", sigismember(&pending, SIGUSR2));
    TELL(sigprocmask(SIG_SETMASK, &old, NULL));
    TELL(sigprocmask(99, &old, NULL));
    sigfillset(&set);
    TELL(sigprocmask(SIG_BLOCK, &set, NULL));
    show_mask("all but two");
    TELL(sigprocmask(SIG_SETMASK, &old, NULL));
}

static void queued(int signal, siginfo_t *info, void *context)
{
    (void)context;
    printf("%d: value %d, code %s\n", signal - SIGRTMIN, info->si_value.sival_int,
           info->si_code == SI_QUEUE  ? "QUEUE"
           : info->si_code == SI_USER ? "USER"
                                      : "?");
}

static void real_time(void)
{
    struct sigaction action = {.sa_sigaction = queued, .sa_flags = SA_SIGINFO};
    sigset_t all, old;
    sigfillset(&action.sa_mask);
    sigaction(SIGRTMIN, &action, NULL);
    sigaction(SIGRTMIN + 1, &action, NULL);
    sigfillset(&all);
    sigprocmask(SIG_BLOCK, &all, &old);
    for (int i = 0; i < 3; i++) {
        sigqueue(getpid(), SIGRTMIN + 1, (union sigval){.sival_int = 10 + i});
        sigqueue(getpid(), SIGRTMIN, (union sigval){.sival_int = i});
    }
    kill(getpid(), SIGRTMIN);
    sigprocmask(SIG_SETMASK, &old, NULL);
}

static void in_handler(int signal, siginfo_t *info, void *context)
{
    (void)context;
    printf("in the handler of %s: code %s, from us %d\n", sigabbrev_np(signal),
           info->si_code == SI_TKILL  ? "TKILL"
           : info->si_code == SI_USER ? "USER"
                                      : "?",
           info->si_pid == getpid());
    show_mask("mask");
}

static void masks_of_handlers(void)
{
    struct sigaction action = {.sa_sigaction = in_handler, .sa_flags = SA_SIGINFO}, old;
    sigaddset(&action.sa_mask, SIGTERM);
    sigaddset(&action.sa_mask, SIGKILL);
    TELL(sigaction(SIGUSR1, &action, NULL));
    raise(SIGUSR1);
    kill(getpid(), SIGUSR1);
    show_mask("afterwards");
    action.sa_flags |= SA_NODEFER | (int)SA_RESETHAND;
    TELL(sigaction(SIGUSR1, &action, NULL));
    raise(SIGUSR1);
    TELL(sigaction(SIGUSR1, NULL, &old));
    printf("reset: %d, KILL can't be masked: %d\n", old.sa_handler == SIG_DFL,
           sigismember(&old.sa_mask, SIGKILL));
    TELL(sigaction(SIGKILL, &action, NULL));
    TELL(sigaction(SIGSTOP, NULL, &old));
    TELL(sigaction(99, &action, NULL));
    TELL(signal(SIGKILL, SIG_IGN) == SIG_ERR ? errno : 0);
}

static void nested_handler(int signal)
{
    depth++;
    most = depth > most ? depth : most;
    if (raised < 5) {
        raised++;
        raise(signal);
    }
    depth--;
}

static void nested(void)
{
    struct sigaction action = {.sa_handler = nested_handler};
    sigaction(SIGUSR1, &action, NULL);
    raise(SIGUSR1);
    printf("it masks itself: depth %d\n", most);
    most = raised = 0;
    action.sa_flags = SA_NODEFER;
    sigaction(SIGUSR1, &action, NULL);
    raise(SIGUSR1);
    printf("it doesn't: depth %d\n", most);
}

int main(void)
{
    blocking();
    real_time();
    masks_of_handlers();
    nested();
    return 0;
}
