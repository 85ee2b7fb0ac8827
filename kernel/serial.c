/* kernel/serial.c: COM1 (16550; PC16550D, National Semiconductor, 1995)
 */
#include "serial.h"

#include <quire/port.h>

#include "cpu.h"

#define BASE 0x3f8u
#define DATA 0u
#define DIVISOR_LOW 0u
#define DIVISOR_HIGH 1u
#define INTERRUPT_ENABLE 1u
#define FIFO_CONTROL 2u
#define LINE_CONTROL 3u
#define MODEM_CONTROL 4u
#define LINE_STATUS 5u

#define LINE_8N1 0x03
#define LINE_DIVISOR_ACCESS 0x80
#define FIFO_ENABLE_AND_CLEAR 0x07
#define MODEM_DTR_RTS 0x03
#define STATUS_TRANSMITTER_EMPTY 0x20
#define STATUS_ALL_SENT 0x40
#define DIVISOR_115200 1
#define FIFO_BYTES 16u

static uint8_t in(unsigned which)
{
    return cpu_in8((uint16_t)(BASE + which));
}

static void out(unsigned which, uint8_t value)
{
    cpu_out8((uint16_t)(BASE + which), value);
}

void serial_init(void)
{
    out(LINE_CONTROL, LINE_DIVISOR_ACCESS);
    out(DIVISOR_LOW, DIVISOR_115200);
    out(DIVISOR_HIGH, 0);
    out(LINE_CONTROL, LINE_8N1);
    out(INTERRUPT_ENABLE, 0);
    out(MODEM_CONTROL, MODEM_DTR_RTS);
    out(FIFO_CONTROL, FIFO_ENABLE_AND_CLEAR);
}

/* An empty transmitter takes a whole FIFO. An interrupt handler's words don't come between looking
 * and sending. Bytes that were sent. */
static size_t send(const char *bytes, size_t size)
{
    size_t sent = 0;
    quire_port_irq_t irq = quire_port_irq_save();
    if (in(LINE_STATUS)&STATUS_TRANSMITTER_EMPTY)
        for (; sent < size && sent < FIFO_BYTES; sent++)
            out(DATA, (uint8_t)bytes[sent]);
    quire_port_irq_restore(irq);
    return sent;
}

void serial_write(const char *bytes, size_t size)
{
    for (size_t sent = 0; sent < size;) {
        size_t piece = send(bytes + sent, size - sent);
        if (!piece)
            quire_port_relax();
        sent += piece;
    }
}

/* A port that isn't there reads as all ones. */
void serial_wait_until_sent(void)
{
    while (!(in(LINE_STATUS)&STATUS_ALL_SENT))
        quire_port_relax();
}
