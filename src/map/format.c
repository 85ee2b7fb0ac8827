/* map/format.c: the formats of x86 page tables, as data
 *
 * Bit by bit from SDM 3A chapter 4: tables 4-4 to 4-6 (32-bit paging), 4-8 to 4-11 (PAE), 4-14 to
 * 4-20 (4-level and 5-level paging), and the lists of reserved bits in 4.3, 4.4.2 and 4.5.4.
 * Reserved bits that depend on the processor are added by quire_pt_reserved:
 *
 *   MAXPHYADDR = M   address bits 51:M of every 64-bit entry; of a 4 MiB page's entry in 32-bit
 *                    paging 21:(min(M, 40) - 19), which is 21:13 without PSE-36
 *   NXE = 0          bit 63 of every 64-bit entry
 *   no 1 GiB pages   PS in an entry of a page-directory-pointer table
 */
#include <quire/paging.h>

#include "base/bits.h"
#include "base/compiler.h"

#define BIT(n) ((uint64_t)1 << (n))
/* Bits `high` to `low`, as the manual writes them. */
#define BITS(high, low) ((BIT((high) - (low)) * 2 - 1) << (low))

#define I386_LEVELS(pse)                                                                           \
    {                                                                                              \
        [QUIRE_PT] = {12, 10, true, 0, 0}, [QUIRE_PMD] = {22, 0, pse, 0, (pse) ? BIT(21) : 0},     \
        [QUIRE_PUD] = {22, 0, false, 0, 0}, [QUIRE_P4D] = {22, 0, false, 0, 0},                    \
        [QUIRE_PGD] = {22, 10, false, 0, 0},                                                       \
    }

/* Bits 62:52 are reserved by PAE and ignored by the modes of 64 bits. A PAE root entry, a PDPTE,
 * has neither rights nor A: bits 2:1 and 8:5 are reserved, and 63 whatever NXE says. */
const struct quire_pt_format
    quire_pt_formats[QUIRE_NR_PT_FORMATS] =
        {
            [QUIRE_PT_FORMAT_I386] =
                {
                    .name = "i386",
                    .entry_bytes = 4,
                    .virt_bits = 32,
                    .address_mask = BITS(31, 12),
                    .pse36 = BITS(20, 13),
                    .level = I386_LEVELS(true),
                },
            [QUIRE_PT_FORMAT_I386_4K] =
                {
                    .name = "i386-4k",
                    .entry_bytes = 4,
                    .virt_bits = 32,
                    .address_mask = BITS(31, 12),
                    .level = I386_LEVELS(false),
                },
            [QUIRE_PT_FORMAT_PAE] =
                {
                    .name = "pae",
                    .entry_bytes = 8,
                    .virt_bits = 32,
                    .address_mask = BITS(51, 12),
                    .nx = BIT(63),
                    .level =
                        {
                            [QUIRE_PT] = {12, 9, true, 0, BITS(62, 52)},
                            [QUIRE_PMD] = {21, 9, true, BITS(62, 52), BITS(62, 52) | BITS(20, 13)},
                            [QUIRE_PUD] = {30, 0, false, BITS(63, 52) | BITS(8, 5) | BITS(2, 1), 0},
                            [QUIRE_P4D] = {30, 0, false, 0, 0},
                            [QUIRE_PGD] = {30, 2, false, 0, 0},
                        },
                },
            [QUIRE_PT_FORMAT_X86_64] =
                {
                    .name = "x86-64",
                    .entry_bytes = 8,
                    .virt_bits = 48,
                    .address_mask = BITS(51, 12),
                    .nx = BIT(63),
                    .level =
                        {
                            [QUIRE_PT] = {12, 9, true, 0, 0},
                            [QUIRE_PMD] = {21, 9, true, 0, BITS(20, 13)},
                            [QUIRE_PUD] = {30, 9, true, 0, BITS(29, 13)},
                            [QUIRE_P4D] = {39, 0, false, BIT(7), 0},
                            [QUIRE_PGD] = {39, 9, false, 0, 0},
                        },
                },
            [QUIRE_PT_FORMAT_LA57] =
                {
                    .name = "la57",
                    .entry_bytes = 8,
                    .virt_bits = 57,
                    .address_mask = BITS(51, 12),
                    .nx = BIT(63),
                    .level =
                        {
                            [QUIRE_PT] = {12, 9, true, 0, 0},
                            [QUIRE_PMD] = {21, 9, true, 0, BITS(20, 13)},
                            [QUIRE_PUD] = {30, 9, true, 0, BITS(29, 13)},
                            [QUIRE_P4D] = {39, 9, false, BIT(7), 0},
                            [QUIRE_PGD] = {48, 9, false, BIT(7), 0},
                        },
                },
};

_Static_assert(BITS(20, 13) == 0x1fe000 && BITS(51, 12) == 0x000ffffffffff000,
               "bits as the manual writes them");

bool quire_pt_may_be_leaf(const struct quire_pt_format *format,
                          const struct quire_pt_features *features, enum quire_pt_level level)
{
    return format->level[level].may_be_leaf && !(level == QUIRE_PUD && features->no_1gib);
}

/* 64-bit entries only: those of 32 bits have no bits beyond any MAXPHYADDR, but for PSE-36. */
static uint64_t beyond_memory(const struct quire_pt_format *format, unsigned phys_bits, bool huge)
{
    if (format->entry_bytes == 8)
        return quire_mask64(52) & ~quire_mask64(phys_bits);
    if (!huge || phys_bits >= 40)
        return 0;
    return quire_mask64(21) & ~quire_mask64(phys_bits - 19) & format->pse36;
}

uint64_t quire_pt_reserved(const struct quire_pt_format *format,
                           const struct quire_pt_features *features, enum quire_pt_level level,
                           bool leaf)
{
    const struct quire_pt_level_format *at = &format->level[level];
    unsigned phys_bits = features->phys_bits ? features->phys_bits : 52;
    uint64_t reserved = leaf || level == QUIRE_PT ? at->leaf_reserved : at->reserved;
    reserved |= beyond_memory(format, phys_bits, leaf && level != QUIRE_PT);
    if (features->no_nx)
        reserved |= format->nx;
    if (features->no_1gib && level == QUIRE_PUD && at->may_be_leaf)
        reserved |= QUIRE_PTE_HUGE;
    return reserved;
}

quire_phys_t quire_pt_phys_end(const struct quire_pt_format *format,
                               const struct quire_pt_features *features, enum quire_pt_level level)
{
    unsigned bits = features->phys_bits ? features->phys_bits : 52;
    unsigned most = level != QUIRE_PT && format->pse36 ? 40 : 32;
    if (format->entry_bytes == 4 && bits > most)
        bits = most;
    return BIT(bits);
}

enum quire_pt_level quire_pt_lowest_shared(const struct quire_pt_format *format,
                                           enum quire_pt_level level)
{
    unsigned lowest = level;
    while (lowest > QUIRE_PT && !format->level[lowest - 1].index_bits)
        lowest--;
    return (enum quire_pt_level)lowest;
}
