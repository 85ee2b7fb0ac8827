/* tests/guest/fuzz.c: random system calls from ring 3
 *
 *     CLASS-fuzz --seconds N --seed S [--first ROUND]
 *
 * Each round is a child that makes up to CALLS system calls, of any number but those that would end
 * the machine or this process, with arguments from pools: valid and invalid pointers, edges of
 * areas, addresses of the kernel, descriptors, sizes, flags, and now and then anything. What a
 * round does follows from the seed and its number alone, as far as the machine answers the same; a
 * line each second tells both. A child calls nothing of libc, so what it destroys is its own. A
 * timer interrupts it where it waits; who still runs after ROUND_MS is killed. Three rounds in four
 * are an ordinary user's; root's make no calls that reach other processes or the clock.
 *
 * At the end the children's files and segments are removed, and free memory has to be within
 * SLACK_KIB of what it was after the first rounds.
 *
 * Only for the machine: 3 is returned at once where uname doesn't name it. 0: done, 1: memory is
 * missing, 2: usage.
 */
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/shm.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysinfo.h>
#include <sys/time.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define CALLS 150
#define ROUND_MS 400
#define WARM_UP_ROUNDS 10
#define SLACK_KIB 2048
#define NR_NUMBERS 470
#define ORDINARY_USER 1000
#define AREA_PAGES 16
#define PAGE 4096ul
#define FOLDER "/tmp/fuzz"
#define COUNT(array) (sizeof(array) / sizeof *(array))

/* ---- random choices -------------------------------------------------------------------------- */

static uint64_t random_state;
/* By the running round, which shares it; and by all, but those that wrote over it. */
static volatile unsigned long *calls_made;
static unsigned long all_calls;

/* splitmix64 */
static uint64_t any(void)
{
    uint64_t z = random_state += 0x9e3779b97f4a7c15;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
    z = (z ^ z >> 27) * 0x94d049bb133111eb;
    return z ^ z >> 31;
}

static unsigned below(unsigned bound)
{
    return (unsigned)(any() >> 32) % bound;
}

/* ---- what arguments are made of -------------------------------------------------------------- */

/* The areas of a child: what is at its pointers. Valid structures lie in `valid`. */
static char *areas[4];
static struct {
    struct timespec short_time, no_time, wrong_time;
    struct timeval timeval[2];
    struct itimerval timer;
    sigset_t signals;
    struct rlimit limit;
    struct flock lock;
    void *vector[8]; /* struct iovec, or argv */
    uint64_t words[16];
    uint32_t futex[4];
    int descriptors[4];
    char bytes[256];
} valid;

static const char *const names[] = {"f0",
                                    "f1",
                                    "f2",
                                    "d0",
                                    "d0/f0",
                                    "d0/d1",
                                    "l0",
                                    "l0/f0",
                                    ".",
                                    "..",
                                    "",
                                    "/",
                                    "/dev/null",
                                    "/dev/zero",
                                    "/dev/full",
                                    "/proc/meminfo",
                                    "/proc/self/maps",
                                    "/proc/self/fd",
                                    "/tmp",
                                    "none/none",
                                    "/dev/tty",
                                    "/proc/self/status",
                                    "/proc/self/stat"};

static const unsigned long sizes[] = {0,
                                      1,
                                      2,
                                      3,
                                      4,
                                      7,
                                      8,
                                      12,
                                      16,
                                      24,
                                      64,
                                      128,
                                      255,
                                      1000,
                                      PAGE - 1,
                                      PAGE,
                                      PAGE + 1,
                                      2 * PAGE,
                                      16 * PAGE,
                                      65536,
                                      1 << 20,
                                      1 << 22,
                                      1 << 30,
                                      0x7fffffff,
                                      0x80000000,
                                      0xffffffff,
                                      (unsigned long)-1,
                                      (unsigned long)-PAGE,
                                      -1ul >> 1};

