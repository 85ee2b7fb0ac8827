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

/* ---- rights ---------------------------------------------------------------------------------- */

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

/* ---- descending ------------------------------------------------------------------------------ */

/* The level that was read and those folded into it. */
static void record(struct quire_walk *walk, struct quire_walk_step *steps, unsigned level,
                   unsigned lowest, const struct quire_walk_step *seen)
{
    for (unsigned l = level + 1; l-- > lowest;) {
        struct quire_walk_step *step = &steps[walk->nr_steps++];
        *step = *seen;
        step->level = (uint8_t)l;
        step->folded = l != level;
        step->leaf = seen->leaf && l == lowest;
        if (step->folded)
            step->index = 0;
    }
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

/* Down to the entry that maps `linear`. Bits that all entries must grant are gathered by AND, NX by
 * OR. PDPTEs were checked when they were loaded, and have no rights to withhold. */
static bool descend(const struct quire_mmu *mmu, const struct quire_phys_memory *memory,
                    quire_linear_t linear, unsigned access, struct quire_walk *walk,
                    struct quire_walk_step *steps, struct descent *descent)
{
    const struct quire_pt_format *format = mmu->format;
    const unsigned entry_bytes = format->entry_bytes;
    bool in_register = format == &quire_pt_formats[QUIRE_PT_FORMAT_PAE];
    quire_phys_t table = mmu->registers.cr3 & (in_register ? 0xffffffe0 : format->address_mask);
    uint64_t granted = QUIRE_PTE_USER | QUIRE_PTE_WRITE, nx = 0;
    for (unsigned level = QUIRE_PGD, lowest;; level = lowest - 1, in_register = false) {
        const struct quire_pt_level_format *at = &format->level[level];
        unsigned index = (unsigned)(linear >> at->shift) & ((1u << at->index_bits) - 1);
        quire_phys_t entry_at = table + (quire_phys_t)index * entry_bytes;
        uint64_t entry = in_register ? mmu->pdpte[index] : 0;
        lowest = mmu->lowest[level];
        bool readable = in_register || walk_read(memory, entry_at, entry_bytes, &entry);
        bool leaf = entry & mmu->leaf_if[lowest];
        if (quire_unlikely(steps != NULL)) {
            const struct quire_walk_step seen = {
                .in_register = in_register,
                .unreadable = !readable,
                .leaf = leaf && entry & QUIRE_PTE_PRESENT,
                .index = (uint16_t)index,
                .entry_at = entry_at,
                .entry = entry,
            };
            record(walk, steps, level, lowest, &seen);
        }
        if (quire_unlikely(!readable))
            return no_memory(walk, linear);
        if (!(entry & QUIRE_PTE_PRESENT))
            return page_fault(mmu, linear, access, 0, QUIRE_FAULT_PAGE_ABSENT, walk);
        if (!in_register) {
            if (entry & mmu->reserved[lowest][leaf])
                return page_fault(mmu, linear, access, QUIRE_PF_PRESENT | QUIRE_PF_RESERVED,
                                  QUIRE_FAULT_RESERVED_BITS, walk);
            granted &= entry;
            nx |= entry & format->nx;
            descent->at[descent->count] = entry_at;
            descent->entry[descent->count++] = entry;
        }
        if (leaf) {
            walk->user = granted & QUIRE_PTE_USER;
            walk->writable = granted & QUIRE_PTE_WRITE;
            walk->executable = !nx;
            found(mmu, linear, (enum quire_pt_level)lowest, entry, walk);
            return true;
        }
        table = entry & format->address_mask;
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
