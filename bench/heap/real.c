/* bench/heap/real.c: real programs, as users have them
 *
 * A case's command is run by the shell in a folder of its own, with the workloads' folder as
 * $WORKLOADS and the library to be preloaded as $HEAP_PRELOAD, which the command gives to the
 * program only. Counted is what all processes of it took together, the peak that of the largest
 * one. A workload that knows better, since part of it isn't the program, leaves a file `usage`:
 * seconds, KiB of the peak, and minor faults if it knows those, too.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bench.h"

#define PRELOADED "LD_PRELOAD=$HEAP_PRELOAD "

const struct heap_case real_cases[] = {
    {.name = "real-sqlite3",
     .threads = 1,
     .command = PRELOADED "sqlite3 :memory: <$WORKLOADS/sqlite3.sql"},
    {.name = "real-python3",
     .threads = 1,
     .command = "PYTHONMALLOC=malloc PYTHONHASHSEED=0 " PRELOADED "python3 $WORKLOADS/python3.py"},
    {.name = "real-lua5.4", .threads = 1, .command = PRELOADED "lua5.4 $WORKLOADS/lua.lua"},
    {.name = "real-perl",
     .threads = 1,
     .command = "PERL_HASH_SEED=0 " PRELOADED "perl $WORKLOADS/perl.pl"},
    {.name = "real-gcc",
     .threads = 1,
     .command = "awk -f $WORKLOADS/unit.awk >unit.c && " PRELOADED "gcc -O2 -c unit.c"},
    {.name = "real-g++",
     .threads = 1,
     .command =
         "awk -f $WORKLOADS/unit_cc.awk >unit.cc && " PRELOADED "g++ -std=c++17 -O2 -c unit.cc"},
    {.name = "real-redis", .threads = 1, .command = "$WORKLOADS/redis.sh"},
    {.name = "real-nginx", .threads = 1, .command = "$WORKLOADS/nginx.sh"},
    {0},
};

static double seconds(struct timeval time)
{
    return (double)time.tv_sec + (double)time.tv_usec / 1e6;
}

static _Noreturn void become(const char *command, const char *preload, const char *folder)
{
    int null = open("/dev/null", O_RDWR);
    char *workloads = realpath(options.workloads, NULL);
    setenv("HEAP_PRELOAD", preload ? preload : "", 1);
    setenv("WORKLOADS", workloads ? workloads : options.workloads, 1);
    dup2(null, STDIN_FILENO);
    dup2(null, STDOUT_FILENO);
    if (chdir(folder))
        _exit(126);
    execl("/bin/sh", "sh", "-c", command, (char *)NULL);
    _exit(127);
}

static void read_own_usage(const char *folder, struct usage *usage)
{
    char path[128];
    double own_seconds, kib, faults;
    snprintf(path, sizeof path, "%s/usage", folder);
    FILE *file = fopen(path, "r");
    if (!file)
        return;
    int numbers = fscanf(file, "%lf %lf %lf", &own_seconds, &kib, &faults);
    if (numbers >= 2) {
        usage->seconds = own_seconds;
        usage->peak_mib = kib / 1024;
    }
    if (numbers == 3)
        usage->faults = faults;
    fclose(file);
}

static void remove_folder(const char *folder)
{
    char command[128];
    snprintf(command, sizeof command, "rm -rf '%s'", folder);
    if (system(command))
        fprintf(stderr, "heap-bench: %s is left\n", folder);
}

bool run_command(const char *command, const char *preload, struct usage *usage)
{
    char folder[] = "/tmp/heap-bench.XXXXXX";
    struct rusage used;
    int status;
    if (!mkdtemp(folder))
        fail("no folder could be made in /tmp");
    uint64_t begin = clock_ns();
    pid_t pid = fork();
    if (pid < 0)
        fail("no process could be made");
    if (!pid)
        become(command, preload, folder);
    while (wait4(pid, &status, 0, &used) < 0)
        if (errno != EINTR)
            fail("a process was lost");
    usage->elapsed_seconds = (double)(clock_ns() - begin) / 1e9;
    usage->seconds = seconds(used.ru_utime) + seconds(used.ru_stime);
    usage->peak_mib = (double)used.ru_maxrss / 1024;
    usage->faults = (double)used.ru_minflt;
    read_own_usage(folder, usage);
    remove_folder(folder);
    return WIFEXITED(status) && !WEXITSTATUS(status);
}
