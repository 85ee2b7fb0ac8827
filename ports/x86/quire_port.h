/* ports/x86/quire_port.h: the port for bare x86, 32 and 64 bit
 *
 * One CPU so far. A machine's memory is seen at an offset: physical address 0 is at `base`. The
 * machine's own HighMem (i386, from 896 MiB on) is reached through windows that the kernel
 * supplies. A simulated machine is a piece of the real one's memory, seen at another base; it may
 * call a part of itself HighMem, and reaches it all the same.
 *
 * The kernel that uses this port supplies the quire_x86_ functions and the CPU number.
 */
#ifndef QUIRE_PORT_X86_H
#define QUIRE_PORT_X86_H

#include <quire/types.h>

#ifdef __cplusplus
extern "C" {
#endif

struct quire_port_mem {
    char *base;          /* where physical address 0 of the direct map is */
    uint64_t direct_end; /* physical addresses from here on are not directly mapped (HighMem) */
    bool machine;        /* the real machine's memory, not a simulated one's */
};

typedef struct {
    int locked;
} quire_port_spinlock_t;

typedef unsigned long quire_port_irq_t;

/* The number of the only CPU; tests change it to play several, or QUIRE_MAX_CPUS: none. */
extern unsigned quire_x86_cpu;

/* Windows on HighMem: two at a time, last in first out. */
void *quire_x86_kmap_local(uint64_t phys);
void quire_x86_kunmap_local(void *virt);
/* The lock was held: returns when this CPU has it, or may go on without, because it panics. */
void quire_x86_lock_slow(quire_port_spinlock_t *lock);
uint64_t quire_x86_clock_ns(void);
/* Ticks of the time-stamp counter as nanoseconds, once the clock has been read. */
uint64_t quire_x86_ticks_to_ns(uint64_t ticks);
/* The function that a return address is in, and how far. */
void quire_x86_code_name(uintptr_t address, char *text, size_t size);
void quire_x86_log(int level, const char *text);
__attribute__((noreturn)) void quire_x86_panic(const char *text);

/* Readers of type-stable objects are the kernel's, which makes the callback once all that may be
 * under way are done; what grace holds is for it to use meanwhile. NULL: nobody knows when. */
#define QUIRE_PORT_HAS_GRACE 1
struct quire_port_grace {
    struct quire_port_grace *next;
    void (*call)(struct quire_port_grace *grace);
};
extern void (*quire_x86_call_after_grace)(struct quire_port_grace *grace,
                                          void (*call)(struct quire_port_grace *grace));

/* Sleeping is the kernel's; before it has tasks, and for the one that has to run when no other can,
 * waiting returns at once. */
#define QUIRE_PORT_HAS_WAIT 1
void quire_x86_wait(const uint32_t *word, uint32_t value);
void quire_x86_wake(const uint32_t *word);

static inline void quire_port_wait(const uint32_t *word, uint32_t value)
{
    quire_x86_wait(word, value);
}

static inline void quire_port_wake(const uint32_t *word)
{
    quire_x86_wake(word);
}

static inline void quire_port_relax(void)
{
    __builtin_ia32_pause();
}

/* An exchange with memory locks the bus by itself. */
static inline bool quire_port_spin_trylock(quire_port_spinlock_t *lock)
{
    return !__atomic_exchange_n(&lock->locked, 1, __ATOMIC_ACQUIRE);
}

static inline void quire_port_spin_lock(quire_port_spinlock_t *lock)
{
    if (__builtin_expect(!quire_port_spin_trylock(lock), 0))
        quire_x86_lock_slow(lock);
}

static inline void quire_port_spin_unlock(quire_port_spinlock_t *lock)
{
    __atomic_store_n(&lock->locked, 0, __ATOMIC_RELEASE);
}

static inline quire_port_irq_t quire_port_irq_save(void)
{
    quire_port_irq_t flags;
    __asm__ volatile("pushf\n\tpop %0\n\tcli" : "=r"(flags) : : "memory");
    return flags;
}

static inline void quire_port_irq_restore(quire_port_irq_t flags)
{
    __asm__ volatile("push %0\n\tpopf" : : "r"(flags) : "memory", "cc");
}

/* There is one CPU, and nothing is preempted. */
static inline void quire_port_preempt_disable(void)
{
}

static inline void quire_port_preempt_enable(void)
{
}

static inline unsigned quire_port_cpu(void)
{
    return quire_x86_cpu;
}

/* The CPU has its number from the start. */
static inline void quire_port_cpu_attach(void)
{
}

static inline unsigned quire_port_nr_cpus(void)
{
    return 1;
}

static inline void quire_port_fence_light(void)
{
    __atomic_signal_fence(__ATOMIC_SEQ_CST);
}

static inline void quire_port_fence_heavy(void)
{
    __atomic_signal_fence(__ATOMIC_SEQ_CST);
}

static inline void *quire_port_phys_to_virt(const struct quire_port_mem *pm, uint64_t phys)
{
    return phys < pm->direct_end ? (void *)((uintptr_t)pm->base + (uintptr_t)phys) : NULL;
}

static inline uint64_t quire_port_virt_to_phys(const struct quire_port_mem *pm, const void *virt)
{
    return (uint64_t)((uintptr_t)virt - (uintptr_t)pm->base);
}

static inline void *quire_port_kmap_local(const struct quire_port_mem *pm, uint64_t phys)
{
    if (phys >= pm->direct_end && pm->machine)
        return quire_x86_kmap_local(phys);
    return (void *)((uintptr_t)pm->base + (uintptr_t)phys);
}

static inline void quire_port_kunmap_local(const struct quire_port_mem *pm, void *virt)
{
    /* What is directly mapped has a size in one word. */
    if ((uintptr_t)virt - (uintptr_t)pm->base >= (uintptr_t)pm->direct_end && pm->machine)
        quire_x86_kunmap_local(virt);
}

static inline uint64_t quire_port_clock_ns(void)
{
    return quire_x86_clock_ns();
}

#define QUIRE_PORT_HAS_CODE_NAMES 1
static inline void quire_port_code_name(uintptr_t address, char *text, size_t size)
{
    quire_x86_code_name(address, text, size);
}

static inline void quire_port_log(int level, const char *text)
{
    quire_x86_log(level, text);
}

__attribute__((noreturn)) static inline void quire_port_panic(const char *text)
{
    quire_x86_panic(text);
}

/* Nobody takes the backing of bare metal; a simulated machine may always say what is free. */
static inline int quire_port_report_free(const struct quire_port_mem *pm, uint64_t phys,
                                         uint64_t size)
{
    (void)phys;
    (void)size;
    return pm->machine ? -QUIRE_ENODEV : 0;
}

static inline bool quire_port_knows_grace(void)
{
    return quire_x86_call_after_grace;
}

static inline void quire_port_call_after_grace(struct quire_port_grace *grace,
                                               void (*call)(struct quire_port_grace *grace))
{
    quire_x86_call_after_grace(grace, call);
}

/* DMA, DMA32, NORMAL, HIGHMEM, MOVABLE. On i386 the direct map ends at 896 MiB. */
#if defined(__x86_64__)
#define QUIRE_PORT_ZONE_ENDS                                                                       \
    {                                                                                              \
        0x1000000, 0x100000000, UINT64_MAX, 0, 0                                                   \
    }
#else
#define QUIRE_PORT_ZONE_ENDS                                                                       \
    {                                                                                              \
        0x1000000, 0, 0x38000000, UINT64_MAX, 0                                                    \
    }
#endif

/* INVLPG also drops everything that the CPU remembers of entries that lead to tables, and drops a
 * page of any size that holds the address (SDM 3A, 4.10.4.1). The only CPU is in every set. */
static inline void quire_port_tlb_flush_page(const struct quire_port_mem *pm,
                                             const struct quire_cpumask *cpus, uintptr_t virt)
{
    (void)pm;
    (void)cpus;
    __asm__ volatile("invlpg (%0)" : : "r"(virt) : "memory");
}

/* A load of CR3 leaves global pages; where they are enabled a change of CR4.PGE doesn't (SDM 3A,
 * 4.10.4.1). */
static inline void quire_port_tlb_flush_all(const struct quire_port_mem *pm,
                                            const struct quire_cpumask *cpus)
{
    const unsigned long global_pages = 1ul << 7; /* CR4.PGE */
    unsigned long cr3, cr4;
    (void)pm;
    (void)cpus;
    __asm__ volatile("mov %%cr4, %0" : "=r"(cr4));
    if (cr4 & global_pages) {
        __asm__ volatile("mov %0, %%cr4" : : "r"(cr4 & ~global_pages) : "memory");
        __asm__ volatile("mov %0, %%cr4" : : "r"(cr4) : "memory");
    } else
        __asm__ volatile("mov %%cr3, %0\n\tmov %0, %%cr3" : "=r"(cr3) : : "memory");
}

static inline void quire_port_tlb_flush_range(const struct quire_port_mem *pm,
                                              const struct quire_cpumask *cpus, uintptr_t virt,
                                              size_t size, unsigned page_shift)
{
    for (size_t done = 0; done < size; done += (size_t)1 << page_shift)
        quire_port_tlb_flush_page(pm, cpus, virt + done);
}

#ifdef __cplusplus
}
#endif

#endif
