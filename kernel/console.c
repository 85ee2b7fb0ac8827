/* kernel/console.c: what the kernel says, on a serial port
 *
 * Lines end with a newline alone: the other end is a file or a pipe.
 */
#include <quire/port.h>

#include "base/text.h"
#include "kernel.h"
#include "serial.h"

void (*log_hook)(int level, const char *text);

void console_init(void)
{
    serial_init();
}

void console_write(void *arg, const char *text, size_t length)
{
    (void)arg;
    serial_write(text, length);
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