static unsigned long address_of_the_kernel(void)
{
    static const unsigned long bases[] = {
#ifdef __x86_64__
        0xffff888000000000, 0xffff888000100000, 0xffffc90000000000, 0xffffffff80100000,
        0xffffffffff800000, 0x800000000000,     0x7ffffffff000,     0xffff800000000000,
#endif
        0xc0000000,         0xc0100000,         0xbffff000,         0xfffff000,
        (unsigned long)-1,  (unsigned long)-8};
    return bases[below(COUNT(bases))] + (below(3) ? 0 : below(PAGE));
}

static unsigned long pointer(void)
{
    char *area = areas[below(COUNT(areas))];
    switch (below(16)) {
    case 0:
        return 0;
    case 1:
        return below(PAGE);
    case 2:
        return address_of_the_kernel();
    case 3:
        return (unsigned long)area + AREA_PAGES * PAGE - below(16); /* across the end */
    case 4:
        return (unsigned long)area - below(16);
    case 5:
        return (unsigned long)area + below(AREA_PAGES) * PAGE + below(PAGE);
    case 6:
    case 7:
        return (unsigned long)area + below(AREA_PAGES) * PAGE;
    case 8:
        return (unsigned long)valid.vector;
    case 9: /* seldom what the round itself lives on: it would end there */
        if (!below(16))
            return (unsigned long)__builtin_frame_address(0) & -PAGE;
        if (!below(16))
            return (unsigned long)(uintptr_t)pointer & -PAGE;
        return (unsigned long)area + AREA_PAGES * PAGE;
    case 10:
    case 11:
    case 12:
        return (unsigned long)names[below(COUNT(names))];
    default:
        return (unsigned long)&valid + below(sizeof valid / 8) * 8;
    }
}

static unsigned long argument(void)
{
    switch (below(12)) {
    case 0:
        return below(2) ? any() : (uint32_t)any();
    case 1:
        return 1ul << below(32);
    case 2:
        return 1ul << below(20) | 1ul << below(20) | below(4);
    case 3:
    case 4:
        return sizes[below(COUNT(sizes))];
    case 5:
    case 6:
        return below(14); /* descriptors, signals, small flags */
    case 7:
        return (unsigned long)-(long)below(200); /* -1, AT_FDCWD */
    default:
        return pointer();
    }
}

/* ---- which calls ----------------------------------------------------------------------------- */

/* Of which there are too many to be found often by chance, in a kernel for memory. */
static const short memory_calls[] = {
    SYS_mmap,
    SYS_munmap,
    SYS_mprotect,
    SYS_mremap,
    SYS_madvise,
    SYS_mincore,
    SYS_msync,
    SYS_mlock,
    SYS_munlock,
    SYS_brk,
    SYS_mlock2,
    SYS_process_vm_readv,
    SYS_process_vm_writev,
    SYS_ftruncate,
    SYS_fallocate,
    SYS_read,
    SYS_write,
    SYS_open,
    SYS_memfd_create,
    SYS_futex,
#ifdef SYS_mmap2
    SYS_mmap2,
#endif
#ifdef SYS_shmget
    SYS_shmget,
    SYS_shmat,
    SYS_shmdt,
#endif
};

/* They end the round. */
static const short never[] = {SYS_exit, SYS_exit_group, SYS_reboot, SYS_vhangup};

static const short never_by_root[] = {
    SYS_kill,
    SYS_tkill,
    SYS_tgkill,
    SYS_rt_sigqueueinfo,
    SYS_rt_tgsigqueueinfo,
    SYS_setpgid,
    SYS_ptrace,
    SYS_prlimit64,
    SYS_setrlimit,
    SYS_settimeofday,
    SYS_clock_settime,
    SYS_process_vm_writev,
    SYS_sched_setscheduler,
    SYS_sched_setparam,
    SYS_setpriority,
    SYS_sched_setaffinity,
    SYS_pidfd_send_signal,
    SYS_sched_setattr,
    SYS_mount,
    SYS_umount2,
    SYS_chroot,
    SYS_pivot_root,
    SYS_swapon,
    SYS_swapoff,
#ifdef SYS_stime
    SYS_stime,
    SYS_clock_settime64,
#endif
};

