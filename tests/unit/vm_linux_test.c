/* tests/unit/vm_linux_test.c: where Linux puts things, and what its /proc/PID/maps says then
 *
 * The texts were recorded on Debian's Linux 6.1 without randomisation, of small static programs
 * that print their own maps (the lines of vvar and vdso left out). Here the same areas are made by
 * the calls that the loader and the C library make.
 */
#include "tests/unit/vm_machine.h"

static const char glibc64_in_use[] =
    "00400000-00401000 r--p 00000000 00:02 8                                  "
    "/brk_and_mmap_glibc64\n"
    "00401000-0047a000 r-xp 00001000 00:02 8                                  "
    "/brk_and_mmap_glibc64\n"
    "0047a000-004a2000 r--p 0007a000 00:02 8                                  "
    "/brk_and_mmap_glibc64\n"
    "004a2000-004a6000 r--p 000a1000 00:02 8                                  "
    "/brk_and_mmap_glibc64\n"
    "004a6000-004a9000 rw-p 000a5000 00:02 8                                  "
    "/brk_and_mmap_glibc64\n"
    "004a9000-004af000 rw-p 00000000 00:00 0                                  [heap]\n"
    "004af000-004fc000 rw-p 00000000 00:00 0                                  [heap]\n"
    "7ffff7fc6000-7ffff7ff9000 rw-p 00000000 00:00 0 \n"
    "7ffffffde000-7ffffffff000 rw-p 00000000 00:00 0                          [stack]\n";

static const char musl64_in_use[] =
    "00400000-00401000 r--p 00000000 00:02 12                                 "
    "/brk_and_mmap_musl64\n"
    "00401000-00408000 r-xp 00001000 00:02 12                                 "
    "/brk_and_mmap_musl64\n"
    "00408000-00409000 r--p 00008000 00:02 12                                 "
    "/brk_and_mmap_musl64\n"
    "00409000-0040b000 rw-p 00008000 00:02 12                                 "
    "/brk_and_mmap_musl64\n"
    "0040b000-0040c000 rw-p 00000000 00:00 0                                  [heap]\n"
    "0040c000-0040d000 ---p 00000000 00:00 0                                  [heap]\n"
    "0040d000-0040e000 rw-p 00000000 00:00 0                                  [heap]\n"
    "7ffff7f98000-7ffff7ff9000 rw-p 00000000 00:00 0 \n"
    "7ffffffde000-7ffffffff000 rw-p 00000000 00:00 0                          [stack]\n";

static const char musl64_c_freed[] =
    "00400000-00401000 r--p 00000000 00:02 12                                 "
    "/brk_and_mmap_musl64\n"
    "00401000-00408000 r-xp 00001000 00:02 12                                 "
    "/brk_and_mmap_musl64\n"
    "00408000-00409000 r--p 00008000 00:02 12                                 "
    "/brk_and_mmap_musl64\n"
    "00409000-0040b000 rw-p 00008000 00:02 12                                 "
    "/brk_and_mmap_musl64\n"
    "0040b000-0040c000 rw-p 00000000 00:00 0                                  [heap]\n"
    "0040c000-0040d000 ---p 00000000 00:00 0                                  [heap]\n"
    "0040d000-0040e000 rw-p 00000000 00:00 0                                  [heap]\n"
    "7ffff7f99000-7ffff7fb3000 rw-p 00000000 00:00 0 \n"
    "7ffff7fe5000-7ffff7ff9000 rw-p 00000000 00:00 0 \n"
    "7ffffffde000-7ffffffff000 rw-p 00000000 00:00 0                          [stack]\n";

