/* map/kmap_local.c: windows for one CPU, taken and given back like a stack
 *
 * Each CPU has QUIRE_KMAP_LOCAL_SLOTS pages of the fixmap, and a depth: those below it are open.
 * Only the CPU itself uses its pages, with preemption off, so there is no lock, and a page that was
 * closed is flushed from that CPU alone.
 *
 *   invariant   an interrupt that comes anywhere leaves depth and pages as they were, since it
 * opens above the depth that it finds: a page is taken before it is opened, and given back after it
 * was closed and flushed
 */
#include "map/windows.h"

/* Cache lines of one CPU, not of two. */
struct quire_kmap_stack {
    unsigned depth;
    char unused[QUIRE_CACHELINE_BYTES - sizeof(unsigned)];
};
_Static_assert(sizeof(struct quire_kmap_stack) == QUIRE_CACHELINE_BYTES, "a cache line a CPU");

static quire_linear_t slot_address(const struct quire_windows *w, unsigned cpu, unsigned slot)
{
    return quire_fix_to_virt(w, w->nr_fixed + cpu * QUIRE_KMAP_LOCAL_SLOTS + slot);
}

/* Preemption is off. NULL: this CPU has none. */
static struct quire_kmap_stack *stack_of_cpu(const struct quire_windows *w, unsigned *cpu)
{
    *cpu = quire_port_cpu();
    return *cpu < w->nr_cpus ? &w->stack[*cpu] : NULL;
}

int quire_kmap_local_pfn(struct quire_windows *w, quire_pfn_t pfn, quire_linear_t *virt)
{
    quire_phys_t phys = quire_pfn_to_phys(pfn);
    unsigned cpu;
    if (quire_is_directly_mapped(&w->direct, phys)) {
        *virt = w->direct.base + phys;
        return 0;
    }
    if (!w->stack || !window_can_show(w, phys))
        return -QUIRE_EINVAL;
    quire_port_preempt_disable();
    struct quire_kmap_stack *stack = stack_of_cpu(w, &cpu);
    if (!stack || stack->depth == QUIRE_KMAP_LOCAL_SLOTS) {
        quire_port_preempt_enable();
        return -QUIRE_ENOSPC;
    }
    unsigned slot = stack->depth;
    quire_store_relaxed(&stack->depth, slot + 1);
    *virt = slot_address(w, cpu, slot);
    window_open(w, *virt, phys);
    return 0;
}

/* Whether `virt` lies in some CPU's windows. */
static bool is_local(const struct quire_windows *w, quire_linear_t virt)
{
    uint64_t local = (uint64_t)w->nr_cpus * QUIRE_KMAP_LOCAL_SLOTS * QUIRE_PAGE_SIZE;
    uint64_t below = w->fixmap_top - (uint64_t)w->nr_fixed * QUIRE_PAGE_SIZE - 1 - virt;
    return w->stack && below < local;
}

static void report(const struct quire_windows *w, quire_linear_t virt, const char *text)
{
    quire_phys_t phys;
    quire_report_mistake(
        w->pt->mem, window_phys(w, virt, &phys) ? quire_phys_to_pfn(phys) : quire_pfn(0), text);
}

void quire_kunmap_local(struct quire_windows *w, quire_linear_t virt)
{
    unsigned cpu;
    if (!is_local(w, virt)) {
        if (virt - w->direct.base >= w->direct.end)
            report(w, virt, "kunmap_local: the address is no window of kmap_local");
        return;
    }
    virt &= ~(quire_linear_t)(QUIRE_PAGE_SIZE - 1);
    struct quire_kmap_stack *stack = stack_of_cpu(w, &cpu);
    if (!stack || !stack->depth || virt != slot_address(w, cpu, stack->depth - 1)) {
        report(w, virt, "kunmap_local: the window isn't the last that this CPU opened");
        return;
    }
    quire_linear_t at = without_sign(w->pt, virt);
    window_close(w, virt, NULL);
    flush_on_cpu(w->pt, cpu, at, at + QUIRE_PAGE_SIZE);
    quire_store_relaxed(&stack->depth, stack->depth - 1);
    quire_port_preempt_enable();
}

/* ---- beginning and end ----------------------------------------------------------------------- */

int kmap_stacks_init(struct quire_windows *w)
{
    if (!w->fixmap_top)
        return 0;
    w->stack = quire_alloc_pages_exact(w->pt->mem, w->nr_cpus * sizeof *w->stack, w->pt->gfp);
    return w->stack ? 0 : -QUIRE_ENOMEM;
}

unsigned long kmap_stacks_destroy(struct quire_windows *w)
{
    unsigned long open = 0;
    if (!w->stack)
        return 0;
    for (unsigned cpu = 0; cpu < w->nr_cpus; cpu++)
        open += w->stack[cpu].depth;
    quire_free_pages_exact(w->pt->mem, w->stack, w->nr_cpus * sizeof *w->stack);
    return open;
}

void kmap_stacks_check(const struct quire_windows *w)
{
    for (unsigned cpu = 0; w->stack && cpu < w->nr_cpus; cpu++) {
        QUIRE_BUG_ON(w->stack[cpu].depth > QUIRE_KMAP_LOCAL_SLOTS);
        for (unsigned slot = 0; slot < QUIRE_KMAP_LOCAL_SLOTS; slot++) {
            quire_phys_t phys;
            bool open = window_phys(w, slot_address(w, cpu, slot), &phys);
            QUIRE_BUG_ON(open != (slot < w->stack[cpu].depth));
        }
    }
}
