/* slab/cpu.h: the hot path: a CPU at its own sheaves
 *
 * By the protocol of base/percpu.h. What hides a sheaf is slab->closed, which is both empty and
 * full, so that an operation that finds it falls into its slow half by the test that it makes
 * anyway. Caches that are debugged or have no sheaves are closed for good, and so is every cache
 * for who has no CPU number.
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

static QUIRE_ALWAYS_INLINE struct sheaf *cpu_sheaf(const struct cpu *cpu, size_t sheaf_at)
{
    struct sheaf *const *at = (struct sheaf *const *)(const void *)((const char *)cpu + sheaf_at);
    return quire_load_acquire(at);
}

static QUIRE_ALWAYS_INLINE void *sheaf_pop(struct sheaf *sheaf, size_t count)
{
    quire_store_relaxed(&sheaf->count, count - 1);
    return sheaf->slot[count - 1];
}

static QUIRE_ALWAYS_INLINE void sheaf_push(struct sheaf *sheaf, size_t count, void *object)
{
    sheaf->slot[count] = object;
    quire_store_relaxed(&sheaf->count, count + 1);
}

#define CALLER ((uintptr_t)__builtin_return_address(0))
/* As the `caller` of what is inlined here: it looks up the return address itself, off the line. */
#define CALLER_IS_OURS ((uintptr_t)0)

/* Calls to other functions stand only in returns, so that no registers are saved. `zero` is what
 * ZERO clears of an object, if the caller wants that looked after here. */
static QUIRE_ALWAYS_INLINE void *cpu_alloc(struct quire_slab *slab, size_t sheaf_at,
                                           quire_gfp_t gfp, const size_t *zero, uintptr_t caller)
{
    struct cpu *cpu = cpu_enter(slab);
    struct sheaf *sheaf = cpu_sheaf(cpu, sheaf_at);
    size_t count = sheaf->count;
    if (quire_unlikely(!count))
        return sheaf_alloc_slow(slab, sheaf_at, gfp, cpu, caller ? caller : CALLER);
    void *object = sheaf_pop(sheaf, count);
    cpu_leave(cpu);
    if (zero && quire_unlikely(gfp & QUIRE_GFP_ZERO))
        return __builtin_memset(object, 0, *zero);
    return object;
}

static QUIRE_ALWAYS_INLINE void cpu_free(struct quire_slab *slab, size_t sheaf_at, void *object,
                                         uintptr_t caller)
{
    struct cpu *cpu = cpu_enter(slab);
    struct sheaf *sheaf = cpu_sheaf(cpu, sheaf_at);
    size_t count = sheaf->count;
    if (quire_unlikely(count >= sheaf->capacity)) {
        sheaf_free_slow(slab, sheaf_at, object, cpu, caller ? caller : CALLER);
        return;
    }
    sheaf_push(sheaf, count, object);
    cpu_leave(cpu);
}

#endif
