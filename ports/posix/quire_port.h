/* ports/posix/quire_port.h: the port for a process on a POSIX system
 *
 * A thread is a CPU: it takes a free CPU number when it first asks for one and gives it back when
 * it ends. Threads beyond the machine's `nr_cpus` have none, and do without per-CPU lists. Physical
 * memory is a reserved range of the process's addresses (struct quire_port_mem).
 */
#ifndef QUIRE_PORT_POSIX_H
#define QUIRE_PORT_POSIX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <quire/config.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Initial-exec: one instruction to read, in a shared library too. */
#define QUIRE_POSIX_TLS __thread __attribute__((tls_model("initial-exec")))

struct quire_port_mem {
    char *base;          /* where physical address 0 of the direct map is */
    uint64_t direct_end; /* physical addresses from here on are not directly mapped (HighMem) */
};

typedef struct {
    int locked;
} quire_port_spinlock_t;

typedef unsigned long quire_port_irq_t;

extern QUIRE_POSIX_TLS unsigned quire_posix_cpu; /* QUIRE_MAX_CPUS: none */

/* Reserves `size` bytes of addresses (no memory is used before it is touched) as physical memory
 * from 0 on, all directly mapped. 0 or -ENOMEM. destroy gives them back. */
int quire_posix_mem_create(struct quire_port_mem *pm, uint64_t size);
void quire_posix_mem_destroy(struct quire_port_mem *pm, uint64_t size);

/* The CPU number of this thread from now on (QUIRE_MAX_CPUS: none): for tests that play several
 * CPUs on one thread. The caller sees to it that no two threads have one number at a time. */
void quire_posix_set_cpu(unsigned cpu);
/* Takes a free number for this thread, unless it tried before or they are all taken. */
void quire_posix_attach_cpu(void);

/* Where log lines go; NULL: stderr. */
void quire_posix_set_log(void (*log)(int level, const char *text));
/* Called in place of the end of the process; may longjmp. NULL: message and abort. */
void quire_posix_set_panic(void (*panic)(const char *text));

/* Readers of type-stable objects are the program's, and so is whatever tells when they are done:
 * its userspace RCU, epochs or hazard pointers. `call_after_grace` is given a callback that it is
 * to make once, when every reader that may be under way is done, on any thread; what grace holds is
 * for it to use meanwhile. NULL: nobody knows, and type-stable memory stays until its cache is
 * destroyed. */
#define QUIRE_PORT_HAS_GRACE 1
struct quire_port_grace {
    struct quire_port_grace *next;
    void (*call)(struct quire_port_grace *grace);
};
typedef void quire_posix_grace_fn(struct quire_port_grace *grace,
                                  void (*call)(struct quire_port_grace *grace));
void quire_posix_set_grace(quire_posix_grace_fn *call_after_grace);

/* futex(2), of this process. */
#ifdef __linux__
#define QUIRE_PORT_HAS_WAIT 1
void quire_port_wait(const uint32_t *word, uint32_t value);
void quire_port_wake(const uint32_t *word);
#endif

/* The out-of-line parts. */
bool quire_posix_knows_grace(void);
void quire_posix_call_after_grace(struct quire_port_grace *grace,
                                  void (*call)(struct quire_port_grace *grace));
unsigned quire_posix_nr_cpus(void);
void quire_posix_lock_slow(quire_port_spinlock_t *lock);
void quire_posix_relax(void);
void quire_posix_fence_heavy(void);
uint64_t quire_posix_clock_ns(void);
void quire_posix_log(int level, const char *text);
__attribute__((noreturn)) void quire_posix_panic(const char *text);
void quire_posix_flush_lost(void);
int quire_posix_report_free(const struct quire_port_mem *pm, uint64_t phys, uint64_t size);

#define QUIRE_PORT_HAS_CODE_NAMES 1
/* "program+0x1234": what addr2line wants, with `-e program`, wherever the program or library was
 * loaded. An offset of a program at a fixed address is the address. */
void quire_posix_code_name(uintptr_t address, char *text, size_t size);

static inline void quire_port_code_name(uintptr_t address, char *text, size_t size)
{
    quire_posix_code_name(address, text, size);
}

static inline void quire_port_relax(void)
{
    quire_posix_relax();
}

static inline bool quire_port_spin_trylock(quire_port_spinlock_t *lock)
{
    return !__atomic_exchange_n(&lock->locked, 1, __ATOMIC_ACQUIRE);
}

static inline void quire_port_spin_lock(quire_port_spinlock_t *lock)
{
    if (__builtin_expect(!quire_port_spin_trylock(lock), 0))
        quire_posix_lock_slow(lock);
}

