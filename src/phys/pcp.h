/* phys/pcp.h: how a CPU enters its page lists: the hot path's half of pcp.c
 *
 * A pcp is used by its CPU alone, with preemption off, and holds no lock. `busy` says that the CPU
 * is inside; an interrupt on the same CPU that finds it set goes to the zone instead. Another CPU
 * that wants the lists raises `closed`, then makes every CPU fence, then waits for `busy` to fall:
 *
 *     owner    store busy = 1,   light fence, load closed
 *     other    store closed + 1, heavy fence, load busy
 *
 * By the asymmetric fence one of the two sees the other. The owner pays two plain stores and a
 * load for it, no atomic instruction, so that the cache misses of consecutive operations overlap.
 */
#ifndef QUIRE_PHYS_PCP_H
#define QUIRE_PHYS_PCP_H

#include "phys/internal.h"

static QUIRE_ALWAYS_INLINE bool pcp_enter(struct pcp *pcp)
{
    if (quire_unlikely(quire_load_relaxed(&pcp->busy)))
        return false;
    quire_store_relaxed(&pcp->busy, 1);
    quire_port_fence_light();
    if (quire_unlikely(quire_load_acquire(&pcp->closed))) {
        quire_store_release(&pcp->busy, 0);
        return false;
    }
    return true;
}

static QUIRE_ALWAYS_INLINE void pcp_leave(struct pcp *pcp)
{
    quire_store_release(&pcp->busy, 0);
}

static QUIRE_ALWAYS_INLINE struct cpu *this_cpu(struct quire_mem *mem)
{
    unsigned cpu = quire_port_cpu();
    return mem->cpu[quire_unlikely(cpu > mem->nr_cpus) ? mem->nr_cpus : cpu];
}

/* Within pcp_enter and pcp_leave: takes the newest block of a list that isn't empty. The next one's
 * descriptor is fetched meanwhile: it is written by the next allocation. */
static QUIRE_ALWAYS_INLINE struct quire_page *pcp_pop(struct pcp_list *list)
{
    unsigned count = list->count - 1u;
    struct quire_page *page = list->slot[count];
    quire_store_relaxed(&list->count, (uint16_t)count);
    __builtin_prefetch(list->slot[(int)count - 1], 1);
    quire_store_relaxed(&list->nr_alloc, list->nr_alloc + 1);
    page_set_allocated(page, list->head_flags);
    return page;
}

static QUIRE_ALWAYS_INLINE void pcp_push(struct pcp_list *list, struct quire_page *page,
                                         uint32_t flags)
{
    unsigned count = list->count;
    page_set_free(page, flags);
    list->slot[count] = page;
    quire_store_relaxed(&list->count, (uint16_t)(count + 1));
}

#endif
