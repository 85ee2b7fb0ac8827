/* kernel/dev/virtio.h: devices that a hypervisor makes (Virtual I/O Device 1.1; of PCI, legacy)
 *
 * A device has queues. The driver puts chains of buffers into one, which the device fills or reads
 * and gives back in any order, with a number that the driver had chosen and how many bytes it
 * wrote. What the device says is checked: a number that nobody gave, one given back twice, more
 * than there was room for break the device, once and for all, and it is told of in the log.
 *
 * Nothing here sleeps. The kernel isn't preempted and handlers run with interrupts off, but a task
 * that waits for a device by polling shares its queues with nobody only until it sleeps.
 */
#ifndef KERNEL_DEV_VIRTIO_H
#define KERNEL_DEV_VIRTIO_H

#include <stdbool.h>
#include <stddef.h>

#include "dev/pci.h"

#define VIRTIO_VENDOR 0x1af4u
enum virtio_type { VIRTIO_BLOCK = 2, VIRTIO_CONSOLE = 3 }; /* the subsystem's number */

struct virtio_device {
    const char *name; /* in the log */
    struct pci_device pci;
    uint32_t features; /* that both sides have */
    bool broken;
    /* Some queue has something back, perhaps; called from the interrupt. */
    void (*interrupt)(struct virtio_device *device);
    /* It is broken: whoever waits for it is woken, and nothing else is done, since it may have
     * broken in the midst of anything. */
    void (*broke)(struct virtio_device *device);
    struct virtio_device *next;
};

/* A piece of memory, which stays where it is until the chain is back. */
struct virtio_buffer {
    uint64_t phys;
    uint32_t size;
};

struct virtio_queue {
    struct virtio_device *device;
    unsigned index, size, nr_free; /* entries */
    uint16_t free;                 /* the first free entry */
    uint16_t given, seen;          /* how many chains were added, and taken back */
    struct virtio_ring *ring;
    struct virtio_entry *entry; /* ours of each of the ring's */
};

/* A device of this type behind the place `pci` is at (all zero: the first): reset, and told that
 * there is a driver. False: no more. */
bool virtio_find(struct virtio_device *device, struct pci_device *pci, enum virtio_type type);
/* What of `wanted` it has, it is to do. */
void virtio_accept(struct virtio_device *device, uint32_t wanted);
/* Queues first, then this; from now on the interrupt is called. -ENXIO: it has none, and is broken.
 */
int virtio_start(struct virtio_device *device);
uint8_t virtio_config8(const struct virtio_device *device, unsigned at);
uint32_t virtio_config32(const struct virtio_device *device, unsigned at);
void virtio_break(struct virtio_device *device, const char *why);
/* The end, for tests: none has an interrupt any more. */
void virtio_forget_all(void);

/* Memory for the queue, and the device gets to know it; no interrupts come of it yet. -ENOMEM,
 * -ENXIO: it has no such queue. May sleep. */
int virtio_queue_init(struct virtio_queue *queue, struct virtio_device *device, unsigned index);
/* `nr_out` buffers that the device reads, then `nr_in` that it writes; `token` comes back with
 * them. False: it has not as many free entries. */
bool virtio_queue_add(struct virtio_queue *queue, const struct virtio_buffer *buffers,
                      unsigned nr_out, unsigned nr_in, unsigned token);
/* The device is told of what was added. */
void virtio_queue_kick(struct virtio_queue *queue);
/* What is back: its token, and in *written the bytes that the device says it wrote, at most as many
 * as there was room for; -1: nothing, or the device is broken. */
int virtio_queue_take(struct virtio_queue *queue, uint32_t *written);
/* Whether it interrupts when something is back. True: something is back already. */
bool virtio_queue_interrupts(struct virtio_queue *queue, bool wanted);

#endif
