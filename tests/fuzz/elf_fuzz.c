/* tests/fuzz/elf_fuzz.c: any bytes as a program that the kernel is to run
 *
 * kernel/task/elf.c, compiled for this host, reads an input as an ELF file of ELF_CLASS, and maps
 * it into an address space of a small machine. The first byte of an input says where, the second
 * which allocation fails; the rest is the file.
 *
 * What must hold: a refusal is one of the errors that Linux gives; what is mapped lies where the
 * segments say, in the program's part of the addresses, with their rights; each byte is the file's
 * or 0, as the last segment there wants it; what is in the way of the first segment stays; what can
 * be mapped is; and afterwards nothing is left.
 */
#include <stdio.h>
#include <stdlib.h>

#include "errno.h"
#include "fs/file.h"
#include "kernel.h"
#include "memory.h"
#include "ports/sim/sim.h"
#include "task/elf.h"

#define EXPECT(condition)                                                                          \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            fprintf(stderr, "%s:%d: not so: %s\n", __FILE__, __LINE__, #condition);                \
            abort();                                                                               \
        }                                                                                          \
    } while (0)

#define PAGE ((quire_linear_t)QUIRE_PAGE_SIZE)
#define MEMORY_BYTES ((quire_phys_t)2 << 20)
#define LONGEST_FILE 65536u
#define LONGEST_PATH 4096u
#define FEW_PAGES 64u        /* so many there is memory for */
#define MOST_LOOKED_INTO 16u /* segments, whose pages and tables there is memory for */
/* Settings. */
#define HAS_BASE 1u
#define IS_IN_THE_WAY 2u
#define WAY_START 0x400000u
#define WAY_PAGES 4u

#if ELF_CLASS == 2
#define FORMAT QUIRE_PT_FORMAT_X86_64
#define LAYOUT quire_mm_layout_x86_64
#define BASE 0x555555554000u
#else
#define FORMAT QUIRE_PT_FORMAT_PAE
#define LAYOUT quire_mm_layout_i386
#define BASE 0x400000u
#endif

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct quire_slab *machine_slab;

static struct quire_vm *vm;
static struct quire_mem *mem;
static struct quire_port_mem port;
static struct quire_sim sim;
static struct quire_sim_cpu cpu;
static unsigned long free_before;
static unsigned fail_at;
static bool failed;
static const uint8_t *bytes; /* the file's */
static size_t nr_bytes;

/* ---- the machine ----------------------------------------------------------------------------- */

static bool fail_once(void *arg)
{
    (void)arg;
    if (!fail_at || --fail_at)
        return false;
    failed = true;
    return true;
}

static void hear_nothing(int level, const char *text)
{
    (void)level;
    (void)text;
}

static void start(void)
{
    static struct quire_memblock map;
    quire_posix_set_log(hear_nothing);
    EXPECT(!quire_posix_mem_create(&port, MEMORY_BYTES));
    quire_posix_set_cpu(0);
    quire_memblock_init(&map, "fuzz", &port);
    EXPECT(!quire_memblock_add(&map, 0, MEMORY_BYTES, 0, QUIRE_MEMBLOCK_RAM));
    struct quire_mem_config config = {.port = &port, .nr_cpus = 1};
    EXPECT(!quire_mem_init(&mem, &map, &config));
    sim = (struct quire_sim){.port = port,
                             .memory = {.base = port.base, .size = MEMORY_BYTES},
                             .cpu = &cpu,
                             .nr_cpus = 1};
    quire_sim_init(&sim);
    free_before = quire_nr_free_pages(mem);
    fail_at = 0;
    failed = false;
    struct quire_slab_config objects = {.debug = "FZP", .fail = fail_once, .fail_objects = true};
    EXPECT(!quire_slab_init(&machine_slab, mem, &objects));
    struct quire_vm_config vm_config = {.mem = mem,
                                        .slab = machine_slab,
                                        .format = FORMAT,
                                        .flush = quire_sim_tlb_flush,
                                        .flush_arg = &sim};
    EXPECT(!quire_vm_init(&vm, &vm_config));
}

static void end(void)
{
    EXPECT(!quire_vm_destroy(vm));
    quire_slab_check(machine_slab);
    EXPECT(!quire_slab_destroy(machine_slab));
    quire_mem_check(mem);
    EXPECT(quire_nr_free_pages(mem) == free_before);
    EXPECT(!quire_mem_destroy(mem));
    quire_posix_mem_destroy(&port, MEMORY_BYTES);
}

