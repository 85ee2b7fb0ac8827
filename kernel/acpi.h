/* kernel/acpi.h: finding the firmware's tables */
#ifndef KERNEL_ACPI_H
#define KERNEL_ACPI_H

#include <quire/types.h>

struct acpi_table {
    quire_phys_t phys;
    uint32_t length; /* with the header */
};

/* The tables' common header. */
struct __attribute__((packed)) acpi_header {
    char signature[4];
    uint32_t length;
    uint8_t revision, checksum;
    char oem_id[6], oem_table_id[8];
    uint32_t oem_revision, creator_id, creator_revision;
};

/* Finds the table with this signature from the RSDP on. Lengths and checksums on the way must be
 * right: a table that isn't is reported and passed over. */
QUIRE_MUST_CHECK bool acpi_find(quire_phys_t rsdp, const char *signature, struct acpi_table *table);

#endif
