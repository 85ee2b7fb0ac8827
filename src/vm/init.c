/* vm/init.c: a machine's virtual memory begins and ends */
#include "base/text.h"
#include "vm/area.h"
#include "vm/cache.h"
#include "vm/ksm.h"
#include "vm/lru.h"
#include "vm/madvise.h"
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

static bool kernel_tables_fit(const struct quire_vm_config *config)
{
    const struct quire_pgtable *kernel = config->kernel_tables;
    return !kernel ||
           (kernel->mem == config->mem && kernel->format == &quire_pt_formats[config->format] &&
            quire_pt_features_are_equal(&kernel->features, &config->features));
}

/* Any frame may become a page of a program, so page tables have to be able to say each one's
 * address: a page that can't be mapped would be asked for by the same fault for ever. */
static bool memory_can_be_mapped(const struct quire_vm_config *config)
{
    const struct quire_pt_format *format = &quire_pt_formats[config->format];
    quire_phys_t end = quire_pt_phys_end(format, &config->features, QUIRE_PT);
    struct quire_zone_info zone;
    for (unsigned i = 0; !quire_zone_info(config->mem, i, &zone); i++) {
        quire_phys_t zone_end =
            quire_pfn_to_phys(zone.start) + ((quire_phys_t)zone.spanned << QUIRE_PAGE_SHIFT);
        if (zone.present && zone_end > end) {
            quire_log(
                QUIRE_LOG_ERROR,
                "quire: vm: %s page tables can't map memory from 0x%llx on, and there is some "
                "up to 0x%llx: leave it out of the memory map",
                format->name, (unsigned long long)end, (unsigned long long)zone_end);
            return false;
        }
    }
    return true;
}

static bool config_is_valid(const struct quire_vm_config *config)
{
    /* Page tables map pages of 4 KiB, and areas are made of them. */
    return QUIRE_PAGE_SHIFT == 12 && config->mem && config->slab &&
           config->format < QUIRE_NR_PT_FORMATS &&
           quire_pt_formats[config->format].virt_bits <= QUIRE_LINEAR_BITS &&
           kernel_tables_fit(config) && memory_can_be_mapped(config);
}

int quire_vm_init(struct quire_vm **vm, const struct quire_vm_config *config)
{
    if (!config_is_valid(config))
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
    new->max_areas = MAX_AREAS;
    list_init(&new->mms);
    list_init(&new->mappings);
    new->bad_frames = NO_PFN;
    int error = create_parts(new);
    if (error) {
        destroy_parts(new);
        return error;
    }
    reclaim_register(new);
    *vm = new;
    return 0;
}

static unsigned long length(struct list *list)
{
    unsigned long links = 0;
    list_for_each (link, list)
        links++;
    return links;
}

/* What keeps the machine from ending, in the log for who wonders what he forgot. */
static bool is_in_use(struct quire_vm *vm)
{
    unsigned areas = swap_nr_areas(vm);
    quire_port_irq_t irq = vm_lock(vm);
    unsigned long spaces = length(&vm->mms), mappings = length(&vm->mappings);
    vm_unlock(vm, irq);
    if (!spaces && !mappings && !areas)
        return false;
    quire_log(QUIRE_LOG_ERROR,
              "quire: vm: %lu address space%s, %lu mapping%s, %u swap area%s are left", spaces,
              spaces == 1 ? "" : "s", mappings, mappings == 1 ? "" : "s", areas,
              areas == 1 ? "" : "s");
    return true;
}

int quire_vm_destroy(struct quire_vm *vm)
{
    if (is_in_use(vm))
        return -QUIRE_EBUSY;
    ksm_destroy(vm);
    bad_frames_destroy(vm);
    reclaim_unregister(vm);
    destroy_parts(vm);
    return 0;
}
