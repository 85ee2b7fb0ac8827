/* kernel/serial.h: the first serial port of a PC (16550), on which the kernel talks
 */
#ifndef KERNEL_SERIAL_H
#define KERNEL_SERIAL_H

#include <stddef.h>

/* 115200 bits a second, 8 data bits, FIFO; no interrupts. */
void serial_init(void);
/* Polls: it works whatever has happened. */
void serial_write(const char *bytes, size_t size);
/* Until it has handed over its last byte, however slow its other end is. */
void serial_wait_until_sent(void);

#endif
