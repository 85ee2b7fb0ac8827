/* tests/kernel/virtio_machine.h: virtio devices that a test plays
 *
 * The drivers are compiled for the host; their ports, the bus and the interrupt lead here. A device
 * does what `notify` says when it is kicked, and what the test says besides, however wrong that is.
 */
#ifndef QUIRE_TESTS_VIRTIO_MACHINE_H
#define QUIRE_TESTS_VIRTIO_MACHINE_H

#include "kernel/dev/virtio.h"
#include "tests/kernel/fs_machine.h"

#define FAKE_QUEUES 12u
#define FAKE_PIECES 40u

struct fake_device {
    enum virtio_type type;
    uint32_t features;
    uint8_t irq;
    uint8_t config[64];
    /* The driver has put something into this queue. NULL: nothing happens. */
    void (*notify)(struct fake_device *device, unsigned queue);

    uint8_t status, requests; /* from here on the fake's own */
    uint16_t selected;
    struct fake_queue {
        uint16_t size; /* the test's, before the driver starts */
        uint16_t seen, given;
        uint32_t frame;
    } queue[FAKE_QUEUES];
};

/* A chain that the device has taken. */
struct fake_chain {
    uint32_t head;
    unsigned count, nr_out;
    struct {
        char *memory;
        uint32_t size;
    } piece[FAKE_PIECES];
};

/* A machine with these devices; no drivers yet. */
bool fake_boot(struct fake_device *devices, unsigned count);

/* The next chain of a queue; false: there is none. */
bool fake_take(struct fake_device *device, unsigned queue, struct fake_chain *chain);
/* Puts this into the used ring, whether it makes sense or not. */
void fake_give(struct fake_device *device, unsigned queue, uint32_t head, uint32_t written);
void fake_interrupt(struct fake_device *device);
/* The driver wants to be told when something is back. */
bool fake_is_awaited(const struct fake_device *device, unsigned queue);

#endif
