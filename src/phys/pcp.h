/* phys/pcp.h: how a CPU enters its page lists: the hot path's half of pcp.c
 *
 * The lists of a CPU are used by that CPU alone, with preemption off, and have no lock. `busy` says
 * that the CPU is inside. Another CPU that wants the lists takes them out of the owner's sight, by
 * writing mem->no_pcp over the owner's pointers to them; then it makes every CPU fence, and waits
 * for `busy` to fall:
 *
 *     owner    store busy = 1,         light fence, load the pointer
 *     other    store another pointer,  heavy fence, load busy
 *
 * By the asymmetric fence one of the two sees the other. The owner pays two plain stores for it, no
 * atomic instruction and no branch, so that the cache misses of consecutive operations overlap. An
 * interrupt handler has no CPU number, so it never enters what it interrupted.
 */
#ifndef QUIRE_PHYS_PCP_H
#define QUIRE_PHYS_PCP_H

#include "phys/internal.h"

static QUIRE_ALWAYS_INLINE struct cpu *cpu_enter(struct quire_mem *mem)
{
    quire_port_preempt_disable();
    struct cpu *cpu = mem->cpu[quire_port_cpu()];
    QUIRE_ASSERT(cpu == mem->cpu[mem->nr_cpus] || !cpu->busy);
    quire_store_relaxed(&cpu->busy, 1);
    quire_port_fence_light();
    return cpu;
}

static QUIRE_ALWAYS_INLINE void cpu_leave(struct cpu *cpu)
{
    quire_store_release(&cpu->busy, 0);
    quire_port_preempt_enable();
}

/* Within cpu_enter and cpu_leave. Acquire: what another CPU did to the lists is seen with them. */
static QUIRE_ALWAYS_INLINE struct pcp *cpu_pcp(const struct cpu *cpu, unsigned zone)
{
    return quire_load_acquire(&cpu->zone[zone]);
}

static inline unsigned pcp_count(const struct pcp_list *list)
{
    return (unsigned)(quire_load_relaxed(&list->top) - list->base);
}

/* Takes the newest block of a list that isn't empty. */
static QUIRE_ALWAYS_INLINE struct quire_page *pcp_pop(struct pcp_list *list)
{
    struct quire_page **top = list->top - 1;
    struct quire_page *page = *top;
    uint64_t state = list->alloc_state;
    quire_count_hot(&list->nr_alloc, 1);
    quire_store_relaxed(&list->top, top);
    page_set_state(page, state);
    return page;
}

/* Adds a block; false when the list is at its limit. */
static QUIRE_ALWAYS_INLINE bool pcp_push(struct pcp_list *list, struct quire_page *page,
                                         uint32_t flags)
{
    struct quire_page **top = list->top;
    if (quire_unlikely(top >= list->limit))
        return false;
    page_set_free(page, flags);
    *top = page;
    quire_store_relaxed(&list->top, top + 1);
    return true;
}

#endif
