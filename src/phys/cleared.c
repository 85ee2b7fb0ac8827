/* phys/cleared.c: pages that are known to be zero
 *
 * Only unmovable ones of order 0, which tables are. The list is closed and open with the CPU's
 * others, so that poisoning, owners and injected failures see each page go and come.
 */
#include "phys/cleared.h"
#include "phys/pcp.h"

bool page_is_cleared(const struct quire_mem *mem, const struct quire_page *page)
{
    quire_phys_t phys = quire_pfn_to_phys(quire_pfn(page->pfn));
    const unsigned long *word = quire_port_phys_to_virt(mem->port, phys);
    for (size_t i = 0; i < QUIRE_PAGE_SIZE / sizeof *word; i++)
        if (word[i])
            return false;
    return true;
}

/* The list of the zone that the CPU likes best for `gfp` is found as the hot path finds its own. */
struct quire_page *alloc_cleared_page(struct quire_mem *mem, quire_gfp_t gfp)
{
    const quire_gfp_t others =
        QUIRE_GFP_MOVABLE | QUIRE_GFP_RECLAIMABLE | QUIRE_GFP_THISNODE | QUIRE_GFP_COMP;
    if (gfp & others)
        return quire_alloc_page(mem, gfp);
    struct cpu *cpu = cpu_enter(mem);
    struct pcp_list *list = quire_load_acquire(&cpu->prefer[gfp & GFP_PREFER_MASK]) + PCP_CLEARED;
    struct quire_page *page = list->top == list->base ? NULL : pcp_pop(list);
    cpu_leave(cpu);
    return page ? page : quire_alloc_page(mem, gfp);
}

void free_cleared_page(struct quire_mem *mem, struct quire_page *page)
{
    const uint64_t mask = 0xffffffffull << 32 | PAGE_FREE_MASK | PAGE_LARGE | PAGE_TYPE_MASK;
    const uint64_t state = page_state(page);
    bool is_kept = false;
    QUIRE_EXPENSIVE(page_is_cleared(mem, page));
    if (((state ^ (PAGE_ONE_REFERENCE | PAGE_ALLOCATED)) & mask) == 0) {
        struct cpu *cpu = cpu_enter(mem);
        struct pcp *pcp = cpu_pcp(cpu, flags_zone((uint32_t)state));
        is_kept = pcp_push(&pcp->list[PCP_CLEARED], page, (uint32_t)state);
        cpu_leave(cpu);
    }
    if (!is_kept)
        quire_free_page(mem, page);
}
