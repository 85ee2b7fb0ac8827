/* tests/kernel/fs_block_test.c: files of block devices, and swap areas on them */
#include <quire/swap.h>

#include "kernel/fs/block.h"
#include "kernel/fs/ioctl.h"
#include "kernel/fs/swap.h"
#include "tests/kernel/fs_machine.h"
#include "vm/page.h"

#define NR_SECTORS 100u
#define DISK_BYTES (NR_SECTORS * SECTOR_BYTES)
#define NR_PAGES (DISK_BYTES / QUIRE_PAGE_SIZE) /* and half a page */

static char content[DISK_BYTES];
static unsigned transfer_fails; /* the n-th transfer from now on fails, once; 0: none */
static uint64_t discarded;

static int move(struct block_device *device, bool write, uint64_t sector,
                const struct block_piece *pieces, unsigned count)
{
    (void)device;
    if (transfer_fails && !--transfer_fails)
        return -EIO;
    char *at = content + sector * SECTOR_BYTES;
    for (unsigned i = 0; i < count; at += pieces[i++].size) {
        struct quire_page *page = quire_pfn_to_page(machine.mem, quire_phys_to_pfn(pieces[i].phys));
        char *memory = (char *)quire_page_address(machine.mem, page) +
                       (pieces[i].phys & (QUIRE_PAGE_SIZE - 1));
        CHECK_EQ(pieces[i].size % SECTOR_BYTES, 0);
        CHECK(at + pieces[i].size <= content + sizeof content);
        __builtin_memcpy(write ? at : memory, write ? memory : at, pieces[i].size);
    }
    return 0;
}

static void note_discard(struct block_device *device, uint64_t sector, uint64_t count)
{
    (void)device;
    CHECK(sector >= QUIRE_PAGE_SIZE / SECTOR_BYTES);
    discarded += count;
}

static unsigned nr_flushes;
static int flush_error;

static int note_flush(struct block_device *device)
{
    (void)device;
    nr_flushes++;
    return flush_error;
}

static struct block_device disk;

static bool disk_boot(void)
{
    disk = (struct block_device){
        .name = "vda",
        .nr_sectors = NR_SECTORS,
        .transfer = move,
        .flush = note_flush,
        .discard = note_discard,
    };
    nr_flushes = 0;
    flush_error = 0;
    transfer_fails = 0;
    discarded = 0;
    for (size_t i = 0; i < sizeof content; i++)
        content[i] = (char)(i * 7 + i / 512);
    CHECK(block_register(&disk));
    return fs_boot();
}

static void disk_end(void)
{
    block_unregister_all();
    fs_end();
}

static void any_bytes_are_read_and_written(void)
{
    static char bytes[DISK_BYTES], wanted[DISK_BYTES];
    if (!disk_boot())
        return;
    struct file *file = open_or_null("/dev/vda", O_RDWR);
    REQUIRE(file);
    __builtin_memcpy(wanted, content, sizeof wanted);
    for (unsigned i = 0; i < 300; i++) {
        uint64_t at = test_random_below(DISK_BYTES);
        size_t size = test_random_below(3 * QUIRE_PAGE_SIZE);
        size = size < DISK_BYTES - at ? size : (size_t)(DISK_BYTES - at);
        if (i % 2) {
            CHECK_EQ(file_pread(file, at, bytes, size), size);
            CHECK(!__builtin_memcmp(bytes, wanted + at, size));
        } else {
            __builtin_memset(wanted + at, (int)i, size);
            CHECK_EQ(file_pwrite(file, at, wanted + at, size), size);
        }
    }
    CHECK(!__builtin_memcmp(content, wanted, sizeof wanted));
    CHECK(!disk.busy);
    file_put(file);
    disk_end();
}

