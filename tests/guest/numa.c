/* tests/guest/numa.c: policies on a machine of two nodes
 *
 * Run by numa.sh. A case says "ok - ..." or "not ok - ..." and what it saw; what is expected is
 * what the manuals say (mbind, set_mempolicy, move_pages, migrate_pages, numa). The processor is
 * node 0's.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/shm.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define PAGE 4096ul
#define BITS 65ul
#define DEFAULT 0
#define PREFERRED 1
#define BIND 2
#define INTERLEAVE 3
#define PREFERRED_MANY 5
#define STRICT 1
#define MOVE 2
#define MOVE_ALL 4
#define F_NODE 1
#define F_ADDR 2

static int failed;

static unsigned long *set_of(unsigned long nodes)
{
    static unsigned long words[64 / 8 / sizeof(long)];
    words[0] = nodes;
    return words;
}

static int bind_range(void *at, size_t pages, int mode, unsigned long nodes, unsigned flags)
{
    return (int)syscall(SYS_mbind, at, pages * PAGE, mode, nodes ? set_of(nodes) : NULL,
                        nodes ? BITS : 0, flags);
}

static int bind_thread(int mode, unsigned long nodes)
{
    return (int)syscall(SYS_set_mempolicy, mode, nodes ? set_of(nodes) : NULL, nodes ? BITS : 0);
}

static char *map(size_t pages, int type)
{
    char *at = mmap(NULL, pages * PAGE, PROT_READ | PROT_WRITE, type | MAP_ANONYMOUS, -1, 0);
    if (at == MAP_FAILED) {
        perror("mmap");
        exit(1);
    }
    return at;
}

/* A digit a page, `-` where there is none. */
static const char *nodes_of(char *at, size_t pages)
{
    static char text[64];
    for (size_t i = 0; i < pages; i++) {
        void *page = at + i * PAGE;
        int status = -1;
        if (syscall(SYS_move_pages, 0, 1, &page, NULL, &status, 0))
            status = -1;
        text[i] = status >= 0 ? (char)('0' + status) : '-';
    }
    text[pages] = '\0';
    return text;
}

static void check(const char *what, const char *got, const char *expected)
{
    int same = !strcmp(got, expected);
    printf("%s - %s\n", same ? "ok" : "not ok", what);
    if (!same)
        printf("# got %s, expected %s\n", got, expected);
    failed |= !same;
}

static void check_result(const char *what, int result, int expected)
{
    char got[32], wanted[32];
    snprintf(got, sizeof got, "%s", result ? strerrorname_np(errno) : "0");
    snprintf(wanted, sizeof wanted, "%s", expected ? strerrorname_np(expected) : "0");
    check(what, got, wanted);
}

static long kib_of(const char *name)
{
    static char text[8192];
    FILE *file = fopen("/proc/meminfo", "r");
    size_t size = file ? fread(text, 1, sizeof text - 1, file) : 0;
    if (file)
        fclose(file);
    text[size] = '\0';
    const char *found = strstr(text, name);
    return found ? atol(found + strlen(name)) : -1;
}

