/* execve: what a program is begun with, what stays, what it refuses
 *
 * It runs itself with a word that says what to look at.
 */
#include "say.h"

#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

extern char **environ;

/* In the common binary the program's name comes first. */
#define NAME "process_exec"

static void start(const char *what)
{
    char *const arguments[] = {program_invocation_name, "--only", NAME, (char *)(uintptr_t)what,
                               NULL};
    char *const environment[] = {"A=1", "B=two", NULL};
    execve(program_invocation_name, arguments, environment);
    printf("not started: %s\n", error_name(errno));
    _exit(1);
}

static void child_starts(const char *what)
{
    int status;
    pid_t pid = fork();
    if (!pid)
        start(what);
    waitpid(pid, &status, 0);
    say_status(what, status);
}

static void handler(int signal)
{
    printf("caught %d\n", signal);
}

static void what_stays(void)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGUSR2);
    sigprocmask(SIG_BLOCK, &set, NULL);
    signal(SIGUSR1, handler);
    signal(SIGHUP, SIG_IGN);
    raise(SIGUSR2); /* stays pending */
    int kept = open("kept", O_RDWR | O_CREAT, 0600);
    int closed = open("closed", O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    TELL(dup2(kept, 50));
    TELL(dup2(closed, 51)); /* without the flag */
    TELL(fcntl(51, F_SETFD, FD_CLOEXEC));
    TELL(write(50, "kept", 4));
    TELL(umask(027));
    alarm(1000000);
    start("stays");
}

static void look_at_what_stays(void)
{
    sigset_t set;
    struct sigaction action;
    sigprocmask(SIG_BLOCK, NULL, &set);
    printf("USR2 is blocked: %d\n", sigismember(&set, SIGUSR2));
    sigpending(&set);
    printf("and pending: %d\n", sigismember(&set, SIGUSR2));
    sigaction(SIGUSR1, NULL, &action);
    printf("a handler is gone: %d\n", action.sa_handler == SIG_DFL);
    sigaction(SIGHUP, NULL, &action);
    printf("ignored stays: %d\n", action.sa_handler == SIG_IGN);
    TELL(lseek(50, 0, SEEK_CUR));
    TELL(fcntl(51, F_GETFD));
    TELL(umask(022));
    printf("the alarm goes on: %d\n", alarm(0) > 900000);
}

static void refusals(void)
{
    char *const arguments[] = {"x", NULL};
    char *const *volatile wrong = (char *const *)8;
    int fd = open("script", O_WRONLY | O_CREAT, 0700);
    TELL(execve("nothing", arguments, environ));
    TELL(execve("", arguments, environ));
    TELL(execve(".", arguments, environ));
    TELL(execve("script", arguments, environ)); /* open for writing */
    close(fd);
    TELL(execve("script", arguments, environ)); /* empty */
    fd = open("script", O_WRONLY);
    TELL(write(fd, "not a program\n", 14));
    close(fd);
    TELL(execve("script", arguments, environ));
    TELL(chmod("script", 0600));
    TELL(execve("script", arguments, environ));
    TELL(chmod("script", 0700));
    fd = open("script", O_WRONLY | O_TRUNC);
    TELL(write(fd, "#!/no/such/interpreter\n", 23));
    close(fd);
    TELL(execve("script", arguments, environ));
    fd = open("script", O_WRONLY | O_TRUNC);
    TELL(write(fd, "\177ELF\2\1\1", 7));
    close(fd);
    TELL(execve("script", arguments, environ));
    TELL(execve("script/x", arguments, environ));
    TELL(execve("script", wrong, environ));
}

/* What can't be run isn't opened for that: nobody writes to the FIFO. */
static void other_kinds(void)
{
    char *const arguments[] = {"x", NULL};
    struct sockaddr_un name = {.sun_family = AF_UNIX, .sun_path = "listener"};
    TELL(mkfifo("fifo", 0777));
    TELL(execve("fifo", arguments, environ));
    TELL(execve("/dev/null", arguments, environ));
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);
    TELL(bind(fd, (const struct sockaddr *)&name, sizeof name));
    TELL(chmod("listener", 0777));
    TELL(execve("listener", arguments, environ));
    TELL(unlink("listener"));
    TELL(unlink("fifo"));
    close(fd);
}

