/* kernel/fs/swap.c: swap areas on block devices (Linux: mm/swapfile.c, read_swap_header)
 *
 * The first page has the header that mkswap writes: 1 KiB for a boot loader, then version, number
 * of the last page, and how many pages of the medium are bad; "SWAPSPACE2" ends it. Areas with bad
 * pages aren't taken: mkswap looks for them only when told to.
 */
#include "fs/swap.h"

#include <quire/swap.h>

#include "base/compiler.h"
#include "fs/block.h"
#include "memory.h"

#define SECTORS_PER_PAGE (QUIRE_PAGE_SIZE / SECTOR_BYTES)
#define MOST_PIECES 32u
#define VERSION 1u

struct header {
    char boot[1024];
    uint32_t version, last_page, nr_bad;
    char unused[QUIRE_PAGE_SIZE - 1024 - 3 * sizeof(uint32_t) - 10];
    char signature[10];
};
_Static_assert(sizeof(struct header) == QUIRE_PAGE_SIZE, "the header is a page");

/* Numbers of areas, by their device's place; those that aren't are 0, others one more than that. */
static unsigned area_of[BLOCK_MAX_DEVICES];

static unsigned *area_of_device(const struct block_device *device)
{
    return &area_of[device->minor / BLOCK_MINORS];
}

/* ---- pages ----------------------------------------------------------------------------------- */

static int transfer(void *store, bool write, uint64_t slot, struct quire_page *const *pages,
                    unsigned count)
{
    struct block_piece pieces[MOST_PIECES];
    int error = 0;
    while (!error && count) {
        unsigned some = count < MOST_PIECES ? count : MOST_PIECES;
        for (unsigned i = 0; i < some; i++)
            pieces[i] = (struct block_piece){quire_page_to_phys(pages[i]), QUIRE_PAGE_SIZE};
        error = block_transfer(store, write, slot * SECTORS_PER_PAGE, pieces, some);
        pages += some;
        slot += some;
        count -= some;
    }
    return error;
}

static int read_slots(void *store, uint64_t slot, struct quire_page *const *pages, unsigned count)
{
    return transfer(store, false, slot, pages, count);
}

static int write_slots(void *store, uint64_t slot, struct quire_page *const *pages, unsigned count)
{
    return transfer(store, true, slot, pages, count);
}

static void discard_slots(void *store, uint64_t slot, uint64_t count)
{
    struct block_device *device = store;
    device->discard(device, slot * SECTORS_PER_PAGE, count * SECTORS_PER_PAGE);
}

static const struct quire_swap_ops plain_ops = {.read = read_slots, .write = write_slots};
static const struct quire_swap_ops discard_ops = {
    .read = read_slots, .write = write_slots, .discard = discard_slots};

/* ---- the header ------------------------------------------------------------------------------ */

/* What is wrong with it; NULL: nothing. */
static const char *mistake_in(const struct header *header, uint64_t nr_pages)
{
    if (__builtin_memcmp(header->signature, "SWAPSPACE2", sizeof header->signature))
        return "it has no swap signature; mkswap makes one";
    if (header->version != VERSION)
        return "its swap header is of another version, or byte order";
    if (!header->last_page)
        return "it is an empty swap area";
    if (header->last_page >= nr_pages)
        return "it is shorter than its swap header says";
    return header->nr_bad ? "its swap header names bad pages" : NULL;
}

/* The number of its pages, with the header's, in *nr_slots. */
static int read_header(struct block_device *device, uint64_t *nr_slots, const char **mistake)
{
    struct quire_page *page = quire_alloc_page(machine_mem, QUIRE_GFP_KERNEL);
    if (!page)
        return -ENOMEM;
    const struct header *header = quire_page_address(machine_mem, page);
    uint64_t nr_pages = device->nr_sectors / SECTORS_PER_PAGE;
    int error = nr_pages ? read_slots(device, 0, &page, 1) : 0;
    if (!error)
        *mistake = nr_pages ? mistake_in(header, nr_pages) : "it has no room for a swap header";
    *nr_slots = (uint64_t)header->last_page + 1;
    quire_free_page(machine_mem, page);
    return *mistake ? -EINVAL : error;
}

/* ---- on and off ------------------------------------------------------------------------------ */

static bool discards(const struct block_device *device, unsigned flags, unsigned when)
{
    unsigned either = SWAP_FLAG_DISCARD_ONCE | SWAP_FLAG_DISCARD_PAGES;
    return device->discard && flags & SWAP_FLAG_DISCARD && (!(flags & either) || flags & when);
}

static int add_area(struct block_device *device, const char *name, unsigned flags,
                    const char **mistake)
{
    struct quire_swap_config config = {
        .ops = discards(device, flags, SWAP_FLAG_DISCARD_PAGES) ? &discard_ops : &plain_ops,
        .store = device,
        .priority = flags & SWAP_FLAG_PREFER ? (int)(flags & SWAP_FLAG_PRIO_MASK) : -1,
        .name = name,
    };
    struct quire_swap_info info;
    int error = read_header(device, &config.nr_slots, mistake);
    if (error)
        return error;
    if (discards(device, flags, SWAP_FLAG_DISCARD_ONCE))
        discard_slots(device, 1, config.nr_slots - 1);
    int area = quire_swapon(machine_vm, &config);
    if (area < 0)
        return area;
    *area_of_device(device) = (unsigned)area + 1;
    if (!quire_swap_info(machine_vm, area, &info))
        quire_log(QUIRE_LOG_INFO, "swap: %lluk on %s, priority %d",
                  (unsigned long long)info.nr_slots << (QUIRE_PAGE_SHIFT - 10), name,
                  info.priority);
    return 0;
}

int swap_on(struct file *file, unsigned flags, const char **mistake)
{
    *mistake = NULL;
    struct block_device *device = block_device_of(file->inode);
    if (!device)
        return -EINVAL;
    if (device->claimed)
        return -EBUSY;
    device->claimed = true; /* before anything sleeps */
    char *name = quire_kmalloc(machine_slab, FS_PATH_MAX, QUIRE_GFP_KERNEL);
    int error = name ? file_path(file, name, FS_PATH_MAX) : -ENOMEM;
    if (error >= 0)
        error = add_area(device, name, flags, mistake);
    if (error)
        device->claimed = false;
    if (name)
        quire_kfree(machine_slab, name);
    return error;
}

int swap_off(struct file *file)
{
    struct block_device *device = block_device_of(file->inode);
    unsigned area = device ? *area_of_device(device) : 0;
    int error = area ? quire_swapoff(machine_vm, (int)area - 1) : -EINVAL;
    if (error)
        return error;
    *area_of_device(device) = 0;
    device->claimed = false;
    return 0;
}
