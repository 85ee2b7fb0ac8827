/* kernel/dev/virtio.c: split virtqueues, and legacy registers (Virtual I/O Device 1.1, 2.6 and
 * 4.1.4.8)
 *
 *     descriptor[size]   address, length, flags, next of a chain      the driver writes
 *     available          flags, index, ring[size]: heads of chains    the driver writes
 *     used               flags, index, ring[size]: head and length    the device writes
 *
 *   invariant   a descriptor is free, on the list that `entry` has, or in one chain that the device
 *               has; the driver never reads back what it wrote into shared memory, nor follows it
 *   invariant   a head's entry knows how much the device may write, and is in use until it is back
 *
 * On x86 stores are seen in order, and so are loads; what is needed beyond is that a load doesn't
 * pass an earlier store (SDM 3A, 8.2.2), where one side writes an index and then looks at the
 * other's flags.
 */
#include "dev/virtio.h"

#include "cpu.h"
#include "errno.h"
#include "irq.h"
#include "kernel.h"
#include "memory.h"
#include "trap.h"

#define DEVICE_FEATURES 0u
#define DRIVER_FEATURES 4u
#define QUEUE_FRAME 8u
#define QUEUE_SIZE 12u
#define QUEUE_SELECT 14u
#define QUEUE_NOTIFY 16u
#define DEVICE_STATUS 18u
#define INTERRUPT_STATUS 19u
#define DEVICE_CONFIG 20u

#define STATUS_ACKNOWLEDGE 0x01u
#define STATUS_DRIVER 0x02u
#define STATUS_DRIVER_OK 0x04u

#define LEGACY_FIRST 0x1000u
#define LEGACY_LAST 0x103fu
#define MAX_QUEUE_SIZE 1024u

#define DESCRIPTOR_NEXT 1u
#define DESCRIPTOR_WRITE 2u
#define AVAILABLE_NO_INTERRUPT 1u
#define USED_NO_NOTIFY 1u

struct descriptor {
    uint64_t phys;
    uint32_t size;
    uint16_t flags, next;
};

struct virtio_ring {
    struct descriptor *descriptor;
    struct available {
        uint16_t flags, index, head[];
    } * available;
    volatile struct used {
        uint16_t flags, index;
        struct {
            uint32_t head, written;
        } element[];
    } * used;
};

struct virtio_entry {
    uint16_t next;  /* free, or in the same chain */
    uint16_t count; /* of a chain's head: its entries; 0: the device doesn't have it */
    uint32_t room, token;
};

static struct virtio_device *devices;

/* ---- devices --------------------------------------------------------------------------------- */

static uint16_t port_of(const struct virtio_device *device, unsigned reg)
{
    return (uint16_t)(device->pci.ports + reg);
}

uint8_t virtio_config8(const struct virtio_device *device, unsigned at)
{
    return cpu_in8(port_of(device, DEVICE_CONFIG + at));
}

uint32_t virtio_config32(const struct virtio_device *device, unsigned at)
{
    return cpu_in32(port_of(device, DEVICE_CONFIG + at));
}

static void add_status(const struct virtio_device *device, unsigned bits)
{
    uint16_t port = port_of(device, DEVICE_STATUS);
    cpu_out8(port, (uint8_t)(cpu_in8(port) | bits));
}

void virtio_break(struct virtio_device *device, const char *why)
{
    if (device->broken)
        return;
    device->broken = true;
    cpu_out8(port_of(device, DEVICE_STATUS), 0); /* a reset: it has no memory of ours any more */
    print("virtio: %s: %s; the device isn't used any more\n", device->name, why);
    device->broke(device);
}

bool virtio_find(struct virtio_device *device, struct pci_device *pci, enum virtio_type type)
{
    while (pci_next(pci, VIRTIO_VENDOR)) {
        bool legacy = pci->device >= LEGACY_FIRST && pci->device <= LEGACY_LAST && pci->ports;
        if (!legacy || pci->subsystem != type)
            continue;
        device->pci = *pci;
        pci_enable(pci);
        cpu_out8(port_of(device, DEVICE_STATUS), 0);
        add_status(device, STATUS_ACKNOWLEDGE);
        add_status(device, STATUS_DRIVER);
        return true;
    }
    return false;
}

void virtio_accept(struct virtio_device *device, uint32_t wanted)
{
    device->features = cpu_in32(port_of(device, DEVICE_FEATURES)) & wanted;
    cpu_out32(port_of(device, DRIVER_FEATURES), device->features);
}

/* Reading the status ends a device's request. Several may share the line. */
static void interrupt(void)
{
    for (struct virtio_device *device = devices; device; device = device->next)
        if (cpu_in8(port_of(device, INTERRUPT_STATUS)) && !device->broken)
            device->interrupt(device);
}

int virtio_start(struct virtio_device *device)
{
    bool handled = false;
    if (device->pci.irq >= NR_IRQS) {
        virtio_break(device, "it has no interrupt");
        return -ENXIO;
    }
    for (const struct virtio_device *other = devices; other; other = other->next)
        handled = handled || other->pci.irq == device->pci.irq;
    device->next = devices;
    devices = device;
    if (!handled)
        irq_set_handler(device->pci.irq, interrupt);
    add_status(device, STATUS_DRIVER_OK);
    return 0;
}

void virtio_forget_all(void)
{
    devices = NULL;
}

/* ---- a queue's memory ------------------------------------------------------------------------ */

static size_t used_offset(unsigned size)
{
    size_t end = size * sizeof(struct descriptor) + (3u + size) * sizeof(uint16_t);
    return (end + QUIRE_PAGE_SIZE - 1) & ~(size_t)(QUIRE_PAGE_SIZE - 1);
}

