/* tests/kernel/fs_initrd_test.c: cpio archives, good and bad */
#include "base/text.h"
#include "kernel/fs/initrd.h"
#include "tests/kernel/fs_machine.h"

static char archive[8192];
static size_t size;

static void align(void)
{
    while (size % 4)
        archive[size++] = '\0';
}

static void add_linked(const char *name, unsigned mode, const char *data, size_t length,
                       unsigned ino, unsigned nlink)
{
    size_t name_size = 1;
    while (name[name_size - 1])
        name_size++;
    size += quire_snprintf(archive + size, sizeof archive - size,
                           "070701%08x%08x%08x%08x%08x%08x%08zx%08x%08x%08x%08x%08zx%08x", ino,
                           mode, 3, 4, nlink, 1000000000, length, 8, 1, 1, 3, name_size, 0);
    __builtin_memcpy(archive + size, name, name_size);
    size += name_size;
    align();
    __builtin_memcpy(archive + size, data, length);
    size += length;
    align();
}

static void add(const char *name, unsigned mode, const char *data)
{
    size_t length = 0;
    while (data[length])
        length++;
    add_linked(name, mode, data, length, 1, 1);
}

static void make_archive(void)
{
    size = 0;
    add(".", S_IFDIR | 0700, "");
    add("bin", S_IFDIR | 0755, "");
    add("bin/sh", S_IFREG | 0755, "#!a program");
    add("lib", S_IFLNK | 0777, "usr/lib");
    add("usr/lib/deep/file", S_IFREG | 0600, "made its way");
    add("dev/mine", S_IFCHR | 0600, "");
    add("tmp", S_IFDIR | 01777, "");
    add("fifo", S_IFIFO | 0644, "");
    add_linked("one", S_IFREG | 0644, "", 0, 7, 2);
    add_linked("two", S_IFREG | 0644, "both", 4, 7, 2);
    add("TRAILER!!!", 0, "");
    for (unsigned i = 0; i < 100; i++)
        archive[size++] = '\0';
}

static int unpack(struct initrd_error *error)
{
    return initrd_unpack(fs_root, archive, size, error);
}

static void an_archive_is_unpacked(void)
{
    struct initrd_error error;
    if (!fs_boot())
        return;
    make_archive();
    CHECK_EQ(unpack(&error), 0);
    CHECK(!error.what);
    CHECK(has_text("/bin/sh", "#!a program"));
    CHECK_EQ(attributes_of("/bin/sh").mode, S_IFREG | 0755);
    CHECK_EQ(attributes_of("/bin/sh").uid, 3);
    CHECK_EQ(attributes_of("/bin/sh").gid, 4);
    CHECK_EQ(attributes_of("/bin/sh").modified.seconds, 1000000000);
    CHECK_EQ(attributes_of("/").mode, S_IFDIR | 0700);
    CHECK(link_is("/lib", "usr/lib"));
    CHECK(has_text("/lib/deep/file", "made its way"));
    CHECK_EQ(attributes_of("/dev/mine").rdev, 0x103);
    CHECK_EQ(attributes_of("/fifo").mode, S_IFIFO | 0644);
    CHECK_EQ(attributes_of("/one").number, attributes_of("/two").number);
    CHECK_EQ(attributes_of("/one").nlink, 2);
    CHECK(has_text("/one", "both"));
    CHECK_EQ(fs_root->volume->nr_pages, 4); /* sh, file, the one of two names, and /boot's */
    fs_end();
}

static void a_second_archive_replaces_files(void)
{
    if (!fs_boot())
        return;
    make_archive();
    CHECK_EQ(unpack(NULL), 0);
    size_t first = size;
    add("bin/sh", S_IFLNK | 0777, "other");
    add("bin/other", S_IFREG | 0755, "new");
    add("one", S_IFREG | 0600, "alone");
    add("TRAILER!!!", 0, "");
    CHECK_EQ(initrd_unpack(fs_root, archive + first, size - first, NULL), 0);
    CHECK(has_text("/bin/sh", "new"));
    CHECK(has_text("/one", "alone"));
    CHECK(has_text("/two", "both"));
    CHECK_EQ(attributes_of("/two").nlink, 1);
    CHECK_EQ(unpack(NULL), 0); /* both, one behind the other */
    CHECK(has_text("/bin/sh", "new"));
    fs_end();
}

/* Whether an archive is refused, for that reason. */
static bool refused(const char *what)
{
    struct initrd_error error;
    return unpack(&error) == -EINVAL && error.what && contains(error.what, what);
}

