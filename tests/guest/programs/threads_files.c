/* Threads that have open files, directories or a umask of their own: clone, unshare, close_range */
#include "say.h"

#include <limits.h>
#include <linux/close_range.h>
#include <linux/futex.h>
#include <pthread.h>
#include <sched.h>
#include <sys/resource.h>
#include <sys/stat.h>

#define THREAD (CLONE_VM | CLONE_SIGHAND | CLONE_THREAD | CLONE_SYSVSEM)
#define HIGH 50 /* a descriptor that nobody else has */

static char home[PATH_MAX];
static char stack[65536] __attribute__((aligned(64)));
static unsigned its_word;
static int its_id;

static void wait_while(unsigned *word, unsigned value)
{
    while (*(volatile unsigned *)word == value)
        syscall(SYS_futex, word, FUTEX_WAIT, value, NULL, NULL, 0);
}

static void set(unsigned *word, unsigned value)
{
    *(volatile unsigned *)word = value;
    syscall(SYS_futex, word, FUTEX_WAKE, INT_MAX, NULL, NULL, 0);
}

/* A thread that C libraries don't make. It has their storage together with who waits for it. */
static void begin(int (*run)(void *), unsigned flags)
{
    its_word = 1;
    its_id = clone(run, stack + sizeof stack, (int)(THREAD | flags | CLONE_CHILD_CLEARTID), NULL,
                   NULL, NULL, &its_word);
    if (its_id < 0)
        printf("clone: %s\n", error_name(errno));
}

/* Its word is cleared before it gives up its files, and its number is nobody's after that. */
static void await_end(void)
{
    wait_while(&its_word, 1);
    while (!syscall(SYS_tgkill, getpid(), its_id, 0))
        usleep(1000);
}

static void run_thread(int (*run)(void *), unsigned flags)
{
    begin(run, flags);
    await_end();
}

static bool is_open(int fd)
{
    return fcntl(fd, F_GETFD) >= 0;
}

static unsigned get_umask(void)
{
    unsigned mask = umask(0);
    umask(mask);
    return mask;
}

static void say_where(const char *who)
{
    char here[PATH_MAX] = "";
    const char *place = getcwd(here, sizeof here) && !strcmp(here, home) ? "at home" : here;
    printf("%s: %s, umask %03o, descriptor %s, input %s\n", who, place, get_umask(),
           is_open(HIGH) ? "open" : "closed", is_open(0) ? "open" : "closed");
}

/* What /proc has of a thread: of the one that asks, or of the process. */
static void say_proc(const char *who)
{
    char name[64], to[PATH_MAX] = "", line[128], *found = NULL;
    for (int i = 0; i < 2; i++) {
        snprintf(name, sizeof name, "/proc/%s/fd/%d", i ? "thread-self" : "self", HIGH);
        bool there = !access(name, F_OK);
        snprintf(name, sizeof name, "/proc/%s/cwd", i ? "thread-self" : "self");
        ssize_t length = readlink(name, to, sizeof to - 1);
        to[length > 0 ? length : 0] = '\0';
        snprintf(name, sizeof name, "/proc/%s/status", i ? "thread-self" : "self");
        FILE *status = fopen(name, "r");
        while (status && !found && fgets(line, sizeof line, status))
            found = strstr(line, "Umask:");
        printf("%s, %s: descriptor %d, %s, %s", who, i ? "the thread" : "the process", there,
               length < 0         ? error_name(errno)
               : strcmp(to, home) ? to
                                  : "at home",
               found ? found : "no umask\n");
        found = NULL;
        if (status)
            fclose(status);
    }
}

static int changes_all(void *argument)
{
    (void)argument;
    dup2(1, HIGH);
    close(0);
    TELL(chdir("/"));
    umask(077);
    say_where("the thread");
    say_proc("in the thread");
    return 0;
}

/* Afterwards all is as before, but for what the thread shared. */
static void one_kind(const char *what, unsigned flags)
{
    int kept = dup(0);
    run_thread(changes_all, flags);
    say_where(what);
    say_proc(what);
    close(HIGH);
    dup2(kept, 0);
    close(kept);
    umask(022);
    if (chdir(home))
        printf("no way back\n");
}

