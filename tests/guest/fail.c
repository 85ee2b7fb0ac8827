/* tests/guest/fail.c: memory that runs out at each allocation of the kernel in turn
 *
 *     CLASS-fail [--count=COUNT] [OPERATION...]
 *
 * An operation is done again and again, each time in a child of its own, for which the kernel's
 * first allocation fails, then the second, and so on until it needs fewer (/proc/PID/fail-nth,
 * which is there when the machine is started with `fail-alloc`); COUNT of them in a row. What may
 * come of that is an error that says so, or the child's end by SIGKILL. Afterwards each frame and
 * each object of the kernel has to be where it was: MemFree and those whom /proc/meminfo knows, and
 * the objects of each cache. With swap (any) pages go out and come in, too. The operations are in
 * fail_tasks.c, fail_memory.c and fail_files.c.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "fail.h"

#define PATIENCE 100000u /* tries to disarm, of which a few are refused */
#define WARM_UPS 3u

static int failures;

/* ---- arming ---------------------------------------------------------------------------------- */

void arm(unsigned nth, unsigned count)
{
    char text[32];
    int length = snprintf(text, sizeof text, "%u %u", nth, count);
    if (write(control, text, (size_t)length) != length)
        _exit(WRONG);
}

bool disarm(unsigned nth)
{
    char text[32] = "";
    ssize_t got = -1;
    int error = errno;
    for (unsigned i = 0; got < 0 && i < PATIENCE; i++)
        got = pread(control, text, sizeof text - 1, 0);
    for (unsigned i = 0; write(control, "0", 1) != 1 && i < PATIENCE; i++)
        ;
    errno = error;
    return !nth || strtoul(text, NULL, 10) == 0;
}

bool open_control(void)
{
    control = open("/proc/thread-self/fail-nth", O_RDWR);
    return control >= 0;
}

/* ---- where memory is ------------------------------------------------------------------------- */

static char report[1 << 16];
static int meminfo, slabinfo, drop;

static const char *read_report(int fd)
{
    size_t size = 0;
    ssize_t got;
    while ((got = pread(fd, report + size, sizeof report - 1 - size, (off_t)size)) > 0)
        size += (size_t)got;
    report[size] = '\0';
    return report;
}

static long kib(const char *text, const char *name)
{
    char line[64];
    snprintf(line, sizeof line, "\n%s:", name);
    const char *found = strstr(text, line);
    return found ? strtol(found + strlen(line), NULL, 10) : 0;
}

struct balance {
    long free, known;   /* KiB; known without what a task's stack takes, of which some are kept */
    long slabs, tables; /* of the known: objects' pages, page tables */
    long swap, committed;
    unsigned nr_caches;
    unsigned long objects[256];
};

static void take_stock(struct balance *now)
{
    memset(now, 0, sizeof *now);
    if (pwrite(drop, "3", 1, 0) != 1)
        failures++;
    const char *text = read_report(meminfo);
    now->free = strtol(strstr(text, "MemFree:") + 8, NULL, 10);
    now->slabs = kib(text, "Slab");
    now->tables = kib(text, "PageTables");
    now->swap = kib(text, "SwapTotal") - kib(text, "SwapFree");
    now->committed = kib(text, "Committed_AS");
    now->known = now->slabs + now->tables + kib(text, "AnonPages") + kib(text, "Cached") +
                 kib(text, "SwapCached") + kib(text, "HardwareCorrupted");
    text = read_report(slabinfo);
    for (unsigned line = 0; line < 2 && text; line++)
        text = strchr(text, '\n') ? strchr(text, '\n') + 1 : NULL;
    while (text && *text && now->nr_caches < COUNT(now->objects)) {
        now->objects[now->nr_caches++] = strtoul(text + strcspn(text, " "), NULL, 10);
        text = strchr(text, '\n') ? strchr(text, '\n') + 1 : NULL;
    }
}

static const char *cache_name(unsigned number)
{
    const char *text = read_report(slabinfo);
    for (unsigned line = 0; line < 2 + number; line++)
        text = strchr(text, '\n') + 1;
    report[text - report + (long)strcspn(text, " ")] = '\0';
    return text;
}

static bool is_balanced(const struct balance *before, const struct balance *after)
{
    bool good = before->free + before->known == after->free + after->known &&
                before->swap == after->swap && before->committed == after->committed;
    for (unsigned i = 0; i < after->nr_caches; i++)
        good &= i < before->nr_caches && before->objects[i] == after->objects[i];
    return good;
}

