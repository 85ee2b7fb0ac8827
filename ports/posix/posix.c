/* ports/posix/posix.c: the out-of-line parts of the port for a process
 *
 * CPU numbers are a table of taken flags; a thread gives its number back through a destructor of
 * thread-specific data. The asymmetric fence is membarrier(2) where the system has it (Linux 4.14);
 * where the call is refused the process can't go on with light fences, so it says so and ends.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <limits.h>
#include <link.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>
#if defined(__linux__)
#include <linux/futex.h>
#include <linux/membarrier.h>
#include <sys/syscall.h>
#endif

#include <quire/port.h>

#define TURNS_BEFORE_YIELD 200

QUIRE_POSIX_TLS unsigned quire_posix_cpu = QUIRE_MAX_CPUS;
static QUIRE_POSIX_TLS bool cpu_asked;

static unsigned char cpu_taken[QUIRE_MAX_CPUS];
static pthread_key_t cpu_key;
static pthread_once_t cpu_once = PTHREAD_ONCE_INIT;
static void (*log_hook)(int level, const char *text);
static void (*panic_hook)(const char *text);
static quire_posix_grace_fn *grace_hook;

static void give_cpu_back(void *value)
{
    unsigned cpu = (unsigned)(uintptr_t)value - 1;
    quire_posix_cpu = QUIRE_MAX_CPUS;
    __atomic_store_n(&cpu_taken[cpu], 0, __ATOMIC_RELEASE);
}

static void make_cpu_key(void)
{
    if (pthread_key_create(&cpu_key, give_cpu_back))
        quire_posix_panic("quire: no thread-specific key left for CPU numbers");
}

unsigned quire_posix_nr_cpus(void)
{
    long online = sysconf(_SC_NPROCESSORS_ONLN);
    /* Some more threads than processors are common; those beyond do without lists of their own. */
    unsigned long cpus = online > 0 ? 2 * (unsigned long)online : 2;
    cpus = cpus < 4 ? 4 : cpus;
    return cpus < QUIRE_MAX_CPUS ? (unsigned)cpus : QUIRE_MAX_CPUS;
}

void quire_posix_attach_cpu(void)
{
    if (cpu_asked)
        return;
    cpu_asked = true;
    pthread_once(&cpu_once, make_cpu_key);
    for (unsigned cpu = 0; cpu < QUIRE_MAX_CPUS; cpu++)
        if (!__atomic_load_n(&cpu_taken[cpu], __ATOMIC_RELAXED) &&
            !__atomic_exchange_n(&cpu_taken[cpu], 1, __ATOMIC_ACQUIRE)) {
            if (pthread_setspecific(cpu_key, (void *)(uintptr_t)(cpu + 1)))
                __atomic_store_n(&cpu_taken[cpu], 0, __ATOMIC_RELEASE);
            else
                quire_posix_cpu = cpu;
            return;
        }
}

void quire_posix_set_cpu(unsigned cpu)
{
    cpu_asked = true;
    quire_posix_cpu = cpu < QUIRE_MAX_CPUS ? cpu : QUIRE_MAX_CPUS;
}

/* Whoever is waited for may have been taken off its processor, or have this thread's. The turns of
 * all waits of a thread are counted together: what matters is that a long one yields. */
void quire_posix_relax(void)
{
    static QUIRE_POSIX_TLS unsigned turns;
#if defined(__x86_64__) || defined(__i386__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    __asm__ volatile("yield");
#endif
    if (++turns % TURNS_BEFORE_YIELD == 0)
        sched_yield();
}

void quire_posix_lock_slow(quire_port_spinlock_t *lock)
{
    do {
        while (__atomic_load_n(&lock->locked, __ATOMIC_RELAXED))
            quire_posix_relax();
    } while (!quire_port_spin_trylock(lock));
}

#if defined(__linux__) && !defined(QUIRE_POSIX_TSAN)
static pthread_once_t membarrier_once = PTHREAD_ONCE_INIT;