static const char glibc32_in_use[] =
    "08048000-08049000 r--p 00000000 00:02 5          /brk_and_mmap_glibc32\n"
    "08049000-080b7000 r-xp 00001000 00:02 5          /brk_and_mmap_glibc32\n"
    "080b7000-080e9000 r--p 0006f000 00:02 5          /brk_and_mmap_glibc32\n"
    "080e9000-080ec000 r--p 000a0000 00:02 5          /brk_and_mmap_glibc32\n"
    "080ec000-080ee000 rw-p 000a3000 00:02 5          /brk_and_mmap_glibc32\n"
    "080ee000-080f2000 rw-p 00000000 00:00 0          [heap]\n"
    "080f2000-0813e000 rw-p 00000000 00:00 0          [heap]\n"
    "b7fc7000-b7ffa000 rw-p 00000000 00:00 0 \n"
    "bffdf000-c0000000 rw-p 00000000 00:00 0          [stack]\n";

static const char fragments64[] = "7ffff74a0000-7ffff74d2000 rw-p 00000000 00:00 0 \n"
                                  "7ffff7504000-7ffff7536000 rw-p 00000000 00:00 0 \n"
                                  "7ffff7567000-7ffff7598000 rw-p 00000000 00:00 0 \n"
                                  "7ffff75c9000-7ffff75fa000 rw-p 00000000 00:00 0 \n"
                                  "7ffff762a000-7ffff765a000 rw-p 00000000 00:00 0 \n"
                                  "7ffff768a000-7ffff76ba000 rw-p 00000000 00:00 0 \n"
                                  "7ffff76e9000-7ffff7718000 rw-p 00000000 00:00 0 \n"
                                  "7ffff7747000-7ffff7776000 rw-p 00000000 00:00 0 \n"
                                  "7ffff77a4000-7ffff77d2000 rw-p 00000000 00:00 0 \n"
                                  "7ffff7800000-7ffff782e000 rw-p 00000000 00:00 0 \n"
                                  "7ffff785b000-7ffff7888000 rw-p 00000000 00:00 0 \n"
                                  "7ffff78b5000-7ffff78e2000 rw-p 00000000 00:00 0 \n"
                                  "7ffff790e000-7ffff793a000 rw-p 00000000 00:00 0 \n"
                                  "7ffff7966000-7ffff7992000 rw-p 00000000 00:00 0 \n"
                                  "7ffff79bd000-7ffff79e8000 rw-p 00000000 00:00 0 \n"
                                  "7ffff7a13000-7ffff7a3e000 rw-p 00000000 00:00 0 \n"
                                  "7ffff7a68000-7ffff7a92000 rw-p 00000000 00:00 0 \n"
                                  "7ffff7abc000-7ffff7ae6000 rw-p 00000000 00:00 0 \n"
                                  "7ffff7b0f000-7ffff7b38000 rw-p 00000000 00:00 0 \n"
                                  "7ffff7b61000-7ffff7b8a000 rw-p 00000000 00:00 0 \n"
                                  "7ffff7bb2000-7ffff7bda000 rw-p 00000000 00:00 0 \n"
                                  "7ffff7c02000-7ffff7c2a000 rw-p 00000000 00:00 0 \n"
                                  "7ffff7c51000-7ffff7c78000 rw-p 00000000 00:00 0 \n"
                                  "7ffff7c9f000-7ffff7cc6000 rw-p 00000000 00:00 0 \n"
                                  "7ffff7cec000-7ffff7d12000 rw-p 00000000 00:00 0 \n"
                                  "7ffff7d38000-7ffff7d5e000 rw-p 00000000 00:00 0 \n"
                                  "7ffff7d83000-7ffff7da8000 rw-p 00000000 00:00 0 \n"
                                  "7ffff7dcd000-7ffff7df2000 rw-p 00000000 00:00 0 \n"
                                  "7ffff7e16000-7ffff7e3a000 rw-p 00000000 00:00 0 \n"
                                  "7ffff7e5e000-7ffff7e82000 rw-p 00000000 00:00 0 \n"
                                  "7ffff7ea5000-7ffff7ec8000 rw-p 00000000 00:00 0 \n"
                                  "7ffff7eeb000-7ffff7f0e000 rw-p 00000000 00:00 0 \n"
                                  "7ffff7f30000-7ffff7f52000 rw-p 00000000 00:00 0 \n"
                                  "7ffff7f74000-7ffff7f96000 rw-p 00000000 00:00 0 \n"
                                  "7ffff7fb7000-7ffff7fd8000 rw-p 00000000 00:00 0 \n";

