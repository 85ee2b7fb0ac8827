/* tests/fuzz/translation_fuzz.c: arbitrary bytes as registers, descriptor tables and page tables
 *
 * An input is the size of physical memory, what to write into it, registers, and then loads of
 * segment registers, whose tables are reached through paging, and accesses through them, on a CPU
 * of the software MMU. Whatever comes of it, nothing outside of physical memory is read or written
 * (the sanitizers look: it ends where its last page does), every refusal has a vector and a reason
 * and changes no register, and a walk comes to the same whether it reaches memory by a range or by
 * functions, and with or without its steps.
 */
#define _GNU_SOURCE
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <quire/map.h>

#include "ports/sim/sim.h"

#define EXPECT(condition)                                                                          \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            fprintf(stderr, "%s:%d: not so: %s\n", __FILE__, __LINE__, #condition);                \
            abort();                                                                               \
        }                                                                                          \
    } while (0)

#define PAGE 4096u
#define MOST_PAGES 8u
#define MOST_PIECES 64u
#define MOST_ACCESSES 64u

struct input {
    const uint8_t *data;
    size_t left;
};

/* Zeros at the end. */
static uint64_t take(struct input *input, unsigned bytes)
{
    uint64_t value = 0;
    for (unsigned i = 0; i < bytes && input->left; i++, input->left--)
        value |= (uint64_t)*input->data++ << (8 * i);
    return value;
}

static struct quire_sim_cpu cpu;
static struct quire_sim sim;

static void check_fault(const struct quire_fault *fault)
{
    EXPECT(fault->vector >= QUIRE_VECTOR_NP && fault->vector <= QUIRE_VECTOR_MC);
    EXPECT(fault->reason != QUIRE_FAULT_NONE && fault->reason < QUIRE_NR_FAULT_REASONS);
    EXPECT(fault->vector == QUIRE_VECTOR_PF ? fault->error_code < 0x20
                                            : fault->error_code <= 0xfffc);
}

/* Words of 1 to 8 bytes at multiples of 8. */
static void fill_memory(struct input *input)
{
    for (unsigned n = 0; n < MOST_PIECES && input->left; n++) {
        unsigned where = (unsigned)take(input, 2), bytes = 1u << (take(input, 1) & 3);
        uint64_t value = take(input, bytes);
        size_t at = (size_t)where * 8 % (size_t)sim.memory.size;
        memcpy(sim.memory.base + at, &value, bytes);
    }
}

static bool read_memory(void *arg, quire_phys_t at, unsigned bytes, uint64_t *value)
{
    (void)arg;
    *value = 0;
    if (at >= sim.memory.size || sim.memory.size - at < bytes)
        return false;
    memcpy(value, sim.memory.base + at, bytes);
    return true;
}

/* Both ways of reaching memory, with and without steps: one result. */
static void compare_walks(quire_linear_t linear, unsigned access)
{
    struct quire_phys_memory range = sim.memory,
                             functions = {.read_only = true, .read = read_memory};
    struct quire_walk a, b;
    struct quire_walk_step steps[QUIRE_NR_PT_LEVELS];
    range.read_only = true;
    bool first = quire_mmu_walk(&cpu.mmu, &range, linear, access, &a, NULL);
    bool second = quire_mmu_walk(&cpu.mmu, &functions, linear, access, &b, steps);
    EXPECT(first == second && b.nr_steps <= QUIRE_NR_PT_LEVELS);
    EXPECT(first == !a.fault.vector && a.fault.vector == b.fault.vector);
    EXPECT(a.fault.error_code == b.fault.error_code && a.fault.reason == b.fault.reason);
    if (first)
        EXPECT(a.phys == b.phys && a.shift == b.shift && !((a.phys ^ linear) & (PAGE - 1)));
    else
        check_fault(&a.fault);
}

static void set_up_cpu(struct input *input)
{
    struct quire_mmu_registers registers;
    struct quire_fault fault;
    uint64_t bits = take(input, 2);
    registers.cr0 = (bits & 1 ? QUIRE_CR0_PG : 0) | (bits & 2 ? QUIRE_CR0_WP : 0) | QUIRE_CR0_PE;
    registers.cr4 = (bits & 4 ? QUIRE_CR4_PSE : 0) | (bits & 8 ? QUIRE_CR4_PAE : 0) |
                    (bits & 16 ? QUIRE_CR4_PGE : 0) | (bits & 32 ? QUIRE_CR4_LA57 : 0) |
                    (bits & 64 ? QUIRE_CR4_PCIDE : 0) | (bits & 128 ? QUIRE_CR4_SMEP : 0) |
                    (bits & 256 ? QUIRE_CR4_SMAP : 0);
    registers.efer = (bits & 512 ? QUIRE_EFER_LME : 0) | (bits & 1024 ? QUIRE_EFER_NXE : 0);
    registers.cr3 = take(input, 2) << 5 | (bits & 0x8000 ? take(input, 8) : 0);
    sim.features = (struct quire_pt_features){.phys_bits = (uint8_t)(32 + (bits >> 11 & 15)),
                                              .no_1gib = bits & 0x4000};
    quire_sim_init(&sim);
    if (!quire_sim_set_registers(&cpu, &registers, &fault))
        check_fault(&fault);
}

