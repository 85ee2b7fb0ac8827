/* tests/guest/settings.c: what can be set in /proc/sys of memory, and what comes of it
 *
 * Run by cases.sh in a machine alone, since a host's own must not be touched. A case says
 * "ok - ..." or "not ok - ..." and what it saw; what is expected is what the manuals say
 * (proc_sys_vm, proc_sys_kernel, shmget).
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/shm.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define VM "/proc/sys/vm/"
#define KERNEL "/proc/sys/kernel/"
#define BYTES 8192

static int failed;

static void check(int holds, const char *format, ...)
{
    va_list args;
    printf("%s - ", holds ? "ok" : "not ok");
    va_start(args, format);
    vprintf(format, args);
    va_end(args);
    printf("\n");
    failed |= !holds;
}

/* 0 or an errno. */
static int put(const char *path, const char *text)
{
    int fd = open(path, O_WRONLY), error = fd < 0 ? errno : 0;
    if (!error && write(fd, text, strlen(text)) < 0)
        error = errno;
    close(fd);
    return error;
}

static const char *get(const char *path)
{
    static char text[BYTES];
    int fd = open(path, O_RDONLY);
    ssize_t size = fd < 0 ? 0 : read(fd, text, sizeof text - 1);
    text[size > 0 ? size : 0] = '\0';
    close(fd);
    return text;
}

static int is(const char *path, const char *expected)
{
    return !strcmp(get(path), expected);
}

static unsigned long meminfo(const char *key)
{
    const char *line = strstr(get("/proc/meminfo"), key);
    return line ? strtoul(strchr(line, ':') + 1, NULL, 10) : 0;
}

