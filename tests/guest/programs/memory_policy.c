/* mbind, set_mempolicy, get_mempolicy, move_pages, migrate_pages: what they refuse, and what can be
 * seen of them with one node */
#include "say.h"

#define DEFAULT 0
#define PREFERRED 1
#define BIND 2
#define INTERLEAVE 3
#define LOCAL 4
#define PREFERRED_MANY 5
#define STATIC_NODES (1 << 15)
#define RELATIVE_NODES (1 << 14)
#define STRICT 1
#define MOVE 2
#define MOVE_ALL 4
#define F_NODE 1
#define F_ADDR 2
#define F_MEMS_ALLOWED 4

#define BITS 1025 /* one more than there are bits in what Linux takes for a set */

static unsigned long node0[BITS / 8 / sizeof(long) + 1] = {1};
static unsigned long none[BITS / 8 / sizeof(long) + 1];
static unsigned long node1[BITS / 8 / sizeof(long) + 1] = {2};
static unsigned long far[BITS / 8 / sizeof(long) + 1];
#define BAD ((void *)8)

static long mbind_(void *at, size_t size, int mode, const void *nodes, unsigned long bits,
                   unsigned flags)
{
    return syscall(SYS_mbind, at, size, mode, nodes, bits, flags);
}

static long set(int mode, const void *nodes, unsigned long bits)
{
    return syscall(SYS_set_mempolicy, mode, nodes, bits);
}

static long get(int *mode, void *nodes, unsigned long bits, const void *at, unsigned long flags)
{
    return syscall(SYS_get_mempolicy, mode, nodes, bits, at, flags);
}

static void say_policy(const char *what, const void *at, unsigned long flags)
{
    unsigned long nodes[BITS / 8 / sizeof(long) + 1];
    int mode = -1;
    memset(nodes, 0xff, sizeof nodes);
    long result = get(&mode, nodes, BITS, at, flags);
    if (result)
        printf("%s: %s\n", what, error_name(errno));
    else
        printf("%s: mode %#x, nodes %#lx, then %#lx\n", what, (unsigned)mode, nodes[0], nodes[1]);
}

static void modes(void)
{
    TELL(set(DEFAULT, NULL, 0));
    say_policy("default", NULL, 0);
    TELL(set(DEFAULT, none, BITS));
    TELL(set(DEFAULT, node0, BITS));
    TELL(set(BIND, node0, BITS));
    say_policy("bind", NULL, 0);
    TELL(set(BIND, NULL, 0));
    TELL(set(BIND, none, BITS));
    TELL(set(BIND, node1, BITS));
    TELL(set(BIND, node0, 1));
    TELL(set(BIND, node0, 2));
    TELL(set(BIND, BAD, BITS));
    TELL(set(BIND, node0, 8 * 4096 + 2));
    TELL(set(BIND | STATIC_NODES, node0, BITS));
    say_policy("bind, static", NULL, 0);
    TELL(set(BIND | RELATIVE_NODES, node1, BITS));
    say_policy("bind, relative: around again", NULL, 0);
    TELL(set(BIND | STATIC_NODES | RELATIVE_NODES, node0, BITS));
    TELL(set(PREFERRED, node0, BITS));
    say_policy("preferred", NULL, 0);
    TELL(set(PREFERRED, NULL, 0));
    say_policy("preferred, none", NULL, 0);
    TELL(set(PREFERRED | STATIC_NODES, none, BITS));
    TELL(set(INTERLEAVE, node0, BITS));
    say_policy("interleave", NULL, 0);
    say_policy("interleave, the next", NULL, F_NODE);
    TELL(set(LOCAL, node0, BITS));
    TELL(set(LOCAL, NULL, 0));
    say_policy("local", NULL, 0);
    say_policy("not interleaved, the next", NULL, F_NODE);
    TELL(set(PREFERRED_MANY, node0, BITS));
    say_policy("preferred many", NULL, 0);
    TELL(set(99, node0, BITS));
    TELL(set(-1, node0, BITS));
    TELL(set(99, BAD, BITS));
    TELL(set(DEFAULT, NULL, 0));
}