static void bad_archives_are_refused_with_a_reason(void)
{
    if (!fs_boot())
        return;
    size = 0;
    CHECK(refused("no end"));
    make_archive();
    archive[5] = '7';
    CHECK(refused("newc"));
    make_archive();
    archive[20] = 'x';
    CHECK(refused("hexadecimal"));
    make_archive();
    __builtin_memcpy(archive + 94, "FFFFFFFF", 8);
    CHECK(refused("too long"));
    make_archive();
    __builtin_memcpy(archive + 94, "00000000", 8);
    CHECK(refused("empty"));
    make_archive();
    __builtin_memcpy(archive + 94, "00000001", 8);
    CHECK(refused("header says"));
    make_archive();
    __builtin_memcpy(archive + 54, "FFFFFFFF", 8);
    CHECK(refused("file is cut off"));
    make_archive();
    __builtin_memcpy(archive + 14, "0000F000", 8);
    archive[110] = 'x';
    CHECK(refused("no known type"));
    size = 0;
    add("link", S_IFLNK | 0777, "");
    CHECK(refused("target"));
    size = 0;
    add("bin", S_IFDIR | 0755, "");
    add("bin", S_IFREG | 0755, "");
    CHECK(refused("directory's name"));
    fs_end();
}

static void an_archive_that_is_cut_off_anywhere_is_refused(void)
{
    struct initrd_error error;
    if (!fs_boot())
        return;
    make_archive();
    size_t whole = size - 100 - 4; /* the trailer's padding may be missing */
    for (size = 0; size < whole; size++)
        CHECK_EQ(unpack(&error), -EINVAL);
    fs_end();
}

static void no_archive_breaks_anything(void)
{
    struct initrd_error error;
    if (!fs_boot())
        return;
    for (unsigned round = 0; round < 3000; round++) {
        make_archive();
        for (unsigned changes = 1 + test_random_below(8); changes; changes--)
            archive[test_random_below((uint32_t)size)] =
                test_random_below(2) ? "0123456789abcdefABCDEF/."[test_random_below(24)]
                                     : (char)test_random();
        size -= test_random_below(3) ? 0 : test_random_below((uint32_t)size);
        int result = unpack(&error);
        CHECK(result <= 0);
        CHECK(!result || error.what || result != -EINVAL);
    }
    fs_end();
}

/* What is said to be used is lost at once. */
static size_t nr_used;
static unsigned nr_told;
static void lose(void *arg, size_t bytes)
{
    CHECK(arg == archive);
    CHECK(bytes >= nr_used && bytes <= size);
    __builtin_memset(archive, 0xee, bytes);
    nr_used = bytes;
    nr_told++;
}

static void what_was_unpacked_is_not_read_again(void)
{
    struct initrd_error error;
    static char large[5000];
    if (!fs_boot())
        return;
    nr_told = 0;
    nr_used = size = 0;
    for (unsigned i = 0; i < sizeof large - 1; i++)
        large[i] = (char)('a' + i % 26);
    add("bin", S_IFDIR | 0755, "");
    add_linked("one", S_IFREG | 0644, "", 0, 7, 2);
    add("bin/sh", S_IFREG | 0755, "#!a program");
    add_linked("large", S_IFREG | 0644, large, sizeof large - 1, 8, 1);
    add("lib", S_IFLNK | 0777, "usr/lib");
    add_linked("two", S_IFREG | 0644, "both", 4, 7, 2);
    add("TRAILER!!!", 0, "");
    CHECK_EQ(initrd_consume(fs_root, archive, size, lose, archive, &error), 0);
    CHECK(nr_told >= 3 && nr_used > 5000); /* each file's data, at least */
    CHECK(has_text("/bin/sh", "#!a program"));
    CHECK(has_text("/large", large));
    CHECK(has_text("/one", "both") && has_text("/two", "both"));
    CHECK(link_is("/lib", "usr/lib"));
    fs_end();
}

static const struct test_case cases[] = {
    TEST_CASE(an_archive_is_unpacked),
    TEST_CASE(a_second_archive_replaces_files),
    TEST_CASE(what_was_unpacked_is_not_read_again),
    TEST_CASE(bad_archives_are_refused_with_a_reason),
    TEST_CASE(an_archive_that_is_cut_off_anywhere_is_refused),
    TEST_CASE(no_archive_breaks_anything),
    {0},
};
const struct test_suite suite_fs_initrd = {"fs_initrd", cases};
