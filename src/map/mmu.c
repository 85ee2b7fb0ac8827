/* map/mmu.c: the walk through page tables, as the processor does it
 *
 * One loop for all formats: an entry for each level that isn't folded, from the root down, until
 * one maps memory. Each must be present and have no reserved bit set (SDM 3A, 4.3 to 4.5, 4.7);
 * rights are what all of them grant together, and are looked at when the leaf is known (4.6). Then
 * A is set in every entry, and D in the leaf of a write (4.8), each by compare-and-exchange against
 * what was checked; if one was changed meanwhile the walk begins anew.
 *
 *   invariant   nothing is read outside the memory given; a walk that faults writes nothing
 *   bound       as many entries as the format has levels that aren't folded
 */
#include "base/compiler.h"
#include "map/fault.h"
#include "map/walk_memory.h"

/* Entries in memory on the way to a page, which A and D are set in. */
struct descent {
    unsigned count;
    quire_phys_t at[QUIRE_NR_PT_LEVELS];
    uint64_t entry[QUIRE_NR_PT_LEVELS];
};

static uint32_t page_fault_code(const struct quire_mmu *mmu, unsigned access, uint32_t code)
{
    const struct quire_mmu_registers *r = &mmu->registers;
    bool tells_fetches =
        r->cr4 & QUIRE_CR4_SMEP || (r->cr4 & QUIRE_CR4_PAE && r->efer & QUIRE_EFER_NXE);
    if (quire_mmu_mode(mmu, access) == QUIRE_MODE_USER)
        code |= QUIRE_PF_USER;
    switch (access & ~QUIRE_ACCESS_IMPLICIT) {
    case QUIRE_WRITE:
        return code | QUIRE_PF_WRITE;
    case QUIRE_EXECUTE:
        return tells_fetches ? code | QUIRE_PF_FETCH : code;
    default:
        return code;
    }
}

static bool page_fault(const struct quire_mmu *mmu, quire_linear_t linear, unsigned access,
                       uint32_t code, enum quire_fault_reason reason, struct quire_walk *walk)
{
    map_fault(&walk->fault, QUIRE_VECTOR_PF, page_fault_code(mmu, access, code), reason);
    walk->fault.address = linear;
    return false;
}

/* ---- rights ------------------------------------------------------------------------------------
 */

uint32_t quire_mmu_rights(const struct quire_mmu *mmu, const struct quire_walk *walk)
{
    const struct quire_mmu_registers *r = &mmu->registers;
    if (!mmu->format)
        return quire_mmu_right(QUIRE_MODE_SUPERVISOR_AC, QUIRE_EXECUTE) * 2 - 1;
    bool smap = walk->user && r->cr4 & QUIRE_CR4_SMAP;
    bool smep = walk->user && r->cr4 & QUIRE_CR4_SMEP;
    bool write = walk->writable || !(r->cr0 & QUIRE_CR0_WP), execute = walk->executable && !smep;
    uint32_t rights = quire_mmu_right(QUIRE_MODE_SUPERVISOR_AC, QUIRE_READ);
    if (write)
        rights |= quire_mmu_right(QUIRE_MODE_SUPERVISOR_AC, QUIRE_WRITE);
    if (!smap)
        rights |= quire_mmu_right(QUIRE_MODE_SUPERVISOR, QUIRE_READ);
    if (!smap && write)
        rights |= quire_mmu_right(QUIRE_MODE_SUPERVISOR, QUIRE_WRITE);
    if (execute)
        rights |= quire_mmu_right(QUIRE_MODE_SUPERVISOR_AC, QUIRE_EXECUTE) |
                  quire_mmu_right(QUIRE_MODE_SUPERVISOR, QUIRE_EXECUTE);
    if (walk->user) {
        rights |= quire_mmu_right(QUIRE_MODE_USER, QUIRE_READ);
        if (walk->writable)
            rights |= quire_mmu_right(QUIRE_MODE_USER, QUIRE_WRITE);
        if (walk->executable)
            rights |= quire_mmu_right(QUIRE_MODE_USER, QUIRE_EXECUTE);
    }
    return rights;
}

