/* kernel/memory_functions.c: the four functions that the compiler and the library call
 *
 * The string instructions are the shortest code, and fast on CPUs of this century. They work on
 * words where there are many: an emulator pays for each repetition, and a page is the usual size.
 * The direction flag is clear, as the calling convention says, but for the copy that must go
 * backwards.
 */
#include "kernel.h"

#if defined(__x86_64__)
#define WORDS(instruction) "rep " instruction "q"
#else
#define WORDS(instruction) "rep " instruction "l"
#endif

void *memcpy(void *restrict to, const void *restrict from, size_t size)
{
    void *result = to;
    size_t words = size / sizeof(size_t), rest = size % sizeof(size_t);
    __asm__ volatile(WORDS("movs") : "+D"(to), "+S"(from), "+c"(words) : : "memory");
    __asm__ volatile("rep movsb" : "+D"(to), "+S"(from), "+c"(rest) : : "memory");
    return result;
}

void *memmove(void *to, const void *from, size_t size)
{
    if ((uintptr_t)to - (uintptr_t)from >= size)
        return memcpy(to, from, size);
    void *last_to = (char *)to + size - 1;
    const void *last_from = (const char *)from + size - 1;
    __asm__ volatile("std\n\trep movsb\n\tcld"
                     : "+D"(last_to), "+S"(last_from), "+c"(size)
                     :
                     : "memory");
    return to;
}

void *memset(void *at, int value, size_t size)
{
    void *result = at;
    size_t words = size / sizeof(size_t), rest = size % sizeof(size_t);
    size_t pattern = (unsigned char)value * (~(size_t)0 / 0xff);
    __asm__ volatile(WORDS("stos") : "+D"(at), "+c"(words) : "a"(pattern) : "memory");
    __asm__ volatile("rep stosb" : "+D"(at), "+c"(rest) : "a"(pattern) : "memory");
    return result;
}

int memcmp(const void *a, const void *b, size_t size)
{
    const unsigned char *x = a, *y = b;
    for (size_t i = 0; i < size; i++)
        if (x[i] != y[i])
            return x[i] < y[i] ? -1 : 1;
    return 0;
}