static void register_membarrier(void)
{
    if (syscall(SYS_membarrier, MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED, 0, 0))
        quire_posix_panic("quire: membarrier(2) was refused: this system can't run the posix port");
}

void quire_posix_fence_heavy(void)
{
    pthread_once(&membarrier_once, register_membarrier);
    if (syscall(SYS_membarrier, MEMBARRIER_CMD_PRIVATE_EXPEDITED, 0, 0))
        quire_posix_panic("quire: membarrier(2) failed");
}
#else
void quire_posix_fence_heavy(void)
{
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
}
#endif

#ifdef __linux__
void quire_port_wait(const uint32_t *word, uint32_t value)
{
    syscall(SYS_futex, word, FUTEX_WAIT_PRIVATE, value, NULL, NULL, 0);
}

void quire_port_wake(const uint32_t *word)
{
    syscall(SYS_futex, word, FUTEX_WAKE_PRIVATE, INT_MAX, NULL, NULL, 0);
}
#endif

uint64_t quire_posix_clock_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

void quire_posix_set_log(void (*log)(int level, const char *text))
{
    log_hook = log;
}

void quire_posix_log(int level, const char *text)
{
    if (log_hook)
        log_hook(level, text);
    else
        fprintf(stderr, "%s\n", text);
}

void quire_posix_flush_lost(void)
{
    static unsigned told;
    if (!__atomic_load_n(&told, __ATOMIC_RELAXED) &&
        !__atomic_exchange_n(&told, 1, __ATOMIC_RELAXED))
        quire_posix_log(3, "quire: page tables that a CPU uses were changed, and its TLB isn't "
                           "flushed: the posix port has none. Give them a `flush` (of ports/sim: "
                           "quire_sim_tlb_flush)");
}

void quire_posix_set_panic(void (*panic)(const char *text))
{
    panic_hook = panic;
}

void quire_posix_panic(const char *text)
{
    if (panic_hook)
        panic_hook(text);
    fprintf(stderr, "%s\n", text);
    abort();
}

void quire_posix_code_name(uintptr_t address, char *text, size_t size)
{
    Dl_info info;
    text[0] = '\0';
    if (!dladdr((void *)address, &info) || !info.dli_fname || !info.dli_fbase)
        return;
    const char *slash = strrchr(info.dli_fname, '/');
    const ElfW(Ehdr) *header = info.dli_fbase;
    uintptr_t base = header->e_type == ET_DYN ? (uintptr_t)info.dli_fbase : 0;
    snprintf(text, size, "%s+0x%lx", slash ? slash + 1 : info.dli_fname,
             (unsigned long)(address - base));
}

void quire_posix_set_grace(quire_posix_grace_fn *call_after_grace)
{
    grace_hook = call_after_grace;
}

bool quire_posix_knows_grace(void)
{
    return grace_hook;
}

void quire_posix_call_after_grace(struct quire_port_grace *grace,
                                  void (*call)(struct quire_port_grace *grace))
{
    grace_hook(grace, call);
}

int quire_posix_mem_create(struct quire_port_mem *pm, uint64_t size)
{
    if (size > SIZE_MAX)
        return -ENOMEM;
    void *base = mmap(NULL, (size_t)size, PROT_READ | PROT_WRITE,
                      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (base == MAP_FAILED)
        return -ENOMEM;
    pm->base = base;
    pm->direct_end = size;
    return 0;
}

void quire_posix_mem_destroy(struct quire_port_mem *pm, uint64_t size)
{
    munmap(pm->base, (size_t)size);
    pm->base = NULL;
    pm->direct_end = 0;
}

int quire_posix_report_free(const struct quire_port_mem *pm, uint64_t phys, uint64_t size)
{
    return madvise(pm->base + phys, (size_t)size, MADV_DONTNEED) ? -errno : 0;
}
