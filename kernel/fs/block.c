/* kernel/fs/block.c: block devices, and files of them
 *
 * A file's bytes go through a page that the device has for it, one file at a time: so what isn't
 * whole sectors is read, changed and written back without another's write between.
 */
#include "fs/block.h"

#include <quire/port.h>

#include "base/bits.h"
#include "fs/devices.h"
#include "fs/ioctl.h"
#include "memory.h"

#define NS_PER_MS 1000000u

static struct block_device *devices[BLOCK_MAX_DEVICES];
static unsigned nr_devices;

bool block_register(struct block_device *device)
{
    if (nr_devices == BLOCK_MAX_DEVICES)
        return false;
    if (device->nr_sectors > INT64_MAX / SECTOR_BYTES) /* no position in a file is beyond */
        device->nr_sectors = INT64_MAX / SECTOR_BYTES;
    device->minor = nr_devices * BLOCK_MINORS;
    devices[nr_devices++] = device;
    return true;
}

void block_unregister_all(void)
{
    while (nr_devices) {
        struct block_device *device = devices[--nr_devices];
        if (device->page)
            quire_free_pages_at(machine_mem, device->page, 0);
        device->page = NULL;
    }
}

struct block_device *block_device(unsigned index)
{
    return index < nr_devices ? devices[index] : NULL;
}

struct block_device *block_device_of(const struct inode *inode)
{
    for (unsigned i = 0; inode_is(inode, S_IFBLK) && i < nr_devices; i++)
        if (inode->device == device_number(BLOCK_MAJOR, devices[i]->minor))
            return devices[i];
    return NULL;
}

int block_transfer(struct block_device *device, bool write, uint64_t sector,
                   const struct block_piece *pieces, unsigned count)
{
    uint64_t size = 0;
    for (unsigned i = 0; i < count; i++)
        size += pieces[i].size;
    uint64_t nr_sectors = size / SECTOR_BYTES;
    if (sector > device->nr_sectors || nr_sectors > device->nr_sectors - sector)
        return -EINVAL;
    uint64_t start = quire_port_clock_ns();
    device->nr_under_way++;
    int error = device->transfer(device, write, sector, pieces, count);
    device->nr_under_way--;
    if (error)
        return error;
    device->transfers[write]++;
    device->sectors[write] += nr_sectors;
    device->ns[write] += quire_port_clock_ns() - start;
    return 0;
}

/* ---- files ----------------------------------------------------------------------------------- */

static void lock(struct block_device *device)
{
    for (;;) {
        uint32_t seen = event_read(&device->free);
        if (!device->busy)
            break;
        event_wait_uninterruptible(&device->free, seen);
    }
    device->busy = true;
}

static void unlock(struct block_device *device)
{
    device->busy = false;
    event_signal(&device->free);
}

static uint64_t bytes_of(const struct block_device *device)
{
    return device->nr_sectors * SECTOR_BYTES;
}

/* At most what a page holds of the sectors around `at`. */
struct window {
    uint64_t sector;
    size_t begin, size, bytes; /* bytes: whole sectors */
};

static struct window window_at(const struct block_device *device, uint64_t at, size_t size)
{
    struct window window = {.sector = at / SECTOR_BYTES, .begin = (size_t)(at % SECTOR_BYTES)};
    size = size < bytes_of(device) - at ? size : (size_t)(bytes_of(device) - at);
    window.size = size < QUIRE_PAGE_SIZE - window.begin ? size : QUIRE_PAGE_SIZE - window.begin;
    window.bytes = (window.begin + window.size + SECTOR_BYTES - 1) & ~(size_t)(SECTOR_BYTES - 1);
    return window;
}

static int move_window(struct block_device *device, const struct window *window, bool write)
{
    const struct block_piece piece = {
        quire_page_to_phys(quire_virt_to_page(machine_mem, device->page)), (uint32_t)window->bytes};
    return block_transfer(device, write, window->sector, &piece, 1);
}

static int64_t read_file(struct file *file, uint64_t at, void *to, size_t size)
{
    struct block_device *device = file->data;
    size_t done = 0;
    int error = 0;
    lock(device);
    while (!error && done < size && at + done < bytes_of(device)) {
        struct window window = window_at(device, at + done, size - done);
        error = move_window(device, &window, false);
        if (error)
            break;
        __builtin_memcpy((char *)to + done, device->page + window.begin, window.size);
        done += window.size;
    }
    unlock(device);
    return done ? (int64_t)done : error;
}