static bool is_one_of(const short *list, size_t count, long number)
{
    for (size_t i = 0; i < count; i++)
        if (list[i] == number)
            return true;
    return false;
}

static long call(long number, const unsigned long *a)
{
    long result;
#ifdef __x86_64__
    register unsigned long r10 __asm__("r10") = a[3], r8 __asm__("r8") = a[4],
                               r9 __asm__("r9") = a[5];
    __asm__ volatile("syscall"
                     : "=a"(result)
                     : "a"(number), "D"(a[0]), "S"(a[1]), "d"(a[2]), "r"(r10), "r"(r8), "r"(r9)
                     : "rcx", "r11", "memory");
#else
    const unsigned long *in = a, rest[2] = {a[5], (unsigned long)number}, *more = rest;
    __asm__ volatile("push %%ebp\n\tpush %%ebx\n\tmov 4(%2), %%eax\n\tmov (%2), %%ebp\n\t"
                     "mov (%1), %%ebx\n\tmov 4(%1), %%ecx\n\tmov 8(%1), %%edx\n\t"
                     "mov 16(%1), %2\n\tmov 12(%1), %1\n\tint $0x80\n\tpop %%ebx\n\tpop %%ebp"
                     : "=a"(result), "+S"(in), "+D"(more)
                     :
                     : "ecx", "edx", "memory");
#endif
    return result;
}

/* ---- a round --------------------------------------------------------------------------------- */

static void interrupts(int signal)
{
    (void)signal;
}

static int file_fd, memory_fd, fault_fd;

static void open_things(void)
{
    int ends[2];
    for (int fd = 0; fd < 16; fd++)
        close(fd);
    open("/dev/null", O_RDWR);
    dup(0);
    dup(0);
    file_fd = open("f0", O_RDWR | O_CREAT, 0666);
    open(".", O_RDONLY);
    open("/dev/zero", O_RDWR);
    open("/proc/self/maps", O_RDONLY);
    memory_fd = memfd_create("m", MFD_ALLOW_SEALING);
    ftruncate(memory_fd, AREA_PAGES * PAGE);
    if (pipe2(ends, below(2) ? O_NONBLOCK : 0))
        _exit(1);
}

static void prepare_memory(void)
{
    static const int kinds[] = {MAP_PRIVATE | MAP_ANONYMOUS, MAP_SHARED | MAP_ANONYMOUS, MAP_SHARED,
                                MAP_PRIVATE};
    ftruncate(file_fd, AREA_PAGES / 2 * PAGE + 100);
    for (unsigned i = 0; i < COUNT(areas); i++) {
        int fd = kinds[i] & MAP_ANONYMOUS ? -1 : kinds[i] & MAP_SHARED ? file_fd : memory_fd;
        areas[i] = mmap(NULL, AREA_PAGES * PAGE, PROT_READ | PROT_WRITE, kinds[i], fd, 0);
        if (areas[i] == MAP_FAILED)
            _exit(1);
        for (unsigned page = 0; page < AREA_PAGES / 2; page++)
            if (below(2))
                areas[i][page * PAGE] = (char)page;
        if (below(2))
            madvise(areas[i], AREA_PAGES * PAGE, MADV_MERGEABLE);
        mprotect(areas[i] + below(AREA_PAGES) * PAGE, PAGE, (int)below(4));
        munmap(areas[i] + below(AREA_PAGES) * PAGE, PAGE);
    }
}

/* Seldom: who comes upon a page that nobody fills in waits until the round is over. */
static void watch_faults(void)
{
    uint64_t hands[3] = {0xaa, 0, 0};
    fault_fd = below(16) ? -1 : (int)syscall(SYS_userfaultfd, O_NONBLOCK | below(2));
    if (fault_fd >= 0)
        ioctl(fault_fd, 0xc018aa3f, hands);
}

