/* examples/minimal-port/quire_port.h: the smallest port, one CPU and nothing else
 *
 * The tutorial of docs/porting.md. It fits a single-processor kernel, a boot loader or a hosted
 * program of one thread. Quire includes it as <quire_port.h>; the contract of each name is in
 * include/quire/port.h. Each part says what a larger machine would do instead.
 */
#ifndef QUIRE_PORT_MINIMAL_H
#define QUIRE_PORT_MINIMAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* ---- 1. Text and the end: the only functions that a program must write --------------------------
 *
 * They are out of line here because every program has its own console. `level` is syslog's.
 */
void minimal_port_log(int level, const char *text);
__attribute__((noreturn)) void minimal_port_panic(const char *text);

static inline void quire_port_log(int level, const char *text)
{
    minimal_port_log(level, text);
}

__attribute__((noreturn)) static inline void quire_port_panic(const char *text)
{
    minimal_port_panic(text);
}

/* ---- 2. Where memory is -------------------------------------------------------------------------
 *
 * Physical address 0 is at `base`, and all memory follows it: the direct map of a kernel whose page
 * tables put everything at one offset. A machine with HighMem returns NULL from phys_to_virt beyond
 * its direct map, and makes kmap_local a real window.
 */
struct quire_port_mem {
    char *base;
};

static inline void *quire_port_phys_to_virt(const struct quire_port_mem *pm, uint64_t phys)
{
    return pm->base + phys;
}

static inline uint64_t quire_port_virt_to_phys(const struct quire_port_mem *pm, const void *virt)
{
    return (uint64_t)((const char *)virt - pm->base);
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

/* Where DMA, DMA32, NORMAL, HIGHMEM and MOVABLE end; 0: no such zone. All memory is alike here.
 * x86-64 says {0x1000000, 0x100000000, UINT64_MAX, 0, 0}. */
#define QUIRE_PORT_ZONE_ENDS                                                                       \
    {                                                                                              \
        0, 0, UINT64_MAX, 0, 0                                                                     \
    }

/* ---- 3. One CPU ---------------------------------------------------------------------------------
 *
 * Nobody else can hold a lock, so taking one is nothing. With a second CPU a lock is an atomic
 * exchange, cpu() reads the CPU's number from wherever it is kept, and nr_cpus() says how many
 * there can be.
 */
typedef struct {
    int unused;
} quire_port_spinlock_t;

static inline void quire_port_spin_lock(quire_port_spinlock_t *lock)
{
    (void)lock;
}

static inline bool quire_port_spin_trylock(quire_port_spinlock_t *lock)
{
    (void)lock;
    return true;
}

static inline void quire_port_spin_unlock(quire_port_spinlock_t *lock)
{
    (void)lock;
}

static inline unsigned quire_port_cpu(void)
{
    return 0;
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
}

/* Only the compiler could reorder what one CPU sees of itself. With a second CPU both are
 * __atomic_thread_fence(__ATOMIC_SEQ_CST), until something cheaper is worth its while. */
static inline void quire_port_fence_light(void)
{
    __atomic_signal_fence(__ATOMIC_SEQ_CST);
}

static inline void quire_port_fence_heavy(void)
{
    __atomic_signal_fence(__ATOMIC_SEQ_CST);
}

/* ---- 4. Interrupts and preemption ---------------------------------------------------------------
 *
 * Nothing here calls Quire from an interrupt, so none has to be kept out. A kernel whose interrupt
 * handlers allocate saves and clears the interrupt flag in irq_save; one that switches tasks on a
 * timer counts preempt_disable up and doesn't switch until it is 0.
 */
typedef unsigned long quire_port_irq_t;

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

/* ---- 5. What may be left out --------------------------------------------------------------------
 *
 * Without a clock, time stands still, which is monotonic. Free memory has nobody to be reported to:
 * Linux's ENOSYS. No CPU loads page tables of Quire's, so there is no TLB to flush.
 */
struct quire_cpumask;

static inline uint64_t quire_port_clock_ns(void)
{
    return 0;
}

static inline int quire_port_report_free(const struct quire_port_mem *pm, uint64_t phys,
                                         uint64_t size)
{
    (void)pm;
    (void)phys;
    (void)size;
    return -38;
}

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
