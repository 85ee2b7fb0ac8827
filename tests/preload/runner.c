/* tests/preload/runner.c: a process for each case */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "runner.h"

static _Noreturn void give_up(const char *what)
{
    fprintf(stderr, "%s: %s\n", what, strerror(errno));
    exit(2);
}

static long milliseconds(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static _Noreturn void become(char *const argv[], const char *preload, int out)
{
    int in = open("/dev/null", O_RDONLY);
    setpgid(0, 0);
    dup2(in, STDIN_FILENO);
    dup2(out, STDOUT_FILENO);
    dup2(out, STDERR_FILENO);
    if (preload)
        setenv("LD_PRELOAD", preload, 1);
    else
        unsetenv("LD_PRELOAD");
    execv(argv[0], argv);
    _exit(126);
}

/* Until the process and all its children have closed their ends; false: not in time. */
static bool read_output(struct run *run, int from, long deadline)
{
    char rest[1024];
    for (;;) {
        long left = deadline - milliseconds();
        struct pollfd wait = {.fd = from, .events = POLLIN};
        if (left <= 0)
            return false;
        if (poll(&wait, 1, (int)left) <= 0)
            continue;
        size_t room = sizeof run->output - 1 - run->length;
        ssize_t got =
            room ? read(from, run->output + run->length, room) : read(from, rest, sizeof rest);
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            return true;
        if (room)
            run->length += (size_t)got;
    }
}

/* The output may end before the process does. */
static bool wait_until(struct run *run, pid_t pid, long deadline)
{
    const struct timespec pause = {.tv_nsec = 1000000};
    while (waitpid(pid, &run->status, WNOHANG) == 0) {
        if (milliseconds() >= deadline)
            return false;
        nanosleep(&pause, NULL);
    }
    return true;
}

void run_process(struct run *run, char *const argv[], const char *preload, unsigned seconds)
{
    int ends[2];
    long deadline = milliseconds() + (long)seconds * 1000;
    memset(run, 0, sizeof *run);
    if (pipe2(ends, O_CLOEXEC))
        give_up("pipe");
    fflush(stdout);
    pid_t pid = fork();
    if (pid < 0)
        give_up("fork");
    if (!pid)
        become(argv, preload, ends[1]);
    close(ends[1]);
    bool in_time = read_output(run, ends[0], deadline) && wait_until(run, pid, deadline);
    kill(-pid, SIGKILL); /* children that it left behind, or itself */
    if (!in_time) {
        run->timed_out = true;
        while (waitpid(pid, &run->status, 0) < 0 && errno == EINTR)
            ;
    }
    close(ends[0]);
    run->output[run->length] = '\0';
}

void run_describe(const struct run *run, unsigned seconds, char *text, size_t size)
{
    if (run->timed_out)
        snprintf(text, size, "no end within %u s", seconds);
    else if (WIFSIGNALED(run->status))
        snprintf(text, size, "signal %d (%s)", WTERMSIG(run->status),
                 strsignal(WTERMSIG(run->status)));
    else
        snprintf(text, size, "status %d", WEXITSTATUS(run->status));
}

bool preload_is_loaded(void)
{
    const char *library = getenv("LD_PRELOAD");
    char line[512];
    bool found = !library || !*library;
    FILE *maps = found ? NULL : fopen("/proc/self/maps", "r");
    const char *name = library && strrchr(library, '/') ? strrchr(library, '/') + 1 : library;
    while (maps && !found && fgets(line, sizeof line, maps))
        found = strstr(line, name);
    if (maps)
        fclose(maps);
    return found;
}

void print_as_comment(const char *text)
{
    while (*text) {
        int length = (int)strcspn(text, "\n");
        printf("# %.*s\n", length, text);
        text += length + (text[length] == '\n');
    }
}
