/* tools/binary.c: reads ELF files of i386 and x86-64
 *
 * libelf takes care of the two classes and of files that end too early. Only what the kernel and
 * the dynamic linker look at is read: program headers and the dynamic section that they lead to.
 * Sections may be missing, or lie.
 */
#define _GNU_SOURCE
#include "binary.h"

#include <errno.h>
#include <limits.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

void binary_free(struct binary *binary)
{
    free(binary->interpreter);
    free(binary->rpath);
    free(binary->runpath);
    free(binary->soname);
    texts_free(&binary->needed);
    *binary = (struct binary){0};
}

#ifdef QUIRE_HAVE_LIBELF
#include <gelf.h>

#define MOST_ENTRIES 65536u /* of a dynamic section: a thousand times what the largest have */

struct reader {
    struct binary *binary;
    Elf *elf;
    int fd;
    size_t nr_headers;
    char *why;
};

__attribute__((format(printf, 3, 4))) static enum binary_result
fail(char *why, enum binary_result result, const char *format, ...)
{
    va_list list;
    va_start(list, format);
    vsnprintf(why, BINARY_WHY_BYTES, format, list);
    va_end(list);
    return result;
}

/* The text at an offset of the file, shorter than `limit` and PATH_MAX; NULL: there is none. */
static char *read_text(int fd, uint64_t offset, uint64_t limit)
{
    char found[PATH_MAX];
    size_t most = limit < sizeof found ? (size_t)limit : sizeof found;
    if (offset > INT64_MAX - sizeof found)
        return NULL;
    ssize_t got = pread(fd, found, most, (off_t)offset);
    if (got <= 0 || !memchr(found, '\0', (size_t)got))
        return NULL;
    return text("%s", found);
}

/* ---- the header ------------------------------------------------------------------------------ */

static const char *machine_name(unsigned machine)
{
    static const struct {
        unsigned machine;
        const char *name;
    } known[] = {
        {EM_AARCH64, "AArch64"},     {EM_ARM, "ARM"},   {EM_RISCV, "RISC-V"},
        {EM_PPC64, "PowerPC"},       {EM_S390, "s390"}, {EM_MIPS, "MIPS"},
        {EM_LOONGARCH, "LoongArch"},
    };
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++)
        if (known[i].machine == machine)
            return known[i].name;
    return "another machine";
}

/* The same bytes are at the beginning of both classes. */
static enum binary_result check_ident(const unsigned char *ident, size_t size, char *why)
{
    if (size < SELFMAG || memcmp(ident, ELFMAG, SELFMAG))
        return fail(why, BINARY_NOT_ELF, "is no ELF file");
    if (size < EI_NIDENT)
        return fail(why, BINARY_BROKEN, "is cut off within its ELF header");
    if (ident[EI_CLASS] != ELFCLASS32 && ident[EI_CLASS] != ELFCLASS64)
        return fail(why, BINARY_BROKEN, "is of ELF class %u, which there isn't", ident[EI_CLASS]);
    if (ident[EI_DATA] == ELFDATA2MSB)
        return fail(why, BINARY_FOREIGN, "is for a big-endian machine, not for x86");
    if (ident[EI_DATA] != ELFDATA2LSB || ident[EI_VERSION] != EV_CURRENT)
        return fail(why, BINARY_BROKEN, "has an ELF header that makes no sense");
    return BINARY_READ;
}

static enum binary_result read_header(struct reader *reader)
{
    GElf_Ehdr header;
    struct binary *binary = reader->binary;
    if (!gelf_getehdr(reader->elf, &header))
        return fail(reader->why, BINARY_BROKEN, "is cut off within its ELF header");
    unsigned bits = gelf_getclass(reader->elf) == ELFCLASS64 ? 64 : 32;
    if (header.e_machine == EM_X86_64 && bits == 32)
        return fail(reader->why, BINARY_FOREIGN,
                    "is for x32 (64-bit registers, 32-bit pointers), not for i386 or x86-64");
    if (header.e_machine != (bits == 64 ? EM_X86_64 : EM_386))
        return fail(reader->why, BINARY_FOREIGN, "is for %s (%u), not for i386 or x86-64",
                    machine_name(header.e_machine), header.e_machine);
    binary->bits = bits;
    binary->runs = header.e_type == ET_EXEC || header.e_type == ET_DYN;
    if (header.e_phnum && header.e_phentsize != gelf_fsize(reader->elf, ELF_T_PHDR, 1, EV_CURRENT))
        return fail(reader->why, BINARY_BROKEN, "has program headers of %u bytes",
                    header.e_phentsize);
    if (elf_getphdrnum(reader->elf, &reader->nr_headers))
        return fail(reader->why, BINARY_BROKEN, "has broken program headers: %s", elf_errmsg(-1));
    /* Of those that are beyond the end, libelf says nothing. */
    if (header.e_phnum != PN_XNUM && reader->nr_headers < header.e_phnum)
        return fail(reader->why, BINARY_BROKEN, "is cut off within its program headers");
    return BINARY_READ;
}

/* ---- the dynamic section --------------------------------------------------------------------- */

/* Where in the file an address of memory comes from, and in *left how many bytes from there on. */
static bool find_address(const struct reader *reader, uint64_t address, uint64_t *offset,
                         uint64_t *left)
{
    GElf_Phdr header;
    for (size_t i = 0; i < reader->nr_headers; i++) {
        if (!gelf_getphdr(reader->elf, (int)i, &header) || header.p_type != PT_LOAD ||
            address < header.p_vaddr || address - header.p_vaddr >= header.p_filesz)
            continue;
        uint64_t within = address - header.p_vaddr;
        *left = header.p_filesz - within;
        return !__builtin_add_overflow(header.p_offset, within, offset);
    }
    return false;
}

