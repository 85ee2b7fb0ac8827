/* Threads: create, join, mutexes, conditions, storage of their own, fork and exec among them */
#include "say.h"

#include <linux/futex.h>
#include <pthread.h>
#include <sched.h>
#include <time.h>

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t condition = PTHREAD_COND_INITIALIZER;
static int counter, turn;
static __thread int own = 5;

static void *counts(void *argument)
{
    for (int i = 0; i < 2000; i++) {
        pthread_mutex_lock(&mutex);
        counter++;
        pthread_mutex_unlock(&mutex);
        if (i % 100 == 0)
            sched_yield();
    }
    own += (int)(intptr_t)argument;
    return (void *)(intptr_t)own;
}

static void counted(void)
{
    pthread_t threads[8];
    void *result;
    int sum = 0;
    for (intptr_t i = 0; i < 8; i++)
        if (pthread_create(&threads[i], NULL, counts, (void *)i))
            printf("not created\n");
    for (int i = 0; i < 8; i++) {
        pthread_join(threads[i], &result);
        sum += (int)(intptr_t)result;
    }
    printf("8 threads counted %d, with their own %d, ours is %d\n", counter, sum, own);
}

static void *plays(void *argument)
{
    int side = (int)(intptr_t)argument;
    for (int i = 0; i < 100; i++) {
        pthread_mutex_lock(&mutex);
        while (turn != side)
            pthread_cond_wait(&condition, &mutex);
        turn = !side;
        pthread_cond_broadcast(&condition);
        pthread_mutex_unlock(&mutex);
    }
    return NULL;
}

static void conditions(void)
{
    pthread_t threads[2];
    struct timespec until;
    for (intptr_t i = 0; i < 2; i++)
        pthread_create(&threads[i], NULL, plays, (void *)i);
    pthread_join(threads[0], NULL);
    pthread_join(threads[1], NULL);
    printf("ping and pong: %d\n", turn);
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_nsec += 20000000;
    until.tv_sec += until.tv_nsec / 1000000000;
    until.tv_nsec %= 1000000000;
    pthread_mutex_lock(&mutex);
    printf("nobody signals: %s\n", error_name(pthread_cond_timedwait(&condition, &mutex, &until)));
    printf("locked twice: %s\n", error_name(pthread_mutex_timedlock(&mutex, &until)));
    pthread_mutex_unlock(&mutex);
}

static long futex(void *word, int operation, unsigned value, const void *time, void *other,
                  unsigned value3)
{
    return syscall(SYS_futex, word, operation, value, time, other, value3);
}

static void futexes(void)
{
    static unsigned word[2] = {7, 7};
    struct timespec shortly = {0, 10000000}, wrong = {0, -1};
    TELL(futex(word, FUTEX_WAIT, 8, NULL, NULL, 0));
    TELL(futex(word, FUTEX_WAIT, 7, &shortly, NULL, 0));
    TELL(futex(word, FUTEX_WAIT, 7, &wrong, NULL, 0));
    TELL(futex(word, FUTEX_WAIT_BITSET, 7, NULL, NULL, 0));
    TELL(futex((char *)word + 1, FUTEX_WAIT, 7, NULL, NULL, 0));
    TELL(futex((char *)word + 1, FUTEX_WAKE, 1, NULL, NULL, 0));
    TELL(futex((void *)64, FUTEX_WAIT, 7, NULL, NULL, 0));
    TELL(futex(word, FUTEX_WAKE, 1, NULL, NULL, 0));
    TELL(futex(word, FUTEX_WAKE_BITSET, 1, NULL, NULL, 0));
    TELL(futex(word, FUTEX_CMP_REQUEUE, 1, (void *)1, word + 1, 6));
    TELL(futex(word, FUTEX_CMP_REQUEUE, 1, (void *)1, word + 1, 7));
    TELL(futex(word, 99, 1, NULL, NULL, 0));
}

static void shared_futex(void)
{
    unsigned *word = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    int status;
    pid_t pid = fork();
    if (!pid)
        _exit(futex(word, FUTEX_WAIT, 0, NULL, NULL, 0) ? 1 : 22);
    while (futex(word, FUTEX_WAKE, 1, NULL, NULL, 0) != 1)
        sched_yield();
    waitpid(pid, &status, 0);
    say_status("woken in another process", status);
}

