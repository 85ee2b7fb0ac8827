/* kernel/window.c: windows on physical memory, at the top of the address space
 *
 * A window is one entry, of a directory or of a table that is there for nothing else (paging.h).
 * The first two are kmap_local's, taken and given back like a stack;
 * the third serves phys_read alone, which reads firmware tables before there is a direct map of
 * them and on i386 where there will never be one.
 *
 * These are the port's, below phys and there before it. Those of quire/windows.h stand on phys, so
 * they can't serve it: they are for the kernel's own use of HighMem.
 */
#include "window.h"

#include <quire/port.h>

#include "kernel.h"
#include "paging.h"

#define NR_LOCAL_WINDOWS 2
#define READ_WINDOW 2
#define WINDOW_BYTES ((quire_phys_t)1 << WINDOW_SHIFT)

static unsigned nr_open;

static uintptr_t window_address(unsigned window)
{
    return (uintptr_t)WINDOWS_BASE + ((uintptr_t)window << WINDOW_SHIFT);
}

/* In halves, for 32 bits: never present with the wrong half of an address. */
static void set_window(unsigned window, pde_t entry)
{
    volatile uint32_t *half = (volatile uint32_t *)window_entries + (window << paging_is_wide);
    half[0] = 0;
    if (paging_is_wide)
        half[1] = (uint32_t)(entry >> 32);
    half[0] = (uint32_t)entry;
    quire_port_tlb_flush_page(NULL, NULL, window_address(window));
}

static void *open_window(unsigned window, quire_phys_t phys)
{
    const pde_t rights = PDE_PRESENT | PDE_WRITE | (paging_is_wide ? PDE_LARGE : 0);
    set_window(window, (pde_t)(phys & ~(WINDOW_BYTES - 1)) | rights);
    return (char *)window_address(window) + (size_t)(phys & (WINDOW_BYTES - 1));
}

bool phys_read(quire_phys_t phys, void *to, size_t size)
{
    char *out = to;
    while (size) {
        if (phys >= paging_phys_end())
            return false;
        size_t piece = (size_t)(WINDOW_BYTES - (phys & (WINDOW_BYTES - 1)));
        if (piece > size)
            piece = size;
        memcpy(out, open_window(READ_WINDOW, phys), piece);
        set_window(READ_WINDOW, 0);
        out += piece;
        phys += piece;
        size -= piece;
    }
    return true;
}

void *quire_x86_kmap_local(uint64_t phys)
{
    if (nr_open == NR_LOCAL_WINDOWS || phys >= paging_phys_end())
        panic("kmap_local of 0x%llx with %u windows open", (unsigned long long)phys, nr_open);
    return open_window(nr_open++, phys);
}

void quire_x86_kunmap_local(void *virt)
{
    if (!nr_open ||
        ((uintptr_t)virt & ~(uintptr_t)(WINDOW_BYTES - 1)) != window_address(nr_open - 1))
        panic("kunmap_local of %p, which isn't the window opened last", virt);
    set_window(--nr_open, 0);
}