/* The strings' offset in the file and their size. */
static bool find_strings(const struct reader *reader, Elf_Data *dynamic, size_t count,
                         uint64_t *offset, uint64_t *size)
{
    uint64_t address = 0, left;
    GElf_Dyn entry;
    *size = 0;
    for (size_t i = 0; i < count && gelf_getdyn(dynamic, (int)i, &entry); i++) {
        if (entry.d_tag == DT_NULL)
            break;
        if (entry.d_tag == DT_STRTAB)
            address = entry.d_un.d_ptr;
        if (entry.d_tag == DT_STRSZ)
            *size = entry.d_un.d_val;
    }
    if (!find_address(reader, address, offset, &left))
        return false;
    if (*size > left)
        *size = left;
    return true;
}

/* Puts the text of an entry where it belongs. */
static bool keep(struct binary *binary, int64_t tag, char *found)
{
    char **place = tag == DT_RPATH     ? &binary->rpath
                   : tag == DT_RUNPATH ? &binary->runpath
                                       : &binary->soname;
    if (!found)
        return false;
    if (tag == DT_NEEDED) {
        texts_add(&binary->needed, found);
        return true;
    }
    free(*place);
    *place = found;
    return true;
}

static enum binary_result read_entries(struct reader *reader, Elf_Data *dynamic, size_t count)
{
    uint64_t strings = 0, size;
    GElf_Dyn entry;
    bool have_strings = find_strings(reader, dynamic, count, &strings, &size);
    for (size_t i = 0; i < count && gelf_getdyn(dynamic, (int)i, &entry); i++) {
        if (entry.d_tag == DT_NULL)
            break;
        if (entry.d_tag == DT_FLAGS_1)
            reader->binary->no_default = entry.d_un.d_val & DF_1_NODEFLIB;
        if (entry.d_tag != DT_NEEDED && entry.d_tag != DT_RPATH && entry.d_tag != DT_RUNPATH &&
            entry.d_tag != DT_SONAME)
            continue;
        uint64_t at = entry.d_un.d_val;
        if (!have_strings || at >= size ||
            !keep(reader->binary, entry.d_tag, read_text(reader->fd, strings + at, size - at)))
            return fail(reader->why, BINARY_BROKEN,
                        "is cut off or broken: its dynamic section names something that isn't "
                        "there");
    }
    return BINARY_READ;
}

static enum binary_result read_dynamic(struct reader *reader, const GElf_Phdr *header)
{
    size_t bytes = gelf_fsize(reader->elf, ELF_T_DYN, 1, EV_CURRENT);
    uint64_t count = header->p_filesz / bytes;
    if (count > MOST_ENTRIES)
        return fail(reader->why, BINARY_BROKEN, "has a dynamic section of %llu entries",
                    (unsigned long long)count);
    if (!count) /* as in files that hold debug information alone */
        return BINARY_READ;
    Elf_Data *dynamic = header->p_offset > INT64_MAX
                            ? NULL
                            : elf_getdata_rawchunk(reader->elf, (int64_t)header->p_offset,
                                                   (size_t)(count * bytes), ELF_T_DYN);
    if (!dynamic)
        return fail(reader->why, BINARY_BROKEN, "is cut off before its dynamic section");
    return read_entries(reader, dynamic, (size_t)count);
}

static enum binary_result read_headers(struct reader *reader)
{
    enum binary_result result = BINARY_READ;
    struct binary *binary = reader->binary;
    bool dynamic = false;
    for (size_t i = 0; i < reader->nr_headers && result == BINARY_READ; i++) {
        GElf_Phdr header;
        if (!gelf_getphdr(reader->elf, (int)i, &header))
            return fail(reader->why, BINARY_BROKEN, "is cut off within its program headers");
        if (header.p_type == PT_INTERP && !binary->interpreter) {
            binary->interpreter = read_text(reader->fd, header.p_offset, header.p_filesz);
            if (!binary->interpreter)
                return fail(reader->why, BINARY_BROKEN,
                            "is cut off or broken: its interpreter's name isn't there");
        }
        if (header.p_type == PT_DYNAMIC && !dynamic) {
            dynamic = true;
            result = read_dynamic(reader, &header);
        }
    }
    return result;
}

enum binary_result binary_read(struct binary *binary, int fd, char why[BINARY_WHY_BYTES])
{
    unsigned char ident[EI_NIDENT];
    *binary = (struct binary){0};
    ssize_t got = pread(fd, ident, sizeof ident, 0);
    if (got < 0)
        return fail(why, BINARY_UNREAD, "can't be read: %s", strerror(errno));
    enum binary_result result = check_ident(ident, (size_t)got, why);
    if (result != BINARY_READ)
        return result;
    elf_version(EV_CURRENT);
    struct reader reader = {
        .binary = binary, .elf = elf_begin(fd, ELF_C_READ, NULL), .fd = fd, .why = why};
    if (!reader.elf)
        return fail(why, BINARY_UNREAD, "can't be read: %s", elf_errmsg(-1));
    result = read_header(&reader);
    if (result == BINARY_READ)
        result = read_headers(&reader);
    elf_end(reader.elf);
    if (result != BINARY_READ)
        binary_free(binary);
    return result;
}

#else

enum binary_result binary_read(struct binary *binary, int fd, char why[BINARY_WHY_BYTES])
{
    (void)fd;
    *binary = (struct binary){0};
    snprintf(why, BINARY_WHY_BYTES,
             "can't be looked at, since this quire was built without libelf: install its headers "
             "(Debian: libelf-dev) and build it again");
    return BINARY_UNREAD;
}

#endif