static void four_kinds(void)
{
    one_kind("both shared", CLONE_FILES | CLONE_FS);
    one_kind("files shared", CLONE_FILES);
    one_kind("directories shared", CLONE_FS);
    one_kind("nothing shared", 0);
}

/* ---- what a table keeps open ----------------------------------------------------------------- */

static unsigned may_go;
static int ends[2];

static int stays(void *argument)
{
    (void)argument;
    wait_while(&may_go, 0);
    return 0;
}

static void pipe_of_two_tables(void)
{
    char byte;
    may_go = 0;
    TELL(pipe2(ends, O_NONBLOCK));
    begin(stays, CLONE_FS);
    close(ends[1]);
    TELL(read(ends[0], &byte, 1));
    set(&may_go, 1);
    await_end();
    TELL(read(ends[0], &byte, 1)); /* the thread's end has closed the other one */
    close(ends[0]);
}

static int locked;
static unsigned has_locked;

static int locks(void *argument)
{
    struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = 10, .l_len = 5};
    (void)argument;
    TELL(fcntl(locked, F_SETLK, &lock));
    set(&has_locked, 1);
    wait_while(&may_go, 0);
    return 0;
}

static void say_lock(const char *when)
{
    struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
    if (fcntl(locked, F_GETLK, &lock))
        printf("F_GETLK: %s\n", error_name(errno));
    else if (lock.l_type == F_UNLCK)
        printf("%s: free\n", when);
    else
        printf("%s: %ld bytes from %ld on, by %s\n", when, (long)lock.l_len, (long)lock.l_start,
               lock.l_pid == getpid() ? "this process" : "another");
}

/* A table is who owns a lock. */
static void locks_of_two_tables(void)
{
    locked = letters("locked", PAGE);
    for (int shared = 0; shared < 2; shared++) {
        may_go = has_locked = 0;
        begin(locks, shared ? CLONE_FILES | CLONE_FS : 0);
        wait_while(&has_locked, 0);
        say_lock(shared ? "of the same table" : "of another table");
        set(&may_go, 1);
        await_end();
        say_lock("when the thread has ended");
    }
    close(locked);
    unlink("locked");
}

/* ---- unshare, close_range -------------------------------------------------------------------- */

static void *leaves_files(void *argument)
{
    TELL(unshare(CLONE_FILES));
    dup2(1, HIGH);
    close(0);
    chdir("/");
    say_where("without the others' files");
    TELL(unshare(CLONE_FILES));
    return argument;
}

static void *leaves_directories(void *argument)
{
    TELL(unshare(CLONE_FS | CLONE_SYSVSEM));
    chdir("/");
    umask(070);
    dup2(1, HIGH);
    say_where("without the others' directories");
    return argument;
}

static void *closes_a_range(void *argument)
{
    dup2(1, HIGH);
    TELL(close_range(HIGH, UINT_MAX, CLOSE_RANGE_UNSHARE));
    TELL(close_range(0, 0, CLOSE_RANGE_UNSHARE | CLOSE_RANGE_CLOEXEC));
    printf("marked: %d\n", fcntl(0, F_GETFD));
    say_where("with a range closed");
    return argument;
}

/* Of a process with several threads. */
static void *asks_for_more(void *argument)
{
    TELL(unshare(0));
    TELL(unshare(CLONE_THREAD));
    TELL(unshare(CLONE_SIGHAND));
    TELL(unshare(CLONE_VM));
    TELL(unshare(CLONE_NEWUSER));
    TELL(unshare(CLONE_VFORK));
    TELL(unshare(CLONE_FILES | CLONE_PARENT));
    TELL(unshare(CLONE_FILES | CLONE_SETTLS));
    return argument;
}

static void leaving(void *(*run)(void *))
{
    pthread_t thread;
    pthread_create(&thread, NULL, run, NULL);
    pthread_join(thread, NULL);
    say_where("its maker");
    printf("input's mark: %d\n", fcntl(0, F_GETFD));
    close(HIGH);
    umask(022);
    if (chdir(home))
        printf("no way back\n");
}

static int has_our_memory(void *argument)
{
    (void)argument;
    TELL(unshare(CLONE_VM));
    TELL(unshare(CLONE_SIGHAND));
    TELL(unshare(CLONE_FILES | CLONE_FS));
    dup2(1, HIGH);
    chdir("/");
    say_where("a process with our memory");
    fflush(stdout);
    return 0;
}

