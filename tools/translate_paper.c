/* tools/translate_paper.c: a translation as one does it on paper */
#include <string.h>

#include "base/bits.h"
#include "translate.h"

#define OFFSET_LABEL "offset"

const char *const level_names[QUIRE_NR_PT_LEVELS] = {"PT", "PMD", "PUD", "P4D", "PGD"};

const char *intel_name(enum quire_pt_format_id mode, unsigned level)
{
    static const char *const deep[] = {"table", "directory", "directory pointer", "PML4", "PML5"};
    if (level != QUIRE_PGD || mode == QUIRE_PT_FORMAT_LA57)
        return deep[level];
    switch (mode) {
    case QUIRE_PT_FORMAT_I386:
    case QUIRE_PT_FORMAT_I386_4K:
        return deep[QUIRE_PMD];
    case QUIRE_PT_FORMAT_PAE:
        return deep[QUIRE_PUD];
    default:
        return deep[QUIRE_P4D];
    }
}

const char *vector_name(unsigned vector)
{
    switch (vector) {
    case QUIRE_VECTOR_NP:
        return "#NP";
    case QUIRE_VECTOR_SS:
        return "#SS";
    case QUIRE_VECTOR_GP:
        return "#GP";
    case QUIRE_VECTOR_PF:
        return "#PF";
    default:
        return "#MC";
    }
}

unsigned split_index(const struct quire_pt_format *format, unsigned level, quire_linear_t linear)
{
    return (unsigned)(linear >> format->level[level].shift) &
           ((1u << format->level[level].index_bits) - 1);
}

static void append(char *text, size_t size, const char *word)
{
    size_t used = strlen(text);
    snprintf(text + used, size - used, "%s%s", used ? ", " : "", word);
}

void flags_text(const struct quire_pt_format *format, uint64_t entry, bool leaf, bool pdpte,
                unsigned level, char *text, size_t size)
{
    *text = '\0';
    if (!(entry & QUIRE_PTE_PRESENT)) {
        append(text, size, "not present");
        return;
    }
    append(text, size, "present");
    if (!pdpte) {
        append(text, size, entry & QUIRE_PTE_WRITE ? "writable" : "read-only");
        append(text, size, entry & QUIRE_PTE_USER ? "user" : "supervisor");
    }
    if (entry & QUIRE_PTE_PWT)
        append(text, size, "write-through");
    if (entry & QUIRE_PTE_PCD)
        append(text, size, "cache disabled");
    if (!pdpte && entry & QUIRE_PTE_ACCESSED)
        append(text, size, "accessed");
    if (leaf && entry & QUIRE_PTE_DIRTY)
        append(text, size, "dirty");
    if (leaf && level != QUIRE_PT)
        append(text, size, "PS");
    if (leaf && entry & QUIRE_PTE_GLOBAL)
        append(text, size, "global");
    if (entry & format->nx)
        append(text, size, "no-execute");
}

static void print_binary(uint64_t value, unsigned bits)
{
    while (bits--)
        putchar(value >> bits & 1 ? '1' : '0');
}

/* Addresses are shown as wide as the mode has them. */
static int width(const struct translation *t)
{
    return t->format->virt_bits > 32 ? 16 : 8;
}

static void print_address(const struct translation *t, uint64_t address)
{
    printf("0x%0*llx", width(t), (unsigned long long)address);
}

static void print_physical(const struct translation *t, uint64_t address)
{
    printf("0x%0*llx", t->format->entry_bytes == 8 ? 13 : 8, (unsigned long long)address);
}

/* ---- segments -------------------------------------------------------------------------------- */

static void print_kind(const struct quire_descriptor *d)
{
    if (!d->code_or_data)
        printf("system type %u", d->type);
    else if (d->type & QUIRE_SEGMENT_CODE)
        printf("code, %s%s", d->type & QUIRE_SEGMENT_READABLE ? "readable" : "execute-only",
               d->type & QUIRE_SEGMENT_CONFORMING ? ", conforming" : "");
    else
        printf("data, %s%s", d->type & QUIRE_SEGMENT_WRITABLE ? "writable" : "read-only",
               d->type & QUIRE_SEGMENT_EXPAND_DOWN ? ", expand-down" : "");
}