static const char fragments32[] = "b7480000-b74b2000 rw-p 00000000 00:00 0 \n"
                                  "b74e4000-b7516000 rw-p 00000000 00:00 0 \n"
                                  "b7547000-b7578000 rw-p 00000000 00:00 0 \n"
                                  "b75a9000-b75da000 rw-p 00000000 00:00 0 \n"
                                  "b760a000-b763a000 rw-p 00000000 00:00 0 \n"
                                  "b766a000-b769a000 rw-p 00000000 00:00 0 \n"
                                  "b76c9000-b76f8000 rw-p 00000000 00:00 0 \n"
                                  "b7727000-b7756000 rw-p 00000000 00:00 0 \n"
                                  "b7784000-b77b2000 rw-p 00000000 00:00 0 \n"
                                  "b77e0000-b780e000 rw-p 00000000 00:00 0 \n"
                                  "b783b000-b7868000 rw-p 00000000 00:00 0 \n"
                                  "b7895000-b78c2000 rw-p 00000000 00:00 0 \n"
                                  "b78ee000-b791a000 rw-p 00000000 00:00 0 \n"
                                  "b7946000-b7972000 rw-p 00000000 00:00 0 \n"
                                  "b799d000-b79c8000 rw-p 00000000 00:00 0 \n"
                                  "b79f3000-b7a1e000 rw-p 00000000 00:00 0 \n"
                                  "b7a48000-b7a72000 rw-p 00000000 00:00 0 \n"
                                  "b7a9c000-b7ac6000 rw-p 00000000 00:00 0 \n"
                                  "b7aef000-b7b18000 rw-p 00000000 00:00 0 \n"
                                  "b7b41000-b7b6a000 rw-p 00000000 00:00 0 \n"
                                  "b7b92000-b7bba000 rw-p 00000000 00:00 0 \n"
                                  "b7be2000-b7c0a000 rw-p 00000000 00:00 0 \n"
                                  "b7c31000-b7c58000 rw-p 00000000 00:00 0 \n"
                                  "b7c7f000-b7ca6000 rw-p 00000000 00:00 0 \n"
                                  "b7ccc000-b7cf2000 rw-p 00000000 00:00 0 \n"
                                  "b7d18000-b7d3e000 rw-p 00000000 00:00 0 \n"
                                  "b7d63000-b7d88000 rw-p 00000000 00:00 0 \n"
                                  "b7dad000-b7dd2000 rw-p 00000000 00:00 0 \n"
                                  "b7df6000-b7e1a000 rw-p 00000000 00:00 0 \n"
                                  "b7e3e000-b7e62000 rw-p 00000000 00:00 0 \n"
                                  "b7e85000-b7ea8000 rw-p 00000000 00:00 0 \n"
                                  "b7ecb000-b7eee000 rw-p 00000000 00:00 0 \n"
                                  "b7f10000-b7f32000 rw-p 00000000 00:00 0 \n"
                                  "b7f54000-b7f76000 rw-p 00000000 00:00 0 \n"
                                  "b7f97000-b7fb8000 rw-p 00000000 00:00 0 \n"
                                  "b7fd9000-b7ffa000 rw-p 00000000 00:00 0 \n";

/* ---- comparing ------------------------------------------------------------------------------- */

static char seen[8192];
static size_t seen_length;

static void collect(void *arg, const char *piece, size_t length)
{
    (void)arg;
    for (size_t i = 0; i < length && seen_length < sizeof seen - 1; i++)
        seen[seen_length++] = piece[i];
    seen[seen_length] = '\0';
}

