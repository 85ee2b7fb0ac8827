/* kernel/window.h: windows on physical memory, whether directly mapped or not */
#ifndef KERNEL_WINDOW_H
#define KERNEL_WINDOW_H

#include <quire/types.h>

/* Copies physical memory. False: some of it is beyond what this machine's page tables reach. */
QUIRE_MUST_CHECK bool phys_read(quire_phys_t phys, void *to, size_t size);

#endif
