/* kernel/task/elf.h: executable files (System V ABI, gABI chapter 5), of this kernel's class */
#ifndef KERNEL_TASK_ELF_H
#define KERNEL_TASK_ELF_H

#include <quire/vm.h>

struct file;

#ifndef ELF_CLASS /* a test on the host reads the other one, too */
#if defined(__x86_64__)
#define ELF_CLASS 2
#else
#define ELF_CLASS 1
#endif
#endif

#if ELF_CLASS == 2
#define ELF_MACHINE 62
typedef uint64_t elf_word;
#else
#define ELF_MACHINE 3
typedef uint32_t elf_word;
#endif

struct elf_header {
    uint8_t ident[16];
    uint16_t type, machine;
    uint32_t version;
    elf_word entry, phoff, shoff;
    uint32_t flags;
    uint16_t ehsize, phentsize, phnum, shentsize, shnum, shstrndx;
};

struct elf_segment {
    uint32_t type;
#if ELF_CLASS == 2
    uint32_t flags;
    uint64_t offset, address, physical, file_size, memory_size, align;
#else
    uint32_t offset, address, physical, file_size, memory_size, flags, align;
#endif
};

#define ELF_EXECUTABLE 2
#define ELF_SHARED 3 /* position-independent */

/* A file's headers, checked as far as they can be without its content. */
struct elf {
    struct file *file;
    struct quire_mapping *mapping; /* the file's */
    struct elf_header header;
    struct elf_segment *segments;
    elf_word low, high; /* of all that is loaded, low of whole pages; high > low */
    bool executable_stack;
};

/* -ENOEXEC: not such a file, or one that makes no sense; -ENOMEM; what reading it says. `shorter`:
 * what it is when the file is shorter than a header. */
QUIRE_MUST_CHECK int elf_read(struct elf *elf, struct file *file, int shorter);
void elf_free(struct elf *elf);
bool elf_has_interpreter(const struct elf *elf);
/* The interpreter's path into `path`: its length, 0 if there is none. -ENOEXEC; -EIO: it lies
 * beyond the file's end; -EINVAL: beyond what a file can be. */
QUIRE_MUST_CHECK int elf_interpreter(const struct elf *elf, char *path, size_t size);

/* Where it was mapped. */
struct elf_place {
    uint64_t bias, entry, headers; /* headers: the program headers in memory, or 0 */
    uint64_t start_code, end_code, start_data, end_data, end;
};

/* Maps its segments into an address space: at their addresses, or those plus a bias if it is
 * position-independent: `base`, aligned down as the segments ask, for its first page, or 0:
 * wherever there is room. Private file mappings, and zero pages for what isn't in the file. The
 * first segment replaces nothing that is mapped; the others may lie over it, and over each other.
 * Some of it may be mapped when it fails. */
QUIRE_MUST_CHECK int elf_map(const struct elf *elf, struct quire_mm *mm, quire_linear_t base,
                             struct elf_place *place);

#endif