static int write_window(struct block_device *device, const struct window *window, const void *from)
{
    int error = window->bytes == window->size ? 0 : move_window(device, window, false);
    if (error)
        return error;
    __builtin_memcpy(device->page + window->begin, from, window->size);
    return move_window(device, window, true);
}

static int sync_file(struct file *file)
{
    struct block_device *device = file->data;
    return device->flush ? device->flush(device) : 0;
}

static int64_t write_file(struct file *file, uint64_t at, const void *from, size_t size)
{
    struct block_device *device = file->data;
    size_t done = 0;
    int error = at < bytes_of(device) || !size ? 0 : -ENOSPC;
    lock(device);
    while (!error && done < size && at + done < bytes_of(device)) {
        struct window window = window_at(device, at + done, size - done);
        error = write_window(device, &window, (const char *)from + done);
        done += error ? 0 : window.size;
    }
    unlock(device);
    int lost = done && file->flags & O_DSYNC ? sync_file(file) : 0;
    return lost ? lost : done ? (int64_t)done : error;
}

static uint64_t file_size(struct file *file)
{
    return bytes_of(file->data);
}

static long file_control(struct file *file, unsigned command, void *argument,
                         const struct fs_caller *caller)
{
    struct block_device *device = file->data;
    (void)caller;
    switch (command) {
    case BLKGETSIZE64:
        *(uint64_t *)argument = bytes_of(device);
        return 0;
    case BLKGETSIZE:
        *(unsigned long *)argument = (unsigned long)device->nr_sectors;
        return device->nr_sectors > (unsigned long)-1 ? -EFBIG : 0;
    case BLKSSZGET:
    case BLKPBSZGET:
        *(unsigned *)argument = SECTOR_BYTES;
        return 0;
    case BLKBSZGET:
        *(unsigned *)argument = QUIRE_PAGE_SIZE;
        return 0;
    case BLKROGET:
        *(int *)argument = device->read_only;
        return 0;
    case BLKFLSBUF:
        return sync_file(file);
    default:
        return -ENOTTY;
    }
}

static const struct file_ops block_ops = {
    .name = "block",
    .read = read_file,
    .write = write_file,
    .size = file_size,
    .sync = sync_file,
    .ioctl = file_control,
};

int block_open(struct inode *inode, struct file *file)
{
    struct block_device *device = block_device_of(inode);
    if (!device)
        return -ENXIO;
    if (device->read_only && file_may_write(file))
        return -EACCES;
    if (!device->page)
        device->page = quire_get_free_pages(machine_mem, QUIRE_GFP_KERNEL, 0);
    if (!device->page)
        return -ENOMEM;
    file->ops = &block_ops;
    file->data = device;
    return 0;
}

void block_flush_all(void)
{
    for (unsigned i = 0; i < nr_devices; i++)
        if (devices[i]->flush)
            (void)devices[i]->flush(devices[i]);
}

/* ---- /proc ----------------------------------------------------------------------------------- */

int block_show_partitions(struct text *text, uint64_t subject)
{
    (void)subject;
    text_puts(text, "major minor  #blocks  name\n\n");
    for (unsigned i = 0; i < nr_devices; i++)
        text_printf(text, "%4u  %7u %10llu %s\n", BLOCK_MAJOR, devices[i]->minor,
                    (unsigned long long)(devices[i]->nr_sectors / 2), devices[i]->name);
    return 0;
}

/* Reads, merged, sectors, ms; the same of writes; under way, ms in all of them, weighted ms
 * (Documentation/admin-guide/iostats). Nothing is merged. */
int block_show_diskstats(struct text *text, uint64_t subject)
{
    (void)subject;
    for (unsigned i = 0; i < nr_devices; i++) {
        const struct block_device *d = devices[i];
        unsigned long long ms[2];
        for (unsigned way = 0; way < 2; way++)
            ms[way] = quire_div64(d->ns[way], NS_PER_MS);
        text_printf(text, "%4u %7u %s", BLOCK_MAJOR, d->minor, d->name);
        for (unsigned way = 0; way < 2; way++)
            text_printf(text, " %llu 0 %llu %llu", (unsigned long long)d->transfers[way],
                        (unsigned long long)d->sectors[way], ms[way]);
        text_printf(text, " %u %llu %llu\n", d->nr_under_way, ms[0] + ms[1], ms[0] + ms[1]);
    }
    return 0;
}