/* A process alone has what can't be left for itself; one that shares it hasn't. */
static void processes_leave(void)
{
    TELL(unshare(CLONE_THREAD));
    TELL(unshare(CLONE_SIGHAND));
    TELL(unshare(CLONE_VM));
    TELL(unshare(CLONE_FILES | CLONE_FS | CLONE_SYSVSEM));
    static const unsigned more[] = {CLONE_FILES | CLONE_FS, CLONE_FILES | CLONE_FS | CLONE_SIGHAND};
    for (unsigned i = 0; i < COUNT(more); i++) {
        int status;
        pid_t pid = clone(has_our_memory, stack + sizeof stack,
                          (int)(CLONE_VM | CLONE_VFORK | more[i] | SIGCHLD), NULL);
        if (waitpid(pid, &status, 0) != pid)
            printf("no child: %s\n", error_name(errno));
        say_status("it", status);
        say_where("its parent");
    }
}

/* ---- limits, exec, the first thread's end ---------------------------------------------------- */

static int wants_high_ones(void *argument)
{
    (void)argument;
    set(&has_locked, 1);
    wait_while(&may_go, 0);
    TELL(fcntl(1, F_DUPFD, 70));
    TELL(fcntl(1, F_DUPFD, 69));
    TELL(fcntl(1, F_DUPFD, 69));
    return 0;
}

/* A limit that is lowered is lower for all tables of the process. */
static void limits(void)
{
    struct rlimit limit;
    getrlimit(RLIMIT_NOFILE, &limit);
    may_go = has_locked = 0;
    begin(wants_high_ones, 0);
    wait_while(&has_locked, 0);
    limit.rlim_cur = 70;
    TELL(setrlimit(RLIMIT_NOFILE, &limit));
    set(&may_go, 1);
    await_end();
}

static void *execs(void *argument)
{
    unshare(CLONE_FILES | CLONE_FS);
    dup2(1, HIGH);
    dup3(1, HIGH + 1, O_CLOEXEC);
    close(0);
    chdir("/");
    umask(077);
    execl("/proc/self/exe", program_invocation_name, "--only", "threads_files", "begun", NULL);
    printf("not begun: %s\n", error_name(errno));
    return argument;
}

static void exec_with_its_own(void)
{
    pthread_t thread;
    pthread_create(&thread, NULL, execs, NULL);
    pthread_join(thread, NULL);
}

static int outlives(void *argument)
{
    char name[64], line[128];
    struct stat st;
    (void)argument;
    do { /* its letter is Z when it has ended */
        snprintf(name, sizeof name, "/proc/self/task/%d/stat", getpid());
        int fd = open(name, O_RDONLY);
        ssize_t got = fd < 0 ? 0 : read(fd, line, sizeof line - 1);
        line[got > 0 ? got : 0] = '\0';
        close(fd);
        usleep(1000);
    } while (*line && !strstr(line, ") Z"));
    say_proc("when the first thread has ended");
    say_where("the other one");
    TELL(stat("/proc/self/fd/1", &st));
    TELL(stat("/proc/thread-self/fd/1", &st));
    fflush(stdout);
    syscall(SYS_exit_group, 9);
    return 0;
}

static void the_first_goes(void)
{
    begin(outlives, CLONE_FILES | CLONE_FS);
    syscall(SYS_exit, 0);
}

int main(int argc, char **argv)
{
    if (argc > 1 && !strcmp(argv[argc - 1], "begun")) {
        say_where("the program that a thread began");
        printf("to be closed: %d\n", is_open(HIGH + 1));
        return 8;
    }
    if (!getcwd(home, sizeof home))
        return 1;
    umask(022);
    four_kinds();
    pipe_of_two_tables();
    locks_of_two_tables();
    leaving(leaves_files);
    leaving(leaves_directories);
    leaving(closes_a_range);
    leaving(asks_for_more);
    IN_CHILD(processes_leave);
    IN_CHILD(limits);
    IN_CHILD(exec_with_its_own);
    IN_CHILD(the_first_goes);
    return 0;
}