static void lay_out(struct virtio_queue *queue, char *memory)
{
    queue->ring->descriptor = (void *)memory;
    queue->ring->available = (void *)(memory + queue->size * sizeof(struct descriptor));
    queue->ring->used = (void *)(memory + used_offset(queue->size));
    queue->ring->available->flags = AVAILABLE_NO_INTERRUPT;
    for (unsigned i = 0; i < queue->size; i++)
        queue->entry[i].next = (uint16_t)(i + 1);
    queue->nr_free = queue->size;
    queue->free = queue->given = queue->seen = 0;
}

/* The device knows a queue by the frame that it begins in. */
int virtio_queue_init(struct virtio_queue *queue, struct virtio_device *device, unsigned index)
{
    const quire_gfp_t gfp = QUIRE_GFP_KERNEL | QUIRE_GFP_ZERO;
    cpu_out16(port_of(device, QUEUE_SELECT), (uint16_t)index);
    unsigned size = cpu_in16(port_of(device, QUEUE_SIZE));
    if (!size || size > MAX_QUEUE_SIZE || size & (size - 1))
        return -ENXIO;
    size_t used_bytes = 3 * sizeof(uint16_t) + size * 8;
    *queue = (struct virtio_queue){.device = device, .index = index, .size = size};
    queue->ring = quire_kzalloc(machine_slab, sizeof *queue->ring, QUIRE_GFP_KERNEL);
    queue->entry = quire_kzalloc(machine_slab, size * sizeof *queue->entry, QUIRE_GFP_KERNEL);
    char *memory = quire_alloc_pages_exact(machine_mem, used_offset(size) + used_bytes, gfp);
    if (!queue->ring || !queue->entry || !memory) {
        quire_kfree(machine_slab, queue->ring);
        quire_kfree(machine_slab, queue->entry);
        if (memory)
            quire_free_pages_exact(machine_mem, memory, used_offset(size) + used_bytes);
        *queue = (struct virtio_queue){.device = device};
        return -ENOMEM;
    }
    lay_out(queue, memory);
    uint64_t frame = quire_port_virt_to_phys(&machine_port, memory) >> QUIRE_PAGE_SHIFT;
    cpu_out32(port_of(device, QUEUE_FRAME), (uint32_t)frame);
    return 0;
}

/* ---- to the device --------------------------------------------------------------------------- */

bool virtio_queue_add(struct virtio_queue *queue, const struct virtio_buffer *buffers,
                      unsigned nr_out, unsigned nr_in, unsigned token)
{
    struct virtio_ring *ring = queue->ring;
    unsigned count = nr_out + nr_in;
    uint16_t head = queue->free, at = head;
    uint32_t room = 0;
    if (!count || count > queue->nr_free || queue->device->broken)
        return false;
    for (unsigned i = 0; i < count; i++) {
        unsigned flags =
            (i + 1 < count ? DESCRIPTOR_NEXT : 0) | (i >= nr_out ? DESCRIPTOR_WRITE : 0);
        room += i >= nr_out ? buffers[i].size : 0;
        ring->descriptor[at] = (struct descriptor){buffers[i].phys, buffers[i].size,
                                                   (uint16_t)flags, queue->entry[at].next};
        at = queue->entry[at].next;
    }
    queue->free = at;
    queue->nr_free -= count;
    queue->entry[head].count = (uint16_t)count;
    queue->entry[head].room = room;
    queue->entry[head].token = token;
    ring->available->head[queue->given & (queue->size - 1)] = head;
    __atomic_store_n(&ring->available->index, ++queue->given, __ATOMIC_RELEASE);
    return true;
}

void virtio_queue_kick(struct virtio_queue *queue)
{
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
    if (!(queue->ring->used->flags & USED_NO_NOTIFY) && !queue->device->broken)
        cpu_out16(port_of(queue->device, QUEUE_NOTIFY), (uint16_t)queue->index);
}

/* ---- back from it ---------------------------------------------------------------------------- */

static void free_chain(struct virtio_queue *queue, uint16_t head)
{
    uint16_t last = head;
    for (unsigned i = 1; i < queue->entry[head].count; i++)
        last = queue->entry[last].next;
    queue->entry[last].next = queue->free;
    queue->free = head;
    queue->nr_free += queue->entry[head].count;
    queue->entry[head].count = 0;
}

static bool has_some(const struct virtio_queue *queue)
{
    return __atomic_load_n(&queue->ring->used->index, __ATOMIC_ACQUIRE) != queue->seen;
}

int virtio_queue_take(struct virtio_queue *queue, uint32_t *written)
{
    if (queue->device->broken || !has_some(queue))
        return -1;
    unsigned at = queue->seen & (queue->size - 1);
    uint32_t head = queue->ring->used->element[at].head;
    *written = queue->ring->used->element[at].written;
    if (head >= queue->size || !queue->entry[head].count) {
        virtio_break(queue->device, "it gave back what it didn't have");
        return -1;
    }
    if (*written > queue->entry[head].room) {
        virtio_break(queue->device, "it says that it wrote more than there is room for");
        return -1;
    }
    queue->seen++;
    free_chain(queue, (uint16_t)head);
    return (int)queue->entry[head].token;
}

bool virtio_queue_interrupts(struct virtio_queue *queue, bool wanted)
{
    queue->ring->available->flags = (uint16_t)(wanted ? 0 : AVAILABLE_NO_INTERRUPT);
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
    return has_some(queue);
}
