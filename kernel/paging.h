/* kernel/paging.h: the kernel's own page tables, made by boot.S and completed by paging.c of each
 * architecture
 */
#ifndef KERNEL_PAGING_H
#define KERNEL_PAGING_H

#include <quire/phys.h>

#include "arch.h"

#define PDE_PRESENT 0x01
#define PDE_WRITE 0x02
#define PDE_LARGE 0x80
#define PDE_LARGE_PAGE (PDE_PRESENT | PDE_WRITE | PDE_LARGE)

/* Of all tables, on both architectures. */
typedef uint64_t pde_t;
#define ENTRIES 512
#define LARGE_PAGE_SHIFT 21

/* The page directory entries of the windows at WINDOWS_BASE, in the tables that are loaded. */
extern pde_t *window_entries;

/* Maps all memory of the map that the direct map can reach, with table pages from the map itself,
 * takes the low identity map of the boot away, and sets pm->direct_end. */
void direct_map_init(struct quire_memblock *memblock, struct quire_port_mem *pm);

#endif
