/* tests/guest/cores.c: what a signal leaves of a process
 *
 * Run by cases.sh in a machine alone, since a host's core_pattern is not to be touched, and may
 * lead anywhere. A case says "ok - ..." or "not ok - ..."; what is expected is what the manuals say
 * (core, madvise, elf), and the System V ABI.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <link.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/procfs.h>
#include <sys/resource.h>
#include <sys/shm.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define PAGE 4096ul
#define NR_THREADS 40
#define TRIES 40u
#define FILTER "/proc/self/coredump_filter"

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

static int put(const char *path, const char *text)
{
    int fd = open(path, O_WRONLY), error = fd < 0 ? errno : 0;
    if (!error && write(fd, text, strlen(text)) < 0)
        error = errno;
    close(fd);
    return error;
}

/* ---- one that ends --------------------------------------------------------------------------- */

static char *const kept = (char *)0x30000000, *const left_out = (char *)0x30100000,
                   *const untouched = (char *)0x30200000, *const shared = (char *)0x30300000,
                   *const segment = (char *)0x30400000;

static void limit(rlim_t bytes)
{
    setrlimit(RLIMIT_CORE, &(struct rlimit){bytes, RLIM_INFINITY});
}

/* How a child ended that did this. */
static int status_of(void (*run)(void), siginfo_t *info)
{
    int status;
    pid_t pid = fork();
    if (!pid) {
        run();
        _exit(9);
    }
    siginfo_t none;
    waitid(P_PID, (id_t)pid, info ? info : &none, WEXITED | WNOWAIT);
    waitpid(pid, &status, 0);
    return status;
}

static void make_memory(void)
{
    const int anon = MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, rw = PROT_READ | PROT_WRITE;
    int id = shmget(IPC_PRIVATE, PAGE, 0600);
    if (mmap(kept, 4 * PAGE, rw, anon, -1, 0) != kept ||
        mmap(left_out, 4 * PAGE, rw, anon, -1, 0) != left_out ||
        mmap(untouched, 64 * PAGE, rw, anon, -1, 0) != untouched ||
        mmap(shared, PAGE, rw, MAP_SHARED | MAP_ANONYMOUS | MAP_FIXED, -1, 0) != shared ||
        shmat(id, segment, 0) != segment)
        _exit(8);
    shmctl(id, IPC_RMID, NULL);
    memset(kept, 'k', 4 * PAGE);
    memset(left_out, 'l', 4 * PAGE);
    memset(shared, 's', PAGE);
    memset(segment, 'v', PAGE);
    untouched[5 * PAGE] = 'u';
    madvise(left_out, 4 * PAGE, MADV_DONTDUMP);
}

static void aborts(void)
{
    limit(RLIM_INFINITY);
    make_memory();
    abort();
}

/* Shared memory that no entry leads to, since it is in swap. */
static void is_in_swap(void)
{
    unsigned char resident[1] = {1};
    limit(RLIM_INFINITY);
    make_memory();
    madvise(shared, PAGE, MADV_PAGEOUT);
    if (mincore(shared, PAGE, resident) || resident[0] & 1)
        _exit(8);
    abort();
}

static void faults(void)
{
    limit(RLIM_INFINITY);
    *(volatile int *)0x1234 = 1;
}

static void *waits(void *arg)
{
    static int ends[2];
    char byte;
    (void)arg;
    if (pipe(ends))
        return NULL;
    return (void *)(uintptr_t)read(ends[0], &byte, 1);
}

static void has_threads(void)
{
    pthread_attr_t attributes;
    pthread_t id;
    limit(RLIM_INFINITY);
    pthread_attr_init(&attributes);
    pthread_attr_setstacksize(&attributes, 65536);
    for (int i = 0; i < NR_THREADS; i++)
        pthread_create(&id, &attributes, waits, NULL);
    usleep(50000);
    raise(SIGQUIT);
}

static void is_limited(void)
{
    limit(20000);
    make_memory();
    abort();
}

static void has_no_room(void)
{
    limit(4095);
    abort();
}

#define FILE_LIMIT 50001u

static void is_limited_as_a_file(void)
{
    limit(RLIM_INFINITY);
    make_memory();
    setrlimit(RLIMIT_FSIZE, &(struct rlimit){FILE_LIMIT, FILE_LIMIT});
    abort();
}

static void *becomes_another(void *arg)
{
    execl("/proc/self/exe", "cores", "--nothing", NULL);
    return arg;
}

