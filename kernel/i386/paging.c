/* kernel/i386/paging.c: the direct map of the first 896 MiB
 *
 * Pages of 2 MiB need no table but the last of the four directories. The last page may go a little
 * beyond the end of memory; direct_end says where the direct map ends.
 */
#include "paging.h"

#include <quire/port.h>

#include "kernel.h"

extern pde_t boot_pd[4][ENTRIES];

pde_t *window_entries =
    &boot_pd[WINDOWS_BASE >> 30][WINDOWS_BASE >> LARGE_PAGE_SHIFT &(ENTRIES - 1)];

void direct_map_init(struct quire_memblock *memblock, struct quire_port_mem *pm)
{
    quire_phys_t end = quire_memblock_end(memblock);
    if (end > DIRECT_MAP_MAX)
        end = DIRECT_MAP_MAX;
    for (uint32_t phys = 0; phys < end; phys += 1u << LARGE_PAGE_SHIFT)
        boot_pd[DIRECT_MAP_BASE >> 30][phys >> LARGE_PAGE_SHIFT] = phys | PDE_LARGE_PAGE;
    memset(boot_pd[0], 0, (BOOT_MAP_BYTES >> LARGE_PAGE_SHIFT) * sizeof boot_pd[0][0]);
    quire_port_tlb_flush_all(pm, NULL);
    pm->direct_end = end;
}