static void a_device_ends_where_it_ends(void)
{
    char bytes[SECTOR_BYTES] = {0};
    uint64_t size = 0;
    if (!disk_boot())
        return;
    struct file *file = open_or_null("/dev/vda", O_RDWR);
    REQUIRE(file);
    CHECK_EQ(file_seek(file, 0, SEEK_END), DISK_BYTES);
    CHECK_EQ(file_read(file, bytes, 1), 0);
    CHECK_EQ(file_write(file, bytes, 1), -ENOSPC);
    CHECK_EQ(file_pread(file, DISK_BYTES - 10, bytes, sizeof bytes), 10);
    CHECK_EQ(file_pwrite(file, DISK_BYTES - 10, bytes, sizeof bytes), 10);
    CHECK_EQ(file_pread(file, 1ull << 62, bytes, 1), 0);
    CHECK_EQ(file_ioctl(file, BLKGETSIZE64, &size, NULL), 0);
    CHECK_EQ(size, DISK_BYTES);
    CHECK_EQ(file_ioctl(file, TCGETS, bytes, NULL), -ENOTTY);
    CHECK_EQ(block_transfer(&disk, false, NR_SECTORS, &(struct block_piece){0, 512}, 1), -EINVAL);
    CHECK_EQ(block_transfer(&disk, false, UINT64_MAX, &(struct block_piece){0, 512}, 1), -EINVAL);
    file_put(file);
    CHECK(has_text("/proc/partitions",
                   "major minor  #blocks  name\n\n 254        0         50 vda\n"));
    disk_end();
}

static void what_fails_is_told_of_and_changes_nothing(void)
{
    char bytes[100] = {0};
    if (!disk_boot())
        return;
    struct file *file = open_or_null("/dev/vda", O_RDWR);
    REQUIRE(file);
    transfer_fails = 1;
    CHECK_EQ(file_pread(file, 0, bytes, sizeof bytes), -EIO);
    transfer_fails = 1; /* what is to be changed can't be read */
    CHECK_EQ(file_pwrite(file, 700, bytes, sizeof bytes), -EIO);
    CHECK_EQ(content[700], (char)(700 * 7 + 1));
    transfer_fails = 2;
    CHECK_EQ(file_pwrite(file, 700, bytes, sizeof bytes), -EIO);
    file_put(file);
    disk.read_only = true;
    CHECK(!open_or_null("/dev/vda", O_RDWR));
    CHECK_EQ(fs_error, -EACCES);
    file = open_or_null("/dev/vda", O_RDONLY);
    CHECK(file);
    file_put(file);
    disk_end();
}

/* ---- swap ------------------------------------------------------------------------------------ */

static void put_header(uint32_t version, uint32_t last_page, uint32_t nr_bad)
{
    uint32_t info[3] = {version, last_page, nr_bad};
    __builtin_memcpy(content + 1024, info, sizeof info);
    __builtin_memcpy(content + QUIRE_PAGE_SIZE - 10, "SWAPSPACE2", 10);
}

static bool is_refused(struct file *file, const char *why)
{
    const char *mistake;
    return swap_on(file, 0, &mistake) == -EINVAL && mistake && same_text(mistake, why) &&
           !disk.claimed;
}

static void headers_that_make_no_sense_are_refused(void)
{
    const char *mistake;
    if (!disk_boot())
        return;
    struct file *file = open_or_null("/dev/vda", O_RDWR);
    REQUIRE(file);
    CHECK(is_refused(file, "it has no swap signature; mkswap makes one"));
    put_header(2, NR_PAGES - 1, 0);
    CHECK(is_refused(file, "its swap header is of another version, or byte order"));
    put_header(1, 0, 0);
    CHECK(is_refused(file, "it is an empty swap area"));
    put_header(1, NR_PAGES, 0);
    CHECK(is_refused(file, "it is shorter than its swap header says"));
    put_header(1, UINT32_MAX, 0);
    CHECK(is_refused(file, "it is shorter than its swap header says"));
    put_header(1, NR_PAGES - 1, 1);
    CHECK(is_refused(file, "its swap header names bad pages"));
    put_header(1, NR_PAGES - 1, 0);
    transfer_fails = 1;
    CHECK_EQ(swap_on(file, 0, &mistake), -EIO);
    CHECK(!mistake && !disk.claimed);
    disk.nr_sectors = 7;
    CHECK(is_refused(file, "it has no room for a swap header"));
    file_put(file);
    file = open_or_null("/dev/null", O_RDWR);
    CHECK_EQ(swap_on(file, 0, &mistake), -EINVAL);
    CHECK(!mistake);
    CHECK_EQ(swap_off(file), -EINVAL);
    file_put(file);
    disk_end();
}

