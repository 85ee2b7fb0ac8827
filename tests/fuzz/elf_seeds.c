/* tests/fuzz/elf_seeds.c: the corpus that elf_fuzz.c begins with: small programs of ELF_CLASS
 *
 *     quire-elf-seeds-CLASS FOLDER
 *
 * Writes a file a program there, two bytes of settings first: linked in the ways that linkers do,
 * and in some that none does.
 */
#include <stdio.h>
#include <string.h>

#include "task/elf.h"

#define LOAD 1
#define INTERPRETER 3
#define HEADERS 6 /* PT_PHDR */
#define STACK 0x6474e551
#define X 1
#define W 2
#define R 4
#define AT 0x400000
#define MOST_SEGMENTS 8
#define INTERPRETER_AT 0x400
#define FILE_BYTES 0x3200

static const char interpreter[] = "/lib/ld.so";

struct seed {
    const char *name;
    uint8_t settings[2];
    uint16_t type;
    size_t bytes; /* of the file; 0: FILE_BYTES */
    struct elf_segment segment[MOST_SEGMENTS];
};

#define SEGMENT(kind, rights, from, at, in_file, in_memory)                                        \
    {                                                                                              \
        .type = (kind), .flags = (rights), .offset = (from), .address = (at),                      \
        .file_size = (in_file), .memory_size = (in_memory), .align = 0x1000                        \
    }

static const struct seed seeds[] = {
    {"one-segment", {0, 0}, ELF_EXECUTABLE, 0, {SEGMENT(LOAD, R | X, 0, AT, 0x800, 0x800)}},
    {"static",
     {0, 0},
     ELF_EXECUTABLE,
     0,
     {SEGMENT(LOAD, R, 0, AT, 0x500, 0x500),
      SEGMENT(LOAD, R | X, 0x1000, AT + 0x1000, 0x900, 0x900),
      SEGMENT(LOAD, R, 0x2000, AT + 0x2000, 0x300, 0x300),
      SEGMENT(LOAD, R | W, 0x2e10, AT + 0x3e10, 0x1f0, 0x2400), SEGMENT(STACK, R | W, 0, 0, 0, 0)}},
    {"with-interpreter",
     {1, 0},
     ELF_SHARED,
     0,
     {SEGMENT(HEADERS, R, 0x40, 0x40, 0x1c0, 0x1c0),
      SEGMENT(INTERPRETER, R, INTERPRETER_AT, INTERPRETER_AT, sizeof interpreter,
              sizeof interpreter),
      SEGMENT(LOAD, R, 0, 0, 0x500, 0x500), SEGMENT(LOAD, R | X, 0x1000, 0x1000, 0x900, 0x900),
      SEGMENT(LOAD, R | W, 0x2e10, 0x3e10, 0x3f0, 0x1400), SEGMENT(STACK, R | W | X, 0, 0, 0, 0)}},
    {"static-pie", {0, 0}, ELF_SHARED, 0, {SEGMENT(LOAD, R | W | X, 0, 0, FILE_BYTES, 0x6000)}},
    {"in-the-way", {2, 0}, ELF_EXECUTABLE, 0, {SEGMENT(LOAD, R, 0, AT + 0x2000, 0x500, 0x500)}},
    {"over-each-other",
     {0, 0},
     ELF_EXECUTABLE,
     0,
     {SEGMENT(LOAD, R | W, 0, AT, FILE_BYTES, 0x5000),
      SEGMENT(LOAD, R | X, 0x1100, AT + 0x1100, 0x900, 0x900),
      SEGMENT(LOAD, R | W, 0x2000, AT + 0x3000, 0x10, 0x1010)}},
    {"zeros-only",
     {0, 0},
     ELF_EXECUTABLE,
     0,
     {SEGMENT(LOAD, R | W, 0, AT, 0, 0x3000), SEGMENT(LOAD, R, 0, AT + 0x8000, 1, 1)}},
    {"zeros-between",
     {0, 0},
     ELF_EXECUTABLE,
     0,
     {SEGMENT(LOAD, R | W, 0, AT, 0x800, 0x2800),
      SEGMENT(LOAD, R, 0x1000, AT + 0x3000, 0x800, 0x800)}},
    {"backwards",
     {0, 0},
     ELF_EXECUTABLE,
     0,
     {SEGMENT(LOAD, R, 0x2000, AT + 0x5000, 0x100, 0x100),
      SEGMENT(LOAD, R | W, 0x1000, AT, 0x100, 0x2000)}},
    {"shorter-than-it-says",
     {0, 0},
     ELF_EXECUTABLE,
     0x900,
     {SEGMENT(LOAD, R | X, 0, AT, 0x3000, 0x3000),
      SEGMENT(LOAD, R | W, 0, AT + 0x8000, 0x2f00, 0x4000)}},
    {"memory-fails",
     {1, 3},
     ELF_SHARED,
     0,
     {SEGMENT(LOAD, R | X, 0, 0, 0x1800, 0x1800),
      SEGMENT(LOAD, R | W, 0x2000, 0x2000, 0x800, 0x3000)}},
    {"without-rights",
     {0, 0},
     ELF_EXECUTABLE,
     0,
     {SEGMENT(LOAD, 0, 0, AT, 0x1800, 0x1800),
      SEGMENT(LOAD, X, 0x2000, AT + 0x2000, 0x800, 0x800)}},
    {"interpreter-beyond-all-files",
     {1, 0},
     ELF_SHARED,
     0,
     {SEGMENT(INTERPRETER, R, (elf_word)-256, 0, 11, 11), SEGMENT(LOAD, R, 0, 0, 0x500, 0x500)}},
    {"aligned-widely",
     {1, 0},
     ELF_SHARED,
     0,
     {{.type = LOAD, .flags = R | X, .file_size = 0x800, .memory_size = 0x800, .align = 0x200000}}},
};

static size_t make(uint8_t *to, const struct seed *seed)
{
    struct elf_header header = {.ident = {0x7f, 'E', 'L', 'F', ELF_CLASS, 1, 1},
                                .type = seed->type,
                                .machine = ELF_MACHINE,
                                .version = 1,
                                .entry = seed->segment[0].address + 0x200,
                                .phoff = sizeof header,
                                .ehsize = sizeof header,
                                .phentsize = sizeof(struct elf_segment)};
    while (header.phnum < MOST_SEGMENTS && seed->segment[header.phnum].type)
        header.phnum++;
    memcpy(to, seed->settings, 2);
    to += 2;
    for (size_t i = 0; i < FILE_BYTES; i++)
        to[i] = (uint8_t)(i / 7 + i / 0x1000);
    memcpy(to, &header, sizeof header);
    memcpy(to + sizeof header, seed->segment, header.phnum * sizeof(struct elf_segment));
    memcpy(to + INTERPRETER_AT, interpreter, sizeof interpreter);
    return 2 + (seed->bytes ? seed->bytes : FILE_BYTES);
}

int main(int argc, char **argv)
{
    static uint8_t bytes[2 + FILE_BYTES];
    for (size_t i = 0; argc == 2 && i < sizeof seeds / sizeof seeds[0]; i++) {
        char path[4096];
        snprintf(path, sizeof path, "%s/%s", argv[1], seeds[i].name);
        size_t size = make(bytes, &seeds[i]);
        FILE *file = fopen(path, "wb");
        if (!file || fwrite(bytes, 1, size, file) != size || fclose(file)) {
            perror(path);
            return 1;
        }
    }
    return argc != 2;
}
