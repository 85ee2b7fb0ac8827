/* tests/program/binary_test.c: reading ELF files, good ones and others */
#define _GNU_SOURCE
#include "binary.h"

#include <elf.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "tests/harness/harness.h"
#include "tests/program/elf_image.h"

static struct binary binary;
static char why[BINARY_WHY_BYTES];

/* Reads these bytes as a file. */
static enum binary_result read_bytes(const void *bytes, size_t size)
{
    static int fd = -1;
    if (fd < 0)
        fd = memfd_create("binary", MFD_CLOEXEC);
    why[0] = '\0';
    if (fd < 0 || ftruncate(fd, 0) || pwrite(fd, bytes, size, 0) != (ssize_t)size)
        return BINARY_UNREAD;
    return binary_read(&binary, fd, why);
}

static enum binary_result read_image(const struct elf_image *image)
{
    return read_bytes(image->bytes, image->size);
}

/* Libelf's headers needn't have been there. */
static bool can_read(void)
{
    struct elf_image image;
    elf_image_make(&image, 64, EM_X86_64);
    if (read_image(&image) != BINARY_UNREAD) {
        binary_free(&binary);
        return true;
    }
    test_skip("built without libelf");
    return false;
}

static void check_fields(unsigned bits, unsigned machine)
{
    struct elf_image image;
    elf_image_make(&image, bits, machine);
    CHECK_EQ(read_image(&image), BINARY_READ);
    if (*why)
        test_note("%s", why);
    REQUIRE(binary.needed.count == 2 && binary.interpreter && binary.rpath && binary.runpath &&
            binary.soname);
    CHECK_EQ(binary.bits, bits);
    CHECK(binary.runs && !binary.no_default);
    CHECK(!strcmp(binary.needed.text[0], "libone.so.1"));
    CHECK(!strcmp(binary.needed.text[1], "libtwo.so"));
    CHECK(!strcmp(binary.interpreter, "/lib/ld.so"));
    CHECK(!strcmp(binary.rpath, "/r"));
    CHECK(!strcmp(binary.runpath, "$ORIGIN/../lib"));
    CHECK(!strcmp(binary.soname, "self.so"));
    binary_free(&binary);
}

static void both_classes_are_read(void)
{
    if (!can_read())
        return;
    check_fields(64, EM_X86_64);
    check_fields(32, EM_386);
}

static void what_is_no_elf_file_is_said_to_be_none(void)
{
    if (!can_read())
        return;
    CHECK_EQ(read_bytes("", 0), BINARY_NOT_ELF);
    CHECK_EQ(read_bytes("\177EL", 3), BINARY_NOT_ELF);
    CHECK_EQ(read_bytes("#!/bin/sh\n", 10), BINARY_NOT_ELF);
    CHECK_EQ(read_bytes("\177ELF", 4), BINARY_BROKEN);
    CHECK(strstr(why, "cut off"));
}

static void expect_foreign(unsigned bits, unsigned machine, const char *word)
{
    struct elf_image image;
    elf_image_make(&image, bits, machine);
    CHECK_EQ(read_image(&image), BINARY_FOREIGN);
    CHECK(strstr(why, word));
}

static void other_machines_are_named(void)
{
    struct elf_image image;
    if (!can_read())
        return;
    expect_foreign(64, EM_AARCH64, "AArch64 (183)");
    expect_foreign(64, EM_RISCV, "RISC-V");
    expect_foreign(32, EM_ARM, "ARM");
    expect_foreign(32, EM_X86_64, "x32");
    expect_foreign(64, EM_386, "another machine (3)");
    elf_image_make(&image, 64, EM_S390);
    image.bytes[EI_DATA] = ELFDATA2MSB;
    CHECK_EQ(read_image(&image), BINARY_FOREIGN);
    CHECK(strstr(why, "big-endian"));
}

static void a_file_that_was_cut_off_says_so(void)
{
    struct elf_image image;
    if (!can_read())
        return;
    for (unsigned bits = 32; bits <= 64; bits += 32) {
        elf_image_make(&image, bits, bits == 64 ? EM_X86_64 : EM_386);
        /* The last entry, DT_NULL, needn't be there. */
        for (size_t size = 4; size < image.size - bits / 4; size++) {
            enum binary_result result = read_bytes(image.bytes, size);
            CHECK_EQ(result, BINARY_BROKEN);
            if (result == BINARY_READ)
                binary_free(&binary);
        }
    }
}

static void names_that_are_not_there_are_errors(void)
{
    struct elf_image image;
    if (!can_read())
        return;
    elf_image_make(&image, 64, EM_X86_64);
    elf_image_patch(&image, image.dynamic + 8, 8, 60); /* the first needed library's name */
    CHECK_EQ(read_image(&image), BINARY_BROKEN);
    elf_image_patch(&image, image.dynamic + 8, 8, UINT64_MAX);
    CHECK_EQ(read_image(&image), BINARY_BROKEN);
    elf_image_make(&image, 64, EM_X86_64);
    elf_image_patch(&image, image.dynamic + 5 * 16 + 8, 8, 0x1000); /* DT_STRTAB: not loaded */
    CHECK_EQ(read_image(&image), BINARY_BROKEN);
    elf_image_patch(&image, image.dynamic + 5 * 16 + 8, 8, UINT64_MAX);
    CHECK_EQ(read_image(&image), BINARY_BROKEN);
}

static void an_object_file_does_not_run(void)
{
    struct elf_image image;
    if (!can_read())
        return;
    elf_image_make(&image, 64, EM_X86_64);
    elf_image_patch(&image, 16, 2, ET_REL);
    REQUIRE(read_image(&image) == BINARY_READ);
    CHECK(!binary.runs);
    binary_free(&binary);
}

/* Whatever bytes: it returns, with what it says or with a reason. */
static void any_bytes_are_read_or_refused(void)
{
    struct elf_image image;
    unsigned read = 0, refused = 0;
    if (!can_read())
        return;
    for (uint64_t i = 0; i < test_environment.effort / 20; i++) {
        unsigned bits = i & 1 ? 64 : 32;
        elf_image_make(&image, bits, bits == 64 ? EM_X86_64 : EM_386);
        for (uint32_t n = 1 + test_random_below(6); n; n--) {
            static const uint8_t odd[] = {0, 1, 0x7f, 0x80, 0xff};
            uint32_t at = test_random_below((uint32_t)image.size);
            image.bytes[at] =
                test_random_below(2) ? odd[test_random_below(sizeof odd)] : (uint8_t)test_random();
        }
        if (!test_random_below(4))
            image.size = test_random_below((uint32_t)image.size + 1);
        if (read_image(&image) == BINARY_READ) {
            CHECK(binary.bits == 32 || binary.bits == 64);
            binary_free(&binary);
            read++;
        } else {
            CHECK(*why && strlen(why) < BINARY_WHY_BYTES);
            refused++;
        }
    }
    CHECK(read && refused);
    test_note("%u read, %u refused", read, refused);
}

static const struct test_case cases[] = {
    TEST_CASE(both_classes_are_read),
    TEST_CASE(what_is_no_elf_file_is_said_to_be_none),
    TEST_CASE(other_machines_are_named),
    TEST_CASE(a_file_that_was_cut_off_says_so),
    TEST_CASE(names_that_are_not_there_are_errors),
    TEST_CASE(an_object_file_does_not_run),
    TEST_CASE(any_bytes_are_read_or_refused),
    {0},
};
const struct test_suite suite_binary = {"binary", cases};
