/* tests/guest/fail_tasks.c: processes, threads, cores and signals for which allocations fail */
#include <asm/ldt.h>
#include <linux/futex.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "fail.h"

static int wait_for(pid_t pid)
{
    int status;
    while (waitpid(pid, &status, 0) < 0)
        if (errno != EINTR)
            return errno;
    return WIFEXITED(status) && WEXITSTATUS(status) == 0 ? 0 : EPROTO;
}

int op_fork(void)
{
    pid_t pid = fork();
    if (!pid) {
        touch(pages, NR_PAGES);
        _exit(0);
    }
    return pid < 0 ? errno : wait_for(pid);
}

int op_fork_swapped(void)
{
    TRY(madvise(pages, NR_PAGES * PAGE, MADV_PAGEOUT));
    return op_fork();
}

int op_vfork(void)
{
    pid_t pid = vfork();
    if (!pid)
        _exit(0);
    return pid < 0 ? errno : wait_for(pid);
}

int op_exec(void)
{
    char fd[16], nth[16];
    snprintf(fd, sizeof fd, "%d", control);
    snprintf(nth, sizeof nth, "%u", armed_nth);
    char *arguments[] = {self, "--after-exec", fd, nth, NULL}, *environment[] = {"A=B", NULL};
    execve(self, arguments, environment);
    return errno;
}

int op_spawn(void)
{
    char *arguments[] = {self, "--nothing", NULL}, *environment[] = {NULL};
    pid_t pid = vfork();
    if (!pid) {
        execve(self, arguments, environment);
        _exit(3);
    }
    return pid < 0 ? errno : wait_for(pid);
}

static void *thread_main(void *arg)
{
    touch(arg, 1);
    return NULL;
}

int op_thread(void)
{
    pthread_t thread;
    int error = pthread_create(&thread, NULL, thread_main, pages);
    return error ? error : pthread_join(thread, NULL);
}

#ifdef __i386__
/* Whether the CPU has a segment by any selector of the table, when others have run. */
static bool has_segments(void)
{
    const struct timespec moment = {0, 1000000};
    nanosleep(&moment, NULL);
    for (unsigned selector = 7; selector < 65536; selector += 8) {
        unsigned limit;
        bool is_there;
        __asm__("lsl %2, %0" : "=r"(limit), "=@ccz"(is_there) : "r"(selector));
        if (is_there)
            return true;
    }
    return false;
}

/* A table of segments, which grows before its first entry and behind it, and a copy for a child. */
int op_ldt(void)
{
    struct user_desc desc = {.entry_number = 40, .limit = 1, .seg_32bit = 1};
    if (syscall(SYS_modify_ldt, 0x11, &desc, sizeof desc))
        return has_segments() ? EBADMSG : errno;
    desc.entry_number = 2000;
    TRY(syscall(SYS_modify_ldt, 0x11, &desc, sizeof desc));
    return op_fork();
}
#endif

static void wait_while(unsigned *word, unsigned value)
{
    while (*(volatile unsigned *)word == value)
        syscall(SYS_futex, word, FUTEX_WAIT, value, NULL, NULL, 0);
}

static int sits(void *go)
{
    wait_while(go, 0);
    return 0;
}

/* A thread of which one leaves what both had; then one that is born with its own. */
int op_own_files(void)
{
    static char stack[16384] __attribute__((aligned(16)));
    static unsigned word, go;
    const int shared = CLONE_FILES | CLONE_FS,
              flags = CLONE_VM | CLONE_SIGHAND | CLONE_THREAD | CLONE_CHILD_CLEARTID;
    int error = 0;
    for (int own = 0; own < 2 && !error; own++) {
        word = 1;
        go = 0;
        TRY(clone(sits, stack + sizeof stack, own ? flags : flags | shared, &go, NULL, NULL,
                  &word));
        if (!own && unshare(shared))
            error = errno;
        *(volatile unsigned *)&go = 1;
        syscall(SYS_futex, &go, FUTEX_WAKE, 1, NULL, NULL, 0);
        wait_while(&word, 1);
    }
    return error;
}

/* A process of its own leaves a core, be it with failures or without; its blocks, 0: there is none.
 */
static long blocks_of_core(unsigned nth, unsigned count)
{
    struct stat core = {0};
    int status;
    pid_t pid = fork();
    if (!pid) {
        const struct rlimit all = {RLIM_INFINITY, RLIM_INFINITY};
        if (setrlimit(RLIMIT_CORE, &all) || chdir("/tmp") || (nth && !open_control()))
            _exit(WRONG);
        if (nth)
            arm(nth, count);
        raise(SIGABRT);
        _exit(WRONG);
    }
    if (pid < 0 || waitpid(pid, &status, 0) != pid || WIFEXITED(status))
        return -1;
    return WCOREDUMP(status) && !stat("/tmp/core", &core) ? (long)core.st_blocks : 0;
}

#define LEAST_OF_CORE 20u /* a core takes more allocations, of which some can be done without */

/* Those that fail are that process's, so this one says whether there were any: by what is in the
 * core. */
int op_core(void)
{
    if (write(control, "0", 1) != 1)
        return errno;
    long whole = blocks_of_core(0, 0);
    unlink("/tmp/core");
    if (whole <= 0)
        return EPROTO;
    if (!armed_nth)
        return 0;
    long got = blocks_of_core(armed_nth, armed_count);
    unlink("/tmp/core");
    if (got < 0)
        return EPROTO;
    if (got == whole && armed_nth > LEAST_OF_CORE)
        arm(MOST, 1); /* nothing has failed */
    return got == whole ? 0 : ENOMEM;
}

int op_signals(void)
{
    sigset_t set;
    siginfo_t info;
    timer_t timer;
    struct sigevent event = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGRTMIN + 1};
    struct itimerspec soon = {{0, 0}, {0, 1000}};
    struct timespec moment = {0, 100000000};
    sigemptyset(&set);
    sigaddset(&set, SIGRTMIN);
    sigaddset(&set, SIGRTMIN + 1);
    TRY(sigprocmask(SIG_BLOCK, &set, NULL));
    TRY(sigqueue(getpid(), SIGRTMIN, (union sigval){.sival_int = 5}));
    TRY(timer_create(CLOCK_MONOTONIC, &event, &timer));
    TRY(timer_settime(timer, 0, &soon, NULL));
    TRY(sigtimedwait(&set, &info, &moment));
    return 0;
}