/* Why quire_mmu_rights doesn't allow it. */
static enum quire_fault_reason refusal(const struct quire_mmu *mmu, const struct quire_walk *walk,
                                       unsigned access)
{
    bool user_mode = quire_mmu_mode(mmu, access) == QUIRE_MODE_USER;
    if (user_mode && !walk->user)
        return QUIRE_FAULT_PAGE_SUPERVISOR;
    if ((access & ~QUIRE_ACCESS_IMPLICIT) == QUIRE_EXECUTE)
        return walk->executable ? QUIRE_FAULT_SMEP : QUIRE_FAULT_PAGE_NX;
    if (!user_mode && walk->user && mmu->registers.cr4 & QUIRE_CR4_SMAP &&
        quire_mmu_mode(mmu, access) != QUIRE_MODE_SUPERVISOR_AC)
        return QUIRE_FAULT_SMAP;
    return QUIRE_FAULT_PAGE_READ_ONLY;
}

/* ---- descending ---------------------------------------------------------------------------------
 */

static void record(struct quire_walk *walk, struct quire_walk_step *steps, unsigned level,
                   unsigned lowest, const struct quire_walk_step *seen)
{
    for (unsigned l = level + 1; l-- > lowest; walk->nr_steps++) {
        if (!steps)
            continue;
        steps[walk->nr_steps] = *seen;
        steps[walk->nr_steps].level = (uint8_t)l;
        steps[walk->nr_steps].folded = l != level;
        steps[walk->nr_steps].leaf = seen->leaf && l == lowest;
        if (l != level)
            steps[walk->nr_steps].index = 0;
    }
}

/* The entry at `seen->entry_at`, or the register that holds it. */
static bool read_entry(const struct quire_mmu *mmu, const struct quire_phys_memory *memory,
                       struct quire_walk_step *seen, struct descent *descent)
{
    if (seen->in_register) {
        seen->entry = mmu->pdpte[seen->index];
        return true;
    }
    if (!walk_read(memory, seen->entry_at, mmu->format->entry_bytes, &seen->entry))
        return false;
    descent->at[descent->count] = seen->entry_at;
    descent->entry[descent->count++] = seen->entry;
    return true;
}

static bool no_memory(struct quire_walk *walk, quire_linear_t linear)
{
    map_fault(&walk->fault, QUIRE_VECTOR_MC, 0, QUIRE_FAULT_NO_MEMORY);
    walk->fault.address = linear;
    return false;
}

static void found(const struct quire_mmu *mmu, quire_linear_t linear, enum quire_pt_level level,
                  uint64_t entry, struct quire_walk *walk)
{
    walk->level = (uint8_t)level;
    walk->shift = mmu->format->level[level].shift;
    walk->phys = quire_pt_leaf_phys(mmu->format, level, entry) |
                 (linear & (((uint64_t)1 << walk->shift) - 1));
    walk->dirty = entry & QUIRE_PTE_DIRTY;
    walk->global = entry & QUIRE_PTE_GLOBAL && mmu->registers.cr4 & QUIRE_CR4_PGE;
}

