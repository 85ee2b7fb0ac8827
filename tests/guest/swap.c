/* tests/guest/swap.c: programs that need more memory than the machine has
 *
 *     CLASS-swap WHAT [NUMBER...]
 *
 * Each prints what is wrong, and ends with 0 when nothing is. Pages have a content that follows
 * from their number and a round, in their first and last words and one between. Only for the
 * machine, which has /dev/vda, and /dev/vdb where several areas are wanted: 3 at once elsewhere.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/swap.h>
#include <sys/sysinfo.h>
#include <sys/sysmacros.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <unistd.h>

#define PAGE 4096ul
#define WORDS (PAGE / sizeof(uint32_t))
#define PIECE (8ul << 20) /* what is mapped at a time: less than any machine has */
#define MIB_PAGES 256ul
#define COUNT(array) (sizeof(array) / sizeof *(array))

static int failures;

__attribute__((format(printf, 1, 2))) static void fail(const char *format, ...)
{
    va_list list;
    va_start(list, format);
    vprintf(format, list);
    va_end(list);
    printf("\n");
    fflush(stdout);
    failures++;
}

static void want(bool is_so, const char *what)
{
    if (!is_so)
        fail("not so: %s", what);
}
#define WANT(condition) want(condition, #condition)

/* ---- memory with content --------------------------------------------------------------------- */

struct memory {
    uint32_t **piece; /* of PIECE bytes */
    unsigned long pages;
};

