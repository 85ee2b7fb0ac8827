/* examples/kernel/machine.c: the serial port, one interrupt gate, the end, and what compilers call
 *
 * Nothing here knows of Quire but its port's two functions for text.
 */
#include "machine.h"

#include <quire/port.h>
#include <stdarg.h>

#define SERIAL_PORT 0x3f8
#define SERIAL_STATUS (SERIAL_PORT + 5)
#define SERIAL_READY 0x20
#define DEBUG_EXIT_PORT 0xf4
#define CODE_SELECTOR 8
#define PAGE_FAULT 14

/* By the processor's own instructions: of a loop that copies a compiler makes a call of memcpy. */
void *memcpy(void *to, const void *from, size_t size);
void *memmove(void *to, const void *from, size_t size);
void *memset(void *to, int byte, size_t size);
int memcmp(const void *a, const void *b, size_t size);

void *memcpy(void *to, const void *from, size_t size)
{
    void *start = to;
    __asm__ volatile("rep movsb" : "+D"(to), "+S"(from), "+c"(size) : : "memory");
    return start;
}

void *memmove(void *to, const void *from, size_t size)
{
    void *start = to;
    if ((uintptr_t)to - (uintptr_t)from >= size)
        return memcpy(to, from, size);
    to = (char *)to + size - 1;
    from = (const char *)from + size - 1;
    __asm__ volatile("std\n\trep movsb\n\tcld" : "+D"(to), "+S"(from), "+c"(size) : : "memory");
    return start;
}

void *memset(void *to, int byte, size_t size)
{
    void *start = to;
    __asm__ volatile("rep stosb" : "+D"(to), "+c"(size) : "a"(byte) : "memory");
    return start;
}

int memcmp(const void *a, const void *b, size_t size)
{
    const unsigned char *left = a, *right = b;
    for (size_t i = 0; i < size; i++)
        if (left[i] != right[i])
            return left[i] < right[i] ? -1 : 1;
    return 0;
}

static inline void out(uint16_t port, uint8_t value)
{
    __asm__ volatile("outb %0, %1" : : "a"(value), "Nd"(port));
}

static inline uint8_t in(uint16_t port)
{
    uint8_t value;
    __asm__ volatile("inb %1, %0" : "=a"(value) : "Nd"(port));
    return value;
}

static void put(char c)
{
    while (!(in(SERIAL_STATUS)&SERIAL_READY))
        ;
    out(SERIAL_PORT, (uint8_t)c);
}

static void put_text(const char *text)
{
    while (*text)
        put(*text++);
}

static void put_number(unsigned long value, unsigned base)
{
    if (value >= base)
        put_number(value / base, base);
    put("0123456789abcdef"[value % base]);
}

void say(const char *format, ...)
{
    va_list list;
    va_start(list, format);
    for (; *format; format++) {
        if (*format != '%') {
            put(*format);
            continue;
        }
        format++;
        if (*format == 'l')
            format++;
        if (*format == 's')
            put_text(va_arg(list, const char *));
        else
            put_number(va_arg(list, unsigned long), *format == 'x' ? 16 : 10);
    }
    va_end(list);
    put('\n');
}

void leave(bool success)
{
    out(DEBUG_EXIT_PORT, success ? 16 : 17); /* isa-debug-exit: twice that and one */
    for (;;)
        __asm__ volatile("hlt");
}

/* A gate of 16 bytes (SDM 3A, 6.14.1); all others are absent, and would end in a triple fault. */
struct gate {
    uint16_t offset_low, selector, type, offset_middle;
    uint32_t offset_high, reserved;
};

void page_fault(void);

void catch_page_faults(void)
{
    static struct gate gates[PAGE_FAULT + 1];
    const uint64_t offset = (uintptr_t)page_fault;
    gates[PAGE_FAULT] = (struct gate){
        .offset_low = (uint16_t)offset,
        .selector = CODE_SELECTOR,
        .type = 0x8e00, /* present, interrupt gate */
        .offset_middle = (uint16_t)(offset >> 16),
        .offset_high = (uint32_t)(offset >> 32),
    };
    const struct __attribute__((packed)) {
        uint16_t limit;
        uint64_t base;
    } pointer = {sizeof(gates) - 1, (uintptr_t)gates};
    __asm__ volatile("lidt %0" : : "m"(pointer));
}

_Noreturn void unexpected_fault(unsigned long address, unsigned long code);
_Noreturn void unexpected_fault(unsigned long address, unsigned long code)
{
    say("page fault at 0x%lx, of the code at 0x%lx", address, code);
    leave(false);
}

void load_tables(uint64_t root)
{
    __asm__ volatile("mov %0, %%cr3" : : "r"(root) : "memory");
}

void example_log(int level, const char *text)
{
    (void)level;
    say("quire: %s", text);
}

_Noreturn void example_panic(const char *text)
{
    say("panic: %s", text);
    leave(false);
}