static void by_script(void)
{
    int status, fd = open("run", O_WRONLY | O_CREAT, 0700);
    char *const arguments[] = {"run", "script", NULL};
    dprintf(fd, "#!%s --script\n", program_invocation_name);
    close(fd);
    pid_t pid = fork();
    if (!pid) {
        execv("./run", arguments);
        printf("run: %s\n", error_name(errno));
        _exit(1);
    }
    waitpid(pid, &status, 0);
    say_status("script", status);
}

static void too_long(void)
{
    static char big[200 * 1024];
    char *arguments[] = {program_invocation_name, "--only", NAME, big, NULL};
    memset(big, 'x', sizeof big - 1);
    TELL(execve(program_invocation_name, arguments, environ)); /* a string of more than 32 pages */
}

static void open_while_it_runs(void)
{
    TELL(open(program_invocation_name, O_WRONLY));
}

static void copy_program(const char *name)
{
    static char block[65536];
    char *const arguments[] = {(char *)name, "--only", NAME, "script", NULL};
    int from = open(program_invocation_name, O_RDONLY), to = open(name, O_WRONLY | O_CREAT, 0700);
    for (long got; (got = read(from, block, sizeof block)) > 0;)
        if (write(to, block, (size_t)got) != got)
            perror(name);
    TELL(execve(name, arguments, environ)); /* open for writing */
    close(from);
    close(to);
}

static void change_while_it_runs(void)
{
    int ends[2], started[2];
    siginfo_t info;
    char byte;
    copy_program("copy");
    if (pipe(ends) || pipe(started))
        return;
    pid_t pid = fork();
    if (!pid) {
        dup2(ends[0], 0);
        dup2(started[1], 1);
        close(ends[1]);
        execv("./copy", (char *[]){"copy", "--only", NAME, "waits", NULL});
        _exit(1);
    }
    TELL(read(started[0], &byte, 1));
    TELL(open("copy", O_RDWR));
    TELL(open("copy", O_RDONLY | O_TRUNC));
    TELL(truncate("copy", 0));
    TELL_DONE(open("copy", O_RDONLY));
    close(ends[0]);
    close(ends[1]);
    TELL(waitid(P_PID, (id_t)pid, &info, WEXITED | WNOWAIT));
    TELL(truncate("copy", 0)); /* nobody has waited, but it has ended */
    TELL_DONE(open("copy", O_RDWR));
    TELL(waitid(P_PID, (id_t)pid, &info, WEXITED));
    TELL(unlink("copy"));
}

/* The right to run is enough. Root, who may read everything, becomes somebody else. */
static void run_unreadable(void)
{
    char *const arguments[] = {"copy", "--only", NAME, "it can't read itself", "script", NULL};
    int status;
    copy_program("copy");
    TELL(chmod("copy", 0111));
    TELL(chmod(".", 0755));
    pid_t pid = fork();
    if (!pid) {
        if (!getuid() && setresuid(99, 99, 99))
            _exit(1);
        TELL(open("copy", O_RDONLY));
        fflush(stdout);
        execv("./copy", arguments);
        printf("copy: %s\n", error_name(errno));
        _exit(1);
    }
    waitpid(pid, &status, 0);
    say_status("run, but not read", status);
    TELL(unlink("copy"));
}

int main(int argc, char **argv)
{
    const char *what = argc > 1 ? argv[argc - 1] : "";
    if (!strcmp(what, "arguments")) {
        printf("%s; environment %s %s, then %d\n", what, environ[0], environ[1],
               environ[2] == NULL);
        return 12;
    }
    if (!strcmp(what, "stays")) {
        look_at_what_stays();
        return 0;
    }
    if (!strcmp(what, "waits")) {
        char byte = 'r';
        return write(1, &byte, 1) == 1 && !read(0, &byte, 1) ? 0 : 1;
    }
    if (!strcmp(what, "script")) {
        printf("by a script: its name is %s\n", argv[argc - 2]);
        return 0;
    }
    child_starts("arguments");
    IN_CHILD(what_stays);
    refusals();
    other_kinds();
    by_script();
    too_long();
    open_while_it_runs();
    change_while_it_runs();
    run_unreadable();
    return 0;
}
