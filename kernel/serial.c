/* kernel/serial.c: the four serial ports of a PC (16550; PC16550D, National Semiconductor, 1995)
 *
 * Two ports share an interrupt, which comes once when their line goes up: so a handler goes on
 * until none of them has anything left.
 */
#include "serial.h"

#include <stdbool.h>

#include <quire/port.h>

#include "cpu.h"
#include "irq.h"

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
#define FIFO_TRIGGER_14                                                                            \
    0xc0 /* bytes to an interrupt, or a pause; QEMU hands over as many at a time */
#define MODEM_DTR_RTS_OUT2 0x0b /* OUT2 lets interrupts out */
#define INTERRUPT_RECEIVED 0x01
#define STATUS_DATA_READY 0x01
#define STATUS_TRANSMITTER_EMPTY 0x20
#define STATUS_ALL_SENT 0x40
#define DIVISOR_115200 1
#define FIFO_BYTES 16u

#define IRQ_COM1_COM3 4u

static const uint16_t base[NR_SERIAL_PORTS] = {0x3f8, 0x2f8, 0x3e8, 0x2e8};
static const struct serial_listener *listeners[NR_SERIAL_PORTS];
/* What came before serial_init: -1, nothing. */
static int early_byte[NR_SERIAL_PORTS];

static uint8_t in(enum serial_port port, unsigned which)
{
    return cpu_in8((uint16_t)(base[port] + which));
}

static void out(enum serial_port port, unsigned which, uint8_t value)
{
    cpu_out8((uint16_t)(base[port] + which), value);
}

/* Turning the FIFO on empties the receiver, which may hold a byte that was sent before. */
void serial_init(enum serial_port port)
{
    quire_port_irq_t irq = quire_port_irq_save();
    out(port, LINE_CONTROL, LINE_DIVISOR_ACCESS);
    out(port, DIVISOR_LOW, DIVISOR_115200);
    out(port, DIVISOR_HIGH, 0);
    out(port, LINE_CONTROL, LINE_8N1);
    out(port, INTERRUPT_ENABLE, 0);
    out(port, MODEM_CONTROL, MODEM_DTR_RTS_OUT2);
    early_byte[port] = in(port, LINE_STATUS) & STATUS_DATA_READY ? in(port, DATA) : -1;
    out(port, FIFO_CONTROL, FIFO_ENABLE_AND_CLEAR | FIFO_TRIGGER_14);
    quire_port_irq_restore(irq);
}

/* An empty transmitter takes a whole FIFO. An interrupt handler's echo doesn't come between looking
 * and sending. Bytes that were sent. */
static size_t send(enum serial_port port, const char *bytes, size_t size)
{
    size_t sent = 0;
    quire_port_irq_t irq = quire_port_irq_save();
    if (in(port, LINE_STATUS) & STATUS_TRANSMITTER_EMPTY)
        for (; sent < size && sent < FIFO_BYTES; sent++)
            out(port, DATA, (uint8_t)bytes[sent]);
    quire_port_irq_restore(irq);
    return sent;
}

void serial_write(enum serial_port port, const char *bytes, size_t size)
{
    for (size_t sent = 0; sent < size;) {
        size_t piece = send(port, bytes + sent, size - sent);
        if (!piece)
            quire_port_relax();
        sent += piece;
    }
}

void serial_wait_until_sent(void)
{
    /* A port that isn't there reads as all ones. */
    for (enum serial_port port = COM1; port < NR_SERIAL_PORTS; port++)
        while (!(in(port, LINE_STATUS) & STATUS_ALL_SENT))
            quire_port_relax();
}

/* What a port has, as far as its listener has room; true: there was something. Without room its
 * interrupts are off until serial_resume. */
static bool receive(enum serial_port port)
{
    const struct serial_listener *listener = listeners[port];
    bool any = false;
    while (listener && in(port, LINE_STATUS) & STATUS_DATA_READY) {
        if (!listener->room(listener->arg)) {
            out(port, INTERRUPT_ENABLE, 0);
            break;
        }
        listener->receive(listener->arg, in(port, DATA));
        any = true;
    }
    return any;
}

static void interrupt(void)
{
    bool any;
    do {
        any = receive(COM1);
        any = receive(COM3) || any;
    } while (any);
}

void serial_resume(enum serial_port port)
{
    quire_port_irq_t irq = quire_port_irq_save();
    out(port, INTERRUPT_ENABLE, INTERRUPT_RECEIVED);
    (void)receive(port);
    quire_port_irq_restore(irq);
}

void serial_listen(enum serial_port port, const struct serial_listener *listener)
{
    bool first = !listeners[COM1] && !listeners[COM3];
    listeners[port] = listener;
    if (early_byte[port] >= 0)
        listener->receive(listener->arg, (unsigned char)early_byte[port]);
    early_byte[port] = -1;
    if (first)
        irq_set_handler(IRQ_COM1_COM3, interrupt);
    serial_resume(port);
}