static void areas(char *area)
{
    TELL(mbind_(area, 2 * PAGE, BIND, node0, BITS, 0));
    say_policy("the area", area, F_ADDR);
    say_policy("behind it", area + 2 * PAGE, F_ADDR);
    say_policy("its node", area, F_NODE | F_ADDR);
    say_policy("no area", (void *)PAGE, F_ADDR);
    say_policy("no area's node", (void *)PAGE, F_ADDR | F_NODE);
    TELL(mbind_(area + 1, PAGE, BIND, node0, BITS, 0));
    TELL(mbind_(area, 0, BIND, node0, BITS, 0));
    TELL(mbind_(area, 0, BIND, none, BITS, 0));
    TELL(mbind_(area, 0, BIND, node1, BITS, 0));
    TELL(mbind_(area + 1, 0, BIND, none, BITS, 0));
    if (sizeof(long) == 8) /* the judge of 32 bits has addresses of 64, where that doesn't wrap */
        TELL(mbind_(area, -PAGE, BIND, node0, BITS, 0));
    TELL(mbind_(area, PAGE, BIND, node0, BITS, 8));
    TELL(mbind_(area, PAGE, BIND, node0, BITS, 0x100));
    TELL(mbind_(area, PAGE, BIND, node1, BITS, 0));
    TELL(mbind_(area, PAGE, 99, node0, BITS, 0));
    TELL(mbind_(area, PAGE, BIND, BAD, BITS, 0));
    TELL(mbind_(area, PAGE, BIND, none, BITS, 0));
    TELL(mbind_(area, PAGE, DEFAULT, node0, BITS, 0));
    TELL(mbind_((void *)PAGE, PAGE, BIND, node0, BITS, 0));
    TELL(munmap(area + 6 * PAGE, PAGE));
    TELL(mbind_(area, 8 * PAGE, BIND, node0, BITS, 0));
    TELL(mbind_(area + 5 * PAGE, 2 * PAGE, BIND, node0, BITS, STRICT));
    TELL(mbind_(area, 6 * PAGE, BIND, node0, BITS, STRICT | MOVE));
    TELL(mbind_(area, 6 * PAGE, INTERLEAVE, node0, BITS, MOVE));
    say_policy("interleaved", area, F_ADDR);
    TELL(mbind_(area, 6 * PAGE, DEFAULT, NULL, 0, STRICT));
    say_policy("default again", area, F_ADDR);
}

static void questions(char *area)
{
    int mode;
    TELL(get(NULL, NULL, 0, NULL, 0));
    TELL(get(&mode, NULL, 0, area, 0));
    TELL(get(&mode, none, 0, NULL, 0));
    TELL(get(&mode, none, BITS, NULL, 8));
    TELL(get(BAD, NULL, 0, NULL, 0));
    TELL(get(&mode, BAD, BITS, NULL, 0));
    TELL(get(&mode, none, 8 * 4096 + 65, NULL, 0));
    TELL(get(&mode, NULL, 0, NULL, F_MEMS_ALLOWED | F_ADDR));
    say_policy("nodes", NULL, F_MEMS_ALLOWED);
    memset(none, 0, sizeof none);
}

static long move(int pid, unsigned long count, void *pages, const int *nodes, int *status,
                 int flags)
{
    return syscall(SYS_move_pages, pid, count, pages, nodes, status, flags);
}

