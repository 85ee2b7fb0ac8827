/* kernel/dev/virtio_blk.c: virtio's block device (Virtual I/O Device 1.1, 5.2)
 *
 * A request is a chain: what is to be done, the memory, a byte for how it went. Descriptions and
 * bytes of all requests are in one page. Whoever has one under way sleeps until the interrupt;
 * others have theirs meanwhile. The kernel's first task can't sleep, and polls.
 *
 *   invariant   a request is free, its owner's to fill, or with the device; it is done when the
 *               queue gave its number back, and from then on its owner's again
 */
#include "dev/virtio_blk.h"

#include <quire/port.h>

#include "dev/virtio.h"
#include "errno.h"
#include "fs/block.h"
#include "kernel.h"
#include "memory.h"

#define FEATURE_SEG_MAX (1u << 2)
#define FEATURE_READ_ONLY (1u << 5)
#define FEATURE_FLUSH (1u << 9) /* without, each write would have to reach the medium */
#define FEATURE_DISCARD (1u << 13)
#define CONFIG_CAPACITY 0u
#define CONFIG_SEG_MAX 12u
#define CONFIG_MAX_DISCARD 36u

#define MAX_DISKS 4u
#define NR_REQUESTS 16u
#define MOST_PIECES 32u     /* of a request */
#define LEAST_ENTRIES 4u    /* of the queue: the longest request but for its pieces has three */
#define LEAST_DISCARD 2048u /* sectors at once: less isn't worth the requests */

enum request_type { REQUEST_READ = 0, REQUEST_WRITE = 1, REQUEST_FLUSH = 4, REQUEST_DISCARD = 11 };
enum request_status { STATUS_OK, STATUS_ERROR, STATUS_UNSUPPORTED };

/* What the device sees of a request. */
struct request_memory {
    struct {
        uint32_t type, priority;
        uint64_t sector;
    } head;
    struct {
        uint64_t sector;
        uint32_t count, flags;
    } discard;
    uint8_t status;
    uint8_t padding[31];
};
_Static_assert(sizeof(struct request_memory) * NR_REQUESTS <= QUIRE_PAGE_SIZE, "requests fit");

enum request_state { REQUEST_FREE, REQUEST_UNDER_WAY, REQUEST_DONE };

struct disk {
    struct virtio_device virtio;
    struct block_device block;
    struct virtio_queue queue;
    struct request_memory *memory;
    enum request_state state[NR_REQUESTS];
    unsigned most_pieces;
    uint32_t most_discard;
    struct event changed;
    char name[4];
};

static struct disk disks[MAX_DISKS];

static uint64_t phys_of(const void *memory)
{
    return quire_port_virt_to_phys(&machine_port, memory);
}

/* ---- requests -------------------------------------------------------------------------------- */

static void take_back(struct disk *disk)
{
    uint32_t written;
    bool any = false;
    for (int token; (token = virtio_queue_take(&disk->queue, &written)) >= 0; any = true)
        disk->state[token] = REQUEST_DONE;
    if (any)
        event_signal(&disk->changed);
}

static void interrupt(struct virtio_device *virtio)
{
    take_back(quire_container_of(virtio, struct disk, virtio));
}

static void broke(struct virtio_device *virtio)
{
    event_signal(&quire_container_of(virtio, struct disk, virtio)->changed);
}

/* A free request, with as many entries of the queue; waits for it. -EIO: the device is broken. */
static int take_request(struct disk *disk, unsigned entries)
{
    for (;;) {
        uint32_t seen = event_read(&disk->changed);
        if (disk->virtio.broken)
            return -EIO;
        for (unsigned i = 0; i < NR_REQUESTS && disk->queue.nr_free >= entries; i++)
            if (disk->state[i] == REQUEST_FREE)
                return (int)i;
        take_back(disk);
        event_wait_uninterruptible(&disk->changed, seen);
    }
}

/* Until it is done. 0, or what went wrong. */
static int wait_for(struct disk *disk, unsigned request)
{
    for (;;) {
        uint32_t seen = event_read(&disk->changed);
        take_back(disk);
        if (disk->state[request] == REQUEST_DONE || disk->virtio.broken)
            break;
        event_wait_uninterruptible(&disk->changed, seen);
    }
    uint8_t status = *(volatile uint8_t *)&disk->memory[request].status;
    bool done = disk->state[request] == REQUEST_DONE;
    disk->state[request] = REQUEST_FREE;
    event_signal(&disk->changed);
    return done && status == STATUS_OK ? 0 : -EIO;
}

/* The chain's first and last buffers are the request's own, the others are there already. */
static int run(struct disk *disk, unsigned request, struct virtio_buffer *buffers, unsigned count,
               bool device_writes)
{
    struct request_memory *memory = &disk->memory[request];
    memory->status = STATUS_ERROR;
    buffers[0] = (struct virtio_buffer){phys_of(&memory->head), sizeof memory->head};
    buffers[count - 1] = (struct virtio_buffer){phys_of(&memory->status), 1};
    unsigned nr_in = device_writes ? count - 1 : 1;
    if (!virtio_queue_add(&disk->queue, buffers, count - nr_in, nr_in, request))
        return -EIO;
    disk->state[request] = REQUEST_UNDER_WAY;
    virtio_queue_kick(&disk->queue);
    return wait_for(disk, request);
}