/* ---- the file: a mapping is all that elf.c asks of it ---------------------------------------- */

int64_t file_pread(struct file *file, uint64_t at, void *to, size_t size)
{
    return at > INT64_MAX ? -EINVAL : quire_mapping_read(file->data, at, to, size);
}

int file_mapping(struct file *file, struct quire_mapping **mapping)
{
    *mapping = file->data;
    return 0;
}

static void file_start(struct file *file)
{
    struct quire_mapping *mapping;
    struct quire_mapping_config config = {.name = "/program", .size = nr_bytes, .may_exec = true};
    EXPECT(!quire_mapping_create(&mapping, vm, &config));
    EXPECT(quire_mapping_write(mapping, 0, bytes, nr_bytes) == (int64_t)nr_bytes);
    *file = (struct file){.data = mapping};
}

/* ---- what has to come of it ------------------------------------------------------------------ */

static quire_linear_t page_of(quire_linear_t address)
{
    return address & ~(PAGE - 1);
}

static bool is_loaded(const struct elf_segment *segment)
{
    return segment->type == 1 && segment->memory_size;
}

/* The segment that counts at an address: the last whose pages reach it. */
static const struct elf_segment *segment_at(const struct elf *elf, quire_linear_t address)
{
    const struct elf_segment *found = NULL;
    for (unsigned i = 0; i < elf->header.phnum; i++) {
        const struct elf_segment *segment = &elf->segments[i];
        quire_linear_t last = (quire_linear_t)segment->address + segment->memory_size - 1;
        if (is_loaded(segment) && page_of(segment->address) <= address &&
            page_of(address) <= page_of(last))
            found = segment;
    }
    return found;
}

/* The byte there; -1: the file ends before its page. `address` without the bias. */
static int byte_at(const struct elf_segment *segment, quire_linear_t address)
{
    quire_linear_t file_end = (quire_linear_t)segment->address + segment->file_size;
    if (!segment->file_size || page_of(address) > page_of(file_end - 1))
        return 0;
    uint64_t offset = segment->offset + address - segment->address;
    if ((offset & ~(uint64_t)(QUIRE_PAGE_SIZE - 1)) >= nr_bytes)
        return -1;
    if (address >= file_end && segment->memory_size > segment->file_size && segment->flags & 2)
        return 0;
    return offset < nr_bytes ? bytes[offset] : 0;
}

static void expect_byte(const struct elf *elf, struct quire_mm *mm, quire_linear_t bias,
                        quire_linear_t address)
{
    uint8_t found;
    const struct elf_segment *segment = segment_at(elf, address);
    if (!segment || !(segment->flags & 7)) /* a page without rights has no content */
        return;
    int error = quire_copy_from_user(mm, &found, bias + address, 1) ? -EFAULT : 0;
    int expected = byte_at(segment, address);
    if (segment->flags & 4) /* those that can't be read may be all the same, as on the processor */
        EXPECT(error ? expected < 0 || failed : expected == found);
}

static void expect_content(const struct elf *elf, struct quire_mm *mm, quire_linear_t bias)
{
    for (unsigned i = 0; i < elf->header.phnum && i < MOST_LOOKED_INTO; i++) {
        const struct elf_segment *segment = &elf->segments[i];
        quire_linear_t address = segment->address, file_end = address + segment->file_size;
        quire_linear_t last = address + segment->memory_size - 1;
        if (!is_loaded(segment))
            continue;
        const quire_linear_t at[] = {page_of(address),
                                     address,
                                     last,
                                     last | (PAGE - 1),
                                     segment->file_size ? file_end - 1 : address,
                                     file_end <= last ? file_end : last};
        for (unsigned k = 0; k < sizeof at / sizeof at[0]; k++)
            expect_byte(elf, mm, bias, at[k]);
    }
}

/* Every area is what a segment asks for there, or what was in the way. `whole`: not given up before
 * the last segment, so that the last one counts. */
