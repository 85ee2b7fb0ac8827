/* phys/pcp.h: how a CPU enters its page lists: the hot path's half of pcp.c
 *
 * The lists of a CPU are its own by the protocol of base/percpu.h. What others hide them by is
 * mem->no_pcp, written over the owner's pointers to them: lists that are both empty and full.
 */
#ifndef QUIRE_PHYS_PCP_H
#define QUIRE_PHYS_PCP_H

#include "base/percpu.h"
#include "phys/internal.h"

static QUIRE_ALWAYS_INLINE struct cpu *cpu_enter(struct quire_mem *mem)
{
    quire_port_preempt_disable();
    struct cpu *cpu = mem->cpu[quire_port_cpu()];
    QUIRE_ASSERT(cpu == mem->cpu[mem->nr_cpus] || !cpu->busy);
    percpu_enter(&cpu->busy);
    return cpu;
}

static QUIRE_ALWAYS_INLINE void cpu_leave(struct cpu *cpu)
{
    percpu_leave(&cpu->busy);
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
    quire_tell_event(ALLOC, page->pfn, flags_order((uint32_t)state), flags_type((uint32_t)state));
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
    quire_tell_event(FREE, page->pfn, flags_order(flags));
    *top = page;
    quire_store_relaxed(&list->top, top + 1);
    return true;
}

#endif