/* One thread leaves a core while another wants to become another program. */
static void aborts_beside_exec(void)
{
    pthread_t id;
    limit(RLIM_INFINITY);
    make_memory();
    pthread_create(&id, NULL, becomes_another, NULL);
    for (unsigned i = (unsigned)getpid() % 40 * 200; i; i--)
        __asm__ volatile("");
    abort();
}

static void is_secret(void)
{
    limit(RLIM_INFINITY);
    prctl(PR_SET_DUMPABLE, 0);
    abort();
}

static void is_told_to_end(void)
{
    limit(RLIM_INFINITY);
    raise(SIGTERM);
}

static void filters(void)
{
    limit(RLIM_INFINITY);
    make_memory();
    put(FILTER, "0x2");
    abort();
}

static void filters_nothing(void)
{
    limit(RLIM_INFINITY);
    make_memory();
    put(FILTER, "0");
    abort();
}

/* ---- what is in it --------------------------------------------------------------------------- */

static char *core;
static size_t core_size;

static int open_core(const char *name)
{
    struct stat status;
    int fd = open(name, O_RDONLY);
    if (fd < 0 || fstat(fd, &status))
        return 0;
    core_size = (size_t)status.st_size;
    core = mmap(NULL, core_size, PROT_READ, MAP_PRIVATE, fd, 0);
    close(fd);
    return core != MAP_FAILED && core_size > sizeof(ElfW(Ehdr)) && (status.st_mode & 07777) == 0600;
}

static void close_core(const char *name)
{
    munmap(core, core_size);
    unlink(name);
}

static const ElfW(Phdr) * header(unsigned i)
{
    const ElfW(Ehdr) *elf = (const void *)core;
    return i < elf->e_phnum ? (const ElfW(Phdr) *)(const void *)(core + elf->e_phoff) + i : NULL;
}

/* The byte that it has of an address; -1: it has none. */
static int byte_at(const char *at)
{
    const ElfW(Phdr) * segment;
    for (unsigned i = 0; (segment = header(i)); i++)
        if (segment->p_type == PT_LOAD && (uintptr_t)at - segment->p_vaddr < segment->p_filesz)
            return core[segment->p_offset + ((uintptr_t)at - segment->p_vaddr)];
    return -1;
}

/* Where it would end. */
static size_t byte_end(void)
{
    const ElfW(Phdr) * segment;
    size_t end = 0;
    for (unsigned i = 0; (segment = header(i)); i++)
        if (segment->p_offset + segment->p_filesz > end)
            end = segment->p_offset + segment->p_filesz;
    return end;
}

static int is_listed(const char *at)
{
    const ElfW(Phdr) * segment;
    for (unsigned i = 0; (segment = header(i)); i++)
        if (segment->p_type == PT_LOAD && (uintptr_t)at - segment->p_vaddr < segment->p_memsz)
            return 1;
    return 0;
}

/* How many notes of a type there are; the first one's content. */
static unsigned notes(unsigned type, const void **content, size_t *size)
{
    const ElfW(Phdr) *segment = header(0);
    unsigned count = 0;
    *content = NULL;
    for (size_t at = 0; segment && at + sizeof(ElfW(Nhdr)) < segment->p_filesz;) {
        const ElfW(Nhdr) *note = (const void *)(core + segment->p_offset + at);
        size_t name = (note->n_namesz + 3u) & ~3ul, rest = (note->n_descsz + 3u) & ~3ul;
        if (note->n_type == type && !count++) {
            *content = (const char *)(note + 1) + name;
            *size = note->n_descsz;
        }
        at += sizeof *note + name + rest;
    }
    return count;
}

