/* kernel/pvh.h: what the loader hands over
 *
 * The PVH boot protocol (Xen's docs/misc/pvh.pandoc): the loader finds the entry in an ELF note,
 * enters in flat 32-bit mode without paging, and EBX holds the physical address of
 * hvm_start_info. The structures are the same for 32- and 64-bit kernels.
 */
#ifndef KERNEL_PVH_H
#define KERNEL_PVH_H

#include <quire/types.h>

#define PVH_MAX_RANGES 128
#define PVH_MAX_COMMAND_LINE 1024

/* Kinds of range, as in the firmware's E820 map. */
enum pvh_range_type {
    PVH_RAM = 1,
    PVH_RESERVED = 2,
    PVH_ACPI = 3,
    PVH_ACPI_NVS = 4,
    PVH_UNUSABLE = 5,
};

struct pvh_range {
    uint64_t base, size;
    uint32_t type, reserved;
};

/* A copy, so that the memory of the original can be used. */
struct pvh_info {
    struct pvh_range range[PVH_MAX_RANGES];
    unsigned nr_ranges;
    uint32_t nr_ranges_given; /* more than nr_ranges: the rest didn't fit and is ignored */
    char command_line[PVH_MAX_COMMAND_LINE];
    quire_phys_t initrd, initrd_size; /* size 0: none */
    quire_phys_t rsdp;                /* 0: none */
};

/* Panics when there is no start_info with a memory map at `start_info`. */
void pvh_parse(struct pvh_info *info, quire_phys_t start_info);

const char *pvh_range_name(uint32_t type);

#endif