static int transfer_some(struct disk *disk, bool write, uint64_t sector,
                         const struct block_piece *pieces, unsigned count)
{
    struct virtio_buffer buffers[MOST_PIECES + 2];
    int request = take_request(disk, count + 2);
    if (request < 0)
        return request;
    for (unsigned i = 0; i < count; i++)
        buffers[i + 1] = (struct virtio_buffer){pieces[i].phys, pieces[i].size};
    struct request_memory *memory = &disk->memory[request];
    memory->head.type = write ? REQUEST_WRITE : REQUEST_READ;
    memory->head.priority = 0;
    memory->head.sector = sector;
    return run(disk, (unsigned)request, buffers, count + 2, !write);
}

static int transfer(struct block_device *block, bool write, uint64_t sector,
                    const struct block_piece *pieces, unsigned count)
{
    struct disk *disk = quire_container_of(block, struct disk, block);
    int error = write && block->read_only ? -EROFS : 0;
    while (!error && count) {
        unsigned some = count < disk->most_pieces ? count : disk->most_pieces;
        error = transfer_some(disk, write, sector, pieces, some);
        for (unsigned i = 0; i < some; i++)
            sector += pieces[i].size / SECTOR_BYTES;
        pieces += some;
        count -= some;
    }
    return error;
}

static int flush(struct block_device *block)
{
    struct disk *disk = quire_container_of(block, struct disk, block);
    struct virtio_buffer buffers[2];
    int request = take_request(disk, 2);
    if (request < 0)
        return request;
    disk->memory[request].head.type = REQUEST_FLUSH;
    disk->memory[request].head.priority = 0;
    disk->memory[request].head.sector = 0;
    return run(disk, (unsigned)request, buffers, 2, false);
}

/* Advice: that it wasn't taken is nobody's loss. */
static void discard(struct block_device *block, uint64_t sector, uint64_t count)
{
    struct disk *disk = quire_container_of(block, struct disk, block);
    while (count) {
        uint32_t some = count < disk->most_discard ? (uint32_t)count : disk->most_discard;
        struct virtio_buffer buffers[3];
        int request = take_request(disk, 3);
        if (request < 0)
            return;
        struct request_memory *memory = &disk->memory[request];
        memory->head.type = REQUEST_DISCARD;
        memory->head.priority = 0;
        memory->head.sector = 0;
        memory->discard.sector = sector;
        memory->discard.count = some;
        memory->discard.flags = 0;
        buffers[1] = (struct virtio_buffer){phys_of(&memory->discard), sizeof memory->discard};
        if (run(disk, (unsigned)request, buffers, 3, false))
            return;
        sector += some;
        count -= some;
    }
}

/* ---- the beginning --------------------------------------------------------------------------- */

static void configure(struct disk *disk)
{
    struct virtio_device *virtio = &disk->virtio;
    virtio_accept(virtio, FEATURE_SEG_MAX | FEATURE_READ_ONLY | FEATURE_FLUSH | FEATURE_DISCARD);
    disk->block.nr_sectors = virtio_config32(virtio, CONFIG_CAPACITY) |
                             (uint64_t)virtio_config32(virtio, CONFIG_CAPACITY + 4) << 32;
    disk->block.read_only = virtio->features & FEATURE_READ_ONLY;
    disk->most_pieces = 1;
    if (virtio->features & FEATURE_SEG_MAX)
        disk->most_pieces = virtio_config32(virtio, CONFIG_SEG_MAX);
    if (!disk->most_pieces) /* nonsense, but devices say it: Linux takes it for one, too */
        disk->most_pieces = 1;
    if (disk->most_pieces > MOST_PIECES)
        disk->most_pieces = MOST_PIECES;
    if (virtio->features & FEATURE_DISCARD)
        disk->most_discard = virtio_config32(virtio, CONFIG_MAX_DISCARD);
    if (disk->most_discard >= LEAST_DISCARD)
        disk->block.discard = discard;
    if (virtio->features & FEATURE_FLUSH)
        disk->block.flush = flush;
}

static int start(struct disk *disk)
{
    int error = virtio_queue_init(&disk->queue, &disk->virtio, 0);
    if (!error && disk->queue.size < LEAST_ENTRIES)
        error = -ENXIO;
    if (!error)
        disk->memory = quire_get_free_pages(machine_mem, QUIRE_GFP_KERNEL | QUIRE_GFP_ZERO, 0);
    if (!error && !disk->memory)
        error = -ENOMEM;
    if (error)
        return error;
    if (disk->most_pieces > disk->queue.size - 2)
        disk->most_pieces = disk->queue.size - 2;
    error = virtio_start(&disk->virtio);
    if (error)
        return error;
    (void)virtio_queue_interrupts(&disk->queue, true);
    return block_register(&disk->block) ? 0 : -ENXIO;
}

void virtio_blk_init(void)
{
    struct pci_device pci = {0};
    for (unsigned i = 0; i < MAX_DISKS; i++) {
        struct disk *disk = &disks[i];
        *disk = (struct disk){.virtio = {.interrupt = interrupt, .broke = broke},
                              .block = {.transfer = transfer},
                              .name = {'v', 'd', (char)('a' + i)}};
        disk->virtio.name = disk->block.name = disk->name;
        if (!virtio_find(&disk->virtio, &pci, VIRTIO_BLOCK))
            break;
        configure(disk);
        int error = start(disk);
        if (error) {
            print("virtio: %s can't be used: error %d\n", disk->name, -error);
            virtio_break(&disk->virtio, "it didn't start");
        }
    }
}
