/* vm/init.c: a machine's virtual memory begins and ends */
#include "vm/cache.h"
#include "vm/lru.h"
#include "vm/swap.h"

#define DEFAULT_SWAPPINESS 60
#define DEFAULT_OVERCOMMIT_RATIO 50

static void destroy_caches(struct quire_vm *vm)
{
    struct quire_kmem_cache *cache[] = {vm->mm_cache,    vm->vma_cache,     vm->anon_vma_cache,
                                        vm->chain_cache, vm->mapping_cache, vm->xa_cache};
    for (size_t i = 0; i < sizeof cache / sizeof cache[0]; i++)
        (void)quire_kmem_cache_destroy(cache[i]);
}

static int create_caches(struct quire_vm *vm)
{
    struct quire_slab *slab = vm->slab;
    vm->mm_cache = quire_kmem_cache_create(slab, "mm_struct", sizeof(struct quire_mm), 0,
                                           QUIRE_SLAB_HWCACHE_ALIGN, NULL);
    vm->vma_cache =
        quire_kmem_cache_create(slab, "vm_area_struct", sizeof(struct quire_vma), 0, 0, NULL);
    vm->anon_vma_cache =
        quire_kmem_cache_create(slab, "anon_vma", sizeof(struct anon_vma), 0, 0, NULL);
    vm->chain_cache =
        quire_kmem_cache_create(slab, "anon_vma_chain", sizeof(struct anon_vma_chain), 0, 0, NULL);
    vm->mapping_cache =
        quire_kmem_cache_create(slab, "address_space", sizeof(struct quire_mapping), 0, 0, NULL);
    vm->xa_cache = quire_kmem_cache_create(slab, "radix_tree_node", xa_node_size(), 0,
                                           QUIRE_SLAB_RECLAIM_ACCOUNT, NULL);
    bool all = vm->mm_cache && vm->vma_cache && vm->anon_vma_cache && vm->chain_cache &&
               vm->mapping_cache && vm->xa_cache;
    return all ? 0 : -QUIRE_ENOMEM;
}

static int create_zero_page(struct quire_vm *vm)
{
    vm->zero_page = quire_alloc_page(vm->mem, QUIRE_GFP_KERNEL | QUIRE_GFP_ZERO);
    if (!vm->zero_page)
        return -QUIRE_ENOMEM;
    page_start(vm->zero_page);
    return 0;
}

/* What has been made goes, the last first; parts that weren't are zero. */
static void destroy_parts(struct quire_vm *vm)
{
    if (vm->mover)
        migrate_unregister(vm);
    if (vm->swap)
        swap_destroy(vm);
    if (vm->lists)
        lists_destroy(vm);
    if (vm->roots)
        roots_destroy(vm);
    if (vm->zero_page)
        quire_free_page(vm->mem, vm->zero_page);
    destroy_caches(vm);
    quire_kfree(vm->slab, vm);
}

static int create_parts(struct quire_vm *vm)
{
    int error = create_caches(vm);
    if (!error)
        error = create_zero_page(vm);
    if (!error)
        error = roots_create(vm);
    if (!error)
        error = lists_create(vm);
    if (!error)
        error = swap_create(vm);
    if (!error)
        error = migrate_register(vm);
    return error;
}

int quire_vm_init(struct quire_vm **vm, const struct quire_vm_config *config)
{
    /* Page tables map pages of 4 KiB, and areas are made of them. */
    if (QUIRE_PAGE_SHIFT != 12 || !config->mem || !config->slab ||
        config->format >= QUIRE_NR_PT_FORMATS)
        return -QUIRE_EINVAL;
    struct quire_vm *new = quire_kzalloc(config->slab, sizeof *new, QUIRE_GFP_KERNEL);
    if (!new)
        return -QUIRE_ENOMEM;
    new->config = *config;
    new->mem = config->mem;
    new->slab = config->slab;
    new->port = quire_mem_port(config->mem);
    new->nr_nodes = quire_mem_nr_nodes(config->mem);
    new->swappiness = DEFAULT_SWAPPINESS;
    new->overcommit_ratio = DEFAULT_OVERCOMMIT_RATIO;
    list_init(&new->mms);
    list_init(&new->mappings);
    int error = create_parts(new);
    if (error) {
        destroy_parts(new);
        return error;
    }
    reclaim_register(new);
    *vm = new;
    return 0;
}

int quire_vm_destroy(struct quire_vm *vm)
{
    if (!list_empty(&vm->mms) || !list_empty(&vm->mappings) || swap_has_areas(vm))
        return -QUIRE_EBUSY;
    reclaim_unregister(vm);
    destroy_parts(vm);
    return 0;
}
