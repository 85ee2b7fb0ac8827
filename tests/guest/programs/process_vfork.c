/* vfork, and clone without threads */
#include "say.h"

#include <pthread.h>
#include <sched.h>
#include <sys/resource.h>
#include <sys/stat.h>

static volatile int shared;

static __attribute__((noinline)) void by_vfork(void)
{
    int status;
    shared = 1;
    pid_t pid = vfork();
    if (!pid) {
        shared = 2;
        _exit(5);
    }
    printf("after vfork: %d\n", shared);
    TELL(waitpid(pid, &status, 0) == pid);
    say_status("it", status);
    pid = vfork();
    if (!pid) {
        execl("/no/such/file", "x", NULL);
        shared = errno == ENOENT ? 3 : 4;
        _exit(6);
    }
    printf("a failed exec in it: %d\n", shared);
    TELL(waitpid(pid, &status, 0) == pid);
}

/* Each has its own faults, though the memory is shared: what was before isn't the child's, what the
 * child does isn't its parent's. */
static void faults_by_vfork(void)
{
    struct rusage before, after, child = {0};
    volatile char *fresh = pages(64);
    getrusage(RUSAGE_SELF, &before);
    pid_t pid = vfork();
    if (!pid) {
        for (int i = 0; i < 64; i++)
            fresh[i * PAGE] = 1;
        _exit(0);
    }
    TELL(wait4(pid, NULL, 0, &child) == pid);
    getrusage(RUSAGE_SELF, &after);
    printf("faults of the child: %d, of its parent: %d\n",
           child.ru_minflt >= 64 && child.ru_minflt < 80, after.ru_minflt - before.ru_minflt < 16);
}

static int in_clone(void *argument)
{
    shared = *(int *)argument;
    return 9;
}

static void first_handler(int signal)
{
    (void)signal;
}

static void second_handler(int signal)
{
    (void)signal;
}

static int sets_handlers(void *argument)
{
    (void)argument;
    signal(SIGUSR2, second_handler);
    return 0;
}

static int execs_nothing(void *argument)
{
    (void)argument;
    execl("/proc/self/exe", "session", "--list", "--nothing", NULL);
    return 1;
}

static const char *handler_of(int number)
{
    struct sigaction action;
    sigaction(number, NULL, &action);
    return action.sa_handler == first_handler    ? "the first"
           : action.sa_handler == second_handler ? "the second"
           : action.sa_handler == SIG_DFL        ? "the default"
                                                 : "?";
}

/* Handlers that are shared, and descriptors of children. */
static void by_clone_with_more(char *stack)
{
    int status, pidfd = -1;
    signal(SIGUSR2, first_handler);
    pid_t pid = clone(sets_handlers, stack, CLONE_VM | SIGCHLD, NULL);
    waitpid(pid, &status, 0);
    printf("handlers of its own: %s\n", handler_of(SIGUSR2));
    pid = clone(sets_handlers, stack, CLONE_VM | CLONE_SIGHAND | SIGCHLD, NULL);
    waitpid(pid, &status, 0);
    printf("the same: %s\n", handler_of(SIGUSR2));
    fflush(stdout);
    int out = dup(1), nowhere = open("/dev/null", O_WRONLY);
    dup2(nowhere, 1);
    pid = clone(execs_nothing, stack, CLONE_VM | CLONE_SIGHAND | SIGCHLD, NULL);
    waitpid(pid, &status, 0);
    dup2(out, 1);
    close(nowhere);
    close(out);
    printf("after an exec of the other: %s\n", handler_of(SIGUSR2));
    signal(SIGUSR2, SIG_DFL);
    pid = clone(sets_handlers, stack, CLONE_PIDFD | SIGCHLD, NULL, &pidfd);
    struct pollfd ready = {pidfd, POLLIN, 0};
    printf("a descriptor: %d %d\n", pidfd > 2, fcntl(pidfd, F_GETFD) == FD_CLOEXEC);
    TELL(poll(&ready, 1, 10000));
    siginfo_t info = {0};
    TELL(waitid(P_PIDFD, (id_t)pidfd, &info, WEXITED));
    printf("it is the child's: %d\n", info.si_pid == pid);
    close(pidfd);
    TELL(clone(sets_handlers, stack, CLONE_PIDFD | CLONE_DETACHED | SIGCHLD, NULL, &pidfd));
    TELL(clone(sets_handlers, stack, CLONE_PIDFD | CLONE_PARENT_SETTID | SIGCHLD, NULL, &pidfd));
    TELL(clone(sets_handlers, stack, CLONE_PIDFD | SIGCHLD, NULL, (int *)8));
    pid = clone(sets_handlers, stack, CLONE_IO | CLONE_UNTRACED | SIGCHLD, NULL);
    printf("what makes no difference: %d\n", waitpid(pid, &status, 0) == pid);
}