/* A command of the descriptor, with ranges that may well be there. */
static void command_of_faults(unsigned long *arguments)
{
    static const unsigned commands[] = {0xc020aa00, 0x8010aa01, 0x8010aa02, 0xc028aa03,
                                        0xc020aa04, 0xc018aa06, 0xc020aa08, 0xc018aa3f};
    arguments[0] = (unsigned long)fault_fd;
    arguments[1] = commands[below(COUNT(commands))];
    if (!below(4))
        return; /* and anything */
    valid.words[0] = (uintptr_t)areas[below(COUNT(areas))] + below(AREA_PAGES) * PAGE;
    valid.words[1] = below(2) ? (uintptr_t)areas[0] : below(AREA_PAGES) * PAGE;
    valid.words[2] = below(2) ? below(8) : below(AREA_PAGES) * PAGE;
    valid.words[3] = below(4);
    arguments[2] = (unsigned long)valid.words;
}

static void prepare_structures(void)
{
    valid.short_time = (struct timespec){0, 1000000};
    valid.wrong_time = (struct timespec){-1, -1};
    valid.timeval[0] = valid.timeval[1] = (struct timeval){0, 1000};
    valid.timer = (struct itimerval){{0, 10000}, {0, 10000}};
    valid.limit = (struct rlimit){1 << 20, 1 << 22};
    valid.lock = (struct flock){.l_type = F_WRLCK, .l_len = 10};
    for (unsigned i = 0; i < COUNT(valid.vector); i += 2) {
        valid.vector[i] = (void *)pointer();
        valid.vector[i + 1] = (void *)(below(2) ? sizes[below(20)] : 0);
    }
    for (unsigned i = 0; i < COUNT(valid.words); i++)
        valid.words[i] = argument();
    for (unsigned i = 0; i < COUNT(valid.descriptors); i++)
        valid.descriptors[i] = (int)below(12);
}

static void limit(int resource, unsigned long value)
{
    struct rlimit both = {value, value};
    setrlimit((__rlimit_resource_t)resource, &both);
}

_Noreturn static void round_of_calls(uint64_t seed)
{
    struct sigaction action = {.sa_handler = interrupts};
    const struct itimerval timer = {{0, 20000}, {0, 20000}};
    random_state = seed;
    bool root = !below(4);
    setpgid(0, 0);
    open_things();
    prepare_memory();
    prepare_structures();
    watch_faults();
    limit(RLIMIT_FSIZE, 1 << 20);
    limit(RLIMIT_AS, 64 << 20);
    limit(RLIMIT_NOFILE, 64);
    sigaction(SIGALRM, &action, NULL);
    setitimer(ITIMER_REAL, &timer, NULL);
    if (!root && (setgid(ORDINARY_USER) || setuid(ORDINARY_USER)))
        _exit(1);
    for (int i = 0; i < CALLS; i++) {
        unsigned long arguments[6];
        long number = below(3) ? (long)below(NR_NUMBERS) : memory_calls[below(COUNT(memory_calls))];
        for (unsigned k = 0; k < 6; k++)
            arguments[k] = argument();
        if (!below(2))
            arguments[0] = below(12); /* most take a descriptor */
        if (fault_fd >= 0 && !below(4)) {
            number = SYS_ioctl;
            command_of_faults(arguments);
        }
        if (is_one_of(never, COUNT(never), number) ||
            (root && is_one_of(never_by_root, COUNT(never_by_root), number)))
            continue;
        ++*calls_made;
        call(number, arguments);
    }
    const unsigned long status[6] = {0};
    call(SYS_exit_group, status);
    for (;;)
        __builtin_trap();
}

/* ---- who looks after the rounds -------------------------------------------------------------- */

static long long now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * 1000ll + now.tv_nsec / 1000000;
}

static unsigned long free_kib(void)
{
    struct sysinfo info;
    return sysinfo(&info) ? 0 : (unsigned long)((uint64_t)info.freeram * info.mem_unit >> 10);
}

/* All that still runs is the round's: nobody else is on this machine. */
static void end_children(void)
{
    kill(-1, SIGKILL);
    kill(-1, SIGCONT);
    while (waitpid(-1, NULL, __WALL) > 0)
        ;
}

