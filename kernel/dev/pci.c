/* kernel/dev/pci.c: configuration space by the ports 0xcf8 and 0xcfc (PCI 3.0, 3.2.2.3.2)
 */
#include "dev/pci.h"

#include "cpu.h"

#define ADDRESS_PORT 0xcf8u
#define DATA_PORT 0xcfcu
#define ADDRESS_ENABLE 0x80000000u

/* Registers, by the byte they begin at; read and written by four. */
#define ID 0x00u
#define COMMAND 0x04u
#define HEADER_TYPE 0x0cu /* in its third byte */
#define BAR_0 0x10u
#define SUBSYSTEM 0x2cu
#define INTERRUPT 0x3cu

#define COMMAND_PORTS 0x1u
#define COMMAND_BUS_MASTER 0x4u
#define BAR_IS_PORTS 0x1u
#define SEVERAL_FUNCTIONS 0x800000u
#define NO_DEVICE 0xffffu
#define NR_FUNCTIONS 8u
#define NR_PLACES (32u * NR_FUNCTIONS)

static void select(unsigned place, unsigned reg)
{
    cpu_out32(ADDRESS_PORT, ADDRESS_ENABLE | place << 8 | reg);
}

static uint32_t read(unsigned place, unsigned reg)
{
    select(place, reg);
    return cpu_in32(DATA_PORT);
}

/* A device without function 0 isn't there; one with a single function answers for all eight. */
static bool is_there(unsigned place)
{
    unsigned first = place & ~(NR_FUNCTIONS - 1);
    if ((uint16_t)read(first, ID) == NO_DEVICE)
        return false;
    return place == first ||
           (read(first, HEADER_TYPE) & SEVERAL_FUNCTIONS && (uint16_t)read(place, ID) != NO_DEVICE);
}

static void look_at(struct pci_device *at, unsigned place)
{
    uint32_t id = read(place, ID), bar = read(place, BAR_0);
    *at = (struct pci_device){
        .slot = (uint8_t)(place / NR_FUNCTIONS),
        .function = (uint8_t)(place % NR_FUNCTIONS),
        .vendor = (uint16_t)id,
        .device = (uint16_t)(id >> 16),
        .subsystem = (uint16_t)(read(place, SUBSYSTEM) >> 16),
        .ports = bar & BAR_IS_PORTS ? (uint16_t)(bar & ~3u) : 0,
        .irq = (uint8_t)read(place, INTERRUPT),
    };
}

/* The first place has the host bridge, which nobody looks for. */
bool pci_next(struct pci_device *at, uint16_t vendor)
{
    for (unsigned place = at->slot * NR_FUNCTIONS + at->function + 1; place < NR_PLACES; place++)
        if (is_there(place) && (uint16_t)read(place, ID) == vendor) {
            look_at(at, place);
            return true;
        }
    return false;
}

void pci_enable(const struct pci_device *device)
{
    unsigned place = device->slot * NR_FUNCTIONS + device->function;
    uint32_t command = read(place, COMMAND) & 0xffff; /* the status above is cleared by ones */
    select(place, COMMAND);
    cpu_out32(DATA_PORT, command | COMMAND_PORTS | COMMAND_BUS_MASTER);
}
