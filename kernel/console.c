/* kernel/console.c: the serial line, COM1, polled
 *
 * A 16550 at 115200 bits a second, 8 data bits, no parity, one stop bit. Lines end with a newline
 * alone: the other end is a file or a pipe.
 */
#include <quire/port.h>

#include "base/text.h"
#include "cpu.h"
#include "kernel.h"

#define COM1 0x3f8
#define DATA COM1
#define DIVISOR_LOW COM1
#define DIVISOR_HIGH (COM1 + 1)
#define INTERRUPT_ENABLE (COM1 + 1)
#define FIFO_CONTROL (COM1 + 2)
#define LINE_CONTROL (COM1 + 3)
#define MODEM_CONTROL (COM1 + 4)
#define LINE_STATUS (COM1 + 5)

#define LINE_8N1 0x03
#define LINE_DIVISOR_ACCESS 0x80
#define FIFO_ENABLE_AND_CLEAR 0x07
#define MODEM_DTR_RTS 0x03
#define STATUS_TRANSMITTER_READY 0x20
#define DIVISOR_115200 1

void (*log_hook)(int level, const char *text);

void console_init(void)
{
    cpu_out8(INTERRUPT_ENABLE, 0);
    cpu_out8(LINE_CONTROL, LINE_DIVISOR_ACCESS);
    cpu_out8(DIVISOR_LOW, DIVISOR_115200);
    cpu_out8(DIVISOR_HIGH, 0);
    cpu_out8(LINE_CONTROL, LINE_8N1);
    cpu_out8(FIFO_CONTROL, FIFO_ENABLE_AND_CLEAR);
    cpu_out8(MODEM_CONTROL, MODEM_DTR_RTS);
}

void console_write(void *arg, const char *text, size_t length)
{
    (void)arg;
    for (size_t i = 0; i < length; i++) {
        while (!(cpu_in8(LINE_STATUS) & STATUS_TRANSMITTER_READY))
            quire_port_relax();
        cpu_out8(DATA, (uint8_t)text[i]);
    }
}

void print_list(const char *format, va_list list)
{
    struct text text;
    text_init(&text, console_write, NULL);
    text_vprintf(&text, format, list);
    text_flush(&text);
}

void print(const char *format, ...)
{
    va_list list;
    va_start(list, format);
    print_list(format, list);
    va_end(list);
}

void quire_x86_log(int level, const char *text)
{
    if (log_hook) {
        log_hook(level, text);
        return;
    }
    const char *what = level <= QUIRE_LOG_ERROR     ? "error: "
                       : level <= QUIRE_LOG_WARNING ? "warning: "
                                                    : "";
    print("%s%s\n", what, text);
}