static size_t line_length(const char *line)
{
    size_t length = 0;
    while (line[length] && line[length] != '\n')
        length++;
    return length + (line[length] == '\n');
}

static bool line_has(const char *line, size_t length, char what)
{
    for (size_t i = 0; i < length; i++)
        if (line[i] == what)
            return true;
    return false;
}

enum lines { ALL_BUT_VDSO, WITHOUT_NAME };

static bool is_compared(const char *line, size_t length, enum lines which)
{
    if (which == WITHOUT_NAME)
        return !line_has(line, length, '/') && !line_has(line, length, '[');
    return length < 8 || __builtin_memcmp(line + length - 7, "[vdso]\n", 7);
}

/* Whether these lines of maps are `expected`, and no others. */
static void check_maps(struct quire_mm *mm, const char *expected, enum lines which)
{
    seen_length = 0;
    CHECK_EQ(quire_mm_view(mm, QUIRE_MM_VIEW_MAPS, QUIRE_FORMAT_TEXT, collect, NULL), 0);
    for (const char *line = seen; *line; line += line_length(line)) {
        size_t length = line_length(line);
        if (!is_compared(line, length, which))
            continue;
        bool same = length == line_length(expected) && !__builtin_memcmp(line, expected, length);
        CHECK(same);
        if (!same) {
            test_note("got  %.*s", (int)length - 1, line);
            test_note("want %.*s", (int)line_length(expected) - 1, expected);
            return;
        }
        expected += length;
    }
    CHECK_EQ(*expected, 0);
}

/* ---- programs -------------------------------------------------------------------------------- */

static int read_nothing(void *owner, uint64_t index, struct quire_page *const *pages,
                        unsigned count)
{
    (void)owner, (void)index, (void)pages, (void)count;
    return -QUIRE_EIO;
}

static struct quire_mapping *file_named(const char *name, unsigned inode)
{
    static const struct quire_mapping_ops ops = {.read_pages = read_nothing};
    struct quire_mapping_config config = {.ops = &ops,
                                          .size = 1 << 20,
                                          .name = name,
                                          .device_minor = 2,
                                          .inode = inode,
                                          .may_exec = true};
    struct quire_mapping *mapping = NULL;
    CHECK_EQ(quire_mapping_create(&mapping, test_vm, &config), 0);
    return mapping;
}

struct segment {
    quire_linear_t start, end;
    unsigned prot;
    uint64_t offset;
};

#define R QUIRE_PROT_READ
#define RW (QUIRE_PROT_READ | QUIRE_PROT_WRITE)
#define RX (QUIRE_PROT_READ | QUIRE_PROT_EXEC)
#define PRIVATE_FIXED (QUIRE_MAP_PRIVATE | QUIRE_MAP_FIXED)

static void place(struct quire_mm *mm, quire_linear_t start, quire_linear_t end, unsigned prot,
                  unsigned flags, struct quire_mapping *mapping, uint64_t offset)
{
    CHECK_EQ(quire_mmap(mm, start, end - start, prot, flags, mapping, offset), start);
}

struct program {
    const char *name;
    unsigned inode;
    struct segment segment[7]; /* the last one is bss; ends with an empty one */
    quire_linear_t stack;      /* its 33 pages' beginning */
};

