/* fork, exit and wait: who is told what */
#include "say.h"

#include <sys/resource.h>

static pid_t child_exits(int code)
{
    pid_t pid = fork();
    if (!pid)
        _exit(code);
    return pid;
}

static pid_t child_sleeps(void)
{
    pid_t pid = fork();
    if (!pid)
        for (;;)
            pause();
    return pid;
}

static void statuses(void)
{
    int status;
    waitpid(child_exits(0), &status, 0);
    say_status("exit(0)", status);
    waitpid(child_exits(255), &status, 0);
    say_status("exit(255)", status);
    waitpid(child_exits(256 + 7), &status, 0);
    say_status("exit(263)", status);
    waitpid(child_exits(-1), &status, 0);
    say_status("exit(-1)", status);
    pid_t pid = child_sleeps();
    TELL(kill(pid, SIGTERM));
    waitpid(pid, &status, 0);
    say_status("kill TERM", status);
    pid = child_sleeps();
    TELL(kill(pid, SIGKILL));
    waitpid(pid, &status, 0);
    say_status("kill KILL", status);
}

static void errors(void)
{
    int status = 77;
    TELL(waitpid(-1, &status, 0));
    TELL(waitpid(1, &status, 0));
    TELL(waitpid(-1, &status, 0x100));
    TELL(wait4(-1, NULL, WNOHANG, NULL));
    pid_t pid = child_sleeps();
    TELL(waitpid(-1, &status, WNOHANG));
    TELL(waitpid(pid, &status, WNOHANG));
    printf("status is as it was: %d\n", status);
    kill(pid, SIGKILL);
    TELL(waitpid(pid, (int *)8, 0) == -1 ? (int)errno == EFAULT : -2);
    TELL(waitpid(pid, &status, 0));
}

static void show_info(const char *what, int result, const siginfo_t *info, pid_t pid)
{
    static const char *const codes[] = {"?",       "EXITED",  "KILLED",   "DUMPED",
                                        "TRAPPED", "STOPPED", "CONTINUED"};
    if (result)
        printf("%s: %s\n", what, error_name(errno));
    else if (!info->si_pid)
        printf("%s: nobody\n", what);
    else
        printf("%s: SIG%s, %s, %s %d\n", what, sigabbrev_np(info->si_signo),
               info->si_code >= 0 && info->si_code < 7 ? codes[info->si_code] : "?",
               info->si_pid == pid ? "the child," : "another,", info->si_status);
}

static void infos(void)
{
    siginfo_t info = {0};
    pid_t pid = child_exits(42);
    int result = waitid(P_PID, (id_t)pid, &info, WEXITED | WNOWAIT);
    show_info("WNOWAIT", result, &info, pid);
    result = waitid(P_ALL, 0, &info, WEXITED);
    show_info("and again", result, &info, pid);
    result = waitid(P_ALL, 0, &info, WEXITED);
    show_info("and again", result, &info, pid);
    pid = child_sleeps();
    result = waitid(P_PID, (id_t)pid, &info, WEXITED | WNOHANG);
    show_info("WNOHANG", result, &info, pid);
    TELL(waitid(P_PID, (id_t)pid, &info, 0));
    TELL(waitid(P_PID, (id_t)pid, &info, WNOHANG));
    TELL(waitid((idtype_t)99, (id_t)pid, &info, WEXITED));
    kill(pid, SIGSTOP);
    result = waitid(P_PID, (id_t)pid, &info, WSTOPPED);
    show_info("STOP", result, &info, pid);
    kill(pid, SIGCONT);
    result = waitid(P_PID, (id_t)pid, &info, WCONTINUED);
    show_info("CONT", result, &info, pid);
    kill(pid, SIGUSR1);
    result = waitid(P_PID, (id_t)pid, &info, WEXITED | WSTOPPED | WCONTINUED);
    show_info("USR1", result, &info, pid);
}

