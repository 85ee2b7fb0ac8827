/* bench/machine/forks.c: processes, and pages that two of them share until one writes */
#include <errno.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "operations.h"

#define BIG (32 * MIB)
#define PAGES (BIG / PAGE)

/* The kernel's part alone: no handlers of the C library, which would touch more pages. */
static pid_t forked(void)
{
    pid_t pid = (pid_t)syscall(SYS_fork);
    need(pid >= 0, "fork");
    return pid;
}

static void waited_for(pid_t pid)
{
    int status = 1;
    need(waitpid(pid, &status, 0) == pid && status == 0, "a child");
}

/* The child lives as long as the pipe. */
void measure_copies(void)
{
    int ends[2];
    char byte, *at = map(BIG, 0);
    touch(at, BIG);
    need(!pipe(ends), "pipe");
    pid_t child = forked();
    if (!child) {
        close(ends[1]);
        _exit(read(ends[0], &byte, 1) != 0);
    }
    begin();
    touch(at, BIG / 2);
    row("cow_copy_fault_page", PAGES / 2);
    close(ends[0]);
    close(ends[1]);
    waited_for(child);
    begin();
    touch(at + BIG / 2, BIG / 2);
    row("cow_reuse_fault_page(sole_owner)", PAGES / 2);
    unmap(at, BIG);
}

static void fork_exit_wait(const char *name, size_t dirty, unsigned long repeats)
{
    char *at = dirty ? map(dirty, 0) : NULL;
    uint64_t between = 0;
    for (unsigned long i = 0; i < repeats; i++) {
        uint64_t start;
        touch(at, dirty); /* not measured: what the fork before made read-only */
        start = ticks();
        pid_t child = forked();
        if (!child)
            _exit(0);
        waited_for(child);
        between += ticks() - start;
    }
    report(name, between, repeats);
    if (dirty)
        unmap(at, dirty);
}

static void fork_exec_exit_wait(const char *self)
{
    const unsigned long repeats = 20;
    begin();
    for (unsigned long i = 0; i < repeats; i++) {
        pid_t child = forked();
        if (!child) {
            execl(self, self, "--end", (char *)NULL);
            _exit(errno);
        }
        waited_for(child);
    }
    row("fork_exec_exit_wait_self(glibc)", repeats);
}

void measure_forks(const char *self)
{
    fork_exit_wait("fork_exit_wait_base(glibc)", 0, 20);
    fork_exit_wait("fork_exit_wait_1M_dirty(glibc)", MIB, 20);
    fork_exit_wait("fork_exit_wait_64M_dirty(glibc)", 64 * MIB, 4);
    fork_exec_exit_wait(self);
}

/* An area a page, as every second one can only be read. */
void measure_many_areas(void)
{
    const unsigned long areas = 20000;
    char *at = map(areas * PAGE, 0);
    begin();
    for (unsigned long i = 0; i < areas; i += 2)
        need(!mprotect(at + i * PAGE, PAGE, PROT_READ), "mprotect");
    row("create_10k_VMA_by_mprotect_split", areas / 2);

    static bool seen[16384];
    unsigned long faults = 0;
    for (unsigned long i = 0; i < sizeof seen; i++)
        *(volatile bool *)&seen[i] = false;
    begin();
    for (unsigned long i = 0; i < sizeof seen / 2; i++) {
        unsigned long page = next_random(sizeof seen) | 1;
        faults += !seen[page];
        seen[page] = true;
        *(volatile char *)(at + page * PAGE) = 1;
    }
    row("rand_fault_20kVMA", faults);
    begin();
    for (unsigned long i = 0; i < 100; i++)
        unmap(map(PAGE, 0), PAGE);
    row("mmap_munmap_4K_with_20kVMA", 100);
    begin();
    pid_t child = forked();
    if (!child)
        _exit(0);
    waited_for(child);
    row("fork_exit_wait_20kVMA", 1);
    begin();
    unmap(at, areas * PAGE);
    row("munmap_20kVMA_total", 1);
}