static void moves(char *area)
{
    void *pages[5] = {area, area + PAGE + 5, area + 2 * PAGE, area + 3 * PAGE, (void *)PAGE};
    int zero[5] = {0}, bad[5] = {0, 0, 1, 0, 0}, status[5];
    char first = *(volatile char *)(area + 3 * PAGE); /* only read: the page of zeros */
    area[0] = area[PAGE] = 1;
    printf("%d\n", first);
    TELL(move(0, 5, pages, NULL, status, 0));
    for (size_t i = 0; i < COUNT(status); i++)
        printf("page %zu: %s\n", i, status[i] < 0 ? error_name(-status[i]) : "node 0");
    TELL(move(0, 5, pages, zero, status, MOVE));
    for (size_t i = 0; i < COUNT(status); i++)
        printf("page %zu: %s\n", i, status[i] < 0 ? error_name(-status[i]) : "node 0");
    TELL(move(0, 5, pages, bad, status, MOVE));
    bad[2] = -1;
    TELL(move(0, 5, pages, bad, status, MOVE));
    TELL(move(0, 5, pages, zero, status, 1));
    TELL(move(0, 5, pages, zero, status, 8));
    TELL(move(0, 0, pages, zero, status, MOVE));
    TELL(move(0, 5, BAD, zero, status, MOVE));
    TELL(move(0, 5, pages, BAD, status, MOVE));
    TELL(move(0, 5, pages, zero, BAD, MOVE));
    TELL(move(0, 5, BAD, NULL, status, 0));
    TELL(move(99999999, 5, pages, NULL, status, 0));
    TELL(syscall(SYS_migrate_pages, 0, BITS, node0, node0));
    TELL(syscall(SYS_migrate_pages, 0, BITS, node0, node1));
    TELL(syscall(SYS_migrate_pages, 0, BITS, none, node0));
    TELL(syscall(SYS_migrate_pages, 0, BITS, node0, none));
    TELL(syscall(SYS_migrate_pages, 0, BITS, BAD, node0));
    TELL(syscall(SYS_migrate_pages, 0, BITS, node0, BAD));
    TELL(syscall(SYS_migrate_pages, 0, 8 * 4096 + 2, node0, node0));
    TELL(syscall(SYS_migrate_pages, 99999999, BITS, node0, node0));
}

#define SYS_HOME 450
static void homes(char *area)
{
    if (syscall(SYS_HOME, area, PAGE, 0, 1) == -1 && errno == ENOSYS)
        return;
    TELL(syscall(SYS_HOME, area, PAGE, 0, 1));
    TELL(syscall(SYS_HOME, area, PAGE, 0, 0));
    TELL(mbind_(area, PAGE, INTERLEAVE, node0, BITS, 0));
    TELL(syscall(SYS_HOME, area, PAGE, 0, 0));
    TELL(mbind_(area, PAGE, BIND, node0, BITS, 0));
    TELL(syscall(SYS_HOME, area, PAGE, 0, 0));
    TELL(syscall(SYS_HOME, area, PAGE, 99, 0));
    TELL(syscall(SYS_HOME, area + 1, PAGE, 0, 0));
    TELL(syscall(SYS_HOME, area, 0, 0, 0));
}

/* A child has its parent's, and gives it to what it executes. */
static void child(void)
{
    TELL(set(INTERLEAVE, node0, BITS));
    pid_t pid = fork();
    if (!pid) {
        say_policy("a child's", NULL, 0);
        set(DEFAULT, NULL, 0);
        exit(0);
    }
    waitpid(pid, NULL, 0);
    say_policy("its parent's", NULL, 0);
    TELL(set(DEFAULT, NULL, 0));
}

int main(void)
{
    unsigned long nodes[BITS / 8 / sizeof(long) + 1] = {0};
    if (get(NULL, nodes, BITS, NULL, F_MEMS_ALLOWED) || nodes[0] != 1)
        return NOT_COMPARABLE; /* several nodes, or none of it */
    far[1] = 1;
    char *area = mmap(NULL, 8 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    modes();
    TELL(set(BIND, far, BITS));
    questions(area);
    moves(area);
    homes(area);
    areas(area);
    child();
    return 0;
}