static double seconds(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static void touch(char *at, size_t pages)
{
    for (size_t i = 0; i < pages; i++)
        at[i * PAGE] = (char)(i + 1);
}

static int intact(const char *at, size_t pages)
{
    for (size_t i = 0; i < pages; i++)
        if (at[i * PAGE] != (char)(i + 1))
            return 0;
    return 1;
}

/* ---- areas ----------------------------------------------------------------------------------- */

static void areas(void)
{
    char *at = map(8, MAP_PRIVATE);
    bind_range(at + PAGE, 1, BIND, 2, 0);
    bind_range(at + 2 * PAGE, 1, PREFERRED, 2, 0);
    bind_range(at + 3 * PAGE, 1, PREFERRED_MANY, 2, 0);
    bind_range(at + 4 * PAGE, 4, INTERLEAVE, 3, 0);
    touch(at, 8);
    const char *nodes = nodes_of(at, 8);
    check("pages come from where areas say", !strcmp(nodes, "01110101") ? "01111010" : nodes,
          "01111010");
    int node = -1;
    syscall(SYS_get_mempolicy, &node, NULL, 0, at + PAGE, F_NODE | F_ADDR);
    check("get_mempolicy tells a page's node", node == 1 ? "1" : "another", "1");
    if (!fork()) {
        char *copy = at + PAGE;
        *copy = 9; /* a copy on write, in an area that is inherited */
        _exit(strcmp(nodes_of(copy, 1), "1") != 0);
    }
    int status;
    wait(&status);
    check("a child's areas say the same", status ? "not" : "so", "so");
    char *moved = mremap(at + PAGE, PAGE, 3 * PAGE, MREMAP_MAYMOVE);
    touch(moved, 3);
    check("an area that moves and grows keeps its policy", nodes_of(moved, 3), "111");
}

static void shared(void)
{
    char *at = map(4, MAP_SHARED);
    bind_range(at, 2, BIND, 2, 0);
    if (!fork()) {
        touch(at, 4);
        _exit(0);
    }
    wait(NULL);
    char seen = 0;
    for (size_t i = 0; i < 4; i++)
        seen = (char)(seen + *(volatile char *)(at + i * PAGE));
    check("shared memory has its policy in another process", nodes_of(at, 4), "1100");
    int id = shmget(IPC_PRIVATE, 4 * PAGE, IPC_CREAT | 0600);
    char *segment = shmat(id, NULL, 0);
    bind_range(segment + 2 * PAGE, 2, BIND, 2, 0);
    shmdt(segment);
    segment = shmat(id, NULL, 0);
    touch(segment, 4);
    check("a segment's policy outlives its attachment", nodes_of(segment, 4), "0011");
    shmdt(segment);
    shmctl(id, IPC_RMID, NULL);
    printf("# %d\n", seen);
}

static void threads_policy(void)
{
    char *at = map(4, MAP_PRIVATE);
    bind_thread(BIND, 2);
    touch(at, 2);
    int fd = memfd_create("file", 0);
    char bytes[2 * PAGE];
    memset(bytes, 'b', sizeof bytes);
    if (write(fd, bytes, sizeof bytes) != sizeof bytes)
        failed = 1;
    bind_thread(DEFAULT, 0);
    touch(at + 2 * PAGE, 2);
    check("a thread's policy is for what it touches", nodes_of(at, 4), "1100");
    char *file = mmap(NULL, 2 * PAGE, PROT_READ, MAP_SHARED, fd, 0);
    bytes[0] = *(volatile char *)file;
    bytes[1] = *(volatile char *)(file + PAGE);
    check("and for files that it writes", nodes_of(file, 2), "11");
    close(fd);
}

/* One process with as many policies as it can have areas: others have theirs. */
static void many_policies(void)
{
    const size_t pages = 60000;
    int ready[2], done[2];
    char byte = 0;
    if (pipe(ready) || pipe(done))
        exit(1);
    pid_t child = fork();
    if (!child) {
        char *at = map(pages, MAP_PRIVATE | MAP_NORESERVE);
        for (size_t i = 0; i < pages; i++)
            if (bind_range(at + i * PAGE, 1, BIND, 1 + i % 2, 0))
                _exit(1);
        byte = 1;
        if (write(ready[1], &byte, 1) == 1 && read(done[0], &byte, 1) == 1)
            _exit(0);
        _exit(1);
    }
    close(ready[1]);
    check("a program may have as many policies as areas",
          read(ready[0], &byte, 1) == 1 && byte ? "so" : "not", "so");
    check_result("and leaves some to others", bind_thread(BIND, 2), 0);
    bind_thread(DEFAULT, 0);
    if (write(done[1], &byte, 1) != 1)
        exit(1);
    waitpid(child, NULL, 0);
}

static void swapped(void)
{
    char *at = map(48, MAP_PRIVATE);
    bind_range(at, 48, BIND, 2, 0);
    touch(at, 48);
    if (madvise(at, 48 * PAGE, 21 /* MADV_PAGEOUT */))
        exit(1);
    check("what is bound goes to swap", nodes_of(at, 48),
          "------------------------------------------------");
    touch(at, 48);
    check("and comes back to where it is bound, with what is read ahead", nodes_of(at, 48),
          "111111111111111111111111111111111111111111111111");
}

static void locked(void)
{
    char *at = map(400, MAP_PRIVATE);
    touch(at, 400);
    mlock(at, 400 * PAGE);
    long before = kib_of("Unevictable:");
    bind_range(at, 400, BIND, 2, MOVE);
    check("what is moved stays mlocked",
          before >= 1600 && kib_of("Unevictable:") == before ? "so" : "not", "so");
    munlock(at, 400 * PAGE);
    check("until it is unlocked", kib_of("Unevictable:") <= before - 1600 ? "so" : "not", "so");
}

/* ---- moving ---------------------------------------------------------------------------------- */

static void moving(void)
{
    char *at = map(4, MAP_PRIVATE);
    void *pages[4];
    int to[4] = {1, 0, 1, 0}, status[4];
    touch(at, 4);
    check_result("STRICT refuses pages that are elsewhere", bind_range(at, 4, BIND, 2, STRICT),
                 EIO);
    check("and leaves them there", nodes_of(at, 4), "0000");
    check_result("MOVE moves them", bind_range(at, 2, BIND, 2, STRICT | MOVE), 0);
    check("to where the policy says", nodes_of(at, 4), "1100");
    for (size_t i = 0; i < 4; i++)
        pages[i] = at + i * PAGE;
    check_result("move_pages", (int)syscall(SYS_move_pages, 0, 4, pages, to, status, MOVE), 0);
    check("moves each to its node", nodes_of(at, 4), "1010");
    unsigned long one = 1, two = 2;
    unsigned long from[64 / 8 / sizeof(long)] = {two}, back[64 / 8 / sizeof(long)] = {one};
    check_result("migrate_pages", (int)syscall(SYS_migrate_pages, 0, BITS, from, back), 0);
    check("moves all of a process", nodes_of(at, 4), "0000");
    check("nothing is lost on the way", intact(at, 4) ? "intact" : "changed", "intact");
}

/* A child has the pages, too, until it ends. */
static void moving_what_others_have(void)
{
    char *at = map(2, MAP_PRIVATE);
    int ready[2], done[2], status = -1, one = 1;
    void *page = at;
    char byte = 0;
    touch(at, 2);
    if (pipe(ready) || pipe(done))
        exit(1);
    pid_t child = fork();
    if (!child) {
        if (write(ready[1], &byte, 1) != 1 || read(done[0], &byte, 1) != 1)
            _exit(2);
        _exit(!intact(at, 2) || strcmp(nodes_of(at, 2), "10"));
    }
    if (read(ready[0], &byte, 1) != 1)
        exit(1);
    syscall(SYS_move_pages, 0, 1, &page, &one, &status, MOVE);
    check("MOVE spares what others have", status == -EACCES ? "EACCES" : "moved", "EACCES");
    syscall(SYS_move_pages, 0, 1, &page, &one, &status, MOVE_ALL);
    check("MOVE_ALL doesn't", status == 1 ? "1" : "not", "1");
    if (write(done[1], &byte, 1) != 1)
        exit(1);
    waitpid(child, &status, 0);
    check("they have it where it is now", status ? "not" : "so", "so");
    child = fork();
    if (!child) {
        pause();
        _exit(0);
    }
    syscall(SYS_move_pages, child, 1, &page, &one, &status, MOVE_ALL);
    check("another process's pages move", status == 1 ? "1" : "not", "1");
    kill(child, 9);
    waitpid(child, NULL, 0);
}

/* ---- a node that is full --------------------------------------------------------------------- */

static void full_node(size_t megabytes)
{
    const size_t pages = megabytes << 8;
    pid_t child = fork();
    if (!child) {
        char *at = map(pages, MAP_PRIVATE);
        bind_range(at, pages, PREFERRED, 2, 0);
        touch(at, pages);
        for (size_t i = 0; i < pages; i++)
            if (at[i * PAGE] != (char)(i + 1))
                _exit(2);
        _exit(!strcmp(nodes_of(at + (pages - 1) * PAGE, 1), "0") ? 0 : 3);
    }
    int status = -1;
    waitpid(child, &status, 0);
    check("what a node can't hold goes to another if it is only preferred", status ? "not" : "so",
          "so");
    child = fork();
    if (!child) {
        char *at = map(pages, MAP_PRIVATE);
        bind_range(at, pages, BIND, 2, 0);
        touch(at, pages);
        _exit(0);
    }
    waitpid(child, &status, 0);
    check("and is too much if it is bound",
          WIFSIGNALED(status) && WTERMSIG(status) == 9 ? "killed" : "lived", "killed");
}

/* Who binds himself to a node that is full pays for it, not who is larger. */
static pid_t grow(size_t megabytes, unsigned long nodes)
{
    const size_t pages = megabytes << 8;
    int ready[2];
    char byte = 0;
    if (pipe(ready))
        exit(1);
    pid_t child = fork();
    if (!child) {
        char *at = map(pages, MAP_PRIVATE);
        bind_range(at, pages, BIND, nodes, 0);
        touch(at, pages);
        if (write(ready[1], &byte, 1) == 1)
            pause();
        _exit(0);
    }
    close(ready[1]);
    if (read(ready[0], &byte, 1) < 0) /* 0: it is gone */
        exit(1);
    close(ready[0]);
    return child;
}

static void who_pays(void)
{
    int status;
    pid_t large = grow(44, 1), other = grow(30, 2), greedy = grow(40, 2);
    check("who has memory elsewhere lives", waitpid(large, &status, WNOHANG) ? "killed" : "lived",
          "lived");
    check("and who was there first", waitpid(other, &status, WNOHANG) ? "killed" : "lived",
          "lived");
    kill(large, 9);
    kill(other, 9);
    check("who bound himself to it doesn't",
          waitpid(greedy, &status, 0) == greedy && WIFSIGNALED(status) && WTERMSIG(status) == 9
              ? "killed"
              : "lived",
          "killed");
    while (wait(NULL) > 0)
        ;
}

/* How long the move of pages to a full node takes, and at most who sleeps meanwhile. */
struct move_times {
    double all, longest;
};

static struct move_times move_to_full_node(size_t megabytes, int *status)
{
    const size_t pages = megabytes << 8, moved = 8 << 8;
    int ready[2];
    char byte = 0;
    *status = -1;
    if (pipe(ready))
        exit(1);
    pid_t holder = fork();
    if (!holder) {
        char *at = map(pages, MAP_PRIVATE);
        bind_range(at, pages, PREFERRED, 2, 0);
        touch(at, pages);
        if (write(ready[1], &byte, 1) == 1)
            pause();
        _exit(0);
    }
    if (read(ready[0], &byte, 1) != 1)
        exit(1);
    pid_t mover = fork();
    if (!mover) {
        char *at = map(moved, MAP_PRIVATE);
        bind_range(at, moved, BIND, 1, 0);
        touch(at, moved);
        int result = bind_range(at, moved, BIND, 2, STRICT | MOVE);
        _exit(!(result && errno == EIO) || strcmp(nodes_of(at + (moved - 1) * PAGE, 1), "0"));
    }
    double begin = seconds(), last = begin, longest = 0;
    while (!waitpid(mover, status, WNOHANG) && last - begin < 200) {
        usleep(10000);
        double now = seconds();
        longest = now - last > longest ? now - last : longest;
        last = now;
    }
    printf("# a move to a full node: %.2f s, longest sleep %.2f s\n", last - begin, longest);
    kill(mover, 9);
    kill(holder, 9);
    while (wait(NULL) > 0)
        ;
    close(ready[0]);
    close(ready[1]);
    return (struct move_times){last - begin, longest};
}

/* It takes a moment, and who sleeps meanwhile wakes in time: once of many times, as the machine
 * itself may have been stopped. */
static void moves_to_full_node(size_t megabytes)
{
    struct move_times times = {0, 0};
    int status = 0, good = 0;
    for (int tries = 0; tries < 20 && !good && !status; tries++) {
        times = move_to_full_node(megabytes, &status);
        good = times.all < 5 && times.longest < 3;
    }
    check("a move to a full node ends soon", times.all < 5 ? "soon" : "late", "soon");
    check("says that pages stayed", status ? "not" : "so", "so");
    check("and others aren't kept waiting", times.longest < 3 ? "so" : "not", "so");
}

int main(int argc, char **argv)
{
    if (argc > 1 && !strcmp(argv[1], "--swap")) {
        swapped();
        return failed;
    }
    areas();
    shared();
    threads_policy();
    locked();
    many_policies();
    moving();
    moving_what_others_have();
    if (argc > 1) {
        moves_to_full_node((size_t)atoi(argv[1]));
        who_pays();
        full_node((size_t)atoi(argv[1]));
    }
    return failed;
}
