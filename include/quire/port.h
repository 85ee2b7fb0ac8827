/* quire/port.h: the contract of layer 0, the port
 *
 * A port is a folder with a `quire_port.h` of types and static inline functions, found on the
 * include path. This header includes it and says what it must define. docs/porting.md is the
 * tutorial, examples/minimal-port the smallest one.
 *
 * Ground rules. Every function may be called from any context that the port's user calls Quire
 * from, interrupts included, unless its line says otherwise. Pointers are non-null unless it says
 * so. No function may call back into Quire, but for the callbacks of `struct quire_mem_ops`, which
 * aren't the port's. The library takes spinlocks with interrupts off, a machine's before those of
 * one of its zones, and waits for nothing else while it holds one.
 *
 * Level 1: frames and slabs
 *
 *   quire_port_spinlock_t                     a mutual exclusion lock; all zero bytes is unlocked
 *   void quire_port_spin_lock(lock*)          acquire; spins
 *   bool quire_port_spin_trylock(lock*)       acquire if free
 *   void quire_port_spin_unlock(lock*)        release
 *   quire_port_irq_t                          what irq_save remembers: an integer type
 *   quire_port_irq_t quire_port_irq_save()    keep interrupts from this CPU; may nest
 *   void quire_port_irq_restore(irq)          undo the matching irq_save
 *   void quire_port_preempt_disable()         stay on this CPU from here; may nest; a no-op where
 *   void quire_port_preempt_enable()            a thread of control can't move between CPUs
 *   unsigned quire_port_cpu()                 this CPU's number, stable while preemption is off: in
 *                                               0..nr_cpus-1 of the machine; or QUIRE_MAX_CPUS for
 *                                               who has none, which is only slower. An interrupt
 *                                               handler has none: what it interrupted may be using
 *                                               the CPU's lists
 *   void quire_port_cpu_attach()              off the hot path: may give a number to who has none
 *   unsigned quire_port_nr_cpus()             CPUs that can exist: the default of `nr_cpus`
 *   void quire_port_relax()                   one turn of a spinning wait; where what is waited for
 *                                               can be taken off its processor, some turns let
 *                                               others run
 *   void quire_port_fence_light()             the two halves of an asymmetric fence: if CPU A runs
 *   void quire_port_fence_heavy()               store X, light, load Y and CPU B runs store Y,
 *                                               heavy, load X, then not both loads see the old
 *                                               value. Light is a compiler barrier where heavy can
 *                                               make every CPU fence (membarrier(2), an interrupt
 *                                               to all); else both are full fences. Single-CPU
 *                                               machines: compiler barriers. Heavy is never called
 *                                               with a spinlock held
 *   struct quire_port_mem                     where a machine's memory is: `port` in the config
 *   void *quire_port_phys_to_virt(pm, phys)   the direct map; NULL where it doesn't reach (HighMem)
 *   quire_phys_t quire_port_virt_to_phys(pm, virt)  back, for addresses of the direct map
 *   void *quire_port_kmap_local(pm, phys)     a window on the page at `phys` for this CPU until
 *   void quire_port_kunmap_local(pm, virt)      the matching unmap; at most two at a time, last in
 *                                               first out. The direct map where it reaches
 *   uint64_t quire_port_clock_ns()            monotonic nanoseconds from any start
 *   void quire_port_log(level, text)          one line without its newline; level 3 error, 4
 *                                               warning, 6 information, 7 debug (as syslog's)
 *   _Noreturn void quire_port_panic(text)     the end: an invariant is broken
 *   int quire_port_report_free(pm, phys, size)  `size` bytes at `phys` are free and their content
 *                                               doesn't matter: a balloon or madvise(2) may take
 *                                               the backing. 0 or a negative errno; the page is
 *                                               kept from being allocated meanwhile; may sleep
 *   QUIRE_PORT_ZONE_ENDS                      initialiser of quire_phys_t[QUIRE_NR_ZONES]: where
 *                                               each zone ends (exclusive); 0: the zone isn't there
 *
 * Of level 1, and may be left out; then nobody knows of grace periods (see below):
 *
 *   QUIRE_PORT_HAS_GRACE                      defined: the port has the following
 *   struct quire_port_grace                   what the port needs to remember of a callback; all
 *                                               zero bytes at first
 *   bool quire_port_knows_grace()             whether call_after_grace does anything
 *   void quire_port_call_after_grace(grace*, call)
 *                                             once every section of readers that is under way now,
 *                                               on any CPU, has ended: call(grace), once. What a
 *                                               section of readers is the port's users say. Called,
 *                                               and to be called back, without locks; this callback
 *                                               is Quire, and may call here again. Until then
 *                                               `grace` is the port's
 *
 * Of level 1, with the knob QUIRE_EVENTS alone, which src/base/events.h declares:
 *
 *   void quire_port_event(event, fields, text)
 *                                             something has happened to a frame, a page or an area.
 *                                               From anywhere, also with spinlocks; neither sleeps
 *                                               nor allocates
 *
 * Of level 1, and may be left out, as long as nobody waits for long:
 *
 *   QUIRE_PORT_HAS_WAIT                       defined: threads of control can sleep:
 *   void quire_port_wait(const uint32_t *word, uint32_t value)
 *                                             sleep until a wake of `word`; returns at once if
 *                                               *word isn't `value` any more, and whenever it likes
 *                                               (as FUTEX_WAIT does). Without spinlocks
 *   void quire_port_wake(const uint32_t *word)  wake all who sleep on `word`
 *                                             Without it waiting spins by quire_port_relax
 *
 * Of level 1, and may be left out, too; then callers are told as addresses only:
 *
 *   QUIRE_PORT_HAS_CODE_NAMES                 defined: the port has the following
 *   void quire_port_code_name(address, text, size)
 *                                             writes what a person looks for at an address of code
 *                                               (the program and the offset in it, a function) to
 *                                               `text`, with its NUL; "" when it doesn't know.
 *                                               Called without locks
 *
 * Level 2: page tables
 *
 *   What was written to page tables before the call is what those CPUs translate by when it
 *   returns, and no copy of an entry that led to a table is left. `cpus`: a struct quire_cpumask,
 *   the calling CPU perhaps among them; NULL: all. Never called with a spinlock held.
 *
 *   void quire_port_tlb_flush_page(pm, cpus, virt)   one page, of whatever size, at `virt`
 *   void quire_port_tlb_flush_range(pm, cpus, virt, size, page_shift)  at most
 *                                               QUIRE_TLB_FLUSH_PAGES pages of 2^page_shift bytes
 *   void quire_port_tlb_flush_all(pm, cpus)     everything, global pages too
 */
