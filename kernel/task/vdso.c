/* kernel/task/vdso.c: the shared object that every program has
 *
 * Its pages are shared by all programs, as those of a file that nobody can write.
 */
#include "task/vdso.h"

#include <quire/file.h>

#include "errno.h"
#include "kernel.h"
#include "memory.h"
#include "string.h"
#include "task/elf.h"

#define IMAGE_PAGES 2u
#define DATA_PAGES 4u
#define SECTION_DYNAMIC_SYMBOLS 11

extern const char vdso_image[], vdso_image_end[];

static struct quire_mapping *image, *data;

static int make_mapping(struct quire_mapping **mapping, const char *name, unsigned pages)
{
    return quire_mapping_create(
        mapping, machine_vm,
        &(struct quire_mapping_config){
            .name = name, .size = (uint64_t)pages << QUIRE_PAGE_SHIFT, .may_exec = true});
}

static int make_image(void)
{
    size_t size = (size_t)(vdso_image_end - vdso_image);
    if (size > IMAGE_PAGES << QUIRE_PAGE_SHIFT)
        panic("the vDSO has %zu bytes", size);
    int error = make_mapping(&data, "[vvar]", DATA_PAGES);
    if (!error)
        error = make_mapping(&image, "[vdso]", IMAGE_PAGES);
    if (error)
        return error;
    int64_t written = quire_mapping_write(image, 0, vdso_image, size);
    return written < 0 ? (int)written : 0;
}

static int map_at(struct quire_mm *mm, quire_linear_t at, unsigned pages, unsigned prot,
                  struct quire_mapping *mapping)
{
    int64_t got = quire_mmap(mm, at, (uint64_t)pages << QUIRE_PAGE_SHIFT, prot,
                             QUIRE_MAP_PRIVATE | QUIRE_MAP_FIXED, mapping, 0);
    return got < 0 ? (int)got : 0;
}

int vdso_map(struct quire_mm *mm, quire_linear_t *base)
{
    const uint64_t size = (uint64_t)(DATA_PAGES + IMAGE_PAGES) << QUIRE_PAGE_SHIFT;
    int error = image ? 0 : make_image();
    if (error)
        return error;
    int64_t at = quire_mmap(mm, 0, size, QUIRE_PROT_NONE,
                            QUIRE_MAP_PRIVATE | QUIRE_MAP_ANONYMOUS | QUIRE_MAP_NORESERVE, NULL, 0);
    if (at < 0)
        return (int)at;
    *base = (quire_linear_t)at + (DATA_PAGES << QUIRE_PAGE_SHIFT);
    error = map_at(mm, (quire_linear_t)at, DATA_PAGES, QUIRE_PROT_READ, data);
    return error ? error : map_at(mm, *base, IMAGE_PAGES, QUIRE_PROT_READ | QUIRE_PROT_EXEC, image);
}

#if defined(__x86_64__)
quire_linear_t vdso_function(quire_linear_t base, const char *name)
{
    (void)base;
    (void)name;
    return 0;
}
#else
struct elf_section {
    uint32_t name, type, flags, address, offset, size, link, info, align, entry_size;
};

struct elf_symbol {
    uint32_t name, value, size;
    uint8_t info, other;
    uint16_t section;
};

quire_linear_t vdso_function(quire_linear_t base, const char *name)
{
    const struct elf_header *header = (const void *)vdso_image;
    const struct elf_section *section = (const void *)(vdso_image + header->shoff);
    for (unsigned i = 0; i < header->shnum; i++) {
        if (section[i].type != SECTION_DYNAMIC_SYMBOLS)
            continue;
        const struct elf_symbol *symbol = (const void *)(vdso_image + section[i].offset);
        const char *names = vdso_image + section[section[i].link].offset;
        for (unsigned j = 0; j < section[i].size / sizeof *symbol; j++)
            if (string_equal(names + symbol[j].name, name))
                return base + symbol[j].value;
    }
    return 0;
}
#endif
