/* base/text.c: formatted text, without a libc */
#include "base/text.h"

#include <quire/port.h>

#include "base/bits.h"

void text_init(struct text *text, quire_write_fn *write, void *arg)
{
    text->write = write;
    text->arg = arg;
    text->used = 0;
}

void text_flush(struct text *text)
{
    if (text->used)
        text->write(text->arg, text->buffer, text->used);
    text->used = 0;
}

static void put(struct text *text, char c)
{
    if (text->used == sizeof text->buffer)
        text_flush(text);
    text->buffer[text->used++] = c;
}

void text_puts(struct text *text, const char *string)
{
    while (*string)
        put(text, *string++);
}

struct spec {
    unsigned width;
    int precision;
    bool left, zero;
};

static void put_padded(struct text *text, const char *string, size_t length,
                       const struct spec *spec, bool negative)
{
    size_t total = length + negative;
    size_t pad = spec->width > total ? spec->width - total : 0;
    if (negative && spec->zero)
        put(text, '-');
    if (!spec->left)
        for (; pad; pad--)
            put(text, spec->zero ? '0' : ' ');
    if (negative && !spec->zero)
        put(text, '-');
    for (size_t i = 0; i < length; i++)
        put(text, string[i]);
    for (; pad; pad--)
        put(text, ' ');
}

static void put_number(struct text *text, uint64_t value, unsigned base, const struct spec *spec,
                       bool negative)
{
    char digits[24], *end = digits + sizeof digits, *p = end;
    do {
        uint64_t quotient = base == 16 ? value >> 4 : quire_div64(value, 10);
        *--p = "0123456789abcdef"[value - quotient * base];
        value = quotient;
    } while (value);
    put_padded(text, p, (size_t)(end - p), spec, negative);
}

enum length { LENGTH_INT, LENGTH_LONG, LENGTH_LONG_LONG, LENGTH_SIZE };

/* One conversion takes one argument, so the list is handed on by pointer inside a structure. */
struct arguments {
    va_list list;
};

static uint64_t next_unsigned(struct arguments *args, enum length length)
{
    switch (length) {
    case LENGTH_LONG:
        return va_arg(args->list, unsigned long);
    case LENGTH_LONG_LONG:
        return va_arg(args->list, unsigned long long);
    case LENGTH_SIZE:
        return va_arg(args->list, size_t);
    default:
        return va_arg(args->list, unsigned);
    }
}

static int64_t next_signed(struct arguments *args, enum length length)
{
    switch (length) {
    case LENGTH_LONG:
        return va_arg(args->list, long);
    case LENGTH_LONG_LONG:
        return va_arg(args->list, long long);
    case LENGTH_SIZE:
        return (int64_t)va_arg(args->list, size_t);
    default:
        return va_arg(args->list, int);
    }
}

static const char *parse_spec(const char *format, struct spec *spec, enum length *length,
                              struct arguments *args)
{
    *spec = (struct spec){.precision = -1};
    *length = LENGTH_INT;
    for (;; format++)
        if (*format == '-')
            spec->left = true;
        else if (*format == '0')
            spec->zero = true;
        else
            break;
    if (*format == '*') {
        spec->width = va_arg(args->list, unsigned);
        format++;
    }
    for (; *format >= '0' && *format <= '9'; format++)
        spec->width = spec->width * 10 + (unsigned)(*format - '0');
    if (*format == '.') {
        spec->precision = 0;
        if (*++format == '*') {
            spec->precision = va_arg(args->list, int);
            format++;
        }
        for (; *format >= '0' && *format <= '9'; format++)
            spec->precision = spec->precision * 10 + (*format - '0');
    }
    if (*format == 'z') {
        *length = LENGTH_SIZE;
        format++;
    }
    for (; *format == 'l'; format++)
        *length = *length == LENGTH_LONG ? LENGTH_LONG_LONG : LENGTH_LONG;
    return format;
}

static void put_string(struct text *text, const char *string, const struct spec *spec)
{
    size_t length = 0;
    while ((spec->precision < 0 || length < (size_t)spec->precision) && string[length])
        length++;
    put_padded(text, string, length, spec, false);
}

static void convert(struct text *text, char conversion, struct spec *spec, enum length length,
                    struct arguments *args)
{
    switch (conversion) {
    case 'd':
    case 'i': {
        int64_t value = next_signed(args, length);
        put_number(text, value < 0 ? 0 - (uint64_t)value : (uint64_t)value, 10, spec, value < 0);
        break;
    }
    case 'u':
        put_number(text, next_unsigned(args, length), 10, spec, false);
        break;
    case 'x':
        put_number(text, next_unsigned(args, length), 16, spec, false);
        break;
    case 'p':
        text_puts(text, "0x");
        put_number(text, (uintptr_t)va_arg(args->list, void *), 16, spec, false);
        break;
    case 'c':
        put(text, (char)va_arg(args->list, int));
        break;
    case 's':
        put_string(text, va_arg(args->list, const char *), spec);
        break;
    default:
        put(text, conversion);
    }
}

void text_vprintf(struct text *text, const char *format, va_list list)
{
    struct arguments args;
    va_copy(args.list, list);
    for (; *format; format++) {
        if (*format != '%') {
            put(text, *format);
            continue;
        }
        struct spec spec;
        enum length length;
        format = parse_spec(format + 1, &spec, &length, &args);
        if (!*format)
            break;
        convert(text, *format, &spec, length, &args);
    }
    va_end(args.list);
}

void text_printf(struct text *text, const char *format, ...)
{
    va_list list;
    va_start(list, format);
    text_vprintf(text, format, list);
    va_end(list);
}

struct bounded {
    char *buffer;
    size_t size, length;
};

static void write_bounded(void *arg, const char *string, size_t length)
{
    struct bounded *to = arg;
    for (size_t i = 0; i < length; i++, to->length++)
        if (to->length + 1 < to->size)
            to->buffer[to->length] = string[i];
}

size_t quire_vsnprintf(char *buffer, size_t size, const char *format, va_list list)
{
    struct bounded to = {buffer, size, 0};
    struct text text;
    text_init(&text, write_bounded, &to);
    text_vprintf(&text, format, list);
    text_flush(&text);
    if (size)
        buffer[to.length < size ? to.length : size - 1] = '\0';
    return to.length;
}

size_t quire_snprintf(char *buffer, size_t size, const char *format, ...)
{
    va_list list;
    va_start(list, format);
    size_t length = quire_vsnprintf(buffer, size, format, list);
    va_end(list);
    return length;
}

const char *code_text(uintptr_t address, char text[CODE_TEXT_BYTES])
{
    char name[CODE_TEXT_BYTES - 24]; /* beside the digits of an address */
    quire_port_code_name(address, name, sizeof name);
    if (name[0])
        quire_snprintf(text, CODE_TEXT_BYTES, "%p (%s)", (void *)address, name);
    else
        quire_snprintf(text, CODE_TEXT_BYTES, "%p", (void *)address);
    return text;
}

void quire_log(int level, const char *format, ...)
{
    char line[256];
    va_list list;
    va_start(list, format);
    quire_vsnprintf(line, sizeof line, format, list);
    va_end(list);
    quire_port_log(level, line);
}