static void run_round(uint64_t seed)
{
    *calls_made = 0;
    pid_t pid = fork();
    if (!pid)
        round_of_calls(seed);
    if (pid < 0)
        printf("fuzz: fork: %s\n", strerror(errno));
    long long end = now_ms() + ROUND_MS;
    while (pid > 0 && waitpid(pid, NULL, WNOHANG | __WALL) == 0 && now_ms() < end)
        nanosleep(&(struct timespec){0, 2000000}, NULL);
    end_children();
    if (*calls_made <= 100 * CALLS)
        all_calls += *calls_made;
}

static int remove_one(const char *path, const struct stat *status, int kind, struct FTW *place)
{
    (void)status;
    (void)kind;
    if (place->level)
        remove(path);
    return 0;
}

static void clean_up(void)
{
    struct shmid_ds info;
    for (int i = 0; i < 4096; i++) {
        int id = shmctl(i, SHM_STAT, &info);
        if (id >= 0)
            shmctl(id, IPC_RMID, NULL);
    }
    chmod(FOLDER, 0777);
    nftw(FOLDER, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

/* Without what the kernel keeps for later: empty slabs, clean pages. */
static unsigned long free_at_rest_kib(void)
{
    int fd = open("/proc/sys/vm/drop_caches", O_WRONLY);
    if (fd < 0 || write(fd, "3", 1) != 1)
        perror("drop_caches");
    close(fd);
    return free_kib();
}

static unsigned long number_after(int argc, char **argv, const char *option,
                                  unsigned long otherwise)
{
    for (int i = 1; i + 1 < argc; i++)
        if (!strcmp(argv[i], option))
            return strtoul(argv[i + 1], NULL, 10);
    return otherwise;
}

/* What rounds say is mergeable is merged while they run. */
static void merge_pages(void)
{
    int fd = open("/sys/kernel/mm/ksm/run", O_WRONLY);
    if (fd < 0 || write(fd, "1", 1) != 1)
        perror("merging");
    close(fd);
}

int main(int argc, char **argv)
{
    struct utsname name;
    unsigned long seconds = number_after(argc, argv, "--seconds", 0);
    unsigned long seed = number_after(argc, argv, "--seed", 1);
    unsigned long round = number_after(argc, argv, "--first", 0), begin = round, before = 0;
    if (uname(&name) || !(strstr(name.version, "Quire") || strstr(name.release, "quire"))) {
        fprintf(stderr, "fuzz: this is no machine of Quire's: not here\n");
        return 3;
    }
    if (!seconds) {
        fprintf(stderr, "usage: fuzz --seconds N --seed S [--first ROUND]\n");
        return 2;
    }
    setvbuf(stdout, NULL, _IOLBF, 0);
    calls_made = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (calls_made == MAP_FAILED) {
        perror("memory");
        return 1;
    }
    merge_pages();
    signal(SIGALRM, SIG_IGN);
    mkdir(FOLDER, 0777);
    if (chmod(FOLDER, 0777) || chdir(FOLDER)) {
        perror(FOLDER);
        return 1;
    }
    long long start = now_ms(), told = start;
    while (now_ms() < start + (long long)seconds * 1000 || round - begin < 2 * WARM_UP_ROUNDS) {
        run_round(seed * 1000003 + round);
        round++;
        if (round - begin == WARM_UP_ROUNDS) {
            clean_up();
            before = free_at_rest_kib();
        }
        if (now_ms() >= told + 1000) {
            told = now_ms();
            printf("fuzz: seed %lu, rounds %lu to %lu, %lu calls, %lu KiB free\n", seed, begin,
                   round, all_calls, free_kib());
        }
    }
    clean_up();
    unsigned long after = free_at_rest_kib();
    printf("fuzz: seed %lu, %lu rounds, %lu calls; %lu KiB free after the first %d, %lu now\n",
           seed, round - begin, all_calls, before, WARM_UP_ROUNDS, after);
    if (all_calls < (round - begin) * 10) { /* most die of a bad address, but not at once */
        printf("fuzz: rounds end before they make calls\n");
        return 1;
    }
    return before && after + SLACK_KIB >= before ? 0 : 1;
}