static void print_descriptor(const struct translation *t)
{
    const struct quire_descriptor *d = &t->descriptor;
    printf("  descriptor  0x%016llx, at GDT + 0x%llx\n", (unsigned long long)t->descriptor_raw,
           (unsigned long long)t->descriptor_at);
    printf("              base 0x%08llx, limit (0x%05x + 1) * %s - 1 = 0x%08x\n",
           (unsigned long long)d->base, d->limit, d->granular ? "4 KiB" : "1 byte",
           quire_descriptor_limit(d));
    printf("              ");
    print_kind(d);
    printf(", DPL %u, %s, %s\n", d->dpl, d->present ? "present" : "not present",
           d->long_mode ? "64-bit"
           : d->big     ? "32-bit"
                        : "16-bit");
}

static void print_selector(const struct translation *t)
{
    unsigned index = quire_selector_index(t->selector);
    printf("  selector    0x%04x = ", t->selector);
    print_binary(index, 13);
    printf(" %u ", !!(t->selector & QUIRE_SELECTOR_TI));
    print_binary(t->selector & QUIRE_SELECTOR_RPL, 2);
    printf(": index %u, TI %u (%s), RPL %u%s\n", index, !!(t->selector & QUIRE_SELECTOR_TI),
           t->selector & QUIRE_SELECTOR_TI ? "LDT" : "GDT", t->selector & QUIRE_SELECTOR_RPL,
           t->null_selector ? ", null" : "");
}

static void print_fault(const struct translation *t)
{
    const struct quire_fault *fault = &t->fault;
    printf("\nFault %s", vector_name(fault->vector));
    if (fault->vector != QUIRE_VECTOR_MC)
        printf(", error code 0x%x", fault->error_code);
    if (fault->vector == QUIRE_VECTOR_PF)
        printf(" (P %u, W/R %u, U/S %u, RSVD %u, I/D %u)", fault->error_code & 1,
               fault->error_code >> 1 & 1, fault->error_code >> 2 & 1, fault->error_code >> 3 & 1,
               fault->error_code >> 4 & 1);
    printf(": %s\n", quire_fault_reason_text((enum quire_fault_reason)fault->reason));
    if (fault->reason == QUIRE_FAULT_TABLE_LIMIT)
        printf("      its descriptor is bytes 0x%x to 0x%x of the GDT, whose limit is 0x%x\n",
               quire_selector_index(t->selector) * 8, quire_selector_index(t->selector) * 8 + 7,
               t->gdt_limit);
    if (fault->vector == QUIRE_VECTOR_MC && t->has_memory_bytes)
        printf("      %s has 0x%llx = %llu bytes\n", t->options->snapshot,
               (unsigned long long)t->memory_bytes, (unsigned long long)t->memory_bytes);
}

static void print_segment(const struct translation *t)
{
    static const char *const registers[] = {"es", "cs", "ss", "ds", "fs", "gs"};
    static const char *const accesses[] = {"read", "write", "exec"};
    const struct translate *options = t->options;
    printf("Logical address 0x%04x:", t->selector);
    print_address(t, options->address);
    printf(", %s through %s in ring %u, %s\n", accesses[options->access], registers[options->which],
           options->user ? 3 : 0, t->format->name);
    print_selector(t);
    if (t->has_descriptor)
        print_descriptor(t);
    if (!t->has_linear)
        return;
    printf("  linear      ");
    if (t->is_64bit && options->which < QUIRE_FS)
        printf("the offset: 64-bit mode has no base and no limit here\n");
    else {
        printf("0x%08llx + ", (unsigned long long)t->descriptor.base);
        print_address(t, options->address);
        printf(" = ");
        print_address(t, t->linear);
        putchar('\n');
    }
    if (t->flat)
        printf("              %s flat: linear equals logical\n",
               options->gdt ? "this segment is" : "Linux's segments are");
}

