/* vm/swap_area.c: swap areas come, and what is known of them
 *
 * An area's slots are described by clusters, all made at swapon: 10 bytes a slot, 0.25 % of what
 * the area holds. The hash from frames to slots has a bucket for four frames of the machine, or
 * fewer where that much can't be had in one piece; it comes with the first area and stays.
 */
#include "vm/swap_area.h"

#include "base/bits.h"
#include "base/text.h"

/* Numbers of slots have SLOT_ID_BITS bits, and an area's clusters must fit a table in one piece.
 * Arrays of shared memory on 32-bit machines have 30 bits for area and slot. */
#define MAX_SLOTS (UINTPTR_MAX > UINT32_MAX ? 1u << SLOT_ID_BITS : 1u << 25)
#define MIN_BUCKET_BITS 6
#define PAGE_CLUSTER 3 /* Linux's: 8 pages */
#define MAX_PAGE_CLUSTER 5
#define FIRST_HITS 4 /* as if the last read-ahead had been of some use */

int swap_create(struct quire_vm *vm)
{
    unsigned nr_cpus = quire_mem_nr_cpus(vm->mem);
    struct swap_state *swap = quire_kzalloc(
        vm->slab, sizeof *swap + (nr_cpus + 1) * sizeof swap->cpu[0], QUIRE_GFP_KERNEL);
    if (!swap)
        return -QUIRE_ENOMEM;
    swap->cluster_cache =
        quire_kmem_cache_create(vm->slab, "swap_cluster", sizeof(struct swap_cluster), 0, 0, NULL);
    if (!swap->cluster_cache) {
        quire_kfree(vm->slab, swap);
        return -QUIRE_ENOMEM;
    }
    list_init(&swap->order);
    swap->nr_cpus = nr_cpus;
    swap->lowest_priority = -1;
    swap->page_cluster = PAGE_CLUSTER;
    swap->hits = FIRST_HITS;
    vm->swap = swap;
    return 0;
}

void swap_destroy(struct quire_vm *vm)
{
    struct swap_state *swap = vm->swap;
    QUIRE_BUG_ON(swap->nr_areas);
    (void)quire_kmem_cache_destroy(swap->cluster_cache);
    quire_kfree(vm->slab, swap->bucket);
    quire_kfree(vm->slab, swap);
    vm->swap = NULL;
}

int quire_vm_set_page_cluster(struct quire_vm *vm, unsigned page_cluster)
{
    if (page_cluster > MAX_PAGE_CLUSTER)
        return -QUIRE_EINVAL;
    quire_store_relaxed(&vm->swap->page_cluster, page_cluster);
    return 0;
}

/* ---- swapon ---------------------------------------------------------------------------------- */

static int create_buckets(struct quire_vm *vm)
{
    struct swap_state *swap = vm->swap;
    unsigned long frames = quire_nr_managed_pages(vm->mem);
    unsigned bits = frames > 4u << MIN_BUCKET_BITS ? quire_order_of_pages(frames / 4) : 0;
    bits = bits < MIN_BUCKET_BITS ? MIN_BUCKET_BITS : bits > 20 ? 20 : bits;
    uint32_t *bucket;
    const quire_gfp_t gfp = QUIRE_GFP_KERNEL | QUIRE_GFP_NOWARN | QUIRE_GFP_NORETRY;
    while (!(bucket = quire_kmalloc(vm->slab, sizeof *bucket << bits, gfp)))
        if (--bits < MIN_BUCKET_BITS)
            return -QUIRE_ENOMEM;
    for (uint32_t i = 0; i < 1u << bits; i++)
        bucket[i] = NO_SLOT;
    quire_port_irq_t irq = swap_lock(swap);
    bool first = !swap->bucket;
    if (first) {
        swap->bucket = bucket;
        swap->bucket_bits = bits;
    }
    swap_unlock(swap, irq);
    if (!first)
        quire_kfree(vm->slab, bucket);
    return 0;
}

/* As many slots as there are numbers for. */
static uint32_t usable_slots(const struct quire_vm *vm, const struct quire_swap_config *config)
{
    bool wide = quire_pt_formats[vm->config.format].entry_bytes == 8;
    uint64_t most = ((wide ? UINT64_MAX : UINT32_MAX) >> ENTRY_OFFSET_SHIFT) + 1;
    most = most < MAX_SLOTS ? most : MAX_SLOTS;
    if (config->nr_slots <= most)
        return (uint32_t)config->nr_slots;
    quire_log(QUIRE_LOG_WARNING, "quire: swap area %s: %lu of %lu pages can be used",
              config->name ? config->name : "?", (unsigned long)most,
              (unsigned long)config->nr_slots);
    return (uint32_t)most;
}