#ifndef QUIRE_PORT_CONTRACT_H
#define QUIRE_PORT_CONTRACT_H

#include <quire/types.h>

#include <quire_port.h>

/* Nobody knows when readers are gone, so nothing is ever called: type-stable memory stays what it
 * is until its cache is destroyed. */
#ifndef QUIRE_PORT_HAS_GRACE
struct quire_port_grace {
    char unused;
};

static inline bool quire_port_knows_grace(void)
{
    return false;
}

static inline void quire_port_call_after_grace(struct quire_port_grace *grace,
                                               void (*call)(struct quire_port_grace *grace))
{
    (void)grace;
    (void)call;
}
#endif

#ifndef QUIRE_PORT_HAS_WAIT
static inline void quire_port_wait(const uint32_t *word, uint32_t value)
{
    (void)word;
    (void)value;
    quire_port_relax();
}

static inline void quire_port_wake(const uint32_t *word)
{
    (void)word;
}
#endif

#ifndef QUIRE_PORT_HAS_CODE_NAMES
static inline void quire_port_code_name(uintptr_t address, char *text, size_t size)
{
    (void)address;
    if (size)
        text[0] = '\0';
}
#endif

#define QUIRE_LOG_ERROR 3
#define QUIRE_LOG_WARNING 4
#define QUIRE_LOG_INFO 6
#define QUIRE_LOG_DEBUG 7

#endif
