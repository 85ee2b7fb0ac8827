/* kernel/memory.h: the machine's own memory, managed by Quire */
#ifndef KERNEL_MEMORY_H
#define KERNEL_MEMORY_H

#include <quire/phys.h>
#include <quire/port.h>

#include "numa.h"
#include "pvh.h"

extern struct quire_mem *machine_mem; /* NULL before memory_init is done */
extern struct quire_port_mem machine_port;

/* From the firmware's map to zones. Panics when there isn't memory enough. */
void memory_init(const struct pvh_info *info, const struct numa *numa);

/* Nodes and zones in a few lines. */
void memory_print_zones(const struct numa *numa);

/* As Linux writes it. */
const char *memory_zone_name(enum quire_zone_type type);

/* All views as text; nothing before memory_init. */
void memory_print_views(void);

#endif
