/* RLIMIT_CPU, what a thread itself used, and signals of a program's own doing */
#include "say.h"

#include <pthread.h>
#include <sys/prctl.h>
#include <sys/resource.h>

/* ---- the limit of processor time ------------------------------------------------------------- */

static void limit(rlim_t soft, rlim_t hard)
{
    TELL(setrlimit(RLIMIT_CPU, &(struct rlimit){soft, hard}));
}

static void works(void)
{
    limit(1, RLIM_INFINITY);
    for (;;)
        ;
}

static void warned(int signal, siginfo_t *info, void *context)
{
    (void)context;
    struct rlimit now;
    getrlimit(RLIMIT_CPU, &now);
    printf("signal %d, code %#x; the limit is %d now\n", signal, info->si_code, (int)now.rlim_cur);
}

static void is_warned(void)
{
    struct sigaction action = {.sa_sigaction = warned, .sa_flags = SA_SIGINFO};
    sigaction(SIGXCPU, &action, NULL);
    limit(1, 2);
    for (;;)
        ;
}

static void sleeps(void)
{
    limit(1, 1);
    usleep(1500000);
}

/* ---- a thread's own -------------------------------------------------------------------------- */

static long microseconds(const struct rusage *usage)
{
    return (usage->ru_utime.tv_sec + usage->ru_stime.tv_sec) * 1000000 + usage->ru_utime.tv_usec +
           usage->ru_stime.tv_usec;
}

static void *idle_thread(void *arg)
{
    struct rusage own;
    getrusage(RUSAGE_THREAD, &own);
    *(struct rusage *)arg = own;
    return NULL;
}

static void thread_usage(void)
{
    const unsigned count = 500;
    struct rusage before, after, all, thread;
    pthread_t id;
    char *memory = pages(count);
    memory[0] = 1;
    getrusage(RUSAGE_THREAD, &before);
    for (unsigned i = 1; i < count; i++)
        memory[i * PAGE] = 1;
    do
        getrusage(RUSAGE_THREAD, &after);
    while (microseconds(&after) < microseconds(&before) + 100000);
    long faults = after.ru_minflt - before.ru_minflt;
    printf("about as many faults as pages: %d\n",
           faults >= (long)count - 1 && faults < (long)count + 20);
    pthread_create(&id, NULL, idle_thread, &thread);
    pthread_join(id, NULL);
    getrusage(RUSAGE_SELF, &all);
    printf("another thread has others: %d; less time: %d; the same memory: %d\n",
           thread.ru_minflt<100, microseconds(&thread) < 90000, thread.ru_maxrss> 1900 &&
               thread.ru_maxrss <= all.ru_maxrss);
    printf("the process has all: %d %d\n",
           all.ru_minflt >= after.ru_minflt && microseconds(&all) >= microseconds(&after),
           thread.ru_nsignals == 0);
}

/* ---- signals --------------------------------------------------------------------------------- */

static pid_t expected;

static void tells(int signal, siginfo_t *info, void *context)
{
    (void)context;
    printf("SIG%s: code %d, from the one expected: %d, uid %d\n", sigabbrev_np(signal),
           info->si_code, info->si_pid == expected, info->si_uid == getuid());
}

static void own_doing(void)
{
    struct sigaction action = {.sa_sigaction = tells, .sa_flags = SA_SIGINFO};
    struct rlimit size, small = {4096, RLIM_INFINITY};
    int ends[2], fd = open("file", O_RDWR | O_CREAT, 0600);
    expected = getpid();
    sigaction(SIGPIPE, &action, NULL);
    sigaction(SIGXFSZ, &action, NULL);
    sigaction(SIGUSR1, &action, NULL);
    if (pipe(ends))
        return;
    close(ends[0]);
    TELL(write(ends[1], "a", 1));
    getrlimit(RLIMIT_FSIZE, &size);
    small.rlim_max = size.rlim_max;
    setrlimit(RLIMIT_FSIZE, &small);
    TELL(pwrite(fd, "a", 1, 4096));
    TELL(ftruncate(fd, 5000));
    setrlimit(RLIMIT_FSIZE, &size);
    TELL(raise(SIGUSR1));
    close(ends[1]);
    close(fd);
}

/* The grandchild hears of its parent's end. */
static void orphaned(void)
{
    struct sigaction action = {.sa_sigaction = tells, .sa_flags = SA_SIGINFO};
    int ready[2], over[2];
    char byte;
    if (pipe(ready) || pipe(over))
        return;
    fflush(stdout);
    pid_t pid = fork();
    if (!pid) {
        expected = getpid();
        if (!fork()) {
            sigset_t set, old;
            sigemptyset(&set);
            sigaddset(&set, SIGUSR2);
            sigprocmask(SIG_BLOCK, &set, &old);
            sigaction(SIGUSR2, &action, NULL);
            prctl(PR_SET_PDEATHSIG, SIGUSR2);
            close(ready[1]);
            sigsuspend(&old);
            fflush(stdout);
            _exit(0);
        }
        close(ready[1]);
        (void)!read(ready[0], &byte, 1);
        _exit(0);
    }
    close(ready[1]);
    close(over[1]);
    waitpid(pid, NULL, 0);
    (void)!read(over[0], &byte, 1);
}

int main(void)
{
    own_doing();
    orphaned();
    thread_usage();
    IN_CHILD(works);
    IN_CHILD(is_warned);
    IN_CHILD(sleeps);
    return 0;
}
