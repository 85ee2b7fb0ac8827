/* base/text.h: formatted text, without a libc */
#ifndef QUIRE_BASE_TEXT_H
#define QUIRE_BASE_TEXT_H

#include <stdarg.h>

#include <quire/types.h>

/* Collects pieces and hands them on when full and at flush, so that writers see few calls. */
struct text {
    quire_write_fn *write;
    void *arg;
    size_t used;
    char buffer[256];
};

void text_init(struct text *text, quire_write_fn *write, void *arg);
void text_flush(struct text *text);
void text_puts(struct text *text, const char *string);

/* printf's %% %c %s %d %i %u %x %p with l, ll, z, widths, `-` and `0`; precision for %s only. */
__attribute__((format(printf, 2, 3))) void text_printf(struct text *text, const char *format, ...);
void text_vprintf(struct text *text, const char *format, va_list args);

/* As snprintf: at most size - 1 characters and a NUL; returns the length it would have had. */
__attribute__((format(printf, 3, 4))) size_t quire_snprintf(char *buffer, size_t size,
                                                            const char *format, ...);
__attribute__((format(printf, 3, 0))) size_t quire_vsnprintf(char *buffer, size_t size,
                                                             const char *format, va_list list);

/* Where code is: its address, and what the port calls it in brackets behind. Returns `text`. */
#define CODE_TEXT_BYTES 96
const char *code_text(uintptr_t address, char text[CODE_TEXT_BYTES]);

/* One line to the port's log; longer than 256 characters is cut. */
__attribute__((format(printf, 2, 3))) void quire_log(int level, const char *format, ...);

#endif
