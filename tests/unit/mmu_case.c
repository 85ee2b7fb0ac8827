/* tests/unit/mmu_case.c: tables for one address, and what a walk through them must come to */
#include "tests/unit/mmu_case.h"

#include <quire/port.h>

struct quire_phys_memory mmu_memory;

bool mmu_setup(void)
{
    static struct quire_port_mem port;
    if (!test_environment.memory(MEMORY_BYTES, &port)) {
        test_skip("there is no memory for tables");
        return false;
    }
    mmu_memory = (struct quire_phys_memory){.base = port.base, .size = MEMORY_BYTES};
    return true;
}

void mmu_clear_memory(void)
{
    for (unsigned i = 0; i < MEMORY_BYTES; i++)
        mmu_memory.base[i] = 0;
}

uint64_t mmu_get(quire_phys_t at, unsigned bytes)
{
    uint64_t value = 0;
    for (unsigned i = 0; i < bytes; i++)
        value |= (uint64_t)(uint8_t)mmu_memory.base[at + i] << (8 * i);
    return value;
}

void mmu_put(quire_phys_t at, unsigned bytes, uint64_t value)
{
    for (unsigned i = 0; i < bytes; i++)
        mmu_memory.base[at + i] = (char)(value >> (8 * i));
}

/* Shifts of the indexes from the root down, by hand: not from the formats that are tested. */
static const struct {
    unsigned bytes, levels;
    uint8_t shift[5], bits[5];
    uint32_t cr4, efer;
} modes[] = {
    [I386] = {4, 2, {22, 12}, {10, 10}, QUIRE_CR4_PSE, 0},
    [I386_4K] = {4, 2, {22, 12}, {10, 10}, 0, 0},
    [PAE] = {8, 3, {30, 21, 12}, {2, 9, 9}, QUIRE_CR4_PAE, 0},
    [LONG] = {8, 4, {39, 30, 21, 12}, {9, 9, 9, 9}, QUIRE_CR4_PAE, QUIRE_EFER_LME},
    [LA57] = {8,
              5,
              {48, 39, 30, 21, 12},
              {9, 9, 9, 9, 9},
              QUIRE_CR4_PAE | QUIRE_CR4_LA57,
              QUIRE_EFER_LME},
};

static quire_phys_t entry_at(const struct walk_case *c, unsigned n)
{
    uint64_t index = c->linear >> modes[c->mode].shift[n] & ((1u << modes[c->mode].bits[n]) - 1);
    return ROOT * (n + 1) + index * modes[c->mode].bytes;
}

bool mmu_load_case(const struct walk_case *c, struct quire_mmu *mmu, struct quire_fault *fault)
{
    mmu_clear_memory();
    for (unsigned n = 0; n < modes[c->mode].levels; n++)
        mmu_put(entry_at(c, n), modes[c->mode].bytes, c->entry[n]);
    *mmu = (struct quire_mmu){.eflags = c->eflags, .cpl = c->cpl, .features = {.phys_bits = 40}};
    const struct quire_mmu_registers registers = {
        .cr0 = QUIRE_CR0_PG | QUIRE_CR0_PE | c->cr0,
        .cr3 = ROOT,
        .cr4 = modes[c->mode].cr4 | c->cr4,
        .efer = modes[c->mode].efer | c->efer,
    };
    return quire_mmu_load(mmu, &registers, &mmu_memory, fault);
}

void mmu_check_marks(const struct walk_case *c, bool walked)
{
    for (unsigned n = 0; n < modes[c->mode].levels; n++) {
        bool last = n == modes[c->mode].levels - 1 || !c->entry[n + 1];
        uint64_t expected = c->entry[n];
        if (walked && expected && !(c->mode == PAE && n == 0))
            expected |= QUIRE_PTE_ACCESSED;
        if (walked && expected && last && (c->access & 3) == QUIRE_WRITE)
            expected |= QUIRE_PTE_DIRTY;
        CHECK_EQ(mmu_get(entry_at(c, n), modes[c->mode].bytes), expected);
    }
}

void mmu_run(const struct walk_case *cases, unsigned count)
{
    if (!mmu_setup())
        return;
    for (unsigned i = 0; i < count; i++) {
        const struct walk_case *c = &cases[i];
        struct quire_mmu mmu;
        struct quire_fault refused;
        struct quire_walk walk;
        REQUIRE(mmu_load_case(c, &mmu, &refused));
        bool ok = quire_mmu_walk(&mmu, &mmu_memory, c->linear, c->access, &walk, NULL);
        bool right = ok == !c->vector && walk.fault.vector == c->vector &&
                     walk.fault.error_code == c->error_code && walk.fault.reason == c->reason &&
                     (!ok || walk.phys == c->phys) &&
                     (c->vector != QUIRE_VECTOR_PF || walk.fault.address == c->linear);
        CHECK(right);
        if (!right)
            test_note("case %u: physical %llx, vector %u, error code %x: %s", i,
                      (unsigned long long)walk.phys, walk.fault.vector, walk.fault.error_code,
                      quire_fault_reason_text((enum quire_fault_reason)walk.fault.reason));
        mmu_check_marks(c, ok);
    }
}
