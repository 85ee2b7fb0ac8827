/* map/mmu_registers.c: which kind of paging the registers mean
 *
 *     CR0.PG  CR4.PAE  EFER.LME  CR4.LA57
 *       0        -         -         -     none
 *       1        0         0         -     32-bit; 4 MiB pages with CR4.PSE
 *       1        1         0         -     PAE
 *       1        1         1         0     4-level
 *       1        1         1         1     5-level
 *
 * Source: SDM 3A, 4.1.1 and 4.1.2; 4.4.1 for PAE's page-directory-pointer table, whose four entries
 * are registers of the processor, loaded and checked with CR3.
 */
#include "base/bits.h"
#include "map/fault.h"
#include "map/walk_memory.h"

#define PAE_ROOT_MASK 0xffffffe0u
#define MAX_PHYS_BITS 52u

static bool is_long_mode(const struct quire_mmu_registers *r)
{
    return r->cr0 & QUIRE_CR0_PG && r->efer & QUIRE_EFER_LME;
}

static const struct quire_pt_format *pick_format(const struct quire_mmu_registers *r)
{
    enum quire_pt_format_id id;
    if (!(r->cr0 & QUIRE_CR0_PG))
        return NULL;
    if (is_long_mode(r))
        id = r->cr4 & QUIRE_CR4_LA57 ? QUIRE_PT_FORMAT_LA57 : QUIRE_PT_FORMAT_X86_64;
    else if (r->cr4 & QUIRE_CR4_PAE)
        id = QUIRE_PT_FORMAT_PAE;
    else
        id = r->cr4 & QUIRE_CR4_PSE ? QUIRE_PT_FORMAT_I386 : QUIRE_PT_FORMAT_I386_4K;
    return &quire_pt_formats[id];
}

static bool registers_go_together(const struct quire_mmu_registers *r, unsigned phys_bits)
{
    bool paging = r->cr0 & QUIRE_CR0_PG;
    if (paging && !(r->cr0 & QUIRE_CR0_PE))
        return false;
    if (is_long_mode(r) && (!(r->cr4 & QUIRE_CR4_PAE) || QUIRE_LINEAR_BITS == 32))
        return false;
    if (r->cr4 & QUIRE_CR4_PCIDE && !is_long_mode(r))
        return false;
    return !(r->cr3 & ~quire_mask64(is_long_mode(r) ? phys_bits : 32));
}

/* Entries that aren't present may hold anything. */
static bool load_pdptes(struct quire_mmu *mmu, const struct quire_phys_memory *memory,
                        struct quire_fault *fault)
{
    quire_phys_t root = mmu->registers.cr3 & PAE_ROOT_MASK;
    uint64_t reserved = mmu->reserved[QUIRE_PUD][0]; /* NX too, whatever NXE says */
    for (unsigned i = 0; i < 4; i++) {
        if (!walk_read(memory, root + i * 8, 8, &mmu->pdpte[i]))
            return map_fault(fault, QUIRE_VECTOR_MC, 0, QUIRE_FAULT_NO_MEMORY);
        if (mmu->pdpte[i] & QUIRE_PTE_PRESENT && mmu->pdpte[i] & reserved)
            return map_fault(fault, QUIRE_VECTOR_GP, 0, QUIRE_FAULT_RESERVED_BITS);
    }
    return true;
}

/* What a walk looks up at each level. */
static void prepare(struct quire_mmu *mmu)
{
    for (unsigned l = 0; l < QUIRE_NR_PT_LEVELS; l++) {
        enum quire_pt_level level = (enum quire_pt_level)l;
        for (unsigned leaf = 0; leaf < 2; leaf++)
            mmu->reserved[level][leaf] =
                quire_pt_reserved(mmu->format, &mmu->features, level, leaf);
        mmu->lowest[level] = (uint8_t)quire_pt_lowest_shared(mmu->format, level);
        mmu->leaf_if[level] = 0;
        if (quire_pt_may_be_leaf(mmu->format, &mmu->features, level))
            mmu->leaf_if[level] = level == QUIRE_PT ? QUIRE_PTE_PRESENT : QUIRE_PTE_HUGE;
    }
}

bool quire_mmu_load(struct quire_mmu *mmu, const struct quire_mmu_registers *registers,
                    const struct quire_phys_memory *memory, struct quire_fault *fault)
{
    struct quire_mmu loaded = *mmu;
    unsigned phys_bits = mmu->features.phys_bits ? mmu->features.phys_bits : MAX_PHYS_BITS;
    if (!registers_go_together(registers, phys_bits))
        return map_fault(fault, QUIRE_VECTOR_GP, 0, QUIRE_FAULT_REGISTERS);
    loaded.registers = *registers;
    loaded.features.no_nx = !(registers->efer & QUIRE_EFER_NXE);
    loaded.format = pick_format(registers);
    if (loaded.format)
        prepare(&loaded);
    if (loaded.format == &quire_pt_formats[QUIRE_PT_FORMAT_PAE] &&
        !load_pdptes(&loaded, memory, fault))
        return false;
    *mmu = loaded;
    return true;
}