static void stopped(void)
{
    int status;
    pid_t pid = child_sleeps();
    kill(pid, SIGTSTP);
    waitpid(pid, &status, WUNTRACED);
    say_status("TSTP", status);
    TELL(waitpid(pid, &status, WUNTRACED | WNOHANG)); /* told once */
    kill(pid, SIGTERM);                               /* waits until it goes on */
    TELL(waitpid(pid, &status, WUNTRACED | WNOHANG));
    kill(pid, SIGCONT);
    waitpid(pid, &status, 0);
    say_status("TERM, then CONT", status);
    pid = child_sleeps();
    kill(pid, SIGSTOP);
    waitpid(pid, &status, WUNTRACED);
    kill(pid, SIGKILL);
    waitpid(pid, &status, 0);
    say_status("KILL while stopped", status);
}

static void ignored_children(void)
{
    signal(SIGCHLD, SIG_IGN);
    child_exits(3);
    int status;
    TELL(waitpid(-1, &status, 0)); /* waits until it is gone, then there is none */
    signal(SIGCHLD, SIG_DFL);
    struct sigaction action = {.sa_handler = SIG_DFL, .sa_flags = SA_NOCLDWAIT};
    sigaction(SIGCHLD, &action, NULL);
    child_exits(3);
    TELL(waitpid(-1, &status, 0));
    action.sa_flags = 0;
    sigaction(SIGCHLD, &action, NULL);
}

static void orphans(void)
{
    int ends[2], status;
    char byte = 0;
    if (pipe(ends))
        return;
    pid_t pid = fork();
    if (!pid) {
        pid_t parent = getpid();
        if (!fork()) {
            while (getppid() == parent)
                usleep(1000);
            byte = 'o';
            _exit(write(ends[1], &byte, 1) != 1);
        }
        _exit(0);
    }
    waitpid(pid, &status, 0);
    TELL(read(ends[0], &byte, 1));
    printf("an orphan has another parent: %c\n", byte);
    TELL(waitpid(-1, &status, 0)); /* it isn't ours */
}

static void of_groups(void)
{
    int status;
    pid_t one = child_sleeps(), two = child_sleeps();
    TELL(setpgid(one, 0));
    TELL(setpgid(two, one));
    printf("the same group: %d\n", getpgid(one) == one && getpgid(two) == one);
    TELL(waitpid(0, &status, WNOHANG));
    TELL(waitpid(-one, &status, WNOHANG));
    TELL(killpg(one, SIGHUP));
    printf("one of the group: %d\n", waitpid(-one, &status, 0) > 0);
    printf("the other: %d\n", waitpid(-one, &status, 0) > 0);
    say_status("it", status);
    TELL(waitpid(-one, &status, 0));
    TELL(setpgid(one, 0));
    TELL(setpgid(0, -5));
    TELL(setpgid(1, 0));
    TELL(getpgid(-1));
}

/* ---- what children used ---------------------------------------------------------------------- */

static long children_kib(void)
{
    struct rusage usage;
    getrusage(RUSAGE_CHILDREN, &usage);
    return usage.ru_maxrss;
}

_Noreturn static void uses(unsigned mib)
{
    size_t size = (size_t)mib << 20;
    char *at = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    memset(at, 1, size);
    _exit(0);
}

static pid_t child_uses(unsigned mib)
{
    pid_t pid = fork();
    if (!pid)
        uses(mib);
    return pid;
}

static bool is_about(long kib, long mib)
{
    return kib >= mib << 10 && kib < (mib + 6) << 10;
}

static pid_t child_has_child_use(unsigned mib)
{
    pid_t pid = fork();
    if (!pid) {
        waitpid(child_uses(mib), NULL, 0);
        printf("a grandchild's, to its parent: %d\n", is_about(children_kib(), mib));
        uses(1);
    }
    return pid;
}