static void tell_difference(const struct balance *before, const struct balance *after)
{
    printf("    free %ld -> %ld kB, slabs %ld -> %ld, tables %ld -> %ld, other %ld -> %ld, "
           "swapped %ld -> %ld, committed %ld -> %ld\n",
           before->free, after->free, before->slabs, after->slabs, before->tables, after->tables,
           before->known - before->slabs - before->tables,
           after->known - after->slabs - after->tables, before->swap, after->swap,
           before->committed, after->committed);
    for (unsigned i = 0; i < after->nr_caches; i++)
        if (i >= before->nr_caches || before->objects[i] != after->objects[i])
            printf("    %s: %lu -> %lu objects\n", cache_name(i), before->objects[i],
                   after->objects[i]);
}

/* ---- operations ------------------------------------------------------------------------------ */

unsigned char *pages;
int file;
unsigned armed_nth, armed_count;
int control = -1;
char *self;

void touch(unsigned char *at, unsigned long count)
{
    for (unsigned long i = 0; i < count; i++)
        at[i * PAGE] = (unsigned char)(at[i * PAGE] + 1);
}

/* TOUCHES: it needs pages that it has no other way to be refused than by its end, when many
 * allocations fail in a row; one alone is tried again. NOTHING_ELSE: nor can it learn of anything.
 */
#define TOUCHES 1u
#define NOTHING_ELSE 2u

static const struct operation {
    const char *name;
    int (*run)(void);
    int also; /* another error that says so */
    unsigned is;
} operations[] = {
    {"fork", op_fork, EPROTO, 0},
    {"fork-swapped", op_fork_swapped, EPROTO, 0},
    {"vfork", op_vfork, 0, 0},
    {"exec", op_exec, 0, TOUCHES}, /* the new program may fail, too: see is_end() */
    {"spawn", op_spawn, 0, 0},
    {"thread", op_thread, EAGAIN, TOUCHES},
    {"own-files", op_own_files, EAGAIN, TOUCHES},
#ifdef __i386__
    {"ldt", op_ldt, EPROTO, 0},
#endif
    {"mmap", op_mmap, 0, TOUCHES},
    {"populate", op_populate, 0, TOUCHES | NOTHING_ELSE},
    {"split", op_split, EAGAIN, TOUCHES},
    {"mremap", op_mremap, 0, TOUCHES},
    {"brk", op_brk, 0, TOUCHES},
    {"core", op_core, 0, TOUCHES},
    {"frames", op_frames, 0, TOUCHES},
    {"swap", op_swap, 0, TOUCHES | NOTHING_ELSE},
    {"swap-in", op_swap_in, EAGAIN, 0},
    {"file", op_file, 0, 0},
    {"file-map", op_file_map, 0, TOUCHES},
    {"names", op_names, 0, 0},
    {"proc", op_proc, 0, TOUCHES},
    {"pipe", op_pipe, 0, TOUCHES},
    {"socket", op_socket, ENOBUFS, 0},
    {"listen", op_listen, ENOBUFS, TOUCHES},
    {"events", op_events, 0, 0},
    {"signals", op_signals, EAGAIN, 0},
    {"shm", op_shm, 0, TOUCHES},
    {"memfd", op_memfd, 0, TOUCHES},
    {"vector", op_vector, 0, 0},
    {"locks", op_locks, ENOLCK, 0},
};

/* ---- one after the other --------------------------------------------------------------------- */