static void by_clone(void)
{
    int status, number = 10;
    char *stack = pages(16);
    pid_t pid = clone(in_clone, stack + 16 * PAGE, SIGCHLD, &number);
    TELL(waitpid(pid, &status, 0) == pid);
    say_status("a copy", status);
    printf("its write isn't seen: %d\n", shared);
    number = 11;
    pid = clone(in_clone, stack + 16 * PAGE, CLONE_VM | SIGCHLD, &number);
    TELL(waitpid(pid, &status, 0) == pid);
    printf("with CLONE_VM it is: %d\n", shared);
    number = 12;
    pid = clone(in_clone, stack + 16 * PAGE, CLONE_VM | SIGUSR1, &number);
    signal(SIGUSR1, SIG_IGN);
    TELL(waitpid(pid, &status, 0));
    TELL(waitpid(pid, &status, __WCLONE) == pid);
    by_clone_with_more(stack + 16 * PAGE);
    TELL(clone(in_clone, stack + 16 * PAGE, CLONE_SIGHAND | SIGCHLD, &number));
    TELL(clone(in_clone, stack + 16 * PAGE, CLONE_THREAD | SIGCHLD, &number));
    TELL(clone(in_clone, stack + 16 * PAGE, CLONE_FS | CLONE_NEWNS, &number));
}

static int closes(void *argument)
{
    return close(*(int *)argument) || chdir("/");
}

static void what_is_shared(void)
{
    char cwd[256];
    int status, fd = open("file", O_RDWR | O_CREAT, 0600);
    char *stack = pages(16);
    pid_t pid = clone(closes, stack + 16 * PAGE, CLONE_VM | SIGCHLD, &fd);
    waitpid(pid, &status, 0);
    say_status("files of its own", status);
    TELL(fcntl(fd, F_GETFD));
    pid = clone(closes, stack + 16 * PAGE, CLONE_VM | CLONE_FILES | CLONE_FS | SIGCHLD, &fd);
    waitpid(pid, &status, 0);
    say_status("the same files and folder", status);
    TELL(fcntl(fd, F_GETFD));
    printf("we are in %s\n", getcwd(cwd, sizeof cwd));
}

static int opens(void *argument)
{
    (void)argument;
    umask(0123);
    return open("file", O_RDONLY);
}

static int leaves_the_table(void *argument)
{
    close_range(*(unsigned *)argument, *(unsigned *)argument, 2 /* CLOSE_RANGE_UNSHARE */);
    return fcntl(*(int *)argument, F_GETFD) < 0;
}

static int execs(void *argument)
{
    fcntl(*(int *)argument, F_SETFD, FD_CLOEXEC);
    execl("/proc/self/exe", "session", "--list", NULL);
    return 99;
}

/* One opens, the other has it; close_range and exec take a table of one's own first. */
static void what_is_shared_until_when(void)
{
    int status, fd = open("file", O_RDWR | O_CREAT, 0600);
    char *stack = pages(16);
    pid_t pid = clone(opens, stack + 16 * PAGE, CLONE_FILES | CLONE_FS | SIGCHLD, NULL);
    waitpid(pid, &status, 0);
    printf("opened there: %d, umask %o\n", WEXITSTATUS(status) == fd + 1, umask(022));
    TELL(close(fd + 1));
    pid = clone(leaves_the_table, stack + 16 * PAGE, CLONE_FILES | SIGCHLD, &fd);
    waitpid(pid, &status, 0);
    say_status("a table of its own", status);
    TELL(fcntl(fd, F_GETFD));
    fflush(stdout);
    pid = clone(execs, stack + 16 * PAGE, CLONE_FILES | SIGCHLD, &fd);
    waitpid(pid, &status, 0);
    say_status("a program of its own", status);
    TELL(fcntl(fd, F_GETFD));
}

/* ---- a pidfd, while its maker waits for the child -------------------------------------------- */

static volatile int pidfd = -1;
static int go[2];

static void *reaps(void *argument)
{
    int status, fd;
    while ((fd = pidfd) < 0)
        usleep(1000);
    struct pollfd poll_it = {.fd = fd, .events = POLLIN};
    while (fcntl(fd, F_GETFD) < 0) /* the number comes before what it is of */
        usleep(1000);
    printf("its flags: %d, it has ended: %d\n", fcntl(fd, F_GETFD), poll(&poll_it, 1, 0));
    (void)!write(go[1], "", 1);
    pid_t pid = waitpid(-1, &status, __WALL);
    printf("somebody ended: %d\n", pid > 0);
    say_status("the child", status);
    return argument;
}

static void reaped_by_another(void)
{
    pthread_t thread;
    char byte;
    if (pipe(go))
        return;
    pthread_create(&thread, NULL, reaps, NULL);
    long pid = syscall(SYS_clone, CLONE_PIDFD | CLONE_VFORK | SIGCHLD, 0, &pidfd, 0, 0);
    if (!pid)
        _exit(read(go[0], &byte, 1) == 1 ? 5 : 6);
    pthread_join(thread, NULL);
    struct pollfd poll_it = {.fd = pidfd, .events = POLLIN};
    poll(&poll_it, 1, -1);
    printf("it has ended: %d\n", poll_it.revents & POLLIN);
    TELL(syscall(SYS_pidfd_send_signal, pidfd, 0, NULL, 0));
    TELL(waitpid((pid_t)pid, NULL, __WALL));
    close(pidfd);
}

int main(void)
{
    signal(SIGUSR1, SIG_IGN);
    by_vfork();
    faults_by_vfork();
    by_clone();
    what_is_shared();
    what_is_shared_until_when();
    reaped_by_another();
    return 0;
}