static void expect_areas(const struct elf *elf, struct quire_mm *mm, quire_linear_t bias, bool way,
                         bool whole)
{
    struct quire_area area;
    for (quire_linear_t at = 0; !quire_mm_area(mm, at, &area); at = area.end) {
        EXPECT(area.start < area.end && area.start >= at && area.end <= LAYOUT.end);
        EXPECT(!area.shared);
        const struct elf_segment *segment = segment_at(elf, area.start - bias);
        if (!segment) {
            EXPECT(way && !area.mapping && area.start >= WAY_START &&
                   area.end <= WAY_START + WAY_PAGES * PAGE);
            continue;
        }
        unsigned rights = (segment->flags & 4 ? QUIRE_PROT_READ : 0) |
                          (segment->flags & 2 ? QUIRE_PROT_WRITE : 0) |
                          (segment->flags & 1 ? QUIRE_PROT_EXEC : 0);
        EXPECT(area.prot == rights || !whole);
    }
}

/* There is memory for it, it lies where programs may, and nothing is in its way. */
static bool has_to_fit(const struct elf *elf, bool way)
{
    uint64_t pages = 0;
    for (unsigned i = 0; i < elf->header.phnum; i++) {
        const struct elf_segment *segment = &elf->segments[i];
        quire_linear_t last = (quire_linear_t)segment->address + segment->memory_size - 1;
        if (!is_loaded(segment))
            continue;
        pages += (last >> QUIRE_PAGE_SHIFT) - (segment->address >> QUIRE_PAGE_SHIFT) + 1;
        if (byte_at(segment, segment->address + segment->file_size - 1) < 0 ||
            segment->offset > UINT32_MAX)
            return false; /* what is to be cleared isn't there */
    }
    return pages <= FEW_PAGES && !way &&
           (elf->header.type == ELF_SHARED ? elf->high - elf->low <= 1u << 24
                                           : elf->low >= 0x10000 && elf->high <= LAYOUT.end);
}

static void map_it(const struct elf *elf, unsigned settings)
{
    struct quire_mm *mm;
    struct elf_place place;
    bool way = settings & IS_IN_THE_WAY;
    unsigned later = fail_at;
    fail_at = 0;
    EXPECT(!quire_mm_create(&mm, vm, &LAYOUT));
    EXPECT(!quire_mm_set_program(mm, &(struct quire_mm_program){0}));
    if (way)
        EXPECT(quire_mmap(mm, WAY_START, WAY_PAGES * PAGE, QUIRE_PROT_READ,
                          QUIRE_MAP_PRIVATE | QUIRE_MAP_ANONYMOUS | QUIRE_MAP_FIXED, NULL,
                          0) == WAY_START);
    fail_at = later;
    int error = elf_map(elf, mm, settings & HAS_BASE ? BASE : 0, &place);
    fail_at = 0;
    quire_vm_check(vm);
    EXPECT(!error || error == -EINVAL || error == -ENOMEM || error == -EEXIST || error == -EPERM ||
           error == -EFAULT || error == -EOVERFLOW);
    EXPECT(!error || failed || !has_to_fit(elf, way));
    if (elf->header.type == ELF_EXECUTABLE)
        EXPECT(!place.bias);
    expect_areas(elf, mm, place.bias, way, !error);
    if (!error) {
        EXPECT(place.entry == place.bias + elf->header.entry);
        EXPECT(place.start_code >= place.bias + elf->low && place.start_code < place.end);
        EXPECT(place.end == place.bias + elf->high && place.end <= LAYOUT.end);
        EXPECT(place.end_code <= place.end && place.end_data <= place.end);
        expect_content(elf, mm, place.bias);
    }
    quire_mm_put(mm);
    quire_vm_check(vm);
}

static void look_at(const struct elf *elf)
{
    static char path[LONGEST_PATH];
    int length = elf_interpreter(elf, path, sizeof path);
    EXPECT(elf->header.phnum && elf->high > elf->low && !(elf->low % PAGE));
    if (!elf_has_interpreter(elf))
        EXPECT(!length);
    else
        EXPECT(length > 0 ? (unsigned)length < sizeof path && !path[length]
                          : length == -ENOEXEC || length == -EIO || length == -EINVAL);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct file file;
    struct elf elf;
    if (size < 2 || size - 2 > LONGEST_FILE || QUIRE_PAGE_SHIFT != 12)
        return 0;
    bytes = data + 2;
    nr_bytes = size - 2;
    start();
    file_start(&file);
    fail_at = data[1];
    int error = elf_read(&elf, &file, -EIO);
    EXPECT(!error || error == -ENOEXEC || (error == -EIO && nr_bytes < sizeof elf.header) ||
           (error == -ENOMEM && failed));
    if (!error) {
        look_at(&elf);
        map_it(&elf, data[0]);
        elf_free(&elf);
    }
    quire_mapping_put(file.data);
    end();
    return 0;
}