static inline void quire_port_spin_unlock(quire_port_spinlock_t *lock)
{
    __atomic_store_n(&lock->locked, 0, __ATOMIC_RELEASE);
}

/* A process has no interrupts to keep out; Quire isn't called from signal handlers. */
static inline quire_port_irq_t quire_port_irq_save(void)
{
    return 0;
}

static inline void quire_port_irq_restore(quire_port_irq_t irq)
{
    (void)irq;
}

/* A thread keeps its CPU number when the system moves it. */
static inline void quire_port_preempt_disable(void)
{
}

static inline void quire_port_preempt_enable(void)
{
}

static inline unsigned quire_port_cpu(void)
{
    return quire_posix_cpu;
}

static inline void quire_port_cpu_attach(void)
{
    if (quire_posix_cpu == QUIRE_MAX_CPUS)
        quire_posix_attach_cpu();
}

static inline unsigned quire_port_nr_cpus(void)
{
    return quire_posix_nr_cpus();
}

#if defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define QUIRE_POSIX_TSAN 1
#endif
#elif defined(__SANITIZE_THREAD__)
#define QUIRE_POSIX_TSAN 1
#endif

#if defined(__linux__) && !defined(QUIRE_POSIX_TSAN)
/* membarrier(2) makes every running thread of the process fence. */
static inline void quire_port_fence_light(void)
{
    __atomic_signal_fence(__ATOMIC_SEQ_CST);
}
#else
static inline void quire_port_fence_light(void)
{
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
}
#endif

static inline void quire_port_fence_heavy(void)
{
    quire_posix_fence_heavy();
}

static inline void *quire_port_phys_to_virt(const struct quire_port_mem *pm, uint64_t phys)
{
    return phys < pm->direct_end ? pm->base + phys : NULL;
}

static inline uint64_t quire_port_virt_to_phys(const struct quire_port_mem *pm, const void *virt)
{
    return (uint64_t)((uintptr_t)virt - (uintptr_t)pm->base);
}

/* A process reaches all of the simulated memory, what it calls HighMem included. */
static inline void *quire_port_kmap_local(const struct quire_port_mem *pm, uint64_t phys)
{
    return pm->base + phys;
}

static inline void quire_port_kunmap_local(const struct quire_port_mem *pm, void *virt)
{
    (void)pm;
    (void)virt;
}

static inline uint64_t quire_port_clock_ns(void)
{
    return quire_posix_clock_ns();
}

static inline void quire_port_log(int level, const char *text)
{
    quire_posix_log(level, text);
}

__attribute__((noreturn)) static inline void quire_port_panic(const char *text)
{
    quire_posix_panic(text);
}

static inline int quire_port_report_free(const struct quire_port_mem *pm, uint64_t phys,
                                         uint64_t size)
{
    return quire_posix_report_free(pm, phys, size);
}

static inline bool quire_port_knows_grace(void)
{
    return quire_posix_knows_grace();
}

static inline void quire_port_call_after_grace(struct quire_port_grace *grace,
                                               void (*call)(struct quire_port_grace *grace))
{
    quire_posix_call_after_grace(grace, call);
}

/* x86-64's zones. */
#define QUIRE_PORT_ZONE_ENDS                                                                       \
    {                                                                                              \
        0x1000000, 0x100000000, UINT64_MAX, 0, 0                                                   \
    }

struct quire_cpumask;

/* A process's page tables are the system's: its threads have no TLB for Quire's. Who does have one
 * (a simulated processor) is flushed by the `flush` of the tables' configuration, and these aren't
 * called. If they are, that was forgotten: the first time is told in the log. */
static inline void quire_port_tlb_flush_page(const struct quire_port_mem *pm,
                                             const struct quire_cpumask *cpus, uintptr_t virt)
{
    (void)pm;
    (void)cpus;
    (void)virt;
    quire_posix_flush_lost();
}

static inline void quire_port_tlb_flush_range(const struct quire_port_mem *pm,
                                              const struct quire_cpumask *cpus, uintptr_t virt,
                                              size_t size, unsigned page_shift)
{
    (void)pm;
    (void)cpus;
    (void)virt;
    (void)size;
    (void)page_shift;
    quire_posix_flush_lost();
}

static inline void quire_port_tlb_flush_all(const struct quire_port_mem *pm,
                                            const struct quire_cpumask *cpus)
{
    (void)pm;
    (void)cpus;
    quire_posix_flush_lost();
}

#ifdef __cplusplus
}
#endif

#endif