/* As execve leaves it: the program, its bss, the stack, and vvar and vdso on top of mmap's area. */
static struct quire_mm *exec(const struct program *program)
{
    struct quire_mm *mm = mm_new();
    struct quire_mapping *file = file_named(program->name, program->inode);
    struct quire_mapping *vdso = file_named("[vdso]", 1);
    const struct segment *s = program->segment;
    for (; s[1].start; s++)
        place(mm, s->start, s->end, s->prot, PRIVATE_FIXED, file, s->offset);
    place(mm, s->start, s->end, s->prot, PRIVATE_FIXED | QUIRE_MAP_ANONYMOUS, NULL, 0);
    place(mm, program->stack, program->stack + 33 * PAGE, RW,
          PRIVATE_FIXED | QUIRE_MAP_ANONYMOUS | QUIRE_MAP_GROWSDOWN, NULL, 0);
    struct quire_mm_program parts = {.start_code = program->segment[1].start,
                                     .end_code = program->segment[1].end,
                                     .start_data = s[-1].start,
                                     .end_data = s[-1].end,
                                     .brk = s->end,
                                     .start_stack = program->stack + 32 * PAGE};
    CHECK_EQ(quire_mm_set_program(mm, &parts), 0);
    CHECK(map_file(mm, vdso, 0, 6 * PAGE, RX, QUIRE_MAP_PRIVATE));
    quire_mapping_put(file);
    quire_mapping_put(vdso);
    return mm;
}

static const struct program glibc64 = {
    "/brk_and_mmap_glibc64",
    8,
    {{0x400000, 0x401000, R, 0},
     {0x401000, 0x47a000, RX, 0x1000},
     {0x47a000, 0x4a2000, R, 0x7a000},
     {0x4a2000, 0x4a6000, R, 0xa1000},
     {0x4a6000, 0x4a9000, RW, 0xa5000},
     {0x4a9000, 0x4af000, RW, 0}},
    0x7ffffffde000,
};
static const struct program musl64 = {
    "/brk_and_mmap_musl64",
    12,
    {{0x400000, 0x401000, R, 0},
     {0x401000, 0x408000, RX, 0x1000},
     {0x408000, 0x409000, R, 0x8000},
     {0x409000, 0x40b000, RW, 0x8000},
     {0x40b000, 0x40c000, RW, 0}},
    0x7ffffffde000,
};
static const struct program glibc32 = {
    "/brk_and_mmap_glibc32",
    5,
    {{0x8048000, 0x8049000, R, 0},
     {0x8049000, 0x80b7000, RX, 0x1000},
     {0x80b7000, 0x80e9000, R, 0x6f000},
     {0x80e9000, 0x80ec000, R, 0xa0000},
     {0x80ec000, 0x80ee000, RW, 0xa3000},
     {0x80ee000, 0x80f2000, RW, 0}},
    0xbffdf000,
};

/* ---- cases ----------------------------------------------------------------------------------- */

static void glibcs_program_looks_as_on_linux(void)
{
    if (!vm_boot(16 * MIB, QUIRE_PT_FORMAT_X86_64))
        return;
    struct quire_mm *mm = exec(&glibc64);
    CHECK_EQ(quire_brk(mm, 0), 0x4af000);
    CHECK_EQ(quire_brk(mm, 0x4afdc0), 0x4afdc0);
    CHECK_EQ(quire_brk(mm, 0x4d0dc0), 0x4d0dc0);
    CHECK_EQ(quire_brk(mm, 0x4d1000), 0x4d1000);
    CHECK_EQ(map_anon(mm, 200 * 1024 + 16), 0x7ffff7fc6000);
    CHECK_EQ(quire_brk(mm, 0x4fc000), 0x4fc000);
    check_maps(mm, glibc64_in_use, ALL_BUT_VDSO);
    CHECK_EQ(quire_munmap(mm, 0x7ffff7fc6000, 200 * 1024 + 16), 0);
    CHECK_EQ(quire_brk(mm, 0x4d9000), 0x4d9000);
    CHECK_EQ(mm_info(mm).nr_areas, 5 + 2 + 1 + 1);
    mm_end(mm);
    vm_end();
}