static void an_area_is_one_until_it_is_turned_off(void)
{
    const char *mistake;
    struct quire_swap_info info;
    if (!disk_boot())
        return;
    struct file *file = open_or_null("/dev/vda", O_RDWR);
    REQUIRE(file);
    put_header(1, NR_PAGES - 1, 0);
    CHECK_EQ(swap_off(file), -EINVAL);
    CHECK_EQ(swap_on(file, SWAP_FLAG_PREFER | 7, &mistake), 0);
    CHECK_EQ(swap_on(file, 0, &mistake), -EBUSY);
    CHECK(!mistake);
    CHECK_EQ(quire_swap_info(test_vm, 0, &info), 0);
    CHECK(same_text(info.name, "/dev/vda"));
    CHECK_EQ(info.priority, 7);
    CHECK_EQ(info.nr_slots, NR_PAGES - 1);
    CHECK_EQ(discarded, 0);
    CHECK_EQ(swap_off(file), 0);
    CHECK_EQ(swap_off(file), -EINVAL);
    CHECK_EQ(swap_on(file, SWAP_FLAG_DISCARD | SWAP_FLAG_DISCARD_ONCE, &mistake), 0);
    CHECK_EQ(discarded, (NR_PAGES - 1) * (QUIRE_PAGE_SIZE / SECTOR_BYTES));
    CHECK_EQ(swap_off(file), 0);
    file_put(file);
    disk_end();
}

static void what_is_to_be_durable_is_flushed(void)
{
    if (!disk_boot())
        return;
    struct file *file = open_or_null("/dev/vda", O_RDWR);
    REQUIRE(file);
    CHECK_EQ(file_write(file, "a", 1), 1);
    CHECK_EQ(nr_flushes, 0);
    CHECK_EQ(file->ops->sync(file), 0);
    CHECK_EQ(nr_flushes, 1);
    file->flags |= O_DSYNC;
    CHECK_EQ(file_write(file, "b", 1), 1);
    CHECK_EQ(nr_flushes, 2);
    block_flush_all();
    CHECK_EQ(nr_flushes, 3);
    flush_error = -EIO;
    CHECK_EQ(file_write(file, "c", 1), -EIO);
    CHECK_EQ(file->ops->sync(file), -EIO);
    file_put(file);
    disk_end();
}

static void a_device_is_no_larger_than_positions_are(void)
{
    disk = (struct block_device){.name = "vda", .nr_sectors = UINT64_MAX, .transfer = move};
    CHECK(block_register(&disk));
    if (fs_boot()) {
        struct file *file = open_or_null("/dev/vda", O_RDONLY);
        REQUIRE(file);
        CHECK_EQ(file_seek(file, 0, SEEK_END), INT64_MAX / SECTOR_BYTES * SECTOR_BYTES);
        file_put(file);
    }
    disk_end();
}

static const struct test_case cases[] = {
    TEST_CASE(any_bytes_are_read_and_written),
    TEST_CASE(a_device_ends_where_it_ends),
    TEST_CASE(what_fails_is_told_of_and_changes_nothing),
    TEST_CASE(headers_that_make_no_sense_are_refused),
    TEST_CASE(an_area_is_one_until_it_is_turned_off),
    TEST_CASE(what_is_to_be_durable_is_flushed),
    TEST_CASE(a_device_is_no_larger_than_positions_are),
    {0},
};
const struct test_suite suite_fs_block = {"fs_block", cases};
