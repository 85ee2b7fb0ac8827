/* tests/kernel/virtio_machine.c: virtio devices that a test plays: ports, bus and rings (Virtual
 * I/O Device 1.1, 2.6 and 4.1.4.8) */
#include "tests/kernel/virtio_machine.h"

#include <stdarg.h>

#include "kernel/irq.h"
#include "kernel/kernel.h"
#include "tests/kernel/fake_cpu.h"

#define FIRST_PORT 0xc000u
#define PORTS 0x100u /* of a device */
#define USED_ALIGN 4096u

struct quire_port_mem machine_port;

static struct fake_device *devices;
static unsigned nr_devices;
static void (*handler)(void);

/* ---- what the drivers call ------------------------------------------------------------------- */

void irq_set_handler(unsigned irq, void (*wanted)(void))
{
    (void)irq;
    handler = wanted;
}

void print(const char *format, ...)
{
    (void)format;
}

bool pci_next(struct pci_device *at, uint16_t vendor)
{
    unsigned slot = at->ports ? at->slot + 1u : 0;
    if (slot >= nr_devices)
        return false;
    *at = (struct pci_device){.slot = (uint8_t)slot,
                              .vendor = vendor,
                              .device = 0x1000,
                              .subsystem = (uint16_t)devices[slot].type,
                              .ports = (uint16_t)(FIRST_PORT + slot * PORTS),
                              .irq = devices[slot].irq};
    return true;
}

void pci_enable(const struct pci_device *device)
{
    (void)device;
}

static struct fake_device *device_at(uint16_t port, unsigned *reg)
{
    *reg = (port - FIRST_PORT) % PORTS;
    return &devices[(port - FIRST_PORT) / PORTS];
}

uint32_t cpu_in32(uint16_t port)
{
    unsigned reg;
    struct fake_device *device = device_at(port, &reg);
    uint32_t value = 0;
    if (reg == 0)
        return device->features;
    if (reg >= 20)
        __builtin_memcpy(&value, device->config + reg - 20, sizeof value);
    return value;
}

uint16_t cpu_in16(uint16_t port)
{
    unsigned reg;
    struct fake_device *device = device_at(port, &reg);
    CHECK_EQ(reg, 12);
    return device->queue[device->selected].size;
}

uint8_t cpu_in8(uint16_t port)
{
    unsigned reg;
    struct fake_device *device = device_at(port, &reg);
    uint8_t requests = device->requests;
    if (reg == 18)
        return device->status;
    if (reg != 19)
        return device->config[reg - 20];
    device->requests = 0;
    return requests;
}

void cpu_out32(uint16_t port, uint32_t value)
{
    unsigned reg;
    struct fake_device *device = device_at(port, &reg);
    if (reg == 8)
        device->queue[device->selected].frame = value;
}

void cpu_out16(uint16_t port, uint16_t value)
{
    unsigned reg;
    struct fake_device *device = device_at(port, &reg);
    CHECK(value < FAKE_QUEUES);
    if (reg == 14)
        device->selected = value;
    else if (device->notify)
        device->notify(device, value);
}

void cpu_out8(uint16_t port, uint8_t value)
{
    unsigned reg;
    struct fake_device *device = device_at(port, &reg);
    CHECK_EQ(reg, 18);
    device->status = value;
}

/* ---- rings ----------------------------------------------------------------------------------- */

struct descriptor {
    uint64_t phys;
    uint32_t size;
    uint16_t flags, next;
};

struct used {
    uint16_t flags, index;
    struct {
        uint32_t head, written;
    } element[];
};

static char *ring_of(const struct fake_queue *queue)
{
    return machine_port.base + ((uint64_t)queue->frame << QUIRE_PAGE_SHIFT);
}

/* Flags, index, heads. */
static volatile uint16_t *available_of(const struct fake_queue *queue)
{
    return (volatile uint16_t *)(void *)(ring_of(queue) + queue->size * sizeof(struct descriptor));
}

static volatile struct used *used_of(const struct fake_queue *queue)
{
    size_t end = queue->size * sizeof(struct descriptor) + (3u + queue->size) * sizeof(uint16_t);
    return (void *)(ring_of(queue) + (end + USED_ALIGN - 1) / USED_ALIGN * USED_ALIGN);
}

bool fake_take(struct fake_device *device, unsigned number, struct fake_chain *chain)
{
    struct fake_queue *queue = &device->queue[number];
    volatile uint16_t *available = available_of(queue);
    const struct descriptor *table = (void *)ring_of(queue);
    if (!device->status || queue->seen == available[1])
        return false;
    *chain = (struct fake_chain){.head = available[2 + queue->seen++ % queue->size]};
    for (uint32_t at = chain->head; chain->count < FAKE_PIECES; at = table[at].next) {
        chain->piece[chain->count].memory = machine_port.base + table[at].phys;
        chain->piece[chain->count++].size = table[at].size;
        chain->nr_out += !(table[at].flags & 2);
        if (!(table[at].flags & 1))
            break;
    }
    return true;
}

void fake_give(struct fake_device *device, unsigned number, uint32_t head, uint32_t written)
{
    struct fake_queue *queue = &device->queue[number];
    volatile struct used *used = used_of(queue);
    used->element[queue->given % queue->size].head = head;
    used->element[queue->given % queue->size].written = written;
    used->index = ++queue->given;
}

void fake_interrupt(struct fake_device *device)
{
    device->requests = 1;
    if (handler)
        handler();
}

bool fake_is_awaited(const struct fake_device *device, unsigned queue)
{
    return !(available_of(&device->queue[queue])[0] & 1);
}

/* ---- the beginning --------------------------------------------------------------------------- */

bool fake_boot(struct fake_device *with, unsigned count)
{
    if (QUIRE_PAGE_SIZE != USED_ALIGN) {
        test_skip("virtio's legacy rings have pages of 4 KiB");
        return false;
    }
    if (!fs_boot())
        return false;
    machine_port = machine.port;
    virtio_forget_all();
    handler = NULL;
    devices = with;
    nr_devices = count;
    return true;
}
