/* map/vm_init.c: the beginning and the end of a range that vmalloc hands out; its invariants */
#include "map/vmalloc.h"

/* What a kernel maps its own data with: Linux's PAGE_KERNEL. */
#define PROT_KERNEL                                                                                \
    (QUIRE_PTE_WRITE | QUIRE_PTE_ACCESSED | QUIRE_PTE_DIRTY | QUIRE_PTE_GLOBAL | QUIRE_PTE_NX)

#define LAZY_BYTES (32ul << 20)

/* Linux's lazy_max_pages, and a bound for small machines: these pages are of no use to anybody. */
static unsigned long default_lazy_pages(struct quire_mem *mem)
{
    unsigned bits = quire_fls32(quire_mem_nr_cpus(mem)) + 1;
    unsigned long pages = bits * (LAZY_BYTES >> QUIRE_PAGE_SHIFT);
    unsigned long most = quire_nr_managed_pages(mem) / 32;
    return pages < most ? pages : most;
}

static unsigned long count_lazy(struct quire_shrinker *shrinker, int node)
{
    struct quire_vmalloc_info info;
    (void)node;
    quire_vmalloc_info(shrinker->arg, &info);
    return info.nr_lazy_pages;
}

static unsigned long purge_lazy(struct quire_shrinker *shrinker, int node, quire_gfp_t gfp,
                                unsigned long nr)
{
    unsigned long areas = 0;
    (void)node;
    (void)gfp;
    (void)nr;
    return vm_purge(shrinker->arg, &areas);
}

static bool config_is_valid(const struct quire_vmalloc_config *config)
{
    quire_linear_t at, end;
    return config->mem && config->slab && config->pt && config->start &&
           config->start < config->end &&
           !own_range(config->pt, config->start, config->end - config->start, QUIRE_PAGE_SIZE, &at,
                      &end) &&
           prot_is_valid(config->pt, config->prot);
}

int quire_vmalloc_init(struct quire_vmalloc **vm, const struct quire_vmalloc_config *config)
{
    if (!config_is_valid(config))
        return -QUIRE_EINVAL;
    struct quire_vmalloc *made = quire_kzalloc(config->slab, sizeof *made, QUIRE_GFP_KERNEL);
    if (!made)
        return -QUIRE_ENOMEM;
    made->mem = config->mem;
    made->slab = config->slab;
    made->pt = config->pt;
    made->start = config->start;
    made->end = config->end;
    made->lazy_limit = config->lazy_pages ? config->lazy_pages : default_lazy_pages(config->mem);
    made->prot = config->prot ? config->prot : PROT_KERNEL & config->pt->prot_mask;
    vm_tree_init(&made->tree, config->start, config->end);
    made->shrinker.count = count_lazy;
    made->shrinker.scan = purge_lazy;
    made->shrinker.arg = made;
    quire_register_shrinker(made->mem, &made->shrinker);
    *vm = made;
    return 0;
}

unsigned long quire_vmalloc_destroy(struct quire_vmalloc *vm)
{
    unsigned long left = vm->info.nr_ranges;
    quire_unregister_shrinker(vm->mem, &vm->shrinker);
    for (struct vm_node *node = vm_tree_above(&vm->tree, 0), *next; node; node = next) {
        next = vm_tree_next(&vm->tree, node);
        if (area_of(node)->state == AREA_USED)
            area_undo(vm, area_of(node));
    }
    (void)quire_vm_unmap_aliases(vm);
    quire_kfree(vm->slab, vm);
    return left;
}

/* ---- looking --------------------------------------------------------------------------------- */

void quire_vmalloc_info(struct quire_vmalloc *vm, struct quire_vmalloc_info *info)
{
    quire_port_irq_t irq = vm_lock(vm);
    *info = vm->info;
    vm_unlock(vm, irq);
}

/* Each page of a range is mapped where it belongs, or none is. */
static void check_area(struct quire_vmalloc *vm, struct area *area, struct quire_vmalloc_info *seen)
{
    bool used = area->state == AREA_USED;
    QUIRE_BUG_ON(!used && area->state != AREA_LAZY);
    QUIRE_BUG_ON(quire_vmalloc_to_page(vm, area->node.end - 1)); /* the guard */
    for (quire_linear_t at = area->node.start; at < area->node.end - QUIRE_PAGE_SIZE;
         at += QUIRE_PAGE_SIZE)
        QUIRE_BUG_ON(!quire_vmalloc_to_page(vm, at) == used);
    if (used)
        seen->nr_ranges++;
    else {
        seen->nr_lazy++;
        seen->nr_lazy_pages += area_pages(area) + 1;
    }
    if (area->kind == AREA_VMAP)
        return;
    unsigned long pages = 0;
    for (struct quire_page *page = area->pages; page; page = page->owner.pointer[0])
        pages++;
    QUIRE_BUG_ON(pages != area_pages(area));
    seen->nr_pages += used ? pages : 0;
}

void quire_vmalloc_check(struct quire_vmalloc *vm)
{
    struct quire_vmalloc_info seen = {0};
    vm_tree_check(&vm->tree);
    for (struct vm_node *node = vm_tree_above(&vm->tree, 0); node;
         node = vm_tree_next(&vm->tree, node))
        check_area(vm, area_of(node), &seen);
    QUIRE_BUG_ON(seen.nr_ranges != vm->info.nr_ranges || seen.nr_pages != vm->info.nr_pages);
    QUIRE_BUG_ON(seen.nr_lazy != vm->info.nr_lazy || seen.nr_lazy_pages != vm->info.nr_lazy_pages);
}
