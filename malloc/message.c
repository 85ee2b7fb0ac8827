/* malloc/message.c: what the library says, on stderr, without allocating */
#define _GNU_SOURCE
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/text.h"
#include "malloc/self.h"

void write_stderr(void *arg, const char *text, size_t length)
{
    (void)arg;
    while (length) {
        long done = syscall(SYS_write, STDERR_FILENO, text, length); /* no point of cancellation */
        if (done <= 0)
            return;
        text += done;
        length -= (size_t)done;
    }
}

void message(const char *format, ...)
{
    struct text out;
    va_list args;
    text_init(&out, write_stderr, NULL);
    va_start(args, format);
    text_vprintf(&out, format, args);
    va_end(args);
    text_puts(&out, "\n");
    text_flush(&out);
}

void malloc_log(int level, const char *text)
{
    if (level <= QUIRE_LOG_WARNING)
        message("%s", text);
}

void malloc_panic(const char *text)
{
    message("%s", text);
    abort();
}

void message_mistake(void *arg, const void *ptr, const char *text)
{
    (void)arg;
    message("quire-malloc: %p: %s", ptr, text);
    abort();
}