static void form(void)
{
    const ElfW(Ehdr) *elf = (const void *)core;
    const void *content;
    size_t size;
    check(!memcmp(elf->e_ident, ELFMAG, SELFMAG) && elf->e_type == ET_CORE, "it is an ELF core");
    check(header(0) && header(0)->p_type == PT_NOTE, "its first header is of notes");
    check(notes(NT_PRSTATUS, &content, &size) == 1 && size == sizeof(prstatus_t),
          "a thread's registers");
    const prstatus_t *thread = content;
    check(thread->pr_cursig == SIGABRT && thread->pr_info.si_signo == SIGABRT &&
              thread->pr_pid > 1 && thread->pr_ppid == getpid(),
          "with the signal, and whose they are");
    check(notes(NT_PRPSINFO, &content, &size) == 1 && size == sizeof(prpsinfo_t) &&
              strstr(((const prpsinfo_t *)content)->pr_psargs, "cores"),
          "the process");
    check(notes(NT_SIGINFO, &content, &size) == 1 && size == sizeof(siginfo_t) &&
              ((const siginfo_t *)content)->si_code == SI_TKILL,
          "what the signal told");
    check(notes(NT_AUXV, &content, &size) == 1 && size > 100, "the auxiliary vector");
    const ElfW(auxv_t) *aux = content;
    unsigned nr_aux = 0, sane = 0;
    for (; nr_aux < size / sizeof *aux && aux[nr_aux].a_type; nr_aux++)
        sane += aux[nr_aux].a_type == AT_PAGESZ && aux[nr_aux].a_un.a_val == PAGE;
    check(sane == 1, "which tells of the page's size");
    check(notes(NT_FILE, &content, &size) == 1 && memmem(content, size, "cores", 5),
          "the files that are mapped");
    check(notes(NT_PRFPREG, &content, &size) == 1, "the FPU's registers");
#if !defined(__x86_64__)
    check(notes(NT_PRXFPREG, &content, &size) == 1 && size == 512, "in both forms");
#endif
}

/* It lies where this process has it. */
static int has_vdso(void)
{
    const char *vdso = (const char *)getauxval(AT_SYSINFO_EHDR);
    for (size_t i = 0; i < 2 * PAGE; i++)
        if (byte_at(vdso + i) != vdso[i])
            return 0;
    return vdso != NULL;
}

static void memory(void)
{
    siginfo_t info = {0};
    int status = status_of(aborts, &info);
    check(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT && WCOREDUMP(status),
          "abort leaves a core");
    check(info.si_code == CLD_DUMPED && info.si_status == SIGABRT, "waitid says so, too");
    check(open_core("core"), "of the name core, for its owner alone");
    form();
    check(byte_at(kept) == 'k' && byte_at(kept + 4 * PAGE - 1) == 'k', "memory is in it");
    check(byte_at(left_out) == -1 && is_listed(left_out), "what is advised not to be isn't");
    check(!byte_at(untouched) && byte_at(untouched + 5 * PAGE) == 'u', "holes are zeros");
    check(byte_at(shared) == 's' && byte_at(segment) == 'v', "shared memory is in it");
    check(has_vdso(), "all of the vDSO is in it, touched or not");
    close_core("core");
    check(WCOREDUMP(status_of(is_in_swap, NULL)) && open_core("core"), "with swap");
    check(byte_at(shared) == 's', "shared memory that is in swap is in it");
    close_core("core");
}

static void signals(void)
{
    const void *content;
    size_t size;
    int status = status_of(faults, NULL);
    check(WTERMSIG(status) == SIGSEGV && WCOREDUMP(status) && open_core("core"), "SIGSEGV does");
    check(notes(NT_SIGINFO, &content, &size) == 1 &&
              ((const siginfo_t *)content)->si_addr == (void *)0x1234,
          "with the address");
    close_core("core");
    status = status_of(is_told_to_end, NULL);
    check(WTERMSIG(status) == SIGTERM && !WCOREDUMP(status) && access("core", F_OK),
          "SIGTERM doesn't");
    status = status_of(has_threads, NULL);
    check(WTERMSIG(status) == SIGQUIT && WCOREDUMP(status) && open_core("core"),
          "a process of many threads");
    unsigned count = notes(NT_PRSTATUS, &content, &size);
    check(count == NR_THREADS + 1, "each has its registers: %u", count);
    check(notes(NT_PRFPREG, &content, &size) == NR_THREADS + 1, "and its FPU's");
    close_core("core");
}

static void limits(void)
{
    int status = status_of(is_limited, NULL);
    struct stat file = {0};
    check(WCOREDUMP(status) && open_core("core") && !stat("core", &file), "RLIMIT_CORE cuts one");
    check(file.st_blocks * 512 <= 20000 + 4096 && byte_end() > core_size, "short of its end");
    close_core("core");
    status = status_of(is_limited_as_a_file, NULL);
    check(WCOREDUMP(status) && open_core("core") && core_size && core_size <= FILE_LIMIT &&
              byte_end() > FILE_LIMIT,
          "so does RLIMIT_FSIZE, and holes count");
    close_core("core");
    status = status_of(has_no_room, NULL);
    check(WIFSIGNALED(status) && !WCOREDUMP(status) && access("core", F_OK),
          "or leaves no room for one");
    status = status_of(is_secret, NULL);
    check(WIFSIGNALED(status) && !WCOREDUMP(status) && access("core", F_OK),
          "what isn't dumpable leaves none");
}