/* Down to the entry that maps `linear`. */
static bool descend(const struct quire_mmu *mmu, const struct quire_phys_memory *memory,
                    quire_linear_t linear, unsigned access, struct quire_walk *walk,
                    struct quire_walk_step *steps, struct descent *descent)
{
    const struct quire_pt_format *format = mmu->format;
    bool pae_root = format == &quire_pt_formats[QUIRE_PT_FORMAT_PAE];
    quire_phys_t table = mmu->registers.cr3 & (pae_root ? 0xffffffe0 : format->address_mask);
    for (unsigned level = QUIRE_PGD, lowest;; level = lowest - 1) {
        for (lowest = level; lowest && !format->level[lowest - 1].index_bits; lowest--)
            ;
        struct quire_walk_step seen = {.in_register = pae_root && level == QUIRE_PGD};
        seen.index = (uint16_t)(linear >> format->level[level].shift &
                                ((1u << format->level[level].index_bits) - 1));
        seen.entry_at = table + (quire_phys_t)seen.index * format->entry_bytes;
        if (!read_entry(mmu, memory, &seen, descent))
            return no_memory(walk, linear);
        bool present = seen.entry & QUIRE_PTE_PRESENT;
        seen.leaf = present &&
                    (lowest == QUIRE_PT ||
                     (seen.entry & QUIRE_PTE_HUGE &&
                      quire_pt_may_be_leaf(format, &mmu->features, (enum quire_pt_level)lowest)));
        record(walk, steps, level, lowest, &seen);
        if (!present)
            return page_fault(mmu, linear, access, 0, QUIRE_FAULT_PAGE_ABSENT, walk);
        if (!seen.in_register) { /* those were checked when they were loaded, and have no rights */
            if (seen.entry & mmu->reserved[lowest][seen.leaf])
                return page_fault(mmu, linear, access, QUIRE_PF_PRESENT | QUIRE_PF_RESERVED,
                                  QUIRE_FAULT_RESERVED_BITS, walk);
            walk->user &= !!(seen.entry & QUIRE_PTE_USER);
            walk->writable &= !!(seen.entry & QUIRE_PTE_WRITE);
            walk->executable &= !(seen.entry & format->nx);
        }
        if (seen.leaf) {
            found(mmu, linear, (enum quire_pt_level)lowest, seen.entry, walk);
            return true;
        }
        table = seen.entry & format->address_mask;
    }
}

/* Sets A, and D of the leaf, where they are clear. False: an entry isn't what it was. */
static bool mark(const struct quire_mmu *mmu, const struct quire_phys_memory *memory, bool write,
                 const struct descent *descent)
{
    for (unsigned i = 0; i < descent->count; i++) {
        uint64_t marked = descent->entry[i] | QUIRE_PTE_ACCESSED;
        if (write && i == descent->count - 1)
            marked |= QUIRE_PTE_DIRTY;
        if (marked != descent->entry[i] &&
            !walk_exchange(memory, descent->at[i], mmu->format->entry_bytes, descent->entry[i],
                           marked))
            return false;
    }
    return true;
}

static void begin(struct quire_walk *walk)
{
    *walk = (struct quire_walk){.shift = 12, .user = true, .writable = true, .executable = true};
}

bool quire_mmu_walk(const struct quire_mmu *mmu, const struct quire_phys_memory *memory,
                    quire_linear_t linear, unsigned access, struct quire_walk *walk,
                    struct quire_walk_step *steps)
{
    bool write = (access & ~QUIRE_ACCESS_IMPLICIT) == QUIRE_WRITE;
    struct descent descent;
    begin(walk);
    if (!mmu->format) {
        walk->phys = (uint32_t)linear;
        return true;
    }
    if (mmu->format->virt_bits == 32)
        linear = (uint32_t)linear;
    else if (!quire_is_canonical(linear, mmu->format->virt_bits))
        return map_fault(&walk->fault, QUIRE_VECTOR_GP, 0, QUIRE_FAULT_NON_CANONICAL);
    do {
        begin(walk);
        descent.count = 0;
        if (!descend(mmu, memory, linear, access, walk, steps, &descent))
            return false;
        if (!(quire_mmu_rights(mmu, walk) & quire_mmu_right(quire_mmu_mode(mmu, access), access)))
            return page_fault(mmu, linear, access, QUIRE_PF_PRESENT, refusal(mmu, walk, access),
                              walk);
    } while (!memory->read_only && quire_unlikely(!mark(mmu, memory, write, &descent)));
    walk->dirty |= write && !memory->read_only;
    return true;
}