/* ---- pages ----------------------------------------------------------------------------------- */

static void print_entry(const struct translation *t, const struct quire_walk_step *step)
{
    char flags[160];
    const struct quire_pt_format *format = t->format;
    printf("        entry at ");
    print_physical(t, step->entry_at);
    if (step->unreadable) {
        puts(", where there is no memory");
        return;
    }
    printf(": 0x%0*llx", format->entry_bytes * 2, (unsigned long long)step->entry);
    if (step->in_register)
        printf(" (in a register since CR3 was loaded)");
    flags_text(format, step->entry, step->leaf, step->in_register, step->level, flags,
               sizeof flags);
    printf("\n        %s", flags);
    if (step->entry & QUIRE_PTE_PRESENT) {
        printf("; %s at ", step->leaf ? "page" : "table");
        print_physical(t, step->leaf ? quire_pt_leaf_phys(format, (enum quire_pt_level)step->level,
                                                          step->entry)
                                     : step->entry & format->address_mask);
    }
    putchar('\n');
}

/* The step that read this level's entry and wasn't folded; a leaf's flags stand at the folded level
 * that it was taken for. */
static void print_level(const struct translation *t, unsigned level, unsigned *step)
{
    const struct quire_pt_level_format *at = &t->format->level[level];
    bool seen = t->walked && *step < t->walk.nr_steps;
    if (!at->index_bits) {
        printf("  %-4s  folded into %s\n", level_names[level], level_names[level + 1]);
        *step += seen;
        return;
    }
    unsigned index = split_index(t->format, level, t->linear);
    printf("  %-4s  %-18s bits %2u-%2u  ", level_names[level], intel_name(t->options->mode, level),
           at->shift + at->index_bits - 1u, at->shift);
    print_binary(index, at->index_bits);
    printf(" = %u\n", index);
    if (seen) {
        struct quire_walk_step shown = t->step[*step];
        unsigned lowest = quire_pt_lowest_shared(t->format, (enum quire_pt_level)level);
        unsigned last = *step + (level - lowest);
        shown.leaf = t->step[last].leaf;
        shown.level = (uint8_t)lowest;
        print_entry(t, &shown);
        ++*step;
    }
}

void print_levels(const struct translation *t)
{
    unsigned step = 0, last = QUIRE_PT;
    if (t->walked && t->walk.nr_steps)
        last = t->step[t->walk.nr_steps - 1].level;
    for (unsigned level = QUIRE_NR_PT_LEVELS; level-- > last;)
        print_level(t, level, &step);
    if (t->walked && !t->has_phys)
        return;
    unsigned bits = t->format->level[last].shift;
    uint64_t offset = t->linear & quire_mask64(bits);
    printf("        %-18s bits %2u- 0  ", OFFSET_LABEL, bits - 1);
    print_binary(offset, bits);
    printf(" = 0x%llx\n", (unsigned long long)offset);
}

static bool is_canonical(const struct translation *t)
{
    return t->format->virt_bits == 32 || quire_is_canonical(t->linear, t->format->virt_bits);
}

void print_paper(const struct translation *t)
{
    print_segment(t);
    if (t->has_linear) {
        printf("\nLinear address ");
        print_address(t, t->linear);
        if (t->has_tables) {
            printf(", CR3 ");
            print_physical(t, t->cr3);
        }
        putchar('\n');
        if (is_canonical(t) && (t->walked || !t->has_tables))
            print_levels(t);
    }
    if (t->fault.vector) {
        print_fault(t);
    } else if (t->has_phys) {
        uint64_t offset = t->linear & quire_mask64(t->walk.shift);
        printf("\nPhysical address ");
        print_physical(t, t->walk.phys - offset);
        printf(" + 0x%llx = ", (unsigned long long)offset);
        print_physical(t, t->walk.phys);
        putchar('\n');
    }
}