static struct memory map(unsigned long mib, int flags)
{
    struct memory memory = {NULL, mib * MIB_PAGES};
    unsigned long count = (mib * MIB_PAGES * PAGE + PIECE - 1) / PIECE;
    memory.piece = malloc(count * sizeof *memory.piece);
    for (unsigned long i = 0; i < count; i++) {
        memory.piece[i] =
            mmap(NULL, PIECE, PROT_READ | PROT_WRITE, flags | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
        if (memory.piece[i] == MAP_FAILED) {
            perror("mmap");
            exit(1);
        }
    }
    return memory;
}

static volatile uint32_t *page_of(const struct memory *memory, unsigned long number)
{
    return memory->piece[number * PAGE / PIECE] + number * PAGE % PIECE / sizeof(uint32_t);
}

static uint32_t content(unsigned long number, unsigned word, unsigned round)
{
    uint32_t x = (uint32_t)number * 2654435761u + word * 40503u + round * 2246822519u;
    x ^= x >> 15;
    return x * 2654435769u | 1;
}

static unsigned middle(unsigned long number)
{
    return (unsigned)(1 + number % (WORDS - 2));
}

static void fill(const struct memory *memory, unsigned long number, unsigned round)
{
    volatile uint32_t *page = page_of(memory, number);
    page[0] = content(number, 0, round);
    page[middle(number)] = content(number, 1, round);
    page[WORDS - 1] = content(number, 2, round);
}

static bool is_right(const struct memory *memory, unsigned long number, unsigned round)
{
    volatile uint32_t *page = page_of(memory, number);
    return page[0] == content(number, 0, round) &&
           page[middle(number)] == content(number, 1, round) &&
           page[WORDS - 1] == content(number, 2, round);
}

static void fill_all(const struct memory *memory, unsigned round)
{
    for (unsigned long i = 0; i < memory->pages; i++)
        fill(memory, i, round);
}

static void check_all(const struct memory *memory, unsigned round)
{
    for (unsigned long i = 0; i < memory->pages; i++)
        if (!is_right(memory, i, round)) {
            fail("page %lu of %lu isn't what round %u wrote", i, memory->pages, round);
            return;
        }
}

/* ---- what the machine says ------------------------------------------------------------------- */

/* The number behind a name in a file of such lines. */
static unsigned long number_in(const char *path, const char *name)
{
    char line[256];
    unsigned long number = 0;
    FILE *file = fopen(path, "r");
    size_t length = strlen(name);
    while (file && fgets(line, sizeof line, file))
        if (!strncmp(line, name, length) && strchr(" :\t", line[length]))
            number += strtoul(line + length + strspn(line + length, " :\t"), NULL, 10);
    if (file)
        fclose(file);
    return number;
}

struct area {
    unsigned long size, used;
    int priority;
};

/* False: it isn't one. */
static bool find_area(const char *name, struct area *area)
{
    char line[256], found[64], type[32];
    struct area one;
    bool any = false;
    FILE *file = fopen("/proc/swaps", "r");
    while (file && fgets(line, sizeof line, file))
        if (sscanf(line, "%63s %31s %lu %lu %d", found, type, &one.size, &one.used,
                   &one.priority) == 5 &&
            !strcmp(found, name) && !strcmp(type, "partition")) {
            *area = one;
            any = true;
        }
    if (file)
        fclose(file);
    return any;
}

/* The header that mkswap writes. */
static void make_swap(const char *path)
{
    char page[PAGE] = {0};
    uint64_t size = 0;
    int fd = open(path, O_RDWR);
    WANT(fd >= 0 && !ioctl(fd, BLKGETSIZE64, &size));
    uint32_t info[2] = {1, (uint32_t)(size / PAGE - 1)};
    memcpy(page + 1024, info, sizeof info);
    memcpy(page + PAGE - 10, "SWAPSPACE2", 10);
    WANT(pwrite(fd, page, PAGE, 0) == (ssize_t)PAGE);
    close(fd);
}

static int status_of(pid_t child)
{
    int status;
    return waitpid(child, &status, 0) == child ? status : -1;
}

static bool exited_well(int status)
{
    return WIFEXITED(status) && !WEXITSTATUS(status);
}

/* ---- programs -------------------------------------------------------------------------------- */

/* MIB ROUNDS: forwards and backwards, so that what went last comes back first and last. */
static void do_fill(unsigned long mib, unsigned long rounds)
{
    struct memory memory = map(mib, MAP_PRIVATE);
    fill_all(&memory, 0);
    for (unsigned round = 1; round < rounds && !failures; round++)
        for (unsigned long i = 0; i < memory.pages && !failures; i++) {
            unsigned long number = round % 2 ? i : memory.pages - 1 - i;
            if (!is_right(&memory, number, round - 1))
                fail("page %lu isn't what round %u wrote", number, round - 1);
            fill(&memory, number, round);
        }
    check_all(&memory, (unsigned)rounds - 1);
    struct sysinfo info;
    WANT(!sysinfo(&info) && info.totalswap > info.freeswap);
    WANT(number_in("/proc/meminfo", "SwapTotal") == info.totalswap / 1024 * info.mem_unit);
    WANT(number_in("/proc/meminfo", "SwapFree") < number_in("/proc/meminfo", "SwapTotal"));
    WANT(number_in("/proc/vmstat", "pswpout") > 0);
    WANT(number_in("/proc/vmstat", "pswpin") > 0);
    WANT(number_in("/proc/self/status", "VmSwap") > 0);
}

/* MIB: a child writes to every second page of what is mostly in swap; both see their own. */
static void do_fork(unsigned long mib, unsigned long ignored)
{
    struct memory memory = map(mib, MAP_PRIVATE);
    (void)ignored;
    fill_all(&memory, 1);
    pid_t child = fork();
    if (!child) {
        for (unsigned long i = 0; i < memory.pages; i += 2)
            fill(&memory, i, 2);
        for (unsigned long i = 0; i < memory.pages; i++)
            if (!is_right(&memory, i, i % 2 ? 1 : 2))
                fail("the child's page %lu", i);
        _exit(failures != 0);
    }
    check_all(&memory, 1);
    fill_all(&memory, 3);
    WANT(exited_well(status_of(child)));
    check_all(&memory, 3);
}

/* MIB: two processes write to shared memory, each every second page. */
static void do_shared(unsigned long mib, unsigned long ignored)
{
    struct memory memory = map(mib, MAP_SHARED);
    (void)ignored;
    fill_all(&memory, 1);
    pid_t child = fork();
    if (!child) {
        for (unsigned long i = 0; i < memory.pages; i += 2)
            fill(&memory, i, 2);
        _exit(0);
    }
    for (unsigned long i = 1; i < memory.pages; i += 2)
        fill(&memory, i, 2);
    WANT(exited_well(status_of(child)));
    check_all(&memory, 2);
}

/* MIB: locked memory stays, and reading it is no fault, whatever others need. */
static void do_mlock(unsigned long mib, unsigned long ignored)
{
    struct memory locked = map(4, MAP_PRIVATE), other = map(mib, MAP_PRIVATE);
    struct rusage before, after;
    unsigned char there[4 * MIB_PAGES];
    (void)ignored;
    fill_all(&locked, 1);
    WANT(!mlock(locked.piece[0], 4 * MIB_PAGES * PAGE));
    fill_all(&other, 1);
    check_all(&other, 1);
    WANT(!mincore(locked.piece[0], 4 * MIB_PAGES * PAGE, there));
    for (unsigned long i = 0; i < locked.pages; i++)
        if (!(there[i] & 1)) {
            fail("locked page %lu isn't in memory", i);
            break;
        }
    getrusage(RUSAGE_SELF, &before);
    check_all(&locked, 1);
    getrusage(RUSAGE_SELF, &after);
    WANT(before.ru_majflt == after.ru_majflt);
    WANT(number_in("/proc/self/status", "VmLck") == 4096);
}

static unsigned long swapped_kib(void)
{
    return number_in("/proc/self/smaps", "Swap");
}

/* Advice about pages in memory and in swap. */
static void do_madvise(unsigned long ignored, unsigned long also)
{
    struct memory memory = map(8, MAP_PRIVATE);
    char *begin = (char *)memory.piece[0];
    size_t size = 8 * MIB_PAGES * PAGE;
    (void)ignored;
    (void)also;
    fill_all(&memory, 1);
    WANT(!madvise(begin, size, MADV_PAGEOUT));
    WANT(swapped_kib() == size / 1024);
    WANT(number_in("/proc/self/status", "VmSwap") == size / 1024);
    check_all(&memory, 1);
    WANT(!madvise(begin, size, MADV_PAGEOUT));
    WANT(!madvise(begin, size / 2, MADV_WILLNEED));
    check_all(&memory, 1);
    WANT(!madvise(begin, size, MADV_PAGEOUT));
    unsigned long free = number_in("/proc/meminfo", "SwapFree");
    WANT(!madvise(begin, size / 2, MADV_DONTNEED));
    WANT(number_in("/proc/meminfo", "SwapFree") >= free + size / 2 / 1024);
    for (unsigned long i = 0; i < memory.pages / 2; i++)
        if (*page_of(&memory, i)) {
            fail("page %lu, which isn't needed, isn't empty", i);
            break;
        }
    for (unsigned long i = memory.pages / 2; i < memory.pages; i++)
        if (!is_right(&memory, i, 1)) {
            fail("page %lu is lost", i);
            break;
        }
    WANT(!madvise(begin, size, MADV_FREE));
    fill_all(&memory, 2);
    check_all(&memory, 2);
    WANT(!munmap(begin, size));
    WANT(!swapped_kib());
}

/* ---- swapon and swapoff ---------------------------------------------------------------------- */

static void wants_error(int result, int error, const char *what)
{
    int got = result ? errno : 0;
    if (got != error)
        fail("%s: %s rather than %s", what, strerrorname_np(got), strerrorname_np(error));
}
#define WANT_ERROR(call, error) wants_error(call, error, #call)

static void as_somebody(void)
{
    pid_t child = fork();
    if (!child) {
        if (setuid(1000))
            _exit(1);
        WANT_ERROR(swapon("/dev/vda", 0), EPERM);
        WANT_ERROR(swapoff("/dev/vda"), EPERM);
        WANT_ERROR(swapon("/no/such", 0), EPERM);
        WANT_ERROR(swapon("/dev/vda", 0x80000), EINVAL);
        _exit(failures != 0);
    }
    WANT(exited_well(status_of(child)));
}

/* A header with one thing wrong at a time; `at`: of the page. */
static void with_mistake(size_t at, uint32_t value)
{
    uint32_t right;
    int fd = open("/dev/vda", O_RDWR);
    WANT(pread(fd, &right, sizeof right, (off_t)at) == sizeof right);
    WANT(pwrite(fd, &value, sizeof value, (off_t)at) == sizeof value);
    WANT_ERROR(swapon("/dev/vda", 0), EINVAL);
    WANT(pwrite(fd, &right, sizeof right, (off_t)at) == sizeof right);
    close(fd);
}

static void bad_headers(void)
{
    static const size_t version = 1024, last_page = 1028, nr_bad = 1032;
    with_mistake(version, 2);
    with_mistake(version, 0x01000000);
    with_mistake(last_page, 0);
    with_mistake(last_page, UINT32_MAX);
    with_mistake(nr_bad, 1);
    with_mistake(PAGE - 8, 0);
}

/* Of a device that isn't used; then it is. */
static void do_errors(unsigned long ignored, unsigned long also)
{
    struct area area;
    (void)ignored;
    (void)also;
    WANT_ERROR(swapoff("/dev/vda"), 0);
    as_somebody();
    WANT_ERROR(swapon("/dev/vda", 0x80000), EINVAL);
    WANT_ERROR(swapon("/no/such", 0), ENOENT);
    WANT_ERROR(swapon("", 0), ENOENT);
    WANT_ERROR(swapon((const char *)8, 0), EFAULT);
    WANT_ERROR(swapon("/tmp", 0), EISDIR);
    WANT_ERROR(swapon("/dev/null", 0), EINVAL);
    close(open("/tmp/file", O_CREAT | O_WRONLY, 0600));
    WANT(!truncate("/tmp/file", 1 << 20));
    WANT_ERROR(swapon("/tmp/file", 0), EINVAL);
    WANT_ERROR(swapoff("/tmp/file"), EINVAL);
    WANT_ERROR(swapoff("/dev/vda"), EINVAL);
    WANT_ERROR(swapoff("/no/such"), ENOENT);
    WANT(!mknod("/tmp/none", S_IFBLK | 0600, makedev(254, 240)));
    WANT_ERROR(swapon("/tmp/none", 0), ENXIO);
    bad_headers();
    WANT(!find_area("/dev/vda", &area));
    WANT_ERROR(swapon("/dev/vda", SWAP_FLAG_PREFER | 17 | SWAP_FLAG_DISCARD), 0);
    WANT_ERROR(swapon("/dev/vda", 0), EBUSY);
    WANT(find_area("/dev/vda", &area) && area.priority == 17 && !area.used);
    WANT_ERROR(swapoff("/dev/vda"), 0);
    WANT(!find_area("/dev/vda", &area));
    WANT_ERROR(swapon("/dev/vda", 0), 0);
    WANT(find_area("/dev/vda", &area) && area.priority < 0);
}

/* MIB: the area of the higher priority is full before the other has anything. */
static void do_priorities(unsigned long mib, unsigned long ignored)
{
    struct area high, low;
    (void)ignored;
    WANT_ERROR(swapoff("/dev/vda"), 0);
    WANT_ERROR(swapoff("/dev/vdb"), 0);
    make_swap("/dev/vdb");
    WANT_ERROR(swapon("/dev/vda", SWAP_FLAG_PREFER | 1), 0);
    WANT_ERROR(swapon("/dev/vdb", SWAP_FLAG_PREFER | 2), 0);
    struct memory memory = map(mib, MAP_PRIVATE);
    for (unsigned long i = 0; i < memory.pages; i++) {
        fill(&memory, i, 1);
        if (i % 1024 || !find_area("/dev/vda", &low) || !low.used)
            continue;
        WANT(find_area("/dev/vdb", &high) && high.used * 10 > high.size * 9);
    }
    WANT(find_area("/dev/vda", &low) && low.used);
    check_all(&memory, 1);
    WANT_ERROR(swapoff("/dev/vdb"), 0);
    check_all(&memory, 1);
}

/* MIB: with as much in use a swapoff brings all back while a child goes on; MIB is less than
 * the memory. */
static void do_off(unsigned long mib, unsigned long ignored)
{
    struct memory memory = map(mib, MAP_PRIVATE);
    struct area area;
    (void)ignored;
    fill_all(&memory, 1);
    for (unsigned long at = 0; at < mib * MIB_PAGES * PAGE; at += PIECE)
        WANT(!madvise(memory.piece[at / PIECE], PIECE, MADV_PAGEOUT));
    pid_t child = fork();
    if (!child) {
        struct memory own = map(2, MAP_PRIVATE);
        for (unsigned round = 1; round < 20 && !failures; round++) {
            fill_all(&own, round);
            check_all(&own, round);
            for (unsigned long i = round; i < memory.pages; i += 20)
                if (!is_right(&memory, i, 1))
                    fail("the child's page %lu", i);
        }
        _exit(failures != 0);
    }
    WANT_ERROR(swapoff("/dev/vda"), 0);
    WANT(!find_area("/dev/vda", &area));
    WANT(!number_in("/proc/self/status", "VmSwap"));
    WANT(!number_in("/proc/meminfo", "SwapTotal"));
    check_all(&memory, 1);
    WANT(exited_well(status_of(child)));
}

/* MIB: more than the memory: the swapoff fails, and nothing is lost. */
static void do_stay(unsigned long mib, unsigned long ignored)
{
    struct memory memory = map(mib, MAP_PRIVATE);
    struct area area;
    (void)ignored;
    fill_all(&memory, 1);
    WANT_ERROR(swapoff("/dev/vda"), ENOMEM);
    WANT(find_area("/dev/vda", &area) && area.used);
    check_all(&memory, 1);
    fill_all(&memory, 2);
    check_all(&memory, 2);
}

/* ---- what goes wrong ------------------------------------------------------------------------- */

/* MIB: a child that reads what the device can't gets SIGBUS; nobody else does, nor the next. */
static void do_unreadable(unsigned long mib, unsigned long ignored)
{
    struct memory mine = map(1, MAP_PRIVATE);
    (void)ignored;
    fill_all(&mine, 1);
    WANT(!mlock(mine.piece[0], MIB_PAGES * PAGE));
    pid_t child = fork();
    if (!child) {
        struct memory memory = map(mib, MAP_PRIVATE);
        fill_all(&memory, 1);
        check_all(&memory, 1);
        _exit(failures ? 1 : 0);
    }
    int status = status_of(child);
    if (!WIFSIGNALED(status) || WTERMSIG(status) != SIGBUS)
        fail("the child's status is 0x%x rather than SIGBUS", (unsigned)status);
    check_all(&mine, 1);
    WANT(number_in("/proc/vmstat", "pswpin") > 0);
    struct memory next = map(2, MAP_PRIVATE);
    fill_all(&next, 2);
    check_all(&next, 2);
}

/* MIB: more than there can be. Somebody is killed, and it is us. */
static void do_too_much(unsigned long mib, unsigned long ignored)
{
    (void)ignored;
    struct memory memory = map(mib, MAP_PRIVATE);
    fill_all(&memory, 1);
    fail("there was room for all of it");
}

static void set_badness(const char *adjustment)
{
    int fd = open("/proc/self/oom_score_adj", O_WRONLY);
    WANT(write(fd, adjustment, strlen(adjustment)) == (ssize_t)strlen(adjustment));
    close(fd);
}

/* MIB: the same as a child, whose parent is spared, lives on, and finds the swap empty again. */
static void do_survive(unsigned long mib, unsigned long ignored)
{
    set_badness("-1000");
    pid_t child = fork();
    if (!child) {
        set_badness("0");
        do_too_much(mib, ignored);
        _exit(1);
    }
    int status = status_of(child);
    WANT(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
    WANT(number_in("/proc/vmstat", "oom_kill") > 0);
    struct memory memory = map(4, MAP_PRIVATE);
    fill_all(&memory, 1);
    check_all(&memory, 1);
    unsigned long total = number_in("/proc/meminfo", "SwapTotal");
    WANT(number_in("/proc/meminfo", "SwapFree") > total - total / 4);
}

int main(int argc, char **argv)
{
    static const struct {
        const char *name;
        void (*run)(unsigned long, unsigned long);
    } programs[] = {
        {"fill", do_fill},
        {"fork", do_fork},
        {"shared", do_shared},
        {"mlock", do_mlock},
        {"madvise", do_madvise},
        {"errors", do_errors},
        {"priorities", do_priorities},
        {"off", do_off},
        {"stay", do_stay},
        {"unreadable", do_unreadable},
        {"too-much", do_too_much},
        {"survive", do_survive},
    };
    struct utsname name;
    if (uname(&name) || !strstr(name.version, "Quire"))
        return 3;
    for (size_t i = 0; argc > 1 && i < COUNT(programs); i++)
        if (!strcmp(argv[1], programs[i].name)) {
            programs[i].run(argc > 2 ? strtoul(argv[2], NULL, 10) : 0,
                            argc > 3 ? strtoul(argv[3], NULL, 10) : 0);
            return failures != 0;
        }
    return 2;
}
