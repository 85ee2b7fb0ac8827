/* kernel/x86-64/paging.c: the direct map of all memory
 *
 * boot.S has mapped the first GiB. What lies above is mapped by ranges, in pages of 2 MiB; a range
 * is rounded outwards to them. Table pages come from the memblock, below what is mapped already:
 * the map grows upwards, and direct_end with it.
 */
#include "paging.h"

#include <quire/port.h>

#include "base/bits.h"
#include "kernel.h"

#define LARGE_PAGE_BYTES (1ull << LARGE_PAGE_SHIFT)
#define ENTRY_ADDRESS 0x000ffffffffff000ull

extern pde_t pml4[ENTRIES], window_pd[ENTRIES];

void *window_entries = &window_pd[(WINDOWS_BASE >> LARGE_PAGE_SHIFT) & (ENTRIES - 1)];

void paging_init(void)
{
}

struct direct_map {
    struct quire_memblock *memblock;
    struct quire_port_mem *pm;
    quire_phys_t mapped; /* up to here */
};

/* The table that `entry` points to, made when there is none. */
static pde_t *next_table(struct direct_map *map, pde_t *entry)
{
    if (!(*entry & PDE_PRESENT)) {
        quire_phys_t table = quire_memblock_alloc(map->memblock, QUIRE_PAGE_SIZE, QUIRE_PAGE_SIZE,
                                                  0, map->pm->direct_end, -1);
        if (!table)
            panic("direct map: no memory for a page table");
        *entry = table | PDE_PRESENT | PDE_WRITE;
    }
    return quire_port_phys_to_virt(map->pm, *entry & ENTRY_ADDRESS);
}

static void map_large_page(struct direct_map *map, quire_phys_t phys)
{
    uintptr_t virt = DIRECT_MAP_BASE + phys;
    pde_t *pdpt = next_table(map, &pml4[virt >> 39 & (ENTRIES - 1)]);
    pde_t *pd = next_table(map, &pdpt[virt >> 30 & (ENTRIES - 1)]);
    pd[virt >> LARGE_PAGE_SHIFT & (ENTRIES - 1)] = phys | PDE_LARGE_PAGE;
}

static void map_range(struct direct_map *map, quire_phys_t base, quire_phys_t end)
{
    if (end > DIRECT_MAP_MAX)
        end = DIRECT_MAP_MAX;
    base = quire_align_down(base, LARGE_PAGE_BYTES);
    if (base < map->mapped)
        base = map->mapped;
    for (; base < end; base += LARGE_PAGE_BYTES) {
        map_large_page(map, base);
        map->mapped = base + LARGE_PAGE_BYTES;
        map->pm->direct_end = map->mapped;
    }
}

void direct_map_init(struct quire_memblock *memblock, struct quire_port_mem *pm)
{
    struct direct_map map = {memblock, pm, BOOT_MAP_BYTES};
    for (unsigned long i = 0; i < memblock->memory.count; i++) {
        struct quire_memblock_region region = memblock->memory.region[i];
        map_range(&map, region.base, region.base + region.size);
    }
    pml4[0] = 0;
    quire_port_tlb_flush_all(pm, NULL);
}
