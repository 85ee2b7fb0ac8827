/* kernel/memory.c: from the firmware's map to zones
 *
 * The map's usable ranges go into a memblock, cut where the node changes. Then the frames that are
 * in use already are reserved, the direct map is completed, and phys takes over.
 */
#include "memory.h"

#include "base/text.h"
#include "kernel.h"
#include "paging.h"
#include "tables.h"
#include "task/fail_nth.h"
#include "task/lifecycle.h"
#include "task/sched.h"

/* Of less memory a share is kept free: as much as Linux keeps of more would be a tenth of it. */
#define SMALL_KBYTES 16384u
#define SMALL_SHARE 64u
/* Of fewer pages slabs are smaller: single pages, and twice as many for each order more. */
#define PAGES_OF_ORDER_1 512u
#define MAX_ORDER_LIMIT 4u

struct quire_mem *machine_mem;
struct quire_slab *machine_slab;
struct quire_vmalloc *machine_vmalloc;
struct quire_vm *machine_vm;
struct quire_port_mem machine_port = {(char *)DIRECT_MAP_BASE, BOOT_MAP_BYTES, true};

static struct quire_memblock memblock;

const char *memory_zone_name(enum quire_zone_type type)
{
    static const char *const name[QUIRE_NR_ZONES] = {"DMA", "DMA32", "Normal", "HighMem",
                                                     "Movable"};
    return name[type];
}

/* Usable bytes beyond what page tables of this kind reach, cut off. */
static quire_phys_t end_in_reach(const struct pvh_range *range, quire_phys_t *lost)
{
    quire_phys_t end = range->base + range->size;
    if (end <= paging_phys_end())
        return end;
    *lost += end - (range->base > paging_phys_end() ? range->base : paging_phys_end());
    return paging_phys_end();
}

static void add_ram(const struct pvh_info *info, const struct numa *numa)
{
    quire_phys_t lost = 0;
    for (unsigned i = 0; i < info->nr_ranges; i++) {
        const struct pvh_range *range = &info->range[i];
        if (range->type != PVH_RAM || range->base + range->size < range->base)
            continue;
        quire_phys_t range_end = end_in_reach(range, &lost);
        for (quire_phys_t base = range->base, end; base < range_end; base = end) {
            bool hotplug;
            end = range_end;
            int node = numa_node_of(numa, base, &end, &hotplug);
            /* What is refused has been logged, and the machine goes on without it. */
            if (quire_memblock_add(&memblock, base, end - base, node,
                                   hotplug ? QUIRE_MEMBLOCK_HOTPLUG : QUIRE_MEMBLOCK_RAM))
                continue;
        }
    }
    if (lost)
        print("memory: %llu MiB beyond 0x%llx can't be reached with this page table format, and "
              "are ignored\n",
              (unsigned long long)(lost >> 20), (unsigned long long)paging_phys_end());
}

/* A firmware may call a range usable and reserved: then it isn't usable. */
static void remove_reserved(const struct pvh_info *info)
{
    for (unsigned i = 0; i < info->nr_ranges; i++) {
        const struct pvh_range *range = &info->range[i];
        quire_phys_t end = range->base + range->size;
        if (range->type == PVH_RAM || end <= range->base || range->base >= paging_phys_end())
            continue;
        if (end > paging_phys_end())
            end = paging_phys_end();
        if (quire_memblock_remove(&memblock, range->base, end - range->base))
            panic("memory: a reserved range can't be taken out of the map");
    }
}

static void reserve(const char *what, quire_phys_t base, quire_phys_t size)
{
    if (size && quire_memblock_reserve(&memblock, base, size))
        panic("memory: can't reserve the %s at 0x%llx", what, (unsigned long long)base);
}

/* Who finds no memory tries again: those who have some to give back come first. */
static void let_others_run(void *arg)
{
    (void)arg;
    sched_let_others_run();
}

void memory_init(const struct pvh_info *info, const struct numa *numa)
{
    quire_memblock_init(&memblock, "map", &machine_port);
    /* Before there is memory: the map's tables grow into what is free. The first frame has the
     * BIOS's vectors and data: whoever debugs a stray write to address 0 wants them kept. */
    reserve("first frame", 0, QUIRE_PAGE_SIZE);
    reserve("kernel", (uintptr_t)image_start - KERNEL_OFFSET,
            (quire_phys_t)(image_end - image_start));
    reserve("initial RAM disk", info->initrd, info->initrd_size);
    add_ram(info, numa);
    remove_reserved(info);
    direct_map_init(&memblock, &machine_port);

    struct quire_mem *mem;
    const uint64_t kbytes = quire_memblock_memory_size(&memblock) >> 10;
    static const struct quire_mem_ops ops = {.wait = let_others_run, .refuse = fail_nth_pages};
    struct quire_mem_config config = {
        .port = &machine_port,
        .ops = &ops,
        .nr_cpus = 1,
        /* Most machines are small, and what would be kept free for large blocks is what their
         * programs lack; the others have enough of them without it. */
        .watermark_boost_factor = ~0u,
        .cpu_node = &numa->boot_node,
        .distance = numa->has_distance ? numa->distance : NULL,
        .nr_nodes = numa->nr_nodes,
        .zone_end = QUIRE_PORT_ZONE_ENDS,
        .min_free_kbytes = kbytes < SMALL_KBYTES ? (unsigned long)kbytes / SMALL_SHARE : 0,
        .debug = fail_nth_is_there ? QUIRE_DEBUG_FAIL : 0,
    };
    int error = quire_mem_init(&mem, &memblock, &config);
    if (error)
        panic("memory: quire_mem_init failed with error %d", -error);
    machine_mem = mem;
    tables_init();
}

