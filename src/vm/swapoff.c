/* vm/swapoff.c: a swap area goes
 *
 * Nothing new comes to it from the beginning on. Then all that is there is brought back: every
 * address space's entries of the area are faulted in, and shared memory's numbers. Entries that a
 * fork copies meanwhile from where the walk is yet to come to where it was are found in another
 * round. What pages are in the swap cache for nobody any more are dropped.
 *
 * Any failure puts the area back to use: what was brought back stays in memory, or goes to swap
 * again by itself.
 *
 * Linux: mm/swapfile.c, try_to_unuse.
 */
#include "vm/cache.h"
#include "vm/fault.h"
#include "vm/swap_area.h"

#define BATCH 64u
#define MAX_IDLE_ROUNDS 64 /* without any slot coming free: others hold them */

/* ---- an address space ------------------------------------------------------------------------ */

/* Entries of the area that a look at the tables found. */
struct found {
    unsigned type, count;
    struct {
        quire_linear_t address;
        uint64_t entry;
    } at[BATCH];
};

static int find(void *arg, const struct quire_pt_run *run)
{
    struct found *found = arg;
    if (run->level != QUIRE_PT)
        return 0;
    for (unsigned i = 0; i < run->count; i++) {
        if (!entry_is_swap(run->entry[i]) || entry_type(run->entry[i]) != found->type)
            continue;
        found->at[found->count].address = run->virt + i * QUIRE_PAGE_SIZE;
        found->at[found->count].entry = run->entry[i];
        if (++found->count == BATCH)
            return 1;
    }
    return 0;
}

static int fault_in(struct quire_vma *vma, quire_linear_t address, uint64_t entry)
{
    struct fault fault = {.vma = vma, .mm = vma->mm, .address = address, .entry = entry};
    switch (fault_swap_gfp(&fault, QUIRE_GFP_RETRY_MAYFAIL | QUIRE_GFP_NOWARN)) {
    case QUIRE_VM_MINOR:
    case QUIRE_VM_MAJOR:
        return 0;
    case QUIRE_VM_OOM:
        return -QUIRE_ENOMEM;
    default:
        return -QUIRE_EIO;
    }
}

/* An error doesn't keep the rest from coming back: -EIO is of one page. */
static int unuse_vma(struct quire_vma *vma, unsigned type)
{
    struct found found;
    int result = 0;
    quire_linear_t from = vma->start;
    do {
        found.type = type;
        found.count = 0;
        (void)quire_visit_range(&vma->mm->pt, from, vma->end - from, QUIRE_VISIT_NOT_PRESENT, find,
                                &found);
        for (unsigned i = 0; i < found.count; i++) {
            int error = fault_in(vma, found.at[i].address, found.at[i].entry);
            if (error == -QUIRE_ENOMEM)
                return error;
            result = result ? result : error;
            from = found.at[i].address + QUIRE_PAGE_SIZE;
        }
    } while (found.count == BATCH && from < vma->end);
    return result;
}

static int unuse_mm(struct quire_mm *mm, unsigned type)
{
    int result = 0;
    rwlock_read(&mm->lock);
    for (struct quire_vma *vma = vma_above(mm, 0); vma && result != -QUIRE_ENOMEM;
         vma = vma_next(vma)) {
        int error = unuse_vma(vma, type);
        result = error ? error : result;
    }
    rwlock_read_unlock(&mm->lock);
    return result;
}

/* The next address space in the list after `mm`, or the first, with a reference; the one before is
 * put. NULL: there is none. */
static struct quire_mm *next_mm(struct quire_vm *vm, struct quire_mm *mm)
{
    struct quire_mm *next = NULL;
    quire_port_irq_t irq = vm_lock(vm);
    struct list *link = mm ? mm->link.next : vm->mms.next;
    if (link != &vm->mms) {
        next = quire_container_of(link, struct quire_mm, link);
        mm_ref(next);
    }
    vm_unlock(vm, irq);
    if (mm)
        mm_unref(mm);
    return next;
}

static int unuse_all(struct quire_vm *vm, unsigned type)
{
    int result = shmem_unuse(vm, type);
    for (struct quire_mm *mm = next_mm(vm, NULL); mm; mm = next_mm(vm, mm)) {
        if (result == -QUIRE_ENOMEM)
            continue; /* puts what next_mm got */
        int error = unuse_mm(mm, type);
        result = error ? error : result;
    }
    return result;
}

/* ---- the area -------------------------------------------------------------------------------- */

/* Pages that are in the cache for slots which no entry means. */
static void drop_unused(struct quire_vm *vm, struct swap_area *area)
{
    for (uint32_t slot = 1; slot < area->nr_slots; slot++) {
        swap_entry entry = entry_of_slot(area, slot);
        if (swap_count(vm, entry))
            continue;
        struct quire_page *page = swap_cache_find(vm, entry);
        if (!page)
            continue;
        page_lock(page);
        if (page_has(page, PG_SWAPCACHE) && !page_has(page, PG_WRITEBACK) &&
            swap_cache_entry(vm, page) == entry && !swap_count(vm, entry))
            swap_cache_remove(vm, page);
        page_unlock(page);
        vm_put_page(vm, page);
    }
}

/* All that can be had in place of the area: free memory, files' pages, other areas. */
static bool has_room(struct quire_vm *vm, unsigned long pages)
{
    long files =
        quire_load_relaxed(&vm->stat[NR_FILE_PAGES]) - quire_load_relaxed(&vm->stat[NR_SHMEM]);
    unsigned long room =
        quire_nr_free_pages(vm->mem) + swap_free_pages(vm) + (unsigned long)(files > 0 ? files : 0);
    return pages <= room;
}

static struct swap_area *begin(struct quire_vm *vm, int number)
{
    struct swap_state *swap = vm->swap;
    quire_port_irq_t irq = swap_lock(swap);
    struct swap_area *area =
        number >= 0 && number < (int)QUIRE_MAX_SWAP_AREAS ? swap->area[number] : NULL;
    if (area && area->going)
        area = NULL;
    if (area)
        swap_area_hide(swap, area);
    swap_unlock(swap, irq);
    return area;
}

static void cancel(struct quire_vm *vm, struct swap_area *area)
{
    quire_port_irq_t irq = swap_lock(vm->swap);
    swap_area_show(vm->swap, area);
    swap_unlock(vm->swap, irq);
}

static uint32_t slots_in_use(struct quire_vm *vm, const struct swap_area *area)
{
    quire_port_irq_t irq = swap_lock(vm->swap);
    uint32_t used = area->nr_used;
    swap_unlock(vm->swap, irq);
    return used;
}

/* 0: no slot is in use any more. */
static int empty(struct quire_vm *vm, struct swap_area *area)
{
    uint32_t used = slots_in_use(vm, area);
    for (unsigned idle = 0; used && idle < MAX_IDLE_ROUNDS;) {
        int error = unuse_all(vm, area->number + 1);
        drop_unused(vm, area);
        uint32_t left = slots_in_use(vm, area);
        if (error && left)
            return error;
        idle = left < used ? 0 : idle + 1;
        used = left;
        if (idle)
            quire_port_relax();
    }
    return used ? -QUIRE_ENOMEM : 0;
}

int quire_swapoff(struct quire_vm *vm, int number)
{
    struct swap_area *area = begin(vm, number);
    if (!area)
        return -QUIRE_EINVAL;
    int error = has_room(vm, slots_in_use(vm, area)) ? empty(vm, area) : -QUIRE_ENOMEM;
    if (error)
        cancel(vm, area);
    else
        swap_area_forget(vm, area);
    return error;
}
