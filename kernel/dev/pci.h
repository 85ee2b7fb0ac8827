/* kernel/dev/pci.h: which devices the machine has (PCI Local Bus Specification 3.0, chapter 6)
 *
 * Those of the first bus: QEMU's "pc" machine puts all there. The firmware has given each its ports
 * and its interrupt.
 */
#ifndef KERNEL_DEV_PCI_H
#define KERNEL_DEV_PCI_H

#include <stdbool.h>
#include <stdint.h>

struct pci_device {
    uint8_t slot, function;
    uint16_t vendor, device, subsystem;
    uint16_t ports; /* where its first base address register put it; 0: not among the ports */
    uint8_t irq;    /* of the 8259s; 0xff: it has none */
};

/* The next one of this vendor behind the place that `at` says, which is all zero to begin with;
 * false: there are no more. Neither it nor others are touched. */
bool pci_next(struct pci_device *at, uint16_t vendor);
/* It answers at its ports, and may write to memory. */
void pci_enable(const struct pci_device *device);

#endif
