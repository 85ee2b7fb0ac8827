/* kernel/pvh.c: reads hvm_start_info */
#include "pvh.h"

#include "kernel.h"
#include "window.h"

#define START_INFO_MAGIC 0x336ec578 /* "xEn3", the 3's top bit set */

/* Version 1; version 0 ends before memmap. */
struct start_info {
    uint32_t magic, version, flags, nr_modules;
    uint64_t modules, command_line, rsdp;
    uint64_t memmap;
    uint32_t nr_memmap, reserved;
};
_Static_assert(sizeof(struct start_info) == 56, "hvm_start_info has 56 bytes");
_Static_assert(sizeof(struct pvh_range) == 24, "hvm_memmap_table_entry has 24 bytes");

struct module {
    uint64_t base, size, command_line, reserved;
};

static void read_command_line(struct pvh_info *info, quire_phys_t phys)
{
    unsigned length = 0;
    while (phys && length < PVH_MAX_COMMAND_LINE - 1 &&
           phys_read(phys + length, &info->command_line[length], 1) && info->command_line[length])
        length++;
    info->command_line[length] = '\0';
}

static void read_map(struct pvh_info *info, const struct start_info *start)
{
    info->nr_ranges_given = start->nr_memmap;
    info->nr_ranges = start->nr_memmap < PVH_MAX_RANGES ? start->nr_memmap : PVH_MAX_RANGES;
    if (!info->nr_ranges ||
        !phys_read(start->memmap, info->range, info->nr_ranges * sizeof info->range[0]))
        panic("pvh: the loader gave no memory map");
}

void pvh_parse(struct pvh_info *info, quire_phys_t phys)
{
    struct start_info start;
    if (!phys_read(phys, &start, sizeof start) || start.magic != START_INFO_MAGIC)
        panic("pvh: no hvm_start_info at 0x%llx", (unsigned long long)phys);
    if (start.version < 1)
        panic("pvh: hvm_start_info of version %u has no memory map", start.version);
    read_map(info, &start);
    read_command_line(info, start.command_line);
    struct module module;
    info->initrd = info->initrd_size = 0;
    if (start.nr_modules && phys_read(start.modules, &module, sizeof module)) {
        info->initrd = module.base;
        info->initrd_size = module.size;
    }
    info->rsdp = start.rsdp;
}

const char *pvh_range_name(uint32_t type)
{
    switch (type) {
    case PVH_RAM:
        return "usable";
    case PVH_RESERVED:
        return "reserved";
    case PVH_ACPI:
        return "ACPI tables";
    case PVH_ACPI_NVS:
        return "ACPI non-volatile";
    case PVH_UNUSABLE:
        return "unusable";
    default:
        return "of unknown type";
    }
}