static void filter(void)
{
    char text[16] = "";
    int fd = open(FILTER, O_RDONLY);
    check(read(fd, text, sizeof text) == 9 && !strcmp(text, "00000033\n"), "the filter is 0x33");
    close(fd);
    check(!put(FILTER, "0x31") && put(FILTER, "x") == EINVAL && put(FILTER, "08") == EINVAL,
          "it can be set");
    check(!put(FILTER, "063"), "in any base");
    check(WCOREDUMP(status_of(filters, NULL)) && open_core("core"), "of shared memory only");
    check(byte_at(kept) == -1 && byte_at(shared) == 's', "that is in it");
    close_core("core");
    check(WCOREDUMP(status_of(filters_nothing, NULL)) && open_core("core"), "of nothing");
    check(byte_at(kept) == -1 && byte_at(shared) == -1 && is_listed(kept), "areas are told of");
    close_core("core");
}

static void names(void)
{
    char name[64];
    pid_t pid;
    check(!put("/proc/sys/kernel/core_pattern", "%e-%s.%p%%"), "core_pattern can be set");
    pid = fork();
    if (!pid)
        aborts();
    waitpid(pid, NULL, 0);
    snprintf(name, sizeof name, "%s-%d.%d%%",
             strrchr(program_invocation_name, '/') ? program_invocation_short_name : "", SIGABRT,
             (int)pid);
    name[0] = name[0] ? name[0] : '?';
    check(!access(name, R_OK), "and names it");
    unlink(name);
    put("/proc/sys/kernel/core_pattern", "core");
    put("/proc/sys/kernel/core_uses_pid", "1");
    pid = fork();
    if (!pid)
        aborts();
    waitpid(pid, NULL, 0);
    snprintf(name, sizeof name, "core.%d", (int)pid);
    check(!access(name, R_OK), "core_uses_pid adds the number");
    unlink(name);
    put("/proc/sys/kernel/core_pattern", "\n");
    pid = fork();
    if (!pid)
        aborts();
    waitpid(pid, NULL, 0);
    snprintf(name, sizeof name, ".%d", (int)pid);
    check(!access(name, R_OK), "be there nothing else");
    unlink(name);
    put("/proc/sys/kernel/core_uses_pid", "0");
    check(!WCOREDUMP(status_of(aborts, NULL)), "without it that is no name");
    put("/proc/sys/kernel/core_pattern", "|/bin/sh");
    check(!WCOREDUMP(status_of(aborts, NULL)), "there are no pipes to programs");
    put("/proc/sys/kernel/core_pattern", "/nowhere/core");
    check(!WCOREDUMP(status_of(aborts, NULL)), "nor a core where there is no folder");
    put("/proc/sys/kernel/core_pattern", "core");
    close(open("core", O_CREAT | O_WRONLY, 0644));
    check(!WCOREDUMP(status_of(aborts, NULL)), "nor in a file that others may read");
    unlink("core");
}

/* Whoever is first; a core that there is is whole. */
static void beside_exec(void)
{
    unsigned nr_cores = 0, nr_others = 0, nr_cut = 0;
    for (unsigned i = 0; i < TRIES; i++) {
        int status = status_of(aborts_beside_exec, NULL);
        nr_others += WIFEXITED(status) && !WEXITSTATUS(status);
        if (!WIFSIGNALED(status) || !WCOREDUMP(status))
            continue;
        nr_cores++;
        nr_cut += !open_core("core") || byte_end() > core_size || byte_at(kept) != 'k';
        close_core("core");
    }
    check(nr_cores + nr_others == TRIES && !nr_cut,
          "beside an exec cores are whole: %u, %u others began, %u cut", nr_cores, nr_others,
          nr_cut);
}

int main(int argc, char **argv)
{
    if (argc > 1 && !strcmp(argv[1], "--nothing"))
        return 0;
    setvbuf(stdout, NULL, _IOLBF, 0);
    if (mkdir("/tmp/cores", 0700) || chdir("/tmp/cores"))
        return 1;
    memory();
    signals();
    limits();
    filter();
    names();
    beside_exec();
    return failed;
}
