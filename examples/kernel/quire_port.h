/* examples/kernel/quire_port.h: the port of a kernel with one CPU, all memory where it is
 *
 * Written along docs/porting.md, whose steps are the numbers here.
 */
#ifndef QUIRE_PORT_EXAMPLE_KERNEL_H
#define QUIRE_PORT_EXAMPLE_KERNEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* 1. Text and the end */
void example_log(int level, const char *text);
__attribute__((noreturn)) void example_panic(const char *text);

static inline void quire_port_log(int level, const char *text)
{
    example_log(level, text);
}

__attribute__((noreturn)) static inline void quire_port_panic(const char *text)
{
    example_panic(text);
}

/* 2. Where memory is: a physical address is its own pointer */
struct quire_port_mem {
    char nothing;
};

static inline void *quire_port_phys_to_virt(const struct quire_port_mem *pm, uint64_t phys)
{
    (void)pm;
    return (void *)phys;
}

static inline uint64_t quire_port_virt_to_phys(const struct quire_port_mem *pm, const void *virt)
{
    (void)pm;
    return (uint64_t)virt;
}

static inline void *quire_port_kmap_local(const struct quire_port_mem *pm, uint64_t phys)
{
    return quire_port_phys_to_virt(pm, phys);
}

static inline void quire_port_kunmap_local(const struct quire_port_mem *pm, void *virt)
{
    (void)pm;
    (void)virt;
}

/* DMA, DMA32, NORMAL, HIGHMEM, MOVABLE: no device of this kernel minds where memory is. */
#define QUIRE_PORT_ZONE_ENDS                                                                       \
    {                                                                                              \
        0, 0, UINT64_MAX, 0, 0                                                                     \
    }

/* 3. CPUs and locks: one, so that nobody else can hold a lock */
typedef struct {
    char nothing;
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
    __builtin_ia32_pause();
}

static inline void quire_port_fence_light(void)
{
    __atomic_signal_fence(__ATOMIC_SEQ_CST);
}

static inline void quire_port_fence_heavy(void)
{
    __atomic_signal_fence(__ATOMIC_SEQ_CST);
}

/* 4. Interrupts: they stay off */
typedef int quire_port_irq_t;

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

/* 5. What may be left out: no clock, nobody to report free memory to (Linux's ENOSYS) */
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

/* 6. Page tables: INVLPG drops a page of any size, and what led to it; CR3 is enough for all, since
 * no page here is global */
struct quire_cpumask;

static inline void quire_port_tlb_flush_page(const struct quire_port_mem *pm,
                                             const struct quire_cpumask *cpus, uintptr_t virt)
{
    (void)pm;
    (void)cpus;
    __asm__ volatile("invlpg (%0)" : : "r"(virt) : "memory");
}

static inline void quire_port_tlb_flush_range(const struct quire_port_mem *pm,
                                              const struct quire_cpumask *cpus, uintptr_t virt,
                                              size_t size, unsigned page_shift)
{
    for (size_t done = 0; done < size; done += (size_t)1 << page_shift)
        quire_port_tlb_flush_page(pm, cpus, virt + done);
}

static inline void quire_port_tlb_flush_all(const struct quire_port_mem *pm,
                                            const struct quire_cpumask *cpus)
{
    uint64_t root;
    (void)pm;
    (void)cpus;
    __asm__ volatile("mov %%cr3, %0\n\tmov %0, %%cr3" : "=r"(root) : : "memory");
}

#endif
