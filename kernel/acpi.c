/* kernel/acpi.c: RSDP, then RSDT or XSDT, then the table (ACPI 6.5, 5.2.5 to 5.2.8)
 *
 * The tables lie anywhere in physical memory, on i386 also beyond the direct map, so they are read
 * through phys_read. Nothing in them is trusted: a length is bounded before it is used, and the
 * bytes must sum to 0.
 */
#include "acpi.h"

#include <quire/port.h>

#include "base/text.h"
#include "kernel.h"
#include "window.h"

#define MAX_TABLE_BYTES (1u << 20)
#define RSDP_V1_BYTES 20
#define RSDP_V2_BYTES 36

struct __attribute__((packed)) rsdp {
    char signature[8];
    uint8_t checksum;
    char oem_id[6];
    uint8_t revision;
    uint32_t rsdt;
    uint32_t length; /* from here on: revision 2 */
    uint64_t xsdt;
    uint8_t extended_checksum, reserved[3];
};
_Static_assert(sizeof(struct rsdp) == RSDP_V2_BYTES, "an RSDP has 36 bytes");
_Static_assert(sizeof(struct acpi_header) == 36, "a table header has 36 bytes");

static bool sums_to_zero(quire_phys_t phys, uint32_t length)
{
    uint8_t sum = 0, piece[64];
    while (length) {
        uint32_t size = length < sizeof piece ? length : (uint32_t)sizeof piece;
        if (!phys_read(phys, piece, size))
            return false;
        for (uint32_t i = 0; i < size; i++)
            sum = (uint8_t)(sum + piece[i]);
        phys += size;
        length -= size;
    }
    return sum == 0;
}

/* Reads and checks the header of the table at `phys`. */
static bool check_table(quire_phys_t phys, struct acpi_header *header)
{
    if (!phys_read(phys, header, sizeof *header)) {
        quire_log(QUIRE_LOG_WARNING, "acpi: table at 0x%llx is out of reach",
                  (unsigned long long)phys);
        return false;
    }
    if (header->length < sizeof *header || header->length > MAX_TABLE_BYTES) {
        quire_log(QUIRE_LOG_WARNING, "acpi: %.4s at 0x%llx: length %u is out of range",
                  header->signature, (unsigned long long)phys, header->length);
        return false;
    }
    if (!sums_to_zero(phys, header->length)) {
        quire_log(QUIRE_LOG_WARNING, "acpi: %.4s at 0x%llx: wrong checksum", header->signature,
                  (unsigned long long)phys);
        return false;
    }
    return true;
}

/* The root table's address, and how many bytes an entry of it has. */
static quire_phys_t find_root(quire_phys_t phys, unsigned *entry_bytes)
{
    struct rsdp rsdp;
    if (!phys || !phys_read(phys, &rsdp, RSDP_V1_BYTES) ||
        memcmp(rsdp.signature, "RSD PTR ", sizeof rsdp.signature) ||
        !sums_to_zero(phys, RSDP_V1_BYTES))
        return 0;
    *entry_bytes = 4;
    if (rsdp.revision < 2)
        return rsdp.rsdt;
    if (!phys_read(phys, &rsdp, sizeof rsdp) || rsdp.length < RSDP_V2_BYTES ||
        rsdp.length > MAX_TABLE_BYTES || !sums_to_zero(phys, rsdp.length) || !rsdp.xsdt)
        return rsdp.rsdt;
    *entry_bytes = 8;
    return rsdp.xsdt;
}

bool acpi_find(quire_phys_t rsdp, const char *signature, struct acpi_table *table)
{
    unsigned entry_bytes = 0;
    struct acpi_header header;
    quire_phys_t root = find_root(rsdp, &entry_bytes);
    if (!root || !check_table(root, &header) ||
        memcmp(header.signature, entry_bytes == 8 ? "XSDT" : "RSDT", sizeof header.signature))
        return false;
    uint32_t end = header.length;
    for (uint32_t at = sizeof header; at + entry_bytes <= end; at += entry_bytes) {
        uint64_t phys = 0;
        if (!phys_read(root + at, &phys, entry_bytes) || !phys ||
            !phys_read(phys, header.signature, sizeof header.signature) ||
            memcmp(header.signature, signature, sizeof header.signature) ||
            !check_table(phys, &header))
            continue;
        table->phys = phys;
        table->length = header.length;
        return true;
    }
    return false;
}
