/* kernel/i386/paging.c: the direct map of the first 896 MiB
 *
 * Large pages need no table but the directory, of PAE's four the last. The last page may go a
 * little beyond the end of memory; direct_end says where the direct map ends.
 */
#include "paging.h"

#include <quire/port.h>

#include "cpu.h"
#include "kernel.h"

extern pde_t boot_pd[4][ENTRIES];

bool paging_is_wide;
void *window_entries;

void paging_init(void)
{
    paging_is_wide = cpu_cr4() & CR4_PAE;
    window_entries = paging_is_wide
                         ? &boot_pd[WINDOWS_BASE >> 30][WINDOWS_BASE >> 21 & (ENTRIES - 1)]
                         : boot_pd[1];
}

static void set_large_page(uint32_t virt, uint64_t entry)
{
    if (paging_is_wide)
        boot_pd[virt >> 30][virt >> 21 & (ENTRIES - 1)] = entry;
    else
        ((uint32_t *)boot_pd)[virt >> 22] = (uint32_t)entry;
}

void direct_map_init(struct quire_memblock *memblock, struct quire_port_mem *pm)
{
    quire_phys_t end = quire_memblock_end(memblock);
    if (end > DIRECT_MAP_MAX)
        end = DIRECT_MAP_MAX;
    for (uint32_t phys = 0; phys < end; phys += 1u << LARGE_PAGE_SHIFT)
        set_large_page(DIRECT_MAP_BASE + phys, phys | PDE_LARGE_PAGE);
    for (uint32_t virt = 0; virt < BOOT_MAP_BYTES; virt += 1u << LARGE_PAGE_SHIFT)
        set_large_page(virt, 0);
    quire_port_tlb_flush_all(pm, NULL);
    pm->direct_end = end;
}
