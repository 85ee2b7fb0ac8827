/* tests/program/elf_image.c: small ELF files, made by hand
 *
 * Header, three program headers (interpreter, one loaded segment with everything, dynamic section),
 * the strings, the dynamic section.
 */
#include "tests/program/elf_image.h"

#include <elf.h>
#include <string.h>

#define BASE 0x400000u

static const char strings[] = "\0libone.so.1\0libtwo.so\0/lib/ld.so\0/r\0$ORIGIN/../lib\0self.so";
enum { AT_ONE = 1, AT_TWO = 13, AT_LINKER = 23, AT_RPATH = 34, AT_RUNPATH = 37, AT_SELF = 52 };

static void put(struct elf_image *image, size_t bytes, uint64_t value)
{
    elf_image_patch(image, image->size, bytes, value);
    image->size += bytes;
}

void elf_image_patch(struct elf_image *image, size_t at, size_t bytes, uint64_t value)
{
    for (size_t i = 0; i < bytes; i++)
        image->bytes[at + i] = (uint8_t)(value >> (8 * i));
}

static void put_header(struct elf_image *image, unsigned bits, unsigned machine)
{
    size_t word = bits / 8;
    unsigned char ident[EI_NIDENT] = {ELFMAG0, ELFMAG1,     ELFMAG2,   ELFMAG3,
                                      0,       ELFDATA2LSB, EV_CURRENT};
    ident[EI_CLASS] = bits == 64 ? ELFCLASS64 : ELFCLASS32;
    memcpy(image->bytes, ident, sizeof ident);
    image->size = sizeof ident;
    size_t header = bits == 64 ? sizeof(Elf64_Ehdr) : sizeof(Elf32_Ehdr);
    put(image, 2, ET_DYN);
    put(image, 2, machine);
    put(image, 4, EV_CURRENT);
    put(image, word, BASE);
    put(image, word, header);
    put(image, word, 0); /* no sections */
    put(image, 4, 0);
    put(image, 2, header);
    put(image, 2, bits == 64 ? sizeof(Elf64_Phdr) : sizeof(Elf32_Phdr));
    put(image, 2, 3);
    put(image, 6, 0);
}

static void put_segment(struct elf_image *image, unsigned bits, uint32_t type, uint64_t offset,
                        uint64_t size)
{
    size_t word = bits / 8;
    put(image, 4, type);
    if (bits == 64)
        put(image, 4, PF_R);
    put(image, word, offset);
    put(image, word, BASE + offset);
    put(image, word, BASE + offset);
    put(image, word, size);
    put(image, word, size);
    if (bits == 32)
        put(image, 4, PF_R);
    put(image, word, 1);
}

void elf_image_make(struct elf_image *image, unsigned bits, unsigned machine)
{
    const struct {
        uint64_t tag, value;
    } entries[] = {
        {DT_NEEDED, AT_ONE},        {DT_NEEDED, AT_TWO},  {DT_RPATH, AT_RPATH},
        {DT_RUNPATH, AT_RUNPATH},   {DT_SONAME, AT_SELF}, {DT_STRTAB, 0},
        {DT_STRSZ, sizeof strings}, {DT_NULL, 0},
    };
    size_t word = bits / 8, count = sizeof entries / sizeof entries[0];
    *image = (struct elf_image){0};
    put_header(image, bits, machine);
    size_t segment = bits == 64 ? sizeof(Elf64_Phdr) : sizeof(Elf32_Phdr);
    image->strings = image->size + 3 * segment;
    image->dynamic = (image->strings + sizeof strings + 7) & ~(size_t)7;
    put_segment(image, bits, PT_INTERP, image->strings + AT_LINKER, sizeof "/lib/ld.so");
    put_segment(image, bits, PT_LOAD, 0, image->dynamic + 2 * word * count);
    put_segment(image, bits, PT_DYNAMIC, image->dynamic, 2 * word * count);
    memcpy(image->bytes + image->size, strings, sizeof strings);
    image->size = image->dynamic;
    for (size_t i = 0; i < count; i++) {
        put(image, word, entries[i].tag);
        put(image, word, entries[i].tag == DT_STRTAB ? BASE + image->strings : entries[i].value);
    }
}
