/* bench/machine/pressure.c: what a program costs whose memory is short
 *
 *     pressure [--leave=KIB] [--lines=COUNT] PROGRAM ARGUMENTS...
 *     pressure --init
 *
 * Runs PROGRAM with its output going nowhere, and says in lines of `name value` how it ended and
 * what the system counted for it: its own faults (getrusage), and the machine's reads and writes of
 * the swap area, in pages. --leave: what is free or could be, files' pages being among that, is
 * taken and locked before but for so much, of which the same is kept free on any system: Linux's
 * own choice depends on how large the RAM disk was. --lines makes so many lines in no order, in
 * /tmp/lines.
 *
 * --init: it is the first process of a Linux kernel whose RAM disk was made by `quire boot`: it
 * mounts what is wanted, loads the modules /modules/0.ko and so on, takes /dev/vda as swap area,
 * finds what to run in /.quire/argv, and turns the machine off at the end.
 */
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/swap.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define QUIET_SECONDS 3
#define MIN_FREE_KIB "1400"
#define MOST_ARGUMENTS 32

static const char *const counters[] = {"pgmajfault",
                                       "pswpin",
                                       "pswpout",
                                       "swap_ra",
                                       "swap_ra_hit",
                                       "workingset_refault_anon",
                                       "workingset_activate_anon",
                                       "workingset_restore_anon",
                                       "pgactivate",
                                       "pgdeactivate",
                                       "pgscan_kswapd",
                                       "pgscan_direct",
                                       "pgsteal_kswapd",
                                       "pgsteal_direct"};
#define NR_COUNTERS (sizeof counters / sizeof *counters)

static void need(bool is_so, const char *what)
{
    if (is_so)
        return;
    perror(what);
    exit(1);
}

static char *words_of(const char *path, char *to, size_t size)
{
    FILE *file = fopen(path, "r");
    need(file, path);
    size_t got = fread(to, 1, size - 1, file);
    to[got] = '\0';
    fclose(file);
    return to + got;
}

static unsigned long number_after(const char *text, const char *name)
{
    const char *found = text;
    size_t length = strlen(name);
    while (found &&
           (strncmp(found, name, length) || (found[length] != ' ' && found[length] != ':')))
        found = strchr(found, '\n') ? strchr(found, '\n') + 1 : NULL;
    return found ? strtoul(found + length + 1, NULL, 10) : 0;
}

static void count(unsigned long *values)
{
    static char text[1 << 15];
    words_of("/proc/vmstat", text, sizeof text);
    for (unsigned i = 0; i < NR_COUNTERS; i++)
        values[i] = number_after(text, counters[i]);
}

/* ---- as Linux's first process ---------------------------------------------------------------- */

static void load_modules(void)
{
    for (unsigned i = 0; i < 10; i++) {
        char path[] = "/modules/0.ko";
        path[9] = (char)('0' + i);
        int fd = open(path, O_RDONLY | O_CLOEXEC);
        if (fd < 0)
            continue;
        need(!syscall(SYS_finit_module, fd, "", 0), path);
        close(fd);
        need(!unlink(path), path); /* it would be memory that the program hasn't got */
    }
}

static void wait_for(const char *path)
{
    struct timespec moment = {0, 10000000};
    for (unsigned i = 0; i < 1000 && access(path, F_OK); i++)
        nanosleep(&moment, NULL);
}

/* What to run, as the archive says; its folder, too. */
static void become_init(char **arguments)
{
    static char words[4096], folder[4096];
    const char *end;
    mkdir("/proc", 0755);
    mkdir("/dev", 0755);
    need(!mount("proc", "/proc", "proc", 0, NULL), "mount /proc");
    need(!mount("devtmpfs", "/dev", "devtmpfs", 0, NULL), "mount /dev");
    load_modules();
    wait_for("/dev/vda");
    need(!swapon("/dev/vda", 0), "swapon /dev/vda");
    end = words_of("/.quire/argv", words, sizeof words);
    unsigned nr_arguments = 0;
    for (char *word = words; word < end && nr_arguments + 1 < MOST_ARGUMENTS;
         word += strlen(word) + 1)
        arguments[nr_arguments++] = word;
    words_of("/.quire/cwd", folder, sizeof folder);
    need(!chdir(folder), folder);
    sleep(QUIET_SECONDS);
}

/* ---- before the program ---------------------------------------------------------------------- */

#define PIECE (1ul << 16)

/* Free, or on reclaim's lists: what the program can have. */
static unsigned long available_kib(void)
{
    static char text[1 << 13];
    words_of("/proc/meminfo", text, sizeof text);
    return number_after(text, "MemFree") + number_after(text, "Active(anon)") +
           number_after(text, "Inactive(anon)") + number_after(text, "Active(file)") +
           number_after(text, "Inactive(file)");
}

