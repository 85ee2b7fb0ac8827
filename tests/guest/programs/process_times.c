/* RLIMIT_CPU, what a thread itself used, and signals of a program's own doing */
#include "say.h"

#include <pthread.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <time.h>

/* ---- the limit of processor time ------------------------------------------------------------- */

static void works(void)
{
    TELL(setrlimit(RLIMIT_CPU, &(struct rlimit){1, RLIM_INFINITY}));
    for (;;)
        ;
}

/* A machine that was itself stopped counts that for who ran, seconds at once: then it's tried anew.
 */
#define AGAIN 99

static struct warning {
    int signal, code, limit, hard;
} * warning; /* shared with a child */

static void warned(int signal, siginfo_t *info, void *context)
{
    (void)context;
    struct rlimit now;
    struct timespec used;
    getrlimit(RLIMIT_CPU, &now);
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &used);
    if (used.tv_sec >= 2)
        _exit(AGAIN);
    *warning = (struct warning){signal, info->si_code, (int)now.rlim_cur, 0};
    now.rlim_max = now.rlim_cur;
    warning->hard = setrlimit(RLIMIT_CPU, &now);
}

static void is_warned(void)
{
    struct sigaction action = {.sa_sigaction = warned, .sa_flags = SA_SIGINFO};
    sigaction(SIGXCPU, &action, NULL);
    setrlimit(RLIMIT_CPU, &(struct rlimit){1, RLIM_INFINITY});
    for (;;)
        ;
}

static void sleeps(void)
{
    setrlimit(RLIMIT_CPU, &(struct rlimit){1, 1});
    usleep(1500000);
}

static int undisturbed(void (*run)(void))
{
    int status = 0;
    bool disturbed = true;
    for (int tries = 0; disturbed && tries < 20; tries++) {
        pid_t pid = fork();
        if (!pid) {
            run();
            _exit(0);
        }
        waitpid(pid, &status, 0);
        disturbed = (WIFEXITED(status) && WEXITSTATUS(status) == AGAIN) ||
                    (run == sleeps && WIFSIGNALED(status)); /* it can't tell us */
    }
    return status;
}

static void limits(void)
{
    IN_CHILD(works);
    warning = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    int status = undisturbed(is_warned);
    printf("signal %d, code %#x; the limit is %d now, and stays so: %d\n", warning->signal,
           warning->code, warning->limit, warning->hard);
    say_status("is warned", status);
    say_status("sleeps", undisturbed(sleeps));
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
    for (int tries = 0; tries < 1000;
         tries++) { /* not one that ran while the machine was stopped */
        pthread_create(&id, NULL, idle_thread, &thread);
        pthread_join(id, NULL);
        if (microseconds(&thread) < 90000)
            break;
    }
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
    limits();
    return 0;
}
