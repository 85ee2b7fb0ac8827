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

/* Entries have 8 bytes, but for i386's tables of two levels, which have 4: boot.S decides. */
#if defined(__x86_64__)
#define paging_is_wide true
#define PAGE_TABLE_FORMAT QUIRE_PT_FORMAT_X86_64
#else
extern bool paging_is_wide;
#define PAGE_TABLE_FORMAT (paging_is_wide ? QUIRE_PT_FORMAT_PAE : QUIRE_PT_FORMAT_I386)
#endif
typedef uint64_t pde_t; /* a wide one */
#define ENTRIES 512
#define LARGE_PAGE_SHIFT (paging_is_wide ? 21u : 22u)

/* Memory beyond can't be mapped. */
static inline quire_phys_t paging_phys_end(void)
{
    return paging_is_wide ? PHYS_END : (quire_phys_t)1 << 32;
}

/* A window is what one entry maps: a large page where entries of a directory that all programs
 * share are free for it, a small one where programs have copies of the directory. */
#define WINDOW_SHIFT (paging_is_wide ? LARGE_PAGE_SHIFT : (unsigned)QUIRE_PAGE_SHIFT)

/* The entries of the windows at WINDOWS_BASE, in the tables that are loaded. */
extern void *window_entries;

/* First of all: what boot.S chose. */
void paging_init(void);

/* Maps all memory of the map that the direct map can reach, with table pages from the map itself,
 * takes the low identity map of the boot away, and sets pm->direct_end. */
void direct_map_init(struct quire_memblock *memblock, struct quire_port_mem *pm);

#endif