static void set(const char *path, const char *number)
{
    FILE *file = fopen(path, "w");
    need(file && fputs(number, file) > 0 && !fclose(file), path);
}

/* By and by, as each piece may send others' pages to swap. */
static void take_but_for(unsigned long kib)
{
    while (available_kib() >= kib + PIECE / 1024) {
        void *at = mmap(NULL, PIECE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        need(at != MAP_FAILED, "mmap");
        need(!mlock(at, PIECE), "mlock");
    }
}

/* A process of its own has it, so that it isn't counted for the program's. */
static pid_t holder;

static void leave(unsigned long kib)
{
    int ready[2];
    char byte;
    set("/proc/sys/vm/min_free_kbytes", MIN_FREE_KIB);
    need(!pipe2(ready, O_CLOEXEC), "pipe");
    holder = fork();
    need(holder >= 0, "fork");
    if (!holder) {
        set("/proc/self/oom_score_adj", "-1000");
        take_but_for(kib);
        need(write(ready[1], "", 1) == 1, "write");
        for (;;)
            pause();
    }
    close(ready[1]);
    need(read(ready[0], &byte, 1) == 1, "the rest of memory");
    close(ready[0]);
}

static void make_lines(unsigned long count)
{
    mkdir("/tmp", 0777);
    FILE *file = fopen("/tmp/lines", "w");
    need(file, "/tmp/lines");
    for (unsigned long i = 0; i < count; i++)
        fprintf(file, "%010lu abcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvwxyz\n",
                (i * 7919 + 13) % 1048576);
    need(!fclose(file), "/tmp/lines");
}

static char **prepare(char **arguments)
{
    for (; *arguments && !strncmp(*arguments, "--", 2); arguments++) {
        if (!strncmp(*arguments, "--lines=", 8))
            make_lines(strtoul(*arguments + 8, NULL, 10));
        else if (!strncmp(*arguments, "--page-cluster=", 15))
            set("/proc/sys/vm/page-cluster", *arguments + 15);
        else if (!strncmp(*arguments, "--leave=", 8))
            leave(strtoul(*arguments + 8, NULL, 10));
    }
    return arguments;
}

/* ---- the program ----------------------------------------------------------------------------- */

static void tell_memory(void)
{
    printf("available_kib %lu\n", available_kib());
    fflush(stdout);
}

static int run(char **arguments)
{
    int status;
    struct rusage used;
    unsigned long before[NR_COUNTERS], after[NR_COUNTERS];
    struct timespec from, to;
    arguments = prepare(arguments);
    need(*arguments, "a program");
    tell_memory();
    count(before);
    clock_gettime(CLOCK_MONOTONIC, &from);
    pid_t pid = fork();
    need(pid >= 0, "fork");
    if (!pid) {
        int null = open("/dev/null", O_WRONLY);
        need(null >= 0 && dup2(null, STDOUT_FILENO) >= 0, "/dev/null");
        execvp(arguments[0], arguments);
        perror(arguments[0]);
        _exit(127);
    }
    need(waitpid(pid, &status, 0) == pid, "wait");
    clock_gettime(CLOCK_MONOTONIC, &to);
    count(after);
    need(!getrusage(RUSAGE_CHILDREN, &used), "getrusage");
    if (holder > 0)
        kill(holder, SIGKILL);
    printf("status %d\n", status);
    printf("milliseconds %ld\n",
           (to.tv_sec - from.tv_sec) * 1000l + (to.tv_nsec - from.tv_nsec) / 1000000l);
    printf("maxrss_kib %ld\nminflt %ld\nmajflt %ld\n", used.ru_maxrss, used.ru_minflt,
           used.ru_majflt);
    for (unsigned i = 0; i < NR_COUNTERS; i++)
        printf("%s %lu\n", counters[i], after[i] - before[i]);
    fflush(stdout);
    return status;
}

int main(int argc, char **argv)
{
    char *arguments[MOST_ARGUMENTS] = {NULL};
    bool is_init = argc > 1 && !strcmp(argv[1], "--init");
    int status;
    setvbuf(stdout, NULL, _IOLBF, 0);
    if (!is_init && argc < 2) {
        fprintf(stderr, "usage: pressure [--leave=KIB] [--lines=COUNT] PROGRAM ARGUMENTS...\n");
        return 2;
    }
    if (is_init) {
        become_init(arguments);
        status = run(arguments + 1); /* the first is this program */
        sleep(1);
        reboot(RB_POWER_OFF);
    } else
        status = run(argv + 1);
    return status != 0;
}
