/* kernel/i386/paging.c: the direct map of the first 896 MiB
 *
 * Pages of 4 MiB need no table but the directory. The last page may go a little beyond the end of
 * memory; direct_end says where the direct map ends.
 */
#include "paging.h"

#include <quire/port.h>

#include "kernel.h"

#define LARGE_PAGE_SHIFT 22

extern pde_t page_directory[1024];

pde_t *const window_entries = &page_directory[WINDOWS_BASE >> LARGE_PAGE_SHIFT];

void direct_map_init(struct quire_memblock *memblock, struct quire_port_mem *pm)
{
    quire_phys_t end = quire_memblock_end(memblock);
    if (end > DIRECT_MAP_MAX)
        end = DIRECT_MAP_MAX;
    for (uint32_t phys = 0; phys < end; phys += 1u << LARGE_PAGE_SHIFT)
        page_directory[(DIRECT_MAP_BASE + phys) >> LARGE_PAGE_SHIFT] = phys | PDE_LARGE_PAGE;
    memset(page_directory, 0, (BOOT_MAP_BYTES >> LARGE_PAGE_SHIFT) * sizeof page_directory[0]);
    quire_port_tlb_flush_all(pm, NULL);
    pm->direct_end = end;
}
