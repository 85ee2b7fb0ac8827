/* kernel/task/elf.c: executable files are read and mapped
 *
 * Nothing in a file is believed: offsets and sizes are checked for wrapping before they are added,
 * and what lies outside the program's addresses is refused by mmap. As Linux does, a file may be
 * shorter than its segments say; who touches what isn't there gets SIGBUS.
 */
#include "task/elf.h"

#include "base/bits.h"
#include "errno.h"
#include "fs/file.h"
#include "kernel.h"
#include "memory.h"

#define SEGMENT_LOAD 1
#define SEGMENT_INTERPRETER 3
#define SEGMENT_STACK 0x6474e551
#define FLAG_EXECUTE 1
#define FLAG_WRITE 2
#define FLAG_READ 4
#define MAX_HEADER_BYTES QUIRE_PAGE_SIZE /* of all program headers, as on Linux */

/* `shorter`: what it is when the file ends before. */
static int read_exactly(struct file *file, uint64_t at, void *to, size_t size, int shorter)
{
    int64_t got = file_pread(file, at, to, size);
    if (got < 0)
        return (int)got;
    return (size_t)got == size ? 0 : shorter;
}

/* Of the identification Linux looks at these bytes only. */
static bool is_ours(const struct elf_header *header)
{
    static const uint8_t magic[] = {0x7f, 'E', 'L', 'F'};
    return !memcmp(header->ident, magic, sizeof magic) && header->machine == ELF_MACHINE &&
           (header->type == ELF_EXECUTABLE || header->type == ELF_SHARED) &&
           header->phentsize == sizeof(struct elf_segment) && header->phnum &&
           header->phnum * sizeof(struct elf_segment) <= MAX_HEADER_BYTES;
}

/* Addresses and sizes that can be added, and agree within a page if anything is mapped of the file:
 * of a segment without bytes in it Linux doesn't look at the offset. */
static bool makes_sense(const struct elf_segment *segment)
{
    elf_word end;
    return segment->file_size <= segment->memory_size &&
           !__builtin_add_overflow(segment->address, segment->memory_size, &end) &&
           end <= (elf_word)-QUIRE_PAGE_SIZE &&
           (!segment->file_size ||
            (!__builtin_add_overflow(segment->offset, segment->file_size, &end) &&
             !((segment->address ^ segment->offset) & (QUIRE_PAGE_SIZE - 1))));
}

static int look_at_segments(struct elf *elf)
{
    elf->low = (elf_word)-1;
    elf->high = 0;
    for (unsigned i = 0; i < elf->header.phnum; i++) {
        const struct elf_segment *segment = &elf->segments[i];
        if (segment->type == SEGMENT_STACK)
            elf->executable_stack = segment->flags & FLAG_EXECUTE;
        if (segment->type != SEGMENT_LOAD)
            continue;
        if (!makes_sense(segment))
            return -ENOEXEC;
        if (!segment->memory_size)
            continue;
        elf_word low = segment->address & ~(elf_word)(QUIRE_PAGE_SIZE - 1);
        if (low < elf->low)
            elf->low = low;
        if (segment->address + segment->memory_size > elf->high)
            elf->high = segment->address + segment->memory_size;
    }
    return elf->high > elf->low ? 0 : -ENOEXEC;
}

int elf_read(struct elf *elf, struct file *file, int shorter)
{
    *elf = (struct elf){.file = file};
    int error = read_exactly(file, 0, &elf->header, sizeof elf->header, shorter);
    if (error)
        return error;
    if (!is_ours(&elf->header))
        return -ENOEXEC;
    error = file_mapping(file, &elf->mapping);
    if (error)
        return error == -ENODEV ? -ENOEXEC : error;
    size_t size = elf->header.phnum * sizeof *elf->segments;
    elf->segments = quire_kmalloc(machine_slab, size, QUIRE_GFP_KERNEL);
    if (!elf->segments)
        return -ENOMEM;
    error = read_exactly(file, elf->header.phoff, elf->segments, size, -ENOEXEC);
    if (!error)
        error = look_at_segments(elf);
    else if (error == -EINVAL) /* an offset that no file has */
        error = -ENOEXEC;
    if (error)
        elf_free(elf);
    return error;
}

void elf_free(struct elf *elf)
{
    quire_kfree(machine_slab, elf->segments);
    elf->segments = NULL;
}

static const struct elf_segment *interpreter_of(const struct elf *elf)
{
    for (unsigned i = 0; i < elf->header.phnum; i++)
        if (elf->segments[i].type == SEGMENT_INTERPRETER)
            return &elf->segments[i];
    return NULL;
}

bool elf_has_interpreter(const struct elf *elf)
{
    return interpreter_of(elf);
}

int elf_interpreter(const struct elf *elf, char *path, size_t size)
{
    const struct elf_segment *segment = interpreter_of(elf);
    if (!segment)
        return 0;
    if (segment->file_size < 2 || segment->file_size > size)
        return -ENOEXEC;
    int error = read_exactly(elf->file, segment->offset, path, (size_t)segment->file_size, -EIO);
    if (error)
        return error;
    return path[segment->file_size - 1] ? -ENOEXEC : (int)segment->file_size - 1;
}

/* ---- mapping --------------------------------------------------------------------------------- */

static unsigned protection(const struct elf_segment *segment)
{
    return (segment->flags & FLAG_READ ? QUIRE_PROT_READ : 0) |
           (segment->flags & FLAG_WRITE ? QUIRE_PROT_WRITE : 0) |
           (segment->flags & FLAG_EXECUTE ? QUIRE_PROT_EXEC : 0);
}