static void peaks(void)
{
    struct rusage usage;
    int status;
    printf("little before: %d\n", children_kib() < 8 << 10);
    signal(SIGCHLD, SIG_IGN);
    pid_t pid = child_uses(20);
    while (!kill(pid, 0))
        usleep(1000);
    signal(SIGCHLD, SIG_DFL);
    printf("of one that nobody waits for: %d\n", children_kib() < 8 << 10);
    pid = child_uses(9);
    waitid(P_PID, (id_t)pid, &(siginfo_t){0}, WEXITED | WNOWAIT);
    printf("of a zombie: %d\n", children_kib() < 8 << 10);
    wait4(pid, &status, 0, &usage);
    printf("a child's: %d %d\n", is_about(usage.ru_maxrss, 9), is_about(children_kib(), 9));
    wait4(child_has_child_use(14), &status, 0, &usage);
    printf("with its child's: %d %d\n", is_about(usage.ru_maxrss, 14),
           is_about(children_kib(), 14));
    wait4(child_uses(1), &status, 0, &usage);
    printf("a smaller one's: %d %d\n", usage.ru_maxrss < 8 << 10, is_about(children_kib(), 14));
}

/* ---- a signal and a child -------------------------------------------------------------------- */

static volatile int nr_signals;

static void counts(int signal)
{
    (void)signal;
    nr_signals++;
}

/* The end of a child wakes who waits for it, and sends a signal with a handler: it is told of the
 * child. Only a signal without a child interrupts. */
static void interrupted(void)
{
    struct sigaction action = {.sa_handler = counts}, old;
    int status, told = 0;
    sigaction(SIGCHLD, &action, &old);
    for (unsigned i = 0; i < 20; i++) {
        pid_t pid = fork();
        if (!pid) {
            usleep(2000);
            _exit(0);
        }
        told += waitpid(pid, &status, 0) == pid;
    }
    printf("told of %d, after %d signals\n", told, nr_signals);
    pid_t sleeper = child_sleeps(), pid = fork();
    if (!pid) {
        usleep(20000);
        _exit(0); /* a child that isn't asked for */
    }
    TELL(waitpid(sleeper, &status, 0));
    kill(sleeper, SIGKILL);
    printf("both: %d\n",
           (waitpid(sleeper, &status, 0) == sleeper) + (waitpid(pid, &status, 0) == pid));
    sigaction(SIGCHLD, &old, NULL);
}

/* O_NONBLOCK of a pidfd is as WNOHANG, but for what is answered. */
static void impatient(void)
{
    siginfo_t info;
    pid_t pid = child_sleeps();
    int fd = (int)syscall(SYS_pidfd_open, pid, O_NONBLOCK);
    struct pollfd ended = {.fd = fd, .events = POLLIN};
    memset(&info, 1, sizeof info);
    TELL(waitid(P_PIDFD, (id_t)fd, &info, WEXITED));
    printf("info of nobody: %d %d %d\n", info.si_signo, info.si_code, info.si_pid);
    TELL(waitid(P_PIDFD, (id_t)fd, &info, WEXITED | WNOHANG));
    TELL(waitid(P_PIDFD, (id_t)fd, NULL, WSTOPPED));
    kill(pid, SIGKILL);
    TELL(poll(&ended, 1, -1));
    TELL(waitid(P_PIDFD, (id_t)fd, &info, WEXITED));
    printf("it: %d, by %d\n", info.si_pid == pid, info.si_status);
    TELL(waitid(P_PIDFD, (id_t)fd, &info, WEXITED));
    printf("info of nobody: %d %d %d\n", info.si_signo, info.si_code, info.si_pid);
    close(fd);
}

/* Numbers beyond the last signal's are no signal's, for clone; clone3 takes none. */
static void without_a_signal(void)
{
    const unsigned long numbers[] = {0, 65, 100, 255};
    int status;
    for (unsigned i = 0; i < COUNT(numbers); i++) {
        long pid = syscall(SYS_clone, numbers[i], 0, 0, 0, 0);
        if (!pid)
            _exit(7);
        printf("%lu: %d", numbers[i], pid > 0);
        tell(", waitpid", waitpid((pid_t)pid, &status, 0));
        printf("by __WCLONE: %d\n", waitpid((pid_t)pid, &status, __WCLONE) == pid);
        say_status("its status", status);
    }
}

int main(void)
{
    peaks();
    interrupted();
    statuses();
    impatient();
    errors();
    infos();
    stopped();
    ignored_children();
    orphans();
    of_groups();
    without_a_signal();
    return 0;
}
