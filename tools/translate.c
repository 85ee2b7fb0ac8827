/* tools/translate.c: quire translate: where an address goes
 *
 * The library's own segmentation and walk do the work; this puts registers and tables together.
 */
#include "translate.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "quire.h"

struct gdt {
    size_t bytes;
    uint64_t entry[MAX_GDT_BYTES / 8];
};

static bool is_long(const struct translate *options)
{
    return options->mode == QUIRE_PT_FORMAT_X86_64 || options->mode == QUIRE_PT_FORMAT_LA57;
}

/* ---- segments -------------------------------------------------------------------------------- */

static bool read_gdt_file(struct gdt *gdt, const char *name)
{
    FILE *file = fopen(name, "rb");
    if (!file) {
        complain("%s: %s", name, strerror(errno));
        return false;
    }
    gdt->bytes = fread(gdt->entry, 1, sizeof gdt->entry, file);
    bool ok = !ferror(file) && gdt->bytes >= 8 && fgetc(file) == EOF;
    fclose(file);
    if (!ok)
        complain("%s isn't a table of descriptors: 8 to %u bytes", name, MAX_GDT_BYTES);
    return ok;
}

static bool load_gdt(struct gdt *gdt, const struct translate *options)
{
    if (options->gdt)
        return read_gdt_file(gdt, options->gdt);
    gdt->bytes = is_long(options) ? sizeof quire_linux_gdt_x86_64 : sizeof quire_linux_gdt_i386;
    memcpy(gdt->entry, is_long(options) ? quire_linux_gdt_x86_64 : quire_linux_gdt_i386,
           gdt->bytes);
    return true;
}

/* The table is its own linear memory, from 0 on: gdtr's limit keeps reads within it. */
static bool read_gdt(void *arg, quire_linear_t at, uint64_t *value, struct quire_fault *fault)
{
    const struct gdt *gdt = arg;
    (void)fault;
    memcpy(value, (const char *)gdt->entry + at, sizeof *value);
    return true;
}

static uint16_t linux_selector(const struct translate *options)
{
    bool code = options->which == QUIRE_CS;
    if (is_long(options)) {
        if (options->user)
            return code ? QUIRE_LINUX_X86_64_USER_CS : QUIRE_LINUX_X86_64_USER_DS;
        return code ? QUIRE_LINUX_X86_64_KERNEL_CS : QUIRE_LINUX_X86_64_KERNEL_DS;
    }
    if (options->user)
        return code ? QUIRE_LINUX_I386_USER_CS : QUIRE_LINUX_I386_USER_DS;
    return code ? QUIRE_LINUX_I386_KERNEL_CS : QUIRE_LINUX_I386_KERNEL_DS;
}

/* Loads the selector and forms the linear address. False: t->fault. */
static bool translate_segment(struct translation *t, struct gdt *gdt)
{
    const struct translate *options = t->options;
    const struct quire_descriptor_memory memory = {.arg = gdt, .read = read_gdt};
    struct quire_segments segments = {
        .gdtr = {0, (uint16_t)(gdt->bytes - 1)},
        .long_mode = is_long(options),
        .linear_bits = t->format->virt_bits,
        .memory = &memory,
    };
    segments.segment[QUIRE_CS].selector = options->user ? 3 : 0;
    segments.segment[QUIRE_CS].descriptor.long_mode = segments.long_mode;
    t->gdt_limit = segments.gdtr.limit;
    t->selector = options->has_selector ? options->selector : linux_selector(options);
    t->null_selector = quire_selector_is_null(t->selector);
    if (!t->null_selector) {
        if (!quire_descriptor_fetch(&segments, t->selector, &t->descriptor, &t->descriptor_at,
                                    &t->fault))
            return false;
        t->has_descriptor = true;
        t->descriptor_raw = quire_descriptor_encode(&t->descriptor);
    }
    if (!quire_segment_load(&segments, options->which, t->selector, &t->fault))
        return false;
    t->is_64bit = quire_segments_64bit(&segments);
    t->flat = t->is_64bit ? !(options->which >= QUIRE_FS && t->descriptor.base)
                          : t->has_descriptor && !t->descriptor.base &&
                                quire_descriptor_limit(&t->descriptor) == UINT32_MAX;
    return quire_logical_to_linear(&segments, options->which, options->address, 1, options->access,
                                   &t->linear, &t->fault);
}

/* ---- page tables ----------------------------------------------------------------------------- */

static bool load_mmu(struct quire_mmu *mmu, struct translation *t, const struct tables *tables)
{
    struct quire_mmu_registers registers = {
        .cr0 = QUIRE_CR0_PG | QUIRE_CR0_PE | QUIRE_CR0_WP,
        .cr3 = tables->cr3,
        .cr4 = QUIRE_CR4_PGE | QUIRE_CR4_PSE,
        .efer = QUIRE_EFER_NXE,
    };
    if (t->options->mode != QUIRE_PT_FORMAT_I386)
        registers.cr4 |= QUIRE_CR4_PAE;
    if (t->options->mode == QUIRE_PT_FORMAT_LA57)
        registers.cr4 |= QUIRE_CR4_LA57;
    if (is_long(t->options))
        registers.efer |= QUIRE_EFER_LME;
    *mmu = (struct quire_mmu){.cpl = t->options->user ? 3 : 0};
    return quire_mmu_load(mmu, &registers, &tables->memory, &t->fault);
}

/* False: t->fault. */
static bool translate_pages(struct translation *t, const struct tables *tables)
{
    struct quire_mmu mmu;
    t->has_tables = true;
    t->cr3 = tables->cr3;
    t->has_memory_bytes = tables->has_size;
    t->memory_bytes = tables->size;
    if (!load_mmu(&mmu, t, tables))
        return false;
    t->walked = true;
    t->has_phys =
        quire_mmu_walk(&mmu, &tables->memory, t->linear, t->options->access, &t->walk, t->step);
    t->fault = t->walk.fault;
    return t->has_phys;
}

static bool get_tables(struct tables *tables, const struct translate *options)
{
    return options->snapshot ? open_snapshot(tables, options) : build_tables(tables, options);
}

static int written(int status)
{
    if (!fflush(stdout) && !ferror(stdout))
        return status;
    complain("the output can't be written: %s", strerror(errno));
    return EXIT_FAILED;
}

int command_translate(int argc, char **argv)
{
    static struct gdt gdt;
    struct translate options;
    struct tables tables;
    parse_translate_options(&options, argc, argv);
    if (options.pid)
        return written(translate_pid(&options));
    struct translation t = {.options = &options, .format = &quire_pt_formats[options.mode]};
    bool paging = options.snapshot || options.nr_maps;
    if (!load_gdt(&gdt, &options) || (paging && !get_tables(&tables, &options)))
        return EXIT_FAILED;
    bool ok = t.has_linear = translate_segment(&t, &gdt);
    if (ok && paging)
        ok = translate_pages(&t, &tables);
    if (options.json)
        print_json(&t);
    else
        print_paper(&t);
    return written(ok ? EXIT_DONE : EXIT_FAILED);
}
