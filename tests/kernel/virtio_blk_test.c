/* tests/kernel/virtio_blk_test.c: disks that do as they should, and disks that don't
 *
 * A case doesn't end its machine: what drivers take they keep.
 */
#include "kernel/dev/virtio_blk.h"

#include "kernel/fs/block.h"
#include "tests/kernel/virtio_machine.h"

#define SEG_MAX (1u << 2)
#define NR_SECTORS 64u

static struct fake_device disk;
static char content[NR_SECTORS * SECTOR_BYTES];
static unsigned most_pieces_seen;

struct head {
    uint32_t type, priority;
    uint64_t sector;
};

static void do_request(struct fake_device *device, const struct fake_chain *chain)
{
    const struct head *head = (void *)chain->piece[0].memory;
    char *at = content + head->sector * SECTOR_BYTES;
    uint32_t written = 1;
    if (chain->count - 2 > most_pieces_seen)
        most_pieces_seen = chain->count - 2;
    for (unsigned i = 1; i + 1 < chain->count; i++) {
        bool write = head->type == 1;
        CHECK(at + chain->piece[i].size <= content + sizeof content);
        __builtin_memcpy(write ? at : chain->piece[i].memory, write ? chain->piece[i].memory : at,
                         chain->piece[i].size);
        at += chain->piece[i].size;
        written += write ? 0 : chain->piece[i].size;
    }
    *chain->piece[chain->count - 1].memory = 0;
    fake_give(device, 0, chain->head, written);
}

static void obey(struct fake_device *device, unsigned queue)
{
    struct fake_chain chain;
    while (fake_take(device, queue, &chain))
        do_request(device, &chain);
    fake_interrupt(device);
}

/* NULL: the driver doesn't want it, or the case is skipped. */
static struct block_device *boot(uint16_t queue_size, uint32_t features, uint32_t seg_max)
{
    disk =
        (struct fake_device){.type = VIRTIO_BLOCK, .features = features, .irq = 11, .notify = obey};
    disk.queue[0].size = queue_size;
    disk.config[0] = NR_SECTORS;
    __builtin_memcpy(disk.config + 12, &seg_max, sizeof seg_max);
    most_pieces_seen = 0;
    block_unregister_all();
    if (!fake_boot(&disk, 1))
        return NULL;
    virtio_blk_init();
    return block_device(0);
}

/* Writes some pieces of a sector each, and reads them again. */
static bool remembers(struct block_device *device, unsigned count)
{
    static char bytes[NR_SECTORS * SECTOR_BYTES];
    struct block_piece piece[NR_SECTORS];
    char *memory = quire_alloc_pages_exact(machine.mem, sizeof bytes, QUIRE_GFP_KERNEL);
    uint64_t phys = quire_port_virt_to_phys(&machine.port, memory);
    for (unsigned i = 0; i < count; i++)
        piece[i] = (struct block_piece){phys + (count - 1 - i) * SECTOR_BYTES, SECTOR_BYTES};
    for (size_t i = 0; i < count * SECTOR_BYTES; i++)
        memory[i] = bytes[i] = (char)(i / 7);
    bool fine = !block_transfer(device, true, 0, piece, count);
    __builtin_memset(memory, 0, count * SECTOR_BYTES);
    fine = fine && !block_transfer(device, false, 0, piece, count);
    return fine && !__builtin_memcmp(memory, bytes, count * SECTOR_BYTES) &&
           !__builtin_memcmp(content, bytes + (count - 1) * SECTOR_BYTES, SECTOR_BYTES);
}

static void what_a_disk_is_given_it_has(void)
{
    struct block_device *device = boot(64, SEG_MAX, 20);
    if (!device)
        return;
    CHECK_EQ(device->nr_sectors, NR_SECTORS);
    CHECK(remembers(device, NR_SECTORS));
    CHECK_EQ(most_pieces_seen, 20);
}

static void requests_are_as_long_as_the_device_takes_them(void)
{
    static const struct {
        uint16_t queue;
        uint32_t features, seg_max;
        unsigned pieces;
    } disks[] = {
        {64, SEG_MAX, 0, 1},    /* that makes no sense */
        {64, 0, 0, 1},          /* it doesn't say */
        {64, SEG_MAX, ~0u, 32}, /* as many as we want */
        {8, SEG_MAX, 100, 6},   /* more than its queue holds */
        {4, SEG_MAX, 100, 2},
    };
    for (size_t i = 0; i < sizeof disks / sizeof disks[0]; i++) {
        struct block_device *device = boot(disks[i].queue, disks[i].features, disks[i].seg_max);
        if (!device)
            return;
        CHECK(remembers(device, NR_SECTORS));
        CHECK_EQ(most_pieces_seen, disks[i].pieces);
    }
}

static void disks_that_cant_be_used_arent_there(void)
{
    static const uint16_t size[] = {0, 1, 2, 3, 2048};
    for (size_t i = 0; i < sizeof size / sizeof size[0]; i++)
        CHECK(!boot(size[i], SEG_MAX, 8));
    disk = (struct fake_device){.type = VIRTIO_BLOCK, .irq = 0xff, .notify = obey};
    disk.queue[0].size = 64;
    if (!fake_boot(&disk, 1))
        return;
    virtio_blk_init();
    CHECK(!block_device(0));
    CHECK_EQ(disk.status, 0);
}

/* ---- breaking rules -------------------------------------------------------------------------- */

static struct block_device *device;
static unsigned asleep;
static uint32_t bad_head, bad_written;
static int second_error;

static int transfer_one(void)
{
    char *memory = quire_get_free_pages(machine.mem, QUIRE_GFP_KERNEL, 0);
    const struct block_piece piece = {quire_port_virt_to_phys(&machine.port, memory), SECTOR_BYTES};
    return block_transfer(device, false, 0, &piece, 1);
}

/* The first sleeper is joined by a second one; then the device gives back what it can't have. */
static int misbehave(void)
{
    CHECK(asleep < 2);
    if (++asleep == 1) {
        second_error = transfer_one();
    } else {
        struct fake_chain chain;
        CHECK(fake_take(&disk, 0, &chain));
        fake_give(&disk, 0, bad_head ? bad_head : chain.head, bad_written);
        if (!bad_head && !bad_written)
            fake_give(&disk, 0, chain.head, 0);
        fake_interrupt(&disk);
    }
    return 0;
}

static void who_waits_for_a_disk_that_breaks_is_woken(void)
{
    static const struct {
        uint32_t head, written;
    } bad[] = {{0xffff, 0}, {0x10000, 0}, {0, 0x10000}, {0, 0}};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        device = boot(64, SEG_MAX, 8);
        if (!device)
            return;
        disk.notify = NULL;
        bad_head = bad[i].head;
        bad_written = bad[i].written;
        asleep = 0;
        fs_while_asleep = misbehave;
        CHECK_EQ(transfer_one(), -EIO);
        CHECK_EQ(second_error, -EIO);
        CHECK_EQ(asleep, 2);
        fs_while_asleep = NULL;
        CHECK_EQ(transfer_one(), -EIO);
        CHECK_EQ(disk.status, 0);
    }
}

static const struct test_case cases[] = {
    TEST_CASE(what_a_disk_is_given_it_has),
    TEST_CASE(requests_are_as_long_as_the_device_takes_them),
    TEST_CASE(disks_that_cant_be_used_arent_there),
    TEST_CASE(who_waits_for_a_disk_that_breaks_is_woken),
    {0},
};
const struct test_suite suite_virtio_blk = {"virtio_blk", cases};
