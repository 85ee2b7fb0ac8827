/* kernel/serial.h: the four serial ports of a PC (16550)
 *
 * Sending polls. Receiving is by interrupt, of COM1 and COM3, which share number 4. A listener that
 * has no room leaves bytes in the port, whose other end waits then.
 */
#ifndef KERNEL_SERIAL_H
#define KERNEL_SERIAL_H

#include <stddef.h>
#include <stdint.h>

enum serial_port { COM1, COM2, COM3, COM4, NR_SERIAL_PORTS };

struct serial_listener {
    unsigned (*room)(void *arg);
    void (*receive)(void *arg, unsigned char byte); /* interrupts are off */
    void *arg;
};

/* 115200 bits a second, 8 data bits, FIFO; no interrupts. */
void serial_init(enum serial_port port);
void serial_write(enum serial_port port, const char *bytes, size_t size);
/* Until every port has handed over its last byte, however slow its other end is. */
void serial_wait_until_sent(void);
/* COM1 or COM3. `listener` has to stay. */
void serial_listen(enum serial_port port, const struct serial_listener *listener);
/* The listener has room again. */
void serial_resume(enum serial_port port);

#endif
