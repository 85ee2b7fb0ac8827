/* malloc/quire_port.h: the port of libquire-malloc.so
 *
 * As the posix port, but nothing in it may call what allocates, a lock knows its owner, and no
 * thread has a CPU number: threads have caches above layer 2 instead, so nothing here needs
 * membarrier(2).
 *
 * A lock's owner is the thread's number (self.h), which stays what it is in the child of a fork. So
 * the child knows which locks are held by threads that don't exist in it: see fork.c.
 */
#ifndef QUIRE_PORT_MALLOC_H
#define QUIRE_PORT_MALLOC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <quire/config.h>

#define QUIRE_MALLOC_TLS __thread __attribute__((tls_model("initial-exec")))

struct quire_port_mem {
    char *base;
    uint64_t direct_end;
};

/* 0: free; else the owner's number, and LOCK_WAITED_FOR if somebody may sleep. */
typedef struct {
    uint32_t word;
} quire_port_spinlock_t;
#define LOCK_WAITED_FOR 0x80000000u

typedef unsigned long quire_port_irq_t;

extern QUIRE_MALLOC_TLS uint32_t self_number
    __attribute__((visibility("hidden"))); /* 0: none yet; see self.h */
extern QUIRE_MALLOC_TLS uint32_t self_held
    __attribute__((visibility("hidden"))); /* locks that the thread holds */

void malloc_lock_slow(quire_port_spinlock_t *lock);
void malloc_lock_wake(quire_port_spinlock_t *lock);
uint64_t malloc_clock_ns(void);
void malloc_log(int level, const char *text);
__attribute__((noreturn)) void malloc_panic(const char *text);
int malloc_discard(void *at, size_t size);

static inline bool quire_port_spin_trylock(quire_port_spinlock_t *lock)
{
    uint32_t free = 0;
    bool taken = __atomic_compare_exchange_n(&lock->word, &free, self_number, false,
                                             __ATOMIC_ACQUIRE, __ATOMIC_RELAXED);
    self_held += taken;
    return taken;
}

static inline void quire_port_spin_lock(quire_port_spinlock_t *lock)
{
    if (__builtin_expect(!quire_port_spin_trylock(lock), 0))
        malloc_lock_slow(lock);
}

static inline void quire_port_spin_unlock(quire_port_spinlock_t *lock)
{
    uint32_t was = __atomic_exchange_n(&lock->word, 0, __ATOMIC_RELEASE);
    self_held--;
    if (__builtin_expect(was & LOCK_WAITED_FOR, 0))
        malloc_lock_wake(lock);
}

/* Signals aren't kept out: what a handler may call doesn't come here, but for fork, see there. */
static inline quire_port_irq_t quire_port_irq_save(void)
{
    return 0;
}

static inline void quire_port_irq_restore(quire_port_irq_t irq)
{
    (void)irq;
}

static inline void quire_port_preempt_disable(void)
{
}

static inline void quire_port_preempt_enable(void)
{
}

static inline unsigned quire_port_cpu(void)
{
    return QUIRE_MAX_CPUS;
}

static inline void quire_port_cpu_attach(void)
{
}

static inline unsigned quire_port_nr_cpus(void)
{
    return 1;
}

static inline void quire_port_relax(void)
{
#if defined(__x86_64__) || defined(__i386__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    __asm__ volatile("yield");
#endif
}

static inline void quire_port_fence_light(void)
{
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
}

static inline void quire_port_fence_heavy(void)
{
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
}

static inline void *quire_port_phys_to_virt(const struct quire_port_mem *pm, uint64_t phys)
{
    return phys < pm->direct_end ? pm->base + phys : NULL;
}

static inline uint64_t quire_port_virt_to_phys(const struct quire_port_mem *pm, const void *virt)
{
    return (uint64_t)((uintptr_t)virt - (uintptr_t)pm->base);
}

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
    return malloc_clock_ns();
}

static inline void quire_port_log(int level, const char *text)
{
    malloc_log(level, text);
}

__attribute__((noreturn)) static inline void quire_port_panic(const char *text)
{
    malloc_panic(text);
}

static inline int quire_port_report_free(const struct quire_port_mem *pm, uint64_t phys,
                                         uint64_t size)
{
    return malloc_discard(pm->base + phys, (size_t)size);
}

#define QUIRE_PORT_ZONE_ENDS                                                                       \
    {                                                                                              \
        0, 0, UINT64_MAX, 0, 0                                                                     \
    }

/* Nothing here translates addresses. */
struct quire_cpumask;
static inline void quire_port_tlb_flush_page(const struct quire_port_mem *pm,
                                             const struct quire_cpumask *cpus, uintptr_t virt)
{
    (void)pm;
    (void)cpus;
    (void)virt;
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
}

static inline void quire_port_tlb_flush_all(const struct quire_port_mem *pm,
                                            const struct quire_cpumask *cpus)
{
    (void)pm;
    (void)cpus;
}

#endif