static pthread_mutex_t *robust;
static void *dies_with_it(void *argument)
{
    (void)argument;
    pthread_mutex_lock(robust);
    return NULL;
}

static void robust_mutexes(void)
{
    pthread_mutexattr_t attributes;
    pthread_t thread;
    robust = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    pthread_mutexattr_init(&attributes);
    pthread_mutexattr_setrobust(&attributes, PTHREAD_MUTEX_ROBUST);
    pthread_mutexattr_setpshared(&attributes, PTHREAD_PROCESS_SHARED);
    pthread_mutex_init(robust, &attributes);
    pthread_create(&thread, NULL, dies_with_it, NULL);
    pthread_join(thread, NULL);
    printf("its owner died: %s\n", error_name(pthread_mutex_lock(robust)));
    printf("made good: %d %d\n", pthread_mutex_consistent(robust), pthread_mutex_unlock(robust));
    pid_t pid = fork();
    if (!pid) {
        pthread_mutex_lock(robust);
        kill(getpid(), SIGKILL);
    }
    waitpid(pid, NULL, 0);
    printf("so did a process: %s\n", error_name(pthread_mutex_lock(robust)));
    pthread_mutex_unlock(robust);
    printf("not made good: %s\n", error_name(pthread_mutex_lock(robust)));
}

static void *forks(void *argument)
{
    int status;
    pid_t pid = fork();
    if (!pid) {
        own++;
        _exit(own);
    }
    waitpid(pid, &status, 0);
    say_status(argument, status);
    return NULL;
}

static void *execs(void *argument)
{
    (void)argument;
    execl(program_invocation_name, program_invocation_name, "--only", "threads", "begun", NULL);
    printf("not begun: %s\n", error_name(errno));
    return NULL;
}

static void *waits(void *argument)
{
    while (pause())
        ;
    return argument;
}

static void exec_in_a_thread(void)
{
    pthread_t thread;
    for (int i = 0; i < 3; i++)
        pthread_create(&thread, NULL, waits, NULL);
    pthread_create(&thread, NULL, execs, NULL);
    pthread_join(thread, NULL);
}

static void exit_with_threads(void)
{
    pthread_t thread;
    pthread_create(&thread, NULL, waits, NULL);
    exit(3);
}

static void the_first_goes(void)
{
    pthread_t thread;
    pthread_create(&thread, NULL, counts, NULL);
    syscall(SYS_exit, 0); /* pthread_exit() wants a library of its own */
}

static volatile int handled_by;
static void handler(int signal)
{
    (void)signal;
    handled_by = gettid();
}

static void *takes_signals(void *argument)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGUSR1);
    pthread_sigmask(SIG_UNBLOCK, &set, NULL);
    *(volatile int *)argument = gettid();
    while (!handled_by)
        usleep(1000);
    return NULL;
}

static void signals(void)
{
    static volatile int its_id;
    pthread_t thread;
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGUSR1);
    signal(SIGUSR1, handler);
    pthread_sigmask(SIG_BLOCK, &set, NULL);
    pthread_create(&thread, NULL, takes_signals, (void *)(uintptr_t)&its_id);
    while (!its_id)
        usleep(1000);
    kill(getpid(), SIGUSR1);
    pthread_join(thread, NULL);
    printf("who doesn't block it handles it: %d\n", handled_by == its_id);
    TELL((int)syscall(SYS_tgkill, getpid(), gettid(), 0));
    while (!syscall(SYS_tgkill, getpid(), its_id, 0)) /* a joined thread may not be quite gone */
        usleep(1000);
    TELL((int)syscall(SYS_tgkill, getpid(), its_id, 0));
    TELL((int)syscall(SYS_tgkill, 1, gettid(), 0));
    TELL((int)syscall(SYS_tkill, -1, 0));
}

int main(int argc, char **argv)
{
    if (argc > 1 && !strcmp(argv[argc - 1], "begun")) {
        printf("the process's number is the thread's: %d\n", getpid() == gettid());
        return 8;
    }
    counted();
    conditions();
    futexes();
    shared_futex();
    robust_mutexes();
    pthread_t thread;
    pthread_create(&thread, NULL, forks, (char[]){"fork in a thread"});
    pthread_join(thread, NULL);
    IN_CHILD(exec_in_a_thread);
    IN_CHILD(exit_with_threads);
    IN_CHILD(the_first_goes);
    signals();
    return 0;
}
