/* slab/cpu.h: the hot path: a CPU at its own sheaves
 *
 * By the protocol of base/percpu.h. A shelf that is hidden, or has no sheaf, is both empty and
 * full, so that an operation that finds it falls into its slow half by the test that it makes
 * anyway. So are those of caches that are debugged, for good, and every one for who has no CPU
 * number.
 */
#ifndef QUIRE_SLAB_CPU_H
#define QUIRE_SLAB_CPU_H

#include "base/percpu.h"
#include "slab/internal.h"

static QUIRE_ALWAYS_INLINE struct cpu *cpu_enter(struct quire_slab *slab)
{
    quire_port_preempt_disable();
    struct cpu *cpu = slab->cpu[quire_port_cpu()];
    QUIRE_ASSERT(cpu == slab->no_cpu || !cpu->busy);
    percpu_enter(&cpu->busy);
    return cpu;
}

static QUIRE_ALWAYS_INLINE void cpu_leave(struct cpu *cpu)
{
    percpu_leave(&cpu->busy);
    quire_port_preempt_enable();
}

/* Acquire: what another CPU did to the shelves is seen with them. */
static QUIRE_ALWAYS_INLINE struct shelf *cpu_shelf(const struct cpu *cpu, size_t shelf_at)
{
    return (struct shelf *)(void *)((char *)quire_load_acquire(&cpu->rack) + shelf_at);
}

/* Of a shelf whose sheaf isn't empty: the newest object. */
static QUIRE_ALWAYS_INLINE void *shelf_pop(struct shelf *shelf)
{
    void **top = shelf->top - 1;
    quire_store_relaxed(&shelf->top, top);
    return *top;
}

/* Of one whose sheaf isn't full. */
static QUIRE_ALWAYS_INLINE void shelf_push(struct shelf *shelf, void *object)
{
    void **top = shelf->top;
    *top = object;
    quire_store_relaxed(&shelf->top, top + 1);
}

#define CALLER ((uintptr_t)__builtin_return_address(0))
/* As the `caller` of what is inlined here: it looks up the return address itself, off the line. */
#define CALLER_IS_OURS ((uintptr_t)0)

/* Calls to other functions stand only in returns, so that no registers are saved. `zero` is what
 * ZERO clears of an object, if the caller wants that looked after here; `size` what kmalloc was
 * asked for, or 0. */
static QUIRE_ALWAYS_INLINE void *cpu_alloc(struct quire_slab *slab, size_t shelf_at,
                                           quire_gfp_t gfp, const size_t *zero, uintptr_t caller,
                                           size_t size)
{
    struct cpu *cpu = cpu_enter(slab);
    struct shelf *shelf = cpu_shelf(cpu, shelf_at);
    if (quire_unlikely(shelf->top == shelf->base))
        return sheaf_alloc_slow(slab, shelf_at, gfp, cpu, caller ? caller : CALLER, size);
    void *object = shelf_pop(shelf);
    cpu_leave(cpu);
    if (zero && quire_unlikely(gfp & QUIRE_GFP_ZERO))
        return __builtin_memset(object, 0, *zero);
    return object;
}

static QUIRE_ALWAYS_INLINE void cpu_free(struct quire_slab *slab, size_t shelf_at, void *object,
                                         uintptr_t caller)
{
    struct cpu *cpu = cpu_enter(slab);
    struct shelf *shelf = cpu_shelf(cpu, shelf_at);
    if (quire_unlikely(shelf->top == shelf->end)) {
        sheaf_free_slow(slab, shelf_at, object, cpu, caller ? caller : CALLER);
        return;
    }
    shelf_push(shelf, object);
    cpu_leave(cpu);
}

#endif