static void free_area(struct quire_vm *vm, struct swap_area *area)
{
    slots_destroy(vm->swap, area);
    quire_kfree(vm->slab, area);
}

static struct swap_area *create_area(struct quire_vm *vm, const struct quire_swap_config *config)
{
    uint32_t nr_slots = usable_slots(vm, config);
    uint32_t nr_clusters = (nr_slots + CLUSTER_SLOTS - 1) >> CLUSTER_SHIFT;
    struct swap_area *area =
        quire_kzalloc(vm->slab, sizeof *area + nr_clusters * sizeof area->cluster[0],
                      QUIRE_GFP_KERNEL | QUIRE_GFP_NOWARN);
    if (!area)
        return NULL;
    area->ops = config->ops;
    area->store = config->store;
    area->is_file = config->is_file;
    area->priority = config->priority;
    area->nr_slots = nr_slots;
    area->nr_clusters = nr_clusters;
    if (config->name)
        (void)quire_snprintf(area->name, sizeof area->name, "%s", config->name);
    if (!slots_create(vm->swap, area))
        return area;
    free_area(vm, area);
    return NULL;
}

void swap_area_show(struct swap_state *swap, struct swap_area *area)
{
    struct list *after = swap->order.next;
    while (after != &swap->order &&
           quire_container_of(after, struct swap_area, link)->priority >= area->priority)
        after = after->next;
    list_add_tail(after, &area->link);
    area->going = false;
    quire_store_relaxed(&swap->total, swap->total + area->nr_slots - 1);
    quire_store_relaxed(&swap->used, swap->used + area->nr_used);
}

void swap_area_hide(struct swap_state *swap, struct swap_area *area)
{
    slots_disown(swap, area);
    list_del(&area->link);
    area->going = true;
    quire_store_relaxed(&swap->total, swap->total - (area->nr_slots - 1));
    quire_store_relaxed(&swap->used, swap->used - area->nr_used);
}

void swap_area_forget(struct quire_vm *vm, struct swap_area *area)
{
    quire_port_irq_t irq = swap_lock(vm->swap);
    vm->swap->area[area->number] = NULL;
    swap_unlock(vm->swap, irq);
    free_area(vm, area);
    irq = swap_lock(vm->swap);
    vm->swap->nr_areas--;
    swap_unlock(vm->swap, irq);
}

unsigned swap_nr_areas(struct quire_vm *vm)
{
    quire_port_irq_t irq = swap_lock(vm->swap);
    unsigned nr_areas = vm->swap->nr_areas;
    swap_unlock(vm->swap, irq);
    return nr_areas;
}

int quire_swapon(struct quire_vm *vm, const struct quire_swap_config *config)
{
    struct swap_state *swap = vm->swap;
    if (!config->ops || !config->ops->read || !config->ops->write || config->nr_slots < 2)
        return -QUIRE_EINVAL;
    if (!quire_load_acquire(&swap->bucket) && create_buckets(vm))
        return -QUIRE_ENOMEM;
    struct swap_area *area = create_area(vm, config);
    if (!area)
        return -QUIRE_ENOMEM;
    unsigned number = 0;
    quire_port_irq_t irq = swap_lock(swap);
    while (number < QUIRE_MAX_SWAP_AREAS && swap->area[number])
        number++;
    if (number < QUIRE_MAX_SWAP_AREAS) {
        area->number = number;
        swap->area[number] = area;
        swap->nr_areas++;
        if (area->priority < 0)
            area->priority = --swap->lowest_priority;
        swap_area_show(swap, area);
    }
    swap_unlock(swap, irq);
    if (number < QUIRE_MAX_SWAP_AREAS)
        return (int)number;
    free_area(vm, area);
    return -QUIRE_EPERM;
}

int quire_swap_info(struct quire_vm *vm, int number, struct quire_swap_info *info)
{
    int error = -QUIRE_ENOENT;
    quire_port_irq_t irq = swap_lock(vm->swap);
    const struct swap_area *area =
        number >= 0 && number < (int)QUIRE_MAX_SWAP_AREAS ? vm->swap->area[number] : NULL;
    if (area) {
        *info = (struct quire_swap_info){
            .is_file = area->is_file,
            .priority = area->priority,
            .nr_slots = area->nr_slots - 1,
            .nr_used = area->nr_used,
        };
        __builtin_memcpy(info->name, area->name, sizeof info->name);
        error = 0;
    }
    swap_unlock(vm->swap, irq);
    return error;
}