static int can_map(unsigned long kib)
{
    char *at = mmap(NULL, kib << 10, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (at == MAP_FAILED)
        return 0;
    munmap(at, kib << 10);
    return 1;
}

/* ---- overcommit ------------------------------------------------------------------------------ */

static void within_the_limit(const char *what)
{
    unsigned long limit = meminfo("CommitLimit"), committed = meminfo("Committed_AS");
    check(!can_map((limit - committed) * 2), "%s: twice what is left is refused", what);
    check(!can_map(limit), "%s: as much as the limit is refused", what);
    check(can_map((limit - committed) / 2), "%s: half of what is left isn't", what);
}

static void overcommit(void)
{
    unsigned long total = meminfo("MemTotal") + meminfo("SwapTotal"), free = meminfo("MemFree");
    check(can_map(free / 2), "mode 0: half of what is free is allowed");
    check(!can_map(total * 2), "mode 0: twice all memory isn't");
    check(!put(VM "overcommit_memory", "1"), "mode 1 can be set");
    check(can_map(total * 2), "mode 1: twice all memory is allowed");
    check(!put(VM "overcommit_memory", "2\n"), "mode 2 can be set");
    check(meminfo("CommitLimit") <= total / 2, "the limit is half of memory");
    within_the_limit("a ratio");
    check(!put(VM "overcommit_kbytes", "40000"), "a limit in KiB can be set");
    check(meminfo("CommitLimit") == 40000, "and is the limit");
    check(is(VM "overcommit_ratio", "0\n"), "the ratio is no more");
    within_the_limit("a limit in KiB");
    check(!put(VM "overcommit_ratio", "50"), "the ratio can be set again");
    check(is(VM "overcommit_kbytes", "0\n"), "the limit in KiB is no more");
    check(put(VM "overcommit_memory", "3") == EINVAL, "there is no mode 3");
    put(VM "overcommit_memory", "0");
}

/* ---- areas ----------------------------------------------------------------------------------- */

static int lines_of(const char *path)
{
    FILE *file = fopen(path, "r");
    int lines = 0;
    for (int c; file && (c = getc(file)) != EOF;)
        lines += c == '\n';
    if (file)
        fclose(file);
    return lines;
}

/* A process of as many areas as it can have stops and is looked at. */
static int most_areas(void)
{
    char path[64];
    int status;
    pid_t pid = fork();
    if (!pid) {
        while (mmap(NULL, 1, PROT_READ, MAP_SHARED | MAP_ANONYMOUS, -1, 0) != MAP_FAILED)
            ;
        raise(SIGSTOP);
        _exit(0);
    }
    waitpid(pid, &status, WUNTRACED);
    snprintf(path, sizeof path, "/proc/%d/maps", pid);
    int lines = lines_of(path);
    kill(pid, SIGCONT);
    waitpid(pid, &status, 0);
    return lines;
}

static void areas(void)
{
    check(is(VM "max_map_count", "65530\n"), "65530 areas at first");
    for (int most = 64; most <= 1024; most *= 4) {
        char text[16];
        snprintf(text, sizeof text, "%d", most);
        check(!put(VM "max_map_count", text), "%d areas can be set", most);
        int lines = most_areas();
        check(lines == most + 1, "a process has one more than %d areas", most);
    }
    put(VM "max_map_count", "65530");
}

/* ---- System V shared memory ------------------------------------------------------------------ */

static void segments(void)
{
    char row[128];
    struct shminfo info;
    check(is(KERNEL "shmmni", "4096\n"), "4096 segments at first");
    check(!put(KERNEL "shmmax", "8192"), "a segment's size can be limited");
    int id = shmget(IPC_PRIVATE, 8193, IPC_CREAT | 0600);
    check(id < 0 && errno == EINVAL, "a larger one is refused");
    id = shmget(0x1234, 8192, IPC_CREAT | 0640);
    check(id >= 0, "one of that size isn't");
    check(!put(KERNEL "shmmni", "1"), "their number can be limited");
    check(shmget(IPC_PRIVATE, 1, IPC_CREAT | 0600) < 0 && errno == ENOSPC, "another is too many");
    shmctl(0, IPC_INFO, (struct shmid_ds *)(void *)&info);
    check(info.shmmax == 8192 && info.shmmni == 1, "IPC_INFO says the limits");
    char *at = shmat(id, NULL, 0);
    at[0] = 1;
    snprintf(row, sizeof row, "%10d %10d  %4o ", 0x1234, id, 0640u);
    check(strstr(get("/proc/sysvipc/shm"), row) != NULL, "sysvipc/shm has it");
    check(lines_of("/proc/sysvipc/shm") == 2, "and no other");
    put(KERNEL "shmmni", "4096");
    check(!put(KERNEL "shmall", "3"), "the pages of all can be limited");
    check(shmget(IPC_PRIVATE, 8192, IPC_CREAT | 0600) < 0 && errno == ENOSPC,
          "more of them are too many");
    shmctl(id, IPC_RMID, NULL);
    shmdt(at);
    check(lines_of("/proc/sysvipc/shm") == 1, "a segment that is gone isn't told of");
}

static void next_id(void)
{
    const char *file = KERNEL "shm_next_id";
    const int wanted = (7 << 15) + 300;
    char text[16];
    snprintf(text, sizeof text, "%d", wanted);
    check(is(file, "-1\n"), "no id is asked for at first");
    check(!put(file, text) && !strncmp(get(file), text, strlen(text)), "one can be");
    int id = shmget(0x4321, 100, IPC_CREAT | 0600);
    check(id == wanted, "the next segment has it");
    check(is(file, "-1\n"), "and no other");
    check(!put(file, text), "it can be asked for again");
    int other = shmget(0x4322, 100, IPC_CREAT | 0600);
    check(other == wanted + 1, "but then the next index is taken");
    check(put(file, "-2") == EINVAL, "no id is negative");
    int third = shmget(IPC_PRIVATE, 100, IPC_CREAT | 0600);
    check(third >= 0 && third != id && (third & 0x7fff) < 300, "others are as without");
    shmctl(id, IPC_RMID, NULL);
    shmctl(other, IPC_RMID, NULL);
    shmctl(third, IPC_RMID, NULL);
}

/* What this kernel is built of, where programs look for it. */
static void options(void)
{
    struct utsname name;
    char path[sizeof name.release + 32];
    uname(&name);
    snprintf(path, sizeof path, "/boot/config-%s", name.release);
    check(strstr(get(path), "\nCONFIG_SWAP=y\n") != NULL, "swap is built in, says %s", path);
    check(strstr(get(path), "\n# CONFIG_MODULES is not set\n") != NULL, "modules aren't");
    const char *class = sizeof(long) == 4 ? "\nCONFIG_X86_32=y\n" : "\nCONFIG_X86_64=y\n";
    check(strstr(get(path), class) != NULL, "the class is said");
    check(strstr(get("/etc/passwd"), "\nnobody:x:65534:65534:") != NULL, "nobody has a number");
}

static int child_with(int least, int most)
{
    int status;
    pid_t pid = fork();
    if (!pid)
        _exit(0);
    return pid >= least && pid < most && waitpid(pid, &status, 0) == pid;
}

static void numbers(void)
{
    const char *file = KERNEL "pid_max";
    int all = 1;
    check(is(file, "32768\n"), "numbers of processes are below 32768 at first");
    check(put(file, "300") == EINVAL && put(file, "32769") == EINVAL, "some bounds are refused");
    check(!put(file, "400") && is(file, "400\n"), "another can be set");
    for (int i = 0; i < 1000; i++)
        all &= child_with(2, 400);
    check(all, "and all numbers are below it");
    pid_t children[200];
    int count = 0;
    while (count < 200 && (children[count] = fork()) > 0)
        count++;
    if (count < 200 && !children[count])
        for (;;)
            pause();
    check(count < 200 && errno == EAGAIN, "so there are fewer processes");
    while (count--) {
        kill(children[count], SIGKILL);
        waitpid(children[count], NULL, 0);
    }
    put(file, "32768");
}

/* A child that is there when this returns, and when `go` has a byte ends: with 0 if it finds what
 * was covered. */
static pid_t stands_in(const char *directory, int go)
{
    int there[2];
    char byte = 0;
    check(!pipe(there), "there are pipes");
    pid_t pid = fork();
    if (!pid) {
        if (chdir(directory) || write(there[1], &byte, 1) != 1 || read(go, &byte, 1) != 1)
            _exit(2);
        _exit(access("covered", F_OK) != 0);
    }
    close(there[1]);
    check(read(there[0], &byte, 1) == 1, "somebody goes to a directory");
    close(there[0]);
    return pid;
}

static void mounts(void)
{
    struct stat before, after;
    int status, go[2];
    check(!pipe(go), "there are pipes");
    mkdir("/tmp/m", 0750);
    close(open("/tmp/m/covered", O_CREAT | O_WRONLY, 0600));
    stat("/tmp/m", &before);
    check(mount("x", "/tmp/m", "ext4", 0, NULL) && errno == ENODEV, "there is tmpfs alone");
    check(mount("x", "/tmp/none", "tmpfs", 0, NULL) && errno == ENOENT, "on what is there");
    check(mount("x", "/dev/null", "tmpfs", 0, NULL) && errno == ENOTDIR, "and a directory");
    check(mount("x", "/tmp/m", "tmpfs", 0, "size=1M") && errno == EINVAL, "no size can be set");
    check(umount("/tmp/m") && errno == EINVAL, "nothing is mounted at first");
    pid_t old = stands_in("/tmp/m", go[0]);
    check(!mount("x", "/tmp/m", "tmpfs", 0, "mode=700,uid=7"), "a tmpfs can be mounted");
    stat("/tmp/m", &after);
    check(after.st_dev != before.st_dev && after.st_mode == (S_IFDIR | 0700) && after.st_uid == 7,
          "it is another device, and as was asked for");
    check(access("/tmp/m/covered", F_OK) && errno == ENOENT, "what was there is covered");
    check(strstr(get("/proc/mounts"), "x /tmp/m tmpfs rw,relatime 0 0\n") != NULL, "it is told of");
    check(rmdir("/tmp/m") && errno == EBUSY, "its directory can't go");
    check(rename("/tmp/m", "/tmp/n") && errno == EBUSY, "nor be called otherwise");
    check(link("/tmp/m/f", "/tmp/f") && errno == ENOENT, "there is no file yet");
    int fd = open("/tmp/m/f", O_CREAT | O_RDWR, 0600);
    check(fd >= 0 && write(fd, "text", 4) == 4, "files can be made");
    check(link("/tmp/m/f", "/tmp/f") && errno == EXDEV, "and have no names elsewhere");
    check(umount("/tmp/m") && errno == EBUSY, "an open file is in the way");
    unlink("/tmp/m/f");
    check(umount("/tmp/m") && errno == EBUSY, "even if it has no name");
    close(fd);
    mkdir("/tmp/m/d", 0700);
    mkdir("/tmp/m/d/e", 0700);
    close(open("/tmp/m/d/e/g", O_CREAT | O_WRONLY, 0600));
    for (int i = 0; i < 2; i++) {
        pid_t pid = stands_in(i ? "/tmp/m/d" : "/tmp/m", go[0]);
        check(umount("/tmp/m") && errno == EBUSY, "and so is who is in a directory");
        kill(pid, SIGKILL);
        waitpid(pid, &status, 0);
    }
    check(!mount("y", "/tmp/m", "tmpfs", 0, NULL), "another one can be mounted upon it");
    check(access("/tmp/m/d", F_OK) && !umount("/tmp/m") && !access("/tmp/m/d", F_OK),
          "and goes first");
    check(!umount("/tmp/m"), "who has something in it doesn't matter, nor who was there before");
    check(write(go[1], "g", 1) == 1 && waitpid(old, &status, 0) == old && !status,
          "who then sees what was covered");
    close(go[0]);
    close(go[1]);
    stat("/tmp/m", &after);
    check(after.st_dev == before.st_dev && after.st_ino == before.st_ino &&
              after.st_mode == before.st_mode,
          "the directory is what it was");
    check(!access("/tmp/m/covered", F_OK), "with what is in it");
    check(!strstr(get("/proc/mounts"), "/tmp/m"), "nothing is mounted any more");
    setegid(7);
    seteuid(7);
    check(mount("x", "/tmp/m", "tmpfs", 0, NULL) && errno == EPERM, "root alone mounts");
    check(umount("/tmp/m") && errno == EPERM, "and unmounts");
    seteuid(0);
    setegid(0);
    unlink("/tmp/m/covered");
    rmdir("/tmp/m");
}

/* ---- merging --------------------------------------------------------------------------------- */

#define KSM "/sys/kernel/mm/ksm/"
#define MERGED 64
#define PAGE_BYTES 4096

static unsigned long number(const char *path)
{
    return strtoul(get(path), NULL, 10);
}

/* Whole scans, so that what is there now was looked at often enough. */
static void wait_for_scans(void)
{
    struct timespec moment = {0, 5000000};
    unsigned long wanted = number(KSM "full_scans") + 4;
    for (int i = 0; i < 40000 && number(KSM "full_scans") < wanted; i++)
        nanosleep(&moment, NULL);
}

static int has_merged(unsigned long shared, unsigned long sharing, unsigned long unshared)
{
    wait_for_scans();
    return number(KSM "pages_shared") == shared && number(KSM "pages_sharing") == sharing &&
           number(KSM "pages_unshared") == unshared && number(KSM "pages_volatile") == 0;
}

static char *same_pages(char value)
{
    char *at =
        mmap(NULL, MERGED * PAGE_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    check(!madvise(at, MERGED * PAGE_BYTES, MADV_MERGEABLE), "memory can be mergeable");
    memset(at, value, MERGED * PAGE_BYTES);
    return at;
}

static int all_are(const char *at, char value)
{
    int all = 1;
    for (int i = 0; i < MERGED * PAGE_BYTES; i++)
        all &= at[i] == value;
    return all;
}

static void merging(void)
{
    check(is(KSM "run", "0\n") && is(KSM "pages_to_scan", "100\n") &&
              is(KSM "sleep_millisecs", "20\n"),
          "nothing is merged at first");
    char *a = same_pages('a'), *b = same_pages('b');
    check(put(KSM "run", "3") == EINVAL, "there is no such way to run");
    check(!put(KSM "sleep_millisecs", "1") && !put(KSM "pages_to_scan", "1000") &&
              !put(KSM "run", "1"),
          "scanning can be turned on");
    check(has_merged(2, 2 * MERGED - 2, 0), "two contents become two pages");
    unsigned long with = meminfo("MemFree");
    memset(b, 'a', MERGED * PAGE_BYTES);
    check(has_merged(1, 2 * MERGED - 1, 0), "one content becomes one page");
    b[PAGE_BYTES] = 'x';
    check(has_merged(1, 2 * MERGED - 2, 1), "but for one that differs");
    b[PAGE_BYTES] = 'a';
    check(all_are(a, 'a') && all_are(b, 'a'), "nothing is lost");
    check(!put(KSM "run", "2"), "all can have their own again");
    check(is(KSM "pages_shared", "0\n") && is(KSM "pages_sharing", "0\n"), "which they do");
    check(meminfo("MemFree") < with - MERGED * 4, "and that takes memory");
    check(all_are(a, 'a') && all_are(b, 'a'), "nothing is lost by that");
    check(is(KSM "max_page_sharing", "256\n") && is(KSM "merge_across_nodes", "1\n") &&
              is(KSM "use_zero_pages", "0\n") && is(KSM "stable_node_dups", "0\n"),
          "256 share a page, on whatever nodes");
    check(put(KSM "max_page_sharing", "1") == EINVAL &&
              put(KSM "merge_across_nodes", "2") == EINVAL &&
              put(KSM "use_zero_pages", "2") == EINVAL,
          "not everything is a setting");
    check(!put(KSM "max_page_sharing", "16"), "fewer may share one");
    put(KSM "run", "1");
    check(has_merged(2 * MERGED / 16, 2 * MERGED - 2 * MERGED / 16, 0) &&
              is(KSM "stable_node_dups", "8\n") && is(KSM "stable_node_chains", "1\n"),
          "then there are more of them");
    check(put(KSM "max_page_sharing", "256") == EBUSY &&
              put(KSM "merge_across_nodes", "0") == EBUSY && !put(KSM "merge_across_nodes", "1"),
          "what is merged is so by the settings of then");
    check(!put(KSM "run", "2") && !put(KSM "max_page_sharing", "256"),
          "with nothing merged they change");
    put(KSM "run", "1");
    pid_t pid = fork();
    if (!pid) {
        wait_for_scans();
        _exit(!all_are(a, 'a') || madvise(a, MERGED * PAGE_BYTES, MADV_UNMERGEABLE) ||
              !all_are(a, 'a'));
    }
    int status;
    check(waitpid(pid, &status, 0) == pid && !status, "a child's can be its own, too");
    munmap(a, MERGED * PAGE_BYTES);
    munmap(b, MERGED * PAGE_BYTES);
    check(has_merged(0, 0, 0), "pages that are gone are forgotten");
    put(KSM "run", "0");
}

static void others(void)
{
    check(!put(VM "min_free_kbytes", "4000") && is(VM "min_free_kbytes", "4000\n"),
          "min_free_kbytes is what was set");
    check(!put(VM "drop_caches", "3"), "caches can be dropped");
    check(put(VM "drop_caches", "5") == EINVAL, "but by no other number than 1 to 4");
    check(!put(VM "compact_memory", "1"), "memory can be compacted");
    check(is(VM "panic_on_oom", "0\n"), "panic_on_oom is 0");
}

int main(void)
{
    overcommit();
    areas();
    segments();
    next_id();
    options();
    numbers();
    mounts();
    merging();
    others();
    return failed;
}