void memory_free_boot_stack(void)
{
    boot_stack_bottom = boot_stack_top;
    int error = quire_free_reserved(machine_mem, (uintptr_t)boot_stack - KERNEL_OFFSET,
                                    (quire_phys_t)(boot_stack_bottom - boot_stack));
    if (error)
        panic("memory: the first stack can't be freed: %d", error);
}

static unsigned slab_order_limit(void)
{
    unsigned long pages = quire_nr_managed_pages(machine_mem);
    unsigned limit = 1;
    while (limit < MAX_ORDER_LIMIT && pages >> (limit - 1) >= PAGES_OF_ORDER_1)
        limit++;
    return limit;
}

void memory_init_programs(void)
{
    struct quire_slab_config slab = {.order_limit = slab_order_limit()};
    if (fail_nth_is_there) {
        /* Caches that are debugged have no stores of objects: each allocation is asked about. */
        slab.debug = "F";
        slab.fail = fail_nth_object;
        slab.fail_objects = true;
    }
    int error = quire_slab_init(&machine_slab, machine_mem, &slab);
    if (!error)
        error = quire_vmalloc_init(&machine_vmalloc,
                                   &(struct quire_vmalloc_config){.mem = machine_mem,
                                                                  .slab = machine_slab,
                                                                  .pt = &machine_tables,
                                                                  .start = VMALLOC_START,
                                                                  .end = VMALLOC_END});
    if (!error)
        error =
            quire_vm_init(&machine_vm, &(struct quire_vm_config){.mem = machine_mem,
                                                                 .slab = machine_slab,
                                                                 .format = PAGE_TABLE_FORMAT,
                                                                 .features = machine_features,
                                                                 .kernel_tables = &machine_tables});
    if (error)
        panic("memory: programs can't be given any: error %d", -error);
}

static void print_nodes(const struct numa *numa)
{
    for (unsigned from = 0; from < numa->nr_nodes; from++) {
        print("node %u: domain %u, distances", from, numa->domain[from]);
        for (unsigned to = 0; to < numa->nr_nodes; to++)
            print(" %u", numa->has_distance ? numa->distance[from * numa->nr_nodes + to]
                         : from == to       ? 10u
                                            : 20u);
        print("%s\n", from == numa->boot_node ? ", the CPU's" : "");
    }
}

void memory_print_zones(const struct numa *numa)
{
    struct quire_zone_info zone;
    print_nodes(numa);
    for (unsigned i = 0; !quire_zone_info(machine_mem, i, &zone); i++)
        if (zone.present)
            print("node %d, zone %-7s from 0x%09llx: %8lu pages, %8lu managed, %8lu free\n",
                  zone.node, memory_zone_name(zone.type),
                  (unsigned long long)quire_pfn_to_phys(zone.start), zone.present, zone.managed,
                  zone.nr_free);
    unsigned long managed = quire_nr_managed_pages(machine_mem);
    unsigned long metadata = (unsigned long)quire_metadata_size(machine_mem);
    print("memory: %lu pages managed, %lu free, %lu KiB of metadata\n", managed,
          quire_nr_free_pages(machine_mem), metadata >> 10);
}

void memory_print_views(void)
{
    static const struct {
        enum quire_view view;
        const char *name;
    } views[] = {
        {QUIRE_VIEW_BUDDYINFO, "buddyinfo"},   {QUIRE_VIEW_PAGETYPEINFO, "pagetypeinfo"},
        {QUIRE_VIEW_ZONEINFO, "zoneinfo"},     {QUIRE_VIEW_VMSTAT, "vmstat"},
        {QUIRE_VIEW_EXTFRAG, "extfrag_index"}, {QUIRE_VIEW_UNUSABLE, "unusable_index"},
    };
    for (unsigned i = 0; machine_mem && i < sizeof views / sizeof views[0]; i++) {
        print("\n---- %s\n", views[i].name);
        quire_view(machine_mem, views[i].view, QUIRE_FORMAT_TEXT, console_write, NULL);
    }
}
