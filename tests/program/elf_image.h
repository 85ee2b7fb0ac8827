/* tests/program/elf_image.h: small ELF files, made by hand */
#ifndef TESTS_PROGRAM_ELF_IMAGE_H
#define TESTS_PROGRAM_ELF_IMAGE_H

#include <stddef.h>
#include <stdint.h>

#define ELF_IMAGE_BYTES 1024u

struct elf_image {
    uint8_t bytes[ELF_IMAGE_BYTES];
    size_t size;
    size_t strings, dynamic; /* where in the file they are */
};

/* A dynamic program of 32 or 64 bits for the machine: it needs libone.so.1 and libtwo.so, has the
 * interpreter /lib/ld.so, the RPATH /r, the RUNPATH $ORIGIN/../lib and the SONAME self.so. */
void elf_image_make(struct elf_image *image, unsigned bits, unsigned machine);

/* Overwrites `bytes` bytes of a little-endian number. */
void elf_image_patch(struct elf_image *image, size_t at, size_t bytes, uint64_t value);

#endif