/* `over`: QUIRE_MAP_FIXED for what may replace what is there, or QUIRE_MAP_FIXED_NOREPLACE. */
static int map(struct quire_mm *mm, uint64_t from, uint64_t to, unsigned prot, unsigned over,
               struct quire_mapping *mapping, uint64_t offset)
{
    unsigned flags = over | QUIRE_MAP_PRIVATE | (mapping ? 0 : QUIRE_MAP_ANONYMOUS);
    if (to > (quire_linear_t)-1)
        return -ENOMEM;
    int64_t at = quire_mmap(mm, (quire_linear_t)from, to - from, prot, flags, mapping, offset);
    return at < 0 ? (int)at : 0;
}

/* Beyond the file's part: the rest of its last page is cleared, whole pages are mapped anew. What
 * can't be written isn't cleared, as on Linux. */
static int map_rest(struct quire_mm *mm, const struct elf_segment *segment, uint64_t bias,
                    unsigned over)
{
    uint64_t end = bias + segment->address + segment->memory_size;
    uint64_t file_end = bias + segment->address + segment->file_size;
    uint64_t page_end = quire_align_up(file_end, QUIRE_PAGE_SIZE);
    if (segment->file_size && page_end > file_end && (segment->flags & FLAG_WRITE) &&
        quire_clear_user(mm, (quire_linear_t)file_end, (size_t)(page_end - file_end)))
        return -EFAULT;
    if (!segment->file_size)
        page_end = quire_align_down(file_end, QUIRE_PAGE_SIZE);
    end = quire_align_up(end, QUIRE_PAGE_SIZE);
    return end > page_end ? map(mm, page_end, end, protection(segment), over, NULL, 0) : 0;
}

static int map_segment(const struct elf *elf, struct quire_mm *mm,
                       const struct elf_segment *segment, uint64_t bias, unsigned over)
{
    uint64_t start = bias + quire_align_down(segment->address, QUIRE_PAGE_SIZE);
    uint64_t end = quire_align_up(bias + segment->address + segment->file_size, QUIRE_PAGE_SIZE);
    if (segment->file_size) {
        int error = map(mm, start, end, protection(segment), over, elf->mapping,
                        quire_align_down(segment->offset, QUIRE_PAGE_SIZE));
        if (error)
            return error;
    }
    return segment->memory_size > segment->file_size ? map_rest(mm, segment, bias, over) : 0;
}

static void note_place(const struct elf *elf, const struct elf_segment *segment,
                       struct elf_place *place)
{
    uint64_t start = place->bias + segment->address;
    uint64_t file_end = start + segment->file_size, end = start + segment->memory_size;
    if (start < place->start_code)
        place->start_code = start;
    if ((segment->flags & FLAG_EXECUTE) && file_end > place->end_code)
        place->end_code = file_end;
    if (start > place->start_data)
        place->start_data = start;
    if (file_end > place->end_data)
        place->end_data = file_end;
    if (end > place->end)
        place->end = end;
    if (elf->header.phoff >= segment->offset &&
        elf->header.phoff - segment->offset < segment->file_size)
        place->headers = start + (elf->header.phoff - segment->offset);
}

/* Room for the whole of it, found by mapping it once and taking it back. */
static int find_room(const struct elf *elf, struct quire_mm *mm, quire_linear_t *base)
{
    int64_t at = quire_mmap(mm, 0, elf->high - elf->low, QUIRE_PROT_NONE,
                            QUIRE_MAP_PRIVATE | QUIRE_MAP_ANONYMOUS | QUIRE_MAP_NORESERVE, NULL, 0);
    if (at < 0)
        return (int)at;
    *base = (quire_linear_t)at;
    return quire_munmap(mm, *base, quire_align_up(elf->high - elf->low, QUIRE_PAGE_SIZE));
}

/* The largest that a segment asks for; what is no power of two isn't looked at. */
static elf_word alignment(const struct elf *elf)
{
    elf_word most = QUIRE_PAGE_SIZE;
    for (unsigned i = 0; i < elf->header.phnum; i++) {
        elf_word align = elf->segments[i].align;
        if (elf->segments[i].type == SEGMENT_LOAD && !(align & (align - 1)) && align > most)
            most = align;
    }
    return most;
}

int elf_map(const struct elf *elf, struct quire_mm *mm, quire_linear_t base,
            struct elf_place *place)
{
    /* A program's segments may lie over each other: the later ones count, as on Linux. */
    unsigned over = QUIRE_MAP_FIXED_NOREPLACE;
    *place = (struct elf_place){.start_code = UINT64_MAX};
    base &= ~(quire_linear_t)(alignment(elf) - 1);
    if (elf->header.type == ELF_SHARED) {
        int error = base ? 0 : find_room(elf, mm, &base);
        if (error)
            return error;
        place->bias = (uint64_t)base - elf->low;
    }
    for (unsigned i = 0; i < elf->header.phnum; i++) {
        const struct elf_segment *segment = &elf->segments[i];
        if (segment->type != SEGMENT_LOAD || !segment->memory_size)
            continue;
        int error = map_segment(elf, mm, segment, place->bias, over);
        if (error)
            return error;
        over = QUIRE_MAP_FIXED;
        note_place(elf, segment, place);
    }
    place->entry = place->bias + elf->header.entry;
    return 0;
}
