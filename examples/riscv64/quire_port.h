/* examples/riscv64/quire_port.h: the port of a program on bare riscv64, one hart, no paging
 *
 * Written along docs/porting.md, whose steps are the numbers here. Page tables aren't used, so step
 * 6 is empty; memory doesn't begin at address 0, which nothing here depends on.
 */
#ifndef QUIRE_PORT_RISCV64_H
#define QUIRE_PORT_RISCV64_H

#include <quire/types.h>

/* 1. Text and the end */
void riscv64_log(const char *text);
_Noreturn void riscv64_panic(const char *text);

static inline void quire_port_log(int level, const char *text)
{
    (void)level;
    riscv64_log(text);
}

_Noreturn static inline void quire_port_panic(const char *text)
{
    riscv64_panic(text);
}

/* 2. Where memory is: machine mode sees it where it is */
struct quire_port_mem {
    char nothing;
};

static inline void *quire_port_phys_to_virt(const struct quire_port_mem *pm, quire_phys_t phys)
{
    (void)pm;
    return (void *)phys;
}

static inline quire_phys_t quire_port_virt_to_phys(const struct quire_port_mem *pm,
                                                   const void *virt)
{
    (void)pm;
    return (quire_phys_t)virt;
}

static inline void *quire_port_kmap_local(const struct quire_port_mem *pm, quire_phys_t phys)
{
    return quire_port_phys_to_virt(pm, phys);
}

static inline void quire_port_kunmap_local(const struct quire_port_mem *pm, void *virt)
{
    (void)pm;
    (void)virt;
}

#define QUIRE_PORT_ZONE_ENDS                                                                       \
    {                                                                                              \
        0, 0, UINT64_MAX, 0, 0                                                                     \
    }

/* 3. CPUs and locks: a real one, as with more harts, though there is nobody to wait for */
typedef struct {
    uint32_t locked;
} quire_port_spinlock_t;

static inline void quire_port_relax(void)
{
    __asm__ volatile("nop");
}

static inline bool quire_port_spin_trylock(quire_port_spinlock_t *lock)
{
    return !__atomic_exchange_n(&lock->locked, 1, __ATOMIC_ACQUIRE);
}

static inline void quire_port_spin_lock(quire_port_spinlock_t *lock)
{
    while (!quire_port_spin_trylock(lock))
        quire_port_relax();
}

static inline void quire_port_spin_unlock(quire_port_spinlock_t *lock)
{
    __atomic_store_n(&lock->locked, 0, __ATOMIC_RELEASE);
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

static inline void quire_port_fence_light(void)
{
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
}

static inline void quire_port_fence_heavy(void)
{
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
}

/* 4. Interrupts: mstatus.MIE */
typedef unsigned long quire_port_irq_t;

static inline quire_port_irq_t quire_port_irq_save(void)
{
    unsigned long status;
    __asm__ volatile("csrrci %0, mstatus, 8" : "=r"(status) : : "memory");
    return status & 8;
}

static inline void quire_port_irq_restore(quire_port_irq_t irq)
{
    __asm__ volatile("csrs mstatus, %0" : : "r"(irq) : "memory");
}

static inline void quire_port_preempt_disable(void)
{
}

static inline void quire_port_preempt_enable(void)
{
}

/* 5. What may be left out: the timer of QEMU's virt machine, 10 MHz, is a clock all the same */
static inline uint64_t quire_port_clock_ns(void)
{
    uint64_t ticks;
    __asm__ volatile("rdtime %0" : "=r"(ticks));
    return ticks * 100;
}

static inline int quire_port_report_free(const struct quire_port_mem *pm, quire_phys_t phys,
                                         uint64_t size)
{
    (void)pm;
    (void)phys;
    (void)size;
    return -QUIRE_EOPNOTSUPP;
}

/* 6. Page tables: none */
static inline void quire_port_tlb_flush_page(const struct quire_port_mem *pm,
                                             const struct quire_cpumask *cpus, quire_virt_t virt)
{
    (void)pm;
    (void)cpus;
    (void)virt;
}

static inline void quire_port_tlb_flush_range(const struct quire_port_mem *pm,
                                              const struct quire_cpumask *cpus, quire_virt_t virt,
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
