/* vm/overcommit.c: how much memory has been promised (man 5 proc, vm.overcommit_memory) */
#include "vm/area.h"
#include "vm/swap.h"

/* What one who isn't root leaves free in mode NEVER: vm.user_reserve_kbytes, at most 1/32 of his
 * own. */
#define USER_RESERVE_PAGES ((128ul << 20) >> QUIRE_PAGE_SHIFT)

/* So many every machine has, without counting. */
#define FEW_PAGES 16

unsigned long vm_commit_limit(struct quire_vm *vm)
{
    uint64_t memory = quire_nr_managed_pages(vm->mem);
    unsigned long pages = quire_load_relaxed(&vm->overcommit_pages);
    if (pages)
        return pages + swap_total_pages(vm);
    return (unsigned long)(memory / 100 * quire_load_relaxed(&vm->overcommit_ratio) +
                           memory % 100 * quire_load_relaxed(&vm->overcommit_ratio) / 100) +
           swap_total_pages(vm);
}

static bool may_commit(struct quire_vm *vm, const struct quire_mm *mm, long pages)
{
    switch (quire_load_relaxed(&vm->overcommit)) {
    case QUIRE_OVERCOMMIT_ALWAYS:
        return true;
    case QUIRE_OVERCOMMIT_GUESS:
        if (pages <= FEW_PAGES)
            return true;
        return (unsigned long)pages <= quire_nr_managed_pages(vm->mem) + swap_total_pages(vm);
    default:
        break;
    }
    unsigned long limit = vm_commit_limit(vm), reserve = mm ? mm->total_vm / 32 : 0;
    reserve = reserve < USER_RESERVE_PAGES ? reserve : USER_RESERVE_PAGES;
    long allowed = (long)(limit > reserve ? limit - reserve : 0);
    return quire_load_relaxed(&vm->committed) < allowed;
}

int vm_commit(struct quire_vm *vm, struct quire_mm *mm, long pages)
{
    vm_uncommit(vm, -pages);
    if (may_commit(vm, mm, pages))
        return 0;
    vm_uncommit(vm, pages);
    return -QUIRE_ENOMEM;
}

void vm_uncommit(struct quire_vm *vm, long pages)
{
    (void)__atomic_fetch_sub(&vm->committed, pages, __ATOMIC_RELAXED);
}

int quire_vm_set_overcommit(struct quire_vm *vm, enum quire_overcommit mode, unsigned ratio)
{
    if ((unsigned)mode > QUIRE_OVERCOMMIT_NEVER)
        return -QUIRE_EINVAL;
    if (ratio != quire_load_relaxed(&vm->overcommit_ratio))
        quire_store_relaxed(&vm->overcommit_pages, 0);
    quire_store_relaxed(&vm->overcommit_ratio, ratio);
    quire_store_relaxed(&vm->overcommit, mode);
    return 0;
}

void quire_vm_set_overcommit_kbytes(struct quire_vm *vm, unsigned long kbytes)
{
    quire_store_relaxed(&vm->overcommit_pages, kbytes >> (QUIRE_PAGE_SHIFT - 10));
    if (kbytes)
        quire_store_relaxed(&vm->overcommit_ratio, 0);
}

void quire_vm_set_max_map_count(struct quire_vm *vm, unsigned areas)
{
    quire_store_relaxed(&vm->max_areas, areas);
}