static void glibcs_program_looks_as_on_linux_with_32_bits(void)
{
    if (!vm_boot(16 * MIB, QUIRE_PT_FORMAT_I386))
        return;
    struct quire_mm *mm = exec(&glibc32);
    CHECK_EQ(quire_brk(mm, 0x8114000), 0x8114000);
    CHECK_EQ(quire_brk(mm, 0x8113000), 0x8113000);
    CHECK_EQ(map_anon(mm, 200 * 1024 + 8), 0xb7fc7000);
    CHECK_EQ(quire_brk(mm, 0x813e000), 0x813e000);
    check_maps(mm, glibc32_in_use, ALL_BUT_VDSO);
    mm_end(mm);
    vm_end();
}

/* musl's stdio takes a page while it prints maps: the highest hole's highest page. */
static void check_while_printing(struct quire_mm *mm, quire_linear_t where, const char *expected)
{
    CHECK_EQ(map_anon(mm, PAGE), where);
    check_maps(mm, expected, ALL_BUT_VDSO);
    CHECK_EQ(quire_munmap(mm, where, PAGE), 0);
}

static void musls_program_looks_as_on_linux(void)
{
    if (!vm_boot(16 * MIB, QUIRE_PT_FORMAT_X86_64))
        return;
    struct quire_mm *mm = exec(&musl64);
    CHECK_EQ(quire_brk(mm, 0x40e000), 0x40e000);
    place(mm, 0x40c000, 0x40d000, QUIRE_PROT_NONE, PRIVATE_FIXED | QUIRE_MAP_ANONYMOUS, NULL, 0);
    CHECK_EQ(map_anon(mm, 8 * PAGE), 0x7ffff7ff1000);
    CHECK_EQ(map_anon(mm, 11 * PAGE), 0x7ffff7fe6000);
    CHECK_EQ(map_anon(mm, 51 * PAGE), 0x7ffff7fb3000);
    CHECK_EQ(map_anon(mm, 26 * PAGE), 0x7ffff7f99000);
    check_while_printing(mm, 0x7ffff7f98000, musl64_in_use);
    CHECK_EQ(quire_munmap(mm, 0x7ffff7fb3000, 51 * PAGE), 0);
    check_while_printing(mm, 0x7ffff7fe5000, musl64_c_freed);
    mm_end(mm);
    vm_end();
}

/* Blocks of 129 to 199 KiB (128 with 32 bits) are mapped, each by itself; then the odd ones go. */
static void fragment(const struct program *program, unsigned first, uint64_t header,
                     const char *expected)
{
    static quire_linear_t block[200];
    struct quire_mm *mm = exec(program);
    for (unsigned kib = first; kib < 200; kib++)
        block[kib] = map_anon(mm, kib * 1024 + header);
    for (unsigned kib = first | 1; kib < 200; kib += 2)
        CHECK_EQ(quire_munmap(mm, block[kib], kib * 1024 + header), 0);
    check_maps(mm, expected, WITHOUT_NAME);
    for (unsigned kib = (first + 1) & ~1u; kib < 200; kib += 2)
        CHECK_EQ(quire_munmap(mm, block[kib], kib * 1024 + header), 0);
    check_maps(mm, "", WITHOUT_NAME);
    mm_end(mm);
}

static void fragments_lie_where_linux_leaves_them(void)
{
    if (!vm_boot(16 * MIB, QUIRE_PT_FORMAT_X86_64))
        return;
    fragment(&glibc64, 129, 24, fragments64);
    vm_end();
    if (!vm_boot(16 * MIB, QUIRE_PT_FORMAT_I386))
        return;
    fragment(&glibc32, 128, 12, fragments32);
    vm_end();
}

static const struct test_case cases[] = {
    TEST_CASE(glibcs_program_looks_as_on_linux),
    TEST_CASE(glibcs_program_looks_as_on_linux_with_32_bits),
    TEST_CASE(musls_program_looks_as_on_linux),
    TEST_CASE(fragments_lie_where_linux_leaves_them),
    {0},
};

const struct test_suite suite_vm_linux = {"vm_linux", cases};