/* An address that is near the last one, small, of full width, or at the edges of canonical form. */
static uint64_t take_address(struct input *input, uint64_t last)
{
    switch (take(input, 1) & 3) {
    case 0:
        return last + (uint64_t)(int64_t)(int8_t)take(input, 1);
    case 1:
        return take(input, 4);
    case 2:
        return take(input, 8);
    default:
        return ((uint64_t)1 << (take(input, 1) & 63)) - 1 + take(input, 1);
    }
}

static void load_segment(struct input *input, struct quire_segments *segments)
{
    struct quire_fault fault;
    unsigned which = (unsigned)take(input, 1);
    uint16_t selector = (uint16_t)take(input, 2);
    const struct quire_segments before = *segments;
    bool loaded = which % 8 < QUIRE_NR_SEGMENT_REGISTERS
                      ? quire_segment_load(segments, (enum quire_segment_register)(which % 8),
                                           selector, &fault)
                      : quire_ldtr_load(segments, selector, &fault);
    if (loaded)
        return;
    check_fault(&fault);
    EXPECT(!memcmp(&before, segments, sizeof before));
}

static void access_through(struct input *input, const struct quire_segments *segments,
                           uint64_t *last)
{
    static const unsigned sizes[] = {1, 2, 4, 8};
    struct quire_fault fault;
    quire_linear_t linear;
    unsigned how = (unsigned)take(input, 1), size = sizes[how >> 3 & 3];
    enum quire_access access = (enum quire_access)((how & 7) % 3);
    char data[8] = "quirefz";
    *last = take_address(input, *last);
    if (!quire_logical_to_linear(segments, (enum quire_segment_register)((how >> 5) % 6), *last,
                                 size, access, &linear, &fault)) {
        check_fault(&fault);
        return;
    }
    compare_walks(linear, access);
    bool done = access == QUIRE_WRITE  ? quire_sim_write(&cpu, linear, data, size)
                : access == QUIRE_READ ? quire_sim_read(&cpu, linear, data, size)
                                       : quire_sim_fetch(&cpu, linear, data, size);
    if (!done)
        check_fault(&cpu.fault);
}

static void run(struct input *input)
{
    uint64_t bits = take(input, 1), last = 0;
    struct quire_descriptor_memory memory = quire_sim_descriptor_memory(&cpu);
    struct quire_segments segments = {
        .gdtr = {take(input, 3), (uint16_t)take(input, 2)},
        .long_mode = cpu.mmu.format && cpu.mmu.format->virt_bits > 32,
        .linear_bits = cpu.mmu.format && cpu.mmu.format->virt_bits > 48 ? 57 : 48,
        .memory = &memory,
    };
    segments.segment[QUIRE_CS].selector = bits & 3;
    segments.segment[QUIRE_CS].descriptor.long_mode = segments.long_mode && bits & 4;
    quire_sim_set_cpl(&cpu, bits & 3);
    quire_sim_set_ac(&cpu, bits & 8);
    for (unsigned n = 0; n < MOST_ACCESSES && input->left; n++)
        switch (take(input, 1) & 7) {
        case 0:
        case 1:
            load_segment(input, &segments);
            break;
        case 2:
            quire_sim_invlpg(&cpu, last);
            break;
        case 3:
            fill_memory(&(struct input){input->data, input->left < 11 ? input->left : 11});
            break;
        default:
            access_through(input, &segments, &last);
        }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct input input = {data, size};
    unsigned pages = 1 + (unsigned)take(&input, 1) % MOST_PAGES;
    char *base = aligned_alloc(PAGE, (size_t)pages * PAGE);
    if (!base)
        return 0;
    memset(base, 0, (size_t)pages * PAGE);
    sim = (struct quire_sim){
        .memory = {.base = base, .size = (uint64_t)pages * PAGE}, .cpu = &cpu, .nr_cpus = 1};
    /* The first part fills memory, the second runs. */
    size_t content = (size_t)take(&input, 2);
    struct input memory = {input.data, content < input.left ? content : input.left};
    input.data += memory.left;
    input.left -= memory.left;
    fill_memory(&memory);
    set_up_cpu(&input);
    run(&input);
    free(base);
    return 0;
}
