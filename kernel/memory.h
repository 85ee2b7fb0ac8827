/* kernel/memory.h: the machine's own memory, managed by Quire */
#ifndef KERNEL_MEMORY_H
#define KERNEL_MEMORY_H

#include <quire/phys.h>
#include <quire/port.h>
#include <quire/slab.h>
#include <quire/swap.h>
#include <quire/vm.h>
#include <quire/vmalloc.h>

#include "numa.h"
#include "pvh.h"

extern struct quire_mem *machine_mem; /* NULL before memory_init is done */
extern struct quire_port_mem machine_port;
/* What programs and the kernel's own structures live on: after memory_init_programs. */
extern struct quire_slab *machine_slab;
extern struct quire_vmalloc *machine_vmalloc;
extern struct quire_vm *machine_vm;
extern struct quire_pgtable machine_tables; /* the kernel's; every program's share its upper part */
extern struct quire_pt_features machine_features;

/* Pages that all swap areas have room for, and that they don't hold yet. */
struct memory_swap {
    unsigned long total, free;
};

static inline struct memory_swap memory_swap(void)
{
    struct memory_swap swap = {0, 0};
    struct quire_swap_info info;
    for (int area = 0; area < (int)QUIRE_MAX_SWAP_AREAS; area++) {
        if (quire_swap_info(machine_vm, area, &info))
            continue;
        swap.total += (unsigned long)info.nr_slots;
        swap.free += (unsigned long)(info.nr_slots - info.nr_used);
    }
    return swap;
}

/* From the firmware's map to zones. Panics when there isn't memory enough. */
void memory_init(const struct pvh_info *info, const struct numa *numa);

/* Small objects, vmalloc, programs' memory. */
void memory_init_programs(void);

/* The first stack, which nobody is on any more, is given to the allocator. */
void memory_free_boot_stack(void);

/* Nodes and zones in a few lines. */
void memory_print_zones(const struct numa *numa);

/* As Linux writes it. */
const char *memory_zone_name(enum quire_zone_type type);

/* All views as text; nothing before memory_init. */
void memory_print_views(void);

#endif