/* In a child; nth 0: nothing fails. */
static void child(const struct operation *operation, unsigned nth, unsigned count)
{
    static unsigned char swapped[2 * PAGE];
    pages = mmap(NULL, NR_PAGES * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    char name[] = "/tmp/fail-XXXXXX";
    file = mkstemp(name);
    if (pages == MAP_FAILED || file < 0 || unlink(name) || ftruncate(file, NR_PAGES * PAGE) ||
        !open_control())
        _exit(WRONG);
    touch(swapped, 1);
    touch(pages, NR_PAGES);
    if (operation->run == op_swap_in && madvise(pages, NR_PAGES * PAGE, MADV_PAGEOUT))
        _exit(WRONG);
    armed_nth = nth;
    armed_count = count;
    if (nth)
        arm(nth, count);
    int error = operation->run();
    bool reached = disarm(nth);
    if (error && (!nth || !reached)) {
        printf("%s: %s, when nothing failed\n", operation->name, strerror(error));
        fflush(stdout);
        _exit(WRONG);
    }
    if (error && error != ENOMEM && error != EFAULT && error != operation->also) {
        printf("%s: %s when allocation %u fails\n", operation->name, strerror(error), nth);
        fflush(stdout);
        _exit(WRONG);
    }
    /* Nobody but its end may have changed what it has. */
    for (unsigned i = 0; operation->run != op_mremap && i < NR_PAGES; i++)
        if (pages[i * PAGE + 1]) {
            printf("%s: page %u has another content\n", operation->name, i);
            fflush(stdout);
            _exit(WRONG);
        }
    _exit(reached ? (error ? 1 : 0) : NOT_REACHED);
}

/* Killed for want of memory; or, where another program began, what its C library does about it. */
static bool is_end(const struct operation *operation, int status, unsigned count)
{
    if (WIFSIGNALED(status) && operation->run == op_exec)
        return WTERMSIG(status) == SIGKILL || WTERMSIG(status) == SIGSEGV;
    if (WIFSIGNALED(status))
        return WTERMSIG(status) == SIGKILL && operation->is & TOUCHES && count > 1;
    return operation->run == op_exec && WIFEXITED(status) && WEXITSTATUS(status) == 127;
}

struct tally {
    unsigned refused, survived, killed;
};

/* True: there are more. */
static bool once(const struct operation *operation, unsigned nth, unsigned count,
                 struct tally *tally)
{
    int status = -1;
    pid_t pid = fork();
    if (!pid)
        child(operation, nth, count);
    if (pid < 0 || waitpid(pid, &status, 0) != pid) {
        printf("%s: no child for allocation %u\n", operation->name, nth);
        exit(1);
    }
    undo_names();
    if (nth && is_end(operation, status, count)) {
        tally->killed++;
        return true;
    }
    if (!WIFEXITED(status) || WEXITSTATUS(status) == WRONG) {
        printf("%s: status 0x%x when allocation %u fails\n", operation->name, status, nth);
        failures++;
        return nth;
    }
    tally->survived += WEXITSTATUS(status) == 0;
    tally->refused += WEXITSTATUS(status) == 1;
    return WEXITSTATUS(status) != NOT_REACHED;
}

static void each_fails(const struct operation *operation, unsigned count)
{
    static struct balance before, after;
    struct tally tally = {0, 0, 0};
    unsigned nth = 1, said = 0;
    bool more = true;
    for (unsigned i = 0; i < WARM_UPS; i++)
        once(operation, 0, 0, &(struct tally){0, 0, 0});
    take_stock(&before);
    for (; more && nth < MOST; nth++) {
        more = once(operation, nth, count, &tally);
        take_stock(&after);
        if (is_balanced(&before, &after))
            continue;
        failures++;
        if (said++ < 5) {
            printf("%s: something is lost or found when allocation %u fails\n", operation->name,
                   nth);
            tell_difference(&before, &after);
        }
        before = after;
    }
    if (more) {
        printf("%s: it never ends\n", operation->name);
        failures++;
    }
    if (!tally.refused && !(operation->is & NOTHING_ELSE)) {
        printf("%s: it is never told\n", operation->name);
        failures++;
    }
    printf("%-12s of %3u allocations %3u end in an error, %3u in the program's end, %3u change "
           "nothing\n",
           operation->name, nth - 2, tally.refused, tally.killed, tally.survived);
    fflush(stdout);
}

static bool is_wanted(const char *name, char **names)
{
    if (!*names)
        return true;
    for (; *names; names++)
        if (!strcmp(*names, name))
            return true;
    return false;
}

int main(int argc, char **argv)
{
    unsigned count = 1;
    self = "/proc/self/exe";
    if (argc > 1 && !strcmp(argv[1], "--nothing"))
        return 0;
    if (argc > 3 && !strcmp(argv[1], "--after-exec")) {
        control = atoi(argv[2]);
        return disarm((unsigned)atoi(argv[3])) ? 0 : NOT_REACHED;
    }
    argv++;
    setvbuf(stdout, NULL, _IOLBF, 0); /* children have copies of what isn't written */
    if (*argv && !strncmp(*argv, "--count=", 8))
        count = (unsigned)atoi(*argv++ + 8);
    meminfo = open("/proc/meminfo", O_RDONLY);
    slabinfo = open("/proc/slabinfo", O_RDONLY);
    drop = open("/proc/sys/vm/drop_caches", O_WRONLY);
    if (!open_control() || meminfo < 0 || slabinfo < 0 || drop < 0) {
        printf("this kernel makes no allocation fail\n");
        return 3;
    }
    close(control);
    for (unsigned i = 0; i < COUNT(operations); i++)
        if (is_wanted(operations[i].name, argv))
            each_fails(&operations[i], count);
    printf("%d failures\n", failures);
    return failures ? 1 : 0;
}
